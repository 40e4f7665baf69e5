/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disk images: import-raw, export-raw.
 *
 * What is compressed, or comes by a pipe, is unpacked by a process that has no rights and sees no files; another one, with as little, writes the
 * image, with holes for zeros. An image in a regular file is shared with it (FICLONE) where the file system can, or copied with its holes. */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "archive/archive.h"
#include "basic/alloc.h"
#include "basic/fd.h"
#include "sys/sandbox.h"
#include "transfer/raw.h"

#define BUFFER_SIZE (512U << 10)
_Static_assert(BUFFER_SIZE >= CONTENT_SIZE, "the first buffer says what it is");
#define SIZE_MAX_OF_IMAGE (UINT64_C(16) << 40) /* holes take no room, but time */

static const Sandbox nothing = { .root_fd = -EBADF, .memory_max = TRANSFER_MEMORY_MAX };

/* ---- what it is ---- */

static int refuse(const Raw *w, const Content *c, Error *reterr) {
        const char *file = w->request->remote, *quote = file ? "'" : "";
        int r = error_set(reterr, -EBADMSG, ERROR_FAILED, "%s%s%s is %s%s", quote,
                          file ?: "The input", quote, c->words,
                          c->kind == CONTENT_EMPTY ? "" : ", not a disk image that can be taken");
        switch (c->kind) {
        case CONTENT_TAR:
                error_hint(reterr, w->request->type == TRANSFER_PULL_RAW
                                           ? "download it with 'berth pull-tar'"
                                           : "import it with 'berth import-tar'");
                break;
        case CONTENT_OTHER_ARCHIVE:
                error_hint(reterr, "unpack it first");
                break;
        case CONTENT_EMPTY:
                error_hint(reterr, "copy or download it again");
                break;
        default:
                error_hint(reterr, "convert it first, as 'qemu-img convert -O raw' does");
        }
        return r;
}

/* -EBADMSG: it is nothing that can be taken, or not in this way. */
static int check_content(const Raw *w, const Content *c, const char *bytes, size_t n,
                         Error *reterr) {
        const char *file = w->request->remote, *quote = file ? "'" : "";
        if (IN_SET(c->kind, CONTENT_UNKNOWN, CONTENT_DISK, CONTENT_COMPRESSED))
                return 0;
        const char *why = content_refusal(c->kind, bytes, n);
        if (!why)
                return content_format(c->kind) ? 0 : refuse(w, c, reterr);
        int r = error_set(reterr, -EBADMSG, ERROR_FAILED, "%s%s%s is %s that %s", quote,
                          file ?: "The input", quote, c->words, why);
        error_hint(reterr, "make a plain one of it where it comes from: 'qemu-img convert -O raw'");
        return r;
}

static ssize_t read_up_to(int fd, char *buffer, size_t n) {
        size_t got = 0;
        while (got < n) {
                ssize_t k = read(fd, buffer + got, n - got);
                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return -errno;
                if (k == 0)
                        break;
                got += (size_t) k;
        }
        return (ssize_t) got;
}

static int read_failed(const Raw *w, int r, Error *reterr) {
        if (transfer_is_export(w->request->type))
                return error_set_errno(reterr, r, ERROR_FAILED, "Reading image '%s' failed",
                                       w->request->name);
        return error_set_errno(reterr, r, ERROR_FAILED, "Reading '%s' failed",
                               w->request->remote ?: "-");
}

/* Answers KIND=. The position stays at the beginning. */
static int look_task(void *userdata, char **ret_text, Error *reterr) {
        const Raw *w = userdata;
        _cleanup_free_ char *buffer = malloc(CONTENT_SIZE);
        int r = buffer ? transfer_enter_sandbox(w->transfer, &nothing, reterr) : error_oom(reterr);
        if (r < 0)
                return r;
        ssize_t n = read_up_to(w->source_fd, buffer, CONTENT_SIZE);
        if (n >= 0 && lseek(w->source_fd, 0, SEEK_SET) < 0)
                n = -errno;
        if (n < 0)
                return read_failed(w, (int) n, reterr);
        const Content *c = content_of(buffer, (size_t) n);
        r = check_content(w, c, buffer, (size_t) n, reterr);
        if (r < 0)
                return r;
        *ret_text = strf("KIND=%d\n", (int) c->kind);
        return *ret_text ? 0 : error_oom(reterr);
}

