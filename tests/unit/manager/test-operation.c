/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations from the manager's side: workers that answer, fail, hang or die. This test stands in for them, and does what the name of
 * the container says. */
#include "host.h"

#include <limits.h>
#include <poll.h>
#include <sys/prctl.h>

#include "bus/manager1-operation.h"
#include "ipc/worker.h"
#include "manager/operation.h"

static int stand_in(void) {
        _cleanup_(worker_request_done) WorkerRequest r = { 0 };
        if (worker_request_read(WORKER_REQUEST_FD, &r) < 0)
                return 1;
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL); /* the test ends its manager without a word */
        if (startswith(r.name, "hang")) {
                (void) alarm(60); /* it may be too late for the signal above */
                for (;;)
                        pause();
        }
        if (startswith(r.name, "dies"))
                return 0;
        if (startswith(r.name, "wrong")) {
                _cleanup_error_ Error e = ERROR_NULL;
                (void) error_set(&e, -EACCES, ERROR_NOT_EXECUTABLE, "It is none");
                return worker_answer_error(WORKER_LINK_FD, &e) < 0;
        }
        static const char os_release[] = "ID=x\0PRETTY_NAME=a=b c\0malformed",
                          binds[] = "rs/host\0/inside\0wt/h\0/i", /* and its NUL */
                addresses[] = "2 7f000001\0"
                              "10 fe800000000000000000000000000001";
        switch (r.operation.type) {
        case OPERATION_OS_RELEASE:
                return worker_answer(WORKER_LINK_FD, os_release, sizeof(os_release), NULL, 0) < 0;
        case OPERATION_LIST_BINDS:
                return worker_answer(WORKER_LINK_FD, binds, sizeof(binds), NULL, 0) < 0;
        case OPERATION_ADDRESSES:
                return worker_answer(WORKER_LINK_FD, addresses, sizeof(addresses), NULL, 0) < 0;
        default:
                return worker_answer(WORKER_LINK_FD, "", 0, NULL, 0) < 0;
        }
}

static int call(Host *h, const char *method, const char *name, sd_bus_message **ret,
                Error *reterr) {
        _cleanup_(sd_bus_error_free) sd_bus_error b = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = sd_bus_message_new_method_call(h->bus, &m, BERTH_BUS_NAME, BERTH_MANAGER_PATH,
                                               BERTH_MANAGER_INTERFACE, method);
        if (r >= 0)
                r = sd_bus_message_append(m, "s", name);
        if (r >= 0)
                r = sd_bus_call(h->bus, m, 10 * USEC_PER_SEC, &b, ret);
        return r < 0 ? bus_error_to_error(&b, r, reterr, NULL) : 0;
}

static Supervisor run_container(Host *h, const char *name) {
        Supervisor s = supervisor_start(h, name, "running");
        expect_state(h, name, "running");
        return s;
}

static void expect_error(Host *h, const char *method, const char *name, ErrorId id,
                         const char *words) {
        _cleanup_error_ Error e = ERROR_NULL;
        ASSERT_TRUE(call(h, method, name, NULL, &e) < 0);
        ASSERT_CONTAINS(e.message, words);
        ASSERT_EQ(e.id, id);
}

static unsigned read_children(int parent, int *ret_first) {
        unsigned n = 0;
        char path[64];
        int pid;
        (void) snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent, parent);
        FILE *f = fopen(path, "re");
        while (f && fscanf(f, "%d", &pid) == 1)
                if (n++ == 0)
                        *ret_first = pid;
        if (f)
                fclose(f);
        return n;
}

/* Of the stand-ins that the manager has had started: its one child is its spawner. */
static unsigned count_workers(const Host *h) {
        int spawner, first;
        return read_children(h->manager, &spawner) == 0 ? 0 : read_children(spawner, &first);
}

static void expect_workers(const Host *h, unsigned n) {
        for (unsigned i = 0; i < 300 && count_workers(h) != n; i++)
                usleep(10000);
        ASSERT_EQ(count_workers(h), n);
}

