/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Real starts: what the payload sees, what it gives back, and how starts fail. */
#include "start.h"

#include <sys/ioctl.h>
#include <sys/mount.h>

static Running run; /* big */

static void set(char ***list, const char *value) {
        ASSERT_OK(strv_extend(list, value));
}

TEST(exit_statuses) {
        static const struct {
                const char *script;
                int status;
        } rows[] = { { "exit 0", 0 },
                     { "exit 7", 7 },
                     { "exit 255", 255 },
                     { "exit 133", 1 },
                     { "kill -KILL $$; exit 3", 3 } };
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_spec_ ContainerSpec *s = start_spec(SHELL(rows[i].script));
                int status = start_and_end(&run, s);
                if (status != rows[i].status)
                        TEST_FAIL("'%s' gave %d\n%s", rows[i].script, status, run.err_text);
                ASSERT_STREQ(run.err_text, "");
        }
}

TEST(pipes_stay_apart) {
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL("cat; echo out; echo err >&2; exit 5"));
        start(&run, s);
        ASSERT_EQ(write(run.in, "in\n", 3), 3);
        ASSERT_EQ(start_end(&run), 5);
        ASSERT_STREQ(run.out_text, "in\nout\n");
        ASSERT_STREQ(run.err_text, "err\n");
}

TEST(namespaces_and_identity) {
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL(
                "echo $$; hostname; id -u; id -g; pwd; ls /; cat /proc/self/cgroup | tail -1; for n in mnt pid uts ipc cgroup net; "
                "do readlink /proc/self/ns/$n; done; ps | wc -l"));
        char link[64], path[64];
        ASSERT_OK(free_and_strdup(&s->hostname, "inside"));
        ASSERT_EQ(start_and_end(&run, s), 0);
        ASSERT_TRUE(startswith(run.out_text, "1\ninside\n0\n0\n/\n"));
        static const char *const own[] = { "mnt", "pid", "uts", "ipc", "cgroup" };
        for (size_t i = 0; i < ELEMENTSOF(own); i++) {
                snprintf(path, sizeof(path), "/proc/self/ns/%s", own[i]);
                ssize_t n = readlink(path, link, sizeof(link) - 1);
                link[n] = '\0';
                if (strstr(run.out_text, link))
                        TEST_FAIL("the %s namespace is ours", own[i]);
        }
        ssize_t n = readlink("/proc/self/ns/net", link, sizeof(link) - 1);
        link[n] = '\0';
        ASSERT_CONTAINS(run.out_text, link); /* shared unless told otherwise */
}

TEST(environment) {
        _cleanup_spec_ ContainerSpec *s = start_spec(WORDS("env"));
        set(&s->payload.environment, "FOO=bar baz");
        set(&s->payload.environment, "LANG=de_DE");
        ASSERT_OK(setenv("SECRET", "host", 1));
        ASSERT_EQ(start_and_end(&run, s), 0);
        ASSERT_CONTAINS(run.out_text, "container=berth\n");
        ASSERT_CONTAINS(run.out_text, "container_uuid=");
        ASSERT_CONTAINS(run.out_text, "NOTIFY_SOCKET=/run/host/notify\n");
        ASSERT_CONTAINS(run.out_text, "HOME=/root\n");
        ASSERT_CONTAINS(run.out_text, "USER=root\nLOGNAME=root\n");
        ASSERT_CONTAINS(run.out_text,
                        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n");
        ASSERT_CONTAINS(run.out_text, "FOO=bar baz\n");
        ASSERT_CONTAINS(run.out_text, "LANG=de_DE\n");
        ASSERT_FALSE(strstr(run.out_text, "C.UTF-8"));
        ASSERT_FALSE(strstr(run.out_text, "SECRET"));
        ASSERT_OK(unsetenv("SECRET"));
}

TEST(user_and_directory) {
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL(
                "id; pwd; echo $HOME $USER; grep Cap /proc/self/status; touch /root/x || echo no"));
        ASSERT_OK(free_and_strdup(&s->payload.user, "alice"));
        ASSERT_OK(free_and_strdup(&s->payload.working_directory, "/work"));
        ASSERT_EQ(start_and_end(&run, s), 0);
        ASSERT_CONTAINS(run.out_text,
                        "uid=1000(alice) gid=1001(alice) groups=44(video),1001(alice)");
        ASSERT_CONTAINS(run.out_text, "\n/work\n/home/alice alice\n");
        ASSERT_CONTAINS(run.out_text, "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n");
        ASSERT_CONTAINS(run.out_text, "CapInh:\t0000000000000000\n");
        ASSERT_CONTAINS(run.out_text, "CapAmb:\t0000000000000000\n");
        ASSERT_CONTAINS(run.out_text, "\nno\n");
}

