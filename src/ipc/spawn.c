/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Becoming or starting a supervisor.
 *
 * Sequence: spec text into a sealed memfd; all descriptors to pass are first duplicated above the fixed numbers, then
 * dup2()ed into their places (so their old numbers do not matter); close_range(CLOEXEC) above; execve(). In the manager a
 * child does this, and a close-on-exec pipe tells whether execve() succeeded. */
#include "ipc/spawn.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "spec/spec-text.h"
#include "sys/syscalls.h"

#define EXTRA_FDS_MAX 64U
#define LAYOUT_MAX (SUPERVISOR_FIRST_EXTRA_FD + EXTRA_FDS_MAX)

/* What descriptor number i shall be. -EBADF: closed, or, below 3, left as it is. */
typedef struct Layout {
        int fds[LAYOUT_MAX];
        size_t n;
} Layout;

const char *supervisor_path(void) {
        const char *path = secure_getenv("BERTH_SUPERVISOR");
        return isempty(path) ? BERTH_LIBEXECDIR "/berth-supervisor" : path;
}

static int layout_apply(Layout *l) {
        for (size_t i = 0; i < l->n; i++)
                if (l->fds[i] >= 0) {
                        l->fds[i] = fcntl(l->fds[i], F_DUPFD_CLOEXEC, (int) l->n);
                        if (l->fds[i] < 0)
                                return -errno;
                }
        for (size_t i = 0; i < l->n; i++)
                if (l->fds[i] >= 0) {
                        if (dup2(l->fds[i], (int) i) < 0)
                                return -errno;
                } else if (i >= SUPERVISOR_SPEC_FD)
                        (void) close((int) i); /* may well be closed already */
        return sys_close_range((unsigned) l->n, ~0U, CLOSE_RANGE_CLOEXEC) < 0 ? -errno : 0;
}

/* With pipes the payload gets the caller's standard descriptors as they are. A directory among them would be a way out of the container: its
 * ".." leads on, whatever the payload's root is. Asked without waiting for a file system that does not answer. */
static int stdio_check(const ContainerSpec *spec, const int fds[3], Error *reterr) {
        static const char *const names[] = { "input", "output", "error" };
        struct statx st;

        if (spec->console.mode != CONSOLE_PIPE)
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                if (fds[i] < 0 ||
                    statx(fds[i], "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0 ||
                    !S_ISDIR(st.stx_mode)) /* what is closed becomes /dev/null */
                        continue;
                (void) error_set(reterr, -EISDIR, ERROR_CONSOLE_FAILED,
                                 "The standard %s for '%s' is a directory", names[i], spec->name);
                error_hint(reterr, "a payload could leave its container through it; "
                                   "pass a file, or a directory with --bind=");
                return -EISDIR;
        }
        return 0;
}

static int spec_to_memfd(const ContainerSpec *spec, Error *reterr) {
        _cleanup_free_ char *text = NULL;
        int r = spec_text_print(spec, /* internal= */ true, &text);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                                       "Writing the description of '%s' failed", spec->name);
        size_t size = strlen(text);
        if (size > SPEC_TEXT_MAX)
                return error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED,
                                 "The description of '%s' is larger than %u bytes", spec->name,
                                 SPEC_TEXT_MAX);
        int fd = memfd_new_sealed("berth-spec", text, size);
        if (fd < 0)
                return error_set_errno(reterr, fd, ERROR_SETUP_FAILED,
                                       "Writing the description of '%s' failed", spec->name);
        return fd;
}

static int layout_fill(Layout *l, int spec_fd, int link_fd, int seccomp_fd, const int *extra_fds,
                       size_t n_extra_fds, Error *reterr) {
        if (n_extra_fds > EXTRA_FDS_MAX)
                return error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED,
                                 "More than %u descriptors for one container", EXTRA_FDS_MAX);
        for (size_t i = 0; i < LAYOUT_MAX; i++)
                l->fds[i] = -EBADF;
        l->fds[SUPERVISOR_SPEC_FD] = spec_fd;
        l->fds[SUPERVISOR_LINK_FD] = link_fd;
        l->fds[SUPERVISOR_SECCOMP_FD] = seccomp_fd;
        for (size_t i = 0; i < n_extra_fds; i++)
                l->fds[SUPERVISOR_FIRST_EXTRA_FD + i] = extra_fds[i];
        l->n = SUPERVISOR_FIRST_EXTRA_FD + n_extra_fds;
        return 0;
}

static int exec_error(int code, const char *path, Error *reterr) {
        int r = error_set_errno(reterr, code, ERROR_SETUP_FAILED, "Executing '%s' failed", path);
        error_hint(reterr, "reinstall berth, or set $BERTH_SUPERVISOR to the program's path");
        return r;
}

/* What a caller ignores is no affair of the payload's, and would be inherited. keep_terminal: those that nohup(1), and shells for what
 * runs in the background, have ignored for good reason; the supervisor goes on ignoring them, alone. */
static void reset_signals(bool keep_terminal) {
        for (int n = 1; n < NSIG; n++)
                if (!keep_terminal || !IN_SET(n, SIGHUP, SIGINT, SIGQUIT))
                        (void) signal(n, SIG_DFL); /* fails for those that nobody can ignore */
}

