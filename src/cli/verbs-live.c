/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs that show what containers use as it changes: top, stats. */
#include <stdio.h>
#include <unistd.h>

#include "basic/format.h"
#include "bus/manager1.h"
#include "cli/json.h"
#include "cli/sampler.h"
#include "cli/screen.h"
#include "cli/verbs.h"
#include "spec/spec.h"

#define FIRST_DELAY_USEC (250 * USEC_PER_MSEC) /* to the first rates, that nobody waits for long */

typedef struct Live {
        const Invocation *call;
        sd_bus *bus;
        Sampler sampler;
        SampleOrder order;
        unsigned left;  /* pictures to show; UINT_MAX: no end */
        unsigned shown; /* so far */
        bool on_screen;
        bool keys; /* the order can be changed */
} Live;

/* ---- samples ---- */

/* Only the containers that were named; with names they must be there the first time. */
static int keep_named(const Live *l, ContainerInfo *infos, size_t *n, Error *reterr) {
        char *const *names = l->call->arguments;
        size_t kept = 0;

        if (strv_isempty(names))
                return 0;
        for (size_t i = 0; i < *n; i++)
                if (strv_contains(names, infos[i].name)) {
                        const ContainerInfo info = infos[i];
                        infos[i] = (ContainerInfo){ 0 };
                        infos[kept++] = info;
                } else
                        container_info_done(infos + i);
        *n = kept;
        STRV_FOREACH(name, names) {
                bool found = l->sampler.taken_usec > 0;
                for (size_t i = 0; i < kept; i++)
                        found = found || streq(infos[i].name, *name);
                if (found)
                        continue;
                int r = error_set(reterr, -ENXIO, ERROR_NO_SUCH_CONTAINER,
                                  "No container named '%s' is running", *name);
                error_hint(reterr, "'berth list' shows those that are");
                return r;
        }
        return 0;
}

static int take(Live *l, Error *reterr) {
        ContainerInfo *infos = NULL;
        size_t n = 0;

        int r = manager1_measure(l->bus, (char *const *) sampler_measured, &infos, &n, reterr);
        if (r >= 0)
                r = keep_named(l, infos, &n, reterr);
        if (r >= 0 && sampler_take(&l->sampler, &infos, &n, now_usec(CLOCK_MONOTONIC)) < 0)
                r = error_oom(reterr);
        for (size_t i = 0; i < n; i++)
                container_info_done(infos + i);
        free(infos);
        return r;
}

/* ---- pictures ---- */

static int print_json(const Table *t, bool pretty, Error *reterr) {
        for (size_t row = 0; row < t->n_cells / t->n_columns; row++) {
                _cleanup_(json_writer_done) JsonWriter w = { .pretty = pretty };
                _cleanup_free_ char *text = NULL;
                table_add_json_row(t, row, &w);
                int r = json_finish(&w, &text, reterr);
                if (r < 0)
                        return r;
                (void) fputs(text, stdout); /* main() looks at the stream */
        }
        return 0;
}

static int draw(const Live *l, const char *table, Error *reterr) {
        _cleanup_free_ char *at = format_timestamp(now_usec(CLOCK_REALTIME)), *text = NULL;

        text = l->keys ? strf("%s, %zu containers, by %s (keys: c cpu, m memory, t tasks, i io, n name, q quit)\n\n%s",
                              strempty(at), l->sampler.n, sample_order_to_string(l->order), table)
                       : strf("%s, %zu containers (q quits)\n\n%s", strempty(at), l->sampler.n,
                              table);
        if (!text)
                return error_oom(reterr);
        screen_draw(text);
        return 0;
}

static int show(Live *l, Error *reterr) {
        const VerbOptions *o = &l->call->options;
        const TableStyle style = { .legend = !o->no_legend,
                                   .color = terminal_wants_color(STDOUT_FILENO),
                                   .width = terminal_width(STDOUT_FILENO) };
        _cleanup_(table_done)
                Table t = { .columns = sampler_columns, .n_columns = n_sampler_columns };
        _cleanup_free_ char *text = NULL;

        sampler_sort(&l->sampler, l->order);
        sampler_add_rows(&t, &l->sampler, now_usec(CLOCK_REALTIME));
        if (o->json != JSON_OFF)
                return print_json(&t, o->json == JSON_PRETTY, reterr);
        int r = table_format(&t, &style, &text, reterr);
        if (r < 0)
                return r;
        if (l->on_screen)
                return draw(l, text, reterr);
        (void) printf("%s%s", l->shown > 0 ? "\n" : "", text); /* main() looks at the stream */
        return 0;
}

