/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine1: what is done inside a machine, by operations; with the arguments and answers of machined's methods. */
#include <sys/epoll.h>

#include "basic/env-file.h"
#include "basic/fd.h"
#include "basic/strv.h"
#include "bus/bus.h"
#include "bus/names.h"
#include "manager/machine1.h"
#include "manager/operation.h"
#include "sys/net-addresses.h"

#define OS_RELEASE_MAX (64U << 10)

static int bad_arguments(int r, Error *reterr) {
        return error_set_errno(reterr, r, ERROR_PROTOCOL,
                               "The arguments of the call cannot be read");
}

static int replied(int r, Error *reterr) {
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED, "Writing the reply failed") : 0;
}

static void reply_error(sd_bus_message *call, const Error *e) {
        _cleanup_(sd_bus_error_free) sd_bus_error b = SD_BUS_ERROR_NULL;
        if (e->code == -ENONET) {
                (void) machine1_reply_error(call, MACHINE1_PREFIX "NoPrivateNetworking", "%s",
                                            e->message);
                return;
        }
        (void) bus_error_from_error_for(call, &b, e);
        (void) sd_bus_reply_method_error(call, &b); /* the caller may be gone */
}

/* ---- terminals ---- */

static int on_session_ended(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        return sd_event_source_set_floating(s, false); /* frees it, and closes the descriptor */
}

/* A client of machined knows nothing of a status descriptor: it is held for him, until the session ends. */
static int hold_status(Manager *m, int status_fd) {
        _cleanup_(sd_event_source_unrefp) sd_event_source *s = NULL;
        _cleanup_close_ int fd = status_fd < 0 ? -EBADF : fcntl(status_fd, F_DUPFD_CLOEXEC, 3);
        if (status_fd < 0)
                return 0;
        if (fd < 0)
                return -errno;
        int r = sd_event_add_io(m->event, &s, fd, EPOLLIN, on_session_ended, NULL);
        if (r >= 0)
                r = sd_event_source_set_io_fd_own(s, true);
        if (r < 0)
                return r;
        fd = -EBADF;
        return sd_event_source_set_floating(s, true);
}

static int reply_terminal(Manager *m, sd_bus_message *call, const OperationResult *result) {
        int r = hold_status(m, result->fds[1]);
        return r < 0 ? r
                     : sd_bus_reply_method_return(call, "hs", result->fds[0],
                                                  strempty(result->path));
}

static void on_terminal(sd_bus_message *call, const OperationResult *result, const Error *e,
                        void *userdata) {
        _cleanup_error_ Error failed = ERROR_NULL;
        int r = e ? 0 : reply_terminal(userdata, call, result);
        if (r < 0)
                (void) error_set_errno(&failed, r, ERROR_FAILED, "Writing the reply failed");
        if (e || r < 0)
                reply_error(call, e ?: &failed);
}

static int start_terminal(Manager *m, sd_bus_message *call, const char *container,
                          const OperationRequest *q, Error *reterr) {
        Container *c = machine1_find(m, container, reterr);
        if (!c)
                return -ENXIO;
        if (c == m->machine1->host)
                return error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                                 "There are no sessions on the host itself here; see run0(1)");
        return operation_start(c, q, call, on_terminal, m, reterr);
}

int body_machine_pty(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        const OperationRequest q = { .type = OPERATION_PTY };
        return start_terminal(m, call, container, &q, reterr);
}

int body_machine_login(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        const OperationRequest q = { .type = OPERATION_LOGIN, .terminal = true };
        return start_terminal(m, call, container, &q, reterr);
}

