/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a hostile payload, root or caller tries on the supervisor and on what is left of it inside. */
#include "start.h"

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/un.h>

#include "ipc/control.h"
#include "sys/socket.h"

static Running run; /* big */

static pid_t leader_pid(const Running *r) {
        _cleanup_free_ char *text = NULL;
        char path[64];
        snprintf(path, sizeof(path), "/proc/%d/task/%d/children", r->supervisor.pid,
                 r->supervisor.pid);
        ASSERT_OK(file_read_all(AT_FDCWD, path, 4096, &text, NULL));
        return (pid_t) atoi(text);
}

static uint64_t mask_of(const char *text, const char *name) {
        const char *p = strstr(text, name);
        if (!p)
                TEST_FAIL("no %s in\n%s", name, text);
        return strtoull(p + strlen(name), NULL, 16);
}

/* Without a user namespace CAP_SYS_PTRACE opens PID 1 to the payload: nothing may be in it that the payload has not. */
TEST(stub_init_has_no_more_than_the_payload) {
        struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
        const uint64_t used = CAP_MASK(CAP_KILL) | CAP_MASK(CAP_SYS_BOOT);
        _cleanup_close_ int filter = memfd_new_sealed("filter", &allow, sizeof(allow));
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL("sleep 0.3; cat /proc/1/status"));
        ASSERT_OK(filter);
        s->payload.start = START_PID2;
        start_with(&run, s, -EBADF, filter);
        ASSERT_EQ(start_end(&run), 0);
        ASSERT_STREQ(run.err_text, "");
        ASSERT_EQ(mask_of(run.out_text, "\nCapPrm:\t"), used);
        ASSERT_EQ(mask_of(run.out_text, "\nCapEff:\t"), used);
        ASSERT_EQ(mask_of(run.out_text, "\nCapBnd:\t") & ~s->security.bounding, 0U);
        ASSERT_CONTAINS(run.out_text, "\nSeccomp:\t2\n");
        ASSERT_CONTAINS(run.out_text, "\nNoNewPrivs:\t1\n");
}
/* A directory of the host on a standard descriptor is a way out: ".." of it is not bound by the payload's root. */
TEST(directory_as_standard_descriptor) {
        static const char *const names[] = { "input", "output", "error" };
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL("cd /proc/self/fd/0/.. && ls"));
        _cleanup_close_ int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        for (unsigned i = 0; i < 3; i++)
                for (unsigned path = 0; path < 2; path++) {
                        _cleanup_error_ Error e = ERROR_NULL;
                        _cleanup_close_ int directory =
                                open("/etc", O_DIRECTORY | O_CLOEXEC | (path ? O_PATH : O_RDONLY));
                        int fds[] = { null_fd, null_fd, null_fd };
                        fds[i] = directory;
                        ASSERT_ERROR(supervisor_describe(s, fds, &e), EISDIR);
                        ASSERT_CONTAINS(e.message, names[i]);
                        ASSERT_CONTAINS(e.message, "directory");
                }
}

/* In a PID namespace without a /proc of its own the payload's number is that of a stranger in /proc. */
TEST(proc_of_another_pid_namespace) {
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL("cat /proc/self/oom_score_adj"));
        s->payload.has_oom_score_adjust = true;
        s->payload.oom_score_adjust = 7;
        pid_t pid = fork();
        ASSERT_OK(pid);
        if (pid == 0) {
                ASSERT_OK(unshare(CLONE_NEWPID)); /* the supervisor is the first in it */
                ASSERT_EQ(start_and_end(&run, s), 0);
                _exit(streq(run.out_text, "7\n") ? 0 : 1);
        }
        int status;
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        ASSERT_EQ(status, 0);
}

/* ---- peers that do not read ---- */

#define STATUS_COUNT 700 /* more than a socket's buffer holds */

/* A datagram to the payload's notification socket that seems to be from its PID 1; root may say who it is not. */
static bool say_as_payload(int fd, pid_t leader, const char *text) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        struct ucred who = { .pid = leader };
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(struct ucred))];
        } control = { 0 };
        struct iovec iov = { .iov_base = (void *) text, .iov_len = strlen(text) };
        struct msghdr h = { .msg_name = &a,
                            .msg_namelen = sizeof(a),
                            .msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof(control) };
        struct cmsghdr *c = CMSG_FIRSTHDR(&h);
        snprintf(a.sun_path, sizeof(a.sun_path), "/proc/%d/root/run/host/notify", leader);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_CREDENTIALS;
        c->cmsg_len = CMSG_LEN(sizeof(who));
        memcpy(CMSG_DATA(c), &who, sizeof(who));
        return sendmsg(fd, &h, 0) >= 0;
}

