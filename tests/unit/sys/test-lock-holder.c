/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who holds a lock: this process, a supervisor, systemd-nspawn, nobody. */
#include "sys/lock-holder.h"

#include "basic/str.h"
#include "sandbox.h"
#include "sys/lock.h"

#define DIR_PATH "/mnt/holders"

/* A program that holds the lock, with these arguments, until its standard input ends. */
static pid_t spawn_holder(char *const *argv, int *ret_stdin) {
        int p[2];
        ASSERT_OK(pipe2(p, O_CLOEXEC));
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
                int fd = lock_take(DIR_PATH, "web", LOCK_MODE_EXCLUSIVE);
                if (fd < 0 || fd_cloexec(fd, false) < 0 || dup2(p[0], STDIN_FILENO) < 0)
                        _exit(1);
                execv("/bin/sh", argv);
                _exit(1);
        }
        ASSERT_OK(pid);
        fd_close(p[0]);
        *ret_stdin = p[1];
        /* it holds the lock, and is what it will be: two things that take a moment */
        for (unsigned i = 0; i < 3000; i++) {
                LockHolder h;
                if (lock_find_holder(DIR_PATH "/web", &h) >= 0 && h.container)
                        return pid;
                usleep(10000);
        }
        return pid;
}

static void assert_described(char *const *argv, const char *expected) {
        int in;
        pid_t pid = spawn_holder(argv, &in);
        _cleanup_free_ char *text = lock_describe_holder(DIR_PATH "/web", "somebody");
        fd_close(in);
        ASSERT_EQ(waitpid(pid, NULL, 0), pid);
        ASSERT_NOT_NULL(text);
        if (!startswith(text, expected))
                TEST_FAIL("'%s' does not begin with '%s'", text, expected);
}

TEST(this_process) {
        LockHolder h;
        _cleanup_close_ int fd = lock_take(DIR_PATH, "own", LOCK_MODE_SHARED);
        ASSERT_OK(fd);
        ASSERT_OK(lock_find_holder(DIR_PATH "/own", &h));
        ASSERT_EQ(h.pid, getpid());
        ASSERT_FALSE(h.container);
        ASSERT_CONTAINS(h.name, "test-sys-lock-holder");
        ASSERT_TRUE(h.since_usec > 0);
        _cleanup_free_ char *text = lock_describe_holder(DIR_PATH "/own", "somebody"),
                            *expected = strf("process %d ('", (int) getpid());
        ASSERT_CONTAINS(text, expected);
        ASSERT_CONTAINS(text, " since ");
}

TEST(open_is_not_held) {
        LockHolder h;
        ASSERT_OK(mkdir_parents(DIR_PATH, 0700));
        _cleanup_close_ int fd = open(DIR_PATH "/open", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
        ASSERT_OK(fd);
        ASSERT_ERROR(lock_find_holder(DIR_PATH "/open", &h), ESRCH);
        ASSERT_ERROR(lock_find_holder(DIR_PATH "/missing", &h), ESRCH);
        _cleanup_free_ char *text = lock_describe_holder(DIR_PATH "/open", "somebody");
        ASSERT_STREQ(text, "somebody");
}

TEST(containers) {
        /* the last two are parameters of the script */
        assert_described((char *[]){ "systemd-nspawn", "-c", "read x", "-M", "db", NULL },
                         "'db' since ");
        assert_described(
                (char *[]){ "/usr/bin/systemd-nspawn", "-c", "read x", "x", "--machine=app", NULL },
                "'app' since ");
        assert_described((char *[]){ "berth-supervisor", "/dev/stdin", NULL },
                         "'/dev/stdin' since "); /* the name is its first argument */
}

SANDBOX_MAIN
