/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How many system calls a start takes, and how much memory the supervisor beside it: both are the same on a quiet and on a busy
 * machine. docs/performance.md says what they are made of. A count above its budget fails: either find the call that can go, or
 * say in docs/performance.md what the new ones buy, and raise the budget. */
#include <link.h>

#include "spec/spec-draft.h"
#include "trace.h"

static Trace trace; /* big */

/* With libc outside (the option static-supervisor) the dynamic loader has its share. */
static bool supervisor_is_dynamic(void) {
        _cleanup_free_ char *bytes = NULL;
        size_t n;
        ASSERT_OK(file_read_all(AT_FDCWD, supervisor_path(), 64U << 20, &bytes, &n));
        const ElfW(Ehdr) *header = (const void *) bytes;
        const ElfW(Phdr) *segments = (const void *) (bytes + header->e_phoff);
        for (size_t i = 0; i < header->e_phnum; i++)
                if (segments[i].p_type == PT_INTERP)
                        return true;
        return false;
}

#define LOADER_BUDGET 18

/* With all that spec_check() fills in: the default capabilities above all. */
static ContainerSpec *checked_spec(bool userns) {
        _cleanup_spec_ ContainerSpec *from = start_spec(WORDS("/bin/true"));
        _cleanup_(spec_draft_freep) SpecDraft *d = spec_draft_new();
        ContainerSpec *s, *checked = NULL;
        ASSERT_NOT_NULL(d);
        s = spec_draft_spec(d);
        ASSERT_OK(free_and_strdup(&s->name, from->name));
        ASSERT_OK(free_and_strdup(&s->root.directory, from->root.directory));
        ASSERT_OK(strv_extend(&s->payload.argv, "/bin/true"));
        s->resources.cgroup = CGROUP_WAIT;
        s->console.mode = CONSOLE_PIPE;
        s->users.mode = userns ? USERNS_PICK : USERNS_NO;
        ASSERT_OK(spec_check(d, &checked, NULL));
        return checked;
}

static void count(const char *what, bool userns, bool hold, unsigned budget) {
        start_set_up();
        _cleanup_spec_ ContainerSpec *s = checked_spec(userns);
        _cleanup_close_ int base = trace_cgroup_make();
        write_text("/run/root/etc/machine-id", "0123456789abcdef0123456789abcdef\n", 0444);
        ASSERT_OK(setenv("NOTIFY_SOCKET", "/run/nobody", 1));
        ASSERT_OK(setenv("TERM", "xterm", 1));
        for (int i = 0; i < 2; i++) { /* the first makes directories of locks, and resolv.conf */
                _cleanup_close_ int scope = cgroup_make(base, i == 0 ? "first" : "second"),
                                    down = -EBADF, up = trace_go(scope, hold, &down);
                trace = (Trace){ 0 };
                trace_start(&trace, s, down);
        }
        ASSERT_OK(unsetenv("NOTIFY_SOCKET"));
        trace_cgroup_remove();
        ASSERT_EQ(trace.status, 0);
        if (supervisor_is_dynamic())
                budget += LOADER_BUDGET;
        printf("%s: %u system calls, budget %u (%u before main(), %u after it in the supervisor, %u in the child)\n",
               what, trace.n_calls, budget, trace.n_loader,
               trace.n_calls - trace.n_loader - trace.n_child, trace.n_child);
        if (trace.n_calls > budget)
                TEST_FAIL("%s: %u system calls are above the budget of %u", what, trace.n_calls,
                          budget);
}

TEST(plain) {
        count("directory container in a scope", false, false, 194);
}
TEST(held) {
        count("the same, set up while systemd makes the scope", false, true, 199);
}
TEST(user_namespace) {
        count("the same with a user namespace", true, false, 240);
}

/* ---- memory ---- */

#define MEMORY_BUDGET_KIB 300
#define IDLE_TIMEOUT_MSEC 10000

static unsigned rollup_kib(const char *text, const char *name) {
        const char *p = strstr(text, name);
        return p ? (unsigned) strtoul(p + strlen(name), NULL, 10) : 100000;
}

/* What is nobody else's, of a process. */
static unsigned private_kib(pid_t pid) {
        _cleanup_free_ char *text = NULL;
        char path[64];
        snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
        ASSERT_OK(file_read_all(AT_FDCWD, path, 65536, &text, NULL));
        return rollup_kib(text, "\nPrivate_Clean:") + rollup_kib(text, "\nPrivate_Dirty:");
}

static void memory(const char *what, bool userns, ConsoleMode console) {
        static Running run;
        unsigned kib = 0;
        start_set_up();
        _cleanup_spec_ ContainerSpec *s = start_spec(SHELL("echo up; sleep 100"));
        s->console.mode = console;
        if (userns)
                s->users.mode = USERNS_PICK;
        start(&run, s);
        start_read(&run, "up");
        for (int waited = 0; waited < IDLE_TIMEOUT_MSEC; waited += 100) {
                kib = private_kib(run.supervisor.pid);
                if (kib <= MEMORY_BUDGET_KIB)
                        break;
                usleep(100000);
        }
        printf("%s: %u KiB of its own, budget %d\n", what, kib, MEMORY_BUDGET_KIB);
        ASSERT_OK(pidref_kill(&run.supervisor, SIGTERM));
        ASSERT_OK(pidref_kill(&run.supervisor, SIGTERM));
        ASSERT_EQ(start_end(&run), 137);
        if (kib > MEMORY_BUDGET_KIB)
                TEST_FAIL("%s: the supervisor has %u KiB of its own", what, kib);
}

TEST(memory_of_a_command) {
        memory("beside a command", false, CONSOLE_PIPE);
}
TEST(memory_with_a_console) {
        memory("with a user namespace and a console", true, CONSOLE_READ_ONLY);
}

TEST_MAIN
