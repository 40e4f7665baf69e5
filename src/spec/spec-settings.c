/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Settings files: the grammar of systemd.syntax(7). */
#include "spec/spec-draft.h"
#include "spec/spec-specifier.h"

typedef struct SettingsFile {
        SpecDraft *draft;
        SpecSource source;
        const char *path;
        unsigned line;        /* where the current logical line began */
        char *section;        /* NULL: none yet */
        bool section_unknown; /* its keys are skipped without a word */
        bool specifiers;      /* are replaced */
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

/* Untrusted files learn nothing of the host: 1 if the setting is to be ignored. */
static int expand(SettingsFile *s, const SpecField *f, const char *value, const char *where,
                  char **ret, Error *reterr) {
        const bool trusted = !IN_SET(s->source, SOURCE_IMAGE_FILE, SOURCE_IMAGE_OVERRIDE);
        _cleanup_free_ char *subject = strf("%s= at %s", f->key, where);
        char secret;

        if (!subject)
                return error_oom(reterr);
        int r = spec_specifiers_expand(value, spec_draft_spec(s->draft)->name, trusted, subject,
                                       ret, &secret, reterr);
        if (r > 0 &&
            spec_draft_warn(
                    s->draft,
                    "Ignoring %s: a file beside an image is not told what '%%%c' is on this host",
                    subject, secret) < 0)
                return error_oom(reterr);
        return r;
}

static int assignment(SettingsFile *s, const char *key, const char *value, Error *reterr) {
        _cleanup_free_ char *where = strf("%s:%u", s->path, s->line), *expanded = NULL;
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
        if (s->specifiers && (f->flags & FIELD_SPECIFIERS) && strchr(value, '%')) {
                int r = expand(s, f, value, where, &expanded, reterr);
                if (r != 0)
                        return MIN(r, 0);
                value = expanded;
        }
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
        _cleanup_(settings_file_done) SettingsFile s = {
                .draft = d, .source = source, .path = path, .specifiers = !endswith(path, ".nspawn")
        };
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
