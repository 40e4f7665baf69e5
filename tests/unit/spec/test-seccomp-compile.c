/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The compiled filter, loaded for real: what runs, what is refused, what is unknown; its size; its cache. */
#include "spec/seccomp-compile.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "basic/strv.h"
#include "basic/time.h"
#include "spec/spec-draft.h"
#include "spec/spec-fields.h"
#include "sys/caps.h"
#include "sys/seccomp-load.h"
#include "test.h"

#define INSTRUCTIONS_MAX 420U /* of the default filter; loading time follows it */

static ContainerSpec *make_spec(const char *filter, uint64_t capabilities) {
        _cleanup_(spec_draft_freep) SpecDraft *d = spec_draft_new();
        _cleanup_error_ Error e = ERROR_NULL;
        ContainerSpec *s;

        ASSERT_OK(spec_draft_set(d, spec_field_by_name("Name"), "web", SOURCE_COMMAND, NULL, &e));
        ASSERT_OK(spec_draft_set(d, spec_field_by_name("Directory"), "/srv/web", SOURCE_COMMAND,
                                 NULL, &e));
        if (filter)
                ASSERT_OK(spec_draft_set(d, spec_field_by_name("SystemCallFilter"), filter,
                                         SOURCE_COMMAND, NULL, &e));
        spec_draft_spec(d)->security.capabilities = capabilities;
        ASSERT_OK(spec_check(d, &s, &e));
        return s;
}

static size_t read_program(int fd, struct sock_filter **ret) {
        size_t n;
        char *bytes;

        ASSERT_TRUE(lseek(fd, 0, SEEK_SET) == 0);
        ASSERT_OK(fd_read_all(fd, BPF_MAXINSNS * sizeof(struct sock_filter), &bytes, &n));
        *ret = (struct sock_filter *) (void *) bytes;
        return n;
}

/* Runs probe() below the filter of the spec; its result (0…255) is the child's exit status. */
static int run_spec(const ContainerSpec *s, int (*probe)(void)) {
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ struct sock_filter *program = NULL;
        _cleanup_close_ int fd = -EBADF;
        int status;

        ASSERT_OK(seccomp_compile(s, NULL, &fd, &e));
        size_t size = read_program(fd, &program);
        pid_t pid = fork();
        ASSERT_TRUE(pid >= 0);
        if (pid == 0) {
                if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || seccomp_load(program, size) < 0)
                        _exit(254);
                _exit(probe());
        }
        ASSERT_TRUE(waitpid(pid, &status, 0) == pid);
        ASSERT_TRUE(WIFEXITED(status));
        ASSERT_NE(WEXITSTATUS(status), 254);
        return WEXITSTATUS(status);
}

static int run_below(const char *filter, uint64_t capabilities, int (*probe)(void)) {
        _cleanup_spec_ ContainerSpec *s = make_spec(filter, capabilities);
        return run_spec(s, probe);
}

/* With another setting. */
static int run_with(const char *key, const char *value, int (*probe)(void)) {
        _cleanup_spec_ ContainerSpec *s = make_spec("@io-event io_uring_setup", 0);
        _cleanup_error_ Error e = ERROR_NULL;
        ASSERT_OK(spec_field_parse(spec_field_by_name(key), value, NULL, s, &e));
        return run_spec(s, probe);
}

/* The errno of a call with arguments that do no harm; 0: it worked. */
static int call_errno(long number, long a, long b, long c) {
        return syscall(number, a, b, c, 0L, 0L, 0L) < 0 ? errno : 0;
}

typedef struct Expect {
        long number;
        long a, b, c;
        int error;
} Expect;

static int check_table(const Expect *expect, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (call_errno(expect[i].number, expect[i].a, expect[i].b, expect[i].c) !=
                    expect[i].error)
                        return (int) i + 1;
        return 0;
}

