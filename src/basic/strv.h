/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NULL-terminated lists of strings; NULL is the empty list. */
#pragma once

#include "basic/macros.h"

size_t strv_length(char *const *l);
static inline bool strv_isempty(char *const *l) {
        return !l || !l[0];
}
char **strv_free(char **l); /* returns NULL */
DEFINE_TRIVIAL_CLEANUP_FUNC(char **, strv_free)
#define _cleanup_strv_free_ _cleanup_(strv_freep)

char **strv_copy(char *const *l); /* NULL on failure; an empty list gives an allocated one */
char **strv_new_sentinel(const char *first, ...) _sentinel_;
#define strv_new(...) strv_new_sentinel(__VA_ARGS__, (char *) NULL)

int strv_extend(char ***l, const char *s); /* appends a copy; 0 or -ENOMEM */
int strv_consume(char ***l, char *take_s); /* appends and owns take_s, also on failure */
int strv_extendf(char ***l, const char *format, ...) _printf_(2, 3);
int strv_extend_strv(char ***l, char *const *more);
bool strv_contains(char *const *l, const char *s);
bool strv_equal(char *const *a, char *const *b);
char *strv_join(char *const *l, const char *separator); /* allocated; "" for the empty list */

/* Environment lists ("NAME=VALUE"). */
const char *strv_env_get(char *const *l, const char *name);
int strv_env_replace(char ***l, const char *assignment); /* replaces or appends a copy */
bool env_name_is_valid(const char *s, size_t n);
bool env_assignment_is_valid(const char *s);

/* Splits into words, see extract_word(). 0, -EINVAL, -ENOMEM. */
int strv_split(char ***ret, const char *s, const char *separators, unsigned word_flags);

#define STRV_FOREACH(s, l) for (char *const *s = (l); s && *s; s++)
