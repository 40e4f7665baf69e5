/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Trees as streams.
 *
 * Calls of the sender: fstatat, openat(O_NOFOLLOW | O_NONBLOCK), getdents, lseek(SEEK_DATA, SEEK_HOLE), pread, readlinkat. Of the
 * receiver: mkdirat, openat(O_CREAT | O_EXCL), pwrite, ftruncate, symlinkat, then fchown, fchmod, futimens by descriptor. All names are
 * single components below descriptors that were opened that way, so that nothing that is exchanged meanwhile leads elsewhere.
 * A directory is only its owner's until it is complete. */
#include "sys/tree-stream.h"

#include <dirent.h>
#include <limits.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/str.h"

#define BUFFER_SIZE (128U << 10)

typedef enum RecordType {
        RECORD_DIRECTORY, /* its contents follow, then RECORD_END */
        RECORD_FILE,      /* RECORD_DATA follow, then RECORD_END with its size */
        RECORD_LINK,      /* size bytes of its target follow */
        RECORD_DATA,      /* size bytes at offset follow */
        RECORD_END,
        RECORD_FAILED, /* the sender cannot go on */
} RecordType;

typedef struct Record {
        uint32_t type, mode, uid, gid, name_size, mtime_nsec;
        int64_t mtime_sec;
        uint64_t size, offset;
} Record;

typedef struct Stream {
        int fd;
        size_t start, size; /* of what is in the buffer */
        char *buffer;
} Stream;

static int stream_init(Stream *s, int fd) {
        *s = (Stream){ .fd = fd, .buffer = new0(char, BUFFER_SIZE) };
        return s->buffer ? 0 : -ENOMEM;
}

static void stream_done(Stream *s) {
        s->buffer = mfree(s->buffer);
}

/* ---- sending ---- */

static int stream_flush(Stream *s) {
        int r = fd_write_full(s->fd, s->buffer, s->size);
        s->size = 0;
        return r;
}

