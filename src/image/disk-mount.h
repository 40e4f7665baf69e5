/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file systems of a disk, as one detached tree. */
#pragma once

#include "image/disk.h"

/* A directory of ours that roots are attached on, each in a mount namespace of its own. */
#define DISK_MOUNT_POINT "/run/berth/root"

/* That a loop device could not be made. */
int disk_loop_error(const char *name, int code, Error *reterr);

/* Of the disk that fd is (a regular file or block device; open for writing unless read_only); name: for sentences. The caller lives in a mount
 * namespace of its own, whose mounts propagate to nobody, and may mount. What is encrypted is unlocked. Loop devices that are made for it go with the tree.
 * *ret_tree_fd: detached, nodev; *ret_read_only: its root cannot be written. Of a plan of /usr alone the root is an empty tmpfs with usr in it.
 * What fails leaves nothing behind. */
int disk_mount(const char *name, int fd, const DiskFacts *facts, const DiskPlan *plan,
               const DiskVerity *verity, bool read_only, int *ret_tree_fd, bool *ret_read_only,
               Error *reterr);
