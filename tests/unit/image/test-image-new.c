/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* New images: they come to be as a whole, take the place of others as a whole, or not at all. */
#include "image/image-new.h"

#include <dirent.h>
#include <stdio.h>

#include "kill-at.h"
#include "pool.h"

typedef struct Making {
        Pool p;
        ImagePool pool;
        ImageKind kind;
        bool replace, read_only;
} Making;

static void making_begin(Making *m, ImageKind kind) {
        *m = (Making){ .kind = kind };
        pool_begin_in(&m->p, "/var/tmp");
        m->pool = (ImagePool){ .places = m->p.places, .path = pool_at(&m->p, "first") };
}

static void making_end(Making *m) {
        free((char *) m->pool.path);
        pool_end(&m->p);
}

static int fill(ImageNew *n) {
        int fd = n->kind == IMAGE_RAW ? fcntl(n->fd, F_DUPFD_CLOEXEC, 3)
                                      : openat(n->fd, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
        int r = fd < 0 ? -errno : fd_write_full(fd, "new", 3);
        fd_close(fd);
        return r;
}

static int make(const Making *m, const char *name, Error *reterr) {
        ImageNew n;
        int r = image_new_begin(&m->pool, name, m->kind, m->replace, &n, reterr);
        if (r < 0)
                return r;
        r = fill(&n);
        if (r >= 0)
                r = image_new_finish(&n, m->read_only, reterr);
        image_new_done(&n);
        return r;
}

static void assert_makes(const Making *m, const char *name) {
        _cleanup_error_ Error e = ERROR_NULL;
        if (make(m, name, &e) < 0)
                TEST_FAIL("'%s' is not made: %s", name, error_message(&e));
}

static void assert_fails(const Making *m, const char *name, ErrorId id, const char *words) {
        _cleanup_error_ Error e = ERROR_NULL;
        ASSERT_TRUE(make(m, name, &e) < 0);
        ASSERT_CONTAINS(error_message(&e), words);
        ASSERT_EQ(e.id, id);
}

/* Of the only file there is. */
static char *contents(const Making *m, const char *rest) {
        _cleanup_free_ char *path = pool_at(&m->p, rest);
        char *text = NULL;
        return file_read_all(AT_FDCWD, path, 100, &text, NULL) < 0 ? strdup("none") : text;
}

static void assert_contents(const Making *m, const char *rest, const char *expected) {
        _cleanup_free_ char *text = contents(m, rest);
        ASSERT_STREQ(text, expected);
}

/* Images, and what is left of them; but not the locks of images, which stay where somebody is killed who has one. */
static unsigned count_entries(const Making *m) {
        unsigned n = 0;
        DIR *d = opendir(m->pool.path);
        ASSERT_NOT_NULL(d);
        for (struct dirent *e; (e = readdir(d));)
                n += !streq(e->d_name, ".") && !streq(e->d_name, "..") &&
                     !streq(e->d_name, ".#web.lck") && !streq(e->d_name, ".#web.raw.lck");
        closedir(d);
        return n;
}

TEST(new_ones) {
        Making m;
        making_begin(&m, IMAGE_DIRECTORY);
        assert_makes(&m, "web");
        assert_contents(&m, "first/web/file", "new");
        assert_fails(&m, "web", ERROR_FAILED, "There is an image 'web' already");
        assert_fails(&m, "../web", ERROR_INVALID_NAME, "Invalid image name '../web'");
        assert_fails(&m, ".#web", ERROR_INVALID_NAME, "Invalid image name '.#web'");
        m.kind = IMAGE_RAW;
        assert_fails(&m, "web", ERROR_FAILED, "There is an image 'web' already");
        assert_makes(&m, "disk");
        assert_contents(&m, "first/disk.raw", "new");
        ASSERT_EQ(count_entries(&m), 2);
        making_end(&m);
}

/* They would be found as another image's versions, as a stack of layers that an archive had the say of, or never. */
TEST(names_of_something_else) {
        Making m;
        making_begin(&m, IMAGE_DIRECTORY);
        for (int replace = 0; replace < 2; replace++) {
                m.replace = replace;
                assert_fails(&m, "web.v", ERROR_INVALID_NAME,
                             "No new image can be named 'web.v': that is a directory of versions");
                assert_fails(&m, "web.raw.v", ERROR_INVALID_NAME, "a directory of versions");
                assert_fails(&m, "web.mstack", ERROR_INVALID_NAME, "a stack of layers");
                assert_fails(&m, ".host", ERROR_INVALID_NAME, "the host itself");
                assert_fails(&m, "../web", ERROR_INVALID_NAME, "Invalid image name '../web'");
                assert_fails(&m, ".#web", ERROR_INVALID_NAME, "Invalid image name");
        }
        ASSERT_FALSE(pool_has(&m.p, "first/web.v") || pool_has(&m.p, "first/web.mstack"));
        assert_makes(&m, "web.raw"); /* is found by just that */
        _cleanup_(image_freep) Image *i = NULL;
        ASSERT_OK(image_lookup(m.pool.places, "web.raw", &i, NULL));
        making_end(&m);
}

TEST(one_of_a_name_at_a_time) {
        Making m;
        ImageNew n;
        making_begin(&m, IMAGE_DIRECTORY);
        ASSERT_OK(image_new_begin(&m.pool, "web", IMAGE_DIRECTORY, false, &n, NULL));
        assert_fails(&m, "web", ERROR_ROOT_BUSY,
                     "Another program is making, renaming or removing an image 'web'");
        image_new_done(&n);
        ASSERT_EQ(count_entries(&m), 0);
        assert_makes(&m, "web");
        making_end(&m);
}

TEST(replacing) {
        Making m;
        making_begin(&m, IMAGE_DIRECTORY);
        m.replace = true;
        pool_directory(&m.p, "first/web/deep/er");
        pool_file(&m.p, "first/web/file", "old");
        assert_makes(&m, "web");
        assert_contents(&m, "first/web/file", "new");
        ASSERT_FALSE(pool_has(&m.p, "first/web/deep"));
        /* a link goes, what it leads to stays */
        pool_directory(&m.p, "second/other");
        pool_link(&m.p, "../second/other", "first/link");
        assert_makes(&m, "link");
        assert_contents(&m, "first/link/file", "new");
        ASSERT_TRUE(pool_has(&m.p, "second/other"));
        /* what is elsewhere, or something else, is no business of ours */
        assert_fails(&m, "other", ERROR_UNSUPPORTED, "it is not in the pool of new images");
        pool_directory(&m.p, "first/many.v/many_1");
        assert_fails(&m, "many", ERROR_UNSUPPORTED, "it is a directory of versions");
        m.kind = IMAGE_RAW;
        assert_fails(&m, "web", ERROR_UNSUPPORTED,
                     "it is a directory, and the new one is a disk image");
        pool_file(&m.p, "first/disk.raw", "old");
        m.kind = IMAGE_DIRECTORY;
        assert_fails(&m, "disk", ERROR_UNSUPPORTED,
                     "it is a disk image, and the new one is a directory");
        ASSERT_EQ(count_entries(&m), 4);
        making_end(&m);
}

TEST(not_what_is_in_use) {
        Making m;
        ImageLock lock;
        Image *i = NULL;
        making_begin(&m, IMAGE_DIRECTORY);
        m.replace = true;
        assert_makes(&m, "web");
        ASSERT_OK(image_lookup(m.p.places, "web", &i, NULL));
        ASSERT_OK(image_lock(i, LOCK_MODE_SHARED, &lock, NULL));
        assert_fails(&m, "web", ERROR_ROOT_BUSY, "Image 'web' is in use by");
        image_lock_done(&lock);
        assert_makes(&m, "web");
        image_free(i);
        ASSERT_EQ(count_entries(&m), 1);
        making_end(&m);
}

TEST(read_only) {
        Making m;
        struct stat st;
        making_begin(&m, IMAGE_RAW);
        m.read_only = m.replace = true;
        assert_makes(&m, "disk");
        _cleanup_free_ char *path = pool_at(&m.p, "first/disk.raw");
        ASSERT_OK(stat(path, &st));
        ASSERT_EQ(st.st_mode & 07777, 0400);
        assert_makes(&m, "disk");
        m.read_only = false;
        assert_makes(&m, "disk");
        ASSERT_OK(stat(path, &st));
        ASSERT_EQ(st.st_mode & 07777, 0600);
        /* an immutable directory is replaced, too */
        m.kind = IMAGE_DIRECTORY;
        m.read_only = true;
        _cleanup_error_ Error e = ERROR_NULL;
        int r = make(&m, "tree", &e);
        if (r < 0 && e.id == ERROR_UNSUPPORTED) {
                making_end(&m);
                TEST_SKIP("the file system of /var/tmp cannot mark a directory");
        }
        ASSERT_OK(r);
        ASSERT_FALSE(pool_has(&m.p, "first/tree/other"));
        assert_makes(&m, "tree");
        ASSERT_EQ(count_entries(&m), 2);
        making_end(&m);
}

static int make_in_child(const void *of) {
        return make(of, "web", NULL);
}

/* Old or new, and `clean` has the rest. */
static void kill_everywhere(ImageKind kind, bool replace, const char *file) {
        Making m;
        making_begin(&m, kind);
        m.replace = replace;
        for (unsigned n = 1;; n++) {
                if (replace && kind == IMAGE_DIRECTORY)
                        pool_directory(&m.p, "first/web");
                if (replace)
                        pool_file(&m.p, file, "old");
                const bool done = killed_at_call(n, make_in_child, &m);
                _cleanup_free_ char *text = contents(&m, file);
                ASSERT_TRUE(streq(text, "new") || (!done && streq(text, replace ? "old" : "none")));
                ASSERT_OK(image_reclaim(&m.pool, NULL));
                ASSERT_EQ(count_entries(&m), (unsigned) !streq(text, "none"));
                if (done)
                        break;
                ASSERT_TRUE(n < 200);
                if (!replace && streq(text, "new")) {
                        _cleanup_(image_freep) Image *i = NULL;
                        ASSERT_OK(image_lookup(m.p.places, "web", &i, NULL));
                        ASSERT_OK(image_remove(&m.pool, i, NULL));
                }
        }
        making_end(&m);
}

TEST(killed_anywhere) {
        kill_everywhere(IMAGE_DIRECTORY, false, "first/web/file");
        kill_everywhere(IMAGE_DIRECTORY, true, "first/web/file");
        kill_everywhere(IMAGE_RAW, false, "first/web.raw");
        kill_everywhere(IMAGE_RAW, true, "first/web.raw");
}

TEST_MAIN
