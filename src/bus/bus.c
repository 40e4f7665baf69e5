/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connecting to the system bus, and to PID 1's private socket. */
#include "bus/bus.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/time.h"
#include "bus/names.h"
#include "sys/socket.h"

#define BUS_CALL_TIMEOUT_USEC (5 * USEC_PER_SEC)
#define BUS_REMOTE_TIMEOUT_USEC (30 * USEC_PER_SEC)     /* ssh may have questions of its own */
#define BUS_QUESTION_TIMEOUT_USEC (5 * USEC_PER_MINUTE) /* somebody may have to type a password */
#define SYSTEM_BUS_SOCKET "/run/dbus/system_bus_socket"
#define PRIVATE_SOCKET "/run/systemd/private"

/* Where the system bus listens, if $DBUS_SYSTEM_BUS_ADDRESS (tests) names a plain socket path; else the standard place. */
static char *system_bus_path(void) {
        const char *e = secure_getenv("DBUS_SYSTEM_BUS_ADDRESS");
        const char *p = e ? startswith(e, "unix:path=") : NULL;
        if (!p)
                return strdup(SYSTEM_BUS_SOCKET);
        return strndup(p, strcspn(p, ",;"));
}

int bus_connect_fd(BusKind *ret_kind, Error *reterr) {
        _cleanup_free_ char *path = system_bus_path();
        if (!path)
                return error_oom(reterr);

        int r = socket_connect(SOCK_STREAM, path);
        if (r >= 0) {
                *ret_kind = BUS_SYSTEM;
                return r;
        }
        int private_fd = socket_connect(SOCK_STREAM, PRIVATE_SOCKET);
        if (private_fd >= 0) {
                *ret_kind = BUS_PRIVATE;
                return private_fd;
        }

        r = error_set_errno(reterr, r, ERROR_BUS_FAILED, "Cannot connect to the system bus at '%s'",
                            path);
        error_hint(reterr, "start it with 'systemctl start dbus.socket'");
        return r;
}

static int fail(int r, const char *step, Error *reterr) {
        r = error_set_errno(reterr, r, ERROR_BUS_FAILED, "%s the system bus failed", step);
        error_hint(reterr, "see 'systemctl status dbus.service'");
        return r;
}

int bus_open_fd(int *fd, BusKind kind, sd_bus **ret, Error *reterr) {
        _cleanup_(sd_bus_close_unrefp) sd_bus *bus = NULL;
        int r = sd_bus_new(&bus);
        if (r < 0)
                return error_oom(reterr);
        r = sd_bus_set_fd(bus, *fd, *fd);
        if (r < 0)
                return fail(r, "Setting up the connection to", reterr);
        *fd = -EBADF;
        if (kind == BUS_SYSTEM) {
                r = sd_bus_set_bus_client(bus, true);
                if (r < 0)
                        return fail(r, "Setting up the connection to", reterr);
        }
        (void) sd_bus_negotiate_fds(bus, true); /* only fails once started */
        (void) sd_bus_set_method_call_timeout(bus, BUS_CALL_TIMEOUT_USEC);
        r = sd_bus_start(bus);
        if (r < 0)
                return fail(r, "Connecting to", reterr);
        *ret = TAKE_PTR(bus);
        return 0;
}

int bus_connect_system(sd_bus **ret, Error *reterr) {
        _cleanup_(sd_bus_close_unrefp) sd_bus *bus = NULL;
        int r = sd_bus_open_system(&bus);
        if (r < 0) {
                r = error_set_errno(reterr, r, ERROR_BUS_FAILED,
                                    "Cannot connect to the system bus");
                error_hint(reterr, "start it with 'systemctl start dbus.socket'");
                return r;
        }
        (void) sd_bus_set_method_call_timeout(bus, BUS_CALL_TIMEOUT_USEC);
        *ret = TAKE_PTR(bus);
        return 0;
}

int bus_connect_remote(const char *host, sd_bus **ret, Error *reterr) {
        _cleanup_(sd_bus_close_unrefp) sd_bus *bus = NULL;
        int r = sd_bus_open_system_remote(&bus, host);
        if (r < 0) {
                r = error_set_errno(reterr, r, ERROR_BUS_FAILED, "Cannot connect to host '%s'",
                                    host);
                error_hint(reterr, "try 'ssh %s' first", host);
                return r;
        }
        (void) sd_bus_set_method_call_timeout(bus, BUS_REMOTE_TIMEOUT_USEC);
        *ret = TAKE_PTR(bus);
        return 0;
}

int bus_connect_container(const char *name, sd_bus **ret, Error *reterr) {
        _cleanup_(sd_bus_close_unrefp) sd_bus *bus = NULL;
        int r = sd_bus_open_system_machine(&bus, name);
        if (r < 0) {
                r = error_set_errno(reterr, r, ERROR_BUS_FAILED,
                                    "Cannot connect to the system bus in container '%s'", name);
                error_hint(reterr, "it must run a system with a message bus; see 'berth status %s'",
                           name);
                return r;
        }
        (void) sd_bus_set_method_call_timeout(bus, BUS_CALL_TIMEOUT_USEC);
        *ret = TAKE_PTR(bus);
        return 0;
}

int bus_set_questions(sd_bus *bus, bool allow, Error *reterr) {
        int r = sd_bus_set_allow_interactive_authorization(bus, allow);
        if (r >= 0 && allow && geteuid() != 0)
                r = sd_bus_set_method_call_timeout(bus, BUS_QUESTION_TIMEOUT_USEC);
        return r < 0 ? fail(r, "Setting up the connection to", reterr) : 0;
}

uint64_t bus_call_timeout(sd_bus *bus, uint64_t timeout_usec) {
        uint64_t least;
        if (timeout_usec == 0 || sd_bus_get_method_call_timeout(bus, &least) < 0)
                return timeout_usec;
        return MAX(timeout_usec, least);
}

int bus_get_string(sd_bus *bus, const BusObject *o, const char *property, char **ret,
                   Error *reterr) {
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        int r = sd_bus_get_property_string(bus, o->destination, o->path, o->interface, property, &e,
                                           ret);
        if (r < 0)
                return bus_error_to_error(&e, r, reterr, o->path);
        return 0;
}
