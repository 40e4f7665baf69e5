/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* StartTransientUnit, and what can become of it.
 *
 * Calls: AddMatch(JobRemoved) and StartTransientUnit are sent at once, nothing waits for the AddMatch; the reply names the job; JobRemoved with
 * "done" is the end. If that does not come, the unit's ActiveState is polled. */
#include "bus/scope-job.h"

#include "basic/alloc.h"
#include "basic/log.h"
#include "basic/path.h"
#include "basic/str.h"
#include "bus/bus.h"
#include "bus/keeper-scope.h"
#include "bus/names.h"
#include "sys/cgroup.h"

#define SCOPE_TIMEOUT_USEC (30 * USEC_PER_SEC) /* from the request to the end of the job */
#define SCOPE_GONE_TIMEOUT_USEC \
        (10 * USEC_PER_SEC) /* how long an old, empty scope of the name may take to go */
#define SCOPE_IN_USE_USEC \
        (1 * USEC_PER_SEC) /* and one that is in use, perhaps by what has just been killed */
#define SCOPE_STUCK_USEC \
        (1 * USEC_PER_SEC) /* an old, empty one that has not gone by then is told to */
#define SCOPE_HURRY_USEC \
        (10 * USEC_PER_SEC) /* for systemd to take a request that nobody waits for */
#define RETRY_USEC (5 * USEC_PER_MSEC)
#define ACCURACY_USEC \
        (1 * USEC_PER_MSEC) /* sd-event's default is 250 ms: a retry would wait for that */
#define POLL_USEC (1 * USEC_PER_SEC)

struct ScopeJob {
        sd_bus *bus;
        ScopeRequest request;
        ScopeJobDone done;
        void *userdata;

        bool accepted;                  /* systemd has taken the request */
        bool lost;                      /* a request was sent, and not answered */
        bool is_old;                    /* systemd does not know all properties */
        char *job;                      /* our job's object path, once known */
        char *early_job, *early_result; /* a JobRemoved for our unit that came before the reply */
        usec_t deadline, exists_since;
        bool stopping; /* the old one was told to go */
        bool hurried;  /* nobody waits for it any more: a refusal is the end */
        sd_event_source *timer;
        sd_bus_slot *match, *call, *poll;
};

ScopeJob *scope_job_free(ScopeJob *j) {
        if (!j)
                return NULL;
        sd_event_source_disable_unref(j->timer);
        sd_bus_slot_unref(j->match);
        sd_bus_slot_unref(j->call);
        sd_bus_slot_unref(j->poll);
        sd_bus_unref(j->bus);
        free(j->job);
        free(j->early_job);
        free(j->early_result);
        free(j);
        return NULL;
}

const char *scope_signal_sender(sd_bus *bus) {
        return sd_bus_is_bus_client(bus) > 0 ? SYSTEMD1_BUS_NAME : NULL;
}

static void timer_arm(ScopeJob *j, usec_t delay) {
        (void) sd_event_source_set_time_relative(j->timer,
                                                 delay); /* both only fail for no source */
        (void) sd_event_source_set_enabled(j->timer, SD_EVENT_ONESHOT);
}

/* ---- the end ---- */

static void job_ended(ScopeJob *j, const char *result) {
        _cleanup_error_ Error e = ERROR_NULL;
        if (streq(result, "done")) {
                j->done(NULL, j->userdata);
                return;
        }
        (void) error_set(&e, streq(result, "timeout") ? -ETIMEDOUT : -EIO, ERROR_UNIT_FAILED,
                         "systemd could not make scope '%s' (job result: %s)", j->request.unit,
                         result);
        error_hint(&e, "see journalctl -u '%s'", j->request.unit);
        j->done(&e, j->userdata);
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        ScopeJob *j = userdata;
        const char *job, *unit, *result;
        if (sd_bus_message_read(m, "uoss", NULL, &job, &unit, &result) < 0 ||
            !streq(unit, j->request.unit))
                return 0;
        if (!j->job) {
                (void) free_and_strdup(&j->early_job, job); /* out of memory: polling finds out */
                (void) free_and_strdup(&j->early_result, result);
        } else if (streq(job, j->job))
                job_ended(j, result);
        return 0;
}

/* ---- refusals ---- */

typedef enum Refusal {
        REFUSAL_FINAL,
        REFUSAL_EXISTS,
        REFUSAL_LOST,
        REFUSAL_BUSY,
        REFUSAL_PROPERTY
} Refusal;

