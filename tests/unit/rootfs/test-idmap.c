/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of rootfs/idmap.c: which range a container gets, and who it is kept from. */
#include "rootfs/idmap.h"

#include <sys/fsuid.h>

#include "fake-root.h"
#include "sys/caps.h"
#include "sys/lock.h"

/* A root whose directory belongs to uid:gid; chooses. */
static int choose(UsernsMode mode, uint32_t base, uint32_t count, uid_t uid, gid_t gid,
                  const char *name, Rootfs *r, Error *e) {
        _cleanup_free_ char *root = fake_root();
        _cleanup_spec_ ContainerSpec *s = fake_spec(root);

        if (free_and_strdup(&s->name, name) < 0 || chown(root, uid, gid) < 0)
                abort();
        s->users.mode = mode;
        s->users.base = base;
        s->users.count = count;
        *r = (Rootfs) ROOTFS_NULL;
        r->directory_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        ASSERT_OK(fstat(r->directory_fd, &r->directory_stat));
        return rootfs_choose_ids(s, r, e);
}

#define ASSERT_MAP(r, o, c)                      \
        do {                                     \
                ASSERT_EQ((r).map.inside, 0);    \
                ASSERT_EQ((r).map.outside, (o)); \
                ASSERT_EQ((r).map.count, (c));   \
        } while (0)

TEST(no_namespace) {
        Rootfs r;

        ASSERT_OK(choose(USERNS_NO, 5, 5, 0, 0, "x", &r, NULL));
        ASSERT_EQ(r.map.count, 0);
        ASSERT_EQ(rootfs_host_uid(&r, 5), 5);
        ASSERT_FALSE(idmap_shifts(&r));
        rootfs_done(&r);
}

TEST(identity_and_given) {
        Rootfs r;

        ASSERT_OK(choose(USERNS_IDENTITY, 0, 0, 0, 0, "x", &r, NULL));
        ASSERT_MAP(r, 0, 65536);
        ASSERT_FALSE(idmap_shifts(&r));
        rootfs_done(&r);
        ASSERT_OK(choose(USERNS_RANGE, 100000, 1000, 0, 0, "x", &r, NULL));
        ASSERT_MAP(r, 100000, 1000);
        ASSERT_EQ(rootfs_host_uid(&r, 5), 100005);
        rootfs_done(&r);
        ASSERT_OK(choose(USERNS_RANGE, RANGE, 0, 0, 0, "x", &r, NULL));
        ASSERT_MAP(r, RANGE, 65536);
        rootfs_done(&r);
}

TEST(beyond_the_last_id) {
        _cleanup_error_ Error e = ERROR_NULL;
        Rootfs r;

        ASSERT_ERROR(choose(USERNS_RANGE, 4294900000U, 67296, 0, 0, "x", &r, &e), ERANGE);
        ASSERT_CONTAINS(e.message, "4294900000:67296");
        rootfs_done(&r);
        ASSERT_OK(choose(USERNS_RANGE, 4294900000U, 67295, 0, 0, "x", &r, NULL));
        rootfs_done(&r);
}

TEST(from_the_owner) {
        _cleanup_error_ Error e = ERROR_NULL;
        Rootfs r;

        ASSERT_OK(choose(USERNS_YES, 0, 0, RANGE + 7, RANGE + 9, "x", &r, NULL));
        ASSERT_MAP(r, RANGE, 65536);
        rootfs_done(&r);
        ASSERT_OK(choose(USERNS_YES, 0, 0, 0, 0, "x", &r, NULL));
        ASSERT_MAP(r, 0, 65536);
        rootfs_done(&r);
        ASSERT_ERROR(choose(USERNS_YES, 0, 0, RANGE, 0, "x", &r, &e), EUCLEAN);
        ASSERT_CONTAINS(e.message, "are not of one range");
        rootfs_done(&r);
}

