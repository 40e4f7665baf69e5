/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images in a pool: kinds, names, versions, details. */
#include "image/image.h"

#include <stdio.h>
#include <sys/utsname.h>

#include "pool.h"

/* "NAME KIND PATH", the path without the pool's. */
static void assert_image(const Pool *p, const char *name, const char *expected) {
        _cleanup_(image_freep) Image *i = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        if (image_lookup(p->places, name, &i, &e) < 0)
                TEST_FAIL("'%s' is not found: %s", name, error_message(&e));
        _cleanup_free_ char *line = strf("%s %s %s", i->name, image_kind_to_string(i->kind),
                                         path_startswith(i->path, p->top));
        ASSERT_STREQ(line, expected);
}

static void assert_none(const Pool *p, const char *name, int code, const char *words) {
        _cleanup_error_ Error e = ERROR_NULL;
        Image *i = NULL;
        ASSERT_EQ(image_lookup(p->places, name, &i, &e), code);
        ASSERT_CONTAINS(e.message, words);
        ASSERT_NULL(i);
}

TEST(kinds) {
        Pool p;
        pool_begin(&p);
        pool_directory(&p, "first/web");
        pool_file(&p, "second/disk.raw", "x");
        pool_file(&p, "second/notes", "x");
        pool_file(&p, "second/web.nspawn", "x");
        pool_directory(&p, "second/stack.mstack");
        pool_directory(&p, "second/odd.raw");
        pool_link(&p, "disk.raw", "second/other.raw");
        pool_link(&p, "/dev/loop0", "second/device");
        pool_link(&p, "nowhere", "first/gone");

        assert_image(&p, "web", "web directory first/web");
        assert_image(&p, "disk", "disk raw second/disk.raw");
        assert_image(&p, "other", "other raw second/other.raw");
        assert_image(&p, "stack", "stack mstack second/stack.mstack");
        assert_image(&p, "odd.raw", "odd.raw directory second/odd.raw");
        if (access("/dev/loop0", F_OK) == 0)
                assert_image(&p, "device", "device block second/device");
        assert_none(&p, "odd", -ENOENT, "There is no image 'odd' in /tmp/");
        assert_none(&p, "gone", -ENOENT, "/first/gone' is a symbolic link that leads nowhere");
        assert_none(&p, "notes", -EOPNOTSUPP, "is neither a directory nor a disk image");
        pool_end(&p);
}

TEST(first_place_counts) {
        Pool p;
        pool_begin(&p);
        pool_directory(&p, "second/web");
        pool_file(&p, "second/web.raw", "");
        assert_image(&p, "web", "web directory second/web");
        pool_file(&p, "first/web.raw", "");
        assert_image(&p, "web", "web raw first/web.raw");
        pool_end(&p);
}

TEST(names) {
        static const char
                *const good[] = { "web", "my image", ".hidden", "f\xc3\xbcr", "-x", "a..b" },
                       *const bad[] = { "", ".", "..", "a/b", ".#tmp", "a\nb", "\xff" };
        char longest[IMAGE_NAME_MAX + 2];
        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                ASSERT_TRUE(image_name_is_valid(good[i]));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                ASSERT_FALSE(image_name_is_valid(bad[i]));
        memset(longest, 'a', sizeof(longest) - 1);
        longest[sizeof(longest) - 1] = '\0';
        _cleanup_error_ Error e = ERROR_NULL;
        ASSERT_ERROR(image_check_name(longest, &e), EINVAL);
        ASSERT_EQ(e.id, ERROR_INVALID_NAME);
        longest[IMAGE_NAME_MAX] = '\0';
        ASSERT_TRUE(image_name_is_valid(longest));
}

/* "NAME=WHERE…", sorted */
static void assert_list(const Pool *p, bool hidden, const char *expected) {
        _cleanup_(image_list_done) ImageList l = { 0 };
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        ASSERT_OK(image_enumerate(p->places, hidden, &l, NULL));
        for (size_t i = 0; i < l.n; i++)
                strbuf_addf(&b, "%s%s=%s", i > 0 ? " " : "", l.images[i]->name,
                            path_startswith(l.images[i]->path, p->top));
        ASSERT_STREQ(strempty(b.text), expected);
}

TEST(listing) {
        Pool p;
        pool_begin(&p);
        assert_list(&p, true, "");
        pool_directory(&p, "second/web");
        pool_directory(&p, "first/web");
        pool_file(&p, "first/web.raw", "");
        pool_file(&p, "first/web.nspawn", "");
        pool_file(&p, "first/.#web.lck", "");
        pool_directory(&p, "first/.#web.0123456789abcdef");
        pool_file(&p, "second/db.raw", "");
        pool_directory(&p, "second/.tar-1");
        pool_directory(&p, "second/app.v");
        pool_directory(&p, "second/app.v/app_1.2");
        pool_directory(&p, "second/empty.v");
        assert_list(&p, false, "app=second/app.v/app_1.2 db=second/db.raw web=first/web");
        assert_list(&p, true,
                    ".tar-1=second/.tar-1 app=second/app.v/app_1.2 db=second/db.raw web=first/web");
        pool_end(&p);
}

