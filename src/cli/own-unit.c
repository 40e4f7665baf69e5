/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Resource settings of a container that lives in the caller's unit. What was applied is remembered in the unit's record, so that the
 * next start can take it back. */
#include "cli/own-unit.h"

#include "basic/strv.h"
#include "bus/bus.h"
#include "bus/systemd1.h"
#include "bus/unit-change.h"
#include "sys/cgroup.h"

char *unit_from_cgroup_path(const char *path) {
        const char *unit = NULL;
        size_t length = 0;

        for (const char *p = path; *p;) {
                size_t n = strcspn(p, "/");
                if ((n > STRLEN(".service") &&
                     strncmp(p + n - STRLEN(".service"), ".service", STRLEN(".service")) == 0) ||
                    (n > STRLEN(".scope") &&
                     strncmp(p + n - STRLEN(".scope"), ".scope", STRLEN(".scope")) == 0)) {
                        unit = p;
                        length = n;
                }
                p += n + (p[n] == '/');
        }
        return unit ? strndup(unit, length) : NULL;
}

static int find_unit(char **ret, Error *reterr) {
        _cleanup_free_ char *path = NULL;

        int r = cgroup_get_path(0, &path);
        *ret = r >= 0 ? unit_from_cgroup_path(path) : NULL;
        if (*ret)
                return 0;
        r = error_set(reterr, -ENXIO, ERROR_CGROUP_FAILED,
                      "This process is in no systemd unit that a container could live in");
        error_hint(reterr, "leave --keep-unit out, then a scope is made");
        return r;
}

static bool is_assigned(const char *name, char *const *assignments) {
        STRV_FOREACH(a, assignments) {
                const char *rest = startswith(*a, name);
                if (rest && rest[0] == '=')
                        return true;
        }
        return false;
}

int properties_to_forget(char *const *before, char *const *assignments, char ***ret) {
        _cleanup_strv_free_ char **names = NULL;

        STRV_FOREACH(name, before)
                if (!is_assigned(*name, assignments) && strv_extend(&names, *name) < 0)
                        return -ENOMEM;
        *ret = TAKE_PTR(names);
        return 0;
}

int unit_assignments(const ContainerSpec *spec, char ***ret) {
        _cleanup_strv_free_ char **l = strv_copy(spec->resources.properties);

        if (!l)
                return -ENOMEM;
        if (spec->description && !is_assigned("Description", l) &&
            strv_extendf(&l, "Description=%s", spec->description) < 0)
                return -ENOMEM;
        *ret = TAKE_PTR(l);
        return 0;
}

int own_unit_apply(const ContainerSpec *spec, Error *reterr) {
        _cleanup_free_ char *unit = NULL, *record = NULL;
        _cleanup_strv_free_ char **assignments = NULL, **before = NULL, **stale = NULL;
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        int r;

        if (spec->resources.slice) {
                r = error_set(
                        reterr, -EINVAL, ERROR_CONFLICT,
                        "Slice '%s' cannot be used: the container stays in the unit that it is started from",
                        spec->resources.slice);
                error_hint(reterr, "set Slice= of that unit, for example with 'systemctl edit'");
                return r;
        }
        if (unit_assignments(spec, &assignments) < 0)
                return error_oom(reterr);
        /* without limits it does not matter here; the supervisor will say what is wrong */
        r = find_unit(&unit, strv_isempty(assignments) ? NULL : reterr);
        if (r < 0)
                return strv_isempty(assignments) ? 0 : r;
        record = unit_record_path(unit);
        if (!record)
                return error_oom(reterr);
        r = unit_record_read(record, &before);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED, "'%s' cannot be read",
                                       record);
        if (properties_to_forget(before, assignments, &stale) < 0)
                return error_oom(reterr);
        if (strv_isempty(assignments) && strv_isempty(stale))
                return 0;

        r = bus_connect_system(&bus, reterr);
        if (r >= 0)
                r = systemd1_forget_properties(bus, unit, stale, reterr);
        if (r < 0)
                return r;
        r = unit_record_write(record, assignments);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED, "'%s' cannot be written",
                                       record);
        return systemd1_set_properties(bus, unit, assignments, reterr);
}
