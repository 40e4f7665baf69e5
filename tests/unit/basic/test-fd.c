/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of basic/fd.c. */
#include "test.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "basic/fd.h"

#include "basic/path.h"
#include "basic/str.h"
#include <sys/wait.h>

/* A directory of its own for each test; the caller removes what is in it. */
static char *new_directory(void) {
        char *p = strdup("/tmp/berth-test-fd.XXXXXX");

        ASSERT_NOT_NULL(p);
        ASSERT_NOT_NULL(mkdtemp(p));
        return p;
}

static int new_pipe_with(const char *bytes, size_t n) {
        int p[2];

        ASSERT_OK(pipe2(p, O_CLOEXEC));
        ASSERT_OK(fd_write_full(p[1], bytes, n));
        close(p[1]);
        return p[0];
}

/* Numbers that the caller has closed are taken, and stay useless. */
TEST(fill_stdio) {
        pid_t pid = fork();
        if (pid == 0) {
                close(0);
                close(2);
                if (fd_fill_stdio() < 0)
                        _exit(1);
                int fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
                if (fd <= 2)
                        _exit(2);
                if (write(2, "x", 1) >= 0 || errno != EBADF || read(0, &pid, 1) >= 0)
                        _exit(3);
                if (!(fcntl(0, F_GETFD) & FD_CLOEXEC) || (fcntl(1, F_GETFD) & FD_CLOEXEC))
                        _exit(4);
                _exit(0);
        }
        int status;
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        ASSERT_EQ(status, 0);
}

TEST(close_keeps_errno) {
        int p[2], copy;

        ASSERT_OK(pipe2(p, O_CLOEXEC));
        copy = p[0];
        errno = EXDEV;
        ASSERT_EQ(fd_close(p[0]), -EBADF);
        ASSERT_EQ(fd_close(copy), -EBADF); /* closed already: still quiet */
        ASSERT_EQ(fd_close(-1), -EBADF);
        ASSERT_EQ(errno, EXDEV);
        p[0] = -EBADF;
        fd_close_pair(p);
        ASSERT_EQ(p[1], -EBADF);
}

TEST(flags) {
        _cleanup_close_pair_ int p[2] = PAIR_EBADF;

        ASSERT_OK(pipe2(p, O_CLOEXEC));
        ASSERT_OK(fd_cloexec(p[0], false));
        ASSERT_EQ(fcntl(p[0], F_GETFD), 0);
        ASSERT_OK(fd_cloexec(p[0], true));
        ASSERT_EQ(fcntl(p[0], F_GETFD), FD_CLOEXEC);
        ASSERT_OK(fd_nonblock(p[0], true));
        ASSERT_TRUE(fcntl(p[0], F_GETFL) & O_NONBLOCK);
        ASSERT_OK(fd_nonblock(p[0], false));
        ASSERT_FALSE(fcntl(p[0], F_GETFL) & O_NONBLOCK);
        ASSERT_ERROR(fd_cloexec(-EBADF, true), EBADF);
        ASSERT_ERROR(fd_nonblock(-EBADF, true), EBADF);
}

TEST(move) {
        _cleanup_close_ int fd = -EBADF;
        int old;

        fd = old = open("/dev/null", O_RDONLY | O_CLOEXEC);
        ASSERT_OK(fd);
        ASSERT_OK(fd_move_to(&fd, 100, true));
        ASSERT_EQ(fd, 100);
        ASSERT_EQ(fcntl(100, F_GETFD), FD_CLOEXEC);
        ASSERT_EQ(fcntl(old, F_GETFD), -1);
        ASSERT_OK(fd_move_to(&fd, 100, false));
        ASSERT_EQ(fcntl(100, F_GETFD), 0);
        int bad = -EBADF;
        ASSERT_ERROR(fd_move_to(&bad, 101, true), EBADF);
        ASSERT_EQ(bad, -EBADF);
}

TEST(read_full) {
        _cleanup_close_ int fd = -EBADF;
        char buf[6] = "";

        fd = new_pipe_with("abcde", 5);
        ASSERT_OK(fd_read_full(fd, buf, 3));
        ASSERT_STREQ(buf, "abc");
        ASSERT_ERROR(fd_read_full(fd, buf, 3), EPIPE);
        ASSERT_OK(fd_read_full(fd, buf, 0));
        ASSERT_ERROR(fd_read_full(-EBADF, buf, 1), EBADF);
}

TEST(read_all_of_a_pipe) {
        _cleanup_close_ int fd = -EBADF;
        _cleanup_free_ char *text = NULL;
        size_t n = 99;

        fd = new_pipe_with("a\0b", 3);
        ASSERT_OK(fd_read_all(fd, 3, &text, &n));
        ASSERT_EQ(n, 3);
        ASSERT_EQ(memcmp(text, "a\0b", 4), 0);
}

