/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ContainerSpec: what a container is, fully resolved.
 *
 * Plain data: no descriptors, no callbacks, no "was set" flags beside values. One front end builds it through the field table
 * (spec-fields.h), spec_check() completes and verifies it, and from there on it is const. Nothing below spec/ ever asks
 * where a value came from. Its text form (spec-text.h) is a settings file: what `berth verify` shows, and what the supervisor
 * reads from its descriptor 3. */
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include "basic/error.h"
#include "basic/id.h"
#include "basic/macros.h"
#include "basic/strtable.h"
#include "basic/time.h"

#define SPEC_MOUNTS_MAX 512U     /* Bind=, TemporaryFileSystem=, … of one container */
#define SPEC_LAYERS_MAX 500U     /* directories of one Overlay=: as many as overlayfs takes */
#define SPEC_TEXT_MAX (1U << 20) /* bytes of a settings file or a spec in text form */
#define SPEC_ARGV_MAX 4096U      /* words of a command, and of its environment */
#define SPEC_PROPERTIES_MAX 256U /* unit properties */
#define SPEC_FILTER_MAX 1024U    /* words of SystemCallFilter= */
#define SPEC_DROP_INS_MAX 256U   /* of one container */
#define SPEC_PROFILES_MAX 8U     /* deep */
#define SPEC_STOP_TIMEOUT_USEC (90 * USEC_PER_SEC)
#define SPEC_COMMAND_MAX 16384U     /* bytes of one command line, */
#define SPEC_COMMAND_WORDS_MAX 256U /* and its words */
#define SPEC_COUNT_MAX 1000U
#define SPEC_HOOKS_MAX 32U /* commands of one hook */
#define SPEC_HOOK_TIMEOUT_USEC (90 * USEC_PER_SEC)
#define SPEC_PERIOD_MAX_USEC (365 * USEC_PER_DAY)
#define SPEC_DEPENDENCIES_MAX 256U /* units in one of After=, Before=, Requires=, Wants= */
#define SPEC_START_DELAY_MAX_USEC (10 * USEC_PER_MINUTE)
#define SPEC_HEALTH_INTERVAL_USEC (30 * USEC_PER_SEC)
#define SPEC_HEALTH_TIMEOUT_USEC (30 * USEC_PER_SEC)
#define SPEC_HEALTH_RETRIES 3U
#define SPEC_IDS_MAX 65536U /* ids in a user namespace unless told otherwise */

typedef enum StartMode {
        START_COMMAND, /* argv is PID 1; empty: the user's login shell */
        START_PID2,    /* a stub init is PID 1, argv is PID 2 */
        START_BOOT,    /* the container's init is PID 1, argv are its arguments */
        _START_MODE_MAX,
        _START_MODE_INVALID = -EINVAL,
} StartMode;

typedef enum UsernsMode {
        USERNS_NO,       /* the host's users */
        USERNS_YES,      /* range that the owner of the root directory begins (65536 ids) */
        USERNS_PICK,     /* a free range, chosen at start */
        USERNS_IDENTITY, /* 0…65535 onto themselves */
        USERNS_RANGE,    /* users.base and users.count as given */
        _USERNS_MODE_MAX,
        _USERNS_MODE_INVALID = -EINVAL,
} UsernsMode;

typedef enum OwnershipMode { /* how files get the container's ids */
        OWNERSHIP_AUTO,      /* idmapped root; where the file system cannot, as with chown */
        OWNERSHIP_OFF,       /* as they are */
        OWNERSHIP_MAP,       /* idmapped root */
        OWNERSHIP_CHOWN,     /* changed on disk, once; 64K ids */
        _OWNERSHIP_MODE_MAX,
        _OWNERSHIP_MODE_INVALID = -EINVAL,
} OwnershipMode;

typedef enum ConsoleMode {
        CONSOLE_AUTO, /* resolved by the front end: interactive on a terminal, else read-only (boot) or pipe */
        CONSOLE_INTERACTIVE, /* a pty, forwarded both ways */
        CONSOLE_READ_ONLY,   /* a pty, output only */
        CONSOLE_PASSIVE,     /* a pty that nobody reads or writes here */
        CONSOLE_PIPE,        /* stdin, stdout and stderr as they are */
        _CONSOLE_MODE_MAX,
        _CONSOLE_MODE_INVALID = -EINVAL,
} ConsoleMode;

