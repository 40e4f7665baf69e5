/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs about snapshots of images: snapshot, snapshots, diff, rollback, remove-snapshot, prune-snapshots. */
#include <stdio.h>
#include <unistd.h>

#include "basic/format.h"
#include "bus/bus.h"
#include "bus/manager1-image.h"
#include "cli/complain.h"
#include "cli/progress.h"
#include "cli/verbs.h"

static const TableColumn columns[] = {
        { .title = "IMAGE", .key = "image", .least_width = 8 },
        { .title = "SNAPSHOT", .key = "name", .least_width = 8 },
        { .title = "TAKEN", .key = "taken_usec", .rank = 1 },
        { .title = "TYPE", .key = "type", .rank = 2 },
        { .title = "USAGE", .key = "usage", .align_right = true, .rank = 1 },
        { .title = "PATH", .key = "path", .rank = 3, .least_width = 12, .cut_beginning = true },
        { .key = "named", .json_only = true },
};

static const TableColumn removed_columns[] = {
        { .title = "IMAGE", .key = "image", .least_width = 8 },
        { .title = "REMOVED", .key = "name", .least_width = 8 },
        { .title = "SIZE", .key = "bytes", .align_right = true },
};

static TableStyle style_of(const Invocation *v) {
        return (TableStyle){ .json = v->options.json,
                             .legend = !v->options.no_legend,
                             .color = terminal_wants_color(STDOUT_FILENO),
                             .width = terminal_width(STDOUT_FILENO) };
}

static void add_bytes(Table *t, uint64_t n) {
        if (n == UINT64_MAX)
                (void) table_add_string(t, NULL); /* what fails is remembered */
        else
                table_cell_take_text(t, table_add_number(t, n), format_bytes(n));
}

/* ---- looking ---- */

static void add_rows(Table *t, const SnapshotInfoList *l) {
        const usec_t now = now_usec(CLOCK_REALTIME);
        for (size_t k = 0; k < l->n; k++) {
                const SnapshotInfo *i = l->infos + k;
                (void) table_add_string(t, i->image); /* what fails is remembered */
                (void) table_add_string(t, i->name);
                table_cell_take_text(t, table_add_number(t, i->taken_usec),
                                     format_ago(now > i->taken_usec ? now - i->taken_usec : 0));
                (void) table_add_string(t, i->type);
                add_bytes(t, i->usage);
                (void) table_add_string(t, i->path);
                (void) table_add_boolean(t, i->named);
        }
}

static int list_of(sd_bus *bus, const char *name, Table *t, Error *reterr) {
        _cleanup_(snapshot_info_list_done) SnapshotInfoList l = { 0 };
        int r = manager1_list_snapshots(bus, name, &l, reterr);
        if (r >= 0)
                add_rows(t, &l);
        return r;
}

int verb_snapshots(const Invocation *v, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        _cleanup_(table_done) Table t = { .columns = columns, .n_columns = ELEMENTSOF(columns) };
        const TableStyle style = style_of(v);
        int status = 0, r = verb_connect(v, &bus, reterr);
        if (r >= 0 && strv_isempty(v->arguments))
                r = list_of(bus, "", &t, reterr);
        if (r < 0)
                return r;
        STRV_FOREACH(name, v->arguments) {
                _cleanup_error_ Error e = ERROR_NULL;
                if (list_of(bus, *name, &t, &e) < 0)
                        status = complain(&e, EXIT_OF_VERB);
        }
        if (t.n_cells == 0 && style.json == JSON_OFF) {
                if (style.legend && !v->options.quiet && status == 0)
                        (void) puts("No snapshots.");
                return status;
        }
        r = table_print(&t, stdout, &style, reterr);
        return r < 0 ? r : status;
}

static const TableColumn change_columns[] = {
        { .title = "", .key = "change" },
        { .title = "", .key = "path", .least_width = 8 },
        { .key = "type", .json_only = true },
};

/* For people a directory ends with a slash. */
static int on_change(char change, char kind, const char *path, void *userdata) {
        Table *t = userdata;
        (void) table_add_string(t, (char[]){ change, '\0' }); /* what fails is remembered */
        (void) table_add_string(t, path);
        (void) table_add_string(t, (char[]){ kind, '\0' });
        return 0;
}

static int print_change(char change, char kind, const char *path, void *userdata) {
        printf("%c %s%s\n", change, path, kind == 'd' && !streq(path, "/") ? "/" : "");
        return 0;
}

int verb_diff(const Invocation *v, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        _cleanup_(table_done)
                Table t = { .columns = change_columns, .n_columns = ELEMENTSOF(change_columns) };
        const TableStyle style = style_of(v);
        const bool plain = style.json == JSON_OFF;
        int r = verb_connect(v, &bus, reterr);
        if (r >= 0)
                r = manager1_compare_snapshot(bus, v->arguments[0], v->arguments[1],
                                              !verb_is_remote(v), plain ? print_change : on_change,
                                              &t, reterr);
        return r < 0 || plain ? r : table_print(&t, stdout, &style, reterr);
}

