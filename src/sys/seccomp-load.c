/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loading a compiled seccomp filter.
 *
 * Call: seccomp(SECCOMP_SET_MODE_FILTER) with the program as it is; the kernel checks it. See seccomp(2). */
#include "sys/seccomp-load.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

int seccomp_load(const void *bytes, size_t size) {
        const size_t n = size / sizeof(struct sock_filter);

        if (n == 0 || n > BPF_MAXINSNS || size % sizeof(struct sock_filter) != 0)
                return -EINVAL;
        struct sock_fprog program = { .len = (unsigned short) n, .filter = (void *) bytes };
        return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? -errno : 0;
}

/* ---- a table ---- */

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define NATIVE_ARCH AUDIT_ARCH_RISCV64
#elif defined(__s390x__)
#define NATIVE_ARCH AUDIT_ARCH_S390X
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
#define NATIVE_ARCH AUDIT_ARCH_PPC64LE
#else
#define NATIVE_ARCH 0 /* no filter */
#endif

#define PER_CALL 6 /* instructions */
#define PROGRAM_MAX (10 + SECCOMP_ALLOWED_MAX * PER_CALL)

#define OFFSET(member) ((unsigned) offsetof(struct seccomp_data, member))
#define LOAD(offset) ((struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset)))
#define RETURN(value) ((struct sock_filter) BPF_STMT(BPF_RET | BPF_K, (value)))
/* The next instruction if the accumulator is k, else skip so many. */
#define UNLESS(k, skip) ((struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), 0, (skip)))
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define LOWER_HALF 4U
#else
#define LOWER_HALF 0U
#endif

int seccomp_allow_only(const SeccompAllowed *allowed, size_t n_allowed, bool deadly) {
        const unsigned otherwise =
                deadly ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ERRNO | (EPERM & SECCOMP_RET_DATA);
        struct sock_filter p[PROGRAM_MAX];
        size_t n = 0;

        if (n_allowed > SECCOMP_ALLOWED_MAX)
                return -E2BIG;
        if (NATIVE_ARCH == 0 || BERTH_SANITIZED)
                return 0;
        p[n++] = LOAD(OFFSET(arch));
        p[n++] = (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0);
        p[n++] = RETURN(SECCOMP_RET_KILL_PROCESS);
        p[n++] = LOAD(OFFSET(nr));
        for (size_t i = 0; i < n_allowed; i++) {
                const SeccompAllowed *a = allowed + i;
                if (a->mask == 0) {
                        p[n++] = UNLESS(a->number, 1);
                        p[n++] = RETURN(SECCOMP_RET_ALLOW);
                        continue;
                }
                p[n++] = UNLESS(a->number, 5);
                p[n++] =
                        LOAD(OFFSET(args) + a->argument * (unsigned) sizeof(uint64_t) + LOWER_HALF);
                p[n++] = (struct sock_filter) BPF_STMT(BPF_ALU | BPF_AND | BPF_K, a->mask);
                p[n++] = UNLESS(a->value, 1);
                p[n++] = RETURN(SECCOMP_RET_ALLOW);
                p[n++] = RETURN(otherwise); /* the accumulator has no number any more */
        }
        if (!deadly) { /* its flags cannot be seen: libc goes on with clone() then */
                p[n++] = UNLESS(SYS_clone3, 1);
                p[n++] = RETURN(SECCOMP_RET_ERRNO | (ENOSYS & SECCOMP_RET_DATA));
        }
        p[n++] = RETURN(otherwise);
        return seccomp_load(p, n * sizeof(p[0]));
}
