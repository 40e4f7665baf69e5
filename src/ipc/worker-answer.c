/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a berth-worker answers: one message over its link, of a kind and a text. */
#include "basic/alloc.h"
#include "basic/fd.h"
#include "ipc/worker.h"

#define KIND_RESULT 'R'
#define KIND_ERROR 'E'

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
