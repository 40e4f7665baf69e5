/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the end of a payload's first process means. */
#include "launch/supervisor.h"
#include "test.h"

#include <signal.h>
#include <sys/wait.h>

TEST(table) {
        static const struct {
                int code, status;
                bool booted, in_unit;
                const char *reason;
                int payload_status, exit_status;
                bool restart;
        } rows[] = {
                { CLD_EXITED, 0, false, false, "exited", 0, 0, false },
                { CLD_EXITED, 7, true, true, "exited", 7, 7, false },
                { CLD_EXITED, 255, false, false, "exited", 255, 255, false },
                { CLD_EXITED, 133, true, true, "exited", 133, 1, false }, /* 133 is ours */
                { CLD_EXITED, 133, false, false, "exited", 133, 1, false },
                { CLD_KILLED, SIGINT, true, true, "poweroff", 0, 0, false },
                { CLD_KILLED, SIGINT, false, false, "poweroff", 0, 0, false },
                { CLD_KILLED, SIGHUP, true, true, "reboot", 0, 133, false },
                { CLD_KILLED, SIGHUP, true, false, "reboot", 0, 0, true },
                { CLD_KILLED, SIGKILL, true, true, "killed", SIGKILL, 1, false },
                { CLD_KILLED, SIGKILL, false, false, "killed", SIGKILL, 137, false },
                { CLD_KILLED, SIGSEGV, false, true, "killed", SIGSEGV, 139, false },
                { CLD_DUMPED, SIGABRT, false, false, "killed", SIGABRT, 134, false },
                { CLD_DUMPED, SIGABRT, true, false, "killed", SIGABRT, 1, false },
        };
        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                for (int stopped = 0; stopped < 2; stopped++) {
                        Ending e = ending_of(rows[i].code, rows[i].status, rows[i].booted,
                                             rows[i].in_unit, stopped);
                        ASSERT_STREQ(e.reason, rows[i].reason);
                        ASSERT_EQ(e.status, rows[i].payload_status);
                        ASSERT_EQ(e.exit_status, rows[i].exit_status);
                        ASSERT_EQ(e.restart, rows[i].restart);
                }
}

TEST_MAIN
