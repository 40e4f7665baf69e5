/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A manager in a forked process, with a bus, a systemd and supervisors that are all made up. */
#pragma once

#include <dirent.h>
#include <limits.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/mount.h>

#include "bus/bus.h"
#include "bus/manager1.h"
#include "bus/names.h"
#include "fake/systemd1.h"
#include "ipc/control.h"
#include "manager/manager.h"
#include "spec/spec-text.h"
#include "sys/pidfd.h"
#include "sys/socket.h"

typedef struct Host {
        PrivateBus bus_daemon;
        char control[64], machines[64]; /* instead of those in /run */
        pid_t manager;
        sd_bus *bus; /* our own connection, as root */
} Host;

static inline _noreturn_ void host_manager_main(const Host *h, int ready_fd) {
        sd_event *event = NULL;
        sd_bus *bus = NULL;
        Manager *m = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        int fd = socket_listen_seqpacket(h->control, 0600);
        if (fd < 0 || sd_event_new(&event) < 0 || bus_connect_system(&bus, &e) < 0 ||
            sd_bus_attach_event(bus, event, 0) < 0 ||
            manager_new(event, bus, &fd, false, NULL, &m, &e) < 0 || manager_publish(m, &e) < 0 ||
            write(ready_fd, "", 1) != 1)
                _exit(1);
        int r = manager_run(m);
        manager_free(m);
        sd_bus_flush_close_unref(bus);
        sd_event_unref(event);
        _exit(r < 0 ? 1 : r);
}

static inline void host_manager_start(Host *h) {
        int p[2];
        char c;
        (void) unlink(h->control);
        ASSERT_OK(pipe2(p, O_CLOEXEC));
        h->manager = private_fork();
        ASSERT_OK(h->manager);
        if (h->manager == 0)
                host_manager_main(h, p[1]);
        close(p[1]);
        ASSERT_EQ(read(p[0], &c, 1), 1);
        close(p[0]);
        /* the name comes a little later */
        for (unsigned i = 0; i < 500 && sd_bus_get_name_creds(h->bus, BERTH_BUS_NAME, 0, NULL) < 0;
             i++)
                usleep(10000);
}

static bool missing_spawner, hanging_spawner; /* for the next host_start() */

