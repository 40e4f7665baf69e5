/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* File locks that end with their holder: open-file-description locks (fcntl_locking(2)) on small files below a lock
 * directory, as systemd locks its files; flock(2) would not see those. */
#pragma once

#include <sys/stat.h>

#include "basic/macros.h"

typedef enum LockMode {
        LOCK_MODE_SHARED,
        LOCK_MODE_EXCLUSIVE
} LockMode;
/* Locks `name` in directory dir (made, 0700, if missing). Returns an fd that holds the lock, -EBUSY if somebody else does.
 * The file is never removed while held: a lock taken on a removed file is retried. */
int lock_take(const char *dir, const char *name, LockMode mode);
/* Lock for a root that stat(2) has described: "inode-DEV:INO" in /run/systemd/nspawn/locks, the name systemd-nspawn uses: the two exclude each other.
 * A block device has "block-MAJOR:MINOR". */
int lock_take_inode(const struct stat *st, LockMode mode);
/* The same for what a name stands for: -ESTALE, and no lock, if it is not what is at `path` (links are followed as asked). Names of
 * images get other inodes with a rollback; it is worth LOCK_PATH_TRIES with a new stat(2). */
int lock_take_inode_at(const char *path, bool follow, const struct stat *st, LockMode mode);
#define LOCK_PATH_TRIES 8U
#define LOCK_INODE_PATH_MAX 96
/* Its path. */
void lock_inode_path(const struct stat *st, char ret[static LOCK_INODE_PATH_MAX]);
/* systemd-machined's lock for a name that is about to be given to an image. */
int lock_take_image_name(const char *name, LockMode mode);
