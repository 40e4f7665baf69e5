/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ChildPlan: what the child does between clone3() and execve(), as data.
 *
 * The supervisor builds the plan completely (strings formatted, users looked up, filter read); the child runs it in a loop
 * without malloc, stdio, environment or NSS, and on failure reports the index of the operation. The supervisor then makes the
 * sentence with child_plan_describe().
 *
 * Descriptors of mounts do not carry over: the child has a copy of the supervisor's mount namespace, and the kernel takes
 * only mounts of the caller's own. The working directory does carry over. So the supervisor stands in the root
 * (fchdir(root_fd)) when it clones the child, and after CHILD_OP_PIVOT the child names everything by absolute path, which cannot
 * lead to the host any more. */
#pragma once

#include <sys/types.h>

#include "basic/error.h"
#include "basic/macros.h"

typedef enum ChildOpType {
        CHILD_OP_ENTER_ROOT, /* with a user namespace: clone the (locked) tree at the working directory recursively, attach it over
                              * itself, chdir into it */
        CHILD_OP_PIVOT, /* pivot_root(".", "."): from here on "/" is the container's, and no path leads out of it */
        CHILD_OP_MOUNT, /* new file system `what` on `where`; flags MS_*; options in data (text or NULL) */
        CHILD_OP_DROP_OLD_ROOT, /* right after what must be mounted while the host's /proc and /sys can still be seen */
        CHILD_OP_BIND, /* `what` bound recursively on `where`, may be equal; missing is fine */
        CHILD_OP_MASK, /* the node `what` bound over `where`; missing is fine */
        CHILD_OP_READ_ONLY_TREE, /* all mounts at `where` and below become read-only */
        CHILD_OP_WRITABLE,       /* the mount at `where` alone becomes writable */
        CHILD_OP_LOOPBACK,       /* lo up */
        CHILD_OP_HOSTNAME,       /* what */
        CHILD_OP_SHARE,          /* "/" and below MS_SHARED */
        CHILD_OP_SETSID,
        CHILD_OP_TTY, /* fd (pty slave; inside it is `where`, if that is the same) becomes 0, 1, 2 and the controlling terminal */
        CHILD_OP_STDIO,     /* fds in data (int[3]) become 0, 1, 2 */
        CHILD_OP_RLIMIT,    /* number: resource; data: struct rlimit */
        CHILD_OP_OOM_SCORE, /* what: text for /proc/self/oom_score_adj */
        CHILD_OP_AFFINITY,  /* data: cpu mask, number: its size in bytes */
        CHILD_OP_KEYRING,   /* a session keyring of its own; ENOSYS and EPERM are fine */
        CHILD_OP_IDENTITY,  /* data: const ChildIdentity: groups, gid, uid; keeps capabilities */
        CHILD_OP_BOUNDING,  /* attr: capability mask to keep in the bounding set */
        CHILD_OP_CAPS, /* attr: mask for effective and permitted (0 for a non-root user after exec by the kernel's rules); number: likewise, of any user, and ambient */
        CHILD_OP_NO_NEW_PRIVS,
        CHILD_OP_PDEATHSIG, /* number: signal; after the identity, since set*id clears it */
        CHILD_OP_CHDIR, /* where, absolute inside; must not leave the root ("(unreachable)" is refused) */
        CHILD_OP_HOLD,      /* wait for the second GO: the cgroup has its limits */
        CHILD_OP_SECCOMP,   /* data, number: program bytes and size */
        CHILD_OP_CLOSE_FDS, /* everything from 3 up close-on-exec, the sync socket included; number: first descriptor kept open for the payload.. */
        CHILD_OP_STUB_INIT, /* fork: the child goes on with the plan as PID 2, PID 1 stays as stub init; attr, data, number: as for
                             * BOUNDING and SECCOMP, what PID 1 must not have more of than the payload */
        CHILD_OP_EXEC,      /* data: const ChildExec */
        _CHILD_OP_TYPE_MAX,
} ChildOpType;

typedef struct ChildIdentity {
        uid_t uid;
        gid_t gid;
        gid_t *groups;
        size_t n_groups;
        bool groups_only; /* user and group ID are these already */
} ChildIdentity;

typedef struct ChildExec {
        char **paths; /* candidates, tried in order while ENOENT/ENOTDIR/EACCES; EACCES is remembered */
        char **argv, **envp;
} ChildExec;

typedef struct ChildOp {
        ChildOpType type;
        int fd;
        uint64_t attr;
        uint64_t flags;
        uint64_t number;
        char *what, *where; /* owned by the plan */
        void *data; /* one malloc() block owned by the plan; IDENTITY, SECCOMP, STUB_INIT and EXEC only borrow it */
} ChildOp;

typedef struct ChildPlan {
        ChildOp *ops;
        size_t n_ops;
        bool failed; /* an append ran out of memory; child_plan_check() tells */
} ChildPlan;

/* Appends an operation with `type`, fd -EBADF and the rest zero; fill in the result. NULL when out of memory (remembered). */
ChildOp *child_plan_append(ChildPlan *p, ChildOpType type);
ChildOp *child_plan_append_strings(ChildPlan *p, ChildOpType type, const char *what,
                                   const char *where); /* copies */
int child_plan_check(const ChildPlan *p);              /* 0 or -ENOMEM */
void child_plan_done(ChildPlan *p);
const char *child_op_type_to_string(ChildOpType t);
/* The sentence (and hint) for a failure of operation `index` with errno `error`. Returns the negative errno. */
int child_plan_describe(const ChildPlan *p, size_t index, int error, Error *reterr);
