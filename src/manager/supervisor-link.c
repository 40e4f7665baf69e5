/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The control socket's server: accepts, checks who connects, reads the HELLO and then what the supervisor tells. */
#include "manager/supervisor-link.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/log.h"
#include "basic/parse.h"
#include "basic/path.h"
#include "basic/str.h"
#include "manager/container-log.h"
#include "manager/health.h"
#include "manager/machine1.h"
#include "spec/spec-text.h"
#include "sys/socket.h"

#define HELLO_TIMEOUT_USEC (5 * USEC_PER_SEC)
#define ACCEPT_BURST 64 /* connections taken in one round of the loop */
#define ACCEPT_PAUSE_USEC (1 * USEC_PER_SEC)

struct Link {
        Manager *manager;
        Container *container; /* NULL before HELLO */
        int fd;
        PidRef peer;          /* the supervisor; moves to the container at HELLO */
        ContainerState state; /* what this supervisor may say now */
        sd_event_source *source, *timer;
        LIST_FIELDS(Link, links);
};

Link *link_free(Link *l) {
        if (!l)
                return NULL;
        LIST_REMOVE(links, l->manager->links, l);
        l->manager->n_links--;
        if (l->container) {
                l->container->link = NULL;
                machine1_link_changed(l->container);
        }
        sd_event_source_disable_unref(l->source);
        sd_event_source_disable_unref(l->timer);
        pidref_done(&l->peer);
        fd_close(l->fd);
        free(l);
        return NULL;
}

int link_send(Link *l, ControlType type) {
        return control_send(l->fd, type, NULL, NULL, 0);
}

int link_attach(Link *l, int fd, bool history_only) {
        char history[] = "HISTORY=only", *const fields[] = { history_only ? history : NULL, NULL };
        return control_send(l->fd, CONTROL_ATTACH, fields, &fd, 1);
}

/* ---- HELLO ---- */

/* The description in a sealed memfd: its size is what it says, and it stays so. */
static int read_spec(int fd, ContainerSpec **ret, Error *reterr) {
        struct stat st;
        int seals = fd < 0 ? -1 : fcntl(fd, F_GET_SEALS);
        if (seals < 0 || !FLAGS_SET(seals, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) ||
            fstat(fd, &st) < 0)
                return error_set(reterr, -EPROTO, ERROR_PROTOCOL,
                                 "its description is no sealed memfd");
        if (st.st_size <= 0 || st.st_size > (off_t) SPEC_TEXT_MAX)
                return error_set(reterr, -EPROTO, ERROR_PROTOCOL,
                                 "its description has a size of %lld bytes",
                                 (long long) st.st_size);
        _cleanup_free_ char *text = new0(char, (size_t) st.st_size + 1);
        if (!text)
                return error_oom(reterr);
        if (pread(fd, text, (size_t) st.st_size, 0) != st.st_size)
                return error_set(reterr, -EIO, ERROR_PROTOCOL, "its description cannot be read");
        return spec_text_parse(text, ret, reterr);
}

static void track_state(Link *l, ControlType type) {
        if (type == CONTROL_STARTED)
                l->state = STATE_RUNNING;
        else if (type == CONTROL_STOPPING)
                l->state = STATE_STOPPING;
        else if (type == CONTROL_RESTARTING)
                l->state = STATE_LAUNCHING;
        else if (IN_SET(type, CONTROL_EXITED, CONTROL_ERROR))
                l->state = STATE_EXITED;
}

/* A supervisor that has ended, and whose end is not heard of yet: what it said last, then that. */
static void hear_the_end(Container *c) {
        if (c->keeper)
                keeper_hear_all(
                        c->keeper); /* one whose start failed may have said it there alone */
        for (bool more = true; c->link && more;) {
                ControlMessage m = CONTROL_MESSAGE_NULL;
                more = control_receive(c->link->fd, &m) > 0 && m.type != _CONTROL_TYPE_MAX &&
                       control_check(m.type, FROM_SUPERVISOR, c->link->state) >= 0;
                if (more) {
                        track_state(c->link, m.type);
                        container_message(c, &m);
                }
                control_message_done(&m);
        }
        container_supervisor_ended(c);
}

