/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Command lines, periods, counts. */
#include "spec-helpers.h"

TEST(command_line) {
        ASSERT_PRINTS("HealthCommand", "test -e  '/run/a b'",
                      "HealthCommand=test -e \"/run/a b\"\n");
        ASSERT_PRINTS("HealthCommand", "/bin/sh -c 'printf \"%s\\n\" x'",
                      "HealthCommand=/bin/sh -c \"printf \\\"%s\\n\\\" x\"\n");
        ASSERT_REFUSED("HealthCommand", "'' x", "a program and its arguments");
        ASSERT_REFUSED("HealthCommand", "a 'b", "balanced quotes");
}

TEST(command_line_is_limited) {
        _cleanup_free_ char *many = malloc(2 * (SPEC_COMMAND_WORDS_MAX + 1) + 1),
                            *large = malloc(SPEC_COMMAND_MAX + 2);

        for (size_t i = 0; i <= SPEC_COMMAND_WORDS_MAX; i++)
                memcpy(many + 2 * i, "x ", 3);
        ASSERT_REFUSED("HealthCommand", many, "at most 256 words");
        many[2 * SPEC_COMMAND_WORDS_MAX] = '\0';
        free(printed("HealthCommand", many));
        memset(large, 'x', SPEC_COMMAND_MAX + 1);
        large[SPEC_COMMAND_MAX + 1] = '\0';
        ASSERT_REFUSED("HealthCommand", large, "16384 bytes");
}

TEST(hooks) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_PRINTS("PreStart", "-/bin/sh  -c 'exit 1'", "PreStart=-/bin/sh -c \"exit 1\"\n");
        ASSERT_PRINTS("PostStop", "/a", "PostStop=/a\n");
        ASSERT_REFUSED("PreStop", "sh -c true", "the absolute path of a program of the host");
        ASSERT_REFUSED("PreStop", "-", "the absolute path of a program of the host");
        ASSERT_REFUSED("PostStart", "/bin/sh 'a", "balanced quotes");
        for (size_t i = 0; i < SPEC_HOOKS_MAX; i++)
                ASSERT_OK(set(d, "PreStart", "/a", SOURCE_COMMAND, &e));
        ASSERT_TRUE(set(d, "PreStart", "/a", SOURCE_COMMAND, &e) < 0);
        ASSERT_CONTAINS(e.message, "at most 32 commands are allowed");
}

TEST(periods) {
        ASSERT_PRINTS("HealthIntervalSec", "1.5", "HealthIntervalSec=1s 500ms\n");
        ASSERT_PRINTS("HealthIntervalSec", "30s", "");
        ASSERT_PRINTS("HealthTimeoutSec", "2h", "HealthTimeoutSec=2h\n");
        ASSERT_REFUSED("HealthIntervalSec", "900ms", "a time span from 1s to 365d");
        ASSERT_REFUSED("HealthIntervalSec", "infinity", "a time span from 1s to 365d");
        ASSERT_REFUSED("HealthTimeoutSec", "366d", "a time span from 1s to 365d");
        ASSERT_PRINTS("HealthStartPeriodSec", "0", "");
        ASSERT_PRINTS("HealthStartPeriodSec", "2min", "HealthStartPeriodSec=2min\n");
}

TEST(counts) {
        ASSERT_PRINTS("HealthRetries", "3", "");
        ASSERT_PRINTS("HealthRetries", "1000", "HealthRetries=1000\n");
        ASSERT_REFUSED("HealthRetries", "0", "a number from 1 to 1000");
        ASSERT_REFUSED("HealthRetries", "1001", "a number from 1 to 1000");
}

TEST(actions) {
        ASSERT_PRINTS("HealthAction", "restart", "HealthAction=restart\n");
        ASSERT_PRINTS("HealthAction", "none", "");
        ASSERT_REFUSED("HealthAction", "pray", "none, restart, stop or kill");
}
TEST_MAIN
