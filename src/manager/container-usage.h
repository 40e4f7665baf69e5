/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a container uses, and the addresses it has: read from the kernel's files when somebody asks, and kept nowhere. None of these files is the
 * container's, and none waits for anything: all of one container take a tenth of a millisecond. */
#pragma once

#include "manager/container.h"
#include "sys/cgroup-usage.h"

/* Bits of what is wanted: one for each UsageField, and this one. */
#define MEASURE_ADDRESSES (1U << _USAGE_MAX)
#define MEASURE_ALL (USAGE_ALL | MEASURE_ADDRESSES)

/* The bit of a property, "MemoryCurrent", "Addresses"; 0: there is none of this name. */
uint32_t measure_bit(const char *property);

/* Appends those wanted to an open a{sv}. cgroup_root_fd: from cgroup_open_root(); negative: nothing is known. */
int container_append_measured(const Container *c, int cgroup_root_fd, uint32_t wanted,
                              sd_bus_message *m);
/* The getter of these properties. */
int container_get_measured(sd_bus *bus, const char *path, const char *interface,
                           const char *property, sd_bus_message *reply, void *userdata,
                           sd_bus_error *reterr_error);

/* The bodies of ListContainers and MeasureContainers, and what is left of them at the manager's end. */
int body_list(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_measure(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
void measurements_free(Manager *m);
void lists_changed(Container *c); /* before its change is told, or its end */
