/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Temporary entries of a pool, and what is done with those of who was killed.
 *
 * The lock file of an entry has records, each with a NUL behind: "I" and the path of an image, "S" and that of a side-car of the image
 * before it. Of an image that is not there the side-cars go. */
#include <dirent.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "basic/strv.h"
#include "image/image-work.h"
#include "sys/lock.h"
#include "sys/tree-delete.h"

#define RANDOM_DIGITS 8
#define TRIES_MAX 16
#define PROMISE_MAX (256U << 10)
#define LOCK_SUFFIX ".lck"

int leftover_begin(const char *directory, const char *name, Leftover *ret, Error *reterr) {
        _cleanup_(leftover_done) Leftover l = LEFTOVER_NULL;
        int r = mkdir_parents(directory, 0700);
        if (r >= 0) {
                l.directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                r = l.directory_fd < 0 ? -errno : -EEXIST;
        }
        if (r >= 0 || r == -EEXIST)
                r = free_and_strdup(&l.directory, directory);
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
                l.lock_fd = lock_take(directory, l.lock_name, LOCK_MODE_EXCLUSIVE);
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

int leftover_promise(Leftover *l, const LeftoverRule *rules, size_t n, Error *reterr) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        for (size_t i = 0; i < n; i++) {
                strbuf_addf(&b, "I%s", rules[i].image);
                strbuf_add_bytes(&b, "", 1);
                STRV_FOREACH(f, rules[i].files) {
                        strbuf_addf(&b, "S%s", *f);
                        strbuf_add_bytes(&b, "", 1);
                }
        }
        int r = b.failed ? -ENOMEM : 0;
        if (r >= 0 && (ftruncate(l->lock_fd, 0) < 0 || lseek(l->lock_fd, 0, SEEK_SET) < 0))
                r = -errno;
        if (r >= 0 && b.size > 0)
                r = fd_write_full(l->lock_fd, b.text, b.size);
        if (r >= 0 && fsync(l->lock_fd) < 0)
                r = -errno;
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED, "Writing '%s/%s' failed",
                                       l->directory, l->lock_name)
                     : 0;
}

static void keep_promise(int lock_fd) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        bool remove = false;
        struct stat st;
        if (lseek(lock_fd, 0, SEEK_SET) < 0 || fd_read_all(lock_fd, PROMISE_MAX, &text, &size) < 0)
                return;
        for (const char *p = text; p < text + size; p += strlen(p) + 1) {
                if (p[0] == 'I')
                        remove = lstat(p + 1, &st) < 0 && errno == ENOENT;
                else if (p[0] == 'S' && remove && path_is_absolute(p + 1))
                        side_cars_remove((char *[]){ (char *) p + 1, NULL });
        }
}

void leftover_done(Leftover *l) {
        if (l->lock_fd >= 0) {
                keep_promise(l->lock_fd);
                int r = tree_delete(l->directory_fd, l->name, NULL, NULL);
                if (r >= 0 || r == -ENOENT) /* else it is a leftover still */
                        (void) unlinkat(l->directory_fd, l->lock_name, 0);
        }
        l->lock_fd = fd_close(l->lock_fd);
        l->directory_fd = fd_close(l->directory_fd);
        l->directory = mfree(l->directory);
        l->name = mfree(l->name);
        l->lock_name = mfree(l->lock_name);
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

/* 1: it was one, and is gone. */
static int reclaim(const char *directory, int directory_fd, const char *lock_name) {
        struct stat st;
        _cleanup_(leftover_done) Leftover l = LEFTOVER_NULL;
        if (fstatat(directory_fd, lock_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
                return 0;
        l.directory_fd = fcntl(directory_fd, F_DUPFD_CLOEXEC, 3);
        l.directory = strdup(directory);
        l.lock_name = strdup(lock_name);
        l.name = strndup(lock_name, strlen(lock_name) - STRLEN(LOCK_SUFFIX));
        if (l.directory_fd < 0 || !l.directory || !l.lock_name || !l.name)
                return 0;
        l.lock_fd = lock_take(directory, lock_name, LOCK_MODE_EXCLUSIVE);
        return l.lock_fd >= 0;
}

int image_reclaim(const ImagePool *pool, Error *reterr) {
        int n = 0;
        STRV_FOREACH(place, pool->places ?: image_places) {
                _cleanup_strv_free_ char **names = NULL;
                if (path_startswith(*place, "/usr"))
                        continue;
                DIR *d = opendir(*place);
                if (!d)
                        continue; /* nothing is left in what is not there */
                int r = 0;
                for (struct dirent *e = readdir(d); e && r >= 0; e = readdir(d))
                        if (is_lock_name(e->d_name))
                                r = strv_extend(&names, e->d_name);
                STRV_FOREACH(name, names)
                        n += reclaim(*place, dirfd(d), *name);
                (void) closedir(d); /* was only read */
                if (r < 0)
                        return error_oom(reterr);
        }
        return n;
}
