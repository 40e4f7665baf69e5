/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Plain values: what is read, what is refused and with which words. */
#include "spec/spec-types.h"

#include "spec-helpers.h"

TEST(booleans) {
        ASSERT_PRINTS("NotifyReady", "on", "NotifyReady=yes\n");
        ASSERT_PRINTS("NotifyReady", "0", "");
        ASSERT_PRINTS("Seccomp", "yes", ""); /* its default */
        ASSERT_PRINTS("Seccomp", "f", "Seccomp=no\n");
        ASSERT_REFUSED("NotifyReady", "2",
                       "Invalid value '2' for NotifyReady= in here: yes or no is expected");
}

TEST(strings) {
        ASSERT_PRINTS("Description", "a = b; c", "Description=a = b; c\n");
        ASSERT_REFUSED("Description", "a\nb", "one line");
        ASSERT_REFUSED("Description", "\xff", "Invalid value '\\xff'");
        ASSERT_PRINTS("Hostname", "a.b-c", "Hostname=a.b-c\n");
        ASSERT_REFUSED("Hostname", "a..b", "host name");
        ASSERT_PRINTS("Name", "web_1", "Name=web_1\n");
        ASSERT_REFUSED("Name", "../etc", "a name of at most 64");
        ASSERT_REFUSED("Name", ".host", "a name of at most 64");
}

TEST(ids) {
        ASSERT_PRINTS("MachineID", "4d3c2b1a-0000-4000-8000-00000000ABCD",
                      "MachineID=4d3c2b1a00004000800000000000abcd\n");
        ASSERT_REFUSED("MachineID", "00000000000000000000000000000000", "not all zero");
        ASSERT_REFUSED("MachineID", "4d3c", "hexadecimal");
}

TEST(paths) {
        ASSERT_PRINTS("Directory", "//srv/./web/", "Directory=/srv/web\n");
        ASSERT_PRINTS("Directory", "/srv/../web",
                      "Directory=/srv/../web\n"); /* links may stand before ".." */
        ASSERT_PRINTS("Directory", "/trailing space ", "Directory=/trailing space \n");
        ASSERT_PRINTS("Directory", "/back\\", "Directory=/back\\\n");
        ASSERT_REFUSED("Directory", "srv", "absolute path");
        ASSERT_REFUSED("Directory", "/a\nb", "absolute path");
        ASSERT_PRINTS("WorkingDirectory", "/a//b", "WorkingDirectory=/a/b\n");
        ASSERT_REFUSED("WorkingDirectory", "/a/..", "without '..'");
}

TEST(users) {
        ASSERT_PRINTS("User", "bob", "User=bob\n");
        ASSERT_PRINTS("User", "0", "User=0\n");
        ASSERT_PRINTS("User", "DOMAIN\\bob", "User=DOMAIN\\bob\n");
        ASSERT_REFUSED("User", "65535", "number of a user");
        ASSERT_REFUSED("User", "99999999999", "number of a user");
        ASSERT_REFUSED("User", "a b", "number of a user");
        ASSERT_REFUSED("User", "-1", "number of a user");
}

TEST(start) {
        ASSERT_PRINTS("Boot", "yes", "Boot=yes\n");
        ASSERT_PRINTS("Boot", "no", "");
        ASSERT_PRINTS("ProcessTwo", "true", "ProcessTwo=yes\n");
        ASSERT_REFUSED("Boot", "please", "yes or no");
}

TEST(start_modes_exclude_each_other) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_OK(set(d, "ProcessTwo", "yes", SOURCE_FILE, &e));
        ASSERT_OK(set(d, "Boot", "no", SOURCE_FILE, &e));
        ASSERT_EQ(spec_draft_spec(d)->payload.start, START_PID2);
        ASSERT_ERROR(set(d, "Boot", "yes", SOURCE_FILE, &e), EINVAL);
        ASSERT_EQ(e.id, ERROR_CONFLICT);
        error_done(&e);
        /* a stronger source replaces */
        ASSERT_OK(set(d, "Boot", "yes", SOURCE_COMMAND, &e));
        ASSERT_EQ(spec_draft_spec(d)->payload.start, START_BOOT);
}