/* ---- time ---- */

/* Waits for the next sample. 1: go on, 0: enough. */
static int pass_time(Live *l, const Screen *s, usec_t until, Error *reterr) {
        static const struct {
                char key;
                SampleOrder order;
        } keys[] = { { 'c', ORDER_CPU },
                     { 'm', ORDER_MEMORY },
                     { 't', ORDER_TASKS },
                     { 'i', ORDER_IO },
                     { 'n', ORDER_NAME } };

        for (;;) {
                const usec_t now = now_usec(CLOCK_MONOTONIC);
                char key = '\0';
                if (now >= until)
                        return 1;
                if (!l->on_screen) {
                        (void) usleep((useconds_t) MIN(until - now, USEC_PER_SEC / 2));
                        continue;
                }
                const ScreenEvent event = screen_wait(s, until - now, &key);
                if (event == SCREEN_END || (event == SCREEN_KEY && IN_SET(key, 'q', 'Q', '\x1b')))
                        return 0;
                if (event == SCREEN_KEY && key == ' ')
                        return 1;
                for (size_t i = 0; l->keys && i < ELEMENTSOF(keys); i++)
                        if (event == SCREEN_KEY && keys[i].key == key)
                                l->order = keys[i].order;
                int r = event != SCREEN_TIME ? show(l, reterr) : 0;
                if (r < 0)
                        return r;
        }
}

static int run(Live *l, const Screen *s, Error *reterr) {
        const usec_t delay = l->call->options.delay_usec;

        /* a first sample only for the rates of the second, unless somebody looks on meanwhile */
        int r = take(l, reterr);
        if (r >= 0 && l->on_screen)
                r = show(l, reterr);
        for (usec_t next = MIN(delay, FIRST_DELAY_USEC); r >= 0; next = delay) {
                r = pass_time(l, s, l->sampler.taken_usec + next, reterr);
                if (r <= 0)
                        return r;
                r = take(l, reterr);
                if (r >= 0 && l->sampler.n == 0 && !strv_isempty(l->call->arguments))
                        return 0; /* all that were named have ended */
                if (r >= 0)
                        r = show(l, reterr);
                if (r < 0 || (!l->on_screen && fflush(stdout) != 0))
                        return r; /* nobody reads any more; main() looks at the stream */
                l->shown++;
                if (l->left != UINT32_MAX && --l->left == 0)
                        return 0;
        }
        return r;
}

static int live(Live *l, Error *reterr) {
        const VerbOptions *o = &l->call->options;
        Screen s = SCREEN_NULL;

        STRV_FOREACH(name, l->call->arguments) {
                int r = spec_check_name(*name, reterr);
                if (r < 0)
                        return r;
        }
        l->on_screen = o->json == JSON_OFF && !o->batch && l->left != 1 && screen_is_possible();
        int r = verb_connect(l->call, &l->bus, reterr);
        if (r >= 0 && l->on_screen)
                r = screen_begin(&s, reterr);
        if (r >= 0)
                r = run(l, &s, reterr);
        screen_end(&s);
        sampler_done(&l->sampler);
        sd_bus_unref(l->bus);
        return r;
}

int verb_top(const Invocation *v, Error *reterr) {
        const VerbOptions *o = &v->options;
        const bool batch = o->batch || o->json != JSON_OFF || !screen_is_possible();
        Live l = { .call = v,
                   .order = o->order,
                   .keys = true,
                   .left = o->iterations > 0 ? o->iterations
                           : batch           ? 1
                                             : UINT32_MAX };

        return live(&l, reterr);
}

int verb_stats(const Invocation *v, Error *reterr) {
        const VerbOptions *o = &v->options;
        Live l = { .call = v,
                   .order = ORDER_NAME,
                   .left = o->no_stream        ? 1
                           : o->iterations > 0 ? o->iterations
                                               : UINT32_MAX };

        return live(&l, reterr);
}
