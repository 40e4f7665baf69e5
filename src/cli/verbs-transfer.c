/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs that bring images from files, directories and servers, and to files. A process of its own does it (ipc/transfer.h); here files are opened
 * with the caller's rights, and is shown what happens. */
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/format.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/url.h"
#include "cli/json.h"
#include "cli/progress.h"
#include "cli/verbs.h"
#include "ipc/transfer.h"
#include "ipc/worker.h"

#define TEMPORARY_TRIES 16
#define SECTOR_SIZE 512U

/* ---- the process ---- */

/* Signals that would end us end the transfer instead, which cleans up. */
static int take_signals(sigset_t *ret_before) {
        sigset_t set;
        (void) sigemptyset(&set); /* these cannot fail */
        (void) sigaddset(&set, SIGINT);
        (void) sigaddset(&set, SIGTERM);
        (void) sigaddset(&set, SIGHUP);
        (void) sigaddset(&set, SIGQUIT);
        (void) sigprocmask(SIG_BLOCK, &set, ret_before);
        return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int wait_answer(const PidRef *process, int link_fd, int signal_fd, char **ret_text,
                       size_t *ret_size, Error *reterr) {
        int fds[SOCKET_MAX_FDS];
        for (;;) {
                struct pollfd p[] = { { .fd = link_fd, .events = POLLIN },
                                      { .fd = signal_fd, .events = POLLIN } };
                struct signalfd_siginfo si;
                if (poll(p, ELEMENTSOF(p), -1) < 0)
                        continue;
                if (p[1].revents && read(signal_fd, &si, sizeof(si)) > 0)
                        (void) pidref_kill(process, SIGTERM); /* it may have ended */
                if (!p[0].revents)
                        continue;
                int r = worker_read_answer(link_fd, ret_text, ret_size, fds, reterr);
                if (r == -EAGAIN)
                        continue;
                for (size_t i = 0; r >= 0 && i < SOCKET_MAX_FDS; i++)
                        fd_close(fds[i]); /* there should be none */
                return r;
        }
}

/* ret_text: the answer. position_fd: see progress.h. */
static int transfer(const Invocation *v, const TransferRequest *q, int stream_fd, int position_fd,
                    char **ret_text, size_t *ret_size, Error *reterr) {
        PidRef process = PIDREF_NULL, progress = PIDREF_NULL;
        _cleanup_close_ int link_fd = -EBADF, progress_fd = -EBADF;
        sigset_t before;
        siginfo_t si;
        _cleanup_close_ int signal_fd = take_signals(&before);
        progress_start_of(v->options.quiet || v->options.json != JSON_OFF, position_fd, &progress,
                          &progress_fd);
        int r = signal_fd < 0
                        ? error_set_errno(reterr, -errno, ERROR_SETUP_FAILED,
                                          "Preparing for signals failed")
                        : transfer_spawn(q, stream_fd, progress_fd, &process, &link_fd, reterr);
        progress_fd = fd_close(progress_fd);
        if (r >= 0)
                r = wait_answer(&process, link_fd, signal_fd, ret_text, ret_size, reterr);
        if (pidref_is_set(&process))
                (void) pidref_wait(&process, true, &si); /* it has answered, or ended */
        pidref_done(&process);
        progress_end(&progress);
        (void) sigprocmask(SIG_SETMASK, &before, NULL); /* cannot fail */
        return r;
}

/* ---- what is said about it ---- */

static int report_json(const Invocation *v, const TransferRequest *q, const char *file,
                       const char *text, size_t size, Error *reterr) {
        static const struct {
                const char *key, *field;
        } numbers[] = { { "FILES", "files" }, { "BYTES", "bytes" }, { "LEFT_OUT", "left_out" } };
        _cleanup_(json_writer_done) JsonWriter w = { .pretty = v->options.json == JSON_PRETTY };
        _cleanup_free_ char *out = NULL;
        json_begin_object(&w, NULL);
        json_add_string(&w, "name", transfer_answer_get(text, size, "NAME"));
        json_add_string(&w, "path", transfer_answer_get(text, size, "PATH"));
        if (file)
                json_add_string(&w, "file", file);
        for (size_t i = 0; i < ELEMENTSOF(numbers); i++)
                if (!isempty(transfer_answer_get(text, size, numbers[i].key)))
                        json_add_number(&w, numbers[i].field,
                                        transfer_answer_number(text, size, numbers[i].key));
        if (!isempty(transfer_answer_get(text, size, "VERIFIED")))
                json_add_string(&w, "verified", transfer_answer_get(text, size, "VERIFIED"));
        json_end(&w);
        int r = json_finish(&w, &out, reterr);
        if (r >= 0)
                (void) fputs(out, stdout); /* the end looks */
        return r;
}

static int report(const Invocation *v, const TransferRequest *q, const char *file, const char *text,
                  size_t size, Error *reterr) {
        const uint64_t left_out = transfer_answer_number(text, size, "LEFT_OUT");
        if (v->options.json != JSON_OFF && !(file && streq(file, "-")))
                return report_json(v, q, file, text, size, reterr);
        if (left_out > 0 && !v->options.quiet)
                (void) fprintf(stderr,
                               "berth: %" PRIu64 " devices and sockets were left out of '%s'\n",
                               left_out, q->name);
        if (v->options.quiet || file)
                return 0;
        if (IN_SET(q->type, TRANSFER_IMPORT_RAW, TRANSFER_PULL_RAW) &&
            transfer_answer_number(text, size, "BYTES") % SECTOR_SIZE > 0)
                (void) fprintf(stderr,
                               "berth: The size of '%s' is no multiple of %u bytes, as that of a "
                               "disk is: a part of it may be missing\n",
                               q->name, SECTOR_SIZE);
        _cleanup_free_ char *bytes = format_bytes(transfer_answer_number(text, size, "BYTES"));
        _cleanup_free_ char *path = str_escape_for_display(transfer_answer_get(text, size, "PATH"));
        const uint64_t files = transfer_answer_number(text, size, "FILES");
        (void) printf("%s", strempty(path)); /* the end looks */
        if (files > 0)
                (void) printf(": %" PRIu64 " files, %s", files, strempty(bytes));
        else
                (void) printf(": %s", strempty(bytes));
        (void) printf("%s%s\n",
                      isempty(transfer_answer_get(text, size, "VERIFIED")) ? "" : ", verified by ",
                      transfer_answer_get(text, size, "VERIFIED"));
        return 0;
}

static int check_caller(const Invocation *v, Error *reterr) {
        int r = verb_refuse_remote(v, "files of both systems would be mixed up", reterr);
        if (r >= 0 && geteuid() != 0) {
                r = error_set(reterr, -EPERM, ERROR_NO_PRIVILEGES,
                              "Only root can import and export images");
                error_hint(reterr, "run it as root, for instance with sudo");
        }
        return r;
}

/* ---- import ---- */

static int choose_name(const Invocation *v, TransferType type, const char *from, char **ret,
                       Error *reterr) {
        const char *given = v->arguments[1];
        int r = given ? free_and_strdup(ret, given) : transfer_name_of(from, ret);
        if (r >= 0 && (given || !streq(from, "-")))
                return 0;
        if (r == -ENOMEM)
                return error_oom(reterr);
        if (streq(from, "-"))
                return error_set(reterr, -EINVAL, ERROR_USAGE,
                                 "An import from standard input needs a name: berth %s - NAME",
                                 transfer_type_to_string(type));
        _cleanup_free_ char *shown = url_is_valid(from) ? url_for_display(from) : strdup(from);
        r = error_set(reterr, -EINVAL, ERROR_USAGE, "'%s' makes no name for an image",
                      strempty(shown));
        error_hint(reterr, "give a name as another argument");
        return r;
}

static int open_input(TransferType type, const char *path, Error *reterr) {
        struct stat st;
        const bool standard = streq(path, "-");
        if (standard && isatty(STDIN_FILENO)) {
                int r = error_set(reterr, -EINVAL, ERROR_USAGE,
                                  "Standard input is a terminal, not an image");
                error_hint(reterr, "give it a file, or a pipe: … | berth %s - NAME",
                           transfer_type_to_string(type));
                return r;
        }
        int fd = standard ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                          : open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
        if (fd < 0)
                return error_set_errno(reterr, -errno, ERROR_FAILED, "Opening '%s' failed", path);
        if (fstat(fd, &st) < 0 || S_ISDIR(st.st_mode)) {
                fd_close(fd);
                int r = error_set(reterr, -EISDIR, ERROR_USAGE, "'%s' is a directory", path);
                error_hint(reterr, "directories are imported with 'berth import-fs'");
                return r;
        }
        return fd;
}

static int import(const Invocation *v, TransferType type, Error *reterr) {
        const char *from = v->arguments[0];
        _cleanup_free_ char *name = NULL, *text = NULL;
        size_t size;
        int r = check_caller(v, reterr);
        if (r >= 0)
                r = choose_name(v, type, from, &name, reterr);
        if (r < 0)
                return r;
        _cleanup_close_ int fd = open_input(type, from, reterr);
        if (fd < 0)
                return fd;
        const TransferRequest q = { .type = type,
                                    .name = name,
                                    .remote = streq(from, "-") ? NULL : from,
                                    .replace = v->options.force,
                                    .read_only = v->options.read_only,
                                    .size_max = v->options.max_size };
        r = transfer(v, &q, fd, fd, &text, &size, reterr);
        return r < 0 ? r : report(v, &q, NULL, text, size, reterr);
}

int verb_import_tar(const Invocation *v, Error *reterr) {
        return import(v, TRANSFER_IMPORT_TAR, reterr);
}

int verb_import_raw(const Invocation *v, Error *reterr) {
        return import(v, TRANSFER_IMPORT_RAW, reterr);
}

int verb_import_fs(const Invocation *v, Error *reterr) {
        _cleanup_free_ char *path = NULL, *name = NULL, *text = NULL;
        size_t size;
        int r = check_caller(v, reterr);
        if (r < 0)
                return r;
        path = realpath(v->arguments[0], NULL);
        if (!path)
                return error_set_errno(reterr, -errno, ERROR_ROOT_NOT_FOUND, "Opening '%s' failed",
                                       v->arguments[0]);
        r = choose_name(v, TRANSFER_IMPORT_FS, path, &name, reterr);
        if (r < 0)
                return r;
        const TransferRequest q = { .type = TRANSFER_IMPORT_FS,
                                    .name = name,
                                    .remote = path,
                                    .replace = v->options.force,
                                    .read_only = v->options.read_only,
                                    .size_max = v->options.max_size };
        r = transfer(v, &q, -EBADF, -EBADF, &text, &size, reterr);
        return r < 0 ? r : report(v, &q, NULL, text, size, reterr);
}

/* ---- download ---- */

static int pull(const Invocation *v, TransferType type, Error *reterr) {
        const char *url = v->arguments[0];
        const VerbOptions *o = &v->options;
        _cleanup_free_ char *name = NULL, *text = NULL;
        size_t size;
        int r = verb_refuse_remote(v, "the image comes to this one", reterr);
        if (r >= 0 && !url_is_valid(url)) {
                r = error_set(reterr, -EINVAL, ERROR_USAGE, "'%s' is no http or https URL", url);
                error_hint(reterr, "files are imported with 'berth import-%s'",
                           type == TRANSFER_PULL_RAW ? "raw" : "tar");
        }
        if (r >= 0)
                r = check_caller(v, reterr);
        if (r >= 0)
                r = choose_name(v, type, url, &name, reterr);
        if (r < 0)
                return r;
        const TransferVerify verify =
                o->verify ? transfer_verify_from_string(o->verify) : TRANSFER_VERIFY_SIGNATURE;
        const TransferRequest q = {
                .type = type,
                .name = name,
                .remote = url,
                .replace = o->force,
                .read_only = o->read_only,
                .size_max = o->max_size,
                .verify = verify < 0 ? TRANSFER_VERIFY_CHECKSUM : verify,
                .checksum = o->sha256    ? o->sha256
                            : verify < 0 ? o->verify
                                         : NULL,
        };
        r = transfer(v, &q, -EBADF, -EBADF, &text, &size, reterr);
        return r < 0 ? r : report(v, &q, NULL, text, size, reterr);
}

int verb_pull_tar(const Invocation *v, Error *reterr) {
        return pull(v, TRANSFER_PULL_TAR, reterr);
}

int verb_pull_raw(const Invocation *v, Error *reterr) {
        return pull(v, TRANSFER_PULL_RAW, reterr);
}

/* ---- export ---- */

/* A file that gets its name when it is complete. */
typedef struct Output {
        const char *path; /* NULL: standard output */
        char *temporary;
        int fd;
} Output;

static void output_done(Output *o) {
        if (o->temporary)
                (void) unlink(o->temporary); /* it is of no use, and may be gone */
        free(o->temporary);
        fd_close(o->fd);
}

static int output_open(const char *path, Output *ret, Error *reterr) {
        _cleanup_(output_done) Output o = { .fd = -EBADF };
        struct stat st;
        if (!path || streq(path, "-")) {
                if (isatty(STDOUT_FILENO)) {
                        int r = error_set(reterr, -EINVAL, ERROR_USAGE,
                                          "An image does not go to a terminal");
                        error_hint(reterr, "name a file, or use a pipe");
                        return r;
                }
                o.fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
        } else if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) /* a device, a pipe */
                o.fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
        else {
                _cleanup_free_ char *directory = NULL;
                if (path_extract_directory(path, &directory) < 0)
                        return error_oom(reterr);
                o.path = path;
                o.temporary = strf("%s/.#%s.XXXXXX", directory, path_last_component(path));
                if (!o.temporary)
                        return error_oom(reterr);
                o.fd = mkostemp(o.temporary, O_CLOEXEC);
        }
        if (o.fd < 0)
                return error_set_errno(reterr, -errno, ERROR_FAILED, "Opening '%s' failed",
                                       path ?: "-");
        *ret = o;
        o = (Output){ .fd = -EBADF };
        return 0;
}

