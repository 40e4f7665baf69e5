/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Control messages: what goes out comes in, and what is no message of ours is refused without a leak. */
#include "ipc/control.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "test.h"

static unsigned count_fds(void) {
        unsigned n = 0;
        DIR *d = opendir("/proc/self/fd");
        ASSERT_NOT_NULL(d);
        while (readdir(d))
                n++;
        closedir(d);
        return n;
}

static void pair_open(int pair[2]) {
        ASSERT_OK(socket_pair_seqpacket(pair));
        ASSERT_OK(fd_nonblock(pair[0], true));
        ASSERT_OK(fd_nonblock(pair[1], true));
}

/* A message as a hostile peer would write it. */
static int receive_raw(uint16_t version, uint16_t type, uint32_t size, const char *body, size_t n) {
        char buffer[CONTROL_MESSAGE_MAX + 512];
        ControlMessage m = CONTROL_MESSAGE_NULL;
        int pair[2] = PAIR_EBADF;

        pair_open(pair);
        memcpy(buffer, &version, 2);
        memcpy(buffer + 2, &type, 2);
        memcpy(buffer + 4, &size, 4);
        memcpy(buffer + 8, body, n);
        ASSERT_EQ(write(pair[0], buffer, 8 + n), 8 + n);
        int r = control_receive(pair[1], &m);
        if (r > 0)
                control_message_done(&m);
        fd_close_pair(pair);
        return r;
}

static int receive_body(const char *body) {
        return receive_raw(CONTROL_VERSION, CONTROL_STATUS + 1, (uint32_t) (8 + strlen(body)), body,
                           strlen(body));
}

TEST(round_trip) {
        static const char *const fields[] = { "NAME=web",
                                              "TEXT=a\nb\\c\x01\x7f\xc3\xa4=", "EMPTY=", NULL };
        ControlMessage m = CONTROL_MESSAGE_NULL;
        int pair[2] = PAIR_EBADF;

        pair_open(pair);
        for (ControlType t = 0; t < _CONTROL_TYPE_MAX; t++) {
                ASSERT_OK(control_send(pair[0], t, (char *const *) fields, NULL, 0));
                ASSERT_EQ(control_receive(pair[1], &m), 1);
                ASSERT_EQ(m.type, t);
                ASSERT_EQ(strv_length(m.fields), 3);
                ASSERT_STREQ(control_message_get(&m, "NAME"), "web");
                ASSERT_STREQ(control_message_get(&m, "TEXT"), fields[1] + 5);
                ASSERT_STREQ(control_message_get(&m, "EMPTY"), "");
                ASSERT_NULL(control_message_get(&m, "NAM"));
                ASSERT_EQ(m.fds[0], -EBADF);
                control_message_done(&m);
        }
        ASSERT_OK(control_send(pair[0], CONTROL_STOP, NULL, NULL, 0));
        ASSERT_EQ(control_receive(pair[1], &m), 1);
        ASSERT_TRUE(strv_isempty(m.fields));
        control_message_done(&m);
        fd_close_pair(pair);
}

TEST(descriptors) {
        ControlMessage m = CONTROL_MESSAGE_NULL;
        int pair[2] = PAIR_EBADF, pipe_fds[2];
        unsigned before = count_fds();

        pair_open(pair);
        ASSERT_OK(pipe2(pipe_fds, O_CLOEXEC));
        ASSERT_OK(control_send(pair[0], CONTROL_GO, NULL, pipe_fds, 2));
        ASSERT_EQ(control_receive(pair[1], &m), 1);
        ASSERT_TRUE(m.fds[0] >= 0 && m.fds[1] >= 0);
        ASSERT_EQ(m.fds[2], -EBADF);
        ASSERT_EQ(fcntl(m.fds[0], F_GETFD), FD_CLOEXEC);
        ASSERT_EQ(write(m.fds[1], "x", 1), 1);
        control_message_done(&m);
        ASSERT_EQ(m.fds[0], -EBADF);
        control_message_done(&m); /* empty: nothing to do */

        int many[5] = { pair[0], pair[0], pair[0], pair[0], pair[0] };
        ASSERT_ERROR(control_send(pair[0], CONTROL_GO, NULL, many, 5), EINVAL);
        fd_close_pair(pipe_fds);
        fd_close_pair(pair);
        ASSERT_EQ(count_fds(), before);
}