TEST(pick_is_stable_and_exclusive) {
        _cleanup_error_ Error e = ERROR_NULL;
        Rootfs a, b, c, d;

        ASSERT_OK(choose(USERNS_PICK, 0, 0, 0, 0, "web", &a, NULL));
        const uint32_t first = a.map.outside;
        ASSERT_EQ(first % 65536, 0);
        ASSERT_TRUE(first >= 524288 && first <= 1878982656U);
        ASSERT_EQ(a.map.count, 65536);
        /* the same name again: another range, as this one is taken */
        ASSERT_OK(choose(USERNS_PICK, 0, 0, 0, 0, "web", &b, NULL));
        ASSERT_NE(b.map.outside, first);
        ASSERT_EQ(b.map.outside % 65536, 0);
        /* and nobody gets it by asking */
        ASSERT_ERROR(choose(USERNS_RANGE, first, 65536, 0, 0, "other", &c, &e), EBUSY);
        ASSERT_STREQ(error_id_to_string(e.id), "RootBusy");
        ASSERT_CONTAINS(e.message, "is in use by another container");
        rootfs_done(&c);
        /* by no part of it either, but next to it is fine */
        ASSERT_ERROR(choose(USERNS_RANGE, first - 65536, 65537, 0, 0, "other", &c, NULL), EBUSY);
        rootfs_done(&c);
        ASSERT_OK(choose(USERNS_RANGE, first - 65536, 65536, 0, 0, "other", &c, NULL));
        rootfs_done(&c);
        rootfs_done(&a);
        ASSERT_OK(choose(USERNS_PICK, 0, 0, 0, 0, "web", &d, NULL));
        ASSERT_EQ(d.map.outside, first);
        rootfs_done(&d);
        rootfs_done(&b);
        ASSERT_OK(choose(USERNS_PICK, 0, 0, 0, 0, "wec", &a, NULL));
        ASSERT_NE(a.map.outside, first);
        rootfs_done(&a);
}

TEST(pick_avoids_the_given_and_the_locked) {
        Rootfs a, b;
        char name[16];

        ASSERT_OK(choose(USERNS_PICK, 0, 0, 0, 0, "web", &a, NULL));
        const uint32_t first = a.map.outside;
        rootfs_done(&a);
        ASSERT_OK(choose(USERNS_RANGE, first + 5, 10, 0, 0, "x", &a, NULL));
        ASSERT_OK(choose(USERNS_RANGE, first + 5, 10, 0, 0, "y", &b, NULL)); /* they may share */
        rootfs_done(&b);
        ASSERT_OK(choose(USERNS_PICK, 0, 0, 0, 0, "web", &b, NULL));
        ASSERT_NE(b.map.outside, first);
        rootfs_done(&b);
        rootfs_done(&a);
        /* systemd-nspawn's lock counts */
        snprintf(name, sizeof(name), "%u", first);
        _cleanup_close_ int lock = lock_take("/run/systemd/nspawn-uid", name, LOCK_MODE_EXCLUSIVE);
        ASSERT_OK(lock);
        ASSERT_OK(choose(USERNS_PICK, 0, 0, 0, 0, "web", &b, NULL));
        ASSERT_NE(b.map.outside, first);
        rootfs_done(&b);
}

TEST(pick_avoids_what_the_host_gave_away) {
        Rootfs r;

        ASSERT_OK(choose(USERNS_PICK, 0, 0, 0, 0, "web", &r, NULL));
        const uint32_t first = r.map.outside;
        rootfs_done(&r);
        const struct {
                const char *path, *format;
                uint32_t id;
                bool avoided;
        } cases[] = {
                { "/etc/subuid", "eve:%u:1\n", first + 65535, true },
                { "/etc/subuid", "eve:%u:65536\n", first - 65536, false },
                { "/etc/subgid", "eve:1:1\nbob:%u:65537\n", first - 65536, true },
                { "/etc/passwd", "root:x:0:0::/:/bin/sh\nx:x:%u:0::/:/bin/sh", first + 1, true },
                { "/etc/passwd", "root:x:0:0::/:/bin/sh\nx:x:%u:0::/:/bin/sh", first + 65536,
                  false },
                { "/etc/group", "x:x:%u:\n", first, true },
                { "/etc/group", "broken\nx:%u\n::::\nx:x:y:z\n", first, false },
        };
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                StrBuf b = { 0 };
                const char *at = strstr(cases[i].format, "%u");
                strbuf_add_bytes(&b, cases[i].format, (size_t) (at - cases[i].format));
                strbuf_addf(&b, "%u%s", cases[i].id, at + 2);
                ASSERT_OK(write_file_at(AT_FDCWD, "/mnt/replaced", b.text));
                strbuf_done(&b);
                if (access(cases[i].path, F_OK) < 0)
                        continue;
                ASSERT_OK(mount("/mnt/replaced", cases[i].path, NULL, MS_BIND, NULL));
                int k = choose(USERNS_PICK, 0, 0, 0, 0, "web", &r, NULL);
                ASSERT_OK(umount(cases[i].path));
                ASSERT_OK(k);
                if ((r.map.outside != first) != cases[i].avoided)
                        TEST_FAIL("case %zu: %u %s", i, r.map.outside, cases[i].path);
                rootfs_done(&r);
        }
}

