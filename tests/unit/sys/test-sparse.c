/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files with holes. */
#include "sys/sparse.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "test.h"

#define SIZE (64U << 10)

static SparseFile new_file(uint64_t size_max, uint64_t written_max) {
        char path[] = "/var/tmp/test-sparse-XXXXXX";
        SparseFile f = { .fd = mkostemp(path, O_CLOEXEC),
                         .size_max = size_max,
                         .written_max = written_max };
        ASSERT_TRUE(f.fd >= 0);
        ASSERT_OK(unlink(path));
        return f;
}

static void assert_contents(const SparseFile *f, const char *expected, size_t size) {
        static char got[SIZE + 1];
        struct stat st;
        ASSERT_OK(fstat(f->fd, &st));
        ASSERT_EQ(st.st_size, size);
        ASSERT_EQ(pread(f->fd, got, sizeof(got), 0), size);
        ASSERT_TRUE(memcmp(got, expected, size) == 0);
}

/* Whatever the pieces in which it comes, the file is the same, and zeros take no room. */
TEST(pieces) {
        static char bytes[SIZE];
        static const size_t pieces[] = { SIZE, 4096, 1000, 4097, 1 };
        memset(bytes + 100, 'a', 200);     /* in the first block */
        memset(bytes + 20000, 'b', 10000); /* neither begins nor ends with one */
        for (size_t i = 0; i < ELEMENTSOF(pieces); i++) {
                SparseFile f = new_file(SIZE, SIZE);
                for (size_t at = 0; at < SIZE; at += pieces[i])
                        ASSERT_OK(sparse_put(&f, bytes + at, MIN(pieces[i], SIZE - at)));
                ASSERT_OK(sparse_finish(&f));
                ASSERT_EQ(f.size, SIZE);
                assert_contents(&f, bytes, SIZE);
                if (pieces[i] % 4096 == 0)
                        ASSERT_EQ(f.written, 5 * 4096);
                fd_close(f.fd);
        }
}

TEST(ends_with_a_hole) {
        static const char zeros[SIZE];
        SparseFile f = new_file(UINT64_MAX, UINT64_MAX);
        ASSERT_OK(sparse_finish(&f)); /* an empty one */
        assert_contents(&f, zeros, 0);
        ASSERT_OK(sparse_put(&f, zeros, 8192));
        ASSERT_OK(sparse_skip(&f, 10000));
        ASSERT_EQ(f.written, 0);
        ASSERT_OK(sparse_finish(&f));
        assert_contents(&f, zeros, 18192);
        fd_close(f.fd);
}

TEST(limits) {
        static char bytes[SIZE];
        SparseFile f = new_file(8192, 5000);
        ASSERT_ERROR(sparse_skip(&f, 8193), E2BIG);
        ASSERT_OK(sparse_skip(&f, 8192));
        ASSERT_ERROR(sparse_put(&f, bytes, 1), E2BIG);
        fd_close(f.fd);
        /* holes are not written */
        memset(bytes, 'x', 4096);
        memset(bytes + 16384, 'x', 4096);
        f = new_file(SIZE, 5000);
        ASSERT_OK(sparse_put(&f, bytes, 16384));
        ASSERT_EQ(f.written, 4096);
        ASSERT_ERROR(sparse_put(&f, bytes + 16384, 4096), E2BIG);
        fd_close(f.fd);
}

TEST(zeros) {
        static char bytes[5000];
        ASSERT_TRUE(bytes_are_zero(bytes, 0) && bytes_are_zero(bytes, 1) &&
                    bytes_are_zero(bytes, sizeof(bytes)));
        bytes[4999] = 1;
        ASSERT_FALSE(bytes_are_zero(bytes, sizeof(bytes)));
        ASSERT_TRUE(bytes_are_zero(bytes, 4999));
}

TEST_MAIN
