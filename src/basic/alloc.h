/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Allocation that reports instead of aborting, and arrays that grow. */
#pragma once

#include "basic/macros.h"

/* Allocates n zeroed elements of type t; NULL on failure or overflow. */
#define new0(t, n) ((t *) calloc((n), sizeof(t)))

/* Makes room for `need` elements in the array *pp (of `size` bytes each, *n_allocated allocated so far; start with
 * NULL and 0). New space is zeroed. Returns 0 or -ENOMEM; on failure the array is unchanged. */
int array_reserve(void *pp, size_t *n_allocated, size_t need, size_t size);

/* Appends one zeroed element to `type *array; size_t n;` (capacity grows by powers of two, derived from n, so that no
 * extra variable is kept). Returns a pointer to the new element or NULL. */
void *array_append(void *pp, size_t *n, size_t size);
#define ARRAY_APPEND(array, n) \
        ((__typeof__(array)) array_append(&(array), &(n), sizeof(__typeof__(*(array)))))
