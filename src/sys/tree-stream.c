/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The receiver of a tree.
 *
 * Calls: mkdirat, openat(O_CREAT | O_EXCL), ftruncate, pwrite, symlinkat, linkat, mknodat, then fchown, fsetxattr, fchmod, futimens by
 * descriptor. All names are single components below descriptors that were opened that way, so that nothing that is exchanged
 * meanwhile leads elsewhere. A directory is only its owner's until it is complete. */
#include "sys/tree-stream.h"

#include <dirent.h>
#include <endian.h>
#include <limits.h>
#include <sys/xattr.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/path.h"
#include "basic/str.h"
#include "sys/resolve.h"
#include "sys/syscalls.h"

/* xattr(7), acl(5): a version, then tag, permissions and id of each entry, all little-endian */
#define ACL_VERSION 2U
#define ACL_TAG_USER 0x02
#define ACL_TAG_GROUP 0x08
typedef struct AclEntry {
        uint16_t tag, permissions;
        uint32_t id;
} AclEntry;

#define XATTRS_WAITING_MAX (4U << 20) /* of a file, and the directories that it is in */
#define XATTR_OVERHEAD 512U           /* of one, with its name */

typedef struct Receiver {
        Stream stream;
        int top_fd; /* what the paths of hard links are below; -EBADF: the tree is a file */
        bool made;  /* something, under the name that was asked for */
        const TreeOwners *owners;
        TreeProgress *progress;
        size_t waiting; /* bytes of attributes that are to be set yet */
        char *buffer;   /* of STREAM_BUFFER_SIZE, for contents */
        char *failed;   /* the path below the top of what failed, or its end */
} Receiver;

static int count(const Receiver *v, uint64_t files, uint64_t bytes) {
        TreeLimits *l = v->owners->limits;
        if (!l)
                return 0;
        l->files += files;
        l->bytes += bytes;
        return l->files > l->files_max || l->bytes > l->bytes_max ? -E2BIG : 0;
}

/* ---- owners and attributes ---- */

static const struct TreeRange *find_range(const struct TreeRange *ranges, size_t n, uint32_t id) {
        for (size_t i = 0; i < n; i++)
                if (id >= ranges[i].from && id - ranges[i].from < ranges[i].count)
                        return ranges + i;
        return NULL;
}

static uint32_t map_id(const struct TreeRange *ranges, size_t n, uint32_t id) {
        const struct TreeRange *range = find_range(ranges, n, id);
        return range ? range->to + (id - range->from) : 0;
}

static int set_owner(int fd, const Record *rec, const TreeOwners *o) {
        const uid_t uid = o->mapped ? map_id(o->uids, o->n_uids, rec->uid) : rec->uid;
        const gid_t gid = o->mapped ? map_id(o->gids, o->n_gids, rec->gid) : rec->gid;
        return o->keep && fchown(fd, uid, gid) < 0 ? -errno : 0;
}

static int set_mode(int fd, const Record *rec, bool directory, const TreeOwners *o) {
        const struct timespec times[] = { { .tv_nsec = UTIME_OMIT },
                                          { rec->mtime_sec, (long) rec->mtime_nsec } };
        const mode_t kept = !o->safe_modes ? 07777 : directory ? 01777 : 0777;
        return fchmod(fd, rec->mode & kept) < 0 || futimens(fd, times) < 0 ? -errno : 0;
}

/* Of dir_fd/name, or with AT_EMPTY_PATH of what dir_fd is. */
static int set_name_attributes(int dir_fd, const char *name, int flags, const Record *rec,
                               const TreeOwners *o) {
        const uid_t uid = o->mapped ? map_id(o->uids, o->n_uids, rec->uid) : rec->uid;
        const gid_t gid = o->mapped ? map_id(o->gids, o->n_gids, rec->gid) : rec->gid;
        const struct timespec times[] = { { .tv_nsec = UTIME_OMIT },
                                          { rec->mtime_sec, (long) rec->mtime_nsec } };
        if (o->keep && fchownat(dir_fd, name, uid, gid, flags) < 0)
                return -errno;
        (void) utimensat(dir_fd, name, times, flags); /* not everywhere */
        return 0;
}

