/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* berthd as org.freedesktop.machine1 on a private bus, and beside a systemd-machined that is made up. */
#include "host.h"

#include <sys/prctl.h>

#include "basic/fd.h"
#include "ipc/worker.h"

/* The worker's side: this program stands in for it. Of "web" it tells, the file system of "hang" does not answer. */
static int stand_in(void) {
        static const char row[] = "web\0raw\0/var/lib/machines/web.raw\0no\0"
                                  "1\0"
                                  "2\0"
                                  "3\0"
                                  "4\0"
                                  "5\0"
                                  "6"; /* and its NUL */
        _cleanup_(worker_request_done) WorkerRequest r = { 0 };
        _cleanup_error_ Error e = ERROR_NULL;
        if (worker_request_read(WORKER_REQUEST_FD, &r) < 0)
                return 1;
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (streq(r.name, "hang")) {
                (void) alarm(60); /* it may be too late for the signal above */
                for (;;)
                        pause();
        }
        if (r.operation.type == OPERATION_IMAGE_DESCRIBE && streq(r.name, "web")) {
                int fd = memfd_new_sealed("row", row, sizeof(row));
                return fd < 0 || worker_answer(WORKER_LINK_FD, "", 0, &fd, 1) < 0;
        }
        (void) error_set(&e, -ENOENT, ERROR_ROOT_NOT_FOUND, "There is no image '%s'", r.name);
        return worker_answer_error(WORKER_LINK_FD, &e) < 0;
}

static int call(Host *h, const char *member, sd_bus_error *e, sd_bus_message **reply,
                const char *signature, ...) {
        va_list ap;
        va_start(ap, signature);
        int r = sd_bus_call_methodv(h->bus, MACHINE1_BUS_NAME, MACHINE1_MANAGER_PATH,
                                    MACHINE1_MANAGER_INTERFACE, member, e, reply, signature, ap);
        va_end(ap);
        return r;
}

#define ASSERT_FAILS(error_name, ...)                                             \
        do {                                                                      \
                _cleanup_(sd_bus_error_free) sd_bus_error _e = SD_BUS_ERROR_NULL; \
                Host *_h = &h;                                                    \
                ASSERT_TRUE(call_failing(_h, &_e, __VA_ARGS__) < 0);              \
                ASSERT_STREQ(_e.name, error_name);                                \
        } while (0)
#define call_failing(h, e, member, ...) call((h), (member), (e), NULL, __VA_ARGS__)

static void expect_owner(Host *h, pid_t pid) {
        for (unsigned i = 0; i < 800; i++) {
                _cleanup_(sd_bus_creds_unrefp) sd_bus_creds *creds = NULL;
                pid_t owner = 0;
                if (sd_bus_get_name_creds(h->bus, MACHINE1_BUS_NAME, SD_BUS_CREDS_PID, &creds) >=
                            0 &&
                    sd_bus_creds_get_pid(creds, &owner) >= 0 && owner == pid)
                        return;
                usleep(10000);
        }
        TEST_FAIL("process %d does not get the name", (int) pid);
}

/* "NAME CLASS SERVICE PATH" of the n-th machine; n = 0 is .host. */
static bool machine_is_listed(Host *h, const char *wanted) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *name, *class, *service, *path;
        ASSERT_OK(call(h, "ListMachines", NULL, &reply, NULL));
        ASSERT_OK(sd_bus_message_enter_container(reply, 'a', "(ssso)"));
        while (sd_bus_message_read(reply, "(ssso)", &name, &class, &service, &path) > 0) {
                _cleanup_free_ char *line = strjoin(name, " ", class, " ", service, " ", path);
                if (streq(line, wanted))
                        return true;
        }
        return false;
}

static bool state_has(const Host *h, const char *name, const char *line) {
        _cleanup_free_ char *path = strjoin(h->machines, "/", name), *text = NULL;
        return file_read_all(AT_FDCWD, path, 65536, &text, NULL) >= 0 && strstr(text, line);
}