static int probe_default(void) {
        static const Expect expect[] = {
                { SYS_getpid, 0, 0, 0, 0 },
                { SYS_umask, 022, 0, 0, 0 },
                { SYS_close, -1, 0, 0, EBADF },
                { SYS_chroot, 0, 0, 0, EFAULT },
                { SYS_mount_setattr, -1, 0, 0, EINVAL },
                { SYS_unshare, 0, 0, 0, 0 },
                { SYS_personality, 0xffffffff, 0, 0, 0 },
                { SYS_name_to_handle_at, -1, 0, 0, EFAULT },
                { SYS_mlock, 0, 0, 0, 0 },
                { SYS_ptrace, PTRACE_DETACH, -1, 0, ESRCH },
                /* refused */
                { SYS_open_by_handle_at, -1, 0, 0, EPERM },
                { SYS_keyctl, 0, 0, 0, EPERM },
                { SYS_add_key, 0, 0, 0, EPERM },
                { SYS_userfaultfd, 0, 0, 0, EPERM },
                { SYS_io_uring_setup, 0, 0, 0, EPERM },
                { SYS_bpf, -1, 0, 0, EPERM },
                { SYS_perf_event_open, 0, 0, 0, EPERM },
                { SYS_kexec_load, 0, -1, 0, EPERM },
                { SYS_init_module, 0, 0, 0, EPERM },
                { SYS_swapon, 0, 0, 0, EPERM },
                { SYS_acct, -1, 0, 0, EPERM },
                { SYS_quotactl, -1, 0, 0, EPERM },
                { SYS_fanotify_init, -1, 0, 0, EPERM },
                { SYS_clock_settime, -1, 0, 0, EPERM },
                { SYS_syslog, -1, 0, 0, EPERM },
                { SYS_kcmp, 0, 0, 0, EPERM },
                /* unknown */
                { 500, 0, 0, 0, ENOSYS },
                { 511, 0, 0, 0, ENOSYS },
                { 512, 0, 0, 0, ENOSYS },
                { 100000, 0, 0, 0, ENOSYS },
                { 0x40000000 + SYS_getpid, 0, 0, 0, ENOSYS },
        };

        return check_table(expect, ELEMENTSOF(expect));
}

TEST(default_filter) {
        ASSERT_EQ(run_below(NULL, 0, probe_default), 0);
}

static int probe_audit(void) {
        if (socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT) >= 0 || errno != EAFNOSUPPORT)
                return 1;
        if (socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE) < 0)
                return 2;
        return socket(AF_UNIX, SOCK_STREAM, 0) < 0 ? 3 : 0;
}

TEST(audit_looks_absent) {
        ASSERT_EQ(run_below(NULL, 0, probe_audit), 0);
        ASSERT_EQ(run_below("~bpf", 0, probe_audit), 0);
}

static int probe_refused_socket(void) {
        return socket(AF_UNIX, SOCK_STREAM, 0) < 0 && errno == EPERM ? 0 : 1;
}

/* A bit for each that can be made: AF_UNIX, AF_INET, AF_NETLINK, the one for audit; 16: one that no kernel knows. */
static int probe_families(void) {
        static const int sockets[][3] = {
                { AF_UNIX, SOCK_STREAM, 0 },
                { AF_INET, SOCK_DGRAM, 0 },
                { AF_NETLINK, SOCK_RAW, NETLINK_ROUTE },
                { AF_NETLINK, SOCK_RAW, NETLINK_AUDIT },
                { 60, SOCK_STREAM, 0 },
        };
        int made = 0, pair[2];
        /* it can be connected to others, too */
        if ((socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) >= 0) !=
            (socket(AF_UNIX, SOCK_DGRAM, 0) >= 0))
                return 99;
        for (size_t i = 0; i < ELEMENTSOF(sockets); i++)
                if (socket(sockets[i][0], sockets[i][1], sockets[i][2]) >= 0)
                        made |= 1 << i;
                else if (errno != EAFNOSUPPORT)
                        return 100 + (int) i;
        return made;
}

static int probe_ring(void) {
        return call_errno(SYS_io_uring_setup, 0, 0, 0) == EAFNOSUPPORT ? 1 : 0;
}

