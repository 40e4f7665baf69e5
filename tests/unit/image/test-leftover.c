/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who can write to a directory must not get root to delete or move anything: leftovers that were put there, and places where nothing is made. */
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>

#include "image/image-work.h"
#include "image/snapshot.h"
#include "own-mounts.h"
#include "pool.h"

#define ALICE 1000U

typedef struct Care {
        Pool p;
        ImagePool pool;
        char **settings, *home;
} Care;

static void care_begin(Care *c) {
        *c = (Care){ 0 };
        pool_begin_in(&c->p, "/mnt");
        pool_directory(&c->p, "etc");
        pool_directory(&c->p, "victim");
        pool_file(&c->p, "victim/precious", "x");
        pool_directory(&c->p, "base");
        pool_file(&c->p, "base/file", "x");
        c->home = pool_at(&c->p, "first");
        ASSERT_OK(strv_consume(&c->settings, pool_at(&c->p, "etc")));
        c->pool = (ImagePool){ .places = c->p.places, .path = c->home, .settings = c->settings };
}

static void care_end(Care *c) {
        pool_end(&c->p);
        strv_free(c->settings);
        free(c->home);
}

static void own(const Care *c, const char *rest, uid_t uid, mode_t mode) {
        _cleanup_free_ char *path = pool_at(&c->p, rest);
        ASSERT_OK(chown(path, uid, uid));
        ASSERT_OK(chmod(path, mode));
}

/* A lock file with records: '|' stands for the NUL behind each, '@' for the top. */
static void promise(const Care *c, const char *rest, const char *records) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        _cleanup_free_ char *path = pool_at(&c->p, rest);
        for (const char *p = records; *p; p++)
                if (*p == '@')
                        strbuf_add(&b, c->p.top);
                else
                        strbuf_add_bytes(&b, *p == '|' ? "" : p, 1);
        int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
        ASSERT_OK(fd);
        ASSERT_OK(fd_write_full(fd, b.text, b.size));
        fd_close(fd);
}

static int make_from(const Care *c, const char *rest, Error *e) {
        _cleanup_free_ char *template = pool_at(&c->p, "base"), *directory = pool_at(&c->p, rest);
        return image_make_from(template, directory, e);
}

#define DELETES "I@/none|S@/victim|"

TEST(no_template_where_others_can_write) {
        static const struct {
                uid_t uid;
                mode_t mode;
                const char *words;
        } rows[] = {
                { ALICE, 0755, "home' is not safe to work in: it belongs to user 1000" },
                { ALICE, 0700, "home' is not safe to work in: it belongs to user 1000" },
                { 0, 01777, "home' is not safe to work in: others than its owner can write to it" },
                { 0, 0775, "home' is not safe to work in: others than its owner can write to it" },
                { 0, 0757, "home' is not safe to work in: others than its owner can write to it" },
        };
        Care c;
        care_begin(&c);
        pool_directory(&c.p, "home");
        promise(&c, "home/.#x.01234567.lck", DELETES);
        for (size_t k = 0; k < ELEMENTSOF(rows); k++) {
                _cleanup_error_ Error e = ERROR_NULL;
                own(&c, "home", rows[k].uid, rows[k].mode);
                ASSERT_ERROR(make_from(&c, "home/web", &e), EPERM);
                ASSERT_TRUE(pool_has(&c.p, "victim/precious"));
                ASSERT_CONTAINS(error_message(&e), "Directory '");
                ASSERT_CONTAINS(error_message(&e), rows[k].words);
                ASSERT_CONTAINS(e.hint, "choose one that only root can write to");
                ASSERT_FALSE(pool_has(&c.p, "home/web"));
        }
        care_end(&c);
}

/* It is no place of images: what is there is not known to be a leftover. */
TEST(only_places_are_reclaimed) {
        Care c;
        care_begin(&c);
        pool_directory(&c.p, "home");
        pool_directory(&c.p, "home/.#x.01234567");
        promise(&c, "home/.#x.01234567.lck", "I@/home/none|S@/home/none.nspawn|");
        pool_file(&c.p, "home/none.nspawn", "");
        ASSERT_EQ(make_from(&c, "home/web", NULL), 1);
        ASSERT_TRUE(pool_has(&c.p, "home/web/file"));
        ASSERT_TRUE(pool_has(&c.p, "home/none.nspawn"));
        ASSERT_TRUE(pool_has(&c.p, "home/.#x.01234567"));
        care_end(&c);
}

