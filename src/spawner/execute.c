/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Executing one program of ours.
 *
 * Sequence: clone3(CLONE_PIDFD); in the child: default signals, a session of its own, the descriptors first duplicated above
 * their places (so their old numbers do not matter), then dup3()ed into them, close_range() above; wait for the end of the hold;
 * execve(). */
#include <signal.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "ipc/control.h"
#include "ipc/spawn.h"
#include "ipc/transfer.h"
#include "ipc/worker.h"
#include "spawner/spawner.h"
#include "sys/syscalls.h"

enum {
        HOLD_FD = SPAWN_PLACES_MAX, /* in the child */
        ABOVE_FD
};

typedef struct Program {
        const char *name;
        const char *(*path)(void);
        const char *variable; /* that has another path, for the hint */
        int link_fd;          /* where an error is told */
        int (*tell)(int link_fd, const Error *e);
        bool own_stderr;         /* ours if none was sent; else /dev/null */
        const char *const *kept; /* prefixes of variables; NULL: all that are not a service's own */
} Program;

static const char *const service_variables[] = {
        "NOTIFY_SOCKET=", "WATCHDOG_USEC=",  "WATCHDOG_PID=",   "LISTEN_FDS=",
        "LISTEN_PID=",    "LISTEN_FDNAMES=", "LISTEN_PIDFDID=", NULL
};
/* what tools that look at programs need */
static const char *const worker_variables[] = { "ASAN_OPTIONS=", "UBSAN_OPTIONS=", "BERTH_", NULL };
/* and downloads: berth-transfer(8) */
static const char *const transfer_variables[] = {
        "ASAN_OPTIONS=", "UBSAN_OPTIONS=", "BERTH_",         "http_proxy=",     "https_proxy=",
        "all_proxy=",    "no_proxy=",      "SSL_CERT_FILE=", "CURL_CA_BUNDLE=", NULL
};

static const Program programs[_SPAWN_PROGRAM_MAX] = {
        [SPAWN_SUPERVISOR] = { "berth-supervisor", supervisor_path, "BERTH_SUPERVISOR",
                               SUPERVISOR_LINK_FD, control_send_error, true, NULL },
        [SPAWN_WORKER] = { "berth-worker", worker_path, "BERTH_WORKER", WORKER_LINK_FD,
                           worker_answer_error, false, worker_variables },
        [SPAWN_TRANSFER] = { "berth-transfer", transfer_path, "BERTH_TRANSFER", TRANSFER_LINK_FD,
                             worker_answer_error, false, transfer_variables },
};

static bool has_prefix(const char *s, const char *const *prefixes) {
        for (; *prefixes; prefixes++)
                if (startswith(s, *prefixes))
                        return true;
        return false;
}

static int make_environment(const Program *p, char ***ret) {
        _cleanup_strv_free_ char **l = strv_new(NULL);
        if (!l)
                return -ENOMEM;
        STRV_FOREACH(e, environ)
                if (p->kept ? has_prefix(*e, p->kept) : !has_prefix(*e, service_variables))
                        if (strv_extend(&l, *e) < 0)
                                return -ENOMEM;
        *ret = TAKE_PTR(l);
        return 0;
}

/* fds: by place, then the hold. */
static int arrange(int fds[static ABOVE_FD]) {
        for (int i = 0; i < ABOVE_FD; i++)
                if (fds[i] >= 0) {
                        fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, ABOVE_FD);
                        if (fds[i] < 0)
                                return -errno;
                }
        for (int i = 0; i < ABOVE_FD; i++)
                if (fds[i] < 0)
                        (void) close(i); /* may well be closed already */
                else if (dup3(fds[i], i, i == HOLD_FD ? O_CLOEXEC : 0) < 0)
                        return -errno;
        /* now, not when it executes: the hold's other end is among them */
        return sys_close_range(ABOVE_FD, ~0U, 0) < 0 ? -errno : 0;
}

static void wait_for_release(void) {
        char c;
        while (read(HOLD_FD, &c, 1) < 0 && errno == EINTR)
                ;
}

/* In the child: never returns. */
static _noreturn_ void execute(const Program *p, int fds[static ABOVE_FD], const char *name,
                               char **environment) {
        sigset_t none;
        for (int n = 1; n < NSIG; n++)
                (void) signal(n, SIG_DFL); /* fails for those that nobody can ignore */
        (void) sigemptyset(&none);
        int r = sigprocmask(SIG_SETMASK, &none, NULL) < 0 || setsid() < 0 ? -errno : 0;
        if (r >= 0)
                r = arrange(fds);
        if (r >= 0) {
                wait_for_release();
                char *argv[] = { (char *) p->name, isempty(name) ? NULL : (char *) name, NULL };
                execve(p->path(), argv, environment);
                r = -errno;
        }
        _cleanup_error_ Error e = ERROR_NULL;
        (void) error_set_errno(&e, r, ERROR_SETUP_FAILED, "Executing '%s' failed", p->path());
        error_hint(&e, "reinstall berth, or set $%s to the program's path", p->variable);
        (void) p->tell(p->link_fd, &e); /* that it has ended is seen, too */
        _exit(125);
}

int spawner_execute(const SpawnRequest *q, const int fds[static SPAWN_PLACES_MAX], int hold_fd,
                    PidRef *ret) {
        const Program *p = &programs[q->program];
        _cleanup_close_ int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        _cleanup_strv_free_ char **environment = NULL;
        int places[ABOVE_FD] = { [HOLD_FD] = hold_fd };
        if (null_fd < 0)
                return -errno;
        int r = make_environment(p, &environment);
        if (r < 0)
                return r;
        for (int i = 0; i < (int) SPAWN_PLACES_MAX; i++)
                places[i] = fds[i] >= 0 || i > STDERR_FILENO      ? fds[i]
                            : i == STDERR_FILENO && p->own_stderr ? STDERR_FILENO
                                                                  : null_fd;
        PidRef process = PIDREF_NULL;
        struct clone_args args = {
                .flags = CLONE_PIDFD,
                .pidfd = (uint64_t) (uintptr_t) &process.fd,
                .exit_signal = SIGCHLD,
        };
        process.pid = sys_clone3(&args);
        if (process.pid < 0)
                return -errno;
        if (process.pid == 0)
                execute(p, places, q->name, environment);
        *ret = process;
        return 0;
}