/* The build tree's, for the manager's own. */
static inline void host_find_spawner(void) {
        char self[PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
        ASSERT_TRUE(n > 0);
        self[n] = '\0';
        if (hanging_spawner) { /* the program of the test stands in for it */
                ASSERT_OK(setenv("BERTH_SPAWNER", self, 1));
                return;
        }
        *strrchr(self, '/') = '\0';
        _cleanup_free_ char *path = strjoin(self, "/../../src/spawner/berth-spawner");
        ASSERT_OK(access(path, X_OK));
        ASSERT_OK(setenv("BERTH_SPAWNER", missing_spawner ? "/nonexistent/spawner" : path, 1));
}

static inline void host_start(Host *h) {
        Error e = ERROR_NULL;
        host_find_spawner();
        *h = (Host){ 0 };
        private_bus_start(&h->bus_daemon);
        (void) snprintf(h->control, sizeof(h->control), "%s/control", h->bus_daemon.directory);
        (void) snprintf(h->machines, sizeof(h->machines), "%s/machines", h->bus_daemon.directory);
        ASSERT_OK(setenv("BERTH_MACHINES", h->machines, 1));
        ASSERT_OK(setenv("BERTH_VARLINK", h->machines, 1));
        ASSERT_OK(bus_connect_system(&h->bus, &e));
        host_manager_start(h);
}

static inline void host_remove_machines(const Host *h) {
        DIR *d = opendir(h->machines);
        if (!d)
                return;
        for (const struct dirent *e; (e = readdir(d));)
                (void) unlinkat(dirfd(d), e->d_name, 0); /* not "." and ".." */
        (void) closedir(d);
        (void) rmdir(h->machines);
}

static inline void host_stop(Host *h) {
        sd_bus_flush_close_unref(h->bus);
        private_child_stop(&h->manager);
        (void) unlink(h->control);
        host_remove_machines(h);
        private_bus_stop(&h->bus_daemon);
}

/* ---- supervisors ---- */

typedef struct Supervisor {
        pid_t pid;
        int command_fd; /* one byte: see supervisor_command() */
} Supervisor;

static inline int spec_memfd(const char *name, bool sealed) {
        _cleanup_free_ char *text = NULL;
        ContainerSpec *spec = spec_new();
        if (!spec)
                return -ENOMEM;
        spec->name = strdup(name);
        spec->root.directory = strdup("/srv/root");
        if (startswith(name, "health-")) {
                spec->health.command = strdup("check \"a b\"");
                spec->health.interval_usec = USEC_PER_SEC;
                spec->health.retries = 2;
                spec->health.action = endswith(name, "-kill")   ? HEALTH_ACTION_KILL
                                      : endswith(name, "-stop") ? HEALTH_ACTION_STOP
                                                                : HEALTH_ACTION_NONE;
        }
        int r = spec_text_print(spec, true, &text);
        spec_free(spec);
        if (r < 0)
                return r;
        if (sealed)
                return memfd_new_sealed("spec", text, strlen(text));
        int fd = memfd_create("spec", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        return fd < 0 || fd_write_full(fd, text, strlen(text)) < 0 ? -errno : fd;
}

static inline int supervisor_connect(const char *control) {
        int fd = -ENOENT;
        for (unsigned i = 0; i < 300 && fd < 0; i++) {
                fd = socket_connect_seqpacket(control);
                if (fd < 0)
                        usleep(10000);
        }
        return fd;
}

static inline int supervisor_say_hello(int fd, const char *name, const char *phase, bool sealed) {
        _cleanup_free_ char *name_field = strjoin("NAME=", name),
                            *phase_field = strjoin("PHASE=", phase);
        char *const fields[] = { name_field,
                                 phase_field,
                                 (char *) "UNIT=machine-x.scope",
                                 (char *) (startswith(name, "odd")
                                                   ? "CGROUP=/odd\xff.scope"
                                                   : "CGROUP=/machine.slice/machine-x.scope"),
                                 (char *) "STARTED_USEC=1000000",
                                 (char *) "ID=0123456789abcdef0123456789abcdef",
                                 (char *) (startswith(name, "first") ? "FIRST=yes" : NULL),
                                 NULL };
        _cleanup_(pidref_done) PidRef self = PIDREF_NULL;
        if (fd < 0 || pidref_open(getpid(), &self) < 0)
                return -1;
        const int fds[] = { spec_memfd(startswith(name, "liar") ? "web" : name, sealed), self.fd };
        int r = control_send(fd, CONTROL_HELLO, fields, fds, streq(phase, "launching") ? 1 : 2);
        close(fds[0]);
        return r < 0 ? r : fd;
}

/* Connects and says HELLO. Returns the connection. */
static inline int supervisor_hello(const char *control, const char *name, const char *phase,
                                   bool sealed) {
        return supervisor_say_hello(supervisor_connect(control), name, phase, sealed);
}

static inline void supervisor_exited(int fd) {
        (void) control_send(fd, CONTROL_EXITED,
                            (char *const[]){ (char *) "REASON=exited", (char *) "STATUS=7", NULL },
                            NULL, 0);
        _exit(0);
}

static inline void supervisor_command(int fd, char command) {
        switch (command) {
        case 'r':
                (void) control_send(fd, CONTROL_READY, NULL, NULL, 0);
                break;
        case 't':
                (void) control_send(fd, CONTROL_STATUS,
                                    (char *const[]){ (char *) "TEXT=half way", NULL }, NULL, 0);
                break;
        case 's':
                (void) control_send(fd, CONTROL_STOPPING, NULL, NULL, 0);
                break;
        case 'b':
                (void) control_send(fd, CONTROL_RESTARTING, NULL, NULL, 0);
                break;
        case 'e':
                supervisor_exited(fd);
                break;
        case 'k':
                (void) control_send(fd, CONTROL_EXITED,
                                    (char *const[]){ (char *) "REASON=killed", (char *) "STATUS=9",
                                                     (char *) "OOM=yes", NULL },
                                    NULL, 0);
                _exit(0);
        case 'p':
                (void) control_send(fd, CONTROL_PAUSED, NULL, NULL, 0);
                break;
        case 'u':
                (void) control_send(fd, CONTROL_RESUMED, NULL, NULL, 0);
                break;
        case 'g': /* GO is never theirs */
                (void) control_send(fd, CONTROL_GO, NULL, NULL, 0);
                break;
        case 'x':
                (void) send(fd, "garbage", 7, MSG_NOSIGNAL);
                break;
        default:
                _exit(0);
        }
}

/* PAUSE is answered at once, by "stiff" only when it is told so (supervisor_command()), by "groupless" with an error; "slow" answers
 * RESUME, too, only when it is told so. */
static inline void supervisor_pause(int fd, const char *name, ControlType type) {
        if (startswith(name, "slow"))
                return;
        if (type == CONTROL_RESUME)
                (void) control_send(fd, CONTROL_RESUMED, NULL, NULL, 0);
        else if (startswith(name, "groupless"))
                (void) control_send(fd, CONTROL_RESUMED,
                                    (char *const[]){ (char *) "ERRNO=95", NULL }, NULL, 0);
        else if (!startswith(name, "stiff"))
                (void) control_send(fd, CONTROL_PAUSED, NULL, NULL, 0);
}

/* Connects to the made-up bus; "busless" cannot. */
static inline void supervisor_connect_bus(int fd, const char *name) {
        const char *path = startswith(getenv("DBUS_SYSTEM_BUS_ADDRESS"), "unix:path=");
        ASSERT_NOT_NULL(path);
        if (startswith(name, "busless")) {
                (void) control_send(fd, CONTROL_CONNECTED,
                                    (char *const[]){ (char *) "ERRNO=111", NULL }, NULL, 0);
                return;
        }
        int bus_fd = socket_connect(SOCK_STREAM, path);
        ASSERT_OK(bus_fd);
        (void) control_send(fd, CONTROL_CONNECTED, NULL, &bus_fd, 1);
        close(bus_fd);
}

/* Obeys its commands; STOP ends it, unless it is named "stubborn", the second one if "patient"; connects again when the manager
 * is gone. */
static inline _noreturn_ void supervisor_main(const char *control, const char *name,
                                              const char *phase, int command_fd) {
        int fd = supervisor_hello(control, name, phase, true);
        unsigned stops = startswith(name, "patient") ? 2 : 1;
        for (;;) {
                struct pollfd p[2] = { { .fd = command_fd, .events = POLLIN },
                                       { .fd = fd, .events = POLLIN } };
                (void) poll(p, 2, -1);
                char command;
                if (p[0].revents != 0) {
                        if (read(command_fd, &command, 1) != 1)
                                _exit(0);
                        supervisor_command(fd, command);
                        continue;
                }
                ControlMessage m = CONTROL_MESSAGE_NULL;
                int r = control_receive(fd, &m);
                if (r <= 0 && r != -EAGAIN) {
                        close(fd);
                        usleep(50000);
                        fd = supervisor_hello(control, name, phase, true);
                } else if (r > 0 && m.type == CONTROL_STOP && !startswith(name, "stubborn") &&
                           --stops == 0)
                        supervisor_exited(fd);
                else if (r > 0 && m.type == CONTROL_TERMINATE)
                        _exit(0);
                else if (r > 0 && IN_SET(m.type, CONTROL_PAUSE, CONTROL_RESUME))
                        supervisor_pause(fd, name, m.type);
                else if (r > 0 && m.type == CONTROL_CONNECT)
                        supervisor_connect_bus(fd, name);
                control_message_done(&m);
        }
}

static inline Supervisor supervisor_start(const Host *h, const char *name, const char *phase) {
        Supervisor s;
        int p[2];
        ASSERT_OK(pipe2(p, O_CLOEXEC));
        s.pid = private_fork();
        ASSERT_OK(s.pid);
        if (s.pid == 0) {
                close(p[1]);
                supervisor_main(h->control, name, phase, p[0]);
        }
        close(p[0]);
        s.command_fd = p[1];
        return s;
}

static inline void supervisor_send(const Supervisor *s, char command) {
        ASSERT_EQ(write(s->command_fd, &command, 1), 1);
}

static inline void supervisor_stop(Supervisor *s) {
        private_child_stop(&s->pid);
        s->command_fd = fd_close(s->command_fd);
}

/* Waits until the container has this state ("" : is gone). Returns what is known of it, or fails the test. */
static inline void expect_state(Host *h, const char *name, const char *state) {
        for (unsigned i = 0; i < 300; i++) {
                _cleanup_(container_info_done) ContainerInfo info = { 0 };
                _cleanup_error_ Error e = ERROR_NULL;
                int r = manager1_get(h->bus, name, &info, &e);
                if (r >= 0 ? streq(info.state, state)
                           : (e.id == ERROR_NO_SUCH_CONTAINER && state[0] == '\0'))
                        return;
                usleep(10000);
        }
        TEST_FAIL("'%s' does not become '%s'", name, state);
}

static inline void note_end(Error *e, void *userdata) {
        Error **at = userdata;
        static Error copy;
        copy = e ? *e : (Error) ERROR_NULL;
        if (e)
                *e = (Error) ERROR_NULL;
        *at = &copy;
}

/* StopContainer, waited for. */
static inline int stop_and_wait(sd_bus *bus, const char *name, usec_t timeout_usec, Error *reterr) {
        Error *end = NULL;
        StopCall call = { .done = note_end, .userdata = &end };
        int r = manager1_stop_begin(bus, name, timeout_usec, &call, reterr);
        while (r >= 0 && !end) {
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX);
        }
        sd_bus_slot_unref(call.slot);
        if (r < 0 || !error_is_set(end))
                return r < 0 ? r : 0;
        *reterr = *end;
        return reterr->code;
}
