/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Showing progress. */
#include "cli/progress.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/time.h"
#include "sys/syscalls.h"

#define SHOW_AFTER_USEC USEC_PER_SEC /* what is done by then shows nothing */
#define BAR_WIDTH 20U

static const char *unit_of(double *n) {
        static const char *const units[] = { "B", "K", "M", "G", "T", "P" };
        size_t i = 0;
        for (; *n >= 1000 && i + 1 < ELEMENTSOF(units); i++)
                *n /= 1024;
        return units[i];
}

static void show_bar(uint64_t done, uint64_t total) {
        char bar[BAR_WIDTH + 1];
        const uint64_t part = MIN(done, total);
        const size_t filled = (size_t) ((double) part / (double) total * BAR_WIDTH);
        for (size_t i = 0; i < BAR_WIDTH; i++)
                bar[i] = i < filled ? '#' : '.';
        bar[BAR_WIDTH] = '\0';
        (void) fprintf(stderr, "[%s] %3.0f%%, ", bar, (double) part / (double) total * 100);
}

static void show(uint64_t files, uint64_t bytes, uint64_t done, uint64_t total, usec_t took) {
        double size = (double) bytes, speed = (double) bytes * 1e6 / (double) took;
        const char *size_unit = unit_of(&size), *speed_unit = unit_of(&speed);
        (void) fputc('\r', stderr);
        if (total > 0)
                show_bar(done, total);
        if (files > 0)
                (void) fprintf(stderr, "%" PRIu64 " files, ", files);
        (void) fprintf(stderr, "%.1f%s, %.1f%s/s", size, size_unit, speed, speed_unit);
        if (total > done && done > 0) { /* as fast as it was until now */
                const double left = (double) (total - done) / (double) done * (double) took / 1e6;
                const unsigned seconds = left < 1e6 ? (unsigned) left : 1000000U;
                (void) fprintf(stderr, ", %u:%02u left", seconds / 60, seconds % 60);
        }
        (void) fputs("\x1b[K", stderr);
}

static _noreturn_ void show_progress(int fd, int position_fd) {
        usec_t begin = now_usec(CLOCK_MONOTONIC);
        uint64_t before = 0;
        bool shown = false;
        FILE *f = fdopen(fd, "re");
        char line[128];
        while (f && fgets(line, sizeof(line), f)) {
                const usec_t now = now_usec(CLOCK_MONOTONIC);
                uint64_t files, bytes, total = 0;
                struct stat st;
                if (sscanf(line, "%" SCNu64 " %" SCNu64 " %" SCNu64, &files, &bytes, &total) < 2)
                        continue;
                if (bytes < before) /* something else: what was downloaded is unpacked now */
                        begin = now;
                before = bytes;
                if (now - begin < SHOW_AFTER_USEC)
                        continue;
                uint64_t done = bytes;
                const off_t at = position_fd < 0 ? -1 : lseek(position_fd, 0, SEEK_CUR);
                if (total == 0 && at >= 0 && fstat(position_fd, &st) == 0 && S_ISREG(st.st_mode)) {
                        done = (uint64_t) at;
                        total = (uint64_t) st.st_size;
                }
                show(files, bytes, done, total, now - begin);
                shown = true;
        }
        if (shown)
                (void) fputs("\r\x1b[K", stderr);
        _exit(EXIT_SUCCESS);
}

void progress_start_of(bool quiet, int position_fd, PidRef *ret, int *ret_fd) {
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
                show_progress(TAKE_FD(p[0]), position_fd);
        }
        if (ret->pid > 0)
                *ret_fd = TAKE_FD(p[1]);
}

void progress_start(bool quiet, PidRef *ret, int *ret_fd) {
        progress_start_of(quiet, -EBADF, ret, ret_fd);
}

void progress_end(PidRef *p) {
        siginfo_t si;
        if (!pidref_is_set(p))
                return;
        /* the pipe ends with who does it, who may be at it still when we have given up */
        (void) pidref_kill(p, SIGKILL);
        (void) pidref_wait(p, true, &si); /* at once, after SIGKILL */
        pidref_done(p);
        (void) fputs("\r\x1b[K", stderr);
}
