/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Paths below a container's root.
 *
 * Calls: openat2(2) only, from the root's descriptor; what is missing is made with mkdirat or openat(O_CREAT | O_EXCL) of
 * one component in a directory that was opened that way. A file to be read is opened without blocking, and what is no regular
 * file is not read; that devices cannot be opened at all is up to the mount (nodev): opening one can already be harm. */
#include "sys/resolve.h"

#include <limits.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "sys/syscalls.h"

#define BENEATH (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)
#define IN_ROOT (RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
/* openat2(2) fails with EAGAIN after a rename or mount anywhere on the machine while ".." was walked. Someone who renames
 * without pause makes a long walk fail hundreds of times in a row; a try takes some microseconds. */
#define EAGAIN_RETRIES 32768
#define LINKS_MAX \
        40 /* dangling symlinks that one mount point may lead through, as the kernel's own limit */

static int open_with(int dir_fd, const char *path, int flags, uint64_t resolve) {
        for (unsigned i = 0;; i++) {
                int fd = sys_openat2(dir_fd, path, (uint64_t) (unsigned) (flags | O_CLOEXEC), 0,
                                     resolve);
                if (fd >= 0)
                        return fd;
                if (errno != EAGAIN || i >= EAGAIN_RETRIES)
                        return -errno;
        }
}

int resolve_beneath(int root_fd, const char *path, int flags) {
        /* O_PATH | O_NOFOLLOW would open a symlink at the end in spite of RESOLVE_NO_SYMLINKS. */
        return open_with(root_fd, path, (flags & ~O_NOFOLLOW) | O_PATH, BENEATH);
}

int resolve_in_root(int root_fd, const char *path, int flags) {
        /* openat2() refuses other flags beside O_PATH. A terminal inside must not become ours. */
        return open_with(root_fd, path[0] ? path : ".", flags & O_PATH ? flags : flags | O_NOCTTY,
                         IN_ROOT);
}

/* Mode and owner of what we just made, where they are not right yet. */
static int adjust_new(int fd, mode_t mode, uid_t uid, gid_t gid) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if ((st.st_uid != uid || st.st_gid != gid) && fchown(fd, uid, gid) < 0)
                return -errno;
        if ((st.st_mode & 0777) != mode && fchmod(fd, mode) < 0) /* the umask */
                return -errno;
        return 0;
}

/* Makes and opens a directory `name` in parent_fd. Returns an fd, -EEXIST if something is there. */
static int make_directory(int parent_fd, const char *name, uid_t uid, gid_t gid) {
        struct stat st;

        if (mkdirat(parent_fd, name, 0755) < 0)
                return -errno;
        _cleanup_close_ int fd = open_with(parent_fd, name, O_RDONLY | O_DIRECTORY, BENEATH);
        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0)
                return -errno;
        /* Exchanged since mkdirat()? Somebody else's directory is not given away. With other file-system ids (setfsuid(2))
         * ours belongs to uid from the beginning. */
        if (st.st_uid != geteuid() && st.st_uid != uid)
                return -ESTALE;
        int r = adjust_new(fd, 0755, uid, gid);
        return r < 0 ? r : TAKE_FD(fd);
}

/* The same for an empty file. Read-only: a descriptor for writing would keep the file system from turning read-only. */
static int make_file(int parent_fd, const char *name, uid_t uid, gid_t gid) {
        _cleanup_close_ int fd =
                openat(parent_fd, name,
                       O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0644);

        if (fd < 0)
                return -errno;
        int r = adjust_new(fd, 0644, uid, gid);
        return r < 0 ? r : TAKE_FD(fd);
}

static bool is_dots(const char *name) {
        return streq(name, ".") || streq(name, "..");
}

int resolve_mkdir_beneath(int root_fd, const char *path, uid_t uid, gid_t gid) {
        char name[NAME_MAX + 1];

        int fd = resolve_beneath(root_fd, path, O_DIRECTORY);
        if (fd != -ENOENT || path[0] == '\0')
                return fd;
        _cleanup_close_ int at = -EBADF;
        for (const char *p = path + strspn(path, "/"); *p; p += strspn(p, "/")) {
                const size_t n = strcspn(p, "/");
                const int parent = at >= 0 ? at : root_fd;
                if (n > NAME_MAX)
                        return -ENAMETOOLONG;
                memcpy(name, p, n);
                name[n] = '\0';
                p += n;
                if (is_dots(name))
                        return -EINVAL;
                int next = resolve_beneath(parent, name, O_DIRECTORY);
                if (next == -ENOENT)
                        next = make_directory(parent, name, uid, gid);
                if (next == -EEXIST) /* made by somebody else in this moment */
                        next = resolve_beneath(parent, name, O_DIRECTORY);
                if (next < 0)
                        return next;
                fd_close(at);
                at = next;
        }
        return TAKE_FD(at);
}

/* Replaces the component path[start, end), a symlink in parent_fd, by its target. path has PATH_MAX bytes. Returns where
 * the walk goes on: the beginning for an absolute target. */
static int splice_link(int parent_fd, char *path, size_t start, size_t end, size_t *ret_start) {
        const size_t rest = strlen(path + end) + 1;
        char name[NAME_MAX + 1], first;

        memcpy(name, path + start, end - start);
        name[end - start] = '\0';
        const size_t tail = PATH_MAX - rest;
        memmove(path + tail, path + end, rest);
        ssize_t n = readlinkat(parent_fd, name, path + start, tail - start);
        if (n < 0)
                return errno == EINVAL ? -ENOENT : -errno; /* not a symlink any more */
        if (n == 0 || (size_t) n >= tail - start)
                return n == 0 ? -ENOENT : -ENAMETOOLONG;
        first = path[start];
        memmove(path + start + n, path + tail, rest);
        if (first == '/') {
                memmove(path, path + start, strlen(path + start) + 1);
                start = 0;
        }
        *ret_start = start;
        return 0;
}

