/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a spec to a tree that a payload can live in. All of it runs in the supervisor, in its own mount namespace, in this order:
 *
 *   rootfs_open()      open, lock and verify the root directory
 *   rootfs_choose_ids() pick the uid range
 *   rootfs_attach()    the tree, cloned, read-only if asked, nodev, idmapped, attached over its own directory
 *   rootfs_inspect()   find init or shell, user and groups, machine ID: what else a user can get wrong
 *   rootfs_become_owner() from here on files are made by the container's root
 *   api_mounts_outer() /dev, /run, /run/host with the notify socket, /tmp, /sys: mounts that the payload cannot undo
 *   user_mounts()      Bind=, TemporaryFileSystem=, Inaccessible=, Overlay=
 *   host_files()       resolv.conf, time zone
 *   api_mounts_console() the pty on /dev/console
 *   api_mounts_seal()  /run/host becomes read-only
 *   api_mounts_inner() appends the child's operations from CHILD_OP_PIVOT to CHILD_OP_SHARE: /proc, /sys
 *                      (private network), cgroup2, mqueue, masks
 *
 * Callers have a umask of 0, and mounts of this namespace propagate to nobody. The working directory changes.
 * Nothing here has a lasting effect on the host; directories missing in a writable root are created in it (mount points). */
#pragma once

#include <sys/stat.h>

#include "basic/error.h"
#include "basic/fd.h"
#include "rootfs/plan.h"
#include "spec/spec.h"
#include "sys/namespace.h"

#define ROOTFS_RANGE_LOCKS 2 /* on the first and the last block of the range */

/* The scratch directory of a writable overlay. */
typedef struct OverlayWork {
        int directory_fd; /* where it is, with the host's ids */
        char *name;
        int lock_fd; /* held on the directory that takes the changes */
} OverlayWork;

typedef struct Mstack Mstack;

typedef struct Rootfs {
        int directory_fd; /* the root directory as the host has it (O_PATH) */
        struct stat directory_stat;
        int pivot_fd; /* PivotRoot=: the directory in it that becomes the root; else unset */
        int old_root_fd; /* PivotRoot=: a detached mount of the root directory, to be attached in the new one; else unset */
        int lock_fd;
        int range_lock_fds[ROOTFS_RANGE_LOCKS]; /* held on the uid range */
        int root_fd;                            /* the attached tree: O_PATH of its mount root */
        int devpts_fd; /* root directory of the container's devpts, for tty_open_pty(); unset for CONSOLE_PIPE */
        int notify_fd; /* the socket /run/host/notify */
        int kmsg_fd; /* the fifo over /proc/kmsg, held open so that readers inside wait instead of failing */
        IdMap map;      /* count 0: no user namespace */
        bool is_owner;  /* our effective ids are those of the container's root */
        int userns_fd;  /* holder of the map for idmapped mounts, or -EBADF */
        Mstack *mstack; /* what is in the stack of layers, if the root is one */
        OverlayWork *overlay_works;
        size_t n_overlay_works;

        /* what rootfs_inspect() found */
        Id128 machine_id; /* from the spec, else the root's /etc/machine-id, else one of the container's name */
        char **os_release;      /* NAME=value of the root; read for START_BOOT only, else empty */
        char **host_os_release; /* NAME=value of the host; may be empty */
        char *host_os_release_text; /* the file itself, or NULL */
        char *init;                 /* START_BOOT: path inside of the init to execute */
        struct {
                uid_t uid; /* inside ids */
                gid_t gid;
                gid_t *groups;
                size_t n_groups;
                char *name, *home, *shell; /* home and shell may be NULL for a bare number */
        } user;
} Rootfs;
// clang-format off
#define ROOTFS_NULL                                                                                             \
        { .directory_fd = -EBADF, .pivot_fd = -EBADF, .old_root_fd = -EBADF, .lock_fd = -EBADF, .range_lock_fds = PAIR_EBADF,                               \
          .root_fd = -EBADF, .devpts_fd = -EBADF, .notify_fd = -EBADF, .kmsg_fd = -EBADF, .userns_fd = -EBADF }
// clang-format on
void rootfs_done(Rootfs *r);

/* ids as the host's kernel sees them, for files that berth makes */
static inline uid_t rootfs_host_uid(const Rootfs *r, uid_t inside) {
        return r->map.count > 0 ? r->map.outside + inside : inside;
}

int rootfs_open(const ContainerSpec *spec, Rootfs *r, Error *reterr);
int rootfs_choose_ids(const ContainerSpec *spec, Rootfs *r, Error *reterr);
int rootfs_attach(const ContainerSpec *spec, Rootfs *r, Error *reterr);
int rootfs_inspect(const ContainerSpec *spec, Rootfs *r, Error *reterr);
/* Files that berth makes for a container with a user namespace belong to the container's root. In an idmapped mount nobody
 * else can make files (the kernel says EOVERFLOW to ids without a mapping), so they are made *as* the container's root: between the
 * two the effective and file-system ids are its own, the given capabilities are kept. A user namespace, too, belongs to the
 * euid that makes it, and so do the per-user budgets of the kernel (inotify and the like): they are to be the range's, not root's.
 * No-ops without shifted ids. */
int rootfs_become_owner(Rootfs *r, uint64_t capabilities, Error *reterr);
int rootfs_resume_self(Rootfs *r, Error *reterr);
int api_mounts_outer(const ContainerSpec *spec, Rootfs *r, Error *reterr);
/* Whether the child mounts /tmp, and not api_mounts_outer(). */
bool tmp_is_made_inside(const ContainerSpec *spec);
#define TMP_OPTIONS "mode=1777,size=10%,nr_inodes=1m"
/* Binds the pty slave on /dev/console. */
int api_mounts_console(Rootfs *r, int slave_fd, Error *reterr);
/* Finishes /run/host: read-only. */
int api_mounts_seal(const Rootfs *r, Error *reterr);
int user_mounts(const ContainerSpec *spec, Rootfs *r, Error *reterr);
int host_files(const ContainerSpec *spec, Rootfs *r, Error *reterr);
int api_mounts_inner(const ContainerSpec *spec, const Rootfs *r, ChildPlan *plan, Error *reterr);

/* Looks a user up in the container's own passwd(5) and group(5), by name or number; what consists of digits is always a
 * number. NULL and "root" and "0" are root without a look at passwd, unless want_shell. Fills r->user. */
int rootfs_find_user(Rootfs *r, const char *user, bool want_shell, Error *reterr);
