/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SHA-256 against the published examples (FIPS 180-4, NIST), in pieces of all sizes. */
#include "basic/sha256.h"

#include "test.h"

static void hash(const void *bytes, size_t n, char ret[static SHA256_HEX_SIZE]) {
        uint8_t digest[SHA256_SIZE];
        Sha256 s;
        sha256_init(&s);
        sha256_add(&s, bytes, n);
        sha256_finish(&s, digest);
        sha256_to_hex(digest, ret);
}

TEST(examples) {
        static const struct {
                const char *text, *hash;
        } examples[] = {
                { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
                { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
                { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
        };
        char hex[SHA256_HEX_SIZE];
        for (size_t i = 0; i < ELEMENTSOF(examples); i++) {
                hash(examples[i].text, strlen(examples[i].text), hex);
                ASSERT_STREQ(hex, examples[i].hash);
        }
}

TEST(a_million_in_pieces) {
        uint8_t digest[SHA256_SIZE], block[1000];
        char hex[SHA256_HEX_SIZE];
        Sha256 s;
        memset(block, 'a', sizeof(block));
        sha256_init(&s);
        for (size_t left = 1000000, n = 1; left > 0; n = n % sizeof(block) + 1) {
                const size_t k = MIN(n, left);
                sha256_add(&s, block, k);
                left -= k;
        }
        sha256_finish(&s, digest);
        sha256_to_hex(digest, hex);
        ASSERT_STREQ(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* By the processor's own instructions, if it has them, and without: from every begin, to every end. */
TEST(many_blocks_at_once) {
        uint8_t block[64 * 40];
        for (size_t i = 0; i < sizeof(block); i++)
                block[i] = (uint8_t) (i * 131 + i / 7);
        for (size_t n = 64 * 15; n <= sizeof(block); n += 23)
                for (size_t begun = 0; begun < 3; begun++) {
                        uint8_t digest[SHA256_SIZE];
                        char at_once[SHA256_HEX_SIZE], in_pieces[SHA256_HEX_SIZE];
                        Sha256 s;
                        sha256_init(&s);
                        sha256_add(&s, block, 31 * begun);
                        sha256_add(&s, block + 31 * begun, n - 31 * begun);
                        sha256_finish(&s, digest);
                        sha256_to_hex(digest, at_once);
                        sha256_init(&s);
                        for (size_t i = 0; i < n; i += 100)
                                sha256_add(&s, block + i, MIN((size_t) 100, n - i));
                        sha256_finish(&s, digest);
                        sha256_to_hex(digest, in_pieces);
                        ASSERT_STREQ(at_once, in_pieces);
                }
        char hex[SHA256_HEX_SIZE];
        hash(block, 64 * 40, hex); /* as sha256sum says */
        ASSERT_STREQ(hex, "99852c9d5db4c2e3420ab9851f44c11e76da2a9fb45631909452d6d48573361a");
}

TEST(padding) { /* around the length at which another block is needed */
        char seen[130][SHA256_HEX_SIZE];
        uint8_t block[130] = { 0 };
        for (size_t n = 0; n < ELEMENTSOF(seen); n++) {
                uint8_t digest[SHA256_SIZE];
                char hex[SHA256_HEX_SIZE];
                Sha256 s;
                hash(block, n, seen[n]);
                for (size_t i = 0; i < n; i++)
                        ASSERT_NE(strcmp(seen[i], seen[n]), 0);
                sha256_init(&s);
                for (size_t i = 0; i < n; i++)
                        sha256_add(&s, block + i, 1);
                sha256_finish(&s, digest);
                sha256_to_hex(digest, hex);
                ASSERT_STREQ(hex, seen[n]);
        }
        ASSERT_STREQ(seen[64], "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b");
}

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
