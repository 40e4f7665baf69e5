/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sd_notify: the payload's datagrams are hostile. */
#include "ipc/notify.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "test.h"

static bool is_same(pid_t sender, void *userdata) {
        return sender == *(const pid_t *) userdata;
}

static int receive(int fd, pid_t from, NotifyMessage *ret) {
        return notify_receive(fd, is_same, &from, ret);
}

static int parse(const char *text, NotifyMessage *ret) {
        return notify_parse(text, strlen(text), ret);
}

TEST(fields) {
        _cleanup_(notify_message_done) NotifyMessage m = { 0 };
        ASSERT_OK(parse(
                "READY=1\nSTATUS=All fine\nX_SYSTEMD_SIGNALS_LEVEL=2\nEXIT_STATUS=7\nMAINPID=1\n",
                &m));
        ASSERT_TRUE(m.ready && m.has_exit_status);
        ASSERT_FALSE(m.stopping || m.reloading || m.watchdog);
        ASSERT_STREQ(m.status, "All fine");
        ASSERT_EQ(m.signals_level, 2);
        ASSERT_EQ(m.exit_status, 7);
        ASSERT_EQ(m.watchdog_usec, 0U);
}

TEST(watchdog) {
        NotifyMessage m = { 0 };
        ASSERT_OK(parse("WATCHDOG=1\nWATCHDOG_USEC=2500\n", &m));
        ASSERT_TRUE(m.watchdog && !m.watchdog_trigger);
        ASSERT_EQ(m.watchdog_usec, 2500U);
        m = (NotifyMessage){ 0 };
        ASSERT_OK(parse(
                "WATCHDOG=trigger\nWATCHDOG_USEC=-1\nWATCHDOG=2\nWATCHDOG_USEC=18446744073709551616",
                &m));
        ASSERT_TRUE(m.watchdog_trigger && !m.watchdog);
        ASSERT_EQ(m.watchdog_usec, 0U);
}

TEST(what_is_not_a_field) {
        static const char *const texts[] = {
                "",
                "\n\n",
                "READY",
                "READY=",
                "READY=0",
                "READY=2",
                "READY=11",
                " READY=1",
                "ready=1",
                "READY =1",
                "XREADY=1",
                "EXIT_STATUS=256",
                "EXIT_STATUS=-1",
                "EXIT_STATUS=x",
                "X_SYSTEMD_SIGNALS_LEVEL=99999999999",
                "=",
                "A=READY=1",
                "FDSTORE=1",
                "WATCHDOG_USEC=1",
                "ERRNO=2",
        };
        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                NotifyMessage m = { 0 };
                ASSERT_OK(parse(texts[i], &m));
                if (m.ready || m.stopping || m.has_exit_status || m.status || m.signals_level)
                        TEST_FAIL("'%s' meant something", texts[i]);
        }
}

TEST(garbage) {
        NotifyMessage m = { 0 };
        char big[NOTIFY_MESSAGE_MAX + 1];
        ASSERT_ERROR(notify_parse("READY=1\0X", 9, &m), EBADMSG);
        memset(big, 'x', sizeof(big));
        ASSERT_ERROR(notify_parse(big, sizeof(big), &m), EMSGSIZE);
        ASSERT_OK(notify_parse(big, NOTIFY_MESSAGE_MAX, &m));
        ASSERT_FALSE(m.ready);
}

TEST(status_is_escaped_and_cut) {
        char text[NOTIFY_MESSAGE_MAX] = "STATUS=";
        {
                _cleanup_(notify_message_done) NotifyMessage m = { 0 };
                ASSERT_OK(parse("STATUS=a\x1b]0;title\x07\xff", &m));
                ASSERT_STREQ(m.status, "a\\x1b]0;title\\x07\\xff");
        }
        for (unsigned shift = 0; shift < 3; shift++) { /* never inside a character */
                _cleanup_(notify_message_done) NotifyMessage m = { 0 };
                size_t n = 7;
                for (unsigned i = 0; i < shift; i++)
                        text[n++] = 'x';
                for (; n < 1000; n += 3)
                        memcpy(text + n, "\xe2\x82\xac", 3);
                text[n] = '\0';
                ASSERT_OK(parse(text, &m));
                ASSERT_TRUE(strlen(m.status) <= 256 && strlen(m.status) > 250);
                ASSERT_TRUE(utf8_is_valid(m.status, strlen(m.status)));
        }
        _cleanup_(notify_message_done) NotifyMessage m = { 0 };
        ASSERT_OK(parse("STATUS=one\nSTATUS=two", &m)); /* the last one counts, as in systemd */
        ASSERT_STREQ(m.status, "two");
}

/* ---- sockets ---- */

typedef struct Place {
        char directory[32];
        int dir_fd, fd;
        struct sockaddr_un address;
} Place;

