/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CreateContainer: the supervisor is this program itself, and does what its container's name says. */
#include "host.h"

#include <sched.h>
#include <sys/epoll.h>

#include "ipc/spawn.h"

/* ---- the supervisor's side ---- */

static int send_busy(void) {
        _cleanup_error_ Error e = ERROR_NULL;
        (void) error_set(&e, -EBUSY, ERROR_ROOT_BUSY, "The root is busy");
        error_hint(&e, "wait");
        return control_send_error(SUPERVISOR_LINK_FD, &e);
}

/* Tells its number, connects to the socket that it is told, and says all that it has to say when it is told so once more, at its end. */
static int last_words(void) {
        char path[64] = "";
        const pid_t pid = getpid();
        if (write(STDIN_FILENO, &pid, sizeof(pid)) != sizeof(pid) ||
            read(STDIN_FILENO, path, sizeof(path) - 1) <= 0)
                return 7;
        int fd = supervisor_connect(path);
        if (fd < 0 || write(STDIN_FILENO, "", 1) != 1 || read(STDIN_FILENO, path, 1) != 1)
                return 8;
        if (path[0] == 'h' && supervisor_say_hello(fd, "words", "launching", true) < 0)
                return 9;
        return send_busy() < 0;
}

/* Reads nothing, and ends with the manager. */
static int hang_as_spawner(void) {
        struct pollfd p = { .fd = STDERR_FILENO + 1 };
        (void) poll(&p, 1, -1);
        return 0;
}

static int launched_main(const char *name) {
        _cleanup_(control_message_done) ControlMessage m = CONTROL_MESSAGE_NULL;
        if (streq(name, "error"))
                return send_busy() < 0;
        if (streq(name, "words"))
                return last_words();
        if (streq(name, "dies"))
                return 3;
        struct stat st;
        if (streq(name, "root") &&
            (fstat(SUPERVISOR_FIRST_EXTRA_FD, &st) < 0 || !S_ISDIR(st.st_mode)))
                return 4;
        struct pollfd p = { .fd = SUPERVISOR_LINK_FD, .events = POLLIN };
        if (poll(&p, 1, 10000) != 1 || control_receive(SUPERVISOR_LINK_FD, &m) <= 0 ||
            m.type != CONTROL_GO || m.fds[0] < 0)
                return 5;
        (void) puts("hello");
        (void) fflush(stdout);
        _cleanup_(pidref_done) PidRef self = PIDREF_NULL;
        if (pidref_open(getpid(), &self) < 0 ||
            control_send(SUPERVISOR_LINK_FD, CONTROL_STARTED, NULL, &self.fd, 1) < 0)
                return 6;
        control_message_done(&m);
        char path[64] = "";
        if (streq(name, "first") && (read(STDIN_FILENO, path, sizeof(path) - 1) <= 0 ||
                                     supervisor_hello(path, name, "running", true) < 0))
                return 10;
        if (poll(&p, 1, 10000) == 1 && control_receive(SUPERVISOR_LINK_FD, &m) > 0 &&
            m.type == CONTROL_STOP)
                (void) control_send(SUPERVISOR_LINK_FD, CONTROL_EXITED,
                                    (char *const[]){ (char *) "REASON=poweroff", NULL }, NULL, 0);
        return 0;
}

/* ---- the caller's side ---- */

static FakeSystemd fake = { .cgroup_fd = -EBADF };

typedef struct CreateHost {
        Host host;
        pid_t systemd;
} CreateHost;

