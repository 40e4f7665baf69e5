/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program of the host that is to read what may be hostile: it sees the host's programs and libraries, and the files that it is given as
 * descriptors, and nothing else. All of it is in force, or the program does not start: only Landlock is left out where the kernel has none. */
#pragma once

#include "basic/macros.h"

#define SANDBOX_PROGRAM_FILES_MAX 4U

typedef struct SandboxProgram {
        const char *path;    /* below /usr */
        char *const *argv;   /* files are "/proc/self/fd/N" */
        const int *read_fds; /* of regular files that user nobody may open; stay open */
        const int *write_fds;
        size_t n_read_fds, n_write_fds;
        uint64_t memory_max, size_max; /* bytes: of address space, of a file; UINT64_MAX: any */
        uint64_t cpu_max_sec;
} SandboxProgram;

/* For a process of one thread with CAP_SYS_ADMIN that is the first of its PID namespace: becomes the program, as user nobody without capabilities, network, IPC,
 * and processes of others. Returns only if it fails. It ends with the process that made it. */
int sandbox_execute(const SandboxProgram *p);
