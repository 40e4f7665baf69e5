/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NULL-terminated lists of strings; NULL is the empty list. */
#include "basic/strv.h"

#include <stdarg.h>
#include <stdio.h>

#include "basic/alloc.h"
#include "basic/str.h"

/* The kernel takes no longer single string at exec (MAX_ARG_STRLEN, 32 pages). */
#define ASSIGNMENT_SIZE_MAX (32 * 4096)

size_t strv_length(char *const *l) {
        size_t n = 0;

        while (l && l[n])
                n++;
        return n;
}

char **strv_free(char **l) {
        for (char **s = l; s && *s; s++)
                free(*s);
        free(l);
        return NULL;
}

char **strv_copy(char *const *l) {
        char **copy = new0(char *, strv_length(l) + 1);

        for (size_t i = 0; copy && l && l[i]; i++) {
                copy[i] = strdup(l[i]);
                if (!copy[i])
                        return strv_free(copy);
        }
        return copy;
}

char **strv_new_sentinel(const char *first, ...) {
        char **l = new0(char *, 1);
        va_list ap;

        va_start(ap, first);
        for (const char *s = first; l && s; s = va_arg(ap, const char *))
                if (strv_extend(&l, s) < 0)
                        l = strv_free(l);
        va_end(ap);
        return l;
}

int strv_extend(char ***l, const char *s) {
        return strv_consume(l, strdup(s));
}

int strv_consume(char ***l, char *take_s) {
        size_t n = strv_length(*l);
        char **grown;

        if (!take_s)
                return -ENOMEM;
        grown = reallocarray(*l, n + 2, sizeof(char *));
        if (!grown) {
                free(take_s);
                return -ENOMEM;
        }
        grown[n] = take_s;
        grown[n + 1] = NULL;
        *l = grown;
        return 0;
}

int strv_extendf(char ***l, const char *format, ...) {
        va_list ap;
        char *s;
        int r;

        va_start(ap, format);
        r = vasprintf(&s, format, ap);
        va_end(ap);
        return r < 0 ? -ENOMEM : strv_consume(l, s);
}

int strv_extend_strv(char ***l, char *const *more) {
        size_t n = strv_length(*l), n_more = strv_length(more);
        _cleanup_strv_free_ char **copy = NULL;
        char **grown;

        copy = strv_copy(more);
        if (!copy)
                return -ENOMEM;
        grown = reallocarray(*l, n + n_more + 1, sizeof(char *));
        if (!grown)
                return -ENOMEM;
        memcpy(grown + n, copy, (n_more + 1) * sizeof(char *));
        copy[0] = NULL; /* the strings have moved */
        *l = grown;
        return 0;
}

bool strv_contains(char *const *l, const char *s) {
        STRV_FOREACH(i, l)
                if (streq(*i, s))
                        return true;
        return false;
}

bool strv_equal(char *const *a, char *const *b) {
        size_t n = strv_length(a);

        if (n != strv_length(b))
                return false;
        for (size_t i = 0; i < n; i++)
                if (!streq(a[i], b[i]))
                        return false;
        return true;
}

char *strv_join(char *const *l, const char *separator) {
        StrBuf b = { 0 };
        char *text;

        STRV_FOREACH(s, l) {
                if (s != l)
                        strbuf_add(&b, separator);
                strbuf_add(&b, *s);
        }
        return strbuf_finish(&b, &text) < 0 ? NULL : text;
}

/* The value in assignment if it is for the n characters of name, or NULL. */
static const char *assignment_value(const char *assignment, const char *name, size_t n) {
        return strncmp(assignment, name, n) == 0 && assignment[n] == '=' ? assignment + n + 1
                                                                         : NULL;
}

const char *strv_env_get(char *const *l, const char *name) {
        const char *value = NULL;

        /* The last one counts, as where lists are put together. */
        STRV_FOREACH(s, l) {
                const char *v = assignment_value(*s, name, strlen(name));

                value = v ? v : value;
        }
        return value;
}

int strv_env_replace(char ***l, const char *assignment) {
        const char *equals = strchr(assignment, '=');
        char **to, *copy;
        bool placed = false;

        if (!equals)
                return -EINVAL;
        copy = strdup(assignment);
        if (!copy)
                return -ENOMEM;
        to = *l;
        for (char **s = *l; s && *s; s++) {
                if (!assignment_value(*s, assignment, (size_t) (equals - assignment))) {
                        *to++ = *s;
                        continue;
                }
                free(*s);
                if (!placed)
                        *to++ = copy;
                placed = true;
        }
        if (to)
                *to = NULL;
        return placed ? 0 : strv_consume(l, copy);
}

bool env_name_is_valid(const char *s, size_t n) {
        if (!s || n == 0 || ascii_is_digit(s[0]))
                return false;
        for (size_t i = 0; i < n; i++)
                if (!ascii_is_alnum(s[i]) && s[i] != '_')
                        return false;
        return true;
}

bool env_assignment_is_valid(const char *s) {
        const char *equals = s ? strchr(s, '=') : NULL;
        size_t n;

        if (!equals || !env_name_is_valid(s, (size_t) (equals - s)))
                return false;
        n = strlen(s);
        return n < ASSIGNMENT_SIZE_MAX && utf8_is_valid(s, n);
}

int strv_split(char ***ret, const char *s, const char *separators, unsigned word_flags) {
        _cleanup_strv_free_ char **l = NULL;

        l = strv_new(NULL);
        if (!l)
                return -ENOMEM;
        for (;;) {
                char *word;
                int r;

                r = extract_word(&s, separators, (WordFlags) word_flags, &word);
                if (r < 0)
                        return r;
                if (r == 0)
                        break;
                r = strv_consume(&l, word);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(l);
        return 0;
}
