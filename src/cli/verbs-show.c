/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs that show what there is: list, status, show. */
#include <stdio.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "bus/manager1.h"
#include "cli/autostart.h"
#include "cli/complain.h"
#include "cli/container-list.h"
#include "cli/container-output.h"
#include "cli/container-status.h"
#include "cli/verbs.h"
#include "spec/spec.h"

#define STATUS_LINES 10U   /* of the log */
#define EXIT_NOT_RUNNING 3 /* of status, as systemctl(1) has it */

typedef struct InfoList {
        ContainerInfo *infos;
        size_t n;
} InfoList;

static void info_list_done(InfoList *l) {
        for (size_t i = 0; i < l->n; i++)
                container_info_done(l->infos + i);
        free(l->infos);
}

static void sort(InfoList *l) {
        if (l->n > 0)
                qsort(l->infos, l->n, sizeof(ContainerInfo), container_info_compare);
}

/* What is looked up on this system is not meant for containers of another. */
static void mark(const Invocation *v, InfoList *l) {
        for (size_t i = 0; i < l->n; i++)
                l->infos[i].remote = verb_is_remote(v);
}

/* ---- list ---- */

int verb_list(const Invocation *v, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        _cleanup_(info_list_done) InfoList l = { 0 };
        _cleanup_(table_done)
                Table t = { .columns = container_columns, .n_columns = n_container_columns };
        _cleanup_strv_free_ char **autostart = NULL;
        const TableStyle style = { .json = v->options.json,
                                   .legend = !v->options.no_legend,
                                   .color = terminal_wants_color(STDOUT_FILENO),
                                   .width = v->options.full ? 0 : terminal_width(STDOUT_FILENO) };

        int r = v->options.all ? verb_refuse_remote(v, "images are looked for here", reterr) : 0;
        if (r >= 0)
                r = verb_connect(v, &bus, reterr);
        if (r >= 0)
                r = manager1_measure(bus, (char *const *) container_list_measured, &l.infos, &l.n,
                                     reterr);
        if (r >= 0 && v->options.all)
                r = stopped_list(bus, &l.infos, &l.n, reterr);
        if (r >= 0)
                r = autostart_list(&autostart, reterr);
        if (r < 0)
                return r;

        const RowStyle row = { .full = v->options.full,
                               .addresses = v->options.max_addresses,
                               .now_usec = now_usec(CLOCK_REALTIME),
                               .autostart = autostart };
        mark(v, &l);
        sort(&l);
        for (size_t i = 0; i < l.n; i++)
                container_add_row(&t, l.infos + i, &row);
        if (t.n_cells == 0 && style.json == JSON_OFF) {
                if (style.legend && !v->options.quiet)
                        (void) puts("No containers.");
                return 0;
        }
        return table_print(&t, stdout, &style, reterr);
}

/* ---- status, show ---- */

typedef struct StoppedList {
        StoppedContainer *items;
        size_t n;
} StoppedList;

static void stopped_list_done(StoppedList *l) {
        for (size_t i = 0; i < l->n; i++)
                stopped_container_done(l->items + i);
        free(l->items);
}

/* 1: it is there, but does not run. */
static int find_stopped(sd_bus *bus, const char *name, StoppedList *l, Error *reterr) {
        StoppedContainer found;

        int r = stopped_describe(bus, name, &found, reterr);
        if (r <= 0)
                return r;
        StoppedContainer *at = ARRAY_APPEND(l->items, l->n);
        if (!at) {
                stopped_container_done(&found);
                return error_oom(reterr);
        }
        *at = found;
        return 1;
}

static int get_one(sd_bus *bus, const char *name, InfoList *l, StoppedList *stopped) {
        _cleanup_error_ Error e = ERROR_NULL;

        if (manager1_get(bus, name, l->infos + l->n, &e) >= 0) {
                l->n++;
                return 0;
        }
        if (e.id == ERROR_NO_SUCH_CONTAINER && stopped) {
                _cleanup_error_ Error failure = ERROR_NULL;
                int r = find_stopped(bus, name, stopped, &failure);
                if (r > 0)
                        return EXIT_NOT_RUNNING;
                if (r < 0)
                        return complain(&failure, EXIT_OF_VERB);
        }
        return complain(&e, EXIT_OF_VERB);
}