TEST(answers) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *os = NULL, *addresses = NULL,
                                                        *shift = NULL;
        const char *key, *value;
        const void *bytes;
        size_t size;
        int32_t family;
        uint32_t uid;
        host_start(&h);
        s = run_container(&h, "web");
        ASSERT_OK(call(&h, "GetContainerOSRelease", "web", &os, NULL));
        ASSERT_OK(sd_bus_message_enter_container(os, 'a', "{ss}"));
        ASSERT_OK(sd_bus_message_read(os, "{ss}", &key, &value));
        ASSERT_STREQ(key, "ID");
        ASSERT_STREQ(value, "x");
        ASSERT_OK(sd_bus_message_read(os, "{ss}", &key, &value));
        ASSERT_STREQ(value, "a=b c");
        ASSERT_EQ(sd_bus_message_at_end(os, false), 1);
        ASSERT_OK(call(&h, "GetContainerAddresses", "web", &addresses, NULL));
        ASSERT_OK(sd_bus_message_enter_container(addresses, 'a', "(iay)"));
        for (int i = 0; i < 2; i++) {
                ASSERT_OK(sd_bus_message_enter_container(addresses, 'r', "iay"));
                ASSERT_OK(sd_bus_message_read(addresses, "i", &family));
                ASSERT_EQ(family, i == 0 ? 2 : 10);
                ASSERT_OK(sd_bus_message_read_array(addresses, 'y', &bytes, &size));
                ASSERT_EQ(size, i == 0 ? 4 : 16);
                ASSERT_EQ(((const uint8_t *) bytes)[0], i == 0 ? 127 : 0xfe);
                ASSERT_OK(sd_bus_message_exit_container(addresses));
        }
        ASSERT_OK(call(&h, "GetContainerUIDShift", "web", &shift, NULL));
        ASSERT_OK(sd_bus_message_read(shift, "u", &uid));
        ASSERT_EQ(uid, 0);
        expect_workers(&h, 0);
}

/* Whenever the spawner ends, there is another one. */
TEST(spawner_that_ends) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        int spawner;
        host_start(&h);
        s = run_container(&h, "web");
        for (unsigned i = 0; i < 5; i++) {
                PidRef process = PIDREF_NULL;
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
                _cleanup_error_ Error e = ERROR_NULL;
                if (call(&h, "GetContainerOSRelease", "web", &reply, &e) < 0)
                        TEST_FAIL("%u: %s", i, e.message);
                ASSERT_TRUE(read_children(h.manager, &spawner) > 0);
                ASSERT_OK(pidref_open(spawner, &process));
                ASSERT_OK(pidref_kill(&process, SIGKILL));
                struct pollfd p = { .fd = process.fd, .events = POLLIN };
                ASSERT_EQ(poll(&p, 1, 30000), 1); /* what it is asked while it ends fails */
                pidref_done(&process);
        }
}

TEST(spawner_that_is_missing) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        missing_spawner = true;
        host_start(&h);
        missing_spawner = false;
        s = run_container(&h, "web");
        expect_error(&h, "GetContainerOSRelease", "web", ERROR_SETUP_FAILED,
                     "Starting a worker failed");
}

static int add_bind(const BindInfo *b, void *userdata) {
        strbuf_addf(userdata, "%s %s %d %s;", b->source, b->destination, b->read_only, b->origin);
        return 0;
}

TEST(binds) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        _cleanup_error_ Error e = ERROR_NULL;
        host_start(&h);
        s = run_container(&h, "web");
        ASSERT_OK(manager1_list_binds(h.bus, "web", add_bind, &b, &e));
        ASSERT_STREQ(b.text, "/host /inside 1 settings;/h /i 0 run-time;");
        ASSERT_OK(manager1_bind(h.bus, "web", "/etc", NULL, OPERATION_READ_ONLY, &e));
        ASSERT_OK(manager1_unbind(h.bus, "web", "/etc", &e));
        ASSERT_TRUE(manager1_unbind(h.bus, "web", "", &e) < 0);
        ASSERT_CONTAINS(e.message, "Invalid destination ''");
}

