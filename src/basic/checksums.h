/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists of checksums, as sha256sum(1) writes them. */
#pragma once

#include "basic/sha256.h"

/* The checksum of a file (a name without directories) in such a list: "HEX  NAME", "HEX *NAME", "SHA256 (NAME) = HEX"; NAME may begin with "./". Lines that are none
 * of these are skipped. only: the list is of this file alone, and may be "HEX" and nothing else (not for what is signed: no name is). -ENOENT: it is not in there; -EBADMSG: it is there twice, with
 * different checksums. text: of `size` bytes, any. */
int checksums_find(const char *text, size_t size, const char *file, bool only,
                   uint8_t ret[static SHA256_SIZE]);
