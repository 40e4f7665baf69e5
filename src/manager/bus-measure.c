/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ListContainers and MeasureContainers: all containers, without or with what they use, in one answer.
 *
 * Some hundred containers take longer than the main loop may be held up. So an answer is made in slices, with the loop's other work in
 * between, and one answer at a time; users take turns. What is measured is of some moment, and a container that comes or goes meanwhile is
 * in it or not. A list is as all is when it is sent, since whoever asks for one follows the signals from there on: it is begun anew when
 * one of those in it changes, and made in one go when that happens again and again. */
#include <inttypes.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/str.h"
#include "bus/bus.h"
#include "manager/container-usage.h"
#include "sys/cgroup.h"

#define SLICE_USEC (2 * USEC_PER_MSEC)
#define SLICE_MAX 32U             /* containers */
#define MEASUREMENTS_USER_MAX 16U /* calls of one user that wait */
#define MEASUREMENTS_ROOT_MAX 256U
#define LIST_AT_ONCE 16U     /* so few containers take no slices */
#define LIST_RESTARTS_MAX 3U /* then in one go */

struct Measurement {
        sd_bus_message *call, *reply;
        uid_t uid;
        uint32_t wanted;
        uint64_t last_generation; /* of what is in the reply */
        unsigned restarts;
        bool list;
        LIST_FIELDS(Measurement, measurements);
};

static void measurement_free(Manager *m, Measurement *q) {
        LIST_REMOVE(measurements, m->measurements, q);
        manager_call_end(m);
        sd_bus_message_unref(q->reply);
        sd_bus_message_unref(q->call);
        free(q);
}

void measurements_free(Manager *m) {
        while (m->measurements)
                measurement_free(m, m->measurements);
        m->measure_source = sd_event_source_disable_unref(m->measure_source);
}

/* The one that was begun; else the oldest of another user than the last one's, else the oldest. */
static Measurement *choose(Manager *m) {
        Measurement *oldest = NULL, *other = NULL;

        LIST_FOREACH(measurements, q, m->measurements) {
                if (q->reply)
                        return q;
                oldest = q;
                if (q->uid != m->measured_uid)
                        other = q;
        }
        return other ?: oldest;
}

static int append_container(const Container *c, int cgroup_root_fd, uint32_t wanted,
                            sd_bus_message *reply) {
        int r = sd_bus_message_open_container(reply, 'r', "sa{sv}o");
        if (r >= 0)
                r = sd_bus_message_append(reply, "s", c->name);
        if (r >= 0)
                r = container_append_properties(c, cgroup_root_fd, wanted, reply);
        if (r >= 0)
                r = sd_bus_message_append(reply, "o", c->path);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* 1: all are in the reply. Generations grow in the order of the map. */
static int append_slice(Manager *m, Measurement *q, int cgroup_root_fd) {
        const usec_t begin = now_usec(CLOCK_MONOTONIC);
        unsigned n = 0;
        Container *c;

        HASHMAP_FOREACH(c, m->containers) {
                if (c->generation <= q->last_generation)
                        continue;
                if (q->restarts < LIST_RESTARTS_MAX &&
                    (n++ >= SLICE_MAX || now_usec(CLOCK_MONOTONIC) - begin >= SLICE_USEC))
                        return 0;
                int r = append_container(c, cgroup_root_fd, q->wanted, q->reply);
                if (r < 0)
                        return r;
                q->last_generation = c->generation;
        }
        return 1;
}

static int work(Manager *m, Measurement *q) {
        _cleanup_close_ int root = q->wanted & USAGE_ALL ? cgroup_open_root() : -EBADF;
        int r = 0;

        if (!q->reply) {
                m->measured_uid = q->uid;
                r = sd_bus_message_new_method_return(q->call, &q->reply);
                if (r >= 0)
                        r = sd_bus_message_open_container(q->reply, 'a', "(sa{sv}o)");
        }
        if (r >= 0)
                r = append_slice(m, q, root);
        if (r <= 0)
                return r;
        r = sd_bus_message_close_container(q->reply);
        if (r >= 0)
                r = sd_bus_send(m->bus, q->reply, NULL);
        return r < 0 ? r : 1;
}

static int on_turn(sd_event_source *s, void *userdata) {
        Manager *m = userdata;
        Measurement *q = choose(m);
        int r = q ? work(m, q) : 0;

        if (r < 0) {
                _cleanup_(sd_bus_error_free) sd_bus_error b = SD_BUS_ERROR_NULL;
                _cleanup_error_ Error e = ERROR_NULL;
                (void) error_set_errno(&e, r, ERROR_FAILED, "Writing the reply failed");
                (void) bus_error_from_error(&b, &e);
                (void) sd_bus_reply_method_error(q->call, &b); /* the caller may be gone */
        }
        if (r != 0)
                measurement_free(m, q);
        if (m->measurements)
                return 0;
        return sd_event_source_set_enabled(s, SD_EVENT_OFF);
}

static int read_wanted(sd_bus_message *call, uint32_t *ret, Error *reterr) {
        const char *name;
        uint32_t wanted = 0;

        int r = sd_bus_message_enter_container(call, 'a', "s");
        while (r >= 0 && (r = sd_bus_message_read_basic(call, 's', &name)) > 0) {
                const uint32_t bit = measure_bit(name);
                if (bit == 0)
                        return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                         "Property '%.80s' cannot be measured", name);
                wanted |= bit;
        }
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_PROTOCOL,
                                       "The arguments of the call cannot be read");
        *ret = wanted == 0 ? MEASURE_ALL : wanted;
        return 0;
}

