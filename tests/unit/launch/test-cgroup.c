/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the payload's cgroup comes from, and that nothing of it stays. A cgroup2 file system is mounted for the test alone; its
 * groups are real, so all work is done in one of our own. */
#include "start.h"

#include "ipc/control.h"
#include "sys/cgroup.h"

static Running run;          /* big */
static int base_fd = -EBADF; /* the group that stands for the unit or scope */
static char base_name[64];

static void set_up(void) {
        start_set_up();
        if (base_fd >= 0)
                return;
        if (mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL) < 0)
                TEST_SKIP("cgroup2 cannot be mounted here");
        int root = cgroup_open_root();
        ASSERT_OK(root);
        snprintf(base_name, sizeof(base_name), "berth-test-%d", (int) getpid());
        base_fd = cgroup_make(root, base_name);
        ASSERT_OK(base_fd);
        fd_close(root);
}

static void tear_down(void) {
        int root = cgroup_open_root();
        ASSERT_EQ(cgroup_remove(root, base_name), 0);
        base_fd = fd_close(base_fd);
        fd_close(root);
        ASSERT_OK(umount2("/sys/fs/cgroup", MNT_DETACH));
}

static void use_range(ContainerSpec *s) {
        s->users.mode = USERNS_RANGE;
        s->users.base = 1000000;
        s->users.count = 65536;
}

/* The supervisor is born in `group` below base. */
static void start_in(const ContainerSpec *spec, const char *group) {
        int fd = cgroup_make(base_fd, group);
        ASSERT_OK(fd);
        ASSERT_OK(cgroup_attach(fd, 0));
        start(&run, spec);
        int root = cgroup_open_root();
        ASSERT_OK(cgroup_attach(root, 0));
        fd_close(root);
        fd_close(fd);
}

static bool exists(const char *path) {
        return faccessat(base_fd, path, F_OK, 0) >= 0;
}

static const char busy[] =
        "cat /proc/self/cgroup | grep ^0; mkdir /sys/fs/cgroup/a /sys/fs/cgroup/a/b && echo made; echo up; cat";

static void own(bool userns) {
        set_up();
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL(busy));
        s->resources.cgroup = CGROUP_OWN;
        if (userns)
                use_range(s);
        start_in(s, "caller");
        start_read(&run, "up");
        ASSERT_TRUE(startswith(run.out_text, "0::/\nmade\n"));
        ASSERT_TRUE(exists("berth-web/payload/a/b") || exists("caller/berth-web/payload/a/b"));
        ASSERT_EQ(start_end(&run), 0);
        ASSERT_STREQ(run.err_text, "");
        ASSERT_FALSE(exists("berth-web") || exists("caller/berth-web"));
        tear_down();
}

TEST(own_cgroup) {
        own(false);
}
TEST(own_cgroup_user_namespace) {
        own(true);
}

/* What a crash left is taken over. */
TEST(own_cgroup_left_over) {
        set_up();
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL("echo up; cat"));
        siginfo_t info;
        s->resources.cgroup = CGROUP_OWN;
        start_in(s, "caller");
        start_read(&run, "up");
        ASSERT_OK(pidref_kill(&run.supervisor, SIGKILL));
        ASSERT_EQ(pidref_wait(&run.supervisor, true, &info), 1);
        pidref_done(&run.supervisor);
        run.in = fd_close(run.in);
        start_read(&run, NULL);
        start_in(s, "caller");
        start_read(&run, "up");
        ASSERT_EQ(start_end(&run), 0);
        ASSERT_FALSE(exists("berth-web") || exists("caller/berth-web"));
        tear_down();
}

