/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SHA-256 against published examples (FIPS 180-4), in pieces. */
#include "transfer/digest.h"

#include "test.h"

#define MILLION 1000000U

static void expect(const void *bytes, size_t n, size_t piece, const char *expected) {
        _cleanup_(digest_done) Digest d = DIGEST_NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        uint8_t digest[SHA256_SIZE];
        char hex[SHA256_HEX_SIZE];
        ASSERT_OK(digest_open(&d, &e));
        for (size_t at = 0; at < n; at += piece)
                ASSERT_OK(digest_add(&d, (const char *) bytes + at, MIN(piece, n - at)));
        ASSERT_OK(digest_finish(&d, digest));
        sha256_to_hex(digest, hex);
        ASSERT_STREQ(hex, expected);
}

TEST(examples) {
        char *many = malloc(MILLION);
        memset(many, 'a', MILLION);
        expect("", 0, 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        expect("abc", 3, 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        expect(many, MILLION, 999,
               "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
        expect(many, MILLION, MILLION,
               "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
        free(many);
}

TEST_MAIN
