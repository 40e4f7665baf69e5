/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A fuzz target is one function. libFuzzer calls it with inputs of its own (-Dfuzz=true, clang), plain-main.c with the files of the
 * corpus, so that every finding stays a test. A broken property is an abort(). */
#pragma once

#include <stdio.h>

#include "basic/macros.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define FUZZ_REQUIRE(expr)                                                                    \
        do {                                                                                  \
                if (!(expr)) {                                                                \
                        fprintf(stderr, "%s:%d: '%s' is false\n", __FILE__, __LINE__, #expr); \
                        abort();                                                              \
                }                                                                             \
        } while (0)

/* The input as a string; NULL if it has a NUL byte. Allocated. */
static inline _unused_ char *fuzz_text(const uint8_t *bytes, size_t size) {
        if (size > 0 && memchr(bytes, '\0', size))
                return NULL;
        return strndup((const char *) bytes, size);
}
