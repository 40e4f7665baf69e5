/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A server of Varlink (https://varlink.org), as newer clients of machine1 want it: machinectl(1) of systemd 261 asks here for a machine
 * before it powers one off, and systemd-nspawn(1) since 258 registers here. Objects of JSON with a NUL behind, over a stream socket.
 *
 * Bounded and never waiting: a connection's next call is read when its last answer has been taken. */
#pragma once

#include <sys/types.h>

#include "manager/machine1.h"
#include "manager/varlink-json.h"

#define VARLINK_CONNECTIONS_MAX 128U
#define VARLINK_CONNECTIONS_ROOT 32U     /* of these, kept for root */
#define VARLINK_CONNECTIONS_USER_MAX 32U /* of one user who is not root */
#define VARLINK_SOCKETS_MAX 1024U        /* of containers; others are told none */
#define VARLINK_MESSAGE_MAX (64U << 10)
#define VARLINK_ANSWER_MAX (4U << 20) /* of one call, all its parts */
#define VARLINK_STUCK_USEC \
        (30 *              \
         USEC_PER_SEC) /* who does not take his answer, or end his message, by then is dropped */

typedef struct VarlinkServer VarlinkServer;
typedef struct VarlinkConnection VarlinkConnection;

typedef struct VarlinkCall {
        Manager *manager;
        VarlinkConnection *connection;
        const char *machine;    /* whose own socket it came by; NULL: the common one */
        const char *method;     /* "io.systemd.Machine.List" */
        const Json *parameters; /* NULL: none */
        bool more;              /* the client takes any number of answers */
        uid_t uid;              /* who connected */
        pid_t pid;
} VarlinkCall;

/* On /run/systemd/machine/io.systemd.Machine, unless systemd listens there for machined: that is asked first. */
int varlink_new(Machine1 *m1, VarlinkServer **ret, Error *reterr);
VarlinkServer *varlink_free(VarlinkServer *v);
/* The socket of one machine, made when it is needed first. Its path is allocated. */
int varlink_machine_address(VarlinkServer *v, const Container *c, char **ret);
void varlink_machine_gone(VarlinkServer *v, const char *name);

/* Answers. parameters are taken; NULL: none. */
int varlink_reply(VarlinkCall *call, Json *parameters, bool continues);
int varlink_error(VarlinkCall *call, const char *name, Json *parameters);

/* in varlink-machine.c: answers the call, or returns a negative errno, which ends the connection. */
int varlink_dispatch(VarlinkCall *call);
