/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The API file systems that the supervisor makes: /dev, /run, /run/host, /tmp, and /sys where the network is the host's.
 *
 * What is filled is filled while it is still detached (fsopen, fsmount, mknodat…), then attached by move_mount(2) to one
 * component below the root's descriptor, which follows no symlink. Mounts inside /dev and /run need no such care, only we
 * can write there: they are mount(2) relative to the working directory. So the root is steered by no name that it
 * chooses, and a start takes few system calls. */
#include <linux/fs.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "rootfs/idmap.h"
#include "sys/mount-api.h"
#include "sys/resolve.h"

#define GROUP_TTY 5U /* of ptys; the same number everywhere */

// clang-format off
static const MountOption dev_options[] = {
        { "mode", "0755" }, { "size", "4m" }, { "nr_inodes", "4096" }, { 0 },
};
static const MountOption run_options[] = {
        { "mode", "0755" }, { "size", "20%" }, { "nr_inodes", "800k" }, { 0 },
};

/* What is in a file system that we fill. */
typedef struct Node {
        const char *name;
        mode_t mode;            /* with its type */
        unsigned major, minor;
        const char *target;     /* of a symlink */
} Node;

static const Node dev_nodes[] = {
        { "null",    S_IFCHR | 0666, 1, 3 },
        { "zero",    S_IFCHR | 0666, 1, 5 },
        { "full",    S_IFCHR | 0666, 1, 7 },
        { "random",  S_IFCHR | 0666, 1, 8 },
        { "urandom", S_IFCHR | 0666, 1, 9 },
        { "tty",     S_IFCHR | 0666, 5, 0 },
        { "console", S_IFREG | 0600 },         /* the pty is bound over it */
        { "fd",      S_IFLNK, .target = "/proc/self/fd" },
        { "stdin",   S_IFLNK, .target = "/proc/self/fd/0" },
        { "stdout",  S_IFLNK, .target = "/proc/self/fd/1" },
        { "stderr",  S_IFLNK, .target = "/proc/self/fd/2" },
        { "ptmx",    S_IFLNK, .target = "pts/ptmx" },
        { "pts",     S_IFDIR | 0755 },
        { "shm",     S_IFDIR | 0755 },
        { "mqueue",  S_IFDIR | 0755 },
        { "net",     S_IFDIR | 0755 },
};

static const Node run_nodes[] = {
        { "host",    S_IFDIR | 0755 },
};

static const Node run_host_nodes[] = {
        { "incoming",          S_IFDIR | 0755 },
        { "unix-export",       S_IFDIR | 0755 },
        { "inaccessible",      S_IFDIR | 0755 },
        { "inaccessible/reg",  S_IFREG },
        { "inaccessible/dir",  S_IFDIR },
        { "inaccessible/fifo", S_IFIFO },
        { "inaccessible/sock", S_IFSOCK },
        { "inaccessible/chr",  S_IFCHR, 0, 0 },
        { "inaccessible/blk",  S_IFBLK, 0, 0 },
        { "proc-kmsg",         S_IFIFO | 0600 },
};
// clang-format on

static int mount_error(int code, const char *where, char *kernel_words, Error *reterr) {
        if (kernel_words)
                return error_set(reterr, code, ERROR_MOUNT_FAILED,
                                 "mounting %s in the container failed: %s", where, kernel_words);
        return error_set_errno(reterr, code, ERROR_MOUNT_FAILED,
                               "mounting %s in the container failed", where);
}

