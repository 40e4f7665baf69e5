/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Supervisor ↔ child, over a SEQPACKET pair: the supervisor sends one GO byte when maps and cgroup are ready; the child sends
 * one StageReport if an operation of its plan fails; the end of the stream means that exec succeeded (the child's end is
 * close-on-exec). The child needs no words: the index of the operation is enough, the supervisor has the plan. */
#pragma once

#include "basic/macros.h"

typedef struct StageReport {
        uint32_t op;   /* index into the child's plan */
        int32_t error; /* positive errno */
} StageReport;

int sync_pair(int *ret_supervisor, int *ret_child);
/* hold: a second GO follows, which the payload waits for. */
int sync_go(int supervisor_fd, bool hold);
/* In the child. 0; 1: GO with hold; -EPIPE when the supervisor is gone. No allocation. */
int sync_wait_go(int child_fd);
void sync_report(int child_fd, uint32_t op, int error);
/* 0: exec succeeded; 1: *ret is filled; < 0: the channel broke. */
int sync_wait_exec(int supervisor_fd, StageReport *ret);