static int explain_task(void *userdata, char **ret_text, Error *reterr) {
        const Raw *w = userdata;
        const char *file = w->request->remote, *quote = file ? "'" : "";
        _cleanup_(archive_done) Archive a = { .file = file };
        _cleanup_free_ char *buffer = malloc(CONTENT_SIZE);
        int r = buffer ? archive_open_library(&a, reterr) : error_oom(reterr);
        if (r >= 0)
                r = transfer_enter_sandbox(w->transfer, &nothing, reterr);
        if (r < 0)
                return r;
        ssize_t n = archive_peek(&a, w->source_fd, buffer, CONTENT_SIZE, reterr);
        const Content *c = content_of(buffer, n < 0 ? 0 : (size_t) n);
        if (c->kind != CONTENT_DISK && c->kind != CONTENT_OTHER_DISK && !content_format(c->kind))
                return 0;
        error_done(reterr);
        r = error_set(reterr, -EBADMSG, ERROR_FAILED, "%s%s%s is %s, not a tar archive", quote,
                      file ?: "The input", quote, c->words);
        error_hint(reterr, w->request->type == TRANSFER_PULL_TAR
                                   ? "download it with 'berth pull-raw'"
                                   : "import it with 'berth import-raw'");
        return r;
}

void transfer_explain_disk(const Transfer *t, int fd, Error *e) {
        _cleanup_(child_done) Child child = CHILD_NULL;
        _cleanup_error_ Error better = ERROR_NULL;
        Raw w = { .transfer = t, .request = &t->request, .source_fd = fd };
        if (lseek(fd, 0, SEEK_SET) != 0) /* a pipe: what came is gone */
                return;
        if (child_start(explain_task, &w, &fd, 1, &child, &better) >= 0 &&
            children_wait(t, (Child *[]){ &child }, 1, &better) == -EBADMSG) {
                error_done(e);
                (void) error_take(e, &better); /* returns its code */
        }
}

/* ---- writing ---- */

/* The output of an export, or the image. */
static int put_failed(const Raw *w, int r, Error *reterr) {
        const char *file = w->request->remote;
        return error_set_errno(reterr, r, ERROR_FAILED, "Writing %s%s%s failed", file ? "'" : "",
                               file ?: "to standard output", file ? "'" : "");
}

int raw_too_large(const Raw *w, bool on_disk, Error *reterr) {
        const bool given = w->request->size_max != UINT64_MAX;
        if (!given && !on_disk)
                return error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED,
                                 "Image '%s' is larger than 16T, the most that is taken",
                                 w->request->name);
        const TreeLimits l = { .files_max = 1,
                               .bytes_max = given ? w->out.size_max : w->out.written_max };
        return transfer_limit_exceeded(w->transfer, &l, reterr);
}

static int write_failed(const Raw *w, int r, Error *reterr) {
        const SparseFile *f = &w->out;
        if (transfer_is_export(w->request->type))
                return put_failed(w, r, reterr);
        if (r != -E2BIG)
                return transfer_write_failed(w->transfer, r, NULL, NULL, reterr);
        return raw_too_large(w, f->written_max - f->written <= BUFFER_SIZE, reterr);
}

static int set_answer(const Raw *w, ContentKind kind, char **ret_text, Error *reterr) {
        *ret_text = strf("KIND=%d\nBYTES=%" PRIu64 "\n", (int) kind, w->out.size);
        return *ret_text ? 0 : error_oom(reterr);
}

