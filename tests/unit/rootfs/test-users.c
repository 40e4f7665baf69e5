/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of rootfs/users.c: who a user is, from files that lie. */
#include "fake-root.h"

/* Finds a user in a root with these files; the result is in *r (root_fd is left open for the test's life). */
static int find(const char *passwd, const char *group, const char *user, Rootfs *r, Error *e) {
        int fd = sandbox_dir();

        if (fd < 0 || mkdirat(fd, "etc", 0755) < 0)
                abort();
        if ((passwd && write_file_at(fd, "etc/passwd", passwd) < 0) ||
            (group && write_file_at(fd, "etc/group", group) < 0))
                abort();
        *r = (Rootfs) ROOTFS_NULL;
        r->root_fd = fd;
        return rootfs_find_user(r, user, false, e);
}

#define PASSWD                                       \
        "root:x:0:0:root:/root:/bin/bash\n"          \
        "bob:x:1000:1001:Bob,,,:/home/bob:/bin/sh\n" \
        "99999999999:x:0:0:trap:/:/bin/sh\n"         \
        "4294967296:x:0:0:trap:/:/bin/sh\n"          \
        "77:x:0:0:trap:/:/bin/sh\n"                  \
        "1a:x:1234:1234::/home/1a:/bin/sh\n"         \
        "octal:x:010:0::/:/bin/sh\n"                 \
        "minus:x:-1:0::/:/bin/sh\n"                  \
        "empty:x::0::/:/bin/sh\n"                    \
        "huge:x:4294967296:0::/:/bin/sh\n"           \
        "nobody16:x:65535:0::/:/bin/sh\n"            \
        "none:x:4294967295:0::/:/bin/sh\n"           \
        "badgid:x:5:x::/:/bin/sh\n"                  \
        "short:x:5:5\n"                              \
        "long:x:5:5:a:b:c:d\n"                       \
        "relative:x:6:6::home:sh\n"                  \
        "bob:x:0:0:second:/root:/bin/bash\n"         \
        "+nis:x:0:0::/:/bin/sh\n"                    \
        "last:x:7:8::/:/bin/false"

TEST(found) {
        _cleanup_error_ Error e = ERROR_NULL;
        Rootfs r;

        ASSERT_OK(find(
                PASSWD,
                "a:x:1001:\nb:x:29:eve,bob\nc:x:44:bobby,eve\nd:x:1001:bob\ne:x:x:bob\nf:x:50:bob:\ng:x:60:bob",
                "bob", &r, &e));
        ASSERT_EQ(r.user.uid, 1000);
        ASSERT_EQ(r.user.gid, 1001);
        ASSERT_STREQ(r.user.name, "bob");
        ASSERT_STREQ(r.user.home, "/home/bob");
        ASSERT_STREQ(r.user.shell, "/bin/sh");
        ASSERT_EQ(r.user.n_groups, 3);
        ASSERT_EQ(r.user.groups[0], 1001);
        ASSERT_EQ(r.user.groups[1], 29);
        ASSERT_EQ(r.user.groups[2], 60);
        rootfs_done(&r);
        ASSERT_OK(find(PASSWD, NULL, "1000", &r, &e));
        ASSERT_STREQ(r.user.name, "bob");
        ASSERT_EQ(r.user.gid, 1001);
        rootfs_done(&r);
        ASSERT_OK(find(PASSWD, NULL, "last", &r, &e));
        ASSERT_EQ(r.user.uid, 7);
        ASSERT_EQ(r.user.gid, 8);
        rootfs_done(&r);
        ASSERT_OK(find(PASSWD, NULL, "relative", &r, &e));
        ASSERT_NULL(r.user.home);
        ASSERT_NULL(r.user.shell);
        rootfs_done(&r);
        ASSERT_OK(find(PASSWD, NULL, "1a", &r, &e)); /* a name exactly as it is there */
        ASSERT_EQ(r.user.uid, 1234);
        rootfs_done(&r);
}

TEST(root_needs_no_files) {
        static const char *const roots[] = { NULL, "root", "0" };
        _cleanup_error_ Error e = ERROR_NULL;
        Rootfs r;

        for (size_t i = 0; i < ELEMENTSOF(roots); i++) {
                ASSERT_OK(find(NULL, NULL, roots[i], &r, &e));
                ASSERT_EQ(r.user.uid, 0);
                ASSERT_EQ(r.user.gid, 0);
                ASSERT_EQ(r.user.n_groups, 0);
                ASSERT_STREQ(r.user.name, "root");
                ASSERT_STREQ(r.user.home, "/root");
                rootfs_done(&r);
        }
        /* "root" is 0 whatever passwd says */
        ASSERT_OK(find("root:x:1000:1000::/home/x:/bin/x\n", NULL, "root", &r, &e));
        ASSERT_EQ(r.user.uid, 0);
        rootfs_done(&r);
        ASSERT_OK(find("root:x:0:5::/r:/bin/zsh\n", NULL, "bob", &r, NULL) == -ENOENT ? 0 : -1);
        ASSERT_OK(rootfs_find_user(&r, NULL, true, &e));
        ASSERT_STREQ(r.user.shell, "/bin/zsh");
        ASSERT_STREQ(r.user.home, "/r");
        ASSERT_EQ(r.user.gid, 0);
        rootfs_done(&r);
}

