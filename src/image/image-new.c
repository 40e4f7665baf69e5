/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* New images.
 *
 * Sequence: lock of the name; with an old image that is to be replaced, its locks; a leftover, in it an empty directory or file; what others fill in;
 * syncfs; renameat2(NOREPLACE or EXCHANGE), the moment at which it counts; fsync of the directory. The old one is removed by the name of the leftover. */
#include "image/image-new.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "basic/str.h"
#include "image/snapshot.h"
#include "sys/btrfs.h"

static int failed(int code, const char *what, const ImageNew *n, Error *reterr) {
        code = error_set_errno(reterr, code, ERROR_FAILED, "%s image '%s' failed", what, n->name);
        if (IN_SET(code, -ENOSPC, -EDQUOT))
                error_hint(reterr, "make room in '%s'", n->leftover.directory);
        return code;
}

/* ---- before ---- */

static int cannot_replace(const Image *old, const char *why, Error *reterr) {
        int r = error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                          "Image '%s' at '%s' cannot be replaced: it %s", old->name, old->entry,
                          why);
        error_hint(reterr,
                   old->kind == IMAGE_MSTACK ? "remove it first" : "remove or rename it first");
        return r;
}

/* It is none of what the new one is. */
static const char *other_kind(const Image *old) {
        switch (old->kind) {
        case IMAGE_RAW:
                return "is a disk image, and the new one is a directory";
        case IMAGE_BLOCK:
                return "is a block device";
        case IMAGE_MSTACK:
                return "is a stack of layers";
        default:
                return "is a directory, and the new one is a disk image";
        }
}

/* 1: there is one; 0: there is none. */
static int take_old(const ImagePool *pool, ImageNew *n, Error *reterr) {
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ char *path = path_join(pool->path ?: IMAGE_POOL, n->file);
        if (!path)
                return error_oom(reterr);
        int r = image_check_free(pool, n->name, &e);
        if (r >= 0)
                return 0;
        if (r != -EEXIST)
                return error_take(reterr, &e);
        r = image_lookup(pool->places, n->name, &n->old, reterr);
        if (r < 0)
                return r;
        const bool raw = n->old->kind == IMAGE_RAW;
        if (n->old->versioned)
                return cannot_replace(n->old, "is a directory of versions", reterr);
        if (raw != (n->kind == IMAGE_RAW) || (!raw && !image_is_tree(n->old)))
                return cannot_replace(n->old, other_kind(n->old), reterr);
        if (!streq(n->old->entry, path))
                return cannot_replace(n->old, "is not in the pool of new images", reterr);
        r = image_lock(n->old, LOCK_MODE_EXCLUSIVE, &n->old_lock, reterr);
        if (r >= 0)
                r = image_check_unused(n->old, reterr);
        return r < 0 ? r : 1;
}

