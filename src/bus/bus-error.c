/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Error ↔ sd_bus_error: our own errors cross the bus unchanged, foreign ones get one of our names. */
#include "bus/bus.h"
#include "bus/names.h"

#define HINT_PREFIX "Hint: "

typedef struct ForeignError {
        const char *name;
        ErrorId id;
        const char *hint;
} ForeignError;

/* Names of the bus, of systemd and of polkit that mean something to a user of ours. */
static const ForeignError foreign_errors[] = {
        /* clang-format off */
        { "org.freedesktop.DBus.Error.ServiceUnknown",     ERROR_BUS_FAILED,    "the service is not running or not installed" },
        { "org.freedesktop.DBus.Error.NameHasNoOwner",     ERROR_BUS_FAILED,    "the service is not running" },
        { "org.freedesktop.DBus.Error.NoReply",            ERROR_BUS_FAILED,    "the service ended or hangs; see its log" },
        { "org.freedesktop.DBus.Error.Timeout",            ERROR_TIMEOUT,       NULL },
        { "org.freedesktop.DBus.Error.Disconnected",       ERROR_BUS_FAILED,    NULL },
        { "org.freedesktop.DBus.Error.NoServer",           ERROR_BUS_FAILED,    NULL },
        { "org.freedesktop.DBus.Error.AccessDenied",       ERROR_ACCESS_DENIED, NULL },
        { "org.freedesktop.DBus.Error.AuthFailed",         ERROR_ACCESS_DENIED, NULL },
        { "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", ERROR_ACCESS_DENIED, "try as root" },
        { "org.freedesktop.DBus.Error.LimitsExceeded",     ERROR_LIMIT_EXCEEDED, NULL },
        { "org.freedesktop.DBus.Error.UnknownMethod",      ERROR_UNSUPPORTED,   "the service is of an older version" },
        { "org.freedesktop.DBus.Error.InvalidArgs",        ERROR_INVALID_SETTING, NULL },
        { "org.freedesktop.DBus.Error.PropertyReadOnly",   ERROR_INVALID_SETTING, NULL },
        { "org.freedesktop.DBus.Error.UnknownProperty",    ERROR_INVALID_SETTING, NULL },
        { "org.freedesktop.systemd1.NoSuchUnit",           ERROR_UNIT_FAILED,   NULL },
        { "org.freedesktop.systemd1.UnitExists",           ERROR_NAME_IN_USE,   NULL },
        { "org.freedesktop.systemd1.LoadFailed",           ERROR_UNIT_FAILED,   NULL },
        { "org.freedesktop.systemd1.UnitMasked",           ERROR_UNIT_FAILED,   "'systemctl unmask' it first" },
        { "org.freedesktop.systemd1.TransactionIsDestructive", ERROR_UNIT_FAILED, "the system is shutting down, or the opposite job is queued" },
        /* clang-format on */
};

int bus_error_from_error(sd_bus_error *ret, const Error *e) {
        if (!error_is_set(e))
                return sd_bus_error_set(ret, BERTH_ERROR_PREFIX "Failed", "Unknown error");
        if (e->code == -ENOMEM)
                return sd_bus_error_set_errno(ret, ENOMEM);
        if (e->hint)
                return sd_bus_error_setf(ret, error_id_to_dbus_name(e->id), "%s\n" HINT_PREFIX "%s",
                                         e->message, e->hint);
        return sd_bus_error_set(ret, error_id_to_dbus_name(e->id), e->message);
}

static int take_own(const char *id_name, const char *text, int code, Error *reterr) {
        int id = (int) error_id_from_string(id_name);
        const char *nl = strstr(text, "\n" HINT_PREFIX);
        int length = nl ? (int) (nl - text) : (int) strlen(text);

        code = error_set(reterr, code, id >= 0 ? (ErrorId) id : ERROR_FAILED, "%.*s", length, text);
        if (nl)
                error_hint(reterr, "%s", nl + 1 + STRLEN(HINT_PREFIX));
        return code;
}

int bus_error_to_error(const sd_bus_error *e, int code, Error *reterr, const char *what) {
        if (code >= 0)
                code = -EIO;
        if (!e || !e->name)
                return what ? error_set_errno(reterr, code, ERROR_BUS_FAILED, "%s", what)
                            : error_set_errno(reterr, code, ERROR_BUS_FAILED,
                                              "A call over the bus failed");

        const char *text = isempty(e->message) ? e->name : e->message;
        const char *own = startswith(e->name, BERTH_ERROR_PREFIX);
        if (own)
                return take_own(own, text, code, reterr);

        const ForeignError *known = NULL;
        for (size_t i = 0; i < ELEMENTSOF(foreign_errors) && !known; i++)
                if (streq(foreign_errors[i].name, e->name))
                        known = &foreign_errors[i];

        ErrorId id = known ? known->id : ERROR_BUS_FAILED;
        size_t n = strlen(text);
        if (n > 0 && text[n - 1] == '.')
                n--; /* our messages are sentences without trailing period */
        code = what ? error_set(reterr, code, id, "%s: %.*s", what, (int) n, text)
                    : error_set(reterr, code, id, "%.*s", (int) n, text);
        if (known && known->hint)
                error_hint(reterr, "%s", known->hint);
        return code;
}
