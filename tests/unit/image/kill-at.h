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

/* true: it came to its end before, and ended well. */
static inline bool killed_at_call(unsigned n, int (*change)(const void *), const void *of) {
        unsigned seen = 0;
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
