/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* System calls of a traced process (ptrace(2)) that are not made, and what they return instead. */
#pragma once

#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#if defined(__x86_64__)
#define TRACE_CAN_FAIL_CALLS 1
/* At the entry of a system call: this one is made instead; -1: none. At its exit: what it returns. */
static inline int trace_change_call(pid_t pid, int number) {
        struct user_regs_struct regs;
        if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) < 0)
                return -errno;
        regs.orig_rax = (unsigned long long) number;
        return ptrace(PTRACE_SETREGS, pid, NULL, &regs) < 0 ? -errno : 0;
}
static inline int trace_set_result(pid_t pid, long result) {
        struct user_regs_struct regs;
        if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) < 0)
                return -errno;
        regs.rax = (unsigned long long) result;
        return ptrace(PTRACE_SETREGS, pid, NULL, &regs) < 0 ? -errno : 0;
}
#elif defined(__aarch64__)
#define TRACE_CAN_FAIL_CALLS 1
static inline int trace_change_call(pid_t pid, int number) {
        struct iovec v = { .iov_base = &number, .iov_len = sizeof(number) };
        return ptrace(PTRACE_SETREGSET, pid, (void *) NT_ARM_SYSTEM_CALL, &v) < 0 ? -errno : 0;
}
static inline int trace_set_result(pid_t pid, long result) {
        struct user_regs_struct regs;
        struct iovec v = { .iov_base = &regs, .iov_len = sizeof(regs) };
        if (ptrace(PTRACE_GETREGSET, pid, (void *) NT_PRSTATUS, &v) < 0)
                return -errno;
        regs.regs[0] = (unsigned long long) result;
        return ptrace(PTRACE_SETREGSET, pid, (void *) NT_PRSTATUS, &v) < 0 ? -errno : 0;
}
#else
#define TRACE_CAN_FAIL_CALLS 0
static inline int trace_change_call(pid_t pid, int number) {
        return -EOPNOTSUPP;
}
static inline int trace_set_result(pid_t pid, long result) {
        return -EOPNOTSUPP;
}
#endif
