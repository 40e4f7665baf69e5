/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Downloads: pull-tar, pull-raw.
 *
 * Sequence: list of checksums, its signature; what is to be in the file is known then; the file, to one of the pool that has no name, so that nothing of it stays;
 * its checksum; then it is imported, like any other. Each file is downloaded by a process of its own, which is gone before anybody reads what it has written. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/url.h"
#include "transfer/http.h"
#include "transfer/transfer.h"

#define LIST_SIZE_MAX (4U << 20) /* of checksums, and of a signature */
#define LIST_SECONDS_MAX 300
#define HTTP_MEMORY_MAX (1U << 30) /* address space: threads have much of that */

typedef struct Download {
        const Transfer *transfer;
        HttpFile file;
} Download;

static int download_task(void *userdata, char **ret_text, Error *reterr) {
        const Download *d = userdata;
        Http h = HTTP_NULL;
        int r = http_open(&h, reterr);
        if (r >= 0) {
                const Sandbox sandbox = { .root_fd = h.root_fd,
                                          .files = true,
                                          .network = true,
                                          .memory_max = HTTP_MEMORY_MAX };
                r = transfer_enter_sandbox(d->transfer, &sandbox, reterr);
        }
        if (r >= 0)
                r = http_get(&h, &d->file, reterr);
        if (r >= 0) {
                *ret_text = strf("FOUND=%d\n", r);
                r = *ret_text ? 0 : error_oom(reterr);
        }
        http_done(&h);
        return r;
}

/* 1; 0: the server has none. */
static int get(const Transfer *t, const char *url, int fd, uint64_t size_max, int progress_fd,
               unsigned seconds_max, Error *reterr) {
        _cleanup_(child_done) Child c = CHILD_NULL;
        Download d = {
                .transfer = t,
                .file = { .url = url,
                          .fd = fd,
                          .size_max = size_max,
                          .seconds_max = seconds_max,
                          .progress_fd = progress_fd },
        };
        int r = child_start(download_task, &d, (int[]){ fd, progress_fd }, 2, &c, reterr);
        if (r >= 0)
                r = children_wait(t, (Child *[]){ &c }, 1, reterr);
        return r < 0 ? r : child_number(&c, "FOUND") > 0;
}

/* Into memory. *ret_fd: at 1. */
static int get_small(const Transfer *t, const char *url, int *ret_fd, Error *reterr) {
        _cleanup_close_ int fd = memfd_create("download", MFD_CLOEXEC);
        if (fd < 0)
                return error_set_errno(reterr, -errno, ERROR_SETUP_FAILED,
                                       "Preparing a download failed");
        int r = get(t, url, fd, LIST_SIZE_MAX, -EBADF, LIST_SECONDS_MAX, reterr);
        if (r > 0)
                *ret_fd = TAKE_FD(fd);
        return r;
}

/* ---- what is to be in the file ---- */

static int check_signature(const Transfer *t, const char *list_url, const char *shown, int list_fd,
                           Error *reterr) {
        static const char *const suffixes[] = { ".gpg", ".asc", ".sig" };
        for (size_t i = 0; i < ELEMENTSOF(suffixes); i++) {
                _cleanup_free_ char *url = url_append(list_url, suffixes[i]);
                _cleanup_close_ int fd = -EBADF;
                int r = url ? get_small(t, url, &fd, reterr) : error_oom(reterr);
                if (r > 0)
                        r = verify_signature(t, list_fd, fd, shown, reterr);
                if (r != 0)
                        return r;
        }
        int r = error_set(reterr, -ENOENT, ERROR_FAILED, "There is no signature of '%s'", shown);
        error_hint(reterr,
                   "the server has neither .gpg nor .asc of it; --verify=checksum does without, "
                   "and then nothing tells who made the image");
        return r;
}

/* What is signed must say of which file it is: else that of any other file would do. 1; 0: it is not in there. */
static int read_list(const Transfer *t, int fd, const char *shown, const char *file, bool only,
                     uint8_t ret[static SHA256_SIZE], Error *reterr) {
        const bool must_name = t->request.verify == TRANSFER_VERIFY_SIGNATURE;
        int r = verify_list(t, fd, shown, file, only && !must_name, ret, reterr);
        if (r == 0 && only && must_name && verify_list(t, fd, shown, file, true, ret, reterr) > 0) {
                r = error_set(reterr, -EBADMSG, ERROR_FAILED,
                              "'%s' has a checksum, but not the name '%s': a signature of it could "
                              "be that of another file",
                              shown, file);
                error_hint(reterr, "sign lists as sha256sum makes them; --verify=checksum takes "
                                   "this one, and then nothing tells who made the image");
        }
        return r;
}

/* From this list, if it is there and has it: 1, else 0. */
static int ask_list(const Transfer *t, const char *list_url, const char *file, bool only,
                    uint8_t ret[static SHA256_SIZE], Error *reterr) {
        _cleanup_close_ int fd = -EBADF;
        _cleanup_free_ char *shown = url_for_display(list_url);
        uint8_t found[SHA256_SIZE];
        int r = shown ? get_small(t, list_url, &fd, reterr) : error_oom(reterr);
        if (r > 0)
                r = read_list(t, fd, shown, file, only, found, reterr);
        if (r > 0 && t->request.verify == TRANSFER_VERIFY_SIGNATURE) {
                r = check_signature(t, list_url, shown, fd, reterr);
                r = r < 0 ? r : 1;
        }
        if (r > 0)
                memcpy(ret, found, sizeof(found));
        return r;
}