/* Named users and groups that have no number here lose their entry. Returns the new size; 0: it is no list. */
static size_t map_acl(char *value, size_t size, const TreeOwners *o) {
        uint32_t version;
        size_t to = sizeof(version);
        if (size < sizeof(version) || (size - sizeof(version)) % sizeof(AclEntry) != 0)
                return 0;
        memcpy(&version, value, sizeof(version));
        if (le32toh(version) != ACL_VERSION)
                return 0;
        for (size_t from = to; from < size; from += sizeof(AclEntry)) {
                AclEntry e;
                memcpy(&e, value + from, sizeof(e));
                const bool user = le16toh(e.tag) == ACL_TAG_USER;
                if (o->mapped && (user || le16toh(e.tag) == ACL_TAG_GROUP)) {
                        const struct TreeRange *r =
                                find_range(user ? o->uids : o->gids, user ? o->n_uids : o->n_gids,
                                           le32toh(e.id));
                        if (!r)
                                continue;
                        e.id = htole32(r->to + (le32toh(e.id) - r->from));
                }
                memcpy(value + to, &e, sizeof(e));
                to += sizeof(e);
        }
        return to;
}

/* An attribute that waits until the owner is set and the contents are there, which would take some of them away, or be changed by
 * them. */
typedef struct Xattr {
        struct Xattr *next;
        char *name, *value;
        size_t size; /* of the value */
} Xattr;

static void xattrs_free(Receiver *v, Xattr **list) {
        while (*list) {
                Xattr *x = *list;
                *list = x->next;
                v->waiting -= XATTR_OVERHEAD + x->size;
                free(x->name);
                free(x->value);
                free(x);
        }
}

static int receive_xattr(Receiver *v, const Record *rec, const char *name, Xattr **list) {
        if (rec->size > XATTR_VALUE_MAX || !tree_takes_xattr(name))
                return -EBADMSG;
        if (v->waiting + XATTR_OVERHEAD + rec->size > XATTRS_WAITING_MAX)
                return -E2BIG;
        Xattr *x = new0(Xattr, 1);
        if (!x)
                return -ENOMEM;
        x->next = *list;
        *list = x;
        x->size = rec->size;
        v->waiting += XATTR_OVERHEAD + x->size;
        x->name = strdup(name);
        x->value = new0(char, x->size + 1);
        return x->name && x->value ? stream_get(&v->stream, x->value, x->size) : -ENOMEM;
}

/* Where they can be kept: not every file system has each kind of them, nor room for all. Access lists apart: the mode would change those that are there. */
static int set_xattrs(const Receiver *v, int fd, const Xattr *list, bool access_lists) {
        const TreeOwners *o = v->owners;
        for (const Xattr *x = list; x; x = x->next) {
                size_t size = x->size;
                const bool of_user = startswith(x->name, "user.") != NULL;
                if (access_lists != (startswith(x->name, "system.") != NULL))
                        continue;
                if (!of_user &&
                    (o->safe_modes || !o->keep)) /* rights, of others than who has it now */
                        continue;
                if (startswith(x->name, "system.")) {
                        size = map_acl(x->value, size, o);
                        if (size == 0)
                                return -EBADMSG;
                }
                if (fsetxattr(fd, x->name, x->value, size, 0) < 0 &&
                    !IN_SET(errno, EOPNOTSUPP, EPERM, EINVAL, ENOSPC, E2BIG, ERANGE))
                        return -errno;
        }
        return 0;
}

static int set_attributes(const Receiver *v, int fd, const Record *rec, bool directory,
                          const Xattr *list) {
        int r = set_owner(fd, rec, v->owners);
        if (r >= 0)
                r = set_xattrs(v, fd, list, false);
        if (r >= 0)
                r = set_mode(fd, rec, directory, v->owners);
        return r < 0 ? r : set_xattrs(v, fd, list, true);
}

/* ---- files and links ---- */

