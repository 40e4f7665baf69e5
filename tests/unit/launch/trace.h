/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Real starts under ptrace(2), shown call by call if $TRACE_CALLS is set: every system call of the supervisor and of its children is counted until the payload is executed,
 * and one of them can be made to fail, or be the last of the supervisor. */
#pragma once

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "ipc/control.h"
#include "start.h"
#include "sys/cgroup.h"
#include "trace-call.h"

#define TRACE_TIMEOUT_SEC 20
#define TRACE_PROCESSES_MAX 16
#ifdef SYS_poll
#define TRACE_FIRST_OF_MAIN SYS_poll /* look_at_descriptors() */
#else
#define TRACE_FIRST_OF_MAIN SYS_ppoll
#endif

typedef struct TracedProcess {
        pid_t pid;
        bool failing; /* its system call was skipped: the result is to be set */
} TracedProcess;

typedef struct Trace {
        /* what to do: at call number fail_at (from 1; 0: never) */
        unsigned fail_at;
        int fail_error; /* errno that the call fails with; 0: the supervisor is killed instead */
        /* what happened */
        unsigned n_calls;  /* until the payload was executed, both execve(2) included */
        unsigned n_loader; /* of these, before main() */
        unsigned n_child;  /* of these, not the supervisor's own */
        unsigned n_all;    /* those after it included, without the payload's */
        bool done;         /* the call number fail_at was reached */
        bool done_in_child;
        long call;        /* its number */
        bool in_main;     /* it came after main() had begun */
        bool executed;    /* the payload was */
        int status;       /* of the supervisor: exit status; -1: killed */
        char text[16384]; /* its standard error */

        pid_t supervisor;
        pid_t payload;
        bool counting;
        TracedProcess processes[TRACE_PROCESSES_MAX];
} Trace;

static inline TracedProcess *trace_process(Trace *t, pid_t pid) {
        for (size_t i = 0; i < ELEMENTSOF(t->processes); i++)
                if (t->processes[i].pid == pid)
                        return t->processes + i;
        for (size_t i = 0; i < ELEMENTSOF(t->processes); i++)
                if (t->processes[i].pid == 0) {
                        t->processes[i] = (TracedProcess){ .pid = pid };
                        return t->processes + i;
                }
        TEST_FAIL("more than %d processes", TRACE_PROCESSES_MAX);
}

/* The stop at the entry of a system call. */
static inline void trace_entry(Trace *t, TracedProcess *p, long number) {
        if (!t->counting || p->pid == t->payload)
                return;
        t->n_all++;
        if (!t->executed) {
                t->n_child += p->pid != t->supervisor;
                if (number ==
                    SYS_execve) /* which ends it if it succeeds; what comes to light then is not counted */
                        t->n_calls = t->n_all;
        }
        if (number == TRACE_FIRST_OF_MAIN)
                t->in_main = t->in_main || !t->done;
        if (getenv("TRACE_CALLS"))
                fprintf(stderr, "%u %s %ld\n", t->n_all,
                        p->pid == t->supervisor ? "supervisor" : "child", number);
        if (!t->in_main)
                t->n_loader++;
        if (t->n_all != t->fail_at)
                return;
        t->done = true;
        t->done_in_child = p->pid != t->supervisor;
        t->call = number;
        if (t->fail_error == 0)
                (void) kill(t->supervisor, SIGKILL); /* it may have ended by itself */
        else if (!IN_SET(number, SYS_exit, SYS_exit_group)) {
                if (number != SYS_close) /* which closes, whatever it says: close(2) */
                        ASSERT_OK(trace_change_call(p->pid, -1));
                p->failing = true;
        }
}

static inline void trace_stop(Trace *t, pid_t pid, int status) {
        struct __ptrace_syscall_info info;
        TracedProcess *p = trace_process(t, pid);
        int sig = WSTOPSIG(status), event = status >> 16;
        long deliver = 0;

        if (sig == (SIGTRAP | 0x80)) {
                if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) > 0) {
                        if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
                                trace_entry(t, p, (long) info.entry.nr);
                        else if (p->failing) {
                                ASSERT_OK(trace_set_result(pid, -t->fail_error));
                                p->failing = false;
                        }
                }
        } else if (event == PTRACE_EVENT_EXEC) {
                if (pid != t->supervisor) {
                        t->executed = true;
                        t->payload = pid;
                } else if (!t->counting) {
                        t->counting = true;
                        t->n_loader = t->n_all = 1; /* the execve(2) that led here */
                }
        } else if (event == 0)
                deliver = sig;
        /* the process may have been killed meanwhile */
        (void) ptrace(t->payload == pid ? PTRACE_CONT : PTRACE_SYSCALL, pid, NULL, deliver);
}

