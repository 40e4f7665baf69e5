/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pool of the test's own, in a temporary directory: places are made with their first file. */
#pragma once

#include <ftw.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "basic/strv.h"

#include "test.h"

typedef struct Pool {
        char top[40];
        char **places; /* "first", "missing", "second" */
} Pool;

static inline char *pool_at(const Pool *p, const char *rest) {
        char *path = path_join(p->top, rest);
        ASSERT_NOT_NULL(path);
        return path;
}

static inline void pool_directory(const Pool *p, const char *rest) {
        _cleanup_free_ char *path = pool_at(p, rest);
        ASSERT_OK(mkdir_parents(path, 0755));
}

static inline void pool_file(const Pool *p, const char *rest, const char *text) {
        _cleanup_free_ char *path = pool_at(p, rest);
        int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
        ASSERT_OK(fd);
        ASSERT_OK(fd_write_full(fd, text, strlen(text)));
        fd_close(fd);
}

static inline void pool_link(const Pool *p, const char *target, const char *rest) {
        _cleanup_free_ char *path = pool_at(p, rest);
        ASSERT_OK(symlink(target, path));
}

static inline bool pool_has(const Pool *p, const char *rest) {
        struct stat st;
        _cleanup_free_ char *path = pool_at(p, rest);
        return lstat(path, &st) == 0;
}

/* Directly below the top: a place. */
static inline void pool_begin_in(Pool *p, const char *where) {
        *p = (Pool){ 0 };
        ASSERT_TRUE(snprintf(p->top, sizeof(p->top), "%s/test-pool.XXXXXX", where) <
                    (int) sizeof(p->top));
        ASSERT_NOT_NULL(mkdtemp(p->top));
        pool_directory(p, "first");
        pool_directory(p, "second");
        ASSERT_OK(strv_consume(&p->places, pool_at(p, "first")));
        ASSERT_OK(strv_consume(&p->places, pool_at(p, "missing")));
        ASSERT_OK(strv_consume(&p->places, pool_at(p, "second")));
}

static inline void pool_begin(Pool *p) {
        pool_begin_in(p, "/tmp");
}

static inline int pool_remove_one(const char *path, const struct stat *st, int type,
                                  struct FTW *ftw) {
        return remove(path);
}

/* nftw() goes from the leaves up, which immutable directories would not let it. */
static inline int pool_make_mutable(const char *path, const struct stat *st, int type,
                                    struct FTW *ftw) {
        int flags = 0, fd = type == FTW_D ? open(path, O_RDONLY | O_CLOEXEC) : -EBADF;
        if (fd >= 0 && ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && (flags & FS_IMMUTABLE_FL)) {
                flags &= ~FS_IMMUTABLE_FL;
                (void) ioctl(fd, FS_IOC_SETFLAGS, &flags);
        }
        fd_close(fd);
        return 0;
}

static inline void pool_end(Pool *p) {
        (void) nftw(p->top, pool_make_mutable, 16, FTW_PHYS | FTW_MOUNT);
        ASSERT_OK(nftw(p->top, pool_remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT));
        p->places = strv_free(p->places);
}
