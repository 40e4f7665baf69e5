/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes of one image: clone, rename, remove, read-only, limit.
 *
 * Sequence of all that make or take a name: locks; a leftover with its promise; side-cars; the work under the temporary name; syncfs; renameat2
 * (the moment at which it counts); fsync of the directory; then what is not needed any more goes with leftover_done(). */
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "basic/strv.h"
#include "image/image-lock.h"
#include "image/image-work.h"
#include "image/snapshot.h"
#include "sys/btrfs.h"
#include "sys/tree-delete.h"

static int failed(int code, const char *what, const char *name, Error *reterr) {
        return error_set_errno(reterr, code, ERROR_FAILED, "%s image '%s' failed", what, name);
}

static int check_changeable(const Image *i, Error *reterr) {
        if (i->vendor)
                return error_set(reterr, -EROFS, ERROR_UNSUPPORTED,
                                 "Image '%s' in '%s' belongs to the system, and is not changed",
                                 i->name, i->entry);
        return 0;
}

/* What a stack is made of may be elsewhere, and others' too: systemd-machined does none of these either. */
static int check_not_stack(const Image *i, const char *what, Error *reterr) {
        if (i->kind != IMAGE_MSTACK)
                return 0;
        int r = error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                          "Image '%s' is a stack of layers, and cannot be %s", i->name, what);
        error_hint(reterr, "work on the directories in '%s'", i->path);
        return r;
}

static int check_not_versioned(const Image *i, Error *reterr) {
        int r = check_changeable(i, reterr);
        if (r < 0 || !i->versioned)
                return r;
        r = error_set(
                reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                "Image '%s' is a directory of versions, and cannot be renamed or removed as one",
                i->name);
        error_hint(reterr, "remove or rename what is in '%s'", i->entry);
        return r;
}

/* What would be found under another name, as something else, or never. */
static int check_new_name(const char *name, Error *reterr) {
        static const char *const others[][2] = {
                { ".v", "that is a directory of versions" },
                { ".mstack", "that is a stack of layers" },
        };
        const char *why = streq(name, ".host") ? "that is the host itself" : NULL;
        for (size_t i = 0; !why && i < ELEMENTSOF(others); i++)
                if (endswith(name, others[i][0]))
                        why = others[i][1];
        if (!why)
                return 0;
        int r = error_set(reterr, -EINVAL, ERROR_INVALID_NAME, "No new image can be named '%s': %s",
                          name, why);
        error_hint(reterr, "choose another name");
        return r;
}

int image_check_free(const ImagePool *pool, const char *name, Error *reterr) {
        _cleanup_(image_freep) Image *other = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        int r = check_new_name(name, reterr);
        if (r < 0)
                return r;
        r = image_lookup(pool->places, name, &other, &e);
        if (r == -ENOENT && !strstr(error_message(&e), "symbolic link"))
                return 0;
        if (r >= 0 || e.id == ERROR_UNSUPPORTED || e.id == ERROR_ROOT_NOT_FOUND)
                return error_set(reterr, -EEXIST, ERROR_FAILED, "There is an image '%s' already",
                                 name);
        return error_take(reterr, &e);
}

/* What the name of the entry ends with, behind that of the image. */
static const char *suffix_of(const Image *i) {
        return i->kind == IMAGE_RAW ? ".raw" : "";
}

int image_put_in_place(const Leftover *l, const char *file, const char *name, Error *reterr) {
        if (syncfs(l->directory_fd) < 0)
                return failed(-errno, "Writing", name, reterr);
        if (renameat2(l->directory_fd, l->name, l->directory_fd, file, RENAME_NOREPLACE) < 0) {
                int r = -errno;
                if (r == -EEXIST)
                        return error_set(reterr, r, ERROR_FAILED, "There is a file '%s/%s' already",
                                         l->directory, file);
                return failed(r, "Naming", name, reterr);
        }
        (void) fsync(l->directory_fd); /* it is there; some file systems cannot promise more */
        return 0;
}

/* ---- read-only ---- */

/* 1: it was set before. */
int image_set_fd_immutable(int fd, bool on) {
        int flags;
        if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
                return -errno;
        const bool before = flags & FS_IMMUTABLE_FL;
        flags = on ? flags | FS_IMMUTABLE_FL : flags & ~FS_IMMUTABLE_FL;
        if (before != on && ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0)
                return -errno;
        return before;
}

