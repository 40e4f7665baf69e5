/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ephemeral=: a layer over the root that takes all changes, and goes with the container. */
#pragma once

#include "basic/error.h"

/* lower_fd: the mount root of an attached tree, which is taken away. Returns the detached overlay. Its changes are in memory, accounted to
 * who makes them. */
int ephemeral_layer(int lower_fd, bool read_only, Error *reterr);
