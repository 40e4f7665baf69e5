/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The last lines that the journal has about a container. */
#pragma once

#include "basic/str.h"
#include "basic/time.h"

typedef struct JournalQuery {
        const char *container; /* records of berth's own programs that name it; or NULL */
        const char
                *unit; /* its unit: the payload's output and what systemd says about it; or NULL */
        usec_t since_usec; /* CLOCK_REALTIME, 0: any time */
        unsigned lines;
} JournalQuery;

/* Appends "Nov 23 09:30:00 IDENTIFIER[PID]: message" lines, oldest first. Returns how many; 0 too if there is no journal, or
 * none that this user may read. */
unsigned journal_format(const JournalQuery *q, StrBuf *out);
