/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Overlay= and OverlayReadOnly=: the file system, for user-mounts.c to attach. */
#pragma once

#include "rootfs/rootfs.h"

/* Returns a detached mount. Its ids are the container's: layers of the host are id-mapped as the root directory would be. A writable one's scratch
 * directory and lock are in r->overlay_works. */
int overlay_mount_make(const ContainerSpec *spec, const SpecMount *m, Rootfs *r, Error *reterr);
typedef struct OverlayLayer {
        const char *name; /* for sentences */
        int fd;           /* O_PATH; borrowed */
} OverlayLayer;
/* The root of a stack of layers (rootfs/mstack.h), from the lowest; the scratch directory of the last one is "work" beside it. */
int overlay_root_make(const ContainerSpec *spec, const OverlayLayer *layers, size_t n_layers,
                      bool read_only, Rootfs *r, Error *reterr);
/* Removes the scratch directories, as far as we may, and lets go of the locks. */
void overlay_works_done(Rootfs *r);
