/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Snapshots: taken, listed, gone back to, pruned; what follows of them when their image is changed; in memory, and on btrfs. */
#include "image/snapshot.h"

#include <linux/btrfs.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "care.h"
#include "disturb.h"
#include "image/image-lock.h"
#include "kill-at.h"
#include "mount-btrfs.h"

static char *go_back(const Care *c, const char *image, const char *name) {
        _cleanup_(image_freep) Image *i = find(c, image);
        _cleanup_error_ Error e = ERROR_NULL;
        char *kept = NULL;
        if (snapshot_roll_back(&c->pool, i, name, &kept, &e) < 0)
                TEST_FAIL("%s", error_message(&e));
        return kept;
}

TEST(names_of_snapshots) {
        static const char *const good[] = { "a", "before-upgrade", "v1.2_3", "10:30", "0" },
                                 *const bad[] = { "",
                                                  ".a",
                                                  "-a",
                                                  "a b",
                                                  "a/b",
                                                  "a.raw",
                                                  "a\n",
                                                  "2026-11-23T22:58:07Z",
                                                  "2026-11-23T22:58:07Z.x",
                                                  "ä" };
        for (size_t k = 0; k < ELEMENTSOF(good); k++)
                ASSERT_OK(snapshot_check_name(good[k], NULL));
        for (size_t k = 0; k < ELEMENTSOF(bad); k++) {
                _cleanup_error_ Error e = ERROR_NULL;
                ASSERT_ERROR(snapshot_check_name(bad[k], &e), EINVAL);
                ASSERT_EQ(e.id, ERROR_INVALID_NAME);
                ASSERT_CONTAINS(e.message, "Invalid name of a snapshot '");
        }
        char text[SNAPSHOT_TIME_SIZE];
        usec_t t;
        snapshot_format_time(1795475887 * USEC_PER_SEC + 5, text);
        ASSERT_STREQ(text, "2026-11-23T23:18:07Z");
        ASSERT_TRUE(snapshot_parse_time(text, &t) && t == 1795475887 * USEC_PER_SEC);
        ASSERT_FALSE(snapshot_parse_time("2026-02-30T00:00:00Z", &t));
        ASSERT_FALSE(snapshot_parse_time("2026-11-23T22:58:07", &t));
        ASSERT_FALSE(snapshot_parse_time("2026-11-23T22:58: 7Z", &t));
}

TEST(taken_and_gone_back_to) {
        Care c;
        care_begin(&c);
        shell(&c,
              "mkdir -p first/web/etc first/db; echo 1 >first/web/etc/f; chown 7:8 first/web/etc; "
              "ln -s /nowhere first/web/l; chmod 750 first/web");
        _cleanup_free_ char *one = take(&c, "web", NULL), *two = take(&c, "web", NULL),
                            *named = take(&c, "web", "clean");
        ASSERT_TRUE(strcmp(one, two) < 0); /* of the same second, perhaps */
        _cleanup_free_ char *all = strf("%s %s clean", one, two);
        assert_names(&c, "web", all);
        assert_names(&c, "db", "");
        /* they are no images */
        _cleanup_(image_list_done) ImageList l = { 0 };
        ASSERT_OK(image_enumerate(c.p.places, true, &l, NULL));
        ASSERT_EQ(l.n, 2);
        shell(&c, "echo 2 >first/web/etc/f; rm first/web/l; touch first/web/new");
        _cleanup_free_ char *kept = go_back(&c, "web", "clean");
        shell(&c,
              "test $(cat first/web/etc/f) = 1; test ! -e first/web/new; test $(readlink first/web/l) = /nowhere\n"
              "test \"$(stat -c '%u %g' first/web/etc) $(stat -c %a first/web)\" = '7 8 750'; touch first/web/more");
        /* and there again, from what was kept */
        free(go_back(&c, "web", kept));
        shell(&c,
              "test $(cat first/web/etc/f) = 2; test -e first/web/new; test ! -e first/web/l; test ! -e first/web/more\n"
              "test $(ls first/.#snapshots/web | wc -l) = 5; test \"$(ls -A first/.#snapshots)\" = web\n"
              "test $(stat -c %a 'first/.#snapshots') = 700; test \"$(ls -A first | xargs)\" = '.#snapshots db web'");
        care_end(&c);
}

