/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The manager: its objects on the bus, its name, and when it ends. */
#include "manager/manager.h"

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/log.h"
#include "basic/parse.h"
#include "basic/time.h"
#include "bus/names.h"
#include "ipc/notify.h"
#include "manager/access.h"
#include "manager/container-usage.h"
#include "manager/image-object.h"
#include "manager/import1.h"
#include "manager/machine1.h"
#include "manager/operation.h"
#include "manager/spawner-link.h"
#include "manager/supervisor-link.h"

#define IDLE_EXIT_USEC (60 * USEC_PER_SEC)
#define IDLE_ACCURACY_USEC (1 * USEC_PER_SEC)

/* ---- idle exit ---- */

static bool is_idle(const Manager *m) {
        return hashmap_size(m->containers) == 0 && m->n_links == 0 && m->n_calls == 0;
}

static int on_name_released(sd_bus_message *reply, void *userdata, sd_bus_error *reterr_error) {
        Manager *m = userdata;
        if (is_idle(m))
                return sd_event_exit(m->event, EXIT_SUCCESS);
        /* a call came in the last moment: stay */
        int r = sd_bus_request_name_async(m->bus, NULL, BERTH_BUS_NAME, 0, NULL, NULL);
        manager_touch(m);
        return r;
}

static int on_idle(sd_event_source *s, uint64_t usec, void *userdata) {
        Manager *m = userdata;
        if (!is_idle(m)) {
                manager_touch(m);
                return 0;
        }
        /* From here on calls start a new manager, as soon as this one is gone: none is lost. */
        log_debug("Nothing to do, ending");
        (void) notify_send("STOPPING=1"); /* only for show */
        machine1_release(m->machine1);
        import1_release(m->import1);
        return sd_bus_release_name_async(m->bus, NULL, BERTH_BUS_NAME, on_name_released, m);
}

void manager_touch(Manager *m) {
        if (!m->idle_source)
                return;
        (void) sd_event_source_set_time_relative(m->idle_source,
                                                 IDLE_EXIT_USEC); /* both only fail for no source */
        (void) sd_event_source_set_enabled(m->idle_source, SD_EVENT_ONESHOT);
}

/* ---- calls that wait ---- */

int manager_call_begin(Manager *m, Error *reterr) {
        if (m->n_calls >= MANAGER_CALLS_MAX) {
                int r = error_set(reterr, -EBUSY, ERROR_LIMIT_EXCEEDED,
                                  "More than %u calls wait for an answer", MANAGER_CALLS_MAX);
                error_hint(reterr, "try again later");
                return r;
        }
        m->n_calls++;
        return 0;
}

void manager_call_end(Manager *m) {
        m->n_calls--;
        manager_touch(m);
}

/* ---- life ---- */

Manager *manager_free(Manager *m) {
        if (!m)
                return NULL;
        m->idle_source = sd_event_source_disable_unref(m->idle_source);
        while (m->accesses)
                access_free(m->accesses);
        operations_free(m);
        measurements_free(m);
        Container *c;
        HASHMAP_FOREACH(c, m->containers)
                container_free(c);
        machine1_free(m->machine1);
        import1_free(m->import1);
        spawner_link_free(m->spawner);
        while (m->links)
                link_free(m->links);
        hashmap_free(m->containers);
        sd_event_source_disable_unref(m->listen_source);
        sd_event_source_disable_unref(m->accept_timer);
        fd_close(m->listen_fd);
        sd_bus_unref(m->bus);
        sd_event_unref(m->event);
        free(m);
        return NULL;
}