TEST(read_all_refuses_nul) {
        _cleanup_close_ int fd = -EBADF;
        char *text = NULL;

        fd = new_pipe_with("a\0b", 3);
        ASSERT_ERROR(fd_read_all(fd, 100, &text, NULL), EBADMSG);
        ASSERT_NULL(text);
}

TEST(read_all_limits) {
        static char bytes[20000];
        memset(bytes, 'x', sizeof(bytes));
        /* below, at and above the sizes that are read at once */
        static const size_t sizes[] = { 0, 1, 4095, 4096, 4097, 8192, 20000 };

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++)
                for (int regular = 0; regular < 2; regular++) {
                        _cleanup_free_ char *text = NULL;
                        _cleanup_close_ int fd = -EBADF;
                        size_t n;

                        if (regular)
                                fd = memfd_new_sealed("test", bytes, sizes[i]);
                        else
                                fd = new_pipe_with(bytes, sizes[i]);
                        ASSERT_OK(fd);
                        ASSERT_OK(fd_read_all(fd, sizes[i], &text, &n));
                        ASSERT_EQ(n, sizes[i]);
                        ASSERT_EQ(strlen(text), n);
                        if (sizes[i] == 0)
                                continue;
                        fd_close(fd);
                        fd = regular ? memfd_new_sealed("test", bytes, sizes[i])
                                     : new_pipe_with(bytes, sizes[i]);
                        char *none = NULL;
                        ASSERT_ERROR(fd_read_all(fd, sizes[i] - 1, &none, NULL), E2BIG);
                        ASSERT_NULL(none);
                }
}

TEST(read_regular) {
        static char bytes[20000];
        memset(bytes, 'x', sizeof(bytes));
        static const size_t sizes[] = { 0, 1, 4095, 4096, 4097, 8192, 20000 };

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                _cleanup_free_ char *text = NULL;
                char *none = NULL;
                size_t n;
                _cleanup_close_ int fd = memfd_new_sealed("test", bytes, sizes[i]);
                ASSERT_OK(fd);
                ASSERT_OK(lseek(fd, 0, SEEK_END)); /* the position does not matter, and stays */
                ASSERT_OK(fd_read_regular(fd, sizes[i], &text, &n));
                ASSERT_EQ(n, sizes[i]);
                ASSERT_EQ(strlen(text), n);
                ASSERT_EQ(lseek(fd, 0, SEEK_CUR), (off_t) n);
                if (n > 0)
                        ASSERT_ERROR(fd_read_regular(fd, n - 1, &none, NULL), E2BIG);
                ASSERT_NULL(none);
        }
        _cleanup_free_ char *comm = NULL;
        char *none = NULL;
        ASSERT_OK(file_read_regular(AT_FDCWD, "/proc/self/comm", 100, &comm));
        ASSERT_CONTAINS(comm, "test-basic-fd");
        ASSERT_ERROR(file_read_regular(AT_FDCWD, "/nonexistent", 100, &none), ENOENT);
        ASSERT_ERROR(file_read_regular(AT_FDCWD, "/proc", 100, &none), EISDIR);
        ASSERT_ERROR(file_read_regular(AT_FDCWD, "/dev/zero", 100, &none), E2BIG);
        ASSERT_ERROR(fd_read_regular(memfd_new_sealed("nul", "a", 2), 100, &none, NULL), EBADMSG);
}

TEST(read_all_with_no_limit_to_speak_of) {
        _cleanup_free_ char *text = NULL;
        _cleanup_close_ int fd = -EBADF;

        fd = new_pipe_with("abc", 3);
        ASSERT_OK(fd_read_all(fd, SIZE_MAX, &text, NULL));
        ASSERT_STREQ(text, "abc");
}

TEST(file_read) {
        _cleanup_free_ char *text = NULL;
        char *none = NULL;

        ASSERT_OK(file_read_all(AT_FDCWD, "/proc/self/comm", 100, &text, NULL));
        ASSERT_CONTAINS(text, "test-basic-fd");
        ASSERT_ERROR(file_read_all(AT_FDCWD, "/nonexistent", 100, &none, NULL), ENOENT);
        ASSERT_ERROR(file_read_all(AT_FDCWD, "/proc", 100, &none, NULL), EISDIR);
        ASSERT_ERROR(file_read_all(AT_FDCWD, "/dev/zero", 10000, &none, NULL), E2BIG);
        ASSERT_NULL(none);
}

TEST(file_read_does_not_hang_on_a_fifo) {
        _cleanup_free_ char *dir = new_directory(), *text = NULL;
        _cleanup_free_ char *fifo = path_join(dir, "fifo");

        ASSERT_OK(mkfifo(fifo, 0600));
        int r = file_read_all(AT_FDCWD, fifo, 100, &text, NULL);
        unlink(fifo);
        rmdir(dir);
        ASSERT_OK(r);
        ASSERT_STREQ(text, "");
}

