/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A process, held: a PidRef never names another process later, which a bare pid_t does.
 *
 * States: unset (PIDREF_NULL), held (pid > 0 and fd >= 0). The number is for display and for /proc only. */
#pragma once

#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>

#include "basic/macros.h"

typedef struct PidRef {
        pid_t pid;
        int fd; /* pidfd, owned */
} PidRef;
#define PIDREF_NULL \
        { .fd = -EBADF }

static inline bool pidref_is_set(const PidRef *p) {
        return p && p->pid > 0 && p->fd >= 0;
}
int pidref_open(pid_t pid, PidRef *ret); /* -ESRCH if it is gone */
/* The number that /proc has for the process: another one than clone3(2) gave, where /proc is of another PID namespace than ours. -ESRCH:
 * gone, or not to be seen there. */
int pidfd_number(int fd, pid_t *ret);
int pidref_take_fd(
        int *fd,
        PidRef *ret); /* takes a pidfd (on success only); pid from /proc/self/fdinfo; -ESRCH: gone, or not
                                                  * of our PID namespace; -EBADF: no pidfd */
void pidref_done(PidRef *p);
int pidref_kill(const PidRef *p, int sig);
/* Reaps a child: 1 and *ret when it has ended, 0 if it still runs and block is false. */
int pidref_wait(const PidRef *p, bool block, siginfo_t *ret);
bool pidref_is_alive(const PidRef *p); /* POLLIN on the pidfd means: ended */
/* It has ended, or is on its way out: it has no files and no namespaces any more, or will soon have none. A first process of a PID namespace
 * is so for as long as it takes the others in it to end. */
bool pidref_is_ending(const PidRef *p);
