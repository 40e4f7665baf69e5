/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between this terminal (or whatever standard input, output and error are) and a program in a container. */
#pragma once

#include "basic/error.h"
#include "basic/macros.h"

typedef enum ForwardEnd {
        FORWARD_EXITED,  /* status: its exit status */
        FORWARD_KILLED,  /* status: the signal */
        FORWARD_TIMEOUT, /* it had run for too long */
        FORWARD_LOST, /* nobody tells how it ended: a session of the container's systemd, or the container is gone */
        FORWARD_DETACHED, /* ^] three times, or a signal where there is no program to pass it to */
        FORWARD_CLOSED,   /* the console was closed */
} ForwardEnd;

typedef struct Forward {
        int status_fd; /* see manager1-operation.h; -EBADF: of a console, which has no end but its own */
        int terminal_fd; /* master of the program's terminal, or a console's socket, or -EBADF */
        int size_fd;     /* where the terminal's size is set; -EBADF: at terminal_fd */
        int pipe_fds
                [3]; /* our ends of the program's pipes, -EBADF for those that it was given itself; closed here */
        const char *name; /* of the container */
} Forward;

/* Until the program has ended and all that it wrote is written. The terminal is raw meanwhile, if the program has one, and what is
 * changed is restored. Signals that would end us go to the program instead. */
int forward_run(Forward *f, ForwardEnd *ret_end, int *ret_status, Error *reterr);
