/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The console, with a terminal of ours in the caller's place. */
#include "start.h"

#include <sys/ioctl.h>
#include <termios.h>

static Running run; /* big */

/* A supervisor on a fresh terminal: out and in are its master. */
static int start_on_terminal(const ContainerSpec *spec, struct termios *ret_before) {
        struct winsize size = { .ws_row = 33, .ws_col = 77 };
        int err[2];

        int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        ASSERT_OK(master);
        ASSERT_OK(grantpt(master));
        ASSERT_OK(unlockpt(master));
        int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
        ASSERT_OK(slave);
        ASSERT_OK(ioctl(master, TIOCSWINSZ, &size));
        ASSERT_OK(tcgetattr(slave, ret_before));
        ASSERT_OK(pipe2(err, O_CLOEXEC));
        run = (Running){ .supervisor = PIDREF_NULL, .in = -EBADF, .status = -1 };
        ASSERT_OK(setenv("TERM", "xterm", 1));
        supervisor_start(spec, -EBADF, -EBADF, (int[]){ slave, slave, err[1] }, &run.supervisor);
        fd_close(err[1]);
        run.out = fcntl(master, F_DUPFD_CLOEXEC, 3);
        run.err = err[0];
        fd_close(master);
        return slave;
}

static void type(const char *text) {
        ASSERT_OK(fd_write_full(run.out, text, strlen(text)));
}

/* Ends, and looks whether the terminal is as it was. */
static int end_on_terminal(int slave, const struct termios *before) {
        struct termios after;
        siginfo_t info = { 0 };
        if (!wait_msec(&run.supervisor, START_TIMEOUT_MSEC)) {
                (void) pidref_kill(&run.supervisor, SIGKILL);
                (void) pidref_wait(&run.supervisor, true, &info);
                TEST_FAIL("the supervisor hung; output:\n%s", run.out_text);
        }
        ASSERT_EQ(pidref_wait(&run.supervisor, true, &info), 1);
        pidref_done(&run.supervisor);
        ASSERT_OK(tcgetattr(slave, &after));
        ASSERT_EQ(after.c_lflag, before->c_lflag);
        ASSERT_EQ(after.c_iflag, before->c_iflag);
        ASSERT_EQ(after.c_oflag, before->c_oflag);
        ASSERT_EQ(fcntl(slave, F_GETFL) & O_NONBLOCK, 0);
        fd_close(slave); /* the master ends now, after what is left in it */
        start_read(&run, NULL);
        return info.si_code == CLD_EXITED ? info.si_status : -1;
}

static ContainerSpec *spec_make(const char *script) {
        ContainerSpec *s = start_spec(SHELL(script));
        s->console.mode = CONSOLE_INTERACTIVE;
        s->console.quiet = true;
        return s;
}

TEST(a_terminal) {
        _cleanup_spec_ ContainerSpec *s = spec_make(
                "tty; stty size; echo $TERM; tty <>/dev/console; stat -c '%a %U' $(tty); exit 7");
        struct termios before;
        int slave = start_on_terminal(s, &before);
        ASSERT_EQ(end_on_terminal(slave, &before), 7);
        ASSERT_CONTAINS(run.out_text, "33 77\r\n");
        ASSERT_CONTAINS(run.out_text, "xterm\r\n");
        ASSERT_CONTAINS(run.out_text, "root\r\n");
        ASSERT_STREQ(run.err_text, "");
}

TEST(typing_and_control_c) {
        _cleanup_spec_ ContainerSpec *s = spec_make(
                "trap 'echo interrupted; exit 5' INT; echo up; read line; echo \"line $line\"; while :; do sleep 0.1; done");
        struct termios before;
        int slave = start_on_terminal(s, &before);
        start_read(&run, "up");
        type("abc\r");
        start_read(&run, "line abc");
        type("\x03");
        ASSERT_EQ(end_on_terminal(slave, &before), 5);
        ASSERT_CONTAINS(run.out_text, "interrupted");
}

TEST(window_size_changes) {
        _cleanup_spec_ ContainerSpec *s = spec_make("echo up; read x; stty size");
        struct winsize size = { .ws_row = 11, .ws_col = 22 };
        struct termios before;
        int slave = start_on_terminal(s, &before);
        start_read(&run, "up");
        ASSERT_OK(ioctl(run.out, TIOCSWINSZ, &size));
        ASSERT_OK(pidref_kill(&run.supervisor,
                              SIGWINCH)); /* it has no session of its own terminal here */
        usleep(100000);
        type("\r");
        ASSERT_EQ(end_on_terminal(slave, &before), 0);
        ASSERT_CONTAINS(run.out_text, "11 22");
}

TEST(escape_ends) {
        _cleanup_spec_ ContainerSpec *s =
                spec_make("trap : TERM; echo up; while :; do sleep 0.1; done");
        struct termios before;
        int slave = start_on_terminal(s, &before);
        start_read(&run, "up");
        type("\x1d");
        type("\x1d\x1d");
        ASSERT_EQ(end_on_terminal(slave, &before), 137);
}

