/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables: alignment, colours, escapes, JSON. */
#include "cli/table.h"

#include <fcntl.h>
#include <unistd.h>

#include "basic/str.h"

#include "test.h"

static const TableColumn columns[] = {
        { "NAME", "name", false, false },
        { "PID", "pid", true, false },
        { "OK", "ok", false, false },
        { "HIDDEN", "hidden", false, true },
};

static void fill(Table *t) {
        table_add_string(t, "web");
        table_add_number(t, 7);
        table_add_boolean(t, true);
        table_add_string(t, "a");
        table_add_string(t, "für");
        TableCell *c = table_add_number(t, 12345);
        ASSERT_NOT_NULL(c);
        ASSERT_OK(free_and_strdup(&c->text, "12,345"));
        c = table_add_boolean(t, false);
        ASSERT_NOT_NULL(c);
        c->color = COLOR_RED;
        table_add_string(t, NULL);
}

static void expect(const Table *t, const TableStyle *style, const char *text) {
        _cleanup_free_ char *got = NULL;
        ASSERT_OK(table_format(t, style, &got, NULL));
        ASSERT_STREQ(got, text);
}

TEST(text) {
        Table t = { .columns = columns, .n_columns = ELEMENTSOF(columns) };
        fill(&t);
        expect(&t, &(TableStyle){ .legend = true },
               "NAME     PID  OK\n"
               "web        7  yes\n"
               "für   12,345  no\n");
        expect(&t, &(TableStyle){ .legend = false },
               "web       7  yes\n"
               "für  12,345  no\n");
        expect(&t, &(TableStyle){ .legend = false, .color = true },
               "web       7  yes\n"
               "für  12,345  " COLOR_RED "no" COLOR_OFF "\n");
        table_done(&t);
}

TEST(json) {
        Table t = { .columns = columns, .n_columns = ELEMENTSOF(columns) };
        fill(&t);
        expect(&t, &(TableStyle){ .json = JSON_SHORT, .color = true },
               "[{\"name\":\"web\",\"pid\":7,\"ok\":true,\"hidden\":\"a\"},"
               "{\"name\":\"für\",\"pid\":12345,\"ok\":false,\"hidden\":null}]\n");
        table_done(&t);
        expect(&t, &(TableStyle){ .json = JSON_PRETTY }, "[]\n");
}

TEST(hostile_text) {
        Table t = { .columns = columns, .n_columns = ELEMENTSOF(columns) };
        table_add_string(&t, "\x1b[31mred\nline");
        table_add_string(&t, NULL);
        table_add_string(&t, "\xff");
        table_add_string(&t, NULL);
        _cleanup_free_ char *got = NULL;
        ASSERT_OK(table_format(&t, &(TableStyle){ 0 }, &got, NULL));
        ASSERT_NULL(strchr(got, '\x1b'));
        ASSERT_EQ(strchr(got, '\n') - got, (long) strlen(got) - 1);
        table_done(&t);
}

static const TableColumn wide_columns[] = {
        { "NAME", "name", false, false, 0, 0, false },
        { "STATE", "state", false, false, 1, 0, false },
        { "UNIT", "unit", false, false, 2, 8, false },
        { "ROOT", "root", false, false, 0, 8, true },
        { "N", "n", true, false, 0, 0, false },
};

static void expect_fit(size_t width, const char *expected) {
        Table t = { .columns = wide_columns, .n_columns = ELEMENTSOF(wide_columns) };
        _cleanup_free_ char *got = NULL;

        table_add_string(&t, "web");
        table_add_string(&t, "running");
        table_add_string(&t, "machine-web.scope");
        table_add_string(&t, "/var/lib/machines/wéb");
        table_add_number(&t, 7);
        ASSERT_OK(table_format(&t, &(TableStyle){ .legend = true, .width = width }, &got, NULL));
        ASSERT_STREQ(got, expected);
        table_done(&t);
}