TEST(address_families) {
        ASSERT_EQ(run_with("RestrictAddressFamilies", "AF_UNIX", probe_families), 1);
        ASSERT_EQ(run_with("RestrictAddressFamilies", "AF_NETLINK AF_INET", probe_families), 6);
        ASSERT_EQ(run_with("RestrictAddressFamilies", "none", probe_families), 0);
        ASSERT_EQ(run_with("RestrictAddressFamilies", "~AF_INET AF_INET6", probe_families), 5);
        ASSERT_EQ(run_with("RestrictAddressFamilies", "~none", probe_families), 7);
        ASSERT_EQ(run_with("RestrictAddressFamilies",
                           "~AF_UNIX AF_INET AF_AX25 AF_IPX AF_X25 AF_KEY AF_PACKET AF_ASH AF_RDS "
                           "AF_CAN AF_TIPC AF_ALG AF_NFC AF_XDP",
                           probe_families),
                  4);
        /* no filter sees which family that makes */
        ASSERT_EQ(run_with("RestrictAddressFamilies", "AF_UNIX", probe_ring), 1);
        ASSERT_EQ(run_with("RestrictAddressFamilies", "~none", probe_ring), 0);
}

static int probe_sync(void) {
        static const Expect expect[] = {
                { SYS_fsync, -1, 0, 0, 0 },           { SYS_fdatasync, -1, 0, 0, 0 },
                { SYS_syncfs, -1, 0, 0, 0 },          { SYS_msync, 1, 1, 0, 0 },
                { SYS_sync_file_range, -1, 0, 0, 0 }, { SYS_sync, 0, 0, 0, 0 },
                { SYS_close, -1, 0, 0, EBADF },
        };
        return check_table(expect, ELEMENTSOF(expect));
}

TEST(suppressed_sync) {
        ASSERT_EQ(run_with("SuppressSync", "yes", probe_sync), 0);
        ASSERT_EQ(run_with("SuppressSync", "no", probe_sync), 1);
}

static int probe_keyring(void) {
        static const Expect expect[] = {
                { SYS_keyctl, -1, 0, 0, EOPNOTSUPP },
                { SYS_bpf, -1, 0, 0, EPERM },
        };

        return check_table(expect, ELEMENTSOF(expect));
}

static int probe_without_mount(void) {
        static const Expect expect[] = {
                { SYS_chroot, 0, 0, 0, EPERM },
                { SYS_mount, 0, 0, 0, EPERM },
                { SYS_getpid, 0, 0, 0, 0 },
        };

        return check_table(expect, ELEMENTSOF(expect));
}

TEST(words_add_and_remove) {
        ASSERT_EQ(run_below("@keyring", 0, probe_keyring), 0);
        ASSERT_EQ(run_below("~@mount", 0, probe_without_mount), 0);
        ASSERT_EQ(run_below("~socket", 0, probe_refused_socket), 0);
}

static int probe_everything(void) {
        return call_errno(SYS_bpf, -1, 0, 0) == EINVAL ? 0 : 1;
}

TEST(known_is_everything) {
        ASSERT_EQ(run_below("@known", 0, probe_everything), 0);
}

static int probe_clock(void) {
        return call_errno(SYS_clock_settime, -1, 0, 0) == EFAULT || errno == EINVAL ? 0 : 1;
}

TEST(capabilities_open_calls) {
        ASSERT_EQ(run_below(NULL, CAP_MASK(CAP_SYS_TIME), probe_clock), 0);
        ASSERT_EQ(run_below(NULL, CAP_MASK(CAP_BPF), probe_everything), 0);
}

#if defined(__x86_64__)
/* int $0x80 takes numbers of i386: 20 getpid, 156 sched_setscheduler, 128 init_module, 286 add_key, 400 none. */
static int call_i386(int number) {
        int r;

        __asm__ volatile("int $0x80"
                         : "=a"(r)
                         : "a"(number), "b"(0), "c"(0), "d"(0), "S"(0), "D"(0)
                         : "memory", "r8", "r9", "r10", "r11");
        return r;
}

