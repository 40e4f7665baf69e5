/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* import1: one transfer: its process, its scope, what is heard of it, its end.
 *
 * The spawner executes it in berth-spawner.service, which has no network; so systemd moves it to a scope before it begins: it waits for the end of a
 * pipe (TRANSFER_HOLD_FD). Its answer is kept until it has ended, for only then has it left all locks. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <syslog.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/format.h"
#include "basic/log.h"
#include "basic/url.h"
#include "bus/names.h"
#include "ipc/worker.h"
#include "manager/import1.h"
#include "manager/spawner-link.h"

#define SCOPE_TIMEOUT_USEC (90 * USEC_PER_SEC) /* systemd may be busy, or at its units */
#define PROGRESS_READ 4096U
#define PROGRESS_READS_MAX 10U       /* in a second */
#define TELL_USEC (5 * USEC_PER_SEC) /* how far it is; what takes less says nothing */
#define TERMS_MAX 2U                 /* a third time it is killed */

/* ---- what is told ---- */

static void say(const Import1Transfer *t, int priority, const char *format, ...) _printf_(3, 4);
static void say(const Import1Transfer *t, int priority, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list ap;
        va_start(ap, format);
        int n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0)
                return;
        log_full(priority, 0, __FILE__, __LINE__, __func__, NULL, "Transfer %" PRIu32 ": %s", t->id,
                 text);
        /* best effort: the end says what became of it */
        (void) sd_bus_emit_signal(t->import1->name.bus, t->path, IMPORT1_TRANSFER_INTERFACE,
                                  "LogMessage", "us", (uint32_t) priority, text);
}

static void say_error(const Import1Transfer *t, const Error *e) {
        say(t, LOG_ERR, "%s", error_message(e));
        if (e->hint)
                say(t, LOG_NOTICE, "Hint: %s", e->hint);
}

static void say_done(const Import1Transfer *t, const char *text, size_t size) {
        const uint64_t files = transfer_answer_number(text, size, "FILES"),
                       left_out = transfer_answer_number(text, size, "LEFT_OUT");
        const char *verified = transfer_answer_get(text, size, "VERIFIED");
        _cleanup_free_ char *bytes = format_bytes(transfer_answer_number(text, size, "BYTES")),
                            *path = str_escape_for_display(transfer_answer_get(text, size, "PATH")),
                            *counted = files > 0 ? strf("%" PRIu64 " files, ", files) : NULL;
        if (left_out > 0)
                say(t, LOG_NOTICE, "%" PRIu64 " devices and sockets were left out of '%s'",
                    left_out, t->local);
        if (t->type == TRANSFER_EXPORT_TAR) /* nobody has counted */
                say(t, LOG_INFO, "%s: exported", strempty(path));
        else
                say(t, LOG_INFO, "%s: %s%s%s%s", strempty(path), strempty(counted), strempty(bytes),
                    isempty(verified) ? "" : ", verified by ", verified);
}

/* ---- ends ---- */

Import1Transfer *import1_transfer_free(Import1Transfer *t) {
        if (!t)
                return NULL;
        LIST_REMOVE(transfers, t->import1->transfers, t);
        t->import1->n_transfers--;
        manager_call_end(t->import1->manager);
        spawn_cancel(t->spawn);
        sd_event_source_disable_unref(t->link_source);
        sd_event_source_disable_unref(t->progress_source);
        sd_event_source_disable_unref(t->process_source);
        sd_event_source_disable_unref(t->timer);
        sd_bus_slot_unref(t->match);
        sd_bus_slot_unref(t->start);
        fd_close(t->link_fd);
        fd_close(t->progress_fd);
        fd_close(t->hold_fd);
        pidref_done(&t->process);
        free(t->local);
        free(t->remote);
        free(t->url);
        free(t->path);
        free(t->scope);
        free(t);
        return NULL;
}

static void finish(Import1Transfer *t) {
        const char *result = t->ok ? "done" : t->n_cancels > 0 ? "canceled" : "failed";
        (void) sd_bus_emit_signal(t->import1->name.bus, IMPORT1_MANAGER_PATH,
                                  IMPORT1_MANAGER_INTERFACE, "TransferRemoved", "uos", t->id,
                                  t->path, result); /* who misses it sees that it is gone */
        import1_transfer_free(t);
}

static int on_ended(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        finish(userdata); /* its answer, or that there is none, was heard first */
        return 0;
}