TEST(escape_takes_three_in_a_second) {
        _cleanup_spec_ ContainerSpec *s = spec_make("echo up; read x; exit 3");
        struct termios before;
        int slave = start_on_terminal(s, &before);
        start_read(&run, "up");
        type("\x1d\x1d");
        type("x\x1d");
        usleep(1200000);
        type("\x1d\x1d");
        usleep(1200000);
        type("\r");
        ASSERT_EQ(end_on_terminal(slave, &before), 3);
}

TEST(escape_p_asks) {
        _cleanup_spec_ ContainerSpec *s =
                spec_make("trap 'exit 9' TERM; echo up; while :; do sleep 0.1; done");
        struct termios before;
        int slave = start_on_terminal(s, &before);
        start_read(&run, "up");
        type("\x1d\x1dp");
        ASSERT_EQ(end_on_terminal(slave, &before), 9);
}

/* The last words of a payload that ends at once are all there. */
TEST(all_is_drained) {
        _cleanup_spec_ ContainerSpec *s = spec_make(
                "i=0; while [ $i -lt 3000 ]; do echo line-$i; i=$((i+1)); done; echo the-end");
        struct termios before;
        int slave = start_on_terminal(s, &before);
        start_read(&run, "the-end");
        ASSERT_EQ(end_on_terminal(slave, &before), 0);
        ASSERT_CONTAINS(run.out_text, "line-2999\r\nthe-end");
}

/* ...also for a reader that takes its time. */
TEST(slow_reader) {
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL(
                "i=0; while [ $i -lt 3000 ]; do echo line-$i; i=$((i+1)); done; echo the-end"));
        s->console.mode = CONSOLE_READ_ONLY;
        start(&run, s);
        (void) fcntl(run.out, F_SETPIPE_SZ, 4096);
        sleep(2);
        ASSERT_EQ(start_end(&run), 0);
        ASSERT_CONTAINS(run.out_text, "line-2999\r\nthe-end");
}

static long ticks_of(pid_t pid) {
        _cleanup_free_ char *stat = NULL;
        char path[64], *end;
        snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        ASSERT_OK(file_read_all(AT_FDCWD, path, 4096, &stat, NULL));
        const char *p = strrchr(stat, ')') + 2;
        for (int i = 0; i < 11; i++)
                p = strchr(p, ' ') + 1;
        long ticks = strtol(p, &end, 10);
        return ticks + strtol(end, NULL, 10);
}

/* Nobody has the console open inside, as between two gettys; then somebody has again. */
TEST(console_closed_and_opened_again) {
        _cleanup_spec_ ContainerSpec *s = spec_make(
                "echo first; exec <&- >&- 2>&-; sleep 1.5; exec >/dev/console; echo second; exec >&-; sleep 0.5");
        struct termios before;
        int slave = start_on_terminal(s, &before);
        start_read(&run, "first");
        usleep(200000);
        long begin = ticks_of(run.supervisor.pid);
        start_read(&run, "second");
        ASSERT_TRUE(ticks_of(run.supervisor.pid) - begin < sysconf(_SC_CLK_TCK) / 10);
        ASSERT_EQ(end_on_terminal(slave, &before), 0);
}

/* The caller's terminal goes away: no spinning, and the container is told to end. */
TEST(terminal_is_gone) {
        _cleanup_spec_ ContainerSpec *s = spec_make("trap '' HUP; echo up; exec sleep 3");
        struct termios before;
        int slave = start_on_terminal(s, &before);
        start_read(&run, "up");
        fd_close(slave);
        run.out = fd_close(run.out);
        long begin = ticks_of(run.supervisor.pid);
        usleep(1000000);
        ASSERT_TRUE(ticks_of(run.supervisor.pid) - begin < sysconf(_SC_CLK_TCK) / 10);
        (void) start_end(&run);
}

TEST(read_only) {
        _cleanup_spec_ ContainerSpec *s =
                start_spec(SHELL("tty >/dev/null && echo terminal; echo err >&2"));
        s->console.mode = CONSOLE_READ_ONLY;
        ASSERT_EQ(start_and_end(&run, s), 0);
        ASSERT_STREQ(run.out_text, "terminal\r\nerr\r\n");
        ASSERT_STREQ(run.err_text, "");
}

TEST(passive) {
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL(
                "i=0; while [ $i -lt 3000 ]; do echo more-than-the-terminal-holds-$i; i=$((i+1)); done; exit 4"));
        s->console.mode = CONSOLE_PASSIVE;
        ASSERT_EQ(start_and_end(&run, s), 4);
        ASSERT_STREQ(run.out_text, "");
}

TEST(user_owns_its_terminal) {
        _cleanup_spec_ ContainerSpec *s = spec_make("stat -c %u:%g $(tty); echo via >/dev/console");
        struct termios before;
        ASSERT_OK(free_and_strdup(&s->payload.user, "alice"));
        s->users.mode = USERNS_RANGE;
        s->users.base = 1000000;
        s->users.count = 65536;
        int slave = start_on_terminal(s, &before);
        ASSERT_EQ(end_on_terminal(slave, &before), 0);
        ASSERT_CONTAINS(run.out_text, "1000:5\r\nvia\r\n");
}

TEST_MAIN
