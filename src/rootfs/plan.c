/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The child's plan: building it, and the sentence for an operation that failed. */
#include "rootfs/plan.h"

#include "basic/alloc.h"
#include "basic/str.h"

/* How a failure reads: `before` what `between` where `after`. Words that an operation lacks are left out. */
typedef struct Sentence {
        const char *before;
        enum {
                SAY_NOTHING,
                SAY_WHAT,
                SAY_WHERE,
                SAY_PROGRAM
        } say;
        const char *after;
        ErrorId id;
} Sentence;

// clang-format off
static const char *const child_op_type_table[_CHILD_OP_TYPE_MAX] = {
        [CHILD_OP_ENTER_ROOT]   = "enter-root",
        [CHILD_OP_MOUNT]        = "mount",
        [CHILD_OP_BIND]         = "bind",
        [CHILD_OP_MASK]         = "mask",
        [CHILD_OP_READ_ONLY_TREE] = "read-only-tree",
        [CHILD_OP_WRITABLE]     = "writable",
        [CHILD_OP_LOOPBACK]     = "loopback",
        [CHILD_OP_HOSTNAME]     = "hostname",
        [CHILD_OP_PIVOT]        = "pivot",
        [CHILD_OP_DROP_OLD_ROOT] = "drop-old-root",
        [CHILD_OP_SHARE]        = "share",
        [CHILD_OP_SETSID]       = "setsid",
        [CHILD_OP_TTY]          = "tty",
        [CHILD_OP_STDIO]        = "stdio",
        [CHILD_OP_RLIMIT]       = "rlimit",
        [CHILD_OP_OOM_SCORE]    = "oom-score",
        [CHILD_OP_AFFINITY]     = "affinity",
        [CHILD_OP_KEYRING]      = "keyring",
        [CHILD_OP_IDENTITY]     = "identity",
        [CHILD_OP_BOUNDING]     = "bounding",
        [CHILD_OP_CAPS]         = "caps",
        [CHILD_OP_NO_NEW_PRIVS] = "no-new-privs",
        [CHILD_OP_PDEATHSIG]    = "pdeathsig",
        [CHILD_OP_CHDIR]        = "chdir",
        [CHILD_OP_HOLD]         = "hold",
        [CHILD_OP_SECCOMP]      = "seccomp",
        [CHILD_OP_CLOSE_FDS]    = "close-fds",
        [CHILD_OP_STUB_INIT]    = "stub-init",
        [CHILD_OP_EXEC]         = "exec",
};

static const Sentence sentences[_CHILD_OP_TYPE_MAX] = {
        [CHILD_OP_ENTER_ROOT]   = { "entering the root directory",           SAY_NOTHING, NULL,               ERROR_MOUNT_FAILED },
        [CHILD_OP_MOUNT]        = { "mounting",                              SAY_WHERE,   "in the container", ERROR_MOUNT_FAILED },
        [CHILD_OP_BIND]         = { "binding",                               SAY_WHERE,   "in the container", ERROR_MOUNT_FAILED },
        [CHILD_OP_MASK]         = { "hiding",                                SAY_WHERE,   "in the container", ERROR_MOUNT_FAILED },
        [CHILD_OP_READ_ONLY_TREE] = { "making",                              SAY_WHERE,   "read-only in the container", ERROR_MOUNT_FAILED },
        [CHILD_OP_WRITABLE]     = { "making",                                SAY_WHERE,   "writable in the container", ERROR_MOUNT_FAILED },
        [CHILD_OP_LOOPBACK]     = { "turning the loopback device on",        SAY_NOTHING, NULL,               ERROR_NETWORK_FAILED },
        [CHILD_OP_HOSTNAME]     = { "setting the host name",                 SAY_WHAT,    NULL,               ERROR_NAMESPACE_FAILED },
        [CHILD_OP_PIVOT]        = { "changing into the root directory",      SAY_NOTHING, NULL,               ERROR_MOUNT_FAILED },
        [CHILD_OP_DROP_OLD_ROOT] = { "leaving the host's root directory",    SAY_NOTHING, NULL,               ERROR_MOUNT_FAILED },
        [CHILD_OP_SHARE]        = { "sharing the container's mounts inside", SAY_NOTHING, NULL,               ERROR_MOUNT_FAILED },
        [CHILD_OP_SETSID]       = { "starting a session",                    SAY_NOTHING, NULL,               ERROR_SETUP_FAILED },
        [CHILD_OP_TTY]          = { "opening the console",                   SAY_NOTHING, NULL,               ERROR_CONSOLE_FAILED },
        [CHILD_OP_STDIO]        = { "passing standard input and output",     SAY_NOTHING, NULL,               ERROR_CONSOLE_FAILED },
        [CHILD_OP_RLIMIT]       = { "setting the resource limit",            SAY_WHAT,    NULL,               ERROR_SETUP_FAILED },
        [CHILD_OP_OOM_SCORE]    = { "setting the OOM score to",              SAY_WHAT,    NULL,               ERROR_SETUP_FAILED },
        [CHILD_OP_AFFINITY]     = { "setting the CPU affinity",              SAY_NOTHING, NULL,               ERROR_SETUP_FAILED },
        [CHILD_OP_KEYRING]      = { "making a session keyring",              SAY_NOTHING, NULL,               ERROR_SETUP_FAILED },
        [CHILD_OP_IDENTITY]     = { "becoming the container's user",         SAY_NOTHING, NULL,               ERROR_SETUP_FAILED },
        [CHILD_OP_BOUNDING]     = { "dropping capabilities",                 SAY_NOTHING, NULL,               ERROR_SETUP_FAILED },
        [CHILD_OP_CAPS]         = { "setting capabilities",                  SAY_NOTHING, NULL,               ERROR_SETUP_FAILED },
        [CHILD_OP_NO_NEW_PRIVS] = { "forbidding new privileges",             SAY_NOTHING, NULL,               ERROR_SETUP_FAILED },
        [CHILD_OP_PDEATHSIG]    = { "tying the payload to its supervisor",   SAY_NOTHING, NULL,               ERROR_SETUP_FAILED },
        [CHILD_OP_CHDIR]        = { "changing to the working directory",     SAY_WHERE,   "in the container", ERROR_SETUP_FAILED },
        [CHILD_OP_HOLD]         = { "waiting for the limits",                SAY_NOTHING, NULL,               ERROR_SETUP_FAILED },
        [CHILD_OP_SECCOMP]      = { "loading the system call filter",        SAY_NOTHING, NULL,               ERROR_SETUP_FAILED },
        [CHILD_OP_CLOSE_FDS]    = { "closing descriptors",                   SAY_NOTHING, NULL,               ERROR_SETUP_FAILED },
        [CHILD_OP_STUB_INIT]    = { "starting the stub init",                SAY_NOTHING, NULL,               ERROR_SETUP_FAILED },
        [CHILD_OP_EXEC]         = { "executing",                             SAY_PROGRAM, "in the container", ERROR_SETUP_FAILED },
};

