/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests for transfers, and their processes.
 *
 * Calls: socketpair, clone3, in the child dup2 of all that it gets, close_range(CLOEXEC), execve. */
#include "ipc/transfer.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <stdlib.h>

#include "basic/fd.h"
#include "basic/parse.h"
#include "basic/path.h"
#include "basic/strv.h"
#include "ipc/spawner.h"
#include "ipc/worker.h"
#include "sys/socket.h"
#include "sys/syscalls.h"

static const char *const transfer_type_table[_TRANSFER_TYPE_MAX] = {
        [TRANSFER_IMPORT_TAR] = "import-tar", [TRANSFER_IMPORT_RAW] = "import-raw",
        [TRANSFER_IMPORT_FS] = "import-fs",   [TRANSFER_EXPORT_TAR] = "export-tar",
        [TRANSFER_EXPORT_RAW] = "export-raw", [TRANSFER_PULL_TAR] = "pull-tar",
        [TRANSFER_PULL_RAW] = "pull-raw",
};
DEFINE_STRING_TABLE_LOOKUP(transfer_type, TransferType);

static const char *const transfer_format_table[_TRANSFER_FORMAT_MAX] = {
        [TRANSFER_UNCOMPRESSED] = "uncompressed",
        [TRANSFER_GZIP] = "gzip",
        [TRANSFER_BZIP2] = "bzip2",
        [TRANSFER_XZ] = "xz",
        [TRANSFER_ZSTD] = "zstd",
};
DEFINE_STRING_TABLE_LOOKUP(transfer_format, TransferFormat);

static const char *const transfer_verify_table[_TRANSFER_VERIFY_MAX] = {
        [TRANSFER_VERIFY_SIGNATURE] = "signature",
        [TRANSFER_VERIFY_CHECKSUM] = "checksum",
        [TRANSFER_VERIFY_NO] = "no",
};
DEFINE_STRING_TABLE_LOOKUP(transfer_verify, TransferVerify);

bool transfer_is_export(TransferType t) {
        return IN_SET(t, TRANSFER_EXPORT_TAR, TRANSFER_EXPORT_RAW);
}

bool transfer_is_pull(TransferType t) {
        return IN_SET(t, TRANSFER_PULL_TAR, TRANSFER_PULL_RAW);
}

/* ---- names ---- */

static const struct Ending {
        const char *text;
        TransferFormat format;
} endings[] = {
        { ".gz", TRANSFER_GZIP },
        { ".bz2", TRANSFER_BZIP2 },
        { ".xz", TRANSFER_XZ },
        { ".zst", TRANSFER_ZSTD },
        { ".zstd", TRANSFER_ZSTD },
        { ".tgz", TRANSFER_GZIP },
        { ".tbz2", TRANSFER_BZIP2 },
        { ".txz", TRANSFER_XZ },
        { ".tzst", TRANSFER_ZSTD },
        { ".tar", TRANSFER_UNCOMPRESSED },
        { ".raw", TRANSFER_UNCOMPRESSED },
        { ".img", TRANSFER_UNCOMPRESSED },
        { ".qcow2", TRANSFER_UNCOMPRESSED },
        { ".vmdk", TRANSFER_UNCOMPRESSED },
        { ".vdi", TRANSFER_UNCOMPRESSED },
        { ".vhdx", TRANSFER_UNCOMPRESSED },
        { ".vhd", TRANSFER_UNCOMPRESSED },
};

TransferFormat transfer_format_of_file(const char *path) {
        for (size_t i = 0; i < ELEMENTSOF(endings); i++)
                if (endswith(path, endings[i].text))
                        return endings[i].format;
        return TRANSFER_UNCOMPRESSED;
}

int transfer_name_of(const char *path, char **ret) {
        const char *colon = strstr(path, "://");
        _cleanup_free_ char *plain = strndup(path, colon ? strcspn(path, "?#") : strlen(path));
        if (!plain)
                return -ENOMEM;
        size_t n = strlen(plain);
        while (n > 0 && plain[n - 1] == '/')
                plain[--n] = '\0';
        _cleanup_free_ char *name = strdup(path_last_component(plain));
        if (!name)
                return -ENOMEM;
        /* ".tar" and what it was compressed with */
        for (size_t i = 0; i < 2 * ELEMENTSOF(endings); i++) {
                char *end = (char *) endswith(name, endings[i % ELEMENTSOF(endings)].text);
                if (end)
                        *end = '\0';
        }
        if (isempty(name))
                return -EINVAL;
        *ret = TAKE_PTR(name);
        return 0;
}

