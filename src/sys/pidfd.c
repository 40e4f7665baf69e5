/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A process, held by its pidfd.
 *
 * Calls: pidfd_open(2), pidfd_send_signal(2), waitid(P_PIDFD) (Linux 5.4), poll for "ended"; the number behind a foreign
 * pidfd is the "Pid:" line of /proc/self/fdinfo/FD (-1: reaped, 0: not in our PID namespace); "is ending" is PF_EXITING in the flags
 * of /proc/PID/stat (include/linux/sched.h), which everybody may read. */
#include "sys/pidfd.h"

#include <poll.h>
#include <stdio.h>
#include <sys/pidfd.h>

#include "basic/fd.h"
#include "basic/parse.h"
#include "basic/str.h"

#define FDINFO_MAX 4096
#define STAT_MAX 4096
#define PROC_EXITING 0x00000004U /* PF_EXITING */

int pidref_open(pid_t pid, PidRef *ret) {
        if (pid <= 0)
                return -ESRCH;
        int fd = pidfd_open(pid, 0); /* close-on-exec by itself */
        if (fd < 0)
                return -errno;
        *ret = (PidRef){ .pid = pid, .fd = fd };
        return 0;
}

int pidfd_number(int fd, pid_t *ret) {
        _cleanup_free_ char *text = NULL;
        char path[STRLEN("/proc/self/fdinfo/") + 12];
        pid_t pid;

        snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
        int r = file_read_all(AT_FDCWD, path, FDINFO_MAX, &text, NULL);
        if (r < 0)
                return r == -ENOENT ? -EBADF : r;
        char *p = strstr(text, "\nPid:\t");
        if (!p)
                return -EBADF; /* some other descriptor */
        p += STRLEN("\nPid:\t");
        p[strcspn(p, "\n")] = '\0';
        if (parse_pid(p, &pid) < 0)
                return -ESRCH;
        *ret = pid;
        return 0;
}

int pidref_take_fd(int *fd, PidRef *ret) {
        pid_t pid;

        int r = pidfd_number(*fd, &pid);
        if (r < 0)
                return r;
        *ret = (PidRef){ .pid = pid, .fd = TAKE_FD(*fd) };
        return 0;
}

void pidref_done(PidRef *p) {
        if (!p)
                return;
        fd_close(p->fd);
        *p = (PidRef) PIDREF_NULL;
}

int pidref_kill(const PidRef *p, int sig) {
        if (!pidref_is_set(p))
                return -ESRCH;
        return pidfd_send_signal(p->fd, sig, NULL, 0) < 0 ? -errno : 0;
}

int pidref_wait(const PidRef *p, bool block, siginfo_t *ret) {
        siginfo_t si = { 0 };

        if (!pidref_is_set(p))
                return -ESRCH;
        while (waitid(P_PIDFD, (id_t) p->fd, &si, WEXITED | __WALL | (block ? 0 : WNOHANG)) < 0)
                if (errno != EINTR)
                        return -errno;
        if (si.si_pid == 0)
                return 0;
        if (ret)
                *ret = si;
        return 1;
}

bool pidref_is_alive(const PidRef *p) {
        struct pollfd pfd = { .fd = p ? p->fd : -EBADF, .events = POLLIN };

        return pidref_is_set(p) && poll(&pfd, 1, 0) == 0;
}

bool pidref_is_ending(const PidRef *p) {
        _cleanup_free_ char *text = NULL;
        char path[STRLEN("/proc//stat") + 12];
        unsigned flags = 0;

        if (!pidref_is_alive(p))
                return true;
        snprintf(path, sizeof(path), "/proc/%d/stat", p->pid);
        int r = file_read_all(AT_FDCWD, path, STAT_MAX, &text, NULL);
        /* the name may have any character in it: what follows the last parenthesis is proc_pid_stat(5) from the state on */
        const char *state = r < 0 ? NULL : strrchr(text, ')');
        if (state)
                (void) sscanf(state, ") %*c %*d %*d %*d %*d %*d %u", &flags); /* else 0 */
        return (flags & PROC_EXITING) != 0 || !pidref_is_alive(p);
}
