/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of rootfs/api-mounts.c: what is in /dev and /run, and roots that try to steer it elsewhere. */
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/un.h>

#include "fake-root.h"
#include "sys/tty.h"

static mode_t mode_of(const Rootfs *r, const char *path, struct stat *st) {
        if (fstatat(r->root_fd, path, st, AT_SYMLINK_NOFOLLOW) < 0)
                return 0;
        return st->st_mode;
}

static void check_tree(const Rootfs *r, uid_t owner) {
        // clang-format off
        static const struct { const char *path; mode_t mode; unsigned major, minor; } nodes[] = {
                { "dev",         S_IFDIR | 0755, 0, 0 }, { "dev/null",   S_IFCHR | 0666, 1, 3 }, { "dev/zero",    S_IFCHR | 0666, 1, 5 },
                { "dev/full",    S_IFCHR | 0666, 1, 7 }, { "dev/random", S_IFCHR | 0666, 1, 8 }, { "dev/urandom", S_IFCHR | 0666, 1, 9 },
                { "dev/tty",     S_IFCHR | 0666, 5, 0 }, { "dev/console", S_IFREG | 0600, 0, 0 },
                { "dev/pts",     S_IFDIR | 0755, 0, 0 }, { "dev/shm",    S_IFDIR | 01777, 0, 0 }, { "dev/mqueue", S_IFDIR | 0755, 0, 0 },
                { "run",         S_IFDIR | 0755, 0, 0 }, { "run/host", S_IFDIR | 0755, 0, 0 },
                { "run/host/container-manager", S_IFREG | 0644, 0, 0 }, { "run/host/container-uuid", S_IFREG | 0644, 0, 0 },
                { "run/host/os-release", S_IFREG | 0644, 0, 0 }, { "run/host/incoming", S_IFDIR | 0755, 0, 0 },
                { "run/host/unix-export", S_IFDIR | 0755, 0, 0 }, { "run/host/proc-kmsg", S_IFIFO | 0600, 0, 0 },
                { "run/host/inaccessible/reg", S_IFREG, 0, 0 }, { "run/host/inaccessible/dir", S_IFDIR, 0, 0 },
                { "run/host/inaccessible/fifo", S_IFIFO, 0, 0 }, { "run/host/inaccessible/sock", S_IFSOCK, 0, 0 },
                { "run/host/inaccessible/chr", S_IFCHR, 0, 0 }, { "run/host/inaccessible/blk", S_IFBLK, 0, 0 },
        };
        static const char *const links[][2] = {
                { "dev/fd", "/proc/self/fd" }, { "dev/stdin", "/proc/self/fd/0" }, { "dev/stdout", "/proc/self/fd/1" },
                { "dev/stderr", "/proc/self/fd/2" }, { "dev/ptmx", "pts/ptmx" },
        };
        // clang-format on
        struct stat st;

        for (size_t i = 0; i < ELEMENTSOF(nodes); i++) {
                const mode_t mode = mode_of(r, nodes[i].path, &st);
                if (mode != nodes[i].mode || st.st_uid != owner || st.st_gid != owner)
                        TEST_FAIL("%s: mode %o owner %u:%u", nodes[i].path, mode, st.st_uid,
                                  st.st_gid);
                if (S_ISCHR(mode))
                        ASSERT_EQ(st.st_rdev, makedev(nodes[i].major, nodes[i].minor));
        }
        for (size_t i = 0; i < ELEMENTSOF(links); i++) {
                char target[64] = { 0 };
                ASSERT_OK(readlinkat(r->root_fd, links[i][0], target, sizeof(target) - 1));
                ASSERT_STREQ(target, links[i][1]);
        }
        ASSERT_TRUE(faccessat(r->root_fd, "dev/tty1", F_OK, 0) < 0);
        ASSERT_TRUE(faccessat(r->root_fd, "dev/kmsg", F_OK, 0) < 0);
        _cleanup_close_ int null = openat(r->root_fd, "dev/null", O_RDWR | O_CLOEXEC);
        ASSERT_OK(null); /* a device that works */
}

