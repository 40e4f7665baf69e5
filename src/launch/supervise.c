/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The supervisor's loop: the leader's end, signals, links, the payload's notifications, the console. One poll(2), no threads. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "ipc/notify.h"
#include "launch/supervisor.h"

#define CONSOLE_RETRY_USEC \
        (100 * USEC_PER_MSEC) /* a console that nobody has open inside is looked at again */

#define IDLE_MSEC 250

enum {
        POLL_LEADER,
        POLL_SIGNAL,
        POLL_NOTIFY,
        POLL_LAUNCHER,
        POLL_MANAGER,
        POLL_MASTER,
        POLL_INPUT,
        POLL_OUTPUT,
        POLL_EVENTS,
        POLL_FROZEN,
        POLL_ATTACHED,
        _POLL_MAX
};

Ending ending_of(int code, int status, bool booted, bool in_unit, bool stop_requested) {
        if (code == CLD_EXITED)
                return (Ending){ "exited", status, status == 133 ? 1 : status, false };
        if (status ==
            SIGINT) /* reboot(RB_POWER_OFF) or RB_HALT_SYSTEM in a PID namespace, reboot(2) */
                return (Ending){ "poweroff", 0, 0, false };
        if (status == SIGHUP) /* reboot(RB_AUTOBOOT) */
                return (Ending){ "reboot", 0, in_unit ? 133 : 0, !in_unit };
        if (stop_requested) /* killed because it did not end by itself: the stop was asked for */
                return (Ending){ "killed", status, booted ? 1 : 128 + status, false };
        return (Ending){ "killed", status, booted ? 1 : 128 + status, false };
}

static void handle_signals(Supervisor *s) {
        struct signalfd_siginfo info;
        while (read(s->signal_fd, &info, sizeof(info)) == (ssize_t) sizeof(info))
                switch (info.ssi_signo) {
                case SIGTERM:
                case SIGINT:
                case SIGHUP:
                case SIGQUIT:
                        if (!links_is_stale_signal(s, &info))
                                stop_request(s, STOP_BY_SIGNAL);
                        break;
                case SIGWINCH:
                        console_resize(&s->console);
                        break;
                case SIGCHLD: /* the keeper, or a process that we were given; the leader is reaped by its pidfd */
                        for (;;) {
                                siginfo_t child = { 0 };
                                if (waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT) < 0 ||
                                    child.si_pid <= 0 || child.si_pid == s->leader.pid)
                                        break;
                                (void) waitid(P_PID, (id_t) child.si_pid, &child,
                                              WEXITED | WNOHANG); /* it is known to have ended */
                        }
                        break;
                default:
                        break;
                }
}

static void handle_link(Supervisor *s, Link *l) {
        _cleanup_(control_message_done) ControlMessage m = CONTROL_MESSAGE_NULL;
        if (link_receive(s, l, &m) <= 0)
                return;
        if (m.type == CONTROL_STOP)
                stop_request(s, l == &s->launcher ? STOP_BY_LAUNCHER : STOP_BY_MANAGER);
        else if (m.type == CONTROL_TERMINATE)
                stop_kill(s);
        else if (m.type == CONTROL_REBOOT)
                stop_reboot(s);
        else if (m.type == CONTROL_ATTACH && m.fds[0] >= 0)
                console_attach(&s->console, TAKE_FD(m.fds[0]),
                               streq(strempty(control_message_get(&m, "HISTORY")), "only"));
        else if (m.type == CONTROL_HEALTHY)
                notify_healthy(s);
        else if (m.type == CONTROL_CONNECT)
                links_connect_bus(s);
        else if (m.type == CONTROL_PAUSE)
                pause_begin(s);
        else if (m.type == CONTROL_RESUME)
                pause_end(s);
}

static void handle_console(Supervisor *s, bool input_ready, bool attached_ready) {
        console_forward(&s->console, input_ready, attached_ready);
        switch (console_take_request(&s->console)) {
        case CONSOLE_KILL:
                stop_kill(s);
                break;
        case CONSOLE_POWEROFF:
                stop_poweroff(s);
                break;
        case CONSOLE_REBOOT:
                stop_reboot(s);
                break;
        case CONSOLE_NOTHING:
                break;
        }
}

