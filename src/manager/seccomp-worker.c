/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fork(); seccomp_compile(); one message back: the descriptor, or the error. */
#include "manager/seccomp-worker.h"

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "spec/seccomp-compile.h"
#include "sys/pidfd.h"
#include "sys/socket.h"
#include "sys/syscalls.h"

#define ANSWER_MAX 8192
#define WORKER_TIMEOUT_USEC (20 * USEC_PER_SEC)

struct SeccompWorker {
        PidRef process;
        int fd;
        sd_event_source *source, *timer;
        SeccompDone done;
        void *userdata;
};

SeccompWorker *seccomp_worker_free(SeccompWorker *w) {
        siginfo_t si;
        if (!w)
                return NULL;
        sd_event_source_disable_unref(w->source);
        sd_event_source_disable_unref(w->timer);
        fd_close(w->fd);
        if (pidref_is_set(&w->process)) {
                (void) pidref_kill(&w->process, SIGKILL);   /* it has answered, or is not to */
                (void) pidref_wait(&w->process, true, &si); /* at once, after SIGKILL */
        }
        pidref_done(&w->process);
        free(w);
        return NULL;
}

static void finish(SeccompWorker *w, int fd, const Error *e) {
        SeccompDone done = w->done;
        void *userdata = w->userdata;
        seccomp_worker_free(w);
        done(fd, e, userdata);
}

static int on_answer(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        SeccompWorker *w = userdata;
        _cleanup_error_ Error e = ERROR_NULL;
        int fds[SOCKET_MAX_FDS];
        _cleanup_free_ char *text = new0(char, ANSWER_MAX + 1);
        ssize_t n = text ? socket_receive(fd, text, ANSWER_MAX, fds) : -ENOMEM;
        if (n == -EAGAIN)
                return 0;
        if (n > 1 && error_deserialize(text, &e) >= 0)
                finish(w, -EBADF, &e);
        else if (n == 1)
                finish(w, fds[0], NULL);
        else {
                error_done(&e);
                (void) error_set(&e, -EIO, ERROR_SETUP_FAILED,
                                 "Compiling the system call filter failed");
                finish(w, -EBADF, &e);
        }
        return 0;
}

static int on_timeout(sd_event_source *s, uint64_t usec, void *userdata) {
        _cleanup_error_ Error e = ERROR_NULL;
        (void) error_set(&e, -ETIMEDOUT, ERROR_TIMEOUT,
                         "Compiling the system call filter took too long");
        finish(userdata, -EBADF, &e);
        return 0;
}

static _noreturn_ void worker_main(const ContainerSpec *spec, int fd) {
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ char *text = NULL;
        int program = -EBADF;
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL); /* cannot fail with a valid signal */
        int r = seccomp_compile(spec, SECCOMP_CACHE_DIRECTORY, &program, &e);
        if (r >= 0)
                r = socket_send(fd, "", 1, &program, program >= 0 ? 1 : 0);
        else if (error_serialize(&e, &text) >= 0)
                r = socket_send(fd, text, MIN(strlen(text), (size_t) ANSWER_MAX), NULL, 0);
        _exit(r < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

int seccomp_worker_start(sd_event *event, const ContainerSpec *spec, SeccompDone done,
                         void *userdata, SeccompWorker **ret, Error *reterr) {
        _cleanup_close_pair_ int pair[2] = PAIR_EBADF;
        int r = socket_pair_seqpacket(pair);
        SeccompWorker *w = r < 0 ? NULL : new0(SeccompWorker, 1);
        if (!w)
                return error_set_errno(reterr, r < 0 ? r : -ENOMEM, ERROR_SETUP_FAILED,
                                       "Starting the filter compiler failed");
        w->process = (PidRef) PIDREF_NULL;
        w->done = done;
        w->userdata = userdata;
        w->fd = TAKE_FD(pair[0]);

        struct clone_args args = {
                .flags = CLONE_PIDFD,
                .pidfd = (uint64_t) (uintptr_t) &w->process.fd,
                .exit_signal = SIGCHLD,
        };
        w->process.pid = sys_clone3(&args);
        if (w->process.pid == 0)
                worker_main(spec, pair[1]);
        r = w->process.pid < 0 ? -errno : 0;
        if (r >= 0)
                r = sd_event_add_io(event, &w->source, w->fd, EPOLLIN, on_answer, w);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &w->timer, CLOCK_MONOTONIC,
                                               WORKER_TIMEOUT_USEC, 0, on_timeout, w);
        if (r < 0) {
                seccomp_worker_free(w);
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                                       "Starting the filter compiler failed");
        }
        *ret = w;
        return 0;
}
