/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* URLs. */
#include "basic/url.h"

#include "basic/str.h"
#include "test.h"

TEST(valid) {
        static const char *const good[] = { "http://a",          "https://example.com/a.tar",
                                            "HTTP://h/x",        "http://u:p@h:80/x?y#z",
                                            "http://[::1]:80/x", "https://h?x" };
        static const char *const bad[] = {
                "",          "http",         "http:",       "http://",
                "http:///x", "ftp://h/x",    "file:///etc", "/etc/passwd",
                "h/x",       "http://h/a b", "http://h/\n", "http://h/\xc3\xa4",
                "https://@", "http://:80/x", "http://?x",   "http://h/<x>",
                "httpsx://h"
        };
        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                if (!url_is_valid(good[i]))
                        TEST_FAIL("'%s' is not taken", good[i]);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                if (url_is_valid(bad[i]))
                        TEST_FAIL("'%s' is taken", bad[i]);
        char longest[URL_MAX + 2] = "http://h/";
        memset(longest + 9, 'x', URL_MAX - 9);
        ASSERT_TRUE(url_is_valid(longest));
        longest[URL_MAX] = 'x';
        ASSERT_FALSE(url_is_valid(longest));
        ASSERT_TRUE(url_is_https("HTTPS://h"));
        ASSERT_FALSE(url_is_https("http://h/https://"));
}

static void assert_file(const char *url, const char *expected) {
        _cleanup_free_ char *name = NULL;
        ASSERT_OK(url_file(url, &name));
        ASSERT_STREQ(name, expected);
}

TEST(files) {
        assert_file("http://h/a/web.tar.gz?x=/y#/z", "web.tar.gz");
        assert_file("http://h/a%20b%2Bc", "a b+c");
        assert_file("http://h/100%", "100%");
        static const char *const none[] = { "http://h",       "http://h/",      "http://h/a/",
                                            "http://h/?a/b",  "http://h/..",    "http://h/%2e%2e",
                                            "http://h/a%2fb", "http://h/a%00b", "http://h/%0A" };
        for (size_t i = 0; i < ELEMENTSOF(none); i++) {
                _cleanup_free_ char *name = NULL;
                ASSERT_ERROR(url_file(none[i], &name), EINVAL);
        }
}

static void assert_text(char *got, const char *expected) {
        ASSERT_STREQ(got, expected);
        free(got);
}

TEST(beside) {
        assert_text(url_beside("http://h/a/b.tar?q=/x#f", "SHA256SUMS"), "http://h/a/SHA256SUMS");
        assert_text(url_beside("http://h", "X"), "http://h/X");
        assert_text(url_beside("http://h?q", "X"), "http://h/X");
        assert_text(url_append("http://h/a.tar?q=1#f", ".sha256"), "http://h/a.tar.sha256?q=1");
        assert_text(url_append("http://h/a.tar", ".asc"), "http://h/a.tar.asc");
}

TEST(display) {
        assert_text(url_for_display("https://me:secret@h:1/a?b#c"), "https://h:1/a?b");
        assert_text(url_for_display("http://h/a@b"), "http://h/a@b");
}

TEST_MAIN
