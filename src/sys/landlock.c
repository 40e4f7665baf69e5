/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Landlock.
 *
 * Calls: landlock_create_ruleset (Linux 5.13; REFER 5.19, TRUNCATE 6.2, TCP 6.7, ioctls of devices 6.10, scopes 6.12), landlock_add_rule,
 * landlock_restrict_self. Numbers and bits of newer kernels than the headers know are given here. */
#include "sys/landlock.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "basic/fd.h"

#define EXECUTE (UINT64_C(1) << 0)
#define WRITE_FILE (UINT64_C(1) << 1)
#define READ_FILE (UINT64_C(1) << 2)
#define READ_DIR (UINT64_C(1) << 3)
#define REMOVE_DIR (UINT64_C(1) << 4)
#define REMOVE_FILE (UINT64_C(1) << 5)
#define MAKE_CHAR (UINT64_C(1) << 6)
#define MAKE_DIR (UINT64_C(1) << 7)
#define MAKE_REG (UINT64_C(1) << 8)
#define MAKE_SOCK (UINT64_C(1) << 9)
#define MAKE_FIFO (UINT64_C(1) << 10)
#define MAKE_BLOCK (UINT64_C(1) << 11)
#define MAKE_SYM (UINT64_C(1) << 12)
#define REFER (UINT64_C(1) << 13)
#define TRUNCATE (UINT64_C(1) << 14)
#define IOCTL_DEV (UINT64_C(1) << 15)

#define READING (READ_FILE | READ_DIR)
#define WRITING                                                                               \
        (WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_FIFO | MAKE_SYM | \
         REFER | TRUNCATE)

#define OF_FILES (EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE)

#define CREATE_VERSION 1U
#define RULE_PATH_BENEATH 1

typedef struct Ruleset {
        uint64_t files, network, scoped;
} Ruleset;

/* As the kernel has it: packed. */
typedef struct _packed_ PathBeneath {
        uint64_t allowed;
        int32_t parent_fd;
} PathBeneath;

/* What kernels of this version can deny. The size of what they are given may be larger, if the rest is zero. */
static Ruleset ruleset_of_version(long version, bool network) {
        Ruleset s = { .files = (REFER << 1) - 1 };
        if (version < 2)
                s.files &= ~REFER; /* is denied then, always */
        if (version >= 3)
                s.files |= TRUNCATE;
        if (version >= 4 && !network)
                s.network = 3; /* bind and connect */
        if (version >= 5)
                s.files |= IOCTL_DEV;
        if (version >= 6)
                s.scoped = 3; /* abstract sockets, signals */
        return s;
}

int landlock_restrict(const LandlockRule *rules, size_t n, bool network) {
        const long version = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
        if (version < 0)
                return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -errno;
        const Ruleset s = ruleset_of_version(version, network);
        _cleanup_close_ int fd = (int) syscall(SYS_landlock_create_ruleset, &s, sizeof(s), 0);
        if (fd < 0)
                return -errno;
        for (size_t i = 0; i < n; i++) {
                const uint64_t fitting =
                        rules[i].rights & LANDLOCK_ONE_FILE ? OF_FILES : UINT64_MAX;
                const PathBeneath rule = {
                        .allowed = s.files & fitting &
                                   ((rules[i].rights & LANDLOCK_READ ? READING : 0) |
                                    (rules[i].rights & LANDLOCK_WRITE ? WRITING : 0) |
                                    (rules[i].rights & LANDLOCK_EXECUTE ? EXECUTE : 0)),
                        .parent_fd = rules[i].fd,
                };
                if (syscall(SYS_landlock_add_rule, fd, RULE_PATH_BENEATH, &rule, 0) < 0)
                        return -errno;
        }
        return syscall(SYS_landlock_restrict_self, fd, 0) < 0 ? -errno : 1;
}
