/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Types of GPT partitions, and what they are for. */
#pragma once

#include "basic/id.h"

typedef enum DiskRole {
        /* one for each architecture */
        DISK_ROLE_ROOT,
        DISK_ROLE_ROOT_VERITY,
        DISK_ROLE_ROOT_SIGNATURE,
        DISK_ROLE_USR,
        DISK_ROLE_USR_VERITY,
        DISK_ROLE_USR_SIGNATURE,
        _DISK_ROLE_OF_SYSTEM,
        DISK_ROLE_ESP = _DISK_ROLE_OF_SYSTEM,
        DISK_ROLE_XBOOTLDR,
        DISK_ROLE_SWAP,
        DISK_ROLE_HOME,
        DISK_ROLE_SRV,
        DISK_ROLE_VAR,
        DISK_ROLE_TMP,
        DISK_ROLE_LINUX, /* "Linux filesystem": anything */
        DISK_ROLE_NONE,  /* not of Linux, or not known */
} DiskRole;

/* *ret_architecture: static; NULL for what belongs to none. */
DiskRole disk_role(Id128 type, const char **ret_architecture);
const char *disk_native_architecture(void); /* of this program: "x86-64" */
/* How well a machine of the native architecture runs programs of another: 2 it is the same, 1 it can, 0 it cannot by itself. */
unsigned disk_architecture_rank(const char *native, const char *architecture);
