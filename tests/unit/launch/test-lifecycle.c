/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the outside while it runs: stopping, reboots, notifications, links, and a supervisor that is killed. */
#include "start.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "ipc/control.h"

static Running run; /* big */
static const char *const trap =
        "trap 'echo got; exit 6' TERM; echo up; while :; do sleep 0.1; done";

/* The payload's process ID as we see it. */
static pid_t leader_pid(const Running *r) {
        _cleanup_free_ char *text = NULL;
        char path[64];
        snprintf(path, sizeof(path), "/proc/%d/task/%d/children", r->supervisor.pid,
                 r->supervisor.pid);
        ASSERT_OK(file_read_all(AT_FDCWD, path, 4096, &text, NULL));
        return (pid_t) atoi(text);
}

static usec_t now_monotonic(void) {
        return now_usec(CLOCK_MONOTONIC);
}

/* ---- stopping ---- */

TEST(first_signal_asks) {
        static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
        for (size_t i = 0; i < ELEMENTSOF(signals); i++) {
                _cleanup_spec_ ContainerSpec *s = start_spec(SHELL(trap));
                start(&run, s);
                start_read(&run, "up");
                ASSERT_OK(pidref_kill(&run.supervisor, signals[i]));
                ASSERT_EQ(start_end(&run), 6);
                ASSERT_CONTAINS(run.out_text, "got");
        }
}

/* PID 1 that does not catch SIGTERM would never see it. */
TEST(command_without_handler_is_killed) {
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL("echo up; exec sleep 100"));
        usec_t begin = now_monotonic();
        start(&run, s);
        start_read(&run, "up");
        usleep(100000); /* the shell has become sleep(1) */
        ASSERT_OK(pidref_kill(&run.supervisor, SIGTERM));
        ASSERT_EQ(start_end(&run), 137);
        ASSERT_TRUE(now_monotonic() - begin < 5 * USEC_PER_SEC);
}

TEST(second_signal_kills) {
        _cleanup_spec_ ContainerSpec *s =
                start_spec(SHELL("trap 'echo got' TERM; echo up; while :; do sleep 0.1; done"));
        start(&run, s);
        start_read(&run, "up");
        ASSERT_OK(pidref_kill(&run.supervisor, SIGTERM));
        start_read(&run, "got");
        ASSERT_OK(pidref_kill(&run.supervisor, SIGTERM));
        ASSERT_EQ(start_end(&run), 137);
}

TEST(time_is_up) {
        _cleanup_spec_ ContainerSpec *s =
                start_spec(SHELL("trap 'echo got' TERM; echo up; while :; do sleep 0.1; done"));
        s->payload.stop_timeout_usec = 500 * USEC_PER_MSEC;
        start(&run, s);
        start_read(&run, "up");
        usec_t begin = now_monotonic();
        ASSERT_OK(pidref_kill(&run.supervisor, SIGTERM));
        ASSERT_EQ(start_end(&run), 137);
        usec_t took = now_monotonic() - begin;
        ASSERT_TRUE(took >= 450 * USEC_PER_MSEC && took < 5 * USEC_PER_SEC);
        ASSERT_CONTAINS(run.err_text, "did not stop in time");
}

TEST(kill_signal) {
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL(
                "trap 'echo usr1; exit 8' USR1; trap 'exit 9' TERM; echo up; while :; do sleep 0.1; done"));
        s->payload.kill_signal = SIGUSR1;
        start(&run, s);
        start_read(&run, "up");
        ASSERT_OK(pidref_kill(&run.supervisor, SIGTERM));
        ASSERT_EQ(start_end(&run), 8);
}

TEST(stub_passes_it_on) {
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL(trap));
        s->payload.start = START_PID2;
        start(&run, s);
        start_read(&run, "up");
        ASSERT_OK(pidref_kill(&run.supervisor, SIGTERM));
        ASSERT_EQ(start_end(&run), 6);
}

