/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that are written from their beginning to their end, and have holes where there would be zeros. */
#pragma once

#include "basic/macros.h"

typedef struct SparseFile {
        int fd;                     /* of an empty regular file */
        uint64_t size;              /* bytes so far, holes included */
        uint64_t written, data_end; /* bytes; where the last of them ends */
        uint64_t size_max, written_max;
} SparseFile;

/* Zeros that fill a block become a hole. -E2BIG: it would become larger than it may; nothing of these bytes counts then. */
int sparse_put(SparseFile *f, const void *bytes, size_t n);
/* A hole of n bytes. */
int sparse_skip(SparseFile *f, uint64_t n);
/* It is complete: gives it its size, if it ends with a hole. Nothing is put after that. */
int sparse_finish(SparseFile *f);
bool bytes_are_zero(const void *bytes, size_t n);
