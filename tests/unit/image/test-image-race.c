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

int main(int argc, char **argv) {
        return care_main(argc, argv);
}