int supervisor_become(const ContainerSpec *spec, int link_fd, int seccomp_fd, const int *extra_fds,
                      size_t n_extra_fds, Error *reterr) {
        const char *path = supervisor_path();
        Layout layout;
        int r = stdio_check(spec, (const int[]){ 0, 1, 2 }, reterr);
        if (r < 0)
                return r;
        _cleanup_close_ int spec_fd = spec_to_memfd(spec, reterr);
        if (spec_fd < 0)
                return spec_fd;
        r = layout_fill(&layout, spec_fd, link_fd, seccomp_fd, extra_fds, n_extra_fds, reterr);
        if (r < 0)
                return r;
        spec_fd = -EBADF; /* from here on numbers are the layout's */
        r = layout_apply(&layout);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                                       "Arranging the descriptors of '%s' failed", spec->name);

        char *argv[] = { (char *) "berth-supervisor", spec->name, NULL };
        reset_signals(/* keep_terminal= */ true);
        execve(path, argv, environ);
        return exec_error(-errno, path, reterr);
}

/* The manager's own service variables are not the supervisor's. */
static int spawn_environment(char ***ret) {
        static const char *const own[] = { "NOTIFY_SOCKET=", "WATCHDOG_USEC=", "WATCHDOG_PID=",
                                           "LISTEN_FDS=",    "LISTEN_PID=",    "LISTEN_FDNAMES=" };
        _cleanup_strv_free_ char **l = NULL;
        STRV_FOREACH(e, environ) {
                bool skip = false;
                for (size_t i = 0; i < ELEMENTSOF(own); i++)
                        skip = skip || startswith(*e, own[i]);
                if (!skip && strv_extend(&l, *e) < 0)
                        return -ENOMEM;
        }
        *ret = l ? TAKE_PTR(l) : strv_copy(NULL);
        return *ret ? 0 : -ENOMEM;
}

/* In the child: never returns. */
static _noreturn_ void spawn_child(Layout *layout, int error_fd, const char *path, const char *name,
                                   char **environment) {
        sigset_t none;
        int r = 0;

        reset_signals(/* keep_terminal= */ false);
        sigemptyset(&none);
        if (sigprocmask(SIG_SETMASK, &none, NULL) < 0 || setsid() < 0)
                r = -errno;

        /* one above the layout, so that it survives layout_apply() */
        int report_fd = fcntl(error_fd, F_DUPFD_CLOEXEC, (int) LAYOUT_MAX);
        if (r >= 0)
                r = layout_apply(layout);
        if (r >= 0) {
                char *argv[] = { (char *) "berth-supervisor", (char *) name, NULL };
                execve(path, argv, environment);
                r = -errno;
        }
        (void) fd_write_full(report_fd, &r, sizeof(r)); /* the exit status says it failed, too */
        _exit(125);
}

int supervisor_spawn(const ContainerSpec *spec, int link_fd, int seccomp_fd, const int *extra_fds,
                     size_t n_extra_fds, const int stdio_fds[3], PidRef *ret, Error *reterr) {
        const char *path = supervisor_path();
        _cleanup_strv_free_ char **environment = NULL;
        int r = stdio_fds ? stdio_check(spec, stdio_fds, reterr) : 0;
        if (r < 0)
                return r;
        _cleanup_close_ int null_fd = -EBADF, spec_fd = spec_to_memfd(spec, reterr);
        if (spec_fd < 0)
                return spec_fd;

        Layout layout;
        r = layout_fill(&layout, spec_fd, link_fd, seccomp_fd, extra_fds, n_extra_fds, reterr);
        if (r < 0)
                return r;
        if (!stdio_fds) {
                null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
                if (null_fd < 0)
                        return error_set_errno(reterr, -errno, ERROR_SETUP_FAILED,
                                               "Opening '/dev/null' failed");
        }
        for (int i = 0; i < 3; i++)
                layout.fds[i] = stdio_fds ? stdio_fds[i] : i < 2 ? null_fd : -EBADF;
        if (spawn_environment(&environment) < 0)
                return error_oom(reterr);

        _cleanup_close_pair_ int error_pipe[2] = PAIR_EBADF;
        if (pipe2(error_pipe, O_CLOEXEC) < 0)
                return error_set_errno(reterr, -errno, ERROR_SETUP_FAILED,
                                       "Starting the supervisor of '%s' failed", spec->name);

        PidRef supervisor = PIDREF_NULL;
        struct clone_args args = {
                .flags = CLONE_PIDFD,
                .pidfd = (uint64_t) (uintptr_t) &supervisor.fd,
                .exit_signal = SIGCHLD,
        };
        supervisor.pid = sys_clone3(&args);
        if (supervisor.pid < 0)
                return error_set_errno(reterr, -errno, ERROR_SETUP_FAILED,
                                       "Starting the supervisor of '%s' failed", spec->name);
        if (supervisor.pid == 0)
                spawn_child(&layout, error_pipe[1], path, spec->name, environment);

        error_pipe[1] = fd_close(error_pipe[1]);
        int code;
        if (fd_read_full(error_pipe[0], &code, sizeof(code)) >= 0) {
                siginfo_t status;
                (void) pidref_wait(&supervisor, /* block= */ true,
                                   &status); /* it is ending; only reaped here */
                pidref_done(&supervisor);
                return exec_error(code, path, reterr);
        }
        *ret = supervisor;
        return 0;
}
