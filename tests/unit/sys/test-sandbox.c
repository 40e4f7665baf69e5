/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sandboxes: what a process in one cannot do any more, and what it still can. */
#include "sys/sandbox.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/fd.h"
#include "sys/caps.h"
#include "sys/syscalls.h"
#include "test.h"

typedef struct Try {
        const char *what;
        int (*attempt)(int root_fd); /* 0: it was possible */
} Try;

static int result(long r) {
        return r < 0 ? -errno : 0;
}

static int open_shadow(int root_fd) {
        return result(open("/etc/shadow", O_RDONLY | O_CLOEXEC));
}
static int open_upwards(int root_fd) {
        return result(openat(root_fd, "../../../../../../etc/passwd", O_RDONLY | O_CLOEXEC));
}
static int make_inet_socket(int root_fd) {
        return result(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}
static int make_unix_socket(int root_fd) {
        return result(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}
static int make_process(int root_fd) {
        struct clone_args args = { .exit_signal = SIGCHLD };
        pid_t pid = sys_clone3(&args);
        if (pid == 0)
                _exit(0);
        return result(pid);
}
static int fork_process(int root_fd) { /* by clone(), which may make threads */
        pid_t pid = (pid_t) syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
        if (pid == 0)
                _exit(0);
        return result(pid);
}
static int trace_parent(int root_fd) {
        return result(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}
static int signal_parent(int root_fd) {
        return result(kill(getppid(), 0));
}
static int map_code(int root_fd) {
        void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
                       -1, 0);
        return p == MAP_FAILED ? -errno : 0;
}
static int execute(int root_fd) {
        return result(execl("/bin/true", "true", NULL));
}
static int make_namespace(int root_fd) {
        return result(unshare(CLONE_NEWUSER));
}
static int make_device(int root_fd) {
        return result(mknodat(root_fd, "device", S_IFCHR | 0666, 0x103));
}
static int change_root_again(int root_fd) {
        return result(chroot("."));
}
static int mount_something(int root_fd) {
        return result(mount("none", "/", "tmpfs", 0, NULL));
}

static const Try never[] = {
        { "open /etc/shadow", open_shadow },
        { "open a way up", open_upwards },
        { "make an internet socket", make_inet_socket },
        { "make a local socket", make_unix_socket },
        { "make a process", make_process },
        { "fork", fork_process },
        { "trace the parent", trace_parent },
        { "signal the parent", signal_parent },
        { "map code", map_code },
        { "execute", execute },
        { "make a namespace", make_namespace },
        { "make a device", make_device },
        { "change the root", change_root_again },
        { "mount", mount_something },
};

/* Exit status of a child: 0, or one more than the index of what was possible; 100: the sandbox failed, 101: what is allowed was not possible. */
static int in_sandbox(const Sandbox *s, int (*allowed)(int root_fd)) {
        int status = -1;
        fflush(NULL);
        pid_t pid = fork();
        ASSERT_OK(pid);
        if (pid == 0) {
                if (sandbox_enter(s) < 0)
                        _exit(100);
                for (size_t i = 0; i < ELEMENTSOF(never); i++)
                        if (!(s->network && never[i].attempt == make_inet_socket) &&
                            never[i].attempt(s->root_fd) == 0)
                                _exit((int) i + 1);
                _exit(allowed && allowed(s->root_fd) < 0 ? 101 : 0);
        }
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        ASSERT_TRUE(WIFEXITED(status));
        const int code = WEXITSTATUS(status);
        if (code > 0 && code <= (int) ELEMENTSOF(never))
                TEST_FAIL("it can %s", never[code - 1].what);
        return code;
}

static int make_files(int root_fd) {
        struct stat st;
        int fd = openat(root_fd, "file", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, "x", 1) != 1 || fchown(fd, 1234, 5678) < 0 ||
            fchmod(fd, 04755) < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (st.st_uid != 1234 || st.st_mode != (S_IFREG | 04755))
                return -EINVAL;
        if (mkdirat(root_fd, "d", 0700) < 0 || mknodat(root_fd, "d/fifo", S_IFIFO | 0600, 0) < 0 ||
            linkat(root_fd, "file", root_fd, "d/same", 0) < 0 ||
            symlinkat("/etc/passwd", root_fd, "link") < 0 || unlinkat(root_fd, "file", 0) < 0)
                return -errno;
        /* a link of ours leads nowhere else */
        return openat(root_fd, "link", O_RDONLY | O_CLOEXEC) >= 0 ? -EINVAL : 0;
}

static int read_files(int root_fd) {
        char text[2];
        int fd = openat(root_fd, "given", O_RDONLY | O_CLOEXEC);
        if (fd < 0 || read(fd, text, 1) != 1)
                return -errno;
        return openat(root_fd, "given", O_WRONLY | O_CLOEXEC) >= 0 ||
                               openat(root_fd, "new", O_CREAT | O_WRONLY | O_CLOEXEC, 0600) >= 0
                       ? -EINVAL
                       : 0;
}

static int own_nothing(int root_fd) {
        if (geteuid() != SANDBOX_NOBODY)
                return -EINVAL;
        /* more than the limit of memory */
        void *p =
                mmap(NULL, 128U << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return p == MAP_FAILED && errno == ENOMEM ? 0 : -EINVAL;
}

static int open_top(char top[static 32]) {
        strcpy(top, "/tmp/test-sandbox.XXXXXX");
        ASSERT_NOT_NULL(mkdtemp(top));
        int fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ASSERT_OK(fd);
        return fd;
}

static void remove_top(const char *top) {
        char command[64];
        snprintf(command, sizeof(command), "rm -rf %s", top);
        ASSERT_EQ(system(command), 0);
}

static void *answer_thread(void *userdata) {
        *(int *) userdata = 17;
        return NULL;
}

/* Connections and threads, and the root's files; nothing else. */
static int use_network(int root_fd) {
        struct sockaddr_in a = { .sin_family = AF_INET,
                                 .sin_port = htons(9),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        pthread_t thread;
        int answer = 0, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0),
            fd6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (const struct sockaddr *) &a, sizeof(a)) < 0)
                return -errno;
        if (fd6 < 0 && errno == EPERM)
                return -errno;
        if (socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0 ||
            socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0) >= 0 || listen(fd, 1) >= 0)
                return -EINVAL;
        if (pthread_create(&thread, NULL, answer_thread, &answer) != 0 ||
            pthread_join(thread, NULL) != 0 || answer != 17)
                return -EINVAL;
        return read_files(root_fd);
}

