/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The root directory: opened once, locked, verified, and attached as a mount of its own.
 *
 * Calls: open(O_PATH | O_NOFOLLOW); open_tree(CLONE | RECURSIVE) of it, mount_setattr (nodev, read-only, private, idmap: only a
 * detached mount takes one), move_mount over the directory itself. Nothing after the open takes a path of the
 * host that leads below the root. */
#include "rootfs/rootfs.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "basic/env-file.h"
#include "basic/fd.h"
#include "basic/log.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "rootfs/disk-root.h"
#include "rootfs/ephemeral.h"
#include "rootfs/idmap.h"
#include "rootfs/mstack.h"
#include "rootfs/overlay-mounts.h"
#include "rootfs/owner.h"
#include "rootfs/volatile.h"
#include "sys/lock-holder.h"
#include "sys/lock.h"
#include "sys/mount-api.h"
#include "sys/resolve.h"

#define OS_RELEASE_MAX (64U << 10)
#define MACHINE_ID_MAX 4096U

/* Directories of a host that are never a container's root, whatever is in them. */
static const struct {
        const char *path;
        bool below; /* nor is anything below them */
} places_refused[] = {
        { "/proc", true },       { "/sys", true },
        { "/dev", true },        { "/usr", false },
        { "/usr/local", false }, { "/bin", false },
        { "/sbin", false },      { "/lib", false },
        { "/lib64", false },     { "/etc", false },
        { "/var", false },       { "/boot", false },
        { "/run", false },       { "/home", false },
        { "/root", false },      { "/var/lib/machines", false },
};

static const char *const init_candidates[] = {
        "/usr/lib/systemd/systemd",
        "/lib/systemd/systemd",
        "/sbin/init",
};

void rootfs_done(Rootfs *r) {
        if (!r)
                return;
        fd_close(r->directory_fd);
        fd_close(r->pivot_fd);
        fd_close(r->old_root_fd);
        fd_close(r->lock_fd);
        for (size_t i = 0; i < ELEMENTSOF(r->range_lock_fds); i++)
                fd_close(r->range_lock_fds[i]);
        fd_close(r->root_fd);
        fd_close(r->devpts_fd);
        fd_close(r->notify_fd);
        fd_close(r->kmsg_fd);
        fd_close(r->userns_fd);
        overlay_works_done(r);
        mstack_free(r->mstack);
        strv_free(r->os_release);
        strv_free(r->host_os_release);
        free(r->host_os_release_text);
        free(r->init);
        free(r->user.groups);
        free(r->user.name);
        free(r->user.home);
        free(r->user.shell);
        *r = (Rootfs) ROOTFS_NULL;
}

/* ---- opening ---------------------------------------------------------------------------------------------------- */

static int open_error(int code, const char *path, Error *reterr) {
        struct stat st;

        if (code == -ENOENT) {
                error_set(reterr, code, ERROR_ROOT_NOT_FOUND, "root directory '%s' does not exist",
                          path);
                return code;
        }
        if (IN_SET(code, -EACCES, -EPERM))
                return error_set_errno(reterr, code, ERROR_NO_PRIVILEGES,
                                       "opening the root directory '%s' failed", path);
        if (IN_SET(code, -ENOTDIR, -ELOOP)) {
                const bool link = lstat(path, &st) >= 0 && S_ISLNK(st.st_mode);
                return error_set(reterr, code, ERROR_NOT_A_ROOT, "root directory '%s' is %s", path,
                                 link ? "a symbolic link" : "not a directory");
        }
        return error_set_errno(reterr, code, ERROR_SETUP_FAILED,
                               "opening the root directory '%s' failed", path);
}

/* A descriptor from before our own mount namespace was made is of a mount of the old one, which cannot be cloned: the same
 * directory is opened again by the name that the kernel has for it. */
static int open_again(int fd, Error *reterr) {
        char link[32], path[4096];
        struct stat a, b;

        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, path, sizeof(path) - 1);
        if (n < 0)
                return error_set_errno(reterr, -errno, ERROR_SETUP_FAILED,
                                       "finding the name of the root directory failed");
        path[n] = '\0';
        _cleanup_close_ int again = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (again < 0)
                return open_error(-errno, path, reterr);
        if (fstat(fd, &a) < 0 || fstat(again, &b) < 0)
                return error_set_errno(reterr, -errno, ERROR_SETUP_FAILED,
                                       "looking at the root directory '%s' failed", path);
        if (a.st_dev != b.st_dev || a.st_ino != b.st_ino)
                return error_set(reterr, -ESTALE, ERROR_ROOT_NOT_FOUND,
                                 "root directory '%s' was replaced meanwhile", path);
        return TAKE_FD(again);
}

