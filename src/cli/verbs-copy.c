/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs that copy: copy-to and copy-from. */
#include <fcntl.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "bus/bus.h"
#include "bus/manager1-operation.h"
#include "cli/progress.h"
#include "cli/verbs.h"
#include "ipc/worker.h"

/* ---- copies ---- */

/* The manager does not know where we are. */
static int absolute_path(const char *path, char **ret, Error *reterr) {
        _cleanup_free_ char *cwd = NULL;
        if (path_is_absolute(path))
                *ret = strdup(path);
        else {
                cwd = getcwd(NULL, 0);
                if (!cwd)
                        return error_set_errno(reterr, -errno, ERROR_FAILED,
                                               "The working directory is not known");
                *ret = path_join(cwd, path);
        }
        return *ret ? 0 : error_oom(reterr);
}

/* "-": a tar archive on standard input or output. */
static int take_archive(bool to_container, int *ret, Error *reterr) {
        const int fd = to_container ? STDIN_FILENO : STDOUT_FILENO;
        if (isatty(fd)) {
                int r = error_set(reterr, -EINVAL, ERROR_USAGE,
                                  "There is no archive on a terminal");
                error_hint(reterr, to_container
                                           ? "tar c DIRECTORY | berth copy-to NAME - DESTINATION"
                                           : "berth copy-from NAME SOURCE - | tar x");
                return r;
        }
        *ret = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return *ret < 0
                       ? error_set_errno(reterr, -errno, ERROR_FAILED, "Passing the archive failed")
                       : 0;
}

static int copy(const Invocation *v, bool to_container, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        _cleanup_free_ char *path = NULL;
        const char *source = v->arguments[1], *destination = v->arguments[2],
                   *host = to_container ? source : destination;
        CopyCall call = { .to_container = to_container,
                          .name = v->arguments[0],
                          .source = source,
                          .destination = destination,
                          .flags = v->options.force ? OPERATION_REPLACE : 0,
                          .archive_fd = -EBADF,
                          .progress_fd = -EBADF };
        const bool archive = host && streq(host, "-");
        if (archive && !destination)
                return error_set(reterr, -EINVAL, ERROR_USAGE,
                                 "Where the archive's files go in the container is not said");
        int r = verb_refuse_remote(v, "files of both systems would be mixed up", reterr);
        if (r < 0)
                return r;
        r = archive         ? take_archive(to_container, &call.archive_fd, reterr)
            : isempty(host) ? 0
                            : absolute_path(host, &path, reterr);
        if (to_container)
                call.source = path;
        else
                call.destination = path;
        if (r >= 0)
                r = verb_connect(v, &bus, reterr);
        if (r < 0) {
                fd_close(call.archive_fd);
                return r;
        }
        PidRef progress = PIDREF_NULL;
        progress_start(v->options.quiet, &progress, &call.progress_fd);
        r = manager1_copy(bus, &call, reterr);
        progress_end(&progress);
        return r;
}

int verb_copy_to(const Invocation *v, Error *reterr) {
        return copy(v, /* to_container= */ true, reterr);
}

int verb_copy_from(const Invocation *v, Error *reterr) {
        return copy(v, /* to_container= */ false, reterr);
}
