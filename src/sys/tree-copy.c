/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies of trees, file by file.
 *
 * Calls: those of sys/pin.h, mkdirat/mknodat/symlinkat/linkat; of the new top: fstat, for its owner; of a file: FICLONE, else copy_file_range between
 * lseek(SEEK_DATA), lseek(SEEK_HOLE), else read and write; then fchown, fchmod, xattrs (a change of owner takes capabilities away), and the
 * times last, of a directory after what is in it. */
#include "sys/tree-copy.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/hashmap.h"
#include "basic/path.h"
#include "basic/str.h"
#include "sys/btrfs.h"
#include "sys/pin.h"

#define CHUNK_SIZE (16U << 20)
#define BUFFER_SIZE (256U << 10)
#define XATTR_MAX (64U << 10) /* of names, and of one value: the kernel's limits */
#define KEY_MAX 48

/* A file with several names: where its first copy is. */
typedef struct Link {
        char key[KEY_MAX];
        char *path; /* below the copy's top */
} Link;

typedef struct Copier {
        TreeCopy *copy;
        int top_fd; /* of the copy; -EBADF: it is a file */
        Hashmap *links;
        StrBuf path; /* below the source */
        bool no_clone, no_range;
        char *buffer, *xattr_names, *xattr_value;
        unsigned depth;
} Copier;

static void copier_done(Copier *c) {
        Link *l;
        HASHMAP_FOREACH(l, c->links) {
                free(l->path);
                free(l);
        }
        hashmap_free(c->links);
        strbuf_done(&c->path);
        free(c->buffer);
        free(c->xattr_names);
        free(c->xattr_value);
}

static int copier_init(Copier *c, TreeCopy *copy) {
        *c = (Copier){ .copy = copy, .top_fd = -EBADF };
        c->links = hashmap_new();
        c->buffer = new0(char, BUFFER_SIZE);
        c->xattr_names = new0(char, XATTR_MAX + 1);
        c->xattr_value = new0(char, XATTR_MAX);
        return c->links && c->buffer && c->xattr_names && c->xattr_value ? 0 : -ENOMEM;
}

/* Remembers the path of the first failure. */
static int failed(Copier *c, int r) {
        if (r < 0 && r != -ECANCELED && !c->copy->failed)
                c->copy->failed = strdup(strempty(c->path.text)); /* is only shown */
        return r;
}

static int tick(Copier *c, uint64_t files, uint64_t bytes) {
        return c->copy->tick ? c->copy->tick(c->copy->userdata, files, bytes) : 0;
}

/* ---- the data of a file ---- */

static bool lacks_support(int error) {
        return IN_SET(error, EOPNOTSUPP, ENOTTY, ENOSYS, EXDEV, EINVAL);
}

static int copy_by_buffer(Copier *c, int from, int to, off_t offset, size_t size) {
        while (size > 0) {
                ssize_t n = pread(from, c->buffer, MIN(size, (size_t) BUFFER_SIZE), offset);
                if (n <= 0)
                        return n < 0 ? -errno : 0; /* it has become shorter */
                for (ssize_t done = 0, k; done < n; done += k) {
                        k = pwrite(to, c->buffer + done, (size_t) (n - done), offset + done);
                        if (k < 0)
                                return -errno;
                }
                offset += n;
                size -= (size_t) n;
        }
        return 0;
}

static int copy_chunk(Copier *c, int from, int to, off_t offset, size_t size) {
        off_t in = offset, out = offset;
        const off_t end = offset + (off_t) size;
        while (!c->no_range && in < end) {
                ssize_t n = copy_file_range(from, &in, to, &out, (size_t) (end - in), 0);
                if (n < 0 && !lacks_support(errno))
                        return -errno;
                if (n < 0)
                        c->no_range = true;
                if (n <=
                    0) /* some file systems of the kernel's own say 0 and mean that they cannot */
                        break;
        }
        return copy_by_buffer(c, from, to, in, (size_t) (end - in));
}

static int copy_extent(Copier *c, int from, int to, off_t begin, off_t end) {
        int r = 0;
        for (off_t at = begin; r >= 0 && at < end;) {
                const size_t size = (size_t) MIN(end - at, (off_t) CHUNK_SIZE);
                r = copy_chunk(c, from, to, at, size);
                if (r >= 0)
                        r = tick(c, 0, size);
                at += (off_t) size;
        }
        return r;
}

