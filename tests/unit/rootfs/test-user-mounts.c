/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of rootfs/user-mounts.c: binds, tmpfs, inaccessible nodes, and targets that lead elsewhere. */
#include <sys/statvfs.h>

#include "basic/alloc.h"
#include "fake-root.h"

static SpecMount *add(ContainerSpec *s, MountKind kind, const char *source, const char *target) {
        SpecMount *m = ARRAY_APPEND(s->mounts, s->n_mounts);

        if (!m || free_and_strdup(&m->source, source) < 0 ||
            free_and_strdup(&m->target, target) < 0)
                abort();
        m->kind = kind;
        return m;
}

/* A source directory with a file of user 1000, and one with a mount below. */
static void make_sources(void) {
        if (mkdir("/mnt/src", 0755) < 0)
                return; /* made by a test before */
        if (mkdir("/mnt/src/sub", 0755) < 0 || put("/mnt", "src/file", "text") < 0 ||
            chown("/mnt/src/file", 1000, 1000) < 0 ||
            mount("sub", "/mnt/src/sub", "tmpfs", 0, NULL) < 0 ||
            put("/mnt", "src/sub/deep", "deep") < 0)
                abort();
}

/* True if the text is what a file inside has. */
static bool has(const Rootfs *r, const char *path, const char *text) {
        _cleanup_free_ char *found = read_at(r->root_fd, path);

        return streq_ptr(found, text);
}

#define SETUP                                              \
        _cleanup_free_ char *root = fake_root();           \
        _cleanup_spec_ ContainerSpec *s = fake_spec(root); \
        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;     \
        _cleanup_error_ Error e = ERROR_NULL;              \
        make_sources()

TEST(binds) {
        SETUP;
        struct statvfs v;

        add(s, MOUNT_BIND, "/mnt/src", "/data/new/place");
        add(s, MOUNT_BIND, "/mnt/src/file", "/etc/one");
        add(s, MOUNT_BIND, "/mnt/src", "/ro")->read_only = true;
        add(s, MOUNT_BIND, "/mnt/src", "/flat")->norecursive = true;
        ASSERT_OK(prepare(s, &r, &e));
        ASSERT_TRUE(has(&r, "data/new/place/file", "text"));
        ASSERT_TRUE(has(&r, "data/new/place/sub/deep", "deep"));
        ASSERT_TRUE(has(&r, "etc/one", "text"));
        ASSERT_TRUE(has(&r, "ro/sub/deep", "deep"));
        ASSERT_TRUE(faccessat(r.root_fd, "flat/sub/deep", F_OK, 0) < 0);
        ASSERT_ERROR(mkdirat(r.root_fd, "ro/x", 0755) < 0 ? -errno : 0, EROFS);
        ASSERT_ERROR(mkdirat(r.root_fd, "ro/sub/x", 0755) < 0 ? -errno : 0, EROFS);
        ASSERT_OK(mkdirat(r.root_fd, "data/new/place/sub/x", 0755));
        ASSERT_OK(rmdir("/mnt/src/sub/x"));
        ASSERT_OK(statvfs("/mnt/src", &v));
        ASSERT_FALSE(v.f_flag & ST_RDONLY);
}

TEST(in_order) {
        SETUP;

        add(s, MOUNT_TMPFS, NULL, "/srv");
        add(s, MOUNT_BIND, "/mnt/src/file", "/srv/a/file");
        add(s, MOUNT_BIND, "/mnt/src", "/other");
        add(s, MOUNT_BIND, "/mnt/src/file", "/other/file2");
        ASSERT_OK(unlinkat(AT_FDCWD, "/mnt/src/file2", 0) < 0 && errno != ENOENT ? -1 : 0);
        ASSERT_OK(prepare(s, &r, &e));
        ASSERT_TRUE(has(&r, "srv/a/file", "text"));
        ASSERT_TRUE(has(&r, "other/file2", "text"));
        ASSERT_OK(umount2(root, MNT_DETACH)); /* what is mounted on cannot be removed */
        ASSERT_OK(unlink("/mnt/src/file2"));
}

