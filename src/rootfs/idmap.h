/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the other files of this folder need of the container's ids.
 *
 * Files that berth makes for a container with a user namespace belong to the container's root. In an idmapped mount nobody
 * else can make files (the kernel says EOVERFLOW to ids without a mapping), so they are made *as* the container's root: the
 * file-system ids are changed for a while, the capabilities kept. */
#pragma once

#include "rootfs/rootfs.h"

/* True if ids on disk and ids of the payload's processes differ for the host's kernel. */
static inline bool idmap_shifts(const Rootfs *r) {
        return r->map.count > 0 && r->map.outside != r->map.inside;
}

/* The user namespace that holds the container's map, made on first use. Borrowed. */
int idmap_holder(Rootfs *r, Error *reterr);
/* The error for a mount that cannot be idmapped. what: "the root directory '/x'", object_fd: something on its file system. */
int idmap_error(int code, int object_fd, const char *what, Error *reterr);
/* "ext4", "tmpfs", or a number, of the file system that fd is on. */
const char *file_system_name(int fd, char buf[static 24]);

/* Between the two, files are made by the container's root. No-op without shifted ids. */
int make_files_begin(const Rootfs *r, Error *reterr);
void make_files_end(const Rootfs **r);
#define _cleanup_make_files_ _unused_ _cleanup_(make_files_end)
