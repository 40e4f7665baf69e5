/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The canonical text, which the supervisor reads. */
#include "fuzz-spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
        _cleanup_free_ char *text = fuzz_text(bytes, size);
        _cleanup_spec_ ContainerSpec *spec = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        int r;

        if (!text)
                return 0;
        r = spec_text_parse(text, &spec, &e);
        fuzz_check_error(r, &e);
        if (r >= 0)
                fuzz_check_spec(spec);
        return 0;
}
