/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations inside a container: what the manager asks of a berth-worker process, and what that answers.
 *
 * The request is a sealed memfd of NUL-terminated "KEY=VALUE" strings; the answer one SEQPACKET message: a result or an Error. */
#pragma once

#include "basic/error.h"
#include "basic/strtable.h"
#include "basic/time.h"
#include "sys/pidfd.h"
#include "sys/socket.h"

/* The worker's descriptors. 0 to 2 are the program's, or /dev/null. */
#define WORKER_LINK_FD 3
#define WORKER_REQUEST_FD 4
#define WORKER_LEADER_FD 5
#define WORKER_REQUEST_MAX (4U << 20)
#define WORKER_ANSWER_MAX (128U << 10)
#define BINDS_MAX 512U /* listed of one container; -E2BIG */

typedef enum OperationType {
        OPERATION_EXEC,  /* a program; fds of the result: status, and with a terminal its master */
        OPERATION_SHELL, /* a session of a user; fds: terminal, and status where it is not the container's systemd that made it */
        OPERATION_LOGIN, /* a login prompt; fds as for SHELL */
        OPERATION_PTY,   /* fds: terminal */
        OPERATION_ROOT_DIRECTORY, /* fds: the directory */
        OPERATION_OS_RELEASE,     /* text: NAME=VALUE, each with a NUL behind */
        OPERATION_ADDRESSES, /* text: "FAMILY ADDRESS" (2 or 10, hexadecimal), each with a NUL behind, those of the widest scope first;
                              * code -ENONET: it has the host's network */
        OPERATION_COPY_TO,   /* nothing */
        OPERATION_COPY_FROM, /* nothing */
        OPERATION_BIND,      /* nothing */
        OPERATION_UNBIND,    /* nothing; code -ENOENT: there is none */
        OPERATION_LIST_BINDS, /* text: for each "r" (read-only) or "w", "s" (of the settings) or "t" (bound at run time), the path on the
                               * host, NUL, the path inside, NUL */
        /* Of images, without a container: `name` is the image's. */
        OPERATION_IMAGE_LIST,     /* all; fds: a file with ImageRow after ImageRow */
        OPERATION_IMAGE_DESCRIBE, /* one; the same */
        OPERATION_IMAGE_IDENTITY, /* text: for each field "h" (host name), "i" (machine ID), "m" or "o" (NAME=VALUE of machine-info, os-release), its
                                   * value, NUL */
        OPERATION_IMAGE_MEASURE,  /* text: "FILES BYTES DISK" */
        OPERATION_IMAGE_CLONE,    /* nothing */
        OPERATION_IMAGE_RENAME,   /* nothing */
        OPERATION_IMAGE_REMOVE,   /* nothing */
        OPERATION_IMAGE_MARK,     /* nothing */
        OPERATION_IMAGE_LIMIT,    /* nothing; name "": the pool */
        OPERATION_SNAPSHOT_LIST, /* name "": of all images; fds: a file, for each SNAPSHOT_ROW_FIELDS strings */
        OPERATION_SNAPSHOT_MAKE,      /* text: its name */
        OPERATION_SNAPSHOT_ROLL_BACK, /* text: the name of what was kept */
        OPERATION_SNAPSHOT_REMOVE,    /* nothing */
        OPERATION_SNAPSHOT_PRUNE,     /* as IMAGE_CLEAN */
        OPERATION_SNAPSHOT_COMPARE, /* fds: a file, for each change its letter, that of the kind (as of find(1): d, f, l, …), the path inside, NUL; without
                                     * OPERATION_ALL as many as fit in a message (-E2BIG), and the paths are harmless on terminals */
        OPERATION_IMAGE_CLEAN, /* fds: a file with "BYTES NAME", NUL, for each that was removed */
        OPERATION_DISK, /* of no container: mounts a disk image; fds: its tree, detached, and its lock; text: "ro", "rw", or "usr": it has /usr alone; without
                         * fds "no-key" or "wrong-key": it is encrypted (image/disk-key.h) */
        OPERATION_DISK_STACK, /* likewise: mounts the disk images in a stack of layers; fds: a tree with a directory for each, detached, and what holds their locks */
        _OPERATION_TYPE_MAX,
        _OPERATION_TYPE_INVALID = -EINVAL,
} OperationType;
DECLARE_STRING_TABLE_LOOKUP(operation_type, OperationType);
static inline bool operation_is_of_images(OperationType t) {
        return t >= OPERATION_IMAGE_LIST;
}

/* An image in an answer: strings, each with a NUL behind: name, kind, path, "yes" or "no" (read-only), birth and modification in
 * microseconds, usage, exclusive usage, limit, exclusive limit in bytes (UINT64_MAX: not known, none). */
#define IMAGE_ROW_FIELDS 10
/* A snapshot in an answer: image, name, "yes" or "no" (named by somebody), when it was taken in microseconds, kind, bytes (UINT64_MAX: not
 * known), path. */
