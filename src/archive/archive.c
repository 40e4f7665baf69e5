/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Archives by libarchive(3): the library, and reading. */
#include "archive/archive-library.h"

#include <stdio.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/path.h"
#include "basic/str.h"
#include "sys/tree-stream.h"

#define LIBRARY "libarchive.so.13"
#define BLOCK_SIZE (256U << 10)

static const char *const names[] = {
        "archive_error_string",
        "archive_errno",
        "archive_read_new",
        "archive_read_support_format_tar",
        "archive_read_support_filter_gzip",
        "archive_read_support_filter_bzip2",
        "archive_read_support_filter_xz",
        "archive_read_support_filter_zstd",
        "archive_read_support_format_raw",
        "archive_read_support_format_empty",
        "archive_read_open",
        "archive_set_error",
        "archive_read_data",
        "archive_read_header_position",
        "archive_filter_bytes",
        "archive_read_next_header",
        "archive_read_data_block",
        "archive_read_free",
        "archive_write_new",
        "archive_write_set_format_pax_restricted",
        "archive_write_set_format_pax",
        "archive_write_set_format_raw",
        "archive_write_add_filter_gzip",
        "archive_write_add_filter_bzip2",
        "archive_write_add_filter_xz",
        "archive_write_add_filter_zstd",
        "archive_write_set_bytes_in_last_block",
        "archive_write_open",
        "archive_write_header",
        "archive_write_data",
        "archive_write_close",
        "archive_write_free",
        "archive_entry_new",
        "archive_entry_free",
        "archive_entry_pathname",
        "archive_entry_symlink",
        "archive_entry_hardlink",
        "archive_entry_filetype",
        "archive_entry_perm",
        "archive_entry_uid",
        "archive_entry_gid",
        "archive_entry_size",
        "archive_entry_mtime",
        "archive_entry_mtime_nsec",
        "archive_entry_xattr_reset",
        "archive_entry_xattr_next",
        "archive_entry_set_pathname",
        "archive_entry_set_symlink",
        "archive_entry_set_hardlink",
        "archive_entry_set_filetype",
        "archive_entry_set_perm",
        "archive_entry_set_uid",
        "archive_entry_set_gid",
        "archive_entry_set_size",
        "archive_entry_set_mtime",
        "archive_entry_xattr_add_entry",
        "archive_entry_acl_reset",
        "archive_entry_acl_next",
        "archive_entry_acl_add_entry",
};

void archive_done(Archive *a) {
        if (a->locale) {
                (void) uselocale(LC_GLOBAL_LOCALE); /* returns the one before */
                freelocale(a->locale);
        }
        if (a->library)
                (void) dlclose(a->library);
        free(a->block);
        *a = (Archive){ 0 };
}

int archive_open_library(Archive *a, Error *reterr) {
        a->library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
        bool complete = a->library;
        for (size_t i = 0; complete && i < ELEMENTSOF(names); i++)
                complete = dlsym(a->library, names[i]);
        if (!complete) {
                int r = error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                                  "Archives cannot be read and written here: %s is not installed",
                                  LIBRARY);
                error_hint(reterr, "install libarchive (Debian: libarchive13)");
                return r;
        }
        /* else names beyond ASCII may not be understood */
        a->locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t) 0);
        if (a->locale)
                (void) uselocale(a->locale); /* returns the one before */
        return 0;
}

