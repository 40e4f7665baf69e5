/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What others do while an image is changed, or after somebody was killed over it: what is theirs stays, and so does what they use. */
#include "care.h"
#include "disturb.h"
#include "image/image-lock.h"
#include "kill-at.h"

static int change_remove(const void *of) {
        const Care *c = of;
        _cleanup_(image_freep) Image *web = find(c, "web");
        return image_remove(&c->pool, web, NULL);
}

/* ---- the name ---- */

/* Somebody who begins an image of the name, with its settings, as soon as he gets it. */
typedef struct Maker {
        Care c;
        const char *entry, *settings;
        int lock;
} Maker;

static void make_settings(void *of) {
        Maker *m = of;
        m->lock = lock_take_image_name(path_last_component(m->entry), LOCK_MODE_EXCLUSIVE);
        if (m->lock >= 0 && pool_has(&m->c.p, m->entry))
                m->lock = fd_close(m->lock);
        if (m->lock >= 0)
                pool_file(&m->c.p, m->settings, "mine");
}

static int change_clone(const void *of) {
        const Care *c = of;
        _cleanup_(image_freep) Image *web = find(c, "web");
        return image_clone(&c->pool, web, "db", false, NULL);
}

static int change_rename(const void *of) {
        const Care *c = of;
        _cleanup_(image_freep) Image *web = find(c, "web");
        return image_rename(&c->pool, web, "db", NULL);
}

/* Of what is removed one side-car is mounted on, of what is made one cannot be copied: the promise is kept at the very end. */
TEST(the_name_is_kept_as_long_as_the_promise) {
        static const struct {
                int (*change)(const void *of);
                const char *entry, *settings, *script;
        } rows[] = {
                { change_remove, "first/web", "etc/web.berth", "mkdir etc/web.berth.d" },
                { change_clone, "first/db", "etc/db.berth", "mknod first/web.nspawn c 0 0" },
                { change_rename, "first/db", "etc/db.berth", "mknod first/web.nspawn c 0 0" },
        };
        for (size_t k = 0; k < ELEMENTSOF(rows); k++) {
                bool ended = false;
                for (unsigned n = 1; !ended; n++) {
                        Maker m = { .entry = rows[k].entry,
                                    .settings = rows[k].settings,
                                    .lock = -EBADF };
                        care_begin(&m.c);
                        shell(&m.c, "mkdir -p first/web/d; touch etc/web.berth");
                        shell(&m.c, rows[k].script);
                        _cleanup_free_ char *busy = pool_at(&m.c.p, "etc/web.berth.d");
                        if (k == 0)
                                ASSERT_OK(mount("busy", busy, "tmpfs", 0, NULL));
                        (void) disturbed_at_call(n, rows[k].change, make_settings, &m, &ended);
                        if (m.lock >= 0 && !pool_has(&m.c.p, m.settings))
                                TEST_FAIL("row %zu, call %u: a new image's settings are gone", k,
                                          n);
                        m.lock = fd_close(m.lock);
                        if (k == 0)
                                ASSERT_OK(umount(busy));
                        care_end(&m.c);
                }
        }
}

/* ---- settings of an image to come ---- */

/* Whoever was killed has left a promise about files of this name; these are others. */
TEST(killed_at_every_call_new_settings_stay) {
        static const struct {
                int (*change)(const void *of);
                const char *gone;
                bool always; /* also while they were about to be made */
        } rows[] = {
                { change_remove, "web", true },
                { change_clone, "db", false },
                { change_rename, "db", false },
                { change_rename, "web", true },
        };
        for (size_t k = 0; k < ELEMENTSOF(rows); k++) {
                const char *gone = rows[k].gone;
                bool ended = false, kept = false;
                for (unsigned n = 1; !ended; n++) {
                        Care c;
                        care_begin(&c);
                        shell(&c, "mkdir -p first/web/d etc/web.berth.d; touch etc/web.berth "
                                  "first/web.nspawn etc/web.berth.d/a.conf etc/web.berth.d/z.conf");
                        ended = killed_at_call(n, rows[k].change, &c);
                        _cleanup_free_ char *
                                entry = strf("first/%s", gone),
                               *script = strf(
                                       "sleep 0.02; echo new >x; mv x first/%s.nspawn; echo new >etc/%s.berth\n"
                                       "mkdir -p etc/%s.berth.d; echo new >etc/%s.berth.d/b.conf",
                                       gone, gone, gone, gone),
                               *look = strf(
                                       "if test \"$(cat first/%s.nspawn etc/%s.berth etc/%s.berth.d/b.conf | wc -l)\" = 3; then touch all; fi 2>/dev/null",
                                       gone, gone, gone);
                        if (!pool_has(&c.p, entry)) {
                                shell(&c, script);
                                ASSERT_OK(image_reclaim(&c.pool, NULL));
                                shell(&c, look);
                                kept = pool_has(&c.p, "all");
                                if (rows[k].always && !kept)
                                        TEST_FAIL("row %zu, call %u: new settings are gone", k, n);
                        }
                        care_end(&c);
                }
                if (!kept) /* right before the image is there */
                        TEST_FAIL("row %zu: new settings are gone", k);
        }
}

/* ---- what goes with it ---- */

/* Somebody who uses a part as soon as he can, as a container that does not change it. */
typedef struct User {
        Care c;
        const char *part;
        struct stat st;
        int lock;
} User;

static void use_part(void *of) {
        User *u = of;
        u->lock = lock_take_inode(&u->st, LOCK_MODE_SHARED);
        if (u->lock >= 0 && !pool_has(&u->c.p, u->part))
                u->lock = fd_close(u->lock);
}

TEST(what_goes_with_it_is_locked_until_it_is_gone) {
        static const struct {
                const char *script, *part;
        } rows[] = {
                { "mkdir -p first/web.mstack/layer@0/d first/web.mstack/layer@1.v/layer_1\n"
                  "touch first/web.mstack/bind@a.raw; ln first/web.mstack/bind@a.raw first/web.mstack/bind@b.raw",
                  "first/web.mstack/layer@0" },
                { "mkdir -p first/web.mstack/layer@0/d first/web.mstack/layer@1.v/layer_1",
                  "first/web.mstack/layer@1.v/layer_1" },
                { "mkdir -p first/web 'first/.#snapshots/web/2001-01-01T00:00:00Z/d' "
                  "'first/.#snapshots/web/2002-01-01T00:00:00Z'; chmod 700 first first/.#snapshots",
                  "first/.#snapshots/web/2001-01-01T00:00:00Z" },
        };
        for (size_t k = 0; k < ELEMENTSOF(rows); k++) {
                bool ended = false, refused = false;
                for (unsigned n = 1; !ended; n++) {
                        User u = { .part = rows[k].part, .lock = -EBADF };
                        care_begin(&u.c);
                        shell(&u.c, rows[k].script);
                        _cleanup_free_ char *part = pool_at(&u.c.p, u.part);
                        ASSERT_OK(stat(part, &u.st));
                        int r = disturbed_at_call(n, change_remove, use_part, &u, &ended);
                        if (u.lock < 0)
                                ASSERT_OK(r);
                        else if (r != -EBUSY || !pool_has(&u.c.p, u.part))
                                TEST_FAIL("row %zu, call %u: %d with a part in use", k, n, r);
                        refused = refused || u.lock >= 0;
                        ASSERT_EQ(pool_has(&u.c.p, u.part), u.lock >= 0);
                        u.lock = fd_close(u.lock);
                        care_end(&u.c);
                }
                ASSERT_TRUE(refused);
        }
}

OWN_MOUNTS_MAIN
