/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Over whole images and the whole pool: how much they take, and getting rid of what nobody wants. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/hashmap.h"
#include "basic/path.h"
#include "basic/strv.h"
#include "image/image-work.h"
#include "image/snapshot.h"
#include "sys/syscalls.h"

#define KEY_MAX 48
#define DEPTH_MAX 2048U

/* ---- how much ---- */

typedef struct Measure {
        const ImagePool *pool;
        ImageUsage usage;
        Hashmap *seen; /* files with several names: the key is the value */
        unsigned depth;
} Measure;

static void measure_done(Measure *m) {
        char *key;
        HASHMAP_FOREACH(key, m->seen)
                free(key);
        hashmap_free(m->seen);
}

/* 1: it was counted before. */
static int is_known(Measure *m, const struct stat *st) {
        _cleanup_free_ char *key = NULL;
        if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
                return 0;
        key = strf("%" PRIx64 ":%" PRIx64, (uint64_t) st->st_dev, (uint64_t) st->st_ino);
        if (!key)
                return -ENOMEM;
        if (hashmap_get(m->seen, key))
                return 1;
        int r = hashmap_put(m->seen, key, key);
        if (r >= 0)
                (void) TAKE_PTR(key); /* the map's */
        return r;
}

static int count(Measure *m, const struct stat *st) {
        int r = is_known(m, st);
        if (r != 0)
                return r < 0 ? r : 0;
        m->usage.files++;
        m->usage.disk += (uint64_t) st->st_blocks * 512;
        if (S_ISREG(st->st_mode))
                m->usage.bytes += (uint64_t) st->st_size;
        return m->pool->tick ? m->pool->tick(m->pool->userdata, 1, (uint64_t) st->st_blocks * 512)
                             : 0;
}

static int measure_directory(Measure *m, int take_fd);

static int measure_entry(Measure *m, int dir_fd, const char *name) {
        struct stat st;
        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : -errno; /* it may be in use, and change */
        int r = count(m, &st);
        if (r < 0 || !S_ISDIR(st.st_mode))
                return r;
        int fd = sys_openat2(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0,
                             RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
        if (fd < 0) /* what is mounted there is no part of the image */
                return IN_SET(errno, EXDEV, ENOENT) ? 0 : -errno;
        return measure_directory(m, fd);
}

static int measure_directory(Measure *m, int take_fd) {
        int r = m->depth >= DEPTH_MAX ? -ELOOP : 0;
        DIR *d = fdopendir(take_fd);
        if (!d) {
                r = -errno;
                fd_close(take_fd);
                return r;
        }
        m->depth++;
        for (struct dirent *e; r >= 0 && (errno = 0, e = readdir(d));)
                if (!streq(e->d_name, ".") && !streq(e->d_name, ".."))
                        r = measure_entry(m, dirfd(d), e->d_name);
        if (r >= 0 && errno > 0)
                r = -errno;
        m->depth--;
        (void) closedir(d); /* was only read */
        return r;
}

int image_measure(const ImagePool *pool, const Image *i, ImageUsage *ret, Error *reterr) {
        _cleanup_(measure_done) Measure m = { .pool = pool, .seen = hashmap_new() };
        struct stat st;
        if (!m.seen)
                return error_oom(reterr);
        int fd = open(i->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        int r = fd < 0 || fstat(fd, &st) < 0 ? -errno : count(&m, &st);
        if (r >= 0 && S_ISDIR(st.st_mode))
                r = measure_directory(&m, TAKE_FD(fd));
        fd_close(fd);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_FAILED, "Measuring image '%s' failed",
                                       i->name);
        *ret = m.usage;
        return 0;
}

/* ---- cleaning ---- */

/* *ret_kept: a directory that could not be given to the image that was renamed; allocated. */
static int drop_orphans(const ImagePool *pool, char **ret_kept, Error *reterr) {
        _cleanup_free_ char *kept = NULL;
        int r = 0;
        STRV_FOREACH(place, pool->places ?: image_places) {
                _cleanup_strv_free_ char **directories = NULL;
                if (!path_startswith(*place, "/usr") && image_place_is_safe(*place) &&
                    snapshot_directories(*place, &directories) < 0)
                        return error_oom(reterr);
                STRV_FOREACH(directory, directories) {
                        if (r >= 0)
                                r = snapshot_drop_orphan(*directory);
                        if (r > 0)
                                r = free_and_strdup(&kept, *directory);
                }
                if (r < 0)
                        return error_oom(reterr);
        }
        *ret_kept = TAKE_PTR(kept);
        return 0;
}

static int orphans_stay(const char *kept, Error *reterr) {
        int r = error_set(
                reterr, -EBUSY, ERROR_FAILED,
                "The snapshots in '%s' are of an image that was renamed, and could not be "
                "given to it",
                kept);
        error_hint(reterr, "see whether the file system is full or read-only, and try again; or "
                           "move them to the directory of the new name beside it");
        return r;
}

int image_clean(const ImagePool *pool, CleanMode mode, CleanVisit visit, void *userdata,
                Error *reterr) {
        _cleanup_(image_list_done) ImageList l = { 0 };
        _cleanup_free_ char *kept = NULL;
        int r = image_reclaim(pool, reterr);
        if (r >= 0)
                r = drop_orphans(pool, &kept, reterr);
        if (r >= 0)
                r = image_enumerate(pool->places, /* hidden= */ true, &l, reterr);
        for (size_t k = 0; r >= 0 && k < l.n; k++) {
                Image *i = l.images[k];
                _cleanup_error_ Error e = ERROR_NULL;
                if (i->vendor || i->versioned || (mode == CLEAN_HIDDEN && !image_is_hidden(i)))
                        continue;
                image_read_details(i);
                r = image_remove(pool, i, &e);
                if (r >= 0)
                        r = visit(userdata, i->name, i->usage_exclusive);
                else if (e.id == ERROR_ROOT_BUSY) /* somebody wants it after all */
                        r = 0;
                else
                        return error_take(reterr, &e);
        }
        return r < 0 ? r : kept ? orphans_stay(kept, reterr) : 0;
}
