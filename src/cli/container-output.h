/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A container's properties in words: `berth list`, `status` and `show`. */
#pragma once

#include "bus/manager1.h"
#include "cli/table.h"

/* One row of the list; images that do not run have a name only. */
extern const TableColumn container_columns[];
extern const size_t n_container_columns;
void container_add_row(Table *t, const ContainerInfo *i);
void container_add_image_row(Table *t, const char *name);

/* ERROR_USAGE for a name that no property has. */
int container_check_properties(char *const *names, Error *reterr);
/* NAME=VALUE lines with the names of the D-Bus properties (only those in `properties`, if there are any). only_value: without
 * "NAME=". ERROR_USAGE for an unknown property. */
int container_print_properties(const ContainerInfo *i, char *const *properties, bool only_value,
                               Error *reterr);
/* The same as a JSON object or objects. */
int container_print_json(const ContainerInfo *infos, size_t n, char *const *properties, bool array,
                         bool pretty, Error *reterr);
/* What people read: several lines, a tree of processes, the end of the log. */
int container_print_status(const ContainerInfo *i, unsigned log_lines, bool color, Error *reterr);
