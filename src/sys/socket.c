/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* AF_UNIX sockets that keep message boundaries, and descriptors in messages.
 *
 * Calls: socketpair/socket/bind/listen/connect, sendmsg and recvmsg with SCM_RIGHTS (unix(7)). What a peer sends beyond what
 * a message may hold is dropped by the kernel (MSG_CTRUNC, MSG_TRUNC) or closed here. */
#include "sys/socket.h"

#include <stddef.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "basic/fd.h"

typedef union ControlBuffer {
        struct cmsghdr align;
        /* Room for the descriptors, and for credentials where the receiver asked for them (SO_PASSCRED). */
        char bytes[CMSG_SPACE(SOCKET_MANY_FDS * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
} ControlBuffer;

static int address_fill(struct sockaddr_un *a, const char *path, socklen_t *ret_size) {
        size_t n = strlen(path);

        *a = (struct sockaddr_un){ .sun_family = AF_UNIX };
        if (n == 0)
                return -EINVAL;
        if (n >= sizeof(a->sun_path))
                return -ENAMETOOLONG;
        memcpy(a->sun_path, path, n + 1);
        *ret_size = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + n + 1);
        return 0;
}

int socket_pair_seqpacket(int ret[static 2]) {
        return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret) < 0 ? -errno : 0;
}

/* A new socket of this type, and the address of a path for it. */
static int socket_make(int type, const char *path, struct sockaddr_un *ret_address,
                       socklen_t *ret_size) {
        int r = address_fill(ret_address, path, ret_size);
        if (r < 0)
                return r;
        int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        return fd < 0 ? -errno : fd;
}

int socket_connect(int type, const char *path) {
        struct sockaddr_un address;
        socklen_t size;

        _cleanup_close_ int fd = socket_make(type, path, &address, &size);
        if (fd < 0)
                return fd;
        if (connect(fd, (struct sockaddr *) &address, size) < 0)
                return -errno;
        return TAKE_FD(fd);
}

int socket_connect_seqpacket(const char *path) {
        return socket_connect(SOCK_SEQPACKET, path);
}

/* A socket file that nobody listens on any more is left by a process that was killed. */
static bool socket_is_stale(const char *path) {
        struct stat st;

        if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
                return false;
        _cleanup_close_ int fd = socket_connect_seqpacket(path);
        return fd == -ECONNREFUSED;
}

int socket_listen_seqpacket(const char *path, mode_t mode) {
        struct sockaddr_un address;
        socklen_t size;

        _cleanup_close_ int fd = socket_make(SOCK_SEQPACKET, path, &address, &size);
        if (fd < 0)
                return fd;
        /* bind() takes the mode of the socket's own inode, less the umask: never too open, not even for a moment. */
        if (fchmod(fd, mode) < 0)
                return -errno;
        if (bind(fd, (struct sockaddr *) &address, size) < 0) {
                if (errno != EADDRINUSE || !socket_is_stale(path))
                        return -errno;
                if (unlink(path) < 0 || bind(fd, (struct sockaddr *) &address, size) < 0)
                        return -errno;
        }
        if (chmod(path, mode) < 0) /* what the umask took away */
                return -errno;
        if (listen(fd, SOMAXCONN) < 0)
                return -errno;
        return TAKE_FD(fd);
}

static int send_with(int fd, const void *bytes, size_t n, const int *fds, size_t n_fds, int flags) {
        struct iovec iov = { .iov_base = (void *) bytes, .iov_len = n };
        struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
        ControlBuffer control = { 0 };

        /* An empty message would read as the end of the stream. */
        if (n == 0 || n_fds > SOCKET_MANY_FDS)
                return -EINVAL;
        if (n_fds > 0) {
                message.msg_control = control.bytes;
                message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
                struct cmsghdr *c = CMSG_FIRSTHDR(&message);
                c->cmsg_level = SOL_SOCKET;
                c->cmsg_type = SCM_RIGHTS;
                c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
                memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
        }
        for (;;) {
                ssize_t k = sendmsg(fd, &message, MSG_NOSIGNAL | flags);
                if (k >= 0)
                        return (size_t) k == n ? 0 : -EMSGSIZE;
                if (errno != EINTR)
                        return -errno;
        }
}

int socket_send(int fd, const void *bytes, size_t n, const int *fds, size_t n_fds) {
        return n_fds > SOCKET_MAX_FDS ? -EINVAL : send_with(fd, bytes, n, fds, n_fds, 0);
}

int socket_send_now(int fd, const void *bytes, size_t n, const int *fds, size_t n_fds) {
        return n_fds > SOCKET_MAX_FDS ? -EINVAL : send_with(fd, bytes, n, fds, n_fds, MSG_DONTWAIT);
}

int socket_send_many(int fd, const void *bytes, size_t n, const int *fds, size_t n_fds) {
        return send_with(fd, bytes, n, fds, n_fds, 0);
}

/* Moves the descriptors of one control message to ret_fds; closes those that do not fit. Returns how many came. */
static size_t rights_take(struct cmsghdr *c, int *ret_fds, size_t n_max, size_t n_taken) {
        const size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        for (size_t i = 0; i < n; i++) {
                int fd;
                memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
                if (n_taken + i < n_max)
                        ret_fds[n_taken + i] = fd;
                else
                        fd_close(fd);
        }
        return n;
}

ssize_t socket_receive_many(int fd, void *buf, size_t size, int *ret_fds, size_t n_max) {
        struct iovec iov = { .iov_base = buf, .iov_len = size };
        ControlBuffer control = { 0 };
        struct msghdr message = { .msg_iov = &iov,
                                  .msg_iovlen = 1,
                                  .msg_control = control.bytes,
                                  .msg_controllen = sizeof(control.bytes) };
        size_t n_fds = 0;
        ssize_t n;

        for (size_t i = 0; i < n_max; i++)
                ret_fds[i] = -EBADF;
        while ((n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC)) < 0)
                if (errno != EINTR)
                        return -errno;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
                if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
                        n_fds += rights_take(c, ret_fds, n_max, n_fds);
        if (n_fds <= n_max && !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
                return n;
        for (size_t i = 0; i < n_max; i++)
                ret_fds[i] = fd_close(ret_fds[i]);
        return -EBADMSG;
}

ssize_t socket_receive(int fd, void *buf, size_t size, int ret_fds[static SOCKET_MAX_FDS]) {
        return socket_receive_many(fd, buf, size, ret_fds, SOCKET_MAX_FDS);
}

int socket_set_send_buffer(int fd, int bytes) {
        return setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0 &&
                               setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)) < 0
                       ? -errno
                       : 0;
}

int socket_peer(int fd, struct ucred *ret) {
        struct ucred peer;
        socklen_t size = sizeof(peer);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
                return -errno;
        if (size != sizeof(peer) || peer.pid <= 0)
                return -ENODATA; /* not connected, or the peer is not visible in our PID namespace */
        *ret = peer;
        return 0;
}
