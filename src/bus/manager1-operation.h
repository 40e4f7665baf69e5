/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Client of berthd: operations inside a container. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/error.h"
#include "basic/time.h"

typedef struct ExecCall {
        const char *name;
        char *const *argv;
        const char *user, *working_directory; /* NULL: not given */
        char *const *environment;
        usec_t timeout_usec; /* USEC_INFINITY: for ever */
        bool terminal;
        int stdio[3]; /* without terminal */
} ExecCall;

/* What a program, or a session, is watched by. Unset descriptors are -EBADF. */
typedef struct ProgramHandle {
        int status_fd; /* SEQPACKET: "exited STATUS", "killed SIGNAL" or "timeout"; "kill SIGNAL" the other way */
        int terminal_fd;
} ProgramHandle;
#define PROGRAM_HANDLE_NULL \
        { .status_fd = -EBADF, .terminal_fd = -EBADF }
void program_handle_done(ProgramHandle *h);

int manager1_exec(sd_bus *bus, const ExecCall *call, ProgramHandle *ret, Error *reterr);
/* program NULL: the user's shell; else arguments begin with it. */
int manager1_open_shell(sd_bus *bus, const char *name, const char *user, const char *program,
                        char *const *arguments, char *const *environment, ProgramHandle *ret,
                        Error *reterr);
int manager1_open_login(sd_bus *bus, const char *name, ProgramHandle *ret, Error *reterr);
/* The console: a stream socket, and a descriptor of the terminal for its size. ERROR_UNSUPPORTED: there is none. */
int manager1_attach(sd_bus *bus, const char *name, bool history_only, ProgramHandle *ret,
                    int *ret_size_fd, Error *reterr);
/* flags: OPERATION_READ_ONLY, OPERATION_MKDIR, OPERATION_NO_IDMAP. */
int manager1_bind(sd_bus *bus, const char *name, const char *source, const char *destination,
                  uint64_t flags, Error *reterr);
int manager1_unbind(sd_bus *bus, const char *name, const char *destination, Error *reterr);

/* One file or directory of the host that is bound; the strings are the message's. */
typedef struct BindInfo {
        const char *source, *destination;
        bool read_only;
        const char *origin; /* "settings", "run-time" */
} BindInfo;
/* Called for each; a negative result ends it. */
typedef int (*BindFound)(const BindInfo *b, void *userdata);
int manager1_list_binds(sd_bus *bus, const char *name, BindFound found, void *userdata,
                        Error *reterr);

typedef struct CopyCall {
        bool to_container;
        const char *name, *source, *destination;
        uint64_t flags;
        int archive_fd; /* a tar archive, instead of the path on the host; -EBADF: there is none */
        int progress_fd; /* a pipe for lines "FILES BYTES", which may come; -EBADF: nobody wants to know */
} CopyCall;
/* Waits until all is copied. The descriptors are closed here as soon as they are handed over. */
int manager1_copy(sd_bus *bus, CopyCall *call, Error *reterr);
