/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of basic/id.c. */
#include "test.h"

#include "basic/id.h"

TEST(both_spellings) {
        char s[ID128_STRING_MAX], u[ID128_UUID_MAX];
        Id128 a, b;

        ASSERT_OK(id128_parse("0123456789abcdefFEDCBA9876543210", &a));
        ASSERT_OK(id128_parse("01234567-89AB-cdef-fedc-ba9876543210", &b));
        ASSERT_EQ(memcmp(&a, &b, sizeof(a)), 0);
        ASSERT_STREQ(id128_to_string(a, s), "0123456789abcdeffedcba9876543210");
        ASSERT_STREQ(id128_to_uuid(a, u), "01234567-89ab-cdef-fedc-ba9876543210");
        ASSERT_FALSE(id128_is_null(a));
}

TEST(null) {
        Id128 id;

        ASSERT_OK(id128_parse("00000000000000000000000000000000", &id));
        ASSERT_TRUE(id128_is_null(id));
}

TEST(malformed) {
        static const char *const bad[] = {
                "",
                "0123456789abcdeffedcba987654321",
                "0123456789abcdeffedcba98765432100",
                "0123456789abcdeffedcba987654321g",
                "0123456789abcdeffedcba9876543210\n",
                " 123456789abcdeffedcba9876543210",
                "0123456789abcdeffedcba98765432-0",
                "01234567-89ab-cdef-fedc-ba987654321",
                "012345678-9ab-cdef-fedc-ba9876543210",
                "01234567+89ab-cdef-fedc-ba9876543210",
                "01234567-89ab-cdef-fedc-ba98765432-0",
                "{1234567-89ab-cdef-fedc-ba987654321}",
                "uninitialized",
        };
        Id128 id = { { 1, 2, 3 } };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                ASSERT_ERROR(id128_parse(bad[i], &id), EINVAL);
        ASSERT_ERROR(id128_parse(NULL, &id), EINVAL);
        ASSERT_EQ(id.bytes[1], 2);
}

TEST(random) {
        char u[ID128_UUID_MAX];
        Id128 a, b;

        ASSERT_OK(id128_random(&a));
        ASSERT_OK(id128_random(&b));
        ASSERT_NE(memcmp(&a, &b, sizeof(a)), 0);
        id128_to_uuid(a, u);
        ASSERT_EQ(u[14], '4');
        ASSERT_NOT_NULL(strchr("89ab", u[19]));
}

TEST(derived) {
        Id128 base = { { 1, 2, 3 } }, other = { { 1, 2, 4 } };
        char a[ID128_UUID_MAX], b[ID128_UUID_MAX];

        ASSERT_STREQ(id128_to_uuid(id128_derive(base, "web"), a),
                     id128_to_uuid(id128_derive(base, "web"), b));
        ASSERT_EQ(a[14], '4');
        ASSERT_NOT_NULL(strchr("89ab", a[19]));
        ASSERT_FALSE(streq(a, id128_to_uuid(id128_derive(base, "web2"), b)));
        ASSERT_FALSE(streq(a, id128_to_uuid(id128_derive(other, "web"), b)));
        ASSERT_FALSE(streq(a, id128_to_uuid(id128_derive(base, ""), b)));
}

TEST_MAIN
