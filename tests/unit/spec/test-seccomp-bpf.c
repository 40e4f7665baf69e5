/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tree of ranges: each number finds its own action, whatever the shape. */
#include "spec/seccomp-bpf.h"

#include <linux/audit.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sys/socket.h>

#include "spec/address-families.h"
#include "test.h"

/* What the kernel would do: runs the program on one call. */
static uint32_t bpf_run(const struct sock_filter *p, size_t n, const struct seccomp_data *call) {
        uint32_t a = 0;

        for (size_t i = 0; i < n; i++)
                switch (p[i].code) {
                case BPF_LD | BPF_W | BPF_ABS:
                        memcpy(&a, (const char *) call + p[i].k, sizeof(a));
                        break;
                case BPF_JMP | BPF_JA:
                        i += p[i].k;
                        break;
                case BPF_JMP | BPF_JEQ | BPF_K:
                        i += a == p[i].k ? p[i].jt : p[i].jf;
                        break;
                case BPF_JMP | BPF_JGE | BPF_K:
                        i += a >= p[i].k ? p[i].jt : p[i].jf;
                        break;
                case BPF_RET | BPF_K:
                        return p[i].k;
                default:
                        TEST_FAIL("unexpected instruction");
                }
        TEST_FAIL("the program has no end");
}

TEST(tree_finds_every_number) {
        static SeccompArchitecture a[2] = { { .audit_arch = AUDIT_ARCH_X86_64 },
                                            { .audit_arch = AUDIT_ARCH_I386 } };
        struct sock_filter *program;
        size_t n;

        for (unsigned round = 0; round < 3; round++) {
                for (unsigned i = 0; i < SECCOMP_NUMBERS; i++) {
                        /* every number another one than its neighbour: the largest tree there is */
                        a[0].actions[i] = round == 0   ? SECCOMP_RET_ERRNO | (i % 2)
                                          : round == 1 ? SECCOMP_RET_ALLOW
                                                       : i;
                        a[1].actions[i] = SECCOMP_RET_ERRNO | (7 + i % 3);
                        if (a[0].actions[i] == SECCOMP_ACTION_SOCKET)
                                a[0].actions[i] = SECCOMP_RET_ALLOW;
                }
                ASSERT_OK(seccomp_bpf_build(a, 2, SECCOMP_RET_ERRNO | ENOSYS, &program, &n));
                for (unsigned k = 0; k < 2; k++)
                        for (unsigned i = 0; i < SECCOMP_NUMBERS + 10; i++) {
                                struct seccomp_data call = { .nr = (int) i,
                                                             .arch = a[k].audit_arch };
                                uint32_t expect = i < SECCOMP_NUMBERS
                                                          ? a[k].actions[i]
                                                          : (SECCOMP_RET_ERRNO | ENOSYS);

                                ASSERT_EQ(bpf_run(program, n, &call), expect);
                        }
                ASSERT_EQ(bpf_run(program, n,
                                  &(struct seccomp_data){ .nr = 1, .arch = AUDIT_ARCH_ARM }),
                          SECCOMP_RET_ERRNO | ENOSYS);
                ASSERT_EQ(bpf_run(program, n,
                                  &(struct seccomp_data){ .nr = -1, .arch = AUDIT_ARCH_X86_64 }),
                          SECCOMP_RET_ERRNO | ENOSYS);
                free(program);
        }
}

TEST(socket_looks_at_its_arguments) {
        static SeccompArchitecture a = { .audit_arch = AUDIT_ARCH_X86_64 };
        static const struct {
                uint64_t domain, protocol;
                uint32_t action;
        } cases[] = {
                { AF_NETLINK, NETLINK_AUDIT, SECCOMP_RET_ERRNO | EAFNOSUPPORT },
                { AF_NETLINK | UINT64_C(1) << 32, NETLINK_AUDIT | UINT64_C(1) << 40,
                  SECCOMP_RET_ERRNO | EAFNOSUPPORT },
                { AF_NETLINK, NETLINK_ROUTE, SECCOMP_RET_ALLOW },
                { AF_UNIX, NETLINK_AUDIT, SECCOMP_RET_ALLOW },
        };
        struct sock_filter *program;
        size_t n;

        a.families = FAMILIES_ALL;
        for (unsigned i = 0; i < SECCOMP_NUMBERS; i++)
                a.actions[i] = i == 41 ? SECCOMP_ACTION_SOCKET : SECCOMP_RET_ALLOW;
        ASSERT_OK(seccomp_bpf_build(&a, 1, SECCOMP_RET_ERRNO | ENOSYS, &program, &n));
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                struct seccomp_data call = { .nr = 41,
                                             .arch = AUDIT_ARCH_X86_64,
                                             .args = { cases[i].domain, 0, cases[i].protocol } };

                ASSERT_EQ(bpf_run(program, n, &call), cases[i].action);
        }
        free(program);
}

TEST_MAIN
