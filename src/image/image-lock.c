/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Locks of images, and what else says that one is in use. */
#include "image/image-lock.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/path.h"
#include "basic/str.h"
#include "image/image-work.h"
#include "sys/lock-holder.h"
#include "sys/mountinfo.h"

static int busy(const char *what, const char *lock_path, Error *reterr) {
        _cleanup_free_ char *holder = lock_describe_holder(lock_path, "another program");
        int r = error_set(reterr, -EBUSY, ERROR_ROOT_BUSY, "%s is in use by %s", what,
                          strempty(holder));
        error_hint(reterr, "wait for its end, or stop it: 'berth list' shows what runs");
        return r;
}

/* The one beside it. On a file system that cannot be written nobody writes, so that reading needs none. */
static int lock_file(const Image *i, const char *what, ImageLock *l, Error *reterr) {
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
                return busy(what, l->file, reterr);
        return error_set_errno(reterr, l->file_fd, ERROR_FAILED, "Locking image '%s' failed",
                               i->name);
}

/* Of what has the name now: who starts a container takes no lock by name. */
static int lock_inode(const char *what, const char *path, ImageLock *l, Error *reterr) {
        l->inode_fd = -ESTALE;
        for (unsigned n = 0; n < LOCK_PATH_TRIES && l->inode_fd == -ESTALE; n++) {
                if (stat(path, &l->st) < 0)
                        return error_set_errno(reterr, -errno, ERROR_FAILED, "Locking '%s' failed",
                                               path);
                lock_inode_path(&l->st, l->inode_path);
                l->inode_fd = lock_take_inode_at(path, /* follow= */ true, &l->st, l->mode);
        }
        if (l->inode_fd == -EBUSY)
                return busy(what, l->inode_path, reterr);
        if (l->inode_fd == -ESTALE) {
                error_set(reterr, -EBUSY, ERROR_ROOT_BUSY, "%s was replaced meanwhile", what);
                error_hint(reterr, "wait for the end of what is done with it, and try again");
                return -EBUSY;
        }
        return l->inode_fd < 0 ? error_set_errno(reterr, l->inode_fd, ERROR_FAILED,
                                                 "Locking '%s' failed", path)
                               : 0;
}

int image_lock_path(const char *what, const char *path, LockMode mode, ImageLock *ret,
                    Error *reterr) {
        _cleanup_(image_lock_done) ImageLock l = IMAGE_LOCK_NULL;
        l.mode = mode;
        int r = lock_inode(what, path, &l, reterr);
        if (r < 0)
                return r;
        *ret = l;
        l = (ImageLock) IMAGE_LOCK_NULL;
        return 0;
}

/* What is known of it is not true any more. */
static int check_type(const Image *i, const ImageLock *l, Error *reterr) {
        if ((l->st.st_mode & S_IFMT) == (i->st.st_mode & S_IFMT))
                return 0;
        int r = error_set(reterr, -EBUSY, ERROR_ROOT_BUSY,
                          "Image '%s' was replaced by something else meanwhile", i->name);
        error_hint(reterr, "try again");
        return r;
}

