/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The unit that this process runs in, when the container is to live in it: berth@NAME.service, or --keep-unit. */
#pragma once

#include "basic/error.h"
#include "spec/spec.h"

/* Applies the spec's unit properties to the unit, and takes back what an earlier start has applied and this one does not want:
 * systemd remembers properties that were set at run time until the host reboots. */
int own_unit_apply(const ContainerSpec *spec, Error *reterr);

/* The innermost "….service" or "….scope" of a cgroup path; allocated, NULL if there is none (or no memory). For tests. */
char *unit_from_cgroup_path(const char *path);
/* What the spec wants of the unit, "NAME=VALUE" each: its properties, and its description. */
int unit_assignments(const ContainerSpec *spec, char ***ret);
/* Names in `before` that have no "NAME=VALUE" in `assignments`. */
int properties_to_forget(char *const *before, char *const *assignments, char ***ret);
