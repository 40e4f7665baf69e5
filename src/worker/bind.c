/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Binding files and directories of the host into a container that runs.
 *
 * Calls: open(O_PATH) and open_tree(OPEN_TREE_CLONE) of the source, mount_setattr for attributes and idmap, all with the host's
 * rights; then setns into the container's mount (and user) namespace, openat2(RESOLVE_IN_ROOT) of the mount point, move_mount. So no
 * path of the container is looked at with rights that its own root does not have, and none of the host is seen from there.
 *
 * A container with a user namespace owns its mount namespace, and could take nosuid, nodev or read-only from a mount that comes like
 * this. The kernel locks these when a mount namespace is copied for another user namespace: so the clone is attached in a namespace of
 * our own, which is copied for the container's users, and what is cloned once more from there has the locks. */
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "basic/str.h"
#include "rootfs/idmap.h"
#include "sys/mount-api.h"
#include "sys/mountinfo.h"
#include "sys/namespace.h"
#include "sys/resolve.h"
#include "worker/worker.h"

#define ID_MAP_MAX 4096
#define PLACE "mount" /* in a file system of our own */

static int failed(const Worker *w, int r, Error *reterr) {
        const OperationRequest *q = &w->request.operation;
        return error_set_errno(reterr, r, ERROR_MOUNT_FAILED,
                               "Binding '%s' to '%s' in container '%s' failed", q->source,
                               q->destination, w->request.name);
}

/* ---- the source, on the host ---- */

static int open_source(const Worker *w, struct stat *ret_st, Error *reterr) {
        const char *source = w->request.operation.source;
        _cleanup_close_ int fd = open(source, O_PATH | O_CLOEXEC);
        if (fd < 0 || fstat(fd, ret_st) < 0) {
                int r = error_set_errno(reterr, -errno, ERROR_MOUNT_FAILED,
                                        "Opening '%s' on the host failed", source);
                if (r == -ENOENT)
                        error_hint(reterr, "create it on the host first");
                return r;
        }
        return TAKE_FD(fd);
}

/* Ids inside are others than outside? */
static bool shifts_ids(const Worker *w) {
        _cleanup_free_ char *text = NULL;
        unsigned inside, outside;
        char path[64];
        if (!(w->target.namespaces & CLONE_NEWUSER))
                return false;
        (void) snprintf(path, sizeof(path), "/proc/%d/uid_map", (int) w->leader.pid);
        /* what cannot be read has ended, which is noticed when it is joined */
        return file_read_all(AT_FDCWD, path, ID_MAP_MAX, &text, NULL) < 0 ||
               sscanf(text, "%u %u", &inside, &outside) != 2 || inside != outside;
}

static int map_ids(const Worker *w, int mount_fd, Error *reterr) {
        char buf[24];
        _cleanup_close_ int userns_fd = namespace_open(w->leader.pid, NAMESPACE_USER);
        int r = userns_fd < 0 ? userns_fd : mount_set_idmap(mount_fd, userns_fd, true);
        if (!IN_SET(r, -EINVAL, -EPERM, -EOPNOTSUPP))
                return r < 0 ? failed(w, r, reterr) : 0;
        (void) error_set(
                reterr, r, ERROR_UNSUPPORTED,
                "The ids of '%s' cannot be mapped to those of container '%s': its %s file system (or one mounted below it) does not support that",
                w->request.operation.source, w->request.name, file_system_name(mount_fd, buf));
        error_hint(reterr, "bind it with --no-idmap, then its files belong to nobody inside");
        return r;
}

/* Detached, with all attributes but those locks. What the host mounts below it later is seen inside, too, and never the other way
 * round. */
static int clone_source(const Worker *w, int source_fd, Error *reterr) {
        const uint64_t flags = w->request.operation.flags;
        _cleanup_close_ int fd = mount_clone(source_fd, true);
        int r = fd < 0 ? fd
                       : mount_set_tree(fd, flags & OPERATION_READ_ONLY ? MOUNT_ATTR_RDONLY : 0,
                                        MS_SLAVE, -EBADF);
        if (r < 0)
                return failed(w, r, reterr);
        if (!(flags & OPERATION_NO_IDMAP) && shifts_ids(w)) {
                r = map_ids(w, fd, reterr);
                if (r < 0)
                        return r;
        }
        return TAKE_FD(fd);
}

