/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The connection to a spawner that does what the test tells it. */
#include "manager/spawner-link.h"

#include <stdlib.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "test.h"

typedef struct Fake {
        char directory[40];
        char *path;
        int listen_fd;
        sd_event *event;
        SpawnerLink *link;
} Fake;

typedef struct Answer {
        unsigned n;
        pid_t pid;
        Error e;
} Answer;

static const int no_fds[SPAWN_PLACES_MAX] = { -EBADF, -EBADF, -EBADF, -EBADF,
                                              -EBADF, -EBADF, -EBADF, -EBADF };

static void fake_begin(Fake *f) {
        _cleanup_error_ Error e = ERROR_NULL;
        *f = (Fake){ .directory = "/tmp/test-spawner.XXXXXX" };
        ASSERT_NOT_NULL(mkdtemp(f->directory));
        f->path = strjoin(f->directory, "/spawner");
        f->listen_fd = socket_listen_seqpacket(f->path, 0600);
        ASSERT_OK(f->listen_fd);
        ASSERT_OK(sd_event_new(&f->event));
        ASSERT_OK(spawner_link_new(f->event, f->path, &f->link, &e));
}

static void fake_end(Fake *f) {
        spawner_link_free(f->link);
        sd_event_unref(f->event);
        fd_close(f->listen_fd);
        (void) unlink(f->path);
        (void) rmdir(f->directory);
        free(f->path);
}

static void note(PidRef *process, const Error *e, void *userdata) {
        Answer *a = userdata;
        a->n++;
        a->pid = process ? process->pid : 0;
        error_done(&a->e);
        if (e) {
                (void) error_set(&a->e, e->code, e->id, "%s", e->message);
                error_hint(&a->e, "%s", strempty(e->hint));
        }
        if (process)
                pidref_done(process); /* else it would be killed: it is this one */
}

static void wait_for(Fake *f, const Answer *a) {
        for (unsigned i = 0; i < 100 && a->n == 0; i++)
                ASSERT_OK(sd_event_run(f->event, 300 * USEC_PER_MSEC));
        ASSERT_EQ(a->n, 1);
}

static void start(Fake *f, Answer *a, Spawn **ret) {
        _cleanup_error_ Error e = ERROR_NULL;
        ASSERT_OK(spawn_start(f->link, SPAWN_WORKER, NULL, no_fds, "Starting it failed", note, a,
                              ret, &e));
}

TEST(no_answer) {
        _cleanup_(fake_end) Fake f;
        Answer a = { 0 };
        Spawn *s;
        fake_begin(&f);
        spawner_link_set_timeout(f.link, 10 * USEC_PER_MSEC);
        start(&f, &a, &s);
        wait_for(&f, &a);
        ASSERT_EQ(a.e.id, ERROR_TIMEOUT);
        ASSERT_STREQ(a.e.message, "Starting it failed: the spawner does not answer in time");
        ASSERT_CONTAINS(a.e.hint, "systemctl status berth-spawner.socket");
        error_done(&a.e);
}

/* It is killed with a request that it has not read: what it has answered counts, the rest has failed. */
TEST(killed_with_requests) {
        _cleanup_(fake_end) Fake f;
        _cleanup_(pidref_done) PidRef self = PIDREF_NULL;
        Answer a[2] = { 0 };
        int fds[SPAWN_PLACES_MAX];
        SpawnRequest q;
        Spawn *s[2];
        fake_begin(&f);
        int fd = accept4(f.listen_fd, NULL, NULL, SOCK_CLOEXEC);
        ASSERT_OK(fd);
        ASSERT_OK(pidref_open(getpid(), &self));
        start(&f, &a[0], &s[0]);
        start(&f, &a[1], &s[1]);
        ASSERT_EQ(spawn_request_receive(fd, &q, fds), 1);
        ASSERT_OK(spawn_answer_send(fd, q.id, 0, &self));
        fd_close(fd);
        wait_for(&f, &a[0]);
        ASSERT_EQ(a[0].pid, getpid());
        wait_for(&f, &a[1]);
        ASSERT_EQ(a[1].pid, 0);
        ASSERT_EQ(a[1].e.code, -ECONNRESET);
        error_done(&a[1].e);
}

TEST(own_that_is_missing) {
        _cleanup_error_ Error e = ERROR_NULL;
        Answer a = { 0 };
        Fake f = { 0 };
        Spawn *s;
        ASSERT_OK(setenv("BERTH_SPAWNER", "/nonexistent/spawner", 1));
        ASSERT_OK(sd_event_new(&f.event));
        ASSERT_OK(spawner_link_new(f.event, NULL, &f.link, &e));
        start(&f, &a, &s);
        wait_for(&f, &a);
        ASSERT_TRUE(error_is_set(&a.e));
        ASSERT_CONTAINS(a.e.hint, "'/nonexistent/spawner'");
        error_done(&a.e);
        spawner_link_free(f.link);
        sd_event_unref(f.event);
}

TEST_MAIN
