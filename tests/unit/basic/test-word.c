/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of basic/word.c. */
#include "test.h"

#include "basic/str.h"

/* The words of s as "[a][b]", ending in "!" if it cannot be split. */
static char *words(const char *s, const char *separators, WordFlags flags) {
        StrBuf b = { 0 };
        char *text;

        for (;;) {
                _cleanup_free_ char *word = NULL;
                const char *before = s;
                int r = extract_word(&s, separators, flags, &word);

                if (r < 0) {
                        ASSERT_EQ(r, -EINVAL);
                        ASSERT_TRUE(s == before);
                        ASSERT_NULL(word);
                        strbuf_add(&b, "!");
                        break;
                }
                ASSERT_NOT_NULL(s);
                if (r == 0) {
                        ASSERT_NULL(word);
                        break;
                }
                ASSERT_TRUE(s > before);
                strbuf_addf(&b, "[%s]", word);
        }
        ASSERT_OK(strbuf_finish(&b, &text));
        return text;
}

#define ASSERT_WORDS(s, separators, flags, expected)                   \
        do {                                                           \
                _cleanup_free_ char *_w = words(s, separators, flags); \
                ASSERT_STREQ(_w, (expected));                          \
        } while (0)

TEST(white_space) {
        ASSERT_WORDS("", NULL, 0, "");
        ASSERT_WORDS(" \t\n\r ", NULL, 0, "");
        ASSERT_WORDS("a", NULL, 0, "[a]");
        ASSERT_WORDS("  a\tb \n c ", NULL, 0, "[a][b][c]");
        ASSERT_WORDS("'a b' \"c\" d\\n", NULL, 0, "['a][b'][\"c\"][d\\n]");
        ASSERT_WORDS(" a, b ,, c", ", ", 0, "[a][b][c]");
}

TEST(other_separators_keep_empty_words) {
        ASSERT_WORDS("a:b:c", ":", 0, "[a][b][c]");
        ASSERT_WORDS("a::c", ":", 0, "[a][][c]");
        ASSERT_WORDS(":a", ":", 0, "[][a]");
        ASSERT_WORDS("a:", ":", 0, "[a]");
        ASSERT_WORDS(":", ":", 0, "[]");
        ASSERT_WORDS("a b:c", ":", 0, "[a b][c]");
        ASSERT_WORDS("a:b,c", ":,", 0, "[a][b][c]");
}

TEST(quotes) {
        ASSERT_WORDS("'a b' \"c d\"", NULL, WORD_UNQUOTE, "[a b][c d]");
        ASSERT_WORDS("a'b c'd", NULL, WORD_UNQUOTE, "[ab cd]");
        ASSERT_WORDS("\"\" ''", NULL, WORD_UNQUOTE, "[][]");
        ASSERT_WORDS("\"it's\" '\"'", NULL, WORD_UNQUOTE, "[it's][\"]");
        ASSERT_WORDS("\"a:b\":c", ":", WORD_UNQUOTE, "[a:b][c]");
        ASSERT_WORDS("a 'b", NULL, WORD_UNQUOTE, "[a]!");
        ASSERT_WORDS("\"", NULL, WORD_UNQUOTE, "!");
        ASSERT_WORDS("'a\"", NULL, WORD_UNQUOTE, "!");
}

TEST(escapes) {
        ASSERT_WORDS("a\\x20b \\t \\\\ \\\" \\' c\\sd", NULL, WORD_UNQUOTE,
                     "[a b][\t][\\][\"]['][c d]");
        ASSERT_WORDS("\"a\\nb\" 'c\\nd'", NULL, WORD_UNQUOTE, "[a\nb][c\nd]");
        ASSERT_WORDS("'it\\'s'", NULL, WORD_UNQUOTE, "[it's]");
        ASSERT_WORDS("a\\ b c", NULL, WORD_UNQUOTE, "[a b][c]");
        ASSERT_WORDS("a\\:b:c", ":", WORD_UNQUOTE, "[a:b][c]");
        ASSERT_WORDS("a \\q", NULL, WORD_UNQUOTE, "[a]!");
        ASSERT_WORDS("a\\", NULL, WORD_UNQUOTE, "!");
        ASSERT_WORDS("\"a\\\"", NULL, WORD_UNQUOTE, "!");
        ASSERT_WORDS("\\x00", NULL, WORD_UNQUOTE, "!");
}