TEST(capabilities) {
        _cleanup_spec_ ContainerSpec *s =
                start_spec(SHELL("grep -E 'CapBnd|CapEff|CapInh|NoNewPrivs' /proc/self/status"));
        s->security.bounding = CAP_MASK(5) | CAP_MASK(0); /* KILL, CHOWN */
        s->security.no_new_privileges = true;
        ASSERT_EQ(start_and_end(&run, s), 0);
        ASSERT_STREQ(
                run.out_text,
                "CapInh:\t0000000000000000\nCapEff:\t0000000000000021\nCapBnd:\t0000000000000021\nNoNewPrivs:\t1\n");
}

TEST(limits) {
        _cleanup_spec_ ContainerSpec *s =
                start_spec(SHELL("ulimit -n; ulimit -c; cat /proc/self/oom_score_adj"));
        s->payload.limits[RLIMIT_NOFILE] = (SpecLimit){ true, 100, 200 };
        s->payload.limits[RLIMIT_CORE] = (SpecLimit){ true, 0, 0 };
        s->payload.has_oom_score_adjust = true;
        s->payload.oom_score_adjust = 123;
        ASSERT_EQ(start_and_end(&run, s), 0);
        ASSERT_STREQ(run.out_text, "100\n0\n123\n");
}

/* A low limit must not get in the way of the start itself. */
TEST(tight_descriptor_limit) {
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL("ulimit -n"));
        s->payload.limits[RLIMIT_NOFILE] = (SpecLimit){ true, 5, 5 };
        ASSERT_EQ(start_and_end(&run, s), 0);
        ASSERT_STREQ(run.out_text, "5\n");
}

/* Not the caller's: a container's limits do not depend on the shell that it was started from. */
TEST(default_limits) {
        struct rlimit saved, low = { 64, 0 };
        ASSERT_OK(getrlimit(RLIMIT_NOFILE, &saved));
        low.rlim_max = saved.rlim_max;
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL("ulimit -n"));
        ASSERT_OK(setrlimit(RLIMIT_NOFILE, &low));
        int status = start_and_end(&run, s);
        ASSERT_OK(setrlimit(RLIMIT_NOFILE, &saved));
        ASSERT_EQ(status, 0);
        ASSERT_STREQ(run.out_text, "1024\n");
}

TEST(affinity) {
        _cleanup_spec_ ContainerSpec *s =
                start_spec(SHELL("grep Cpus_allowed_list /proc/self/status"));
        ASSERT_OK(free_and_strdup(&s->payload.cpu_affinity, "0"));
        ASSERT_EQ(start_and_end(&run, s), 0);
        ASSERT_STREQ(run.out_text, "Cpus_allowed_list:\t0\n");
}

TEST(no_descriptor_of_ours) {
        /* as PID 1 itself: a shell has descriptors of its own while it makes a pipeline */
        _cleanup_spec_ ContainerSpec *s = start_spec(WORDS("ls", "/proc/self/fd", "/proc/1/fd"));
        int leak = open("/etc/passwd", O_RDONLY);
        ASSERT_EQ(start_and_end(&run, s), 0);
        fd_close(leak);
        /* 3: the directory that ls reads */
        ASSERT_STREQ(run.out_text, "/proc/1/fd:\n0\n1\n2\n3\n\n/proc/self/fd:\n0\n1\n2\n3\n");
}

/* Whatever a shell or nohup(1) has arranged for the command that starts a container. */
TEST(signals_are_the_defaults) {
        static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGTTOU, SIGPIPE };
        _cleanup_spec_ ContainerSpec *s =
                start_spec(WORDS("grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"));
        sighandler_t before[ELEMENTSOF(signals)];
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                before[i] = signal(signals[i], SIG_IGN);
        int status = start_and_end(&run, s);
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                (void) signal(signals[i], before[i]);
        ASSERT_EQ(status, 0);
        ASSERT_STREQ(run.out_text, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST(umask_and_session) {
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL(
                "umask; sed 's/^.*) . //' /proc/self/stat | sed 's/ /,/g;s/^\\([^,]*,[^,]*,[^,]*,[^,]*\\).*/\\1/'"));
        ASSERT_EQ(start_and_end(&run, s), 0);
        ASSERT_TRUE(startswith(run.out_text, "0022\n"));
        ASSERT_CONTAINS(run.out_text, ",1,0"); /* session 1, no terminal */
}

