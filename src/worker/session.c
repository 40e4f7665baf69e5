/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A session in the container: made by the container's own systemd where there is one (with PAM and all that belongs to it), else a
 * program with a terminal.
 *
 * Of two processes one joins the container, opens the terminal, speaks to systemd there and then waits for the end of the session; it
 * has no more rights than the container's root, and is not seen inside. The other one stays outside, tells the end to whoever has the
 * status descriptor, and goes when nobody has it any more: the terminal is closed then, too, which ends the session. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "basic/fd.h"
#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "bus/bus.h"
#include "bus/names.h"
#include "worker/program.h"

#define SESSION_WAIT_USEC UINT64_MAX
#define UNIT_PATH_PREFIX "/org/freedesktop/systemd1/unit"

/* The shell of a user that only the container's own name service knows. */
static const char find_shell[] =
        "shell=$(getent passwd \"$1\" | cut -d: -f7); exec \"${shell:-/bin/sh}\" -l";

/* ---- inside ---- */

typedef struct Session {
        char *unit, *object;
        bool started, ended;
        int32_t code, status; /* as waitid(2) has them */
} Session;

static void session_done(Session *s) {
        free(s->unit);
        free(s->object);
}

static int append_program(sd_bus_message *m, const OperationRequest *q, const char *user) {
        const char *shell[] = { "sh", "-c", find_shell, "sh", user, NULL };
        const bool given = !strv_isempty(q->argv);
        int r = sd_bus_message_open_container(m, 'r', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", "ExecStart");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "a(sasb)");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(sasb)");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'r', "sasb");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", given ? q->argv[0] : "/bin/sh");
        if (r >= 0)
                r = sd_bus_message_append_strv(m, given ? (char **) q->argv : (char **) shell);
        if (r >= 0)
                r = sd_bus_message_append(m, "b", false);
        for (unsigned i = 0; r >= 0 && i < 4; i++)
                r = sd_bus_message_close_container(m);
        return r;
}

static int append_environment(sd_bus_message *m, char *const *environment) {
        int r = sd_bus_message_open_container(m, 'r', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", "Environment");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_append_strv(m, (char **) environment);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* What makes a unit a session on this terminal: systemd.exec(5). */
static int append_unit(sd_bus_message *m, const OperationRequest *q, const char *unit,
                       const char *path, int slave_fd) {
        const char *user = q->user ?: "root";
        _cleanup_free_ char *description = strjoin("Session of user ", user);
        if (!description)
                return -ENOMEM;
        int r = sd_bus_message_append(m, "ss", unit, "fail");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(sv)");
        if (r >= 0)
                r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)(sv)(sv)(sv)(sv)", "Description", "s",
                                          description, "StandardInputFileDescriptor", "h", slave_fd,
                                          "StandardOutputFileDescriptor", "h", slave_fd,
                                          "StandardErrorFileDescriptor", "h", slave_fd,
                                          "SendSIGHUP", "b", true, "IgnoreSIGPIPE", "b", false,
                                          "KillMode", "s", "mixed", "CollectMode", "s",
                                          "inactive-or-failed");
        if (r >= 0)
                r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)(sv)(sv)(sv)", "TTYPath", "s", path,
                                          "TTYReset", "b", true, "UtmpIdentifier", "s",
                                          path + STRLEN("/dev/"), "UtmpMode", "s", "user",
                                          "PAMName", "s", "login", "WorkingDirectory", "s", "-~",
                                          "User", "s", user);
        if (r >= 0 && !strv_isempty(q->environment))
                r = append_environment(m, q->environment);
        if (r >= 0)
                r = append_program(m, q, user);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_append(m, "a(sa(sv))", 0);
}