static int on_answer(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        Import1Transfer *t = userdata;
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ char *text = NULL;
        int fds[SOCKET_MAX_FDS];
        size_t size = 0;
        int r = worker_read_answer(fd, &text, &size, fds, &e);
        if (r == -EAGAIN)
                return 0;
        t->link_source = sd_event_source_disable_unref(t->link_source);
        t->link_fd = fd_close(t->link_fd);
        t->ok = r >= 0;
        if (r >= 0) {
                for (size_t i = 0; i < SOCKET_MAX_FDS; i++)
                        fd_close(fds[i]); /* there should be none */
                say_done(t, text, size);
        } else if (t->n_cancels > 0)
                say(t, LOG_NOTICE, "The transfer was canceled");
        else
                say_error(t, &e);
        return 0;
}

void import1_transfer_cancel(Import1Transfer *t) {
        if (!pidref_is_set(&t->process)) { /* as soon as it is known */
                t->n_cancels++;
                return;
        }
        /* it may have ended just now */
        (void) pidref_kill(&t->process, ++t->n_cancels <= TERMS_MAX ? SIGTERM : SIGKILL);
}

/* ---- how far it is ---- */

double import1_transfer_progress(const Import1Transfer *t) {
        if (t->ok)
                return 1;
        return t->total == 0 ? -1 : (double) MIN(t->done, t->total) / (double) t->total;
}

/* By a signal as often as it is heard; in words now and then, for those who show no bar. */
static void tell_progress(Import1Transfer *t) {
        const double progress = import1_transfer_progress(t);
        const usec_t now = now_usec(CLOCK_MONOTONIC);
        if (progress < 0)
                return;
        (void) sd_bus_emit_signal(t->import1->name.bus, t->path, IMPORT1_TRANSFER_INTERFACE,
                                  "ProgressUpdate", "d", progress); /* best effort */
        if (now - t->told_usec < TELL_USEC)
                return;
        t->told_usec = now;
        _cleanup_free_ char *total = format_bytes(t->total);
        say(t, LOG_INFO, "%.0f%% of %s", progress * 100, strempty(total));
}

/* What a process in a sandbox says: numbers to be shown, and no more often than somebody looks. */
static int on_progress(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        Import1Transfer *t = userdata;
        char text[PROGRESS_READ + 1];
        uint64_t files, bytes, total = 0;
        const ssize_t n = read(fd, text, PROGRESS_READ);
        if (n < 0 && IN_SET(errno, EAGAIN, EINTR))
                return 0;
        if (n <= 0) {
                t->progress_source = sd_event_source_disable_unref(t->progress_source);
                t->progress_fd = fd_close(t->progress_fd);
                return 0;
        }
        text[n] = '\0';
        char *end = strrchr(text, '\n'); /* lines are written at once: the last is whole */
        if (!end)
                return 0;
        *end = '\0';
        const char *line = strrchr(text, '\n');
        if (sscanf(line ? line + 1 : text, "%" SCNu64 " %" SCNu64 " %" SCNu64, &files, &bytes,
                   &total) >= 2) {
                t->done = bytes;
                t->total = total;
                tell_progress(t);
        }
        return 0;
}

/* ---- its scope ---- */

static void let_go(Import1Transfer *t) {
        t->match = sd_bus_slot_unref(t->match);
        t->start = sd_bus_slot_unref(t->start);
        t->timer = sd_event_source_disable_unref(t->timer);
        t->hold_fd = fd_close(t->hold_fd);
}

static void go_on(Import1Transfer *t, const char *why) {
        log_notice("systemd makes no scope for transfer %" PRIu32 ": %s", t->id, why);
        let_go(t);
}

/* It goes on where it is, which is enough for all but downloads: they would say of the network that it fails. */
static void without_scope(Import1Transfer *t, const char *why) {
        _cleanup_error_ Error e = ERROR_NULL;
        if (!transfer_is_pull(t->type) || t->n_cancels > 0) {
                go_on(t, why);
                return;
        }
        (void) error_set(&e, -EIO, ERROR_UNIT_FAILED,
                         "systemd makes no scope for the download of '%s': %s", t->local, why);
        error_hint(&e, "there is no network without; see 'journalctl -u %s'", strempty(t->scope));
        say_error(t, &e);
        t->link_source = sd_event_source_disable_unref(t->link_source); /* it has not begun */
        t->link_fd = fd_close(t->link_fd);
        (void) pidref_kill(&t->process, SIGKILL); /* it may have ended just now */
        let_go(t);
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Import1Transfer *t = userdata;
        const char *unit, *result;
        if (sd_bus_message_read(m, "uoss", NULL, NULL, &unit, &result) < 0 ||
            !streq(unit, t->scope))
                return 0;
        if (streq(result, "done"))
                let_go(t);
        else
                without_scope(t, result);
        return 0;
}

