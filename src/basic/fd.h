/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors: closing, moving, reading and writing whole files. Unset is -EBADF; all are close-on-exec at birth. */
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include "basic/macros.h"

/* Keeps errno, ignores negative values, returns -EBADF: `fd = fd_close(fd)`. */
int fd_close(int fd);
static inline void fd_closep(int *fd) {
        fd_close(*fd);
}
#define _cleanup_close_ _cleanup_(fd_closep)
void fd_close_pair(int p[static 2]);
static inline void fd_close_pairp(int (*p)[2]) {
        fd_close_pair(*p);
}
#define _cleanup_close_pair_ _cleanup_(fd_close_pairp)
#define PAIR_EBADF \
        { -EBADF, -EBADF }

int fd_cloexec(int fd, bool on);
int fd_nonblock(int fd, bool on);
/* Takes the numbers 0, 1 and 2 where the caller has closed them, so that nothing of ours gets them and is read or written in their
 * place. They are of no use, and gone at the next execve(). */
int fd_fill_stdio(void);
/* A file, device, pipe or socket that is open: what a program reads and writes. Not a directory, a name (O_PATH), or a handle of the
 * kernel's (namespace, process, epoll), with which a program could do something else. Asks no file system, so none can make it wait. */
bool fd_is_stream(int fd);
/* Moves *fd to number `to` (which is replaced), close-on-exec as asked. */
int fd_move_to(int *fd, int to, bool cloexec);
int fd_read_full(int fd, void *buf, size_t n); /* 0; -EPIPE if the end comes first */
int fd_write_full(int fd, const void *buf, size_t n);
/* As read() and write(), which may do less than they could; but what is not ready is waited for, whether or not the descriptor is
 * non-blocking: it stays what it is, since others may have it, too. Never -EINTR, -EAGAIN. */
ssize_t fd_read_waiting(int fd, void *buf, size_t n);
ssize_t fd_write_waiting(int fd, const void *buf, size_t n);

/* Reads all of a file of at most `limit` bytes (-E2BIG beyond; -EBADMSG if it has a NUL byte and ret_size is NULL). The
 * result is NUL-terminated. The descriptor is read from its current position. */
int fd_read_all(int fd, size_t limit, char **ret, size_t *ret_size);
int file_read_all(int dir_fd, const char *path, size_t limit, char **ret, size_t *ret_size);
/* The same for files that are known to be regular, or of the kernel and shorter than a page: from their beginning, and a
 * short read is taken for the end. That is two system calls less on the way of a start. */
int fd_read_regular(int fd, size_t limit, char **ret, size_t *ret_size);
int file_read_regular(int dir_fd, const char *path, size_t limit, char **ret);
/* Writes text to an existing file (proc, sysfs, cgroup attributes): one write(2). */
int file_write_at(int dir_fd, const char *path, const char *text);
/* Like mkdir -p for host paths of ours. */
int mkdir_parents(const char *path, mode_t mode);
/* A memfd that can be sealed; sealing it: no write, grow, shrink, seal, and position 0. */
int memfd_new(const char *name);
int memfd_seal(int fd);
/* A sealed memfd (no write, grow, shrink, seal) that holds the bytes, position 0. Returns the fd. */
int memfd_new_sealed(const char *name, const void *bytes, size_t n);
