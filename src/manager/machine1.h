/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine1: the containers as org.freedesktop.machine1, the interface of systemd-machined(8), so that machinectl(1) and all else that
 * knows it work with berth.
 *
 *   OWNER      nobody else has the name: berthd answers. Other programs, systemd-nspawn(1) for one, may then register what they run:
 *              such a *foreign* machine is a Container without a supervisor of ours.
 *   ELSEWHERE  systemd-machined runs: our containers are registered there, best effort, and berthd does not answer.
 *
 * All of it is on a bus connection of its own: the bus policy goes by all the names that a connection has, and machine1's lets everybody
 * read what that of org.berth.Containers1 keeps to root. */
#pragma once

#include "manager/access.h"
#include "manager/container.h"
#include "manager/shared-name.h"

#define MACHINE1_HOST ".host"
#define MACHINE1_INTERFACES_MAX 64U
#define MACHINE1_READS_MAX 64U
#define MACHINE1_PENDING_MAX 256U /* calls that wait for the bus driver or for a scope */

typedef struct Machine1Pending Machine1Pending;
typedef struct Machine1Creation Machine1Creation;
typedef struct Machine1Registration Machine1Registration;

struct Machine1 {
        Manager *manager;
        SharedName name;
        sd_event_source *show_source;  /* on while some are not told of yet */
        unsigned show_round;           /* counts who has had the name */
        Container *host;               /* ".host": not in the manager's map */
        struct VarlinkServer *varlink; /* while it is the owner */
        LIST_HEAD(Machine1Pending, pendings);
        unsigned n_pendings;
        LIST_HEAD(Machine1Registration,
                  registrations); /* at machined, that have not been answered */
        unsigned n_asked;
        unsigned n_reads; /* operations that anybody may start */
};

/* A machine that was registered by another program. */
struct Foreign {
        char *service, *class_name;
        char *subgroup; /* of its unit, that the leader was in at first */
        int32_t *interfaces;
        size_t n_interfaces;
        uid_t uid;
        sd_event_source *leader_source; /* its end is the machine's */
        Machine1Creation *creation;     /* until its scope is there */
};

int machine1_new(Manager *m, Machine1 **ret, Error *reterr);
Machine1 *machine1_free(Machine1 *m1);
/* Before the manager ends for lack of work: calls start a new one. */
void machine1_release(Machine1 *m1);
/* Something of the container has changed: it is shown once it has a leader, and until it has none any more. */
void machine1_update(Container *c);
void machine1_hide(Container *c);

/* ERROR_NO_SUCH_CONTAINER; what is not shown is not there. */
Container *machine1_find(Manager *m, const char *name, Error *reterr);
int machine1_path(const char *name, char **ret);
const char *machine1_class(const Container *c);
const char *machine1_service(const Container *c);

/* An error of machine1 that is none of ours. Returns 1: replied. */
int machine1_reply_error(sd_bus_message *call, const char *name, const char *format, ...)
        _printf_(3, 4);

/* ---- waiting: for who calls, for a scope ---- */

typedef int (*Machine1Caller)(Manager *m, sd_bus_message *call, const char *container, pid_t caller,
                              Error *reterr);
/* Has `then` called with the process that calls. It replies itself, or returns an error that is replied. */
int machine1_ask_caller(Manager *m, sd_bus_message *call, const char *container,
                        Machine1Caller then, Error *reterr);
void machine1_pending_free_all(Machine1 *m1);

/* ---- tables ---- */

typedef struct Machine1Method {
        Method method; /* of the Manager; its action is machined's, without prefix; NULL: open to all */
        const char
                *machine_member; /* the Machine's method that does the same; NULL: there is none */
        const char *own_action;  /* where machined's action is not installed */
} Machine1Method;
extern const Machine1Method machine1_methods[];
extern const sd_bus_vtable machine1_manager_vtable[], machine1_machine_vtable[],
        machine1_image_vtable[];

/* Every method of the Manager, of a machine (by its path) and of machine/self. */
int machine1_method(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error);
int machine1_begin(Manager *m, sd_bus_message *call, const char *container, Error *reterr);

