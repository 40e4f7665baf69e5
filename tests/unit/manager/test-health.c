/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Health checks from the manager's side. This test stands in for the workers: the name of the container says how its programs end. */
#include "host.h"

#include <limits.h>
#include <sys/prctl.h>

#include "basic/strv.h"
#include "ipc/worker.h"

static int stand_in(void) {
        _cleanup_(worker_request_done) WorkerRequest r = { 0 };
        int status[2];
        if (worker_request_read(WORKER_REQUEST_FD, &r) < 0 || r.operation.type != OPERATION_EXEC ||
            socket_pair_seqpacket(status) < 0)
                return 1;
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL); /* the test ends its manager without a word */
        const char *end = startswith(r.name, "health-well")   ? "exited 0"
                          : startswith(r.name, "health-slow") ? "timeout"
                                                              : "exited 3";
        if (strv_length(r.operation.argv) != 2 || !streq(r.operation.argv[1], "a b") ||
            r.operation.timeout_usec != 30 * USEC_PER_SEC)
                end = "killed 6";
        if (startswith(r.name, "health-mute"))
                return 1; /* it cannot be started */
        if (worker_answer(WORKER_LINK_FD, "", 0, &status[1], 1) < 0)
                return 1;
        close(status[1]);
        if (startswith(r.name, "health-lost"))
                return 0; /* killed: nobody tells how its program ends */
        return socket_send(status[0], end, strlen(end), NULL, 0) < 0;
}

static void expect_health(Host *h, const char *name, const char *health) {
        for (unsigned i = 0; i < 1000; i++) {
                _cleanup_(container_info_done) ContainerInfo info = { 0 };
                _cleanup_error_ Error e = ERROR_NULL;
                ASSERT_OK(manager1_get(h->bus, name, &info, &e));
                if (streq_ptr(info.health, health))
                        return;
                usleep(10000);
        }
        TEST_FAIL("'%s' does not become %s", name, health);
}

TEST(results) {
        static const char *const names[] = { "health-well", "health-sick", "health-slow",
                                             "health-mute", "health-lost" };
        _cleanup_(host_stop) Host h;
        Supervisor s[ELEMENTSOF(names)];
        _cleanup_(supervisor_stop) Supervisor web = { .command_fd = -EBADF };
        host_start(&h);
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                s[i] = supervisor_start(&h, names[i], "running");
                expect_state(&h, names[i], "running");
        }
        web = supervisor_start(&h, "web", "running");
        expect_state(&h, "web", "running");
        expect_health(&h, "web", "none");
        expect_health(&h, "health-well", "healthy");
        for (size_t i = 1; i < ELEMENTSOF(names); i++)
                expect_health(&h, names[i], "unhealthy");
        /* a new system inside is a new health */
        supervisor_send(&s[1], 'b');
        expect_health(&h, names[1], "starting");
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                supervisor_stop(&s[i]);
}

TEST(action) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor killed = { .command_fd = -EBADF },
                                              stopped = { .command_fd = -EBADF };
        host_start(&h);
        killed = supervisor_start(&h, "health-sick-kill", "running");
        stopped = supervisor_start(&h, "health-sick-stop", "running");
        expect_state(&h, "health-sick-kill", "running");
        expect_state(&h, "health-sick-stop", "running");
        for (unsigned i = 0; i < 3; i++) { /* each waits three seconds */
                _cleanup_(container_info_done) ContainerInfo info = { 0 };
                _cleanup_error_ Error e = ERROR_NULL;
                if (manager1_get(h.bus, "health-sick-kill", &info, &e) < 0)
                        break;
                usleep(1000000);
        }
        expect_state(&h, "health-sick-kill", "");
        expect_state(&h, "health-sick-stop", "");
}

int main(int argc, char **argv) {
        char self[PATH_MAX] = "";
        if (argc > 0 && streq(argv[0], "berth-worker"))
                return stand_in();
        if (geteuid() != 0) {
                fprintf(stderr, "skipped: needs root\n");
                return 77;
        }
        if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0 ||
            setenv("BERTH_WORKER", self, 1) < 0)
                return 1;
        return test_run_all(argc, argv);
}
