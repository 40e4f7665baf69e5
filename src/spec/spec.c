/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ContainerSpec: making, freeing, and the names of its enums. */
#include "spec/spec.h"

#include "basic/alloc.h"
#include "basic/strv.h"
#include "spec/spec-types.h"

static const char *const start_mode_table[_START_MODE_MAX] = {
        [START_COMMAND] = "command",
        [START_PID2] = "pid2",
        [START_BOOT] = "boot",
};
DEFINE_STRING_TABLE_LOOKUP(start_mode, StartMode)

static const char *const userns_mode_table[_USERNS_MODE_MAX] = {
        [USERNS_NO] = "no",       [USERNS_YES] = "yes",
        [USERNS_PICK] = "pick",   [USERNS_IDENTITY] = "identity",
        [USERNS_RANGE] = "range",
};
DEFINE_STRING_TABLE_LOOKUP(userns_mode, UsernsMode)

static const char *const ownership_mode_table[_OWNERSHIP_MODE_MAX] = {
        [OWNERSHIP_AUTO] = "auto",
        [OWNERSHIP_OFF] = "off",
        [OWNERSHIP_MAP] = "map",
        [OWNERSHIP_CHOWN] = "chown",
};
DEFINE_STRING_TABLE_LOOKUP(ownership_mode, OwnershipMode)

static const char *const console_mode_table[_CONSOLE_MODE_MAX] = {
        [CONSOLE_AUTO] = "auto",           [CONSOLE_INTERACTIVE] = "interactive",
        [CONSOLE_READ_ONLY] = "read-only", [CONSOLE_PASSIVE] = "passive",
        [CONSOLE_PIPE] = "pipe",
};
DEFINE_STRING_TABLE_LOOKUP(console_mode, ConsoleMode)

static const char *const volatile_mode_table[_VOLATILE_MODE_MAX] = {
        [VOLATILE_NO] = "no",
        [VOLATILE_YES] = "yes",
        [VOLATILE_STATE] = "state",
        [VOLATILE_OVERLAY] = "overlay",
};
DEFINE_STRING_TABLE_LOOKUP(volatile_mode, VolatileMode)

static const char *const copy_mode_table[_COPY_MODE_MAX] = {
        [COPY_AUTO] = "auto", [COPY_OFF] = "off",       [COPY_COPY] = "copy",
        [COPY_BIND] = "bind", [COPY_DELETE] = "delete", [COPY_SYMLINK] = "symlink",
};
DEFINE_STRING_TABLE_LOOKUP(copy_mode, CopyMode)

static const char *const cgroup_mode_table[_CGROUP_MODE_MAX] = {
        [CGROUP_NONE] = "none",
        [CGROUP_OWN] = "own",
        [CGROUP_UNIT] = "unit",
        [CGROUP_WAIT] = "wait",
};
DEFINE_STRING_TABLE_LOOKUP(cgroup_mode, CgroupMode)

static const char *const health_action_table[_HEALTH_ACTION_MAX] = {
        [HEALTH_ACTION_NONE] = "none",
        [HEALTH_ACTION_RESTART] = "restart",
        [HEALTH_ACTION_STOP] = "stop",
        [HEALTH_ACTION_KILL] = "kill",
};
DEFINE_STRING_TABLE_LOOKUP(health_action, HealthAction)

static const char *const hook_type_table[_HOOK_TYPE_MAX] = {
        [HOOK_PRE_START] = "PreStart",
        [HOOK_POST_START] = "PostStart",
        [HOOK_PRE_STOP] = "PreStop",
        [HOOK_POST_STOP] = "PostStop",
};
DEFINE_STRING_TABLE_LOOKUP(hook_type, HookType)

static const char *const dependency_type_table[_DEPENDENCY_TYPE_MAX] = {
        [DEPENDENCY_AFTER] = "After",
        [DEPENDENCY_BEFORE] = "Before",
        [DEPENDENCY_REQUIRES] = "Requires",
        [DEPENDENCY_WANTS] = "Wants",
};
DEFINE_STRING_TABLE_LOOKUP(dependency_type, DependencyType)

const EnumNames console_mode_names = {
        .names = console_mode_table,
        .n = ELEMENTSOF(console_mode_table),
        .default_alias = "autopipe",
};
const EnumNames ownership_mode_names = {
        .names = ownership_mode_table,
        .n = ELEMENTSOF(ownership_mode_table),
        .unsupported = " foreign ",
};
const EnumNames cgroup_mode_names = {
        .names = cgroup_mode_table,
        .n = ELEMENTSOF(cgroup_mode_table),
};

const EnumNames health_action_names = {
        .names = health_action_table,
        .n = ELEMENTSOF(health_action_table),
};

ContainerSpec *spec_new(void) {
        ContainerSpec *s;

        s = new0(ContainerSpec, 1);
        if (!s)
                return NULL;
        s->root.fd = s->root.lock_fd = -EBADF;
        s->payload.stop_timeout_usec = SPEC_STOP_TIMEOUT_USEC;
        s->security.seccomp = true;
        s->health.interval_usec = SPEC_HEALTH_INTERVAL_USEC;
        s->health.timeout_usec = SPEC_HEALTH_TIMEOUT_USEC;
        s->health.retries = SPEC_HEALTH_RETRIES;
        s->hook_timeout_usec = SPEC_HOOK_TIMEOUT_USEC;
        return s;
}

void spec_mount_done(SpecMount *m) {
        free(m->source);
        free(m->target);
        free(m->options);
        strv_free(m->layers);
        *m = (SpecMount){ 0 };
}

ContainerSpec *spec_free(ContainerSpec *s) {
        if (!s)
                return NULL;
        free(s->name);
        free(s->hostname);
        free(s->description);
        free(s->root.directory);
        free(s->root.image);
        free(s->root.mstack);
        free(s->root.image_policy);
        free(s->root.root_hash);
        free(s->root.root_hash_signature);
        free(s->root.verity_data);
        free(s->root.image_key_file);
        free(s->root.pivot);
        free(s->root.pivot_old);
        strv_free(s->payload.argv);
        strv_free(s->payload.environment);
        free(s->payload.user);
        free(s->payload.working_directory);
        free(s->payload.cpu_affinity);
        strv_free(s->security.system_call_filter);
        free(s->resources.slice);
        strv_free(s->resources.properties);
        free(s->health.command);
        for (HookType t = 0; t < _HOOK_TYPE_MAX; t++)
                strv_free(s->hooks[t]);
        for (DependencyType t = 0; t < _DEPENDENCY_TYPE_MAX; t++)
                strv_free(s->dependencies[t]);
        for (size_t i = 0; i < s->n_mounts; i++)
                spec_mount_done(s->mounts + i);
        free(s->mounts);
        return mfree(s);
}

bool spec_has_userns(const ContainerSpec *s) {
        return s->users.mode != USERNS_NO;
}

bool spec_has_time_namespace(const ContainerSpec *s) {
        return s->time.namespace_ || s->time.monotonic_set || s->time.boottime_set;
}
