/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sender of a tree.
 *
 * Calls: fstatat, openat(O_NOFOLLOW | O_NONBLOCK), getdents, lseek(SEEK_DATA, SEEK_HOLE), pread, flistxattr, fgetxattr, readlinkat. All
 * names are single components below descriptors that were opened that way, so that nothing that is exchanged meanwhile leads
 * elsewhere. */
#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/xattr.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/hashmap.h"
#include "basic/str.h"
#include "sys/tree-stream.h"

/* The first name of a file that has several. */
typedef struct LinkName {
        char key[64];
        char path[];
} LinkName;

typedef struct Sender {
        Stream stream;
        TreeProgress *progress;
        Hashmap *links;      /* of LinkName, by device and inode */
        char path[PATH_MAX]; /* of what is sent now, below the top */
        size_t path_size;    /* PATH_MAX: it is too long to be told */
        uint32_t flags;
        dev_t device; /* of the top */
        char *failed; /* name of what could not be read */
} Sender;

static void sender_done(Sender *s) {
        LinkName *l;
        stream_done(&s->stream);
        if (s->links)
                HASHMAP_FOREACH(l, s->links)
                        free(l);
        hashmap_free(s->links);
        free(s->failed);
}

/* Returns the size for path_leave(). */
static size_t path_enter(Sender *s, const char *name) {
        const size_t before = s->path_size, n = strlen(name), slash = before > 0;
        if (before + slash + n >= PATH_MAX) {
                s->path_size = PATH_MAX;
                return before;
        }
        if (slash)
                s->path[before] = '/';
        memcpy(s->path + before + slash, name, n + 1);
        s->path_size = before + slash + n;
        return before;
}

static void path_leave(Sender *s, size_t before) {
        s->path_size = before;
        if (before < PATH_MAX)
                s->path[before] = '\0';
}

/* ---- what files have ---- */

static int send_xattr(Sender *s, int fd, const char *name, char *value, size_t *total) {
        ssize_t n = fgetxattr(fd, name, value, XATTR_VALUE_MAX);
        if (n < 0)
                return IN_SET(errno, ENODATA, EOPNOTSUPP, EACCES) ? 0
                                                                  : -errno; /* gone, or not ours */
        *total += strlen(name) + (size_t) n;
        if (*total > TREE_XATTRS_MAX)
                return -E2BIG;
        int r = stream_put_record(&s->stream, RECORD_XATTR, NULL, name, (uint64_t) n, 0);
        return r < 0 ? r : stream_put(&s->stream, value, (size_t) n);
}

static int send_xattrs(Sender *s, int fd) {
        size_t total = 0;
        ssize_t n = flistxattr(fd, NULL, 0);
        if (n <= 0)
                return n < 0 && !IN_SET(errno, EOPNOTSUPP, ENOSYS, EACCES) ? -errno : 0;
        _cleanup_free_ char *names = new0(char, (size_t) n + 1),
                            *value = new0(char, XATTR_VALUE_MAX);
        if (!names || !value)
                return -ENOMEM;
        n = flistxattr(fd, names, (size_t) n);
        if (n < 0)
                return errno == ERANGE ? 0 : -errno; /* more of them came in this moment */
        int r = 0;
        for (const char *p = names; r >= 0 && p < names + n; p += strlen(p) + 1)
                if (tree_takes_xattr(p) && strlen(p) <= NAME_MAX)
                        r = send_xattr(s, fd, p, value, &total);
        return r;
}

/* Bytes [at, end), less if the file has become shorter. */
static int send_data(Sender *s, int fd, off_t at, off_t end) {
        _cleanup_free_ char *buffer = new0(char, STREAM_BUFFER_SIZE);
        if (!buffer)
                return -ENOMEM;
        while (at < end) {
                ssize_t n =
                        pread(fd, buffer, (size_t) MIN(end - at, (off_t) STREAM_BUFFER_SIZE), at);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : 0;
                int r = stream_put_record(&s->stream, RECORD_DATA, NULL, "", (uint64_t) n,
                                          (uint64_t) at);
                if (r >= 0)
                        r = stream_put(&s->stream, buffer, (size_t) n);
                if (r < 0)
                        return r;
                tree_progress_add(s->progress, 0, (uint64_t) n);
                at += n;
        }
        return 0;
}