/* A supervisor in unit.service, or in a group in it: is it in supervisor/ then? */
static void unit(bool userns, bool boot, const char *group) {
        set_up();
        _cleanup_spec_ ContainerSpec *s = boot ? start_spec(NULL) : start_spec(SHELL(busy));
        _cleanup_free_ char *path = NULL, *init = strf("#!/bin/sh\n%s\n", busy);
        bool apart = boot || strchr(group, '/');
        s->resources.cgroup = CGROUP_UNIT;
        if (boot) {
                s->payload.start = START_BOOT;
                write_text("/run/root/sbin/init", init, 0755);
        }
        if (userns)
                use_range(s);
        if (strchr(group, '/')) {
                int fd = cgroup_make(base_fd, "unit.service");
                int base = base_fd;
                base_fd = fd;
                start_in(s, "supervisor");
                base_fd = base;
                fd_close(fd);
        } else
                start_in(s, group);
        start_read(&run, "up");
        ASSERT_TRUE(startswith(run.out_text, "0::/\nmade\n"));
        ASSERT_OK(cgroup_get_path(run.supervisor.pid, &path));
        ASSERT_STREQ(strstr(path, "/unit.service"),
                     apart ? "/unit.service/supervisor" : "/unit.service");
        ASSERT_TRUE(exists("unit.service/payload/a/b"));
        ASSERT_EQ(start_end(&run), 0);
        ASSERT_STREQ(run.err_text, "");
        ASSERT_FALSE(exists("unit.service/payload"));
        (void) unlink("/run/root/sbin/init");
        tear_down();
}

TEST(unit_is_shared) {
        unit(false, false, "unit.service");
}
TEST(unit_is_shared_user_namespace) {
        unit(true, false, "unit.service");
}
TEST(unit_is_split) {
        unit(false, true, "unit.service");
}
TEST(unit_is_split_user_namespace) {
        unit(true, true, "unit.service");
}
TEST(unit_is_split_already) {
        unit(true, false, "unit.service/supervisor");
}

static void go(int fd, int scope, const char *hold) {
        char unit[] = "UNIT=machine-web.scope";
        char *const fields[] = { unit, (char *) hold, NULL };
        ASSERT_OK(control_send(fd, CONTROL_GO, fields, &scope, 1));
}

/* GO brings the directory. With HOLD=yes the payload is cloned, but runs only after a second GO. */
static void wait_mode(bool userns, bool hold) {
        set_up();
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL(busy));
        _cleanup_(control_message_done) ControlMessage m = CONTROL_MESSAGE_NULL;
        int pair[2], scope = cgroup_make(base_fd, "machine-web.scope");
        s->resources.cgroup = CGROUP_WAIT;
        if (userns)
                use_range(s);
        ASSERT_OK(scope);
        ASSERT_OK(socket_pair_seqpacket(pair));
        start_on(&run, s, pair[1]);
        fd_close(pair[1]);
        go(pair[0], scope, hold ? "HOLD=yes" : NULL);
        if (hold) {
                struct pollfd p = { .fd = pair[0], .events = POLLIN };
                ASSERT_EQ(poll(&p, 1, 500), 0);
                int payload = cgroup_open(scope, "payload");
                ASSERT_OK(payload);
                ASSERT_EQ(cgroup_is_populated(payload), 1);
                fd_close(payload);
                go(pair[0], scope, NULL);
        }
        ASSERT_EQ(control_receive(pair[0], &m), 1);
        ASSERT_EQ(m.type, CONTROL_STARTED);
        start_read(&run, "up");
        ASSERT_TRUE(startswith(run.out_text, "0::/\nmade\n"));
        ASSERT_EQ(start_end(&run), 0);
        fd_close(scope);
        fd_close(pair[0]);
        tear_down();
}

TEST(scope) {
        wait_mode(false, false);
}
TEST(scope_user_namespace) {
        wait_mode(true, false);
}
TEST(scope_held) {
        wait_mode(false, true);
}
TEST(scope_held_user_namespace) {
        wait_mode(true, true);
}

/* A launcher that gives up while the payload is held: all ends, quietly. */
TEST(scope_held_for_ever) {
        set_up();
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL("echo up"));
        int pair[2], scope = cgroup_make(base_fd, "machine-web.scope");
        s->resources.cgroup = CGROUP_WAIT;
        ASSERT_OK(socket_pair_seqpacket(pair));
        start_on(&run, s, pair[1]);
        fd_close(pair[1]);
        go(pair[0], scope, "HOLD=yes");
        usleep(300000);
        ASSERT_TRUE(exists("machine-web.scope/payload"));
        ASSERT_EQ(cgroup_is_populated(scope), 1);
        fd_close(pair[0]);
        ASSERT_EQ(start_end(&run), 125);
        ASSERT_STREQ(run.out_text, "");
        ASSERT_STREQ(run.err_text, "");
        ASSERT_EQ(cgroup_is_populated(scope), 0);
        fd_close(scope);
        tear_down();
}

