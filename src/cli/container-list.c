/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ContainerInfo → cells. */
#include "cli/container-list.h"

#include "basic/format.h"
#include "basic/str.h"
#include "cli/autostart.h"

/* clang-format off */
/*        title         key               right  json   rank width begin */
const TableColumn container_columns[] = {
        { "NAME",       "name",           false, false, 0,   0,    false },
        { "STATE",      "state",          false, false, 0,   0,    false },
        { "READY",      "ready",          false, false, 2,   0,    false },
        { "AUTOSTART",  "autostart",      false, false, 3,   0,    false },
        { "UNIT",       "unit",           false, false, 5,   14,   false },
        { "ROOT",       "root",           false, false, 4,   12,   true  },
        { "ADDRESSES",  "addresses",      false, false, 1,   13,   false },
        { "MEMORY",     "memory_bytes",   true,  false, 0,   0,    false },
        { "CPU",        "cpu_nsec",       true,  false, 0,   0,    false },
        { "STARTED",    "since_usec",     false, false, 0,   0,    false },
        { "LEADER",     "leader",         true,  true,  0,   0,    false },
        { "SUPERVISOR", "supervisor",     true,  true,  0,   0,    false },
        { "ID",         "id",             false, true,  0,   0,    false },
        { "HEALTH",     "health",         false, true,  0,   0,    false },
};
/* clang-format on */
const size_t n_container_columns = ELEMENTSOF(container_columns);

const char *const container_list_measured[] = { "MemoryCurrent", "CPUUsageNSec", "Addresses",
                                                NULL };

const char *container_state_color(const char *state) {
        if (streq(state, "running"))
                return COLOR_GREEN;
        if (streq(state, "failed"))
                return COLOR_RED;
        if (streq(state, "stopped"))
                return COLOR_GREY;
        return COLOR_YELLOW;
}

static void add_pid(Table *t, uint32_t pid) {
        if (pid > 0)
                table_add_number(t, pid);
        else
                table_add_string(t, NULL);
}

static const char *null_if_empty(const char *s) {
        return isempty(s) ? NULL : s;
}

void table_add_bytes(Table *t, uint64_t n) {
        if (n == USAGE_UNKNOWN)
                table_add_string(t, NULL);
        else
                table_cell_take_text(t, table_add_number(t, n), format_bytes(n));
}

void table_add_cpu_time(Table *t, uint64_t n) {
        if (n == USAGE_UNKNOWN)
                table_add_string(t, NULL);
        else
                table_cell_take_text(t, table_add_number(t, n), format_cpu_time(n));
}

static void add_start(Table *t, usec_t started, const RowStyle *style) {
        if (started == 0)
                table_add_string(t, NULL);
        else
                table_cell_take_text(t, table_add_number(t, started),
                                     style->full || started > style->now_usec
                                             ? format_timestamp(started)
                                             : format_ago(style->now_usec - started));
}

bool container_has_health(const ContainerInfo *i) {
        return !isempty(i->health) && !streq(i->health, "none");
}

/* "yes, unhealthy" */
static void add_ready(Table *t, const ContainerInfo *i) {
        TableCell *cell = table_add_boolean(t, i->ready);

        if (!container_has_health(i))
                return;
        table_cell_take_text(t, cell, strf("%s, %s", i->ready ? "yes" : "no", i->health));
        if (cell && streq(i->health, "unhealthy"))
                cell->color = COLOR_RED;
}

static bool is_there(const ContainerInfo *i) {
        return i->supervisor > 0 || i->leader > 0 ||
               !(streq(i->state, "stopped") || streq(i->state, "failed"));
}

void container_add_row(Table *t, const ContainerInfo *i, const RowStyle *style) {
        const bool there = is_there(i);

        table_add_string(t, i->name);
        TableCell *state = table_add_string(t, i->state);
        if (state)
                state->color = container_state_color(strempty(i->state));
        if (there)
                add_ready(t, i);
        else
                table_add_string(t, NULL);
        if (i->remote)
                table_add_string(t, NULL);
        else
                table_add_boolean(t, autostart_contains(style->autostart, i->name));
        table_add_string(t, null_if_empty(i->unit));
        table_add_string(t, null_if_empty(i->root_directory));
        table_add_strv(t, i->addresses, style->full ? SIZE_MAX : style->addresses);
        table_add_bytes(t, there ? i->usage[USAGE_MEMORY_CURRENT] : USAGE_UNKNOWN);
        table_add_cpu_time(t, there ? i->usage[USAGE_CPU_NSEC] : USAGE_UNKNOWN);
        add_start(t, i->started_usec, style);
        add_pid(t, i->leader);
        add_pid(t, i->supervisor);
        table_add_string(t, null_if_empty(i->id));
        table_add_string(t, null_if_empty(i->health));
}

int container_info_compare(const void *a, const void *b) {
        const ContainerInfo *x = a, *y = b;
        int r = strverscmp(strempty(x->name), strempty(y->name));

        return r != 0 ? r : strcmp(strempty(x->name), strempty(y->name));
}
