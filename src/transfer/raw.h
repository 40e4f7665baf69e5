/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A disk image that is imported or exported, between raw.c and convert.c. */
#pragma once

#include "archive/content.h"
#include "sys/sparse.h"
#include "transfer/transfer.h"

typedef struct Raw {
        const Transfer *transfer;
        const TransferRequest *request;   /* its */
        int source_fd, pipe[2], image_fd; /* an export's source is the image */
        int spool_fd;                     /* what it was unpacked to, to be converted; or -EBADF */
        bool stream;                      /* what is written to takes no holes */
        ContentKind kind;                 /* of the source */
        TreeProgress progress;
        SparseFile out;
} Raw;

/* on_disk: what it takes; else its size. */
int raw_too_large(const Raw *w, bool on_disk, Error *reterr);
/* Is there what it takes to convert it? ERROR_UNSUPPORTED. */
int raw_check_convertible(const Raw *w, Error *reterr);
/* From a regular file that user nobody can open, in the format of `kind`. */
int raw_convert(Raw *w, uint64_t *ret_bytes, Error *reterr);
