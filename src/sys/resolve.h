/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Paths below a container's root. Everything below root_fd is hostile and may change at any time; so nothing here joins
 * strings to a host path, and every open is one openat2(2) (Linux 5.6) with a RESOLVE_ flag; -EAGAIN is retried.
 * Two ways: API mount points (ours) allow no symlink at all, user paths resolve symlinks as if root_fd were "/". */
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include "basic/macros.h"

/* Opens a fixed mount point of ours ("dev", "dev/pts"): RESOLVE_BENEATH | NO_SYMLINKS | NO_MAGICLINKS, O_PATH. -ENOENT,
 * -ELOOP (a symlink is in the way), -ENOTDIR. */
int resolve_beneath(int root_fd, const char *path, int flags);
/* The same for a directory, created (mode 0755, owner uid:gid) if missing, component by component. */
int resolve_mkdir_beneath(int root_fd, const char *path, uid_t uid, gid_t gid);

/* Opens a user's path inside the container: RESOLVE_IN_ROOT | NO_MAGICLINKS. path may be absolute; "" is the root. flags as
 * for open(2), O_CLOEXEC and (without O_PATH) O_NOCTTY are added. Without O_PATH a fifo blocks and a device is opened: use
 * O_PATH or resolve_read_file() for what is hostile. */
int resolve_in_root(int root_fd, const char *path, int flags);
/* Opens path (O_PATH) as a mount point for something of the given type (S_IFDIR: a directory, else a regular file), and
 * creates what is missing: directories 0755, the last component a directory or an empty file (0644), all owned by uid:gid.
 * Dangling symlinks are followed inside, as by a program that runs there. -ENOTDIR, -EISDIR: something of the other type is
 * there. One call for a directory that exists, two for a file. */
int resolve_make_mount_point(int root_fd, const char *path, mode_t type, uid_t uid, gid_t gid);

/* Reads a regular file inside the container, at most limit bytes (-E2BIG), never blocking on fifos (-EINVAL for anything
 * but a regular file). NUL-terminated, allocated. Only for mounts that are nodev: something that is a device is opened, else. */
int resolve_read_file(int root_fd, const char *path, size_t limit, char **ret, size_t *ret_size);
