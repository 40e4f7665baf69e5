/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Settings against drop-ins of systemd's generators, and what follows: a daemon-reload. */
#include "cli/start-order.h"

#include <unistd.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "bus/bus.h"
#include "bus/systemd1.h"
#include "spec/spec-order.h"

#define LOOK_AT_MAX 256U /* containers that one names, and those that they name */

/* 1: systemd knows another order than the settings have. 0: the same, or the settings cannot be read: then the start will tell. */
static int differs(const char *name, char ***words) {
        _cleanup_(spec_draft_freep) SpecDraft *d = NULL;
        _cleanup_free_ char *wanted = NULL, *known = NULL,
                            *path = strjoin(ORDER_DROP_IN_DIRECTORY "/berth@", name,
                                            ".service.d/" ORDER_DROP_IN_NAME);

        if (!path)
                return -ENOMEM;
        if (order_load(name, /* places= */ NULL, &d, NULL) < 0)
                return 0;
        const ContainerSpec *spec = spec_draft_spec(d);
        for (DependencyType t = 0; t < _DEPENDENCY_TYPE_MAX; t++)
                if (strv_extend_strv(words, spec->dependencies[t]) < 0)
                        return -ENOMEM;
        int r = order_drop_in(spec, &wanted);
        if (r < 0)
                return r;
        r = file_read_all(AT_FDCWD, path, SPEC_TEXT_MAX, &known, NULL);
        if (r < 0 && r != -ENOENT)
                return r == -ENOMEM ? r : 0;
        return !streq(wanted, strempty(known));
}

/* Of these, and of all that they name. */
static int any_differs(char *const *names) {
        _cleanup_strv_free_ char **seen = NULL;

        if (strv_extend_strv(&seen, names) < 0)
                return -ENOMEM;
        for (size_t i = 0; seen && seen[i] && i < LOOK_AT_MAX; i++) {
                _cleanup_strv_free_ char **words = NULL;
                int r = differs(seen[i], &words);
                if (r != 0)
                        return r;
                STRV_FOREACH(word, words) {
                        _cleanup_free_ char *name = dependency_to_container(*word);
                        if (name && !strv_contains(seen, name) && strv_extend(&seen, name) < 0)
                                return -ENOMEM;
                }
        }
        return 0;
}

static void update(sd_bus *bus, char *const *names) {
        _cleanup_error_ Error e = ERROR_NULL;

        if (systemd1_reload(bus, &e) < 0) {
                log_warning("The order of '%s' that the settings ask for is not in force yet: %s",
                            names[0], error_message(&e));
                return;
        }
        if (any_differs(names) > 0)
                log_warning("The order of '%s' that the settings ask for is not in force: is "
                            "berth-generator installed where systemd looks for its generators? "
                            "See 'journalctl -t berth-generator'",
                            names[0]);
}

void start_order_update(sd_bus *bus, char *const *names) {
        if (any_differs(names) > 0)
                update(bus, names);
}

void start_order_update_written(char *const *names) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;

        if (systemd_is_running() && any_differs(names) > 0 && bus_connect_system(&bus, NULL) >= 0)
                update(bus, names);
}
