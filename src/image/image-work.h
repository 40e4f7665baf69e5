/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The care of images: what changes a pool. It may take long, and needs root: a process of its own does it (berth-worker(8)).
 *
 * Nothing is ever half done: what is made gets its name when it is complete and on disk, what is removed loses its name first. Who is killed
 * in the middle leaves files ".#NAME.XXXXXXXX" beside the images, with a lock file of that name and ".lck" that nobody holds: a
 * *leftover*. The lock file says which side-cars (settings, hashes) have to go with an image that did not come to be, or is gone; `clean` does that.
 * All of it happens in directories that nobody but root, or who does the work, can write to: others could give what is made or removed another place. */
#pragma once

#include "image/image.h"
#include "sys/tree-copy.h"

/* Where the work is done, and who hears of it. */
typedef struct ImagePool {
        char *const *places;   /* NULL: image_places */
        const char *path;      /* where new images are made; NULL: IMAGE_POOL */
        char *const *settings; /* directories with settings of images; NULL: the system's */
        TreeTick tick; /* or NULL; a negative result ends what can still be given up, with it */
        void *userdata;
} ImagePool;

/* The images are to be taken from image_lookup(). Errors: ERROR_ROOT_BUSY, ERROR_UNSUPPORTED, -EEXIST when there is an image of the new name, -EROFS for
 * images of /usr, -ECANCELED. */
int image_clone(const ImagePool *pool, const Image *source, const char *name, bool read_only,
                Error *reterr);
/* Makes a directory, which need not be in a pool, of another one that nobody changes meanwhile: a snapshot of a subvolume, which leaves out what is mounted
 * there, else a copy, which is refused then (ERROR_ROOT_BUSY). Paths are absolute and without links. What is left by who was killed is only removed in places of
 * images. 1: it was made; 0: there is something of that name already. -EPERM: others can write where it is to be made. */
int image_make_from(const char *template, const char *directory, Error *reterr);
int image_rename(const ImagePool *pool, const Image *i, const char *name, Error *reterr);
int image_remove(const ImagePool *pool, const Image *i, Error *reterr);
int image_mark_read_only(const ImagePool *pool, const Image *i, bool read_only, Error *reterr);
/* bytes; IMAGE_SIZE_UNKNOWN: none. i NULL: of the pool as a whole. ERROR_UNSUPPORTED: only subvolumes of btrfs have limits. */
int image_set_limit(const ImagePool *pool, const Image *i, uint64_t limit, Error *reterr);

typedef struct ImageUsage {
        uint64_t files, bytes, disk; /* bytes: as files say; disk: as they take, each file once */
} ImageUsage;
int image_measure(const ImagePool *pool, const Image *i, ImageUsage *ret, Error *reterr);

typedef enum CleanMode {
        CLEAN_HIDDEN, /* leftovers, and images whose names begin with a dot */
        CLEAN_ALL,    /* leftovers, and all images that are not in use */
} CleanMode;
/* visit hears of every image that was removed, and what it took (IMAGE_SIZE_UNKNOWN). Images in use and those of /usr stay. Snapshots of images
 * that are gone go, too. */
typedef int (*CleanVisit)(void *userdata, const char *name, uint64_t bytes);
int image_clean(const ImagePool *pool, CleanMode mode, CleanVisit visit, void *userdata,
                Error *reterr);
/* Leftovers alone; returns how many. Places that others can write to are left alone. */
int image_reclaim(const ImagePool *pool, Error *reterr);
/* Only what those who were killed have promised, so that nothing of an image that is gone is taken for a new one's: what takes long is for `clean`. name: one
 * that the caller has locked. What fails is for `clean`, too. */
void image_settle(const ImagePool *pool, const char *name);

/* ---- for the files of this folder ---- */

/* Is there none of this name? -EEXIST. */
int image_check_free(const ImagePool *pool, const char *name, Error *reterr);
/* Copies or snapshots it as the temporary entry. locks: an image that is copied must not be in use; else that is the caller's to know. */
struct Leftover;
int image_copy(const ImagePool *pool, const Image *i, const struct Leftover *l, bool locks,
               Error *reterr);
