/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The order of versions. */
#include "basic/version.h"

#include "test.h"

/* Each is older than all that follow: the example of UAPI.10, and more. */
static const char *const ascending[] = {
        "~1",      "",          "122.1",   "123~rc1-1", "123",    "123-a", "123-a.1", "123-1",
        "123-1.1", "123^post1", "123.a-1", "123.1-1",   "123a-1", "124-1", "1000",
};

TEST(order) {
        for (size_t i = 0; i < ELEMENTSOF(ascending); i++)
                for (size_t k = 0; k < ELEMENTSOF(ascending); k++) {
                        const int r = version_compare(ascending[i], ascending[k]);
                        if ((i < k) != (r < 0) || (i > k) != (r > 0))
                                TEST_FAIL("'%s' against '%s' is %d", ascending[i], ascending[k], r);
                }
}

TEST(equal) {
        ASSERT_EQ(version_compare("1.0", "1_.0"), 0); /* other characters do not count */
        ASSERT_EQ(version_compare("007", "7"), 0);
        ASSERT_EQ(version_compare("_", ""), 0);
        ASSERT_TRUE(version_compare("99999999999999999999999", "100000000000000000000000") < 0);
        ASSERT_TRUE(version_compare("B", "a") < 0);
        ASSERT_TRUE(version_compare("ab", "abc") < 0);
        ASSERT_TRUE(version_compare("1.10", "1.9") > 0);
        ASSERT_TRUE(version_compare("1a", "1") > 0);
}

TEST_MAIN