TEST(what_is_there) {
        _cleanup_free_ char *root = fake_root();
        _cleanup_spec_ ContainerSpec *s = fake_spec(root);
        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        char uuid[ID128_UUID_MAX];
        struct statvfs v;
        struct statfs f;

        ASSERT_OK(prepare(s, &r, &e));
        check_tree(&r, 0);
        _cleanup_free_ char *manager = read_at(r.root_fd, "run/host/container-manager"),
                            *id = read_at(r.root_fd, "run/host/container-uuid"),
                            *release = read_at(r.root_fd, "run/host/os-release"),
                            *expected = strf("%s\n", id128_to_uuid(r.machine_id, uuid));
        ASSERT_STREQ(manager, "berth\n");
        ASSERT_STREQ(id, expected);
        ASSERT_STREQ(release, r.host_os_release_text);
        /* /sys: the host's network, read-only */
        _cleanup_close_ int sys = openat(r.root_fd, "sys", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ASSERT_OK(fstatfs(sys, &f));
        ASSERT_EQ(f.f_type, 0x62656572);
        ASSERT_OK(fstatvfs(sys, &v));
        ASSERT_EQ(v.f_flag & (ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC),
                  ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC);
        /* sealed, but for what the payload exports */
        ASSERT_ERROR(mkdirat(r.root_fd, "run/host/x", 0755) < 0 ? -errno : 0, EROFS);
        ASSERT_OK(mkdirat(r.root_fd, "run/host/unix-export/x", 0755));
        ASSERT_OK(mkdirat(r.root_fd, "run/x", 0755));
        /* limits */
        _cleanup_close_ int dev = openat(r.root_fd, "dev", O_RDONLY | O_CLOEXEC);
        ASSERT_OK(fstatvfs(dev, &v));
        ASSERT_EQ(v.f_files, 4096);
        ASSERT_EQ(v.f_blocks * v.f_frsize, 4 << 20);
}

TEST(private_network_leaves_sys_to_the_child) {
        _cleanup_free_ char *root = fake_root();
        _cleanup_spec_ ContainerSpec *s = fake_spec(root);
        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;
        struct statfs f;

        s->network.private_ = true;
        ASSERT_OK(rmdir(in_root(root, "sys")));
        ASSERT_OK(rmdir(in_root(root, "proc")));
        ASSERT_OK(prepare(s, &r, NULL));
        _cleanup_close_ int sys = openat(r.root_fd, "sys", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ASSERT_OK(fstatfs(sys, &f));
        ASSERT_NE(f.f_type, 0x62656572);
        ASSERT_OK(faccessat(r.root_fd, "proc", F_OK, 0));
}

TEST(tmp_of_a_container_with_mounts) {
        _cleanup_free_ char *root = fake_root();
        _cleanup_spec_ ContainerSpec *s = fake_spec(root);
        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;
        struct statvfs v;
        struct stat st;

        ASSERT_NOT_NULL(s->mounts = calloc(1, sizeof(*s->mounts)));
        s->mounts[s->n_mounts++] = (SpecMount){ .kind = MOUNT_TMPFS, .target = strdup("/tmp/x") };
        ASSERT_OK(prepare(s, &r, NULL));
        ASSERT_EQ(mode_of(&r, "tmp", &st), S_IFDIR | 01777);
        ASSERT_EQ(mode_of(&r, "tmp/x", &st), S_IFDIR | 0755);
        _cleanup_close_ int tmp = openat(r.root_fd, "tmp", O_RDONLY | O_CLOEXEC);
        ASSERT_OK(fstatvfs(tmp, &v));
        ASSERT_EQ(v.f_flag & (ST_NOSUID | ST_NODEV | ST_NOEXEC), ST_NOSUID | ST_NODEV);
        ASSERT_EQ(v.f_files, 1 << 20);
        ASSERT_TRUE(rmdir(in_root(root, "tmp/x")) < 0); /* nothing of it is on disk */
        ASSERT_OK(umount2(root, MNT_DETACH));
        ASSERT_TRUE(access(in_root(root, "tmp/x"), F_OK) < 0);
}

TEST(with_shifted_ids) {
        for (int i = 0; i < 2; i++) {
                _cleanup_free_ char *root = fake_root();
                _cleanup_spec_ ContainerSpec *s = fake_spec(root);
                _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;
                _cleanup_error_ Error e = ERROR_NULL;
                struct stat st;
                s->users.mode = USERNS_RANGE;
                s->users.base = RANGE;
                s->users.ownership = i == 0 ? OWNERSHIP_MAP : OWNERSHIP_OFF;
                ASSERT_OK(rmdir(in_root(root, "tmp"))); /* is made: as the container's root */
                ASSERT_OK(rmdir(in_root(root, "dev")));
                ASSERT_OK(chmod(root, 0555));
                int k = prepare(s, &r, &e);
                if (k == -EINVAL && e.id == ERROR_UNSUPPORTED)
                        TEST_SKIP("this kernel cannot idmap tmpfs");
                ASSERT_OK(k);
                check_tree(&r, RANGE);
                ASSERT_EQ(mode_of(&r, "dev/pts/ptmx", &st) & 07777, 0666);
                ASSERT_EQ(st.st_uid, RANGE);
                _cleanup_close_ int plain = open("/", O_PATH | O_CLOEXEC);
                ASSERT_OK(fstatat(r.root_fd, "tmp", &st, 0)); /* on disk: the child mounts there */
                ASSERT_EQ(st.st_uid, RANGE);
                ASSERT_EQ(st.st_mode & 07777, 01777);
                /* on disk it is the root's root if the mount maps */
                ASSERT_OK(umount2(root, MNT_DETACH));
                ASSERT_OK(stat(in_root(root, "tmp"), &st));
                ASSERT_EQ(st.st_uid, i == 0 ? 0 : RANGE);
        }
}

TEST(console) {
        static const UsernsMode modes[] = { USERNS_NO, USERNS_RANGE };
        for (size_t i = 0; i < ELEMENTSOF(modes); i++) {
                _cleanup_free_ char *root = fake_root();
                _cleanup_spec_ ContainerSpec *s = fake_spec(root);
                _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;
                _cleanup_close_ int master = -EBADF, slave = -EBADF;
                const uid_t owner = modes[i] == USERNS_NO ? 0 : RANGE;
                char name[16];
                struct stat a, b;
                s->users.mode = modes[i];
                s->users.base = RANGE;
                s->users.ownership = OWNERSHIP_OFF;
                ASSERT_OK(prepare(s, &r, NULL));
                ASSERT_OK(tty_open_pty(r.devpts_fd, &master, &slave, name));
                ASSERT_STREQ(name, "pts/0"); /* of its own instance */
                ASSERT_OK(api_mounts_console(&r, slave, NULL));
                ASSERT_OK(fstat(slave, &a));
                ASSERT_OK(fstatat(r.root_fd, "dev/console", &b, AT_SYMLINK_NOFOLLOW));
                ASSERT_EQ(a.st_dev, b.st_dev);
                ASSERT_EQ(a.st_ino, b.st_ino);
                ASSERT_EQ(b.st_uid, owner);
                ASSERT_EQ(b.st_gid, owner + 5);
                ASSERT_EQ(b.st_mode, S_IFCHR | 0620);
                _cleanup_close_ int again =
                        openat(r.root_fd, "dev/console", O_WRONLY | O_NOCTTY | O_CLOEXEC);
                ASSERT_OK(again);
                ASSERT_EQ(write(again, "x", 1), 1);
                char c;
                ASSERT_EQ(read(master, &c, 1), 1);
                ASSERT_EQ(c, 'x');
        }
}

TEST(kmsg_neither_ends_nor_blocks_open) {
        _cleanup_free_ char *root = fake_root();
        _cleanup_spec_ ContainerSpec *s = fake_spec(root);
        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;
        char c;

        ASSERT_OK(prepare(s, &r, NULL));
        alarm(5);
        _cleanup_close_ int fd = openat(r.root_fd, "run/host/proc-kmsg", O_RDONLY | O_CLOEXEC);
        alarm(0);
        ASSERT_OK(fd);
        ASSERT_OK(fd_nonblock(fd, true));
        ASSERT_ERROR(read(fd, &c, 1) < 0 ? -errno : 0, EAGAIN);
}

/* One hostile object instead of a mount point. */
enum {
        LINK_ABSOLUTE,
        LINK_RELATIVE,
        LINK_LOOP,
        LINK_PROC,
        A_FIFO,
        A_FILE,
        A_DEVICE,
        A_SOCKET,
        _KINDS
};

static int plant(const char *path, int kind) {
        switch (kind) {
        case LINK_ABSOLUTE:
                return symlink("/mnt/victim", path);
        case LINK_RELATIVE:
                return symlink("../victim", path);
        case LINK_LOOP:
                return symlink(strrchr(path, '/') + 1, path);
        case LINK_PROC:
                return symlink("/proc/self/root/mnt/victim", path);
        case A_FIFO:
                return mkfifo(path, 0644);
        case A_FILE:
                return write_file_at(AT_FDCWD, path, "x");
        case A_DEVICE:
                return mknod(path, S_IFCHR | 0666, makedev(1, 3));
        default:
                return mknod(path, S_IFSOCK | 0666, 0);
        }
}

TEST(hostile_mount_points) {
        static const char *const points[] = { "dev", "run", "tmp", "sys", "proc" };
        static const char *const below[] = { "pts", "shm", "host", "net" };

        ASSERT_OK(mkdir("/mnt/victim", 0755));
        for (size_t b = 0; b < ELEMENTSOF(below); b++)
                ASSERT_OK(mkdir(in_root("/mnt/victim", below[b]), 0755));
        for (size_t p = 0; p < ELEMENTSOF(points); p++)
                for (int kind = 0; kind < _KINDS; kind++) {
                        _cleanup_free_ char *root = fake_root(), *words = NULL;
                        _cleanup_spec_ ContainerSpec *s = fake_spec(root);
                        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;
                        _cleanup_error_ Error e = ERROR_NULL;
                        struct stat st;
                        ASSERT_OK(rmdir(in_root(root, points[p])));
                        ASSERT_OK(plant(in_root(root, points[p]), kind));
                        s->network.private_ = p % 2;
                        int k = prepare(s, &r, &e);
                        ASSERT_ERROR(k, kind <= LINK_PROC ? ELOOP : ENOTDIR);
                        ASSERT_EQ(e.id, ERROR_NOT_A_ROOT);
                        words = strf("/%s is %s in the root", points[p],
                                     kind <= LINK_PROC ? "a symbolic link" : "not a directory");
                        ASSERT_STREQ(e.message, words);
                        ASSERT_NOT_NULL(e.hint);
                        /* nothing was mounted or made at what it leads to */
                        ASSERT_OK(stat("/mnt/victim", &st));
                        const dev_t device = st.st_dev;
                        for (size_t b = 0; b < ELEMENTSOF(below); b++) {
                                ASSERT_OK(stat(in_root("/mnt/victim", below[b]), &st));
                                ASSERT_EQ(st.st_dev, device);
                        }
                        ASSERT_TRUE(access("/mnt/victim/null", F_OK) < 0);
                }
}

TEST(hostile_things_below_are_covered) {
        _cleanup_free_ char *root = fake_root();
        _cleanup_spec_ ContainerSpec *s = fake_spec(root);
        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;

        for (int i = 0; i < 4; i++) {
                static const char *const names[] = { "dev/pts", "dev/console", "dev/null",
                                                     "run/host" };
                ASSERT_OK(symlink("/mnt/victim", in_root(root, names[i])));
        }
        ASSERT_OK(prepare(s, &r, NULL));
        check_tree(&r, 0);
}

TEST(missing_in_a_read_only_root) {
        _cleanup_free_ char *root = fake_root();
        _cleanup_spec_ ContainerSpec *s = fake_spec(root);
        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_OK(rmdir(in_root(root, "dev")));
        s->root.read_only = true;
        ASSERT_ERROR(prepare(s, &r, &e), EROFS);
        ASSERT_STREQ(e.message, "/dev is missing in the read-only root");
        rootfs_done(&r);
        ASSERT_OK(umount2(root, MNT_DETACH));
        ASSERT_OK(mkdir(in_root(root, "dev"), 0));
        ASSERT_OK(prepare(s, &r, NULL));
        check_tree(&r, 0);
}

/* A whole start in a mount namespace of its own. */
static int start_elsewhere(void *root) {
        _cleanup_spec_ ContainerSpec *s = fake_spec(root);
        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;

        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
                return 2;
        const int before = count_fds();
        if (prepare(s, &r, NULL) < 0)
                return 3;
        rootfs_done(&r);
        return count_fds() == before ? 0 : 4;
}

TEST(nothing_stays) {
        _cleanup_free_ char *root = fake_root();
        ASSERT_OK(mount(NULL, "/mnt", NULL, MS_SHARED, NULL));
        _cleanup_free_ char *before = mount_table();
        ASSERT_EQ(in_child(start_elsewhere, root), 0);
        _cleanup_free_ char *after = mount_table();
        ASSERT_STREQ(after, before);
        ASSERT_OK(mount(NULL, "/mnt", NULL, MS_PRIVATE, NULL));
}

FAKE_ROOT_MAIN
