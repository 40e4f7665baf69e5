/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Client of org.berth.Containers1: programs, sessions and copies. */
#include "bus/manager1-operation.h"

#include <poll.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "bus/bus.h"
#include "bus/manager1.h"
#include "sys/socket.h"

#define GREETING_TIMEOUT_MSEC 5000             /* for the supervisor, which only forwards bytes */
#define START_TIMEOUT_USEC (30 * USEC_PER_SEC) /* the manager gives up earlier, and says why */

void program_handle_done(ProgramHandle *h) {
        h->status_fd = fd_close(h->status_fd);
        h->terminal_fd = fd_close(h->terminal_fd);
}

/* A descriptor of the reply that outlives it. *at stays unset when there is none. */
static int take_fd(sd_bus_message *reply, int *at) {
        int fd, r = sd_bus_message_read_basic(reply, 'h', &fd);
        if (r <= 0)
                return r;
        *at = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return *at < 0 ? -errno : 0;
}

static int take_optional_fd(sd_bus_message *reply, int *at) {
        int r = sd_bus_message_enter_container(reply, 'a', "h");
        if (r >= 0)
                r = take_fd(reply, at);
        return r;
}

static int bad_reply(int r, const char *name, Error *reterr) {
        return error_set_errno(reterr, r, ERROR_PROTOCOL,
                               "The manager's answer about '%s' cannot be read", name);
}

static int append_text_option(sd_bus_message *m, const char *key, const char *value) {
        return value ? sd_bus_message_append(m, "{sv}", key, "s", value) : 0;
}

static int append_environment(sd_bus_message *m, char *const *environment) {
        int r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", "Environment");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_append_strv(m, (char **) environment);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_exec(sd_bus_message *m, const ExecCall *call) {
        int r = sd_bus_message_append(m, "s", call->name);
        if (r >= 0)
                r = sd_bus_message_append_strv(m, (char **) call->argv);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = append_text_option(m, "User", call->user);
        if (r >= 0)
                r = append_text_option(m, "WorkingDirectory", call->working_directory);
        if (r >= 0 && call->timeout_usec != USEC_INFINITY)
                r = sd_bus_message_append(m, "{sv}", "TimeoutUSec", "t", call->timeout_usec);
        if (r >= 0 && call->terminal)
                r = sd_bus_message_append(m, "{sv}", "Terminal", "b", true);
        if (r >= 0 && !strv_isempty(call->environment))
                r = append_environment(m, call->environment);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r < 0 || call->terminal)
                return r < 0 ? r : sd_bus_message_append(m, "ah", 0);
        return sd_bus_message_append(m, "ah", 3, call->stdio[0], call->stdio[1], call->stdio[2]);
}

int manager1_exec(sd_bus *bus, const ExecCall *call, ProgramHandle *ret, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_(program_handle_done) ProgramHandle h = PROGRAM_HANDLE_NULL;
        int r = manager1_new_call(bus, "ExecContainer", &m, reterr);
        if (r < 0)
                return r;
        r = append_exec(m, call);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_BUS_FAILED,
                                       "Writing the call for '%s' failed", call->name);
        r = manager1_call(bus, m, START_TIMEOUT_USEC, &reply, reterr);
        if (r < 0)
                return r;
        r = take_fd(reply, &h.status_fd);
        if (r >= 0)
                r = take_optional_fd(reply, &h.terminal_fd);
        if (r < 0)
                return bad_reply(r, call->name, reterr);
        *ret = h;
        h = (ProgramHandle) PROGRAM_HANDLE_NULL;
        return 0;
}

static int call_terminal(sd_bus *bus, sd_bus_message *m, const char *name, ProgramHandle *ret,
                         Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(program_handle_done) ProgramHandle h = PROGRAM_HANDLE_NULL;
        int r = manager1_call(bus, m, START_TIMEOUT_USEC, &reply, reterr);
        if (r < 0)
                return r;
        r = take_fd(reply, &h.terminal_fd);
        if (r >= 0)
                r = sd_bus_message_skip(reply, "s");
        if (r >= 0)
                r = take_optional_fd(reply, &h.status_fd);
        if (r < 0)
                return bad_reply(r, name, reterr);
        *ret = h;
        h = (ProgramHandle) PROGRAM_HANDLE_NULL;
        return 0;
}

int manager1_open_shell(sd_bus *bus, const char *name, const char *user, const char *program,
                        char *const *arguments, char *const *environment, ProgramHandle *ret,
                        Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = manager1_new_call(bus, "OpenContainerShell", &m, reterr);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "sss", name, strempty(user), strempty(program));
        if (r >= 0)
                r = sd_bus_message_append_strv(m, (char **) arguments);
        if (r >= 0)
                r = sd_bus_message_append_strv(m, (char **) environment);
        return r < 0 ? error_oom(reterr) : call_terminal(bus, m, name, ret, reterr);
}

int manager1_open_login(sd_bus *bus, const char *name, ProgramHandle *ret, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = manager1_new_call(bus, "OpenContainerLogin", &m, reterr);
        if (r < 0)
                return r;
        if (sd_bus_message_append(m, "s", name) < 0)
                return error_oom(reterr);
        return call_terminal(bus, m, name, ret, reterr);
}

