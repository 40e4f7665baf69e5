/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of sys/socket.c: message boundaries, descriptors in messages and their limits, listeners and who connects. */
#include "sys/socket.h"

#include <sys/un.h>

#include "sandbox.h"

/* Sends n copies of fd past the limits of socket_send(). */
static int send_many(int to, int fd, size_t n) {
        char control[CMSG_SPACE(253 * sizeof(int))] __attribute__((aligned(8))) = { 0 };
        struct iovec iov = { .iov_base = (void *) "x", .iov_len = 1 };
        struct msghdr message = { .msg_iov = &iov,
                                  .msg_iovlen = 1,
                                  .msg_control = control,
                                  .msg_controllen = CMSG_SPACE(n * sizeof(int)) };

        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n * sizeof(int));
        for (size_t i = 0; i < n; i++)
                memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(int));
        return sendmsg(to, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

TEST(messages_keep_their_boundaries) {
        _cleanup_close_pair_ int p[2] = PAIR_EBADF;
        int fds[SOCKET_MAX_FDS];
        char buf[16];

        ASSERT_OK(socket_pair_seqpacket(p));
        ASSERT_TRUE(fd_is_cloexec(p[0]) && fd_is_cloexec(p[1]));
        ASSERT_OK(socket_send(p[0], "one", 3, NULL, 0));
        ASSERT_OK(socket_send(p[0], "three", 5, NULL, 0));
        ASSERT_EQ(socket_receive(p[1], buf, sizeof(buf), fds), 3);
        ASSERT_TRUE(memcmp(buf, "one", 3) == 0);
        ASSERT_EQ(socket_receive(p[1], buf, sizeof(buf), fds), 5);
        for (size_t i = 0; i < SOCKET_MAX_FDS; i++)
                ASSERT_EQ(fds[i], -EBADF);
        ASSERT_ERROR(socket_send(p[0], "", 0, NULL, 0), EINVAL); /* would look like the end */
        p[0] = fd_close(p[0]);
        ASSERT_EQ(socket_receive(p[1], buf, sizeof(buf), fds), 0);
        ASSERT_ERROR(socket_send(p[1], "x", 1, NULL, 0), EPIPE); /* and no SIGPIPE */
}

/* As for the locks of a stack of disk images, where the default is small. */
TEST(many_descriptors_that_nobody_reads) {
        const int small = 4096;
        int r = 0, fds[SOCKET_MAX_FDS];
        char c;
        for (int n = 0; n < 2; n++) {
                _cleanup_close_pair_ int p[2] = PAIR_EBADF;
                ASSERT_OK(socket_pair_seqpacket(p));
                ASSERT_EQ(setsockopt(p[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
                if (n == 1)
                        ASSERT_OK(socket_set_send_buffer(p[1], 256 * 2048));
                for (int i = 0; i < 256 && r >= 0; i++)
                        r = socket_send_now(p[1], "l", 1, p, 1);
                if (n == 1) {
                        ASSERT_OK(r);
                        for (int i = 0; i < 256; i++) {
                                ASSERT_EQ(socket_receive(p[0], &c, 1, fds), 1);
                                fd_close(fds[0]);
                        }
                } else
                        ASSERT_ERROR(r, EAGAIN);
                r = 0;
        }
}

TEST(full_queue_of_a_nonblocking_socket) {
        _cleanup_close_pair_ int p[2] = PAIR_EBADF;
        int r = 0, fds[SOCKET_MAX_FDS];
        char buf[1024] = { 0 };

        ASSERT_OK(socket_pair_seqpacket(p));
        ASSERT_OK(fd_nonblock(p[0], true));
        ASSERT_OK(fd_nonblock(p[1], true));
        ASSERT_ERROR(socket_receive(p[1], buf, sizeof(buf), fds), EAGAIN);
        for (int i = 0; i < 100000 && r >= 0; i++)
                r = socket_send(p[0], buf, sizeof(buf), NULL, 0);
        ASSERT_ERROR(r, EAGAIN);
}

TEST(descriptors_travel) {
        _cleanup_close_pair_ int p[2] = PAIR_EBADF;
        _cleanup_close_ int a = open("/dev/null", O_RDWR | O_CLOEXEC),
                            b = open("/dev/zero", O_RDONLY);
        int fds[SOCKET_MAX_FDS];
        struct stat x, y;
        char buf[8];

        ASSERT_OK(socket_pair_seqpacket(p));
        int before = count_fds();
        ASSERT_OK(socket_send(p[0], "x", 1, (int[]){ a, b }, 2));
        ASSERT_EQ(socket_receive(p[1], buf, sizeof(buf), fds), 1);
        ASSERT_EQ(count_fds(), before + 2);
        ASSERT_OK(fstat(fds[1], &x));
        ASSERT_OK(fstat(b, &y));
        ASSERT_EQ(x.st_rdev, y.st_rdev);
        ASSERT_TRUE(fd_is_cloexec(fds[0]) && fd_is_cloexec(fds[1]));
        ASSERT_EQ(fds[2], -EBADF);
        ASSERT_EQ(fds[3], -EBADF);
        fd_close(fds[0]);
        fd_close(fds[1]);

        ASSERT_OK(socket_send(p[0], "x", 1, (int[]){ a, b, a, b }, SOCKET_MAX_FDS));
        ASSERT_EQ(socket_receive(p[1], buf, sizeof(buf), fds), 1);
        ASSERT_EQ(count_fds(), before + SOCKET_MAX_FDS);
        for (size_t i = 0; i < SOCKET_MAX_FDS; i++)
                fd_close(fds[i]);
        ASSERT_ERROR(socket_send(p[0], "x", 1, (int[]){ a, a, a, a, a }, 5), EINVAL);
        ASSERT_ERROR(socket_send(p[0], "x", 1, (int[]){ -1 }, 1), EBADF);
}

TEST(too_many_descriptors_are_closed) {
        static const size_t counts[] = { 5, 6, 7, 8, 9, 10, 100, 253 };
        _cleanup_close_pair_ int p[2] = PAIR_EBADF;
        _cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        int fds[SOCKET_MAX_FDS];
        char buf[8];

        ASSERT_OK(socket_pair_seqpacket(p));
        for (int with_credentials = 0; with_credentials < 2; with_credentials++) {
                ASSERT_OK(
                        setsockopt(p[1], SOL_SOCKET, SO_PASSCRED, &with_credentials, sizeof(int)));
                int before = count_fds();
                for (size_t i = 0; i < ELEMENTSOF(counts); i++) {
                        ASSERT_OK(send_many(p[0], null, counts[i]));
                        ASSERT_ERROR(socket_receive(p[1], buf, sizeof(buf), fds), EBADMSG);
                        ASSERT_EQ(count_fds(), before);
                        for (size_t j = 0; j < SOCKET_MAX_FDS; j++)
                                ASSERT_EQ(fds[j], -EBADF);
                }
                /* The full number passes, and the stream goes on. */
                ASSERT_OK(send_many(p[0], null, SOCKET_MAX_FDS));
                ASSERT_EQ(socket_receive(p[1], buf, sizeof(buf), fds), 1);
                for (size_t j = 0; j < SOCKET_MAX_FDS; j++)
                        ASSERT_OK(fds[j]);
                for (size_t j = 0; j < SOCKET_MAX_FDS; j++)
                        fd_close(fds[j]);
        }
}

TEST(truncated_message) {
        _cleanup_close_pair_ int p[2] = PAIR_EBADF;
        int fds[SOCKET_MAX_FDS];
        char buf[4];

        ASSERT_OK(socket_pair_seqpacket(p));
        int before = count_fds();
        ASSERT_OK(socket_send(p[0], "12345", 5, (int[]){ p[0] }, 1));
        ASSERT_OK(socket_send(p[0], "1234", 4, NULL, 0));
        ASSERT_ERROR(socket_receive(p[1], buf, sizeof(buf), fds), EBADMSG);
        ASSERT_EQ(fds[0], -EBADF);
        ASSERT_EQ(count_fds(), before);
        ASSERT_EQ(socket_receive(p[1], buf, sizeof(buf), fds), 4);
}

static int mode_of(const char *path) {
        struct stat st;
        return lstat(path, &st) < 0 ? -errno : (int) (st.st_mode & 07777);
}

TEST(listen_and_connect) {
        static const mode_t umasks[] = { 077, 0 };

        for (size_t i = 0; i < ELEMENTSOF(umasks); i++) {
                mode_t old = umask(umasks[i]);
                _cleanup_close_ int listener = socket_listen_seqpacket("/mnt/listen", 0666);
                _cleanup_close_ int tight = socket_listen_seqpacket("/mnt/tight", 0600);
                umask(old);
                ASSERT_OK(listener);
                ASSERT_OK(tight);
                ASSERT_TRUE(fd_is_cloexec(listener));
                ASSERT_EQ(mode_of("/mnt/listen"), 0666);
                ASSERT_EQ(mode_of("/mnt/tight"), 0600);
                _cleanup_close_ int client = socket_connect_seqpacket("/mnt/listen");
                ASSERT_OK(client);
                ASSERT_TRUE(fd_is_cloexec(client));
                _cleanup_close_ int server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                ASSERT_OK(server);
                int fds[SOCKET_MAX_FDS];
                char buf[8];
                ASSERT_OK(socket_send(client, "hello", 5, NULL, 0));
                ASSERT_EQ(socket_receive(server, buf, sizeof(buf), fds), 5);
                /* Somebody listens: not taken over. */
                ASSERT_ERROR(socket_listen_seqpacket("/mnt/listen", 0666), EADDRINUSE);
                ASSERT_OK(unlink("/mnt/listen"));
                ASSERT_OK(unlink("/mnt/tight"));
        }
}

TEST(stale_and_foreign_files) {
        struct stat before, after;

        ASSERT_ERROR(socket_connect_seqpacket("/mnt/nobody"), ENOENT);
        fd_close(socket_listen_seqpacket("/mnt/stale", 0600));
        ASSERT_ERROR(socket_connect_seqpacket("/mnt/stale"), ECONNREFUSED);
        ASSERT_OK(lstat("/mnt/stale", &before));
        _cleanup_close_ int listener = socket_listen_seqpacket("/mnt/stale", 0600);
        ASSERT_OK(listener);
        /* What is no socket stays. */
        ASSERT_OK(write_file_at(AT_FDCWD, "/mnt/regular", "precious"));
        ASSERT_OK(lstat("/mnt/regular", &before));
        ASSERT_ERROR(socket_listen_seqpacket("/mnt/regular", 0600), EADDRINUSE);
        ASSERT_OK(lstat("/mnt/regular", &after));
        ASSERT_EQ(before.st_ino, after.st_ino);
        ASSERT_ERROR(socket_connect_seqpacket("/mnt/regular"), ECONNREFUSED);
        ASSERT_OK(symlink("/mnt/regular", "/mnt/link"));
        ASSERT_ERROR(socket_listen_seqpacket("/mnt/link", 0600), EADDRINUSE);
}

TEST(addresses_that_do_not_fit) {
        char path[sizeof(((struct sockaddr_un *) NULL)->sun_path) + 1];

        memset(path, 'a', sizeof(path));
        memcpy(path, "/mnt/", 5);
        path[sizeof(path) - 1] = '\0';
        ASSERT_ERROR(socket_listen_seqpacket(path, 0600), ENAMETOOLONG);
        ASSERT_ERROR(socket_connect_seqpacket(path), ENAMETOOLONG);
        path[sizeof(path) - 2] = '\0'; /* one less fits */
        _cleanup_close_ int fd = socket_listen_seqpacket(path, 0600);
        ASSERT_OK(fd);
        ASSERT_ERROR(socket_listen_seqpacket("", 0600),
                     EINVAL); /* would be bound to an abstract name */
        ASSERT_ERROR(socket_connect_seqpacket(""), EINVAL);
}

static int connect_to_busy(void *arg) {
        struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "/mnt/busy" };
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), r = 0;

        if (fd < 0 || bind(fd, (struct sockaddr *) &a, sizeof(a)) < 0 || listen(fd, 0) < 0)
                return 1;
        alarm(5);
        for (int i = 0; i < 4 && r >= 0; i++)
                r = socket_connect_seqpacket("/mnt/busy");
        return r == -EAGAIN ? 0 : 2;
}

TEST(connect_never_blocks) {
        ASSERT_EQ(in_child(connect_to_busy, NULL), 0);
}

static int connect_as_other(void *arg) {
        if (setresgid(1234, 1234, 1234) < 0 || setresuid(4321, 4321, 4321) < 0)
                return 1;
        int fd = socket_connect_seqpacket("/mnt/peers");
        return fd < 0 ? 2 : 0;
}

TEST(peer_is_known) {
        _cleanup_close_ int listener = socket_listen_seqpacket("/mnt/peers", 0666);
        _cleanup_close_pair_ int p[2] = PAIR_EBADF;
        struct ucred peer;

        ASSERT_OK(listener);
        ASSERT_EQ(in_child(connect_as_other, NULL), 0);
        _cleanup_close_ int server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        ASSERT_OK(socket_peer(server, &peer));
        ASSERT_EQ(peer.uid, 4321);
        ASSERT_EQ(peer.gid, 1234);
        ASSERT_TRUE(peer.pid > 0 && peer.pid != getpid());

        ASSERT_OK(socket_pair_seqpacket(p));
        ASSERT_OK(socket_peer(p[0], &peer));
        ASSERT_EQ(peer.pid, getpid());
        _cleanup_close_ int alone = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        ASSERT_ERROR(socket_peer(alone, &peer), ENODATA);
        _cleanup_close_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        ASSERT_ERROR(socket_peer(null, &peer), ENOTSOCK);
}

static int connect_tight(void *arg) {
        if (setresuid(4321, 4321, 4321) < 0)
                return 1;
        return socket_connect_seqpacket("/mnt/closed") == -EACCES ? 0 : 2;
}

TEST(mode_keeps_others_out) {
        _cleanup_close_ int listener = socket_listen_seqpacket("/mnt/closed", 0600);

        ASSERT_OK(listener);
        ASSERT_EQ(in_child(connect_tight, NULL), 0);
}

SANDBOX_MAIN