static void create_host_start(CreateHost *h) {
        if (fake.cgroup_fd < 0)
                TEST_SKIP("no cgroup v2 can be mounted here");
        char self[PATH_MAX] = "";
        ASSERT_TRUE(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
        ASSERT_OK(setenv("BERTH_SUPERVISOR", self, 1));
        *h = (CreateHost){ 0 };
        host_start(&h->host);
        h->systemd = private_service_start("org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                                           "org.freedesktop.systemd1.Manager", fake_systemd_vtable,
                                           &fake);
        ASSERT_OK(h->systemd);
}

static void create_host_stop(CreateHost *h) {
        host_stop(&h->host);
        private_child_stop(&h->systemd);
}

typedef struct Request {
        const char *name, *key, *value; /* one setting, or none */
        const char *descriptor;         /* one, or none */
        int fd;
} Request;

static sd_bus_message *create_message(CreateHost *h, const Request *q) {
        sd_bus_message *m = NULL;
        ASSERT_OK(sd_bus_message_new_method_call(h->host.bus, &m, BERTH_BUS_NAME,
                                                 BERTH_MANAGER_PATH, BERTH_MANAGER_INTERFACE,
                                                 "CreateContainer"));
        ASSERT_OK(sd_bus_message_append(m, "s", q->name));
        if (q->key)
                ASSERT_OK(sd_bus_message_append(m, "a{sv}", 2, "Directory", "s", "/srv", q->key,
                                                "s", q->value));
        else
                ASSERT_OK(sd_bus_message_append(m, "a{sv}", 1, "Directory", "s", "/srv"));
        if (q->descriptor)
                ASSERT_OK(sd_bus_message_append(m, "a(sh)", 1, q->descriptor, q->fd));
        else
                ASSERT_OK(sd_bus_message_append(m, "a(sh)", 0));
        return m;
}

/* Returns 0 or the error. */
static int create(CreateHost *h, const Request *q, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = create_message(h, q);
        _cleanup_(sd_bus_error_free) sd_bus_error b = SD_BUS_ERROR_NULL;
        int r = sd_bus_call(h->host.bus, m, 20 * USEC_PER_SEC, &b, NULL);
        return r < 0 ? bus_error_to_error(&b, r, reterr, NULL) : 0;
}

static void expect_error(CreateHost *h, const Request *q, ErrorId id, const char *words) {
        _cleanup_error_ Error e = ERROR_NULL;
        ASSERT_TRUE(create(h, q, &e) < 0);
        if (e.id != id)
                TEST_FAIL("'%s': %s: %s", q->name, error_id_to_string(e.id), e.message);
        ASSERT_CONTAINS(e.message, words);
}

TEST(runs_and_stops) {
        _cleanup_(create_host_stop) CreateHost h;
        _cleanup_(container_info_done) ContainerInfo info = { 0 };
        Error e = ERROR_NULL;
        create_host_start(&h);
        const Request q = { .name = "web" };
        if (create(&h, &q, &e) < 0)
                TEST_FAIL("%s", e.message);
        ASSERT_OK(manager1_get(h.host.bus, "web", &info, &e));
        ASSERT_STREQ(info.state, "running");
        ASSERT_STREQ(info.unit, "machine-web.scope");
        ASSERT_TRUE(info.leader > 0);
        ASSERT_EQ(info.leader, info.supervisor);
        expect_error(&h, &q, ERROR_NAME_IN_USE, "'web' is already running");
        ASSERT_OK(stop_and_wait(h.host.bus, "web", USEC_INFINITY, &e));
        expect_state(&h.host, "web", "");
}

TEST(errors_of_the_supervisor) {
        _cleanup_(create_host_stop) CreateHost h;
        create_host_start(&h);
        expect_error(&h, &(Request){ .name = "error" }, ERROR_ROOT_BUSY, "The root is busy");
        expect_error(&h, &(Request){ .name = "dies" }, ERROR_FAILED, "ended without saying why");
        expect_state(&h.host, "error", "");
        expect_state(&h.host, "dies", "");
}

/* Of a start that the launcher's link has told the manager's need not tell again. */
TEST(start_is_logged_once) {
        _cleanup_(create_host_stop) CreateHost h;
        _cleanup_free_ char *text = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        char file[] = "/tmp/berth-log-XXXXXX";
        int pair[2], log_fd = mkstemp(file), old_fd = dup(STDERR_FILENO);
        ASSERT_TRUE(log_fd >= 0 && old_fd >= 0);
        ASSERT_OK(dup2(log_fd, STDERR_FILENO));
        create_host_start(&h);
        ASSERT_OK(dup2(old_fd, STDERR_FILENO));
        ASSERT_OK(pipe2(pair, O_CLOEXEC));
        const Request q = { .name = "first", .descriptor = "stdin", .fd = pair[0] };
        if (create(&h, &q, &e) < 0)
                TEST_FAIL("%s", e.message);
        ASSERT_TRUE(write(pair[1], h.host.control, strlen(h.host.control)) > 0);
        expect_state(&h.host, "first", "running");
        bool known = false; /* what HELLO alone tells */
        for (unsigned i = 0; i < 3000 && !known; i++) {
                _cleanup_(container_info_done) ContainerInfo info = { 0 };
                ASSERT_OK(manager1_get(h.host.bus, "first", &info, &e));
                known = streq_ptr(info.id, "0123456789abcdef0123456789abcdef");
                usleep(10000);
        }
        ASSERT_TRUE(known);
        ASSERT_OK(stop_and_wait(h.host.bus, "first", USEC_INFINITY, &e));
        ASSERT_OK(file_read_all(AT_FDCWD, file, 65536, &text, NULL));
        const char *said = strstr(text, "Container 'first' runs");
        ASSERT_NOT_NULL(said);
        ASSERT_FALSE(strstr(said + 1, "Container 'first' runs"));
        close(log_fd);
        close(old_fd);
        close(pair[0]);
        close(pair[1]);
        (void) unlink(file);
}

static int on_refused(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Error *e = userdata;
        const sd_bus_error *b = sd_bus_message_get_error(m);
        ASSERT_TRUE(b);
        (void) bus_error_to_error(b, sd_bus_message_get_errno(m), e, NULL);
        return 1;
}

static void await_error(CreateHost *h, const Error *e) {
        while (!error_is_set(e))
                if (sd_bus_process(h->host.bus, NULL) == 0)
                        ASSERT_OK(sd_bus_wait(h->host.bus, UINT64_MAX));
}

/* Of a supervisor that has ended the manager hears HELLO, or that of the next of its name, then why it has ended, and that it has; all at once. */
static void expect_last_words(bool own_hello) {
        _cleanup_(create_host_stop) CreateHost h;
        _cleanup_close_ int own_fd = -EBADF;
        _cleanup_error_ Error e = ERROR_NULL;
        int pair[2];
        char c;
        create_host_start(&h);
        ASSERT_OK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
        const Request q = { .name = "words", .descriptor = "stdin", .fd = pair[1] };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = create_message(&h, &q);
        ASSERT_OK(sd_bus_call_async(h.host.bus, NULL, m, on_refused, &e, 30 * USEC_PER_SEC));
        ASSERT_OK(sd_bus_flush(h.host.bus));
        close(pair[1]);

        pid_t pid;
        _cleanup_(pidref_done) PidRef supervisor = PIDREF_NULL;
        ASSERT_EQ(read(pair[0], &pid, sizeof(pid)), (ssize_t) sizeof(pid));
        ASSERT_OK(pidref_open(pid, &supervisor));
        ASSERT_TRUE(write(pair[0], h.host.control, strlen(h.host.control)) > 0);
        ASSERT_EQ(read(pair[0], &c, 1), 1);
        own_fd = supervisor_connect(h.host.control);
        ASSERT_OK(own_fd);
        for (unsigned i = 0; i < 3; i++) /* both connections are taken */
                expect_state(&h.host, "nobody", "");

        ASSERT_OK(kill(h.host.manager, SIGSTOP));
        if (!own_hello)
                ASSERT_OK(supervisor_say_hello(own_fd, "words", "launching", true));
        ASSERT_EQ(write(pair[0], own_hello ? "h" : "-", 1), 1);
        struct pollfd p = { .fd = supervisor.fd, .events = POLLIN };
        ASSERT_EQ(poll(&p, 1, 30000), 1);
        ASSERT_OK(kill(h.host.manager, SIGCONT));
        close(pair[0]);
        await_error(&h, &e);
        ASSERT_STREQ(e.message, "The root is busy");
        ASSERT_EQ(e.id, ERROR_ROOT_BUSY);
        if (own_hello)
                expect_state(&h.host, "words", "");
}

TEST(last_words_after_hello) {
        expect_last_words(true);
}

TEST(last_words_before_the_next) {
        expect_last_words(false);
}

/* There is no supervisor yet, and the spawner does not answer: the start is given up. */
TEST(stopped_before_it_runs) {
        _cleanup_(create_host_stop) CreateHost h;
        hanging_spawner = true;
        create_host_start(&h);
        hanging_spawner = false;
        const Request q = { .name = "waits" };
        for (unsigned i = 0; i < 2; i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = create_message(&h, &q);
                _cleanup_(sd_bus_error_free) sd_bus_error b = SD_BUS_ERROR_NULL;
                _cleanup_error_ Error e = ERROR_NULL, end = ERROR_NULL;
                ASSERT_OK(
                        sd_bus_call_async(h.host.bus, NULL, m, on_refused, &e, 60 * USEC_PER_SEC));
                expect_state(&h.host, "waits", "spawning");
                ASSERT_TRUE(sd_bus_call_method(h.host.bus, BERTH_BUS_NAME, BERTH_MANAGER_PATH,
                                               BERTH_MANAGER_INTERFACE, "RebootContainer", &b, NULL,
                                               "s", "waits") < 0);
                ASSERT_CONTAINS(b.message, "Container 'waits' is being started");
                int r = i == 0 ? stop_and_wait(h.host.bus, "waits", USEC_INFINITY, &end)
                               : manager1_terminate(h.host.bus, "waits", &end);
                if (r < 0)
                        TEST_FAIL("%s", end.message);
                await_error(&h, &e);
                ASSERT_STREQ(e.message, "Container 'waits' was stopped before it ran");
                expect_state(&h.host, "waits", "");
        }
}

TEST(errors_of_systemd) {
        _cleanup_(create_host_stop) CreateHost h;
        create_host_start(&h);
        expect_error(&h, &(Request){ .name = "refused" }, ERROR_INVALID_SETTING, "That is no good");
        expect_error(&h, &(Request){ .name = "failed" }, ERROR_UNIT_FAILED, "could not make scope");
        expect_state(&h.host, "refused", "");
        expect_state(&h.host, "failed", "");
}

TEST(bad_requests) {
        _cleanup_(create_host_stop) CreateHost h;
        int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        create_host_start(&h);
        expect_error(&h, &(Request){ .name = "web", .key = "OOMScoreAdjust", .value = "x" },
                     ERROR_INVALID_SETTING, "OOMScoreAdjust");
        expect_error(&h, &(Request){ .name = "web", .key = "Nonsense", .value = "x" },
                     ERROR_INVALID_SETTING, "Unknown setting 'Nonsense'");
        expect_error(&h,
                     &(Request){ .name = "web", .key = "Property", .value = "ExecStart=/bin/sh" },
                     ERROR_INVALID_SETTING, "Unknown unit property 'ExecStart'");
        expect_error(&h, &(Request){ .name = "web", .key = "Console", .value = "interactive" },
                     ERROR_CONFLICT, "needs descriptors 'stdin' and 'stdout'");
        expect_error(&h, &(Request){ .name = "web", .descriptor = "stdwhat", .fd = fd },
                     ERROR_INVALID_SETTING, "Unknown descriptor 'stdwhat'");
        expect_error(&h, &(Request){ .name = "web", .descriptor = "root", .fd = fd },
                     ERROR_NOT_A_ROOT, "not a directory");
        expect_error(&h, &(Request){ .name = "../web" }, ERROR_INVALID_NAME,
                     "'../web' is not a valid container name");
        close(fd);
}

TEST(descriptors) {
        _cleanup_(create_host_stop) CreateHost h;
        Error e = ERROR_NULL;
        int p[2], root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        char text[16] = "";
        create_host_start(&h);
        ASSERT_OK(pipe2(p, O_CLOEXEC));
        if (create(&h, &(Request){ .name = "out", .descriptor = "stdout", .fd = p[1] }, &e) < 0)
                TEST_FAIL("%s", e.message);
        ASSERT_EQ(read(p[0], text, sizeof(text) - 1), 6);
        ASSERT_STREQ(text, "hello\n");
        if (create(&h, &(Request){ .name = "root", .descriptor = "root", .fd = root }, &e) < 0)
                TEST_FAIL("%s", e.message);
        close(root);
        close(p[0]);
        close(p[1]);
}

/* What a caller hands in is looked at before anything is started. */
TEST(bad_descriptors) {
        _cleanup_(create_host_stop) CreateHost h;
        char top[] = "/tmp/test-create.XXXXXX";
        int p[2];
        create_host_start(&h);
        ASSERT_OK(pipe2(p, O_CLOEXEC));
        ASSERT_NOT_NULL(mkdtemp(top));
        _cleanup_free_ char *evil = strjoin(top, "/x\n[Files]\nBind=etc:mnt");
        ASSERT_OK(mkdir(evil, 0755));
        int evil_fd = open(evil, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
            path_fd = open("/dev/null", O_PATH | O_CLOEXEC),
            event_fd = epoll_create1(EPOLL_CLOEXEC);
        const struct {
                const char *name;
                int fd;
                const char *words;
        } bad[] = {
                { "stdout", p[0], "'stdout' is not open for writing" },
                { "stdin", p[1], "'stdin' is not open for reading" },
                { "stdin", path_fd, "'stdin' is no file" },
                { "stderr", event_fd, "'stderr' is no file" },
                { "stdin", evil_fd, "'stdin' is no file" },
                { "root", evil_fd, "'root' leads to '" },
        };
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                expect_error(
                        &h, &(Request){ .name = "web", .descriptor = bad[i].name, .fd = bad[i].fd },
                        ERROR_INVALID_SETTING, bad[i].words);
        ASSERT_OK(rmdir(evil));
        ASSERT_OK(rmdir(top));
        close(evil_fd);
        close(path_fd);
        close(event_fd);
        close(p[0]);
        close(p[1]);
}

static int on_created(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        int *answer = userdata;
        *answer = sd_bus_message_is_method_error(m, NULL) ? -1 : 1;
        return 0;
}

/* A bind mount's source is on a file system that does not answer: that start waits, the manager does not. */
TEST(file_system_that_hangs) {
        _cleanup_(create_host_stop) CreateHost h;
        char top[] = "/tmp/test-create.XXXXXX", options[64];
        ContainerInfo *list = NULL;
        size_t n;
        int answer = 0;
        Error e = ERROR_NULL;
        create_host_start(&h);
        ASSERT_NOT_NULL(mkdtemp(top));
        int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
        (void) snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0",
                        fuse);
        if (fuse < 0 || mount("test", top, "fuse", 0, options) < 0)
                TEST_SKIP("no FUSE here");
        _cleanup_free_ char *bind = strjoin(top, "/node:/dev/node");
        ASSERT_OK(sd_bus_call_method_async(h.host.bus, NULL, BERTH_BUS_NAME, BERTH_MANAGER_PATH,
                                           BERTH_MANAGER_INTERFACE, "CreateContainer", on_created,
                                           &answer, "sa{sv}a(sh)", "web", 2, "Directory", "s",
                                           "/srv", "Bind", "s", bind, 0));
        for (unsigned i = 0; i < 10; i++) {
                ASSERT_OK(manager1_list(h.host.bus, &list, &n, &e)); /* it has 5 s */
                for (size_t k = 0; k < n; k++)
                        container_info_done(&list[k]);
                free(list);
                ASSERT_EQ(n, 1);
                ASSERT_EQ(answer, 0);
                usleep(20000);
        }
        close(fuse); /* it answers now: with an error */
        for (unsigned i = 0; i < 300 && answer == 0; i++) {
                ASSERT_OK(sd_bus_wait(h.host.bus, 10 * USEC_PER_MSEC));
                while (sd_bus_process(h.host.bus, NULL) > 0)
                        ;
        }
        ASSERT_OK(umount2(top, MNT_DETACH));
        ASSERT_OK(rmdir(top));
        ASSERT_EQ(answer, 1);
}

/* The image is looked for by name; what is wrong with it is told as the CLI tells it. */
TEST(image_by_name) {
        _cleanup_(create_host_stop) CreateHost h;
        _cleanup_(sd_bus_error_free) sd_bus_error b = SD_BUS_ERROR_NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        create_host_start(&h);
        int r = sd_bus_call_method(h.host.bus, BERTH_BUS_NAME, BERTH_MANAGER_PATH,
                                   BERTH_MANAGER_INTERFACE, "CreateContainer", &b, NULL,
                                   "sa{sv}a(sh)", "no-such-image-anywhere", 0, 0);
        ASSERT_TRUE(r < 0);
        (void) bus_error_to_error(&b, r, &e, NULL);
        ASSERT_EQ(e.id, ERROR_ROOT_NOT_FOUND);
        ASSERT_CONTAINS(e.message, "There is no image 'no-such-image-anywhere'");
        expect_state(&h.host, "no-such-image-anywhere", "");
}

TEST(many) {
        _cleanup_(create_host_stop) CreateHost h;
        create_host_start(&h);
        for (unsigned i = 0; i < 30; i++) {
                _cleanup_free_ char *name = strf("n%u", i);
                Error e = ERROR_NULL;
                if (create(&h, &(Request){ .name = name }, &e) < 0)
                        TEST_FAIL("%s: %s", name, e.message);
        }
        for (unsigned i = 0; i < 30; i++) {
                _cleanup_free_ char *name = strf("n%u", i);
                Error e = ERROR_NULL;
                ASSERT_OK(manager1_terminate(h.host.bus, name, &e));
        }
        expect_state(&h.host, "n29", "");
}

int main(int argc, char **argv) {
        _cleanup_free_ char *name = NULL;
        if (argc == 2 && streq(argv[0], "berth-supervisor"))
                return launched_main(argv[1]);
        if (argc == 1 && streq(argv[0], "berth-spawner"))
                return hang_as_spawner();
        if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
            mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
                fprintf(stderr, "skipped: needs root and a mount namespace\n");
                return 77;
        }
        fake.cgroup_fd = fake_cgroup_new(&name);
        int r = test_run_all(argc, argv);
        if (name)
                fake_cgroup_remove(name);
        return r;
}
