/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The size of a message's arguments, which sd-bus does not tell. */
#include "bus/bus.h"

#define DEPTH_MAX \
        16 /* of containers in containers; sd-bus and the bus would let through 64 and more */
#define CONTAINER_COST \
        16 /* to enter and leave one takes as long as to read so many bytes, and more */

/* Adds to *n what is left of the container that m is in. */
static int measure(sd_bus_message *m, size_t limit, unsigned depth, size_t *n) {
        const char *contents, *text;
        char type;
        int r;
        while ((r = sd_bus_message_peek_type(m, &type, &contents)) > 0) {
                if (++*n > limit)
                        return -E2BIG;
                if (IN_SET(type, 's', 'o', 'g')) {
                        r = sd_bus_message_read_basic(m, type, &text);
                        if (r >= 0)
                                *n += strlen(text);
                } else if (contents) {
                        if (depth >= DEPTH_MAX)
                                return -E2BIG;
                        *n += CONTAINER_COST;
                        r = sd_bus_message_enter_container(m, type, contents);
                        if (r >= 0)
                                r = measure(m, limit, depth + 1, n);
                        if (r >= 0)
                                r = sd_bus_message_exit_container(m);
                } else
                        r = sd_bus_message_skip(m, (const char[]){ type, '\0' });
                if (r < 0)
                        return r;
        }
        return *n > limit ? -E2BIG : r;
}

int bus_message_measure(sd_bus_message *m, size_t limit) {
        size_t n = 0;
        int r = sd_bus_message_rewind(m, /* complete= */ true);
        if (r >= 0)
                r = measure(m, limit, 0, &n);
        int k = sd_bus_message_rewind(m, /* complete= */ true);
        return r < 0 ? r : k < 0 ? k : 0;
}
