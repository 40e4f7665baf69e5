/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Volatile=yes and Volatile=state: roots of which parts are in memory.
 *
 * Calls: fsopen("tmpfs"), filled by descriptor while it is detached; readlinkat, symlinkat for the links to /usr; openat2(RESOLVE_BENEATH) of /var. */
#include "rootfs/volatile.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include "basic/str.h"
#include "sys/mount-api.h"
#include "sys/resolve.h"

// clang-format off
/* Where programs and libraries were before all of them came to /usr. */
static const char *const names_in_usr[] = { "bin", "sbin", "lib", "lib32", "lib64", "libx32" };

static const struct { const char *name; mode_t mode; } directories[] = {
        { "usr", 0755 }, { "etc", 0755 }, { "var", 0755 }, { "root", 0700 },
};
// clang-format on

/* A new tmpfs whose root directory is the container's root's. */
static int make_tmpfs(const Rootfs *r) {
        char id[16];

        (void) snprintf(id, sizeof(id), "%u", rootfs_host_uid(r, 0)); /* fits */
        const MountOption options[] = {
                { "source", "tmpfs" },
                { "mode", "0755" },
                { "size", "25%" },
                { "nr_inodes", "1m" },
                { "uid", id },
                { "gid", id },
                { 0 },
        };
        return mount_new("tmpfs", options, MOUNT_ATTR_NODEV, NULL);
}

static int make_link(int root_fd, const char *name, const char *target, uid_t owner) {
        return symlinkat(target, root_fd, name) < 0 ||
                               fchownat(root_fd, name, owner, owner, AT_SYMLINK_NOFOLLOW) < 0
                       ? -errno
                       : 0;
}

/* The link that the directory has, or one to what is in its usr. */
static int copy_link(int tree_fd, int root_fd, const char *name, uid_t owner, Error *reterr) {
        char target[PATH_MAX];
        struct stat st;

        ssize_t n = readlinkat(tree_fd, name, target, sizeof(target) - 1);
        if (n < 0 && errno == ENOENT) {
                (void) snprintf(target, sizeof(target), "usr/%s", name); /* fits */
                if (fstatat(tree_fd, target, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        return 0;
                n = (ssize_t) strlen(target);
        }
        if (n < 0 && errno == EINVAL) {
                error_set(
                        reterr, -ENOTDIR, ERROR_NOT_A_ROOT,
                        "--volatile=yes keeps /usr alone, but /%s is no link into it (no merged /usr)",
                        name);
                error_hint(reterr, "use --volatile=state or --volatile=overlay");
                return -ENOTDIR;
        }
        if (n >= 0)
                target[n] = '\0';
        int k = n < 0 ? -errno : make_link(root_fd, name, target, owner);
        return k < 0 ? error_set_errno(reterr, k, ERROR_SETUP_FAILED,
                                       "making /%s in the volatile root failed", name)
                     : 0;
}

int volatile_root_make(int tree_fd, const Rootfs *r, Error *reterr) {
        const uid_t owner = rootfs_host_uid(r, 0);
        int k = 0;

        _cleanup_close_ int fd = make_tmpfs(r);
        if (fd < 0)
                return error_set_errno(reterr, fd, ERROR_MOUNT_FAILED,
                                       "making a root directory in memory failed");
        for (size_t i = 0; i < ELEMENTSOF(directories); i++)
                if (mkdirat(fd, directories[i].name, directories[i].mode) < 0 ||
                    fchownat(fd, directories[i].name, owner, owner, AT_SYMLINK_NOFOLLOW) < 0)
                        return error_set_errno(reterr, -errno, ERROR_SETUP_FAILED,
                                               "making /%s in the volatile root failed",
                                               directories[i].name);
        for (size_t i = 0; i < ELEMENTSOF(names_in_usr) && k >= 0; i++)
                k = copy_link(tree_fd, fd, names_in_usr[i], owner, reterr);
        return k < 0 ? k : TAKE_FD(fd);
}

int volatile_root_complete(int root_fd, int usr_fd, Error *reterr) {
        char target[16];
        struct stat st;
        int k = 0;

        for (size_t i = 0; i < ELEMENTSOF(names_in_usr) && k >= 0; i++) {
                if (fstatat(usr_fd, names_in_usr[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                (void) snprintf(target, sizeof(target), "usr/%s", names_in_usr[i]); /* fits */
                k = symlinkat(target, root_fd, names_in_usr[i]) < 0 ? -errno : 0;
                if (k == -EEXIST)
                        k = 0;
        }
        for (size_t i = 0; i < ELEMENTSOF(directories) && k >= 0; i++) {
                k = mkdirat(root_fd, directories[i].name, directories[i].mode) < 0 ? -errno : 0;
                if (k == -EEXIST)
                        k = 0;
        }
        if (k >= 0 || k == -EROFS) /* it is as it is, then */
                return 0;
        return error_set_errno(reterr, k, ERROR_SETUP_FAILED,
                               "making what is missing beside /usr in the root failed");
}

int volatile_var_attach(const Rootfs *r, Error *reterr) {
        _cleanup_close_ int at_fd = resolve_beneath(r->root_fd, "var", O_DIRECTORY);
        if (at_fd < 0) {
                error_set(reterr, at_fd, ERROR_NOT_A_ROOT,
                          at_fd == -ENOENT ? "/var is missing in the root"
                                           : "/var is not a directory in the root");
                error_hint(reterr,
                           "make it an empty directory: with --volatile=state one in memory "
                           "is mounted there");
                return at_fd;
        }
        _cleanup_close_ int fd = make_tmpfs(r);
        int k = fd < 0 ? fd : mount_attach(fd, at_fd);
        return k < 0 ? error_set_errno(reterr, k, ERROR_MOUNT_FAILED,
                                       "mounting a /var in memory failed")
                     : 0;
}
