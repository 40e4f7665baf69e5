/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Moving bytes both ways, with one buffer a stream, until the program has ended. See ioctl_tty(2), termios(3).
 *
 * Nothing blocks: our own ends are non-blocking, and of descriptors that we share with others no more than PIPE_BUF bytes are written,
 * when poll(2) says that they can be taken. */
#include "cli/forward.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/parse.h"
#include "basic/str.h"
#include "basic/time.h"
#include "sys/tty.h"

#define ESCAPE 0x1d /* ^] */
#define ESCAPE_WINDOW_USEC USEC_PER_SEC
#define HANGUP_PAUSE_MSEC 50
#define END_OF_INPUT "\x04"

typedef struct Stream {
        int from_fd, to_fd; /* from: -EBADF after its end */
        bool close_to;      /* at the end of from: it is a pipe to the program */
        char buffer[PIPE_BUF];
        size_t start, size;
} Stream;

typedef struct Forwarder {
        Forward *f;
        Stream in, out[2];
        bool has_in, raw, ended, hung_up;
        struct termios saved;
        int signal_fd;
        unsigned escapes;
        usec_t escape_usec;
        ForwardEnd end;
        int status;
} Forwarder;

static void stream_close(Stream *s) {
        s->from_fd = -EBADF;
        if (s->close_to)
                s->to_fd = fd_close(s->to_fd);
}

/* Writes what it can. */
static void stream_flush(Stream *s) {
        while (s->size > 0) {
                ssize_t n = write(s->to_fd, s->buffer + s->start, s->size);
                if (n < 0 && IN_SET(errno, EAGAIN, EINTR))
                        return;
                if (n < 0) { /* nobody takes it any more: the program shall not block for that */
                        s->size = 0;
                        if (s->close_to)
                                stream_close(s);
                        return;
                }
                s->start += (size_t) n;
                s->size -= (size_t) n;
        }
}

/* Reads once. 0: the end, negative: nothing now (-EIO: nobody has the terminal open). */
static ssize_t stream_fill(Stream *s) {
        ssize_t n = read(s->from_fd, s->buffer, sizeof(s->buffer));
        s->start = 0;
        s->size = n > 0 ? (size_t) n : 0;
        return n < 0 ? -errno : n;
}

/* ---- input ---- */

static bool take_escapes(Forwarder *r, const char *bytes, size_t n) {
        const usec_t now = now_usec(CLOCK_MONOTONIC);
        for (size_t i = 0; i < n; i++) {
                if (bytes[i] != ESCAPE)
                        r->escapes = 0;
                else if (r->escapes == 0 || now - r->escape_usec > ESCAPE_WINDOW_USEC) {
                        r->escapes = 1;
                        r->escape_usec = now;
                } else if (++r->escapes == 3)
                        return true;
        }
        return false;
}

static void forward_input(Forwarder *r) {
        Stream *s = &r->in;
        ssize_t n = stream_fill(s);
        if (n == -EAGAIN || n == -EINTR)
                return;
        if (n <= 0 && s->close_to)
                stream_close(s);
        else if (n <= 0 && r->f->status_fd < 0)
                s->from_fd = -EBADF; /* a console has others who type, too */
        else if (n <= 0) {           /* a terminal has no end of its own */
                s->from_fd = -EBADF;
                memcpy(s->buffer, END_OF_INPUT, 1);
                s->size = 1;
        } else if (r->raw && take_escapes(r, s->buffer, s->size)) {
                r->ended = true;
                r->end = FORWARD_DETACHED;
                return;
        }
        stream_flush(s);
}

/* ---- output ---- */

static void forward_output(Forwarder *r, Stream *s) {
        ssize_t n = stream_fill(s);
        if (n == -EIO && r->f->terminal_fd == s->from_fd)
                r->hung_up =
                        true; /* between two programs that open it; the status tells when that is over */
        else if (n == 0 || (n < 0 && !IN_SET(n, -EAGAIN, -EINTR))) {
                s->from_fd = -EBADF;
                if (r->f->status_fd < 0) {
                        r->ended = true;
                        r->end = FORWARD_CLOSED;
                }
        } else
                r->hung_up = false;
}