/* ---- the request ---- */

static int parse_word(const char *word, TransferRequest *q) {
        const char *value = strchr(word, '=');
        if (!value)
                return -EINVAL;
        value++;
        if (startswith(word, "TYPE="))
                return (int) (q->type = transfer_type_from_string(value));
        if (startswith(word, "FORMAT="))
                return (int) (q->format = transfer_format_from_string(value));
        if (startswith(word, "VERIFY="))
                return (int) (q->verify = transfer_verify_from_string(value));
        if (startswith(word, "NAME="))
                q->name = value;
        else if (startswith(word, "REMOTE="))
                q->remote = value;
        else if (startswith(word, "SHA256="))
                q->checksum = value;
        else if (startswith(word, "REPLACE="))
                q->replace = streq(value, "yes");
        else if (startswith(word, "READ_ONLY="))
                q->read_only = streq(value, "yes");
        else if (startswith(word, "SIZE_MAX="))
                return parse_u64(value, &q->size_max);
        else
                return -EINVAL;
        return 0;
}

int transfer_request_parse(char *const *words, TransferRequest *ret, Error *reterr) {
        TransferRequest q = { .type = _TRANSFER_TYPE_INVALID, .size_max = UINT64_MAX };
        STRV_FOREACH(w, words)
                if (parse_word(*w, &q) < 0)
                        return error_set(reterr, -EINVAL, ERROR_PROTOCOL,
                                         "'%s' in the request cannot be understood", *w);
        if (q.type < 0 || !q.name)
                return error_set(reterr, -EINVAL, ERROR_PROTOCOL, "The request is not complete");
        *ret = q;
        return 0;
}

static int request_to_words(const TransferRequest *q, char ***ret) {
        _cleanup_strv_free_ char **l = strv_new("berth-transfer");
        if (!l || strv_extendf(&l, "TYPE=%s", transfer_type_to_string(q->type)) < 0 ||
            strv_extendf(&l, "NAME=%s", q->name) < 0 ||
            (q->remote && strv_extendf(&l, "REMOTE=%s", q->remote) < 0) ||
            (q->checksum && strv_extendf(&l, "SHA256=%s", q->checksum) < 0) ||
            (q->replace && strv_extend(&l, "REPLACE=yes") < 0) ||
            (q->read_only && strv_extend(&l, "READ_ONLY=yes") < 0) ||
            strv_extendf(&l, "SIZE_MAX=%" PRIu64, q->size_max) < 0 ||
            strv_extendf(&l, "FORMAT=%s", transfer_format_to_string(q->format)) < 0 ||
            strv_extendf(&l, "VERIFY=%s", transfer_verify_to_string(q->verify)) < 0)
                return -ENOMEM;
        *ret = TAKE_PTR(l);
        return 0;
}

int transfer_request_new(const TransferRequest *q, int *ret_fd, Error *reterr) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        _cleanup_strv_free_ char **words = NULL;
        if (request_to_words(q, &words) < 0)
                return error_oom(reterr);
        STRV_FOREACH(w, words + 1) /* all but the program's name */
                strbuf_add_bytes(&b, *w, strlen(*w) + 1);
        if (b.failed)
                return error_oom(reterr);
        if (b.size > TRANSFER_REQUEST_MAX)
                return error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED,
                                 "The request is larger than %u bytes", TRANSFER_REQUEST_MAX);
        const int fd = memfd_new_sealed("berth-transfer", b.text, b.size);
        if (fd < 0)
                return error_set_errno(reterr, fd, ERROR_SETUP_FAILED,
                                       "Writing the request failed");
        *ret_fd = fd;
        return 0;
}

