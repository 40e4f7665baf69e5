/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of basic/parse.c. */
#include "test.h"

#include <signal.h>

#include "basic/parse.h"
#include "basic/str.h"

#define PARSED(function, type, text, expected)  \
        do {                                    \
                type _v = 0;                    \
                ASSERT_OK(function(text, &_v)); \
                ASSERT_EQ(_v, expected);        \
        } while (0)
/* The result stays as it was. */
#define REFUSED(function, type, text, code)              \
        do {                                             \
                type _v = 77;                            \
                ASSERT_ERROR(function(text, &_v), code); \
                ASSERT_EQ(_v, 77);                       \
        } while (0)

TEST(boolean) {
        static const char *const yes[] = { "1", "yes", "y", "true", "t", "on", "YES", "True" };
        static const char *const no[] = { "0", "no", "n", "false", "f", "off", "OFF" };
        static const char *const neither[] = { "",    "2",  "ja",    "yes ",
                                               " no", "01", "truee", "disabled" };

        for (size_t i = 0; i < ELEMENTSOF(yes); i++)
                ASSERT_EQ(parse_boolean(yes[i]), 1);
        for (size_t i = 0; i < ELEMENTSOF(no); i++)
                ASSERT_EQ(parse_boolean(no[i]), 0);
        for (size_t i = 0; i < ELEMENTSOF(neither); i++)
                ASSERT_ERROR(parse_boolean(neither[i]), EINVAL);
        ASSERT_ERROR(parse_boolean(NULL), EINVAL);
}

TEST(unsigned_numbers) {
        PARSED(parse_u32, uint32_t, "0", 0);
        PARSED(parse_u32, uint32_t, "007", 7);
        PARSED(parse_u32, uint32_t, "4294967295", UINT32_MAX);
        REFUSED(parse_u32, uint32_t, "4294967296", ERANGE);
        REFUSED(parse_u32, uint32_t, "18446744073709551616", ERANGE);
        PARSED(parse_u64, uint64_t, "18446744073709551615", UINT64_MAX);
        REFUSED(parse_u64, uint64_t, "18446744073709551616", ERANGE);
        REFUSED(parse_u64, uint64_t, "99999999999999999999999999999", ERANGE);

        static const char *const bad[] = {
                "",     " ",   "-1",  "+1", " 1",  "1 ",
                "0x10", "1e3", "1.0", "٣",  "1\n", "99999999999999999999x",
                NULL,
        };
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                REFUSED(parse_u32, uint32_t, bad[i], EINVAL);
                REFUSED(parse_u64, uint64_t, bad[i], EINVAL);
        }
}

TEST(signed_numbers) {
        PARSED(parse_i32, int32_t, "-2147483648", INT32_MIN);
        PARSED(parse_i32, int32_t, "+2147483647", INT32_MAX);
        PARSED(parse_i32, int32_t, "-0", 0);
        REFUSED(parse_i32, int32_t, "2147483648", ERANGE);
        REFUSED(parse_i32, int32_t, "-2147483649", ERANGE);
        PARSED(parse_i64, int64_t, "-9223372036854775808", INT64_MIN);
        PARSED(parse_i64, int64_t, "9223372036854775807", INT64_MAX);
        REFUSED(parse_i64, int64_t, "9223372036854775808", ERANGE);
        REFUSED(parse_i64, int64_t, "-9223372036854775809", ERANGE);
        REFUSED(parse_i64, int64_t, "--1", EINVAL);
        REFUSED(parse_i64, int64_t, "+-1", EINVAL);
        REFUSED(parse_i64, int64_t, "-", EINVAL);
        REFUSED(parse_i64, int64_t, "", EINVAL);
        REFUSED(parse_i64, int64_t, "- 1", EINVAL);
        REFUSED(parse_i32, int32_t, NULL, EINVAL);
}

TEST(uids) {
        PARSED(parse_uid, uid_t, "0", 0);
        PARSED(parse_uid, uid_t, "1000", 1000);
        PARSED(parse_uid, uid_t, "4294967294", 4294967294U);
        REFUSED(parse_uid, uid_t, "65535", ENXIO);
        REFUSED(parse_uid, uid_t, "4294967295", ENXIO);
        REFUSED(parse_uid, uid_t, "4294967296", ERANGE);
        REFUSED(parse_uid, uid_t, "010", EINVAL);
        REFUSED(parse_uid, uid_t, "00", EINVAL);
        REFUSED(parse_uid, uid_t, "-1", EINVAL);
        REFUSED(parse_uid, uid_t, "root", EINVAL);
}

TEST(modes) {
        PARSED(parse_mode, mode_t, "0755", 0755);
        PARSED(parse_mode, mode_t, "7777", 07777);
        PARSED(parse_mode, mode_t, "0", 0);
        PARSED(parse_mode, mode_t, "00000000000000000000644", 0644);
        REFUSED(parse_mode, mode_t, "10000", ERANGE);
        REFUSED(parse_mode, mode_t, "77777777777777777777777777", ERANGE);
        REFUSED(parse_mode, mode_t, "0788", EINVAL);
        REFUSED(parse_mode, mode_t, "", EINVAL);
        REFUSED(parse_mode, mode_t, "u+x", EINVAL);
        REFUSED(parse_mode, mode_t, "-1", EINVAL);
}

