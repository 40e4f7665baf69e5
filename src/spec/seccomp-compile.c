/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* System call filters: words to numbers to BPF, and the cache.
 *
 * What the payload gets: allowed calls run; known ones that are not allowed fail with EPERM, as for lack of a privilege; unknown ones
 * with ENOSYS, so that libraries fall back to older calls. Filtered are the native architecture and the 32-bit one beside it; calls
 * of any other (x32 too) fail with ENOSYS, as on a kernel without it.
 *
 * Cache files are written with O_TMPFILE and linkat(2), so they appear complete or not at all. Whoever can write the directory is root. */
#include "spec/seccomp-compile.h"

#include <dlfcn.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/stat.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/strv.h"
#include "spec/address-families.h"
#include "spec/seccomp-bpf.h"
#include "spec/seccomp-groups.h"
#include "sys/caps.h"

#define CACHE_FORMAT "berth seccomp 3" /* change it with what is compiled from the same words */
#define LIBRARY "libseccomp.so.2"

#define ACTION_ALLOW SECCOMP_RET_ALLOW
#define ACTION_REFUSE (SECCOMP_RET_ERRNO | EPERM)
#define ACTION_NO_FAMILY (SECCOMP_RET_ERRNO | EAFNOSUPPORT)
#define ACTION_NOTHING SECCOMP_RET_ERRNO /* no error: it "works", and has done nothing */
#define ACTION_UNKNOWN (SECCOMP_RET_ERRNO | ENOSYS)

/* ---- the library ---- */

typedef struct Library {
        void *handle;
        uint32_t (*arch_native)(void);
        char *(*resolve_num_arch)(uint32_t arch, int number);
        int (*resolve_name)(const char *name);
} Library;

static void library_done(Library *l) {
        if (l->handle)
                (void) dlclose(l->handle); /* nothing of it is used any more */
}

static int library_open(Library *l, Error *reterr) {
        l->handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
        if (!l->handle) {
                int r = error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                                  "%s, which compiles system call filters, cannot be opened",
                                  LIBRARY);
                error_hint(reterr, "install libseccomp2, or start without a filter: --seccomp=no");
                return r;
        }
        l->arch_native = (uint32_t(*)(void)) dlsym(l->handle, "seccomp_arch_native");
        l->resolve_num_arch =
                (char *(*) (uint32_t, int) ) dlsym(l->handle, "seccomp_syscall_resolve_num_arch");
        l->resolve_name = (int (*)(const char *)) dlsym(l->handle, "seccomp_syscall_resolve_name");
        if (!l->arch_native || !l->resolve_num_arch || !l->resolve_name)
                return error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                                 "%s lacks a function that berth needs", LIBRARY);
        return 0;
}

/* ---- words ---- */

/* The 32-bit architecture that a kernel of the native one also runs, or 0. */
static uint32_t secondary_architecture(uint32_t native) {
        static const uint32_t pairs[][2] = {
                { SCMP_ARCH_X86_64, SCMP_ARCH_X86 },
                { SCMP_ARCH_AARCH64, SCMP_ARCH_ARM },
                { SCMP_ARCH_S390X, SCMP_ARCH_S390 },
        };

        for (size_t i = 0; i < ELEMENTSOF(pairs); i++)
                if (pairs[i][0] == native)
                        return pairs[i][1];
        return 0;
}

/* A set of system call names; sorted before it is asked. */
typedef struct NameSet {
        char **names;
        size_t n;
        bool all; /* "@known" */
} NameSet;

static void name_set_done(NameSet *s) {
        for (size_t i = 0; i < s->n; i++)
                free(s->names[i]);
        free(s->names);
}

