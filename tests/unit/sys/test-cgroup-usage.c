/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of sys/cgroup-usage.c, on a directory with files like those of a cgroup. */
#include "sys/cgroup-usage.h"

#include <sys/stat.h>

#include "basic/fd.h"
#include "basic/str.h"

#include "test.h"

static char directory[] = "/tmp/test-cgroup-usage-XXXXXX";
static const char *const files[] = { "memory.current", "memory.peak",  "memory.max", "cpu.stat",
                                     "cpu.max",        "pids.current", "pids.max",   "io.stat" };

static int begin(void) {
        ASSERT_TRUE(mkdtemp(strcpy(directory, "/tmp/test-cgroup-usage-XXXXXX")) != NULL);
        int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ASSERT_OK(fd);
        return fd;
}

static void put(int fd, const char *name, const char *text) {
        _cleanup_close_ int f = openat(fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        ASSERT_OK(f);
        ASSERT_OK(fd_write_full(f, text, strlen(text)));
}

static void end(int fd) {
        for (size_t i = 0; i < ELEMENTSOF(files); i++)
                (void) unlinkat(fd, files[i], 0); /* not all of them are there */
        fd_close(fd);
        ASSERT_OK(rmdir(directory));
}

TEST(names) {
        ASSERT_STREQ(usage_field_to_string(USAGE_CPU_NSEC), "CPUUsageNSec");
        for (UsageField f = 0; f < _USAGE_MAX; f++)
                ASSERT_EQ(usage_field_from_string(usage_field_to_string(f)), f);
        ASSERT_EQ(usage_field_from_string("Nope"), _USAGE_INVALID);
        ASSERT_NULL(usage_field_to_string(_USAGE_MAX));
}

TEST(all) {
        uint64_t v[_USAGE_MAX];
        int fd = begin();

        put(fd, "memory.current", "35756442\n");
        put(fd, "memory.peak", "40000000\n");
        put(fd, "memory.max", "max\n");
        put(fd, "cpu.stat", "usage_usec 1234567\nuser_usec 1000000\nsystem_usec 234567\n");
        put(fd, "cpu.max", "50000 100000\n");
        put(fd, "pids.current", "7\n");
        put(fd, "pids.max", "16384\n");
        put(fd, "io.stat",
            "8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n"
            "7:0 \n"
            "254:1 rbytes=100 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n");
        cgroup_read_usage(fd, USAGE_ALL, v);
        ASSERT_EQ(v[USAGE_MEMORY_CURRENT], 35756442);
        ASSERT_EQ(v[USAGE_MEMORY_PEAK], 40000000);
        ASSERT_TRUE(v[USAGE_MEMORY_MAX] == USAGE_UNKNOWN);
        ASSERT_EQ(v[USAGE_CPU_NSEC], 1234567000);
        ASSERT_EQ(v[USAGE_CPU_QUOTA], 500000);
        ASSERT_EQ(v[USAGE_TASKS_CURRENT], 7);
        ASSERT_EQ(v[USAGE_TASKS_MAX], 16384);
        ASSERT_EQ(v[USAGE_IO_READ_BYTES], 4196);
        ASSERT_EQ(v[USAGE_IO_WRITE_BYTES], 8192);

        put(fd, "cpu.max", "max 100000\n");
        put(fd, "io.stat", "");
        cgroup_read_usage(fd, USAGE_ALL, v);
        ASSERT_TRUE(v[USAGE_CPU_QUOTA] == USAGE_UNKNOWN);
        ASSERT_EQ(v[USAGE_IO_READ_BYTES], 0);
        ASSERT_EQ(v[USAGE_IO_WRITE_BYTES], 0);
        end(fd);
}

TEST(only_what_is_wanted) {
        uint64_t v[_USAGE_MAX];
        int fd = begin();

        put(fd, "memory.current", "1\n");
        put(fd, "pids.current", "2\n");
        cgroup_read_usage(fd, 1U << USAGE_TASKS_CURRENT, v);
        for (UsageField f = 0; f < _USAGE_MAX; f++)
                ASSERT_TRUE(v[f] == (f == USAGE_TASKS_CURRENT ? 2 : USAGE_UNKNOWN));
        end(fd);
}

TEST(nothing_there) {
        uint64_t v[_USAGE_MAX];
        int fd = begin();

        cgroup_read_usage(fd, USAGE_ALL, v);
        for (UsageField f = 0; f < _USAGE_MAX; f++)
                ASSERT_TRUE(v[f] == USAGE_UNKNOWN);
        end(fd);
        cgroup_read_usage(-EBADF, USAGE_ALL, v);
        for (UsageField f = 0; f < _USAGE_MAX; f++)
                ASSERT_TRUE(v[f] == USAGE_UNKNOWN);
}

/* No kernel writes this; nothing is read beyond a buffer or counted around the corner. */
TEST(nonsense) {
        uint64_t v[_USAGE_MAX];
        char lots[2048];
        int fd = begin();

        memset(lots, '9', sizeof(lots) - 1);
        lots[sizeof(lots) - 1] = '\0';
        put(fd, "memory.current", lots);
        put(fd, "memory.peak", "18446744073709551616\n");
        put(fd, "memory.max", "");
        put(fd, "cpu.stat", "usage_usec 18446744073709551614\n");
        put(fd, "cpu.max", "5\n10 0\n99999999999999999999999 1\n");
        put(fd, "pids.current", "-1\n");
        put(fd, "pids.max", "x\n");
        put(fd, "io.stat",
            "8:0 rbytes=18446744073709551615 wbytes=1x\n8:1 rbytes=2 wbytes=\nrbytes=7\n 8:2 rbytes=\n");
        cgroup_read_usage(fd, USAGE_ALL, v);
        for (UsageField f = 0; f < _USAGE_MAX; f++)
                if (f != USAGE_IO_READ_BYTES)
                        ASSERT_TRUE(v[f] == USAGE_UNKNOWN);
        end(fd);
}

TEST_MAIN
