/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies of a tree in which somebody is at work. What copies have is tested with those of images. */
#include "sys/tree-copy.h"

#include <stdio.h>
#include <sys/xattr.h>

#include "disturb.h"
#include "sandbox.h"
#include "sys/tree-delete.h"

typedef struct Work {
        int dir_fd;
        const char *other; /* takes the place of "tree/f" */
} Work;

static int copy(const void *userdata) {
        const Work *w = userdata;
        TreeCopy c = { 0 };
        _cleanup_close_ int from = openat(w->dir_fd, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int r = from < 0 ? -errno : tree_copy(from, w->dir_fd, "copy", &c);
        free(c.failed);
        return r;
}

static void exchange(void *userdata) {
        const Work *w = userdata;
        ASSERT_EQ(renameat2(w->dir_fd, "tree/f", w->dir_fd, w->other, RENAME_EXCHANGE), 0);
}

/* A device that nobody has: to open it is an error. A link leads to what is not in the tree. */
static void make_others(int d) {
        ASSERT_OK(mkdirat(d, "tree", 0755));
        ASSERT_OK(write_file_at(d, "tree/f", "mine"));
        ASSERT_OK(write_file_at(d, "secret", "secret"));
        ASSERT_EQ(mknodat(d, "device", S_IFBLK | 0600, 0), 0);
        ASSERT_EQ(mkfifoat(d, "fifo", 0600), 0);
        ASSERT_EQ(symlinkat("../secret", d, "link"), 0);
        ASSERT_OK(mkdirat(d, "directory", 0755));
}

/* It is the one or the other, of no other kind, and nothing but the file was opened. */
TEST(what_becomes_something_else) {
        static const char *const others[] = { "device", "fifo", "link", "directory" };
        for (size_t k = 0; k < ELEMENTSOF(others); k++) {
                Work w = { .other = others[k] };
                struct stat st, other;
                bool ended = false, seen[2] = { false, false };
                _cleanup_close_ int d = w.dir_fd = sandbox_dir();
                make_others(d);
                ASSERT_EQ(fstatat(d, others[k], &other, AT_SYMLINK_NOFOLLOW), 0);
                for (unsigned n = 1; !ended; n++) {
                        int r = disturbed_at_call(n, copy, exchange, &w, &ended);
                        if (r < 0)
                                TEST_FAIL("'%s' at call %u: %s", others[k], n, errno_words(r));
                        ASSERT_EQ(fstatat(d, "copy/f", &st, AT_SYMLINK_NOFOLLOW), 0);
                        const bool file = S_ISREG(st.st_mode);
                        ASSERT_TRUE(file ? st.st_size == 4 : st.st_mode == other.st_mode);
                        seen[file] = true;
                        ASSERT_OK(tree_delete(d, "copy", NULL, NULL));
                        if (!ended)
                                exchange(&w);
                }
                ASSERT_TRUE(seen[false] && seen[true]);
        }
}

static void make_removable(int d) {
        ASSERT_OK(mkdirat(d, "tree", 0755));
        ASSERT_OK(write_file_at(d, "tree/file", "file"));
        ASSERT_OK(mkdirat(d, "tree/directory", 0755));
        ASSERT_OK(write_file_at(d, "tree/directory/file", "file"));
        ASSERT_EQ(symlinkat("file", d, "tree/link"), 0);
        ASSERT_OK(write_file_at(d, "tree/kept", "kept"));
}

static void remove_all_but_one(void *userdata) {
        const Work *w = userdata;
        ASSERT_OK(unlinkat(w->dir_fd, "tree/file", 0));
        ASSERT_OK(unlinkat(w->dir_fd, "tree/directory/file", 0));
        ASSERT_OK(unlinkat(w->dir_fd, "tree/directory", AT_REMOVEDIR));
        ASSERT_OK(unlinkat(w->dir_fd, "tree/link", 0));
}

/* It is in the copy as it was, or it is not. */
TEST(what_is_removed) {
        static const char *const removed[] = { "copy/file", "copy/directory", "copy/directory/file",
                                               "copy/link" };
        bool ended = false, seen[ELEMENTSOF(removed)][2] = { { false } };
        struct stat st;
        for (unsigned n = 1; !ended; n++) {
                _cleanup_close_ int d = sandbox_dir();
                Work w = { .dir_fd = d };
                make_removable(d);
                int r = disturbed_at_call(n, copy, remove_all_but_one, &w, &ended);
                if (r < 0)
                        TEST_FAIL("at call %u: %s", n, errno_words(r));
                ASSERT_EQ(fstatat(d, "copy/kept", &st, AT_SYMLINK_NOFOLLOW), 0);
                ASSERT_EQ(st.st_size, 4);
                for (size_t k = 0; k < ELEMENTSOF(removed); k++) {
                        r = fstatat(d, removed[k], &st, AT_SYMLINK_NOFOLLOW);
                        ASSERT_TRUE(r == 0 || errno == ENOENT);
                        ASSERT_TRUE(r < 0 || S_ISDIR(st.st_mode) || st.st_size == 4);
                        seen[k][r == 0] = true;
                }
        }
        for (size_t k = 0; k < ELEMENTSOF(removed); k++)
                ASSERT_TRUE(seen[k][false] && seen[k][true]);
}

static void remove_all(void *userdata) {
        const Work *w = userdata;
        remove_all_but_one(userdata);
        ASSERT_OK(unlinkat(w->dir_fd, "tree/kept", 0));
        ASSERT_OK(unlinkat(w->dir_fd, "tree", AT_REMOVEDIR));
}

/* A part is no copy of all of it. */
TEST(a_top_that_is_removed) {
        bool ended = false;
        struct stat st;
        unsigned n_failed = 0;
        for (unsigned n = 1; !ended; n++) {
                _cleanup_close_ int d = sandbox_dir();
                Work w = { .dir_fd = d };
                make_removable(d);
                int r = disturbed_at_call(n, copy, remove_all, &w, &ended);
                n_failed += r < 0;
                if (r < 0)
                        continue;
                ASSERT_EQ(fstatat(d, "copy/kept", &st, AT_SYMLINK_NOFOLLOW), 0);
                ASSERT_EQ(fstatat(d, "copy/file", &st, AT_SYMLINK_NOFOLLOW), 0);
                ASSERT_EQ(fstatat(d, "copy/directory/file", &st, AT_SYMLINK_NOFOLLOW), 0);
                ASSERT_EQ(fstatat(d, "copy/link", &st, AT_SYMLINK_NOFOLLOW), 0);
        }
        ASSERT_TRUE(n_failed > 0);
}

TEST(what_has_no_contents) {
        char value[16] = "", target[16] = "";
        struct stat st;
        _cleanup_close_ int d = sandbox_dir();
        make_others(d);
        const Work w = { .dir_fd = d };
        ASSERT_EQ(renameat(d, "device", d, "tree/device"), 0);
        ASSERT_EQ(renameat(d, "link", d, "tree/link"), 0);
        ASSERT_EQ(fchdir(d), 0);
        ASSERT_EQ(lsetxattr("tree/device", "trusted.x", "node", 4, 0), 0);
        ASSERT_EQ(lsetxattr("tree/link", "trusted.x", "link", 4, 0), 0);
        ASSERT_OK(copy(&w));
        ASSERT_EQ(lgetxattr("copy/device", "trusted.x", value, sizeof(value)), 4);
        ASSERT_STREQ(value, "node");
        ASSERT_EQ(lgetxattr("copy/link", "trusted.x", value, sizeof(value)), 4);
        ASSERT_STREQ(value, "link");
        ASSERT_EQ(readlink("copy/link", target, sizeof(target) - 1), 9);
        ASSERT_STREQ(target, "../secret");
        ASSERT_TRUE(lgetxattr("secret", "trusted.x", value, sizeof(value)) < 0);
        ASSERT_EQ(lstat("copy/device", &st), 0);
        ASSERT_EQ(st.st_mode, S_IFBLK | 0600);
        ASSERT_EQ(chdir("/"), 0);
}

SANDBOX_MAIN