static int probe_i386(void) {
        if (call_i386(128) != -EPERM) /* init_module; 128 is rt_sigtimedwait of x86-64 */
                return 1;
        if (call_i386(286) != -EPERM)
                return 2;
        if (call_i386(20) != getpid())
                return 3;
        return call_i386(510) == -ENOSYS ? 0 : 4;
}

/* A kernel without IA32 emulation kills for int $0x80. */
static bool kernel_runs_i386(void) {
        int status;
        pid_t pid = fork();

        if (pid == 0)
                _exit(call_i386(20) == getpid() ? 0 : 1);
        return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
               WEXITSTATUS(status) == 0;
}

TEST(i386_is_filtered_too) {
        if (!kernel_runs_i386())
                TEST_SKIP("this kernel has no 32-bit emulation");
        ASSERT_EQ(run_below(NULL, 0, probe_i386), 0);
}
#endif

TEST(size_stays_small) {
        _cleanup_spec_ ContainerSpec *s = make_spec(NULL, 0);
        _cleanup_free_ struct sock_filter *program = NULL;
        _cleanup_close_ int fd = -EBADF;
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_OK(seccomp_compile(s, NULL, &fd, &e));
        size_t n = read_program(fd, &program) / sizeof(struct sock_filter);
        printf("%zu instructions\n", n);
        ASSERT_TRUE(n > 100);
        ASSERT_TRUE(n <= INSTRUCTIONS_MAX);
}

TEST(no_filter_wanted) {
        _cleanup_spec_ ContainerSpec *s = make_spec(NULL, 0);
        _cleanup_error_ Error e = ERROR_NULL;
        int fd = 42;

        s->security.seccomp = false;
        ASSERT_OK(seccomp_compile(s, NULL, &fd, &e));
        ASSERT_EQ(fd, -EBADF);
}

TEST(unknown_words) {
        _cleanup_spec_ ContainerSpec *s = make_spec("~no_such_call", 0);
        _cleanup_error_ Error e = ERROR_NULL;
        int fd = -EBADF;

        ASSERT_ERROR(seccomp_compile(s, NULL, &fd, &e), EINVAL);
        ASSERT_STREQ(e.message, "Unknown system call 'no_such_call' in SystemCallFilter=");
        ASSERT_EQ(e.id, ERROR_INVALID_SETTING);
        ASSERT_TRUE(seccomp_word_is_known("mount"));
        ASSERT_TRUE(seccomp_word_is_known("~@mount"));
        ASSERT_TRUE(seccomp_word_is_known("file_setattr"));
        ASSERT_TRUE(seccomp_word_is_known("@known"));
        ASSERT_FALSE(seccomp_word_is_known("@nothing"));
        ASSERT_FALSE(seccomp_word_is_known("nothing"));
}

/* ---- the cache ---- */

static char cache_root[] = "/tmp/berth-test-seccomp.XXXXXX";

static char *cache_directory(void) {
        if (endswith(cache_root, "XXXXXX"))
                ASSERT_NOT_NULL(mkdtemp(cache_root));
        return path_join(cache_root, "a/seccomp");
}

/* The one file in the cache. */
static char *cache_file(const char *directory) {
        _cleanup_free_ char *pattern = strf("ls %s", directory), *path = NULL;
        char name[128] = "";

        FILE *f = popen(pattern, "re");
        ASSERT_NOT_NULL(f);
        char *line = fgets(name, sizeof(name), f);
        ASSERT_NOT_NULL(line);
        ASSERT_NULL(fgets(name + 64, 64, f)); /* one file, not two */
        (void) pclose(f);
        name[strcspn(name, "\n")] = '\0';
        path = path_join(directory, name);
        return TAKE_PTR(path);
}

