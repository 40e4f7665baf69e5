/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is encrypted on a disk (LUKS), opened: a device for each partition, which goes with whoever has it open or mounted. */
#pragma once

#include "image/disk-crypt.h"
#include "image/disk-key.h"

typedef struct DiskUnlocked {
        struct {
                DiskPartition inside; /* what the plan says instead of the encrypted one */
                Crypt *crypt;
                int fd; /* of the device */
        } places[_DISK_PLACE_MAX];
} DiskUnlocked;
DiskUnlocked *disk_unlocked_free(DiskUnlocked *u);
DEFINE_TRIVIAL_CLEANUP_FUNC(DiskUnlocked *, disk_unlocked_free)

/* All that the plan wants mounted and that is encrypted, with one key: that of a file (path, the admin's), or one that was given; both may be NULL.
 * The plan then has what is inside, by the devices, until *ret goes. Returns a DiskUnlock; for a file that is wrong an error. */
int disk_unlock(const char *name, int fd, const DiskFacts *facts, const char *key_file,
                const Secret *key, bool read_only, DiskPlan *plan, DiskUnlocked **ret,
                Error *reterr);
