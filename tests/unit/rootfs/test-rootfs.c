/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of rootfs/rootfs.c: which directories are roots, and what the mount of one is. */
#include "rootfs/rootfs.h"

#include <sys/statvfs.h>

#include "basic/strv.h"
#include "fake-root.h"
#include "sys/mount-api.h"

static int attach(ContainerSpec *s, Rootfs *r, Error *e) {
        int k = rootfs_open(s, r, e);

        if (k >= 0)
                k = rootfs_choose_ids(s, r, e);
        return k >= 0 ? rootfs_attach(s, r, e) : k;
}

/* All that finds out whether it is a root; its mount goes again. */
static int look(ContainerSpec *s, Rootfs *r, Error *e) {
        int k = attach(s, r, e);

        if (k < 0)
                return k;
        k = rootfs_inspect(s, r, e);
        ASSERT_OK(mount_detach(r->root_fd));
        return k;
}

/* The message is in *e. */
static int try_open(ContainerSpec *s, Error *e) {
        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;

        return look(s, &r, e);
}

/* Refused with this errno, id and sentence. */
#define ASSERT_REFUSED(s, code, error_id, words)                                       \
        do {                                                                           \
                _cleanup_error_ Error _e = ERROR_NULL;                                 \
                ASSERT_ERROR(try_open((s), &_e), (code));                              \
                ASSERT_CONTAINS(_e.message, (words));                                  \
                ASSERT_STREQ(error_id_to_string(_e.id), error_id_to_string(error_id)); \
        } while (0)

TEST(opens) {
        _cleanup_free_ char *root = fake_root();
        _cleanup_spec_ ContainerSpec *s = fake_spec(root);
        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_OK(free_and_strdup(&s->payload.user, "bob"));
        ASSERT_OK(look(s, &r, &e));
        ASSERT_EQ(r.user.uid, 1000);
        ASSERT_FALSE(id128_is_null(r.machine_id));
        ASSERT_NULL(r.init);
        ASSERT_NOT_NULL(strv_env_get(r.host_os_release, "ID"));
}

TEST(the_login_shell) {
        _cleanup_free_ char *root = fake_root();
        _cleanup_spec_ ContainerSpec *s = fake_spec(root);
        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;

        ASSERT_OK(look(s, &r, NULL));
        ASSERT_STREQ(r.user.shell, "/bin/bash");
}

TEST(machine_ids) {
        _cleanup_free_ char *root = fake_root();
        _cleanup_spec_ ContainerSpec *s = fake_spec(root);
        static const struct {
                const char *text;
                bool taken;
        } cases[] = {
                { "0123456789abcdef0123456789abcdef\n", true },
                { "uninitialized\n", false },
                { "", false },
                { "0123456789abcdef", false },
                { "00000000000000000000000000000000\n", false },
        };
        char buf[ID128_STRING_MAX];

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;
                ASSERT_OK(put(root, "etc/machine-id", cases[i].text));
                ASSERT_OK(look(s, &r, NULL));
                ASSERT_FALSE(id128_is_null(r.machine_id));
                ASSERT_EQ(streq(id128_to_string(r.machine_id, buf),
                                "0123456789abcdef0123456789abcdef"),
                          cases[i].taken);
        }
        ASSERT_OK(put(root, "etc/machine-id", cases[0].text));
        ASSERT_OK(id128_parse("ffffffffffffffffffffffffffffffff", &s->id));
        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;
        ASSERT_OK(look(s, &r, NULL));
        ASSERT_STREQ(id128_to_string(r.machine_id, buf), "ffffffffffffffffffffffffffffffff");
}

static char *machine_id_of(const char *name, const char *root) {
        _cleanup_spec_ ContainerSpec *s = fake_spec(root);
        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;
        char buf[ID128_STRING_MAX];

        ASSERT_OK(free_and_strdup(&s->name, name));
        ASSERT_OK(look(s, &r, NULL));
        return strdup(id128_to_string(r.machine_id, buf));
}

