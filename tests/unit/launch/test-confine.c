/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The supervisor's own filter: what it keeps from doing, and what not; and who has it. */
#include "start.h"

#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "launch/supervisor.h"
#include "sys/cgroup.h"

static Running run; /* big */

/* In a child: 0, or the number of the check that failed. */
static int check_confined(void) {
        char *const argv[] = { (char *) "true", NULL }, *const envp[] = { NULL };
        struct pollfd p = { .fd = 0 };
        int n = 0;

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || supervisor_confine() < 0)
                return 99;
#define CHECK(expr)               \
        do {                      \
                n++;              \
                if (!(expr))      \
                        return n; \
        } while (0)
#define REFUSED(expr) CHECK((expr) < 0 && errno == EPERM)
        REFUSED(execve("/bin/true", argv, envp));
        REFUSED(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
        REFUSED(open("/run/file", O_WRONLY | O_CLOEXEC));
        REFUSED(open("/run/file", O_RDWR | O_CLOEXEC));
        REFUSED(open("/run/new", O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
        REFUSED(open("/run/file", O_RDONLY | O_TRUNC | O_CLOEXEC));
        REFUSED(unlinkat(AT_FDCWD, "/run/file", 0));
        REFUSED(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        REFUSED(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0));
        REFUSED(kill(getppid(), 0));
        REFUSED(mount("none", "/run", "tmpfs", 0, NULL));
        REFUSED(mkdir("/run/new", 0700));
        REFUSED(setuid(0));
        REFUSED(syscall(SYS_pidfd_open, 1, 0));
        CHECK(open("/run/file", O_RDONLY | O_CLOEXEC) >= 0);
        CHECK(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) >= 0);
        CHECK(unlinkat(AT_FDCWD, "/run/empty", AT_REMOVEDIR) >= 0);
        CHECK(poll(&p, 1, 0) >= 0);
        CHECK(access("/run/file", F_OK) < 0); /* nobody asks */
        return 0;
}

TEST(what_is_refused) {
        int status;
        start_set_up();
        write_text("/run/file", "x", 0600);
        ASSERT_OK(mkdir("/run/empty", 0700));
        ASSERT_OK(unsetenv("BERTH_CONFINE"));
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0)
                _exit(check_confined());
        ASSERT_OK(setenv("BERTH_CONFINE", "kill", 1));
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        ASSERT_TRUE(WIFEXITED(status));
        ASSERT_EQ(WEXITSTATUS(status), 0);
}

/* With $BERTH_CONFINE=kill the first call that is not listed is the last. */
TEST(deadly_in_tests) {
        int status;
        start_set_up();
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0)
                _exit(check_confined());
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        ASSERT_TRUE(WIFSIGNALED(status));
        ASSERT_EQ(WTERMSIG(status), SIGSYS);
}

static void status_has(const char *line, bool wanted) {
        _cleanup_free_ char *text = NULL;
        char path[64];
        snprintf(path, sizeof(path), "/proc/%d/status", run.supervisor.pid);
        ASSERT_OK(file_read_all(AT_FDCWD, path, 65536, &text, NULL));
        if (!!strstr(text, line) != wanted)
                TEST_FAIL("'%s' is %s in\n%s", line + 1, wanted ? "not" : "", text);
}

/* Waits until it has dropped what it does not need. */
static void wait_until_dropped(void) {
        for (int i = 0; i < 100; i++) {
                _cleanup_free_ char *text = NULL;
                char path[64];
                snprintf(path, sizeof(path), "/proc/%d/status", run.supervisor.pid);
                ASSERT_OK(file_read_all(AT_FDCWD, path, 65536, &text, NULL));
                if (strstr(text, "\nCapEff:\t0000000000000020\n"))
                        return;
                usleep(20000);
        }
        TEST_FAIL("it keeps its capabilities");
}

TEST(who_has_it) {
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL("echo up; cat"));
        if (mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL) < 0)
                TEST_SKIP("cgroup2 cannot be mounted here");
        char name[64];
        int root = cgroup_open_root();
        snprintf(name, sizeof(name), "berth-confine-%d", (int) getpid());
        int base = cgroup_make(root, name), unit = cgroup_make(base, "unit.service");
        ASSERT_OK(unit);
        for (int in_unit = 0; in_unit < 2; in_unit++) {
                s->resources.cgroup = in_unit ? CGROUP_UNIT : CGROUP_OWN;
                ASSERT_OK(cgroup_attach(unit, 0));
                start(&run, s);
                ASSERT_OK(cgroup_attach(root, 0));
                start_read(&run, "up");
                wait_until_dropped();
                usleep(50000);
                status_has("\nSeccomp:\t2\n", in_unit);
                status_has("\nNoNewPrivs:\t1\n", in_unit);
                ASSERT_EQ(start_end(&run), 0);
        }
        ASSERT_EQ(cgroup_remove(root, name), 0);
        fd_close(unit);
        fd_close(base);
        fd_close(root);
}

TEST_MAIN