static inline void trace_on_alarm(int sig) {}

/* All that happens until no process is left. */
static inline void trace_run(Trace *t) {
        struct sigaction action = { .sa_handler = trace_on_alarm };
        int status;

        ASSERT_OK(sigaction(SIGALRM, &action, NULL));
        alarm(TRACE_TIMEOUT_SEC);
        for (;;) {
                pid_t pid = waitpid(-1, &status, __WALL);
                if (pid < 0 && errno == ECHILD)
                        break;
                if (pid < 0 && errno == EINTR) {
                        for (size_t i = 0; i < ELEMENTSOF(t->processes); i++)
                                if (t->processes[i].pid > 0)
                                        (void) kill(t->processes[i].pid, SIGKILL); /* ours */
                        TEST_FAIL("call %u (number %ld): processes still live after %d s",
                                  t->fail_at, t->call, TRACE_TIMEOUT_SEC);
                }
                if (pid < 0)
                        TEST_FAIL("waiting failed: %s", errno_words(errno));
                if (WIFSTOPPED(status)) {
                        trace_stop(t, pid, status);
                        continue;
                }
                trace_process(t, pid)->pid = 0;
                if (pid == t->supervisor)
                        t->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        }
        alarm(0);
}

/* A filter that lets everything through, as a file. */
static inline int trace_seccomp_program(void) {
        struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
        return memfd_new_sealed("filter", &allow, sizeof(allow));
}

/* Starts the spec and waits until all has ended. The payload gets empty standard streams. */
static inline void trace_start(Trace *t, const ContainerSpec *spec, int link_fd) {
        int gate[2], seccomp = trace_seccomp_program(),
                     null = open("/dev/null", O_RDWR | O_CLOEXEC),
                     err = memfd_create("stderr", MFD_CLOEXEC);
        char c;

        ASSERT_OK(seccomp);
        ASSERT_OK(null);
        ASSERT_OK(err);
        ASSERT_OK(pipe2(gate, O_CLOEXEC));
        ASSERT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1)); /* what is left behind comes to us */
        fflush(NULL);
        t->supervisor = fork();
        ASSERT_OK(t->supervisor);
        if (t->supervisor == 0) {
                Error e = ERROR_NULL;
                if (read(gate[0], &c, 1) != 1) /* until we are traced */
                        _exit(99);
                (void) dup2(null, 0);
                (void) dup2(null, 1);
                (void) dup2(err, 2);
                (void) supervisor_become(spec, link_fd, seccomp, NULL, 0, &e);
                _exit(99);
        }
        ASSERT_OK(ptrace(PTRACE_SEIZE, t->supervisor, NULL,
                         PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_TRACECLONE |
                                 PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_EXITKILL));
        ASSERT_OK(ptrace(PTRACE_INTERRUPT, t->supervisor, NULL, NULL));
        ASSERT_EQ(write(gate[1], "", 1), 1);
        trace_run(t);
        ssize_t n = pread(err, t->text, sizeof(t->text) - 1, 0);
        t->text[MAX(n, (ssize_t) 0)] = '\0';
        fd_close_pair(gate);
        fd_close(seccomp);
        fd_close(null);
        fd_close(err);
}

/* ---- a cgroup of the test's own ---- */

static char trace_cgroup_name[64];

/* Returns the group's directory. */
static inline int trace_cgroup_make(void) {
        if (mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL) < 0)
                TEST_SKIP("cgroup2 cannot be mounted here");
        _cleanup_close_ int root = cgroup_open_root();
        ASSERT_OK(root);
        snprintf(trace_cgroup_name, sizeof(trace_cgroup_name), "berth-trace-%d", (int) getpid());
        int fd = cgroup_make(root, trace_cgroup_name);
        ASSERT_OK(fd);
        return fd;
}

static inline void trace_cgroup_remove(void) {
        _cleanup_close_ int root = cgroup_open_root();
        ASSERT_OK(cgroup_remove(root, trace_cgroup_name));
        ASSERT_OK(umount2("/sys/fs/cgroup", MNT_DETACH));
}

/* A launcher's end of a link on which GO is waiting. *ret: the supervisor's. */
static inline int trace_go(int scope_fd, bool hold, int *ret) {
        char unit[] = "UNIT=machine-web.scope", held[] = "HOLD=yes";
        char *const fields[] = { unit, hold ? held : NULL, NULL };
        int pair[2];

        ASSERT_OK(socket_pair_seqpacket(pair));
        ASSERT_OK(control_send(pair[0], CONTROL_GO, fields, &scope_fd, 1));
        if (hold)
                ASSERT_OK(control_send(pair[0], CONTROL_GO, (char *const[]){ unit, NULL },
                                       &scope_fd, 1));
        *ret = pair[1];
        return pair[0];
}