/* More descriptors than a message may have, and descriptors on garbage: refused, none kept. */
TEST(descriptor_flood) {
        ControlMessage m = CONTROL_MESSAGE_NULL;
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(64 * sizeof(int))];
        } control = { 0 };
        struct iovec iov = { .iov_base = (void *) "garbage", .iov_len = 7 };
        struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control };
        int pair[2] = PAIR_EBADF;

        pair_open(pair);
        unsigned before = count_fds();
        for (unsigned n = 1; n <= 64; n *= 4) {
                h.msg_controllen = CMSG_SPACE(n * sizeof(int));
                struct cmsghdr *c = CMSG_FIRSTHDR(&h);
                c->cmsg_level = SOL_SOCKET;
                c->cmsg_type = SCM_RIGHTS;
                c->cmsg_len = CMSG_LEN(n * sizeof(int));
                for (unsigned i = 0; i < n; i++)
                        memcpy(CMSG_DATA(c) + i * sizeof(int), &(int){ 2 }, sizeof(int));
                ASSERT_EQ(sendmsg(pair[0], &h, 0), 7);
                ASSERT_ERROR(control_receive(pair[1], &m), EBADMSG);
                ASSERT_EQ(count_fds(), before);
        }
        fd_close_pair(pair);
}

TEST(end_and_nothing) {
        ControlMessage m = CONTROL_MESSAGE_NULL;
        int pair[2] = PAIR_EBADF;

        pair_open(pair);
        ASSERT_ERROR(control_receive(pair[1], &m), EAGAIN);
        pair[0] = fd_close(pair[0]);
        ASSERT_EQ(control_receive(pair[1], &m), 0);
        ASSERT_ERROR(control_send(pair[1], CONTROL_READY, NULL, NULL, 0),
                     EPIPE); /* and no SIGPIPE */
        fd_close_pair(pair);
}

/* A peer that leaves with something unread has still said what it said. */
TEST(last_words) {
        int p[2];
        _cleanup_(control_message_done) ControlMessage m = CONTROL_MESSAGE_NULL;
        ASSERT_OK(socket_pair_seqpacket(p));
        ASSERT_OK(control_send(p[0], CONTROL_GO, NULL, NULL, 0));
        ASSERT_OK(control_send(p[1], CONTROL_STARTED, NULL, NULL, 0));
        ASSERT_OK(control_send(p[1], CONTROL_EXITED, NULL, NULL, 0));
        close(p[1]);
        ASSERT_EQ(control_receive(p[0], &m), 1);
        ASSERT_EQ(m.type, CONTROL_STARTED);
        control_message_done(&m);
        ASSERT_EQ(control_receive(p[0], &m), 1);
        ASSERT_EQ(m.type, CONTROL_EXITED);
        control_message_done(&m);
        ASSERT_EQ(control_receive(p[0], &m), 0);
        close(p[0]);
}

TEST(headers) {
        ASSERT_EQ(receive_body("TEXT=a\n"), 1);
        ASSERT_ERROR(receive_raw(0, 1, 8, "", 0), EBADMSG);
        ASSERT_ERROR(receive_raw(CONTROL_VERSION + 1, 1, 8, "", 0), EBADMSG);
        ASSERT_ERROR(receive_raw(CONTROL_VERSION, 0, 8, "", 0), EBADMSG);
        ASSERT_ERROR(receive_raw(CONTROL_VERSION, 1, 7, "", 0), EBADMSG);
        ASSERT_ERROR(receive_raw(CONTROL_VERSION, 1, 9, "", 0), EBADMSG);
        ASSERT_ERROR(receive_raw(CONTROL_VERSION, 1, UINT32_MAX, "", 0), EBADMSG);

        ControlMessage m = CONTROL_MESSAGE_NULL;
        int pair[2] = PAIR_EBADF;
        pair_open(pair);
        ASSERT_EQ(write(pair[0], "\1\0\1\0\10", 5), 5); /* shorter than a header */
        ASSERT_ERROR(control_receive(pair[1], &m), EBADMSG);
        fd_close_pair(pair);
}

