/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Limits and unit properties. */
#include "spec-helpers.h"

TEST(limits) {
        ASSERT_PRINTS("LimitNOFILE", "1024", "LimitNOFILE=1024\n");
        ASSERT_PRINTS("LimitNOFILE", "1024:infinity", "LimitNOFILE=1024:infinity\n");
        ASSERT_PRINTS("LimitCORE", "1K:1M", "LimitCORE=1024:1048576\n");
        ASSERT_PRINTS("LimitCPU", "1ms", "LimitCPU=1\n");
        ASSERT_PRINTS("LimitCPU", "2min", "LimitCPU=120\n");
        ASSERT_PRINTS("LimitRTTIME", "5", "LimitRTTIME=5\n");
        ASSERT_PRINTS("LimitRTTIME", "5ms", "LimitRTTIME=5000\n");
        ASSERT_PRINTS("LimitNICE", "-20", "LimitNICE=40\n");
        ASSERT_PRINTS("LimitNICE", "+19", "LimitNICE=1\n");
        ASSERT_PRINTS("LimitNICE", "7", "LimitNICE=7\n");
        ASSERT_REFUSED("LimitNICE", "+20", "SOFT[:HARD]");
        ASSERT_REFUSED("LimitNICE", "++5", "SOFT[:HARD]");
        ASSERT_REFUSED("LimitNOFILE", "2:1", "does not exceed");
        ASSERT_REFUSED("LimitNOFILE", "infinity:1", "does not exceed");
        ASSERT_REFUSED("LimitNOFILE", "18446744073709551615", "SOFT[:HARD]");
        ASSERT_REFUSED("LimitNOFILE", ":1", "SOFT[:HARD]");
        ASSERT_REFUSED("LimitNOFILE", "1:", "SOFT[:HARD]");
}

TEST(rlimit_option) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;
        const SpecField *f = option_row("rlimit");
        const SpecLimit *limits = spec_draft_spec(d)->payload.limits;

        ASSERT_OK(set(d, "LimitNOFILE", "7", SOURCE_FILE, &e));
        ASSERT_OK(set(d, "LimitCORE", "0", SOURCE_FILE, &e));
        ASSERT_OK(spec_draft_set_raw(d, f, "NOFILE=1:2", SOURCE_COMMAND, "--rlimit", &e));
        ASSERT_OK(spec_draft_set_raw(d, f, "RLIMIT_NPROC=3", SOURCE_COMMAND, "--rlimit", &e));
        ASSERT_EQ(limits[RLIMIT_NOFILE].soft, 1);
        ASSERT_EQ(limits[RLIMIT_NOFILE].hard, 2);
        ASSERT_EQ(limits[RLIMIT_NPROC].soft, 3);
        ASSERT_TRUE(limits[RLIMIT_CORE].set); /* each limit is a field of its own */
        ASSERT_OK(spec_draft_set_raw(d, f, "NOFILE=", SOURCE_COMMAND, "--rlimit", &e));
        ASSERT_FALSE(limits[RLIMIT_NOFILE].set);
        ASSERT_ERROR(spec_draft_set_raw(d, f, "Limit=3", SOURCE_COMMAND, "--rlimit", &e), EINVAL);
        ASSERT_CONTAINS(e.message, "Invalid value 'Limit=3' for '--rlimit=': NAME=SOFT[:HARD]");
}

