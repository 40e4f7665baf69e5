/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whose snapshots they are: of images that were renamed or removed by somebody who was killed over it, and of new ones of the same name; and what is in use. */
#include "image/snapshot.h"

#include "care.h"
#include "image/image-lock.h"
#include "image/image-new.h"
#include "kill-at.h"

static int change_remove(const void *of) {
        const Care *c = of;
        return image_remove(&c->pool, find(c, "web"), NULL);
}

/* Killed in a rename, and the image has got more snapshots since: some have the names of those that it had. */
static void begin_half_renamed(Care *c) {
        care_begin(c);
        shell(c,
              "mkdir -p first/db/d .#x; echo now >first/db/d/f; chmod 700 first; s='first/.#snapshots'; mkdir -p $s/web $s/db; touch $s/web/notes\n"
              "for n in web/2001-01-01T00:00:00Z web/2002-01-01T00:00:00Z web/2003-01-01T00:00:00Z.a web/2004-01-01T00:00:00Z.b "
              "web/2005-01-01T00:00:00Z.a-2 db/2001-01-01T00:00:00Z db/2003-01-01T00:00:00Z.a db/2009-01-01T00:00:00Z.b\n"
              "do mkdir $s/$n; echo $n >$s/$n/f; chattr +i $s/$n 2>/dev/null || :; done\n"
              "chmod 700 $s; printf 'I%s\\0S%s\\0I%s\\0F%s\\0T%s\\0' $PWD/first/db $PWD/etc/db.berth $PWD/first/web "
              "\"$PWD/$s/web\" \"$PWD/$s/db\" >'first/.#web.01234567.lck'");
}

/* Each is there once, whatever it is called, and all of them can be told apart. */
static void assert_renamed(const Care *c) {
        shell(c,
              "s='first/.#snapshots'; test ! -e $s/web; test -e $s/db/notes; cat $s/db/*/f | sort >found; sort >expected <<E\n"
              "db/2001-01-01T00:00:00Z\ndb/2003-01-01T00:00:00Z.a\ndb/2009-01-01T00:00:00Z.b\n"
              "web/2001-01-01T00:00:00Z\nweb/2002-01-01T00:00:00Z\nweb/2003-01-01T00:00:00Z.a\nweb/2004-01-01T00:00:00Z.b\n"
              "web/2005-01-01T00:00:00Z.a-2\nE\ncmp found expected; test ! -e 'first/.#web.01234567.lck'; test -e first/db/d/f\n"
              "for n in db/2001-01-01T00:00:00Z db/2003-01-01T00:00:00Z.a; do test \"$(cat $s/$n/f)\" = $n; done\n"
              "rmdir .#x; if chattr -i $s/db 2>/dev/null; then test \"$(lsattr -d $s/db/*Z* | grep -c '^....i')\" = 8; fi");
        assert_names(
                c, "db",
                "2001-01-01T00:00:00Z 2001-01-01T00:00:01Z 2002-01-01T00:00:00Z a a-3 b-2 a-2 b");
}

TEST(half_renamed_loses_no_snapshots) {
        Care c;
        _cleanup_strv_free_ char **removed = NULL;
        begin_half_renamed(&c);
        ASSERT_OK(image_clean(&c.pool, CLEAN_HIDDEN, hear, &removed, NULL));
        assert_renamed(&c);
        care_end(&c);
}

static int change_reclaim(const void *of) {
        const Care *c = of;
        return image_clean(&c->pool, CLEAN_HIDDEN, hear, &(char **){ NULL }, NULL);
}

TEST(killed_at_every_call_of_the_end_of_a_rename) {
        bool ended = false;
        for (unsigned n = 1; !ended; n++) {
                Care c;
                begin_half_renamed(&c);
                ended = killed_at_call(n, change_reclaim, &c);
                ASSERT_OK(change_reclaim(&c));
                assert_renamed(&c);
                care_end(&c);
        }
}

