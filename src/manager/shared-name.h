/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bus name that a service of systemd's has where it runs, and berthd where it does not.
 *
 * It is on a bus connection of its own, so that callers of the two names do not meet each other's objects. While the service has the name, berthd leaves
 * it alone, and asks for it again when it is free. When the service is started, berthd gives the name back: one that came too early for that, and has ended
 * without it, is started once more. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/error.h"

typedef enum SharedNameState {
        SHARED_NAME_NONE, /* neither: not asked yet, not allowed, or about to change */
        SHARED_NAME_OURS,
        SHARED_NAME_OTHERS,
        _SHARED_NAME_STATE_MAX,
        _SHARED_NAME_STATE_INVALID = -EINVAL,
} SharedNameState;

typedef struct SharedName {
        /* given; the texts are constants */
        const char *name;      /* "org.freedesktop.machine1" */
        const char *unit;      /* "systemd-machined.service" */
        const char *unit_path; /* of the unit's object on systemd's bus name */
        void (*changed)(SharedNameState state, void *userdata); /* it is another one than before */
        void *userdata;

        SharedNameState state;
        sd_bus *bus;
        char *actions; /* the polkit actions of the name's on this host; NULL: none are installed */
        bool gave_way; /* to a service that does not have the name yet */
        sd_event_source *timer;
} SharedName;

/* Connects; objects can be added to the bus then. */
int shared_name_open(SharedName *n, sd_event *event, Error *reterr);
/* Asks for the name, now and whenever it is free. Negative errno. */
int shared_name_claim(SharedName *n);
/* Before the manager ends for lack of work: calls start a new one. */
void shared_name_release(SharedName *n);
void shared_name_done(SharedName *n);

/* ActiveState of a PropertiesChanged of a unit's; NULL: it is not among them. */
const char *unit_changed_active_state(sd_bus_message *changed);
