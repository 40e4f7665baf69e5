/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations inside a container: each in a process of its own (berth-worker(8)) that joins the container's namespaces, does one
 * thing and reports one result. The manager never waits for one, never joins a namespace and never opens a container's file.
 *
 * An operation ends: with its result, with an error, when its time is over, or when its container or its caller is gone. Programs
 * (exec, shell, login) go on after the result, with a worker that waits for their end: it is told to whoever holds the status
 * descriptor, and ends the program when nobody does any more. */
#pragma once

#include "ipc/worker.h"
#include "manager/container.h"

#define OPERATIONS_MAX 1024U /* at a time */
/* Of these for one container, programs that run included. With sanitizers a worker takes so long to start that the first would have
 * given up before the last begins. */
#define OPERATIONS_CONTAINER_MAX (BERTH_SANITIZED ? 64U : 512U)
/* Of all of them for one user other than root, and what is left for root when users have taken the rest. */
#define OPERATIONS_USER_MAX 128U
#define OPERATIONS_ROOT_RESERVE 128U
/* For one of those who were not asked who they are: these are one user all together. */
#define OPERATIONS_SENDER_MAX 16U
#define OPERATION_ARGUMENTS_MAX (256U << 10) /* bytes of words and environment of a program */
#define OPERATION_FDS_MAX 3

typedef struct OperationResult {
        const char *text; /* see OperationType; size without a last NUL that is there too */
        size_t size;
        int fds[OPERATION_FDS_MAX]; /* -EBADF: none; borrowed, closed when the callback returns */
        const char *path;           /* of the terminal inside ("/dev/pts/3"), or NULL */
} OperationResult;

/* Called once, from the event loop, with either the result or an error. call: as given to operation_start(). */
typedef void (*OperationDone)(sd_bus_message *call, const OperationResult *result, const Error *e,
                              void *userdata);

/* Checks the request (names, paths, sizes: ERROR_INVALID_SETTING, ERROR_LIMIT_EXCEEDED; no payload yet: ERROR_FAILED), and starts the
 * worker. call (may be NULL) is held until done is called; when its sender leaves the bus before, the worker is killed and done is
 * called all the same. After a negative result done is not called. */
int operation_start(Container *c, const OperationRequest *q, sd_bus_message *call,
                    OperationDone done, void *userdata, Error *reterr);

/* The same for what is done with images, without a container: name is the image's ("": the pool). */
int operation_start_image(Manager *m, const OperationRequest *q, const char *name,
                          sd_bus_message *call, OperationDone done, void *userdata, Error *reterr);

/* Ends all operations of a container that goes; each one's done is called with ERROR_NO_SUCH_CONTAINER. */
void operations_end(Container *c);
/* The same without calls, at the manager's own end: programs go on, all else is killed. */
void operations_free(Manager *m);

/* What needs no process. The first id of the host that the container's range begins with: 0 without a user namespace, -ENXIO when the
 * mapping is not one simple shift. */
int operation_get_uid_shift(const Container *c, uid_t *ret, Error *reterr);

/* The values of a D-Bus answer, in bus-operation.c: a{ss} of OS_RELEASE, a(iay) of ADDRESSES, h of ROOT_DIRECTORY, … */
int operation_append_result(sd_bus_message *m, OperationType type, const OperationResult *result);

/* in bus-operation.c: bodies of the methods, for the table in bus-manager.c */
int details_exec(sd_bus_message *call, const char **ret_user, const char **ret_program,
                 Error *reterr);
int details_shell(sd_bus_message *call, const char **ret_user, const char **ret_program,
                  Error *reterr);
int body_exec(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_open_shell(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_open_login(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_open_root_directory(Manager *m, sd_bus_message *call, const char *container,
                             Error *reterr);
int body_get_os_release(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_get_addresses(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_get_uid_shift(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_copy_to(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_copy_from(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_copy_to_with(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_copy_from_with(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_bind(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_unbind(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_list_binds(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
