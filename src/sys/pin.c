/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Entries that are looked at before they are opened.
 *
 * Calls: openat2(O_PATH | BENEATH | NO_SYMLINKS | NO_XDEV), then openat of /proc/self/fd/N, or of "." in a directory. */
#include "sys/pin.h"

#include <stdio.h>

#include "basic/str.h"
#include "sys/syscalls.h"

int pin_entry(int dir_fd, const char *name) {
        /* with O_PATH | O_NOFOLLOW a link at the end is what is opened */
        int fd = sys_openat2(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0,
                             RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
        return fd < 0 ? -errno : fd;
}

int pin_open(int pin_fd, int flags) {
        char path[STRLEN("/proc/self/fd/") + 12];
        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", pin_fd); /* it fits */
        flags |= O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
        int fd = flags & O_DIRECTORY ? openat(pin_fd, ".", flags) : open(path, flags);
        return fd < 0 ? -errno : fd;
}
