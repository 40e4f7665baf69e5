/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tree of ranges in BPF. A node is "jge FIRST_OF_THE_RIGHT_HALF"; its left half follows it, then its right half. Conditional
 * jumps reach 255 instructions, so a node over a large left half jumps there through a "ja". */
#include "spec/seccomp-bpf.h"

#include <linux/audit.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sys/socket.h>

#include "basic/alloc.h"
#include "spec/address-families.h"

#define JUMP_MAX 255U

typedef struct Program {
        struct sock_filter *code;
        size_t n;
        bool failed;
} Program;

/* Numbers from `first` up to the next range's */
typedef struct Range {
        uint32_t first, action;
} Range;

static void emit(Program *p, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf) {
        struct sock_filter *i = p->failed ? NULL : ARRAY_APPEND(p->code, p->n);

        if (i)
                *i = (struct sock_filter){ .code = code, .jt = jt, .jf = jf, .k = k };
        else
                p->failed = true;
}

static void emit_load(Program *p, size_t offset) {
        emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t) offset, 0, 0);
}

/* The low half of a 64-bit argument: the kernel takes an int of socket(2) from there. */
static size_t argument_offset(unsigned i) {
        const size_t low = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? sizeof(uint32_t) : 0;

        return offsetof(struct seccomp_data, args) + i * sizeof(uint64_t) + low;
}

/* The accumulator holds the family. The listed ones are few, so they are asked for one by one. */
static void emit_families(Program *p, uint64_t families) {
        const bool allow_others = families & FAMILIES_OTHERS;
        const uint64_t listed = allow_others ? ~families : families;
        unsigned left = (unsigned) __builtin_popcountll(listed);

        if (families == FAMILIES_ALL)
                return;
        /* listed: to the instruction behind the next one, which is what happens to all others */
        for (unsigned i = 0; i < 64; i++)
                if (listed & FAMILY_MASK(i))
                        emit(p, BPF_JMP | BPF_JEQ | BPF_K, i, (uint8_t) left--, 0);
        if (allow_others)
                emit(p, BPF_JMP | BPF_JA, 1, 0, 0);
        emit(p, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT, 0, 0);
}

static void emit_action(Program *p, uint32_t action, uint64_t families) {
        if (action != SECCOMP_ACTION_SOCKET) {
                emit(p, BPF_RET | BPF_K, action, 0, 0);
                return;
        }
        emit_load(p, argument_offset(0));
        emit_families(p, families);
        emit(p, BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 3);
        emit_load(p, argument_offset(2));
        emit(p, BPF_JMP | BPF_JEQ | BPF_K, NETLINK_AUDIT, 0, 1);
        emit(p, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT, 0, 0);
        emit(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}

/* The accumulator holds the number. Recursion is as deep as the tree: at most 9. */
static void emit_tree(Program *p, const Range *ranges, size_t n, uint64_t families) {
        size_t half = n / 2, node, left;

        if (n == 1) {
                emit_action(p, ranges->action, families);
                return;
        }
        node = p->n;
        emit(p, BPF_JMP | BPF_JGE | BPF_K, ranges[half].first, 0, 0);
        emit(p, BPF_JMP | BPF_JA, 0, 0, 0);
        emit_tree(p, ranges, half, families);
        if (p->failed)
                return;
        left = p->n - (node + 2);
        if (left <= JUMP_MAX) { /* no "ja" needed: the instructions move up by one */
                memmove(p->code + node + 1, p->code + node + 2, left * sizeof(struct sock_filter));
                p->n--;
                p->code[node].jt = (uint8_t) left;
        } else {
                p->code[node].jf = 1;
                p->code[node + 1].k = (uint32_t) left;
        }
        emit_tree(p, ranges + half, n - half, families);
}

static size_t ranges_make(const SeccompArchitecture *a, uint32_t default_action,
                          Range ranges[static SECCOMP_NUMBERS + 1]) {
        size_t n = 0;

        for (uint32_t i = 0; i <= SECCOMP_NUMBERS; i++) {
                uint32_t action = i < SECCOMP_NUMBERS ? a->actions[i] : default_action;

                if (n == 0 || ranges[n - 1].action != action)
                        ranges[n++] = (Range){ i, action };
        }
        return n;
}

int seccomp_bpf_build(const SeccompArchitecture *architectures, size_t n, uint32_t default_action,
                      struct sock_filter **ret, size_t *ret_n) {
        Range ranges[SECCOMP_NUMBERS + 1];
        Program p = { 0 };

        emit_load(&p, offsetof(struct seccomp_data, arch));
        for (size_t i = 0; i < n; i++) {
                size_t start = p.n;

                emit(&p, BPF_JMP | BPF_JEQ | BPF_K, architectures[i].audit_arch, 1, 0);
                emit(&p, BPF_JMP | BPF_JA, 0, 0, 0);
                emit_load(&p, offsetof(struct seccomp_data, nr));
                emit_tree(&p, ranges, ranges_make(architectures + i, default_action, ranges),
                          architectures[i].families);
                if (!p.failed)
                        p.code[start + 1].k = (uint32_t) (p.n - (start + 2));
        }
        emit(&p, BPF_RET | BPF_K, default_action, 0, 0);
        if (p.failed || p.n > BPF_MAXINSNS) {
                free(p.code);
                return p.failed ? -ENOMEM : -E2BIG;
        }
        *ret = p.code;
        *ret_n = p.n;
        return 0;
}
