/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Capability sets as 64-bit masks, and their names.
 *
 * Calls: capget(2)/capset(2) version 3 (two 32-bit words a set), prctl(PR_CAPBSET_READ) to learn which capabilities exist
 * (EINVAL: none of that number), prctl(PR_CAPBSET_DROP). See capabilities(7). */
#include "sys/caps.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <strings.h>

#include "basic/parse.h"
#include "basic/str.h"

#define CAP_MAX 63 /* what a mask can hold */

static const char *const cap_names[] = {
        "CAP_CHOWN",
        "CAP_DAC_OVERRIDE",
        "CAP_DAC_READ_SEARCH",
        "CAP_FOWNER",
        "CAP_FSETID",
        "CAP_KILL",
        "CAP_SETGID",
        "CAP_SETUID",
        "CAP_SETPCAP",
        "CAP_LINUX_IMMUTABLE",
        "CAP_NET_BIND_SERVICE",
        "CAP_NET_BROADCAST",
        "CAP_NET_ADMIN",
        "CAP_NET_RAW",
        "CAP_IPC_LOCK",
        "CAP_IPC_OWNER",
        "CAP_SYS_MODULE",
        "CAP_SYS_RAWIO",
        "CAP_SYS_CHROOT",
        "CAP_SYS_PTRACE",
        "CAP_SYS_PACCT",
        "CAP_SYS_ADMIN",
        "CAP_SYS_BOOT",
        "CAP_SYS_NICE",
        "CAP_SYS_RESOURCE",
        "CAP_SYS_TIME",
        "CAP_SYS_TTY_CONFIG",
        "CAP_MKNOD",
        "CAP_LEASE",
        "CAP_AUDIT_WRITE",
        "CAP_AUDIT_CONTROL",
        "CAP_SETFCAP",
        "CAP_MAC_OVERRIDE",
        "CAP_MAC_ADMIN",
        "CAP_SYSLOG",
        "CAP_WAKE_ALARM",
        "CAP_BLOCK_SUSPEND",
        "CAP_AUDIT_READ",
        "CAP_PERFMON",
        "CAP_BPF",
        "CAP_CHECKPOINT_RESTORE", /* 40, Linux 5.9 */
};

static bool cap_exists(int cap) {
        return prctl(PR_CAPBSET_READ, (unsigned long) cap, 0UL, 0UL, 0UL) >= 0;
}

int caps_last(void) {
        int cap = (int) ELEMENTSOF(cap_names) -
                  1; /* right on every kernel we know: two probes then */

        while (cap > 0 && !cap_exists(cap))
                cap--;
        while (cap < CAP_MAX && cap_exists(cap + 1))
                cap++;
        return cap;
}

const char *cap_to_name(int cap) {
        return cap >= 0 && (size_t) cap < ELEMENTSOF(cap_names) ? cap_names[cap] : NULL;
}

int cap_from_name(const char *s) {
        const size_t prefix = STRLEN("CAP_");
        uint32_t n;

        if (parse_u32(s, &n) >= 0)
                return n <= CAP_MAX ? (int) n : -EINVAL;
        if (strncasecmp(s, "CAP_", prefix) == 0)
                s += prefix;
        for (size_t i = 0; i < ELEMENTSOF(cap_names); i++)
                if (strcasecmp(s, cap_names[i] + prefix) == 0)
                        return (int) i;
        return -EINVAL;
}

int caps_get_effective(uint64_t *ret) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct words[_LINUX_CAPABILITY_U32S_3] = { 0 };

        if (syscall(SYS_capget, &header, words) < 0)
                return -errno;
        *ret = (uint64_t) words[1].effective << 32 | words[0].effective;
        return 0;
}

int caps_set(uint64_t effective, uint64_t permitted, uint64_t inheritable) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        const struct __user_cap_data_struct words[_LINUX_CAPABILITY_U32S_3] = {
                { (uint32_t) effective, (uint32_t) permitted, (uint32_t) inheritable },
                { (uint32_t) (effective >> 32), (uint32_t) (permitted >> 32),
                  (uint32_t) (inheritable >> 32) },
        };

        return syscall(SYS_capset, &header, words) < 0 ? -errno : 0;
}

int caps_drop_bounding(uint64_t keep) {
        for (int cap = 0; cap <= CAP_MAX; cap++) {
                if (keep & CAP_MASK(cap))
                        continue;
                if (prctl(PR_CAPBSET_DROP, (unsigned long) cap, 0UL, 0UL, 0UL) >= 0)
                        continue;
                /* The first number without a capability: all are dropped. */
                return errno == EINVAL && cap > 0 ? 0 : -errno;
        }
        return 0;
}

int caps_set_ambient(uint64_t ambient) {
        for (int cap = 0; cap <= CAP_MAX; cap++) {
                if (!(ambient & CAP_MASK(cap)) ||
                    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, (unsigned long) cap, 0UL, 0UL) >= 0)
                        continue;
                /* The first number without a capability: those that there are, are raised. */
                return errno == EINVAL && cap > 0 ? 0 : -errno;
        }
        return 0;
}

int caps_parse(const char *s, uint64_t *ret) {
        uint64_t caps = 0;

        for (;;) {
                _cleanup_free_ char *word = NULL;
                int r = extract_word(&s, WHITESPACE ",", 0, &word);
                if (r < 0)
                        return r;
                if (r == 0)
                        break;
                if (word[0] == '\0') /* between two separators */
                        continue;
                if (strcasecmp(word, "all") == 0) {
                        caps = CAP_ALL_MASK;
                        continue;
                }
                int cap = cap_from_name(word);
                if (cap < 0)
                        return cap;
                caps |= CAP_MASK(cap);
        }
        *ret = caps;
        return 0;
}

char *caps_format(uint64_t caps) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        char *text;

        if (caps == CAP_ALL_MASK)
                strbuf_add(&b, "all");
        else
                for (int cap = 0; cap <= CAP_MAX; cap++) {
                        if (!(caps & CAP_MASK(cap)))
                                continue;
                        if (b.size > 0)
                                strbuf_add(&b, " ");
                        if (cap_to_name(cap))
                                strbuf_add(&b, cap_to_name(cap));
                        else
                                strbuf_addf(&b, "%d", cap);
                }
        return strbuf_finish(&b, &text) < 0 ? NULL : text;
}