int image_lock(const Image *i, LockMode mode, ImageLock *ret, Error *reterr) {
        _cleanup_(image_lock_done) ImageLock l = IMAGE_LOCK_NULL;
        _cleanup_free_ char *what = strf("Image '%s'", i->name);
        l.mode = mode;
        int r = what ? lock_file(i, what, &l, reterr) : error_oom(reterr);
        if (r >= 0)
                r = lock_inode(what, i->path, &l, reterr);
        if (r >= 0)
                r = check_type(i, &l, reterr);
        if (r < 0)
                return r;
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

/* ---- several ---- */

static bool is_locked(const ImageLocks *l, const char *path) {
        struct stat st;
        bool found = false;
        if (stat(path, &st) < 0)
                return false; /* locking it tells */
        for (size_t k = 0; !found && k < l->n; k++)
                found = l->locks[k].st.st_dev == st.st_dev && l->locks[k].st.st_ino == st.st_ino;
        return found;
}

int image_locks_add(ImageLocks *l, const char *what, const char *path, Error *reterr) {
        _cleanup_(image_lock_done) ImageLock lock = IMAGE_LOCK_NULL;
        if (is_locked(l, path))
                return 0;
        int r = image_lock_path(what, path, LOCK_MODE_EXCLUSIVE, &lock, reterr);
        if (r < 0)
                return r;
        ImageLock *added = ARRAY_APPEND(l->locks, l->n);
        if (!added)
                return error_oom(reterr);
        *added = lock;
        lock = (ImageLock) IMAGE_LOCK_NULL;
        return 0;
}

void image_locks_done(ImageLocks *l) {
        for (size_t k = 0; k < l->n; k++)
                image_lock_done(l->locks + k);
        l->locks = mfree(l->locks);
        l->n = 0;
}

static int lock_part(const Image *i, const char *directory, const char *name, ImageLocks *l,
                     Error *reterr) {
        _cleanup_free_ char *what = strf("'%s' of image '%s'", name, i->name),
                            *path = path_join(directory, name);
        return what && path ? image_locks_add(l, what, path, reterr) : error_oom(reterr);
}

/* Versions are one level below. Links lead to what is not of this image. */
static int lock_parts(const Image *i, const char *path, bool versions, ImageLocks *l,
                      Error *reterr) {
        DIR *d = opendir(path);
        int r = 0;

        if (!d)
                return error_set_errno(reterr, -errno, ERROR_FAILED, "Reading image '%s' failed",
                                       i->name);
        for (struct dirent *e = readdir(d); e && r >= 0; e = readdir(d)) {
                struct stat st;
                if (e->d_name[0] == '.' ||
                    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
                    !(S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)))
                        continue;
                r = lock_part(i, path, e->d_name, l, reterr);
                if (r < 0 || versions || !S_ISDIR(st.st_mode) || !endswith(e->d_name, ".v"))
                        continue;
                _cleanup_free_ char *inner = path_join(path, e->d_name);
                r = inner ? lock_parts(i, inner, /* versions= */ true, l, reterr)
                          : error_oom(reterr);
        }
        (void) closedir(d); /* was only read */
        return r;
}

int image_lock_parts(const Image *i, ImageLocks *l, Error *reterr) {
        return i->kind == IMAGE_MSTACK && !i->link
                       ? lock_parts(i, i->path, /* versions= */ false, l, reterr)
                       : 0;
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

/* ---- mounts ---- */

/* Nobody's mount is taken away from under him, and what is the running system's stays. */
int image_check_unused(const Image *i, Error *reterr) {
        _cleanup_(mount_table_done) MountTable t = { 0 };
        _cleanup_free_ char *real = realpath(i->path, NULL);
        struct stat root, st;
        if (stat("/", &root) == 0 && stat(i->path, &st) == 0 && root.st_dev == st.st_dev &&
            root.st_ino == st.st_ino)
                return error_set(reterr, -EBUSY, ERROR_ROOT_BUSY,
                                 "Image '%s' is the root directory of the running system", i->name);
        _cleanup_close_ int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
        int r = fd < 0 ? -errno : mount_table_read(fd, &t);
        if (r < 0 || !real)
                return error_set_errno(reterr, r < 0 ? r : -errno, ERROR_FAILED,
                                       "Looking for mounts in image '%s' failed", i->name);
        for (size_t k = 0; !i->link && k < t.n_entries; k++) {
                if (!path_startswith(t.entries[k].mount_point, real))
                        continue;
                r = error_set(reterr, -EBUSY, ERROR_ROOT_BUSY,
                              "Image '%s' is in use: something is mounted on '%s'", i->name,
                              t.entries[k].mount_point);
                error_hint(reterr, "unmount it first");
                return r;
        }
        return 0;
}
