/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests to the spawner: sent at once, or when there is room; answered from the event loop. */
#include "manager/spawner-link.h"

#include <sys/epoll.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/list.h"
#include "basic/log.h"
#include "basic/str.h"
#include "sys/syscalls.h"

#define SPAWN_TIMEOUT_USEC (20 * USEC_PER_SEC)

struct Spawn {
        SpawnerLink *link;
        uint64_t id;
        SpawnProgram program;
        char *name, *what;
        int fds[SPAWN_PLACES_MAX]; /* our own, of one that has to wait */
        bool sent, again, cancelled;
        sd_event_source *timer;
        SpawnDone done;
        void *userdata;
        LIST_FIELDS(Spawn, spawns);
};

struct SpawnerLink {
        sd_event *event;
        char *path;
        int fd;
        PidRef own; /* the process, without a path */
        sd_event_source *source;
        usec_t timeout_usec; /* of a spawn */
        uint64_t last_id;
        size_t n_spawns, n_unsent;
        LIST_HEAD(Spawn, spawns);       /* the newest first */
        int (*connect)(SpawnerLink *l); /* connect_spawner() */
};

/* ---- spawns ---- */

static void spawn_free(Spawn *s) {
        LIST_REMOVE(spawns, s->link->spawns, s);
        s->link->n_spawns--;
        s->link->n_unsent -= !s->sent;
        for (size_t i = 0; i < SPAWN_PLACES_MAX; i++)
                fd_close(s->fds[i]);
        sd_event_source_disable_unref(s->timer);
        free(s->name);
        free(s->what);
        free(s);
}

Spawn *spawn_cancel(Spawn *s) {
        if (s && s->sent) {
                s->cancelled = true; /* until its process is known */
                s->timer = sd_event_source_disable_unref(s->timer);
        } else if (s)
                spawn_free(s);
        return NULL;
}

static void hint_where_to_look(const SpawnerLink *l, Error *e) {
        if (l->path)
                error_hint(e, "see 'systemctl status berth-spawner.socket berth-spawner.service'");
        else
                error_hint(e, "berthd executes '%s' for that: is it there, and does it run?",
                           spawner_path());
}

/* Frees it, and tells who waits. process: taken. */
static void spawn_end(Spawn *s, PidRef *process, int code) {
        _cleanup_error_ Error e = ERROR_NULL;
        SpawnDone done = s->cancelled ? NULL : s->done;
        void *userdata = s->userdata;
        if (code < 0) {
                (void) error_set_errno(&e, code, ERROR_SETUP_FAILED, "%s", s->what);
                hint_where_to_look(s->link, &e);
        }
        spawn_free(s);
        if (done)
                done(code < 0 ? NULL : process, code < 0 ? &e : NULL, userdata);
        if (pidref_is_set(process)) { /* nobody has taken it */
                (void) pidref_kill(process, SIGKILL);
                pidref_done(process);
        }
}

/* Told at once. What the spawner makes of it later is killed. */
static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata) {
        Spawn *s = userdata;
        SpawnDone done = s->done;
        void *done_userdata = s->userdata;
        _cleanup_error_ Error e = ERROR_NULL;
        (void) error_set(&e, -ETIMEDOUT, ERROR_TIMEOUT, "%s: the spawner does not answer in time",
                         s->what);
        hint_where_to_look(s->link, &e);
        spawn_cancel(s);
        done(NULL, &e, done_userdata);
        return 0;
}

/* ---- the connection ---- */

static void disconnect(SpawnerLink *l) {
        siginfo_t si;
        l->source = sd_event_source_disable_unref(l->source);
        l->fd = fd_close(l->fd);                 /* its own process ends by that */
        (void) pidref_wait(&l->own, false, &si); /* later is as good: at the next connection */
}

static Spawn *find_oldest(SpawnerLink *l, bool sent, uint64_t last_id) {
        Spawn *oldest = NULL;
        LIST_FOREACH(spawns, s, l->spawns)
                oldest = s->sent == sent && s->id <= last_id ? s : oldest;
        return oldest;
}

static void fail_all(SpawnerLink *l, bool sent, int code) {
        const uint64_t last_id = l->last_id; /* whoever hears of it may ask anew */
        for (Spawn *s; (s = find_oldest(l, sent, last_id));) {
                PidRef none = PIDREF_NULL;
                spawn_end(s, &none, code);
        }
}

