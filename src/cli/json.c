/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A tree of jansson's, and its text (RFC 8259). Nobody else knows the library. */
#include "cli/json.h"

#include <dlfcn.h>
#include <jansson.h>

#include "basic/alloc.h"
#include "basic/str.h"
#include "basic/strv.h"

#define LIBRARY "libjansson.so.4"

/* ---- the library ---- */

/* A function of the library, typed as the header has it. json_value() has seen to it that all of them are there. */
#define CALL(w, name) ((typeof(&(name))) dlsym((w)->library, #name))

static int library_open(JsonWriter *w) {
        static const char *const names[] = {
                "json_object",
                "json_array",
                "json_stringn_nocheck",
                "json_real",
                "json_integer",
                "json_true",
                "json_false",
                "json_null",
                "json_object_set_new_nocheck",
                "json_delete",
                "json_array_append_new",
                "json_dumps",
        };

        if (w->library)
                return 0;
        w->library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
        if (!w->library)
                return -EOPNOTSUPP;
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (!dlsym(w->library, names[i]))
                        return -EOPNOTSUPP;
        return 0;
}

/* Can a value be added now? */
static bool may_add(JsonWriter *w) {
        if (w->error >= 0)
                w->error = library_open(w);
        if (w->error >= 0 && w->root && w->depth == 0)
                w->error = -EINVAL; /* a second value at the top */
        return w->error >= 0;
}

/* Takes the value, which is NULL when memory has run out. */
static void add(JsonWriter *w, const char *key, json_t *value) {
        json_t *parent = w->depth > 0 ? w->stack[w->depth - 1] : NULL;
        int r = value ? 0 : -ENOMEM;

        if (r >= 0 && !parent)
                w->root = value;
        else if (r >= 0 && json_is_array(parent))
                r = CALL(w, json_array_append_new)(parent, value);
        else if (r >= 0 && key)
                r = CALL(w, json_object_set_new_nocheck)(parent, key, value);
        else if (r >= 0) {
                CALL(w, json_delete)(value);
                w->error = -EINVAL;
        }
        if (r < 0)
                w->error = -ENOMEM;
}

/* ---- building ---- */

static void begin(JsonWriter *w, const char *key, bool is_object) {
        if (may_add(w) && w->depth >= JSON_DEPTH_MAX)
                w->error = -EINVAL;
        if (w->error < 0)
                return;
        json_t *value = is_object ? CALL(w, json_object)() : CALL(w, json_array)();
        add(w, key, value);
        if (w->error >= 0)
                w->stack[w->depth++] = value;
}

void json_begin_object(JsonWriter *w, const char *key) {
        begin(w, key, /* is_object= */ true);
}

void json_begin_array(JsonWriter *w, const char *key) {
        begin(w, key, /* is_object= */ false);
}

void json_end(JsonWriter *w) {
        if (w->depth > 0)
                w->depth--;
        else if (w->error >= 0)
                w->error = -EINVAL;
}

/* Length of the UTF-8 sequence at s, 0 if there is none. */
static size_t sequence_length(const char *s) {
        const unsigned char first = (unsigned char) s[0];
        size_t n = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

        for (size_t i = 1; i < n; i++)
                if (s[i] == '\0')
                        return 0;
        return utf8_is_valid(s, n) ? n : 0;
}

static int make_utf8(const char *s, char **ret) {
        StrBuf b = { 0 };

        while (*s) {
                size_t n = sequence_length(s);
                if (n == 0)
                        strbuf_add(&b, "\xef\xbf\xbd");
                else
                        strbuf_add_bytes(&b, s, n);
                s += n ?: 1;
        }
        return strbuf_finish(&b, ret);
}

void json_add_string(JsonWriter *w, const char *key, const char *value) {
        _cleanup_free_ char *text = NULL;

        if (!may_add(w))
                return;
        if (!value)
                add(w, key, CALL(w, json_null)());
        else if (make_utf8(value, &text) < 0)
                w->error = -ENOMEM;
        else
                add(w, key, CALL(w, json_stringn_nocheck)(text, strlen(text)));
}

void json_add_number(JsonWriter *w, const char *key, uint64_t value) {
        if (!may_add(w))
                return;
        add(w, key,
            value > INT64_MAX ? CALL(w, json_real)((double) value)
                              : CALL(w, json_integer)((json_int_t) value));
}

void json_add_decimal(JsonWriter *w, const char *key, uint64_t scaled, unsigned digits) {
        double value = (double) scaled;

        for (unsigned i = 0; i < digits; i++)
                value /= 10;
        if (may_add(w))
                add(w, key, CALL(w, json_real)(value));
}

void json_add_boolean(JsonWriter *w, const char *key, bool value) {
        if (may_add(w))
                add(w, key, value ? CALL(w, json_true)() : CALL(w, json_false)());
}

void json_add_strv(JsonWriter *w, const char *key, char *const *values) {
        json_begin_array(w, key);
        STRV_FOREACH(v, values)
                json_add_string(w, NULL, *v);
        json_end(w);
}

/* ---- the text ---- */

/* jansson leaves DEL as it is, which a terminal might take for a command; and writes hexadecimal digits large. */
static int format(const char *text, char **ret) {
        StrBuf b = { 0 };

        for (const char *p = text; *p; p++) {
                if (p[0] == '\\' && p[1] == 'u') {
                        strbuf_addf(&b, "\\u%04lx",
                                    strtoul((char[]){ p[2], p[3], p[4], p[5], 0 }, NULL, 16));
                        p += 5;
                } else if (*p == '\\') {
                        strbuf_add_bytes(&b, p, 2);
                        p++;
                } else if (*p == 0x7f)
                        strbuf_add(&b, "\\u007f");
                else
                        strbuf_add_bytes(&b, p, 1);
        }
        strbuf_add(&b, "\n");
        return strbuf_finish(&b, ret);
}

int json_finish(JsonWriter *w, char **ret, Error *reterr) {
        if (w->error >= 0 && (w->depth > 0 || !w->root))
                w->error = -EINVAL;
        if (w->error == -EOPNOTSUPP) {
                (void) error_set(reterr, w->error, ERROR_UNSUPPORTED,
                                 "%s, which writes JSON, cannot be opened", LIBRARY);
                error_hint(reterr, "install libjansson4, or leave --json= out");
                return w->error;
        }
        if (w->error == -EINVAL)
                return error_set(reterr, w->error, ERROR_FAILED, "The output is no JSON");
        if (w->error < 0)
                return error_oom(reterr);

        size_t flags = JSON_ENCODE_ANY | (w->pretty ? JSON_INDENT(2) : JSON_COMPACT);
        _cleanup_free_ char *text = CALL(w, json_dumps)(w->root, flags);
        return text && format(text, ret) >= 0 ? 0 : error_oom(reterr);
}

void json_writer_done(JsonWriter *w) {
        if (w->root)
                CALL(w, json_delete)(w->root);
        if (w->library)
                (void) dlclose(w->library); /* nothing of it is used any more */
        *w = (JsonWriter){ 0 };
}
