/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GO, StageReport, end of stream: the few bytes between supervisor and child.
 *
 * The child's half (sync_wait_go(), sync_report()) runs between clone3() and execve(): no allocation, no stdio. */
#include "ipc/sync.h"

#include <sys/socket.h>
#include <unistd.h>

#include "sys/socket.h"

#define SYNC_GO 'G'
#define SYNC_GO_HOLD 'H'

int sync_pair(int *ret_supervisor, int *ret_child) {
        int pair[2];
        int r = socket_pair_seqpacket(pair);
        if (r < 0)
                return r;
        *ret_supervisor = pair[0];
        *ret_child = pair[1];
        return 0;
}

int sync_go(int supervisor_fd, bool hold) {
        char go = hold ? SYNC_GO_HOLD : SYNC_GO;
        ssize_t n;
        do
                n = send(supervisor_fd, &go, 1, MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : 0;
}

int sync_wait_go(int child_fd) {
        char go = 0;
        ssize_t n;
        do
                n = read(child_fd, &go, 1);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        if (n == 0)
                return -EPIPE;
        return go == SYNC_GO ? 0 : go == SYNC_GO_HOLD ? 1 : -EBADMSG;
}

void sync_report(int child_fd, uint32_t op, int error) {
        StageReport report = { .op = op, .error = error };
        ssize_t n;
        do
                n = send(child_fd, &report, sizeof(report), MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
}

int sync_wait_exec(int supervisor_fd, StageReport *ret) {
        StageReport report = { 0 };
        ssize_t n;
        do
                n = recv(supervisor_fd, &report, sizeof(report), MSG_TRUNC);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        if (n == 0)
                return 0;
        if (n != sizeof(report) || report.error <= 0)
                return -EBADMSG;
        *ret = report;
        return 1;
}
