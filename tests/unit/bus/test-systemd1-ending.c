/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How services have ended, in words. */
#include "bus/systemd1-ending.h"

#include <signal.h>
#include <stdlib.h>

#include "test.h"

TEST(words) {
        static const struct {
                const char *result;
                int32_t code, status;
                const char *words;
        } cases[] = {
                { "success", CLD_EXITED, 0, NULL },
                { "success", CLD_EXITED, 133, NULL }, /* a status that counts as success */
                { "", 0, 0, NULL },
                { "exit-code", CLD_EXITED, 7, "exited with status 7" },
                { "signal", CLD_KILLED, SIGKILL, "killed by signal SIGKILL" },
                { "core-dump", CLD_DUMPED, SIGSEGV, "killed by signal SIGSEGV" },
                { "oom-kill", CLD_KILLED, SIGKILL, "killed by signal SIGKILL (out of memory)" },
                { "watchdog", CLD_DUMPED, SIGABRT,
                  "killed by signal SIGABRT (did not give a sign of life in time)" },
                { "timeout", CLD_EXITED, 125,
                  "exited with status 125 (took too long to start or to stop)" },
                { "timeout", CLD_EXITED, 0, "took too long to start or to stop" },
                { "start-limit-hit", CLD_EXITED, 1,
                  "exited with status 1 (was started too often)" },
                { "protocol", CLD_EXITED, 0, "did not say that it is ready" },
                { "resources", 0, 0, "resources were lacking" },
                { "something-new", 0, 0, "something-new" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const UnitEnding e = { .result = (char *) cases[i].result,
                                       .code = cases[i].code,
                                       .status = cases[i].status };
                _cleanup_free_ char *text = unit_ending_to_string(&e);
                if (cases[i].words)
                        ASSERT_STREQ(text, cases[i].words);
                else
                        ASSERT_NULL(text);
        }
        const UnitEnding nothing = { 0 };
        ASSERT_NULL(unit_ending_to_string(&nothing));
}

TEST_MAIN
