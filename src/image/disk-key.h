/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys of encrypted disk images: what becomes of an attempt to open one, between who asks and who opens. */
#pragma once

#include "basic/error.h"
#include "basic/strtable.h"

/* The systemd credential that has the key, as of systemd-dissect. */
#define DISK_KEY_CREDENTIAL "dissect.passphrase"

/* Outcomes that are no errors: somebody may be asked for a key. */
typedef enum DiskUnlock {
        DISK_UNLOCKED,  /* or there is nothing to unlock */
        DISK_NO_KEY,    /* something is encrypted, and no key was given */
        DISK_WRONG_KEY, /* that was given opens not all of it */
        _DISK_UNLOCK_MAX,
        _DISK_UNLOCK_INVALID = -EINVAL,
} DiskUnlock;
DECLARE_STRING_TABLE_LOOKUP(disk_unlock, DiskUnlock);

/* The error of DISK_NO_KEY or DISK_WRONG_KEY where nobody is asked. */
int disk_key_error(const char *image, DiskUnlock outcome, Error *reterr);
