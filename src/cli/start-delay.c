/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls: clock_nanosleep. Asked of systemd: NRestarts, TimeoutStartUSec. */
#include "cli/start-delay.h"

#include <stdlib.h>
#include <time.h>

#include "basic/format.h"
#include "basic/str.h"
#include "bus/bus.h"
#include "bus/names.h"
#include "bus/systemd1.h"
#include "ipc/notify.h"

#define START_TIMEOUT_USEC (2 * USEC_PER_MINUTE) /* as berth@.service has it, if nobody says */

static void ask(const char *name, uint32_t *ret_restarts, usec_t *ret_timeout_usec) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        _cleanup_free_ char *unit = systemd1_service_name(name), *path = NULL;
        const char *interface = "org.freedesktop.systemd1.Service";

        *ret_restarts = 0;
        *ret_timeout_usec = START_TIMEOUT_USEC;
        if (!unit || sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit, &path) < 0 ||
            bus_connect_system(&bus, NULL) < 0)
                return;
        /* best effort: it may be another unit that runs us, or no bus yet */
        (void) sd_bus_get_property_trivial(bus, SYSTEMD1_BUS_NAME, path, interface, "NRestarts",
                                           NULL, 'u', ret_restarts);
        (void) sd_bus_get_property_trivial(bus, SYSTEMD1_BUS_NAME, path, interface,
                                           "TimeoutStartUSec", NULL, 't', ret_timeout_usec);
}

static void tell(usec_t delay_usec, usec_t timeout_usec) {
        _cleanup_free_ char *span = format_timespan(delay_usec, USEC_PER_SEC);
        _cleanup_free_ char *text = strf(
                "STATUS=Waiting %s before the start (StartDelaySec=)\nEXTEND_TIMEOUT_USEC=%llu",
                strempty(span), (unsigned long long) usec_add(delay_usec, timeout_usec));
        if (text)
                (void) notify_send(text); /* only with a service manager that listens */
}

void start_delay(const ContainerSpec *spec) {
        uint32_t restarts;
        usec_t timeout_usec;

        if (spec->start_delay_usec == 0)
                return;
        ask(spec->name, &restarts, &timeout_usec);
        if (restarts > 0)
                return;
        tell(spec->start_delay_usec, timeout_usec);
        const usec_t end = usec_add(now_usec(CLOCK_MONOTONIC), spec->start_delay_usec);
        const struct timespec t = { .tv_sec = (time_t) (end / USEC_PER_SEC),
                                    .tv_nsec = (long) (end % USEC_PER_SEC) * 1000 };
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
                ;
}
