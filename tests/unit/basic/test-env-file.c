/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of basic/env-file.c. */
#include "test.h"

#include "basic/env-file.h"
#include "basic/str.h"
#include "basic/strv.h"

/* The entries, joined with "|". */
static char *parsed(const char *text) {
        _cleanup_strv_free_ char **l = NULL;

        ASSERT_OK(env_file_parse(text, &l));
        ASSERT_NOT_NULL(l);
        return strv_join(l, "|");
}

#define ASSERT_PARSED(text, expected)                   \
        do {                                            \
                _cleanup_free_ char *_j = parsed(text); \
                ASSERT_STREQ(_j, (expected));           \
        } while (0)

TEST(os_release) {
        ASSERT_PARSED(
                "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n\n# comment\nVERSION_ID='12'\n",
                "PRETTY_NAME=Debian GNU/Linux 12 (bookworm)|ID=debian|VERSION_ID=12");
}

TEST(nothing) {
        ASSERT_PARSED("", "");
        ASSERT_PARSED("\n\n   \n\t\r\n", "");
        ASSERT_PARSED("# A=b\n; C=d\n  # E=f", "");
}

TEST(no_newline_at_the_end_and_carriage_returns) {
        ASSERT_PARSED("A=1\r\nB=2", "A=1|B=2");
}

TEST(quoting) {
        ASSERT_PARSED("A=\"x y\"'z w'v\n", "A=x yz wv");
        ASSERT_PARSED("A=\"a\\\"b\\\\c\\$d\\`e\\nf\"\n", "A=a\"b\\c$d`e\\nf");
        ASSERT_PARSED("A='a\\'\n", "A=a\\");
        ASSERT_PARSED("A=a\\ b\\\"c\n", "A=a b\"c");
        ASSERT_PARSED("A=\"it's\"\nB='say \"x\"'\n", "A=it's|B=say \"x\"");
        ASSERT_PARSED("A=\nB=\"\"\nC=''\n", "A=|B=|C=");
}

TEST(white_space) {
        ASSERT_PARSED("  A= x y  \n", "A=x y");
        ASSERT_PARSED("A=\" x \"  \n", "A= x ");
        ASSERT_PARSED("A=x\\ \n", "A=x ");
}

TEST(malformed_lines_are_skipped) {
        ASSERT_PARSED("garbage\n=x\n1A=x\nA-B=x\nA B=x\nexport C=x\nGOOD=1\n", "GOOD=1");
        ASSERT_PARSED("A=\"open\nB=2\n", "B=2");
        ASSERT_PARSED("A='open\nB=2\n", "B=2");
        ASSERT_PARSED("A=x\\\nB=2\n", "B=2");
        ASSERT_PARSED("A=\xff\xfe\nB=2\n", "B=2");
}

TEST(the_last_assignment_counts) {
        ASSERT_PARSED("A=1\nB=2\nA=3\n", "A=3|B=2");
}

TEST(limit_of_entries) {
        _cleanup_strv_free_ char **l = NULL;
        _cleanup_free_ char *text = NULL;
        StrBuf b = { 0 };

        for (int i = 0; i < 1000; i++)
                strbuf_addf(&b, "V%d=x\n", i);
        ASSERT_OK(strbuf_finish(&b, &text));
        ASSERT_OK(env_file_parse(text, &l));
        ASSERT_EQ(strv_length(l), 256);
        ASSERT_STREQ(l[255], "V255=x");
}

TEST(too_long_a_value) {
        _cleanup_free_ char *text = NULL;
        StrBuf b = { 0 };

        strbuf_add(&b, "A=");
        for (int i = 0; i < 140000; i++)
                strbuf_add(&b, "x");
        strbuf_add(&b, "\nB=1\n");
        ASSERT_OK(strbuf_finish(&b, &text));
        ASSERT_PARSED(text, "B=1");
}

TEST_MAIN
