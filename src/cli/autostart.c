/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* *.wants/berth@NAME.service and its kin → names. */
#include "cli/autostart.h"

#include <dirent.h>
#include <sys/stat.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "spec/spec.h"

/* systemd.unit(5), "Unit File Load Path" */
static const char *const unit_directories[] = {
        "/etc/systemd/system.control", "/run/systemd/system.control",
        "/run/systemd/transient",      "/etc/systemd/system",
        "/run/systemd/system",         "/usr/local/lib/systemd/system",
        "/usr/lib/systemd/system",     NULL,
};

/* "berth@web.service" → "web"; allocated; NULL if it is another unit's. */
static char *name_of_service(const char *unit) {
        const char *begin = startswith(unit, "berth@"), *end = endswith(unit, ".service");

        if (!begin || !end || end <= begin)
                return NULL;
        char *name = strndup(begin, (size_t) (end - begin));
        if (name && !container_name_is_valid(name))
                name = mfree(name);
        return name;
}

static DIR *open_at(int fd, const char *path) {
        int d = openat(fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = d >= 0 ? fdopendir(d) : NULL;

        if (!dir)
                fd_close(d);
        return dir;
}

static int add_links(int fd, const char *path, char ***names) {
        DIR *d = open_at(fd, path);
        int r = 0;

        if (!d)
                return 0; /* nothing that could be seen */
        for (struct dirent *e = readdir(d); e && r >= 0; e = readdir(d)) {
                _cleanup_free_ char *name = name_of_service(e->d_name);
                if (name)
                        r = strv_extend(names, name);
        }
        (void) closedir(d); /* was only read */
        return r;
}

/* An empty file, or a link to /dev/null, in a unit's place */
static bool is_masked(int fd, const char *unit) {
        struct stat st, null;

        if (fstatat(fd, unit, &st, 0) < 0)
                return false;
        return (S_ISREG(st.st_mode) && st.st_size == 0) ||
               (S_ISCHR(st.st_mode) && stat("/dev/null", &null) >= 0 && st.st_rdev == null.st_rdev);
}

static int look_in(const char *directory, char ***names, char ***masked) {
        static const char *const suffixes[] = { ".wants", ".requires", ".upholds" };
        DIR *d = open_at(AT_FDCWD, directory);
        int r = 0;

        if (!d)
                return 0;
        for (struct dirent *e = readdir(d); e && r >= 0; e = readdir(d)) {
                for (size_t i = 0; r >= 0 && i < ELEMENTSOF(suffixes); i++)
                        if (endswith(e->d_name, suffixes[i]))
                                r = add_links(dirfd(d), e->d_name, names);
                _cleanup_free_ char *name = name_of_service(e->d_name);
                if (r >= 0 && name && is_masked(dirfd(d), e->d_name))
                        r = strv_extend(masked, name);
        }
        (void) closedir(d); /* was only read */
        return r;
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

int autostart_list_in(char *const *directories, char ***ret_names, Error *reterr) {
        _cleanup_strv_free_ char **found = NULL, **masked = NULL, **names = NULL;

        STRV_FOREACH(d, directories)
                if (look_in(*d, &found, &masked) < 0)
                        return error_oom(reterr);
        if (found)
                qsort(found, strv_length(found), sizeof(char *), compare_names);
        STRV_FOREACH(f, found) {
                const bool again = f > found && streq(f[-1], f[0]);
                if (!again && !strv_contains(masked, *f) && strv_extend(&names, *f) < 0)
                        return error_oom(reterr);
        }
        *ret_names = TAKE_PTR(names);
        return 0;
}

int autostart_list(char ***ret_names, Error *reterr) {
        return autostart_list_in((char *const *) unit_directories, ret_names, reterr);
}

bool autostart_contains(char *const *names, const char *name) {
        return names &&
               bsearch(&name, names, strv_length(names), sizeof(char *), compare_names) != NULL;
}
