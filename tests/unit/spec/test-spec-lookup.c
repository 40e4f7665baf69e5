/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows by name, and the sentences for values that cannot be read. */
#include "spec-helpers.h"

TEST(lookups) {
        ASSERT_STREQ(spec_field_by_key("Exec", "Boot")->option, "boot");
        ASSERT_NULL(spec_field_by_key("Files", "Boot"));
        ASSERT_NULL(spec_field_by_key("Exec", "boot"));
        ASSERT_STREQ(spec_field_by_name("MemoryMax")->section, "Resources");
        ASSERT_NULL(spec_field_by_name("Nothing"));
        ASSERT_STREQ(spec_field_by_option("bind=/x", 4)->key, "Bind");
        ASSERT_NULL(spec_field_by_option("bind", 3));
        ASSERT_NULL(spec_field_by_letter('?'));
        ASSERT_NULL(spec_field_by_letter('\0'));
        ASSERT_TRUE(spec_field_by_key("Network", "Zone")->flags & FIELD_UNSUPPORTED);
}

static void assert_message(const SpecField *f, const char *value, const char *where,
                           const char *message) {
        _cleanup_spec_ ContainerSpec *s = spec_new();
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_TRUE(spec_field_parse(f, value, where, s, &e) < 0);
        ASSERT_STREQ(e.message, message);
        ASSERT_TRUE(spec_field_parse(f, value, where, s, NULL) < 0);
}

TEST(sentences) {
        assert_message(
                row("OOMScoreAdjust"), "x", "/etc/berth/web.berth:7",
                "Invalid value 'x' for OOMScoreAdjust= at /etc/berth/web.berth:7: a number from -1000 to 1000 is expected");
        assert_message(
                row("OOMScoreAdjust"), "x", "--oom-score-adjust",
                "Invalid value 'x' for '--oom-score-adjust=': a number from -1000 to 1000 is expected");
        assert_message(
                row("User"), "a b", "-u",
                "Invalid value 'a b' for '-u': the name or the number of a user is expected");
        assert_message(
                row("OOMScoreAdjust"), "", NULL,
                "Invalid value '' for OOMScoreAdjust=: a number from -1000 to 1000 is expected");
        assert_message(row("Boot"), "\x1b[0m", "the call",
                       "Invalid value '\\x1b[0m' for Boot= in the call: yes or no is expected");
        assert_message(row("Zone"), "x", "/a:1", "Setting Zone= at /a:1 is not supported yet");
        assert_message(option_row("network-veth"), "yes", "-n", "Option '-n' is not supported yet");
        assert_message(row("PrivateUsers"), "managed", "--private-users",
                       "Value 'managed' of '--private-users=' is not supported yet");
}

TEST(long_values_are_cut) {
        _cleanup_spec_ ContainerSpec *s = spec_new();
        _cleanup_error_ Error e = ERROR_NULL;
        char value[1000];

        memset(value, 'x', sizeof(value) - 1);
        value[sizeof(value) - 1] = '\0';
        ASSERT_TRUE(spec_field_parse(row("Boot"), value, NULL, s, &e) < 0);
        ASSERT_TRUE(strlen(e.message) < 200);
        ASSERT_CONTAINS(e.message, "xxx…'");
}

TEST_MAIN
