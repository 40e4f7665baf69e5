/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Temporary entries of a pool, and what is done with those of who was killed.
 *
 * The lock file of an entry has records, each with a NUL behind: "I" and the path of an image, "S" and that of a side-car of the image
 * before it, with "D" and what the side-car is in front, "F" and "T" two names of something that follows it. Of an image that is not there the side-cars go, and what is at "F" gets the name "T".
 * "N" and a number: the entry gets the name in the "T" that follows, where it is, unless it has this identity.
 * What cannot be done stays to be done, with its lock file. While it is done nobody makes an image of that name.
 *
 * What is found may be anybody's who can write to the directory. So only directories and lock files count that nobody but root can write to, and of what was
 * found there only records that name what goes with an image of this directory. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/parse.h"
#include "basic/path.h"
#include "basic/strv.h"
#include "image/image-work.h"
#include "image/snapshot.h"
#include "sys/btrfs.h"
#include "sys/lock.h"
#include "sys/tree-delete.h"

#define RANDOM_DIGITS 8
#define TRIES_MAX 16
#define PROMISE_MAX (256U << 10)
#define LOCK_SUFFIX ".lck"
#define SUBVOLUME_BIT (UINT64_C(1) << 63) /* their numbers are no inodes' */

/* ---- whom to believe ---- */

/* An access list that lets others write shows in the bits of the group. */
static bool is_ours(const struct stat *st) {
        return (st->st_uid == 0 || st->st_uid == geteuid()) &&
               (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

bool image_place_is_safe(const char *path) {
        struct stat st;
        return stat(path, &st) >= 0 && is_ours(&st);
}

static int check_place(int fd, const char *path, Error *reterr) {
        const char *words = "others than its owner can write to it";
        char owner[sizeof("it belongs to user 4294967295")];
        struct stat st;
        if (fstat(fd, &st) < 0)
                return error_set_errno(reterr, -errno, ERROR_FAILED, "Nothing can be made in '%s'",
                                       path);
        if (is_ours(&st))
                return 0;
        if (st.st_uid != 0 && st.st_uid != geteuid()) {
                (void) snprintf(owner, sizeof(owner), "it belongs to user %u",
                                st.st_uid); /* fits */
                words = owner;
        }
        int r = error_set(reterr, -EPERM, ERROR_FAILED, "Directory '%s' is not safe to work in: %s",
                          path, words);
        error_hint(reterr, "choose one that only root can write to, as %s", IMAGE_POOL);
        return r;
}

int image_check_place(const char *path, Error *reterr) {
        _cleanup_close_ int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? error_set_errno(reterr, -errno, ERROR_FAILED, "Nothing can be made in '%s'",
                                        path)
                      : check_place(fd, path, reterr);
}

/* By descriptor: whoever owns a directory above it can give the name to another one. */
static int lock_entry(int directory_fd, const char *lock_name) {
        char path[STRLEN("/proc/self/fd/") + 12];
        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", directory_fd); /* it fits */
        return lock_take(path, lock_name, LOCK_MODE_EXCLUSIVE);
}

/* ---- making ---- */

int leftover_begin(const char *directory, const char *name, Leftover *ret, Error *reterr) {
        _cleanup_(leftover_done) Leftover l = LEFTOVER_NULL;
        int r = mkdir_parents(directory, 0700);
        if (r >= 0 || r == -EEXIST) {
                l.directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                r = l.directory_fd < 0 ? -errno : 0;
        }
        if (r >= 0)
                r = free_and_strdup(&l.directory, directory);
        if (r >= 0) {
                r = check_place(l.directory_fd, directory, reterr);
                if (r < 0)
                        return r;
        }
        for (unsigned i = 0; r >= 0 && l.lock_fd < 0 && i < TRIES_MAX; i++) {
                uint32_t random;
                struct stat st;
                if (getrandom(&random, sizeof(random), 0) != sizeof(random))
                        return error_set_errno(reterr, -errno, ERROR_FAILED,
                                               "There are no random numbers");
                free(l.name);
                free(l.lock_name);
                l.name = strf(".#%.200s.%08x", name, random);
                l.lock_name = l.name ? strjoin(l.name, LOCK_SUFFIX) : NULL;
                if (!l.lock_name)
                        return error_oom(reterr);
                l.lock_fd = lock_entry(l.directory_fd, l.lock_name);
                if (l.lock_fd >= 0 &&
                    fstatat(l.directory_fd, l.name, &st, AT_SYMLINK_NOFOLLOW) == 0)
                        l.lock_fd = fd_close(l.lock_fd); /* somebody's, by chance */
                r = l.lock_fd < 0 && l.lock_fd != -EBUSY && l.lock_fd != -EBADF ? l.lock_fd : 0;
        }
        if (r < 0 || l.lock_fd < 0)
                return error_set_errno(reterr, r < 0 ? r : -EBUSY, ERROR_FAILED,
                                       "Nothing can be made in '%s'", directory);
        *ret = l;
        l = (Leftover) LEFTOVER_NULL;
        return 0;
}

static void add_record(StrBuf *b, char tag, const char *text) {
        strbuf_add_bytes(b, &tag, 1);
        strbuf_add_bytes(b, text, strlen(text) + 1);
}

static void add_number(StrBuf *b, char tag, uint64_t n) {
        char text[24];
        (void) snprintf(text, sizeof(text), "%" PRIu64, n); /* cannot be too long */
        add_record(b, tag, text);
}

int leftover_promise(Leftover *l, const LeftoverRule *rules, size_t n, Error *reterr) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        for (size_t i = 0; i < n; i++) {
                const LeftoverRule *rule = rules + i;
                if (rule->image)
                        add_record(&b, 'I', rule->image);
                else
                        add_number(&b, 'N', rule->identity);
                STRV_FOREACH(f, rule->files) {
                        char words[SIDE_CAR_WORDS_MAX];
                        side_car_describe(*f, words);
                        add_record(&b, 'D', words);
                        add_record(&b, 'S', *f);
                }
                if (rule->from)
                        add_record(&b, 'F', rule->from);
                if (rule->to)
                        add_record(&b, 'T', rule->to);
        }
        struct stat st;
        int r = b.failed ? -ENOMEM : fstat(l->lock_fd, &st) < 0 ? -errno : 0;
        /* one that only says more of the same is never away */
        if (r >= 0 && (off_t) b.size < st.st_size && ftruncate(l->lock_fd, 0) < 0)
                r = -errno;
        if (r >= 0 && lseek(l->lock_fd, 0, SEEK_SET) < 0)
                r = -errno;
        if (r >= 0 && b.size > 0)
                r = fd_write_full(l->lock_fd, b.text, b.size);
        if (r >= 0 && fsync(l->lock_fd) < 0)
                r = -errno;
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED, "Writing '%s/%s' failed",
                                       l->directory, l->lock_name)
                     : 0;
}