TEST(looking) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *path;
        host_start(&h);
        expect_owner(&h, h.manager);
        ASSERT_TRUE(machine_is_listed(&h, ".host host  /org/freedesktop/machine1/machine/_2ehost"));
        s = supervisor_start(&h, "we-b.1", "running");
        expect_state(&h, "we-b.1", "running");
        ASSERT_TRUE(machine_is_listed(
                &h, "we-b.1 container berth /org/freedesktop/machine1/machine/we_2db_2e1"));
        ASSERT_OK(call(&h, "GetMachine", NULL, &reply, "s", "we-b.1"));
        ASSERT_OK(sd_bus_message_read(reply, "o", &path));
        ASSERT_STREQ(path, "/org/freedesktop/machine1/machine/we_2db_2e1");
        reply = sd_bus_message_unref(reply);
        ASSERT_OK(call(&h, "GetMachineByPID", NULL, &reply, "u", (uint32_t) s.pid));
        ASSERT_OK(sd_bus_message_read(reply, "o", &path));
        ASSERT_STREQ(path, "/org/freedesktop/machine1/machine/we_2db_2e1");

        ASSERT_FAILS("org.freedesktop.machine1.NoSuchMachine", "GetMachine", "s", "other");
        ASSERT_FAILS("org.freedesktop.machine1.NoSuchMachine", "GetMachine", "s", "../x");
        ASSERT_FAILS("org.freedesktop.machine1.NoSuchMachine", "GetMachine", "s", "");
        ASSERT_FAILS("org.freedesktop.machine1.NoMachineForPID", "GetMachineByPID", "u", 1U);
        ASSERT_FAILS("org.freedesktop.machine1.NoMachineForPID", "GetMachineByPID", "u",
                     0U); /* us */
        ASSERT_FAILS("org.freedesktop.machine1.NoMachineForPID", "GetMachineByPID", "u",
                     UINT32_MAX);
        ASSERT_FAILS("org.freedesktop.machine1.NoSuchImage", "GetImage", "s", "no-such-image");
        ASSERT_FAILS("org.freedesktop.machine1.NoSuchImage", "GetImage", "s", "a/b");
        ASSERT_FAILS("org.freedesktop.machine1.NoSuchImage", "RemoveImage", "s", "a/b");
        ASSERT_FAILS(SD_BUS_ERROR_NOT_SUPPORTED, "RemoveImage", "s", ".host");
        ASSERT_FAILS(SD_BUS_ERROR_INVALID_ARGS, "CleanPool", "s", "everything");
        ASSERT_FAILS(SD_BUS_ERROR_UNKNOWN_METHOD, "RegisterMachineEx2", "sa(sv)", "web", 0);
}

static int note_answer(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        unsigned *n = userdata;
        ++*n;
        return 0;
}

#define IMAGE_INTERFACE "org.freedesktop.machine1.Image"
#define IMAGE_PATH "/org/freedesktop/machine1/image/"