/* in machine1-machine.c */
int machine1_object_find(sd_bus *bus, const char *path, const char *interface, void *userdata,
                         void **found, sd_bus_error *e);
int machine1_object_enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                              sd_bus_error *e);
int machine1_on_self(sd_bus_message *call, void *userdata, sd_bus_error *reterr_error);
uint64_t machine1_pidfd_id(const PidRef *p); /* 0: unknown */

/* in machine1-image.c */
int machine1_image_find(sd_bus *bus, const char *path, const char *interface, void *userdata,
                        void **found, sd_bus_error *e);
int machine1_image_enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                             sd_bus_error *e);
int body_get_image(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
/* Get and GetAll of an image's properties, which a worker finds out. */
int machine1_image_properties(sd_bus_message *call, void *userdata, sd_bus_error *reterr_error);
/* A method of an image's object: the Manager's `member`. */
int machine1_begin_image(Manager *m, sd_bus_message *call, const char *member, const char *image,
                         Error *reterr);

/* in machine1-map.c */
int body_machine_uid_shift(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_map_from_machine(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_map_to_machine(Manager *m, sd_bus_message *call, const char *container, Error *reterr);

/* in machine1-operation.c */
int body_machine_pty(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_machine_login(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_machine_shell(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_machine_root_directory(Manager *m, sd_bus_message *call, const char *container,
                                Error *reterr);
int body_machine_copy(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_machine_bind(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_machine_os_release(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_machine_addresses(Manager *m, sd_bus_message *call, const char *container, Error *reterr);

/* in machine1-register.c */
int body_register(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_unregister(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
Foreign *foreign_free(Foreign *f);
/* What container_request() does, for a foreign machine. */
int foreign_request(Container *c, ControlType type, Error *reterr);

typedef struct Registration {
        const char *name, *service, *class_name, *root_directory;
        const void *id; /* 16 bytes */
        size_t id_size; /* 0: none */
        const int32_t *interfaces;
        size_t n_interfaces;
        PidRef leader; /* taken; unset: to be opened */
        pid_t supervisor;
        uint64_t realtime; /* 0: now */
} Registration;
int foreign_new(Manager *m, Registration *r, Container **ret, Error *reterr);
/* The same with all that a stranger could get wrong: checked, and the leader held. */
int foreign_register(Manager *m, Registration *r, pid_t leader, Container **ret, Error *reterr);
int foreign_begin_or_free(Container *c, Error *reterr); /* foreign_begin() in any unit */
/* Its leader is in the unit (NULL: in any), and it is announced. -ENXIO: that is not so. */
int foreign_begin(Container *c, const char *unit);
/* The unit that a process is in, that unit's cgroup, and where in this the process is ("payload", or ""). -ENXIO: none. */
int foreign_find_unit(pid_t pid, char **ret_unit, char **ret_group, char **ret_subgroup);

/* in machine1-create.c: makes a scope for the leader, with the properties that call is at, and replies when it is there; or removes
 * the container and replies why not. */
int machine1_create_scope(Container *c, sd_bus_message *call, Error *reterr);
void machine1_creation_free(Machine1Creation *k);

/* in machine1-state.c: /run/systemd/machines, which libsystemd's sd_machine_*() and nss-mymachines read */
void machine1_state_save(const Container *c);
void machine1_state_remove(const Container *c);
void machine1_state_load(Manager *m); /* foreign machines of an earlier manager, or of machined */

/* in machine1-client.c: registering at systemd-machined */
void machine1_register_elsewhere(Machine1 *m1, Container *c);
/* Its supervisor's answer to CONNECT. */
void machine1_supervisor_connected(Container *c, const ControlMessage *m);
/* Its supervisor, that starts it anew, may go on when machined has forgotten it. */
void machine1_tell_when_unregistered(Container *c);
/* It has lost its link, or has one again. */
void machine1_link_changed(Container *c);
void machine1_registration_free(Container *c); /* if one is under way */
void machine1_registrations_free(Machine1 *m1);
void machine1_unregister_elsewhere(Machine1 *m1, const Container *c);
