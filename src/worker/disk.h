/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A disk image made into a tree, for the operations that hand it over. */
#pragma once

#include <sys/stat.h>

#include "image/disk-key.h"
#include "image/disk-verity.h"
#include "sys/secret.h"
#include "worker/worker.h"

typedef struct Disk {
        const char *path; /* of the request, for sentences too */
        int path_fd;      /* what is there (O_PATH), borrowed; -EBADF: it is opened */
        int fd, lock_fd, tree_fd;
        struct stat st;
        bool read_only; /* as asked for, or because it cannot be written */
        bool root_only; /* no other partition is mounted; without one for the root it is an error */
        bool usr_only;  /* ret: it has /usr alone */
} Disk;
#define DISK_NULL \
        { .path_fd = -EBADF, .fd = -EBADF, .lock_fd = -EBADF, .tree_fd = -EBADF }
void disk_done(Disk *d);

/* Where mounts can be made that nobody else sees; once, before disk_make(). */
int disk_enter_mount_namespace(Error *reterr);
/* Opens it, locks it, looks at it, and mounts it: fills in the descriptors. own_name: of the container that it is for. key: of what is encrypted;
 * NULL: none was given. A DiskUnlock. */
int disk_make(Disk *d, const char *own_name, const DiskSettings *settings, const Secret *key,
              Error *reterr);

/* The key that came with the request; without one *ret stays as it is. */
int disk_receive_key(const Worker *w, Secret *ret, Error *reterr);
/* DISK_NO_KEY or DISK_WRONG_KEY as the answer. Locks that are held are released before, for who asked tries again. */
int disk_answer_locked(DiskUnlock outcome, Error *reterr);
