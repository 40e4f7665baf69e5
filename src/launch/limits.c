/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Resource limits.
 *
 * Calls: one read of /proc/self/limits instead of sixteen getrlimit(2); prlimit(2) on PID 1 for the two that depend on the
 * machine's size; prlimit(2) on the child. */
#include "launch/limits.h"

#include <stdio.h>

#include "basic/fd.h"
#include "basic/str.h"

#define LIMITS_FILE_MAX 8192U
#define MIB (1024U * 1024U)

/* include/asm-generic/resource.h; NOFILE's hard limit is systemd's for services, since the kernel's 4096 is less than
 * many programs ask for. NPROC and SIGPENDING depend on the machine: PID 1's are taken. */
static const struct {
        const char *name; /* the setting's, without "Limit" */
        rlim_t soft, hard;
} defaults[RLIM_NLIMITS] = {
        [RLIMIT_CPU] = { "CPU", RLIM_INFINITY, RLIM_INFINITY },
        [RLIMIT_FSIZE] = { "FSIZE", RLIM_INFINITY, RLIM_INFINITY },
        [RLIMIT_DATA] = { "DATA", RLIM_INFINITY, RLIM_INFINITY },
        [RLIMIT_STACK] = { "STACK", 8 * MIB, RLIM_INFINITY },
        [RLIMIT_CORE] = { "CORE", 0, RLIM_INFINITY },
        [RLIMIT_RSS] = { "RSS", RLIM_INFINITY, RLIM_INFINITY },
        [RLIMIT_NPROC] = { "NPROC", 0, 0 },
        [RLIMIT_NOFILE] = { "NOFILE", 1024, 524288 },
        [RLIMIT_MEMLOCK] = { "MEMLOCK", 8 * MIB, 8 * MIB },
        [RLIMIT_AS] = { "AS", RLIM_INFINITY, RLIM_INFINITY },
        [RLIMIT_LOCKS] = { "LOCKS", RLIM_INFINITY, RLIM_INFINITY },
        [RLIMIT_SIGPENDING] = { "SIGPENDING", 0, 0 },
        [RLIMIT_MSGQUEUE] = { "MSGQUEUE", 819200, 819200 },
        [RLIMIT_NICE] = { "NICE", 0, 0 },
        [RLIMIT_RTPRIO] = { "RTPRIO", 0, 0 },
        [RLIMIT_RTTIME] = { "RTTIME", RLIM_INFINITY, RLIM_INFINITY },
};

static rlim_t number_read(const char **p) {
        *p += strspn(*p, " ");
        if (strncmp(*p, "unlimited", STRLEN("unlimited")) == 0) {
                *p += STRLEN("unlimited");
                return RLIM_INFINITY;
        }
        char *end;
        rlim_t n = strtoull(*p, &end, 10);
        *p = end;
        return n;
}

/* Lines are in the order of the numbers, after one of headings; two numbers behind a name of 25 columns: proc_pid_limits(5). */
static int limits_read(struct rlimit ret[static RLIM_NLIMITS]) {
        _cleanup_free_ char *text = NULL;
        int r = file_read_regular(AT_FDCWD, "/proc/self/limits", LIMITS_FILE_MAX, &text);
        if (r < 0)
                return r;
        const char *line = text;
        for (int i = 0; i < (int) RLIM_NLIMITS; i++) {
                line = strchr(line, '\n');
                if (!line || strnlen(++line, 26) < 26)
                        return -EBADMSG;
                const char *p = line + 25;
                ret[i].rlim_cur = number_read(&p);
                ret[i].rlim_max = number_read(&p);
        }
        return 0;
}

/* Without CAP_SYS_RESOURCE a default becomes as much of itself as can be had. */
static struct rlimit default_limit(int resource, const struct rlimit *now, bool may_raise) {
        struct rlimit l = { defaults[resource].soft, defaults[resource].hard };
        if (IN_SET(resource, RLIMIT_NPROC, RLIMIT_SIGPENDING) &&
            prlimit(1, (enum __rlimit_resource) resource, NULL, &l) < 0)
                l = *now; /* PID 1 is not ours to look at: an outer container's user */
        if (!may_raise)
                l.rlim_max = MIN(l.rlim_max, now->rlim_max);
        l.rlim_cur = MIN(l.rlim_cur, l.rlim_max);
        return l;
}

int limits_append(const ContainerSpec *spec, bool may_raise, ChildPlan *plan, Error *reterr) {
        struct rlimit now[RLIM_NLIMITS];
        int r = limits_read(now);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                                       "reading the resource limits failed");

        for (int i = 0; i < (int) RLIM_NLIMITS; i++) {
                const SpecLimit *given = spec->payload.limits + i;
                struct rlimit wanted = { given->soft, given->hard };
                if (!given->set)
                        wanted = default_limit(i, now + i, may_raise);
                if (wanted.rlim_cur == now[i].rlim_cur && wanted.rlim_max == now[i].rlim_max)
                        continue;
                ChildOp *op =
                        child_plan_append_strings(plan, CHILD_OP_RLIMIT, defaults[i].name, NULL);
                struct rlimit *copy = malloc(sizeof(wanted));
                if (!op || !copy) {
                        free(copy);
                        return error_oom(reterr);
                }
                *copy = wanted;
                op->number = (uint64_t) i;
                op->data = copy;
                op->flags = now[i].rlim_cur; /* for limits_raise() */
                op->attr = now[i].rlim_max;
        }
        return 0;
}

int limits_raise(pid_t child, const ChildPlan *plan, Error *reterr) {
        for (size_t i = 0; i < plan->n_ops; i++) {
                const ChildOp *op = plan->ops + i;
                const struct rlimit *wanted = op->data;
                if (op->type != CHILD_OP_RLIMIT || wanted->rlim_max <= op->attr)
                        continue;
                struct rlimit raised = { MIN(op->flags, wanted->rlim_max), wanted->rlim_max };
                if (prlimit(child, (enum __rlimit_resource) op->number, &raised, NULL) < 0) {
                        int r = error_set_errno(reterr, -errno, ERROR_NO_PRIVILEGES,
                                                "raising the resource limit %s failed", op->what);
                        error_hint(reterr, "raising a hard limit needs CAP_SYS_RESOURCE");
                        return r;
                }
        }
        return 0;
}