static int start_unit(sd_bus *bus, const Worker *w, const Session *s, const char *path,
                      int slave_fd, Error *reterr) {
        const OperationRequest *q = &w->request.operation;
        const bool login = q->type == OPERATION_LOGIN;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        int r = sd_bus_message_new_method_call(bus, &m, SYSTEMD1_BUS_NAME, SYSTEMD1_PATH,
                                               SYSTEMD1_MANAGER_INTERFACE,
                                               login ? "StartUnit" : "StartTransientUnit");
        if (r >= 0)
                r = login ? sd_bus_message_append(m, "ss", s->unit, "replace")
                          : append_unit(m, q, s->unit, path, slave_fd);
        if (r >= 0)
                r = sd_bus_call(bus, m, 0, &e, NULL);
        if (r >= 0)
                return 0;
        _cleanup_free_ char *what = strjoin("Opening a session in '", w->request.name, "' failed");
        return bus_error_to_error(&e, r, reterr, what);
}

static int read_change(sd_bus_message *m, Session *s) {
        const char *key, *text;
        int r = sd_bus_message_read(m, "s", &key); /* the interface */
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = sd_bus_message_read(m, "s", &key);
                if (r < 0)
                        break;
                if (streq(key, "ExecMainCode"))
                        r = sd_bus_message_read(m, "v", "i", &s->code);
                else if (streq(key, "ExecMainStatus"))
                        r = sd_bus_message_read(m, "v", "i", &s->status);
                else if (streq(key, "ActiveState")) {
                        r = sd_bus_message_read(m, "v", "s", &text);
                        s->started = s->started || (r >= 0 && streq(text, "active"));
                        s->ended =
                                s->ended || (r >= 0 && (streq(text, "failed") ||
                                                        (streq(text, "inactive") && s->started)));
                } else
                        r = sd_bus_message_skip(m, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r;
}

static int on_change(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        (void) read_change(m, userdata); /* of what cannot be read nothing is known */
        return 0;
}

/* systemd only sends signals to who has asked for them. */
static int watch_unit(sd_bus *bus, Session *s) {
        int r = sd_bus_match_signal(bus, NULL, SYSTEMD1_BUS_NAME, s->object,
                                    "org.freedesktop.DBus.Properties", "PropertiesChanged",
                                    on_change, s);
        return r < 0 ? r
                     : sd_bus_call_method(bus, SYSTEMD1_BUS_NAME, SYSTEMD1_PATH,
                                          SYSTEMD1_MANAGER_INTERFACE, "Subscribe", NULL, NULL,
                                          NULL);
}

static void wait_unit(sd_bus *bus, const Session *s) {
        while (!s->ended) {
                int r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, SESSION_WAIT_USEC);
                if (r < 0 && r != -EINTR)
                        return;
        }
}

/* Answers with nothing where there is no systemd; else with the terminal, and then with how the session has ended. */
static int session_task(Worker *w, int answer_fd, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        _cleanup_(session_done) Session s = { 0 };
        _cleanup_close_ int master = -EBADF, slave = -EBADF;
        const bool login = w->request.operation.type == OPERATION_LOGIN;
        char path[24], text[32];
        BusKind kind;
        if (access("/run/systemd/system", F_OK) < 0)
                return worker_answer(answer_fd, NULL, 0, NULL, 0);
        _cleanup_close_ int bus_fd = bus_connect_fd(&kind, NULL);
        if (bus_fd < 0) /* it is not up yet */
                return worker_answer(answer_fd, NULL, 0, NULL, 0);
        int r = worker_open_pty(0, &master, &slave, path, reterr);
        if (r >= 0)
                r = bus_open_fd(&bus_fd, kind, &bus, reterr);
        if (r < 0)
                return r;
        s.unit = strf("container-%s@%s.service", login ? "getty" : "shell",
                      path + STRLEN("/dev/pts/"));
        if (!s.unit || sd_bus_path_encode(UNIT_PATH_PREFIX, s.unit, &s.object) < 0)
                return error_oom(reterr);
        const bool watched = !login && watch_unit(bus, &s) >= 0; /* else its end is not told */
        r = start_unit(bus, w, &s, path, slave, reterr);
        if (r < 0)
                return r;
        slave = fd_close(slave);
        r = worker_answer(answer_fd, path, strlen(path), &master, 1);
        master = fd_close(master);
        if (r < 0 || !watched)
                return 0;
        wait_unit(bus, &s);
        if (!s.ended)
                return 0;
        int n = snprintf(text, sizeof(text), "%s %d",
                         s.code == CLD_KILLED || s.code == CLD_DUMPED ? "killed" : "exited",
                         s.status);
        (void) worker_answer(answer_fd, text, (size_t) n, NULL, 0); /* nobody may want to know */
        return 0;
}

