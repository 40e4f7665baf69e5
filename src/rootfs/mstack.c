/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading a stack of layers, and mounting it.
 *
 * Calls: readdir of the stack, entries as mstack-entry.c opens them; locks of all that lies below the root; overlayfs as overlay-mounts.c makes it, with
 * attributes in "user.": systemd's way, so that a stack can be run by either; open_tree(CLONE), mount_setattr and move_mount of what is bound. */
#include "rootfs/mstack.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/version.h"
#include "image/disk-mount.h"
#include "rootfs/idmap.h"
#include "rootfs/mstack-entry.h"
#include "rootfs/overlay-mounts.h"
#include "rootfs/volatile.h"
#include "sys/caps.h"
#include "sys/lock-holder.h"
#include "sys/lock.h"
#include "sys/mount-api.h"
#include "sys/resolve.h"

typedef struct Reading {
        const char *path; /* of the stack */
        int directory_fd;
        bool has_images; /* those in it are mounted at DISK_MOUNT_POINT, each with the name of its entry */
        Mstack *m;
} Reading;

static void reading_done(Reading *k) {
        mstack_free(k->m);
}

Mstack *mstack_free(Mstack *m) {
        if (!m)
                return NULL;
        for (size_t i = 0; i < m->n_layers; i++) {
                free(m->layers[i].id);
                free(m->layers[i].path);
                fd_close(m->layers[i].fd);
                fd_close(m->layers[i].lock_fd);
        }
        free(m->layers);
        free(m->upper);
        fd_close(m->upper_fd);
        fd_close(m->upper_lock_fd);
        fd_close(m->root_fd);
        fd_close(m->root_lock_fd);
        for (size_t i = 0; i < m->n_binds; i++) {
                free(m->binds[i].where);
                fd_close(m->binds[i].fd);
        }
        free(m->binds);
        free(m);
        return NULL;
}

bool mstack_is_written(const Mstack *m) {
        for (size_t i = 0; i < m->n_binds; i++)
                if (!m->binds[i].read_only)
                        return true;
        return m->upper || m->root_fd >= 0;
}

/* ---- reading ---- */

static int refuse(const Reading *k, const char *name, const char *why, Error *reterr) {
        return error_set(reterr, -EUCLEAN, ERROR_NOT_A_ROOT, "'%s' in the stack '%s' %s", name,
                         k->path, why);
}

/* "var-lib" → "/var/lib", "-" → "/", "a\x2db" → "/a-b". -EINVAL: no such path. */
static int unescape_where(const char *s, char **ret) {
        _cleanup_free_ char *path = strf("/%s", s);
        if (!path)
                return -ENOMEM;
        char *to = path + 1;
        for (const char *p = streq(s, "-") ? "" : s; *p; to++) {
                if (p[0] == '\\') {
                        int high = p[1] == 'x' ? ascii_hex_value(p[2]) : -EINVAL,
                            low = high >= 0 ? ascii_hex_value(p[3]) : -EINVAL;
                        if (low < 0 || high * 16 + low == 0)
                                return -EINVAL;
                        *to = (char) (high * 16 + low);
                        p += 4;
                } else {
                        *to = *p == '-' ? '/' : *p;
                        p++;
                }
        }
        *to = '\0';
        _cleanup_free_ char *simple = path_simplify(path);
        if (!simple)
                return -ENOMEM;
        if (!path_is_valid(simple) || !streq(simple, path) || strstr(path, "/../") ||
            endswith(path, "/.."))
                return -EINVAL;
        *ret = TAKE_PTR(simple);
        return 0;
}

/* What the worker has mounted of a disk image; O_PATH. */
static int open_image(const Reading *k, const char *entry, char **ret_path, Error *reterr) {
        *ret_path = path_join(DISK_MOUNT_POINT, entry);
        if (!*ret_path)
                return error_oom(reterr);
        int fd = k->has_images ? open(*ret_path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                               : -EBADF;
        return fd < 0 ? refuse(k, entry, "came while the container was about to start", reterr)
                      : fd;
}

static int add_layer(Reading *k, const char *name, const char *id, char **take_path, int *take_fd,
                     Error *reterr) {
        Mstack *m = k->m;

        for (size_t i = 0; i < m->n_layers; i++)
                if (streq(m->layers[i].id, id))
                        return refuse(k, name, "is there twice", reterr);
        if (m->n_layers >= MSTACK_LAYERS_MAX)
                return error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED,
                                 "the stack '%s' has more than %u layers", k->path,
                                 MSTACK_LAYERS_MAX);
        MstackLayer *l = ARRAY_APPEND(m->layers, m->n_layers);
        if (!l)
                return error_oom(reterr);
        *l = (MstackLayer){ .id = strdup(id),
                            .path = TAKE_PTR(*take_path),
                            .fd = TAKE_FD(*take_fd),
                            .lock_fd = -EBADF };
        return l->id ? 0 : error_oom(reterr);
}