/* Containers named on the command line, or all that run. Unknown ones are complained about at once; *ret_status tells. stopped: where those
 * go that do not run; NULL: they are unknown. */
static int get_infos(const Invocation *v, InfoList *l, StoppedList *stopped, int *ret_status,
                     Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;

        *ret_status = 0;
        int r = verb_connect(v, &bus, reterr);
        if (r < 0)
                return r;
        if (strv_isempty(v->arguments)) {
                r = manager1_measure(bus, NULL, &l->infos, &l->n, reterr);
                sort(l);
                return r;
        }
        l->infos = new0(ContainerInfo, strv_length(v->arguments));
        if (!l->infos)
                return error_oom(reterr);
        STRV_FOREACH(name, v->arguments) {
                const int status = get_one(bus, *name, l, stopped);
                /* what failed counts more than what does not run */
                if (status != 0 && IN_SET(*ret_status, 0, EXIT_NOT_RUNNING))
                        *ret_status = status;
        }
        return 0;
}

/* Those that run, then those that do not. */
static int print_status(const InfoList *l, const StoppedList *stopped, const StatusStyle *style,
                        Error *reterr) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        _cleanup_free_ char *text = NULL;

        for (size_t i = 0; i < l->n; i++) {
                strbuf_add(&b, b.size > 0 ? "\n" : "");
                container_format_status(l->infos + i, style, &b);
        }
        for (size_t i = 0; i < stopped->n; i++) {
                strbuf_add(&b, b.size > 0 ? "\n" : "");
                stopped_format_status(stopped->items + i, style, &b);
        }
        if (strbuf_finish(&b, &text) < 0)
                return error_oom(reterr);
        (void) fputs(text, stdout); /* main() checks the stream */
        return 0;
}

/* Those that do not run are objects of the same kind. */
static int print_status_json(InfoList *l, StoppedList *stopped, bool pretty, Error *reterr) {
        for (size_t i = 0; i < stopped->n; i++) {
                ContainerInfo *at = ARRAY_APPEND(l->infos, l->n);
                if (!at)
                        return error_oom(reterr);
                *at = stopped->items[i].info;
                stopped->items[i].info = (ContainerInfo){ 0 };
        }
        return container_print_json(l->infos, l->n, NULL, /* array= */ true, pretty, reterr);
}

int verb_status(const Invocation *v, Error *reterr) {
        _cleanup_(info_list_done) InfoList l = { 0 };
        _cleanup_(stopped_list_done) StoppedList stopped = { 0 };
        _cleanup_strv_free_ char **autostart = NULL;
        int status;

        int r = get_infos(v, &l, verb_is_remote(v) ? NULL : &stopped, &status, reterr);
        if (r >= 0)
                r = autostart_list(&autostart, reterr);
        if (r < 0)
                return r;
        mark(v, &l);
        const StatusStyle style = {
                .log_lines = v->options.lines == LINES_UNSET ? STATUS_LINES : v->options.lines,
                .color = terminal_wants_color(STDOUT_FILENO),
                .now_usec = now_usec(CLOCK_REALTIME),
                .autostart = autostart,
        };
        r = v->options.json == JSON_OFF
                    ? print_status(&l, &stopped, &style, reterr)
                    : print_status_json(&l, &stopped, v->options.json == JSON_PRETTY, reterr);
        return r < 0 ? r : status;
}

int verb_show(const Invocation *v, Error *reterr) {
        _cleanup_(info_list_done) InfoList l = { 0 };
        int status;

        int r = container_check_properties(v->options.properties, reterr);
        if (r >= 0)
                r = get_infos(v, &l, NULL, &status, reterr);
        if (r < 0)
                return r;
        if (v->options.json != JSON_OFF)
                r = container_print_json(l.infos, l.n, v->options.properties, /* array= */ true,
                                         v->options.json == JSON_PRETTY, reterr);
        for (size_t i = 0; v->options.json == JSON_OFF && r >= 0 && i < l.n; i++) {
                if (i > 0)
                        (void) putchar('\n');
                r = container_print_properties(l.infos + i, v->options.properties, v->options.value,
                                               reterr);
        }
        return r < 0 ? r : status;
}
