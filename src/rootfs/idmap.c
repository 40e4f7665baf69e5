/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The container's user and group ids: choosing the range, and being its root.
 *
 * Calls: fcntl locks on one file per 64K block; setresgid, setresuid of the effective ids (the file-system ids follow them), capset
 * (an effective user ID other than 0 loses the effective capabilities, capabilities(7)); mount_setattr(MOUNT_ATTR_IDMAP) is
 * sys/mount-api.c. */
#include "rootfs/idmap.h"

#include <linux/magic.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/parse.h"
#include "rootfs/owner.h"
#include "sys/caps.h"
#include "sys/lock.h"

#define RANGE_SIZE 65536U
#define RANGE_MIN 524288U     /* systemd's container range: 0x00080000 … 0x6FFFFFFF */
#define RANGE_MAX 1878982656U /* the last block's first id */
#define PICK_ATTEMPTS 256U
#define HOST_FILE_MAX (4U << 20)

#define RANGE_LOCK_DIR \
        "/run/systemd/nspawn-uid" /* systemd-nspawn's: the two keep out of each other's way */

/* Files of the host that give ids away: `field` is the first id of a line, the next one their number if `ranges`. */
static const struct {
        const char *path;
        unsigned field;
        bool ranges;
} host_id_files[] = {
        { "/etc/passwd", 2, false },
        { "/etc/group", 2, false },
        { "/etc/subuid", 1, true },
        { "/etc/subgid", 1, true },
};

typedef struct HostIds {
        char *texts[ELEMENTSOF(host_id_files)];
} HostIds;

static void host_ids_done(HostIds *h) {
        for (size_t i = 0; i < ELEMENTSOF(h->texts); i++)
                free(h->texts[i]);
}

static void host_ids_read(HostIds *h) {
        for (size_t i = 0; i < ELEMENTSOF(h->texts); i++) {
                int r = file_read_regular(AT_FDCWD, host_id_files[i].path, HOST_FILE_MAX,
                                          &h->texts[i]);
                if (r < 0 && r != -ENOENT)
                        log_debug_errno(r, "Cannot read %s, its ids are not avoided",
                                        host_id_files[i].path);
        }
}

/* A number that ends at ':' or at the end of the line. */
static bool read_id(const char *s, uint64_t *ret) {
        char digits[11];
        const size_t n = strcspn(s, ":\n");

        if (n >= sizeof(digits))
                return false;
        memcpy(digits, s, n);
        digits[n] = '\0';
        return parse_u64(digits, ret) >= 0;
}

static bool line_overlaps(const char *line, unsigned field, bool ranges, uint32_t base) {
        uint64_t first, count = 1;

        for (unsigned i = 0; i < field; i++) {
                line += strcspn(line, ":\n");
                if (*line++ != ':')
                        return false;
        }
        if (!read_id(line, &first))
                return false;
        if (ranges) {
                line += strcspn(line, ":\n");
                if (*line != ':' || !read_id(line + 1, &count))
                        return false;
        }
        return first < (uint64_t) base + RANGE_SIZE && first + count > base;
}

static bool host_ids_overlap(const HostIds *h, uint32_t base) {
        for (size_t i = 0; i < ELEMENTSOF(h->texts); i++)
                for (const char *line = h->texts[i]; line && *line;) {
                        if (line_overlaps(line, host_id_files[i].field, host_id_files[i].ranges,
                                          base))
                                return true;
                        line = strchr(line, '\n');
                        line = line ? line + 1 : NULL;
                }
        return false;
}

/* Locks the block that begins with base. -EBUSY: somebody has it. */
static int range_lock(Rootfs *r, uint32_t base, LockMode mode, size_t slot) {
        char name[16];

        snprintf(name, sizeof(name), "%u", base);
        return r->range_lock_fds[slot] = lock_take(RANGE_LOCK_DIR, name, mode);
}

