/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The signals of org.berth.Containers1 as a stream of events. */
#include "bus/manager1-events.h"

#include "basic/macros.h"
#include "basic/str.h"
#include "bus/names.h"

static const char *const event_names[_EVENT_TYPE_MAX] = {
        [EVENT_NEW] = "new",         [EVENT_STATE] = "state",   [EVENT_READY] = "ready",
        [EVENT_UNREADY] = "unready", [EVENT_HEALTH] = "health", [EVENT_STATUS] = "status",
        [EVENT_REMOVED] = "removed",
};

const char *container_event_type_to_string(ContainerEventType t) {
        return (size_t) t < ELEMENTSOF(event_names) ? event_names[t] : NULL;
}

static void tell(ContainerWatch *w, ContainerEventType type, const char *name, const char *detail) {
        _cleanup_free_ char *safe =
                str_escape_for_display(name); /* see take_text() of manager1.c */
        const ContainerEvent e = { .type = type, .name = strempty(safe), .detail = detail };
        w->handler(&e, w->userdata);
}

/* A signal that does not read as documented is another version's: passed over. */
static int on_manager_signal(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        ContainerWatch *w = userdata;
        const char *name, *path, *result = NULL;

        if (sd_bus_message_read(m, "so", &name, &path) < 0)
                return 0;
        if (sd_bus_message_is_signal(m, BERTH_MANAGER_INTERFACE, "ContainerNew") > 0)
                tell(w, EVENT_NEW, name, NULL);
        else if (sd_bus_message_is_signal(m, BERTH_MANAGER_INTERFACE, "ContainerRemoved") > 0 &&
                 sd_bus_message_read(m, "s", &result) >= 0)
                tell(w, EVENT_REMOVED, name, isempty(result) ? NULL : result);
        return 0; /* ContainerReady says what the property Ready says, too */
}

static int on_property(ContainerWatch *w, sd_bus_message *m, const char *name) {
        static const struct {
                const char *property;
                ContainerEventType type;
        } texts[] = {
                { "State", EVENT_STATE },
                { "StatusText", EVENT_STATUS },
                { "Health", EVENT_HEALTH },
        };
        const char *key, *text;
        int ready, r = sd_bus_message_read_basic(m, 's', &key);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                if (streq(key, texts[i].property)) {
                        r = sd_bus_message_read(m, "v", "s", &text);
                        if (r >= 0)
                                tell(w, texts[i].type, name, text);
                        return r;
                }
        if (streq(key, "Ready")) {
                r = sd_bus_message_read(m, "v", "b", &ready);
                if (r >= 0)
                        tell(w, ready ? EVENT_READY : EVENT_UNREADY, name, NULL);
        } else
                r = sd_bus_message_skip(m, "v");
        return r;
}

static int on_properties_changed(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        ContainerWatch *w = userdata;
        _cleanup_free_ char *name = NULL;
        const char *interface;

        if (sd_bus_path_decode(sd_bus_message_get_path(m), BERTH_CONTAINER_PATH_PREFIX, &name) <= 0)
                return 0;
        if (sd_bus_message_read_basic(m, 's', &interface) < 0 ||
            !streq(interface, BERTH_CONTAINER_INTERFACE) ||
            sd_bus_message_enter_container(m, 'a', "{sv}") < 0)
                return 0;
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0)
                if (on_property(w, m, name) < 0 || sd_bus_message_exit_container(m) < 0)
                        break;
        return 0;
}

int container_watch_begin(ContainerWatch *w, Error *reterr) {
        int r = sd_bus_match_signal(w->bus, &w->manager_slot, BERTH_BUS_NAME, BERTH_MANAGER_PATH,
                                    BERTH_MANAGER_INTERFACE, NULL, on_manager_signal, w);
        if (r >= 0)
                r = sd_bus_match_signal(w->bus, &w->properties_slot, BERTH_BUS_NAME, NULL,
                                        "org.freedesktop.DBus.Properties", "PropertiesChanged",
                                        on_properties_changed, w);
        return r < 0 ? error_set_errno(reterr, r, ERROR_BUS_FAILED,
                                       "Watching the manager on the bus failed")
                     : 0;
}

void container_watch_end(ContainerWatch *w) {
        w->manager_slot = sd_bus_slot_unref(w->manager_slot);
        w->properties_slot = sd_bus_slot_unref(w->properties_slot);
}

int container_watch_run(ContainerWatch *w, usec_t timeout_usec, Error *reterr) {
        int r = sd_bus_process(w->bus, NULL);
        if (r == 0)
                r = sd_bus_wait(w->bus, timeout_usec == USEC_INFINITY ? UINT64_MAX : timeout_usec);
        if (r == -EINTR)
                return 0;
        return r < 0 ? error_set_errno(reterr, r, ERROR_BUS_FAILED,
                                       "The connection to the bus has ended")
                     : 0;
}
