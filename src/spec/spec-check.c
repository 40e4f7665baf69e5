/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules between fields, and values that follow from others. Nothing here looks at the system. */
#include <linux/capability.h>
#include <signal.h>

#include "basic/path.h"
#include "basic/strv.h"
#include "spec/spec-draft.h"
#include "sys/caps.h"

/* What systemd-nspawn gives its payloads: what a booted system needs within its own namespaces. Not in it, since it would reach
 * the host: the clock, modules, raw I/O, the kernel's log, BPF, performance counters, mandatory access control, swap. */
static const uint64_t default_capabilities =
        CAP_MASK(CAP_AUDIT_WRITE) | CAP_MASK(CAP_CHOWN) | CAP_MASK(CAP_DAC_OVERRIDE) |
        CAP_MASK(CAP_DAC_READ_SEARCH) | CAP_MASK(CAP_FOWNER) | CAP_MASK(CAP_FSETID) |
        CAP_MASK(CAP_IPC_OWNER) | CAP_MASK(CAP_KILL) | CAP_MASK(CAP_LEASE) |
        CAP_MASK(CAP_LINUX_IMMUTABLE) | CAP_MASK(CAP_MKNOD) | CAP_MASK(CAP_NET_BIND_SERVICE) |
        CAP_MASK(CAP_NET_BROADCAST) | CAP_MASK(CAP_NET_RAW) | CAP_MASK(CAP_SETFCAP) |
        CAP_MASK(CAP_SETGID) | CAP_MASK(CAP_SETPCAP) | CAP_MASK(CAP_SETUID) |
        CAP_MASK(CAP_SYS_ADMIN) | CAP_MASK(CAP_SYS_BOOT) | CAP_MASK(CAP_SYS_CHROOT) |
        CAP_MASK(CAP_SYS_NICE) | CAP_MASK(CAP_SYS_PTRACE) | CAP_MASK(CAP_SYS_RESOURCE) |
        CAP_MASK(CAP_SYS_TTY_CONFIG);

static uint64_t bounding_set(const ContainerSpec *s) {
        uint64_t set = default_capabilities;

        /* Setting a login's audit ID needs it, but only with the host's user IDs does the kernel let it count. */
        if (!spec_has_userns(s))
                set |= CAP_MASK(CAP_AUDIT_CONTROL);
        if (s->network.private_)
                set |= CAP_MASK(CAP_NET_ADMIN);
        else if (spec_has_userns(s))
                set &= ~CAP_MASK(
                        CAP_NET_BIND_SERVICE); /* the host's network is not this namespace's */
        return (set | s->security.capabilities) & ~s->security.drop_capabilities;
}

int spec_check_name(const char *name, Error *reterr) {
        if (container_name_is_valid(name))
                return 0;
        int r = error_set(reterr, -EINVAL, ERROR_INVALID_NAME,
                          "'%.80s' is not a valid container name", strempty(name));
        error_hint(
                reterr,
                "a name has up to 64 letters, digits, '-', '_' and '.', without '-' or '.' at an end");
        return r;
}

static int check_identity(const ContainerSpec *s, Error *reterr) {
        if (!s->name) {
                (void) error_set(reterr, -EINVAL, ERROR_INVALID_NAME, "The container has no name");
                error_hint(reterr, "give one with --machine=");
                return -EINVAL;
        }
        int r = spec_check_name(s->name, reterr);
        if (r < 0)
                return r;
        if (s->hostname && !hostname_is_valid(s->hostname))
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                 "'%s' is not a valid host name", s->hostname);
        return 0;
}

/* What it is made of already says what is kept, and where. */
static int check_mstack(const ContainerSpec *s, Error *reterr) {
        const char *other =
                s->root.image || s->root.directory ? "another root directory or image"
                : spec_root_is_forgotten(s)        ? "--ephemeral or --volatile"
                : s->root.pivot                    ? "--pivot-root"
                : s->root.root_hash || s->root.root_hash_signature || s->root.verity_data
                        ? "--root-hash, --root-hash-sig or --verity-data"
                : s->users.ownership == OWNERSHIP_CHOWN ? "--private-users-ownership=chown"
                                                        : NULL;
        if (!other)
                return 0;
        (void) error_set(reterr, -EINVAL, ERROR_CONFLICT,
                         "The stack of layers '%s' cannot be used together with %s", s->root.mstack,
                         other);
        error_hint(reterr, "leave one of them out");
        return -EINVAL;
}

