/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A keeper looks after the scope of one container for as long as its supervisor lives:
 *
 *   keeper_start()   clone a placeholder, StartTransientUnit(machine-NAME.scope), wait for the job
 *   job done         GO to the supervisor, with a descriptor of the scope's cgroup
 *   STARTED          the placeholder is killed
 *   RequestStop      systemd wants the scope to stop: STOP to the supervisor
 *   RESTARTING       the payload rebooted: the same again from the top (a new scope once the old one is gone)
 *   link closed      the supervisor is gone; the scope with it
 *
 * `berth run` forks one, berthd has one for each container that it creates. Asynchronous; one sd-event loop. */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "basic/error.h"
#include "ipc/control.h"
#include "spec/spec.h"

typedef struct Keeper Keeper;

/* Everything the keeper learns, for its owner; `m` is the message received (borrowed), or NULL at the end of the link. A GO means that the scope
 * is there with all its limits, an ERROR with keeper_has_failed() that the scope could not be made: the link is closed then, and NULL does
 * not follow. The owner may free the keeper from here. */
typedef void (*KeeperMessage)(Keeper *k, const ControlMessage *m, void *userdata);

/* Takes *link_fd. The bus is the system bus (or PID 1's private one). on_message may be NULL. */
int keeper_new(sd_event *event, sd_bus *bus, const ContainerSpec *spec, int *link_fd,
               KeeperMessage on_message, void *userdata, Keeper **ret, Error *reterr);
Keeper *keeper_free(Keeper *k);
DEFINE_TRIVIAL_CLEANUP_FUNC(Keeper *, keeper_free)
/* Closes the link, which ends the supervisor; on_message is not called any more. What systemd is still making goes when it is made: freeing
 * the keeper before that may leave an empty scope. So an owner whose event loop goes on ends a keeper in the middle of a start with
 * keeper_dismiss(): that takes the spec as well, and frees both as soon as can be. */
void keeper_end(Keeper *k);
Keeper *keeper_dismiss(Keeper *k, ContainerSpec *spec);
/* Before keeper_start(): the scope's cgroup is made before systemd makes the scope, so that the payload need not wait for all of that
 * (keeper.c says how). Not for owners that must never wait, or that free a keeper before its link has ended. */
void keeper_allow_overlap(Keeper *k);
/* Before keeper_start(): what keeper_find_devices() has found, for owners that must not wait. Others have the keeper look. */
void keeper_take_devices(Keeper *k, char ***devices);
/* Nodes that the spec binds into the container, as unit properties "DeviceAllow=NODE rw". It looks at the source of each mount, which
 * takes as long as its file system does. */
int keeper_find_devices(const ContainerSpec *spec, char ***ret);
int keeper_start(Keeper *k, Error *reterr);   /* spec must outlive the keeper */
int keeper_send(Keeper *k, ControlType type); /* STOP, TERMINATE, REBOOT, PAUSE, RESUME */
/* Of a supervisor that is known to have ended: on_message is called for all that it said, and for the end of the link, at once. */
void keeper_hear_all(Keeper *k);
const char *keeper_unit(const Keeper *k); /* "machine-web.scope" */
bool keeper_has_failed(
        const Keeper
                *k); /* an ERROR that the owner gets is the keeper's own, not the supervisor's */

/* `berth run`: forks a keeper process (a child that outlives nothing: it ends with the supervisor) and returns the supervisor's end
 * of the link. Connects to the bus before it forks, so that "no systemd" and "no bus" are known and reported here. */
int keeper_fork(const ContainerSpec *spec, int *ret_supervisor_link_fd, Error *reterr);
