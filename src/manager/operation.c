/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations: a worker each, its answer from the event loop. */
#include "manager/operation.h"

#include <stdio.h>
#include <sys/epoll.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/log.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "manager/spawner-link.h"

#define READ_TIMEOUT_USEC (5 * USEC_PER_SEC)
#define START_TIMEOUT_USEC (20 * USEC_PER_SEC)
#define UID_MAP_MAX 4096

struct Operation {
        Manager *manager;
        Container *container; /* NULL: gone; what is left is a worker that ends by itself */
        OperationType type;
        uid_t uid;    /* who called */
        Spawn *spawn; /* until the worker is known */
        PidRef worker;
        bool killed; /* the worker is to be, when it is known */
        int link_fd;
        sd_event_source *link_source, *worker_source, *timer;
        sd_bus_message *call;
        OperationDone done; /* NULL: it was called */
        void *userdata;
        LIST_FIELDS(Operation, operations);
};

static bool is_program(OperationType type) {
        return IN_SET(type, OPERATION_EXEC, OPERATION_SHELL, OPERATION_LOGIN);
}

static bool is_copy(OperationType type) {
        return IN_SET(type, OPERATION_COPY_TO, OPERATION_COPY_FROM);
}

static bool is_bind(OperationType type) {
        return IN_SET(type, OPERATION_BIND, OPERATION_UNBIND);
}

/* Works on an image, as long as it takes. */
static bool is_image_work(OperationType type) {
        return operation_is_of_images(type) &&
               !IN_SET(type, OPERATION_IMAGE_LIST, OPERATION_IMAGE_DESCRIBE,
                       OPERATION_IMAGE_IDENTITY, OPERATION_SNAPSHOT_LIST);
}

static usec_t time_limit(OperationType type) {
        if (is_copy(type) || is_image_work(type))
                return USEC_INFINITY;
        /* what a bind mount is of, and what is mounted below it, may be far away; so may images */
        return is_program(type) || is_bind(type) || operation_is_of_images(type)
                       ? START_TIMEOUT_USEC
                       : READ_TIMEOUT_USEC;
}

static void finish(Operation *o, const OperationResult *result, const Error *e);

/* A worker that starts a program has to take that along, and one that copies has to clean up: it is told by the end of its link. */
static void give_up(Operation *o, const Error *e) {
        if (is_program(o->type) || is_copy(o->type) || is_image_work(o->type)) {
                o->link_source = sd_event_source_disable_unref(o->link_source);
                o->link_fd = fd_close(o->link_fd);
        } else {
                o->killed = true;
                (void) pidref_kill(&o->worker, SIGKILL); /* it may have ended just now */
        }
        finish(o, NULL, e);
}

/* ---- callers that leave ---- */

static int on_caller_left(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Manager *manager = userdata;
        const char *name, *old_owner, *new_owner;
        if (sd_bus_message_read(m, "sss", &name, &old_owner, &new_owner) < 0 || !isempty(new_owner))
                return 0;
        LIST_FOREACH(operations, o, manager->operations)
                if (o->done && o->call &&
                    streq(strempty(sd_bus_message_get_sender(o->call)), name)) {
                        _cleanup_error_ Error e = ERROR_NULL;
                        (void) error_set(&e, -ECANCELED, ERROR_FAILED, "The caller is gone");
                        give_up(o, &e);
                }
        return 0;
}

