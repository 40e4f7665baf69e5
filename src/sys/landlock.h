/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Landlock: files that a process can no longer reach, whatever its rights (landlock(7)). */
#pragma once

#include "basic/macros.h"

typedef enum LandlockRights {
        LANDLOCK_READ = 1 << 0,  /* files and directories below */
        LANDLOCK_WRITE = 1 << 1, /* also make, link and remove them; no devices, no sockets */
        LANDLOCK_EXECUTE = 1 << 2,
        LANDLOCK_ONE_FILE = 1 << 3, /* the descriptor is of a regular file, not of a directory */
} LandlockRights;

typedef struct LandlockRule {
        int fd; /* of a directory, but for ONE_FILE */
        unsigned rights;
} LandlockRule;

/* From now on nothing else of the file system is opened, made, renamed, removed or executed; what is open stays open. network: TCP connections
 * stay possible (Linux 6.7 can forbid them), ptrace is confined in any case. 1: in force; 0: this kernel has no Landlock. Needs PR_SET_NO_NEW_PRIVS. */
int landlock_restrict(const LandlockRule *rules, size_t n, bool network);
