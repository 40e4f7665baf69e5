/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Imports that end before their end: at each system call that changes something, all of their processes are killed, or one is, or the call fails. There is the
 * old image or the new one, as a whole, and the next one who works in the pool removes the rest. Arguments: berth, berth-transfer; `--all` takes each call with
 * each way to fail, which is otherwise a part of them. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/str.h"
#include "image/image-work.h"
#include "own-mounts.h"
#include "test.h"
#include "trace-call.h"

#define PROCESSES_MAX 16
#define CALLS_MAX 500
#define TIMEOUT_SEC 60

static char *berth, *transfer;
static bool all;

typedef enum Way {
        KILL_ALL,
        KILL_ONE,
        FAIL_CALL,
} Way;

typedef struct Process {
        pid_t pid;
        bool failing;
} Process;

typedef struct Import {
        const char *arguments; /* in a shell, behind "berth" */
        Way way;
        int error; /* FAIL_CALL: errno */
        unsigned at;
        /* what happened */
        unsigned n; /* calls that change something */
        bool done;
        long call;
        int status;  /* exit status; -1: killed */
        char *words; /* of standard error */
        Process processes[PROCESSES_MAX];
} Import;

/* ---- traced ---- */

static bool changes(const struct __ptrace_syscall_info *info) {
        static const int changing[] = {
                SYS_mkdirat,  SYS_mknodat,   SYS_symlinkat, SYS_linkat,    SYS_renameat,
                SYS_unlinkat, SYS_renameat2, SYS_fchmod,    SYS_fchmodat,  SYS_fchown,
                SYS_fchownat, SYS_utimensat, SYS_fsetxattr, SYS_ftruncate, SYS_pwrite64,
                SYS_write,    SYS_fallocate, SYS_ioctl,     SYS_fsync,     SYS_syncfs,
                SYS_sendmsg,  SYS_clone3,    SYS_unshare,   SYS_pipe2,
#ifdef SYS_mkdir
                SYS_mkdir,    SYS_unlink,    SYS_rmdir,
#endif
        };
        if ((long) info->entry.nr == SYS_openat)
                return info->entry.args[2] & O_CREAT;
        for (size_t i = 0; i < ELEMENTSOF(changing); i++)
                if ((long) info->entry.nr == changing[i])
                        return true;
        return false;
}

static Process *process(Import *m, pid_t pid) {
        for (size_t i = 0; i < ELEMENTSOF(m->processes); i++)
                if (m->processes[i].pid == pid)
                        return m->processes + i;
        for (size_t i = 0; i < ELEMENTSOF(m->processes); i++)
                if (m->processes[i].pid == 0) {
                        m->processes[i] = (Process){ .pid = pid };
                        return m->processes + i;
                }
        TEST_FAIL("more than %d processes", PROCESSES_MAX);
}

static void kill_all(const Import *m) {
        for (size_t i = 0; i < ELEMENTSOF(m->processes); i++)
                if (m->processes[i].pid > 0)
                        (void) kill(m->processes[i].pid, SIGKILL); /* it may have ended */
}

static void at_call(Import *m, Process *p, const struct __ptrace_syscall_info *info) {
        if (info->op != PTRACE_SYSCALL_INFO_ENTRY) {
                if (p->failing)
                        ASSERT_OK(trace_set_result(p->pid, -m->error));
                p->failing = false;
        } else if (changes(info) && ++m->n == m->at) {
                m->done = true;
                m->call = (long) info->entry.nr;
                if (m->way == KILL_ALL)
                        kill_all(m);
                else if (m->way == KILL_ONE)
                        (void) kill(p->pid, SIGKILL);
                else {
                        /* one that every sandbox allows */
                        ASSERT_OK(trace_change_call(p->pid, SYS_getpid));
                        p->failing = true;
                }
        }
}

static void at_stop(Import *m, pid_t pid, int status) {
        struct __ptrace_syscall_info info;
        unsigned long child;
        Process *p = process(m, pid);
        const int sig = WSTOPSIG(status), event = status >> 16;
        if (sig == (SIGTRAP | 0x80)) {
                if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) > 0)
                        at_call(m, p, &info);
        } else if (IN_SET(event, PTRACE_EVENT_FORK, PTRACE_EVENT_VFORK, PTRACE_EVENT_CLONE) &&
                   ptrace(PTRACE_GETEVENTMSG, pid, NULL, &child) >= 0)
                (void) process(m, (pid_t) child); /* from now on it is known */
        /* it may have been killed meanwhile */
        (void) ptrace(PTRACE_SYSCALL, pid, NULL,
                      (long) (event == 0 && sig != (SIGTRAP | 0x80) ? sig : 0));
}

