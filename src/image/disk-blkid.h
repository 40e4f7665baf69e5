/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What libblkid(3) finds on a disk. Only for a process that may do nothing: it parses what anybody may have written. */
#pragma once

#include "image/disk.h"

typedef struct Blkid Blkid;

/* Opens the library, which takes rights that disk_blkid_read() does not need any more. */
int disk_blkid_open(Blkid **ret, Error *reterr);
int disk_blkid_read(const Blkid *b, int fd, DiskFacts *ret, Error *reterr);