int body_machine_shell(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        _cleanup_strv_free_ char **arguments = NULL, **environment = NULL, **argv = NULL;
        const char *user, *path;
        int r = sd_bus_message_read(call, "ss", &user, &path);
        if (r >= 0)
                r = sd_bus_message_read_strv(call, &arguments);
        if (r >= 0)
                r = sd_bus_message_read_strv(call, &environment);
        if (r < 0)
                return bad_arguments(r, reterr);
        /* arguments, when there are any, begin with the name of the program */
        if (!isempty(path)) {
                r = strv_extend(&argv, path);
                if (r >= 0 && !strv_isempty(arguments))
                        r = strv_extend_strv(&argv, arguments + 1);
                if (r < 0)
                        return error_oom(reterr);
        }
        const OperationRequest q = { .type = OPERATION_SHELL,
                                     .argv = argv,
                                     .user = isempty(user) ? NULL : user,
                                     .environment = environment,
                                     .terminal = true };
        return start_terminal(m, call, container, &q, reterr);
}

/* ---- what is read, and files ---- */

static void answer(sd_bus_message *call, OperationType type, const OperationResult *result,
                   const Error *e) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_error_ Error failed = ERROR_NULL;
        int r = e ? 0 : sd_bus_message_new_method_return(call, &reply);
        if (r >= 0 && !e)
                r = operation_append_result(reply, type, result);
        if (r >= 0 && !e)
                r = sd_bus_send(NULL, reply, NULL);
        if (r < 0)
                (void) error_set_errno(&failed, r, ERROR_FAILED, "Writing the reply failed");
        if (e || r < 0)
                reply_error(call, e ?: &failed);
}

static void on_root_directory(sd_bus_message *call, const OperationResult *result, const Error *e,
                              void *userdata) {
        answer(call, OPERATION_ROOT_DIRECTORY, result, e);
}

static void on_copied(sd_bus_message *call, const OperationResult *result, const Error *e,
                      void *userdata) {
        answer(call, OPERATION_COPY_TO, result, e);
}

static void on_bound(sd_bus_message *call, const OperationResult *result, const Error *e,
                     void *userdata) {
        answer(call, OPERATION_BIND, result, e);
}

static void on_os_release(sd_bus_message *call, const OperationResult *result, const Error *e,
                          void *userdata) {
        Machine1 *m1 = userdata;
        m1->n_reads--;
        answer(call, OPERATION_OS_RELEASE, result, e);
}

static void on_addresses(sd_bus_message *call, const OperationResult *result, const Error *e,
                         void *userdata) {
        Machine1 *m1 = userdata;
        m1->n_reads--;
        answer(call, OPERATION_ADDRESSES, result, e);
}

/* These are open to all users: they must not take all the places that others need. */
static int start_read(Container *c, sd_bus_message *call, OperationType type, Error *reterr) {
        Machine1 *m1 = c->manager->machine1;
        const OperationRequest q = { .type = type };
        if (m1->n_reads >= MACHINE1_READS_MAX)
                return error_set(reterr, -EBUSY, ERROR_LIMIT_EXCEEDED,
                                 "More than %u machines are being looked at", MACHINE1_READS_MAX);
        int r = operation_start(c, &q, call,
                                type == OPERATION_ADDRESSES ? on_addresses : on_os_release, m1,
                                reterr);
        if (r >= 0)
                m1->n_reads++;
        return r;
}

static int not_the_host(Manager *m, const Container *c, Error *reterr) {
        return c == m->machine1->host
                       ? error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                                   "The files of the host itself are not to be had here")
                       : 0;
}

int body_machine_root_directory(Manager *m, sd_bus_message *call, const char *container,
                                Error *reterr) {
        const OperationRequest q = { .type = OPERATION_ROOT_DIRECTORY };
        Container *c = machine1_find(m, container, reterr);
        int r = c ? not_the_host(m, c, reterr) : -ENXIO;
        return r < 0 ? r : operation_start(c, &q, call, on_root_directory, NULL, reterr);
}

