/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* berth-spawner: executes supervisors and workers for berthd, which cannot: its sandbox would be theirs.
 *
 * It has no bus, no parser, no state and no library but libc. It takes requests of fixed size (ipc/spawner.h) from berthd alone, and
 * waits for nobody: who it has started is watched by berthd, with the pidfd of the answer, and buried by the kernel. */
#pragma once

#include "ipc/spawner.h"

/* Clones and executes. The child waits until hold_fd (the reading end of a pipe) ends, so that berthd knows of it before it can make
 * itself known. fds: by place, borrowed. What fails later is told over the program's own link. */
int spawner_execute(const SpawnRequest *q, const int fds[static SPAWN_PLACES_MAX], int hold_fd,
                    PidRef *ret);

/* Serves. socket_fd: listens, then only berthd.service may connect, and it ends after a minute without a client and children; or is
 * connected, then it ends with that. */
int spawner_serve(int socket_fd, Error *reterr);

/* Is this process in unit berthd.service of the same slice as ours? 1, 0, negative errno. */
int spawner_is_manager(pid_t pid);