/* First cut where that is allowed, the widest most; then the least important columns go. */
TEST(narrow_terminals) {
        const char *const all = "NAME  STATE    UNIT               ROOT                   N\n"
                                "web   running  machine-web.scope  /var/lib/machines/wéb  7\n";
        expect_fit(0, all);
        expect_fit(58, all);
        expect_fit(200, all);
        expect_fit(57, "NAME  STATE    UNIT               ROOT                  N\n"
                       "web   running  machine-web.scope  …ar/lib/machines/wéb  7\n");
        expect_fit(46, "NAME  STATE    UNIT           ROOT           N\n"
                       "web   running  machine-web.…  …machines/wéb  7\n");
        expect_fit(36, "NAME  STATE    UNIT      ROOT      N\n"
                       "web   running  machine…  …nes/wéb  7\n");
        expect_fit(35, "NAME  STATE    ROOT               N\n"
                       "web   running  …lib/machines/wéb  7\n");
        expect_fit(20, "NAME  ROOT         N\n"
                       "web   …chines/wéb  7\n");
        /* what is left is not cut any more */
        expect_fit(3, "NAME  ROOT      N\n"
                      "web   …nes/wéb  7\n");
}

static const TableColumn typed_columns[] = {
        { "LIST", "list", false, false, 0, 0, false },
        { "SHARE", "share", true, false, 0, 0, false },
        { "HIDDEN", "hidden", true, true, 0, 0, false },
};

TEST(lists_and_decimals) {
        char *const two[] = { (char *) "192.0.2.2", (char *) "fd00::2", NULL };
        Table t = { .columns = typed_columns, .n_columns = ELEMENTSOF(typed_columns) };
        _cleanup_free_ char *text = NULL, *json = NULL;

        table_add_strv(&t, two, 0);
        table_add_decimal(&t, 1205, 2);
        table_cell_take_text(&t, table_add_number(&t, 1024), strdup("1K"));
        table_add_strv(&t, two, 2);
        table_add_decimal(&t, 7, 2);
        table_add_number(&t, 1);
        table_add_strv(&t, NULL, SIZE_MAX);
        table_add_decimal(&t, 7, 0);
        table_add_number(&t, 1);
        ASSERT_OK(table_format(&t, &(TableStyle){ .width = 10 }, &text, NULL));
        ASSERT_STREQ(text, "192.0.2.2 +1       12.05\n"
                           "192.0.2.2 fd00::2   0.07\n"
                           "-                      7\n");
        ASSERT_OK(table_format(&t, &(TableStyle){ .json = JSON_SHORT }, &json, NULL));
        ASSERT_CONTAINS(json, "[{\"list\":[\"192.0.2.2\",\"fd00::2\"],\"share\":12.05");
        ASSERT_CONTAINS(json, ",\"hidden\":1024},");
        ASSERT_CONTAINS(json, "{\"list\":[],\"share\":7.0,");
        table_done(&t);

        table_cell_take_text(&t, table_add_number(&t, 1), NULL); /* out of memory */
        table_add_number(&t, 1);
        table_add_number(&t, 1);
        _cleanup_error_ Error e = ERROR_NULL;
        char *none = NULL;
        ASSERT_ERROR(table_format(&t, &(TableStyle){ 0 }, &none, &e), ENOMEM);
        table_done(&t);
}

TEST(incomplete_row) {
        Table t = { .columns = columns, .n_columns = ELEMENTSOF(columns) };
        char *got = NULL;
        table_add_string(&t, "web");
        ASSERT_ERROR(table_format(&t, &(TableStyle){ 0 }, &got, NULL), EINVAL);
        table_done(&t);
}

TEST(modes) {
        ASSERT_EQ(json_mode_from_string("pretty"), JSON_PRETTY);
        ASSERT_EQ(json_mode_from_string("nice"), -EINVAL);
        ASSERT_EQ(text_width("für€"), 4);
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        ASSERT_OK(null);
        ASSERT_EQ(terminal_width(null), 0);
        close(null);
}

TEST_MAIN