static int make_empty(ImageNew *n, Error *reterr) {
        const Leftover *l = &n->leftover;
        int r = 0;
        if (n->kind == IMAGE_RAW) {
                n->fd = openat(l->directory_fd, l->name,
                               O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
                return n->fd < 0 ? failed(-errno, "Making", n, reterr) : 0;
        }
        if (btrfs_is_on(l->directory_fd)) {
                r = btrfs_subvolume_create(l->directory_fd, l->name);
                if (r >= 0)
                        n->kind = IMAGE_SUBVOLUME;
        }
        if (n->kind == IMAGE_DIRECTORY) /* also where a subvolume cannot be had */
                r = mkdirat(l->directory_fd, l->name, 0700) < 0 ? -errno : 0;
        if (r >= 0) {
                n->fd = openat(l->directory_fd, l->name,
                               O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                r = n->fd < 0 || fchmod(n->fd, 0700) < 0 ? -errno : 0;
        }
        return r < 0 ? failed(r, "Making", n, reterr) : 0;
}

static int begin(const ImagePool *pool, const char *name, bool replace, ImageNew *n,
                 Error *reterr) {
        n->name = strdup(name);
        n->file = strjoin(name, n->kind == IMAGE_RAW ? ".raw" : "");
        _cleanup_free_ char *path = n->file ? path_join(pool->path ?: IMAGE_POOL, n->file) : NULL;
        if (!n->name || !path)
                return error_oom(reterr);
        n->name_lock = image_lock_name(name, reterr);
        if (n->name_lock < 0)
                return n->name_lock;
        image_settle(pool, name);
        int r = replace ? take_old(pool, n, reterr) : image_check_free(pool, name, reterr);
        if (r == -EEXIST)
                error_hint(reterr, "choose another name, or replace it with --force");
        if (r == 0) /* those of what it replaces stay */
                r = snapshot_check_none(path, name, reterr);
        if (r >= 0)
                r = leftover_begin(pool->path ?: IMAGE_POOL, name, &n->leftover, reterr);
        return r < 0 ? r : make_empty(n, reterr);
}

int image_new_begin(const ImagePool *pool, const char *name, ImageKind kind, bool replace,
                    ImageNew *ret, Error *reterr) {
        ImageNew n = IMAGE_NEW_NULL;
        n.kind = kind;
        int r = image_check_name(name, reterr);
        if (r >= 0)
                r = begin(pool, name, replace, &n, reterr);
        if (r < 0)
                image_new_done(&n);
        else
                *ret = n;
        return r < 0 ? r : 0;
}

/* ---- after ---- */

/* Two directories of which one is immutable do not change places. */
static int exchange(const ImageNew *n) {
        const Leftover *l = &n->leftover;
        _cleanup_close_ int fd = n->old->link
                                         ? -EBADF
                                         : openat(l->directory_fd, n->file,
                                                  O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        const bool immutable = fd >= 0 && image_set_fd_immutable(fd, false) > 0;
        if (renameat2(l->directory_fd, l->name, l->directory_fd, n->file, RENAME_EXCHANGE) >= 0)
                return 0;
        int r = -errno;
        if (immutable)
                (void) image_set_fd_immutable(fd, true); /* it was possible before */
        return r;
}

int image_new_finish(ImageNew *n, bool read_only, Error *reterr) {
        const Leftover *l = &n->leftover;
        int r = 0;
        if (n->kind != IMAGE_DIRECTORY)
                r = image_set_fd_read_only(n->fd, n->kind, read_only);
        if (r >= 0 && syncfs(l->directory_fd) < 0)
                r = -errno;
        if (r < 0)
                return failed(r, "Writing", n, reterr);
        if (n->old)
                r = exchange(n);
        else if (renameat2(l->directory_fd, l->name, l->directory_fd, n->file, RENAME_NOREPLACE) <
                 0)
                r = -errno;
        if (r == -EEXIST)
                return error_set(reterr, r, ERROR_FAILED, "There is a file '%s/%s' already",
                                 l->directory, n->file);
        if (r < 0)
                return failed(r, "Naming", n, reterr);
        (void) fsync(l->directory_fd); /* it is there; some file systems cannot promise more */
        /* an immutable directory could not have been renamed */
        r = read_only && n->kind == IMAGE_DIRECTORY ? image_set_fd_read_only(n->fd, n->kind, true)
                                                    : 0;
        if (IN_SET(r, -ENOTTY, -EOPNOTSUPP))
                return error_set(
                        reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                        "Image '%s' is there, but its file system cannot mark a directory read-only",
                        n->name);
        return r < 0 ? failed(r, "Marking read-only the", n, reterr) : 0;
}

void image_new_done(ImageNew *n) {
        n->fd = fd_close(n->fd);
        leftover_done(&n->leftover);
        image_lock_done(&n->old_lock);
        n->name_lock = fd_close(n->name_lock);
        if (n->old)
                n->old = image_free(n->old);
        n->name = mfree(n->name);
        n->file = mfree(n->file);
}