static int add_bind(Reading *k, const char *name, const char *where, bool read_only, int *take_fd,
                    Error *reterr) {
        _cleanup_free_ char *place = NULL;
        Mstack *m = k->m;

        int r = unescape_where(where, &place);
        if (r == -ENOMEM)
                return error_oom(reterr);
        if (r < 0 || streq(place, "/"))
                return refuse(k, name, "names no directory to mount on", reterr);
        for (size_t i = 0; i < m->n_binds; i++)
                if (streq(m->binds[i].where, place))
                        return refuse(k, name, "is there twice", reterr);
        if (m->n_binds >= MSTACK_BINDS_MAX)
                return error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED,
                                 "the stack '%s' has more than %u bind mounts", k->path,
                                 MSTACK_BINDS_MAX);
        MstackBind *b = ARRAY_APPEND(m->binds, m->n_binds);
        if (!b)
                return error_oom(reterr);
        *b = (MstackBind){
                .where = TAKE_PTR(place),
                .fd = TAKE_FD(*take_fd),
                .read_only = read_only,
        };
        return 0;
}

static int add_entry(Reading *k, const char *name, Error *reterr) {
        _cleanup_(mstack_entry_done) MstackEntry e = { 0 };
        _cleanup_free_ char *path = NULL;
        Mstack *m = k->m;

        int r = mstack_entry_parse(k->path, name, &e, reterr);
        if (r < 0)
                return r;
        _cleanup_close_ int fd =
                e.is_image ? open_image(k, name, &path, reterr)
                           : mstack_entry_open(k->path, k->directory_fd, name, &e, &path, reterr);
        if (fd < 0)
                return fd;
        switch (e.kind) {
        case MSTACK_LAYER:
                return add_layer(k, name, e.id, &path, &fd, reterr);
        case MSTACK_BIND:
        case MSTACK_ROBIND:
                return add_bind(k, name, e.id, e.kind == MSTACK_ROBIND, &fd, reterr);
        case MSTACK_RW:
                if (m->upper)
                        return refuse(k, name, "is there twice", reterr);
                m->upper = TAKE_PTR(path);
                m->upper_fd = TAKE_FD(fd);
                return 0;
        case MSTACK_ROOT:
                if (m->root_fd >= 0)
                        return refuse(k, name, "is there twice", reterr);
                m->root_fd = TAKE_FD(fd);
        }
        return 0;
}

static int compare_layers(const void *a, const void *b) {
        const MstackLayer *x = a, *y = b;
        int r = version_compare(x->id, y->id);
        return r != 0 ? r : strcmp(x->id, y->id);
}

static int compare_binds(const void *a, const void *b) {
        return strcmp(((const MstackBind *) a)->where, ((const MstackBind *) b)->where);
}

static int read_entries(Reading *k, Error *reterr) {
        int r = 0, again = openat(k->directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *d = again < 0 ? NULL : fdopendir(again);
        if (!d) {
                r = -errno;
                fd_close(again);
                return error_set_errno(reterr, r, ERROR_NOT_A_ROOT, "reading the stack '%s' failed",
                                       k->path);
        }
        for (struct dirent *e = readdir(d); e && r >= 0; e = readdir(d))
                if (e->d_name[0] != '.')
                        r = add_entry(k, e->d_name, reterr);
        (void) closedir(d); /* was only read */
        return r;
}

int mstack_read(const ContainerSpec *spec, int directory_fd, Mstack **ret, Error *reterr) {
        _cleanup_(reading_done) Reading k = {
                .path = spec->root.mstack,
                .directory_fd = directory_fd,
                .has_images = spec->root.fd >= 0,
                .m = new0(Mstack, 1),
        };

        if (!k.m)
                return error_oom(reterr);
        k.m->root_fd = k.m->root_lock_fd = k.m->upper_fd = k.m->upper_lock_fd = -EBADF;
        int r = read_entries(&k, reterr);
        if (r < 0)
                return r;
        if (k.m->n_layers == 0 && !k.m->upper && k.m->root_fd < 0) {
                error_set(reterr, -ENOENT, ERROR_NOT_A_ROOT,
                          "the stack '%s' has no layer@ID, no rw and no root", k.path);
                error_hint(reterr, "see systemd.mstack(7)");
                return -ENOENT;
        }
        if (k.m->n_layers > 0)
                qsort(k.m->layers, k.m->n_layers, sizeof(MstackLayer), compare_layers);
        if (k.m->n_binds > 0)
                qsort(k.m->binds, k.m->n_binds, sizeof(MstackBind), compare_binds);
        *ret = TAKE_PTR(k.m);
        return 0;
}

/* ---- locks ---- */

/* As those who start from such a directory take them: what lies in a stack is not changed elsewhere. */
static int lock_directory(const ContainerSpec *spec, int fd, const char *path, bool written,
                          int *ret_fd, Error *reterr) {
        struct stat st, host;
        int r;

        if (fstat(fd, &st) < 0 || stat("/", &host) < 0)
                return error_set_errno(reterr, -errno, ERROR_SETUP_FAILED,
                                       "looking at '%s' in the stack '%s' failed", path,
                                       spec->root.mstack);
        if (written && st.st_dev == host.st_dev && st.st_ino == host.st_ino) {
                r = error_set(reterr, -EBUSY, ERROR_CONFLICT,
                              "'%s' in the stack '%s' is the root directory of the running system",
                              path, spec->root.mstack);
                error_hint(reterr, "add --read-only, so that the container cannot change it");
                return r;
        }
        *ret_fd = r = lock_take_inode(&st, written ? LOCK_MODE_EXCLUSIVE : LOCK_MODE_SHARED);
        if (r == -EBUSY) {
                char lock[LOCK_INODE_PATH_MAX];
                lock_inode_path(&st, lock);
                _cleanup_free_ char *holder = lock_describe_holder(lock, "another container");
                r = error_set(reterr, -EBUSY, ERROR_ROOT_BUSY,
                              "'%s' in the stack '%s' is in use by %s", path, spec->root.mstack,
                              strempty(holder));
                error_hint(reterr, "stop that container first");
                return r;
        }
        return r < 0 ? error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                                       "locking '%s' in the stack '%s' failed", path,
                                       spec->root.mstack)
                     : 0;
}

