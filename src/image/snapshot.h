/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Snapshots: earlier states of an image, which it can go back to.
 *
 * They are beside the image, in PLACE/.#snapshots/ENTRY/, where ENTRY is the name of the image's file or directory: no image of their own. Each is
 * TIME[.NAME][.raw]: when it was taken (UTC, "2026-11-23T22:58:07Z"), and the name that it was given, if any. One without is called by its
 * time. What is there by its name is complete, and read-only: subvolumes and disk images altogether, of directories the top. */
#pragma once

#include "image/image-work.h"

#define SNAPSHOTS_DIRECTORY ".#snapshots"
#define SNAPSHOTS_MAX 1024U   /* of one image */
#define SNAPSHOT_NAME_MAX 64U /* bytes */
#define SNAPSHOT_TIME_SIZE (STRLEN("2026-11-23T22:58:07Z") + 1)

typedef struct Snapshot {
        char *name, *path;
        bool named; /* by somebody: it is not removed for its age */
        usec_t taken_usec;
        ImageKind kind;
        uint64_t usage; /* bytes, as far as can be told at once, IMAGE_SIZE_UNKNOWN */
} Snapshot;

typedef struct SnapshotList {
        Snapshot *snapshots; /* the oldest first */
        size_t n;
} SnapshotList;
void snapshot_list_done(SnapshotList *l);
/* "2026-11-23T22:58:07Z"; and the time that s begins with. */
void snapshot_format_time(usec_t t, char ret[static SNAPSHOT_TIME_SIZE]);
bool snapshot_parse_time(const char *s, usec_t *ret);

bool snapshot_name_is_valid(const char *name);
int snapshot_check_name(const char *name, Error *reterr); /* ERROR_INVALID_NAME */

/* The functions below: errors as in image/image-work.h, and ERROR_UNSUPPORTED for images that cannot have snapshots: block devices, stacks,
 * versions, links, those of /usr and those with hashes beside them. -ENOENT: there is no such snapshot. */

int snapshot_list(const Image *i, SnapshotList *ret, Error *reterr);
/* The one of this name. */
int snapshot_find(const SnapshotList *l, const Image *i, const char *name, const Snapshot **ret,
                  Error *reterr);
/* name NULL: it is called by its time. force: also of an image that is in use and has to be copied, which takes some files sooner than
 * others. Subvolumes are taken at one moment, in use or not. *ret_name: its name, allocated. */
int snapshot_make(const ImagePool *pool, const Image *i, const char *name, bool force,
                  char **ret_name, Error *reterr);
/* The image becomes as it was; what it is now stays as one more snapshot (*ret_kept, allocated). Killed at any point it is one or the other. */
int snapshot_roll_back(const ImagePool *pool, const Image *i, const char *name, char **ret_kept,
                       Error *reterr);
/* ERROR_ROOT_BUSY: it is in use, as a root that is not changed or as a template. */
int snapshot_remove(const ImagePool *pool, const Image *i, const char *name, Error *reterr);

/* Of those without a name the newest stays, always. */
typedef struct SnapshotLimits {
        uint64_t keep;  /* so many; 0: any number */
        usec_t max_age; /* younger than this; USEC_INFINITY or 0: of any age */
} SnapshotLimits;
/* What is in use stays. */
int snapshot_prune(const ImagePool *pool, const Image *i, const SnapshotLimits *limits,
                   CleanVisit visit, void *userdata, Error *reterr);

/* Hears of all that was added ('A'), modified ('M': contents, kind, owner or mode) or deleted ('D') since: its path as seen inside, and what it is (of
 * 'D': was). What is in a directory that was added or deleted is not told. -E2BIG ends it. */
typedef int (*SnapshotChangeVisit)(void *userdata, char change, const char *path, mode_t mode);
/* name NULL: since the newest. ERROR_UNSUPPORTED: of disk images. */
int snapshot_compare(const ImagePool *pool, const Image *i, const char *name,
                     SnapshotChangeVisit visit, void *userdata, Error *reterr);

/* ---- for the files of this folder ---- */

/* Of the image with this entry (absolute). Allocated. */
char *snapshot_directory(const char *entry);
/* Those that there are in a place, absolute. -ENOMEM. */
int snapshot_directories(const char *place, char ***ret);
/* Whoever changes the snapshots of an image holds this. */
typedef struct SnapshotLock {
        int fd;
        char *path, *directory;
} SnapshotLock;
#define SNAPSHOT_LOCK_NULL \
        { .fd = -EBADF }
/* 0: there are none, and they are not to be made: nothing is locked. 1: locked. ERROR_ROOT_BUSY. */
int snapshot_lock(const Image *i, bool make, SnapshotLock *ret, Error *reterr);
void snapshot_lock_done(SnapshotLock *l);
/* Locks each of them. ERROR_ROOT_BUSY: one is in use. */
struct ImageLocks;
int snapshots_lock_all(const Image *i, struct ImageLocks *l, Error *reterr);
/* Are there none of an image that was at `entry` (absolute), where one of this name is about to be? They would be taken for its own. -EEXIST. */
int snapshot_check_none(const char *entry, const char *name, Error *reterr);
/* Removes the directory if its image is not there any more. 1: it stays, because what was begun with it is not at its end (`image_reclaim`). */
int snapshot_drop_orphan(const char *directory);
/* All that are in the one directory go to the other one (both absolute, in the same place), with another name where there is one of theirs. There may be none.
 * What cannot be moved stays, with an error; nothing is removed. */
int snapshots_move(const char *from, const char *to);
/* ERROR_UNSUPPORTED. */
int snapshot_check_kind(const Image *i, Error *reterr);
/* Makes it read-only; directories, which could not be renamed any more, only when they have their name, and where the file system can. */
int snapshot_seal_before(int fd);
void snapshot_seal_behind(int fd);
