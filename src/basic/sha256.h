/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SHA-256 (FIPS 180-4), and its hexadecimal spelling. */
#pragma once

#include "basic/macros.h"

#define SHA256_SIZE 32
#define SHA256_HEX_SIZE (2 * SHA256_SIZE + 1) /* with the NUL */

typedef struct Sha256 {
        uint32_t state[8];
        uint64_t n_bytes; /* so far */
        uint8_t block[64];
} Sha256;

void sha256_init(Sha256 *s);
void sha256_add(Sha256 *s, const void *bytes, size_t n);
void sha256_finish(Sha256 *s, uint8_t ret[static SHA256_SIZE]); /* s is of no use then */

void sha256_to_hex(const uint8_t digest[static SHA256_SIZE], char ret[static SHA256_HEX_SIZE]);
/* Exactly 64 hexadecimal digits of either case; else -EINVAL. */
int sha256_from_hex(const char *hex, uint8_t ret[static SHA256_SIZE]);
