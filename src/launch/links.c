/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The two links: to whoever launched us (descriptor 4, until the start is over) and to the manager, which may come and go. It is tried
 * less and less often; a manager that says something (WELCOME at least) and is gone afterwards was well, and the next one is soon
 * there. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "ipc/spawn.h"
#include "launch/supervisor.h"
#include "sys/cgroup.h"

#define BACKOFF_FIRST_USEC (100 * USEC_PER_MSEC)
#define BACKOFF_LAST_USEC (10 * USEC_PER_SEC)
#define UNREGISTERED_TIMEOUT_USEC (2 * USEC_PER_SEC)

static void link_close(Link *l) {
        l->fd = fd_close(l->fd);
        if (!l->is_manager)
                return;
        l->backoff_usec = l->backoff_usec == 0 ? BACKOFF_FIRST_USEC
                                               : MIN(l->backoff_usec * 2, BACKOFF_LAST_USEC);
        l->retry_usec = usec_add(now_usec(CLOCK_MONOTONIC), l->backoff_usec);
}

static void link_send(Link *l, ControlType type, char *const *fields, const int *fds,
                      size_t n_fds) {
        if (l->fd < 0)
                return;
        int r = control_send(l->fd, type, fields, fds, n_fds);
        if (r < 0 &&
            r != -EAGAIN) { /* a peer that does not read misses messages; one that is gone is left */
                log_debug_errno(r, "Sending %s to the %s failed", control_type_to_string(type),
                                l->is_manager ? "manager" : "launcher");
                link_close(l);
        }
}

static void manager_connect(Supervisor *s) {
        int fd = socket_connect_seqpacket(CONTROL_SOCKET_PATH);
        if (fd < 0) {
                link_close(&s->manager);
                return;
        }
        s->manager.fd = fd;
        s->manager.retry_usec = USEC_INFINITY;
}

void links_open(Supervisor *s) {
        s->manager = (Link){ .fd = -EBADF, .is_manager = true, .retry_usec = USEC_INFINITY };
        manager_connect(s);
}

/* The first message on a manager link: all that a manager which knows nothing must know. */
void links_hello(Supervisor *s) {
        _cleanup_strv_free_ char **fields = NULL;
        _cleanup_free_ char *cgroup = NULL;
        char id[ID128_STRING_MAX];
        int fds[2] = { SUPERVISOR_SPEC_FD, s->leader.fd };
        const char *phase = s->state == STATE_RUNNING || s->state == STATE_STOPPING
                                    ? container_state_to_string(s->state)
                                    : "launching";

        if (s->manager.fd < 0)
                return;
        if (pidref_is_set(&s->leader) && s->payload_cgroup_fd >= 0)
                (void) cgroup_get_path(s->leader.pid, &cgroup); /* told when it is known */
        int r = strv_extendf(&fields, "NAME=%s", s->spec->name);
        if (r >= 0)
                r = strv_extendf(&fields, "PHASE=%s", phase);
        if (r >= 0)
                r = strv_extendf(&fields, "PID=%d", s->leader.pid);
        if (r >= 0 && s->unit)
                r = strv_extendf(&fields, "UNIT=%s", s->unit);
        if (r >= 0 && cgroup)
                r = strv_extendf(&fields, "CGROUP=%s", cgroup);
        if (r >= 0 && pidref_is_set(&s->leader))
                r = strv_extendf(&fields, "ID=%s", id128_to_string(s->rootfs.machine_id, id));
        if (r >= 0)
                r = strv_extendf(&fields, "STARTED_USEC=%llu",
                                 (unsigned long long) s->started_usec);
        if (r >= 0 && s->state == STATE_RUNNING && !s->manager_knows)
                r = strv_extendf(&fields, "FIRST=yes");
        if (r < 0)
                return; /* without memory there is no manager either; the next connection tries again */
        link_send(&s->manager, CONTROL_HELLO, fields, fds, pidref_is_set(&s->leader) ? 2 : 1);
        s->manager_knows = s->manager.fd >= 0 && s->state != STATE_LAUNCHING;
        if (s->ready)
                link_send(&s->manager, CONTROL_READY, NULL, NULL, 0);
        if (s->paused)
                link_send(&s->manager, CONTROL_PAUSED, NULL, NULL, 0);
        if (s->status_field)
                link_send(&s->manager, CONTROL_STATUS, (char *const[]){ s->status_field, NULL },
                          NULL, 0);
}

