/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asking for the key of an encrypted disk image. What is said goes into locked memory, and nowhere else.
 *
 * Agents: a file /run/systemd/ask-password/ask.XXXXXX says what is asked and names a datagram socket, to which the agent (user 0) sends "+" and the
 * answer, or "-" (systemd.io/PASSWORD_AGENTS). */
#include "cli/ask-key.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <termios.h>

#include "basic/fd.h"
#include "basic/id.h"
#include "basic/str.h"
#include "basic/time.h"
#include "image/disk-key.h"
#include "ipc/notify.h"
#include "sys/socket.h"
#include "sys/tty.h"

#define ASK_DIRECTORY "/run/systemd/ask-password"
#define ASK_TIMEOUT_USEC (90 * USEC_PER_SEC)
#define START_TIMEOUT_USEC (2 * USEC_PER_MINUTE) /* as berth@.service has it */

static int failed(const char *image, int code, Error *reterr) {
        return error_set_errno(reterr, code, ERROR_SETUP_FAILED,
                               "Asking for the key of image '%s' failed", image);
}

static int sealed(Secret *s, Secret *ret) {
        int r = secret_seal(s);
        if (r < 0)
                return r;
        *ret = *s;
        *s = (Secret) SECRET_NULL;
        return 1;
}

/* ---- a credential ---- */

int key_from_credential(Secret *ret, Error *reterr) {
        _cleanup_(secret_done) Secret s = SECRET_NULL;
        const char *directory = getenv("CREDENTIALS_DIRECTORY");

        if (!directory || directory[0] != '/')
                return 0;
        _cleanup_free_ char *path = strjoin(directory, "/", DISK_KEY_CREDENTIAL);
        if (!path)
                return error_oom(reterr);
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW);
        if (fd < 0 && errno == ENOENT)
                return 0;
        int r = fd < 0 ? -errno : secret_read(fd, &s);
        if (r >= 0)
                r = sealed(&s, ret);
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED,
                                       "Reading the credential '%s' failed", DISK_KEY_CREDENTIAL)
                     : r;
}

/* ---- waiting, so that a signal finds all put back ---- */

typedef struct Signals {
        sigset_t before;
        int fd;
} Signals;

static int signals_catch(Signals *s) {
        static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
        sigset_t mask;

        (void) sigemptyset(&mask); /* cannot fail, nor can the others */
        for (size_t i = 0; i < ELEMENTSOF(numbers); i++)
                (void) sigaddset(&mask, numbers[i]);
        (void) sigprocmask(SIG_BLOCK, &mask, &s->before);
        s->fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
        return s->fd < 0 ? -errno : 0;
}

/* The signal, if there was one, ends us here. */
static void signals_let_go(Signals *s) {
        fd_close(s->fd);
        (void) sigprocmask(SIG_SETMASK, &s->before, NULL); /* cannot fail */
}

/* -EINTR: a signal; -ETIMEDOUT */
static int wait_for(const Signals *s, int fd, usec_t deadline) {
        for (;;) {
                struct pollfd p[] = { { .fd = fd, .events = POLLIN },
                                      { .fd = s->fd, .events = POLLIN } };
                const usec_t now = now_usec(CLOCK_MONOTONIC);
                if (now >= deadline)
                        return -ETIMEDOUT;
                const int timeout = deadline == USEC_INFINITY
                                            ? -1
                                            : (int) ((deadline - now) / USEC_PER_MSEC) + 1;
                if (poll(p, ELEMENTSOF(p), timeout) < 0 && errno != EINTR)
                        return -errno;
                if (p[1].revents != 0)
                        return -EINTR;
                if (p[0].revents != 0)
                        return 0;
        }
}

/* ---- the terminal ---- */

