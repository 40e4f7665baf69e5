/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Container: what the manager knows about one, from its supervisor's messages. It is there from the HELLO of its supervisor, or
 * from the CreateContainer call, until its supervisor has ended. */
#pragma once

#include "basic/time.h"
#include "bus/keeper.h"
#include "ipc/control.h"
#include "manager/manager.h"
#include "spec/spec.h"
#include "sys/pidfd.h"

typedef struct Creation Creation;
typedef struct Foreign Foreign;
typedef struct Health Health;
typedef struct Hooks Hooks;
typedef struct Waiter Waiter;

struct Container {
        Manager *manager;
        uint64_t generation; /* no other container ever has this one, whatever its name */
        char *name;
        char *path; /* object path */
        ContainerState state;
        bool ready;
        bool paused;         /* its processes are frozen */
        bool announced;      /* ContainerNew was sent: others know of it */
        bool stop_requested; /* STOP was sent: a second one would kill */
        char *id;            /* machine id, or "" if the image has its own */
        char *unit, *control_group, *root_directory, *status_text, *result;
        char *spec_text;
        PidRef leader, supervisor;
        usec_t started_realtime, started_monotonic;

        Link *link; /* the supervisor's connection; NULL: not yet, or lost for the moment */
        sd_event_source *supervisor_source; /* its end */
        LIST_HEAD(Waiter, waiters);         /* calls that wait for the end */
        size_t n_operations;                /* of the manager's, in this container */
        Hooks *hooks;                       /* NULL: there are none */
        Health *health;                     /* NULL: nobody looks */
        const char *health_name;            /* the property Health; not to be freed */
        bool shown;                         /* on machine1 */
        unsigned shown_round;               /* told to those who listen there, or to machined */
        struct Machine1Registration
                *registration; /* at systemd-machined: it has not answered yet */
        Foreign *foreign;      /* registered there by another program: has no supervisor of ours */

        /* only of a container that was made by CreateContainer */
        ContainerSpec *spec;
        Keeper *keeper;
        Creation *creation; /* until it runs */
};

/* Makes one and puts it into the manager's map. ERROR_NAME_IN_USE, ERROR_LIMIT_EXCEEDED. */
int container_new(Manager *m, const char *name, Container **ret, Error *reterr);
/* Signals ContainerNew, when what is known is set; from here on changes are signalled too. */
void container_announce(Container *c);
/* Takes it out and frees it; signals ContainerRemoved, answers who waits. */
void container_remove(Container *c);
/* Without signals: at the manager's own end. */
void container_free(Container *c);

Container *container_find(Manager *m, const char *name,
                          Error *reterr); /* ERROR_NO_SUCH_CONTAINER */
Container *container_find_by_pid(Manager *m, pid_t pid, Error *reterr);

/* Takes over what a spec says: root directory, id, text. */
int container_set_spec(Container *c, const ContainerSpec *spec);
void container_set_state(Container *c, ContainerState state);
void container_set_ready(Container *c, bool ready);
void container_set_paused(Container *c, bool paused);
/* As the property State has it: that of the supervisor, or "paused". */
const char *container_shown_state(const Container *c);
/* at: one of its strings. What D-Bus could not carry is escaped. */
void container_set_text(Container *c, char **at, const char *text, const char *property);
void container_set_start(Container *c, usec_t realtime);
/* Holds the supervisor and watches for its end. */
int container_take_supervisor(Container *c, PidRef *supervisor);
/* The supervisor has ended: so does the container. Frees it. */
void container_supervisor_ended(Container *c);
int container_set_leader(Container *c, int pidfd);
/* Any message of its supervisor but HELLO, from either link; the same one twice does no harm. */
void container_message(Container *c, const ControlMessage *m);

/* Asks the supervisor (STOP, TERMINATE, REBOOT, PAUSE, RESUME): over its connection, the launcher link, or else by signal. STOP and
 * TERMINATE give up a start that has no supervisor yet. */
int container_request(Container *c, ControlType type, Error *reterr);

/* in container-hooks.c */
/* Takes over what a spec says. -ENOMEM. */
int hooks_configure(Container *c, const ContainerSpec *spec);
Hooks *hooks_free(Hooks *h);
/* PreStart= has been dealt with, by us or by `berth run`: so PostStop= will be due. */
void hooks_set_begun(Container *c);
/* Runs one that nobody waits for. */
void hooks_fire(Container *c, HookType type);
/* Runs PreStart=; then is called with NULL or an error that is the callback's. 1, or 0 if there is nothing to be run. */
int hooks_pre_start(Container *c, void (*then)(Container *c, Error *e), Error *reterr);
/* It begins to stop, whoever asked for it: runs PreStop=, unless that was done. */
void hooks_stopping(Container *c);
/* CONTROL_STOP, once, after PreStop=. The one way in which the manager makes a container stop. */
int container_request_stop(Container *c, Error *reterr);

/* in container-wait.c */
typedef enum WaitFor {
        WAIT_FOR_END,
        WAIT_FOR_PAUSE,
        WAIT_FOR_RESUME
} WaitFor;
/* Asks it to stop, once; replies to call when it has ended, or with ERROR_TIMEOUT. */
int container_stop(Container *c, sd_bus_message *call, usec_t timeout_usec, Error *reterr);
/* Freezes its processes, or lets them go on; replies when all of them rest, else none does. ERROR_UNSUPPORTED, ERROR_TIMEOUT.
 * call: NULL: a failure that comes later is only logged. */
int container_pause(Container *c, sd_bus_message *call, bool pause, Error *reterr);
/* May it be asked? */
int container_check_pause(const Container *c, bool pause, Error *reterr);
/* Answers who waits for that: code 0, or why it has not come about. */
void waiters_answer(Container *c, WaitFor what, int code);
/* It goes on: of several requests, answers come in the order in which they were sent. */
void waiters_answer_resumed(Container *c);
void waiters_answer_end(Container *c);
void waiters_free(Container *c);

/* in bus-container.c */
extern const sd_bus_vtable container_vtable[];
/* a{sv}: all that is known, and what is `wanted` (container-usage.h) of what must be measured */
int container_append_properties(const Container *c, int cgroup_root_fd, uint32_t wanted,
                                sd_bus_message *m);
void container_changed(Container *c, const char *property); /* PropertiesChanged */
int container_object_find(sd_bus *bus, const char *path, const char *interface, void *userdata,
                          void **found, sd_bus_error *e);
int container_object_enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                               sd_bus_error *e);

/* in container-create.c */
/* The body of CreateContainer, authorised: reads the arguments of call, and replies when the container runs or has failed. */
int container_create(Manager *m, sd_bus_message *call, Error *reterr);
/* Ends the start of c with this error: replies, and removes c as soon as its supervisor has ended. */
void container_create_fail(Container *c, const Error *e);
void container_create_succeed(Container *c);
/* Gives up a start that waits, with no supervisor yet: replies that it was stopped; c goes a little later, and after PreStart= if that is
 * being run. -ENOMEM. */
int container_create_cancel(Container *c, Error *reterr);
Creation *creation_free(Creation *r);

/* in container-limits.c */
/* The body of SetContainerProperties, authorised; replies when systemd has. */
int body_set_properties(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