TEST(of_disk_images) {
        Care c;
        care_begin(&c);
        shell(&c,
              "echo 1 >first/disk.raw; truncate -s 1M first/disk.raw; chmod 664 first/disk.raw");
        _cleanup_free_ char *one = take(&c, "disk", "a");
        shell(&c,
              "echo 2 >first/disk.raw; test $(stat -c %a first/.#snapshots/disk.raw/*.a.raw) = 444");
        _cleanup_free_ char *kept = go_back(&c, "disk", "a");
        shell(&c,
              "test $(head -n1 first/disk.raw) = 1; test $(stat -c '%s%a' first/disk.raw) = 1048576664\n"
              "test $(cat first/.#snapshots/disk.raw/*Z.raw) = 2");
        _cleanup_(image_freep) Image *i = find(&c, "disk");
        _cleanup_(snapshot_list_done) SnapshotList l = { 0 };
        ASSERT_OK(snapshot_list(i, &l, NULL));
        ASSERT_EQ(l.n, 2);
        ASSERT_TRUE(l.snapshots[0].named && !l.snapshots[1].named);
        ASSERT_EQ(l.snapshots[1].kind, IMAGE_RAW);
        ASSERT_TRUE(l.snapshots[1].usage > 0 && l.snapshots[1].usage < 1 << 20);
        /* no more than is there: nothing stays of the last one */
        ASSERT_OK(snapshot_remove(&c.pool, i, "a", NULL));
        ASSERT_OK(snapshot_remove(&c.pool, i, kept, NULL));
        shell(&c, "test \"$(ls -A first)\" = disk.raw");
        care_end(&c);
}

TEST(what_is_refused) {
        Care c;
        care_begin(&c);
        shell(&c, "mkdir -p first/web first/app.v/app_1 first/stack.mstack; ln -s web first/link\n"
                  "touch first/sealed.raw; echo x >first/sealed.roothash");
        free(take(&c, "web", "a"));
        _cleanup_(image_freep) Image *web = find(&c, "web");
        static const struct {
                const char *image, *words;
        } rows[] = {
                { "app", "it is a directory of versions" },
                { "stack", "it is a stack of layers" },
                { "link", "it is a symbolic link" },
                { "sealed", "it is protected by a hash" },
        };
        char *name = NULL;
        for (size_t k = 0; k < ELEMENTSOF(rows); k++) {
                _cleanup_(image_freep) Image *i = find(&c, rows[k].image);
                _cleanup_error_ Error e = ERROR_NULL;
                ASSERT_ERROR(snapshot_make(&c.pool, i, NULL, false, &name, &e), EOPNOTSUPP);
                ASSERT_CONTAINS(e.message, rows[k].words);
                ASSERT_ERROR(snapshot_roll_back(&c.pool, i, "a", &name, NULL), EOPNOTSUPP);
        }
        _cleanup_error_ Error twice = ERROR_NULL, unknown = ERROR_NULL, busy = ERROR_NULL,
                              back = ERROR_NULL, locked = ERROR_NULL;
        ASSERT_ERROR(snapshot_make(&c.pool, web, "a", false, &name, &twice), EEXIST);
        ASSERT_CONTAINS(twice.message, "Image 'web' has a snapshot 'a' already");
        ASSERT_ERROR(snapshot_roll_back(&c.pool, web, "b", &name, &unknown), ENOENT);
        ASSERT_CONTAINS(unknown.message, "Image 'web' has no snapshot 'b'");
        ASSERT_CONTAINS(unknown.hint, "berth snapshots web");
        ASSERT_ERROR(snapshot_remove(&c.pool, web, "../../web", NULL), ENOENT);
        /* it runs */
        _cleanup_close_ int runs = lock_take_inode(&web->st, LOCK_MODE_EXCLUSIVE);
        ASSERT_OK(runs);
        ASSERT_ERROR(snapshot_make(&c.pool, web, "b", false, &name, &busy), EBUSY);
        ASSERT_CONTAINS(busy.message, "Image 'web' is in use by process ");
        ASSERT_CONTAINS(busy.message, ", and would change while it is copied");
        ASSERT_CONTAINS(busy.hint, "--force");
        ASSERT_OK(snapshot_make(&c.pool, web, "b", true, &name, NULL));
        free(name);
        ASSERT_ERROR(snapshot_roll_back(&c.pool, web, "a", &name, &back), EBUSY);
        ASSERT_EQ(back.id, ERROR_ROOT_BUSY);
        runs = fd_close(runs);
        _cleanup_(snapshot_lock_done) SnapshotLock other = SNAPSHOT_LOCK_NULL;
        ASSERT_EQ(snapshot_lock(web, false, &other, NULL), 1);
        ASSERT_ERROR(snapshot_remove(&c.pool, web, "a", &locked), EBUSY);
        ASSERT_CONTAINS(locked.message, "Another program is at the snapshots of image 'web'");
        ASSERT_ERROR(image_remove(&c.pool, web, NULL), EBUSY);
        snapshot_lock_done(&other);
        assert_names(&c, "web", "a b");
        shell(&c, "rm -r first/app.v first/stack.mstack first/link first/sealed*; "
                  "test \"$(ls -A first | xargs)\" = '.#snapshots web'");
        care_end(&c);
}

