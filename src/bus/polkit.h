/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* May the sender of a call do this? Root may; who else may is polkit's decision. Asynchronous: the bus driver is asked who the
 * sender is, then polkit. Without polkit the answer is no. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/error.h"

typedef struct PolkitCheck PolkitCheck;

/* Who calls is known. uid is not root: polkit would be asked next; a negative result, with its Error, refuses instead. */
typedef int (*PolkitAsk)(uid_t uid, void *userdata, Error *reterr);
/* denied: NULL if the call is allowed, else the error to reply with; uid: (uid_t) -1 if it never was known. The check frees itself
 * afterwards. */
typedef void (*PolkitDone)(sd_bus_message *call, uid_t uid, const Error *denied, void *userdata);

typedef struct PolkitQuestion {
        sd_bus_message *call;
        const char *action;         /* "org.berth.containers1.stop" */
        const char *container;      /* shown by polkit's agents as detail "container"; or NULL */
        const char *user, *program; /* the details of these names; or NULL */
        PolkitAsk ask;              /* or NULL */
        PolkitDone done;
        void *userdata;
} PolkitQuestion;

int polkit_check(const PolkitQuestion *q, PolkitCheck **ret);
/* Gives the check up: done is not called. */
PolkitCheck *polkit_check_free(PolkitCheck *c);