TEST(from_inside_and_temporary) {
        SETUP;

        SpecMount *m = add(s, MOUNT_BIND, "/etc", "/etc2");
        m->from_container = true;
        add(s, MOUNT_BIND, NULL, "/scratch");
        ASSERT_OK(symlink("/etc/passwd", in_root(root, "etc/link")));
        m = add(s, MOUNT_BIND, "/etc/link", "/pw");
        m->from_container = true;
        ASSERT_OK(prepare(s, &r, &e));
        ASSERT_TRUE(has(&r, "etc2/group",
                        "root:x:0:\nbob:x:1001:\naudio:x:29:bob,eve\nvideo:x:44:eve\n"));
        ASSERT_OK(faccessat(r.root_fd, "pw", F_OK, 0));
        ASSERT_OK(mkdirat(r.root_fd, "scratch/x", 0755));
        struct stat st;
        ASSERT_OK(stat("/mnt/src", &st));
        ASSERT_TRUE(access(in_root(root, "nothing"), F_OK) < 0);
}

TEST(a_missing_source) {
        SETUP;

        SpecMount *m = add(s, MOUNT_BIND, "/srv/nowhere", "/data");
        ASSERT_ERROR(prepare(s, &r, &e), ENOENT);
        ASSERT_STREQ(e.message,
                     "mounting '/srv/nowhere' on '/data' failed: No such file or directory");
        ASSERT_STREQ(
                e.hint,
                "create /srv/nowhere on the host, or make the mount optional: Bind=-/srv/nowhere:/data");
        ASSERT_EQ(e.id, ERROR_MOUNT_FAILED);
        rootfs_done(&r);
        ASSERT_OK(umount2(root, MNT_DETACH));
        m->optional = true;
        ASSERT_OK(prepare(s, &r, NULL));
        ASSERT_TRUE(faccessat(r.root_fd, "data", F_OK, 0) < 0);
}

TEST(kinds_that_do_not_match) {
        {
                SETUP;
                add(s, MOUNT_BIND, "/mnt/src/file", "/etc");
                ASSERT_ERROR(prepare(s, &r, &e), EISDIR);
                ASSERT_STREQ(e.hint, "the source is not a directory, but the target is one");
        }
        {
                SETUP;
                add(s, MOUNT_BIND, "/mnt/src", "/etc/passwd");
                ASSERT_ERROR(prepare(s, &r, &e), ENOTDIR);
                ASSERT_STREQ(e.message,
                             "mounting '/mnt/src' on '/etc/passwd' failed: Not a directory");
        }
        {
                SETUP;
                add(s, MOUNT_TMPFS, NULL, "/etc/passwd/x");
                ASSERT_ERROR(prepare(s, &r, &e), ENOTDIR);
                ASSERT_STREQ(e.message,
                             "mounting tmpfs on '/etc/passwd/x' failed: Not a directory");
        }
        {
                SETUP;
                s->root.read_only = true;
                add(s, MOUNT_BIND, "/mnt/src", "/missing");
                ASSERT_ERROR(prepare(s, &r, &e), EROFS);
                ASSERT_CONTAINS(e.hint, "read-only root");
        }
}

TEST(places_that_are_taken) {
        static const char *const targets[] = { "/",
                                               "/proc",
                                               "/proc/sys",
                                               "/dev/mqueue",
                                               "/sys/fs/cgroup/x",
                                               "/run",
                                               "//run/host/",
                                               "/run/host/inaccessible/reg",
                                               "/run/host/incoming",
                                               "/run/host/incoming/x" };

        for (size_t i = 0; i < ELEMENTSOF(targets); i++) {
                SETUP;
                add(s, MOUNT_BIND, "/mnt/src", targets[i]);
                ASSERT_ERROR(prepare(s, &r, &e), EOPNOTSUPP);
                ASSERT_EQ(e.id, ERROR_UNSUPPORTED);
                ASSERT_CONTAINS(e.message, targets[i]);
        }
}

/* What the child hides files of /proc with would be gone. */
TEST(run_hidden_behind_a_link) {
        SETUP;
        ASSERT_OK(mkdir(in_root(root, "var"), 0755));
        ASSERT_OK(symlink("/run", in_root(root, "var/run")));
        add(s, MOUNT_BIND, "/mnt/src", "/var/run");
        ASSERT_ERROR(prepare(s, &r, &e), ENOENT);
        ASSERT_CONTAINS(e.message, "making /run/host read-only failed");
}

