/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Joining a container.
 *
 * Calls: stat of /proc/PID/ns/TYPE against our own; open(/proc/PID/root, O_PATH); reads of /proc/PID/status, limits,
 * oom_score_adj, cgroup; then poll(pidfd), which proves that PID was the leader all the time. setns(pidfd, CLONE_NEWPID)
 * (Linux 5.8) and clone3(CLONE_INTO_CGROUP) (5.7) with the rights of the host, since a cgroup belongs to others than the
 * container's root; in the child setns(pidfd, all others), which takes either all of them or none, fchdir, chroot, set*id. */
#include "sys/join.h"

#include <linux/keyctl.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "basic/fd.h"
#include "basic/parse.h"
#include "basic/str.h"
#include "sys/caps.h"
#include "sys/cgroup.h"
#include "sys/namespace.h"
#include "sys/seccomp-load.h"
#include "sys/syscalls.h"

#define PROC_FILE_MAX 16384
#define LIMITS_NAME_WIDTH 25 /* proc_pid_limits(5): a name, then soft and hard limit */

void join_target_done(JoinTarget *t) {
        t->root_fd = fd_close(t->root_fd);
        t->cgroup_fd = fd_close(t->cgroup_fd);
}

static int proc_read(pid_t pid, const char *file, char **ret) {
        char path[64];
        snprintf(path, sizeof(path), "/proc/%d/%s", (int) pid, file);
        int r = file_read_all(AT_FDCWD, path, PROC_FILE_MAX, ret, NULL);
        return r == -ENOENT ? -ESRCH : r;
}

/* Joining a user namespace that one is in already is an error; that of any other kind only costs time. */
static int find_namespaces(pid_t pid, unsigned long *ret) {
        unsigned long flags = 0;
        for (NamespaceType t = 0; t < _NAMESPACE_MAX; t++) {
                struct stat own, other;
                char path[64];
                snprintf(path, sizeof(path), "/proc/self/ns/%s", namespace_type_name(t));
                if (stat(path, &own) < 0) {
                        if (errno == ENOENT) /* a kernel without it */
                                continue;
                        return -errno;
                }
                snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int) pid, namespace_type_name(t));
                if (stat(path, &other) < 0)
                        return errno == ENOENT ? -ESRCH : -errno;
                if (own.st_dev != other.st_dev || own.st_ino != other.st_ino)
                        flags |= namespace_type_flag(t);
        }
        *ret = flags;
        return 0;
}

/* The value of a line "KEY:\tVALUE", which ends at the next newline. */
static const char *status_value(const char *text, const char *key) {
        const size_t n = strlen(key);
        for (const char *line = text; line; line = strchr(line, '\n')) {
                line += *line == '\n';
                if (strncmp(line, key, n) == 0 && line[n] == ':')
                        return line + n + 1 + strspn(line + n + 1, "\t ");
        }
        return NULL;
}

static int read_status(pid_t pid, JoinTarget *t) {
        _cleanup_free_ char *text = NULL;
        int r = proc_read(pid, "status", &text);
        if (r < 0)
                return r;
        const char *bounding = status_value(text, "CapBnd"),
                   *no_new_privileges = status_value(text, "NoNewPrivs"),
                   *seccomp = status_value(text, "Seccomp");
        if (!bounding || !no_new_privileges)
                return -EBADMSG;
        t->bounding = strtoull(bounding, NULL, 16);
        t->no_new_privileges = no_new_privileges[0] == '1';
        t->seccomp = seccomp && seccomp[0] == '2';
        return 0;
}

static rlim_t limit_number(const char **p) {
        char *end;
        *p += strspn(*p, " ");
        if (startswith(*p, "unlimited")) {
                *p += STRLEN("unlimited");
                return RLIM_INFINITY;
        }
        const rlim_t n = strtoull(*p, &end, 10);
        *p = end;
        return n;
}

static int read_limits(pid_t pid, JoinTarget *t) {
        _cleanup_free_ char *text = NULL;
        int r = proc_read(pid, "limits", &text);
        if (r < 0)
                return r;
        const char *line = text; /* one of headings, then in the order of their numbers */
        for (size_t i = 0; i < ELEMENTSOF(t->limits); i++) {
                line = strchr(line, '\n');
                if (!line || strnlen(++line, LIMITS_NAME_WIDTH + 1) <= LIMITS_NAME_WIDTH)
                        return -EBADMSG;
                const char *p = line + LIMITS_NAME_WIDTH;
                t->limits[i].rlim_cur = limit_number(&p);
                t->limits[i].rlim_max = limit_number(&p);
        }
        return 0;
}

static int open_root(pid_t pid) {
        char path[32];
        snprintf(path, sizeof(path), "/proc/%d/root", (int) pid);
        int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        return fd >= 0 ? fd : errno == ENOENT ? -ESRCH : -errno;
}

static int open_cgroup(pid_t pid) {
        _cleanup_free_ char *path = NULL;
        int r = cgroup_get_path(pid, &path);
        if (r < 0)
                return r == -ENOMEDIUM ? -EBADF : r;
        _cleanup_close_ int root_fd = cgroup_open_root();
        if (root_fd < 0)
                return root_fd == -ENOMEDIUM ? -EBADF : root_fd;
        return cgroup_open(root_fd, path);
}

