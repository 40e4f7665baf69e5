/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Containers that do not run: what could be started by name, and how it has ended the last time.
 *
 * One is there if it has an image (image-find.h), a settings file, or a service that has failed. */
#pragma once

#include "bus/manager1.h"

/* Appends all but those in infos[0…*n), as "stopped" or "failed", with their unit and, where it can be found, their root. bus: to ask
 * systemd which services have failed; without it, none has. */
int stopped_list(sd_bus *bus, ContainerInfo **infos, size_t *n, Error *reterr);

typedef struct StoppedContainer {
        ContainerInfo info;
        char *settings_path;
        usec_t ended_usec; /* CLOCK_REALTIME; 0: not since the host was booted */
} StoppedContainer;
void stopped_container_done(StoppedContainer *c);

/* 1: described, with how its service has ended in info.result ("exited with status 7"); 0: there is none of this name. */
int stopped_describe(sd_bus *bus, const char *name, StoppedContainer *ret, Error *reterr);

/* Names in directories of settings files; for tests. */
int stopped_settings_names(char *const *directories, char ***names);