/* From a pipe, whose end is no proof that all has come: its other side answers, too. */
static int write_task(void *userdata, char **ret_text, Error *reterr) {
        Raw *w = userdata;
        _cleanup_free_ char *buffer = malloc(BUFFER_SIZE);
        const Content *c = NULL;
        int r = buffer ? transfer_enter_sandbox(w->transfer, &nothing, reterr) : error_oom(reterr);
        while (r >= 0) {
                ssize_t n = read_up_to(w->pipe[0], buffer, BUFFER_SIZE);
                if (n < 0)
                        return read_failed(w, (int) n, reterr);
                if (!c) {
                        c = content_of(buffer, (size_t) n);
                        r = check_content(w, c, buffer, (size_t) n, reterr);
                        if (r < 0)
                                return r;
                }
                if (n == 0)
                        break;
                r = sparse_put(&w->out, buffer, (size_t) n);
                if (r < 0)
                        return write_failed(w, r, reterr);
        }
        if (r < 0)
                return r;
        r = sparse_finish(&w->out);
        return r < 0 ? write_failed(w, r, reterr) : set_answer(w, c->kind, ret_text, reterr);
}

static int put_all(int fd, const char *bytes, size_t n) {
        while (n > 0) {
                ssize_t k = fd_write_waiting(fd, bytes, n);
                if (k <= 0)
                        return k < 0 ? (int) k : -EIO;
                bytes += k;
                n -= (size_t) k;
        }
        return 0;
}

/* Bytes [at, end) of the source. */
static int copy_part(Raw *w, char *buffer, off_t at, off_t end, Error *reterr) {
        if (lseek(w->source_fd, at, SEEK_SET) < 0)
                return read_failed(w, -errno, reterr);
        while (at < end) {
                ssize_t n = read_up_to(w->source_fd, buffer,
                                       (size_t) MIN(end - at, (off_t) BUFFER_SIZE));
                if (n <= 0) /* it has become shorter */
                        return read_failed(w, n < 0 ? (int) n : -ENODATA, reterr);
                int r = w->stream ? put_all(w->out.fd, buffer, (size_t) n)
                                  : sparse_put(&w->out, buffer, (size_t) n);
                if (r < 0)
                        return write_failed(w, r, reterr);
                tree_progress_add(&w->progress, 0, (uint64_t) n);
                at += n;
        }
        return 0;
}

static int copy(Raw *w, char *buffer, off_t size, Error *reterr) {
        for (off_t at = 0; at < size;) {
                off_t begin = w->stream ? at : lseek(w->source_fd, at, SEEK_DATA), end = size;
                if (begin < 0 && errno == ENXIO) /* the rest is a hole */
                        begin = size;
                else if (begin < 0)
                        begin = at; /* such a file system */
                else if (!w->stream)
                        end = lseek(w->source_fd, begin, SEEK_HOLE);
                if (end < 0)
                        return read_failed(w, -errno, reterr);
                begin = MIN(begin, size);
                end = MIN(end, size);
                int r = sparse_skip(&w->out, (uint64_t) (begin - at));
                if (r < 0)
                        return write_failed(w, r, reterr);
                tree_progress_add(&w->progress, 0, (uint64_t) (begin - at));
                r = copy_part(w, buffer, begin, end, reterr);
                if (r < 0)
                        return r;
                at = end;
        }
        int r = w->stream ? 0 : sparse_finish(&w->out);
        return r < 0 ? write_failed(w, r, reterr) : 0;
}

/* From a regular file, or a block device. */
static int copy_task(void *userdata, char **ret_text, Error *reterr) {
        Raw *w = userdata;
        _cleanup_free_ char *buffer = malloc(BUFFER_SIZE);
        int r = buffer ? transfer_enter_sandbox(w->transfer, &nothing, reterr) : error_oom(reterr);
        if (r < 0)
                return r;
        const off_t size = lseek(w->source_fd, 0, SEEK_END);
        r = size < 0 ? read_failed(w, -errno, reterr) : copy(w, buffer, size, reterr);
        tree_progress_finish(&w->progress);
        return r < 0 ? r : set_answer(w, CONTENT_UNKNOWN, ret_text, reterr);
}

