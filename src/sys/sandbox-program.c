/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs in sandboxes.
 *
 * Calls: open_tree(CLONE) of /usr and its like, unshare; fsopen, fsmount, move_mount (a tmpfs, in it these, read-only, and /proc of the PID namespace); fchdir,
 * chroot; setrlimit; as sandbox_enter() then; Landlock for the program's directories and for each file; seccomp; execve. */
#include "sys/sandbox-program.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "basic/fd.h"
#include "sys/landlock.h"
#include "sys/mount-api.h"
#include "sys/sandbox.h"
#include "sys/seccomp-load.h"

// clang-format off
/* What a program with threads takes that reads and writes files. Nothing of this makes a socket, or reaches another process. */
static const SeccompAllowed calls[] = {
#define CALL(name) { SYS_##name, 0, 0, 0 }
        CALL(execve), CALL(exit), CALL(exit_group), CALL(brk), CALL(mmap), CALL(mprotect), CALL(munmap), CALL(mremap), CALL(madvise),
        CALL(read), CALL(readv), CALL(pread64), CALL(preadv), CALL(preadv2), CALL(write), CALL(writev), CALL(pwrite64), CALL(pwritev), CALL(pwritev2),
        CALL(openat), CALL(openat2), CALL(close), CALL(lseek), CALL(fstat), CALL(statx), CALL(statfs), CALL(fstatfs), CALL(readlinkat), CALL(faccessat),
        CALL(faccessat2), CALL(getdents64), CALL(fcntl), CALL(ftruncate), CALL(fallocate), CALL(fadvise64), CALL(fsync), CALL(fdatasync),
        CALL(flock), CALL(dup), CALL(dup3), CALL(pipe2), CALL(eventfd2), CALL(signalfd4), CALL(timerfd_create), CALL(timerfd_settime),
        CALL(epoll_create1), CALL(epoll_ctl), CALL(epoll_pwait), CALL(ppoll), CALL(pselect6),
        CALL(clone), CALL(clone3), CALL(set_tid_address), CALL(set_robust_list), CALL(rseq), CALL(futex), CALL(membarrier), CALL(sched_yield),
        CALL(sched_getaffinity), CALL(sched_getparam), CALL(sched_getscheduler), CALL(getpriority), CALL(getcpu),
        CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(rt_sigreturn), CALL(rt_sigtimedwait), CALL(sigaltstack), CALL(tgkill), CALL(restart_syscall),
        CALL(clock_gettime), CALL(clock_getres), CALL(clock_nanosleep), CALL(nanosleep), CALL(gettimeofday), CALL(getrandom),
        CALL(getpid), CALL(gettid), CALL(getppid), CALL(getuid), CALL(geteuid), CALL(getgid), CALL(getegid), CALL(getcwd), CALL(uname), CALL(sysinfo),
        CALL(umask), CALL(prctl), CALL(prlimit64), CALL(getrusage), CALL(get_mempolicy),
#ifdef SYS_newfstatat
        CALL(newfstatat),
#endif
#ifdef SYS_poll
        CALL(poll), CALL(open), CALL(access), CALL(readlink), CALL(stat), CALL(lstat), CALL(epoll_wait), CALL(pipe), CALL(dup2),
#endif
#ifdef SYS_arch_prctl
        CALL(arch_prctl),
#endif
#undef CALL
};

/* Where programs and their libraries are. */
static const char *const trees[] = { "usr", "bin", "lib", "lib32", "lib64" };
/* What they want besides. A device is one, read-only or not. */
static const char *const files[] = { "etc/ld.so.cache", "dev/null", "dev/urandom" };
// clang-format on

/* Clones while the mounts are still ours; -EBADF where there is nothing, or a link. */
typedef struct Clones {
        int trees[ELEMENTSOF(trees)], files[ELEMENTSOF(files)];
} Clones;

static int clone_path(const char *path, bool recursive, bool device, int *ret) {
        const int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        _cleanup_close_ int top_fd = root_fd;
        _cleanup_close_ int fd =
                root_fd < 0 ? -EBADF : openat(root_fd, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        struct stat st;
        *ret = -EBADF;
        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (S_ISLNK(st.st_mode))
                return 0;
        _cleanup_close_ int clone_fd = mount_clone(fd, recursive);
        if (clone_fd < 0)
                return clone_fd;
        int r = mount_set_attributes(clone_fd,
                                     MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
                                             (device ? MOUNT_ATTR_NOEXEC : MOUNT_ATTR_NODEV),
                                     0, MS_PRIVATE, recursive);
        if (r >= 0)
                *ret = TAKE_FD(clone_fd);
        return r;
}

static int clone_all(Clones *c) {
        int r = 0;
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(trees); i++)
                r = clone_path(trees[i], true, false, c->trees + i);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(files); i++)
                r = clone_path(files[i], false, true, c->files + i);
        return r;
}

static int attach(int root_fd, const char *name, int clone_fd, bool directory) {
        _cleanup_close_ int fd = -EBADF;
        if (directory && mkdirat(root_fd, name, 0755) < 0)
                return -errno;
        fd = openat(root_fd, name,
                    (directory ? O_PATH | O_DIRECTORY : O_RDONLY | O_CREAT | O_EXCL) | O_CLOEXEC,
                    0444);
        return fd < 0 ? -errno : mount_attach(clone_fd, fd);
}

