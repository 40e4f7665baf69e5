/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is said of encrypted disk images whose key is not there. */
#include "image/disk-key.h"

static const char *const disk_unlock_table[_DISK_UNLOCK_MAX] = {
        [DISK_UNLOCKED] = "unlocked",
        [DISK_NO_KEY] = "no-key",
        [DISK_WRONG_KEY] = "wrong-key",
};
DEFINE_STRING_TABLE_LOOKUP(disk_unlock, DiskUnlock);

int disk_key_error(const char *image, DiskUnlock outcome, Error *reterr) {
        int r;

        if (outcome == DISK_WRONG_KEY)
                return error_set(reterr, -EACCES, ERROR_ACCESS_DENIED,
                                 "The key that was given does not open image '%s'", image);
        r = error_set(reterr, -ENOKEY, ERROR_ACCESS_DENIED,
                      "Image '%s' is encrypted, and there is no key", image);
        error_hint(reterr,
                   "name a file with --image-key-file= (ImageKeyFile=), give the unit the "
                   "credential '%s', or start it on a terminal",
                   DISK_KEY_CREDENTIAL);
        return r;
}
