/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Command-line words; help. */
#include <limits.h>
#include <stdarg.h>
#include <unistd.h>

#include "spec-helpers.h"

/* Parses all words; the index where it stopped. */
static int parse(SpecDraft *d, Error *e, ...) {
        _cleanup_strv_free_ char **words = NULL;
        va_list ap;
        int i = 0, r;

        va_start(ap, e);
        for (const char *w; (w = va_arg(ap, const char *));)
                ASSERT_OK(strv_extend(&words, w));
        va_end(ap);
        do
                r = spec_args_parse_one(d, (int) strv_length(words), words, &i, e);
        while (r > 0);
        return r < 0 ? r : i;
}

TEST(forms) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;
        const ContainerSpec *s = spec_draft_spec(d);

        ASSERT_EQ(parse(d, &e, "--hostname=a", "--chdir", "/x", "-u", "bob", "-bMweb", "-EA=1",
                        "cmd", "-a", NULL),
                  7);
        ASSERT_STREQ(s->hostname, "a");
        ASSERT_STREQ(s->payload.working_directory, "/x");
        ASSERT_STREQ(s->payload.user, "bob");
        ASSERT_STREQ(s->name, "web");
        ASSERT_EQ(s->payload.start, START_BOOT);
        ASSERT_STREQ(s->payload.environment[0], "A=1");
        ASSERT_EQ(parse(d, &e, "--chdir=", "--hostname=x=y.z", NULL), -EINVAL);
        ASSERT_CONTAINS(e.message, "Invalid value 'x=y.z' for '--hostname='");
}

TEST(not_ours) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_EQ(parse(d, &e, "--help", NULL), 0);
        ASSERT_EQ(parse(d, &e, "--", NULL), 0);
        ASSERT_EQ(parse(d, &e, "-", NULL), 0);
        ASSERT_EQ(parse(d, &e, "-h", NULL), 0);
        ASSERT_EQ(parse(d, &e, "word", NULL), 0);
        ASSERT_EQ(parse(d, &e, "--=x", NULL), 0);
        ASSERT_EQ(parse(d, &e, "--boo", NULL), 0); /* no abbreviations */
        ASSERT_EQ(parse(d, &e, "--bootx", NULL), 0);
        ASSERT_EQ(parse(d, &e, NULL), 0);
        ASSERT_FALSE(error_is_set(&e));
}

TEST(errors) {
        static const char *const cases[][2] = {
                { "--hostname", "Option '--hostname' needs an argument" },
                { "-u", "Option '-u' needs an argument" },
                { "-bu", "Option '-u' needs an argument" },
                { "--read-only=yes", "Option '--read-only' takes no argument" },
                { "-bh", "Unknown option '-h' in '-bh'" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_draft_ SpecDraft *d = spec_draft_new();
                _cleanup_error_ Error e = ERROR_NULL;

                ASSERT_EQ(parse(d, &e, cases[i][0], NULL), -EINVAL);
                ASSERT_STREQ(e.message, cases[i][1]);
                ASSERT_EQ(e.id, ERROR_USAGE);
        }
}

TEST(optional_argument) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_EQ(parse(d, &e, "--private-users", "pick", NULL), 1); /* "pick" is the command */
        ASSERT_EQ(spec_draft_spec(d)->users.mode, USERNS_YES);
        ASSERT_EQ(parse(d, &e, "--private-users=pick", NULL), 1);
        ASSERT_EQ(spec_draft_spec(d)->users.mode, USERNS_PICK);
        ASSERT_EQ(parse(d, &e, "-U", "--private-users=no", NULL), 2);
        ASSERT_EQ(spec_draft_spec(d)->users.mode, USERNS_NO);
}

TEST(relative_directory) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;
        char cwd[PATH_MAX];

        ASSERT_NOT_NULL(getcwd(cwd, sizeof(cwd)));
        ASSERT_EQ(parse(d, &e, "-D", "../root", NULL), 2);
        _cleanup_free_ char *expected = strjoin(cwd, "/../root");
        ASSERT_STREQ(spec_draft_spec(d)->root.directory, expected);
}

TEST(inherited_environment) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;
        char ***environment = &spec_draft_spec(d)->payload.environment;

        ASSERT_OK(setenv("BERTH_TEST_A", "x y", 1));
        ASSERT_OK(unsetenv("BERTH_TEST_B"));
        ASSERT_EQ(parse(d, &e, "-E", "BERTH_TEST_A", "--setenv=BERTH_TEST_B",
                        "-EBERTH_TEST_C=", NULL),
                  4);
        ASSERT_EQ(strv_length(*environment), 2);
        ASSERT_STREQ((*environment)[0], "BERTH_TEST_A=x y");
        ASSERT_STREQ((*environment)[1], "BERTH_TEST_C=");
        ASSERT_EQ(parse(d, &e, "-E", "not a name", NULL), -EINVAL);
}

TEST(seccomp_of_the_environment) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new(), *other = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_OK(setenv("SYSTEMD_SECCOMP", "0", 1));
        ASSERT_OK(spec_args_apply_environment(d, &e));
        ASSERT_FALSE(spec_draft_spec(d)->security.seccomp);
        ASSERT_EQ(parse(other, &e, "--seccomp=yes", NULL), 1);
        ASSERT_OK(spec_args_apply_environment(other,
                                              &e)); /* who says it on the command line means it */
        ASSERT_TRUE(spec_draft_spec(other)->security.seccomp);
        ASSERT_OK(setenv("SYSTEMD_SECCOMP", "what", 1));
        ASSERT_ERROR(spec_args_apply_environment(d, &e), 0);
        _cleanup_draft_ SpecDraft *third = spec_draft_new();
        ASSERT_ERROR(spec_args_apply_environment(third, &e), EINVAL);
        ASSERT_CONTAINS(e.message, "Invalid value 'what' for Seccomp= in $SYSTEMD_SECCOMP");
        ASSERT_OK(unsetenv("SYSTEMD_SECCOMP"));
}

TEST(help) {
        StrBuf b = { 0 };
        _cleanup_free_ char *text = NULL;

        ASSERT_OK(spec_args_print_help(&b));
        ASSERT_OK(strbuf_finish(&b, &text));
        for (const char *line = text, *end; (end = strchr(line, '\n')); line = end + 1)
                if (end - line > 80)
                        TEST_FAIL("longer than 80 columns: %.*s", (int) (end - line), line);
        ASSERT_CONTAINS(text, "\n  -b --boot");
        ASSERT_CONTAINS(text, "--private-users[=RANGE]");
        ASSERT_CONTAINS(text, "\n  -U ");
        ASSERT_NULL(strstr(text, "--uid"));          /* an alias */
        ASSERT_NULL(strstr(text, "--network-zone")); /* not built */
        for (size_t i = 0; i < spec_n_fields; i++) {
                const SpecField *f = spec_fields + i;

                if (!f->option || (f->flags & FIELD_HIDDEN))
                        continue;
                _cleanup_free_ char *option = strf(" --%s", f->option);
                ASSERT_CONTAINS(text, option);
        }
}

TEST_MAIN
