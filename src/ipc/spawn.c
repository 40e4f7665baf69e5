/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Becoming a supervisor.
 *
 * Sequence: spec text into a sealed memfd; all descriptors to pass are first duplicated above the fixed numbers, then
 * dup2()ed into their places (so their old numbers do not matter); close_range(CLOEXEC) above; execve(). */
#include "ipc/spawn.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "ipc/spawner.h"
#include "spec/spec-text.h"
#include "sys/syscalls.h"

#define EXTRA_FDS_MAX 64U
#define LAYOUT_MAX (SUPERVISOR_FIRST_EXTRA_FD + EXTRA_FDS_MAX)

/* What descriptor number i shall be. -EBADF: closed, or, below 3, left as it is. */
typedef struct Layout {
        int fds[LAYOUT_MAX];
        size_t n;
} Layout;

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

/* What a caller ignores is no affair of the payload's, and would be inherited. Those that nohup(1), and shells for what runs in the
 * background, have ignored for good reason: the supervisor goes on ignoring them, alone. */
static void reset_signals(void) {
        for (int n = 1; n < NSIG; n++)
                if (!IN_SET(n, SIGHUP, SIGINT, SIGQUIT))
                        (void) signal(n, SIG_DFL); /* fails for those that nobody can ignore */
}

int supervisor_describe(const ContainerSpec *spec, const int stdio_fds[3], Error *reterr) {
        int r = stdio_fds ? stdio_check(spec, stdio_fds, reterr) : 0;
        return r < 0 ? r : spec_to_memfd(spec, reterr);
}

int supervisor_become(const ContainerSpec *spec, int link_fd, int seccomp_fd, const int *extra_fds,
                      size_t n_extra_fds, Error *reterr) {
        const char *path = supervisor_path();
        Layout layout = { 0 };
        _cleanup_close_ int spec_fd = supervisor_describe(spec, (const int[]){ 0, 1, 2 }, reterr);
        if (spec_fd < 0)
                return spec_fd;
        int r = layout_fill(&layout, spec_fd, link_fd, seccomp_fd, extra_fds, n_extra_fds, reterr);
        if (r < 0)
                return r;
        spec_fd = -EBADF; /* from here on numbers are the layout's */
        r = layout_apply(&layout);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                                       "Arranging the descriptors of '%s' failed", spec->name);

        char *argv[] = { (char *) "berth-supervisor", spec->name, NULL };
        reset_signals();
        execve(path, argv, environ);
        return exec_error(-errno, path, reterr);
}