static int name_compare(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static bool name_set_has(const NameSet *s, const char *name) {
        return s->all || (s->n > 0 && bsearch(&name, s->names, s->n, sizeof(char *), name_compare));
}

/* Adds words; groups are taken apart. Tables have no cycles, and a user's words no groups of their own: it ends. */
static int name_set_add(NameSet *s, const char *words) {
        for (;;) {
                _cleanup_free_ char *word = NULL;
                const SyscallGroup *group;
                int r;

                r = extract_word(&words, NULL, 0, &word);
                if (r <= 0)
                        return r;
                if (streq(word, "@known")) {
                        s->all = true;
                        continue;
                }
                group = word[0] == '@' ? syscall_group_find(word) : NULL;
                if (group) {
                        r = name_set_add(s, group->words);
                        if (r < 0)
                                return r;
                        continue;
                }
                char **slot = ARRAY_APPEND(s->names, s->n);
                if (!slot)
                        return -ENOMEM;
                *slot = TAKE_PTR(word);
        }
}

typedef struct Filter {
        NameSet allow, refuse;
        uint64_t families; /* of sockets */
        bool suppress_sync;
} Filter;

static void filter_done(Filter *f) {
        name_set_done(&f->allow);
        name_set_done(&f->refuse);
}

static int filter_make(Filter *f, const ContainerSpec *spec) {
        int r;

        f->families = spec->security.restrict_families ? spec->security.families : FAMILIES_ALL;
        f->suppress_sync = spec->security.suppress_sync;
        r = name_set_add(&f->allow, syscalls_allowed);
        for (size_t i = 0; r >= 0 && i < n_syscall_conditions; i++)
                if (spec->security.bounding & CAP_MASK(syscall_conditions[i].capability))
                        r = name_set_add(&f->allow, syscall_conditions[i].words);
        STRV_FOREACH(word, spec->security.system_call_filter) {
                if (r < 0)
                        break;
                r = **word == '~' ? name_set_add(&f->refuse, *word + 1)
                                  : name_set_add(&f->allow, *word);
        }
        if (r < 0)
                return r;
        if (f->allow.n > 0)
                qsort(f->allow.names, f->allow.n, sizeof(char *), name_compare);
        if (f->refuse.n > 0)
                qsort(f->refuse.names, f->refuse.n, sizeof(char *), name_compare);
        return 0;
}

static bool word_is_known(const Library *l, const char *word) {
        word += *word == '~';
        if (*word == '@')
                return streq(word, "@known") || syscall_group_find(word);
        for (size_t i = 0; i < n_syscalls_recent; i++)
                if (streq(syscalls_recent[i].name, word))
                        return true;
        return l->resolve_name(word) != __NR_SCMP_ERROR;
}

bool seccomp_word_is_known(const char *word) {
        _cleanup_(library_done) Library l = { 0 };

        return library_open(&l, NULL) < 0 || word_is_known(&l, word);
}

static int words_check(const Library *l, const ContainerSpec *spec, Error *reterr) {
        STRV_FOREACH(word, spec->security.system_call_filter)
                if (!word_is_known(l, *word)) {
                        int r = error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                          "Unknown system call '%s' in SystemCallFilter=",
                                          *word + (**word == '~'));
                        error_hint(
                                reterr,
                                "berth.settings(5) lists the groups; names are those of syscalls(2)");
                        return r;
                }
        return 0;
}

/* ---- numbers ---- */

/* The name of a number, allocated; NULL: nobody knows one. */
static char *number_name(const Library *l, uint32_t arch, uint32_t number) {
        char *name = l->resolve_num_arch(arch, (int) number);

        for (size_t i = 0; !name && i < n_syscalls_recent; i++)
                if (syscalls_recent[i].number == number)
                        name = strdup(syscalls_recent[i].name);
        /* x86-64 alone, since Linux 6.11: what the kernel itself puts into a probed program */
        if (!name && arch == SCMP_ARCH_X86_64 && number == 335)
                name = strdup("uretprobe");
        return name;
}

/* Ways to a socket on which a filter does not see the family. */
static bool hides_family(const char *name) {
        return streq(name, "socketcall") || streq(name, "io_uring_setup");
}

static bool is_sync(const char *name) {
        static const char *const calls[] = { "fdatasync",       "fsync",
                                             "msync",           "sync",
                                             "sync_file_range", "sync_file_range2",
                                             "syncfs",          "arm_sync_file_range" };

        for (size_t i = 0; i < ELEMENTSOF(calls); i++)
                if (streq(calls[i], name))
                        return true;
        return false;
}

