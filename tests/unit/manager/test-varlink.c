/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* berthd's Varlink sockets: answers, and what bad clients get. */
#include "host.h"

#include <sys/un.h>

#include "manager/varlink.h"

static int connect_to(const Host *h, const char *name) {
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        (void) snprintf(sa.sun_path, sizeof(sa.sun_path), "%.60s/%.40s", h->machines, name);
        for (unsigned i = 0; i < 500; i++) {
                int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
                if (connect(fd, (struct sockaddr *) &sa, sizeof(sa)) == 0)
                        return fd;
                close(fd);
                usleep(10000);
        }
        return -ENOENT;
}

static void say(int fd, const char *text) {
        ASSERT_EQ(send(fd, text, strlen(text) + 1, MSG_NOSIGNAL), (ssize_t) strlen(text) + 1);
}

/* One message; "" when the connection has ended. */
static char *hear(int fd) {
        static char text[65536];
        for (size_t n = 0; n < sizeof(text); n++) {
                struct pollfd p = { .fd = fd, .events = POLLIN };
                if (poll(&p, 1, 3000) != 1)
                        return strcpy(text, "nothing");
                if (read(fd, text + n, 1) != 1)
                        return strcpy(text, "");
                if (text[n] == '\0')
                        return text;
        }
        return strcpy(text, "too much");
}

#define LIST(parameters) "{\"method\":\"io.systemd.Machine.List\",\"parameters\":" parameters "}"
#define MORE "{\"method\":\"io.systemd.Machine.List\",\"more\":true}"

TEST(listing) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        host_start(&h);
        s = supervisor_start(&h, "web", "running");
        expect_state(&h, "web", "running");
        _cleanup_close_ int fd = connect_to(&h, "io.systemd.Machine");
        ASSERT_OK(fd);
        say(fd, LIST("{\"name\":\"web\"}"));
        const char *text = hear(fd);
        ASSERT_CONTAINS(text, "\"name\":\"web\"");
        ASSERT_CONTAINS(text, "\"class\":\"container\"");
        ASSERT_CONTAINS(text, "\"id\":\"0123456789abcdef0123456789abcdef\"");
        ASSERT_CONTAINS(text, "/berth.web\"");
        say(fd, LIST("{\"name\":\"other\"}"));
        ASSERT_CONTAINS(hear(fd), "\"error\":\"io.systemd.Machine.NoSuchMachine\"");
        say(fd, LIST("{\"name\":7}"));
        ASSERT_CONTAINS(hear(fd), "org.varlink.service.InvalidParameter");
        say(fd, LIST("null"));
        ASSERT_CONTAINS(hear(fd), "org.varlink.service.ExpectedMore");
        say(fd, MORE);
        text = hear(fd);
        ASSERT_CONTAINS(text, "\"name\":\"web\"");
        ASSERT_CONTAINS(text, "\"continues\":true");
        text = hear(fd);
        ASSERT_CONTAINS(text, "\"name\":\".host\"");
        ASSERT_TRUE(!strstr(text, "continues"));
        say(fd, "{\"method\":\"io.systemd.Machine.Nonsense\"}");
        ASSERT_CONTAINS(hear(fd), "org.varlink.service.MethodNotFound");
        say(fd, "{\"method\":\"org.varlink.service.GetInfo\"}");
        ASSERT_CONTAINS(hear(fd), "\"io.systemd.Machine\"");
}

TEST(framing) {
        _cleanup_(host_stop) Host h;
        host_start(&h);
        _cleanup_close_ int fd = connect_to(&h, "io.systemd.Machine");
        ASSERT_OK(fd);
        /* two in one, then one in pieces, then one without an answer before one with */
        static const char two[] = LIST("{\"name\":\"a\"}") "\0" LIST("{\"name\":\".host\"}");
        ASSERT_EQ(send(fd, two, sizeof(two), 0), (ssize_t) sizeof(two));
        ASSERT_CONTAINS(hear(fd), "NoSuchMachine");
        ASSERT_CONTAINS(hear(fd), "\"class\":\"host\"");
        static const char slow[] = LIST("{\"name\":\".host\"}");
        for (size_t i = 0; i < sizeof(slow); i += 10) {
                const size_t n = MIN(sizeof(slow) - i, (size_t) 10);
                ASSERT_EQ(send(fd, slow + i, n, 0), (ssize_t) n);
                usleep(2000);
        }
        ASSERT_CONTAINS(hear(fd), "\"class\":\"host\"");
        say(fd, "{\"method\":\"io.systemd.Machine.List\",\"oneway\":true}");
        say(fd, LIST("{\"name\":\".host\"}"));
        ASSERT_CONTAINS(hear(fd), "\"class\":\"host\"");
}