static int receive_data(Receiver *v, int fd, const Record *part, char *buffer) {
        if (part->size > STREAM_BUFFER_SIZE)
                return -EBADMSG;
        int r = count(v, 0, part->size);
        if (r >= 0)
                r = stream_get(&v->stream, buffer, part->size);
        for (size_t done = 0; r >= 0 && done < part->size;) {
                ssize_t n =
                        pwrite(fd, buffer + done, part->size - done, (off_t) (part->offset + done));
                if (n < 0 && errno != EINTR)
                        r = -errno;
                done += n > 0 ? (size_t) n : 0;
        }
        tree_progress_add(v->progress, 0, part->size);
        return r;
}

/* Whatever has the name goes, but no directory. */
static int make_room(const Receiver *v, int dir_fd, const char *name, const Record *rec) {
        if ((!v->owners->merge && !(rec->flags & RECORD_MAY_EXIST)) ||
            unlinkat(dir_fd, name, 0) >= 0 || errno == ENOENT)
                return 0;
        return -errno;
}

/* A hole at the end is no part of what comes. */
static int receive_contents(Receiver *v, int fd, uint64_t size, Xattr **list) {
        char name[NAME_MAX + 1];
        Record part;
        uint64_t end = 0;
        int r = 0;
        if (!v->buffer) {
                v->buffer = malloc(STREAM_BUFFER_SIZE);
                r = v->buffer ? 0 : -ENOMEM;
        }
        while (r >= 0) {
                r = stream_get_record(&v->stream, &part, name);
                if (r < 0 || part.type == RECORD_END)
                        break;
                r = part.type == RECORD_XATTR  ? receive_xattr(v, &part, name, list)
                    : part.type == RECORD_DATA ? receive_data(v, fd, &part, v->buffer)
                                               : -EBADMSG;
                if (part.type == RECORD_DATA && part.size > 0)
                        end = MAX(end, part.offset + part.size);
        }
        return r >= 0 && end < size && ftruncate(fd, (off_t) size) < 0 ? -errno : r;
}

/* Of what has the name already, which is rare in archives, is only heard when it is in the way. */
static int make_file(Receiver *v, int dir_fd, const char *name, const Record *rec) {
        for (bool again = false;; again = true) {
                int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                                0600);
                if (fd >= 0 || errno != EEXIST || again)
                        return fd < 0 ? -errno : fd;
                int r = make_room(v, dir_fd, name, rec);
                if (r < 0)
                        return r;
        }
}

static int receive_file(Receiver *v, int dir_fd, const char *name, const Record *rec) {
        Xattr *list = NULL;
        _cleanup_close_ int fd = make_file(v, dir_fd, name, rec);
        v->made = v->made || fd >= 0;
        int r = fd < 0 ? fd : receive_contents(v, fd, rec->size, &list);
        if (r >= 0)
                r = set_attributes(v, fd, rec, false, list);
        xattrs_free(v, &list);
        tree_progress_add(v->progress, 1, 0);
        return r;
}

static int receive_target(Receiver *v, const Record *rec, char target[static PATH_MAX]) {
        if (rec->size == 0 || rec->size >= PATH_MAX)
                return -EBADMSG;
        int r = stream_get(&v->stream, target, rec->size);
        target[rec->size] = '\0';
        return r < 0 ? r : strlen(target) == rec->size ? 0 : -EBADMSG;
}

static int receive_link(Receiver *v, int dir_fd, const char *name, const Record *rec) {
        char target[PATH_MAX];
        int r = receive_target(v, rec, target);
        if (r >= 0)
                r = make_room(v, dir_fd, name, rec);
        if (r >= 0 && symlinkat(target, dir_fd, name) < 0)
                r = -errno;
        v->made = v->made || r >= 0;
        return r < 0 ? r : set_name_attributes(dir_fd, name, AT_SYMLINK_NOFOLLOW, rec, v->owners);
}

static int receive_fifo(Receiver *v, int dir_fd, const char *name, const Record *rec) {
        if (!v->owners->fifos)
                return 0;
        int r = make_room(v, dir_fd, name, rec);
        if (r < 0 || mknodat(dir_fd, name, S_IFIFO | 0600, 0) < 0)
                return r < 0 ? r : -errno;
        v->made = true;
        /* by descriptor, as who owns the directory can put something in its place: a link, or another name of somebody's file */
        _cleanup_close_ int fd =
                openat(dir_fd, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
        struct stat st;
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISFIFO(st.st_mode) || st.st_nlink != 1)
                return -ESTALE;
        r = set_name_attributes(fd, "", AT_EMPTY_PATH, rec, v->owners);
        return r >= 0 && fchmod(fd, rec->mode & 0777) < 0 ? -errno : r;
}

