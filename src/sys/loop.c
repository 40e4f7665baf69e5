/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loop devices.
 *
 * Calls: ioctl(LOOP_CTL_GET_FREE) of /dev/loop-control; open of the device that it names; ioctl(LOOP_CONFIGURE) (Linux 5.8), all at once: no
 * moment in which it exists with other settings. EBUSY: somebody else was faster, once more. LO_FLAGS_AUTOCLEAR: whatever becomes of us, the
 * device is free again when the last one that has it open, or mounted, is gone. See loop(4). */
#include "sys/loop.h"

#include <linux/loop.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>

#include "basic/fd.h"

#define LOOP_RETRIES 64
#define LOOP_NODES 256

void loop_device_done(LoopDevice *l) {
        l->fd = fd_close(l->fd);
}

/* 1: made; 0: it is taken; -ENODEV: there is no node for it. */
static int configure(int number, const struct loop_config *config, bool read_only,
                     LoopDevice *ret) {
        char path[LOOP_PATH_MAX];
        (void) snprintf(path, sizeof(path), "/dev/loop%d", number); /* it fits */
        _cleanup_close_ int fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return IN_SET(errno, ENOENT, ENXIO) ? -ENODEV : -errno;
        if (ioctl(fd, LOOP_CONFIGURE, config) < 0)
                return errno == EBUSY ? 0 : -errno;
        ret->fd = TAKE_FD(fd);
        memcpy(ret->path, path, sizeof(path));
        return 1;
}

/* 1: made; 0: once more. Where /dev is not the kernel's own there may be nodes, but not for the device that it would like best: then
 * one that has a node is added. */
static int make_once(int control_fd, const struct loop_config *config, bool read_only,
                     LoopDevice *ret) {
        int number = ioctl(control_fd, LOOP_CTL_GET_FREE);
        if (number < 0)
                return -errno;
        int r = configure(number, config, read_only, ret);
        for (int i = 0; r == -ENODEV && i < LOOP_NODES; i++) {
                (void) ioctl(control_fd, LOOP_CTL_ADD,
                             i); /* EEXIST: it is there, and taken or not */
                r = configure(i, config, read_only, ret);
                if (r == 0)
                        r = -ENODEV; /* taken: the next one */
        }
        return r;
}

int loop_device_make(int file_fd, uint64_t offset, uint64_t size, uint32_t sector_size,
                     bool read_only, LoopDevice *ret) {
        const struct loop_config config = {
                .fd = (unsigned) file_fd,
                .block_size = sector_size,
                .info = {
                        .lo_offset = offset,
                        .lo_sizelimit = size,
                        .lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO |
                                    (read_only ? (unsigned) LO_FLAGS_READ_ONLY : 0),
                },
        };
        _cleanup_close_ int control_fd = open("/dev/loop-control", O_RDWR | O_CLOEXEC | O_NOCTTY);
        if (control_fd < 0)
                return -errno;
        for (unsigned i = 0; i < LOOP_RETRIES; i++) {
                int r = make_once(control_fd, &config, read_only, ret);
                if (r != 0)
                        return r < 0 ? r : 0;
                const struct timespec pause = { .tv_nsec = 1000000L * (1 + i % 8) };
                (void) nanosleep(&pause, NULL); /* at worst a round too early */
        }
        return -EBUSY;
}
