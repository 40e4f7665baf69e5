/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A child that is killed right before its n-th system call that changes something on disk: between two of these it makes no difference when. */
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"
#include "trace-call.h"

static inline bool kill_at_counts(const struct __ptrace_syscall_info *info) {
        static const int changing[] = {
                SYS_mkdirat,   SYS_mknodat,  SYS_symlinkat,   SYS_linkat,   SYS_renameat,
                SYS_renameat2, SYS_unlinkat, SYS_write,       SYS_pwrite64, SYS_copy_file_range,
                SYS_ftruncate, SYS_fchmod,   SYS_fchown,      SYS_syncfs,   SYS_fchownat,
                SYS_fchmodat,  SYS_setxattr, SYS_removexattr,
#ifdef SYS_mkdir
                SYS_mkdir,     SYS_unlink,   SYS_chmod,       SYS_rmdir,
#endif
        };
        if ((long) info->entry.nr == SYS_openat)
                return info->entry.args[2] & O_CREAT;
        for (size_t i = 0; i < ELEMENTSOF(changing); i++)
                if ((long) info->entry.nr == changing[i])
                        return true;
        return false;
}

static inline pid_t kill_at_begin(int (*change)(const void *), const void *of) {
        int status;
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
                if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP) < 0)
                        _exit(2);
                _exit(change(of) < 0);
        }
        ASSERT_OK(pid);
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        ASSERT_TRUE(WIFSTOPPED(status));
        ASSERT_OK(ptrace(PTRACE_SETOPTIONS, pid, NULL,
                         (void *) (long) (PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD)));
        return pid;
}

/* true: it came to its end before, and ended well. */
static inline bool killed_at_call(unsigned n, int (*change)(const void *), const void *of) {
        unsigned seen = 0;
        int status;
        pid_t pid = kill_at_begin(change, of);
        for (;;) {
                struct __ptrace_syscall_info info;
                ASSERT_OK(ptrace(PTRACE_SYSCALL, pid, NULL, NULL));
                ASSERT_EQ(waitpid(pid, &status, 0), pid);
                if (WIFEXITED(status)) {
                        ASSERT_EQ(WEXITSTATUS(status), 0);
                        return true;
                }
                ASSERT_TRUE(WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80));
                if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *) sizeof(info), &info) > 0 &&
                    info.op == PTRACE_SYSCALL_INFO_ENTRY && kill_at_counts(&info) && ++seen == n)
                        break;
        }
        ASSERT_OK(kill(pid, SIGKILL));
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        ASSERT_TRUE(WIFSIGNALED(status));
        return false;
}

/* The n-th of these calls, or all from there on, are not made, and fail with this error. true: there were fewer. *ret_done: it says that it was done. */
static inline bool failed_at_call(unsigned n, bool on, int error, int (*change)(const void *),
                                  const void *of, bool *ret_done) {
        unsigned seen = 0;
        int status;
        bool fails = false;
        pid_t pid = kill_at_begin(change, of);
        for (;;) {
                struct __ptrace_syscall_info info;
                ASSERT_OK(ptrace(PTRACE_SYSCALL, pid, NULL, NULL));
                ASSERT_EQ(waitpid(pid, &status, 0), pid);
                if (WIFEXITED(status))
                        break;
                ASSERT_TRUE(WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80));
                ASSERT_TRUE(ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *) sizeof(info), &info) > 0);
                if (info.op == PTRACE_SYSCALL_INFO_EXIT && fails)
                        ASSERT_OK(trace_set_result(pid, -error));
                fails = info.op == PTRACE_SYSCALL_INFO_ENTRY && kill_at_counts(&info) &&
                        (++seen == n || (on && seen > n));
                if (fails)
                        ASSERT_OK(trace_change_call(pid, -1));
        }
        ASSERT_TRUE(WEXITSTATUS(status) < 2);
        *ret_done = WEXITSTATUS(status) == 0;
        return seen < n;
}
