/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A child of which the files are changed right before its n-th system call that looks at files: what somebody who works in the same tree would have to be
 * lucky for. */
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

static inline bool disturb_counts(const struct __ptrace_syscall_info *info) {
        static const int looking[] = { SYS_openat,   SYS_openat2, SYS_newfstatat,
                                       SYS_fstat,    SYS_ioctl,   SYS_statx,
                                       SYS_unlinkat, SYS_mkdirat, SYS_getdents64 };
        for (size_t i = 0; i < ELEMENTSOF(looking); i++)
                if ((long) info->entry.nr == looking[i])
                        return true;
        return false;
}

/* What run() returned, 0 or a negative errno. *ret_ended: it came to its end before. */
static inline int disturbed_at_call(unsigned n, int (*run)(const void *), void (*disturb)(void *),
                                    void *of, bool *ret_ended) {
        unsigned seen = 0;
        int status;
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
                if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP) < 0)
                        _exit(255);
                _exit(-run(of));
        }
        ASSERT_OK(pid);
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        ASSERT_TRUE(WIFSTOPPED(status));
        ASSERT_OK(ptrace(PTRACE_SETOPTIONS, pid, NULL,
                         (void *) (long) (PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD)));
        while (seen < n) {
                struct __ptrace_syscall_info info;
                ASSERT_OK(ptrace(PTRACE_SYSCALL, pid, NULL, NULL));
                ASSERT_EQ(waitpid(pid, &status, 0), pid);
                if (WIFEXITED(status))
                        break;
                ASSERT_TRUE(WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80));
                if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *) sizeof(info), &info) > 0 &&
                    info.op == PTRACE_SYSCALL_INFO_ENTRY && disturb_counts(&info))
                        seen++;
        }
        *ret_ended = WIFEXITED(status);
        if (!*ret_ended) {
                disturb(of);
                ASSERT_OK(ptrace(PTRACE_CONT, pid, NULL, NULL));
                ASSERT_EQ(waitpid(pid, &status, 0), pid);
        }
        ASSERT_TRUE(WIFEXITED(status));
        return -WEXITSTATUS(status);
}
