/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The picture on a terminal, as the terminal gets it. */
#include "cli/screen.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "basic/fd.h"
#include "test.h"

/* A terminal of 20 columns and 3 rows becomes stdin and stdout; ret is its other end. */
static void use_terminal(int *ret) {
        const struct winsize size = { .ws_row = 3, .ws_col = 20 };
        int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        ASSERT_OK(master);
        ASSERT_OK(unlockpt(master));
        int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
        ASSERT_OK(slave);
        ASSERT_OK(ioctl(slave, TIOCSWINSZ, &size));
        ASSERT_OK(dup2(slave, STDIN_FILENO));
        ASSERT_OK(dup2(slave, STDOUT_FILENO));
        fd_close(slave);
        *ret = master;
}

/* What was written, whole: a terminal may hand it over in pieces. EIO is its end when nobody has the other end open. */
static void read_to_end(int master, char *ret, size_t size) {
        size_t n = 0;
        ssize_t k;

        while ((k = read(master, ret + n, size - 1 - n)) > 0)
                n += (size_t) k;
        ret[n] = '\0';
}

TEST(picture) {
        Screen s = SCREEN_NULL;
        Error e = ERROR_NULL;
        char text[512];
        const int out = dup(STDOUT_FILENO), in = dup(STDIN_FILENO);
        int master;

        use_terminal(&master);
        const int begun = screen_begin(&s, &e);
        screen_draw("a head that is longer than the terminal is wide\n1\n2\n3\n4\n");
        screen_end(&s);
        (void) dup2(out, STDOUT_FILENO);
        (void) dup2(in, STDIN_FILENO);
        read_to_end(master, text, sizeof(text));
        fd_close(out);
        fd_close(in);
        fd_close(master);

        ASSERT_OK(begun);
        /* a row a line, three in all: nothing wraps, nothing scrolls; afterwards lines wrap again */
        const char *off = strstr(text, "\x1b[?7l"), *head = strstr(text, "a head"),
                   *last = strstr(text, "\r\n2"), *on = strstr(text, "\x1b[?7h");
        ASSERT_TRUE(off && head && last && on && off < head && head < last && last < on);
        ASSERT_NULL(strstr(text, "\r\n3"));
        ASSERT_TRUE(strstr(on, "\x1b[?1049l") != NULL);
}

TEST_MAIN
