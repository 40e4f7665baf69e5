/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Archives by libarchive(3): writing. */
#include <limits.h>
#include <stdio.h>

#include "archive/archive-library.h"
#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/str.h"
#include "sys/tree-stream.h"

typedef struct Writer {
        Archive *a;
        Stream stream;
        TreeProgress *progress;
        char path[PATH_MAX]; /* of what is written now */
        size_t path_size;
        unsigned depth; /* directories and files that are open */
} Writer;

static int write_library_failed(const Archive *a, Error *reterr) {
        return archive_library_failed(a, "Writing", reterr);
}

static int write_failed(const Writer *w, Error *reterr) {
        return write_library_failed(w->a, reterr);
}

static void *new_entry(const Writer *w, const Record *rec, const char *path, unsigned type) {
        const Archive *a = w->a;
        void *e = CALL(a, Fn_p, "archive_entry_new")();
        if (!e)
                return NULL;
        CALL(a, Fn_v_hs, "archive_entry_set_pathname")(e, path);
        CALL(a, Fn_v_hu, "archive_entry_set_filetype")(e, type);
        CALL(a, Fn_v_hu, "archive_entry_set_perm")(e, rec->mode & 07777);
        CALL(a, Fn_v_hl, "archive_entry_set_uid")(e, rec->uid);
        CALL(a, Fn_v_hl, "archive_entry_set_gid")(e, rec->gid);
        CALL(a, Fn_v_hl, "archive_entry_set_size")(e, type == S_IFREG ? (int64_t) rec->size : 0);
        CALL(a, Fn_v_hll, "archive_entry_set_mtime")(e, rec->mtime_sec, (long) rec->mtime_nsec);
        return e;
}

static int write_entry(const Writer *w, void *entry, Error *reterr) {
        const Archive *a = w->a;
        int k = CALL(a, Fn_i_hp, "archive_write_header")(a->handle, entry);
        CALL(a, Fn_v_h, "archive_entry_free")(entry);
        tree_progress_add(w->progress, 1, 0);
        return k < RESULT_WARN ? write_failed(w, reterr) : 0;
}

static int write_bytes(const Writer *w, const char *bytes, size_t size, Error *reterr) {
        while (size > 0) {
                ssize_t n = CALL(w->a, Fn_z_hpz, "archive_write_data")(w->a->handle, bytes, size);
                if (n <= 0)
                        return write_failed(w, reterr);
                bytes += n;
                size -= (size_t) n;
                tree_progress_add(w->progress, 0, (uint64_t) n);
        }
        return 0;
}

static int write_zeros(const Writer *w, uint64_t size, Error *reterr) {
        static const char zeros[4096];
        int r = 0;
        while (r >= 0 && size > 0) {
                const size_t n = (size_t) MIN(size, (uint64_t) sizeof(zeros));
                r = write_bytes(w, zeros, n, reterr);
                size -= n;
        }
        return r;
}

/* A file or directory whose header is not written yet: its attributes are still to come. */
typedef struct Item {
        void *entry; /* NULL: it is written */
        bool is_file;
        uint64_t size, at;
} Item;

static int flush_item(const Writer *w, Item *item, Error *reterr) {
        void *entry = TAKE_PTR(item->entry);
        return entry ? write_entry(w, entry, reterr) : 0;
}

static int bad_stream(Error *reterr) {
        return error_set_errno(reterr, -EBADMSG, ERROR_FAILED, "Reading the files failed");
}

static int take_xattr(Writer *w, const Item *item, const Record *rec, const char *name,
                      Error *reterr) {
        if (!item->entry || rec->size > XATTR_VALUE_MAX || !tree_takes_xattr(name))
                return bad_stream(reterr);
        _cleanup_free_ char *value = new0(char, rec->size + 1);
        int r = value ? stream_get(&w->stream, value, rec->size) : -ENOMEM;
        if (r < 0)
                return r == -ENOMEM ? error_oom(reterr) : r;
        if (startswith(name, "system.")) { /* access lists have a form of their own */
                r = archive_acl_set(w->a, item->entry, endswith(name, "default"), value, rec->size);
                return r < 0 ? bad_stream(reterr) : 0;
        }
        CALL(w->a, Fn_v_hspz, "archive_entry_xattr_add_entry")
        (item->entry, name, value, rec->size);
        return 0;
}

