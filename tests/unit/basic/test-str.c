/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of basic/str.c. */
#include "test.h"

#include "basic/str.h"

TEST(harmless) {
        static const char *const fine[] = { "", "a b", "\xc3\xa9\xe2\x82\xac", "\\" };
        static const char *const harmful[] = { "\n",       "a\x1b[1m", "\x7f",
                                               "\xc2\x9b", "\xff",     "\xe2\x80\xae" };

        for (size_t k = 0; k < ELEMENTSOF(fine); k++)
                ASSERT_TRUE(str_is_harmless(fine[k]));
        for (size_t k = 0; k < ELEMENTSOF(harmful); k++)
                ASSERT_FALSE(str_is_harmless(harmful[k]));
}

TEST(comparing) {
        ASSERT_TRUE(streq_ptr(NULL, NULL));
        ASSERT_TRUE(streq_ptr("a", "a"));
        ASSERT_FALSE(streq_ptr("a", NULL));
        ASSERT_FALSE(streq_ptr(NULL, ""));
        ASSERT_TRUE(isempty(NULL) && isempty("") && !isempty("a"));
        ASSERT_STREQ(startswith("abc", "ab"), "c");
        ASSERT_STREQ(startswith("abc", ""), "abc");
        ASSERT_NULL(startswith("ab", "abc"));
        ASSERT_STREQ(endswith("abc", "bc"), "bc");
        ASSERT_STREQ(endswith("abc", ""), "");
        ASSERT_NULL(endswith("bc", "abc"));
        ASSERT_NULL(endswith("abc", "ab"));
}

TEST(duplicating) {
        char *s = NULL;

        ASSERT_OK(free_and_strdup(&s, "a"));
        ASSERT_STREQ(s, "a");
        ASSERT_OK(free_and_strdup(&s, s)); /* its own content */
        ASSERT_STREQ(s, "a");
        ASSERT_OK(free_and_strdup(&s, NULL));
        ASSERT_NULL(s);
}

TEST(building) {
        _cleanup_free_ char *f = strf("%s-%d", "a", 5), *j = strjoin("a", "", "bc"),
                            *one = strjoin("x");

        ASSERT_STREQ(f, "a-5");
        ASSERT_STREQ(j, "abc");
        ASSERT_STREQ(one, "x");
}

TEST(stripping) {
        char a[] = " \t a b \r\n", b[] = "   ", c[] = "", d[] = "x";

        ASSERT_STREQ(strstrip(a), "a b");
        ASSERT_STREQ(strstrip(b), "");
        ASSERT_STREQ(strstrip(c), "");
        ASSERT_STREQ(strstrip(d), "x");
}

TEST(buffer) {
        _cleanup_free_ char *empty = NULL, *text = NULL;
        StrBuf b = { 0 };

        ASSERT_OK(strbuf_finish(&b, &empty));
        ASSERT_STREQ(empty, "");

        for (int i = 0; i < 1000; i++) {
                strbuf_add(&b, "ab");
                strbuf_add_bytes(&b, "cd", 1);
                strbuf_addf(&b, "%d", i % 10);
        }
        ASSERT_EQ(b.size, 4000);
        ASSERT_EQ(strlen(b.text), 4000);
        ASSERT_OK(strbuf_finish(&b, &text));
        ASSERT_NULL(b.text);
        ASSERT_EQ(strncmp(text, "abc0abc1", 8), 0);
        ASSERT_EQ(strcmp(text + 3996, "abc9"), 0);
}

/* Every size around a buffer's end. */
TEST(buffer_formatting_at_the_brim) {
        for (int n = 0; n < 300; n++) {
                _cleanup_free_ char *text = NULL;
                StrBuf b = { 0 };

                strbuf_addf(&b, "%*s", n, "");
                strbuf_addf(&b, "%s", "x");
                ASSERT_OK(strbuf_finish(&b, &text));
                ASSERT_EQ(strlen(text), n + 1);
                ASSERT_EQ(text[n], 'x');
        }
}

