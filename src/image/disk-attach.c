/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asking a berth-worker for a disk's tree. Libblkid, and whatever is on the disk, stay in that process and its child.
 *
 * Calls: clone3, with close-on-exec descriptors duplicated into the worker's places; execve; one message. */
#include "image/disk-attach.h"

#include <dirent.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/time.h"
#include "ipc/spawn.h"
#include "ipc/spawner.h"
#include "ipc/worker.h"
#include "sys/syscalls.h"

#define ATTACH_TIMEOUT_USEC (60 * USEC_PER_SEC)

void disk_tree_done(DiskTree *t) {
        t->tree_fd = fd_close(t->tree_fd);
        t->lock_fd = fd_close(t->lock_fd);
}

void disk_tree_describe(const DiskTree *t, ContainerSpec *spec) {
        spec->root.fd = SUPERVISOR_FIRST_EXTRA_FD;
        spec->root.lock_fd = SUPERVISOR_FIRST_EXTRA_FD + 1;
        if (t->usr_only) { /* whatever else was asked for: there is nothing to keep, and /usr is not written */
                spec->root.volatile_ = VOLATILE_YES;
                spec->root.read_only = false;
        } else if (t->read_only && !spec_root_is_forgotten(spec))
                spec->root.read_only = true;
}

/* Of those who may wait for files. */
static bool has_images(const char *stack) {
        DIR *d = opendir(stack);
        bool found = !d; /* then the worker says why */

        if (!d)
                return found;
        for (struct dirent *e = readdir(d); e && !found; e = readdir(d))
                found = e->d_name[0] != '.' &&
                        (endswith(e->d_name, ".raw") || endswith(e->d_name, ".raw.v"));
        (void) closedir(d); /* was only read */
        return found;
}

bool disk_is_wanted(const ContainerSpec *spec) {
        return spec->root.image || (spec->root.mstack && has_images(spec->root.mstack));
}

int disk_request_new(const ContainerSpec *spec, const Secret *key, int link_fd, int *ret_fd,
                     Error *reterr) {
        const bool shared = spec->root.read_only || spec_root_is_forgotten(spec);
        const OperationRequest q = {
                .type = spec->root.mstack ? OPERATION_DISK_STACK : OPERATION_DISK,
                .source = spec_root_path(spec),
                .policy = spec->root.image_policy,
                .root_hash = spec->root.root_hash,
                .root_hash_signature = spec->root.root_hash_signature,
                .verity_data = spec->root.verity_data,
                .key_file = spec->root.image_key_file,
                .flags = (shared ? OPERATION_READ_ONLY : 0U) | (key ? OPERATION_WITH_KEY : 0U),
        };
        const int r = key ? socket_send(link_fd, "key", 3, &key->fd, 1) : 0;
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED, "Handing a key on failed");
        return worker_request_new(&q, spec->name, NULL, ret_fd, reterr);
}

int disk_read_answer(const char *image, int link_fd, DiskTree *ret, Error *reterr) {
        _cleanup_free_ char *text = NULL;
        int fds[SOCKET_MAX_FDS];
        size_t size;

        int r = worker_read_answer(link_fd, &text, &size, fds, reterr);
        if (r < 0)
                return r;
        const DiskUnlock outcome = disk_unlock_from_string(text);
        if (outcome > DISK_UNLOCKED && fds[0] < 0)
                return outcome;
        if (fds[0] < 0 || fds[1] < 0) {
                for (size_t i = 0; i < SOCKET_MAX_FDS; i++)
                        fd_close(fds[i]);
                return error_set(reterr, -EPROTO, ERROR_PROTOCOL,
                                 "The worker has not handed image '%s' over", image);
        }
        *ret = (DiskTree){
                .tree_fd = fds[0],
                .lock_fd = fds[1],
                .read_only = streq(text, "ro"),
                .usr_only = streq(text, "usr"),
        };
        return 0;
}

int disk_wait_answer(const char *image, int link_fd, DiskTree *ret, Error *reterr) {
        const usec_t deadline = now_usec(CLOCK_MONOTONIC) + ATTACH_TIMEOUT_USEC;

        for (;;) {
                struct pollfd p = { .fd = link_fd, .events = POLLIN };
                const usec_t now = now_usec(CLOCK_MONOTONIC);
                if (now >= deadline) {
                        int r = error_set(reterr, -ETIMEDOUT, ERROR_TIMEOUT,
                                          "Mounting image '%s' took longer than a minute", image);
                        error_hint(reterr, "does the file system hang that it is on?");
                        return r;
                }
                if (poll(&p, 1, (int) ((deadline - now) / USEC_PER_MSEC) + 1) <= 0)
                        continue; /* a signal, or the end of time */
                int r = disk_read_answer(image, link_fd, ret, reterr);
                if (r != -EAGAIN)
                        return r;
        }
}

/* ---- a worker of our own ---- */

static _noreturn_ void worker_main(int link_fd, int request_fd) {
        _cleanup_error_ Error e = ERROR_NULL;
        const char *path = worker_path();
        int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        int fds[] = { null_fd, null_fd, null_fd, link_fd, request_fd, null_fd };

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL); /* cannot fail */
        int report_fd = fcntl(link_fd, F_DUPFD_CLOEXEC, (int) ELEMENTSOF(fds));
        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, (int) ELEMENTSOF(fds));
        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                if (fds[i] < 0 ||
                    (i != 2 && dup2(fds[i], (int) i) < 0)) /* stderr is for debugging */
                        _exit(EXIT_FAILURE);
        if (sys_close_range(ELEMENTSOF(fds), ~0U, CLOSE_RANGE_CLOEXEC) >= 0)
                execve(path, (char *[]){ (char *) "berth-worker", NULL }, environ);
        (void) error_set_errno(&e, -errno, ERROR_SETUP_FAILED, "Executing '%s' failed", path);
        error_hint(&e, "reinstall berth, or set $BERTH_WORKER to the program's path");
        (void) worker_answer_error(report_fd, &e); /* no answer is one, too */
        _exit(EXIT_FAILURE);
}

int disk_attach(const ContainerSpec *spec, const Secret *key, DiskTree *ret, Error *reterr) {
        _cleanup_close_pair_ int link[2] = PAIR_EBADF;
        _cleanup_close_ int request_fd = -EBADF;
        PidRef worker = PIDREF_NULL;
        siginfo_t status;

        int r = socket_pair_seqpacket(link);
        if (r >= 0)
                r = fd_nonblock(link[0], true);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED, "Starting a worker failed");
        r = disk_request_new(spec, key, link[0], &request_fd, reterr);
        if (r < 0)
                return r;
        struct clone_args args = {
                .flags = CLONE_PIDFD,
                .pidfd = (uint64_t) (uintptr_t) &worker.fd,
                .exit_signal = SIGCHLD,
        };
        if (r >= 0) {
                worker.pid = sys_clone3(&args);
                r = worker.pid < 0 ? -errno : 0;
        }
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED, "Starting a worker failed");
        if (worker.pid == 0)
                worker_main(link[1], request_fd);
        link[1] = fd_close(link[1]);
        r = disk_wait_answer(spec_root_path(spec), link[0], ret, reterr);
        (void) pidref_kill(&worker, SIGKILL); /* it has answered, or is not to */
        (void) pidref_wait(&worker, /* block= */ r != -ETIMEDOUT, &status);
        pidref_done(&worker);
        return r;
}