int transfer_request_read(int fd, char ***ret_words) {
        _cleanup_strv_free_ char **words = strv_new(NULL);
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r = words ? fd_read_all(fd, TRANSFER_REQUEST_MAX, &text, &size) : -ENOMEM;
        if (r < 0)
                return r == -ENOMEM ? r : -EBADMSG;
        for (const char *p = text; p < text + size; p += strlen(p) + 1)
                if (strv_extend(&words, p) < 0)
                        return -ENOMEM;
        *ret_words = TAKE_PTR(words);
        return 0;
}

/* ---- the answer ---- */

const char *transfer_answer_get(const char *text, size_t size, const char *key) {
        for (const char *p = text; p && p < text + size; p += strlen(p) + 1) {
                const char *value = startswith(p, key);
                if (value && value[0] == '=')
                        return value + 1;
        }
        return "";
}

uint64_t transfer_answer_number(const char *text, size_t size, const char *key) {
        uint64_t n = 0;
        return sscanf(transfer_answer_get(text, size, key), "%" SCNu64, &n) == 1 ? n : 0;
}

/* ---- the process ---- */

/* fds: of 0 to TRANSFER_PROGRESS_FD; -EBADF: closed. */
static int arrange(int fds[static TRANSFER_PROGRESS_FD + 1]) {
        for (int i = 0; i <= TRANSFER_PROGRESS_FD; i++)
                if (fds[i] >= 0) {
                        fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, TRANSFER_PROGRESS_FD + 1);
                        if (fds[i] < 0)
                                return -errno;
                }
        for (int i = 0; i <= TRANSFER_PROGRESS_FD; i++)
                if (fds[i] >= 0 ? dup2(fds[i], i) < 0 : (close(i) < 0 && errno != EBADF))
                        return -errno;
        return sys_close_range(TRANSFER_PROGRESS_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC) < 0 ? -errno : 0;
}

static _noreturn_ void spawn_child(int fds[static TRANSFER_PROGRESS_FD + 1], char **words) {
        _cleanup_error_ Error e = ERROR_NULL;
        const char *path = transfer_path();
        sigset_t none;
        (void) sigemptyset(&none); /* none of these can fail */
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        int report_fd = fcntl(fds[TRANSFER_LINK_FD], F_DUPFD_CLOEXEC, TRANSFER_PROGRESS_FD + 1);
        int r = arrange(fds);
        if (r >= 0) {
                execv(path, words);
                r = -errno;
        }
        (void) error_set_errno(&e, r, ERROR_SETUP_FAILED, "Executing '%s' failed", path);
        error_hint(&e, "reinstall berth, or set $BERTH_TRANSFER to the program's path");
        (void) worker_answer_error(report_fd, &e); /* no answer is one, too */
        _exit(125);
}

int transfer_spawn(const TransferRequest *q, int stream_fd, int progress_fd, PidRef *ret,
                   int *ret_link_fd, Error *reterr) {
        static const char failed[] = "Starting a transfer failed";
        _cleanup_close_pair_ int link[2] = PAIR_EBADF;
        _cleanup_strv_free_ char **words = NULL;
        _cleanup_close_ int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        int r = null_fd < 0 ? -errno : socket_pair_seqpacket(link);
        if (r >= 0)
                r = fd_nonblock(link[0], true);
        if (r >= 0)
                r = request_to_words(q, &words);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED, "%s", failed);
        int fds[TRANSFER_PROGRESS_FD + 1] = { null_fd, null_fd, STDERR_FILENO, link[1],
                                              progress_fd };
        if (stream_fd >= 0)
                fds[transfer_is_export(q->type) ? STDOUT_FILENO : STDIN_FILENO] = stream_fd;
        PidRef process = PIDREF_NULL;
        struct clone_args args = {
                .flags = CLONE_PIDFD,
                .pidfd = (uint64_t) (uintptr_t) &process.fd,
                .exit_signal = SIGCHLD,
        };
        process.pid = sys_clone3(&args);
        if (process.pid < 0)
                return error_set_errno(reterr, -errno, ERROR_SETUP_FAILED, "%s", failed);
        if (process.pid == 0)
                spawn_child(fds, words);
        *ret = process;
        *ret_link_fd = TAKE_FD(link[0]);
        return 0;
}
