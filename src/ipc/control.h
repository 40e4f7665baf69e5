/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages between a supervisor and those who start and watch it: the launcher link (descriptor 4) and the manager link
 * (CONTROL_SOCKET_PATH). One SEQPACKET message each: a header, then "KEY=value\n" lines with C-escaped values, and at most
 * SOCKET_MAX_FDS descriptors. Text costs microseconds and lets an old supervisor talk to a newer manager.
 * docs/contracts.md has the table of messages. */
#pragma once

#include "basic/error.h"
#include "basic/macros.h"
#include "basic/strtable.h"
#include "sys/socket.h"

#define CONTROL_SOCKET_PATH "/run/berth/control"
#define NAME_LOCK_DIRECTORY "/run/berth/names"         /* lock_take(): who has a name */
#define CONTROL_BUS_PATH "/run/dbus/system_bus_socket" /* CONNECT */
#define CONTROL_VERSION 1
#define CONTROL_MESSAGE_MAX 8192 /* bytes of one message; the spec travels as a descriptor */

typedef enum ControlType {
        CONTROL_GO,
        CONTROL_STARTED,
        CONTROL_HELLO,
        CONTROL_READY,
        CONTROL_STATUS,
        CONTROL_STOPPING,
        CONTROL_RESTARTING,
        CONTROL_EXITED,
        CONTROL_ERROR,
        CONTROL_STOP,
        CONTROL_TERMINATE,
        CONTROL_REBOOT,
        CONTROL_PAUSE,
        CONTROL_RESUME,
        CONTROL_ATTACH, /* a stream socket for the console's bytes; HISTORY=only: what was last, and no more */
        CONTROL_PAUSED,
        CONTROL_RESUMED, /* or could not be paused: ERRNO= */
        CONTROL_WELCOME, /* the HELLO of one that connects again was heard */
        CONTROL_CONNECT, /* to the system bus: what is asked there in this connection's name, the supervisor asks */
        CONTROL_HEALTHY,      /* a health check has succeeded */
        CONTROL_UNREGISTERED, /* systemd-machined knows the payload that has ended no more */
        CONTROL_CONNECTED,    /* the connection, a stream socket; or none: ERRNO= */
        _CONTROL_TYPE_MAX,
        _CONTROL_TYPE_INVALID = -EINVAL,
} ControlType;
DECLARE_STRING_TABLE_LOOKUP(control_type, ControlType);

/* Container states: in code, on D-Bus (State), in logs and in the manual. */
typedef enum ContainerState {
        STATE_COMPILING,
        STATE_SPAWNING,
        STATE_SCOPING,
        STATE_LAUNCHING,
        STATE_RUNNING,
        STATE_STOPPING,
        STATE_EXITED,
        STATE_FAILED,
        _CONTAINER_STATE_MAX,
        _CONTAINER_STATE_INVALID = -EINVAL,
} ContainerState;
DECLARE_STRING_TABLE_LOOKUP(container_state, ContainerState);

typedef struct ControlMessage {
        ControlType type; /* _CONTROL_TYPE_MAX for a type of a newer peer: ignore the message */
        char **fields;    /* "KEY=value", unescaped */
        int fds[SOCKET_MAX_FDS]; /* owned; -EBADF where there is none */
} ControlMessage;
#define CONTROL_MESSAGE_NULL                              \
        {                                                 \
                .fds = { -EBADF, -EBADF, -EBADF, -EBADF } \
        }

void control_message_done(ControlMessage *m);
const char *control_message_get(const ControlMessage *m, const char *key); /* or NULL */

/* Sends; fields may be NULL. 0, -EAGAIN (peer does not read), -EPIPE, -EMSGSIZE. */
int control_send(int fd, ControlType type, char *const *fields, const int *fds, size_t n_fds);
int control_send_error(int fd, const Error *e);
/* Receives one message. 1, 0 at the end of the stream, -EAGAIN, -EBADMSG for what is not a message of ours. */
int control_receive(int fd, ControlMessage *ret);

/* Who may send what, and when: one row a message. */
typedef enum ControlDirection {
        TO_SUPERVISOR,
        FROM_SUPERVISOR
} ControlDirection;
/* 0, or -EPROTO if a message of this type must not come this way in this state (the caller names the peer). */
int control_check(ControlType type, ControlDirection direction, ContainerState state);