/* A line, without its end. -ENODATA: there is none. */
static int read_line(const Signals *signals, Secret *s) {
        for (;;) {
                int r = wait_for(signals, STDIN_FILENO, USEC_INFINITY);
                if (r < 0)
                        return r;
                if (s->size == SECRET_MAX)
                        return -E2BIG;
                ssize_t n = read(STDIN_FILENO, s->bytes + s->size, SECRET_MAX - s->size);
                if (n < 0 && IN_SET(errno, EINTR, EAGAIN))
                        continue;
                if (n < 0)
                        return -errno;
                s->size += (size_t) n;
                if (n == 0)
                        return s->size == 0 ? -ENODATA : 0;
                if (s->bytes[s->size - 1] == '\n') {
                        s->size--;
                        return 0;
                }
        }
}

static int ask_terminal(const char *image, bool again, Secret *ret, Error *reterr) {
        _cleanup_(secret_done) Secret s = SECRET_NULL;
        _cleanup_free_ char *shown = str_escape_for_display(image);
        struct termios saved, quiet;
        Signals signals;

        if (!shown)
                return error_oom(reterr);
        int r = secret_new(&s);
        if (r < 0 || tcgetattr(STDIN_FILENO, &saved) < 0)
                return failed(image, r < 0 ? r : -errno, reterr);
        r = signals_catch(&signals);
        quiet = saved;
        quiet.c_lflag &= ~(tcflag_t) (ECHO | ECHOE | ECHOK);
        quiet.c_lflag |= ICANON | ISIG | ECHONL;
        if (r >= 0 && tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) < 0)
                r = -errno;
        if (r >= 0) {
                (void) fprintf(stderr,
                               "%sKey of image '%s': ", again ? "This key does not open it.\n" : "",
                               shown);
                r = read_line(&signals, &s);
                (void) tty_restore(STDIN_FILENO, &saved); /* the terminal may be gone */
        }
        if (IN_SET(r, -EINTR, -ENODATA))
                (void) fputc('\n', stderr);
        signals_let_go(&signals);
        if (r >= 0)
                r = sealed(&s, ret);
        if (IN_SET(r, -EINTR, -ENODATA))
                return error_set(reterr, -ENOKEY, ERROR_ACCESS_DENIED,
                                 "No key was given for image '%s'", image);
        return r < 0 ? failed(image, r, reterr) : r;
}

/* ---- agents ---- */

typedef struct Question {
        char socket[64], file[64];
        int socket_fd;
} Question;

static void question_done(Question *q) {
        if (q->file[0])
                (void) unlink(q->file); /* nobody answers any more */
        if (q->socket[0])
                (void) unlink(q->socket);
        q->socket_fd = fd_close(q->socket_fd);
}

/* Written under a name that agents do not look at. */
static int write_question(const Question *q, const char *image, bool again, usec_t deadline) {
        char temporary[] = ASK_DIRECTORY "/tmp.XXXXXX";
        _cleanup_free_ char *shown = str_escape_for_display(image), *text = NULL;

        if (shown)
                text = strf("[Ask]\nPID=%d\nSocket=%s\nAcceptCached=0\nEcho=0\nNotAfter=%llu\n"
                            "Message=%sKey of image %s:\nIcon=drive-harddisk\nId=berth:%s\n",
                            getpid(), q->socket, (unsigned long long) deadline,
                            again ? "That was wrong. " : "", shown, shown);
        if (!text)
                return -ENOMEM;
        _cleanup_close_ int fd = mkostemp(temporary, O_CLOEXEC);
        if (fd < 0)
                return -errno;
        int r = fchmod(fd, 0644) < 0 ? -errno : fd_write_full(fd, text, strlen(text));
        if (r >= 0 && rename(temporary, q->file) < 0)
                r = -errno;
        if (r < 0)
                (void) unlink(temporary); /* it says nothing secret */
        return r;
}

