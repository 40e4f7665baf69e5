/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sd_notify(3) without a library: datagrams to $NOTIFY_SOCKET, and the socket that a payload writes to.
 *
 * The payload is hostile: who sent a datagram is what the kernel says (SCM_CREDENTIALS), descriptors are never kept
 * (SO_PASSRIGHTS off from Linux 6.16, closed at once before), size and fields are limited, text is escaped. */
#include "ipc/notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/parse.h"
#include "basic/str.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

#define NOTIFY_STATUS_MAX 256U
#define NOTIFY_FDS_MAX 253U /* SCM_MAX_FD */

int notify_send(const char *text) {
        const char *path = secure_getenv("NOTIFY_SOCKET");
        if (isempty(path))
                return 0;

        struct sockaddr_un address = { .sun_family = AF_UNIX };
        size_t length = strlen(path);
        if ((path[0] != '/' && path[0] != '@') || length < 2 || length >= sizeof(address.sun_path))
                return -EINVAL;
        memcpy(address.sun_path, path, length);
        if (path[0] == '@')
                address.sun_path[0] = '\0';
        /* a path's terminating NUL may be left out, an abstract name's must be */
        socklen_t size = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + length);

        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *) &address, size) <
            0)
                return -errno;
        return 1;
}

int notify_bind(int dir_fd, const char *name, uid_t uid, gid_t gid) {
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;

        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int n = dir_fd == AT_FDCWD
                        ? snprintf(address.sun_path, sizeof(address.sun_path), "%s", name)
                        : snprintf(address.sun_path, sizeof(address.sun_path),
                                   "/proc/self/fd/%d/%s", dir_fd, name);
        if (n < 0 || (size_t) n >= sizeof(address.sun_path))
                return -ENAMETOOLONG;

        /* bind() takes the mode of the new node from the socket's inode, less the umask */
        if (fchmod(fd, 0777 & ~0577) < 0)
                return -errno;
        if (bind(fd, (const struct sockaddr *) &address, sizeof(address)) < 0)
                return -errno;
        if (uid != (uid_t) -1 && fchownat(dir_fd, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;

        int on = 1, off = 0;
        if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
                return -errno;
        /* unknown before Linux 6.16: then notify_receive() closes what comes */
        (void) setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off));
        return TAKE_FD(fd);
}

void notify_message_done(NotifyMessage *m) {
        m->status = mfree(m->status);
}

/* Escaped for display and cut to NOTIFY_STATUS_MAX bytes, never inside a character. */
static int status_take(const char *text, char **ret) {
        char *escaped = str_escape_for_display(text);
        if (!escaped)
                return -ENOMEM;
        size_t n = strlen(escaped);
        if (n > NOTIFY_STATUS_MAX) {
                n = NOTIFY_STATUS_MAX;
                while (n > 0 && ((unsigned char) escaped[n] & 0xc0) == 0x80)
                        n--;
                escaped[n] = '\0';
        }
        free(*ret);
        *ret = escaped;
        return 0;
}

static int line_parse(const char *line, NotifyMessage *m) {
        const char *value;
        uint32_t number;

        if (streq(line, "READY=1"))
                m->ready = true;
        else if (streq(line, "STOPPING=1"))
                m->stopping = true;
        else if (streq(line, "RELOADING=1"))
                m->reloading = true;
        else if (streq(line, "WATCHDOG=1"))
                m->watchdog = true;
        else if (streq(line, "WATCHDOG=trigger"))
                m->watchdog_trigger = true;
        else if ((value = startswith(line, "WATCHDOG_USEC="))) {
                uint64_t usec;
                if (parse_u64(value, &usec) >= 0)
                        m->watchdog_usec = usec;
        } else if ((value = startswith(line, "STATUS=")))
                return status_take(value, &m->status);
        else if ((value = startswith(line, "EXIT_STATUS="))) {
                if (parse_u32(value, &number) >= 0 && number <= 255) {
                        m->has_exit_status = true;
                        m->exit_status = (int) number;
                }
        } else if ((value = startswith(line, "X_SYSTEMD_SIGNALS_LEVEL="))) {
                if (parse_u32(value, &number) >= 0 && number <= 255)
                        m->signals_level = (int) number;
        }
        return 0;
}

int notify_parse(const char *text, size_t n, NotifyMessage *ret) {
        if (n > NOTIFY_MESSAGE_MAX)
                return -EMSGSIZE;
        if (memchr(text, '\0', n))
                return -EBADMSG;

        NotifyMessage m = { 0 };
        char line[NOTIFY_MESSAGE_MAX + 1];
        for (const char *p = text, *end = text + n; p < end;) {
                const char *newline = memchr(p, '\n', (size_t) (end - p));
                size_t length = newline ? (size_t) (newline - p) : (size_t) (end - p);
                memcpy(line, p, length);
                line[length] = '\0';
                int r = line_parse(line, &m);
                if (r < 0) {
                        notify_message_done(&m);
                        return r;
                }
                p += length + 1;
        }
        *ret = m;
        return 0;
}

/* The sender as the kernel names it (0: not of our pid namespace); closes all descriptors that came along. */
static pid_t control_data_sender(struct msghdr *header) {
        pid_t sender = 0;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
                if (c->cmsg_level != SOL_SOCKET)
                        continue;
                if (c->cmsg_type == SCM_CREDENTIALS &&
                    c->cmsg_len == CMSG_LEN(sizeof(struct ucred))) {
                        struct ucred credentials;
                        memcpy(&credentials, CMSG_DATA(c), sizeof(credentials));
                        sender = credentials.pid;
                } else if (c->cmsg_type == SCM_RIGHTS) {
                        for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
                                int fd;
                                memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
                                fd_close(fd);
                        }
                }
        }
        return sender;
}

int notify_receive(int fd, NotifySenderCheck listened_to, void *userdata, NotifyMessage *ret) {
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(struct ucred)) +
                           CMSG_SPACE(NOTIFY_FDS_MAX * sizeof(int))];
        } control;
        char text[NOTIFY_MESSAGE_MAX];
        struct iovec vector = { .iov_base = text, .iov_len = sizeof(text) };
        struct msghdr header = {
                .msg_iov = &vector,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };

        ssize_t n;
        do
                n = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_TRUNC);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return IN_SET(errno, EAGAIN, ENOBUFS, EMFILE) ? 0 : -errno;

        pid_t sender = control_data_sender(&header);
        if (sender <= 0 || (size_t) n > sizeof(text) || !listened_to(sender, userdata))
                return 0;
        int r = notify_parse(text, (size_t) n, ret);
        if (r == -ENOMEM)
                return r;
        return r < 0 ? 0 : 1;
}