/* Of a file below the top, on a way without links. */
static int receive_hard_link(Receiver *v, int dir_fd, const char *name, const Record *rec) {
        char target[PATH_MAX];
        _cleanup_free_ char *parent = NULL;
        int r = receive_target(v, rec, target);
        if (r < 0)
                return r;
        if (path_is_absolute(target) || !path_is_normalized(target) || v->top_fd < 0)
                return -EBADMSG;
        r = path_extract_directory(target, &parent);
        if (r >= 0)
                r = make_room(v, dir_fd, name, rec);
        if (r < 0)
                return r;
        _cleanup_close_ int parent_fd = resolve_beneath(v->top_fd, parent, O_DIRECTORY);
        if (parent_fd < 0)
                return parent_fd;
        return linkat(parent_fd, path_last_component(target), dir_fd, name, 0) < 0 ? -errno : 0;
}

/* ---- directories ---- */

static int receive_directory(Receiver *v, int dir_fd, const char *name, const Record *rec,
                             unsigned depth);

static int receive_object(Receiver *v, int dir_fd, const char *name, const Record *rec,
                          unsigned depth) {
        switch (rec->type) {
        case RECORD_DIRECTORY:
                return receive_directory(v, dir_fd, name, rec, depth);
        case RECORD_FILE:
                return receive_file(v, dir_fd, name, rec);
        case RECORD_LINK:
                return receive_link(v, dir_fd, name, rec);
        case RECORD_HARD_LINK:
                return receive_hard_link(v, dir_fd, name, rec);
        case RECORD_FIFO:
                return receive_fifo(v, dir_fd, name, rec);
        default:
                return -EBADMSG;
        }
}

static int receive_entry(Receiver *v, int dir_fd, const char *name, const Record *rec,
                         unsigned depth) {
        int r = count(v, 1, 0);
        if (r >= 0)
                r = receive_object(v, dir_fd, name, rec, depth);
        if (r < 0 &&
            (!v->failed || strlen(v->failed) < PATH_MAX)) { /* from the last to the first */
                char *path = v->failed ? strjoin(name, "/", v->failed) : strdup(name);
                if (path) { /* else a part of it has to do */
                        free(v->failed);
                        v->failed = path;
                }
        }
        return r;
}

static void dir_closep(DIR **d) {
        if (*d)
                closedir(*d);
}

static int receive_children(Receiver *v, int fd, unsigned depth, Record *rec, Xattr **list) {
        char entry[NAME_MAX + 1];
        Record next;
        int r = 0;
        while (r >= 0) {
                r = stream_get_record(&v->stream, &next, entry);
                if (r < 0 || next.type == RECORD_END)
                        break;
                if (next.type == RECORD_ATTRIBUTES) {
                        *rec = next;
                        continue;
                }
                r = next.type == RECORD_XATTR  ? receive_xattr(v, &next, entry, list)
                    : is_path_component(entry) ? receive_entry(v, fd, entry, &next, depth + 1)
                                               : -EBADMSG;
        }
        return r;
}

/* attributes: those of the record are set. */
static int receive_opened(Receiver *v, int fd, const Record *rec, unsigned depth, bool attributes) {
        Xattr *list = NULL;
        if (depth == 0)
                v->top_fd = fd;
        Record last = *rec;
        int r = receive_children(v, fd, depth, &last, &list);
        if (depth == 0)
                v->top_fd = -EBADF;
        if (r >= 0 && attributes)
                r = set_attributes(v, fd, &last, true, list);
        xattrs_free(v, &list);
        return r;
}

