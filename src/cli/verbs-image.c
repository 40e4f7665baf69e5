/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs that look at images: images, image-status, show-image, du. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/format.h"
#include "bus/bus.h"
#include "bus/manager1-image.h"
#include "cli/complain.h"
#include "cli/verbs.h"

static const TableColumn columns[] = {
        { .title = "NAME", .key = "name", .least_width = 8 },
        { .title = "TYPE", .key = "type" },
        { .title = "RO", .key = "read_only" },
        { .title = "USAGE", .key = "usage", .align_right = true },
        { .title = "LIMIT", .key = "limit", .align_right = true, .rank = 3 },
        { .title = "CREATED", .key = "created_usec", .rank = 2 },
        { .title = "MODIFIED", .key = "modified_usec", .rank = 1 },
        { .title = "PATH", .key = "path", .rank = 4, .least_width = 12, .cut_beginning = true },
        { .key = "usage_exclusive", .json_only = true },
        { .key = "limit_exclusive", .json_only = true },
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

static void add_time(Table *t, usec_t when) {
        const usec_t now = now_usec(CLOCK_REALTIME);
        if (when == 0)
                (void) table_add_string(t, NULL); /* what fails is remembered */
        else
                table_cell_take_text(t, table_add_number(t, when),
                                     format_ago(now > when ? now - when : 0));
}

static void add_row(Table *t, const ImageInfo *i) {
        (void) table_add_string(t, i->name); /* what fails is remembered */
        (void) table_add_string(t, i->type);
        (void) table_add_boolean(t, i->read_only);
        add_bytes(t, i->usage);
        add_bytes(t, i->limit);
        add_time(t, i->birth_usec);
        add_time(t, i->modified_usec);
        (void) table_add_string(t, i->path);
        add_bytes(t, i->usage_exclusive);
        add_bytes(t, i->limit_exclusive);
}

int verb_images(const Invocation *v, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        _cleanup_(image_info_list_done) ImageInfoList l = { 0 };
        _cleanup_(table_done) Table t = { .columns = columns, .n_columns = ELEMENTSOF(columns) };
        const TableStyle style = style_of(v);
        int r = verb_connect(v, &bus, reterr);
        if (r >= 0)
                r = manager1_list_images(bus, &l, reterr);
        if (r < 0)
                return r;
        for (size_t i = 0; i < l.n; i++)
                if (v->options.all || l.infos[i].name[0] != '.')
                        add_row(&t, l.infos + i);
        if (t.n_cells == 0 && style.json == JSON_OFF) {
                if (style.legend && !v->options.quiet)
                        (void) puts("No images.");
                return 0;
        }
        return table_print(&t, stdout, &style, reterr);
}

/* ---- one image ---- */

/* All that are named; unknown ones are complained about at once. */
static int describe_all(const Invocation *v, sd_bus *bus, ImageInfoList *l, Error *reterr) {
        int status = 0;
        l->infos = calloc(strv_length(v->arguments) + 1, sizeof(ImageInfo));
        if (!l->infos)
                return error_oom(reterr);
        STRV_FOREACH(name, v->arguments) {
                _cleanup_error_ Error e = ERROR_NULL;
                if (manager1_describe_image(bus, *name, l->infos + l->n, &e) >= 0)
                        l->n++;
                else
                        status = complain(&e, EXIT_OF_VERB);
        }
        return status;
}

static void print_line(const char *title, const char *value) {
        if (!isempty(value))
                printf("%12s: %s\n", title, value);
}

static void print_bytes(const char *title, uint64_t n, uint64_t exclusive) {
        _cleanup_free_ char *text = n == UINT64_MAX ? NULL : format_bytes(n),
                            *own = exclusive == UINT64_MAX || exclusive == n
                                           ? NULL
                                           : format_bytes(exclusive);
        if (text && own)
                printf("%12s: %s (exclusive: %s)\n", title, text, own);
        else
                print_line(title, text);
}

static void print_time(const char *title, usec_t when) {
        const usec_t now = now_usec(CLOCK_REALTIME);
        _cleanup_free_ char *text = when == 0 ? NULL : format_timestamp(when),
                            *ago = format_ago(now > when ? now - when : 0);
        if (text)
                printf("%12s: %s; %s\n", title, text, strempty(ago));
}

static void print_status(const ImageInfo *i, const ImageIdentity *id) {
        puts(i->name);
        print_line("Type", i->type);
        print_line("Path", i->path);
        print_line("OS", id->os);
        print_line("Hostname", id->hostname);
        print_line("Machine ID", id->id);
        print_line("RO", i->read_only ? "read-only" : "writable");
        print_time("Created", i->birth_usec);
        print_time("Modified", i->modified_usec);
        print_bytes("Usage", i->usage, i->usage_exclusive);
        print_bytes("Limit", i->limit, i->limit_exclusive);
}

static int print_rows(const Invocation *v, const ImageInfoList *l, Error *reterr) {
        _cleanup_(table_done) Table t = { .columns = columns, .n_columns = ELEMENTSOF(columns) };
        const TableStyle style = style_of(v);
        for (size_t i = 0; i < l->n; i++)
                add_row(&t, l->infos + i);
        return table_print(&t, stdout, &style, reterr);
}

int verb_image_status(const Invocation *v, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        _cleanup_(image_info_list_done) ImageInfoList l = { 0 };
        int r = verb_connect(v, &bus, reterr);
        if (r >= 0)
                r = describe_all(v, bus, &l, reterr);
        if (r < 0)
                return r;
        const int status = r;
        if (v->options.json != JSON_OFF)
                r = print_rows(v, &l, reterr);
        for (size_t i = 0; v->options.json == JSON_OFF && i < l.n; i++) {
                _cleanup_(image_identity_done) ImageIdentity id = { 0 };
                (void) manager1_identify_image(bus, l.infos[i].name, &id,
                                               NULL); /* then it says nothing */
                if (i > 0)
                        (void) putchar('\n');
                print_status(l.infos + i, &id);
        }
        return r < 0 ? r : status;
}

static void print_number(uint64_t n) {
        printf("%" PRIu64 "\n", n);
}

static const char *const properties[] = {
        "Name",
        "Path",
        "Type",
        "ReadOnly",
        "CreationTimestamp",
        "ModificationTimestamp",
        "Usage",
        "Limit",
        "UsageExclusive",
        "LimitExclusive",
};

static void print_property(const ImageInfo *i, const char *name) {
        const uint64_t numbers[] = { i->birth_usec, i->modified_usec,   i->usage,
                                     i->limit,      i->usage_exclusive, i->limit_exclusive };
        if (streq(name, "Name"))
                puts(i->name);
        else if (streq(name, "Path"))
                puts(i->path);
        else if (streq(name, "Type"))
                puts(i->type);
        else if (streq(name, "ReadOnly"))
                puts(i->read_only ? "yes" : "no");
        for (size_t k = 4; k < ELEMENTSOF(properties); k++)
                if (streq(name, properties[k]))
                        print_number(numbers[k - 4]);
}

static int check_properties(char *const *names, Error *reterr) {
        STRV_FOREACH(name, names)
                if (string_table_lookup(properties, ELEMENTSOF(properties), *name) < 0)
                        return error_set(reterr, -EINVAL, ERROR_USAGE, "Unknown property '%s'",
                                         *name);
        return 0;
}

int verb_show_image(const Invocation *v, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        _cleanup_(image_info_list_done) ImageInfoList l = { 0 };
        int r = check_properties(v->options.properties, reterr);
        if (r >= 0)
                r = verb_connect(v, &bus, reterr);
        if (r >= 0)
                r = describe_all(v, bus, &l, reterr);
        if (r < 0)
                return r;
        const int status = r;
        if (v->options.json != JSON_OFF)
                r = print_rows(v, &l, reterr);
        for (size_t i = 0; v->options.json == JSON_OFF && i < l.n; i++) {
                if (i > 0)
                        (void) putchar('\n');
                for (size_t k = 0; k < ELEMENTSOF(properties); k++) {
                        if (v->options.properties &&
                            !strv_contains(v->options.properties, properties[k]))
                                continue;
                        if (!v->options.value)
                                printf("%s=", properties[k]);
                        print_property(l.infos + i, properties[k]);
                }
        }
        return r < 0 ? r : status;
}

/* ---- du ---- */

static const TableColumn measured_columns[] = {
        { .title = "NAME", .key = "name", .least_width = 8 },
        { .title = "FILES", .key = "files", .align_right = true },
        { .title = "SIZE", .key = "bytes", .align_right = true },
        { .title = "DISK", .key = "disk_bytes", .align_right = true },
};

static int measure(sd_bus *bus, const char *name, Table *t) {
        _cleanup_error_ Error e = ERROR_NULL;
        uint64_t files, bytes, disk;
        if (manager1_measure_image(bus, name, &files, &bytes, &disk, &e) < 0)
                return complain(&e, EXIT_OF_VERB);
        (void) table_add_string(t, name); /* what fails is remembered */
        (void) table_add_number(t, files);
        add_bytes(t, bytes);
        add_bytes(t, disk);
        return 0;
}

int verb_du(const Invocation *v, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        _cleanup_(image_info_list_done) ImageInfoList l = { 0 };
        _cleanup_(table_done) Table t = { .columns = measured_columns,
                                          .n_columns = ELEMENTSOF(measured_columns) };
        const TableStyle style = style_of(v);
        int status = 0, r = verb_connect(v, &bus, reterr);
        if (r >= 0 && strv_isempty(v->arguments))
                r = manager1_list_images(bus, &l, reterr);
        if (r < 0)
                return r;
        for (size_t i = 0; i < l.n; i++)
                status = MAX(status, measure(bus, l.infos[i].name, &t));
        STRV_FOREACH(name, v->arguments)
                status = MAX(status, measure(bus, *name, &t));
        r = t.n_cells > 0 || style.json != JSON_OFF ? table_print(&t, stdout, &style, reterr) : 0;
        return r < 0 ? r : status;
}
