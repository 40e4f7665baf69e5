/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of basic/log.c: stderr in a pipe, and a journal of our own in a mount namespace. */
#include "test.h"

#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/str.h"

/* What run() writes to stderr. */
static char *stderr_of(void (*run)(void)) {
        int p[2], saved;
        char *text;

        ASSERT_OK(pipe2(p, O_CLOEXEC));
        saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
        ASSERT_OK(saved);
        ASSERT_OK(dup2(p[1], STDERR_FILENO));
        close(p[1]);
        run();
        dup2(saved, STDERR_FILENO);
        close(saved);
        int r = fd_read_all(p[0], 1 << 20, &text, NULL);
        close(p[0]);
        ASSERT_OK(r);
        return text;
}

#define ASSERT_STDERR(function, expected)                      \
        do {                                                   \
                _cleanup_free_ char *_t = stderr_of(function); \
                ASSERT_STREQ(_t, (expected));                  \
        } while (0)

static void reset(void) {
        unsetenv("JOURNAL_STREAM");
        unsetenv("BERTH_LOG_LEVEL");
        log_set_max_level(LOG_INFO);
        log_set_container(NULL, NULL);
        log_open("berth");
}

static void say_levels(void) {
        log_error("one %d", 1);
        log_warning("two");
        log_notice("three");
        log_info("four");
        log_debug("five");
}

TEST(levels) {
        reset();
        ASSERT_STDERR(say_levels, "berth: one 1\nberth: two\nberth: three\nberth: four\n");
        log_set_max_level(LOG_ERR);
        ASSERT_EQ(log_get_max_level(), LOG_ERR);
        ASSERT_STDERR(say_levels, "berth: one 1\n");
}

TEST(level_from_the_environment) {
        static const struct {
                const char *text;
                int level;
        } cases[] = {
                { "debug", LOG_DEBUG }, { "err", LOG_ERR }, { "4", LOG_WARNING },
                { "8", LOG_INFO },      { "-1", LOG_INFO }, { "loud", LOG_INFO },
                { "", LOG_INFO },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                reset();
                setenv("BERTH_LOG_LEVEL", cases[i].text, 1);
                log_open("berth");
                ASSERT_EQ(log_get_max_level(), cases[i].level);
        }
        reset();
}

TEST(level_names) {
        for (int level = LOG_EMERG; level <= LOG_DEBUG; level++)
                ASSERT_EQ(log_level_from_string(log_level_to_string(level)), level);
        ASSERT_TRUE(!log_level_to_string(-1));
        ASSERT_TRUE(!log_level_to_string(LOG_DEBUG + 1));
        ASSERT_EQ(log_level_from_string("Debug"), -EINVAL);
        ASSERT_EQ(log_level_from_string(""), -EINVAL);
}

TEST(targets) {
        reset();
        ASSERT_EQ(log_get_target(), LOG_TARGET_AUTO);
        ASSERT_STREQ(log_get_identifier(), "berth");
        ASSERT_OK(log_set_target(LOG_TARGET_NULL));
        ASSERT_EQ(log_get_target(), LOG_TARGET_NULL);
        ASSERT_STDERR(say_levels, "");
        ASSERT_OK(log_set_target(LOG_TARGET_CONSOLE));
        ASSERT_STDERR(say_levels, "berth: one 1\nberth: two\nberth: three\nberth: four\n");
        for (LogTarget t = 0; t < _LOG_TARGET_MAX; t++)
                ASSERT_EQ(log_target_from_string(log_target_to_string(t)), t);
        ASSERT_EQ(log_target_from_string("kmsg"), _LOG_TARGET_INVALID);
        reset();
}

static void say_with_errno(void) {
        errno = EXDEV;
        log_warning_errno(-ENOENT, "Cannot open '%s'", "/x");
        log_warning_errno(EIO, "Cannot read");
        ASSERT_EQ(errno, EXDEV);
}

TEST(errno_is_spelled_out_and_kept) {
        reset();
        log_open("berthd");
        ASSERT_STDERR(
                say_with_errno,
                "berthd: Cannot open '/x': No such file or directory\nberthd: Cannot read: Input/output error\n");
        reset();
}

static void say_hostile(void) {
        log_error("bad '%s'", "\033[31m\nberth: all is well\xff");
}

TEST(a_terminal_is_not_steered) {
        reset();
        ASSERT_STDERR(say_hostile, "berth: bad '\\x1b[31m\\x0aberth: all is well\\xff'\n");
}

static void say_error(void) {
        _cleanup_error_ Error e = ERROR_NULL;

        log_error_object(LOG_ERR, &e); /* empty: nothing to say */
        (void) error_set_errno(&e, -EBUSY, ERROR_ROOT_BUSY, "Cannot start 'web'");
        log_error_object(LOG_ERR, &e);
        error_hint(&e, "stop it");
        log_error_object(LOG_ERR, &e);
        log_error_object(LOG_DEBUG, &e);
}

TEST(error_object) {
        reset();
        ASSERT_STDERR(say_error,
                      "berth: Cannot start 'web': Device or resource busy\n"
                      "berth: Cannot start 'web': Device or resource busy\nHint: stop it\n");
}

/* ---- the journal -------------------------------------------------------------------------------------------- */

static int fake_journal(void) {
        static const struct sockaddr_un address = { .sun_family = AF_UNIX,
                                                    .sun_path = "/run/systemd/journal/socket" };
        int fd;

        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", "/run", "tmpfs", 0, NULL) < 0 ||
            mkdir_parents("/run/systemd/journal", 0755) < 0)
                return -errno;
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || bind(fd, (const struct sockaddr *) &address, sizeof(address)) < 0)
                return -errno;
        return fd;
}

