/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Varlink: sockets, connections, messages. */
#include "manager/varlink.h"

#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/log.h"
#include "bus/names.h"
#include "sys/socket.h"

#define SOCKET_DIRECTORY "/run/systemd/machine"
#define COMMON_SOCKET "io.systemd.Machine"
#define MACHINED_SOCKET_PATH "/org/freedesktop/systemd1/unit/systemd_2dmachined_2esocket"
#define ACCEPT_BURST 16U
#define ACCEPTS_PER_SECOND 200U /* rounds */

typedef struct Listener Listener;

struct Listener {
        VarlinkServer *server;
        char *machine; /* NULL: the common socket */
        char *path;
        dev_t dev; /* of the socket file, to know whether it still is ours */
        ino_t ino;
        int fd;
        sd_event_source *source;
        LIST_FIELDS(Listener, listeners);
};

struct VarlinkConnection {
        VarlinkServer *server;
        char *machine;
        int fd;
        struct ucred peer;
        char *in;
        size_t in_size;
        StrBuf out;
        size_t out_done;
        bool oneway; /* the call of now wants no answer */
        sd_event_source *source, *timer;
        LIST_FIELDS(VarlinkConnection, connections);
};

struct VarlinkServer {
        Machine1 *machine1;
        sd_bus_slot *asking, *watching; /* the state of the socket that systemd has for machined */
        LIST_HEAD(Listener, listeners);
        LIST_HEAD(VarlinkConnection, connections);
        unsigned n_connections;
};

static const char *directory(void) {
        return secure_getenv("BERTH_VARLINK") ?: SOCKET_DIRECTORY; /* of tests */
}

/* ---- connections ---- */

static void connection_free(VarlinkConnection *c) {
        LIST_REMOVE(connections, c->server->connections, c);
        c->server->n_connections--;
        sd_event_source_disable_unref(c->source);
        sd_event_source_disable_unref(c->timer);
        fd_close(c->fd);
        strbuf_done(&c->out);
        free(c->machine);
        free(c->in);
        free(c);
}

