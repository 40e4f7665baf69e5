/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signatures of what was downloaded. gpgv(1) or sqv(1), as apt(8) of this system has it, verifies them: in a process that is nobody, has no network and can write
 * no file. The keys are those that systemd-importd(8) trusts, and our own.
 *
 * Calls: memfd_create of the keyrings, which need not be everybody's; unshare, setrlimit, capset, setgroups, setresgid, setresuid, PR_SET_NO_NEW_PRIVS; posix_spawn. */
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/strv.h"
#include "sys/caps.h"
#include "transfer/transfer.h"

#define OUTPUT_MAX (64U << 10)
#define KEYRING_MAX (16U << 20)
#define CPU_SECONDS 60

static const char *const keyrings[] = {
        "/etc/berth/import-pubring.gpg",       "/etc/berth/import-pubring.pgp",
        "/etc/systemd/import-pubring.gpg",     "/etc/systemd/import-pubring.pgp",
        "/usr/lib/systemd/import-pubring.gpg", "/usr/lib/systemd/import-pubring.pgp",
};
static const char keyrings_said[] =
        "keys are taken from import-pubring.gpg (or .pgp) in /etc/berth, /etc/systemd and "
        "/usr/lib/systemd";

typedef struct Signature {
        const Transfer *transfer;
        int fd, signature_fd;
        const char *list;
} Signature;

static const char *find_program(bool *ret_gpgv) {
        static const char *const programs[] = { "/usr/bin/gpgv", "/usr/local/bin/gpgv",
                                                "/usr/bin/sqv", "/usr/local/bin/sqv" };
        for (size_t i = 0; i < ELEMENTSOF(programs); i++)
                if (access(programs[i], X_OK) >= 0) {
                        *ret_gpgv = i < 2;
                        return programs[i];
                }
        return NULL;
}

/* As a file that the program can open. */
static int add_file(char ***l, const char *option, int fd) {
        int r = fd_cloexec(fd, false);
        if (r >= 0 && option)
                r = strv_extend(l, option);
        return r < 0 ? r : strv_extendf(l, "/proc/self/fd/%d", fd);
}

/* Each is as trusted as the others. Returns how many there are. */
static int add_keyrings(char ***l, Error *reterr) {
        int n = 0;
        for (size_t i = 0; i < ELEMENTSOF(keyrings); i++) {
                _cleanup_free_ char *keys = NULL;
                size_t size;
                int r = file_read_all(AT_FDCWD, keyrings[i], KEYRING_MAX, &keys, &size);
                if (r == -ENOENT || (r >= 0 && size == 0))
                        continue;
                int fd =
                        r < 0 ? r : memfd_create("keyring", 0); /* the program's; it goes with us */
                r = r < 0 ? r : fd < 0 ? -errno : fd_write_full(fd, keys, size);
                if (r >= 0)
                        r = add_file(l, "--keyring", fd);
                if (r < 0)
                        return error_set_errno(reterr, r, ERROR_FAILED,
                                               "Reading the keyring '%s' failed", keyrings[i]);
                n++;
        }
        if (n > 0)
                return n;
        int r = error_set(reterr, -ENOKEY, ERROR_FAILED,
                          "No signature can be verified: there is no keyring");
        error_hint(reterr, "%s", keyrings_said);
        return r;
}

static int limit(int resource, uint64_t value) {
        const struct rlimit l = { value, value };
        return setrlimit(resource, &l) < 0 ? -errno : 0;
}

static int confine(void) {
        if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
                return -errno;
        int r = limit(RLIMIT_CORE, 0);
        if (r >= 0)
                r = limit(RLIMIT_FSIZE, 0);
        if (r >= 0)
                r = limit(RLIMIT_CPU, CPU_SECONDS);
        if (r >= 0)
                r = caps_drop_bounding(0);
        if (r >= 0 && (setgroups(0, NULL) < 0 ||
                       setresgid(SANDBOX_NOBODY, SANDBOX_NOBODY, SANDBOX_NOBODY) < 0 ||
                       setresuid(SANDBOX_NOBODY, SANDBOX_NOBODY, SANDBOX_NOBODY) < 0))
                r = -errno;
        if (r >= 0)
                r = caps_set(0, 0, 0);
        if (r >= 0 &&
            (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || /* the change of user has cleared it */
             prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0))
                r = -errno;
        return r;
}

/* Its exit status and what it says; all: on standard error, too. */
static int execute(const char *program, char *const *words, bool all,
                   char output[static OUTPUT_MAX]) {
        static const char *const environment[] = { "LC_ALL=C", "HOME=/", "PATH=/usr/bin:/bin",
                                                   NULL };
        _cleanup_close_pair_ int p[2] = PAIR_EBADF;
        posix_spawn_file_actions_t actions;
        size_t size = 0;
        int status = 0;
        pid_t pid;
        if (pipe2(p, O_CLOEXEC) < 0)
                return -errno;
        if (posix_spawn_file_actions_init(&actions) != 0)
                return -ENOMEM;
        int r = -posix_spawn_file_actions_adddup2(&actions, p[1], STDOUT_FILENO);
        if (r >= 0)
                r = all ? -posix_spawn_file_actions_adddup2(&actions, p[1], STDERR_FILENO)
                        : -posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null",
                                                            O_WRONLY, 0);
        if (r >= 0)
                r = -posix_spawn(&pid, program, &actions, NULL, words, (char *const *) environment);
        (void) posix_spawn_file_actions_destroy(&actions);
        p[1] = fd_close(p[1]);
        if (r < 0)
                return r;
        for (ssize_t n = 1; n > 0 && size<OUTPUT_MAX - 1; size += n> 0 ? (size_t) n : 0)
                n = read(p[0], output + size, OUTPUT_MAX - 1 - size);
        output[size] = '\0';
        p[0] = fd_close(p[0]); /* what more it says is lost; its time is limited */
        if (waitpid(pid, &status, 0) < 0)
                return -errno;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