/* In a pool that is as it should be: what records may name. */
TEST(what_a_promise_may_name) {
        static const struct {
                const char *records, *stays, *goes;
        } rows[] = {
                { DELETES, "victim/precious", NULL },
                { "I@/first/none|S@/victim|", "victim/precious", NULL },
                { "I@/first/victim|S@/victim|", "victim/precious", NULL },
                { "I@/victim/none|S@/victim/precious|", "victim/precious", NULL },
                { "S@/victim|I@/first/none|", "victim/precious", NULL },
                { "I@/first/none|S@/first/../victim|", "victim/precious", NULL },
                { "I@/first/none|S@/first/web|", "first/web", NULL },
                { "I@/first/none|S@/etc|", "etc/web.berth", NULL },
                { "I@/first/none|S@/etc/web.berth|", "etc/web.berth", NULL },
                { "I@/first/none|S@/etc/none.roothash|", "etc/none.roothash", NULL },
                { "I@/first/none|S@/first/.#snapshots|", "first/.#snapshots/web", NULL },
                { "I@/first/none|S@/first/.#snapshots/web|", "first/.#snapshots/web", NULL },
                { "I@/first/none|F@/victim|T@/first/.#snapshots/v|", "victim/precious", NULL },
                { "I@/first/none|F@/first/.#snapshots/none|T@/etc/x|", "first/.#snapshots/none",
                  NULL },
                { "N1|T@/victim/x|", "first/.#x.01234567", NULL },
                { "N1|T../victim/x|", "first/.#x.01234567", NULL },
                { "N1|Tweb/x|", "first/.#x.01234567", NULL },
                { "N1|T..|", "first/.#x.01234567", NULL },
                { "I@/first/none|D1:1.000000000|S@/etc/none.berth|", "etc/none.berth", NULL },
                { "I@/first/none|D|S@/etc/none.berth|", "etc/none.berth", NULL },
                /* what belongs to an image that is gone */
                { "I@/first/none|S@/etc/none.berth|", "victim", "etc/none.berth" },
                { "I@/first/none|D-|S@/etc/none.berth|", "victim", "etc/none.berth" },
                { "I@/first/none.raw|S@/etc/none.berth|", "victim", "etc/none.berth" },
                { "I@/first/none|S@/first/none.roothash|", "victim", "first/none.roothash" },
                { "I@/first/none|S@/first/.#snapshots/none|", "first/.#snapshots/web",
                  "first/.#snapshots/none" },
                { "I@/first/none|F@/first/.#snapshots/none|T@/first/.#snapshots/new|",
                  "first/.#snapshots/new", "first/.#snapshots/none" },
                { "N1|T@/first/kept|", "first/kept", "first/.#x.01234567" },
                { "N1|Tkept|", "first/kept", "first/.#x.01234567" },
        };
        for (size_t k = 0; k < ELEMENTSOF(rows); k++) {
                Care c;
                care_begin(&c);
                pool_directory(&c.p, "first/web");
                pool_directory(&c.p, "first/.#snapshots/web");
                pool_directory(&c.p, "first/.#snapshots/none");
                pool_file(&c.p, "first/none.roothash", "");
                pool_file(&c.p, "etc/none.roothash", "");
                pool_file(&c.p, "etc/none.berth", "");
                pool_file(&c.p, "etc/web.berth", "");
                pool_directory(&c.p, "first/.#x.01234567");
                promise(&c, "first/.#x.01234567.lck", rows[k].records);
                ASSERT_EQ(image_reclaim(&c.pool, NULL), 1);
                if (!pool_has(&c.p, rows[k].stays))
                        TEST_FAIL("'%s': '%s' is gone", rows[k].records, rows[k].stays);
                if (rows[k].goes && pool_has(&c.p, rows[k].goes))
                        TEST_FAIL("'%s': '%s' is there", rows[k].records, rows[k].goes);
                care_end(&c);
        }
}

/* Of an older version, which did not say what they were. */
TEST(what_is_newer_than_its_promise_stays) {
        Care c;
        care_begin(&c);
        pool_directory(&c.p, "etc/none.berth.d");
        pool_directory(&c.p, "first/none.berth.d");
        pool_file(&c.p, "first/none.berth.d/a.conf", "");
        pool_file(&c.p, "first/none.berth", "");
        promise(&c, "first/.#x.01234567.lck",
                "I@/first/none|S@/etc/none.berth|S@/etc/none.berth.d|S@/first/none.berth|"
                "S@/first/none.berth.d|");
        usleep(20000); /* clocks of file systems are coarse */
        pool_file(&c.p, "etc/none.berth", "");
        pool_file(&c.p, "etc/none.berth.d/new.conf", "");
        ASSERT_EQ(image_reclaim(&c.pool, NULL), 1);
        ASSERT_TRUE(pool_has(&c.p, "etc/none.berth"));
        ASSERT_TRUE(pool_has(&c.p, "etc/none.berth.d/new.conf"));
        ASSERT_FALSE(pool_has(&c.p, "first/none.berth"));
        ASSERT_FALSE(pool_has(&c.p, "first/none.berth.d"));
        care_end(&c);
}

