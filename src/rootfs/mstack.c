/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading a stack of layers, and mounting it.
 *
 * Calls: readdir of the stack, realpath of what it has (entries may be links, of whoever made the stack); overlayfs as overlay-mounts.c makes it, with
 * attributes in "user.": systemd's way, so that a stack can be run by either; open_tree(CLONE), mount_setattr and move_mount of what is bound. */
#include "rootfs/mstack.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/version.h"
#include "rootfs/idmap.h"
#include "rootfs/overlay-mounts.h"
#include "sys/caps.h"
#include "sys/mount-api.h"
#include "sys/resolve.h"
#include "sys/version-pick.h"

typedef struct Layer {
        char *id, *path;
} Layer;

typedef struct Reading {
        const char *path; /* of the stack */
        Mstack *m;
        Layer *layers;
        size_t n_layers;
} Reading;

static void reading_done(Reading *k) {
        for (size_t i = 0; i < k->n_layers; i++) {
                free(k->layers[i].id);
                free(k->layers[i].path);
        }
        free(k->layers);
        mstack_free(k->m);
}

Mstack *mstack_free(Mstack *m) {
        if (!m)
                return NULL;
        strv_free(m->layers);
        free(m->upper);
        fd_close(m->root_fd);
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

/* Without links; of a directory of versions the newest. *ret_name: of the entry, without ".v". */
static int find_entry(const Reading *k, const char *name, char **ret_name, char **ret_path,
                      Error *reterr) {
        _cleanup_free_ char *path = path_join(k->path, name), *picked = NULL, *inner = NULL;
        const char *end = endswith(name, ".v");
        struct stat st;

        *ret_name = end ? strndup(name, (size_t) (end - name)) : strdup(name);
        if (!path || !*ret_name)
                return error_oom(reterr);
        if (endswith(*ret_name, ".raw")) {
                error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                          "'%s' in the stack '%s' is a disk image, which is not supported yet",
                          name, k->path);
                error_hint(reterr, "use a directory with what is in the image");
                return -EOPNOTSUPP;
        }
        if (end) {
                int r = version_pick(path, *ret_name, "", S_IFDIR, &picked);
                if (r < 0)
                        return refuse(k, name, "has no version for this machine in it", reterr);
                inner = path_join(path, picked);
                if (!inner)
                        return error_oom(reterr);
        }
        *ret_path = realpath(inner ?: path, NULL);
        if (!*ret_path)
                return error_set_errno(reterr, -errno, ERROR_NOT_A_ROOT,
                                       "'%s' in the stack '%s' cannot be used", name, k->path);
        if (stat(*ret_path, &st) >= 0 && !S_ISDIR(st.st_mode))
                return refuse(k, name, "is not a directory", reterr);
        return 0;
}

static int open_entry(const Reading *k, const char *name, const char *path, Error *reterr) {
        int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? error_set_errno(reterr, -errno, ERROR_NOT_A_ROOT,
                                        "opening '%s' in the stack '%s' failed", name, k->path)
                      : fd;
}

static int add_layer(Reading *k, const char *name, const char *id, char **take_path,
                     Error *reterr) {
        for (size_t i = 0; i < k->n_layers; i++)
                if (streq(k->layers[i].id, id))
                        return refuse(k, name, "is there twice", reterr);
        if (k->n_layers >= SPEC_LAYERS_MAX)
                return error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED,
                                 "the stack '%s' has more than %u layers", k->path,
                                 SPEC_LAYERS_MAX);
        Layer *l = ARRAY_APPEND(k->layers, k->n_layers);
        if (!l)
                return error_oom(reterr);
        *l = (Layer){ .id = strdup(id), .path = TAKE_PTR(*take_path) };
        return l->id ? 0 : error_oom(reterr);
}

static int add_bind(Reading *k, const char *name, const char *where, bool read_only,
                    const char *path, Error *reterr) {
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
        *b = (MstackBind){ .where = TAKE_PTR(place), .fd = -EBADF, .read_only = read_only };
        b->fd = r = open_entry(k, name, path, reterr);
        return r < 0 ? r : 0;
}

static int add_entry(Reading *k, const char *entry, Error *reterr) {
        _cleanup_free_ char *name = NULL, *path = NULL;
        Mstack *m = k->m;
        const char *rest;

        if (!startswith(entry, "layer@") && !startswith(entry, "bind@") &&
            !startswith(entry, "robind@") && !startswith(entry, "rw") && !startswith(entry, "root"))
                return refuse(k, entry, "is nothing that a stack can have", reterr);
        int r = find_entry(k, entry, &name, &path, reterr);
        if (r < 0)
                return r;
        if ((rest = startswith(name, "layer@")) && *rest)
                return add_layer(k, entry, rest, &path, reterr);
        if ((rest = startswith(name, "bind@")) && *rest)
                return add_bind(k, entry, rest, /* read_only= */ false, path, reterr);
        if ((rest = startswith(name, "robind@")) && *rest)
                return add_bind(k, entry, rest, /* read_only= */ true, path, reterr);
        if (streq(name, "rw")) {
                if (m->upper)
                        return refuse(k, entry, "is there twice", reterr);
                m->upper = TAKE_PTR(path);
                return 0;
        }
        if (!streq(name, "root"))
                return refuse(k, entry, "is nothing that a stack can have", reterr);
        if (m->root_fd >= 0)
                return refuse(k, entry, "is there twice", reterr);
        m->root_fd = r = open_entry(k, entry, path, reterr);
        return r < 0 ? r : 0;
}