int mstack_lock(const ContainerSpec *spec, Mstack *m, Error *reterr) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < m->n_layers; i++)
                r = lock_directory(spec, m->layers[i].fd, m->layers[i].path, /* written= */ false,
                                   &m->layers[i].lock_fd, reterr);
        if (r >= 0 && m->upper)
                r = lock_directory(spec, m->upper_fd, m->upper, !spec->root.read_only,
                                   &m->upper_lock_fd, reterr);
        if (r >= 0 && m->root_fd >= 0)
                r = lock_directory(spec, m->root_fd, "root", !spec->root.read_only,
                                   &m->root_lock_fd, reterr);
        return r;
}

/* ---- mounting ---- */

static int failed(const ContainerSpec *spec, int code, const char *what, Error *reterr) {
        return error_set_errno(reterr, code, ERROR_MOUNT_FAILED,
                               "mounting '%s' of the stack '%s' failed", what, spec->root.mstack);
}

static bool wants_idmap(const ContainerSpec *spec, const Rootfs *r, int fd) {
        struct stat st;
        if (!idmap_shifts(r) || spec->users.ownership == OWNERSHIP_OFF || fstat(fd, &st) < 0)
                return false;
        return spec->users.ownership == OWNERSHIP_MAP || st.st_uid < r->map.outside ||
               st.st_uid - r->map.outside >= r->map.count;
}

/* A detached clone of a directory. */
static int clone_directory(const ContainerSpec *spec, Rootfs *r, int fd, const char *what,
                           bool read_only, Error *reterr) {
        const bool idmap = wants_idmap(spec, r, fd);
        int k = idmap ? idmap_holder(r, reterr) : 0;
        if (k < 0)
                return k;
        _cleanup_close_ int tree_fd = mount_clone(fd, /* recursive= */ false);
        k = tree_fd;
        if (k >= 0)
                k = mount_set_tree(
                        tree_fd, MOUNT_ATTR_NODEV | (read_only ? (uint64_t) MOUNT_ATTR_RDONLY : 0),
                        MS_PRIVATE, idmap ? r->userns_fd : -EBADF);
        if (k < 0 && tree_fd >= 0 && idmap)
                return idmap_error(k, tree_fd, what, reterr);
        return k < 0 ? failed(spec, k, what, reterr) : TAKE_FD(tree_fd);
}

/* rw/data, made with the first start; -ENOENT: it never was written, and is not going to be. */
static int open_data(const ContainerSpec *spec, const Mstack *m, Error *reterr) {
        const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
        struct stat st;

        int fd = openat(m->upper_fd, "data", flags);
        if (fd >= 0 || (errno == ENOENT && spec->root.read_only))
                return fd < 0 ? -ENOENT : fd;
        if (errno != ENOENT)
                return failed(spec, -errno, "rw/data", reterr);
        if (fstat(m->upper_fd, &st) < 0 || mkdirat(m->upper_fd, "data", 0755) < 0)
                return failed(spec, -errno, "rw/data", reterr);
        fd = openat(m->upper_fd, "data", flags);
        if (fd < 0 || fchownat(fd, "", st.st_uid, st.st_gid, AT_EMPTY_PATH) < 0) {
                int k = -errno;
                fd_close(fd);
                return failed(spec, k, "rw/data", reterr);
        }
        return fd;
}