/* Opens the directory path[0, end) of a walk that begins at the root. */
static int open_prefix(int root_fd, char *path, size_t end) {
        char saved = path[end];

        if (end == 0)
                return resolve_in_root(root_fd, ".", O_PATH | O_DIRECTORY);
        path[end] = '\0';
        int fd = resolve_in_root(root_fd, path, O_PATH | O_DIRECTORY);
        path[end] = saved;
        return fd;
}

/* One component of the slow way: opens path[0, end), or makes it in parent_fd. Returns an fd; -ENOENT: it is a dangling
 * symlink. */
static int open_or_make(int root_fd, int parent_fd, char *path, size_t start, size_t end,
                        mode_t type, uid_t uid, gid_t gid) {
        const bool last = path[end + strspn(path + end, "/")] == '\0';
        char name[NAME_MAX + 1];

        memcpy(name, path + start, end - start);
        name[end - start] = '\0';
        if (last && !S_ISDIR(type)) {
                int fd = make_file(parent_fd, name, uid, gid);
                if (fd != -EEXIST)
                        return fd;
                return resolve_in_root(root_fd, path, O_PATH);
        }
        int fd = open_prefix(root_fd, path, end);
        if (fd != -ENOENT || is_dots(name))
                return fd;
        fd = make_directory(parent_fd, name, uid, gid);
        return fd == -EEXIST ? open_prefix(root_fd, path, end) : fd;
}

static int make_path(int root_fd, char *path, mode_t type, uid_t uid, gid_t gid) {
        size_t start = strspn(path, "/"), links = 0;
        _cleanup_close_ int at = open_prefix(root_fd, path, 0);

        if (at < 0)
                return at;
        while (path[start]) {
                const size_t end = start + strcspn(path + start, "/");
                if (end - start > NAME_MAX)
                        return -ENAMETOOLONG;
                int next = open_or_make(root_fd, at, path, start, end, type, uid, gid);
                if (next == -ENOENT) {
                        if (++links > LINKS_MAX)
                                return -ELOOP;
                        int r = splice_link(at, path, start, end, &start);
                        if (r < 0)
                                return r;
                        next = open_prefix(root_fd, path, start);
                } else
                        start = end;
                if (next < 0)
                        return next;
                fd_close(at);
                at = next;
                start += strspn(path + start, "/");
        }
        return TAKE_FD(at);
}

int resolve_make_mount_point(int root_fd, const char *path, mode_t type, uid_t uid, gid_t gid) {
        const bool directory = S_ISDIR(type);
        char buf[PATH_MAX];
        struct stat st;

        _cleanup_close_ int fd =
                resolve_in_root(root_fd, path, O_PATH | (directory ? O_DIRECTORY : 0));
        if (fd == -ENOENT) {
                const size_t n = strlen(path);
                if (n == 0)
                        return -ENOENT;
                if (n >= sizeof(buf))
                        return -ENAMETOOLONG;
                memcpy(buf, path, n + 1);
                fd = make_path(root_fd, buf, type, uid, gid);
        }
        if (fd < 0)
                return fd;
        if (!directory) {
                if (fstat(fd, &st) < 0)
                        return -errno;
                if (S_ISDIR(st.st_mode))
                        return -EISDIR;
        }
        return TAKE_FD(fd);
}

/* Reads at most limit bytes of the regular file fd into allocated text. size_hint is what stat said. */
static int read_regular(int fd, size_t size_hint, size_t limit, char **ret, size_t *ret_size) {
        const size_t guess = MAX(size_hint, (size_t) 1023);
        size_t room = MIN(guess, limit) + 1, size = 0;
        _cleanup_free_ char *text = malloc(room + 1);

        if (!text)
                return -ENOMEM;
        for (;;) {
                ssize_t n = read(fd, text + size, room - size);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                const bool end = n == 0 || (size_hint > 0 && (size_t) n < room - size);
                size += (size_t) n;
                if (size > limit)
                        return -E2BIG;
                if (end)
                        break;
                if (size < room)
                        continue;
                room = room > limit / 2 ? limit + 1 : room * 2;
                char *more = realloc(text, room + 1);
                if (!more)
                        return -ENOMEM;
                text = more;
        }
        text[size] = '\0';
        if (!ret_size && memchr(text, '\0', size))
                return -EBADMSG;
        if (ret_size)
                *ret_size = size;
        *ret = TAKE_PTR(text);
        return 0;
}

/* Why it could not be opened: something else than a regular file says so in many ways. */
static int open_error(int root_fd, const char *path, int code) {
        struct stat st;

        if (!IN_SET(code, -EACCES, -ENXIO, -ENODEV, -EOPNOTSUPP))
                return code;
        _cleanup_close_ int fd = resolve_in_root(root_fd, path, O_PATH);
        return fd >= 0 && fstat(fd, &st) >= 0 && !S_ISREG(st.st_mode) ? -EINVAL : code;
}

int resolve_read_file(int root_fd, const char *path, size_t limit, char **ret, size_t *ret_size) {
        struct stat st;

        _cleanup_close_ int fd = resolve_in_root(root_fd, path, O_RDONLY | O_NONBLOCK);
        if (fd < 0)
                return open_error(root_fd, path, fd);
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        limit = MIN(limit, (size_t) SSIZE_MAX - 2);
        if ((uint64_t) st.st_size > limit)
                return -E2BIG;
        return read_regular(fd, (size_t) st.st_size, limit, ret, ret_size);
}
