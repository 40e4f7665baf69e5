/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* berthd on a private bus: what it learns from supervisors, what it tells, and whom it obeys. */
#include "host.h"

#include <libgen.h>
#include <sys/resource.h>

TEST(hello_and_properties) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        _cleanup_(container_info_done) ContainerInfo info = { 0 };
        Error e = ERROR_NULL;
        host_start(&h);
        s = supervisor_start(&h, "web", "running");
        expect_state(&h, "web", "running");
        ASSERT_OK(manager1_get(h.bus, "web", &info, &e));
        ASSERT_STREQ(info.name, "web");
        ASSERT_STREQ(info.root_directory, "/srv/root");
        ASSERT_STREQ(info.result, "");
        ASSERT_EQ(info.supervisor, s.pid);
        ASSERT_EQ(info.leader, s.pid);
        ASSERT_EQ(info.started_usec, 1000000);
        ASSERT_STREQ(info.id,
                     "0123456789abcdef0123456789abcdef"); /* though the description has none */
        ASSERT_FALSE(info.ready);

        supervisor_send(&s, 'r');
        supervisor_send(&s, 't');
        supervisor_send(&s, 's');
        expect_state(&h, "web", "stopping");
        container_info_done(&info);
        ASSERT_OK(manager1_get(h.bus, "web", &info, &e));
        ASSERT_TRUE(info.ready);
        ASSERT_STREQ(info.status_text, "half way");
        supervisor_send(&s, 'e');
        expect_state(&h, "web", "");
}

TEST(many) {
        _cleanup_(host_stop) Host h;
        Supervisor s[20];
        ContainerInfo *list;
        size_t n = 0;
        Error e = ERROR_NULL;
        host_start(&h);
        ASSERT_OK(manager1_list(h.bus, &list, &n, &e));
        ASSERT_EQ(n, 0);
        free(list);
        for (size_t i = 0; i < ELEMENTSOF(s); i++) {
                char name[16];
                (void) snprintf(name, sizeof(name), "c%zu", i);
                s[i] = supervisor_start(&h, name, "running");
                expect_state(&h, name, "running");
        }
        ASSERT_OK(manager1_list(h.bus, &list, &n, &e));
        ASSERT_EQ(n, ELEMENTSOF(s));
        ASSERT_STREQ(list[3].name, "c3");
        ASSERT_EQ(list[3].supervisor, s[3].pid);
        for (size_t i = 0; i < n; i++) {
                container_info_done(&list[i]);
                supervisor_stop(&s[i]);
        }
        free(list);
        expect_state(&h, "c19", ""); /* killed supervisors are noticed */
}

TEST(restarted_manager_learns_again) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        host_start(&h);
        s = supervisor_start(&h, "web", "running");
        expect_state(&h, "web", "running");
        private_child_stop(&h.manager); /* SIGKILL */
        host_manager_start(&h);
        expect_state(&h, "web", "running");
}

TEST(lost_connection_is_made_again) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        host_start(&h);
        s = supervisor_start(&h, "web", "running");
        expect_state(&h, "web", "running");
        supervisor_send(&s, 'x'); /* the manager hangs up on garbage, the container stays */
        usleep(200000);
        supervisor_send(&s, 's');
        expect_state(&h, "web", "stopping");
}

TEST(wrong_messages) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        host_start(&h);
        static const struct {
                const char *name, *phase;
                bool sealed;
        } bad[] = {
                { "../x", "running", true }, { "web", "exited", true },
                { "web", "nonsense", true }, { "web", "running", false },
                { "liar", "running", true },
        };
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                char byte;
                int fd = supervisor_hello(h.control, bad[i].name, bad[i].phase, bad[i].sealed);
                ASSERT_OK(fd);
                struct pollfd p = { .fd = fd, .events = POLLIN };
                ASSERT_EQ(poll(&p, 1, 3000), 1);
                ASSERT_EQ(recv(fd, &byte, 1, MSG_DONTWAIT), 0); /* hung up */
                close(fd);
        }
        s = supervisor_start(&h, "web", "running"); /* still at work */
        expect_state(&h, "web", "running");
        supervisor_send(&s, 'g'); /* hung up on, connects again */
        usleep(200000);
        supervisor_send(&s, 's');
        expect_state(&h, "web", "stopping");
}

