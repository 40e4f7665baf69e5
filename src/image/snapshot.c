/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Snapshots: made, gone back to, removed.
 *
 * Sequence of a new one: lock of the snapshots; a leftover beside them; the copy under the temporary name, made read-only; syncfs;
 * renameat2(NOREPLACE), the moment at which it counts. Of going back: locks; a leftover, in it a copy of the snapshot, with the limits of the image; the promise that what is there will
 * not be lost; syncfs; renameat2(EXCHANGE) with the image, the moment at which it counts; what was the image gets a snapshot's name. */
#include "image/snapshot.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "basic/str.h"
#include "image/image-lock.h"
#include "sys/btrfs.h"

#define SECONDS_TRIES 120U /* that are tried when there is one of this second */

static int failed(int code, const char *what, const Image *i, Error *reterr) {
        return error_set_errno(reterr, code, ERROR_FAILED, "%s snapshot of image '%s' failed", what,
                               i->name);
}

/* ---- making ---- */

/* A time that no other has: for the name. */
static int choose_name(const SnapshotList *l, const Image *i, const char *name, char **ret_name,
                       char **ret_file, Error *reterr) {
        const char *suffix = i->kind == IMAGE_RAW ? ".raw" : "";
        usec_t now = now_usec(CLOCK_REALTIME);
        char text[SNAPSHOT_TIME_SIZE];
        if (l->n >= SNAPSHOTS_MAX) {
                int r = error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED,
                                  "Image '%s' has %u snapshots already", i->name, SNAPSHOTS_MAX);
                error_hint(reterr, "remove some: 'berth remove-snapshot', 'berth prune-snapshots'");
                return r;
        }
        for (size_t k = 0; name && k < l->n; k++)
                if (streq(l->snapshots[k].name, name))
                        return error_set(reterr, -EEXIST, ERROR_FAILED,
                                         "Image '%s' has a snapshot '%s' already", i->name, name);
        for (unsigned tries = 0; tries < SECONDS_TRIES; tries++) {
                bool taken = false;
                snapshot_format_time(now, text);
                for (size_t k = 0; k < l->n; k++)
                        taken = taken ||
                                startswith(path_last_component(l->snapshots[k].path), text);
                if (!taken)
                        break;
                now += USEC_PER_SEC;
        }
        *ret_name = strdup(name ?: text);
        *ret_file = name ? strjoin(text, ".", name, suffix) : strjoin(text, suffix);
        return *ret_name && *ret_file ? 0 : error_oom(reterr);
}

