/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* File locks that end with their holder.
 *
 * Calls: openat(O_CREAT), fcntl(F_OFD_SETLK) on the whole file (fcntl_locking(2); systemd's lock files are locked the same
 * way, and flock(2) would not see them), fstat to find out whether the file was removed before the lock was ours. */
#include "sys/lock.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "basic/fd.h"

#define LOCK_RETRIES 64
#define INODE_LOCK_DIR "/run/systemd/nspawn/locks"

static int lock_open_once(int dir_fd, const char *name, LockMode mode, int *ret) {
        struct flock lock = { .l_type = mode == LOCK_MODE_SHARED ? F_RDLCK : F_WRLCK,
                              .l_whence = SEEK_SET };
        struct stat st;

        _cleanup_close_ int fd =
                openat(dir_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
        if (fd < 0)
                return -errno;
        if (fcntl(fd, F_OFD_SETLK, &lock) < 0)
                return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (st.st_nlink == 0)
                return 0; /* the last holder removed it: a lock that nobody else will see */
        *ret = TAKE_FD(fd);
        return 1;
}

static int lock_dir_open(const char *dir) {
        int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT) {
                int r = mkdir_parents(dir, 0700);
                if (r < 0)
                        return r;
                fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        }
        return fd < 0 ? -errno : fd;
}

int lock_take(const char *dir, const char *name, LockMode mode) {
        int fd;

        if (name[0] == '\0' || strchr(name, '/'))
                return -EINVAL;
        _cleanup_close_ int dir_fd = lock_dir_open(dir);
        if (dir_fd < 0)
                return dir_fd;
        for (unsigned i = 0; i < LOCK_RETRIES; i++) {
                int r = lock_open_once(dir_fd, name, mode, &fd);
                if (r < 0)
                        return r;
                if (r > 0)
                        return fd;
        }
        return -EBUSY;
}

int lock_take_inode(int fd, LockMode mode) {
        char name[STRLEN("inode-:") + 2 * 20 + 1];
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (S_ISBLK(st.st_mode))
                snprintf(name, sizeof(name), "block-%u:%u", major(st.st_rdev), minor(st.st_rdev));
        else
                snprintf(name, sizeof(name), "inode-%" PRIu64 ":%" PRIu64, (uint64_t) st.st_dev,
                         (uint64_t) st.st_ino);
        return lock_take(INODE_LOCK_DIR, name, mode);
}
