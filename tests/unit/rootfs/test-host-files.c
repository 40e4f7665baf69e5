/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of rootfs/host-files.c: what is copied, what is left alone, and that nothing is written through. The host's own files are
 * replaced in the sandbox. */
#include "fake-root.h"

#define HOST_RESOLV "nameserver 192.0.2.1\n"

/* The host's /etc for these tests: an overlay would need a disk, so it is a tmpfs with the few files that matter. */
static void make_host(void) {
        static bool made;

        if (made)
                return;
        made = true;
        if (mount("etc", "/etc", "tmpfs", 0, "mode=0755") < 0 ||
            put("/etc", "resolv.conf", HOST_RESOLV) < 0 ||
            put("/etc", "os-release", "ID=host\n") < 0 ||
            symlink("/usr/share/zoneinfo/Europe/Berlin", "/etc/localtime") < 0)
                abort();
}

#define SETUP                                              \
        _cleanup_free_ char *root = fake_root();           \
        _cleanup_spec_ ContainerSpec *s = fake_spec(root); \
        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;     \
        _cleanup_error_ Error e = ERROR_NULL;              \
        make_host()

static bool has(const Rootfs *r, const char *path, const char *text) {
        _cleanup_free_ char *found = read_at(r->root_fd, path);

        return streq_ptr(found, text);
}

static bool links_to(const Rootfs *r, const char *path, const char *target) {
        char found[256] = { 0 };

        return readlinkat(r->root_fd, path, found, sizeof(found) - 1) > 0 && streq(found, target);
}

TEST(resolv_conf_is_copied) {
        static const char *const before[] = { NULL, "old\n", HOST_RESOLV };
        for (size_t i = 0; i < ELEMENTSOF(before); i++)
                for (int mode = COPY_AUTO; mode <= COPY_COPY; mode += COPY_COPY) {
                        SETUP;
                        struct stat st;
                        s->files.resolv_conf = (CopyMode) mode;
                        if (before[i])
                                ASSERT_OK(put(root, "etc/resolv.conf", before[i]));
                        ASSERT_OK(prepare(s, &r, &e));
                        ASSERT_TRUE(has(&r, "etc/resolv.conf", HOST_RESOLV));
                        ASSERT_OK(fstatat(r.root_fd, "etc/resolv.conf", &st, AT_SYMLINK_NOFOLLOW));
                        ASSERT_EQ(st.st_mode, S_IFREG | 0644);
                }
}

/* A copy of an earlier start is known by its time and size. */
TEST(resolv_conf_is_kept_up_to_date) {
        struct stat host, st;
        SETUP;
        s->files.resolv_conf = COPY_AUTO;
        ASSERT_OK(stat("/etc/resolv.conf", &host));
        for (int i = 0; i < 3; i++) {
                if (i > 0) { /* the same size, another time */
                        _cleanup_free_ char *other = strdup(HOST_RESOLV);
                        other[0] = 'x';
                        ASSERT_OK(put(root, "etc/resolv.conf", other));
                }
                if (i == 2) /* left by a start that was killed */
                        ASSERT_OK(put(root, "etc/.berth-resolv.conf", "half"));
                ASSERT_OK(prepare(s, &r, &e));
                ASSERT_TRUE(has(&r, "etc/resolv.conf", HOST_RESOLV));
                ASSERT_OK(fstatat(r.root_fd, "etc/resolv.conf", &st, AT_SYMLINK_NOFOLLOW));
                ASSERT_EQ(st.st_mtim.tv_sec, host.st_mtim.tv_sec);
                ASSERT_EQ(st.st_mtim.tv_nsec, host.st_mtim.tv_nsec);
                ASSERT_TRUE(faccessat(r.root_fd, "etc/.berth-resolv.conf", F_OK, 0) < 0);
                rootfs_done(&r);
                ASSERT_OK(umount2(root, MNT_DETACH));
        }
}

TEST(left_alone) {
        for (int i = 0; i < 3; i++) {
                SETUP;
                s->files.resolv_conf = i == 0 ? COPY_OFF : COPY_AUTO;
                s->network.private_ = i == 1;
                ASSERT_OK(put(root, "etc/resolv.conf", "old\n"));
                if (i == 2) {
                        ASSERT_OK(unlink(in_root(root, "etc/resolv.conf")));
                        ASSERT_OK(mkdir(in_root(root, "etc/resolv.conf"), 0755));
                }
                ASSERT_OK(prepare(s, &r, &e));
                if (i < 2)
                        ASSERT_TRUE(has(&r, "etc/resolv.conf", "old\n"));
        }
}