/* The same at each start, another one for another container, and on another host. */
TEST(machine_id_of_a_root_without_one) {
        _cleanup_free_ char *root = fake_root(), *other_root = fake_root();

        ASSERT_OK(mkdir("/mnt/etc", 0755));
        ASSERT_OK(write_file_at(AT_FDCWD, "/mnt/etc/machine-id",
                                "0123456789abcdef0123456789abcdef\n"));
        ASSERT_OK(mount("/mnt/etc", "/etc", NULL, MS_BIND, NULL));
        _cleanup_free_ char *first = machine_id_of("web", root),
                            *again = machine_id_of("web", root), *other = machine_id_of("db", root),
                            *elsewhere = machine_id_of("web", other_root);
        ASSERT_OK(write_file_at(AT_FDCWD, "/mnt/etc/machine-id",
                                "1123456789abcdef0123456789abcdef\n"));
        _cleanup_free_ char *moved = machine_id_of("web", root);
        ASSERT_OK(write_file_at(AT_FDCWD, "/mnt/etc/machine-id", "uninitialized\n"));
        _cleanup_free_ char *some = machine_id_of("web", root),
                            *another = machine_id_of("web", root);
        ASSERT_OK(umount2("/etc", MNT_DETACH));
        ASSERT_STREQ(first, again);
        ASSERT_FALSE(streq(first, other));
        ASSERT_FALSE(streq(first, elsewhere));
        ASSERT_FALSE(streq(first, moved));
        ASSERT_FALSE(streq(some, another)); /* a host without one: random */
}

TEST(not_a_directory) {
        _cleanup_free_ char *root = fake_root(), *link = strf("%s-link", root);
        _cleanup_spec_ ContainerSpec *s = fake_spec("/mnt/nowhere");

        ASSERT_REFUSED(s, ENOENT, ERROR_ROOT_NOT_FOUND,
                       "root directory '/mnt/nowhere' does not exist");
        ASSERT_OK(free_and_strdup(&s->root.directory, in_root(root, "bin/init")));
        ASSERT_REFUSED(s, ENOTDIR, ERROR_NOT_A_ROOT, "bin/init' is not a directory");
        ASSERT_OK(symlink(root, link));
        ASSERT_OK(free_and_strdup(&s->root.directory, link));
        ASSERT_REFUSED(s, ENOTDIR, ERROR_NOT_A_ROOT, "is a symbolic link");
}

TEST(nothing_in_it) {
        _cleanup_close_ int fd = sandbox_dir();
        _cleanup_free_ char *path = strf("/proc/self/fd/%d", fd);
        char real[100] = { 0 };
        ASSERT_OK(readlink(path, real, sizeof(real) - 1));
        _cleanup_spec_ ContainerSpec *s = fake_spec(real);

        ASSERT_REFUSED(s, ENOENT, ERROR_NOT_A_ROOT, "' is empty");
        ASSERT_OK(mkdirat(fd, "etc", 0755));
        ASSERT_REFUSED(s, ENOENT, ERROR_NOT_A_ROOT, "it has neither usr/ nor bin/");
        ASSERT_OK(symlinkat("usr/bin", fd, "bin"));
        ASSERT_OK(try_open(s, NULL));
}

