/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The API file systems that the supervisor makes: /dev, /run, /run/host, /tmp, and /sys where the network is the host's.
 *
 * Each is mounted (mount(2)) and filled at STAGE, a directory of the host, in our own mount namespace, where nothing of the
 * container can interfere; then the finished tree is moved to one component below the root's descriptor by move_mount(2), which
 * follows no symlink there. So no name of the root's choosing steers anything, and a start takes few system calls: mount(2)
 * is one, where fsopen, fsconfig… and fsmount are seven. */
#include <linux/fs.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "ipc/notify.h"
#include "rootfs/idmap.h"
#include "sys/mount-api.h"

#define GROUP_TTY 5U /* of ptys; the same number everywhere */
/* Where file systems are made: it is there, the root's lock is in it. */
#define STAGE "/run/systemd/nspawn/locks"
#define STAGE_PATH_MAX 128

// clang-format off
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

static int mount_error(int code, const char *where, Error *reterr) {
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

/* Mounts a file system at the stage. */
static int stage_mount(const char *type, unsigned long flags, const char *options,
                       const char *where, Error *reterr) {
        if (mount(type, STAGE, type, flags, options) < 0)
                return mount_error(-errno, where, reterr);
        return 0;
}

/* Moves what is mounted at the stage, with all that is mounted in it, to one component of the root. */
static int stage_move(const Rootfs *r, const char *name, Error *reterr) {
        int k = 0;

        for (unsigned i = 0; i < 2 && k >= 0; i++) {
                /* Without MOVE_MOUNT_T_SYMLINKS a symlink at the end is not followed. */
                if (move_mount(AT_FDCWD, STAGE, r->root_fd, name, 0) >= 0)
                        return 0;
                k = errno == ENOENT && i == 0 ? make_mount_point(r, name) : -errno;
        }
        (void) umount2(STAGE,
                       MNT_DETACH); /* what was to be moved: at worst it goes with our namespace */
        return mount_point_error(r, name, k, reterr);
}

/* A file system that needs no filling. */
static int mount_on_root(const Rootfs *r, const char *type, const char *name, const char *where,
                         unsigned long flags, const char *options, Error *reterr) {
        int k = stage_mount(type, flags, options, where, reterr);

        return k < 0 ? k : stage_move(r, name, reterr);
}

static int make_node(const Node *n, const char *path) {
        int r;

        if (S_ISDIR(n->mode))
                r = mkdir(path, n->mode & 07777);
        else if (S_ISLNK(n->mode))
                r = symlink(n->target, path);
        else
                r = mknod(path, n->mode, makedev(n->major, n->minor));
        return r < 0 ? -errno : 0;
}

/* at: directory of ours at the stage. */
static int make_nodes(const Node *nodes, size_t n, const char *at, const char *where,
                      Error *reterr) {
        char path[STAGE_PATH_MAX];

        for (size_t i = 0; i < n; i++) {
                snprintf(path, sizeof(path), "%s/%s", at, nodes[i].name); /* fits: see the tables */
                int k = make_node(nodes + i, path);
                /* Nothing needs them, they only complete the set, and some sandboxes forbid all device nodes. */
                if (k == -EPERM && startswith(nodes[i].name, "inaccessible/"))
                        continue;
                if (k < 0)
                        return error_set_errno(reterr, k, ERROR_MOUNT_FAILED, "making %s/%s failed",
                                               where, nodes[i].name);
        }
        return 0;
}

/* A file of /run/host. */
static int write_file(const char *name, const char *text, Error *reterr) {
        char path[STAGE_PATH_MAX];

        snprintf(path, sizeof(path), STAGE "/host/%s", name); /* fits */
        _cleanup_close_ int fd =
                open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        int k = fd < 0 ? -errno : fd_write_full(fd, text, strlen(text));
        if (k < 0)
                return error_set_errno(reterr, k, ERROR_MOUNT_FAILED, "writing /run/host/%s failed",
                                       name);
        return 0;
}

/* mount(2) on a directory in a file system of our own at the stage. */
static int mount_at(const char *type, const char *path, unsigned long flags, const char *options,
                    const char *where, Error *reterr) {
        if (mount(type, path, type, flags, options) < 0)
                return mount_error(-errno, where, reterr);
        return 0;
}

/* devpts makes its root directory and ptmx for the user that is 0 to the mounting process. */
static int devpts_give(const Rootfs *r, Error *reterr) {
        const uid_t root = rootfs_host_uid(r, 0);

        if (idmap_shifts(r) &&
            (lchown(STAGE "/pts", root, root) < 0 || lchown(STAGE "/pts/ptmx", root, root) < 0))
                return error_set_errno(reterr, -errno, ERROR_MOUNT_FAILED,
                                       "giving /dev/pts to the container failed");
        return 0;
}

static int fill_dev(const ContainerSpec *spec, Rootfs *r, Error *reterr) {
        char options[96];

        int k = make_nodes(dev_nodes, ELEMENTSOF(dev_nodes), STAGE, "/dev", reterr);
        snprintf(options, sizeof(options), "newinstance,ptmxmode=0666,mode=620,gid=%u,max=1024",
                 rootfs_host_uid(r, GROUP_TTY));
        if (k >= 0)
                k = mount_at("devpts", STAGE "/pts", MS_NOSUID | MS_NOEXEC, options, "/dev/pts",
                             reterr);
        if (k >= 0)
                k = mount_at("tmpfs", STAGE "/shm", MS_NOSUID | MS_NODEV,
                             "mode=1777,size=10%,nr_inodes=400k", "/dev/shm", reterr);
        if (k >= 0)
                k = devpts_give(r, reterr);
        if (k < 0 || spec->console.mode == CONSOLE_PIPE)
                return k;
        r->devpts_fd = open(STAGE "/pts", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return r->devpts_fd < 0 ? mount_error(-errno, "/dev/pts", reterr) : 0;
}

static int make_dev(const ContainerSpec *spec, Rootfs *r, Error *reterr) {
        int k = stage_mount("tmpfs", MS_NOSUID, "mode=0755,size=4m,nr_inodes=4096", "/dev", reterr);

        if (k >= 0)
                k = fill_dev(spec, r, reterr);
        return k < 0 ? k : stage_move(r, "dev", reterr);
}

static int make_notify_socket(Rootfs *r, Error *reterr) {
        r->notify_fd = notify_bind(AT_FDCWD, STAGE "/host/notify", (uid_t) -1, (gid_t) -1);
        if (r->notify_fd < 0)
                return error_set_errno(reterr, r->notify_fd, ERROR_SETUP_FAILED,
                                       "making the notification socket in '/run/host' failed");
        return 0;
}

static int fill_run_host(Rootfs *r, Error *reterr) {
        char uuid[ID128_UUID_MAX], line[ID128_UUID_MAX + 1];

        int k = make_nodes(run_host_nodes, ELEMENTSOF(run_host_nodes), STAGE "/host", "/run/host",
                           reterr);
        if (k >= 0)
                k = write_file("container-manager", "berth\n", reterr);
        snprintf(line, sizeof(line), "%s\n", id128_to_uuid(r->machine_id, uuid));
        if (k >= 0)
                k = write_file("container-uuid", line, reterr);
        if (k >= 0 && r->host_os_release_text)
                k = write_file("os-release", r->host_os_release_text, reterr);
        if (k >= 0)
                k = mount_at("tmpfs", STAGE "/host/unix-export", MS_NOSUID | MS_NODEV | MS_NOEXEC,
                             "mode=0755,size=4m,nr_inodes=64", "/run/host/unix-export", reterr);
        if (k >= 0)
                k = make_notify_socket(r, reterr);
        if (k < 0)
                return k;
        /* Both ends: a reader inside neither waits in open() nor reads an end. */
        r->kmsg_fd = open(STAGE "/host/proc-kmsg", O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
        if (r->kmsg_fd < 0)
                return error_set_errno(reterr, -errno, ERROR_MOUNT_FAILED,
                                       "opening /run/host/proc-kmsg failed");
        return 0;
}

static int make_run(Rootfs *r, Error *reterr) {
        int k = stage_mount("tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=20%,nr_inodes=800k",
                            "/run", reterr);

        if (k >= 0)
                k = make_nodes(run_nodes, ELEMENTSOF(run_nodes), STAGE, "/run", reterr);
        if (k >= 0)
                k = mount_at("tmpfs", STAGE "/host", MS_NOSUID | MS_NODEV | MS_NOEXEC,
                             "mode=0755,size=4m,nr_inodes=256", "/run/host", reterr);
        if (k >= 0)
                k = fill_run_host(r, reterr);
        return k < 0 ? k : stage_move(r, "run", reterr);
}

/* A mount of ours is locked for a payload with a user namespace, and an init that cannot unmount /tmp at its shutdown says so in red.
 * But where the user has mounts, one may lie in /tmp, perhaps behind a link. */
bool tmp_is_made_inside(const ContainerSpec *spec) {
        return spec->n_mounts == 0 && !spec->root.pivot_old;
}

int api_mounts_outer(const ContainerSpec *spec, Rootfs *r, Error *reterr) {
        int k = make_dev(spec, r, reterr);
        if (k >= 0)
                k = make_run(r, reterr);
        if (k >= 0)
                k = tmp_is_made_inside(spec)
                            ? check_mount_point(r, "tmp", reterr)
                            : mount_on_root(r, "tmpfs", "tmp", "/tmp", MS_NOSUID | MS_NODEV,
                                            TMP_OPTIONS, reterr);
        /* sysfs shows the network of whoever mounts it: a private one is the child's business. */
        if (k >= 0)
                k = spec->network.private_
                            ? check_mount_point(r, "sys", reterr)
                            : mount_on_root(r, "sysfs", "sys", "/sys",
                                            MS_RDONLY | MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL,
                                            reterr);
        return k < 0 ? k : check_mount_point(r, "proc", reterr);
}

int api_mounts_console(Rootfs *r, int slave_fd, Error *reterr) {
        const uid_t root = rootfs_host_uid(r, 0);

        if (idmap_shifts(r) && fchown(slave_fd, root, rootfs_host_uid(r, GROUP_TTY)) < 0)
                return error_set_errno(reterr, -errno, ERROR_CONSOLE_FAILED,
                                       "giving the console to the container failed");
        _cleanup_close_ int fd = mount_clone(slave_fd, false);
        int k = fd;
        /* dev is a mount: nothing of the root's choosing is on this path */
        if (k >= 0 && move_mount(fd, "", r->root_fd, "dev/console", MOVE_MOUNT_F_EMPTY_PATH) < 0)
                k = -errno;
        if (k < 0)
                return error_set_errno(reterr, k, ERROR_CONSOLE_FAILED,
                                       "binding the console on /dev/console failed");
        return 0;
}

int api_mounts_seal(const Rootfs *r, Error *reterr) {
        struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY };

        /* run is a mount, and host in it: user_mounts() lets nothing hide them */
        if (mount_setattr(r->root_fd, "run/host", AT_SYMLINK_NOFOLLOW, &attributes,
                          sizeof(attributes)) < 0)
                return error_set_errno(reterr, -errno, ERROR_MOUNT_FAILED,
                                       "making /run/host read-only failed");
        return 0;
}