TEST(numbers) {
        ASSERT_PRINTS("KillSignal", "TERM", "KillSignal=SIGTERM\n");
        ASSERT_PRINTS("KillSignal", "RTMIN+3", "KillSignal=SIGRTMIN+3\n");
        ASSERT_PRINTS("KillSignal", "9", "KillSignal=SIGKILL\n");
        ASSERT_REFUSED("KillSignal", "0", "a signal like");
        ASSERT_PRINTS("OOMScoreAdjust", "0", "OOMScoreAdjust=0\n"); /* 0 is not "unset" */
        ASSERT_PRINTS("OOMScoreAdjust", "-1000", "OOMScoreAdjust=-1000\n");
        ASSERT_REFUSED("OOMScoreAdjust", "-1001", "a number from -1000 to 1000 is expected");
        ASSERT_PRINTS("CPUAffinity", "7 0-2,1", "CPUAffinity=0-2 7\n");
        ASSERT_REFUSED("CPUAffinity", "9999", "a list of CPUs");
        ASSERT_REFUSED("CPUAffinity", "numa",
                       "Value 'numa' of CPUAffinity= in here is not supported yet");
}

TEST(times) {
        ASSERT_PRINTS("StopTimeoutSec", "90", "");
        ASSERT_PRINTS("StopTimeoutSec", "0", "StopTimeoutSec=0\n");
        ASSERT_PRINTS("StopTimeoutSec", "1.5min", "");
        ASSERT_PRINTS("StopTimeoutSec", "1h 250ms", "StopTimeoutSec=1h 250ms\n");
        ASSERT_PRINTS("StopTimeoutSec", "infinity", "StopTimeoutSec=infinity\n");
        ASSERT_REFUSED("StopTimeoutSec", "-5", "a time span");
        ASSERT_PRINTS("TimeOffsetMonotonic", "0", "TimeOffsetMonotonic=0s\n");
        ASSERT_PRINTS("TimeOffsetMonotonic", "-1d", "TimeOffsetMonotonic=-86400s\n");
        ASSERT_PRINTS("TimeOffsetBoottime", "+1ms", "TimeOffsetBoottime=1000000ns\n");
        ASSERT_REFUSED("TimeOffsetBoottime", "1e9", "an offset like");
}

TEST(enums) {
        ASSERT_PRINTS("Console", "pipe", "Console=pipe\n");
        ASSERT_PRINTS("Console", "autopipe", "");
        ASSERT_REFUSED("Console", "tty",
                       "auto, interactive, read-only, passive or pipe is expected");
        ASSERT_REFUSED("PrivateUsersOwnership", "foreign", "not supported yet");
}

TEST(between_our_processes) {
        ASSERT_PRINTS("RootDescriptor", "6", "RootDescriptor=6\n");
        ASSERT_REFUSED("RootDescriptor", "-1", "number of a descriptor");
        ASSERT_PRINTS("BoundingSet", "0xFFFFFFFFFFFFFFFF", "BoundingSet=0xffffffffffffffff\n");
        ASSERT_REFUSED("BoundingSet", "0x", "a mask");
        ASSERT_REFUSED("BoundingSet", "0x1ffffffffffffffff", "a mask");
        ASSERT_REFUSED("BoundingSet", "0xg", "a mask");
        ASSERT_PRINTS("Cgroup", "wait", "Cgroup=wait\n");
        ASSERT_PRINTS("Quiet", "yes", "Quiet=yes\n");
}

TEST(words_in_lists) {
        ASSERT_TRUE(type_word_in(" a bc ", "bc"));
        ASSERT_FALSE(type_word_in(" a bc ", "b"));
        ASSERT_FALSE(type_word_in(" a bc ", ""));
        ASSERT_FALSE(type_word_in(" a bc ", "a bc"));
}

TEST_MAIN