TEST(errors) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor wrong = { .command_fd = -EBADF },
                                              dies = { .command_fd = -EBADF },
                                              young = { .command_fd = -EBADF };
        host_start(&h);
        wrong = run_container(&h, "wrong");
        dies = run_container(&h, "dies");
        young = supervisor_start(&h, "young", "launching");
        expect_state(&h, "young", "launching");
        expect_error(&h, "GetContainerOSRelease", "wrong", ERROR_NOT_EXECUTABLE, "It is none");
        expect_error(&h, "GetContainerOSRelease", "dies", ERROR_FAILED, "without an answer");
        expect_error(&h, "GetContainerOSRelease", "young", ERROR_FAILED,
                     "Container 'young' is not running: launching");
        expect_error(&h, "GetContainerOSRelease", "nobody", ERROR_NO_SUCH_CONTAINER, "'nobody'");
        expect_workers(&h, 0);
}

/* Whoever hangs, others are answered meanwhile. */
TEST(time_is_limited) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF },
                                              web = { .command_fd = -EBADF };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        host_start(&h);
        s = run_container(&h, "hang");
        web = run_container(&h, "web");
        ASSERT_OK(sd_bus_call_method_async(h.bus, NULL, BERTH_BUS_NAME, BERTH_MANAGER_PATH,
                                           BERTH_MANAGER_INTERFACE, "GetContainerOSRelease", NULL,
                                           NULL, "s", "hang"));
        const usec_t before = now_usec(CLOCK_MONOTONIC);
        ASSERT_OK(call(&h, "GetContainerOSRelease", "web", &reply, NULL));
        ASSERT_TRUE(now_usec(CLOCK_MONOTONIC) - before < USEC_PER_SEC);
        expect_error(&h, "GetContainerOSRelease", "hang", ERROR_TIMEOUT,
                     "Container 'hang' does not answer in time");
        expect_workers(&h, 0);
}

TEST(ends_with_the_container) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        host_start(&h);
        s = run_container(&h, "hang");
        pid_t killer = private_fork();
        ASSERT_OK(killer);
        if (killer == 0) {
                usleep(300000);
                (void) kill(s.pid, SIGKILL);
                _exit(0);
        }
        expect_error(&h, "GetContainerAddresses", "hang", ERROR_NO_SUCH_CONTAINER,
                     "Container 'hang' has ended");
        private_child_stop(&killer);
        expect_workers(&h, 0);
}

TEST(ends_with_the_caller) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        _cleanup_error_ Error e = ERROR_NULL;
        sd_bus *other = NULL;
        host_start(&h);
        s = run_container(&h, "hang");
        ASSERT_OK(bus_connect_system(&other, &e));
        ASSERT_OK(sd_bus_call_method_async(other, NULL, BERTH_BUS_NAME, BERTH_MANAGER_PATH,
                                           BERTH_MANAGER_INTERFACE, "GetContainerOSRelease", NULL,
                                           NULL, "s", "hang"));
        ASSERT_OK(sd_bus_flush(other));
        expect_workers(&h, 1);
        usleep(200000); /* until the bus has the rule */
        sd_bus_flush_close_unref(other);
        const usec_t before = now_usec(CLOCK_MONOTONIC);
        expect_workers(&h, 0);
        ASSERT_TRUE(now_usec(CLOCK_MONOTONIC) - before < 2 * USEC_PER_SEC);
}

static int on_limit(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        unsigned *refused = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(m);
        if (e && streq(e->name, "org.berth.Error.LimitExceeded") &&
            strstr(e->message, "operations"))
                (*refused)++;
        return 0;
}

