/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs that wait for things to happen: wait, events, logs. */
#include <stdio.h>

#include "basic/alloc.h"
#include "bus/bus.h"
#include "bus/manager1-events.h"
#include "bus/manager1.h"
#include "bus/systemd1.h"
#include "cli/complain.h"
#include "cli/journal.h"
#include "cli/json.h"
#include "cli/verbs.h"
#include "spec/spec.h"

/* ---- wait ---- */

#define LOOK_AGAIN_USEC \
        (1 * USEC_PER_SEC) /* should a signal get lost, with a manager that is restarted for one */
#define MUTE_USEC (10 * USEC_PER_SEC)     /* for a manager that ended in the middle of a call */
#define MISSED_USEC (300 * USEC_PER_MSEC) /* in which all supervisors find a restarted manager */

/* One of the containers that are waited for. */
typedef struct Awaited {
        const char *name; /* borrowed */
        bool met;
        bool seen;          /* it was there before */
        bool removed;       /* the manager said so */
        usec_t missed_usec; /* since when it is not there, or 0 */
        usec_t mute_usec;   /* since when the manager does not answer, or 0 */
        char *ending;       /* how it has ended, if we were told */
} Awaited;

typedef struct WaitList {
        Awaited *items;
        size_t n;
} WaitList;

static void wait_list_done(WaitList *l) {
        for (size_t i = 0; i < l->n; i++)
                free(l->items[i].ending);
        free(l->items);
}

static void on_event(const ContainerEvent *e, void *userdata) {
        WaitList *l = userdata;
        for (size_t i = 0; i < l->n; i++) {
                Awaited *a = l->items + i;
                if (!streq(a->name, e->name))
                        continue;
                a->removed = e->type == EVENT_REMOVED;
                if (e->type == EVENT_REMOVED)
                        (void) free_and_strdup(&a->ending, strempty(e->detail)); /* only told */
        }
}

/* It is not there: right if it was to stop, wrong if it was there and is to be something else. */
static int look_at_missing(Awaited *a, WaitTarget target, Error *reterr) {
        const usec_t now = now_usec(CLOCK_MONOTONIC);

        if (a->missed_usec == 0)
                a->missed_usec = now;
        if (!a->removed && now - a->missed_usec < MISSED_USEC)
                return 0;
        if (target == WAIT_STOPPED)
                a->met = true;
        else if (a->seen || a->removed)
                return error_set(reterr, -ESRCH, ERROR_NO_SUCH_CONTAINER,
                                 "Container '%s' has ended before it was %s%s%s", a->name,
                                 wait_target_to_string(target), isempty(a->ending) ? "" : ": ",
                                 strempty(a->ending));
        return 0;
}

/* It was killed, or is being replaced, while it was asked: that is no news of the container. */
static int look_at_mute(Awaited *a, Error *reterr) {
        const usec_t now = now_usec(CLOCK_MONOTONIC);

        if (a->mute_usec == 0)
                a->mute_usec = now;
        if (reterr->id != ERROR_BUS_FAILED || now - a->mute_usec >= MUTE_USEC)
                return reterr->code;
        error_done(reterr);
        return 0;
}

static int look(sd_bus *bus, Awaited *a, WaitTarget target, Error *reterr) {
        _cleanup_(container_info_done) ContainerInfo info = { 0 };

        int r = manager1_get(bus, a->name, &info, reterr);
        if (r < 0 && reterr->id == ERROR_NO_SUCH_CONTAINER) {
                error_done(reterr);
                return look_at_missing(a, target, reterr);
        }
        if (r < 0)
                return look_at_mute(a, reterr);
        a->mute_usec = 0;
        a->seen = true;
        a->removed = false;
        a->missed_usec = 0;
        const bool running = streq(strempty(info.state), "running");
        if (target == WAIT_HEALTHY && running && streq(strempty(info.health), "none")) {
                (void) error_set(reterr, -EINVAL, ERROR_UNSUPPORTED,
                                 "Container '%s' has no health check", a->name);
                error_hint(reterr, "its settings need a HealthCommand=");
                return -EINVAL;
        }
        a->met = target == WAIT_RUNNING   ? running
                 : target == WAIT_READY   ? running && info.ready
                 : target == WAIT_HEALTHY ? running && streq(strempty(info.health), "healthy")
                                          : false;
        return 0;
}

/* How many are still waited for, or an error. */
static int look_at_all(sd_bus *bus, WaitList *l, WaitTarget target, Error *reterr) {
        int left = 0;

        for (size_t i = 0; i < l->n; i++) {
                if (l->items[i].met)
                        continue;
                int r = look(bus, l->items + i, target, reterr);
                if (r < 0)
                        return r;
                left += !l->items[i].met;
        }
        return left;
}

