/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* berth-transfer: reads its request, does it, answers. */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/strv.h"
#include "ipc/worker.h"
#include "sys/syscalls.h"
#include "transfer/transfer.h"

static const TransferRun runs[_TRANSFER_TYPE_MAX] = {
        [TRANSFER_IMPORT_TAR] = transfer_import_tar, [TRANSFER_IMPORT_RAW] = transfer_import_raw,
        [TRANSFER_IMPORT_FS] = transfer_import_fs,   [TRANSFER_EXPORT_TAR] = transfer_export_tar,
        [TRANSFER_EXPORT_RAW] = transfer_export_raw, [TRANSFER_PULL_TAR] = transfer_pull_tar,
        [TRANSFER_PULL_RAW] = transfer_pull_raw,
};

void answer_add(StrBuf *answer, const char *key, const char *value) {
        strbuf_addf(answer, "%s=%s", key, value);
        strbuf_add_bytes(answer, "", 1);
}

void answer_add_number(StrBuf *answer, const char *key, uint64_t value) {
        strbuf_addf(answer, "%s=%" PRIu64, key, value);
        strbuf_add_bytes(answer, "", 1);
}

/* What ends a transfer is heard when it can be given up. */
static int take_signals(Transfer *t, Error *reterr) {
        sigset_t set;
        (void) sigemptyset(&set); /* these cannot fail */
        (void) sigaddset(&set, SIGINT);
        (void) sigaddset(&set, SIGTERM);
        (void) sigaddset(&set, SIGHUP);
        (void) sigaddset(&set, SIGQUIT);
        (void) sigprocmask(SIG_BLOCK, &set, NULL);
        (void) signal(SIGPIPE, SIG_IGN);
        t->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
        return t->signal_fd < 0 ? error_set_errno(reterr, -errno, ERROR_SETUP_FAILED,
                                                  "Preparing for signals failed")
                                : 0;
}

/* Of berthd the request is in a memfd, and nothing is to begin before we are where we shall be. */
static int take_request(char ***ret, Error *reterr) {
        char c;
        int r = transfer_request_read(TRANSFER_REQUEST_FD, ret);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_PROTOCOL, "The request cannot be read");
        while (read(TRANSFER_HOLD_FD, &c, 1) < 0 && errno == EINTR)
                ;
        (void) close(TRANSFER_REQUEST_FD);
        (void) close(TRANSFER_HOLD_FD);
        return 0;
}

static int tick(void *userdata, uint64_t files, uint64_t bytes) {
        return 0;
}

static int run(Transfer *t, char **words, Error *reterr) {
        _cleanup_(strbuf_done) StrBuf answer = { 0 };
        _cleanup_error_ Error ignored = ERROR_NULL;
        int r = transfer_request_parse(words, &t->request, reterr);
        if (r >= 0)
                r = take_signals(t, reterr);
        if (r >= 0 && !runs[t->request.type])
                r = error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED, "'%s' is not supported yet",
                              transfer_type_to_string(t->request.type));
        if (r < 0)
                return r;
        if (!transfer_is_export(t->request.type)) /* room, for what is new */
                (void) image_reclaim(&t->pool, &ignored);
        answer_add(&answer, "NAME", t->request.name);
        r = runs[t->request.type](t, &answer, reterr);
        if (r >= 0 && answer.failed)
                r = error_oom(reterr);
        return r < 0 ? r : worker_answer(TRANSFER_LINK_FD, answer.text, answer.size, NULL, 0);
}

int main(int argc, char **argv) {
        Transfer t = { .signal_fd = -EBADF, .progress_fd = TRANSFER_PROGRESS_FD };
        _cleanup_error_ Error e = ERROR_NULL;
        const char *pool = secure_getenv("BERTH_POOL");

        log_open("berth-transfer");
        const bool of_berthd = argc == 1 && fcntl(TRANSFER_REQUEST_FD, F_GETFD) >= 0 &&
                               fcntl(TRANSFER_HOLD_FD, F_GETFD) >= 0;
        if ((argc < 2 && !of_berthd) || fcntl(TRANSFER_LINK_FD, F_GETFD) < 0) {
                if (argc == 2 && streq(argv[1], "--version"))
                        return puts("berth-transfer " BERTH_VERSION) < 0 ? EXIT_FAILURE
                                                                         : EXIT_SUCCESS;
                (void) fputs(
                        "berth-transfer: Started by berth or berthd, for a transfer of an image; "
                        "see berth-transfer(8)\n",
                        stderr);
                return 2;
        }
        (void) prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* cannot fail */
        (void) fd_cloexec(TRANSFER_LINK_FD, true);
        if (fcntl(TRANSFER_PROGRESS_FD, F_GETFD) < 0)
                t.progress_fd = -EBADF;
        else
                (void) fd_cloexec(TRANSFER_PROGRESS_FD, true);
        (void) sys_close_range((unsigned) (of_berthd ? TRANSFER_HOLD_FD : TRANSFER_PROGRESS_FD) + 1,
                               ~0U, 0); /* there should be none */
        (void) umask(0022);
        t.pool.tick = tick;
        if (!isempty(pool)) {
                t.places[0] = (char *) pool;
                t.pool.places = t.places;
                t.pool.path = pool;
        }

        _cleanup_strv_free_ char **words = NULL;
        int r = of_berthd ? take_request(&words, &e) : 0;
        if (r >= 0)
                r = run(&t, words ?: argv + 1, &e);
        if (r < 0)
                (void) worker_answer_error(TRANSFER_LINK_FD, &e); /* no answer is one, too */
        fd_close(t.signal_fd);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
