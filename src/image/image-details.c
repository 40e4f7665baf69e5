/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is to be known of an image besides its name: read-only, times, sizes.
 *
 * Calls: statx (birth time), ioctl FS_IOC_GETFLAGS (immutable directories are read-only images), those of btrfs, BLKGETSIZE64 and
 * BLKROGET of block devices, access(W_OK) for read-only file systems. */
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "basic/fd.h"
#include "image/image.h"
#include "sys/btrfs.h"

static usec_t timestamp(int64_t sec, uint32_t nsec) {
        return sec < 0 ? 0 : (usec_t) sec * USEC_PER_SEC + nsec / NSEC_PER_USEC;
}

static void read_birth(Image *i) {
        struct statx sx;
        if (statx(AT_FDCWD, i->path, AT_STATX_DONT_SYNC, STATX_BTIME, &sx) == 0 &&
            (sx.stx_mask & STATX_BTIME))
                i->birth_usec = timestamp(sx.stx_btime.tv_sec, sx.stx_btime.tv_nsec);
}

static void read_directory(Image *i) {
        int flags = 0;
        _cleanup_close_ int fd = open(i->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        read_birth(i);
        if (fd >= 0 && ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && (flags & FS_IMMUTABLE_FL))
                i->read_only = true;
}

static void read_subvolume(Image *i) {
        BtrfsSubvolume s;
        _cleanup_close_ int fd = open(i->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || btrfs_subvolume_read(fd, &s) < 0) {
                read_birth(i);
                return;
        }
        BtrfsQuota q;
        if (btrfs_quota_read(fd, &q) >= 0) {
                i->usage = q.referenced;
                i->usage_exclusive = q.exclusive;
                i->limit = q.max_referenced;
                i->limit_exclusive = q.max_exclusive;
        }
        i->birth_usec = s.birth_usec;
        i->read_only = i->read_only || s.read_only;
}

static void read_file(Image *i) {
        read_birth(i);
        i->modified_usec = timestamp(i->st.st_mtim.tv_sec, (uint32_t) i->st.st_mtim.tv_nsec);
        i->read_only = i->read_only || !(i->st.st_mode & 0222);
        i->usage = i->usage_exclusive = (uint64_t) i->st.st_blocks * 512;
        i->limit = i->limit_exclusive = (uint64_t) i->st.st_size;
}

static void read_block(Image *i) {
        uint64_t size;
        int read_only = 0;
        i->read_only = i->read_only || !(i->st.st_mode & 0222);
        _cleanup_close_ int fd = open(i->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        struct stat st;
        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISBLK(st.st_mode))
                return;
        if (ioctl(fd, BLKGETSIZE64, &size) == 0)
                i->usage = i->usage_exclusive = i->limit = i->limit_exclusive = size;
        if (ioctl(fd, BLKROGET, &read_only) == 0 && read_only)
                i->read_only = true;
}

void image_read_details(Image *i) {
        static void (*const readers[_IMAGE_KIND_MAX])(Image *) = {
                [IMAGE_DIRECTORY] = read_directory,
                [IMAGE_SUBVOLUME] = read_subvolume,
                [IMAGE_RAW] = read_file,
                [IMAGE_BLOCK] = read_block,
                [IMAGE_MSTACK] = read_directory,
        };
        i->read_only = i->vendor || (access(i->path, W_OK) < 0 && errno == EROFS);
        readers[i->kind](i);
}
