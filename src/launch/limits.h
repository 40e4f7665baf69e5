/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The payload's resource limits: what the spec says, else what a machine's first process gets from the kernel. The caller's shell and
 * its limits do not matter. Lowering is the child's last act but one, so that a low limit is not in the way of its own
 * start; raising a hard limit needs CAP_SYS_RESOURCE on the host, so the supervisor does it from outside. */
#pragma once

#include <sys/resource.h>

#include "basic/error.h"
#include "rootfs/plan.h"
#include "spec/spec.h"

/* Appends a CHILD_OP_RLIMIT for each limit that is not as it shall be. may_raise: we have CAP_SYS_RESOURCE. */
int limits_append(const ContainerSpec *spec, bool may_raise, ChildPlan *plan, Error *reterr);
/* Raises the child's hard limits to what its plan will set. */
int limits_raise(pid_t child, const ChildPlan *plan, Error *reterr);
