/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records of a tree's stream, written and read through a buffer. */
#include "sys/tree-record.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/str.h"

#define PROGRESS_USEC (100 * USEC_PER_MSEC)

int stream_init(Stream *s, int fd) {
        *s = (Stream){ .fd = fd, .buffer = new0(char, STREAM_BUFFER_SIZE) };
        return s->buffer ? 0 : -ENOMEM;
}

void stream_done(Stream *s) {
        s->buffer = mfree(s->buffer);
}

/* ---- writing ---- */

int stream_flush(Stream *s) {
        int r = fd_write_full(s->fd, s->buffer, s->size);
        s->size = 0;
        return r;
}

int stream_put(Stream *s, const void *bytes, size_t n) {
        for (const char *p = bytes; n > 0;) {
                const size_t part = MIN(n, STREAM_BUFFER_SIZE - s->size);
                memcpy(s->buffer + s->size, p, part);
                s->size += part;
                p += part;
                n -= part;
                int r = s->size == STREAM_BUFFER_SIZE ? stream_flush(s) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

static int put(Stream *s, Record *rec, const struct stat *st, const char *name) {
        rec->name_size = (uint32_t) strlen(name);
        if (st) {
                rec->mode = st->st_mode & 07777;
                rec->uid = st->st_uid;
                rec->gid = st->st_gid;
                rec->mtime_sec = st->st_mtim.tv_sec;
                rec->mtime_nsec = (uint32_t) st->st_mtim.tv_nsec;
        }
        int r = stream_put(s, rec, sizeof(*rec));
        return r < 0 ? r : stream_put(s, name, rec->name_size);
}

int stream_put_record(Stream *s, RecordType type, const struct stat *st, const char *name,
                      uint64_t size, uint64_t offset) {
        Record rec = { .type = type, .size = size, .offset = offset };
        return put(s, &rec, st, name);
}

int stream_put_record_flags(Stream *s, RecordType type, uint32_t flags, const struct stat *st,
                            const char *name, uint64_t size) {
        Record rec = { .type = type, .flags = flags, .size = size };
        return put(s, &rec, st, name);
}

/* ---- reading ---- */

int stream_get(Stream *s, void *bytes, size_t n) {
        for (char *p = bytes; n > 0;) {
                if (s->size == 0) {
                        ssize_t k = read(s->fd, s->buffer, STREAM_BUFFER_SIZE);
                        if (k < 0 && errno == EINTR)
                                continue;
                        if (k <= 0)
                                return k < 0 ? -errno : -ECANCELED;
                        s->start = 0;
                        s->size = (size_t) k;
                }
                const size_t part = MIN(n, s->size);
                memcpy(p, s->buffer + s->start, part);
                s->start += part;
                s->size -= part;
                p += part;
                n -= part;
        }
        return 0;
}

int stream_get_record(Stream *s, Record *rec, char name[static NAME_MAX + 1]) {
        int r = stream_get(s, rec, sizeof(*rec));
        if (r < 0)
                return r;
        if (rec->type >= RECORD_FAILED || rec->name_size > NAME_MAX)
                return rec->type == RECORD_FAILED ? -ECANCELED : -EBADMSG;
        r = stream_get(s, name, rec->name_size);
        name[rec->name_size] = '\0';
        return r;
}

/* ---- names ---- */

bool is_path_component(const char *name) {
        return name[0] != '\0' && !strchr(name, '/') && !streq(name, ".") && !streq(name, "..");
}

bool tree_takes_xattr(const char *name) {
        static const char *const others[] = { "system.posix_acl_access", "system.posix_acl_default",
                                              "security.capability" };
        /* of file systems that are laid over others: what it means there, it does not mean here */
        if (startswith(name, "user."))
                return !startswith(name, "user.overlay.");
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                if (streq(name, others[i]))
                        return true;
        return false;
}

/* ---- progress ---- */

static void tell(const TreeProgress *p) {
        char text[80];
        int n = snprintf(text, sizeof(text), "%" PRIu64 " %" PRIu64, p->files, p->bytes);
        if (p->total > 0)
                n += snprintf(text + n, sizeof(text) - (size_t) n, " %" PRIu64, p->total);
        text[n++] = '\n';
        if (write(p->fd, text, (size_t) n) < 0)
                return; /* nobody listens any more, which is no reason to stop */
}

void tree_progress_add(TreeProgress *p, uint64_t files, uint64_t bytes) {
        if (!p || p->fd < 0)
                return;
        p->files += files;
        p->bytes += bytes;
        const usec_t now = now_usec(CLOCK_MONOTONIC);
        if (now - p->told_usec < PROGRESS_USEC)
                return;
        p->told_usec = now;
        tell(p);
}

void tree_progress_finish(TreeProgress *p) {
        if (p && p->fd >= 0)
                tell(p);
}
