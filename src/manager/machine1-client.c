/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Our containers at a systemd-machined that runs: registered and unregistered, best effort; nobody waits for its answers.
 *
 * Since version 258 machined takes whoever registers a machine for its *supervisor*, and sends SIGTERM to that when the machine is to
 * be terminated, or has ended before it was unregistered. So each of our containers is registered over a connection to the bus that
 * its own supervisor has made (CONNECT) and lent to us: the bus, and machined, go by the process that called connect(2). */
#include <fcntl.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/id.h"
#include "basic/log.h"
#include "basic/parse.h"
#include "bus/names.h"
#include "manager/machine1.h"
#include "manager/supervisor-link.h"

#define ANSWER_USEC \
        (10 *       \
         USEC_PER_SEC) /* for a supervisor's CONNECTED: an older one does not know the question */
#define ASKED_MAX 16U  /* connections to the bus at a time: dbus-daemon allows 256 for root */

struct Machine1Registration {
        Machine1 *m1;
        Container *container;
        bool asked;             /* the supervisor is to connect */
        sd_bus *bus;            /* its connection, until machined has answered */
        sd_event_source *timer; /* its time to answer */
        LIST_FIELDS(Machine1Registration, registrations);
};

static void registrations_go(Machine1 *m1);

static Machine1Registration *registration_free(Machine1Registration *g) {
        if (!g)
                return NULL;
        g->container->registration = NULL;
        LIST_REMOVE(registrations, g->m1->registrations, g);
        if (g->asked)
                g->m1->n_asked--;
        sd_bus_close_unref(g->bus);
        sd_event_source_disable_unref(g->timer);
        free(g);
        return NULL;
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        const sd_bus_error *e = sd_bus_message_get_error(m);
        if (e) /* it knows the machine already, from its state file for one; or has no use for the name */
                log_debug("systemd-machined: %s", strempty(e->message));
        return 0;
}

static int on_registered(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Machine1Registration *g = userdata;
        Machine1 *m1 = g->m1;
        (void) on_reply(m, NULL, NULL);
        registration_free(g);
        registrations_go(m1);
        return 0;
}

static int call_register(sd_bus *bus, const Container *c, sd_bus_message_handler_t callback,
                         void *userdata) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        Id128 id;
        size_t id_size = c->id && id128_parse(c->id, &id) >= 0 ? sizeof(id.bytes) : 0;
        int r = sd_bus_message_new_method_call(bus, &m, MACHINE1_BUS_NAME, MACHINE1_MANAGER_PATH,
                                               MACHINE1_MANAGER_INTERFACE,
                                               "RegisterMachineWithNetwork");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", c->name);
        if (r >= 0)
                r = sd_bus_message_append_array(m, 'y', id.bytes, id_size);
        if (r >= 0)
                r = sd_bus_message_append(m, "ssus", machine1_service(c), machine1_class(c),
                                          (uint32_t) c->leader.pid, strempty(c->root_directory));
        if (r >= 0)
                r = sd_bus_message_append_array(
                        m, 'i', c->foreign ? c->foreign->interfaces : NULL,
                        c->foreign ? c->foreign->n_interfaces * sizeof(int32_t) : 0);
        if (r >= 0) /* it was running a moment ago: it is not started for us */
                r = sd_bus_message_set_auto_start(m, false);
        return r < 0 ? r : sd_bus_call_async(bus, NULL, m, callback, userdata, 0);
}

static void not_registered(const Container *c, int error) {
        log_debug_errno(error, "Container '%s' is not registered with systemd-machined", c->name);
}

static int on_no_answer(sd_event_source *s, uint64_t usec, void *userdata) {
        Machine1Registration *g = userdata;
        Machine1 *m1 = g->m1;
        if (g->bus)
                return 0; /* it has answered; machined's answer has a time limit of its own */
        not_registered(g->container, -ETIMEDOUT);
        registration_free(g);
        registrations_go(m1);
        return 0;
}

static bool registration_ask(Machine1Registration *g) {
        int r = link_send(g->container->link, CONTROL_CONNECT);
        g->timer = sd_event_source_disable_unref(g->timer);
        if (r >= 0) /* without a timer the end of its link tells */
                (void) sd_event_add_time_relative(g->m1->manager->event, &g->timer, CLOCK_MONOTONIC,
                                                  ANSWER_USEC, 0, on_no_answer, g);
        return r >= 0;
}

/* Asks as many supervisors as may be asked at a time. */
static void registrations_go(Machine1 *m1) {
        LIST_FOREACH(registrations, g, m1->registrations) {
                if (m1->n_asked >= ASKED_MAX)
                        return;
                if (g->asked || !g->container->link)
                        continue;
                /* it is the next one's turn when this one has failed; its link's end will tell */
                g->asked = registration_ask(g);
                m1->n_asked += g->asked;
        }
}

void machine1_register_elsewhere(Machine1 *m1, Container *c) {
        int r;
        if (c->foreign) { /* there is no supervisor that could be asked */
                r = call_register(m1->name.bus, c, on_reply, NULL);
                if (r < 0)
                        not_registered(c, r);
                return;
        }
        if (c->registration)
                return;
        Machine1Registration *g = new0(Machine1Registration, 1);
        if (!g) {
                not_registered(c, -ENOMEM);
                return;
        }
        g->m1 = m1;
        g->container = c;
        c->registration = g;
        LIST_PREPEND(registrations, m1->registrations, g);
        registrations_go(m1);
}