int image_identity(int fd, uint64_t *ret) {
        BtrfsSubvolume v;
        struct stat st;
        if (fstat(fd, &st) < 0)
                return -errno;
        const bool subvolume = S_ISDIR(st.st_mode) && btrfs_subvolume_read(fd, &v) >= 0;
        *ret = subvolume ? SUBVOLUME_BIT | v.id : (uint64_t) st.st_ino;
        return 0;
}

/* Who cannot tell keeps it. */
static int keep_entry(const Leftover *l, uint64_t identity, const char *to) {
        uint64_t found;
        _cleanup_close_ int fd = openat(l->directory_fd, l->name,
                                        O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;
        int r = image_identity(fd, &found);
        if (r < 0 || found == identity)
                return r;
        r = snapshot_seal_before(fd);
        if (r >= 0 && renameat2(l->directory_fd, l->name, l->directory_fd, path_last_component(to),
                                RENAME_NOREPLACE) < 0)
                r = -errno;
        if (r >= 0)
                snapshot_seal_behind(fd);
        return r;
}

/* ---- keeping promises ---- */

typedef struct Promise {
        const char *image, *from, *was; /* was: of the next side-car */
        uint64_t identity;
        bool gone, moves; /* the image is; the entry may have to be kept */
        int name_lock;    /* of the image */
} Promise;
#define PROMISE_NULL \
        { .name_lock = -EBADF }

static void promise_done(Promise *p) {
        p->name_lock = fd_close(p->name_lock);
}

/* Who has begun it himself has what locks it takes. */
static int promise_lock(const Leftover *l, Promise *p) {
        const char *file = path_last_component(p->image),
                   *end = endswith(file, ".raw") ?: endswith(file, ".mstack");
        _cleanup_free_ char *name = end ? strndup(file, (size_t) (end - file)) : strdup(file);
        if (!name)
                return -ENOMEM;
        if (!l->found || (l->locked && streq(name, l->locked)))
                return 0;
        p->name_lock = lock_take_image_name(name, LOCK_MODE_EXCLUSIVE);
        return p->name_lock < 0 ? p->name_lock : 0;
}

static int promise_begin(const Leftover *l, const char *image, Promise *p) {
        struct stat st;
        promise_done(p);
        *p = (Promise) PROMISE_NULL;
        p->image = image;
        int r = image ? promise_lock(l, p) : 0;
        if (r < 0 || !image || lstat(image, &st) >= 0)
                return r;
        p->gone = errno == ENOENT;
        return p->gone ? 0 : -errno;
}

static bool is_in(const char *directory, const char *path) {
        _cleanup_free_ char *parent = NULL;
        const char *name = path_last_component(path);
        return path_is_absolute(path) && !isempty(name) && !streq(name, ".") &&
               !streq(name, "..") && path_extract_directory(path, &parent) >= 0 &&
               path_equal(parent, directory);
}

static bool is_snapshots_of(const char *image, const char *path) {
        _cleanup_free_ char *directory = snapshot_directory(image);
        return directory && path_equal(path, directory);
}

/* Beside the snapshots of the image: it may get another name. */
static bool is_beside_snapshots_of(const char *image, const char *path) {
        _cleanup_free_ char *directory = snapshot_directory(image), *all = NULL;
        return directory && path_extract_directory(directory, &all) >= 0 && is_in(all, path);
}

/* Of an entry here: the directory itself may have got another name since. */
static bool is_name_in(const char *directory, const char *text) {
        return path_is_absolute(text) ? is_in(directory, text)
                                      : !strchr(text, '/') && !isempty(text) && !streq(text, ".") &&
                                                !streq(text, "..");
}

/* May the promise of somebody else's have this record? */
static bool is_believed(const Leftover *l, const Promise *p, char tag, const char *text) {
        if (!l->found)
                return true;
        switch (tag) {
        case 'I':
                return is_in(l->directory, text);
        case 'S':
                return p->image && (side_car_is_of(l->settings, p->image, text) ||
                                    is_snapshots_of(p->image, text));
        case 'F':
                return p->image && is_snapshots_of(p->image, text);
        case 'T':
                return p->moves ? is_name_in(l->directory, text)
                                : p->image && is_beside_snapshots_of(p->image, text);
        default:
                return true;
        }
}

/* Settings that somebody has written since are for an image that he is about to make. */
static void drop_side_car(const Leftover *l, const Promise *p, const char *path) {
        struct stat st;
        if (is_snapshots_of(p->image, path) ||
            (fstat(l->lock_fd, &st) >= 0 && side_car_is(path, p->was, &st.st_mtim)))
                side_cars_remove((char *[]){ (char *) path, NULL });
}

static int keep_record(const Leftover *l, Promise *p, const char *record) {
        const char *text = record + 1;
        const bool believed = is_believed(l, p, record[0], text);
        switch (record[0]) {
        case 'I':
                return promise_begin(l, believed ? text : NULL, p);
        case 'N':
                (void) promise_begin(l, NULL, p); /* of no image */
                p->moves = true;
                return parse_u64(text, &p->identity);
        case 'D':
                p->was = text;
                return 0;
        case 'S':
                if (p->gone && believed && path_is_absolute(text))
                        drop_side_car(l, p, text);
                p->was = NULL;
                return 0;
        case 'F':
                p->from = believed ? text : NULL;
                return 0;
        case 'T':
                if (p->moves)
                        return believed ? keep_entry(l, p->identity, text) : -EBADMSG;
                return p->gone && p->from && believed ? snapshots_move(p->from, text) : 0;
        default:
                return 0;
        }
}

/* A negative result: the entry must not be removed. */
static int keep_promise(const Leftover *l) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        _cleanup_(promise_done) Promise promise = PROMISE_NULL;
        int r = lseek(l->lock_fd, 0, SEEK_SET) < 0 ? -errno : 0;
        if (r >= 0)
                r = fd_read_all(l->lock_fd, PROMISE_MAX, &text, &size);
        for (const char *p = text; r >= 0 && p < text + size; p += strlen(p) + 1)
                r = keep_record(l, &promise, p);
        return r;
}

