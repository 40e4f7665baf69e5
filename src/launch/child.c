/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Executes the child's plan, operation by operation. See child.h for what may not be used here.
 *
 * Calls by operation: enter-root open_tree(CLONE|RECURSIVE), move_mount, fchdir; the rest one or two calls each. */
#include "launch/child.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/keyctl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/sync.h"
#include "sys/caps.h"
#include "sys/mount-api.h"
#include "sys/netlink.h"
#include "sys/resolve.h"
#include "sys/seccomp-load.h"
#include "sys/syscalls.h"

static int result(long r) {
        return r < 0 ? -errno : 0;
}

static int run_enter_root(const ChildOp *op) {
        /* a tree that came from a more privileged mount namespace is locked: pivot_root(2) takes a clone of it only */
        int fd = open_tree(AT_FDCWD, "",
                           OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
        if (fd < 0)
                return -errno;
        if (move_mount(fd, "", AT_FDCWD, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) <
                    0 ||
            fchdir(fd) < 0)
                return -errno;
        return result(close(fd));
}

static int run_pivot(const ChildOp *op) {
        /* the old root ends up on top of the new one, where "." finds it (pivot_root(2), NOTES), but no path from "/" does */
        return result(syscall(SYS_pivot_root, ".", "."));
}

static int run_drop_old_root(const ChildOp *op) {
        return result(
                umount2(".", MNT_DETACH)); /* what stays is "/", the working directory as well */
}

static int run_mount(const ChildOp *op) {
        return result(mount(op->what, op->where, op->what, op->flags, op->data));
}

static int bind_or_miss(const ChildOp *op, unsigned long flags) {
        int r = result(mount(op->what, op->where, NULL, MS_BIND | flags, NULL));
        return r == -ENOENT ? 0 : r;
}

static int run_bind(const ChildOp *op) {
        return bind_or_miss(op, MS_REC);
}

static int run_mask(const ChildOp *op) {
        return bind_or_miss(op, 0);
}

static int run_read_only_tree(const ChildOp *op) {
        struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY };
        return result(mount_setattr(AT_FDCWD, op->where, AT_SYMLINK_NOFOLLOW | AT_RECURSIVE,
                                    &attributes, sizeof(attributes)));
}

static int run_writable(const ChildOp *op) {
        struct mount_attr attributes = { .attr_clr = MOUNT_ATTR_RDONLY };
        return result(mount_setattr(AT_FDCWD, op->where, AT_SYMLINK_NOFOLLOW, &attributes,
                                    sizeof(attributes)));
}

static int run_loopback(const ChildOp *op) {
        return net_loopback_up();
}

static int run_hostname(const ChildOp *op) {
        return result(sethostname(op->what, strlen(op->what)));
}

static int run_share(const ChildOp *op) {
        return result(mount(NULL, "/", NULL, MS_SHARED | MS_REC, NULL));
}

static int run_setsid(const ChildOp *op) {
        return setsid() < 0 && errno != EPERM ? -errno : 0; /* EPERM: a leader already */
}

/* The terminal by the name that it has inside, if that is in sight: the descriptor is of a mount of the supervisor's, so that no path
 * leads to it, which musl's ttyname(3) takes for "no terminal". */
