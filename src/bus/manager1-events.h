/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What happens to containers, as it happens: the signals of org.berth.Containers1 as one stream. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/error.h"
#include "basic/time.h"

typedef enum ContainerEventType {
        EVENT_NEW,     /* the manager knows it from now on */
        EVENT_STATE,   /* detail: the new state */
        EVENT_READY,   /* the payload is ready, */
        EVENT_UNREADY, /* or no longer, for it reboots */
        EVENT_HEALTH,  /* detail: starting, healthy or unhealthy */
        EVENT_STATUS,  /* detail: the payload's status text */
        EVENT_REMOVED, /* detail: how it ended, "exited with status 7" */
        _EVENT_TYPE_MAX,
} ContainerEventType;

const char *container_event_type_to_string(ContainerEventType t);

/* All borrowed. Texts come from the payload: escape them for display. */
typedef struct ContainerEvent {
        ContainerEventType type;
        const char *name;
        const char *detail; /* or NULL */
} ContainerEvent;

typedef void (*ContainerEventHandler)(const ContainerEvent *e, void *userdata);

typedef struct ContainerWatch {
        sd_bus *bus; /* borrowed */
        ContainerEventHandler handler;
        void *userdata;
        sd_bus_slot *manager_slot, *properties_slot;
} ContainerWatch;

/* Signals that come after its return are handled: ask for the present state then, and nothing is missed. */
int container_watch_begin(ContainerWatch *w, Error *reterr);
void container_watch_end(ContainerWatch *w);
/* Handles what has come, or else waits for something, at most so long. ERROR_BUS_FAILED. */
int container_watch_run(ContainerWatch *w, usec_t timeout_usec, Error *reterr);
