/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What berthd asks of the spawner (berth-spawner(8)), and what that answers.
 *
 * berthd has a sandbox, and what it executed would have it, too. So a second small process executes for it: one of three programs of ours,
 * with descriptors in their places. One SEQPACKET message of fixed size asks, one answers, in any order (by id). Both ends are of one
 * build, or of two that follow each other: a message of another version is refused. */
#pragma once

#include "basic/error.h"
#include "basic/path.h"
#include "sys/pidfd.h"
#include "sys/socket.h"

#define SPAWNER_SOCKET_PATH "/run/berth/spawner"
#define SPAWNER_VERSION 1U
#define SPAWN_PLACES_MAX 8U /* descriptors 0 to 7 of a program */

/* What can be executed; never a path. */
typedef enum SpawnProgram {
        SPAWN_SUPERVISOR, /* descriptors as in docs/contracts.md; name: the container's */
        SPAWN_WORKER,     /* as in ipc/worker.h; no name */
        SPAWN_TRANSFER,   /* as in ipc/transfer.h; no name */
        _SPAWN_PROGRAM_MAX,
        _SPAWN_PROGRAM_INVALID = -EINVAL,
} SpawnProgram;

typedef struct SpawnRequest {
        uint32_t version;
        uint32_t program;
        uint64_t id;
        uint32_t
                places; /* bit n: the program's descriptor n comes with the message, in ascending order */
        char name[CONTAINER_NAME_MAX + 4]; /* what is left has to be NULs */
} SpawnRequest;

typedef struct SpawnAnswer {
        uint32_t version;
        int32_t code; /* 0: it is being executed, and a pidfd comes along; else a negative errno */
        uint64_t id;
        int64_t pid;
} SpawnAnswer;

/* Paths of the programs: $BERTH_SUPERVISOR, $BERTH_WORKER, $BERTH_TRANSFER, $BERTH_SPAWNER (only if the caller is not setuid: secure_getenv), else those that
 * are installed. */
const char *supervisor_path(void);
const char *worker_path(void);
const char *transfer_path(void);
const char *spawner_path(void);

/* fds: by place, -EBADF where the program is to have none; borrowed. 0, -EAGAIN, -EPIPE, -EINVAL (no such name). */
int spawn_request_send(int fd, SpawnProgram program, uint64_t id, const char *name,
                       const int fds[static SPAWN_PLACES_MAX]);
/* 1, and descriptors by place (owned by the caller); 0: the end of the stream; -EAGAIN; -EBADMSG: no request of ours. */
int spawn_request_receive(int fd, SpawnRequest *ret, int ret_fds[static SPAWN_PLACES_MAX]);

/* process: NULL when code says why there is none. */
int spawn_answer_send(int fd, uint64_t id, int code, const PidRef *process);
/* 1, *ret_process is set if ret->code is 0; 0: the end of the stream; -EAGAIN; -EBADMSG. */
int spawn_answer_receive(int fd, SpawnAnswer *ret, PidRef *ret_process);
