/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of basic/format.c. */
#include "basic/format.h"

#include "basic/parse.h"

#include "test.h"

TEST(bytes) {
        static const struct {
                uint64_t n;
                const char *text;
        } cases[] = {
                { 0, "0B" },
                { 1023, "1023B" },
                { 1024, "1K" },
                { 1536, "1.5K" },
                { 1024 * 1024 - 1, "1023.9K" },
                { 35756442, "34.1M" },
                { 512ULL << 20, "512M" },
                { 2ULL << 30, "2G" },
                { 1ULL << 40, "1T" },
                { 3ULL << 49, "1.5P" },
                { UINT64_MAX - 1, "15.9E" },
                { UINT64_MAX, "infinity" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *text = format_bytes(cases[i].n);
                uint64_t again;
                ASSERT_STREQ(text, cases[i].text);
                if (cases[i].n == UINT64_MAX)
                        continue;
                ASSERT_OK(parse_size(text, &again)); /* what is printed can be set */
                ASSERT_TRUE(again <= cases[i].n);
        }
}

TEST(ago) {
        static const struct {
                usec_t passed;
                const char *text;
        } cases[] = {
                { 0, "now" },
                { 999, "now" },
                { 250 * USEC_PER_MSEC, "250ms ago" },
                { 59 * USEC_PER_SEC + 999999, "59s ago" },
                { USEC_PER_MINUTE, "1min ago" },
                { 5 * USEC_PER_MINUTE + 3 * USEC_PER_SEC, "5min 3s ago" },
                { 10 * USEC_PER_MINUTE + 3 * USEC_PER_SEC, "10min ago" },
                { 2 * USEC_PER_HOUR + 10 * USEC_PER_MINUTE, "2h 10min ago" },
                { 23 * USEC_PER_HOUR + 59 * USEC_PER_MINUTE, "23h ago" },
                { USEC_PER_DAY, "1 day ago" },
                { 30 * USEC_PER_HOUR, "1 day 6h ago" },
                { 6 * USEC_PER_DAY, "6 days ago" },
                { 8 * USEC_PER_DAY, "1 week 1 day ago" },
                { 16 * USEC_PER_DAY, "2 weeks 2 days ago" },
                { 65 * USEC_PER_DAY, "2 months 4 days ago" },
                { 800 * USEC_PER_DAY, "2 years 2 months ago" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *text = format_ago(cases[i].passed);
                ASSERT_STREQ(text, cases[i].text);
        }
}

TEST(cpu_time) {
        static const struct {
                uint64_t nsec;
                const char *text;
        } cases[] = {
                { 0, "0" },
                { 999999, "0" },
                { 1000000, "1ms" },
                { 999999999, "999ms" },
                { 1000000000, "1s" },
                { 1550000000, "1.5s" },
                { 59990000000, "59.9s" },
                { 63000000000, "1min 3s" },
                { 7384ULL * 1000000000, "2h 3min" },
                { 190000ULL * 1000000000, "2d 4h" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *text = format_cpu_time(cases[i].nsec);
                ASSERT_STREQ(text, cases[i].text);
        }
}

TEST_MAIN
