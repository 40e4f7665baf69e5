/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images with snapshots in a pool of the test's own, which is in memory. */
#pragma once

#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>

#include "image/snapshot.h"
#include "own-mounts.h"
#include "pool.h"

typedef struct Care {
        Pool p;
        ImagePool pool;
        char **settings, *home;
} Care;

static inline void care_begin_in(Care *c, const char *where) {
        *c = (Care){ 0 };
        pool_begin_in(&c->p, where);
        pool_directory(&c->p, "etc");
        c->home = pool_at(&c->p, "first");
        ASSERT_OK(strv_consume(&c->settings, pool_at(&c->p, "etc")));
        c->pool = (ImagePool){ .places = c->p.places, .path = c->home, .settings = c->settings };
}

static inline void care_begin(Care *c) {
        care_begin_in(c, "/mnt");
}

static inline void care_end(Care *c) {
        pool_end(&c->p);
        strv_free(c->settings);
        free(c->home);
}

static inline Image *find(const Care *c, const char *name) {
        Image *i = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        if (image_lookup(c->p.places, name, &i, &e) < 0)
                TEST_FAIL("'%s' is not found: %s", name, error_message(&e));
        return i;
}

static inline void shell(const Care *c, const char *script) {
        _cleanup_free_ char *command = strf("cd %s && set -e\n%s", c->p.top, script);
        if (system(command) != 0)
                TEST_FAIL("'%s' failed", script);
}

static inline char *take(const Care *c, const char *image, const char *name) {
        _cleanup_(image_freep) Image *i = find(c, image);
        _cleanup_error_ Error e = ERROR_NULL;
        char *taken = NULL;
        if (snapshot_make(&c->pool, i, name, false, &taken, &e) < 0)
                TEST_FAIL("%s", error_message(&e));
        return taken;
}

static inline char *names(const Care *c, const char *image) {
        _cleanup_(image_freep) Image *i = find(c, image);
        _cleanup_(snapshot_list_done) SnapshotList l = { 0 };
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        char *text;
        ASSERT_OK(snapshot_list(i, &l, NULL));
        for (size_t k = 0; k < l.n; k++)
                strbuf_addf(&b, "%s%s", k > 0 ? " " : "", l.snapshots[k].name);
        ASSERT_OK(strbuf_finish(&b, &text));
        return text;
}

static inline void assert_names(const Care *c, const char *image, const char *expected) {
        _cleanup_free_ char *found = names(c, image);
        ASSERT_STREQ(found, expected);
}

static inline int hear(void *userdata, const char *name, uint64_t bytes) {
        return strv_extend(userdata, name);
}
