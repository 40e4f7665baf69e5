/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The care of images: what image/image-work.h does, in a process that can take its time, be given up by its caller, and end in the middle.
 *
 * Nothing of an image is executed, and no container is joined. Files that are read are looked at before they are opened: only regular ones are. */
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "basic/env-file.h"
#include "basic/fd.h"
#include "basic/id.h"
#include "basic/path.h"
#include "basic/strv.h"
#include "image/image-work.h"
#include "image/snapshot.h"
#include "sys/resolve.h"
#include "sys/tree-stream.h"
#include "worker/worker.h"

#define HOST_IMAGE ".host"
#define FILE_MAX (64U << 10)
#define HOSTNAME_FILE_MAX 4096U
#define CHANGES_PIECE (64U << 10) /* bytes that are written at a time */
#define LOOK_EVERY 64U            /* files: how often is looked whether the caller is gone */

typedef struct Work {
        TreeProgress progress;
        ImagePool pool;
        unsigned n;
} Work;

static int tick(void *userdata, uint64_t files, uint64_t bytes) {
        Work *k = userdata;
        struct pollfd p = { .fd = WORKER_LINK_FD };
        tree_progress_add(&k->progress, files, bytes);
        if (files > 0 && k->n++ % LOOK_EVERY > 0)
                return 0;
        return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)) ? -ECANCELED : 0;
}

static void begin(const Worker *w, Work *k) {
        const bool wanted = w->request.operation.flags & OPERATION_PROGRESS;
        struct rlimit limit;
        *k = (Work){ .progress = { .fd = wanted ? STDERR_FILENO : -EBADF } };
        k->pool = (ImagePool){ .tick = tick, .userdata = k };
        if (getrlimit(RLIMIT_NOFILE, &limit) == 0) { /* trees may be deep */
                limit.rlim_cur = limit.rlim_max;
                (void) setrlimit(RLIMIT_NOFILE, &limit); /* else they must be less so */
        }
}

static int answered(int r, const Worker *w, Error *reterr) {
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED, "Answering for '%s' failed",
                                       w->request.name)
                     : 0;
}

static int answer_text(const Worker *w, StrBuf *b, Error *reterr) {
        return answered(
                b->failed ? -ENOMEM
                          : worker_answer(WORKER_LINK_FD, strempty(b->text), b->size, NULL, 0),
                w, reterr);
}

/* In a file, for it may be long. */
static int answer_file(const Worker *w, StrBuf *b, Error *reterr) {
        _cleanup_close_ int fd =
                b->failed ? -ENOMEM : memfd_new_sealed("berth-images", strempty(b->text), b->size);
        return answered(fd < 0 ? fd : worker_answer(WORKER_LINK_FD, "", 0, &fd, 1), w, reterr);
}

/* ---- looking ---- */

static int find(const char *name, Image **ret, Error *reterr) {
        if (!streq(name, HOST_IMAGE))
                return image_lookup(NULL, name, ret, reterr);
        int r = image_lookup((char *[]){ (char *) "/", NULL }, "usr", ret, reterr);
        if (r < 0)
                return r;
        Image *i = *ret;
        if (free_and_strdup(&i->name, HOST_IMAGE) < 0 || free_and_strdup(&i->path, "/") < 0 ||
            free_and_strdup(&i->entry, "/") < 0 || stat("/", &i->st) < 0)
                return error_oom(reterr);
        i->kind = IMAGE_DIRECTORY;
        i->vendor = i->link = false;
        return 0;
}

static void add_string(StrBuf *b, const char *s) {
        strbuf_add_bytes(b, s, strlen(s) + 1);
}

static void add_number(StrBuf *b, uint64_t n) {
        strbuf_addf(b, "%" PRIu64, n);
        strbuf_add_bytes(b, "", 1);
}

static void add_row(StrBuf *b, Image *i) {
        image_read_details(i);
        add_string(b, i->name);
        add_string(b, image_kind_to_string(i->kind));
        add_string(b, i->path);
        add_string(b, i->read_only ? "yes" : "no");
        add_number(b, i->birth_usec);
        add_number(b, i->modified_usec);
        add_number(b, i->usage);
        add_number(b, i->usage_exclusive);
        add_number(b, i->limit);
        add_number(b, i->limit_exclusive);
}

