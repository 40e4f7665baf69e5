/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A btrfs of a test's own, in its own mount namespace: the directory "fs" in a new tmpfs. */
#pragma once

#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include "basic/str.h"
#include "test.h"

/* Skips the test where that cannot be. size: as truncate(1) takes it, at least 110M. */
static inline void mount_btrfs(const char *at, const char *size) {
        _cleanup_free_ char *command = strf(
                "exec >/dev/null 2>&1; mkdir -p %s && mount -t tmpfs -o size=600m tmpfs %s && cd %s && truncate -s %s disk && "
                "mkfs.btrfs -q disk && mkdir fs && mount -o loop disk fs",
                at, at, at, size);
        if (access("/dev/loop-control", F_OK) < 0 ||
            system("command -v mkfs.btrfs >/dev/null") != 0)
                TEST_SKIP("no loop devices, or no mkfs.btrfs");
        if (!command || system(command) != 0)
                TEST_SKIP("no btrfs can be mounted");
}

/* The kernel lets go of the file behind a loop device some time after the file system is gone, and the tmpfs is busy so long. */
static inline void unmount_btrfs(const char *at) {
        _cleanup_free_ char *fs = strf("%s/fs", at);
        ASSERT_NOT_NULL(fs);
        ASSERT_EQ(umount(fs), 0);
        for (unsigned n = 0; n < 3000 && umount2(at, 0) < 0; n++) {
                ASSERT_EQ(errno, EBUSY);
                usleep(10000);
        }
        (void) umount2(at,
                       MNT_DETACH); /* then the mount namespace takes it along; else it is gone */
}