static uint32_t name_action(const Filter *f, const char *name) {
        if (!name_set_has(&f->allow, name) || name_set_has(&f->refuse, name))
                return ACTION_REFUSE;
        if (f->families != FAMILIES_ALL && hides_family(name))
                return ACTION_NO_FAMILY;
        if (f->suppress_sync && is_sync(name))
                return ACTION_NOTHING;
        return streq(name, "socket") || (f->families != FAMILIES_ALL && streq(name, "socketpair"))
                       ? SECCOMP_ACTION_SOCKET
                       : ACTION_ALLOW;
}

static void architecture_fill(SeccompArchitecture *a, const Library *l, uint32_t arch,
                              const Filter *f) {
        a->audit_arch =
                arch; /* libseccomp's tokens are the kernel's AUDIT_ARCH_* (but for x32, which is none) */
        a->families = f->families;
        for (uint32_t i = 0; i < SECCOMP_NUMBERS; i++) {
                _cleanup_free_ char *name = number_name(l, arch, i);

                a->actions[i] = name ? name_action(f, name) : ACTION_UNKNOWN;
        }
}

static int compile(const ContainerSpec *spec, struct sock_filter **ret, size_t *ret_n,
                   Error *reterr) {
        _cleanup_free_ SeccompArchitecture *architectures = new0(SeccompArchitecture, 2);
        _cleanup_(library_done) Library l = { 0 };
        _cleanup_(filter_done) Filter f = { 0 };
        uint32_t native, secondary;
        int r;

        r = library_open(&l, reterr);
        if (r >= 0)
                r = words_check(&l, spec, reterr);
        if (r < 0)
                return r;
        if (!architectures || filter_make(&f, spec) < 0)
                return error_oom(reterr);
        native = l.arch_native();
        secondary = secondary_architecture(native);
        architecture_fill(architectures, &l, native, &f);
        if (secondary)
                architecture_fill(architectures + 1, &l, secondary, &f);
        r = seccomp_bpf_build(architectures, secondary ? 2 : 1, ACTION_UNKNOWN, ret, ret_n);
        return r < 0 ? error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                                       "The system call filter cannot be built")
                     : 0;
}

int seccomp_describe(const ContainerSpec *spec, char **ret, Error *reterr) {
        _cleanup_(library_done) Library l = { 0 };
        _cleanup_(filter_done) Filter f = { 0 };
        StrBuf b = { 0 };
        int r;

        r = library_open(&l, reterr);
        if (r < 0)
                return r;
        if (filter_make(&f, spec) < 0)
                return error_oom(reterr);
        for (uint32_t i = 0; i < SECCOMP_NUMBERS; i++) {
                _cleanup_free_ char *name = number_name(&l, l.arch_native(), i);
                uint32_t action = name ? name_action(&f, name) : ACTION_UNKNOWN;

                if (name)
                        strbuf_addf(&b, "%s %s\n", name,
                                    action == ACTION_ALLOW            ? "allow"
                                    : action == ACTION_NOTHING        ? "ignore"
                                    : action == SECCOMP_ACTION_SOCKET ? "filter"
                                                                      : "refuse");
        }
        return strbuf_finish(&b, ret) < 0 ? error_oom(reterr) : 0;
}

/* ---- the cache ---- */

/* 128-bit FNV-1a: keys are written by root alone, so collisions are no attack. */
static void digest_add(unsigned __int128 *digest, const char *s) {
        const unsigned __int128 prime = (unsigned __int128) 1 << 88 | 0x13b;

        for (size_t i = 0, n = strlen(s) + 1; i < n;
             i++) /* its NUL too: "ab" "c" is not "a" "bc" */
                *digest = (*digest ^ (uint8_t) s[i]) * prime;
}

