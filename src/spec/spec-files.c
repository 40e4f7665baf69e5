/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding and reading settings files, drop-ins and profiles.
 *
 * Files: open(O_NONBLOCK: a FIFO must not hold us), fstat, read. Beside an image O_NOFOLLOW as well: who owns that directory must
 * not make us read another file. */
#include "spec/spec-files.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/path.h"
#include "basic/strv.h"

static const char *const directories[] = {
        SETTINGS_ETC,          SETTINGS_RUN,     "/etc/systemd/nspawn",
        "/run/systemd/nspawn", "/usr/lib/berth", NULL,
};
char *const *const settings_directories = (char *const *) directories;

typedef struct DropIn {
        char *name, *path;
        bool trusted;
} DropIn;

/* One look for all files of a container. */
typedef struct Search {
        const SettingsSearch *q;
        SpecDraft *draft;
        const char *name;
        SettingsVisit visit;
        void *userdata;
        SettingsFiles files;
        DropIn *drop_ins;
        size_t n_drop_ins;
} Search;

void settings_files_done(SettingsFiles *f) {
        f->main = mfree(f->main);
        f->drop_ins = strv_free(f->drop_ins);
}

static void search_done(Search *s) {
        settings_files_done(&s->files);
        for (size_t i = 0; i < s->n_drop_ins; i++) {
                free(s->drop_ins[i].name);
                free(s->drop_ins[i].path);
        }
        free(s->drop_ins);
}

static int ignore(SpecDraft *d, const char *path, const char *reason, Error *reterr) {
        return spec_draft_warn(d, "Ignoring '%s': %s", path, reason) < 0 ? error_oom(reterr) : 0;
}

/* Reads a file: 1, 0 if there is none, or (only if untrusted) none that is fit to be read. */
static int settings_read(SpecDraft *d, const char *path, bool trusted, char **ret, Error *reterr) {
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        int r;

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (trusted ? 0 : O_NOFOLLOW));
        if (fd < 0 && errno == ENOENT &&
            lstat(path, &st) >= 0) /* not to be taken for "no settings" */
                return error_set(reterr, -ENOENT, ERROR_FAILED,
                                 "Settings file '%s' is a symbolic link that leads nowhere", path);
        if (fd < 0 && IN_SET(errno, ENOENT, ENOTDIR))
                return 0;
        if (fd < 0 && errno == ELOOP && !trusted)
                return ignore(d, path, "it is a symbolic link", reterr);
        if (fd < 0 || fstat(fd, &st) < 0)
                return error_set_errno(reterr, -errno, ERROR_FAILED,
                                       "Settings file '%s' cannot be read", path);
        /* A link to /dev/null says that there are no settings, as with units. */
        if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)) {
                *ret = strdup("");
                return *ret ? 1 : error_oom(reterr);
        }
        if (!S_ISREG(st.st_mode) && !trusted)
                return ignore(d, path, "it is not a regular file", reterr);
        if (!S_ISREG(st.st_mode))
                return error_set(reterr, -EINVAL, ERROR_FAILED,
                                 "Settings file '%s' is not a regular file", path);
        r = fd_read_all(fd, SPEC_TEXT_MAX, ret, NULL);
        if (r == -E2BIG)
                return error_set(reterr, r, ERROR_LIMIT_EXCEEDED,
                                 "Settings file '%s' is longer than %u bytes", path, SPEC_TEXT_MAX);
        if (r == -EBADMSG)
                return error_set(reterr, r, ERROR_INVALID_SETTING,
                                 "Settings file '%s' has NUL bytes", path);
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED, "Settings file '%s' cannot be read",
                                       path)
                     : 1;
}

/* The same, or the text that an editor has it have. */
static int search_read(Search *s, const char *path, bool trusted, char **ret, Error *reterr) {
        const SettingsText *edited = s->q->edited;

        if (!edited || !streq(edited->path, path))
                return settings_read(s->draft, path, trusted, ret, reterr);
        *ret = strdup(edited->text);
        return *ret ? 1 : error_oom(reterr);
}

/* ---- the main file ---- */