/* The container that a HELLO is about: a new one, or one that lost its link, or one that CreateContainer is starting. */
static int find_container(Link *l, const char *name, Container **ret, Error *reterr) {
        Container *c = hashmap_get(l->manager->containers, name);
        /* be it alive or not: then why it has ended follows */
        if (c && pidref_is_set(&c->supervisor) && c->supervisor.pid == l->peer.pid &&
            pidref_is_alive(&c->supervisor) == pidref_is_alive(&l->peer)) {
                link_free(
                        c->link); /* it has connected again; the old connection's end comes later than that */
                *ret = c;
                return 0;
        }
        if (c && pidref_is_set(&c->supervisor) && !pidref_is_alive(&c->supervisor)) {
                hear_the_end(c);
                c = NULL;
        }
        if (!c)
                return container_new(l->manager, name, ret, reterr);
        if (!pidref_is_set(&c->supervisor))
                return error_set(reterr, -EEXIST, ERROR_NAME_IN_USE,
                                 "a container of its name, '%s', is being started", name);
        return error_set(reterr, -EEXIST, ERROR_NAME_IN_USE,
                         "the name is taken by the container of supervisor %d",
                         (int) c->supervisor.pid);
}

/* The supervisor knows better, what the description leaves open. */
static void apply_fields(Container *c, const ControlMessage *m) {
        const struct {
                const char *key, *property;
                char **at;
        } fields[] = {
                { "UNIT", "Unit", &c->unit },
                { "CGROUP", "ControlGroup", &c->control_group },
                { "ID", "Id", &c->id },
        };
        for (size_t i = 0; i < ELEMENTSOF(fields); i++) {
                const char *value = control_message_get(m, fields[i].key);
                if (!isempty(value))
                        container_set_text(c, fields[i].at, value, fields[i].property);
        }
        uint64_t started;
        const char *text = control_message_get(m, "STARTED_USEC");
        if (text && parse_u64(text, &started) >= 0 && started > 0)
                container_set_start(c, started);
}

static int hello(Link *l, ControlMessage *m, Error *reterr) {
        const char *name = control_message_get(m, "NAME"), *phase = control_message_get(m, "PHASE");
        ContainerState state = container_state_from_string(phase);
        if (!name || !container_name_is_valid(name))
                return error_set(reterr, -EPROTO, ERROR_PROTOCOL, "it sent no valid name");
        if (!IN_SET(state, STATE_LAUNCHING, STATE_RUNNING, STATE_STOPPING))
                return error_set(reterr, -EPROTO, ERROR_PROTOCOL, "it is in phase '%s'",
                                 strempty(phase));

        _cleanup_spec_ ContainerSpec *spec = NULL;
        int r = read_spec(m->fds[0], &spec, reterr);
        if (r < 0)
                return r;
        Container *c;
        if (!streq_ptr(spec->name, name))
                return error_set(reterr, -EPROTO, ERROR_PROTOCOL,
                                 "its description is of another container");
        r = find_container(l, name, &c, reterr);
        if (r < 0)
                return r;
        l->container = c;
        c->link = l;
        l->state = state;
        r = container_set_spec(c, spec);
        apply_fields(c, m);
        if (r >= 0)
                r = container_take_supervisor(c, &l->peer);
        if (r < 0) {
                l->container = NULL;
                c->link = NULL;
                if (!c->announced)
                        container_remove(c);
                return error_set_errno(reterr, r, ERROR_FAILED, "keeping track of it failed");
        }
        l->timer = sd_event_source_disable_unref(l->timer);
        if (m->fds[1] >= 0)
                (void) container_set_leader(
                        c, m->fds[1]); /* it may have ended meanwhile; EXITED follows */
        /* what its launcher's link has told, here, is not told again */
        const bool known = IN_SET(c->state, STATE_RUNNING, STATE_STOPPING);
        if (!c->creation || state != STATE_LAUNCHING)
                container_set_state(c, state);
        if (streq(strempty(control_message_get(m, "READY")), "yes"))
                container_set_ready(c, true);
        hooks_set_begun(c);
        container_announce(c);
        machine1_link_changed(c);
        health_tell(c);
        if (!known && streq(strempty(control_message_get(m, "FIRST")), "yes")) {
                container_log_start(c); /* when it started nobody was here to hear it */
                hooks_fire(c, HOOK_POST_START);
        }
        if (state != STATE_LAUNCHING)
                (void) link_send(l, CONTROL_WELCOME); /* else it connects again less readily */
        log_debug("Supervisor %d of '%s' is connected (%s)", (int) c->supervisor.pid, name, phase);
        return 0;
}

/* ---- messages ---- */

static void link_refuse(Link *l, const char *why) {
        log_warning("Connection of supervisor %d closed: %s",
                    (int) (l->container ? l->container->supervisor.pid : l->peer.pid), why);
        link_free(l);
}

