/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls: memfd_create, posix_spawnp, waitpid. An interrupt is the pager's matter while it runs.
 *
 * Variables are systemd's: $SYSTEMD_PAGER, $PAGER; $SYSTEMD_LESS, $SYSTEMD_LESSCHARSET; $SYSTEMD_PAGERSECURE. Who may have become another user (by sudo,
 * say) gets less(1) in its secure mode, which executes nothing, unless that last variable decides. */
#include "cli/pager.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/parse.h"
#include "basic/strv.h"
#include "sys/tty.h"

#define LESS_OPTIONS "FRSXMK"
#define LESS_CHARSET "utf-8"
#define LOGIN_UID_FILE "/proc/self/loginuid"
#define LOGIN_UID_UNSET UINT32_MAX
#define ROWS_DEFAULT 24U
#define COLUMNS_DEFAULT 80U

/* It is not certain that who logged in is who this runs as. */
static bool user_may_have_changed(void) {
        static const char *const tellers[] = { "SUDO_UID", "PKEXEC_UID", "DOAS_USER" };
        _cleanup_free_ char *text = NULL;
        uint32_t uid;

        for (size_t i = 0; i < ELEMENTSOF(tellers); i++)
                if (getenv(tellers[i]))
                        return true;
        return getuid() != geteuid() ||
               file_read_all(AT_FDCWD, LOGIN_UID_FILE, 32, &text, NULL) < 0 ||
               parse_u32(strstrip(text), &uid) < 0 || uid == LOGIN_UID_UNSET || uid != geteuid();
}

typedef struct PagerChoice {
        const char *words; /* NULL: the first of the usual ones */
        bool none;
        bool secure;    /* less(1) is told */
        bool only_less; /* nobody said that another one could be trusted */
} PagerChoice;

static PagerChoice choose(void) {
        const char *secure = getenv("SYSTEMD_PAGERSECURE"), *words = getenv("SYSTEMD_PAGER");
        PagerChoice c = { .words = words ? words : getenv("PAGER") };

        if (secure)
                c.secure = parse_boolean(secure) != 0; /* what is neither is the safe one */
        else
                c.only_less = c.secure = user_may_have_changed();
        c.none = c.words && (isempty(c.words) || streq(c.words, "cat"));
        return c;
}

static bool terminal_is_dumb(void) {
        const char *term = getenv("TERM");
        return isempty(term) || streq(term, "dumb");
}

void pager_begin(Pager *p) {
        *p = (Pager){ 0 };
        if (!isatty(STDOUT_FILENO) || terminal_is_dumb() || choose().none)
                return;
        FILE *f = open_memstream(&p->text, &p->size);
        if (!f)
                return; /* without memory it is shown as it comes */
        p->terminal = stdout;
        stdout = f; /* a variable, with glibc */
}

/* Behind a sequence like "\x1b[1;31m". */
static const char *skip_sequence(const char *s) {
        if (s[0] != '\x1b' || s[1] != '[')
                return NULL;
        for (s += 2; *s && (*s < '@' || *s > '~');)
                s++;
        return *s ? s + 1 : s;
}

size_t pager_count_rows(const char *text, size_t columns) {
        size_t rows = 0, width = 0;

        for (const char *s = text; *s;) {
                const char *behind = skip_sequence(s);
                if (behind) {
                        s = behind;
                        continue;
                }
                if (*s == '\n') {
                        rows += 1 + (width > 0 ? (width - 1) / columns : 0);
                        width = 0;
                } else
                        width += ((unsigned char) *s & 0xc0) != 0x80;
                s++;
        }
        return rows + (width + columns - 1) / columns;
}

/* With room for the shell's next prompt. */
static bool fits(const char *text) {
        unsigned rows = 0, columns = 0;

        (void) tty_get_size(STDOUT_FILENO, &rows, &columns); /* then it is taken for a usual one */
        return pager_count_rows(text, columns > 0 ? columns : COLUMNS_DEFAULT) <
               (rows > 0 ? rows : ROWS_DEFAULT);
}