static int append_descriptors(sd_bus_message *m, const CopyCall *call) {
        int r = sd_bus_message_open_container(m, 'a', "(sh)");
        if (r >= 0 && call->archive_fd >= 0)
                r = sd_bus_message_append(m, "(sh)", "Archive", call->archive_fd);
        if (r >= 0 && call->progress_fd >= 0)
                r = sd_bus_message_append(m, "(sh)", "Progress", call->progress_fd);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int manager1_copy(sd_bus *bus, CopyCall *call, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = manager1_new_call(
                bus, call->to_container ? "CopyToContainerWith" : "CopyFromContainerWith", &m,
                reterr);
        if (r >= 0 && (sd_bus_message_append(m, "ssst", call->name, strempty(call->source),
                                             strempty(call->destination), call->flags) < 0 ||
                       append_descriptors(m, call) < 0))
                r = error_oom(reterr);
        call->archive_fd = fd_close(call->archive_fd);
        call->progress_fd = fd_close(call->progress_fd);
        return r < 0 ? r : manager1_call(bus, m, USEC_INFINITY, NULL, reterr);
}

int manager1_bind(sd_bus *bus, const char *name, const char *source, const char *destination,
                  uint64_t flags, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = manager1_new_call(bus, "BindMountContainer", &m, reterr);
        if (r < 0)
                return r;
        if (sd_bus_message_append(m, "ssst", name, source, strempty(destination), flags) < 0)
                return error_oom(reterr);
        return manager1_call(bus, m, START_TIMEOUT_USEC, NULL, reterr);
}

int manager1_unbind(sd_bus *bus, const char *name, const char *destination, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = manager1_new_call(bus, "UnbindContainer", &m, reterr);
        if (r < 0)
                return r;
        if (sd_bus_message_append(m, "ss", name, destination) < 0)
                return error_oom(reterr);
        return manager1_call(bus, m, START_TIMEOUT_USEC, NULL, reterr);
}

static int read_binds(sd_bus_message *reply, BindFound found, void *userdata) {
        BindInfo b;
        int read_only, r = sd_bus_message_enter_container(reply, 'a', "(ssbs)");
        while (r >= 0 && (r = sd_bus_message_read(reply, "(ssbs)", &b.source, &b.destination,
                                                  &read_only, &b.origin)) > 0) {
                b.read_only = read_only;
                r = found(&b, userdata);
        }
        return r;
}

int manager1_list_binds(sd_bus *bus, const char *name, BindFound found, void *userdata,
                        Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        int r = manager1_new_call(bus, "ListContainerBinds", &m, reterr);
        if (r < 0)
                return r;
        if (sd_bus_message_append(m, "s", name) < 0)
                return error_oom(reterr);
        r = manager1_call(bus, m, START_TIMEOUT_USEC, &reply, reterr);
        if (r < 0)
                return r;
        r = read_binds(reply, found, userdata);
        return r < 0 ? bad_reply(r, name, reterr) : 0;
}

/* The supervisor's first word. */
static int read_greeting(int fd, int *ret_size_fd) {
        int fds[SOCKET_MAX_FDS];
        char byte;
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int n = poll(&p, 1, GREETING_TIMEOUT_MSEC);
        if (n <= 0)
                return n < 0 ? -errno : -ETIMEDOUT;
        ssize_t size = socket_receive(fd, &byte, 1, fds);
        for (size_t i = 1; i < ELEMENTSOF(fds); i++)
                fds[i] = fd_close(fds[i]);
        *ret_size_fd = fds[0];
        return size < 0 ? (int) size : size == 0 || fds[0] < 0 ? -ENOTTY : 0;
}

int manager1_attach(sd_bus *bus, const char *name, bool history_only, ProgramHandle *ret,
                    int *ret_size_fd, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_(program_handle_done) ProgramHandle h = PROGRAM_HANDLE_NULL;
        int r = manager1_new_call(bus, "AttachContainer", &m, reterr);
        if (r < 0)
                return r;
        if (sd_bus_message_append(m, "st", name, history_only ? UINT64_C(1) : UINT64_C(0)) < 0)
                return error_oom(reterr);
        r = manager1_call(bus, m, 0, &reply, reterr);
        if (r < 0)
                return r;
        r = take_fd(reply, &h.terminal_fd);
        if (r < 0)
                return bad_reply(r, name, reterr);
        r = read_greeting(h.terminal_fd, ret_size_fd);
        if (r == -ENOTTY) {
                r = error_set(reterr, r, ERROR_UNSUPPORTED, "Container '%s' has no console", name);
                error_hint(reterr,
                           "it was started with --console=pipe; 'berth shell %s' opens a shell",
                           name);
                return r;
        }
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_CONSOLE_FAILED,
                                       "Connecting to the console of '%s' failed", name);
        *ret = h;
        h = (ProgramHandle) PROGRAM_HANDLE_NULL;
        return 0;
}