/* As long as somebody waits. One rule for all callers: the bus limits how many there may be. */
static void watch_callers(Manager *m) {
        bool wanted = false;
        LIST_FOREACH(operations, o, m->operations)
                wanted = wanted || (o->done && o->call);
        if (!wanted)
                m->callers_slot = sd_bus_slot_unref(m->callers_slot);
        else if (!m->callers_slot)
                /* best effort: without it a worker goes on to its end */
                (void) sd_bus_match_signal_async(m->bus, &m->callers_slot, "org.freedesktop.DBus",
                                                 "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                                 "NameOwnerChanged", on_caller_left, NULL, m);
}

/* ---- ends ---- */

static void operation_free(Operation *o) {
        LIST_REMOVE(operations, o->manager->operations, o);
        o->manager->n_operations--;
        if (o->container)
                o->container->n_operations--;
        sd_event_source_disable_unref(o->link_source);
        sd_event_source_disable_unref(o->worker_source);
        sd_event_source_disable_unref(o->timer);
        spawn_cancel(o->spawn);
        pidref_done(&o->worker);
        fd_close(o->link_fd);
        manager_touch(o->manager);
        free(o);
}

static int error_has_ended(const Container *c, Error *reterr) {
        return error_set(reterr, -ENXIO, ERROR_NO_SUCH_CONTAINER, "Container '%s' has ended",
                         c->name);
}

/* Tells the result, once. The worker may still be there. */
static void finish(Operation *o, const OperationResult *result, const Error *e) {
        OperationDone done = o->done;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = TAKE_PTR(o->call);
        _cleanup_error_ Error ended = ERROR_NULL;
        if (!done)
                return;
        /* whatever it was that could not be done in the middle of its end */
        if (e && o->container && pidref_is_ending(&o->container->leader)) {
                (void) error_has_ended(o->container, &ended);
                e = &ended;
        }
        o->done = NULL;
        manager_call_end(o->manager);
        watch_callers(o->manager);
        done(call, result, e, o->userdata);
}

static int on_worker_ended(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        Operation *o = userdata;
        _cleanup_error_ Error e = ERROR_NULL;
        (void) error_set(&e, -EIO, ERROR_FAILED, "The worker ended without an answer");
        finish(o, NULL, &e); /* after what it had to say: its priority is lower */
        operation_free(o);
        return 0;
}

static int on_answer(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        Operation *o = userdata;
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ char *text = NULL;
        int fds[SOCKET_MAX_FDS] = { -EBADF, -EBADF, -EBADF, -EBADF };
        OperationResult result = { 0 };
        int r = worker_read_answer(fd, &text, &result.size, fds, &e);
        if (r == -EAGAIN)
                return 0;
        o->link_source = sd_event_source_disable_unref(o->link_source);
        o->link_fd = fd_close(o->link_fd);
        if (is_program(o->type))
                o->timer = sd_event_source_disable_unref(o->timer);
        result.text = text;
        result.path = is_program(o->type) || o->type == OPERATION_PTY ? text : NULL;
        for (size_t i = 0; i < OPERATION_FDS_MAX; i++)
                result.fds[i] = fds[i];
        finish(o, r < 0 ? NULL : &result, r < 0 ? &e : NULL);
        for (size_t i = 0; i < SOCKET_MAX_FDS; i++)
                fd_close(fds[i]);
        return 0;
}

static int on_timeout(sd_event_source *s, uint64_t usec, void *userdata) {
        Operation *o = userdata;
        _cleanup_error_ Error e = ERROR_NULL;
        if (operation_is_of_images(o->type)) {
                (void) error_set(&e, -ETIMEDOUT, ERROR_TIMEOUT,
                                 "The images' file systems do not answer in time");
                error_hint(&e, "does a file system hang that is below /var/lib/machines?");
        } else {
                (void) error_set(&e, -ETIMEDOUT, ERROR_TIMEOUT,
                                 "Container '%s' does not answer in time",
                                 o->container ? o->container->name : "");
                error_hint(&e, "is it paused, or are its file systems?");
        }
        give_up(o, &e);
        return 0;
}

void operations_end(Container *c) {
        LIST_FOREACH(operations, o, c->manager->operations) {
                if (o->container != c)
                        continue;
                _cleanup_error_ Error e = ERROR_NULL;
                (void) error_has_ended(c, &e);
                /* a program ends with its container, and its worker wants to tell how */
                if (o->done || !is_program(o->type))
                        give_up(o, &e);
                o->container = NULL;
                c->n_operations--;
        }
}

void operations_free(Manager *m) {
        while (m->operations) {
                Operation *o = m->operations;
                if (!is_program(o->type) && !is_copy(o->type) && !is_image_work(o->type))
                        (void) pidref_kill(&o->worker, SIGKILL);
                if (o->done)
                        manager_call_end(m);
                o->done = NULL;
                sd_bus_message_unref(o->call);
                operation_free(o);
        }
        m->callers_slot = sd_bus_slot_unref(m->callers_slot);
}

/* ---- requests ---- */

static int invalid(const char *what, const char *value, const char *expected, Error *reterr) {
        _cleanup_free_ char *shown = str_escape_for_display(strempty(value));
        return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                         "Invalid %s '%.200s': %s is expected", what, strempty(shown), expected);
}