static usec_t compile_into(const ContainerSpec *s, const char *directory, size_t *ret_size) {
        _cleanup_free_ struct sock_filter *program = NULL;
        _cleanup_close_ int fd = -EBADF;
        _cleanup_error_ Error e = ERROR_NULL;
        usec_t start = now_usec(CLOCK_MONOTONIC);

        ASSERT_OK(seccomp_compile(s, directory, &fd, &e));
        usec_t took = now_usec(CLOCK_MONOTONIC) - start;
        *ret_size = read_program(fd, &program);
        return took;
}

TEST(cache_is_written_used_and_checked) {
        _cleanup_spec_ ContainerSpec *s = make_spec(NULL, 0);
        _cleanup_free_ char *directory = cache_directory(), *file = NULL;
        struct stat st, again;
        size_t size, cached;

        usec_t first = compile_into(s, directory, &size);
        file = cache_file(directory);
        ASSERT_OK(stat(file, &st));
        ASSERT_EQ(st.st_size, size);
        ASSERT_EQ(st.st_mode & 07777, 0600);
        ASSERT_OK(stat(directory, &again));
        ASSERT_EQ(again.st_mode & 07777, 0700);

        usec_t second = compile_into(s, directory, &cached);
        printf("compiled in %llu us, read in %llu us\n", (unsigned long long) first,
               (unsigned long long) second);
        ASSERT_EQ(cached, size);
        ASSERT_OK(stat(file, &again));
        ASSERT_EQ(again.st_ino, st.st_ino);

        /* what is not ours alone is replaced, not used */
        ASSERT_OK(chmod(file, 0622));
        compile_into(s, directory, &cached);
        ASSERT_EQ(cached, size);
        ASSERT_OK(stat(file, &again));
        ASSERT_EQ(again.st_mode & 07777, 0600);
        ASSERT_OK(truncate(file, 12)); /* no whole number of instructions */
        compile_into(s, directory, &cached);
        ASSERT_EQ(cached, size);
        ASSERT_OK(unlink(file));
        ASSERT_OK(symlink("/etc/passwd", file));
        compile_into(s, directory, &cached);
        ASSERT_EQ(cached, size);
        ASSERT_OK(lstat(file, &again));
        ASSERT_TRUE(S_ISREG(again.st_mode));
        ASSERT_OK(unlink(file));
        ASSERT_OK(rmdir(directory));
}

TEST(cache_keeps_settings_apart) {
        _cleanup_spec_ ContainerSpec *a = make_spec("~ptrace", 0), *b = make_spec("ptrace", 0),
                                     *c = make_spec(NULL, CAP_MASK(CAP_SYS_TIME));
        _cleanup_free_ char *directory = cache_directory(), *command = NULL;
        size_t size;
        int n = 0;

        compile_into(a, directory, &size);
        compile_into(b, directory, &size);
        compile_into(c, directory, &size);
        compile_into(a, directory, &size);
        command = strf("ls %s | wc -l", directory);
        FILE *f = popen(command, "re");
        ASSERT_NOT_NULL(f);
        ASSERT_EQ(fscanf(f, "%d", &n), 1);
        (void) pclose(f);
        ASSERT_EQ(n, 3);
}

TEST(cache_directory_of_others_is_not_used) {
        _cleanup_spec_ ContainerSpec *s = make_spec(NULL, 0);
        _cleanup_free_ char *directory = cache_directory();
        size_t size;

        (void) mkdir_parents(directory, 0700);
        ASSERT_OK(chmod(directory, 0777));
        compile_into(s, directory, &size);
        ASSERT_TRUE(size > 0);
        _cleanup_free_ char *command = strf("rm -rf %s", cache_root);
        ASSERT_EQ(pclose(popen(command, "re")), 0);
}

TEST(description_lists_calls) {
        _cleanup_spec_ ContainerSpec *s = make_spec("~mount", 0);
        _cleanup_free_ char *text = NULL;
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_OK(seccomp_describe(s, &text, &e));
        ASSERT_CONTAINS(text, "\nopen allow\n");
        ASSERT_CONTAINS(text, "\nmount refuse\n");
        ASSERT_CONTAINS(text, "\nsocket filter\n");
        ASSERT_CONTAINS(text, "\nbpf refuse\n");
}

TEST_MAIN
