/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of sys/tty.c: ptys of devpts instances of our own, some of them prepared to mislead. */
#include "sys/tty.h"

#include <sys/ioctl.h>

#include "sandbox.h"
#include "sys/mount-api.h"

static int devpts_new(const char *max) {
        const MountOption options[] = {
                { "ptmxmode", "0666" }, { "mode", "0620" }, { "max", max }, { NULL, NULL }
        };

        return mount_new("devpts", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, NULL);
}

TEST(pty_of_its_own_instance) {
        _cleanup_close_ int devpts = devpts_new("16"), other = devpts_new("16");
        _cleanup_close_ int m0 = -EBADF, s0 = -EBADF, m1 = -EBADF, s1 = -EBADF, m2 = -EBADF,
                            s2 = -EBADF;
        char name[16], buf[16] = { 0 };
        struct stat slave, inside;

        ASSERT_OK(devpts);
        ASSERT_OK(tty_open_pty(devpts, &m0, &s0, name));
        ASSERT_STREQ(name, "pts/0");
        ASSERT_OK(tty_open_pty(devpts, &m1, &s1, name));
        ASSERT_STREQ(name, "pts/1");
        ASSERT_OK(tty_open_pty(other, &m2, &s2, name));
        ASSERT_STREQ(name, "pts/0"); /* numbers are the instance's */
        ASSERT_TRUE(fd_is_cloexec(m0) && fd_is_cloexec(s0));
        ASSERT_OK(fstat(s0, &slave));
        ASSERT_OK(fstatat(devpts, "0", &inside, 0));
        ASSERT_EQ(slave.st_dev, inside.st_dev);
        ASSERT_EQ(slave.st_ino, inside.st_ino);
        ASSERT_EQ(slave.st_mode & 0777, 0620);
        ASSERT_OK(fd_write_full(s0, "hi", 2));
        ASSERT_EQ(read(m0, buf, sizeof(buf)), 2);
        ASSERT_STREQ(buf, "hi");
        ASSERT_EQ(tcgetsid(s0), -1); /* nobody's controlling terminal */
}

/* What is typed cannot be read by who may only set the size. */
TEST(peer_that_cannot_read) {
        _cleanup_close_ int devpts = devpts_new("16"), m = -EBADF, s = -EBADF;
        unsigned rows = 0, columns = 0;
        char name[16], buf[16];
        ASSERT_OK(tty_open_pty(devpts, &m, &s, name));
        _cleanup_close_ int peer = tty_open_peer(m, O_WRONLY);
        ASSERT_OK(peer);
        ASSERT_TRUE(fd_is_cloexec(peer));
        ASSERT_OK(fd_write_full(m, "secret\n", 7));
        ASSERT_EQ(read(peer, buf, sizeof(buf)), -1);
        ASSERT_EQ(errno, EBADF);
        ASSERT_OK(tty_set_size(peer, 12, 34));
        ASSERT_OK(tty_get_size(s, &rows, &columns));
        ASSERT_EQ(rows, 12U);
        ASSERT_EQ(columns, 34U);
        ASSERT_ERROR(tty_open_peer(s, O_WRONLY), EIO); /* only masters have one */
}

TEST(attached_instance_works_the_same) {
        _cleanup_close_ int devpts = devpts_new("16"), dir = sandbox_dir(), m = -EBADF, s = -EBADF;
        char name[16];

        ASSERT_OK(mount_attach(devpts, dir));
        ASSERT_OK(tty_open_pty(devpts, &m, &s, name));
        ASSERT_OK(faccessat(devpts, "0", F_OK, 0));
        ASSERT_OK(mount_detach(devpts));
}

TEST(instance_is_full) {
        _cleanup_close_ int devpts = devpts_new("1"), m = -EBADF, s = -EBADF, m2 = -EBADF,
                            s2 = -EBADF;
        char name[16] = "untouched";

        ASSERT_OK(tty_open_pty(devpts, &m, &s, name));
        int before = count_fds();
        strcpy(name, "untouched");
        ASSERT_ERROR(tty_open_pty(devpts, &m2, &s2, name), ENOSPC);
        ASSERT_STREQ(name, "untouched");
        ASSERT_EQ(m2, -EBADF);
        ASSERT_EQ(count_fds(), before);
}

