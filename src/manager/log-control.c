/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.freedesktop.LogControl1: `systemctl service-log-level berthd debug` and `service-log-target`.
 *
 * Three properties, as org.freedesktop.LogControl1(5) has them. The bus policy keeps all properties to root, so nobody is asked. What is
 * set here holds for this process, until it ends. */
#include "basic/log.h"
#include "basic/str.h"
#include "bus/bus.h"
#include "bus/names.h"
#include "manager/manager.h"

static int get_level(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *reterr_error) {
        return sd_bus_message_append(reply, "s", log_level_to_string(log_get_max_level()));
}

static int set_level(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *value, void *userdata, sd_bus_error *reterr_error) {
        _cleanup_error_ Error e = ERROR_NULL;
        const char *text;
        int r = sd_bus_message_read(value, "s", &text);
        if (r < 0)
                return r;
        int level = log_level_from_string(text);
        if (level < 0) {
                (void) error_set(&e, level, ERROR_INVALID_SETTING, "Invalid log level '%.80s'",
                                 text);
                error_hint(&e,
                           "emerg, alert, crit, err, warning, notice, info and debug are known");
                return bus_error_from_error(reterr_error, &e);
        }
        log_set_max_level(level);
        log_notice("Log level is '%s' now", log_level_to_string(level));
        return 1;
}

static int get_target(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *reterr_error) {
        return sd_bus_message_append(reply, "s", log_target_to_string(log_get_target()));
}

static int set_target(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *value, void *userdata, sd_bus_error *reterr_error) {
        _cleanup_error_ Error e = ERROR_NULL;
        const char *text;
        int r = sd_bus_message_read(value, "s", &text);
        if (r < 0)
                return r;
        LogTarget target = log_target_from_string(text);
        if (target < 0) {
                (void) error_set(&e, -EINVAL, ERROR_INVALID_SETTING, "Invalid log target '%.80s'",
                                 text);
                error_hint(&e, "auto, journal, console and null are known");
                return bus_error_from_error(reterr_error, &e);
        }
        r = log_set_target(target);
        return r < 0 ? r : 1;
}

static int get_identifier(sd_bus *bus, const char *path, const char *interface,
                          const char *property, sd_bus_message *reply, void *userdata,
                          sd_bus_error *reterr_error) {
        return sd_bus_message_append(reply, "s", log_get_identifier());
}

static const sd_bus_vtable log_control_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_WRITABLE_PROPERTY("LogLevel", "s", get_level, set_level, 0,
                                 SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_WRITABLE_PROPERTY("LogTarget", "s", get_target, set_target, 0,
                                 SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("SyslogIdentifier", "s", get_identifier, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_VTABLE_END,
};

int log_control_publish(sd_bus *bus) {
        return sd_bus_add_object_vtable(bus, NULL, LOG_CONTROL_PATH, LOG_CONTROL_INTERFACE,
                                        log_control_vtable, NULL);
}