static int receive_directory(Receiver *v, int dir_fd, const char *name, const Record *rec,
                             unsigned depth) {
        if (depth > TREE_DEPTH_MAX)
                return -ELOOP;
        const bool made = mkdirat(dir_fd, name, 0700) >= 0;
        if (!made && (errno != EEXIST || !(v->owners->merge || (rec->flags & RECORD_MAY_EXIST))))
                return -errno;
        v->made = true;
        _cleanup_close_ int fd =
                openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? -errno
                      : receive_opened(v, fd, rec, depth,
                                       made || !(rec->flags & RECORD_NO_ATTRIBUTES));
}

int tree_receive(int stream_fd, int parent_fd, const char *name, const TreeOwners *owners,
                 TreeProgress *progress) {
        Receiver v = { .top_fd = -EBADF, .owners = owners, .progress = progress };
        char unused[NAME_MAX + 1];
        Record rec;
        int r = is_path_component(name) ? stream_init(&v.stream, stream_fd) : -EINVAL;
        if (r >= 0)
                r = stream_get_record(&v.stream, &rec, unused);
        if (r >= 0) {
                r = receive_entry(&v, parent_fd, name, &rec, 0);
                if (r < 0 && v.made && !owners->merge)
                        /* the first failure is the one to tell */
                        (void) tree_remove(parent_fd, name);
        }
        free(v.failed);
        free(v.buffer);
        stream_done(&v.stream);
        tree_progress_finish(progress);
        return r;
}

int tree_receive_into(int stream_fd, int fd, const TreeOwners *owners, TreeProgress *progress,
                      char **ret_name) {
        Receiver v = { .top_fd = -EBADF, .owners = owners, .progress = progress };
        char unused[NAME_MAX + 1];
        Record rec;
        int r = stream_init(&v.stream, stream_fd);
        if (r >= 0)
                r = stream_get_record(&v.stream, &rec, unused);
        if (r >= 0)
                r = rec.type == RECORD_DIRECTORY ? receive_opened(&v, fd, &rec, 0, true) : -ENOTDIR;
        *ret_name = v.failed;
        free(v.buffer);
        stream_done(&v.stream);
        tree_progress_finish(progress);
        return r;
}

/* ---- removing ---- */

/* What is mounted is never entered: -EBUSY. */
static int open_below(int parent_fd, const char *name, DIR **ret) {
        int fd = sys_openat2(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0,
                             RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS);
        *ret = fd < 0 ? NULL : fdopendir(fd);
        if (*ret)
                return 0;
        int r = errno == EXDEV ? -EBUSY : -errno;
        fd_close(fd);
        return r;
}

static int for_each_below(int parent_fd, const char *name, unsigned depth,
                          int (*function)(int parent_fd, const char *name, unsigned depth)) {
        _cleanup_(dir_closep) DIR *d = NULL;
        int r = depth > TREE_DEPTH_MAX ? -ELOOP : open_below(parent_fd, name, &d);
        for (const struct dirent *e; r >= 0 && (e = readdir(d));)
                if (!streq(e->d_name, ".") && !streq(e->d_name, ".."))
                        r = function(dirfd(d), e->d_name, depth + 1);
        return r;
}

static int remove_below(int parent_fd, const char *name, unsigned depth) {
        if (unlinkat(parent_fd, name, 0) >= 0 || errno == ENOENT)
                return 0;
        if (errno != EISDIR && errno != EPERM)
                return -errno;
        int r = for_each_below(parent_fd, name, depth, remove_below);
        return r < 0 ? r : unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

static int check_below(int parent_fd, const char *name, unsigned depth) {
        struct statx stx;
        if (statx(parent_fd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &stx) < 0)
                return errno == ENOENT ? 0 : -errno;
        if (stx.stx_attributes & STATX_ATTR_MOUNT_ROOT) /* Linux 5.8 */
                return -EBUSY;
        return S_ISDIR(stx.stx_mode) ? for_each_below(parent_fd, name, depth, check_below) : 0;
}

int tree_remove(int parent_fd, const char *name) {
        return is_path_component(name) ? remove_below(parent_fd, name, 0) : -EINVAL;
}

int tree_check_remove(int parent_fd, const char *name) {
        return is_path_component(name) ? check_below(parent_fd, name, 0) : -EINVAL;
}