/* Tries NAME.berth, then NAME.nspawn in one directory. */
static int directory_read(Search *s, const char *directory, bool trusted, Error *reterr) {
        static const char *const suffixes[] = { ".berth", ".nspawn" };
        int r;

        for (size_t i = 0; i < ELEMENTSOF(suffixes); i++) {
                _cleanup_free_ char *file = strjoin(s->name, suffixes[i]), *path = NULL,
                                    *text = NULL;

                path = file ? path_join(directory, file) : NULL;
                if (!path)
                        return error_oom(reterr);
                r = search_read(s, path, trusted, &text, reterr);
                if (r == 0)
                        continue;
                if (r > 0)
                        r = s->visit(s->userdata, path, text, trusted, reterr);
                if (r < 0)
                        return r;
                s->files.main = TAKE_PTR(path);
                return 1;
        }
        return 0;
}

/* *ret_elsewhere: there is one that is not beside the image. */
static int read_main(Search *s, char *const *trusted_directories, bool *ret_elsewhere,
                     Error *reterr) {
        *ret_elsewhere = false;
        STRV_FOREACH(directory, trusted_directories) {
                int r = directory_read(s, *directory, /* trusted= */ true, reterr);
                if (r != 0) {
                        *ret_elsewhere = r > 0;
                        return r;
                }
        }
        return s->q->image_directory
                       ? directory_read(s, s->q->image_directory, s->q->trust_image, reterr)
                       : 0;
}

/* ---- drop-ins ---- */

static int drop_in_add(Search *s, const char *directory, const char *name, bool trusted,
                       Error *reterr) {
        for (size_t i = 0; i < s->n_drop_ins; i++)
                if (streq(s->drop_ins[i].name, name)) /* a stronger directory has one */
                        return 0;
        if (s->n_drop_ins >= SPEC_DROP_INS_MAX)
                return error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED,
                                 "Container '%s' has more than %u drop-ins", s->name,
                                 SPEC_DROP_INS_MAX);
        DropIn *slot = ARRAY_APPEND(s->drop_ins, s->n_drop_ins);
        if (!slot)
                return error_oom(reterr);
        *slot = (DropIn){ .name = strdup(name),
                          .path = path_join(directory, name),
                          .trusted = trusted };
        return slot->name && slot->path ? 0 : error_oom(reterr);
}

/* The file that is being edited may not be there yet. */
static int add_edited(Search *s, const char *directory, bool trusted, Error *reterr) {
        const char *rest = s->q->edited ? path_startswith(s->q->edited->path, directory) : NULL;

        return isempty(rest) || strchr(rest, '/')
                       ? 0
                       : drop_in_add(s, directory, rest, trusted, reterr);
}

static int scan_directory(Search *s, const char *directory, bool trusted, Error *reterr) {
        _cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK |
                                                         (trusted ? 0 : O_NOFOLLOW));
        int r = add_edited(s, directory, trusted, reterr);

        if (r < 0)
                return r;
        if (fd < 0 && !trusted && IN_SET(errno, ELOOP, ENOTDIR))
                return ignore(s->draft, directory, "it is no directory", reterr);
        if (fd < 0 && IN_SET(errno, ENOENT, ENOTDIR))
                return 0;
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        if (!dir)
                return error_set_errno(reterr, -errno, ERROR_FAILED,
                                       "Directory '%s' of settings cannot be read", directory);
        fd = -EBADF; /* dir has it */
        for (const struct dirent *entry; r >= 0 && (entry = readdir(dir));) {
                const char *suffix = endswith(entry->d_name, ".conf");
                if (!suffix || suffix == entry->d_name || entry->d_name[0] == '.')
                        continue;
                if (path_is_valid(entry->d_name))
                        r = drop_in_add(s, directory, entry->d_name, trusted, reterr);
                else
                        r = ignore(s->draft, directory, "a file in it has no valid name", reterr);
        }
        (void) closedir(dir); /* was read only */
        return r;
}

static int scan(Search *s, const char *directory, const char *name, size_t name_length,
                bool trusted, Error *reterr) {
        _cleanup_free_ char *path = strf("%s/%.*s%s.d", directory, (int) name_length, name,
                                         name_length > 0 ? ".berth" : "berth");

        return path ? scan_directory(s, path, trusted, reterr) : error_oom(reterr);
}

/* The most specific ones first: web-1.berth.d everywhere, then web-.berth.d, then berth.d. */
static int scan_all(Search *s, char *const *trusted_directories, bool image, Error *reterr) {
        for (size_t n = strlen(s->name);;) {
                int r = 0;
                STRV_FOREACH(directory, trusted_directories) {
                        r = scan(s, *directory, s->name, n, /* trusted= */ true, reterr);
                        if (r < 0)
                                return r;
                }
                if (image && n == strlen(s->name))
                        r = scan(s, s->q->image_directory, s->name, n, s->q->trust_image, reterr);
                if (r < 0 || n == 0)
                        return r;
                for (n--; n > 0 && s->name[n - 1] != '-'; n--)
                        ;
        }
}