int archive_library_failed(const Archive *a, const char *what, Error *reterr) {
        const char *why = a->handle ? CALL(a, Fn_s_h, "archive_error_string")(a->handle) : NULL;
        const int code = a->handle ? CALL(a, Fn_i_h, "archive_errno")(a->handle) : 0;
        /* of some damages the library says nothing */
        _cleanup_free_ char *shown = str_escape_for_display(why
                                                                    ?: a->handle ? "it is damaged"
                                                                                 : "out of memory");
        const char *quote = a->file ? "'" : "";
        /* these are the library's own; of others it says only that they happened */
        const bool own = code <= 0 || IN_SET(code, EILSEQ, EINVAL, ERANGE);
        int r = error_set(reterr, -EBADMSG, ERROR_FAILED, "%s %s%s%s failed: %s", what, quote,
                          a->file ?: "the archive", quote,
                          own ? strempty(shown) : strempty(strerrordesc_np(code)));
        if (a->handle && own && !streq(what, "Writing")) /* it is cut, or damaged */
                error_hint(reterr, "copy or download it again");
        if (code == ENOMEM && !streq(what, "Writing"))
                error_hint(reterr, "unpacking it takes more memory than an image may; compress it "
                                   "with a smaller dictionary, or window");
        return r;
}

static int open_failed(const Archive *a, Error *reterr) {
        const char *quote = a->file ? "'" : "", *file = a->file ?: "The input";
        /* neither a format nor a filter takes the beginning for its own */
        if (CALL(a, Fn_i_h, "archive_errno")(a->handle) == EILSEQ)
                return error_set(reterr, -EBADMSG, ERROR_FAILED,
                                 "%s%s%s is no tar archive, or is compressed in a way that is not "
                                 "known (gzip, bzip2, xz and zstd are)",
                                 quote, file, quote);
        if (CALL(a, Fn_s_h, "archive_error_string")(a->handle))
                return archive_library_failed(a, "Opening", reterr);
        /* what a filter said of the beginning is lost */
        int r = error_set(reterr, -EBADMSG, ERROR_FAILED,
                          "%s%s%s is damaged, or a part of it is missing", quote, file, quote);
        error_hint(reterr, "copy or download it again");
        return r;
}

/* ---- from an archive ---- */

typedef struct Reader {
        Archive *a;
        Stream stream;
        TreeProgress *progress;
        bool begun; /* the top was sent */
        char open
                [PATH_MAX]; /* the directory below it that is open in the stream; "": the top itself */
} Reader;

static int put_directory(Reader *v, uint32_t flags, const struct stat *st, const char *name) {
        return stream_put_record_flags(&v->stream, RECORD_DIRECTORY, flags, st, name, 0);
}

static int begin(Reader *v, const struct stat *st) {
        const struct stat usual = { .st_mode = 0755, .st_mtim = { .tv_sec = time(NULL) } };
        if (v->begun)
                return 0;
        v->begun = true;
        return put_directory(v, 0, st ?: &usual, "");
}

/* Has the directory `path` ("": the top) open in the stream, and no other below it. */
static int move_to(Reader *v, const char *path) {
        const struct stat usual = { .st_mode = 0755, .st_mtim = { .tv_sec = time(NULL) } };
        char name[NAME_MAX + 1];
        int r = begin(v, NULL);
        /* up */
        while (r >= 0 && v->open[0] && !path_startswith(path, v->open)) {
                char *slash = strrchr(v->open, '/');
                *(slash ?: v->open) = '\0';
                r = stream_put_record(&v->stream, RECORD_END, NULL, "", 0, 0);
        }
        /* and down */
        const char *rest = path + strlen(v->open);
        for (rest += strspn(rest, "/"); r >= 0 && *rest; rest += strspn(rest, "/")) {
                const size_t n = strcspn(rest, "/");
                if (n > NAME_MAX)
                        return -ENAMETOOLONG;
                memcpy(name, rest, n);
                name[n] = '\0';
                rest += n;
                r = put_directory(v, RECORD_MAY_EXIST | RECORD_NO_ATTRIBUTES, &usual, name);
                memcpy(v->open, path, (size_t) (rest - path));
                v->open[rest - path] = '\0';
        }
        return r;
}

