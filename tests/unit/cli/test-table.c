/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables: alignment, colours, escapes, JSON. */
#include "cli/table.h"

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
}

TEST_MAIN
