/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The mounts of a disk image for a container that lives in the caller's unit: that unit may not open block devices (its payload must not either),
 * so that systemd executes the berth-worker, in a service of its own. */
#pragma once

#include <systemd/sd-bus.h>

#include "image/disk-attach.h"

/* disk_attach() in another unit. Blocking; for programs that may wait. */
int disk_attach_in_service(sd_bus *bus, const ContainerSpec *spec, const Secret *key, DiskTree *ret,
                           Error *reterr);
