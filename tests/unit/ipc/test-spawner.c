/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The spawner's answers, as berthd takes them; tests/unit/spawner has the requests. */
#include "ipc/spawner.h"

#include <unistd.h>

#include "basic/fd.h"
#include "test.h"

TEST(path) {
        ASSERT_OK(unsetenv("BERTH_SPAWNER"));
        ASSERT_STREQ(spawner_path(), BERTH_LIBEXECDIR "/berth-spawner");
        ASSERT_OK(setenv("BERTH_SPAWNER", "/x/y", 1));
        ASSERT_STREQ(spawner_path(), "/x/y");
}

TEST(answers) {
        _cleanup_close_pair_ int p[2] = PAIR_EBADF;
        PidRef self = PIDREF_NULL, process = PIDREF_NULL;
        SpawnAnswer a;
        ASSERT_OK(socket_pair_seqpacket(p));
        ASSERT_OK(pidref_open(getpid(), &self));
        ASSERT_OK(spawn_answer_send(p[0], 5, 0, &self));
        ASSERT_OK(spawn_answer_send(p[0], 6, -EMFILE, NULL));
        ASSERT_EQ(spawn_answer_receive(p[1], &a, &process), 1);
        ASSERT_EQ(a.id, 5);
        ASSERT_EQ(process.pid, getpid());
        ASSERT_TRUE(pidref_is_alive(&process));
        pidref_done(&process);
        ASSERT_EQ(spawn_answer_receive(p[1], &a, &process), 1);
        ASSERT_EQ(a.code, -EMFILE);
        ASSERT_FALSE(pidref_is_set(&process));
        /* a process that is none, an error that is none, too short, the end */
        const SpawnAnswer bad[] = { { SPAWNER_VERSION, 0, 1, 7 },
                                    { SPAWNER_VERSION, 5, 1, 0 },
                                    { SPAWNER_VERSION + 1, -EMFILE, 1, 0 },
                                    { SPAWNER_VERSION, -EMFILE, 1, 0 } };
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                ASSERT_OK(socket_send(p[0], &bad[i], sizeof(bad[i]) - (i == 3), NULL, 0));
                ASSERT_ERROR(spawn_answer_receive(p[1], &a, &process), EBADMSG);
        }
        ASSERT_OK(spawn_answer_send(p[0], 5, -EMFILE, &self));
        ASSERT_ERROR(spawn_answer_receive(p[1], &a, &process), EBADMSG); /* both */
        p[0] = fd_close(p[0]);
        ASSERT_EQ(spawn_answer_receive(p[1], &a, &process), 0);
        pidref_done(&self);
}

/* A spawner that is killed with requests in its socket: what it has answered is not lost. */
TEST(answers_before_a_reset) {
        _cleanup_close_pair_ int p[2] = PAIR_EBADF;
        _cleanup_(pidref_done) PidRef self = PIDREF_NULL, process = PIDREF_NULL;
        SpawnAnswer a;
        ASSERT_OK(socket_pair_seqpacket(p));
        ASSERT_OK(pidref_open(getpid(), &self));
        ASSERT_OK(spawn_answer_send(p[0], 5, 0, &self));
        ASSERT_OK(spawn_answer_send(p[0], 6, -EMFILE, NULL));
        ASSERT_OK(socket_send(p[1], "unread", 6, NULL, 0));
        p[0] = fd_close(p[0]);
        ASSERT_EQ(spawn_answer_receive(p[1], &a, &process), 1);
        ASSERT_EQ(a.id, 5);
        ASSERT_EQ(process.pid, getpid());
        ASSERT_TRUE(pidref_is_alive(&process));
        pidref_done(&process);
        ASSERT_EQ(spawn_answer_receive(p[1], &a, &process), 1);
        ASSERT_EQ(a.id, 6);
        ASSERT_EQ(spawn_answer_receive(p[1], &a, &process), 0);
}

int main(int argc, char **argv) {
        return test_run_all(argc, argv);
}