static int unpack_task(void *userdata, char **ret_text, Error *reterr) {
        Raw *w = userdata;
        _cleanup_(archive_done) Archive a = { .file = w->request->remote };
        int r = archive_open_library(&a, reterr);
        if (r >= 0)
                r = transfer_enter_sandbox(w->transfer, &nothing, reterr);
        return r < 0 ? r : archive_unpack(&a, w->source_fd, w->pipe[1], &w->progress, reterr);
}

static int pack_task(void *userdata, char **ret_text, Error *reterr) {
        Raw *w = userdata;
        _cleanup_(archive_done) Archive a = { .file = w->request->remote,
                                              .filter = transfer_filter(w->request->format) };
        int r = archive_open_library(&a, reterr);
        if (r >= 0)
                r = transfer_enter_sandbox(w->transfer, &nothing, reterr);
        return r < 0 ? r : archive_pack(&a, w->source_fd, w->out.fd, &w->progress, reterr);
}

/* ---- import ---- */

static int set_limits(Raw *w, Error *reterr) {
        TreeLimits l;
        int r = transfer_limits(w->transfer, w->image_fd, &l, reterr);
        if (r < 0)
                return r;
        const bool given = w->request->size_max != UINT64_MAX;
        w->out = (SparseFile){ .fd = w->image_fd,
                               .size_max = given ? l.bytes_max : SIZE_MAX_OF_IMAGE,
                               .written_max = given ? UINT64_MAX : l.bytes_max };
        return 0;
}

static int look(Raw *w, ContentKind *ret, Error *reterr) {
        _cleanup_(child_done) Child looker = CHILD_NULL;
        int r = child_start(look_task, w, (int[]){ w->source_fd }, 1, &looker, reterr);
        if (r >= 0)
                r = children_wait(w->transfer, (Child *[]){ &looker }, 1, reterr);
        if (r >= 0)
                *ret = (ContentKind) child_number(&looker, "KIND");
        return r;
}

static int copy_file(Raw *w, uint64_t *ret_bytes, Error *reterr) {
        _cleanup_(child_done) Child copier = CHILD_NULL;
        struct stat st;
        if (fstat(w->source_fd, &st) >= 0 && (uint64_t) st.st_size <= w->out.size_max &&
            ioctl(w->image_fd, FICLONE, w->source_fd) >= 0) {
                if (fstat(w->image_fd, &st) < 0)
                        return transfer_write_failed(w->transfer, -errno, NULL, NULL, reterr);
                *ret_bytes = (uint64_t) st.st_size;
                return 0;
        }
        int r = child_start(copy_task, w, (int[]){ w->source_fd, w->image_fd, w->progress.fd }, 3,
                            &copier, reterr);
        if (r >= 0)
                r = children_wait(w->transfer, (Child *[]){ &copier }, 1, reterr);
        if (r >= 0)
                *ret_bytes = child_number(&copier, "BYTES");
        return r;
}

/* w->kind becomes what came out. */
static int unpack(Raw *w, uint64_t *ret_bytes, Error *reterr) {
        _cleanup_(child_done) Child unpacker = CHILD_NULL, writer = CHILD_NULL;
        _cleanup_close_pair_ int p[2] = PAIR_EBADF;
        int r = transfer_pipe(p, reterr);
        memcpy(w->pipe, p, sizeof(p));
        if (r >= 0)
                r = child_start(unpack_task, w, (int[]){ w->source_fd, p[1], w->progress.fd }, 3,
                                &unpacker, reterr);
        if (r >= 0)
                r = child_start(write_task, w, (int[]){ w->image_fd, p[0] }, 2, &writer, reterr);
        fd_close_pair(p);
        p[0] = p[1] = -EBADF;
        if (r >= 0)
                r = children_wait(w->transfer, (Child *[]){ &unpacker, &writer }, 2, reterr);
        if (r >= 0) {
                *ret_bytes = child_number(&writer, "BYTES");
                w->kind = (ContentKind) child_number(&writer, "KIND");
        }
        return r;
}

