/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A container's properties, for programs: `berth show`, and `berth status` as JSON. */
#pragma once

#include "bus/manager1.h"

/* ERROR_USAGE for a name that no property has. */
int container_check_properties(char *const *names, Error *reterr);
/* NAME=VALUE lines with the names of the D-Bus properties (only those in `properties`, if there are any). only_value: without
 * "NAME=". ERROR_USAGE for an unknown property. */
int container_print_properties(const ContainerInfo *i, char *const *properties, bool only_value,
                               Error *reterr);
/* The same as a JSON object or objects. */
int container_print_json(const ContainerInfo *infos, size_t n, char *const *properties, bool array,
                         bool pretty, Error *reterr);
