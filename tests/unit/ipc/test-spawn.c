/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The supervisor's descriptor layout, looked at by a program that stands in for it: this test itself. */
#include "ipc/spawn.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "ipc/spawner.h"
#include "spec/spec-text.h"
#include "test.h"

/* As "berth-supervisor": one line about each descriptor from 3 on, then the name, on descriptor 1. */
static int stand_in(const char *name) {
        char line[PATH_MAX + 64], path[64], target[PATH_MAX];
        for (int fd = 3; fd < 32; fd++) {
                snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
                ssize_t n = readlink(path, target, sizeof(target) - 1);
                if (n < 0)
                        continue;
                target[n] = '\0';
                dprintf(1, "%d %s\n", fd, target);
        }
        for (int sig = 1; sig < _NSIG; sig++) {
                struct sigaction a;
                if (sigaction(sig, NULL, &a) >= 0 && a.sa_handler == SIG_IGN)
                        dprintf(1, "ignores %d\n", sig);
        }
        int seals = fcntl(SUPERVISOR_SPEC_FD, F_GET_SEALS);
        ssize_t n = pread(SUPERVISOR_SPEC_FD, line, sizeof(line) - 1, 0);
        line[n > 0 ? n : 0] = '\0';
        dprintf(1, "seals %d\nname %s\nnotify %s\nspec\n%s", seals, name,
                getenv("NOTIFY_SOCKET") ?: "-", line);
        return 42;
}

static ContainerSpec *spec_make(void) {
        ContainerSpec *s = spec_new();
        ASSERT_NOT_NULL(s);
        s->name = strdup("web");
        s->root.directory = strdup("/srv/web");
        return s;
}

static char *collect(int fd) {
        static char text[8192];
        size_t n = 0;
        for (ssize_t k; n < sizeof(text) - 1 && (k = read(fd, text + n, sizeof(text) - 1 - n)) > 0;)
                n += (size_t) k;
        text[n] = '\0';
        return text;
}

static void point_at_ourselves(void) {
        char self[PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
        ASSERT_TRUE(n > 0);
        self[n] = '\0';
        ASSERT_OK(setenv("BERTH_SUPERVISOR", self, 1));
}

TEST(path) {
        ASSERT_OK(unsetenv("BERTH_SUPERVISOR"));
        ASSERT_STREQ(supervisor_path(), BERTH_LIBEXECDIR "/berth-supervisor");
        ASSERT_OK(setenv("BERTH_SUPERVISOR", "", 1));
        ASSERT_STREQ(supervisor_path(), BERTH_LIBEXECDIR "/berth-supervisor");
        ASSERT_OK(setenv("BERTH_SUPERVISOR", "/x/y", 1));
        ASSERT_STREQ(supervisor_path(), "/x/y");
}

/* For who has it started by others. */
TEST(describe) {
        _cleanup_spec_ ContainerSpec *spec = spec_make();
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ char *text = NULL, *read = NULL;
        int fd = supervisor_describe(spec, NULL, &e);
        ASSERT_OK(fd);
        ASSERT_OK(spec_text_print(spec, true, &text));
        ASSERT_OK(fd_read_all(fd, SPEC_TEXT_MAX, &read, NULL));
        ASSERT_STREQ(read, text);
        ASSERT_TRUE(FLAGS_SET(fcntl(fd, F_GET_SEALS),
                              F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL));
        close(fd);
        int directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        spec->console.mode = CONSOLE_PIPE;
        ASSERT_ERROR(supervisor_describe(spec, (int[]){ -EBADF, directory, -EBADF }, &e), EISDIR);
        ASSERT_STREQ(e.message, "The standard output for 'web' is a directory");
        close(directory);
}

/* Sources that lie on each other's targets. */
TEST(layout_permutations) {
        _cleanup_spec_ ContainerSpec *spec = spec_make();
        int out[2], status;

        point_at_ourselves();
        ASSERT_OK(pipe2(out, O_CLOEXEC));
        ASSERT_OK(fd_move_to(&out[1], 20, true));
        pid_t pid = fork();
        if (pid == 0) {
                Error e = ERROR_NULL;
                for (int sig = 1; sig <= SIGQUIT; sig++)
                        (void) signal(sig, SIG_DFL); /* however the test was started */
                int zero = open("/dev/zero", O_RDWR | O_CLOEXEC),
                    full = open("/dev/full", O_RDWR | O_CLOEXEC),
                    null = open("/dev/null", O_RDWR | O_CLOEXEC);
                dup2(out[1], 1);
                zero = fcntl(zero, F_DUPFD_CLOEXEC, 24); /* out of each other's way first */
                full = fcntl(full, F_DUPFD_CLOEXEC, 24);
                null = fcntl(null, F_DUPFD_CLOEXEC, 24);
                fd_move_to(&zero, 5, true); /* the link, on the filter's number */
                fd_move_to(&full, 6, true); /* the filter, on the first extra's */
                fd_move_to(&null, 4, true); /* the extra, on the link's */
                supervisor_become(spec, zero, full, &null, 1, &e);
                _exit(1);
        }
        fd_close(out[1]);
        char *seen = collect(out[0]);
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        ASSERT_EQ(WEXITSTATUS(status), 42);
        ASSERT_CONTAINS(seen, "\n4 /dev/zero\n5 /dev/full\n6 /dev/null\nseals ");
        fd_close(out[0]);
}

/* What the caller ignores would be ignored by the payload. Only what nohup(1) and a shell's background mean is for the supervisor. */
TEST(ignored_signals) {
        static const int ignored[] = { SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGCHLD, SIGTERM };
        _cleanup_spec_ ContainerSpec *spec = spec_make();
        Error e = ERROR_NULL;
        int out[2], status;

        point_at_ourselves();
        ASSERT_OK(pipe2(out, O_CLOEXEC));
        pid_t pid = fork();
        if (pid == 0) {
                for (size_t i = 0; i < ELEMENTSOF(ignored); i++)
                        (void) signal(ignored[i], SIG_IGN);
                (void) signal(SIGRTMIN + 3, SIG_IGN);
                dup2(out[1], 1);
                supervisor_become(spec, -EBADF, -EBADF, NULL, 0, &e);
                _exit(1);
        }
        out[1] = fd_close(out[1]);
        char *seen = collect(out[0]);
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        ASSERT_CONTAINS(seen, "ignores 1\nignores 2\nignores 3\nseals");
        ASSERT_CONTAINS(seen, "name web");
        fd_close(out[0]);
}

TEST(program_missing) {
        _cleanup_spec_ ContainerSpec *spec = spec_make();
        int status;
        ASSERT_OK(setenv("BERTH_SUPERVISOR", "/nonexistent/berth-supervisor", 1));
        pid_t pid = fork(); /* its descriptors are moved before that is known */
        if (pid == 0) {
                _cleanup_error_ Error e = ERROR_NULL, e2 = ERROR_NULL;
                int r = supervisor_become(spec, -EBADF, -EBADF, (int[65]){ 0 }, 65, &e2);
                if (r != -E2BIG || e2.id != ERROR_LIMIT_EXCEEDED)
                        _exit(1);
                r = supervisor_become(spec, -EBADF, -EBADF, NULL, 0, &e);
                _exit(r == -ENOENT && e.hint &&
                                      streq(e.message,
                                            "Executing '/nonexistent/berth-supervisor' failed: "
                                            "No such file or directory")
                              ? 0
                              : 2);
        }
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        ASSERT_EQ(status, 0);
}

int main(int argc, char **argv) {
        if (streq(argv[0], "berth-supervisor"))
                return stand_in(argv[1]);
        return test_run_all(argc, argv);
}
