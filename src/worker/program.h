/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program of the container, and who waits for it; see program.c. */
#pragma once

#include "worker/worker.h"

typedef struct Program {
        char *seccomp; /* the filter's bytes, or NULL */
        size_t seccomp_size;
} Program;

/* What only the host has: the filter, usual limits. Before joining. */
int program_prepare(Worker *w, Program *p, Error *reterr);
void program_done(Program *p);
/* Starts it, answers, and waits for its end. */
int program_start(Worker *w, const Program *p, Error *reterr);
/* Waits for the end and tells it; ends the program when nobody listens, or its time is over. */
int program_watch(const Worker *w, const PidRef *program, int status_fd);
