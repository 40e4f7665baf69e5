/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `berth list`: a container's row, and what columns there are. */
#pragma once

#include "bus/manager1.h"
#include "cli/table.h"

extern const TableColumn container_columns[];
extern const size_t n_container_columns;

/* What of a container must be measured for its row, NULL-terminated. */
extern const char *const container_list_measured[];

typedef struct RowStyle {
        bool full;        /* nothing is abbreviated */
        size_t addresses; /* shown of each container, unless it is full; 0: one */
        usec_t now_usec;  /* CLOCK_REALTIME */
        char **autostart; /* autostart_list(); borrowed */
} RowStyle;

/* Containers that do not run have a name, a state, perhaps a unit and a root. */
void container_add_row(Table *t, const ContainerInfo *i, const RowStyle *style);

/* Somebody looks after its health. */
bool container_has_health(const ContainerInfo *i);

/* Colours of states, of the amounts and times of tables. */
const char *container_state_color(const char *state);
void table_add_bytes(Table *t, uint64_t n);    /* USAGE_UNKNOWN: an empty cell */
void table_add_cpu_time(Table *t, uint64_t n); /* nanoseconds */

/* By name, numbers in names as numbers, for qsort(3). */
int container_info_compare(const void *a, const void *b);