TEST(places_of_the_host) {
        static const char *const refused[] = { "/usr", "/etc", "/proc", "/proc/1", "/sys/kernel",
                                               "/dev", "/var", "/run",  "/root",   "/home" };

        for (size_t i = 0; i < ELEMENTSOF(refused); i++) {
                _cleanup_spec_ ContainerSpec *s = fake_spec(refused[i]);
                ASSERT_REFUSED(s, EINVAL, ERROR_NOT_A_ROOT, "is a directory of the running system");
                s->root.read_only = true;
                ASSERT_REFUSED(s, EINVAL, ERROR_NOT_A_ROOT, refused[i]);
        }
        _cleanup_spec_ ContainerSpec *s = fake_spec("/");
        ASSERT_REFUSED(s, EBUSY, ERROR_CONFLICT, "'/' is the root directory of the running system");
        ASSERT_OK(mkdir("/mnt/slash", 0755));
        ASSERT_OK(mount("/", "/mnt/slash", NULL, MS_BIND, NULL));
        ASSERT_OK(free_and_strdup(&s->root.directory, "/mnt/slash"));
        ASSERT_REFUSED(s, EBUSY, ERROR_CONFLICT,
                       "'/mnt/slash' is the root directory of the running system");
        ASSERT_OK(free_and_strdup(&s->root.directory, "/"));
        s->root.read_only = true;
        ASSERT_OK(try_open(s, NULL));
}

TEST(busy) {
        _cleanup_free_ char *root = fake_root();
        _cleanup_spec_ ContainerSpec *s = fake_spec(root);
        _cleanup_(rootfs_done) Rootfs a = ROOTFS_NULL, b = ROOTFS_NULL;

        ASSERT_OK(look(s, &a, NULL));
        ASSERT_REFUSED(s, EBUSY, ERROR_ROOT_BUSY, "' is in use by process ");
        s->root.read_only = true;
        ASSERT_REFUSED(s, EBUSY, ERROR_ROOT_BUSY, "' is in use by process ");
        rootfs_done(&a);
        ASSERT_OK(look(s, &a, NULL));
        ASSERT_OK(look(s, &b, NULL)); /* readers share */
        s->root.read_only = false;
        ASSERT_REFUSED(s, EBUSY, ERROR_ROOT_BUSY, "' is in use by process ");
}

TEST(ephemeral) {
        _cleanup_free_ char *root = fake_root();
        _cleanup_spec_ ContainerSpec *s = fake_spec(root);
        _cleanup_(rootfs_done) Rootfs a = ROOTFS_NULL, b = ROOTFS_NULL;
        struct stat st;

        ASSERT_OK(chmod(root, 0711));
        ASSERT_OK(mkdir(in_root(root, "data"), 0755));
        s->root.ephemeral = true;
        ASSERT_OK(attach(s, &a, NULL));
        ASSERT_OK(fstat(a.root_fd, &st));
        ASSERT_EQ(st.st_mode & 07777, 0711);
        ASSERT_OK(mkdirat(a.root_fd, "new", 0755));
        ASSERT_OK(renameat(a.root_fd, "data", a.root_fd, "moved"));
        ASSERT_OK(mknodat(a.root_fd, "usr/device", S_IFCHR | 0666, makedev(1, 3)));
        ASSERT_ERROR(openat(a.root_fd, "usr/device", O_RDONLY) < 0 ? -errno : 0, EACCES);
        ASSERT_OK(mount_detach(a.root_fd));
        /* one more, that sees nothing of it, but none that changes the directory itself */
        ASSERT_OK(attach(s, &b, NULL));
        ASSERT_ERROR(faccessat(b.root_fd, "new", F_OK, 0) < 0 ? -errno : 0, ENOENT);
        ASSERT_OK(faccessat(b.root_fd, "data", F_OK, 0));
        ASSERT_OK(mount_detach(b.root_fd));
        s->root.ephemeral = false;
        ASSERT_REFUSED(s, EBUSY, ERROR_ROOT_BUSY, "' is in use by process ");
        rootfs_done(&a);
        rootfs_done(&b);
        ASSERT_OK(attach(s, &a, NULL));
        s->root.ephemeral = true;
        ASSERT_REFUSED(s, EBUSY, ERROR_ROOT_BUSY, "' is in use by process ");
        /* nothing is left below */
        ASSERT_OK(mount_detach(a.root_fd));
        ASSERT_ERROR(access(in_root(root, "new"), F_OK) < 0 ? -errno : 0, ENOENT);
        ASSERT_OK(access(in_root(root, "data"), F_OK));
        ASSERT_ERROR(umount2(root, MNT_DETACH) < 0 ? -errno : 0, EINVAL);
}

