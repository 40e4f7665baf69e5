/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The payload's console: a pty of the container's own devpts, and the caller's terminal on the other side, or a socket of who attaches
 * later; he is shown the last output first.
 *
 * Two streams with a bounded buffer each. Nothing spins at an end: a stream whose source or sink has ended is switched off, and a
 * master that says EIO (no slave is open: between two gettys) is looked at again by a timer, not by poll(2). */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "launch/supervisor.h"
#include "sys/socket.h"
#include "sys/tty.h"

#define ESCAPE 0x1d /* ^] */
#define ESCAPE_WINDOW_USEC USEC_PER_SEC
#define LAST_WORDS_MSEC 5000 /* for output that nobody takes while we are being stopped */

int console_open(Supervisor *s, Error *reterr) {
        Console *c = &s->console;
        char name[16];

        c->mode = s->spec->console.mode;
        if (c->mode == CONSOLE_AUTO)
                c->mode = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) ? CONSOLE_INTERACTIVE
                                                                        : CONSOLE_READ_ONLY;
        if (c->mode == CONSOLE_PIPE)
                return 0;
        int r = tty_open_pty(s->rootfs.devpts_fd, &c->master_fd, &c->slave_fd, name);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_CONSOLE_FAILED,
                                       "opening a terminal for the console failed");
        (void) snprintf(c->slave_path, sizeof(c->slave_path), "/dev/%s", name); /* fits */
        console_resize(c);
        r = api_mounts_console(&s->rootfs, c->slave_fd, reterr);
        if (r < 0)
                return r;
        /* it belongs to the container's root now */
        if (s->spec->payload.start != START_BOOT && s->rootfs.user.uid != 0 &&
            fchown(c->slave_fd, rootfs_host_uid(&s->rootfs, s->rootfs.user.uid), (gid_t) -1) < 0)
                return error_set_errno(reterr, -errno, ERROR_CONSOLE_FAILED,
                                       "giving the console to the payload failed");
        return 0;
}

static ConsoleStream *stream_new(int from_fd, int to_fd) {
        ConsoleStream *stream = new0(ConsoleStream, 1);
        if (stream) {
                stream->from_fd = from_fd;
                stream->to_fd = to_fd;
        }
        return stream;
}

/* Where output goes: our standard output, opened anew where that can be done (terminals, pipes), so that a write never blocks
 * and O_NONBLOCK is ours alone. A passive console is emptied, for a payload must not block on it. */
static int output_open(ConsoleMode mode) {
        struct stat st;
        if (mode == CONSOLE_PASSIVE) {
                int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
                return fd < 0 ? -errno : fd;
        }
        if (fstat(STDOUT_FILENO, &st) >= 0 && (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))) {
                int fd = open("/proc/self/fd/1", O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
                if (fd >= 0)
                        return fd;
        }
        int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
        return fd < 0 ? -errno : fd;
}

