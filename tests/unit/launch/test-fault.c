/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each step of a start fails once, and the supervisor is killed at each: nothing stays, the user gets one sentence, and the next start
 * works. Every system call of the supervisor and its child is such a step. `test-launch-fault --all` takes all of them with all
 * errors; in a normal run each way takes a part of them. */
#include <dirent.h>
#include <sys/statfs.h>

#include "basic/alloc.h"
#include "trace.h"

#define RESOLV_CONF "/run/root/etc/resolv.conf"
#define OLD_RESOLV "nameserver 192.0.2.99\n"

static Trace trace; /* big */
static bool all;
static int base_fd = -EBADF;

/* Where a start may leave something: all that is there, by name. */
static void list_directory(StrBuf *b, const char *path, unsigned depth) {
        DIR *d = opendir(path);
        if (!d)
                return;
        for (struct dirent *e = readdir(d); e; e = readdir(d)) {
                _cleanup_free_ char *below = strf("%s/%s", path, e->d_name);
                if (streq(e->d_name, ".") || streq(e->d_name, ".."))
                        continue;
                strbuf_addf(b, "%s\n", below);
                if (e->d_type == DT_DIR && depth > 0)
                        list_directory(b, below, depth - 1);
        }
        closedir(d);
}

/* Mounts, files below /run, what is at the root's top. all_of_it: what needs a process to remove it, too: groups, and files in the
 * root's /etc. */
static char *what_is_there(bool all_of_it) {
        static const char *const directories[] = { "/run/berth", "/run/systemd", "/run/root",
                                                   "/run/root/etc" };
        StrBuf b = { 0 };
        char *text, group[128];
        _cleanup_free_ char *mounts = NULL;
        ASSERT_OK(file_read_all(AT_FDCWD, "/proc/self/mountinfo", 1U << 20, &mounts, NULL));
        strbuf_add(&b, mounts);
        for (size_t i = 0; i < ELEMENTSOF(directories) - !all_of_it; i++)
                list_directory(&b, directories[i], i < 2 ? 3 : 0);
        if (all_of_it) {
                snprintf(group, sizeof(group), "/sys/fs/cgroup/%s", trace_cgroup_name);
                StrBuf g = { 0 };
                list_directory(&g, group, 3);
                _cleanup_free_ char *entries = NULL;
                ASSERT_OK(strbuf_finish(&g, &entries));
                for (char *line = entries, *rest; line && *line; line = rest) {
                        struct stat st;
                        rest = strchr(line, '\n');
                        if (rest)
                                *rest++ = '\0';
                        if (lstat(line, &st) >= 0 && S_ISDIR(st.st_mode))
                                strbuf_addf(&b, "%s\n", line);
                }
        }
        ASSERT_OK(strbuf_finish(&b, &text));
        return text;
}

static void tear_down(void) {
        _cleanup_close_ int root = cgroup_open_root();
        ASSERT_OK(cgroup_attach(root, 0));
        base_fd = fd_close(base_fd);
        trace_cgroup_remove();
}

static void set_up(void) {
        start_set_up();
        if (!TRACE_CAN_FAIL_CALLS)
                TEST_SKIP("system calls cannot be made to fail by ptrace(2) on this architecture");
        if (base_fd >= 0)
                tear_down(); /* of a test that failed */
        base_fd = trace_cgroup_make();
        _cleanup_close_ int own = cgroup_make(base_fd, "caller");
        ASSERT_OK(own);
        ASSERT_OK(cgroup_attach(own, 0));
}

/* "call 93 (number 46) with EIO" */
static const char *what_failed(void) {
        static char text[128];
        snprintf(text, sizeof(text), "call %u%s (number %ld) %s", trace.fail_at,
                 trace.done_in_child ? " of the child" : "", trace.call,
                 trace.fail_error == 0 ? "killed" : errno_words(trace.fail_error));
        return text;
}

/* One sentence, and perhaps a hint. */
static void check_words(void) {
        const char *text = trace.text, *newline = strchr(text, '\n');
        if (!startswith(text, "berth: ") || !newline ||
            (newline[1] != '\0' && !startswith(newline + 1, "Hint: ")) ||
            (startswith(newline + 1, "Hint: ") && strchr(newline + 1, '\n')[1] != '\0'))
                TEST_FAIL("%s: status %d, standard error is\n%s", what_failed(), trace.status,
                          text);
}

/* The call came when the payload was being executed, or later. */
static bool was_running(void) {
        return trace.n_calls > 0 && trace.fail_at > trace.n_calls;
}

static void check_status(void) {
        if (trace.fail_error == 0 || !trace.in_main)
                return; /* killed; or libc's own affair */
        if (trace.status == 0 && trace.executed) {
                if (getenv("TRACE_FAULTS"))
                        fprintf(stderr, "%s, and it went on: %s\n", what_failed(), trace.text);
                return;
        }
        if (was_running())
                return;
        if (trace.status != 125 && trace.status != 126 && trace.status != 127)
                TEST_FAIL("%s: status %d, standard error is\n%s", what_failed(), trace.status,
                          trace.text);
        check_words();
}