/* 0; -EAGAIN: there is no room, or the spawner has just ended; else it cannot be. */
static int send_one(SpawnerLink *l, Spawn *s, const int fds[static SPAWN_PLACES_MAX]) {
        int r = spawn_request_send(l->fd, s->program, s->id, s->name, fds);
        if (IN_SET(r, -EPIPE, -ECONNRESET) && !s->again) {
                s->again = true;
                return -EAGAIN;
        }
        if (r < 0)
                return r;
        for (size_t i = 0; i < SPAWN_PLACES_MAX; i++)
                s->fds[i] = fd_close(s->fds[i]);
        s->sent = true;
        l->n_unsent--;
        return 0;
}

static void want_room(SpawnerLink *l) {
        if (l->source) /* cannot fail */
                (void) sd_event_source_set_io_events(l->source, l->n_unsent > 0 ? EPOLLIN | EPOLLOUT
                                                                                : EPOLLIN);
}

/* As many as there is room for, the oldest first. */
static void send_waiting(SpawnerLink *l) {
        for (Spawn *s; l->fd >= 0 && (s = find_oldest(l, false, UINT64_MAX));) {
                PidRef none = PIDREF_NULL;
                int r = send_one(l, s, s->fds);
                if (r == -EAGAIN)
                        break;
                if (r < 0)
                        spawn_end(s, &none, r);
        }
        want_room(l);
}

/* All its answers have been heard. What else was sent to it is not known to have been done: a supervisor or worker without us ends by
 * itself. What it was not sent is asked of the next one. */
static void start_over(SpawnerLink *l) {
        disconnect(l);
        fail_all(l, true, -ECONNRESET);
        int r = l->n_unsent > 0 ? l->connect(l) : 0;
        if (r < 0)
                fail_all(l, false, r);
        else if (l->fd >= 0)
                want_room(l);
}

static int on_link(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        SpawnerLink *l = userdata;
        SpawnAnswer a;
        PidRef process = PIDREF_NULL;
        int r = 0;
        if ((revents & ~(uint32_t) EPOLLOUT) != 0)
                r = spawn_answer_receive(fd, &a, &process);
        else
                r = -EAGAIN;
        if (r > 0) {
                Spawn *found = NULL;
                LIST_FOREACH(spawns, s, l->spawns)
                        found = s->sent && s->id == a.id ? s : found;
                if (found)
                        spawn_end(found, &process, a.code);
                pidref_done(&process);
        } else if (r != -EAGAIN) {
                log_warning("The spawner has %s",
                            r == 0 ? "ended" : "sent what is no answer, and is given up");
                start_over(l);
                return 0;
        }
        if ((revents & EPOLLHUP) == 0) /* else the next one's, after the answers of this one */
                send_waiting(l);
        return 0;
}

/* ---- connecting ---- */

static _noreturn_ void become_spawner(int fd) {
        sigset_t none;
        for (int n = 1; n < NSIG; n++)
                (void) signal(n, SIG_DFL); /* fails for those that nobody can ignore */
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL); /* cannot fail */
        if (fd_move_to(&fd, STDERR_FILENO + 1, false) >= 0 &&
            sys_close_range(STDERR_FILENO + 2, ~0U, 0) >= 0)
                execve(spawner_path(), (char *[]){ (char *) "berth-spawner", NULL }, environ);
        log_error_errno(-errno, "Executing '%s' failed", spawner_path());
        _exit(125);
}

static int start_own(SpawnerLink *l) {
        _cleanup_close_pair_ int pair[2] = PAIR_EBADF;
        siginfo_t si;
        int r = socket_pair_seqpacket(pair);
        if (r >= 0)
                r = fd_nonblock(pair[0], true);
        if (r < 0)
                return r;
        (void) pidref_wait(&l->own, false, &si); /* the one before */
        pidref_done(&l->own);
        struct clone_args args = {
                .flags = CLONE_PIDFD,
                .pidfd = (uint64_t) (uintptr_t) &l->own.fd,
                .exit_signal = SIGCHLD,
        };
        l->own.pid = sys_clone3(&args);
        if (l->own.pid < 0)
                return -errno;
        if (l->own.pid == 0)
                become_spawner(pair[1]);
        return TAKE_FD(pair[0]);
}