TEST(amounts) {
        ASSERT_PRINTS("MemoryMax", "1.5G", "MemoryMax=1610612736\n");
        ASSERT_PRINTS("MemoryMax", "infinity", "MemoryMax=infinity\n");
        ASSERT_PRINTS("MemoryHigh", "12.50%", "MemoryHigh=12.5%\n");
        ASSERT_PRINTS("MemoryHigh", "100%", "MemoryHigh=100%\n");
        ASSERT_PRINTS("MemoryMin", "0", "MemoryMin=0\n");
        ASSERT_REFUSED("MemoryMax", "0", "a size like 512M");
        ASSERT_REFUSED("MemoryMax", "0%", "a size like 512M");
        ASSERT_REFUSED("MemoryMax", "100.01%", "a size like 512M");
        ASSERT_PRINTS("TasksMax", "10", "TasksMax=10\n");
        ASSERT_REFUSED("TasksMax", "1K", "a number from 1");
        ASSERT_PRINTS("CPUQuota", "150%", "CPUQuota=150%\n");
        ASSERT_PRINTS("CPUQuota", "0.25%", "CPUQuota=0.25%\n");
        ASSERT_REFUSED("CPUQuota", "infinity", "a percentage of one CPU");
        ASSERT_PRINTS("CPUWeight", "idle", "CPUWeight=idle\n");
        ASSERT_REFUSED("CPUWeight", "0", "1 to 10000");
        ASSERT_PRINTS("IOWeight", "10000", "IOWeight=10000\n");
        ASSERT_REFUSED("IOWeight", "10001", "1 to 10000");
        ASSERT_PRINTS("AllowedCPUs", "3,1,2", "AllowedCPUs=1-3\n");
        ASSERT_PRINTS("Slice", "web", "Slice=web.slice\n");
        ASSERT_REFUSED("Slice", ".slice", "the name of a slice unit");
        ASSERT_REFUSED("Slice", "a b.slice", "the name of a slice unit");
}

TEST(properties) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;
        char ***l = &spec_draft_spec(d)->resources.properties;

        ASSERT_OK(set(d, "Property", "ZZZ=1", SOURCE_FILE, &e));
        ASSERT_OK(set(d, "Property", "MemoryMax=1K", SOURCE_FILE,
                      &e)); /* the row's own check and spelling */
        ASSERT_OK(set(d, "Property", "DeviceAllow=/dev/a r", SOURCE_FILE, &e));
        ASSERT_OK(set(d, "Property", "DeviceAllow=/dev/0 r", SOURCE_FILE, &e));
        ASSERT_OK(set(d, "Property", "ZZZ=2", SOURCE_FILE, &e));
        _cleanup_free_ char *all = strv_join(*l, "|");
        ASSERT_STREQ(all, "DeviceAllow=/dev/a r|DeviceAllow=/dev/0 r|MemoryMax=1024|ZZZ=2");

        /* stronger sources replace one property, not all */
        ASSERT_OK(set(d, "MemoryMax", "2K", SOURCE_COMMAND, &e));
        ASSERT_OK(set(d, "Property", "MemoryMax=3K", SOURCE_FILE, &e));
        ASSERT_TRUE(strv_contains(*l, "MemoryMax=2048"));
        ASSERT_TRUE(strv_contains(*l, "ZZZ=2"));

        ASSERT_OK(set(d, "Property", "ZZZ=", SOURCE_FILE, &e));
        ASSERT_FALSE(strv_contains(*l, "ZZZ=2"));
        ASSERT_OK(set(d, "Property", "", SOURCE_FILE, &e));
        ASSERT_EQ(strv_length(*l), 1);
        ASSERT_OK(set(d, "MemoryMax", "", SOURCE_COMMAND, &e));
        ASSERT_EQ(strv_length(*l), 0);
        ASSERT_ERROR(set(d, "Property", "MemoryMax=x", SOURCE_COMMAND, &e), EINVAL);
        ASSERT_CONTAINS(e.message, "Invalid value 'x' for MemoryMax= in here");
}

TEST(bad_properties) {
        ASSERT_REFUSED("Property", "X", "NAME=VALUE");
        ASSERT_REFUSED("Property", "=1", "NAME=VALUE");
        ASSERT_REFUSED("Property", "1A=1", "NAME=VALUE");
        ASSERT_REFUSED("Property", "A=a\nb", "NAME=VALUE");
        ASSERT_REFUSED("Property", "A B=1", "that of a unit property");
        ASSERT_REFUSED("Property", "Delegate=no", "does not set itself");
}

TEST_MAIN
