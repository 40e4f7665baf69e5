/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stopping containers, and waiting for them. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/error.h"
#include "basic/time.h"

/* Shows the error of each that failed. Returns an exit status, or a negative errno when the bus failed. */
int stop_containers(sd_bus *bus, char *const *names, usec_t timeout_usec, bool quiet,
                    Error *reterr);