static void on_alarm(int sig) {}

static void wait_for_all(Import *m, pid_t first) {
        const struct sigaction action = { .sa_handler = on_alarm };
        int status;
        ASSERT_OK(sigaction(SIGALRM, &action, NULL));
        alarm(TIMEOUT_SEC);
        for (;;) {
                pid_t pid = waitpid(-1, &status, __WALL);
                if (pid < 0 && errno == ECHILD)
                        break;
                if (pid < 0) {
                        kill_all(m);
                        TEST_FAIL("call %u (number %ld): processes still live", m->at, m->call);
                }
                if (WIFSTOPPED(status)) {
                        at_stop(m, pid, status);
                        continue;
                }
                *process(m, pid) = (Process){ 0 };
                if (pid == first)
                        m->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        }
        alarm(0);
}

/* Standard error goes to a file. */
static void run(Import *m) {
        _cleanup_free_ char *line = strf("exec %s %s", berth, m->arguments);
        int gate[2], err = memfd_create("stderr", MFD_CLOEXEC);
        char c;
        ASSERT_OK(err);
        ASSERT_OK(pipe2(gate, O_CLOEXEC));
        ASSERT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
        fflush(NULL);
        pid_t pid = fork();
        ASSERT_OK(pid);
        if (pid == 0) {
                char *environment[] = { strjoin("BERTH_TRANSFER=", transfer),
                                        "BERTH_POOL=/mnt/pool",
                                        "ASAN_OPTIONS=detect_leaks=0",
                                        "PATH=/usr/bin:/bin",
                                        "LC_ALL=C",
                                        NULL };
                if (read(gate[0], &c, 1) != 1 || dup2(err, STDERR_FILENO) < 0)
                        _exit(99);
                execle("/bin/sh", "sh", "-c", line, NULL, environment);
                _exit(99);
        }
        (void) process(m, pid);
        ASSERT_OK(ptrace(PTRACE_SEIZE, pid, NULL,
                         PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
                                 PTRACE_O_TRACEVFORK | PTRACE_O_EXITKILL));
        ASSERT_OK(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL));
        ASSERT_EQ(write(gate[1], "", 1), 1);
        fd_close_pair(gate);
        wait_for_all(m, pid);
        ASSERT_OK(lseek(err, 0, SEEK_SET));
        m->words = new0(char, 4096);
        ASSERT_TRUE(m->words && read(err, m->words, 4095) >= 0);
        fd_close(err);
}

/* ---- what is there ---- */

static void shell(const char *line) {
        int status = system(line);
        if (status != 0)
                TEST_FAIL("'%s' failed: %d", line, status);
}

/* All files of the pool, with contents and attributes, but for locks. */
static char *told(void) {
        static const char look[] =
                "cd /mnt/pool; find . ! -name '.#*.lck' ! -path . -printf '%P %y %m %U %l ' "
                "'(' ! -type f -o -printf '%n %s ' -exec sh -c 'head -c 20 \"$1\" | tr \"\\0\\n\" .' - {} \\; ')' "
                "-printf '\\n' | LC_ALL=C sort | tr '\\n' ';'";
        char *text = new0(char, 4096);
        FILE *f = popen(look, "re");
        ASSERT_TRUE(text && f);
        ASSERT_TRUE(fread(text, 1, 4095, f) < 4095);
        ASSERT_EQ(pclose(f), 0);
        return text;
}

static void make_pool(const char *old) {
        shell("rm -rf /mnt/pool; mkdir -m 755 /mnt/pool");
        if (old)
                shell(old);
}

/* What the next one does. */
static void reclaim(void) {
        char *places[] = { "/mnt/pool", NULL };
        const ImagePool pool = { .places = places, .path = "/mnt/pool" };
        _cleanup_error_ Error e = ERROR_NULL;
        if (image_reclaim(&pool, &e) < 0)
                TEST_FAIL("reclaiming failed: %s", e.message);
}

/* One sentence, and perhaps a hint. */
static bool is_clean_failure(const Import *m) {
        const char *end = strchr(m->words, '\n');
        return m->status == 1 && startswith(m->words, "berth: ") && end &&
               (end[1] == '\0' || startswith(end + 1, "Hint: "));
}