/* What to do about it. The first row that fits is used. */
static const struct {
        ChildOpType type;
        int error;
        ErrorId id; /* _ERROR_MAX: that of the sentence */
        const char *hint;
} remedies[] = {
        { CHILD_OP_EXEC,       ENOENT,  ERROR_INIT_NOT_FOUND,  "is it installed in the container? If it is there, the interpreter or dynamic loader that it names is missing" },
        { CHILD_OP_EXEC,       ENOTDIR, ERROR_INIT_NOT_FOUND,  "is it installed in the container?" },
        { CHILD_OP_EXEC,       ELOOP,   ERROR_INIT_NOT_FOUND,  NULL },
        { CHILD_OP_EXEC,       EACCES,  ERROR_NOT_EXECUTABLE,  "it must be a regular file that the payload's user may execute, on a file system without noexec" },
        { CHILD_OP_EXEC,       EPERM,   ERROR_NOT_EXECUTABLE,  NULL },
        { CHILD_OP_EXEC,       ENOEXEC, ERROR_NOT_EXECUTABLE,  "it is built for another architecture, or is a script without a '#!' line" },
        { CHILD_OP_EXEC,       EISDIR,  ERROR_NOT_EXECUTABLE,  NULL },
        { CHILD_OP_EXEC,       E2BIG,   ERROR_LIMIT_EXCEEDED,  "arguments and environment together are too long" },
        { CHILD_OP_CHDIR,      ENOENT,  _ERROR_MAX,            "create the directory inside the container, or choose another one" },
        { CHILD_OP_CHDIR,      ENOTDIR, _ERROR_MAX,            "choose a directory" },
        { CHILD_OP_CHDIR,      EXDEV,   _ERROR_MAX,            "it leads out of the container" },
        { CHILD_OP_MOUNT,      EPERM,   _ERROR_MAX,            "where a container runs inside another one, the outer one must show it a full /proc and /sys" },
        { CHILD_OP_MOUNT,      ENODEV,  ERROR_UNSUPPORTED,     "this kernel lacks the file system" },
        { CHILD_OP_MOUNT,      ELOOP,   ERROR_NOT_A_ROOT,      "it is a symbolic link in the root: make it a directory" },
        { CHILD_OP_MOUNT,      ENOTDIR, ERROR_NOT_A_ROOT,      "make it a directory in the root" },
        { CHILD_OP_MOUNT,      ENOENT,  ERROR_NOT_A_ROOT,      "make it a directory in the root" },
        { CHILD_OP_RLIMIT,     EPERM,   ERROR_NO_PRIVILEGES,   "raising a hard limit needs CAP_SYS_RESOURCE" },
        { CHILD_OP_RLIMIT,     EINVAL,  ERROR_INVALID_SETTING, "the soft limit must not be above the hard limit" },
        { CHILD_OP_OOM_SCORE,  EACCES,  ERROR_NO_PRIVILEGES,   "lowering it needs CAP_SYS_RESOURCE" },
        { CHILD_OP_AFFINITY,   EINVAL,  ERROR_INVALID_SETTING, "none of these CPUs is there, or the cgroup allows none of them" },
        { CHILD_OP_IDENTITY,   EINVAL,  _ERROR_MAX,            "the user's or a group's ID is outside the container's range" },
        { CHILD_OP_STUB_INIT,  EAGAIN,  ERROR_LIMIT_EXCEEDED,  "the limit of tasks is reached" },
};
// clang-format on

