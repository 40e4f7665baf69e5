/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.berth.Containers1: the methods that look or work inside a container. Each starts an operation, and replies with its result. */
#include <inttypes.h>
#include <stdio.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "bus/bus.h"
#include "manager/operation.h"

#define STDIO_N 3

static int bad_arguments(int r, Error *reterr) {
        return error_set_errno(reterr, r, ERROR_PROTOCOL,
                               "The arguments of the call cannot be read");
}

/* ---- replies ---- */

static int append_fds(sd_bus_message *m, const int *fds, size_t n) {
        int r = sd_bus_message_open_container(m, 'a', "h");
        for (size_t i = 0; r >= 0 && i < n; i++)
                if (fds[i] >= 0)
                        r = sd_bus_message_append(m, "h", fds[i]);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_exec(sd_bus_message *m, const OperationResult *result) {
        int r = sd_bus_message_append(m, "h", result->fds[0]);
        return r < 0 ? r : append_fds(m, result->fds + 1, 1);
}

static int append_terminal(sd_bus_message *m, const OperationResult *result) {
        int r = sd_bus_message_append(m, "hs", result->fds[0], result->path);
        return r < 0 ? r : append_fds(m, result->fds + 1, 1);
}

static int append_directory(sd_bus_message *m, const OperationResult *result) {
        return sd_bus_message_append(m, "h", result->fds[0]);
}

static int append_nothing(sd_bus_message *m, const OperationResult *result) {
        return 0;
}

static int append_os_release(sd_bus_message *m, const OperationResult *result) {
        int r = sd_bus_message_open_container(m, 'a', "{ss}");
        for (const char *p = result->text, *end = p + result->size; r >= 0 && p < end;
             p += strlen(p) + 1) {
                const char *equals = strchr(p, '=');
                char name[256];
                if (!equals || (size_t) (equals - p) >= sizeof(name))
                        continue;
                memcpy(name, p, (size_t) (equals - p));
                name[equals - p] = '\0';
                r = sd_bus_message_append(m, "{ss}", name, equals + 1);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* "2 7f000001" */
static int append_address(sd_bus_message *m, const char *text) {
        uint8_t bytes[16];
        size_t n = 0;
        const int family = text[0] == '2' ? 2 : 10;
        const char *hex = strchr(text, ' ');
        for (hex = hex ? hex + 1 : ""; hex[0] && hex[1] && n < sizeof(bytes); hex += 2)
                bytes[n++] = (uint8_t) (ascii_hex_value(hex[0]) * 16 + ascii_hex_value(hex[1]));
        int r = sd_bus_message_open_container(m, 'r', "iay");
        if (r >= 0)
                r = sd_bus_message_append(m, "i", family);
        if (r >= 0)
                r = sd_bus_message_append_array(m, 'y', bytes, n);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* See OPERATION_LIST_BINDS. */
static int append_binds(sd_bus_message *m, const OperationResult *result) {
        int r = sd_bus_message_open_container(m, 'a', "(ssbs)");
        for (const char *p = result->text, *end = p + result->size; r >= 0 && end - p > 2;) {
                const char *source = p + 2, *destination = source + strlen(source) + 1;
                if (destination >= end)
                        return -EBADMSG;
                r = sd_bus_message_append(m, "(ssbs)", source, destination, p[0] == 'r',
                                          p[1] == 's' ? "settings" : "run-time");
                p = destination + strlen(destination) + 1;
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_addresses(sd_bus_message *m, const OperationResult *result) {
        int r = sd_bus_message_open_container(m, 'a', "(iay)");
        for (const char *p = result->text, *end = p + result->size; r >= 0 && p < end;
             p += strlen(p) + 1)
                r = append_address(m, p);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int (*const appenders[_OPERATION_TYPE_MAX])(sd_bus_message *m,
                                                   const OperationResult *result) = {
        [OPERATION_EXEC] = append_exec,
        [OPERATION_SHELL] = append_terminal,
        [OPERATION_LOGIN] = append_terminal,
        [OPERATION_PTY] = append_terminal,
        [OPERATION_ROOT_DIRECTORY] = append_directory,
        [OPERATION_OS_RELEASE] = append_os_release,
        [OPERATION_ADDRESSES] = append_addresses,
        [OPERATION_COPY_TO] = append_nothing,
        [OPERATION_COPY_FROM] = append_nothing,
        [OPERATION_BIND] = append_nothing,
        [OPERATION_UNBIND] = append_nothing,
        [OPERATION_LIST_BINDS] = append_binds,
};

int operation_append_result(sd_bus_message *m, OperationType type, const OperationResult *result) {
        return appenders[type](m, result);
}

static void reply_error(sd_bus_message *call, const Error *e) {
        _cleanup_(sd_bus_error_free) sd_bus_error b = SD_BUS_ERROR_NULL;
        (void) bus_error_from_error(&b, e);
        (void) sd_bus_reply_method_error(call, &b); /* the caller may be gone */
}

/* userdata: the row of appenders */
static void on_done(sd_bus_message *call, const OperationResult *result, const Error *e,
                    void *userdata) {
        int (*const *append)(sd_bus_message *, const OperationResult *) = userdata;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_error_ Error failed = ERROR_NULL;
        if (e) {
                reply_error(call, e);
                return;
        }
        int r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = (*append)(reply, result);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        if (r < 0) {
                (void) error_set_errno(&failed, r, ERROR_FAILED, "Writing the reply failed");
                reply_error(call, &failed);
        }
}

static int start(Manager *m, sd_bus_message *call, const char *container, const OperationRequest *q,
                 Error *reterr) {
        Container *c = container_find(m, container, reterr);
        return c ? operation_start(c, q, call, on_done, (void *) (appenders + q->type), reterr)
                 : -ENXIO;
}

/* ---- programs ---- */

/* "" is what is not given. */
static const char *nonempty(const char *s) {
        return isempty(s) ? NULL : s;
}

typedef struct ExecArguments {
        char **argv, **environment;
        const char *user, *working_directory; /* of the message */
        uint64_t timeout_usec;
        int terminal;
        int stdio[STDIO_N];
        size_t n_stdio;
} ExecArguments;

static void exec_arguments_done(ExecArguments *a) {
        strv_free(a->argv);
        strv_free(a->environment);
}

static int read_exec_option(sd_bus_message *call, const char *key, ExecArguments *a) {
        if (streq(key, "User"))
                return sd_bus_message_read(call, "v", "s", &a->user);
        if (streq(key, "WorkingDirectory"))
                return sd_bus_message_read(call, "v", "s", &a->working_directory);
        if (streq(key, "Terminal"))
                return sd_bus_message_read(call, "v", "b", &a->terminal);
        if (streq(key, "TimeoutUSec"))
                return sd_bus_message_read(call, "v", "t", &a->timeout_usec);
        if (!streq(key, "Environment"))
                return -EOPNOTSUPP;
        int r = sd_bus_message_enter_container(call, 'v', "as");
        if (r >= 0) {
                a->environment = strv_free(a->environment);
                r = sd_bus_message_read_strv(call, &a->environment);
        }
        return r < 0 ? r : sd_bus_message_exit_container(call);
}

static int read_exec_options(sd_bus_message *call, ExecArguments *a, Error *reterr) {
        int r = sd_bus_message_enter_container(call, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(call, 'e', "sv")) > 0) {
                const char *key;
                r = sd_bus_message_read(call, "s", &key);
                if (r >= 0)
                        r = read_exec_option(call, key, a);
                if (r == -EOPNOTSUPP)
                        return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                         "Unknown option '%.80s'", key);
                if (r == -ENXIO)
                        return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                         "The value of option '%.80s' has the wrong type", key);
                if (r >= 0)
                        r = sd_bus_message_exit_container(call);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(call);
        return r < 0 ? bad_arguments(r, reterr) : 0;
}

static int read_exec(sd_bus_message *call, ExecArguments *a, Error *reterr) {
        int fd, r = sd_bus_message_read_strv(call, &a->argv);
        if (r < 0)
                return bad_arguments(r, reterr);
        r = read_exec_options(call, a, reterr);
        if (r < 0)
                return r;
        r = sd_bus_message_enter_container(call, 'a', "h");
        while (r >= 0 && (r = sd_bus_message_read_basic(call, 'h', &fd)) > 0)
                if (a->n_stdio++ < STDIO_N)
                        a->stdio[a->n_stdio - 1] = fd; /* the message's */
        if (r < 0)
                return bad_arguments(r, reterr);
        const size_t expected = a->terminal ? 0 : STDIO_N;
        return a->n_stdio == expected ? 0
                                      : error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                                  "%zu descriptors were passed, %zu are expected",
                                                  a->n_stdio, expected);
}

int body_exec(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        _cleanup_(exec_arguments_done) ExecArguments a = { 0 };
        int r = read_exec(call, &a, reterr);
        if (r < 0)
                return r;
        const OperationRequest q = {
                .type = OPERATION_EXEC,
                .argv = a.argv,
                .user = nonempty(a.user),
                .working_directory = nonempty(a.working_directory),
                .environment = a.environment,
                .terminal = a.terminal,
                .stdio = a.terminal ? NULL : a.stdio,
                .timeout_usec = a.timeout_usec,
        };
        return start(m, call, container, &q, reterr);
}

/* The strings of the message live as long as it does; those of a list read by sd_bus_message_read_strv() do not. */
int details_exec(sd_bus_message *call, const char **ret_user, const char **ret_program,
                 Error *reterr) {
        _cleanup_(exec_arguments_done) ExecArguments a = { 0 };
        const char *program = NULL;
        int r = sd_bus_message_enter_container(call, 'a', "s");
        if (r >= 0)
                r = sd_bus_message_read_basic(call, 's', &program);
        while (r >= 0 && sd_bus_message_at_end(call, /* complete= */ false) == 0)
                r = sd_bus_message_skip(call, "s");
        if (r >= 0)
                r = sd_bus_message_exit_container(call);
        if (r < 0)
                return bad_arguments(r, reterr);
        r = read_exec_options(call, &a, reterr);
        if (r < 0)
                return r;
        *ret_user = nonempty(a.user) ?: "root";
        *ret_program = program;
        return 0;
}

int body_open_shell(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        _cleanup_strv_free_ char **arguments = NULL, **environment = NULL, **argv = NULL;
        const char *user, *path;
        int r = sd_bus_message_read(call, "ss", &user, &path);
        if (r >= 0)
                r = sd_bus_message_read_strv(call, &arguments);
        if (r >= 0)
                r = sd_bus_message_read_strv(call, &environment);
        if (r < 0)
                return bad_arguments(r, reterr);
        /* as systemd-machined has it: arguments, when there are any, begin with the name of the program */
        if (!isempty(path)) {
                r = strv_extend(&argv, path);
                if (r >= 0 && !strv_isempty(arguments))
                        r = strv_extend_strv(&argv, arguments + 1);
                if (r < 0)
                        return error_oom(reterr);
        }
        const OperationRequest q = { .type = OPERATION_SHELL,
                                     .argv = argv,
                                     .user = nonempty(user),
                                     .environment = environment,
                                     .terminal = true };
        return start(m, call, container, &q, reterr);
}

int details_shell(sd_bus_message *call, const char **ret_user, const char **ret_program,
                  Error *reterr) {
        const char *user, *program;
        int r = sd_bus_message_read(call, "ss", &user, &program);
        if (r < 0)
                return bad_arguments(r, reterr);
        *ret_user = nonempty(user) ?: "root";
        *ret_program = nonempty(program);
        return 0;
}

int body_open_login(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        const OperationRequest q = { .type = OPERATION_LOGIN, .terminal = true };
        return start(m, call, container, &q, reterr);
}

/* ---- the rest ---- */

static int body_simple(Manager *m, sd_bus_message *call, const char *container, OperationType type,
                       Error *reterr) {
        const OperationRequest q = { .type = type };
        return start(m, call, container, &q, reterr);
}

int body_open_root_directory(Manager *m, sd_bus_message *call, const char *container,
                             Error *reterr) {
        return body_simple(m, call, container, OPERATION_ROOT_DIRECTORY, reterr);
}

int body_get_os_release(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        return body_simple(m, call, container, OPERATION_OS_RELEASE, reterr);
}

int body_get_addresses(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        return body_simple(m, call, container, OPERATION_ADDRESSES, reterr);
}

int body_get_uid_shift(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        const Container *c = container_find(m, container, reterr);
        uid_t shift;
        int r = c ? operation_get_uid_shift(c, &shift, reterr) : -ENXIO;
        if (r < 0)
                return r;
        r = sd_bus_reply_method_return(call, "u", (uint32_t) shift);
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED, "Writing the reply failed") : 0;
}

static int copy(Manager *m, sd_bus_message *call, const char *container, OperationType type,
                Error *reterr) {
        OperationRequest q = { .type = type, .uid = m->caller_uid };
        int r = sd_bus_message_read(call, "sst", &q.source, &q.destination, &q.flags);
        if (r < 0)
                return bad_arguments(r, reterr);
        if (q.flags & ~(uint64_t) OPERATION_REPLACE)
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING, "Unknown flags 0x%" PRIx64,
                                 q.flags);
        return start(m, call, container, &q, reterr);
}

static int read_descriptors(sd_bus_message *call, OperationRequest *q, int stdio[static STDIO_N],
                            Error *reterr) {
        const char *name;
        int fd, r = sd_bus_message_enter_container(call, 'a', "(sh)");
        while (r >= 0 && (r = sd_bus_message_read(call, "(sh)", &name, &fd)) > 0) {
                if (streq(name, "Archive")) {
                        q->flags |= OPERATION_ARCHIVE;
                        stdio[0] = fd; /* the message's */
                } else if (streq(name, "Progress")) {
                        q->flags |= OPERATION_PROGRESS;
                        stdio[2] = fd;
                } else
                        return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                         "Unknown descriptor '%.80s'", name);
        }
        return r < 0 ? bad_arguments(r, reterr) : 0;
}

static int copy_with(Manager *m, sd_bus_message *call, const char *container, OperationType type,
                     Error *reterr) {
        int stdio[STDIO_N] = { -EBADF, -EBADF, -EBADF };
        OperationRequest q = { .type = type, .uid = m->caller_uid, .stdio = stdio };
        int r = sd_bus_message_read(call, "sst", &q.source, &q.destination, &q.flags);
        if (r < 0)
                return bad_arguments(r, reterr);
        if (q.flags & ~(uint64_t) OPERATION_REPLACE)
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING, "Unknown flags 0x%" PRIx64,
                                 q.flags);
        r = read_descriptors(call, &q, stdio, reterr);
        return r < 0 ? r : start(m, call, container, &q, reterr);
}

int body_copy_to_with(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        return copy_with(m, call, container, OPERATION_COPY_TO, reterr);
}

int body_copy_from_with(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        return copy_with(m, call, container, OPERATION_COPY_FROM, reterr);
}

int body_copy_to(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        return copy(m, call, container, OPERATION_COPY_TO, reterr);
}

int body_copy_from(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        return copy(m, call, container, OPERATION_COPY_FROM, reterr);
}

/* ---- bind mounts ---- */

int body_bind(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        OperationRequest q = { .type = OPERATION_BIND };
        int r = sd_bus_message_read(call, "sst", &q.source, &q.destination, &q.flags);
        if (r < 0)
                return bad_arguments(r, reterr);
        if (isempty(q.destination))
                q.destination = q.source;
        return start(m, call, container, &q, reterr);
}

int body_unbind(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        OperationRequest q = { .type = OPERATION_UNBIND };
        int r = sd_bus_message_read(call, "s", &q.destination);
        return r < 0 ? bad_arguments(r, reterr) : start(m, call, container, &q, reterr);
}

int body_list_binds(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        return body_simple(m, call, container, OPERATION_LIST_BINDS, reterr);
}