/* Only workers look at images: one that is on a file system which does not answer is waited for by those alone who ask for it. */
TEST(images) {
        _cleanup_(host_stop) Host h;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        const char *path, *missing[] = { IMAGE_PATH "no_2dsuch", IMAGE_PATH "hang" };
        _cleanup_free_ char *kind = NULL;
        sd_bus_message *none = NULL;
        unsigned n = 0;
        host_start(&h);
        expect_owner(&h, h.manager);
        for (size_t i = 0; i < 2; i++) /* the second is not answered */
                ASSERT_OK(sd_bus_call_method_async(
                        h.bus, NULL, MACHINE1_BUS_NAME, i == 0 ? MACHINE1_MANAGER_PATH : missing[1],
                        i == 0 ? MACHINE1_MANAGER_INTERFACE : "org.freedesktop.DBus.Properties",
                        i == 0 ? "GetImage" : "GetAll", note_answer, &n, "s",
                        i == 0 ? "hang" : IMAGE_INTERFACE));
        ASSERT_OK(call(&h, "GetImage", NULL, &reply, "s", "web"));
        ASSERT_OK(sd_bus_message_read(reply, "o", &path));
        ASSERT_STREQ(path, IMAGE_PATH "web");
        ASSERT_OK(sd_bus_get_property_string(h.bus, MACHINE1_BUS_NAME, path, IMAGE_INTERFACE,
                                             "Type", NULL, &kind));
        ASSERT_STREQ(kind, "raw");
        ASSERT_EQ(n, 0);

        /* one that is not there has no values */
        const char *const properties[] = { "Name", "ReadOnly", "Usage" };
        for (size_t i = 0; i < ELEMENTSOF(properties); i++) {
                sd_bus_error_free(&e);
                ASSERT_TRUE(sd_bus_get_property(h.bus, MACHINE1_BUS_NAME, missing[0],
                                                IMAGE_INTERFACE, properties[i], &e, &none,
                                                "s") < 0);
                ASSERT_STREQ(e.name, "org.freedesktop.machine1.NoSuchImage");
        }
        for (size_t i = 0; i < 2; i++) {
                sd_bus_error_free(&e);
                ASSERT_TRUE(sd_bus_call_method(h.bus, MACHINE1_BUS_NAME, missing[0],
                                               "org.freedesktop.DBus.Properties", "GetAll", &e,
                                               NULL, "s", i == 0 ? IMAGE_INTERFACE : "") < 0);
                ASSERT_STREQ(e.name, "org.freedesktop.machine1.NoSuchImage");
        }
        sd_bus_error_free(&e);
        ASSERT_TRUE(sd_bus_call_method(h.bus, MACHINE1_BUS_NAME, missing[0], IMAGE_INTERFACE,
                                       "GetHostname", &e, NULL, NULL) < 0);
        ASSERT_STREQ(e.name, "org.freedesktop.machine1.NoSuchImage");
        sd_bus_error_free(&e);
        ASSERT_TRUE(sd_bus_get_property(h.bus, MACHINE1_BUS_NAME, IMAGE_PATH "a_2fb",
                                        IMAGE_INTERFACE, "Name", &e, &none, "s") < 0);

        reply = sd_bus_message_unref(reply);
        ASSERT_OK(sd_bus_call_method(h.bus, MACHINE1_BUS_NAME, "/org/freedesktop/machine1/image",
                                     "org.freedesktop.DBus.Introspectable", "Introspect", NULL,
                                     &reply, NULL));
        ASSERT_OK(sd_bus_message_read(reply, "s", &path));
        ASSERT_CONTAINS(path, "<node name=\"_2ehost\"/>");
        ASSERT_EQ(n, 0);
}

TEST(not_wanted) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        ASSERT_OK(setenv("BERTH_MACHINE1", "no", 1));
        host_start(&h);
        ASSERT_OK(unsetenv("BERTH_MACHINE1"));
        s = supervisor_start(&h, "web", "running");
        expect_state(&h, "web", "running");
        ASSERT_FAILS(SD_BUS_ERROR_SERVICE_UNKNOWN, "GetMachine", "s", "web");
        ASSERT_FALSE(state_has(&h, "web", "NAME"));
}