TEST(targets_that_lead_out) {
        static const char *const out[][2] = {
                /* link's target, mount target */
                { "/mnt/victim", "/link/new" },
                { "../../../../mnt/victim", "/link/new" },
                { "/mnt/victim", "/link" },
                { "/mnt/victim/new", "/link" },
                { "/proc/self/root/mnt/victim", "/link/new" },
                { "../victim", "/link/x/y" },
        };
        (void) mkdir("/mnt/victim", 0755);
        for (size_t i = 0; i < ELEMENTSOF(out); i++) {
                SETUP;
                ASSERT_OK(symlink(out[i][0], in_root(root, "link")));
                add(s, MOUNT_BIND, "/mnt/src", out[i][1]);
                (void) prepare(s, &r, &e); /* inside, or refused */
                ASSERT_TRUE(access("/mnt/victim/new", F_OK) < 0);
                ASSERT_TRUE(access("/mnt/victim/file", F_OK) < 0);
                ASSERT_TRUE(access("/mnt/victim/x", F_OK) < 0);
        }
}

TEST(temporary_file_systems) {
        SETUP;
        struct statvfs v;
        struct stat st;

        SpecMount *m = add(s, MOUNT_TMPFS, NULL, "/a");
        m = add(s, MOUNT_TMPFS, NULL, "/b");
        ASSERT_OK(free_and_strdup(&m->options, "mode=0700,size=1m,uid=5,gid=6,noexec,nosuid"));
        m = add(s, MOUNT_TMPFS, NULL, "/c");
        ASSERT_OK(free_and_strdup(&m->options, "ro,dev"));
        s->users.mode = USERNS_RANGE;
        s->users.base = RANGE;
        s->users.ownership = OWNERSHIP_OFF;
        ASSERT_OK(prepare(s, &r, &e));
        ASSERT_OK(fstatat(r.root_fd, "a", &st, 0));
        ASSERT_EQ(st.st_mode & 07777, 0755);
        ASSERT_EQ(st.st_uid, RANGE);
        ASSERT_OK(fstatat(r.root_fd, "b", &st, 0));
        ASSERT_EQ(st.st_mode & 07777, 0700);
        ASSERT_EQ(st.st_uid, RANGE + 5);
        ASSERT_EQ(st.st_gid, RANGE + 6);
        _cleanup_close_ int b = openat(r.root_fd, "b", O_RDONLY | O_CLOEXEC),
                            c = openat(r.root_fd, "c", O_RDONLY | O_CLOEXEC);
        ASSERT_OK(fstatvfs(b, &v));
        ASSERT_EQ(v.f_blocks * v.f_frsize, 1 << 20);
        ASSERT_TRUE(v.f_flag & ST_NOEXEC);
        ASSERT_OK(fstatvfs(c, &v));
        ASSERT_TRUE(v.f_flag & ST_RDONLY);
        ASSERT_FALSE(v.f_flag & ST_NODEV);
}

TEST(bad_options) {
        {
                SETUP;
                ASSERT_OK(free_and_strdup(&add(s, MOUNT_TMPFS, NULL, "/a")->options,
                                          "size=1m,nosuch=3"));
                ASSERT_TRUE(prepare(s, &r, &e) < 0);
                ASSERT_CONTAINS(e.message, "mounting tmpfs on '/a' failed: ");
                ASSERT_CONTAINS(e.message, "nosuch"); /* the kernel's own words */
        }
        {
                SETUP;
                ASSERT_OK(free_and_strdup(&add(s, MOUNT_TMPFS, NULL, "/a")->options, "uid=-1"));
                ASSERT_ERROR(prepare(s, &r, &e), EINVAL);
                ASSERT_STREQ(e.message,
                             "option 'uid' of the temporary file system on '/a' is not valid");
        }
}

TEST(inaccessible) {
        SETUP;
        struct stat st;

        ASSERT_OK(mkfifo(in_root(root, "etc/fifo"), 0666));
        ASSERT_OK(symlink("/etc/passwd", in_root(root, "etc/link")));
        add(s, MOUNT_INACCESSIBLE, NULL, "/etc/group");
        add(s, MOUNT_INACCESSIBLE, NULL, "/usr");
        add(s, MOUNT_INACCESSIBLE, NULL, "/etc/fifo");
        add(s, MOUNT_INACCESSIBLE, NULL, "/etc/link");
        add(s, MOUNT_INACCESSIBLE, NULL, "/nowhere")->optional = true;
        ASSERT_OK(prepare(s, &r, &e));
        static const struct {
                const char *path;
                mode_t mode;
        } expected[] = {
                { "etc/group", S_IFREG },
                { "usr", S_IFDIR },
                { "etc/fifo", S_IFIFO },
                { "etc/passwd", S_IFREG },
        };
        for (size_t i = 0; i < ELEMENTSOF(expected); i++) {
                ASSERT_OK(fstatat(r.root_fd, expected[i].path, &st, AT_SYMLINK_NOFOLLOW));
                ASSERT_EQ(st.st_mode, expected[i].mode);
        }
        ASSERT_ERROR(mkdirat(r.root_fd, "usr/x", 0755) < 0 ? -errno : 0, EROFS);
        rootfs_done(&r);
        ASSERT_OK(umount2(root, MNT_DETACH));
        add(s, MOUNT_INACCESSIBLE, NULL, "/nowhere");
        ASSERT_ERROR(prepare(s, &r, &e), ENOENT);
        ASSERT_STREQ(
                e.message,
                "mounting an inaccessible node on '/nowhere' failed: No such file or directory");
}

