/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs in sandboxes: what a shell can do there. */
#include "sys/sandbox-program.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/fd.h"
#include "sys/syscalls.h"
#include "test.h"

#define CANNOT_BE_MADE 99

static int new_file(const char *text) {
        char path[] = "/var/tmp/test-sandbox-program-XXXXXX";
        int fd = mkostemp(path, O_CLOEXEC);
        ASSERT_TRUE(fd >= 0);
        ASSERT_OK(unlink(path));
        ASSERT_OK(fchmod(fd, 0666));
        ASSERT_OK(fd_write_full(fd, text, strlen(text)));
        return fd;
}

/* The exit status of a shell that does this, with "$R" and "$W" the files' numbers. */
static int status_of(const char *script, int read_fd, int write_fd) {
        char numbers[256];
        int status;
        struct clone_args args = { .flags = CLONE_NEWPID, .exit_signal = SIGCHLD };
        (void) snprintf(numbers, sizeof(numbers), "R=/proc/self/fd/%d W=/proc/self/fd/%d; ",
                        read_fd, write_fd);
        _cleanup_free_ char *all = NULL;
        ASSERT_OK(asprintf(&all, "%s%s", numbers, script));
        char *argv[] = { "sh", "-c", all, NULL };
        const SandboxProgram p = { .path = "/usr/bin/sh",
                                   .argv = argv,
                                   .read_fds = &read_fd,
                                   .n_read_fds = 1,
                                   .write_fds = &write_fd,
                                   .n_write_fds = 1,
                                   .memory_max = UINT64_MAX,
                                   .size_max = 4096,
                                   .cpu_max_sec = 10 };
        fflush(NULL);
        pid_t pid = sys_clone3(&args);
        ASSERT_OK(pid);
        if (pid == 0) {
                int r = sandbox_execute(&p);
                fprintf(stderr, "sandbox_execute: %s\n", strerror(-r));
                _exit(CANNOT_BE_MADE);
        }
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST(what_it_can) {
        static const char *const scripts[] = {
                "read x <$R && test \"$x\" = hello",
                "echo written >$W",
                "test -x /usr/bin/sh",
                "set -- /proc/[0-9]*; test $# = 1 -a -d /proc/1",
                "test -c /dev/null && : >/dev/null",
        };
        if (geteuid() != 0)
                TEST_SKIP("only root can make a sandbox");
        _cleanup_close_ int read_fd = new_file("hello\n"), write_fd = new_file("");
        for (size_t i = 0; i < ELEMENTSOF(scripts); i++) {
                int status = status_of(scripts[i], read_fd, write_fd);
                if (status != 0)
                        TEST_FAIL("'%s' ends with %d", scripts[i], status);
        }
        char text[16] = "";
        ASSERT_EQ(pread(write_fd, text, sizeof(text) - 1, 0), 8);
        ASSERT_STREQ(text, "written\n");
}

TEST(what_it_cannot) {
        static const char *const scripts[] = {
                ": </etc/passwd",
                ": </proc/1/root/etc/passwd",
                "test -e /etc/passwd -o -e /var -o -e /home -o -e /sys -o -e /run -o -e /root",
                ": >/new",
                ": >/usr/new",
                ": >/dev/new",
                "exec 9</dev/mem",
                "set -- /sys/class/net/*; test -e $1",
                "test -e /proc/sys -o -e /proc/mounts",
                "test -w /usr",
        };
        if (geteuid() != 0)
                TEST_SKIP("only root can make a sandbox");
        _cleanup_close_ int read_fd = new_file("hello\n"), write_fd = new_file("");
        for (size_t i = 0; i < ELEMENTSOF(scripts); i++) {
                int status = status_of(scripts[i], read_fd, write_fd);
                if (status == 0 || status == CANNOT_BE_MADE)
                        TEST_FAIL("'%s' ends with %d", scripts[i], status);
        }
}

TEST(what_is_only_read) {
        if (geteuid() != 0)
                TEST_SKIP("only root can make a sandbox");
        if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 1)
                TEST_SKIP("this kernel has no Landlock");
        _cleanup_close_ int read_fd = new_file("hello\n"), write_fd = new_file("");
        ASSERT_TRUE(status_of("echo changed >>$R", read_fd, write_fd) != 0);
        ASSERT_TRUE(status_of(": >$R", read_fd, write_fd) != 0);
        char text[16] = "";
        ASSERT_EQ(pread(read_fd, text, sizeof(text) - 1, 0), 6);
}

TEST(what_is_missing) {
        if (geteuid() != 0)
                TEST_SKIP("only root can make a sandbox");
        _cleanup_close_ int read_fd = new_file("hello\n"), write_fd = new_file("");
        int many[SANDBOX_PROGRAM_FILES_MAX + 1];
        for (size_t i = 0; i < ELEMENTSOF(many); i++)
                many[i] = read_fd;
        char *argv[] = { "none", NULL };
        const SandboxProgram programs[] = {
                { .path = "/usr/bin/there-is-none-of-this-name",
                  .argv = argv,
                  .memory_max = UINT64_MAX,
                  .size_max = UINT64_MAX,
                  .cpu_max_sec = 10 },
                { .path = "/usr/bin/sh",
                  .argv = argv,
                  .read_fds = many,
                  .n_read_fds = ELEMENTSOF(many),
                  .memory_max = UINT64_MAX,
                  .size_max = UINT64_MAX,
                  .cpu_max_sec = 10 },
        };
        for (size_t i = 0; i < ELEMENTSOF(programs); i++) {
                int status;
                struct clone_args args = { .flags = CLONE_NEWPID, .exit_signal = SIGCHLD };
                pid_t pid = sys_clone3(&args);
                ASSERT_OK(pid);
                if (pid == 0)
                        _exit(-sandbox_execute(programs + i));
                ASSERT_EQ(waitpid(pid, &status, 0), pid);
                ASSERT_TRUE(WIFEXITED(status));
                ASSERT_TRUE(WEXITSTATUS(status) == (i == 0 ? ENOENT : E2BIG));
        }
}

TEST_MAIN