TEST(kept_escapes) {
        ASSERT_WORDS("a\\nb 'c \\:d' \\", NULL, WORD_KEEP_ESCAPES, "[a\\nb][c \\:d][\\]");
        ASSERT_WORDS("a\\q", NULL, WORD_UNQUOTE | WORD_KEEP_ESCAPES, "[a\\q]");
        ASSERT_WORDS("'a", NULL, WORD_KEEP_ESCAPES, "!");
}

TEST(the_rest_is_left) {
        _cleanup_free_ char *word = NULL;
        const char *p = "src:dst:opt,x";

        ASSERT_EQ(extract_word(&p, ":", 0, &word), 1);
        ASSERT_STREQ(word, "src");
        ASSERT_STREQ(p, "dst:opt,x");
}

TEST(quoting) {
        static const char *const cases[][2] = {
                { "plain", "plain" },     { "a/b:c=d,%i", "a/b:c=d,%i" }, { "ü", "ü" },
                { "", "\"\"" },           { "a b", "\"a b\"" },           { "it's", "\"it's\"" },
                { "a\\b", "\"a\\\\b\"" }, { "a\"b", "\"a\\\"b\"" },       { "a\nb", "\"a\\nb\"" },
                { "\xff", "\"\\xff\"" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *q = quote_word(cases[i][0]);

                ASSERT_STREQ(q, cases[i][1]);
        }
}

/* A small generator, so that a failure can be repeated. */
static uint32_t next_random(uint32_t *state) {
        *state = *state * 1664525 + 1013904223;
        return *state >> 16;
}

TEST(quoted_words_come_back) {
        static const char alphabet[] = "ab \t\n\r'\"\\:;#$%\x01\x7f\x80\xc3\xbc\xff";
        uint32_t state = 1;

        for (int i = 0; i < 20000; i++) {
                char a[12] = "", b[12] = "";
                _cleanup_free_ char *first = NULL, *second = NULL, *line = NULL, *none = NULL;
                const char *p;

                for (size_t k = next_random(&state) % 11; k > 0; k--)
                        a[k - 1] = alphabet[next_random(&state) % (sizeof(alphabet) - 1)];
                for (size_t k = next_random(&state) % 11; k > 0; k--)
                        b[k - 1] = alphabet[next_random(&state) % (sizeof(alphabet) - 1)];
                _cleanup_free_ char *qa = quote_word(a), *qb = quote_word(b);
                line = strjoin(qa, " ", qb);
                p = line;
                ASSERT_EQ(extract_word(&p, NULL, WORD_UNQUOTE, &first), 1);
                ASSERT_EQ(extract_word(&p, NULL, WORD_UNQUOTE, &second), 1);
                ASSERT_EQ(extract_word(&p, NULL, WORD_UNQUOTE, &none), 0);
                ASSERT_STREQ(first, a);
                ASSERT_STREQ(second, b);
        }
}

/* Nonsense is split or refused, but always ends, within the string. */
TEST(nonsense) {
        static const char alphabet[] = "a \\'\":x0u,";
        uint32_t state = 2;

        for (int i = 0; i < 20000; i++) {
                char s[16] = "";

                for (size_t k = next_random(&state) % 15; k > 0; k--)
                        s[k - 1] = alphabet[next_random(&state) % (sizeof(alphabet) - 1)];
                for (unsigned flags = 0; flags < 4; flags++) {
                        _cleanup_free_ char *a = words(s, NULL, (WordFlags) flags);
                        _cleanup_free_ char *b = words(s, ":,", (WordFlags) flags);

                        ASSERT_NOT_NULL(a);
                        ASSERT_NOT_NULL(b);
                }
        }
}

TEST_MAIN
