/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The keeper as a process of its own, beside `berth run`: forked before that becomes the supervisor, ends with it.
 *
 * It is in a session of its own (a ^C in the terminal is not for it), and holds nothing of the caller's but stderr, and that only
 * until GO, for its own error. If it dies, the container goes on. */
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/strv.h"
#include "bus/bus.h"
#include "bus/keeper.h"
#include "bus/systemd1.h"
#include "sys/syscalls.h"

enum {
        KEEPER_LINK_FD = 3,
        KEEPER_BUS_FD = 4
};

static void release_stderr(void) {
        int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null_fd < 0)
                return;
        (void) fd_move_to(&null_fd, STDERR_FILENO,
                          true); /* at worst the caller's stderr stays open a little longer */
}

static void on_message(Keeper *k, const ControlMessage *m, void *userdata) {
        sd_event *event = userdata;
        if (!m) {
                (void) sd_event_exit(event, EXIT_SUCCESS);
                return;
        }
        if (m->type == CONTROL_GO)
                release_stderr();
        if (m->type == CONTROL_ERROR && keeper_has_failed(k)) {
                _cleanup_error_ Error e = ERROR_NULL;
                const char *text = control_message_get(m, "ERROR");
                if (text && error_deserialize(text, &e) >= 0)
                        log_error_object(LOG_ERR, &e);
                (void) sd_event_exit(event, EXIT_FAILURE);
        }
}

static int keeper_process(const ContainerSpec *spec, int *link_fd, int *bus_fd, BusKind kind,
                          Error *reterr) {
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(sd_bus_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(keeper_freep) Keeper *k = NULL;

        int r = sd_event_new(&event);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                                       "Making an event loop failed");
        r = bus_open_fd(bus_fd, kind, &bus, reterr);
        if (r < 0)
                return r;
        r = sd_bus_attach_event(bus, event, 0);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_BUS_FAILED, "Watching the bus failed");
        r = keeper_new(event, bus, spec, link_fd, on_message, event, &k, reterr);
        if (r < 0)
                return r;
        keeper_allow_overlap(k);
        r = keeper_start(k, reterr);
        if (r < 0)
                return r;
        r = sd_event_loop(event);
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED, "The keeper of '%s' failed",
                                       spec->name)
                     : r;
}

static void reset_signals(void) {
        sigset_t none;
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD };
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                (void) signal(signals[i], SIG_DFL);
        (void) signal(SIGPIPE, SIG_IGN);
}

static _noreturn_ void keeper_child(const ContainerSpec *spec, int link_fd, int bus_fd,
                                    BusKind kind) {
        _cleanup_error_ Error e = ERROR_NULL;
        (void) setsid(); /* fails only for a group leader, which a fresh child is not */
        (void) prctl(PR_SET_NAME, "berth-keeper");
        reset_signals();

        int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        int r = null_fd < 0 ? -errno : fd_move_to(&null_fd, STDIN_FILENO, true);
        if (r >= 0)
                r = dup3(STDIN_FILENO, STDOUT_FILENO, O_CLOEXEC) < 0 ? -errno : 0;
        if (r >= 0 && bus_fd == KEEPER_LINK_FD) {
                bus_fd = fcntl(bus_fd, F_DUPFD_CLOEXEC, KEEPER_BUS_FD + 1);
                r = bus_fd < 0 ? -errno : 0;
        }
        if (r >= 0 && link_fd != KEEPER_LINK_FD)
                r = fd_move_to(&link_fd, KEEPER_LINK_FD, true);
        if (r >= 0 && bus_fd != KEEPER_BUS_FD)
                r = fd_move_to(&bus_fd, KEEPER_BUS_FD, true);
        if (r >= 0)
                r = sys_close_range(KEEPER_BUS_FD + 1, ~0U, 0) < 0 ? -errno : 0;
        if (r < 0)
                (void) error_set_errno(&e, r, ERROR_SETUP_FAILED,
                                       "Arranging the keeper's descriptors failed");
        else {
                link_fd = KEEPER_LINK_FD;
                bus_fd = KEEPER_BUS_FD;
                r = keeper_process(spec, &link_fd, &bus_fd, kind, &e);
        }
        if (error_is_set(&e))
                log_error_object(LOG_ERR, &e);
        _exit(r < 0 ? EXIT_FAILURE : r);
}

int keeper_fork(const ContainerSpec *spec, int *ret_supervisor_link_fd, Error *reterr) {
        if (!systemd_is_running()) {
                int r = error_set(reterr, -EOPNOTSUPP, ERROR_NO_SYSTEMD,
                                  "systemd is not running, it cannot make a scope for '%s'",
                                  spec->name);
                return r;
        }
        STRV_FOREACH(p, spec->resources.properties) {
                int r = systemd1_check_property(*p, reterr);
                if (r < 0)
                        return r;
        }

        BusKind kind;
        _cleanup_close_ int bus_fd = bus_connect_fd(&kind, reterr);
        if (bus_fd < 0)
                return bus_fd;
        _cleanup_close_pair_ int link[2] = PAIR_EBADF;
        int r = socket_pair_seqpacket(link);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                                       "Making a link to the keeper of '%s' failed", spec->name);
        pid_t pid = fork();
        if (pid < 0)
                return error_set_errno(reterr, -errno, ERROR_SETUP_FAILED,
                                       "Starting the keeper of '%s' failed", spec->name);
        if (pid == 0) {
                link[0] = fd_close(link[0]);
                keeper_child(spec, link[1], bus_fd, kind);
        }
        *ret_supervisor_link_fd = TAKE_FD(link[0]);
        return 0;
}
