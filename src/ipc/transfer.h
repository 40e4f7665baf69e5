/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Transfers: images that come from and go to files, directories and servers. What is asked of a berth-transfer process, and what that answers.
 *
 * The request is words KEY=VALUE: its arguments; or of berthd, whose spawner gives no arguments, a sealed memfd with a NUL behind each. The answer is one message, as that of a berth-worker (ipc/worker.h), whose text is such
 * words, each with a NUL behind: NAME=, PATH=, FILES=, BYTES=, LEFT_OUT= (how much of an archive could not be taken), VERIFIED=. */
#pragma once

#include "basic/error.h"
#include "basic/strtable.h"
#include "sys/pidfd.h"

/* Its descriptors. 0: what is imported (IMPORT_FS: by berthd, the directory); 1: where to is exported; else /dev/null. */
#define TRANSFER_LINK_FD 3
#define TRANSFER_PROGRESS_FD 4 /* "FILES BYTES" or "FILES BYTES TOTAL" lines; may be closed */
/* Of berthd: the request; and a pipe, with whose end the transfer begins (it is in a scope of its own then). */
#define TRANSFER_REQUEST_FD 5
#define TRANSFER_HOLD_FD 6
#define TRANSFER_REQUEST_MAX (64U << 10)

typedef enum TransferType {
        TRANSFER_IMPORT_TAR,
        TRANSFER_IMPORT_RAW,
        TRANSFER_IMPORT_FS,
        TRANSFER_EXPORT_TAR,
        TRANSFER_EXPORT_RAW,
        TRANSFER_PULL_TAR,
        TRANSFER_PULL_RAW,
        _TRANSFER_TYPE_MAX,
        _TRANSFER_TYPE_INVALID = -EINVAL,
} TransferType;
DECLARE_STRING_TABLE_LOOKUP(transfer_type, TransferType); /* "import-tar", … */
bool transfer_is_export(TransferType t);
bool transfer_is_pull(TransferType t); /* a download: it needs the network */

typedef enum TransferFormat {
        TRANSFER_UNCOMPRESSED,
        TRANSFER_GZIP,
        TRANSFER_BZIP2,
        TRANSFER_XZ,
        TRANSFER_ZSTD,
        _TRANSFER_FORMAT_MAX,
        _TRANSFER_FORMAT_INVALID = -EINVAL,
} TransferFormat;
DECLARE_STRING_TABLE_LOOKUP(transfer_format, TransferFormat); /* "uncompressed", "gzip", … */
/* By the end of a file's name; UNCOMPRESSED for others. */
TransferFormat transfer_format_of_file(const char *path);

/* How what was downloaded is verified. */
typedef enum TransferVerify {
        TRANSFER_VERIFY_SIGNATURE, /* of the checksums, too; the default */
        TRANSFER_VERIFY_CHECKSUM,
        TRANSFER_VERIFY_NO,
        _TRANSFER_VERIFY_MAX,
        _TRANSFER_VERIFY_INVALID = -EINVAL,
} TransferVerify;
DECLARE_STRING_TABLE_LOOKUP(transfer_verify, TransferVerify); /* "signature", "checksum", "no" */

typedef struct TransferRequest {
        TransferType type;
        const char *name; /* of the image */
        /* IMPORT_FS: an absolute path, NULL: descriptor 0; PULL: a URL; else what errors call the file, or NULL */
        const char *remote;
        bool replace, read_only;
        uint64_t size_max; /* bytes of contents; UINT64_MAX: what is free in the pool, less some */
        TransferFormat format; /* EXPORT */
        TransferVerify verify; /* PULL */
        const char *checksum;  /* PULL: SHA-256 in hexadecimal, then verify is ignored; or NULL */
} TransferRequest;

/* For TRANSFER_REQUEST_FD; and back, -EBADMSG: it is no request. */
int transfer_request_new(const TransferRequest *q, int *ret_fd, Error *reterr);
int transfer_request_read(int fd, char ***ret_words);
/* A word of an answer; "": there is none. */
const char *transfer_answer_get(const char *text, size_t size, const char *key);
uint64_t transfer_answer_number(const char *text, size_t size, const char *key); /* or 0 */
/* Points into the words. */
int transfer_request_parse(char *const *words, TransferRequest *ret, Error *reterr);

/* "/srv/web.tar.xz" and "http://…/web.raw.zst?x" → "web". -EINVAL: nothing is left. Allocated. */
int transfer_name_of(const char *path, char **ret);

/* Starts berth-transfer ($BERTH_TRANSFER, or as installed) with a stream (-EBADF: none), and returns our end of its link, for worker_read_answer(). It gives up
 * when that is closed, or at SIGTERM, and leaves nothing. */
int transfer_spawn(const TransferRequest *q, int stream_fd, int progress_fd, PidRef *ret,
                   int *ret_link_fd, Error *reterr);
