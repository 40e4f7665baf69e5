/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loading a seccomp filter: bytes in, seccomp(2) out (compiling those is spec/seccomp-compile.c); or a table, for our own processes. */
#pragma once

#include "basic/macros.h"

/* bytes: an array of struct sock_filter. Needs no_new_privs or CAP_SYS_ADMIN in the caller's user namespace. No
 * allocation: the child calls it between clone3() and execve(). */
int seccomp_load(const void *bytes, size_t size);

/* A call that may be made. One of its arguments may have to be something: (argument & mask) == value, in its lower 32 bits; mask 0: any. */
typedef struct SeccompAllowed {
        unsigned number;
        unsigned argument, mask, value;
} SeccompAllowed;
#define SECCOMP_ALLOWED_MAX 128U

/* From now on these calls only, for good; others fail with EPERM, or (deadly) end the process; so do calls of other architectures. Needs no_new_privs
 * or CAP_SYS_ADMIN. Nothing, in a program with sanitizers, which have needs of their own, and on architectures that are not known. -E2BIG:
 * the table is too long. */
int seccomp_allow_only(const SeccompAllowed *allowed, size_t n, bool deadly);
