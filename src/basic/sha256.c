/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Digests to text, and back. */
#include "basic/sha256.h"

#include <errno.h>
#include <string.h>

#include "basic/str.h"

void sha256_to_hex(const uint8_t digest[static SHA256_SIZE], char ret[static SHA256_HEX_SIZE]) {
        static const char digits[] = "0123456789abcdef";
        for (size_t i = 0; i < SHA256_SIZE; i++) {
                ret[2 * i] = digits[digest[i] >> 4];
                ret[2 * i + 1] = digits[digest[i] & 15];
        }
        ret[2 * SHA256_SIZE] = '\0';
}

int sha256_from_hex(const char *hex, uint8_t ret[static SHA256_SIZE]) {
        uint8_t digest[SHA256_SIZE];
        for (size_t i = 0; i < SHA256_SIZE; i++) {
                const int high = ascii_hex_value(hex[2 * i]),
                          low = high < 0 ? -EINVAL : ascii_hex_value(hex[2 * i + 1]);
                if (low < 0)
                        return -EINVAL;
                digest[i] = (uint8_t) (high << 4 | low);
        }
        if (hex[2 * SHA256_SIZE])
                return -EINVAL;
        memcpy(ret, digest, sizeof(digest));
        return 0;
}
