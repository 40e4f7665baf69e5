/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Subvolumes in a subvolume in which somebody is at work. */
#include "sys/btrfs.h"

#include <stdio.h>

#include "basic/str.h"
#include "disturb.h"
#include "mount-btrfs.h"
#include "sandbox.h"
#include "sys/tree-delete.h"

#define TOP "/mnt/k"
#define FS TOP "/fs"

static void shell(const char *script) {
        _cleanup_free_ char *command = strf("cd " FS " && set -e\n%s", script);
        if (system(command) != 0)
                TEST_FAIL("'%s' failed", script);
}

static int open_directory(const char *path) {
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static int take_snapshot(const void *userdata) {
        _cleanup_close_ int fd = open_directory(FS "/web"), pool = open_directory(FS "/pool");
        return fd < 0 || pool < 0 ? -EBADF : btrfs_subvolume_snapshot(fd, pool, "new");
}

static int set_read_only(bool on) {
        _cleanup_close_ int fd = open_directory(FS "/web");
        return fd < 0 ? fd : btrfs_subvolume_set_read_only(fd, on);
}

static int mark(const void *userdata) {
        return set_read_only(true);
}

static int unmark(const void *userdata) {
        return set_read_only(false);
}

static void drop(const char *name) {
        _cleanup_close_ int pool = open_directory(FS "/pool");
        ASSERT_OK(pool);
        ASSERT_OK(tree_delete(pool, name, NULL, NULL));
}

TEST(all_that_is_in_it) {
        BtrfsSubvolume v;
        mount_btrfs(TOP, "256M");
        shell("mkdir pool; btrfs -q subvolume create web; mkdir -p web/a/b; btrfs -q subvolume create web/a/b/in\n"
              "btrfs -q subvolume create web/a/b/in/most; btrfs -q subvolume create web/top; mkdir web/a/b/in/d\n"
              "btrfs -q subvolume create web/a/b/in/d/deep; for d in . a/b/in a/b/in/most top a/b/in/d/deep; do echo $d >web/$d/f; done");
        ASSERT_OK(take_snapshot(NULL));
        shell("cd pool/new; for d in . a/b/in a/b/in/most top a/b/in/d/deep; do test $(cat $d/f) = $d; touch $d/g; test ! -e ../../web/$d/g; done");
        ASSERT_OK(mark(NULL));
        shell("for d in . a/b/in a/b/in/most top a/b/in/d/deep; do test $(btrfs property get web/$d ro) = ro=true; done");
        ASSERT_OK(unmark(NULL));
        shell("for d in . a/b/in a/b/in/most top a/b/in/d/deep; do test $(btrfs property get web/$d ro) = ro=false; done");
        _cleanup_close_ int a = open_directory(FS "/web/a"), web = open_directory(FS "/web"),
                            pool = open_directory(FS "/pool");
        ASSERT_OK(btrfs_subvolume_read(web, &v));
        ASSERT_ERROR(btrfs_subvolume_read(a, &v), ENOTTY); /* web's it would be */
        ASSERT_ERROR(btrfs_quota_limit(a, 1 << 30), ENOTTY);
        drop("new");
        /* what is covered cannot be taken, nor what is mounted instead of it */
        shell("mkdir other; mount --bind other web/a/b");
        ASSERT_ERROR(take_snapshot(NULL), EBUSY);
        shell("umount web/a/b");
        drop("new");
        shell("test -z \"$(ls -A pool)\"");
        a = fd_close(a);
        web = fd_close(web);
        pool = fd_close(pool);
        unmount_btrfs(TOP);
}

static int take_as_user(void *userdata) {
        return setgid(1000) < 0 || setuid(1000) < 0 ? errno : -take_snapshot(NULL);
}

/* Who is not root cannot ask where a directory of the snapshot is. */
TEST(without_privileges) {
        mount_btrfs(TOP, "256M");
        shell("mkdir pool; btrfs -q subvolume create web; mkdir -p web/a/b; btrfs -q subvolume create web/a/b/in\n"
              "btrfs -q subvolume create web/a/b/in/most; echo x >web/a/b/in/most/f; chown -R 1000:1000 web pool");
        ASSERT_EQ(in_child(take_as_user, NULL), 0);
        shell("test $(cat pool/new/a/b/in/most/f) = x");
        drop("new");
        unmount_btrfs(TOP);
}

/* There is no room in it for another entry, but in the snapshot there has to be. */
TEST(what_has_reached_its_limit) {
        BtrfsQuota q;
        mount_btrfs(TOP, "256M");
        shell("mkdir pool; btrfs -q subvolume create web; btrfs -q subvolume create web/in; echo x >web/in/f\n"
              "exec >/dev/null 2>&1; btrfs quota enable .; btrfs quota rescan -w . || true");
        _cleanup_close_ int web = open_directory(FS "/web");
        ASSERT_OK(btrfs_quota_limit(web, 8 << 20));
        shell("exec 2>/dev/null; ! dd if=/dev/zero of=web/big bs=64K count=1000; ! dd if=/dev/zero of=web/more bs=4K count=100; sync; sync");
        ASSERT_OK(take_snapshot(NULL));
        shell("test $(cat pool/new/in/f) = x");
        _cleanup_close_ int new = open_directory(FS "/pool/new");
        ASSERT_OK(btrfs_quota_read(new, &q));
        ASSERT_EQ(q.max_referenced, 8 << 20);
        ASSERT_OK(btrfs_subvolume_set_read_only(new, true));
        ASSERT_OK(btrfs_subvolume_set_read_only(web, true));
        ASSERT_OK(btrfs_subvolume_set_read_only(web, false));
        drop("new");
        web = fd_close(web);
        new = fd_close(new);
        unmount_btrfs(TOP);
}

/* ---- somebody is at work ---- */

/* In the container "a" is a directory at one time; at another it is a link to what is not its own, and the directory is "real". */
typedef struct Attack {
        const char *target;
        bool linked; /* now */
        ino_t empty;
        uint64_t full;
        bool full_read_only, read_only;
} Attack;

static void swap(void *userdata) {
        Attack *a = userdata;
        const char *from = a->linked ? FS "/web/real" : FS "/web/a",
                   *to = a->linked ? FS "/web/a" : FS "/web/real";
        if (a->linked && unlink(to) < 0) {
                ASSERT_EQ(errno, EROFS);
                return;
        }
        if (rename(from, to) < 0) {
                ASSERT_EQ(errno, EROFS);
                return;
        }
        a->linked = !a->linked;
        if (a->linked)
                ASSERT_OK(symlink(a->target, from));
}

static void read_host(Attack *a) {
        struct stat st;
        BtrfsSubvolume v;
        _cleanup_close_ int full = open_directory(FS "/host/full/in");
        ASSERT_OK(full);
        ASSERT_EQ(lstat(FS "/host/empty/in", &st), 0);
        ASSERT_OK(btrfs_subvolume_read(full, &v));
        ASSERT_EQ(access(FS "/host/full/in/secret", F_OK), 0);
        a->empty = st.st_ino;
        a->full = v.id;
        a->full_read_only = v.read_only;
}

static void begin_attack(void) {
        mount_btrfs(TOP, "256M");
        shell("mkdir -p pool host/empty/in host/full; btrfs -q subvolume create host/full/in; echo x >host/full/in/secret\n"
              "btrfs -q subvolume create web; mkdir web/a; btrfs -q subvolume create web/a/in; echo mine >web/a/in/f");
}

/* begin() and check() see the tree before and after each run. */
static void attack(int (*run)(const void *), void (*begin)(void),
                   void (*check)(const Attack *a, bool changed)) {
        static const char *const targets[] = { FS "/host/empty", "../host/full" };
        for (size_t k = 0; k < 2 * ELEMENTSOF(targets); k++) {
                bool ended = false;
                for (unsigned n = 1; !ended; n++) {
                        Attack a = { .target = targets[k / 2] };
                        if (k % 2)
                                swap(&a);
                        begin();
                        read_host(&a);
                        Attack after = a;
                        int r = disturbed_at_call(n, run, swap, &a, &ended);
                        if (r < 0)
                                TEST_FAIL("changed at call %u: %s", n, errno_words(r));
                        read_host(&after);
                        if (after.empty != a.empty || after.full != a.full ||
                            after.full_read_only != a.full_read_only)
                                TEST_FAIL("changed at call %u: it got out to %s", n, a.target);
                        check(&a, !ended);
                        if (a.linked)
                                swap(&a);
                        ASSERT_FALSE(a.linked);
                        if (ended)
                                ASSERT_TRUE(n > 8);
                }
        }
}

static void begin_nothing(void) {}

/* The subvolume is there where it was, or an empty directory. */
static void check_snapshot(const Attack *a, bool changed) {
        struct stat st;
        const char *at =
                lstat(FS "/pool/new/real", &st) == 0 ? FS "/pool/new/real" : FS "/pool/new/a";
        _cleanup_close_ int top = open(at, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        ASSERT_TRUE(top >= 0);
        ASSERT_EQ(fstatat(top, "in", &st, AT_SYMLINK_NOFOLLOW), 0);
        ASSERT_TRUE(S_ISDIR(st.st_mode));
        ASSERT_TRUE(faccessat(top, "in/secret", F_OK, AT_SYMLINK_NOFOLLOW) < 0);
        ASSERT_TRUE(changed || faccessat(top, "in/f", F_OK, AT_SYMLINK_NOFOLLOW) == 0);
        drop("new");
}

TEST(a_snapshot_of_what_changes) {
        begin_attack();
        attack(take_snapshot, begin_nothing, check_snapshot);
        shell("test -z \"$(ls -A pool)\"");
        unmount_btrfs(TOP);
}

static bool is_read_only(const char *path) {
        BtrfsSubvolume v;
        _cleanup_close_ int fd = open_directory(path);
        ASSERT_OK(fd);
        ASSERT_OK(btrfs_subvolume_read(fd, &v));
        return v.read_only;
}

/* All of it: what is read-only cannot be moved any more. */
static void check_marked(const Attack *a, bool changed) {
        ASSERT_TRUE(is_read_only(FS "/web"));
        ASSERT_TRUE(is_read_only(a->linked ? FS "/web/real/in" : FS "/web/a/in"));
        ASSERT_OK(unmark(NULL));
}

TEST(marking_what_changes) {
        begin_attack();
        attack(mark, begin_nothing, check_marked);
        unmount_btrfs(TOP);
}

static void begin_child_marked(void) {
        ASSERT_OK(mark(NULL));
        shell("btrfs property set web ro false");
}

static void check_unmarked(const Attack *a, bool changed) {
        ASSERT_FALSE(is_read_only(FS "/web"));
        ASSERT_TRUE(changed || !is_read_only(a->linked ? FS "/web/real/in" : FS "/web/a/in"));
        ASSERT_OK(unmark(NULL));
}

/* As before it is removed. */
TEST(unmarking_what_changes) {
        begin_attack();
        shell("btrfs property set host/full/in ro true");
        attack(unmark, begin_child_marked, check_unmarked);
        unmount_btrfs(TOP);
}

SANDBOX_MAIN
