/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A container's life in the journal: its start and its end, found by 'journalctl -u UNIT' as well. */
#include "manager/container-log.h"

#include "basic/log.h"
#include "basic/strv.h"

/* OBJECT_SYSTEMD_UNIT= is taken by journalctl from root's processes, as what they say of a unit (systemd.journal-fields(7)). */
static char **fields_of(const Container *c) {
        _cleanup_strv_free_ char **l = NULL;
        int r = strv_extendf(&l, "CONTAINER=%s", c->name);
        if (r >= 0 && !isempty(c->id))
                r = strv_extendf(&l, "CONTAINER_ID=%s", c->id);
        if (r >= 0 && pidref_is_set(&c->leader))
                r = strv_extendf(&l, "LEADER=%d", c->leader.pid);
        if (r >= 0 && !isempty(c->unit))
                r = strv_extendf(&l, "OBJECT_SYSTEMD_UNIT=%s", c->unit);
        return r < 0 ? NULL : TAKE_PTR(l); /* the line alone will do */
}

void container_log_start(const Container *c) {
        _cleanup_strv_free_ char **fields = fields_of(c);
        (void) log_full(LOG_INFO, 0, __FILE__, __LINE__, __func__, fields, "Container '%s' runs",
                        c->name);
}

void container_log_end(const Container *c) {
        _cleanup_strv_free_ char **fields = fields_of(c);
        (void) log_full(LOG_INFO, 0, __FILE__, __LINE__, __func__, fields,
                        "Container '%s' ended: %s", c->name, c->result ?: "its supervisor is gone");
}
