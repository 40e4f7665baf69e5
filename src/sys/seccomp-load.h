/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loading a compiled seccomp filter: bytes in, seccomp(2) out. Compiling is spec/seccomp-compile.c. */
#pragma once

#include "basic/macros.h"

/* bytes: an array of struct sock_filter. Needs no_new_privs or CAP_SYS_ADMIN in the caller's user namespace. No
 * allocation: the child calls it between clone3() and execve(). */
int seccomp_load(const void *bytes, size_t size);