int operation_image_list(Worker *w, Error *reterr) {
        const OperationRequest *q = &w->request.operation;
        _cleanup_(image_list_done) ImageList l = { 0 };
        _cleanup_(image_freep) Image *one = NULL;
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        const bool is_list = q->type == OPERATION_IMAGE_LIST;
        int r = is_list ? image_enumerate(NULL, q->flags & OPERATION_ALL, &l, reterr)
                        : find(w->request.name, &one, reterr);
        if (r >= 0 && is_list && (q->flags & OPERATION_WITH_HOST))
                r = find(HOST_IMAGE, &one, reterr);
        if (r < 0)
                return r;
        for (size_t k = 0; k < l.n; k++)
                add_row(&b, l.images[k]);
        if (one)
                add_row(&b, one);
        return answer_file(w, &b, reterr);
}

int operation_image_measure(Worker *w, Error *reterr) {
        _cleanup_(image_freep) Image *i = NULL;
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        ImageUsage u;
        Work k;
        begin(w, &k);
        int r = image_lookup(NULL, w->request.name, &i, reterr);
        if (r >= 0)
                r = image_measure(&k.pool, i, &u, reterr);
        if (r < 0)
                return r;
        strbuf_addf(&b, "%" PRIu64 " %" PRIu64 " %" PRIu64, u.files, u.bytes, u.disk);
        return answer_text(w, &b, reterr);
}

/* ---- what it says of itself ---- */

/* A hostile image has devices and pipes where files are expected: they are not opened. */
static int read_file(int root_fd, const char *path, size_t limit, char **ret) {
        struct stat st;
        char again[32];
        _cleanup_close_ int pin = resolve_in_root(root_fd, path, O_PATH);
        if (pin < 0)
                return pin;
        if (fstat(pin, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        (void) snprintf(again, sizeof(again), "/proc/self/fd/%d", pin); /* it fits */
        return file_read_all(AT_FDCWD, again, limit, ret, NULL);
}

static void add_field(StrBuf *b, char tag, const char *value) {
        if (!utf8_is_valid(value, strlen(value))) /* D-Bus cannot carry it */
                return;
        strbuf_add_bytes(b, &tag, 1);
        add_string(b, value);
}

static void add_fields(StrBuf *b, char tag, int root_fd, const char *const *paths, size_t n) {
        _cleanup_free_ char *text = NULL;
        _cleanup_strv_free_ char **fields = NULL;
        int r = -ENOENT;
        for (size_t i = 0; r == -ENOENT && i < n; i++)
                r = read_file(root_fd, paths[i], FILE_MAX, &text);
        if (r < 0 || env_file_parse(text, &fields) < 0)
                return; /* then it does not say */
        STRV_FOREACH(f, fields)
                add_field(b, tag, *f);
}

static void add_host_name(StrBuf *b, int root_fd) {
        _cleanup_free_ char *text = NULL;
        if (read_file(root_fd, "/etc/hostname", HOSTNAME_FILE_MAX, &text) < 0)
                return;
        for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
                line = strstrip(line);
                if (line[0] == '\0' || line[0] == '#')
                        continue;
                if (hostname_is_valid(line))
                        add_field(b, 'h', line);
                return;
        }
}

static void add_machine_id(StrBuf *b, int root_fd) {
        _cleanup_free_ char *text = NULL;
        char digits[ID128_STRING_MAX];
        Id128 id;
        if (read_file(root_fd, "/etc/machine-id", HOSTNAME_FILE_MAX, &text) >= 0 &&
            id128_parse(strstrip(text), &id) >= 0)
                add_field(b, 'i', id128_to_string(id, digits));
}

int operation_image_identity(Worker *w, Error *reterr) {
        static const char *const os_release[] = { "/etc/os-release", "/usr/lib/os-release" },
                                 *const machine_info[] = { "/etc/machine-info" };
        _cleanup_(image_freep) Image *i = NULL;
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        int r = find(w->request.name, &i, reterr);
        if (r < 0)
                return r;
        if (!image_is_tree(i))
                return error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                                 "Image '%s' is no directory, and cannot be looked into yet",
                                 i->name);
        _cleanup_close_ int root_fd = open(i->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root_fd < 0)
                return error_set_errno(reterr, -errno, ERROR_FAILED, "Opening image '%s' failed",
                                       i->name);
        add_host_name(&b, root_fd);
        add_machine_id(&b, root_fd);
        add_fields(&b, 'm', root_fd, machine_info, ELEMENTSOF(machine_info));
        add_fields(&b, 'o', root_fd, os_release, ELEMENTSOF(os_release));
        return answer_text(w, &b, reterr);
}