TEST(a_bare_number) {
        _cleanup_error_ Error e = ERROR_NULL;
        Rootfs r;

        ASSERT_OK(find(PASSWD, NULL, "4242", &r, &e));
        ASSERT_EQ(r.user.uid, 4242);
        ASSERT_EQ(r.user.gid, 4242);
        ASSERT_STREQ(r.user.name, "4242");
        ASSERT_NULL(r.user.home);
        ASSERT_NULL(r.user.shell);
        rootfs_done(&r);
        /* digits are a number, although passwd has a user of that name who is root */
        ASSERT_OK(find(PASSWD, NULL, "77", &r, &e));
        ASSERT_EQ(r.user.uid, 77);
        ASSERT_EQ(r.user.gid, 77);
        rootfs_done(&r);
        ASSERT_OK(find(NULL, NULL, "12", &r, &e));
        rootfs_done(&r);
}

TEST(never_root_by_accident) {
        char long_name[301];
        memset(long_name, 'a', 300);
        long_name[300] = '\0';
        const char *const refused[] = {
                "4294967296", "4294967295", "65535",       "-1",
                "+0",         " 0",         "0 ",          "0x0",
                "00",         "010",        "1a2",         "",
                "0:0:0",      "bob:root",   "99999999999", "99999999999999999999999999",
                long_name,    "-root",      "+nis",        "ro\not",
                "ro/ot",      "\xff",       "b b",         "octal",
                "minus",      "empty",      "huge",        "nobody16",
                "none",       "badgid",     "short",       "long",
                "eve",        "Bob",        "bo",          "bobb",
                "\t0",
        };
        for (size_t i = 0; i < ELEMENTSOF(refused); i++) {
                _cleanup_error_ Error e = ERROR_NULL;
                Rootfs r;
                int k = find(PASSWD, NULL, refused[i], &r, &e);
                if (k >= 0)
                        TEST_FAIL("'%s' became user %u", refused[i], r.user.uid);
                ASSERT_EQ(e.id, ERROR_NO_SUCH_USER);
                ASSERT_FALSE(strchr(e.message, '\n'));
                rootfs_done(&r);
        }
}

TEST(words) {
        _cleanup_error_ Error e = ERROR_NULL, f = ERROR_NULL, g = ERROR_NULL;
        Rootfs r;

        ASSERT_ERROR(find(PASSWD, NULL, "eve", &r, &e), ENOENT);
        ASSERT_STREQ(e.message, "there is no user 'eve' in the container");
        rootfs_done(&r);
        ASSERT_ERROR(find(PASSWD, NULL, "4294967296", &r, &f), EINVAL);
        ASSERT_STREQ(f.message, "'4294967296' is not a user name or user ID");
        rootfs_done(&r);
        ASSERT_ERROR(find(PASSWD, NULL, "minus", &r, &g), EBADMSG);
        ASSERT_STREQ(
                g.message,
                "the entry of user 'minus' in the container's /etc/passwd has a bad user or group ID");
        rootfs_done(&r);
}

TEST(files_that_are_none) {
        static const char *const names[] = { "etc/passwd", "etc/group" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                for (int kind = 0; kind < 5; kind++) {
                        _cleanup_error_ Error e = ERROR_NULL;
                        Rootfs r = ROOTFS_NULL;
                        int fd = r.root_fd = sandbox_dir();
                        ASSERT_OK(fd);
                        ASSERT_OK(mkdirat(fd, "etc", 0755));
                        ASSERT_OK(write_file_at(fd, "etc/passwd", "bob:x:1:1::/:/bin/sh\n"));
                        (void) unlinkat(fd, names[i], 0);
                        if (kind == 0)
                                ASSERT_OK(mkfifoat(fd, names[i], 0644));
                        else if (kind == 1)
                                ASSERT_OK(symlinkat("/dev/zero", fd,
                                                    names[i])); /* not there inside */
                        else if (kind == 2) {
                                ASSERT_OK(write_file_at(fd, names[i], ""));
                                _cleanup_close_ int big =
                                        openat(fd, names[i], O_WRONLY | O_CLOEXEC);
                                ASSERT_OK(ftruncate(big, 10LL << 30));
                        } else if (kind == 3)
                                ASSERT_OK(mknodat(fd, names[i], S_IFCHR | 0666, makedev(1, 5)));
                        else
                                ASSERT_OK(mkdirat(fd, names[i], 0755));
                        alarm(5);
                        int k = rootfs_find_user(&r, "bob", false, &e);
                        alarm(0);
                        if (kind == 1 && i == 1)
                                ASSERT_OK(k); /* as good as no group file */
                        else {
                                ASSERT_TRUE(k < 0);
                                ASSERT_CONTAINS(e.message, i == 0 && kind == 1 ? "bob" : names[i]);
                        }
                        rootfs_done(&r);
                }
}

TEST(too_many_groups) {
        _cleanup_error_ Error e = ERROR_NULL;
        StrBuf b = { 0 };
        Rootfs r;

        for (unsigned i = 0; i < 5000; i++)
                strbuf_addf(&b, "g%u:x:%u:bob\n", i, 2000 + i);
        ASSERT_ERROR(find(PASSWD, b.text, "bob", &r, &e), E2BIG);
        ASSERT_STREQ(e.message, "user 'bob' is in more than 1024 groups");
        strbuf_done(&b);
        rootfs_done(&r);
}

FAKE_ROOT_MAIN