/* A line of status of gpgv's; returns its arguments. doc/DETAILS of GnuPG. */
static const char *status_line(const char *output, const char *word) {
        for (const char *p = output; p; p = strchr(p, '\n')) {
                p += *p == '\n';
                const char *rest = startswith(p, "[GNUPG:] ");
                rest = rest ? startswith(rest, word) : NULL;
                if (rest && (*rest == ' ' || *rest == '\n'))
                        return rest + (*rest == ' ');
        }
        return NULL;
}

static int gpgv_failed(const Signature *s, const char *output, Error *reterr) {
        // clang-format off
        static const struct { const char *word, *what; } why[] = {
                { "NO_PUBKEY",   "is by a key that is not known" },
                { "BADSIG",      "does not match: one of the two is damaged, or not what it should be" },
                { "REVKEYSIG",   "is by a key that was revoked" },
                { "EXPKEYSIG",   "is by a key that has expired" },
                { "EXPSIG",      "has expired" },
                { "NODATA",      "is no signature" },
        };
        // clang-format on
        for (size_t i = 0; i < ELEMENTSOF(why); i++) {
                const char *rest = status_line(output, why[i].word);
                if (!rest)
                        continue;
                const int n = i == ELEMENTSOF(why) - 1 ? 0 : (int) strcspn(rest, " \n");
                return error_set(reterr, -EKEYREJECTED, ERROR_FAILED,
                                 "The signature of '%s' %s%s%.*s%s", s->list, why[i].what,
                                 n > 0 ? " (" : "", n, rest, n > 0 ? ")" : "");
        }
        return error_set(reterr, -EKEYREJECTED, ERROR_FAILED,
                         "The signature of '%s' cannot be verified", s->list);
}

static int sqv_failed(const Signature *s, const char *output, Error *reterr) {
        const char *key = strstr(output, "Missing key ");
        key = key ? key + STRLEN("Missing key ") : NULL;
        if (key)
                return error_set(reterr, -EKEYREJECTED, ERROR_FAILED,
                                 "The signature of '%s' is by a key that is not known (%.*s)",
                                 s->list, (int) strcspn(key, ", \n"), key);
        if (strstr(output, "manipulated"))
                return error_set(reterr, -EKEYREJECTED, ERROR_FAILED,
                                 "The signature of '%s' does not match: one of the two is damaged, "
                                 "or not what it should be",
                                 s->list);
        return error_set(reterr, -EKEYREJECTED, ERROR_FAILED,
                         "The signature of '%s' cannot be verified: %.*s", s->list,
                         (int) MIN(strcspn(output, "\n"), (size_t) 300), output);
}

static int signature_task(void *userdata, char **ret_text, Error *reterr) {
        const Signature *s = userdata;
        _cleanup_free_ char *output = new0(char, OUTPUT_MAX);
        _cleanup_strv_free_ char **words = NULL;
        bool gpgv = false;
        const char *program = find_program(&gpgv);
        if (!program) {
                int r = error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                                  "No signature can be verified: gpgv is not installed");
                error_hint(reterr, "install gpgv or sqv, or take --verify=checksum");
                return r;
        }
        words = gpgv ? strv_new(program, "--homedir", "/nonexistent", "--status-fd", "1")
                     : strv_new(program);
        int r = words && output ? add_keyrings(&words, reterr) : error_oom(reterr);
        if (r < 0)
                return r;
        if (add_file(&words, NULL, s->signature_fd) < 0 || add_file(&words, NULL, s->fd) < 0)
                return error_oom(reterr);
        r = confine();
        if (r >= 0)
                r = execute(program, words, !gpgv, output);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED, "Executing '%s' failed",
                                       program);
        if (r == 0 &&
            (!gpgv || (status_line(output, "GOODSIG") && !status_line(output, "BADSIG")))) {
                *ret_text = strdup("GOOD=1\n");
                return *ret_text ? 0 : error_oom(reterr);
        }
        r = gpgv ? gpgv_failed(s, output, reterr) : sqv_failed(s, output, reterr);
        error_hint(reterr, "%s", keyrings_said);
        return r;
}

int verify_signature(const Transfer *t, int fd, int signature_fd, const char *list, Error *reterr) {
        _cleanup_(child_done) Child c = CHILD_NULL;
        Signature s = { .transfer = t, .fd = fd, .signature_fd = signature_fd, .list = list };
        int r = child_start(signature_task, &s, (int[]){ fd, signature_fd }, 2, &c, reterr);
        if (r >= 0)
                r = children_wait(t, (Child *[]){ &c }, 1, reterr);
        if (r >= 0 && child_number(&c, "GOOD") != 1) /* fails closed */
                r = error_set(reterr, -EPROTO, ERROR_PROTOCOL,
                              "The signature of '%s' is not verified", list);
        return r < 0 ? r : 1;
}