/* ---- into the container ---- */

/* A mount namespace of our own, with the mount on PLACE in the working directory. */
static int attach_apart(int mount_fd, bool directory) {
        static const MountOption options[] = { { "mode", "0700" }, { NULL, NULL } };
        if (unshare(CLONE_NEWNS) < 0)
                return -errno;
        int r = mount_propagation_all(MS_PRIVATE);
        _cleanup_close_ int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        _cleanup_close_ int fs_fd = mount_new("tmpfs", options, 0, NULL);
        if (r < 0 || root_fd < 0 || fs_fd < 0)
                return r < 0 ? r : root_fd < 0 ? -errno : fs_fd;
        r = mount_attach(fs_fd, root_fd);
        if (r < 0)
                return r;
        if (fchdir(fs_fd) < 0 || (directory ? mkdir(PLACE, 0700) : mknod(PLACE, S_IFREG, 0)) < 0)
                return -errno;
        _cleanup_close_ int place_fd = open(PLACE, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        return place_fd < 0 ? -errno : mount_attach(mount_fd, place_fd);
}

/* Joins the container's user namespace, and returns the mount with its locks. */
static int lock_attributes(const Worker *w, int mount_fd, bool directory) {
        int r = attach_apart(mount_fd, directory);
        if (r < 0)
                return r;
        if (setns(w->leader.fd, CLONE_NEWUSER) < 0 || unshare(CLONE_NEWNS) < 0)
                return -errno;
        _cleanup_close_ int fd = open(PLACE, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? -errno : mount_clone(fd, true);
}

/* The mount namespace, as the container's root. */
static int enter(Worker *w, bool user_too, Error *reterr) {
        w->target.namespaces &= CLONE_NEWNS | (user_too ? CLONE_NEWUSER : 0UL);
        return worker_enter(w, reterr);
}

/* The same for who is in the user namespace already. */
static int enter_mounts(Worker *w, Error *reterr) {
        int r = enter(w, /* user_too= */ false, reterr);
        /* raw calls, as in sys/join.c */
        if (r >= 0 && (syscall(SYS_setresgid, 0UL, 0UL, 0UL) < 0 ||
                       syscall(SYS_setresuid, 0UL, 0UL, 0UL) < 0))
                return failed(w, -errno, reterr);
        return r;
}

static int check_namespaces(const Worker *w, Error *reterr) {
        return w->target.namespaces & CLONE_NEWNS
                       ? 0
                       : error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                                   "Container '%s' has no mounts of its own, but the host's",
                                   w->request.name);
}

static int join(Worker *w, int *mount_fd, bool directory, Error *reterr) {
        if (!(w->target.namespaces & CLONE_NEWUSER))
                return enter(w, /* user_too= */ false, reterr);
        int fd = lock_attributes(w, *mount_fd, directory);
        if (fd < 0)
                return failed(w, fd, reterr);
        fd_close(*mount_fd);
        *mount_fd = fd;
        return enter_mounts(w, reterr);
}

/* ---- the mount point ---- */

static int target_failed(const Worker *w, int r, bool directory, Error *reterr) {
        failed(w, r, reterr);
        const char *hint =
                r == -ENOENT ? "create the mount point in the container first, or use --mkdir"
                : r == -EROFS
                        ? "the mount point is missing in a read-only file system: create it there first"
                : r == -EISDIR ? "the source is not a directory, but the destination is one"
                : r == -ENOTDIR && directory
                        ? "the source is a directory, but the destination or a part of its path is not"
                : r == -ELOOP ? "there are too many symbolic links in the destination's path"
                              : NULL;
        if (hint)
                error_hint(reterr, "%s", hint);
        return r;
}

static int open_target(const Worker *w, bool directory, Error *reterr) {
        const OperationRequest *q = &w->request.operation;
        struct stat st;
        _cleanup_close_ int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root_fd < 0)
                return failed(w, -errno, reterr);
        int fd = q->flags & OPERATION_MKDIR
                         ? resolve_make_mount_point(root_fd, q->destination,
                                                    directory ? S_IFDIR : S_IFREG, 0, 0)
                         : resolve_in_root(root_fd, q->destination,
                                           O_PATH | (directory ? O_DIRECTORY : 0));
        if (fd >= 0 && !directory && fstat(fd, &st) >= 0 && S_ISDIR(st.st_mode)) {
                fd_close(fd);
                fd = -EISDIR;
        }
        return fd < 0 ? target_failed(w, fd, directory, reterr) : fd;
}

