/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How much a transfer may write, and what is said when that is not enough. */
#include <fcntl.h>
#include <inttypes.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "basic/format.h"
#include "basic/str.h"
#include "transfer/transfer.h"

#define SPARE 20 /* one in so many bytes of what is free is left alone */

const char *transfer_filter(TransferFormat f) {
        static const char *const filters[_TRANSFER_FORMAT_MAX] = {
                [TRANSFER_GZIP] = "gzip",
                [TRANSFER_BZIP2] = "bzip2",
                [TRANSFER_XZ] = "xz",
                [TRANSFER_ZSTD] = "zstd",
        };
        return filters[f];
}

static const char *pool_path(const Transfer *t) {
        return t->pool.path ?: IMAGE_POOL;
}

int transfer_pipe(int ret[static 2], Error *reterr) {
        if (pipe2(ret, O_CLOEXEC) < 0)
                return error_set_errno(reterr, -errno, ERROR_SETUP_FAILED, "Making a pipe failed");
        (void) fcntl(ret[1], F_SETPIPE_SZ, TRANSFER_PIPE_SIZE); /* else it is slower */
        return 0;
}

int transfer_limits(const Transfer *t, int fd, TreeLimits *ret, Error *reterr) {
        struct statvfs fs;
        uint64_t bytes = t->request.size_max;
        if (bytes == UINT64_MAX) {
                if (fstatvfs(fd, &fs) < 0)
                        return error_set_errno(reterr, -errno, ERROR_FAILED,
                                               "Looking at '%s' failed", pool_path(t));
                bytes = (uint64_t) fs.f_bavail * fs.f_frsize;
                bytes -= bytes / SPARE;
        }
        *ret = (TreeLimits){ .files_max = TRANSFER_FILES_MAX, .bytes_max = bytes };
        return 0;
}

int transfer_limit_exceeded(const Transfer *t, const TreeLimits *l, Error *reterr) {
        const TransferRequest *q = &t->request;
        if (l->files > l->files_max)
                return error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED,
                                 "Image '%s' has more than %" PRIu64 " files", q->name,
                                 l->files_max);
        _cleanup_free_ char *size = format_bytes(l->bytes_max);
        if (q->size_max != UINT64_MAX)
                return error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED,
                                 "Image '%s' is larger than %s, the limit of --max-size=", q->name,
                                 strempty(size));
        int r = error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED,
                          "Image '%s' is larger than %s, %d%% of what is free in '%s'", q->name,
                          strempty(size), 100 - 100 / SPARE, pool_path(t));
        error_hint(reterr, "make room there, or give a limit with --max-size=");
        return r;
}

int transfer_write_failed(const Transfer *t, int r, const char *name, const TreeLimits *l,
                          Error *reterr) {
        if (r == -E2BIG && l && (l->files > l->files_max || l->bytes > l->bytes_max))
                return transfer_limit_exceeded(t, l, reterr);
        if (r == -ECANCELED) /* the other side tells why */
                return error_set(reterr, r, ERROR_FAILED, "Writing the image was given up");
        _cleanup_free_ char *shown = name ? str_escape_for_display(name) : NULL;
        r = shown ? error_set_errno(reterr, r, ERROR_FAILED,
                                    "Writing '%.200s' of image '%s' failed", shown, t->request.name)
                  : error_set_errno(reterr, r, ERROR_FAILED, "Writing image '%s' failed",
                                    t->request.name);
        if (IN_SET(r, -ENOSPC, -EDQUOT))
                error_hint(reterr, "there is no room, or no inode, left in '%s'", pool_path(t));
        if (IN_SET(r, -ENOTDIR, -ELOOP, -EXDEV))
                error_hint(reterr, "it leads through a link, or through more than %d directories",
                           TREE_DEPTH_MAX);
        return r;
}