static int output_finish(Output *o, Error *reterr) {
        const mode_t mask = umask(0);
        (void) umask(mask); /* these cannot fail */
        if (!o->path)       /* a disk may fail late; a pipe has nothing that is late */
                return fsync(o->fd) < 0 && !IN_SET(errno, EINVAL, EROFS)
                               ? error_set_errno(reterr, -errno, ERROR_FAILED,
                                                 "Writing the output failed")
                               : 0;
        if (fchmod(o->fd, 0666 & ~mask) < 0 || fsync(o->fd) < 0 ||
            rename(o->temporary, o->path) < 0)
                return error_set_errno(reterr, -errno, ERROR_FAILED, "Writing '%s' failed",
                                       o->path);
        o->temporary = mfree(o->temporary);
        return 0;
}

static int export_image(const Invocation *v, TransferType type, Error *reterr) {
        const char *path = v->arguments[1];
        _cleanup_(output_done) Output o = { .fd = -EBADF };
        _cleanup_free_ char *text = NULL;
        size_t size;
        TransferRequest q = { .type = type,
                              .name = v->arguments[0],
                              .remote = path && !streq(path, "-") ? path : NULL,
                              .format = v->options.format };
        int r = check_caller(v, reterr);
        if (r >= 0)
                r = output_open(path, &o, reterr);
        if (r < 0)
                return r;
        if (q.format < 0)
                q.format = path ? transfer_format_of_file(path) : TRANSFER_UNCOMPRESSED;
        r = transfer(v, &q, o.fd, -EBADF, &text, &size, reterr);
        if (r >= 0)
                r = output_finish(&o, reterr);
        return r < 0 ? r : report(v, &q, path ?: "-", text, size, reterr);
}

int verb_export_tar(const Invocation *v, Error *reterr) {
        return export_image(v, TRANSFER_EXPORT_TAR, reterr);
}

int verb_export_raw(const Invocation *v, Error *reterr) {
        static const char *const others[] = { ".qcow2", ".vmdk", ".vdi", ".vhdx", ".vhd" };
        const char *path = strempty(v->arguments[1]);
        for (size_t i = 0; i < ELEMENTSOF(others); i++) {
                if (!endswith(path, others[i]) || v->options.format >= 0)
                        continue;
                int r = error_set(reterr, -EINVAL, ERROR_USAGE,
                                  "'%s' would not be what its name says: disk images are exported "
                                  "as they are, or compressed",
                                  path);
                error_hint(reterr, "name it .raw, and convert it with 'qemu-img convert'");
                return r;
        }
        return export_image(v, TRANSFER_EXPORT_RAW, reterr);
}
