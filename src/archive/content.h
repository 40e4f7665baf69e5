/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a file is, by its first bytes, whatever its name: for errors that say what to do instead, and to choose how it is read. */
#pragma once

#include "basic/macros.h"

#define CONTENT_SIZE (66U << 10) /* so many bytes are enough */

typedef enum ContentKind {
        CONTENT_UNKNOWN, /* may be a disk image, too: nothing says what those begin with */
        CONTENT_EMPTY,
        CONTENT_DISK, /* a partition table or a file system */
        CONTENT_COMPRESSED,
        CONTENT_TAR,
        /* Disk images that qemu-img(1) converts. */
        CONTENT_QCOW2,
        CONTENT_VMDK,
        CONTENT_VDI,
        CONTENT_VHDX,
        CONTENT_VHD,
        CONTENT_OTHER_DISK,    /* in a format, or with parts elsewhere, that is not taken */
        CONTENT_OTHER_ARCHIVE, /* or compressed in a way that is not known */
        _CONTENT_MAX,
} ContentKind;

typedef struct Content {
        ContentKind kind;
        const char *words; /* "a tar archive" */
} Content;

/* Never NULL, and never to be freed. */
const Content *content_of(const void *bytes, size_t n);
/* Why an image in one of these formats is not converted, by the same bytes: "is encrypted". NULL: nothing is known. */
const char *content_refusal(ContentKind kind, const void *bytes, size_t n);
/* For a kind that content_of() has said. NULL: there is none such. */
const char *content_format(ContentKind kind); /* as qemu-img calls it: "qcow2", "vpc", … */
