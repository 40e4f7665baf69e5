/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Removing trees.
 *
 * Calls: unlinkat; openat2(BENEATH | NO_SYMLINKS | NO_XDEV) of directories; SNAP_DESTROY of subvolumes, which is done with all that is in
 * them at once; FS_IOC_SETFLAGS where an attribute is in the way. Directories that are very deep are moved up to the top first, so that
 * descriptors do not run out. */
#include "sys/tree-delete.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "sys/btrfs.h"
#include "sys/syscalls.h"

#define DEPTH_MAX 128U

typedef struct Deletion {
        TreeTick tick;
        void *userdata;
        int top_fd; /* of the tree; -EBADF: not entered yet */
        unsigned depth;
        unsigned long n_moved;
} Deletion;

static int open_directory(int dir_fd, const char *name) {
        int fd = sys_openat2(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0,
                             RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
        return fd >= 0 ? fd : errno == EXDEV ? -EBUSY : -errno;
}

/* What chattr(1) has set. 1: something was changed. */
static int make_mutable(int fd) {
        int flags;
        if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 || !(flags & (FS_IMMUTABLE_FL | FS_APPEND_FL)))
                return 0;
        flags &= ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
        return ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
}

static int make_entry_mutable(int dir_fd, const char *name) {
        struct stat st;
        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
                return 0;
        _cleanup_close_ int fd =
                sys_openat2(dir_fd, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC, 0,
                            RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
        return fd >= 0 && make_mutable(fd) > 0;
}

static int unlink_entry(int dir_fd, const char *name, int flags) {
        if (unlinkat(dir_fd, name, flags) == 0)
                return 0;
        int r = -errno;
        if (r != -EPERM)
                return r;
        struct stat st;
        if (flags == 0 && fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISDIR(st.st_mode))
                return -EISDIR; /* POSIX's word for it is EPERM */
        bool changed = make_mutable(dir_fd) > 0;
        changed = make_entry_mutable(dir_fd, name) > 0 || changed;
        return changed && unlinkat(dir_fd, name, flags) == 0 ? 0 : r;
}

static int delete_entry(Deletion *d, int dir_fd, const char *name);

static int delete_entries(Deletion *d, int fd) {
        int r = 0, again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = again < 0 ? NULL : fdopendir(again);
        if (!dir) {
                r = -errno;
                fd_close(again);
                return r;
        }
        for (struct dirent *e; r >= 0 && (errno = 0, e = readdir(dir));)
                if (!streq(e->d_name, ".") && !streq(e->d_name, ".."))
                        r = delete_entry(d, fd, e->d_name);
        if (r >= 0 && errno > 0)
                r = -errno;
        (void) closedir(dir); /* was only read */
        return r;
}

/* Up to the top, under another name: it is found there by the reading that goes on, or by the next one. */
static int move_up(Deletion *d, int dir_fd, const char *name) {
        char moved[48];
        (void) snprintf(moved, sizeof(moved), ".#deep-%lu", d->n_moved++); /* it fits */
        return renameat(dir_fd, name, d->top_fd, moved) < 0 ? -errno : 0;
}

static int delete_directory(Deletion *d, int dir_fd, const char *name) {
        if (d->depth >= DEPTH_MAX && move_up(d, dir_fd, name) >= 0)
                return 0;
        _cleanup_close_ int fd = open_directory(dir_fd, name);
        if (fd < 0)
                return fd;
        if (btrfs_subvolume_destroy(dir_fd, name, fd) >= 0)
                return d->tick ? d->tick(d->userdata, 1, 0) : 0;
        const bool top = d->top_fd < 0;
        int r;
        if (top)
                d->top_fd = fd;
        for (;;) {
                d->depth++;
                r = delete_entries(d, fd);
                d->depth--;
                if (r >= 0)
                        r = unlink_entry(dir_fd, name, AT_REMOVEDIR);
                if (r != -ENOTEMPTY || !top || d->n_moved == 0)
                        break;
                d->n_moved =
                        0; /* what was moved up is there; when nothing was, it will not end well */
        }
        if (r < 0)
                return r;
        return d->tick ? d->tick(d->userdata, 1, 0) : 0;
}

static int delete_entry(Deletion *d, int dir_fd, const char *name) {
        int r = unlink_entry(dir_fd, name, 0);
        if (IN_SET(r, -EISDIR))
                return delete_directory(d, dir_fd, name);
        if (r < 0)
                return r;
        return d->tick ? d->tick(d->userdata, 1, 0) : 0;
}

int tree_delete(int parent_fd, const char *name, TreeTick tick, void *userdata) {
        Deletion d = { .tick = tick, .userdata = userdata, .top_fd = -EBADF };
        return delete_entry(&d, parent_fd, name);
}