TEST(following_their_image) {
        Care c;
        _cleanup_strv_free_ char **removed = NULL;
        care_begin(&c);
        shell(&c, "mkdir -p first/web 'first/.#snapshots/gone/2020-01-01T00:00:00Z/x'");
        free(take(&c, "web", "a"));
        _cleanup_(image_freep) Image *web = find(&c, "web");
        _cleanup_error_ Error e = ERROR_NULL;
        ASSERT_OK(image_clone(&c.pool, web, "copy", false, NULL));
        assert_names(&c, "copy", "");
        ASSERT_ERROR(image_rename(&c.pool, web, "gone", &e), EEXIST);
        ASSERT_CONTAINS(e.message, "There are snapshots of an image 'gone' that is gone");
        ASSERT_CONTAINS(e.hint, "'berth clean' removes them; to keep them, move '");
        ASSERT_OK(image_rename(&c.pool, web, "db", NULL));
        assert_names(&c, "db", "a");
        ASSERT_OK(image_clean(&c.pool, CLEAN_HIDDEN, hear, &removed, NULL));
        ASSERT_TRUE(strv_isempty(removed));
        shell(&c, "test \"$(ls -A first/.#snapshots)\" = db");
        _cleanup_(image_freep) Image *db = find(&c, "db"), *copy = find(&c, "copy");
        ASSERT_OK(image_remove(&c.pool, copy, NULL));
        assert_names(&c, "db", "a");
        ASSERT_OK(image_remove(&c.pool, db, NULL));
        shell(&c, "test -z \"$(ls -A first)\"");
        care_end(&c);
}

TEST(pruning) {
        Care c;
        _cleanup_strv_free_ char **removed = NULL;
        care_begin(&c);
        shell(&c,
              "mkdir -p first/web; cd first; mkdir -p .#snapshots/web; cd .#snapshots/web\n"
              "for y in 0 1 2 3 4; do mkdir 200$y-01-01T00:00:00Z; done; mkdir 2000-01-01T00:00:01Z.old others");
        free(take(&c, "web", "new"));
        _cleanup_(image_freep) Image *web = find(&c, "web");
        SnapshotLimits limits = { .keep = 3 };
        ASSERT_OK(snapshot_prune(&c.pool, web, &limits, hear, &removed, NULL));
        assert_names(&c, "web",
                     "old 2002-01-01T00:00:00Z 2003-01-01T00:00:00Z 2004-01-01T00:00:00Z new");
        _cleanup_free_ char *first = strv_join(removed, " ");
        ASSERT_STREQ(first, "2001-01-01T00:00:00Z 2000-01-01T00:00:00Z");
        limits = (SnapshotLimits){ .max_age = now_usec(CLOCK_REALTIME) -
                                              UINT64_C(1050000000) * USEC_PER_SEC };
        ASSERT_OK(snapshot_prune(&c.pool, web, &limits, hear, &removed, NULL));
        assert_names(&c, "web", "old 2004-01-01T00:00:00Z new");
        limits = (SnapshotLimits){ .max_age = 1 };
        ASSERT_OK(snapshot_prune(&c.pool, web, &limits, hear, &removed, NULL));
        assert_names(&c, "web", "old 2004-01-01T00:00:00Z new"); /* the newest stays */
        limits = (SnapshotLimits){ 0 };
        ASSERT_OK(snapshot_prune(&c.pool, web, &limits, hear, &removed, NULL));
        assert_names(&c, "web", "old 2004-01-01T00:00:00Z new");
        care_end(&c);
}

