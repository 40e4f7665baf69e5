/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine1: who has the name, and which containers are shown under it. */
#include "manager/machine1.h"

#include <stdarg.h>
#include <stdio.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/log.h"
#include "basic/parse.h"
#include "bus/bus.h"
#include "bus/names.h"
#include "manager/varlink.h"

#define SHOW_MAX 16U /* in one round of the main loop */

/* ---- names ---- */

int machine1_path(const char *name, char **ret) {
        return sd_bus_path_encode(MACHINE1_MACHINE_PATH_PREFIX, name, ret);
}

const char *machine1_class(const Container *c) {
        if (c == c->manager->machine1->host)
                return "host";
        return c->foreign ? c->foreign->class_name : "container";
}

const char *machine1_service(const Container *c) {
        if (c == c->manager->machine1->host)
                return "";
        return c->foreign ? c->foreign->service : "berth";
}

Container *machine1_find(Manager *m, const char *name, Error *reterr) {
        if (streq_ptr(name, MACHINE1_HOST))
                return m->machine1->host;
        Container *c = hashmap_get(m->containers, strempty(name));
        if (!c || !c->shown) {
                (void) error_set(reterr, -ENXIO, ERROR_NO_SUCH_CONTAINER,
                                 "No machine named '%s' is running", strempty(name));
                return NULL;
        }
        return c;
}

int machine1_reply_error(sd_bus_message *call, const char *name, const char *format, ...) {
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        va_list ap;
        va_start(ap, format);
        (void) sd_bus_error_setfv(&e, name, format, ap); /* returns the error that it sets */
        va_end(ap);
        (void) sd_bus_reply_method_error(call, &e); /* the caller may be gone */
        return 1;
}

/* ---- what is shown ---- */

static void emit(Machine1 *m1, const char *signal, const Container *c) {
        _cleanup_free_ char *path = NULL;
        if (machine1_path(c->name, &path) < 0)
                return;
        /* best effort: who missed one can list */
        (void) sd_bus_emit_signal(m1->name.bus, MACHINE1_MANAGER_PATH, MACHINE1_MANAGER_INTERFACE,
                                  signal, "so", c->name, path);
}

static void show(Machine1 *m1, Container *c) {
        c->shown_round = m1->show_round;
        if (m1->name.state == SHARED_NAME_OURS) {
                machine1_state_save(c);
                emit(m1, "MachineNew", c);
        } else if (m1->name.state == SHARED_NAME_OTHERS)
                machine1_register_elsewhere(m1, c);
}

void machine1_hide(Container *c) {
        Machine1 *m1 = c->manager->machine1;
        if (!m1 || !c->shown)
                return;
        c->shown = false;
        machine1_registration_free(c);
        if (m1->varlink)
                varlink_machine_gone(m1->varlink, c->name);
        if (m1->name.state == SHARED_NAME_OURS) {
                machine1_state_remove(c);
                emit(m1, "MachineRemoved", c);
        } else if (m1->name.state == SHARED_NAME_OTHERS)
                machine1_unregister_elsewhere(m1, c);
}

void machine1_update(Container *c) {
        Machine1 *m1 = c->manager->machine1;
        if (!m1)
                return;
        if (!c->announced || !pidref_is_set(&c->leader)) {
                machine1_hide(c);
                return;
        }
        if (c->shown)
                return;
        c->shown = true;
        show(m1, c);
}

/* Some of those that are not told of yet, with the loop's other work in between. */
static int on_show_turn(sd_event_source *s, void *userdata) {
        Machine1 *m1 = userdata;
        unsigned n = 0;
        Container *c;
        HASHMAP_FOREACH(c, m1->manager->containers) {
                if (!c->shown || c->shown_round == m1->show_round)
                        continue;
                if (n++ >= SHOW_MAX)
                        return 0;
                show(m1, c);
        }
        return sd_event_source_set_enabled(s, SD_EVENT_OFF);
}

static void show_all(Machine1 *m1) {
        m1->show_round++;
        (void) sd_event_source_set_enabled(m1->show_source, SD_EVENT_ON); /* only fails for none */
}

/* ---- the name ---- */

static void on_name_changed(SharedNameState state, void *userdata) {
        Machine1 *m1 = userdata;
        if (state != SHARED_NAME_OURS)
                m1->varlink = varlink_free(m1->varlink);
        if (state == SHARED_NAME_NONE)
                return;
        log_debug(state == SHARED_NAME_OURS ? "Owner of '%s'"
                                            : "'%s' is another's, containers are registered there",
                  MACHINE1_BUS_NAME);
        show_all(m1);
        if (state != SHARED_NAME_OURS)
                return;
        machine1_state_load(m1->manager);
        _cleanup_error_ Error e = ERROR_NULL;
        if (!m1->varlink && varlink_new(m1, &m1->varlink, &e) < 0)
                log_error_object(LOG_WARNING, &e);
}

