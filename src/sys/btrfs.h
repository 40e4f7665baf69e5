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
/* -ENOTTY: fd is none, nor is a directory in one. */
int btrfs_subvolume_read(int fd, BtrfsSubvolume *ret);

/* A new, empty one. -EOPNOTSUPP: not on btrfs. */
int btrfs_subvolume_create(int parent_fd, const char *name);
/* A snapshot that can be written, as parent_fd/name, with snapshots of the subvolumes in it; who works in fd meanwhile can have it that one of these is
 * an empty directory, but not that anything outside is reached. -EXDEV: on another file system; -EBUSY: one of these is covered by a mount. */
int btrfs_subvolume_snapshot(int fd, int parent_fd, const char *name);
/* Those in it follow. */
int btrfs_subvolume_set_read_only(int fd, bool read_only);
/* fd is parent_fd/name. -ENOTTY: it is none; -ENOTEMPTY: there are others in it. */
int btrfs_subvolume_destroy(int parent_fd, const char *name, int fd);

typedef struct BtrfsQuota {
        uint64_t referenced, exclusive;         /* bytes used; BTRFS_SIZE_UNKNOWN: no quotas */
        uint64_t max_referenced, max_exclusive; /* BTRFS_SIZE_UNKNOWN: no limit */
} BtrfsQuota;
/* Of the subvolume's own quota group. -ENOENT: the file system has no quotas. */
int btrfs_quota_read(int fd, BtrfsQuota *ret);
/* Limits what the subvolume refers to; quotas are turned on if they are not. BTRFS_SIZE_UNKNOWN: no limit. */
int btrfs_quota_limit(int fd, uint64_t size);
/* Gives a subvolume the limits of another one, or takes its own away: a snapshot has those of its source at that time. -ENOTTY: to_fd is none, and
 * from_fd has a limit. */
int btrfs_quota_copy_limits(int from_fd, int to_fd);
