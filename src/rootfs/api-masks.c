/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The API file systems that the child makes: those that belong to its own namespaces (/proc, /sys of a private network,
 * cgroup2, mqueue), /tmp, and what of them is hidden or read-only. All after pivot_root(2), when plain paths are safe and cost one system
 * call; /proc and /sys before the old root is gone (the kernel wants to see full instances of both). */
#include <sys/mount.h>

#include "basic/str.h"
#include "rootfs/rootfs.h"

#define NO_ALL (MS_NOSUID | MS_NOEXEC | MS_NODEV)
#define NODE_FILE "/run/host/inaccessible/reg"
/* Empty and read-only. Programs that look into a masked directory take "nothing there" for an answer, but stumble over a directory
 * that they may not open (systemd-hostnamed 262 ends). */
#define EMPTY_DIRECTORY "/run/host/incoming"

enum {
        ALWAYS,
        PRIVATE_NETWORK,
        TMP_INSIDE
};

// clang-format off
static const struct {
        const char *type, *where;
        unsigned long flags;
        unsigned when;
        bool late; /* when the old root is gone */
        const char *options;
} inner_mounts[] = {
        { "proc",    "/proc",          NO_ALL,                ALWAYS,          false, NULL },
        { "sysfs",   "/sys",           NO_ALL | MS_RDONLY,    PRIVATE_NETWORK, false, NULL },
        { "cgroup2", "/sys/fs/cgroup", NO_ALL,                ALWAYS,          true,  NULL },
        { "mqueue",  "/dev/mqueue",    NO_ALL,                ALWAYS,          true,  NULL },
        { "tmpfs",   "/tmp",           MS_NOSUID | MS_NODEV,  TMP_INSIDE,      true,  TMP_OPTIONS },
};

/* In this order. Parts of /proc become mounts of their own, then all of it read-only at once, then /proc itself writable again. What
 * kernels since 6.1 have no longer (timer_stats, sched_debug, and apm on 64 bits) is left out. */
static const struct {
        ChildOpType type;
        const char *what, *where;
        unsigned when;
} restrictions[] = {
        { CHILD_OP_BIND,      "/proc/sys",    "/proc/sys",            ALWAYS },
        { CHILD_OP_BIND,      "/proc/acpi",   "/proc/acpi",           ALWAYS },
        { CHILD_OP_BIND,      "/proc/asound", "/proc/asound",         ALWAYS },
        { CHILD_OP_BIND,      "/proc/bus",    "/proc/bus",            ALWAYS },
        { CHILD_OP_BIND,      "/proc/fs",     "/proc/fs",             ALWAYS },
        { CHILD_OP_BIND,      "/proc/irq",    "/proc/irq",            ALWAYS },
        { CHILD_OP_BIND,      "/proc/scsi",   "/proc/scsi",           ALWAYS },
        { CHILD_OP_READ_ONLY_TREE, NULL,      "/proc",                ALWAYS },
        { CHILD_OP_WRITABLE,  NULL,           "/proc",                ALWAYS },
        { CHILD_OP_BIND,      "/proc/sys/net", "/proc/sys/net",       PRIVATE_NETWORK },
        { CHILD_OP_WRITABLE,  NULL,           "/proc/sys/net",        PRIVATE_NETWORK },
        { CHILD_OP_MASK,      NODE_FILE,      "/proc/kallsyms",       ALWAYS },
        { CHILD_OP_MASK,      NODE_FILE,      "/proc/kcore",          ALWAYS },
        { CHILD_OP_MASK,      NODE_FILE,      "/proc/keys",           ALWAYS },
        { CHILD_OP_MASK,      NODE_FILE,      "/proc/latency_stats",  ALWAYS },
        { CHILD_OP_MASK,      NODE_FILE,      "/proc/sysrq-trigger",  ALWAYS },
        { CHILD_OP_MASK,      NODE_FILE,      "/proc/timer_list",     ALWAYS },
        { CHILD_OP_MASK,      "/run/host/proc-kmsg", "/proc/kmsg",    ALWAYS },
        { CHILD_OP_MASK,      EMPTY_DIRECTORY, "/sys/firmware",       ALWAYS },
        { CHILD_OP_MASK,      EMPTY_DIRECTORY, "/sys/devices/virtual/powercap", ALWAYS },
};
// clang-format on

static bool is_wanted(const ContainerSpec *spec, unsigned when) {
        return when == ALWAYS || (when == PRIVATE_NETWORK && spec->network.private_) ||
               (when == TMP_INSIDE && tmp_is_made_inside(spec));
}

static void append_mounts(const ContainerSpec *spec, ChildPlan *plan, bool late) {
        for (size_t i = 0; i < ELEMENTSOF(inner_mounts); i++) {
                if (!is_wanted(spec, inner_mounts[i].when) || inner_mounts[i].late != late)
                        continue;
                ChildOp *op = child_plan_append_strings(plan, CHILD_OP_MOUNT, inner_mounts[i].type,
                                                        inner_mounts[i].where);
                if (!op)
                        return; /* remembered by the plan */
                op->flags = inner_mounts[i].flags;
                if (inner_mounts[i].options) {
                        op->data = strdup(inner_mounts[i].options);
                        plan->failed = plan->failed || !op->data;
                }
        }
}

/* What is appended and fails, the plan remembers. */
int api_mounts_inner(const ContainerSpec *spec, const Rootfs *r, ChildPlan *plan, Error *reterr) {
        if (r->map.count > 0)
                (void) child_plan_append(plan, CHILD_OP_ENTER_ROOT);
        (void) child_plan_append(plan, CHILD_OP_PIVOT);
        append_mounts(spec, plan, false);
        (void) child_plan_append(plan, CHILD_OP_DROP_OLD_ROOT);
        append_mounts(spec, plan, true);
        for (size_t i = 0; i < ELEMENTSOF(restrictions); i++)
                if (is_wanted(spec, restrictions[i].when))
                        (void) child_plan_append_strings(plan, restrictions[i].type,
                                                         restrictions[i].what,
                                                         restrictions[i].where);
        (void) child_plan_append(plan, CHILD_OP_SHARE);
        return child_plan_check(plan) < 0 ? error_oom(reterr) : 0;
}