/* A newer peer's message is no error: its type says that it is to be ignored. */
TEST(unknown_type) {
        const uint16_t types[] = { _CONTROL_TYPE_MAX + 1, 1000, UINT16_MAX };
        for (size_t i = 0; i < ELEMENTSOF(types); i++) {
                ControlMessage m = CONTROL_MESSAGE_NULL;
                int pair[2] = PAIR_EBADF;
                char header[8] = { CONTROL_VERSION, 0, 0, 0, 8, 0, 0, 0 };
                pair_open(pair);
                memcpy(header + 2, types + i, 2);
                ASSERT_EQ(write(pair[0], header, 8), 8);
                ASSERT_EQ(control_receive(pair[1], &m), 1);
                ASSERT_EQ(m.type, _CONTROL_TYPE_MAX);
                control_message_done(&m);
                fd_close_pair(pair);
        }
}

TEST(bodies) {
        static const char *const bad[] = {
                "TEXT=a",       "TEXT\n",
                "=a\n",         "text=a\n",
                "\n",           "TEXT=a\n\n",
                "TEXT=a\\\n",   "TEXT=\\q\n",
                "TEXT=\\x0\n",  "TEXT=\\x00\n",
                "TEXT=\\xZZ\n", "TEXT=\\x1A\n",
                "TEXT=a\tb\n",  "TEXT=\x7f\n",
                "1A=b\n",       "A=1\nA=2\n",
                "A B=1\n",      " A=1\n",
                "A=1\r\n",      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=1\n", /* 33 letters */
        };
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                if (receive_body(bad[i]) != -EBADMSG)
                        TEST_FAIL("'%s' was taken", bad[i]);
        ASSERT_ERROR(receive_raw(CONTROL_VERSION, 1, 8 + 5, "A=b\0\n", 5), EBADMSG);
        ASSERT_EQ(receive_body("A1_=\n"), 1);
        ASSERT_EQ(receive_body("A=\\x1a\\\\\\n\n"), 1);

        char fields[33 * 5 + 1] = "";
        for (int i = 0; i < 32; i++)
                snprintf(fields + i * 5, 6, "%c%c=%d\n", 'A' + i / 26, 'A' + i % 26, i % 10);
        ASSERT_EQ(receive_body(fields), 1);
        strcat(fields, "ZZ=1\n");
        ASSERT_ERROR(receive_body(fields), EBADMSG);
}

TEST(sizes) {
        _cleanup_free_ char *big = malloc(2 * CONTROL_MESSAGE_MAX);
        int pair[2] = PAIR_EBADF;
        ASSERT_NOT_NULL(big);
        pair_open(pair);

        size_t most = CONTROL_MESSAGE_MAX - 8 - 1; /* header and newline */
        memset(big, 'x', 2 * CONTROL_MESSAGE_MAX);
        memcpy(big, "TEXT=", 5);
        big[most] = '\0';
        ASSERT_OK(control_send(pair[0], CONTROL_STATUS, (char *const[]){ big, NULL }, NULL, 0));
        ControlMessage m = CONTROL_MESSAGE_NULL;
        ASSERT_EQ(control_receive(pair[1], &m), 1);
        ASSERT_EQ(strlen(m.fields[0]), most);
        control_message_done(&m);

        big[most] = 'x';
        big[most + 1] = '\0';
        ASSERT_ERROR(control_send(pair[0], CONTROL_STATUS, (char *const[]){ big, NULL }, NULL, 0),
                     EMSGSIZE);
        fd_close_pair(pair);

        /* one byte more than a reader takes: truncated by the kernel, refused by us */
        memset(big, 'x', CONTROL_MESSAGE_MAX);
        memcpy(big, "TEXT=", 5);
        big[CONTROL_MESSAGE_MAX - 8] = '\n';
        ASSERT_ERROR(receive_raw(CONTROL_VERSION, 1, CONTROL_MESSAGE_MAX + 1, big,
                                 CONTROL_MESSAGE_MAX - 7),
                     EBADMSG);
}

/* A peer that does not read must not block us. */
TEST(full_socket) {
        int pair[2] = PAIR_EBADF, r = 0;
        pair_open(pair);
        for (unsigned i = 0; i < 100000 && r == 0; i++)
                r = control_send(pair[0], CONTROL_STATUS,
                                 (char *const[]){ (char *) "TEXT=x", NULL }, NULL, 0);
        ASSERT_ERROR(r, EAGAIN);
        fd_close_pair(pair);
}

