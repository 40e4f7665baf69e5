/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls that are answered when something has become of a container: it has ended, is paused, goes on. */
#include "basic/alloc.h"
#include "basic/log.h"
#include "bus/bus.h"
#include "manager/container.h"

#define PAUSE_TIMEOUT_USEC (10 * USEC_PER_SEC) /* for a process that the kernel cannot stop now */
#define WAIT_MAX_USEC \
        (365 * USEC_PER_DAY) /* timers cannot be armed for any time; longer is for ever */

struct Waiter {
        Container *container;
        WaitFor what;
        sd_bus_message *call; /* NULL: nobody hears of it */
        sd_event_source *timer;
        LIST_FIELDS(Waiter, waiters);
};

static void waiter_free(Waiter *w) {
        LIST_REMOVE(waiters, w->container->waiters, w);
        manager_call_end(w->container->manager);
        sd_event_source_disable_unref(w->timer);
        sd_bus_message_unref(w->call);
        free(w);
}

void waiters_free(Container *c) {
        LIST_FOREACH(waiters, w, c->waiters)
                waiter_free(w);
}

/* Answers, and frees it. */
static void waiter_fail(Waiter *w, const Error *e) {
        _cleanup_(sd_bus_error_free) sd_bus_error b = SD_BUS_ERROR_NULL;
        if (w->call) {
                (void) bus_error_from_error_for(w->call, &b, e);
                (void) sd_bus_reply_method_error(w->call, &b); /* the caller may be gone */
        } else
                log_error_object(LOG_NOTICE, e);
        waiter_free(w);
}

static void waiter_succeed(Waiter *w) {
        if (w->call)
                (void) sd_bus_reply_method_return(w->call, NULL); /* the caller may be gone */
        waiter_free(w);
}

static void set_failure(const Waiter *w, int code, Error *e) {
        const char *name = w->container->name;
        if (code == -ECANCELED)
                (void) error_set(e, code, ERROR_FAILED, "Container '%s' was resumed meanwhile",
                                 name);
        else if (code == -EOPNOTSUPP)
                (void) error_set(e, code, ERROR_UNSUPPORTED,
                                 "Container '%s' has no control group of its own to be paused in",
                                 name);
        else
                (void) error_set_errno(e, code, ERROR_CGROUP_FAILED,
                                       "Freezing the control group of '%s' failed", name);
}

static void waiter_answer(Waiter *w, int code) {
        _cleanup_error_ Error e = ERROR_NULL;
        if (code >= 0) {
                waiter_succeed(w);
                return;
        }
        set_failure(w, code, &e);
        waiter_fail(w, &e);
}

void waiters_answer(Container *c, WaitFor what, int code) {
        LIST_FOREACH(waiters, w, c->waiters)
                if (w->what == what)
                        waiter_answer(w, code);
}

/* Each RESUME has one answer, so this is that of the oldest which has none: a PAUSE that was sent after it has yet to come about. If we
 * have sent none, or a PAUSE before it, somebody else was faster. */
void waiters_answer_resumed(Container *c) {
        Waiter *oldest = NULL;
        LIST_FOREACH(waiters, w, c->waiters) /* the newest is the first */
                if (w->what == WAIT_FOR_RESUME)
                        oldest = w;
        bool before = !oldest;
        LIST_FOREACH(waiters, w, c->waiters) {
                before = before || w == oldest;
                if (w != oldest && before && w->what == WAIT_FOR_PAUSE)
                        waiter_answer(w, -ECANCELED);
        }
        if (oldest)
                waiter_answer(oldest, 0);
}

void waiters_answer_end(Container *c) {
        LIST_FOREACH(waiters, w, c->waiters) {
                _cleanup_error_ Error e = ERROR_NULL;
                if (w->what == WAIT_FOR_END) {
                        waiter_succeed(w);
                        continue;
                }
                (void) error_set(&e, -ENXIO, ERROR_NO_SUCH_CONTAINER, "Container '%s' has ended",
                                 c->name);
                waiter_fail(w, &e);
        }
}

