/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `berth stop`: all that are named at once, and on a terminal, after a moment, what is waited for. */
#include "cli/stop.h"

#include <stdio.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/strv.h"
#include "bus/manager1.h"
#include "bus/systemd1.h"
#include "cli/complain.h"
#include "spec/spec.h"

#define TELL_FIRST_USEC (3 * USEC_PER_SEC)
#define TELL_AGAIN_USEC (15 * USEC_PER_SEC)

typedef struct Stop {
        const char *name;
        bool ended;
        bool unknown; /* berthd knows of none, and its unit is to be looked at */
        int *status;
        StopCall call;
} Stop;

static void on_ended(Error *e, void *userdata) {
        Stop *s = userdata;
        s->ended = true;
        s->unknown = e && e->id == ERROR_NO_SUCH_CONTAINER;
        if (e && !s->unknown)
                *s->status = complain(e, EXIT_OF_VERB);
}

/* "Waiting for 'web' (Stopped target Basic System); 'berth terminate web' ends it at once" */
static void tell(sd_bus *bus, const Stop *stops, size_t n) {
        for (size_t i = 0; i < n; i++) {
                _cleanup_(container_info_done) ContainerInfo info = { 0 };
                _cleanup_error_ Error e = ERROR_NULL;
                if (stops[i].ended || manager1_get(bus, stops[i].name, &info, &e) < 0)
                        continue;
                (void) fprintf(stderr,
                               "Waiting for '%s'%s%s%s; 'berth terminate %s' ends it at once\n",
                               stops[i].name, isempty(info.status_text) ? "" : " (",
                               strempty(info.status_text), isempty(info.status_text) ? "" : ")",
                               stops[i].name);
        }
}

static bool all_ended(const Stop *stops, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (!stops[i].ended)
                        return false;
        return true;
}

/* It waits for its turn or for the end of StartDelaySec=: then its unit is all that there is of it. */
static int stop_unstarted(sd_bus *bus, const char *name, Error *reterr) {
        _cleanup_free_ char *unit = systemd1_service_name(name);

        if (!unit)
                return error_oom(reterr);
        if (systemd1_unit_is_busy(bus, unit))
                return systemd1_unit_run(bus, UNIT_STOP, unit, reterr);
        int r = error_set(reterr, -ENXIO, ERROR_NO_SUCH_CONTAINER,
                          "No container named '%s' is running", name);
        error_hint(reterr, "'berth list' shows those that are");
        return r;
}

/* Those that berthd does not know: told at once, or stopped by their units. */
static void deal_with_unknown(sd_bus *bus, Stop *stops, size_t n) {
        for (size_t i = 0; i < n; i++) {
                _cleanup_error_ Error e = ERROR_NULL;
                if (!stops[i].unknown)
                        continue;
                stops[i].unknown = false;
                if (stop_unstarted(bus, stops[i].name, &e) < 0)
                        *stops[i].status = complain(&e, EXIT_OF_VERB);
        }
}

static int wait_for_all(sd_bus *bus, Stop *stops, size_t n, bool talk, Error *reterr) {
        usec_t next = usec_add(now_usec(CLOCK_MONOTONIC), TELL_FIRST_USEC);
        while (!all_ended(stops, n)) {
                int r = sd_bus_process(bus, NULL);
                deal_with_unknown(bus, stops, n);
                if (r > 0)
                        continue;
                const usec_t now = now_usec(CLOCK_MONOTONIC);
                if (r >= 0 && talk && now >= next) {
                        tell(bus, stops, n);
                        next = usec_add(now, TELL_AGAIN_USEC);
                        continue; /* what came meanwhile is to be processed */
                }
                if (r >= 0)
                        r = sd_bus_wait(bus, talk ? next - now : UINT64_MAX);
                if (r < 0 && r != -EINTR)
                        return error_set_errno(reterr, r, ERROR_BUS_FAILED,
                                               "The connection to the bus has ended");
        }
        return 0;
}

/* One that others require is left to systemd, which stops those first. 1: it was. */
static int stop_with_dependents(sd_bus *bus, const char *name, bool quiet, Error *reterr) {
        _cleanup_free_ char *unit = systemd1_service_name(name), *shown = NULL;
        _cleanup_strv_free_ char **dependents = NULL;

        if (!unit)
                return error_oom(reterr);
        if (systemd1_unit_list_dependents(bus, unit, &dependents) < 0 || strv_isempty(dependents))
                return 0; /* also without systemd */
        shown = strv_join(dependents, "', '");
        if (!quiet)
                (void) fprintf(stderr, "Stopping '%s' first, which requires '%s'\n",
                               strempty(shown), name);
        int r = systemd1_unit_run(bus, UNIT_STOP, unit, reterr);
        return r < 0 ? r : 1;
}

static int begin(sd_bus *bus, Stop *s, usec_t timeout_usec, bool quiet, Error *reterr) {
        int r = spec_check_name(s->name, reterr);
        if (r >= 0)
                r = stop_with_dependents(bus, s->name, quiet, reterr);
        s->ended = r > 0;
        return r != 0 ? r : manager1_stop_begin(bus, s->name, timeout_usec, &s->call, reterr);
}

int stop_containers(sd_bus *bus, char *const *names, usec_t timeout_usec, bool quiet,
                    Error *reterr) {
        const size_t n = strv_length(names);
        _cleanup_free_ Stop *stops = new0(Stop, n);
        int status = 0, r = 0;
        if (!stops)
                return error_oom(reterr);
        for (size_t i = 0; i < n; i++) {
                _cleanup_error_ Error e = ERROR_NULL;
                stops[i] = (Stop){ .name = names[i],
                                   .status = &status,
                                   .call = { .done = on_ended, .userdata = stops + i } };
                if (begin(bus, stops + i, timeout_usec, quiet, &e) < 0)
                        on_ended(&e, stops + i);
        }
        r = wait_for_all(bus, stops, n, !quiet && isatty(STDERR_FILENO), reterr);
        if (r >= 0)
                deal_with_unknown(bus, stops, n);
        for (size_t i = 0; i < n; i++)
                sd_bus_slot_unref(stops[i].call.slot);
        return r < 0 ? r : status;
}