/* What cannot be put right now stays, and so does all that it is about. */
TEST(what_is_not_at_its_end_stays) {
        Care c;
        _cleanup_strv_free_ char **removed = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        begin_half_renamed(&c);
        shell(&c, "mv 'first/.#snapshots/db' away; touch 'first/.#snapshots/db'");
        ASSERT_ERROR(image_clean(&c.pool, CLEAN_HIDDEN, hear, &removed, &e), EBUSY);
        ASSERT_CONTAINS(e.message, "/first/.#snapshots/web' are of an image that was renamed, and "
                                   "could not be given to it");
        ASSERT_CONTAINS(e.hint, "try again");
        shell(&c,
              "test $(ls 'first/.#snapshots/web' | wc -l) = 6; test -e 'first/.#web.01234567.lck'; "
              "rm 'first/.#snapshots/db'; mv away 'first/.#snapshots/db'");
        /* nor while somebody makes an image of the name */
        _cleanup_close_ int making = image_lock_name("web", NULL);
        ASSERT_OK(making);
        ASSERT_ERROR(image_clean(&c.pool, CLEAN_HIDDEN, hear, &removed, NULL), EBUSY);
        shell(&c, "test $(ls 'first/.#snapshots/web' | wc -l) = 6");
        making = fd_close(making);
        ASSERT_OK(image_clean(&c.pool, CLEAN_HIDDEN, hear, &removed, NULL));
        assert_renamed(&c);
        care_end(&c);
}

/* The one that was half renamed has its snapshots before there is another one of its old name. */
TEST(a_new_image_is_nobodys_heir) {
        Care c;
        begin_half_renamed(&c);
        _cleanup_(image_freep) Image *db = find(&c, "db");
        ASSERT_OK(image_clone(&c.pool, db, "web", false, NULL));
        assert_names(&c, "web", "");
        shell(&c, "rm -r first/web; rm -f first/.#*.lck");
        assert_renamed(&c);
        /* nor is one of what is gone without us */
        shell(&c,
              "mkdir -p first/.#snapshots/old/2001-01-01T00:00:00Z first/.#snapshots/old.raw/2001-01-01T00:00:00Z");
        for (unsigned k = 0; k < 4; k++) {
                _cleanup_error_ Error e = ERROR_NULL;
                ImageNew n = IMAGE_NEW_NULL;
                _cleanup_free_ char *template = pool_at(&c.p, "first/db"),
                                    *made = pool_at(&c.p, "first/old");
                int r = k == 0   ? image_clone(&c.pool, db, "old", false, &e)
                        : k == 1 ? image_new_begin(&c.pool, "old", IMAGE_DIRECTORY, true, &n, &e)
                        : k == 2 ? image_new_begin(&c.pool, "old", IMAGE_RAW, false, &n, &e)
                        : k == 3 ? image_make_from(template, made, &e)
                                 : 0;
                ASSERT_EQ(r, -EEXIST);
                ASSERT_CONTAINS(e.message, "There are snapshots of an image 'old' that is gone");
        }
        shell(&c, "rm -r 'first/.#snapshots/old'");
        ASSERT_OK(image_clone(&c.pool, db, "old", false, NULL)); /* a directory is no disk image */
        care_end(&c);
}

/* Whoever was killed over a removal leaves nothing for an image of the same name: neither settings nor snapshots. */
TEST(killed_at_every_call_of_a_removal_nothing_is_inherited) {
        bool seen = false, ended = false;
        for (unsigned n = 1; !ended; n++) {
                Care c;
                _cleanup_error_ Error e = ERROR_NULL;
                care_begin(&c);
                shell(&c,
                      "mkdir -p first/web/d first/db/d etc/web.berth.d; touch first/db/d/f first/web/d/g first/web.nspawn etc/web.berth.d/a.conf");
                free(take(&c, "web", "a"));
                free(take(&c, "web", NULL));
                ended = killed_at_call(n, change_remove, &c);
                _cleanup_(image_freep) Image *db = find(&c, "db");
                const bool there = pool_has(&c.p, "first/web");
                int r = image_clone(&c.pool, db, "web", false, &e);
                if (there) {
                        ASSERT_EQ(r, -EEXIST);
                } else {
                        if (r < 0)
                                TEST_FAIL("killed at call %u: %s", n, error_message(&e));
                        assert_names(&c, "web", "");
                        shell(&c,
                              "test ! -e first/web.nspawn; test -z \"$(ls etc)\"; touch first/web.nspawn etc/web.berth");
                        ASSERT_OK(image_reclaim(&c.pool, NULL)); /* and what is its own is */
                        shell(&c,
                              "test -e first/web.nspawn; test -e etc/web.berth; test -e first/web/d/f");
                        seen = true;
                }
                care_end(&c);
        }
        ASSERT_TRUE(seen);
}