static int connect_spawner(SpawnerLink *l) {
        if (l->fd >= 0)
                return 0;
        _cleanup_close_ int fd = l->path ? socket_connect_seqpacket(l->path) : start_own(l);
        if (fd < 0)
                return fd;
        int r = sd_event_add_io(l->event, &l->source, fd, EPOLLIN, on_link, l);
        if (r < 0)
                return r;
        /* before what comes from the processes themselves */
        (void) sd_event_source_set_priority(l->source, SD_EVENT_PRIORITY_NORMAL - 10);
        l->fd = TAKE_FD(fd);
        return 0;
}

int spawner_link_new(sd_event *event, const char *path, SpawnerLink **ret, Error *reterr) {
        SpawnerLink *l = new0(SpawnerLink, 1);
        if (!l)
                return error_oom(reterr);
        l->event = sd_event_ref(event);
        l->fd = -EBADF;
        l->own = (PidRef) PIDREF_NULL;
        l->connect = connect_spawner;
        l->timeout_usec = SPAWN_TIMEOUT_USEC;
        l->path = path ? strdup(path) : NULL;
        if (path && !l->path) {
                spawner_link_free(l);
                return error_oom(reterr);
        }
        int r = path ? connect_spawner(l) : 0; /* then it is there when it is needed */
        if (r < 0)
                log_debug_errno(r, "There is no spawner yet");
        *ret = l;
        return 0;
}

void spawner_link_set_timeout(SpawnerLink *l, usec_t timeout_usec) {
        l->timeout_usec = timeout_usec;
}

SpawnerLink *spawner_link_free(SpawnerLink *l) {
        if (!l)
                return NULL;
        disconnect(l);
        while (l->spawns)
                spawn_free(l->spawns);
        pidref_done(&l->own);
        sd_event_unref(l->event);
        free(l->path);
        free(l);
        return NULL;
}

/* ---- requests ---- */

static int spawn_new(SpawnerLink *l, const char *name, const char *what, Spawn **ret) {
        Spawn *s = new0(Spawn, 1);
        if (!s)
                return -ENOMEM;
        s->link = l;
        s->id = ++l->last_id;
        for (size_t i = 0; i < SPAWN_PLACES_MAX; i++)
                s->fds[i] = -EBADF;
        LIST_PREPEND(spawns, l->spawns, s);
        l->n_spawns++;
        l->n_unsent++;
        s->name = name ? strdup(name) : NULL;
        s->what = strdup(what);
        if ((name && !s->name) || !s->what) {
                spawn_free(s);
                return -ENOMEM;
        }
        *ret = s;
        return 0;
}

static int keep_descriptors(Spawn *s, const int fds[static SPAWN_PLACES_MAX]) {
        for (size_t i = 0; i < SPAWN_PLACES_MAX; i++)
                if (fds[i] >= 0) {
                        s->fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
                        if (s->fds[i] < 0)
                                return -errno;
                }
        return 0;
}

int spawn_start(SpawnerLink *l, SpawnProgram program, const char *name,
                const int fds[static SPAWN_PLACES_MAX], const char *what, SpawnDone done,
                void *userdata, Spawn **ret, Error *reterr) {
        if (l->n_spawns >= SPAWNS_MAX)
                return error_set(reterr, -EBUSY, ERROR_LIMIT_EXCEEDED,
                                 "%s: more than %u processes are being started", what, SPAWNS_MAX);
        int r = l->connect(l);
        if (r < 0) {
                r = error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                                    "%s: connecting to the spawner failed", what);
                hint_where_to_look(l, reterr);
                return r;
        }
        Spawn *s;
        r = spawn_new(l, name, what, &s);
        if (r < 0)
                return error_oom(reterr);
        s->program = program;
        s->done = done;
        s->userdata = userdata;
        r = l->n_unsent > 1 ? -EAGAIN : send_one(l, s, fds); /* not before those that wait */
        if (r == -EAGAIN) {
                want_room(l);
                r = keep_descriptors(s, fds);
        }
        if (r >= 0)
                r = sd_event_add_time_relative(l->event, &s->timer, CLOCK_MONOTONIC,
                                               l->timeout_usec, 0, on_timeout, s);
        if (r < 0 && s->sent) {
                spawn_cancel(s);
                return error_oom(reterr);
        }
        if (r < 0) {
                spawn_free(s);
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED, "%s", what);
        }
        *ret = s;
        return 0;
}
