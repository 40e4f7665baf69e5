/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys and passphrases: in memory that is neither swapped nor dumped nor seen by children, and erased when it is done with.
 *
 * The memory is a memfd, by which another process gets it: that one can read it and not write it, and its size stays. Who made it erases it. */
#pragma once

#include "basic/macros.h"

#define SECRET_MAX (64U << 10) /* bytes */

typedef struct Secret {
        int fd;      /* the memfd */
        char *bytes; /* mapped; NULL: there is none */
        size_t size;
        bool ours; /* made here */
} Secret;
#define SECRET_NULL \
        { .fd = -EBADF }
void secret_done(Secret *s);

/* Room for SECRET_MAX bytes; the size is 0. */
int secret_new(Secret *ret);
/* All that a descriptor gives, from where it is. -E2BIG: it is more than SECRET_MAX. */
int secret_read(int fd, Secret *ret);
/* Fixes the size; nobody else can write it any more. Then fd may be handed on. */
int secret_seal(Secret *s);
/* What another process has sealed. Takes the descriptor, also if it fails. -EBADMSG: it is something else. */
int secret_take(int *fd, Secret *ret);
