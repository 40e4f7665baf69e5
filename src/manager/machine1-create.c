/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine1: the scope of a machine that another program has berthd create: StartTransientUnit, and its job's end. */
#include <fnmatch.h>

#include "basic/alloc.h"
#include "basic/log.h"
#include "bus/bus.h"
#include "bus/names.h"
#include "bus/systemd1.h"
#include "manager/machine1.h"

#define SCOPE_TIMEOUT_USEC (30 * USEC_PER_SEC)
#define PROPERTIES_MAX 128U

struct Machine1Creation {
        Container *container;
        sd_bus_message *call; /* NULL: answered */
        char *unit, *job, *early_job, *early_result;
        sd_bus_slot *match, *start;
        sd_event_source *timer;
};

/* What a caller may set of the scope: its resources and how it is stopped, not what is in it. */
static const char *const allowed_properties[] = {
        "Description",
        "Slice",
        "Controller",
        "CollectMode",
        "Delegate*",
        "CPU*",
        "Memory*",
        "DefaultMemory*",
        "IO*",
        "BlockIO*",
        "Startup*",
        "Tasks*",
        "Device*",
        "IP*",
        "Allowed*",
        "ManagedOOM*",
        "OOMPolicy",
        "Kill*",
        "SendSIG*",
        "FinalKillSignal",
        "TimeoutStopUSec",
        "RuntimeMax*",
        "DisableControllers",
        "CoredumpReceive",
        "SocketBind*",
        "After",
        "Before",
        "Wants",
        "Restrict*",
};

static void answer_error(Machine1Creation *k, const Error *e) {
        _cleanup_(sd_bus_error_free) sd_bus_error b = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = TAKE_PTR(k->call);
        if (!call)
                return;
        (void) bus_error_from_error_for(call, &b, e);
        (void) sd_bus_reply_method_error(call, &b); /* the caller may be gone */
}

void machine1_creation_free(Machine1Creation *k) {
        _cleanup_error_ Error e = ERROR_NULL;
        if (!k)
                return;
        (void) error_set(&e, -ESRCH, ERROR_FAILED, "Machine '%s' has ended", k->container->name);
        answer_error(k, &e);
        manager_call_end(k->container->manager);
        sd_bus_slot_unref(k->match);
        sd_bus_slot_unref(k->start);
        sd_event_source_disable_unref(k->timer);
        free(k->unit);
        free(k->job);
        free(k->early_job);
        free(k->early_result);
        free(k);
}

static void fail(Machine1Creation *k, const Error *e) {
        answer_error(k, e);
        container_free(k->container); /* and k */
}

static void succeed(Machine1Creation *k) {
        Container *c = k->container;
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ char *path = NULL;
        if (foreign_begin(c, k->unit) < 0 || machine1_path(c->name, &path) < 0) {
                (void) error_set(&e, -ENXIO, ERROR_UNIT_FAILED, "Process %d is not in scope '%s'",
                                 (int) c->leader.pid, k->unit);
                fail(k, &e);
                return;
        }
        (void) sd_bus_reply_method_return(k->call, "o", path); /* the caller may be gone */
        k->call = sd_bus_message_unref(k->call);
        c->foreign->creation = NULL;
        machine1_creation_free(k);
}

static void job_ended(Machine1Creation *k, const char *result) {
        _cleanup_error_ Error e = ERROR_NULL;
        if (streq(result, "done")) {
                succeed(k);
                return;
        }
        (void) error_set(&e, -EIO, ERROR_UNIT_FAILED,
                         "systemd could not make scope '%s' (job result: %s)", k->unit, result);
        fail(k, &e);
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Machine1Creation *k = userdata;
        const char *job, *unit, *result;
        if (sd_bus_message_read(m, "uoss", NULL, &job, &unit, &result) < 0 || !streq(unit, k->unit))
                return 0;
        if (!k->job) { /* the answer that names it comes later */
                (void) free_and_strdup(&k->early_job, job);
                (void) free_and_strdup(&k->early_result, result);
        } else if (streq(job, k->job))
                job_ended(k, result);
        return 0;
}

static int on_started(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Machine1Creation *k = userdata;
        _cleanup_error_ Error e = ERROR_NULL;
        const char *job;
        if (sd_bus_message_is_method_error(m, NULL)) {
                (void) bus_error_to_error(sd_bus_message_get_error(m), -EIO, &e,
                                          "systemd refused to make the scope");
                fail(k, &e);
                return 1;
        }
        if (sd_bus_message_read(m, "o", &job) < 0 || free_and_strdup(&k->job, job) < 0)
                return 1; /* the timer ends it */
        if (k->early_job && k->early_result && streq(k->early_job, k->job))
                job_ended(k, k->early_result);
        return 1;
}

