/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disk images in formats of virtual machines: by qemu-img(1).
 *
 * A child starts it as the first process of a PID namespace, in a sandbox in which it has two files, by descriptor: the source, which it cannot write to, and the new
 * image. The child reads what it says, and watches how much it writes. Nothing that an image names can be reached from there. */
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/str.h"
#include "sys/sandbox-program.h"
#include "sys/sparse.h"
#include "sys/syscalls.h"
#include "transfer/raw.h"

#define CPU_MAX_SEC 7200
#define MEMORY_MAX (UINT64_C(2) << 30) /* of address space; threads have large stacks */
#define LOOK_MSEC 100
#define WORDS_MAX 1024U

static const char *const programs[] = { "/usr/bin/qemu-img", "/usr/local/bin/qemu-img" };

static const char *find_program(void) {
        for (size_t i = 0; i < ELEMENTSOF(programs); i++)
                if (access(programs[i], X_OK) >= 0)
                        return programs[i];
        return NULL;
}

typedef struct Watch {
        Raw *raw;
        PidRef process;
        int error_fd, output_fd;
        char words[WORDS_MAX]; /* what it says on standard error */
        size_t n_words;
        bool checking, too_large;
} Watch;

static _noreturn_ void be_program(const Watch *watch, const char *path, int output_fd,
                                  int error_fd) {
        const Raw *w = watch->raw;
        char source[32], target[32];
        (void) snprintf(source, sizeof(source), "/proc/self/fd/%d", w->source_fd); /* they fit */
        (void) snprintf(target, sizeof(target), "/proc/self/fd/%d", w->image_fd);
        const char *format = content_format(w->kind);
        const char *const check[] = { "qemu-img", "check", "-q", "-f", format, source, NULL };
        const char *const convert[] = { "qemu-img", "convert", "-p", "-f",   format, "-O",
                                        "raw",      "-S",      "4k", source, target, NULL };
        char *const *argv = (char *const *) (watch->checking ? check : convert);
        const SandboxProgram p = { .path = path,
                                   .argv = argv,
                                   .read_fds = &w->source_fd,
                                   .n_read_fds = 1,
                                   .write_fds = &w->image_fd,
                                   .n_write_fds = 1,
                                   .memory_max = MEMORY_MAX,
                                   .size_max = w->out.size_max,
                                   .cpu_max_sec = CPU_MAX_SEC };
        int r = dup2(output_fd, STDOUT_FILENO) < 0 || dup2(error_fd, STDERR_FILENO) < 0
                        ? -errno
                        : sandbox_execute(&p);
        (void) dprintf(STDERR_FILENO, "its sandbox cannot be made: %s\n", strerrordesc_np(-r));
        _exit(EXIT_FAILURE);
}

static int start(Watch *watch, Error *reterr) {
        _cleanup_close_pair_ int output[2] = PAIR_EBADF, error[2] = PAIR_EBADF;
        struct clone_args args = { .flags = CLONE_PIDFD | CLONE_NEWPID,
                                   .pidfd = (uint64_t) (uintptr_t) &watch->process.fd,
                                   .exit_signal = SIGCHLD };
        const char *path = find_program();
        if (!path) /* it was there a moment ago */
                return error_set(reterr, -ENOENT, ERROR_FAILED, "There is no qemu-img");
        if (pipe2(output, O_CLOEXEC) >= 0 && pipe2(error, O_CLOEXEC) >= 0)
                watch->process.pid = sys_clone3(&args);
        if (watch->process.pid < 0)
                return error_set_errno(reterr, -errno, ERROR_SETUP_FAILED,
                                       "Starting qemu-img failed");
        if (watch->process.pid == 0)
                be_program(watch, path, output[1], error[1]);
        watch->output_fd = TAKE_FD(output[0]);
        watch->error_fd = TAKE_FD(error[0]);
        return 0;
}

/* "    (12.34/100%)\r", again and again */
static void read_progress(Watch *watch) {
        char text[256];
        struct stat st;
        unsigned percent;
        ssize_t n = read(watch->output_fd, text, sizeof(text) - 1);
        if (n <= 0) {
                watch->output_fd = fd_close(watch->output_fd);
                return;
        }
        text[n] = '\0';
        const char *at = strrchr(text, '(');
        TreeProgress *p = &watch->raw->progress;
        if (!at || sscanf(at, "(%3u.", &percent) != 1 || percent > 100 ||
            fstat(watch->raw->image_fd, &st) < 0)
                return;
        const uint64_t bytes = (uint64_t) st.st_size / 100 * percent;
        p->total = (uint64_t) st.st_size;
        tree_progress_add(p, 0, bytes > p->bytes ? bytes - p->bytes : 0);
}

static void read_words(Watch *watch) {
        char rest[256];
        const size_t room = sizeof(watch->words) - 1 - watch->n_words;
        ssize_t n = read(watch->error_fd, room > 0 ? watch->words + watch->n_words : rest,
                         room > 0 ? room : sizeof(rest));
        if (n <= 0)
                watch->error_fd = fd_close(watch->error_fd);
        else if (room > 0)
                watch->n_words += (size_t) n;
}

