/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SipHash against the published vectors: key 00 01 … 0f, input 00 01 … of each length. */
#include "basic/siphash.h"

#include "test.h"

TEST(vectors) {
        // clang-format off
        static const struct { size_t n; uint8_t hash[16]; } vectors[] = {
                { 0, { 0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93 } },
                { 1, { 0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc, 0x45 } },
                { 2, { 0x81, 0x77, 0x22, 0x8d, 0xa4, 0xa4, 0x5d, 0xc7, 0xfc, 0xa3, 0x8b, 0xde, 0xf6, 0x0a, 0xff, 0xe4 } },
        };
        // clang-format on
        uint8_t key[16], input[16], got[16];

        for (uint8_t i = 0; i < 16; i++)
                key[i] = input[i] = i;
        for (size_t i = 0; i < ELEMENTSOF(vectors); i++) {
                siphash128(key, input, vectors[i].n, got);
                ASSERT_EQ(memcmp(got, vectors[i].hash, sizeof(got)), 0);
        }
}

TEST(all_counts) {
        uint8_t key[16] = { 0 }, input[64] = { 0 }, seen[64][16];

        for (size_t n = 0; n < ELEMENTSOF(seen); n++) {
                siphash128(key, input, n, seen[n]); /* the length is part of what is hashed */
                for (size_t i = 0; i < n; i++)
                        ASSERT_NE(memcmp(seen[i], seen[n], 16), 0);
        }
        for (size_t bit = 0; bit < 128; bit++) {
                uint8_t other[16];
                key[bit / 8] ^= (uint8_t) (1 << bit % 8);
                siphash128(key, input, 10, other);
                ASSERT_NE(memcmp(seen[10], other, 16), 0);
                key[bit / 8] ^= (uint8_t) (1 << bit % 8);
        }
        input[9] = 1;
        siphash128(key, input, 10, seen[0]);
        ASSERT_NE(memcmp(seen[10], seen[0], 16), 0);
}

TEST_MAIN