static int hear_change(void *userdata, char change, const char *path, mode_t mode) {
        return strv_extendf(userdata, "%c%s%s", change, path, S_ISDIR(mode) ? "/" : "");
}

TEST(comparing) {
        Care c;
        _cleanup_strv_free_ char **found = NULL;
        _cleanup_error_ Error none = ERROR_NULL, unknown = ERROR_NULL, disk = ERROR_NULL;
        care_begin(&c);
        shell(&c,
              "mkdir -p first/web/d/deep first/web/gone/x first/web/same; cd first/web; echo 1 >d/deep/f; echo 1 >owner\n"
              "echo 1 >mode; ln -s a link; ln -s a same/link; echo 12 >size; echo 1 >touched; echo 1 >kind; mkdir kind2; mknod dev c 1 3\n"
              "ln -s / out; echo x >../../secret");
        _cleanup_(image_freep) Image *web = find(&c, "web");
        ASSERT_ERROR(snapshot_compare(&c.pool, web, NULL, hear_change, &found, &none), ENOENT);
        ASSERT_CONTAINS(none.message, "Image 'web' has no snapshots");
        free(take(&c, "web", "a"));
        ASSERT_ERROR(snapshot_compare(&c.pool, web, "b", hear_change, &found, &unknown), ENOENT);
        ASSERT_OK(snapshot_compare(&c.pool, web, "a", hear_change, &found, NULL));
        ASSERT_TRUE(strv_isempty(found));
        shell(&c,
              "cd first/web; echo 2 >d/deep/f; chown 5 owner; chmod 4755 mode; ln -sfn b link; echo 1 >size; touch -d 2001-01-01 touched\n"
              "rm kind; ln -s /etc kind; rmdir kind2; ln -s ../../.. kind2; rm dev; mknod dev c 1 5; rm -r gone; mkdir -p new/below\n"
              "chmod 700 d; touch -d 2001-01-01 same; echo >\"$(printf 'odd\\nname')\"; chmod 711 .");
        ASSERT_OK(snapshot_compare(&c.pool, web, NULL, hear_change, &found, NULL));
        _cleanup_free_ char *text = strv_join(found, " ");
        ASSERT_STREQ(
                text,
                "M// M/d/ M/d/deep/f M/dev D/gone/ M/kind M/kind2 M/link M/mode A/new/ A/odd\nname M/owner M/size");
        ASSERT_OK(snapshot_compare(&c.pool, web, "a", hear_change, &found, NULL));
        shell(&c, "truncate -s 1M first/disk.raw");
        _cleanup_(image_freep) Image *raw = find(&c, "disk");
        free(take(&c, "disk", "a"));
        ASSERT_ERROR(snapshot_compare(&c.pool, raw, "a", hear_change, &found, &disk), EOPNOTSUPP);
        ASSERT_CONTAINS(disk.message, "Image 'disk' is a disk image");
        care_end(&c);
}

/* ---- somebody is at work ---- */

static int compare_quietly(const void *of) {
        const Care *c = of;
        _cleanup_strv_free_ char **found = NULL;
        _cleanup_(image_freep) Image *web = find(c, "web");
        return snapshot_compare(&c->pool, web, "a", hear_change, &found, NULL);
}

static void exchange(void *of) {
        const Care *c = of;
        _cleanup_free_ char *f = pool_at(&c->p, "first/web/f"), *device = pool_at(&c->p, "device");
        ASSERT_EQ(renameat2(AT_FDCWD, f, AT_FDCWD, device, RENAME_EXCHANGE), 0);
}

/* Nobody has the device: to open it is an error. */
TEST(comparing_what_changes) {
        Care c;
        bool ended = false;
        care_begin(&c);
        shell(&c, "mkdir first/web; echo 1 >first/web/f; mknod device b 0 0");
        free(take(&c, "web", "a"));
        shell(&c, "echo 2 >first/web/f");
        for (unsigned n = 1; !ended; n++) {
                int r = disturbed_at_call(n, compare_quietly, exchange, &c, &ended);
                if (r < 0)
                        TEST_FAIL("changed at call %u: %s", n, errno_words(r));
                if (!ended)
                        exchange(&c);
        }
        care_end(&c);
}