/* Lines of text that are not in other. */
static void show_lines(const char *text, const char *other, const char *word) {
        _cleanup_strv_free_ char **lines = NULL, **others = NULL;
        ASSERT_OK(strv_split(&lines, text, "\n", 0));
        ASSERT_OK(strv_split(&others, other, "\n", 0));
        STRV_FOREACH(line, lines)
                if (!strv_contains(others, *line))
                        fprintf(stderr, "%s %s\n", word, *line);
}

static void check_nothing_stays(const char *before, bool all_of_it) {
        _cleanup_free_ char *after = what_is_there(all_of_it), *resolv = NULL, *host = NULL;
        ASSERT_OK(file_read_all(AT_FDCWD, RESOLV_CONF, 65536, &resolv, NULL));
        (void) file_read_all(AT_FDCWD, "/etc/resolv.conf", 65536, &host, NULL);
        if (!streq(resolv, OLD_RESOLV) && !streq_ptr(resolv, host))
                TEST_FAIL("%s: half of resolv.conf:\n%s", what_failed(), resolv);
        if (streq(before, after))
                return;
        show_lines(after, before, "stays:");
        show_lines(before, after, "gone: ");
        TEST_FAIL("%s: status %d, something stays\n%s", what_failed(), trace.status, trace.text);
}

static void run_once(const ContainerSpec *s, unsigned at, int error) {
        write_text(RESOLV_CONF, OLD_RESOLV, 0644); /* each start replaces it */
        trace = (Trace){ .fail_at = at, .fail_error = error };
        trace_start(&trace, s, -EBADF);
}

static void add_mount(ContainerSpec *s, MountKind kind, const char *source, const char *target) {
        SpecMount *m = ARRAY_APPEND(s->mounts, s->n_mounts);
        ASSERT_NOT_NULL(m);
        m->kind = kind;
        m->source = source ? strdup(source) : NULL;
        m->target = strdup(target);
        m->read_only = source != NULL;
}

/* All kinds of steps that other starts do not have. */
static void ask_for_more(ContainerSpec *s) {
        s->network.private_ = true;
        s->console.mode = CONSOLE_READ_ONLY;
        s->time.namespace_ = true;
        s->payload.has_oom_score_adjust = true;
        s->payload.oom_score_adjust = 100;
        s->payload.start = START_PID2;
        ASSERT_OK(free_and_strdup(&s->payload.user, "alice"));
        ASSERT_OK(free_and_strdup(&s->payload.working_directory, "/home/alice"));
        ASSERT_OK(free_and_strdup(&s->payload.cpu_affinity, "0"));
        add_mount(s, MOUNT_BIND, "/etc", "/work");
        add_mount(s, MOUNT_TMPFS, NULL, "/var");
        add_mount(s, MOUNT_INACCESSIBLE, NULL, "/usr");
}

/* step: of so many calls one is taken. */
static void walk(bool userns, bool more, int error, unsigned step) {
        set_up();
        _cleanup_spec_ ContainerSpec *s = start_spec(WORDS("/bin/true"));
        _cleanup_free_ char *before = NULL, *before_groups = NULL;
        unsigned n = 0, went_on = 0;

        s->resources.cgroup = CGROUP_OWN;
        if (userns) {
                s->users.mode = USERNS_RANGE;
                s->users.base = 1000013824;
                s->users.count = 65536;
        }
        if (more)
                ask_for_more(s);
        run_once(s, 0, 0);
        if (trace.status != 0)
                TEST_FAIL("a start fails by itself: %s", trace.text);
        before = what_is_there(false);
        before_groups = what_is_there(true);
        /* the first is the execve(2) of the supervisor */
        for (unsigned at = 2 + (all ? 0 : (unsigned) error % step);; at += all ? 1 : step, n++) {
                run_once(s, at, error);
                if (!trace.done)
                        break;
                check_status();
                /* where nobody could remove the group, the next start takes it over */
                bool over = error == 0 || was_running();
                check_nothing_stays(over ? before : before_groups, !over);
                went_on += trace.status == 0;
                if (over) {
                        run_once(s, 0, 0);
                        if (trace.status != 0)
                                TEST_FAIL("after call %u: status %d, %s", at, trace.status,
                                          trace.text);
                        trace.fail_at = at;
                        check_nothing_stays(before_groups, true);
                }
        }
        run_once(s, 0, 0);
        ASSERT_EQ(trace.status, 0);
        check_nothing_stays(before_groups, true);
        printf("%s%s, %s: %u calls of %u, %u of them could be done without\n",
               userns ? "user namespace" : "plain", more ? " and more" : "",
               error == 0 ? "killed" : errno_words(error), n, trace.n_all, went_on);
        tear_down();
}

TEST(io_error) {
        walk(false, false, EIO, 2);
}
TEST(io_error_user_namespace) {
        walk(true, false, EIO, 4);
}
TEST(io_error_of_more) {
        walk(true, true, EIO, 4);
}
TEST(out_of_memory) {
        walk(false, false, ENOMEM, 5);
}
TEST(out_of_memory_user_namespace) {
        walk(true, true, ENOMEM, 5);
}
TEST(killed) {
        walk(false, false, 0, 5);
}
TEST(killed_user_namespace) {
        walk(true, true, 0, 5);
}

int main(int argc, char **argv) {
        all = argc > 1 && streq(argv[1], "--all");
        return test_run_all(argc - all, argv + all);
}
