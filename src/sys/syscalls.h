/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* System calls that glibc 2.36 has no wrapper for. Thin: the kernel's arguments, -1 and errno as from libc.
 * Floor: Linux 6.1. */
#pragma once

#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "basic/macros.h"

static inline int sys_openat2(int dir_fd, const char *path, uint64_t flags, uint64_t mode,
                              uint64_t resolve) {
        struct open_how how = { .flags = flags, .mode = mode, .resolve = resolve };
        return (int) syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
}
static inline pid_t sys_clone3(struct clone_args *args) {
        return (pid_t) syscall(SYS_clone3, args, sizeof(*args));
}
static inline int sys_close_range(unsigned first, unsigned last, unsigned flags) {
        return (int) syscall(SYS_close_range, first, last, flags);
}
