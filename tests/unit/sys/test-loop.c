/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loop devices: a part of a file, which goes when it is closed. */
#include "sys/loop.h"

#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"

#include "test.h"

#define SIZE (64 << 10)

static int make_file(void) {
        char path[] = "/var/tmp/test-loop.XXXXXX";
        static char block[SIZE];
        int fd = mkostemp(path, O_CLOEXEC);
        ASSERT_OK(fd);
        ASSERT_OK(unlink(path));
        for (size_t i = 0; i < sizeof(block); i++)
                block[i] = (char) ('a' + i / 4096);
        ASSERT_OK(fd_write_full(fd, block, sizeof(block)));
        return fd;
}

static void make(int fd, bool read_only, LoopDevice *l) {
        int r = loop_device_make(fd, 4096, 8192, 512, read_only, l);
        if (IN_SET(r, -ENOENT, -ENODEV, -EPERM, -EACCES))
                TEST_SKIP("no loop devices here");
        ASSERT_OK(r);
}

TEST(a_part_of_a_file) {
        _cleanup_(loop_device_done) LoopDevice l = LOOP_DEVICE_NULL;
        _cleanup_close_ int fd = make_file();
        struct loop_info64 info;
        char c = 0;

        make(fd, /* read_only= */ false, &l);
        ASSERT_EQ(lseek(l.fd, 0, SEEK_END), 8192);
        ASSERT_EQ(pread(l.fd, &c, 1, 0), 1);
        ASSERT_EQ(c, 'b');
        ASSERT_EQ(pread(l.fd, &c, 1, 8191), 1);
        ASSERT_EQ(c, 'c');
        ASSERT_OK(ioctl(l.fd, LOOP_GET_STATUS64, &info));
        ASSERT_TRUE(info.lo_flags & LO_FLAGS_AUTOCLEAR);
        ASSERT_FALSE(info.lo_flags & LO_FLAGS_PARTSCAN);
        ASSERT_EQ(strncmp(l.path, "/dev/loop", 9), 0);
}

TEST(read_only) {
        _cleanup_(loop_device_done) LoopDevice l = LOOP_DEVICE_NULL;
        _cleanup_close_ int fd = make_file();
        struct loop_info64 info;

        make(fd, /* read_only= */ true, &l);
        ASSERT_OK(ioctl(l.fd, LOOP_GET_STATUS64, &info));
        ASSERT_TRUE(info.lo_flags & LO_FLAGS_READ_ONLY);
        ASSERT_TRUE(write(l.fd, "x", 1) < 0);
}

TEST(two_of_one_file) {
        _cleanup_(loop_device_done) LoopDevice a = LOOP_DEVICE_NULL, b = LOOP_DEVICE_NULL;
        _cleanup_close_ int fd = make_file();

        make(fd, /* read_only= */ true, &a);
        make(fd, /* read_only= */ true, &b);
        ASSERT_NE(strcmp(a.path, b.path), 0);
}

TEST(nothing_to_make_one_of) {
        LoopDevice l = LOOP_DEVICE_NULL;
        ASSERT_TRUE(loop_device_make(-EBADF, 0, 4096, 512, true, &l) < 0);
        ASSERT_EQ(l.fd, -EBADF);
}

TEST_MAIN
