/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that a container takes from its host: /etc/resolv.conf and /etc/localtime.
 *
 * What is written inside is never written through: a new file is made with O_EXCL in the directory that was opened inside the
 * root, and renamed over the old name when it is complete, so that neither a symlink leads elsewhere nor another hard link of
 * the old file changes. In the automatic modes nothing here can fail a start. */
#include <limits.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/path.h"
#include "basic/str.h"
#include "rootfs/idmap.h"
#include "sys/mount-api.h"
#include "sys/resolve.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define LOCALTIME "/etc/localtime"
#define ZONES "/usr/share/zoneinfo"
#define HOST_FILE_MAX (64U << 10)
#define ZONE_MAX 256 /* bytes of a time zone's name */

typedef struct Place {
        const Rootfs *rootfs;
        int etc_fd; /* the container's /etc */
} Place;

static void place_done(Place *p) {
        fd_close(p->etc_fd);
}

static int failed(int code, const char *doing, const char *path, Error *reterr) {
        return error_set_errno(reterr, code, ERROR_SETUP_FAILED, "%s %s in the container failed",
                               doing, path);
}

/* True if `name` in the directory, which st is about, is a regular file with just this text. The root is nodev, so that no
 * device can be opened even if the file is exchanged now; and a fifo does not block. */
static bool same_file(int dir_fd, const char *name, const struct stat *st, const char *text) {
        const size_t size = strlen(text);
        char buf[4096];

        if (!S_ISREG(st->st_mode) || (size_t) st->st_size != size || size >= sizeof(buf))
                return false;
        _cleanup_close_ int fd =
                openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        return fd >= 0 && read(fd, buf, sizeof(buf)) == (ssize_t) size &&
               memcmp(buf, text, size) == 0;
}

/* The new name becomes the old one, or goes. */
static int put_in_place(int dir_fd, const char *made, const char *name, int code) {
        if (code >= 0 && (made == name || renameat(dir_fd, made, dir_fd, name) >= 0))
                return 0;
        if (code >= 0)
                code = -errno;
        (void) unlinkat(dir_fd, made, 0); /* half a file is worse than none */
        return code;
}

/* Where something is made that is to replace `name`. */
static int new_name(int dir_fd, const char *name, char buf[static NAME_MAX + 1]) {
        if (snprintf(buf, NAME_MAX + 1, ".berth-%s", name) > NAME_MAX)
                return -ENAMETOOLONG;
        return unlinkat(dir_fd, buf, 0) < 0 && errno != ENOENT ? -errno : 0; /* a crash's */
}

/* Makes a new file; with replace in the place of what has the name. Its time is that of `like`, if given. */
static int put_file(int dir_fd, const char *name, const char *bytes, size_t size, bool replace,
                    const struct stat *like) {
        char temporary[NAME_MAX + 1];

        int k = replace ? new_name(dir_fd, name, temporary) : 0;
        if (k < 0)
                return k;
        const char *made = replace ? temporary : name;
        _cleanup_close_ int fd =
                openat(dir_fd, made, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0)
                return -errno;
        k = fd_write_full(fd, bytes, size);
        if (k >= 0 && like &&
            futimens(fd, (const struct timespec[]){ like->st_mtim, like->st_mtim }) < 0)
                k = -errno;
        return put_in_place(dir_fd, made, name, k);
}

