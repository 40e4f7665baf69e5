/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Supervisor and child: GO, a report, the end of the stream. */
#include "ipc/sync.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/fd.h"
#include "test.h"

TEST(go) {
        int up, down;
        ASSERT_OK(sync_pair(&up, &down));
        ASSERT_OK(sync_go(up, true));
        ASSERT_EQ(sync_wait_go(down), 1);
        ASSERT_OK(sync_go(up, false));
        ASSERT_EQ(sync_wait_go(down), 0);
        fd_close(up);
        ASSERT_ERROR(sync_wait_go(down), EPIPE); /* the supervisor has died */
        fd_close(down);
}

TEST(something_else_than_go) {
        int up, down;
        ASSERT_OK(sync_pair(&up, &down));
        ASSERT_EQ(write(up, "x", 1), 1);
        ASSERT_ERROR(sync_wait_go(down), EBADMSG);
        fd_close(up);
        fd_close(down);
}

TEST(report) {
        StageReport report = { 0 };
        int up, down;
        ASSERT_OK(sync_pair(&up, &down));
        sync_report(down, 17, ENOENT);
        fd_close(down);
        ASSERT_EQ(sync_wait_exec(up, &report), 1);
        ASSERT_EQ(report.op, 17);
        ASSERT_EQ(report.error, ENOENT);
        ASSERT_EQ(sync_wait_exec(up, &report), 0);
        fd_close(up);
}

TEST(report_to_nobody) {
        int up, down;
        ASSERT_OK(sync_pair(&up, &down));
        fd_close(up);
        sync_report(down, 1, EIO); /* no SIGPIPE */
        fd_close(down);
}

TEST(broken_reports) {
        struct {
                StageReport r;
                char more;
        } big = { { 1, ENOENT }, 0 };
        const StageReport zero = { 1, 0 }, negative = { 1, -5 };
        StageReport report = { 99, 99 };
        int up, down;
        ASSERT_OK(sync_pair(&up, &down));
        ASSERT_EQ(write(down, "abc", 3), 3);
        ASSERT_ERROR(sync_wait_exec(up, &report), EBADMSG);
        ASSERT_EQ(write(down, &big, sizeof(big)), sizeof(big));
        ASSERT_ERROR(sync_wait_exec(up, &report), EBADMSG);
        ASSERT_EQ(write(down, &zero, sizeof(zero)), sizeof(zero));
        ASSERT_ERROR(sync_wait_exec(up, &report), EBADMSG);
        ASSERT_EQ(write(down, &negative, sizeof(negative)), sizeof(negative));
        ASSERT_ERROR(sync_wait_exec(up, &report), EBADMSG);
        ASSERT_EQ(report.op, 99);
        fd_close(up);
        fd_close(down);
}

/* The child's end is close-on-exec: a successful exec is the end of the stream. */
TEST(exec_is_the_end) {
        StageReport report;
        int up, down, status;
        ASSERT_OK(sync_pair(&up, &down));
        pid_t pid = fork();
        if (pid == 0) {
                fd_close(up);
                if (sync_wait_go(down) >= 0)
                        execl("/bin/true", "true", (char *) NULL);
                _exit(1);
        }
        fd_close(down);
        ASSERT_OK(sync_go(up, false));
        ASSERT_EQ(sync_wait_exec(up, &report), 0);
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        ASSERT_EQ(status, 0);
        fd_close(up);
}

TEST_MAIN
