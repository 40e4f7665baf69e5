/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of sys/pidfd.c: children that live, end, and are seen from another PID namespace. */
#include "sys/pidfd.h"

#include "sandbox.h"
#include "sys/socket.h"
#include "sys/syscalls.h"

TEST(life_of_a_child) {
        _cleanup_(pidref_done) PidRef p = PIDREF_NULL;
        siginfo_t si;

        ASSERT_FALSE(pidref_is_set(&p));
        pid_t pid = child_paused();
        ASSERT_OK(pidref_open(pid, &p));
        ASSERT_TRUE(pidref_is_set(&p));
        ASSERT_EQ(p.pid, pid);
        ASSERT_TRUE(fd_is_cloexec(p.fd));
        ASSERT_TRUE(pidref_is_alive(&p));
        ASSERT_EQ(pidref_wait(&p, false, &si), 0);
        ASSERT_OK(pidref_kill(&p, 0));
        ASSERT_OK(pidref_kill(&p, SIGTERM));
        ASSERT_EQ(pidref_wait(&p, true, &si), 1);
        ASSERT_EQ(si.si_pid, pid);
        ASSERT_EQ(si.si_code, CLD_KILLED);
        ASSERT_EQ(si.si_status, SIGTERM);
        /* Reaped: the number may be somebody else's now, the reference is nobody's. */
        ASSERT_FALSE(pidref_is_alive(&p));
        ASSERT_ERROR(pidref_kill(&p, SIGKILL), ESRCH);
        ASSERT_ERROR(pidref_wait(&p, true, NULL), ECHILD);
        ASSERT_ERROR(pidref_open(pid, &p), ESRCH);
}

TEST(zombie_is_not_alive) {
        _cleanup_(pidref_done) PidRef p = PIDREF_NULL;
        siginfo_t si = { 0 };

        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0)
                _exit(42);
        ASSERT_OK(pidref_open(pid, &p));
        while (pidref_is_alive(&p))
                usleep(1000);
        ASSERT_OK(pidref_kill(&p, SIGKILL)); /* a zombie can be signalled */
        ASSERT_EQ(pidref_wait(&p, false, &si), 1);
        ASSERT_EQ(si.si_code, CLD_EXITED);
        ASSERT_EQ(si.si_status, 42);
}

TEST(child_without_exit_signal) {
        struct clone_args args = { 0 };
        _cleanup_(pidref_done) PidRef p = PIDREF_NULL;

        fflush(NULL);
        pid_t pid = sys_clone3(&args);
        if (pid == 0)
                syscall(SYS_exit, 3);
        ASSERT_OK(pidref_open(pid, &p));
        ASSERT_EQ(pidref_wait(&p, true, NULL), 1);
}

TEST(unset_and_impossible) {
        _cleanup_(pidref_done) PidRef p = PIDREF_NULL;

        ASSERT_ERROR(pidref_open(0, &p), ESRCH);
        ASSERT_ERROR(pidref_open(-1, &p), ESRCH);
        ASSERT_ERROR(pidref_open(INT32_MAX, &p), ESRCH);
        ASSERT_ERROR(pidref_kill(&p, SIGKILL), ESRCH);
        ASSERT_ERROR(pidref_wait(&p, true, NULL), ESRCH);
        ASSERT_FALSE(pidref_is_alive(&p));
        ASSERT_FALSE(pidref_is_alive(NULL));
        ASSERT_EQ(p.fd, -EBADF);
        pidref_done(&p);
        pidref_done(&p);
        pidref_done(NULL);
}

TEST(take_a_pidfd) {
        _cleanup_(pidref_done) PidRef p = PIDREF_NULL, q = PIDREF_NULL;

        pid_t pid = child_paused();
        ASSERT_OK(pidref_open(pid, &p));
        int fd = fcntl(p.fd, F_DUPFD_CLOEXEC, 0);
        int number = fd;
        ASSERT_OK(pidref_take_fd(&fd, &q));
        ASSERT_EQ(fd, -EBADF);
        ASSERT_EQ(q.fd, number);
        ASSERT_EQ(q.pid, pid);
        child_end(pid);
        /* The same of a process that is gone: the descriptor stays with its owner. */
        fd = fcntl(p.fd, F_DUPFD_CLOEXEC, 0);
        number = fd;
        pidref_done(&q);
        ASSERT_ERROR(pidref_take_fd(&fd, &q), ESRCH);
        ASSERT_EQ(fd, number);
        ASSERT_FALSE(pidref_is_set(&q));
        fd_close(fd);
}

TEST(take_something_else) {
        _cleanup_(pidref_done) PidRef p = PIDREF_NULL;
        _cleanup_close_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        int none = -EBADF;

        ASSERT_ERROR(pidref_take_fd(&null, &p), EBADF);
        ASSERT_TRUE(null >= 0);
        ASSERT_ERROR(pidref_take_fd(&none, &p), EBADF);
}

/* In a PID namespace of its own (with its own /proc) a pidfd of the outside has no number. */
static int take_foreign(void *arg) {
        int fd = *(int *) arg;
        PidRef p = PIDREF_NULL;

        if (mount("proc", "/proc", "proc", 0, NULL) < 0)
                return 1;
        return pidref_take_fd(&fd, &p) == -ESRCH ? 0 : 2;
}

static int enter_pid_namespace(void *arg) {
        if (unshare(CLONE_NEWPID | CLONE_NEWNS) < 0 ||
            mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return 10;
        return in_child(take_foreign, arg);
}

TEST(pidfd_of_another_namespace) {
        _cleanup_(pidref_done) PidRef p = PIDREF_NULL;

        ASSERT_OK(pidref_open(getpid(), &p));
        ASSERT_EQ(in_child(enter_pid_namespace, &p.fd), 0);
}

/* The first process of a PID namespace waits in its exit until those in it are reaped: by us, of one of them. */
static int look_at_the_end(void *arg) {
        struct clone_args args = { .flags = CLONE_NEWPID, .exit_signal = SIGCHLD };
        _cleanup_(pidref_done) PidRef first = PIDREF_NULL, second = PIDREF_NULL;

        pid_t pid = sys_clone3(&args);
        if (pid == 0)
                for (;;)
                        pause();
        if (pid < 0 || pidref_open(pid, &first) < 0 || pidref_is_ending(&first) ||
            setns(first.fd, CLONE_NEWPID) < 0)
                return 1;
        pid = fork();
        if (pid == 0)
                for (;;)
                        pause();
        if (pid < 0 || pidref_open(pid, &second) < 0 || pidref_kill(&first, SIGKILL) < 0)
                return 2;
        for (unsigned i = 0; i < 30000 && !pidref_is_ending(&first); i++)
                usleep(1000);
        if (!pidref_is_ending(&first) || !pidref_is_alive(&first))
                return 3;
        if (pidref_wait(&second, true, NULL) != 1 || pidref_wait(&first, true, NULL) != 1)
                return 4;
        return pidref_is_ending(&first) ? 0 : 5;
}

TEST(ends_as_long_as_others_do) {
        ASSERT_EQ(in_child(look_at_the_end, NULL), 0);
        ASSERT_TRUE(pidref_is_ending(&(PidRef) PIDREF_NULL));
}

SANDBOX_MAIN