/* ---- files, links, directories ---- */

/* 1: it was sent before, and *ret is how it was called; 0: it is remembered from now on, if it can be. */
static int find_link(Sender *s, const struct stat *st, const char **ret) {
        char key[sizeof(((LinkName *) NULL)->key)];
        if (st->st_nlink < 2 || s->path_size == 0 || s->path_size >= PATH_MAX)
                return 0;
        if (!s->links) {
                s->links = hashmap_new();
                if (!s->links)
                        return -ENOMEM;
        }
        (void) snprintf(key, sizeof(key), "%" PRIu64 ":%" PRIu64, (uint64_t) st->st_dev,
                        (uint64_t) st->st_ino); /* it fits */
        const LinkName *known = hashmap_get(s->links, key);
        if (known) {
                *ret = known->path;
                return 1;
        }
        if (hashmap_size(s->links) >= TREE_LINKS_MAX)
                return 0;
        LinkName *l = malloc(sizeof(LinkName) + s->path_size + 1);
        if (!l)
                return -ENOMEM;
        memcpy(l->key, key, sizeof(key));
        memcpy(l->path, s->path, s->path_size + 1);
        int r = hashmap_put(s->links, l->key, l);
        if (r < 0)
                free(l);
        return r;
}

/* As long as the file is now: one that grows for ever has an end, too. */
static int send_file(Sender *s, int fd, const char *name, const struct stat *st) {
        const char *other = NULL;
        int r = find_link(s, st, &other);
        if (r > 0) {
                r = stream_put_record(&s->stream, RECORD_HARD_LINK, NULL, name, strlen(other), 0);
                return r < 0 ? r : stream_put(&s->stream, other, strlen(other));
        }
        if (r >= 0)
                r = stream_put_record(&s->stream, RECORD_FILE, st, name, (uint64_t) st->st_size, 0);
        if (r >= 0)
                r = send_xattrs(s, fd);
        for (off_t at = 0; r >= 0 && at < st->st_size;) {
                off_t begin = lseek(fd, at, SEEK_DATA);
                if (begin < 0 && errno == ENXIO) /* a hole up to the end */
                        break;
                if (begin < 0 || begin >= st->st_size)
                        begin = begin < 0 ? at : st->st_size; /* or a file system without holes */
                off_t end = lseek(fd, begin, SEEK_HOLE);
                if (end < 0 || end > st->st_size)
                        end = st->st_size;
                r = send_data(s, fd, begin, end);
                at = end;
        }
        return r < 0 ? r : stream_put_record(&s->stream, RECORD_END, NULL, "", 0, 0);
}

static int send_link(Sender *s, int dir_fd, const char *name, const struct stat *st) {
        char target[PATH_MAX];
        ssize_t n = readlinkat(dir_fd, name, target, sizeof(target));
        if (n < 0)
                return -errno;
        if ((size_t) n >= sizeof(target))
                return -ENAMETOOLONG;
        int r = stream_put_record(&s->stream, RECORD_LINK, st, name, (uint64_t) n, 0);
        return r < 0 ? r : stream_put(&s->stream, target, (size_t) n);
}

static int send_directory(Sender *s, int fd, const char *name, const struct stat *st,
                          unsigned depth);

static int send_opened(Sender *s, int dir_fd, const char *name, unsigned depth) {
        struct stat st;
        _cleanup_close_ int fd =
                openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        return S_ISDIR(st.st_mode)   ? send_directory(s, fd, name, &st, depth + 1)
               : S_ISREG(st.st_mode) ? send_file(s, fd, name, &st)
                                     : 0;
}

