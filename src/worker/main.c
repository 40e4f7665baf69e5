/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* berth-worker: reads its request, does it, answers. */
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/str.h"
#include "spec/spec-text.h"
#include "sys/resolve.h"
#include "sys/syscalls.h"
#include "sys/tty.h"
#include "worker/worker.h"

/* ---- joining ---- */

int worker_enter(const Worker *w, Error *reterr) {
        int r = join_enter(&w->target);
        return r < 0 ? error_set_errno(reterr, r, ERROR_NAMESPACE_FAILED,
                                       "Joining the container '%s' failed", w->request.name)
                     : 0;
}

int worker_fork(Worker *w, bool inside, WorkerTask task, PidRef *ret, int *ret_fd, Error *reterr) {
        _cleanup_close_pair_ int pair[2] = PAIR_EBADF;
        int r = socket_pair_seqpacket(pair);
        PidRef child = PIDREF_NULL;
        struct clone_args args = {
                .flags = CLONE_PIDFD,
                .pidfd = (uint64_t) (uintptr_t) &child.fd,
                .exit_signal = SIGCHLD,
        };
        if (r >= 0) {
                child.pid = sys_clone3(&args);
                r = child.pid < 0 ? -errno : 0;
        }
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                                       "Starting a process for '%s' failed", w->request.name);
        if (child.pid == 0) {
                _cleanup_error_ Error e = ERROR_NULL;
                int answer_fd = fcntl(pair[1], F_DUPFD_CLOEXEC, 3);
                fd_close_pair(pair);
                (void) close(WORKER_LINK_FD); /* the parent's */
                r = inside ? worker_enter(w, &e) : 0;
                /* after the change of user, which clears it */
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (r >= 0)
                        r = task(w, answer_fd, &e);
                if (r < 0)
                        (void) worker_answer_error(answer_fd, &e); /* no answer is one, too */
                _exit(r < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
        }
        *ret = child;
        *ret_fd = TAKE_FD(pair[0]);
        return 0;
}

int worker_wait_answer(int fd, char **ret_text, size_t *ret_size,
                       int ret_fds[static SOCKET_MAX_FDS], Error *reterr) {
        for (;;) {
                int r = worker_read_answer(fd, ret_text, ret_size, ret_fds, reterr);
                if (r != -EAGAIN)
                        return r;
                struct pollfd p = { .fd = fd, .events = POLLIN };
                (void) poll(&p, 1, -1); /* a signal: once more */
        }
}

int worker_open_pty(uid_t uid, int *ret_master, int *ret_slave, char path[static 24],
                    Error *reterr) {
        struct statfs fs;
        char name[16];
        _cleanup_close_ int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        _cleanup_close_ int devpts_fd =
                root_fd < 0 ? -errno : resolve_beneath(root_fd, "dev/pts", O_DIRECTORY);
        if (devpts_fd < 0 || fstatfs(devpts_fd, &fs) < 0 || fs.f_type != DEVPTS_SUPER_MAGIC) {
                int r = error_set(reterr, -ENODEV, ERROR_CONSOLE_FAILED,
                                  "The container has no terminals: /dev/pts is not there");
                error_hint(reterr, "run a program without a terminal");
                return r;
        }
        _cleanup_close_ int master = -EBADF, slave = -EBADF;
        int r = tty_open_pty(devpts_fd, &master, &slave, name);
        if (r >= 0 && uid != 0 && fchown(slave, uid, (gid_t) -1) < 0)
                r = -errno;
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_CONSOLE_FAILED,
                                       "Opening a terminal in the container failed");
        (void) snprintf(path, 24, "/dev/%s", name); /* it fits */
        *ret_master = TAKE_FD(master);
        *ret_slave = TAKE_FD(slave);
        return 0;
}

/* ---- what to do ---- */