TEST(a_link_belongs_to_a_service_inside) {
        for (int boot = 0; boot < 2; boot++) {
                SETUP;
                ASSERT_OK(symlink("../run/systemd/resolve/stub-resolv.conf",
                                  in_root(root, "etc/resolv.conf")));
                ASSERT_OK(mkdir(in_root(root, "sbin"), 0755));
                ASSERT_OK(symlink("/bin/init", in_root(root, "sbin/init")));
                s->payload.start = boot ? START_BOOT : START_COMMAND;
                s->files.resolv_conf = COPY_AUTO;
                ASSERT_OK(prepare(s, &r, &e));
                ASSERT_TRUE(
                        links_to(&r, "etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf"));
                ASSERT_EQ(has(&r, "run/systemd/resolve/stub-resolv.conf", HOST_RESOLV), !boot);
                ASSERT_TRUE(access(in_root(root, "nothing"), F_OK) < 0);
                rootfs_done(&r);
                ASSERT_OK(umount2(root, MNT_DETACH));
                ASSERT_TRUE(access(in_root(root, "run/systemd"), F_OK) < 0); /* nothing lasts */
        }
}

TEST(links_that_lead_out) {
        static const char *const targets[] = { "/mnt/victim/new",
                                               "../../victim/new",
                                               "resolv.conf",
                                               "/proc/self/root/mnt/victim/new",
                                               "/run/../mnt/victim/new",
                                               "/run/host/../../../mnt/victim/new",
                                               "/run/host/x",
                                               "/run//x",
                                               "/run/" };
        (void) mkdir("/mnt/victim", 0755);
        ASSERT_OK(put("/mnt", "victim/secret", "secret"));
        for (size_t i = 0; i < ELEMENTSOF(targets); i++)
                for (int mode = COPY_AUTO; mode <= COPY_DELETE; mode++) {
                        SETUP;
                        s->files.resolv_conf = (CopyMode) mode;
                        ASSERT_OK(symlink(targets[i], in_root(root, "etc/resolv.conf")));
                        (void) prepare(s, &r, &e); /* contained or refused */
                        ASSERT_TRUE(access("/mnt/victim/new", F_OK) < 0);
                        if (mode == COPY_COPY)
                                ASSERT_TRUE(has(&r, "etc/resolv.conf", HOST_RESOLV));
                }
        SETUP;
        s->files.resolv_conf = COPY_COPY;
        ASSERT_OK(symlink("/mnt/victim/secret", in_root(root, "etc/resolv.conf")));
        ASSERT_OK(prepare(s, &r, &e));
        _cleanup_free_ char *secret = read_at(AT_FDCWD, "/mnt/victim/secret");
        ASSERT_STREQ(secret, "secret");
}

TEST(other_hard_links_stay) {
        SETUP;
        ASSERT_OK(put(root, "base", "old\n"));
        ASSERT_OK(link(in_root(root, "base"), in_root(root, "etc/resolv.conf")));
        s->files.resolv_conf = COPY_AUTO;
        ASSERT_OK(prepare(s, &r, &e));
        ASSERT_TRUE(has(&r, "etc/resolv.conf", HOST_RESOLV));
        ASSERT_TRUE(has(&r, "base", "old\n"));
}

TEST(read_only_roots_get_a_mount) {
        SETUP;
        ASSERT_OK(put(root, "etc/resolv.conf", "old\n"));
        s->root.read_only = true;
        s->files.resolv_conf = s->files.timezone = COPY_AUTO;
        ASSERT_OK(prepare(s, &r, &e));
        ASSERT_TRUE(has(&r, "etc/resolv.conf", HOST_RESOLV));
        ASSERT_ERROR(openat(r.root_fd, "etc/resolv.conf", O_WRONLY | O_CLOEXEC) < 0 ? -errno : 0,
                     EROFS);
        rootfs_done(&r);
        ASSERT_OK(umount2(root, MNT_DETACH));
        s->files.resolv_conf = COPY_COPY;
        ASSERT_ERROR(prepare(s, &r, &e), EROFS);
        ASSERT_STREQ(e.message,
                     "setting up /etc/resolv.conf in the container failed: Read-only file system");
}

TEST(bound_and_deleted) {
        SETUP;
        s->files.resolv_conf = s->files.timezone = COPY_BIND;
        ASSERT_OK(unlink("/etc/localtime"));
        ASSERT_OK(put("/etc", "localtime", "TZif"));
        ASSERT_OK(prepare(s, &r, &e));
        ASSERT_OK(unlink("/etc/localtime"));
        ASSERT_OK(symlink("/usr/share/zoneinfo/Europe/Berlin", "/etc/localtime"));
        ASSERT_TRUE(has(&r, "etc/resolv.conf", HOST_RESOLV));
        ASSERT_TRUE(has(&r, "etc/localtime", "TZif"));
        rootfs_done(&r);
        ASSERT_OK(umount2(root, MNT_DETACH));
        s->files.resolv_conf = s->files.timezone = COPY_DELETE;
        ASSERT_OK(prepare(s, &r, &e));
        ASSERT_TRUE(faccessat(r.root_fd, "etc/resolv.conf", F_OK, AT_SYMLINK_NOFOLLOW) < 0);
        ASSERT_TRUE(faccessat(r.root_fd, "etc/localtime", F_OK, AT_SYMLINK_NOFOLLOW) < 0);
}

