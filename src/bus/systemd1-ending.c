/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Properties of a service → words. */
#include "bus/systemd1-ending.h"

#include <signal.h>

#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "bus/bus.h"
#include "bus/names.h"
#include "bus/systemd1.h"

#define UNIT_INTERFACE "org.freedesktop.systemd1.Unit"
#define SERVICE_INTERFACE "org.freedesktop.systemd1.Service"

void unit_ending_done(UnitEnding *e) {
        free(e->active_state);
        free(e->result);
        free(e->status_text);
        *e = (UnitEnding){ 0 };
}

int systemd1_get_ending(sd_bus *bus, const char *unit, UnitEnding *ret, Error *reterr) {
        _cleanup_(unit_ending_done) UnitEnding e = { 0 };
        _cleanup_free_ char *path = NULL;

        if (sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit, &path) < 0)
                return error_oom(reterr);
        int r = systemd1_unit_get_string(bus, unit, UNIT_INTERFACE, "ActiveState", &e.active_state,
                                         reterr);
        if (r >= 0)
                r = systemd1_unit_get_string(bus, unit, SERVICE_INTERFACE, "Result", &e.result,
                                             reterr);
        if (r < 0)
                return r;
        /* these only add to the description */
        (void) systemd1_unit_get_string(bus, unit, SERVICE_INTERFACE, "StatusText", &e.status_text,
                                        NULL);
        (void) sd_bus_get_property_trivial(bus, SYSTEMD1_BUS_NAME, path, SERVICE_INTERFACE,
                                           "ExecMainCode", NULL, 'i', &e.code);
        (void) sd_bus_get_property_trivial(bus, SYSTEMD1_BUS_NAME, path, SERVICE_INTERFACE,
                                           "ExecMainStatus", NULL, 'i', &e.status);
        (void) sd_bus_get_property_trivial(bus, SYSTEMD1_BUS_NAME, path, SERVICE_INTERFACE,
                                           "ExecMainExitTimestamp", NULL, 't', &e.ended_usec);
        *ret = e;
        e = (UnitEnding){ 0 };
        return 0;
}

/* systemd's results that say more than how the process has ended. */
static const struct {
        const char *result, *words;
} results[] = {
        { "timeout", "took too long to start or to stop" },
        { "watchdog", "did not give a sign of life in time" },
        { "start-limit-hit", "was started too often" },
        { "resources", "resources were lacking" },
        { "protocol", "did not say that it is ready" },
        { "oom-kill", "out of memory" },
};

char *unit_ending_to_string(const UnitEnding *e) {
        const char *words = NULL;
        char name[16];

        if (isempty(e->result) || streq(e->result, "success"))
                return NULL;
        for (size_t i = 0; i < ELEMENTSOF(results); i++)
                if (streq(results[i].result, e->result))
                        words = results[i].words;
        const char *before = words ? " (" : "", *behind = words ? ")" : "";
        if (e->code == CLD_EXITED && e->status != 0)
                return strf("exited with status %d%s%s%s", e->status, before, strempty(words),
                            behind);
        if (IN_SET(e->code, CLD_KILLED, CLD_DUMPED))
                return strf("killed by signal %s%s%s%s", signal_to_string(e->status, name), before,
                            strempty(words), behind);
        return strdup(words ?: e->result);
}

static int read_names(sd_bus_message *m, char ***names) {
        int r = sd_bus_message_enter_container(m, 'a', "(ssssssouso)");

        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'r', "ssssssouso")) > 0) {
                const char *name;
                r = sd_bus_message_read(m, "s", &name);
                if (r >= 0)
                        r = strv_extend(names, name);
                if (r >= 0)
                        r = sd_bus_message_skip(m, "sssssouso");
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r;
}

int systemd1_list_units(sd_bus *bus, char *const *states, char *const *patterns, char ***ret,
                        Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        _cleanup_strv_free_ char **names = NULL;

        int r = sd_bus_message_new_method_call(bus, &m, SYSTEMD1_BUS_NAME, SYSTEMD1_PATH,
                                               SYSTEMD1_MANAGER_INTERFACE, "ListUnitsByPatterns");
        if (r >= 0)
                r = sd_bus_message_append_strv(m, (char **) states);
        if (r >= 0)
                r = sd_bus_message_append_strv(m, (char **) patterns);
        if (r < 0)
                return error_oom(reterr);
        r = sd_bus_call(bus, m, 0, &e, &reply);
        if (r >= 0)
                r = read_names(reply, &names);
        if (r < 0)
                return bus_error_to_error(&e, r, reterr, "Asking systemd for its units failed");
        *ret = TAKE_PTR(names);
        return 0;
}