static int lock_error(int code, Error *reterr) {
        error_set_errno(reterr, code, ERROR_SETUP_FAILED, "locking a user ID range below %s failed",
                        RANGE_LOCK_DIR);
        if (IN_SET(code, -EACCES, -EPERM, -EROFS))
                error_hint(reterr, "this needs root");
        return code;
}

static bool in_pick_range(uint32_t base) {
        return base >= RANGE_MIN && base <= RANGE_MAX;
}

/* A range that was asked for is shared with others who ask for it, but kept from those who pick. */
static int range_reserve(Rootfs *r, Error *reterr) {
        const uint32_t first = r->map.outside & ~(RANGE_SIZE - 1),
                       last = (r->map.outside + (r->map.count - 1)) & ~(RANGE_SIZE - 1);
        const uint32_t blocks[] = { first, last };

        for (size_t i = 0; i < ELEMENTSOF(blocks); i++) {
                if (!in_pick_range(blocks[i]) || (i > 0 && blocks[i] == blocks[0]))
                        continue;
                int k = range_lock(r, blocks[i], LOCK_MODE_SHARED, i);
                if (k == -EBUSY) {
                        error_set(reterr, k, ERROR_ROOT_BUSY,
                                  "the user ID range %u…%u is in use by another container",
                                  blocks[i], blocks[i] + (RANGE_SIZE - 1));
                        error_hint(reterr,
                                   "choose another one, or let berth choose: --private-users=pick");
                        return k;
                }
                if (k < 0)
                        return lock_error(k, reterr);
        }
        return 0;
}

static int choose_from_owner(const ContainerSpec *spec, const struct stat *st, Rootfs *r,
                             Error *reterr) {
        const uint32_t mask = ~(RANGE_SIZE - 1);

        if (owner_is_busy(st->st_uid)) {
                error_set(reterr, -EUCLEAN, ERROR_NOT_A_ROOT,
                          "giving the files in '%s' to a user ID range was interrupted",
                          spec_root_path(spec));
                error_hint(reterr, "start it once with the range and "
                                   "--private-users-ownership=chown: that goes on with it");
                return -EUCLEAN;
        }
        if ((st->st_uid & mask) != (st->st_gid & mask)) {
                error_set(
                        reterr, -EUCLEAN, ERROR_NOT_A_ROOT,
                        "user %u and group %u that own the root directory '%s' are not of one range",
                        st->st_uid, st->st_gid, spec_root_path(spec));
                error_hint(reterr, "change its owner, or choose a range with --private-users=");
                return -EUCLEAN;
        }
        r->map = (IdMap){ .outside = st->st_uid & mask, .count = RANGE_SIZE };
        if (r->map.outside == 0)
                log_debug("'%s' belongs to users of the host, the container shares their ids",
                          spec_root_path(spec));
        return 0;
}

/* FNV-1a, then mixed so that names that differ in their last letter lie far apart. */
static uint32_t hash_name(const char *name) {
        uint64_t h = UINT64_C(0xcbf29ce484222325);

        for (; *name; name++)
                h = (h ^ (unsigned char) *name) * UINT64_C(0x100000001b3);
        h = (h ^ (h >> 33)) * UINT64_C(0xff51afd7ed558ccd);
        return (uint32_t) (h >> 32);
}

static int pick_any(const ContainerSpec *spec, Rootfs *r, Error *reterr) {
        const uint32_t n_blocks = (RANGE_MAX - RANGE_MIN) / RANGE_SIZE + 1;
        _cleanup_(host_ids_done) HostIds host = { 0 };
        uint32_t number = hash_name(spec->name);

        host_ids_read(&host);
        for (unsigned i = 0; i < PICK_ATTEMPTS; i++) {
                const uint32_t base = RANGE_MIN + number % n_blocks * RANGE_SIZE;
                int k = host_ids_overlap(&host, base) ? -EBUSY
                                                      : range_lock(r, base, LOCK_MODE_EXCLUSIVE, 0);
                if (k >= 0) {
                        r->map = (IdMap){ .outside = base, .count = RANGE_SIZE };
                        return 0;
                }
                if (k != -EBUSY)
                        return lock_error(k, reterr);
                if (getrandom(&number, sizeof(number), 0) != sizeof(number))
                        number = number * 69069 + 1;
        }
        error_set(reterr, -EBUSY, ERROR_LIMIT_EXCEEDED, "no free user ID range was found in %u…%u",
                  RANGE_MIN, RANGE_MAX + (RANGE_SIZE - 1));
        error_hint(reterr, "are there large ranges in /etc/subuid? Choose one yourself with "
                           "--private-users=UID:COUNT");
        return -EBUSY;
}