static char *cache_name(const ContainerSpec *spec) {
        unsigned __int128 digest =
                (unsigned __int128) 0x6c62272e07bb0142 << 64 | 0x62b821756295c58d;
        uint64_t relevant = 0;
        char number[32], others[32];

        for (size_t i = 0; i < n_syscall_conditions; i++)
                relevant |= spec->security.bounding & CAP_MASK(syscall_conditions[i].capability);
        (void) snprintf(number, sizeof(number), "%llx", (unsigned long long) relevant);
        (void) snprintf(others, sizeof(others), "%llx %d",
                        (unsigned long long) (spec->security.restrict_families
                                                      ? spec->security.families
                                                      : FAMILIES_ALL),
                        spec->security.suppress_sync);
        digest_add(&digest, CACHE_FORMAT);
        digest_add(&digest, BERTH_VERSION);
        digest_add(&digest, syscalls_allowed);
        digest_add(&digest, number);
        digest_add(&digest, others);
        STRV_FOREACH(word, spec->security.system_call_filter)
                digest_add(&digest, *word);
        return strf("%016llx%016llx-%zu.bpf", (unsigned long long) (digest >> 64),
                    (unsigned long long) digest, 8 * sizeof(long));
}

/* Regular, ours, not writable by others, whole instructions. */
static bool cache_file_is_good(int fd) {
        struct stat st;

        return fstat(fd, &st) >= 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
               (st.st_mode & 022) == 0 && st.st_size > 0 &&
               st.st_size % (off_t) sizeof(struct sock_filter) == 0 &&
               st.st_size <= (off_t) (BPF_MAXINSNS * sizeof(struct sock_filter));
}

static int cache_directory_open(const char *path) {
        _cleanup_close_ int fd = -EBADF;
        struct stat st;

        fd = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 && errno == ENOENT && mkdir_parents(path, 0700) >= 0) /* the first start */
                fd = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 022))
                return -EPERM;
        return TAKE_FD(fd);
}

static int cache_read(int directory_fd, const char *name) {
        _cleanup_close_ int fd =
                openat(directory_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

        if (fd < 0)
                return -errno;
        return cache_file_is_good(fd) ? TAKE_FD(fd) : -EBADMSG;
}

/* A bad file of that name is replaced. All failures are fine: the next start compiles again. */
static void cache_write(int directory_fd, const char *name, const void *bytes, size_t n) {
        _cleanup_close_ int fd = openat(directory_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
        char self[32];

        if (fd < 0 || fchmod(fd, 0600) < 0 || fd_write_full(fd, bytes, n) < 0)
                return;
        (void) snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
        if (linkat(AT_FDCWD, self, directory_fd, name, AT_SYMLINK_FOLLOW) >= 0 || errno != EEXIST)
                return;

        _cleanup_close_ int other = cache_read(directory_fd, name);
        if (other >= 0) /* somebody was faster */
                return;
        (void) unlinkat(directory_fd, name, 0);
        if (linkat(AT_FDCWD, self, directory_fd, name, AT_SYMLINK_FOLLOW) < 0)
                return; /* as above */
}

int seccomp_compile(const ContainerSpec *spec, const char *cache_directory, int *ret_fd,
                    Error *reterr) {
        _cleanup_close_ int directory_fd = -EBADF, fd = -EBADF;
        _cleanup_free_ struct sock_filter *program = NULL;
        _cleanup_free_ char *name = NULL;
        size_t n;
        int r;

        if (!spec->security.seccomp) {
                *ret_fd = -EBADF;
                return 0;
        }
        name = cache_name(spec);
        if (!name)
                return error_oom(reterr);
        if (cache_directory)
                directory_fd = cache_directory_open(cache_directory);
        if (directory_fd >= 0)
                fd = cache_read(directory_fd, name);
        if (fd < 0) {
                r = compile(spec, &program, &n, reterr);
                if (r < 0)
                        return r;
                if (directory_fd >= 0)
                        cache_write(directory_fd, name, program, n * sizeof(*program));
                fd = memfd_new_sealed("berth-seccomp", program, n * sizeof(*program));
                if (fd < 0)
                        return error_set_errno(reterr, fd, ERROR_SETUP_FAILED,
                                               "The system call filter cannot be stored");
        }
        *ret_fd = TAKE_FD(fd);
        return 0;
}
