/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The manager: knows every container that runs, because each supervisor says HELLO to it, and speaks for them on D-Bus.
 *
 * It never waits (no synchronous call, no blocking read), never touches a container's files, and keeps nothing on disk: a restarted
 * manager is empty until the supervisors have connected again, which takes them a tenth of a second. */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "basic/error.h"
#include "basic/hashmap.h"
#include "basic/list.h"
#include "manager/callers.h"
#include "manager/loop.h"

#define MANAGER_CONTAINERS_MAX 16384U
#define MANAGER_LINKS_MAX \
        20000U /* connections of supervisors, those that have not said HELLO included */
#define MANAGER_CALLS_MAX 1024U /* D-Bus calls that wait: for polkit, for a start, for an end */

typedef struct Access Access;
typedef struct Container Container;
typedef struct Link Link;
typedef struct Operation Operation;
typedef struct Import1 Import1;
typedef struct Machine1 Machine1;
typedef struct Manager Manager;
typedef struct SpawnerLink SpawnerLink;
typedef struct Measurement Measurement;

struct Manager {
        sd_event *event;
        sd_bus *bus;
        Hashmap *containers; /* by name; they own themselves: container_remove() */
        uint64_t last_generation;
        LIST_HEAD(Link, links);
        size_t n_links;
        LIST_HEAD(Access, accesses);
        LIST_HEAD(Operation, operations);
        size_t n_operations;
        size_t n_health_checks;
        sd_bus_slot *callers_slot; /* tells of callers that leave while operations run */
        LIST_HEAD(Measurement, measurements);
        sd_event_source *measure_source;
        uid_t measured_uid; /* whose turn it was last */
        Callers callers;
        uid_t caller_uid; /* of the call whose body runs; (uid_t) -1: it was not asked */
        size_t n_calls;
        usec_t denied_window_usec; /* when the counting of denied calls began */
        unsigned n_denied;
        int listen_fd;
        sd_event_source *listen_source, *accept_timer, *idle_source;
        SpawnerLink *spawner; /* executes what is not to be in our sandbox */
        Machine1 *machine1;   /* the same as org.freedesktop.machine1; NULL: not wanted */
        Import1 *import1; /* transfers of images, as org.freedesktop.import1; NULL: not wanted */
        LoopMeter meter;
        bool idle_exit; /* started on demand: ends when there is nothing left to do */
};

/* bus: connected and attached to event. listen_fd is taken. spawner: path of the spawner's socket; NULL: it has one of its own. */
int manager_new(sd_event *event, sd_bus *bus, int *listen_fd, bool idle_exit, const char *spawner,
                Manager **ret, Error *reterr);
Manager *manager_free(Manager *m);
DEFINE_TRIVIAL_CLEANUP_FUNC(Manager *, manager_free)

/* Puts the objects on the bus and asks for the name. */
int manager_publish(Manager *m, Error *reterr);
/* Until the event loop ends: its exit code, or negative errno. */
int manager_run(Manager *m);
/* Something was done or has ended: (re)starts the clock for idle exit. */
void manager_touch(Manager *m);

/* A waiting call more; ERROR_LIMIT_EXCEEDED beyond MANAGER_CALLS_MAX. */
int manager_call_begin(Manager *m, Error *reterr);
void manager_call_end(Manager *m);

/* in log-control.c: org.freedesktop.LogControl1 */
int log_control_publish(sd_bus *bus);

/* in bus-manager.c */
extern const sd_bus_vtable manager_vtable[];
int body_kill(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
void manager_emit(Manager *m, const char *signal, const Container *c);
/* in bus-console.c */
int body_attach(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
