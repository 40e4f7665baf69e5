/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A copy of a tree, of everything in it: owners, modes, times, extended attributes with access lists and capabilities, names of one file,
 * holes, devices. The files of both share their blocks where the file system can do that.
 *
 * Both trees are reached by descriptor, no link is followed, and nothing that is mounted in the source is entered. Who works in the source meanwhile may
 * exchange and remove what is in it: what is removed before it is opened is not in the copy. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define TREE_COPY_DEPTH_MAX \
        2048 /* directories in directories; -ELOOP beyond: each takes two descriptors */

/* Is told of what has been copied since the last call; a negative errno ends the copy with it. */
typedef int (*TreeTick)(void *userdata, uint64_t files, uint64_t bytes);

typedef struct TreeCopy {
        TreeTick tick; /* or NULL */
        void *userdata;
        bool subvolume; /* the top is a new subvolume of btrfs, where that can be made */
        char *failed;   /* what could not be copied, below the source; owned by who asked */
} TreeCopy;

/* Makes parent_fd/name, which must not be there, as source_fd is, a directory. What was made stays when it fails. -EBUSY: something is
 * mounted in the source. */
int tree_copy(int source_fd, int parent_fd, const char *name, TreeCopy *c);
/* The same for a regular file. */
int tree_copy_file(int source_fd, int parent_fd, const char *name, TreeCopy *c);
