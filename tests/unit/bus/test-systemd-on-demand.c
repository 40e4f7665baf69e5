/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Functions of libsystemd before it is loaded. Each test is a process of its own: in it the first call is the first one. */
#include <dlfcn.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "test.h"

static bool is_loaded(void) {
        void *library = dlopen("libsystemd.so.0", RTLD_NOW | RTLD_NOLOAD);
        return library != NULL;
}

static int in_a_process(int (*run)(void)) {
        int status;
        pid_t pid = fork();
        ASSERT_OK(pid);
        if (pid == 0)
                _exit(run());
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int first_call(void) {
        sd_event *event = NULL;
        if (is_loaded())
                return 1;
        if (sd_event_new(&event) < 0 || !event || !is_loaded())
                return 2;
        return sd_event_unref(event) ? 3 : 0;
}

TEST(opened_by_the_first_call) {
        ASSERT_EQ(in_a_process(first_call), 0);
}

static int no_object(void) {
        return sd_bus_unref(NULL) != NULL || sd_event_unref(NULL) != NULL;
}

TEST(null_is_passed_on) {
        ASSERT_EQ(in_a_process(no_object), 0);
}

/* More arguments than there are registers, of all kinds, in the very first call. */
static int variable_arguments(void) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        (void) sd_bus_error_setf(&e, "org.berth.Test", "%d %s %.2f %llu %.1f %c %ld %s %.3f", -1,
                                 "two", 3.25, 4ULL, 5.5, '6', 7L, "eight", 9.125);
        int wrong = !streq(e.message, "-1 two 3.25 4 5.5 6 7 eight 9.125");
        sd_bus_error_free(&e);
        return wrong;
}

TEST(variable_arguments) {
        ASSERT_EQ(in_a_process(variable_arguments), 0);
        ASSERT_EQ(variable_arguments(), 0);
        ASSERT_EQ(variable_arguments(), 0); /* the second call takes the short way */
}

TEST_MAIN