/* An init that is told to stop before it listens: told again, not waited for in vain. */
TEST(init_that_does_not_listen_yet) {
        _cleanup_spec_ ContainerSpec *s = start_spec(NULL);
        usec_t begin = now_monotonic();
        write_text(
                "/run/root/sbin/init",
                "#!/bin/sh\necho up; sleep 1; trap 'echo halted; poweroff -f; sleep 5' 37; while :; do sleep 0.1; done\n",
                0755);
        s->payload.start = START_BOOT;
        start(&run, s);
        start_read(&run, "up");
        ASSERT_OK(pidref_kill(&run.supervisor, SIGTERM));
        ASSERT_EQ(start_end(&run), 0);
        ASSERT_CONTAINS(run.out_text, "halted");
        ASSERT_TRUE(now_monotonic() - begin < 10 * USEC_PER_SEC);
        (void) unlink("/run/root/sbin/init");
}

TEST(stopped_payload_is_killed_all_the_same) {
        _cleanup_spec_ ContainerSpec *s =
                start_spec(SHELL("trap : TERM; echo up; while :; do sleep 0.1; done"));
        start(&run, s);
        start_read(&run, "up");
        ASSERT_OK(kill(leader_pid(&run), SIGSTOP));
        ASSERT_OK(pidref_kill(&run.supervisor, SIGTERM));
        usleep(50000);
        ASSERT_OK(pidref_kill(&run.supervisor, SIGTERM));
        ASSERT_EQ(start_end(&run), 137);
}

/* A reader of our output that does not read must not keep us from stopping. */
TEST(output_that_nobody_reads) {
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL(
                "echo up; while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done"));
        siginfo_t info = { 0 };
        s->console.mode = CONSOLE_READ_ONLY;
        start(&run, s);
        start_read(&run, "up");
        usleep(300000); /* the pipe is full */
        ASSERT_OK(pidref_kill(&run.supervisor, SIGTERM));
        ASSERT_OK(pidref_kill(&run.supervisor, SIGTERM));
        usleep(100000);
        ASSERT_OK(pidref_kill(&run.supervisor, SIGTERM));
        if (!wait_msec(&run.supervisor, 5000)) {
                (void) pidref_kill(&run.supervisor, SIGKILL);
                (void) pidref_wait(&run.supervisor, true, &info);
                TEST_FAIL("the supervisor hangs in a write");
        }
        (void) start_end(&run);
}

/* ---- how it ends by itself ---- */

TEST(poweroff_and_reboot) {
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL("poweroff -f; sleep 10"));
        ASSERT_EQ(start_and_end(&run, s), 0);
        _cleanup_spec_ ContainerSpec *t = start_spec(SHELL(
                "if [ -e /work/again ]; then echo second; exit 4; fi; touch /work/again; echo first; reboot -f; sleep 10"));
        t->security.bounding = CAP_ALL_MASK;
        int status = start_and_end(&run, t);
        (void) unlink("/run/root/work/again");
        ASSERT_EQ(status, 4);
        ASSERT_STREQ(run.out_text, "first\nsecond\n");
        ASSERT_STREQ(run.err_text, "");
}

/* The same with a range of users: new namespaces each time, and nothing of the first start in the way. */
TEST(reboot_with_user_namespace) {
        _cleanup_spec_ ContainerSpec *t = start_spec(SHELL(
                "n=$(cat /work/n); echo $((n+1)) >/work/n; stat -c %u /bin/busybox; [ $n = 3 ] && exit 4; reboot -f; sleep 10"));
        write_text("/run/root/work/n", "1", 0666);
        t->users.mode = USERNS_RANGE;
        t->users.base = 1000000;
        t->users.count = 65536;
        t->time.boottime_set = true;
        t->time.boottime_nsec = INT64_C(1000) * 1000000000;
        int status = start_and_end(&run, t);
        (void) unlink("/run/root/work/n");
        ASSERT_EQ(status, 4);
        ASSERT_STREQ(run.out_text, "0\n0\n0\n");
}

/* ---- a supervisor that is killed takes all along ---- */

static void killed_supervisor(StartMode mode, bool userns) {
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL("(sleep 100 &) ; echo up; sleep 100"));
        siginfo_t info;
        s->payload.start = mode;
        if (userns) {
                s->users.mode = USERNS_RANGE;
                s->users.base = 1000000;
                s->users.count = 65536;
        }
        start(&run, s);
        start_read(&run, "up");
        PidRef leader = PIDREF_NULL;
        ASSERT_OK(pidref_open(leader_pid(&run), &leader));
        ASSERT_OK(pidref_kill(&run.supervisor, SIGKILL));
        ASSERT_EQ(pidref_wait(&run.supervisor, true, &info), 1);
        ASSERT_TRUE(wait_msec(&leader, 5000));
        start_read(&run, NULL); /* the pipes close: nobody is left */
        ASSERT_TRUE(run.out < 0 && run.err < 0);
        pidref_done(&leader);
        pidref_done(&run.supervisor);
        run.in = fd_close(run.in);
}

