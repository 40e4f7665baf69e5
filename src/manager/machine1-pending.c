/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls of machine1 that wait until the bus driver has said which process calls. */
#include "basic/alloc.h"
#include "bus/bus.h"
#include "manager/machine1.h"

struct Machine1Pending {
        Machine1 *machine1;
        sd_bus_message *call;
        char *container;
        Machine1Caller then;
        sd_bus_slot *slot;
        LIST_FIELDS(Machine1Pending, pendings);
};

static void pending_free(Machine1Pending *p) {
        LIST_REMOVE(pendings, p->machine1->pendings, p);
        p->machine1->n_pendings--;
        manager_call_end(p->machine1->manager);
        sd_bus_slot_unref(p->slot);
        sd_bus_message_unref(p->call);
        free(p->container);
        free(p);
}
DEFINE_TRIVIAL_CLEANUP_FUNC(Machine1Pending *, pending_free)

void machine1_pending_free_all(Machine1 *m1) {
        while (m1->pendings)
                pending_free(m1->pendings);
}

static int on_caller(sd_bus_message *reply, void *userdata, sd_bus_error *reterr_error) {
        _cleanup_(pending_freep) Machine1Pending *p = userdata;
        _cleanup_error_ Error e = ERROR_NULL;
        uint32_t pid = 0;
        if (sd_bus_message_is_method_error(reply, NULL) ||
            sd_bus_message_read(reply, "u", &pid) < 0 || pid == 0 || pid > INT32_MAX)
                return 1; /* it has left the bus: nobody waits for an answer */
        if (sd_bus_message_rewind(p->call, true) < 0)
                return 1;
        if (p->then(p->machine1->manager, p->call, p->container, (pid_t) pid, &e) < 0) {
                _cleanup_(sd_bus_error_free) sd_bus_error b = SD_BUS_ERROR_NULL;
                (void) bus_error_from_error_for(p->call, &b, &e);
                (void) sd_bus_reply_method_error(p->call, &b); /* the caller may be gone */
        }
        return 1;
}

int machine1_ask_caller(Manager *m, sd_bus_message *call, const char *container,
                        Machine1Caller then, Error *reterr) {
        Machine1 *m1 = m->machine1;
        if (m1->n_pendings >= MACHINE1_PENDING_MAX)
                return error_set(reterr, -EBUSY, ERROR_LIMIT_EXCEEDED, "More than %u calls wait",
                                 MACHINE1_PENDING_MAX);
        int r = manager_call_begin(m, reterr);
        if (r < 0)
                return r;
        Machine1Pending *p = new0(Machine1Pending, 1);
        if (!p) {
                manager_call_end(m);
                return error_oom(reterr);
        }
        p->machine1 = m1;
        p->call = sd_bus_message_ref(call);
        p->then = then;
        LIST_PREPEND(pendings, m1->pendings, p);
        m1->n_pendings++;
        r = free_and_strdup(&p->container, container);
        if (r >= 0)
                r = sd_bus_call_method_async(m1->name.bus, &p->slot, "org.freedesktop.DBus",
                                             "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                             "GetConnectionUnixProcessID", on_caller, p, "s",
                                             sd_bus_message_get_sender(call));
        if (r < 0) {
                pending_free(p);
                return error_set_errno(reterr, r, ERROR_BUS_FAILED, "Asking who calls failed");
        }
        return 0;
}
