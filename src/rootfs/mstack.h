/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Roots that are stacks of layers, systemd.mstack(7): a directory whose entries say by their names what becomes of them.
 *
 *   layer@ID/                 a layer that nobody changes; the lowest has the smallest ID, as versions go
 *   rw/                       takes the changes, in rw/data; rw/work is overlayfs' own
 *   root/                     the root; of the layers only /usr is seen
 *   bind@WHERE/ robind@WHERE/ a directory at this place, with "-" for "/" as in names of units
 *
 * With ".raw" at its end each is a disk image instead; with ".v" there are versions of it. */
#pragma once

#include "rootfs/rootfs.h"

#define MSTACK_BINDS_MAX 256U
#define MSTACK_LAYERS_MAX 256U /* each is a descriptor or two */

typedef struct MstackLayer {
        char *id, *path; /* absolute, without links */
        int fd;          /* O_PATH */
        int lock_fd;
} MstackLayer;

typedef struct MstackBind {
        char *where; /* absolute, normalised */
        int fd;      /* O_PATH */
        bool read_only;
} MstackBind;

struct Mstack {
        MstackLayer *layers; /* from the lowest */
        size_t n_layers;
        char *upper; /* rw/, absolute, without links; NULL: nothing takes changes */
        int upper_fd, upper_lock_fd;
        int root_fd, root_lock_fd; /* root/, O_PATH */
        MstackBind *binds;         /* the outer ones first */
        size_t n_binds;
};

/* Reads spec->root.mstack, at directory_fd; of disk images in it what a worker has mounted (spec->root.fd) is at DISK_MOUNT_POINT already. What is in it
 * and has none of these names is an error: ERROR_NOT_A_ROOT. */
int mstack_read(const ContainerSpec *spec, int directory_fd, Mstack **ret, Error *reterr);
Mstack *mstack_free(Mstack *m);
/* Holds what it is made of, as others hold the root directories of containers: ERROR_ROOT_BUSY. */
int mstack_lock(const ContainerSpec *spec, Mstack *m, Error *reterr);
/* Can something be changed in it? */
bool mstack_is_written(const Mstack *m);
/* Mounts it on r->directory_fd, and sets r->root_fd. */
int mstack_attach(const ContainerSpec *spec, Rootfs *r, Error *reterr);