/* "/a//./b/" is "a/b" (below the top), "." is "". -EPERM: it leads out. */
static int clean_path(const char *path, char **ret) {
        _cleanup_free_ char *simple = path_simplify(path);
        if (!simple)
                return -ENOMEM;
        const char *p = simple + (simple[0] == '/');
        if (streq(p, "."))
                p = "";
        if (strlen(p) >= PATH_MAX)
                return -ENAMETOOLONG;
        if (p[0] && !path_is_normalized(p))
                return -EPERM;
        *ret = strdup(p);
        return *ret ? 0 : -ENOMEM;
}

static int put_acl(Reader *v, void *entry, bool of_default) {
        _cleanup_free_ void *value = NULL;
        size_t size = 0;
        int r = archive_acl_get(v->a, entry, of_default, &value, &size);
        if (r <= 0)
                return r;
        r = stream_put_record(&v->stream, RECORD_XATTR, NULL,
                              of_default ? "system.posix_acl_default" : "system.posix_acl_access",
                              size, 0);
        return r < 0 ? r : stream_put(&v->stream, value, size);
}

static int put_xattrs(Reader *v, void *entry) {
        const char *name;
        const void *value;
        size_t size;
        (void) CALL(v->a, Fn_i_h, "archive_entry_xattr_reset")(entry);
        while (CALL(v->a, Fn_i_hspz, "archive_entry_xattr_next")(entry, &name, &value, &size) ==
               0) {
                /* access lists have a form of their own in archives, and stay out */
                if (!name || size > XATTR_VALUE_MAX || startswith(name, "system.") ||
                    !tree_takes_xattr(name) || strlen(name) > NAME_MAX)
                        continue;
                int r = stream_put_record(&v->stream, RECORD_XATTR, NULL, name, size, 0);
                if (r >= 0)
                        r = stream_put(&v->stream, value, size);
                if (r < 0)
                        return r;
        }
        int r = put_acl(v, entry, false);
        return r < 0 ? r : put_acl(v, entry, true);
}

static int put_blocks(Reader *v, Error *reterr) {
        for (;;) {
                const void *block;
                size_t size;
                int64_t offset;
                int k = CALL(v->a, Fn_i_hppp, "archive_read_data_block")(v->a->handle, &block,
                                                                         &size, &offset);
                if (k == RESULT_EOF)
                        return 0;
                if (k < RESULT_WARN)
                        return archive_library_failed(v->a, "Reading", reterr);
                for (const char *p = block; size > 0;) {
                        const size_t n = MIN(size, (size_t) STREAM_BUFFER_SIZE);
                        int r = stream_put_record(&v->stream, RECORD_DATA, NULL, "", n,
                                                  (uint64_t) offset);
                        if (r >= 0)
                                r = stream_put(&v->stream, p, n);
                        if (r < 0)
                                return r;
                        tree_progress_add(v->progress, 0, n);
                        p += n;
                        size -= n;
                        offset += (int64_t) n;
                }
        }
}

static int put_target(Reader *v, RecordType type, const struct stat *st, const char *name,
                      const char *target) {
        int r = stream_put_record_flags(&v->stream, type, RECORD_MAY_EXIST, st, name,
                                        strlen(target));
        return r < 0 ? r : stream_put(&v->stream, target, strlen(target));
}

