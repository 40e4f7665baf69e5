/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A process of ours that is about to read what may be hostile gives away what it does not need. All of it is in force, or the process ends: only
 * Landlock is left out where the kernel has none. */
#pragma once

#include "basic/macros.h"

typedef struct Sandbox {
        int root_fd;  /* becomes the root directory; -EBADF: an empty one that cannot be written */
        bool files;   /* files below the root can be opened */
        bool write;   /* and made, changed and removed */
        bool network; /* the host's: connections by IPv4 and IPv6 to anywhere; threads */
        uint64_t capabilities; /* kept, as user 0; 0: none, and user nobody */
        uint64_t memory_max;   /* bytes of address space; 0: any */
} Sandbox;

#define SANDBOX_NOBODY 65534U

/* No network (unless asked for), no programs, no other processes, no devices, no namespaces; own mount, IPC and UTS namespaces; no core dumps. It ends with the process that made it. What is open stays open.
 * The caller needs CAP_SYS_ADMIN, and has one thread. */
int sandbox_enter(const Sandbox *s);
/* A part of it: these capabilities as user 0, or none as user nobody; no new privileges; ends with its parent. */
int sandbox_give_up_rights(uint64_t capabilities);
