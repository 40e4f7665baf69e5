/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Words, environment, ids, capabilities, filters. */
#include "spec-helpers.h"

TEST(words) {
        ASSERT_PRINTS("Parameters", "a 'b c' \"d\\te\" ''",
                      "Parameters=a \"b c\" \"d\\te\" \"\"\n");
        ASSERT_PRINTS("Parameters", "\"\\n\"", "Parameters=\"\\n\"\n");
        ASSERT_REFUSED("Parameters", "'a", "balanced quotes");
        ASSERT_REFUSED("Parameters", "\\q", "known escapes");
}

TEST(too_many_words) {
        _cleanup_free_ char *many = malloc(2 * (SPEC_ARGV_MAX + 1) + 1);

        for (size_t i = 0; i <= SPEC_ARGV_MAX; i++)
                memcpy(many + 2 * i, "x ", 3);
        ASSERT_REFUSED("Parameters", many,
                       "Too much for Parameters= in here: at most 4096 words are allowed");
        many[2 * SPEC_ARGV_MAX] = '\0';
        free(printed("Parameters", many));
}

TEST(environment) {
        ASSERT_PRINTS("Environment", "A=1 'B=x y' A=2", "Environment=A=2\nEnvironment=\"B=x y\"\n");
        ASSERT_PRINTS("Environment", "A=", "Environment=A=\n");
        ASSERT_PRINTS("Environment", "\"A=two\\nlines\"", "Environment=\"A=two\\nlines\"\n");
        ASSERT_REFUSED("Environment", "A", "NAME=VALUE");
        ASSERT_REFUSED("Environment", "=x", "NAME=VALUE");
        ASSERT_REFUSED("Environment", "A=1 B", "NAME=VALUE"); /* and A is not set either */
}

TEST(private_users) {
        ASSERT_PRINTS("PrivateUsers", "no", "");
        ASSERT_PRINTS("PrivateUsers", "yes", "PrivateUsers=yes\n");
        ASSERT_PRINTS("PrivateUsers", "1", "PrivateUsers=yes\n");
        ASSERT_PRINTS("PrivateUsers", "identity", "PrivateUsers=identity\n");
        ASSERT_PRINTS("PrivateUsers", "65536", "PrivateUsers=65536:65536\n");
        ASSERT_PRINTS("PrivateUsers", "1000:1", "PrivateUsers=1000:1\n");
        ASSERT_PRINTS("PrivateUsers", "4294901759", "PrivateUsers=4294901759:65536\n");
        ASSERT_REFUSED("PrivateUsers", "4294901760", "ends below 4294967295");
        ASSERT_REFUSED("PrivateUsers", "0:4294967296", "UID[:COUNT]");
        ASSERT_REFUSED("PrivateUsers", "range",
                       "UID[:COUNT]"); /* the enum's word, not the user's */
        ASSERT_REFUSED("PrivateUsers", "managed", "not supported yet");
        ASSERT_REFUSED("PrivateUsersChown", "maybe", "yes or no");
        ASSERT_PRINTS("PrivateUsersChown", "no", "");
        ASSERT_PRINTS("PrivateUsersOwnership", "chown", "PrivateUsersOwnership=chown\n");
}

TEST(capabilities) {
        ASSERT_PRINTS("Capability", "sys_time CAP_BPF", "Capability=CAP_SYS_TIME CAP_BPF\n");
        ASSERT_PRINTS("Capability", "all", "Capability=all\n");
        ASSERT_REFUSED("Capability", "CAP_FLY", "capabilities(7)");
        ASSERT_REFUSED("DropCapability", "64", "capabilities(7)");
}

TEST(filter) {
        ASSERT_PRINTS("SystemCallFilter", "a @b a", "SystemCallFilter=a @b\n");
        ASSERT_PRINTS("SystemCallFilter", "~a b", "SystemCallFilter=~a b\n");
        ASSERT_REFUSED("SystemCallFilter", "a ~b", "system calls and @groups");
        ASSERT_REFUSED("SystemCallFilter", "@", "system calls and @groups");
        ASSERT_PRINTS("RestrictAddressFamilies", "AF_INET6 AF_LOCAL AF_INET",
                      "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6\n");
        ASSERT_PRINTS("RestrictAddressFamilies", "~AF_PACKET AF_ALG",
                      "RestrictAddressFamilies=~AF_PACKET AF_ALG\n");
        ASSERT_PRINTS("RestrictAddressFamilies", "none", "RestrictAddressFamilies=none\n");
        ASSERT_PRINTS("RestrictAddressFamilies", "~none", "RestrictAddressFamilies=~none\n");
        ASSERT_REFUSED("RestrictAddressFamilies", "AF_INET inet6", "list of address families");
        ASSERT_REFUSED("RestrictAddressFamilies", "~", "list of address families");
        ASSERT_PRINTS("SuppressSync", "yes", "SuppressSync=yes\n");
        ASSERT_PRINTS("AmbientCapability", "cap_kill", "AmbientCapability=CAP_KILL\n");
}

TEST(files) {
        ASSERT_PRINTS("ResolvConf", "copy-host", "ResolvConf=copy-host\n");
        ASSERT_PRINTS("ResolvConf", "auto", "");
        ASSERT_REFUSED("ResolvConf", "copy-stub", "not supported yet");
        ASSERT_REFUSED("ResolvConf", "copy", "copy-host");
        ASSERT_PRINTS("Timezone", "delete", "Timezone=delete\n");
        ASSERT_REFUSED("Timezone", "UTC", "auto, off, copy");
}

TEST_MAIN