static int check_limit(const Manager *m, Error *reterr) {
        const unsigned limit = m->caller_uid == 0 ? MEASUREMENTS_ROOT_MAX : MEASUREMENTS_USER_MAX;
        unsigned own = 0;

        LIST_FOREACH(measurements, q, m->measurements)
                own += q->uid == m->caller_uid;
        if (own < limit)
                return 0;
        int r = error_set(reterr, -EBUSY, ERROR_LIMIT_EXCEEDED,
                          "More than %u calls of this user list or measure containers", limit);
        error_hint(reterr, "wait for their answers");
        return r;
}

static int measurement_new(Manager *m, sd_bus_message *call, uint32_t wanted, bool list,
                           Error *reterr) {
        int r = check_limit(m, reterr);
        if (r >= 0 && !m->measure_source &&
            sd_event_add_defer(m->event, &m->measure_source, on_turn, m) < 0)
                r = error_oom(reterr);
        if (r >= 0 && sd_event_source_set_enabled(m->measure_source, SD_EVENT_ON) < 0)
                r = error_oom(reterr);
        if (r >= 0)
                r = manager_call_begin(m, reterr);
        if (r < 0)
                return r;
        Measurement *q = new0(Measurement, 1);
        if (!q) {
                manager_call_end(m);
                return error_oom(reterr);
        }
        q->call = sd_bus_message_ref(call);
        q->uid = m->caller_uid;
        q->wanted = wanted;
        q->list = list;
        LIST_PREPEND(measurements, m->measurements, q);
        return 0;
}

int body_measure(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        uint32_t wanted;

        int r = read_wanted(call, &wanted, reterr);
        return r < 0 ? r : measurement_new(m, call, wanted, /* list= */ false, reterr);
}

int body_list(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        if (hashmap_size(m->containers) > LIST_AT_ONCE)
                return measurement_new(m, call, 0, /* list= */ true, reterr);
        Measurement q = { .call = call,
                          .uid = m->measured_uid, /* takes nobody's turn */
                          .list = true,
                          .restarts = LIST_RESTARTS_MAX };
        int r = work(m, &q);
        sd_bus_message_unref(q.reply);
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED, "Writing the reply failed") : 0;
}

void lists_changed(Container *c) {
        LIST_FOREACH(measurements, q, c->manager->measurements)
                if (q->list && c->generation <= q->last_generation) {
                        q->reply = sd_bus_message_unref(q->reply);
                        q->last_generation = 0;
                        q->restarts++;
                }
}
