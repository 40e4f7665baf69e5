/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parts of files in HTTP. */
#include "basic/http-part.h"

#include "test.h"

TEST(content_range) {
        HttpPart p;
        ASSERT_OK(http_part_parse("bytes 10-19/30\r\n", &p));
        ASSERT_TRUE(p.from == 10 && p.end == 20 && p.total == 30);
        ASSERT_OK(http_part_parse("Bytes 0-0/1", &p));
        ASSERT_TRUE(p.from == 0 && p.end == 1 && p.total == 1);
        ASSERT_OK(http_part_parse("bytes 5-9/* ", &p));
        ASSERT_TRUE(p.from == 5 && p.end == 10 && p.total == UINT64_MAX);
        ASSERT_OK(http_part_parse("bytes 5-18446744073709551614/*", &p));
        ASSERT_EQ(p.end, UINT64_MAX);
}

TEST(no_content_range) {
        static const char *const bad[] = { "",
                                           "bytes",
                                           "bytes ",
                                           "bytes 1",
                                           "bytes 1-",
                                           "bytes 1-2",
                                           "bytes 1-2/",
                                           "bytes 1/2",
                                           "bytes -2/3",
                                           "bytes */30",
                                           "bytes 2-1/3",
                                           "bytes 1-3/3",
                                           "bytes 1-2/3x",
                                           "bytes 1-2/*3",
                                           "bytes 1-2/-1",
                                           "bytes +1-2/3",
                                           "bytes  1-2/3",
                                           "lines 1-2/3",
                                           "bytes 1-18446744073709551615/*" };
        HttpPart p = { .from = 7 };
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                ASSERT_ERROR(http_part_parse(bad[i], &p), EINVAL);
        ASSERT_ERROR(http_part_parse("bytes 1-2/18446744073709551616", &p), ERANGE);
        ASSERT_ERROR(http_part_parse("bytes 1-2/1000000000000000000000000", &p), ERANGE);
        ASSERT_EQ(p.from, 7);
}

TEST(goes_on) {
        const HttpPart rest = { 10, 30, 30 }, open = { 10, 30, UINT64_MAX }, none = { 0 };
        ASSERT_TRUE(http_part_continues(&rest, 10, 30));
        ASSERT_TRUE(http_part_continues(&rest, 10, UINT64_MAX));
        ASSERT_TRUE(http_part_continues(&open, 10, 30));
        ASSERT_TRUE(http_part_continues(&open, 10, 40)); /* what is missing is asked for next */
        /* another place, another length, one that nobody has said, no part at all */
        ASSERT_FALSE(http_part_continues(&rest, 9, 30));
        ASSERT_FALSE(http_part_continues(&rest, 11, 30));
        ASSERT_FALSE(http_part_continues(&rest, 10, 31));
        ASSERT_FALSE(http_part_continues(&open, 10, 29));
        ASSERT_FALSE(http_part_continues(&open, 10, UINT64_MAX));
        ASSERT_FALSE(http_part_continues(&none, 0, 30));
}

TEST_MAIN