static const struct {
        const char *name;
        Refusal refusal;
} refusals[] = {
        { "org.freedesktop.systemd1.UnitExists", REFUSAL_EXISTS },
        /* systemd re-executes: the request was lost, or is carried out without an answer */
        { SD_BUS_ERROR_NO_REPLY, REFUSAL_LOST },
        { SD_BUS_ERROR_SERVICE_UNKNOWN, REFUSAL_LOST },
        { SD_BUS_ERROR_NAME_HAS_NO_OWNER, REFUSAL_LOST },
        /* dbus-daemon: berthd waits for 128 replies already */
        { SD_BUS_ERROR_LIMITS_EXCEEDED, REFUSAL_BUSY },
        /* one that it does not know; perhaps one of the user's */
        { SD_BUS_ERROR_PROPERTY_READ_ONLY, REFUSAL_PROPERTY },
        { SD_BUS_ERROR_UNKNOWN_PROPERTY, REFUSAL_PROPERTY },
};

static Refusal refusal_of(const sd_bus_error *e) {
        for (size_t i = 0; i < ELEMENTSOF(refusals); i++)
                if (streq(refusals[i].name, e->name))
                        return refusals[i].refusal;
        return REFUSAL_FINAL;
}

/* The unit that exists is ours, from a request whose answer was lost. */
static bool is_ours(ScopeJob *j) {
        _cleanup_free_ char *path = NULL;
        return j->lost && cgroup_get_path(j->request.pid, &path) >= 0 &&
               streq(path_last_component(path), j->request.unit);
}

/* What a crash has left: systemd has overlooked that nobody is in it any more. The name lock says that nobody else is at it. */
static void stop_old(ScopeJob *j) {
        j->stopping = true;
        log_info("Scope '%s' was left behind by another container of this name, and is removed",
                 j->request.unit);
        /* Abandoned first: else systemd asks a controller to stop it which has ended, unnoticed, and waits for that. No answer is waited
         * for: the next request tells. */
        (void) sd_bus_call_method_async(j->bus, NULL, SYSTEMD1_BUS_NAME, SYSTEMD1_PATH,
                                        SYSTEMD1_MANAGER_INTERFACE, "AbandonScope", NULL, NULL, "s",
                                        j->request.unit);
        (void) sd_bus_call_method_async(j->bus, NULL, SYSTEMD1_BUS_NAME, SYSTEMD1_PATH,
                                        SYSTEMD1_MANAGER_INTERFACE, "StopUnit", NULL, NULL, "ss",
                                        j->request.unit, "replace");
}

/* The name is taken: by a container that runs, or by a scope without processes that systemd has not collected yet. Returns true if it
 * is worth to try again. (Of a container of ours that runs the supervisor knows first, by its lock, and says so.) */
static bool is_going(ScopeJob *j) {
        usec_t now = now_usec(CLOCK_MONOTONIC);
        if (j->exists_since == 0)
                j->exists_since = now;
        bool in_use =
                !j->request.in_place && scope_is_in_use(j->request.spec, j->request.unit) != 0;
        /* never what our own processes are in already */
        if (!in_use && !j->request.in_place && !j->stopping &&
            now >= usec_add(j->exists_since, SCOPE_STUCK_USEC))
                stop_old(j);
        return now <
               usec_add(j->exists_since, in_use ? SCOPE_IN_USE_USEC : SCOPE_GONE_TIMEOUT_USEC);
}

static void request_refused(ScopeJob *j, const sd_bus_error *bus_error) {
        _cleanup_error_ Error e = ERROR_NULL;
        Refusal refusal = refusal_of(bus_error);

        if (refusal == REFUSAL_PROPERTY && !j->is_old &&
            scope_has_newer_properties(j->request.spec)) {
                j->is_old = true;
                timer_arm(j, 0);
                return;
        }
        j->lost = j->lost || refusal == REFUSAL_LOST;
        j->accepted = refusal == REFUSAL_EXISTS && is_ours(j); /* its state is polled */
        if (j->accepted || (!j->hurried && (IN_SET(refusal, REFUSAL_LOST, REFUSAL_BUSY) ||
                                            (refusal == REFUSAL_EXISTS && is_going(j))))) {
                timer_arm(j, RETRY_USEC);
                return;
        }
        if (refusal == REFUSAL_EXISTS) {
                (void) error_set(&e, -EEXIST, ERROR_NAME_IN_USE,
                                 "A container named '%s' is already running (scope '%s')",
                                 j->request.spec->name, j->request.unit);
                error_hint(
                        &e,
                        "choose another name with --machine=NAME, or stop it: systemctl stop '%s'",
                        j->request.unit);
        } else {
                _cleanup_free_ char *what =
                        strf("systemd refused to make scope '%s'", j->request.unit);
                (void) bus_error_to_error(bus_error, -EIO, &e, what);
        }
        j->done(&e, j->userdata);
}

/* ---- asking ---- */