TEST(killed_supervisor_command) {
        killed_supervisor(START_COMMAND, false);
}
TEST(killed_supervisor_user_namespace) {
        killed_supervisor(START_COMMAND, true);
}
TEST(killed_supervisor_stub) {
        killed_supervisor(START_PID2, true);
}

/* ---- notifications ---- */

static int notify_open(void) {
        static struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "/run/notify-test" };
        (void) unlink(a.sun_path);
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        ASSERT_OK(bind(fd, (const struct sockaddr *) &a, sizeof(a)));
        /* one start inherits it: supervisor_start() drops it */
        return fd;
}

/* Becomes the supervisor in a child, as `berth run` in a unit does. */
static void start_as_service(const ContainerSpec *spec) {
        int in[2], out[2], err[2];
        run = (Running){ .supervisor = PIDREF_NULL, .status = -1 };
        ASSERT_OK(pipe2(in, O_CLOEXEC));
        ASSERT_OK(pipe2(out, O_CLOEXEC));
        ASSERT_OK(pipe2(err, O_CLOEXEC));
        pid_t pid = fork();
        if (pid == 0) {
                char text[32];
                snprintf(text, sizeof(text), "%d", (int) getpid());
                (void) setenv("NOTIFY_SOCKET", "/run/notify-test", 1);
                (void) setenv("WATCHDOG_USEC", "200000", 1);
                (void) setenv("WATCHDOG_PID", text, 1);
                dup2(in[0], 0);
                dup2(out[1], 1);
                dup2(err[1], 2);
                (void) supervisor_become(spec, -EBADF, -EBADF, NULL, 0, NULL);
                _exit(99);
        }
        ASSERT_OK(pidref_open(pid, &run.supervisor));
        fd_close(in[0]);
        fd_close(out[1]);
        fd_close(err[1]);
        run.in = in[1];
        run.out = out[0];
        run.err = err[0];
}

/* Datagrams in order, joined by "|", without the watchdog's, until `last` came. */
static char *notified(int fd, const char *last) {
        static char text[4096];
        size_t n = 0;
        text[0] = '\0';
        while (!strstr(text, last)) {
                struct pollfd p = { .fd = fd, .events = POLLIN };
                if (poll(&p, 1, 5000) <= 0)
                        TEST_FAIL("'%s' was not notified, but '%s'", last, text);
                ssize_t k = recv(fd, text + n, sizeof(text) - n - 2, 0);
                ASSERT_TRUE(k > 0);
                text[n + (size_t) k] = '\0';
                if (streq(text + n, "WATCHDOG=1") && !streq(last, "WATCHDOG=1")) {
                        text[n] = '\0';
                        continue;
                }
                n += (size_t) k;
                text[n++] = '|';
                text[n] = '\0';
        }
        return text;
}

TEST(notify_at_once) {
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL("echo up; cat"));
        _cleanup_close_ int fd = notify_open();
        start_as_service(s);
        char *text = notified(fd, "READY=1");
        ASSERT_CONTAINS(text, "STATUS=Container ");
        ASSERT_CONTAINS(text, "LEADER_PID=");
        (void) notified(fd, "WATCHDOG=1");
        ASSERT_OK(pidref_kill(&run.supervisor, SIGTERM));
        (void) notified(fd, "STOPPING=1\nSTATUS=Terminating...");
        ASSERT_EQ(start_end(&run), 137);
}


