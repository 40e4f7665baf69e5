/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What systemd-nspawn knows and berth does not yet: refused by name, never ignored. Values that ask for nothing are accepted. */
#include "spec/spec-fields.h"
#include "spec/spec-types.h"

#define UNSUPPORTED(section, key, option, letter, flags, value, harmless)                          \
        {                                                                                          \
                section, key, option, letter, (flags) &FIELD_NO_ARG ? NULL : "VALUE",              \
                        &field_unsupported, 0, FIELD_UNSUPPORTED | (flags), value, harmless, NULL, \
                        NULL                                                                       \
        }
#define ROW(section, key, option, harmless) \
        UNSUPPORTED(section, key, option, 0, FIELD_TRUSTED, NULL, harmless)
/* What systemd-nspawn takes from any file. Not to be left out: without it a container might be less confined than its image says. */
#define PLAIN_ROW(section, key, option, harmless) \
        UNSUPPORTED(section, key, option, 0, 0, NULL, harmless)
#define OPTION(option, harmless) UNSUPPORTED(NULL, NULL, option, 0, 0, NULL, harmless)
#define FLAG(option, letter) UNSUPPORTED(NULL, NULL, option, letter, FIELD_NO_ARG, "yes", NULL)

/* clang-format off */
#define NO " @no "

const SpecField spec_fields_unsupported[] = {
        /* settings and their options */
        PLAIN_ROW("Exec", "Personality",             "personality",              NULL),
        ROW("Exec",    "PrivateUsersDelegate",    "private-users-delegate",   " 0 "),
        ROW("Exec",    "LinkJournal",             "link-journal",             NO "auto try-guest try-host "),
        ROW("Files",   "BindUser",                "bind-user",                NULL),
        ROW("Files",   "BindUserShell",           "bind-user-shell",          NO),
        ROW("Files",   "BindUserGroup",           "bind-user-group",          NULL),
        UNSUPPORTED("Network", "VirtualEthernet", "network-veth", 'n', FIELD_TRUSTED | FIELD_NO_ARG, "yes", NO),
        ROW("Network", "VirtualEthernetExtra",    "network-veth-extra",       NULL),
        ROW("Network", "Interface",               "network-interface",        NULL),
        ROW("Network", "MACVLAN",                 "network-macvlan",          NULL),
        ROW("Network", "IPVLAN",                  "network-ipvlan",           NULL),
        ROW("Network", "Bridge",                  "network-bridge",           NULL),
        ROW("Network", "Zone",                    "network-zone",             NULL),
        ROW("Network", "NamespacePath",           "network-namespace-path",   NULL),
        UNSUPPORTED("Network", "Port", "port", 'p', FIELD_TRUSTED, NULL, NULL),

        /* options alone */
        OPTION("oci-bundle",             NULL),
        UNSUPPORTED(NULL, NULL, "selinux-context",        'Z', 0, NULL, NULL),
        UNSUPPORTED(NULL, NULL, "selinux-apifs-context",  'L', 0, NULL, NULL),
        OPTION("set-credential",         NULL),
        OPTION("load-credential",        NULL),
        UNSUPPORTED(NULL, NULL, NULL,    'j', FIELD_NO_ARG, "try-guest", " try-guest "),
        OPTION("forward-journal",        NULL),
        OPTION("forward-journal-max-use", NULL),
        OPTION("forward-journal-keep-free", NULL),
        OPTION("forward-journal-max-file-size", NULL),
        OPTION("forward-journal-max-files", NULL),
        OPTION("background",             NULL),
        FLAG("share-system",             0),
        FLAG("cleanup",                  0),
        OPTION("coredump-receive",       NO),
};
/* clang-format on */
const size_t spec_n_fields_unsupported = ELEMENTSOF(spec_fields_unsupported);
