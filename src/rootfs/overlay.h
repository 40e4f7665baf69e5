/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A new overlayfs of directories that are given by descriptor, each in a mount of this namespace (Linux up to 6.14 wants that). */
#pragma once

#include "basic/macros.h"

typedef struct Overlay {
        const int *lower_fds; /* from the lowest to the highest; borrowed, as all here */
        size_t n_lower;
        int upper_fd,
                work_fd; /* in one mount; -EBADF: nothing can be changed, and two lower ones are needed */
        bool redirects; /* directories of lower layers can be renamed: the upper one then means something to overlayfs alone */
        bool user_xattrs; /* what overlayfs notes in the upper one is in "user.", as systemd's mount stacks have it; without redirects */
        int place_fd; /* a directory in which one can be made and mounted on, for kernels without a better way; the caller takes that mount away */
} Overlay;

/* How many layers are told to the kernel. */
typedef enum OverlayWay {
        OVERLAY_WAY_AUTO,       /* the first of these that works */
        OVERLAY_WAY_STRING,     /* in one value of fsconfig(2): 255 bytes */
        OVERLAY_WAY_ONE_BY_ONE, /* fsconfig("lowerdir+"), Linux 6.7 */
        OVERLAY_WAY_CLASSIC,    /* mount(2): a page */
} OverlayWay;

/* Returns a detached mount, nodev and with these MOUNT_ATTR_*, or a negative errno; then *ret_words may be the kernel's own words (allocated). The
 * working directory may change. */
int overlay_new(const Overlay *o, OverlayWay way, uint64_t attributes, char **ret_words);
