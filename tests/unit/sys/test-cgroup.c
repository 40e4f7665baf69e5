/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of sys/cgroup.c: in a sub-group of our own of the v2 hierarchy, which is mounted in a private mount namespace. The
 * group is removed at the end; no other group is touched. */
#include "sys/cgroup.h"

#include "basic/str.h"
#include "sandbox.h"
#include "sys/syscalls.h"

static char group_name[64];
static int root_fd = -EBADF, group_fd = -EBADF;

static void need_group(void) {
        if (group_fd < 0)
                TEST_SKIP("no cgroup v2 hierarchy that can be written to");
}

/* Ends a child for good: populated is 0 only when the kernel has let go of it. */
static void end_and_wait(pid_t pid, int fd) {
        child_end(pid);
        for (int i = 0; i < 2000 && cgroup_is_populated(fd) == 1; i++)
                usleep(1000);
}

TEST(where_the_hierarchy_is) {
        need_group();
        ASSERT_OK(root_fd);
        ASSERT_TRUE(fd_is_cloexec(root_fd));
        /* Something else in its place: none. */
        ASSERT_OK(mount("none", "/sys/fs/cgroup", "tmpfs", 0, NULL));
        ASSERT_ERROR(cgroup_open_root(), ENOMEDIUM);
        ASSERT_OK(mkdir("/sys/fs/cgroup/unified", 0755));
        ASSERT_ERROR(cgroup_open_root(), ENOMEDIUM);
        /* The hybrid layout. */
        ASSERT_OK(mount("cgroup2", "/sys/fs/cgroup/unified", "cgroup2", 0, NULL));
        _cleanup_close_ int hybrid = cgroup_open_root();
        ASSERT_OK(hybrid);
        _cleanup_close_ int group = cgroup_open(hybrid, group_name);
        ASSERT_OK(group);
        hybrid = fd_close(hybrid);
        ASSERT_OK(umount2("/sys/fs/cgroup/unified", MNT_DETACH));
        ASSERT_OK(umount2("/sys/fs/cgroup", MNT_DETACH));
}

TEST(make_and_open) {
        need_group();
        _cleanup_close_ int a = cgroup_make(group_fd, "a");
        ASSERT_OK(a);
        ASSERT_TRUE(fd_is_cloexec(a));
        _cleanup_close_ int again = cgroup_make(group_fd, "a"), b = cgroup_make(a, "b.scope");
        ASSERT_OK(again);
        ASSERT_OK(b);
        _cleanup_free_ char *path = strjoin("/", group_name, "/a/b.scope");
        _cleanup_close_ int by_path = cgroup_open(root_fd, path);
        ASSERT_OK(by_path);
        struct stat x, y;
        ASSERT_OK(fstat(b, &x));
        ASSERT_OK(fstat(by_path, &y));
        ASSERT_EQ(x.st_ino, y.st_ino);
        static const char *const bad[] = { "", ".", "..", "x/y", "/", "/x" };
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                ASSERT_ERROR(cgroup_make(group_fd, bad[i]), EINVAL);
                ASSERT_ERROR(cgroup_remove(group_fd, bad[i]), EINVAL);
        }
        ASSERT_ERROR(cgroup_make(group_fd, "cgroup.procs"), ENOTDIR);
        ASSERT_ERROR(cgroup_open(group_fd, "nothing"), ENOENT);
        ASSERT_ERROR(cgroup_open(group_fd, "../.."), EXDEV);
        ASSERT_ERROR(cgroup_open(group_fd, "cgroup.procs"), ENOTDIR);
        _cleanup_close_ int self = cgroup_open(group_fd, "/");
        ASSERT_OK(self);
        ASSERT_OK(cgroup_remove(group_fd, "a"));
        ASSERT_ERROR(cgroup_open(group_fd, "a"), ENOENT);
        ASSERT_OK(cgroup_remove(group_fd, "a")); /* gone is gone */
}

TEST(paths_of_processes) {
        need_group();
        _cleanup_close_ int fd = cgroup_make(group_fd, "paths");
        _cleanup_free_ char *own = NULL, *self = NULL, *path = NULL;
        _cleanup_free_ char *expected = strjoin("/", group_name, "/paths");

        ASSERT_OK(cgroup_get_path(0, &own));
        ASSERT_OK(cgroup_get_path(getpid(), &self));
        ASSERT_STREQ(own, self);
        ASSERT_EQ(own[0], '/');
        ASSERT_NULL(strchr(own, '\n'));
        pid_t pid = child_paused();
        ASSERT_OK(cgroup_attach(fd, pid));
        ASSERT_OK(cgroup_get_path(pid, &path));
        ASSERT_STREQ(path, expected);
        end_and_wait(pid, fd);
        path = mfree(path);
        ASSERT_ERROR(cgroup_get_path(pid, &path), ESRCH);
        ASSERT_ERROR(cgroup_attach(fd, pid), ESRCH);
        ASSERT_ERROR(cgroup_attach(fd, -1), EINVAL);
        ASSERT_OK(cgroup_remove(group_fd, "paths"));
}

