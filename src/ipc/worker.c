/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asking a berth-worker.
 *
 * Sequence: the request into a sealed memfd; a SEQPACKET pair; a child that moves its descriptors into their places and executes the
 * worker, or sends why it cannot; the worker's answer. */
#include "ipc/worker.h"

#include <inttypes.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "sys/syscalls.h"

#define KIND_RESULT 'R'
#define KIND_ERROR 'E'

static const char *const operation_type_table[_OPERATION_TYPE_MAX] = {
        [OPERATION_EXEC] = "exec",
        [OPERATION_SHELL] = "shell",
        [OPERATION_LOGIN] = "login",
        [OPERATION_PTY] = "pty",
        [OPERATION_ROOT_DIRECTORY] = "root-directory",
        [OPERATION_OS_RELEASE] = "os-release",
        [OPERATION_ADDRESSES] = "addresses",
        [OPERATION_COPY_TO] = "copy-to",
        [OPERATION_COPY_FROM] = "copy-from",
        [OPERATION_BIND] = "bind",
        [OPERATION_UNBIND] = "unbind",
        [OPERATION_LIST_BINDS] = "list-binds",
};
DEFINE_STRING_TABLE_LOOKUP(operation_type, OperationType);

/* ---- the request ---- */

static void add_text(StrBuf *b, const char *key, const char *value) {
        if (!value)
                return;
        strbuf_add(b, key);
        strbuf_add_bytes(b, "=", 1);
        strbuf_add_bytes(b, value, strlen(value) + 1);
}

static void add_number(StrBuf *b, const char *key, uint64_t value) {
        char text[24];
        (void) snprintf(text, sizeof(text), "%" PRIu64, value); /* cannot be too long */
        add_text(b, key, text);
}

int worker_request_new(const OperationRequest *q, const char *name, const char *spec_text,
                       int *ret_fd, Error *reterr) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        add_text(&b, "TYPE", operation_type_to_string(q->type));
        add_text(&b, "NAME", name);
        add_text(&b, "SPEC", spec_text);
        add_text(&b, "USER", q->user);
        add_text(&b, "DIRECTORY", q->working_directory);
        add_text(&b, "SOURCE", q->source);
        add_text(&b, "DESTINATION", q->destination);
        add_number(&b, "TERMINAL", q->terminal);
        add_number(&b, "TIMEOUT", q->timeout_usec);
        add_number(&b, "FLAGS", q->flags);
        add_number(&b, "UID", q->uid);
        add_number(&b, "SUPERVISOR", (uint64_t) q->supervisor);
        STRV_FOREACH(s, q->argv)
                add_text(&b, "ARGUMENT", *s);
        STRV_FOREACH(s, q->environment)
                add_text(&b, "ENVIRONMENT", *s);
        if (b.failed)
                return error_oom(reterr);
        if (b.size > WORKER_REQUEST_MAX)
                return error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED,
                                 "The request is larger than %u bytes", WORKER_REQUEST_MAX);
        int fd = memfd_new_sealed("berth-request", b.text, b.size);
        if (fd < 0)
                return error_set_errno(reterr, fd, ERROR_SETUP_FAILED,
                                       "Writing the request failed");
        *ret_fd = fd;
        return 0;
}

void worker_request_done(WorkerRequest *r) {
        free(r->argv);
        free(r->environment);
        free(r->text);
        *r = (WorkerRequest){ 0 };
}

/* Appends to a list that does not own its strings. */
static int list_add(char ***l, char *s) {
        const size_t n = strv_length(*l);
        char **longer = reallocarray(*l, n + 2, sizeof(char *));
        if (!longer)
                return -ENOMEM;
        longer[n] = s;
        longer[n + 1] = NULL;
        *l = longer;
        return 0;
}

