/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The spawner, with this test itself as the programs that it executes. */
#include "spawner/spawner.h"

#include <limits.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "ipc/control.h"
#include "ipc/spawn.h"
#include "ipc/worker.h"
#include "test.h"

/* ---- the programs ---- */

/* One line about each descriptor, about signals and variables, on descriptor 1. */
static int stand_in(int argc, char **argv) {
        char path[64], target[PATH_MAX];
        dprintf(1, "%s %d %s\n", argv[0], argc, argc > 1 ? argv[1] : "-");
        for (int fd = 2; fd < 64; fd++) {
                snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
                ssize_t n = readlink(path, target, sizeof(target) - 1);
                if (n < 0)
                        continue;
                target[n] = '\0';
                dprintf(1, "%d %s\n", fd, target);
        }
        for (int sig = 1; sig < _NSIG; sig++) {
                struct sigaction a;
                sigset_t blocked;
                if (sigaction(sig, NULL, &a) >= 0 && a.sa_handler == SIG_IGN)
                        dprintf(1, "ignores %d\n", sig);
                if (sigprocmask(SIG_BLOCK, NULL, &blocked) < 0 || sigismember(&blocked, sig) > 0)
                        dprintf(1, "blocks %d\n", sig);
        }
        dprintf(1, "session %d notify %s other %s\n", getsid(0) == getpid(),
                getenv("NOTIFY_SOCKET") ?: "-", getenv("OTHER") ?: "-");
        if (getenv("http_proxy"))
                dprintf(1, "proxy %s\n", getenv("http_proxy"));
        return 42;
}

/* ---- the client ---- */

typedef struct Spawner {
        pid_t pid;
        int fd;
} Spawner;

static Spawner spawner_start(void) {
        Spawner s;
        int pair[2];
        ASSERT_OK(socket_pair_seqpacket(pair));
        s.pid = fork();
        ASSERT_OK(s.pid);
        if (s.pid == 0) {
                _cleanup_error_ Error e = ERROR_NULL;
                sigset_t usr1;
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                close(pair[0]);
                (void) signal(SIGHUP, SIG_IGN); /* not for those that it starts */
                (void) sigemptyset(&usr1);
                (void) sigaddset(&usr1, SIGUSR1);
                (void) sigprocmask(SIG_BLOCK, &usr1, NULL);
                _exit(spawner_serve(pair[1], &e) < 0 ? 1 : 0);
        }
        close(pair[1]);
        s.fd = pair[0];
        return s;
}

static void spawner_stop(Spawner *s) {
        int status;
        s->fd = fd_close(s->fd);
        ASSERT_EQ(waitpid(s->pid, &status, 0), s->pid);
        ASSERT_EQ(status, 0);
}

static void wait_for(int fd) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        ASSERT_EQ(poll(&p, 1, 30000), 1);
}

static PidRef expect_process(Spawner *s, uint64_t id) {
        PidRef process;
        SpawnAnswer a;
        wait_for(s->fd);
        ASSERT_EQ(spawn_answer_receive(s->fd, &a, &process), 1);
        ASSERT_EQ(a.code, 0);
        ASSERT_EQ(a.id, id);
        ASSERT_TRUE(process.pid > 1);
        return process;
}

static char *collect(int fd) {
        static char text[8192];
        size_t n = 0;
        for (ssize_t k; n < sizeof(text) - 1 && (k = read(fd, text + n, sizeof(text) - 1 - n)) > 0;)
                n += (size_t) k;
        text[n] = '\0';
        return text;
}

#define NO_FDS \
        { -EBADF, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF }

