/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting real containers in tests: a root made of busybox, a spec, the supervisor that was just built, and what came out.
 *
 * Each test runs in a mount namespace of its own with an empty /run: locks and sockets are the test's. */
#pragma once

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/time.h"
#include "ipc/spawn.h"
#include "ipc/spawner.h"
#include "spec/spec.h"
#include "sys/caps.h"
#include "sys/pidfd.h"
#include "test.h"

#define START_TIMEOUT_MSEC 20000

/* The root of the tests, in a tmpfs: /bin/busybox and its links, etc/passwd, etc/group, an init. */
static char start_root[] = "/run/root";

typedef struct Running {
        PidRef supervisor;
        int in, out, err; /* our ends */
        char out_text[65536], err_text[16384];
        size_t n_out, n_err;
        int status; /* exit status; -1: killed or timed out */
} Running;

static inline void write_text(const char *path, const char *text, mode_t mode) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
        ASSERT_OK(fd);
        ASSERT_OK(fd_write_full(fd, text, strlen(text)));
        ASSERT_OK(fchmod(fd, mode));
        fd_close(fd);
}

static inline void copy_busybox(const char *to) {
        _cleanup_free_ char *bytes = NULL;
        size_t n;
        ASSERT_OK(file_read_all(AT_FDCWD, "/bin/busybox", 16U << 20, &bytes, &n));
        int fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
        ASSERT_OK(fd);
        ASSERT_OK(fd_write_full(fd, bytes, n));
        fd_close(fd);
}

static inline void start_make_root(void) {
        static const char *const directories[] = { "bin",  "sbin", "etc",        "usr",  "usr/lib",
                                                   "root", "home", "home/alice", "proc", "sys",
                                                   "dev",  "run",  "tmp",        "var",  "work" };
        static const char *const applets[] = {
                "sh",       "cat",   "ls",    "id",   "env",   "hostname", "ps",    "mount",
                "umount",   "sleep", "kill",  "true", "false", "echo",     "touch", "reboot",
                "poweroff", "stat",  "wc",    "dd",   "stty",  "tty",      "pwd",   "mkdir",
                "readlink", "nc",    "nohup", "head", "tail",  "sed",      "grep",  "mknod"
        };
        char path[PATH_MAX];

        ASSERT_OK(mkdir(start_root, 0755));
        for (size_t i = 0; i < ELEMENTSOF(directories); i++) {
                snprintf(path, sizeof(path), "%s/%s", start_root, directories[i]);
                ASSERT_OK(mkdir(path, 0755));
        }
        snprintf(path, sizeof(path), "%s/bin/busybox", start_root);
        copy_busybox(path);
        for (size_t i = 0; i < ELEMENTSOF(applets); i++) {
                snprintf(path, sizeof(path), "%s/bin/%s", start_root, applets[i]);
                ASSERT_OK(symlink("busybox", path));
        }
        write_text("/run/root/etc/passwd",
                   "root:x:0:0::/root:/bin/sh\nalice:x:1000:1001::/home/alice:/bin/sh\n", 0644);
        write_text("/run/root/etc/group", "root:x:0:\nalice:x:1001:\nvideo:x:44:alice\n", 0644);
        write_text("/run/root/usr/lib/os-release", "ID=test\n", 0644);
        write_text("/run/root/bin/plain", "not a program\n", 0644);
        ASSERT_OK(chown("/run/root/home/alice", 1000, 1001));
}

/* Once a program: a namespace and a /run of our own, the supervisor beside us in the build tree. */
static inline void start_set_up(void) {
        static bool done;
        char self[PATH_MAX], supervisor[PATH_MAX + 64];

        if (done)
                return;
        if (geteuid() != 0)
                TEST_SKIP("containers are started by root");
        if (access("/bin/busybox", X_OK) < 0)
                TEST_SKIP("/bin/busybox (package busybox-static) is not installed");
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
        ASSERT_TRUE(n > 0);
        self[n] = '\0';
        *strrchr(self, '/') = '\0';
        snprintf(supervisor, sizeof(supervisor), "%s/../../src/launch/berth-supervisor", self);
        if (access(supervisor, X_OK) >= 0)
                ASSERT_OK(setenv("BERTH_SUPERVISOR", supervisor, 1));
        ASSERT_OK(unshare(CLONE_NEWNS));
        ASSERT_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
        ASSERT_OK(mount("tmpfs", "/run", "tmpfs", 0, "mode=0755"));
        ASSERT_OK(unsetenv("NOTIFY_SOCKET"));
        ASSERT_OK(setenv("BERTH_CONFINE", "kill",
                         1)); /* src/launch/confine.c: a call that is missing there shows */
        umask(022);
        start_make_root();
        done = true;
}

/* A spec for a command given as words; pipes, no cgroup. */
static inline ContainerSpec *start_spec(const char *const *words) {
        start_set_up();
        ContainerSpec *s = spec_new();
        ASSERT_NOT_NULL(s);
        ASSERT_OK(free_and_strdup(&s->name, "web"));
        ASSERT_OK(free_and_strdup(&s->root.directory, start_root));
        for (size_t i = 0; words && words[i]; i++)
                ASSERT_OK(strv_extend(&s->payload.argv, words[i]));
        s->security.bounding =
                CAP_ALL_MASK & ~(CAP_MASK(16) | CAP_MASK(17)); /* SYS_MODULE, SYS_RAWIO */
        s->security.seccomp = false;
        s->resources.cgroup = CGROUP_NONE;
        s->console.mode = CONSOLE_PIPE;
        return s;
}
#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define SHELL(script) WORDS("sh", "-c", script)

