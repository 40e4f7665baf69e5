/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of sys/namespace.c: types, opening and comparing, maps, and user namespaces that nobody lives in. */
#include "sys/namespace.h"

#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "basic/str.h"
#include "sandbox.h"

TEST(types) {
        static const char *const names[] = { "mnt",    "pid",  "uts", "ipc",
                                             "cgroup", "user", "net", "time" };

        for (NamespaceType t = 0; t < _NAMESPACE_MAX; t++) {
                ASSERT_STREQ(namespace_type_name(t), names[t]);
                ASSERT_NE(namespace_type_flag(t), 0);
                for (NamespaceType u = 0; u < t; u++)
                        ASSERT_NE(namespace_type_flag(t), namespace_type_flag(u));
        }
        ASSERT_NULL(namespace_type_name(_NAMESPACE_MAX));
        ASSERT_EQ(namespace_type_flag(_NAMESPACE_MAX), 0);
        ASSERT_ERROR(namespace_is_supported(_NAMESPACE_MAX), EINVAL);
        ASSERT_ERROR(namespace_open(0, _NAMESPACE_MAX), EINVAL);
        ASSERT_ERROR(namespace_open(-1, NAMESPACE_MOUNT), EINVAL);
}

static int unshare_it(void *arg) {
        return unshare((int) *(unsigned long *) arg) < 0 ? 1 : 0;
}

/* What is said to be supported can be had, and the other way round. */
TEST(supported_means_it_can_be_made) {
        for (NamespaceType t = 0; t < _NAMESPACE_MAX; t++) {
                unsigned long flag = namespace_type_flag(t);
                int r = namespace_is_supported(t);
                ASSERT_OK(r);
                ASSERT_EQ(in_child(unshare_it, &flag), r > 0 ? 0 : 1);
        }
        ASSERT_EQ(namespace_is_supported(NAMESPACE_MOUNT), 1);
        ASSERT_EQ(namespace_is_supported(NAMESPACE_USER), 1);
}

TEST(kernel_agrees_with_the_flags) {
        for (NamespaceType t = 0; t < _NAMESPACE_MAX; t++) {
                if (!namespace_is_supported(t))
                        continue;
                _cleanup_close_ int fd = namespace_open(0, t);
                ASSERT_OK(fd);
                ASSERT_TRUE(fd_is_cloexec(fd));
                ASSERT_EQ(ioctl(fd, NS_GET_NSTYPE), namespace_type_flag(t));
        }
}

static int compare_after_unshare(void *arg) {
        _cleanup_close_ int before = namespace_open(0, NAMESPACE_UTS),
                            same = namespace_open(getpid(), NAMESPACE_UTS);

        if (namespace_equal(before, same) != 1 || unshare(CLONE_NEWUTS) < 0)
                return 1;
        _cleanup_close_ int after = namespace_open(0, NAMESPACE_UTS),
                            mount_ns = namespace_open(0, NAMESPACE_MOUNT);
        if (namespace_equal(before, after) != 0 || namespace_equal(after, mount_ns) != 0)
                return 2;
        return namespace_equal(after, -EBADF) == -EBADF ? 0 : 3;
}

TEST(equality) {
        ASSERT_EQ(in_child(compare_after_unshare, NULL), 0);
}

TEST(process_that_is_gone) {
        pid_t pid = child_paused();
        child_end(pid);
        ASSERT_ERROR(namespace_open(pid, NAMESPACE_NET), ENOENT);
        ASSERT_ERROR(userns_write_maps(pid, &(IdMap){ 0, 0, 1 }, 1), ENOENT);
}

/* A child in a user namespace without maps. */
static pid_t child_in_userns(void) {
        int p[2];
        char c;

        fflush(NULL);
        if (pipe2(p, O_CLOEXEC) < 0)
                return -errno;
        pid_t pid = fork();
        if (pid == 0) {
                if (unshare(CLONE_NEWUSER) < 0)
                        _exit(1);
                close(p[0]);
                close(p[1]);
                for (;;) {
                        alarm(60);
                        pause();
                }
        }
        close(p[1]);
        (void) !read(p[0], &c, 1); /* ends when the child has closed its side */
        close(p[0]);
        return pid;
}

