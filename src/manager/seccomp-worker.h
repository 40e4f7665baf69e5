/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compiling a seccomp filter in a process of its own: libseccomp takes its time, and its memory. */
#pragma once

#include <systemd/sd-event.h>

#include "basic/error.h"
#include "spec/spec.h"

#define SECCOMP_CACHE_DIRECTORY "/run/berth/seccomp"

typedef struct SeccompWorker SeccompWorker;

/* fd: the program, owned by the callee (-EBADF: none is wanted); e: NULL, or why there is none. */
typedef void (*SeccompDone)(int fd, const Error *e, void *userdata);

/* done is called once, from the event loop; the worker frees itself before. */
int seccomp_worker_start(sd_event *event, const ContainerSpec *spec, SeccompDone done,
                         void *userdata, SeccompWorker **ret, Error *reterr);
/* Gives up: done is not called. */
SeccompWorker *seccomp_worker_free(SeccompWorker *w);
