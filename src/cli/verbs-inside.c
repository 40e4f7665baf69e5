/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs that work inside a container: exec, shell, login. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "bus/bus.h"
#include "bus/manager1-operation.h"
#include "bus/manager1.h"
#include "cli/complain.h"
#include "cli/forward.h"
#include "cli/verbs.h"

#define END_TRIES 10U
#define END_PAUSE_USEC 50000
#define EXIT_TIMEOUT 124 /* as timeout(1) */
#define EXIT_SIGNAL 128  /* and the signal, as a shell */

/* ---- programs ---- */

/* Pipes for those of our descriptors that are a terminal: the program has none, and shall not get ours. */
static int make_stdio(int stdio[static 3], int ours[static 3], Error *reterr) {
        for (int i = 0; i < 3; i++) {
                int p[2];
                ours[i] = -EBADF;
                stdio[i] = -EBADF;
                if (!isatty(i)) {
                        const int flags = fcntl(i, F_GETFL);
                        /* closed by our caller: see fd_fill_stdio() */
                        stdio[i] = flags < 0 || (flags & O_PATH)
                                           ? open("/dev/null", O_RDWR | O_CLOEXEC)
                                           : fcntl(i, F_DUPFD_CLOEXEC, 3);
                        if (stdio[i] < 0)
                                return error_set_errno(reterr, -errno, ERROR_FAILED,
                                                       "Passing descriptor %d failed", i);
                        continue;
                }
                if (pipe2(p, O_CLOEXEC) < 0)
                        return error_set_errno(reterr, -errno, ERROR_FAILED,
                                               "Making a pipe failed");
                stdio[i] = p[i == 0 ? 0 : 1];
                ours[i] = p[i == 0 ? 1 : 0];
        }
        return 0;
}

static int follow(const char *name, ProgramHandle *h, const int pipes[static 3], Error *reterr) {
        Forward f = { .status_fd = h->status_fd,
                      .terminal_fd = h->terminal_fd,
                      .size_fd = -EBADF,
                      .pipe_fds = { pipes[0], pipes[1], pipes[2] },
                      .name = name };
        ForwardEnd end;
        int status;
        int r = forward_run(&f, &end, &status, reterr);
        if (r < 0)
                return r;
        switch (end) {
        case FORWARD_EXITED:
                return status;
        case FORWARD_KILLED:
                return EXIT_SIGNAL + status;
        case FORWARD_TIMEOUT:
                (void) fprintf(stderr, "berth: The program ran for too long and was ended\n");
                return EXIT_TIMEOUT;
        case FORWARD_DETACHED:
                return 0;
        case FORWARD_CLOSED:
        case FORWARD_LOST:
                break;
        }
        return error_set(reterr, -EPIPE, ERROR_FAILED,
                         "The connection to the program in '%s' was lost", name);
}

static int terminal_environment(char ***env) {
        static const char *const passed[] = { "TERM", "COLORTERM", "NO_COLOR" };
        for (size_t i = 0; i < ELEMENTSOF(passed); i++) {
                const char *value = getenv(passed[i]);
                if (!isempty(value) && strv_extendf(env, "%s=%s", passed[i], value) < 0)
                        return -ENOMEM;
        }
        return 0;
}

/* "NAME" takes the value from our environment; one that is not set is left out. */
static int add_environment(char *const *words, char ***env, Error *reterr) {
        STRV_FOREACH(word, words) {
                const char *value = getenv(*word);
                int r = 0;
                if (strchr(*word, '='))
                        r = strv_env_replace(env, *word);
                else if (value)
                        r = strv_extendf(env, "%s=%s", *word, value);
                if (r < 0)
                        return error_oom(reterr);
        }
        return 0;
}

/* The bus in a container is a socket of this kernel, and takes descriptors. */
static int refuse_host(const Invocation *v, Error *reterr) {
        return v->options.host ? verb_refuse_remote(
                                         v, "a terminal cannot be passed over the network", reterr)
                               : 0;
}

static int exec_program(const Invocation *v, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        _cleanup_(program_handle_done) ProgramHandle h = PROGRAM_HANDLE_NULL;
        _cleanup_strv_free_ char **env = NULL;
        int pipes[3] = { -EBADF, -EBADF, -EBADF };
        ExecCall call = {
                .name = v->arguments[0],
                .argv = v->arguments + 1,
                .user = v->options.user,
                .working_directory = v->options.working_directory,
                .timeout_usec = v->options.timeout_usec,
                .terminal = v->options.tty,
                .stdio = { -EBADF, -EBADF, -EBADF },
        };
        int r = call.terminal && terminal_environment(&env) < 0
                        ? error_oom(reterr)
                        : add_environment(v->options.environment, &env, reterr);
        call.environment = env;
        if (r >= 0)
                r = verb_connect(v, &bus, reterr);
        if (r >= 0 && !call.terminal)
                r = make_stdio(call.stdio, pipes, reterr);
        if (r >= 0)
                r = manager1_exec(bus, &call, &h, reterr);
        for (size_t i = 0; i < ELEMENTSOF(call.stdio); i++)
                fd_close(call.stdio[i]);
        if (r >= 0)
                r = follow(call.name, &h, pipes, reterr);
        else
                for (size_t i = 0; i < ELEMENTSOF(pipes); i++)
                        fd_close(pipes[i]);
        return r;
}