TEST(nothing_at_all) {
        if (BERTH_SANITIZED)
                TEST_SKIP("a sanitizer has needs that a filter does not know");
        const Sandbox s = { .root_fd = -EBADF, .memory_max = 64U << 20 };
        ASSERT_EQ(in_sandbox(&s, own_nothing), 0);
}

TEST(writing) {
        char top[32];
        if (BERTH_SANITIZED)
                TEST_SKIP("a sanitizer has needs that a filter does not know");
        int fd = open_top(top);
        const Sandbox s = { .root_fd = fd,
                            .write = true,
                            .capabilities = CAP_MASK(CAP_CHOWN) | CAP_MASK(CAP_FOWNER) |
                                            CAP_MASK(CAP_DAC_OVERRIDE) | CAP_MASK(CAP_FSETID) };
        ASSERT_EQ(in_sandbox(&s, make_files), 0);
        close(fd);
        remove_top(top);
}

TEST(network) {
        char top[32];
        if (BERTH_SANITIZED)
                TEST_SKIP("a sanitizer has needs that a filter does not know");
        int fd = open_top(top);
        ASSERT_OK(fchmod(fd, 0755));
        int file = openat(fd, "given", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
        ASSERT_OK(fd_write_full(file, "hello", 5));
        close(file);
        const Sandbox s = { .root_fd = fd, .files = true, .network = true };
        ASSERT_EQ(in_sandbox(&s, use_network), 0);
        close(fd);
        remove_top(top);
}

TEST(reading) {
        char top[32];
        if (BERTH_SANITIZED)
                TEST_SKIP("a sanitizer has needs that a filter does not know");
        int fd = open_top(top);
        int file = openat(fd, "given", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        ASSERT_OK(fd_write_full(file, "hello", 5));
        close(file);
        const Sandbox s = { .root_fd = fd,
                            .files = true,
                            .capabilities = CAP_MASK(CAP_DAC_READ_SEARCH) };
        ASSERT_EQ(in_sandbox(&s, read_files), 0);
        close(fd);
        remove_top(top);
}

TEST_MAIN
