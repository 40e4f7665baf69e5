/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Specifiers: what each stands for, and what is none. */
#include "spec/spec-specifier.h"

#include <sys/utsname.h>

#include "basic/id.h"
#include "spec-helpers.h"

static char *expanded(const char *value) {
        Error e = ERROR_NULL;
        char *text = NULL, secret;

        if (spec_specifiers_expand(value, "web", true, "X= at /x:1", &text, &secret, &e) != 0)
                TEST_FAIL("'%s': %s", value, error_message(&e));
        return text;
}

#define ASSERT_EXPANDS(value, expected)                    \
        do {                                               \
                _cleanup_free_ char *_t = expanded(value); \
                ASSERT_STREQ(_t, expected);                \
        } while (0)

TEST(plain) {
        ASSERT_EXPANDS("", "");
        ASSERT_EXPANDS("a b", "a b");
        ASSERT_EXPANDS("%%", "%");
        ASSERT_EXPANDS("%%i", "%i");
        ASSERT_EXPANDS("%i%n", "webweb");
        ASSERT_EXPANDS("x%iy%%z", "xweby%z");
        ASSERT_EXPANDS("%t %S %C %L %E %T %V",
                       "/run /var/lib /var/cache /var/log /etc /tmp /var/tmp");
}

TEST(of_the_host) {
        struct utsname u;

        ASSERT_OK(uname(&u));
        ASSERT_EXPANDS("%v", u.release);
        ASSERT_EXPANDS("%H", u.nodename);
        u.nodename[strcspn(u.nodename, ".")] = '\0';
        ASSERT_EXPANDS("%l", u.nodename);
        if (streq(u.machine, "x86_64"))
                ASSERT_EXPANDS("%a", "x86-64");

        _cleanup_free_ char *boot = expanded("%b"), *again = expanded("%b"), *os = expanded("%o");
        Id128 id;
        ASSERT_OK(id128_parse(boot, &id));
        ASSERT_EQ(strlen(boot), 32);
        ASSERT_STREQ(boot, again);
        ASSERT_TRUE(!strchr(os, '"'));
}

TEST(untrusted) {
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ char *text = NULL, *none = NULL;
        char secret = 0;

        ASSERT_EQ(spec_specifiers_expand("a%i%%%t", "web", false, "X", &text, &secret, &e), 0);
        ASSERT_STREQ(text, "aweb%/run");
        for (const char *c = "mbaHlvowWBMA"; *c; c++) {
                const char value[] = { 'x', '%', *c, '\0' };
                ASSERT_EQ(spec_specifiers_expand(value, "web", false, "X", &none, &secret, &e), 1);
                ASSERT_EQ(secret, *c);
                ASSERT_NULL(none);
        }
}

TEST(unknown) {
        static const struct {
                const char *value, *message;
        } cases[] = {
                { "a%y", "Unknown specifier '%y' in X= at /x:1" },
                { "% ", "Unknown specifier '% ' in X= at /x:1" },
                { "%i%", "The value of X= at /x:1 ends with '%', which begins a specifier" },
                { "%\xc3\xa4", "A specifier that is no ASCII character is in X= at /x:1" },
                { "%\x01", "Unknown specifier '%\\x01' in X= at /x:1" },
        };
        char secret;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_error_ Error e = ERROR_NULL;
                _cleanup_free_ char *text = NULL;
                ASSERT_ERROR(spec_specifiers_expand(cases[i].value, "web", true, "X= at /x:1",
                                                    &text, &secret, &e),
                             EINVAL);
                ASSERT_STREQ(e.message, cases[i].message);
                ASSERT_CONTAINS(e.hint, "'%%'");
                ASSERT_NULL(text);
        }
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ char *text = NULL;
        ASSERT_ERROR(spec_specifiers_expand("%i", NULL, true, "X", &text, &secret, &e), EINVAL);
}

TEST(limit) {
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ char *value = malloc(SPEC_TEXT_MAX), *text = NULL;
        char secret;

        for (size_t i = 0; i < SPEC_TEXT_MAX; i++)
                value[i] = i % 2 == 0 ? '%' : 'S';
        value[SPEC_TEXT_MAX - 2] = '\0';
        ASSERT_ERROR(spec_specifiers_expand(value, "web", true, "X= at /x:1", &text, &secret, &e),
                     E2BIG);
        ASSERT_EQ(e.id, ERROR_LIMIT_EXCEEDED);
}

/* What `berth verify` prints can be read as a settings file. */
TEST(escaped_text) {
        _cleanup_free_ char *text = spec_specifiers_escape_text(
                "[Exec]\nEnvironment=A=5% B=%%\nUser=a%\n\n[Resources]\nCPUQuota=50%\n");

        ASSERT_STREQ(text,
                     "[Exec]\nEnvironment=A=5%% B=%%%%\nUser=a%%\n\n[Resources]\nCPUQuota=50%\n");
}

/* Any percent sign of a settings file's text has a meaning of its own in rows of percentages. */
TEST(rows_with_percentages_take_none) {
        for (size_t i = 0; i < spec_n_fields; i++)
                if (spec_fields[i].section && streq(spec_fields[i].section, "Resources"))
                        ASSERT_EQ(!(spec_fields[i].flags & FIELD_SPECIFIERS),
                                  !streq(spec_fields[i].key, "Slice"));
}

TEST_MAIN
