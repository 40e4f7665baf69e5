/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Trees: import-tar, import-fs, export-tar; pull-tar, once it is here.
 *
 * An archive is read by a process that has no rights and sees no files, and written by one whose root directory is the new image. A stream of records is
 * between them (sys/tree-record.h), of which neither trusts the other. */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <sys/stat.h>

#include "archive/archive.h"
#include "basic/fd.h"
#include "image/image-lock.h"
#include "sys/caps.h"
#include "transfer/transfer.h"

typedef struct Tree {
        const Transfer *transfer;
        const TransferRequest *request; /* its */
        int archive_fd, stream[2];
        int tree_fd; /* of the image */
        TreeProgress progress;
        TreeLimits limits;
} Tree;

static int archive_task(void *userdata, char **ret_text, Error *reterr) {
        static const Sandbox sandbox = { .root_fd = -EBADF, .memory_max = TRANSFER_MEMORY_MAX };
        Tree *t = userdata;
        _cleanup_(archive_done) Archive a = { .system = true,
                                              .file = t->request->remote,
                                              .filter = transfer_filter(t->request->format) };
        int r = archive_open_library(&a, reterr);
        if (r >= 0)
                r = transfer_enter_sandbox(t->transfer, &sandbox, reterr);
        if (r >= 0)
                r = transfer_is_export(t->request->type)
                            ? archive_from_stream(&a, t->stream[0], t->archive_fd, ".",
                                                  &t->progress, reterr)
                            : archive_to_stream(&a, t->archive_fd, t->stream[1], &t->progress,
                                                reterr);
        if (r < 0)
                return r;
        *ret_text = strf("LEFT_OUT=%" PRIu64 "\n", a.left_out);
        return *ret_text ? 0 : error_oom(reterr);
}

/* ---- into the pool ---- */

static int receive_task(void *userdata, char **ret_text, Error *reterr) {
        Tree *t = userdata;
        const Sandbox sandbox = {
                .root_fd = t->tree_fd,
                .write = true,
                .capabilities = CAP_MASK(CAP_CHOWN) | CAP_MASK(CAP_DAC_OVERRIDE) |
                                CAP_MASK(CAP_FOWNER) | CAP_MASK(CAP_FSETID) | CAP_MASK(CAP_SETFCAP),
                .memory_max = TRANSFER_MEMORY_MAX,
        };
        const TreeOwners owners = { .keep = true, .fifos = true, .limits = &t->limits };
        _cleanup_free_ char *name = NULL;
        int r = transfer_enter_sandbox(t->transfer, &sandbox, reterr);
        if (r < 0)
                return r;
        r = tree_receive_into(t->stream[0], t->tree_fd, &owners, NULL, &name);
        if (r < 0)
                return transfer_write_failed(t->transfer, r, name, &t->limits, reterr);
        *ret_text =
                strf("FILES=%" PRIu64 "\nBYTES=%" PRIu64 "\n", t->limits.files, t->limits.bytes);
        return *ret_text ? 0 : error_oom(reterr);
}

/* From a stream that `source` makes, with these descriptors, into a new image. */
static int fill(Transfer *t, Tree *tree, ChildTask source, int source_fd, const char *new_path,
                StrBuf *answer, Error *reterr) {
        _cleanup_(child_done) Child sender = CHILD_NULL, receiver = CHILD_NULL;
        _cleanup_close_pair_ int p[2] = PAIR_EBADF;
        int r = transfer_pipe(p, reterr);
        memcpy(tree->stream, p, sizeof(p));
        if (r >= 0)
                r = child_start(source, tree,
                                (int[]){ source_fd, tree->stream[1], tree->progress.fd }, 3,
                                &sender, reterr);
        if (r >= 0)
                r = child_start(receive_task, tree, (int[]){ tree->tree_fd, tree->stream[0] }, 2,
                                &receiver, reterr);
        fd_close_pair(p);
        p[0] = p[1] = -EBADF;
        if (r >= 0)
                r = children_wait(t, (Child *[]){ &sender, &receiver }, 2, reterr);
        if (r >= 0 && source == archive_task &&
            child_number(&receiver, "FILES") == 0) { /* as zeros are at the begin of a disk */
                r = error_set(reterr, -EBADMSG, ERROR_FAILED, "There is nothing in the archive");
                error_hint(reterr, t->request.type == TRANSFER_PULL_TAR
                                           ? "a disk image is downloaded with 'berth pull-raw'"
                                           : "a disk image is imported with 'berth import-raw'");
        }
        if (r < 0)
                return r;
        answer_add(answer, "PATH", new_path);
        answer_add_number(answer, "FILES", child_number(&receiver, "FILES"));
        answer_add_number(answer, "BYTES", child_number(&receiver, "BYTES"));
        answer_add_number(answer, "LEFT_OUT", child_number(&sender, "LEFT_OUT"));
        return 0;
}

