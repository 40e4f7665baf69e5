/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* berth-worker: one operation inside a container, in a process of its own, which berthd starts.
 *
 * (The operations on disk images join none: they make the tree that a container will live in.)
 *
 * It begins with the rights of the host, prepares what can only be had there (filter, cgroup, libraries), and joins the container or
 * has a child do so. What has joined has the rights of the container's root and no more, executes no program of the container but
 * the one that was asked for, and loads nothing: no library, no locale, no NSS module. */
#pragma once

#include "ipc/worker.h"
#include "spec/spec.h"
#include "sys/join.h"

typedef struct Worker {
        WorkerRequest request;
        ContainerSpec *spec;
        PidRef leader;
        JoinTarget target;
        void *operation; /* what a WorkerTask needs from who has it run */
} Worker;

/* The operations. Each answers over WORKER_LINK_FD, or returns an error that is answered. */
int operation_exec(Worker *w, Error *reterr);
int operation_session(Worker *w, Error *reterr); /* SHELL, LOGIN */
int operation_pty(Worker *w, Error *reterr);
int operation_root_directory(Worker *w, Error *reterr);
int operation_os_release(Worker *w, Error *reterr);
int operation_addresses(Worker *w, Error *reterr);
int operation_copy(Worker *w, Error *reterr); /* COPY_TO, COPY_FROM */
int operation_bind(Worker *w, Error *reterr);
int operation_unbind(Worker *w, Error *reterr);
int operation_list_binds(Worker *w, Error *reterr);
int operation_image_list(Worker *w, Error *reterr); /* IMAGE_LIST, IMAGE_DESCRIBE */
int operation_image_identity(Worker *w, Error *reterr);
int operation_image_measure(Worker *w, Error *reterr);
int operation_image_change(Worker *w, Error *reterr); /* IMAGE_CLONE, RENAME, REMOVE, MARK, LIMIT */
int operation_image_clean(Worker *w, Error *reterr);
int operation_snapshot_list(Worker *w, Error *reterr);
int operation_snapshot_change(Worker *w, Error *reterr); /* SNAPSHOT_MAKE, ROLL_BACK, REMOVE */
int operation_snapshot_prune(Worker *w, Error *reterr);
int operation_snapshot_compare(Worker *w, Error *reterr);
int operation_disk(Worker *w, Error *reterr);
int operation_disk_stack(Worker *w, Error *reterr);

/* Joins with the process itself. */
int worker_enter(const Worker *w, Error *reterr);
/* A child that runs this, and has joined the container before (but is not seen there) or not; it answers over fd, or its error is sent
 * there. *ret_fd is our end. */
typedef int (*WorkerTask)(Worker *w, int answer_fd, Error *reterr);
int worker_fork(Worker *w, bool inside, WorkerTask task, PidRef *ret, int *ret_fd, Error *reterr);
/* Waits for the one answer, which may be for ever: the manager kills who takes too long. */
int worker_wait_answer(int fd, char **ret_text, size_t *ret_size,
                       int ret_fds[static SOCKET_MAX_FDS], Error *reterr);

/* A pty of the devpts on /dev/pts of the root that the process is in; owned by uid. path: at least 24 bytes. */
int worker_open_pty(uid_t uid, int *ret_master, int *ret_slave, char path[static 24],
                    Error *reterr);
