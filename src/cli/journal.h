/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The last lines that the journal has about a container. */
#pragma once

#include <stdio.h>

#include "basic/error.h"
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

/* The same to a stream, without limit in length but for q->lines; follow: and all that comes, until there is an error or nobody
 * reads. */
int journal_print(const JournalQuery *q, bool follow, FILE *f, Error *reterr);
