/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SetProperties: limits of a container that runs, changed by systemd in its unit. All of the changes or none: each is checked before
 * systemd is asked once, and systemd checks all before it applies one.
 *
 * A service outlives its container, and what is set at run time with it: so its record is written first, and the next start takes
 * back what the settings do not say. */
#include "basic/alloc.h"
#include "basic/strv.h"
#include "bus/bus.h"
#include "bus/names.h"
#include "bus/systemd1.h"
#include "bus/unit-change.h"
#include "manager/container.h"
#include "spec/spec-text.h"

typedef struct LimitCall {
        Manager *manager;
        sd_bus_message *call;
        char *unit;
} LimitCall;

static void limit_call_free(LimitCall *l) {
        manager_call_end(l->manager);
        sd_bus_message_unref(l->call);
        free(l->unit);
        free(l);
}

static int on_set(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        LimitCall *l = userdata;
        if (!sd_bus_message_is_method_error(m, NULL))
                (void) sd_bus_reply_method_return(l->call, NULL); /* the caller may be gone */
        else {
                _cleanup_error_ Error e = ERROR_NULL;
                _cleanup_(sd_bus_error_free) sd_bus_error b = SD_BUS_ERROR_NULL;
                _cleanup_free_ char *what = strf("Changing limits of '%s' failed", l->unit);
                (void) bus_error_to_error(sd_bus_message_get_error(m), -EIO, &e, strempty(what));
                (void) bus_error_from_error_for(l->call, &b, &e);
                (void) sd_bus_reply_method_error(l->call, &b);
        }
        limit_call_free(l);
        return 1;
}

/* "KEY" alone is parsed as "KEY=": 1. */
static int parse_change(const char *text, UnitChange *ret, Error *reterr) {
        const bool original = !isempty(text) && !strchr(text, '=');
        _cleanup_free_ char *reset = original ? strjoin(text, "=") : NULL;
        if (original && !reset)
                return error_oom(reterr);
        int r = unit_change_parse(original ? reset : text, ret, reterr);
        return r < 0 ? r : original;
}

/* Back to the default, and from there to what the container was started with. */
static int append_original(sd_bus_message *m, const UnitChange *reset, char *const *properties,
                           Error *reterr) {
        const char *last = NULL;
        STRV_FOREACH(p, properties)
                if (startswith(*p, reset->property))
                        last = *p;
        int r = !last || reset->list ? unit_change_append(reset, m, reterr) : 0;
        STRV_FOREACH(p, properties)
                if (r >= 0 && startswith(*p, reset->property) && (reset->list || *p == last))
                        r = systemd1_append_property(m, *p, reterr);
        return r;
}

static int append_changes(sd_bus_message *m, char *const *changes, char *const *properties,
                          const char *record, Error *reterr) {
        STRV_FOREACH(text, changes) {
                _cleanup_(unit_change_done) UnitChange c = { 0 };
                int r = parse_change(*text, &c, reterr);
                if (r >= 0)
                        r = r > 0 ? append_original(m, &c, properties, reterr)
                                  : unit_change_append(&c, m, reterr);
                if (r < 0)
                        return r;
                r = record ? unit_record_add(record, c.name) : 0;
                if (r < 0)
                        return error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                                               "'%s' cannot be written", record);
        }
        return 0;
}

static int request_new(Manager *m, const Container *c, char *const *changes, sd_bus_message **ret,
                       Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *request = NULL;
        _cleanup_(spec_freep) ContainerSpec *spec = NULL;
        _cleanup_free_ char *record = NULL;
        const char *unit = c->unit;
        /* a machine of others has none */
        int r = c->spec_text ? spec_text_parse(c->spec_text, &spec, reterr) : 0;
        if (r < 0)
                return r;
        /* a scope ends with its container */
        if (endswith(unit, ".service") && !(record = unit_record_path(unit)))
                return error_oom(reterr);
        r = sd_bus_message_new_method_call(m->bus, &request, SYSTEMD1_BUS_NAME, SYSTEMD1_PATH,
                                           SYSTEMD1_MANAGER_INTERFACE, "SetUnitProperties");
        if (r >= 0)
                r = sd_bus_message_append(request, "sb", unit, /* runtime= */ true);
        if (r >= 0)
                r = sd_bus_message_open_container(request, 'a', "(sv)");
        if (r < 0)
                return error_oom(reterr);
        r = append_changes(request, changes, spec ? spec->resources.properties : NULL, record,
                           reterr);
        if (r < 0)
                return r;
        if (sd_bus_message_close_container(request) < 0)
                return error_oom(reterr);
        *ret = TAKE_PTR(request);
        return 0;
}

static int check_changes(char *const *changes, Error *reterr) {
        if (strv_isempty(changes))
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                 "Nothing is to be changed");
        if (strv_length(changes) > UNIT_CHANGES_MAX)
                return error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED,
                                 "More than %u changes are in one call", UNIT_CHANGES_MAX);
        STRV_FOREACH(text, changes) {
                _cleanup_(unit_change_done) UnitChange c = { 0 };
                int r = parse_change(*text, &c, reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}

int body_set_properties(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *request = NULL;
        _cleanup_strv_free_ char **changes = NULL;
        int r = sd_bus_message_read_strv(call, &changes);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_PROTOCOL,
                                       "The arguments of the call cannot be read");
        r = check_changes(changes, reterr);
        if (r < 0)
                return r;
        const Container *c = container_find(m, container, reterr);
        if (!c)
                return -ENXIO;
        if (isempty(c->unit))
                return error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                                 "Container '%s' is in no unit of systemd, which could have limits",
                                 c->name);
        r = request_new(m, c, changes, &request, reterr);
        if (r >= 0)
                r = manager_call_begin(m, reterr);
        if (r < 0)
                return r;
        LimitCall *l = new0(LimitCall, 1);
        if (!l || free_and_strdup(&l->unit, c->unit) < 0) {
                free(l);
                manager_call_end(m);
                return error_oom(reterr);
        }
        l->manager = m;
        l->call = sd_bus_message_ref(call);
        r = sd_bus_call_async(m->bus, NULL, request, on_set, l, 0);
        if (r < 0) {
                limit_call_free(l);
                return error_set_errno(reterr, r, ERROR_BUS_FAILED,
                                       "Changing limits of '%s' failed", c->unit);
        }
        return 0;
}