static int copy_data(Copier *c, int from, int to, const struct stat *st) {
        if (st->st_size == 0)
                return 0;
        if (!c->no_clone) {
                if (ioctl(to, FICLONE, from) == 0)
                        return tick(c, 0, (uint64_t) st->st_size);
                if (!lacks_support(errno) && errno != EPERM)
                        return -errno;
                c->no_clone = errno != EINVAL && errno != EPERM; /* may be this file's alone */
        }
        if ((uint64_t) st->st_blocks * 512 >= (uint64_t) st->st_size)
                return copy_extent(c, from, to, 0, st->st_size);
        for (off_t end, begin = lseek(from, 0, SEEK_DATA);; begin = lseek(from, end, SEEK_DATA)) {
                if (begin < 0 && errno != ENXIO)
                        return -errno;
                if (begin < 0 || begin >= st->st_size)
                        break;
                end = lseek(from, begin, SEEK_HOLE);
                if (end < 0 && errno == ENXIO) /* it has become shorter */
                        break;
                if (end < 0)
                        return -errno;
                int r = copy_extent(c, from, to, begin, MIN(end, st->st_size));
                if (r < 0)
                        return r;
        }
        return ftruncate(to, st->st_size) < 0 ? -errno : 0;
}

/* ---- what a file has besides ---- */

/* Of an open file, or by a path of /proc of one that cannot be opened: that leads to the file and no further. */
typedef struct XattrSide {
        int fd;
        const char *path; /* NULL: the descriptor counts */
} XattrSide;

static ssize_t list_xattrs(const XattrSide *s, char *names, size_t size) {
        return s->path ? listxattr(s->path, names, size) : flistxattr(s->fd, names, size);
}

static ssize_t get_xattr(const XattrSide *s, const char *name, void *value, size_t size) {
        return s->path ? getxattr(s->path, name, value, size) : fgetxattr(s->fd, name, value, size);
}

static int set_xattr(const XattrSide *s, const char *name, const void *value, size_t size) {
        return s->path ? setxattr(s->path, name, value, size, 0)
                       : fsetxattr(s->fd, name, value, size, 0);
}

static int copy_xattrs(Copier *c, const XattrSide *from, const XattrSide *to) {
        ssize_t n = list_xattrs(from, c->xattr_names, XATTR_MAX);
        if (n < 0)
                return IN_SET(errno, EOPNOTSUPP, ENOSYS) ? 0 : -errno;
        c->xattr_names[n] = '\0';
        for (const char *name = c->xattr_names; name < c->xattr_names + n;
             name += strlen(name) + 1) {
                ssize_t size = get_xattr(from, name, c->xattr_value, XATTR_MAX);
                if (size < 0 && errno == ENODATA)
                        continue;
                if (size < 0)
                        return -errno;
                /* "btrfs.…" are settings of a file system that the copy may not be on */
                if (set_xattr(to, name, c->xattr_value, (size_t) size) < 0 && errno != EOPNOTSUPP &&
                    !startswith(name, "btrfs."))
                        return -errno;
        }
        return 0;
}

static int copy_attributes(Copier *c, int from, int to, const struct stat *st) {
        const XattrSide source = { .fd = from }, destination = { .fd = to };
        const struct timespec times[2] = { st->st_atim, st->st_mtim };
        if (fchown(to, st->st_uid, st->st_gid) < 0 || fchmod(to, st->st_mode & 07777) < 0)
                return -errno;
        int r = copy_xattrs(c, &source, &destination);
        if (r < 0)
                return r;
        return futimens(to, times) < 0 ? -errno : 0;
}

