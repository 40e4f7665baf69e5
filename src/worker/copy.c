/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copying between the host and a container, by two processes: one that has joined the container, with the rights of its root, and one
 * outside with the rights of the caller. A stream is between them, so no process ever has both sides in its hands, and no path of
 * one side can lead to the other.
 *
 * What is made gets its name when it is complete. */
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "archive/archive.h"
#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/id.h"
#include "basic/path.h"
#include "basic/str.h"
#include "sys/resolve.h"
#include "sys/tree-stream.h"
#include "worker/worker.h"

#define ID_MAP_MAX 4096
#define RANGES_MAX 16
#define NOBODY 65534U

typedef struct Copy {
        bool to_container, as_machined;
        const char *source, *destination;
        int pipe[2]; /* [0] is read from */
        struct TreeRange uids[RANGES_MAX], gids[RANGES_MAX];
        TreeOwners owners;
        int archive_fd; /* the host's side, instead of a path; -EBADF: there is none */
        TreeProgress progress;
} Copy;

/* ---- both sides ---- */

static int failed(int r, const char *what, const char *path, const char *where, Error *reterr) {
        r = error_set_errno(reterr, r, ERROR_FAILED, "%s '%s' %s failed", what, path, where);
        if (r == -EEXIST)
                error_hint(reterr, "choose another destination, or replace it with --force");
        if (r == -EBUSY)
                error_hint(
                        reterr,
                        "something is mounted there or below it, which is not replaced: choose another destination");
        if (r == -ELOOP)
                error_hint(reterr,
                           "are there too many links, or more than %d directories in each other?",
                           TREE_DEPTH_MAX);
        return r;
}

/* Links in the path are followed below the root that the process is in. */
static int open_source(const char *path) {
        struct stat st;
        _cleanup_close_ int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root_fd < 0)
                return -errno;
        _cleanup_close_ int pin = resolve_in_root(root_fd, path, O_PATH);
        if (pin < 0)
                return pin;
        /* a device or a pipe is not even opened */
        if (fstat(pin, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
                return -EINVAL;
        return resolve_in_root(root_fd, path, O_RDONLY | O_NONBLOCK);
}

/* As machined does. 1: it is a link, and was sent. */
static int send_link_itself(const Copy *c) {
        _cleanup_free_ char *parent = NULL, *path = path_simplify(c->source);
        struct stat st;
        if (!path)
                return -ENOMEM;
        const char *name = path_last_component(path);
        int r = path_extract_directory(path, &parent);
        _cleanup_close_ int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (r < 0 || root_fd < 0)
                return r < 0 ? r : -errno;
        _cleanup_close_ int parent_fd = resolve_in_root(root_fd, parent, O_PATH | O_DIRECTORY);
        if (parent_fd < 0 || isempty(name) ||
            fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISLNK(st.st_mode))
                return 0; /* what is wrong with it is told by the usual way */
        r = tree_send_link(c->pipe[1], parent_fd, name);
        return r < 0 ? r : 1;
}

static int send_side(Copy *c, const char *where, TreeProgress *progress, Error *reterr) {
        _cleanup_free_ char *name = NULL;
        c->pipe[0] = fd_close(c->pipe[0]);
        int r = c->as_machined ? send_link_itself(c) : 0;
        if (r == 0) {
                _cleanup_close_ int fd = open_source(c->source);
                r = fd < 0 ? fd : tree_send(c->pipe[1], fd, progress, &name);
        }
        c->pipe[1] = fd_close(c->pipe[1]);
        if (r == -EINVAL)
                return error_set(reterr, r, ERROR_UNSUPPORTED,
                                 "'%s' %s is neither a file nor a directory", c->source, where);
        if (r == -EPIPE) /* the other side tells why */
                return error_set(reterr, r, ERROR_FAILED, "Copying '%s' was given up", c->source);
        _cleanup_free_ char *shown = str_escape_for_display(name ?: c->source);
        return r < 0 ? failed(r, "Reading", strempty(shown), where, reterr) : 0;
}

static bool is_directory(int parent_fd, const char *name) {
        struct stat st;
        return fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) >= 0 && S_ISDIR(st.st_mode);
}

/* As by machined: a directory takes the place of an empty one. */
static int put_as_machined(int parent_fd, const char *temporary, const char *name) {
        if (!is_directory(parent_fd, temporary) || !is_directory(parent_fd, name))
                return 0;
        return renameat(parent_fd, temporary, parent_fd, name) < 0 ? -errno : 1;
}

