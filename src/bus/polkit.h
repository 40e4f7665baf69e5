/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* May the sender of a call do this? Root may; who else may is polkit's decision. Asynchronous: the bus driver is asked who the
 * sender is, then polkit. Without polkit the answer is no. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/error.h"

typedef struct PolkitCheck PolkitCheck;

/* denied: NULL if the call is allowed, else the error to reply with. The check frees itself afterwards. */
typedef void (*PolkitDone)(sd_bus_message *call, const Error *denied, void *userdata);

/* action: "org.berth.containers1.stop". container: shown by polkit's agents as detail "container". */
int polkit_check(sd_bus_message *call, const char *action, const char *container, PolkitDone done,
                 void *userdata, PolkitCheck **ret);
/* Gives the check up: done is not called. */
PolkitCheck *polkit_check_free(PolkitCheck *c);