static int question_ask(Question *q, const char *image, bool again, usec_t deadline) {
        char id[ID128_STRING_MAX];
        Id128 random;

        int r = id128_random(&random);
        if (r >= 0)
                r = mkdir_parents(ASK_DIRECTORY, 0755);
        if (r < 0)
                return r;
        (void) id128_to_string(random, id);
        (void) snprintf(q->socket, sizeof(q->socket), ASK_DIRECTORY "/sck.%.16s", id);
        q->socket_fd = notify_bind(AT_FDCWD, q->socket, (uid_t) -1, (gid_t) -1);
        if (q->socket_fd < 0) {
                q->socket[0] = '\0';
                return q->socket_fd;
        }
        (void) snprintf(q->file, sizeof(q->file), ASK_DIRECTORY "/ask.%.16s", id);
        return write_question(q, image, again, deadline);
}

/* 1: an answer; 0: from somebody who is not to answer; -ENOKEY: there is none. */
static int receive(int fd, Secret *s) {
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(struct ucred))];
        } control;
        struct iovec data = { .iov_base = s->bytes, .iov_len = SECRET_MAX };
        struct msghdr m = { .msg_iov = &data,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof(control) };
        struct ucred from = { .uid = (uid_t) -1 };

        ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        if (n < 0)
                return IN_SET(errno, EAGAIN, EINTR) ? 0 : -errno;
        const struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS &&
            c->cmsg_len == CMSG_LEN(sizeof(from)))
                memcpy(&from, CMSG_DATA(c), sizeof(from));
        s->size = (size_t) n; /* so that it is erased */
        if (from.uid != 0 || n == 0 || (m.msg_flags & MSG_TRUNC))
                return 0;
        if (s->bytes[0] == '-')
                return -ENOKEY;
        if (s->bytes[0] != '+')
                return 0;
        /* of several answers, each with a NUL behind, the first one */
        const size_t size = strnlen(s->bytes + 1, (size_t) n - 1);
        memmove(s->bytes, s->bytes + 1, size);
        explicit_bzero(s->bytes + size, (size_t) n - size);
        s->size = size;
        return 1;
}

static int ask_agents(const char *image, bool again, Secret *ret, Error *reterr) {
        _cleanup_(secret_done) Secret s = SECRET_NULL;
        const usec_t deadline = usec_add(now_usec(CLOCK_MONOTONIC), ASK_TIMEOUT_USEC);
        Question q = { .socket_fd = -EBADF };
        Signals signals;

        _cleanup_free_ char *text =
                strf("STATUS=Waiting for the key of the disk image\nEXTEND_TIMEOUT_USEC=%llu",
                     (unsigned long long) (ASK_TIMEOUT_USEC + START_TIMEOUT_USEC));
        if (text)
                (void) notify_send(text); /* only with a service manager that listens */
        int r = secret_new(&s);
        if (r < 0)
                return failed(image, r, reterr);
        r = signals_catch(&signals);
        if (r >= 0)
                r = question_ask(&q, image, again, deadline);
        while (r == 0) {
                r = wait_for(&signals, q.socket_fd, deadline);
                if (r == 0)
                        r = receive(q.socket_fd, &s);
        }
        question_done(&q);
        signals_let_go(&signals);
        if (r > 0)
                r = sealed(&s, ret);
        if (IN_SET(r, -EINTR, -ENOKEY))
                return error_set(reterr, -ENOKEY, ERROR_ACCESS_DENIED,
                                 "No key was given for image '%s'", image);
        if (r != -ETIMEDOUT)
                return r < 0 ? failed(image, r, reterr) : r;
        r = error_set(reterr, r, ERROR_TIMEOUT,
                      "Image '%s' is encrypted, and nobody has said the key", image);
        error_hint(reterr,
                   "answer with 'systemd-tty-ask-password-agent', set ImageKeyFile=, or give the "
                   "unit the credential '%s'",
                   DISK_KEY_CREDENTIAL);
        return r;
}

int key_ask(const char *image, bool in_unit, bool again, Secret *ret, Error *reterr) {
        if (in_unit)
                return ask_agents(image, again, ret, reterr);
        if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
                return 0;
        return ask_terminal(image, again, ret, reterr);
}