/* As with `berth run`: what is not the program's own status is 125 to 127. */
int verb_exec(const Invocation *v, Error *reterr) {
        _cleanup_error_ Error e = ERROR_NULL;
        int r = refuse_host(v, &e);
        if (r >= 0)
                r = exec_program(v, &e);
        return r < 0 ? complain(&e, EXIT_OF_RUN) : r;
}

/* ---- sessions ---- */

static void say_connected(const char *name) {
        if (isatty(STDIN_FILENO) && isatty(STDERR_FILENO))
                (void) fprintf(
                        stderr,
                        "Connected to container '%s'. Press ^] three times within 1s to leave.\n",
                        name);
}

int verb_shell(const Invocation *v, Error *reterr) {
        static const int no_pipes[3] = { -EBADF, -EBADF, -EBADF };
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        _cleanup_(program_handle_done) ProgramHandle h = PROGRAM_HANDLE_NULL;
        _cleanup_strv_free_ char **env = NULL;
        _cleanup_free_ char *user = NULL;
        const char *name = v->arguments[0], *at = strrchr(name, '@');
        if (at) {
                user = strndup(name, (size_t) (at - name));
                if (!user)
                        return error_oom(reterr);
                name = at + 1;
        }
        if (terminal_environment(&env) < 0)
                return error_oom(reterr);
        int r = refuse_host(v, reterr);
        if (r >= 0)
                r = add_environment(v->options.environment, &env, reterr);
        if (r >= 0)
                r = verb_connect(v, &bus, reterr);
        if (r >= 0)
                r = manager1_open_shell(bus, name, v->options.user ?: user, v->arguments[1],
                                        v->arguments + 1, env, &h, reterr);
        if (r < 0)
                return r;
        say_connected(name);
        return follow(name, &h, no_pipes, reterr);
}

int verb_login(const Invocation *v, Error *reterr) {
        static const int no_pipes[3] = { -EBADF, -EBADF, -EBADF };
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        _cleanup_(program_handle_done) ProgramHandle h = PROGRAM_HANDLE_NULL;
        int r = refuse_host(v, reterr);
        if (r >= 0)
                r = verb_connect(v, &bus, reterr);
        if (r >= 0)
                r = manager1_open_login(bus, v->arguments[0], &h, reterr);
        if (r < 0)
                return r;
        say_connected(v->arguments[0]);
        return follow(v->arguments[0], &h, no_pipes, reterr);
}

/* ---- the console ---- */

static int print_history(int fd, Error *reterr) {
        char buffer[4096];
        for (;;) {
                ssize_t n = recv(fd, buffer, sizeof(buffer), 0);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return error_set_errno(reterr, -errno, ERROR_FAILED,
                                               "Reading the console's history failed");
                if (n == 0)
                        return 0;
                (void) fwrite(buffer, 1, (size_t) n,
                              stdout); /* checked with the stream as a whole */
        }
}

/* Ended, or taken over? */
static int tell_closed(sd_bus *bus, const char *name, Error *reterr) {
        for (unsigned i = 0; i < END_TRIES; i++) { /* its console goes a little before itself */
                _cleanup_(container_info_done) ContainerInfo info = { 0 };
                _cleanup_error_ Error e = ERROR_NULL;
                if (manager1_get(bus, name, &info, &e) < 0 ||
                    !streq(strempty(info.state), "running"))
                        return 0;
                (void) usleep(END_PAUSE_USEC);
        }
        int r = error_set(reterr, -EPIPE, ERROR_CONSOLE_FAILED,
                          "The connection to the console of '%s' was ended", name);
        error_hint(reterr,
                   "somebody else has attached, or this terminal did not keep up with the output");
        return r;
}

int verb_attach(const Invocation *v, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        _cleanup_(program_handle_done) ProgramHandle h = PROGRAM_HANDLE_NULL;
        _cleanup_close_ int size_fd = -EBADF;
        const char *name = v->arguments[0];
        ForwardEnd end;
        int status, r = refuse_host(v, reterr);
        if (r >= 0)
                r = verb_connect(v, &bus, reterr);
        if (r >= 0)
                r = manager1_attach(bus, name, v->options.history, &h, &size_fd, reterr);
        if (r < 0)
                return r;
        if (fd_nonblock(h.terminal_fd, !v->options.history) < 0)
                return error_oom(reterr);
        if (v->options.history)
                return print_history(h.terminal_fd, reterr);
        if (!v->options.quiet)
                say_connected(name);
        Forward f = { .status_fd = -EBADF,
                      .terminal_fd = h.terminal_fd,
                      .size_fd = size_fd,
                      .pipe_fds = { -EBADF, -EBADF, -EBADF },
                      .name = name };
        r = forward_run(&f, &end, &status, reterr);
        if (r < 0)
                return r;
        return end == FORWARD_CLOSED ? tell_closed(bus, name, reterr) : 0;
}
