/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Digests by libcrypto. Its headers are not needed: these functions have been the same since version 1.1. */
#include "transfer/digest.h"

#include <dlfcn.h>

#define NO_LOAD_CONFIG \
        UINT64_C(0x80) /* OPENSSL_INIT_NO_LOAD_CONFIG: it could name libraries to load */

typedef int (*InitCrypto)(uint64_t flags, const void *settings);
typedef void *(*NewContext)(void);
typedef void (*FreeContext)(void *context);
typedef const void *(*Algorithm)(void);
typedef int (*DigestInit)(void *context, const void *algorithm, void *engine);
typedef int (*DigestUpdate)(void *context, const void *bytes, size_t n);
typedef int (*DigestFinal)(void *context, unsigned char *ret, unsigned *ret_n);
#define CALL(d, type, name) ((type) dlsym((d)->library, name))

static bool open_library(Digest *d) {
        static const char *const libraries[] = { "libcrypto.so.3", "libcrypto.so.1.1" };
        static const char *const names[] = {
                "OPENSSL_init_crypto", "EVP_MD_CTX_new",   "EVP_MD_CTX_free",    "EVP_sha256",
                "EVP_DigestInit_ex",   "EVP_DigestUpdate", "EVP_DigestFinal_ex",
        };
        for (size_t i = 0; i < ELEMENTSOF(libraries) && !d->library; i++)
                d->library = dlopen(libraries[i], RTLD_NOW | RTLD_LOCAL);
        bool complete = d->library;
        for (size_t i = 0; complete && i < ELEMENTSOF(names); i++)
                complete = dlsym(d->library, names[i]);
        return complete;
}

int digest_open(Digest *d, Error *reterr) {
        if (!open_library(d)) {
                int r = error_set(
                        reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                        "Checksums cannot be taken here: libcrypto.so.3 is not installed");
                error_hint(reterr, "install OpenSSL's library (Debian: libssl3)");
                return r;
        }
        if (CALL(d, InitCrypto, "OPENSSL_init_crypto")(NO_LOAD_CONFIG, NULL) == 1)
                d->context = CALL(d, NewContext, "EVP_MD_CTX_new")();
        if (!d->context || CALL(d, DigestInit, "EVP_DigestInit_ex")(
                                   d->context, CALL(d, Algorithm, "EVP_sha256")(), NULL) != 1)
                return error_set(reterr, -EIO, ERROR_SETUP_FAILED,
                                 "Checksums cannot be taken here: libcrypto gives no SHA-256");
        return 0;
}

int digest_add(Digest *d, const void *bytes, size_t n) {
        return CALL(d, DigestUpdate, "EVP_DigestUpdate")(d->context, bytes, n) == 1 ? 0 : -EIO;
}

int digest_finish(Digest *d, uint8_t ret[static SHA256_SIZE]) {
        unsigned n = 0;
        return CALL(d, DigestFinal, "EVP_DigestFinal_ex")(d->context, ret, &n) == 1 &&
                               n == SHA256_SIZE
                       ? 0
                       : -EIO;
}

void digest_done(Digest *d) {
        if (d->context)
                CALL(d, FreeContext, "EVP_MD_CTX_free")(d->context);
        d->context = NULL; /* the library has tables: it stays open */
}
