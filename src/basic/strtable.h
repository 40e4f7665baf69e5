/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Enum ↔ name tables. DEFINE_STRING_TABLE_LOOKUP(foo, Foo) needs `static const char *const foo_table[_FOO_MAX]` and gives
 * `const char *foo_to_string(Foo)` (NULL if out of range) and `Foo foo_from_string(const char*)` (-EINVAL if unknown). */
#pragma once

#include <sys/types.h>

#include "basic/macros.h"

static inline ssize_t string_table_lookup(const char *const *table, size_t n, const char *key) {
        for (size_t i = 0; key && i < n; i++)
                if (table[i] && strcmp(table[i], key) == 0)
                        return (ssize_t) i;
        return -EINVAL;
}

#define DEFINE_STRING_TABLE_LOOKUP(name, type)                                                \
        const char *name##_to_string(type v) {                                                \
                return (size_t) v < ELEMENTSOF(name##_table) ? name##_table[v] : NULL;        \
        }                                                                                     \
        type name##_from_string(const char *s) {                                              \
                return (type) string_table_lookup(name##_table, ELEMENTSOF(name##_table), s); \
        }
#define DECLARE_STRING_TABLE_LOOKUP(name, type) \
        const char *name##_to_string(type v);   \
        type name##_from_string(const char *s)
