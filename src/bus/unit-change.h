/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes of a unit that runs: "MemoryMax=1G", and "MemoryMax=" for back to the default. Only properties that systemd can change while
 * processes are in the unit, those of systemd.resource-control(5). */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/error.h"

#define UNIT_CHANGES_MAX 64U /* in one call */

typedef struct UnitChange {
        char *name;     /* of the property, as in unit files */
        char *property; /* "NAME=VALUE" in its canonical spelling; "NAME=": the default */
        char *setting; /* the line of a settings file that says the same: "MemoryMax=1G", "Property=DeviceAllow=…" */
        bool list; /* adds to what there is */
} UnitChange;
void unit_change_done(UnitChange *c);

/* text: a key of [Resources] or a unit property, with a value as in a settings file. */
int unit_change_parse(const char *text, UnitChange *ret, Error *reterr);
/* Appends it to an open a(sv) array. */
int unit_change_append(const UnitChange *c, sd_bus_message *m, Error *reterr);

/* "MemoryMax=", … of all that can be changed. */
int unit_change_list_names(char ***names);

/* What berth has set in a unit that outlives its container is remembered, a name a line, so that the next start can take it back: systemd
 * keeps such values until the host reboots. */
char *unit_record_path(const char *unit);
/* *ret: NULL if there is none. */
int unit_record_read(const char *path, char ***ret);
/* Replaces it by the names of these "NAME=VALUE" assignments; none removes it. */
int unit_record_write(const char *path, char *const *assignments);
int unit_record_add(const char *path, const char *name);
