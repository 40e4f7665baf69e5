/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of basic/path.c. */
#include "test.h"

#include <limits.h>

#include "basic/path.h"
#include "basic/str.h"

/* A string of n times c; the caller frees it. */
static char *repeat(char c, size_t n) {
        char *s = malloc(n + 1);

        ASSERT_NOT_NULL(s);
        memset(s, c, n);
        s[n] = '\0';
        return s;
}

TEST(valid) {
        _cleanup_free_ char *name = repeat('a', NAME_MAX), *long_name = repeat('a', NAME_MAX + 1);
        _cleanup_free_ char *path = repeat('/', PATH_MAX - 1), *long_path = repeat('/', PATH_MAX);

        ASSERT_TRUE(path_is_valid("/"));
        ASSERT_TRUE(path_is_valid("a/../b//c"));
        ASSERT_TRUE(path_is_valid("/ü space"));
        ASSERT_TRUE(path_is_valid(name));
        ASSERT_FALSE(path_is_valid(long_name));
        ASSERT_TRUE(path_is_valid(path));
        ASSERT_FALSE(path_is_valid(long_path));
        ASSERT_FALSE(path_is_valid(""));
        ASSERT_FALSE(path_is_valid(NULL));
        ASSERT_FALSE(path_is_valid("/a\nb"));
        ASSERT_FALSE(path_is_valid("/a\x7f"));
        ASSERT_FALSE(path_is_valid("/\xc3\x28"));
        ASSERT_FALSE(path_is_valid("/\xff"));
}

TEST(normalized) {
        static const char *const yes[] = { "/", "/a", "a", "a/b", "/a/b", "...", "/..a/b..", ".a" };
        static const char *const no[] = {
                "",   "//",  "/a/",  "a/",   "/a//b",   "/./a", "./a", ".",
                "..", "/..", "a/..", "../a", "/a/../b", "/a/.", "/.",  "a//",
        };

        for (size_t i = 0; i < ELEMENTSOF(yes); i++)
                ASSERT_TRUE(path_is_normalized(yes[i]));
        for (size_t i = 0; i < ELEMENTSOF(no); i++)
                ASSERT_FALSE(path_is_normalized(no[i]));
        ASSERT_FALSE(path_is_normalized(NULL));
}

TEST(simplify) {
        static const char *const cases[][2] = {
                { "/", "/" },
                { "//", "/" },
                { "/.", "/" },
                { "", "" },
                { ".", "." },
                { "./", "." },
                { "./.", "." },
                { "./a", "a" },
                { "/a//b/./c/", "/a/b/c" },
                { "a/../b/", "a/../b" },
                { "/..", "/.." },
                { "..", ".." },
                { "a", "a" },
                { "///a", "/a" },
                { "a/./.", "a" },
                { "/...", "/..." },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *s = path_simplify(cases[i][0]);

                ASSERT_STREQ(s, cases[i][1]);
        }
}

TEST(join) {
        static const char *const cases[][3] = {
                { "a", "b", "a/b" }, { "a/", "/b", "a/b" }, { "a//", "//b/", "a/b/" },
                { "/", "b", "/b" },  { "/", "/", "/" },     { "", "b", "b" },
                { "", "/b", "/b" },  { "a", "", "a" },      { "a/", "", "a/" },
                { "", "", "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *s = path_join(cases[i][0], cases[i][1]);

                ASSERT_STREQ(s, cases[i][2]);
        }
        _cleanup_free_ char *a = path_join(NULL, "b"), *b = path_join("a", NULL);
        ASSERT_STREQ(a, "b");
        ASSERT_STREQ(b, "a");
}

TEST(prefixes) {
        ASSERT_STREQ(path_startswith("/a/b", "/a"), "b");
        ASSERT_STREQ(path_startswith("/a/b", "/a/"), "b");
        ASSERT_STREQ(path_startswith("/a//b/c", "//a/./b"), "c");
        ASSERT_STREQ(path_startswith("/a", "/"), "a");
        ASSERT_STREQ(path_startswith("/", "/"), "");
        ASSERT_STREQ(path_startswith("/a", "/a"), "");
        ASSERT_STREQ(path_startswith("/a/", "/a"), "");
        ASSERT_STREQ(path_startswith("a/b", "a"), "b");
        ASSERT_NULL(path_startswith("/ab", "/a"));
        ASSERT_NULL(path_startswith("/a", "/ab"));
        ASSERT_NULL(path_startswith("/a", "/a/b"));
        ASSERT_NULL(path_startswith("a", "/a"));
        ASSERT_NULL(path_startswith("/a", "a"));
        ASSERT_NULL(path_startswith(NULL, "/"));
        ASSERT_NULL(path_startswith("/a", NULL));
        ASSERT_TRUE(path_equal("/a//b/", "/a/./b"));
        ASSERT_FALSE(path_equal("/a/b", "/a"));
        ASSERT_FALSE(path_equal("/a", "a"));
}

TEST(parts) {
        ASSERT_STREQ(path_last_component("/a/b"), "b");
        ASSERT_STREQ(path_last_component("b"), "b");
        ASSERT_STREQ(path_last_component("/"), "");
        ASSERT_STREQ(path_last_component("/a/"), "");

        static const char *const cases[][2] = {
                { "/a/b", "/a" },  { "b", "." },    { "/a", "/" },      { "//a", "/" },
                { "/a/b/", "/a" }, { "a//b", "a" }, { "a/b/c", "a/b" },
        };
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *d = NULL;

                ASSERT_OK(path_extract_directory(cases[i][0], &d));
                ASSERT_STREQ(d, cases[i][1]);
        }
        char *none = NULL;
        ASSERT_ERROR(path_extract_directory("/", &none), EINVAL);
        ASSERT_ERROR(path_extract_directory("", &none), EINVAL);
        ASSERT_ERROR(path_extract_directory("//", &none), EINVAL);
        ASSERT_NULL(none);
}

TEST(container_names) {
        static const char *const good[] = {
                "a", "web", "web-1", "a.b", "A_b.c-d", "1", "_x", "a--b"
        };
        static const char *const bad[] = {
                "",    ".",   "..", "-",   ".a",  "a.",   "-a",   "a-",   "a..b", "a/b", "../x",
                "a b", "a\n", "ü",  "a:b", "a@b", "a.-b", "a-.b", "\xff", "a\\b", "%n",  "a\x7f",
        };
        _cleanup_free_ char *longest = repeat('a', 64), *too_long = repeat('a', 65);

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                ASSERT_TRUE(container_name_is_valid(good[i]));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                ASSERT_FALSE(container_name_is_valid(bad[i]));
        ASSERT_FALSE(container_name_is_valid(NULL));
        ASSERT_TRUE(container_name_is_valid(longest));
        ASSERT_FALSE(container_name_is_valid(too_long));
}

TEST(hostnames) {
        _cleanup_free_ char *label = repeat('a', 63), *long_label = repeat('a', 64);

        ASSERT_TRUE(hostname_is_valid("host"));
        ASSERT_TRUE(hostname_is_valid("a.b.c"));
        ASSERT_TRUE(hostname_is_valid(label));
        ASSERT_FALSE(hostname_is_valid(long_label));
        ASSERT_FALSE(hostname_is_valid("a."));
        ASSERT_FALSE(hostname_is_valid(""));
        ASSERT_FALSE(hostname_is_valid("a;b"));
}

TEST_MAIN