/* ---- in use ---- */

/* It is the root of a container that does not change it. */
TEST(in_use) {
        Care c;
        struct stat st;
        _cleanup_strv_free_ char **removed = NULL;
        _cleanup_error_ Error e = ERROR_NULL, f = ERROR_NULL;
        care_begin(&c);
        shell(&c,
              "mkdir -p first/web 'first/.#snapshots/web/2001-01-01T00:00:00Z' 'first/.#snapshots/web/2002-01-01T00:00:00Z'");
        free(take(&c, "web", NULL));
        _cleanup_(image_freep) Image *web = find(&c, "web");
        _cleanup_free_ char *path = pool_at(&c.p, "first/.#snapshots/web/2002-01-01T00:00:00Z");
        ASSERT_OK(stat(path, &st));
        _cleanup_close_ int runs = lock_take_inode(&st, LOCK_MODE_SHARED);
        ASSERT_OK(runs);
        ASSERT_ERROR(snapshot_remove(&c.pool, web, "2002-01-01T00:00:00Z", &e), EBUSY);
        ASSERT_EQ(e.id, ERROR_ROOT_BUSY);
        ASSERT_CONTAINS(e.message, "Snapshot '2002-01-01T00:00:00Z' of image 'web' is in use by ");
        ASSERT_OK(
                snapshot_prune(&c.pool, web, &(SnapshotLimits){ .keep = 1 }, hear, &removed, NULL));
        ASSERT_EQ(strv_length(removed), 1);
        ASSERT_STREQ(removed[0], "2001-01-01T00:00:00Z");
        ASSERT_ERROR(image_remove(&c.pool, web, &f), EBUSY);
        ASSERT_CONTAINS(f.message, "Snapshot '2002-01-01T00:00:00Z' of image 'web' is in use by ");
        shell(&c, "test -d first/web; mv first/web away");
        ASSERT_OK(image_clean(&c.pool, CLEAN_HIDDEN, hear, &removed, NULL));
        shell(&c, "test $(ls -d first/.#snapshots/web/*Z | wc -l) = 2; mv away first/web");
        runs = fd_close(runs);
        ASSERT_OK(snapshot_remove(&c.pool, web, "2002-01-01T00:00:00Z", NULL));
        ASSERT_OK(image_remove(&c.pool, web, NULL));
        shell(&c, "test -z \"$(ls -A first)\"");
        care_end(&c);
}

/* What was looked at is a snapshot by now, and what has the name is in use. */
TEST(locks_what_has_the_name) {
        Care c;
        _cleanup_error_ Error e = ERROR_NULL;
        care_begin(&c);
        shell(&c, "mkdir first/web; echo 1 >first/web/f");
        free(take(&c, "web", "a"));
        _cleanup_free_ char *kept = NULL;
        _cleanup_(image_freep) Image *before = find(&c, "web");
        ASSERT_OK(snapshot_roll_back(&c.pool, before, "a", &kept, NULL));
        _cleanup_(image_freep) Image *now = find(&c, "web");
        ASSERT_TRUE(before->st.st_ino != now->st.st_ino);
        _cleanup_close_ int runs = lock_take_inode(&now->st, LOCK_MODE_EXCLUSIVE);
        ASSERT_OK(runs);
        ASSERT_ERROR(image_remove(&c.pool, before, &e), EBUSY);
        ASSERT_CONTAINS(e.message, "Image 'web' is in use by process ");
        ASSERT_ERROR(image_rename(&c.pool, before, "db", NULL), EBUSY);
        ASSERT_ERROR(image_clone(&c.pool, before, "db", false, NULL), EBUSY);
        runs = fd_close(runs);
        _cleanup_close_ int other = lock_take_inode(&before->st, LOCK_MODE_EXCLUSIVE);
        ASSERT_OK(image_rename(&c.pool, before, "db", NULL)); /* the snapshot's */
        care_end(&c);
}

OWN_MOUNTS_MAIN
