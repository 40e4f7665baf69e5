/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting a supervisor: the fixed layout of its descriptors (docs/contracts.md). */
#pragma once

#include "basic/error.h"
#include "spec/spec.h"

enum {
        SUPERVISOR_SPEC_FD = 3,
        SUPERVISOR_LINK_FD = 4,
        SUPERVISOR_SECCOMP_FD = 5,
        SUPERVISOR_FIRST_EXTRA_FD = 6,
};

/* Becomes the supervisor: prints the spec into a memfd, arranges descriptors (link_fd and seccomp_fd may be -EBADF; extra_fds go to
 * 6 and up), closes all others, execve(). Returns only on failure. */
int supervisor_become(const ContainerSpec *spec, int link_fd, int seccomp_fd, const int *extra_fds,
                      size_t n_extra_fds, Error *reterr);
/* For who has it started (ipc/spawner.h): the descriptor of the spec, for SUPERVISOR_SPEC_FD. stdio_fds: what it will get, or NULL. */
int supervisor_describe(const ContainerSpec *spec, const int stdio_fds[3], Error *reterr);