int image_set_fd_read_only(int fd, ImageKind kind, bool on) {
        struct stat st;
        int value = on;
        switch (kind) {
        case IMAGE_SUBVOLUME:
                return btrfs_subvolume_set_read_only(fd, on);
        case IMAGE_RAW:
                if (fstat(fd, &st) < 0)
                        return -errno;
                return fchmod(fd, (st.st_mode & 07555) | (on ? 0 : 0200)) < 0 ? -errno : 0;
        case IMAGE_BLOCK:
                return ioctl(fd, BLKROSET, &value) < 0 ? -errno : 0;
        default:
                return image_set_fd_immutable(fd, on);
        }
}

int image_mark_read_only(const ImagePool *pool, const Image *i, bool read_only, Error *reterr) {
        _cleanup_(image_lock_done) ImageLock lock = IMAGE_LOCK_NULL;
        int r = check_changeable(i, reterr);
        if (r >= 0)
                r = check_not_stack(i, "marked read-only", reterr);
        if (r >= 0)
                r = image_lock(i, LOCK_MODE_EXCLUSIVE, &lock, reterr);
        if (r < 0)
                return r;
        _cleanup_close_ int fd = open(i->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        r = fd < 0 ? -errno : image_set_fd_read_only(fd, i->kind, read_only);
        if (IN_SET(r, -ENOTTY, -EOPNOTSUPP))
                return error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                                 "The file system of '%s' cannot mark a directory read-only",
                                 i->path);
        if (r >= 0)
                (void) fsync(fd); /* best effort */
        return r < 0 ? failed(r, "Changing", i->name, reterr) : 0;
}

/* ---- clone ---- */

static int copy_failed(int r, const Image *i, const TreeCopy *copy, Error *reterr) {
        if (r == -ECANCELED)
                return error_set(reterr, r, ERROR_FAILED, "Copying '%s' was given up", i->name);
        if (r == -EBUSY) {
                r = error_set(reterr, r, ERROR_ROOT_BUSY, "Something is mounted on '%s' in '%s'",
                              strempty(copy->failed), i->path);
                error_hint(reterr, "unmount it first: only a snapshot of btrfs leaves out what is "
                                   "mounted, a copy does not");
                return r;
        }
        r = error_set_errno(reterr, r, ERROR_FAILED, "Copying '%s%s%s' failed", i->path,
                            isempty(copy->failed) ? "" : "/", strempty(copy->failed));
        if (IN_SET(r, -ENOSPC, -EDQUOT))
                error_hint(reterr, "make room in the pool: 'berth clean', 'berth du'");
        return r;
}

/* What was opened before must be what is locked. */
static int lock_for_copy(const Image *i, int fd, ImageLock *l, Error *reterr) {
        struct stat st;
        int r = l ? image_lock(i, LOCK_MODE_SHARED, l, reterr) : 0;
        if (r < 0 || !l)
                return r;
        if (fstat(fd, &st) < 0)
                return failed(-errno, "Opening", i->name, reterr);
        if (st.st_dev == l->st.st_dev && st.st_ino == l->st.st_ino)
                return 0;
        r = error_set(reterr, -EBUSY, ERROR_ROOT_BUSY, "Image '%s' was replaced meanwhile",
                      i->name);
        error_hint(reterr, "try again");
        return r;
}

/* Snapshots and clones of files are what the source is at one moment: somebody may write to it. A copy is not. */
static int copy_tree(const ImagePool *pool, const Image *i, int fd, const Leftover *l, bool locks,
                     Error *reterr) {
        _cleanup_(image_lock_done) ImageLock lock = IMAGE_LOCK_NULL;
        TreeCopy copy = { .tick = pool->tick, .userdata = pool->userdata, .subvolume = true };
        int r = i->kind == IMAGE_SUBVOLUME ? btrfs_subvolume_snapshot(fd, l->directory_fd, l->name)
                                           : -EOPNOTSUPP;
        if (r >= 0)
                return 0;
        (void) tree_delete(l->directory_fd, l->name, NULL, NULL); /* of a part that was made */
        r = lock_for_copy(i, fd, locks ? &lock : NULL, reterr);
        if (r < 0)
                return r;
        r = tree_copy(fd, l->directory_fd, l->name, &copy);
        r = r < 0 ? copy_failed(r, i, &copy, reterr) : 0;
        free(copy.failed);
        return r;
}