/* The root itself, wherever links lead there; and what says of processes what is so. */
static int check_target(const Worker *w, int target_fd, Error *reterr) {
        const OperationRequest *q = &w->request.operation;
        struct stat root, target;
        struct statfs fs;
        if (stat("/", &root) < 0 || fstat(target_fd, &target) < 0 || fstatfs(target_fd, &fs) < 0)
                return failed(w, -errno, reterr);
        const bool is_root = root.st_dev == target.st_dev && root.st_ino == target.st_ino;
        if (!is_root && fs.f_type != PROC_SUPER_MAGIC && fs.f_type != CGROUP2_SUPER_MAGIC)
                return 0;
        (void) error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                         "Binding '%s' to '%s' in container '%s' is not supported", q->source,
                         q->destination, w->request.name);
        error_hint(reterr, is_root ? "choose a directory below the root"
                                   : "the kernel has its own files there");
        return -EOPNOTSUPP;
}

int operation_bind(Worker *w, Error *reterr) {
        struct stat st;
        int r = check_namespaces(w, reterr);
        if (r < 0)
                return r;
        _cleanup_close_ int source_fd = open_source(w, &st, reterr);
        if (source_fd < 0)
                return source_fd;
        _cleanup_close_ int mount_fd = clone_source(w, source_fd, reterr);
        if (mount_fd < 0)
                return mount_fd;
        source_fd = fd_close(source_fd);
        r = join(w, &mount_fd, S_ISDIR(st.st_mode), reterr);
        if (r < 0)
                return r;
        _cleanup_close_ int target_fd = open_target(w, S_ISDIR(st.st_mode), reterr);
        if (target_fd < 0)
                return target_fd;
        r = check_target(w, target_fd, reterr);
        if (r < 0)
                return r;
        r = mount_attach(mount_fd, target_fd);
        if (r >= 0)
                r = worker_answer(WORKER_LINK_FD, NULL, 0, NULL, 0);
        return r < 0 ? failed(w, r, reterr) : 0;
}

/* ---- which there are ---- */

typedef struct Tables {
        MountTable host, start, now; /* the host's; the container's when it was started; as it is */
        const char *start_root; /* where the container's root is in the second; NULL: not known */
} Tables;

static void tables_done(Tables *t) {
        mount_table_done(&t->host);
        mount_table_done(&t->start);
        mount_table_done(&t->now);
}

static int open_mountinfo(pid_t pid) {
        char path[64];
        (void) snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int) pid);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static int read_mounts(pid_t pid, MountTable *ret) {
        _cleanup_close_ int fd = open_mountinfo(pid);
        return fd < 0 ? fd : mount_table_read(fd, ret);
}

/* now_fd: the container's mountinfo */
static int tables_read(const Worker *w, int now_fd, Tables *t) {
        const pid_t supervisor = (pid_t) w->request.operation.supervisor;
        int r = mount_table_read(now_fd, &t->now);
        const MountEntry *root = r >= 0 ? mount_table_at(&t->now, "/") : NULL;
        /* its supervisor has the mounts of the start; without it they count as later ones */
        for (size_t i = 0; root && supervisor > 0 && i < t->start.n_entries; i++)
                if (t->start.entries[i].device == root->device &&
                    streq(t->start.entries[i].root, root->root))
                        t->start_root = t->start.entries[i].mount_point;
        return r;
}

