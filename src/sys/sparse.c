/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files with holes.
 *
 * Calls: pwrite alone, so that a process can do it that may not do more; the last byte of a file that ends with a hole is written. */
#include "sys/sparse.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_SIZE 4096U /* a hole is a number of them, and begins with one */

bool bytes_are_zero(const void *bytes, size_t n) {
        const char *p = bytes;
        return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

static int write_at(int fd, const char *p, size_t n, uint64_t at) {
        while (n > 0) {
                ssize_t k = pwrite(fd, p, n, (off_t) at);
                if (k < 0 && errno == EINTR)
                        continue;
                if (k <= 0)
                        return k < 0 ? -errno : -EIO;
                p += k;
                n -= (size_t) k;
                at += (uint64_t) k;
        }
        return 0;
}

/* How many bytes from here on are data, or (hole) zeros of whole blocks. */
static size_t run_of(const char *p, size_t n, uint64_t at, bool *ret_hole) {
        size_t size = 0;
        while (size < n) {
                const size_t block =
                        MIN(n - size, (size_t) (BLOCK_SIZE - (at + size) % BLOCK_SIZE));
                const bool hole = block == BLOCK_SIZE && bytes_are_zero(p + size, block);
                if (size > 0 && hole != *ret_hole)
                        break;
                *ret_hole = hole;
                size += block;
        }
        return size;
}

int sparse_put(SparseFile *f, const void *bytes, size_t n) {
        const char *p = bytes;
        if (n > f->size_max - f->size)
                return -E2BIG;
        while (n > 0) {
                bool hole = false;
                const size_t size = run_of(p, n, f->size, &hole);
                if (!hole) {
                        if (size > f->written_max - f->written)
                                return -E2BIG;
                        int r = write_at(f->fd, p, size, f->size);
                        if (r < 0)
                                return r;
                        f->written += size;
                        f->data_end = f->size + size;
                }
                f->size += size;
                p += size;
                n -= size;
        }
        return 0;
}

int sparse_skip(SparseFile *f, uint64_t n) {
        if (n > f->size_max - f->size)
                return -E2BIG;
        f->size += n;
        return 0;
}

int sparse_finish(SparseFile *f) {
        return f->data_end < f->size ? write_at(f->fd, "", 1, f->size - 1) : 0;
}
