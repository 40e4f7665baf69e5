/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See shared-name.h. Sequence: match for the name's owner, match for the unit, the request; the replies come when they come. */
#include "manager/shared-name.h"

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/str.h"
#include "basic/time.h"
#include "bus/bus.h"
#include "bus/names.h"

#define CLAIM_AGAIN_USEC \
        (5 * USEC_PER_SEC) /* the service may be restarting: it shall find its name free */
#define POLICY_SIZE_MAX (256U << 10)

static void set_state(SharedName *n, SharedNameState state) {
        if (n->state == state)
                return;
        n->state = state;
        n->changed(state, n->userdata);
}

static void claim_later(SharedName *n) {
        set_state(n, SHARED_NAME_NONE);
        /* only fails for no timer */
        (void) sd_event_source_set_time_relative(n->timer, CLAIM_AGAIN_USEC);
        (void) sd_event_source_set_enabled(n->timer, SD_EVENT_ONESHOT);
}

static void become(SharedName *n, SharedNameState state) {
        n->gave_way = false;
        set_state(n, state);
}

static int on_name(sd_bus_message *reply, void *userdata, sd_bus_error *reterr_error) {
        SharedName *n = userdata;
        uint32_t result = 0;
        if (sd_bus_message_is_method_error(reply, NULL)) {
                log_notice(
                        "The bus does not let berthd answer as '%s': is its bus policy installed?",
                        n->name);
                return 0;
        }
        if (sd_bus_message_read(reply, "u", &result) < 0)
                return 0;
        if (IN_SET(result, 1U, 4U)) /* DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER, …_ALREADY_OWNER */
                become(n, SHARED_NAME_OURS);
        else if (result == 3U) /* …_EXISTS */
                become(n, SHARED_NAME_OTHERS);
        return 0;
}

static int claim(SharedName *n) {
        return sd_bus_request_name_async(n->bus, NULL, n->name, 0, on_name, n);
}

static int on_claim_again(sd_event_source *s, uint64_t usec, void *userdata) {
        SharedName *n = userdata;
        if (n->state == SHARED_NAME_NONE)
                (void) claim(n); /* or not at all */
        return 0;
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        SharedName *n = userdata;
        const char *name, *new_owner, *self;
        if (sd_bus_message_read(m, "sss", &name, NULL, &new_owner) < 0 || !streq(name, n->name) ||
            sd_bus_get_unique_name(n->bus, &self) < 0)
                return 0;
        if (isempty(new_owner))
                claim_later(n);
        else
                become(n, streq(new_owner, self) ? SHARED_NAME_OURS : SHARED_NAME_OTHERS);
        return 0;
}

void shared_name_release(SharedName *n) {
        if (n->state != SHARED_NAME_OURS)
                return;
        claim_later(n);
        (void) sd_bus_release_name_async(n->bus, NULL, n->name, NULL, NULL);
}

const char *unit_changed_active_state(sd_bus_message *changed) {
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

/* Somebody wants the service to run, and it ends without its name. It may have asked for it before it was released: then it has ended
 * already, and is started once more. */
static int on_unit_changed(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        SharedName *n = userdata;
        const char *state = unit_changed_active_state(m);
        if (!state)
                return 0;
        if (n->state == SHARED_NAME_OURS &&
            (streq(state, "activating") || streq(state, "active"))) {
                log_info("%s is started, '%s' is left to it", n->unit, n->name);
                shared_name_release(n);
                n->gave_way = true;
        } else if (n->state == SHARED_NAME_NONE && n->gave_way &&
                   (streq(state, "inactive") || streq(state, "failed"))) {
                n->gave_way = false;
                return sd_bus_call_method_async(n->bus, NULL, SYSTEMD1_BUS_NAME, SYSTEMD1_PATH,
                                                SYSTEMD1_MANAGER_INTERFACE, "StartUnit", NULL, NULL,
                                                "ss", n->unit, "replace");
        }
        return 0;
}

int shared_name_claim(SharedName *n) {
        _cleanup_free_ char *of_the_name =
                strf("type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                     "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='%s'",
                     n->name);
        if (!of_the_name)
                return -ENOMEM;
        int r = sd_bus_add_match_async(n->bus, NULL, of_the_name, on_owner_changed, NULL, n);
        if (r >= 0)
                r = sd_bus_match_signal_async(n->bus, NULL, SYSTEMD1_BUS_NAME, n->unit_path,
                                              "org.freedesktop.DBus.Properties",
                                              "PropertiesChanged", on_unit_changed, NULL, n);
        if (r >= 0) /* else systemd sends no signals of units; there may be no systemd */
                r = sd_bus_call_method_async(n->bus, NULL, SYSTEMD1_BUS_NAME, SYSTEMD1_PATH,
                                             SYSTEMD1_MANAGER_INTERFACE, "Subscribe", NULL, NULL,
                                             NULL);
        return r < 0 ? r : claim(n);
}

/* ---- life ---- */

static void read_actions(SharedName *n) {
        static const char *const directories[] = { "/usr/share", "/usr/local/share" };
        for (size_t i = 0; i < ELEMENTSOF(directories) && !n->actions; i++) {
                _cleanup_free_ char *path =
                        strf("%s/polkit-1/actions/%s.policy", directories[i], n->name);
                if (path) /* where the service is not installed, berth's own actions count */
                        (void) file_read_all(AT_FDCWD, path, POLICY_SIZE_MAX, &n->actions, NULL);
        }
}

int shared_name_open(SharedName *n, sd_event *event, Error *reterr) {
        read_actions(n);
        int r = bus_connect_system(&n->bus, reterr);
        if (r < 0)
                return r;
        r = sd_bus_attach_event(n->bus, event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = sd_bus_set_exit_on_disconnect(n->bus, true);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &n->timer, CLOCK_MONOTONIC, USEC_INFINITY / 4,
                                               0, on_claim_again, n);
        if (r >= 0)
                r = sd_event_source_set_enabled(n->timer, SD_EVENT_OFF);
        return r < 0 ? error_set_errno(reterr, r, ERROR_BUS_FAILED, "Registering as '%s' failed",
                                       n->name)
                     : 0;
}

void shared_name_done(SharedName *n) {
        sd_event_source_disable_unref(n->timer);
        sd_bus_flush_close_unref(n->bus);
        free(n->actions);
        *n = (SharedName){ 0 };
}