/* What is there when the program has ended. */
static void drain(Forwarder *r) {
        for (size_t i = 0; i < ELEMENTSOF(r->out); i++) {
                Stream *s = r->out + i;
                for (;;) {
                        while (s->size > 0) {
                                struct pollfd p = { .fd = s->to_fd, .events = POLLOUT };
                                if (poll(&p, 1, -1) < 0 && errno != EINTR)
                                        return;
                                stream_flush(s);
                        }
                        struct pollfd p = { .fd = s->from_fd, .events = POLLIN };
                        if (s->from_fd < 0 || poll(&p, 1, 0) <= 0 || stream_fill(s) <= 0)
                                break;
                }
        }
}

/* ---- the program ---- */

static void take_status(Forwarder *r) {
        char text[64] = "";
        const char *number;
        uint32_t n;
        ssize_t k = recv(r->f->status_fd, text, sizeof(text) - 1, MSG_DONTWAIT);
        if (k < 0 && IN_SET(errno, EAGAIN, EINTR))
                return;
        r->ended = true;
        r->end = FORWARD_LOST;
        if (k <= 0)
                return;
        if (streq(text, "timeout"))
                r->end = FORWARD_TIMEOUT;
        else if ((number = startswith(text, "exited ")) && parse_u32(number, &n) >= 0) {
                r->end = FORWARD_EXITED;
                r->status = (int) n;
        } else if ((number = startswith(text, "killed ")) && parse_u32(number, &n) >= 0) {
                r->end = FORWARD_KILLED;
                r->status = (int) n;
        }
}

static void resize(const Forwarder *r) {
        unsigned rows, columns;
        const int fd = r->f->size_fd >= 0 ? r->f->size_fd : r->f->terminal_fd;
        if (fd >= 0 && (tty_get_size(STDOUT_FILENO, &rows, &columns) >= 0 ||
                        tty_get_size(STDIN_FILENO, &rows, &columns) >= 0))
                (void) tty_set_size(fd, rows, columns); /* only for show */
}

static void take_signal(Forwarder *r) {
        struct signalfd_siginfo si;
        char text[32], name[16];
        if (read(r->signal_fd, &si, sizeof(si)) != sizeof(si))
                return;
        if (si.ssi_signo == SIGWINCH) {
                resize(r);
                return;
        }
        if (r->f->status_fd < 0) {
                r->ended = true;
                r->end = FORWARD_DETACHED;
                return;
        }
        int n = snprintf(text, sizeof(text), "kill %s", signal_to_string((int) si.ssi_signo, name));
        (void) send(r->f->status_fd, text, (size_t) n,
                    MSG_DONTWAIT | MSG_NOSIGNAL); /* else it has ended */
}

/* ---- all of it ---- */

static int open_signals(sigset_t *ret_old) {
        static const int forwarded[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH };
        sigset_t set;
        (void) sigemptyset(&set);
        for (size_t i = 0; i < ELEMENTSOF(forwarded); i++)
                (void) sigaddset(&set, forwarded[i]); /* valid numbers */
        if (sigprocmask(SIG_BLOCK, &set, ret_old) < 0)
                return -errno;
        int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return fd < 0 ? -errno : fd;
}

