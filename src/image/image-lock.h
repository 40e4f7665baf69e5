/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Locks of images, as systemd-nspawn and systemd-machined take them, so that all of them agree: ".#FILE.lck" beside the image (which other
 * hosts see that have the same directory), and one by inode in /run/systemd/nspawn/locks. */
#pragma once

#include "image/image.h"
#include "sys/lock.h"

typedef struct ImageLock {
        int inode_fd, file_fd;
        char *file; /* path of the one beside the image */
        char inode_path[LOCK_INODE_PATH_MAX];
        struct stat
                st; /* of what is locked: it may have got the name after the image was looked up */
        LockMode mode;
} ImageLock;
#define IMAGE_LOCK_NULL \
        { .inode_fd = -EBADF, .file_fd = -EBADF }

/* ERROR_ROOT_BUSY: "Image 'web' is in use by 'web' since …". */
int image_lock(const Image *i, LockMode mode, ImageLock *ret, Error *reterr);
/* Only what is at the path, by its inode. what: for sentences, as "Image 'web'". */
int image_lock_path(const char *what, const char *path, LockMode mode, ImageLock *ret,
                    Error *reterr);
/* Also removes what was made, if nobody else can hold it. */
void image_lock_done(ImageLock *l);

/* Several, by inode, each once: names of one file have one lock. */
typedef struct ImageLocks {
        ImageLock *locks;
        size_t n;
} ImageLocks;
#define IMAGE_LOCKS_NULL \
        { 0 }
/* As image_lock_path(), exclusive, and one more of them. */
int image_locks_add(ImageLocks *l, const char *what, const char *path, Error *reterr);
void image_locks_done(ImageLocks *l);

/* Of a stack of layers: locks its parts, which other stacks can use as well. ERROR_ROOT_BUSY if one is in use. */
int image_lock_parts(const Image *i, ImageLocks *l, Error *reterr);

/* A name that is about to be given to an image. ERROR_ROOT_BUSY. Returns the descriptor. */
int image_lock_name(const char *name, Error *reterr);
