/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that belong to an image and have its name: settings beside it and in the directories of settings, hashes and signatures. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "basic/strv.h"
#include "image/image-work.h"
#include "sys/tree-delete.h"

static const char *const system_settings[] = {
        "/etc/systemd/nspawn", "/run/systemd/nspawn", "/etc/berth", "/run/berth/settings", NULL,
};

/* Beside the image: NAME and one of these. */
static const char *const suffixes[] = {
        ".nspawn",       ".berth",   ".berth.d",     ".oci-config", ".roothash",
        ".roothash.p7s", ".usrhash", ".usrhash.p7s", ".verity",
};
/* Beside NAME.raw: NAME.raw and one of these. */
static const char *const raw_suffixes[] = { ".raw.tpmstate", ".raw.efinvramstate" };
static const char *const settings_suffixes[] = { ".nspawn", ".berth", ".berth.d" };

typedef struct Lists {
        char **from, **to;
} Lists;

static void lists_done(Lists *l) {
        strv_free(l->from);
        strv_free(l->to);
}

static int add(Lists *l, const char *directory, const char *name, const char *to_directory,
               const char *new_name, const char *suffix) {
        struct stat st;
        _cleanup_free_ char *from = strjoin(directory, "/", name, suffix);
        if (!from)
                return -ENOMEM;
        if (lstat(from, &st) < 0)
                return 0;
        if (strv_consume(&l->from, TAKE_PTR(from)) < 0)
                return -ENOMEM;
        return strv_consume(&l->to, strjoin(to_directory, "/", new_name, suffix));
}

int side_cars_find(const ImagePool *pool, const Image *i, const char *directory, const char *name,
                   char ***ret_from, char ***ret_to, Error *reterr) {
        _cleanup_(lists_done) Lists l = { 0 };
        _cleanup_free_ char *beside = NULL;
        int r = path_extract_directory(i->entry, &beside);
        if (!directory)
                directory = beside;
        for (size_t k = 0; r >= 0 && k < ELEMENTSOF(suffixes); k++)
                r = add(&l, beside, i->name, directory, name, suffixes[k]);
        for (size_t k = 0; r >= 0 && i->kind == IMAGE_RAW && k < ELEMENTSOF(raw_suffixes); k++)
                r = add(&l, beside, i->name, directory, name, raw_suffixes[k]);
        STRV_FOREACH(d, pool->settings ?: (char *const *) system_settings)
                for (size_t k = 0; r >= 0 && k < ELEMENTSOF(settings_suffixes); k++)
                        r = add(&l, *d, i->name, *d, name, settings_suffixes[k]);
        if (r < 0)
                return error_oom(reterr);
        *ret_from = TAKE_PTR(l.from);
        *ret_to = TAKE_PTR(l.to);
        return 0;
}

int side_cars_missing(char *const *from, char *const *to, char ***ret_from, char ***ret_to,
                      Error *reterr) {
        _cleanup_(lists_done) Lists l = { 0 };
        struct stat st;
        for (size_t k = 0; from && from[k]; k++)
                if (lstat(to[k], &st) < 0 && errno == ENOENT &&
                    (strv_extend(&l.from, from[k]) < 0 || strv_extend(&l.to, to[k]) < 0))
                        return error_oom(reterr);
        *ret_from = TAKE_PTR(l.from);
        *ret_to = TAKE_PTR(l.to);
        return 0;
}

