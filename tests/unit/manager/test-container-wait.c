/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of manager/container-wait.c: pausing and resuming, with made-up supervisors. */
#include "host.h"

TEST(pause) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor web = { .command_fd = -EBADF },
                                              stiff = { .command_fd = -EBADF },
                                              none = { .command_fd = -EBADF };
        _cleanup_error_ Error e = ERROR_NULL, resumed = ERROR_NULL, unsupported = ERROR_NULL,
                              unknown = ERROR_NULL;
        host_start(&h);
        web = supervisor_start(&h, "web", "running");
        stiff = supervisor_start(&h, "stiff", "running");
        none = supervisor_start(&h, "groupless", "running");
        expect_state(&h, "web", "running");
        expect_state(&h, "stiff", "running");
        expect_state(&h, "groupless", "running");
        ASSERT_OK(manager1_pause(h.bus, "web", &e));
        expect_state(&h, "web", "paused");
        ASSERT_OK(manager1_pause(h.bus, "web", &e));
        ASSERT_OK(manager1_resume(h.bus, "web", &e));
        expect_state(&h, "web", "running");
        ASSERT_OK(manager1_resume(h.bus, "web", &e));

        ASSERT_TRUE(manager1_pause(h.bus, "groupless", &unsupported) < 0);
        ASSERT_EQ(unsupported.id, ERROR_UNSUPPORTED);
        ASSERT_CONTAINS(unsupported.message, "'groupless' has no control group");
        expect_state(&h, "groupless", "running");

        /* somebody else resumes it before all of it rests */
        pid_t pid = private_fork();
        ASSERT_OK(pid);
        if (pid == 0) {
                usleep(200000);
                supervisor_send(&stiff, 'u');
                _exit(0);
        }
        ASSERT_TRUE(manager1_pause(h.bus, "stiff", &resumed) < 0);
        ASSERT_CONTAINS(resumed.message, "'stiff' was resumed meanwhile");
        private_child_stop(&pid);
        expect_state(&h, "stiff", "running");
        ASSERT_TRUE(manager1_pause(h.bus, "nosuch", &unknown) < 0);
        ASSERT_EQ(unknown.id, ERROR_NO_SUCH_CONTAINER);

        /* on its way down it is not paused */
        ASSERT_OK(manager1_pause(h.bus, "web", &e));
        supervisor_send(&web, 's');
        expect_state(&h, "web", "stopping");
        _cleanup_error_ Error late = ERROR_NULL;
        ASSERT_TRUE(manager1_pause(h.bus, "web", &late) < 0);
        ASSERT_CONTAINS(late.message, "'web' is stopping; only one that runs can be paused");
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        int *answer = userdata;
        *answer = sd_bus_message_is_method_error(m, NULL) ? -1 : 1;
        return 0;
}

static void call_begin(Host *h, const char *method, const char *name, int *answer) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        Error e = ERROR_NULL;
        ASSERT_OK(manager1_new_call(h->bus, method, &m, &e));
        ASSERT_OK(sd_bus_message_append(m, "s", name));
        ASSERT_OK(sd_bus_call_async(h->bus, NULL, m, on_answer, answer, 5 * USEC_PER_SEC));
}

static void wait_for_answers(Host *h, const int *first, const int *second) {
        while (*first == 0 || *second == 0) {
                int r = sd_bus_process(h->bus, NULL);
                ASSERT_OK(r);
                if (r == 0)
                        ASSERT_OK(sd_bus_wait(h->bus, UINT64_MAX));
        }
}

/* Answers are for the requests that they answer, also when the next one is on its way. */
TEST(pause_and_resume_cross) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor slow = { .command_fd = -EBADF };
        int pause = 0, resume = 0;
        host_start(&h);
        slow = supervisor_start(&h, "slow", "running");
        expect_state(&h, "slow", "running");

        call_begin(&h, "PauseContainer", "slow", &pause);
        call_begin(&h, "ResumeContainer", "slow", &resume);
        expect_state(&h, "slow", "running"); /* the manager has read both */
        supervisor_send(&slow, 'p');
        supervisor_send(&slow, 'u');
        wait_for_answers(&h, &pause, &resume);
        ASSERT_EQ(pause, 1);
        ASSERT_EQ(resume, 1);

        pause = resume = 0;
        call_begin(&h, "ResumeContainer", "slow", &resume);
        call_begin(&h, "PauseContainer", "slow", &pause);
        expect_state(&h, "slow", "running");
        supervisor_send(&slow, 'u');
        supervisor_send(&slow, 'p');
        wait_for_answers(&h, &pause, &resume);
        ASSERT_EQ(resume, 1);
        ASSERT_EQ(pause, 1);
        expect_state(&h, "slow", "paused");

        /* and a PAUSE that a later RESUME has undone is told so */
        pause = resume = 0;
        call_begin(&h, "PauseContainer", "slow", &pause);
        call_begin(&h, "ResumeContainer", "slow", &resume);
        expect_state(&h, "slow", "paused");
        supervisor_send(&slow, 'u');
        wait_for_answers(&h, &pause, &resume);
        ASSERT_EQ(pause, -1);
        ASSERT_EQ(resume, 1);
}

int main(int argc, char **argv) {
        if (geteuid() != 0) {
                fprintf(stderr, "skipped: needs root\n");
                return 77;
        }
        return test_run_all(argc, argv);
}