int join_prepare(const PidRef *leader, JoinTarget *ret) {
        _cleanup_(join_target_done) JoinTarget t = JOIN_TARGET_NULL;
        _cleanup_free_ char *score = NULL;

        if (!pidref_is_set(leader))
                return -ESRCH;
        t.leader_fd = leader->fd;
        int r = find_namespaces(leader->pid, &t.namespaces);
        if (r >= 0)
                r = read_status(leader->pid, &t);
        if (r >= 0)
                r = read_limits(leader->pid, &t);
        if (r >= 0)
                r = proc_read(leader->pid, "oom_score_adj", &score);
        if (r >= 0)
                r = t.root_fd = open_root(leader->pid);
        if (r >= 0) {
                t.cgroup_fd = open_cgroup(leader->pid);
                r = t.cgroup_fd == -EBADF ? 0 : t.cgroup_fd;
        }
        if (r >= 0 && sched_getaffinity(leader->pid, sizeof(t.affinity), &t.affinity) < 0)
                r = -errno;
        if (!pidref_is_alive(leader)) /* what was read may be another's */
                return -ESRCH;
        if (r < 0)
                return r;
        t.oom_score_adjust = (int) strtol(score, NULL, 10);
        *ret = t;
        t = (JoinTarget) JOIN_TARGET_NULL;
        return 0;
}

pid_t join_fork(const JoinTarget *t, PidRef *ret) {
        int fd = -EBADF;
        struct clone_args args = {
                .flags = CLONE_PIDFD | (t->cgroup_fd >= 0 ? CLONE_INTO_CGROUP : 0),
                .pidfd = (uint64_t) (uintptr_t) &fd,
                .exit_signal = SIGCHLD,
                .cgroup = t->cgroup_fd >= 0 ? (uint64_t) t->cgroup_fd : 0,
        };
        if ((t->namespaces & CLONE_NEWPID) && setns(t->leader_fd, CLONE_NEWPID) < 0)
                return -errno;
        pid_t pid = sys_clone3(&args);
        if (pid < 0)
                return -errno;
        if (pid > 0)
                *ret = (PidRef){ .pid = pid, .fd = fd };
        return pid;
}

int join_enter(const JoinTarget *t) {
        const unsigned long others = t->namespaces & ~(unsigned long) CLONE_NEWPID;
        if (others != 0 && setns(t->leader_fd, (int) others) < 0)
                return -errno;
        if (fchdir(t->root_fd) < 0 || chroot(".") < 0)
                return -errno;
        /* raw calls: glibc's wrappers look for other threads */
        if (syscall(SYS_setgroups, 0UL, NULL) < 0)
                return -errno;
        if ((others & CLONE_NEWUSER) && (syscall(SYS_setresgid, 0UL, 0UL, 0UL) < 0 ||
                                         syscall(SYS_setresuid, 0UL, 0UL, 0UL) < 0))
                return -errno;
        return 0;
}

/* As far as we may: the kernel, or a container around us, may keep us from raising one. */
static void set_limits(const JoinTarget *t) {
        for (size_t i = 0; i < ELEMENTSOF(t->limits); i++)
                if (setrlimit((enum __rlimit_resource) i, t->limits + i) < 0) {
                        struct rlimit l;
                        if (getrlimit((enum __rlimit_resource) i, &l) < 0)
                                continue;
                        l.rlim_max = MIN(l.rlim_max, t->limits[i].rlim_max);
                        l.rlim_cur = MIN(l.rlim_max, t->limits[i].rlim_cur);
                        (void) setrlimit((enum __rlimit_resource) i, &l); /* only lowers */
                }
}

int join_confine(const JoinTarget *t, const void *filter, size_t size,
                 const JoinIdentity *identity) {
        const uint64_t keep = identity->uid == 0 ? t->bounding : 0;

        set_limits(t);
        /* of the leader's; one that the cpuset does not have any more is no reason to fail */
        (void) sched_setaffinity(0, sizeof(t->affinity), &t->affinity);
        /* nobody's keys but one's own; kernels or filters may know no keyrings */
        (void) syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL, 0, 0, 0);
        int r = caps_drop_bounding(t->bounding);
        if (r < 0)
                return r;
        if (t->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        if (filter) { /* while CAP_SYS_ADMIN is still there; what follows passes every filter */
                r = seccomp_load(filter, size);
                if (r < 0)
                        return r;
        }
        if ((identity->uid != 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0) ||
            syscall(SYS_setgroups, identity->n_groups, identity->groups) < 0 ||
            syscall(SYS_setresgid, identity->gid, identity->gid, identity->gid) < 0 ||
            syscall(SYS_setresuid, identity->uid, identity->uid, identity->uid) < 0)
                return -errno;
        uint64_t have;
        r = caps_get_effective(&have);
        if (r < 0)
                return r;
        return caps_set(keep & have, keep & have, 0);
}