static int take_field(WorkerRequest *r, const char *key, char *value) {
        OperationRequest *q = &r->operation;
        uint64_t n;
        const struct {
                const char *key, **at;
        } texts[] = {
                { "NAME", &r->name },     { "SPEC", &r->spec_text },
                { "USER", &q->user },     { "DIRECTORY", &q->working_directory },
                { "SOURCE", &q->source }, { "DESTINATION", &q->destination },
        };
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                if (streq(key, texts[i].key)) {
                        *texts[i].at = value;
                        return 0;
                }
        if (streq(key, "ARGUMENT"))
                return list_add(&r->argv, value);
        if (streq(key, "ENVIRONMENT"))
                return list_add(&r->environment, value);
        if (streq(key, "TYPE")) {
                q->type = operation_type_from_string(value);
                return q->type < 0 ? -EBADMSG : 0;
        }
        if (parse_u64(value, &n) < 0)
                return -EBADMSG;
        if (streq(key, "TERMINAL"))
                q->terminal = n != 0;
        else if (streq(key, "TIMEOUT"))
                q->timeout_usec = n;
        else if (streq(key, "FLAGS"))
                q->flags = n;
        else if (streq(key, "UID"))
                q->uid = (uid_t) n;
        else if (streq(key, "SUPERVISOR"))
                q->supervisor = (pid_t) n;
        return 0;
}

int worker_request_read(int fd, WorkerRequest *ret) {
        _cleanup_(worker_request_done)
                WorkerRequest r = { .operation.type = _OPERATION_TYPE_INVALID };
        size_t size;
        int k = fd_read_all(fd, WORKER_REQUEST_MAX, &r.text, &size);
        if (k < 0)
                return k;
        for (size_t i = 0, n; i < size; i += n + 1) {
                char *field = r.text + i, *equals;
                n = strlen(field);
                equals = strchr(field, '=');
                if (!equals)
                        return -EBADMSG;
                *equals = '\0';
                k = take_field(&r, field, equals + 1);
                if (k < 0)
                        return k;
        }
        if (r.operation.type < 0 || !r.name)
                return -EBADMSG;
        r.operation.argv = r.argv;
        r.operation.environment = r.environment;
        *ret = r;
        r = (WorkerRequest){ 0 };
        return 0;
}

/* ---- the process ---- */

static const char *worker_path(void) {
        const char *path = secure_getenv("BERTH_WORKER");
        return isempty(path) ? BERTH_LIBEXECDIR "/berth-worker" : path;
}

/* Descriptors to their places; all others go with the execution. */
static int arrange(int fds[static WORKER_LEADER_FD + 1]) {
        for (int i = 0; i <= WORKER_LEADER_FD; i++) {
                fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, WORKER_LEADER_FD + 1);
                if (fds[i] < 0)
                        return -errno;
        }
        for (int i = 0; i <= WORKER_LEADER_FD; i++)
                if (dup2(fds[i], i) < 0)
                        return -errno;
        return sys_close_range(WORKER_LEADER_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC) < 0 ? -errno : 0;
}

static _noreturn_ void spawn_child(int *fds, int link_fd, const char *path, char **environment) {
        _cleanup_error_ Error e = ERROR_NULL;
        sigset_t none;
        (void) signal(SIGPIPE, SIG_DFL); /* none of these can fail */
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        (void) setsid();
        int report_fd = fcntl(link_fd, F_DUPFD_CLOEXEC, WORKER_LEADER_FD + 1);
        int r = arrange(fds);
        if (r >= 0) {
                execve(path, (char *[]){ (char *) "berth-worker", NULL }, environment);
                r = -errno;
        }
        (void) error_set_errno(&e, r, ERROR_SETUP_FAILED, "Executing '%s' failed", path);
        error_hint(&e, "reinstall berth, or set $BERTH_WORKER to the program's path");
        (void) worker_answer_error(report_fd,
                                   &e); /* the manager also sees that there is no answer */
        _exit(125);
}

/* Of the manager's own only what tools that look at programs need. */
static int worker_environment(char ***ret) {
        static const char *const kept[] = { "ASAN_OPTIONS=", "UBSAN_OPTIONS=", "BERTH_" };
        _cleanup_strv_free_ char **l = strv_copy(NULL);
        STRV_FOREACH(e, environ)
                for (size_t i = 0; l && i < ELEMENTSOF(kept); i++)
                        if (startswith(*e, kept[i]) && strv_extend(&l, *e) < 0)
                                return -ENOMEM;
        if (!l)
                return -ENOMEM;
        *ret = TAKE_PTR(l);
        return 0;
}