static int on_start_reply(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        ScopeJob *j = userdata;
        const char *job;
        j->call = sd_bus_slot_unref(j->call);
        if (sd_bus_message_is_method_error(m, NULL)) {
                request_refused(j, sd_bus_message_get_error(m));
                return 0;
        }
        j->accepted = true;
        j->deadline = usec_add(now_usec(CLOCK_MONOTONIC), SCOPE_TIMEOUT_USEC);
        timer_arm(j, POLL_USEC);
        if (sd_bus_message_read(m, "o", &job) < 0 || free_and_strdup(&j->job, job) < 0)
                return 0; /* polling finds out */
        if (j->early_job && j->early_result && streq(j->early_job, j->job))
                job_ended(j, j->early_result);
        return 0;
}

static int request_send(ScopeJob *j, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = scope_request_new(j->bus, j->request.spec, j->request.unit, j->request.pid,
                                  j->request.devices, !j->is_old, &m, reterr);
        if (r < 0)
                return r;
        j->job = mfree(j->job);
        j->early_job = mfree(j->early_job);
        j->early_result = mfree(j->early_result);
        j->call = sd_bus_slot_unref(j->call);
        r = sd_bus_call_async(j->bus, &j->call, m, on_start_reply, j, SCOPE_TIMEOUT_USEC);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_BUS_FAILED,
                                       "Asking systemd for scope '%s' failed", j->request.unit);
        timer_arm(j, SCOPE_TIMEOUT_USEC);
        return 0;
}

static int on_active_state(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        ScopeJob *j = userdata;
        const char *state;
        j->poll = sd_bus_slot_unref(j->poll);
        if (sd_bus_message_is_method_error(m, NULL) || sd_bus_message_read(m, "v", "s", &state) < 0)
                return 0; /* systemd is busy with itself; the timer asks again */
        if (streq(state, "active"))
                job_ended(j, "done");
        else if (streq(state, "failed"))
                job_ended(j, "failed");
        return 0;
}

static int poll_state(ScopeJob *j, Error *reterr) {
        _cleanup_free_ char *path = NULL;
        int r = sd_bus_path_encode("/org/freedesktop/systemd1/unit", j->request.unit, &path);
        if (r < 0)
                return error_oom(reterr);
        timer_arm(j, POLL_USEC);
        j->poll = sd_bus_slot_unref(j->poll);
        r = sd_bus_call_method_async(j->bus, &j->poll, SYSTEMD1_BUS_NAME, path,
                                     "org.freedesktop.DBus.Properties", "Get", on_active_state, j,
                                     "ss", "org.freedesktop.systemd1.Unit", "ActiveState");
        return r < 0 ? error_set_errno(reterr, r, ERROR_BUS_FAILED,
                                       "Asking systemd about scope '%s' failed", j->request.unit)
                     : 0;
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata) {
        ScopeJob *j = userdata;
        _cleanup_error_ Error e = ERROR_NULL;
        int r;
        if (now_usec(CLOCK_MONOTONIC) >= j->deadline) {
                r = error_set(&e, -ETIMEDOUT, ERROR_TIMEOUT,
                              "systemd did not make scope '%s' within 30 seconds", j->request.unit);
                error_hint(&e, "see 'systemctl list-jobs'");
        } else
                r = j->accepted ? poll_state(j, &e) : request_send(j, &e);
        if (r < 0)
                j->done(&e, j->userdata);
        return 0;
}

void scope_job_hurry(ScopeJob *j) {
        if (j->accepted)
                return;
        /* a request that systemd has is waited for: without its process it would leave a scope that nobody is in */
        const usec_t delay = j->call ? SCOPE_HURRY_USEC : 0;
        j->hurried = true;
        j->deadline = MIN(j->deadline, usec_add(now_usec(CLOCK_MONOTONIC), delay));
        timer_arm(j, delay);
}

int scope_job_new(sd_event *event, sd_bus *bus, const ScopeRequest *request, ScopeJobDone done,
                  void *userdata, ScopeJob **ret, Error *reterr) {
        _cleanup_(scope_job_freep) ScopeJob *j = new0(ScopeJob, 1);
        if (!j)
                return error_oom(reterr);
        j->bus = sd_bus_ref(bus);
        j->request = *request;
        j->done = done;
        j->userdata = userdata;
        j->deadline = usec_add(now_usec(CLOCK_MONOTONIC), SCOPE_TIMEOUT_USEC);

        /* It comes for every job of the system. (A match on the unit's name would be arg2, but sd-bus gives up at arguments that
         * are no strings, such as arg0 here.) */
        int r = sd_bus_match_signal_async(bus, &j->match, scope_signal_sender(bus), SYSTEMD1_PATH,
                                          SYSTEMD1_MANAGER_INTERFACE, "JobRemoved", on_job_removed,
                                          NULL, j);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &j->timer, CLOCK_MONOTONIC,
                                               SCOPE_TIMEOUT_USEC, ACCURACY_USEC, on_timer, j);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_BUS_FAILED, "Watching scope '%s' failed",
                                       request->unit);
        r = request_send(j, reterr);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(j);
        return 0;
}
