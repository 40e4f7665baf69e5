/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* a{sv} → spec: the keys are the field table's, values have the field's own type or are text as in a settings file. */
#include <inttypes.h>

#include "basic/alloc.h"
#include "basic/str.h"
#include "bus/bus.h"
#include "spec/spec-draft.h"

#define ELEMENTS_MAX 1024U /* of one array */
#define WHERE "the settings of the call"

static int bad_message(int r, Error *reterr) {
        return error_set_errno(reterr, r, ERROR_INVALID_SETTING,
                               "The settings of the call cannot be read");
}

/* contents: of a container, else NULL */
static int wrong_type(const SpecField *f, char type, const char *contents, Error *reterr) {
        const char *expected = f->type->dbus_signature;
        _cleanup_free_ char *own = streq(expected, "s") ? strdup("") : strf("'%s' or ", expected);
        return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                         "Setting '%s' has D-Bus type '%c%.40s', but %sa string is expected",
                         f->key, type, type == 'a' ? strempty(contents) : "", strempty(own));
}

/* A number of any D-Bus type as text. 1, or 0 for a type that is no number. */
static int read_number(sd_bus_message *m, char type, char **ret) {
        union {
                uint8_t y;
                int b;
                int16_t n;
                uint16_t q;
                int32_t i;
                uint32_t u;
                int64_t x;
                uint64_t t;
        } v;
        if (!strchr("ybnqiuxt", type))
                return 0;
        int r = sd_bus_message_read_basic(m, type, &v);
        if (r < 0)
                return r;
        switch (type) {
        case 'y':
                *ret = strf("%u", v.y);
                break;
        case 'b':
                *ret = strdup(v.b ? "yes" : "no");
                break;
        case 'n':
                *ret = strf("%i", v.n);
                break;
        case 'q':
                *ret = strf("%u", v.q);
                break;
        case 'i':
                *ret = strf("%" PRIi32, v.i);
                break;
        case 'u':
                *ret = strf("%" PRIu32, v.u);
                break;
        case 'x':
                *ret = strf("%" PRIi64, v.x);
                break;
        default:
                *ret = strf("%" PRIu64, v.t);
                break;
        }
        return *ret ? 1 : -ENOMEM;
}

static int read_array(sd_bus_message *m, const SpecField *f, SpecDraft *draft, Error *reterr) {
        int r = sd_bus_message_enter_container(m, 'a', "s");
        if (r < 0)
                return bad_message(r, reterr);
        const char *element;
        unsigned n = 0;
        while ((r = sd_bus_message_read_basic(m, 's', &element)) > 0) {
                if (++n > ELEMENTS_MAX)
                        return error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED,
                                         "Setting '%s' has more than %u elements", f->key,
                                         ELEMENTS_MAX);
                r = spec_draft_set_raw(draft, f, element, SOURCE_COMMAND, WHERE, reterr);
                if (r < 0)
                        return r;
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r < 0)
                return bad_message(r, reterr);
        return n == 0 ? spec_draft_set(draft, f, "", SOURCE_COMMAND, WHERE, reterr) : 0;
}

static int read_value(sd_bus_message *m, const SpecField *f, SpecDraft *draft, Error *reterr) {
        char type;
        const char *signature;
        int r = sd_bus_message_peek_type(m, &type, &signature);
        if (r <= 0)
                return bad_message(r < 0 ? r : -EBADMSG, reterr);

        bool list = streq(strempty(f->type->dbus_signature), "as") ||
                    (f->flags & (FIELD_LIST | FIELD_WORDS | FIELD_UNSUPPORTED)) != 0;
        if (type == 'a' && list && streq(strempty(signature), "s"))
                return read_array(m, f, draft, reterr);

        _cleanup_free_ char *number = NULL;
        const char *text = NULL;
        if (type == 's')
                r = sd_bus_message_read_basic(m, 's', &text);
        else {
                r = read_number(m, type, &number);
                if (r == 0)
                        return wrong_type(f, type, signature, reterr);
                /* D-Bus spans are microseconds, a bare number in text would be seconds */
                if (r > 0 && type == 't' && endswith(f->key, "Sec")) {
                        char *with_unit = streq(number, "18446744073709551615")
                                                  ? strdup("infinity")
                                                  : strjoin(number, "us");
                        free(number);
                        number = with_unit;
                }
                text = number;
        }
        if (r == -ENOMEM || (r >= 0 && !text))
                return error_oom(reterr);
        if (r < 0)
                return bad_message(r, reterr);
        return spec_draft_set(draft, f, text, SOURCE_COMMAND, WHERE, reterr);
}

typedef struct SeenFields {
        const SpecField **fields;
        size_t n;
} SeenFields;

static void seen_fields_done(SeenFields *seen) {
        free(seen->fields);
}

/* The keys of a dictionary differ. */
static int check_seen(SeenFields *seen, const SpecField *f, Error *reterr) {
        for (size_t i = 0; i < seen->n; i++)
                if (seen->fields[i] == f)
                        return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                         "Setting '%s' is given twice", f->key);
        const SpecField **slot = ARRAY_APPEND(seen->fields, seen->n);
        if (!slot)
                return error_oom(reterr);
        *slot = f;
        return 0;
}

static int find_field(const char *key, const SpecField **ret, Error *reterr) {
        const SpecField *f = spec_field_by_name(key);
        if (!f || (f->flags & FIELD_INTERNAL) != 0) {
                int r = error_set(reterr, -EINVAL, ERROR_INVALID_SETTING, "Unknown setting '%.80s'",
                                  key);
                error_hint(reterr, "berth.settings(5) lists all of them");
                return r;
        }
        if ((f->flags & FIELD_COMMAND) != 0)
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                 "'%s' is an argument of the call, not one of its settings", key);
        if ((f->flags & FIELD_PROFILE) != 0) /* the manager looks at no files */
                return error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                                 "'%s' is for settings files and the command line, not for calls",
                                 f->key);
        if ((f->flags & FIELD_SERVICE) != 0) {
                int r = error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                                  "'%s' is for containers that a service of their own starts",
                                  f->key);
                error_hint(reterr, "'Property' sets unit properties of the scope");
                return r;
        }
        *ret = f;
        return 0;
}

static int read_setting(sd_bus_message *m, SpecDraft *draft, SeenFields *seen, Error *reterr) {
        const char *key, *contents;
        const SpecField *f;
        char type;
        int r = sd_bus_message_read_basic(m, 's', &key);
        if (r >= 0)
                r = sd_bus_message_peek_type(m, &type, &contents);
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'v', contents);
        if (r < 0)
                return bad_message(r, reterr);

        r = find_field(key, &f, reterr);
        if (r >= 0)
                r = check_seen(seen, f, reterr);
        if (r >= 0)
                r = read_value(m, f, draft, reterr);
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(m);
        return r < 0 ? bad_message(r, reterr) : 0;
}

int bus_read_settings(sd_bus_message *m, struct SpecDraft *draft, Error *reterr) {
        _cleanup_(seen_fields_done) SeenFields seen = { 0 };
        int r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return bad_message(r, reterr);
        /* there are not more than there are fields */
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = read_setting(m, draft, &seen, reterr);
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        break;
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return r < 0 ? bad_message(r, reterr) : 0;
}
