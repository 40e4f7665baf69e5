/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Errors under the names that clients of org.freedesktop.machine1 and org.freedesktop.import1 expect. */
#include "bus/bus.h"
#include "bus/names.h"

/* What clients of machine1 compare, or show in their own words. The rest has the errno's name, as systemd's services do it. */
static const char *const machine1_errors[_ERROR_MAX] = {
        /* clang-format off */
        [ERROR_NO_SUCH_CONTAINER] = MACHINE1_PREFIX "NoSuchMachine",
        [ERROR_ROOT_NOT_FOUND]    = MACHINE1_PREFIX "NoSuchImage",
        [ERROR_NAME_IN_USE]       = MACHINE1_PREFIX "MachineExists",
        [ERROR_UNSUPPORTED]       = SD_BUS_ERROR_NOT_SUPPORTED,
        [ERROR_INVALID_NAME]      = SD_BUS_ERROR_INVALID_ARGS,
        [ERROR_INVALID_SETTING]   = SD_BUS_ERROR_INVALID_ARGS,
        [ERROR_PROTOCOL]          = SD_BUS_ERROR_INVALID_ARGS,
        [ERROR_ACCESS_DENIED]     = SD_BUS_ERROR_ACCESS_DENIED,
        [ERROR_LIMIT_EXCEEDED]    = SD_BUS_ERROR_LIMITS_EXCEEDED,
        [ERROR_TIMEOUT]           = SD_BUS_ERROR_TIMEOUT,
        /* clang-format on */
};

int bus_error_from_error_for(sd_bus_message *call, sd_bus_error *ret, const Error *e) {
        const char *path = strempty(sd_bus_message_get_path(call));
        if ((!startswith(path, MACHINE1_MANAGER_PATH) && !startswith(path, IMPORT1_MANAGER_PATH)) ||
            !error_is_set(e) || e->code == -ENOMEM)
                return bus_error_from_error(ret, e);
        if (machine1_errors[e->id])
                return sd_bus_error_set(ret, machine1_errors[e->id], e->message);
        _cleanup_free_ char *name = strjoin("System.Error.", errno_symbol(e->code));
        return sd_bus_error_set(ret, name ?: SD_BUS_ERROR_FAILED, e->message);
}
