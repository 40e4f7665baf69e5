/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules between fields, and what follows from them. */
#include <linux/capability.h>
#include <signal.h>

#include "spec-helpers.h"
#include "sys/caps.h"

/* A draft with name and directory and the given "Key", "value" pairs, checked. */
static int check(ContainerSpec **ret, Error *e, const char *const (*pairs)[2], size_t n) {
        _cleanup_draft_ SpecDraft *d = spec_draft_new();

        ASSERT_OK(set(d, "Name", "web", SOURCE_DEFAULT, e));
        ASSERT_OK(set(d, "Directory", "/srv/web", SOURCE_DEFAULT, e));
        for (size_t i = 0; i < n; i++)
                ASSERT_OK(
                        spec_draft_set(d, row(pairs[i][0]), pairs[i][1], SOURCE_COMMAND, NULL, e));
        return spec_check(d, ret, e);
}
#define PAIRS(...)                               \
        (const char *const[][2]){ __VA_ARGS__ }, \
                ELEMENTSOF(((const char *const[][2]){ __VA_ARGS__ }))

static uint64_t bounding(const char *const (*pairs)[2], size_t n) {
        _cleanup_spec_ ContainerSpec *s = NULL;
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_OK(check(&s, &e, pairs, n));
        return s->security.bounding;
}

TEST(kill_signal) {
        _cleanup_spec_ ContainerSpec *a = NULL, *b = NULL, *c = NULL;
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_OK(check(&a, &e, PAIRS({ "Boot", "no" })));
        ASSERT_EQ(a->payload.kill_signal, 0);
        ASSERT_OK(check(&b, &e, PAIRS({ "Boot", "yes" })));
        ASSERT_EQ(b->payload.kill_signal, SIGRTMIN + 3);
        ASSERT_OK(check(&c, &e, PAIRS({ "Boot", "yes" }, { "KillSignal", "TERM" })));
        ASSERT_EQ(c->payload.kill_signal, SIGTERM);
}

TEST(bounding_set) {
        uint64_t plain = bounding(PAIRS({ "Private", "no" }));

        ASSERT_EQ(__builtin_popcountll(plain), 26);
        ASSERT_TRUE(plain & CAP_MASK(CAP_AUDIT_CONTROL));
        ASSERT_FALSE(plain & CAP_MASK(CAP_NET_ADMIN));
        ASSERT_FALSE(plain &
                     (CAP_MASK(CAP_SYS_TIME) | CAP_MASK(CAP_SYS_MODULE) | CAP_MASK(CAP_SYS_RAWIO) |
                      CAP_MASK(CAP_BPF) | CAP_MASK(CAP_SYSLOG) | CAP_MASK(CAP_MAC_ADMIN) |
                      CAP_MASK(CAP_AUDIT_READ) | CAP_MASK(CAP_PERFMON)));

        uint64_t users = bounding(PAIRS({ "PrivateUsers", "pick" }));
        ASSERT_FALSE(users & (CAP_MASK(CAP_AUDIT_CONTROL) | CAP_MASK(CAP_NET_BIND_SERVICE)));
        ASSERT_EQ(__builtin_popcountll(users), 24);

        uint64_t both = bounding(PAIRS({ "PrivateUsers", "pick" }, { "Private", "yes" }));
        ASSERT_TRUE(both & CAP_MASK(CAP_NET_ADMIN));
        ASSERT_TRUE(both & CAP_MASK(CAP_NET_BIND_SERVICE));

        uint64_t changed = bounding(PAIRS({ "Capability", "CAP_SYS_TIME CAP_MKNOD" },
                                          { "DropCapability", "CAP_MKNOD CAP_CHOWN" }));
        ASSERT_EQ(changed,
                  (plain | CAP_MASK(CAP_SYS_TIME)) & ~(CAP_MASK(CAP_MKNOD) | CAP_MASK(CAP_CHOWN)));
        ASSERT_EQ(bounding(PAIRS({ "Capability", "all" })), CAP_ALL_MASK);
        ASSERT_EQ(bounding(PAIRS({ "DropCapability", "all" })), 0);
}

typedef struct BadCase {
        const char *key, *value, *key2, *value2;
        ErrorId id;
        const char *message;
} BadCase;

