/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stopping: the kill signal first, SIGKILL for all of the payload at the second request or when the time is up. Never stuck. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "ipc/notify.h"
#include "launch/supervisor.h"

#define AGAIN_USEC (250 * USEC_PER_MSEC)

void stop_kill(Supervisor *s) {
        s->stop_requests = MAX(s->stop_requests, 2U);
        s->state = STATE_STOPPING;
        s->kill_deadline_usec = s->stop_again_usec = USEC_INFINITY;
        if (s->kill_fd >= 0)
                (void) !pwrite(s->kill_fd, "1", 1, 0); /* at once; what it misses goes with PID 1 */
        /* PID 1 of the PID namespace: the rest goes with it. Also after cgroup.kill, for somebody may have moved it elsewhere. */
        int r = pidref_kill(&s->leader, SIGKILL);
        if (r < 0 && r != -ESRCH)
                log_warning_errno(r, "Killing the payload failed");
}

/* A mask of /proc/PID/status ("SigCgt"). */
static uint64_t status_mask(const char *status, const char *name) {
        const char *p = strstr(status, name);
        return p ? strtoull(p + strlen(name), NULL, 16) : 0;
}

/* PID 1 never sees a signal that it neither catches nor blocks (for sigwait(3) and the like): pid_namespaces(7). Waiting for
 * one that ignores it is in vain. */
static bool payload_takes(const Supervisor *s, int sig) {
        char path[STRLEN("/proc//status") + 12];
        _cleanup_free_ char *text = NULL;
        (void) snprintf(path, sizeof(path), "/proc/%d/status",
                        s->leader.pid); /* fits by its size */
        if (file_read_all(AT_FDCWD, path, 16384, &text, NULL) < 0)
                return false;
        uint64_t taken = status_mask(text, "\nSigCgt:\t") | status_mask(text, "\nSigBlk:\t");
        return taken & (UINT64_C(1) << (sig - 1));
}

/* Sends the kill signal. An init that has just been started may not listen yet: then it is sent again a little later. */
static void stop_send(Supervisor *s) {
        usec_t now = now_usec(CLOCK_MONOTONIC);
        s->stop_again_usec = payload_takes(s, s->stop_signal) ? USEC_INFINITY : now + AGAIN_USEC;
        int r = pidref_kill(&s->leader, s->stop_signal);
        if (r < 0 && r != -ESRCH)
                stop_kill(s);
}

void stop_tick(Supervisor *s, usec_t now) {
        if (now >= s->kill_deadline_usec) {
                log_warning("Container '%s' did not stop in time and is killed", s->spec->name);
                stop_kill(s);
        } else if (now >= s->stop_again_usec)
                stop_send(s);
}

static void stop_with(Supervisor *s, StopOrigin origin, int sig) {
        if (s->stop_origins & (1U << origin)) { /* whoever asks twice has lost patience */
                stop_kill(s);
                return;
        }
        s->stop_origins |= 1U << origin;
        if (s->stop_requests++ > 0) /* "systemctl stop" after "berth stop", say */
                return;
        if (s->freezing)
                pause_end(s); /* else it would not hear the signal */
        s->state = STATE_STOPPING;
        (void) notify_send(
                "STOPPING=1\nSTATUS=Shutting down..."); /* without a service manager nobody asks */
        links_send(s, CONTROL_STOPPING, NULL, NULL, 0);
        s->kill_deadline_usec =
                usec_add(now_usec(CLOCK_MONOTONIC), s->spec->payload.stop_timeout_usec);
        s->stop_signal = sig;
        stop_send(s);
}

void stop_request(Supervisor *s, StopOrigin origin) {
        int sig = s->spec->payload.kill_signal;
        if (sig <= 0 && s->spec->payload.start == START_BOOT)
                sig = SIGRTMIN + 3;
        if (sig <= 0 && s->spec->payload.start == START_PID2)
                sig = SIGRTMIN + 4; /* the stub init's word for it */
        if (sig <= 0 && payload_takes(s, SIGTERM))
                sig = SIGTERM;
        if (sig <= 0)
                stop_kill(s);
        else
                stop_with(s, origin, sig);
}

void stop_abort(Supervisor *s) {
        if (payload_takes(s, SIGABRT))
                stop_with(s, STOP_BY_WATCHDOG, SIGABRT);
        else
                stop_kill(s); /* PID 1 without a handler does not get it: pid_namespaces(7) */
}

void stop_poweroff(Supervisor *s) {
        if (s->spec->payload.start == START_COMMAND)
                stop_request(s, STOP_BY_CONSOLE);
        else
                stop_with(s, STOP_BY_CONSOLE, SIGRTMIN + 4);
}

void stop_reboot(Supervisor *s) {
        if (s->freezing)
                pause_end(s);
        int r = pidref_kill(&s->leader, s->spec->payload.start == START_COMMAND ? SIGTERM : SIGINT);
        if (r < 0 && r != -ESRCH)
                log_warning_errno(r, "Asking the payload to reboot failed");
}
