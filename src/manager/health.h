/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Health checks: while a container runs, its HealthCommand= is executed inside from time to time, by a worker (operation.h), and what
 * becomes of that is the container's health. One check at a time for each container, none while it is paused or on its way down. */
#pragma once

#include "manager/container.h"

#define HEALTH_CHECKS_MAX 256U /* at a time, of all containers */

/* What its spec says; c->health stays NULL without a HealthCommand=. Called again it changes nothing. -ENOMEM, -EINVAL. */
int health_configure(Container *c, const ContainerSpec *spec);
/* The state of c has changed: begins to check, or goes on, or rests. */
void health_update(Container *c);
/* It has begun anew, with other processes: so does its health. */
void health_reset(Container *c);
/* Tells a supervisor whose readiness waits for it that the container is healthy, if it is. */
void health_tell(const Container *c);
Health *health_free(Health *h);
