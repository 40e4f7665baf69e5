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

#define CLAIM_AGAIN_USEC \
        (5 * USEC_PER_SEC) /* machined may be restarting: it shall find its name free */
#define SHOW_MAX 16U       /* in one round of the main loop */
#define POLICY_SIZE_MAX (256U << 10)
#define MACHINED_UNIT_PATH "/org/freedesktop/systemd1/unit/systemd_2dmachined_2eservice"

static const char *const policy_paths[] = {
        "/usr/share/polkit-1/actions/org.freedesktop.machine1.policy",
        "/usr/local/share/polkit-1/actions/org.freedesktop.machine1.policy",
};

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
        (void) sd_bus_emit_signal(m1->bus, MACHINE1_MANAGER_PATH, MACHINE1_MANAGER_INTERFACE,
                                  signal, "so", c->name, path);
}

static void show(Machine1 *m1, Container *c) {
        c->shown_round = m1->show_round;
        if (m1->state == MACHINE1_OWNER) {
                machine1_state_save(c);
                emit(m1, "MachineNew", c);
        } else if (m1->state == MACHINE1_ELSEWHERE)
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
        if (m1->state == MACHINE1_OWNER) {
                machine1_state_remove(c);
                emit(m1, "MachineRemoved", c);
        } else if (m1->state == MACHINE1_ELSEWHERE)
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

static int claim(Machine1 *m1);

static int on_claim_again(sd_event_source *s, uint64_t usec, void *userdata) {
        Machine1 *m1 = userdata;
        if (m1->state == MACHINE1_NONE)
                (void) claim(m1);
        return 0;
}

static void claim_later(Machine1 *m1) {
        m1->state = MACHINE1_NONE;
        m1->varlink = varlink_free(m1->varlink);
        (void) sd_event_source_set_time_relative(m1->timer,
                                                 CLAIM_AGAIN_USEC); /* only fails for none */
        (void) sd_event_source_set_enabled(m1->timer, SD_EVENT_ONESHOT);
}

static void become_owner(Machine1 *m1) {
        if (m1->state == MACHINE1_OWNER)
                return;
        m1->state = MACHINE1_OWNER;
        m1->gave_way = false;
        log_debug("Owner of '%s'", MACHINE1_BUS_NAME);
        show_all(m1);
        machine1_state_load(m1->manager);
        _cleanup_error_ Error e = ERROR_NULL;
        if (!m1->varlink && varlink_new(m1, &m1->varlink, &e) < 0)
                log_error_object(LOG_WARNING, &e);
}

static void become_client(Machine1 *m1) {
        if (m1->state == MACHINE1_ELSEWHERE)
                return;
        m1->state = MACHINE1_ELSEWHERE;
        m1->gave_way = false;
        m1->varlink = varlink_free(m1->varlink);
        log_debug("'%s' is another's, containers are registered there", MACHINE1_BUS_NAME);
        show_all(m1);
}

static int on_name(sd_bus_message *reply, void *userdata, sd_bus_error *reterr_error) {
        Machine1 *m1 = userdata;
        uint32_t result = 0;
        if (sd_bus_message_is_method_error(reply, NULL)) {
                log_notice(
                        "The bus does not let berthd answer as '%s': is its bus policy installed?",
                        MACHINE1_BUS_NAME);
                return 0;
        }
        if (sd_bus_message_read(reply, "u", &result) < 0)
                return 0;
        if (IN_SET(result, 1U, 4U)) /* DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER, …_ALREADY_OWNER */
                become_owner(m1);
        else if (result == 3U) /* …_EXISTS */
                become_client(m1);
        return 0;
}

static int claim(Machine1 *m1) {
        return sd_bus_request_name_async(m1->bus, NULL, MACHINE1_BUS_NAME, 0, on_name, m1);
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Machine1 *m1 = userdata;
        const char *name, *new_owner, *self;
        if (sd_bus_message_read(m, "sss", &name, NULL, &new_owner) < 0 ||
            !streq(name, MACHINE1_BUS_NAME) || sd_bus_get_unique_name(m1->bus, &self) < 0)
                return 0;
        if (isempty(new_owner))
                claim_later(m1);
        else if (streq(new_owner, self))
                become_owner(m1);
        else
                become_client(m1);
        return 0;
}

void machine1_release(Machine1 *m1) {
        if (!m1 || m1->state != MACHINE1_OWNER)
                return;
        claim_later(m1);
        (void) sd_bus_release_name_async(m1->bus, NULL, MACHINE1_BUS_NAME, NULL, NULL);
}

const char *machine1_read_active_state(sd_bus_message *changed) {
        const char *key, *state = NULL;
        if (sd_bus_message_skip(changed, "s") < 0 ||
            sd_bus_message_enter_container(changed, 'a', "{sv}") < 0)
                return NULL;
        while (!state && sd_bus_message_enter_container(changed, 'e', "sv") > 0) {
                if (sd_bus_message_read(changed, "s", &key) < 0)
                        return NULL;
                if (streq(key, "ActiveState") ? sd_bus_message_read(changed, "v", "s", &state) < 0
                                              : sd_bus_message_skip(changed, "v") < 0)
                        return NULL;
                (void) sd_bus_message_exit_container(changed); /* was entered */
        }
        return state;
}

/* Somebody wants systemd-machined to run, and it ends without its name. It finds our containers in its state files. It may have asked
 * for the name before it was released: then it has ended already, and is started once more. */
static int on_machined_changed(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Machine1 *m1 = userdata;
        const char *state = machine1_read_active_state(m);
        if (!state)
                return 0;
        if (m1->state == MACHINE1_OWNER && (streq(state, "activating") || streq(state, "active"))) {
                log_info("systemd-machined is started, '%s' is left to it", MACHINE1_BUS_NAME);
                machine1_release(m1);
                m1->gave_way = true;
        } else if (m1->state == MACHINE1_NONE && m1->gave_way &&
                   (streq(state, "inactive") || streq(state, "failed"))) {
                m1->gave_way = false;
                return sd_bus_call_method_async(m1->bus, NULL, SYSTEMD1_BUS_NAME, SYSTEMD1_PATH,
                                                SYSTEMD1_MANAGER_INTERFACE, "StartUnit", NULL, NULL,
                                                "ss", "systemd-machined.service", "replace");
        }
        return 0;
}

static int watch(Machine1 *m1) {
        static const char of_the_name[] =
                "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                "interface='org.freedesktop.DBus',member='NameOwnerChanged',"
                "arg0='" MACHINE1_BUS_NAME "'";
        int r = sd_bus_add_match_async(m1->bus, NULL, of_the_name, on_owner_changed, NULL, m1);
        if (r >= 0)
                r = sd_bus_match_signal_async(m1->bus, NULL, SYSTEMD1_BUS_NAME, MACHINED_UNIT_PATH,
                                              "org.freedesktop.DBus.Properties",
                                              "PropertiesChanged", on_machined_changed, NULL, m1);
        if (r >= 0) /* else systemd sends no signals of units; there may be no systemd */
                r = sd_bus_call_method_async(m1->bus, NULL, SYSTEMD1_BUS_NAME, SYSTEMD1_PATH,
                                             SYSTEMD1_MANAGER_INTERFACE, "Subscribe", NULL, NULL,
                                             NULL);
        if (r >= 0)
                r = sd_event_add_time_relative(m1->manager->event, &m1->timer, CLOCK_MONOTONIC,
                                               USEC_INFINITY / 4, 0, on_claim_again, m1);
        if (r >= 0)
                r = sd_event_add_defer(m1->manager->event, &m1->show_source, on_show_turn, m1);
        if (r >= 0)
                r = sd_event_source_set_enabled(m1->show_source, SD_EVENT_OFF);
        return r < 0 ? r : sd_event_source_set_enabled(m1->timer, SD_EVENT_OFF);
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
        int r = sd_bus_add_object_vtable(m1->bus, NULL, MACHINE1_MANAGER_PATH,
                                         MACHINE1_MANAGER_INTERFACE, machine1_manager_vtable, m);
        if (r >= 0)
                r = sd_bus_add_filter(m1->bus, NULL, machine1_on_self, m);
        if (r >= 0)
                r = sd_bus_add_fallback_vtable(m1->bus, NULL, MACHINE1_MACHINE_PATH_PREFIX,
                                               MACHINE1_MACHINE_INTERFACE, machine1_machine_vtable,
                                               machine1_object_find, m);
        if (r >= 0)
                r = sd_bus_add_node_enumerator(m1->bus, NULL, MACHINE1_MACHINE_PATH_PREFIX,
                                               machine1_object_enumerate, m);
        if (r >= 0)
                r = sd_bus_add_fallback(m1->bus, NULL, MACHINE1_IMAGE_PATH_PREFIX,
                                        machine1_image_properties, m);
        if (r >= 0)
                r = sd_bus_add_fallback_vtable(m1->bus, NULL, MACHINE1_IMAGE_PATH_PREFIX,
                                               MACHINE1_IMAGE_INTERFACE, machine1_image_vtable,
                                               machine1_image_find, m);
        if (r >= 0)
                r = sd_bus_add_node_enumerator(m1->bus, NULL, MACHINE1_IMAGE_PATH_PREFIX,
                                               machine1_image_enumerate, m);
        return r;
}

Machine1 *machine1_free(Machine1 *m1) {
        if (!m1)
                return NULL;
        machine1_pending_free_all(m1);
        machine1_registrations_free(m1);
        varlink_free(m1->varlink);
        sd_event_source_disable_unref(m1->timer);
        sd_event_source_disable_unref(m1->show_source);
        host_free(m1->host);
        sd_bus_flush_close_unref(m1->bus);
        free(m1->actions);
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
        for (size_t i = 0; i < ELEMENTSOF(policy_paths) && !m1->actions;
             i++) /* where machined is not installed, ours count */
                (void) file_read_all(AT_FDCWD, policy_paths[i], POLICY_SIZE_MAX, &m1->actions,
                                     NULL);
        int r = bus_connect_system(&m1->bus, reterr);
        if (r < 0)
                return r;
        r = sd_bus_attach_event(m1->bus, m->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = sd_bus_set_exit_on_disconnect(m1->bus, true);
        if (r >= 0)
                r = publish(m1);
        if (r >= 0)
                r = watch(m1);
        if (r >= 0)
                r = claim(m1);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_BUS_FAILED, "Registering as '%s' failed",
                                       MACHINE1_BUS_NAME);
        *ret = TAKE_PTR(m1);
        return 0;
}
