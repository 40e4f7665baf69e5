/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* berthd on a private bus: what it learns from supervisors, and what it tells. */
#include "host.h"

#include "basic/log.h"

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

/* Who connects again is told that it was heard, and one that starts is not woken up for it. */
TEST(welcome) {
        _cleanup_(host_stop) Host h;
        ControlMessage m = CONTROL_MESSAGE_NULL;
        host_start(&h);
        int fd = supervisor_hello(h.control, "web", "running", true);
        ASSERT_OK(fd);
        struct pollfd p = { .fd = fd, .events = POLLIN };
        ASSERT_EQ(poll(&p, 1, 5000), 1);
        ASSERT_OK(control_receive(fd, &m));
        ASSERT_EQ(m.type, CONTROL_WELCOME);
        control_message_done(&m);
        close(fd);
        host_stop(&h);
        host_start(&h);
        fd = supervisor_hello(h.control, "web", "launching", true);
        ASSERT_OK(fd);
        expect_state(&h, "web", "launching");
        p.fd = fd;
        ASSERT_EQ(poll(&p, 1, 0), 0);
        close(fd);
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

/* A container of the same name comes right after another one: the manager hears of both at once. */
TEST(name_is_free_when_its_supervisor_has_ended) {
        _cleanup_(host_stop) Host h;
        Supervisor s = { .command_fd = -EBADF };
        _cleanup_(container_info_done) ContainerInfo info = { 0 };
        Error e = ERROR_NULL;
        char byte;
        host_start(&h);
        s = supervisor_start(&h, "web", "running");
        expect_state(&h, "web", "running");
        ASSERT_OK(kill(h.manager, SIGSTOP));
        supervisor_stop(&s);
        int fd = supervisor_hello(h.control, "web", "launching", true);
        ASSERT_OK(kill(h.manager, SIGCONT));
        expect_state(&h, "web", "launching");
        struct pollfd p = { .fd = fd, .events = POLLIN };
        ASSERT_EQ(poll(&p, 1, 300), 0); /* not hung up on */
        ASSERT_TRUE(recv(fd, &byte, 1, MSG_DONTWAIT) < 0);
        ASSERT_OK(manager1_get(h.bus, "web", &info, &e));
        ASSERT_EQ(info.supervisor, getpid());
        close(fd);
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
        ASSERT_OK(stop_and_wait(h.bus, "web", USEC_INFINITY, &e));
        expect_state(&h, "web", ""); /* stop answers when it has ended */
        ASSERT_TRUE(stop_and_wait(h.bus, "stubborn", 300 * USEC_PER_MSEC, &late) < 0);
        ASSERT_EQ(late.id, ERROR_TIMEOUT);
        ASSERT_CONTAINS(late.message, "'stubborn'");
        ASSERT_OK(manager1_terminate(h.bus, "stubborn", &e));
        expect_state(&h, "stubborn", "");
        u = supervisor_start(&h, "web", "running");
        expect_state(&h, "web", "running");
        ASSERT_OK(stop_and_wait(h.bus, "web", USEC_INFINITY - 1, &e)); /* no timer goes that far */
        expect_state(&h, "web", "");
        ASSERT_TRUE(stop_and_wait(h.bus, "web", 0, &none) < 0);
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
                ASSERT_TRUE(stop_and_wait(h.bus, "patient", 100 * USEC_PER_MSEC, &e) < 0);
                ASSERT_EQ(e.id, ERROR_TIMEOUT);
        }
        expect_state(&h, "patient", "running");
        supervisor_send(&s, 'b'); /* the payload rebooted instead: a new life */
        expect_state(&h, "patient", "launching");
        Error e = ERROR_NULL;
        ASSERT_OK(stop_and_wait(h.bus, "patient", USEC_INFINITY, &e));
        expect_state(&h, "patient", "");
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
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF },
                                              t = { .command_fd = -EBADF };
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
        t = supervisor_start(&h, "db", "running");
        expect_state(&h, "db", "running");
        supervisor_send(&t, 'k');
        expect_state(&h, "db", "");
        while (sd_bus_process(h.bus, NULL) > 0)
                ;
        ASSERT_OK(strbuf_finish(&seen, &text));
        ASSERT_STREQ(
                text,
                "ContainerNew web ;ContainerReady web ;ContainerRemoved web exited with status 7;"
                "ContainerNew db ;ContainerRemoved db killed by signal SIGKILL (out of memory);");
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
        ASSERT_STREQ(text, "Name=web Id=0123456789abcdef0123456789abcdef State=running Health=none "
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

static int set_log(Host *h, const char *property, const char *value, sd_bus_error *e) {
        return sd_bus_set_property(h->bus, BERTH_BUS_NAME, LOG_CONTROL_PATH, LOG_CONTROL_INTERFACE,
                                   property, e, "s", value);
}

static void expect_log(Host *h, const char *property, const char *expected) {
        _cleanup_free_ char *value = NULL;
        ASSERT_OK(sd_bus_get_property_string(h->bus, BERTH_BUS_NAME, LOG_CONTROL_PATH,
                                             LOG_CONTROL_INTERFACE, property, NULL, &value));
        ASSERT_STREQ(value, expected);
}

TEST(log_control) {
        _cleanup_(host_stop) Host h;
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL, e2 = SD_BUS_ERROR_NULL;
        host_start(&h);
        expect_log(&h, "LogLevel", log_level_to_string(log_get_max_level()));
        expect_log(&h, "LogTarget", "auto");
        expect_log(&h, "SyslogIdentifier", "berth");
        ASSERT_OK(set_log(&h, "LogTarget", "null", NULL));
        expect_log(&h, "LogTarget", "null");
        ASSERT_OK(set_log(&h, "LogLevel", "warning", NULL));
        expect_log(&h, "LogLevel", "warning");
        ASSERT_TRUE(set_log(&h, "LogLevel", "loud\n", &e) < 0);
        ASSERT_STREQ(e.name, "org.berth.Error.InvalidSetting");
        ASSERT_CONTAINS(e.message, "Invalid log level 'loud");
        ASSERT_CONTAINS(e.message, "debug");
        ASSERT_TRUE(set_log(&h, "LogTarget", "kmsg", &e2) < 0);
        ASSERT_CONTAINS(e2.message, "Invalid log target 'kmsg'");
        ASSERT_TRUE(set_log(&h, "SyslogIdentifier", "other", NULL) < 0);
        expect_log(&h, "LogLevel", "warning");
        expect_log(&h, "LogTarget", "null");
}

TEST(longest_round) {
        _cleanup_(host_stop) Host h;
        uint64_t usec = 0, cpu_usec = 0;
        host_start(&h);
        expect_state(&h, "web", "");
        ASSERT_OK(sd_bus_get_property_trivial(h.bus, BERTH_BUS_NAME, BERTH_MANAGER_PATH,
                                              BERTH_MANAGER_INTERFACE, "LongestRoundUSec", NULL,
                                              't', &usec));
        ASSERT_OK(sd_bus_get_property_trivial(h.bus, BERTH_BUS_NAME, BERTH_MANAGER_PATH,
                                              BERTH_MANAGER_INTERFACE, "LongestRoundCPUUSec", NULL,
                                              't', &cpu_usec));
        ASSERT_TRUE(usec > 0 && usec < 10 * USEC_PER_SEC);
        ASSERT_TRUE(cpu_usec > 0 && cpu_usec < USEC_PER_SEC);
}

/* Everything that introspection shows is in the manual, and nothing is missing in it. */
TEST(manual_is_complete) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        static const char *const paths[] = { BERTH_MANAGER_PATH, BERTH_CONTAINER_PATH_PREFIX "/web",
                                             BERTH_IMAGE_PATH_PREFIX "/web", LOG_CONTROL_PATH };
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
                if (!p)
                        p = strstr(xml, "<interface name=\"" LOG_CONTROL_INTERFACE);
                ASSERT_TRUE(p);
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

int main(int argc, char **argv) {
        if (geteuid() != 0) {
                fprintf(stderr, "skipped: needs root\n");
                return 77;
        }
        return test_run_all(argc, argv);
}
