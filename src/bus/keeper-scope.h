/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The scope of a container, as a request to systemd, and where its cgroup is. For keeper.c. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/error.h"
#include "spec/spec.h"
#include "sys/pidfd.h"

/* Whether the request has properties that systemd 252 does not know. */
bool scope_has_newer_properties(const ContainerSpec *spec);
/* A new StartTransientUnit call that makes `unit` with `pid` as its first process. Controller= is left out where a connection has no
 * unique name. */
int scope_request_new(sd_bus *bus, const ContainerSpec *spec, const char *unit, pid_t pid,
                      char *const *devices, bool newer, sd_bus_message **ret, Error *reterr);

/* "/machine.slice/machine-web.scope" below the cgroup of PID 1's system. Allocated. */
int scope_cgroup_path(const ContainerSpec *spec, const char *unit, char **ret);

/* The supervisor makes this group in the scope, right before it clones the payload into it. */
#define SCOPE_PAYLOAD "payload"

/* Where the placeholder waits when it must leave the scope's own group. */
#define SCOPE_HOLDER "start"

/* Does a container run in a scope of this name? 1; 0 if there is none, or one that has ended (its placeholder may be there still) or has not
 * begun. */
int scope_is_in_use(const ContainerSpec *spec, const char *unit);

/* Makes the scope's cgroup before systemd does: what is born in it has no limits yet. *ret_fd is -EBADF if that cannot
 * be: the slice is not there yet, the name is taken, or limits are not (all) in the v2 hierarchy. */
int scope_prepare(const ContainerSpec *spec, const char *unit, int *ret_fd);
/* systemd has written all limits and attached its device policy: it marks a delegated cgroup as such right after that. */
bool scope_is_configured(int fd);
/* Ends what is in it; and the cgroup itself, if systemd has not made it its own. */
void scope_abandon(const ContainerSpec *spec, const char *unit, int fd);

/* A process that only waits to be killed, and dies some seconds after this one. cgroup_fd: where it is born (-EBADF: where we are). */
int placeholder_new(int cgroup_fd, PidRef *ret);
