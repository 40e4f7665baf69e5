/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A container's hooks, as its manager has them run: PreStart= of one that CreateContainer makes, and all others of every container. */
#include "basic/alloc.h"
#include "basic/log.h"
#include "basic/strv.h"
#include "bus/hook.h"
#include "manager/container.h"

struct Hooks {
        char **commands[_HOOK_TYPE_MAX];
        usec_t timeout_usec;
        bool begun;    /* PreStart= is behind it */
        bool stopping; /* PreStop= was run, or begun */
        HookRun *run;  /* that is waited for */
        void (*then)(Container *c, Error *e);
};

Hooks *hooks_free(Hooks *h) {
        if (!h)
                return NULL;
        hook_run_free(h->run);
        for (HookType t = 0; t < _HOOK_TYPE_MAX; t++)
                strv_free(h->commands[t]);
        return mfree(h);
}

int hooks_configure(Container *c, const ContainerSpec *spec) {
        bool any = false;
        for (HookType t = 0; t < _HOOK_TYPE_MAX; t++)
                any = any || !strv_isempty(spec->hooks[t]);
        if (!any || c->hooks)
                return 0;
        Hooks *h = new0(Hooks, 1);
        if (!h)
                return -ENOMEM;
        h->timeout_usec = spec->hook_timeout_usec;
        for (HookType t = 0; t < _HOOK_TYPE_MAX; t++)
                if (!strv_isempty(spec->hooks[t])) {
                        h->commands[t] = strv_copy(spec->hooks[t]);
                        if (!h->commands[t]) {
                                hooks_free(h);
                                return -ENOMEM;
                        }
                }
        c->hooks = h;
        return 0;
}

void hooks_set_begun(Container *c) {
        if (c->hooks)
                c->hooks->begun = true;
}

static HookFacts facts_of(const Container *c, HookType type) {
        const bool over = type == HOOK_POST_STOP;
        return (HookFacts){
                .name = c->name,
                .root_directory = c->root_directory,
                .unit = c->unit,
                .state = container_shown_state(c),
                .result = over ? c->result ?: "its supervisor is gone" : NULL,
                .leader = pidref_is_set(&c->leader) && !over ? c->leader.pid : 0,
                .commands = c->hooks->commands[type],
                .timeout_usec = c->hooks->timeout_usec,
        };
}

static bool is_due(const Container *c, HookType type) {
        return c->hooks && c->hooks->commands[type] && (type == HOOK_PRE_START || c->hooks->begun);
}

void hooks_fire(Container *c, HookType type) {
        _cleanup_error_ Error e = ERROR_NULL;
        if (c->hooks && type == HOOK_POST_START)
                c->hooks->stopping = false; /* it may have rebooted */
        if (!is_due(c, type))
                return;
        const HookFacts facts = facts_of(c, type);
        if (hook_run(c->manager->event, c->manager->bus, type, &facts, NULL, NULL, NULL, &e) < 0)
                log_error_object(LOG_WARNING, &e);
}

static void on_ended(Error *e, void *userdata) {
        Container *c = userdata;
        c->hooks->run = hook_run_free(c->hooks->run);
        c->hooks->then(c, e);
}

static int run(Container *c, HookType type, void (*then)(Container *c, Error *e), Error *reterr) {
        const HookFacts facts = facts_of(c, type);
        c->hooks->then = then;
        return hook_run(c->manager->event, c->manager->bus, type, &facts, on_ended, c,
                        &c->hooks->run, reterr);
}

int hooks_pre_start(Container *c, void (*then)(Container *c, Error *e), Error *reterr) {
        if (!is_due(c, HOOK_PRE_START))
                return 0;
        int r = run(c, HOOK_PRE_START, then, reterr);
        return r < 0 ? r : 1;
}

/* ---- stopping ---- */

void hooks_stopping(Container *c) {
        if (!c->hooks || c->hooks->stopping)
                return;
        c->hooks->stopping = true;
        hooks_fire(c, HOOK_PRE_STOP);
}

/* Whatever became of PreStop=, it stops. */
static void stop_now(Container *c, Error *e) {
        _cleanup_error_ Error failed = ERROR_NULL;
        if (e)
                log_error_object(LOG_WARNING, e);
        if (container_request(c, CONTROL_STOP, &failed) < 0) {
                log_error_object(LOG_WARNING, &failed);
                c->stop_requested = false;
        }
}

int container_request_stop(Container *c, Error *reterr) {
        _cleanup_error_ Error e = ERROR_NULL;
        int r = -ENOENT;
        if (c->stop_requested)
                return 0;
        if (is_due(c, HOOK_PRE_STOP) && !c->hooks->stopping && c->state == STATE_RUNNING) {
                c->hooks->stopping = true;
                r = run(c, HOOK_PRE_STOP, stop_now, &e);
                if (r < 0)
                        log_error_object(LOG_WARNING, &e);
        }
        if (r < 0)
                r = container_request(c, CONTROL_STOP, reterr);
        if (r >= 0)
                c->stop_requested = true;
        return r;
}
