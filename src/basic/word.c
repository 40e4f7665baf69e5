/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Words: splitting a line into them, quoting, as in systemd.syntax(7). */
#include "basic/str.h"

/* The separators in effect, and whether any number of them counts as one. */
typedef struct Separators {
        const char *set;
        bool coalesce;
} Separators;

static bool is_separator(const Separators *s, char c) {
        return c != '\0' && strchr(s->set, c);
}

/* Reads one word at p up to a separator or the end, which *p is then at. */
static int word_read(const char **p, const Separators *separators, WordFlags flags, StrBuf *b) {
        bool quotes = flags & (WORD_UNQUOTE | WORD_KEEP_ESCAPES);
        bool escapes = (flags & WORD_UNQUOTE) && !(flags & WORD_KEEP_ESCAPES);
        const char *s = *p;
        char quote = 0;

        for (; *s && (quote || !is_separator(separators, *s)); s++) {
                if (quotes && (quote ? *s == quote : *s == '\'' || *s == '"')) {
                        quote = quote ? 0 : *s;
                } else if (escapes && *s == '\\' && !is_separator(separators, s[1])) {
                        int r = strbuf_add_unescaped(b, s + 1);

                        if (r < 0)
                                return r;
                        s += r;
                } else {
                        if (escapes && *s == '\\')
                                s++;
                        strbuf_add_bytes(b, s, 1);
                }
        }
        if (quote)
                return -EINVAL;
        *p = s;
        return 0;
}

int extract_word(const char **p, const char *separators, WordFlags flags, char **ret_word) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        const Separators set = {
                .set = separators ? separators : WHITESPACE,
                .coalesce = !separators || strpbrk(separators, WHITESPACE),
        };
        const char *s = *p;
        int r;

        if (set.coalesce)
                s += strspn(s, set.set);
        if (!*s) {
                *ret_word = NULL;
                return 0;
        }
        r = word_read(&s, &set, flags, &b);
        if (r < 0)
                return r;
        r = strbuf_finish(&b, ret_word);
        if (r < 0)
                return r;
        if (set.coalesce)
                s += strspn(s, set.set);
        else if (*s)
                s++;
        *p = s;
        return 1;
}

char *quote_word(const char *s) {
        StrBuf b = { 0 };
        bool plain = *s != '\0';
        char *text;

        for (const char *c = s; *c; c++)
                plain = plain && *c != ' ' && *c != '\'' && *c != '"' && *c != '\\' &&
                        !ascii_is_control(*c);
        if (plain && utf8_is_valid(s, strlen(s)))
                return strdup(s);
        strbuf_add(&b, "\"");
        strbuf_add_escaped(&b, s);
        strbuf_add(&b, "\"");
        return strbuf_finish(&b, &text) < 0 ? NULL : text;
}