/* ---- outside ---- */

/* Until the session has ended, or the container, or nobody listens any more. */
static void watch_session(Worker *w, int answer_fd, int status_fd) {
        for (;;) {
                struct pollfd p[] = { { .fd = status_fd, .events = POLLIN },
                                      { .fd = answer_fd, .events = POLLIN },
                                      { .fd = w->leader.fd, .events = POLLIN } };
                if (poll(p, ELEMENTSOF(p), -1) < 0)
                        continue;
                /* gone, or a signal for a program that is systemd's: it ends with its terminal */
                if (p[0].revents || p[2].revents)
                        return;
                if (!p[1].revents)
                        continue;
                int fds[SOCKET_MAX_FDS];
                _cleanup_free_ char *end = NULL;
                size_t size;
                if (worker_read_answer(answer_fd, &end, &size, fds, NULL) > 0) {
                        (void) socket_send(status_fd, end, size, NULL, 0);
                        return;
                }
                answer_fd = -EBADF; /* it cannot tell */
        }
}

static int session_answer(Worker *w, const PidRef *child, int answer_fd, const char *path,
                          int *master, Error *reterr) {
        _cleanup_close_pair_ int status[2] = PAIR_EBADF;
        siginfo_t si;
        int r = socket_pair_seqpacket(status);
        if (r >= 0) {
                const int fds[] = { *master, status[1] };
                r = worker_answer(WORKER_LINK_FD, path, strlen(path), fds, ELEMENTSOF(fds));
        }
        *master = fd_close(*master);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_FAILED, "Answering for '%s' failed",
                                       w->request.name);
        status[1] = fd_close(status[1]);
        (void) close(WORKER_LINK_FD);
        watch_session(w, answer_fd, status[0]);
        (void) pidref_kill(child, SIGKILL);
        (void) pidref_wait(child, true, &si); /* at once, after SIGKILL */
        return 0;
}

int operation_session(Worker *w, Error *reterr) {
        static const char *const login[] = { "/bin/login", NULL };
        _cleanup_(program_done) Program p = { 0 };
        _cleanup_(pidref_done) PidRef child = PIDREF_NULL;
        _cleanup_close_ int answer_fd = -EBADF;
        _cleanup_free_ char *path = NULL;
        sd_bus *bus;
        int fds[SOCKET_MAX_FDS];
        size_t size;
        siginfo_t si;

        w->request.operation.terminal = true;
        int r = program_prepare(w, &p, reterr);
        if (r < 0)
                return r;
        if (sd_bus_new(&bus) >= 0) /* opens the library while it still is the host's */
                sd_bus_unref(bus);
        r = worker_fork(w, /* inside= */ true, session_task, &child, &answer_fd, reterr);
        if (r >= 0)
                r = worker_wait_answer(answer_fd, &path, &size, fds, reterr);
        if (r >= 0 && fds[0] >= 0)
                return session_answer(w, &child, answer_fd, path, &fds[0], reterr);
        if (pidref_is_set(&child))
                (void) pidref_wait(&child, true, &si); /* it has said all */
        if (r < 0)
                return r;
        if (w->request.operation.type == OPERATION_LOGIN)
                w->request.operation.argv = (char *const *) login;
        return program_start(w, &p, reterr);
}
