/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The keeper against a systemd that fails in every way a real one will not on demand. What it does with a real one is tested on the
 * test hosts. Each test is a supervisor: it has the other end of the link. */
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/xattr.h>

#include "basic/alloc.h"
#include "bus/bus.h"
#include "bus/keeper-scope.h"
#include "bus/keeper.h"
#include "fake/systemd1.h"
#include "sys/pidfd.h"
#include "sys/socket.h"

static FakeSystemd fake = { .cgroup_fd = -EBADF };

/* What happened to one start. */
typedef struct Trial {
        sd_event *event;
        sd_bus *bus;
        Keeper *keeper;
        ContainerSpec spec;
        PrivateBus private_bus;
        pid_t systemd;
        int link;
        bool go, stopped;
        unsigned ends;
        Error error;
} Trial;

static void on_message(Keeper *k, const ControlMessage *m, void *userdata) {
        Trial *t = userdata;
        if (!m)
                t->ends++;
        else if (m->type == CONTROL_GO)
                t->go = true;
        else if (m->type == CONTROL_ERROR && keeper_has_failed(k))
                (void) error_deserialize(strempty(control_message_get(m, "ERROR")), &t->error);
        else
                return;
        if (m && m->type == CONTROL_ERROR)
                t->keeper = keeper_free(k); /* the owner may */
        t->stopped = true;
}

static void trial_done(Trial *t) {
        keeper_free(t->keeper);
        sd_bus_flush_close_unref(t->bus);
        sd_event_unref(t->event);
        fd_close(t->link);
        private_child_stop(&t->systemd);
        private_bus_stop(&t->private_bus);
        error_done(&t->error);
}

/* A slice at the top of the hierarchy, for the overlapped way; with NULL the keeper is strict. */
static char *slice;

