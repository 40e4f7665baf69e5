/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Subvolumes of btrfs: what they are, snapshots, removal, and quota groups. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#define BTRFS_SIZE_UNKNOWN UINT64_MAX

typedef struct BtrfsSubvolume {
        uint64_t id;
        bool read_only;
        uint64_t birth_usec;
} BtrfsSubvolume;

bool btrfs_is_subvolume(const char *path, const struct stat *st);
bool btrfs_is_on(int fd); /* is fd a file of btrfs? */
/* -ENOTTY: it is none of btrfs. */
int btrfs_subvolume_read(int fd, BtrfsSubvolume *ret);