TEST(pick_keeps_the_owners_range) {
        _cleanup_error_ Error e = ERROR_NULL;
        Rootfs r, s;

        ASSERT_OK(choose(USERNS_PICK, 0, 0, RANGE, RANGE, "x", &r, NULL));
        ASSERT_MAP(r, RANGE, 65536);
        ASSERT_ERROR(choose(USERNS_PICK, 0, 0, RANGE, RANGE, "y", &s, &e), EBUSY);
        ASSERT_CONTAINS(e.message, "the user ID range 1000013824…1000079359 that owns '/mnt/root-");
        rootfs_done(&s);
        rootfs_done(&r);
        /* below the ranges of containers it is somebody's of the host */
        ASSERT_OK(choose(USERNS_PICK, 0, 0, 1000, 1000, "x", &r, NULL));
        ASSERT_NE(r.map.outside, 0);
        rootfs_done(&r);
}

TEST(the_user_must_fit) {
        _cleanup_free_ char *root = fake_root();
        _cleanup_spec_ ContainerSpec *s = fake_spec(root);
        static const char *const users[] = { "bob", "5000", "audio" };

        ASSERT_OK(put(root, "etc/group", "audio:x:999:bob\nbig:x:70000:small\n"));
        ASSERT_OK(put(
                root, "etc/passwd",
                "bob:x:1000:5::/:/bin/sh\naudio:x:5:5000::/:/bin/sh\nsmall:x:1:1::/:/bin/sh\n"));
        s->users.mode = USERNS_RANGE;
        s->users.base = RANGE;
        for (size_t i = 0; i < ELEMENTSOF(users); i++) {
                _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;
                _cleanup_error_ Error e = ERROR_NULL;
                ASSERT_OK(free_and_strdup(&s->payload.user, users[i]));
                s->users.count = 1000;
                ASSERT_ERROR(prepare(s, &r, &e), ERANGE);
                ASSERT_CONTAINS(e.message, "is beyond the container's 1000 ids");
                ASSERT_CONTAINS(e.message, users[i]);
        }
        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        ASSERT_OK(free_and_strdup(&s->payload.user, "small"));
        s->users.count = 65536;
        ASSERT_ERROR(prepare(s, &r, &e), ERANGE);
        ASSERT_STREQ(e.message,
                     "group ID 70000 of user 'small' is beyond the container's 65536 ids");
}

TEST(files_are_made_by_the_containers_root) {
        _cleanup_error_ Error e = ERROR_NULL;
        uint64_t caps, kept;
        struct stat st;
        Rootfs r;

        ASSERT_OK(choose(USERNS_RANGE, RANGE, 65536, 0, 0, "x", &r, NULL));
        _cleanup_close_ int fd = sandbox_dir();
        ASSERT_OK(fchmod(fd, 0555)); /* capabilities are kept */
        ASSERT_OK(caps_get_effective(&caps));
        ASSERT_OK(rootfs_become_owner(&r, caps, &e));
        ASSERT_EQ(geteuid(), RANGE);
        ASSERT_EQ(getuid(), 0);
        int made = mkdirat(fd, "d", 0755), node = mknodat(fd, "n", S_IFCHR | 0600, makedev(1, 3));
        ASSERT_OK(caps_get_effective(&kept));
        ASSERT_OK(rootfs_resume_self(&r, &e));
        ASSERT_OK(made);
        ASSERT_OK(node);
        ASSERT_TRUE(kept == caps);
        ASSERT_OK(caps_get_effective(&kept));
        ASSERT_TRUE(kept == caps);
        ASSERT_EQ(geteuid(), 0);
        ASSERT_OK(mkdirat(fd, "after", 0755));
        ASSERT_OK(fstatat(fd, "d", &st, 0));
        ASSERT_EQ(st.st_uid, RANGE);
        ASSERT_EQ(st.st_gid, RANGE);
        ASSERT_OK(fstatat(fd, "after", &st, 0));
        ASSERT_EQ(st.st_uid, 0);
        ASSERT_EQ(st.st_gid, 0);
        rootfs_done(&r);
}

TEST(file_systems_have_names) {
        char buf[24];
        _cleanup_close_ int proc = open("/proc", O_PATH | O_CLOEXEC),
                            tmp = open("/mnt", O_PATH | O_CLOEXEC);

        ASSERT_STREQ(file_system_name(proc, buf), "proc");
        ASSERT_STREQ(file_system_name(tmp, buf), "tmpfs");
}

FAKE_ROOT_MAIN
