/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of sys/resolve.c, making: mount points in roots that try to have them made elsewhere. */
#include <limits.h>
#include <sys/sysmacros.h>

#include "sandbox.h"
#include "sys/mount-api.h"
#include "sys/namespace.h"
#include "sys/resolve.h"

#define OUTSIDE "/mnt/outside"

/* An empty root beside a directory that must stay empty. */
static int make_root(void) {
        (void) mkdir(OUTSIDE, 0777); /* there from the second time on */
        (void) chmod(OUTSIDE, 0777);
        return sandbox_dir();
}

static bool outside_is_empty(void) {
        return rmdir(OUTSIDE) >= 0 && mkdir(OUTSIDE, 0777) >= 0;
}

static int stat_of(int dir_fd, const char *path, struct stat *st) {
        return fstatat(dir_fd, path, st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

TEST(directories_are_made_with_owner_and_mode) {
        static const char *const parts[] = { "run", "run/host", "run/host/os" };
        _cleanup_close_ int root = make_root();
        struct stat st;

        mode_t old = umask(077);
        _cleanup_close_ int fd = resolve_mkdir_beneath(root, "run/host/os", 1000, 2000);
        umask(old);
        ASSERT_OK(fd);
        ASSERT_TRUE(fd_is_cloexec(fd));
        for (size_t i = 0; i < ELEMENTSOF(parts); i++) {
                ASSERT_OK(stat_of(root, parts[i], &st));
                ASSERT_TRUE(S_ISDIR(st.st_mode));
                ASSERT_EQ(st.st_mode & 07777, 0755);
                ASSERT_EQ(st.st_uid, 1000);
                ASSERT_EQ(st.st_gid, 2000);
        }
        struct stat by_fd;
        ASSERT_OK(fstat(fd, &by_fd));
        ASSERT_EQ(by_fd.st_ino, st.st_ino);
        /* What is there stays as it is. */
        ASSERT_OK(fchmodat(root, "run", 0700, 0));
        _cleanup_close_ int more = resolve_mkdir_beneath(root, "run//more///", 5, 5);
        ASSERT_OK(more);
        ASSERT_OK(stat_of(root, "run", &st));
        ASSERT_EQ(st.st_mode & 07777, 0700);
        ASSERT_EQ(st.st_uid, 1000);
        ASSERT_OK(stat_of(root, "run/more", &st));
        ASSERT_EQ(st.st_uid, 5);
}

TEST(directories_are_not_made_through_anything) {
        _cleanup_close_ int root = make_root();
        char name[NAME_MAX + 2];

        ASSERT_OK(symlinkat(OUTSIDE, root, "absolute"));
        ASSERT_OK(symlinkat("../outside", root, "relative"));
        ASSERT_OK(symlinkat("gone", root, "dangling"));
        ASSERT_OK(write_file_at(root, "file", ""));
        ASSERT_OK(mkfifoat(root, "fifo", 0666));
        int before = count_fds();
        ASSERT_ERROR(resolve_mkdir_beneath(root, "absolute", 0, 0), ELOOP);
        ASSERT_ERROR(resolve_mkdir_beneath(root, "absolute/x", 0, 0), ELOOP);
        ASSERT_ERROR(resolve_mkdir_beneath(root, "relative/x/y", 0, 0), ELOOP);
        ASSERT_ERROR(resolve_mkdir_beneath(root, "dangling", 0, 0), ELOOP);
        ASSERT_ERROR(resolve_mkdir_beneath(root, "dangling/x", 0, 0), ELOOP);
        ASSERT_ERROR(resolve_mkdir_beneath(root, "file", 0, 0), ENOTDIR);
        ASSERT_ERROR(resolve_mkdir_beneath(root, "file/x", 0, 0), ENOTDIR);
        ASSERT_ERROR(resolve_mkdir_beneath(root, "fifo", 0, 0), ENOTDIR);
        ASSERT_ERROR(resolve_mkdir_beneath(root, "../outside/x", 0, 0), EXDEV);
        ASSERT_ERROR(resolve_mkdir_beneath(root, "new/../../outside/x", 0, 0), EINVAL);
        ASSERT_ERROR(resolve_mkdir_beneath(root, "", 0, 0), ENOENT);
        memset(name, 'x', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        ASSERT_ERROR(resolve_mkdir_beneath(root, name, 0, 0), ENAMETOOLONG);
        ASSERT_EQ(count_fds(), before);
        ASSERT_TRUE(outside_is_empty());
        ASSERT_TRUE(faccessat(root, "gone", F_OK, AT_SYMLINK_NOFOLLOW) < 0);
}

TEST(read_only_roots) {
        _cleanup_close_ int base = make_root();

        ASSERT_OK(mkdirat(base, "there", 0755));
        _cleanup_close_ int root = mount_clone(base, false);
        ASSERT_OK(mount_set_attributes(root, MOUNT_ATTR_RDONLY, 0, 0, false));
        _cleanup_close_ int fd = resolve_mkdir_beneath(root, "there", 0, 0);
        _cleanup_close_ int point = resolve_make_mount_point(root, "/there", S_IFDIR, 0, 0);
        ASSERT_OK(fd);
        ASSERT_OK(point);
        ASSERT_ERROR(resolve_mkdir_beneath(root, "there/not", 0, 0), EROFS);
        ASSERT_ERROR(resolve_make_mount_point(root, "there/not/yet", S_IFDIR, 0, 0), EROFS);
        ASSERT_ERROR(resolve_make_mount_point(root, "file", S_IFREG, 0, 0), EROFS);
}

TEST(mount_points_that_are_there) {
        _cleanup_close_ int root = make_root();
        struct stat a, b;

        ASSERT_OK(mkdirat(root, "dir", 0700));
        ASSERT_OK(write_file_at(root, "dir/file", "kept"));
        ASSERT_OK(fchmodat(root, "dir/file", 0600, 0));
        ASSERT_OK(mkfifoat(root, "fifo", 0600));
        ASSERT_OK(mknodat(root, "null", S_IFCHR | 0600, makedev(1, 3)));
        ASSERT_OK(symlinkat("/dir", root, "link"));
        ASSERT_OK(symlinkat("/", root, "slash"));
        alarm(10);
        _cleanup_close_ int dir = resolve_make_mount_point(root, "link", S_IFDIR, 9, 9);
        _cleanup_close_ int file =
                resolve_make_mount_point(root, "/slash/link/file", S_IFREG, 9, 9);
        _cleanup_close_ int fifo = resolve_make_mount_point(root, "fifo", S_IFREG, 9, 9);
        _cleanup_close_ int null = resolve_make_mount_point(root, "null", S_IFCHR, 9, 9);
        alarm(0);
        ASSERT_OK(dir);
        ASSERT_OK(fifo);
        ASSERT_OK(null);
        ASSERT_OK(fstat(file, &a));
        ASSERT_OK(stat_of(root, "dir/file", &b));
        ASSERT_EQ(a.st_ino, b.st_ino);
        ASSERT_EQ(b.st_mode & 07777, 0600);
        ASSERT_EQ(b.st_uid, 0);
        ASSERT_EQ(b.st_size, 4);
        ASSERT_OK(stat_of(root, "dir", &b));
        ASSERT_EQ(b.st_mode & 07777, 0700);
        ASSERT_ERROR(resolve_make_mount_point(root, "dir", S_IFREG, 0, 0), EISDIR);
        ASSERT_ERROR(resolve_make_mount_point(root, "dir/file", S_IFDIR, 0, 0), ENOTDIR);
        ASSERT_ERROR(resolve_make_mount_point(root, "dir/file/x", S_IFDIR, 0, 0), ENOTDIR);
        ASSERT_ERROR(resolve_make_mount_point(root, "null/x", S_IFREG, 0, 0), ENOTDIR);
}

TEST(mount_points_that_are_missing) {
        _cleanup_close_ int root = make_root();
        struct stat st;

        mode_t old = umask(077);
        _cleanup_close_ int dir =
                resolve_make_mount_point(root, "/srv/www//data/", S_IFDIR, 33, 44);
        _cleanup_close_ int file = resolve_make_mount_point(root, "etc/host/name", S_IFREG, 33, 44);
        _cleanup_close_ int dots = resolve_make_mount_point(root, "/a/./b/../c", S_IFDIR, 33, 44);
        umask(old);
        ASSERT_OK(dir);
        ASSERT_OK(file);
        ASSERT_OK(dots);
        ASSERT_TRUE(fd_is_cloexec(dir) && fd_is_cloexec(file));
        ASSERT_OK(stat_of(root, "srv/www/data", &st));
        ASSERT_EQ(st.st_mode, S_IFDIR | 0755);
        ASSERT_EQ(st.st_uid, 33);
        ASSERT_EQ(st.st_gid, 44);
        ASSERT_OK(stat_of(root, "etc/host", &st));
        ASSERT_EQ(st.st_mode, S_IFDIR | 0755);
        ASSERT_OK(stat_of(root, "etc/host/name", &st));
        ASSERT_EQ(st.st_mode, S_IFREG | 0644);
        ASSERT_EQ(st.st_uid, 33);
        ASSERT_EQ(st.st_size, 0);
        ASSERT_OK(stat_of(root, "a/c", &st));
        /* They serve for what they are for. */
        _cleanup_close_ int tmpfs = mount_new("tmpfs", NULL, 0, NULL),
                            clone = mount_clone(file, false);
        ASSERT_OK(mount_attach(tmpfs, dir));
        ASSERT_OK(mount_attach(clone, file));
        /* A file descriptor of ours does not keep a file system writable. */
        ASSERT_EQ(fcntl(file, F_GETFL) & O_ACCMODE, O_RDONLY);
}

TEST(dangling_links_are_filled_inside) {
        _cleanup_close_ int root = make_root();
        struct stat st;

        ASSERT_OK(mkdirat(root, "etc", 0755));
        ASSERT_OK(symlinkat("../run/systemd/resolve/stub-resolv.conf", root, "etc/resolv.conf"));
        ASSERT_OK(symlinkat(OUTSIDE "/evil", root, "absolute"));
        ASSERT_OK(symlinkat("../../../.." OUTSIDE "/climbing", root, "climb"));
        ASSERT_OK(symlinkat("etc/second", root, "first"));
        ASSERT_OK(symlinkat("third/", root, "etc/second"));

        _cleanup_close_ int a = resolve_make_mount_point(root, "/etc/resolv.conf", S_IFREG, 1, 1);
        ASSERT_OK(a);
        ASSERT_OK(stat_of(root, "run/systemd/resolve/stub-resolv.conf", &st));
        ASSERT_TRUE(S_ISREG(st.st_mode));
        _cleanup_close_ int b = resolve_make_mount_point(root, "absolute", S_IFREG, 1, 1);
        ASSERT_OK(b);
        ASSERT_OK(stat_of(root, "mnt/outside/evil", &st));
        _cleanup_close_ int c = resolve_make_mount_point(root, "climb/deep/x", S_IFDIR, 1, 1);
        ASSERT_OK(c);
        ASSERT_OK(stat_of(root, "mnt/outside/climbing/deep/x", &st));
        _cleanup_close_ int d = resolve_make_mount_point(root, "first/last", S_IFREG, 1, 1);
        ASSERT_OK(d);
        ASSERT_OK(stat_of(root, "etc/third/last", &st));
        ASSERT_TRUE(outside_is_empty());
        /* The links themselves are as they were. */
        ASSERT_OK(stat_of(root, "etc/resolv.conf", &st));
        ASSERT_TRUE(S_ISLNK(st.st_mode));
}

TEST(links_without_end) {
        _cleanup_close_ int root = make_root();
        char name[32], target[PATH_MAX];

        ASSERT_OK(symlinkat("b", root, "a"));
        ASSERT_OK(symlinkat("a", root, "b"));
        ASSERT_OK(symlinkat("grow/grow", root, "grow"));
        ASSERT_OK(symlinkat("missing/../grow2/x", root, "grow2"));
        ASSERT_ERROR(resolve_make_mount_point(root, "a", S_IFREG, 0, 0), ELOOP);
        ASSERT_ERROR(resolve_make_mount_point(root, "a/x", S_IFDIR, 0, 0), ELOOP);
        ASSERT_ERROR(resolve_make_mount_point(root, "grow", S_IFREG, 0, 0), ELOOP);
        ASSERT_ERROR(resolve_make_mount_point(root, "grow2", S_IFREG, 0, 0), ELOOP);
        /* Each link's target is missing in its middle, so that the kernel cannot follow them by itself. */
        for (int i = 0; i < 50; i++) {
                snprintf(name, sizeof(name), "link%d", i);
                snprintf(target, sizeof(target), "hole%d/../link%d", i, i + 1);
                ASSERT_OK(symlinkat(target, root, name));
        }
        int r = resolve_make_mount_point(root, "link0/x", S_IFDIR, 0, 0);
        ASSERT_ERROR(r, ELOOP);
        ASSERT_ERROR(resolve_make_mount_point(root, "no/magic/../../a", S_IFREG, 0, 0), ELOOP);
}

TEST(paths_without_end) {
        _cleanup_close_ int root = make_root();
        char target[PATH_MAX + 1], path[300];

        /* A long target and a long rest do not fit together. */
        memset(target, 'y', sizeof(target));
        for (size_t i = 0; i < sizeof(target); i += 100)
                target[i] = '/';
        target[4000] = '\0';
        ASSERT_OK(symlinkat(target, root, "long"));
        memset(path, 'z', sizeof(path));
        memcpy(path, "long/", 5);
        path[150] = '/';
        path[sizeof(path) - 1] = '\0';
        ASSERT_ERROR(resolve_make_mount_point(root, path, S_IFDIR, 0, 0), ENAMETOOLONG);
        /* What the kernel would not take at once is not taken in pieces. */
        memset(target, 'x', sizeof(target));
        target[PATH_MAX] = '\0';
        ASSERT_ERROR(resolve_make_mount_point(root, target, S_IFDIR, 0, 0), ENAMETOOLONG);
        target[NAME_MAX + 1] = '\0';
        ASSERT_ERROR(resolve_make_mount_point(root, target, S_IFREG, 0, 0), ENAMETOOLONG);
        ASSERT_ERROR(resolve_make_mount_point(root, target, S_IFDIR, 0, 0), ENAMETOOLONG);
        ASSERT_ERROR(resolve_make_mount_point(root, "", S_IFREG, 0, 0), EISDIR);
}

TEST(magic_links_are_no_mount_points) {
        _cleanup_close_ int root = make_root(), proc = mount_new("proc", NULL, 0, NULL);

        _cleanup_close_ int target = resolve_mkdir_beneath(root, "proc", 0, 0);
        ASSERT_OK(mount_attach(proc, target));
        ASSERT_ERROR(resolve_make_mount_point(root, "proc/self/root/mnt/outside/x", S_IFDIR, 0, 0),
                     ELOOP);
        ASSERT_ERROR(resolve_make_mount_point(root, "proc/self/cwd", S_IFDIR, 0, 0), ELOOP);
        ASSERT_TRUE(resolve_make_mount_point(root, "proc/nothing", S_IFDIR, 0, 0) < 0);
        ASSERT_OK(mount_detach(proc));
}

TEST(idmapped_root_with_the_ranges_identity) {
        static const IdMap map = { 0, 100000, 65536 };
        _cleanup_close_ int base = make_root(), userns = userns_new(&map, 1),
                            root = mount_clone(base, false);
        struct stat st;

        ASSERT_OK(mount_set_idmap(root, userns, false));
        ASSERT_ERROR(resolve_mkdir_beneath(root, "dev", 100000, 100000),
                     EOVERFLOW); /* the host's root is nobody there */
        ASSERT_OK(setresgid(-1, 100000, -1));
        ASSERT_OK(setresuid(-1, 100000, -1));
        int dir = resolve_mkdir_beneath(root, "dev/pts", 100000, 100000);
        int file = resolve_make_mount_point(root, "/etc/hostname", S_IFREG, 100000, 100000);
        ASSERT_OK(setresuid(-1, 0, -1));
        ASSERT_OK(setresgid(-1, 0, -1));
        ASSERT_OK(dir);
        ASSERT_OK(file);
        fd_close(dir);
        fd_close(file);
        ASSERT_OK(stat_of(base, "dev/pts", &st));
        ASSERT_EQ(st.st_uid, 0);
        ASSERT_OK(stat_of(base, "etc/hostname", &st));
        ASSERT_EQ(st.st_uid, 0);
        ASSERT_OK(stat_of(root, "etc/hostname", &st));
        ASSERT_EQ(st.st_uid, 100000);
}

/* Puts a link to the outside in the place of what is being made, again and again. */
static void exchange_forever(int root) {
        alarm(30);
        for (;;) {
                (void) !symlinkat(OUTSIDE, root, "a");
                unlinkat(root, "a", 0);
                unlinkat(root, "a/b/c", 0);
                unlinkat(root, "a/b/c", AT_REMOVEDIR);
                unlinkat(root, "a/b", AT_REMOVEDIR);
                unlinkat(root, "a", AT_REMOVEDIR);
        }
}

TEST(exchange_meanwhile) {
        _cleanup_close_ int root = make_root();
        int made = 0;

        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0)
                exchange_forever(root);
        for (int i = 0; i < 10000; i++) {
                _cleanup_close_ int a = resolve_mkdir_beneath(root, "a/b", 1, 1);
                _cleanup_close_ int b =
                        resolve_make_mount_point(root, "a/b/c", i % 2 ? S_IFREG : S_IFDIR, 1, 1);
                made += a >= 0 && b >= 0;
        }
        child_end(pid);
        ASSERT_TRUE(outside_is_empty());
        ASSERT_TRUE(made > 0);
}

SANDBOX_MAIN
