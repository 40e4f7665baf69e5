/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The order of containers: After=, Before=, Requires= and Wants= of settings files, as dependencies of berth@NAME.service.
 *
 * systemd must know them before it starts anything. So berth-generator, which systemd runs at boot and at each daemon-reload, writes them
 * into a drop-in for each container; `berth start` and `berth edit` look whether that is still what the settings say. */
#pragma once

#include "spec/spec-draft.h"

#define ORDER_DROP_IN_DIRECTORY "/run/systemd/generator" /* what systemd gives its generators */
#define ORDER_DROP_IN_NAME "50-dependencies.conf"
#define ORDER_CONTAINERS_MAX 4096U

/* Where containers are looked for; NULL: the system's directories. */
typedef struct OrderPlaces {
        char *const *settings; /* strongest first */
        char *const *wants;    /* directories with links to berth@NAME.service */
        char *const *images;
} OrderPlaces;

/* A container's name, or a unit's with its suffix. */
bool dependency_is_valid(const char *word);
/* "db", "my.path" → "berth@db.service", "berth@my.path.service". Allocated. */
char *container_to_unit(const char *name);
/* A word of a list: "db" → "berth@db.service"; a unit is itself. Allocated. */
char *dependency_to_unit(const char *word);
/* "db", "berth@db.service" → "db"; allocated; NULL for other units, or when out of memory. */
char *dependency_to_container(const char *word);

/* All containers whose settings, images or enabled services are there, sorted. What cannot be read is left out. -ENOMEM. */
int order_list_containers(const OrderPlaces *places, char ***ret);
/* A draft with the trusted settings of NAME, and nothing else. */
int order_load(const char *name, const OrderPlaces *places, SpecDraft **ret, Error *reterr);
/* The drop-in for its service; "" if there is nothing to be said in it. -ENOMEM. */
int order_drop_in(const ContainerSpec *spec, char **ret);
/* The same of NAME's settings, as they are now. */
int order_drop_in_load(const char *name, const OrderPlaces *places, char **ret, Error *reterr);

/* Adds warnings to the draft of a container: it names itself, waits for what waits for it, requires what it does not wait for. */
int order_check(SpecDraft *d, const OrderPlaces *places);