static void set_up_streams(Forwarder *r) {
        Forward *f = r->f;
        r->in.from_fd = r->out[0].from_fd = r->out[1].from_fd = -EBADF;
        if (f->terminal_fd >= 0) {
                r->in.from_fd = STDIN_FILENO;
                r->in.to_fd = r->out[0].from_fd = f->terminal_fd;
                r->out[0].to_fd = STDOUT_FILENO;
                (void) fd_nonblock(f->terminal_fd, true);
                resize(r);
                r->raw = tty_set_raw(STDIN_FILENO, &r->saved) >= 0;
                return;
        }
        if (f->pipe_fds[0] >= 0) {
                r->in.from_fd = STDIN_FILENO;
                r->in.to_fd = TAKE_FD(f->pipe_fds[0]);
                r->in.close_to = true;
                (void) fd_nonblock(r->in.to_fd, true);
        }
        for (int i = 0; i < 2; i++)
                if (f->pipe_fds[i + 1] >= 0) {
                        r->out[i].from_fd = f->pipe_fds[i + 1];
                        r->out[i].to_fd = i == 0 ? STDOUT_FILENO : STDERR_FILENO;
                        (void) fd_nonblock(r->out[i].from_fd, true);
                }
}

static void round_once(Forwarder *r) {
        enum {
                STATUS,
                SIGNALS,
                IN,
                OUT,
                N = OUT + ELEMENTSOF(r->out)
        };
        struct pollfd p[N] = { [STATUS] = { .fd = r->f->status_fd, .events = POLLIN },
                               [SIGNALS] = { .fd = r->signal_fd, .events = POLLIN },
                               [IN] = { .fd = r->in.from_fd, .events = POLLIN } };
        if (r->in.size > 0)
                p[IN] = (struct pollfd){ .fd = r->in.to_fd, .events = POLLOUT };
        for (size_t i = 0; i < ELEMENTSOF(r->out); i++) {
                const Stream *s = r->out + i;
                p[OUT + i] = s->size > 0 ? (struct pollfd){ .fd = s->to_fd, .events = POLLOUT }
                                         : (struct pollfd){ .fd = r->hung_up ? -EBADF : s->from_fd,
                                                            .events = POLLIN };
        }
        (void) poll(p, N, r->hung_up ? HANGUP_PAUSE_MSEC : -1); /* a signal: once more */
        if (p[SIGNALS].revents)
                take_signal(r);
        if (p[IN].revents && r->in.size > 0)
                stream_flush(&r->in);
        else if (p[IN].revents)
                forward_input(r);
        for (size_t i = 0; i < ELEMENTSOF(r->out); i++) {
                Stream *s = r->out + i;
                if (s->size > 0 && p[OUT + i].revents)
                        stream_flush(s);
                else if (s->size == 0 && s->from_fd >= 0 && (p[OUT + i].revents || r->hung_up))
                        forward_output(r, s);
        }
        if (!r->ended && p[STATUS].revents)
                take_status(r);
}

int forward_run(Forward *f, ForwardEnd *ret_end, int *ret_status, Error *reterr) {
        _cleanup_free_ Forwarder *r = new0(Forwarder, 1);
        sigset_t old;
        if (!r)
                return error_oom(reterr);
        r->f = f;
        r->end = FORWARD_LOST;
        _cleanup_close_ int signal_fd = r->signal_fd = open_signals(&old);
        if (signal_fd < 0)
                return error_set_errno(reterr, signal_fd, ERROR_FAILED,
                                       "Waiting for signals failed");
        /* a reader of our output that goes away is no reason to end before the program does */
        void (*pipe_handler)(int) = signal(SIGPIPE, SIG_IGN);
        set_up_streams(r);
        while (!r->ended)
                round_once(r);
        if (r->end != FORWARD_DETACHED)
                drain(r);
        if (r->raw)
                (void) tty_restore(STDIN_FILENO, &r->saved); /* it may be gone */
        if (r->in.close_to)
                fd_close(r->in.to_fd);
        for (size_t i = 0; i < ELEMENTSOF(f->pipe_fds); i++)
                f->pipe_fds[i] = fd_close(f->pipe_fds[i]);
        (void) signal(SIGPIPE, pipe_handler);
        (void) sigprocmask(SIG_SETMASK, &old, NULL);
        *ret_end = r->end;
        *ret_status = r->status;
        return 0;
}
