/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who the senders of calls are: a ring of the last ones. */
#include "manager/callers.h"

#include "basic/str.h"

const PolkitCaller *callers_find(const Callers *c, const char *name) {
        for (size_t i = 0; !isempty(name) && i < CALLERS_MAX; i++)
                if (streq(c->last[i].name, name))
                        return &c->last[i].is;
        return NULL;
}

void callers_add(Callers *c, const char *name, const PolkitCaller *is) {
        Caller *at = &c->last[c->next];
        if (isempty(name) || strlen(name) >= sizeof(at->name) || is->uid == (uid_t) -1 ||
            callers_find(c, name))
                return;
        memcpy(at->name, name, strlen(name) + 1);
        at->is = *is;
        c->next = (c->next + 1) % CALLERS_MAX;
}
