/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Client of berthd: what the command line needs of org.berth.Containers1. Blocking, with the bus' 5 s limit (stop: as asked). */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/error.h"
#include "basic/id.h"
#include "basic/time.h"
#include "sys/cgroup-usage.h"

typedef struct ContainerInfo {
        char *name;
        char *state; /* container_state_to_string() */
        bool ready;
        char *id;   /* machine id, 32 hex digits */
        char *unit; /* scope or service */
        char *control_group;
        char *root_directory;
        char *status_text; /* of the payload, escaped */
        char *result;      /* why it ended, if it did */
        char *health;      /* none, starting, healthy, unhealthy */
        uint32_t leader, supervisor;
        usec_t started_usec; /* realtime */
        bool remote; /* of another system: what this one has of its names and numbers is not meant; set by who asked */

        /* of manager1_measure() and manager1_get() only */
        uint64_t usage[_USAGE_MAX]; /* USAGE_UNKNOWN: not counted, no limit */
        char **addresses;           /* "192.0.2.2", "fd00::2" */
} ContainerInfo;
void container_info_done(ContainerInfo *i);

int manager1_list(sd_bus *bus, ContainerInfo **ret, size_t *ret_n, Error *reterr);
/* The same with what must be measured: the named properties, or all if there are none. */
int manager1_measure(sd_bus *bus, char *const *properties, ContainerInfo **ret, size_t *ret_n,
                     Error *reterr);
int manager1_get(sd_bus *bus, const char *name, ContainerInfo *ret,
                 Error *reterr); /* ERROR_NO_SUCH_CONTAINER */
/* One StopContainer that is waited for. done: it has ended (e is NULL), or has not in time, or something failed; e is the callback's to
 * empty. Unref the slot, which forgets the call, before the StopCall goes. */
typedef struct StopCall {
        sd_bus_slot *slot;
        void (*done)(Error *e, void *userdata);
        void *userdata;
} StopCall;
int manager1_stop_begin(sd_bus *bus, const char *name, usec_t timeout_usec /* or USEC_INFINITY */,
                        StopCall *c, Error *reterr);
int manager1_terminate(sd_bus *bus, const char *name, Error *reterr);
int manager1_reboot(sd_bus *bus, const char *name, Error *reterr);
/* Returns when all its processes rest. */
int manager1_pause(sd_bus *bus, const char *name, Error *reterr);
int manager1_resume(sd_bus *bus, const char *name, Error *reterr);
int manager1_kill(sd_bus *bus, const char *name, const char *whom /* leader, supervisor, all */,
                  int signal, Error *reterr);

/* changes: "MemoryMax=1G", "MemoryMax="; all or none of them */
int manager1_set_properties(sd_bus *bus, const char *name, char *const *changes, Error *reterr);

/* For the other files of this client: a call of the Manager interface, and its answer. timeout_usec 0: the bus' default. */
int manager1_new_call(sd_bus *bus, const char *method, sd_bus_message **ret, Error *reterr);
int manager1_call(sd_bus *bus, sd_bus_message *m, uint64_t timeout_usec, sd_bus_message **ret,
                  Error *reterr);