/* The supervisor in a session of its own, with these standard descriptors; not a service of anybody's. */
static inline void supervisor_start(const ContainerSpec *spec, int link_fd, int seccomp_fd,
                                    const int stdio[3], PidRef *ret) {
        pid_t pid = fork();
        ASSERT_OK(pid);
        if (pid == 0) {
                _cleanup_error_ Error e = ERROR_NULL;
                (void) unsetenv("NOTIFY_SOCKET");
                (void) setsid();
                for (int i = 1; i < SIGRTMIN;
                     i++) /* what nohup(1) ignores is not the container's matter */
                        (void) signal(i, SIG_DFL);
                for (int i = 0; i < 3; i++)
                        if (dup2(stdio[i], i) < 0)
                                _exit(125);
                (void) supervisor_become(spec, link_fd, seccomp_fd, NULL, 0, &e);
                dprintf(STDERR_FILENO, "%s\n", strempty(e.message));
                _exit(125);
        }
        ASSERT_OK(pidref_open(pid, ret));
}

static inline void start_with(Running *run, const ContainerSpec *spec, int link_fd,
                              int seccomp_fd) {
        int in[2], out[2], err[2];

        *run = (Running){ .supervisor = PIDREF_NULL, .status = -1 };
        ASSERT_OK(pipe2(in, O_CLOEXEC));
        ASSERT_OK(pipe2(out, O_CLOEXEC));
        ASSERT_OK(pipe2(err, O_CLOEXEC));
        supervisor_start(spec, link_fd, seccomp_fd, (int[]){ in[0], out[1], err[1] },
                         &run->supervisor);
        fd_close(in[0]);
        fd_close(out[1]);
        fd_close(err[1]);
        run->in = in[1];
        run->out = out[0];
        run->err = err[0];
}

static inline void start_on(Running *run, const ContainerSpec *spec, int link_fd) {
        start_with(run, spec, link_fd, -EBADF);
}

static inline void start(Running *run, const ContainerSpec *spec) {
        start_on(run, spec, -EBADF);
}

/* Takes what has come on fd; false at the end. */
static inline bool take_text(int fd, char *text, size_t size, size_t *n) {
        ssize_t k = read(fd, text + *n, size - 1 - *n);
        if (k <= 0)
                return false;
        *n += (size_t) k;
        text[*n] = '\0';
        return true;
}

/* Reads until `text` shows up on standard output (NULL: until both streams end) or the time is over. */
static inline void start_read(Running *run, const char *text) {
        usec_t deadline = now_usec(CLOCK_MONOTONIC) + START_TIMEOUT_MSEC * USEC_PER_MSEC;
        while (run->out >= 0 || run->err >= 0) {
                struct pollfd p[] = { { .fd = run->out, .events = POLLIN },
                                      { .fd = run->err, .events = POLLIN } };
                usec_t now = now_usec(CLOCK_MONOTONIC);
                if (text && strstr(run->out_text, text))
                        return;
                if (now >= deadline || poll(p, 2, (int) ((deadline - now) / USEC_PER_MSEC) + 1) < 0)
                        break;
                if (p[0].revents &&
                    !take_text(run->out, run->out_text, sizeof(run->out_text), &run->n_out))
                        run->out = fd_close(run->out);
                if (p[1].revents &&
                    !take_text(run->err, run->err_text, sizeof(run->err_text), &run->n_err))
                        run->err = fd_close(run->err);
        }
        if (text && !strstr(run->out_text, text))
                TEST_FAIL("'%s' did not come; standard output:\n%s\nstandard error:\n%s", text,
                          run->out_text, run->err_text);
}

static inline bool wait_msec(const PidRef *p, int msec) {
        struct pollfd fd = { .fd = p->fd, .events = POLLIN };
        return poll(&fd, 1, msec) > 0;
}

/* Reads all, waits, and gives the exit status; kills what hangs. */
static inline int start_end(Running *run) {
        siginfo_t info = { 0 };
        run->in = fd_close(run->in);
        start_read(run, NULL);
        if (!wait_msec(&run->supervisor, START_TIMEOUT_MSEC)) {
                (void) pidref_kill(&run->supervisor, SIGKILL);
                (void) pidref_wait(&run->supervisor, true, &info);
                TEST_FAIL("the supervisor hung; standard error:\n%s", run->err_text);
        }
        ASSERT_EQ(pidref_wait(&run->supervisor, true, &info), 1);
        run->status = info.si_code == CLD_EXITED ? info.si_status : -1;
        pidref_done(&run->supervisor);
        run->out = fd_close(run->out);
        run->err = fd_close(run->err);
        return run->status;
}

/* All at once. */
static inline int start_and_end(Running *run, const ContainerSpec *spec) {
        start(run, spec);
        return start_end(run);
}
