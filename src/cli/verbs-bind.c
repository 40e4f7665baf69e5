/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs for bind mounts of containers that run: bind, unbind, list-binds. */
#include <stdio.h>
#include <unistd.h>

#include "bus/bus.h"
#include "bus/manager1-operation.h"
#include "cli/verbs.h"
#include "ipc/worker.h"

/* clang-format off */
static const TableColumn bind_columns[] = {
        { "DESTINATION", "destination", false, false },
        { "SOURCE",      "source",      false, false },
        { "ACCESS",      "read_only",   false, false },
        { "ORIGIN",      "origin",      false, false },
};
/* clang-format on */

int verb_bind(const Invocation *v, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        const uint64_t flags = (v->options.read_only ? OPERATION_READ_ONLY : 0U) |
                               (v->options.mkdir ? OPERATION_MKDIR : 0U) |
                               (v->options.no_idmap ? OPERATION_NO_IDMAP : 0U);
        int r = verb_connect(v, &bus, reterr);
        return r < 0 ? r
                     : manager1_bind(bus, v->arguments[0], v->arguments[1], v->arguments[2], flags,
                                     reterr);
}

int verb_unbind(const Invocation *v, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        int r = verb_connect(v, &bus, reterr);
        return r < 0 ? r : manager1_unbind(bus, v->arguments[0], v->arguments[1], reterr);
}

static int add_row(const BindInfo *b, void *userdata) {
        Table *t = userdata;
        table_add_string(t, b->destination);
        table_add_string(t, b->source);
        TableCell *c = table_add_boolean(t, b->read_only);
        if (c)
                c->text = strdup(b->read_only ? "read-only" : "read-write"); /* NULL: yes or no */
        table_add_string(t, b->origin);
        return 0; /* a failure is remembered */
}

int verb_list_binds(const Invocation *v, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        _cleanup_(table_done)
                Table t = { .columns = bind_columns, .n_columns = ELEMENTSOF(bind_columns) };
        const TableStyle style = { .json = v->options.json,
                                   .legend = !v->options.no_legend,
                                   .color = terminal_wants_color(STDOUT_FILENO) };
        int r = verb_connect(v, &bus, reterr);
        if (r >= 0)
                r = manager1_list_binds(bus, v->arguments[0], add_row, &t, reterr);
        return r < 0 ? r : table_print(&t, stdout, &style, reterr);
}