TEST(name_is_taken) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        _cleanup_(container_info_done) ContainerInfo info = { 0 };
        Error e = ERROR_NULL;
        host_start(&h);
        s = supervisor_start(&h, "web", "running");
        expect_state(&h, "web", "running");
        int fd = supervisor_hello(h.control, "web", "running", true);
        struct pollfd p = { .fd = fd, .events = POLLIN };
        ASSERT_EQ(poll(&p, 1, 3000), 1);
        close(fd);
        ASSERT_OK(manager1_get(h.bus, "web", &info, &e));
        ASSERT_EQ(info.supervisor, s.pid);
}

TEST(stop) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF },
                                              t = { .command_fd = -EBADF },
                                              u = { .command_fd = -EBADF };
        _cleanup_error_ Error e = ERROR_NULL, late = ERROR_NULL, none = ERROR_NULL;
        host_start(&h);
        s = supervisor_start(&h, "web", "running");
        t = supervisor_start(&h, "stubborn", "running");
        expect_state(&h, "web", "running");
        expect_state(&h, "stubborn", "running");
        ASSERT_OK(manager1_stop(h.bus, "web", USEC_INFINITY, &e));
        expect_state(&h, "web", ""); /* stop answers when it has ended */
        ASSERT_TRUE(manager1_stop(h.bus, "stubborn", 300 * USEC_PER_MSEC, &late) < 0);
        ASSERT_EQ(late.id, ERROR_TIMEOUT);
        ASSERT_CONTAINS(late.message, "'stubborn'");
        ASSERT_OK(manager1_terminate(h.bus, "stubborn", &e));
        expect_state(&h, "stubborn", "");
        u = supervisor_start(&h, "web", "running");
        expect_state(&h, "web", "running");
        ASSERT_OK(manager1_stop(h.bus, "web", USEC_INFINITY - 1, &e)); /* no timer goes that far */
        expect_state(&h, "web", "");
        ASSERT_TRUE(manager1_stop(h.bus, "web", 0, &none) < 0);
        ASSERT_EQ(none.id, ERROR_NO_SUCH_CONTAINER);
}

/* To a supervisor the second STOP means "at once": two users, or one in a hurry, must not lose data. */
TEST(stopping_twice_does_not_kill) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        host_start(&h);
        s = supervisor_start(&h, "patient", "running");
        expect_state(&h, "patient", "running");
        for (unsigned i = 0; i < 3; i++) {
                _cleanup_error_ Error e = ERROR_NULL;
                ASSERT_TRUE(manager1_stop(h.bus, "patient", 100 * USEC_PER_MSEC, &e) < 0);
                ASSERT_EQ(e.id, ERROR_TIMEOUT);
        }
        expect_state(&h, "patient", "running");
        supervisor_send(&s, 'b'); /* the payload rebooted instead: a new life */
        expect_state(&h, "patient", "launching");
        Error e = ERROR_NULL;
        ASSERT_OK(manager1_stop(h.bus, "patient", USEC_INFINITY, &e));
        expect_state(&h, "patient", "");
}

static int on_limit(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        unsigned *refused = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(m);
        if (e && streq(e->name, "org.berth.Error.LimitExceeded"))
                (*refused)++;
        return 0;
}

