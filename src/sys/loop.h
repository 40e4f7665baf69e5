/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loop devices: a part of a file as a block device, which goes by itself when nobody has it open or mounted any more. */
#pragma once

#include "basic/macros.h"

#define LOOP_PATH_MAX 32U

typedef struct LoopDevice {
        int fd; /* holds the device until a mount does */
        char path[LOOP_PATH_MAX];
} LoopDevice;
#define LOOP_DEVICE_NULL \
        { .fd = -EBADF }
void loop_device_done(LoopDevice *l);

/* size bytes of file_fd (a regular file or block device) from offset on. sector_size: 512 to 4096, a power of two. The device cannot be
 * written if read_only, or if file_fd was not opened for it. Past the page cache where the file's own file system allows it; without a scan for
 * partitions. -ENOENT: there is no /dev/loop-control; -ENODEV: no node for a free device. */
int loop_device_make(int file_fd, uint64_t offset, uint64_t size, uint32_t sector_size,
                     bool read_only, LoopDevice *ret);
