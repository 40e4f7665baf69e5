/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is shown by a pager, on a terminal of 20 columns and 4 rows, and by which. */
#include "cli/pager.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "test.h"

#define LONG "1\n2\n3\n4\n5\n"

/* Prints on a terminal of its own; returns what came there, without carriage returns. Allocated. */
static char *printed(const char *text) {
        const struct winsize size = { .ws_row = 4, .ws_col = 20 };
        const int out = dup(STDOUT_FILENO);
        static char seen[4096];
        Error e = ERROR_NULL;
        size_t n = 0, kept = 0;
        ssize_t k;
        Pager p;

        int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        ASSERT_OK(master);
        ASSERT_OK(unlockpt(master));
        int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
        ASSERT_OK(slave);
        ASSERT_OK(ioctl(slave, TIOCSWINSZ, &size));
        (void) fflush(stdout);
        ASSERT_OK(dup2(slave, STDOUT_FILENO));
        fd_close(slave);
        pager_begin(&p);
        (void) fputs(text, stdout);
        const int r = pager_end(&p, &e);
        (void) fflush(stdout);
        (void) dup2(out, STDOUT_FILENO);
        fd_close(out);
        while ((k = read(master, seen + n, sizeof(seen) - 1 - n)) > 0)
                n += (size_t) k;
        fd_close(master);
        ASSERT_OK(r);
        for (size_t i = 0; i < n; i++)
                if (seen[i] != '\r')
                        seen[kept++] = seen[i];
        seen[kept] = '\0';
        return strdup(seen);
}

static void set(const char *pager, const char *other, const char *secure, const char *term) {
        const char *const variables[][2] = { { "SYSTEMD_PAGER", pager },
                                             { "PAGER", other },
                                             { "SYSTEMD_PAGERSECURE", secure },
                                             { "TERM", term } };
        for (size_t i = 0; i < ELEMENTSOF(variables); i++)
                if (variables[i][1])
                        ASSERT_OK(setenv(variables[i][0], variables[i][1], 1));
                else
                        ASSERT_OK(unsetenv(variables[i][0]));
}

#define ASSERT_PRINTS(text, expected)                    \
        do {                                             \
                _cleanup_free_ char *_t = printed(text); \
                ASSERT_STREQ(_t, expected);              \
        } while (0)

TEST(rows) {
        static const struct {
                const char *text;
                size_t rows;
        } cases[] = {
                { "", 0 },
                { "a", 1 },
                { "a\n", 1 },
                { "\n\n", 2 },
                { "12345678901234567890\n", 1 },
                { "123456789012345678901\n", 2 },
                { "1234567890123456789012345678901234567890", 2 },
                { "ä€äääääääääääääääää\n", 1 },
                { "\x1b[1;31m12345678901234567890\x1b[0m\n", 1 },
                { "\x1b[", 0 },
        };
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                ASSERT_EQ(pager_count_rows(cases[i].text, 20), cases[i].rows);
}

TEST(what_is_long) {
        set("sed 's/^/x/'", "false", "no", "xterm");
        ASSERT_PRINTS("1\n2\n3\n", "1\n2\n3\n");
        ASSERT_PRINTS(LONG, "x1\nx2\nx3\nx4\nx5\n");
        ASSERT_PRINTS("", "");
        /* how it ends does not matter */
        set("sh -c 'head -n1; exit 3'", NULL, "no", "xterm");
        ASSERT_PRINTS(LONG, "1\n");
}

TEST(which) {
        set(NULL, "sed 's/^/y/'", "no", "xterm");
        ASSERT_PRINTS(LONG, "y1\ny2\ny3\ny4\ny5\n");
        static const char *const none[][2] = {
                { "", "false" }, { "cat", "false" }, { NULL, "" }, { NULL, "cat" }
        };
        for (size_t i = 0; i < ELEMENTSOF(none); i++) {
                set(none[i][0], none[i][1], "no", "xterm");
                ASSERT_PRINTS(LONG, LONG);
        }
        set("false", NULL, "no", "dumb");
        ASSERT_PRINTS(LONG, LONG);
        set("false", NULL, "no", NULL);
        ASSERT_PRINTS(LONG, LONG);
}