TEST(calls_that_wait_are_limited) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        unsigned refused = 0;
        host_start(&h);
        s = supervisor_start(&h, "stubborn", "running");
        expect_state(&h, "stubborn", "running");
        for (unsigned i = 0; i < MANAGER_CALLS_MAX + 10; i++)
                ASSERT_OK(sd_bus_call_method_async(
                        h.bus, NULL, BERTH_BUS_NAME, BERTH_MANAGER_PATH, BERTH_MANAGER_INTERFACE,
                        "StopContainer", on_limit, &refused, "st", "stubborn", UINT64_MAX));
        for (unsigned i = 0; i < 500 && refused < 10; i++) {
                ASSERT_OK(sd_bus_wait(h.bus, 10 * USEC_PER_MSEC));
                while (sd_bus_process(h.bus, NULL) > 0)
                        ;
        }
        ASSERT_EQ(refused, 10);
}

TEST(kill_and_reboot) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        _cleanup_error_ Error e = ERROR_NULL, whom = ERROR_NULL, signal = ERROR_NULL,
                              unit = ERROR_NULL;
        host_start(&h);
        s = supervisor_start(&h, "web", "running");
        expect_state(&h, "web", "running");
        ASSERT_OK(manager1_reboot(h.bus, "web", &e));
        ASSERT_TRUE(manager1_kill(h.bus, "web", "everyone", SIGTERM, &whom) < 0);
        ASSERT_CONTAINS(whom.message, "'leader', 'supervisor' or 'all'");
        ASSERT_TRUE(manager1_kill(h.bus, "web", "leader", 0, &signal) < 0);
        ASSERT_EQ(signal.id, ERROR_INVALID_SETTING);
        ASSERT_TRUE(manager1_kill(h.bus, "web", "all", SIGTERM, &unit) <
                    0); /* there is no systemd here */
        ASSERT_EQ(unit.id, ERROR_BUS_FAILED);
        ASSERT_OK(manager1_kill(h.bus, "web", "leader", SIGKILL, &e));
        expect_state(&h, "web", "");
}

TEST(bad_names) {
        _cleanup_(host_stop) Host h;
        host_start(&h);
        static const char *const names[] = {
                "",
                ".",
                "a/b",
                "a b",
                "-x",
                "\n",
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        };
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_error_ Error e = ERROR_NULL;
                ASSERT_TRUE(manager1_terminate(h.bus, names[i], &e) < 0);
                ASSERT_EQ(e.id, ERROR_INVALID_NAME);
        }
}

/* ---- signals ---- */

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        StrBuf *b = userdata;
        const char *name, *path, *result = "";
        if (sd_bus_message_read(m, "so", &name, &path) < 0)
                return 0;
        if (sd_bus_message_has_signature(m, "sos"))
                (void) sd_bus_message_read(m, "s", &result);
        strbuf_addf(b, "%s %s %s;", sd_bus_message_get_member(m), name, result);
        return 0;
}

TEST(signals) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        StrBuf seen = { 0 };
        char *text;
        host_start(&h);
        ASSERT_OK(sd_bus_match_signal(h.bus, NULL, BERTH_BUS_NAME, BERTH_MANAGER_PATH,
                                      BERTH_MANAGER_INTERFACE, NULL, on_signal, &seen));
        s = supervisor_start(&h, "web", "running");
        expect_state(&h, "web", "running");
        supervisor_send(&s, 'r');
        supervisor_send(&s, 'r');
        supervisor_send(&s, 'e');
        expect_state(&h, "web", "");
        while (sd_bus_process(h.bus, NULL) > 0)
                ;
        ASSERT_OK(strbuf_finish(&seen, &text));
        ASSERT_STREQ(
                text,
                "ContainerNew web ;ContainerReady web ;ContainerRemoved web exited with status 7;");
        free(text);
}