TEST(volatile_overlay_and_state) {
        for (int userns = 0; userns < 2; userns++) {
                _cleanup_free_ char *root = fake_root();
                _cleanup_spec_ ContainerSpec *s = fake_spec(root);
                _cleanup_(rootfs_done) Rootfs a = ROOTFS_NULL, b = ROOTFS_NULL;
                _cleanup_error_ Error e = ERROR_NULL;
                struct stat st;

                if (userns) {
                        s->users.mode = USERNS_RANGE;
                        s->users.base = RANGE;
                }
                s->root.volatile_ = VOLATILE_OVERLAY;
                ASSERT_OK(prepare(s, &a, &e));
                ASSERT_OK(unlinkat(a.root_fd, "etc/passwd", 0));
                ASSERT_OK(mount_detach(a.root_fd));
                rootfs_done(&a);
                s->root.volatile_ = VOLATILE_STATE;
                ASSERT_ERROR(attach(s, &a, &e), ENOENT);
                ASSERT_STREQ(e.message, "/var is missing in the root");
                ASSERT_OK(mount_detach(a.root_fd));
                rootfs_done(&a);
                ASSERT_OK(symlink("etc", in_root(root, "var")));
                ASSERT_TRUE(attach(s, &a, NULL) < 0);
                ASSERT_OK(mount_detach(a.root_fd));
                rootfs_done(&a);
                ASSERT_OK(unlink(in_root(root, "var")));
                ASSERT_OK(mkdir(in_root(root, "var"), 0755));
                ASSERT_OK(put(root, "var/kept", "x"));
                ASSERT_OK(prepare(s, &b, NULL));
                ASSERT_ERROR(unlinkat(b.root_fd, "etc/passwd", 0) < 0 ? -errno : 0, EROFS);
                ASSERT_ERROR(faccessat(b.root_fd, "var/kept", F_OK, 0) < 0 ? -errno : 0, ENOENT);
                ASSERT_OK(mkdirat(b.root_fd, "var/new", 0755));
                ASSERT_OK(fstatat(b.root_fd, "var", &st, 0));
                ASSERT_EQ(st.st_uid, userns ? RANGE : 0);
                ASSERT_OK(mount_detach(b.root_fd));
                ASSERT_OK(access(in_root(root, "var/kept"), F_OK));
        }
}

TEST(volatile_root) {
        _cleanup_free_ char *root = fake_root();
        _cleanup_spec_ ContainerSpec *s = fake_spec(root);
        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        char target[64] = "";
        struct stat st;

        s->users.mode = USERNS_RANGE;
        s->users.base = RANGE;
        s->root.volatile_ = VOLATILE_YES;
        ASSERT_ERROR(attach(s, &r, &e), ENOTDIR); /* /bin is a directory of its own */
        ASSERT_CONTAINS(e.message, "--volatile=yes keeps /usr alone, but /bin is no link into it");
        ASSERT_CONTAINS(e.hint, "--volatile=state");
        rootfs_done(&r);
        ASSERT_OK(rename(in_root(root, "bin"), in_root(root, "gone")));
        ASSERT_OK(symlink("/usr/lib", in_root(root, "lib64")));
        ASSERT_OK(prepare(s, &r, &e));
        ASSERT_EQ(readlinkat(r.root_fd, "bin", target, sizeof(target)), 7);
        ASSERT_STREQ(target, "usr/bin");
        ASSERT_EQ(readlinkat(r.root_fd, "lib64", target, sizeof(target)), 8);
        ASSERT_TRUE(faccessat(r.root_fd, "sbin", F_OK, 0) < 0);
        ASSERT_OK(fstatat(r.root_fd, "bin", &st, AT_SYMLINK_NOFOLLOW));
        ASSERT_EQ(st.st_uid, RANGE);
        ASSERT_OK(fstatat(r.root_fd, "usr/lib/os-release", &st, 0));
        ASSERT_EQ(st.st_uid, RANGE);
        ASSERT_ERROR(mkdirat(r.root_fd, "usr/x", 0755) < 0 ? -errno : 0, EROFS);
        ASSERT_ERROR(faccessat(r.root_fd, "etc/passwd", F_OK, 0) < 0 ? -errno : 0, ENOENT);
        ASSERT_OK(fstatat(r.root_fd, "etc", &st, 0));
        ASSERT_EQ(st.st_uid, RANGE);
        ASSERT_OK(mkdirat(r.root_fd, "var/x", 0755));
        ASSERT_OK(mount_detach(r.root_fd));
        ASSERT_TRUE(access(in_root(root, "var"), F_OK) < 0);
}