int manager_new(sd_event *event, sd_bus *bus, int *listen_fd, bool idle_exit, const char *spawner,
                Manager **ret, Error *reterr) {
        _cleanup_(manager_freep) Manager *m = new0(Manager, 1);
        if (!m)
                return error_oom(reterr);
        m->listen_fd = TAKE_FD(*listen_fd);
        m->event = sd_event_ref(event);
        m->bus = sd_bus_ref(bus);
        m->idle_exit = idle_exit;
        m->measured_uid = (uid_t) -1;
        m->containers = hashmap_new();
        if (!m->containers)
                return error_oom(reterr);
        int r = spawner_link_new(event, spawner, &m->spawner, reterr);
        if (r >= 0)
                r = links_listen(m, reterr);
        if (r < 0)
                return r;
        if (idle_exit) {
                r = sd_event_add_time_relative(event, &m->idle_source, CLOCK_MONOTONIC,
                                               IDLE_EXIT_USEC, IDLE_ACCURACY_USEC, on_idle, m);
                if (r < 0)
                        return error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                                               "Setting a timer failed");
        }
        *ret = TAKE_PTR(m);
        return 0;
}

static int on_name(sd_bus_message *reply, void *userdata, sd_bus_error *reterr_error) {
        Manager *m = userdata;
        uint32_t result;
        if (!sd_bus_message_is_method_error(reply, NULL) &&
            sd_bus_message_read(reply, "u", &result) >= 0 &&
            IN_SET(result, 1U, 4U)) { /* DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER, …_ALREADY_OWNER */
                log_debug("Owner of '%s'", BERTH_BUS_NAME);
                return 0;
        }
        _cleanup_error_ Error e = ERROR_NULL;
        (void) error_set(&e, -EEXIST, ERROR_BUS_FAILED, "The name '%s' cannot be had on the bus",
                         BERTH_BUS_NAME);
        error_hint(&e, "is another berthd running, and is the bus policy of berth installed?");
        log_error_object(LOG_ERR, &e);
        return sd_event_exit(m->event, EXIT_FAILURE);
}

/* berth works without it. */
static void publish_machine1(Manager *m) {
        _cleanup_error_ Error e = ERROR_NULL;
        const char *wanted = secure_getenv("BERTH_MACHINE1");
        if (!(wanted ? parse_boolean(wanted) > 0 : BERTH_MACHINE1))
                return;
        if (machine1_new(m, &m->machine1, &e) < 0)
                log_error_object(LOG_WARNING, &e);
}

/* The same: berth has verbs of its own. */
static void publish_import1(Manager *m) {
        _cleanup_error_ Error e = ERROR_NULL;
        const char *wanted = secure_getenv("BERTH_IMPORT1");
        if (!(wanted ? parse_boolean(wanted) > 0 : BERTH_IMPORT1))
                return;
        if (import1_new(m, &m->import1, &e) < 0)
                log_error_object(LOG_WARNING, &e);
}

int manager_publish(Manager *m, Error *reterr) {
        int r = sd_bus_add_object_vtable(m->bus, NULL, BERTH_MANAGER_PATH, BERTH_MANAGER_INTERFACE,
                                         manager_vtable, m);
        if (r >= 0)
                r = sd_bus_add_fallback_vtable(m->bus, NULL, BERTH_CONTAINER_PATH_PREFIX,
                                               BERTH_CONTAINER_INTERFACE, container_vtable,
                                               container_object_find, m);
        if (r >= 0)
                r = sd_bus_add_node_enumerator(m->bus, NULL, BERTH_CONTAINER_PATH_PREFIX,
                                               container_object_enumerate, m);
        if (r >= 0)
                r = sd_bus_add_fallback(m->bus, NULL, BERTH_IMAGE_PATH_PREFIX, image_properties, m);
        if (r >= 0)
                r = sd_bus_add_fallback_vtable(m->bus, NULL, BERTH_IMAGE_PATH_PREFIX,
                                               BERTH_IMAGE_INTERFACE, image_vtable, bus_image_find,
                                               m);
        if (r >= 0)
                r = sd_bus_add_object_manager(m->bus, NULL, BERTH_MANAGER_PATH);
        if (r >= 0)
                r = log_control_publish(m->bus);
        if (r >= 0)
                r = sd_bus_request_name_async(m->bus, NULL, BERTH_BUS_NAME, 0, on_name, m);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_BUS_FAILED,
                                       "Registering on the system bus failed");
        publish_machine1(m);
        publish_import1(m);
        return 0;
}

int manager_run(Manager *m) {
        return loop_run(m->event, &m->meter);
}
