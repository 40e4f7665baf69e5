/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* May the sender of a call do this? Root may; who else may is polkit's decision. Asynchronous: the bus driver is asked who the
 * sender is, then polkit. Without polkit the answer is no. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/error.h"

typedef struct PolkitCheck PolkitCheck;

/* The sender of a call, as the kernel told the bus when it connected. */
typedef struct PolkitCaller {
        uid_t uid; /* (uid_t) -1: never was known */
        pid_t pid; /* 0: not known. For records only: it may be another's by now */
} PolkitCaller;

/* Who calls is known. uid is not root: polkit would be asked next; a negative result, with its Error, refuses instead. */
typedef int (*PolkitAsk)(uid_t uid, void *userdata, Error *reterr);
/* denied: NULL if the call is allowed, else the error to reply with. The check frees itself afterwards. */
typedef void (*PolkitDone)(sd_bus_message *call, const PolkitCaller *caller, const Error *denied,
                           void *userdata);

typedef struct PolkitQuestion {
        sd_bus_message *call;
        const char *action;         /* "org.berth.containers1.stop" */
        const char *container;      /* shown by polkit's agents as detail "container"; or NULL */
        const char *user, *program; /* the details of these names; or NULL */
        const PolkitCaller *caller; /* who is not root; or NULL: the bus is asked */
        PolkitAsk ask;              /* or NULL */
        PolkitDone done;
        void *userdata;
} PolkitQuestion;

/* After a negative result done is not called. */
int polkit_check(const PolkitQuestion *q, PolkitCheck **ret, Error *reterr);
/* Gives the check up: done is not called. */
PolkitCheck *polkit_check_free(PolkitCheck *c);
