/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists of checksums. */
#include "basic/checksums.h"

#include "test.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"

static int find(const char *text, const char *file, bool only) {
        uint8_t digest[SHA256_SIZE] = { 0 };
        int r = checksums_find(text, strlen(text), file, only, digest);
        return r < 0 ? r : digest[0];
}

TEST(forms) {
        ASSERT_EQ(find(A "  web.tar\n", "web.tar", false), 0xaa);
        ASSERT_EQ(find(A " *web.tar", "web.tar", false), 0xaa);
        ASSERT_EQ(find(B "  ./web.tar\r\n", "web.tar", false), 0xbb);
        ASSERT_EQ(find("SHA256 (web.tar) = " A "\n", "web.tar", false), 0xaa);
        ASSERT_EQ(find("# of today\n\n" B "  other\n" A "  web.tar\n", "web.tar", false), 0xaa);
        ASSERT_EQ(find(A "  a name\n", "a name", false), 0xaa);
        ASSERT_EQ(find(A "  web.tar\n" A " *web.tar\n", "web.tar", false), 0xaa);
}

TEST(of_one_file) {
        ASSERT_EQ(find(A "\n", "web.tar", true), 0xaa);
        ASSERT_EQ(find(A "  web.tar\n", "web.tar", true), 0xaa);
        ASSERT_ERROR(find(A "  other.tar\n", "web.tar", true), ENOENT);
        ASSERT_ERROR(find(A "\n" B "\n", "web.tar", true), EBADMSG);
}

TEST(others) {
        ASSERT_ERROR(find("", "web.tar", false), ENOENT);
        ASSERT_ERROR(find(A "\n", "web.tar", false), ENOENT);
        ASSERT_ERROR(find(A "  web.tar.gz\n", "web.tar", false), ENOENT);
        ASSERT_ERROR(find(A "  dir/web.tar\n", "web.tar", false), ENOENT);
        ASSERT_ERROR(find(A "   web.tar\n", "web.tar", false), ENOENT);
        ASSERT_ERROR(find("a" A "  web.tar\n", "web.tar", false), ENOENT);
        ASSERT_ERROR(find("x" A, "web.tar", true), ENOENT);
        ASSERT_ERROR(find("SHA512 (web.tar) = " A "\n", "web.tar", false), ENOENT);
        ASSERT_ERROR(find("SHA256 (web.tar) = " A "a\n", "web.tar", false), ENOENT);
        ASSERT_ERROR(find("SHA256 (", "", false), ENOENT);
        /* which of the two is meant cannot be known */
        ASSERT_ERROR(find(A "  web.tar\n" B "  web.tar\n", "web.tar", false), EBADMSG);
}

TEST(a_nul_ends_nothing) {
        static const char text[] = A "  web.tar\0.old\n" B "  web.tar\n";
        uint8_t digest[SHA256_SIZE];
        ASSERT_OK(checksums_find(text, sizeof(text) - 1, "web.tar", false, digest));
        ASSERT_EQ(digest[0], 0xbb);
}

TEST_MAIN