TEST(what_cannot_be_run) {
        _cleanup_free_ char *path = strdup(getenv("PATH"));
        set("/nonexistent/pager -x", NULL, "no", "xterm");
        ASSERT_OK(setenv("PATH", "/nonexistent", 1));
        ASSERT_PRINTS(LONG, LONG);
        ASSERT_OK(setenv("PATH", path, 1));
}

TEST(options_of_less) {
        set("sh -c 'echo $LESS $LESSCHARSET $LESSSECURE'", NULL, "no", "xterm");
        ASSERT_PRINTS(LONG, "FRSXMK utf-8\n");
        set("sh -c 'echo $LESS $LESSCHARSET $LESSSECURE'", NULL, "yes", "xterm");
        ASSERT_OK(setenv("SYSTEMD_LESS", "R", 1));
        ASSERT_OK(setenv("SYSTEMD_LESSCHARSET", "latin1", 1));
        ASSERT_PRINTS(LONG, "R latin1 1\n");
        ASSERT_OK(unsetenv("SYSTEMD_LESS"));
        ASSERT_OK(unsetenv("SYSTEMD_LESSCHARSET"));
}

/* By sudo(8) and its like, no pager is run that could be told to run something else. */
TEST(another_user) {
        static const char *const names[] = { "pager", "less" };
        static const char *const tellers[] = { "SUDO_UID", "PKEXEC_UID", "DOAS_USER" };
        char directory[] = "/tmp/berth-pager-XXXXXX";
        _cleanup_free_ char *path = strdup(getenv("PATH")), *ours = NULL;
        ASSERT_NOT_NULL(mkdtemp(directory));
        ASSERT_NOT_NULL(ours = strf("%s:%s", directory, path));
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_free_ char *file = strf("%s/%s", directory, names[i]),
                                    *text = strf("#!/bin/sh\necho %s $LESSSECURE\n", names[i]);
                FILE *f = fopen(file, "we");
                ASSERT_NOT_NULL(f);
                (void) fputs(text, f);
                ASSERT_EQ(fchmod(fileno(f), 0755), 0);
                ASSERT_EQ(fclose(f), 0);
        }
        ASSERT_OK(setenv("PATH", ours, 1));
        for (size_t i = 0; i < ELEMENTSOF(tellers); i++) {
                ASSERT_OK(setenv(tellers[i], "1000", 1));
                set("sed 's/^/x/'", NULL, NULL, "xterm");
                ASSERT_PRINTS(LONG, "less 1\n");
                ASSERT_OK(unsetenv(tellers[i]));
        }
        set(NULL, NULL, "yes", "xterm"); /* pager(1) may be any */
        ASSERT_PRINTS(LONG, "less 1\n");
        set(NULL, NULL, "no", "xterm");
        ASSERT_PRINTS(LONG, "pager\n");
        ASSERT_OK(setenv("PATH", path, 1));
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_free_ char *file = strf("%s/%s", directory, names[i]);
                ASSERT_OK(unlink(file));
        }
        ASSERT_OK(rmdir(directory));
}

/* Where stdout is no terminal nothing is kept. */
TEST(no_terminal) {
        const int out = dup(STDOUT_FILENO), null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
        FILE *before = stdout;
        Pager p;
        set("false", NULL, "no", "xterm");
        ASSERT_OK(dup2(null_fd, STDOUT_FILENO));
        pager_begin(&p);
        const bool same = stdout == before;
        ASSERT_OK(pager_end(&p, NULL));
        ASSERT_OK(dup2(out, STDOUT_FILENO));
        fd_close(out);
        fd_close(null_fd);
        ASSERT_TRUE(same);
}

TEST_MAIN