static int attach_self(void *arg) {
        _cleanup_free_ char *path = NULL;

        if (cgroup_attach(*(int *) arg, 0) < 0 || cgroup_get_path(0, &path) < 0)
                return 1;
        return endswith(path, "/self") ? 0 : 2;
}

TEST(attach_the_caller) {
        need_group();
        _cleanup_close_ int fd = cgroup_make(group_fd, "self");
        ASSERT_EQ(in_child(attach_self, &fd), 0);
        ASSERT_OK(cgroup_remove(group_fd, "self"));
}

TEST(born_in_its_group) {
        need_group();
        _cleanup_close_ int fd = cgroup_make(group_fd, "born");
        struct clone_args args = { .flags = CLONE_INTO_CGROUP,
                                   .exit_signal = SIGCHLD,
                                   .cgroup = (uint64_t) fd };
        _cleanup_free_ char *path = NULL;

        pid_t pid = sys_clone3(&args);
        if (pid == 0)
                for (;;)
                        syscall(SYS_pause);
        ASSERT_OK(pid);
        ASSERT_OK(cgroup_get_path(pid, &path));
        ASSERT_NOT_NULL(endswith(path, "/born"));
        end_and_wait(pid, fd);
        ASSERT_OK(cgroup_remove(group_fd, "born"));
}

TEST(populated_and_kill) {
        need_group();
        _cleanup_close_ int fd = cgroup_make(group_fd, "kill"), sub = cgroup_make(fd, "sub");
        _cleanup_close_ int spare = cgroup_make(fd, "spare");
        int status;

        ASSERT_EQ(cgroup_is_populated(fd), 0);
        pid_t a = child_paused(), b = child_paused();
        ASSERT_OK(cgroup_attach(fd, a));
        ASSERT_OK(cgroup_attach(sub, b));
        ASSERT_EQ(cgroup_is_populated(fd), 1);
        ASSERT_EQ(cgroup_is_populated(spare), 0);
        ASSERT_ERROR(cgroup_remove(group_fd, "kill"), EBUSY);
        ASSERT_OK(
                faccessat(fd, "spare", F_OK, 0)); /* refused as a whole: nothing is half removed */
        ASSERT_OK(cgroup_kill(fd));
        ASSERT_EQ(waitpid(a, &status, 0), a);
        ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        ASSERT_EQ(waitpid(b, &status, 0), b);
        ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        for (int i = 0; i < 2000 && cgroup_is_populated(fd) == 1; i++)
                usleep(1000);
        ASSERT_EQ(cgroup_is_populated(fd), 0);
        ASSERT_OK(cgroup_remove(group_fd, "kill"));
}

TEST(remove_what_a_container_left) {
        need_group();
        _cleanup_close_ int fd = cgroup_make(group_fd, "tree"), at = fcntl(fd, F_DUPFD_CLOEXEC, 0);

        /* A deep one, with leaves at every level. */
        for (int depth = 0; depth < 60; depth++) {
                for (int i = 0; i < 3; i++) {
                        char name[16];
                        snprintf(name, sizeof(name), "leaf%d", i);
                        _cleanup_close_ int leaf = cgroup_make(at, name);
                        ASSERT_OK(leaf);
                }
                int next = cgroup_make(at, "deeper");
                ASSERT_OK(next);
                fd_close(at);
                at = next;
        }
        int before = count_fds();
        ASSERT_OK(cgroup_remove(group_fd, "tree"));
        ASSERT_EQ(count_fds(), before);
        ASSERT_TRUE(faccessat(group_fd, "tree", F_OK, 0) < 0);
}

TEST(remove_spares_a_deep_process) {
        need_group();
        _cleanup_close_ int a = cgroup_make(group_fd, "spare"), b = cgroup_make(a, "b"),
                            c = cgroup_make(b, "c");

        pid_t pid = child_paused();
        ASSERT_OK(cgroup_attach(c, pid));
        ASSERT_ERROR(cgroup_remove(group_fd, "spare"), EBUSY);
        ASSERT_EQ(cgroup_is_populated(c), 1);
        end_and_wait(pid, a);
        ASSERT_OK(cgroup_remove(group_fd, "spare"));
}

static int owner_of(int fd, const char *name) {
        struct stat st;
        return fstatat(fd, name, &st, AT_EMPTY_PATH) < 0 ? -errno : (int) st.st_uid;
}

TEST(delegate) {
        need_group();
        _cleanup_close_ int fd = cgroup_make(group_fd, "delegate");

        ASSERT_OK(cgroup_delegate(fd, 12345, 54321));
        ASSERT_EQ(owner_of(fd, ""), 12345);
        ASSERT_EQ(owner_of(fd, "cgroup.procs"), 12345);
        ASSERT_EQ(owner_of(fd, "cgroup.threads"), 12345);
        ASSERT_EQ(owner_of(fd, "cgroup.subtree_control"), 12345);
        /* What the kernel does not list stays ours: limits and kill are not the container's. */
        ASSERT_EQ(owner_of(fd, "cgroup.kill"), 0);
        ASSERT_EQ(owner_of(fd, "cgroup.max.depth"), 0);
        ASSERT_EQ(owner_of(fd, "cgroup.events"), 0);
        ASSERT_OK(cgroup_remove(group_fd, "delegate"));
}

