/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls: posix_spawnp, waitpid. An interrupt, and the end of the terminal, are the editor's matter meanwhile: when it ends, what was
 * made for it is removed. */
#include "cli/editor.h"

#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/strv.h"

static int set_no_editor(Error *reterr) {
        int r = error_set(reterr, -ENOENT, ERROR_FAILED,
                          "There is no editor to edit settings with");
        error_hint(reterr, "name one in $EDITOR, or give the text with --stdin");
        return r;
}

/* "vim -n": words, split at white space. */
static int editor_from_environment(char ***ret, Error *reterr) {
        static const char *const names[] = { "SYSTEMD_EDITOR", "EDITOR", "VISUAL" };
        const bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);

        for (size_t i = 0; i < (terminal ? ELEMENTSOF(names) : 1); i++) {
                const char *value = getenv(names[i]);
                _cleanup_strv_free_ char **words = NULL;
                if (isempty(value))
                        continue;
                if (strv_split(&words, value, NULL, WORD_UNQUOTE) < 0 || strv_isempty(words))
                        return error_set(reterr, -EINVAL, ERROR_FAILED,
                                         "$%s is '%s', which names no editor", names[i], value);
                *ret = TAKE_PTR(words);
                return 1;
        }
        if (terminal)
                return 0;
        int r = error_set(reterr, -ENOTTY, ERROR_FAILED, "Settings are edited on a terminal");
        error_hint(reterr, "give the text with --stdin");
        return r;
}

/* 0, or negative if there is no such program. */
static int spawn(char *const *words, const char *path, pid_t *ret) {
        _cleanup_strv_free_ char **argv = strv_copy(words);
        posix_spawnattr_t attributes;
        sigset_t defaults;

        if (!argv || strv_extend(&argv, path) < 0)
                return -ENOMEM;
        int r = posix_spawnattr_init(&attributes);
        if (r != 0)
                return -r;
        (void) sigemptyset(&defaults); /* these cannot fail with valid arguments */
        (void) sigaddset(&defaults, SIGINT);
        (void) sigaddset(&defaults, SIGQUIT);
        (void) sigaddset(&defaults, SIGHUP);
        (void) posix_spawnattr_setsigdefault(&attributes, &defaults);
        (void) posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
        r = posix_spawnp(ret, argv[0], NULL, &attributes, argv, environ);
        (void) posix_spawnattr_destroy(&attributes);
        return -r;
}

static int wait_for_editor(pid_t pid, const char *name, Error *reterr) {
        int status;

        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return error_set_errno(reterr, -errno, ERROR_FAILED,
                                               "Waiting for the editor '%s' failed", name);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                return 0;
        return error_set(reterr, -ECANCELED, ERROR_FAILED,
                         "Editor '%s' ended with %s %d: nothing was changed", name,
                         WIFEXITED(status) ? "exit status" : "signal",
                         WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

/* The editor of the environment, or the first of the usual ones that there is. */
static int start_editor(const char *path, char ***words, pid_t *ret, Error *reterr) {
        static const char *const fallbacks[] = { "editor", "nano", "vim", "vi" };

        int found = editor_from_environment(words, reterr);
        if (found < 0)
                return found;
        int r = found > 0 ? spawn(*words, path, ret) : -ENOENT;
        for (size_t i = 0; !found && r == -ENOENT && i < ELEMENTSOF(fallbacks); i++) {
                strv_free(*words);
                *words = strv_new(fallbacks[i]);
                r = *words ? spawn(*words, path, ret) : -ENOMEM;
        }
        if (r == -ENOENT && !found)
                return set_no_editor(reterr);
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED, "Editor '%s' cannot be run",
                                       *words ? (*words)[0] : "")
                     : 0;
}

int editor_run(const char *path, Error *reterr) {
        _cleanup_strv_free_ char **words = NULL;
        pid_t pid;

        /* before it is there, which may send one at once */
        static const int signals[] = { SIGINT, SIGQUIT, SIGHUP };
        struct sigaction ignore = { .sa_handler = SIG_IGN }, before[ELEMENTSOF(signals)];
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                (void) sigaction(signals[i], &ignore, before + i); /* valid signals */
        int r = start_editor(path, &words, &pid, reterr);
        if (r >= 0)
                r = wait_for_editor(pid, words[0], reterr);
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                (void) sigaction(signals[i], before + i, NULL);
        return r;
}