/* systemctl status shows why a start failed. */
TEST(notify_why_it_failed) {
        const struct {
                const char *program, *root;
                int status;
        } rows[] = {
                { "/bin/nosuch", start_root, 127 },
                { "/bin/true", "/run/nosuch", 125 },
        };
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_spec_ ContainerSpec *s = start_spec(WORDS(rows[i].program));
                _cleanup_close_ int fd = notify_open();
                ASSERT_OK(free_and_strdup(&s->root.directory, rows[i].root));
                start_as_service(s);
                char *text = notified(fd, "ERRNO=");
                ASSERT_TRUE(startswith(text, "STATUS=Cannot start 'web': "));
                ASSERT_EQ(start_end(&run), rows[i].status);
                ASSERT_CONTAINS(text, "nosuch");
                ASSERT_CONTAINS(text, "\nERRNO=2|");
                /* the same sentence as on standard error, in one line */
                char *newline = strchr(run.err_text, '\n'), *end = strstr(text, "\nERRNO=");
                ASSERT_NOT_NULL(newline);
                ASSERT_NOT_NULL(end);
                *newline = *end = '\0';
                ASSERT_CONTAINS(run.err_text, text + STRLEN("STATUS="));
        }
}

TEST(notify_only_from_pid1) {
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL("sleep 1; echo done"));
        _cleanup_close_ int fd = notify_open();
        char byte[64];
        s->payload.notify_ready = true;
        start_as_service(s);
        (void) notified(fd, "LEADER_PID=");
        /* as a process of the container that is not PID 1: from outside, through /proc */
        char path[108];
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        snprintf(path, sizeof(path), "/proc/%d/root/run/host/notify", leader_pid(&run));
        snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
        _cleanup_close_ int sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        ASSERT_EQ(sendto(sender, "READY=1", 7, 0, (const struct sockaddr *) &a, sizeof(a)), 7);
        usleep(200000);
        for (ssize_t n; (n = recv(fd, byte, sizeof(byte) - 1, MSG_DONTWAIT)) > 0;) {
                byte[n] = '\0';
                ASSERT_FALSE(strstr(byte, "READY=1"));
        }
        /* and as PID 1: only root on the host may say who it is not */
        struct ucred who = { .pid = leader_pid(&run) };
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(who))];
        } control = { 0 };
        struct iovec iov = { .iov_base = (void *) "STATUS=half\x1b[m\nREADY=1", .iov_len = 22 };
        struct msghdr h = { .msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof(control),
                            .msg_name = &a,
                            .msg_namelen = sizeof(a) };
        struct cmsghdr *c = CMSG_FIRSTHDR(&h);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_CREDENTIALS;
        c->cmsg_len = CMSG_LEN(sizeof(who));
        memcpy(CMSG_DATA(c), &who, sizeof(who));
        ASSERT_EQ(sendmsg(sender, &h, 0), 22);
        char *text = notified(fd, "STATUS=Container running: half\\x1b[m");
        ASSERT_CONTAINS(text, "READY=1");
        ASSERT_EQ(start_end(&run), 0);
}

/* A payload that floods its socket must not cost the host a processor. */
TEST(notify_flood) {
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL("echo up; cat"));
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        char path[64], *end;
        start(&run, s);
        start_read(&run, "up");
        snprintf(a.sun_path, sizeof(a.sun_path), "/proc/%d/root/run/host/notify", leader_pid(&run));
        _cleanup_close_ int sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        for (usec_t until = now_monotonic() + USEC_PER_SEC; now_monotonic() < until;)
                if (sendto(sender, "STATUS=x", 8, 0, (const struct sockaddr *) &a, sizeof(a)) < 0)
                        usleep(500);
        snprintf(path, sizeof(path), "/proc/%d/stat", run.supervisor.pid);
        _cleanup_free_ char *stat = NULL;
        ASSERT_OK(file_read_all(AT_FDCWD, path, 4096, &stat, NULL));
        const char *p = strrchr(stat, ')') + 2; /* state, the 3rd field; utime is the 14th */
        for (int i = 0; i < 11; i++)
                p = strchr(p, ' ') + 1;
        long ticks = strtol(p, &end, 10);
        ticks += strtol(end, NULL, 10);
        ASSERT_OK(pidref_kill(&run.supervisor, SIGTERM));
        (void) start_end(&run);
        if (ticks > sysconf(_SC_CLK_TCK) / 10)
                TEST_FAIL("the supervisor was busy for %ld ticks of %ld", ticks,
                          sysconf(_SC_CLK_TCK));
}

/* ---- links ---- */