/* Why `name` in the root is no mount point. */
static int mount_point_error(const Rootfs *r, const char *name, int code, Error *reterr) {
        struct stat st;

        if (code == -EROFS) {
                error_set(reterr, code, ERROR_NOT_A_ROOT, "/%s is missing in the read-only root",
                          name);
                error_hint(reterr, "create the directory, or leave out --read-only once");
                return code;
        }
        if (fstatat(r->root_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(st.st_mode))
                return error_set_errno(reterr, code, ERROR_MOUNT_FAILED,
                                       "mounting /%s in the container failed", name);
        error_set(reterr, S_ISLNK(st.st_mode) ? -ELOOP : -ENOTDIR, ERROR_NOT_A_ROOT,
                  "/%s is %s in the root", name,
                  S_ISLNK(st.st_mode) ? "a symbolic link" : "not a directory");
        error_hint(reterr, "make it an empty directory: the container's own /%s is mounted there",
                   name);
        return S_ISLNK(st.st_mode) ? -ELOOP : -ENOTDIR;
}

static int make_mount_point(const Rootfs *r, const char *name) {
        const mode_t mode = streq(name, "tmp") ? 01777 : 0755;

        return mkdirat(r->root_fd, name, mode) < 0 && errno != EEXIST ? -errno : 0;
}

/* A fixed mount point of the root that nothing is to be attached to now, made if missing. */
static int check_mount_point(const Rootfs *r, const char *name, Error *reterr) {
        struct stat st;

        if (fstatat(r->root_fd, name, &st, AT_SYMLINK_NOFOLLOW) >= 0)
                return S_ISDIR(st.st_mode) ? 0 : mount_point_error(r, name, -ENOTDIR, reterr);
        int k = errno == ENOENT ? make_mount_point(r, name) : -errno;
        return k < 0 ? mount_point_error(r, name, k, reterr) : 0;
}

/* Attaches a mount to one component of the root. */
static int attach_to_root(const Rootfs *r, int mount_fd, const char *name, Error *reterr) {
        int k = 0;

        for (unsigned i = 0; i < 2 && k >= 0; i++) {
                /* Without MOVE_MOUNT_T_SYMLINKS a symlink at the end is not followed. */
                if (move_mount(mount_fd, "", r->root_fd, name, MOVE_MOUNT_F_EMPTY_PATH) >= 0)
                        return 0;
                k = errno == ENOENT && i == 0 ? make_mount_point(r, name) : -errno;
        }
        return mount_point_error(r, name, k, reterr);
}

/* A file system that needs no filling on one component of the root. */
static int mount_on_root(const Rootfs *r, const char *type, const char *name, unsigned long flags,
                         const char *options, Error *reterr) {
        _cleanup_close_ int fd = resolve_beneath(r->root_fd, name, O_DIRECTORY);

        int k = fd;
        if (k == -ENOENT) {
                k = make_mount_point(r, name);
                if (k >= 0)
                        k = fd = resolve_beneath(r->root_fd, name, O_DIRECTORY);
        }
        if (k >= 0)
                k = mount_classic(type, type, fd, flags, options);
        return k < 0 ? mount_point_error(r, name, k, reterr) : 0;
}

static int make_node(int dir_fd, const Node *n) {
        int r;

        if (S_ISDIR(n->mode))
                r = mkdirat(dir_fd, n->name, n->mode & 07777);
        else if (S_ISLNK(n->mode))
                r = symlinkat(n->target, dir_fd, n->name);
        else
                r = mknodat(dir_fd, n->name, n->mode, makedev(n->major, n->minor));
        return r < 0 ? -errno : 0;
}

static int make_nodes(int dir_fd, const Node *nodes, size_t n, const char *where, Error *reterr) {
        for (size_t i = 0; i < n; i++) {
                int k = make_node(dir_fd, nodes + i);
                /* Nothing needs them, they only complete the set, and some sandboxes forbid all device nodes. */
                if (k == -EPERM && startswith(nodes[i].name, "inaccessible/"))
                        continue;
                if (k < 0)
                        return error_set_errno(reterr, k, ERROR_MOUNT_FAILED, "making %s/%s failed",
                                               where, nodes[i].name);
        }
        return 0;
}

/* A file in a file system of our own. */
static int write_file(int dir_fd, const char *name, const char *text, Error *reterr) {
        _cleanup_close_ int fd =
                openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

        int k = fd < 0 ? -errno : fd_write_full(fd, text, strlen(text));
        if (k < 0)
                return error_set_errno(reterr, k, ERROR_MOUNT_FAILED, "writing /run/host/%s failed",
                                       name);
        return 0;
}

/* mount(2) on a directory of the working directory, which is in a file system of our own. */
static int mount_here(const char *type, const char *name, unsigned long flags, const char *options,
                      const char *where, Error *reterr) {
        if (mount(type, name, type, flags, options) < 0)
                return mount_error(-errno, where, NULL, reterr);
        return 0;
}

static int enter(int fd, const char *where, Error *reterr) {
        if (fchdir(fd) < 0)
                return error_set_errno(reterr, -errno, ERROR_MOUNT_FAILED, "entering %s failed",
                                       where);
        return 0;
}

/* devpts makes its root directory and ptmx for the user that is 0 to the mounting process. */
static int devpts_give(const Rootfs *r, Error *reterr) {
        const uid_t root = rootfs_host_uid(r, 0);

        if (!idmap_shifts(r))
                return 0;
        if (fchownat(r->devpts_fd, "", root, root, AT_EMPTY_PATH) < 0 ||
            fchownat(r->devpts_fd, "ptmx", root, root, AT_SYMLINK_NOFOLLOW) < 0)
                return error_set_errno(reterr, -errno, ERROR_MOUNT_FAILED,
                                       "giving /dev/pts to the container failed");
        return 0;
}

static int make_dev(Rootfs *r, Error *reterr) {
        _cleanup_free_ char *words = NULL;
        char options[96];

        _cleanup_close_ int fd = mount_new("tmpfs", dev_options, MOUNT_ATTR_NOSUID, &words);
        if (fd < 0)
                return mount_error(fd, "/dev", words, reterr);
        int k = make_nodes(fd, dev_nodes, ELEMENTSOF(dev_nodes), "/dev", reterr);
        if (k >= 0)
                k = attach_to_root(r, fd, "dev", reterr);
        if (k >= 0)
                k = enter(fd, "/dev", reterr);
        if (k < 0)
                return k;
        snprintf(options, sizeof(options), "newinstance,ptmxmode=0666,mode=620,gid=%u,max=1024",
                 rootfs_host_uid(r, GROUP_TTY));
        k = mount_here("devpts", "pts", MS_NOSUID | MS_NOEXEC, options, "/dev/pts", reterr);
        if (k >= 0)
                k = mount_here("tmpfs", "shm", MS_NOSUID | MS_NODEV,
                               "mode=1777,size=10%,nr_inodes=400k", "/dev/shm", reterr);
        if (k < 0)
                return k;
        r->devpts_fd = open("pts", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (r->devpts_fd < 0)
                return mount_error(-errno, "/dev/pts", NULL, reterr);
        r->dev_fd = TAKE_FD(fd);
        return devpts_give(r, reterr);
}

static int fill_run_host(Rootfs *r, Error *reterr) {
        char uuid[ID128_UUID_MAX], line[ID128_UUID_MAX + 1];

        int k = make_nodes(r->run_host_fd, run_host_nodes, ELEMENTSOF(run_host_nodes), "/run/host",
                           reterr);
        if (k >= 0)
                k = write_file(r->run_host_fd, "container-manager", "berth\n", reterr);
        snprintf(line, sizeof(line), "%s\n", id128_to_uuid(r->machine_id, uuid));
        if (k >= 0)
                k = write_file(r->run_host_fd, "container-uuid", line, reterr);
        if (k >= 0 && r->host_os_release_text)
                k = write_file(r->run_host_fd, "os-release", r->host_os_release_text, reterr);
        if (k >= 0)
                k = enter(r->run_host_fd, "/run/host", reterr);
        if (k >= 0)
                k = mount_here("tmpfs", "unix-export", MS_NOSUID | MS_NODEV | MS_NOEXEC,
                               "mode=0755,size=4m,nr_inodes=64", "/run/host/unix-export", reterr);
        if (k < 0)
                return k;
        /* Both ends: a reader inside neither waits in open() nor reads an end. */
        r->kmsg_fd = open("proc-kmsg", O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
        if (r->kmsg_fd < 0)
                return error_set_errno(reterr, -errno, ERROR_MOUNT_FAILED,
                                       "opening /run/host/proc-kmsg failed");
        return 0;
}

static int make_run(Rootfs *r, Error *reterr) {
        _cleanup_free_ char *words = NULL;

        _cleanup_close_ int fd =
                mount_new("tmpfs", run_options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, &words);
        if (fd < 0)
                return mount_error(fd, "/run", words, reterr);
        int k = make_nodes(fd, run_nodes, ELEMENTSOF(run_nodes), "/run", reterr);
        if (k >= 0)
                k = attach_to_root(r, fd, "run", reterr);
        if (k >= 0)
                k = enter(fd, "/run", reterr);
        if (k >= 0)
                k = mount_here("tmpfs", "host", MS_NOSUID | MS_NODEV | MS_NOEXEC,
                               "mode=0755,size=4m,nr_inodes=256", "/run/host", reterr);
        if (k < 0)
                return k;
        r->run_host_fd = open("host", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (r->run_host_fd < 0)
                return mount_error(-errno, "/run/host", NULL, reterr);
        return fill_run_host(r, reterr);
}

static int make_outer(const ContainerSpec *spec, Rootfs *r, Error *reterr) {
        int k = make_dev(r, reterr);
        if (k >= 0)
                k = make_run(r, reterr);
        if (k >= 0)
                k = mount_on_root(r, "tmpfs", "tmp", MS_NOSUID | MS_NODEV,
                                  "mode=1777,size=10%,nr_inodes=1m", reterr);
        /* sysfs shows the network of whoever mounts it: a private one is the child's business. */
        if (k >= 0)
                k = spec->network.private_
                            ? check_mount_point(r, "sys", reterr)
                            : mount_on_root(r, "sysfs", "sys",
                                            MS_RDONLY | MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL,
                                            reterr);
        if (k >= 0)
                k = check_mount_point(r, "proc", reterr);
        if (k >= 0)
                k = enter(r->root_fd, "the root directory", reterr);
        return k;
}

int api_mounts_outer(const ContainerSpec *spec, Rootfs *r, Error *reterr) {
        _cleanup_make_files_ const Rootfs *making = r;

        int k = make_files_begin(r, reterr);
        if (k < 0)
                return k;
        const mode_t mask = umask(0);
        k = make_outer(spec, r, reterr);
        umask(mask);
        return k;
}

int api_mounts_console(Rootfs *r, int slave_fd, Error *reterr) {
        const uid_t root = rootfs_host_uid(r, 0);

        if (idmap_shifts(r) && fchown(slave_fd, root, rootfs_host_uid(r, GROUP_TTY)) < 0)
                return error_set_errno(reterr, -errno, ERROR_CONSOLE_FAILED,
                                       "giving the console to the container failed");
        _cleanup_close_ int fd = mount_clone(slave_fd, false);
        int k = fd;
        if (k >= 0 && move_mount(fd, "", r->dev_fd, "console", MOVE_MOUNT_F_EMPTY_PATH) < 0)
                k = -errno;
        if (k < 0)
                return error_set_errno(reterr, k, ERROR_CONSOLE_FAILED,
                                       "binding the console on /dev/console failed");
        return 0;
}

int api_mounts_seal(Rootfs *r, Error *reterr) {
        int k = mount_set_attributes(r->run_host_fd, MOUNT_ATTR_RDONLY, 0, 0, false);

        if (k < 0)
                return error_set_errno(reterr, k, ERROR_MOUNT_FAILED,
                                       "making /run/host read-only failed");
        return 0;
}
