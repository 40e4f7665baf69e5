/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the other files of this folder need of the container's ids. */
#pragma once

#include "rootfs/rootfs.h"

/* True if ids on disk and ids of the payload's processes differ for the host's kernel. */
static inline bool idmap_shifts(const Rootfs *r) {
        return r->map.count > 0 && r->map.outside != r->map.inside;
}

/* The payload's ids must have a mapping. */
int rootfs_check_user(const Rootfs *r, Error *reterr);
/* The user namespace that holds the container's map, made on first use. Borrowed. */
int idmap_holder(Rootfs *r, Error *reterr);
/* The error for a mount that cannot be idmapped. what: "the root directory '/x'", object_fd: something on its file system. */
int idmap_error(int code, int object_fd, const char *what, Error *reterr);
/* "ext4", "tmpfs", or a number, of the file system that fd is on. */
const char *file_system_name(int fd, char buf[static 24]);
