/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A worker of the spawner's for one disk image: a request, one message back, or the end of time. */
#include "manager/disk-worker.h"

#include <signal.h>
#include <sys/epoll.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/str.h"
#include "ipc/worker.h"

#define DISK_TIMEOUT_USEC (60 * USEC_PER_SEC)

struct DiskWorker {
        char *image;
        Spawn *spawn;
        PidRef process;
        int link_fd;
        sd_event_source *source, *timer;
        DiskDone done;
        void *userdata;
};

DiskWorker *disk_worker_free(DiskWorker *w) {
        if (!w)
                return NULL;
        spawn_cancel(w->spawn);
        if (pidref_is_set(&w->process))
                (void) pidref_kill(&w->process, SIGKILL); /* it has answered, or is not to */
        pidref_done(&w->process);
        sd_event_source_disable_unref(w->source);
        sd_event_source_disable_unref(w->timer);
        fd_close(w->link_fd);
        free(w->image);
        free(w);
        return NULL;
}

static void finish(DiskWorker *w, DiskTree *tree, const Error *e) {
        DiskDone done = w->done;
        void *userdata = w->userdata;
        disk_worker_free(w);
        done(tree, e, userdata);
        disk_tree_done(tree);
}

static int on_answer(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        DiskWorker *w = userdata;
        DiskTree tree = DISK_TREE_NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        int r = disk_read_answer(w->image, fd, &tree, &e);
        if (r > 0) /* nobody is asked from here */
                r = disk_key_error(w->image, r, &e);
        if (r != -EAGAIN)
                finish(w, &tree, r < 0 ? &e : NULL);
        return 0;
}

static int on_timeout(sd_event_source *s, uint64_t usec, void *userdata) {
        DiskWorker *w = userdata;
        DiskTree none = DISK_TREE_NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        (void) error_set(&e, -ETIMEDOUT, ERROR_TIMEOUT,
                         "Mounting image '%s' took longer than a minute", w->image);
        error_hint(&e, "does the file system hang that it is on?");
        finish(w, &none, &e);
        return 0;
}

static void on_spawned(PidRef *process, const Error *e, void *userdata) {
        DiskWorker *w = userdata;
        DiskTree none = DISK_TREE_NULL;
        w->spawn = NULL;
        if (process) {
                w->process = *process;
                *process = (PidRef) PIDREF_NULL;
        } else
                finish(w, &none, e);
}

static int start(DiskWorker *w, sd_event *event, SpawnerLink *spawner, const ContainerSpec *spec,
                 Error *reterr) {
        static const char failed[] = "Starting a worker failed";
        _cleanup_close_pair_ int link[2] = PAIR_EBADF;
        _cleanup_close_ int request_fd = -EBADF, null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        int fds[SPAWN_PLACES_MAX];

        int r = disk_request_new(spec, /* key= */ NULL, -EBADF, &request_fd, reterr);
        if (r < 0)
                return r;
        r = null_fd < 0 ? -errno : socket_pair_seqpacket(link);
        if (r >= 0)
                r = fd_nonblock(link[0], true);
        if (r >= 0)
                r = sd_event_add_io(event, &w->source, link[0], EPOLLIN, on_answer, w);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &w->timer, CLOCK_MONOTONIC, DISK_TIMEOUT_USEC,
                                               0, on_timeout, w);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED, "%s", failed);
        w->link_fd = TAKE_FD(link[0]);
        for (size_t i = 0; i < SPAWN_PLACES_MAX; i++)
                fds[i] = -EBADF;
        fds[WORKER_LINK_FD] = link[1];
        fds[WORKER_REQUEST_FD] = request_fd;
        fds[WORKER_LEADER_FD] = null_fd; /* of no container */
        return spawn_start(spawner, SPAWN_WORKER, NULL, fds, failed, on_spawned, w, &w->spawn,
                           reterr);
}

int disk_worker_start(sd_event *event, SpawnerLink *spawner, const ContainerSpec *spec,
                      DiskDone done, void *userdata, DiskWorker **ret, Error *reterr) {
        DiskWorker *w = new0(DiskWorker, 1);
        if (!w)
                return error_oom(reterr);
        w->process = (PidRef) PIDREF_NULL;
        w->link_fd = -EBADF;
        w->done = done;
        w->userdata = userdata;
        w->image = strdup(spec_root_path(spec));
        int r = w->image ? start(w, event, spawner, spec, reterr) : error_oom(reterr);
        if (r < 0) {
                disk_worker_free(w);
                return r;
        }
        *ret = w;
        return 0;
}
