/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The JSON writer: structure, escapes, bad text. */
#include "cli/json.h"

#include "basic/strv.h"

#include "test.h"

TEST(structure) {
        JsonWriter w = { 0 };
        char *text = NULL;
        static char *const list[] = { (char *) "a", (char *) "b", NULL };

        json_begin_object(&w, NULL);
        json_add_string(&w, "s", "x");
        json_add_string(&w, "none", NULL);
        json_add_number(&w, "n", INT64_MAX);
        json_add_number(&w, "more", UINT64_MAX);
        json_add_boolean(&w, "yes", true);
        json_add_strv(&w, "list", list);
        json_begin_array(&w, "empty");
        json_end(&w);
        json_begin_object(&w, "o");
        json_end(&w);
        json_end(&w);
        ASSERT_OK(json_finish(&w, &text, NULL));
        ASSERT_STREQ(
                text,
                "{\"s\":\"x\",\"none\":null,\"n\":9223372036854775807,\"more\":1.8446744073709552e19,\"yes\":true,"
                "\"list\":[\"a\",\"b\"],\"empty\":[],\"o\":{}}\n");
        free(text);
        json_writer_done(&w);
}

TEST(pretty) {
        JsonWriter w = { .pretty = true };
        char *text = NULL;

        json_begin_array(&w, NULL);
        json_begin_object(&w, NULL);
        json_add_string(&w, "a", "1");
        json_add_number(&w, "b", 2);
        json_end(&w);
        json_end(&w);
        ASSERT_OK(json_finish(&w, &text, NULL));
        json_writer_done(&w);
        ASSERT_STREQ(text, "[\n  {\n    \"a\": \"1\",\n    \"b\": 2\n  }\n]\n");
        free(text);
}

TEST(escapes) {
        static const struct {
                const char *in, *out;
        } rows[] = {
                { "", "\"\"\n" },
                { "\"\\", "\"\\\"\\\\\"\n" },
                { "\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\"\n" },
                { "\x01\x1b\x7f", "\"\\u0001\\u001b\\u007f\"\n" },
                { "ü€😀", "\"ü€😀\"\n" },
                { "a\xff"
                  "b",
                  "\"a\xef\xbf\xbd"
                  "b\"\n" },                                      /* no UTF-8 */
                { "\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\"\n" }, /* cut short */
                { "\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\"\n" }, /* overlong */
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                JsonWriter w = { 0 };
                char *text = NULL;
                json_add_string(&w, NULL, rows[i].in);
                ASSERT_OK(json_finish(&w, &text, NULL));
                ASSERT_STREQ(text, rows[i].out);
                free(text);
                json_writer_done(&w);
        }
}

TEST(misuse) {
        JsonWriter w = { 0 }, deep = { 0 }, shut = { 0 }, nameless = { 0 }, two = { 0 },
                   none = { 0 };
        Error e = ERROR_NULL;
        char *text = NULL;

        json_begin_array(&w, NULL);
        ASSERT_ERROR(json_finish(&w, &text, NULL), EINVAL);
        json_writer_done(&w);
        for (unsigned i = 0; i < JSON_DEPTH_MAX + 1; i++)
                json_begin_array(&deep, NULL);
        for (unsigned i = 0; i < JSON_DEPTH_MAX; i++)
                json_end(&deep);
        ASSERT_TRUE(json_finish(&deep, &text, NULL) < 0);
        json_writer_done(&deep);
        json_end(&shut);
        ASSERT_TRUE(json_finish(&shut, &text, NULL) < 0);
        json_writer_done(&shut);
        json_begin_object(&nameless, NULL);
        json_add_string(&nameless, NULL, "a value without a key");
        json_end(&nameless);
        ASSERT_ERROR(json_finish(&nameless, &text, NULL), EINVAL);
        json_writer_done(&nameless);
        json_add_boolean(&two, NULL, true);
        json_add_boolean(&two, NULL, false);
        ASSERT_ERROR(json_finish(&two, &text, NULL), EINVAL);
        json_writer_done(&two);
        ASSERT_ERROR(json_finish(&none, &text, &e), EINVAL);
        ASSERT_STREQ(e.message, "The output is no JSON");
        error_done(&e);
        json_writer_done(&none);
        ASSERT_NULL(text);
}

TEST_MAIN