static void place_open(Place *p) {
        *p = (Place){ .directory = "/tmp/berth-notify-XXXXXX", .address.sun_family = AF_UNIX };
        ASSERT_NOT_NULL(mkdtemp(p->directory));
        p->dir_fd = open(p->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
        p->fd = notify_bind(p->dir_fd, "notify", 0, 0);
        ASSERT_OK(p->fd);
        snprintf(p->address.sun_path, sizeof(p->address.sun_path), "%s/notify", p->directory);
}

static void place_close(Place *p) {
        (void) unlinkat(p->dir_fd, "notify", 0);
        (void) rmdir(p->directory);
        fd_close(p->dir_fd);
        fd_close(p->fd);
}

static void send_to(const Place *p, const void *bytes, size_t n) {
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        ASSERT_EQ(
                sendto(fd, bytes, n, 0, (const struct sockaddr *) &p->address, sizeof(p->address)),
                n);
}

TEST(the_socket) {
        Place p;
        struct stat st;
        char text[NOTIFY_MESSAGE_MAX + 2] = "READY=1\nSTATUS=x";
        NotifyMessage m = { 0 };

        umask(022);
        place_open(&p);
        ASSERT_OK(fstatat(p.dir_fd, "notify", &st, AT_SYMLINK_NOFOLLOW));
        ASSERT_EQ(st.st_mode, S_IFSOCK | 0200);
        ASSERT_EQ(receive(p.fd, getpid(), &m), 0); /* nothing there: no waiting */

        send_to(&p, text, strlen(text));
        ASSERT_EQ(receive(p.fd, getpid(), &m), 1);
        ASSERT_TRUE(m.ready);
        notify_message_done(&m);

        send_to(&p, text, strlen(text)); /* the wrong sender */
        ASSERT_EQ(receive(p.fd, getpid() + 1, &m), 0);

        memset(text + 7, 'x', sizeof(text) - 7); /* too long */
        send_to(&p, text, NOTIFY_MESSAGE_MAX + 1);
        ASSERT_EQ(receive(p.fd, getpid(), &m), 0);
        send_to(&p, text, 0);
        ASSERT_EQ(receive(p.fd, getpid(), &m), 1); /* empty: nothing set */
        ASSERT_FALSE(m.ready);
        send_to(&p, "READY=1\0", 8);
        ASSERT_EQ(receive(p.fd, getpid(), &m), 0);
        place_close(&p);
}

TEST(only_the_sender_that_is_meant) {
        Place p;
        NotifyMessage m = { 0 };
        int status;

        place_open(&p);
        pid_t child = fork();
        if (child == 0) {
                send_to(&p, "READY=1", 7);
                _exit(0);
        }
        ASSERT_EQ(waitpid(child, &status, 0), child);
        ASSERT_EQ(receive(p.fd, getpid(), &m), 0);
        child = fork();
        if (child == 0) {
                send_to(&p, "READY=1", 7);
                _exit(0);
        }
        ASSERT_EQ(waitpid(child, &status, 0), child);
        ASSERT_EQ(receive(p.fd, child, &m), 1);
        ASSERT_TRUE(m.ready);
        place_close(&p);
}

static unsigned count_fds(void) {
        unsigned n = 0;
        DIR *d = opendir("/proc/self/fd");
        while (readdir(d))
                n++;
        closedir(d);
        return n;
}

TEST(descriptors_are_never_kept) {
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(253 * sizeof(int))];
        } control = { 0 };
        struct iovec iov = { .iov_base = (void *) "FDSTORE=1\nREADY=1", .iov_len = 17 };
        Place p;
        NotifyMessage m = { 0 };
        int on = 1;

        place_open(&p);
        (void) setsockopt(p.fd, SOL_SOCKET, 83 /* SO_PASSRIGHTS */, &on,
                          sizeof(on)); /* as before Linux 6.16 */
        struct msghdr h = { .msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof(control),
                            .msg_name = &p.address,
                            .msg_namelen = sizeof(p.address) };
        struct cmsghdr *c = CMSG_FIRSTHDR(&h);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(253 * sizeof(int));
        for (size_t i = 0; i < 253; i++)
                memcpy(CMSG_DATA(c) + i * sizeof(int), &(int){ 2 }, sizeof(int));
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        unsigned before = count_fds();
        ASSERT_EQ(sendmsg(fd, &h, 0), 17);
        ASSERT_EQ(receive(p.fd, getpid(), &m), 1);
        ASSERT_TRUE(m.ready);
        ASSERT_EQ(sendmsg(fd, &h, 0), 17); /* the wrong sender's are closed as well */
        ASSERT_EQ(receive(p.fd, 1, &m), 0);
        ASSERT_EQ(count_fds(), before);
        fd_close(fd);
        place_close(&p);
}

TEST(sending) {
        Place p;
        NotifyMessage m = { 0 };

        ASSERT_OK(unsetenv("NOTIFY_SOCKET"));
        ASSERT_EQ(notify_send("READY=1"), 0);
        ASSERT_OK(setenv("NOTIFY_SOCKET", "", 1));
        ASSERT_EQ(notify_send("READY=1"), 0);
        ASSERT_OK(setenv("NOTIFY_SOCKET", "relative", 1));
        ASSERT_ERROR(notify_send("READY=1"), EINVAL);
        ASSERT_OK(setenv("NOTIFY_SOCKET", "/nonexistent/berth", 1));
        ASSERT_ERROR(notify_send("READY=1"), ENOENT);

        place_open(&p);
        ASSERT_OK(setenv("NOTIFY_SOCKET", p.address.sun_path, 1));
        ASSERT_EQ(notify_send("READY=1\nSTATUS=ok"), 1);
        ASSERT_EQ(receive(p.fd, getpid(), &m), 1);
        ASSERT_STREQ(m.status, "ok");
        notify_message_done(&m);
        place_close(&p);

        char name[64];
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        int n = snprintf(name, sizeof(name), "@berth-test-%d", (int) getpid());
        memcpy(a.sun_path + 1, name + 1, (size_t) n - 1);
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;
        ASSERT_OK(setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
        ASSERT_OK(bind(fd, (struct sockaddr *) &a,
                       (socklen_t) (offsetof(struct sockaddr_un, sun_path) + (size_t) n)));
        ASSERT_OK(setenv("NOTIFY_SOCKET", name, 1));
        ASSERT_EQ(notify_send("STOPPING=1"), 1);
        ASSERT_EQ(receive(fd, getpid(), &m), 1);
        ASSERT_TRUE(m.stopping);
        fd_close(fd);
        ASSERT_OK(unsetenv("NOTIFY_SOCKET"));
}

TEST_MAIN