static int open_parent(const char *path, const char **ret_name) {
        _cleanup_free_ char *parent = NULL;
        if (path_extract_directory(path, &parent) < 0)
                return -ENOMEM;
        *ret_name = path_last_component(path);
        int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static int copy_one(const char *from, const char *to) {
        TreeCopy copy = { 0 };
        const char *name;
        struct stat st;
        _cleanup_close_ int parent = open_parent(to, &name);
        if (parent < 0)
                return parent;
        if (lstat(from, &st) < 0)
                return -errno;
        if (S_ISLNK(st.st_mode)) { /* a mask, for one */
                char target[PATH_MAX];
                ssize_t n = readlink(from, target, sizeof(target) - 1);
                if (n < 0)
                        return -errno;
                target[n] = '\0';
                return symlinkat(target, parent, name) < 0 ? -errno : 0;
        }
        _cleanup_close_ int fd = open(from, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        int r = S_ISDIR(st.st_mode) ? tree_copy(fd, parent, name, &copy)
                                    : tree_copy_file(fd, parent, name, &copy);
        free(copy.failed);
        return r;
}

int side_cars_copy(char *const *from, char *const *to, Error *reterr) {
        for (size_t k = 0; from && from[k]; k++) {
                int r = copy_one(from[k], to[k]);
                if (r < 0)
                        return error_set_errno(reterr, r, ERROR_FAILED,
                                               "Copying '%s' to '%s' failed", from[k], to[k]);
        }
        return 0;
}

void side_cars_remove(char *const *files) {
        STRV_FOREACH(f, files) {
                const char *name;
                _cleanup_close_ int parent = open_parent(*f, &name);
                if (parent >= 0)
                        (void) tree_delete(parent, name, NULL, NULL); /* best effort */
        }
}

/* ---- to know it again ---- */

void side_car_describe(const char *path, char ret[static SIDE_CAR_WORDS_MAX]) {
        struct stat st;
        if (lstat(path, &st) < 0)
                (void) snprintf(ret, SIDE_CAR_WORDS_MAX, "-"); /* it fits, and so does this: */
        else
                (void) snprintf(ret, SIDE_CAR_WORDS_MAX, "%" PRIu64 ":%" PRIi64 ".%09u",
                                (uint64_t) st.st_ino, (int64_t) st.st_ctim.tv_sec,
                                (unsigned) st.st_ctim.tv_nsec);
}

static bool is_newer(const struct stat *st, const struct timespec *since) {
        return st->st_ctim.tv_sec != since->tv_sec ? st->st_ctim.tv_sec > since->tv_sec
                                                   : st->st_ctim.tv_nsec > since->tv_nsec;
}

/* Who was killed over its removal has taken files out of it; nobody but another one puts files in. */
static bool has_newer(const char *path, const struct timespec *since) {
        bool found = false;
        DIR *d = opendir(path);
        for (struct dirent *e = d ? readdir(d) : NULL; e && !found; e = readdir(d)) {
                struct stat st;
                found = fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) >= 0 &&
                        !S_ISDIR(st.st_mode) && is_newer(&st, since);
        }
        if (d)
                (void) closedir(d); /* was only read */
        return found || !d;
}

bool side_car_is(const char *path, const char *words, const struct timespec *since) {
        char now[SIDE_CAR_WORDS_MAX];
        struct stat st;
        if (lstat(path, &st) < 0)
                return false;
        side_car_describe(path, now);
        if (words && (streq(words, "-") || streq(words, now)))
                return true;
        if (!S_ISDIR(st.st_mode))
                return !words && !is_newer(&st, since);
        const bool same = !words || strncmp(words, now, strcspn(now, ":") + 1) == 0;
        return same && !has_newer(path, since);
}

/* ---- which they are ---- */

static bool has_suffix_of(const char *file, const char *name, const char *const *list, size_t n) {
        const char *rest = startswith(file, name);
        bool found = false;
        for (size_t k = 0; rest && !found && k < n; k++)
                found = streq(rest, list[k]);
        return found;
}

static bool is_side_car(char *const *settings, const char *place, const char *name,
                        const char *directory, const char *file) {
        bool found = path_equal(directory, place) &&
                     (has_suffix_of(file, name, suffixes, ELEMENTSOF(suffixes)) ||
                      has_suffix_of(file, name, raw_suffixes, ELEMENTSOF(raw_suffixes)));
        STRV_FOREACH(d, settings ?: (char *const *) system_settings)
                found = found ||
                        (path_equal(directory, *d) && has_suffix_of(file, name, settings_suffixes,
                                                                    ELEMENTSOF(settings_suffixes)));
        return found;
}

bool side_car_is_of(char *const *settings, const char *image, const char *file) {
        _cleanup_free_ char *place = NULL, *directory = NULL, *stem = NULL;
        const char *entry = path_last_component(image), *last = path_last_component(file),
                   *end = endswith(entry, ".raw") ?: endswith(entry, ".mstack");
        if (isempty(entry) || path_extract_directory(image, &place) < 0 ||
            path_extract_directory(file, &directory) < 0)
                return false;
        if (end && end > entry)
                stem = strndup(entry, (size_t) (end - entry));
        return is_side_car(settings, place, entry, directory, last) ||
               (stem && is_side_car(settings, place, stem, directory, last));
}