/* "lib" → "usr/lib" */
static int copy_link(int root_fd, const char *name) {
        char target[256], path[16];
        (void) snprintf(path, sizeof(path), "/%s", name); /* they are short */
        ssize_t n = readlink(path, target, sizeof(target) - 1);
        if (n < 0)
                return IN_SET(errno, ENOENT, EINVAL) ? 0 : -errno;
        target[n] = '\0';
        return symlinkat(target, root_fd, name) < 0 ? -errno : 0;
}

static int fill_root(int root_fd, const Clones *c) {
        _cleanup_close_ int proc_fd = mount_new(
                "proc", (MountOption[]){ { "subset", "pid" }, { 0 } },
                MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, NULL);
        int r = proc_fd < 0 ? proc_fd : attach(root_fd, "proc", proc_fd, true);
        if (r >= 0 && (mkdirat(root_fd, "etc", 0755) < 0 || mkdirat(root_fd, "dev", 0755) < 0))
                r = -errno;
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(trees); i++)
                r = c->trees[i] >= 0 ? attach(root_fd, trees[i], c->trees[i], true)
                                     : copy_link(root_fd, trees[i]);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(files); i++)
                if (c->files[i] >= 0)
                        r = attach(root_fd, files[i], c->files[i], false);
        return r < 0 ? r
                     : mount_set_attributes(root_fd, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0, 0,
                                            false);
}

static int change_root(void) {
        const MountOption options[] = { { "mode", "0755" }, { "size", "64k" }, { 0 } };
        Clones c; /* the program does not get them: close-on-exec */
        int r = clone_all(&c);
        if (r >= 0 && unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
                r = -errno;
        if (r >= 0)
                r = mount_propagation_all(MS_PRIVATE);
        if (r < 0)
                return r;
        _cleanup_close_ int root_fd = mount_new("tmpfs", options, 0, NULL),
                            top_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root_fd < 0 || top_fd < 0)
                return root_fd < 0 ? root_fd : -errno;
        r = mount_attach(root_fd, top_fd);
        if (r >= 0)
                r = fill_root(root_fd, &c);
        if (r < 0)
                return r;
        return fchdir(root_fd) < 0 || chroot(".") < 0 ? -errno : 0;
}

static int limit(int resource, uint64_t value) {
        const struct rlimit l = { value, value };
        return setrlimit(resource, &l) < 0 ? -errno : 0;
}

static int set_limits(const SandboxProgram *p) {
        int r = limit(RLIMIT_CORE, 0);
        if (r >= 0)
                r = limit(RLIMIT_CPU, p->cpu_max_sec);
        if (r >= 0)
                r = limit(RLIMIT_STACK, 8U << 20);
        if (r >= 0 && p->size_max != UINT64_MAX)
                r = limit(RLIMIT_FSIZE, p->size_max);
        return r < 0 || p->memory_max == UINT64_MAX ? r : limit(RLIMIT_AS, p->memory_max);
}

static int restrict_files(const SandboxProgram *p) {
        LandlockRule rules[1 + 2 * SANDBOX_PROGRAM_FILES_MAX];
        _cleanup_close_ int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        size_t n = 0;
        if (fd < 0)
                return -errno;
        if (p->n_read_fds > SANDBOX_PROGRAM_FILES_MAX || p->n_write_fds > SANDBOX_PROGRAM_FILES_MAX)
                return -E2BIG;
        rules[n++] = (LandlockRule){ fd, LANDLOCK_READ | LANDLOCK_WRITE | LANDLOCK_EXECUTE };
        for (size_t i = 0; i < p->n_read_fds; i++)
                rules[n++] = (LandlockRule){ p->read_fds[i], LANDLOCK_READ | LANDLOCK_ONE_FILE };
        for (size_t i = 0; i < p->n_write_fds; i++)
                rules[n++] = (LandlockRule){ p->write_fds[i],
                                             LANDLOCK_READ | LANDLOCK_WRITE | LANDLOCK_ONE_FILE };
        return landlock_restrict(rules, n, /* network= */ false);
}

int sandbox_execute(const SandboxProgram *p) {
        char *const environment[] = { (char *) "PATH=/usr/bin:/bin", (char *) "LC_ALL=C",
                                      /* else each thread takes address space, which is limited */
                                      (char *) "MALLOC_ARENA_MAX=2", NULL };
        int r = change_root();
        if (r >= 0)
                r = set_limits(p);
        for (size_t i = 0; r >= 0 && i < p->n_read_fds; i++)
                r = fd_cloexec(p->read_fds[i], false);
        for (size_t i = 0; r >= 0 && i < p->n_write_fds; i++)
                r = fd_cloexec(p->write_fds[i], false);
        if (r >= 0)
                r = sandbox_give_up_rights(0);
        if (r >= 0)
                r = restrict_files(p);
        if (r >= 0)
                r = seccomp_allow_only(calls, ELEMENTSOF(calls), false);
        if (r >= 0) {
                (void) execve(p->path, p->argv, environment);
                r = -errno;
        }
        return r;
}
