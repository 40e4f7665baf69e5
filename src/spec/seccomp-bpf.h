/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From "this number: that action" to BPF instructions: one binary search tree over ranges of numbers
 * for each architecture. The kernel runs the filter at each system call, so depth is what counts; and
 * it checks every instruction at load, so length does too. For the default filter libseccomp 2.5.4
 * itself takes 80 ms and makes 964 instructions (its binary tree has a leaf for each call); this
 * takes 4 ms and makes 318. */
#pragma once

#include <linux/filter.h>

#include "basic/macros.h"

#define SECCOMP_NUMBERS \
        512U /* system call numbers that a table has; all above get the default action */

/* Not the kernel's: socket(2) and socketpair(2), allowed but for families that are refused and for the audit netlink protocol (EAFNOSUPPORT, as on a kernel without them). */
#define SECCOMP_ACTION_SOCKET 1U

typedef struct SeccompArchitecture {
        uint32_t audit_arch; /* AUDIT_ARCH_* */
        uint64_t families;   /* of sockets; FAMILIES_ALL, or as address-families.h has them */
        uint32_t actions[SECCOMP_NUMBERS]; /* SECCOMP_RET_*, SECCOMP_ACTION_SOCKET */
} SeccompArchitecture;

/* Numbers outside of the tables and other architectures get default_action. The result is allocated. 0, -ENOMEM, -E2BIG. */
int seccomp_bpf_build(const SeccompArchitecture *architectures, size_t n, uint32_t default_action,
                      struct sock_filter **ret, size_t *ret_n);
