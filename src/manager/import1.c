/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* import1: its name, and its life. */
#include "manager/import1.h"

#include "basic/alloc.h"
#include "bus/names.h"

/* Transfers go on, whoever has the name. */
static void on_name_changed(SharedNameState state, void *userdata) {}

void import1_release(Import1 *i1) {
        if (i1)
                shared_name_release(&i1->name);
}

Import1 *import1_free(Import1 *i1) {
        if (!i1)
                return NULL;
        while (i1->transfers)
                import1_transfer_free(i1->transfers);
        shared_name_done(&i1->name);
        free(i1);
        return NULL;
}

int import1_new(Manager *m, Import1 **ret, Error *reterr) {
        _cleanup_(import1_freep) Import1 *i1 = new0(Import1, 1);
        if (!i1)
                return error_oom(reterr);
        i1->manager = m;
        i1->name = (SharedName){
                .name = IMPORT1_BUS_NAME,
                .unit = "systemd-importd.service",
                .unit_path = "/org/freedesktop/systemd1/unit/systemd_2dimportd_2eservice",
                .changed = on_name_changed,
                .userdata = i1,
        };
        int r = shared_name_open(&i1->name, m->event, reterr);
        if (r < 0)
                return r;
        r = import1_publish(i1);
        if (r >= 0)
                r = shared_name_claim(&i1->name);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_BUS_FAILED, "Registering as '%s' failed",
                                       IMPORT1_BUS_NAME);
        *ret = TAKE_PTR(i1);
        return 0;
}
