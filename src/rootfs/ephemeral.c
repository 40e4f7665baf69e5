/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A throw-away layer over a root: overlayfs, with the changes in memory. Nothing is copied beforehand, nothing is left afterwards.
 *
 * The layers must be mounts of this namespace while the overlay is made (Linux up to 6.14 wants that); it keeps clones of its own, so that they can be
 * taken away at once. Layers may be idmapped since 5.19: the lower one then is, and what is in the upper one has the container's ids anyway.
 *
 * Calls: fsopen("tmpfs"), fsopen("overlay") with the layers as /proc/self/fd/N; see overlayfs.rst. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "basic/fd.h"
#include "rootfs/ephemeral.h"
#include "sys/mount-api.h"

/* A directory of the layer's file system; O_PATH. */
static int make_directory(int fd, const char *name, mode_t mode) {
        if (mkdirat(fd, name, mode) < 0)
                return -errno;
        int made = openat(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return made < 0 ? -errno : made;
}

/* What the overlay shows as its root's owner and mode is what the upper directory has. */
static int make_upper(int tmpfs_fd, int lower_fd) {
        struct stat st;
        if (fstat(lower_fd, &st) < 0)
                return -errno;
        _cleanup_close_ int fd = make_directory(tmpfs_fd, "upper", 0755);
        if (fd < 0)
                return fd;
        if (fchownat(fd, "", st.st_uid, st.st_gid, AT_EMPTY_PATH) < 0 ||
            fchmodat(tmpfs_fd, "upper", st.st_mode & 07777, 0) < 0)
                return -errno;
        return TAKE_FD(fd);
}

static int layer_path(int fd, char path[static 32]) {
        if (fd >= 0)
                (void) snprintf(path, 32, "/proc/self/fd/%d", fd); /* fits */
        return fd < 0 ? fd : 0;
}

static int make_overlay(int lower_fd, int tmpfs_fd, bool read_only, char **ret_words) {
        char lower[32], upper[32], work[32];
        _cleanup_close_ int upper_fd = make_upper(tmpfs_fd, lower_fd);
        _cleanup_close_ int work_fd = make_directory(tmpfs_fd, "work", 0700);
        int r = layer_path(lower_fd, lower);
        if (r >= 0)
                r = layer_path(upper_fd, upper);
        if (r >= 0)
                r = layer_path(work_fd, work);
        if (r < 0)
                return r;
        const MountOption options[] = {
                { "source", "overlay" },
                { "lowerdir", lower },
                { "upperdir", upper },
                { "workdir", work },
                { "redirect_dir", "on" }, /* directories of the lower layer can be renamed */
                { 0 },
        };
        return mount_new("overlay", options,
                         MOUNT_ATTR_NODEV | (read_only ? (uint64_t) MOUNT_ATTR_RDONLY : 0),
                         ret_words);
}

int ephemeral_layer(int lower_fd, bool read_only, Error *reterr) {
        static const MountOption in_memory[] = { { "source", "tmpfs" }, { "mode", "0700" }, { 0 } };
        _cleanup_free_ char *words = NULL;
        _cleanup_close_ int overlay_fd = -EBADF;

        _cleanup_close_ int tmpfs_fd = mount_new("tmpfs", in_memory, MOUNT_ATTR_NODEV, NULL);
        int r = tmpfs_fd < 0 ? tmpfs_fd : mount_attach(tmpfs_fd, lower_fd);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_MOUNT_FAILED,
                                       "making a layer in memory for changes failed");
        overlay_fd = r = make_overlay(lower_fd, tmpfs_fd, read_only, &words);
        /* the upper one of the two first; both can only fail for what is not mounted */
        (void) mount_detach(tmpfs_fd);
        (void) mount_detach(lower_fd);
        if (r >= 0)
                return TAKE_FD(overlay_fd);
        r = error_set_errno(reterr, r, ERROR_MOUNT_FAILED,
                            "laying a throw-away layer over the root directory failed%s%s",
                            words ? ": " : "", strempty(words));
        if (r == -ENODEV)
                error_hint(reterr, "the kernel has no overlayfs: see 'modprobe overlay'");
        else if (r == -EINVAL)
                error_hint(
                        reterr,
                        "its file system cannot be a layer, or is a layer of two others already; "
                        "with a user namespace Linux 5.19 is needed");
        return r;
}
