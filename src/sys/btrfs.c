/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Subvolumes of btrfs.
 *
 * Calls: statfs; ioctl BTRFS_IOC_GET_SUBVOL_INFO (Linux 4.18). */
#include "sys/btrfs.h"

#include <errno.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

#include "basic/time.h"

bool btrfs_is_subvolume(const char *path, const struct stat *st) {
        struct statfs fs;
        return S_ISDIR(st->st_mode) && st->st_ino == BTRFS_FIRST_FREE_OBJECTID &&
               statfs(path, &fs) == 0 && fs.f_type == BTRFS_SUPER_MAGIC;
}

bool btrfs_is_on(int fd) {
        struct statfs fs;
        return fstatfs(fd, &fs) == 0 && fs.f_type == BTRFS_SUPER_MAGIC;
}

int btrfs_subvolume_read(int fd, BtrfsSubvolume *ret) {
        struct btrfs_ioctl_get_subvol_info_args args = { 0 };
        if (ioctl(fd, BTRFS_IOC_GET_SUBVOL_INFO, &args) < 0)
                return -errno;
        *ret = (BtrfsSubvolume){ .id = args.treeid,
                                 .read_only = args.flags & BTRFS_ROOT_SUBVOL_RDONLY,
                                 .birth_usec = (usec_t) args.otime.sec * USEC_PER_SEC +
                                               args.otime.nsec / NSEC_PER_USEC };
        return 0;
}
