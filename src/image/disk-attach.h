/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A disk image made ready for a container, by a berth-worker: for those who start one, and may wait. */
#pragma once

#include "basic/error.h"
#include "image/disk-key.h"
#include "spec/spec.h"
#include "sys/secret.h"

typedef struct DiskTree {
        int tree_fd;    /* the mounts, detached */
        int lock_fd;    /* holds the image's lock */
        bool read_only; /* it cannot be written, whatever was asked for */
        bool usr_only;  /* its root has nothing but usr */
} DiskTree;
#define DISK_TREE_NULL \
        { .tree_fd = -EBADF, .lock_fd = -EBADF }
void disk_tree_done(DiskTree *t);
/* Is there a disk image to be mounted: the root, or in the stack of layers? Reads the stack's directory. */
bool disk_is_wanted(const ContainerSpec *spec);
/* The container's root is this tree, whose descriptors will be the supervisor's first extra ones. */
void disk_tree_describe(const DiskTree *t, ContainerSpec *spec);

/* The same in parts, for who has the worker executed in another way: the request for WORKER_REQUEST_FD, and its answer; -EAGAIN: not yet. key: NULL, or
 * sealed; it is sent on link_fd, our end of the link, and stays the caller's. Answers are a DiskUnlock; *ret is only there with DISK_UNLOCKED. */
int disk_request_new(const ContainerSpec *spec, const Secret *key, int link_fd, int *ret_fd,
                     Error *reterr);
int disk_read_answer(const char *image, int link_fd, DiskTree *ret, Error *reterr);

/* The link is non-blocking. Waits for a minute at most. */
int disk_wait_answer(const char *image, int link_fd, DiskTree *ret, Error *reterr);

/* Of spec->root.image, or of those in spec->root.mstack. Waits for a minute at most. A DiskUnlock. ERROR_ROOT_BUSY: another container has it. */
int disk_attach(const ContainerSpec *spec, const Secret *key, DiskTree *ret, Error *reterr);