int console_start(Supervisor *s, Error *reterr) {
        Console *c = &s->console;
        if (c->master_fd < 0)
                return 0;
        int r = fd_nonblock(c->master_fd, true);
        c->output_fd = output_open(c->mode);
        c->out = stream_new(c->master_fd, c->output_fd);
        if (r < 0 || c->output_fd < 0 || !c->out)
                return error_set_errno(reterr,
                                       r < 0              ? r
                                       : c->output_fd < 0 ? c->output_fd
                                                          : -ENOMEM,
                                       ERROR_CONSOLE_FAILED, "forwarding the console failed");
        if (c->mode != CONSOLE_INTERACTIVE)
                return 0;
        /* a new open file description: O_NONBLOCK on the caller's own would outlive us */
        c->input_fd = open("/proc/self/fd/0", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        if (c->input_fd < 0)
                c->input_fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
        c->in = stream_new(c->input_fd, c->master_fd);
        if (c->in)
                c->in->to_payload = true;
        if (c->input_fd < 0 || !c->in)
                return error_set_errno(reterr, -errno, ERROR_CONSOLE_FAILED,
                                       "forwarding the console failed");
        c->raw = tty_set_raw(STDIN_FILENO, &c->saved) >= 0;
        return 0;
}

void console_resize(Console *c) {
        unsigned rows, columns;
        if (IN_SET(c->mode, CONSOLE_INTERACTIVE, CONSOLE_READ_ONLY) && c->master_fd >= 0 &&
            tty_get_size(STDOUT_FILENO, &rows, &columns) >= 0)
                (void) tty_set_size(c->master_fd, rows,
                                    columns); /* a wrong size is no reason to stop */
}

/* Writes what is buffered. False: the sink has ended. */
static bool stream_flush(ConsoleStream *stream) {
        while (stream->size > 0) {
                const char *bytes = stream->buffer + stream->start;
                ssize_t n = send(stream->to_fd, bytes, stream->size, MSG_DONTWAIT | MSG_NOSIGNAL);
                if (n < 0 && errno == ENOTSOCK)
                        n = write(stream->to_fd, bytes, stream->size);
                if (n < 0)
                        return errno == EAGAIN || errno == EINTR;
                stream->start += (size_t) n;
                stream->size -= (size_t) n;
        }
        stream->start = 0;
        return true;
}

/* Moves what can be moved; the source must be readable or the sink writable. Returns how many bytes were read: they
 * stand at the beginning of the buffer, written or not. */
static size_t stream_move(ConsoleStream *stream) {
        size_t fresh = 0;
        if (stream->from_fd < 0)
                return 0;
        if (stream->size == 0) {
                ssize_t n = read(stream->from_fd, stream->buffer, sizeof(stream->buffer));
                /* EIO: nobody has the console open inside, which may change; the caller's terminal is gone for good */
                if (n == 0 || (n < 0 && !IN_SET(errno, EAGAIN, EINTR) &&
                               (errno != EIO || stream->to_payload)))
                        stream->from_fd = -EBADF;
                if (n <= 0)
                        return 0;
                stream->start = 0;
                stream->size = fresh = (size_t) n;
        }
        if (!stream_flush(stream)) {
                stream->size = 0; /* nobody listens: the payload must not block for that */
                if (stream->to_payload)
                        stream->from_fd = -EBADF;
        }
        return fresh;
}

/* Counts ^] in what was typed; what follows two of them is a request. */
static void note_escapes(Console *c, const char *bytes, size_t n) {
        usec_t now = now_usec(CLOCK_MONOTONIC);
        for (size_t i = 0; i < n; i++) {
                if (bytes[i] == ESCAPE) {
                        c->escapes = c->escapes > 0 && now - c->escape_usec <= ESCAPE_WINDOW_USEC
                                             ? c->escapes + 1
                                             : 1;
                        c->escape_usec = now;
                } else if (c->escapes == 2 && (bytes[i] == 'p' || bytes[i] == 'r'))
                        c->escapes = bytes[i] == 'p' ? 100 : 101;
                else if (c->escapes < 3)
                        c->escapes = 0;
        }
}

ConsoleRequest console_take_request(Console *c) {
        unsigned escapes = c->escapes;
        if (escapes < 3)
                return CONSOLE_NOTHING;
        c->escapes = 0;
        return escapes == 100 ? CONSOLE_POWEROFF : escapes == 101 ? CONSOLE_REBOOT : CONSOLE_KILL;
}

/* ---- who attaches ---- */

static void detach(Console *c) {
        if (c->attached)
                c->attached->from_fd = fd_close(c->attached->from_fd);
        c->attached = mfree(c->attached);
}

/* False: he does not keep up. He is left then, and can attach again: a terminal that lacks bytes shows anything. */
static bool send_all(int fd, const char *bytes, size_t n) {
        return n == 0 || send(fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t) n;
}

static void keep_history(Console *c, const char *bytes, size_t n) {
        if (!c->history)
                c->history = new0(char, CONSOLE_HISTORY_SIZE);
        for (size_t i = 0; c->history && i < n; i++) { /* without memory there is none */
                c->history[c->history_end] = bytes[i];
                c->history_end = (c->history_end + 1) % CONSOLE_HISTORY_SIZE;
                if (c->history_size < CONSOLE_HISTORY_SIZE)
                        c->history_size++;
        }
}

static bool send_history(const Console *c, int fd) {
        const size_t start = c->history_size < CONSOLE_HISTORY_SIZE ? 0 : c->history_end,
                     first = MIN(c->history_size, CONSOLE_HISTORY_SIZE - start);
        return c->history_size == 0 || (send_all(fd, c->history + start, first) &&
                                        send_all(fd, c->history, c->history_size - first));
}

void console_attach(Console *c, int fd, bool history_only) {
        _cleanup_close_ int own_fd = fd;
        /* One byte, with the terminal for its size; the end instead says that there is no console. He may keep that for ever, so what others
         * type cannot be read from it, nor can it become his controlling terminal. */
        _cleanup_close_ int size_fd =
                c->slave_fd < 0 ? -EBADF : tty_open_peer(c->master_fd, O_WRONLY);
        if (size_fd < 0 || socket_send_now(own_fd, "", 1, &size_fd, 1) < 0 ||
            !send_history(c, own_fd) || history_only)
                return;
        ConsoleStream *stream = stream_new(own_fd, c->master_fd);
        if (!stream)
                return;
        stream->to_payload = true;
        detach(c);
        c->attached = stream;
        own_fd = -EBADF;
}

/* ---- forwarding ---- */

static size_t output_move(Console *c) {
        size_t n = stream_move(c->out);
        if (n == 0)
                return 0;
        keep_history(c, c->out->buffer, n);
        if (c->attached && !send_all(c->attached->from_fd, c->out->buffer, n))
                detach(c);
        return n;
}

static void attached_move(Console *c, bool ready) {
        ConsoleStream *stream = c->attached;
        if (!stream || (!ready && stream->size == 0))
                return;
        int fd = stream->from_fd;
        (void) stream_move(stream);
        if (stream->from_fd < 0) { /* he has left */
                stream->from_fd = fd;
                detach(c);
        }
}

void console_forward(Console *c, bool input_ready, bool attached_ready) {
        if (c->out)
                (void) output_move(c);
        attached_move(c, attached_ready);
        if (c->in && (input_ready || c->in->size > 0))
                note_escapes(c, c->in->buffer, stream_move(c->in));
}

/* Has a message come that means "end"? */
static bool link_ends_wait(Supervisor *s, Link *l) {
        _cleanup_(control_message_done) ControlMessage m = CONTROL_MESSAGE_NULL;
        return link_receive(s, l, &m) > 0 && IN_SET(m.type, CONTROL_STOP, CONTROL_TERMINATE);
}

/* The reader of our output takes its time: it gets all, unless we are told to end or a stop is under way. */
static bool wait_for_reader(Supervisor *s) {
        for (;;) {
                struct pollfd p[] = { { .fd = s->console.out->to_fd, .events = POLLOUT },
                                      { .fd = s->signal_fd, .events = POLLIN },
                                      { .fd = s->launcher.fd, .events = POLLIN },
                                      { .fd = s->manager.fd, .events = POLLIN } };
                int r = poll(p, ELEMENTSOF(p), s->stop_requests > 0 ? LAST_WORDS_MSEC : -1);
                if (r < 0 && errno == EINTR)
                        continue;
                if (r <= 0 || (p[1].revents && signal_ends_start(s)) ||
                    (p[2].revents && link_ends_wait(s, &s->launcher)) ||
                    (p[3].revents && link_ends_wait(s, &s->manager)))
                        return false;
                if (p[0].revents)
                        return true;
        }
}

void console_drain(Supervisor *s) {
        Console *c = &s->console;
        c->slave_fd = fd_close(c->slave_fd);
        while (c->out && c->out->from_fd >= 0) {
                if (c->out->size > 0 && !wait_for_reader(s))
                        return;
                if (output_move(c) == 0 && c->out->size == 0) {
                        struct pollfd p = { .fd = c->master_fd, .events = POLLIN };
                        if (poll(&p, 1, 0) <= 0 || !(p.revents & POLLIN))
                                return;
                }
        }
}

void console_done(Console *c) {
        if (c->raw)
                (void) tty_restore(STDIN_FILENO, &c->saved); /* the terminal may be gone */
        c->raw = false;
        c->master_fd = fd_close(c->master_fd);
        c->slave_fd = fd_close(c->slave_fd);
        c->input_fd = fd_close(c->input_fd);
        c->output_fd = fd_close(c->output_fd);
        detach(c);
        c->history = mfree(c->history);
        c->history_size = c->history_end = 0;
        c->in = mfree(c->in);
        c->out = mfree(c->out);
}
