/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Children of a transfer.
 *
 * Calls: clone3(CLONE_PIDFD), close_range around what it keeps, PR_SET_PDEATHSIG; the answer is one message, as a worker's. */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "basic/fd.h"
#include "basic/parse.h"
#include "ipc/worker.h"
#include "sys/syscalls.h"
#include "transfer/transfer.h"

/* All others are closed; standard error stays for reports of sanitizers. */
static int keep_only(const int *fds, size_t n) {
        unsigned next = STDERR_FILENO + 1;
        for (int k = 0; k < (int) n; k++) {
                int lowest = -EBADF; /* of those that are not below next */
                for (size_t i = 0; i < n; i++)
                        if (fds[i] >= (int) next && (lowest < 0 || fds[i] < lowest))
                                lowest = fds[i];
                if (lowest < 0)
                        break;
                if ((unsigned) lowest > next && sys_close_range(next, (unsigned) lowest - 1, 0) < 0)
                        return -errno;
                next = (unsigned) lowest + 1;
        }
        return sys_close_range(next, ~0U, 0) < 0 ? -errno : 0;
}

static _noreturn_ void be_child(ChildTask task, void *userdata, const int *fds, size_t n_fds,
                                int answer_fd) {
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ char *text = NULL;
        int kept[8] = { answer_fd }, null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        sigset_t none;
        (void) sigemptyset(&none); /* none of these can fail */
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (size_t i = 0; i < n_fds; i++)
                kept[i + 1] = fds[i];
        int r = 0;
        /* the streams of the transfer are not everybody's */
        for (int i = 0; i < STDERR_FILENO; i++) {
                bool wanted = false;
                for (size_t k = 0; k < n_fds; k++)
                        wanted = wanted || fds[k] == i;
                if (!wanted && (null_fd < 0 || dup2(null_fd, i) < 0))
                        r = -errno;
        }
        if (r >= 0)
                r = keep_only(kept, n_fds + 1);
        if (r < 0)
                (void) error_set_errno(&e, r, ERROR_SETUP_FAILED, "Preparing a process failed");
        else
                r = task(userdata, &text, &e);
        if (r < 0)
                (void) worker_answer_error(answer_fd, &e); /* no answer is one, too */
        else
                (void) worker_answer(answer_fd, text, text ? strlen(text) : 0, NULL, 0);
        _exit(r < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

int child_start(ChildTask task, void *userdata, const int *fds, size_t n_fds, Child *ret,
                Error *reterr) {
        _cleanup_close_pair_ int pair[2] = PAIR_EBADF;
        Child c = CHILD_NULL;
        struct clone_args args = {
                .flags = CLONE_PIDFD,
                .pidfd = (uint64_t) (uintptr_t) &c.process.fd,
                .exit_signal = SIGCHLD,
        };
        int r = socket_pair_seqpacket(pair);
        if (r >= 0)
                r = fd_nonblock(pair[0], true);
        if (r >= 0) {
                c.process.pid = sys_clone3(&args);
                r = c.process.pid < 0 ? -errno : 0;
        }
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED, "Starting a process failed");
        if (c.process.pid == 0)
                be_child(task, userdata, fds, n_fds, pair[1]);
        c.answer_fd = TAKE_FD(pair[0]);
        *ret = c;
        return 0;
}

void child_done(Child *c) {
        siginfo_t si;
        if (pidref_is_set(&c->process)) {
                (void) pidref_kill(&c->process, SIGKILL);   /* it has answered, or is not to */
                (void) pidref_wait(&c->process, true, &si); /* at once, after SIGKILL */
        }
        pidref_done(&c->process);
        c->answer_fd = fd_close(c->answer_fd);
        c->text = mfree(c->text);
        error_done(&c->error);
}

static void read_answer(Child *c) {
        int fds[SOCKET_MAX_FDS];
        size_t size;
        int r = worker_read_answer(c->answer_fd, &c->text, &size, fds, &c->error);
        c->answered = r != -EAGAIN;
        if (r >= 0)
                for (size_t i = 0; i < SOCKET_MAX_FDS; i++)
                        fd_close(fds[i]); /* there should be none */
}

/* What only says that another one has failed, or been killed. */
static bool is_consequence(const Error *e) {
        return IN_SET(e->code, -EPIPE, -ECANCELED, -EIO);
}

static int first_error(Child *const *children, size_t n, Error *reterr) {
        Child *chosen = NULL;
        for (size_t i = 0; i < n; i++)
                if (error_is_set(&children[i]->error) &&
                    (!chosen ||
                     (is_consequence(&chosen->error) && !is_consequence(&children[i]->error))))
                        chosen = children[i];
        return chosen ? error_take(reterr, &chosen->error) : 0;
}

int children_wait(const Transfer *t, Child *const *children, size_t n, Error *reterr) {
        for (;;) {
                struct pollfd p[6] = { { .fd = t->signal_fd, .events = POLLIN },
                                       { .fd = TRANSFER_LINK_FD } };
                bool all = true;
                for (size_t i = 0; i < n; i++) {
                        p[i + 2] = (struct pollfd){ .fd = children[i]->answered
                                                                  ? -EBADF
                                                                  : children[i]->answer_fd,
                                                    .events = POLLIN };
                        all = all && children[i]->answered;
                }
                if (all)
                        return first_error(children, n, reterr);
                if (poll(p, n + 2, -1) < 0)
                        continue;
                if (p[0].revents || p[1].revents)
                        return error_set(reterr, -ECANCELED, ERROR_FAILED,
                                         "The transfer was given up");
                for (size_t i = 0; i < n; i++)
                        if (p[i + 2].revents)
                                read_answer(children[i]);
        }
}

int transfer_enter_sandbox(const Transfer *t, const Sandbox *s, Error *reterr) {
        int r = sandbox_enter(s);
        if (r >= 0)
                return 0;
        r = error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                            "The sandbox for image '%s' cannot be made", t->request.name);
        error_hint(reterr, "it takes CAP_SYS_ADMIN, and a kernel with namespaces and seccomp");
        return r;
}

uint64_t child_number(const Child *c, const char *key) {
        const char *at = c->text ? strstr(c->text, key) : NULL;
        uint64_t n = 0;
        return at && sscanf(at + strlen(key), "=%" SCNu64, &n) == 1 ? n : 0;
}