typedef enum CopyMode { /* resolv.conf and time zone */
        COPY_AUTO,
        COPY_OFF,
        COPY_COPY,
        COPY_BIND,
        COPY_DELETE,
        COPY_SYMLINK /* time zone only */,
        _COPY_MODE_MAX,
        _COPY_MODE_INVALID = -EINVAL,
} CopyMode;

typedef enum MountKind {
        MOUNT_BIND,         /* source (host path) on target */
        MOUNT_TMPFS,        /* options: mount(8) words for tmpfs, canonical */
        MOUNT_INACCESSIBLE, /* a node nobody can open over target */
        MOUNT_OVERLAY,      /* directories on top of each other, seen as one */
        _MOUNT_KIND_MAX,
        _MOUNT_KIND_INVALID = -EINVAL,
} MountKind;

typedef enum VolatileMode { /* what of the root directory is there, and kept */
        VOLATILE_NO,
        VOLATILE_YES,     /* /usr alone, read-only, in a root in memory */
        VOLATILE_STATE,   /* all, read-only, with a /var in memory */
        VOLATILE_OVERLAY, /* all; changes go to a layer in memory */
        _VOLATILE_MODE_MAX,
        _VOLATILE_MODE_INVALID = -EINVAL,
} VolatileMode;

typedef enum BindIdmap {
        BIND_NOIDMAP,
        BIND_IDMAP,
        BIND_ROOTIDMAP,
        BIND_OWNERIDMAP,
        _BIND_IDMAP_MAX,
        _BIND_IDMAP_INVALID = -EINVAL
} BindIdmap;

typedef struct SpecMount {
        MountKind kind;
        char *source; /* MOUNT_BIND: absolute, normalised host path; with from_container a path inside; NULL: a temporary directory */
        char *target; /* absolute, normalised, inside the container */
        char *options; /* MOUNT_TMPFS: "mode=0755,size=…" or NULL */
        /* MOUNT_OVERLAY: at least two, from the lowest to the one that takes the changes (read-only: that is on top). Absolute, normalised host
         * paths; with "+" in front paths inside; an empty last one: in memory */
        char **layers;
        bool read_only;
        bool optional;       /* a missing source is skipped ("-" prefix) */
        bool from_container; /* "+" prefix: source is inside the container */
        bool norecursive;    /* option norbind */
        BindIdmap idmap;
} SpecMount;

typedef enum HealthAction { /* when a container has become unhealthy */
        HEALTH_ACTION_NONE,
        HEALTH_ACTION_RESTART,
        HEALTH_ACTION_STOP,
        HEALTH_ACTION_KILL,
        _HEALTH_ACTION_MAX,
        _HEALTH_ACTION_INVALID = -EINVAL,
} HealthAction;

typedef enum HookType { /* when commands of the host are run for a container */
        HOOK_PRE_START,
        HOOK_POST_START,
        HOOK_PRE_STOP,
        HOOK_POST_STOP,
        _HOOK_TYPE_MAX,
        _HOOK_TYPE_INVALID = -EINVAL,
} HookType;

typedef enum DependencyType { /* between berth@NAME.service and other units, as in systemd.unit(5) */
        DEPENDENCY_AFTER,
        DEPENDENCY_BEFORE,
        DEPENDENCY_REQUIRES,
        DEPENDENCY_WANTS,
        _DEPENDENCY_TYPE_MAX,
        _DEPENDENCY_TYPE_INVALID = -EINVAL,
} DependencyType;

typedef struct SpecLimit { /* soft == hard == RLIM_INFINITY - 1 … see set */
        bool set;          /* unset: the kernel's own default for PID 1 */
        rlim_t soft, hard;
} SpecLimit;

