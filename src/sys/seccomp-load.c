/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loading a compiled seccomp filter.
 *
 * Call: seccomp(SECCOMP_SET_MODE_FILTER) with the program as it is; the kernel checks it. See seccomp(2). */
#include "sys/seccomp-load.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

int seccomp_load(const void *bytes, size_t size) {
        const size_t n = size / sizeof(struct sock_filter);

        if (n == 0 || n > BPF_MAXINSNS || size % sizeof(struct sock_filter) != 0)
                return -EINVAL;
        struct sock_fprog program = { .len = (unsigned short) n, .filter = (void *) bytes };
        return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? -errno : 0;
}