static int send_entry(Sender *s, int dir_fd, const char *name, unsigned depth) {
        struct stat st;
        int r = fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
        if (r == -ENOENT)
                return 0; /* it was removed just now */
        const size_t before = path_enter(s, name);
        if (r >= 0 && S_ISLNK(st.st_mode))
                r = send_link(s, dir_fd, name, &st);
        else if (r >= 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
                r = send_opened(s, dir_fd, name, depth);
        else if (r >= 0 && S_ISFIFO(st.st_mode) && (s->flags & TREE_SEND_FIFOS))
                r = stream_put_record(&s->stream, RECORD_FIFO, &st, name, 0, 0);
        path_leave(s, before);
        if (r < 0 && r != -EPIPE && !s->failed)
                s->failed = strdup(name); /* only for the message */
        tree_progress_add(s->progress, 1, 0);
        return r;
}

static void dir_closep(DIR **d) {
        if (*d)
                closedir(*d);
}

static int send_directory(Sender *s, int fd, const char *name, const struct stat *st,
                          unsigned depth) {
        if (depth > TREE_DEPTH_MAX)
                return -ELOOP;
        /* with a position of its own */
        int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_(dir_closep) DIR *d = own < 0 ? NULL : fdopendir(own);
        if (!d) {
                int r = -errno;
                fd_close(own);
                return r;
        }
        int r = stream_put_record(&s->stream, RECORD_DIRECTORY, st, name, 0, 0);
        if (r >= 0)
                r = send_xattrs(s, fd);
        const bool enter = !(s->flags & TREE_SEND_ONE_FILE_SYSTEM) || st->st_dev == s->device;
        while (r >= 0 && enter) {
                errno = 0;
                const struct dirent *e = readdir(d);
                if (!e) {
                        r = -errno;
                        break;
                }
                if (!streq(e->d_name, ".") && !streq(e->d_name, ".."))
                        r = send_entry(s, fd, e->d_name, depth);
        }
        return r < 0 ? r : stream_put_record(&s->stream, RECORD_END, NULL, "", 0, 0);
}

int tree_send_flags(int stream_fd, int fd, uint32_t flags, TreeProgress *progress,
                    char **ret_name) {
        _cleanup_(sender_done) Sender s = { .progress = progress, .flags = flags };
        struct stat st = { 0 };
        *ret_name = NULL;
        int r = stream_init(&s.stream, stream_fd);
        if (r >= 0 && fstat(fd, &st) < 0)
                r = -errno;
        s.device = st.st_dev;
        if (r >= 0)
                r = S_ISDIR(st.st_mode)   ? send_directory(&s, fd, "", &st, 0)
                    : S_ISREG(st.st_mode) ? send_file(&s, fd, "", &st)
                                          : -EINVAL;
        /* the other side must not take the end for the end */
        if (r < 0 && r != -EPIPE && s.stream.buffer)
                (void) stream_put_record(&s.stream, RECORD_FAILED, NULL, "", 0, 0);
        int k = s.stream.buffer ? stream_flush(&s.stream) : 0;
        tree_progress_finish(progress);
        *ret_name = TAKE_PTR(s.failed);
        return r < 0 ? r : k;
}

int tree_send(int stream_fd, int fd, TreeProgress *progress, char **ret_name) {
        return tree_send_flags(stream_fd, fd, 0, progress, ret_name);
}

int tree_send_link(int stream_fd, int dir_fd, const char *name) {
        _cleanup_(sender_done) Sender s = { 0 };
        struct stat st;
        int r = stream_init(&s.stream, stream_fd);
        if (r >= 0 && fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                r = -errno;
        if (r >= 0)
                r = send_link(&s, dir_fd, name, &st);
        return r < 0 ? r : stream_flush(&s.stream);
}