static void forget(Leftover *l) {
        l->lock_fd = fd_close(l->lock_fd);
        l->directory_fd = fd_close(l->directory_fd);
        l->directory = mfree(l->directory);
        l->name = mfree(l->name);
        l->lock_name = mfree(l->lock_name);
}

void leftover_done(Leftover *l) {
        if (l->lock_fd >= 0 && keep_promise(l) >= 0) {
                int r = tree_delete(l->directory_fd, l->name, NULL, NULL);
                if (r >= 0 || r == -ENOENT) /* else it is a leftover still */
                        (void) unlinkat(l->directory_fd, l->lock_name, 0);
        }
        forget(l);
}

/* ".#NAME.0123abcd.lck" */
static bool is_lock_name(const char *s) {
        const char *end = endswith(s, LOCK_SUFFIX);
        if (!startswith(s, ".#") || !end || end - s < RANDOM_DIGITS + 4)
                return false;
        const char *digits = end - RANDOM_DIGITS;
        for (const char *p = digits; p < end; p++)
                if (ascii_hex_value(*p) < 0)
                        return false;
        return digits[-1] == '.';
}

/* ---- of others ---- */

typedef struct Reclaim {
        const ImagePool *pool;
        const char *locked; /* as in Leftover */
        bool settles;       /* what takes long is for others */
        int n;
} Reclaim;