static void fill_console(const Console *c, struct pollfd *p, bool resting) {
        if (c->out && c->out->from_fd >= 0 && !resting) {
                if (c->out->size == 0)
                        p[POLL_MASTER] = (struct pollfd){ .fd = c->master_fd, .events = POLLIN };
                else
                        p[POLL_OUTPUT] = (struct pollfd){ .fd = c->out->to_fd, .events = POLLOUT };
        }
        const struct {
                const ConsoleStream *stream;
                size_t at;
        } inputs[] = { { c->in, POLL_INPUT }, { c->attached, POLL_ATTACHED } };
        for (size_t i = 0; i < ELEMENTSOF(inputs); i++) {
                const ConsoleStream *in = inputs[i].stream;
                if (!in || in->from_fd < 0)
                        continue;
                if (in->size == 0)
                        p[inputs[i].at] = (struct pollfd){ .fd = in->from_fd, .events = POLLIN };
                else if (p[POLL_MASTER].fd >= 0)
                        p[POLL_MASTER].events |= POLLOUT;
                else
                        p[POLL_MASTER] = (struct pollfd){ .fd = c->master_fd, .events = POLLOUT };
        }
}

/* Milliseconds until something is due by time. */
static int next_timeout(const Supervisor *s, usec_t now, bool console_rests) {
        usec_t next = MIN(s->kill_deadline_usec, s->stop_again_usec);
        if (s->manager.fd < 0)
                next = MIN(next, s->manager.retry_usec);
        if (s->watchdog_usec > 0)
                next = MIN(next, s->next_watchdog_usec);
        if (!s->freezing && s->state != STATE_STOPPING)
                next = MIN(next, s->payload_deadline_usec);
        if (s->notify_pause_usec > now)
                next = MIN(next, s->notify_pause_usec);
        if (console_rests)
                next = MIN(next, now + CONSOLE_RETRY_USEC);
        if (next == USEC_INFINITY)
                return -1;
        usec_t ms = next <= now ? 0 : (next - now) / USEC_PER_MSEC + 1;
        return ms > 3600000 ? 3600000 : (int) ms;
}

/* Looked at when the kernel says that something has changed, too: with its last process the cgroup may go before we can ask. */
static void check_memory_events(Supervisor *s) {
        char text[512] = "";
        if (s->events_fd < 0)
                return;
        if (pread(s->events_fd, text, sizeof(text) - 1, 0) <= 0) {
                s->events_fd = fd_close(s->events_fd); /* the cgroup is gone: no more news */
                return;
        }
        const char *count = strstr(text, "oom_kill ");
        if (count && strtoull(count + STRLEN("oom_kill "), NULL, 10) > 0)
                s->out_of_memory = true;
}

static void tell_ending(Supervisor *s, Ending *e) {
        _cleanup_strv_free_ char **fields = NULL;
        char name[16];
        int r = strv_extendf(&fields, "REASON=%s", e->reason);
        if (r >= 0)
                r = strv_extendf(&fields, "STATUS=%d", e->status);
        if (r >= 0)
                r = strv_extendf(&fields, "OOM=%s", s->out_of_memory ? "yes" : "no");
        if (e->restart && !links_send_restarting(s)) { /* a stop came in between */
                e->restart = false;
                e->exit_status = 0;
        }
        if (!e->restart && r >= 0)
                links_send(s, CONTROL_EXITED, fields, NULL, 0);

        if (s->out_of_memory)
                log_error(
                        "A process of container '%s' was killed by the kernel: out of memory (see MemoryMax=)",
                        s->spec->name);
        if (streq(e->reason, "killed") && s->stop_requests == 0)
                log_error("The payload of container '%s' was killed by %s", s->spec->name,
                          signal_to_string(e->status, name));
        else if (!s->spec->console.quiet && s->console.mode == CONSOLE_INTERACTIVE)
                log_info("Container '%s' has ended (%s)", s->spec->name, e->reason);
        (void) notify_send(e->exit_status == 133 || e->restart
                                   ? "STOPPING=1\nSTATUS=Restarting..."
                                   : "STOPPING=1\nSTATUS=Terminating...");
}

