/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The spawner's loop: who connects is checked once, each request is answered with a pidfd, children are buried by the kernel. */
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/path.h"
#include "basic/str.h"
#include "spawner/spawner.h"
#include "sys/cgroup.h"

#define CLIENTS_MAX 4U /* a manager, and the next one before the last one's end is heard of */
#define IDLE_MSEC (60 * 1000)
#define MANAGER_UNIT "berthd.service"

typedef struct Spawner {
        int listen_fd; /* -EBADF: one client alone */
        int clients[CLIENTS_MAX];
} Spawner;

/* ---- one request ---- */

/* The child is let go when its answer is on the way: what it says itself then comes after that. */
static int answer_with_process(int fd, const SpawnRequest *q,
                               const int fds[static SPAWN_PLACES_MAX]) {
        _cleanup_close_pair_ int hold[2] = PAIR_EBADF;
        _cleanup_(pidref_done) PidRef process = PIDREF_NULL;
        if (pipe2(hold, O_CLOEXEC) < 0)
                return spawn_answer_send(fd, q->id, -errno, NULL);
        int r = spawner_execute(q, fds, hold[0], &process);
        if (r < 0)
                return spawn_answer_send(fd, q->id, r, NULL);
        r = spawn_answer_send(fd, q->id, 0, &process);
        if (r < 0) /* nobody would look after it */
                (void) pidref_kill(&process, SIGKILL);
        return r;
}

/* Returns false when this client has ended. */
static bool serve_request(int fd) {
        int fds[SPAWN_PLACES_MAX];
        SpawnRequest q;
        int r = spawn_request_receive(fd, &q, fds);
        if (r == -EAGAIN)
                return true;
        if (r > 0) {
                r = answer_with_process(fd, &q, fds);
                for (size_t i = 0; i < SPAWN_PLACES_MAX; i++)
                        fd_close(fds[i]);
                if (r >= 0)
                        return true;
        }
        if (r == -EBADMSG)
                log_warning("A client sent what is no request (of this version), and is dropped");
        return false;
}

/* ---- clients ---- */

int spawner_is_manager(pid_t pid) {
        _cleanup_free_ char *own = NULL, *other = NULL, *slice = NULL, *expected = NULL;
        int r = cgroup_get_path(0, &own);
        if (r >= 0)
                r = cgroup_get_path(pid, &other);
        if (r >= 0 && streq(own, "/"))
                return 0; /* no unit has us, and nobody is beside us */
        if (r >= 0)
                r = path_extract_directory(own, &slice);
        if (r < 0)
                return r;
        expected = path_join(slice, MANAGER_UNIT);
        return expected ? streq(expected, other) : -ENOMEM;
}

static int check_client(int fd) {
        struct ucred peer;
        _cleanup_(pidref_done) PidRef process = PIDREF_NULL;
        int r = socket_peer(fd, &peer);
        if (r >= 0)
                r = pidref_open(peer.pid, &process);
        if (r < 0)
                return r;
        r = peer.uid == 0 ? spawner_is_manager(peer.pid) : 0;
        if (r > 0 && pidref_is_alive(&process))
                return 0;
        log_warning("Connection of process %d of user %u refused: it is not %s", (int) peer.pid,
                    peer.uid, MANAGER_UNIT);
        return -EACCES;
}

static void accept_client(Spawner *s) {
        /* blocking: an answer waits for a manager that is busy, which never waits for us */
        _cleanup_close_ int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0 || check_client(fd) < 0)
                return;
        for (size_t i = 0; i < CLIENTS_MAX; i++)
                if (s->clients[i] < 0) {
                        s->clients[i] = TAKE_FD(fd);
                        return;
                }
        log_warning("More than %u clients", CLIENTS_MAX);
}

static bool has_clients(const Spawner *s) {
        for (size_t i = 0; i < CLIENTS_MAX; i++)
                if (s->clients[i] >= 0)
                        return true;
        return false;
}

/* Whoever it has started is still there: were it to end, systemd would wonder about them at its next start. */
static bool has_children(void) {
        siginfo_t si = { 0 };
        return waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT | __WALL) >= 0;
}

/* ---- the loop ---- */

static int serve_round(Spawner *s) {
        struct pollfd p[1 + CLIENTS_MAX];
        const bool idle = !has_clients(s);
        p[0] = (struct pollfd){ .fd = s->listen_fd, .events = POLLIN };
        for (size_t i = 0; i < CLIENTS_MAX; i++)
                p[1 + i] = (struct pollfd){ .fd = s->clients[i], .events = POLLIN };
        int n = poll(p, ELEMENTSOF(p), idle ? IDLE_MSEC : -1);
        if (n < 0)
                return errno == EINTR ? 1 : -errno;
        if (n == 0)
                return has_children();
        for (size_t i = 0; i < CLIENTS_MAX; i++)
                if (p[1 + i].revents != 0 && !serve_request(s->clients[i]))
                        s->clients[i] = fd_close(s->clients[i]);
        if (p[0].revents != 0)
                accept_client(s);
        return s->listen_fd >= 0 || has_clients(s);
}

int spawner_serve(int socket_fd, Error *reterr) {
        Spawner s = { .listen_fd = -EBADF };
        int listens = 0, type = 0, r = 1;
        socklen_t size = sizeof(int);
        for (size_t i = 0; i < CLIENTS_MAX; i++)
                s.clients[i] = -EBADF;
        if (getsockopt(socket_fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 ||
            type != SOCK_SEQPACKET ||
            getsockopt(socket_fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0)
                return error_set(reterr, -ENOTSOCK, ERROR_SETUP_FAILED,
                                 "Descriptor %d is no SEQPACKET socket", socket_fd);
        if (listens)
                s.listen_fd = socket_fd;
        else
                s.clients[0] = socket_fd;
        (void) signal(SIGPIPE, SIG_IGN);
        (void) signal(SIGCHLD, SIG_IGN); /* nobody asks how they ended */
        while (r > 0)
                r = serve_round(&s);
        for (size_t i = 0; i < CLIENTS_MAX; i++)
                fd_close(s.clients[i]);
        fd_close(s.listen_fd);
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED, "Waiting for requests failed") : 0;
}
