/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is on a disk, found out by a process that can do nothing but read it and answer.
 *
 * The process is a fork: it opens libblkid, then becomes nobody, without capabilities, with limits on memory and time, and a filter of
 * system calls that knows no path, no socket and no process. If any of this fails it does not look. */
#include "image/disk-probe.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/time.h"
#include "image/disk-blkid.h"
#include "image/disk-signature.h"
#include "image/disk-types.h"
#include "sys/pidfd.h"
#include "sys/seccomp-load.h"
#include "sys/syscalls.h"

enum {
        PROBE_DISK_FD = 3,
        PROBE_ANSWER_FD = 4
};
#define NOBODY 65534
#define PROBE_MEMORY_MAX (256U << 20)
#define PROBE_SECONDS_MAX 20U
#define ANSWER_MAX (DISK_FACTS_MAX + 4096U)

// clang-format off
static const SeccompAllowed allowed[] = {
        { SYS_read,          0, 0, 0 },
        { SYS_pread64,       0, 0, 0 },
        { SYS_lseek,         0, 0, 0 },
        { SYS_fadvise64,     0, 0, 0 },
        { SYS_fstat,         0, 0, 0 },
#ifdef SYS_newfstatat
        { SYS_newfstatat,    3, AT_EMPTY_PATH, AT_EMPTY_PATH },
#endif
        { SYS_ioctl,         1, UINT32_MAX, BLKGETSIZE64 },
        { SYS_ioctl,         1, UINT32_MAX, BLKSSZGET },
        { SYS_write,         0, 0, 0 },
        { SYS_close,         0, 0, 0 },
        { SYS_brk,           0, 0, 0 },
        { SYS_mmap,          2, PROT_EXEC, 0 },
        { SYS_mremap,        0, 0, 0 },
        { SYS_munmap,        0, 0, 0 },
        { SYS_madvise,       0, 0, 0 },
        { SYS_getrandom,     0, 0, 0 },
        { SYS_clock_gettime, 0, 0, 0 },
        { SYS_rt_sigreturn,  0, 0, 0 },
        { SYS_exit_group,    0, 0, 0 },
};
// clang-format on

static int limit(__rlimit_resource_t what, rlim_t most) {
        const struct rlimit l = { most, most };
        return setrlimit(what, &l) < 0 ? -errno : 0;
}

static int enter_sandbox(void) {
        int r = limit(RLIMIT_CORE, 0);
        if (r >= 0)
                r = limit(RLIMIT_CPU, PROBE_SECONDS_MAX);
        if (r >= 0)
                r = limit(RLIMIT_FSIZE, 0);
        if (r >= 0 && !BERTH_SANITIZED)
                r = limit(RLIMIT_AS, PROBE_MEMORY_MAX);
        if (r < 0)
                return r;
        if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
            setresuid(NOBODY, NOBODY, NOBODY) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
            prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) /* a change of user clears it */
                return -errno;
        r = limit(RLIMIT_NPROC, 0);
        return r < 0 ? r : seccomp_allow_only(allowed, ELEMENTSOF(allowed), /* deadly= */ false);
}

/* The answer: 'f' and facts, or 'e' and an error. */
static int write_answer(char kind, const char *text) {
        int r = fd_write_full(PROBE_ANSWER_FD, &kind, 1);
        return r < 0 ? r : fd_write_full(PROBE_ANSWER_FD, text, strlen(text));
}

/* What partitions of signatures say; one that cannot be understood says nothing. */
static int read_signatures(DiskFacts *f) {
        const char *architecture;
        unsigned n = 0;

        for (size_t i = 0; i < f->n_partitions && n < DISK_SIGNATURES_MAX; i++) {
                DiskPartition *p = f->partitions + i;
                if (f->table != DISK_TABLE_GPT ||
                    !IN_SET(disk_role(p->type, &architecture), DISK_ROLE_ROOT_SIGNATURE,
                            DISK_ROLE_USR_SIGNATURE))
                        continue;
                const size_t size = MIN(p->size, (uint64_t) DISK_SIGNATURE_JSON_MAX);
                _cleanup_free_ char *json = calloc(size + 1, 1);
                if (!json)
                        return -ENOMEM;
                if (pread(PROBE_DISK_FD, json, size, (off_t) p->offset) < 0)
                        continue;
                int r = disk_signature_read(json, &p->root_hash, &p->signature);
                if (r == -ENOMEM)
                        return r;
                n++;
        }
        return 0;
}

static int look(Error *reterr) {
        _cleanup_(disk_facts_done) DiskFacts f = { 0 };
        _cleanup_free_ char *text = NULL;
        Blkid *b; /* the process ends with it */

        int r = disk_blkid_open(&b, reterr);
        if (r < 0)
                return r;
        r = enter_sandbox();
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                                       "The process that looks at it cannot be confined");
        r = disk_blkid_read(b, PROBE_DISK_FD, &f, reterr);
        if (r < 0)
                return r;
        r = read_signatures(&f);
        if (r >= 0)
                r = disk_facts_print(&f, &text);
        if (r >= 0)
                r = write_answer('f', text);
        return r < 0 ? error_set_errno(reterr, r, ERROR_SETUP_FAILED, "Answering failed") : 0;
}