static bool is_from_start(const Tables *t, const MountEntry *e) {
        for (size_t i = 0; t->start_root && i < t->start.n_entries; i++) {
                const MountEntry *s = t->start.entries + i;
                const char *rest = path_startswith(s->mount_point, t->start_root);
                if (rest && s->device == e->device && streq(s->root, e->root) &&
                    streq(rest, e->mount_point + 1))
                        return true;
        }
        return false;
}

static bool is_setting(const Worker *w, const char *mount_point) {
        for (size_t i = 0; w->spec && i < w->spec->n_mounts; i++)
                if (w->spec->mounts[i].kind == MOUNT_BIND &&
                    path_equal(w->spec->mounts[i].target, mount_point))
                        return true;
        return false;
}

/* Of the host, and neither its own tree nor one of the file systems that every system mounts. 1: *ret_source is the path on the
 * host. */
static int is_bind(const Worker *w, const Tables *t, const MountEntry *e, char **ret_source,
                   bool *ret_setting) {
        const MountEntry *root = mount_table_at(&t->now, "/");
        if (!root || streq(e->mount_point, "/") || path_startswith(e->mount_point, "/proc") ||
            path_startswith(e->mount_point, "/sys") ||
            (e->device == root->device && path_startswith(e->root, root->root)))
                return 0;
        *ret_setting = is_setting(w, e->mount_point);
        if (!*ret_setting && is_from_start(t, e))
                return 0;
        int r = mount_table_find_path(&t->host, e, ret_source);
        return r < 0 ? r : *ret_source != NULL;
}

static int look_failed(const Worker *w, int r, Error *reterr) {
        return error_set_errno(reterr, r, ERROR_FAILED,
                               "Looking at the mounts of container '%s' failed", w->request.name);
}

/* What has to be read outside. Returns the descriptor of the container's. */
static int prepare_tables(const Worker *w, Tables *t, Error *reterr) {
        const pid_t supervisor = (pid_t) w->request.operation.supervisor;
        int r = check_namespaces(w, reterr);
        if (r < 0)
                return r;
        r = read_mounts(getpid(), &t->host);
        if (r >= 0 && supervisor > 0)
                (void) read_mounts(supervisor, &t->start); /* it may have ended */
        _cleanup_close_ int fd = r < 0 ? r : open_mountinfo(w->leader.pid);
        if (fd >= 0 && !pidref_is_alive(&w->leader)) {
                fd_close(fd);
                fd = -ESRCH;
        }
        return fd < 0 ? look_failed(w, fd, reterr) : TAKE_FD(fd);
}

/* D-Bus carries no others */
static bool is_utf8(const char *s) {
        return utf8_is_valid(s, strlen(s));
}

static int list(const Worker *w, const Tables *t, StrBuf *b) {
        unsigned n = 0;
        for (size_t i = 0; i < t->now.n_entries; i++) {
                const MountEntry *e = t->now.entries + i;
                _cleanup_free_ char *source = NULL;
                bool setting;
                int r = is_bind(w, t, e, &source, &setting);
                if (r < 0)
                        return r;
                if (r == 0 || !is_utf8(source) || !is_utf8(e->mount_point))
                        continue;
                if (++n > BINDS_MAX ||
                    b->size + strlen(source) + strlen(e->mount_point) + 3 > WORKER_ANSWER_MAX / 2)
                        return -E2BIG;
                strbuf_add(b, e->read_only ? "r" : "w");
                strbuf_add(b, setting ? "s" : "t");
                strbuf_add_bytes(b, source, strlen(source) + 1);
                strbuf_add_bytes(b, e->mount_point, strlen(e->mount_point) + 1);
        }
        return b->failed ? -ENOMEM : 0;
}

