/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Dependencies between containers, as settings have them, and as systemd knows them. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/error.h"

/* Has systemd read its units again if a container's settings, or those of containers that they name, say another order than it knows.
 * Best effort: what cannot be done is a warning. */
void start_order_update(sd_bus *bus, char *const *names);
/* The same after settings of these were written; connects only if there is something to be done. */
void start_order_update_written(char *const *names);