TEST(host_itself) {
        _cleanup_(host_stop) Host h;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        host_start(&h);
        expect_owner(&h, h.manager);
        ASSERT_OK(call(&h, "GetMachineOSRelease", NULL, &reply, "s", ".host"));
        ASSERT_STREQ(sd_bus_message_get_signature(reply, true), "a{ss}");
        ASSERT_OK(sd_bus_message_enter_container(reply, 'a', "{ss}"));
        ASSERT_EQ(sd_bus_message_at_end(reply, false), 0);
        reply = sd_bus_message_unref(reply);
        ASSERT_OK(call(&h, "GetMachineAddresses", NULL, &reply, "s", ".host"));
        ASSERT_STREQ(sd_bus_message_get_signature(reply, true), "a(iay)");
        ASSERT_FAILS(SD_BUS_ERROR_NOT_SUPPORTED, "OpenMachineShell", "sssasas", ".host", "", "", 0,
                     0);
        ASSERT_FAILS(SD_BUS_ERROR_NOT_SUPPORTED, "CopyToMachine", "sss", ".host", "/a", "/b");
        ASSERT_FAILS(SD_BUS_ERROR_NOT_SUPPORTED, "OpenMachineRootDirectory", "s", ".host");
}

TEST(launching_is_not_running) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        host_start(&h);
        expect_owner(&h, h.manager);
        s = supervisor_start(&h, "web", "launching");
        expect_state(&h, "web", "launching");
        ASSERT_FAILS("org.freedesktop.machine1.NoSuchMachine", "GetMachine", "s", "web");
}

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        char **seen = userdata;
        const char *name, *path;
        ASSERT_OK(sd_bus_message_read(m, "so", &name, &path));
        char *more = strjoin(*seen, sd_bus_message_get_member(m), "(", name, " ", path, ") ");
        free(*seen);
        *seen = more;
        return 0;
}

static void pump(Host *h, usec_t usec) {
        const usec_t until = now_usec(CLOCK_MONOTONIC) + usec;
        while (now_usec(CLOCK_MONOTONIC) < until) {
                while (sd_bus_process(h->bus, NULL) > 0)
                        ;
                (void) sd_bus_wait(h->bus, 10 * USEC_PER_MSEC);
        }
}

TEST(signals_and_files) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        _cleanup_free_ char *seen = strdup("");
        char link[200], target[64] = "";
        host_start(&h);
        expect_owner(&h, h.manager);
        ASSERT_OK(sd_bus_match_signal(h.bus, NULL, MACHINE1_BUS_NAME, MACHINE1_MANAGER_PATH,
                                      MACHINE1_MANAGER_INTERFACE, NULL, on_signal, &seen));
        s = supervisor_start(&h, "web", "running");
        expect_state(&h, "web", "running");
        /* the manager hears later than the bus says so that the name is its own */
        for (unsigned i = 0; i < 300 && !state_has(&h, "web", "\nCLASS="); i++)
                usleep(10000);
        ASSERT_TRUE(state_has(&h, "web", "\nID=0123456789abcdef0123456789abcdef\n"));
        ASSERT_TRUE(state_has(&h, "web", "\nSCOPE=\"machine-x.scope\"\n"));
        ASSERT_TRUE(state_has(&h, "web", "\nCLASS=container\n"));
        (void) snprintf(link, sizeof(link), "%s/unit:machine-x.scope", h.machines);
        ASSERT_EQ(readlink(link, target, sizeof(target) - 1), 3);
        ASSERT_STREQ(target, "web");
        supervisor_send(&s, 'b'); /* a reboot: it is gone for others until it runs again */
        expect_state(&h, "web", "launching");
        ASSERT_FALSE(state_has(&h, "web", "NAME"));
        ASSERT_ERROR(access(link, F_OK) < 0 ? -errno : 0, ENOENT);
        pump(&h, 100 * USEC_PER_MSEC);
        ASSERT_STREQ(seen, "MachineNew(web /org/freedesktop/machine1/machine/web) "
                           "MachineRemoved(web /org/freedesktop/machine1/machine/web) ");
}