/* The payload talks without end, and who has launched us does not read: a stop works all the same. */
TEST(launcher_that_does_not_read) {
        const struct timeval patience = { .tv_sec = 2 };
        char status[256] = "STATUS=";
        int pair[2];
        _cleanup_spec_ ContainerSpec *s =
                start_spec(SHELL("trap 'exit 6' TERM; echo up; while :; do sleep 0.1; done"));
        memset(status + strlen(status), 'x', sizeof(status) - strlen(status) - 1);
        status[sizeof(status) - 1] = '\0';
        ASSERT_OK(socket_pair_seqpacket(pair));
        start_on(&run, s, pair[1]);
        fd_close(pair[1]);
        start_read(&run, "up");
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        ASSERT_OK(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)));
        const pid_t leader = leader_pid(&run);
        bool heard = true; /* a supervisor that waits for its launcher hears nothing any more */
        for (unsigned i = 0; heard && i < STATUS_COUNT; i++)
                heard = say_as_payload(fd, leader, status);
        ASSERT_OK(pidref_kill(&run.supervisor, SIGTERM));
        bool ended = wait_msec(&run.supervisor, 5000);
        fd_close(pair[0]);
        int exit_status = start_end(&run);
        ASSERT_TRUE(heard);
        ASSERT_TRUE(ended);
        ASSERT_EQ(exit_status, 6);
}

/* Waits until the supervisor has a child, or has none. */
static void await_leader(bool there) {
        for (int waited = 0; waited < 30000 && (leader_pid(&run) != 0) != there; waited += 20)
                usleep(20000);
        ASSERT_EQ(leader_pid(&run) != 0, there);
}

static void fill(int pipe_fd) {
        char path[32], page[4096] = { 0 };
        snprintf(path, sizeof(path), "/proc/self/fd/%d", pipe_fd);
        _cleanup_close_ int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        ASSERT_OK(fd);
        while (write(fd, page, sizeof(page)) > 0)
                ;
        ASSERT_EQ(errno, EAGAIN);
}

/* A payload has ended, and nobody reads what it said last: the supervisor waits, but not when it is told to stop by a link. */
TEST(stop_while_nobody_reads) {
        int pair[2];
        _cleanup_spec_ ContainerSpec *s =
                start_spec(SHELL("until [ -e /work/full ]; do sleep 0.05; done; echo said last"));
        s->console.mode = CONSOLE_READ_ONLY;
        ASSERT_OK(socket_pair_seqpacket(pair));
        start_on(&run, s, pair[1]);
        fd_close(pair[1]);
        await_leader(true);
        fill(run.out);
        write_text("/run/root/work/full", "", 0644);
        await_leader(false);
        ASSERT_FALSE(wait_msec(&run.supervisor, 300));
        ASSERT_OK(control_send(pair[0], CONTROL_STOP, NULL, NULL, 0));
        bool ended = wait_msec(&run.supervisor, 10000);
        (void) start_end(&run);
        fd_close(pair[0]);
        ASSERT_OK(unlink("/run/root/work/full"));
        ASSERT_TRUE(ended);
}

/* ---- reboots ---- */

/* The supervisor's own clocks are not shifted when it starts anew. */
TEST(reboot_with_time_namespace) {
        char path[64], ours[64] = "", theirs[64] = "";
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL(
                "if [ -e /work/again ]; then echo second; cat; exit 4; fi; touch /work/again; reboot -f; sleep 10"));
        s->time.namespace_ = s->time.boottime_set = s->time.monotonic_set = true;
        s->time.boottime_nsec = s->time.monotonic_nsec = 100000 * INT64_C(1000000000);
        s->users.mode = USERNS_RANGE;
        s->users.base = 1000000;
        s->users.count = 65536;
        start(&run, s);
        start_read(&run, "second");
        snprintf(path, sizeof(path), "/proc/%d/ns/time", run.supervisor.pid);
        ASSERT_TRUE(readlink("/proc/self/ns/time", ours, sizeof(ours) - 1) > 0);
        ASSERT_TRUE(readlink(path, theirs, sizeof(theirs) - 1) > 0);
        ASSERT_EQ(start_end(&run), 4);
        ASSERT_OK(unlink("/run/root/work/again"));
        ASSERT_STREQ(theirs, ours);
}

/* ---- file systems that do not answer ---- */

/* A FUSE file system that nobody serves, in a user's place: ^C and `systemctl stop` must not wait for it. */
TEST(root_that_never_answers) {
        char options[64];
        start_set_up();
        int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
        if (fuse < 0)
                TEST_SKIP("there is no /dev/fuse");
        _cleanup_spec_ ContainerSpec *s = start_spec(WORDS("true"));
        ASSERT_OK(mkdir("/run/hang", 0755));
        snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse);
        if (mount("hang", "/run/hang", "fuse", 0, options) < 0)
                TEST_SKIP("FUSE cannot be mounted");
        ASSERT_OK(free_and_strdup(&s->root.directory, "/run/hang"));
        start(&run, s);
        ASSERT_FALSE(wait_msec(&run.supervisor, 300));
        ASSERT_OK(pidref_kill(&run.supervisor, SIGTERM));
        bool ended = wait_msec(&run.supervisor, 10000);
        fd_close(fuse); /* it answers now: no */
        (void) start_end(&run);
        ASSERT_OK(umount2("/run/hang", MNT_DETACH));
        ASSERT_TRUE(ended);
}

