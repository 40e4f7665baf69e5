/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The mounts of a disk image for a container that is being created: made by a berth-worker, which the spawner executes. */
#pragma once

#include "image/disk-attach.h"
#include "manager/spawner-link.h"
#include "spec/spec.h"

typedef struct DiskWorker DiskWorker;

/* tree: its contents are the callee's to take; e: NULL, or why there is none. */
typedef void (*DiskDone)(DiskTree *tree, const Error *e, void *userdata);

/* Of spec->root.image, or of those in spec->root.mstack. done is called once, from the event loop; the worker frees itself before. */
int disk_worker_start(sd_event *event, SpawnerLink *spawner, const ContainerSpec *spec,
                      DiskDone done, void *userdata, DiskWorker **ret, Error *reterr);
/* Gives up: done is not called, and the process is killed. */
DiskWorker *disk_worker_free(DiskWorker *w);
