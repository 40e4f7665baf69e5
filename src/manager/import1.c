/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* import1: who has the name, as in machine1.c. */
#include "manager/import1.h"

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/log.h"
#include "basic/str.h"
#include "bus/bus.h"
#include "bus/names.h"
#include "manager/machine1.h"

#define CLAIM_AGAIN_USEC (5 * USEC_PER_SEC) /* importd may be restarting */
#define POLICY_SIZE_MAX (256U << 10)
#define IMPORTD_UNIT "systemd-importd.service"
#define IMPORTD_UNIT_PATH "/org/freedesktop/systemd1/unit/systemd_2dimportd_2eservice"

static const char *const policy_paths[] = {
        "/usr/share/polkit-1/actions/org.freedesktop.import1.policy",
        "/usr/local/share/polkit-1/actions/org.freedesktop.import1.policy",
};

/* ---- the name ---- */

static int on_name(sd_bus_message *reply, void *userdata, sd_bus_error *reterr_error) {
        Import1 *i1 = userdata;
        uint32_t result = 0;
        if (sd_bus_message_is_method_error(reply, NULL)) {
                log_notice(
                        "The bus does not let berthd answer as '%s': is its bus policy installed?",
                        IMPORT1_BUS_NAME);
                return 0;
        }
        if (sd_bus_message_read(reply, "u", &result) >= 0) /* …_PRIMARY_OWNER, …_ALREADY_OWNER */
                i1->is_owner = IN_SET(result, 1U, 4U);
        return 0;
}

static int claim(Import1 *i1) {
        return sd_bus_request_name_async(i1->bus, NULL, IMPORT1_BUS_NAME, 0, on_name, i1);
}

static int on_claim_again(sd_event_source *s, uint64_t usec, void *userdata) {
        Import1 *i1 = userdata;
        if (!i1->is_owner)
                (void) claim(i1); /* or not at all */
        return 0;
}

static void claim_later(Import1 *i1) {
        i1->is_owner = false;
        (void) sd_event_source_set_time_relative(i1->timer,
                                                 CLAIM_AGAIN_USEC); /* only fails for none */
        (void) sd_event_source_set_enabled(i1->timer, SD_EVENT_ONESHOT);
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Import1 *i1 = userdata;
        const char *name, *new_owner, *self;
        if (sd_bus_message_read(m, "sss", &name, NULL, &new_owner) < 0 ||
            !streq(name, IMPORT1_BUS_NAME) || sd_bus_get_unique_name(i1->bus, &self) < 0)
                return 0;
        if (isempty(new_owner))
                claim_later(i1);
        else
                i1->is_owner = streq(new_owner, self);
        if (!isempty(new_owner))
                i1->gave_way = false;
        return 0;
}

void import1_release(Import1 *i1) {
        if (!i1 || !i1->is_owner)
                return;
        claim_later(i1);
        (void) sd_bus_release_name_async(i1->bus, NULL, IMPORT1_BUS_NAME, NULL, NULL);
}

/* Somebody wants systemd-importd to run, and it ends without its name. It may have asked for it before it was released: then it has
 * ended already, and is started once more. */
static int on_importd_changed(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Import1 *i1 = userdata;
        const char *state = machine1_read_active_state(m);
        if (!state)
                return 0;
        if (i1->is_owner && (streq(state, "activating") || streq(state, "active"))) {
                log_info("systemd-importd is started, '%s' is left to it", IMPORT1_BUS_NAME);
                import1_release(i1);
                i1->gave_way = true;
        } else if (!i1->is_owner && i1->gave_way &&
                   (streq(state, "inactive") || streq(state, "failed"))) {
                i1->gave_way = false;
                return sd_bus_call_method_async(i1->bus, NULL, SYSTEMD1_BUS_NAME, SYSTEMD1_PATH,
                                                SYSTEMD1_MANAGER_INTERFACE, "StartUnit", NULL, NULL,
                                                "ss", IMPORTD_UNIT, "replace");
        }
        return 0;
}

static int watch(Import1 *i1) {
        static const char of_the_name[] =
                "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                "interface='org.freedesktop.DBus',member='NameOwnerChanged',"
                "arg0='" IMPORT1_BUS_NAME "'";
        int r = sd_bus_add_match_async(i1->bus, NULL, of_the_name, on_owner_changed, NULL, i1);
        if (r >= 0)
                r = sd_bus_match_signal_async(i1->bus, NULL, SYSTEMD1_BUS_NAME, IMPORTD_UNIT_PATH,
                                              "org.freedesktop.DBus.Properties",
                                              "PropertiesChanged", on_importd_changed, NULL, i1);
        if (r >= 0) /* else systemd sends no signals of units; there may be no systemd */
                r = sd_bus_call_method_async(i1->bus, NULL, SYSTEMD1_BUS_NAME, SYSTEMD1_PATH,
                                             SYSTEMD1_MANAGER_INTERFACE, "Subscribe", NULL, NULL,
                                             NULL);
        if (r >= 0)
                r = sd_event_add_time_relative(i1->manager->event, &i1->timer, CLOCK_MONOTONIC,
                                               USEC_INFINITY / 4, 0, on_claim_again, i1);
        return r < 0 ? r : sd_event_source_set_enabled(i1->timer, SD_EVENT_OFF);
}

/* ---- life ---- */

Import1 *import1_free(Import1 *i1) {
        if (!i1)
                return NULL;
        while (i1->transfers)
                import1_transfer_free(i1->transfers);
        sd_event_source_disable_unref(i1->timer);
        sd_bus_flush_close_unref(i1->bus);
        free(i1->actions);
        free(i1);
        return NULL;
}

int import1_new(Manager *m, Import1 **ret, Error *reterr) {
        _cleanup_(import1_freep) Import1 *i1 = new0(Import1, 1);
        if (!i1)
                return error_oom(reterr);
        i1->manager = m;
        for (size_t i = 0; i < ELEMENTSOF(policy_paths) && !i1->actions; i++)
                (void) file_read_all(AT_FDCWD, policy_paths[i], POLICY_SIZE_MAX, &i1->actions,
                                     NULL); /* where importd is not installed, ours count */
        int r = bus_connect_system(&i1->bus, reterr);
        if (r < 0)
                return r;
        r = sd_bus_attach_event(i1->bus, m->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = sd_bus_set_exit_on_disconnect(i1->bus, true);
        if (r >= 0)
                r = import1_publish(i1);
        if (r >= 0)
                r = watch(i1);
        if (r >= 0)
                r = claim(i1);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_BUS_FAILED, "Registering as '%s' failed",
                                       IMPORT1_BUS_NAME);
        *ret = TAKE_PTR(i1);
        return 0;
}