/* ---- what has to be converted ---- */

/* What was written becomes the source, without a name; the image begins anew. */
static int use_as_source(Raw *w, ImageNew *n, Error *reterr) {
        const Leftover *l = &n->leftover;
        int r = 0;
        if (fchown(n->fd, SANDBOX_NOBODY, SANDBOX_NOBODY) < 0 || lseek(n->fd, 0, SEEK_SET) < 0 ||
            unlinkat(l->directory_fd, l->name, 0) < 0)
                r = -errno;
        if (r >= 0) {
                const int fd = openat(l->directory_fd, l->name,
                                      O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
                r = fd < 0 ? -errno : 0;
                if (fd >= 0) {
                        w->source_fd = w->spool_fd = n->fd;
                        w->image_fd = w->out.fd = n->fd = fd;
                }
        }
        return r < 0 ? transfer_write_failed(w->transfer, r, NULL, NULL, reterr) : 0;
}

static int convert(Raw *w, ImageNew *n, bool copied, uint64_t *ret_bytes, Error *reterr) {
        struct stat st;
        int r = raw_check_convertible(w, reterr);
        if (r < 0)
                return r;
        if (fstat(w->source_fd, &st) < 0)
                return read_failed(w, -errno, reterr);
        if (!copied && !(st.st_mode & S_IROTH)) { /* nobody cannot open it */
                r = copy_file(w, ret_bytes, reterr);
                copied = true;
        }
        if (r >= 0 && copied)
                r = use_as_source(w, n, reterr);
        return r < 0 ? r : raw_convert(w, ret_bytes, reterr);
}

/* A regular file from its beginning on; else its bytes come once. */
static bool is_whole_file(int fd) {
        struct stat st;
        return fstat(fd, &st) >= 0 && S_ISREG(st.st_mode) && lseek(fd, 0, SEEK_CUR) == 0;
}

int transfer_fill_raw(const Transfer *t, ImageNew *n, int source_fd, StrBuf *answer,
                      Error *reterr) {
        Raw w = { .transfer = t,
                  .request = &t->request,
                  .source_fd = source_fd,
                  .pipe = PAIR_EBADF,
                  .image_fd = n->fd,
                  .spool_fd = -EBADF,
                  .kind = CONTENT_COMPRESSED, /* or not: what comes by a pipe */
                  .progress = { .fd = t->progress_fd } };
        uint64_t bytes = 0;
        int r = set_limits(&w, reterr);
        if (r >= 0 && is_whole_file(source_fd))
                r = look(&w, &w.kind, reterr);
        const bool unpacked = w.kind == CONTENT_COMPRESSED;
        if (r >= 0 && unpacked)
                r = unpack(&w, &bytes, reterr);
        else if (r >= 0 && !content_format(w.kind))
                r = copy_file(&w, &bytes, reterr);
        if (r >= 0 && content_format(w.kind))
                r = convert(&w, n, unpacked, &bytes, reterr);
        fd_close(w.spool_fd);
        if (r >= 0)
                answer_add_number(answer, "BYTES", bytes);
        return r;
}

int transfer_import_raw_of(Transfer *t, int fd, StrBuf *answer, Error *reterr) {
        ImageNew n = IMAGE_NEW_NULL;
        const TransferRequest *q = &t->request;
        int r = image_new_begin(&t->pool, q->name, IMAGE_RAW, q->replace, &n, reterr);
        if (r < 0)
                return r;
        _cleanup_free_ char *path = strjoin(n.leftover.directory, "/", n.file);
        r = path ? transfer_fill_raw(t, &n, fd, answer, reterr) : error_oom(reterr);
        if (r >= 0)
                r = image_new_finish(&n, q->read_only, reterr);
        if (r >= 0)
                answer_add(answer, "PATH", path);
        image_new_done(&n);
        return r;
}

int transfer_import_raw(Transfer *t, StrBuf *answer, Error *reterr) {
        return transfer_import_raw_of(t, STDIN_FILENO, answer, reterr);
}

/* ---- export ---- */

static int open_image(const Transfer *t, const Image *i, Error *reterr) {
        if (!IN_SET(i->kind, IMAGE_RAW, IMAGE_BLOCK)) {
                int r = error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                                  "Image '%s' is %s, not a disk image", t->request.name,
                                  i->kind == IMAGE_MSTACK ? "a stack of layers" : "a directory");
                if (image_is_tree(i))
                        error_hint(reterr, "export it with 'berth export-tar'");
                return r;
        }
        int fd = open(i->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        return fd < 0 ? error_set_errno(reterr, -errno, ERROR_FAILED, "Opening '%s' failed",
                                        i->path)
                      : fd;
}

/* A file that is written from its beginning on can have holes. */
static bool takes_holes(int fd) {
        struct stat st;
        const int flags = fcntl(fd, F_GETFL);
        return flags >= 0 && !(flags & O_APPEND) && fstat(fd, &st) >= 0 && S_ISREG(st.st_mode) &&
               st.st_size == 0 && lseek(fd, 0, SEEK_CUR) == 0;
}

static int export_to(const Transfer *t, Raw *w, Error *reterr) {
        const bool packed = transfer_filter(t->request.format);
        _cleanup_(child_done) Child writer = CHILD_NULL;
        if (!packed && !w->stream && ioctl(w->out.fd, FICLONE, w->source_fd) >= 0)
                return 0;
        int r = child_start(packed ? pack_task : copy_task, w,
                            (int[]){ w->source_fd, w->out.fd, t->progress_fd }, 3, &writer, reterr);
        return r < 0 ? r : children_wait(t, (Child *[]){ &writer }, 1, reterr);
}

int transfer_export_raw(Transfer *t, StrBuf *answer, Error *reterr) {
        _cleanup_(image_freep) Image *i = NULL;
        _cleanup_(image_lock_done) ImageLock lock = IMAGE_LOCK_NULL;
        int r = image_lookup(t->pool.places, t->request.name, &i, reterr);
        if (r < 0)
                return r;
        _cleanup_close_ int fd = open_image(t, i, reterr);
        if (fd < 0)
                return fd;
        r = image_lock(i, LOCK_MODE_SHARED, &lock, reterr);
        if (r < 0)
                return r;
        const off_t size = lseek(fd, 0, SEEK_END);
        if (size < 0 || lseek(fd, 0, SEEK_SET) < 0)
                return error_set_errno(reterr, -errno, ERROR_FAILED, "Reading '%s' failed",
                                       i->path);
        Raw w = {
                .transfer = t,
                .request = &t->request,
                .source_fd = fd,
                .stream = !takes_holes(STDOUT_FILENO),
                .progress = { .fd = t->progress_fd, .total = (uint64_t) size },
                .out = { .fd = STDOUT_FILENO, .size_max = UINT64_MAX, .written_max = UINT64_MAX }
        };
        r = export_to(t, &w, reterr);
        if (r >= 0 && !w.stream && !transfer_filter(t->request.format) &&
            lseek(STDOUT_FILENO, size, SEEK_SET) < 0) /* who has the file open goes on behind it */
                r = error_set_errno(reterr, -errno, ERROR_FAILED, "Writing the image failed");
        if (r >= 0) {
                answer_add(answer, "PATH", i->path);
                answer_add_number(answer, "BYTES", (uint64_t) size);
        }
        return r;
}