int operation_list_binds(Worker *w, Error *reterr) {
        _cleanup_(tables_done) Tables t = { 0 };
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        _cleanup_close_ int now_fd = prepare_tables(w, &t, reterr);
        if (now_fd < 0)
                return now_fd;
        int r = tables_read(w, now_fd, &t);
        if (r >= 0)
                r = list(w, &t, &b);
        if (r >= 0)
                r = worker_answer(WORKER_LINK_FD, strempty(b.text), b.size, NULL, 0);
        return r < 0 ? look_failed(w, r, reterr) : 0;
}

/* ---- taking away ---- */

static int unbind_failed(const Worker *w, int r, Error *reterr) {
        error_set_errno(reterr, r, ERROR_MOUNT_FAILED, "Unbinding '%s' in container '%s' failed",
                        w->request.operation.destination, w->request.name);
        if (r == -EINVAL)
                error_hint(
                        reterr,
                        "it was bound before the container was started, and stays until that ends");
        return r;
}

static int nothing_there(const Worker *w, Error *reterr) {
        (void) error_set(reterr, -ENOENT, ERROR_FAILED,
                         "Nothing of the host is bound to '%s' in container '%s'",
                         w->request.operation.destination, w->request.name);
        error_hint(reterr, "'berth list-binds %s' shows what is", w->request.name);
        return -ENOENT;
}

/* Without /proc, which is the container's here, there are no paths of descriptors: a directory is where we are, a file a name in one.
 * Whoever exchanges that takes away a mount of his own. */
static int unmount(int root_fd, int target_fd, const MountEntry *e) {
        _cleanup_free_ char *parent = NULL;
        struct stat st;
        if (fstat(target_fd, &st) < 0)
                return -errno;
        if (S_ISDIR(st.st_mode))
                return fchdir(target_fd) < 0 || umount2(".", MNT_DETACH) < 0 ? -errno : 0;
        int r = path_extract_directory(e->mount_point, &parent);
        if (r < 0)
                return r;
        _cleanup_close_ int parent_fd = resolve_in_root(root_fd, parent, O_PATH | O_DIRECTORY);
        if (parent_fd < 0)
                return parent_fd;
        return fchdir(parent_fd) < 0 || umount2(path_last_component(e->mount_point),
                                                MNT_DETACH | UMOUNT_NOFOLLOW) < 0
                       ? -errno
                       : 0;
}

static int find_bind(const Worker *w, const Tables *t, int target_fd, const MountEntry **ret) {
        _cleanup_free_ char *source = NULL;
        struct statx stx;
        bool setting;
        if (statx(target_fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MNT_ID, &stx) < 0)
                return -errno;
        const MountEntry *e = mount_table_by_id(&t->now, (int) stx.stx_mnt_id);
        if (!e || !(stx.stx_attributes & STATX_ATTR_MOUNT_ROOT))
                return 0;
        *ret = e;
        return is_bind(w, t, e, &source, &setting);
}

int operation_unbind(Worker *w, Error *reterr) {
        _cleanup_(tables_done) Tables t = { 0 };
        const MountEntry *e;
        _cleanup_close_ int now_fd = prepare_tables(w, &t, reterr);
        if (now_fd < 0)
                return now_fd;
        int r = enter(w, /* user_too= */ true, reterr);
        if (r < 0)
                return r;
        _cleanup_close_ int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        _cleanup_close_ int fd =
                root_fd < 0 ? -errno
                            : resolve_in_root(root_fd, w->request.operation.destination, O_PATH);
        if (fd == -ENOENT || fd == -ENOTDIR)
                return nothing_there(w, reterr);
        r = fd < 0 ? fd : tables_read(w, now_fd, &t);
        if (r >= 0) {
                r = find_bind(w, &t, fd, &e);
                if (r == 0)
                        return nothing_there(w, reterr);
        }
        if (r >= 0)
                r = unmount(root_fd, fd, e);
        if (r >= 0)
                r = worker_answer(WORKER_LINK_FD, NULL, 0, NULL, 0);
        return r < 0 ? unbind_failed(w, r, reterr) : 0;
}
