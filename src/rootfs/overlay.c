/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A new overlayfs of directories that are given by descriptor.
 *
 * Calls: fsopen("overlay"), fsconfig with the layers as /proc/self/fd/N, fsmount. Where the layers do not fit into one value and the kernel does not take
 * them one by one: mount(2) with the numbers alone, in the directory /proc/self/fd, and open_tree of what was mounted. See overlayfs.rst. */
#include "rootfs/overlay.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/str.h"
#include "sys/mount-api.h"

#define FD_DIRECTORY "/proc/self/fd"
#define FD_PATH_MAX 32U
#define MADE "made"
#define OTHER_OPTIONS 7U
#define VALUE_MAX 255U   /* bytes of a value for fsconfig(2) */
#define OPTIONS_MAX 4095 /* bytes of the options for mount(2) */

/* "PREFIXn:PREFIXm", the highest layer first, as the kernel has it. */
static char *join_lower(const Overlay *o, const char *prefix) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        char *text = NULL;

        for (size_t i = o->n_lower; i > 0; i--)
                strbuf_addf(&b, "%s%d%s", prefix, o->lower_fds[i - 1], i > 1 ? ":" : "");
        return strbuf_finish(&b, &text) < 0 ? NULL : text;
}

/* The options but for the lower layers; text holds their values. */
static size_t add_others(const Overlay *o, MountOption *options, char (*text)[FD_PATH_MAX]) {
        size_t n = 0;

        options[n++] = (MountOption){ "source", "overlay" };
        if (o->user_xattrs)
                options[n++] = (MountOption){ "userxattr", NULL };
        if (o->upper_fd < 0)
                return n;
        (void) snprintf(text[0], FD_PATH_MAX, FD_DIRECTORY "/%d", o->upper_fd); /* both fit */
        (void) snprintf(text[1], FD_PATH_MAX, FD_DIRECTORY "/%d", o->work_fd);
        options[n++] = (MountOption){ "upperdir", text[0] };
        options[n++] = (MountOption){ "workdir", text[1] };
        options[n++] = (MountOption){ "index", "off" }; /* layers may be other mounts next time */
        if (o->redirects)
                options[n++] = (MountOption){ "redirect_dir", "on" };
        return n;
}

static int new_from_string(const Overlay *o, const char *lower, uint64_t attributes,
                           char **ret_words) {
        MountOption options[OTHER_OPTIONS + 2] = { { 0 } };
        char text[2][FD_PATH_MAX];

        size_t n = add_others(o, options, text);
        options[n] = (MountOption){ "lowerdir", lower };
        return mount_new("overlay", options, attributes, ret_words);
}

static int new_one_by_one(const Overlay *o, uint64_t attributes, char **ret_words) {
        _cleanup_free_ MountOption *options = new0(MountOption, o->n_lower + OTHER_OPTIONS + 1);
        _cleanup_free_ char(*paths)[FD_PATH_MAX] = calloc(o->n_lower + 1, sizeof(*paths));
        char text[2][FD_PATH_MAX];

        if (!options || !paths)
                return -ENOMEM;
        size_t n = add_others(o, options, text);
        for (size_t i = o->n_lower; i > 0; i--) {
                (void) snprintf(paths[i], FD_PATH_MAX, FD_DIRECTORY "/%d", o->lower_fds[i - 1]);
                options[n++] = (MountOption){ "lowerdir+", paths[i] };
        }
        return mount_new("overlay", options, attributes, ret_words);
}

static int new_classic(const Overlay *o, uint64_t attributes) {
        _cleanup_free_ char *lower = join_lower(o, ""), *options = NULL;
        const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

        if (!lower)
                return -ENOMEM;
        const char *more = o->user_xattrs ? ",userxattr" : o->redirects ? ",redirect_dir=on" : "";
        options = o->upper_fd < 0 ? strf("lowerdir=%s%s", lower, o->user_xattrs ? more : "")
                                  : strf("lowerdir=%s,upperdir=%d,workdir=%d,index=off%s", lower,
                                         o->upper_fd, o->work_fd, more);
        if (!options)
                return -ENOMEM;
        if (strlen(options) > OPTIONS_MAX)
                return -E2BIG;
        if (mkdirat(o->place_fd, MADE, 0700) < 0 && errno != EEXIST)
                return -errno;
        _cleanup_close_ int point_fd = openat(o->place_fd, MADE, flags);
        if (point_fd < 0 || chdir(FD_DIRECTORY) < 0)
                return -errno;
        int r = mount_classic("overlay", "overlay", point_fd, 0, options);
        if (r < 0)
                return r;
        _cleanup_close_ int mounted_fd = openat(o->place_fd, MADE, flags);
        if (mounted_fd < 0)
                return -errno;
        _cleanup_close_ int fd = mount_clone(mounted_fd, false);
        if (fd < 0)
                return fd;
        r = mount_set_attributes(fd, attributes, 0, MS_PRIVATE, false);
        return r < 0 ? r : TAKE_FD(fd);
}

int overlay_new(const Overlay *o, OverlayWay way, uint64_t attributes, char **ret_words) {
        _cleanup_free_ char *lower = join_lower(o, FD_DIRECTORY "/");

        *ret_words = NULL;
        if (!lower)
                return -ENOMEM;
        attributes |= MOUNT_ATTR_NODEV;
        if (way == OVERLAY_WAY_STRING || (way == OVERLAY_WAY_AUTO && strlen(lower) <= VALUE_MAX))
                return new_from_string(o, lower, attributes, ret_words);
        if (way != OVERLAY_WAY_CLASSIC) {
                int fd = new_one_by_one(o, attributes, ret_words);
                if (fd != -EINVAL || way == OVERLAY_WAY_ONE_BY_ONE)
                        return fd;
        }
        int fd = new_classic(o, attributes);
        if (fd >= 0)
                *ret_words = mfree(*ret_words);
        return fd;
}