/* The same, and the held payload is killed, before any of it is noticed: it has not run. */
static void held_and_killed(bool launcher_ends) {
        set_up();
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL("echo up"));
        _cleanup_(control_message_done) ControlMessage m = CONTROL_MESSAGE_NULL;
        int pair[2], scope = cgroup_make(base_fd, "machine-web.scope");
        s->resources.cgroup = CGROUP_WAIT;
        ASSERT_OK(socket_pair_seqpacket(pair));
        start_on(&run, s, pair[1]);
        fd_close(pair[1]);
        go(pair[0], scope, "HOLD=yes");
        for (unsigned i = 0; i < 3000 && cgroup_is_populated(scope) != 1; i++)
                usleep(10000);
        usleep(300000); /* it waits */
        ASSERT_OK(pidref_kill(&run.supervisor, SIGSTOP));
        if (launcher_ends)
                fd_close(pair[0]);
        ASSERT_OK(cgroup_kill(scope));
        usleep(100000);
        ASSERT_OK(pidref_kill(&run.supervisor, SIGCONT));
        if (!launcher_ends) {
                ASSERT_EQ(control_receive(pair[0], &m), 1);
                ASSERT_EQ(m.type, CONTROL_ERROR);
                fd_close(pair[0]);
        }
        ASSERT_EQ(start_end(&run), 125);
        ASSERT_STREQ(run.out_text, "");
        if (launcher_ends)
                ASSERT_STREQ(run.err_text, "");
        else
                ASSERT_CONTAINS(run.err_text, "the payload ended before it ran");
        fd_close(scope);
        tear_down();
}

TEST(scope_held_and_killed) {
        held_and_killed(false);
}

TEST(scope_held_and_killed_by_its_launcher) {
        held_and_killed(true);
}

TEST(killed_with_all_its_groups) {
        set_up();
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL(
                "trap : TERM; mkdir /sys/fs/cgroup/a; (trap '' TERM; echo $$ >/sys/fs/cgroup/a/cgroup.procs; sleep 100) & echo up; while :; do sleep 0.1; done"));
        s->resources.cgroup = CGROUP_OWN;
        use_range(s);
        start_in(s, "caller");
        start_read(&run, "up");
        ASSERT_OK(pidref_kill(&run.supervisor, SIGTERM));
        usleep(50000);
        ASSERT_OK(pidref_kill(&run.supervisor, SIGTERM));
        ASSERT_EQ(start_end(&run), 137);
        ASSERT_FALSE(exists("berth-web") || exists("caller/berth-web"));
        tear_down();
}

/* An administrator has moved PID 1 elsewhere: cgroup.kill alone misses it. */
TEST(killed_outside_of_its_group) {
        set_up();
        _cleanup_spec_ ContainerSpec *s =
                start_spec(SHELL("trap : TERM; echo up; while :; do sleep 0.1; done"));
        _cleanup_free_ char *leader = NULL;
        char path[64];
        s->resources.cgroup = CGROUP_OWN;
        start_in(s, "caller");
        start_read(&run, "up");
        snprintf(path, sizeof(path), "/proc/%d/task/%d/children", run.supervisor.pid,
                 run.supervisor.pid);
        ASSERT_OK(file_read_all(AT_FDCWD, path, 4096, &leader, NULL));
        int elsewhere = cgroup_make(base_fd, "elsewhere");
        ASSERT_OK(cgroup_attach(elsewhere, (pid_t) atoi(leader)));
        fd_close(elsewhere);
        ASSERT_OK(pidref_kill(&run.supervisor, SIGTERM));
        usleep(50000);
        ASSERT_OK(pidref_kill(&run.supervisor, SIGTERM));
        ASSERT_EQ(start_end(&run), 137);
        tear_down();
}

TEST_MAIN
