/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How much a transfer may write, and what is said when that is not enough. */
#include <fcntl.h>
#include <inttypes.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "basic/format.h"
#include "transfer/transfer.h"

#define SPARE 20 /* one in so many bytes of what is free is left alone */

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
                                               "Asking how much is free in the pool failed");
                bytes = (uint64_t) fs.f_bavail * fs.f_frsize;
                bytes -= bytes / SPARE;
        }
        *ret = (TreeLimits){ .files_max = TRANSFER_FILES_MAX, .bytes_max = bytes };
        return 0;
}

int transfer_limit_exceeded(const TreeLimits *l, Error *reterr) {
        if (l->files > l->files_max)
                return error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED,
                                 "The image has more than %" PRIu64 " files", l->files_max);
        _cleanup_free_ char *size = format_bytes(l->bytes_max);
        int r = error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED, "The image has more than %s",
                          strempty(size));
        error_hint(reterr, "that is the limit of --max-size=, or what is free in the pool");
        return r;
}

int transfer_write_failed(int r, const TreeLimits *l, Error *reterr) {
        if (r == -E2BIG && l && (l->files > l->files_max || l->bytes > l->bytes_max))
                return transfer_limit_exceeded(l, reterr);
        if (r == -ECANCELED) /* the other side tells why */
                return error_set(reterr, r, ERROR_FAILED, "Writing the image was given up");
        r = error_set_errno(reterr, r, ERROR_FAILED, "Writing the image failed");
        if (IN_SET(r, -ENOSPC, -EDQUOT))
                error_hint(reterr, "there is no room, or no inode, left in the pool");
        if (IN_SET(r, -ENOTDIR, -ELOOP, -EXDEV))
                error_hint(reterr,
                           "a name in it leads through a link, or through more than %d directories",
                           TREE_DEPTH_MAX);
        return r;
}