TEST(idmaps) {
        SETUP;
        struct stat st;

        ASSERT_OK(chown("/mnt/src/file", 1000, 1001)); /* a group of another number */
        add(s, MOUNT_BIND, "/mnt/src", "/plain")->idmap = BIND_NOIDMAP;
        add(s, MOUNT_BIND, "/mnt/src", "/mapped")->idmap = BIND_IDMAP;
        add(s, MOUNT_BIND, "/mnt/src/file", "/mine")->idmap = BIND_ROOTIDMAP;
        s->users.mode = USERNS_RANGE;
        s->users.base = RANGE;
        int k = prepare(s, &r, &e);
        if (k == -EINVAL && e.id == ERROR_UNSUPPORTED)
                TEST_SKIP("this kernel cannot idmap tmpfs");
        ASSERT_OK(k);
        ASSERT_OK(fstatat(r.root_fd, "plain/file", &st, 0));
        ASSERT_EQ(st.st_uid, 1000);
        ASSERT_OK(fstatat(r.root_fd, "mapped/file", &st, 0));
        ASSERT_EQ(st.st_uid, RANGE + 1000);
        ASSERT_OK(fstatat(r.root_fd, "mine", &st, 0));
        ASSERT_EQ(st.st_uid, RANGE);
        ASSERT_EQ(st.st_gid, RANGE);
}

TEST(the_owner_of_the_target) {
        SETUP;
        struct stat st;

        ASSERT_OK(chown("/mnt/src/file", 1000, 1001));
        ASSERT_OK(put(root, "etc/his", ""));
        ASSERT_OK(chown(in_root(root, "etc/his"), 33, 34));
        add(s, MOUNT_BIND, "/mnt/src/file", "/etc/his")->idmap = BIND_OWNERIDMAP;
        add(s, MOUNT_BIND, "/mnt/src/file", "/etc/new")->idmap = BIND_OWNERIDMAP;
        s->users.mode = USERNS_RANGE;
        s->users.base = RANGE;
        ASSERT_OK(prepare(s, &r, &e));
        ASSERT_OK(fstatat(r.root_fd, "etc/his", &st, 0));
        ASSERT_EQ(st.st_uid, RANGE + 33);
        ASSERT_EQ(st.st_gid, RANGE + 34);
        ASSERT_OK(fstatat(r.root_fd, "etc/new", &st, 0)); /* made by the container's root */
        ASSERT_EQ(st.st_uid, RANGE);
        ASSERT_OK(umount2(root, MNT_DETACH));
        rootfs_done(&r);
        ASSERT_OK(chown(in_root(root, "etc/his"), 100000, 34));
        ASSERT_ERROR(prepare(s, &r, &e), ERANGE);
        ASSERT_CONTAINS(e.hint, "owneridmap");
}

TEST(an_idmap_that_cannot_be) {
        SETUP;

        add(s, MOUNT_BIND, "/proc", "/mapped")->idmap = BIND_IDMAP;
        s->users.mode = USERNS_RANGE;
        s->users.base = RANGE;
        s->users.ownership = OWNERSHIP_OFF;
        ASSERT_TRUE(prepare(s, &r, &e) < 0);
        ASSERT_EQ(e.id, ERROR_UNSUPPORTED);
        ASSERT_CONTAINS(e.message, "the ids of '/proc' (mounted on '/mapped') cannot be mapped");
}

TEST(an_idmap_without_user_namespace_is_none) {
        SETUP;

        add(s, MOUNT_BIND, "/mnt/src", "/mapped")->idmap = BIND_IDMAP;
        ASSERT_OK(prepare(s, &r, &e));
}

FAKE_ROOT_MAIN