TEST(killing) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        host_start(&h);
        expect_owner(&h, h.manager);
        s = supervisor_start(&h, "web", "running");
        expect_state(&h, "web", "running");
        ASSERT_FAILS(SD_BUS_ERROR_INVALID_ARGS, "KillMachine", "ssi", "web", "nobody", 15);
        ASSERT_FAILS(SD_BUS_ERROR_INVALID_ARGS, "KillMachine", "ssi", "web", "leader", 0);
        ASSERT_FAILS(SD_BUS_ERROR_INVALID_ARGS, "KillMachine", "ssi", "web", "leader", 65);
        ASSERT_FAILS("org.freedesktop.machine1.NoSuchMachine", "KillMachine", "ssi", ".host",
                     "leader", 15);
        ASSERT_FAILS(SD_BUS_ERROR_NOT_SUPPORTED, "TerminateMachine", "s", ".host");
        ASSERT_FAILS(SD_BUS_ERROR_NOT_SUPPORTED, "UnregisterMachine", "s", "web");
        expect_state(&h, "web", "running");
        ASSERT_OK(call(&h, "KillMachine", NULL, NULL, "ssi", "web", "leader", SIGKILL));
        expect_state(&h, "web", "");
        supervisor_stop(&s);
        s = supervisor_start(&h, "web", "running");
        expect_state(&h, "web", "running");
        /* by its object, where the name is in the path */
        ASSERT_OK(sd_bus_call_method(h.bus, MACHINE1_BUS_NAME, MACHINE1_MACHINE_PATH_PREFIX "/web",
                                     MACHINE1_MACHINE_INTERFACE, "Terminate", NULL, NULL, NULL));
        expect_state(&h, "web", "");
}

TEST(wrong_registrations) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        host_start(&h);
        expect_owner(&h, h.manager);
        s = supervisor_start(&h, "web", "running");
        expect_state(&h, "web", "running");
        const uint32_t self = (uint32_t) getpid();
#define REGISTER "RegisterMachine", "sayssus"
        ASSERT_FAILS("org.freedesktop.machine1.MachineExists", REGISTER, "web", 0, "x", "container",
                     self, "/");
        ASSERT_FAILS("org.freedesktop.machine1.MachineExists", REGISTER, "w2", 0, "x", "container",
                     (uint32_t) s.pid, "/");
        ASSERT_FAILS(SD_BUS_ERROR_INVALID_ARGS, REGISTER, "../x", 0, "x", "container", self, "/");
        ASSERT_FAILS(SD_BUS_ERROR_INVALID_ARGS, REGISTER, ".host", 0, "x", "container", self, "/");
        ASSERT_FAILS(SD_BUS_ERROR_INVALID_ARGS, REGISTER, "w2", 3, 1, 2, 3, "x", "container", self,
                     "/");
        ASSERT_FAILS(SD_BUS_ERROR_INVALID_ARGS, REGISTER, "w2", 0, "x", "host", self, "/");
        ASSERT_FAILS(SD_BUS_ERROR_INVALID_ARGS, REGISTER, "w2", 0, "x", "container", self, "srv");
        ASSERT_FAILS(SD_BUS_ERROR_INVALID_ARGS, REGISTER, "w2", 0, "x", "container", 1U, "/");
        ASSERT_FAILS(SD_BUS_ERROR_INVALID_ARGS, REGISTER, "w2", 0, "x", "container", UINT32_MAX,
                     "/");
        ASSERT_FAILS(SD_BUS_ERROR_INVALID_ARGS, REGISTER, "w2", 0, "x", "container",
                     (uint32_t) h.manager, "/");
        /* this process is in no unit */
        ASSERT_FAILS(SD_BUS_ERROR_INVALID_ARGS, REGISTER, "w2", 0, "x", "container", self, "/");
        ASSERT_FAILS(SD_BUS_ERROR_INVALID_ARGS, REGISTER, "w2", 0, "x", "container", 0U, "/");
        ASSERT_FAILS(SD_BUS_ERROR_INVALID_ARGS, "CreateMachine", "sayssusa(sv)", "w2", 0, "x",
                     "container", self, "/", 1, "ExecStart", "s", "/bin/sh");
        ASSERT_FAILS("org.freedesktop.machine1.NoSuchMachine", "GetMachine", "s", "w2");
}

