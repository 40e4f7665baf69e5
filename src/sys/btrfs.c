/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Subvolumes of btrfs.
 *
 * Calls: statfs; ioctl GET_SUBVOL_INFO, GET_SUBVOL_ROOTREF and INO_LOOKUP_USER (Linux 4.18), INO_LOOKUP (CAP_SYS_ADMIN), openat2, SUBVOL_CREATE, SNAP_CREATE_V2, SNAP_DESTROY,
 * SUBVOL_GETFLAGS/SETFLAGS; QUOTA_CTL, QGROUP_LIMIT, and TREE_SEARCH of the tree of quotas, which needs CAP_SYS_ADMIN. */
#include "sys/btrfs.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/str.h"
#include "basic/time.h"
#include "sys/syscalls.h"

#define NESTED_MAX 16 /* subvolumes in subvolumes in … */
#define TRIES_MAX 16  /* to open one that somebody moves */

bool btrfs_is_subvolume(const char *path, const struct stat *st) {
        struct statfs fs;
        return S_ISDIR(st->st_mode) && st->st_ino == BTRFS_FIRST_FREE_OBJECTID &&
               statfs(path, &fs) == 0 && fs.f_type == BTRFS_SUPER_MAGIC;
}

bool btrfs_is_on(int fd) {
        struct statfs fs;
        return fstatfs(fd, &fs) == 0 && fs.f_type == BTRFS_SUPER_MAGIC;
}

int btrfs_subvolume_read(int fd, BtrfsSubvolume *ret) {
        struct btrfs_ioctl_get_subvol_info_args args = { 0 };
        struct stat st;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (st.st_ino != BTRFS_FIRST_FREE_OBJECTID) /* it would be told of the one that it is in */
                return -ENOTTY;
        if (ioctl(fd, BTRFS_IOC_GET_SUBVOL_INFO, &args) < 0)
                return -errno;
        *ret = (BtrfsSubvolume){ .id = args.treeid,
                                 .read_only = args.flags & BTRFS_ROOT_SUBVOL_RDONLY,
                                 .birth_usec = (usec_t) args.otime.sec * USEC_PER_SEC +
                                               args.otime.nsec / NSEC_PER_USEC };
        return 0;
}

/* ---- making and removing ---- */

static int set_name(char *field, size_t size, const char *name) {
        const size_t n = strlen(name);
        if (n >= size)
                return -ENAMETOOLONG;
        memcpy(field, name, n + 1);
        return 0;
}

int btrfs_subvolume_create(int parent_fd, const char *name) {
        struct btrfs_ioctl_vol_args args = { 0 };
        if (!btrfs_is_on(parent_fd))
                return -EOPNOTSUPP;
        int r = set_name(args.name, sizeof(args.name), name);
        if (r < 0)
                return r;
        return ioctl(parent_fd, BTRFS_IOC_SUBVOL_CREATE, &args) < 0 ? -errno : 0;
}

int btrfs_subvolume_destroy(int parent_fd, const char *name, int fd) {
        struct btrfs_ioctl_vol_args args = { 0 };
        struct stat st;
        if (fstat(fd, &st) < 0 || st.st_ino != BTRFS_FIRST_FREE_OBJECTID || !btrfs_is_on(fd))
                return -ENOTTY;
        int r = set_name(args.name, sizeof(args.name), name);
        if (r < 0)
                return r;
        (void) btrfs_subvolume_set_read_only(fd, false); /* else it is told below */
        return ioctl(parent_fd, BTRFS_IOC_SNAP_DESTROY, &args) < 0 ? -errno : 0;
}

/* ---- what is in a subvolume ---- */

/* A subvolume right in another one: its number, and that of the directory that it is in. Who works in the other one can move both, and put links in their
 * place, at any time: so paths are opened without links and only within it, and of what was opened the number counts. */
typedef struct Child {
        uint64_t tree, directory;
} Child;

typedef int (*ChildVisit)(int fd, const Child *c, void *userdata);