TEST(versions) {
        Pool p;
        struct utsname u;
        pool_begin(&p);
        pool_directory(&p, "first/app.v");
        assert_none(&p, "app", -ENOENT, "There is no image 'app'");
        pool_directory(&p, "first/app.v/app_1.9");
        pool_directory(&p, "first/app.v/app_1.10");
        pool_directory(&p, "first/app.v/other_7");
        pool_file(&p, "first/app.v/app_2.raw", "");
        pool_file(&p, "first/app.v/app_3", "");
        assert_image(&p, "app", "app directory first/app.v/app_1.10");
        pool_directory(&p, "first/app.v/app_1.11_s390");
        pool_directory(&p, "first/app.v/app_1.12+0-3");
        assert_image(&p, "app", "app directory first/app.v/app_1.10");
        pool_directory(&p, "first/app.v/app_1.11+1-2");
        assert_image(&p, "app", "app directory first/app.v/app_1.11+1-2");
        pool_directory(&p, "first/app.v/app_1.11+2-1");
        assert_image(&p, "app", "app directory first/app.v/app_1.11+2-1");
        if (uname(&u) == 0 && streq(u.machine, "x86_64")) {
                pool_directory(&p, "first/app.v/app_1.11_x86+1");
                assert_image(&p, "app", "app directory first/app.v/app_1.11_x86+1");
                pool_directory(&p, "first/app.v/app_1.11_x86-64+1");
                assert_image(&p, "app", "app directory first/app.v/app_1.11_x86-64+1");
        }
        assert_none(&p, "app.v", -ENOENT, "There is no image 'app.v'");
        pool_directory(&p, "second/disk.raw.v");
        pool_file(&p, "second/disk.raw.v/disk_1.raw", "");
        pool_file(&p, "second/disk.raw.v/disk_2.raw", "");
        pool_directory(&p, "second/disk.raw.v/disk_3");
        assert_image(&p, "disk", "disk raw second/disk.raw.v/disk_2.raw");
        pool_end(&p);
}

/* D-Bus could not carry the path: one such file must not hide the other images, nor be taken for the newest version. */
TEST(version_that_is_not_utf8) {
        Pool p;
        pool_begin(&p);
        pool_directory(&p, "first/a.raw.v");
        pool_file(&p, "first/a.raw.v/a_1\xff.raw", "");
        pool_directory(&p, "first/b.v");
        pool_directory(&p, "first/b.v/b_1");
        pool_directory(&p, "first/b.v/b_2\xff");
        assert_none(&p, "a", -ENOENT, "There is no image 'a'");
        assert_list(&p, false, "b=first/b.v/b_1");
        pool_end(&p);
}

/* All have lost: it is better to start something. */
TEST(versions_without_tries) {
        Pool p;
        pool_begin(&p);
        pool_directory(&p, "first/app.v");
        pool_directory(&p, "first/app.v/app_1+0");
        pool_directory(&p, "first/app.v/app_2+0-5");
        assert_image(&p, "app", "app directory first/app.v/app_2+0-5");
        pool_end(&p);
}

TEST(details) {
        Pool p;
        pool_begin(&p);
        pool_directory(&p, "first/web");
        pool_file(&p, "first/disk.raw", "12345");
        _cleanup_(image_freep) Image *web = NULL, *disk = NULL, *again = NULL;
        ASSERT_OK(image_lookup(p.places, "web", &web, NULL));
        ASSERT_OK(image_lookup(p.places, "disk", &disk, NULL));
        image_read_details(web);
        image_read_details(disk);
        ASSERT_FALSE(web->read_only);
        ASSERT_TRUE(web->usage == IMAGE_SIZE_UNKNOWN);
        ASSERT_EQ(web->modified_usec, 0);
        ASSERT_FALSE(disk->read_only);
        ASSERT_EQ(disk->limit, 5);
        ASSERT_EQ(disk->usage, disk->st.st_blocks * 512);
        ASSERT_TRUE(disk->modified_usec > USEC_PER_SEC);
        _cleanup_free_ char *path = pool_at(&p, "first/disk.raw");
        ASSERT_OK(chmod(path, 0444));
        ASSERT_OK(image_lookup(p.places, "disk", &again, NULL));
        image_read_details(again);
        ASSERT_TRUE(again->read_only);
        pool_end(&p);
}

TEST(by_path) {
        Pool p;
        Image *i = NULL;
        pool_begin(&p);
        pool_file(&p, "first/disk.raw", "");
        pool_directory(&p, "first/web");
        _cleanup_free_ char *disk = pool_at(&p, "first/disk.raw"), *web = pool_at(&p, "first/web"),
                            *none = pool_at(&p, "first/none");
        ASSERT_OK(image_at_path(disk, &i, NULL));
        ASSERT_STREQ(i->name, "disk");
        i = image_free(i);
        ASSERT_OK(image_at_path(web, &i, NULL));
        ASSERT_STREQ(i->name, "web");
        i = image_free(i);
        ASSERT_ERROR(image_at_path(none, &i, NULL), ENOENT);
        pool_end(&p);
}

TEST_MAIN