static bool is_good_path(const char *path) {
        return path_is_absolute(path) && path_is_valid(path);
}

static int check_paths(const OperationRequest *q, Error *reterr) {
        static const char expected[] = "an absolute path";
        const bool archive = is_copy(q->type) && (q->flags & OPERATION_ARCHIVE);
        const bool has_source = (is_copy(q->type) && !(archive && q->type == OPERATION_COPY_TO)) ||
                                q->type == OPERATION_BIND,
                   needs_destination =
                           is_bind(q->type) || (archive && q->type == OPERATION_COPY_TO);
        const uint64_t known = is_copy(q->type) ? OPERATION_REPLACE | OPERATION_ARCHIVE |
                                                          OPERATION_PROGRESS | OPERATION_AS_MACHINED
                               : q->type == OPERATION_BIND
                                       ? OPERATION_READ_ONLY | OPERATION_MKDIR | OPERATION_NO_IDMAP
                                       : 0U;
        if (has_source && (!q->source || !is_good_path(q->source)))
                return invalid("source", q->source, expected, reterr);
        if ((needs_destination || (is_copy(q->type) && !isempty(q->destination))) &&
            (!q->destination || !is_good_path(q->destination)))
                return invalid("destination", q->destination, expected, reterr);
        if (archive && !isempty(q->type == OPERATION_COPY_TO ? q->source : q->destination))
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                 "There are both a path on the host and an archive");
        if (q->flags & ~known)
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING, "Unknown flags 0x%llx",
                                 (unsigned long long) q->flags);
        if (q->working_directory && !is_good_path(q->working_directory))
                return invalid("working directory", q->working_directory, expected, reterr);
        if (q->type == OPERATION_SHELL && !strv_isempty(q->argv) && !is_good_path(q->argv[0]))
                return invalid("program", q->argv[0], expected, reterr);
        return 0;
}

static int check_program(const OperationRequest *q, Error *reterr) {
        size_t size = 0;
        if (q->type == OPERATION_EXEC && (strv_isempty(q->argv) || isempty(q->argv[0])))
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                 "There is no program to execute");
        if (q->type == OPERATION_EXEC && !q->terminal && !q->stdio)
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                 "Three descriptors are expected, or 'Terminal'");
        STRV_FOREACH(s, q->argv)
                size += strlen(*s) + 1;
        STRV_FOREACH(s, q->environment) {
                if (!env_assignment_is_valid(*s))
                        return invalid("environment variable", *s, "NAME=VALUE", reterr);
                size += strlen(*s) + 1;
        }
        if (size > OPERATION_ARGUMENTS_MAX)
                return error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED,
                                 "Arguments and environment are larger than %u bytes",
                                 OPERATION_ARGUMENTS_MAX);
        return 0;
}

/* program: is one to be executed inside? */
static int check_container(const Container *c, bool program, Error *reterr) {
        if (IN_SET(c->state, STATE_EXITED, STATE_FAILED))
                return error_has_ended(c, reterr);
        if (!pidref_is_set(&c->leader) || !IN_SET(c->state, STATE_RUNNING, STATE_STOPPING)) {
                int r = error_set(reterr, -ENXIO, ERROR_FAILED, "Container '%s' is not running: %s",
                                  c->name, container_state_to_string(c->state));
                error_hint(reterr, "try again when it has started");
                return r;
        }
        if (c->paused && program) { /* it would be born frozen */
                int r = error_set(reterr, -EBUSY, ERROR_FAILED, "Container '%s' is paused",
                                  c->name);
                error_hint(reterr, "'berth resume %s' lets it go on", c->name);
                return r;
        }
        if (c->n_operations >= OPERATIONS_CONTAINER_MAX)
                return error_set(reterr, -EBUSY, ERROR_LIMIT_EXCEEDED,
                                 "More than %u operations in container '%s'",
                                 OPERATIONS_CONTAINER_MAX, c->name);
        return 0;
}

