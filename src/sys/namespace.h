/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Namespaces: opening, comparing, and user-namespace maps. */
#pragma once

#include <sys/types.h>

#include "basic/macros.h"

typedef enum NamespaceType {
        NAMESPACE_MOUNT,
        NAMESPACE_PID,
        NAMESPACE_UTS,
        NAMESPACE_IPC,
        NAMESPACE_CGROUP,
        NAMESPACE_USER,
        NAMESPACE_NET,
        NAMESPACE_TIME,
        _NAMESPACE_MAX,
} NamespaceType;
const char *namespace_type_name(NamespaceType t);   /* "mnt", as in /proc/PID/ns */
unsigned long namespace_type_flag(NamespaceType t); /* CLONE_NEWNS */
int namespace_open(pid_t pid, NamespaceType t);     /* 0 means the caller itself; fd */
int namespace_is_supported(NamespaceType t);        /* 1, 0 */
int namespace_equal(int fd_a, int fd_b);            /* 1, 0 */

/* One range: inside ids [inside, inside + count) are outside [outside, outside + count), for users and groups alike. */
typedef struct IdMap {
        uint32_t inside, outside, count;
} IdMap;
/* Writes uid_map, setgroups (untouched: allowed) and gid_map of a process; the caller needs CAP_SETUID/CAP_SETGID. */
int userns_write_maps(pid_t pid, const IdMap *maps, size_t n);
/* A user namespace with these maps that nobody lives in; for mount_set_idmap(). Returns its fd. One short-lived child
 * (it has ended when the maps are written): no SIGCHLD, nothing left to wait for. */
int userns_new(const IdMap *maps, size_t n);
/* One range of users and another one of groups. */
int userns_new_apart(const IdMap *uids, const IdMap *gids);
