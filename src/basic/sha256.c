/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SHA-256. */
#include "basic/sha256.h"

#include "basic/sha256-blocks.h"
#include "basic/str.h"

#define MANY_BLOCKS 16U /* to ask what the processor has takes longer than a few */

const uint32_t sha256_constants[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
        0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
        0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
        0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
        0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
        0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
        0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
        0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
        0xc67178f2,
};

static uint32_t rotate(uint32_t x, unsigned n) {
        return x >> n | x << (32 - n);
}

static uint32_t load(const uint8_t *p) {
        return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3];
}

static void store(uint8_t *p, uint32_t x) {
        for (unsigned i = 0; i < 4; i++)
                p[i] = (uint8_t) (x >> (24 - 8 * i));
}

/* The eight words go round; only two of them change. */
static inline void add_word(uint32_t a, uint32_t b, uint32_t c, uint32_t *d, uint32_t e, uint32_t f,
                            uint32_t g, uint32_t *h, uint32_t word) {
        const uint32_t t =
                *h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + (g ^ (e & (f ^ g))) + word;
        *d += t;
        *h = t + (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) | (c & (a | b)));
}

static void add_block(Sha256 *s, const uint8_t *p) {
        uint32_t w[64];
        uint32_t a = s->state[0], b = s->state[1], c = s->state[2], d = s->state[3],
                 e = s->state[4], f = s->state[5], g = s->state[6], h = s->state[7];
        for (unsigned i = 0; i < 16; i++)
                w[i] = load(p + 4 * (size_t) i);
        for (unsigned i = 16; i < 64; i++)
                w[i] = w[i - 16] + (rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3) +
                       w[i - 7] + (rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10);
        for (unsigned i = 0; i < 64; i++)
                w[i] += sha256_constants[i];
        for (unsigned i = 0; i < 64; i += 8) {
                add_word(a, b, c, &d, e, f, g, &h, w[i]);
                add_word(h, a, b, &c, d, e, f, &g, w[i + 1]);
                add_word(g, h, a, &b, c, d, e, &f, w[i + 2]);
                add_word(f, g, h, &a, b, c, d, &e, w[i + 3]);
                add_word(e, f, g, &h, a, b, c, &d, w[i + 4]);
                add_word(d, e, f, &g, h, a, b, &c, w[i + 5]);
                add_word(c, d, e, &f, g, h, a, &b, w[i + 6]);
                add_word(b, c, d, &e, f, g, h, &a, w[i + 7]);
        }
        const uint32_t more[8] = { a, b, c, d, e, f, g, h };
        for (unsigned i = 0; i < 8; i++)
                s->state[i] += more[i];
}

void sha256_init(Sha256 *s) {
        static const uint32_t begin[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                           0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
        memcpy(s->state, begin, sizeof(begin));
        s->n_bytes = 0;
}

void sha256_add(Sha256 *s, const void *bytes, size_t n) {
        const uint8_t *p = bytes;
        const size_t begun = s->n_bytes % sizeof(s->block);
        s->n_bytes += n;
        if (begun > 0) {
                const size_t k = MIN(n, sizeof(s->block) - begun);
                memcpy(s->block + begun, p, k);
                if (begun + k < sizeof(s->block))
                        return;
                add_block(s, s->block);
                p += k;
                n -= k;
        }
        const size_t n_blocks = n / sizeof(s->block);
        if (n_blocks >= MANY_BLOCKS && sha256_add_blocks(s->state, p, n_blocks)) {
                p += n_blocks * sizeof(s->block);
                n %= sizeof(s->block);
        }
        for (; n >= sizeof(s->block); n -= sizeof(s->block), p += sizeof(s->block))
                add_block(s, p);
        if (n > 0)
                memcpy(s->block, p, n);
}

void sha256_finish(Sha256 *s, uint8_t ret[static SHA256_SIZE]) {
        static const uint8_t padding[64] = { 0x80 };
        const uint64_t n_bits = s->n_bytes * 8;
        uint8_t size[8];
        store(size, (uint32_t) (n_bits >> 32));
        store(size + 4, (uint32_t) n_bits);
        /* until eight bytes are missing from a block */
        sha256_add(s, padding, (55 - s->n_bytes % 64 + 64) % 64 + 1);
        sha256_add(s, size, sizeof(size));
        for (unsigned i = 0; i < 8; i++)
                store(ret + 4 * (size_t) i, s->state[i]);
}

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