static int register_ex(Host *h, const char *name, const char *key, const char *type,
                       const void *value, char **ret_message) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        ASSERT_OK(sd_bus_message_new_method_call(h->bus, &m, MACHINE1_BUS_NAME,
                                                 MACHINE1_MANAGER_PATH, MACHINE1_MANAGER_INTERFACE,
                                                 "RegisterMachineEx"));
        ASSERT_OK(sd_bus_message_append(m, "s", name));
        ASSERT_OK(sd_bus_message_open_container(m, 'a', "(sv)"));
        ASSERT_OK(sd_bus_message_open_container(m, 'r', "sv"));
        ASSERT_OK(sd_bus_message_append(m, "s", key));
        ASSERT_OK(sd_bus_message_open_container(m, 'v', type));
        ASSERT_OK(sd_bus_message_append_basic(m, type[0], value));
        ASSERT_OK(sd_bus_message_close_container(m));
        ASSERT_OK(sd_bus_message_close_container(m));
        ASSERT_OK(sd_bus_message_close_container(m));
        int r = sd_bus_call(h->bus, m, 10 * USEC_PER_SEC, &e, NULL);
        *ret_message = strdup(strempty(e.message));
        return r;
}

/* With named properties; what is wrong with them is found before the leader's unit is. */
TEST(registrations_by_properties) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        _cleanup_(pidref_done) PidRef self = PIDREF_NULL, web = PIDREF_NULL;
        host_start(&h);
        expect_owner(&h, h.manager);
        s = supervisor_start(&h, "web", "running");
        expect_state(&h, "web", "running");
        ASSERT_OK(pidref_open(getpid(), &self));
        ASSERT_OK(pidref_open(s.pid, &web));
        const uint32_t one = 1, pid = (uint32_t) getpid();
        const uint64_t id = 1;
        const int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        const struct {
                const char *name, *key, *type;
                const void *value;
                const char *words;
        } cases[] = {
                { "w2", "Nonsense", "s", "x", "Unknown property 'Nonsense'" },
                { "w2", "Class", "u", &one, "Property 'Class' has the wrong type" },
                { "w2", "Class", "s", "host", "Invalid class 'host'" },
                { "../x", "Class", "s", "vm", "Invalid machine name" },
                { "w2", "RootDirectory", "s", "srv", "Invalid root directory 'srv'" },
                { "w2", "LeaderPID", "u", &one, "Process 1 cannot be the leader" },
                { "w2", "LeaderPIDFD", "h", &null_fd, "The leader cannot be watched" },
                { "w2", "LeaderPIDFD", "h", &web.fd, "is the leader of machine 'web'" },
                { "web", "LeaderPIDFD", "h", &self.fd, "'web'" },
                { "w2", "LeaderPIDFD", "h", &self.fd, "is in no unit of systemd" },
                { "w2", "LeaderPID", "u", &pid, "is in no unit of systemd" },
                { "w2", "LeaderPIDFDID", "t", &id, "is in no unit of systemd" }, /* of who calls */
                { "w2", "VSockCID", "u", &one, "is in no unit of systemd" },
        };
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *message = NULL;
                ASSERT_TRUE(register_ex(&h, cases[i].name, cases[i].key, cases[i].type,
                                        cases[i].value, &message) < 0);
                ASSERT_CONTAINS(message, cases[i].words);
        }
        close(null_fd);
        ASSERT_FAILS(SD_BUS_ERROR_INVALID_ARGS, "CreateMachineEx", "sa(sv)a(sv)", "w2", 1,
                     "LeaderPID", "u", pid, 1, "ExecStart", "s", "/bin/sh");
        ASSERT_FAILS(SD_BUS_ERROR_INVALID_ARGS, "RegisterMachineEx", "sa(sv)", "w2", 1, "Id", "ay",
                     1, 7);
        /* the number of a process that is another one by now */
        ASSERT_FAILS("System.Error.ESRCH", "RegisterMachineEx", "sa(sv)", "w2", 2, "LeaderPID", "u",
                     pid, "LeaderPIDFDID", "t", id);
        ASSERT_FAILS("org.freedesktop.machine1.NoSuchMachine", "GetMachine", "s", "w2");
}

