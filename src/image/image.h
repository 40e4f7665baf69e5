/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images: what a container can be made of, by name, in the search path of systemd-machined(8).
 *
 * An image NAME is, in the first of the places that has one: a directory or btrfs subvolume NAME, a disk image NAME.raw, a block device
 * NAME, a stack of layers NAME.mstack/, or the newest of the versions in NAME.v/, NAME.raw.v/, NAME.mstack.v/ (systemd.v(7)). Any of them may be
 * a symbolic link. A name that begins with a dot is hidden; ".#…" are files of those who work on the pool, and never images. */
#pragma once

#include <sys/stat.h>

#include "basic/error.h"
#include "basic/strtable.h"
#include "basic/time.h"

#define IMAGES_MAX 4096U               /* of one listing */
#define IMAGE_NAME_MAX 200U            /* bytes: what is made beside it has a longer name */
#define IMAGE_POOL "/var/lib/machines" /* where new images are made */
#define IMAGE_SIZE_UNKNOWN UINT64_MAX

typedef enum ImageKind {
        IMAGE_DIRECTORY,
        IMAGE_SUBVOLUME, /* of btrfs; a kind of directory */
        IMAGE_RAW,
        IMAGE_BLOCK,
        IMAGE_MSTACK,
        _IMAGE_KIND_MAX,
        _IMAGE_KIND_INVALID = -EINVAL,
} ImageKind;
/* machined's words: "directory", "subvolume", "raw", "block", "mstack" */
DECLARE_STRING_TABLE_LOOKUP(image_kind, ImageKind);

typedef struct Image {
        char *name;
        char *entry; /* absolute, in the pool: what has the name; may be a link, or a directory of versions */
        char *path; /* the image itself: the entry, or the version that was picked; links are not resolved */
        ImageKind kind;
        struct stat st; /* of the path, links followed */
        bool link;      /* the entry is a symbolic link */
        bool versioned; /* the entry is a directory of versions */
        bool vendor;    /* below /usr: belongs to packages, and is not changed */

        /* By image_read_details() alone; each is what could be found out. */
        bool read_only;                                          /* by itself, or as part of /usr */
        usec_t birth_usec;                                       /* 0: not known */
        usec_t modified_usec;                                    /* of files; 0: not known */
        uint64_t usage, usage_exclusive, limit, limit_exclusive; /* bytes, IMAGE_SIZE_UNKNOWN */
} Image;
Image *image_free(Image *i);
DEFINE_TRIVIAL_CLEANUP_FUNC(Image *, image_free)

typedef struct ImageList {
        Image **images; /* sorted by name */
        size_t n;
} ImageList;
void image_list_done(ImageList *l);

/* Not what container_name_is_valid() says: an image may have a name that no container can have, and is still shown and cared for. */
bool image_name_is_valid(const char *name);
int image_check_name(const char *name, Error *reterr); /* ERROR_INVALID_NAME */
bool image_is_hidden(const Image *i);
bool image_is_tree(const Image *i); /* directory or subvolume */

extern char *const *const image_places; /* the search path */

/* The image of this name, without details. ERROR_ROOT_NOT_FOUND says where was looked, or that it is a link that leads nowhere;
 * ERROR_UNSUPPORTED: it is no kind of image; ERROR_NO_PRIVILEGES: a place could not be searched by this user. places NULL: the system's. */
int image_lookup(char *const *places, const char *name, Image **ret, Error *reterr);
/* All of them, without details. Places that this user cannot read are left out. */
int image_enumerate(char *const *places, bool hidden, ImageList *ret, Error *reterr);
/* The one at a path, whatever its place: NAME as it would be in a pool. */
int image_at_path(const char *path, Image **ret, Error *reterr);
/* Fills in the details. What this user may not know stays unknown; it may wait for a file system. */
void image_read_details(Image *i);