/* One clock for a message that does not end and an answer that is not taken; none while nothing is under way. */
static void connection_watch(VarlinkConnection *c) {
        const bool writing = c->out_done < c->out.size, busy = writing || c->in_size > 0;
        (void) sd_event_source_set_io_events(c->source, writing ? EPOLLOUT : EPOLLIN);
        (void) sd_event_source_set_time_relative(c->timer, VARLINK_STUCK_USEC);
        (void) sd_event_source_set_enabled(c->timer, busy ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static int connection_flush(VarlinkConnection *c) {
        while (c->out_done < c->out.size) {
                ssize_t n = send(c->fd, c->out.text + c->out_done, c->out.size - c->out_done,
                                 MSG_DONTWAIT | MSG_NOSIGNAL);
                if (n < 0)
                        return errno == EAGAIN ? 0 : -errno;
                c->out_done += (size_t) n;
        }
        strbuf_done(&c->out);
        c->out = (StrBuf){ 0 };
        c->out_done = 0;
        return 0;
}

static int answer(VarlinkCall *call, Json *parameters, const char *error, bool continues) {
        VarlinkConnection *c = call->connection;
        _cleanup_(vjson_freep) Json *message = vjson_new();
        _cleanup_free_ char *text = NULL;
        int r = message ? 0 : -ENOMEM;
        if (r < 0 || c->oneway) {
                vjson_free(parameters);
                return r;
        }
        if (error)
                vjson_add_string(message, "error", error, &r);
        vjson_add_take(message, "parameters", parameters ?: vjson_new(), &r);
        if (continues)
                vjson_add_boolean(message, "continues", true, &r);
        if (r >= 0)
                r = vjson_print(message, &text);
        if (r < 0)
                return r;
        if (c->out.size + strlen(text) + 1 > VARLINK_ANSWER_MAX)
                return -E2BIG;
        strbuf_add(&c->out, text);
        strbuf_add_bytes(&c->out, "", 1);
        return c->out.failed ? -ENOMEM : 0;
}

int varlink_reply(VarlinkCall *call, Json *parameters, bool continues) {
        return answer(call, parameters, NULL, continues);
}

int varlink_error(VarlinkCall *call, const char *name, Json *parameters) {
        return answer(call, parameters, name, false);
}

static int connection_message(VarlinkConnection *c, const char *text, size_t n) {
        _cleanup_(vjson_freep) Json *message = NULL;
        VarlinkCall call = {
                .manager = c->server->machine1->manager,
                .connection = c,
                .machine = c->machine,
                .uid = c->peer.uid,
                .pid = c->peer.pid,
        };
        c->oneway = false;
        int r = vjson_parse(text, n, &message);
        if (r >= 0)
                r = vjson_get_string(message, "method", &call.method);
        if (r == 0)
                r = -EBADMSG;
        if (r >= 0)
                r = vjson_get_object(message, "parameters", &call.parameters);
        if (r >= 0)
                r = vjson_get_boolean(message, "more", &call.more);
        if (r >= 0)
                r = vjson_get_boolean(message, "oneway", &c->oneway);
        if (r < 0)
                return r;
        manager_touch(call.manager);
        return varlink_dispatch(&call);
}

/* All whole messages, until one has an answer that is not taken at once. */
static int connection_dispatch(VarlinkConnection *c) {
        for (;;) {
                const char *end = c->out.size > 0 ? NULL : memchr(c->in, '\0', c->in_size);
                if (!end)
                        return c->in_size >= VARLINK_MESSAGE_MAX && c->out.size == 0 ? -E2BIG : 0;
                const size_t n = (size_t) (end - c->in);
                int r = connection_message(c, c->in, n);
                if (r < 0)
                        return r;
                c->in_size -= n + 1;
                memmove(c->in, end + 1, c->in_size);
                r = connection_flush(c);
                if (r < 0)
                        return r;
        }
}

static int connection_read(VarlinkConnection *c) {
        ssize_t n = recv(c->fd, c->in + c->in_size, VARLINK_MESSAGE_MAX - c->in_size, MSG_DONTWAIT);
        if (n < 0)
                return errno == EAGAIN ? 0 : -errno;
        if (n == 0)
                return -EPIPE;
        c->in_size += (size_t) n;
        return connection_dispatch(c);
}

static int on_connection_io(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        VarlinkConnection *c = userdata;
        int r = 0;
        if (revents & EPOLLOUT) {
                r = connection_flush(c);
                if (r >= 0)
                        r = connection_dispatch(c); /* what came meanwhile */
        } else
                r = connection_read(c);
        if (r < 0) {
                log_debug_errno(r, "Varlink connection of process %d ends", (int) c->peer.pid);
                connection_free(c);
                return 0;
        }
        connection_watch(c);
        return 0;
}

static int on_stuck(sd_event_source *s, uint64_t usec, void *userdata) {
        connection_free(userdata);
        return 0;
}

static bool is_too_many(const VarlinkServer *v, uid_t uid) {
        unsigned own = 0;
        LIST_FOREACH(connections, c, v->connections)
                own += c->peer.uid == uid;
        if (uid == 0)
                return v->n_connections >= VARLINK_CONNECTIONS_MAX;
        return v->n_connections >= VARLINK_CONNECTIONS_MAX - VARLINK_CONNECTIONS_ROOT ||
               own >= VARLINK_CONNECTIONS_USER_MAX;
}

static int connection_new(Listener *l, int *fd) {
        VarlinkServer *v = l->server;
        struct ucred peer;
        int r = socket_peer(*fd, &peer);
        if (r < 0)
                return r;
        if (is_too_many(v, peer.uid))
                return -EMFILE;
        VarlinkConnection *c = new0(VarlinkConnection, 1);
        if (!c)
                return -ENOMEM;
        c->server = v;
        c->fd = TAKE_FD(*fd);
        c->peer = peer;
        LIST_PREPEND(connections, v->connections, c);
        v->n_connections++;
        c->in = new0(char, VARLINK_MESSAGE_MAX);
        r = c->in ? free_and_strdup(&c->machine, l->machine) : -ENOMEM;
        sd_event *event = v->machine1->manager->event;
        if (r >= 0)
                r = sd_event_add_io(event, &c->source, c->fd, EPOLLIN, on_connection_io, c);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &c->timer, CLOCK_MONOTONIC,
                                               VARLINK_STUCK_USEC, 0, on_stuck, c);
        if (r < 0) {
                connection_free(c);
                return r;
        }
        connection_watch(c);
        return 0;
}

/* ---- sockets ---- */

static int on_accept(sd_event_source *s, int listen_fd, uint32_t revents, void *userdata) {
        Listener *l = userdata;
        for (unsigned i = 0; i < ACCEPT_BURST; i++) {
                _cleanup_close_ int fd =
                        accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
                if (fd < 0) {
                        return 0; /* without descriptors it comes again, but not all the time */
                }
                int r = connection_new(l, &fd);
                if (r < 0)
                        log_debug_errno(r, "A Varlink connection was dropped");
        }
        return 0;
}

static void listener_free(Listener *l) {
        struct stat st;
        LIST_REMOVE(listeners, l->server->listeners, l);
        sd_event_source_disable_unref(l->source);
        fd_close(l->fd);
        /* it may be systemd's by now, for machined */
        if (l->path && l->ino != 0 && lstat(l->path, &st) >= 0 && st.st_ino == l->ino &&
            st.st_dev == l->dev)
                (void) unlink(l->path);
        free(l->path);
        free(l->machine);
        free(l);
}

static int listener_bind(Listener *l, mode_t mode) {
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        struct stat st;
        if (strlen(l->path) >= sizeof(sa.sun_path))
                return -ENAMETOOLONG;
        memcpy(sa.sun_path, l->path, strlen(l->path) + 1);
        int r = mkdir_parents(directory(), 0755);
        if (r < 0)
                return r;
        l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (l->fd < 0)
                return -errno;
        (void) unlink(l->path); /* of an earlier manager; nobody else listens here */
        if (bind(l->fd, (const struct sockaddr *) &sa, sizeof(sa)) < 0 || lstat(l->path, &st) < 0)
                return -errno;
        l->dev = st.st_dev;
        l->ino = st.st_ino;
        if (chmod(l->path, mode) < 0 || listen(l->fd, SOMAXCONN) < 0)
                return -errno;
        return 0;
}

static int listener_new(VarlinkServer *v, const char *machine, mode_t mode, Listener **ret) {
        Listener *l = new0(Listener, 1);
        if (!l)
                return -ENOMEM;
        l->server = v;
        l->fd = -EBADF;
        LIST_PREPEND(listeners, v->listeners, l);
        l->path = machine ? strjoin(directory(), "/berth.", machine)
                          : strjoin(directory(), "/", COMMON_SOCKET);
        int r = l->path ? free_and_strdup(&l->machine, machine) : -ENOMEM;
        if (r >= 0)
                r = listener_bind(l, mode);
        if (r >= 0)
                r = sd_event_add_io(v->machine1->manager->event, &l->source, l->fd, EPOLLIN,
                                    on_accept, l);
        if (r >= 0)
                r = sd_event_source_set_ratelimit(l->source, USEC_PER_SEC, ACCEPTS_PER_SECOND);
        if (r < 0) {
                listener_free(l);
                return r;
        }
        *ret = l;
        return 0;
}

int varlink_machine_address(VarlinkServer *v, const Container *c, char **ret) {
        Listener *found = NULL;
        unsigned n = 0;
        LIST_FOREACH(listeners, l, v->listeners) {
                n++;
                if (streq_ptr(l->machine, c->name))
                        found = l;
        }
        if (!found && n >= VARLINK_SOCKETS_MAX)
                return -E2BIG;
        if (!found) {
                int r = listener_new(v, c->name, 0600, &found);
                if (r < 0)
                        return r;
        }
        return free_and_strdup(ret, found->path);
}

void varlink_machine_gone(VarlinkServer *v, const char *name) {
        LIST_FOREACH(connections, c, v->connections)
                if (streq_ptr(c->machine, name))
                        (void) shutdown(c->fd,
                                        SHUT_RD); /* its answer is still to go; then it ends */
        LIST_FOREACH(listeners, l, v->listeners)
                if (streq_ptr(l->machine, name))
                        listener_free(l);
}

/* ---- life ---- */

/* Where systemd listens for machined, whoever connects has that started, and berthd gives way. It has taken the socket's path then. */
static void set_taken(VarlinkServer *v, bool taken) {
        Listener *common = NULL;
        LIST_FOREACH(listeners, l, v->listeners)
                if (!l->machine)
                        common = l;
        if (taken && common)
                listener_free(common);
        if (taken || common)
                return;
        int r = listener_new(v, NULL, 0666, &common);
        if (r < 0)
                log_debug_errno(r, "Listening in '%s' failed", directory());
}

static int on_socket_state(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        VarlinkServer *v = userdata;
        const char *state = "";
        v->asking = sd_bus_slot_unref(v->asking);
        if (!sd_bus_message_is_method_error(m, NULL) &&
            sd_bus_message_read(m, "v", "s", &state) < 0)
                return 0;
        set_taken(v, streq(state, "active"));
        return 0;
}

static int on_socket_changed(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        VarlinkServer *v = userdata;
        const char *state = unit_changed_active_state(m);
        if (state && !v->asking)
                set_taken(v, streq(state, "active") || streq(state, "activating"));
        return 0;
}

VarlinkServer *varlink_free(VarlinkServer *v) {
        if (!v)
                return NULL;
        sd_bus_slot_unref(v->asking);
        sd_bus_slot_unref(v->watching);
        while (v->connections)
                connection_free(v->connections);
        while (v->listeners)
                listener_free(v->listeners);
        free(v);
        return NULL;
}

int varlink_new(Machine1 *m1, VarlinkServer **ret, Error *reterr) {
        VarlinkServer *v = new0(VarlinkServer, 1);
        if (!v)
                return error_oom(reterr);
        v->machine1 = m1;
        int r = sd_bus_match_signal_async(m1->name.bus, &v->watching, SYSTEMD1_BUS_NAME,
                                          MACHINED_SOCKET_PATH, "org.freedesktop.DBus.Properties",
                                          "PropertiesChanged", on_socket_changed, NULL, v);
        if (r >= 0)
                r = sd_bus_call_method_async(
                        m1->name.bus, &v->asking, SYSTEMD1_BUS_NAME, MACHINED_SOCKET_PATH,
                        "org.freedesktop.DBus.Properties", "Get", on_socket_state, v, "ss",
                        "org.freedesktop.systemd1.Unit", "ActiveState");
        if (r < 0) {
                varlink_free(v);
                return error_set_errno(reterr, r, ERROR_BUS_FAILED,
                                       "Asking for the socket of systemd-machined failed");
        }
        *ret = v;
        return 0;
}
