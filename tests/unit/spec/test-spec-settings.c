/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Settings files: the grammar. */
#include "spec-helpers.h"

static int parse(SpecDraft *d, const char *text, Error *e) {
        return spec_settings_parse(d, text, SOURCE_FILE, "/etc/berth/web.berth", e);
}

TEST(grammar) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_OK(parse(d, "\n# c\n; c\n [Exec] \n  User =\tbob \n[Files]\nBind=/a=b\n", &e));
        ASSERT_STREQ(spec_draft_spec(d)->payload.user, "bob");
        ASSERT_STREQ(spec_draft_spec(d)->mounts[0].target, "/a=b");
        ASSERT_ERROR(parse(d, "[Exec]\nHostname=a # b\n", &e), EINVAL);
        ASSERT_CONTAINS(e.message, "'a # b'"); /* no comments behind values */
}

TEST(continuation) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;
        char **argv;

        ASSERT_OK(parse(d, "[Exec]\nParameters=a\\\n   # not this\nb \\\n c\nUser=bob\n", &e));
        argv = spec_draft_spec(d)->payload.argv;
        ASSERT_EQ(strv_length(argv), 3);
        ASSERT_STREQ(argv[1], "b");
        ASSERT_STREQ(spec_draft_spec(d)->payload.user, "bob");
        ASSERT_OK(parse(d, "[Exec]\nUser=eve\\", &e));
        ASSERT_STREQ(spec_draft_spec(d)->payload.user, "eve");
}

TEST(where_is_the_line) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;
        const char *where;

        ASSERT_OK(parse(d, "[Exec]\n\nUser=\\\nbob\nHostname=h\n", &e));
        ASSERT_EQ(spec_draft_source(d, row("User"), &where), SOURCE_FILE);
        ASSERT_STREQ(where, "/etc/berth/web.berth:3");
        (void) spec_draft_source(d, row("Hostname"), &where);
        ASSERT_STREQ(where, "/etc/berth/web.berth:5");
}

TEST(bad_lines) {
        static const char *const cases[][2] = {
                { "[Exec]\nfoo\n", "Line 2 of '/etc/berth/web.berth' is not a 'Key=value' line" },
                { "[Exec]\n=foo\n", "Line 2 of '/etc/berth/web.berth' is not a 'Key=value' line" },
                { "[Exec\n", "Line 1 of '/etc/berth/web.berth' is not a '[Section]' line" },
                { "[]\n", "Line 1 of '/etc/berth/web.berth' is not a '[Section]' line" },
                { "[Exec]\n\xff=1\n", "Settings file '/etc/berth/web.berth' is not valid UTF-8" },
                { "[Exec]\nBoot=2\n",
                  "Invalid value '2' for Boot= at /etc/berth/web.berth:2: yes or no is expected" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_draft_ SpecDraft *d = spec_draft_new();
                _cleanup_error_ Error e = ERROR_NULL;

                ASSERT_ERROR(parse(d, cases[i][0], &e), EINVAL);
                ASSERT_STREQ(e.message, cases[i][1]);
        }
}

TEST(unknown_is_warned_of) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_OK(parse(
                d,
                "[Exec]\nFoo=1\nX-Foo=1\nBoot=yes\n[X-Mine]\na=b\n[Foo]\nBoot=no\n[Launch]\nQuiet=yes\n",
                &e));
        ASSERT_EQ(spec_draft_spec(d)->payload.start, START_BOOT);
        ASSERT_FALSE(spec_draft_spec(d)->console.quiet);
        ASSERT_EQ(strv_length(spec_draft_warnings(d)), 3);
        ASSERT_STREQ(spec_draft_warnings(d)[0],
                     "Ignoring the unknown setting Foo= at /etc/berth/web.berth:2");
}

