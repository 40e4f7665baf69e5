/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* enter - run a command in a namespace host: `host-ns exec` without a shell, for the thousands of commands that tests run.
     enter DIR SERVICE CMD...     DIR is the host's folder, SERVICE the cgroup (in every hierarchy that has it) to be in
   The process joins the cgroups, then all namespaces of the host's PID 1, and waits for the command that it executes there
   with a clean environment. Its exit status is the command's, 128 and the signal's number when one ended it. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what) {
        fprintf(stderr, "enter: %s: %m\n", what);
        exit(125);
}

/* The first line of a file, or what a link (with `link`) leads to. */
static void read_line(const char *dir, const char *name, int link, char *line, size_t size) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", dir, name);
        ssize_t n = -1;
        if (link)
                n = readlink(path, line, size - 1);
        else {
                int fd = open(path, O_RDONLY | O_CLOEXEC);
                if (fd >= 0)
                        n = read(fd, line, size - 1);
                if (fd >= 0)
                        close(fd);
        }
        line[n < 0 ? 0 : n] = 0;
        line[strcspn(line, "\n")] = 0;
}

/* Be in DIR/SERVICE (in DIR itself when it is of cgroup v1 and has none), if DIR is the top of a hierarchy. */
static void join(int dir, const char *service) {
        char path[PATH_MAX];
        int v1 = faccessat(dir, "release_agent", F_OK, 0) == 0 ||
                 faccessat(dir, "cgroup.clone_children", F_OK, 0) == 0;
        if (!v1 && faccessat(dir, "cgroup.controllers", F_OK, 0) < 0)
                return;
        snprintf(path, sizeof path, "%s/cgroup.procs", service);
        int fd = openat(dir, path, O_WRONLY | O_CLOEXEC);
        if (fd < 0 && v1)
                fd = openat(dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);
        if (fd < 0 && !v1 && errno == ENOENT)
                return;
        if (fd < 0 || write(fd, "0", 1) != 1)
                die("cannot join a cgroup of the host");
        close(fd);
}

static void join_cgroups(const char *pid, const char *service) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "/proc/%s/root/sys/fs/cgroup", pid);
        DIR *top = opendir(path);
        if (!top)
                die(path);
        join(dirfd(top), service);
        for (struct dirent *e; (e = readdir(top));) {
                if (e->d_name[0] == '.' || (e->d_type != DT_DIR && e->d_type != DT_LNK))
                        continue;
                int fd = openat(dirfd(top), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (fd < 0) // a group that has just gone
                        continue;
                join(fd, service);
                close(fd);
        }
        closedir(top);
}

int main(int argc, char **argv) {
        if (argc < 4) {
                fprintf(stderr, "usage: enter DIR SERVICE CMD...\n");
                return 2;
        }
        char pid[32], pidns[64], now[64], where[64], term[256];
        read_line(argv[1], "pid", 0, pid, sizeof pid);
        read_line(argv[1], "pidns", 0, pidns, sizeof pidns);
        snprintf(where, sizeof where, "/proc/%s/ns", pid);
        read_line(where, "pid_for_children", 1, now, sizeof now);
        if (!pid[0] || strcmp(now, pidns) != 0) {
                fprintf(stderr, "enter: %s is not running\n", argv[1]);
                return 1;
        }
        int init = (int) syscall(SYS_pidfd_open, atoi(pid), 0);
        if (init < 0)
                die("pidfd_open");
        snprintf(where, sizeof where, "/proc/%s/root", pid);
        int root = open(where, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root < 0)
                die(where);
        join_cgroups(pid, argv[2]);
        if (setns(init, CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET |
                                CLONE_NEWPID | CLONE_NEWNS) < 0)
                die("setns");
        if (fchdir(root) < 0 || chroot(".") < 0)
                die("chroot");
        snprintf(term, sizeof term, "TERM=%s", getenv("TERM") ? getenv("TERM") : "dumb");
        char *env[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin",
                        "HOME=/root",
                        "USER=root",
                        "LANG=C.UTF-8",
                        term,
                        NULL };
        pid_t child = fork(); // the first in the host's pid namespace
        if (child < 0)
                die("fork");
        if (child == 0) {
                environ = env;
                execvpe(argv[3], argv + 3, env);
                fprintf(stderr, "enter: %s: %m\n", argv[3]);
                _exit(errno == ENOENT ? 127 : 126);
        }
        int status;
        while (waitpid(child, &status, 0) < 0)
                if (errno != EINTR)
                        die("waitpid");
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
