/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A spec under construction: which source wins, who is trusted, and where each value came from. */
#include "spec/spec-draft.h"

#include <stdarg.h>
#include <stdio.h>

#include "basic/alloc.h"
#include "basic/path.h"
#include "basic/strv.h"
#include "spec/spec-files.h"
#include "spec/spec-types.h"

typedef struct Origin {
        SpecSource source;
        char *where; /* as given with the last value, or NULL */
} Origin;

struct SpecDraft {
        ContainerSpec *spec; /* NULL once spec_check() has handed it over */
        Origin *origins;     /* one per row of the field table */
        char **warnings;
        char *const *profile_directories;
        char **profiles;        /* that are being read, the outermost first */
        char **wanted_profiles; /* of the command line */
};

static const char *const profile_directories[] = { "/etc/berth/profiles", "/run/berth/profiles",
                                                   "/usr/lib/berth/profiles", NULL };

SpecDraft *spec_draft_new(void) {
        SpecDraft *d = new0(SpecDraft, 1);

        if (!d)
                return NULL;
        d->spec = spec_new();
        d->origins = new0(Origin, spec_n_fields);
        d->profile_directories = (char *const *) profile_directories;
        return d->spec && d->origins ? d : spec_draft_free(d);
}

SpecDraft *spec_draft_free(SpecDraft *d) {
        if (!d)
                return NULL;
        spec_free(d->spec);
        for (size_t i = 0; d->origins && i < spec_n_fields; i++)
                free(d->origins[i].where);
        free(d->origins);
        strv_free(d->warnings);
        strv_free(d->profiles);
        strv_free(d->wanted_profiles);
        return mfree(d);
}

ContainerSpec *spec_draft_spec(SpecDraft *d) {
        return d->spec;
}

ContainerSpec *spec_draft_take_spec(SpecDraft *d) {
        return TAKE_PTR(d->spec);
}

char *const *spec_draft_warnings(const SpecDraft *d) {
        return d->warnings;
}

int spec_draft_warn(SpecDraft *d, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list ap;
        char *shown;
        int r;

        va_start(ap, format);
        r = vasprintf(&text, format, ap);
        va_end(ap);
        if (r < 0) {
                text = NULL;
                return -ENOMEM;
        }
        shown = str_escape_for_display(text); /* keys come from files that others have written */
        return shown ? strv_consume(&d->warnings, shown) : -ENOMEM;
}

/* Rows that speak of the same value: Boot= and ProcessTwo=, all mounts, an option and its alias. Each unit property is a value
 * of its own, although all are in one list. */
static bool rows_share(const SpecField *a, const SpecField *b) {
        return a == b || (a->offset == b->offset &&
                          a->offset != offsetof(ContainerSpec, resources.properties));
}

/* The row that remembers for f: itself, or what f is an alias of. */
static const SpecField *row_with_key(const SpecField *f) {
        for (size_t i = 0; !f->key && i < spec_n_fields; i++)
                if (spec_fields[i].key && rows_share(f, spec_fields + i))
                        return spec_fields + i;
        return f;
}

/* The strongest source that has set any of the rows that share f's value. */
static const Origin *group_origin(const SpecDraft *d, const SpecField *f) {
        const Origin *strongest = d->origins + (f - spec_fields);

        for (size_t i = 0; i < spec_n_fields; i++)
                if (rows_share(f, spec_fields + i) && d->origins[i].source > strongest->source)
                        strongest = d->origins + i;
        return strongest;
}

static bool is_table_row(const SpecField *f) {
        return f >= spec_fields && f < spec_fields + spec_n_fields;
}

SpecSource spec_draft_source(const SpecDraft *d, const SpecField *f, const char **ret_where) {
        const Origin *o;

        if (!is_table_row(f)) {
                if (ret_where)
                        *ret_where = NULL;
                return SOURCE_DEFAULT;
        }
        f = row_with_key(f);
        /* The first mount row prints all mounts. */
        o = f->type == &field_bind ? group_origin(d, f) : d->origins + (f - spec_fields);
        if (ret_where)
                *ret_where = o->where;
        return o->source;
}

/* A stronger source replaces the whole value. */
static void group_clear(SpecDraft *d, const SpecField *f) {
        for (size_t i = 0; i < spec_n_fields; i++)
                if (rows_share(f, spec_fields + i)) {
                        spec_field_clear(spec_fields + i, d->spec);
                        d->origins[i].source = SOURCE_DEFAULT;
                        d->origins[i].where = mfree(d->origins[i].where);
                }
}

static bool source_is_trusted(SpecSource source) {
        return !IN_SET(source, SOURCE_IMAGE_FILE, SOURCE_IMAGE_OVERRIDE);
}

static bool needs_trust(const SpecField *f, const char *value) {
        return (f->flags & FIELD_TRUSTED) || ((f->flags & FIELD_TRUSTED_ADD) && value[0] != '~');
}

static int warn_untrusted(SpecDraft *d, const SpecField *f, const char *where, Error *reterr) {
        int r;

        r = spec_draft_warn(
                d,
                "Ignoring %s= at %s: a file beside an image is not trusted with it; move the file to "
                "/etc/berth or use --settings=trusted",
                f->key, where);
        return r < 0 ? error_oom(reterr) : 0;
}

