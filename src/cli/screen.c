/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Escape sequences (ECMA-48, xterm's 1049, 25 and 7), raw mode, poll on keys and signals. */
#include "cli/screen.h"

#include <poll.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "sys/tty.h"

/* the other screen, without cursor; what is too long for a line ends at its end, else the picture had more rows than were counted */
#define BEGIN "\x1b[?1049h\x1b[?25l\x1b[?7l"
#define END "\x1b[?7h\x1b[?25h\x1b[?1049l"
#define HOME "\x1b[H"
#define CLEAR_LINE "\x1b[K"
#define CLEAR_REST "\x1b[J"

#define KEY_INTERRUPT '\x03'
#define KEY_END_OF_FILE '\x04'

#define ROWS_DEFAULT 24U

bool screen_is_possible(void) {
        const char *term = getenv("TERM");

        return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && term && !streq(term, "dumb");
}

int screen_begin(Screen *s, Error *reterr) {
        sigset_t set;

        (void) sigemptyset(&set); /* these only fail for wrong arguments */
        static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH };
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                (void) sigaddset(&set, signals[i]);
        s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (s->signal_fd < 0)
                return error_set_errno(reterr, -errno, ERROR_FAILED, "Waiting for signals failed");
        (void) sigprocmask(SIG_BLOCK, &set, &s->old_signals);
        int r = tty_set_raw(STDIN_FILENO, &s->saved);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_FAILED, "The terminal cannot be set up");
        s->raw = true;
        (void) fputs(BEGIN, stdout); /* main() looks at the stream */
        return 0;
}

void screen_end(Screen *s) {
        if (s->raw) {
                (void) fputs(END, stdout);
                (void) fflush(stdout); /* before the mode changes; main() looks at the stream */
                (void) tty_restore(STDIN_FILENO, &s->saved); /* it may be gone */
                s->raw = false;
        }
        if (s->signal_fd >= 0) {
                s->signal_fd = fd_close(s->signal_fd);
                (void) sigprocmask(SIG_SETMASK, &s->old_signals, NULL);
        }
}

void screen_draw(const char *text) {
        unsigned rows, columns;

        if (tty_get_size(STDOUT_FILENO, &rows, &columns) < 0 || rows == 0)
                rows = ROWS_DEFAULT;
        (void) fputs(HOME, stdout); /* main() looks at the stream */
        for (unsigned row = 0; *text && row < rows; row++) {
                const size_t n = strcspn(text, "\n");
                /* a line feed below the last line would move the picture */
                (void) printf("%s%.*s" CLEAR_LINE, row > 0 ? "\r\n" : "", (int) n, text);
                text += n + (text[n] == '\n');
        }
        (void) fputs(CLEAR_REST, stdout);
        (void) fflush(stdout);
}

static ScreenEvent read_signal(const Screen *s) {
        struct signalfd_siginfo si;
        ScreenEvent event = SCREEN_RESIZED;

        while (read(s->signal_fd, &si, sizeof(si)) == (ssize_t) sizeof(si))
                if (si.ssi_signo != SIGWINCH)
                        event = SCREEN_END;
        return event;
}

ScreenEvent screen_wait(const Screen *s, usec_t timeout_usec, char *ret_key) {
        struct pollfd p[] = { { .fd = s->signal_fd, .events = POLLIN },
                              { .fd = STDIN_FILENO, .events = POLLIN } };
        const struct timespec ts = { .tv_sec = (time_t) (timeout_usec / USEC_PER_SEC),
                                     .tv_nsec =
                                             (long) (timeout_usec % USEC_PER_SEC * NSEC_PER_USEC) };
        int r;

        do
                r = ppoll(p, ELEMENTSOF(p), &ts, NULL);
        while (r < 0 && errno == EINTR);
        if (r <= 0)
                return r < 0 ? SCREEN_END : SCREEN_TIME;
        if (p[0].revents)
                return read_signal(s);
        if (read(STDIN_FILENO, ret_key, 1) != 1 || IN_SET(*ret_key, KEY_INTERRUPT, KEY_END_OF_FILE))
                return SCREEN_END;
        return SCREEN_KEY;
}
