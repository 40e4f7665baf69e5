/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Command lines: words between NUL bytes or newlines. */
#include "basic/strv.h"
#include "fuzz-spec.h"

static char **words_split(const uint8_t *bytes, size_t size) {
        char **words = strv_new(NULL);
        size_t start = 0;

        FUZZ_REQUIRE(words);
        for (size_t i = 0; i <= size; i++)
                if (i == size || bytes[i] == '\0' || bytes[i] == '\n') {
                        char *word = strndup((const char *) bytes + start, i - start);

                        FUZZ_REQUIRE(word && strv_consume(&words, word) >= 0);
                        start = i + 1;
                }
        return words;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
        static const char name[] = "Parameters";
        _cleanup_(spec_draft_freep) SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_strv_free_ char **words = NULL;
        int n, r, i = 0;

        if (size > 65536) /* strv_consume() of each is quadratic */
                return 0;
        words = words_split(bytes, size);
        n = (int) strv_length(words);
        do {
                int before = i;

                r = spec_args_parse_one(d, n, words, &i, &e);
                FUZZ_REQUIRE(i <= n);
                FUZZ_REQUIRE(r <= 0 || i > before);
        } while (r > 0 && i < n);
        for (; r >= 0 && i < n; i++)
                r = spec_draft_set_raw(d, spec_field_by_name(name), words[i], SOURCE_COMMAND, NULL,
                                       &e);
        fuzz_check_error(r, &e);
        fuzz_finish_draft(d);
        return 0;
}