#define SNAPSHOT_ROW_FIELDS 7
/* What the manager makes a message of: that is at most four times as long, and the bus takes 32M. */
#define IMAGE_ANSWER_MAX (4U << 20)
/* Changes in one message, which the manager makes in one round of its loop; and in a file, which it only passes on. */
#define CHANGES_MESSAGE_MAX 4096U
#define CHANGES_MESSAGE_SIZE_MAX (1U << 20)
#define CHANGES_SIZE_MAX (UINT64_C(1) << 30)

typedef enum OperationFlags {
        OPERATION_REPLACE = 1 << 0, /* copy: what is there goes; else code -EEXIST */
        OPERATION_FORCE = 1 << 0,   /* snapshot: also of what is in use */
        OPERATION_READ_ONLY =
                1
                << 1, /* bind; image clone, mark; disk: it is not to be written, others may have it, too */
        OPERATION_MKDIR = 1 << 2,    /* bind: makes the mount point; else code -ENOENT */
        OPERATION_NO_IDMAP = 1 << 3, /* bind: files keep the owners that they have on the host */
        OPERATION_ARCHIVE = 1 << 4,  /* copy: the host's side is a tar archive, in stdio[0] */
        OPERATION_PROGRESS = 1 << 5, /* copy: "FILES BYTES" lines are written to stdio[2] */
        /* copy, as by machined: a link is copied as one, directories on the way are not made */
        OPERATION_AS_MACHINED = 1 << 6,
        OPERATION_WITH_HOST = 1 << 7, /* image list: also ".host", the host itself */
        OPERATION_ALL =
                1
                << 8, /* image list: hidden ones, too; clean: not only hidden ones; snapshot compare: however many */
        OPERATION_WITH_KEY = 1 << 9, /* disk: the link's first message to the worker has a key */
} OperationFlags;

/* What to do; all borrowed. What a type does not need is ignored. */
typedef struct OperationRequest {
        OperationType type;
        /* EXEC: the program (searched in $PATH) and its arguments. SHELL: the same with an absolute path; NULL: the user's shell */
        char *const *argv;
        const char *user; /* EXEC, SHELL: name or number inside; NULL: root */
        const char *
                working_directory; /* EXEC: absolute; NULL: the user's home with a terminal, else "/" */
        char *const *environment; /* EXEC, SHELL: NAME=VALUE, in addition */
        bool terminal;            /* EXEC: a new pty of the container; else stdio */
        const int *
                stdio; /* EXEC without terminal: three descriptors. COPY: see the flags; NULL, -EBADF: not given */
        usec_t timeout_usec; /* EXEC: how long it may run; 0 and USEC_INFINITY: for ever */
        const char *
                source; /* COPY: absolute; on the host (COPY_TO) or inside (COPY_FROM). BIND, DISK, DISK_STACK: on the host */
        const char *
                destination; /* IMAGE_CLONE, IMAGE_RENAME: the new name. SNAPSHOT_…: the snapshot's; NULL or "": by its time. COPY: the other side; NULL or "": the same path as source. BIND, UNBIND: inside */
        const char *
                policy; /* DISK: what may be on it (image/disk.h); NULL: what containers may have */
        const char *root_hash, *root_hash_signature,
                *verity_data; /* DISK: see image/disk-verity.h */
        const char *key_file; /* DISK: of LUKS; see image/disk-unlock.h */
        uint64_t flags;       /* COPY, BIND, DISK */
        uid_t uid; /* COPY: who calls; the host's side is read and written with the rights of this user */
        uint64_t
                size; /* IMAGE_LIMIT: bytes; UINT64_MAX: none. SNAPSHOT_PRUNE: how many stay; 0: all */
        usec_t age_usec;  /* SNAPSHOT_PRUNE: of this age they go; 0: never */
        pid_t supervisor; /* UNBIND, LIST_BINDS: of the container; 0: not known */
} OperationRequest;

/* A request on its way: name and spec (text) are the container's. */
int worker_request_new(const OperationRequest *q, const char *name, const char *spec_text,
                       int *ret_fd, Error *reterr);

typedef struct WorkerRequest {
        OperationRequest operation; /* points into the strings */
        const char *name, *spec_text;
        char *text;
        char **argv, **environment; /* the lists, not the strings */
} WorkerRequest;
void worker_request_done(WorkerRequest *r);
int worker_request_read(int fd, WorkerRequest *ret);

/* Answers, by the worker; text may have NULs. Descriptors are borrowed. */
int worker_answer(int link_fd, const char *text, size_t size, const int *fds, size_t n_fds);
int worker_answer_error(int link_fd, const Error *e);
/* 1: *ret_text (allocated, NUL behind) and descriptors, owned by the caller; -EAGAIN; else *reterr is set: the worker's error, or that
 * it gave none. */
int worker_read_answer(int link_fd, char **ret_text, size_t *ret_size,
                       int ret_fds[static SOCKET_MAX_FDS], Error *reterr);
