/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors: closing, moving, reading and writing whole files. */
#include "basic/fd.h"

#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "basic/path.h"

/* Kernel 6.3; older ones answer EINVAL. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

#define READ_CHUNK 4096

int fd_close(int fd) {
        if (fd >= 0) {
                int saved = errno;

                /* The descriptor is gone whatever close() says, and what was written is checked where it is. */
                (void) close(fd);
                errno = saved;
        }
        return -EBADF;
}

void fd_close_pair(int p[static 2]) {
        p[0] = fd_close(p[0]);
        p[1] = fd_close(p[1]);
}

static int fd_change_flag(int fd, int get, int set, int flag, bool on) {
        int flags, wanted;

        flags = fcntl(fd, get);
        if (flags < 0)
                return -errno;
        wanted = on ? flags | flag : flags & ~flag;
        if (wanted != flags && fcntl(fd, set, wanted) < 0)
                return -errno;
        return 0;
}

int fd_cloexec(int fd, bool on) {
        return fd_change_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

int fd_nonblock(int fd, bool on) {
        return fd_change_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

int fd_fill_stdio(void) {
        struct pollfd p[3];

        for (int i = 0; i < 3; i++)
                p[i] = (struct pollfd){ .fd = i };
        if (poll(p, 3, 0) < 0)
                return -errno;
        for (int i = 0; i < 3; i++) {
                if (!(p[i].revents & POLLNVAL))
                        continue;
                int fd = open("/dev/null", O_PATH | O_CLOEXEC); /* writing is an error as before */
                if (fd < 0)
                        return -errno;
                if (fd != i) {
                        fd_close(fd);
                        return -EBADF;
                }
        }
        return 0;
}

/* The kernel's own name of it: "/path", "pipe:[1]", "socket:[2]"; but "mnt:[3]", "anon_inode:[pidfd]". */
static bool has_name_of_stream(int fd) {
        static const char *const prefixes[] = { "/", "pipe:[", "socket:[" };
        char link[32], name[16] = "";

        (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        if (readlink(link, name, sizeof(name) - 1) < 0)
                return false;
        for (size_t i = 0; i < ELEMENTSOF(prefixes); i++)
                if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
                        return true;
        return false;
}

bool fd_is_stream(int fd) {
        struct statx stx;
        const int flags = fcntl(fd, F_GETFL);

        if (flags < 0 || (flags & O_PATH) ||
            statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &stx) < 0)
                return false;
        return (S_ISREG(stx.stx_mode) || S_ISCHR(stx.stx_mode) || S_ISFIFO(stx.stx_mode) ||
                S_ISSOCK(stx.stx_mode)) &&
               has_name_of_stream(fd);
}

int fd_move_to(int *fd, int to, bool cloexec) {
        if (*fd == to)
                return fd_cloexec(to, cloexec);
        if (dup3(*fd, to, cloexec ? O_CLOEXEC : 0) < 0)
                return -errno;
        fd_close(*fd);
        *fd = to;
        return 0;
}

int fd_read_full(int fd, void *buf, size_t n) {
        for (char *p = buf; n > 0;) {
                ssize_t k = read(fd, p, n);

                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return -errno;
                if (k == 0)
                        return -EPIPE;
                p += k;
                n -= (size_t) k;
        }
        return 0;
}

int fd_write_full(int fd, const void *buf, size_t n) {
        for (const char *p = buf; n > 0;) {
                ssize_t k = write(fd, p, n);

                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return -errno;
                if (k == 0)
                        return -EIO;
                p += k;
                n -= (size_t) k;
        }
        return 0;
}

/* After a call that has failed: 0, it may be tried again. */
static int wait_ready(int fd, short events) {
        struct pollfd p = { .fd = fd, .events = events };

        if (errno == EAGAIN && poll(&p, 1, -1) >= 0)
                return 0;
        return errno == EINTR ? 0 : -errno;
}

ssize_t fd_read_waiting(int fd, void *buf, size_t n) {
        for (;;) {
                ssize_t k = read(fd, buf, n);
                if (k >= 0)
                        return k;
                int r = wait_ready(fd, POLLIN);
                if (r < 0)
                        return r;
        }
}

ssize_t fd_write_waiting(int fd, const void *buf, size_t n) {
        for (;;) {
                ssize_t k = write(fd, buf, n);
                if (k >= 0)
                        return k;
                int r = wait_ready(fd, POLLOUT);
                if (r < 0)
                        return r;
        }
}

/* How much to read first: the file's size and one byte to see its end, where the size is known and sane. *ret_sized: a read of a
 * file that knows its size is short only at the end, so that no second one has to find that out. */
static size_t first_read_size(int fd, size_t limit, bool *ret_sized) {
        struct stat st;

        *ret_sized = fstat(fd, &st) >= 0 && S_ISREG(st.st_mode) && st.st_size > 0;
        if (!*ret_sized || st.st_size < READ_CHUNK)
                return READ_CHUNK;
        return (uint64_t) st.st_size > limit ? limit + 1 : (size_t) st.st_size + 1;
}

/* at: position, or -1 for the descriptor's own. short_is_end: a read that gives less than it could is the last one. */
static int read_all(int fd, off_t at, size_t allocated, bool short_is_end, size_t limit, char **ret,
                    size_t *ret_size) {
        _cleanup_free_ char *text = NULL;
        size_t n = 0;

        for (;;) {
                ssize_t k;
                char *grown;

                /* One byte more than is read, for the final NUL. */
                grown = realloc(text, allocated + 1);
                if (!grown)
                        return -ENOMEM;
                text = grown;
                do
                        k = at < 0 ? read(fd, text + n, allocated - n)
                                   : pread(fd, text + n, allocated - n, at + (off_t) n);
                while (k < 0 && errno == EINTR);
                if (k < 0)
                        return -errno;
                if (k == 0)
                        break;
                n += (size_t) k;
                if (n > limit)
                        return -E2BIG;
                if (short_is_end && n < allocated)
                        break;
                if (n == allocated)
                        allocated = MIN(allocated * 2, limit + 1);
        }

        if (!ret_size && memchr(text, 0, n))
                return -EBADMSG;
        text[n] = '\0';
        *ret = TAKE_PTR(text);
        if (ret_size)
                *ret_size = n;
        return 0;
}

int fd_read_all(int fd, size_t limit, char **ret, size_t *ret_size) {
        bool sized;

        limit = MIN(limit, SIZE_MAX / 4);
        const size_t first = first_read_size(fd, limit, &sized);
        return read_all(fd, -1, first, sized, limit, ret, ret_size);
}

int fd_read_regular(int fd, size_t limit, char **ret, size_t *ret_size) {
        return read_all(fd, 0, READ_CHUNK, true, MIN(limit, SIZE_MAX / 4), ret, ret_size);
}

/* Non-blocking: a FIFO put in a file's place must not hold us up. */
static int open_to_read(int dir_fd, const char *path) {
        int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

        return fd < 0 ? -errno : fd;
}

int file_read_all(int dir_fd, const char *path, size_t limit, char **ret, size_t *ret_size) {
        _cleanup_close_ int fd = open_to_read(dir_fd, path);

        return fd < 0 ? fd : fd_read_all(fd, limit, ret, ret_size);
}

int file_read_regular(int dir_fd, const char *path, size_t limit, char **ret) {
        _cleanup_close_ int fd = open_to_read(dir_fd, path);

        return fd < 0 ? fd : fd_read_regular(fd, limit, ret, NULL);
}

int file_write_at(int dir_fd, const char *path, const char *text) {
        _cleanup_close_ int fd = -EBADF;
        size_t n = strlen(text);
        ssize_t k;

        fd = openat(dir_fd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return -errno;
        do
                k = write(fd, text, n);
        while (k < 0 && errno == EINTR);
        if (k < 0)
                return -errno;
        return (size_t) k == n ? 0 : -EIO;
}

static int mkdir_one(const char *path, mode_t mode) {
        struct stat st;

        if (mkdir(path, mode) >= 0)
                return 0;
        if (errno != EEXIST)
                return -errno;
        if (stat(path, &st) < 0)
                return -errno;
        return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int mkdir_parents(const char *path, mode_t mode) {
        _cleanup_free_ char *p = NULL;
        int r;

        if (path[0] == '\0')
                return -EINVAL;
        p = path_simplify(path);
        if (!p)
                return -ENOMEM;
        for (char *slash = strchr(p + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                r = mkdir_one(p, 0755);
                *slash = '/';
                if (r < 0)
                        return r;
        }
        return mkdir_one(p, mode);
}

int memfd_new(const char *name) {
        int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
        if (fd < 0 && errno == EINVAL)
                fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        return fd < 0 ? -errno : fd;
}

int memfd_seal(int fd) {
        return fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) <
                                       0 ||
                               lseek(fd, 0, SEEK_SET) < 0
                       ? -errno
                       : 0;
}

int memfd_new_sealed(const char *name, const void *bytes, size_t n) {
        _cleanup_close_ int fd = memfd_new(name);
        if (fd < 0)
                return fd;
        int r = fd_write_full(fd, bytes, n);
        if (r >= 0)
                r = memfd_seal(fd);
        return r < 0 ? r : TAKE_FD(fd);
}
