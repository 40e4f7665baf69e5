/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who holds a lock, for people. Kernel and lock file do not say, so all processes are looked at: for errors only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LOCK_HOLDER_NAME_MAX 80

typedef struct LockHolder {
        pid_t pid;
        char name
                [LOCK_HOLDER_NAME_MAX]; /* of the container, of berth's or systemd-nspawn's; else of the program */
        bool container;
        uint64_t since_usec; /* when its process began, by the clock; 0: not known */
} LockHolder;

/* The first process found that holds a lock on the file. -ESRCH: none, or none that this user may look at. */
int lock_find_holder(const char *path, LockHolder *ret);
/* "'web' since Mon …", "process 17 ('rsync') since …", or otherwise when nobody is found. Allocated; NULL: out of memory. */
char *lock_describe_holder(const char *path, const char *otherwise);