/* "Unit=machine-x.scope State=running " of an InterfacesAdded signal. */
static int on_added(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        StrBuf *b = userdata;
        const char *interface, *key, *value;
        if (sd_bus_message_skip(m, "o") < 0 ||
            sd_bus_message_enter_container(m, 'a', "{sa{sv}}") < 0)
                return 0;
        while (sd_bus_message_enter_container(m, 'e', "sa{sv}") > 0) {
                if (sd_bus_message_read(m, "s", &interface) < 0 ||
                    sd_bus_message_enter_container(m, 'a', "{sv}") < 0)
                        return 0;
                while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                        if (sd_bus_message_read(m, "s", &key) < 0)
                                return 0;
                        if (sd_bus_message_enter_container(m, 'v', "s") > 0) {
                                if (sd_bus_message_read(m, "s", &value) >= 0 && value[0])
                                        strbuf_addf(b, "%s=%s ", key, value);
                                (void) sd_bus_message_exit_container(m);
                        } else
                                (void) sd_bus_message_skip(m, "v");
                        (void) sd_bus_message_exit_container(m);
                }
                (void) sd_bus_message_exit_container(m);
                (void) sd_bus_message_exit_container(m);
        }
        return 0;
}

/* Who only listens knows as much as who asks. */
TEST(new_objects_are_complete) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        StrBuf seen = { 0 };
        _cleanup_free_ char *text = NULL;
        host_start(&h);
        ASSERT_OK(sd_bus_match_signal(h.bus, NULL, BERTH_BUS_NAME, BERTH_MANAGER_PATH,
                                      "org.freedesktop.DBus.ObjectManager", "InterfacesAdded",
                                      on_added, &seen));
        s = supervisor_start(&h, "web", "running");
        expect_state(&h, "web", "running");
        while (sd_bus_process(h.bus, NULL) > 0)
                ;
        ASSERT_OK(strbuf_finish(&seen, &text));
        ASSERT_STREQ(text, "Name=web Id=0123456789abcdef0123456789abcdef State=running "
                           "Unit=machine-x.scope ControlGroup=/machine.slice/machine-x.scope "
                           "RootDirectory=/srv/root ");
}

/* Ticks of processor time that a process has used. */
static unsigned long cpu_ticks(pid_t pid) {
        _cleanup_free_ char *path = strf("/proc/%d/stat", (int) pid), *text = NULL;
        unsigned long user, kernel;
        ASSERT_OK(file_read_all(AT_FDCWD, path, 4096, &text, NULL));
        const char *p = strrchr(text, ')');
        ASSERT_EQ(
                sscanf(p, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel),
                2);
        return user + kernel;
}

/* Out of descriptors: it waits, and then goes on. */
TEST(descriptors_run_out) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        host_start(&h);
        expect_state(&h, "web", "");
        struct rlimit none = { .rlim_cur = 3, .rlim_max = 1024 }, enough = { 1024, 1024 };
        ASSERT_OK(prlimit(h.manager, RLIMIT_NOFILE, &none, NULL));
        s = supervisor_start(&h, "web", "running");
        usleep(200000); /* it has connected */
        unsigned long before = cpu_ticks(h.manager);
        usleep(500000);
        ASSERT_TRUE(cpu_ticks(h.manager) - before < 10); /* of 50 */
        ASSERT_OK(prlimit(h.manager, RLIMIT_NOFILE, &enough, NULL));
        expect_state(&h, "web", "running");
}

/* A string that D-Bus cannot carry spoils no list. */
TEST(strings_are_utf8) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        _cleanup_(container_info_done) ContainerInfo info = { 0 };
        Error e = ERROR_NULL;
        host_start(&h);
        s = supervisor_start(&h, "odd", "running");
        expect_state(&h, "odd", "running");
        ASSERT_OK(manager1_get(h.bus, "odd", &info, &e));
        ASSERT_STREQ(info.control_group, "/odd\\xff.scope");
}

/* ---- objects ---- */