/* The stack itself, with the disk images in it where they can be found. */
static int open_mstack(const ContainerSpec *spec, Rootfs *r, Error *reterr) {
        _cleanup_close_ int images_fd = -EBADF;
        int k = spec->root.fd >= 0 ? disk_root_open(spec, &images_fd, reterr) : 0;
        return k < 0 ? k : mstack_read(spec, r->directory_fd, &r->mstack, reterr);
}

static int open_directory(const ContainerSpec *spec, Rootfs *r, Error *reterr) {
        if (spec->root.image)
                return disk_root_open(spec, &r->directory_fd, reterr);
        if (spec->root.fd >= 0 && !spec->root.mstack) {
                int fd = open_again(spec->root.fd, reterr);
                if (fd < 0)
                        return fd;
                r->directory_fd = fd;
                return 0;
        }
        const char *path = spec->root.mstack ?: spec->root.directory;
        if (!path)
                return error_set(reterr, -EINVAL, ERROR_ROOT_NOT_FOUND,
                                 "no root directory is given");
        r->directory_fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (r->directory_fd < 0)
                return open_error(-errno, path, reterr);
        return spec->root.mstack ? open_mstack(spec, r, reterr) : 0;
}

static const char *root_name(const ContainerSpec *spec) {
        return spec_root_path(spec) ?: "(descriptor)";
}

/* Does the container change the directory itself? */
static bool is_written(const ContainerSpec *spec) {
        return !spec->root.read_only && !spec_root_is_forgotten(spec);
}

static int check_place(const ContainerSpec *spec, Rootfs *r, Error *reterr) {
        struct stat *st = &r->directory_stat, host;

        if (fstat(r->directory_fd, st) < 0 || stat("/", &host) < 0)
                return error_set_errno(reterr, -errno, ERROR_SETUP_FAILED,
                                       "looking at the root directory '%s' failed",
                                       root_name(spec));
        if (st->st_dev == host.st_dev && st->st_ino == host.st_ino && is_written(spec)) {
                error_set(reterr, -EBUSY, ERROR_CONFLICT,
                          "'%s' is the root directory of the running system", root_name(spec));
                error_hint(
                        reterr,
                        "add --read-only or --ephemeral, so that the container cannot change it");
                return -EBUSY;
        }
        for (size_t i = 0; spec->root.directory && i < ELEMENTSOF(places_refused); i++) {
                const char *rest = path_startswith(spec->root.directory, places_refused[i].path);
                if (!rest || (rest[0] && !places_refused[i].below))
                        continue;
                error_set(reterr, -EINVAL, ERROR_NOT_A_ROOT,
                          "'%s' is a directory of the running system, not a container's root",
                          spec->root.directory);
                if (streq(spec->root.directory, "/var/lib/machines"))
                        error_hint(reterr, "name one of the directories in it");
                return -EINVAL;
        }
        return 0;
}

static int lock_root(const ContainerSpec *spec, Rootfs *r, Error *reterr) {
        if (spec->root.image)
                return 0; /* its lock came with it */
        const bool written = is_written(spec) && (!r->mstack || mstack_is_written(r->mstack));
        const LockMode mode = written ? LOCK_MODE_EXCLUSIVE : LOCK_MODE_SHARED;
        const char *path = spec->root.mstack   ? spec->root.mstack
                           : spec->root.fd < 0 ? spec->root.directory
                                               : NULL;
        r->lock_fd = path ? lock_take_inode_at(path, /* follow= */ false, &r->directory_stat, mode)
                          : lock_take_inode(&r->directory_stat, mode);
        if (r->lock_fd >= 0)
                return r->mstack ? mstack_lock(spec, r->mstack, reterr) : 0;
        if (r->lock_fd == -ESTALE) {
                error_set(reterr, -ESTALE, ERROR_ROOT_BUSY,
                          "root directory '%s' was replaced meanwhile", path);
                error_hint(reterr, "wait for the end of what is done with it, and try again");
                return -ESTALE;
        }
        if (r->lock_fd == -EBUSY) {
                char lock_path[LOCK_INODE_PATH_MAX];
                lock_inode_path(&r->directory_stat, lock_path);
                _cleanup_free_ char *holder = lock_describe_holder(lock_path, "another container");
                error_set(reterr, -EBUSY, ERROR_ROOT_BUSY, "root directory '%s' is in use by %s",
                          root_name(spec), strempty(holder));
                error_hint(reterr,
                           "stop that container first; containers that do not change a root "
                           "(--read-only, --ephemeral) can share it");
                return -EBUSY;
        }
        error_set_errno(reterr, r->lock_fd, ERROR_SETUP_FAILED,
                        "locking the root directory '%s' failed", root_name(spec));
        if (IN_SET(r->lock_fd, -EACCES, -EPERM, -EROFS))
                error_hint(reterr, "this needs root and a writable /run");
        return r->lock_fd;
}