/* ---- pruning ---- */

typedef struct Removed {
        Table *table;
        const char *image;
} Removed;

static int on_removed(const char *name, uint64_t bytes, void *userdata) {
        Removed *k = userdata;
        (void) table_add_string(k->table, k->image); /* what fails is remembered */
        (void) table_add_string(k->table, name);
        add_bytes(k->table, bytes);
        return 0;
}

static bool has_limits(const Invocation *v) {
        return v->options.keep > 0 || v->options.max_age_usec > 0;
}

static int prune(const Invocation *v, sd_bus *bus, const char *name, Table *t, Error *reterr) {
        Removed k = { .table = t, .image = name };
        return manager1_prune_snapshots(bus, name, v->options.keep, v->options.max_age_usec,
                                        on_removed, &k, reterr);
}

static int prune_or_complain(const Invocation *v, sd_bus *bus, const char *name, Table *t) {
        _cleanup_error_ Error e = ERROR_NULL;
        return prune(v, bus, name, t, &e) < 0 ? complain(&e, EXIT_OF_VERB) : 0;
}

int verb_prune_snapshots(const Invocation *v, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        _cleanup_(snapshot_info_list_done) SnapshotInfoList l = { 0 };
        _cleanup_(table_done)
                Table t = { .columns = removed_columns, .n_columns = ELEMENTSOF(removed_columns) };
        const TableStyle style = style_of(v);
        int status = 0;
        if (!has_limits(v))
                return error_set(
                        reterr, -EINVAL, ERROR_USAGE,
                        "How many snapshots stay, or how long, has to be said with '--keep' "
                        "or '--max-age'");
        int r = verb_connect(v, &bus, reterr);
        if (r >= 0 && strv_isempty(v->arguments))
                r = manager1_list_snapshots(bus, "", &l, reterr);
        if (r < 0)
                return r;
        STRV_FOREACH(name, v->arguments) {
                r = prune_or_complain(v, bus, *name, &t);
                status = r != 0 ? r : status;
        }
        for (size_t k = 0; k < l.n; k++) {
                if (k > 0 && streq(l.infos[k].image, l.infos[k - 1].image))
                        continue; /* those of an image follow each other */
                r = prune_or_complain(v, bus, l.infos[k].image, &t);
                status = r != 0 ? r : status;
        }
        if ((t.n_cells == 0 && style.json == JSON_OFF) || v->options.quiet)
                return status;
        r = table_print(&t, stdout, &style, reterr);
        return r < 0 ? r : status;
}

/* ---- changing ---- */

int verb_snapshot(const Invocation *v, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        _cleanup_(table_done)
                Table t = { .columns = removed_columns, .n_columns = ELEMENTSOF(removed_columns) };
        _cleanup_free_ char *taken = NULL;
        PidRef progress = PIDREF_NULL;
        int progress_fd = -EBADF, r = verb_connect(v, &bus, reterr);
        if (r < 0)
                return r;
        if (!verb_is_remote(v)) /* else descriptors cannot be passed */
                progress_start(v->options.quiet, &progress, &progress_fd);
        r = manager1_create_snapshot(bus, v->arguments[0], v->arguments[1], v->options.force,
                                     progress_fd, &taken, reterr);
        progress_end(&progress);
        if (r >= 0 && !v->options.quiet)
                (void) puts(taken);
        return r >= 0 && has_limits(v) ? prune(v, bus, v->arguments[0], &t, reterr) : r;
}

int verb_rollback(const Invocation *v, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        _cleanup_free_ char *kept = NULL;
        PidRef progress = PIDREF_NULL;
        int progress_fd = -EBADF, r = verb_connect(v, &bus, reterr);
        if (r < 0)
                return r;
        if (!verb_is_remote(v)) /* else descriptors cannot be passed */
                progress_start(v->options.quiet, &progress, &progress_fd);
        r = manager1_roll_back_image(bus, v->arguments[0], v->arguments[1], progress_fd, &kept,
                                     reterr);
        progress_end(&progress);
        if (r >= 0 && !v->options.quiet)
                printf("Image '%s' is as it was in '%s'; what it was until now is snapshot '%s'.\n",
                       v->arguments[0], v->arguments[1], kept);
        return r;
}

int verb_remove_snapshot(const Invocation *v, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        int status = 0, r = verb_connect(v, &bus, reterr);
        if (r < 0)
                return r;
        STRV_FOREACH(name, v->arguments + 1) {
                _cleanup_error_ Error e = ERROR_NULL;
                if (manager1_remove_snapshot(bus, v->arguments[0], *name, &e) < 0)
                        status = complain(&e, EXIT_OF_VERB);
        }
        return status;
}