TEST(refused) {
        static const BadCase cases[] = {
                { "Name", "", NULL, NULL, ERROR_INVALID_NAME, "The container has no name" },
                { "Directory", "", NULL, NULL, ERROR_ROOT_NOT_FOUND,
                  "Container 'web' has no root directory" },
                { "Directory", "//", NULL, NULL, ERROR_CONFLICT,
                  "The host's own root directory can be used with --read-only or --ephemeral alone" },
                { "Boot", "yes", "User", "bob", ERROR_CONFLICT,
                  "A container that boots starts its init as root, not as user 'bob'" },
                { "WorkingDirectory", "/proc", NULL, NULL, ERROR_CONFLICT,
                  "Working directory '/proc' is below '/proc', which every container has of its own" },
                { "WorkingDirectory", "/run/x", NULL, NULL, ERROR_CONFLICT,
                  "Working directory '/run/x' is below '/run', which every container has of its own" },
                { "Parameters", "\"\"", NULL, NULL, ERROR_INVALID_SETTING,
                  "The command to run is an empty word" },
                { "PrivateUsersOwnership", "chown", "ReadOnly", "yes", ERROR_CONFLICT,
                  "The files of 'web' cannot change their owners and stay as they are (--read-only, "
                  "--ephemeral, --volatile)" },
                { "PrivateUsersChown", "yes", "Volatile", "state", ERROR_CONFLICT,
                  "The files of 'web' cannot change their owners and stay as they are (--read-only, "
                  "--ephemeral, --volatile)" },
                { "RestrictAddressFamilies", "AF_UNIX", "Seccomp", "no", ERROR_CONFLICT,
                  "RestrictAddressFamilies= of 'web' takes a system call filter, and Seccomp=no "
                  "wants none" },
                { "SuppressSync", "yes", "Seccomp", "no", ERROR_CONFLICT,
                  "SuppressSync= of 'web' takes a system call filter, and Seccomp=no wants none" },
                { "AmbientCapability", "CAP_KILL", "Boot", "yes", ERROR_CONFLICT,
                  "AmbientCapability= of 'web' is for programs, and this container boots: its init "
                  "is root, and has all of the bounding set" },
                { "AmbientCapability", "CAP_KILL CAP_SYS_MODULE", NULL, NULL, ERROR_CONFLICT,
                  "AmbientCapability= of 'web' names CAP_SYS_MODULE, which the container does not "
                  "have" },
                { "AmbientCapability", "CAP_KILL", "DropCapability", "CAP_KILL", ERROR_CONFLICT,
                  "AmbientCapability= of 'web' names CAP_KILL, which the container does not have" },
                { "MountStack", "/srv/web.mstack", NULL, NULL, ERROR_CONFLICT,
                  "The stack of layers '/srv/web.mstack' cannot be used together with another root "
                  "directory or image" },
                { "Ephemeral", "yes", "PrivateUsersOwnership", "chown", ERROR_CONFLICT,
                  "The files of 'web' cannot change their owners and stay as they are (--read-only, "
                  "--ephemeral, --volatile)" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const BadCase *c = cases + i;
                const char *const pairs[][2] = { { c->key, c->value }, { c->key2, c->value2 } };
                _cleanup_spec_ ContainerSpec *s = NULL;
                _cleanup_error_ Error e = ERROR_NULL;

                ASSERT_ERROR(check(&s, &e, pairs, c->key2 ? 2 : 1), EINVAL);
                ASSERT_STREQ(e.message, c->message);
                ASSERT_EQ(e.id, c->id);
                ASSERT_NULL(s);
        }
}

TEST(allowed) {
        static const char *const cases[][2][2] = {
                { { "Directory", "/" }, { "ReadOnly", "yes" } },
                { { "RootDescriptor", "6" }, { "Directory", "" } },
                { { "Boot", "yes" }, { "User", "root" } },
                { { "AmbientCapability", "all" }, { "User", "bob" } },
                { { "AmbientCapability", "CAP_SYS_MODULE" }, { "Capability", "CAP_SYS_MODULE" } },
                { { "Boot", "yes" }, { "User", "0" } },
                { { "WorkingDirectory", "/runner" }, { "Boot", "no" } },
                { { "PrivateUsersOwnership", "map" }, { "PrivateUsers", "no" } },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_spec_ ContainerSpec *s = NULL;
                _cleanup_error_ Error e = ERROR_NULL;

                ASSERT_OK(check(&s, &e, cases[i], 2));
        }
}

TEST(hints) {
        _cleanup_spec_ ContainerSpec *s = NULL;
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_ERROR(check(&s, &e, PAIRS({ "Name", "" })), EINVAL);
        ASSERT_STREQ(e.hint, "give one with --machine=");
}

TEST_MAIN