static int wait_for_all(ContainerWatch *w, WaitList *l, const VerbOptions *o, Error *reterr) {
        const usec_t begin = now_usec(CLOCK_MONOTONIC);
        int left;

        while ((left = look_at_all(w->bus, l, o->wait_target, reterr)) > 0) {
                const usec_t passed = now_usec(CLOCK_MONOTONIC) - begin;
                if (passed >= o->timeout_usec) {
                        const Awaited *a = l->items;
                        while (a->met)
                                a++;
                        return error_set(reterr, -ETIMEDOUT, ERROR_TIMEOUT,
                                         "Container '%s' is not %s yet", a->name,
                                         wait_target_to_string(o->wait_target));
                }
                usec_t longest = LOOK_AGAIN_USEC;
                for (size_t i = 0; i < l->n; i++)
                        if (!l->items[i].met &&
                            (l->items[i].missed_usec > 0 || l->items[i].mute_usec > 0))
                                longest = MISSED_USEC;
                int r = container_watch_run(w, MIN(longest, o->timeout_usec - passed), reterr);
                if (r < 0)
                        return r;
        }
        return left;
}

int verb_wait(const Invocation *v, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        _cleanup_(wait_list_done) WaitList l = { 0 };

        STRV_FOREACH(name, v->arguments) {
                int r = spec_check_name(*name, reterr);
                if (r < 0)
                        return r;
                Awaited *a = ARRAY_APPEND(l.items, l.n);
                if (!a)
                        return error_oom(reterr);
                a->name = *name;
        }
        int r = verb_connect(v, &bus, reterr);
        if (r < 0)
                return r;
        ContainerWatch w = { .bus = bus, .handler = on_event, .userdata = &l };
        r = container_watch_begin(&w, reterr);
        if (r >= 0)
                r = wait_for_all(&w, &l, &v->options, reterr);
        container_watch_end(&w);
        return r;
}

/* ---- events ---- */

static int print_event_json(const ContainerEvent *e, usec_t now, Error *reterr) {
        _cleanup_(json_writer_done) JsonWriter w = { 0 };
        _cleanup_free_ char *text = NULL;

        json_begin_object(&w, NULL);
        json_add_number(&w, "time_usec", now);
        json_add_string(&w, "name", e->name);
        json_add_string(&w, "event", container_event_type_to_string(e->type));
        json_add_string(&w, "detail", e->detail);
        json_end(&w);
        int r = json_finish(&w, &text, reterr);
        if (r >= 0)
                (void) fputs(text, stdout); /* main() looks at the stream */
        return r;
}

static int print_event_line(const ContainerEvent *e, usec_t now, Error *reterr) {
        _cleanup_free_ char *at = format_timestamp(now),
                            *detail = str_escape_for_display(strempty(e->detail));
        if (!at || !detail)
                return error_oom(reterr);
        (void) printf("%s  %s %s%s%s\n", at, e->name, container_event_type_to_string(e->type),
                      isempty(detail) ? "" : ": ", detail);
        return 0;
}

typedef struct EventPrinter {
        const Invocation *invocation;
        Error *reterr;
        int r;
} EventPrinter;

static void print_event(const ContainerEvent *e, void *userdata) {
        EventPrinter *p = userdata;
        const usec_t now = now_usec(CLOCK_REALTIME);

        if (p->r < 0 || (!strv_isempty(p->invocation->arguments) &&
                         !strv_contains(p->invocation->arguments, e->name)))
                return;
        p->r = p->invocation->options.json == JSON_OFF ? print_event_line(e, now, p->reterr)
                                                       : print_event_json(e, now, p->reterr);
}

int verb_events(const Invocation *v, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        EventPrinter p = { .invocation = v, .reterr = reterr };

        int r = verb_connect(v, &bus, reterr);
        if (r < 0)
                return r;
        ContainerWatch w = { .bus = bus, .handler = print_event, .userdata = &p };
        r = container_watch_begin(&w, reterr);
        /* until there is an error, a signal, or nobody reads any more */
        while (r >= 0 && p.r >= 0 && fflush(stdout) == 0)
                r = container_watch_run(&w, USEC_INFINITY, reterr);
        container_watch_end(&w);
        return p.r < 0 ? p.r : r;
}

/* ---- logs ---- */

int verb_logs(const Invocation *v, Error *reterr) {
        const char *name = v->arguments[0];
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        _cleanup_(container_info_done) ContainerInfo info = { 0 };
        _cleanup_free_ char *service = NULL;

        int r = verb_refuse_remote(v, "the journal that is read is this system's", reterr);
        if (r >= 0)
                r = spec_check_name(name, reterr);
        if (r < 0)
                return r;
        /* of one that has ended, or whose manager cannot be asked, the service's log is what there can be */
        if (verb_connect(v, &bus, NULL) >= 0)
                (void) manager1_get(bus, name, &info, NULL);
        service = systemd1_service_name(name);
        if (!service)
                return error_oom(reterr);
        const JournalQuery q = {
                .container = name,
                .unit = isempty(info.unit) ? service : info.unit,
                .lines = v->options.lines == LINES_UNSET ? LINES_MAX : v->options.lines,
        };
        return journal_print(&q, v->options.follow, stdout, reterr);
}