TEST(pivot_root) {
        _cleanup_free_ char *root = fake_root();
        _cleanup_spec_ ContainerSpec *s = fake_spec(root);
        _cleanup_(rootfs_done) Rootfs a = ROOTFS_NULL, b = ROOTFS_NULL, c = ROOTFS_NULL;
        _cleanup_error_ Error e = ERROR_NULL, out = ERROR_NULL;

        ASSERT_OK(mkdir(in_root(root, "deploy"), 0755));
        ASSERT_OK(mkdir(in_root(root, "deploy/1"), 0755));
        ASSERT_OK(symlink("/deploy/1", in_root(root, "current")));
        ASSERT_OK(free_and_strdup(&s->root.pivot, "/current"));
        s->users.mode = USERNS_RANGE;
        s->users.base = RANGE;
        ASSERT_ERROR(attach(s, &a, &e), ENOENT); /* it is empty */
        rootfs_done(&a);
        ASSERT_OK(mkdir(in_root(root, "deploy/1/usr"), 0755));
        ASSERT_OK(put(root, "deploy/1/this", "x"));
        ASSERT_OK(prepare(s, &a, NULL));
        ASSERT_OK(faccessat(a.root_fd, "this", F_OK, 0));
        ASSERT_TRUE(faccessat(a.root_fd, "etc/passwd", F_OK, 0) < 0);
        ASSERT_OK(mount_detach(a.root_fd));
        rootfs_done(&a);
        /* and the rest of it below */
        ASSERT_OK(free_and_strdup(&s->root.pivot_old, "/sysroot"));
        ASSERT_OK(prepare(s, &b, NULL));
        ASSERT_OK(faccessat(b.root_fd, "sysroot/etc/passwd", F_OK, 0));
        ASSERT_OK(faccessat(b.root_fd, "sysroot/deploy/1/this", F_OK, 0));
        struct stat st;
        ASSERT_OK(fstatat(b.root_fd, "sysroot/etc/passwd", &st, 0));
        ASSERT_EQ(st.st_uid, RANGE);
        ASSERT_OK(mount_detach(b.root_fd));
        rootfs_done(&b);
        /* not out of the root, and not to nowhere */
        ASSERT_OK(unlink(in_root(root, "current")));
        ASSERT_OK(symlink("../../../../../../mnt", in_root(root, "current")));
        ASSERT_ERROR(attach(s, &c, &out), ENOENT);
        ASSERT_CONTAINS(out.hint, "a directory inside the root");
        ASSERT_CONTAINS(out.message, "opening '/current' in '");
}