static int stream_put(Stream *s, const void *bytes, size_t n) {
        for (const char *p = bytes; n > 0;) {
                const size_t part = MIN(n, BUFFER_SIZE - s->size);
                memcpy(s->buffer + s->size, p, part);
                s->size += part;
                p += part;
                n -= part;
                int r = s->size == BUFFER_SIZE ? stream_flush(s) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

static int put_record(Stream *s, RecordType type, const struct stat *st, const char *name,
                      uint64_t size, uint64_t offset) {
        Record rec = {
                .type = type, .name_size = (uint32_t) strlen(name), .size = size, .offset = offset
        };
        if (st) {
                rec.mode = st->st_mode & 07777;
                rec.uid = st->st_uid;
                rec.gid = st->st_gid;
                rec.mtime_sec = st->st_mtim.tv_sec;
                rec.mtime_nsec = (uint32_t) st->st_mtim.tv_nsec;
        }
        int r = stream_put(s, &rec, sizeof(rec));
        return r < 0 ? r : stream_put(s, name, rec.name_size);
}

/* Bytes [at, end), less if the file has become shorter. */
static int send_data(Stream *s, int fd, off_t at, off_t end) {
        _cleanup_free_ char *buffer = new0(char, BUFFER_SIZE);
        if (!buffer)
                return -ENOMEM;
        while (at < end) {
                ssize_t n = pread(fd, buffer, (size_t) MIN(end - at, (off_t) BUFFER_SIZE), at);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : 0;
                int r = put_record(s, RECORD_DATA, NULL, "", (uint64_t) n, (uint64_t) at);
                if (r >= 0)
                        r = stream_put(s, buffer, (size_t) n);
                if (r < 0)
                        return r;
                at += n;
        }
        return 0;
}

/* As long as the file is now: one that grows for ever has an end, too. */
static int send_file(Stream *s, int fd, const char *name, const struct stat *st) {
        int r = put_record(s, RECORD_FILE, st, name, 0, 0);
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
        return r < 0 ? r : put_record(s, RECORD_END, NULL, "", (uint64_t) st->st_size, 0);
}

static int send_link(Stream *s, int dir_fd, const char *name, const struct stat *st) {
        char target[PATH_MAX];
        ssize_t n = readlinkat(dir_fd, name, target, sizeof(target));
        if (n < 0)
                return -errno;
        if ((size_t) n >= sizeof(target))
                return -ENAMETOOLONG;
        int r = put_record(s, RECORD_LINK, st, name, (uint64_t) n, 0);
        return r < 0 ? r : stream_put(s, target, (size_t) n);
}

static int send_directory(Stream *s, int fd, const char *name, const struct stat *st,
                          unsigned depth, char **ret_name);

static int send_entry(Stream *s, int dir_fd, const char *name, unsigned depth, char **ret_name) {
        struct stat st;
        int r = fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
        if (r == -ENOENT)
                return 0; /* it was removed just now */
        if (r >= 0 && S_ISLNK(st.st_mode))
                r = send_link(s, dir_fd, name, &st);
        else if (r >= 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))) {
                _cleanup_close_ int fd = openat(
                        dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
                r = fd < 0 || fstat(fd, &st) < 0 ? -errno : 0;
                if (r >= 0 && S_ISDIR(st.st_mode))
                        r = send_directory(s, fd, name, &st, depth + 1, ret_name);
                else if (r >= 0 && S_ISREG(st.st_mode))
                        r = send_file(s, fd, name, &st);
        }
        if (r < 0 && r != -EPIPE && !*ret_name)
                *ret_name = strdup(name); /* only for the message */
        return r;
}

static void dir_closep(DIR **d) {
        if (*d)
                closedir(*d);
}

static int send_directory(Stream *s, int fd, const char *name, const struct stat *st,
                          unsigned depth, char **ret_name) {
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
        int r = put_record(s, RECORD_DIRECTORY, st, name, 0, 0);
        while (r >= 0) {
                errno = 0;
                const struct dirent *e = readdir(d);
                if (!e) {
                        r = -errno;
                        break;
                }
                if (!streq(e->d_name, ".") && !streq(e->d_name, ".."))
                        r = send_entry(s, fd, e->d_name, depth, ret_name);
        }
        return r < 0 ? r : put_record(s, RECORD_END, NULL, "", 0, 0);
}

int tree_send(int stream_fd, int fd, char **ret_name) {
        _cleanup_(stream_done) Stream s = { 0 };
        struct stat st;
        *ret_name = NULL;
        int r = stream_init(&s, stream_fd);
        if (r >= 0 && fstat(fd, &st) < 0)
                r = -errno;
        if (r >= 0)
                r = S_ISDIR(st.st_mode)   ? send_directory(&s, fd, "", &st, 0, ret_name)
                    : S_ISREG(st.st_mode) ? send_file(&s, fd, "", &st)
                                          : -EINVAL;
        if (r < 0 && r != -EPIPE && s.buffer) /* the other side must not take the end for the end */
                (void) put_record(&s, RECORD_FAILED, NULL, "", 0, 0);
        int k = s.buffer ? stream_flush(&s) : 0;
        return r < 0 ? r : k;
}

/* ---- receiving ---- */

static int stream_get(Stream *s, void *bytes, size_t n) {
        for (char *p = bytes; n > 0;) {
                if (s->size == 0) {
                        ssize_t k = read(s->fd, s->buffer, BUFFER_SIZE);
                        if (k < 0 && errno == EINTR)
                                continue;
                        if (k <= 0)
                                return k < 0 ? -errno : -ECANCELED;
                        s->start = 0;
                        s->size = (size_t) k;
                }
                const size_t part = MIN(n, s->size);
                memcpy(p, s->buffer + s->start, part);
                s->start += part;
                s->size -= part;
                p += part;
                n -= part;
        }
        return 0;
}

static int get_record(Stream *s, Record *rec, char name[static NAME_MAX + 1]) {
        int r = stream_get(s, rec, sizeof(*rec));
        if (r < 0)
                return r;
        if (rec->type >= RECORD_FAILED || rec->name_size > NAME_MAX)
                return rec->type == RECORD_FAILED ? -ECANCELED : -EBADMSG;
        r = stream_get(s, name, rec->name_size);
        name[rec->name_size] = '\0';
        return r;
}

static bool is_component(const char *name) {
        return name[0] != '\0' && !strchr(name, '/') && !streq(name, ".") && !streq(name, "..");
}

static uint32_t map_id(const struct TreeRange *ranges, size_t n, uint32_t id) {
        for (size_t i = 0; i < n; i++)
                if (id >= ranges[i].from && id - ranges[i].from < ranges[i].count)
                        return ranges[i].to + (id - ranges[i].from);
        return 0;
}

/* fd: what was made; -EBADF: the link `name` in dir_fd. */
static int set_attributes(int fd, int dir_fd, const char *name, const Record *rec, bool directory,
                          const TreeOwners *o) {
        const struct timespec times[] = { { .tv_nsec = UTIME_OMIT },
                                          { rec->mtime_sec, (long) rec->mtime_nsec } };
        const uid_t uid = o->mapped ? map_id(o->uids, o->n_uids, rec->uid) : rec->uid;
        const gid_t gid = o->mapped ? map_id(o->gids, o->n_gids, rec->gid) : rec->gid;
        const mode_t kept = !o->safe_modes ? 07777 : directory ? 01777 : 0777;
        if (fd < 0)
                return o->keep && fchownat(dir_fd, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 ? -errno
                                                                                            : 0;
        if ((o->keep && fchown(fd, uid, gid) < 0) || fchmod(fd, rec->mode & kept) < 0 ||
            futimens(fd, times) < 0)
                return -errno;
        return 0;
}

static int receive_file(Stream *s, int dir_fd, const char *name, const Record *rec,
                        const TreeOwners *o) {
        _cleanup_free_ char *buffer = new0(char, BUFFER_SIZE);
        _cleanup_close_ int fd =
                openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        int r = fd < 0 ? -errno : buffer ? 0 : -ENOMEM;
        while (r >= 0) {
                char unused[NAME_MAX + 1];
                Record part;
                r = get_record(s, &part, unused);
                if (r >= 0 && part.type == RECORD_END) {
                        r = ftruncate(fd, (off_t) part.size) < 0 ? -errno
                                                                 : 0; /* a hole at the end */
                        break;
                }
                if (r >= 0 && (part.type != RECORD_DATA || part.size > BUFFER_SIZE))
                        r = -EBADMSG;
                if (r >= 0)
                        r = stream_get(s, buffer, part.size);
                for (size_t done = 0; r >= 0 && done < part.size;) {
                        ssize_t n = pwrite(fd, buffer + done, part.size - done,
                                           (off_t) (part.offset + done));
                        if (n < 0 && errno != EINTR)
                                r = -errno;
                        done += n > 0 ? (size_t) n : 0;
                }
        }
        return r < 0 ? r : set_attributes(fd, dir_fd, name, rec, false, o);
}

static int receive_link(Stream *s, int dir_fd, const char *name, const Record *rec,
                        const TreeOwners *o) {
        char target[PATH_MAX];
        if (rec->size == 0 || rec->size >= sizeof(target))
                return -EBADMSG;
        int r = stream_get(s, target, rec->size);
        target[rec->size] = '\0';
        if (r >= 0 && symlinkat(target, dir_fd, name) < 0)
                r = -errno;
        return r < 0 ? r : set_attributes(-EBADF, dir_fd, name, rec, false, o);
}

static int receive_directory(Stream *s, int dir_fd, const char *name, const Record *rec,
                             const TreeOwners *o, unsigned depth);

static int receive_entry(Stream *s, int dir_fd, const char *name, const Record *rec,
                         const TreeOwners *o, unsigned depth) {
        switch (rec->type) {
        case RECORD_DIRECTORY:
                return receive_directory(s, dir_fd, name, rec, o, depth);
        case RECORD_FILE:
                return receive_file(s, dir_fd, name, rec, o);
        case RECORD_LINK:
                return receive_link(s, dir_fd, name, rec, o);
        default:
                return -EBADMSG;
        }
}

static int receive_directory(Stream *s, int dir_fd, const char *name, const Record *rec,
                             const TreeOwners *o, unsigned depth) {
        char entry[NAME_MAX + 1];
        Record next;
        if (depth > TREE_DEPTH_MAX)
                return -ELOOP;
        if (mkdirat(dir_fd, name, 0700) < 0)
                return -errno;
        _cleanup_close_ int fd =
                openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int r = fd < 0 ? -errno : 0;
        while (r >= 0) {
                r = get_record(s, &next, entry);
                if (r >= 0 && next.type == RECORD_END)
                        break;
                if (r >= 0)
                        r = is_component(entry) ? receive_entry(s, fd, entry, &next, o, depth + 1)
                                                : -EBADMSG;
        }
        return r < 0 ? r : set_attributes(fd, dir_fd, name, rec, true, o);
}

int tree_receive(int stream_fd, int parent_fd, const char *name, const TreeOwners *owners) {
        _cleanup_(stream_done) Stream s = { 0 };
        char unused[NAME_MAX + 1];
        Record rec;
        int r = is_component(name) ? stream_init(&s, stream_fd) : -EINVAL;
        if (r >= 0)
                r = get_record(&s, &rec, unused);
        if (r < 0)
                return r;
        r = receive_entry(&s, parent_fd, name, &rec, owners, 0);
        if (r < 0 && r != -EEXIST)
                (void) tree_remove(parent_fd, name); /* the first failure is the one to tell */
        return r;
}

/* ---- removing ---- */

static int remove_below(int parent_fd, const char *name, unsigned depth) {
        if (unlinkat(parent_fd, name, 0) >= 0 || errno == ENOENT)
                return 0;
        if (errno != EISDIR && errno != EPERM)
                return -errno;
        if (depth > TREE_DEPTH_MAX)
                return -ELOOP;
        int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        _cleanup_(dir_closep) DIR *d = fd < 0 ? NULL : fdopendir(fd);
        if (!d) {
                int r = -errno;
                fd_close(fd);
                return r;
        }
        int r = 0;
        for (const struct dirent *e; r >= 0 && (e = readdir(d));)
                if (!streq(e->d_name, ".") && !streq(e->d_name, ".."))
                        r = remove_below(dirfd(d), e->d_name, depth + 1);
        return r < 0 ? r : unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

int tree_remove(int parent_fd, const char *name) {
        return is_component(name) ? remove_below(parent_fd, name, 0) : -EINVAL;
}