/* ---- killed ---- */

typedef int (*Change)(const void *of);
static int change_take(const void *of) {
        const Care *c = of;
        char *name;
        return snapshot_make(&c->pool, find(c, "web"), "b", false, &name, NULL);
}
static int change_back(const void *of) {
        const Care *c = of;
        char *name;
        return snapshot_roll_back(&c->pool, find(c, "web"), "a", &name, NULL);
}
static int change_drop(const void *of) {
        const Care *c = of;
        return snapshot_remove(&c->pool, find(c, "web"), "a", NULL);
}
static int change_rename(const void *of) {
        const Care *c = of;
        return image_rename(&c->pool, find(c, "web"), "db", NULL);
}
static int change_remove(const void *of) {
        const Care *c = of;
        return image_remove(&c->pool, find(c, "web"), NULL);
}

/* Of everything that is there: "name=contents of its file f", without times. */
static const char tell[] =
        "cd first; for f in $(find . -name f | LC_ALL=C sort); do echo \"$f=$(cat $f)\"; done | "
        "sed 's/....-..-..T..:..:..Z/T/; s/^..//; s/\\.#snapshots/S/' | xargs";

static char *told(const Care *c) {
        _cleanup_free_ char *command = strf("cd %s; %s", c->p.top, tell);
        char line[1024] = "";
        FILE *f = popen(command, "re");
        ASSERT_NOT_NULL(f);
        if (!fgets(line, sizeof(line), f))
                line[0] = '\0';
        pclose(f);
        line[strcspn(line, "\n")] = '\0';
        return strdup(line);
}

static void assert_all_or_nothing(Change change, const char *new) {
        static const char old[] = "S/web/T.a/d/f=1 web/d/f=2";
        bool seen[2] = { false, false };
        for (unsigned n = 1;; n++) {
                Care c;
                care_begin(&c);
                shell(&c, "mkdir -p first/web/d; echo 1 >first/web/d/f; touch first/web/d/g");
                free(take(&c, "web", "a"));
                shell(&c, "echo 2 >first/web/d/f");
                const bool ended = killed_at_call(n, change, &c);
                ASSERT_OK(image_reclaim(&c.pool, NULL));
                _cleanup_free_ char *found = told(&c);
                const bool is_old = streq(found, old), is_new = streq(found, new);
                if (!is_old && !is_new)
                        TEST_FAIL("killed at call %u: '%s'", n, found);
                seen[0] = seen[0] || is_old;
                seen[1] = seen[1] || is_new;
                shell(&c, "rm -f first/.#*.lck first/.#snapshots/.#*.lck; "
                          "test -z \"$(find first -name '.#*' ! -name '.#snapshots')\"");
                care_end(&c);
                if (ended)
                        break;
        }
        ASSERT_TRUE(seen[0] && seen[1]);
}

TEST(killed_at_every_call_of_a_snapshot) {
        assert_all_or_nothing(change_take, "S/web/T.a/d/f=1 S/web/T.b/d/f=2 web/d/f=2");
}

TEST(killed_at_every_call_of_going_back) {
        assert_all_or_nothing(change_back, "S/web/T.a/d/f=1 S/web/T/d/f=2 web/d/f=1");
}

/* What is left of it is beside the snapshots, whatever they are called by then. */
TEST(killed_while_going_back_and_renamed) {
        bool seen[2] = { false, false };
        bool ended = false;
        for (unsigned n = 1; !ended; n++) {
                Care c;
                care_begin(&c);
                shell(&c, "mkdir -p first/web/d; echo 1 >first/web/d/f");
                free(take(&c, "web", "a"));
                shell(&c, "echo 2 >first/web/d/f");
                ended = killed_at_call(n, change_back, &c);
                _cleanup_(image_freep) Image *web = find(&c, "web");
                ASSERT_OK(image_rename(&c.pool, web, "db", NULL));
                ASSERT_OK(image_reclaim(&c.pool, NULL));
                _cleanup_free_ char *found = told(&c);
                const bool is_old = streq(found, "S/db/T.a/d/f=1 db/d/f=2"),
                           is_new = streq(found, "S/db/T.a/d/f=1 S/db/T/d/f=2 db/d/f=1");
                if (!is_old && !is_new)
                        TEST_FAIL("killed at call %u: '%s'", n, found);
                seen[0] = seen[0] || is_old;
                seen[1] = seen[1] || is_new;
                care_end(&c);
        }
        ASSERT_TRUE(seen[0] && seen[1]);
}

