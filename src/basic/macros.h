/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attributes, ownership and small helpers that every file uses. A macro here never returns or jumps, and
 * evaluates each argument once. */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define _cleanup_(f) __attribute__((cleanup(f), unused)) /* clang 14 does not see the use */
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _unused_ __attribute__((unused))
#define _noreturn_ _Noreturn
#define _packed_ __attribute__((packed))
#define _nonnull_(...) __attribute__((nonnull(__VA_ARGS__)))
#define _sentinel_ __attribute__((sentinel))

#define ELEMENTSOF(x) (sizeof(x) / sizeof((x)[0]))
#define STRLEN(literal) (sizeof("" literal "") - 1)
#define CONST_MAX(a, b) ((a) > (b) ? (a) : (b))
#define MIN(a, b)                       \
        ({                              \
                __typeof__(a) _a = (a); \
                __typeof__(b) _b = (b); \
                _a < _b ? _a : _b;      \
        })
#define MAX(a, b)                       \
        ({                              \
                __typeof__(a) _a = (a); \
                __typeof__(b) _b = (b); \
                _a > _b ? _a : _b;      \
        })

/* Hand an owned pointer or descriptor over: the variable is left empty. */
#define TAKE_GENERIC(var, type, nullvalue) \
        ({                                 \
                type *_p = &(var);         \
                type _v = *_p;             \
                *_p = (nullvalue);         \
                _v;                        \
        })
#define TAKE_PTR(ptr) TAKE_GENERIC(ptr, __typeof__(ptr), NULL)
#define TAKE_FD(fd) TAKE_GENERIC(fd, int, -EBADF)

/* True if x equals one of the further arguments. */
#define IN_SET(x, ...)                                                      \
        ({                                                                  \
                const __typeof__(x) _set[] = { __VA_ARGS__ }, _x = (x);     \
                bool _found = false;                                        \
                for (size_t _i = 0; _i < ELEMENTSOF(_set) && !_found; _i++) \
                        _found = _set[_i] == _x;                            \
                _found;                                                     \
        })

#define FLAGS_SET(v, flags)                  \
        ({                                   \
                const uint64_t _f = (flags); \
                (_f & (uint64_t) (v)) == _f; \
        })

/* Defines `static inline void FUNCp(TYPE *p)` for _cleanup_(): calls FUNC if *p is not empty. */
#define DEFINE_TRIVIAL_CLEANUP_FUNC(type, func) \
        static inline void func##p(type *p) {   \
                if (*p)                         \
                        func(*p);               \
        }

static inline void freep(void *p) {
        free(*(void **) p);
}
#define _cleanup_free_ _cleanup_(freep)

/* free() that returns NULL, for `p = mfree(p)`. */
static inline void *mfree(void *p) {
        free(p);
        return NULL;
}