TEST(user_namespace) {
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL(
                "id -u; cat /proc/self/uid_map /proc/self/gid_map; stat -c %u:%g /bin/busybox; touch /work/made; stat -c %u:%g /work/made /home/alice "
                "/run/host/notify; grep CapEff /proc/self/status; mount -t tmpfs x /work && echo mounted; umount /dev || echo locked"));
        struct stat st;
        s->users.mode = USERNS_RANGE;
        s->users.base = 1000000;
        s->users.count = 65536;
        ASSERT_EQ(start_and_end(&run, s), 0);
        ASSERT_CONTAINS(
                run.out_text,
                "0\n         0    1000000      65536\n         0    1000000      65536\n0:0\n0:0\n1000:1001\n0:0\n");
        ASSERT_CONTAINS(run.out_text, "mounted\n");
        ASSERT_CONTAINS(run.out_text, "locked\n");
        ASSERT_OK(stat("/run/root/work/made", &st));
        ASSERT_EQ(st.st_uid, 0); /* the root is idmapped, nothing is chowned */
        ASSERT_OK(unlink("/run/root/work/made"));
}

/* Budgets of the kernel are the range's own: it belongs to the user that made the namespace. */
TEST(user_namespace_owner) {
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL("echo up; cat"));
        char path[64], uid[64];
        uid_t owner = 0;
        s->users.mode = USERNS_RANGE;
        s->users.base = 1000000;
        s->users.count = 65536;
        start(&run, s);
        start_read(&run, "up");
        snprintf(path, sizeof(path), "/proc/%d/task/%d/children", run.supervisor.pid,
                 run.supervisor.pid);
        _cleanup_free_ char *children = NULL;
        ASSERT_OK(file_read_all(AT_FDCWD, path, 4096, &children, NULL));
        snprintf(uid, sizeof(uid), "/proc/%d/ns/user", atoi(children));
        int fd = open(uid, O_RDONLY | O_CLOEXEC);
        ASSERT_OK(fd);
        ASSERT_OK(ioctl(fd, _IO(0xb7, 0x4) /* NS_GET_OWNER_UID */, &owner));
        ASSERT_EQ(owner, 1000000);
        fd_close(fd);
        ASSERT_EQ(start_end(&run), 0);
}

TEST(read_only_root) {
        _cleanup_spec_ ContainerSpec *s = start_spec(
                SHELL("touch /x || echo no; touch /tmp/x /dev/shm/x /run/x && echo yes"));
        s->root.read_only = true;
        ASSERT_EQ(start_and_end(&run, s), 0);
        ASSERT_STREQ(run.out_text, "no\nyes\n");
}

TEST(time_namespace) {
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL("cat /proc/uptime"));
        s->time.boottime_set = s->time.monotonic_set = true;
        s->time.boottime_nsec = s->time.monotonic_nsec = 100000 * INT64_C(1000000000) + 500000000;
        double here = (double) now_usec(CLOCK_BOOTTIME) / 1e6;
        ASSERT_EQ(start_and_end(&run, s), 0);
        double inside = strtod(run.out_text, NULL);
        if (inside < here + 100000 || inside > here + 100020)
                TEST_FAIL("the clock inside says %f, here it is %f", inside, here);
}

TEST(private_network) {
        _cleanup_spec_ ContainerSpec *s =
                start_spec(SHELL("ls /sys/class/net; cat /sys/class/net/lo/flags"));
        s->network.private_ = true;
        ASSERT_EQ(start_and_end(&run, s), 0);
        ASSERT_STREQ(run.out_text, "lo\n0x9\n"); /* up */
}

TEST(login_shell) {
        _cleanup_spec_ ContainerSpec *s = start_spec(NULL);
        start(&run, s);
        ASSERT_EQ(write(run.in, "echo $0; pwd\nexit 4\n", 20), 20);
        ASSERT_EQ(start_end(&run), 4);
        ASSERT_STREQ(run.out_text, "-sh\n/root\n");
}

/* No home is no reason not to log in. */
TEST(login_without_home) {
        _cleanup_spec_ ContainerSpec *s = start_spec(NULL);
        ASSERT_OK(rename("/run/root/root", "/run/root/root.away"));
        start(&run, s);
        ASSERT_EQ(write(run.in, "pwd\n", 4), 4);
        int status = start_end(&run);
        ASSERT_OK(rename("/run/root/root.away", "/run/root/root"));
        ASSERT_EQ(status, 0);
        ASSERT_STREQ(run.out_text, "/\n");
}

