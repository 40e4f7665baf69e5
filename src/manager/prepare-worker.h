/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the start of a container takes and a manager must not do, in a process of its own: looking at files, which lie on file systems
 * that may hang, and compiling a seccomp filter, which takes its time and its memory. */
#pragma once

#include <systemd/sd-event.h>

#include "basic/error.h"
#include "spec/spec.h"

#define SECCOMP_CACHE_DIRECTORY "/run/berth/seccomp"

typedef struct PrepareWorker PrepareWorker;

typedef struct Preparation {
        int seccomp_fd;  /* the program; -EBADF if none is wanted */
        char *directory; /* of the image by the container's name, if that was asked for */
        char *image;     /* or it is this disk image, */
        char *mstack;    /* or this stack of layers */
        bool disks;      /* disk_is_wanted() */
        char **devices;  /* keeper_find_devices() */
} Preparation;
void preparation_done(Preparation *p);

/* p: its contents are the callee's to take; e: NULL, or why there is nothing. */
typedef void (*PrepareDone)(Preparation *p, const Error *e, void *userdata);

/* done is called once, from the event loop; the worker frees itself before. */
int prepare_worker_start(sd_event *event, const ContainerSpec *spec, bool find_image,
                         PrepareDone done, void *userdata, PrepareWorker **ret, Error *reterr);
/* Gives up: done is not called. */
PrepareWorker *prepare_worker_free(PrepareWorker *w);
