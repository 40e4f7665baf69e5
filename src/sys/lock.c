/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* File locks that end with their holder.
 *
 * Calls: open(O_CREAT), fcntl(F_OFD_SETLK) on the whole file (fcntl_locking(2); systemd's lock files are locked the same
 * way, and flock(2) would not see them), fstat to find out whether the file was removed before the lock was ours. */
#include "sys/lock.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "basic/fd.h"

#define LOCK_RETRIES 64
#define INODE_LOCK_DIR "/run/systemd/nspawn/locks"

/* 1: *ret holds the lock; 0: try again. */
static int lock_open_once(const char *path, LockMode mode, int *ret) {
        struct flock lock = { .l_type = mode == LOCK_MODE_SHARED ? F_RDLCK : F_WRLCK,
                              .l_whence = SEEK_SET };
        struct stat st;

        _cleanup_close_ int fd =
                open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
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

int lock_take(const char *dir, const char *name, LockMode mode) {
        char path[PATH_MAX];
        bool made = false;
        int fd;

        if (name[0] == '\0' || strchr(name, '/'))
                return -EINVAL;
        int n = snprintf(path, sizeof(path), "%s/%s", dir, name);
        if (n < 0 || (size_t) n >= sizeof(path))
                return -ENAMETOOLONG;
        for (unsigned i = 0; i < LOCK_RETRIES; i++) {
                int r = lock_open_once(path, mode, &fd);
                if (r > 0)
                        return fd;
                if (r == -ENOENT && !made) {
                        made = true;
                        r = mkdir_parents(dir, 0700);
                }
                if (r < 0)
                        return r;
        }
        return -EBUSY;
}

void lock_inode_path(const struct stat *st, char ret[static LOCK_INODE_PATH_MAX]) {
        if (S_ISBLK(st->st_mode))
                (void) snprintf(ret, LOCK_INODE_PATH_MAX, INODE_LOCK_DIR "/block-%u:%u",
                                major(st->st_rdev), minor(st->st_rdev)); /* it fits */
        else
                (void) snprintf(ret, LOCK_INODE_PATH_MAX,
                                INODE_LOCK_DIR "/inode-%" PRIu64 ":%" PRIu64, (uint64_t) st->st_dev,
                                (uint64_t) st->st_ino); /* it fits */
}

int lock_take_inode(const struct stat *st, LockMode mode) {
        char path[LOCK_INODE_PATH_MAX];
        lock_inode_path(st, path);
        return lock_take(INODE_LOCK_DIR, path + STRLEN(INODE_LOCK_DIR "/"), mode);
}

static bool is_at(const char *path, bool follow, const struct stat *st) {
        struct stat now;
        if (fstatat(AT_FDCWD, path, &now, follow ? 0 : AT_SYMLINK_NOFOLLOW) < 0)
                return false;
        return S_ISBLK(st->st_mode) ? S_ISBLK(now.st_mode) && now.st_rdev == st->st_rdev
                                    : now.st_dev == st->st_dev && now.st_ino == st->st_ino;
}

int lock_take_inode_at(const char *path, bool follow, const struct stat *st, LockMode mode) {
        char lock_path[LOCK_INODE_PATH_MAX];
        int fd = lock_take_inode(st, mode);
        if ((fd < 0 && fd != -EBUSY) || is_at(path, follow, st))
                return fd;
        if (fd >= 0 && mode == LOCK_MODE_EXCLUSIVE) {
                lock_inode_path(st, lock_path);
                (void) unlink(lock_path); /* it may stay, too */
        }
        fd_close(fd);
        return -ESTALE;
}

int lock_take_image_name(const char *name, LockMode mode) {
        char file[NAME_MAX + 1];
        int n = snprintf(file, sizeof(file), "name-%s", name);
        return n < 0 || (size_t) n >= sizeof(file) ? -ENAMETOOLONG
                                                   : lock_take(INODE_LOCK_DIR, file, mode);
}