static int receive(int fd, ControlMessage *m) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        control_message_done(m);
        if (poll(&p, 1, 10000) <= 0)
                return -ETIMEDOUT;
        return control_receive(fd, m);
}

static void expect(int fd, ControlMessage *m, ControlType type) {
        int r = receive(fd, m);
        if (r != 1 || m->type != type)
                TEST_FAIL("%s came (%d), not %s",
                          r == 1 ? strempty(control_type_to_string(m->type)) : "nothing", r,
                          control_type_to_string(type));
}

TEST(launcher_link) {
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL(trap));
        _cleanup_(control_message_done) ControlMessage m = CONTROL_MESSAGE_NULL;
        int pair[2];
        ASSERT_OK(socket_pair_seqpacket(pair));
        start_on(&run, s, pair[1]);
        fd_close(pair[1]);
        expect(pair[0], &m, CONTROL_STARTED);
        ASSERT_EQ(atoi(control_message_get(&m, "PID")), leader_pid(&run));
        ASSERT_TRUE(m.fds[0] >= 0);
        expect(pair[0], &m, CONTROL_READY);
        start_read(&run, "up");
        ASSERT_OK(control_send(pair[0], CONTROL_STOP, NULL, NULL, 0));
        expect(pair[0], &m, CONTROL_STOPPING);
        expect(pair[0], &m, CONTROL_EXITED);
        ASSERT_STREQ(control_message_get(&m, "REASON"), "exited");
        ASSERT_STREQ(control_message_get(&m, "STATUS"), "6");
        ASSERT_STREQ(control_message_get(&m, "OOM"), "no");
        ASSERT_EQ(receive(pair[0], &m), 0);
        ASSERT_EQ(start_end(&run), 6);
        fd_close(pair[0]);
}

/* "berth stop", and systemd's own wish before the container has ended: both want the same. */
TEST(two_who_ask_are_not_impatient) {
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL(
                "trap 'echo got; sleep 1; exit 6' TERM; echo up; while :; do sleep 0.1; done"));
        int pair[2];
        ASSERT_OK(socket_pair_seqpacket(pair));
        start_on(&run, s, pair[1]);
        fd_close(pair[1]);
        start_read(&run, "up");
        ASSERT_OK(control_send(pair[0], CONTROL_STOP, NULL, NULL, 0));
        start_read(&run, "got");
        ASSERT_OK(pidref_kill(&run.supervisor, SIGTERM));
        ASSERT_EQ(start_end(&run), 6);
        fd_close(pair[0]);
}

TEST(launcher_terminates) {
        _cleanup_spec_ ContainerSpec *s =
                start_spec(SHELL("trap : TERM; echo up; while :; do sleep 0.1; done"));
        _cleanup_(control_message_done) ControlMessage m = CONTROL_MESSAGE_NULL;
        int pair[2];
        ASSERT_OK(socket_pair_seqpacket(pair));
        start_on(&run, s, pair[1]);
        fd_close(pair[1]);
        start_read(&run, "up");
        ASSERT_OK(control_send(pair[0], CONTROL_TERMINATE, NULL, NULL, 0));
        ASSERT_EQ(start_end(&run), 137);
        fd_close(pair[0]);
}

/* Garbage, and messages that have no place here, harm nobody. */
TEST(launcher_is_confused) {
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL("echo up; cat; exit 3"));
        int pair[2];
        ASSERT_OK(socket_pair_seqpacket(pair));
        start_on(&run, s, pair[1]);
        fd_close(pair[1]);
        start_read(&run, "up");
        (void) control_send(pair[0], CONTROL_GO, NULL, NULL, 0);
        (void) control_send(pair[0], CONTROL_HELLO, NULL, NULL, 0);
        ASSERT_EQ(write(pair[0], "garbage", 7), 7);
        usleep(100000);
        ASSERT_EQ(start_end(&run), 3);
        fd_close(pair[0]);
}

TEST(failure_on_the_link) {
        _cleanup_spec_ ContainerSpec *s = start_spec(WORDS("nosuch"));
        _cleanup_(control_message_done) ControlMessage m = CONTROL_MESSAGE_NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        int pair[2];
        ASSERT_OK(socket_pair_seqpacket(pair));
        start_on(&run, s, pair[1]);
        fd_close(pair[1]);
        expect(pair[0], &m, CONTROL_ERROR);
        ASSERT_OK(error_deserialize(control_message_get(&m, "ERROR"), &e));
        ASSERT_CONTAINS(e.message, "nosuch");
        ASSERT_EQ(e.id, ERROR_INIT_NOT_FOUND);
        ASSERT_EQ(start_end(&run), 127);
        fd_close(pair[0]);
}

