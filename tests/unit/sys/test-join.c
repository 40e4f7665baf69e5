/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Joining a container that is only namespaces, a root directory and a few restrictions. */
#include "sys/join.h"

#include <linux/capability.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "sandbox.h"
#include "sys/caps.h"
#include "sys/namespace.h"

#define RANGE 100000

typedef struct Leader {
        PidRef pid;
        int fd; /* closing it ends the leader */
} Leader;

/* What a payload might have been given: a chroot, few capabilities, few files, no new privileges. */
static int leader_main(int ready_fd, int maps_fd, int hold_fd, unsigned long namespaces) {
        const struct rlimit files = { 77, 99 };
        char c;
        if (unshare((int) namespaces) < 0 || write(ready_fd, "", 1) != 1 ||
            read(maps_fd, &c, 1) != 1)
                return 1;
        pid_t pid = fork(); /* PID 1 of the new namespace */
        if (pid < 0)
                return 2;
        if (pid == 0) {
                if (((namespaces & CLONE_NEWUSER) &&
                     (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)) ||
                    sethostname("inside", 6) < 0 || chroot("/mnt/root") < 0 || chdir("/") < 0 ||
                    setrlimit(RLIMIT_NOFILE, &files) < 0 ||
                    caps_drop_bounding(CAP_MASK(CAP_KILL) | CAP_MASK(CAP_CHOWN)) < 0 ||
                    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                        _exit(3);
                if (write(ready_fd, "", 1) != 1)
                        _exit(4);
                _exit(read(hold_fd, &c, 1) == 0 ? 0 : 5); /* until the test ends */
        }
        return waitpid(pid, NULL, 0) == pid ? 0 : 6;
}

static void leader_start(Leader *l, unsigned long namespaces) {
        int ready[2], maps[2], hold[2];
        char c;
        ASSERT_TRUE(mkdir("/mnt/root", 0755) >= 0 || errno == EEXIST);
        int dir = open("/mnt/root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ASSERT_OK(write_file_at(dir, "mark", "inside"));
        close(dir);
        ASSERT_OK(pipe2(ready, O_CLOEXEC));
        ASSERT_OK(pipe2(maps, O_CLOEXEC));
        ASSERT_OK(pipe2(hold, O_CLOEXEC));
        fflush(NULL);
        pid_t outer = fork(), pid = 0;
        ASSERT_OK(outer);
        if (outer == 0) {
                alarm(30);
                close(hold[1]);
                _exit(leader_main(ready[1], maps[0], hold[0], namespaces));
        }
        close(ready[1]);
        ASSERT_EQ(read(ready[0], &c, 1), 1);
        if (namespaces & CLONE_NEWUSER) {
                const IdMap map = { 0, RANGE, 65536 };
                ASSERT_OK(userns_write_maps(outer, &map, 1));
        }
        ASSERT_EQ(write(maps[1], "", 1), 1);
        ASSERT_EQ(read(ready[0], &c, 1), 1);
        char path[64];
        snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int) outer, (int) outer);
        FILE *f = fopen(path, "re");
        ASSERT_TRUE(f != NULL && fscanf(f, "%d", &pid) == 1);
        fclose(f);
        ASSERT_OK(pidref_open(pid, &l->pid));
        l->fd = hold[1];
        close(ready[0]);
        close(maps[0]);
        close(maps[1]);
        close(hold[0]);
}

static void leader_end(Leader *l) {
        l->fd = fd_close(l->fd);
        (void) pidref_kill(&l->pid, SIGKILL);
        pidref_done(&l->pid);
        while (waitpid(-1, NULL, WNOHANG) > 0)
                ;
}