/* false: the import came to its end before. */
static bool try_one(const char *arguments, const char *make_old, const char *old, const char *new,
                    Way way, int error, unsigned at, bool seen[static 2]) {
        Import m = { .arguments = arguments, .way = way, .error = error, .at = at };
        make_pool(make_old);
        run(&m);
        _cleanup_free_ char *before = told();
        reclaim();
        _cleanup_free_ char *after = told(), *words = m.words;
        const bool is_old = streq(after, old), is_new = streq(after, new);
        if (!is_old && !is_new)
                TEST_FAIL("%s, way %u, error %d, call %u (number %ld): '%s'", arguments, way, error,
                          at, m.call, after);
        /* whoever says that it was done or that it was not is right */
        if ((m.status == 0 && !is_new) ||
            (is_clean_failure(&m) && way == FAIL_CALL && m.call != SYS_sendmsg && !is_old))
                TEST_FAIL("%s, way %u, error %d, call %u (number %ld): status %d, '%s', and '%s'",
                          arguments, way, error, at, m.call, m.status, words, after);
        if (m.status != 0 && way == FAIL_CALL && !is_clean_failure(&m))
                TEST_FAIL("%s, error %d, call %u (number %ld): status %d, '%s'", arguments, error,
                          at, m.call, m.status, words);
        /* who lives cleans up, unless just that has failed */
        if (way == FAIL_CALL && !streq(before, after) && !IN_SET(m.call, SYS_unlinkat, SYS_ioctl))
                TEST_FAIL("%s, error %d, call %u (number %ld): left '%s'", arguments, error, at,
                          m.call, before);
        seen[0] = seen[0] || is_old;
        seen[1] = seen[1] || is_new;
        if (getenv("TRACE_CALLS"))
                fprintf(stderr, "%s: call %u is number %ld: %d %s", arguments, at, m.call, m.status,
                        words);
        return m.done;
}

static void try_all(const char *arguments, const char *make_old) {
        static const int errors[] = { ENOSPC, EDQUOT, EIO, ENOMEM };
        bool seen[2] = { false, false };
        Import whole = { .arguments = arguments };
        make_pool(make_old);
        _cleanup_free_ char *old = told();
        run(&whole);
        _cleanup_free_ char *new = told(), *words = whole.words;
        if (whole.status != 0 || streq(old, new))
                TEST_FAIL("%s: status %d, '%s'", arguments, whole.status, words);
        ASSERT_TRUE(whole.n < CALLS_MAX);
        printf("# %s: %u calls\n", arguments, whole.n);
        for (unsigned at = 1; at <= whole.n; at++) {
                if (all || at % 3 == 1)
                        (void) try_one(arguments, make_old, old, new, KILL_ALL, 0, at, seen);
                if (all || at % 9 == 4)
                        (void) try_one(arguments, make_old, old, new, KILL_ONE, 0, at, seen);
                for (size_t i = 0; TRACE_CAN_FAIL_CALLS && i < ELEMENTSOF(errors); i++)
                        if (all || at % (6 * ELEMENTSOF(errors)) == 6 * i + 2)
                                (void) try_one(arguments, make_old, old, new, FAIL_CALL, errors[i],
                                               at, seen);
        }
        ASSERT_TRUE(seen[0] && seen[1]);
}

/* ---- imports ---- */

#define OLD_TREE \
        "mkdir -p /mnt/pool/web/d; echo old >/mnt/pool/web/d/f; echo other >/mnt/pool/web/g"

TEST(a_new_tree) {
        try_all("import-tar -q /mnt/new.tar web", NULL);
}

TEST(a_tree_instead_of_another) {
        try_all("import-tar -q --force /mnt/new.tar web", OLD_TREE);
}

TEST(a_new_disk) {
        try_all("import-raw -q /mnt/new.raw web", NULL);
}

TEST(a_disk_instead_of_another) {
        try_all("import-raw -q --force - web </mnt/new.raw.gz",
                "printf old >/mnt/pool/web.raw; truncate -s 1M /mnt/pool/web.raw; chmod 600 /mnt/pool/web.raw");
}

int main(int argc, char **argv) {
        if (argc > 1 && streq(argv[argc - 1], "--all")) {
                all = true;
                argc--;
        }
        if (argc < 3)
                return 2;
        berth = argv[1];
        transfer = argv[2];
        int r = own_mounts();
        if (r != 0)
                return r;
        if (system("cd /mnt; mkdir -p t/d; echo new >t/d/f; ln -s d t/l; ln t/d/f t/h; tar c -C t . >new.tar; printf new >new.raw; truncate -s 1M new.raw; "
                   "gzip -k new.raw; rm -r t") != 0)
                return 1;
        argv[2] = argv[0];
        return test_run_all(argc - 2, argv + 2);
}
