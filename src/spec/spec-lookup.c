/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows of the field table by key, option or letter, and their values by name: reading, printing, clearing, and the sentences for
 * what cannot be read. */
#include "basic/str.h"
#include "spec/spec-fields.h"
#include "spec/spec-types.h"

#define VALUE_SHOWN_MAX 100 /* bytes of a bad value that a message shows */

typedef bool (*RowMatch)(const SpecField *f, const void *wanted);

static const SpecField *row_find(RowMatch match, const void *wanted) {
        for (size_t i = 0; i < spec_n_fields; i++)
                if (match(spec_fields + i, wanted))
                        return spec_fields + i;
        for (size_t i = 0; i < spec_n_fields_unsupported; i++)
                if (match(spec_fields_unsupported + i, wanted))
                        return spec_fields_unsupported + i;
        return NULL;
}

typedef struct WantedKey {
        const char *section, *key;
} WantedKey;

static bool match_key(const SpecField *f, const void *wanted) {
        const WantedKey *w = wanted;

        return f->key && streq(f->key, w->key) && (!w->section || streq(f->section, w->section));
}

const SpecField *spec_field_by_key(const char *section, const char *key) {
        return row_find(match_key, &(WantedKey){ section, key });
}

const SpecField *spec_field_by_name(const char *key) {
        return row_find(match_key, &(WantedKey){ NULL, key });
}

typedef struct WantedOption {
        const char *option;
        size_t n;
} WantedOption;

static bool match_option(const SpecField *f, const void *wanted) {
        const WantedOption *w = wanted;

        return f->option && strlen(f->option) == w->n && memcmp(f->option, w->option, w->n) == 0;
}

const SpecField *spec_field_by_option(const char *option, size_t option_length) {
        return row_find(match_option, &(WantedOption){ option, option_length });
}

static bool match_letter(const SpecField *f, const void *wanted) {
        return f->letter && f->letter == *(const char *) wanted;
}

const SpecField *spec_field_by_letter(char letter) {
        return row_find(match_letter, &letter);
}

/* "'--bind='", "'-E'", "Bind= at /etc/berth/web.berth:7", "Bind= in the call". Allocated. */
static char *subject_format(const SpecField *f, const char *where) {
        if (where && where[0] == '-')
                return strf("'%s%s'", where,
                            where[1] == '-' && !(f->flags & FIELD_NO_ARG) ? "=" : "");
        return strf("%s=%s%s", f->key ?: f->option ?: "?", !where ? "" : where[0] == '/' ? " at " : " in ",
                    strempty(where));
}

/* "Option '--overlay'", "Setting Overlay= at …" */
static int refuse(const SpecField *f, const char *where, Error *reterr) {
        if (where && where[0] == '-')
                return error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                                 "Option '%s' is not supported yet", where);

        _cleanup_free_ char *subject = subject_format(f, where);
        if (!subject)
                return error_oom(reterr);
        return error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED, "Setting %s is not supported yet",
                         subject);
}

static int explain(const SpecField *f, const char *value, const char *where, const Error *reason,
                   Error *reterr) {
        _cleanup_free_ char *subject = subject_format(f, where),
                            *cut = strndup(value, VALUE_SHOWN_MAX);
        _cleanup_free_ char *shown = cut ? str_escape_for_display(cut) : NULL;
        const char *more = strlen(value) > VALUE_SHOWN_MAX ? "…" : "";

        if (!subject || !shown)
                return error_oom(reterr);
        switch (reason->id) {
        case ERROR_UNSUPPORTED:
                return error_set(reterr, reason->code, reason->id,
                                 "Value '%s%s' of %s is not supported yet", shown, more, subject);
        case ERROR_LIMIT_EXCEEDED:
                return error_set(reterr, reason->code, reason->id, "Too much for %s: %s", subject,
                                 reason->message);
        case ERROR_CONFLICT:
                return error_set(reterr, reason->code, reason->id, "%s", reason->message);
        default:
                return error_set(reterr, reason->code, reason->id,
                                 "Invalid value '%s%s' for %s: %s", shown, more, subject,
                                 reason->message);
        }
}

static void *field_at(const SpecField *f, ContainerSpec *spec) {
        return (char *) spec + f->offset;
}

int spec_field_parse(const SpecField *f, const char *value, const char *where, ContainerSpec *spec,
                     Error *reterr) {
        _cleanup_error_ Error reason = ERROR_NULL;
        int r;

        r = f->type->parse(f, value, field_at(f, spec), &reason);
        if (r >= 0)
                return 0;
        if (r == -ENOMEM)
                return error_oom(reterr);
        return f->flags & FIELD_UNSUPPORTED ? refuse(f, where, reterr)
                                            : explain(f, value, where, &reason, reterr);
}

int spec_field_print(const SpecField *f, const ContainerSpec *spec, StrBuf *out) {
        return f->key ? f->type->print(f, (const char *) spec + f->offset, out) : 0;
}

void spec_field_clear(const SpecField *f, ContainerSpec *spec) {
        f->type->clear(f, field_at(f, spec));
}