static int on_timeout(sd_event_source *s, uint64_t usec, void *userdata) {
        Machine1Creation *k = userdata;
        _cleanup_error_ Error e = ERROR_NULL;
        (void) error_set(&e, -ETIMEDOUT, ERROR_TIMEOUT, "systemd did not make scope '%s' in time",
                         k->unit);
        fail(k, &e);
        return 0;
}

/* ---- the request ---- */

static bool is_allowed(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(allowed_properties); i++)
                if (fnmatch(allowed_properties[i], name, 0) == 0)
                        return true;
        return false;
}

/* The caller's properties, as they are. */
static int copy_properties(sd_bus_message *call, sd_bus_message *m, Error *reterr) {
        const char *name;
        unsigned n = 0;
        int r = sd_bus_message_enter_container(call, 'a', "(sv)");
        while (r >= 0) {
                r = sd_bus_message_enter_container(call, 'r', "sv");
                if (r <= 0)
                        break;
                r = sd_bus_message_read(call, "s", &name);
                if (r >= 0 && !is_allowed(name)) {
                        _cleanup_free_ char *shown = str_escape_for_display(name);
                        return error_set(reterr, -EPERM, ERROR_INVALID_SETTING,
                                         "Property '%.80s' cannot be set here", strempty(shown));
                }
                if (r >= 0 && ++n > PROPERTIES_MAX)
                        return error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED,
                                         "More than %u properties", PROPERTIES_MAX);
                if (r >= 0)
                        r = sd_bus_message_open_container(m, 'r', "sv");
                if (r >= 0)
                        r = sd_bus_message_append(m, "s", name);
                if (r >= 0)
                        r = sd_bus_message_copy(m, call, false);
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
                if (r >= 0)
                        r = sd_bus_message_exit_container(call);
        }
        return r < 0 ? error_set_errno(reterr, r, ERROR_PROTOCOL, "The call cannot be read") : 0;
}

static int request_new(Machine1Creation *k, sd_bus_message *call, sd_bus_message **ret,
                       Error *reterr) {
        const Container *c = k->container;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_free_ char *description = strf("Machine %s", c->name);
        int r = sd_bus_message_new_method_call(c->manager->bus, &m, SYSTEMD1_BUS_NAME,
                                               SYSTEMD1_PATH, SYSTEMD1_MANAGER_INTERFACE,
                                               "StartTransientUnit");
        if (r >= 0)
                r = sd_bus_message_append(m, "ss", k->unit, "fail");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(sv)");
        if (r >= 0)
                r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)(sv)(sv)", "Description", "s",
                                          strempty(description), "Slice", "s", "machine.slice",
                                          "PIDs", "au", 1, (uint32_t) c->leader.pid, "Delegate",
                                          "b", true, "CollectMode", "s", "inactive-or-failed",
                                          "TasksMax", "t", (uint64_t) 16384);
        if (r >= 0) {
                r = copy_properties(call, m, reterr);
                if (r < 0)
                        return r;
                r = sd_bus_message_close_container(m);
        }
        if (r >= 0)
                r = sd_bus_message_append(m, "a(sa(sv))", 0);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_BUS_FAILED,
                                       "Writing the request for scope '%s' failed", k->unit);
        *ret = TAKE_PTR(m);
        return 0;
}

int machine1_create_scope(Container *c, sd_bus_message *call, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        sd_bus *bus = c->manager->bus;
        int r = manager_call_begin(c->manager, reterr);
        if (r < 0)
                return r;
        Machine1Creation *k = new0(Machine1Creation, 1);
        if (!k) {
                manager_call_end(c->manager);
                return error_oom(reterr);
        }
        c->foreign->creation = k; /* freed with it */
        k->container = c;
        k->unit = systemd1_scope_name(c->name);
        if (!k->unit)
                return error_oom(reterr);
        r = request_new(k, call, &m, reterr);
        if (r < 0)
                return r;
        r = sd_bus_match_signal_async(bus, &k->match, SYSTEMD1_BUS_NAME, SYSTEMD1_PATH,
                                      SYSTEMD1_MANAGER_INTERFACE, "JobRemoved", on_job_removed,
                                      NULL, k);
        if (r >= 0)
                r = sd_bus_call_async(bus, &k->start, m, on_started, k, SCOPE_TIMEOUT_USEC);
        if (r >= 0)
                r = sd_event_add_time_relative(c->manager->event, &k->timer, CLOCK_MONOTONIC,
                                               SCOPE_TIMEOUT_USEC, 0, on_timeout, k);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_BUS_FAILED,
                                       "Asking systemd for scope '%s' failed", k->unit);
        k->call = sd_bus_message_ref(call);
        return 0;
}