void links_retry(Supervisor *s) {
        if (s->manager.fd >= 0 || now_usec(CLOCK_MONOTONIC) < s->manager.retry_usec)
                return;
        manager_connect(s);
        links_hello(s);
}

void links_send(Supervisor *s, ControlType type, char *const *fields, const int *fds,
                size_t n_fds) {
        link_send(&s->launcher, type, fields, fds, n_fds);
        link_send(&s->manager, type, fields, fds, n_fds);
        if (type == CONTROL_STARTED && s->manager.fd >= 0)
                s->manager_knows = true;
}

void links_send_error(Supervisor *s, const Error *e) {
        if (s->launcher.fd >= 0)
                (void) control_send_error(s->launcher.fd, e); /* stderr has it as well */
        if (s->manager.fd >= 0)
                (void) control_send_error(s->manager.fd, e);
}

int link_receive(Supervisor *s, Link *l, ControlMessage *ret) {
        int r = control_receive(l->fd, ret);
        if (r == -EAGAIN)
                return 0;
        if (r <= 0) {
                if (r < 0)
                        log_warning_errno(r, "The %s sent what is no control message",
                                          l->is_manager ? "manager" : "launcher");
                link_close(l);
                return 0;
        }
        if (l->is_manager)
                l->backoff_usec = 0; /* it works */
        if (ret->type == _CONTROL_TYPE_MAX ||
            control_check(ret->type, TO_SUPERVISOR, s->state) < 0) {
                if (ret->type != _CONTROL_TYPE_MAX)
                        log_warning("Ignored %s, which has no place in state '%s'",
                                    control_type_to_string(ret->type),
                                    container_state_to_string(s->state));
                control_message_done(ret);
                return 0;
        }
        return 1;
}

void links_connect_bus(Supervisor *s) {
        _cleanup_strv_free_ char **fields = NULL;
        /* a bus that does not accept must not hold us up: a connect() that would wait fails with EAGAIN, unix(7) */
        _cleanup_close_ int fd = socket_connect(SOCK_STREAM | SOCK_NONBLOCK, CONTROL_BUS_PATH);

        if (fd < 0 && strv_extendf(&fields, "ERRNO=%d", -fd) < 0)
                return; /* the manager takes no answer for the same */
        s->is_registered = fd >= 0;
        link_send(&s->manager, CONTROL_CONNECTED, fields, &fd, fd >= 0 ? 1 : 0);
}

bool links_launcher_is_gone(const Supervisor *s) {
        struct pollfd p = { .fd = s->launcher.fd };
        return s->launcher.fd >= 0 && poll(&p, 1, 0) > 0 && (p.revents & POLLHUP) != 0;
}

#define MACHINED_COMM "systemd-machine\n" /* 15 characters at most */

/* systemd-machined's SIGTERM to the supervisor of a machine: it is to be terminated, or its leader has ended, perhaps to be started
 * anew. Whoever else has this name and may send us signals is root. */
static bool is_of_machined(const struct signalfd_siginfo *info) {
        char path[STRLEN("/proc//comm") + 12];
        _cleanup_free_ char *comm = NULL;
        if (info->ssi_signo != SIGTERM || info->ssi_uid != 0 || info->ssi_pid <= 1)
                return false;
        (void) snprintf(path, sizeof(path), "/proc/%u/comm", info->ssi_pid); /* fits by its size */
        return file_read_all(AT_FDCWD, path, 64, &comm, NULL) >= 0 && streq(comm, MACHINED_COMM);
}

bool links_is_stale_signal(const Supervisor *s, const struct signalfd_siginfo *info) {
        if (!is_of_machined(info))
                return false;
        return !pidref_is_alive(&s->leader);
}

