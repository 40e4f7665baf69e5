/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mounts by descriptor, mount(2)'s successor: a file system or a clone of a tree is made detached, filled and given its
 * attributes while nobody sees it, and attached descriptor to descriptor. No path of a container is ever followed here.
 *
 * Sequences: new file system fsopen / fsconfig* / fsmount; clone open_tree(OPEN_TREE_CLONE); attributes mount_setattr;
 * attach move_mount(F_EMPTY_PATH | T_EMPTY_PATH). See fsopen(2), open_tree(2), mount_setattr(2), move_mount(2). */
#pragma once

#include "basic/macros.h"

/* One option for fsconfig(2): a flag if value is NULL. */
typedef struct MountOption {
        const char *key, *value;
} MountOption;

/* A new detached file system. options ends with key NULL (may be NULL); a value has
 * at most 255 bytes (fsconfig(2); mount_classic() takes a page). attributes are MOUNT_ATTR_*. Returns a mount fd or a
 * negative errno; then *ret_kernel_words (if not NULL) may hold the kernel's own message (allocated), else NULL. */
int mount_new(const char *type, const MountOption *options, uint64_t attributes,
              char **ret_kernel_words);
/* A detached clone of the tree at fd (O_PATH or better). */
int mount_clone(int fd, bool recursive);
/* Sets and clears MOUNT_ATTR_*, optionally recursive; propagation is 0 or MS_PRIVATE/MS_SLAVE/MS_SHARED. */
int mount_set_attributes(int mount_fd, uint64_t set, uint64_t clear, uint64_t propagation,
                         bool recursive);
/* Idmaps a detached mount (MOUNT_ATTR_IDMAP, Linux 5.12) by the maps of userns_fd. -EINVAL: the file system cannot. */
int mount_set_idmap(int mount_fd, int userns_fd, bool recursive);
/* The three at once for a whole detached tree; userns_fd -EBADF: no idmap. All or nothing. */
int mount_set_tree(int mount_fd, uint64_t set, uint64_t propagation, int userns_fd);
/* Attaches a detached mount on the object that target_fd is. */
int mount_attach(int mount_fd, int target_fd);
/* mount(2) on the object that target_fd is; flags are MS_*. For file systems that need no filling. */
int mount_classic(const char *source, const char *type, int target_fd, unsigned long flags,
                  const char *options);
/* umount2(MNT_DETACH) of what is mounted at the mount root fd. */
int mount_detach(int fd);
/* Propagation of every mount of this namespace from "/" down: MS_PRIVATE, MS_SLAVE, MS_SHARED. */
int mount_propagation_all(unsigned long propagation);