/* Gives the finished copy its name. */
static int put_in_place(const Copy *c, int parent_fd, const char *temporary, const char *name,
                        bool replace) {
        if (renameat2(parent_fd, temporary, parent_fd, name, RENAME_NOREPLACE) >= 0)
                return 0;
        int r = -errno;
        if (r == -EEXIST && c->as_machined) {
                int k = put_as_machined(parent_fd, temporary, name);
                if (k > 0)
                        return 0;
                r = k < 0 ? k : r;
        }
        if (r == -EEXIST && replace) /* what cannot go as a whole stays as it is */
                r = tree_check_remove(parent_fd, name);
        if (r >= 0) {
                r = renameat2(parent_fd, temporary, parent_fd, name, RENAME_EXCHANGE) < 0 ? -errno
                                                                                          : 0;
                /* what was there has the other name now */
        }
        int k = tree_remove(parent_fd, temporary);
        return r < 0 ? r : k;
}

static int receive_into(Copy *c, uint64_t flags, TreeProgress *progress) {
        _cleanup_free_ char *parent = NULL, *path = path_simplify(c->destination);
        char temporary[64], id[ID128_STRING_MAX];
        struct stat st;
        Id128 random;
        if (!path)
                return -ENOMEM;
        const char *name = path_last_component(path);
        if (isempty(name) || streq(name, ".") || streq(name, ".."))
                return -EINVAL;
        int r = path_extract_directory(path, &parent);
        _cleanup_close_ int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (r < 0 || root_fd < 0)
                return r < 0 ? r : -errno;
        _cleanup_close_ int parent_fd =
                c->as_machined
                        ? resolve_in_root(root_fd, parent, O_PATH | O_DIRECTORY)
                        : resolve_make_mount_point(root_fd, parent, S_IFDIR, geteuid(), getegid());
        if (parent_fd < 0)
                return parent_fd;
        const bool replace = flags & OPERATION_REPLACE;
        if (!replace && !(c->as_machined && is_directory(parent_fd, name)) &&
            fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) >= 0)
                return -EEXIST;
        if (replace && c->as_machined && is_directory(parent_fd, name)) {
                c->owners.merge = true;
                return tree_receive(c->pipe[0], parent_fd, name, &c->owners, progress);
        }
        r = id128_random(&random);
        if (r < 0)
                return r;
        (void) snprintf(temporary, sizeof(temporary), ".berth-copy-%s",
                        id128_to_string(random, id));
        r = tree_receive(c->pipe[0], parent_fd, temporary, &c->owners, progress);
        return r < 0 ? r : put_in_place(c, parent_fd, temporary, name, replace);
}

static int receive_side(Copy *c, uint64_t flags, const char *where, TreeProgress *progress,
                        Error *reterr) {
        c->pipe[1] = fd_close(c->pipe[1]);
        int r = receive_into(c, flags, progress);
        c->pipe[0] = fd_close(c->pipe[0]);
        if (r == -ECANCELED) /* the other side tells why */
                return error_set(reterr, r, ERROR_FAILED, "Copying '%s' was given up", c->source);
        return r < 0 ? failed(r, "Writing", c->destination, where, reterr) : 0;
}

/* ---- outside ---- */

/* The lines of a map, from the host's numbers to the container's. */
static size_t read_map(pid_t pid, const char *file, struct TreeRange ranges[static RANGES_MAX]) {
        _cleanup_free_ char *text = NULL;
        char path[64];
        size_t n = 0;
        (void) snprintf(path, sizeof(path), "/proc/%d/%s", (int) pid, file);
        if (file_read_all(AT_FDCWD, path, ID_MAP_MAX, &text, NULL) < 0)
                return 0;
        for (const char *line = text; n < RANGES_MAX && line; line = strchr(line, '\n')) {
                line += *line == '\n';
                struct TreeRange *range = ranges + n;
                if (sscanf(line, "%u %u %u", &range->to, &range->from, &range->count) != 3)
                        break;
                n++;
        }
        return n;
}

