/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sandboxes.
 *
 * Calls: unshare; fsopen, fsconfig, fsmount (an empty tmpfs) where no root is given; fchdir, chroot; setrlimit; capset, prctl(PR_CAPBSET_DROP), setgroups, setresgid,
 * setresuid; prctl(PR_SET_NO_NEW_PRIVS); landlock; seccomp. */
#include "sys/sandbox.h"

#include <assert.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "basic/fd.h"
#include "sys/caps.h"
#include "sys/landlock.h"
#include "sys/mount-api.h"
#include "sys/seccomp-load.h"

#define NAMESPACES                                                                     \
        (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
         CLONE_NEWPID | CLONE_NEWNET)
#ifdef __s390x__
#define CLONE_ARGUMENT 1 /* where the flags are */
#else
#define CLONE_ARGUMENT 0
#endif

// clang-format off
static const SeccompAllowed always[] = {
        { SYS_read,              0, 0, 0 },
        { SYS_readv,             0, 0, 0 },
        { SYS_pread64,           0, 0, 0 },
        { SYS_write,             0, 0, 0 },
        { SYS_writev,            0, 0, 0 },
        { SYS_pwrite64,          0, 0, 0 },
        { SYS_close,             0, 0, 0 },
        { SYS_lseek,             0, 0, 0 },
        { SYS_fstat,             0, 0, 0 },
#ifdef SYS_newfstatat
        { SYS_newfstatat,        0, 0, 0 },
#endif
        { SYS_statx,             0, 0, 0 },
        { SYS_fcntl,             0, 0, 0 },
#ifdef SYS_poll
        { SYS_poll,              0, 0, 0 },
#endif
        { SYS_ppoll,             0, 0, 0 },
        { SYS_sendmsg,           0, 0, 0 },
        { SYS_sendto,            0, 0, 0 },
        { SYS_brk,               0, 0, 0 },
        { SYS_mmap,              2, PROT_EXEC, 0 },
        { SYS_mprotect,          2, PROT_EXEC, 0 },
        { SYS_mremap,            0, 0, 0 },
        { SYS_munmap,            0, 0, 0 },
        { SYS_madvise,           0, 0, 0 },
        { SYS_futex,             0, 0, 0 },
        { SYS_getrandom,         0, 0, 0 },
        { SYS_clock_gettime,     0, 0, 0 },
        { SYS_getpid,            0, 0, 0 },
        { SYS_gettid,            0, 0, 0 },
        { SYS_geteuid,           0, 0, 0 },
        { SYS_rt_sigaction,      0, 0, 0 },
        { SYS_rt_sigprocmask,    0, 0, 0 },
        { SYS_rt_sigreturn,      0, 0, 0 },
        { SYS_restart_syscall,   0, 0, 0 },
        { SYS_exit,              0, 0, 0 },
        { SYS_exit_group,        0, 0, 0 },
};
static const SeccompAllowed reading[] = {
        { SYS_openat,            2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY },
        { SYS_openat2,           0, 0, 0 }, /* Landlock sees to it */
        { SYS_getdents64,        0, 0, 0 },
        { SYS_readlinkat,        0, 0, 0 },
        { SYS_flistxattr,        0, 0, 0 },
        { SYS_fgetxattr,         0, 0, 0 },
};
static const SeccompAllowed writing[] = {
        { SYS_openat,            0, 0, 0 },
        { SYS_openat2,           0, 0, 0 },
        { SYS_getdents64,        0, 0, 0 },
        { SYS_mkdirat,           0, 0, 0 },
        { SYS_mknodat,           2, S_IFMT, S_IFIFO },
        { SYS_symlinkat,         0, 0, 0 },
        { SYS_linkat,            0, 0, 0 },
        { SYS_unlinkat,          0, 0, 0 },
        { SYS_fchown,            0, 0, 0 },
        { SYS_fchownat,          0, 0, 0 },
        { SYS_fchmod,            0, 0, 0 },
        { SYS_fchmodat,          0, 0, 0 },
        { SYS_fsetxattr,         0, 0, 0 },
        { SYS_utimensat,         0, 0, 0 },
        { SYS_ftruncate,         0, 0, 0 },
        { SYS_fallocate,         0, 0, 0 },
};
/* A client of IPv4 and IPv6. Names are resolved in threads by some libraries. */
static const SeccompAllowed networking[] = {
        { SYS_socket,            0, ~8U, AF_INET }, /* or AF_INET6, which is 8 more */
        { SYS_socketpair,        0, 0, 0 },
        { SYS_connect,           0, 0, 0 },
        { SYS_bind,              0, 0, 0 },
        { SYS_getsockname,       0, 0, 0 },
        { SYS_getpeername,       0, 0, 0 },
        { SYS_getsockopt,        0, 0, 0 },
        { SYS_setsockopt,        0, 0, 0 },
        { SYS_recvfrom,          0, 0, 0 },
        { SYS_recvmsg,           0, 0, 0 },
        { SYS_sendmmsg,          0, 0, 0 },
        { SYS_shutdown,          0, 0, 0 },
        { SYS_eventfd2,          0, 0, 0 },
        { SYS_pipe2,             0, 0, 0 },
        { SYS_ioctl,             1, ~0U, FIONREAD },
        { SYS_uname,             0, 0, 0 },
        { SYS_getuid,            0, 0, 0 },
        { SYS_getgid,            0, 0, 0 },
        { SYS_getegid,           0, 0, 0 },
        { SYS_clock_nanosleep,   0, 0, 0 },
        { SYS_sched_yield,       0, 0, 0 },
        { SYS_set_robust_list,   0, 0, 0 },
        { SYS_rseq,              0, 0, 0 },
        { SYS_clone,             CLONE_ARGUMENT, CLONE_THREAD | NAMESPACES, CLONE_THREAD },
        { SYS_ftruncate,         0, 0, 0 }, /* of what is open, to begin anew */
};
// clang-format on
static_assert(AF_INET6 == (AF_INET | 8), "one comparison is for both");

