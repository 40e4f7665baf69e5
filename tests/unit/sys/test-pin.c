/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is looked at before it is opened. */
#include "sys/pin.h"

#include <stdio.h>

#include "sandbox.h"

/* A device that nobody has: to open it is an error. */
static int make_device(int dir_fd, const char *name) {
        return mknodat(dir_fd, name, S_IFBLK | 0600, 0);
}

TEST(what_is_pinned_is_opened) {
        _cleanup_close_ int d = sandbox_dir();
        char text[8] = "";
        ASSERT_OK(write_file_at(d, "f", "mine"));
        ASSERT_OK(make_device(d, "device"));
        _cleanup_close_ int pin = pin_entry(d, "f");
        ASSERT_OK(pin);
        ASSERT_TRUE(fd_is_cloexec(pin));
        ASSERT_EQ(renameat2(d, "f", d, "device", RENAME_EXCHANGE), 0);
        ASSERT_EQ(unlinkat(d, "device", 0), 0);
        _cleanup_close_ int fd = pin_open(pin, O_NOATIME);
        ASSERT_OK(fd);
        ASSERT_TRUE(fd_is_cloexec(fd));
        ASSERT_EQ(read(fd, text, sizeof(text)), 4);
        ASSERT_STREQ(text, "mine");
}

TEST(directories) {
        _cleanup_close_ int d = sandbox_dir();
        ASSERT_OK(mkdirat(d, "sub", 0700));
        ASSERT_OK(write_file_at(d, "sub/f", "x"));
        _cleanup_close_ int pin = pin_entry(d, "sub");
        ASSERT_EQ(renameat(d, "sub", d, "moved"), 0);
        ASSERT_EQ(symlinkat("/", d, "sub"), 0);
        _cleanup_close_ int fd = pin_open(pin, O_DIRECTORY);
        ASSERT_OK(fd);
        ASSERT_EQ(faccessat(fd, "f", F_OK, 0), 0);
        _cleanup_close_ int file = pin_entry(fd, "f");
        ASSERT_OK(file);
        ASSERT_ERROR(pin_open(file, O_DIRECTORY), ENOTDIR);
}

TEST(links_fifos_and_devices_are_pinned_themselves) {
        static const mode_t types[] = { S_IFLNK, S_IFIFO, S_IFBLK };
        static const char *const names[] = { "link", "fifo", "device" };
        _cleanup_close_ int d = sandbox_dir();
        struct stat st;
        ASSERT_EQ(symlinkat("/etc/passwd", d, "link"), 0);
        ASSERT_EQ(mkfifoat(d, "fifo", 0600), 0);
        ASSERT_OK(make_device(d, "device"));
        for (size_t k = 0; k < ELEMENTSOF(types); k++) {
                _cleanup_close_ int pin = pin_entry(d, names[k]);
                ASSERT_OK(pin);
                ASSERT_EQ(fstat(pin, &st), 0);
                ASSERT_EQ(st.st_mode & S_IFMT, types[k]);
        }
}

TEST(no_way_out) {
        _cleanup_close_ int d = sandbox_dir();
        ASSERT_OK(mkdirat(d, "mounted", 0700));
        ASSERT_EQ(symlinkat("mounted", d, "link"), 0);
        ASSERT_OK(write_file_at(d, "mounted/f", "x"));
        ASSERT_ERROR(pin_entry(d, "none"), ENOENT);
        ASSERT_ERROR(pin_entry(d, ".."), EXDEV);
        ASSERT_ERROR(pin_entry(d, "link/f"), ELOOP);
        ASSERT_EQ(fchdir(d), 0);
        ASSERT_EQ(mount("none", "mounted", "tmpfs", 0, NULL), 0);
        ASSERT_ERROR(pin_entry(d, "mounted"), EXDEV);
        ASSERT_EQ(umount("mounted"), 0);
        ASSERT_EQ(chdir("/"), 0);
}

SANDBOX_MAIN