/* In the joined child: which of what it should be, it is not. */
static int look_around(const JoinTarget *t, const JoinIdentity *identity) {
        char name[16] = "", text[8] = "";
        struct rlimit l;
        uint64_t caps;
        if (getpid() == 1 || getpid() > 100)
                return 10;
        int r = join_enter(t);
        if (r < 0)
                return 100 + -r;
        if (gethostname(name, sizeof(name) - 1) < 0 || strcmp(name, "inside") != 0)
                return 11;
        int fd = open("/mark", O_RDONLY | O_CLOEXEC);
        if (fd < 0 || read(fd, text, 6) != 6 || strcmp(text, "inside") != 0)
                return 12;
        if (access("/proc", F_OK) >= 0 || open("..", O_PATH | O_CLOEXEC) < 0 ||
            access("mnt", F_OK) >= 0)
                return 13;
        if (getuid() != 0 || geteuid() != 0 || getgid() != 0 || getgroups(0, NULL) != 0)
                return 14;
        r = join_confine(t, NULL, 0, identity);
        if (r < 0)
                return 100 + -r;
        if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur != 77 || l.rlim_max != 99)
                return 15;
        if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 ||
            prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) != 0 ||
            prctl(PR_CAPBSET_READ, CAP_CHOWN, 0, 0, 0) != 1)
                return 16;
        if (getuid() != identity->uid || getgid() != identity->gid ||
            getgroups(0, NULL) != (int) identity->n_groups)
                return 17;
        const uint64_t expected = identity->uid == 0 ? CAP_MASK(CAP_KILL) | CAP_MASK(CAP_CHOWN) : 0;
        if (caps_get_effective(&caps) < 0 || caps != expected)
                return 18;
        return setuid(0) >= 0 && identity->uid != 0 ? 19 : 0;
}

typedef struct Visit {
        const Leader *leader;
        JoinIdentity identity;
} Visit;

/* The caller's children are born in the PID namespace afterwards: a process of its own. */
static int visit(void *userdata) {
        const Visit *v = userdata;
        _cleanup_(join_target_done) JoinTarget t = JOIN_TARGET_NULL;
        _cleanup_(pidref_done) PidRef child = PIDREF_NULL;
        siginfo_t si = { 0 };
        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || join_prepare(&v->leader->pid, &t) < 0)
                return 1;
        pid_t pid = join_fork(&t, &child);
        if (pid < 0)
                return 2;
        if (pid == 0)
                _exit(look_around(&t, &v->identity));
        return pidref_wait(&child, true, &si) == 1 && si.si_code == CLD_EXITED ? si.si_status : 3;
}

static void visit_as(unsigned long namespaces, uid_t uid) {
        const gid_t groups[] = { 7, 8 };
        Leader l;
        leader_start(&l, namespaces);
        Visit v = { &l, { uid, uid, groups, uid == 0 ? 0 : 2 } };
        const int status = in_child(visit, &v);
        leader_end(&l);
        ASSERT_EQ(status, 0);
}

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC)

TEST(join_with_user_namespace) {
        visit_as(NAMESPACES | CLONE_NEWUSER, 0);
        visit_as(NAMESPACES | CLONE_NEWUSER, 1000);
}

TEST(join_with_the_users_of_the_host) {
        visit_as(NAMESPACES, 0);
        visit_as(NAMESPACES | CLONE_NEWNET, 33);
}

TEST(prepare_tells_what_is_different) {
        _cleanup_(join_target_done) JoinTarget t = JOIN_TARGET_NULL;
        _cleanup_(pidref_done) PidRef self = PIDREF_NULL;
        Leader l;
        leader_start(&l, NAMESPACES);
        ASSERT_OK(join_prepare(&l.pid, &t));
        leader_end(&l);
        ASSERT_EQ(t.namespaces, NAMESPACES);
        ASSERT_TRUE(t.no_new_privileges && !t.seccomp);
        ASSERT_EQ(t.bounding, CAP_MASK(CAP_KILL) | CAP_MASK(CAP_CHOWN));
        ASSERT_EQ(t.limits[RLIMIT_NOFILE].rlim_max, 99);
        ASSERT_TRUE(fd_is_cloexec(t.root_fd));
        join_target_done(&t);
        ASSERT_OK(pidref_open(getpid(), &self));
        ASSERT_OK(join_prepare(&self, &t));
        ASSERT_EQ(t.namespaces, 0);
}

TEST(nobody_to_join) {
        _cleanup_(pidref_done) PidRef p = PIDREF_NULL;
        JoinTarget t;
        const int before = count_fds();
        pid_t pid = child_paused();
        ASSERT_OK(pidref_open(pid, &p));
        child_end(pid);
        ASSERT_ERROR(join_prepare(&p, &t), ESRCH);
        ASSERT_ERROR(join_prepare(&(PidRef) PIDREF_NULL, &t), ESRCH);
        ASSERT_EQ(count_fds(), before + 1);
}

SANDBOX_MAIN