static int open_tty_inside(const ChildOp *op) {
        struct stat a, b;
        if (fstat(op->fd, &a) < 0 || fstatat(AT_FDCWD, op->where, &b, AT_SYMLINK_NOFOLLOW) < 0 ||
            a.st_dev != b.st_dev || a.st_ino != b.st_ino)
                return -ENOENT;
        int fd = open(op->where, O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static int run_tty(const ChildOp *op) {
        int inside = open_tty_inside(op), fd = inside >= 0 ? inside : op->fd;
        if (ioctl(fd, TIOCSCTTY, 0) < 0)
                return -errno;
        for (int i = 0; i < 3; i++)
                if (dup2(fd, i) < 0)
                        return -errno;
        return 0; /* both are close-on-exec */
}

static int run_stdio(const ChildOp *op) {
        const int *fds = op->data;
        for (int i = 0; i < 3; i++)
                if (fds[i] != i && dup2(fds[i], i) < 0)
                        return -errno;
        return 0;
}

static int run_rlimit(const ChildOp *op) {
        return result(prlimit(0, (int) op->number, op->data, NULL));
}

static int run_oom_score(const ChildOp *op) {
        int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        ssize_t n = write(fd, op->what, strlen(op->what));
        int r = result(n);
        (void) close(fd); /* the write has told */
        return r;
}

static int run_affinity(const ChildOp *op) {
        return result(sched_setaffinity(0, op->number, op->data));
}

static int run_keyring(const ChildOp *op) {
        long r = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL, 0, 0, 0);
        return r < 0 && errno != ENOSYS && errno != EPERM && errno != EDQUOT ? -errno : 0;
}

static int run_identity(const ChildOp *op) {
        const ChildIdentity *i = op->data;
        /* raw calls: this process has one thread, glibc's wrappers look for others */
        if ((i->uid != 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0) ||
            syscall(SYS_setgroups, i->n_groups, i->groups) < 0)
                return -errno;
        return i->groups_only || (syscall(SYS_setresgid, i->gid, i->gid, i->gid) >= 0 &&
                                  syscall(SYS_setresuid, i->uid, i->uid, i->uid) >= 0)
                       ? 0
                       : -errno;
}

static int run_bounding(const ChildOp *op) {
        return caps_drop_bounding(op->attr);
}

static int run_caps(const ChildOp *op) {
        int r = caps_set(op->attr | op->number, op->attr | op->number, op->number);
        return r < 0 ? r : caps_set_ambient(op->number);
}

static int run_no_new_privs(const ChildOp *op) {
        return result(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

static int run_pdeathsig(const ChildOp *op) {
        return result(prctl(PR_SET_PDEATHSIG, op->number, 0, 0, 0));
}

static int run_chdir(const ChildOp *op) {
        char path[4096];
        if (chdir(op->where) < 0)
                return op->number != 0 ? 0 : -errno; /* a home that is not there: "/" will do */
        /* for a directory outside of the root getcwd(2) gives "(unreachable)…" */
        if (syscall(SYS_getcwd, path, sizeof(path)) < 0)
                return -errno;
        return path[0] == '/' ? 0 : -EXDEV;
}

static int run_seccomp(const ChildOp *op) {
        return seccomp_load(op->data, op->number);
}

static int run_close_fds(const ChildOp *op) {
        unsigned first = op->number > 3 ? (unsigned) op->number : 3;
        return result(sys_close_range(first, ~0U, CLOSE_RANGE_CLOEXEC));
}

/* In PID 1. What fails here is reported, and PID 2 ends with us. */
static int become_stub_init(const ChildOp *op, pid_t payload, int gate_fd) {
        int r = stub_init_confine(op);
        if (r >= 0)
                r = result(write(gate_fd, "G", 1));
        if (r < 0)
                return r;
        stub_init(payload);
}

static int run_stub_init(const ChildOp *op) {
        /* a raw fork: glibc's runs handlers and takes locks */
        struct clone_args args = { .exit_signal = SIGCHLD };
        int gate[2];
        char go;
        if (syscall(SYS_pipe2, gate, O_CLOEXEC) < 0)
                return -errno;
        pid_t pid = sys_clone3(&args);
        if (pid < 0)
                return -errno;
        if (pid > 0)
                return become_stub_init(op, pid, gate[1]);
        (void) close(gate[1]); /* a pipe */
        ssize_t n = read(gate[0], &go, 1);
        if (n < 0)
                return -errno;
        if (n == 0)
                _exit(125); /* PID 1 has said why */
        return result(close(gate[0]));
}

static int run_exec(const ChildOp *op) {
        const ChildExec *e = op->data;
        int r = -ENOENT;
        for (char **path = e->paths; *path; path++) {
                (void) execve(*path, e->argv, e->envp); /* returns only on failure */
                int error = errno;
                if (error == EACCES || r == -ENOENT)
                        r = -error;
                if (error != ENOENT && error != ENOTDIR && error != EACCES)
                        return -error;
        }
        return r;
}

// clang-format off
static int (*const run_table[_CHILD_OP_TYPE_MAX])(const ChildOp *op) = {
        [CHILD_OP_ENTER_ROOT]   = run_enter_root,
        [CHILD_OP_MOUNT]        = run_mount,
        [CHILD_OP_BIND]         = run_bind,
        [CHILD_OP_MASK]         = run_mask,
        [CHILD_OP_READ_ONLY_TREE] = run_read_only_tree,
        [CHILD_OP_WRITABLE]     = run_writable,
        [CHILD_OP_LOOPBACK]     = run_loopback,
        [CHILD_OP_HOSTNAME]     = run_hostname,
        [CHILD_OP_PIVOT]        = run_pivot,
        [CHILD_OP_DROP_OLD_ROOT] = run_drop_old_root,
        [CHILD_OP_SHARE]        = run_share,
        [CHILD_OP_SETSID]       = run_setsid,
        [CHILD_OP_TTY]          = run_tty,
        [CHILD_OP_STDIO]        = run_stdio,
        [CHILD_OP_RLIMIT]       = run_rlimit,
        [CHILD_OP_OOM_SCORE]    = run_oom_score,
        [CHILD_OP_AFFINITY]     = run_affinity,
        [CHILD_OP_KEYRING]      = run_keyring,
        [CHILD_OP_IDENTITY]     = run_identity,
        [CHILD_OP_BOUNDING]     = run_bounding,
        [CHILD_OP_CAPS]         = run_caps,
        [CHILD_OP_NO_NEW_PRIVS] = run_no_new_privs,
        [CHILD_OP_PDEATHSIG]    = run_pdeathsig,
        [CHILD_OP_CHDIR]        = run_chdir,
        [CHILD_OP_HOLD]         = NULL, /* child_main() has the socket */
        [CHILD_OP_SECCOMP]      = run_seccomp,
        [CHILD_OP_CLOSE_FDS]    = run_close_fds,
        [CHILD_OP_STUB_INIT]    = run_stub_init,
        [CHILD_OP_EXEC]         = run_exec,
};
// clang-format on

static bool supervisor_is_gone(int sync_fd) {
        struct pollfd p = { .fd = sync_fd };
        return poll(&p, 1, 0) > 0 && (p.revents & POLLHUP);
}

/* Does not return where there is none: the supervisor is gone, or gave up and has said why, or is told now. */
static int wait_go(int sync_fd) {
        int r = sync_wait_go(sync_fd);
        if (r >= 0)
                return r;
        if (r != -EPIPE)
                sync_report(sync_fd, UINT32_MAX, -r);
        _exit(125);
}

_Noreturn void child_main(const ChildPlan *plan, int sync_fd, int supervisor_fd) {
        sigset_t none;

        (void) close(supervisor_fd);                      /* ours to close; a socket */
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* cannot fail */
        int hold = wait_go(sync_fd);

        /* what the supervisor blocks and ignores is not the payload's; none of these can fail */
        sigemptyset(&none);
        (void) umask(0022);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);

        for (size_t i = 0; i < plan->n_ops; i++) {
                const ChildOp *op = plan->ops + i;
                if (op->type == CHILD_OP_HOLD) {
                        if (hold > 0)
                                (void) wait_go(sync_fd); /* the last one */
                        continue;
                }
                int r = run_table[op->type](op);
                if (r >= 0 && op->type == CHILD_OP_PDEATHSIG && supervisor_is_gone(sync_fd))
                        _exit(125); /* it ended before it could be told to take us along */
                if (r < 0) {
                        sync_report(sync_fd, (uint32_t) i, -r);
                        _exit(125);
                }
        }
        _exit(125); /* a plan ends with exec */
}