static void link_message(Link *l, ControlMessage *m) {
        _cleanup_error_ Error e = ERROR_NULL;
        if (m->type == _CONTROL_TYPE_MAX)
                return; /* of a newer supervisor */
        if ((m->type == CONTROL_HELLO) != (l->container == NULL) ||
            control_check(m->type, FROM_SUPERVISOR, l->state) < 0) {
                _cleanup_free_ char *why =
                        strf("it sent %s in state %s", control_type_to_string(m->type),
                             l->container ? container_state_to_string(l->state) : "new");
                link_refuse(l, strempty(why));
                return;
        }
        if (m->type == CONTROL_HELLO) {
                if (hello(l, m, &e) < 0)
                        link_refuse(l, strempty(e.message));
                return;
        }
        track_state(l, m->type);
        container_message(l->container, m);
}

static int on_link(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        Link *l = userdata;
        ControlMessage m = CONTROL_MESSAGE_NULL;
        int r = control_receive(fd, &m);
        if (r == -EAGAIN)
                return 0;
        if (r > 0)
                link_message(l, &m);
        else if (r == -EBADMSG)
                link_refuse(l, "it sent what is no message");
        else
                link_free(
                        l); /* the container stays until its supervisor ends; that may as well connect again */
        control_message_done(&m);
        return 0;
}

static int on_hello_timeout(sd_event_source *s, uint64_t usec, void *userdata) {
        link_refuse(userdata, "it said no HELLO");
        return 0;
}

/* ---- accepting ---- */

static int link_new(Manager *m, int *fd) {
        struct ucred peer;
        int r = socket_peer(*fd, &peer);
        if (r < 0)
                return r;
        if (peer.uid != 0) {
                log_warning("Connection of process %d of user %u to the control socket refused",
                            (int) peer.pid, peer.uid);
                return -EACCES;
        }
        if (m->n_links >= MANAGER_LINKS_MAX) {
                log_warning("More than %u connections of supervisors", MANAGER_LINKS_MAX);
                return -E2BIG;
        }
        PidRef p = PIDREF_NULL;
        r = pidref_open(peer.pid, &p);
        if (r < 0)
                return r; /* it has ended already */

        Link *l = new0(Link, 1);
        if (!l) {
                pidref_done(&p);
                return -ENOMEM;
        }
        l->manager = m;
        l->fd = TAKE_FD(*fd);
        l->peer = p;
        l->state = STATE_LAUNCHING;
        LIST_PREPEND(links, m->links, l);
        m->n_links++;
        r = sd_event_add_io(m->event, &l->source, l->fd, EPOLLIN, on_link, l);
        if (r >= 0)
                r = sd_event_add_time_relative(m->event, &l->timer, CLOCK_MONOTONIC,
                                               HELLO_TIMEOUT_USEC, 0, on_hello_timeout, l);
        if (r < 0)
                link_free(l);
        return r;
}

static int on_accept_again(sd_event_source *s, uint64_t usec, void *userdata) {
        Manager *m = userdata;
        (void) sd_event_source_set_enabled(m->listen_source, SD_EVENT_ON); /* only fails for none */
        return 0;
}

/* No descriptor is left, or no memory: the connection stays where it is and would wake us up for ever. */
static void pause_accepting(Manager *m, int error) {
        log_warning_errno(error, "Accepting a supervisor's connection failed");
        m->accept_timer = sd_event_source_disable_unref(m->accept_timer);
        if (sd_event_add_time_relative(m->event, &m->accept_timer, CLOCK_MONOTONIC,
                                       ACCEPT_PAUSE_USEC, 0, on_accept_again, m) >= 0)
                (void) sd_event_source_set_enabled(m->listen_source, SD_EVENT_OFF);
}

static int on_connection(sd_event_source *s, int listen_fd, uint32_t revents, void *userdata) {
        Manager *m = userdata;
        manager_touch(m);
        for (unsigned i = 0; i < ACCEPT_BURST; i++) {
                _cleanup_close_ int fd =
                        accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
                if (fd < 0) {
                        if (!IN_SET(errno, EAGAIN, EINTR, ECONNABORTED))
                                pause_accepting(m, errno);
                        return 0;
                }
                int r = link_new(m, &fd);
                if (r < 0)
                        log_debug_errno(r, "A connection to the control socket was dropped");
        }
        return 0;
}

int links_listen(Manager *m, Error *reterr) {
        int r = fd_nonblock(m->listen_fd, true);
        if (r >= 0)
                r = sd_event_add_io(m->event, &m->listen_source, m->listen_fd, EPOLLIN,
                                    on_connection, m);
        return r < 0 ? error_set_errno(reterr, r, ERROR_SETUP_FAILED, "Listening on '%s' failed",
                                       CONTROL_SOCKET_PATH)
                     : 0;
}