/* Where the payload's cgroup comes from; chosen by the front end, not a user's setting. */
typedef enum CgroupMode {
        CGROUP_NONE, /* stay in the caller's cgroup */
        CGROUP_OWN,  /* the supervisor makes and removes one beside the caller's */
        CGROUP_UNIT, /* the caller's cgroup is a delegated unit: payload/ in it, and for a booted payload supervisor/ */
        CGROUP_WAIT, /* GO on descriptor 4 brings a descriptor of a delegated cgroup; payload/ is made in it */
        _CGROUP_MODE_MAX,
        _CGROUP_MODE_INVALID = -EINVAL,
} CgroupMode;

typedef struct ContainerSpec {
        char *name;        /* container_name_is_valid() */
        Id128 id;          /* machine ID; null: the image's, or one made of name and host */
        char *hostname;    /* NULL: the name */
        char *description; /* of the scope; NULL: "Container NAME" */
        struct {
                char *directory; /* absolute, simplified host path of the root directory (may have symlinks) */
                char *image; /* likewise, of a disk image or block device that the root is on; then directory is NULL */
                char *mstack; /* likewise, of a stack of layers (rootfs/mstack.h); then the two above are NULL */
                char *image_policy; /* which partitions it may have (image/disk.h); NULL: those of containers */
                char *root_hash; /* of dm-verity, of an image: hexadecimal; NULL: from files beside the image */
                char *root_hash_signature, *verity_data; /* absolute host paths; NULL: likewise */
                char *image_key_file; /* absolute host path; of an image that is encrypted (LUKS); NULL: a credential has it, or somebody is asked */
                bool read_only;
                bool ephemeral; /* changes go to a layer in memory that ends with the container */
                VolatileMode volatile_;
                char *pivot; /* absolute, normalised, in the directory: becomes the root in its place; NULL: it stays */
                char *pivot_old; /* where the directory itself is seen then; NULL: nowhere */
                int fd; /* the supervisor's descriptor of the root directory if a client handed one in, or of the image's mounts; else -EBADF */
                int lock_fd; /* and of the image's lock */
        } root;
        struct {
                StartMode start;
                char **argv;             /* NULL or not empty */
                char **environment;      /* NAME=VALUE, in the order given */
                char *user;              /* name or number inside the container; NULL: root */
                char *working_directory; /* absolute; NULL: "/" or the user's home with a login shell */
                int kill_signal;   /* sent first at stop; 0: SIGRTMIN+3 for START_BOOT, else none */
                bool notify_ready; /* READY=1 only when the payload says so */
                bool has_oom_score_adjust;
                int oom_score_adjust;
                char *cpu_affinity;             /* canonical list "0-3 5"; NULL: all */
                SpecLimit limits[RLIM_NLIMITS]; /* by RLIMIT_* */
                usec_t watchdog_usec; /* the payload says WATCHDOG=1 at least that often; 0 or USEC_INFINITY: need not */
                usec_t stop_timeout_usec; /* from the kill signal to SIGKILL; default 90 s; USEC_INFINITY: never by itself */
        } payload;
        struct {
                UsernsMode mode;
                uint32_t base, count; /* USERNS_RANGE, and after the supervisor chose one */
                OwnershipMode ownership;
        } users;
        struct {
                uint64_t capabilities;      /* added to the default set */
                uint64_t drop_capabilities; /* removed from it */
                uint64_t bounding;          /* the result, computed by spec_check() */
                bool no_new_privileges;
                uint64_t ambient;          /* kept by a payload that is not root */
                char **system_call_filter; /* words as given: names, @groups, ~ in front removes */
                bool restrict_families;    /* sockets are those of families alone */
                uint64_t families; /* a bit each, by AF_*; FAMILIES_OTHERS: all that have no name */
                bool suppress_sync; /* fsync(2) and the like do nothing, and succeed */
                bool seccomp; /* default on; off: Seccomp=no, --seccomp=no, $SYSTEMD_SECCOMP=0 */
        } security;
        struct {
                bool private_;
        } network;
        struct {
                bool monotonic_set, boottime_set; /* any: a time namespace */
                int64_t monotonic_nsec, boottime_nsec;
                bool namespace_; /* TimeNamespace=: one without offsets */
        } time;
        struct {
                char *slice; /* NULL: machine.slice */
                char **properties; /* unit properties NAME=VALUE, for the scope or unit (MemoryMax=… are stored here too);
                                      * sorted by name; one entry a name but for lists like DeviceAllow */
                CgroupMode cgroup;
        } resources;
        struct {
                ConsoleMode mode;
                bool quiet; /* no "started"/"exited" lines */
        } console;
        struct {
                CopyMode resolv_conf;
                CopyMode timezone;
        } files;
        struct {
                char *command; /* run inside, as `berth exec` does: quoted words; NULL: none */
                usec_t interval_usec, timeout_usec; /* from one end to the next begin; of one run */
                usec_t start_period_usec; /* from the start, in which failures do not count */
                uint32_t retries;         /* failures in a row that make it unhealthy */
                HealthAction action;
                bool gates_ready; /* ready only after the first success */
        } health;
        /* Command lines for the host, quoted words with an absolute program; with "-" in front failure does not matter. */
        char **hooks[_HOOK_TYPE_MAX];
        usec_t hook_timeout_usec; /* of all commands of one hook */
        /* Only of a container with a service of its own; names of containers, or of units with their suffix. */
        char **dependencies[_DEPENDENCY_TYPE_MAX];
        usec_t start_delay_usec; /* from the unit's start to the container's */
        SpecMount *mounts;       /* in the order given */
        size_t n_mounts;
} ContainerSpec;

