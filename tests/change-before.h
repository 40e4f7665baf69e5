/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A task in a child, and a change to what it works on right before the task opens a file to make it: of lock files, for one. */
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

/* The exit status of the task, which is its result. */
static inline int changed_before_making(int (*task)(void *of), int (*change)(void *of), void *of) {
        int status;
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
                if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP) < 0)
                        _exit(99);
                _exit(task(of));
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
                ASSERT_TRUE(WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80));
                if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *) sizeof(info), &info) > 0 &&
                    info.op == PTRACE_SYSCALL_INFO_ENTRY && (long) info.entry.nr == SYS_openat &&
                    (info.entry.args[2] & O_CREAT))
                        break;
        }
        ASSERT_OK(change(of));
        ASSERT_OK(ptrace(PTRACE_DETACH, pid, NULL, NULL));
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        ASSERT_TRUE(WIFEXITED(status));
        return WEXITSTATUS(status);
}
