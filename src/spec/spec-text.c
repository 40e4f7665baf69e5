/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The canonical text of a spec. Lines are taken as they are: no comments, no continuation, no white space is skipped, so that
 * whatever a value may hold survives the way to the supervisor. */
#include "spec/spec-text.h"

#include <stdio.h>

#include "basic/str.h"
#include "spec/spec-fields.h"

int spec_text_print(const ContainerSpec *s, bool internal, char **ret) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        const char *section = NULL;

        for (size_t i = 0; i < spec_n_fields; i++) {
                const SpecField *f = spec_fields + i;
                _cleanup_(strbuf_done) StrBuf lines = { 0 };
                int r;

                if (!f->key || (!internal && (f->flags & FIELD_INTERNAL)))
                        continue;
                r = spec_field_print(f, s, &lines);
                if (r < 0)
                        return r;
                if (lines.failed)
                        return -ENOMEM;
                if (lines.size == 0)
                        continue;
                if (!section || !streq(section, f->section)) {
                        strbuf_addf(&b, "%s[%s]\n", section ? "\n" : "", f->section);
                        section = f->section;
                }
                strbuf_add(&b, lines.text);
        }
        if (b.size > SPEC_TEXT_MAX)
                return -E2BIG;
        return strbuf_finish(&b, ret);
}

/* One line of the text, without its end. section is set by "[Section]" lines and points into the line. */
static int line_parse(char *line, unsigned number, const char **section, ContainerSpec *spec,
                      Error *reterr) {
        size_t n = strlen(line);
        const SpecField *f;
        char where[32];
        char *equals;

        if (n == 0)
                return 0;
        if (line[0] == '[' && line[n - 1] == ']') {
                line[n - 1] = '\0';
                *section = line + 1;
                return 0;
        }
        equals = strchr(line, '=');
        if (equals)
                *equals = '\0';
        f = equals && *section ? spec_field_by_key(*section, line) : NULL;
        if (!f || (f->flags & FIELD_UNSUPPORTED))
                return error_set(reterr, -EBADMSG, ERROR_PROTOCOL,
                                 "Line %u of the container's description is unknown", number);
        (void) snprintf(where, sizeof(where), "line %u", number); /* cannot be too long */
        return spec_field_parse(f, equals + 1, where, spec, reterr);
}

int spec_text_parse(const char *text, ContainerSpec **ret, Error *reterr) {
        _cleanup_free_ char *copy = NULL;
        _cleanup_spec_ ContainerSpec *spec = spec_new();
        const char *section = NULL;
        unsigned number = 0;
        char *rest;
        int r;

        copy = rest = strdup(text);
        if (!copy || !spec)
                return error_oom(reterr);
        if (strlen(text) > SPEC_TEXT_MAX)
                return error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED,
                                 "The container's description is longer than %u bytes",
                                 SPEC_TEXT_MAX);
        for (char *line; (line = strsep(&rest, "\n"));) {
                r = line_parse(line, ++number, &section, spec, reterr);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(spec);
        return 0;
}
