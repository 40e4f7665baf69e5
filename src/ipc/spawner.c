/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The spawner's messages, and where the programs are. Whatever comes is checked as if a stranger had sent it. */
#include "ipc/spawner.h"

#include <stdlib.h>

#include "basic/fd.h"
#include "basic/str.h"

/* ---- paths ---- */

static const char *program_path(const char *variable, const char *installed) {
        const char *path = secure_getenv(variable);
        return isempty(path) ? installed : path;
}

const char *supervisor_path(void) {
        return program_path("BERTH_SUPERVISOR", BERTH_LIBEXECDIR "/berth-supervisor");
}

const char *worker_path(void) {
        return program_path("BERTH_WORKER", BERTH_LIBEXECDIR "/berth-worker");
}

const char *transfer_path(void) {
        return program_path("BERTH_TRANSFER", BERTH_LIBEXECDIR "/berth-transfer");
}

const char *spawner_path(void) {
        return program_path("BERTH_SPAWNER", BERTH_LIBEXECDIR "/berth-spawner");
}

/* ---- requests ---- */

int spawn_request_send(int fd, SpawnProgram program, uint64_t id, const char *name,
                       const int fds[static SPAWN_PLACES_MAX]) {
        SpawnRequest q = { .version = SPAWNER_VERSION, .program = (uint32_t) program, .id = id };
        int sent[SPAWN_PLACES_MAX];
        size_t n = 0;
        if (strlen(strempty(name)) >= sizeof(q.name))
                return -EINVAL;
        memcpy(q.name, strempty(name), strlen(strempty(name)));
        for (unsigned i = 0; i < SPAWN_PLACES_MAX; i++)
                if (fds[i] >= 0) {
                        q.places |= 1U << i;
                        sent[n++] = fds[i];
                }
        return socket_send_many(fd, &q, sizeof(q), sent, n);
}

static bool is_request(const SpawnRequest *q, size_t size) {
        if (size != sizeof(*q) || q->version != SPAWNER_VERSION ||
            q->program >= _SPAWN_PROGRAM_MAX || (q->places >> SPAWN_PLACES_MAX) != 0)
                return false;
        const size_t n = strnlen(q->name, sizeof(q->name));
        for (size_t i = n; i < sizeof(q->name); i++)
                if (q->name[i] != '\0')
                        return false;
        return q->program == SPAWN_SUPERVISOR
                       ? n < sizeof(q->name) && container_name_is_valid(q->name)
                       : n == 0;
}

int spawn_request_receive(int fd, SpawnRequest *ret, int ret_fds[static SPAWN_PLACES_MAX]) {
        int fds[SOCKET_MANY_FDS];
        SpawnRequest q;
        size_t n = 0, used = 0;
        ssize_t size = socket_receive_many(fd, &q, sizeof(q), fds, SOCKET_MANY_FDS);
        if (size < 0)
                return (int) size;
        while (n < SOCKET_MANY_FDS && fds[n] >= 0)
                n++;
        if (size == 0 && n == 0)
                return 0;
        if (!is_request(&q, (size_t) size) || (size_t) __builtin_popcount(q.places) != n) {
                for (size_t i = 0; i < n; i++)
                        fd_close(fds[i]);
                return -EBADMSG;
        }
        for (unsigned i = 0; i < SPAWN_PLACES_MAX; i++)
                ret_fds[i] = (q.places & (1U << i)) != 0 ? fds[used++] : -EBADF;
        *ret = q;
        return 1;
}

/* ---- answers ---- */

int spawn_answer_send(int fd, uint64_t id, int code, const PidRef *process) {
        const SpawnAnswer a = { .version = SPAWNER_VERSION,
                                .code = code,
                                .id = id,
                                .pid = process ? process->pid : 0 };
        return socket_send(fd, &a, sizeof(a), process ? &process->fd : NULL, process ? 1 : 0);
}

int spawn_answer_receive(int fd, SpawnAnswer *ret, PidRef *ret_process) {
        int fds[SOCKET_MAX_FDS];
        SpawnAnswer a;
        ssize_t size = socket_receive(fd, &a, sizeof(a), fds);
        /* It ended without having read all requests. The kernel says so once, before the answers that it has sent. */
        if (size == -ECONNRESET)
                size = socket_receive(fd, &a, sizeof(a), fds);
        if (size <= 0)
                return size == -ECONNRESET ? 0 : (int) size;
        PidRef process = { .pid = size == sizeof(a) && a.pid <= INT32_MAX ? (pid_t) a.pid : 0,
                           .fd = fds[0] };
        for (size_t i = 1; i < SOCKET_MAX_FDS; i++)
                fd_close(fds[i]);
        if (size != sizeof(a) || a.version != SPAWNER_VERSION || a.code > 0 ||
            (a.code == 0) != pidref_is_set(&process)) {
                pidref_done(&process);
                return -EBADMSG;
        }
        if (a.code != 0)
                pidref_done(&process);
        *ret_process = process;
        *ret = a;
        return 1;
}
