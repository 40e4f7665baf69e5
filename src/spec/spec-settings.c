/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Settings files: the grammar of systemd.syntax(7), and where NAME.berth and NAME.nspawn are looked for.
 *
 * Files: open(O_NONBLOCK: a FIFO must not hold us), fstat, read. Beside an image O_NOFOLLOW as well: who owns that directory must
 * not make us read another file. */
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "basic/strv.h"
#include "spec/spec-draft.h"

typedef struct SettingsFile {
        SpecDraft *draft;
        SpecSource source;
        const char *path;
        unsigned line;        /* where the current logical line began */
        char *section;        /* NULL: none yet */
        bool section_unknown; /* its keys are skipped without a word */
} SettingsFile;

static void settings_file_done(SettingsFile *s) {
        free(s->section);
}

static bool section_is_known(const char *section) {
        for (size_t i = 0; i < spec_n_fields; i++)
                if (spec_fields[i].section && streq(spec_fields[i].section, section) &&
                    !(spec_fields[i].flags & FIELD_INTERNAL))
                        return true;
        return false;
}

static int section_begin(SettingsFile *s, char *line, Error *reterr) {
        size_t n = strlen(line);

        if (n < 3 || line[n - 1] != ']')
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                 "Line %u of '%s' is not a '[Section]' line", s->line, s->path);
        line[n - 1] = '\0';
        if (free_and_strdup(&s->section, line + 1) < 0)
                return error_oom(reterr);
        s->section_unknown = !section_is_known(s->section);
        if (s->section_unknown && !startswith(s->section, "X-") &&
            spec_draft_warn(s->draft, "Ignoring the unknown section '[%s]' at %s:%u", s->section,
                            s->path, s->line) < 0)
                return error_oom(reterr);
        return 0;
}

/* Name= is what the file name says; `berth verify` prints it, so a copy of that may have it. */
static int command_key(SettingsFile *s, const SpecField *f, const char *value, Error *reterr) {
        const ContainerSpec *spec = spec_draft_spec(s->draft);

        if (spec->name && streq(spec->name, value))
                return 0;
        if (spec_draft_warn(s->draft,
                            "Ignoring %s= at %s:%u: a container has the name of its settings file",
                            f->key, s->path, s->line) < 0)
                return error_oom(reterr);
        return 0;
}

static int assignment(SettingsFile *s, const char *key, const char *value, Error *reterr) {
        _cleanup_free_ char *where = strf("%s:%u", s->path, s->line);
        const SpecField *f;

        if (!where)
                return error_oom(reterr);
        if (s->section_unknown || startswith(key, "X-"))
                return 0;
        f = s->section ? spec_field_by_key(s->section, key) : NULL;
        if (!f || (f->flags & FIELD_INTERNAL)) {
                if (spec_draft_warn(s->draft, "Ignoring the unknown setting %s= at %s%s", key,
                                    where, s->section ? "" : ": it is in no section") < 0)
                        return error_oom(reterr);
                return 0;
        }
        if (f->flags & FIELD_COMMAND)
                return command_key(s, f, value, reterr);
        return spec_draft_set(s->draft, f, value, s->source, where, reterr);
}

static int logical_line(SettingsFile *s, char *line, Error *reterr) {
        char *equals;

        line = strstrip(line);
        if (*line == '\0')
                return 0;
        if (*line == '[')
                return section_begin(s, line, reterr);
        equals = strchr(line, '=');
        if (!equals || equals == line)
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                 "Line %u of '%s' is not a 'Key=value' line", s->line, s->path);
        *equals = '\0';
        return assignment(s, strstrip(line), strstrip(equals + 1), reterr);
}

static bool is_comment(const char *line) {
        line += strspn(line, WHITESPACE);
        return *line == '#' || *line == ';';
}

/* Joins lines that end with a backslash (comments between them are skipped) and handles each. */
static int lines_parse(SettingsFile *s, char *text, Error *reterr) {
        _cleanup_(strbuf_done) StrBuf joined = { 0 };
        unsigned number = 0;
        bool more = false; /* the line before ended with a backslash */

        for (char *line, *rest = text; (line = strsep(&rest, "\n"));) {
                size_t n = strlen(line);

                number++;
                if (is_comment(line))
                        continue;
                if (!more)
                        s->line = number;
                more = n > 0 && line[n - 1] == '\\';
                if (more)
                        line[n - 1] = ' ';
                strbuf_add(&joined, line);
                if (more)
                        continue;

                _cleanup_free_ char *whole = NULL;
                if (strbuf_finish(&joined, &whole) < 0)
                        return error_oom(reterr);
                int r = logical_line(s, whole, reterr);
                if (r < 0)
                        return r;
        }
        if (!more)
                return 0;
        /* a continued line is the last one, or only comments follow */
        _cleanup_free_ char *whole = NULL;
        return strbuf_finish(&joined, &whole) < 0 ? error_oom(reterr)
                                                  : logical_line(s, whole, reterr);
}

