/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* THE table: one row per setting, in the order of the canonical text. Rows of a section stand together. */
#include "spec/spec-fields.h"

#include "spec/spec-types.h"

#define AT(member) offsetof(ContainerSpec, member)
#define VALUE(v) ((const void *) (uintptr_t) (v))
#define LIMIT(name, text)                                                                       \
        {                                                                                       \
                "Exec", "Limit" #name, NULL, 0, text, &field_limit,                             \
                        AT(payload.limits[RLIMIT_##name]), TRUSTED, NULL, VALUE(RLIMIT_##name), \
                        NULL, NULL                                                              \
        }
#define PROPERTY(key, option, argument, type, data, help)                                        \
        {                                                                                        \
                "Resources", key, option, 0, argument, &type, AT(resources.properties), TRUSTED, \
                        NULL, data, RESOURCES, help                                              \
        }

/* clang-format off */
enum {
        TRUSTED     = FIELD_TRUSTED,
        LIST        = FIELD_LIST,
        INTERNAL    = FIELD_INTERNAL,
        NO_ARG      = FIELD_NO_ARG,
        HIDDEN      = FIELD_HIDDEN,
        WORDS       = FIELD_WORDS,
        SPECIFIERS  = FIELD_SPECIFIERS,
        SERVICE_LIST = FIELD_LIST | FIELD_WORDS | FIELD_TRUSTED | FIELD_SPECIFIERS | FIELD_SERVICE,
};

#define IMAGE       "Root directory"
#define EXECUTION   "Execution"
#define IDENTITY    "Identity"
#define USERS       "User namespace"
#define NETWORKING  "Network"
#define SECURITY    "Security"
#define RESOURCES   "Resources"
#define TIME        "Time"
#define MOUNTS      "Mounts and files"
#define CONSOLE     "Console"
#define LIFECYCLE   "Lifecycle"

static const usec_t default_stop_timeout = SPEC_STOP_TIMEOUT_USEC,
                    default_health_interval = SPEC_HEALTH_INTERVAL_USEC,
                    default_health_timeout = SPEC_HEALTH_TIMEOUT_USEC, default_hook_timeout = SPEC_HOOK_TIMEOUT_USEC, no_time = 0;

const SpecField spec_fields[] = {
        /* section     key                      option               letter argument       type                 offset                          flags                    value   data                 group       help */
        { "Container", "Name",                  "machine",              'M', "NAME",         &field_name,         AT(name),                       FIELD_COMMAND,           NULL,   NULL,                IDENTITY,   "Name of the container" },
        { "Container", "Description",           "description",          0,   "TEXT",         &field_text,         AT(description),                SPECIFIERS,              NULL,   NULL,                IDENTITY,   "Description of the scope" },
        { "Container", "Directory",             "directory",            'D', "PATH",         &field_directory,    AT(root.directory),             TRUSTED | SPECIFIERS,    NULL,   NULL,                IMAGE,      "Root directory of the container" },
        { "Container", "Image",                 "image",                'i', "PATH",         &field_directory,    AT(root.image),                 TRUSTED | SPECIFIERS,    NULL,   NULL,                IMAGE,      "Disk image or block device to start from" },
        { "Container", "MountStack",            "mstack",               0,   "PATH",         &field_directory,    AT(root.mstack),                TRUSTED | SPECIFIERS,    NULL,   NULL,                IMAGE,      "Stack of layers to start from" },
        { "Container", "ImagePolicy",           "image-policy",         0,   "POLICY",       &field_text,         AT(root.image_policy),          TRUSTED,                 NULL,   NULL,                IMAGE,      "Partitions that it must, may or must not have" },
        { "Container", "RootHash",              "root-hash",            0,   "HASH",         &field_root_hash,    AT(root.root_hash),             TRUSTED,                 NULL,   NULL,                IMAGE,      "Root hash of the image's dm-verity" },
        { "Container", "RootHashSignature",     "root-hash-sig",        0,   "PATH",         &field_directory,    AT(root.root_hash_signature),   TRUSTED | SPECIFIERS,    NULL,   NULL,                IMAGE,      "Signature of the root hash (PKCS#7)" },
        { "Container", "VerityData",            "verity-data",          0,   "PATH",         &field_directory,    AT(root.verity_data),           TRUSTED | SPECIFIERS,    NULL,   NULL,                IMAGE,      "Hash tree, if it is not on the image" },
        { "Container", "ImageKeyFile",          "image-key-file",       0,   "PATH",         &field_directory,    AT(root.image_key_file),        TRUSTED | SPECIFIERS,    NULL,   NULL,                IMAGE,      "File with the key of an encrypted image (LUKS)" },
        { "Container", "Profile",               "profile",              0,   "NAME",         &field_profile,      AT(name),                       LIST | WORDS | TRUSTED | SPECIFIERS | FIELD_PROFILE, NULL, NULL,     EXECUTION,  "Read the settings of this profile, too" },

        { "Exec",      "Boot",                  "boot",                 'b', NULL,           &field_start,        AT(payload.start),              NO_ARG,                  "yes",  VALUE(START_BOOT),   EXECUTION,  "Boot the container's init" },
        { "Exec",      "ProcessTwo",            "as-pid2",              'a', NULL,           &field_start,        AT(payload.start),              NO_ARG,                  "yes",  VALUE(START_PID2),   EXECUTION,  "A stub init is PID 1, the command is PID 2" },
        { "Exec",      "Parameters",            NULL,                   0,   "WORDS",        &field_words,        AT(payload.argv),               LIST | WORDS | SPECIFIERS, NULL,   NULL,                NULL,       NULL },
        { "Exec",      "Environment",           "setenv",               'E', "NAME[=VALUE]", &field_environment,  AT(payload.environment),        LIST | WORDS | SPECIFIERS, NULL,   NULL,                EXECUTION,  "Environment variable; alone: the caller's value" },
        { "Exec",      "User",                  "user",                 'u', "USER",         &field_user,         AT(payload.user),               SPECIFIERS,              NULL,   NULL,                EXECUTION,  "Run as this user of the container" },
        { NULL,        NULL,                    "uid",                  0,   "USER",         &field_user,         AT(payload.user),               HIDDEN,                  NULL,   NULL,                EXECUTION,  "Same as --user=" },
        { "Exec",      "WorkingDirectory",      "chdir",                0,   "PATH",         &field_inner_path,   AT(payload.working_directory),  SPECIFIERS,              NULL,   NULL,                EXECUTION,  "Working directory in the container" },
        { "Exec",      "Console",               "console",              0,   "MODE",         &field_enum,         AT(console.mode),               TRUSTED,                 NULL,   &console_mode_names, CONSOLE,    "auto, interactive, read-only, passive or pipe" },
        { NULL,        NULL,                    "pipe",                 'P', NULL,           &field_enum,         AT(console.mode),               NO_ARG,                  "pipe", &console_mode_names, CONSOLE,    "Same as --console=pipe" },
        { "Exec",      "KillSignal",            "kill-signal",          0,   "SIGNAL",       &field_signal,       AT(payload.kill_signal),        0,                       NULL,   NULL,                EXECUTION,  "Signal that asks the payload to end" },
        { "Exec",      "StopTimeoutSec",        "stop-timeout",         0,   "TIME",         &field_usec,         AT(payload.stop_timeout_usec),  TRUSTED,                 NULL,   &default_stop_timeout, EXECUTION, "From that signal to SIGKILL (90s)" },
        { "Exec",      "NotifyReady",           "notify-ready",         0,   "BOOL",         &field_bool,         AT(payload.notify_ready),       0,                       NULL,   NULL,                EXECUTION,  "Ready only when the payload says so" },
        { "Exec",      "WatchdogSec",           "watchdog",             0,   "TIME",         &field_usec,         AT(payload.watchdog_usec),      0,                       NULL,   &no_time,            EXECUTION,  "How often the payload has to say that it is well" },
        { "Exec",      "MachineID",             "uuid",                 0,   "UUID",         &field_id,           AT(id),                         TRUSTED | SPECIFIERS,    NULL,   NULL,                IDENTITY,   "Machine ID of the container" },
        { "Exec",      "Hostname",              "hostname",             0,   "NAME",         &field_hostname,     AT(hostname),                   SPECIFIERS,              NULL,   NULL,                IDENTITY,   "Host name, if it is not the container's name" },
        { "Exec",      "PrivateUsers",          "private-users",        0,   "RANGE",        &field_private_users, AT(users),                     TRUSTED | FIELD_OPTIONAL_ARG, "yes", NULL,            USERS,      "no, yes, pick, identity or UID[:COUNT]" },
        { NULL,        NULL,                    NULL,                   'U', NULL,           &field_private_users, AT(users),                     NO_ARG,                  "pick", NULL,                USERS,      "Same as --private-users=pick" },
        { "Exec",      "Capability",            "capability",           0,   "CAP[,CAP]",         &field_caps,         AT(security.capabilities),      LIST | TRUSTED,          NULL,   NULL,                SECURITY,   "Add capabilities to the default ones, or all" },
        { "Exec",      "DropCapability",        "drop-capability",      0,   "CAP[,CAP]",         &field_caps,         AT(security.drop_capabilities), LIST,                    NULL,   NULL,                SECURITY,   "Remove capabilities" },
        { "Exec",      "AmbientCapability",     "ambient-capability",   0,   "CAP[,CAP]",         &field_caps,         AT(security.ambient),           LIST | TRUSTED,          NULL,   NULL,                SECURITY,   "Capabilities of a payload that is not root" },
        { "Exec",      "NoNewPrivileges",       "no-new-privileges",    0,   "BOOL",         &field_bool,         AT(security.no_new_privileges), 0,                       NULL,   NULL,                SECURITY,   "No privileges through set-user-ID programs" },
        { "Exec",      "SystemCallFilter",      "system-call-filter",   0,   "[~]NAME",     &field_filter,       AT(security.system_call_filter), LIST | FIELD_TRUSTED_ADD, NULL, NULL,                SECURITY,   "Allow (~: refuse) system calls and @groups" },
        { "Exec",      "RestrictAddressFamilies", "restrict-address-families", 0, "[~]AF_…",     &field_families,     AT(security.restrict_families), LIST,                    NULL,   NULL,                SECURITY,   "Sockets of these (~: no) address families" },
        { "Exec",      "SuppressSync",          "suppress-sync",        0,   "BOOL",         &field_bool,         AT(security.suppress_sync),     0,                       NULL,   NULL,                SECURITY,   "fsync(2) and the like do nothing" },
        { "Exec",      "OOMScoreAdjust",        "oom-score-adjust",     0,   "INT",          &field_oom,          AT(payload.has_oom_score_adjust), TRUSTED,               NULL,   NULL,                RESOURCES,  "OOM score, from -1000 to 1000" },
        { "Exec",      "CPUAffinity",           "cpu-affinity",         0,   "CPUS",         &field_cpus,         AT(payload.cpu_affinity),       TRUSTED,                 NULL,   NULL,                RESOURCES,  "CPUs to run on, like 0-3,5" },
        { NULL,        NULL,                    "rlimit",               0,   "NAME=LIMIT",   &field_limit_any,    AT(payload.limits),             TRUSTED,                 NULL,   NULL,                RESOURCES,  "Limit of setrlimit(2), like NOFILE=1024:4096" },
        LIMIT(CPU,        "TIME"),
        LIMIT(FSIZE,      "SIZE"),
        LIMIT(DATA,       "SIZE"),
        LIMIT(STACK,      "SIZE"),
        LIMIT(CORE,       "SIZE"),
        LIMIT(RSS,        "SIZE"),
        LIMIT(NOFILE,     "NUMBER"),
        LIMIT(AS,         "SIZE"),
        LIMIT(NPROC,      "NUMBER"),
        LIMIT(MEMLOCK,    "SIZE"),
        LIMIT(LOCKS,      "NUMBER"),
        LIMIT(SIGPENDING, "NUMBER"),
        LIMIT(MSGQUEUE,   "SIZE"),
        LIMIT(NICE,       "NICE"),
        LIMIT(RTPRIO,     "NUMBER"),
        LIMIT(RTTIME,     "TIME"),
        { "Exec",      "Timezone",              "timezone",             0,   "MODE",         &field_timezone,     AT(files.timezone),             0,                       NULL,   NULL,                MOUNTS,     "auto, off, copy, bind, symlink or delete" },
        { "Exec",      "ResolvConf",            "resolv-conf",          0,   "MODE",         &field_resolv_conf,  AT(files.resolv_conf),          0,                       NULL,   NULL,                MOUNTS,     "auto, off, copy-host, bind-host or delete" },
        { "Exec",      "TimeNamespace",         "time-namespace",       0,   "BOOL",         &field_bool,         AT(time.namespace_),            0,                       NULL,   NULL,                TIME,       "A time namespace of its own" },
        { "Exec",      "TimeOffsetMonotonic",   "time-offset-monotonic", 0,  "TIME",         &field_offset,       AT(time.monotonic_set),         0,                       NULL,   VALUE(AT(time.monotonic_nsec)), TIME, "Offset of the monotonic clock, like -2h" },
        { "Exec",      "TimeOffsetBoottime",    "time-offset-boottime", 0,   "TIME",         &field_offset,       AT(time.boottime_set),          0,                       NULL,   VALUE(AT(time.boottime_nsec)), TIME, "Offset of the time since boot" },

        { "Exec",      "Ephemeral",             "ephemeral",            'x', NULL,           &field_bool,         AT(root.ephemeral),             NO_ARG | TRUSTED,        "yes",  NULL,                IMAGE,      "Forget all changes when it ends" },
        { "Exec",      "PivotRoot",             "pivot-root",           0,   "NEW[:OLD]",    &field_pivot,        AT(root.pivot),                 0,                       NULL,   NULL,                IMAGE,      "A directory of it becomes the root" },
        { "Files",     "ReadOnly",              "read-only",            0,   NULL,           &field_bool,         AT(root.read_only),             NO_ARG,                  "yes",  NULL,                IMAGE,      "Mount the root directory read-only" },
        { "Files",     "Volatile",              "volatile",             0,   "MODE",         &field_volatile,     AT(root.volatile_),             FIELD_OPTIONAL_ARG,      "yes",  NULL,                IMAGE,      "What is not kept: yes, state or overlay" },
        { "Files",     "Bind",                  "bind",                 0,   "SRC[:DST[:OPT]]", &field_bind,      AT(mounts),                     LIST | TRUSTED | SPECIFIERS, NULL,   NULL,                MOUNTS,     "Bind a file or directory of the host" },
        { "Files",     "BindReadOnly",          "bind-ro",              0,   "SRC[:DST[:OPT]]", &field_bind_read_only, AT(mounts),                LIST | TRUSTED | SPECIFIERS, NULL,   NULL,                MOUNTS,     "The same, read-only" },
        { "Files",     "TemporaryFileSystem",   "tmpfs",                0,   "PATH[:OPTIONS]", &field_tmpfs,      AT(mounts),                     LIST | TRUSTED,          NULL,   NULL,                MOUNTS,     "Mount an empty tmpfs" },
        { "Files",     "Inaccessible",          "inaccessible",         0,   "PATH",         &field_inaccessible, AT(mounts),                     LIST | TRUSTED | SPECIFIERS, NULL,   NULL,                MOUNTS,     "Hide a file or directory" },
        { "Files",     "Overlay",               "overlay",              0,   "LAYER:…:DST",  &field_overlay,      AT(mounts),                     LIST | TRUSTED | SPECIFIERS, NULL,   NULL,                MOUNTS,     "Lay directories over each other; the last changes" },
        { "Files",     "OverlayReadOnly",       "overlay-ro",           0,   "LAYER:…:DST",  &field_overlay_read_only, AT(mounts),                LIST | TRUSTED | SPECIFIERS, NULL,   NULL,                MOUNTS,     "The same, and nothing can be changed" },
        { "Files",     "PrivateUsersOwnership", "private-users-ownership", 0, "MODE",        &field_enum,         AT(users.ownership),            TRUSTED,                 NULL,   &ownership_mode_names, USERS,    "How files get its ids: auto, map, chown or off" },
        { "Files",     "PrivateUsersChown",     "private-users-chown",  0,   NULL,           &field_chown,        AT(users.ownership),            NO_ARG | TRUSTED | HIDDEN, "yes",   NULL,                NULL,       NULL },

        { "Network",   "Private",               "private-network",      0,   NULL,           &field_bool,         AT(network.private_),           NO_ARG | TRUSTED,        "yes",  NULL,                NETWORKING, "A network of its own, with nothing but loopback" },

        { "Resources", "Slice",                 "slice",                'S', "SLICE",        &field_slice,        AT(resources.slice),            TRUSTED | SPECIFIERS,    NULL,   NULL,                RESOURCES,  "Slice of the scope (machine.slice)" },
        PROPERTY("MemoryMax",          "memory-max",           "SIZE",    field_memory,   NULL,     "Most memory it may use"),
        PROPERTY("MemoryHigh",         "memory-high",          "SIZE",    field_memory,   NULL,     "Memory above which it is slowed down"),
        PROPERTY("MemoryLow",          "memory-low",           "SIZE",    field_memory,   VALUE(1), "Memory that is kept for it if possible"),
        PROPERTY("MemoryMin",          "memory-min",           "SIZE",    field_memory,   VALUE(1), "Memory that is kept for it always"),
        PROPERTY("MemorySwapMax",      "memory-swap-max",      "SIZE",    field_memory,   VALUE(1), "Most swap it may use"),
        PROPERTY("TasksMax",           "tasks-max",            "NUMBER",  field_tasks,    NULL,     "Most processes and threads"),
        PROPERTY("CPUQuota",           "cpu-quota",            "PERCENT", field_quota,    NULL,     "Most CPU time; 200% are two CPUs"),
        PROPERTY("CPUWeight",          "cpu-weight",           "WEIGHT",  field_weight,   "idle",   "Share of CPU time, 1 to 10000 (100)"),
        PROPERTY("IOWeight",           "io-weight",            "WEIGHT",  field_weight,   NULL,     "Share of input and output, 1 to 10000 (100)"),
        PROPERTY("AllowedCPUs",        "allowed-cpus",         "CPUS",    field_cpu_list, NULL,     "CPUs its cgroup may use"),
        PROPERTY("AllowedMemoryNodes", "allowed-memory-nodes", "NODES",   field_cpu_list, NULL,     "NUMA nodes its cgroup may use"),
        { "Resources", "Property",              "property",             0,   "NAME=VALUE",   &field_property,     AT(resources.properties),       LIST | TRUSTED,          NULL,   NULL,                RESOURCES,  "Any property of the scope" },

        { "Security",  "Seccomp",               "seccomp",              0,   "BOOL",         &field_bool,         AT(security.seccomp),           TRUSTED,                 NULL,   VALUE(1),            SECURITY,   "no: without any system call filter" },

        { "Lifecycle", "HealthCommand",         "health-command",       0,   "COMMAND",      &field_command,      AT(health.command),             SPECIFIERS,              NULL,   NULL,                LIFECYCLE,  "Run inside to see whether it is healthy" },
        { "Lifecycle", "HealthIntervalSec",     "health-interval",      0,   "TIME",         &field_period,       AT(health.interval_usec),       0,                       NULL,   &default_health_interval, LIFECYCLE, "Time between two health checks (30s)" },
        { "Lifecycle", "HealthTimeoutSec",      "health-timeout",       0,   "TIME",         &field_period,       AT(health.timeout_usec),        0,                       NULL,   &default_health_timeout, LIFECYCLE, "Time that one may take (30s)" },
        { "Lifecycle", "HealthStartPeriodSec",  "health-start-period",  0,   "TIME",         &field_usec,         AT(health.start_period_usec),   0,                       NULL,   &no_time,            LIFECYCLE,  "Time in which failures do not count (0)" },
        { "Lifecycle", "HealthRetries",         "health-retries",       0,   "NUMBER",       &field_count,        AT(health.retries),             0,                       NULL,   VALUE(SPEC_HEALTH_RETRIES), LIFECYCLE, "Failures in a row until it is unhealthy (3)" },
        { "Lifecycle", "HealthReady",           "health-ready",         0,   "BOOL",         &field_bool,         AT(health.gates_ready),         0,                       NULL,   NULL,                LIFECYCLE,  "Ready only when a health check has succeeded" },
        { "Lifecycle", "HealthAction",          "health-action",        0,   "ACTION",       &field_enum,         AT(health.action),              TRUSTED,                 NULL,   &health_action_names, LIFECYCLE, "Then: none, restart, stop or kill" },
        { "Lifecycle", "PreStart",              "pre-start",            0,   "COMMAND",      &field_hook,         AT(hooks[HOOK_PRE_START]),      LIST | TRUSTED | SPECIFIERS, NULL,   NULL,                LIFECYCLE,  "Run on the host before the start" },
        { "Lifecycle", "PostStart",             "post-start",           0,   "COMMAND",      &field_hook,         AT(hooks[HOOK_POST_START]),     LIST | TRUSTED | SPECIFIERS, NULL,   NULL,                LIFECYCLE,  "Run on the host when it has started" },
        { "Lifecycle", "PreStop",               "pre-stop",             0,   "COMMAND",      &field_hook,         AT(hooks[HOOK_PRE_STOP]),       LIST | TRUSTED | SPECIFIERS, NULL,   NULL,                LIFECYCLE,  "Run on the host when it is to stop" },
        { "Lifecycle", "PostStop",              "post-stop",            0,   "COMMAND",      &field_hook,         AT(hooks[HOOK_POST_STOP]),      LIST | TRUSTED | SPECIFIERS, NULL,   NULL,                LIFECYCLE,  "Run on the host when it has ended" },
        { "Lifecycle", "HookTimeoutSec",        "hook-timeout",         0,   "TIME",         &field_period,       AT(hook_timeout_usec),          TRUSTED,                 NULL,   &default_hook_timeout, LIFECYCLE, "Time that each of these may take (90s)" },
        { "Lifecycle", "After",                 NULL,                   0,   "UNITS",        &field_dependency,   AT(dependencies[DEPENDENCY_AFTER]), SERVICE_LIST,            NULL,   NULL,                NULL,       NULL },
        { "Lifecycle", "Before",                NULL,                   0,   "UNITS",        &field_dependency,   AT(dependencies[DEPENDENCY_BEFORE]), SERVICE_LIST,            NULL,   NULL,                NULL,       NULL },
        { "Lifecycle", "Requires",              NULL,                   0,   "UNITS",        &field_dependency,   AT(dependencies[DEPENDENCY_REQUIRES]), SERVICE_LIST,            NULL,   NULL,                NULL,       NULL },
        { "Lifecycle", "Wants",                 NULL,                   0,   "UNITS",        &field_dependency,   AT(dependencies[DEPENDENCY_WANTS]), SERVICE_LIST,            NULL,   NULL,                NULL,       NULL },
        { "Lifecycle", "StartDelaySec",         NULL,                   0,   "TIME",         &field_delay,        AT(start_delay_usec),           TRUSTED | FIELD_SERVICE, NULL,   &no_time,                NULL,       NULL },

        { "Launch",    "RootDescriptor",        NULL,                   0,   NULL,           &field_fd,           AT(root.fd),                    INTERNAL,                NULL,   NULL,                NULL,       NULL },
        { "Launch",    "ImageLock",             NULL,                   0,   NULL,           &field_fd,           AT(root.lock_fd),               INTERNAL,                NULL,   NULL,                NULL,       NULL },
        { "Launch",    "BoundingSet",           NULL,                   0,   NULL,           &field_mask,         AT(security.bounding),          INTERNAL,                NULL,   NULL,                NULL,       NULL },
        { "Launch",    "Cgroup",                NULL,                   0,   NULL,           &field_enum,         AT(resources.cgroup),           INTERNAL,                NULL,   &cgroup_mode_names,  NULL,       NULL },
        { "Launch",    "Quiet",                 NULL,                   0,   NULL,           &field_bool,         AT(console.quiet),              INTERNAL,                NULL,   NULL,                NULL,       NULL },
};
/* clang-format on */
const size_t spec_n_fields = ELEMENTSOF(spec_fields);