static int remove_file(Place *p, const char *name) {
        return unlinkat(p->etc_fd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/* Binds a file of the host read-only over a path inside. */
static int bind_file(Place *p, const char *host_path, const char *path) {
        const uid_t root = rootfs_host_uid(p->rootfs, 0);

        _cleanup_close_ int source_fd = open(host_path, O_PATH | O_CLOEXEC);
        if (source_fd < 0)
                return -errno;
        _cleanup_close_ int fd = mount_clone(source_fd, false);
        int k = fd;
        if (k >= 0)
                k = mount_set_attributes(fd,
                                         MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                                                 MOUNT_ATTR_NOEXEC,
                                         0, 0, false);
        if (k < 0)
                return k;
        _cleanup_close_ int target_fd =
                resolve_make_mount_point(p->rootfs->root_fd, path, S_IFREG, root, root);
        return target_fd < 0 ? target_fd : mount_attach(fd, target_fd);
}

/* ---- resolv.conf ------------------------------------------------------------------------------------------------- */

/* /etc/resolv.conf inside is a symlink: it belongs to a service that writes the target at run time. Where that service
 * does not run, the target is made in its stead, but only in our /run, so that nothing lasts. */
static int put_link_target(Place *p, const char *text) {
        const uid_t root = rootfs_host_uid(p->rootfs, 0);
        char target[PATH_MAX];

        ssize_t n = readlinkat(p->etc_fd, "resolv.conf", target, sizeof(target) - 1);
        if (n < 0)
                return -errno;
        target[n] = '\0';
        const char *rest = startswith(target, "/run/") ?: startswith(target, "../run/");
        if (!rest || !path_is_normalized(rest) || path_is_absolute(rest))
                return 0;
        _cleanup_free_ char *directory = NULL, *below = strf("run/%s", rest);
        int k = below ? path_extract_directory(below, &directory) : -ENOMEM;
        if (k < 0)
                return k;
        _cleanup_close_ int fd = resolve_mkdir_beneath(p->rootfs->root_fd, directory, root, root);
        return fd < 0 ? fd
                      : put_file(fd, path_last_component(below), text, strlen(text), false, NULL);
}

/* What is the host's time and size is our copy of an earlier start. */
static bool is_copy(const struct stat *st, const struct stat *host) {
        return S_ISREG(st->st_mode) && st->st_size == host->st_size &&
               st->st_mtim.tv_sec == host->st_mtim.tv_sec &&
               st->st_mtim.tv_nsec == host->st_mtim.tv_nsec;
}

static int copy_resolv_conf(const ContainerSpec *spec, Place *p, CopyMode mode) {
        _cleanup_free_ char *text = NULL;
        struct stat st, host;

        if (stat(RESOLV_CONF, &host) < 0)
                return -errno;
        const bool exists = fstatat(p->etc_fd, "resolv.conf", &st, AT_SYMLINK_NOFOLLOW) >= 0;
        if (exists && is_copy(&st, &host))
                return 0;
        int k = file_read_regular(AT_FDCWD, RESOLV_CONF, HOST_FILE_MAX, &text);
        if (k < 0)
                return k;
        if (exists) {
                if (same_file(p->etc_fd, "resolv.conf", &st, text))
                        return 0;
                if (mode == COPY_AUTO && S_ISLNK(st.st_mode))
                        return spec->payload.start == START_BOOT ? 0 : put_link_target(p, text);
                if (mode == COPY_AUTO && !S_ISREG(st.st_mode))
                        return 0;
        }
        return put_file(p->etc_fd, "resolv.conf", text, strlen(text), exists, &host);
}

static int setup_resolv_conf(const ContainerSpec *spec, Place *p) {
        const CopyMode mode = spec->files.resolv_conf;
        struct stat st;

        switch (mode) {
        case COPY_AUTO:
                if (spec->network.private_)
                        return 0;
                if (!spec_root_is_read_only(spec))
                        return copy_resolv_conf(spec, p, mode);
                /* Only over a file that is there: a mount point cannot be made. */
                if (fstatat(p->etc_fd, "resolv.conf", &st, AT_SYMLINK_NOFOLLOW) < 0 ||
                    !S_ISREG(st.st_mode))
                        return 0;
                return bind_file(p, RESOLV_CONF, RESOLV_CONF);
        case COPY_COPY:
                return copy_resolv_conf(spec, p, mode);
        case COPY_BIND:
                return bind_file(p, RESOLV_CONF, RESOLV_CONF);
        case COPY_DELETE:
                return remove_file(p, "resolv.conf");
        default:
                return 0;
        }
}

/* ---- time zone --------------------------------------------------------------------------------------------------- */

/* "Europe/Berlin" of the host, from where /etc/localtime leads; false if it has none or says it in another way. */
static bool host_zone(char zone[static ZONE_MAX]) {
        char link[ZONE_MAX + 64];

        ssize_t n = readlink(LOCALTIME, link, sizeof(link) - 1);
        if (n < 0)
                return false;
        link[n] = '\0';
        const char *at = strstr(link, "/zoneinfo/");
        if (!at)
                return false;
        at += STRLEN("/zoneinfo/");
        if (!path_is_valid(at) || !path_is_normalized(at) || path_is_absolute(at) ||
            strlen(at) >= ZONE_MAX)
                return false;
        memcpy(zone, at, strlen(at) + 1);
        return true;
}

static bool zone_exists_inside(const Rootfs *r, const char *zone) {
        struct stat st;

        _cleanup_free_ char *path = strf("%s/%s", ZONES, zone);
        _cleanup_close_ int fd = path ? resolve_in_root(r->root_fd, path, O_PATH) : -ENOMEM;
        return fd >= 0 && fstat(fd, &st) >= 0 && S_ISREG(st.st_mode);
}

static int link_zone(Place *p, bool must) {
        char zone[ZONE_MAX], old[PATH_MAX], temporary[NAME_MAX + 1];

        if (!host_zone(zone))
                return must ? -ENODATA : 0;
        _cleanup_free_ char *target = strf("..%s/%s", ZONES, zone);
        if (!target)
                return -ENOMEM;
        ssize_t n = readlinkat(p->etc_fd, "localtime", old, sizeof(old) - 1);
        if (n >= 0) {
                old[n] = '\0';
                if (streq(old, target) || streq(old, target + STRLEN("..")))
                        return 0;
        }
        const bool exists = n >= 0 || errno != ENOENT;
        if (!zone_exists_inside(p->rootfs, zone))
                return must ? -ENOENT : 0;
        int k = exists ? new_name(p->etc_fd, "localtime", temporary) : 0;
        if (k < 0)
                return k;
        const char *made = exists ? temporary : "localtime";
        if (symlinkat(target, p->etc_fd, made) < 0)
                return -errno;
        return put_in_place(p->etc_fd, made, "localtime", 0);
}

static int copy_zone(Place *p) {
        _cleanup_free_ char *bytes = NULL;
        size_t size;

        int k = file_read_all(AT_FDCWD, LOCALTIME, HOST_FILE_MAX, &bytes, &size);
        return k < 0 ? k : put_file(p->etc_fd, "localtime", bytes, size, true, NULL);
}

static int setup_timezone(const ContainerSpec *spec, Place *p) {
        switch (spec->files.timezone) {
        case COPY_AUTO:
                return spec_root_is_read_only(spec) ? 0 : link_zone(p, false);
        case COPY_SYMLINK:
                return link_zone(p, true);
        case COPY_COPY:
                return copy_zone(p);
        case COPY_BIND:
                return bind_file(p, LOCALTIME, LOCALTIME);
        case COPY_DELETE:
                return remove_file(p, "localtime");
        default:
                return 0;
        }
}

/* One of the two: a failure counts only where the user asked for something. */
static int judge(CopyMode mode, int code, const char *path, Error *reterr) {
        if (code >= 0)
                return 0;
        if (mode == COPY_AUTO) {
                log_debug_errno(code, "Leaving %s in the container as it is", path);
                return 0;
        }
        if (code == -ENODATA)
                return error_set(reterr, code, ERROR_SETUP_FAILED,
                                 "the host's %s is not a link to a time zone", path);
        return failed(code, mode == COPY_DELETE ? "removing" : "setting up", path, reterr);
}

int host_files(const ContainerSpec *spec, Rootfs *r, Error *reterr) {
        const CopyMode resolv = spec->files.resolv_conf, zone = spec->files.timezone;
        _cleanup_(place_done) Place p = { .rootfs = r, .etc_fd = -EBADF };

        if (resolv == COPY_OFF && zone == COPY_OFF)
                return 0;
        p.etc_fd = resolve_in_root(r->root_fd, "etc", O_PATH | O_DIRECTORY);
        int k = resolv == COPY_OFF ? 0 : p.etc_fd < 0 ? p.etc_fd : setup_resolv_conf(spec, &p);
        k = judge(resolv, k, RESOLV_CONF, reterr);
        if (k < 0)
                return k;
        k = zone == COPY_OFF ? 0 : p.etc_fd < 0 ? p.etc_fd : setup_timezone(spec, &p);
        return judge(zone, k, LOCALTIME, reterr);
}
