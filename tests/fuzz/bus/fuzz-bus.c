/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The settings of CreateContainer: a{sv} of any types, see fake/settings-message.h. (What makes a message of bytes is libsystemd's.) */
#include "bus/bus.h"
#include "fake/settings-message.h"
#include "fuzz-spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        _cleanup_(spec_draft_freep) SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ char *text = size > 65536 ? NULL : fuzz_text(bytes, size);

        if (!text || settings_message_new(text, &bus, &m) < 0)
                return 0;
        FUZZ_REQUIRE(bus_message_measure(m, SIZE_MAX) >= 0);
        int r = bus_read_settings(m, d, &e);
        fuzz_check_error(r, &e);
        fuzz_finish_draft(d);
        return 0;
}
