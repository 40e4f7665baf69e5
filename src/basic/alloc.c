/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Allocation that reports instead of aborting, and arrays that grow. */
#include "basic/alloc.h"

/* The smallest power of two that is at least n, or 0 if there is none. */
static size_t round_up_to_power(size_t n) {
        size_t p = 1;

        while (p < n) {
                if (p > SIZE_MAX / 2)
                        return 0;
                p *= 2;
        }
        return p;
}

/* pp is the address of a pointer to anything; memcpy keeps that legal for every pointer type. */
static int array_resize(void *pp, size_t n, size_t size) {
        void *old, *p;
        size_t total;

        /* No object is larger than PTRDIFF_MAX; n is 0 where it was rounded up beyond all numbers. */
        if (n == 0 || __builtin_mul_overflow(n, size, &total) || total > PTRDIFF_MAX)
                return -ENOMEM;
        memcpy(&old, pp, sizeof(old));
        p = realloc(old, total);
        if (!p)
                return -ENOMEM;
        memcpy(pp, &p, sizeof(p));
        return 0;
}

static void array_clear(void *pp, size_t from, size_t to, size_t size) {
        char *p;

        memcpy(&p, pp, sizeof(p));
        memset(p + from * size, 0, (to - from) * size);
}

int array_reserve(void *pp, size_t *n_allocated, size_t need, size_t size) {
        size_t n;
        int r;

        if (need <= *n_allocated)
                return 0;

        n = round_up_to_power(need);
        r = array_resize(pp, n, size);
        if (r < 0)
                return r;
        array_clear(pp, *n_allocated, n, size);
        *n_allocated = n;
        return 0;
}

void *array_append(void *pp, size_t *n, size_t size) {
        char *p;

        /* Asked for each time: an array that was allocated to measure may be appended to as well, and where the
         * size does not change realloc() returns at once. */
        if (*n == SIZE_MAX || array_resize(pp, round_up_to_power(*n + 1), size) < 0)
                return NULL;
        array_clear(pp, *n, *n + 1, size);
        memcpy(&p, pp, sizeof(p));
        return p + (*n)++ * size;
}
