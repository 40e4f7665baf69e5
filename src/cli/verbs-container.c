/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs that ask berthd about containers that run, or tell it to do something with them. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "bus/bus.h"
#include "bus/manager1.h"
#include "cli/complain.h"
#include "cli/container-output.h"
#include "cli/stop.h"
#include "cli/verbs.h"
#include "image/image-find.h"

#define STATUS_LINES 10U /* of the log */

typedef struct InfoList {
        ContainerInfo *infos;
        size_t n;
} InfoList;

static void info_list_done(InfoList *l) {
        for (size_t i = 0; i < l->n; i++)
                container_info_done(l->infos + i);
        free(l->infos);
}

static bool has_container(const InfoList *l, const char *name) {
        for (size_t i = 0; i < l->n; i++)
                if (streq(l->infos[i].name, name))
                        return true;
        return false;
}

int verb_connect(const Invocation *v, sd_bus **ret, Error *reterr) {
        int r = v->options.host      ? bus_connect_remote(v->options.host, ret, reterr)
                : v->options.machine ? bus_connect_container(v->options.machine, ret, reterr)
                                     : bus_connect_system(ret, reterr);
        return r < 0 ? r : bus_set_questions(*ret, !v->options.no_ask_password, reterr);
}

bool verb_is_remote(const Invocation *v) {
        return v->options.host || v->options.machine;
}

int verb_refuse_remote(const Invocation *v, const char *why, Error *reterr) {
        if (!verb_is_remote(v))
                return 0;
        int r = error_set(reterr, -EOPNOTSUPP, ERROR_USAGE, "This cannot be done with '%s': %s",
                          v->options.host ? "--host" : "--machine", why);
        if (v->options.host)
                error_hint(reterr, "use 'ssh %s berth …'", v->options.host);
        else
                error_hint(reterr, "use 'berth exec %s berth …'", v->options.machine);
        return r;
}

int verb_list(const Invocation *v, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        _cleanup_(info_list_done) InfoList l = { 0 };
        _cleanup_(table_done)
                Table t = { .columns = container_columns, .n_columns = n_container_columns };
        _cleanup_strv_free_ char **images = NULL;
        const TableStyle style = { .json = v->options.json,
                                   .legend = !v->options.no_legend,
                                   .color = terminal_wants_color(STDOUT_FILENO) };

        int r = v->options.all ? verb_refuse_remote(v, "images are looked for here", reterr) : 0;
        if (r >= 0)
                r = verb_connect(v, &bus, reterr);
        if (r >= 0)
                r = manager1_list(bus, &l.infos, &l.n, reterr);
        if (r >= 0 && v->options.all)
                r = image_list(&images, reterr);
        if (r < 0)
                return r;

        for (size_t i = 0; i < l.n; i++)
                container_add_row(&t, l.infos + i);
        STRV_FOREACH(name, images)
                if (!has_container(&l, *name))
                        container_add_image_row(&t, *name);
        if (t.n_cells == 0 && style.json == JSON_OFF) {
                if (style.legend && !v->options.quiet)
                        (void) puts("No containers.");
                return 0;
        }
        return table_print(&t, stdout, &style, reterr);
}

/* Containers named on the command line, or all. Unknown ones are complained about at once; *ret_status tells. */
static int get_infos(const Invocation *v, InfoList *l, int *ret_status, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;

        *ret_status = 0;
        int r = verb_connect(v, &bus, reterr);
        if (r < 0)
                return r;
        if (strv_isempty(v->arguments))
                return manager1_list(bus, &l->infos, &l->n, reterr);

        l->infos = calloc(strv_length(v->arguments), sizeof(ContainerInfo));
        if (!l->infos)
                return error_oom(reterr);
        STRV_FOREACH(name, v->arguments) {
                Error e = ERROR_NULL;
                if (manager1_get(bus, *name, l->infos + l->n, &e) >= 0)
                        l->n++;
                else
                        *ret_status = complain(&e, EXIT_OF_VERB);
        }
        return 0;
}

int verb_status(const Invocation *v, Error *reterr) {
        _cleanup_(info_list_done) InfoList l = { 0 };
        const bool color = terminal_wants_color(STDOUT_FILENO);
        const unsigned lines = v->options.lines == LINES_UNSET ? STATUS_LINES : v->options.lines;
        int status;

        int r = get_infos(v, &l, &status, reterr);
        if (r < 0)
                return r;
        for (size_t i = 0; i < l.n; i++)
                l.infos[i].remote = verb_is_remote(v);
        if (v->options.json != JSON_OFF)
                r = container_print_json(l.infos, l.n, NULL, /* array= */ true,
                                         v->options.json == JSON_PRETTY, reterr);
        for (size_t i = 0; v->options.json == JSON_OFF && r >= 0 && i < l.n; i++) {
                if (i > 0)
                        (void) putchar('\n');
                r = container_print_status(l.infos + i, lines, color, reterr);
        }
        return r < 0 ? r : status;
}

int verb_show(const Invocation *v, Error *reterr) {
        _cleanup_(info_list_done) InfoList l = { 0 };
        int status;

        int r = container_check_properties(v->options.properties, reterr);
        if (r >= 0)
                r = get_infos(v, &l, &status, reterr);
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

/* ---- doing something with each named container ---- */

typedef int (*Action)(sd_bus *bus, const char *name, const VerbOptions *o, Error *reterr);

static int for_each(const Invocation *v, Action action, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        int status = 0;

        int r = verb_connect(v, &bus, reterr);
        if (r < 0)
                return r;
        STRV_FOREACH(name, v->arguments) {
                Error e = ERROR_NULL;
                if (action(bus, *name, &v->options, &e) < 0)
                        status = complain(&e, EXIT_OF_VERB);
        }
        return status;
}

static int action_terminate(sd_bus *bus, const char *name, const VerbOptions *o, Error *reterr) {
        return manager1_terminate(bus, name, reterr);
}

static int action_reboot(sd_bus *bus, const char *name, const VerbOptions *o, Error *reterr) {
        return manager1_reboot(bus, name, reterr);
}

static int action_pause(sd_bus *bus, const char *name, const VerbOptions *o, Error *reterr) {
        return manager1_pause(bus, name, reterr);
}

static int action_resume(sd_bus *bus, const char *name, const VerbOptions *o, Error *reterr) {
        return manager1_resume(bus, name, reterr);
}

static int action_kill(sd_bus *bus, const char *name, const VerbOptions *o, Error *reterr) {
        return manager1_kill(bus, name, o->whom ?: "all", o->signal ?: SIGTERM, reterr);
}

int verb_stop(const Invocation *v, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        int r = verb_connect(v, &bus, reterr);
        return r < 0 ? r
                     : stop_containers(bus, v->arguments, v->options.timeout_usec, v->options.quiet,
                                       reterr);
}

int verb_terminate(const Invocation *v, Error *reterr) {
        return for_each(v, action_terminate, reterr);
}

int verb_reboot(const Invocation *v, Error *reterr) {
        return for_each(v, action_reboot, reterr);
}

int verb_pause(const Invocation *v, Error *reterr) {
        return for_each(v, action_pause, reterr);
}

int verb_resume(const Invocation *v, Error *reterr) {
        return for_each(v, action_resume, reterr);
}

int verb_kill(const Invocation *v, Error *reterr) {
        return for_each(v, action_kill, reterr);
}