int spec_settings_parse(SpecDraft *d, const char *text, SpecSource source, const char *path,
                        Error *reterr) {
        _cleanup_(settings_file_done)
                SettingsFile s = { .draft = d, .source = source, .path = path };
        _cleanup_free_ char *copy = NULL;
        size_t n = strlen(text);

        if (n > SPEC_TEXT_MAX)
                return error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED,
                                 "Settings file '%s' is longer than %u bytes", path, SPEC_TEXT_MAX);
        if (!utf8_is_valid(text, n))
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                 "Settings file '%s' is not valid UTF-8", path);
        copy = strdup(text);
        return copy ? lines_parse(&s, copy, reterr) : error_oom(reterr);
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
                return spec_draft_warn(d, "Ignoring '%s': it is a symbolic link", path) < 0
                               ? error_oom(reterr)
                               : 0;
        if (fd < 0 || fstat(fd, &st) < 0)
                return error_set_errno(reterr, -errno, ERROR_FAILED,
                                       "Settings file '%s' cannot be read", path);
        /* A link to /dev/null says that there are no settings, as with units. */
        if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)) {
                *ret = strdup("");
                return *ret ? 1 : error_oom(reterr);
        }
        if (!S_ISREG(st.st_mode) && !trusted)
                return spec_draft_warn(d, "Ignoring '%s': it is not a regular file", path) < 0
                               ? error_oom(reterr)
                               : 0;
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

/* Tries NAME.berth, then NAME.nspawn in one directory. */
static int directory_load(SpecDraft *d, const char *directory, const char *name, bool trusted,
                          SpecSource source, char **ret_path, Error *reterr) {
        static const char *const suffixes[] = { ".berth", ".nspawn" };
        int r;

        for (size_t i = 0; i < ELEMENTSOF(suffixes); i++) {
                _cleanup_free_ char *file = strjoin(name, suffixes[i]), *path = NULL, *text = NULL;

                path = file ? path_join(directory, file) : NULL;
                if (!path)
                        return error_oom(reterr);
                r = settings_read(d, path, trusted, &text, reterr);
                if (r == 0)
                        continue;
                if (r > 0)
                        r = spec_settings_parse(d, text, source, path, reterr);
                if (r < 0)
                        return r;
                if (ret_path)
                        *ret_path = TAKE_PTR(path);
                return 1;
        }
        return 0;
}

int spec_settings_load_from(SpecDraft *d, char *const *trusted_directories, const char *name,
                            const char *image_directory, bool trust_image_files, bool override,
                            char **ret_path, Error *reterr) {
        const SpecSource trusted = override ? SOURCE_OVERRIDE : SOURCE_FILE;
        int r;

        r = spec_check_name(name, reterr);
        if (r < 0)
                return r;
        STRV_FOREACH(directory, trusted_directories) {
                r = directory_load(d, *directory, name, /* trusted= */ true, trusted, ret_path,
                                   reterr);
                if (r != 0)
                        return r;
        }
        if (!image_directory)
                return 0;
        if (trust_image_files)
                return directory_load(d, image_directory, name, /* trusted= */ true, trusted,
                                      ret_path, reterr);
        return directory_load(d, image_directory, name, /* trusted= */ false,
                              override ? SOURCE_IMAGE_OVERRIDE : SOURCE_IMAGE_FILE, ret_path,
                              reterr);
}

int spec_settings_load(SpecDraft *d, const char *name, const char *image_directory,
                       bool trust_image_files, bool override, char **ret_path, Error *reterr) {
        _cleanup_strv_free_ char **directories = NULL;

        directories = strv_new("/etc/berth", "/run/berth/settings", "/etc/systemd/nspawn",
                               "/run/systemd/nspawn");
        if (!directories)
                return error_oom(reterr);
        return spec_settings_load_from(d, directories, name, image_directory, trust_image_files,
                                       override, ret_path, reterr);
}