static int on_started(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        const sd_bus_error *e = sd_bus_message_get_error(m);
        /* systemd does not run, as the bus says with or without its activation file: then the spawner has no unit, either, but a network */
        if (sd_bus_error_has_name(e, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
            (e && startswith(strempty(e->name), "org.freedesktop.DBus.Error.Spawn.")))
                go_on(userdata, strempty(e->message));
        else if (e)
                without_scope(userdata, strempty(e->message));
        return 1; /* else its job tells */
}

static int on_scope_timeout(sd_event_source *s, uint64_t usec, void *userdata) {
        without_scope(userdata, "no answer in time");
        return 0;
}

static int ask_for_scope(Import1Transfer *t) {
        sd_bus *bus = t->import1->name.bus;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_free_ char *description =
                strf("Transfer of image '%s' (%s)", t->local, transfer_type_to_string(t->type));
        t->scope = strf("berth-transfer-%d.scope", (int) t->process.pid);
        int r = !t->scope || !description
                        ? -ENOMEM
                        : sd_bus_message_new_method_call(bus, &m, SYSTEMD1_BUS_NAME, SYSTEMD1_PATH,
                                                         SYSTEMD1_MANAGER_INTERFACE,
                                                         "StartTransientUnit");
        if (r >= 0)
                r = sd_bus_message_append(m, "ssa(sv)a(sa(sv))", t->scope, "fail", 3, "Description",
                                          "s", description, "PIDs", "au", 1,
                                          (uint32_t) t->process.pid, "CollectMode", "s",
                                          "inactive-or-failed", 0);
        if (r >= 0)
                r = sd_bus_match_signal_async(bus, &t->match, SYSTEMD1_BUS_NAME, SYSTEMD1_PATH,
                                              SYSTEMD1_MANAGER_INTERFACE, "JobRemoved",
                                              on_job_removed, NULL, t);
        if (r >= 0)
                r = sd_bus_call_async(bus, &t->start, m, on_started, t, SCOPE_TIMEOUT_USEC);
        return r < 0 ? r
                     : sd_event_add_time_relative(t->import1->manager->event, &t->timer,
                                                  CLOCK_MONOTONIC, SCOPE_TIMEOUT_USEC, 0,
                                                  on_scope_timeout, t);
}

/* ---- its begin ---- */

static void on_spawned(PidRef *process, const Error *e, void *userdata) {
        Import1Transfer *t = userdata;
        _cleanup_error_ Error own = ERROR_NULL;
        t->spawn = NULL;
        if (!process) {
                say_error(t, e);
                finish(t);
                return;
        }
        t->process = *process;
        *process = (PidRef) PIDREF_NULL;
        int r = sd_event_add_io(t->import1->manager->event, &t->process_source, t->process.fd,
                                EPOLLIN, on_ended, t);
        if (r >= 0) /* after what it had to say */
                r = sd_event_source_set_priority(t->process_source, SD_EVENT_PRIORITY_NORMAL + 10);
        if (r < 0) {
                (void) pidref_kill(&t->process, SIGKILL); /* nobody would look after it */
                (void) error_set_errno(&own, r, ERROR_SETUP_FAILED, "Watching a transfer failed");
                say_error(t, &own);
                finish(t);
                return;
        }
        if (t->n_cancels > 0) { /* it has not begun */
                (void) pidref_kill(&t->process, SIGKILL);
                return;
        }
        r = ask_for_scope(t);
        if (r < 0)
                without_scope(t, errno_words(r));
}

static int watch(Import1Transfer *t) {
        sd_event *event = t->import1->manager->event;
        int r = sd_event_add_io(event, &t->link_source, t->link_fd, EPOLLIN, on_answer, t);
        if (r >= 0)
                r = sd_event_add_io(event, &t->progress_source, t->progress_fd, EPOLLIN,
                                    on_progress, t);
        return r < 0 ? r
                     : sd_event_source_set_ratelimit(t->progress_source, USEC_PER_SEC,
                                                     PROGRESS_READS_MAX);
}

static int start(Import1Transfer *t, const TransferRequest *q, int stream_fd, Error *reterr) {
        static const char failed[] = "Starting a transfer failed";
        _cleanup_close_pair_ int link[2] = PAIR_EBADF, progress[2] = PAIR_EBADF,
                                 hold[2] = PAIR_EBADF;
        _cleanup_close_ int request_fd = -EBADF;
        int r = transfer_request_new(q, &request_fd, reterr);
        if (r < 0)
                return r;
        r = socket_pair_seqpacket(link);
        if (r >= 0)
                r = fd_nonblock(link[0], true);
        if (r >= 0 && (pipe2(progress, O_CLOEXEC | O_NONBLOCK) < 0 || pipe2(hold, O_CLOEXEC) < 0))
                r = -errno;
        if (r >= 0) { /* nobody who writes it waits for us: what does not fit is lost */
                t->link_fd = TAKE_FD(link[0]);
                t->progress_fd = TAKE_FD(progress[0]);
                t->hold_fd = TAKE_FD(hold[1]);
                r = watch(t);
        }
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED, "%s", failed);
        int fds[SPAWN_PLACES_MAX] = {
                -EBADF, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF
        };
        fds[transfer_is_export(q->type) ? STDOUT_FILENO : STDIN_FILENO] = stream_fd;
        fds[TRANSFER_LINK_FD] = link[1];
        fds[TRANSFER_PROGRESS_FD] = progress[1];
        fds[TRANSFER_REQUEST_FD] = request_fd;
        fds[TRANSFER_HOLD_FD] = hold[0];
        return spawn_start(t->import1->manager->spawner, SPAWN_TRANSFER, NULL, fds, failed,
                           on_spawned, t, &t->spawn, reterr);
}

