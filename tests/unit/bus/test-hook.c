/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hooks against a systemd that is made up; what it is asked for is tested with a real one. */
#include "bus/bus.h"
#include "bus/hook.h"
#include "fake/systemd1.h"

static FakeSystemd fake = { .cgroup_fd = -EBADF };

typedef struct Trial {
        PrivateBus private_bus;
        pid_t systemd;
        sd_bus *bus;
        sd_event *event;
        HookRun *run;
        unsigned ends;
        Error error;
} Trial;

static void trial_begin(Trial *t, bool systemd) {
        Error e = ERROR_NULL;
        *t = (Trial){ 0 };
        private_bus_start(&t->private_bus);
        if (systemd) {
                t->systemd = private_service_start(
                        "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                        "org.freedesktop.systemd1.Manager", fake_systemd_vtable, &fake);
                ASSERT_OK(t->systemd);
        }
        ASSERT_OK(bus_connect_system(&t->bus, &e));
        ASSERT_OK(sd_event_new(&t->event));
}

static void trial_done(Trial *t) {
        hook_run_free(t->run);
        error_done(&t->error);
        sd_bus_flush_close_unref(t->bus);
        sd_event_unref(t->event);
        private_child_stop(&t->systemd);
        private_bus_stop(&t->private_bus);
}

static char *const commands[] = { (char *) "-/bin/a \"b c\"", (char *) "/bin/d", NULL };

static HookFacts facts_for(const char *name) {
        return (HookFacts){ .name = name,
                            .root_directory = "/srv/root",
                            .leader = 5,
                            .commands = commands,
                            .timeout_usec = 60 * USEC_PER_SEC };
}

TEST(unit_names) {
        _cleanup_free_ char *pre = hook_unit_name(HOOK_PRE_START, "a-b.c"),
                            *post = hook_unit_name(HOOK_POST_STOP, "a-b.c");
        ASSERT_STREQ(pre, "berth-prestart-a-b.c.service");
        ASSERT_STREQ(post, "berth-poststop-a-b.c.service");
}

TEST(waited_for) {
        static const char *const names[] = { "web", "early" };
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_(trial_done) Trial t;
                const HookFacts f = facts_for(names[i]);
                trial_begin(&t, true);
                ASSERT_OK(hook_run_and_wait(t.bus, HOOK_PRE_START, &f, &t.error));
        }
}

TEST(failures) {
        static const struct {
                const char *name, *message, *hint;
                ErrorId id;
        } cases[] = {
                { "failed", "PreStart= of 'failed' has failed", "berth-prestart-failed.service",
                  ERROR_UNIT_FAILED },
                { "early-failed", "PreStart= of 'early-failed' has failed", "journalctl -u",
                  ERROR_UNIT_FAILED },
                { "refused", "Starting PreStart= of 'refused' failed", "journalctl -u", 0 },
                { "taken", "Starting PreStart= of 'taken' failed", "journalctl -u", 0 },
        };
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(trial_done) Trial t;
                const HookFacts f = facts_for(cases[i].name);
                trial_begin(&t, true);
                ASSERT_TRUE(hook_run_and_wait(t.bus, HOOK_PRE_START, &f, &t.error) < 0);
                ASSERT_CONTAINS(t.error.message, cases[i].message);
                ASSERT_CONTAINS(t.error.hint, cases[i].hint);
                if (cases[i].id != 0)
                        ASSERT_EQ(t.error.id, cases[i].id);
        }
}

TEST(time_is_over) {
        _cleanup_(trial_done) Trial t;
        HookFacts f = facts_for("failed");
        f.timeout_usec = 0; /* systemd says "failed" of a service that took too long, too */
        trial_begin(&t, true);
        ASSERT_EQ(hook_run_and_wait(t.bus, HOOK_POST_START, &f, &t.error), -ETIMEDOUT);
        ASSERT_CONTAINS(t.error.message, "PostStart= of 'failed' has not ended in time");
        ASSERT_EQ(t.error.id, ERROR_TIMEOUT);
}

TEST(without_systemd) {
        _cleanup_(trial_done) Trial t;
        const HookFacts f = facts_for("web");
        trial_begin(&t, false);
        ASSERT_TRUE(hook_run_and_wait(t.bus, HOOK_PRE_START, &f, &t.error) < 0);
        ASSERT_CONTAINS(t.error.message, "Starting PreStart= of 'web' failed");
}

static void on_done(Error *e, void *userdata) {
        Trial *t = userdata;
        t->ends++;
        if (e)
                (void) error_take(&t->error, e);
        t->run = hook_run_free(t->run); /* the owner may */
}

TEST(from_the_event_loop) {
        _cleanup_(trial_done) Trial t;
        const HookFacts f = facts_for("failed");
        trial_begin(&t, true);
        ASSERT_OK(sd_bus_attach_event(t.bus, t.event, 0));
        ASSERT_OK(hook_run(t.event, t.bus, HOOK_PRE_STOP, &f, on_done, &t, &t.run, NULL));
        for (unsigned i = 0; i < 500 && t.ends == 0; i++)
                ASSERT_OK(sd_event_run(t.event, 10 * USEC_PER_MSEC));
        ASSERT_EQ(t.ends, 1);
        ASSERT_CONTAINS(t.error.message, "PreStop= of 'failed' has failed");
        /* nobody waits: it sees to itself */
        ASSERT_OK(hook_run(t.event, t.bus, HOOK_POST_STOP, &f, NULL, NULL, NULL, NULL));
        for (unsigned i = 0; i < 20; i++)
                ASSERT_OK(sd_event_run(t.event, 10 * USEC_PER_MSEC));
}

TEST_MAIN