TEST(sizes) {
        PARSED(parse_size, uint64_t, "0", 0);
        PARSED(parse_size, uint64_t, "4096", 4096);
        PARSED(parse_size, uint64_t, "4096B", 4096);
        PARSED(parse_size, uint64_t, "4K", 4096);
        PARSED(parse_size, uint64_t, "1.5G", 1610612736);
        PARSED(parse_size, uint64_t, "0.1K", 102);
        PARSED(parse_size, uint64_t, "3T", 3ULL << 40);
        PARSED(parse_size, uint64_t, "3P", 3ULL << 50);
        PARSED(parse_size, uint64_t, "15E", 15ULL << 60);
        PARSED(parse_size, uint64_t, "0.99999999999999999999999999999999E", (1ULL << 60) - 1);
        PARSED(parse_size, uint64_t, "18446744073709551615", UINT64_MAX);
        REFUSED(parse_size, uint64_t, "16E", ERANGE);
        REFUSED(parse_size, uint64_t, "18446744073709551616", ERANGE);
        REFUSED(parse_size, uint64_t, "18014398509481984K", ERANGE);

        static const char *const bad[] = {
                "",    "K",  "-1",  "-1K", "1.K",     ".5K",      "1.5", "1.5B",
                "1KB", "1k", "1 K", "1K ", "1G 500M", "infinity", "1X",  NULL,
        };
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                REFUSED(parse_size, uint64_t, bad[i], EINVAL);
}

TEST(spans) {
        PARSED(parse_usec, usec_t, "0", 0);
        PARSED(parse_usec, usec_t, "5", 5 * USEC_PER_SEC);
        PARSED(parse_usec, usec_t, "5s", 5 * USEC_PER_SEC);
        PARSED(parse_usec, usec_t, "2min 30s", 150 * USEC_PER_SEC);
        PARSED(parse_usec, usec_t, "2min30s", 150 * USEC_PER_SEC);
        PARSED(parse_usec, usec_t, " 1 h ", USEC_PER_HOUR);
        PARSED(parse_usec, usec_t, "1.5h", 90 * USEC_PER_MINUTE);
        PARSED(parse_usec, usec_t, "0.000001", 1);
        PARSED(parse_usec, usec_t, "0.0000019", 1);
        PARSED(parse_usec, usec_t, "500ms", 500 * USEC_PER_MSEC);
        PARSED(parse_usec, usec_t, "7us", 7);
        PARSED(parse_usec, usec_t, "7µs", 7);
        PARSED(parse_usec, usec_t, "1M", 2629800 * USEC_PER_SEC);
        PARSED(parse_usec, usec_t, "1m", USEC_PER_MINUTE);
        PARSED(parse_usec, usec_t, "1y 2w 3days", (31557600 + 17 * 86400) * USEC_PER_SEC);
        PARSED(parse_usec, usec_t, "infinity", USEC_INFINITY);
        PARSED(parse_usec, usec_t, "18446744073709551614us", UINT64_MAX - 1);
        REFUSED(parse_usec, usec_t, "18446744073709551615us", ERANGE);
        REFUSED(parse_usec, usec_t, "18446744073709551616us", ERANGE);
        REFUSED(parse_usec, usec_t, "584543y", ERANGE);
        REFUSED(parse_usec, usec_t, "18446744073709551615us 1us", ERANGE);
        REFUSED(parse_usec, usec_t, "99999999999999999999999s", ERANGE);

        static const char *const bad[] = {
                "",    "  ",  "s",   "-5s",         "+5s", "5 parsecs", "5sx",  "1.",
                "1.s", ".5s", "5s,", "infinity 5s", "5ns", "5S",        "0x5s", NULL,
        };
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                REFUSED(parse_usec, usec_t, bad[i], EINVAL);
}

TEST(offsets) {
        PARSED(parse_nsec_offset, int64_t, "-5s", -5000000000LL);
        PARSED(parse_nsec_offset, int64_t, "+1d", 86400000000000LL);
        PARSED(parse_nsec_offset, int64_t, "1ns", 1);
        PARSED(parse_nsec_offset, int64_t, "0", 0);
        PARSED(parse_nsec_offset, int64_t, "-1.5us", -1500);
        PARSED(parse_nsec_offset, int64_t, "9223372036854775807ns", INT64_MAX);
        REFUSED(parse_nsec_offset, int64_t, "9223372036854775808ns", ERANGE);
        REFUSED(parse_nsec_offset, int64_t, "300y", ERANGE);
        REFUSED(parse_nsec_offset, int64_t, "infinity", EINVAL);
        REFUSED(parse_nsec_offset, int64_t, "--5s", EINVAL);
        REFUSED(parse_nsec_offset, int64_t, "-", EINVAL);
        REFUSED(parse_nsec_offset, int64_t, "", EINVAL);
        REFUSED(parse_nsec_offset, int64_t, NULL, EINVAL);
}

