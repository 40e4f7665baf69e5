/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which system calls there are, by purpose, and which of them a payload may use. Names only: numbers come from libseccomp. */
#pragma once

#include "basic/macros.h"

/* Words that a name list may hold: system calls, and other groups ("@aio"). */
typedef struct SyscallGroup {
        const char *name;  /* "@basic-io" */
        const char *words; /* separated by single spaces */
} SyscallGroup;

/* Groups that SystemCallFilter= takes; they have systemd.exec(5)'s names. NULL: unknown. "@known" is every call and has no row. */
const SyscallGroup *syscall_group_find(const char *name);

/* The default filter's words. */
extern const char syscalls_allowed[];

/* Words that are allowed as well if the payload may have a capability. */
typedef struct SyscallCondition {
        int capability;
        const char *words;
} SyscallCondition;
extern const SyscallCondition syscall_conditions[];
extern const size_t n_syscall_conditions;

/* Calls that are younger than the libseccomp of Debian 12. From 424 on all architectures have the same numbers. */
typedef struct RecentSyscall {
        uint32_t number;
        const char *name;
} RecentSyscall;
extern const RecentSyscall syscalls_recent[];
extern const size_t n_syscalls_recent;