static int import(Transfer *t, ChildTask source, int source_fd, StrBuf *answer, Error *reterr) {
        ImageNew n = IMAGE_NEW_NULL;
        const TransferRequest *q = &t->request;
        int r = image_new_begin(&t->pool, q->name, IMAGE_DIRECTORY, q->replace, &n, reterr);
        if (r < 0)
                return r;
        Tree tree = { .transfer = t,
                      .request = q,
                      .archive_fd = source_fd,
                      .tree_fd = n.fd,
                      .progress = { .fd = t->progress_fd } };
        _cleanup_free_ char *path = strjoin(n.leftover.directory, "/", n.file);
        r = path ? transfer_limits(t, n.fd, &tree.limits, reterr) : error_oom(reterr);
        if (r >= 0)
                r = fill(t, &tree, source, source_fd, path, answer, reterr);
        if (r >= 0)
                r = image_new_finish(&n, q->read_only, reterr);
        image_new_done(&n);
        return r;
}

int transfer_import_tar_of(Transfer *t, int fd, StrBuf *answer, Error *reterr) {
        int r = import(t, archive_task, fd, answer, reterr);
        if (r == -EBADMSG)
                transfer_explain_disk(t, fd, reterr);
        return r;
}

int transfer_import_tar(Transfer *t, StrBuf *answer, Error *reterr) {
        return transfer_import_tar_of(t, STDIN_FILENO, answer, reterr);
}

/* ---- out of a directory ---- */

static int send_task(void *userdata, char **ret_text, Error *reterr) {
        Tree *t = userdata;
        _cleanup_free_ char *name = NULL;
        const int fd = transfer_is_export(t->request->type) ? t->tree_fd : t->archive_fd;
        const Sandbox sandbox = { .root_fd = fd,
                                  .files = true,
                                  .capabilities = CAP_MASK(CAP_DAC_READ_SEARCH) };
        int r = transfer_enter_sandbox(t->transfer, &sandbox, reterr);
        if (r < 0)
                return r;
        r = tree_send_flags(t->stream[1], fd, TREE_SEND_FIFOS | TREE_SEND_ONE_FILE_SYSTEM,
                            transfer_is_export(t->request->type) ? NULL : &t->progress, &name);
        if (r >= 0)
                return 0;
        if (r == -EPIPE) /* the other side tells why */
                return error_set(reterr, r, ERROR_FAILED, "Reading was given up");
        return error_set_errno(reterr, r, ERROR_FAILED, "Reading '%s' failed", name ?: "/");
}

int transfer_import_fs(Transfer *t, StrBuf *answer, Error *reterr) {
        const char *path = t->request.remote;
        _cleanup_close_ int fd =
                path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                     : openat(STDIN_FILENO, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return error_set_errno(reterr, -errno, ERROR_ROOT_NOT_FOUND, "Opening '%s' failed",
                                       path ?: "the directory");
        return import(t, send_task, fd, answer, reterr);
}

int transfer_export_tar(Transfer *t, StrBuf *answer, Error *reterr) {
        _cleanup_(image_freep) Image *i = NULL;
        _cleanup_(image_lock_done) ImageLock lock = IMAGE_LOCK_NULL;
        _cleanup_(child_done) Child sender = CHILD_NULL, writer = CHILD_NULL;
        _cleanup_close_pair_ int p[2] = PAIR_EBADF;
        const TransferRequest *q = &t->request;
        int r = image_lookup(t->pool.places, q->name, &i, reterr);
        if (r >= 0 && !image_is_tree(i)) {
                r = error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                              "Image '%s' is %s, not a directory", q->name,
                              i->kind == IMAGE_MSTACK  ? "a stack of layers"
                              : i->kind == IMAGE_BLOCK ? "a block device"
                                                       : "a disk image");
                if (IN_SET(i->kind, IMAGE_RAW, IMAGE_BLOCK))
                        error_hint(reterr, "export it with 'berth export-raw'");
        }
        if (r >= 0)
                r = image_lock(i, LOCK_MODE_SHARED, &lock, reterr);
        if (r < 0)
                return r;
        _cleanup_close_ int fd = open(i->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return error_set_errno(reterr, -errno, ERROR_FAILED, "Opening '%s' failed",
                                       i->path);
        r = transfer_pipe(p, reterr);
        Tree tree = { .transfer = t,
                      .request = q,
                      .archive_fd = STDOUT_FILENO,
                      .tree_fd = fd,
                      .stream = { p[0], p[1] },
                      .progress = { .fd = t->progress_fd } };
        if (r >= 0)
                r = child_start(send_task, &tree, (int[]){ fd, p[1] }, 2, &sender, reterr);
        if (r >= 0)
                r = child_start(archive_task, &tree, (int[]){ STDOUT_FILENO, p[0], t->progress_fd },
                                3, &writer, reterr);
        fd_close_pair(p);
        p[0] = p[1] = -EBADF;
        if (r >= 0)
                r = children_wait(t, (Child *[]){ &sender, &writer }, 2, reterr);
        if (r >= 0)
                answer_add(answer, "PATH", i->path);
        return r;
}