/* The map of a process with single blanks: "0 100000 65536\n". */
static char *map_read(pid_t pid, const char *file) {
        _cleanup_free_ char *path = strf("/proc/%d/%s", (int) pid, file), *text = NULL;
        size_t n = 0;

        if (file_read_all(AT_FDCWD, path, 65536, &text, NULL) < 0)
                return NULL;
        for (char *p = text; *p; p++)
                if (*p != ' ' || (n > 0 && text[n - 1] != ' ' && text[n - 1] != '\n'))
                        text[n++] = *p;
        text[n] = '\0';
        return TAKE_PTR(text);
}

TEST(maps_are_written_once) {
        static const IdMap maps[] = { { 0, 100000, 1000 },
                                      { 1000, 200000, 1 },
                                      { 65534, 300000, 1 } };
        pid_t pid = child_in_userns();

        ASSERT_OK(pid);
        ASSERT_OK(userns_write_maps(pid, maps, ELEMENTSOF(maps)));
        _cleanup_free_ char *uids = map_read(pid, "uid_map"), *gids = map_read(pid, "gid_map");
        _cleanup_free_ char *setgroups = map_read(pid, "setgroups");
        ASSERT_STREQ(uids, "0 100000 1000\n1000 200000 1\n65534 300000 1\n");
        ASSERT_STREQ(gids, uids);
        ASSERT_STREQ(setgroups, "allow\n");
        ASSERT_ERROR(userns_write_maps(pid, maps, ELEMENTSOF(maps)), EPERM);
        child_end(pid);
}

TEST(impossible_maps) {
        static const IdMap overlap[] = { { 0, 100000, 10 }, { 5, 200000, 10 } };
        static const IdMap empty[] = { { 0, 100000, 0 } }, wraps[] = { { 0, UINT32_MAX - 5, 10 } };
        IdMap many[341];
        pid_t pid = child_in_userns();

        ASSERT_OK(pid);
        ASSERT_ERROR(userns_write_maps(pid, NULL, 0), EINVAL);
        ASSERT_ERROR(userns_write_maps(pid, overlap, 2), EINVAL);
        ASSERT_ERROR(userns_write_maps(pid, empty, 1), EINVAL);
        ASSERT_ERROR(userns_write_maps(pid, wraps, 1), EINVAL);
        for (uint32_t i = 0; i < ELEMENTSOF(many); i++)
                many[i] = (IdMap){ i, i, 1 };
        ASSERT_ERROR(userns_write_maps(pid, many, ELEMENTSOF(many)),
                     EINVAL); /* 340 is the kernel's limit */
        for (uint32_t i = 0; i < ELEMENTSOF(many); i++)
                many[i] = (IdMap){ i * 10, 1000000 + i * 10, 1 };
        ASSERT_ERROR(userns_write_maps(pid, many, ELEMENTSOF(many)),
                     E2BIG); /* more than a page of text */
        for (uint32_t i = 0; i < ELEMENTSOF(many); i++)
                many[i] = (IdMap){ i, i, 1 };
        ASSERT_OK(userns_write_maps(pid, many, 340)); /* nothing was written by the failures */
        child_end(pid);
}

static int enter_and_look(void *arg) {
        if (setns(*(int *) arg, CLONE_NEWUSER) < 0)
                return 1;
        if (getuid() != 65534) /* 0 of the outside is not mapped */
                return 2;
        if (setresgid(7, 7, 7) < 0 || setresuid(7, 7, 7) < 0)
                return 3;
        _cleanup_free_ char *uids = map_read(getpid(), "uid_map"),
                            *gids = map_read(getpid(), "gid_map");
        return uids && gids && streq(uids, "0 100000 65536\n") && streq(gids, uids) ? 0 : 4;
}