bool signal_ends_start(Supervisor *s) {
        struct signalfd_siginfo info;
        while (read(s->signal_fd, &info, sizeof(info)) == (ssize_t) sizeof(info))
                if (IN_SET(info.ssi_signo, SIGTERM, SIGINT, SIGHUP, SIGQUIT) &&
                    !is_of_machined(&info)) /* of what ran here before */
                        return true;
        return false; /* SIGCHLD of the keeper, a new window size */
}

/* Until systemd-machined has forgotten the life that has ended, if it knew it. False: stop instead. Signals are taken at once: while
 * machined's SIGTERM is pending the kernel drops another one, which may be meant. */
static bool wait_unregistered(Supervisor *s) {
        const usec_t end = usec_add(now_usec(CLOCK_MONOTONIC), UNREGISTERED_TIMEOUT_USEC);
        if (!s->is_registered)
                return true;
        while (s->manager.fd >= 0) {
                struct pollfd p[] = { { .fd = s->manager.fd, .events = POLLIN },
                                      { .fd = s->signal_fd, .events = POLLIN } };
                const usec_t now = now_usec(CLOCK_MONOTONIC);
                if (now >= end ||
                    poll(p, ELEMENTSOF(p), (int) ((end - now) / USEC_PER_MSEC) + 1) <= 0)
                        break; /* then the risk is taken */
                if (p[1].revents && signal_ends_start(s))
                        return false;
                _cleanup_(control_message_done) ControlMessage m = CONTROL_MESSAGE_NULL;
                if (!p[0].revents || link_receive(s, &s->manager, &m) <= 0)
                        continue;
                if (m.type == CONTROL_UNREGISTERED)
                        break;
                if (IN_SET(m.type, CONTROL_STOP, CONTROL_TERMINATE))
                        return false;
        }
        return !signal_ends_start(s);
}

bool links_send_restarting(Supervisor *s) {
        link_send(&s->manager, CONTROL_RESTARTING, NULL, NULL, 0);
        /* The launcher asks for the next scope at once. machined 252 would stop that, which has the name of the old one. */
        bool go = wait_unregistered(s);
        if (go)
                link_send(&s->launcher, CONTROL_RESTARTING, NULL, NULL, 0);
        return go;
}

static int take_go(Supervisor *s, ControlMessage *m, Error *reterr) {
        s->go_cgroup_fd = TAKE_FD(m->fds[0]);
        if (s->go_cgroup_fd < 0)
                return error_set(reterr, -EPROTO, ERROR_PROTOCOL, "the launcher gave no cgroup");
        s->held = streq(strempty(control_message_get(m, "HOLD")), "yes");
        return free_and_strdup(&s->unit, control_message_get(m, "UNIT")) < 0 ? error_oom(reterr)
                                                                             : 0;
}

int links_wait_go(Supervisor *s, Error *reterr) {
        if (s->launcher.fd < 0)
                return error_set(reterr, -EPROTO, ERROR_PROTOCOL,
                                 "there is no launcher to wait for (descriptor %d is closed)",
                                 SUPERVISOR_LINK_FD);
        for (;;) {
                struct pollfd p[] = { { .fd = s->launcher.fd, .events = POLLIN },
                                      { .fd = s->signal_fd, .events = POLLIN } };
                if (poll(p, ELEMENTSOF(p), -1) < 0) {
                        if (errno == EINTR)
                                continue;
                        return error_set_errno(reterr, -errno, ERROR_SETUP_FAILED,
                                               "waiting for the scope failed");
                }
                if (p[1].revents && signal_ends_start(s))
                        return error_set(reterr, -EINTR, ERROR_FAILED, "interrupted by a signal");
                if (!p[0].revents)
                        continue;
                _cleanup_(control_message_done) ControlMessage m = CONTROL_MESSAGE_NULL;
                int r = link_receive(s, &s->launcher, &m);
                if (r == 0 && s->launcher.fd < 0)
                        return -ECANCELED; /* the launcher has told why: nothing to add */
                if (r > 0 && m.type == CONTROL_GO)
                        return take_go(s, &m, reterr);
                if (r > 0 && IN_SET(m.type, CONTROL_STOP, CONTROL_TERMINATE))
                        return error_set(reterr, -EINTR, ERROR_FAILED, "stopped before it ran");
        }
}
