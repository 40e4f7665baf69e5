/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The child's plan: identity, confinement, environment and the program, around the mounts that rootfs/ appends. */
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "launch/limits.h"
#include "launch/supervisor.h"
#include "sys/caps.h"

#define PAYLOAD_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define SECCOMP_SIZE_MAX (64U * 1024U)

void payload_plan_done(PayloadPlan *p) {
        child_plan_done(&p->plan);
        p->exec.paths = strv_free(p->exec.paths);
        p->exec.argv = strv_free(p->exec.argv);
        p->exec.envp = strv_free(p->exec.envp);
        p->seccomp = mfree(p->seccomp);
}

static int read_seccomp(int fd, PayloadPlan *p) {
        if (fd < 0)
                return 0;
        int r = fd_read_regular(fd, SECCOMP_SIZE_MAX, &p->seccomp, &p->seccomp_size);
        return r < 0 ? r : p->seccomp_size == 0 || p->seccomp_size % 8 != 0 ? -EINVAL : 0;
}

/* container_host_…: what the payload may know of the host (container interface, "Environment"). */
static int add_host_environment(char ***env, char *const *os_release) {
        static const char *const names[] = { "ID", "VERSION_ID", "BUILD_ID", "VARIANT_ID" };
        static const char *const lower[] = { "id", "version_id", "build_id", "variant_id" };
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                const char *value = strv_env_get(os_release, names[i]);
                int r = value ? strv_extendf(env, "container_host_%s=%s", lower[i], value) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

static int add_terminal_environment(char ***env, const Supervisor *s) {
        static const char *const passed[] = { "COLORTERM", "NO_COLOR" };
        const char *term = getenv("TERM");
        bool terminal =
                !isempty(term) && (s->spec->console.mode == CONSOLE_INTERACTIVE ||
                                   (s->spec->console.mode == CONSOLE_PIPE && isatty(STDIN_FILENO)));
        int r = strv_extendf(env, "TERM=%s", terminal ? term : "dumb");
        for (size_t i = 0; r >= 0 && terminal && i < ELEMENTSOF(passed); i++)
                if (getenv(passed[i]))
                        r = strv_extendf(env, "%s=%s", passed[i], getenv(passed[i]));
        return r;
}

static int build_environment(const Supervisor *s, char ***ret) {
        const ContainerSpec *spec = s->spec;
        const Rootfs *root = &s->rootfs;
        _cleanup_strv_free_ char **env = NULL;
        char uuid[ID128_UUID_MAX];
        bool booted = spec->payload.start == START_BOOT;
        int r = strv_extend(&env, "PATH=" PAYLOAD_PATH);
        if (r >= 0)
                r = strv_extend(&env, "container=berth");
        if (r >= 0)
                r = strv_extendf(&env, "container_uuid=%s", id128_to_uuid(root->machine_id, uuid));
        if (r >= 0)
                r = add_host_environment(&env, root->host_os_release);
        if (r >= 0)
                r = add_terminal_environment(&env, s);
        if (r >= 0)
                r = strv_extendf(&env, "HOME=%s", root->user.home ?: "/");
        if (r >= 0 && root->user.name)
                r = strv_extendf(&env, "USER=%s", root->user.name);
        if (r >= 0 && root->user.name)
                r = strv_extendf(&env, "LOGNAME=%s", root->user.name);
        if (r >= 0 && !booted && root->user.shell)
                r = strv_extendf(&env, "SHELL=%s", root->user.shell);
        if (r >= 0 && !booted)
                r = strv_extend(&env, "LANG=C.UTF-8");
        if (r >= 0)
                r = strv_extend(&env, "NOTIFY_SOCKET=/run/host/notify");
        if (r >= 0 && spec->payload.watchdog_usec > 0 &&
            spec->payload.watchdog_usec != USEC_INFINITY) {
                r = strv_extendf(&env, "WATCHDOG_USEC=%llu",
                                 (unsigned long long) spec->payload.watchdog_usec);
                if (r >= 0)
                        r = strv_extend(&env, spec->payload.start == START_PID2 ? "WATCHDOG_PID=2"
                                                                                : "WATCHDOG_PID=1");
        }
        STRV_FOREACH(e, spec->payload.environment)
                if (r >= 0)
                        r = strv_env_replace(&env, *e);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(env);
        return 0;
}

/* Each directory of $PATH (the payload's own, if the spec sets one) with the program's name. */
static int search_path(const char *program, char *const *envp, char ***ret) {
        _cleanup_strv_free_ char **directories = NULL;
        if (strchr(program, '/'))
                return strv_extend(ret, program);
        int r = strv_split(&directories, strv_env_get(envp, "PATH") ?: PAYLOAD_PATH, ":", 0);
        if (r < 0)
                return r;
        STRV_FOREACH(d, directories) {
                r = strv_extendf(ret, "%s/%s", *d, program);
                if (r < 0)
                        return r;
        }
        return *ret ? 0 : strv_extend(ret, program);
}

static int login_shell(const Rootfs *root, ChildExec *e) {
        const char *shell = root->user.shell ?: "/bin/sh", *slash = strrchr(shell, '/');
        int r = strv_extend(&e->paths, shell);
        if (r >= 0 && !streq(shell, "/bin/sh"))
                r = strv_extend(&e->paths, "/bin/sh");
        return r < 0 ? r : strv_extendf(&e->argv, "-%s", slash ? slash + 1 : shell);
}

static int build_exec(const Supervisor *s, ChildExec *e) {
        const ContainerSpec *spec = s->spec;
        int r = build_environment(s, &e->envp);
        if (r < 0)
                return r;
        if (spec->payload.start == START_BOOT) {
                r = strv_extend(&e->paths, s->rootfs.init);
                if (r >= 0)
                        r = strv_extend(&e->argv, s->rootfs.init);
                return r < 0 ? r : strv_extend_strv(&e->argv, spec->payload.argv);
        }
        if (strv_isempty(spec->payload.argv))
                return login_shell(&s->rootfs, e);
        r = search_path(spec->payload.argv[0], e->envp, &e->paths);
        return r < 0 ? r : strv_extend_strv(&e->argv, spec->payload.argv);
}

/* A plan remembers that memory ran out; these append and fill in what the operation needs. */
static void append_number(ChildPlan *p, ChildOpType type, uint64_t number) {
        ChildOp *op = child_plan_append(p, type);
        if (op)
                op->number = number;
}
static void append_attr(ChildPlan *p, ChildOpType type, uint64_t attr) {
        ChildOp *op = child_plan_append(p, type);
        if (op)
                op->attr = attr;
}
static void append_identity(ChildPlan *p, ChildIdentity *identity) {
        ChildOp *op = child_plan_append(p, CHILD_OP_IDENTITY);
        if (op)
                op->data = identity;
}

static void append_console(ChildPlan *p, const Console *c) {
        (void) child_plan_append(p, CHILD_OP_SETSID); /* remembered */
        if (c->slave_fd < 0)
                return;
        ChildOp *op = child_plan_append_strings(p, CHILD_OP_TTY, NULL, c->slave_path);
        if (op)
                op->fd = c->slave_fd;
}

static void append_directory(ChildPlan *p, const char *directory, bool optional) {
        ChildOp *op = child_plan_append_strings(p, CHILD_OP_CHDIR, NULL, directory);
        if (op)
                op->number = optional;
}

/* The IDs that we were started with; they are ours, but for the time when we are the container's root. */
static bool started_as_root(void) {
        return getauxval(AT_UID) == 0 && getauxval(AT_EUID) == 0 && getauxval(AT_GID) == 0 &&
               getauxval(AT_EGID) == 0;
}

static void append_user(const Supervisor *s, PayloadPlan *p) {
        ChildIdentity *i = &p->identity;
        *i = (ChildIdentity){ s->rootfs.user.uid, s->rootfs.user.gid, s->rootfs.user.groups,
                              s->rootfs.user.n_groups };
        bool is_root = i->uid == 0 && i->gid == 0 && i->n_groups == 0;
        if (is_root && s->rootfs.map.count > 0)
                return; /* it is that already */
        i->groups_only = is_root && started_as_root();
        append_identity(&p->plan, i);
        if (!i->groups_only) /* which has cleared the signal that child_main() had set */
                append_number(&p->plan, CHILD_OP_PDEATHSIG, SIGKILL);
}

static void append_stub_init(const ContainerSpec *spec, PayloadPlan *p) {
        ChildOp *op = child_plan_append(&p->plan, CHILD_OP_STUB_INIT);
        if (!op)
                return;
        op->attr = spec->security.bounding;
        op->data = p->seccomp;
        op->number = p->seccomp_size;
}

static void append_confinement(const Supervisor *s, PayloadPlan *p) {
        const ContainerSpec *spec = s->spec;
        uint64_t keep = s->rootfs.user.uid == 0 ? spec->security.bounding : 0;

        (void) child_plan_append(&p->plan, CHILD_OP_KEYRING);
        append_attr(&p->plan, CHILD_OP_BOUNDING, spec->security.bounding);
        if (spec->security.no_new_privileges)
                (void) child_plan_append(&p->plan, CHILD_OP_NO_NEW_PRIVS);
        if (spec->resources.cgroup == CGROUP_WAIT) /* as late as can be; a filter might refuse it */
                (void) child_plan_append(&p->plan, CHILD_OP_HOLD);
        if (p->seccomp_size >
            0) { /* while CAP_SYS_ADMIN is still there; the rest of the plan passes every filter */
                ChildOp *op = child_plan_append(&p->plan, CHILD_OP_SECCOMP);
                if (op) {
                        op->data = p->seccomp;
                        op->number = p->seccomp_size;
                }
        }
        append_user(s, p);
        /* a user namespace gives all; else an outer container or a service manager may have left us less than the spec grants */
        const uint64_t have = s->rootfs.map.count > 0 ? CAP_ALL_MASK : s->capabilities;
        ChildOp *op = child_plan_append(&p->plan, CHILD_OP_CAPS);
        if (op) {
                op->attr = keep & have;
                op->number = spec->security.ambient & have;
        }
}

int payload_plan_build(const Supervisor *s, PayloadPlan *p, Error *reterr) {
        const ContainerSpec *spec = s->spec;
        const Rootfs *root = &s->rootfs;
        int r = read_seccomp(s->seccomp_fd, p);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                                       "reading the system call filter failed");

        /* root of the new user namespace, which the maps have just given a meaning. The effective IDs are these already, as the kernel
         * sees them, so that the parent-death signal stays. */
        if (root->map.count > 0)
                append_identity(&p->plan, &p->root_identity);
        if (spec->network.private_)
                (void) child_plan_append(&p->plan, CHILD_OP_LOOPBACK);
        r = api_mounts_inner(spec, root, &p->plan, reterr);
        if (r < 0)
                return r;
        (void) child_plan_append_strings(&p->plan, CHILD_OP_HOSTNAME, spec_hostname(spec), NULL);
        if (spec->payload.start == START_PID2)
                append_stub_init(spec, p);
        append_console(&p->plan, &s->console);
        r = limits_append(spec, s->capabilities & CAP_MASK(CAP_SYS_RESOURCE), &p->plan,
                          reterr); /* no operation after this opens anything */
        if (r < 0)
                return r;
        append_confinement(s, p);

        const char *directory = spec->payload.working_directory;
        if (!directory && spec->payload.start != START_BOOT && strv_isempty(spec->payload.argv))
                directory = root->user.home;
        if (directory && !streq(directory, "/"))
                append_directory(&p->plan, directory,
                                 /* optional= */ !spec->payload.working_directory);
        append_number(&p->plan, CHILD_OP_CLOSE_FDS, 3);
        r = build_exec(s, &p->exec);
        ChildOp *op = child_plan_append(&p->plan, CHILD_OP_EXEC);
        if (op)
                op->data = &p->exec;
        if (r < 0 || child_plan_check(&p->plan) < 0)
                return error_oom(reterr);
        return 0;
}