/* In the order of their numbers, which is that of their making. */
static int for_each_child(int fd, uint64_t newest, ChildVisit visit, void *userdata) {
        _cleanup_free_ struct btrfs_ioctl_get_subvol_rootref_args *refs =
                new0(struct btrfs_ioctl_get_subvol_rootref_args, 1);
        if (!refs)
                return -ENOMEM;
        for (bool more = true; more;) {
                more = ioctl(fd, BTRFS_IOC_GET_SUBVOL_ROOTREF, refs) < 0;
                if (more && errno != EOVERFLOW)
                        return -errno;
                for (size_t i = 0; i < refs->num_items; i++) {
                        const Child c = { refs->rootref[i].treeid, refs->rootref[i].dirid };
                        int r = c.tree <= newest ? visit(fd, &c, userdata) : 0;
                        if (r < 0 || c.tree > newest)
                                return r;
                }
        }
        return 0;
}

/* A subvolume has a st_dev of its own, but is no mount. */
static int open_beneath(int fd, const char *path) {
        int found = sys_openat2(fd, isempty(path) ? "." : path,
                                O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0,
                                RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
        return found >= 0 ? found : errno == EXDEV ? -EBUSY : -errno;
}

/* Where a child is: "a/b/" or "", and its name. Too large for the stack. */
typedef struct btrfs_ioctl_ino_lookup_user_args Place;

/* -ENOENT: it is gone, or in another directory. *ret is allocated, and may be NULL. */
static int open_child(int fd, const Child *c, Place **ret) {
        _cleanup_free_ Place *at = new0(Place, 1);
        if (!at)
                return -ENOMEM;
        for (unsigned tries = 0; tries < TRIES_MAX; tries++) {
                BtrfsSubvolume v;
                at->treeid = c->tree;
                at->dirid = c->directory;
                if (ioctl(fd, BTRFS_IOC_INO_LOOKUP_USER, at) < 0)
                        return -errno;
                _cleanup_free_ char *path = strjoin(at->path, at->name);
                if (!path)
                        return -ENOMEM;
                _cleanup_close_ int child = open_beneath(fd, path);
                if (child < 0 && !IN_SET(child, -ENOENT, -ENOTDIR, -ELOOP))
                        return child;
                if (child >= 0 && btrfs_subvolume_read(child, &v) >= 0 && v.id == c->tree) {
                        if (ret)
                                *ret = TAKE_PTR(at);
                        return TAKE_FD(child);
                }
        }
        return -ENOENT; /* somebody goes on moving it */
}

/* ---- snapshots ---- */

typedef struct Snapshot {
        int fd; /* of the new subvolume */
        unsigned depth;
        bool lifted; /* its limits are, to be set again in the end */
        BtrfsQuota limits;
} Snapshot;

static int snapshot(int fd, int parent_fd, const char *name, unsigned depth);

/* The directory that the child was in at the moment of the snapshot, wherever both are now. -ENOENT: there was none. path is where it is
 * now, for who is not permitted to ask. */
static int open_place(const Snapshot *s, const Child *c, const char *path) {
        struct btrfs_ioctl_ino_lookup_args at = { .objectid = c->directory };
        struct stat st;
        const bool known = ioctl(s->fd, BTRFS_IOC_INO_LOOKUP, &at) >= 0;
        if (!known && errno != EPERM)
                return -errno;
        _cleanup_close_ int fd = open_beneath(s->fd, known ? at.name : path);
        if (fd < 0)
                return IN_SET(fd, -ENOTDIR, -ELOOP) ? -ENOENT : fd;
        if (fstat(fd, &st) < 0)
                return -errno;
        return st.st_ino == c->directory ? TAKE_FD(fd) : -ENOENT;
}

static int limit_group(int fd, uint64_t id, struct btrfs_qgroup_limit limit) {
        struct btrfs_ioctl_qgroup_limit_args args = { .qgroupid = id, .lim = limit };
        return ioctl(fd, BTRFS_IOC_QGROUP_LIMIT, &args) < 0 ? -errno : 0;
}

/* BTRFS_SIZE_UNKNOWN is the kernel's word for none, too. */
static int set_limits(int fd, uint64_t max_referenced, uint64_t max_exclusive) {
        BtrfsSubvolume s;
        int r = btrfs_subvolume_read(fd, &s);
        return r < 0 ? r
                     : limit_group(
                               fd, s.id,
                               (struct btrfs_qgroup_limit){ .flags = BTRFS_QGROUP_LIMIT_MAX_RFER |
                                                                     BTRFS_QGROUP_LIMIT_MAX_EXCL,
                                                            .max_rfer = max_referenced,
                                                            .max_excl = max_exclusive });
}

/* A snapshot has the limits of its source; of one that has reached them nothing could be made in it. */
static bool lift_limits(Snapshot *s) {
        if (s->lifted || btrfs_quota_read(s->fd, &s->limits) < 0)
                return false;
        s->lifted = set_limits(s->fd, BTRFS_SIZE_UNKNOWN, BTRFS_SIZE_UNKNOWN) >= 0;
        return s->lifted;
}

static int put_child(int child, int parent, const char *name, unsigned depth) {
        if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
                return -errno;
        return snapshot(child, parent, name, depth);
}

/* In the snapshot an empty directory stands for it, and does further on if it has gone or moved meanwhile. */
static int snapshot_child(int fd, const Child *c, void *userdata) {
        Snapshot *s = userdata;
        _cleanup_free_ Place *at = NULL;
        struct stat st;
        _cleanup_close_ int child = open_child(fd, c, &at);
        if (child < 0)
                return child == -ENOENT ? 0 : child;
        _cleanup_close_ int parent = open_place(s, c, at->path);
        if (parent < 0)
                return parent == -ENOENT ? 0 : parent;
        if (fstatat(parent, at->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : -errno;
        if (st.st_ino != BTRFS_EMPTY_SUBVOL_DIR_OBJECTID)
                return 0;
        int r = put_child(child, parent, at->name, s->depth + 1);
        if (r == -EDQUOT && lift_limits(s))
                r = put_child(child, parent, at->name, s->depth + 1);
        if (r == -ENOENT && (mkdirat(parent, at->name, 0755) >= 0 || errno == EEXIST))
                return 0;
        return r;
}

static int snapshot(int fd, int parent_fd, const char *name, unsigned depth) {
        struct btrfs_ioctl_vol_args_v2 args = { .fd = fd };
        BtrfsSubvolume v;
        if (depth >= NESTED_MAX)
                return -ELOOP;
        int r = set_name(args.name, sizeof(args.name), name);
        if (r < 0)
                return r;
        if (ioctl(parent_fd, BTRFS_IOC_SNAP_CREATE_V2, &args) < 0)
                return -errno;
        _cleanup_close_ int made =
                openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        r = made < 0 ? -errno : btrfs_subvolume_read(made, &v);
        if (r < 0)
                return r;
        Snapshot s = { .fd = made, .depth = depth };
        r = for_each_child(fd, /* newest= */ v.id, snapshot_child, &s);
        int k = s.lifted ? set_limits(made, s.limits.max_referenced, s.limits.max_exclusive) : 0;
        return r < 0 ? r : k;
}

int btrfs_subvolume_snapshot(int fd, int parent_fd, const char *name) {
        return snapshot(fd, parent_fd, name, 0);
}

/* ---- read-only ---- */

static int set_child_read_only(int fd, const Child *c, void *userdata) {
        _cleanup_close_ int child = open_child(fd, c, NULL);
        if (child < 0)
                return child == -ENOENT ? 0 : child;
        return btrfs_subvolume_set_read_only(child, *(const bool *) userdata);
}

static int set_flags(int fd, uint64_t before, uint64_t flags) {
        return before != flags && ioctl(fd, BTRFS_IOC_SUBVOL_SETFLAGS, &flags) < 0 ? -errno : 0;
}

/* While it is read-only nothing in it moves. */
int btrfs_subvolume_set_read_only(int fd, bool read_only) {
        uint64_t flags;
        if (ioctl(fd, BTRFS_IOC_SUBVOL_GETFLAGS, &flags) < 0)
                return -errno;
        const uint64_t on = flags | BTRFS_SUBVOL_RDONLY,
                       off = flags & ~(uint64_t) BTRFS_SUBVOL_RDONLY;
        int r = read_only ? set_flags(fd, flags, on) : 0;
        if (r < 0)
                return r;
        r = for_each_child(fd, UINT64_MAX, set_child_read_only, &read_only);
        if (r < 0 && read_only)
                (void) set_flags(fd, on, flags); /* as it was; the first error counts */
        return r < 0 || read_only ? r : set_flags(fd, flags, off);
}

/* ---- quotas ---- */

static uint64_t limit_or_none(uint64_t flags, uint64_t flag, uint64_t value) {
        return (flags & flag) && value > 0 ? value : BTRFS_SIZE_UNKNOWN;
}

/* An item of the tree of quotas. */
static void take_item(const struct btrfs_ioctl_search_header *h, const char *item,
                      BtrfsQuota *ret) {
        struct btrfs_qgroup_info_item used;
        struct btrfs_qgroup_limit_item limit;
        if (h->type == BTRFS_QGROUP_INFO_KEY && h->len >= sizeof(used)) {
                memcpy(&used, item, sizeof(used));
                ret->referenced = le64toh(used.rfer);
                ret->exclusive = le64toh(used.excl);
        } else if (h->type == BTRFS_QGROUP_LIMIT_KEY && h->len >= sizeof(limit)) {
                memcpy(&limit, item, sizeof(limit));
                const uint64_t flags = le64toh(limit.flags);
                ret->max_referenced =
                        limit_or_none(flags, BTRFS_QGROUP_LIMIT_MAX_RFER, le64toh(limit.max_rfer));
                ret->max_exclusive =
                        limit_or_none(flags, BTRFS_QGROUP_LIMIT_MAX_EXCL, le64toh(limit.max_excl));
        }
}

int btrfs_quota_read(int fd, BtrfsQuota *ret) {
        BtrfsSubvolume s;
        int r = btrfs_subvolume_read(fd, &s);
        if (r < 0)
                return r;
        struct btrfs_ioctl_search_args args = {
                .key = {
                        .tree_id = BTRFS_QUOTA_TREE_OBJECTID,
                        .min_type = BTRFS_QGROUP_STATUS_KEY,
                        .max_type = BTRFS_QGROUP_LIMIT_KEY,
                        .min_offset = s.id, /* of level 0: the subvolume's number */
                        .max_offset = s.id,
                        .max_transid = UINT64_MAX,
                        .nr_items = 256,
                },
        };
        BtrfsQuota q = { BTRFS_SIZE_UNKNOWN, BTRFS_SIZE_UNKNOWN, BTRFS_SIZE_UNKNOWN,
                         BTRFS_SIZE_UNKNOWN };
        /* keys are compared as a whole, so that those of other subvolumes come along: once for each type of item */
        static const uint32_t types[] = { BTRFS_QGROUP_INFO_KEY, BTRFS_QGROUP_LIMIT_KEY };
        for (size_t i = 0; i < ELEMENTSOF(types); i++) {
                args.key.min_type = args.key.max_type = types[i];
                args.key.nr_items = 1;
                if (ioctl(fd, BTRFS_IOC_TREE_SEARCH, &args) < 0)
                        return -errno;
                struct btrfs_ioctl_search_header h;
                if (args.key.nr_items < 1)
                        continue;
                memcpy(&h, args.buf, sizeof(h));
                if (h.offset == s.id)
                        take_item(&h, args.buf + sizeof(h), &q);
        }
        *ret = q;
        return 0;
}

int btrfs_quota_limit(int fd, uint64_t size) {
        struct btrfs_ioctl_quota_ctl_args enable = { .cmd = BTRFS_QUOTA_CTL_ENABLE };
        BtrfsSubvolume s;
        int r = btrfs_subvolume_read(fd, &s);
        if (r < 0)
                return r;
        const struct btrfs_qgroup_limit limit = { .flags = BTRFS_QGROUP_LIMIT_MAX_RFER,
                                                  .max_rfer = size };
        r = limit_group(fd, s.id, limit);
        if (!IN_SET(r, -ENOTCONN, -ENOENT, -EINVAL))
                return r;
        if (ioctl(fd, BTRFS_IOC_QUOTA_CTL, &enable) < 0 && errno != EEXIST)
                return -errno;
        return limit_group(fd, s.id, limit);
}

/* None where there are no quotas, or no subvolume; and who may not ask may not set any either. */
static int read_limits(int fd, BtrfsQuota *ret) {
        int r = btrfs_quota_read(fd, ret);
        if (!IN_SET(r, -ENOTTY, -ENOENT, -EPERM))
                return r;
        *ret = (BtrfsQuota){ BTRFS_SIZE_UNKNOWN, BTRFS_SIZE_UNKNOWN, BTRFS_SIZE_UNKNOWN,
                             BTRFS_SIZE_UNKNOWN };
        return 0;
}

int btrfs_quota_copy_limits(int from_fd, int to_fd) {
        BtrfsQuota from, to;
        int r = read_limits(from_fd, &from);
        if (r >= 0)
                r = read_limits(to_fd, &to);
        if (r < 0 ||
            (from.max_referenced == to.max_referenced && from.max_exclusive == to.max_exclusive))
                return r;
        return set_limits(to_fd, from.max_referenced, from.max_exclusive);
}
