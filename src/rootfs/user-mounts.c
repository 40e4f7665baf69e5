/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mounts that the user asks for: Bind=, TemporaryFileSystem=, Inaccessible=, Overlay=, in the order given.
 *
 * Calls: the source is opened with O_PATH, cloned (open_tree), gets its attributes and perhaps an idmap while detached
 * (mount_setattr), and is attached (move_mount) to a target that was resolved inside the root. */
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/parse.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "rootfs/idmap.h"
#include "rootfs/overlay-mounts.h"
#include "sys/mount-api.h"
#include "sys/resolve.h"

#define TMPFS_OPTIONS_MAX 32U

// clang-format off
/* Words of mount(8) that are attributes of the mount and not options of tmpfs. */
static const struct {
        const char *word;
        uint64_t set, clear;
} attribute_words[] = {
        { "ro",          MOUNT_ATTR_RDONLY, 0 },      { "rw",       0, MOUNT_ATTR_RDONLY },
        { "nosuid",      MOUNT_ATTR_NOSUID, 0 },      { "suid",     0, MOUNT_ATTR_NOSUID },
        { "nodev",       MOUNT_ATTR_NODEV, 0 },       { "dev",      0, MOUNT_ATTR_NODEV },
        { "noexec",      MOUNT_ATTR_NOEXEC, 0 },      { "exec",     0, MOUNT_ATTR_NOEXEC },
        { "nodiratime",  MOUNT_ATTR_NODIRATIME, 0 },  { "diratime", 0, MOUNT_ATTR_NODIRATIME },
        { "noatime",     MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME }, { "atime",    0, MOUNT_ATTR_NOATIME },
        { "strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME }, { "relatime", 0, MOUNT_ATTR__ATIME },
        { "nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0 }, { "defaults", 0, 0 },
};

/* Where the child mounts file systems of its own: what we mounted there would be hidden. */
static const char *const places_of_child[] = { "/proc", "/dev/mqueue", "/sys/fs/cgroup" };
/* What must not be hidden: the child takes the nodes and the empty directory from there that it masks parts of /proc and /sys with. */
static const struct { const char *path; bool below; } places_of_ours[] = {
        { "/run", false },                   { "/run/host", false },
        { "/run/host/inaccessible", true },  { "/run/host/incoming", true },
};

static const struct { mode_t type; const char *name; } inaccessible_nodes[] = {
        { S_IFREG,  "run/host/inaccessible/reg" },  { S_IFDIR,  "run/host/inaccessible/dir" },
        { S_IFIFO,  "run/host/inaccessible/fifo" }, { S_IFSOCK, "run/host/inaccessible/sock" },
        { S_IFCHR,  "run/host/inaccessible/chr" },  { S_IFBLK,  "run/host/inaccessible/blk" },
};
// clang-format on

/* The sentence for one mount: what was to be mounted. */
static const char *mount_source_name(const SpecMount *m) {
        return m->kind == MOUNT_TMPFS          ? "tmpfs"
               : m->kind == MOUNT_OVERLAY      ? "an overlay"
               : m->kind == MOUNT_INACCESSIBLE ? "an inaccessible node"
               : m->source                     ? m->source
                                               : "a temporary directory";
}

static int failed(const SpecMount *m, int code, const char *hint, Error *reterr) {
        const char *quote = m->kind == MOUNT_BIND && m->source ? "'" : "";

        error_set_errno(reterr, code, ERROR_MOUNT_FAILED, "mounting %s%s%s on '%s' failed", quote,
                        mount_source_name(m), quote, m->target);
        if (hint)
                error_hint(reterr, "%s", hint);
        return code;
}

/* ---- targets ---------------------------------------------------------------------------------------------------- */

static int check_target(const SpecMount *m, const ContainerSpec *spec, Error *reterr) {
        bool refused = path_equal(m->target, "/");

        for (size_t i = 0; i < ELEMENTSOF(places_of_child); i++)
                refused = refused || path_startswith(m->target, places_of_child[i]);
        for (size_t i = 0; i < ELEMENTSOF(places_of_ours); i++) {
                const char *rest = path_startswith(m->target, places_of_ours[i].path);
                refused = refused || (rest && (places_of_ours[i].below || !rest[0]));
        }
        if (spec->network.private_)
                refused = refused || path_startswith(m->target, "/sys");
        if (!refused)
                return 0;
        error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED, "mounting %s on '%s' is not supported",
                  mount_source_name(m), m->target);
        error_hint(reterr, path_equal(m->target, "/")
                                   ? "choose another root directory instead"
                                   : "the container has its own file system there");
        return -EOPNOTSUPP;
}

static int open_target(const SpecMount *m, const Rootfs *r, mode_t type, Error *reterr) {
        const uid_t root = rootfs_host_uid(r, 0);

        int fd = resolve_make_mount_point(r->root_fd, m->target, type, root, root);
        if (fd >= 0)
                return fd;
        const char *hint =
                fd == -EROFS
                        ? "the mount point is missing in the read-only root: create it there first"
                : fd == -EISDIR ? "the source is not a directory, but the target is one"
                : fd == -ENOTDIR && S_ISDIR(type)
                        ? "the source is a directory, but the target or a part of its path is not"
                : fd == -ENOTDIR ? "a part of the target's path is not a directory"
                : fd == -ELOOP   ? "there are too many symbolic links in the target's path"
                                 : NULL;
        return failed(m, fd, hint, reterr);
}

static int attach(const SpecMount *m, const Rootfs *r, int mount_fd, mode_t type, Error *reterr) {
        _cleanup_close_ int target_fd = open_target(m, r, type, reterr);
        if (target_fd < 0)
                return target_fd;
        int k = mount_attach(mount_fd, target_fd);
        return k < 0 ? failed(m, k, NULL, reterr) : 0;
}

/* ---- bind mounts ------------------------------------------------------------------------------------------------ */

/* 1: opened; 0: missing, but optional. */
static int open_source(const SpecMount *m, const Rootfs *r, int *ret, Error *reterr) {
        int fd = m->from_container ? resolve_in_root(r->root_fd, m->source, O_PATH)
                                   : open(m->source, O_PATH | O_CLOEXEC);
        int code = fd >= 0 ? 0 : m->from_container ? fd : -errno;
        if (fd >= 0) {
                *ret = fd;
                return 1;
        }
        if (code == -ENOENT && m->optional) {
                log_debug("Not mounting '%s' on '%s': it does not exist", m->source, m->target);
                return 0;
        }
        if (code != -ENOENT)
                return failed(m, code, NULL, reterr);
        _cleanup_free_ char *hint = strf(
                "create %s %s, or make the mount optional: Bind%s=-%s%s:%s", m->source,
                m->from_container ? "in the container" : "on the host",
                m->read_only ? "ReadOnly" : "", m->from_container ? "+" : "", m->source, m->target);
        return failed(m, code, hint, reterr);
}

/* A user namespace that maps the owner of the source, user and group, to these ids, and nobody else. */
static int owner_holder(const SpecMount *m, const struct stat *st, uid_t uid, gid_t gid,
                        Error *reterr) {
        const IdMap user = { .inside = st->st_uid, .outside = uid, .count = 1 },
                    group = { .inside = st->st_gid, .outside = gid, .count = 1 };

        int fd = userns_new_apart(&user, &group);
        return fd < 0 ? failed(m, fd, NULL, reterr) : fd;
}

/* The owner of the place where it is to be mounted. */
static int target_holder(const SpecMount *m, const Rootfs *r, const struct stat *st,
                         Error *reterr) {
        struct stat target;

        _cleanup_close_ int fd = open_target(m, r, st->st_mode & S_IFMT, reterr);
        if (fd < 0)
                return fd;
        if (fstat(fd, &target) < 0)
                return failed(m, -errno, NULL, reterr);
        if (target.st_uid - r->map.outside >= r->map.count ||
            target.st_gid - r->map.outside >= r->map.count)
                return failed(m, -ERANGE,
                              "owneridmap: the target belongs to nobody whom the container has",
                              reterr);
        return owner_holder(m, st, target.st_uid, target.st_gid, reterr);
}

static int map_bind(const SpecMount *m, Rootfs *r, int mount_fd, const struct stat *st,
                    Error *reterr) {
        _cleanup_close_ int own_fd = -EBADF;
        int userns_fd;

        /* What is inside has the container's ids already. */
        if (m->idmap == BIND_NOIDMAP || r->map.count == 0 || m->from_container ||
            (m->idmap == BIND_IDMAP && !idmap_shifts(r)))
                return 0;
        if (m->idmap == BIND_ROOTIDMAP)
                userns_fd = own_fd = owner_holder(m, st, r->map.outside, r->map.outside, reterr);
        else if (m->idmap == BIND_OWNERIDMAP)
                userns_fd = own_fd = target_holder(m, r, st, reterr);
        else
                userns_fd = idmap_holder(r, reterr);
        if (userns_fd < 0)
                return userns_fd;
        int k = mount_set_idmap(mount_fd, userns_fd, !m->norecursive);
        if (k >= 0)
                return 0;
        _cleanup_free_ char *what = strf("'%s' (mounted on '%s')", m->source, m->target);
        return idmap_error(k, mount_fd, what ?: "a bind mount", reterr);
}

static int mount_bind(const SpecMount *m, Rootfs *r, Error *reterr) {
        _cleanup_close_ int source_fd = -EBADF;
        struct stat st;

        int k = open_source(m, r, &source_fd, reterr);
        if (k <= 0)
                return k;
        if (fstat(source_fd, &st) < 0)
                return failed(m, -errno, NULL, reterr);
        _cleanup_close_ int fd = mount_clone(source_fd, !m->norecursive);
        if (fd < 0)
                return failed(m, fd, NULL, reterr);
        if (m->read_only) {
                k = mount_set_attributes(fd, MOUNT_ATTR_RDONLY, 0, 0, !m->norecursive);
                if (k < 0)
                        return failed(m, k, NULL, reterr);
        }
        k = map_bind(m, r, fd, &st, reterr);
        return k < 0 ? k : attach(m, r, fd, st.st_mode & S_IFMT, reterr);
}

/* ---- tmpfs ------------------------------------------------------------------------------------------------------ */

typedef struct TmpfsOptions {
        char **words; /* what options point into */
        MountOption options[TMPFS_OPTIONS_MAX + 2];
        size_t n;
        uint64_t attributes;
        char ids[2][16];
} TmpfsOptions;

static void tmpfs_options_done(TmpfsOptions *o) {
        strv_free(o->words);
}

static bool is_attribute_word(TmpfsOptions *o, const char *word) {
        for (size_t i = 0; i < ELEMENTSOF(attribute_words); i++)
                if (streq(word, attribute_words[i].word)) {
                        o->attributes &= ~attribute_words[i].clear;
                        o->attributes |= attribute_words[i].set;
                        return true;
                }
        return false;
}

static int bad_option(const SpecMount *m, int code, const char *word, Error *reterr) {
        return error_set(reterr, code, ERROR_INVALID_SETTING,
                         "option '%s' of the temporary file system on '%s' is not valid", word,
                         m->target);
}

/* Ids are those of the container, tmpfs takes those of the host. */
static int translate_id(const SpecMount *m, const Rootfs *r, MountOption *option,
                        char buf[static 16], Error *reterr) {
        uid_t id;

        if (parse_uid(option->value, &id) < 0 || (r->map.count > 0 && id >= r->map.count))
                return bad_option(m, -EINVAL, option->key, reterr);
        snprintf(buf, 16, "%u", rootfs_host_uid(r, id));
        option->value = buf;
        return 0;
}

static int parse_tmpfs_options(const SpecMount *m, const Rootfs *r, TmpfsOptions *o,
                               Error *reterr) {
        bool has_mode = false;

        if (strv_split(&o->words, strempty(m->options), ",", 0) < 0)
                return bad_option(m, -EINVAL, strempty(m->options), reterr);
        STRV_FOREACH(word, o->words) {
                if (is_attribute_word(o, *word))
                        continue;
                if (o->n >= TMPFS_OPTIONS_MAX)
                        return error_set(
                                reterr, -E2BIG, ERROR_LIMIT_EXCEEDED,
                                "the temporary file system on '%s' has more than %u options",
                                m->target, TMPFS_OPTIONS_MAX);
                MountOption *option = o->options + o->n++;
                char *value = strchr(*word, '=');
                if (value)
                        *value++ = '\0';
                *option = (MountOption){ *word, value };
                has_mode = has_mode || streq(*word, "mode");
                const bool is_uid = streq(*word, "uid"), is_gid = streq(*word, "gid");
                if (is_uid || is_gid) {
                        int k = value ? translate_id(m, r, option, o->ids[is_gid], reterr)
                                      : bad_option(m, -EINVAL, *word, reterr);
                        if (k < 0)
                                return k;
                }
        }
        if (!has_mode)
                o->options[o->n++] = (MountOption){ "mode", "0755" };
        return 0;
}

static int mount_tmpfs(const SpecMount *m, const Rootfs *r, Error *reterr) {
        _cleanup_(tmpfs_options_done)
                TmpfsOptions o = { .attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };
        _cleanup_free_ char *words = NULL;

        int k = parse_tmpfs_options(m, r, &o, reterr);
        if (k < 0)
                return k;
        if (m->read_only)
                o.attributes |= MOUNT_ATTR_RDONLY;
        _cleanup_close_ int fd = mount_new("tmpfs", o.options, o.attributes, &words);
        if (fd < 0 && words)
                return error_set(reterr, fd, ERROR_MOUNT_FAILED,
                                 "mounting tmpfs on '%s' failed: %s", m->target, words);
        if (fd < 0)
                return failed(m, fd, NULL, reterr);
        return attach(m, r, fd, S_IFDIR, reterr);
}

/* ---- inaccessible ------------------------------------------------------------------------------------------------ */

static int mount_inaccessible(const SpecMount *m, const Rootfs *r, Error *reterr) {
        const char *name = inaccessible_nodes[0].name;
        struct stat st;

        _cleanup_close_ int target_fd = resolve_in_root(r->root_fd, m->target, O_PATH);
        if (target_fd == -ENOENT && m->optional)
                return 0;
        if (target_fd < 0)
                return failed(m, target_fd, NULL, reterr);
        if (fstat(target_fd, &st) < 0)
                return failed(m, -errno, NULL, reterr);
        for (size_t i = 0; i < ELEMENTSOF(inaccessible_nodes); i++)
                if ((st.st_mode & S_IFMT) == inaccessible_nodes[i].type)
                        name = inaccessible_nodes[i].name;
        _cleanup_close_ int node_fd = resolve_beneath(r->root_fd, name, 0);
        if (node_fd == -ENOENT) /* a sandbox without device nodes: any file does */
                node_fd = resolve_beneath(r->root_fd, inaccessible_nodes[0].name, 0);
        _cleanup_close_ int fd = node_fd < 0 ? node_fd : mount_clone(node_fd, false);
        int k = fd;
        if (k >= 0)
                k = mount_set_attributes(fd, MOUNT_ATTR_RDONLY, 0, 0, false);
        if (k >= 0)
                k = mount_attach(fd, target_fd);
        return k < 0 ? failed(m, k, NULL, reterr) : 0;
}

static int mount_overlay(const ContainerSpec *spec, const SpecMount *m, Rootfs *r, Error *reterr) {
        _cleanup_close_ int fd = overlay_mount_make(spec, m, r, reterr);

        return fd < 0 ? fd : attach(m, r, fd, S_IFDIR, reterr);
}

/* PivotRoot=NEW:OLD */
static int mount_old_root(const ContainerSpec *spec, const Rootfs *r, Error *reterr) {
        const SpecMount m = { .source = spec->root.directory, .target = spec->root.pivot_old };

        if (r->old_root_fd < 0)
                return 0;
        int k = check_target(&m, spec, reterr);
        return k < 0 ? k : attach(&m, r, r->old_root_fd, S_IFDIR, reterr);
}

int user_mounts(const ContainerSpec *spec, Rootfs *r, Error *reterr) {
        int k = mount_old_root(spec, r, reterr);

        for (size_t i = 0; i < spec->n_mounts && k >= 0; i++) {
                const SpecMount *m = spec->mounts + i;
                k = check_target(m, spec, reterr);
                if (k < 0)
                        break;
                if (m->kind == MOUNT_INACCESSIBLE)
                        k = mount_inaccessible(m, r, reterr);
                else if (m->kind == MOUNT_OVERLAY)
                        k = mount_overlay(spec, m, r, reterr);
                else if (m->kind == MOUNT_TMPFS || !m->source)
                        k = mount_tmpfs(m, r, reterr);
                else
                        k = mount_bind(m, r, reterr);
        }
        return k;
}
