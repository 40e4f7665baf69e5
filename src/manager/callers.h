/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who the senders of calls are: what the bus said of a connection stays true as long as there is this bus, for it gives no unique name
 * twice. So it is asked once for each connection, not once for each call: others do not wait behind somebody's thousand calls. */
#pragma once

#include "bus/polkit.h"

#define CALLERS_MAX 128U /* the last ones; who is forgotten is asked for again */

typedef struct Caller {
        char name[24]; /* ":1.234"; "": a free place */
        PolkitCaller is;
} Caller;

typedef struct Callers {
        Caller last[CALLERS_MAX];
        size_t next; /* the oldest */
} Callers;

/* NULL: not known yet. */
const PolkitCaller *callers_find(const Callers *c, const char *name);
void callers_add(Callers *c, const char *name, const PolkitCaller *is);
