/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hooks: what a container's settings want done on the host around its life (PreStart= and the like). systemd does it, in a transient
 * service for each, "berth-prestart-NAME.service": nothing of it runs in a process of ours, and its log is its unit's. */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "basic/error.h"
#include "spec/spec.h"

/* What the commands are told in their environment; all borrowed, NULL and 0: not known (yet). */
typedef struct HookFacts {
        const char *name, *root_directory, *unit, *state, *result;
        pid_t leader;
        char *const *commands; /* lines as in ContainerSpec.hooks */
        usec_t timeout_usec;
} HookFacts;

/* "berth-prestart-web.service"; allocated. */
char *hook_unit_name(HookType type, const char *container);

typedef struct HookRun HookRun;
/* e: NULL, all of its commands have succeeded; or what has failed, and where its log is, the callback's to take. Called once; the run may be freed from there. */
typedef void (*HookDone)(Error *e, void *userdata);

/* Asks systemd, from the event loop. done NULL: nobody waits, what fails is logged, and *ret (may be NULL then) is not set. */
int hook_run(sd_event *event, sd_bus *bus, HookType type, const HookFacts *facts, HookDone done,
             void *userdata, HookRun **ret, Error *reterr);
/* Forgets it; the commands go on. */
HookRun *hook_run_free(HookRun *h);
/* The same, waited for: for programs that may wait. */
int hook_run_and_wait(sd_bus *bus, HookType type, const HookFacts *facts, Error *reterr);