static int row_set(SpecDraft *d, const SpecField *f, const char *value, bool empty_clears,
                   SpecSource source, const char *where, Error *reterr) {
        const SpecField *row = row_with_key(f);
        SpecSource current = group_origin(d, row)->source;
        Origin *o = d->origins + (row - spec_fields);
        int r;

        if (source < current)
                return 0;
        if (source > current)
                group_clear(d, row);
        if (isempty(value) && empty_clears)
                spec_field_clear(f, d->spec);
        else {
                r = spec_field_parse(f, value, where, d->spec, reterr);
                if (r < 0)
                        return r;
        }
        if (free_and_strdup(&o->where, where) < 0)
                return error_oom(reterr);
        o->source = source;
        return 0;
}

/* ---- profiles ---- */

void spec_draft_set_profile_directories(SpecDraft *d, char *const *directories) {
        d->profile_directories = directories;
}

static int check_profile(const SpecDraft *d, const char *name, const char *where, Error *reterr) {
        if (!container_name_is_valid(name))
                return error_set(
                        reterr, -EINVAL, ERROR_INVALID_SETTING,
                        "Invalid value '%.80s' for Profile= (%s): a name like that of a container is expected",
                        name, where);
        if (strv_contains(d->profiles, name)) {
                _cleanup_free_ char *way = strv_join(d->profiles, "' reads '");
                return error_set(reterr, -ELOOP, ERROR_CONFLICT,
                                 "Profile '%s' (%s) reads itself: '%s' reads '%s'", name, where,
                                 strempty(way), name);
        }
        if (strv_length(d->profiles) >= SPEC_PROFILES_MAX)
                return error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED,
                                 "Profile '%s' (%s) is more than %u profiles deep", name, where,
                                 SPEC_PROFILES_MAX);
        return 0;
}

static int profile_read(SpecDraft *d, const char *name, SpecSource source, const char *where,
                        Error *reterr) {
        if (strv_extend(&d->profiles, name) < 0)
                return error_oom(reterr);
        int r = spec_profile_read(d, d->profile_directories, name, source, reterr);
        const size_t n = strv_length(d->profiles);
        d->profiles[n - 1] = mfree(d->profiles[n - 1]);
        if (r != 0)
                return MIN(r, 0);
        _cleanup_free_ char *places = strv_join(d->profile_directories, "', '");
        r = error_set(reterr, -ENOENT, ERROR_INVALID_SETTING, "There is no profile '%s' (%s)", name,
                      where);
        error_hint(reterr, "it would be a file '%s.conf' in '%s'", name, strempty(places));
        return r;
}

/* value: names of profiles, in their order. */
static int profiles_read(SpecDraft *d, const char *value, SpecSource source, const char *where,
                         Error *reterr) {
        _cleanup_strv_free_ char **names = NULL;

        int r = strv_split(&names, value, NULL, WORD_UNQUOTE);
        if (r == -ENOMEM)
                return error_oom(reterr);
        if (r < 0)
                return error_set(reterr, r, ERROR_INVALID_SETTING,
                                 "Invalid value '%.80s' for Profile= (%s): names are expected",
                                 value, strempty(where));
        STRV_FOREACH(name, names) {
                r = check_profile(d, *name, strempty(where), reterr);
                if (r >= 0 && source == SOURCE_COMMAND)
                        r = strv_extend(&d->wanted_profiles, *name) < 0 ? error_oom(reterr) : 0;
                else if (r >= 0)
                        r = profile_read(d, *name, source, strempty(where), reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}

int spec_draft_read_profiles(SpecDraft *d, Error *reterr) {
        STRV_FOREACH(name, d->wanted_profiles) {
                int r = profile_read(d, *name, SOURCE_PROFILE, "--profile", reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int draft_set(SpecDraft *d, const SpecField *f, const char *value, bool empty_clears,
                     SpecSource source, const char *where, Error *reterr) {
        const SpecField *other = f->type->redirect ? f->type->redirect(f, &value) : NULL;

        if (other) {
                f = other;
                empty_clears = true;
        }
        if (!source_is_trusted(source) && needs_trust(f, value))
                return warn_untrusted(d, f, strempty(where), reterr);
        if (f->flags & FIELD_PROFILE)
                return profiles_read(d, value, source, where, reterr);
        if (!is_table_row(f)) /* an empty value of what is not built asks for nothing */
                return isempty(value) ? 0 : spec_field_parse(f, value, where, d->spec, reterr);
        return row_set(d, f, value, empty_clears, source, where, reterr);
}

int spec_draft_set(SpecDraft *d, const SpecField *f, const char *value, SpecSource source,
                   const char *where, Error *reterr) {
        return draft_set(d, f, value, /* empty_clears= */ true, source, where, reterr);
}

int spec_draft_set_raw(SpecDraft *d, const SpecField *f, const char *value, SpecSource source,
                       const char *where, Error *reterr) {
        _cleanup_free_ char *quoted = NULL;

        if (f->flags & FIELD_WORDS) {
                value = quoted = quote_word(value);
                if (!quoted)
                        return error_oom(reterr);
        }
        return draft_set(d, f, value, /* empty_clears= */ !(f->flags & FIELD_LIST), source, where,
                         reterr);
}