/* In the child: stderr becomes `out`, which $JOURNAL_STREAM names; journal datagrams are copied to `out` as well. */
_Noreturn static void journal_child(int out, bool remove_socket, void (*run)(void)) {
        char stream[64];
        static char datagram[100000];
        struct stat st;
        int journal = fake_journal();

        if (journal < 0)
                exit(77);
        if (dup2(out, STDERR_FILENO) < 0 || fstat(STDERR_FILENO, &st) < 0)
                exit(1);
        snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long) st.st_dev,
                 (unsigned long long) st.st_ino);
        setenv("JOURNAL_STREAM", stream, 1);
        log_open("berth");
        if (remove_socket)
                unlink("/run/systemd/journal/socket");
        run();
        for (;;) {
                ssize_t n = recv(journal, datagram, sizeof(datagram), MSG_DONTWAIT);

                if (n < 0)
                        exit(0);
                if (fd_write_full(out, "[", 1) < 0 ||
                    fd_write_full(out, datagram, (size_t) n) < 0 || fd_write_full(out, "]", 1) < 0)
                        exit(1);
        }
}

static char *journal_of(bool remove_socket, void (*run)(void), size_t *ret_size) {
        int p[2], status;
        char *text;
        pid_t pid;

        reset();
        ASSERT_OK(pipe2(p, O_CLOEXEC));
        fflush(NULL);
        pid = fork();
        ASSERT_OK(pid);
        if (pid == 0)
                journal_child(p[1], remove_socket, run);
        close(p[1]);
        ASSERT_OK(fd_read_all(p[0], 1 << 20, &text, ret_size));
        close(p[0]);
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
                free(text);
                TEST_SKIP("no mount namespace can be made here");
        }
        ASSERT_EQ(status, 0);
        return text;
}

static void say_one(void) {
        log_set_container("web", "0123456789abcdef0123456789abcdef");
        log_warning_errno(-ENOENT, "Hello");
}

TEST(journal_record) {
        _cleanup_free_ char *text = NULL;
        size_t n;

        text = journal_of(false, say_one, &n);
        ASSERT_EQ(strlen(text), n);
        ASSERT_CONTAINS(
                text,
                "[MESSAGE=Hello: No such file or directory\nPRIORITY=4\nSYSLOG_IDENTIFIER=berth\n"
                "CODE_FILE=");
        ASSERT_CONTAINS(
                text,
                "\nCODE_FUNC=say_one\nCONTAINER=web\nCONTAINER_ID=0123456789abcdef0123456789abcdef\nERRNO=2\n]");
        ASSERT_NULL(strstr(text, "berth: "));
}

static void say_lines(void) {
        static char *fields[] = { (char *) "KEY=plain", (char *) "MULTI=x\ny", (char *) "no field",
                                  NULL };

        (void) log_full(LOG_INFO, 0, "/any/where/src/basic/x.c", 7, "f", fields, "a\nb%s", "c");
}

TEST(journal_values_with_newlines) {
        _cleanup_free_ char *text = NULL;
        static const char expected[] =
                "[MESSAGE\n\4\0\0\0\0\0\0\0a\nbc\nPRIORITY=6\nSYSLOG_IDENTIFIER=berth\n"
                "CODE_FILE=src/basic/x.c\nCODE_LINE=7\nCODE_FUNC=f\nKEY=plain\n"
                "MULTI\n\3\0\0\0\0\0\0\0x\ny\n]";
        size_t n;

        text = journal_of(false, say_lines, &n);
        ASSERT_EQ(n, sizeof(expected) - 1);
        ASSERT_EQ(memcmp(text, expected, n), 0);
}

TEST(journal_error_object) {
        _cleanup_free_ char *text = NULL;
        size_t n;

        text = journal_of(false, say_error, &n);
        ASSERT_CONTAINS(
                text,
                "CODE_FUNC=say_error\nERRNO=16\nERROR_NAME=org.berth.Error.RootBusy\nHINT=stop it\n]");
}

TEST(journal_gone) {
        _cleanup_free_ char *text = NULL;
        size_t n;

        text = journal_of(true, say_one, &n);
        ASSERT_STREQ(text, "berth: Hello: No such file or directory\n");
}

static void say_much(void) {
        static char text[200001];
        static char field[300001] = "BIG=";
        char *fields[] = { field, (char *) "SMALL=1", NULL };

        memset(text, 'x', sizeof(text) - 1);
        memset(field + 4, 'y', sizeof(field) - 5);
        (void) log_full(LOG_INFO, 0, __FILE__, __LINE__, __func__, fields, "%s", text);
}

TEST(journal_long_message_is_cut) {
        _cleanup_free_ char *text = NULL;
        size_t n;

        text = journal_of(false, say_much, &n);
        ASSERT_TRUE(n > 32 * 1024 && n <= 64 * 1024);
        ASSERT_CONTAINS(text, "xx\nPRIORITY=6\n");
        ASSERT_CONTAINS(text, "\nSMALL=1\n]");
        ASSERT_NULL(strstr(text, "BIG="));
}

TEST(another_stream_is_not_the_journal) {
        reset();
        setenv("JOURNAL_STREAM", "1:2", 1);
        log_open("berth");
        log_set_max_level(LOG_ERR);
        ASSERT_STDERR(say_levels, "berth: one 1\n");
        reset();
}

TEST_MAIN
