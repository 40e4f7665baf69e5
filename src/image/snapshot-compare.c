/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What has changed in an image since a snapshot.
 *
 * Both trees are walked by descriptor, name for name: no link is followed, nothing that is mounted is entered, nothing but directories and regular files is
 * opened. Of two files of one size and time the contents are not read: copies keep times to the nanosecond. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "basic/strv.h"
#include "image/snapshot.h"
#include "sys/pin.h"

#define DEPTH_MAX 1024U /* directories in directories; each takes two descriptors */
#define PIECE_SIZE (64U << 10)

typedef struct Compare {
        const ImagePool *pool;
        SnapshotChangeVisit visit;
        void *userdata;
        unsigned depth;
        char *pieces[2]; /* PIECE_SIZE each */
} Compare;

static int tick(const Compare *c, uint64_t bytes) {
        return c->pool->tick ? c->pool->tick(c->pool->userdata, 1, bytes) : 0;
}

static int tell(const Compare *c, char change, const char *path, const struct stat *st) {
        return c->visit(c->userdata, change, path, st->st_mode);
}

/* What has that type (S_IFDIR, S_IFREG), and else -ENOENT: it is another one by now. */
static int open_entry(int dir_fd, const char *name, mode_t type) {
        struct stat st;
        _cleanup_close_ int pin = pin_entry(dir_fd, name);
        if (pin < 0)
                return pin;
        if (fstat(pin, &st) < 0)
                return -errno;
        return (st.st_mode & S_IFMT) == type ? pin_open(pin, type == S_IFDIR ? O_DIRECTORY : 0)
                                             : -ENOENT;
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Sorted. */
static int read_names(int fd, char ***ret) {
        _cleanup_strv_free_ char **l = NULL;
        size_t n = 0, allocated = 0;
        int r = 0, copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        DIR *d = copy < 0 ? NULL : fdopendir(copy);
        if (!d) {
                r = -errno;
                fd_close(copy);
                return r;
        }
        for (struct dirent *e; r >= 0 && (errno = 0, e = readdir(d));) {
                if (streq(e->d_name, ".") || streq(e->d_name, ".."))
                        continue;
                if (n + 2 > allocated) {
                        char **more =
                                reallocarray(l, allocated = 2 * allocated + 16, sizeof(char *));
                        r = more ? 0 : -ENOMEM;
                        l = more ?: l;
                }
                if (r >= 0) {
                        l[n] = strdup(e->d_name);
                        r = l[n] ? 0 : -ENOMEM;
                        l[n + (l[n] != NULL)] = NULL;
                        n++;
                }
        }
        if (r >= 0 && errno > 0)
                r = -errno;
        (void) closedir(d); /* was only read */
        if (r < 0)
                return r;
        if (n > 0)
                qsort(l, n, sizeof(char *), compare_names);
        *ret = TAKE_PTR(l);
        return 0;
}

/* 1: they are the same. */
static int same_contents(const Compare *c, int old_fd, int new_fd, const char *name) {
        _cleanup_close_ int a = open_entry(old_fd, name, S_IFREG),
                            b = open_entry(new_fd, name, S_IFREG);
        if (a < 0 || b < 0)
                return IN_SET(a, -ENOENT, -EXDEV) || IN_SET(b, -ENOENT, -EXDEV) ? 0
                                                                                : (a < 0 ? a : b);
        for (;;) {
                ssize_t n = read(a, c->pieces[0], PIECE_SIZE), m = 0;
                if (n < 0)
                        return -errno;
                while (m < n) {
                        ssize_t k = read(b, c->pieces[1] + m, (size_t) (n - m));
                        if (k < 0)
                                return -errno;
                        if (k == 0)
                                return 0;
                        m += k;
                }
                if (n == 0)
                        return read(b, c->pieces[1], 1) == 0;
                if (memcmp(c->pieces[0], c->pieces[1], (size_t) n) != 0)
                        return 0;
                int r = tick(c, (uint64_t) n);
                if (r < 0)
                        return r;
        }
}

static bool same_target(const Compare *c, int old_fd, int new_fd, const char *name) {
        ssize_t n = readlinkat(old_fd, name, c->pieces[0], PIECE_SIZE),
                m = readlinkat(new_fd, name, c->pieces[1], PIECE_SIZE);
        return n >= 0 && n == m && memcmp(c->pieces[0], c->pieces[1], (size_t) n) == 0;
}

/* 1: it is what it was. Of directories: by itself. */
static int same_entry(const Compare *c, int old_fd, int new_fd, const char *name,
                      const struct stat *a, const struct stat *b) {
        if (a->st_mode != b->st_mode || a->st_uid != b->st_uid || a->st_gid != b->st_gid)
                return 0;
        switch (a->st_mode & S_IFMT) {
        case S_IFREG:
                if (a->st_size != b->st_size)
                        return 0;
                if (a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
                    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec)
                        return 1;
                return same_contents(c, old_fd, new_fd, name);
        case S_IFLNK:
                return same_target(c, old_fd, new_fd, name);
        case S_IFBLK:
        case S_IFCHR:
                return a->st_rdev == b->st_rdev;
        default:
                return 1;
        }
}

static int compare_directories(Compare *c, int old_fd, int new_fd, const char *path);

static int compare_below(Compare *c, int old_fd, int new_fd, const char *name, const char *path) {
        _cleanup_close_ int a = open_entry(old_fd, name, S_IFDIR),
                            b = open_entry(new_fd, name, S_IFDIR);
        if (a == -EXDEV || b == -EXDEV || b == -ENOENT)
                return 0; /* what is mounted there is no part of the image; or it has just gone */
        if (a < 0 || b < 0)
                return a < 0 ? a : b;
        if (c->depth >= DEPTH_MAX)
                return -ELOOP;
        c->depth++;
        int r = compare_directories(c, a, b, path);
        c->depth--;
        return r;
}

static int compare_entry(Compare *c, int old_fd, int new_fd, const char *directory,
                         const char *name) {
        struct stat a, b;
        const bool was = fstatat(old_fd, name, &a, AT_SYMLINK_NOFOLLOW) >= 0,
                   is = fstatat(new_fd, name, &b, AT_SYMLINK_NOFOLLOW) >= 0;
        _cleanup_free_ char *path = strjoin(directory, "/", name);
        if (!path)
                return -ENOMEM;
        int r = tick(c, 0);
        if (r < 0 || (!was && !is))
                return r;
        if (!was || !is)
                return is ? tell(c, 'A', path, &b) : tell(c, 'D', path, &a);
        r = same_entry(c, old_fd, new_fd, name, &a, &b);
        if (r == 0)
                r = tell(c, 'M', path, &b);
        return r >= 0 && S_ISDIR(a.st_mode) && S_ISDIR(b.st_mode)
                       ? compare_below(c, old_fd, new_fd, name, path)
                       : r;
}

static int compare_directories(Compare *c, int old_fd, int new_fd, const char *path) {
        _cleanup_strv_free_ char **old = NULL, **new = NULL;
        int r = read_names(old_fd, &old);
        if (r >= 0)
                r = read_names(new_fd, &new);
        for (char **a = old, **b = new; r >= 0 && ((a && *a) || (b && *b));) {
                const int order = !a || !*a ? 1 : !b || !*b ? -1 : strcmp(*a, *b);
                r = compare_entry(c, old_fd, new_fd, path, order <= 0 ? *a : *b);
                if (order <= 0)
                        a++;
                if (order >= 0)
                        b++;
        }
        return r;
}

static int compare_trees(Compare *c, const Snapshot *s, const Image *i) {
        struct stat a, b;
        _cleanup_close_ int old_fd = open(s->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
                            new_fd = open(i->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (old_fd < 0 || new_fd < 0 || fstat(old_fd, &a) < 0 || fstat(new_fd, &b) < 0)
                return -errno;
        int r = 0;
        if (a.st_mode != b.st_mode || a.st_uid != b.st_uid || a.st_gid != b.st_gid)
                r = tell(c, 'M', "/", &b);
        return r < 0 ? r : compare_directories(c, old_fd, new_fd, "");
}

int snapshot_compare(const ImagePool *pool, const Image *i, const char *name,
                     SnapshotChangeVisit visit, void *userdata, Error *reterr) {
        _cleanup_(snapshot_list_done) SnapshotList list = { 0 };
        Compare c = { .pool = pool, .visit = visit, .userdata = userdata };
        const Snapshot *s = NULL;
        int r = snapshot_check_kind(i, reterr);
        if (r >= 0)
                r = snapshot_list(i, &list, reterr);
        if (r >= 0 && !name && list.n == 0)
                return error_set(reterr, -ENOENT, ERROR_ROOT_NOT_FOUND,
                                 "Image '%s' has no snapshots", i->name);
        if (r >= 0 && name)
                r = snapshot_find(&list, i, name, &s, reterr);
        if (r < 0)
                return r;
        if (!s)
                s = list.snapshots + list.n - 1;
        if (!image_is_tree(i) || s->kind == IMAGE_RAW)
                return error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                                 "Image '%s' is a disk image, and cannot be looked into yet",
                                 i->name);
        _cleanup_free_ char *pieces = malloc(2 * PIECE_SIZE);
        if (!pieces)
                return error_oom(reterr);
        c.pieces[0] = pieces;
        c.pieces[1] = pieces + PIECE_SIZE;
        r = compare_trees(&c, s, i);
        if (r == -E2BIG)
                return error_set(reterr, r, ERROR_LIMIT_EXCEEDED,
                                 "Image '%s' has changed in more places than can be listed",
                                 i->name);
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED,
                                       "Comparing image '%s' with snapshot '%s' failed", i->name,
                                       s->name)
                     : 0;
}