TEST(stub_init) {
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL(
                "echo $$; cat /proc/1/comm; (sh -c 'exit 3' & ) ; sleep 0.3; ps | grep -c '\\[sh\\]'; ls -l /proc/1/exe /proc/1/fd >/dev/null 2>&1 && echo open; exit 9"));
        s->payload.start = START_PID2;
        s->users.mode = USERNS_RANGE;
        s->users.base = 1000000;
        s->users.count = 65536;
        ASSERT_EQ(start_and_end(&run, s), 9);
        ASSERT_TRUE(startswith(run.out_text, "2\n"));
        ASSERT_CONTAINS(run.out_text, "\n0\n"); /* no zombie */
        ASSERT_FALSE(strstr(run.out_text, "open"));
}

/* ---- failures ---- */

static void fails(ContainerSpec *s, int status, const char *sentence) {
        ASSERT_EQ(start_and_end(&run, s), status);
        ASSERT_TRUE(startswith(run.err_text, "berth: Cannot start 'web': "));
        ASSERT_CONTAINS(run.err_text, sentence);
        ASSERT_STREQ(run.out_text, "");
        char *newline = strchr(run.err_text, '\n');
        ASSERT_NOT_NULL(newline);
        ASSERT_TRUE(newline[1] == '\0' || startswith(newline + 1, "Hint: "));
}

TEST(program_not_found) {
        _cleanup_spec_ ContainerSpec *s = start_spec(WORDS("nosuch", "x"));
        fails(s, 127, "nosuch");
        _cleanup_spec_ ContainerSpec *t = start_spec(WORDS("/bin/nosuch"));
        fails(t, 127, "/bin/nosuch");
}

TEST(program_not_executable) {
        _cleanup_spec_ ContainerSpec *s = start_spec(WORDS("/bin/plain"));
        fails(s, 126, "/bin/plain");
        _cleanup_spec_ ContainerSpec *t = start_spec(WORDS("plain"));
        fails(t, 126, "plain");
        _cleanup_spec_ ContainerSpec *u = start_spec(WORDS("/etc"));
        fails(u, 126, "/etc");
}

TEST(bad_working_directory) {
        _cleanup_spec_ ContainerSpec *s = start_spec(WORDS("true"));
        ASSERT_OK(free_and_strdup(&s->payload.working_directory, "/nosuch"));
        fails(s, 125, "/nosuch");
        /* a descriptor of the supervisor: CVE-2024-21626 */
        for (int fd = 3; fd < 30; fd++) {
                char path[32];
                snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
                ASSERT_OK(free_and_strdup(&s->payload.working_directory, path));
                fails(s, 125, path);
        }
}

TEST(bad_user) {
        _cleanup_spec_ ContainerSpec *s = start_spec(WORDS("true"));
        ASSERT_OK(free_and_strdup(&s->payload.user, "bob"));
        fails(s, 125, "'bob'");
}

TEST(bad_root) {
        _cleanup_spec_ ContainerSpec *s = start_spec(WORDS("true"));
        ASSERT_OK(free_and_strdup(&s->root.directory, "/run/nosuch"));
        fails(s, 125, "/run/nosuch");
}

TEST(name_in_use) {
        static Running second;
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL("echo up; cat")),
                                     *t = start_spec(WORDS("true"));
        start(&run, s);
        start_read(&run, "up");
        t->root.read_only = true;
        ASSERT_EQ(start_and_end(&second, t), 125);
        ASSERT_CONTAINS(second.err_text, "Cannot start 'web': ");
        ASSERT_CONTAINS(second.err_text, "name");
        ASSERT_OK(free_and_strdup(&t->name, "other"));
        ASSERT_EQ(start_and_end(&second, t), 125); /* the root is in use, too */
        ASSERT_CONTAINS(second.err_text, "Cannot start 'other': ");
        ASSERT_EQ(start_end(&run), 0);
        ASSERT_EQ(start_and_end(&second, t), 0); /* and free again */
}

TEST(nothing_stays_mounted) {
        _cleanup_free_ char *before = NULL, *after = NULL;
        _cleanup_spec_ ContainerSpec *s = start_spec(WORDS("true")),
                                     *bad = start_spec(WORDS("nosuch"));
        ASSERT_OK(file_read_all(AT_FDCWD, "/proc/self/mountinfo", 1U << 20, &before, NULL));
        ASSERT_EQ(start_and_end(&run, s), 0);
        ASSERT_EQ(start_and_end(&run, bad), 127);
        ASSERT_OK(file_read_all(AT_FDCWD, "/proc/self/mountinfo", 1U << 20, &after, NULL));
        ASSERT_STREQ(after, before);
}

TEST_MAIN
