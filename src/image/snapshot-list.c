/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Snapshots: their names, which there are, and who may change them. */
#include "image/snapshot.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/path.h"
#include "basic/strv.h"
#include "image/image-lock.h"
#include "sys/btrfs.h"
#include "sys/lock.h"
#include "sys/tree-delete.h"

static int failed(int code, const char *what, const Image *i, Error *reterr) {
        return error_set_errno(reterr, code, ERROR_FAILED, "%s snapshot of image '%s' failed", what,
                               i->name);
}

/* ---- names ---- */

/* "2026-11-23T22:58:07Z" */
void snapshot_format_time(usec_t t, char ret[static SNAPSHOT_TIME_SIZE]) {
        const time_t seconds = (time_t) (t / USEC_PER_SEC);
        struct tm tm;
        if (!gmtime_r(&seconds, &tm) ||
            strftime(ret, SNAPSHOT_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
                ret[0] = '\0';
}

/* The time that s begins with; the rest follows. */
bool snapshot_parse_time(const char *s, usec_t *ret) {
        char again[SNAPSHOT_TIME_SIZE];
        struct tm tm = { 0 };
        int n = 0;
        if (sscanf(s, "%4d-%2d-%2dT%2d:%2d:%2dZ%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
                   &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &n) != 6 ||
            n != STRLEN("2026-11-23T22:58:07Z"))
                return false;
        tm.tm_year -= 1900;
        tm.tm_mon--;
        const time_t t = timegm(&tm);
        if (t < 0)
                return false;
        snapshot_format_time((usec_t) t * USEC_PER_SEC, again);
        *ret = (usec_t) t * USEC_PER_SEC;
        return strncmp(again, s, (size_t) n) == 0;
}

bool snapshot_name_is_valid(const char *name) {
        usec_t t;
        const size_t n = strlen(strempty(name));
        if (n == 0 || n > SNAPSHOT_NAME_MAX || name[0] == '.' || name[0] == '-' ||
            endswith(name, ".raw") || snapshot_parse_time(name, &t))
                return false;
        return strspn(name,
                      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+:") == n;
}

int snapshot_check_name(const char *name, Error *reterr) {
        if (snapshot_name_is_valid(name))
                return 0;
        _cleanup_free_ char *shown = str_escape_for_display(strempty(name));
        int r = error_set(reterr, -EINVAL, ERROR_INVALID_NAME, "Invalid name of a snapshot '%.80s'",
                          strempty(shown));
        error_hint(
                reterr,
                "it has letters, digits and -_.+: only, begins with none of .-, is no time, does "
                "not end with .raw, and is at most %u bytes long",
                SNAPSHOT_NAME_MAX);
        return r;
}

/* ---- what there is ---- */

char *snapshot_directory(const char *entry) {
        _cleanup_free_ char *place = NULL;
        return path_extract_directory(entry, &place) < 0
                       ? NULL
                       : strjoin(place, "/" SNAPSHOTS_DIRECTORY "/", path_last_component(entry));
}

int snapshot_directories(const char *place, char ***ret) {
        _cleanup_strv_free_ char **l = NULL;
        int r = 0;
        _cleanup_free_ char *all = path_join(place, SNAPSHOTS_DIRECTORY);
        const int fd = all ? open(all, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -EBADF;
        DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
        if (!d)
                fd_close(fd);
        for (struct dirent *e; r >= 0 && d && (e = readdir(d));)
                if (e->d_type != DT_REG && !startswith(e->d_name, ".#") && !streq(e->d_name, ".") &&
                    !streq(e->d_name, ".."))
                        r = strv_consume(&l, path_join(all, e->d_name));
        if (d)
                (void) closedir(d); /* was only read */
        if (!all || r < 0)
                return -ENOMEM;
        *ret = TAKE_PTR(l);
        return 0;
}

void snapshot_list_done(SnapshotList *l) {
        for (size_t k = 0; k < l->n; k++) {
                free(l->snapshots[k].name);
                free(l->snapshots[k].path);
        }
        free(l->snapshots);
        *l = (SnapshotList){ 0 };
}

static uint64_t usage_of(const Snapshot *s, const struct stat *st) {
        BtrfsQuota q;
        if (s->kind == IMAGE_RAW)
                return (uint64_t) st->st_blocks * 512;
        if (s->kind != IMAGE_SUBVOLUME)
                return IMAGE_SIZE_UNKNOWN;
        _cleanup_close_ int fd = open(s->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd >= 0 && btrfs_quota_read(fd, &q) >= 0 ? q.exclusive : IMAGE_SIZE_UNKNOWN;
}

/* Others' files stay out of it. */
static int add_entry(SnapshotList *l, const char *directory, const char *file) {
        _cleanup_free_ char *path = path_join(directory, file), *name = NULL;
        struct stat st;
        usec_t taken;
        if (!path)
                return -ENOMEM;
        if (!snapshot_parse_time(file, &taken) || lstat(path, &st) < 0 ||
            (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)))
                return 0;
        const char *rest = file + SNAPSHOT_TIME_SIZE - 1,
                   *end = S_ISREG(st.st_mode) ? endswith(rest, ".raw") : rest + strlen(rest);
        if (!end || (end > rest && rest[0] != '.'))
                return 0;
        const bool named = end > rest;
        name = named ? strndup(rest + 1, (size_t) (end - rest) - 1)
                     : strndup(file, SNAPSHOT_TIME_SIZE - 1);
        if (!name)
                return -ENOMEM;
        if (named && !snapshot_name_is_valid(name))
                return 0;
        Snapshot *s = ARRAY_APPEND(l->snapshots, l->n);
        if (!s)
                return -ENOMEM;
        *s = (Snapshot){ .name = TAKE_PTR(name),
                         .named = named,
                         .taken_usec = taken,
                         .kind = S_ISREG(st.st_mode)             ? IMAGE_RAW
                                 : btrfs_is_subvolume(path, &st) ? IMAGE_SUBVOLUME
                                                                 : IMAGE_DIRECTORY };
        s->path = TAKE_PTR(path);
        s->usage = usage_of(s, &st);
        return 0;
}

static int compare_snapshots(const void *a, const void *b) {
        const Snapshot *x = a, *y = b;
        if (x->taken_usec != y->taken_usec)
                return x->taken_usec < y->taken_usec ? -1 : 1;
        return strcmp(x->name, y->name);
}

int snapshot_list(const Image *i, SnapshotList *ret, Error *reterr) {
        _cleanup_(snapshot_list_done) SnapshotList l = { 0 };
        _cleanup_free_ char *directory = snapshot_directory(i->entry);
        int r = 0;
        if (!directory)
                return error_oom(reterr);
        DIR *d = opendir(directory);
        if (!d && errno != ENOENT)
                return failed(-errno, "Looking for a", i, reterr);
        for (struct dirent *e; r >= 0 && d && l.n < SNAPSHOTS_MAX && (e = readdir(d));)
                r = add_entry(&l, directory, e->d_name);
        if (d)
                (void) closedir(d); /* was only read */
        if (r < 0)
                return error_oom(reterr);
        if (l.n > 0)
                qsort(l.snapshots, l.n, sizeof(Snapshot), compare_snapshots);
        *ret = l;
        l = (SnapshotList){ 0 };
        return 0;
}

int snapshot_find(const SnapshotList *l, const Image *i, const char *name, const Snapshot **ret,
                  Error *reterr) {
        for (size_t k = 0; k < l->n; k++)
                if (streq(l->snapshots[k].name, name)) {
                        *ret = l->snapshots + k;
                        return 0;
                }
        _cleanup_free_ char *shown = str_escape_for_display(name);
        int r = error_set(reterr, -ENOENT, ERROR_ROOT_NOT_FOUND,
                          "Image '%s' has no snapshot '%.80s'", i->name, strempty(shown));
        error_hint(reterr, "'berth snapshots %s' lists those that it has", i->name);
        return r;
}

/* ---- before ---- */

static int refuse(const Image *i, const char *why, Error *reterr) {
        return error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                         "Image '%s' cannot have snapshots: it %s", i->name, why);
}

/* What is protected by a hash never changes. */
static bool has_hash(const Image *i) {
        static const char *const suffixes[] = { ".roothash", ".usrhash", ".verity" };
        _cleanup_free_ char *place = NULL;
        bool found = false;
        if (path_extract_directory(i->entry, &place) < 0)
                return false;
        for (size_t k = 0; !found && k < ELEMENTSOF(suffixes); k++) {
                _cleanup_free_ char *path = strjoin(place, "/", i->name, suffixes[k]);
                found = path && access(path, F_OK) == 0;
        }
        return found;
}

int snapshot_check_kind(const Image *i, Error *reterr) {
        if (i->vendor)
                return refuse(i, "belongs to the system, and does not change", reterr);
        if (i->kind == IMAGE_BLOCK)
                return refuse(i, "is a block device", reterr);
        if (i->kind == IMAGE_MSTACK)
                return refuse(i, "is a stack of layers", reterr);
        if (i->versioned)
                return refuse(i, "is a directory of versions", reterr);
        if (i->link)
                return refuse(i, "is a symbolic link", reterr);
        return has_hash(i) ? refuse(i, "is protected by a hash, and does not change", reterr) : 0;
}

/* Of the directories that there are above those of the images. */
static int check_place(const char *all, Error *reterr) {
        _cleanup_free_ char *place = NULL;
        int r = path_extract_directory(all, &place) < 0 ? error_oom(reterr)
                                                        : image_check_place(place, reterr);
        return r < 0 || access(all, F_OK) < 0 ? r : image_check_place(all, reterr);
}

int snapshot_lock(const Image *i, bool make, SnapshotLock *ret, Error *reterr) {
        _cleanup_(snapshot_lock_done) SnapshotLock l = SNAPSHOT_LOCK_NULL;
        _cleanup_free_ char *all = NULL, *name = strf(".#%s.lck", path_last_component(i->entry));
        l.directory = snapshot_directory(i->entry);
        if (!name || !l.directory || path_extract_directory(l.directory, &all) < 0)
                return error_oom(reterr);
        if (!make && access(l.directory, F_OK) < 0)
                return 0;
        l.path = path_join(all, name);
        if (!l.path)
                return error_oom(reterr);
        int r = check_place(all, reterr);
        if (r < 0)
                return r;
        r = make ? mkdir_parents(all, 0700) : 0;
        if (make && IN_SET(r, 0, -EEXIST))
                r = mkdir(l.directory, 0700) < 0 ? -errno : 0;
        if (r >= 0 || r == -EEXIST)
                r = l.fd = lock_take(all, name, LOCK_MODE_EXCLUSIVE);
        if (r == -EBUSY)
                return error_set(reterr, r, ERROR_ROOT_BUSY,
                                 "Another program is at the snapshots of image '%s'", i->name);
        if (r < 0)
                return failed(r, "Locking the", i, reterr);
        *ret = l;
        l = (SnapshotLock) SNAPSHOT_LOCK_NULL;
        return 1;
}

void snapshot_lock_done(SnapshotLock *l) {
        if (l->fd >= 0) {
                _cleanup_free_ char *all = NULL;
                (void) rmdir(l->directory); /* if there are none any more */
                (void) unlink(l->path);     /* it may stay */
                if (path_extract_directory(l->directory, &all) >= 0)
                        (void) rmdir(all); /* if it is empty */
        }
        l->fd = fd_close(l->fd);
        l->path = mfree(l->path);
        l->directory = mfree(l->directory);
}

int snapshot_check_none(const char *entry, const char *name, Error *reterr) {
        struct stat st;
        _cleanup_free_ char *directory = snapshot_directory(entry);
        if (!directory)
                return error_oom(reterr);
        if (lstat(directory, &st) < 0)
                return 0;
        int r = error_set(reterr, -EEXIST, ERROR_FAILED,
                          "There are snapshots of an image '%s' that is gone", name);
        error_hint(reterr, "'berth clean' removes them; to keep them, move '%s' elsewhere",
                   directory);
        return r;
}

int snapshot_drop_orphan(const char *directory) {
        _cleanup_(snapshot_lock_done) SnapshotLock lock = SNAPSHOT_LOCK_NULL;
        _cleanup_(image_locks_done) ImageLocks locks = IMAGE_LOCKS_NULL;
        _cleanup_free_ char *all = NULL, *place = NULL, *entry = NULL;
        struct stat st;
        if (path_extract_directory(directory, &all) < 0 ||
            path_extract_directory(all, &place) < 0 ||
            !(entry = path_join(place, path_last_component(directory))))
                return -ENOMEM;
        const char *name = path_last_component(directory);
        const Image gone = { .name = (char *) name, .entry = entry };
        if (lstat(entry, &st) >= 0 || errno != ENOENT ||
            snapshot_lock(&gone, /* make= */ false, &lock, NULL) <= 0 || lstat(entry, &st) >= 0 ||
            errno != ENOENT) /* also now that nobody is at it */
                return 0;
        if (leftover_names(place, directory)) /* now that who had begun it cannot be alive */
                return 1;
        if (snapshots_lock_all(&gone, &locks, NULL) < 0)
                return 0;
        _cleanup_close_ int fd = open(all, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0)
                (void) tree_delete(fd, name, NULL, NULL); /* what stays is for next time */
        return 0;
}

/* ---- read-only ---- */

static ImageKind kind_of(int fd) {
        struct stat st;
        BtrfsSubvolume v;
        if (fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode))
                return IMAGE_RAW;
        return btrfs_is_on(fd) && btrfs_subvolume_read(fd, &v) >= 0 ? IMAGE_SUBVOLUME
                                                                    : IMAGE_DIRECTORY;
}

int snapshot_seal_before(int fd) {
        const ImageKind kind = kind_of(fd);
        /* a subvolume that is read-only can be renamed where it is, not elsewhere */
        return kind == IMAGE_DIRECTORY ? 0 : image_set_fd_read_only(fd, kind, true);
}

void snapshot_seal_behind(int fd) {
        if (kind_of(fd) == IMAGE_DIRECTORY)
                (void) image_set_fd_immutable(fd, true); /* not every file system can */
}
