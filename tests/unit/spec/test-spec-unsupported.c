/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What systemd-nspawn knows and berth does not: refused by name, unless nothing is asked for. */
#include "spec-helpers.h"

TEST(refused) {
        static const char *const keys[] = { "Personality",
                                            "LinkJournal",
                                            "BindUser",
                                            "VirtualEthernet",
                                            "VirtualEthernetExtra",
                                            "Interface",
                                            "MACVLAN",
                                            "IPVLAN",
                                            "Bridge",
                                            "Zone",
                                            "NamespacePath",
                                            "Port",
                                            "PrivateUsersDelegate" };

        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                _cleanup_draft_ SpecDraft *d = spec_draft_new();
                _cleanup_error_ Error e = ERROR_NULL;

                ASSERT_ERROR(set(d, keys[i], "yes", SOURCE_FILE, &e), EOPNOTSUPP);
                ASSERT_EQ(e.id, ERROR_UNSUPPORTED);
                ASSERT_CONTAINS(e.message, "is not supported yet");
                ASSERT_CONTAINS(e.message, keys[i]);
        }
}

TEST(asking_for_nothing) {
        static const char *const pairs[][2] = {
                { "VirtualEthernet", "no" },
                { "LinkJournal", "no" },
                { "LinkJournal", "auto" },
                { "LinkJournal", "try-guest" },
                { "LinkJournal", "try-host" },
                { "PrivateUsersDelegate", "0" },
                { "Zone", "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(pairs); i++) {
                _cleanup_draft_ SpecDraft *d = spec_draft_new();
                _cleanup_error_ Error e = ERROR_NULL;

                ASSERT_OK(set(d, pairs[i][0], pairs[i][1], SOURCE_FILE, &e));
        }
}

/* Every option of systemd-nspawn(1) is known here or is one of the command line's own. */
/* A file beside an image may ask for these, as with systemd-nspawn: what confines is not skipped with a warning. */
TEST(refused_from_any_file) {
        static const char *const pairs[][2] = { { "Personality", "x86" } };

        for (size_t i = 0; i < ELEMENTSOF(pairs); i++) {
                _cleanup_draft_ SpecDraft *d = spec_draft_new();
                _cleanup_error_ Error e = ERROR_NULL;

                ASSERT_ERROR(set(d, pairs[i][0], pairs[i][1], SOURCE_IMAGE_FILE, &e), EOPNOTSUPP);
                ASSERT_CONTAINS(e.message, pairs[i][0]);
        }
}

TEST(all_options_are_known) {
        static const char *const options[] = {
                "directory",
                "ephemeral",
                "image",
                "oci-bundle",
                "read-only",
                "volatile",
                "root-hash",
                "root-hash-sig",
                "verity-data",
                "pivot-root",
                "as-pid2",
                "boot",
                "chdir",
                "setenv",
                "user",
                "uid",
                "kill-signal",
                "notify-ready",
                "suppress-sync",
                "machine",
                "hostname",
                "uuid",
                "slice",
                "property",
                "private-users",
                "private-users-ownership",
                "private-users-chown",
                "private-users-delegate",
                "private-network",
                "network-interface",
                "network-macvlan",
                "network-ipvlan",
                "network-veth",
                "network-veth-extra",
                "network-bridge",
                "network-zone",
                "network-namespace-path",
                "port",
                "capability",
                "drop-capability",
                "ambient-capability",
                "no-new-privileges",
                "system-call-filter",
                "selinux-context",
                "selinux-apifs-context",
                "restrict-address-families",
                "rlimit",
                "oom-score-adjust",
                "cpu-affinity",
                "personality",
                "resolv-conf",
                "timezone",
                "link-journal",
                "bind",
                "bind-ro",
                "inaccessible",
                "tmpfs",
                "overlay",
                "overlay-ro",
                "bind-user",
                "bind-user-shell",
                "bind-user-group",
                "console",
                "pipe",
                "set-credential",
                "load-credential",
                "image-policy",
                "mstack",
                "background",
                "forward-journal",
                "cleanup",
                "share-system",
        };

        for (size_t i = 0; i < ELEMENTSOF(options); i++)
                if (!spec_field_by_option(options[i], strlen(options[i])))
                        TEST_FAIL("--%s is not known", options[i]);
}

TEST_MAIN
