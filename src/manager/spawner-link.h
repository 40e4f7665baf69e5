/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The manager's connection to the spawner, which executes supervisors and workers outside of the manager's sandbox.
 *
 * A spawner of systemd's (berth-spawner.socket) is connected to at once, and again when it has ended and is needed. A manager that is no
 * service of systemd's has one of its own, which ends with it. */
#pragma once

#include <systemd/sd-event.h>

#include "basic/time.h"
#include "ipc/spawner.h"

#define SPAWNS_MAX 4096U /* that are not answered yet */

typedef struct SpawnerLink SpawnerLink;
typedef struct Spawn Spawn; /* a process that is being started */

/* process: the callee's to take (it is killed if it does not), or NULL and why there is none. Called once, from the event loop; *ret of
 * spawn_start() is not valid any more. What comes from the process itself comes later. A spawner that has not answered after 20 s
 * is waited for no more: ERROR_TIMEOUT. */
typedef void (*SpawnDone)(PidRef *process, const Error *e, void *userdata);

/* path: of the spawner's socket (copied); NULL: one of our own. */
int spawner_link_new(sd_event *event, const char *path, SpawnerLink **ret, Error *reterr);
/* Another limit than 20 s, for what is started from now on; for tests. */
void spawner_link_set_timeout(SpawnerLink *l, usec_t timeout_usec);
SpawnerLink *spawner_link_free(SpawnerLink *l); /* done is not called for what is open */
DEFINE_TRIVIAL_CLEANUP_FUNC(SpawnerLink *, spawner_link_free)

/* fds: by place, -EBADF: none; borrowed. what: for error sentences, "Starting a worker failed". */
int spawn_start(SpawnerLink *l, SpawnProgram program, const char *name,
                const int fds[static SPAWN_PLACES_MAX], const char *what, SpawnDone done,
                void *userdata, Spawn **ret, Error *reterr);
/* Nobody wants it any more: it is killed as soon as it is known; done is not called. */
Spawn *spawn_cancel(Spawn *s);
