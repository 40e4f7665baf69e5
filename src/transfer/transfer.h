/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The program berth-transfer: one transfer of an image.
 *
 * It holds the pool's locks and gives the image its name, and reads nothing of what is transferred. That is done by children in sandboxes, which have a few
 * descriptors each and no rights but those that writing files of other owners takes. */
#pragma once

#include "basic/sha256.h"
#include "image/image-new.h"
#include "ipc/transfer.h"
#include "sys/pidfd.h"
#include "sys/sandbox.h"
#include "sys/tree-stream.h"

typedef struct Transfer {
        TransferRequest request;
        ImagePool pool;
        char *places[2]; /* of tests */
        int signal_fd;
        int progress_fd; /* or -EBADF */
} Transfer;

#define TRANSFER_FILES_MAX (4U << 20)    /* of one image */
#define TRANSFER_MEMORY_MAX (256U << 20) /* address space of what reads compressed bytes */
#define TRANSFER_PIPE_SIZE (1U << 20)

/* ---- children ---- */

typedef struct Child Child;
/* In the child, which has only the descriptors that were named. *ret_text (may stay NULL) goes to the parent. */
typedef int (*ChildTask)(void *userdata, char **ret_text, Error *reterr);

struct Child {
        PidRef process;
        int answer_fd;
        bool answered;
        char *text; /* of its answer, or NULL */
        Error error;
};
#define CHILD_NULL \
        { .process = PIDREF_NULL, .answer_fd = -EBADF }
/* fds: those that it keeps; negative ones are skipped. */
int child_start(ChildTask task, void *userdata, const int *fds, size_t n_fds, Child *ret,
                Error *reterr);
/* Until all have answered. Of several errors, that of the first child in the list which is no consequence of another's. -ECANCELED: nobody wants it any more. */
int children_wait(const Transfer *t, Child *const *children, size_t n, Error *reterr);
void child_done(Child *c); /* ends it, if it has not yet */
/* Of a child: sandbox_enter(), and what is said when that fails. */
int transfer_enter_sandbox(const Transfer *t, const Sandbox *s, Error *reterr);

/* A pipe that holds much. */
int transfer_pipe(int ret[static 2], Error *reterr);
/* Limits, of what goes to a file system. */
int transfer_limits(const Transfer *t, int fd, TreeLimits *ret, Error *reterr);
int transfer_limit_exceeded(const Transfer *t, const TreeLimits *l, Error *reterr);
/* What failed when it (name: of a file in the new image; or NULL) was written; with hints. l: may be NULL. */
int transfer_write_failed(const Transfer *t, int r, const char *name, const TreeLimits *l,
                          Error *reterr);

/* ---- what it can do: *ret_text is the answer ---- */

typedef int (*TransferRun)(Transfer *t, StrBuf *answer, Error *reterr);
int transfer_import_tar(Transfer *t, StrBuf *answer, Error *reterr);
int transfer_import_fs(Transfer *t, StrBuf *answer, Error *reterr);
int transfer_export_tar(Transfer *t, StrBuf *answer, Error *reterr);
int transfer_import_raw(Transfer *t, StrBuf *answer, Error *reterr);
int transfer_export_raw(Transfer *t, StrBuf *answer, Error *reterr);
/* If this file, which is no archive, is a disk image, says so instead. */
void transfer_explain_disk(const Transfer *t, int fd, Error *e);
/* libarchive's words for compression; NULL: none. */
const char *transfer_filter(TransferFormat f);
/* Fills a disk image from a file, or a pipe, that may be compressed; adds BYTES=. The request's `remote` is what errors call the source. */
int transfer_fill_raw(const Transfer *t, ImageNew *n, int source_fd, StrBuf *answer, Error *reterr);
int transfer_pull_tar(Transfer *t, StrBuf *answer, Error *reterr);
int transfer_pull_raw(Transfer *t, StrBuf *answer, Error *reterr);
/* Imports of what is in a descriptor. */
int transfer_import_tar_of(Transfer *t, int fd, StrBuf *answer, Error *reterr);
int transfer_import_raw_of(Transfer *t, int fd, StrBuf *answer, Error *reterr);
void answer_add(StrBuf *answer, const char *key, const char *value);
void answer_add_number(StrBuf *answer, const char *key, uint64_t value);

/* ---- downloads ---- */

/* What the request's URL leads to, verified as the request says: returns a descriptor, of a file of the pool that has no name. */
int transfer_download(Transfer *t, StrBuf *answer, Error *reterr);
/* In sandboxes: of a whole file; of a file in a list of checksums (basic/checksums.h; `only`: as there). 1; verify_list() 0: it
 * is not in there. */
int verify_hash(const Transfer *t, int fd, uint8_t ret[static SHA256_SIZE], Error *reterr);
int verify_list(const Transfer *t, int fd, const char *list, const char *file, bool only,
                uint8_t ret[static SHA256_SIZE], Error *reterr);
/* The signature of what is in fd, by a key of the host's keyrings. `list`: what errors call it. */
int verify_signature(const Transfer *t, int fd, int signature_fd, const char *list, Error *reterr);

/* "KEY=…" in the text of a child's answer; 0 if it is not there. */
uint64_t child_number(const Child *c, const char *key);
