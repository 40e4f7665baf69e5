/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs that ask systemd to start berth@NAME.service, now or at boot. */
#include <stdio.h>

#include "basic/path.h"
#include "bus/bus.h"
#include "bus/manager1.h"
#include "bus/systemd1.h"
#include "cli/compile.h"
#include "cli/complain.h"
#include "cli/journal.h"
#include "cli/start-order.h"
#include "cli/verbs.h"

#define FAILURE_LOG_LINES 10U

static int check_systemd(const Invocation *v, Error *reterr) {
        if (verb_is_remote(v) || systemd_is_running())
                return 0;
        int r = error_set(reterr, -ENOTCONN, ERROR_NO_SYSTEMD,
                          "systemd is not running on this system: there are no units to start");
        error_hint(reterr, "'berth run NAME' works without systemd");
        return r;
}

static int service_name(const char *container, char **ret, Error *reterr) {
        int r = spec_check_name(container, reterr);
        if (r < 0)
                return r;
        *ret = systemd1_service_name(container);
        return *ret ? 0 : error_oom(reterr);
}

/* What the unit's processes had to say, right below the error that only tells how they ended. */
static void show_log(const char *unit, usec_t since_usec) {
        const JournalQuery q = { .unit = unit,
                                 .since_usec = since_usec,
                                 .lines = FAILURE_LOG_LINES };
        _cleanup_(strbuf_done) StrBuf b = { 0 };

        if (journal_format(&q, &b) > 0)
                fprintf(stderr, "\nThe log of '%s' says:\n%s", unit, b.text ? b.text + 1 : "");
}

/* 0, or an exit status after the failure was shown. */
static int run_one(const Invocation *v, sd_bus *bus, UnitAction action, const char *name) {
        const usec_t begin_usec = now_usec(CLOCK_REALTIME);
        _cleanup_free_ char *unit = NULL;
        Error e = ERROR_NULL;

        int r = service_name(name, &unit, &e);
        if (r >= 0)
                r = verb_is_remote(v) ? 0 : compile_check_unit(name, &e);
        if (r < 0)
                return complain(&e, EXIT_OF_VERB);
        r = systemd1_unit_run(bus, action, unit, &e);
        if (r >= 0)
                return 0;
        const bool has_log = e.id == ERROR_UNIT_FAILED && !verb_is_remote(v);
        int status = complain(&e, EXIT_OF_VERB);
        if (has_log && !v->options.quiet)
                show_log(unit, begin_usec);
        return status;
}

static int start_all(const Invocation *v, sd_bus *bus) {
        int status = 0;

        if (!verb_is_remote(v))
                start_order_update(bus, v->arguments);
        STRV_FOREACH(name, v->arguments)
                status = run_one(v, bus, UNIT_START, *name) ?: status;
        return status;
}

int verb_start(const Invocation *v, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;

        int r = check_systemd(v, reterr);
        if (r >= 0)
                r = verb_connect(v, &bus, reterr);
        return r < 0 ? r : start_all(v, bus);
}

/* One that was started another way is asked to reboot: it has no service to be started again. */
static int restart_one(const Invocation *v, sd_bus *bus, const char *name) {
        _cleanup_(container_info_done) ContainerInfo info = { 0 };
        _cleanup_free_ char *unit = NULL;
        Error e = ERROR_NULL;

        int r = service_name(name, &unit, &e);
        if (r >= 0)
                r = manager1_get(bus, name, &info, &e);
        if (r >= 0 && !streq_ptr(info.unit, unit))
                r = manager1_reboot(bus, name, &e);
        else if (r >= 0 || e.id == ERROR_NO_SUCH_CONTAINER) {
                error_done(&e);
                return run_one(v, bus, UNIT_RESTART, name);
        }
        return r < 0 ? complain(&e, EXIT_OF_VERB) : 0;
}

int verb_restart(const Invocation *v, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        int status = 0, r = check_systemd(v, reterr);

        if (r >= 0)
                r = verb_connect(v, &bus, reterr);
        if (r < 0)
                return r;
        if (!verb_is_remote(v))
                start_order_update(bus, v->arguments);
        STRV_FOREACH(name, v->arguments)
                status = restart_one(v, bus, *name) ?: status;
        return status;
}

static int stop_units(sd_bus *bus, char *const *units) {
        int status = 0;

        STRV_FOREACH(unit, units) {
                Error e = ERROR_NULL;
                if (systemd1_unit_run(bus, UNIT_STOP, *unit, &e) < 0)
                        status = complain(&e, EXIT_OF_VERB);
        }
        return status;
}

static int enable_or_disable(const Invocation *v, bool enable, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        _cleanup_strv_free_ char **units = NULL, **services = NULL;

        int r = check_systemd(v, reterr);
        STRV_FOREACH(name, v->arguments) {
                _cleanup_free_ char *unit = NULL;
                if (r >= 0)
                        r = service_name(*name, &unit, reterr);
                if (r >= 0 && enable && !verb_is_remote(v))
                        r = compile_check_unit(*name, reterr);
                if (r >= 0 && strv_extend(&services, unit) < 0)
                        r = error_oom(reterr);
        }
        /* the target that boots containers is not enabled everywhere */
        if (r >= 0 && enable && strv_extend(&units, "machines.target") < 0)
                r = error_oom(reterr);
        if (r >= 0 && strv_extend_strv(&units, services) < 0)
                r = error_oom(reterr);
        if (r >= 0)
                r = verb_connect(v, &bus, reterr);
        if (r >= 0)
                r = systemd1_unit_enable(bus, units, enable, reterr);
        if (r < 0 || !v->options.now)
                return r;
        return enable ? start_all(v, bus) : stop_units(bus, services);
}

int verb_enable(const Invocation *v, Error *reterr) {
        return enable_or_disable(v, true, reterr);
}

int verb_disable(const Invocation *v, Error *reterr) {
        return enable_or_disable(v, false, reterr);
}