/* ---- changing ---- */

int operation_image_change(Worker *w, Error *reterr) {
        const OperationRequest *q = &w->request.operation;
        const bool read_only = q->flags & OPERATION_READ_ONLY,
                   is_pool = q->type == OPERATION_IMAGE_LIMIT && isempty(w->request.name);
        _cleanup_(image_freep) Image *i = NULL;
        _cleanup_(strbuf_done) StrBuf nothing = { 0 };
        Work k;
        begin(w, &k);
        int r = is_pool ? 0 : image_lookup(NULL, w->request.name, &i, reterr);
        if (r < 0)
                return r;
        switch (q->type) {
        case OPERATION_IMAGE_CLONE:
                r = image_clone(&k.pool, i, strempty(q->destination), read_only, reterr);
                break;
        case OPERATION_IMAGE_RENAME:
                r = image_rename(&k.pool, i, strempty(q->destination), reterr);
                break;
        case OPERATION_IMAGE_REMOVE:
                r = image_remove(&k.pool, i, reterr);
                break;
        case OPERATION_IMAGE_MARK:
                r = image_mark_read_only(&k.pool, i, read_only, reterr);
                break;
        default:
                r = image_set_limit(&k.pool, i, q->size, reterr);
        }
        if (r < 0)
                return r;
        tree_progress_finish(&k.progress);
        return answer_text(w, &nothing, reterr);
}

static int on_removed(void *userdata, const char *name, uint64_t bytes) {
        StrBuf *b = userdata;
        strbuf_addf(b, "%" PRIu64 " %s", bytes, name);
        strbuf_add_bytes(b, "", 1);
        return b->failed ? -ENOMEM : 0;
}

int operation_image_clean(Worker *w, Error *reterr) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        Work k;
        begin(w, &k);
        int r = image_clean(&k.pool,
                            w->request.operation.flags & OPERATION_ALL ? CLEAN_ALL : CLEAN_HIDDEN,
                            on_removed, &b, reterr);
        return r < 0 ? r : answer_file(w, &b, reterr);
}

/* ---- snapshots ---- */

static int add_snapshots(StrBuf *b, const Image *i, Error *reterr) {
        _cleanup_(snapshot_list_done) SnapshotList l = { 0 };
        int r = snapshot_list(i, &l, reterr);
        for (size_t k = 0; k < l.n; k++) {
                const Snapshot *s = l.snapshots + k;
                add_string(b, i->name);
                add_string(b, s->name);
                add_string(b, s->named ? "yes" : "no");
                add_number(b, s->taken_usec);
                add_string(b, image_kind_to_string(s->kind));
                add_number(b, s->usage);
                add_string(b, s->path);
        }
        return r;
}

int operation_snapshot_list(Worker *w, Error *reterr) {
        _cleanup_(image_list_done) ImageList l = { 0 };
        _cleanup_(image_freep) Image *one = NULL;
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        const bool all = isempty(w->request.name);
        int r = all ? image_enumerate(NULL, /* hidden= */ true, &l, reterr)
                    : image_lookup(NULL, w->request.name, &one, reterr);
        for (size_t k = 0; r >= 0 && k < l.n; k++)
                r = add_snapshots(&b, l.images[k], reterr);
        if (r >= 0 && one)
                r = add_snapshots(&b, one, reterr);
        return r < 0 ? r : answer_file(w, &b, reterr);
}

