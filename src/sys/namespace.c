/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Namespaces: opening, comparing, and user-namespace maps.
 *
 * Calls: open(/proc/PID/ns/TYPE); maps are one write(2) each to /proc/PID/uid_map and gid_map, at most a page
 * (user_namespaces(7)). A user namespace of its own: clone(CLONE_NEWUSER) of a child that ends at once, open and maps
 * of the zombie, waitpid. */
#include "sys/namespace.h"

#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "basic/fd.h"

#ifndef CLONE_NEWTIME /* glibc 2.36's <sched.h> lacks it */
#define CLONE_NEWTIME 0x00000080
#endif

#define MAPS_SIZE_MAX 4096 /* the kernel takes less than a page at once */

// clang-format off
static const struct {
        const char *name;
        unsigned long flag;
} namespace_types[_NAMESPACE_MAX] = {
        [NAMESPACE_MOUNT]  = { "mnt",    CLONE_NEWNS },
        [NAMESPACE_PID]    = { "pid",    CLONE_NEWPID },
        [NAMESPACE_UTS]    = { "uts",    CLONE_NEWUTS },
        [NAMESPACE_IPC]    = { "ipc",    CLONE_NEWIPC },
        [NAMESPACE_CGROUP] = { "cgroup", CLONE_NEWCGROUP },
        [NAMESPACE_USER]   = { "user",   CLONE_NEWUSER },
        [NAMESPACE_NET]    = { "net",    CLONE_NEWNET },
        [NAMESPACE_TIME]   = { "time",   CLONE_NEWTIME }, /* Linux 5.6 */
};
// clang-format on

const char *namespace_type_name(NamespaceType t) {
        return (unsigned) t < _NAMESPACE_MAX ? namespace_types[t].name : NULL;
}

unsigned long namespace_type_flag(NamespaceType t) {
        return (unsigned) t < _NAMESPACE_MAX ? namespace_types[t].flag : 0;
}

/* "/proc/PID/FILE" */
static int process_file_open(pid_t pid, const char *file, int flags) {
        char path[64];

        if (pid == 0)
                snprintf(path, sizeof(path), "/proc/self/%s", file);
        else
                snprintf(path, sizeof(path), "/proc/%d/%s", (int) pid, file);
        int fd = open(path, flags | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

int namespace_open(pid_t pid, NamespaceType t) {
        char file[16];

        if (!namespace_type_name(t) || pid < 0)
                return -EINVAL;
        snprintf(file, sizeof(file), "ns/%s", namespace_type_name(t));
        return process_file_open(pid, file, O_RDONLY);
}

int namespace_is_supported(NamespaceType t) {
        char path[32];

        if (!namespace_type_name(t))
                return -EINVAL;
        snprintf(path, sizeof(path), "/proc/self/ns/%s", namespace_type_name(t));
        if (access(path, F_OK) >= 0)
                return 1;
        return errno == ENOENT ? 0 : -errno;
}

int namespace_equal(int fd_a, int fd_b) {
        struct stat a, b;

        if (fstat(fd_a, &a) < 0 || fstat(fd_b, &b) < 0)
                return -errno;
        return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int process_file_write(pid_t pid, const char *file, const char *text, size_t size) {
        _cleanup_close_ int fd = process_file_open(pid, file, O_WRONLY);

        if (fd < 0)
                return fd;
        return write(fd, text, size) < 0 ? -errno : 0; /* all or nothing */
}

static int map_write(pid_t pid, const char *file, const IdMap *maps, size_t n) {
        char text[MAPS_SIZE_MAX];
        size_t size = 0;

        for (size_t i = 0; i < n; i++) {
                int k = snprintf(text + size, sizeof(text) - size, "%u %u %u\n", maps[i].inside,
                                 maps[i].outside, maps[i].count);
                if (k < 0 || (size_t) k >= sizeof(text) - size)
                        return -E2BIG;
                size += (size_t) k;
        }
        return size == 0 ? -EINVAL : process_file_write(pid, file, text, size);
}

int userns_write_maps(pid_t pid, const IdMap *maps, size_t n) {
        int r = map_write(pid, "uid_map", maps, n);
        return r < 0 ? r : map_write(pid, "gid_map", maps, n);
}

/* The process that a new user namespace is made with ends at once. */
static int userns_maker(void *unused) {
        return 0;
}

/* In a function of its own for the sake of the stack: it must also hold a signal handler that runs before the end. */
static __attribute__((noinline)) pid_t userns_make(void) {
        char stack[7 * 1024] __attribute__((aligned(16)));

        pid_t pid = clone(userns_maker, stack + sizeof(stack),
                          CLONE_NEWUSER | CLONE_VM | CLONE_VFORK, NULL);
        return pid < 0 ? -errno : pid;
}

static int new_with_maps(const IdMap *uids, size_t n_uids, const IdMap *gids, size_t n_gids) {
        /* Until it is reaped, a process that has ended still has its user namespace in /proc; so the maps are written and
         * the namespace is opened then, and no process waits that could outlive us. CLONE_VFORK: it has ended when
         * clone() returns; it shares our memory and touches nothing but its stack. No exit signal: a caller that waits
         * for SIGCHLD does not hear of it, and it is never reaped by itself, so its number stays its own. */
        pid_t pid = userns_make();
        if (pid < 0)
                return pid;
        _cleanup_close_ int fd = namespace_open(pid, NAMESPACE_USER);
        int r = fd < 0 ? fd : map_write(pid, "uid_map", uids, n_uids);
        if (r >= 0)
                r = map_write(pid, "gid_map", gids, n_gids);
        while (waitpid(pid, NULL, __WCLONE) < 0 && errno == EINTR)
                ;
        return r < 0 ? r : TAKE_FD(fd);
}

int userns_new(const IdMap *maps, size_t n) {
        return new_with_maps(maps, n, maps, n);
}

int userns_new_apart(const IdMap *uids, const IdMap *gids) {
        return new_with_maps(uids, 1, gids, 1);
}
