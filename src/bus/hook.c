/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hooks: from a list of command lines to a transient service, and its job's result. */
#include "bus/hook.h"

#include "basic/alloc.h"
#include "basic/log.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "bus/bus.h"
#include "bus/names.h"

#define MARGIN_USEC (30 * USEC_PER_SEC) /* for systemd itself, beside the commands' time */
#define REPLY_USEC (30 * USEC_PER_SEC)

struct HookRun {
        HookType type;
        char *name, *unit; /* of the container, of its service */
        usec_t until_usec; /* when the commands' time is over */
        HookDone done;
        void *userdata;
        sd_bus_slot *match, *call;
        sd_event_source *timer;
};

static const char *const unit_words[_HOOK_TYPE_MAX] = {
        [HOOK_PRE_START] = "prestart",
        [HOOK_POST_START] = "poststart",
        [HOOK_PRE_STOP] = "prestop",
        [HOOK_POST_STOP] = "poststop",
};

char *hook_unit_name(HookType type, const char *container) {
        return strf("berth-%s-%s.service", unit_words[type], container);
}

HookRun *hook_run_free(HookRun *h) {
        if (!h)
                return NULL;
        sd_bus_slot_unref(h->match);
        sd_bus_slot_unref(h->call);
        sd_event_source_disable_unref(h->timer);
        free(h->name);
        free(h->unit);
        return mfree(h);
}

/* ---- the request ---- */

/* "-/bin/x a b" → (path, words, failure is ignored) */
static int append_command(sd_bus_message *m, const char *line) {
        _cleanup_strv_free_ char **words = NULL;
        const bool ignored = line[0] == '-';
        int r = strv_split(&words, line + ignored, NULL, WORD_UNQUOTE);
        if (r < 0 || strv_isempty(words))
                return r < 0 ? r : -EINVAL;
        r = sd_bus_message_open_container(m, 'r', "sasb");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", words[0]);
        if (r >= 0)
                r = sd_bus_message_append_strv(m, words);
        if (r >= 0)
                r = sd_bus_message_append(m, "b", (int) ignored);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_commands(sd_bus_message *m, char *const *commands) {
        int r = sd_bus_message_open_container(m, 'r', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", "ExecStart");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "a(sasb)");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(sasb)");
        STRV_FOREACH(line, commands)
                if (r >= 0)
                        r = append_command(m, *line);
        for (unsigned i = 0; i < 3 && r >= 0; i++)
                r = sd_bus_message_close_container(m);
        return r;
}

static int append_environment(sd_bus_message *m, HookType type, const HookFacts *f) {
        const struct {
                const char *name, *value;
        } facts[] = {
                { "BERTH_HOOK", hook_type_to_string(type) },
                { "BERTH_NAME", f->name },
                { "BERTH_ROOT", f->root_directory },
                { "BERTH_UNIT", f->unit },
                { "BERTH_STATE", f->state },
                { "BERTH_RESULT", f->result },
        };
        _cleanup_strv_free_ char **environment = NULL;
        int r = 0;
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(facts); i++)
                if (facts[i].value)
                        r = strv_extendf(&environment, "%s=%s", facts[i].name, facts[i].value);
        if (r >= 0 && f->leader > 0)
                r = strv_extendf(&environment, "BERTH_LEADER=%d", (int) f->leader);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'r', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", "Environment");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_append_strv(m, environment);
        for (unsigned i = 0; i < 2 && r >= 0; i++)
                r = sd_bus_message_close_container(m);
        return r;
}

static int request_new(sd_bus *bus, HookType type, const HookFacts *f, const char *unit,
                       sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_free_ char *description =
                strf("%s= of container %s", hook_type_to_string(type), f->name);
        int r = description
                        ? sd_bus_message_new_method_call(bus, &m, SYSTEMD1_BUS_NAME, SYSTEMD1_PATH,
                                                         SYSTEMD1_MANAGER_INTERFACE,
                                                         "StartTransientUnit")
                        : -ENOMEM;
        if (r >= 0)
                r = sd_bus_message_append(m, "ss", unit, "fail");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(sv)");
        if (r >= 0)
                r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)", "Description", "s", description,
                                          "Type", "s", "oneshot", "CollectMode", "s",
                                          "inactive-or-failed", "TimeoutStartUSec", "t",
                                          f->timeout_usec);
        if (r >= 0)
                r = append_environment(m, type, f);
        if (r >= 0)
                r = append_commands(m, f->commands);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_message_append(m, "a(sa(sv))", 0U);
        if (r >= 0)
                *ret = TAKE_PTR(m);
        return r;
}

/* ---- the end ---- */

static void ended(HookRun *h, Error *e) {
        if (error_is_set(e))
                error_hint(e, "its log: journalctl -u '%s'", h->unit);
        if (h->done)
                h->done(error_is_set(e) ? e : NULL, h->userdata);
}