int operation_snapshot_change(Worker *w, Error *reterr) {
        const OperationRequest *q = &w->request.operation;
        const char *name = isempty(q->destination) ? NULL : q->destination;
        _cleanup_(image_freep) Image *i = NULL;
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        _cleanup_free_ char *answer = NULL;
        Work k;
        begin(w, &k);
        int r = image_lookup(NULL, w->request.name, &i, reterr);
        if (r < 0)
                return r;
        switch (q->type) {
        case OPERATION_SNAPSHOT_MAKE:
                r = snapshot_make(&k.pool, i, name, q->flags & OPERATION_FORCE, &answer, reterr);
                break;
        case OPERATION_SNAPSHOT_ROLL_BACK:
                r = snapshot_roll_back(&k.pool, i, strempty(name), &answer, reterr);
                break;
        default:
                r = snapshot_remove(&k.pool, i, strempty(name), reterr);
        }
        if (r < 0)
                return r;
        strbuf_add(&b, strempty(answer));
        tree_progress_finish(&k.progress);
        return answer_text(w, &b, reterr);
}

int operation_snapshot_prune(Worker *w, Error *reterr) {
        const OperationRequest *q = &w->request.operation;
        const SnapshotLimits limits = { .keep = q->size, .max_age = q->age_usec };
        _cleanup_(image_freep) Image *i = NULL;
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        Work k;
        begin(w, &k);
        int r = image_lookup(NULL, w->request.name, &i, reterr);
        if (r >= 0)
                r = snapshot_prune(&k.pool, i, &limits, on_removed, &b, reterr);
        return r < 0 ? r : answer_file(w, &b, reterr);
}

static char kind_letter(mode_t mode) {
        switch (mode & S_IFMT) {
        case S_IFDIR:
                return 'd';
        case S_IFLNK:
                return 'l';
        case S_IFBLK:
                return 'b';
        case S_IFCHR:
                return 'c';
        case S_IFIFO:
                return 'p';
        case S_IFSOCK:
                return 's';
        default:
                return 'f';
        }
}

/* Changes on their way to a file that grows; in text what is not in it yet. */
typedef struct Changes {
        int fd;
        bool all;
        uint64_t n, written;
        StrBuf text;
} Changes;

static int write_changes(Changes *c) {
        int r = c->text.failed ? -ENOMEM
                               : fd_write_full(c->fd, strempty(c->text.text), c->text.size);
        c->written += c->text.size;
        c->text.size = 0;
        return r;
}

static int on_change(void *userdata, char change, const char *path, mode_t mode) {
        Changes *c = userdata;
        _cleanup_free_ char *safe = c->all ? NULL : str_escape_for_display(path);
        const char letters[] = { change, kind_letter(mode) };
        if (!c->all && !safe)
                return -ENOMEM;
        strbuf_add_bytes(&c->text, letters, sizeof(letters));
        add_string(&c->text, safe ?: path);
        const uint64_t size = c->written + c->text.size;
        if (c->all ? size > CHANGES_SIZE_MAX
                   : ++c->n > CHANGES_MESSAGE_MAX || size > CHANGES_MESSAGE_SIZE_MAX)
                return -E2BIG;
        return c->text.size < CHANGES_PIECE ? 0 : write_changes(c);
}

static int answer_changes(const Worker *w, Changes *c, Error *reterr) {
        int r = write_changes(c);
        if (r >= 0)
                r = memfd_seal(c->fd);
        return answered(r < 0 ? r : worker_answer(WORKER_LINK_FD, "", 0, &c->fd, 1), w, reterr);
}

int operation_snapshot_compare(Worker *w, Error *reterr) {
        const OperationRequest *q = &w->request.operation;
        _cleanup_(image_freep) Image *i = NULL;
        _cleanup_close_ int fd = memfd_new("berth-changes");
        Changes c = { .fd = fd, .all = q->flags & OPERATION_ALL };
        Work k;
        begin(w, &k);
        int r = fd < 0 ? answered(fd, w, reterr) : image_lookup(NULL, w->request.name, &i, reterr);
        if (r >= 0)
                r = snapshot_compare(&k.pool, i, isempty(q->destination) ? NULL : q->destination,
                                     on_change, &c, reterr);
        if (r == -E2BIG && !c.all)
                error_hint(reterr, "'berth diff' on the system itself lists them all");
        r = r < 0 ? r : answer_changes(w, &c, reterr);
        strbuf_done(&c.text);
        return r;
}