TEST(permyriads) {
        PARSED(parse_permyriad, unsigned, "20%", 2000);
        PARSED(parse_permyriad, unsigned, "12.5%", 1250);
        PARSED(parse_permyriad, unsigned, "0.25%", 25);
        PARSED(parse_permyriad, unsigned, "0%", 0);
        PARSED(parse_permyriad, unsigned, "400%", 40000);
        REFUSED(parse_permyriad, unsigned, "42949673%", ERANGE);
        REFUSED(parse_permyriad, unsigned, "99999999999999999999%", ERANGE);
        REFUSED(parse_permyriad, unsigned, "0.125%", EINVAL);
        REFUSED(parse_permyriad, unsigned, "20", EINVAL);
        REFUSED(parse_permyriad, unsigned, "20%%", EINVAL);
        REFUSED(parse_permyriad, unsigned, "-1%", EINVAL);
        REFUSED(parse_permyriad, unsigned, "%", EINVAL);
        REFUSED(parse_permyriad, unsigned, "5.%", EINVAL);
        REFUSED(parse_permyriad, unsigned, NULL, EINVAL);
}

TEST(signals) {
        ASSERT_EQ(parse_signal("SIGTERM"), SIGTERM);
        ASSERT_EQ(parse_signal("TERM"), SIGTERM);
        ASSERT_EQ(parse_signal("15"), 15);
        ASSERT_EQ(parse_signal("RTMIN+3"), SIGRTMIN + 3);
        ASSERT_EQ(parse_signal("SIGRTMIN+4"), SIGRTMIN + 4);
        ASSERT_EQ(parse_signal("RTMIN"), SIGRTMIN);
        ASSERT_EQ(parse_signal("RTMAX"), SIGRTMAX);
        ASSERT_EQ(parse_signal("SIGRTMAX-2"), SIGRTMAX - 2);
        ASSERT_EQ(parse_signal("64"), 64);

        static const char *const bad[] = {
                "",           "0",
                "65",         "-1",
                "4294967311", "SIG",
                "SIGSIGTERM", "term",
                "SIGTERM ",   "RTMIN-1",
                "RTMAX+1",    "RTMIN+31",
                "RTMIN+",     "RTMIN+4294967295",
                "RTMIN+x",    "SIG15",
                NULL,
        };
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                ASSERT_ERROR(parse_signal(bad[i]), EINVAL);
}

TEST(signal_names_round_trip) {
        char buf[16];

        for (int sig = 1; sig <= SIGRTMAX; sig++)
                ASSERT_EQ(parse_signal(signal_to_string(sig, buf)), sig);
        ASSERT_STREQ(signal_to_string(SIGKILL, buf), "SIGKILL");
        ASSERT_STREQ(signal_to_string(SIGRTMIN, buf), "SIGRTMIN");
        ASSERT_STREQ(signal_to_string(SIGRTMIN + 3, buf), "SIGRTMIN+3");
        ASSERT_STREQ(signal_to_string(0, buf), "0");
        ASSERT_STREQ(signal_to_string(-2147483647 - 1, buf), "-2147483648");
}

TEST(pids) {
        PARSED(parse_pid, pid_t, "1", 1);
        PARSED(parse_pid, pid_t, "2147483647", 2147483647);
        REFUSED(parse_pid, pid_t, "0", ERANGE);
        REFUSED(parse_pid, pid_t, "2147483648", ERANGE);
        REFUSED(parse_pid, pid_t, "-1", EINVAL);
        REFUSED(parse_pid, pid_t, "", EINVAL);
}

TEST(cpu_sets) {
        static const char *const good[][2] = {
                { "0-3,5 7", "0-3 5 7" }, { "7 5 3-0x", NULL }, { "7,5,0-3", "0-3 5 7" },
                { "0 1 2", "0-2" },       { "3", "3" },         { "  4 ,, 5\t", "4-5" },
                { "0-8191", "0-8191" },   { "8191", "8191" },   { "5-5", "5" },
                { "1-4,3-9", "1-9" },
        };
        static const char *const bad[] = { "",  " ",     ",",   "-1",  "1-", "3-1",
                                           "a", "1-2-3", "1;2", "0x1", NULL };
        char *set = NULL;

        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                if (!good[i][1]) {
                        ASSERT_ERROR(parse_cpu_set(good[i][0], &set), EINVAL);
                        continue;
                }
                ASSERT_OK(parse_cpu_set(good[i][0], &set));
                ASSERT_STREQ(set, good[i][1]);
                set = mfree(set);
        }
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                ASSERT_ERROR(parse_cpu_set(bad[i], &set), EINVAL);
        ASSERT_ERROR(parse_cpu_set("8192", &set), ERANGE);
        ASSERT_ERROR(parse_cpu_set("0-8192", &set), ERANGE);
        ASSERT_ERROR(parse_cpu_set("99999999999999999999", &set), ERANGE);
        ASSERT_NULL(set);
}

TEST_MAIN