TEST(name_is_not_a_setting) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_OK(set(d, "Name", "web", SOURCE_COMMAND, &e));
        ASSERT_OK(spec_settings_parse(d, "[Container]\nName=web\n", SOURCE_OVERRIDE, "/x", &e));
        ASSERT_EQ(strv_length(spec_draft_warnings(d)), 0);
        ASSERT_OK(spec_settings_parse(d, "[Container]\nName=other\n", SOURCE_OVERRIDE, "/x", &e));
        ASSERT_EQ(strv_length(spec_draft_warnings(d)), 1);
        ASSERT_STREQ(spec_draft_spec(d)->name, "web");
}

TEST(limit) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ char *text = malloc(SPEC_TEXT_MAX + 2);

        memset(text, '\n', SPEC_TEXT_MAX + 1);
        text[SPEC_TEXT_MAX + 1] = '\0';
        ASSERT_ERROR(parse(d, text, &e), E2BIG);
        ASSERT_EQ(e.id, ERROR_LIMIT_EXCEEDED);
}

TEST(specifiers) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new(), *d2 = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;
        const char *where;

        ASSERT_OK(set(d, "Name", "web", SOURCE_COMMAND, &e));
        ASSERT_OK(parse(d, "[Exec]\nHostname=h-%i\n[Files]\nBind=%S/%n:/a%%b\n", &e));
        ASSERT_STREQ(spec_draft_spec(d)->hostname, "h-web");
        ASSERT_STREQ(spec_draft_spec(d)->mounts[0].source, "/var/lib/web");
        ASSERT_STREQ(spec_draft_spec(d)->mounts[0].target, "/a%b");
        (void) spec_draft_source(d, row("Hostname"), &where);
        ASSERT_STREQ(where, "/etc/berth/web.berth:2");
        ASSERT_ERROR(parse(d, "[Files]\n\nBind=/%y\n", &e), EINVAL);
        ASSERT_STREQ(e.message, "Unknown specifier '%y' in Bind= at /etc/berth/web.berth:3");
        ASSERT_CONTAINS(e.hint, "'%%'");
        ASSERT_OK(parse(d,
                        "[Lifecycle]\nHealthCommand=/check %i '100%%'\n"
                        "PreStart=-%S/hooks/up %i\nPostStop=/x %%n\n",
                        NULL));
        ASSERT_STREQ(spec_draft_spec(d)->health.command, "/check web 100%");
        ASSERT_STREQ(spec_draft_spec(d)->hooks[HOOK_PRE_START][0], "-/var/lib/hooks/up web");
        ASSERT_STREQ(spec_draft_spec(d)->hooks[HOOK_POST_STOP][0], "/x %n");

        /* percentages are no specifiers, and systemd-nspawn has none */
        ASSERT_OK(parse(d, "[Resources]\nCPUQuota=50%\n", NULL));
        ASSERT_OK(spec_settings_parse(d2, "[Exec]\nEnvironment=A=%i%\n", SOURCE_FILE,
                                      "/etc/systemd/nspawn/web.nspawn", NULL));
        ASSERT_STREQ(spec_draft_spec(d2)->payload.environment[0], "A=%i%");
}

TEST(specifiers_beside_the_image) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_OK(set(d, "Name", "web", SOURCE_COMMAND, &e));
        ASSERT_OK(spec_settings_parse(d, "[Exec]\nEnvironment=ID=%m\nHostname=%i\nUser=%v\n",
                                      SOURCE_IMAGE_FILE, "/x/web.berth", &e));
        ASSERT_STREQ(spec_draft_spec(d)->hostname, "web");
        ASSERT_NULL(spec_draft_spec(d)->payload.environment);
        ASSERT_NULL(spec_draft_spec(d)->payload.user);
        ASSERT_EQ(strv_length(spec_draft_warnings(d)), 2);
        ASSERT_STREQ(
                spec_draft_warnings(d)[0],
                "Ignoring Environment= at /x/web.berth:2: a file beside an image is not told what '%m' is on this host");
}

TEST_MAIN