static int put_object(Reader *v, void *entry, const struct stat *st, const char *path,
                      Error *reterr) {
        const char *hard = CALL(v->a, Fn_s_h, "archive_entry_hardlink")(entry),
                   *target = CALL(v->a, Fn_s_h, "archive_entry_symlink")(entry);
        const char *name = path_last_component(path);
        _cleanup_free_ char *parent = NULL, *first = NULL;
        const bool fifo = v->a->system && S_ISFIFO(st->st_mode);
        if (!hard && !fifo && !S_ISREG(st->st_mode) && !S_ISLNK(st->st_mode) &&
            !S_ISDIR(st->st_mode)) {
                v->a->left_out++;
                return 0;
        }
        int r = strlen(name) > NAME_MAX ? -ENAMETOOLONG : path_extract_directory(path, &parent);
        if (r >= 0)
                r = move_to(v, streq(parent, ".") ? "" : parent);
        if (r < 0)
                return r;
        if (hard) {
                r = clean_path(hard, &first);
                return r < 0 ? r : put_target(v, RECORD_HARD_LINK, st, name, first);
        }
        if (fifo)
                return stream_put_record_flags(&v->stream, RECORD_FIFO, RECORD_MAY_EXIST, st, name,
                                               0);
        if (S_ISLNK(st->st_mode))
                return isempty(target) ? -EBADMSG : put_target(v, RECORD_LINK, st, name, target);
        if (S_ISDIR(st->st_mode)) {
                r = put_directory(v, RECORD_MAY_EXIST, st, name);
                memcpy(v->open, path, strlen(path) + 1);
                return r < 0 ? r : put_xattrs(v, entry);
        }
        r = stream_put_record_flags(&v->stream, RECORD_FILE, RECORD_MAY_EXIST, st, name,
                                    (uint64_t) st->st_size);
        if (r >= 0)
                r = put_blocks(v, reterr);
        if (r >= 0)
                r = put_xattrs(v, entry);
        return r < 0 ? r : stream_put_record(&v->stream, RECORD_END, NULL, "", 0, 0);
}

/* The top may come after what is in it. */
static int put_top(Reader *v, void *entry, const struct stat *st) {
        int r = v->begun ? move_to(v, "") : begin(v, st);
        if (r >= 0)
                r = stream_put_record(&v->stream, RECORD_ATTRIBUTES, st, "", 0, 0);
        return r < 0 ? r : put_xattrs(v, entry);
}

static int put_entry(Reader *v, void *entry, Error *reterr) {
        const Archive *a = v->a;
        const char *name = CALL(a, Fn_s_h, "archive_entry_pathname")(entry);
        const struct stat st = {
                .st_mode = CALL(a, Fn_u_h, "archive_entry_filetype")(entry) |
                           (CALL(a, Fn_u_h, "archive_entry_perm")(entry) & 07777),
                .st_uid = (uid_t) CALL(a, Fn_l_h, "archive_entry_uid")(entry),
                .st_gid = (gid_t) CALL(a, Fn_l_h, "archive_entry_gid")(entry),
                .st_size = CALL(a, Fn_l_h, "archive_entry_size")(entry),
                .st_mtim = { .tv_sec = CALL(a, Fn_l_h, "archive_entry_mtime")(entry),
                             .tv_nsec = CALL(a, Fn_long_h, "archive_entry_mtime_nsec")(entry) },
        };
        _cleanup_free_ char *path = NULL;
        const int64_t uid = CALL(a, Fn_l_h, "archive_entry_uid")(entry),
                      gid = CALL(a, Fn_l_h, "archive_entry_gid")(entry);
        if (v->a->system && (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)) {
                _cleanup_free_ char *odd = str_escape_for_display(strempty(name));
                return error_set(reterr, -ERANGE, ERROR_FAILED,
                                 "'%.200s' in the archive has an owner that cannot be",
                                 strempty(odd));
        }
        int r = name ? clean_path(name, &path) : -EBADMSG;
        if (r >= 0 && path[0] == '\0')
                r = S_ISDIR(st.st_mode) ? put_top(v, entry, &st) : -EPERM;
        else if (r >= 0)
                r = put_object(v, entry, &st, path, reterr);
        tree_progress_add(v->progress, 1, 0);
        if (r >= 0 || r == -EPIPE || error_is_set(reterr))
                return r;
        _cleanup_free_ char *shown = str_escape_for_display(name ?: "a name");
        if (r == -EPERM)
                return error_set(
                        reterr, r, ERROR_FAILED,
                        "'%.200s' in the archive leads out of the directory that it is for",
                        strempty(shown));
        return error_set_errno(reterr, r, ERROR_FAILED, "Reading '%.200s' in the archive failed",
                               strempty(shown));
}