static int find_checksum(const Transfer *t, uint8_t ret[static SHA256_SIZE], Error *reterr) {
        const TransferRequest *q = &t->request;
        _cleanup_free_ char *file = NULL, *all = url_beside(q->remote, "SHA256SUMS"),
                            *own = url_append(q->remote, ".sha256");
        int r = all && own ? url_file(q->remote, &file) : -ENOMEM;
        if (r == -EINVAL) {
                _cleanup_free_ char *shown = url_for_display(q->remote);
                return error_set(reterr, r, ERROR_USAGE, "'%s' names no file", strempty(shown));
        }
        if (r < 0)
                return error_oom(reterr);
        r = ask_list(t, all, file, false, ret, reterr);
        if (r == 0)
                r = ask_list(t, own, file, true, ret, reterr);
        if (r != 0)
                return r;
        r = error_set(reterr, -ENOENT, ERROR_FAILED, "There is no checksum of '%s'", file);
        error_hint(
                reterr,
                "it is neither in SHA256SUMS beside it, nor in %s.sha256; give it with --sha256=, "
                "or download with --verify=no what you trust without",
                file);
        return r;
}

/* ---- the file ---- */

static int open_unnamed(const Transfer *t, Error *reterr) {
        const char *pool = t->pool.path ?: IMAGE_POOL;
        int r = mkdir_parents(pool, 0700); /* the first image */
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_FAILED, "Making '%s' failed", pool);
        int fd = open(pool, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (fd < 0 && errno != ENOENT) { /* a file system that has no files without names */
                _cleanup_free_ char *path = path_join(pool, ".#download.XXXXXX");
                if (!path)
                        return error_oom(reterr);
                fd = mkostemp(path, O_CLOEXEC);
                if (fd >= 0)
                        (void) unlink(path); /* it was just made */
        }
        return fd < 0 ? error_set_errno(reterr, -errno, ERROR_FAILED,
                                        "Making a file in '%s' failed", pool)
                      : fd;
}

static int check_contents(const Transfer *t, int fd, const uint8_t expected[static SHA256_SIZE],
                          const char *shown, Error *reterr) {
        char is[SHA256_HEX_SIZE], shall[SHA256_HEX_SIZE];
        uint8_t found[SHA256_SIZE];
        int r = verify_hash(t, fd, found, reterr);
        if (r < 0 || memcmp(found, expected, sizeof(found)) == 0)
                return r;
        sha256_to_hex(found, is);
        sha256_to_hex(expected, shall);
        r = error_set(
                reterr, -EBADMSG, ERROR_FAILED,
                "'%s' has the checksum %s, and not %s: it is damaged, or not what it should be",
                shown, is, shall);
        error_hint(reterr, "download it again; if that does not help, ask who publishes it");
        return r;
}

int transfer_download(Transfer *t, StrBuf *answer, Error *reterr) {
        const TransferRequest *q = &t->request;
        uint8_t expected[SHA256_SIZE];
        TreeLimits limits;
        if (!q->remote || !url_is_valid(q->remote))
                return error_set(reterr, -EINVAL, ERROR_USAGE, "'%s' is no http or https URL",
                                 strempty(q->remote));
        const bool known = q->checksum || q->verify != TRANSFER_VERIFY_NO;
        _cleanup_free_ char *shown = url_for_display(q->remote);
        if (!shown)
                return error_oom(reterr);
        _cleanup_close_ int fd = open_unnamed(t, reterr);
        int r = fd < 0 ? fd : transfer_limits(t, fd, &limits, reterr);
        if (r >= 0 && q->checksum)
                r = sha256_from_hex(q->checksum, expected) < 0
                            ? error_set(reterr, -EINVAL, ERROR_USAGE, "'%s' is no SHA-256 checksum",
                                        q->checksum)
                            : 0;
        else if (r >= 0 && known)
                r = find_checksum(t, expected, reterr);
        if (r >= 0)
                r = get(t, q->remote, fd, limits.bytes_max, t->progress_fd, 0, reterr);
        if (r == 0)
                r = error_set(reterr, -ENOENT, ERROR_FAILED,
                              "Downloading '%s' failed: the server has no such file (404)", shown);
        if (r >= 0 && known)
                r = check_contents(t, fd, expected, shown, reterr);
        if (r >= 0 && lseek(fd, 0, SEEK_SET) < 0)
                r = error_set_errno(reterr, -errno, ERROR_FAILED, "Reading '%s' failed", shown);
        if (r < 0)
                return r;
        if (known)
                answer_add(answer, "VERIFIED",
                           q->checksum || q->verify == TRANSFER_VERIFY_CHECKSUM ? "checksum"
                                                                                : "signature");
        return TAKE_FD(fd);
}

static int pull(Transfer *t, int (*import_of)(Transfer *t, int fd, StrBuf *answer, Error *reterr),
                StrBuf *answer, Error *reterr) {
        int r = image_check_name(t->request.name, reterr);
        if (r >= 0 && !t->request.replace) { /* before all that is downloaded in vain */
                r = image_check_free(&t->pool, t->request.name, reterr);
                if (r == -EEXIST)
                        error_hint(reterr, "choose another name, or replace it with --force");
        }
        if (r < 0)
                return r;
        _cleanup_close_ int fd = transfer_download(t, answer, reterr);
        if (fd < 0)
                return fd;
        /* what errors call it from here on: without a password */
        const char *url = t->request.remote;
        _cleanup_free_ char *shown = url_for_display(url);
        if (!shown)
                return error_oom(reterr);
        t->request.remote = shown;
        r = import_of(t, fd, answer, reterr);
        t->request.remote = url;
        return r;
}

int transfer_pull_tar(Transfer *t, StrBuf *answer, Error *reterr) {
        return pull(t, transfer_import_tar_of, answer, reterr);
}

int transfer_pull_raw(Transfer *t, StrBuf *answer, Error *reterr) {
        return pull(t, transfer_import_raw_of, answer, reterr);
}
