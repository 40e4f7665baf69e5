/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attaching the mounts of a disk image, and layers over them.
 *
 * Calls: move_mount of the tree that the worker has made (src/image/disk-mount.c) on a directory of ours; for layers, statx
 * (STATX_ATTR_MOUNT_ROOT) of the places where a disk's partitions go. */
#include "rootfs/disk-root.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "basic/fd.h"
#include "image/disk-mount.h"
#include "rootfs/ephemeral.h"
#include "sys/mount-api.h"
#include "sys/resolve.h"

/* In the order in which they lie on each other. */
static const char *const places[] = {
        "/usr", "/home", "/srv", "/var", "/var/tmp", "/boot", "/efi"
};

static bool same_directory(int a_fd, int b_fd) {
        struct stat a, b;
        return fstat(a_fd, &a) >= 0 && fstat(b_fd, &b) >= 0 && a.st_dev == b.st_dev &&
               a.st_ino == b.st_ino;
}

static int attach_error(const ContainerSpec *spec, int code, Error *reterr) {
        return error_set_errno(reterr, code, ERROR_MOUNT_FAILED,
                               "attaching the root of image '%s' failed", spec_root_path(spec));
}

int disk_root_open(const ContainerSpec *spec, int *ret_fd, Error *reterr) {
        int r = mkdir_parents(DISK_MOUNT_POINT, 0700);
        if (r < 0)
                return attach_error(spec, r, reterr);
        for (unsigned i = 0; i < 2; i++) {
                _cleanup_close_ int fd =
                        open(DISK_MOUNT_POINT, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (fd < 0)
                        return attach_error(spec, -errno, reterr);
                if (same_directory(fd, spec->root.fd)) {
                        *ret_fd = TAKE_FD(fd);
                        return 0;
                }
                r = mount_attach(spec->root.fd, fd);
                if (r < 0)
                        return attach_error(spec, r, reterr);
        }
        return attach_error(spec, -ESTALE, reterr);
}

/* 1: something is mounted there. */
static int is_mount(int fd) {
        struct statx st;
        if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &st) < 0)
                return -errno;
        return (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

static int add_layer(int lower_fd, int target_fd, uint64_t attributes, int userns_fd,
                     bool read_only, Error *reterr) {
        struct statvfs fs;
        _cleanup_close_ int tree_fd = mount_clone(lower_fd, /* recursive= */ false);
        int r = tree_fd;
        if (r >= 0)
                r = mount_set_tree(tree_fd, attributes, MS_PRIVATE, userns_fd);
        if (r >= 0)
                r = mount_attach(tree_fd, lower_fd);
        if (r < 0)
                return r;
        _cleanup_close_ int layer_fd = ephemeral_layer(tree_fd, read_only, reterr);
        r = layer_fd;
        if (r >= 0 && fstatvfs(lower_fd, &fs) >= 0 && (fs.f_flag & ST_NOSUID))
                r = mount_set_attributes(layer_fd, MOUNT_ATTR_NOSUID, 0, 0, /* recursive= */ false);
        return r < 0 ? r : mount_attach(layer_fd, target_fd);
}

int disk_root_layers(int directory_fd, int layer_fd, uint64_t attributes, int userns_fd,
                     bool read_only, Error *reterr) {
        for (size_t i = 0; i < ELEMENTSOF(places); i++) {
                _cleanup_close_ int lower_fd =
                        resolve_in_root(directory_fd, places[i], O_PATH | O_DIRECTORY);
                if (lower_fd < 0 || is_mount(lower_fd) <= 0)
                        continue;
                _cleanup_close_ int target_fd =
                        resolve_in_root(layer_fd, places[i], O_PATH | O_DIRECTORY);
                _cleanup_error_ Error e = ERROR_NULL;
                int r = target_fd < 0 ? target_fd
                                      : add_layer(lower_fd, target_fd, attributes, userns_fd,
                                                  read_only, &e);
                if (r < 0 && error_is_set(&e))
                        return error_take(reterr, &e);
                if (r < 0)
                        return error_set_errno(reterr, r, ERROR_MOUNT_FAILED,
                                               "laying a throw-away layer over '%s' failed",
                                               places[i]);
        }
        return 0;
}
