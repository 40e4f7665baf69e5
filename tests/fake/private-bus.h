/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A message bus of the test's own, open to all users, as this process's system bus; and services on it in forked processes. */
#pragma once

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "test.h"

typedef struct PrivateBus {
        char directory[32], socket[64], address[96];
        pid_t daemon;
} PrivateBus;

static const char private_bus_config[] =
        "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" "
        "\"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">"
        "<busconfig><type>system</type><listen>unix:path=%s/bus</listen><auth>EXTERNAL</auth>"
        "<limit name=\"max_replies_per_connection\">50000</limit>"
        "<policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/><allow send_type=\"method_call\"/>"
        "<allow send_requested_reply=\"true\" send_type=\"method_return\"/>"
        "<allow send_requested_reply=\"true\" send_type=\"error\"/><allow send_type=\"signal\"/>"
        "<allow receive_type=\"method_call\"/><allow receive_type=\"method_return\"/>"
        "<allow receive_type=\"error\"/><allow receive_type=\"signal\"/></policy></busconfig>";

/* A child that dies with us. */
static inline pid_t private_fork(void) {
        pid_t pid = fork();
        if (pid == 0)
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        return pid;
}

/* The socket's file is there before anybody listens on it. */
static inline int private_bus_connect(const PrivateBus *b) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        (void) snprintf(a.sun_path, sizeof(a.sun_path), "%s", b->socket);
        return fd < 0 || connect(fd, (const struct sockaddr *) &a, sizeof(a)) < 0 ? -errno : 0;
}

static inline void private_bus_start(PrivateBus *b) {
        *b = (PrivateBus){ .directory = "/tmp/berth-bus-XXXXXX" };
        ASSERT_NOT_NULL(mkdtemp(b->directory));
        ASSERT_OK(chmod(b->directory, 0755));
        (void) snprintf(b->socket, sizeof(b->socket), "%s/bus", b->directory);
        (void) snprintf(b->address, sizeof(b->address), "unix:path=%s", b->socket);
        _cleanup_free_ char *config = strf("%s/config", b->directory);
        FILE *f = fopen(config, "we");
        ASSERT_NOT_NULL(f);
        ASSERT_OK(fprintf(f, private_bus_config, b->directory));
        ASSERT_EQ(fclose(f), 0);
        b->daemon = private_fork();
        ASSERT_OK(b->daemon);
        if (b->daemon == 0) {
                _cleanup_free_ char *option = strjoin("--config-file=", config);
                int null_fd =
                        open("/dev/null",
                             O_RDWR | O_CLOEXEC); /* it complains about limits it cannot raise */
                if (null_fd >= 0)
                        (void) dup2(null_fd, STDERR_FILENO);
                execlp("dbus-daemon", "dbus-daemon", option, "--nofork", "--nopidfile", NULL);
                _exit(127);
        }
        int r = private_bus_connect(b);
        for (unsigned i = 0; i < 500 && r < 0; i++) {
                if (waitpid(b->daemon, NULL, WNOHANG) == b->daemon)
                        TEST_SKIP("dbus-daemon cannot be started here");
                usleep(10000);
                r = private_bus_connect(b);
        }
        ASSERT_OK(r);
        ASSERT_OK(setenv("DBUS_SYSTEM_BUS_ADDRESS", b->address, 1));
}

static inline void private_bus_stop(PrivateBus *b) {
        if (b->daemon > 0) {
                (void) kill(b->daemon, SIGKILL);
                (void) waitpid(b->daemon, NULL, 0);
                b->daemon = 0;
        }
        if (b->socket[0]) {
                _cleanup_free_ char *config = strf("%s/config", b->directory);
                (void) unlink(config);
                (void) unlink(b->socket);
                (void) rmdir(b->directory);
        }
}

static inline void private_child_stop(pid_t *pid) {
        if (*pid > 0) {
                (void) kill(*pid, SIGKILL);
                (void) waitpid(*pid, NULL, 0);
        }
        *pid = 0;
}

/* In a forked child: a service with one vtable that owns a name, until killed. Tells ready_fd. */
static inline _noreturn_ void private_service(const char *name, const char *path,
                                              const char *interface, const sd_bus_vtable *vtable,
                                              void *userdata, int ready_fd) {
        sd_event *event = NULL;
        sd_bus *bus = NULL;
        if (sd_event_new(&event) < 0 || sd_bus_open_system(&bus) < 0 ||
            sd_bus_attach_event(bus, event, 0) < 0 ||
            sd_bus_add_object_vtable(bus, NULL, path, interface, vtable, userdata) < 0 ||
            sd_bus_request_name(bus, name, 0) < 0 || write(ready_fd, "", 1) != 1)
                _exit(1);
        (void) sd_event_loop(event);
        _exit(0);
}

static inline pid_t private_service_start(const char *name, const char *path, const char *interface,
                                          const sd_bus_vtable *vtable, void *userdata) {
        int p[2];
        char c;
        if (pipe2(p, O_CLOEXEC) < 0)
                return -errno;
        pid_t pid = private_fork();
        if (pid == 0)
                private_service(name, path, interface, vtable, userdata, p[1]);
        close(p[1]);
        if (read(p[0], &c, 1) != 1)
                pid = -EIO;
        close(p[0]);
        return pid;
}
