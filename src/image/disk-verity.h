/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Root hash, signature and hash tree of a disk image: from the settings, or from files beside it. */
#pragma once

#include "image/disk.h"

/* What the settings say of a disk image, borrowed; NULL: nothing. */
typedef struct DiskSettings {
        const char *policy;                            /* disk_policy_parse() */
        const char *root_hash;                         /* hexadecimal */
        const char *root_hash_signature, *verity_data; /* paths */
        const char *key_file;                          /* path; of LUKS, see disk-unlock.h */
} DiskSettings;

/* Beside NAME.raw: NAME.roothash, else NAME.usrhash; the same with .p7s; NAME.verity. What is set counts, and the rest is looked for.
 * ret->root_hash_size 0: there is none. */
int disk_verity_read(const char *image, const DiskSettings *settings, DiskVerity *ret,
                     Error *reterr);