TEST(objects) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL, *by_pid = NULL, *spec = NULL,
                                                        *none = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL, e2 = SD_BUS_ERROR_NULL;
        const char *path, *path2, *text;
        uint32_t n;
        host_start(&h);
        s = supervisor_start(&h, "a-b.c", "running");
        expect_state(&h, "a-b.c", "running");
        ASSERT_OK(sd_bus_call_method(h.bus, BERTH_BUS_NAME, BERTH_MANAGER_PATH,
                                     BERTH_MANAGER_INTERFACE, "GetContainer", &e, &reply, "s",
                                     "a-b.c"));
        ASSERT_OK(sd_bus_message_read(reply, "o", &path));
        ASSERT_STREQ(path, "/org/berth/Containers1/container/a_2db_2ec");
        ASSERT_OK(sd_bus_call_method(h.bus, BERTH_BUS_NAME, BERTH_MANAGER_PATH,
                                     BERTH_MANAGER_INTERFACE, "GetContainerByPID", &e, &by_pid, "u",
                                     (uint32_t) s.pid));
        ASSERT_OK(sd_bus_message_read(by_pid, "o", &path2));
        ASSERT_STREQ(path2, path);
        ASSERT_TRUE(sd_bus_call_method(h.bus, BERTH_BUS_NAME, BERTH_MANAGER_PATH,
                                       BERTH_MANAGER_INTERFACE, "GetContainerByPID", &e2, &none,
                                       "u", (uint32_t) getpid()) < 0);
        ASSERT_STREQ(e2.name, "org.berth.Error.NoSuchContainer");
        ASSERT_OK(sd_bus_call_method(h.bus, BERTH_BUS_NAME, path, BERTH_CONTAINER_INTERFACE,
                                     "GetSpec", &e, &spec, NULL));
        ASSERT_OK(sd_bus_message_read(spec, "s", &text));
        ASSERT_CONTAINS(text, "/srv/root");
        ASSERT_OK(sd_bus_get_property_trivial(h.bus, BERTH_BUS_NAME, BERTH_MANAGER_PATH,
                                              BERTH_MANAGER_INTERFACE, "NContainers", &e, 'u', &n));
        ASSERT_EQ(n, 1);
        ASSERT_OK(sd_bus_call_method(h.bus, BERTH_BUS_NAME, path, BERTH_CONTAINER_INTERFACE, "Stop",
                                     &e, NULL, "t", UINT64_MAX));
        expect_state(&h, "a-b.c", "");
}

/* Everything that introspection shows is in the manual, and nothing is missing in it. */
TEST(manual_is_complete) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        static const char *const paths[] = { BERTH_MANAGER_PATH,
                                             BERTH_CONTAINER_PATH_PREFIX "/web" };
        _cleanup_free_ char *self = strdup(__FILE__), *manual = NULL;
        _cleanup_free_ char *page = strjoin(dirname(self), "/../../../man/org.berth.Containers1.5");
        if (access(page, R_OK) < 0)
                TEST_SKIP("the manual's source is not beside the tests");
        ASSERT_OK(file_read_all(AT_FDCWD, page, 1 << 20, &manual, NULL));
        host_start(&h);
        s = supervisor_start(&h, "web", "running");
        expect_state(&h, "web", "running");
        unsigned n = 0;
        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
                const char *xml;
                ASSERT_OK(sd_bus_call_method(h.bus, BERTH_BUS_NAME, paths[i],
                                             "org.freedesktop.DBus.Introspectable", "Introspect",
                                             NULL, &reply, NULL));
                ASSERT_OK(sd_bus_message_read(reply, "s", &xml));
                const char *p = strstr(xml, "<interface name=\"org.berth");
                for (; p && *p; p += strcspn(p, "\n"), p += *p == '\n') {
                        static const char *const kinds[] = { "  <method name=\"",
                                                             "  <signal name=\"",
                                                             "  <property name=\"" };
                        for (size_t k = 0; k < ELEMENTSOF(kinds); k++) {
                                const char *name = startswith(p, kinds[k]);
                                if (!name)
                                        continue;
                                _cleanup_free_ char *word = strndup(name, strcspn(name, "\""));
                                _cleanup_free_ char *macro = strf(".BR %s ", word);
                                if (!strstr(manual, macro))
                                        TEST_FAIL("'%s' is not in the manual", word);
                                n++;
                        }
                }
        }
        ASSERT_TRUE(n > 25);
}