/* ---- races ---- */

#define ROUNDS 20
#define VICTIM "/run/victim"

/* Exchanges a directory of the root with a link, without end: as a container would in a volume that it shares with the one that starts. */
static pid_t exchange_without_end(const char *directory, const char *link) {
        pid_t pid = fork();
        ASSERT_OK(pid);
        if (pid == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                for (;;)
                        (void) renameat2(AT_FDCWD, directory, AT_FDCWD, link, RENAME_EXCHANGE);
        }
        return pid;
}

static void end_exchange(pid_t pid) {
        ASSERT_OK(kill(pid, SIGKILL));
        ASSERT_EQ(waitpid(pid, NULL, 0), pid);
}

/* Starts that meet either: contained or refused with one sentence, and nothing is made, written or mounted at the link's target. */
static void race(const ContainerSpec *s, const char *directory, const char *link,
                 const char *target) {
        _cleanup_free_ char *before = NULL;
        struct statx was, is;
        ASSERT_OK(mkdir(directory, 0755));
        ASSERT_OK(symlink(target, link));
        ASSERT_OK(statx(AT_FDCWD, VICTIM, 0, STATX_BASIC_STATS, &was));
        ASSERT_OK(file_read_all(AT_FDCWD, "/proc/self/mountinfo", 1U << 20, &before, NULL));
        start(&run, s);
        ASSERT_EQ(start_end(&run), 0); /* while nothing changes */
        pid_t pid = exchange_without_end(directory, link);
        for (unsigned i = 0; i < ROUNDS; i++) {
                start(&run, s);
                int r = start_end(&run);
                if (r != 0 && r != 125) {
                        end_exchange(pid);
                        TEST_FAIL("%s: status %d, '%s'", directory, r, run.err_text);
                }
        }
        end_exchange(pid);
        _cleanup_free_ char *after = NULL;
        ASSERT_OK(statx(AT_FDCWD, VICTIM, 0, STATX_BASIC_STATS, &is));
        ASSERT_EQ(is.stx_ctime.tv_sec,
                  was.stx_ctime.tv_sec); /* nothing was made in it, nor its owner changed */
        ASSERT_EQ(is.stx_ctime.tv_nsec, was.stx_ctime.tv_nsec);
        ASSERT_EQ(access(VICTIM "/new", F_OK), -1);
        ASSERT_OK(file_read_all(AT_FDCWD, "/proc/self/mountinfo", 1U << 20, &after, NULL));
        ASSERT_STREQ(after, before);
        /* whichever of the two is the link now */
        _cleanup_free_ char *line = strf("rm -rf %s %s /run/root/run/* /run/root/proc/*", link,
                                         directory); /* where links led to, inside */
        ASSERT_EQ(system(line), 0);
}

static void add_mount(ContainerSpec *s, MountKind kind, const char *source, const char *target) {
        SpecMount *list = reallocarray(s->mounts, s->n_mounts + 1, sizeof(*list));
        ASSERT_NOT_NULL(list);
        s->mounts = list;
        list[s->n_mounts] = (SpecMount){ .kind = kind };
        ASSERT_OK(free_and_strdup(&list[s->n_mounts].target, target));
        ASSERT_OK(free_and_strdup(&list[s->n_mounts++].source, source));
}

/* Also where missing mount points are made, by mkdir and by open. */
TEST(volume_that_changes_during_the_start) {
        static const char *const targets[] = { VICTIM, "../../../../../run/victim",
                                               "/proc/1/root/run/victim" };
        start_set_up();
        ASSERT_OK(mkdir(VICTIM, 0755));
        ASSERT_OK(mkdir("/run/vol", 0755));
        ASSERT_OK(mkdir("/run/src", 0755));
        write_text("/run/file", "x", 0644);
        ASSERT_OK(mkdir("/run/root/vol", 0755));
        for (size_t i = 0; i < ELEMENTSOF(targets); i++) {
                _cleanup_spec_ ContainerSpec *s = start_spec(WORDS("true"));
                add_mount(s, MOUNT_BIND, "/run/vol", "/vol");
                add_mount(s, MOUNT_BIND, "/run/src", "/vol/x/new/deep");
                add_mount(s, MOUNT_BIND, "/run/file", "/vol/x/file");
                add_mount(s, MOUNT_TMPFS, NULL, "/vol/x/tmp");
                race(s, "/run/vol/x", "/run/vol/y", targets[i]);
        }
}

TEST(mount_points_that_change_during_the_start) {
        static const char *const names[] = { "proc", "sys", "dev", "run", "tmp" };
        start_set_up();
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_free_ char *directory = strf("/run/root/%s", names[i]);
                _cleanup_spec_ ContainerSpec *s = start_spec(WORDS("true"));
                ASSERT_OK(rmdir(directory));
                s->users.mode = i % 2 ? USERNS_RANGE : USERNS_NO;
                s->users.base = 1U << 20;
                s->users.count = 65536;
                race(s, directory, "/run/root/other", VICTIM);
                ASSERT_OK(mkdir(directory, 0755));
        }
}

TEST_MAIN