TEST(misleading_directories) {
        _cleanup_close_ int dir = sandbox_dir();
        int m = -EBADF, s = -EBADF;
        char name[16];

        ASSERT_ERROR(tty_open_pty(dir, &m, &s, name), ENOENT);
        ASSERT_OK(symlinkat("/dev/pts/ptmx", dir, "ptmx"));
        ASSERT_ERROR(tty_open_pty(dir, &m, &s, name), ELOOP);
        ASSERT_OK(unlinkat(dir, "ptmx", 0));
        ASSERT_OK(write_file_at(dir, "ptmx", "no terminal"));
        ASSERT_ERROR(tty_open_pty(dir, &m, &s, name), ENOTTY);
        ASSERT_OK(unlinkat(dir, "ptmx", 0));
        ASSERT_OK(mkdirat(dir, "ptmx", 0755));
        ASSERT_ERROR(tty_open_pty(dir, &m, &s, name), EISDIR);
        ASSERT_ERROR(tty_open_pty(-EBADF, &m, &s, name), EBADF);
        ASSERT_EQ(m, -EBADF);
        ASSERT_EQ(s, -EBADF);
}

TEST(raw_and_back) {
        _cleanup_close_ int devpts = devpts_new("16"), m = -EBADF, s = -EBADF;
        struct termios before, raw, after, saved;
        char name[16], buf[8] = { 0 };

        ASSERT_OK(tty_open_pty(devpts, &m, &s, name));
        ASSERT_OK(tcgetattr(s, &before));
        ASSERT_TRUE(before.c_lflag & ICANON);
        ASSERT_OK(tty_set_raw(s, &saved));
        ASSERT_OK(tcgetattr(s, &raw));
        ASSERT_FALSE(raw.c_lflag & (ICANON | ECHO | ISIG));
        ASSERT_FALSE(raw.c_oflag & OPOST);
        ASSERT_OK(fd_write_full(m, "\003", 1)); /* ^C is a byte now */
        ASSERT_EQ(read(s, buf, sizeof(buf)), 1);
        ASSERT_EQ(buf[0], 3);
        ASSERT_OK(tty_restore(s, &saved));
        ASSERT_OK(tcgetattr(s, &after));
        ASSERT_EQ(after.c_lflag, before.c_lflag);
        ASSERT_EQ(after.c_iflag, before.c_iflag);
        ASSERT_EQ(after.c_oflag, before.c_oflag);
        ASSERT_OK(tty_set_raw(s, NULL));
        _cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        ASSERT_ERROR(tty_set_raw(null, &saved), ENOTTY);
        ASSERT_ERROR(tty_restore(null, &saved), ENOTTY);
}

TEST(window_size) {
        _cleanup_close_ int devpts = devpts_new("16"), m = -EBADF, s = -EBADF;
        unsigned rows = 1, columns = 1;
        char name[16];

        ASSERT_OK(tty_open_pty(devpts, &m, &s, name));
        ASSERT_OK(tty_set_size(m, 24, 80));
        ASSERT_OK(tty_get_size(s, &rows, &columns));
        ASSERT_EQ(rows, 24);
        ASSERT_EQ(columns, 80);
        ASSERT_OK(tty_set_size(m, 70000, UINT32_MAX)); /* not 4464 */
        ASSERT_OK(tty_get_size(s, &rows, &columns));
        ASSERT_EQ(rows, UINT16_MAX);
        ASSERT_EQ(columns, UINT16_MAX);
        _cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        ASSERT_ERROR(tty_get_size(null, &rows, &columns), ENOTTY);
        ASSERT_ERROR(tty_set_size(null, 1, 1), ENOTTY);
}

SANDBOX_MAIN