/* ---- all of them ---- */

/* Nobody but root can take all the places. */
static int check_limits(const Import1 *i1, uid_t uid, Error *reterr) {
        const unsigned limit =
                IMPORT1_TRANSFERS_MAX - (uid == 0 ? 0 : IMPORT1_TRANSFERS_ROOT_RESERVE);
        unsigned own = 0;
        int r = 0;
        LIST_FOREACH(transfers, t, i1->transfers)
                own += t->uid == uid;
        if (uid != 0 && own >= IMPORT1_TRANSFERS_USER_MAX)
                r = error_set(reterr, -EBUSY, ERROR_LIMIT_EXCEEDED,
                              "More than %u transfers of one user", IMPORT1_TRANSFERS_USER_MAX);
        else if (i1->n_transfers >= limit)
                r = error_set(reterr, -EBUSY, ERROR_LIMIT_EXCEEDED, "More than %u transfers",
                              limit);
        if (r < 0)
                error_hint(reterr, "wait until some have ended, or cancel them");
        return r;
}

Import1Transfer *import1_transfer_find(const Import1 *i1, uint32_t id) {
        LIST_FOREACH(transfers, t, i1->transfers)
                if (t->id == id)
                        return t;
        return NULL;
}

static int transfer_new(Import1 *i1, const TransferRequest *q, Import1Transfer **ret) {
        Import1Transfer *t = new0(Import1Transfer, 1);
        if (!t)
                return -ENOMEM;
        do
                t->id = ++i1->last_id;
        while (t->id == 0 || import1_transfer_find(i1, t->id));
        t->import1 = i1;
        t->type = q->type;
        t->verify = q->verify;
        t->uid = i1->manager->caller_uid;
        t->told_usec = now_usec(CLOCK_MONOTONIC);
        t->process = (PidRef) PIDREF_NULL;
        t->link_fd = t->progress_fd = t->hold_fd = -EBADF;
        LIST_PREPEND(transfers, i1->transfers, t);
        i1->n_transfers++;
        t->local = strdup(q->name);
        t->url = q->remote ? strdup(q->remote) : NULL;
        t->remote = q->remote ? url_for_display(q->remote) : strdup("");
        t->path = strf("%s/_%" PRIu32, IMPORT1_TRANSFER_PATH_PREFIX, t->id);
        *ret = t;
        return t->local && t->remote && t->path && (t->url || !q->remote) ? 0 : -ENOMEM;
}

int import1_transfer_start(Import1 *i1, const TransferRequest *q, int stream_fd,
                           Import1Transfer **ret, Error *reterr) {
        Import1Transfer *t = NULL;
        int r = check_limits(i1, i1->manager->caller_uid, reterr);
        if (r >= 0)
                r = manager_call_begin(i1->manager, reterr);
        if (r < 0)
                return r;
        r = transfer_new(i1, q, &t);
        if (!t)
                manager_call_end(i1->manager);
        r = r < 0 ? error_oom(reterr) : start(t, q, stream_fd, reterr);
        if (r < 0)
                import1_transfer_free(t);
        else
                *ret = t;
        return r;
}