static int take_data(Writer *w, Item *item, const Record *rec, Error *reterr) {
        _cleanup_free_ char *buffer = new0(char, STREAM_BUFFER_SIZE);
        if (!buffer)
                return error_oom(reterr);
        if (!item->is_file || rec->size > STREAM_BUFFER_SIZE || rec->offset < item->at ||
            rec->offset > item->size || rec->size > item->size - rec->offset)
                return bad_stream(reterr);
        int r = flush_item(w, item, reterr);
        if (r >= 0)
                r = stream_get(&w->stream, buffer, rec->size);
        if (r >= 0)
                r = write_zeros(w, rec->offset - item->at, reterr);
        item->at = rec->offset + rec->size;
        return r < 0 ? r : write_bytes(w, buffer, rec->size, reterr);
}

static int take_link(Writer *w, const Record *rec, Error *reterr) {
        char target[PATH_MAX];
        if (rec->size == 0 || rec->size >= sizeof(target))
                return bad_stream(reterr);
        int r = stream_get(&w->stream, target, rec->size);
        if (r < 0)
                return r;
        target[rec->size] = '\0';
        const bool hard = rec->type == RECORD_HARD_LINK;
        void *entry = new_entry(w, rec, w->path, hard ? S_IFREG : S_IFLNK);
        if (!entry)
                return error_oom(reterr);
        _cleanup_free_ char *first = strjoin("./", target);
        if (!first) {
                CALL(w->a, Fn_v_h, "archive_entry_free")(entry);
                return error_oom(reterr);
        }
        if (hard) {
                CALL(w->a, Fn_v_hl, "archive_entry_set_size")(entry, 0);
                CALL(w->a, Fn_v_hs, "archive_entry_set_hardlink")(entry, first);
        } else
                CALL(w->a, Fn_v_hs, "archive_entry_set_symlink")(entry, target);
        return write_entry(w, entry, reterr);
}

static int take_fifo(const Writer *w, const Record *rec, Error *reterr) {
        void *entry = new_entry(w, rec, w->path, S_IFIFO);
        return entry ? write_entry(w, entry, reterr) : error_oom(reterr);
}

static int enter_path(Writer *w, const char *name, Error *reterr) {
        const size_t n = strlen(name);
        if (!is_path_component(name))
                return bad_stream(reterr);
        if (w->path_size + 1 + n >= sizeof(w->path))
                return error_set_errno(reterr, -ENAMETOOLONG, ERROR_FAILED,
                                       "Writing the archive failed");
        w->path[w->path_size++] = '/';
        memcpy(w->path + w->path_size, name, n + 1);
        w->path_size += n;
        return 0;
}

static void leave_path(Writer *w, size_t size) {
        w->path_size = size;
        w->path[size] = '\0';
}

/* The last component; the first one stays. */
static void leave_name(Writer *w) {
        const char *slash = strrchr(w->path, '/');
        if (slash)
                leave_path(w, (size_t) (slash - w->path));
}

/* A directory, or a file, that what follows is about. */
static int open_item(Writer *w, Item *item, const Record *rec, Error *reterr) {
        if (w->depth > TREE_DEPTH_MAX)
                return bad_stream(reterr);
        if (w->depth == 0 && rec->type == RECORD_DIRECTORY) {
                leave_path(w, 0);
                w->path[w->path_size++] = '.';
        }
        w->depth++;
        *item = (Item){ .is_file = rec->type == RECORD_FILE, .size = rec->size };
        item->entry = new_entry(w, rec, w->path, item->is_file ? S_IFREG : S_IFDIR);
        return item->entry ? 0 : error_oom(reterr);
}

