/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connecting, and the Error objects of both worlds. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/error.h"

/* The system bus; ERROR_BUS_FAILED says what to do. Never waits over 5 s for a call (sd_bus_set_method_call_timeout). */
int bus_connect_system(sd_bus **ret, Error *reterr);
/* Our Error as a D-Bus error reply (name from the ErrorId, message, hint as a second line) and back. */
int bus_error_from_error(sd_bus_error *ret, const Error *e);
int bus_error_to_error(const sd_bus_error *e, int code, Error *reterr, const char *what);

/* Settings as a{sv}: keys are the field table's (`OOMScoreAdjust`), values of the type's signature or strings in settings-file
 * grammar. */
struct SpecDraft;
int bus_read_settings(sd_bus_message *m, struct SpecDraft *draft, Error *reterr);