/* What everybody may do must not keep others from it. */
static int check_sender(const Manager *m, sd_bus_message *call, Error *reterr) {
        const char *sender = call ? strempty(sd_bus_message_get_sender(call)) : "";
        unsigned own = 0;
        if (m->caller_uid != (uid_t) -1)
                return 0;
        LIST_FOREACH(operations, o, m->operations)
                own += o->uid == (uid_t) -1 && o->call &&
                       streq(strempty(sd_bus_message_get_sender(o->call)), sender);
        if (own < OPERATIONS_SENDER_MAX)
                return 0;
        int r = error_set(reterr, -EBUSY, ERROR_LIMIT_EXCEEDED,
                          "More than %u calls of yours look into containers and images",
                          OPERATIONS_SENDER_MAX);
        error_hint(reterr, "wait for their answers");
        return r;
}

/* Nobody but root can take all the places. */
static int check_caller(const Manager *m, Error *reterr) {
        const bool is_root = m->caller_uid == 0;
        const size_t limit = OPERATIONS_MAX - (is_root ? 0 : OPERATIONS_ROOT_RESERVE);
        unsigned own = 0;
        if (m->n_operations >= limit)
                return error_set(reterr, -EBUSY, ERROR_LIMIT_EXCEEDED,
                                 "More than %zu operations in containers and on images", limit);
        LIST_FOREACH(operations, o, m->operations)
                own += o->uid == m->caller_uid;
        if (is_root || own < OPERATIONS_USER_MAX)
                return 0;
        int r = error_set(reterr, -EBUSY, ERROR_LIMIT_EXCEEDED,
                          "More than %u operations of one user in containers and on images",
                          OPERATIONS_USER_MAX);
        error_hint(reterr, "wait until some have ended, or end them");
        return r;
}

static int watch_link(Operation *o) {
        sd_event *event = o->manager->event;
        int r = sd_event_add_io(event, &o->link_source, o->link_fd, EPOLLIN, on_answer, o);
        if (r >= 0 && time_limit(o->type) != USEC_INFINITY)
                r = sd_event_add_time_relative(event, &o->timer, CLOCK_MONOTONIC,
                                               time_limit(o->type), 0, on_timeout, o);
        return r;
}

static int watch_worker(Operation *o) {
        int r = sd_event_add_io(o->manager->event, &o->worker_source, o->worker.fd, EPOLLIN,
                                on_worker_ended, o);
        return r < 0 ? r
                     : sd_event_source_set_priority(o->worker_source,
                                                    SD_EVENT_PRIORITY_NORMAL + 10);
}

static void on_spawned(PidRef *process, const Error *e, void *userdata) {
        Operation *o = userdata;
        _cleanup_error_ Error own = ERROR_NULL;
        int r = 0;
        o->spawn = NULL;
        if (process) {
                o->worker = *process;
                *process = (PidRef) PIDREF_NULL;
                if (o->killed)
                        (void) pidref_kill(&o->worker, SIGKILL); /* it may have ended just now */
                r = watch_worker(o);
        }
        if (!e && r >= 0)
                return;
        if (r < 0) {
                (void) pidref_kill(&o->worker, SIGKILL);
                (void) error_set_errno(&own, r, ERROR_SETUP_FAILED, "Watching a worker failed");
        }
        finish(o, NULL, e ?: &own);
        operation_free(o);
}