/* 0, or negative if there is no such program. */
static int spawn(char *const *words, char *const *environment, int input_fd, pid_t *ret) {
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        sigset_t defaults;

        int r = posix_spawn_file_actions_init(&actions);
        if (r != 0)
                return -r;
        r = posix_spawnattr_init(&attributes);
        if (r == 0) {
                (void) sigemptyset(&defaults); /* these cannot fail with valid arguments */
                (void) sigaddset(&defaults, SIGINT);
                (void) sigaddset(&defaults, SIGQUIT);
                (void) posix_spawnattr_setsigdefault(&attributes, &defaults);
                (void) posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
                r = posix_spawn_file_actions_adddup2(&actions, input_fd, STDIN_FILENO);
                if (r == 0)
                        r = posix_spawnp(ret, words[0], &actions, &attributes, words, environment);
                (void) posix_spawnattr_destroy(&attributes);
        }
        (void) posix_spawn_file_actions_destroy(&actions);
        return -r;
}

/* Ours, and what less(1) is to know. */
static int environment_new(bool secure, char ***ret) {
        const char *less = getenv("SYSTEMD_LESS"), *charset = getenv("SYSTEMD_LESSCHARSET");
        _cleanup_strv_free_ char **l = NULL;
        int r = 0;

        for (char *const *e = environ; r >= 0 && e && *e; e++)
                if (!startswith(*e, "LESS=") && !startswith(*e, "LESSCHARSET=") &&
                    !startswith(*e, "LESSSECURE="))
                        r = strv_extend(&l, *e);
        if (r >= 0)
                r = strv_extendf(&l, "LESS=%s", less ? less : LESS_OPTIONS);
        if (r >= 0)
                r = strv_extendf(&l, "LESSCHARSET=%s", charset ? charset : LESS_CHARSET);
        if (r >= 0 && secure)
                r = strv_extend(&l, "LESSSECURE=1");
        if (r >= 0)
                *ret = TAKE_PTR(l);
        return r;
}

/* 1: it runs. 0: there is none. */
static int start_pager(int input_fd, pid_t *ret) {
        static const char *const usual[] = { "pager", "less", "more" };
        const PagerChoice c = choose();
        _cleanup_strv_free_ char **words = NULL, **environment = NULL;

        int r = environment_new(c.secure, &environment);
        if (r < 0)
                return r;
        if (c.words && !c.only_less && strv_split(&words, c.words, NULL, WORD_UNQUOTE) >= 0 &&
            !strv_isempty(words) && spawn(words, environment, input_fd, ret) >= 0)
                return 1;
        for (size_t i = 0; i < ELEMENTSOF(usual); i++) {
                char *const one[] = { (char *) usual[i], NULL };
                if ((!c.secure || streq(usual[i], "less")) &&
                    spawn(one, environment, input_fd, ret) >= 0)
                        return 1;
        }
        return 0;
}

/* 1: a pager has shown it. */
static int show(const char *text, size_t size) {
        static const int signals[] = { SIGINT, SIGQUIT };
        struct sigaction ignore = { .sa_handler = SIG_IGN }, before[ELEMENTSOF(signals)];
        _cleanup_close_ int fd = memfd_new_sealed("berth-pager", text, size);
        pid_t pid;

        if (fd < 0)
                return fd;
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                (void) sigaction(signals[i], &ignore, before + i); /* valid signals */
        int r = start_pager(fd, &pid);
        while (r > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ; /* how it ended is between it and the user */
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                (void) sigaction(signals[i], before + i, NULL);
        return r;
}

int pager_end(Pager *p, Error *reterr) {
        if (!p->terminal)
                return 0;
        FILE *f = stdout;
        stdout = p->terminal;
        const bool failed = ferror(f);
        _cleanup_free_ char *text = NULL;
        const int closed = fclose(f); /* sets text and size */
        text = p->text;
        if (failed || closed != 0 || !text)
                return error_oom(reterr);
        if (p->size > 0 && (fits(text) || show(text, p->size) <= 0))
                (void) fwrite(text, 1, p->size, stdout); /* the end of main() looks at the stream */
        *p = (Pager){ 0 };
        return 0;
}
