/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The snapshots of an image that was renamed: from the directory of its old name to that of the new one.
 *
 * One renameat2(NOREPLACE), unless there are snapshots under the new name already: somebody was killed in between, and the image has got more since. Then they
 * are moved one by one, each under a name that is free; at the end all are made read-only, and the old directory is removed. Nothing else is. Who is killed
 * meanwhile does it again. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "basic/strv.h"
#include "image/snapshot.h"

#define NAMES_TRIES 120U

typedef struct Move {
        int from_fd, to_fd;
        SnapshotList from;
        char **taken; /* names of those that are there */
} Move;

static void move_done(Move *m) {
        fd_close(m->from_fd);
        fd_close(m->to_fd);
        snapshot_list_done(&m->from);
        strv_free(m->taken);
}

/* Those in PLACE/.#snapshots/ENTRY. */
static int list_in(const char *directory, SnapshotList *ret) {
        _cleanup_free_ char *all = NULL, *place = NULL, *entry = NULL;
        const char *name = path_last_component(directory);
        if (path_extract_directory(directory, &all) < 0 ||
            path_extract_directory(all, &place) < 0 || !(entry = path_join(place, name)))
                return -ENOMEM;
        return snapshot_list(&(Image){ .name = (char *) name, .entry = entry }, ret, NULL);
}

static int open_entry(int directory_fd, const char *file) {
        return openat(directory_fd, file,
                      O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
}

/* What is read-only is not moved to another directory. */
static void unseal(int fd, ImageKind kind) {
        if (kind == IMAGE_DIRECTORY || kind == IMAGE_SUBVOLUME)
                (void) image_set_fd_read_only(fd, kind, false); /* the rename will tell */
}

static void seal(int fd) {
        (void) snapshot_seal_before(fd); /* is tried again, as long as there is something to move */
        snapshot_seal_behind(fd);
}

/* The n-th that is tried: a later second, or another number behind. */
static int try_name(const Snapshot *s, unsigned n, char **ret_name, char **ret_file) {
        const char *suffix = s->kind == IMAGE_RAW ? ".raw" : "";
        char text[SNAPSHOT_TIME_SIZE];
        snapshot_format_time(s->taken_usec + (s->named ? 0 : n * USEC_PER_SEC), text);
        *ret_name = !s->named ? strdup(text)
                    : n == 0  ? strdup(s->name)
                              : strf("%.*s-%u", (int) SNAPSHOT_NAME_MAX - 4, s->name, n + 1);
        *ret_file = !*ret_name ? NULL
                    : s->named ? strjoin(text, ".", *ret_name, suffix)
                               : strjoin(text, suffix);
        return *ret_file ? 0 : -ENOMEM;
}

static bool is_name_of_other(const Move *m, const Snapshot *s, const char *name) {
        bool found = strv_contains(m->taken, name);
        for (size_t k = 0; !found && k < m->from.n; k++)
                found = m->from.snapshots + k != s && streq(m->from.snapshots[k].name, name);
        return found;
}

static int rename_free(Move *m, const Snapshot *s) {
        const char *old = path_last_component(s->path);
        for (unsigned n = 0; n < NAMES_TRIES; n++) {
                _cleanup_free_ char *name = NULL, *file = NULL;
                int r = try_name(s, n, &name, &file);
                if (r < 0)
                        return r;
                if (n > 0 ? is_name_of_other(m, s, name) : strv_contains(m->taken, name))
                        continue;
                if (renameat2(m->from_fd, old, m->to_fd, file, RENAME_NOREPLACE) >= 0)
                        return strv_consume(&m->taken, TAKE_PTR(name));
                if (errno != EEXIST)
                        return -errno;
        }
        return -EEXIST;
}

static int move_snapshot(Move *m, const Snapshot *s) {
        _cleanup_close_ int fd = open_entry(m->from_fd, path_last_component(s->path));
        if (fd < 0)
                return -errno;
        unseal(fd, s->kind);
        int r = rename_free(m, s);
        seal(fd);
        return r;
}

/* What others have put there goes with them; what somebody was killed over stays until it is at its end. */
static int move_others(Move *m, const char *from) {
        int r = 0;
        DIR *d = opendir(from);
        if (!d)
                return -errno;
        for (struct dirent *e; (e = readdir(d));)
                if (!startswith(e->d_name, ".#") && !streq(e->d_name, ".") &&
                    !streq(e->d_name, "..") &&
                    renameat2(m->from_fd, e->d_name, m->to_fd, e->d_name, RENAME_NOREPLACE) < 0)
                        r = -errno;
        (void) closedir(d); /* was only read */
        return r;
}

/* Also of who was killed before he came to it. */
static int seal_all(const Move *m, const char *to) {
        _cleanup_(snapshot_list_done) SnapshotList l = { 0 };
        int r = list_in(to, &l);
        for (size_t k = 0; r >= 0 && k < l.n; k++) {
                _cleanup_close_ int fd =
                        open_entry(m->to_fd, path_last_component(l.snapshots[k].path));
                if (fd >= 0) /* it may be removed meanwhile */
                        seal(fd);
        }
        return r;
}

static int merge(const char *from, const char *to) {
        const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
        _cleanup_(snapshot_list_done) SnapshotList there = { 0 };
        _cleanup_(move_done) Move m = { .from_fd = open(from, flags), .to_fd = open(to, flags) };
        if (m.from_fd < 0 || m.to_fd < 0)
                return -errno;
        int r = list_in(from, &m.from), failed = 0;
        if (r >= 0)
                r = list_in(to, &there);
        for (size_t k = 0; r >= 0 && k < there.n; k++)
                r = strv_extend(&m.taken, there.snapshots[k].name);
        if (r < 0)
                return r;
        for (size_t k = 0; k < m.from.n; k++) { /* as many as can be */
                r = move_snapshot(&m, m.from.snapshots + k);
                failed = r < 0 ? r : failed;
        }
        r = failed < 0 ? failed : move_others(&m, from);
        if (r >= 0)
                r = seal_all(&m, to);
        if (r < 0)
                return r;
        (void) fsync(m.to_fd); /* some file systems cannot promise more */
        return rmdir(from) < 0 ? -errno : 0;
}

int snapshots_move(const char *from, const char *to) {
        struct stat st;
        if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) >= 0)
                return 0;
        int r = -errno;
        if (r == -ENOENT)
                return lstat(from, &st) < 0 && errno == ENOENT ? 0 : r; /* there are none */
        return IN_SET(r, -EEXIST, -ENOTEMPTY) ? merge(from, to) : r;
}
