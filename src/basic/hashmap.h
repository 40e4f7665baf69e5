/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One map: string keys (borrowed from the value or owned elsewhere) to pointers. Not for hostile key floods beyond the
 * limits that callers set: the hash is seeded per process all the same. */
#pragma once

#include "basic/macros.h"

typedef struct Hashmap Hashmap;
Hashmap *hashmap_new(void);
Hashmap *hashmap_free(Hashmap *m); /* values are not freed; returns NULL */
DEFINE_TRIVIAL_CLEANUP_FUNC(Hashmap *, hashmap_free)
/* 0, -EEXIST, -ENOMEM, -EINVAL for a NULL value; key must live as long as the entry. */
int hashmap_put(Hashmap *m, const char *key, void *value);
void *hashmap_get(const Hashmap *m, const char *key);
void *hashmap_remove(Hashmap *m, const char *key);
size_t hashmap_size(const Hashmap *m);
/* Start with *state = 0; next value in insertion order or NULL at the end. Removing the returned entry is allowed. */
void *hashmap_iterate(const Hashmap *m, size_t *state);
#define HASHMAP_FOREACH(value, m) \
        for (size_t _it_##value = 0; (value = hashmap_iterate(m, &_it_##value));)