/* ---- verifying -------------------------------------------------------------------------------------------------- */

static bool directory_is_empty(int fd) {
        struct dirent *e;

        int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (again < 0)
                return false;
        DIR *d = fdopendir(again);
        if (!d) {
                fd_close(again);
                return false;
        }
        bool empty = true;
        while (empty && (e = readdir(d)))
                empty = streq(e->d_name, ".") || streq(e->d_name, "..");
        closedir(d);
        return empty;
}

/* What the container's root is made of: with PivotRoot= a directory in the root directory. */
static int tree_fd_of(const Rootfs *r) {
        return r->pivot_fd >= 0 ? r->pivot_fd : r->directory_fd;
}

static int open_pivot(const ContainerSpec *spec, Rootfs *r, Error *reterr) {
        if (!spec->root.pivot)
                return 0;
        int fd = resolve_in_root(r->directory_fd, spec->root.pivot, O_PATH | O_DIRECTORY);
        if (fd < 0) {
                error_set_errno(reterr, fd, ERROR_NOT_A_ROOT,
                                "opening '%s' in '%s', which is to become the root, failed",
                                spec->root.pivot, root_name(spec));
                error_hint(reterr, "--pivot-root= names a directory inside the root");
                return fd;
        }
        r->pivot_fd = fd;
        return 0;
}

/* A place where some program could be. */
static int check_tree(const ContainerSpec *spec, int tree_fd, Error *reterr) {
        static const char *const names[] = { "usr", "bin" };
        struct stat st;

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (fstatat(tree_fd, names[i], &st, AT_SYMLINK_NOFOLLOW) >= 0 &&
                    (S_ISDIR(st.st_mode) || S_ISLNK(st.st_mode)))
                        return 0;
        if (directory_is_empty(tree_fd))
                error_set(reterr, -ENOENT, ERROR_NOT_A_ROOT, "root directory '%s' is empty",
                          root_name(spec));
        else
                error_set(reterr, -ENOENT, ERROR_NOT_A_ROOT,
                          "'%s' is not the root of a system: it has neither usr/ nor bin/",
                          root_name(spec));
        error_hint(reterr, "fill it first, for example: debootstrap stable %s", root_name(spec));
        return -ENOENT;
}

static int open_and_lock(const ContainerSpec *spec, Rootfs *r, Error *reterr) {
        r->directory_fd = fd_close(r->directory_fd);
        int k = open_directory(spec, r, reterr);
        if (k >= 0)
                k = check_place(spec, r, reterr);
        return k < 0 ? k : lock_root(spec, r, reterr);
}

int rootfs_open(const ContainerSpec *spec, Rootfs *r, Error *reterr) {
        _cleanup_error_ Error e = ERROR_NULL;
        int k = open_and_lock(spec, r, &e);
        /* an image may go back to a snapshot between the two */
        for (unsigned n = 1; r->lock_fd == -ESTALE && !r->mstack && n < LOCK_PATH_TRIES; n++) {
                error_done(&e);
                k = open_and_lock(spec, r, &e);
        }
        if (k < 0)
                k = error_take(reterr, &e);
        else
                k = open_pivot(spec, r, reterr);
        return k < 0 || spec->root.mstack ? k : check_tree(spec, tree_fd_of(r), reterr);
}

/* ---- attaching -------------------------------------------------------------------------------------------------- */

