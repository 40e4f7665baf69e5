/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The form between our own processes: exact, complete, and strict. */
#include "spec/spec-text.h"

#include "spec-helpers.h"

TEST(sections_in_order) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ char *inner = NULL, *outer = NULL;

        ASSERT_OK(set(d, "MemoryMax", "1K", SOURCE_COMMAND, &e));
        ASSERT_OK(set(d, "Name", "web", SOURCE_COMMAND, &e));
        ASSERT_OK(set(d, "Private", "yes", SOURCE_COMMAND, &e));
        spec_draft_spec(d)->resources.cgroup = CGROUP_WAIT;
        ASSERT_OK(spec_text_print(spec_draft_spec(d), false, &outer));
        ASSERT_STREQ(
                outer,
                "[Container]\nName=web\n\n[Network]\nPrivate=yes\n\n[Resources]\nMemoryMax=1024\n");
        ASSERT_OK(spec_text_print(spec_draft_spec(d), true, &inner));
        ASSERT_STREQ(
                inner,
                "[Container]\nName=web\n\n[Network]\nPrivate=yes\n\n[Resources]\nMemoryMax=1024\n\n[Launch]\nCgroup=wait\n");
}

TEST(values_are_taken_as_they_are) {
        _cleanup_spec_ ContainerSpec *s = NULL;
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_OK(spec_text_parse("[Container]\nDirectory=/a \\\nDescription= # x \n", &s, &e));
        ASSERT_STREQ(s->root.directory, "/a \\");
        ASSERT_STREQ(s->description, " # x ");
}

TEST(everything_survives) {
        _cleanup_spec_ ContainerSpec *s = spec_new(), *again = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ char *text = NULL, *second = NULL;
        char odd[256];

        for (int i = 1; i < 256; i++)
                odd[i - 1] = (char) i;
        odd[255] = '\0';
        ASSERT_OK(strv_extend(&s->payload.argv, odd));
        ASSERT_OK(strv_extend(&s->payload.argv, ""));
        s->root.fd = 7;
        s->security.bounding = UINT64_MAX;
        s->time.monotonic_set = true;
        s->time.monotonic_nsec = -INT64_MAX;
        s->payload.stop_timeout_usec = UINT64_MAX - 1;
        s->users.mode = USERNS_RANGE;
        s->users.base = 4294901759;
        s->users.count = 65536;
        s->console.quiet = true;
        ASSERT_OK(spec_text_print(s, true, &text));
        ASSERT_OK(spec_text_parse(text, &again, &e));
        ASSERT_STREQ(again->payload.argv[0], odd);
        ASSERT_STREQ(again->payload.argv[1], "");
        ASSERT_EQ(again->root.fd, 7);
        ASSERT_EQ(again->security.bounding, UINT64_MAX);
        ASSERT_EQ(again->time.monotonic_nsec, -INT64_MAX);
        ASSERT_EQ(again->payload.stop_timeout_usec, UINT64_MAX - 1);
        ASSERT_EQ(again->users.base, 4294901759);
        ASSERT_OK(spec_text_print(again, true, &second));
        ASSERT_STREQ(second, text);
}

/* What did not come through a field's parser must not turn into other settings on its way to the supervisor. */
TEST(no_value_ends_a_line) {
        _cleanup_spec_ ContainerSpec *s = spec_new();
        _cleanup_free_ char *text = NULL;

        s->root.directory = strdup("/srv/x\n\n[Files]\nBind=/etc:/mnt");
        ASSERT_ERROR(spec_text_print(s, true, &text), EINVAL);
        ASSERT_NULL(text);
}

TEST(strict) {
        static const char *const bad[] = {
                "Boot=yes\n",               /* no section */
                "[Exec]\nNothing=1\n",      /* unknown key */
                "[Exec]\nBoot\n",           /* no value */
                "[Exec]\n Boot=yes\n",      /* white space */
                "# comment\n",              /* not in this form */
                "[Exec]\nLinkJournal=no\n", /* a key that never is printed */
                "[Files]\nBoot=yes\n",      /* wrong section */
                "[Exec\nBoot=yes\n",
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_spec_ ContainerSpec *s = NULL;
                _cleanup_error_ Error e = ERROR_NULL;

                ASSERT_ERROR(spec_text_parse(bad[i], &s, &e), EBADMSG);
                ASSERT_EQ(e.id, ERROR_PROTOCOL);
                ASSERT_CONTAINS(e.message, "of the container's description is unknown");
                ASSERT_NULL(s);
        }
}

TEST(bad_value_names_its_line) {
        _cleanup_spec_ ContainerSpec *s = NULL;
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_ERROR(spec_text_parse("[Exec]\n\nBoot=perhaps\n", &s, &e), EINVAL);
        ASSERT_STREQ(e.message,
                     "Invalid value 'perhaps' for Boot= in line 3: yes or no is expected");
}

TEST(limit) {
        _cleanup_spec_ ContainerSpec *s = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        char *text = malloc(SPEC_TEXT_MAX + 2);

        memset(text, '\n', SPEC_TEXT_MAX + 1);
        text[SPEC_TEXT_MAX + 1] = '\0';
        int r = spec_text_parse(text, &s, &e);
        text[SPEC_TEXT_MAX] = '\0';
        int r2 = spec_text_parse(text, &s, &e);
        free(text);
        ASSERT_EQ(r, -E2BIG);
        ASSERT_EQ(e.id, ERROR_LIMIT_EXCEEDED);
        ASSERT_OK(r2);
}

TEST_MAIN