TEST(killed_at_every_call_of_its_removal) {
        assert_all_or_nothing(change_drop, "web/d/f=2");
}

TEST(killed_at_every_call_of_a_rename) {
        assert_all_or_nothing(change_rename, "S/db/T.a/d/f=1 db/d/f=2");
}

TEST(killed_at_every_call_of_a_removal) {
        assert_all_or_nothing(change_remove, "");
}

/* ---- no room ---- */

/* In the middle of it nothing can be changed any more, once or from there on: it is said, and the old state is whole; or what is new is, once there is room. */
static void assert_whole_without_room(Change change, const char *new, bool on) {
        static const char old[] = "S/web/T.a/d/f=1 web/d/f=2";
        bool failed = false, ended = false;
        if (!TRACE_CAN_FAIL_CALLS)
                TEST_SKIP("calls cannot be made to fail on this architecture");
        for (unsigned n = 1; !ended; n++) {
                Care c;
                bool done;
                care_begin(&c);
                shell(&c, "mkdir -p first/web/d; echo 1 >first/web/d/f; touch first/web/d/g");
                free(take(&c, "web", "a"));
                shell(&c, "echo 2 >first/web/d/f");
                ended = failed_at_call(n, on, ENOSPC, change, &c, &done);
                ASSERT_OK(image_reclaim(&c.pool, NULL));
                _cleanup_free_ char *found = told(&c);
                const bool is_old = streq(found, old), is_new = streq(found, new);
                if (done ? !is_new : !is_old && !is_new)
                        TEST_FAIL("no room at call %u, %s: '%s'", n, done ? "done" : "failed",
                                  found);
                failed = failed || (!done && is_old);
                if (ended && !done)
                        TEST_FAIL("failed with room");
                shell(&c, "rm -f first/.#*.lck first/.#snapshots/.#*.lck; "
                          "test -z \"$(find first -name '.#*' ! -name '.#snapshots')\"");
                care_end(&c);
        }
        ASSERT_TRUE(failed);
}

TEST(no_room_for_a_snapshot) {
        assert_whole_without_room(change_take, "S/web/T.a/d/f=1 S/web/T.b/d/f=2 web/d/f=2", true);
}

TEST(no_room_to_go_back) {
        assert_whole_without_room(change_back, "S/web/T.a/d/f=1 S/web/T/d/f=2 web/d/f=1", false);
        assert_whole_without_room(change_back, "S/web/T.a/d/f=1 S/web/T/d/f=2 web/d/f=1", true);
}

/* ---- btrfs ---- */

static uint64_t limit_of(const Care *c, const char *name) {
        _cleanup_(image_freep) Image *i = find(c, name);
        image_read_details(i);
        return i->limit;
}

/* No limit can be set any more. */
static int forbid_limits(void) {
        const struct sock_filter filter[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 3),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t) BTRFS_IOC_QGROUP_LIMIT, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTNAM),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        const struct sock_fprog program = { ELEMENTSOF(filter), (struct sock_filter *) filter };
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
                               prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0
                       ? -errno
                       : 0;
}

static int back_without_limits(const Care *c) {
        _cleanup_(image_freep) Image *i = find(c, "web");
        _cleanup_error_ Error e = ERROR_NULL;
        char *kept = NULL;
        if (forbid_limits() < 0)
                return 1;
        if (snapshot_roll_back(&c->pool, i, "a", &kept, &e) != -ENOTNAM)
                return 2;
        return strstr(error_message(&e), "Keeping the limit of image 'web' failed") ? 0 : 3;
}

static void assert_no_way_back_without_limits(const Care *c) {
        int status;
        fflush(NULL);
        pid_t pid = fork();
        ASSERT_OK(pid);
        if (pid == 0)
                _exit(back_without_limits(c));
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        ASSERT_EQ(status, 0);
        assert_names(c, "web", "a");
        shell(c,
              "cd first; test \"$(cat web/f web/inner/g | xargs)\" = '2 2'; test \"$(ls -A .#snapshots/web | wc -l)\" = 1");
}

