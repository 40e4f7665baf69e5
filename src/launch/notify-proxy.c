/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the payload says by sd_notify(3), carried on to our service manager and to the links; and our own word to the service manager. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/parse.h"
#include "basic/str.h"
#include "ipc/notify.h"
#include "launch/supervisor.h"

#define NOTIFY_BURST \
        16 /* datagrams handled in one turn of the loop; the rest waits in the socket */

#define NOTIFY_WINDOW_USEC (200 * USEC_PER_MSEC)
#define NOTIFY_WINDOW_MAX 64
#define STATUS_FILE_MAX 16384U

static void send_formatted(char *text /* taken */) {
        if (text)
                (void) notify_send(
                        text); /* a service manager that does not listen is no reason to stop */
        free(text);
}

/* $WATCHDOG_USEC, if it is meant for us. */
static usec_t watchdog_from_environment(void) {
        const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
        uint64_t value;
        pid_t p;
        if (!usec || parse_u64(usec, &value) < 0 ||
            (pid && (parse_pid(pid, &p) < 0 || p != getpid())))
                return 0;
        return value / 2;
}

void payload_watchdog_arm(Supervisor *s) {
        s->payload_deadline_usec =
                s->payload_watchdog_usec == 0
                        ? USEC_INFINITY
                        : usec_add(now_usec(CLOCK_MONOTONIC), s->payload_watchdog_usec);
}

void payload_watchdog_check(Supervisor *s, usec_t now) {
        /* who is stopped, or rests, has nothing to say */
        if (now < s->payload_deadline_usec || s->freezing || s->state == STATE_STOPPING)
                return;
        s->payload_deadline_usec = USEC_INFINITY;
        s->watchdog_hit = true;
        log_error(
                "The payload of container '%s' did not say in time that it is well (WatchdogSec=), and is ended",
                s->spec->name);
        stop_abort(s);
}

/* sd_notify(3) */
static void hear_watchdog(Supervisor *s, const NotifyMessage *m) {
        if (m->watchdog_usec > 0)
                s->payload_watchdog_usec = m->watchdog_usec == USEC_INFINITY ? 0 : m->watchdog_usec;
        if (m->watchdog_trigger)
                s->payload_deadline_usec = 0;
        else if (s->ready && (m->watchdog || m->ready || m->watchdog_usec > 0))
                payload_watchdog_arm(s);
}

/* Something that its readiness waits for has not come yet. */
static bool is_awaited(const Supervisor *s) {
        return (s->spec->payload.notify_ready && !s->said_ready) ||
               (s->spec->health.gates_ready && !s->healthy);
}

static void set_ready(Supervisor *s) {
        s->ready = true;
        links_send(s, CONTROL_READY, NULL, NULL, 0);
        if (s->payload_watchdog_usec > 0)
                payload_watchdog_arm(s);
}

void notify_started(Supervisor *s) {
        s->payload_deadline_usec = USEC_INFINITY;
        s->payload_watchdog_usec = s->spec->payload.watchdog_usec == USEC_INFINITY
                                           ? 0
                                           : s->spec->payload.watchdog_usec;
        s->watchdog_usec = watchdog_from_environment();
        send_formatted(strf("%sSTATUS=Container running.\nX_BERTH_LEADER_PID=%d",
                            is_awaited(s) ? "" : "READY=1\n", s->leader.pid));
        if (!is_awaited(s))
                set_ready(s);
}

void notify_healthy(Supervisor *s) {
        s->healthy = true;
        if (s->ready || is_awaited(s))
                return;
        (void) notify_send("READY=1");
        set_ready(s);
}

static void forward(Supervisor *s, const NotifyMessage *m) {
        s->said_ready |= m->ready;
        if (m->ready && !s->ready && !is_awaited(s)) {
                send_formatted(strf("READY=1%s", m->status ? "" : "\nSTATUS=Container running."));
                set_ready(s);
        }
        if (m->status) {
                char *field = strf("TEXT=%s", m->status);
                send_formatted(strf("STATUS=Container running: %s", m->status));
                if (field)
                        links_send(s, CONTROL_STATUS, (char *const[]){ field, NULL }, NULL, 0);
                free(s->status_field);
                s->status_field = field;
        }
        hear_watchdog(s, m);
}

/* A payload may say much, but not so much that listening costs the host a processor. What does not fit waits in the socket,
 * and blocks its sender. */
static bool may_listen(Supervisor *s) {
        usec_t now = now_usec(CLOCK_MONOTONIC);
        if (now >= s->notify_window_usec + NOTIFY_WINDOW_USEC) {
                s->notify_window_usec = now;
                s->notify_count = 0;
        }
        if (s->notify_count++ < NOTIFY_WINDOW_MAX)
                return true;
        s->notify_pause_usec = s->notify_window_usec + NOTIFY_WINDOW_USEC;
        return false;
}

/* PID 2 of a PID namespace below ours? In /proc/PID/status "NSpid:" and its numbers, ours first (pid_namespaces(7)). */
static bool is_pid_two(pid_t pid) {
        char path[STRLEN("/proc//status") + 12], numbers[64];
        _cleanup_free_ char *text = NULL;
        (void) snprintf(path, sizeof(path), "/proc/%d/status", pid); /* both fit by their size */
        (void) snprintf(numbers, sizeof(numbers), "\nNSpid:\t%d\t2\n", pid);
        return file_read_all(AT_FDCWD, path, STATUS_FILE_MAX, &text, NULL) >= 0 &&
               strstr(text, numbers);
}

/* The payload's first process: below a stub init, which has nothing to say, PID 2. */
static bool is_listened_to(pid_t sender, void *userdata) {
        Supervisor *s = userdata;
        if (s->spec->payload.start != START_PID2)
                return sender == s->leader.pid;
        if (s->pid_two == 0 && is_pid_two(sender)) /* looked at once: the number stays */
                s->pid_two = sender;
        return sender == s->pid_two;
}

void notify_dispatch(Supervisor *s) {
        s->notify_pause_usec = 0;
        for (unsigned i = 0; i < NOTIFY_BURST; i++) {
                _cleanup_(notify_message_done) NotifyMessage m = { 0 };
                if (!may_listen(s))
                        return;
                if (notify_receive(s->rootfs.notify_fd, is_listened_to, s, &m) <= 0)
                        return;
                forward(s, &m);
        }
}

void notify_watchdog(Supervisor *s, usec_t now) {
        if (s->watchdog_usec == 0 || now < s->next_watchdog_usec)
                return;
        s->next_watchdog_usec = now + s->watchdog_usec;
        (void) notify_send("WATCHDOG=1"); /* if it is lost the next one tells */
}