static int finish(Supervisor *s, const siginfo_t *info) {
        bool in_unit = s->spec->resources.cgroup == CGROUP_UNIT;
        Ending e = ending_of(info->si_code, info->si_status, s->spec->payload.start == START_BOOT,
                             in_unit, s->stop_requests > 0);
        if (s->watchdog_hit) { /* a failure, however it has ended */
                e.reason = "watchdog";
                e.restart = false;
                if (e.exit_status == 0 || e.exit_status == 133)
                        e.exit_status = 1;
        }
        if (e.restart && s->stop_requests > 0) { /* a reboot while it was told to stop is a stop */
                e.restart = false;
                e.exit_status = 0;
        }
        console_drain(s);
        console_done(&s->console); /* the terminal is itself again before anything is said */
        check_memory_events(s);
        tell_ending(s, &e);
        s->state = STATE_EXITED;
        s->restart = e.restart;
        return e.exit_status;
}

/* Waits; after a while in which nothing happened as one who has nothing to do. */
static int wait_for_something(struct pollfd *p, int timeout_msec) {
        if (timeout_msec >= 0 && timeout_msec <= IDLE_MSEC)
                return poll(p, _POLL_MAX, timeout_msec);
        int n = poll(p, _POLL_MAX, IDLE_MSEC);
        if (n != 0)
                return n;
        return idle_wait(p, _POLL_MAX, timeout_msec < 0 ? -1 : timeout_msec - IDLE_MSEC);
}

int supervise(Supervisor *s) {
        bool console_rests = false;
        s->next_watchdog_usec = now_usec(CLOCK_MONOTONIC);
        for (;;) {
                usec_t now = now_usec(CLOCK_MONOTONIC);
                stop_tick(s, now);
                links_retry(s);
                notify_watchdog(s, now);
                payload_watchdog_check(s, now);

                struct pollfd p[_POLL_MAX];
                for (size_t i = 0; i < _POLL_MAX; i++)
                        p[i] = (struct pollfd){ .fd = -1 };
                p[POLL_LEADER] = (struct pollfd){ .fd = s->leader.fd, .events = POLLIN };
                p[POLL_SIGNAL] = (struct pollfd){ .fd = s->signal_fd, .events = POLLIN };
                if (now >= s->notify_pause_usec)
                        p[POLL_NOTIFY] =
                                (struct pollfd){ .fd = s->rootfs.notify_fd, .events = POLLIN };
                p[POLL_EVENTS] = (struct pollfd){ .fd = s->events_fd, .events = POLLPRI };
                if (s->freezing)
                        p[POLL_FROZEN] = (struct pollfd){ .fd = s->frozen_fd, .events = POLLPRI };
                p[POLL_LAUNCHER] = (struct pollfd){ .fd = s->launcher.fd, .events = POLLIN };
                p[POLL_MANAGER] = (struct pollfd){ .fd = s->manager.fd, .events = POLLIN };
                fill_console(&s->console, p, console_rests);
                if (wait_for_something(p, next_timeout(s, now, console_rests)) < 0 &&
                    errno != EINTR) {
                        log_error_errno(-errno, "Waiting for container '%s' failed", s->spec->name);
                        stop_kill(s);
                }

                console_rests = false;
                if (p[POLL_EVENTS].revents)
                        check_memory_events(s);
                if (p[POLL_FROZEN].revents)
                        pause_check(s);
                if (p[POLL_NOTIFY].revents)
                        notify_dispatch(s);
                if (p[POLL_MASTER].revents || p[POLL_INPUT].revents || p[POLL_OUTPUT].revents ||
                    p[POLL_ATTACHED].revents)
                        handle_console(s, p[POLL_INPUT].revents, p[POLL_ATTACHED].revents);
                /* HUP without data: no slave is open inside */
                if ((p[POLL_MASTER].revents & POLLHUP) && !(p[POLL_MASTER].revents & POLLIN))
                        console_rests = true;
                if (p[POLL_LAUNCHER].revents)
                        handle_link(s, &s->launcher);
                if (p[POLL_MANAGER].revents)
                        handle_link(s, &s->manager);
                if (p[POLL_SIGNAL].revents)
                        handle_signals(s);
                if (p[POLL_LEADER].revents) {
                        siginfo_t info = { 0 };
                        notify_dispatch(s); /* what it said last */
                        if (pidref_wait(&s->leader, /* block= */ true, &info) > 0)
                                return finish(s, &info);
                }
        }
}