TEST(no_etc) {
        SETUP;
        s->files.resolv_conf = s->files.timezone = COPY_AUTO;
        ASSERT_OK(unlink(in_root(root, "etc/passwd")));
        ASSERT_OK(unlink(in_root(root, "etc/group")));
        ASSERT_OK(rmdir(in_root(root, "etc")));
        ASSERT_OK(prepare(s, &r, &e));
        rootfs_done(&r);
        ASSERT_OK(umount2(root, MNT_DETACH));
        s->files.resolv_conf = COPY_COPY;
        ASSERT_ERROR(prepare(s, &r, &e), ENOENT);
        ASSERT_CONTAINS(e.message, "/etc/resolv.conf");
}

static void add_zones(const char *root) {
        static const char *const directories[] = { "usr/share", "usr/share/zoneinfo",
                                                   "usr/share/zoneinfo/Europe" };

        for (size_t i = 0; i < ELEMENTSOF(directories); i++)
                (void) mkdir(in_root(root, directories[i]), 0755);
        (void) put(root, "usr/share/zoneinfo/Europe/Berlin", "TZif");
}

TEST(time_zones) {
        SETUP;
        s->files.timezone = COPY_AUTO;
        ASSERT_OK(symlink("../usr/share/zoneinfo/Etc/UTC", in_root(root, "etc/localtime")));
        ASSERT_OK(prepare(s, &r, &e));
        ASSERT_TRUE(links_to(&r, "etc/localtime",
                             "../usr/share/zoneinfo/Etc/UTC")); /* it lacks Berlin */
        rootfs_done(&r);
        ASSERT_OK(umount2(root, MNT_DETACH));
        s->files.timezone = COPY_SYMLINK;
        ASSERT_ERROR(prepare(s, &r, &e), ENOENT);
        ASSERT_STREQ(
                e.message,
                "setting up /etc/localtime in the container failed: No such file or directory");
        rootfs_done(&r);
        ASSERT_OK(umount2(root, MNT_DETACH));
        add_zones(root);
        s->files.timezone = COPY_AUTO;
        ASSERT_OK(prepare(s, &r, NULL));
        ASSERT_TRUE(links_to(&r, "etc/localtime", "../usr/share/zoneinfo/Europe/Berlin"));
}

TEST(a_host_without_zone) {
        SETUP;
        add_zones(root);
        for (int i = 0; i < 3; i++) {
                _cleanup_error_ Error f = ERROR_NULL;
                static const char *const odd[] = { "/somewhere/else",
                                                   "/usr/share/zoneinfo/../../../etc/shadow",
                                                   "/usr/share/zoneinfo/" };
                ASSERT_OK(unlink("/etc/localtime"));
                ASSERT_OK(symlink(odd[i], "/etc/localtime"));
                s->files.timezone = COPY_AUTO;
                int auto_result = prepare(s, &r, NULL);
                bool made = faccessat(r.root_fd, "etc/localtime", F_OK, AT_SYMLINK_NOFOLLOW) >= 0;
                rootfs_done(&r);
                ASSERT_OK(umount2(root, MNT_DETACH));
                s->files.timezone = COPY_SYMLINK;
                int must_result = prepare(s, &r, &f);
                rootfs_done(&r);
                ASSERT_OK(umount2(root, MNT_DETACH));
                ASSERT_OK(unlink("/etc/localtime"));
                ASSERT_OK(symlink("/usr/share/zoneinfo/Europe/Berlin", "/etc/localtime"));
                ASSERT_OK(auto_result);
                ASSERT_FALSE(made);
                ASSERT_ERROR(must_result, ENODATA);
                ASSERT_STREQ(f.message, "the host's /etc/localtime is not a link to a time zone");
        }
}

TEST(with_shifted_ids) {
        SETUP;
        struct stat st;
        s->users.mode = USERNS_RANGE;
        s->users.base = RANGE;
        s->files.resolv_conf = COPY_AUTO;
        int k = prepare(s, &r, &e);
        if (k == -EINVAL && e.id == ERROR_UNSUPPORTED)
                TEST_SKIP("this kernel cannot idmap tmpfs");
        ASSERT_OK(k);
        ASSERT_OK(fstatat(r.root_fd, "etc/resolv.conf", &st, 0));
        ASSERT_EQ(st.st_uid, RANGE);
        rootfs_done(&r);
        ASSERT_OK(umount2(root, MNT_DETACH));
        ASSERT_OK(stat(in_root(root, "etc/resolv.conf"), &st));
        ASSERT_EQ(st.st_uid, 0);
}

FAKE_ROOT_MAIN
