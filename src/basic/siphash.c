/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012), in its variant for 128 bits. */
#include "basic/siphash.h"

#include <endian.h>

typedef struct SipState {
        uint64_t v0, v1, v2, v3;
} SipState;

static uint64_t rotate(uint64_t x, unsigned bits) {
        return (x << bits) | (x >> (64 - bits));
}

static void sip_rounds(SipState *s, unsigned n) {
        while (n-- > 0) {
                s->v0 += s->v1;
                s->v2 += s->v3;
                s->v1 = rotate(s->v1, 13) ^ s->v0;
                s->v3 = rotate(s->v3, 16) ^ s->v2;
                s->v0 = rotate(s->v0, 32) + s->v3;
                s->v2 += s->v1;
                s->v1 = rotate(s->v1, 17) ^ s->v2;
                s->v3 = rotate(s->v3, 21) ^ s->v0;
                s->v2 = rotate(s->v2, 32);
        }
}

static void sip_word(SipState *s, uint64_t word) {
        s->v3 ^= word;
        sip_rounds(s, 2);
        s->v0 ^= word;
}

/* Up to eight bytes as a little-endian number. */
static uint64_t word_read(const uint8_t *p, size_t n) {
        uint64_t word = 0;

        memcpy(&word, p, n);
        return le64toh(word);
}

static void word_write(uint8_t *p, const SipState *s) {
        const uint64_t word = htole64(s->v0 ^ s->v1 ^ s->v2 ^ s->v3);

        memcpy(p, &word, sizeof(word));
}

void siphash128(const uint8_t key[static 16], const void *bytes, size_t n, uint8_t ret[static 16]) {
        const uint64_t k0 = word_read(key, 8), k1 = word_read(key + 8, 8);
        const uint8_t *p = bytes;
        SipState s = {
                .v0 = k0 ^ UINT64_C(0x736f6d6570736575),
                .v1 = k1 ^ UINT64_C(0x646f72616e646f6d) ^ 0xee,
                .v2 = k0 ^ UINT64_C(0x6c7967656e657261),
                .v3 = k1 ^ UINT64_C(0x7465646279746573),
        };
        size_t left = n;

        for (; left >= 8; p += 8, left -= 8)
                sip_word(&s, word_read(p, 8));
        sip_word(&s, word_read(p, left) | (uint64_t) n << 56);
        s.v2 ^= 0xee;
        sip_rounds(&s, 4);
        word_write(ret, &s);
        s.v1 ^= 0xdd;
        sip_rounds(&s, 4);
        word_write(ret + 8, &s);
}