TEST(subvolumes) {
        Care c;
        mount_btrfs("/mnt/k", "256M");
        care_begin_in(&c, "/mnt/k/fs");
        shell(&c,
              "cd first; btrfs -q subvolume create web; btrfs -q subvolume create web/inner; echo 1 >web/f; echo 1 >web/inner/g");
        _cleanup_(image_freep) Image *web = find(&c, "web");
        _cleanup_close_ int runs = lock_take_inode(&web->st, LOCK_MODE_EXCLUSIVE);
        ASSERT_OK(runs);
        _cleanup_free_ char *one = take(&c, "web", "a"); /* also of what runs */
        runs = fd_close(runs);
        shell(&c,
              "cd first; echo 2 >web/f; echo 2 >web/inner/g; ! touch .#snapshots/web/*.a/x 2>/dev/null; ! touch .#snapshots/web/*.a/inner/x 2>/dev/null");
        ASSERT_OK(image_set_limit(&c.pool, web, 64 << 20, NULL));
        assert_no_way_back_without_limits(&c);
        _cleanup_free_ char *kept = go_back(&c, "web", "a");
        ASSERT_EQ(limit_of(&c, "web"), 64 << 20); /* it is the image's */
        shell(&c,
              "cd first; test \"$(cat web/f web/inner/g | xargs)\" = '1 1'; touch web/new web/inner/new\n"
              "test \"$(cat .#snapshots/web/*Z/f .#snapshots/web/*Z/inner/g | xargs)\" = '2 2'; ! touch .#snapshots/web/*Z/x 2>/dev/null");
        _cleanup_(image_freep) Image *again = find(&c, "web");
        ASSERT_EQ(again->kind, IMAGE_SUBVOLUME);
        ASSERT_OK(image_clone(&c.pool, again, "copy", false, NULL));
        _cleanup_(image_freep) Image *copy = find(&c, "copy");
        ASSERT_EQ(limit_of(&c, "copy"), 64 << 20);
        ASSERT_OK(image_remove(&c.pool, copy, NULL));
        ASSERT_OK(image_rename(&c.pool, again, "db", NULL));
        _cleanup_(image_freep) Image *db = find(&c, "db");
        ASSERT_EQ(limit_of(&c, "db"), 64 << 20);
        free(take(&c, "db", "limited"));
        ASSERT_OK(image_set_limit(&c.pool, db, IMAGE_SIZE_UNKNOWN, NULL));
        _cleanup_free_ char *limited = go_back(&c, "db", "limited");
        ASSERT_EQ(limit_of(&c, "db"), IMAGE_SIZE_UNKNOWN);
        ASSERT_OK(snapshot_remove(&c.pool, db, "limited", NULL));
        ASSERT_OK(snapshot_remove(&c.pool, db, limited, NULL));
        ASSERT_OK(snapshot_remove(&c.pool, db, kept, NULL));
        assert_names(&c, "db", "a");
        /* one that is read-only goes to another directory */
        shell(&c,
              "mkdir 'first/.#snapshots/web'; btrfs -q subvolume snapshot -r first/db 'first/.#snapshots/web/2001-01-01T00:00:00Z.a'\n"
              "printf 'I%s\\0F%s\\0T%s\\0' $PWD/first/web \"$PWD/first/.#snapshots/web\" \"$PWD/first/.#snapshots/db\" >'first/.#web.01234567.lck'");
        ASSERT_EQ(image_reclaim(&c.pool, NULL), 1);
        assert_names(&c, "db", "a-2 a");
        shell(&c,
              "cd first; test ! -e .#snapshots/web; ! touch .#snapshots/db/*.a-2/x 2>/dev/null; test -z \"$(ls -A | grep lck)\"");
        ASSERT_OK(image_remove(&c.pool, db, NULL));
        shell(&c, "test -z \"$(ls -A first)\"; test -z \"$(btrfs subvolume list -o .)\"");
        care_end(&c);
        unmount_btrfs("/mnt/k");
}

OWN_MOUNTS_MAIN
