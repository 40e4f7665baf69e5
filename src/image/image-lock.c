/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Locks of images. */
#include "image/image-lock.h"

#include <unistd.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "sys/lock-holder.h"

static int busy(const Image *i, const char *lock_path, Error *reterr) {
        _cleanup_free_ char *holder = lock_describe_holder(lock_path, "another program");
        int r = error_set(reterr, -EBUSY, ERROR_ROOT_BUSY, "Image '%s' is in use by %s", i->name,
                          strempty(holder));
        error_hint(reterr, "wait for its end, or stop it: 'berth list' shows what runs");
        return r;
}

/* The one beside it. On a file system that cannot be written nobody writes, so that reading needs none. */
static int lock_file(const Image *i, ImageLock *l, Error *reterr) {
        _cleanup_free_ char *directory = NULL, *name = NULL;
        if (path_startswith(i->path, "/dev"))
                return 0;
        name = strf(".#%s.lck", path_last_component(i->path));
        if (!name || path_extract_directory(i->path, &directory) < 0)
                return error_oom(reterr);
        l->file = path_join(directory, name);
        if (!l->file)
                return error_oom(reterr);
        l->file_fd = lock_take(directory, name, l->mode);
        if (l->file_fd >= 0 || (l->mode == LOCK_MODE_SHARED && l->file_fd == -EROFS))
                return 0;
        if (l->file_fd == -EBUSY)
                return busy(i, l->file, reterr);
        return error_set_errno(reterr, l->file_fd, ERROR_FAILED, "Locking image '%s' failed",
                               i->name);
}

int image_lock(const Image *i, LockMode mode, ImageLock *ret, Error *reterr) {
        _cleanup_(image_lock_done) ImageLock l = IMAGE_LOCK_NULL;
        l.mode = mode;
        int r = lock_file(i, &l, reterr);
        if (r < 0)
                return r;
        lock_inode_path(&i->st, l.inode_path);
        l.inode_fd = lock_take_inode(&i->st, mode);
        if (l.inode_fd == -EBUSY)
                return busy(i, l.inode_path, reterr);
        if (l.inode_fd < 0)
                return error_set_errno(reterr, l.inode_fd, ERROR_FAILED,
                                       "Locking image '%s' failed", i->name);
        *ret = l;
        l = (ImageLock) IMAGE_LOCK_NULL;
        return 0;
}

static void release(int *fd, const char *path, LockMode mode) {
        struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        if (*fd < 0)
                return;
        /* who has it alone may remove it: nobody can have taken it meanwhile */
        if (mode == LOCK_MODE_EXCLUSIVE || fcntl(*fd, F_OFD_SETLK, &all) == 0)
                (void) unlink(path); /* it may stay, too */
        *fd = fd_close(*fd);
}

void image_lock_done(ImageLock *l) {
        release(&l->inode_fd, l->inode_path, l->mode);
        release(&l->file_fd, l->file, l->mode);
        l->file = mfree(l->file);
}

int image_lock_name(const char *name, Error *reterr) {
        int fd = lock_take_image_name(name, LOCK_MODE_EXCLUSIVE);
        if (fd == -EBUSY) {
                error_set(reterr, fd, ERROR_ROOT_BUSY,
                          "Another program is making, renaming or removing an image '%s'", name);
                error_hint(reterr, "wait for its end, or choose another name");
                return fd;
        }
        return fd < 0 ? error_set_errno(reterr, fd, ERROR_FAILED,
                                        "Locking the image name '%s' failed", name)
                      : fd;
}
