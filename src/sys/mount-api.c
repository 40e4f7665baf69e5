/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mounts by descriptor.
 *
 * Calls: new file system fsopen, fsconfig (a value has at most 255 bytes), fsconfig(CREATE), fsmount; clone open_tree;
 * attributes and idmap mount_setattr; attach move_mount. The kernel's own words on a failure are read from the descriptor
 * of fsopen (fsopen(2)). The child calls these between clone3() and execve(): nothing here allocates, but for the words
 * of the kernel when they are asked for. */
#include "sys/mount-api.h"

#include <limits.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include "basic/fd.h"

#define KERNEL_WORDS_MAX 1024

/* "/proc/self/fd/N", for the calls that know paths only. Written by hand: the child has no stdio. */
static const char *descriptor_path(int fd, char buf[static 32]) {
        const char prefix[] = "/proc/self/fd/";
        char digits[12];
        size_t n = 0, at = sizeof(prefix) - 1;

        memcpy(buf, prefix, at);
        for (unsigned rest = (unsigned) fd; n == 0 || rest > 0; rest /= 10)
                digits[n++] = (char) ('0' + rest % 10);
        while (n > 0)
                buf[at++] = digits[--n];
        buf[at] = '\0';
        return buf;
}

/* The messages that wait at a file-system context, each "e words" (or w, i), one for each read(). Errors are joined. */
static char *kernel_words_read(int fs_fd) {
        char words[KERNEL_WORDS_MAX];
        size_t size = 0;

        for (;;) {
                const size_t gap = size > 0 ? STRLEN("; ") : 0;
                char line[256];
                ssize_t n = read(fs_fd, line, sizeof(line));
                if (n < 0)
                        break; /* ENODATA: no more */
                if (n < 2 || line[0] != 'e')
                        continue;
                n -= 2;
                while (n > 0 && line[2 + n - 1] == '\n')
                        n--;
                if (size + gap + (size_t) n >= sizeof(words))
                        break;
                memcpy(words + size, "; ", gap);
                memcpy(words + size + gap, line + 2, (size_t) n);
                size += gap + (size_t) n;
        }
        if (size == 0)
                return NULL;
        words[size] = '\0';
        return strdup(words);
}

static int file_system_create(int fs_fd, const MountOption *options) {
        for (const MountOption *o = options; o && o->key; o++)
                if (fsconfig(fs_fd, o->value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, o->key,
                             o->value, 0) < 0)
                        return -errno;
        return fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ? -errno : 0;
}

int mount_new(const char *type, const MountOption *options, uint64_t attributes,
              char **ret_kernel_words) {
        if (ret_kernel_words)
                *ret_kernel_words = NULL;
        _cleanup_close_ int fs_fd = fsopen(type, FSOPEN_CLOEXEC);
        if (fs_fd < 0)
                return -errno;
        int r = file_system_create(fs_fd, options);
        if (r >= 0) {
                r = fsmount(fs_fd, FSMOUNT_CLOEXEC, (unsigned) attributes);
                if (r >= 0)
                        return r;
                r = -errno;
        }
        if (ret_kernel_words)
                *ret_kernel_words = kernel_words_read(fs_fd);
        return r;
}

int mount_clone(int fd, bool recursive) {
        int r = open_tree(fd, "",
                          AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
                                  (recursive ? AT_RECURSIVE : 0U));
        return r < 0 ? -errno : r;
}

static int mount_setattr_on(int mount_fd, struct mount_attr *attr, bool recursive) {
        const unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0U);

        return mount_setattr(mount_fd, "", flags, attr, sizeof(*attr)) < 0 ? -errno : 0;
}

int mount_set_attributes(int mount_fd, uint64_t set, uint64_t clear, uint64_t propagation,
                         bool recursive) {
        struct mount_attr attr = { .attr_set = set, .attr_clr = clear, .propagation = propagation };

        return mount_setattr_on(mount_fd, &attr, recursive);
}

int mount_set_tree(int mount_fd, uint64_t set, uint64_t propagation, int userns_fd) {
        struct mount_attr attr = { .attr_set = set, .propagation = propagation };

        if (userns_fd >= 0) {
                attr.attr_set |= MOUNT_ATTR_IDMAP;
                attr.userns_fd = (uint64_t) userns_fd;
        }
        return mount_setattr_on(mount_fd, &attr, true);
}

int mount_set_idmap(int mount_fd, int userns_fd, bool recursive) {
        struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP,
                                   .userns_fd = (uint64_t) userns_fd };

        if (userns_fd < 0)
                return -EBADF;
        return mount_setattr_on(mount_fd, &attr, recursive);
}

int mount_attach(int mount_fd, int target_fd) {
        int r = move_mount(mount_fd, "", target_fd, "",
                           MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
        return r < 0 ? -errno : 0;
}

int mount_classic(const char *source, const char *type, int target_fd, unsigned long flags,
                  const char *options) {
        char path[32];

        if (target_fd < 0)
                return -EBADF;
        return mount(source, descriptor_path(target_fd, path), type, flags, options) < 0 ? -errno
                                                                                         : 0;
}

int mount_detach(int fd) {
        char path[32];

        if (fd < 0)
                return -EBADF;
        return umount2(descriptor_path(fd, path), MNT_DETACH) < 0 ? -errno : 0;
}

int mount_propagation_all(unsigned long propagation) {
        return mount(NULL, "/", NULL, MS_REC | propagation, NULL) < 0 ? -errno : 0;
}