/* Whether the files get the container's ids by a mapping. */
static bool wants_idmap(const ContainerSpec *spec, const Rootfs *r) {
        const uid_t owner = r->directory_stat.st_uid;

        if (!idmap_shifts(r) || IN_SET(spec->users.ownership, OWNERSHIP_OFF, OWNERSHIP_CHOWN) ||
            spec->users.mode == USERNS_YES)
                return false;
        if (spec->users.ownership == OWNERSHIP_MAP)
                return true;
        /* Files that belong to the range already stay as they are. */
        return owner < r->map.outside || owner - r->map.outside >= r->map.count;
}

/* Of what the root is made of. */
static uint64_t tree_attributes(const ContainerSpec *spec) {
        return MOUNT_ATTR_NODEV | (is_written(spec) ? 0 : (uint64_t) MOUNT_ATTR_RDONLY);
}

/* The files of the whole root directory, on disk. */
static int change_owner(const ContainerSpec *spec, Rootfs *r, Error *reterr) {
        int k = owner_change(r->directory_fd, r->map.outside, r->map.count, root_name(spec),
                             reterr);
        if (k >= 0 && fstat(r->directory_fd, &r->directory_stat) < 0)
                k = error_set_errno(reterr, -errno, ERROR_SETUP_FAILED,
                                    "looking at the root directory '%s' failed", root_name(spec));
        return k;
}

/* What somebody has begun is done to the end: half of it cannot be mapped. */
static bool wants_chown(const ContainerSpec *spec, const Rootfs *r) {
        return r->map.count > 0 && (spec->users.ownership == OWNERSHIP_CHOWN ||
                                    (spec->users.ownership == OWNERSHIP_AUTO && is_written(spec) &&
                                     !spec->root.image && owner_is_busy(r->directory_stat.st_uid)));
}

/* OWNERSHIP_AUTO: where ids cannot be mapped. */
static bool may_chown_instead(const ContainerSpec *spec, const Rootfs *r, int code) {
        return spec->users.ownership == OWNERSHIP_AUTO && is_written(spec) && !spec->root.image &&
               owner_range_is_valid(r->map.outside, r->map.count) &&
               IN_SET(code, -EINVAL, -EPERM, -EOPNOTSUPP);
}

/* The root's own file system is fine: it is one that is mounted in it, for which nothing of the root is to be changed. */
static bool maps_alone(const ContainerSpec *spec, const Rootfs *r, int fd) {
        _cleanup_close_ int tree_fd = mount_clone(fd, false);
        return tree_fd >= 0 &&
               mount_set_tree(tree_fd, tree_attributes(spec), MS_PRIVATE, r->userns_fd) >= 0;
}

/* A detached clone with the ids and attributes that the root gets. */
static int clone_tree(const ContainerSpec *spec, Rootfs *r, int fd, bool recursive, Error *reterr) {
        const bool idmap = wants_idmap(spec, r);

        int k = idmap ? idmap_holder(r, reterr) : 0;
        if (k < 0)
                return k;
        _cleanup_close_ int tree_fd = mount_clone(fd, recursive);
        k = tree_fd;
        if (k >= 0)
                k = mount_set_tree(tree_fd, tree_attributes(spec), MS_PRIVATE,
                                   idmap ? r->userns_fd : -EBADF);
        if (k < 0 && tree_fd >= 0 && idmap && may_chown_instead(spec, r, k) &&
            !(recursive && maps_alone(spec, r, fd))) {
                log_notice(
                        "The file system of '%s' cannot map ids: its files are given to the users %u to %u",
                        root_name(spec), r->map.outside, r->map.outside + r->map.count - 1);
                k = change_owner(spec, r, reterr);
                return k < 0 ? k : clone_tree(spec, r, fd, recursive, reterr);
        }
        if (k < 0 && tree_fd >= 0 && idmap) {
                _cleanup_free_ char *what = strf("the root directory '%s'", root_name(spec));
                return idmap_error(k, tree_fd, what ?: "the root directory", reterr);
        }
        if (k < 0)
                return error_set_errno(reterr, k, ERROR_MOUNT_FAILED,
                                       "making a mount of the root directory '%s' failed",
                                       root_name(spec));
        return TAKE_FD(tree_fd);
}

static int attach_error(const ContainerSpec *spec, int code, Error *reterr) {
        return error_set_errno(reterr, code, ERROR_MOUNT_FAILED,
                               "attaching the root directory '%s' failed", root_name(spec));
}

