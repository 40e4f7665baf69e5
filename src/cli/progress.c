/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How far a copy is, on a terminal: a process that shows what comes through a pipe. */
#include "cli/progress.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/time.h"
#include "sys/syscalls.h"

#define SHOW_AFTER_USEC USEC_PER_SEC /* a copy that is done by then shows nothing */

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

void progress_start(bool quiet, PidRef *ret, int *ret_fd) {
        struct clone_args args = { .flags = CLONE_PIDFD,
                                   .pidfd = (uint64_t) (uintptr_t) &ret->fd,
                                   .exit_signal = SIGCHLD };
        _cleanup_close_pair_ int p[2] = PAIR_EBADF;
        if (quiet || !isatty(STDERR_FILENO) || pipe2(p, O_CLOEXEC) < 0)
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

void progress_end(PidRef *p) {
        siginfo_t si;
        if (!pidref_is_set(p))
                return;
        /* the pipe ends with who copies, who may be at it still when we have given up */
        (void) pidref_kill(p, SIGTERM);
        (void) pidref_wait(p, true, &si); /* at once, after SIGTERM */
        pidref_done(p);
        (void) fputs("\r\x1b[K", stderr);
}