/* Mode `wait`: nothing runs before GO, and a launcher that goes away ends the start without a word. */
TEST(wait_for_go) {
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL("echo up"));
        int pair[2];
        s->resources.cgroup = CGROUP_WAIT;
        ASSERT_OK(socket_pair_seqpacket(pair));
        start_on(&run, s, pair[1]);
        fd_close(pair[1]);
        ASSERT_FALSE(wait_msec(&run.supervisor, 300));
        fd_close(pair[0]);
        ASSERT_EQ(start_end(&run), 125);
        ASSERT_STREQ(run.out_text, "");
        ASSERT_STREQ(run.err_text, "");
}

TEST(signal_before_go) {
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL("echo up"));
        int pair[2];
        s->resources.cgroup = CGROUP_WAIT;
        ASSERT_OK(socket_pair_seqpacket(pair));
        start_on(&run, s, pair[1]);
        fd_close(pair[1]);
        ASSERT_FALSE(wait_msec(&run.supervisor, 300));
        ASSERT_OK(pidref_kill(&run.supervisor, SIGTERM));
        ASSERT_NE(start_end(&run), 0);
        ASSERT_STREQ(run.out_text, "");
        fd_close(pair[0]);
}

/* The manager may come late, go, and come again: it is told all each time. */
TEST(manager_link) {
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL("echo up; cat; exit 3"));
        _cleanup_(control_message_done) ControlMessage m = CONTROL_MESSAGE_NULL;
        struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = CONTROL_SOCKET_PATH };

        start(&run, s);
        start_read(&run, "up");
        (void) mkdir("/run/berth", 0755);
        int fd = -EBADF, server = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        ASSERT_OK(bind(server, (struct sockaddr *) &a, sizeof(a)));
        ASSERT_OK(listen(server, 8));
        for (int round = 0; round < 2; round++) {
                struct pollfd p = { .fd = server, .events = POLLIN };
                fd_close(fd);
                ASSERT_EQ(poll(&p, 1, 15000), 1);
                fd = accept4(server, NULL, NULL, SOCK_CLOEXEC);
                ASSERT_OK(fd);
                expect(fd, &m, CONTROL_HELLO);
                ASSERT_STREQ(control_message_get(&m, "NAME"), "web");
                ASSERT_STREQ(control_message_get(&m, "PHASE"), "running");
                ASSERT_EQ(atoi(control_message_get(&m, "PID")), leader_pid(&run));
                ASSERT_NOT_NULL(control_message_get(&m, "STARTED_USEC"));
                ASSERT_TRUE(m.fds[0] >= 0 && m.fds[1] >= 0);
                ASSERT_TRUE(fcntl(m.fds[0], F_GET_SEALS) & F_SEAL_WRITE);
        }
        run.in = fd_close(run.in);
        do
                ASSERT_EQ(receive(fd, &m), 1);
        while (m.type != CONTROL_EXITED);
        ASSERT_STREQ(control_message_get(&m, "STATUS"), "3");
        ASSERT_EQ(start_end(&run), 3);
        fd_close(fd);
        fd_close(server);
        (void) unlink(CONTROL_SOCKET_PATH);
}

/* ---- what the supervisor keeps ---- */

TEST(privileges_are_dropped) {
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL("echo up; cat"));
        _cleanup_free_ char *status = NULL;
        char path[64];
        start(&run, s);
        start_read(&run, "up");
        usleep(100000);
        snprintf(path, sizeof(path), "/proc/%d/status", run.supervisor.pid);
        ASSERT_OK(file_read_all(AT_FDCWD, path, 16384, &status, NULL));
        ASSERT_CONTAINS(status, "CapEff:\t0000000000000020\n");
        ASSERT_CONTAINS(status, "CapPrm:\t0000000000000020\n");
        ASSERT_EQ(start_end(&run), 0);
}

TEST_MAIN
