/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is on a disk, found out by a process that can do nothing but read it. */
#pragma once

#include "image/disk.h"

/* fd: a regular file or block device, open for reading. name: for sentences. Takes at most 20 seconds. ERROR_NOT_A_ROOT: there is nothing on it
 * that is known, or too much. Needs root. */
int disk_probe(const char *name, int fd, DiskFacts *ret, Error *reterr);
