/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The child: everything between clone3() and execve().
 *
 * It executes a plan and knows nothing else. No malloc, stdio, environment, NSS, locale or words here: tools/check-child-symbols
 * holds child*.o and stub-init.o to that. */
#pragma once

#include "rootfs/plan.h"

/* Waits for GO on sync_fd, then runs the plan, whose last operation is CHILD_OP_EXEC. The working directory is the root's mount.
 * supervisor_fd, a copy of the other end, is closed first: the end of the stream then means that the supervisor is gone.
 * Never returns: execs, or reports the failed operation's index on sync_fd and exits. */
_Noreturn void child_main(const ChildPlan *plan, int sync_fd, int supervisor_fd);

/* PID 1 of a container started with --as-pid2: reaps, forwards the signals that mean "stop" and "reboot", and ends as `payload` (PID 2)
 * does. Never returns. */
_Noreturn void stub_init(pid_t payload);
/* What the operation says, before the payload runs. */
int stub_init_confine(const ChildOp *op);