TEST(strangers) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        host_start(&h);
        expect_owner(&h, h.manager);
        s = supervisor_start(&h, "web", "running");
        expect_state(&h, "web", "running");
        pid_t pid = fork();
        if (pid == 0) {
                sd_bus *bus = NULL;
                sd_bus_error e = SD_BUS_ERROR_NULL;
                Error ignored = ERROR_NULL;
                if (setgid(65534) < 0 || setuid(65534) < 0 ||
                    bus_connect_system(&bus, &ignored) < 0)
                        _exit(1);
                if (sd_bus_call_method(bus, MACHINE1_BUS_NAME, MACHINE1_MANAGER_PATH,
                                       MACHINE1_MANAGER_INTERFACE, "GetMachine", NULL, NULL, "s",
                                       "web") < 0)
                        _exit(2); /* this is open to all */
                if (sd_bus_call_method(bus, MACHINE1_BUS_NAME, MACHINE1_MANAGER_PATH,
                                       MACHINE1_MANAGER_INTERFACE, "TerminateMachine", &e, NULL,
                                       "s", "web") >= 0 ||
                    !sd_bus_error_has_name(&e, SD_BUS_ERROR_ACCESS_DENIED))
                        _exit(3);
                sd_bus_error_free(&e);
                if (sd_bus_call_method(bus, MACHINE1_BUS_NAME, MACHINE1_MANAGER_PATH,
                                       MACHINE1_MANAGER_INTERFACE, "RegisterMachine", &e, NULL,
                                       "sayssus", "mine", 0, "x", "container", 0U, "/") >= 0 ||
                    !sd_bus_error_has_name(&e, SD_BUS_ERROR_ACCESS_DENIED))
                        _exit(4);
                _exit(0);
        }
        int status = 0;
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        ASSERT_TRUE(WIFEXITED(status));
        ASSERT_EQ(WEXITSTATUS(status), 0);
        expect_state(&h, "web", "running");
}

/* ---- beside machined ---- */

static int on_register(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        const char *name, *service, *class, *root;
        uint32_t leader;
        const void *id;
        size_t size;
        FILE *f = fopen(userdata, "ae");
        ASSERT_NOT_NULL(f);
        if (streq(sd_bus_message_get_member(m), "UnregisterMachine")) {
                ASSERT_OK(sd_bus_message_read(m, "s", &name));
                (void) fprintf(f, "-%s\n", name);
        } else {
                ASSERT_OK(sd_bus_message_read(m, "s", &name));
                ASSERT_OK(sd_bus_message_read_array(m, 'y', &id, &size));
                ASSERT_OK(sd_bus_message_read(m, "ssus", &service, &class, &leader, &root));
                _cleanup_(sd_bus_creds_unrefp) sd_bus_creds *creds = NULL;
                pid_t who = 0;
                ASSERT_OK(sd_bus_query_sender_creds(m, SD_BUS_CREDS_PID, &creds));
                ASSERT_OK(sd_bus_creds_get_pid(creds, &who));
                (void) fprintf(f, "+%s %zu %s %s %s %d\n", name, size, service, class, root,
                               (int) who);
        }
        (void) fclose(f);
        return sd_bus_reply_method_return(m, NULL);
}

