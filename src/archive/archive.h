/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Trees of files as tar archives: between an archive in a descriptor, and a tree's stream (sys/tree-record.h). By libarchive, which is
 * opened on demand and reads what may be hostile: so this is done by a process that has no rights and never joins a container. */
#pragma once

#include <locale.h>
#include <sys/types.h>

#include "basic/error.h"
#include "sys/tree-record.h"

typedef struct Archive {
        void *library, *handle;
        locale_t locale;
        /* Reading: it is to be a whole system. Named pipes are taken, too; an end without its mark is an error. */
        bool system;
        uint64_t left_out;  /* how much of the archive is of other kinds */
        const char *file;   /* what errors call the archive; NULL: nothing */
        const char *filter; /* writing: "gzip", "bzip2", "xz", "zstd"; NULL: none */
        int fd;             /* of the archive, borrowed: while there is a handle */
        char *block;        /* of what is read of it */
} Archive;

/* Opens the library, and the locale that names are read in: needs the rights that the other two shall not have. */
int archive_open_library(Archive *a, Error *reterr);
void archive_done(Archive *a);

/* What is in the archive becomes the contents of one directory. Names that lead out of it are an error, other kinds of files than
 * regular ones, directories and links are left out. Filters: gzip, bzip2, xz, zstd. */
int archive_to_stream(Archive *a, int archive_fd, int stream_fd, TreeProgress *progress,
                      Error *reterr);
/* What is compressed, or an archive of one file, as the bytes that it holds. */
int archive_unpack(Archive *a, int archive_fd, int fd, TreeProgress *progress, Error *reterr);
/* The same, of the first bytes alone: how many. */
ssize_t archive_peek(Archive *a, int archive_fd, void *buffer, size_t n, Error *reterr);
/* The other way round, by the filter. */
int archive_pack(Archive *a, int fd, int archive_fd, TreeProgress *progress, Error *reterr);
/* The other way round: names are "./…" below a directory, else `name`. -ECANCELED: the sender has failed, and tells why. */
int archive_from_stream(Archive *a, int stream_fd, int archive_fd, const char *name,
                        TreeProgress *progress, Error *reterr);
