/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of basic/strv.c and basic/strtable.h. */
#include "test.h"

#include "basic/str.h"
#include "basic/strtable.h"
#include "basic/strv.h"

TEST(the_empty_list) {
        _cleanup_strv_free_ char **copy = strv_copy(NULL), **fresh = strv_new(NULL);
        _cleanup_free_ char *joined = strv_join(NULL, ",");
        int n = 0;

        ASSERT_EQ(strv_length(NULL), 0);
        ASSERT_TRUE(strv_isempty(NULL));
        ASSERT_NOT_NULL(copy);
        ASSERT_TRUE(strv_isempty(copy));
        ASSERT_NOT_NULL(fresh);
        ASSERT_TRUE(strv_isempty(fresh));
        ASSERT_STREQ(joined, "");
        ASSERT_NULL(strv_free(NULL));
        ASSERT_FALSE(strv_contains(NULL, "a"));
        ASSERT_TRUE(strv_equal(NULL, fresh));
        STRV_FOREACH(s, NULL)
                n++;
        ASSERT_EQ(n, 0);
}

TEST(growing) {
        _cleanup_strv_free_ char **l = NULL, **more = strv_new("d", "e");
        _cleanup_free_ char *joined = NULL;

        ASSERT_OK(strv_extend(&l, "a"));
        ASSERT_OK(strv_extendf(&l, "b%d", 1));
        ASSERT_OK(strv_consume(&l, strdup("c")));
        ASSERT_OK(strv_extend_strv(&l, more));
        ASSERT_OK(strv_extend_strv(&l, NULL));
        ASSERT_OK(strv_extend_strv(&l, l)); /* itself */
        joined = strv_join(l, ", ");
        ASSERT_STREQ(joined, "a, b1, c, d, e, a, b1, c, d, e");
        ASSERT_ERROR(strv_consume(&l, NULL), ENOMEM);
        ASSERT_EQ(strv_length(l), 10);
}

TEST(comparing) {
        _cleanup_strv_free_ char **a = strv_new("x", "y"), **b = strv_copy(a), **c = strv_new("x"),
                                 **d = strv_new("y", "x");

        ASSERT_TRUE(strv_equal(a, b));
        ASSERT_FALSE(strv_equal(a, c));
        ASSERT_FALSE(strv_equal(a, d));
        ASSERT_FALSE(strv_equal(a, NULL));
        ASSERT_TRUE(strv_contains(a, "y"));
        ASSERT_FALSE(strv_contains(a, "z"));
}

TEST(environment) {
        _cleanup_strv_free_ char **l = strv_new("A=1", "AB=2", "A=3", "EMPTY=");
        _cleanup_free_ char *joined = NULL;

        ASSERT_STREQ(strv_env_get(l, "A"), "3");
        ASSERT_STREQ(strv_env_get(l, "AB"), "2");
        ASSERT_STREQ(strv_env_get(l, "EMPTY"), "");
        ASSERT_NULL(strv_env_get(l, "B"));
        ASSERT_NULL(strv_env_get(l, ""));
        ASSERT_NULL(strv_env_get(NULL, "A"));
        ASSERT_OK(strv_env_replace(&l, "A=4=5"));
        ASSERT_OK(strv_env_replace(&l, "NEW="));
        ASSERT_ERROR(strv_env_replace(&l, "A"), EINVAL);
        joined = strv_join(l, " ");
        ASSERT_STREQ(joined, "A=4=5 AB=2 EMPTY= NEW=");
}

TEST(environment_from_nothing) {
        _cleanup_strv_free_ char **l = NULL;

        ASSERT_OK(strv_env_replace(&l, "A=1"));
        ASSERT_EQ(strv_length(l), 1);
        ASSERT_OK(strv_env_replace(&l, l[0])); /* its own content */
        ASSERT_STREQ(l[0], "A=1");
        ASSERT_EQ(strv_length(l), 1);
}

TEST(environment_names) {
        ASSERT_TRUE(env_name_is_valid("PATH", 4));
        ASSERT_TRUE(env_name_is_valid("_a1", 3));
        ASSERT_TRUE(env_name_is_valid("A=b", 1));
        ASSERT_FALSE(env_name_is_valid("A=b", 2));
        ASSERT_FALSE(env_name_is_valid("", 0));
        ASSERT_FALSE(env_name_is_valid("1A", 2));
        ASSERT_FALSE(env_name_is_valid("A B", 3));
        ASSERT_FALSE(env_name_is_valid("ü", 2));
        ASSERT_FALSE(env_name_is_valid(NULL, 0));

        ASSERT_TRUE(env_assignment_is_valid("A="));
        ASSERT_TRUE(env_assignment_is_valid("A=b=c"));
        ASSERT_TRUE(env_assignment_is_valid("A=\033[1m\n"));
        ASSERT_FALSE(env_assignment_is_valid("A"));
        ASSERT_FALSE(env_assignment_is_valid("=b"));
        ASSERT_FALSE(env_assignment_is_valid(""));
        ASSERT_FALSE(env_assignment_is_valid(NULL));
        ASSERT_FALSE(env_assignment_is_valid("A=\xff"));
}

TEST(environment_size) {
        enum {
                LIMIT = 128 * 1024
        };
        _cleanup_free_ char *s = malloc(LIMIT + 1);

        ASSERT_NOT_NULL(s);
        memset(s, 'x', LIMIT);
        memcpy(s, "A=", 2);
        s[LIMIT] = '\0';
        ASSERT_FALSE(env_assignment_is_valid(s));
        s[LIMIT - 1] = '\0';
        ASSERT_TRUE(env_assignment_is_valid(s));
}

TEST(splitting) {
        _cleanup_strv_free_ char **l = NULL;
        _cleanup_free_ char *joined = NULL;
        char **none = NULL;

        ASSERT_OK(strv_split(&l, " a 'b c' ", NULL, WORD_UNQUOTE));
        joined = strv_join(l, "|");
        ASSERT_STREQ(joined, "a|b c");
        ASSERT_ERROR(strv_split(&none, "a 'b", NULL, WORD_UNQUOTE), EINVAL);
        ASSERT_NULL(none);
        ASSERT_OK(strv_split(&none, "", NULL, 0));
        ASSERT_NOT_NULL(none);
        ASSERT_TRUE(strv_isempty(none));
        strv_free(none);
}

typedef enum Colour {
        RED,
        GAP,
        BLUE,
        _COLOUR_MAX
} Colour;
static const char *const colour_table[_COLOUR_MAX] = { [RED] = "red", [BLUE] = "blue" };
DECLARE_STRING_TABLE_LOOKUP(colour, Colour);
DEFINE_STRING_TABLE_LOOKUP(colour, Colour)

TEST(string_table) {
        ASSERT_STREQ(colour_to_string(BLUE), "blue");
        ASSERT_NULL(colour_to_string(GAP));
        ASSERT_NULL(colour_to_string(_COLOUR_MAX));
        ASSERT_NULL(colour_to_string((Colour) -EINVAL));
        ASSERT_EQ(colour_from_string("red"), RED);
        ASSERT_EQ((int) colour_from_string("green"), -EINVAL);
        ASSERT_EQ((int) colour_from_string(""), -EINVAL);
        ASSERT_EQ((int) colour_from_string(NULL), -EINVAL);
}

TEST_MAIN