static void choose_owners(const Worker *w, Copy *c) {
        c->owners.safe_modes = !c->to_container;
        c->owners.keep = c->to_container;
        /* the numbers in an archive are the container's */
        c->owners.mapped = (w->target.namespaces & CLONE_NEWUSER) && c->archive_fd < 0;
        c->owners.uids = c->uids;
        c->owners.gids = c->gids;
        if (c->owners.mapped) {
                c->owners.n_uids = read_map(w->leader.pid, "uid_map", c->uids);
                c->owners.n_gids = read_map(w->leader.pid, "gid_map", c->gids);
        }
}

/* The caller's rights and no others: what he cannot read is not copied, and what is made is his. */
static int become_caller(uid_t uid, Error *reterr) {
        if (uid == 0)
                return 0;
        const struct passwd *p = getpwuid(uid);
        if (!p || initgroups(p->pw_name, p->pw_gid) < 0 ||
            setresgid(p->pw_gid, p->pw_gid, p->pw_gid) < 0 || setresuid(uid, uid, uid) < 0)
                return error_set_errno(reterr, p ? -errno : -ESRCH, ERROR_ACCESS_DENIED,
                                       "Taking on the rights of user %u failed", uid);
        return 0;
}

/* An archive is read and written with no rights at all: all that it takes is open. */
static int become_nobody(Error *reterr) {
        const struct rlimit none = { 0, 0 };
        if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
            setrlimit(RLIMIT_NPROC, &none) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0 ||
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return error_set_errno(reterr, -errno, ERROR_SETUP_FAILED,
                                       "Giving all rights away failed");
        return 0;
}

static int archive_side(Copy *c, Error *reterr) {
        _cleanup_(archive_done) Archive a = { 0 };
        int r = archive_open_library(&a, reterr);
        if (r >= 0)
                r = become_nobody(reterr);
        if (r < 0)
                return r;
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL); /* the change of user has cleared it */
        int *other = c->pipe + (c->to_container ? 0 : 1);
        *other = fd_close(*other);
        return c->to_container
                       ? archive_to_stream(&a, c->archive_fd, c->pipe[1], &c->progress, reterr)
                       : archive_from_stream(&a, c->pipe[0], c->archive_fd,
                                             path_last_component(c->source), &c->progress, reterr);
}

/* ---- the two, and who looks after them ---- */

static int inside_task(Worker *w, int answer_fd, Error *reterr) {
        Copy *c = w->operation;
        int r = c->to_container ? receive_side(c, w->request.operation.flags, "in the container",
                                               NULL, reterr)
                                : send_side(c, "in the container", NULL, reterr);
        return r < 0 ? r : worker_answer(answer_fd, NULL, 0, NULL, 0);
}

static int path_side(const Worker *w, Copy *c, Error *reterr) {
        int r = become_caller(w->request.operation.uid, reterr);
        if (r < 0)
                return r;
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL); /* the change of user has cleared it */
        return c->to_container ? send_side(c, "on the host", &c->progress, reterr)
                               : receive_side(c, w->request.operation.flags, "on the host",
                                              &c->progress, reterr);
}

static int outside_task(Worker *w, int answer_fd, Error *reterr) {
        Copy *c = w->operation;
        int r = c->archive_fd >= 0 ? archive_side(c, reterr) : path_side(w, c, reterr);
        return r < 0 ? r : worker_answer(answer_fd, NULL, 0, NULL, 0);
}

typedef struct Side {
        PidRef process;
        int answer_fd;
        bool answered;
        Error error;
} Side;

static void side_done(Side *s) {
        siginfo_t si;
        if (pidref_is_set(&s->process)) {
                (void) pidref_kill(&s->process, SIGKILL);   /* it has answered, or is not to */
                (void) pidref_wait(&s->process, true, &si); /* at once, after SIGKILL */
        }
        pidref_done(&s->process);
        fd_close(s->answer_fd);
        error_done(&s->error);
}

static void side_read(Side *s) {
        int fds[SOCKET_MAX_FDS];
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r = worker_read_answer(s->answer_fd, &text, &size, fds, &s->error);
        s->answered = r != -EAGAIN;
}