/* ---- who may ---- */

/* Calls a method as nobody. Returns the ErrorId, or -1 if it worked. */
static int call_as_nobody(const char *method, const char *signature, const char *argument) {
        pid_t pid = fork();
        if (pid == 0) {
                sd_bus *bus = NULL;
                sd_bus_error b = SD_BUS_ERROR_NULL;
                Error e = ERROR_NULL, ignored = ERROR_NULL;
                if (setgid(65534) < 0 || setuid(65534) < 0 ||
                    bus_connect_system(&bus, &ignored) < 0)
                        _exit(100);
                int r = sd_bus_call_method(bus, BERTH_BUS_NAME, BERTH_MANAGER_PATH,
                                           BERTH_MANAGER_INTERFACE, method, &b, NULL, signature,
                                           argument);
                if (r >= 0)
                        _exit(99);
                (void) bus_error_to_error(&b, r, &e, NULL);
                _exit((int) e.id);
        }
        int status = 0;
        if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
                return -2;
        return WEXITSTATUS(status) == 99 ? -1 : WEXITSTATUS(status);
}

static int allow_inspect_only(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        const char *kind, *key, *sender, *action;
        int r = sd_bus_message_read(m, "(sa{sv})s", &kind, 1, &key, "s", &sender, &action);
        if (r < 0)
                return r;
        bool yes = streq(action, "org.berth.containers1.inspect") &&
                   streq(kind, "system-bus-name") && sender[0] == ':';
        return sd_bus_reply_method_return(m, "(bba{ss})", yes, !yes, 0);
}

static const sd_bus_vtable polkit_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("CheckAuthorization", "(sa{sv})sa{ss}us", "(bba{ss})", allow_inspect_only,
                      SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

TEST(others_than_root_ask_polkit) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        host_start(&h);
        s = supervisor_start(&h, "web", "running");
        expect_state(&h, "web", "running");
        ASSERT_EQ(call_as_nobody("ListContainers", NULL, NULL),
                  ERROR_ACCESS_DENIED); /* no polkit: no */
        ASSERT_EQ(call_as_nobody("TerminateContainer", "s", "web"), ERROR_ACCESS_DENIED);
        ASSERT_EQ(call_as_nobody("TerminateContainer", "s", "../x"),
                  ERROR_INVALID_NAME); /* before polkit */

        pid_t polkit =
                private_service_start(POLKIT_BUS_NAME, "/org/freedesktop/PolicyKit1/Authority",
                                      "org.freedesktop.PolicyKit1.Authority", polkit_vtable, NULL);
        ASSERT_OK(polkit);
        int listed = call_as_nobody("ListContainers", NULL, NULL),
            described = call_as_nobody("DescribeContainer", "s", "web"),
            terminated = call_as_nobody("TerminateContainer", "s", "web");
        private_child_stop(&polkit);
        ASSERT_EQ(listed, -1);
        ASSERT_EQ(described, -1);
        ASSERT_EQ(terminated, ERROR_ACCESS_DENIED);
        expect_state(&h, "web", "running");
}

/* Answers yes, but late; or never. */
static int on_late_answer(sd_event_source *s, uint64_t usec, void *userdata) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = userdata;
        sd_event_source_unref(s);
        (void) sd_bus_reply_method_return(m, "(bba{ss})", true, false, 0);
        return 0;
}

static int allow_late(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        const uint64_t *delay_usec = userdata;
        sd_event_source *timer;
        if (*delay_usec != USEC_INFINITY &&
            sd_event_add_time_relative(sd_bus_get_event(sd_bus_message_get_bus(m)), &timer,
                                       CLOCK_MONOTONIC, *delay_usec, 0, on_late_answer,
                                       sd_bus_message_ref(m)) < 0)
                return -EIO;
        return 1;
}

