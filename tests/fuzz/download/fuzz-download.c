/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What downloads read as text: a URL in the first line, a list of checksums in the others. */
#include "basic/checksums.h"
#include "basic/str.h"
#include "basic/url.h"
#include "fuzz.h"

static void check_list(const char *list, size_t size, const char *file) {
        for (int only = 0; only < 2; only++) {
                uint8_t digest[SHA256_SIZE];
                char hex[SHA256_HEX_SIZE];
                int r = checksums_find(list, size, file, only, digest);
                FUZZ_REQUIRE(r == 0 || r == -ENOENT || r == -EBADMSG);
                if (r < 0)
                        continue;
                /* it is in there, in digits of some case */
                bool found = false;
                sha256_to_hex(digest, hex);
                for (size_t i = 0; !found && i + SHA256_HEX_SIZE - 1 <= size; i++)
                        found = strncasecmp(list + i, hex, SHA256_HEX_SIZE - 1) == 0;
                FUZZ_REQUIRE(found);
        }
}

static void check_url(const char *url) {
        _cleanup_free_ char *beside = url_beside(url, "SHA256SUMS"),
                            *more = url_append(url, ".sha256"), *shown = url_for_display(url),
                            *name = NULL, *same = NULL;
        FUZZ_REQUIRE(beside && more && shown);
        if (strlen(url) > URL_MAX / 2)
                return;
        /* what is made of a URL is one, of the same kind */
        FUZZ_REQUIRE(url_is_valid(beside) && url_is_valid(more) && url_is_valid(shown));
        FUZZ_REQUIRE(url_is_https(url) == url_is_https(beside) &&
                     url_is_https(url) == url_is_https(more));
        FUZZ_REQUIRE(url_file(beside, &same) == 0 && streq(same, "SHA256SUMS"));
        if (url_file(url, &name) >= 0)
                FUZZ_REQUIRE(name[0] && !strchr(name, '/') && !streq(name, ".."));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
        const uint8_t *end = size > 0 ? memchr(bytes, '\n', size) : NULL;
        _cleanup_free_ char *url = end ? fuzz_text(bytes, (size_t) (end - bytes)) : NULL,
                            *name = NULL;
        if (!url)
                return 0;
        const size_t n = (size_t) (end + 1 - bytes);
        const bool valid = url_is_valid(url);
        if (valid)
                check_url(url);
        check_list((const char *) bytes + n, size - n,
                   valid && url_file(url, &name) >= 0 ? name : url);
        return 0;
}