/* Gives the temporary entry its name, on disk. name: the image's, for errors. */
int image_put_in_place(const struct Leftover *l, const char *file, const char *name, Error *reterr);
/* Is it mounted, or the running system's? ERROR_ROOT_BUSY. */
int image_check_unused(const Image *i, Error *reterr);
int image_set_fd_read_only(int fd, ImageKind kind, bool on);
int image_set_fd_immutable(int fd, bool on); /* 1: it was set before */

/* Can nobody but root, or who runs this, write to the directory? What is found elsewhere is not believed. */
bool image_place_is_safe(const char *path);
int image_check_place(const char *path, Error *reterr); /* the same; -EPERM, with a hint */

/* A temporary entry beside an image, and the lock that says that somebody is at it. */
typedef struct Leftover {
        int directory_fd, lock_fd;
        char *directory, *name, *lock_name;
        bool found; /* of somebody who was killed: what he promised is looked at with care */
        char *const *settings; /* as in ImagePool */
        const char *locked;    /* a name of images that is locked by who puts it right, or NULL */
} Leftover;
#define LEFTOVER_NULL \
        { .directory_fd = -EBADF, .lock_fd = -EBADF }
/* Tells what is in a directory apart, also after a reboot: number of a subvolume, else of an inode. */
int image_identity(int fd, uint64_t *ret);
/* -EPERM: others can write to the directory. */
int leftover_begin(const char *directory, const char *name, Leftover *ret, Error *reterr);
/* If this is killed: when there is nothing at `image` (absolute), these files are to be removed, as they are now or, if they are not there, whatever will be, and
 * `from` (or NULL) gets the name `to`.
 * Where image is NULL, the temporary entry gets the name `to`, in the directory where it is, unless it is still what has this identity: it has changed places
 * with an image, and holds what must not be lost. Each call replaces what was said before. */
typedef struct LeftoverRule {
        const char *image;
        char *const *files;
        const char *from, *to;
        uint64_t identity; /* image_identity() */
} LeftoverRule;
int leftover_promise(Leftover *l, const LeftoverRule *rules, size_t n, Error *reterr);
/* Keeps the promise: what a process that was killed has left is put right, or what was begun is taken back. The temporary entry goes, and the lock file. */
void leftover_done(Leftover *l);
/* Is there one in the place, or may there be, that has this directory of snapshots to get another name, or to take some in? */
bool leftover_names(const char *place, const char *directory);

/* Side-cars of an image: where they are now, and where they are under another name; two lists of the same length. Only those that
 * are there. */
int side_cars_find(const ImagePool *pool, const Image *i, const char *directory, const char *name,
                   char ***ret_from, char ***ret_to, Error *reterr);
/* Copies what is not there yet: *made is the list of what would be. */
int side_cars_missing(char *const *from, char *const *to, char ***ret_from, char ***ret_to,
                      Error *reterr);
int side_cars_copy(char *const *from, char *const *to, Error *reterr);
void side_cars_remove(char *const *files); /* what fails, stays */
/* What tells it from one that gets its name later, in words: inode and last change; "-": it is not there. No device: that has another number after a reboot. */
#define SIDE_CAR_WORDS_MAX (STRLEN("18446744073709551615:-9223372036854775808.999999999") + 1)
void side_car_describe(const char *path, char ret[static SIDE_CAR_WORDS_MAX]);
/* Is it what these words, or NULL, were about? Without them it is if it did not change since (st_mtim of where they would be). A directory stays the same if less is in
 * it, but not with a file that is newer. */
bool side_car_is(const char *path, const char *words, const struct timespec *since);
/* Is this a name that a side-car of the image may have? Both absolute; neither need be there. settings: as in ImagePool. */
bool side_car_is_of(char *const *settings, const char *image, const char *file);