static int choose_by_pick(const ContainerSpec *spec, const struct stat *st, Rootfs *r,
                          Error *reterr) {
        const uint32_t owner = st->st_uid & ~(RANGE_SIZE - 1);

        if (!in_pick_range(owner))
                return pick_any(spec, r, reterr);
        /* The tree was given to a range already: no other would do. */
        int k = range_lock(r, owner, LOCK_MODE_EXCLUSIVE, 0);
        if (k == -EBUSY)
                return error_set(
                        reterr, k, ERROR_ROOT_BUSY,
                        "the user ID range %u…%u that owns '%s' is in use by another container",
                        owner, owner + (RANGE_SIZE - 1), spec_root_path(spec));
        if (k < 0)
                return lock_error(k, reterr);
        r->map = (IdMap){ .outside = owner, .count = RANGE_SIZE };
        return 0;
}

int rootfs_check_user(const Rootfs *r, Error *reterr) {
        if (r->map.count == 0)
                return 0;
        for (size_t i = 0; i < r->user.n_groups; i++)
                if (r->user.groups[i] >= r->map.count)
                        return error_set(
                                reterr, -ERANGE, ERROR_NO_SUCH_USER,
                                "group ID %u of user '%s' is beyond the container's %u ids",
                                r->user.groups[i], r->user.name, r->map.count);
        if (r->user.uid >= r->map.count || r->user.gid >= r->map.count)
                return error_set(
                        reterr, -ERANGE, ERROR_NO_SUCH_USER,
                        "user '%s' (user ID %u, group ID %u) is beyond the container's %u ids",
                        r->user.name, r->user.uid, r->user.gid, r->map.count);
        return 0;
}

int rootfs_choose_ids(const ContainerSpec *spec, Rootfs *r, Error *reterr) {
        const UsernsMode mode = spec->users.mode;
        const struct stat *st = &r->directory_stat;
        int k = 0;

        r->map = (IdMap){ 0 };
        if (mode == USERNS_NO)
                return 0;
        if (mode == USERNS_PICK)
                k = choose_by_pick(spec, st, r, reterr);
        else if (mode == USERNS_YES)
                k = choose_from_owner(spec, st, r, reterr);
        else if (mode == USERNS_IDENTITY)
                r->map = (IdMap){ .count = RANGE_SIZE };
        else
                r->map = (IdMap){ .outside = spec->users.base,
                                  .count = spec->users.count > 0 ? spec->users.count : RANGE_SIZE };
        if (k >= 0 && (uint64_t) r->map.outside + r->map.count > UINT32_MAX)
                return error_set(reterr, -ERANGE, ERROR_INVALID_SETTING,
                                 "the user ID range %u:%u goes beyond the last user ID",
                                 r->map.outside, r->map.count);
        if (k >= 0 && mode != USERNS_PICK)
                k = range_reserve(r, reterr);
        return k;
}

int idmap_holder(Rootfs *r, Error *reterr) {
        if (r->userns_fd >= 0)
                return r->userns_fd;
        int fd = userns_new(&r->map, 1);
        if (fd < 0) {
                error_set_errno(reterr, fd, ERROR_NAMESPACE_FAILED,
                                "making a user namespace failed");
                if (fd == -ENOSPC)
                        error_hint(reterr,
                                   "the limit in /proc/sys/user/max_user_namespaces is reached");
                return fd;
        }
        return r->userns_fd = fd;
}