static int take_record(Writer *w, Item *item, const Record *rec, const char *name, Error *reterr) {
        const bool is_object = rec->type <= RECORD_FIFO;
        int r = 0;
        if (w->depth == 0 ? rec->type > RECORD_FILE : is_object && item->is_file)
                return bad_stream(reterr);
        if (!IN_SET(rec->type, RECORD_XATTR, RECORD_DATA))
                r = flush_item(w, item, reterr);
        if (r >= 0 && is_object && w->depth > 0)
                r = enter_path(w, name, reterr);
        if (r < 0)
                return r;
        switch (rec->type) {
        case RECORD_DIRECTORY:
        case RECORD_FILE:
                return open_item(w, item, rec, reterr);
        case RECORD_LINK:
        case RECORD_HARD_LINK:
                r = take_link(w, rec, reterr);
                leave_name(w);
                return r;
        case RECORD_FIFO:
                r = take_fifo(w, rec, reterr);
                leave_name(w);
                return r;
        case RECORD_XATTR:
                return take_xattr(w, item, rec, name, reterr);
        case RECORD_DATA:
                return take_data(w, item, rec, reterr);
        case RECORD_ATTRIBUTES: /* are not sent by files */
                return bad_stream(reterr);
        default: /* RECORD_END: there is no other */
                item->is_file = false;
                w->depth--;
                leave_name(w);
                return 0;
        }
}

static int write_tree(Writer *w, Error *reterr) {
        Item item = { 0 };
        int r;
        do {
                char name[NAME_MAX + 1];
                Record rec;
                r = stream_get_record(&w->stream, &rec, name);
                if (r >= 0)
                        r = take_record(w, &item, &rec, name, reterr);
        } while (r >= 0 && w->depth > 0);
        if (item.entry)
                CALL(w->a, Fn_v_h, "archive_entry_free")(item.entry);
        return r;
}

int archive_add_filter(Archive *a, Error *reterr) {
        char function[64];
        if (!a->filter)
                return 0;
        (void) snprintf(function, sizeof(function), "archive_write_add_filter_%s",
                        a->filter); /* it fits */
        /* a warning: not built in, and another program would have to do it */
        return CALL(a, Fn_i_h, function)(a->handle) == 0 ? 0 : write_library_failed(a, reterr);
}

/* The library's own does not wait for a descriptor that is non-blocking. */
static ssize_t write_fd(void *handle, void *userdata, const void *bytes, size_t n) {
        const Archive *a = userdata;
        ssize_t k = 0;
        size_t done = 0;
        for (; k >= 0 && done<n; done += k> 0 ? (size_t) k : 0)
                k = fd_write_waiting(a->fd, (const char *) bytes + done, n - done);
        if (k < 0)
                CALL(a, Fn_v_his, "archive_set_error")(handle, (int) -k, "Write error");
        return k < 0 ? -1
                     : (ssize_t)
                               n; /* libarchive before 3.5.2 takes less for all of it at the end */
}

int archive_open_writer(Archive *a, int fd) {
        a->fd = fd;
        return CALL(a, Fn_i_hp_write, "archive_write_open")(a->handle, a, NULL, write_fd, NULL);
}

int archive_from_stream(Archive *a, int stream_fd, int archive_fd, const char *name,
                        TreeProgress *progress, Error *reterr) {
        _cleanup_free_ Writer *w = new0(Writer, 1);
        int r = w && stream_init(&w->stream, stream_fd) >= 0 ? 0 : error_oom(reterr);
        if (r < 0)
                return r;
        w->a = a;
        w->progress = progress;
        w->path_size = strlen(name);
        if (w->path_size >= NAME_MAX)
                w->path_size =
                        0; /* of the last component of a path that was opened: it is not so long */
        memcpy(w->path, name, w->path_size);
        const char *format = a->system ? "archive_write_set_format_pax"
                                       : "archive_write_set_format_pax_restricted";
        a->handle = CALL(a, Fn_p, "archive_write_new")();
        if (!a->handle)
                r = error_oom(reterr);
        else
                r = archive_add_filter(a, reterr);
        if (r >= 0 &&
            (CALL(a, Fn_i_h, format)(a->handle) < 0 ||
             CALL(a, Fn_i_hi, "archive_write_set_bytes_in_last_block")(a->handle, 1) < 0 ||
             archive_open_writer(a, archive_fd) < 0))
                r = write_failed(w, reterr);
        if (r >= 0)
                r = write_tree(w, reterr);
        if (r >= 0 && CALL(a, Fn_i_h, "archive_write_close")(a->handle) < 0)
                r = write_failed(w, reterr);
        if (a->handle)
                (void) CALL(a, Fn_i_h, "archive_write_free")(a->handle);
        a->handle = NULL;
        stream_done(&w->stream);
        tree_progress_finish(progress);
        return r < 0 && !error_is_set(reterr) ? error_set_errno(reterr, r, ERROR_FAILED,
                                                                "Writing the archive was given up")
                                              : r;
}