/* Volatile=yes: a root in memory, with the directory's /usr in it. */
static int attach_usr(const ContainerSpec *spec, Rootfs *r, Error *reterr) {
        _cleanup_close_ int usr_fd = resolve_beneath(tree_fd_of(r), "usr", O_DIRECTORY);
        if (usr_fd < 0)
                return error_set_errno(reterr, usr_fd, ERROR_NOT_A_ROOT,
                                       "opening /usr in '%s' failed", root_name(spec));
        _cleanup_close_ int tree_fd = clone_tree(spec, r, usr_fd, true, reterr);
        if (tree_fd < 0)
                return tree_fd;
        _cleanup_close_ int root_fd = volatile_root_make(tree_fd_of(r), r, reterr);
        if (root_fd < 0)
                return root_fd;
        int k = mount_attach(root_fd, r->directory_fd);
        _cleanup_close_ int at_fd = k < 0 ? k : resolve_beneath(root_fd, "usr", O_DIRECTORY);
        k = at_fd < 0 ? at_fd : mount_attach(tree_fd, at_fd);
        if (k < 0)
                return attach_error(spec, k, reterr);
        r->root_fd = TAKE_FD(root_fd);
        return 0;
}

static int attach_tree(const ContainerSpec *spec, Rootfs *r, Error *reterr) {
        const bool layered = spec->root.volatile_ == VOLATILE_OVERLAY ||
                             (spec->root.ephemeral && spec->root.volatile_ != VOLATILE_STATE);

        /* what is mounted below a layer cannot be seen through it */
        _cleanup_close_ int tree_fd = clone_tree(spec, r, tree_fd_of(r), !layered, reterr);
        if (tree_fd < 0)
                return tree_fd;
        int k = mount_attach(tree_fd, r->directory_fd);
        if (k >= 0 && layered) {
                int layer_fd = ephemeral_layer(tree_fd, spec->root.read_only, reterr);
                if (layer_fd < 0)
                        return layer_fd;
                fd_close(tree_fd);
                tree_fd = layer_fd;
                k = mount_attach(tree_fd, r->directory_fd);
                if (k >= 0 && spec->root.image)
                        k = disk_root_layers(tree_fd_of(r), tree_fd, tree_attributes(spec),
                                             wants_idmap(spec, r) ? r->userns_fd : -EBADF,
                                             spec->root.read_only, reterr);
                if (k < 0 && error_is_set(reterr))
                        return k;
        }
        if (k < 0)
                return attach_error(spec, k, reterr);
        r->root_fd = TAKE_FD(tree_fd);
        return 0;
}

int rootfs_attach(const ContainerSpec *spec, Rootfs *r, Error *reterr) {
        if (spec->root.mstack) {
                int s = mstack_attach(spec, r, reterr);
                return s < 0 ? s : check_tree(spec, r->root_fd, reterr);
        }
        int k = wants_chown(spec, r) ? change_owner(spec, r, reterr) : 0;
        if (k < 0)
                return k;
        if (spec->root.pivot_old) { /* before something is attached over it */
                int fd = clone_tree(spec, r, r->directory_fd, true, reterr);
                if (fd < 0)
                        return fd;
                r->old_root_fd = fd;
        }
        k = spec->root.volatile_ == VOLATILE_YES ? attach_usr(spec, r, reterr)
                                                 : attach_tree(spec, r, reterr);
        if (k >= 0 && spec->root.volatile_ == VOLATILE_STATE)
                k = volatile_var_attach(r, reterr);
        return k;
}

/* ---- looking inside --------------------------------------------------------------------------------------------- */

static int find_init(const ContainerSpec *spec, Rootfs *r, Error *reterr) {
        const char *unusable = NULL;
        struct stat st;

        for (size_t i = 0; i < ELEMENTSOF(init_candidates); i++) {
                _cleanup_close_ int fd = resolve_in_root(r->root_fd, init_candidates[i], O_PATH);
                if (fd < 0)
                        continue;
                if (fstat(fd, &st) >= 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111))
                        return free_and_strdup(&r->init, init_candidates[i]) < 0 ? error_oom(reterr)
                                                                                 : 0;
                unusable = unusable ?: init_candidates[i];
        }
        if (unusable)
                return error_set(reterr, -EACCES, ERROR_NOT_EXECUTABLE,
                                 "the init '%s' in '%s' is not an executable file", unusable,
                                 root_name(spec));
        error_set(reterr, -ENOENT, ERROR_INIT_NOT_FOUND, "'%s' has no init (%s, %s or %s)",
                  root_name(spec), init_candidates[0], init_candidates[1], init_candidates[2]);
        error_hint(reterr,
                   "install one (for example systemd-sysv) in it, or run a command without --boot");
        return -ENOENT;
}