TEST(garbage) {
        _cleanup_(host_stop) Host h;
        host_start(&h);
        static const char *const bad[] = { "",
                                           "x",
                                           "[]",
                                           "{}",
                                           "{\"method\":1}",
                                           "{\"method\":\"a\"",
                                           "{\"method\":\"a\",\"parameters\":[]}",
                                           "\xff\xfe" };
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_close_ int fd = connect_to(&h, "io.systemd.Machine");
                ASSERT_OK(fd);
                say(fd, bad[i]);
                ASSERT_STREQ(hear(fd), "");
        }
        /* a message that does not end */
        _cleanup_close_ int fd = connect_to(&h, "io.systemd.Machine");
        char block[4096];
        memset(block, ' ', sizeof(block));
        size_t sent = 0;
        while (send(fd, block, sizeof(block), MSG_NOSIGNAL) > 0 && sent < 4U << 20)
                sent += sizeof(block);
        ASSERT_TRUE(sent < 4U << 20);
}

TEST(registering) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        host_start(&h);
        s = supervisor_start(&h, "web", "running");
        expect_state(&h, "web", "running");
        _cleanup_close_ int fd = connect_to(&h, "io.systemd.Machine");
        ASSERT_OK(fd);
#define REGISTER(members) \
        say(fd, "{\"method\":\"io.systemd.Machine.Register\",\"parameters\":{" members "}}")
        REGISTER("\"name\":\"web\",\"class\":\"container\"");
        ASSERT_CONTAINS(hear(fd), "io.systemd.Machine.MachineExists");
        REGISTER("\"name\":\"../x\",\"class\":\"container\"");
        ASSERT_CONTAINS(hear(fd), "\"parameter\":\"name\"");
        REGISTER("\"name\":\"w2\"");
        ASSERT_CONTAINS(hear(fd), "\"parameter\":\"class\"");
        REGISTER("\"name\":\"w2\",\"class\":\"container\",\"id\":\"z\"");
        ASSERT_CONTAINS(hear(fd), "\"parameter\":\"id\"");
        REGISTER("\"name\":\"w2\",\"class\":\"container\",\"leaderProcessId\":{\"pid\":-5}");
        ASSERT_CONTAINS(hear(fd), "\"parameter\":\"leaderProcessId\"");
        REGISTER("\"name\":\"w2\",\"class\":\"container\",\"ifIndices\":[1,\"x\"]");
        ASSERT_CONTAINS(hear(fd), "\"parameter\":\"ifIndices\"");
        REGISTER("\"name\":\"w2\",\"class\":\"container\",\"leaderProcessId\":{\"pid\":1}");
        ASSERT_CONTAINS(hear(fd), "io.systemd.System");
        REGISTER("\"name\":\"w2\",\"class\":\"container\""); /* this process is in no unit */
        ASSERT_CONTAINS(hear(fd), "io.systemd.System");
        say(fd, "{\"method\":\"io.systemd.Machine.Unregister\",\"parameters\":{\"name\":\"web\"}}");
        ASSERT_CONTAINS(hear(fd), "io.systemd.Machine.NotSupported");
        say(fd,
            "{\"method\":\"io.systemd.Machine.Terminate\",\"parameters\":{\"name\":\".host\"}}");
        ASSERT_CONTAINS(hear(fd), "io.systemd.Machine.NotSupported");
        say(fd, "{\"method\":\"io.systemd.Machine.Terminate\",\"parameters\":{}}");
        ASSERT_CONTAINS(hear(fd), "\"parameter\":\"name\"");
        say(fd,
            "{\"method\":\"io.systemd.Machine.Kill\",\"parameters\":{\"name\":\"web\",\"signal\":0}}");
        ASSERT_CONTAINS(hear(fd), "\"parameter\":\"signal\"");
        say(fd, "{\"method\":\"io.systemd.Machine.Terminate\",\"parameters\":{\"name\":\"web\"}}");
        ASSERT_STREQ(hear(fd), "{\"parameters\":{}}");
        expect_state(&h, "web", "");
}