TEST(boot_wants_an_init) {
        _cleanup_free_ char *root = fake_root();
        _cleanup_spec_ ContainerSpec *s = fake_spec(root);

        s->payload.start = START_BOOT;
        ASSERT_REFUSED(
                s, ENOENT, ERROR_INIT_NOT_FOUND,
                "has no init (/usr/lib/systemd/systemd, /lib/systemd/systemd or /sbin/init)");
        ASSERT_OK(mkdir(in_root(root, "sbin"), 0755));
        for (int kind = 0; kind < 5; kind++) {
                if (kind == 0)
                        ASSERT_OK(mkfifo(in_root(root, "sbin/init"), 0755));
                else if (kind == 1)
                        ASSERT_OK(mkdir(in_root(root, "sbin/init"), 0755));
                else if (kind == 2)
                        ASSERT_OK(put(root, "sbin/init", "text"));
                else if (kind == 3)
                        ASSERT_OK(mknod(in_root(root, "sbin/init"), S_IFCHR | 0755, makedev(1, 5)));
                else /* of the host, not of the root */
                        ASSERT_OK(symlink("/proc/self/exe", in_root(root, "sbin/init")));
                if (kind < 4)
                        ASSERT_REFUSED(s, EACCES, ERROR_NOT_EXECUTABLE,
                                       "the init '/sbin/init' in '/mnt/root-");
                else
                        ASSERT_REFUSED(s, ENOENT, ERROR_INIT_NOT_FOUND, "has no init");
                ASSERT_OK(kind == 1 ? rmdir(in_root(root, "sbin/init"))
                                    : unlink(in_root(root, "sbin/init")));
        }
        ASSERT_OK(symlink("/bin/init", in_root(root, "sbin/init"))); /* inside */
        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        ASSERT_OK(look(s, &r, &e));
        ASSERT_STREQ(r.init, "/sbin/init");
        ASSERT_STREQ(strv_env_get(r.os_release, "PRETTY_NAME"), "A fake");
}

TEST(boot_wants_os_release) {
        _cleanup_free_ char *root = fake_root();
        _cleanup_spec_ ContainerSpec *s = fake_spec(root);

        ASSERT_OK(mkdir(in_root(root, "sbin"), 0755));
        ASSERT_OK(symlink("/bin/init", in_root(root, "sbin/init")));
        s->payload.start = START_BOOT;
        for (int kind = 0; kind < 5; kind++) {
                (void) unlink(in_root(root, "usr/lib/os-release"));
                if (kind == 0)
                        ASSERT_OK(symlink("/dev/zero", in_root(root, "usr/lib/os-release")));
                else if (kind == 1)
                        ASSERT_OK(mkfifo(in_root(root, "usr/lib/os-release"), 0644));
                else if (kind == 2) {
                        ASSERT_OK(put(root, "usr/lib/os-release", ""));
                        ASSERT_OK(truncate(in_root(root, "usr/lib/os-release"), 10LL << 30));
                } else if (kind == 3)
                        ASSERT_OK(symlink("os-release", in_root(root, "usr/lib/os-release")));
                alarm(5);
                _cleanup_error_ Error e = ERROR_NULL;
                ASSERT_TRUE(try_open(s, &e) < 0);
                alarm(0);
                ASSERT_EQ(e.id, ERROR_NOT_A_ROOT);
                ASSERT_CONTAINS(e.message, "os-release");
        }
        ASSERT_OK(put(root, "etc/os-release", "ID=etc\n"));
        ASSERT_OK(try_open(s, NULL));
        s->payload.start = START_COMMAND;
        ASSERT_OK(unlink(in_root(root, "etc/os-release")));
        ASSERT_OK(try_open(s, NULL));
}

TEST(attached) {
        _cleanup_free_ char *root = fake_root();
        _cleanup_spec_ ContainerSpec *s = fake_spec(root);
        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;
        struct statvfs v;

        ASSERT_OK(mknod(in_root(root, "etc/sda"), S_IFBLK | 0666, makedev(8, 0)));
        ASSERT_OK(attach(s, &r, NULL));
        ASSERT_OK(fstatvfs(r.root_fd, &v));
        ASSERT_TRUE(v.f_flag & ST_NODEV);
        ASSERT_FALSE(v.f_flag & ST_RDONLY);
        ASSERT_OK(statvfs(root, &v)); /* it covers its own directory */
        ASSERT_TRUE(v.f_flag & ST_NODEV);
        ASSERT_ERROR(openat(r.root_fd, "etc/sda", O_RDONLY | O_CLOEXEC) < 0 ? -errno : 0, EACCES);
        ASSERT_OK(mkdirat(r.root_fd, "made", 0755));
}