DECLARE_STRING_TABLE_LOOKUP(start_mode, StartMode);
DECLARE_STRING_TABLE_LOOKUP(userns_mode, UsernsMode);
DECLARE_STRING_TABLE_LOOKUP(ownership_mode, OwnershipMode);
DECLARE_STRING_TABLE_LOOKUP(console_mode, ConsoleMode);
DECLARE_STRING_TABLE_LOOKUP(volatile_mode, VolatileMode);
DECLARE_STRING_TABLE_LOOKUP(copy_mode, CopyMode);
DECLARE_STRING_TABLE_LOOKUP(cgroup_mode, CgroupMode);
DECLARE_STRING_TABLE_LOOKUP(health_action, HealthAction);
DECLARE_STRING_TABLE_LOOKUP(hook_type, HookType);             /* the names of the settings */
DECLARE_STRING_TABLE_LOOKUP(dependency_type, DependencyType); /* likewise, and of unit files' */

/* A spec with all defaults; NULL when out of memory. */
ContainerSpec *spec_new(void);
ContainerSpec *spec_free(ContainerSpec *s);
DEFINE_TRIVIAL_CLEANUP_FUNC(ContainerSpec *, spec_free)
#define _cleanup_spec_ _cleanup_(spec_freep)
void spec_mount_done(SpecMount *m);

/* container_name_is_valid(), with an Error that says what a name is. */
int spec_check_name(const char *name, Error *reterr);
/* What spec_check() says of root, for those who find out later what the root is: ERROR_CONFLICT and others. */
int spec_check_root(const ContainerSpec *s, Error *reterr);

/* Where the root is, for sentences and lists: the directory, image or stack; NULL: not known yet. */
static inline const char *spec_root_path(const ContainerSpec *s) {
        return s->root.image ?: s->root.mstack ?: s->root.directory;
}

/* The payload's host name. */
static inline const char *spec_hostname(const ContainerSpec *s) {
        return s->hostname ?: s->name;
}
/* Changes to the root, if there can be any, go to memory: the directory or image stays as it is, whatever ReadOnly= says of the root. */
static inline bool spec_root_is_forgotten(const ContainerSpec *s) {
        return s->root.ephemeral || s->root.volatile_ != VOLATILE_NO;
}
/* The key of a setting that only disk images can have, and that is set; NULL: none. */
static inline const char *spec_setting_of_images(const ContainerSpec *s) {
        return s->root.image_policy          ? "ImagePolicy"
               : s->root.root_hash           ? "RootHash"
               : s->root.root_hash_signature ? "RootHashSignature"
               : s->root.verity_data         ? "VerityData"
               : s->root.image_key_file      ? "ImageKeyFile"
                                             : NULL;
}
/* The payload finds its /etc read-only. */
static inline bool spec_root_is_read_only(const ContainerSpec *s) {
        return s->root.read_only || s->root.volatile_ == VOLATILE_STATE;
}
bool spec_has_userns(const ContainerSpec *s);
bool spec_has_time_namespace(const ContainerSpec *s);
