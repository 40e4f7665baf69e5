/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Joining a container: a new process becomes what a child of the container's leader would be.
 *
 * In three steps, for what is needed can only be had from outside, and what is inside is not to be trusted:
 *
 *   join_prepare()  outside: opens what the other two need, and reads how the leader is confined
 *   join_fork()     a child, born in the leader's PID namespace and cgroup
 *   join_enter()    in the child (or in any process that need not be seen inside): all other namespaces at once, and the leader's
 *                   root directory, which becomes the working directory
 *   join_confine()  in the child, last: resource limits, bounding set, no_new_privs, filter, user, capabilities
 *
 * A process that joins must have one thread, hold no descriptor that it would not give to the container, and have set
 * PR_SET_DUMPABLE to 0: then nobody inside can look at it before it executes a program there. */
#pragma once

#include <sched.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "sys/pidfd.h"

typedef struct JoinTarget {
        int leader_fd;            /* pidfd; borrowed */
        unsigned long namespaces; /* CLONE_NEW…: those of the leader that are not ours */
        int root_fd;              /* O_PATH */
        int cgroup_fd;            /* -EBADF: there is no cgroup v2 */
        uint64_t bounding;
        bool no_new_privileges, seccomp; /* the leader has a filter */
        int oom_score_adjust;
        struct rlimit limits[RLIM_NLIMITS];
        cpu_set_t affinity;
} JoinTarget;
#define JOIN_TARGET_NULL \
        { .leader_fd = -EBADF, .root_fd = -EBADF, .cgroup_fd = -EBADF }
void join_target_done(JoinTarget *t);

/* -ESRCH: the leader has ended. */
int join_prepare(const PidRef *leader, JoinTarget *ret);
/* Like fork(): 0 in the child. *ret (parent only) holds the child, an own child to be waited for. join_enter() is still to come.
 * Later children of the caller are born in the PID namespace, too. */
pid_t join_fork(const JoinTarget *t, PidRef *ret);
/* Afterwards the caller is root of the container's user namespace, with all capabilities there and no supplementary groups. A
 * process that was not made by join_fork() stays in its own PID namespace. */
int join_enter(const JoinTarget *t);

typedef struct JoinIdentity {
        uid_t uid;
        gid_t gid;
        const gid_t *groups;
        size_t n_groups;
} JoinIdentity;
/* filter: struct sock_filter array of `size` bytes, or NULL. The user keeps capabilities only as root. */
int join_confine(const JoinTarget *t, const void *filter, size_t size,
                 const JoinIdentity *identity);
