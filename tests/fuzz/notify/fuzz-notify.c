/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a payload may write to its notification socket. A status that is taken is short, valid UTF-8 without control characters. */
#include <stdlib.h>

#include "basic/str.h"
#include "fuzz.h"
#include "ipc/notify.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
        NotifyMessage m = { 0 };

        if (notify_parse((const char *) bytes, size, &m) < 0)
                return 0;
        for (const char *p = m.status; p && *p; p++)
                FUZZ_REQUIRE((unsigned char) *p >= 0x20 && *p != 0x7f);
        FUZZ_REQUIRE(!m.status ||
                     (strlen(m.status) <= 256 && utf8_is_valid(m.status, strlen(m.status))));
        FUZZ_REQUIRE(!m.has_exit_status || (m.exit_status >= 0 && m.exit_status <= 255));
        notify_message_done(&m);
        return 0;
}