static int drop_in_compare(const void *a, const void *b) {
        const DropIn *first = a, *second = b;

        return strcmp(first->name, second->name);
}

static int read_drop_ins(Search *s, Error *reterr) {
        if (s->n_drop_ins > 0)
                qsort(s->drop_ins, s->n_drop_ins, sizeof(DropIn), drop_in_compare);
        for (size_t i = 0; i < s->n_drop_ins; i++) {
                const DropIn *drop_in = s->drop_ins + i;
                _cleanup_free_ char *text = NULL;
                int r = search_read(s, drop_in->path, drop_in->trusted, &text, reterr);
                if (r == 0)
                        continue; /* ignored, or it has just gone */
                if (r > 0)
                        r = s->visit(s->userdata, drop_in->path, text, drop_in->trusted, reterr);
                if (r < 0)
                        return r;
                if (strv_extend(&s->files.drop_ins, drop_in->path) < 0)
                        return error_oom(reterr);
        }
        return 0;
}

/* Most of them are not there: each is looked for once. */
static int find_present(const SettingsSearch *search, char ***ret) {
        char *const *trusted = search->directories ?: settings_directories;

        STRV_FOREACH(directory, trusted)
                if ((access(*directory, F_OK) >= 0 || errno != ENOENT ||
                     (search->edited && path_startswith(search->edited->path, *directory))) &&
                    strv_extend(ret, *directory) < 0)
                        return -ENOMEM;
        return 0;
}

int settings_visit(SpecDraft *d, const char *name, const SettingsSearch *search,
                   SettingsVisit visit, void *userdata, SettingsFiles *ret_files, Error *reterr) {
        _cleanup_(search_done) Search s = {
                .q = search, .draft = d, .name = name, .visit = visit, .userdata = userdata
        };
        _cleanup_strv_free_ char **trusted = NULL;
        bool elsewhere;

        int r = spec_check_name(name, reterr);
        if (r >= 0 && find_present(search, &trusted) < 0)
                return error_oom(reterr);
        if (r >= 0)
                r = read_main(&s, trusted, &elsewhere, reterr);
        if (r >= 0)
                r = scan_all(&s, trusted, search->image_directory && !elsewhere, reterr);
        if (r >= 0)
                r = read_drop_ins(&s, reterr);
        if (r < 0)
                return r;
        r = s.files.main || s.files.drop_ins;
        if (ret_files) {
                *ret_files = s.files;
                s.files = (SettingsFiles){ 0 };
        }
        return r;
}

/* ---- into a draft ---- */

typedef struct Loader {
        SpecDraft *draft;
        bool override;
} Loader;

static int visit_parse(void *userdata, const char *path, const char *text, bool trusted,
                       Error *reterr) {
        const Loader *l = userdata;
        const SpecSource source =
                trusted ? (l->override ? SOURCE_OVERRIDE : SOURCE_FILE)
                        : (l->override ? SOURCE_IMAGE_OVERRIDE : SOURCE_IMAGE_FILE);

        return spec_settings_parse(l->draft, text, source, path, reterr);
}

int spec_settings_load(SpecDraft *d, const char *name, const SettingsSearch *search,
                       SettingsFiles *ret_files, Error *reterr) {
        Loader l = { .draft = d, .override = search->override };

        return settings_visit(d, name, search, visit_parse, &l, ret_files, reterr);
}

int spec_profile_read(SpecDraft *d, char *const *profile_directories, const char *name,
                      SpecSource source, Error *reterr) {
        _cleanup_free_ char *file = strjoin(name, ".conf");

        if (!file)
                return error_oom(reterr);
        STRV_FOREACH(directory, profile_directories) {
                _cleanup_free_ char *path = path_join(*directory, file), *text = NULL;
                int r = path ? settings_read(d, path, /* trusted= */ true, &text, reterr)
                             : error_oom(reterr);
                if (r == 0)
                        continue;
                if (r > 0)
                        r = spec_settings_parse(d, text, source, path, reterr);
                return r < 0 ? r : 1;
        }
        return 0;
}
