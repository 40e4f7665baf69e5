/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a tree is as a stream: records, and buffers to write and read them. For sys/tree-stream.h, and for who makes such a stream of
 * something else than files. Both ends are of one build. */
#pragma once

#include <limits.h>
#include <sys/stat.h>

#include "basic/macros.h"
#include "basic/time.h"

#define STREAM_BUFFER_SIZE (128U << 10)
#define XATTR_VALUE_MAX (64U << 10) /* the kernel's own limit */

typedef enum RecordType {
        RECORD_DIRECTORY, /* RECORD_XATTR, then its contents follow, then RECORD_END */
        RECORD_FILE, /* size: its size; RECORD_XATTR, then RECORD_DATA follow, then RECORD_END */
        RECORD_LINK, /* size bytes of its target follow */
        RECORD_HARD_LINK, /* size bytes follow: the path, below the top, of a file that was complete before */
        RECORD_FIFO,       /* a named pipe */
        RECORD_DATA,       /* size bytes at offset follow */
        RECORD_XATTR,      /* an extended attribute, by its name; size bytes of its value follow */
        RECORD_ATTRIBUTES, /* of the directory that is open: these, instead of those that it came with */
        RECORD_END,
        RECORD_FAILED, /* the sender cannot go on */
} RecordType;

typedef enum RecordFlags {
        /* of a directory: it may be there, and its contents stay; of others: what is there is replaced, unless it is a directory */
        RECORD_MAY_EXIST = 1 << 0,
        RECORD_NO_ATTRIBUTES =
                1 << 1, /* of a directory: what is there keeps its mode, owner and time */
} RecordFlags;

typedef struct Record {
        uint32_t type, flags, mode, uid, gid, name_size, mtime_nsec;
        int64_t mtime_sec;
        uint64_t size, offset;
} Record;

/* How much was sent, told as "FILES BYTES\n", or "FILES BYTES TOTAL\n", from time to time. */
typedef struct TreeProgress {
        int fd; /* -EBADF: nobody wants to know */
        uint64_t files, bytes;
        uint64_t total; /* bytes, if that is known */
        usec_t told_usec;
} TreeProgress;
void tree_progress_add(TreeProgress *p, uint64_t files, uint64_t bytes);
void tree_progress_finish(TreeProgress *p);

typedef struct Stream {
        int fd;
        size_t start, size; /* of what is in the buffer */
        char *buffer;
} Stream;
int stream_init(Stream *s, int fd);
void stream_done(Stream *s);

/* Writing: -EPIPE when the other side has gone. */
int stream_put(Stream *s, const void *bytes, size_t n);
int stream_flush(Stream *s);
/* A record with the attributes of st (may be NULL). */
int stream_put_record(Stream *s, RecordType type, const struct stat *st, const char *name,
                      uint64_t size, uint64_t offset);
int stream_put_record_flags(Stream *s, RecordType type, uint32_t flags, const struct stat *st,
                            const char *name, uint64_t size);

/* Reading: -ECANCELED at the end, and when the sender has failed; -EBADMSG. */
int stream_get(Stream *s, void *bytes, size_t n);
int stream_get_record(Stream *s, Record *rec, char name[static NAME_MAX + 1]);

/* Neither empty, nor with a slash, nor a dot or two. */
bool is_path_component(const char *name);
/* An attribute that goes along: of users, access lists, and capabilities of files. */
bool tree_takes_xattr(const char *name);
