/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Our containers at a systemd-machined that runs: registered and unregistered, best effort; nobody waits for its answers. */
#include "basic/id.h"
#include "basic/log.h"
#include "bus/names.h"
#include "manager/machine1.h"

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        const sd_bus_error *e = sd_bus_message_get_error(m);
        if (e) /* it knows the machine already, from its state file for one; or has no use for the name */
                log_debug("systemd-machined: %s", strempty(e->message));
        return 0;
}

void machine1_register_elsewhere(Machine1 *m1, const Container *c) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        Id128 id;
        size_t id_size = c->id && id128_parse(c->id, &id) >= 0 ? sizeof(id.bytes) : 0;
        int r = sd_bus_message_new_method_call(m1->bus, &m, MACHINE1_BUS_NAME,
                                               MACHINE1_MANAGER_PATH, MACHINE1_MANAGER_INTERFACE,
                                               "RegisterMachineWithNetwork");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", c->name);
        if (r >= 0)
                r = sd_bus_message_append_array(m, 'y', id.bytes, id_size);
        if (r >= 0)
                r = sd_bus_message_append(m, "ssus", machine1_service(c), machine1_class(c),
                                          (uint32_t) c->leader.pid, strempty(c->root_directory));
        if (r >= 0)
                r = sd_bus_message_append_array(
                        m, 'i', c->foreign ? c->foreign->interfaces : NULL,
                        c->foreign ? c->foreign->n_interfaces * sizeof(int32_t) : 0);
        if (r >= 0) /* it was running a moment ago: it is not started for us */
                r = sd_bus_message_set_auto_start(m, false);
        if (r >= 0)
                r = sd_bus_call_async(m1->bus, NULL, m, on_reply, NULL, 0);
        if (r < 0)
                log_debug_errno(r, "Container '%s' is not registered with systemd-machined",
                                c->name);
}

void machine1_unregister_elsewhere(Machine1 *m1, const Container *c) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = sd_bus_message_new_method_call(m1->bus, &m, MACHINE1_BUS_NAME,
                                               MACHINE1_MANAGER_PATH, MACHINE1_MANAGER_INTERFACE,
                                               "UnregisterMachine");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", c->name);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, false);
        if (r >= 0)
                r = sd_bus_call_async(m1->bus, NULL, m, on_reply, NULL, 0);
        if (r < 0)
                log_debug_errno(r, "Container '%s' is not unregistered from systemd-machined",
                                c->name);
}
