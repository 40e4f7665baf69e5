/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Overlay= and OverlayReadOnly=.
 *
 * What overlayfs is made of must be mounts of this namespace, so id-mapped clones of layers are attached on each other in a tmpfs at STAGE, a directory of
 * the host, in our own mount namespace. overlayfs has clones of its own: the tmpfs is taken away with all of them at once. Its upper directory, or
 * that of a tmpfs, gets a scratch directory beside it, in the same mount: ".#NAME.work".
 *
 * Calls: open(O_PATH) or openat2(RESOLVE_IN_ROOT) of each layer; open_tree(CLONE), mount_setattr(IDMAP), move_mount where ids are mapped;
 * openat2("..", RESOLVE_NO_XDEV) and mkdirat for the scratch directory. */
#include "rootfs/overlay-mounts.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "rootfs/idmap.h"
#include "rootfs/overlay.h"
#include "sys/lock.h"
#include "sys/mount-api.h"
#include "sys/resolve.h"
#include "sys/syscalls.h"

#define STAGE "/run/systemd/nspawn/locks"

typedef struct Making {
        const ContainerSpec *spec;
        const SpecMount *m;
        Rootfs *r;
        int stage_fd;  /* the tmpfs, once it is attached */
        int layers_fd; /* a directory of it, where clones are attached */
        int *fds;      /* lower layers, from the lowest */
        size_t n_fds;
        char *upper_name; /* in the directory of the last of r->overlay_works */
        struct stat upper_stat;
        int upper_fd, work_fd;
        const OverlayLayer *given; /* the same as m->layers, opened already: overlay_root_make() */
} Making;

static void making_done(Making *k) {
        if (k->stage_fd >= 0)
                (void) mount_detach(k->stage_fd); /* at worst it goes with our namespace */
        for (size_t i = 0; i < k->n_fds; i++)
                fd_close(k->fds[i]);
        free(k->fds);
        free(k->upper_name);
        fd_close(k->upper_fd);
        fd_close(k->work_fd);
        fd_close(k->layers_fd);
        fd_close(k->stage_fd);
}

static int failed(const SpecMount *m, int code, const char *words, Error *reterr) {
        error_set_errno(reterr, code, ERROR_MOUNT_FAILED, "mounting an overlay on '%s' failed%s%s",
                        m->target, words ? ": " : "", strempty(words));
        if (code == -ENODEV)
                error_hint(reterr, "the kernel has no overlayfs: see 'modprobe overlay'");
        else if (code == -EINVAL)
                error_hint(reterr,
                           "a layer is on a file system that overlayfs cannot use (see dmesg), "
                           "or is itself an overlay of overlays");
        else if (code == -ELOOP)
                error_hint(reterr, "a layer is there twice, or lies in another one");
        return code;
}

static int layer_failed(const SpecMount *m, const char *layer, int code, Error *reterr) {
        const bool inside = *layer == '+';

        error_set_errno(reterr, code, ERROR_MOUNT_FAILED,
                        "using '%s' as a layer of the overlay on '%s' failed", layer + inside,
                        m->target);
        if (code == -ENOENT)
                error_hint(reterr, "create %s %s", layer + inside,
                           inside ? "in the container" : "on the host");
        else if (code == -EROFS)
                error_hint(reterr,
                           "the last layer takes the changes: it has to be writable; an empty one "
                           "is in memory");
        return code;
}

/* ---- layers ------------------------------------------------------------------------------------------------------ */