/* Both by a descriptor that stands for the node and not for its name: no link is followed. */
static int copy_attributes_of_node(Copier *c, int pin, int to, const char *name,
                                   const struct stat *st) {
        const struct timespec times[2] = { st->st_atim, st->st_mtim };
        struct stat made;
        _cleanup_close_ int fd = openat(to, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &made) < 0)
                return -errno;
        if ((made.st_mode & S_IFMT) != (st->st_mode & S_IFMT) || made.st_uid != geteuid())
                return -ESTALE;
        _cleanup_free_ char *source = strf("/proc/self/fd/%d", pin),
                            *destination = strf("/proc/self/fd/%d", fd);
        if (!source || !destination)
                return -ENOMEM;
        if (fchownat(fd, "", st->st_uid, st->st_gid, AT_EMPTY_PATH) < 0 ||
            (!S_ISLNK(st->st_mode) && chmod(destination, st->st_mode & 07777) < 0))
                return -errno;
        int r = copy_xattrs(c, &(XattrSide){ .path = source }, &(XattrSide){ .path = destination });
        if (r < 0)
                return r;
        return utimensat(AT_FDCWD, destination, times, 0) < 0 ? -errno : 0;
}

/* ---- files ---- */

static int copy_regular(Copier *c, int from_fd, const struct stat *st, int to, const char *name) {
        _cleanup_close_ int fd =
                openat(to, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        int r = copy_data(c, from_fd, fd, st);
        if (r >= 0)
                r = copy_attributes(c, from_fd, fd, st);
        return r < 0 ? r : tick(c, 1, 0);
}

/* 1: it was linked. 0: this is its first name. */
static int copy_as_link(Copier *c, const struct stat *st, int to, const char *name) {
        char key[KEY_MAX];
        if (st->st_nlink < 2 || c->top_fd < 0)
                return 0;
        (void) snprintf(key, sizeof(key), "%" PRIx64 ":%" PRIx64, (uint64_t) st->st_dev,
                        (uint64_t) st->st_ino); /* it fits */
        const Link *known = hashmap_get(c->links, key);
        if (known)
                /* too many links, or too long a path: a file of its own */
                return linkat(c->top_fd, known->path, to, name, 0) == 0 ? 1
                       : IN_SET(errno, EMLINK, ENAMETOOLONG, EXDEV)     ? 0
                                                                        : -errno;
        Link *l = new0(Link, 1);
        if (!l || free_and_strdup(&l->path, c->path.text) < 0) {
                free(l);
                return -ENOMEM;
        }
        memcpy(l->key, key, sizeof(key));
        int r = hashmap_put(c->links, l->key, l);
        if (r < 0) {
                free(l->path);
                free(l);
        }
        return r;
}

static int copy_symlink(int pin, int to, const char *name) {
        char target[PATH_MAX];
        ssize_t n = readlinkat(pin, "", target, sizeof(target) - 1);
        if (n < 0)
                return -errno;
        target[n] = '\0';
        return symlinkat(target, to, name) < 0 ? -errno : 0;
}

static int copy_node(Copier *c, int pin, const struct stat *st, int to, const char *name) {
        int r = S_ISLNK(st->st_mode) ? copy_symlink(pin, to, name)
                : mknodat(to, name, (st->st_mode & S_IFMT) | 0600, st->st_rdev) < 0 ? -errno
                                                                                    : 0;
        if (r >= 0)
                r = copy_attributes_of_node(c, pin, to, name, st);
        return r < 0 ? r : tick(c, 1, 0);
}

static int open_source(int pin, int flags) {
        int fd = pin_open(pin, flags | O_NOATIME);
        /* a network file system may know another owner */
        return fd == -EPERM ? pin_open(pin, flags) : fd;
}

/* ---- trees ---- */

static int copy_directory(Copier *c, int from_fd, int to, const char *name, bool subvolume);

/* Somebody is at work: what was removed since its name was read, or a directory since it was opened, was not there. Of the top -ESTALE says that the file
 * system has gone, of which no copy can be complete. */
static bool is_gone(const Copier *c, int r) {
        return r == -ENOENT || (r == -ESTALE && c->depth > 1);
}

static int copy_entry(Copier *c, int from, const char *name, int to) {
        struct stat st;
        _cleanup_close_ int pin = pin_entry(from, name);
        if (pin < 0)
                return is_gone(c, pin) ? 0 : pin == -EXDEV ? -EBUSY : pin; /* a mount */
        if (fstat(pin, &st) < 0)
                return -errno;
        if (!S_ISDIR(st.st_mode)) {
                int r = copy_as_link(c, &st, to, name);
                if (r != 0)
                        return r < 0 ? r : tick(c, 1, 0);
        }
        if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
                return copy_node(c, pin, &st, to, name);
        _cleanup_close_ int fd = open_source(pin, S_ISDIR(st.st_mode) ? O_DIRECTORY : 0);
        if (fd < 0) { /* or there is no /proc */
                _cleanup_close_ int again = pin_entry(from, name);
                return is_gone(c, again) ? 0 : fd;
        }
        pin = fd_close(pin);
        return S_ISDIR(st.st_mode) ? copy_directory(c, fd, to, name, /* subvolume= */ false)
                                   : copy_regular(c, fd, &st, to, name);
}

static int copy_entries(Copier *c, int from_fd, int to_fd) {
        int r = 0, again = openat(from_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *d = again < 0 ? NULL : fdopendir(again);
        if (!d) {
                r = -errno;
                fd_close(again);
                return again < 0 && c->depth > 1 && is_gone(c, r) ? 0 : r;
        }
        const size_t length = c->path.size;
        char rest[1024];
        for (struct dirent *e; r >= 0 && (errno = 0, e = readdir(d));) {
                if (streq(e->d_name, ".") || streq(e->d_name, ".."))
                        continue;
                if (length > 0)
                        strbuf_add(&c->path, "/");
                strbuf_add(&c->path, e->d_name);
                r = c->path.failed ? -ENOMEM : failed(c, copy_entry(c, from_fd, e->d_name, to_fd));
                c->path.size = length;
                c->path.text[length] = '\0';
        }
        if (r >= 0 && errno > 0 && !is_gone(c, -errno))
                r = -errno;
        /* of the top: what is missing was there. readdir(3) makes an end of the list of this -ENOENT. */
        if (r >= 0 && c->depth <= 1 && syscall(SYS_getdents64, dirfd(d), rest, sizeof(rest)) < 0)
                r = -errno;
        (void) closedir(d); /* was only read */
        return r;
}

static int make_directory(int to, const char *name, bool subvolume) {
        if (subvolume && btrfs_subvolume_create(to, name) >= 0)
                return 0;
        return mkdirat(to, name, 0700) < 0 ? -errno : 0;
}

/* Is it the one that was made, and not one that somebody put in its place? Until it is complete nobody else gets in. */
static int take_directory(int to, const char *name) {
        struct stat st, named;
        _cleanup_close_ int fd = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0 || fstatat(to, name, &named, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        if (st.st_uid != geteuid() || st.st_dev != named.st_dev || st.st_ino != named.st_ino)
                return -ESTALE;
        if ((st.st_mode & 07777) != 0700 && fchmod(fd, 0700) < 0) /* a subvolume's is another */
                return -errno;
        return TAKE_FD(fd);
}

static int copy_directory(Copier *c, int from_fd, int to, const char *name, bool subvolume) {
        struct stat st;
        if (c->depth >= TREE_COPY_DEPTH_MAX)
                return -ELOOP;
        int r = fstat(from_fd, &st) < 0 ? -errno : make_directory(to, name, subvolume);
        if (r < 0)
                return r;
        _cleanup_close_ int fd =
                c->depth == 0 ? take_directory(to, name)
                              : openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return c->depth == 0 ? fd : -errno;
        if (c->depth == 0)
                c->top_fd = fd;
        c->depth++;
        r = copy_entries(c, from_fd, fd);
        c->depth--;
        if (r >= 0)
                r = copy_attributes(c, from_fd, fd, &st);
        return r < 0 ? r : tick(c, 1, 0);
}

int tree_copy(int source_fd, int parent_fd, const char *name, TreeCopy *copy) {
        _cleanup_(copier_done) Copier c;
        int r = copier_init(&c, copy);
        return r < 0 ? r
                     : failed(&c, copy_directory(&c, source_fd, parent_fd, name, copy->subvolume));
}

int tree_copy_file(int source_fd, int parent_fd, const char *name, TreeCopy *copy) {
        _cleanup_(copier_done) Copier c;
        struct stat st;
        int r = copier_init(&c, copy);
        if (r < 0)
                return r;
        if (fstat(source_fd, &st) < 0)
                return -errno;
        return S_ISREG(st.st_mode) ? failed(&c, copy_regular(&c, source_fd, &st, parent_fd, name))
                                   : -EINVAL;
}
