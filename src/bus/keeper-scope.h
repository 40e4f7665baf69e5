/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The scope of a container, as a request to systemd, and where its cgroup is. For keeper.c. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/error.h"
#include "spec/spec.h"
#include "sys/pidfd.h"

/* A new StartTransientUnit call that makes `unit` with `pid` as its first process. Controller= is left out where a connection has no
 * unique name. */
int scope_request_new(sd_bus *bus, const ContainerSpec *spec, const char *unit, pid_t pid, sd_bus_message **ret, Error *reterr);

/* "/machine.slice/machine-web.scope" below the cgroup of PID 1's system. Allocated. */
int scope_cgroup_path(const ContainerSpec *spec, const char *unit, char **ret);

/* Is the scope's cgroup there and has processes? 1, 0. */
int scope_is_populated(const ContainerSpec *spec, const char *unit);

/* A process that only waits to be killed, and dies with this one. cgroup_fd: where it is born (-EBADF: where we are). */
int placeholder_new(int cgroup_fd, PidRef *ret);
