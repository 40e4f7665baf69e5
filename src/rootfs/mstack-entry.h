/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One entry of a stack of layers, systemd.mstack(7): what its name says, and what it stands for. */
#pragma once

#include "basic/error.h"

typedef enum MstackKind {
        MSTACK_LAYER,
        MSTACK_RW,
        MSTACK_ROOT,
        MSTACK_BIND,
        MSTACK_ROBIND,
} MstackKind;

typedef struct MstackEntry {
        MstackKind kind;
        bool is_image;  /* ".raw" */
        bool versioned; /* ".v" */
        char *name;     /* without ".raw" and ".v" */
        const char *id; /* in it: LAYER: its ID; BIND, ROBIND: where, as it is written; else "" */
} MstackEntry;
void mstack_entry_done(MstackEntry *e);

/* stack: its path, for sentences. ERROR_NOT_A_ROOT: nothing that a stack can have. */
int mstack_entry_parse(const char *stack, const char *name, MstackEntry *ret, Error *reterr);

/* Opens (O_PATH) what the entry `name` of the stack at directory_fd stands for: itself, what it links to, the newest version; a directory, or
 * anything but one if e->is_image. Links lead out of a stack that nobody but us could have written, alone. Returns a descriptor; *ret_path is its
 * path without links, and valid. */
int mstack_entry_open(const char *stack, int directory_fd, const char *name, const MstackEntry *e,
                      char **ret_path, Error *reterr);
