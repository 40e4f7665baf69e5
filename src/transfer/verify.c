/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What was downloaded is read by processes that can do nothing else: checksums of files, and lists of them. */
#include <stdio.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/checksums.h"
#include "basic/fd.h"
#include "transfer/digest.h"
#include "transfer/transfer.h"

#define BLOCK_SIZE (256U << 10)
#define LIST_SIZE_MAX (4U << 20)

typedef struct Reading {
        const Transfer *transfer;
        int fd;
        const char *file; /* of the list; NULL: the checksum of all that is in fd */
        const char *list; /* what errors call it */
        bool only;
} Reading;

static int hash(Digest *d, int fd, uint8_t ret[static SHA256_SIZE]) {
        _cleanup_free_ uint8_t *block = new0(uint8_t, BLOCK_SIZE);
        if (!block)
                return -ENOMEM;
        for (off_t at = 0;;) {
                const ssize_t n = pread(fd, block, BLOCK_SIZE, at);
                int r = n < 0 ? -errno : n > 0 ? digest_add(d, block, (size_t) n) : 0;
                if (r < 0)
                        return r;
                if (n == 0)
                        break;
                at += n;
        }
        int r = digest_finish(d, ret);
        return r < 0 ? r : 1;
}

/* 1; 0: it is not in there. */
static int look_up(const Reading *v, uint8_t ret[static SHA256_SIZE], Error *reterr) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r = lseek(v->fd, 0, SEEK_SET) < 0 ? -errno
                                              : fd_read_all(v->fd, LIST_SIZE_MAX, &text, &size);
        if (r < 0)
                return r;
        r = checksums_find(text, size, v->file, v->only, ret);
        if (r == -EBADMSG)
                return error_set(reterr, r, ERROR_FAILED,
                                 "'%s' has two different checksums of '%s'", v->list, v->file);
        return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

static int read_task(void *userdata, char **ret_text, Error *reterr) {
        static const Sandbox sandbox = { .root_fd = -EBADF, .memory_max = TRANSFER_MEMORY_MAX };
        const Reading *v = userdata;
        uint8_t digest[SHA256_SIZE];
        char hex[SHA256_HEX_SIZE];
        _cleanup_(digest_done) Digest d = DIGEST_NULL;
        int r = v->file ? 0 : digest_open(&d, reterr);
        if (r >= 0)
                r = transfer_enter_sandbox(v->transfer, &sandbox, reterr);
        if (r < 0)
                return r;
        r = v->file ? look_up(v, digest, reterr) : hash(&d, v->fd, digest);
        if (r < 0)
                return error_is_set(reterr) ? r
                                            : error_set_errno(reterr, r, ERROR_FAILED,
                                                              "Reading what was downloaded failed");
        if (r == 0)
                return 0;
        sha256_to_hex(digest, hex);
        *ret_text = strdup(hex);
        return *ret_text ? 0 : error_oom(reterr);
}

static int read_it(Reading *v, uint8_t ret[static SHA256_SIZE], Error *reterr) {
        _cleanup_(child_done) Child c = CHILD_NULL;
        int r = child_start(read_task, v, (int[]){ v->fd }, 1, &c, reterr);
        if (r >= 0)
                r = children_wait(v->transfer, (Child *[]){ &c }, 1, reterr);
        if (r < 0)
                return r;
        if (!c.text || !c.text[0])
                return 0;
        return sha256_from_hex(c.text, ret) < 0 ? error_set(reterr, -EPROTO, ERROR_PROTOCOL,
                                                            "A checksum cannot be understood")
                                                : 1;
}

int verify_hash(const Transfer *t, int fd, uint8_t ret[static SHA256_SIZE], Error *reterr) {
        Reading v = { .transfer = t, .fd = fd };
        int r = read_it(&v, ret, reterr);
        return r == 0 ? error_set(reterr, -EPROTO, ERROR_PROTOCOL, "A checksum is missing") : r;
}

int verify_list(const Transfer *t, int fd, const char *list, const char *file, bool only,
                uint8_t ret[static SHA256_SIZE], Error *reterr) {
        Reading v = { .transfer = t, .fd = fd, .file = file, .list = list, .only = only };
        return read_it(&v, ret, reterr);
}