TEST(buffer_errors_stick) {
        StrBuf b = { 0 };
        char *text = NULL;

        strbuf_add(&b, "a");
        strbuf_add_bytes(&b, "x", SIZE_MAX - 2);
        ASSERT_TRUE(b.failed);
        strbuf_add(&b, "b");
        strbuf_addf(&b, "%d", 1);
        ASSERT_STREQ(b.text, "a");
        ASSERT_ERROR(strbuf_finish(&b, &text), ENOMEM);
        ASSERT_NULL(text);
        ASSERT_NULL(b.text);
        ASSERT_FALSE(b.failed);
        strbuf_done(&b);
        strbuf_done(NULL);
}

TEST(utf8) {
        static const char *const good[] = {
                "", "abc", "ü", "€", "😀", "\x7f", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf"
        };
        static const char *const bad[] = {
                "\x80",
                "\xc3",
                "\xc3\x28",
                "\xc0\x80", /* overlong NUL */
                "\xc1\xbf",
                "\xe0\x80\xaf", /* overlong slash */
                "\xf0\x80\x80\xaf",
                "\xed\xa0\x80",     /* surrogate */
                "\xf4\x90\x80\x80", /* beyond U+10FFFF */
                "\xf8\x88\x80\x80\x80",
                "\xfe",
                "\xff",
                "abc\xe2\x82",
        };

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                ASSERT_TRUE(utf8_is_valid(good[i], strlen(good[i])));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                ASSERT_FALSE(utf8_is_valid(bad[i], strlen(bad[i])));
        ASSERT_FALSE(utf8_is_valid("a\0b", 3));
        ASSERT_FALSE(utf8_is_valid("ü", 1));
}

TEST(display) {
        static const char *const cases[][2] = {
                { "", "" },
                { "plain \\ ü €", "plain \\ ü €" },
                { "\033[1m\n\t\x7f", "\\x1b[1m\\x0a\\x09\\x7f" },
                { "a\xffz\xc3", "a\\xffz\\xc3" },
                { "\xc2\x9b"
                  "31m",
                  "\\xc2\\x9b31m" }, /* C1: CSI in eight bits */
                { "\xe2\x80\xae"
                  "exe",
                  "\\xe2\\x80\\xaeexe" }, /* right-to-left override */
                { "\xe2\x81\xa6x", "\\xe2\\x81\\xa6x" },
                { "\xc0\x80", "\\xc0\\x80" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *s = str_escape_for_display(cases[i][0]);

                ASSERT_STREQ(s, cases[i][1]);
                ASSERT_TRUE(utf8_is_valid(s, strlen(s)));
        }
}

TEST(escapes) {
        _cleanup_free_ char *s = str_escape("a\"b'c d\\\n\t\x01\xff ü");

        ASSERT_STREQ(s, "a\\\"b'c d\\\\\\n\\t\\x01\\xff ü");
}

TEST(unescaping) {
        static const char *const cases[][2] = {
                { "", "" },
                { "plain", "plain" },
                { "\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\\'\\s", "\a\b\f\n\r\t\v\\\"' " },
                { "\\x41\\101\\u00e4\\U0001F600z", "AAä😀z" },
                { "\\xff", "\xff" },
                { "\\u20ac", "€" },
                { "\\1011", "A1" },
        };
        static const char *const bad[] = {
                "\\",          "a\\",         "\\q",        "\\x",  "\\x4",  "\\xg0",   "\\x00",
                "\\000",       "\\400",       "\\777",      "\\18", "\\u12", "\\u0000", "\\ud800",
                "\\U00110000", "\\UFFFFFFFF", "\\U0001F60", "\\0",  "\\8",
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *s = NULL;

                ASSERT_OK(str_unescape(cases[i][0], &s));
                ASSERT_STREQ(s, cases[i][1]);
        }
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                char *s = NULL;

                ASSERT_ERROR(str_unescape(bad[i], &s), EINVAL);
                ASSERT_NULL(s);
        }
}

TEST(every_byte_round_trips) {
        for (int c = 1; c < 256; c++)
                for (int d = 0; d < 256; d++) {
                        const char in[] = { (char) c, (char) d, '\0' };
                        _cleanup_free_ char *escaped = str_escape(in), *back = NULL;

                        ASSERT_NULL(strpbrk(escaped, "\n\r"));
                        ASSERT_OK(str_unescape(escaped, &back));
                        ASSERT_STREQ(back, in);
                }
}

TEST_MAIN