/* job: its result, or NULL: systemd has not answered. */
static void failed(HookRun *h, const char *job) {
        _cleanup_error_ Error e = ERROR_NULL;
        const char *key = hook_type_to_string(h->type);
        if (!job)
                (void) error_set(&e, -ETIMEDOUT, ERROR_TIMEOUT,
                                 "systemd does not tell what became of %s= of '%s'", key, h->name);
        else if (streq(job, "timeout") ||
                 (!streq(job, "done") && now_usec(CLOCK_MONOTONIC) >= h->until_usec))
                (void) error_set(&e, -ETIMEDOUT, ERROR_TIMEOUT,
                                 "%s= of '%s' has not ended in time (HookTimeoutSec=)", key,
                                 h->name);
        else if (!streq(job, "done"))
                (void) error_set(&e, -EIO, ERROR_UNIT_FAILED, "%s= of '%s' has failed", key,
                                 h->name);
        ended(h, &e);
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        HookRun *h = userdata;
        const char *unit, *result;
        if (sd_bus_message_read(m, "uoss", NULL, NULL, &unit, &result) >= 0 && streq(unit, h->unit))
                failed(h, result);
        return 0;
}

static int on_timeout(sd_event_source *s, uint64_t usec, void *userdata) {
        failed(userdata, NULL);
        return 0;
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        HookRun *h = userdata;
        _cleanup_error_ Error e = ERROR_NULL;
        if (!sd_bus_message_is_method_error(m, NULL))
                return 0;
        _cleanup_free_ char *what =
                strf("Starting %s= of '%s' failed", hook_type_to_string(h->type), h->name);
        (void) bus_error_to_error(sd_bus_message_get_error(m), -EIO, &e, what);
        ended(h, &e);
        return 0;
}

/* ---- running ---- */

/* Nobody waits: it is its own owner, and ends with what systemd says. */
static void on_unattended_end(Error *e, void *userdata) {
        HookRun **h = userdata;
        if (e)
                log_error_object(LOG_WARNING, e);
        hook_run_free(*h);
        free(h);
}

static int hook_new(HookType type, const HookFacts *f, HookDone done, void *userdata,
                    HookRun **ret) {
        HookRun *h = new0(HookRun, 1);
        if (!h)
                return -ENOMEM;
        *h = (HookRun){ .type = type, .done = done, .userdata = userdata };
        h->name = strdup(f->name);
        h->unit = hook_unit_name(type, f->name);
        if (!h->name || !h->unit) {
                hook_run_free(h);
                return -ENOMEM;
        }
        *ret = h;
        return 0;
}

static int begin(HookRun *h, sd_event *event, sd_bus *bus, const HookFacts *f) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        h->until_usec = usec_add(now_usec(CLOCK_MONOTONIC), f->timeout_usec);
        int r = request_new(bus, h->type, f, h->unit, &m);
        if (r >= 0 && event)
                r = sd_event_add_time_relative(event, &h->timer, CLOCK_MONOTONIC,
                                               usec_add(f->timeout_usec, MARGIN_USEC), 0,
                                               on_timeout, h);
        /* systemd sends JobRemoved to who queued the job; the bus keeps the order of our messages */
        if (r >= 0)
                r = sd_bus_match_signal_async(bus, &h->match, SYSTEMD1_BUS_NAME, SYSTEMD1_PATH,
                                              SYSTEMD1_MANAGER_INTERFACE, "JobRemoved",
                                              on_job_removed, NULL, h);
        if (r >= 0)
                r = sd_bus_call_async(bus, &h->call, m, on_reply, h, REPLY_USEC);
        return r;
}

int hook_run(sd_event *event, sd_bus *bus, HookType type, const HookFacts *f, HookDone done,
             void *userdata, HookRun **ret, Error *reterr) {
        HookRun *h = NULL, **self = NULL;
        int r = 0;
        if (!done) {
                self = new0(HookRun *, 1);
                r = self ? 0 : -ENOMEM;
        }
        if (r >= 0)
                r = hook_new(type, f, done ?: on_unattended_end, done ? userdata : self, &h);
        if (r >= 0)
                r = begin(h, event, bus, f);
        if (r < 0) {
                hook_run_free(h);
                free(self);
                return error_set_errno(reterr, r, ERROR_BUS_FAILED, "Starting %s= of '%s' failed",
                                       hook_type_to_string(type), f->name);
        }
        if (self)
                *self = h;
        else
                *ret = h;
        return 0;
}

typedef struct HookWait {
        bool ended;
        Error error;
} HookWait;

static void on_awaited_end(Error *e, void *userdata) {
        HookWait *w = userdata;
        if (w->ended)
                return;
        w->ended = true;
        if (e)
                (void) error_take(&w->error, e);
}

int hook_run_and_wait(sd_bus *bus, HookType type, const HookFacts *f, Error *reterr) {
        HookWait w = { 0 };
        HookRun *h = NULL;
        int r = hook_run(NULL, bus, type, f, on_awaited_end, &w, &h, reterr);
        if (r < 0)
                return r;
        const usec_t until =
                usec_add(now_usec(CLOCK_MONOTONIC), usec_add(f->timeout_usec, MARGIN_USEC));
        while (!w.ended && r >= 0) {
                r = sd_bus_process(bus, NULL);
                const usec_t now = now_usec(CLOCK_MONOTONIC);
                if (r == 0 && now >= until)
                        failed(h, NULL);
                else if (r == 0)
                        r = sd_bus_wait(bus, until == USEC_INFINITY ? UINT64_MAX : until - now);
                r = r == -EINTR ? 0 : r;
        }
        hook_run_free(h);
        if (!w.ended)
                return error_set_errno(reterr, r, ERROR_BUS_FAILED,
                                       "Waiting for %s= of '%s' failed", hook_type_to_string(type),
                                       f->name);
        if (!error_is_set(&w.error))
                return 0;
        *reterr = w.error;
        return reterr->code;
}