/* Makes a keeper for a container of this name; `systemd`: is there one? */
static void trial_begin_in(Trial *t, const char *name, bool systemd, char *in_slice) {
        Error e = ERROR_NULL;
        BusKind kind;
        *t = (Trial){ .link = -EBADF };
        t->spec.name = (char *) name;
        t->spec.payload.stop_timeout_usec = 90 * USEC_PER_SEC;
        t->spec.resources.slice = in_slice;
        private_bus_start(&t->private_bus);
        if (systemd) {
                t->systemd = private_service_start(
                        "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                        "org.freedesktop.systemd1.Manager", fake_systemd_vtable, &fake);
                ASSERT_OK(t->systemd);
        }
        int link[2];
        ASSERT_OK(socket_pair_seqpacket(link));
        t->link = link[1];
        ASSERT_OK(sd_event_new(&t->event));
        int fd = bus_connect_fd(&kind, &e);
        ASSERT_OK(fd);
        ASSERT_EQ(kind, BUS_SYSTEM);
        ASSERT_OK(bus_open_fd(&fd, kind, &t->bus, &e));
        ASSERT_OK(sd_bus_attach_event(t->bus, t->event, 0));
        ASSERT_OK(keeper_new(t->event, t->bus, &t->spec, &link[0], on_message, t, &t->keeper, &e));
        ASSERT_EQ(link[0], -EBADF);
        if (in_slice)
                keeper_allow_overlap(t->keeper);
        ASSERT_OK(keeper_start(t->keeper, &e));
}

static void trial_begin(Trial *t, const char *name, bool systemd) {
        trial_begin_in(t, name, systemd, NULL);
}

static void trial_run(Trial *t) {
        for (unsigned i = 0; i < 4000 && !t->stopped; i++)
                ASSERT_OK(sd_event_run(t->event, 10 * USEC_PER_MSEC));
        ASSERT_TRUE(t->stopped);
}

static void expect_go(const char *name, const char *unit) {
        if (fake.cgroup_fd < 0)
                TEST_SKIP("no cgroup v2 can be mounted here");
        _cleanup_(trial_done) Trial t;
        ControlMessage m = CONTROL_MESSAGE_NULL;
        char *procs = NULL;
        trial_begin(&t, name, true);
        trial_run(&t);
        if (error_is_set(&t.error))
                TEST_FAIL("%s", t.error.message);
        ASSERT_TRUE(t.go);
        ASSERT_EQ(control_receive(t.link, &m), 1);
        ASSERT_EQ(m.type, CONTROL_GO);
        ASSERT_STREQ(control_message_get(&m, "UNIT"), unit);
        ASSERT_OK(m.fds[0]);
        /* nothing may be left in the scope's own group, or controllers could not be turned on below it */
        ASSERT_OK(cgroup_read_attribute(m.fds[0], "cgroup.procs", &procs));
        ASSERT_STREQ(procs, "");
        ASSERT_EQ(cgroup_is_populated(m.fds[0]), 1);
        free(procs);

        _cleanup_(pidref_done) PidRef self = PIDREF_NULL;
        ASSERT_OK(pidref_open(getpid(), &self));
        ASSERT_OK(control_send(t.link, CONTROL_STARTED, NULL, &self.fd, 1));
        for (unsigned i = 0; i < 200 && cgroup_is_populated(m.fds[0]) != 0; i++)
                ASSERT_OK(sd_event_run(t.event, 10 * USEC_PER_MSEC));
        ASSERT_EQ(cgroup_is_populated(m.fds[0]), 0); /* the placeholder is gone */
        control_message_done(&m);
}

TEST(go) {
        expect_go("ok", "machine-ok.scope");
}

TEST(job_ends_before_the_reply) {
        expect_go("early", "machine-early.scope");
}

TEST(signal_is_lost) {
        expect_go("silent", "machine-silent.scope");
}

TEST(reply_is_lost) {
        expect_go("lost", "machine-lost.scope");
}

TEST(name_with_dashes) {
        expect_go("a-b", "machine-a\\x2db.scope");
}

static void expect_error(const char *name, ErrorId id, const char *words) {
        _cleanup_(trial_done) Trial t;
        struct pollfd p = { .events = POLLIN };
        char byte;
        trial_begin(&t, name, true);
        trial_run(&t);
        ASSERT_FALSE(t.go);
        ASSERT_EQ(t.error.id, id);
        ASSERT_CONTAINS(t.error.message, words);
        ASSERT_EQ(t.ends, 0);
        p.fd = t.link; /* the supervisor sees the end of the link */
        ASSERT_EQ(poll(&p, 1, 1000), 1);
        ASSERT_EQ(recv(t.link, &byte, 1, MSG_DONTWAIT), 0);
}

TEST(refused) {
        expect_error("refused", ERROR_INVALID_SETTING,
                     "systemd refused to make scope 'machine-refused.scope': That is no good");
}

TEST(job_fails) {
        expect_error("failed", ERROR_UNIT_FAILED, "could not make scope 'machine-failed.scope'");
}

TEST(job_fails_early) {
        expect_error("early-failed", ERROR_UNIT_FAILED, "job result: failed");
}

TEST(name_is_taken) {
        expect_error("taken", ERROR_NAME_IN_USE, "A container named 'taken' is already running");
}

TEST(process_ends_up_elsewhere) {
        expect_error("elsewhere", ERROR_CGROUP_FAILED, "machine-elsewhere.scope");
}

TEST(bus_ends_in_the_middle) {
        _cleanup_(trial_done) Trial t;
        trial_begin(&t, "ok", false);
        for (unsigned i = 0; i < 10; i++)
                ASSERT_OK(sd_event_run(t.event, 10 * USEC_PER_MSEC));
        ASSERT_EQ(kill(t.private_bus.daemon, SIGKILL), 0);
        trial_run(&t);
        ASSERT_EQ(t.error.id, ERROR_BUS_FAILED);
}

TEST(supervisor_ends_first) {
        _cleanup_(trial_done) Trial t;
        trial_begin(&t, "ok", false);
        t.link = fd_close(t.link);
        trial_run(&t);
        ASSERT_EQ(t.ends, 1);
        ASSERT_FALSE(error_is_set(&t.error));
}

TEST(protocol_is_broken) {
        _cleanup_(trial_done) Trial t;
        trial_begin(&t, "ok", false);
        ASSERT_OK(control_send(t.link, CONTROL_READY, NULL, NULL, 0)); /* before STARTED */
        trial_run(&t);
        ASSERT_EQ(t.ends, 1);
}

/* A supervisor that finds no root, say: with its end the keeper must not end before systemd is through with the scope. */
TEST(supervisor_fails_while_the_scope_is_made) {
        _cleanup_(trial_done) Trial t;
        trial_begin(&t, "silent-slow",
                    true); /* the job is known to have ended after two seconds only */
        t.link = fd_close(t.link);
        for (unsigned i = 0; i < 30; i++)
                ASSERT_OK(sd_event_run(t.event, 10 * USEC_PER_MSEC));
        ASSERT_EQ(t.ends, 0);
        trial_run(&t);
        ASSERT_EQ(t.ends, 1);
        ASSERT_FALSE(t.go);
        ASSERT_FALSE(error_is_set(&t.error));
}

TEST(dismissed_while_the_scope_is_made) {
        if (fake.cgroup_fd < 0)
                TEST_SKIP("no cgroup v2 can be mounted here");
        _cleanup_(trial_done) Trial t;
        ContainerSpec *spec = new0(ContainerSpec, 1);
        ASSERT_NOT_NULL(spec);
        trial_begin(&t, "silent-slow-dismissed", true);
        for (unsigned i = 0; i < 30; i++)
                ASSERT_OK(sd_event_run(t.event, 10 * USEC_PER_MSEC));
        _cleanup_close_ int fd =
                cgroup_open(fake.cgroup_fd, "machine-silent\\x2dslow\\x2ddismissed.scope");
        ASSERT_OK(fd);
        t.keeper = keeper_dismiss(t.keeper, spec);
        char c;
        ASSERT_EQ(recv(t.link, &c, 1, MSG_DONTWAIT), 0); /* tells the supervisor to end */
        ASSERT_EQ(cgroup_is_populated(fd), 1);
        for (unsigned i = 0; i < 2000 && cgroup_is_populated(fd) != 0; i++)
                ASSERT_OK(sd_event_run(t.event, 10 * USEC_PER_MSEC));
        ASSERT_EQ(cgroup_is_populated(fd), 0);
}

/* ---- overlapped ---- */

/* Runs the loop for a while, whatever happens. */
static void trial_idle(Trial *t) {
        for (unsigned i = 0; i < 10; i++)
                ASSERT_OK(sd_event_run(t->event, 10 * USEC_PER_MSEC));
}

static int scope_exists(const char *unit) {
        _cleanup_free_ char *path = strf("/sys/fs/cgroup/%s/%s", slice, unit);
        return access(path, F_OK) >= 0;
}

/* Receives the GO, and makes the payload's group with a process in it: *ret_payload is it. */
static void launch(Trial *t, ControlMessage *go, PidRef *ret_payload) {
        ASSERT_EQ(control_receive(t->link, go), 1);
        ASSERT_EQ(go->type, CONTROL_GO);
        ASSERT_STREQ(control_message_get(go, "HOLD"), "yes");
        int fd = cgroup_make(go->fds[0], "payload");
        ASSERT_OK(fd);
        ASSERT_OK(placeholder_new(fd, ret_payload));
        close(fd);
}

static void overlapped_begin(Trial *t, const char *name) {
        if (!slice)
                TEST_SKIP("no cgroup v2 can be mounted here");
        trial_begin_in(t, name, true, slice);
}

TEST(overlapped) {
        _cleanup_(trial_done) Trial t;
        ControlMessage m = CONTROL_MESSAGE_NULL, second = CONTROL_MESSAGE_NULL;
        PidRef payload = PIDREF_NULL;
        siginfo_t si;
        char mark[8];
        overlapped_begin(&t, "over");
        launch(&t, &m, &payload); /* before systemd was asked */
        ASSERT_FALSE(t.go);
        struct pollfd link = { .fd = t.link, .events = POLLIN };
        ASSERT_EQ(poll(&link, 1, 0), 0);
        trial_run(&t);
        if (error_is_set(&t.error))
                TEST_FAIL("%s", t.error.message);
        ASSERT_TRUE(t.go);
        ASSERT_EQ(control_receive(t.link, &second), 1);
        ASSERT_EQ(second.type, CONTROL_GO);
        ASSERT_FALSE(control_message_get(&second, "HOLD"));
        control_message_done(&second);
        ASSERT_EQ(fgetxattr(m.fds[0], "trusted.delegate", mark, sizeof(mark)), 1); /* not before */
        ASSERT_OK(control_send(t.link, CONTROL_STARTED, NULL, &payload.fd, 1));
        trial_idle(&t);
        char *procs = NULL;
        ASSERT_OK(cgroup_read_attribute(m.fds[0], "cgroup.procs", &procs));
        ASSERT_STREQ(procs, ""); /* the placeholder is gone */
        free(procs);
        ASSERT_OK(pidref_kill(&payload, SIGKILL));
        ASSERT_OK(pidref_wait(&payload, true, &si));
        pidref_done(&payload);
        control_message_done(&m);
}

TEST(overlapped_payload_ends_at_once) {
        _cleanup_(trial_done) Trial t;
        ControlMessage m = CONTROL_MESSAGE_NULL;
        PidRef payload = PIDREF_NULL;
        siginfo_t si;
        overlapped_begin(
                &t, "silent-slow-over"); /* the job is known to have ended after two seconds only */
        launch(&t, &m, &payload);
        trial_run(&t);
        ASSERT_OK(control_send(t.link, CONTROL_STARTED, NULL, &payload.fd, 1));
        ASSERT_OK(pidref_kill(&payload, SIGKILL));
        ASSERT_OK(pidref_wait(&payload, true, &si));
        t.link = fd_close(t.link);
        trial_idle(&t);
        ASSERT_EQ(t.ends, 0);
        ASSERT_EQ(cgroup_is_populated(m.fds[0]), 1); /* never empty before the job's end */
        t.stopped = false;
        trial_run(&t);
        ASSERT_EQ(t.ends, 1);
        pidref_done(&payload);
        control_message_done(&m);
}

TEST(overlapped_and_refused) {
        _cleanup_(trial_done) Trial t;
        ControlMessage m = CONTROL_MESSAGE_NULL;
        PidRef payload = PIDREF_NULL;
        siginfo_t si;
        overlapped_begin(&t, "refused");
        launch(&t, &m, &payload);
        trial_run(&t);
        ASSERT_FALSE(t.go);
        ASSERT_EQ(t.error.id, ERROR_INVALID_SETTING);
        ASSERT_OK(pidref_wait(&payload, true, &si)); /* killed, it never ran */
        pidref_done(&payload);
        control_message_done(&m);
        ASSERT_FALSE(scope_exists("machine-refused.scope"));
}

TEST(overlapped_and_supervisor_fails) {
        Trial t;
        overlapped_begin(&t, "over2");
        ASSERT_TRUE(scope_exists("machine-over2.scope"));
        ASSERT_OK(shutdown(
                t.link,
                SHUT_RDWR)); /* the placeholder may hold a copy of it still: we are its parent */
        trial_run(&t);
        if (error_is_set(&t.error))
                TEST_FAIL("%s", t.error.message);
        ASSERT_EQ(t.ends, 1);
        trial_done(&t);
        ASSERT_FALSE(scope_exists("machine-over2.scope"));
}

static char *slice_new(int *ret_fd) {
        _cleanup_close_ int root_fd = cgroup_open_root();
        char *name = strf("berthtest%d.slice", (int) getpid());
        int fd = root_fd >= 0 && name ? cgroup_make(root_fd, name) : -ENOMEDIUM;
        if (fd < 0) {
                free(name);
                return NULL;
        }
        *ret_fd = fd;
        return name;
}

static void expect_end(const PidRef *p) {
        struct pollfd pfd = { .fd = p->fd, .events = POLLIN };
        ASSERT_EQ(poll(&pfd, 1, 60000), 1);
}

/* What systemd is just about to move does not end with us; who stops it stops it. */
TEST(placeholder_of_a_dead_keeper) {
        int pipe_fds[2];
        pid_t pids[2];
        _cleanup_(pidref_done) PidRef stopped = PIDREF_NULL, left = PIDREF_NULL;
        ASSERT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
        ASSERT_OK(pipe2(pipe_fds, O_CLOEXEC));
        pid_t keeper = fork();
        ASSERT_OK(keeper);
        if (keeper == 0) {
                PidRef p[2] = { PIDREF_NULL, PIDREF_NULL };
                for (size_t i = 0; i < 2; i++)
                        if (placeholder_new(-EBADF, &p[i]) < 0 ||
                            write(pipe_fds[1], &p[i].pid, sizeof(pid_t)) != sizeof(pid_t))
                                _exit(1);
                pause();
        }
        ASSERT_EQ(read(pipe_fds[0], &pids[0], sizeof(pid_t)), (ssize_t) sizeof(pid_t));
        ASSERT_EQ(read(pipe_fds[0], &pids[1], sizeof(pid_t)), (ssize_t) sizeof(pid_t));
        close(pipe_fds[0]);
        close(pipe_fds[1]);
        ASSERT_OK(pidref_open(pids[0], &stopped));
        ASSERT_OK(pidref_open(pids[1], &left));
        ASSERT_OK(kill(keeper, SIGKILL));
        ASSERT_EQ(waitpid(keeper, NULL, 0), keeper);
        usleep(300000);
        ASSERT_TRUE(pidref_is_alive(&stopped));
        ASSERT_TRUE(pidref_is_alive(&left));
        ASSERT_OK(pidref_kill(&stopped, SIGTERM));
        expect_end(&stopped);
        expect_end(&left);
        ASSERT_EQ(pidref_wait(&stopped, true, NULL), 1);
        ASSERT_EQ(pidref_wait(&left, true, NULL), 1);
        ASSERT_OK(prctl(PR_SET_CHILD_SUBREAPER, 0));
}

static void slice_remove(const char *name) {
        _cleanup_close_ int root_fd = cgroup_open_root();
        for (unsigned i = 0; root_fd >= 0 && i < 100 && cgroup_remove(root_fd, name) == -EBUSY; i++)
                usleep(10000);
}

int main(int argc, char **argv) {
        if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
            mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
                fprintf(stderr, "skipped: needs root and a mount namespace\n");
                return 77;
        }
        if (mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL) >= 0)
                slice = slice_new(&fake.cgroup_fd); /* where strict ones go, too */
        int r = test_run_all(argc, argv);
        if (slice)
                slice_remove(slice);
        free(slice);
        return r;
}
