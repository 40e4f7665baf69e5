/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lock of the root directory: of what has its name when the container starts. */
#include "change-before.h"
#include "fake-root.h"
#include "sys/lock.h"

typedef struct Exchange {
        char *root, *other;
} Exchange;

static int open_the_locked(void *of) {
        const Exchange *x = of;
        _cleanup_spec_ ContainerSpec *s = fake_spec(x->root);
        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        struct stat now;
        if (rootfs_open(s, &r, &e) < 0)
                return e.id == ERROR_ROOT_NOT_FOUND ? 2 : 3;
        return stat(x->root, &now) == 0 && now.st_ino == r.directory_stat.st_ino &&
                               lock_take_inode(&now, LOCK_MODE_SHARED) == -EBUSY
                       ? 0
                       : 1;
}

static int exchange(void *of) {
        const Exchange *x = of;
        return renameat2(AT_FDCWD, x->root, AT_FDCWD, x->other, RENAME_EXCHANGE);
}

static int move_away(void *of) {
        return rename(((const Exchange *) of)->root, "/mnt/away");
}

/* An image goes back to a snapshot after its directory was opened, and before that is locked. */
TEST(locks_what_has_the_name) {
        _cleanup_free_ char *root = fake_root(), *other = fake_root();
        Exchange x = { .root = root, .other = other };

        ASSERT_EQ(changed_before_making(open_the_locked, exchange, &x), 0);
        ASSERT_EQ(changed_before_making(open_the_locked, move_away, &x), 2);
}

FAKE_ROOT_MAIN
