/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A new image of the pool that is being made of something else than an image: by somebody who fills it, under a temporary name (image/image-work.h),
 * before it gets its own. Who is killed meanwhile leaves a leftover, and the image that was there before. */
#pragma once

#include "image/image-lock.h"
#include "image/image-work.h"

typedef struct ImageNew {
        Leftover leftover; /* directory_fd and name: where the contents go */
        ImageKind kind;    /* IMAGE_DIRECTORY or IMAGE_RAW */
        char *name, *file; /* of the image, and in the pool */
        int name_lock;
        Image *old; /* that it replaces, or NULL */
        ImageLock old_lock;
        int fd; /* of what is made: an empty directory or subvolume (0700), or file (0600) */
} ImageNew;
#define IMAGE_NEW_NULL                                                                       \
        {                                                                                    \
                .leftover = LEFTOVER_NULL, .name_lock = -EBADF, .old_lock = IMAGE_LOCK_NULL, \
                .fd = -EBADF                                                                 \
        }

/* replace: an image of this name, kind and place goes when the new one is there. -EEXIST; ERROR_ROOT_BUSY: it is in use, or somebody else makes one
 * of this name; ERROR_UNSUPPORTED: it cannot be replaced. */
int image_new_begin(const ImagePool *pool, const char *name, ImageKind kind, bool replace,
                    ImageNew *ret, Error *reterr);
/* It is complete: on disk, and then, at once, by its name. */
int image_new_finish(ImageNew *n, bool read_only, Error *reterr);
/* Without image_new_finish() before, nothing stays. */
void image_new_done(ImageNew *n);