/* c may be NULL: an operation without one, on what has this name. */
static int start(const Container *c, const char *name, const OperationRequest *q, Operation *o,
                 Error *reterr) {
        const bool has_stdio = q->stdio && (is_copy(q->type) || operation_is_of_images(q->type) ||
                                            (q->type == OPERATION_EXEC && !q->terminal));
        static const char failed[] = "Starting a worker failed";
        _cleanup_close_ int request_fd = -EBADF;
        _cleanup_close_pair_ int link[2] = PAIR_EBADF;
        OperationRequest request = *q;
        request.supervisor = c && pidref_is_set(&c->supervisor) ? c->supervisor.pid : 0;
        int r = worker_request_new(&request, name, c ? c->spec_text : NULL, &request_fd, reterr);
        if (r < 0)
                return r;
        r = socket_pair_seqpacket(link);
        if (r >= 0)
                r = fd_nonblock(link[0], true);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED, "%s", failed);
        int fds[SPAWN_PLACES_MAX] = { [WORKER_LINK_FD] = link[1],
                                      [WORKER_REQUEST_FD] = request_fd,
                                      /* of images there is none: something has to be there */
                                      [WORKER_LEADER_FD] = c ? c->leader.fd : request_fd,
                                      [WORKER_LEADER_FD + 1] = -EBADF,
                                      [WORKER_LEADER_FD + 2] = -EBADF };
        for (size_t i = 0; i < WORKER_LINK_FD; i++)
                fds[i] = has_stdio ? q->stdio[i] : -EBADF;
        o->link_fd = TAKE_FD(link[0]);
        r = watch_link(o);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED, "%s", failed);
        return spawn_start(o->manager->spawner, SPAWN_WORKER, NULL, fds, failed, on_spawned, o,
                           &o->spawn, reterr);
}

static int start_checked(Manager *m, Container *c, const char *name, const OperationRequest *q,
                         sd_bus_message *call, OperationDone done, void *userdata, Error *reterr) {
        int r = check_sender(m, call, reterr);
        if (r >= 0)
                r = check_caller(m, reterr);
        if (r >= 0)
                r = manager_call_begin(m, reterr);
        if (r < 0)
                return r;
        Operation *o = new0(Operation, 1);
        if (!o) {
                manager_call_end(m);
                return error_oom(reterr);
        }
        o->manager = m;
        o->container = c;
        o->type = q->type;
        o->uid = m->caller_uid;
        o->worker = (PidRef) PIDREF_NULL;
        o->link_fd = -EBADF;
        LIST_PREPEND(operations, m->operations, o);
        m->n_operations++;
        if (c)
                c->n_operations++;
        r = start(c, name, q, o, reterr);
        if (r < 0) {
                manager_call_end(m);
                operation_free(o);
                return r;
        }
        o->call = sd_bus_message_ref(call);
        o->done = done;
        o->userdata = userdata;
        watch_callers(m);
        return 0;
}

int operation_start(Container *c, const OperationRequest *q, sd_bus_message *call,
                    OperationDone done, void *userdata, Error *reterr) {
        int r = check_paths(q, reterr);
        if (r >= 0 && is_program(q->type))
                r = check_program(q, reterr);
        if (r >= 0)
                r = check_container(c, is_program(q->type), reterr);
        return r < 0 ? r : start_checked(c->manager, c, c->name, q, call, done, userdata, reterr);
}

int operation_start_image(Manager *m, const OperationRequest *q, const char *name,
                          sd_bus_message *call, OperationDone done, void *userdata, Error *reterr) {
        return start_checked(m, NULL, name, q, call, done, userdata, reterr);
}

/* ---- without a worker ---- */

int operation_get_uid_shift(const Container *c, uid_t *ret, Error *reterr) {
        _cleanup_free_ char *text = NULL;
        char path[32];
        unsigned inside, outside, count;
        int end = 0, r = check_container(c, false, reterr);
        if (r < 0)
                return r;
        (void) snprintf(path, sizeof(path), "/proc/%d/uid_map", (int) c->leader.pid);
        r = file_read_all(AT_FDCWD, path, UID_MAP_MAX, &text, NULL);
        if (r < 0 || !pidref_is_alive(&c->leader))
                return error_set_errno(reterr, r < 0 ? r : -ESRCH, ERROR_FAILED,
                                       "Reading the user IDs of '%s' failed", c->name);
        if (sscanf(text, "%u %u %u %n", &inside, &outside, &count, &end) != 3 || inside != 0 ||
            text[end] != '\0')
                return error_set(reterr, -ENXIO, ERROR_UNSUPPORTED,
                                 "The user IDs of '%s' are not one range that begins with 0",
                                 c->name);
        *ret = outside;
        return 0;
}