void machine1_release(Machine1 *m1) {
        if (m1)
                shared_name_release(&m1->name);
}

/* ---- life ---- */

/* The host itself is a machine, too. */
static Container *host_new(Manager *m) {
        Container *c = new0(Container, 1);
        _cleanup_free_ char *id = NULL;
        if (!c)
                return NULL;
        c->manager = m;
        c->leader = c->supervisor = (PidRef) PIDREF_NULL;
        c->state = STATE_RUNNING;
        c->shown = true;
        c->name = strdup(MACHINE1_HOST);
        c->unit = strdup("-.slice");
        c->root_directory = strdup("/");
        usec_t up = now_usec(CLOCK_BOOTTIME), now = now_usec(CLOCK_REALTIME);
        c->started_realtime = now > up ? now - up : 0;
        (void) pidref_open(1, &c->leader); /* there always is one */
        if (file_read_all(AT_FDCWD, "/etc/machine-id", 64, &id, NULL) >= 0)
                c->id = strdup(strstrip(id));
        return c;
}

static void host_free(Container *c) {
        if (!c)
                return;
        pidref_done(&c->leader);
        free(c->name);
        free(c->unit);
        free(c->root_directory);
        free(c->id);
        free(c);
}

static int publish(Machine1 *m1) {
        Manager *m = m1->manager;
        int r = sd_bus_add_object_vtable(m1->name.bus, NULL, MACHINE1_MANAGER_PATH,
                                         MACHINE1_MANAGER_INTERFACE, machine1_manager_vtable, m);
        if (r >= 0)
                r = sd_bus_add_filter(m1->name.bus, NULL, machine1_on_self, m);
        if (r >= 0)
                r = sd_bus_add_fallback_vtable(m1->name.bus, NULL, MACHINE1_MACHINE_PATH_PREFIX,
                                               MACHINE1_MACHINE_INTERFACE, machine1_machine_vtable,
                                               machine1_object_find, m);
        if (r >= 0)
                r = sd_bus_add_node_enumerator(m1->name.bus, NULL, MACHINE1_MACHINE_PATH_PREFIX,
                                               machine1_object_enumerate, m);
        if (r >= 0)
                r = sd_bus_add_fallback(m1->name.bus, NULL, MACHINE1_IMAGE_PATH_PREFIX,
                                        machine1_image_properties, m);
        if (r >= 0)
                r = sd_bus_add_fallback_vtable(m1->name.bus, NULL, MACHINE1_IMAGE_PATH_PREFIX,
                                               MACHINE1_IMAGE_INTERFACE, machine1_image_vtable,
                                               machine1_image_find, m);
        if (r >= 0)
                r = sd_bus_add_node_enumerator(m1->name.bus, NULL, MACHINE1_IMAGE_PATH_PREFIX,
                                               machine1_image_enumerate, m);
        return r;
}

Machine1 *machine1_free(Machine1 *m1) {
        if (!m1)
                return NULL;
        machine1_pending_free_all(m1);
        machine1_registrations_free(m1);
        varlink_free(m1->varlink);
        sd_event_source_disable_unref(m1->show_source);
        host_free(m1->host);
        shared_name_done(&m1->name);
        free(m1);
        return NULL;
}
DEFINE_TRIVIAL_CLEANUP_FUNC(Machine1 *, machine1_free)

int machine1_new(Manager *m, Machine1 **ret, Error *reterr) {
        _cleanup_(machine1_freep) Machine1 *m1 = new0(Machine1, 1);
        if (!m1)
                return error_oom(reterr);
        m1->manager = m;
        m1->host = host_new(m);
        if (!m1->host)
                return error_oom(reterr);
        m1->name = (SharedName){
                .name = MACHINE1_BUS_NAME,
                .unit = "systemd-machined.service",
                .unit_path = "/org/freedesktop/systemd1/unit/systemd_2dmachined_2eservice",
                .changed = on_name_changed,
                .userdata = m1,
        };
        int r = shared_name_open(&m1->name, m->event, reterr);
        if (r < 0)
                return r;
        r = publish(m1);
        if (r >= 0)
                r = sd_event_add_defer(m->event, &m1->show_source, on_show_turn, m1);
        if (r >= 0)
                r = sd_event_source_set_enabled(m1->show_source, SD_EVENT_OFF);
        if (r >= 0)
                r = shared_name_claim(&m1->name);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_BUS_FAILED, "Registering as '%s' failed",
                                       MACHINE1_BUS_NAME);
        *ret = TAKE_PTR(m1);
        return 0;
}
