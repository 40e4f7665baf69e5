/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Roots that are stacks of layers, systemd.mstack(7): a directory whose entries say by their names what becomes of them.
 *
 *   layer@ID/ (layer@ID.v/)   a layer that nobody changes; the lowest has the smallest ID, as versions go
 *   rw/                       takes the changes, in rw/data; rw/work is overlayfs' own
 *   root/                     the root; of the layers only /usr is seen
 *   bind@WHERE/ robind@WHERE/ a directory at this place, with "-" for "/" as in names of units */
#pragma once

#include "rootfs/rootfs.h"

#define MSTACK_BINDS_MAX 256U

typedef struct MstackBind {
        char *where; /* absolute, normalised */
        int fd;      /* O_PATH */
        bool read_only;
} MstackBind;

struct Mstack {
        char **layers;     /* absolute paths without links, from the lowest */
        char *upper;       /* rw/, likewise; NULL: nothing takes changes */
        int root_fd;       /* root/, O_PATH */
        MstackBind *binds; /* the outer ones first */
        size_t n_binds;
};

/* Reads spec->root.mstack, at directory_fd. What is in it and has none of these names is an error: ERROR_NOT_A_ROOT; disk images: ERROR_UNSUPPORTED. */
int mstack_read(const ContainerSpec *spec, int directory_fd, Mstack **ret, Error *reterr);
Mstack *mstack_free(Mstack *m);
/* Can something be changed in it? */
bool mstack_is_written(const Mstack *m);
/* Mounts it on r->directory_fd, and sets r->root_fd. */
int mstack_attach(const ContainerSpec *spec, Rootfs *r, Error *reterr);
