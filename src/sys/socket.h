/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* AF_UNIX SEQPACKET and datagram sockets: pairs, descriptors in messages, who is at the other end. */
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include "basic/macros.h"

#define SOCKET_MAX_FDS 4
#define SOCKET_MANY_FDS 8 /* for those who ask for more */

int socket_pair_seqpacket(int ret[static 2]); /* blocking */
/* Binds and listens on / connects to a path; the descriptors are non-blocking. A socket file that nobody listens on any more
 * is replaced, else -EADDRINUSE. connect: -ENOENT, -ECONNREFUSED when nobody is there; never blocks. */
int socket_listen_seqpacket(const char *path, mode_t mode);
int socket_connect_seqpacket(const char *path);
int socket_connect(int type, const char *path); /* SOCK_STREAM, … */
/* One message with descriptors (borrowed). 0, -EAGAIN, -EPIPE (no SIGPIPE). */
int socket_send(int fd, const void *bytes, size_t n, const int *fds, size_t n_fds);
/* Never waits for the peer, whether or not the socket would (-EAGAIN). */
int socket_send_now(int fd, const void *bytes, size_t n, const int *fds, size_t n_fds);
/* Receives one message; fds beyond SOCKET_MAX_FDS are closed and -EBADMSG is returned, as for a truncated message.
 * Returns its size (0: end of stream) and fills ret_fds (owned, close-on-exec; unused ones -EBADF). */
ssize_t socket_receive(int fd, void *buf, size_t size, int ret_fds[static SOCKET_MAX_FDS]);
/* The same with up to n_max (at most SOCKET_MANY_FDS) descriptors. */
int socket_send_many(int fd, const void *bytes, size_t n, const int *fds, size_t n_fds);
ssize_t socket_receive_many(int fd, void *buf, size_t size, int *ret_fds, size_t n_max);
/* So many bytes of messages that are not read yet, each of which takes about 1K more than what is in it, whatever the system's limits
 * are (CAP_NET_ADMIN; without it as many as they allow). */
int socket_set_send_buffer(int fd, int bytes);
int socket_peer(int fd, struct ucred *ret); /* SO_PEERCRED */
