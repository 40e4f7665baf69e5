/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hexadecimal spelling of SHA-256 digests. */
#pragma once

#include "basic/macros.h"

#define SHA256_SIZE 32
#define SHA256_HEX_SIZE (2 * SHA256_SIZE + 1) /* with the NUL */

void sha256_to_hex(const uint8_t digest[static SHA256_SIZE], char ret[static SHA256_HEX_SIZE]);
/* Exactly 64 hexadecimal digits of either case; else -EINVAL. */
int sha256_from_hex(const char *hex, uint8_t ret[static SHA256_SIZE]);
