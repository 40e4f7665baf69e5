/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What must hold of every spec, however it came about. */
#pragma once

#include "fuzz.h"
#include "spec/spec-draft.h"
#include "spec/spec-text.h"

/* Its text is read back as what it was. */
static inline void fuzz_check_spec(const ContainerSpec *spec) {
        _cleanup_free_ char *first = NULL, *second = NULL;
        _cleanup_spec_ ContainerSpec *again = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        int r;

        r = spec_text_print(spec, /* internal= */ true, &first);
        if (r == -E2BIG) /* escapes may have made it longer than what may be read */
                return;
        FUZZ_REQUIRE(r >= 0);
        r = spec_text_parse(first, &again, &e);
        if (r < 0)
                fprintf(stderr, "%s\n%s\n", first, e.message);
        FUZZ_REQUIRE(r >= 0);
        FUZZ_REQUIRE(spec_text_print(again, true, &second) >= 0);
        FUZZ_REQUIRE(strcmp(first, second) == 0);
}

/* An error has words, valid ones, and a code; success has none. */
static inline void fuzz_check_error(int r, const Error *e) {
        FUZZ_REQUIRE((r < 0) == error_is_set(e));
        if (r < 0) {
                FUZZ_REQUIRE(e->code == r);
                FUZZ_REQUIRE(e->message && e->message[0]);
                FUZZ_REQUIRE(!strpbrk(e->message, "\n\x1b"));
        }
}

/* After parsing: checked and printed. */
static inline void fuzz_finish_draft(SpecDraft *d) {
        _cleanup_spec_ ContainerSpec *spec = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        int r;

        for (char *const *w = spec_draft_warnings(d); w && *w; w++)
                FUZZ_REQUIRE(!strpbrk(*w, "\n\x1b"));
        fuzz_check_spec(spec_draft_spec(d));
        r = spec_check(d, &spec, &e);
        fuzz_check_error(r, &e);
        if (r >= 0)
                fuzz_check_spec(spec);
}
