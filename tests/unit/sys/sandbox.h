/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the tests of sys/ play: a private mount namespace with an empty tmpfs on /mnt, and forked children. Nothing that
 * happens in it reaches the host's mounts. A child reports by its exit status only: an ASSERT_* there would go on with the
 * other tests in the wrong process. */
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/fd.h"
#include "test.h"

/* Ends the program as skipped where namespaces are not ours to make. */
static inline void sandbox_enter(void) {
        if (geteuid() != 0) {
                fprintf(stderr, "skipped: needs root\n");
                exit(77);
        }
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("sandbox", "/mnt", "tmpfs", MS_NOSUID, "mode=755,size=64m") < 0) {
                fprintf(stderr, "skipped: no mount namespace of our own: %s\n", errno_words(errno));
                exit(77);
        }
        umask(022);
}

#define SANDBOX_MAIN                             \
        int main(int argc, char **argv) {        \
                sandbox_enter();                 \
                return test_run_all(argc, argv); \
        }

/* A new empty directory in the sandbox, opened; removed with it. */
static inline int sandbox_dir(void) {
        char path[] = "/mnt/dir-XXXXXX";

        if (!mkdtemp(path) || chmod(path, 0755) < 0)
                return -errno;
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static inline int write_file_at(int dir_fd, const char *path, const char *text) {
        _cleanup_close_ int fd =
                openat(dir_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (fd < 0)
                return -errno;
        return fd_write_full(fd, text, strlen(text));
}

/* How many descriptors this process has. */
static inline int count_fds(void) {
        int n = 0;

        DIR *d = opendir("/proc/self/fd");
        if (!d)
                return -errno;
        while (readdir(d))
                n++;
        closedir(d);
        return n;
}

static inline bool fd_is_cloexec(int fd) {
        int flags = fcntl(fd, F_GETFD);
        return flags >= 0 && (flags & FD_CLOEXEC);
}

/* Exit status of run(arg) in a forked child; 128 + signal if one killed it. It is killed itself after 30 s. */
static inline int in_child(int (*run)(void *), void *arg) {
        int status;

        fflush(NULL);
        pid_t pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0) {
                alarm(30);
                _exit(run(arg));
        }
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A child that only waits to be killed. */
static inline pid_t child_paused(void) {
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0)
                for (;;) {
                        alarm(60);
                        pause();
                }
        return pid;
}

static inline void child_end(pid_t pid) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
}
