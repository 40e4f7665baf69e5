/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A JSON writer (RFC 8259). */
#include "cli/json.h"

#include "basic/strv.h"

static void add_indent(JsonWriter *w) {
        if (!w->pretty)
                return;
        strbuf_add(&w->out, "\n");
        for (unsigned i = 0; i < w->depth; i++)
                strbuf_add(&w->out, "  ");
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

static void add_quoted(StrBuf *out, const char *s) {
        static const char escapes[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* pairs: character, letter */

        strbuf_add(out, "\"");
        while (*s) {
                const char *e;
                for (e = escapes; *e && *e != *s; e += 2)
                        ;
                if (*e) {
                        strbuf_addf(out, "\\%c", e[1]);
                        s++;
                } else if ((unsigned char) *s < 0x20 || *s == 0x7f) {
                        strbuf_addf(out, "\\u%04x", (unsigned) (unsigned char) *s);
                        s++;
                } else {
                        size_t n = sequence_length(s);
                        if (n == 0)
                                strbuf_add(out, "\xef\xbf\xbd");
                        else
                                strbuf_add_bytes(out, s, n);
                        s += n ?: 1;
                }
        }
        strbuf_add(out, "\"");
}

/* Comma, line break and key: what stands before each value. */
static void begin_value(JsonWriter *w, const char *key) {
        if (w->depth > 0) {
                if (w->has_items[w->depth - 1])
                        strbuf_add(&w->out, ",");
                w->has_items[w->depth - 1] = true;
                add_indent(w);
        }
        if (key) {
                add_quoted(&w->out, key);
                strbuf_add(&w->out, w->pretty ? ": " : ":");
        }
}

static void begin_container(JsonWriter *w, const char *key, bool is_object) {
        begin_value(w, key);
        strbuf_add(&w->out, is_object ? "{" : "[");
        if (w->depth >= JSON_DEPTH_MAX) {
                w->out.failed = true;
                return;
        }
        w->is_object[w->depth] = is_object;
        w->has_items[w->depth] = false;
        w->depth++;
}

void json_begin_object(JsonWriter *w, const char *key) {
        begin_container(w, key, /* is_object= */ true);
}

void json_begin_array(JsonWriter *w, const char *key) {
        begin_container(w, key, /* is_object= */ false);
}

void json_end(JsonWriter *w) {
        if (w->depth == 0) {
                w->out.failed = true;
                return;
        }
        w->depth--;
        if (w->has_items[w->depth])
                add_indent(w);
        strbuf_add(&w->out, w->is_object[w->depth] ? "}" : "]");
}

void json_add_string(JsonWriter *w, const char *key, const char *value) {
        begin_value(w, key);
        if (value)
                add_quoted(&w->out, value);
        else
                strbuf_add(&w->out, "null");
}

void json_add_number(JsonWriter *w, const char *key, uint64_t value) {
        begin_value(w, key);
        strbuf_addf(&w->out, "%llu", (unsigned long long) value);
}

void json_add_boolean(JsonWriter *w, const char *key, bool value) {
        begin_value(w, key);
        strbuf_add(&w->out, value ? "true" : "false");
}

void json_add_strv(JsonWriter *w, const char *key, char *const *values) {
        json_begin_array(w, key);
        STRV_FOREACH(v, values)
                json_add_string(w, NULL, *v);
        json_end(w);
}

int json_finish(JsonWriter *w, char **ret) {
        if (w->depth > 0)
                return -EINVAL;
        strbuf_add(&w->out, "\n");
        return strbuf_finish(&w->out, ret);
}

void json_writer_done(JsonWriter *w) {
        strbuf_done(&w->out);
}
