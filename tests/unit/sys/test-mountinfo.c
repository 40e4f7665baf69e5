/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What proc_pid_mountinfo(5) says, and which files of one namespace another one has. */
#include "sys/mountinfo.h"

#include <fcntl.h>
#include <sys/sysmacros.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/str.h"
#include "test.h"

static MountTable parse(const char *text) {
        MountTable t;
        char *copy = strdup(text);
        ASSERT_TRUE(copy != NULL);
        ASSERT_OK(mount_table_parse(copy, &t));
        return t;
}

static const char host[] = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
                           "23 22 8:2 / /srv rw - ext4 /dev/sdb1 rw\n"
                           "24 22 8:2 /deep/down /mnt rw - ext4 /dev/sdb1 rw\n";

TEST(lines) {
        _cleanup_(mount_table_done) MountTable t = parse(
                "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n"
                "37 36 0:41 / /a\\040b\\134c\\011d ro - tmpfs none rw\n"
                "38 36 0:42 / /x ro,nosuid - tmpfs none rw\n"
                "39 36 0:42 / /x/y\\012z road - odd\n");
        ASSERT_EQ(t.n_entries, 4);
        ASSERT_EQ(t.entries[0].id, 36);
        ASSERT_EQ(t.entries[0].device, makedev(98, 0));
        ASSERT_STREQ(t.entries[0].root, "/mnt1");
        ASSERT_STREQ(t.entries[0].mount_point, "/mnt2");
        ASSERT_FALSE(t.entries[0].read_only);
        ASSERT_STREQ(t.entries[1].mount_point, "/a b\\c\td");
        ASSERT_TRUE(t.entries[1].read_only);
        ASSERT_TRUE(t.entries[2].read_only);
        ASSERT_STREQ(t.entries[3].mount_point, "/x/y\nz");
        ASSERT_FALSE(t.entries[3].read_only);
}

TEST(nonsense_is_refused) {
        static const char *const bad[] = {
                "\n",
                "x 1 8:1 / / rw - a b c\n",
                "1 1 8 / / rw - a b c\n",
                "1 1 8:1 /\n",
                "1 1 8:1x / / rw - a b\n",
                "1 1 8:1 / / rw - a b c", /* cut off */
                "1x 1 8:1 / / rw\n",
        };
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                MountTable t;
                char *copy = strdup(bad[i]);
                ASSERT_EQ(mount_table_parse(copy, &t), -EBADMSG);
        }
        _cleanup_(mount_table_done) MountTable none = parse("");
        ASSERT_EQ(none.n_entries, 0);
        ASSERT_TRUE(mount_table_at(&none, "/") == NULL);
}

TEST(the_last_one_is_seen) {
        _cleanup_(mount_table_done) MountTable t = parse("1 1 8:1 / / rw - a b c\n"
                                                         "2 1 8:2 / /x rw - a b c\n"
                                                         "3 2 8:3 / /x rw - a b c\n");
        ASSERT_EQ(mount_table_at(&t, "/x")->id, 3);
        ASSERT_EQ(mount_table_at(&t, "/")->id, 1);
        ASSERT_TRUE(mount_table_at(&t, "/x/y") == NULL);
        ASSERT_EQ(mount_table_by_id(&t, 2)->device, makedev(8, 2));
        ASSERT_TRUE(mount_table_by_id(&t, 4) == NULL);
}

TEST(paths_elsewhere) {
        static const struct {
                dev_t device;
                const char *root, *expected;
        } cases[] = {
                { 1, "/etc", "/etc" },
                { 1, "/", "/" },
                { 2, "/", "/srv" },
                { 2, "/data/x", "/srv/data/x" },
                { 2, "/deep", "/srv/deep" },
                { 2, "/deep/down", "/mnt" }, /* the nearest one */
                { 2, "/deep/down/x", "/mnt/x" },
                { 2, "/deep/downstairs", "/srv/deep/downstairs" },
                { 3, "/", NULL },
        };
        _cleanup_(mount_table_done) MountTable t = parse(host);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const MountEntry e = { .device = makedev(8, (unsigned) cases[i].device),
                                       .root = cases[i].root };
                _cleanup_free_ char *path = NULL;
                ASSERT_OK(mount_table_find_path(&t, &e, &path));
                if (cases[i].expected)
                        ASSERT_STREQ(path, cases[i].expected);
                else
                        ASSERT_TRUE(path == NULL);
        }
}

TEST(our_own) {
        _cleanup_(mount_table_done) MountTable t = { 0 };
        _cleanup_close_ int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
        ASSERT_OK(fd);
        ASSERT_OK(mount_table_read(fd, &t));
        ASSERT_TRUE(mount_table_at(&t, "/proc") != NULL);
        ASSERT_TRUE(mount_table_at(&t, "/") != NULL);
}

TEST_MAIN