static void point_at_ourselves(void) {
        char self[PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
        ASSERT_TRUE(n > 0);
        self[n] = '\0';
        ASSERT_OK(setenv("BERTH_SUPERVISOR", self, 1));
        ASSERT_OK(setenv("BERTH_WORKER", self, 1));
        ASSERT_OK(setenv("BERTH_TRANSFER", self, 1));
        ASSERT_OK(setenv("http_proxy", "http://proxy", 1));
        ASSERT_OK(setenv("NOTIFY_SOCKET", "/the/spawner's/own", 1));
        ASSERT_OK(setenv("OTHER", "x", 1));
}

TEST(supervisor) {
        int out[2], fds[SPAWN_PLACES_MAX] = NO_FDS;
        point_at_ourselves();
        int leak = open("/etc/passwd", O_RDONLY); /* not close-on-exec: must not get through */
        Spawner s = spawner_start();
        ASSERT_OK(pipe2(out, O_CLOEXEC));
        fds[1] = out[1];
        fds[SUPERVISOR_SPEC_FD] = open("/dev/zero", O_RDWR | O_CLOEXEC);
        fds[SUPERVISOR_FIRST_EXTRA_FD] = open("/dev/full", O_RDWR | O_CLOEXEC);
        ASSERT_OK(spawn_request_send(s.fd, SPAWN_SUPERVISOR, 7, "web", fds));
        for (size_t i = 0; i < SPAWN_PLACES_MAX; i++)
                fd_close(fds[i]);
        PidRef p = expect_process(&s, 7);
        const char *seen = collect(out[0]);
        ASSERT_CONTAINS(seen, "berth-supervisor 2 web\n2 ");
        ASSERT_CONTAINS(seen, "\n3 /dev/zero\n6 /dev/full\nsession 1 notify - other x\n");
        ASSERT_FALSE(strstr(seen, "/etc/passwd"));
        wait_for(p.fd); /* it has ended, and is buried */
        pidref_done(&p);
        close(out[0]);
        close(leak);
        spawner_stop(&s);
}

/* As many as come, in any state of ours; nothing is left open here. */
TEST(workers) {
        int fds[SPAWN_PLACES_MAX] = NO_FDS, out[2];
        point_at_ourselves();
        Spawner s = spawner_start();
        for (uint64_t i = 1; i <= 30; i++) {
                ASSERT_OK(pipe2(out, O_CLOEXEC));
                fds[1] = out[1];
                ASSERT_OK(spawn_request_send(s.fd, SPAWN_WORKER, i, NULL, fds));
                close(out[1]);
                const char *seen = collect(out[0]);
                ASSERT_STREQ(seen, "berth-worker 1 -\n2 /dev/null\nsession 1 notify - other -\n");
                close(out[0]);
                PidRef p = expect_process(&s, i);
                pidref_done(&p);
        }
        _cleanup_free_ char *path = strf("/proc/%d/fd/9", (int) s.pid);
        ASSERT_TRUE(access(path, F_OK) < 0);
        spawner_stop(&s);
}

/* Downloads go by the proxies of the host. */
TEST(transfers) {
        int fds[SPAWN_PLACES_MAX] = NO_FDS, out[2];
        point_at_ourselves();
        Spawner s = spawner_start();
        ASSERT_OK(pipe2(out, O_CLOEXEC));
        fds[1] = out[1];
        ASSERT_OK(spawn_request_send(s.fd, SPAWN_TRANSFER, 1, NULL, fds));
        close(out[1]);
        ASSERT_STREQ(collect(out[0]),
                     "berth-transfer 1 -\n2 /dev/null\nsession 1 notify - other -\n"
                     "proxy http://proxy\n");
        close(out[0]);
        PidRef p = expect_process(&s, 1);
        pidref_done(&p);
        spawner_stop(&s);
}

/* Its process is known before it runs. */
TEST(answer_comes_first) {
        int fds[SPAWN_PLACES_MAX] = NO_FDS, out[2];
        point_at_ourselves();
        Spawner s = spawner_start();
        for (uint64_t i = 1; i <= 20; i++) {
                ASSERT_OK(pipe2(out, O_CLOEXEC));
                fds[1] = out[1];
                ASSERT_OK(spawn_request_send(s.fd, SPAWN_WORKER, i, NULL, fds));
                close(out[1]);
                wait_for(out[0]);
                struct pollfd p = { .fd = s.fd, .events = POLLIN };
                ASSERT_EQ(poll(&p, 1, 0), 1);
                PidRef process = expect_process(&s, i);
                pidref_done(&process);
                close(out[0]);
        }
        spawner_stop(&s);
}

TEST(programs_that_are_missing) {
        int fds[SPAWN_PLACES_MAX] = NO_FDS, link[2], answer_fds[SOCKET_MAX_FDS];
        _cleanup_(control_message_done) ControlMessage m = CONTROL_MESSAGE_NULL;
        _cleanup_error_ Error told = ERROR_NULL, answered = ERROR_NULL;
        _cleanup_free_ char *text = NULL;
        size_t size;
        ASSERT_OK(setenv("BERTH_SUPERVISOR", "/nonexistent/berth-supervisor", 1));
        ASSERT_OK(setenv("BERTH_WORKER", "/nonexistent/berth-worker", 1));
        Spawner s = spawner_start();
        ASSERT_OK(socket_pair_seqpacket(link));
        fds[SUPERVISOR_LINK_FD] = link[1];
        ASSERT_OK(spawn_request_send(s.fd, SPAWN_SUPERVISOR, 1, "web", fds));
        PidRef p = expect_process(&s, 1);
        pidref_done(&p);
        wait_for(link[0]);
        ASSERT_EQ(control_receive(link[0], &m), 1);
        ASSERT_EQ(m.type, CONTROL_ERROR);
        ASSERT_OK(error_deserialize(control_message_get(&m, "ERROR"), &told));
        ASSERT_STREQ(told.message,
                     "Executing '/nonexistent/berth-supervisor' failed: No such file or directory");
        ASSERT_CONTAINS(told.hint, "$BERTH_SUPERVISOR");
        fds[SUPERVISOR_LINK_FD] = -EBADF;
        fds[WORKER_LINK_FD] = link[1];
        ASSERT_OK(spawn_request_send(s.fd, SPAWN_WORKER, 2, NULL, fds));
        p = expect_process(&s, 2);
        pidref_done(&p);
        wait_for(link[0]);
        ASSERT_ERROR(worker_read_answer(link[0], &text, &size, answer_fds, &answered), ENOENT);
        ASSERT_CONTAINS(answered.message, "'/nonexistent/berth-worker'");
        close(link[0]);
        close(link[1]);
        spawner_stop(&s);
}

/* A client that sends what is no request is dropped, and nothing is executed. */
TEST(what_is_no_request) {
        const SpawnRequest good = {
                .version = SPAWNER_VERSION, .program = SPAWN_SUPERVISOR, .id = 1, .name = "web"
        };
        SpawnRequest bad[9];
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                bad[i] = good;
        bad[0].version++;
        bad[1].program = _SPAWN_PROGRAM_MAX;
        bad[2].program = UINT32_MAX;
        bad[3].places = 1U << SPAWN_PLACES_MAX;
        bad[4].places = 1; /* and no descriptor */
        memcpy(bad[5].name, "../x", 5);
        memset(bad[6].name, 'x', sizeof(bad[6].name)); /* no end */
        bad[7].name[sizeof(bad[7].name) - 1] = 'x';    /* behind the end */
        bad[8].program = SPAWN_WORKER;                 /* has no name */
        point_at_ourselves();
        for (size_t i = 0; i < ELEMENTSOF(bad) + 3; i++) {
                Spawner s = spawner_start();
                const int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
                char c;
                if (i < ELEMENTSOF(bad))
                        ASSERT_OK(socket_send(s.fd, &bad[i], sizeof(bad[i]), NULL, 0));
                else if (i == ELEMENTSOF(bad)) /* a descriptor too many */
                        ASSERT_OK(socket_send(s.fd, &good, sizeof(good), &null_fd, 1));
                else if (i == ELEMENTSOF(bad) + 1) /* too short */
                        ASSERT_OK(socket_send(s.fd, &good, sizeof(good) - 1, NULL, 0));
                else
                        ASSERT_OK(send(s.fd, bad, sizeof(bad), 0)); /* too long */
                wait_for(s.fd);
                ASSERT_EQ(recv(s.fd, &c, 1, 0), 0);
                close(null_fd);
                spawner_stop(&s);
        }
}

TEST(names_that_do_not_fit) {
        const int fds[SPAWN_PLACES_MAX] = NO_FDS;
        char name[CONTAINER_NAME_MAX + 8];
        memset(name, 'x', sizeof(name));
        name[sizeof(name) - 1] = '\0';
        ASSERT_ERROR(spawn_request_send(0, SPAWN_SUPERVISOR, 1, name, fds), EINVAL);
}

/* Only berthd.service beside us may connect: we are not. */
TEST(who_may_connect) {
        int r = spawner_is_manager(getpid());
        if (r == -ENOMEDIUM)
                TEST_SKIP("no cgroup v2 here");
        ASSERT_EQ(r, 0);
        char directory[] = "/tmp/test-spawner.XXXXXX";
        ASSERT_NOT_NULL(mkdtemp(directory));
        _cleanup_free_ char *path = strjoin(directory, "/socket");
        int fd = socket_listen_seqpacket(path, 0600);
        ASSERT_OK(fd);
        pid_t pid = fork();
        if (pid == 0) {
                _cleanup_error_ Error e = ERROR_NULL;
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                _exit(spawner_serve(fd, &e) < 0);
        }
        close(fd);
        char c;
        int client = socket_connect_seqpacket(path);
        ASSERT_OK(client);
        wait_for(client);
        ASSERT_EQ(recv(client, &c, 1, 0), 0);
        close(client);
        ASSERT_OK(kill(pid, SIGKILL));
        ASSERT_EQ(waitpid(pid, NULL, 0), pid);
        ASSERT_OK(unlink(path));
        ASSERT_OK(rmdir(directory));
}

TEST(no_socket) {
        _cleanup_error_ Error e = ERROR_NULL;
        int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        ASSERT_ERROR(spawner_serve(fd, &e), ENOTSOCK);
        ASSERT_CONTAINS(e.message, "no SEQPACKET socket");
        close(fd);
}

int main(int argc, char **argv) {
        if (startswith(argv[0], "berth-")) /* not another run of the tests */
                return stand_in(argc, argv);
        return test_run_all(argc, argv);
}