/* From here on nothing is to be done but to remove the entry. */
static void settle(Leftover *l) {
        if (keep_promise(l) >= 0)
                (void) leftover_promise(l, NULL, 0, NULL); /* else it is done again */
        forget(l);
}

/* 1: it was one, and is gone. */
static int reclaim(const Reclaim *c, const char *directory, int directory_fd,
                   const char *lock_name) {
        struct stat st;
        _cleanup_(leftover_done) Leftover l = LEFTOVER_NULL;
        if (fstatat(directory_fd, lock_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(st.st_mode) || !is_ours(&st))
                return 0;
        l.found = true;
        l.settings = c->pool->settings;
        l.locked = c->locked;
        l.directory_fd = fcntl(directory_fd, F_DUPFD_CLOEXEC, 3);
        l.directory = strdup(directory);
        l.lock_name = strdup(lock_name);
        l.name = strndup(lock_name, strlen(lock_name) - STRLEN(LOCK_SUFFIX));
        if (l.directory_fd < 0 || !l.directory || !l.lock_name || !l.name)
                return 0;
        l.lock_fd = lock_entry(directory_fd, lock_name);
        if (l.lock_fd < 0)
                return 0;
        if (c->settles)
                settle(&l);
        return 1;
}

/* A descriptor of the directory, -EBADF where there is none that is ours, and the lock files in it. */
static int list_locks(const char *directory, char ***ret) {
        _cleanup_strv_free_ char **names = NULL;
        struct stat st;
        int r = 0;
        DIR *d = opendir(directory);
        if (!d)
                return -EBADF; /* nothing is left in what is not there */
        const bool safe = fstat(dirfd(d), &st) >= 0 && is_ours(&st);
        for (struct dirent *e = safe ? readdir(d) : NULL; e && r >= 0; e = readdir(d))
                if (is_lock_name(e->d_name))
                        r = strv_extend(&names, e->d_name);
        int fd = safe && r >= 0 ? fcntl(dirfd(d), F_DUPFD_CLOEXEC, 3) : r < 0 ? r : -EBADF;
        (void) closedir(d); /* was only read */
        if (fd >= 0)
                *ret = TAKE_PTR(names);
        return fd;
}

static int reclaim_in(Reclaim *c, const char *directory) {
        _cleanup_strv_free_ char **names = NULL;
        _cleanup_close_ int fd = list_locks(directory, &names);
        STRV_FOREACH(name, names)
                c->n += reclaim(c, directory, fd, *name);
        return fd == -ENOMEM ? fd : 0;
}

/* What is said of snapshots in their directory first: it may get another name. */
static int reclaim_all(Reclaim *c) {
        int r = 0;
        STRV_FOREACH(place, c->pool->places ?: image_places) {
                _cleanup_strv_free_ char **snapshots = NULL;
                if (path_startswith(*place, "/usr") || !image_place_is_safe(*place))
                        continue;
                r = snapshot_directories(*place, &snapshots);
                STRV_FOREACH(directory, snapshots)
                        if (r >= 0)
                                r = reclaim_in(c, *directory);
                if (r >= 0)
                        r = reclaim_in(c, *place);
                if (r < 0)
                        return r;
        }
        return c->n;
}

int image_reclaim(const ImagePool *pool, Error *reterr) {
        Reclaim c = { .pool = pool };
        int r = reclaim_all(&c);
        return r < 0 ? error_oom(reterr) : r;
}

void image_settle(const ImagePool *pool, const char *name) {
        Reclaim c = { .pool = pool, .locked = name, .settles = true };
        (void) reclaim_all(&c); /* what is in the way is told by who finds it */
}

/* Whoever cannot tell says yes. */
static bool lock_file_names(int directory_fd, const char *lock_name, const char *directory) {
        _cleanup_free_ char *text = NULL;
        struct stat st;
        size_t size = 0;
        bool found = false;
        if (fstatat(directory_fd, lock_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno != ENOENT;
        if (!S_ISREG(st.st_mode) || !is_ours(&st))
                return false;
        if (file_read_all(directory_fd, lock_name, PROMISE_MAX, &text, &size) < 0)
                return true;
        for (const char *p = text; !found && p < text + size; p += strlen(p) + 1)
                found = IN_SET(p[0], 'F', 'T') && path_equal(p + 1, directory);
        return found;
}

bool leftover_names(const char *place, const char *directory) {
        _cleanup_strv_free_ char **names = NULL;
        _cleanup_close_ int fd = list_locks(place, &names);
        bool found = fd == -ENOMEM;
        STRV_FOREACH(name, names)
                found = found || lock_file_names(fd, *name, directory);
        return found;
}
