/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Having systemd make a scope, asynchronously, until it is there or certainly will not be: lost requests, lost signals, a re-executing systemd,
 * and an old scope of the name that is about to go are dealt with. For keeper.c. */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "basic/error.h"
#include "spec/spec.h"

typedef struct ScopeJob ScopeJob;

/* e: NULL, the scope is active; or why it is not. Called once; the job may be freed from there. */
typedef void (*ScopeJobDone)(const Error *e, void *userdata);

typedef struct ScopeRequest {
        const ContainerSpec *spec; /* all borrowed until the end */
        const char *unit;
        pid_t pid;            /* its first process */
        bool in_place;        /* that is in the scope's cgroup already, which we have made */
        char *const *devices; /* properties for device nodes of the spec's mounts */
} ScopeRequest;

int scope_job_new(sd_event *event, sd_bus *bus, const ScopeRequest *request, ScopeJobDone done,
                  void *userdata, ScopeJob **ret, Error *reterr);
/* Nobody needs the scope any more: `done` comes when the job has ended, or soon if systemd does not even take the request. */
void scope_job_hurry(ScopeJob *j);
ScopeJob *scope_job_free(ScopeJob *j);
DEFINE_TRIVIAL_CLEANUP_FUNC(ScopeJob *, scope_job_free)

/* PID 1's private socket has no names: signals come without a sender there. */
const char *scope_signal_sender(sd_bus *bus);