static const sd_bus_vtable late_polkit_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("CheckAuthorization", "(sa{sv})sa{ss}us", "(bba{ss})", allow_late,
                      SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static pid_t late_polkit_start(uint64_t *delay_usec) {
        return private_service_start(POLKIT_BUS_NAME, "/org/freedesktop/PolicyKit1/Authority",
                                     "org.freedesktop.PolicyKit1.Authority", late_polkit_vtable,
                                     delay_usec);
}

/* A user who leaves polkit's questions unanswered has his own calls refused, not those of others. */
TEST(unanswered_questions_are_limited) {
        _cleanup_(host_stop) Host h;
        uint64_t never = USEC_INFINITY;
        host_start(&h);
        pid_t polkit = late_polkit_start(&never);
        ASSERT_OK(polkit);
        pid_t callers[12] = { 0 };
        for (size_t i = 0; i < ELEMENTSOF(callers); i++) {
                callers[i] = private_fork();
                if (callers[i] == 0) /* each with a connection of its own */
                        _exit(call_as_nobody("ListContainers", NULL, NULL) == ERROR_LIMIT_EXCEEDED);
        }
        unsigned refused = 0;
        for (unsigned i = 0; i < 300 && refused < 4; i++) {
                int status;
                pid_t pid = waitpid(-1, &status, WNOHANG);
                for (size_t k = 0; pid > 0 && k < ELEMENTSOF(callers); k++)
                        if (callers[k] == pid) {
                                callers[k] = 0;
                                refused += status != 0;
                        }
                usleep(10000);
        }
        ContainerInfo *list = NULL;
        size_t n;
        Error e = ERROR_NULL;
        int r = manager1_list(h.bus, &list, &n, &e);
        for (size_t i = 0; i < ELEMENTSOF(callers); i++)
                private_child_stop(&callers[i]);
        private_child_stop(&polkit);
        free(list);
        ASSERT_EQ(refused, 4);
        ASSERT_OK(r);
}

/* Who was allowed to stop one container has not stopped its successor. */
TEST(leave_is_for_one_container) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF },
                                              t = { .command_fd = -EBADF };
        uint64_t delay = 500 * USEC_PER_MSEC;
        host_start(&h);
        s = supervisor_start(&h, "web", "running");
        expect_state(&h, "web", "running");
        pid_t polkit = late_polkit_start(&delay);
        ASSERT_OK(polkit);
        pid_t caller = private_fork();
        if (caller == 0)
                _exit(call_as_nobody("TerminateContainer", "s", "web") == ERROR_NO_SUCH_CONTAINER);
        usleep(200000);
        supervisor_send(&s, 'e');
        expect_state(&h, "web", "");
        t = supervisor_start(&h, "web", "running");
        expect_state(&h, "web", "running");
        int status = 0;
        ASSERT_EQ(waitpid(caller, &status, 0), caller);
        private_child_stop(&polkit);
        ASSERT_TRUE(WIFEXITED(status));
        ASSERT_EQ(WEXITSTATUS(status), 1);
        expect_state(&h, "web", "running");
}

TEST(only_root_connects_to_the_control_socket) {
        _cleanup_(host_stop) Host h;
        host_start(&h);
        ASSERT_OK(chmod(h.control, 0777));
        pid_t pid = fork();
        if (pid == 0) {
                if (setgid(65534) < 0 || setuid(65534) < 0)
                        _exit(100);
                int fd = supervisor_hello(h.control, "web", "running", true);
                struct pollfd p = { .fd = fd, .events = POLLIN };
                char byte;
                _exit(fd < 0 || (poll(&p, 1, 3000) == 1 && recv(fd, &byte, 1, MSG_DONTWAIT) <= 0)
                              ? 0
                              : 1);
        }
        int status;
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        ASSERT_EQ(status, 0);
        expect_state(&h, "web", "");
}

int main(int argc, char **argv) {
        if (geteuid() != 0) {
                fprintf(stderr, "skipped: needs root\n");
                return 77;
        }
        return test_run_all(argc, argv);
}
