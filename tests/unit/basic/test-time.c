/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of basic/time.c. */
#include "test.h"

#include "basic/parse.h"
#include "basic/time.h"

TEST(now) {
        usec_t a = now_usec(CLOCK_MONOTONIC), b = now_usec(CLOCK_MONOTONIC);

        ASSERT_TRUE(a > 0 && b >= a);
        ASSERT_TRUE(now_usec(CLOCK_REALTIME) > 1500000000 * USEC_PER_SEC);
        ASSERT_EQ(now_usec((clockid_t) 12345), 0);
}

TEST(adding) {
        ASSERT_EQ(usec_add(1, 2), 3);
        ASSERT_TRUE(usec_add(USEC_INFINITY, 1) == USEC_INFINITY);
        ASSERT_TRUE(usec_add(USEC_INFINITY - 1, 5) == USEC_INFINITY);
        ASSERT_TRUE(usec_add(0, USEC_INFINITY) == USEC_INFINITY);
}

TEST(spans) {
        static const struct {
                usec_t t, accuracy;
                const char *expected;
        } cases[] = {
                { 0, 1, "0" },
                { 1, 0, "1us" },
                { 999, USEC_PER_MSEC, "0" },
                { 90 * USEC_PER_SEC, USEC_PER_SEC, "1min 30s" },
                { 90 * USEC_PER_SEC + 500, USEC_PER_SEC, "1min 30s" },
                { 1500 * USEC_PER_MSEC, USEC_PER_MSEC, "1s 500ms" },
                { USEC_PER_DAY, 1, "1d" },
                { 8 * USEC_PER_DAY + 1, 1, "1w 1d 1us" },
                { USEC_INFINITY, USEC_PER_SEC, "infinity" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *s = format_timespan(cases[i].t, cases[i].accuracy);

                ASSERT_STREQ(s, cases[i].expected);
        }
}

TEST(spans_round_trip) {
        static const usec_t fixed[] = {
                0, 1, 59, USEC_PER_SEC, UINT64_MAX - 1, USEC_INFINITY, 31557600 * USEC_PER_SEC
        };
        uint64_t state = 88172645463325252ULL;

        for (size_t i = 0; i < 5000; i++) {
                _cleanup_free_ char *s = NULL;
                usec_t t, back;

                /* xorshift, at all magnitudes */
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                t = i < ELEMENTSOF(fixed) ? fixed[i] : state >> (i % 64);
                s = format_timespan(t, 1);
                ASSERT_OK(parse_usec(s, &back));
                ASSERT_TRUE(back == t);
        }
}

TEST(timestamps) {
        _cleanup_free_ char *utc = NULL, *berlin = NULL, *never = NULL, *epoch = NULL, *far = NULL;

        setenv("TZ", "UTC0", 1);
        tzset();
        utc = format_timestamp(1795426200 * USEC_PER_SEC);
        ASSERT_STREQ(utc, "Mon 2026-11-23 09:30:00 UTC");
        epoch = format_timestamp(0);
        ASSERT_STREQ(epoch, "Thu 1970-01-01 00:00:00 UTC");
        setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
        tzset();
        berlin = format_timestamp(1795426200 * USEC_PER_SEC);
        ASSERT_STREQ(berlin, "Mon 2026-11-23 10:30:00 CET");
        never = format_timestamp(USEC_INFINITY);
        ASSERT_STREQ(never, "n/a");
        far = format_timestamp(USEC_INFINITY - 1);
        ASSERT_NOT_NULL(far);
}

TEST_MAIN