/* Others' lock files in a pool, and pools in which others can write. */
TEST(whose_promises_are_kept) {
        static const struct {
                uid_t place_uid, lock_uid;
                mode_t place_mode, lock_mode;
                bool kept;
        } rows[] = {
                { 0, 0, 0700, 0600, true },      { 0, 0, 0755, 0644, true },
                { 0, ALICE, 0755, 0600, false }, { 0, 0, 0755, 0622, false },
                { 0, 0, 0755, 0660, false },     { ALICE, 0, 0755, 0600, false },
                { 0, 0, 01777, 0600, false },    { 0, 0, 0770, 0600, false },
        };
        for (size_t k = 0; k < ELEMENTSOF(rows); k++) {
                Care c;
                care_begin(&c);
                pool_directory(&c.p, "first/.#x.01234567");
                pool_directory(&c.p, "first/.#snapshots/web/.#y.01234567");
                pool_file(&c.p, "first/.#snapshots/web/.#y.01234567.lck", "");
                pool_file(&c.p, "etc/none.berth", "");
                promise(&c, "first/.#x.01234567.lck", "I@/first/none|S@/etc/none.berth|");
                own(&c, "first/.#x.01234567.lck", rows[k].lock_uid, rows[k].lock_mode);
                own(&c, "first", rows[k].place_uid, rows[k].place_mode);
                const bool safe = rows[k].place_uid == 0 && (rows[k].place_mode & 022) == 0;
                ASSERT_EQ(image_reclaim(&c.pool, NULL), safe + rows[k].kept);
                ASSERT_EQ(pool_has(&c.p, "etc/none.berth"), !rows[k].kept);
                ASSERT_EQ(pool_has(&c.p, "first/.#x.01234567"), !rows[k].kept);
                ASSERT_EQ(pool_has(&c.p, "first/.#snapshots/web/.#y.01234567"), !safe);
                care_end(&c);
        }
}

static int hear(void *userdata, const char *name, uint64_t bytes) {
        return 0;
}

/* Snapshots of nothing are cleaned, but not by a link to something else. */
TEST(snapshots_of_others) {
        Care c;
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ char *name = NULL;
        Image *i = NULL;
        care_begin(&c);
        pool_link(&c.p, "..", "first/.#snapshots"); /* PLACE/../victim */
        own(&c, "first", ALICE, 0755);
        ASSERT_OK(image_clean(&c.pool, CLEAN_HIDDEN, hear, NULL, NULL));
        ASSERT_TRUE(pool_has(&c.p, "victim/precious"));
        pool_directory(&c.p, "first/web");
        ASSERT_OK(image_lookup(c.p.places, "web", &i, NULL));
        ASSERT_ERROR(snapshot_make(&c.pool, i, "a", false, &name, &e), EPERM);
        ASSERT_CONTAINS(error_message(&e),
                        "first' is not safe to work in: it belongs to user 1000");
        ASSERT_FALSE(pool_has(&c.p, "web"));
        image_free(i);
        /* also of root's */
        own(&c, "first", 0, 0755);
        ASSERT_OK(image_clean(&c.pool, CLEAN_HIDDEN, hear, NULL, NULL));
        ASSERT_TRUE(pool_has(&c.p, "victim/precious"));
        care_end(&c);
}

TEST(what_is_mounted_in_a_template) {
        Care c;
        _cleanup_error_ Error e = ERROR_NULL;
        care_begin(&c);
        pool_directory(&c.p, "base/data");
        _cleanup_free_ char *mounted = pool_at(&c.p, "base/data");
        ASSERT_OK(mount("tmpfs", mounted, "tmpfs", 0, NULL));
        ASSERT_ERROR(make_from(&c, "first/web", &e), EBUSY);
        ASSERT_CONTAINS(error_message(&e), "Something is mounted on 'data' in '");
        ASSERT_CONTAINS(e.hint, "unmount it first");
        ASSERT_FALSE(pool_has(&c.p, "first/web"));
        ASSERT_OK(umount(mounted));
        ASSERT_EQ(make_from(&c, "first/web", NULL), 1);
        care_end(&c);
}

/* Links lead nowhere, whatever they point at; the top is nobody's until it is complete. */
typedef struct Watch {
        const Care *c;
        bool open;
} Watch;

static int watch(void *userdata, uint64_t files, uint64_t bytes) {
        Watch *w = userdata;
        struct stat st;
        _cleanup_free_ char *path = pool_at(&w->c->p, "first/copy");
        w->open = w->open || (stat(path, &st) >= 0 && (st.st_mode & 077) && files == 0);
        return 0;
}

TEST(a_copy_follows_no_links) {
        Care c;
        struct stat st;
        care_begin(&c);
        _cleanup_free_ char *victim = pool_at(&c.p, "victim/precious"),
                            *base = pool_at(&c.p, "base"), *link = pool_at(&c.p, "base/link"),
                            *copied = pool_at(&c.p, "first/copy/link");
        Watch w = { .c = &c };
        TreeCopy copy = { .tick = watch, .userdata = &w };
        pool_link(&c.p, victim, "base/link");
        ASSERT_OK(lchown(link, ALICE, ALICE));
        own(&c, "base", 0, 0777);
        own(&c, "victim/precious", 0, 0600);
        _cleanup_close_ int from = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                            to = open(c.home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ASSERT_OK(tree_copy(from, to, "copy", &copy));
        ASSERT_FALSE(w.open);
        ASSERT_OK(lstat(copied, &st));
        ASSERT_TRUE(S_ISLNK(st.st_mode) && st.st_uid == ALICE);
        ASSERT_OK(stat(victim, &st));
        ASSERT_TRUE((st.st_mode & 07777) == 0600 && st.st_uid == 0);
        care_end(&c);
}

OWN_MOUNTS_MAIN