TEST(their_number_is_limited) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        unsigned refused = 0;
        host_start(&h);
        s = run_container(&h, "hang");
        for (unsigned i = 0; i < OPERATIONS_CONTAINER_MAX + 7; i++)
                ASSERT_OK(sd_bus_call_method_async(
                        h.bus, NULL, BERTH_BUS_NAME, BERTH_MANAGER_PATH, BERTH_MANAGER_INTERFACE,
                        "OpenContainerRootDirectory", on_limit, &refused, "s", "hang"));
        for (unsigned i = 0; i < 1000 && refused < 7; i++) {
                ASSERT_OK(sd_bus_wait(h.bus, 10 * USEC_PER_MSEC));
                while (sd_bus_process(h.bus, NULL) > 0)
                        ;
        }
        ASSERT_EQ(refused, 7);
}

static int allow_all(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        return sd_bus_reply_method_return(m, "(bba{ss})", true, false, 0);
}

static const sd_bus_vtable polkit_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("CheckAuthorization", "(sa{sv})sa{ss}us", "(bba{ss})", allow_all,
                      SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static int on_user_limit(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        unsigned *refused = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(m);
        *refused += e && streq(e->name, "org.berth.Error.LimitExceeded") &&
                    strstr(e->message, "operations of one user in containers and on images");
        return 0;
}

/* Takes all that one user gets, and seven more; then waits for the end of the pipe. */
static int flood_as_nobody(int told_fd, int wait_fd) {
        static const char *const names[] = { "hang1", "hang2", "hang3" };
        sd_bus *bus = NULL;
        Error e = ERROR_NULL;
        unsigned refused = 0;
        char c;
        if (setgid(65534) < 0 || setuid(65534) < 0 || bus_connect_system(&bus, &e) < 0)
                return 1;
        for (unsigned i = 0; i < OPERATIONS_USER_MAX + 7; i++) {
                if (sd_bus_call_method_async(bus, NULL, BERTH_BUS_NAME, BERTH_MANAGER_PATH,
                                             BERTH_MANAGER_INTERFACE, "OpenContainerLogin",
                                             on_user_limit, &refused, "s", names[i % 3]) < 0)
                        return 2;
                /* answered when those before have been allowed: only a few may wait for that */
                if (i % 4 == 3 && sd_bus_call_method(bus, BERTH_BUS_NAME, BERTH_MANAGER_PATH,
                                                     BERTH_MANAGER_INTERFACE, "ListContainers",
                                                     NULL, NULL, NULL) < 0)
                        return 3;
        }
        for (unsigned i = 0; i < 1000 && refused < 7; i++) {
                (void) sd_bus_wait(bus, 10 * USEC_PER_MSEC);
                while (sd_bus_process(bus, NULL) > 0)
                        ;
        }
        if (write(told_fd, "", 1) != 1)
                return 4;
        (void) !read(wait_fd, &c, 1);
        return refused == 7 ? 0 : 5;
}

TEST(one_user_leaves_room_for_others) {
        _cleanup_(host_stop) Host h;
        Supervisor s[4];
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        static const char *const names[] = { "hang1", "hang2", "hang3", "web" };
        int told[2], wait[2], status = 0;
        char c;
        host_start(&h);
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                s[i] = run_container(&h, names[i]);
        pid_t polkit =
                private_service_start(POLKIT_BUS_NAME, "/org/freedesktop/PolicyKit1/Authority",
                                      "org.freedesktop.PolicyKit1.Authority", polkit_vtable, NULL);
        ASSERT_OK(polkit);
        ASSERT_OK(pipe2(told, O_CLOEXEC));
        ASSERT_OK(pipe2(wait, O_CLOEXEC));
        pid_t pid = private_fork();
        ASSERT_OK(pid);
        if (pid == 0) {
                close(wait[1]);
                _exit(flood_as_nobody(told[1], wait[0]));
        }
        close(told[1]);
        const ssize_t n = read(told[0], &c, 1);
        ASSERT_OK(call(&h, "GetContainerOSRelease", "web", &reply, NULL)); /* root's */
        close(wait[1]);
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        ASSERT_EQ(status, 0);
        ASSERT_EQ(n, 1);
        private_child_stop(&polkit);
        close(told[0]);
        close(wait[0]);
        for (size_t i = 0; i < ELEMENTSOF(s); i++)
                supervisor_stop(s + i);
}

TEST(arguments) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        static const struct {
                const char *source, *destination;
                uint64_t flags;
        } bad[] = {
                { "relative", "/x", 0 }, { "", "/x", 0 },       { "/x", "relative", 0 },
                { "/x\ny", "/x", 0 },    { "/x", "/y\x1b", 0 }, { "/x", "/y", 2 },
        };
        host_start(&h);
        s = run_container(&h, "web");
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_(sd_bus_error_free) sd_bus_error b = SD_BUS_ERROR_NULL;
                int r = sd_bus_call_method(h.bus, BERTH_BUS_NAME, BERTH_MANAGER_PATH,
                                           BERTH_MANAGER_INTERFACE, "CopyToContainer", &b, NULL,
                                           "ssst", "web", bad[i].source, bad[i].destination,
                                           bad[i].flags);
                ASSERT_TRUE(r < 0);
                ASSERT_STREQ(b.name, "org.berth.Error.InvalidSetting");
        }
        static const struct {
                const char *source, *destination;
                uint64_t flags;
                const char *words;
        } binds[] = {
                { "relative", "/x", 0, "Invalid source 'relative': an absolute path" },
                { "", "/x", 0, "Invalid source ''" },
                { "/x", "relative", 0, "Invalid destination 'relative'" },
                { "/x", "/y\n", 0, "Invalid destination '/y\\x0a'" },
                { "/x", "/y", 1, "Unknown flags 0x1" },
                { "/x", "/y", 16, "Unknown flags 0x10" },
        };
        for (size_t i = 0; i < ELEMENTSOF(binds); i++) {
                _cleanup_(sd_bus_error_free) sd_bus_error b = SD_BUS_ERROR_NULL;
                int r = sd_bus_call_method(h.bus, BERTH_BUS_NAME, BERTH_MANAGER_PATH,
                                           BERTH_MANAGER_INTERFACE, "BindMountContainer", &b, NULL,
                                           "ssst", "web", binds[i].source, binds[i].destination,
                                           binds[i].flags);
                ASSERT_TRUE(r < 0);
                ASSERT_CONTAINS(b.message, binds[i].words);
        }
        static const struct {
                const char *key, *type, *value, *words;
        } options[] = {
                { "Nonsense", "s", "x", "Unknown option 'Nonsense'" },
                { "WorkingDirectory", "s", "x", "Invalid working directory 'x'" },
                { "Terminal", "s", "x", "The value of option 'Terminal' has the wrong type" },
                { "User", "s", "x", "0 descriptors were passed, 3 are expected" },
        };
        for (size_t i = 0; i < ELEMENTSOF(options); i++) {
                _cleanup_(sd_bus_error_free) sd_bus_error b = SD_BUS_ERROR_NULL;
                int r = sd_bus_call_method(h.bus, BERTH_BUS_NAME, BERTH_MANAGER_PATH,
                                           BERTH_MANAGER_INTERFACE, "ExecContainer", &b, NULL,
                                           "sasa{sv}ah", "web", 1, "true", 1, options[i].key,
                                           options[i].type, options[i].value, 0);
                ASSERT_TRUE(r < 0);
                if (i != 1)
                        ASSERT_CONTAINS(b.message, options[i].words);
        }
}

int main(int argc, char **argv) {
        char self[PATH_MAX] = "";
        if (argc > 0 && streq(argv[0], "berth-worker"))
                return stand_in();
        if (geteuid() != 0) {
                fprintf(stderr, "skipped: needs root\n");
                return 77;
        }
        if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0 ||
            setenv("BERTH_WORKER", self, 1) < 0)
                return 1;
        return test_run_all(argc, argv);
}