/* 1: read, 0: there is none. */
static int read_os_release(const ContainerSpec *spec, Rootfs *r, Error *reterr) {
        static const char *const paths[] = { "/etc/os-release", "/usr/lib/os-release" };
        const char *odd = NULL;
        int odd_code = 0;

        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                _cleanup_free_ char *text = NULL;
                int k = resolve_read_file(r->root_fd, paths[i], OS_RELEASE_MAX, &text, NULL);
                if (k >= 0)
                        return env_file_parse(text, &r->os_release) < 0 ? error_oom(reterr) : 0;
                if (k != -ENOENT && !odd) {
                        odd = paths[i];
                        odd_code = k;
                }
        }
        if (odd)
                return error_set(reterr, odd_code, ERROR_NOT_A_ROOT,
                                 "%s in '%s' is not a regular file of at most %u KiB", odd,
                                 root_name(spec), OS_RELEASE_MAX >> 10);
        error_set(reterr, -ENOENT, ERROR_NOT_A_ROOT,
                  "'%s' is not the root of an operating system: it has neither %s nor %s",
                  root_name(spec), paths[0], paths[1]);
        error_hint(reterr, "to run a command in it, leave out --boot");
        return -ENOENT;
}

/* For a root without one: the same at each start of the container. */
static int make_machine_id(const ContainerSpec *spec, Id128 *ret) {
        _cleanup_free_ char *text = NULL, *who = NULL;
        Id128 host;

        int k = file_read_all(AT_FDCWD, "/etc/machine-id", MACHINE_ID_MAX, &text, NULL);
        if (k < 0 || id128_parse(strstrip(text), &host) < 0 || id128_is_null(host))
                return id128_random(ret);
        who = strf("%s\n%s", spec->name, strempty(spec_root_path(spec)));
        if (!who)
                return -ENOMEM;
        *ret = id128_derive(host, who);
        return 0;
}

static int find_machine_id(const ContainerSpec *spec, Rootfs *r, Error *reterr) {
        _cleanup_free_ char *text = NULL;

        r->machine_id = spec->id;
        if (!id128_is_null(r->machine_id))
                return 0;
        /* Missing, empty, "uninitialized" or not what it should be: the container gets one. */
        if (resolve_read_file(r->root_fd, "/etc/machine-id", MACHINE_ID_MAX, &text, NULL) >= 0 &&
            id128_parse(strstrip(text), &r->machine_id) >= 0 && !id128_is_null(r->machine_id))
                return 0;
        int k = make_machine_id(spec, &r->machine_id);
        if (k < 0)
                return error_set_errno(reterr, k, ERROR_SETUP_FAILED, "making a machine ID failed");
        return 0;
}

static int read_host_os_release(Rootfs *r, Error *reterr) {
        int k = file_read_regular(AT_FDCWD, "/etc/os-release", OS_RELEASE_MAX,
                                  &r->host_os_release_text);
        if (k == -ENOENT)
                k = file_read_regular(AT_FDCWD, "/usr/lib/os-release", OS_RELEASE_MAX,
                                      &r->host_os_release_text);
        if (k < 0) {
                log_debug_errno(k, "The host has no os-release");
                return 0;
        }
        return env_file_parse(r->host_os_release_text, &r->host_os_release) < 0 ? error_oom(reterr)
                                                                                : 0;
}

int rootfs_inspect(const ContainerSpec *spec, Rootfs *r, Error *reterr) {
        const bool boot = spec->payload.start == START_BOOT;

        int k = boot ? find_init(spec, r, reterr) : 0;
        if (k >= 0 && boot)
                k = read_os_release(spec, r, reterr);
        if (k >= 0)
                k = find_machine_id(spec, r, reterr);
        if (k >= 0)
                k = read_host_os_release(r, reterr);
        if (k >= 0)
                k = rootfs_find_user(r, boot ? NULL : spec->payload.user,
                                     !boot && strv_isempty(spec->payload.argv), reterr);
        return k < 0 ? k : rootfs_check_user(r, reterr);
}