TEST(file_write) {
        _cleanup_free_ char *dir = new_directory(), *text = NULL;
        _cleanup_close_ int dir_fd = -EBADF, fd = -EBADF;

        dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ASSERT_OK(dir_fd);
        ASSERT_ERROR(file_write_at(dir_fd, "file", "x"), ENOENT);
        fd = openat(dir_fd, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        ASSERT_OK(fd);
        ASSERT_OK(file_write_at(dir_fd, "file", "hello"));
        int r = file_read_all(dir_fd, "file", 5, &text, NULL);
        unlinkat(dir_fd, "file", 0);
        rmdir(dir);
        ASSERT_OK(r);
        ASSERT_STREQ(text, "hello");
        ASSERT_ERROR(file_write_at(AT_FDCWD, "/dev/full", "x"), ENOSPC);
}

TEST(make_directories) {
        _cleanup_free_ char *dir = new_directory();
        _cleanup_free_ char *deep = path_join(dir, "a//b/./c/"),
                            *in_file = path_join(dir, "file/x");
        _cleanup_free_ char *file = path_join(dir, "file"), *middle = path_join(dir, "a/b");
        struct stat st, st_middle;
        mode_t old_mask = umask(0022);

        int r = mkdir_parents(deep, 0700), again = mkdir_parents(deep, 0755);
        int stat_r = stat(deep, &st), middle_r = stat(middle, &st_middle);
        close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
        int at_file = mkdir_parents(file, 0755), below_file = mkdir_parents(in_file, 0755);
        umask(old_mask);
        rmdir(deep);
        rmdir(middle);
        unlink(file);
        strcpy(strrchr(middle, '/'), "");
        rmdir(middle);
        rmdir(dir);
        ASSERT_OK(r);
        ASSERT_OK(again);
        ASSERT_OK(stat_r);
        ASSERT_OK(middle_r);
        ASSERT_EQ(st.st_mode & 07777, 0700);
        ASSERT_EQ(st_middle.st_mode & 07777, 0755);
        ASSERT_ERROR(at_file, ENOTDIR);
        ASSERT_ERROR(below_file, ENOTDIR);
        ASSERT_ERROR(mkdir_parents("", 0755), EINVAL);
        ASSERT_OK(mkdir_parents("/", 0755));
}

TEST(sealed_memfd) {
        _cleanup_free_ char *text = NULL;
        _cleanup_close_ int fd = -EBADF;
        int seals;

        fd = memfd_new_sealed("spec", "hello", 5);
        ASSERT_OK(fd);
        ASSERT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
        ASSERT_OK(fd_read_all(fd, 100, &text, NULL));
        ASSERT_STREQ(text, "hello");
        seals = fcntl(fd, F_GET_SEALS);
        ASSERT_TRUE(FLAGS_SET(seals, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL));
        ASSERT_ERROR(fd_write_full(fd, "x", 1), EPERM);
        ASSERT_EQ(ftruncate(fd, 0), -1);
}

TEST(streams) {
        int p[2], s[2];
        char path[] = "/tmp/berth-test-stream.XXXXXX";
        ASSERT_OK(pipe2(p, O_CLOEXEC));
        ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s));
        const int yes[] = { p[0],
                            p[1],
                            s[0],
                            open("/dev/null", O_RDWR | O_CLOEXEC),
                            mkostemp(path, O_CLOEXEC),
                            memfd_create("x", MFD_CLOEXEC),
                            open("/proc/self/status", O_RDONLY | O_CLOEXEC) };
        const int no[] = { open("/tmp", O_RDONLY | O_CLOEXEC),
                           open("/dev/null", O_PATH | O_CLOEXEC),
                           epoll_create1(EPOLL_CLOEXEC),
                           eventfd(0, EFD_CLOEXEC),
                           open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC),
                           (int) syscall(SYS_pidfd_open, getpid(), 0),
                           -1 };
        ASSERT_OK(unlink(path)); /* one that is gone is one all the same */
        for (size_t i = 0; i < ELEMENTSOF(yes); i++)
                if (!fd_is_stream(yes[i]))
                        TEST_FAIL("%zu is a stream", i);
        for (size_t i = 0; i < ELEMENTSOF(no); i++)
                if (fd_is_stream(no[i]))
                        TEST_FAIL("%zu is no stream", i);
        for (size_t i = 0; i < ELEMENTSOF(yes); i++)
                close(yes[i]);
        for (size_t i = 0; i + 1 < ELEMENTSOF(no); i++)
                close(no[i]);
        close(s[1]);
}

TEST_MAIN
