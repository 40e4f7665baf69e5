/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SHA-256 of what was downloaded, by libcrypto, which is opened on demand. */
#pragma once

#include "basic/error.h"
#include "basic/sha256.h"

typedef struct Digest {
        void *library;
        void *context; /* EVP_MD_CTX */
} Digest;

#define DIGEST_NULL ((Digest){ 0 })

/* Opens files of the host: before a sandbox. ERROR_UNSUPPORTED: there is no libcrypto. */
int digest_open(Digest *d, Error *reterr);
/* These need nothing of the host. -EIO: the library says no more than that. */
int digest_add(Digest *d, const void *bytes, size_t n);
int digest_finish(Digest *d, uint8_t ret[static SHA256_SIZE]); /* once, as the last */
void digest_done(Digest *d);
