/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Digests as text. */
#include "basic/sha256.h"

#include "test.h"

TEST(hexadecimal) {
        uint8_t digest[SHA256_SIZE] = { 7 };
        char hex[SHA256_HEX_SIZE];
        ASSERT_OK(sha256_from_hex(
                "BA7816BF8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", digest));
        sha256_to_hex(digest, hex);
        ASSERT_STREQ(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        static const char *const bad[] = {
                "",
                "ba",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015adb",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ag",
                " ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a"
        };
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                ASSERT_ERROR(sha256_from_hex(bad[i], digest), EINVAL);
}

TEST_MAIN