static int (*const operations[_OPERATION_TYPE_MAX])(Worker *w, Error *reterr) = {
        [OPERATION_EXEC] = operation_exec,
        [OPERATION_SHELL] = operation_session,
        [OPERATION_LOGIN] = operation_session,
        [OPERATION_PTY] = operation_pty,
        [OPERATION_ROOT_DIRECTORY] = operation_root_directory,
        [OPERATION_OS_RELEASE] = operation_os_release,
        [OPERATION_ADDRESSES] = operation_addresses,
        [OPERATION_COPY_TO] = operation_copy,
        [OPERATION_COPY_FROM] = operation_copy,
        [OPERATION_BIND] = operation_bind,
        [OPERATION_UNBIND] = operation_unbind,
        [OPERATION_LIST_BINDS] = operation_list_binds,
        [OPERATION_IMAGE_LIST] = operation_image_list,
        [OPERATION_IMAGE_DESCRIBE] = operation_image_list,
        [OPERATION_IMAGE_IDENTITY] = operation_image_identity,
        [OPERATION_IMAGE_MEASURE] = operation_image_measure,
        [OPERATION_IMAGE_CLONE] = operation_image_change,
        [OPERATION_IMAGE_RENAME] = operation_image_change,
        [OPERATION_IMAGE_REMOVE] = operation_image_change,
        [OPERATION_IMAGE_MARK] = operation_image_change,
        [OPERATION_IMAGE_LIMIT] = operation_image_change,
        [OPERATION_IMAGE_CLEAN] = operation_image_clean,
        [OPERATION_SNAPSHOT_LIST] = operation_snapshot_list,
        [OPERATION_SNAPSHOT_MAKE] = operation_snapshot_change,
        [OPERATION_SNAPSHOT_ROLL_BACK] = operation_snapshot_change,
        [OPERATION_SNAPSHOT_REMOVE] = operation_snapshot_change,
        [OPERATION_SNAPSHOT_PRUNE] = operation_snapshot_prune,
        [OPERATION_SNAPSHOT_COMPARE] = operation_snapshot_compare,
        [OPERATION_DISK] = operation_disk,
        [OPERATION_DISK_STACK] = operation_disk_stack,
};

static int read_request(Worker *w, Error *reterr) {
        int leader_fd = WORKER_LEADER_FD;
        int r = worker_request_read(WORKER_REQUEST_FD, &w->request);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_PROTOCOL, "The request cannot be read");
        (void) close(WORKER_REQUEST_FD);
        if (w->request.spec_text) {
                r = spec_text_parse(w->request.spec_text, &w->spec, reterr);
                if (r < 0)
                        return r;
        }
        if (operation_is_of_images(w->request.operation.type))
                return 0; /* there is no container */
        r = pidref_take_fd(&leader_fd, &w->leader);
        if (r >= 0)
                r = join_prepare(&w->leader, &w->target);
        if (r == -ESRCH)
                return error_set(reterr, r, ERROR_NO_SUCH_CONTAINER, "Container '%s' has ended",
                                 w->request.name);
        return r < 0 ? error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                                       "Looking at the container '%s' failed", w->request.name)
                     : 0;
}

/* A service of systemd's for one disk image: it could give us no other descriptors than these. */
static int take_stdio(void) {
        int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null_fd < 0)
                return -errno;
        if (dup2(STDIN_FILENO, WORKER_LINK_FD) < 0 || dup2(STDOUT_FILENO, WORKER_REQUEST_FD) < 0 ||
            dup2(null_fd, WORKER_LEADER_FD) < 0 || dup2(null_fd, STDIN_FILENO) < 0 ||
            dup2(null_fd, STDOUT_FILENO) < 0)
                return -errno;
        return 0;
}

int main(int argc, char **argv) {
        Worker w = { .leader = PIDREF_NULL, .target = JOIN_TARGET_NULL };
        _cleanup_error_ Error e = ERROR_NULL;

        log_open("berth-worker");
        if (argc == 2 && streq(argv[1], "disk") && take_stdio() >= 0)
                argc = 1;
        if (argc > 1 || fcntl(WORKER_LINK_FD, F_GETFD) < 0 ||
            fcntl(WORKER_LEADER_FD, F_GETFD) < 0) {
                if (argc == 2 && streq(argv[1], "--version"))
                        return puts("berth-worker " BERTH_VERSION) < 0 ? EXIT_FAILURE
                                                                       : EXIT_SUCCESS;
                (void) fputs(
                        "berth-worker: Started by berthd, for an operation inside a container; "
                        "see berth-worker(8)\n",
                        stderr);
                return 2;
        }
        (void) prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* cannot fail */
        for (int fd = WORKER_LINK_FD; fd <= WORKER_LEADER_FD; fd++)
                (void) fd_cloexec(fd, true);
        (void) sys_close_range(WORKER_LEADER_FD + 1, ~0U, 0); /* there should be none */
        (void) signal(SIGPIPE, SIG_IGN);
        (void) umask(0022);

        int r = read_request(&w, &e);
        if (r >= 0)
                r = operations[w.request.operation.type](&w, &e);
        if (r < 0)
                (void) worker_answer_error(WORKER_LINK_FD, &e); /* no answer is one, too */
        spec_free(w.spec);
        join_target_done(&w.target);
        pidref_done(&w.leader);
        worker_request_done(&w.request);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
