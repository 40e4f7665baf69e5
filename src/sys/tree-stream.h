/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file or a tree as a stream of bytes between two processes of ours, of which one reads on one side of a border and one writes on
 * the other: neither needs the rights of both. Names, links and contents may be hostile on either end.
 *
 * Regular files (with their holes), directories and symbolic links, with modes, owners and times; extended attributes of users, access
 * lists and capabilities of files, where the receiving file system takes them; names of one file in the tree stay names of one file.
 * Other kinds are left out, unless named pipes are asked for. */
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include "basic/macros.h"
#include "sys/tree-record.h"

#define TREE_DEPTH_MAX 256         /* directories in directories; -ELOOP beyond */
#define TREE_LINKS_MAX 65536U      /* files with several names; of more, each name becomes a file */
#define TREE_XATTRS_MAX (1U << 20) /* bytes of attributes of one file; -E2BIG beyond */

/* How much the receiver takes; whoever makes the stream may be hostile. */
typedef struct TreeLimits {
        uint64_t files_max, bytes_max; /* bytes: of contents */
        uint64_t files, bytes;         /* so far */
} TreeLimits;

/* What the receiver makes of the stream's owners, and of what is there already. */
typedef struct TreeOwners {
        bool keep;   /* else everything belongs to who writes it */
        bool mapped; /* through the ranges; what is in none of them gets 0 */
        const struct TreeRange { uint32_t from, to, count; } * uids, *gids;
        size_t n_uids, n_gids;
        bool merge; /* what is there stays, or is replaced by what has its name; what fails stays, too */
        bool safe_modes;    /* no set-user-ID and its kin, and no access lists */
        bool fifos;         /* named pipes are made, too; else they are left out */
        TreeLimits *limits; /* or NULL; -E2BIG beyond */
} TreeOwners;

/* Sends what fd is (opened for reading; a directory, or a regular file). -EPIPE: the receiver has given up; -EINVAL: it is of no such
 * kind. progress may be NULL. *ret_name (allocated, may be NULL): what could not be read. */
int tree_send(int stream_fd, int fd, TreeProgress *progress, char **ret_name);
typedef enum TreeSendFlags {
        TREE_SEND_FIFOS = 1 << 0,
        TREE_SEND_ONE_FILE_SYSTEM =
                1 << 1, /* of what is mounted in it, only the empty directories are sent */
} TreeSendFlags;
int tree_send_flags(int stream_fd, int fd, uint32_t flags, TreeProgress *progress, char **ret_name);
/* Sends the symbolic link dir_fd/name. */
int tree_send_link(int stream_fd, int dir_fd, const char *name);
/* Makes it as parent_fd/name, which must not be there. When it fails, nothing stays. -ECANCELED: the sender has failed. */
int tree_receive(int stream_fd, int parent_fd, const char *name, const TreeOwners *owners,
                 TreeProgress *progress);
/* The same into an empty directory that is there, whose attributes become those of the stream's top. What was made stays.
 * *ret_name (allocated, may be NULL): the path below it of what could not be made, if that is known. */
int tree_receive_into(int stream_fd, int fd, const TreeOwners *owners, TreeProgress *progress,
                      char **ret_name);
/* Removes a file, or a tree that is no deeper than TREE_DEPTH_MAX. What is mounted in it stays: -EBUSY, with a part of the tree gone. */
int tree_remove(int parent_fd, const char *name);
/* Would it be removed as a whole? -EBUSY: something is mounted there or in it; -ELOOP: it is too deep. */
int tree_check_remove(int parent_fd, const char *name);