static int register_by(Machine1Registration *g, int fd) {
        Machine1 *m1 = g->m1;
        int bus_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (bus_fd < 0)
                return -errno;
        int r = sd_bus_new(&g->bus);
        if (r >= 0)
                r = sd_bus_set_fd(g->bus, bus_fd, bus_fd);
        if (r < 0) {
                fd_close(bus_fd);
                return r;
        }
        r = sd_bus_set_bus_client(g->bus, true);
        if (r >= 0)
                r = sd_bus_start(g->bus);
        if (r >= 0)
                r = sd_bus_attach_event(g->bus, m1->manager->event, SD_EVENT_PRIORITY_NORMAL);
        return r < 0 ? r : call_register(g->bus, g->container, on_registered, g);
}

void machine1_supervisor_connected(Container *c, const ControlMessage *m) {
        Machine1Registration *g = c->registration;
        uint32_t error;
        int r;
        if (!g || !g->asked || g->bus)
                return; /* it is not wanted any more */
        Machine1 *m1 = g->m1;
        if (m1->name.state != SHARED_NAME_OTHERS)
                r = -ECANCELED;
        else if (m->fds[0] < 0)
                r = parse_u32(strempty(control_message_get(m, "ERRNO")), &error) >= 0 &&
                                    error > 0 && error < 4096
                            ? -(int) error
                            : -EPROTO;
        else
                r = register_by(g, m->fds[0]);
        if (r >= 0)
                return;
        not_registered(c, r);
        registration_free(g);
        registrations_go(m1);
}

typedef struct Unregistering {
        Manager *manager;
        uint64_t generation;
        char *name;
} Unregistering;

static void unregistering_free(void *p) {
        Unregistering *u = p;
        free(u->name);
        free(u);
}

static int on_unregistered(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        const Unregistering *u = userdata;
        Container *c = hashmap_get(u->manager->containers, u->name);
        if (c && c->generation == u->generation && c->link)
                (void) link_send(c->link, CONTROL_UNREGISTERED); /* it does not wait for ever */
        return 0;
}

/* An answer to this says that what was sent before, UnregisterMachine, has been dealt with, and all that machined had begun. */
static int call_ping(Machine1 *m1, const Container *c) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        sd_bus_slot *slot;
        Unregistering *u = new0(Unregistering, 1);
        if (!u)
                return -ENOMEM;
        u->manager = c->manager;
        u->generation = c->generation;
        u->name = strdup(c->name);
        int r = u->name ? 0 : -ENOMEM;
        if (r >= 0)
                r = sd_bus_message_new_method_call(m1->name.bus, &m, MACHINE1_BUS_NAME,
                                                   MACHINE1_MANAGER_PATH,
                                                   "org.freedesktop.DBus.Peer", "Ping");
        if (r >= 0) /* where it has ended meanwhile it has forgotten all */
                r = sd_bus_message_set_auto_start(m, false);
        if (r >= 0)
                r = sd_bus_call_async(m1->name.bus, &slot, m, on_unregistered, u, 0);
        if (r < 0) {
                unregistering_free(u);
                return r;
        }
        (void) sd_bus_slot_set_destroy_callback(slot, unregistering_free); /* only fail for none */
        (void) sd_bus_slot_set_floating(slot, true);
        sd_bus_slot_unref(slot);
        return 0;
}

void machine1_tell_when_unregistered(Container *c) {
        Machine1 *m1 = c->manager->machine1;
        if (!m1 || m1->name.state != SHARED_NAME_OTHERS || call_ping(m1, c) < 0)
                if (c->link)
                        (void) link_send(c->link,
                                         CONTROL_UNREGISTERED); /* nothing is to be waited for */
}

void machine1_link_changed(Container *c) {
        Machine1Registration *g = c->registration;
        if (!g || g->bus)
                return;
        if (g->asked && !c->link) { /* another link will be asked */
                g->asked = false;
                g->timer = sd_event_source_disable_unref(g->timer);
                g->m1->n_asked--;
        }
        registrations_go(g->m1);
}

void machine1_registration_free(Container *c) {
        Machine1 *m1 = c->manager->machine1;
        if (!c->registration)
                return;
        registration_free(c->registration);
        registrations_go(m1);
}

void machine1_registrations_free(Machine1 *m1) {
        LIST_FOREACH(registrations, g, m1->registrations)
                registration_free(g);
}

void machine1_unregister_elsewhere(Machine1 *m1, const Container *c) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = sd_bus_message_new_method_call(m1->name.bus, &m, MACHINE1_BUS_NAME,
                                               MACHINE1_MANAGER_PATH, MACHINE1_MANAGER_INTERFACE,
                                               "UnregisterMachine");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", c->name);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, false);
        if (r >= 0)
                r = sd_bus_call_async(m1->name.bus, NULL, m, on_reply, NULL, 0);
        if (r < 0)
                log_debug_errno(r, "Container '%s' is not unregistered from systemd-machined",
                                c->name);
}
