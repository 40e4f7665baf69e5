/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Trees that are given to a range of ids: everything of them, nothing else, and whoever is killed meanwhile is continued. */
#include "rootfs/owner.h"

#include <linux/capability.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/xattr.h>

#include "fake-root.h"
#include "unit/image/kill-at.h"

#define OTHER_RANGE (RANGE + 65536U)

typedef struct Tree {
        char *path;
        int fd;
} Tree;

static void tree_begin(Tree *t) {
        static const char script[] =
                "set -e; cd $ROOT; mkdir -p data/deep; echo x >data/f; chown 5:6 data/f\n"
                "echo x >data/suid; chown 1000:1001 data/suid; chmod 6755 data/suid\n"
                "ln data/suid data/deep/same; mkfifo data/pipe; mknod data/null c 1 3\n"
                "chown 7:8 data/pipe; ln -s /mnt/outside data/link; chown -h 3:4 data/link\n"
                "ln -s .. data/deep/up; chmod 2775 data/deep; echo x >/mnt/outside; chown 9:9 /mnt/outside\n"
                "echo x >data/far; chown 200005:131077 data/far\n";
        /* version 2; user:rw-, user 1000:r--, group:r--, group 33:rwx, mask:rwx, other:--- */
        static const uint16_t acl[] = {
                2,    0,    0x01,   6,      0xFFFF, 0xFFFF, 0x02,   4,      1000,
                0,    0x04, 4,      0xFFFF, 0xFFFF, 0x08,   7,      33,     0,
                0x10, 7,    0xFFFF, 0xFFFF, 0x20,   0,      0xFFFF, 0xFFFF,
        };
        const struct vfs_cap_data capability = { .magic_etc = VFS_CAP_REVISION_2 | 1,
                                                 .data = { { .permitted = 1 << 10 } } };
        t->path = fake_root();
        ASSERT_NOT_NULL(t->path);
        ASSERT_OK(setenv("ROOT", t->path, 1));
        ASSERT_EQ(system(script), 0);
        ASSERT_OK(setxattr(in_root(t->path, "data/f"), "system.posix_acl_access", acl, sizeof(acl),
                           0));
        ASSERT_OK(setxattr(in_root(t->path, "data/deep"), "system.posix_acl_default", acl,
                           sizeof(acl), 0));
        ASSERT_OK(setxattr(in_root(t->path, "bin/init"), "security.capability", &capability,
                           sizeof(capability), 0));
        t->fd = open(t->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        ASSERT_OK(t->fd);
}

static void tree_end(Tree *t) {
        ASSERT_EQ(system("rm -r $ROOT /mnt/outside"), 0);
        fd_close(t->fd);
        free(t->path);
}

static int change(const Tree *t, uint32_t base, Error *e) {
        return owner_change(t->fd, base, OWNER_RANGE_SIZE, t->path, e);
}

static void assert_owner(const Tree *t, const char *path, uid_t uid, gid_t gid, unsigned mode) {
        struct stat st;
        ASSERT_OK(lstat(in_root(t->path, path), &st));
        if (st.st_uid != uid || st.st_gid != gid || (mode && (st.st_mode & 07777) != mode))
                TEST_FAIL("'%s' is %u:%u %o", path, st.st_uid, st.st_gid, st.st_mode & 07777);
}

static void assert_acl(const Tree *t, const char *path, const char *name, uint32_t base) {
        uint32_t value[13];
        ASSERT_EQ((size_t) getxattr(in_root(t->path, path), name, value, sizeof(value)),
                  sizeof(value));
        ASSERT_EQ(value[4], base + 1000);
        ASSERT_EQ(value[8], base + 33);
        ASSERT_EQ(value[6], UINT32_MAX);
        ASSERT_EQ(value[7] >> 16, 7U);
}

static void assert_belongs(const Tree *t, uint32_t base) {
        struct vfs_ns_cap_data d;
        assert_owner(t, "", base, base, 0755);
        assert_owner(t, "usr/lib/os-release", base, base, 0);
        assert_owner(t, "data/f", base + 5, base + 6, 0670);
        assert_owner(t, "data/suid", base + 1000, base + 1001, 06755);
        assert_owner(t, "data/deep/same", base + 1000, base + 1001, 06755);
        assert_owner(t, "data/deep", base, base, 02775);
        assert_owner(t, "data/pipe", base + 7, base + 8, 0);
        assert_owner(t, "data/null", base, base, 0);
        assert_owner(t, "data/link", base + 3, base + 4, 0);
        assert_owner(t, "data/deep/up", base, base, 0);
        assert_owner(t, "data/far", base + 200005 % 65536, base + 5, 0);
        assert_owner(t, "../outside", 9, 9, 0);
        assert_acl(t, "data/f", "system.posix_acl_access", base);
        assert_acl(t, "data/deep", "system.posix_acl_default", base);
        ssize_t n = getxattr(in_root(t->path, "bin/init"), "security.capability", &d, sizeof(d));
        ASSERT_EQ(n, base > 0 ? XATTR_CAPS_SZ_3 : XATTR_CAPS_SZ_2);
        ASSERT_EQ(d.data[0].permitted, 1U << 10);
        ASSERT_EQ(d.magic_etc & VFS_CAP_FLAGS_MASK, 1U);
        if (base > 0)
                ASSERT_EQ(d.rootid, base);
        ASSERT_EQ(getxattr(in_root(t->path, "bin/init"), "trusted.berth.owner", NULL, 0), -1);
        ASSERT_EQ(getxattr(in_root(t->path, "data/suid"), "trusted.berth.owner", NULL, 0), -1);
}

TEST(there_and_back) {
        Tree t;
        tree_begin(&t);
        ASSERT_OK(change(&t, RANGE, NULL));
        assert_belongs(&t, RANGE);
        ASSERT_OK(change(&t, OTHER_RANGE, NULL));
        assert_belongs(&t, OTHER_RANGE);
        ASSERT_OK(change(&t, 0, NULL));
        assert_belongs(&t, 0);
        tree_end(&t);
}

TEST(a_second_time_is_nothing) {
        Tree t;
        tree_begin(&t);
        ASSERT_OK(change(&t, RANGE, NULL));
        ASSERT_OK(chown(in_root(t.path, "data/f"), 77, 77));
        ASSERT_OK(change(&t, RANGE, NULL));
        assert_owner(&t, "data/f", 77, 77, 0);
        tree_end(&t);
}

TEST(mounts_are_not_entered) {
        Tree t;
        tree_begin(&t);
        ASSERT_OK(mount("tmpfs", in_root(t.path, "tmp"), "tmpfs", 0, NULL));
        ASSERT_OK(put(t.path, "tmp/f", "x"));
        ASSERT_OK(change(&t, RANGE, NULL));
        assert_owner(&t, "tmp", 0, 0, 0);
        assert_owner(&t, "tmp/f", 0, 0, 0);
        ASSERT_OK(umount(in_root(t.path, "tmp")));
        tree_end(&t);
}

/* Capabilities that a user inside gave in a user namespace of his own count there alone, before and after. */
TEST(capabilities_of_a_user_namespace_inside) {
        const struct vfs_ns_cap_data capability = { .magic_etc = VFS_CAP_REVISION_3 | 1,
                                                    .data = { { .permitted = 1 << 10 } },
                                                    .rootid = OTHER_RANGE + 1000 };
        struct vfs_ns_cap_data d = { 0 };
        Tree t;
        tree_begin(&t);
        ASSERT_OK(setxattr(in_root(t.path, "data/f"), "security.capability", &capability,
                           sizeof(capability), 0));
        ASSERT_OK(change(&t, RANGE, NULL));
        ASSERT_EQ(getxattr(in_root(t.path, "data/f"), "security.capability", &d, sizeof(d)),
                  XATTR_CAPS_SZ_3);
        ASSERT_EQ(d.rootid, RANGE + 1000);
        ASSERT_OK(change(&t, 0, NULL));
        ASSERT_EQ(getxattr(in_root(t.path, "data/f"), "security.capability", &d, sizeof(d)),
                  XATTR_CAPS_SZ_3);
        ASSERT_EQ(d.rootid, 1000U);
        tree_end(&t);
}

/* Deeper than descriptors reach by default. */
TEST(deep) {
        struct rlimit before, low;
        Tree t;
        tree_begin(&t);
        ASSERT_EQ(
                system("cd $ROOT/data && for i in $(seq 900); do mkdir d && cd -P d || exit 1; done; echo x >f"),
                0);
        ASSERT_OK(getrlimit(RLIMIT_NOFILE, &before));
        low = (struct rlimit){ 1024, before.rlim_max };
        ASSERT_OK(setrlimit(RLIMIT_NOFILE, &low));
        ASSERT_OK(change(&t, RANGE, NULL));
        assert_belongs(&t, RANGE);
        ASSERT_OK(getrlimit(RLIMIT_NOFILE, &low));
        ASSERT_EQ(low.rlim_cur, 1024);
        ASSERT_OK(setrlimit(RLIMIT_NOFILE, &before));
        ASSERT_EQ(system("[ -z \"$(find $ROOT/data/d ! -user 1000013824 | head -n1)\" ]"), 0);
        tree_end(&t);
}

TEST(what_cannot_be) {
        static const uint32_t ranges[][2] = { { RANGE + 1, 65536 },
                                              { RANGE, 65535 },
                                              { RANGE, 131072 },
                                              { OWNER_BUSY_BASE, 65536 } };
        Tree t;
        tree_begin(&t);
        for (size_t i = 0; i < ELEMENTSOF(ranges); i++) {
                _cleanup_error_ Error e = ERROR_NULL;
                ASSERT_ERROR(owner_change(t.fd, ranges[i][0], ranges[i][1], "/the/root", &e),
                             EINVAL);
                ASSERT_EQ(e.id, ERROR_INVALID_SETTING);
                ASSERT_CONTAINS(e.message, "the files in '/the/root' cannot be given to");
                ASSERT_CONTAINS(e.hint, "multiple of 65536");
        }
        assert_owner(&t, "", 0, 0, 0755);
        assert_owner(&t, "data/suid", 1000, 1001, 06755);
        /* a signal that waits */
        sigset_t set;
        _cleanup_error_ Error e = ERROR_NULL;
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        ASSERT_OK(sigprocmask(SIG_BLOCK, &set, NULL));
        ASSERT_OK(raise(SIGTERM));
        ASSERT_ERROR(change(&t, RANGE, &e), EINTR);
        ASSERT_CONTAINS(e.hint, "the next start goes on");
        ASSERT_EQ(sigwaitinfo(&set, NULL), SIGTERM);
        ASSERT_OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
        assert_owner(&t, "", OWNER_BUSY_BASE, OWNER_BUSY_BASE, 0755);
        ASSERT_OK(change(&t, RANGE, NULL));
        assert_belongs(&t, RANGE);
        tree_end(&t);
}

TEST(a_read_only_file_system) {
        Tree t;
        _cleanup_error_ Error e = ERROR_NULL;
        tree_begin(&t);
        ASSERT_OK(mount(t.path, t.path, NULL, MS_BIND, NULL));
        ASSERT_OK(mount(NULL, t.path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL));
        _cleanup_close_ int fd = open(t.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        ASSERT_ERROR(owner_change(fd, RANGE, OWNER_RANGE_SIZE, t.path, &e), EROFS);
        ASSERT_CONTAINS(e.message, "giving the files in '/mnt/root-");
        ASSERT_CONTAINS(e.hint, "--private-users-ownership=map");
        ASSERT_OK(umount2(t.path, MNT_DETACH));
        tree_end(&t);
}

static int change_in_child(const void *of) {
        return change(of, RANGE, NULL);
}

TEST(killed_at_every_call) {
        unsigned n = 1;
        for (bool ended = false; !ended; n++) {
                Tree t;
                struct stat st;
                tree_begin(&t);
                ended = killed_at_call(n, change_in_child, &t);
                ASSERT_OK(stat(t.path, &st));
                ASSERT_EQ(st.st_uid, ended ? RANGE : n == 1 ? 0 : OWNER_BUSY_BASE);
                /* another range than the first one's, now and then */
                const uint32_t base = n % 3 == 0 && !ended ? OTHER_RANGE : RANGE;
                ASSERT_OK(change(&t, base, NULL));
                assert_belongs(&t, base);
                tree_end(&t);
        }
        ASSERT_TRUE(n > 30);
}

FAKE_ROOT_MAIN
