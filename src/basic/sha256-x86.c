/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SHA-256 by the instructions of x86 processors (SHA extensions): some five times as fast. */
#include "basic/sha256-blocks.h"

#include <cpuid.h>
#include <immintrin.h>

/* CPUID, leaf 1, ECX */
#define HAS_SSSE3 (1U << 9)
#define HAS_SSE41 (1U << 19)
/* leaf 7, EBX */
#define HAS_SHA (1U << 29)

#define FOR_SHA __attribute__((target("sha,sse4.1")))

static bool is_there(void) {
        unsigned a, b, c, d;
        return __get_cpuid(1, &a, &b, &c, &d) && (c & HAS_SSSE3) && (c & HAS_SSE41) &&
               __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & HAS_SHA);
}

static FOR_SHA __m128i load(const void *p) {
        return _mm_loadu_si128(p);
}

/* The next four words of the schedule; w: the last sixteen, of which the oldest four are in w[i]. */
static FOR_SHA __m128i next_words(const __m128i w[static 4], unsigned i) {
        const __m128i last = w[(i + 3) % 4];
        const __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(w[i], w[(i + 1) % 4]),
                                          _mm_alignr_epi8(last, w[(i + 2) % 4], 4));
        return _mm_sha256msg2_epu32(sum, last);
}

static FOR_SHA void add_block(__m128i *abef, __m128i *cdgh, const uint8_t *p) {
        const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
        const __m128i abef_before = *abef, cdgh_before = *cdgh;
        __m128i w[4];
        for (unsigned i = 0; i < 16; i++) {
                w[i % 4] = i < 4 ? _mm_shuffle_epi8(load(p + 16 * (size_t) i), big_endian)
                                 : next_words(w, i % 4);
                const __m128i k = _mm_add_epi32(w[i % 4], load(sha256_constants + 4 * (size_t) i));
                *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, k);
                *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32(k, 0x0e));
        }
        *abef = _mm_add_epi32(*abef, abef_before);
        *cdgh = _mm_add_epi32(*cdgh, cdgh_before);
}

static FOR_SHA void add_blocks(uint32_t *state, const uint8_t *p, size_t n) {
        /* the instructions have the words of the state in an order of their own */
        const __m128i cdab = _mm_shuffle_epi32(load(state), 0xb1),
                      efgh = _mm_shuffle_epi32(load(state + 4), 0x1b);
        __m128i abef = _mm_alignr_epi8(cdab, efgh, 8), cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);
        for (; n > 0; n--, p += 64)
                add_block(&abef, &cdgh, p);
        const __m128i feba = _mm_shuffle_epi32(abef, 0x1b), dchg = _mm_shuffle_epi32(cdgh, 0xb1);
        _mm_storeu_si128((__m128i *) (void *) state, _mm_blend_epi16(feba, dchg, 0xf0));
        _mm_storeu_si128((__m128i *) (void *) (state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

bool sha256_add_blocks(uint32_t state[static 8], const uint8_t *p, size_t n) {
        if (!is_there())
                return false;
        add_blocks(state, p, n);
        return true;
}