TEST(read_only_with_what_is_mounted_below) {
        _cleanup_free_ char *root = fake_root();
        _cleanup_spec_ ContainerSpec *s = fake_spec(root);
        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;

        ASSERT_OK(mkdir(in_root(root, "var"), 0755));
        ASSERT_OK(mount("below", in_root(root, "var"), "tmpfs", 0, NULL));
        ASSERT_OK(put(root, "var/there", "x"));
        s->root.read_only = true;
        ASSERT_OK(attach(s, &r, NULL));
        ASSERT_OK(faccessat(r.root_fd, "var/there", F_OK, 0));
        ASSERT_ERROR(mkdirat(r.root_fd, "made", 0755) < 0 ? -errno : 0, EROFS);
        ASSERT_ERROR(mkdirat(r.root_fd, "var/made", 0755) < 0 ? -errno : 0, EROFS);
        ASSERT_OK(umount2(root, MNT_DETACH));
        ASSERT_OK(mkdir(in_root(root, "var/made"), 0755)); /* the host's own is as it was */
        ASSERT_OK(umount(in_root(root, "var")));
}

TEST(idmapped) {
        _cleanup_free_ char *root = fake_root();
        _cleanup_spec_ ContainerSpec *s = fake_spec(root);
        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        struct stat st;

        ASSERT_OK(chown(in_root(root, "etc/passwd"), 1000, 29));
        s->users.mode = USERNS_RANGE;
        s->users.base = RANGE;
        s->users.count = 65536;
        int k = attach(s, &r, &e);
        if (k == -EINVAL && e.id == ERROR_UNSUPPORTED)
                TEST_SKIP("this kernel cannot idmap tmpfs");
        ASSERT_OK(k);
        ASSERT_OK(fstatat(r.root_fd, "etc/passwd", &st, 0));
        ASSERT_EQ(st.st_uid, RANGE + 1000);
        ASSERT_EQ(st.st_gid, RANGE + 29);
        ASSERT_OK(fstatat(r.root_fd, "etc", &st, 0));
        ASSERT_EQ(st.st_uid, RANGE);
}

TEST(not_idmapped) {
        for (int i = 0; i < 3; i++) {
                _cleanup_free_ char *root = fake_root();
                _cleanup_spec_ ContainerSpec *s = fake_spec(root);
                _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;
                struct stat st;
                s->users.mode = i == 0 ? USERNS_YES : USERNS_RANGE;
                s->users.base = RANGE;
                s->users.ownership = i == 1 ? OWNERSHIP_OFF : OWNERSHIP_AUTO;
                if (i != 1) /* AUTO: belongs to the range already */
                        ASSERT_OK(chown(root, RANGE, RANGE));
                ASSERT_OK(attach(s, &r, NULL));
                ASSERT_EQ(r.map.outside, RANGE);
                ASSERT_OK(fstatat(r.root_fd, "etc", &st, 0));
                ASSERT_EQ(st.st_uid, 0);
        }
}