static _noreturn_ void probe_main(int disk_fd, int answer_fd) {
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ char *text = NULL;

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL); /* cannot fail */
        (void) signal(SIGPIPE, SIG_DFL);
        int disk = fcntl(disk_fd, F_DUPFD_CLOEXEC, 5),
            answer = fcntl(answer_fd, F_DUPFD_CLOEXEC, 5);
        if (disk < 0 || answer < 0 || fd_move_to(&disk, PROBE_DISK_FD, true) < 0 ||
            fd_move_to(&answer, PROBE_ANSWER_FD, true) < 0 ||
            sys_close_range(PROBE_ANSWER_FD + 1, ~0U, 0) < 0)
                _exit(EXIT_FAILURE);
        int r = look(&e);
        if (r < 0 && error_serialize(&e, &text) >= 0)
                (void) write_answer('e', text); /* none is an answer, too */
        _exit(r < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

/* ---- outside ---- */

/* All that it says, while time lasts. */
static int read_answer(int fd, char **ret) {
        _cleanup_free_ char *text = malloc(ANSWER_MAX + 1);
        const usec_t deadline = now_usec(CLOCK_MONOTONIC) + PROBE_SECONDS_MAX * USEC_PER_SEC;
        size_t size = 0;

        if (!text)
                return -ENOMEM;
        for (;;) {
                struct pollfd p = { .fd = fd, .events = POLLIN };
                const usec_t now = now_usec(CLOCK_MONOTONIC);
                if (now >= deadline)
                        return -ETIMEDOUT;
                if (poll(&p, 1, (int) ((deadline - now) / USEC_PER_MSEC) + 1) <= 0)
                        continue; /* a signal, or the end of time */
                ssize_t n = read(fd, text + size, ANSWER_MAX - size);
                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n == 0)
                        break;
                size += n > 0 ? (size_t) n : 0;
                if (size == ANSWER_MAX)
                        return -EMSGSIZE;
        }
        text[size] = '\0';
        if (strlen(text) != size)
                return -EBADMSG;
        *ret = TAKE_PTR(text);
        return 0;
}

/* What it says of the disk is told with the disk's name. */
static int fail(const char *name, const Error *e, Error *reterr) {
        int r = error_set(reterr, e->code, e->id, "Image '%s' cannot be used: %s", name,
                          error_message(e));
        if (e->hint)
                error_hint(reterr, "%s", e->hint);
        return r;
}

static int take_answer(const char *name, int fd, DiskFacts *ret, Error *reterr) {
        _cleanup_free_ char *text = NULL;
        _cleanup_error_ Error e = ERROR_NULL;

        int r = read_answer(fd, &text);
        if (r == -ETIMEDOUT)
                return error_set(reterr, r, ERROR_TIMEOUT,
                                 "Looking at image '%s' took longer than %u seconds", name,
                                 PROBE_SECONDS_MAX);
        if (r >= 0 && text[0] == 'e' && error_deserialize(text + 1, &e) >= 0)
                return fail(name, &e, reterr);
        if (r >= 0)
                r = text[0] == 'f' ? disk_facts_parse(text + 1, ret) : -EBADMSG;
        if (r >= 0)
                return 0;
        if (r == -ENOMEM)
                return error_oom(reterr);
        return error_set(reterr, r, ERROR_NOT_A_ROOT,
                         "Image '%s' cannot be used: what is on it cannot be made out", name);
}

int disk_probe(const char *name, int fd, DiskFacts *ret, Error *reterr) {
        _cleanup_close_pair_ int answer[2] = PAIR_EBADF;
        PidRef probe = PIDREF_NULL;
        siginfo_t status;

        if (pipe2(answer, O_CLOEXEC) < 0)
                return error_set_errno(reterr, -errno, ERROR_SETUP_FAILED,
                                       "Looking at image '%s' failed", name);
        struct clone_args args = {
                .flags = CLONE_PIDFD,
                .pidfd = (uint64_t) (uintptr_t) &probe.fd,
                .exit_signal = SIGCHLD,
        };
        probe.pid = sys_clone3(&args);
        if (probe.pid < 0)
                return error_set_errno(reterr, -errno, ERROR_SETUP_FAILED,
                                       "Looking at image '%s' failed", name);
        if (probe.pid == 0)
                probe_main(fd, answer[1]);
        answer[1] = fd_close(answer[1]);
        int r = take_answer(name, answer[0], ret, reterr);
        (void) pidref_kill(&probe, SIGKILL); /* it has answered, or is not to */
        (void) pidref_wait(&probe, /* block= */ true, &status);
        pidref_done(&probe);
        return r;
}