const char *child_op_type_to_string(ChildOpType t) {
        return (size_t) t < ELEMENTSOF(child_op_type_table) ? child_op_type_table[t] : NULL;
}

ChildOp *child_plan_append(ChildPlan *p, ChildOpType type) {
        ChildOp *op = p->failed ? NULL : ARRAY_APPEND(p->ops, p->n_ops);

        if (!op) {
                p->failed = true;
                return NULL;
        }
        op->type = type;
        op->fd = -EBADF;
        return op;
}

ChildOp *child_plan_append_strings(ChildPlan *p, ChildOpType type, const char *what,
                                   const char *where) {
        ChildOp *op = child_plan_append(p, type);

        if (!op)
                return NULL;
        if (free_and_strdup(&op->what, what) < 0 || free_and_strdup(&op->where, where) < 0) {
                p->failed = true;
                return NULL;
        }
        return op;
}

int child_plan_check(const ChildPlan *p) {
        return p->failed ? -ENOMEM : 0;
}

void child_plan_done(ChildPlan *p) {
        if (!p)
                return;
        for (size_t i = 0; i < p->n_ops; i++) {
                ChildOp *op = p->ops + i;
                free(op->what);
                free(op->where);
                if (!IN_SET(op->type, CHILD_OP_IDENTITY, CHILD_OP_SECCOMP, CHILD_OP_STUB_INIT,
                            CHILD_OP_EXEC))
                        free(op->data);
        }
        free(p->ops);
        *p = (ChildPlan){ 0 };
}

static const char *program_name(const ChildOp *op) {
        const ChildExec *exec = op->data;

        if (exec && exec->argv && exec->argv[0] && !strchr(exec->argv[0], '/') && exec->paths &&
            exec->paths[0] && exec->paths[1])
                return exec->argv[0]; /* searched for in several places */
        if (exec && exec->paths && exec->paths[0])
                return exec->paths[0];
        return exec && exec->argv ? exec->argv[0] : NULL;
}

/* The object of the sentence, as people know it: paths inside are absolute. */
static char *object_name(const ChildOp *op, const Sentence *s) {
        const char *name = s->say == SAY_WHAT      ? op->what
                           : s->say == SAY_WHERE   ? op->where
                           : s->say == SAY_PROGRAM ? program_name(op)
                                                   : NULL;

        if (!name)
                return strdup("");
        _cleanup_free_ char *shown = str_escape_for_display(name);
        if (!shown)
                return NULL;
        if (IN_SET(op->type, CHILD_OP_MOUNT, CHILD_OP_BIND, CHILD_OP_MASK, CHILD_OP_READ_ONLY_TREE,
                   CHILD_OP_WRITABLE))
                return strf(" %s%s", shown[0] == '/' ? "" : "/", shown);
        return strf(" '%s'", shown);
}

int child_plan_describe(const ChildPlan *p, size_t index, int error, Error *reterr) {
        const int code = error > 0 ? -error : error < 0 ? error : -EIO;

        if (index >= p->n_ops || (size_t) p->ops[index].type >= ELEMENTSOF(sentences))
                return error_set_errno(reterr, code, ERROR_SETUP_FAILED,
                                       "setting up the container failed");
        const ChildOp *op = p->ops + index;
        const Sentence *s = sentences + op->type;
        ErrorId id = s->id;
        const char *hint = NULL;
        for (size_t i = 0; i < ELEMENTSOF(remedies); i++)
                if (remedies[i].type == op->type && remedies[i].error == -code) {
                        id = remedies[i].id != _ERROR_MAX ? remedies[i].id : id;
                        hint = remedies[i].hint;
                        break;
                }
        _cleanup_free_ char *object = object_name(op, s);
        if (!object)
                return error_oom(reterr);
        error_set_errno(reterr, code, id, "%s%s%s%s failed", s->before, object, s->after ? " " : "",
                        strempty(s->after));
        if (hint)
                error_hint(reterr, "%s", hint);
        return code;
}