/* A directory of the tmpfs; O_PATH. */
static int stage_directory(const Making *k, const char *name) {
        if (mkdirat(k->stage_fd, name, 0700) < 0)
                return -errno;
        int fd = openat(k->stage_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static int stage_begin(Making *k, Error *reterr) {
        static const MountOption options[] = { { "source", "tmpfs" }, { "mode", "0700" }, { 0 } };
        _cleanup_close_ int at_fd = open(STAGE, O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (at_fd < 0)
                return failed(k->m, -errno, NULL, reterr);
        _cleanup_close_ int fd = mount_new("tmpfs", options, MOUNT_ATTR_NODEV, NULL);
        int r = fd < 0 ? fd : mount_attach(fd, at_fd);
        if (r < 0)
                return failed(k->m, r, NULL, reterr);
        k->stage_fd = TAKE_FD(fd);
        k->layers_fd = stage_directory(k, "layers");
        return k->layers_fd < 0 ? failed(k->m, k->layers_fd, NULL, reterr) : 0;
}

static int open_layer(const Making *k, size_t i, Error *reterr) {
        const char *layer = k->m->layers[i];
        int fd = k->given        ? fcntl(k->given[i].fd, F_DUPFD_CLOEXEC, 3)
                 : *layer == '+' ? resolve_in_root(k->r->root_fd, layer + 1, O_PATH | O_DIRECTORY)
                                 : open(layer, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0)
                return fd;
        return layer_failed(k->m, layer, *layer == '+' ? fd : -errno, reterr);
}

/* What is inside has the container's ids already; other files need them as those of the root directory do. */
static bool wants_idmap(const Making *k, const char *layer, const struct stat *st) {
        const Rootfs *r = k->r;

        if (*layer == '+' || !idmap_shifts(r) || k->spec->users.ownership == OWNERSHIP_OFF)
                return false;
        return k->spec->users.ownership == OWNERSHIP_MAP || st->st_uid < r->map.outside ||
               st->st_uid - r->map.outside >= r->map.count;
}

/* An id-mapped clone of the directory, attached at the stage. */
static int clone_mapped(const Making *k, const char *layer, int fd, Error *reterr) {
        int userns_fd = idmap_holder(k->r, reterr);
        if (userns_fd < 0)
                return userns_fd;
        _cleanup_close_ int clone_fd = mount_clone(fd, false);
        int r = clone_fd;
        if (r >= 0)
                r = mount_set_tree(clone_fd, 0, MS_PRIVATE, userns_fd);
        if (r < 0 && clone_fd >= 0) {
                _cleanup_free_ char *what = strf("layer '%s'", layer);
                return idmap_error(r, clone_fd, what ?: "a layer", reterr);
        }
        if (r >= 0)
                r = mount_attach(clone_fd, k->layers_fd);
        return r < 0 ? layer_failed(k->m, layer, r, reterr) : TAKE_FD(clone_fd);
}

static int add_lower(Making *k, size_t i, Error *reterr) {
        const char *layer = k->m->layers[i];
        struct stat st;

        _cleanup_close_ int fd = open_layer(k, i, reterr);
        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0)
                return layer_failed(k->m, layer, -errno, reterr);
        if (wants_idmap(k, layer, &st)) {
                int mapped_fd = clone_mapped(k, layer, fd, reterr);
                if (mapped_fd < 0)
                        return mapped_fd;
                fd_close(fd);
                fd = mapped_fd;
        }
        k->fds[k->n_fds++] = TAKE_FD(fd);
        return 0;
}

/* ---- the upper layer --------------------------------------------------------------------------------------------- */

/* What the overlay shows as its root's owner and mode is what the upper directory has. */
static int make_temporary(Making *k, Error *reterr) {
        struct stat st;

        k->upper_fd = stage_directory(k, "upper");
        k->work_fd = stage_directory(k, "work");
        if (k->upper_fd < 0 || k->work_fd < 0)
                return failed(k->m, MIN(k->upper_fd, k->work_fd), NULL, reterr);
        if (fstat(k->fds[k->n_fds - 1], &st) < 0 ||
            fchownat(k->upper_fd, "", st.st_uid, st.st_gid, AT_EMPTY_PATH) < 0 ||
            fchmodat(k->stage_fd, "upper", st.st_mode & 07777, 0) < 0)
                return failed(k->m, -errno, NULL, reterr);
        return 0;
}

/* The directory that `fd` is in, and its name there. */
static int find_parent(int fd, char name[static NAME_MAX + 1]) {
        char link[32], path[PATH_MAX];

        /* not beyond its mount: the scratch directory has to be in the same one */
        _cleanup_close_ int parent_fd =
                sys_openat2(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC, 0, RESOLVE_NO_XDEV);
        if (parent_fd < 0)
                return -errno;
        (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", fd); /* fits */
        ssize_t n = readlink(link, path, sizeof(path) - 1);
        if (n < 0)
                return -errno;
        path[n] = '\0';
        const char *slash = strrchr(path, '/');
        if (!slash || slash[1] == '\0' || strlen(slash + 1) > NAME_MAX)
                return -EXDEV; /* a root directory */
        memcpy(name, slash + 1, strlen(slash + 1) + 1);
        return TAKE_FD(parent_fd);
}

static int upper_lock(const Making *k, const char *layer, OverlayWork *work, Error *reterr) {
        if (*layer == '+')
                return 0; /* it is in the root directory, which is locked */
        work->lock_fd = lock_take_inode(&k->upper_stat, LOCK_MODE_EXCLUSIVE);
        if (work->lock_fd == -EBUSY) {
                error_set(reterr, -EBUSY, ERROR_ROOT_BUSY,
                          "directory '%s', which would take the changes of the overlay on '%s', is "
                          "in use by another container or overlay",
                          layer, k->m->target);
                error_hint(reterr, "stop that container first, or choose another directory");
                return -EBUSY;
        }
        return work->lock_fd < 0 ? layer_failed(k->m, layer, work->lock_fd, reterr) : 0;
}

static OverlayWork *new_work(Rootfs *r) {
        OverlayWork *work = ARRAY_APPEND(r->overlay_works, r->n_overlay_works);

        if (work)
                *work = (OverlayWork){ .directory_fd = -EBADF, .lock_fd = -EBADF };
        return work;
}

/* Before the stage is covered: the locks are files in it. */
static int reserve_upper(Making *k, size_t i, Error *reterr) {
        const char *layer = k->m->layers[i];
        _cleanup_close_ int fd = open_layer(k, i, reterr);
        char name[NAME_MAX + 1];

        if (fd < 0)
                return fd;
        OverlayWork *work = new_work(k->r);
        if (!work)
                return error_oom(reterr);
        if (fstat(fd, &k->upper_stat) < 0)
                return layer_failed(k->m, layer, -errno, reterr);
        int r = upper_lock(k, layer, work, reterr);
        if (r < 0)
                return r;
        work->directory_fd = r = find_parent(fd, name);
        if (r == -EXDEV) {
                error_set(reterr, r, ERROR_UNSUPPORTED,
                          "'%s' cannot take the changes of the overlay on '%s': it is the root "
                          "directory of a file system",
                          layer + (*layer == '+'), k->m->target);
                error_hint(reterr, "choose a directory in it");
                return r;
        }
        if (r < 0)
                return layer_failed(k->m, layer, r, reterr);
        k->upper_name = strdup(name);
        work->name = k->given ? strdup("work") : strf(".#%s.work", name);
        return k->upper_name && work->name ? 0 : error_oom(reterr);
}

static int make_upper(Making *k, const char *layer, Error *reterr) {
        const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
        _cleanup_close_ int mapped_fd = -EBADF;
        struct stat again;

        if (isempty(layer))
                return make_temporary(k, reterr);
        const OverlayWork *work = k->r->overlay_works + k->r->n_overlay_works - 1;
        if (wants_idmap(k, layer, &k->upper_stat)) {
                mapped_fd = clone_mapped(k, layer, work->directory_fd, reterr);
                if (mapped_fd < 0)
                        return mapped_fd;
        }
        /* with the ids as they are to be seen */
        const int parent_fd = mapped_fd >= 0 ? mapped_fd : work->directory_fd;
        k->upper_fd = openat(parent_fd, k->upper_name, flags);
        if (k->upper_fd < 0 || fstat(k->upper_fd, &again) < 0)
                return layer_failed(k->m, layer, -errno, reterr);
        if (again.st_dev != k->upper_stat.st_dev || again.st_ino != k->upper_stat.st_ino)
                return layer_failed(k->m, layer, -ESTALE, reterr);
        if (mkdirat(parent_fd, work->name, 0700) < 0 && errno != EEXIST)
                return layer_failed(k->m, layer, -errno, reterr);
        k->work_fd = openat(parent_fd, work->name, flags);
        return k->work_fd < 0 ? layer_failed(k->m, layer, -errno, reterr) : 0;
}

void overlay_works_done(Rootfs *r) {
        /* overlayfs leaves these; the file system that used them is gone with the payload. Where something was deleted it also leaves a node in
         * them, to be used again, as we do with the directory. */
        static const char *const inner[] = { "work", "index" };

        for (size_t i = 0; i < r->n_overlay_works; i++) {
                OverlayWork *work = r->overlay_works + i;
                if (work->directory_fd >= 0 && work->name) {
                        _cleanup_close_ int fd =
                                openat(work->directory_fd, work->name,
                                       O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                        for (size_t j = 0; fd >= 0 && j < ELEMENTSOF(inner); j++)
                                (void) unlinkat(fd, inner[j], AT_REMOVEDIR); /* may not be ours */
                        if (fd >= 0) /* what stays is used again */
                                (void) unlinkat(work->directory_fd, work->name, AT_REMOVEDIR);
                }
                fd_close(work->directory_fd);
                fd_close(work->lock_fd);
                free(work->name);
        }
        r->overlay_works = mfree(r->overlay_works);
        r->n_overlay_works = 0;
}

/* ---- all together ------------------------------------------------------------------------------------------------ */

static int make(Making *k, Error *reterr) {
        const size_t n = strv_length(k->m->layers);
        const char *last = k->m->layers[n - 1];
        _cleanup_free_ char *words = NULL;

        k->fds = new0(int, n + 1);
        if (!k->fds)
                return error_oom(reterr);
        const bool top_is_lower = k->m->read_only && *last;
        int r = top_is_lower || !*last ? 0 : reserve_upper(k, n - 1, reterr);
        if (r >= 0)
                r = stage_begin(k, reterr);
        for (size_t i = 0; r >= 0 && i < n - 1; i++)
                r = add_lower(k, i, reterr);
        if (r >= 0)
                r = top_is_lower ? add_lower(k, n - 1, reterr) : make_upper(k, last, reterr);
        if (r < 0)
                return r;
        const Overlay overlay = {
                .lower_fds = k->fds,
                .n_lower = k->n_fds,
                .upper_fd = k->upper_fd,
                .work_fd = k->work_fd,
                .redirects = isempty(last),
                .user_xattrs = k->given != NULL,
                .place_fd = k->stage_fd,
        };
        int fd = overlay_new(&overlay, OVERLAY_WAY_AUTO,
                             k->m->read_only ? (uint64_t) MOUNT_ATTR_RDONLY : 0, &words);
        return fd < 0 ? failed(k->m, fd, words, reterr) : fd;
}

int overlay_mount_make(const ContainerSpec *spec, const SpecMount *m, Rootfs *r, Error *reterr) {
        _cleanup_(making_done) Making k = {
                .spec = spec,
                .m = m,
                .r = r,
                .stage_fd = -EBADF,
                .layers_fd = -EBADF,
                .upper_fd = -EBADF,
                .work_fd = -EBADF,
        };
        return make(&k, reterr);
}

int overlay_root_make(const ContainerSpec *spec, const OverlayLayer *layers, size_t n_layers,
                      bool read_only, Rootfs *r, Error *reterr) {
        _cleanup_free_ char **names = new0(char *, n_layers + 1);
        if (!names)
                return error_oom(reterr);
        for (size_t i = 0; i < n_layers; i++)
                names[i] = (char *) layers[i].name; /* only read */
        const SpecMount m = {
                .kind = MOUNT_OVERLAY,
                .target = (char *) "/",
                .layers = names,
                .read_only = read_only,
        };
        _cleanup_(making_done) Making k = {
                .spec = spec,
                .m = &m,
                .r = r,
                .stage_fd = -EBADF,
                .layers_fd = -EBADF,
                .upper_fd = -EBADF,
                .work_fd = -EBADF,
                .given = layers,
        };
        return make(&k, reterr);
}