/* Until both have answered. When the manager gives up, the sender is ended, and the receiver cleans up. */
static void wait_sides(Side *inside, Side *outside, const Side *sender) {
        bool given_up = false;
        while (!inside->answered || !outside->answered) {
                struct pollfd p[] = {
                        { .fd = given_up ? -EBADF : WORKER_LINK_FD },
                        { .fd = inside->answered ? -EBADF : inside->answer_fd, .events = POLLIN },
                        { .fd = outside->answered ? -EBADF : outside->answer_fd, .events = POLLIN },
                };
                if (poll(p, ELEMENTSOF(p), -1) < 0)
                        continue;
                if (p[1].revents)
                        side_read(inside);
                if (p[2].revents)
                        side_read(outside);
                if (p[0].revents) {
                        given_up = true;
                        (void) pidref_kill(&sender->process, SIGKILL); /* it may have ended */
                }
        }
}

/* Of two errors one may only say that there is another one; else the sender's is told. */
static int first_error(Side *a, Side *b, Error *reterr) {
        if (error_is_set(&a->error) && !IN_SET(a->error.code, -EPIPE, -ECANCELED, -EIO))
                return error_take(reterr, &a->error);
        return error_take(reterr, error_is_set(&b->error) ? &b->error : &a->error);
}

/* A standard descriptor that the caller has given, out of the way of the process that joins. */
static int take_stdio(int stdio, int *ret, Error *reterr) {
        struct stat st;
        const int flags = fcntl(stdio, F_GETFL);
        _cleanup_close_ int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        _cleanup_close_ int fd = fcntl(stdio, F_DUPFD_CLOEXEC, WORKER_LEADER_FD + 1);
        if (fd < 0 || null_fd < 0 || fstat(fd, &st) < 0 || dup2(null_fd, stdio) < 0)
                return error_set_errno(reterr, -errno, ERROR_SETUP_FAILED,
                                       "Taking a descriptor failed");
        if (S_ISDIR(st.st_mode) || (flags & O_PATH))
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                 "The archive is nothing that can be read or written");
        *ret = TAKE_FD(fd);
        return 0;
}

static int prepare(Worker *w, Copy *c, Error *reterr) {
        const OperationRequest *q = &w->request.operation;
        int r = 0;
        c->archive_fd = c->progress.fd = -EBADF;
        c->to_container = q->type == OPERATION_COPY_TO;
        c->as_machined = q->flags & OPERATION_AS_MACHINED;
        c->source = q->source;
        c->destination = isempty(q->destination) ? q->source : q->destination;
        if (q->flags & OPERATION_ARCHIVE)
                r = take_stdio(STDIN_FILENO, &c->archive_fd, reterr);
        if (r >= 0 && (q->flags & OPERATION_PROGRESS))
                r = take_stdio(STDERR_FILENO, &c->progress.fd, reterr);
        choose_owners(w, c);
        w->operation = c;
        if (r >= 0 && pipe2(c->pipe, O_CLOEXEC) < 0)
                r = error_set_errno(reterr, -errno, ERROR_SETUP_FAILED, "Making a pipe failed");
        return r;
}

/* The one outside comes first: the other one does not get what it has been given. */
static int start_sides(Worker *w, Copy *c, Side *inside, Side *outside, Error *reterr) {
        int r = worker_fork(w, /* inside= */ false, outside_task, &outside->process,
                            &outside->answer_fd, reterr);
        c->archive_fd = fd_close(c->archive_fd);
        c->progress.fd = fd_close(c->progress.fd);
        if (r >= 0)
                r = worker_fork(w, /* inside= */ true, inside_task, &inside->process,
                                &inside->answer_fd, reterr);
        fd_close_pair(c->pipe);
        return r;
}

int operation_copy(Worker *w, Error *reterr) {
        _cleanup_free_ Copy *c = new0(Copy, 1);
        _cleanup_(side_done) Side inside = { .process = PIDREF_NULL, .answer_fd = -EBADF };
        _cleanup_(side_done) Side outside = { .process = PIDREF_NULL, .answer_fd = -EBADF };
        int r = c ? prepare(w, c, reterr) : error_oom(reterr);
        if (r >= 0)
                r = start_sides(w, c, &inside, &outside, reterr);
        if (r < 0)
                return r;
        wait_sides(&inside, &outside, c->to_container ? &outside : &inside);
        if (error_is_set(&inside.error) || error_is_set(&outside.error))
                return c->to_container ? first_error(&outside, &inside, reterr)
                                       : first_error(&inside, &outside, reterr);
        r = worker_answer(WORKER_LINK_FD, NULL, 0, NULL, 0);
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED, "Answering failed") : 0;
}