/* An archive that was cut between two files would else look like one. */
static int check_end(const Archive *a, Error *reterr) {
        const int64_t begin = CALL(a, Fn_l_h, "archive_read_header_position")(a->handle),
                      end = CALL(a, Fn_l_hi, "archive_filter_bytes")(a->handle, 0);
        if (!a->system || begin < end)
                return 0;
        int r = error_set(reterr, -EBADMSG, ERROR_FAILED,
                          "The archive has no end: a part of it is missing");
        error_hint(reterr, "copy or download it again");
        return r;
}

static int read_archive(Reader *v, Error *reterr) {
        Archive *a = v->a;
        for (;;) {
                void *entry;
                int k = CALL(a, Fn_i_hp, "archive_read_next_header")(a->handle, (void *) &entry);
                if (k == RESULT_EOF)
                        break;
                if (k < 0 &&
                    k != RESULT_WARN) /* also what could be tried again: a wrong checksum */
                        return archive_library_failed(a, "Reading", reterr);
                int r = put_entry(v, entry, reterr);
                if (r < 0)
                        return r;
        }
        int r = check_end(a, reterr);
        if (r >= 0)
                r = move_to(v, "");
        return r < 0 ? r : stream_put_record(&v->stream, RECORD_END, NULL, "", 0, 0);
}

/* The library's own does not wait for a descriptor that is non-blocking. */
static ssize_t read_fd(void *handle, void *userdata, const void **ret_block) {
        const Archive *a = userdata;
        ssize_t n = fd_read_waiting(a->fd, a->block, BLOCK_SIZE);
        if (n < 0)
                CALL(a, Fn_v_his, "archive_set_error")(handle, (int) -n, "Read error");
        *ret_block = a->block;
        return n < 0 ? -1 : n;
}

int archive_open_reader(Archive *a, int fd, const char *const *formats, size_t n, Error *reterr) {
        static const char *const filters[] = {
                "archive_read_support_filter_gzip",
                "archive_read_support_filter_bzip2",
                "archive_read_support_filter_xz",
                "archive_read_support_filter_zstd",
        };
        a->fd = fd;
        if (!a->block)
                a->block = malloc(BLOCK_SIZE);
        a->handle = a->block ? CALL(a, Fn_p, "archive_read_new")() : NULL;
        if (!a->handle)
                return error_oom(reterr);
        for (size_t i = 0; i < ELEMENTSOF(filters); i++)
                (void) CALL(a, Fn_i_h, filters[i])(a->handle); /* one that is not built in */
        for (size_t i = 0; i < n; i++)
                (void) CALL(a, Fn_i_h, formats[i])(a->handle); /* all are */
        return CALL(a, Fn_i_hp_read, "archive_read_open")(a->handle, a, NULL, read_fd, NULL) < 0
                       ? open_failed(a, reterr)
                       : 0;
}

int archive_to_stream(Archive *a, int archive_fd, int stream_fd, TreeProgress *progress,
                      Error *reterr) {
        static const char *const formats[] = { "archive_read_support_format_tar" };
        Reader v = { .a = a, .progress = progress };
        int r = stream_init(&v.stream, stream_fd) < 0
                        ? error_oom(reterr)
                        : archive_open_reader(a, archive_fd, formats, ELEMENTSOF(formats), reterr);
        if (r >= 0)
                r = read_archive(&v, reterr);
        if (r < 0 && r != -EPIPE && v.stream.buffer) /* the end must not be taken for the end */
                (void) stream_put_record(&v.stream, RECORD_FAILED, NULL, "", 0, 0);
        int k = v.stream.buffer ? stream_flush(&v.stream) : 0;
        stream_done(&v.stream);
        if (a->handle)
                (void) CALL(a, Fn_i_h, "archive_read_free")(a->handle);
        a->handle = NULL;
        tree_progress_finish(progress);
        r = r < 0 ? r : k;
        return r < 0 && !error_is_set(reterr) ? error_set_errno(reterr, r, ERROR_FAILED,
                                                                "Reading the archive was given up")
                                              : r;
}
