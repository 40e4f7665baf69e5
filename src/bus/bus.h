/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connecting, and the Error objects of both worlds. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/error.h"
#include "basic/macros.h"

typedef enum BusKind {
        BUS_SYSTEM,  /* the message bus */
        BUS_PRIVATE, /* PID 1's own socket: root only, no names, works without a bus daemon */
} BusKind;

/* The system bus; ERROR_BUS_FAILED says what to do. Never waits over 5 s for a call (sd_bus_set_method_call_timeout). */
int bus_connect_system(sd_bus **ret, Error *reterr);

/* That of another host, over ssh(1) ("[USER@]HOST[:PORT][/CONTAINER]", as of systemctl(1)), or of a container that runs here, by name.
 * Descriptors cannot be passed to another host. */
int bus_connect_remote(const char *host, sd_bus **ret, Error *reterr);
int bus_connect_container(const char *name, sd_bus **ret, Error *reterr);

/* May polkit ask the user before it answers calls over this connection? Then they have five minutes instead of five seconds, unless
 * we are root, whom nobody asks. */
int bus_set_questions(sd_bus *bus, bool allow, Error *reterr);

/* For a call whose work may take so long: not less than the connection gives any call, as a question comes before the work. 0: what it gives any call. */
uint64_t bus_call_timeout(sd_bus *bus, uint64_t timeout_usec);

/* The same in two halves, for a connection that is used on the other side of a fork(): a connected socket to the system bus
 * or else to PID 1 … and the bus object on it (takes *fd; returns at once, the handshake is asynchronous). */
int bus_connect_fd(BusKind *ret_kind, Error *reterr);
int bus_open_fd(int *fd, BusKind kind, sd_bus **ret, Error *reterr);

typedef struct BusObject {
        const char *destination, *path, *interface;
} BusObject;
int bus_get_string(sd_bus *bus, const BusObject *o, const char *property, char **ret,
                   Error *reterr);

/* Our Error as a D-Bus error reply (name from the ErrorId, message, hint as a second line) and back. `what` begins the
 * message of foreign errors, "Stopping 'web' failed"; NULL: the remote's message alone. code: what sd-bus returned. */
int bus_error_from_error(sd_bus_error *ret, const Error *e);
/* The same with the names that clients of the interface called expect: those of machine1 and import1 below their paths. */
int bus_error_from_error_for(sd_bus_message *call, sd_bus_error *ret, const Error *e);
int bus_error_to_error(const sd_bus_error *e, int code, Error *reterr, const char *what);

/* Bytes of all strings of a message, some for each container, and one for each other value; at most `limit` is counted, then -E2BIG;
 * so it is when containers are nested deeper than any call needs. The message is at its start afterwards. */
int bus_message_measure(sd_bus_message *m, size_t limit);

/* Settings as a{sv}: keys are the field table's (`OOMScoreAdjust`), values of the type's signature or strings in settings-file
 * grammar. */
struct SpecDraft;
int bus_read_settings(sd_bus_message *m, struct SpecDraft *draft, Error *reterr);
