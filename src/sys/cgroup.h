/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cgroup v2: finding, making, delegating, killing. Paths are relative to the cgroup2 mount ("/machine.slice/…"); work is
 * done through directory descriptors. On hybrid hosts the v2 hierarchy is systemd's /sys/fs/cgroup/unified.
 * Sources: Documentation/admin-guide/cgroup-v2.rst (cgroup.kill: Linux 5.14), systemd's CGROUP_DELEGATION. */
#pragma once

#include <sys/types.h>

#include "basic/macros.h"

/* Opens the root of the mounted v2 hierarchy (as this process sees it). -ENOMEDIUM: none is mounted. */
int cgroup_open_root(void);
/* The v2 cgroup path of a process (0: the caller), from /proc/PID/cgroup. Allocated. -ESRCH, -ENOMEDIUM. */
int cgroup_get_path(pid_t pid, char **ret);
/* Opens a cgroup directory below root_fd (O_DIRECTORY|O_CLOEXEC, usable for CLONE_INTO_CGROUP). */
int cgroup_open(int root_fd, const char *path);
/* Makes child directory `name` (one component) if missing, and opens it. */
int cgroup_make(int parent_fd, const char *name);
/* The same for a group that belongs to uid:gid, which are the caller's file-system ids: what is made is theirs with all that is in
 * it, so limits for it belong in the group above; what is there already is given to them by cgroup_delegate(). */
int cgroup_make_owned(int parent_fd, const char *name, uid_t uid, gid_t gid);
int cgroup_remove(
        int parent_fd,
        const char *
                name); /* depth first, with all sub-groups; -EBUSY and nothing removed if processes remain */
int cgroup_attach(int fd, pid_t pid); /* 0: the caller */
/* Gives a cgroup to uid:gid for delegation: the directory and the attributes that /sys/kernel/cgroup/delegate lists. */
int cgroup_delegate(int fd, uid_t uid, gid_t gid);
/* Turns on all controllers that cgroup.controllers offers, for the children of fd. Failing ones are skipped. */
int cgroup_enable_controllers(int fd);
int cgroup_kill(int fd);         /* cgroup.kill */
int cgroup_is_populated(int fd); /* 1, 0 */
int cgroup_write_attribute(int fd, const char *name, const char *value);
int cgroup_read_attribute(int fd, const char *name, char **ret); /* trailing newline cut */
/* A counter in a flat-keyed file ("memory.events", "oom_kill"). -ENODATA: no such key. */
int cgroup_read_keyed(int fd, const char *name, const char *key, uint64_t *ret);
