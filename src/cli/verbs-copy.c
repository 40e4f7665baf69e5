/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs that copy: copy-to and copy-from, and what a terminal shows meanwhile. */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "bus/bus.h"
#include "bus/manager1-operation.h"
#include "cli/verbs.h"
#include "ipc/worker.h"
#include "sys/pidfd.h"
#include "sys/syscalls.h"

#define SHOW_AFTER_USEC USEC_PER_SEC /* a copy that is done by then shows nothing */

/* ---- progress ---- */

static void show(uint64_t files, uint64_t bytes, usec_t took) {
        static const char *const units[] = { "B", "K", "M", "G", "T", "P" };
        double size = (double) bytes, speed = (double) bytes * 1e6 / (double) took;
        size_t i = 0, k = 0;
        for (; size >= 1000 && i + 1 < ELEMENTSOF(units); i++)
                size /= 1024;
        for (; speed >= 1000 && k + 1 < ELEMENTSOF(units); k++)
                speed /= 1024;
        (void) fprintf(stderr, "\r%" PRIu64 " files, %.1f%s, %.1f%s/s\x1b[K", files, size, units[i],
                       speed, units[k]);
}

/* A process that shows what comes through the pipe, until that ends. */
static _noreturn_ void show_progress(int fd) {
        const usec_t begin = now_usec(CLOCK_MONOTONIC);
        bool shown = false;
        FILE *f = fdopen(fd, "re");
        uint64_t files, bytes;
        while (f && fscanf(f, "%" SCNu64 " %" SCNu64, &files, &bytes) == 2) {
                const usec_t took = now_usec(CLOCK_MONOTONIC) - begin;
                if (took < SHOW_AFTER_USEC)
                        continue;
                show(files, bytes, took);
                shown = true;
        }
        if (shown)
                (void) fputs("\r\x1b[K", stderr);
        _exit(EXIT_SUCCESS);
}

/* *ret_fd: for who copies. Without it a copy is a copy, too. */
static void start_progress(const Invocation *v, PidRef *ret, int *ret_fd) {
        struct clone_args args = { .flags = CLONE_PIDFD,
                                   .pidfd = (uint64_t) (uintptr_t) &ret->fd,
                                   .exit_signal = SIGCHLD };
        _cleanup_close_pair_ int p[2] = PAIR_EBADF;
        if (v->options.quiet || !isatty(STDERR_FILENO) || pipe2(p, O_CLOEXEC) < 0)
                return;
        ret->pid = sys_clone3(&args);
        if (ret->pid == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                p[1] = fd_close(p[1]);
                show_progress(TAKE_FD(p[0]));
        }
        if (ret->pid > 0)
                *ret_fd = TAKE_FD(p[1]);
}

static void end_progress(PidRef *p) {
        siginfo_t si;
        if (!pidref_is_set(p))
                return;
        /* the pipe ends with who copies, who may be at it still when we have given up */
        (void) pidref_kill(p, SIGTERM);
        (void) pidref_wait(p, true, &si); /* at once, after SIGTERM */
        pidref_done(p);
        (void) fputs("\r\x1b[K", stderr);
}

/* ---- copies ---- */

/* The manager does not know where we are. */
static int absolute_path(const char *path, char **ret, Error *reterr) {
        _cleanup_free_ char *cwd = NULL;
        if (path_is_absolute(path))
                *ret = strdup(path);
        else {
                cwd = getcwd(NULL, 0);
                if (!cwd)
                        return error_set_errno(reterr, -errno, ERROR_FAILED,
                                               "The working directory is not known");
                *ret = path_join(cwd, path);
        }
        return *ret ? 0 : error_oom(reterr);
}

/* "-": a tar archive on standard input or output. */
static int take_archive(bool to_container, int *ret, Error *reterr) {
        const int fd = to_container ? STDIN_FILENO : STDOUT_FILENO;
        if (isatty(fd)) {
                int r = error_set(reterr, -EINVAL, ERROR_USAGE,
                                  "There is no archive on a terminal");
                error_hint(reterr, to_container
                                           ? "tar c DIRECTORY | berth copy-to NAME - DESTINATION"
                                           : "berth copy-from NAME SOURCE - | tar x");
                return r;
        }
        *ret = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return *ret < 0
                       ? error_set_errno(reterr, -errno, ERROR_FAILED, "Passing the archive failed")
                       : 0;
}

static int copy(const Invocation *v, bool to_container, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        _cleanup_free_ char *path = NULL;
        const char *source = v->arguments[1], *destination = v->arguments[2],
                   *host = to_container ? source : destination;
        CopyCall call = { .to_container = to_container,
                          .name = v->arguments[0],
                          .source = source,
                          .destination = destination,
                          .flags = v->options.force ? OPERATION_REPLACE : 0,
                          .archive_fd = -EBADF,
                          .progress_fd = -EBADF };
        const bool archive = host && streq(host, "-");
        if (archive && !destination)
                return error_set(reterr, -EINVAL, ERROR_USAGE,
                                 "Where the archive's files go in the container is not said");
        int r = verb_refuse_remote(v, "files of both systems would be mixed up", reterr);
        if (r < 0)
                return r;
        r = archive         ? take_archive(to_container, &call.archive_fd, reterr)
            : isempty(host) ? 0
                            : absolute_path(host, &path, reterr);
        if (to_container)
                call.source = path;
        else
                call.destination = path;
        if (r >= 0)
                r = verb_connect(v, &bus, reterr);
        if (r < 0) {
                fd_close(call.archive_fd);
                return r;
        }
        PidRef progress = PIDREF_NULL;
        start_progress(v, &progress, &call.progress_fd);
        r = manager1_copy(bus, &call, reterr);
        end_progress(&progress);
        return r;
}

int verb_copy_to(const Invocation *v, Error *reterr) {
        return copy(v, /* to_container= */ true, reterr);
}

int verb_copy_from(const Invocation *v, Error *reterr) {
        return copy(v, /* to_container= */ false, reterr);
}
