/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Defaults, enums, freeing. */
#include "spec/spec.h"

#include "spec-helpers.h"

TEST(defaults) {
        _cleanup_spec_ ContainerSpec *s = spec_new();

        ASSERT_NOT_NULL(s);
        ASSERT_EQ(s->root.fd, -EBADF);
        ASSERT_EQ(s->payload.stop_timeout_usec, 90 * USEC_PER_SEC);
        ASSERT_TRUE(s->security.seccomp);
        ASSERT_FALSE(spec_has_userns(s));
        ASSERT_FALSE(spec_has_time_namespace(s));
        ASSERT_NULL(spec_free(NULL));
}

TEST(questions) {
        _cleanup_spec_ ContainerSpec *s = spec_new();

        s->users.mode = USERNS_IDENTITY;
        ASSERT_TRUE(spec_has_userns(s));
        s->time.boottime_set = true; /* an offset of 0 is one too */
        ASSERT_TRUE(spec_has_time_namespace(s));
        ASSERT_OK(free_and_strdup(&s->name, "web"));
        ASSERT_STREQ(spec_hostname(s), "web");
        ASSERT_OK(free_and_strdup(&s->hostname, "web.example"));
        ASSERT_STREQ(spec_hostname(s), "web.example");
}

TEST(enums) {
        for (StartMode m = 0; m < _START_MODE_MAX; m++)
                ASSERT_EQ(start_mode_from_string(start_mode_to_string(m)), m);
        for (UsernsMode m = 0; m < _USERNS_MODE_MAX; m++)
                ASSERT_EQ(userns_mode_from_string(userns_mode_to_string(m)), m);
        for (ConsoleMode m = 0; m < _CONSOLE_MODE_MAX; m++)
                ASSERT_EQ(console_mode_from_string(console_mode_to_string(m)), m);
        for (CopyMode m = 0; m < _COPY_MODE_MAX; m++)
                ASSERT_EQ(copy_mode_from_string(copy_mode_to_string(m)), m);
        for (CgroupMode m = 0; m < _CGROUP_MODE_MAX; m++)
                ASSERT_EQ(cgroup_mode_from_string(cgroup_mode_to_string(m)), m);
        for (OwnershipMode m = 0; m < _OWNERSHIP_MODE_MAX; m++)
                ASSERT_EQ(ownership_mode_from_string(ownership_mode_to_string(m)), m);
        ASSERT_EQ(console_mode_from_string("loud"), _CONSOLE_MODE_INVALID);
        ASSERT_NULL(console_mode_to_string(_CONSOLE_MODE_MAX));
}

TEST_MAIN