static int on_wait_timeout(sd_event_source *s, uint64_t usec, void *userdata) {
        Waiter *w = userdata;
        Container *c = w->container;
        _cleanup_error_ Error e = ERROR_NULL;
        if (w->what == WAIT_FOR_END) {
                (void) error_set(&e, -ETIMEDOUT, ERROR_TIMEOUT,
                                 "Container '%s' has not ended in time", c->name);
                error_hint(&e, "'berth terminate %s' ends it at once", c->name);
        } else if (w->what == WAIT_FOR_PAUSE) {
                /* all of it or nothing */
                (void) container_request(c, CONTROL_RESUME, NULL);
                (void) error_set(&e, -ETIMEDOUT, ERROR_TIMEOUT,
                                 "The processes of '%s' have not come to rest in time", c->name);
                error_hint(&e, "one of them waits for the kernel; it goes on, try again");
        } else
                (void) error_set(&e, -ETIMEDOUT, ERROR_TIMEOUT,
                                 "The supervisor of '%s' has not answered in time", c->name);
        waiter_fail(w, &e);
        return 0;
}

static int waiter_new(Container *c, WaitFor what, sd_bus_message *call, usec_t timeout_usec,
                      Waiter **ret, Error *reterr) {
        int r = manager_call_begin(c->manager, reterr);
        if (r < 0)
                return r;
        Waiter *w = new0(Waiter, 1);
        if (!w) {
                manager_call_end(c->manager);
                return error_oom(reterr);
        }
        w->container = c;
        w->what = what;
        w->call = sd_bus_message_ref(call);
        LIST_PREPEND(waiters, c->waiters, w);
        if (timeout_usec <= WAIT_MAX_USEC)
                r = sd_event_add_time_relative(c->manager->event, &w->timer, CLOCK_MONOTONIC,
                                               timeout_usec, 0, on_wait_timeout, w);
        if (r < 0) {
                waiter_free(w);
                return error_set_errno(reterr, r, ERROR_FAILED, "Waiting for '%s' failed", c->name);
        }
        *ret = w;
        return 0;
}

int container_stop(Container *c, sd_bus_message *call, usec_t timeout_usec, Error *reterr) {
        Waiter *w;
        int r = waiter_new(c, WAIT_FOR_END, call, timeout_usec, &w, reterr);
        if (r < 0) /* nobody would hear the answer, so nothing is done */
                return r;
        /* one that is on its way down already, even if its supervisor has not said so yet: a second STOP would kill it */
        if (c->stop_requested || IN_SET(c->state, STATE_STOPPING, STATE_EXITED, STATE_FAILED))
                return 0;
        r = container_request_stop(c, reterr);
        if (r < 0)
                waiter_free(w);
        return r;
}

int container_check_pause(const Container *c, bool pause, Error *reterr) {
        int r;
        if (c->foreign) {
                r = error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                              "Machine '%s' was started by another program, which cannot pause it",
                              c->name);
                error_hint(reterr, "systemd can freeze its unit: systemctl %s '%s'",
                           pause ? "freeze" : "thaw", strempty(c->unit));
                return r;
        }
        if (!pause || c->state == STATE_RUNNING)
                return 0;
        return error_set(reterr, -EBUSY, ERROR_FAILED,
                         "Container '%s' is %s; only one that runs can be paused", c->name,
                         container_state_to_string(c->state));
}

int container_pause(Container *c, sd_bus_message *call, bool pause, Error *reterr) {
        Waiter *w;
        int r = container_check_pause(c, pause, reterr);
        if (r >= 0)
                r = waiter_new(c, pause ? WAIT_FOR_PAUSE : WAIT_FOR_RESUME, call,
                               PAUSE_TIMEOUT_USEC, &w, reterr);
        if (r < 0)
                return r;
        r = container_request(c, pause ? CONTROL_PAUSE : CONTROL_RESUME, reterr);
        if (r < 0)
                waiter_free(w);
        return r;
}