int worker_spawn(int request_fd, const PidRef *leader, const int *stdio, PidRef *ret,
                 int *ret_link_fd, Error *reterr) {
        static const char failed[] = "Starting a worker failed";
        _cleanup_close_pair_ int link[2] = PAIR_EBADF;
        _cleanup_strv_free_ char **environment = NULL;
        _cleanup_close_ int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null_fd < 0)
                return error_set_errno(reterr, -errno, ERROR_SETUP_FAILED, "%s", failed);
        int r = socket_pair_seqpacket(link);
        if (r >= 0)
                r = fd_nonblock(link[0], true);
        if (r >= 0)
                r = worker_environment(&environment);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED, "%s", failed);
        int fds[WORKER_LEADER_FD + 1] = { [WORKER_LINK_FD] = link[1],
                                          [WORKER_REQUEST_FD] = request_fd,
                                          [WORKER_LEADER_FD] = leader->fd };
        for (int i = 0; i < 3; i++)
                fds[i] = stdio && stdio[i] >= 0 ? stdio[i] : null_fd;

        PidRef worker = PIDREF_NULL;
        struct clone_args args = {
                .flags = CLONE_PIDFD,
                .pidfd = (uint64_t) (uintptr_t) &worker.fd,
                .exit_signal = SIGCHLD,
        };
        const char *path = worker_path();
        worker.pid = sys_clone3(&args);
        if (worker.pid < 0)
                return error_set_errno(reterr, -errno, ERROR_SETUP_FAILED, "%s", failed);
        if (worker.pid == 0)
                spawn_child(fds, link[1], path, environment);
        *ret = worker;
        *ret_link_fd = TAKE_FD(link[0]);
        return 0;
}

/* ---- the answer ---- */

static int answer(int link_fd, char kind, const char *text, size_t size, const int *fds,
                  size_t n_fds) {
        if (size >= WORKER_ANSWER_MAX)
                return -EMSGSIZE;
        _cleanup_free_ char *message = new0(char, size + 1);
        if (!message)
                return -ENOMEM;
        message[0] = kind;
        if (size > 0)
                memcpy(message + 1, text, size);
        return socket_send(link_fd, message, size + 1, fds, n_fds);
}

int worker_answer(int link_fd, const char *text, size_t size, const int *fds, size_t n_fds) {
        return answer(link_fd, KIND_RESULT, text, size, fds, n_fds);
}

int worker_answer_error(int link_fd, const Error *e) {
        _cleanup_free_ char *text = NULL;
        int r = error_serialize(e, &text);
        return r < 0 ? r : answer(link_fd, KIND_ERROR, text, strlen(text), NULL, 0);
}

int worker_read_answer(int link_fd, char **ret_text, size_t *ret_size,
                       int ret_fds[static SOCKET_MAX_FDS], Error *reterr) {
        _cleanup_free_ char *text = new0(char, WORKER_ANSWER_MAX + 1);
        if (!text)
                return error_oom(reterr);
        ssize_t n = socket_receive(link_fd, text, WORKER_ANSWER_MAX, ret_fds);
        if (n == -EAGAIN)
                return -EAGAIN;
        if (n > 0 && text[0] == KIND_RESULT) {
                memmove(text, text + 1, (size_t) n);
                *ret_text = TAKE_PTR(text);
                *ret_size = (size_t) n - 1;
                return 1;
        }
        for (size_t i = 0; n >= 0 && i < SOCKET_MAX_FDS; i++)
                ret_fds[i] = fd_close(ret_fds[i]);
        _cleanup_error_ Error e = ERROR_NULL;
        if (n > 1 && text[0] == KIND_ERROR && error_deserialize(text + 1, &e) >= 0)
                return error_take(reterr, &e);
        return error_set(reterr, -EIO, ERROR_FAILED, "The worker ended without an answer");
}