TEST(namespace_that_nobody_lives_in) {
        static const IdMap map = { 0, 100000, 65536 };
        sigset_t chld, pending, old;

        sigemptyset(&chld);
        sigaddset(&chld, SIGCHLD);
        ASSERT_OK(sigprocmask(SIG_BLOCK, &chld, &old));
        int before = count_fds();
        _cleanup_close_ int fd = userns_new(&map, 1), own = namespace_open(0, NAMESPACE_USER);
        ASSERT_OK(fd);
        ASSERT_TRUE(fd_is_cloexec(fd));
        ASSERT_EQ(count_fds(), before + 2);
        ASSERT_EQ(ioctl(fd, NS_GET_NSTYPE), CLONE_NEWUSER);
        ASSERT_EQ(namespace_equal(fd, own), 0);
        /* No child is left, and nobody heard of it. */
        ASSERT_TRUE(waitpid(-1, NULL, __WALL | WNOHANG) < 0 && errno == ECHILD);
        ASSERT_OK(sigpending(&pending));
        ASSERT_FALSE(sigismember(&pending, SIGCHLD));
        ASSERT_OK(sigprocmask(SIG_SETMASK, &old, NULL));
        ASSERT_EQ(in_child(enter_and_look, &fd), 0);
}

static int enter_and_read_maps(void *fd) {
        if (setns(*(int *) fd, CLONE_NEWUSER) < 0)
                return 1;
        _cleanup_free_ char *uids = map_read(getpid(), "uid_map"),
                            *gids = map_read(getpid(), "gid_map");
        return uids && gids && streq(uids, "1000 100000 1\n") && streq(gids, "50 200000 2\n") ? 0
                                                                                              : 2;
}

TEST(users_and_groups_apart) {
        static const IdMap uids = { 1000, 100000, 1 }, gids = { 50, 200000, 2 },
                           empty = { 0, 100000, 0 };
        int before = count_fds();
        _cleanup_close_ int fd = userns_new_apart(&uids, &gids);
        ASSERT_OK(fd);
        ASSERT_EQ(in_child(enter_and_read_maps, &fd), 0);
        ASSERT_ERROR(userns_new_apart(&uids, &empty), EINVAL);
        ASSERT_EQ(count_fds(), before + 1);
}

TEST(impossible_namespace_leaves_nothing) {
        static const IdMap empty = { 0, 100000, 0 };
        int before = count_fds();

        ASSERT_ERROR(userns_new(&empty, 1), EINVAL);
        ASSERT_ERROR(userns_new(NULL, 0), EINVAL);
        ASSERT_EQ(count_fds(), before);
        ASSERT_TRUE(waitpid(-1, NULL, __WALL | WNOHANG) < 0 && errno == ECHILD);
}

static int many_namespaces(void *arg) {
        static const IdMap map = { 0, 100000, 65536 };

        for (int i = 0; i < 100; i++) {
                int fd = userns_new(&map, 1);
                if (fd < 0)
                        return 1;
                close(fd);
        }
        return waitpid(-1, NULL, __WALL | WNOHANG) < 0 && errno == ECHILD ? 0 : 2;
}

/* With a handler for everything and the signals coming: the holder must neither run it nor end early. */
static void on_signal(int sig) {}

static int namespaces_under_fire(void *arg) {
        struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
        struct itimerval often = { { 0, 300 }, { 0, 300 } };

        sigaction(SIGALRM, &sa, NULL);
        setitimer(ITIMER_REAL, &often, NULL);
        return many_namespaces(NULL);
}

TEST(again_and_again) {
        ASSERT_EQ(in_child(many_namespaces, NULL), 0);
        ASSERT_EQ(in_child(namespaces_under_fire, NULL), 0);
}

SANDBOX_MAIN