const char *file_system_name(int fd, char buf[static 24]) {
        // clang-format off
        static const struct { uint32_t magic; const char *name; } known[] = {
                { EXT4_SUPER_MAGIC, "ext4" },     { TMPFS_MAGIC, "tmpfs" },
                { OVERLAYFS_SUPER_MAGIC, "overlayfs" }, { XFS_SUPER_MAGIC, "xfs" },
                { BTRFS_SUPER_MAGIC, "btrfs" },   { NFS_SUPER_MAGIC, "nfs" },
                { FUSE_SUPER_MAGIC, "fuse" },     { V9FS_MAGIC, "9p" },
                { RAMFS_MAGIC, "ramfs" },         { SQUASHFS_MAGIC, "squashfs" },
                { MSDOS_SUPER_MAGIC, "vfat" },    { EROFS_SUPER_MAGIC_V1, "erofs" },
                { F2FS_SUPER_MAGIC, "f2fs" },     { CIFS_SUPER_MAGIC, "cifs" },
                { SMB2_SUPER_MAGIC, "cifs" },     { PROC_SUPER_MAGIC, "proc" },
                { SYSFS_MAGIC, "sysfs" },         { DEVPTS_SUPER_MAGIC, "devpts" },
                { CGROUP_SUPER_MAGIC, "cgroup" }, { CGROUP2_SUPER_MAGIC, "cgroup2" },
                { SECURITYFS_MAGIC, "securityfs" }, { DEBUGFS_MAGIC, "debugfs" },
                { TRACEFS_MAGIC, "tracefs" },     { BPF_FS_MAGIC, "bpf" },
                { 0x2fc12fc1, "zfs" },            { 0x19800202, "mqueue" },
        };
        // clang-format on
        struct statfs s;

        if (fstatfs(fd, &s) < 0)
                return "this";
        for (size_t i = 0; i < ELEMENTSOF(known); i++)
                if ((uint32_t) s.f_type == known[i].magic)
                        return known[i].name;
        snprintf(buf, 24, "0x%x", (uint32_t) s.f_type);
        return buf;
}

int idmap_error(int code, int object_fd, const char *what, Error *reterr) {
        char buf[24];

        if (!IN_SET(code, -EINVAL, -EPERM, -EOPNOTSUPP)) {
                return error_set_errno(reterr, code, ERROR_MOUNT_FAILED,
                                       "mapping the ids of %s failed", what);
        }
        error_set(
                reterr, code, ERROR_UNSUPPORTED,
                "the ids of %s cannot be mapped: its %s file system (or one mounted below it) does not support that",
                what, file_system_name(object_fd, buf));
        error_hint(
                reterr,
                "use --private-users-ownership=chown, or =off with files that belong to the container's "
                "range already, or --private-users=no, or another file system");
        return code;
}

int rootfs_become_owner(Rootfs *r, uint64_t capabilities, Error *reterr) {
        const uid_t root = rootfs_host_uid(r, 0);

        if (!idmap_shifts(r) || r->is_owner)
                return 0;
        r->is_owner = true; /* also where it fails half-way */
        /* raw calls: glibc's wrappers look for other threads */
        int k = syscall(SYS_setresgid, -1, root, -1) < 0 || syscall(SYS_setresuid, -1, root, -1) < 0
                        ? -errno
                        : caps_set(capabilities, capabilities, 0);
        return k < 0 ? error_set_errno(reterr, k, ERROR_NO_PRIVILEGES,
                                       "becoming the container's root user failed")
                     : 0;
}

int rootfs_resume_self(Rootfs *r, Error *reterr) {
        if (!r->is_owner)
                return 0;
        /* the user ID first: it gives the capability back that the group ID asks for */
        if (syscall(SYS_setresuid, -1, 0, -1) < 0 || syscall(SYS_setresgid, -1, 0, -1) < 0)
                return error_set_errno(reterr, -errno, ERROR_SETUP_FAILED,
                                       "becoming root again failed");
        r->is_owner = false;
        return 0;
}