TEST(own_socket) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        struct stat st;
        char path[200];
        host_start(&h);
        s = supervisor_start(&h, "web", "running");
        expect_state(&h, "web", "running");
        (void) snprintf(path, sizeof(path), "%s/berth.web", h.machines);
        _cleanup_close_ int fd = connect_to(&h, "io.systemd.Machine");
        ASSERT_ERROR(stat(path, &st) < 0 ? -errno : 0, ENOENT); /* made when it is asked for */
        say(fd, LIST("{\"name\":\"web\"}"));
        (void) hear(fd);
        ASSERT_OK(stat(path, &st));
        ASSERT_EQ(st.st_mode & 07777, 0600);
        _cleanup_close_ int own = connect_to(&h, "berth.web");
        say(own, LIST("{\"name\":\"web\"}"));
        ASSERT_CONTAINS(hear(own), "MethodNotFound");
        say(own, "{\"method\":\"io.systemd.MachineInstance.Describe\"}");
        ASSERT_STREQ(hear(own), "{\"parameters\":{\"running\":true,\"status\":\"running\"}}");
        say(own, "{\"method\":\"io.systemd.MachineInstance.PowerOff\",\"parameters\":{}}");
        ASSERT_STREQ(hear(own), "{\"parameters\":{}}");
        expect_state(&h, "web", "");
        ASSERT_STREQ(hear(own), ""); /* it went with the container */
        ASSERT_ERROR(stat(path, &st) < 0 ? -errno : 0, ENOENT);
}

TEST(strangers) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        host_start(&h);
        s = supervisor_start(&h, "web", "running");
        expect_state(&h, "web", "running");
        pid_t pid = fork();
        if (pid == 0) {
                if (setgid(65534) < 0 || setuid(65534) < 0)
                        _exit(1);
                int fd = connect_to(&h, "io.systemd.Machine");
                say(fd, LIST("{\"name\":\"web\"}"));
                const char *text = hear(fd);
                if (!strstr(text, "\"web\"") || strstr(text, "controlAddress"))
                        _exit(2);
                static const char *const methods[] = { "Register", "Unregister", "Terminate",
                                                       "Kill" };
                for (size_t i = 0; i < ELEMENTSOF(methods); i++) {
                        char call[200];
                        (void) snprintf(call, sizeof(call),
                                        "{\"method\":\"io.systemd.Machine.%s\",\"parameters\":"
                                        "{\"name\":\"web\",\"class\":\"container\",\"signal\":9}}",
                                        methods[i]);
                        say(fd, call);
                        if (!strstr(hear(fd), "org.varlink.service.PermissionDenied"))
                                _exit(3);
                }
                /* more connections than one user may have */
                unsigned dropped = 0;
                for (unsigned i = 0; i < VARLINK_CONNECTIONS_USER_MAX + 5; i++) {
                        int more = connect_to(&h, "io.systemd.Machine");
                        (void) send(more, LIST("null"), sizeof(LIST("null")), MSG_NOSIGNAL);
                        dropped += hear(more)[0] == '\0';
                }
                _exit(dropped == 6 ? 0 : 4);
        }
        int status = 0;
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        ASSERT_TRUE(WIFEXITED(status));
        ASSERT_EQ(WEXITSTATUS(status), 0);
        _cleanup_close_ int fd = connect_to(&h, "io.systemd.Machine"); /* others are served */
        say(fd, LIST("{\"name\":\"web\"}"));
        ASSERT_CONTAINS(hear(fd), "\"web\"");
}

/* What does not come to rest goes on after ten seconds, though nobody waits. */
TEST(pause_that_takes_too_long) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        _cleanup_error_ Error e = ERROR_NULL;
        host_start(&h);
        s = supervisor_start(&h, "stiff", "running");
        expect_state(&h, "stiff", "running");
        _cleanup_close_ int all = connect_to(&h, "io.systemd.Machine");
        say(all, LIST("{\"name\":\"stiff\"}"));
        (void) hear(all);
        _cleanup_close_ int fd = connect_to(&h, "berth.stiff");
        ASSERT_OK(fd);
        say(fd, "{\"method\":\"io.systemd.MachineInstance.Pause\"}");
        ASSERT_STREQ(hear(fd), "{\"parameters\":{}}");
        usleep(USEC_PER_SEC);
        ASSERT_TRUE(manager1_pause(h.bus, "stiff", &e) < 0); /* sooner than its own time */
        ASSERT_CONTAINS(e.message, "'stiff' was resumed meanwhile");
}

TEST_MAIN
