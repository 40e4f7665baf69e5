/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of sys/seccomp-load.c: real filters, in children. */
#include "sys/seccomp-load.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "sandbox.h"
#include "sys/caps.h"

/* getppid() gives ENOTNAM, all else is allowed. */
static const struct sock_filter no_getppid[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTNAM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

static int load_and_call(void *arg) {
        if (syscall(SYS_getppid) < 0)
                return 1;
        if (seccomp_load(no_getppid, sizeof(no_getppid)) < 0)
                return 2;
        if (syscall(SYS_getppid) >= 0 || errno != ENOTNAM)
                return 3;
        return syscall(SYS_getuid) == 0 ? 0 : 4;
}

TEST(filter_is_in_force) {
        ASSERT_EQ(in_child(load_and_call, NULL), 0);
}

static int load_unprivileged(void *arg) {
        if (caps_set(0, 0, 0) < 0)
                return 1;
        if (seccomp_load(no_getppid, sizeof(no_getppid)) != -EACCES)
                return 2;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return 3;
        return load_and_call(NULL) == 0 ? 0 : 4;
}

TEST(needs_admin_or_no_new_privs) {
        ASSERT_EQ(in_child(load_unprivileged, NULL), 0);
}

static int load_broken(void *arg) {
        static struct sock_filter longest[BPF_MAXINSNS + 1];
        const struct sock_filter endless[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                                        0) }; /* no return */

        for (size_t i = 0; i < ELEMENTSOF(longest); i++)
                longest[i] = (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
        if (seccomp_load(no_getppid, 0) != -EINVAL)
                return 1;
        if (seccomp_load(no_getppid, sizeof(no_getppid) - 1) != -EINVAL)
                return 2;
        if (seccomp_load(longest, sizeof(longest)) != -EINVAL)
                return 3;
        if (seccomp_load(endless, sizeof(endless)) != -EINVAL)
                return 4;
        /* 65536 + 4 instructions must not be taken for 4. */
        if (seccomp_load(no_getppid, (UINT16_MAX + 5) * sizeof(struct sock_filter)) != -EINVAL)
                return 5;
        if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 0)
                return 6; /* something was loaded */
        return seccomp_load(longest, sizeof(longest) - sizeof(longest[0])) == 0 ? 0 : 7;
}

TEST(broken_programs_are_refused) {
        ASSERT_EQ(in_child(load_broken, NULL), 0);
}

TEST_MAIN
