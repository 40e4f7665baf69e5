/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The supervisor's own system call filter, for the time when its payload runs: what its loop, the stop and the clean-up need, and no
 * more. No program can be executed, no process made or looked at, nothing mounted, no file written or made, no network reached.
 *
 * Only for a supervisor in a unit: filters outlive execve(2), and any other one executes itself anew, with all that a start needs,
 * when its payload reboots. What is not listed fails with EPERM; for tests $BERTH_CONFINE=kill makes it deadly.
 *
 * Calls: seccomp(SECCOMP_SET_MODE_FILTER), after PR_SET_NO_NEW_PRIVS. */
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "basic/str.h"
#include "launch/supervisor.h"
#include "sys/seccomp-load.h"

#if defined(__x86_64__)
#define CONFINE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define CONFINE_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define CONFINE_ARCH AUDIT_ARCH_RISCV64
#elif defined(__s390x__)
#define CONFINE_ARCH AUDIT_ARCH_S390X
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
#define CONFINE_ARCH AUDIT_ARCH_PPC64LE
#else
#define CONFINE_ARCH 0 /* no filter */
#endif

/* An argument that has to be: (argument & mask) == value, in its lower 32 bits; mask 0: any. */
typedef struct Allowed {
        unsigned number;
        unsigned argument, mask, value;
} Allowed;

// clang-format off
static const Allowed allowed[] = {
        /* the loop */
#ifdef SYS_poll
        { SYS_poll,              0, 0, 0 },
#endif
        { SYS_ppoll,             0, 0, 0 },
        { SYS_read,              0, 0, 0 },
        { SYS_write,             0, 0, 0 },
        { SYS_writev,            0, 0, 0 },
        { SYS_pread64,           0, 0, 0 },
        { SYS_pwrite64,          0, 0, 0 },
        { SYS_close,             0, 0, 0 },
        { SYS_recvmsg,           0, 0, 0 },
        { SYS_recvfrom,          0, 0, 0 },
        { SYS_sendmsg,           0, 0, 0 },
        { SYS_sendto,            0, 0, 0 },
        { SYS_waitid,            0, 0, 0 },
        { SYS_pidfd_send_signal, 0, 0, 0 },
        { SYS_clock_gettime,     0, 0, 0 },
        { SYS_rt_sigreturn,      0, 0, 0 },
        { SYS_restart_syscall,   0, 0, 0 },
        { SYS_exit_group,        0, 0, 0 },
        /* memory */
        { SYS_brk,               0, 0, 0 },
        { SYS_mmap,              0, 0, 0 },
        { SYS_mremap,            0, 0, 0 },
        { SYS_munmap,            0, 0, 0 },
        { SYS_madvise,           0, 0, 0 },
        { SYS_getrandom,         0, 0, 0 },
        /* the console */
        { SYS_ioctl,             0, 0, 0 },
        { SYS_fcntl,             0, 0, 0 },
        /* the manager, the journal, the service manager: sockets of this machine */
        { SYS_socket,            0, UINT32_MAX, AF_UNIX },
        { SYS_connect,           0, 0, 0 },
        /* /proc/PID/status, and the removal of groups */
        { SYS_openat,            2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY },
        { SYS_fstat,             0, 0, 0 },
#ifdef SYS_newfstatat
        { SYS_newfstatat,        0, 0, 0 },
#endif
        { SYS_lseek,             0, 0, 0 },
        { SYS_getdents64,        0, 0, 0 },
        { SYS_unlinkat,          2, UINT32_MAX, AT_REMOVEDIR },
        { SYS_capset,            0, 0, 0 },
};
// clang-format on

#define PER_CALL 6 /* instructions */
#define PROGRAM_MAX (8 + ELEMENTSOF(allowed) * PER_CALL)

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

int supervisor_confine(void) {
        const char *deadly = getenv("BERTH_CONFINE");
        const unsigned otherwise = deadly && streq(deadly, "kill")
                                           ? SECCOMP_RET_KILL_PROCESS
                                           : SECCOMP_RET_ERRNO | (EPERM & SECCOMP_RET_DATA);
        struct sock_filter p[PROGRAM_MAX];
        size_t n = 0;

        if (CONFINE_ARCH == 0 || BERTH_SANITIZED) /* a sanitizer has needs of its own */
                return 0;
        p[n++] = LOAD(OFFSET(arch));
        p[n++] = (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CONFINE_ARCH, 1, 0);
        p[n++] = RETURN(SECCOMP_RET_KILL_PROCESS);
        p[n++] = LOAD(OFFSET(nr));
        for (size_t i = 0; i < ELEMENTSOF(allowed); i++) {
                const Allowed *a = allowed + i;
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
        p[n++] = RETURN(otherwise);
        return seccomp_load(p, n * sizeof(p[0]));
}