TEST(a_file_system_that_cannot) {
        _cleanup_free_ char *root = fake_root();
        _cleanup_spec_ ContainerSpec *s = fake_spec(root);
        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_OK(mount("proc", in_root(root, "proc"), "proc", 0, NULL));
        s->users.mode = USERNS_RANGE;
        s->users.base = RANGE;
        s->users.ownership = OWNERSHIP_MAP;
        ASSERT_TRUE(attach(s, &r, &e) < 0);
        ASSERT_EQ(e.id, ERROR_UNSUPPORTED);
        ASSERT_CONTAINS(e.message, "the ids of the root directory '/mnt/root-");
        ASSERT_CONTAINS(e.hint, "--private-users-ownership=chown, or =off");
        rootfs_done(&r);
        error_done(&e);
        /* what may not be changed, or not to such a range, is not changed instead */
        s->users.ownership = OWNERSHIP_AUTO;
        for (int i = 0; i < 2; i++) {
                s->root.read_only = i == 0;
                s->users.base = RANGE + (uint32_t) i;
                ASSERT_TRUE(attach(s, &r, &e) < 0);
                ASSERT_EQ(e.id, ERROR_UNSUPPORTED);
                rootfs_done(&r);
                error_done(&e);
        }
        /* nor is anything because of what is mounted below */
        struct stat st;
        s->users.base = RANGE;
        ASSERT_TRUE(attach(s, &r, &e) < 0);
        ASSERT_EQ(e.id, ERROR_UNSUPPORTED);
        ASSERT_OK(stat(in_root(root, "etc/passwd"), &st));
        ASSERT_EQ(st.st_uid, 0);
        rootfs_done(&r);
        error_done(&e);
        ASSERT_OK(umount(in_root(root, "proc")));
        /* the root's own file system */
        ASSERT_OK(setenv("ROOT", root, 1));
        ASSERT_EQ(
                system("mkdir /mnt/ram && mount -t ramfs ramfs /mnt/ram && cp -a $ROOT /mnt/ram/root"),
                0);
        ASSERT_OK(free_and_strdup(&s->root.directory, "/mnt/ram/root"));
        ASSERT_OK(attach(s, &r, &e));
        ASSERT_OK(stat("/mnt/ram/root/etc/passwd", &st));
        ASSERT_EQ(st.st_uid, RANGE);
        ASSERT_OK(fstatat(r.root_fd, "etc/passwd", &st, 0));
        ASSERT_EQ(st.st_gid, RANGE);
        ASSERT_OK(umount2("/mnt/ram", MNT_DETACH));
        ASSERT_OK(rmdir("/mnt/ram"));
}

/* In a mount namespace of its own, with a descriptor from before. */
static int attach_by_descriptor(void *root) {
        _cleanup_spec_ ContainerSpec *s = fake_spec(NULL);
        _cleanup_free_ char *moved = strf("%s-moved", (char *) root);
        Rootfs r = ROOTFS_NULL;

        s->root.fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (unshare(CLONE_NEWNS) < 0 || attach(s, &r, NULL) < 0)
                return 1;
        rootfs_done(&r);
        if (umount2(root, MNT_DETACH) < 0 || rename(root, moved) < 0 || mkdir(root, 0755) < 0)
                return 2;
        /* the kernel knows the new name */
        if (attach(s, &r, NULL) < 0 || faccessat(r.root_fd, "usr", F_OK, 0) < 0)
                return 3;
        rootfs_done(&r);
        fd_close(s->root.fd);
        s->root.fd = -EBADF;
        return 0;
}

TEST(a_descriptor_of_another_mount_namespace) {
        _cleanup_free_ char *root = fake_root();

        ASSERT_EQ(in_child(attach_by_descriptor, root), 0);
}

static int descriptors(void *root) {
        _cleanup_spec_ ContainerSpec *s = fake_spec(root);
        Rootfs r = ROOTFS_NULL;
        const int before = count_fds();

        s->users.mode = USERNS_PICK;
        if (attach(s, &r, NULL) < 0)
                return 2;
        rootfs_done(&r);
        return count_fds() == before ? 0 : 1;
}

TEST(gives_all_descriptors_back) {
        _cleanup_free_ char *root = fake_root();
        Rootfs r = ROOTFS_NULL;

        ASSERT_EQ(in_child(descriptors, root), 0);
        rootfs_done(&r);
        rootfs_done(NULL);
}

FAKE_ROOT_MAIN