static int seal_entry(const Leftover *l, const Image *i, int *ret_fd, Error *reterr) {
        _cleanup_close_ int fd = openat(l->directory_fd, l->name,
                                        O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
        int r = fd < 0 ? -errno : snapshot_seal_before(fd);
        if (r < 0)
                return failed(r, "Marking read-only the", i, reterr);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static int copy_now(const ImagePool *pool, const Image *i, const Leftover *l, bool force,
                    Error *reterr) {
        _cleanup_error_ Error e = ERROR_NULL;
        int r = image_copy(pool, i, l, /* locks= */ !force, &e);
        if (r >= 0 || e.id != ERROR_ROOT_BUSY || force)
                return r < 0 ? error_take(reterr, &e) : 0;
        r = error_set(reterr, r, ERROR_ROOT_BUSY, "%s, and would change while it is copied",
                      error_message(&e));
        error_hint(reterr, "stop it; or pause it, and use --force");
        return r;
}

int snapshot_make(const ImagePool *pool, const Image *i, const char *name, bool force,
                  char **ret_name, Error *reterr) {
        _cleanup_(snapshot_lock_done) SnapshotLock lock = SNAPSHOT_LOCK_NULL;
        _cleanup_(snapshot_list_done) SnapshotList list = { 0 };
        _cleanup_(leftover_done) Leftover l = LEFTOVER_NULL;
        _cleanup_free_ char *chosen = NULL, *file = NULL;
        _cleanup_close_ int fd = -EBADF;
        int r = name ? snapshot_check_name(name, reterr) : 0;
        if (r >= 0)
                r = snapshot_check_kind(i, reterr);
        if (r >= 0)
                r = snapshot_lock(i, /* make= */ true, &lock, reterr);
        if (r >= 0)
                r = snapshot_list(i, &list, reterr);
        if (r >= 0)
                r = choose_name(&list, i, name, &chosen, &file, reterr);
        if (r >= 0)
                r = leftover_begin(lock.directory, i->name, &l, reterr);
        if (r >= 0)
                r = copy_now(pool, i, &l, force, reterr);
        if (r >= 0)
                r = seal_entry(&l, i, &fd, reterr);
        if (r >= 0)
                r = image_put_in_place(&l, file, i->name, reterr);
        if (r < 0)
                return r;
        snapshot_seal_behind(fd);
        *ret_name = TAKE_PTR(chosen);
        return 0;
}

/* ---- going back ---- */

/* What is locked and ready to be exchanged. */
typedef struct Back {
        SnapshotLock lock;
        SnapshotList list;
        ImageLock image_lock;
        Leftover l;
        int place_fd;
        char *name, *file, *path; /* of the state that is kept: its name, entry, and path */
} Back;

static void back_done(Back *b) {
        leftover_done(&b->l);
        image_lock_done(&b->image_lock);
        snapshot_list_done(&b->list);
        snapshot_lock_done(&b->lock);
        fd_close(b->place_fd);
        free(b->name);
        free(b->file);
        free(b->path);
}

static int back_begin(const ImagePool *pool, const Image *i, const char *name, Back *b,
                      const Snapshot **ret, Error *reterr) {
        _cleanup_free_ char *place = NULL;
        int r = snapshot_check_kind(i, reterr);
        if (r >= 0)
                r = image_lock(i, LOCK_MODE_EXCLUSIVE, &b->image_lock, reterr);
        if (r >= 0)
                r = image_check_unused(i, reterr);
        if (r >= 0)
                r = snapshot_lock(i, /* make= */ false, &b->lock, reterr);
        if (r >= 0)
                r = snapshot_list(i, &b->list, reterr);
        if (r >= 0)
                r = snapshot_find(&b->list, i, name, ret, reterr);
        if (r >= 0)
                r = choose_name(&b->list, i, NULL, &b->name, &b->file, reterr);
        if (r < 0)
                return r;
        b->path = path_join(b->lock.directory, b->file);
        if (!b->path || path_extract_directory(i->entry, &place) < 0)
                return error_oom(reterr);
        b->place_fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (b->place_fd < 0)
                return failed(-errno, "Going back to a", i, reterr);
        return leftover_begin(b->lock.directory, i->name, &b->l, reterr);
}

/* A limit is the image's, as it is now: the copy has that of the time of the snapshot. */
static int keep_limits(const Image *i, int copy_fd, Error *reterr) {
        if (!image_is_tree(i))
                return 0;
        _cleanup_close_ int fd = open(i->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int r = fd < 0 ? -errno : btrfs_quota_copy_limits(fd, copy_fd);
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED,
                                       "Keeping the limit of image '%s' failed", i->name)
                     : 0;
}

/* A copy that can be written, with the promise. */
static int back_prepare(const ImagePool *pool, const Image *i, const Snapshot *s, Back *b,
                        Error *reterr) {
        const Image source = {
                .name = i->name, .entry = i->entry, .path = s->path, .kind = s->kind, .st = i->st
        };
        LeftoverRule rule = { .to = b->file };
        int r = image_copy(pool, &source, &b->l, /* locks= */ false, reterr);
        if (r < 0)
                return r;
        _cleanup_close_ int fd = openat(b->l.directory_fd, b->l.name,
                                        O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || (s->kind == IMAGE_RAW && fchmod(fd, i->st.st_mode & 07777) < 0))
                r = -errno;
        if (r >= 0)
                r = image_identity(fd, &rule.identity);
        if (r < 0)
                return failed(r, "Copying the", i, reterr);
        r = keep_limits(i, fd, reterr);
        return r < 0 ? r : leftover_promise(&b->l, &rule, 1, reterr);
}

int snapshot_roll_back(const ImagePool *pool, const Image *i, const char *name, char **ret_kept,
                       Error *reterr) {
        _cleanup_(back_done) Back b = { .lock = SNAPSHOT_LOCK_NULL,
                                        .image_lock = IMAGE_LOCK_NULL,
                                        .l = LEFTOVER_NULL,
                                        .place_fd = -EBADF };
        const Snapshot *s;
        _cleanup_(image_freep) Image *now = NULL;
        int r = image_at_path(i->entry, &now, reterr);
        if (r < 0)
                return r;
        image_read_details(now);
        if (now->read_only) {
                r = error_set(reterr, -EROFS, ERROR_UNSUPPORTED, "Image '%s' is read-only",
                              i->name);
                error_hint(reterr, "'berth read-only %s no' changes that", i->name);
                return r;
        }
        r = back_begin(pool, i, name, &b, &s, reterr);
        if (r >= 0)
                r = back_prepare(pool, i, s, &b, reterr);
        if (r < 0)
                return r;
        const char *file = path_last_component(i->entry);
        if (syncfs(b.l.directory_fd) < 0 ||
            renameat2(b.l.directory_fd, b.l.name, b.place_fd, file, RENAME_EXCHANGE) < 0)
                return failed(-errno, "Going back to the", i, reterr);
        (void) fsync(b.place_fd);       /* it is there; some file systems cannot promise more */
        leftover_done(&b.l);            /* what was the image is a snapshot now */
        if (access(b.path, F_OK) < 0) { /* or still what was left */
                r = error_set_errno(
                        reterr, -errno, ERROR_FAILED,
                        "Image '%s' is as in snapshot '%s', but keeping what it was as '%s' failed",
                        i->name, s->name, b.path);
                error_hint(reterr, "'berth clean' tries again");
                return r;
        }
        *ret_kept = TAKE_PTR(b.name);
        return 0;
}

/* ---- removing ---- */

/* It may be the root directory or the disk of a container that does not change it, or its template. */
static int lock_snapshot(const Image *i, const Snapshot *s, ImageLocks *l, Error *reterr) {
        _cleanup_free_ char *what = strf("Snapshot '%s' of image '%s'", s->name, i->name);
        return what ? image_locks_add(l, what, s->path, reterr) : error_oom(reterr);
}

int snapshots_lock_all(const Image *i, ImageLocks *l, Error *reterr) {
        _cleanup_(snapshot_list_done) SnapshotList list = { 0 };
        int r = snapshot_list(i, &list, reterr);
        for (size_t k = 0; r >= 0 && k < list.n; k++)
                r = lock_snapshot(i, list.snapshots + k, l, reterr);
        return r;
}

/* Gone with its name; the rest follows. */
static int drop(const ImagePool *pool, const Image *i, const SnapshotLock *lock, const Snapshot *s,
                Error *reterr) {
        _cleanup_(image_locks_done) ImageLocks locks = IMAGE_LOCKS_NULL;
        _cleanup_(leftover_done) Leftover l = LEFTOVER_NULL;
        int r = lock_snapshot(i, s, &locks, reterr);
        if (r >= 0)
                r = leftover_begin(lock->directory, i->name, &l, reterr);
        if (r < 0)
                return r;
        const char *file = path_last_component(s->path);
        _cleanup_close_ int fd = s->kind == IMAGE_DIRECTORY
                                         ? openat(l.directory_fd, file,
                                                  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                                         : -EBADF;
        if (fd >= 0)
                (void) image_set_fd_immutable(fd, false); /* else it could not be renamed */
        if (renameat2(l.directory_fd, file, l.directory_fd, l.name, RENAME_NOREPLACE) < 0)
                return failed(-errno, "Removing a", i, reterr);
        (void) fsync(l.directory_fd); /* some file systems cannot promise more */
        return 0;
}

static int begin_removal(const Image *i, SnapshotLock *lock, SnapshotList *list, Error *reterr) {
        int r = snapshot_check_kind(i, reterr);
        if (r >= 0)
                r = snapshot_lock(i, /* make= */ false, lock, reterr);
        return r < 0 ? r : snapshot_list(i, list, reterr);
}

int snapshot_remove(const ImagePool *pool, const Image *i, const char *name, Error *reterr) {
        _cleanup_(snapshot_lock_done) SnapshotLock lock = SNAPSHOT_LOCK_NULL;
        _cleanup_(snapshot_list_done) SnapshotList list = { 0 };
        const Snapshot *s;
        int r = begin_removal(i, &lock, &list, reterr);
        if (r >= 0)
                r = snapshot_find(&list, i, name, &s, reterr);
        return r < 0 ? r : drop(pool, i, &lock, s, reterr);
}

int snapshot_prune(const ImagePool *pool, const Image *i, const SnapshotLimits *limits,
                   CleanVisit visit, void *userdata, Error *reterr) {
        _cleanup_(snapshot_lock_done) SnapshotLock lock = SNAPSHOT_LOCK_NULL;
        _cleanup_(snapshot_list_done) SnapshotList list = { 0 };
        const usec_t now = now_usec(CLOCK_REALTIME);
        const uint64_t keep = limits->keep == 0 ? UINT64_MAX : limits->keep;
        const usec_t max_age = limits->max_age == 0 ? USEC_INFINITY : limits->max_age;
        uint64_t newer = 0;
        int r = begin_removal(i, &lock, &list, reterr);
        for (size_t k = list.n; r >= 0 && k-- > 0;) {
                const Snapshot *s = list.snapshots + k;
                const usec_t age = now > s->taken_usec ? now - s->taken_usec : 0;
                if (s->named || newer++ == 0 || (newer <= keep && age < max_age))
                        continue;
                _cleanup_error_ Error e = ERROR_NULL;
                r = drop(pool, i, &lock, s, &e);
                if (r >= 0)
                        r = visit(userdata, s->name, s->usage);
                else if (e.id == ERROR_ROOT_BUSY) /* another time */
                        r = 0;
                else
                        return error_take(reterr, &e);
        }
        return r < 0 ? r : 0;
}
