/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Archives by libarchive(3): one stream of bytes, compressed. */
#include <unistd.h>

#include "archive/archive-library.h"
#include "basic/alloc.h"
#include "basic/fd.h"

static void close_handle(Archive *a, const char *function) {
        if (a->handle)
                (void) CALL(a, Fn_i_h, function)(a->handle); /* what matters was asked for before */
        a->handle = NULL;
}

/* ---- reading ---- */

static int unpack(const Archive *a, int fd, char *buffer, TreeProgress *progress, Error *reterr) {
        void *entry;
        int k = CALL(a, Fn_i_hp, "archive_read_next_header")(a->handle, (void *) &entry);
        if (k == RESULT_EOF)
                return 0;
        if (k < RESULT_WARN)
                return archive_library_failed(a, "Reading", reterr);
        for (;;) {
                ssize_t n = CALL(a, Fn_z_hpz_read, "archive_read_data")(a->handle, buffer,
                                                                        STREAM_BUFFER_SIZE);
                if (n < 0)
                        return archive_library_failed(a, "Reading", reterr);
                if (n == 0)
                        return 0;
                int r = fd_write_full(fd, buffer, (size_t) n);
                if (r < 0)
                        return error_set_errno(reterr, r, ERROR_FAILED,
                                               "Passing on what was in the archive failed");
                tree_progress_add(progress, 0, (uint64_t) n);
        }
}

int archive_unpack(Archive *a, int archive_fd, int fd, TreeProgress *progress, Error *reterr) {
        static const char *const formats[] = { "archive_read_support_format_raw",
                                               "archive_read_support_format_empty" };
        _cleanup_free_ char *buffer = malloc(STREAM_BUFFER_SIZE);
        int r = buffer ? archive_open_reader(a, archive_fd, formats, ELEMENTSOF(formats), reterr)
                       : error_oom(reterr);
        if (r >= 0)
                r = unpack(a, fd, buffer, progress, reterr);
        close_handle(a, "archive_read_free");
        tree_progress_finish(progress);
        return r;
}

ssize_t archive_peek(Archive *a, int archive_fd, void *buffer, size_t n, Error *reterr) {
        static const char *const formats[] = { "archive_read_support_format_raw" };
        void *entry;
        ssize_t got = -1;
        int r = archive_open_reader(a, archive_fd, formats, ELEMENTSOF(formats), reterr);
        if (r >= 0 &&
            CALL(a, Fn_i_hp, "archive_read_next_header")(a->handle, (void *) &entry) >= RESULT_WARN)
                got = CALL(a, Fn_z_hpz_read, "archive_read_data")(a->handle, buffer, n);
        if (r >= 0 && got < 0)
                r = archive_library_failed(a, "Reading", reterr);
        close_handle(a, "archive_read_free");
        return r < 0 ? r : got;
}

/* ---- writing ---- */

static int pack(const Archive *a, int fd, char *buffer, TreeProgress *progress, Error *reterr) {
        for (;;) {
                ssize_t n = read(fd, buffer, STREAM_BUFFER_SIZE);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return error_set_errno(reterr, -errno, ERROR_FAILED,
                                               "Reading the image failed");
                if (n == 0)
                        return 0;
                if (CALL(a, Fn_z_hpz, "archive_write_data")(a->handle, buffer, (size_t) n) != n)
                        return archive_library_failed(a, "Writing", reterr);
                tree_progress_add(progress, 0, (uint64_t) n);
        }
}

/* One entry, of which only the contents are written. */
static int begin_entry(const Archive *a, Error *reterr) {
        void *entry = CALL(a, Fn_p, "archive_entry_new")();
        if (!entry)
                return error_oom(reterr);
        CALL(a, Fn_v_hu, "archive_entry_set_filetype")(entry, S_IFREG);
        int k = CALL(a, Fn_i_hp, "archive_write_header")(a->handle, entry);
        CALL(a, Fn_v_h, "archive_entry_free")(entry);
        return k < RESULT_WARN ? archive_library_failed(a, "Writing", reterr) : 0;
}

int archive_pack(Archive *a, int fd, int archive_fd, TreeProgress *progress, Error *reterr) {
        _cleanup_free_ char *buffer = malloc(STREAM_BUFFER_SIZE);
        a->handle = CALL(a, Fn_p, "archive_write_new")();
        int r = buffer && a->handle ? archive_add_filter(a, reterr) : error_oom(reterr);
        if (r >= 0 &&
            (CALL(a, Fn_i_h, "archive_write_set_format_raw")(a->handle) < 0 ||
             CALL(a, Fn_i_hi, "archive_write_set_bytes_in_last_block")(a->handle, 1) < 0 ||
             archive_open_writer(a, archive_fd) < 0))
                r = archive_library_failed(a, "Writing", reterr);
        if (r >= 0)
                r = begin_entry(a, reterr);
        if (r >= 0)
                r = pack(a, fd, buffer, progress, reterr);
        if (r >= 0 && CALL(a, Fn_i_h, "archive_write_close")(a->handle) < 0)
                r = archive_library_failed(a, "Writing", reterr);
        close_handle(a, "archive_write_free");
        tree_progress_finish(progress);
        return r;
}
