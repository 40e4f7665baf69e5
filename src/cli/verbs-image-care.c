/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs that change images: clone, rename, remove, read-only, set-limit, clean. */
#include <stdio.h>
#include <unistd.h>

#include "basic/format.h"
#include "basic/parse.h"
#include "bus/bus.h"
#include "bus/manager1-image.h"
#include "cli/complain.h"
#include "cli/progress.h"
#include "cli/verbs.h"

int verb_clone(const Invocation *v, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        PidRef progress = PIDREF_NULL;
        int progress_fd = -EBADF, r = verb_connect(v, &bus, reterr);
        if (r < 0)
                return r;
        if (!verb_is_remote(v)) /* else descriptors cannot be passed */
                progress_start(v->options.quiet, &progress, &progress_fd);
        r = manager1_clone_image(bus, v->arguments[0], v->arguments[1], v->options.read_only,
                                 progress_fd, reterr);
        progress_end(&progress);
        return r;
}

int verb_rename(const Invocation *v, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        int r = verb_connect(v, &bus, reterr);
        return r < 0 ? r : manager1_rename_image(bus, v->arguments[0], v->arguments[1], reterr);
}

int verb_remove(const Invocation *v, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        int status = 0, r = verb_connect(v, &bus, reterr);
        if (r < 0)
                return r;
        STRV_FOREACH(name, v->arguments) {
                _cleanup_error_ Error e = ERROR_NULL;
                if (manager1_remove_image(bus, *name, &e) < 0)
                        status = complain(&e, EXIT_OF_VERB);
        }
        return status;
}

int verb_read_only(const Invocation *v, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        const char *word = v->arguments[1];
        const int on = word ? parse_boolean(word) : 1;
        if (on < 0)
                return error_set(reterr, -EINVAL, ERROR_USAGE,
                                 "Invalid value '%s': yes or no is expected", word);
        int r = verb_connect(v, &bus, reterr);
        return r < 0 ? r : manager1_mark_image(bus, v->arguments[0], on > 0, reterr);
}

int verb_set_limit(const Invocation *v, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        const char *name = v->arguments[1] ? v->arguments[0] : NULL,
                   *word = v->arguments[name ? 1 : 0];
        uint64_t bytes = UINT64_MAX;
        if (!streq(word, "-") && !streq(word, "infinity") &&
            (parse_size(word, &bytes) < 0 || bytes == 0))
                return error_set(
                        reterr, -EINVAL, ERROR_USAGE,
                        "Invalid limit '%s': a size like 10G, or '-' for none, is expected", word);
        int r = verb_connect(v, &bus, reterr);
        return r < 0 ? r : manager1_limit_image(bus, name, bytes, reterr);
}

/* ---- clean ---- */

static const TableColumn columns[] = {
        { .title = "REMOVED", .key = "name", .least_width = 8 },
        { .title = "SIZE", .key = "bytes", .align_right = true },
};

static int on_removed(const char *name, uint64_t bytes, void *userdata) {
        Table *t = userdata;
        (void) table_add_string(t, name); /* what fails is remembered */
        if (bytes == UINT64_MAX)
                (void) table_add_string(t, NULL);
        else
                table_cell_take_text(t, table_add_number(t, bytes), format_bytes(bytes));
        return 0;
}

int verb_clean(const Invocation *v, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        _cleanup_(table_done) Table t = { .columns = columns, .n_columns = ELEMENTSOF(columns) };
        const TableStyle style = { .json = v->options.json,
                                   .legend = true,
                                   .color = terminal_wants_color(STDOUT_FILENO),
                                   .width = terminal_width(STDOUT_FILENO) };
        int r = verb_connect(v, &bus, reterr);
        if (r >= 0)
                r = manager1_clean_pool(bus, v->options.all, on_removed, &t, reterr);
        if (r < 0 || (t.n_cells == 0 && style.json == JSON_OFF) || v->options.quiet)
                return r;
        return table_print(&t, stdout, &style, reterr);
}