int spec_check_root(const ContainerSpec *s, Error *reterr) {
        if (s->root.image && s->root.directory) {
                (void) error_set(
                        reterr, -EINVAL, ERROR_CONFLICT,
                        "Container '%s' has the root directory '%s' and the disk image '%s'",
                        s->name, s->root.directory, s->root.image);
                error_hint(reterr, "give one of them");
                return -EINVAL;
        }
        if (s->users.ownership == OWNERSHIP_CHOWN && s->root.image) {
                (void) error_set(
                        reterr, -EINVAL, ERROR_UNSUPPORTED,
                        "The files in the disk image of '%s' cannot be given to a range of ids",
                        s->name);
                error_hint(reterr, "use --private-users-ownership=map");
                return -EINVAL;
        }
        if (s->root.mstack) {
                int r = check_mstack(s, reterr);
                if (r < 0)
                        return r;
        }
        if (s->users.ownership == OWNERSHIP_CHOWN &&
            (s->root.read_only || spec_root_is_forgotten(s))) {
                (void) error_set(reterr, -EINVAL, ERROR_CONFLICT,
                                 "The files of '%s' cannot change their owners and stay as they "
                                 "are (--read-only, --ephemeral, --volatile)",
                                 s->name);
                error_hint(reterr, "use --private-users-ownership=map");
                return -EINVAL;
        }
        if (s->root.fd >= 0 || s->root.image || s->root.mstack)
                return 0;
        if (!s->root.directory) {
                (void) error_set(reterr, -EINVAL, ERROR_ROOT_NOT_FOUND,
                                 "Container '%s' has no root directory", s->name);
                error_hint(reterr, "give one with --directory= or --image=");
                return -EINVAL;
        }
        if (path_equal(s->root.directory, "/") && !s->root.read_only && !s->root.ephemeral &&
            s->root.volatile_ == VOLATILE_NO) {
                (void) error_set(
                        reterr, -EINVAL, ERROR_CONFLICT,
                        "The host's own root directory can be used with --read-only or --ephemeral alone");
                error_hint(reterr, "add one of them");
                return -EINVAL;
        }
        if (s->root.read_only && s->root.volatile_ == VOLATILE_YES) {
                (void) error_set(reterr, -EINVAL, ERROR_CONFLICT,
                                 "A root in memory (--volatile=yes) cannot be read-only as well");
                error_hint(reterr, "leave out --read-only: /usr is read-only in any case");
                return -EINVAL;
        }
        return 0;
}

static int check_working_directory(const ContainerSpec *s, Error *reterr) {
        static const char *const api[] = { "/dev", "/proc", "/run", "/sys" };
        const char *path = s->payload.working_directory;

        for (size_t i = 0; path && i < ELEMENTSOF(api); i++)
                if (path_startswith(path, api[i])) {
                        (void) error_set(
                                reterr, -EINVAL, ERROR_CONFLICT,
                                "Working directory '%s' is below '%s', which every container has of its own",
                                path, api[i]);
                        error_hint(reterr,
                                   "choose a directory of the container's root with --chdir=");
                        return -EINVAL;
                }
        return 0;
}

static int check_payload(const ContainerSpec *s, Error *reterr) {
        if (s->payload.start == START_BOOT && s->payload.user && !streq(s->payload.user, "root") &&
            !streq(s->payload.user, "0")) {
                (void) error_set(reterr, -EINVAL, ERROR_CONFLICT,
                                 "A container that boots starts its init as root, not as user '%s'",
                                 s->payload.user);
                error_hint(reterr, "leave out --boot or --user=");
                return -EINVAL;
        }
        if (s->payload.start != START_BOOT && s->payload.argv && isempty(s->payload.argv[0]))
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                 "The command to run is an empty word");
        return check_working_directory(s, reterr);
}

static int check_health(const ContainerSpec *s, Error *reterr) {
        if (!s->health.gates_ready || s->health.command)
                return 0;
        (void) error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                         "HealthReady= of '%s' waits for a health check, and there is none",
                         s->name);
        error_hint(reterr, "set HealthCommand=");
        return -EINVAL;
}

static int check_security(const ContainerSpec *s, Error *reterr) {
        const char *key = s->security.restrict_families ? "RestrictAddressFamilies"
                          : s->security.suppress_sync   ? "SuppressSync"
                                                        : NULL;
        if (key && !s->security.seccomp) {
                (void) error_set(
                        reterr, -EINVAL, ERROR_CONFLICT,
                        "%s= of '%s' takes a system call filter, and Seccomp=no wants none", key,
                        s->name);
                error_hint(reterr, "leave one of them out");
                return -EINVAL;
        }
        const uint64_t ambient = s->security.ambient,
                       missing = ambient == CAP_ALL_MASK ? 0 : ambient & ~bounding_set(s);
        if (ambient && s->payload.start == START_BOOT) {
                (void) error_set(reterr, -EINVAL, ERROR_CONFLICT,
                                 "AmbientCapability= of '%s' is for programs, and this container "
                                 "boots: its init is root, and has all of the bounding set",
                                 s->name);
                error_hint(reterr, "leave out --boot or --ambient-capability=");
                return -EINVAL;
        }
        if (missing) {
                _cleanup_free_ char *text = caps_format(missing);
                (void) error_set(reterr, -EINVAL, ERROR_CONFLICT,
                                 "AmbientCapability= of '%s' names %s, which the container does "
                                 "not have",
                                 s->name, strempty(text));
                error_hint(reterr, "add it with --capability=, too");
                return -EINVAL;
        }
        return 0;
}

int spec_check(SpecDraft *d, ContainerSpec **ret, Error *reterr) {
        static int (*const checks[])(const ContainerSpec *s, Error *reterr) = {
                check_identity, spec_check_root, check_payload, check_health, check_security,
        };
        ContainerSpec *s = spec_draft_spec(d);

        for (size_t i = 0; i < ELEMENTSOF(checks); i++) {
                int r = checks[i](s, reterr);

                if (r < 0)
                        return r;
        }
        if (s->payload.start == START_BOOT && s->payload.kill_signal == 0)
                s->payload.kill_signal = SIGRTMIN + 3;
        s->security.bounding = bounding_set(s);
        s->security.ambient &= s->security.bounding;
        *ret = spec_draft_take_spec(d);
        return 0;
}