static int compare_layers(const void *a, const void *b) {
        const Layer *x = a, *y = b;
        int r = version_compare(x->id, y->id);
        return r != 0 ? r : strcmp(x->id, y->id);
}

static int compare_binds(const void *a, const void *b) {
        return strcmp(((const MstackBind *) a)->where, ((const MstackBind *) b)->where);
}

static int read_entries(Reading *k, int directory_fd, Error *reterr) {
        int r = 0, again = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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
        _cleanup_(reading_done) Reading k = { .path = spec->root.mstack, .m = new0(Mstack, 1) };

        if (!k.m)
                return error_oom(reterr);
        k.m->root_fd = -EBADF;
        int r = read_entries(&k, directory_fd, reterr);
        if (r < 0)
                return r;
        if (k.n_layers == 0 && !k.m->upper && k.m->root_fd < 0) {
                error_set(reterr, -ENOENT, ERROR_NOT_A_ROOT,
                          "the stack '%s' has no layer@ID, no rw and no root", k.path);
                error_hint(reterr, "see systemd.mstack(7)");
                return -ENOENT;
        }
        if (k.n_layers > 0)
                qsort(k.layers, k.n_layers, sizeof(Layer), compare_layers);
        for (size_t i = 0; i < k.n_layers; i++)
                if (strv_extend(&k.m->layers, k.layers[i].path) < 0)
                        return error_oom(reterr);
        if (k.m->n_binds > 0)
                qsort(k.m->binds, k.m->n_binds, sizeof(MstackBind), compare_binds);
        *ret = TAKE_PTR(k.m);
        return 0;
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

/* rw/data, made with the first start. */
static int make_upper(const ContainerSpec *spec, const char *upper, char **ret, Error *reterr) {
        struct stat st;
        *ret = path_join(upper, "data");
        if (!*ret)
                return error_oom(reterr);
        if (mkdir(*ret, 0755) < 0)
                return errno == EEXIST ? 0 : failed(spec, -errno, "rw", reterr);
        if (stat(upper, &st) < 0 || chown(*ret, st.st_uid, st.st_gid) < 0)
                return failed(spec, -errno, "rw", reterr);
        return 0;
}

/* All layers as one, detached; one that is alone as it is. */
static int make_layers(const ContainerSpec *spec, Rootfs *r, Error *reterr) {
        const Mstack *m = r->mstack;
        _cleanup_strv_free_ char **layers = NULL;
        _cleanup_free_ char *upper = NULL, *data = NULL;
        const size_t n = strv_length(m->layers);
        struct stat st;
        int k = 0;

        if (n + (m->upper != NULL) == 1) {
                const char *only = n > 0 ? m->layers[0] : m->upper;
                _cleanup_close_ int fd = open(only, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                return fd < 0 ? failed(spec, -errno, only, reterr)
                              : clone_directory(spec, r, fd, only, n > 0 || spec->root.read_only,
                                                reterr);
        }
        STRV_FOREACH(l, m->layers)
                if (strv_extend(&layers, *l) < 0)
                        return error_oom(reterr);
        if (m->upper && !spec->root.read_only)
                k = make_upper(spec, m->upper, &upper, reterr);
        else if (m->upper) {
                data = path_join(m->upper, "data");
                if (!data)
                        return error_oom(reterr);
                if (stat(data, &st) >= 0) /* else it was never written */
                        upper = TAKE_PTR(data);
        }
        if (k >= 0 && upper && strv_extend(&layers, upper) < 0)
                return error_oom(reterr);
        if (k >= 0 && strv_length(layers) == 1) {
                _cleanup_close_ int fd = open(layers[0], O_PATH | O_DIRECTORY | O_CLOEXEC);
                return fd < 0 ? failed(spec, -errno, layers[0], reterr)
                              : clone_directory(spec, r, fd, layers[0], true, reterr);
        }
        return k < 0 ? k
                     : overlay_root_make(spec, layers, !m->upper || spec->root.read_only, r,
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
        return attach_at(spec, r, clone_fd, "/usr", reterr);
}

static int attach(const ContainerSpec *spec, Rootfs *r, Error *reterr) {
        const Mstack *m = r->mstack;
        const bool has_layers = m->layers || m->upper;
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
