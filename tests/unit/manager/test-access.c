/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whom berthd obeys, and how much of whom it lets wait. */
#include "host.h"

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

/* Nobody makes the manager hold megabytes while polkit asks. */
TEST(large_calls) {
        _cleanup_(host_stop) Host h;
        _cleanup_error_ Error e = ERROR_NULL, whom = ERROR_NULL;
        _cleanup_free_ char *text = malloc((1U << 20) + 1);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error b = SD_BUS_ERROR_NULL;
        memset(text, 'x', 1U << 20);
        text[1U << 20] = '\0';
        host_start(&h);
        ASSERT_TRUE(manager1_kill(h.bus, "web", text, SIGTERM, &whom) < 0);
        ASSERT_EQ(whom.id, ERROR_LIMIT_EXCEEDED);
        ASSERT_CONTAINS(whom.message, "'KillContainer'");
        ASSERT_OK(sd_bus_message_new_method_call(h.bus, &m, BERTH_BUS_NAME, BERTH_MANAGER_PATH,
                                                 BERTH_MANAGER_INTERFACE, "CreateContainer"));
        ASSERT_OK(sd_bus_message_append(m, "sa{sv}a(sh)", "web", 1, "Parameters", "as", 2, "x",
                                        text, 0));
        int r = sd_bus_call(h.bus, m, 0, &b, NULL);
        ASSERT_TRUE(r < 0);
        (void) bus_error_to_error(&b, r, &e, NULL);
        ASSERT_EQ(e.id, ERROR_LIMIT_EXCEEDED);
}

/* Nor have it walk through thousands of containers that are nested as deep as the bus allows. */
TEST(deep_calls) {
        _cleanup_(host_stop) Host h;
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error b = SD_BUS_ERROR_NULL;
        host_start(&h);
        ASSERT_OK(sd_bus_message_new_method_call(h.bus, &m, BERTH_BUS_NAME, BERTH_MANAGER_PATH,
                                                 BERTH_MANAGER_INTERFACE, "CreateContainer"));
        ASSERT_OK(sd_bus_message_append(m, "s", "web"));
        ASSERT_OK(sd_bus_message_open_container(m, 'a', "{sv}"));
        ASSERT_OK(sd_bus_message_open_container(m, 'e', "sv"));
        ASSERT_OK(sd_bus_message_append(m, "s", "Bind"));
        for (unsigned i = 0; i < 30; i++)
                ASSERT_OK(sd_bus_message_open_container(m, 'v', i == 29 ? "s" : "v"));
        ASSERT_OK(sd_bus_message_append(m, "s", "x"));
        for (unsigned i = 0; i < 32; i++)
                ASSERT_OK(sd_bus_message_close_container(m));
        ASSERT_OK(sd_bus_message_append(m, "a(sh)", 0));
        int r = sd_bus_call(h.bus, m, 0, &b, NULL);
        ASSERT_TRUE(r < 0);
        (void) bus_error_to_error(&b, r, &e, NULL);
        ASSERT_EQ(e.id, ERROR_LIMIT_EXCEEDED);
        ASSERT_CONTAINS(e.message, "nested");
}

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
