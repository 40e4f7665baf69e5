/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of NAME=value lines with shell quoting: os-release(5) and the like.
 *
 * A value ends with its line. Quotes may begin anywhere in it, as in a shell: '…' is literal, in "…" a backslash
 * protects $ ` " and itself, elsewhere any character. White space inside an unquoted value is kept, as systemd
 * does; that at its ends is not. */
#include "basic/env-file.h"

#include "basic/str.h"
#include "basic/strv.h"

#define ENTRIES_MAX 256

static bool is_blank(char c) {
        return c == ' ' || c == '\t' || c == '\r';
}

/* Appends the value that s[0..n) spells. False if quotes or backslashes are unbalanced. */
static bool value_unquote(const char *s, size_t n, StrBuf *b) {
        size_t keep = b->size; /* what must not be trimmed: the name, and all that was quoted */
        char quote = 0;

        for (size_t i = 0; i < n; i++) {
                char c = s[i];

                if (quote ? c == quote : c == '\'' || c == '"') {
                        quote = quote ? 0 : c;
                        keep = b->size;
                        continue;
                }
                if (c == '\\' && quote != '\'') {
                        if (i + 1 >= n)
                                return false;
                        if (!quote || strchr("$`\"\\", s[i + 1]))
                                c = s[++i];
                        strbuf_add_bytes(b, &c, 1);
                        keep = b->size;
                        continue;
                }
                strbuf_add_bytes(b, &c, 1);
        }
        while (b->size > keep && is_blank(b->text[b->size - 1]))
                b->text[--b->size] = '\0';
        return !quote;
}

/* 1 with *ret_assignment, 0 if there is none in the line, -ENOMEM. */
static int line_parse(const char *line, size_t n, char **ret_assignment) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        _cleanup_free_ char *assignment = NULL;
        const char *equals;
        int r;

        for (; n > 0 && is_blank(*line); n--)
                line++;
        if (n == 0 || *line == '#' || *line == ';')
                return 0;
        equals = memchr(line, '=', n);
        if (!equals || !env_name_is_valid(line, (size_t) (equals - line)))
                return 0;
        n -= (size_t) (equals + 1 - line);
        strbuf_add_bytes(&b, line, (size_t) (equals + 1 - line));
        for (equals++; n > 0 && is_blank(*equals); n--)
                equals++;
        if (!value_unquote(equals, n, &b))
                return 0;
        r = strbuf_finish(&b, &assignment);
        if (r < 0)
                return r;
        if (!env_assignment_is_valid(assignment))
                return 0;
        *ret_assignment = TAKE_PTR(assignment);
        return 1;
}

int env_file_parse(const char *text, char ***ret) {
        _cleanup_strv_free_ char **l = NULL;

        l = strv_new(NULL);
        if (!l)
                return -ENOMEM;
        while (*text && strv_length(l) < ENTRIES_MAX) {
                _cleanup_free_ char *assignment = NULL;
                size_t n = strcspn(text, "\n");
                int r;

                r = line_parse(text, n, &assignment);
                if (r > 0)
                        r = strv_env_replace(&l, assignment);
                if (r < 0)
                        return r;
                text += n + (text[n] == '\n');
        }
        *ret = TAKE_PTR(l);
        return 0;
}
