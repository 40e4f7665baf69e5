/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs that tell berthd to do something with containers that run. */
#include <signal.h>

#include "bus/bus.h"
#include "bus/manager1.h"
#include "cli/complain.h"
#include "cli/stop.h"
#include "cli/verbs.h"

int verb_connect(const Invocation *v, sd_bus **ret, Error *reterr) {
        int r = v->options.host      ? bus_connect_remote(v->options.host, ret, reterr)
                : v->options.machine ? bus_connect_container(v->options.machine, ret, reterr)
                                     : bus_connect_system(ret, reterr);
        return r < 0 ? r : bus_set_questions(*ret, !v->options.no_ask_password, reterr);
}

bool verb_is_remote(const Invocation *v) {
        return v->options.host || v->options.machine;
}

int verb_refuse_remote(const Invocation *v, const char *why, Error *reterr) {
        if (!verb_is_remote(v))
                return 0;
        int r = error_set(reterr, -EOPNOTSUPP, ERROR_USAGE, "This cannot be done with '%s': %s",
                          v->options.host ? "--host" : "--machine", why);
        if (v->options.host)
                error_hint(reterr, "use 'ssh %s berth …'", v->options.host);
        else
                error_hint(reterr, "use 'berth exec %s berth …'", v->options.machine);
        return r;
}

/* ---- doing something with each named container ---- */

typedef int (*Action)(sd_bus *bus, const char *name, const VerbOptions *o, Error *reterr);

static int for_each(const Invocation *v, Action action, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        int status = 0;

        int r = verb_connect(v, &bus, reterr);
        if (r < 0)
                return r;
        STRV_FOREACH(name, v->arguments) {
                Error e = ERROR_NULL;
                if (action(bus, *name, &v->options, &e) < 0)
                        status = complain(&e, EXIT_OF_VERB);
        }
        return status;
}

static int action_terminate(sd_bus *bus, const char *name, const VerbOptions *o, Error *reterr) {
        return manager1_terminate(bus, name, reterr);
}

static int action_reboot(sd_bus *bus, const char *name, const VerbOptions *o, Error *reterr) {
        return manager1_reboot(bus, name, reterr);
}

static int action_pause(sd_bus *bus, const char *name, const VerbOptions *o, Error *reterr) {
        return manager1_pause(bus, name, reterr);
}

static int action_resume(sd_bus *bus, const char *name, const VerbOptions *o, Error *reterr) {
        return manager1_resume(bus, name, reterr);
}

static int action_kill(sd_bus *bus, const char *name, const VerbOptions *o, Error *reterr) {
        return manager1_kill(bus, name, o->whom ?: "all", o->signal ?: SIGTERM, reterr);
}

int verb_stop(const Invocation *v, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        int r = verb_connect(v, &bus, reterr);
        return r < 0 ? r
                     : stop_containers(bus, v->arguments, v->options.timeout_usec, v->options.quiet,
                                       reterr);
}

int verb_terminate(const Invocation *v, Error *reterr) {
        return for_each(v, action_terminate, reterr);
}

int verb_reboot(const Invocation *v, Error *reterr) {
        return for_each(v, action_reboot, reterr);
}

int verb_pause(const Invocation *v, Error *reterr) {
        return for_each(v, action_pause, reterr);
}

int verb_resume(const Invocation *v, Error *reterr) {
        return for_each(v, action_resume, reterr);
}

int verb_kill(const Invocation *v, Error *reterr) {
        return for_each(v, action_kill, reterr);
}