TEST(controllers_for_the_children) {
        need_group();
        _cleanup_close_ int fd = cgroup_make(group_fd, "controllers");
        _cleanup_free_ char *offered = NULL, *on = NULL;

        ASSERT_OK(cgroup_read_attribute(fd, "cgroup.controllers", &offered));
        ASSERT_OK(cgroup_enable_controllers(fd));
        ASSERT_OK(cgroup_read_attribute(fd, "cgroup.subtree_control", &on));
        ASSERT_STREQ(on, offered);
        ASSERT_OK(cgroup_remove(group_fd, "controllers"));
}

/* Without a hierarchy that has controllers: a directory in the place of a group shows what is written. */
TEST(controllers_of_a_directory) {
        _cleanup_close_ int dir = sandbox_dir();
        _cleanup_free_ char *text = NULL;

        ASSERT_OK(write_file_at(dir, "cgroup.controllers", "cpu memory pids\n"));
        ASSERT_OK(write_file_at(dir, "cgroup.subtree_control", ""));
        ASSERT_OK(cgroup_enable_controllers(dir));
        ASSERT_OK(cgroup_read_attribute(dir, "cgroup.subtree_control", &text));
        ASSERT_CONTAINS(text, "+cpu +memory +pids");
        ASSERT_OK(write_file_at(dir, "cgroup.controllers", "\n"));
        ASSERT_OK(cgroup_enable_controllers(dir));
        ASSERT_OK(unlinkat(dir, "cgroup.controllers", 0));
        ASSERT_ERROR(cgroup_enable_controllers(dir), ENOENT);
}

TEST(attributes) {
        _cleanup_close_ int dir = sandbox_dir();
        _cleanup_free_ char *type = NULL, *lines = NULL;
        uint64_t n = 7;

        need_group();
        ASSERT_OK(cgroup_read_attribute(group_fd, "cgroup.type", &type));
        ASSERT_STREQ(type, "domain");
        ASSERT_ERROR(cgroup_write_attribute(group_fd, "cgroup.type", "nonsense"), EINVAL);
        ASSERT_ERROR(cgroup_write_attribute(group_fd, "cgroup.nothing", "1"), ENOENT);
        ASSERT_ERROR(cgroup_read_attribute(group_fd, "cgroup.nothing", &type), ENOENT);
        ASSERT_ERROR(cgroup_write_attribute(group_fd, "../cgroup.procs", "1"), EINVAL);
        ASSERT_ERROR(cgroup_read_attribute(group_fd, "../cgroup.procs", &type), EINVAL);
        ASSERT_OK(cgroup_write_attribute(group_fd, "cgroup.max.depth", "1000"));

        ASSERT_OK(write_file_at(dir, "x.events",
                                "low 0\noom 1\noom_kill 18446744073709551615\nlast 5"));
        ASSERT_OK(cgroup_read_attribute(dir, "x.events", &lines));
        ASSERT_OK(cgroup_read_keyed(dir, "x.events", "oom_kill", &n));
        ASSERT_TRUE(n == UINT64_MAX);
        ASSERT_OK(cgroup_read_keyed(dir, "x.events", "oom", &n));
        ASSERT_EQ(n, 1);
        ASSERT_OK(cgroup_read_keyed(dir, "x.events", "last", &n));
        ASSERT_EQ(n, 5);
        ASSERT_ERROR(cgroup_read_keyed(dir, "x.events", "oom_", &n), ENODATA);
        ASSERT_ERROR(cgroup_read_keyed(dir, "x.events", "kill", &n), ENODATA);
        ASSERT_ERROR(cgroup_read_keyed(dir, "nothing", "low", &n), ENOENT);
        ASSERT_EQ(n, 5);
}

int main(int argc, char **argv) {
        sandbox_enter();
        /* Over whatever the host has there, for this process alone. */
        if (mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL) >= 0) {
                root_fd = cgroup_open_root();
                snprintf(group_name, sizeof(group_name), "berth-test-%d", (int) getpid());
                if (root_fd >= 0)
                        group_fd = cgroup_make(root_fd, group_name);
        }
        int r = test_run_all(argc, argv);
        if (group_fd >= 0) {
                (void) cgroup_kill(group_fd); /* what a failed test left */
                for (int i = 0; i < 2000 && cgroup_is_populated(group_fd) == 1; i++)
                        usleep(1000);
                fd_close(group_fd);
                if (cgroup_remove(root_fd, group_name) < 0) {
                        printf("FAIL the group '%s' cannot be removed\n", group_name);
                        r = 1;
                }
        }
        fd_close(root_fd);
        return r;
}