static const sd_bus_vtable fake_machined_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("RegisterMachineWithNetwork", "sayssusai", NULL, on_register,
                      SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("UnregisterMachine", "s", NULL, on_register, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static void expect_lines(const char *path, const char *wanted) {
        _cleanup_free_ char *text = NULL;
        for (unsigned i = 0; i < 300; i++) {
                text = mfree(text);
                if (file_read_all(AT_FDCWD, path, 65536, &text, NULL) >= 0 && streq(text, wanted))
                        return;
                usleep(10000);
        }
        ASSERT_STREQ(strempty(text), wanted);
}

static void expect_count(const char *path, const char *start, size_t wanted) {
        size_t n = 0;
        for (unsigned i = 0; i < 500; i++) {
                _cleanup_free_ char *text = NULL;
                n = 0;
                if (file_read_all(AT_FDCWD, path, 65536, &text, NULL) >= 0)
                        for (const char *p = text; (p = strstr(p, start)); p++)
                                n++;
                if (n == wanted)
                        return;
                usleep(10000);
        }
        ASSERT_EQ(n, wanted);
}

TEST(machined_runs) {
        _cleanup_(host_stop) Host h = { 0 };
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        char seen[] = "/tmp/berth-machined-XXXXXX";
        int fd = mkstemp(seen);
        ASSERT_OK(fd);
        close(fd);
        host_start(&h);
        expect_owner(&h, h.manager);
        private_child_stop(&h.manager);
        pid_t machined =
                private_service_start(MACHINE1_BUS_NAME, MACHINE1_MANAGER_PATH,
                                      MACHINE1_MANAGER_INTERFACE, fake_machined_vtable, seen);
        ASSERT_OK(machined);
        host_manager_start(&h);
        s = supervisor_start(&h, "web", "running");
        expect_state(&h, "web", "running");
        /* whom machined takes for the machine's supervisor: the process that connected */
        _cleanup_free_ char *line = strf("+web 16 berth container /srv/root %d\n", (int) s.pid);
        expect_lines(seen, line);
        ASSERT_FALSE(state_has(&h, "web", "NAME")); /* that is machined's to write */
        supervisor_send(&s, 'e');
        expect_state(&h, "web", "");
        _cleanup_free_ char *lines = strf("%s-web\n", line);
        expect_lines(seen, lines);

        /* one that cannot connect is not there, and holds up no other; nor does one that ends at once */
        Supervisor busless = supervisor_start(&h, "busless", "running"),
                   short_one = supervisor_start(&h, "short", "running");
        supervisor_send(&short_one, 'e');
        expect_state(&h, "busless", "running");
        expect_state(&h, "short", "");
        ASSERT_EQ(truncate(seen, 0), 0);
        Supervisor many[40];
        for (size_t i = 0; i < ELEMENTSOF(many); i++) {
                char name[16];
                (void) snprintf(name, sizeof(name), "many%zu", i);
                many[i] = supervisor_start(&h, name, "running");
        }
        expect_count(seen, "+many", ELEMENTSOF(many));
        expect_count(seen, "+busless", 0);
        for (size_t i = 0; i < ELEMENTSOF(many); i++)
                supervisor_stop(&many[i]);
        supervisor_stop(&busless);
        supervisor_stop(&short_one);

        /* it ends: some time later the name is berthd's, with all containers */
        supervisor_stop(&s);
        s = supervisor_start(&h, "other", "running");
        expect_state(&h, "other", "running");
        private_child_stop(&machined);
        expect_owner(&h, h.manager);
        ASSERT_TRUE(machine_is_listed(
                &h, "other container berth /org/freedesktop/machine1/machine/other"));
        ASSERT_TRUE(state_has(&h, "other", "\nSERVICE=\"berth\"\n"));
        (void) unlink(seen);
}

int main(int argc, char **argv) {
        char self[PATH_MAX] = "";
        if (argc > 0 && streq(argv[0], "berth-worker"))
                return stand_in();
        if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0 ||
            setenv("BERTH_WORKER", self, 1) < 0)
                return 1;
        return test_run_all(argc, argv);
}
