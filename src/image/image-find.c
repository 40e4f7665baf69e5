/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where images lie, and what they are called. */
#include "image/image-find.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "spec/spec.h"

#define IMAGES_MAX 4096U /* of one listing */

static const char *const search_path[] = {
        "/etc/machines",
        "/run/machines",
        "/var/lib/machines",
        "/var/lib/container",
        "/usr/local/lib/machines",
        "/usr/lib/machines",
        NULL,
};

/* What systemd-machined knows as an image too. */
static const struct {
        const char *suffix, *kind;
} other_kinds[] = {
        { ".raw", "a disk image" },
        { ".mstack", "a stack of layers" },
        { ".v", "a directory of versions" },
};

static char *const *default_places(void) {
        return (char *const *) search_path;
}

typedef enum Found {
        FOUND_NOTHING,
        FOUND_DIRECTORY
} Found;

static int check_other_kinds(const char *place, const char *name, Error *reterr) {
        for (size_t i = 0; i < ELEMENTSOF(other_kinds); i++) {
                _cleanup_free_ char *path = strjoin(place, "/", name, other_kinds[i].suffix);
                if (!path)
                        return error_oom(reterr);
                if (access(path, F_OK) == 0)
                        return error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                                         "Image '%s' is %s; only directories can be started yet",
                                         path, other_kinds[i].kind);
        }
        return FOUND_NOTHING;
}

static int find_in_place(const char *place, const char *name, char **ret, Error *reterr) {
        _cleanup_free_ char *path = path_join(place, name), *real = NULL;
        struct stat st;

        if (!path)
                return error_oom(reterr);
        if (stat(path, &st) < 0) {
                int code = -errno;
                struct stat link;
                if (lstat(path, &link) == 0)
                        return error_set_errno(reterr, code, ERROR_ROOT_NOT_FOUND,
                                               "Image '%s' is a symbolic link that leads nowhere",
                                               path);
                if (IN_SET(code, -ENOENT, -ENOTDIR))
                        return check_other_kinds(place, name, reterr);
                return error_set_errno(reterr, code,
                                       code == -EACCES ? ERROR_NO_PRIVILEGES : ERROR_FAILED,
                                       "'%s' cannot be searched for image '%s'", place, name);
        }
        if (!S_ISDIR(st.st_mode))
                return error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                                 "Image '%s' is %s; only directories can be started yet", path,
                                 S_ISBLK(st.st_mode) ? "a block device" : "not a directory");
        real = realpath(path, NULL);
        if (!real)
                return error_set_errno(reterr, -errno, ERROR_FAILED,
                                       "Image '%s' cannot be resolved", path);
        *ret = TAKE_PTR(real);
        return FOUND_DIRECTORY;
}

int image_find_in(char *const *places, const char *name, char **ret_directory, Error *reterr) {
        int r = spec_check_name(name, reterr);
        if (r < 0)
                return r;

        STRV_FOREACH(place, places) {
                r = find_in_place(*place, name, ret_directory, reterr);
                if (r < 0)
                        return r;
                if (r == FOUND_DIRECTORY)
                        return 0;
        }

        _cleanup_free_ char *list = strv_join(places, ", ");
        r = error_set(reterr, -ENOENT, ERROR_ROOT_NOT_FOUND, "There is no image '%s' in %s", name,
                      strempty(list));
        error_hint(reterr,
                   "make /var/lib/machines/%s, or run any directory: berth run -D DIRECTORY", name);
        return r;
}

int image_find(const char *name, char **ret_directory, Error *reterr) {
        return image_find_in(default_places(), name, ret_directory, reterr);
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static int list_place(const char *place, char ***names) {
        DIR *d = opendir(place);
        if (!d)
                return 0; /* a place that is not there, or that this user may not see, holds nothing for him */

        int r = 0;
        for (struct dirent *e = readdir(d); e && r >= 0; e = readdir(d)) {
                struct stat st;
                if (container_name_is_valid(e->d_name) && !strv_contains(*names, e->d_name) &&
                    fstatat(dirfd(d), e->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode) &&
                    strv_length(*names) < IMAGES_MAX)
                        r = strv_extend(names, e->d_name);
        }
        (void) closedir(d); /* was only read */
        return r;
}

int image_list_in(char *const *places, char ***ret_names, Error *reterr) {
        _cleanup_strv_free_ char **names = NULL;

        STRV_FOREACH(place, places)
                if (list_place(*place, &names) < 0)
                        return error_oom(reterr);
        if (names)
                qsort(names, strv_length(names), sizeof(char *), compare_names);
        *ret_names = TAKE_PTR(names);
        return 0;
}

int image_list(char ***ret_names, Error *reterr) {
        return image_list_in(default_places(), ret_names, reterr);
}

static bool name_character_is_valid(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               IN_SET(c, '-', '.', '_');
}

/* Leaves out what a name cannot hold, in place: characters, ".." and dots and dashes at the ends. */
static void clean_name(char *s) {
        size_t n = 0;

        for (const char *p = s; *p && n < CONTAINER_NAME_MAX; p++) {
                if (!name_character_is_valid(*p))
                        continue;
                if (IN_SET(*p, '.', '-') && (n == 0 || (*p == '.' && s[n - 1] == '.')))
                        continue;
                s[n++] = *p;
        }
        while (n > 0 && IN_SET(s[n - 1], '.', '-'))
                n--;
        s[n] = '\0';
}

int image_name_from_path(const char *path, char **ret, Error *reterr) {
        _cleanup_free_ char *simple = path_simplify(path), *name = NULL;
        struct utsname uts;

        if (!simple)
                return error_oom(reterr);
        const char *last = path_last_component(simple);
        if (isempty(last) && uname(&uts) == 0)
                last = uts.nodename;
        name = strdup(last);
        if (!name)
                return error_oom(reterr);
        clean_name(name);
        if (!container_name_is_valid(name)) {
                int r = error_set(reterr, -EINVAL, ERROR_INVALID_NAME,
                                  "No container name can be made of the directory '%s'", path);
                error_hint(reterr, "give one with --machine=NAME");
                return r;
        }
        *ret = TAKE_PTR(name);
        return 0;
}
