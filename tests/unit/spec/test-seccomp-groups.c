/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tables: words that exist, groups that end, and what must never be allowed by default. */
#include "spec/seccomp-groups.h"

#include "basic/strv.h"
#include "spec/seccomp-compile.h"
#include "spec/spec-types.h"
#include "test.h"

/* Adds all names of the words; depth guards against cycles. */
static void collect(const char *words, unsigned depth, char ***names) {
        _cleanup_strv_free_ char **l = NULL;

        ASSERT_TRUE(depth < 4);
        ASSERT_OK(strv_split(&l, words, " ", 0));
        STRV_FOREACH(word, l) {
                if (**word != '@') {
                        ASSERT_OK(strv_extend(names, *word));
                        continue;
                }
                const SyscallGroup *g = syscall_group_find(*word);
                if (!g)
                        TEST_FAIL("unknown group %s", *word);
                collect(g->words, depth + 1, names);
        }
}

TEST(groups_of_systemd) {
        static const char *const names[] = {
                "@default",       "@aio",       "@basic-io",       "@chown",    "@clock",
                "@cpu-emulation", "@debug",     "@file-system",    "@io-event", "@ipc",
                "@keyring",       "@memlock",   "@module",         "@mount",    "@network-io",
                "@obsolete",      "@pkey",      "@privileged",     "@process",  "@raw-io",
                "@reboot",        "@resources", "@sandbox",        "@setuid",   "@signal",
                "@swap",          "@sync",      "@system-service", "@timer"
        };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_strv_free_ char **l = NULL;

                ASSERT_NOT_NULL(syscall_group_find(names[i]));
                collect(names[i], 0, &l);
                ASSERT_FALSE(strv_isempty(l));
        }
        ASSERT_NULL(syscall_group_find("@nothing"));
}

TEST(never_by_default) {
        static const char *const names[] = { "add_key",
                                             "keyctl",
                                             "request_key",
                                             "io_uring_setup",
                                             "io_uring_enter",
                                             "io_uring_register",
                                             "userfaultfd",
                                             "kexec_load",
                                             "kexec_file_load",
                                             "open_by_handle_at",
                                             "bpf",
                                             "perf_event_open",
                                             "quotactl",
                                             "quotactl_fd",
                                             "fanotify_init",
                                             "swapon",
                                             "swapoff",
                                             "init_module",
                                             "finit_module",
                                             "delete_module",
                                             "iopl",
                                             "ioperm",
                                             "clock_settime",
                                             "settimeofday",
                                             "acct",
                                             "syslog",
                                             "lookup_dcookie",
                                             "kcmp",
                                             "memfd_secret" };
        _cleanup_strv_free_ char **l = NULL;

        collect(syscalls_allowed, 0, &l);
        ASSERT_TRUE(strv_length(l) > 300);
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (strv_contains(l, names[i]))
                        TEST_FAIL("%s is allowed", names[i]);
}

/* What Debian's systemd, apt and shells use must be there. */
TEST(needed) {
        static const char *const names[] = { "clone3",
                                             "unshare",
                                             "setns",
                                             "mount",
                                             "move_mount",
                                             "mount_setattr",
                                             "pivot_root",
                                             "chroot",
                                             "personality",
                                             "name_to_handle_at",
                                             "seccomp",
                                             "prctl",
                                             "capset",
                                             "sethostname",
                                             "close_range",
                                             "openat2",
                                             "faccessat2",
                                             "pidfd_open",
                                             "epoll_pwait2",
                                             "fchmodat2",
                                             "rseq",
                                             "getrandom",
                                             "memfd_create",
                                             "statx",
                                             "copy_file_range",
                                             "landlock_restrict_self" };
        _cleanup_strv_free_ char **l = NULL;

        collect(syscalls_allowed, 0, &l);
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (!strv_contains(l, names[i]))
                        TEST_FAIL("%s is not allowed", names[i]);
}

/* A name that nobody knows is a typing error. Names of other architectures are known to libseccomp too. */
TEST(no_word_is_misspelt) {
        _cleanup_strv_free_ char **l = NULL;
        static const char too_new[] = " uretprobe riscv_hwprobe "; /* for libseccomp 2.5.4 */

        collect(syscalls_allowed, 0, &l);
        collect("@privileged @obsolete @debug @cpu-emulation @swap @system-service", 0, &l);
        for (size_t i = 0; i < n_syscall_conditions; i++)
                collect(syscall_conditions[i].words, 0, &l);
        for (size_t i = 0; i < n_syscalls_recent; i++)
                ASSERT_OK(strv_extend(&l, syscalls_recent[i].name));
        STRV_FOREACH(name, l)
                if (!seccomp_word_is_known(*name) && !type_word_in(too_new, *name))
                        TEST_FAIL("libseccomp does not know %s", *name);
}

TEST_MAIN