static int copy_file(const ImagePool *pool, const Image *i, int fd, const Leftover *l, bool locks,
                     Error *reterr) {
        _cleanup_(image_lock_done) ImageLock lock = IMAGE_LOCK_NULL;
        TreeCopy copy = { .tick = pool->tick, .userdata = pool->userdata };
        int r = lock_for_copy(i, fd, locks ? &lock : NULL, reterr);
        if (r < 0)
                return r;
        r = tree_copy_file(fd, l->directory_fd, l->name, &copy);
        r = r < 0 ? copy_failed(r, i, &copy, reterr) : 0;
        free(copy.failed);
        return r;
}

int image_copy(const ImagePool *pool, const Image *i, const Leftover *l, bool locks,
               Error *reterr) {
        _cleanup_close_ int fd = open(i->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return failed(-errno, "Opening", i->name, reterr);
        return i->kind == IMAGE_RAW ? copy_file(pool, i, fd, l, locks, reterr)
                                    : copy_tree(pool, i, fd, l, locks, reterr);
}

static int finish_clone(const Image *i, const Leftover *l, bool read_only, Error *reterr) {
        _cleanup_close_ int fd =
                openat(l->directory_fd, l->name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return failed(-errno, "Cloning", i->name, reterr);
        const ImageKind kind = image_is_tree(i) && btrfs_is_on(fd) ? IMAGE_SUBVOLUME : i->kind;
        /* a snapshot or copy of what is read-only is not; an immutable directory could not be renamed any more */
        if (kind != IMAGE_RAW && !read_only)
                return 0;
        int r = kind == IMAGE_RAW || kind == IMAGE_SUBVOLUME
                        ? image_set_fd_read_only(fd, kind, read_only)
                        : 0;
        return r < 0 ? failed(r, "Marking read-only", i->name, reterr) : 0;
}

static int make_immutable(const Leftover *l, const char *file, Error *reterr) {
        _cleanup_close_ int fd =
                openat(l->directory_fd, file, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
        struct stat st;
        if (fd < 0 || fstat(fd, &st) < 0)
                return failed(-errno, "Opening", file, reterr);
        if (!S_ISDIR(st.st_mode) || btrfs_is_on(fd))
                return 0; /* was marked before */
        int r = image_set_fd_immutable(fd, true);
        return r < 0 ? failed(r, "Marking read-only", file, reterr) : 0;
}

/* They are promised twice: when they are there, they can be told from others'. */
static int copy_side_cars(Leftover *l, const LeftoverRule *rules, size_t n, char *const *from,
                          char *const *to, Error *reterr) {
        int r = leftover_promise(l, rules, n, reterr);
        if (r >= 0)
                r = side_cars_copy(from, to, reterr);
        return r >= 0 && to && *to ? leftover_promise(l, rules, n, reterr) : r;
}

static int clone_under(const ImagePool *pool, const Image *i, const char *name, bool read_only,
                       Leftover *l, Error *reterr) {
        _cleanup_strv_free_ char **from = NULL, **to = NULL, **new_from = NULL, **new_to = NULL;
        _cleanup_free_ char *file = strjoin(name, suffix_of(i)),
                            *path = file ? path_join(l->directory, file) : NULL;
        if (!path)
                return error_oom(reterr);
        int r = image_copy(pool, i, l, /* locks= */ true, reterr);
        if (r >= 0)
                r = side_cars_find(pool, i, l->directory, name, &from, &to, reterr);
        if (r >= 0)
                r = side_cars_missing(from, to, &new_from, &new_to, reterr);
        if (r >= 0)
                r = copy_side_cars(l, &(LeftoverRule){ .image = path, .files = new_to }, 1,
                                   new_from, new_to, reterr);
        if (r >= 0)
                r = finish_clone(i, l, read_only, reterr);
        if (r >= 0)
                r = image_put_in_place(l, file, name, reterr);
        return r >= 0 && read_only ? make_immutable(l, file, reterr) : r;
}

int image_clone(const ImagePool *pool, const Image *source, const char *name, bool read_only,
                Error *reterr) {
        _cleanup_close_ int name_lock = -EBADF; /* until the promise is kept */
        _cleanup_(leftover_done) Leftover l = LEFTOVER_NULL;
        int r = image_check_name(name, reterr);
        if (r >= 0)
                r = check_not_stack(source, "cloned", reterr);
        if (r < 0)
                return r;
        if (source->kind == IMAGE_BLOCK) {
                r = error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                              "Image '%s' is a block device, and cannot be cloned", source->name);
                error_hint(reterr, "copy its contents into the file %s/%s.raw",
                           pool->path ?: IMAGE_POOL, name);
                return r;
        }
        name_lock = image_lock_name(name, reterr);
        if (name_lock < 0)
                return name_lock;
        _cleanup_free_ char *path = strjoin(pool->path ?: IMAGE_POOL, "/", name, suffix_of(source));
        if (!path)
                return error_oom(reterr);
        image_settle(pool, name);
        r = image_check_free(pool, name, reterr);
        if (r >= 0)
                r = snapshot_check_none(path, name, reterr);
        if (r >= 0)
                r = leftover_begin(pool->path ?: IMAGE_POOL, name, &l, reterr);
        return r < 0 ? r : clone_under(pool, source, name, read_only, &l, reterr);
}

/* ---- a directory of another one ---- */

static int open_template(const char *template, Image *source, Error *reterr) {
        int fd = open(template, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &source->st) < 0) {
                int r = -errno;
                fd_close(fd);
                return error_set_errno(reterr, r, ERROR_ROOT_NOT_FOUND,
                                       "Template '%s' cannot be used", template);
        }
        source->path = source->entry = (char *) template;
        source->name = (char *) path_last_component(template);
        source->kind =
                btrfs_is_subvolume(template, &source->st) ? IMAGE_SUBVOLUME : IMAGE_DIRECTORY;
        return fd;
}

/* 1: it has been made, 0: somebody else was faster. */
static int make_from(const Image *source, int fd, const char *directory, const char *place,
                     Error *reterr) {
        _cleanup_(leftover_done) Leftover l = LEFTOVER_NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        const char *name = path_last_component(directory);
        char *places[] = { (char *) place, NULL };
        const ImagePool pool = { .places = places, .path = place };

        /* of who was killed over the same; it may stay. Elsewhere nobody knows whose it is. */
        if (strv_contains(image_places, place))
                (void) image_reclaim(&pool, NULL);
        int r = snapshot_check_none(directory, name, &e);
        if (r < 0)
                return access(directory, F_OK) == 0 ? 0 : error_take(reterr, &e);
        r = leftover_begin(place, name, &l, reterr);
        if (r >= 0)
                r = copy_tree(&pool, source, fd, &l, /* locks= */ true, reterr);
        if (r < 0)
                return r;
        r = image_put_in_place(&l, name, name, &e);
        if (r == -EEXIST)
                return 0;
        return r < 0 ? error_take(reterr, &e) : 1;
}

int image_make_from(const char *template, const char *directory, Error *reterr) {
        Image source = { 0 };
        _cleanup_free_ char *place = NULL;
        struct stat st;

        if (lstat(directory, &st) == 0)
                return 0;
        if (path_startswith(directory, template)) {
                int r = error_set(reterr, -EINVAL, ERROR_CONFLICT,
                                  "Directory '%s' cannot be made of '%s', which it would be in",
                                  directory, template);
                error_hint(reterr, "choose a directory outside of the template");
                return r;
        }
        if (path_extract_directory(directory, &place) < 0)
                return error_oom(reterr);
        _cleanup_close_ int fd = open_template(template, &source, reterr);
        return fd < 0 ? fd : make_from(&source, fd, directory, place, reterr);
}

/* ---- rename ---- */

static int rename_entry(const Image *i, const Leftover *l, const char *old_file,
                        const char *new_file, Error *reterr) {
        _cleanup_close_ int fd = i->kind == IMAGE_DIRECTORY && !i->link
                                         ? openat(l->directory_fd, old_file,
                                                  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                                         : -EBADF;
        const bool immutable =
                fd >= 0 && image_set_fd_immutable(fd, false) > 0; /* cannot be renamed */
        int r = syncfs(l->directory_fd) < 0 || renameat2(l->directory_fd, old_file, l->directory_fd,
                                                         new_file, RENAME_NOREPLACE) < 0
                        ? -errno
                        : 0;
        if (immutable)
                (void) image_set_fd_immutable(fd, true); /* it was possible before */
        (void) fsync(l->directory_fd);                   /* some file systems cannot promise more */
        return r < 0 ? failed(r, "Renaming", i->name, reterr) : 0;
}

static int rename_under(const ImagePool *pool, const Image *i, const char *name, Leftover *l,
                        Error *reterr) {
        _cleanup_strv_free_ char **from = NULL, **to = NULL, **new_from = NULL, **new_to = NULL;
        const char *old_file = path_last_component(i->entry);
        _cleanup_free_ char *suffix = strdup(old_file + strlen(i->name)),
                            *file = suffix ? strjoin(name, suffix) : NULL,
                            *path = file ? path_join(l->directory, file) : NULL,
                            *snapshots = path ? snapshot_directory(i->entry) : NULL,
                            *new_snapshots = snapshots ? snapshot_directory(path) : NULL;
        if (!new_snapshots)
                return error_oom(reterr);
        int r = side_cars_find(pool, i, NULL, name, &from, &to, reterr);
        if (r >= 0)
                r = side_cars_missing(from, to, &new_from, &new_to, reterr);
        if (r < 0)
                return r;
        const LeftoverRule rules[] = {
                { .image = path, .files = new_to },
                { .image = i->entry, .files = from, .from = snapshots, .to = new_snapshots },
        };
        r = copy_side_cars(l, rules, ELEMENTSOF(rules), new_from, new_to, reterr);
        return r < 0 ? r : rename_entry(i, l, old_file, file, reterr);
}

static int begin_beside(const Image *i, Leftover *l, Error *reterr) {
        _cleanup_free_ char *directory = NULL;
        return path_extract_directory(i->entry, &directory) < 0
                       ? error_oom(reterr)
                       : leftover_begin(directory, i->name, l, reterr);
}

static int check_no_snapshots(const Image *i, const char *name, Error *reterr) {
        _cleanup_free_ char *directory = NULL, *path = NULL;
        if (path_extract_directory(i->entry, &directory) < 0 ||
            !(path = strjoin(directory, "/", name,
                             path_last_component(i->entry) + strlen(i->name))))
                return error_oom(reterr);
        return snapshot_check_none(path, name, reterr);
}

static int check_followed(const SnapshotLock *snapshots, const Image *i, const char *name,
                          Error *reterr) {
        if (access(snapshots->directory, F_OK) < 0)
                return 0;
        int r = error_set(reterr, -EIO, ERROR_FAILED,
                          "Image '%s' is '%s' now, but its snapshots could not be moved from '%s'",
                          i->name, name, snapshots->directory);
        error_hint(reterr, "'berth clean' tries again");
        return r;
}

int image_rename(const ImagePool *pool, const Image *i, const char *name, Error *reterr) {
        _cleanup_(snapshot_lock_done) SnapshotLock snapshots = SNAPSHOT_LOCK_NULL;
        _cleanup_(image_lock_done) ImageLock lock = IMAGE_LOCK_NULL;
        _cleanup_close_ int name_lock = -EBADF, old_lock = -EBADF; /* until the promise is kept */
        _cleanup_(leftover_done) Leftover l = LEFTOVER_NULL;
        int r = image_check_name(name, reterr);
        if (r >= 0)
                r = check_not_versioned(i, reterr);
        if (r >= 0)
                r = check_not_stack(i, "renamed", reterr);
        if (r >= 0)
                r = image_lock(i, LOCK_MODE_EXCLUSIVE, &lock, reterr);
        if (r < 0)
                return r;
        name_lock = image_lock_name(name, reterr);
        if (name_lock < 0)
                return name_lock;
        image_settle(pool, name);
        r = image_check_free(pool, name, reterr);
        if (r >= 0) /* what goes with it is in the way of a new one of the old name, too */
                r = old_lock = image_lock_name(i->name, reterr);
        if (r >= 0)
                r = check_no_snapshots(i, name, reterr);
        if (r >= 0)
                r = snapshot_lock(i, /* make= */ false, &snapshots, reterr);
        if (r >= 0)
                r = begin_beside(i, &l, reterr);
        if (r >= 0)
                r = rename_under(pool, i, name, &l, reterr);
        if (r < 0)
                return r;
        leftover_done(&l); /* the snapshots have followed */
        return snapshots.fd >= 0 ? check_followed(&snapshots, i, name, reterr) : 0;
}

/* ---- remove ---- */

/* Out of the way: from here on it is gone. */
static int rename_away(const Image *i, Leftover *l, Error *reterr) {
        const char *file = path_last_component(i->entry);
        _cleanup_close_ int fd = i->link ? -EBADF
                                         : openat(l->directory_fd, file,
                                                  O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
        const bool immutable =
                fd >= 0 && i->kind != IMAGE_BLOCK && image_set_fd_immutable(fd, false) > 0;
        if (renameat2(l->directory_fd, file, l->directory_fd, l->name, RENAME_NOREPLACE) < 0) {
                int r = -errno;
                if (immutable)
                        (void) image_set_fd_immutable(fd, true); /* it was possible before */
                return failed(r, "Removing", i->name, reterr);
        }
        (void) fsync(l->directory_fd); /* some file systems cannot promise more */
        return 0;
}

/* What has begun is done; the caller may go. */
static int tick_to_the_end(void *userdata, uint64_t files, uint64_t bytes) {
        const ImagePool *pool = userdata;
        if (pool->tick)
                (void) pool->tick(pool->userdata, files, bytes); /* gone is gone */
        return 0;
}

/* What a new image of the name would take for its own: at once, and nobody makes one meanwhile. */
static void remove_followers(Leftover *l, char *const *files, int *name_lock) {
        struct stat st;
        bool gone = true;
        side_cars_remove(files);
        STRV_FOREACH(f, files)
                gone = gone && lstat(*f, &st) < 0;
        if (gone &&
            leftover_promise(l, NULL, 0, NULL) >= 0) /* what has the name is another's now */
                *name_lock = fd_close(*name_lock);
}

int image_remove(const ImagePool *pool, const Image *i, Error *reterr) {
        _cleanup_(snapshot_lock_done) SnapshotLock snapshots = SNAPSHOT_LOCK_NULL;
        _cleanup_(image_lock_done) ImageLock lock = IMAGE_LOCK_NULL;
        _cleanup_(image_locks_done) ImageLocks locks = IMAGE_LOCKS_NULL; /* of all that goes */
        _cleanup_close_ int name_lock = -EBADF; /* until the promise is kept */
        _cleanup_(leftover_done) Leftover l = LEFTOVER_NULL;
        _cleanup_strv_free_ char **from = NULL, **to = NULL;
        int r = check_not_versioned(i, reterr);
        if (r >= 0)
                r = image_lock(i, LOCK_MODE_EXCLUSIVE, &lock, reterr);
        if (r >= 0)
                r = image_lock_parts(i, &locks, reterr);
        if (r >= 0)
                r = image_check_unused(i, reterr);
        if (r >= 0)
                r = name_lock = image_lock_name(i->name, reterr);
        if (r >= 0)
                r = begin_beside(i, &l, reterr);
        if (r >= 0)
                r = side_cars_find(pool, i, NULL, i->name, &from, &to, reterr);
        if (r >= 0)
                r = snapshot_lock(i, /* make= */ false, &snapshots, reterr);
        if (r > 0 && strv_extend(&from, snapshots.directory) < 0)
                r = error_oom(reterr);
        if (r > 0)
                r = snapshots_lock_all(i, &locks, reterr);
        if (r >= 0)
                r = leftover_promise(&l, &(LeftoverRule){ .image = i->entry, .files = from }, 1,
                                     reterr);
        if (r >= 0)
                r = rename_away(i, &l, reterr);
        if (r < 0)
                return r;
        remove_followers(&l, from, &name_lock);
        snapshot_lock_done(&snapshots);
        r = tree_delete(l.directory_fd, l.name, tick_to_the_end, (void *) pool);
        if (r < 0 && r != -ENOENT) {
                r = error_set_errno(reterr, r, ERROR_FAILED,
                                    "Image '%s' is gone, but removing its files in '%s/%s' failed",
                                    i->name, l.directory, l.name);
                error_hint(reterr, "'berth clean' tries again");
                return r;
        }
        return 0;
}

/* ---- limits ---- */

int image_set_limit(const ImagePool *pool, const Image *i, uint64_t limit, Error *reterr) {
        const char *path = i ? i->path : pool->path ?: IMAGE_POOL;
        int r = i ? check_changeable(i, reterr) : 0;
        if (r >= 0 && i)
                r = check_not_stack(i, "limited", reterr);
        if (r < 0)
                return r;
        _cleanup_close_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        r = fd < 0 ? -errno : btrfs_is_on(fd) ? btrfs_quota_limit(fd, limit) : -EOPNOTSUPP;
        if (r == -EOPNOTSUPP || r == -ENOTTY)
                return error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                                 "'%s' cannot have a limit: only subvolumes of btrfs can", path);
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED, "Limiting '%s' failed", path) : 0;
}