/* Until it has closed its streams. */
static void watch_program(Watch *watch) {
        const Raw *w = watch->raw;
        struct stat st;
        while (watch->error_fd >= 0 || watch->output_fd >= 0) {
                struct pollfd p[] = { { .fd = watch->error_fd, .events = POLLIN },
                                      { .fd = watch->output_fd, .events = POLLIN } };
                if (poll(p, ELEMENTSOF(p), LOOK_MSEC) < 0)
                        continue;
                if (p[0].revents)
                        read_words(watch);
                if (p[1].revents)
                        read_progress(watch);
                if (!watch->too_large && fstat(w->image_fd, &st) >= 0 &&
                    (uint64_t) st.st_blocks * 512 > w->out.written_max) {
                        watch->too_large = true;
                        (void) pidref_kill(&watch->process, SIGKILL); /* it may have ended */
                }
        }
}

/* Its own words, without its name and the files' numbers. */
static int convert_failed(Watch *watch, const siginfo_t *si, Error *reterr) {
        const Raw *w = watch->raw;
        const char *file = w->request->remote, *quote = file ? "'" : "";
        if (watch->too_large)
                return raw_too_large(w, true, reterr);
        if (!watch->checking && strstr(watch->words, "File too large"))
                return raw_too_large(w, false, reterr);
        char *line = watch->words;
        if (startswith(line, "qemu-img: "))
                line += strlen("qemu-img: ");
        const char *doing = watch->checking ? "Checking" : "Converting";
        line[strcspn(line, "\n")] = '\0';
        _cleanup_free_ char *shown = str_escape_for_display(line);
        int r = error_set(reterr, -EBADMSG, ERROR_FAILED, "%s %s%s%s failed: %s", doing, quote,
                          file ?: "the input", quote,
                          !isempty(shown)             ? shown
                          : si->si_code == CLD_EXITED ? "qemu-img does not say why"
                                                      : "qemu-img was killed");
        if (watch->checking)
                error_hint(reterr, "copy or download it again");
        return r;
}

/* Of its exit statuses 3 and 63 are no errors: blocks that are not used, and formats that have no check. */
static int run(Watch *watch, bool checking, Error *reterr) {
        siginfo_t si = { 0 };
        watch->checking = checking;
        watch->n_words = 0;
        memset(watch->words, 0, sizeof(watch->words));
        int r = start(watch, reterr);
        if (r < 0)
                return r;
        watch_program(watch);
        r = pidref_wait(&watch->process, true, &si);
        pidref_done(&watch->process);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_FAILED, "Waiting for qemu-img failed");
        if (si.si_code == CLD_EXITED && !watch->too_large &&
            (si.si_status == 0 || (checking && IN_SET(si.si_status, 3, 63))))
                return 0;
        return convert_failed(watch, &si, reterr);
}

static int convert_task(void *userdata, char **ret_text, Error *reterr) {
        Watch watch = {
                .raw = userdata, .process = PIDREF_NULL, .error_fd = -EBADF, .output_fd = -EBADF
        };
        struct stat st;
        int r = run(&watch, true, reterr); /* else what is missing at the end would become zeros */
        if (r >= 0)
                r = run(&watch, false, reterr);
        if (r < 0)
                return r;
        if (fstat(watch.raw->image_fd, &st) < 0)
                return error_set_errno(reterr, -errno, ERROR_FAILED, "Looking at the image failed");
        *ret_text = strf("BYTES=%" PRIu64 "\n", (uint64_t) st.st_size);
        return *ret_text ? 0 : error_oom(reterr);
}

int raw_check_convertible(const Raw *w, Error *reterr) {
        if (find_program())
                return 0;
        int r = error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                          "Converting %s%s%s takes qemu-img, which is not installed",
                          w->request->remote ? "'" : "", w->request->remote ?: "the input",
                          w->request->remote ? "'" : "");
        error_hint(reterr,
                   "install it (Debian: qemu-utils; Fedora: qemu-img), or convert it elsewhere");
        return r;
}

/* User nobody opens both files; meanwhile the image is his, in a directory that he cannot enter. */
int raw_convert(Raw *w, uint64_t *ret_bytes, Error *reterr) {
        _cleanup_(child_done) Child child = CHILD_NULL;
        int r = raw_check_convertible(w, reterr);
        if (r >= 0 && fchown(w->image_fd, SANDBOX_NOBODY, SANDBOX_NOBODY) < 0)
                return transfer_write_failed(w->transfer, -errno, NULL, NULL, reterr);
        if (r >= 0)
                r = child_start(convert_task, w,
                                (int[]){ w->source_fd, w->image_fd, w->progress.fd }, 3, &child,
                                reterr);
        if (r >= 0)
                r = children_wait(w->transfer, (Child *[]){ &child }, 1, reterr);
        if (r < 0)
                return r;
        if (fchown(w->image_fd, 0, 0) < 0 || fchmod(w->image_fd, 0600) < 0)
                return transfer_write_failed(w->transfer, -errno, NULL, NULL, reterr);
        *ret_bytes = child_number(&child, "BYTES");
        return 0;
}
