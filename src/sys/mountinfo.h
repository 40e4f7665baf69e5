/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The mounts of a namespace, as proc_pid_mountinfo(5) tells them. What a container has mounted is hostile: names of any kind, any number. */
#pragma once

#include <sys/types.h>

#include "basic/macros.h"

#define MOUNTINFO_SIZE_MAX (16U << 20)

typedef struct MountEntry {
        int id;                  /* as statx(2)'s stx_mnt_id */
        dev_t device;            /* of the file system */
        const char *root;        /* what of the file system is mounted: a path below its own root */
        const char *mount_point; /* below the root directory of the process that was asked about */
        bool read_only;          /* the mount, whatever the file system is */
} MountEntry;

typedef struct MountTable {
        MountEntry *
                entries; /* in the order of mounting; of several at one place the last one is seen */
        size_t n_entries;
        char *text; /* what the entries point into */
} MountTable;
void mount_table_done(MountTable *t);

/* Takes the text, changes it. -EBADMSG: it is none. */
int mount_table_parse(char *text, MountTable *ret);
/* Reads what is open: /proc/PID/mountinfo shows the namespace that the process was in when it was opened. -E2BIG. */
int mount_table_read(int fd, MountTable *ret);

const MountEntry *mount_table_by_id(const MountTable *t, int id);
/* What is seen at a path (a mount point, simplified), or NULL. */
const MountEntry *mount_table_at(const MountTable *t, const char *mount_point);
/* The same files as those of e, in the namespace of t: their path there, allocated; NULL: they are not to be seen. -ENOMEM. */
int mount_table_find_path(const MountTable *t, const MountEntry *e, char **ret);
