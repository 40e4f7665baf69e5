/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sd_notify(3), both ends: sending to our service manager, receiving from the payload. */
#pragma once

#include "sys/pidfd.h"

#define NOTIFY_MESSAGE_MAX 4096 /* longer datagrams of a payload are dropped */

/* Sends text ("READY=1\nSTATUS=…") to $NOTIFY_SOCKET; 0 if there is none. Path and abstract addresses. */
int notify_send(const char *text);

/* The payload's socket: bound as `name` in the directory dir_fd (AT_FDCWD: `name` is a path), owner uid:gid (-1: ours),
 * writable for its owner's user only (mode 0777 & ~0577), SO_PASSCRED, non-blocking. Returns the fd. */
int notify_bind(int dir_fd, const char *name, uid_t uid, gid_t gid);

typedef struct NotifyMessage {
        bool ready, stopping, reloading, watchdog;
        bool has_exit_status;
        int exit_status;
        bool watchdog_trigger;  /* WATCHDOG=trigger */
        uint64_t watchdog_usec; /* WATCHDOG_USEC=, 0 if absent */
        char *status;      /* STATUS=, control characters escaped, at most 256 bytes; or NULL */
        int signals_level; /* X_SYSTEMD_SIGNALS_LEVEL=, 0 if absent */
} NotifyMessage;
void notify_message_done(NotifyMessage *m);
/* Whether a process is listened to. */
typedef bool (*NotifySenderCheck)(pid_t sender, void *userdata);
/* Reads one datagram. 1: from a process that is listened to, parsed; 0: nothing there, or dropped (wrong sender, too long, garbage;
 * descriptors in it are closed). Only known fields are looked at. */
int notify_receive(int fd, NotifySenderCheck listened_to, void *userdata, NotifyMessage *ret);
/* The parser alone, for tests and fuzzing. */
int notify_parse(const char *text, size_t n, NotifyMessage *ret);
