/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests and answers of a worker, which this test itself stands in for. */
#include "ipc/worker.h"

#include <dirent.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "ipc/spawner.h"
#include "sys/syscalls.h"
#include "test.h"

/* As "berth-worker": tells what it was given. */
static int stand_in(void) {
        _cleanup_(worker_request_done) WorkerRequest r = { 0 };
        _cleanup_free_ char *text = NULL;
        unsigned n = 0;
        if (worker_request_read(WORKER_REQUEST_FD, &r) < 0)
                return 1;
        if (streq(r.name, "silent"))
                return 0;
        if (streq(r.name, "wrong")) {
                _cleanup_error_ Error e = ERROR_NULL;
                (void) error_set(&e, -ENOENT, ERROR_NO_SUCH_USER, "There is no user 'x'");
                error_hint(&e, "add one");
                return worker_answer_error(WORKER_LINK_FD, &e) < 0;
        }
        for (int fd = 0; fd < 64; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        text = strf("%s %s %s %zu %s %d %u %s", operation_type_to_string(r.operation.type), r.name,
                    strempty(r.operation.user), strv_length(r.operation.argv),
                    strempty(r.operation.argv ? r.operation.argv[1] : NULL), r.operation.terminal,
                    n, getenv("NOTIFY_SOCKET") ?: "-");
        const int fd = STDIN_FILENO;
        return !text || worker_answer(WORKER_LINK_FD, text, strlen(text), &fd, 1) < 0;
}

/* As the spawner does it. */
static pid_t start(int request_fd, const int *stdio, int *ret_link_fd) {
        int link[2];
        ASSERT_OK(socket_pair_seqpacket(link));
        pid_t pid = fork();
        ASSERT_OK(pid);
        if (pid == 0) {
                int fds[] = { -EBADF, -EBADF, -EBADF, link[1], request_fd, request_fd };
                for (int i = 0; i < 3; i++)
                        fds[i] = stdio ? stdio[i] : request_fd;
                for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                        fds[i] = fcntl(fds[i], F_DUPFD, 64);
                for (int i = 0; i < (int) ELEMENTSOF(fds); i++)
                        (void) dup2(fds[i], i);
                (void) sys_close_range(ELEMENTSOF(fds), ~0U, 0);
                (void) execl(worker_path(), "berth-worker", (char *) NULL);
                _exit(1);
        }
        close(link[1]);
        *ret_link_fd = link[0];
        return pid;
}

static int ask(const char *name, const int *stdio, char **ret_text,
               int ret_fds[static SOCKET_MAX_FDS], Error *reterr) {
        const OperationRequest q = { .type = OPERATION_EXEC,
                                     .argv = (char *[]){ (char *) "a", (char *) "b=\n c", NULL },
                                     .user = "u",
                                     .stdio = stdio };
        _cleanup_close_ int request_fd = -EBADF, link_fd = -EBADF;
        size_t size;
        int r = worker_request_new(&q, name, "[Exec]\n", &request_fd, reterr);
        if (r < 0)
                return r;
        pid_t worker = start(request_fd, stdio, &link_fd);
        do {
                struct pollfd p = { .fd = link_fd, .events = POLLIN };
                (void) poll(&p, 1, 10000);
                r = worker_read_answer(link_fd, ret_text, &size, ret_fds, reterr);
        } while (r == -EAGAIN);
        (void) waitpid(worker, NULL, 0);
        return r;
}

TEST(a_request_and_its_answer) {
        _cleanup_free_ char *text = NULL;
        int fds[SOCKET_MAX_FDS], p[2];
        ASSERT_OK(pipe2(p, O_CLOEXEC));
        const int stdio[] = { p[0], p[1], p[1] };
        ASSERT_OK(ask("web", stdio, &text, fds, NULL));
        /* its six descriptors */
        ASSERT_STREQ(text, "exec web u 2 b=\n c 0 6 -");
        ASSERT_TRUE(fds[0] >= 0 && fds[1] < 0);
        /* the very pipe */
        char c = 0;
        ASSERT_EQ(write(p[1], "x", 1), 1);
        ASSERT_EQ(read(fds[0], &c, 1), 1);
        ASSERT_EQ(c, 'x');
        close(fds[0]);
        close(p[0]);
        close(p[1]);
}

TEST(errors_come_back) {
        _cleanup_error_ Error e = ERROR_NULL, silent = ERROR_NULL;
        _cleanup_free_ char *text = NULL;
        int fds[SOCKET_MAX_FDS];
        ASSERT_ERROR(ask("wrong", NULL, &text, fds, &e), ENOENT);
        ASSERT_EQ(e.id, ERROR_NO_SUCH_USER);
        ASSERT_STREQ(e.message, "There is no user 'x'");
        ASSERT_STREQ(e.hint, "add one");
        ASSERT_ERROR(ask("silent", NULL, &text, fds, &silent), EIO);
        ASSERT_CONTAINS(silent.message, "without an answer");
        ASSERT_NULL(text);
}

TEST(requests_that_are_none) {
        static const struct {
                const char *text;
                size_t size;
        } bad[] = {
                { "", 0 },
                { "TYPE=exec", 10 },                   /* no name */
                { "TYPE=dance\0NAME=x", 18 },          /* unknown */
                { "TYPE=exec\0NAME=x\0UID=-1", 24 },   /* no number */
                { "TYPE=exec\0NAME=x\0nonsense", 26 }, /* no value */
        };
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                WorkerRequest r;
                int fd = memfd_new_sealed("bad", bad[i].text, bad[i].size);
                ASSERT_OK(fd);
                ASSERT_ERROR(worker_request_read(fd, &r), EBADMSG);
                close(fd);
        }
}

TEST(large_requests) {
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ char *word = malloc(WORKER_REQUEST_MAX + 1);
        memset(word, 'x', WORKER_REQUEST_MAX);
        word[WORKER_REQUEST_MAX] = '\0';
        int fd;
        const OperationRequest q = { .type = OPERATION_EXEC, .argv = (char *[]){ word, NULL } };
        ASSERT_ERROR(worker_request_new(&q, "web", NULL, &fd, &e), E2BIG);
        ASSERT_EQ(e.id, ERROR_LIMIT_EXCEEDED);
}

int main(int argc, char **argv) {
        char self[PATH_MAX] = "";
        if (argc > 0 && streq(argv[0], "berth-worker"))
                return stand_in();
        if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0 ||
            setenv("BERTH_WORKER", self, 1) < 0)
                return 1;
        return test_run_all(argc, argv);
}
