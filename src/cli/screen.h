/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A whole terminal for a picture that changes: a second screen, no cursor, single keys. It is given back as it was, whatever ends the program
 * but SIGKILL. */
#pragma once

#include <signal.h>
#include <termios.h>

#include "basic/error.h"
#include "basic/time.h"

typedef struct Screen {
        int signal_fd; /* SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH */
        sigset_t old_signals;
        struct termios saved;
        bool raw;
} Screen;
#define SCREEN_NULL \
        { .signal_fd = -EBADF }

/* stdin and stdout are a terminal. */
bool screen_is_possible(void);
int screen_begin(Screen *s, Error *reterr);
void screen_end(Screen *s);

/* Draws lines that each end with "\n"; what does not fit is left out. */
void screen_draw(const char *text);

typedef enum ScreenEvent {
        SCREEN_TIME,    /* is over */
        SCREEN_KEY,     /* *ret_key */
        SCREEN_RESIZED, /* draw again */
        SCREEN_END,     /* ^C, a signal, or the terminal is gone */
} ScreenEvent;
ScreenEvent screen_wait(const Screen *s, usec_t timeout_usec, char *ret_key);