/* All layers as one, detached; one that is alone as it is. */
static int make_layers(const ContainerSpec *spec, Rootfs *r, Error *reterr) {
        const Mstack *m = r->mstack;
        _cleanup_free_ OverlayLayer *layers = new0(OverlayLayer, m->n_layers + 1);
        _cleanup_free_ char *data = path_join(strempty(m->upper), "data");
        _cleanup_close_ int data_fd = -EBADF;
        size_t n = 0;

        if (!layers || !data)
                return error_oom(reterr);
        for (; n < m->n_layers; n++)
                layers[n] = (OverlayLayer){ .name = m->layers[n].path, .fd = m->layers[n].fd };
        if (n == 0) /* all of it is taken, not its data */
                return clone_directory(spec, r, m->upper_fd, m->upper, spec->root.read_only,
                                       reterr);
        if (m->upper) {
                data_fd = open_data(spec, m, reterr);
                if (data_fd < 0 && data_fd != -ENOENT)
                        return data_fd;
                if (data_fd >= 0)
                        layers[n++] = (OverlayLayer){ .name = data, .fd = data_fd };
        }
        return n == 1 ? clone_directory(spec, r, layers[0].fd, layers[0].name, true, reterr)
                      : overlay_root_make(spec, layers, n, !m->upper || spec->root.read_only, r,
                                          reterr);
}

/* mount_fd is detached, and has what goes there below `below`. */
static int attach_at(const ContainerSpec *spec, const Rootfs *r, int mount_fd, const char *where,
                     Error *reterr) {
        const uid_t owner = idmap_shifts(r) ? r->map.outside : 0;
        _cleanup_close_ int at_fd =
                resolve_make_mount_point(r->root_fd, where, S_IFDIR, owner, owner);
        int k = at_fd < 0 ? at_fd : mount_attach(mount_fd, at_fd);
        return k < 0 ? failed(spec, k, where, reterr) : 0;
}

static int attach_usr(const ContainerSpec *spec, Rootfs *r, int layers_fd, Error *reterr) {
        _cleanup_close_ int usr_fd = resolve_beneath(layers_fd, "usr", O_DIRECTORY);
        _cleanup_close_ int clone_fd = usr_fd < 0 ? usr_fd : mount_clone(usr_fd, false);
        if (clone_fd < 0)
                return failed(spec, clone_fd, "usr", reterr);
        int k = volatile_root_complete(r->root_fd, usr_fd, reterr);
        if (k < 0)
                return k;
        return attach_at(spec, r, clone_fd, "/usr", reterr);
}

static int attach(const ContainerSpec *spec, Rootfs *r, Error *reterr) {
        const Mstack *m = r->mstack;
        const bool has_layers = m->n_layers > 0 || m->upper;
        _cleanup_close_ int layers_fd = has_layers ? make_layers(spec, r, reterr) : -EBADF;
        int k = has_layers ? MIN(layers_fd, 0) : 0;

        if (k < 0)
                return k;
        r->root_fd = k = m->root_fd < 0 ? TAKE_FD(layers_fd)
                                        : clone_directory(spec, r, m->root_fd, "root",
                                                          spec->root.read_only, reterr);
        if (k < 0)
                return k;
        k = mount_attach(r->root_fd, r->directory_fd);
        if (k < 0)
                return failed(spec, k, "root", reterr);
        if (layers_fd >= 0)
                k = attach_usr(spec, r, layers_fd, reterr);
        for (size_t i = 0; k >= 0 && i < m->n_binds; i++) {
                const MstackBind *b = m->binds + i;
                _cleanup_close_ int fd = clone_directory(
                        spec, r, b->fd, b->where, b->read_only || spec->root.read_only, reterr);
                k = fd < 0 ? fd : attach_at(spec, r, fd, b->where, reterr);
        }
        return k < 0 ? k : 0;
}

/* As the container's root: nobody else can make something in mounts with mapped ids, be it overlayfs for its own use. */
int mstack_attach(const ContainerSpec *spec, Rootfs *r, Error *reterr) {
        uint64_t capabilities = 0;
        int k = caps_get_effective(&capabilities);
        if (k < 0)
                return error_set_errno(reterr, k, ERROR_SETUP_FAILED,
                                       "reading our capabilities failed");
        k = rootfs_become_owner(r, capabilities, reterr);
        if (k >= 0)
                k = attach(spec, r, reterr);
        int back = rootfs_resume_self(r, k < 0 ? NULL : reterr);
        return k < 0 ? k : back;
}