int body_machine_copy(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        const char *member = sd_bus_message_get_member(call);
        OperationRequest q = { .type = startswith(member, "CopyTo") ? OPERATION_COPY_TO
                                                                    : OPERATION_COPY_FROM,
                               .uid = m->caller_uid };
        Container *c = machine1_find(m, container, reterr);
        int r = c ? not_the_host(m, c, reterr) : -ENXIO;
        if (r < 0)
                return r;
        r = sd_bus_message_read(call, "ss", &q.source, &q.destination);
        if (r >= 0 && endswith(member, "WithFlags"))
                r = sd_bus_message_read(call, "t", &q.flags);
        if (r >= 0 && (q.flags & ~(uint64_t) OPERATION_REPLACE))
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING, "Unknown flags 0x%llx",
                                 (unsigned long long) q.flags);
        q.flags |= OPERATION_AS_MACHINED;
        return r < 0 ? bad_arguments(r, reterr)
                     : operation_start(c, &q, call, on_copied, NULL, reterr);
}

int body_machine_bind(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        OperationRequest q = { .type = OPERATION_BIND };
        int read_only, make;
        Container *c = machine1_find(m, container, reterr);
        int r = c ? not_the_host(m, c, reterr) : -ENXIO;
        if (r < 0)
                return r;
        r = sd_bus_message_read(call, "ssbb", &q.source, &q.destination, &read_only, &make);
        if (r < 0)
                return bad_arguments(r, reterr);
        q.flags = (read_only ? OPERATION_READ_ONLY : 0U) | (make ? OPERATION_MKDIR : 0U);
        if (isempty(q.destination))
                q.destination = q.source;
        return operation_start(c, &q, call, on_bound, NULL, reterr);
}

/* The host's own file is nobody's trap: it is read here. */
static int host_os_release(sd_bus_message *call, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_free_ char *text = NULL;
        _cleanup_strv_free_ char **fields = NULL;
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        int r = file_read_all(AT_FDCWD, "/etc/os-release", OS_RELEASE_MAX, &text, NULL);
        if (r == -ENOENT)
                r = file_read_all(AT_FDCWD, "/usr/lib/os-release", OS_RELEASE_MAX, &text, NULL);
        if (r >= 0)
                r = env_file_parse(text, &fields);
        STRV_FOREACH(f, fields)
                if (utf8_is_valid(*f, strlen(*f)))
                        strbuf_add_bytes(&b, *f, strlen(*f) + 1);
        if (r >= 0)
                r = b.failed ? -ENOMEM : sd_bus_message_new_method_return(call, &reply);
        const OperationResult result = { .text = strempty(b.text), .size = b.size };
        if (r >= 0)
                r = operation_append_result(reply, OPERATION_OS_RELEASE, &result);
        return replied(r < 0 ? r : sd_bus_send(NULL, reply, NULL), reterr);
}

int body_machine_os_release(Manager *m, sd_bus_message *call, const char *container,
                            Error *reterr) {
        Container *c = machine1_find(m, container, reterr);
        if (!c)
                return -ENXIO;
        return c == m->machine1->host ? host_os_release(call, reterr)
                                      : start_read(c, call, OPERATION_OS_RELEASE, reterr);
}

/* Of the first process: berthd itself may have no network. */
static int host_addresses(sd_bus_message *call, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        _cleanup_free_ NetAddress *list = NULL;
        size_t n = 0;
        int r = net_addresses_read(1, &list, &n);
        for (size_t i = 0; r >= 0 && i < n; i++) {
                strbuf_addf(&b, "%d ", list[i].family);
                for (size_t k = 0; k < net_address_size(&list[i]); k++)
                        strbuf_addf(&b, "%02x", list[i].bytes[k]);
                strbuf_add_bytes(&b, "", 1);
        }
        if (r >= 0)
                r = b.failed ? -ENOMEM : sd_bus_message_new_method_return(call, &reply);
        const OperationResult result = { .text = strempty(b.text), .size = b.size };
        if (r >= 0)
                r = operation_append_result(reply, OPERATION_ADDRESSES, &result);
        return replied(r < 0 ? r : sd_bus_send(NULL, reply, NULL), reterr);
}

int body_machine_addresses(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        Container *c = machine1_find(m, container, reterr);
        if (!c)
                return -ENXIO;
        return c == m->machine1->host ? host_addresses(call, reterr)
                                      : start_read(c, call, OPERATION_ADDRESSES, reterr);
}