static int filter(const Sandbox *s) {
        SeccompAllowed all[ELEMENTSOF(always) +
                           CONST_MAX(ELEMENTSOF(writing), ELEMENTSOF(reading)) +
                           ELEMENTSOF(networking)];
        const SeccompAllowed *more = s->write ? writing : reading;
        const size_t n_more = s->write ? ELEMENTSOF(writing) : s->files ? ELEMENTSOF(reading) : 0;
        size_t n = ELEMENTSOF(always);
        memcpy(all, always, sizeof(always));
        memcpy(all + n, more, n_more * sizeof(all[0]));
        n += n_more;
        if (s->network) {
                memcpy(all + n, networking, sizeof(networking));
                n += ELEMENTSOF(networking);
        }
        return seccomp_allow_only(all, n, false);
}

static int change_root(int root_fd) {
        _cleanup_close_ int empty_fd = -EBADF;
        if (root_fd < 0) {
                const MountOption options[] = { { "mode", "0555" }, { "size", "4k" }, { 0 } };
                root_fd = empty_fd = mount_new("tmpfs", options, MOUNT_ATTR_RDONLY, NULL);
                if (root_fd < 0)
                        return root_fd;
        }
        return fchdir(root_fd) < 0 || chroot(".") < 0 ? -errno : 0;
}

static int limit(int resource, uint64_t value) {
        const struct rlimit l = { value, value };
        return setrlimit(resource, &l) < 0 ? -errno : 0;
}

int sandbox_give_up_rights(uint64_t capabilities) {
        int r = caps_drop_bounding(0);
        if (r < 0 || setgroups(0, NULL) < 0)
                return r < 0 ? r : -errno;
        if (capabilities == 0 && (setresgid(SANDBOX_NOBODY, SANDBOX_NOBODY, SANDBOX_NOBODY) < 0 ||
                                  setresuid(SANDBOX_NOBODY, SANDBOX_NOBODY, SANDBOX_NOBODY) < 0))
                return -errno;
        r = caps_set(capabilities, capabilities, 0);
        if (r >= 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) /* the change of user has cleared it */
                r = -errno;
        return r < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) >= 0 ? r : -errno;
}

int sandbox_enter(const Sandbox *s) {
        if (unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | (s->network ? 0 : CLONE_NEWNET)) <
            0)
                return -errno;
        int r = change_root(s->root_fd);
        if (r >= 0)
                r = limit(RLIMIT_CORE, 0);
        if (r >= 0 && !s->network) /* threads count, and those of others */
                r = limit(RLIMIT_NPROC, 0);
        if (r >= 0 && s->memory_max > 0 && !BERTH_SANITIZED)
                r = limit(RLIMIT_AS, s->memory_max);
        if (r >= 0)
                r = sandbox_give_up_rights(s->capabilities);
        if (r < 0)
                return r;
        /* the new root itself, for what is below it */
        _cleanup_close_ int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        const LandlockRule rule = { fd, LANDLOCK_READ | (s->write ? LANDLOCK_WRITE : 0) };
        r = fd < 0 ? -errno : landlock_restrict(&rule, s->files || s->write, s->network);
        return r < 0 ? r : filter(s);
}