TEST(errors_travel) {
        _cleanup_error_ Error e = ERROR_NULL, back = ERROR_NULL;
        ControlMessage m = CONTROL_MESSAGE_NULL;
        int pair[2] = PAIR_EBADF;

        pair_open(pair);
        (void) error_set(&e, -ENOENT, ERROR_ROOT_NOT_FOUND, "'%s' is\nnot \\ there", "/srv");
        error_hint(&e, "make it");
        ASSERT_OK(control_send_error(pair[0], &e));
        ASSERT_EQ(control_receive(pair[1], &m), 1);
        ASSERT_EQ(m.type, CONTROL_ERROR);
        ASSERT_OK(error_deserialize(control_message_get(&m, "ERROR"), &back));
        ASSERT_EQ(back.code, -ENOENT);
        ASSERT_EQ(back.id, ERROR_ROOT_NOT_FOUND);
        ASSERT_STREQ(back.message, e.message);
        ASSERT_STREQ(back.hint, "make it");
        control_message_done(&m);
        fd_close_pair(pair);
}

TEST(who_may_send_what) {
        static const struct {
                ControlType type;
                ControlDirection direction;
                const char *states; /* letters of those that allow it, in the order of the enum */
        } rows[] = {
                { CONTROL_GO, TO_SUPERVISOR, "L" },
                { CONTROL_STOP, TO_SUPERVISOR, "LRS" },
                { CONTROL_TERMINATE, TO_SUPERVISOR, "LRS" },
                { CONTROL_REBOOT, TO_SUPERVISOR, "LRS" },
                { CONTROL_WELCOME, TO_SUPERVISOR, "LRS" },
                { CONTROL_PAUSE, TO_SUPERVISOR, "R" },
                { CONTROL_RESUME, TO_SUPERVISOR, "RS" },
                { CONTROL_ATTACH, TO_SUPERVISOR, "RS" },
                { CONTROL_CONNECT, TO_SUPERVISOR, "RS" },
                { CONTROL_HEALTHY, TO_SUPERVISOR, "LRS" },
                { CONTROL_CONNECTED, FROM_SUPERVISOR, "RS" },
                { CONTROL_UNREGISTERED, TO_SUPERVISOR, "LRS" },
                { CONTROL_PAUSED, FROM_SUPERVISOR, "RS" },
                { CONTROL_RESUMED, FROM_SUPERVISOR, "RS" },
                { CONTROL_HELLO, FROM_SUPERVISOR, "cscLRS" },
                { CONTROL_STARTED, FROM_SUPERVISOR, "cscL" },
                { CONTROL_READY, FROM_SUPERVISOR, "RS" },
                { CONTROL_STATUS, FROM_SUPERVISOR, "RS" },
                { CONTROL_STOPPING, FROM_SUPERVISOR, "RS" },
                { CONTROL_RESTARTING, FROM_SUPERVISOR, "RS" },
                { CONTROL_EXITED, FROM_SUPERVISOR, "cscLRS" },
                { CONTROL_ERROR, FROM_SUPERVISOR, "cscLRS" },
        };
        ASSERT_EQ(ELEMENTSOF(rows), _CONTROL_TYPE_MAX);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                for (ContainerState s = 0; s < _CONTAINER_STATE_MAX; s++) {
                        bool early = s < STATE_LAUNCHING && strchr(rows[i].states, 'c'),
                             late = (s == STATE_LAUNCHING && strchr(rows[i].states, 'L')) ||
                                    (s == STATE_RUNNING && strchr(rows[i].states, 'R')) ||
                                    (s == STATE_STOPPING && strchr(rows[i].states, 'S'));
                        int expected = early || late ? 0 : -EPROTO;
                        if (control_check(rows[i].type, rows[i].direction, s) != expected)
                                TEST_FAIL("%s in state %s", control_type_to_string(rows[i].type),
                                          container_state_to_string(s));
                        ASSERT_ERROR(control_check(rows[i].type, !rows[i].direction, s), EPROTO);
                }
        ASSERT_ERROR(control_check(_CONTROL_TYPE_MAX, TO_SUPERVISOR, STATE_RUNNING), EPROTO);
        ASSERT_ERROR(control_check(_CONTROL_TYPE_INVALID, TO_SUPERVISOR, STATE_RUNNING), EPROTO);
        ASSERT_ERROR(control_check(CONTROL_STOP, TO_SUPERVISOR, _CONTAINER_STATE_INVALID), EPROTO);
}

TEST_MAIN
