/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a process that downloads sees of the host: a few files, copied before it is in its sandbox. */
#include "transfer/http-root.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "basic/fd.h"
#include "basic/format.h"
#include "basic/str.h"
#include "sys/mount-api.h"

#define CONFIG_FILE_MAX (8U << 20) /* there are lists of hosts to be avoided of some MiB */
#define CERTIFICATES_MAX (16U << 20)
#define ROOT_SIZE "50m" /* all that may be in it */

static int put_file(int root_fd, const char *name, const char *text, size_t size) {
        _cleanup_close_ int fd =
                openat(root_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
        return fd < 0 ? -errno : fd_write_full(fd, text, size);
}

/* 1; 0: it is not there. */
static int copy_file(int root_fd, const char *path, const char *name, size_t limit, Error *reterr) {
        _cleanup_free_ char *text = NULL, *shown = format_bytes(limit);
        size_t size;
        int r = file_read_all(AT_FDCWD, path, limit, &text, &size);
        if (r == -ENOENT)
                return 0;
        if (r == -E2BIG)
                return error_set(reterr, r, ERROR_LIMIT_EXCEEDED,
                                 "Preparing a download failed: '%s' is larger than %s", path,
                                 strempty(shown));
        if (r >= 0)
                r = put_file(root_fd, name, text, size);
        return r < 0 ? error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                                       "Preparing a download failed: copying '%s' failed", path)
                     : 1;
}

/* As curl(1) has them from the environment: what is named there is meant, and nothing is trusted instead. Else where distributions have them. */
static int copy_certificates(int root_fd, Error *reterr) {
        static const char *const variables[] = { "CURL_CA_BUNDLE", "SSL_CERT_FILE" };
        static const char *const places[] = { "/etc/ssl/certs/ca-certificates.crt",
                                              "/etc/pki/tls/certs/ca-bundle.crt",
                                              "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem" };
        int r = 0;
        for (size_t i = 0; i < ELEMENTSOF(variables); i++) {
                const char *path = secure_getenv(variables[i]);
                if (isempty(path))
                        continue;
                r = copy_file(root_fd, path, HTTP_CERTIFICATES, CERTIFICATES_MAX, reterr);
                if (r != 0)
                        return r;
                r = error_set(reterr, -ENOENT, ERROR_SETUP_FAILED,
                              "Preparing a download failed: '%s', the file of certificates that "
                              "$%s names, does not exist",
                              path, variables[i]);
                error_hint(reterr, "correct the variable in the environment, or remove it: then "
                                   "the certificates of the host are used");
                return r;
        }
        for (size_t i = 0; i < ELEMENTSOF(places) && r == 0; i++)
                r = copy_file(root_fd, places[i], HTTP_CERTIFICATES, CERTIFICATES_MAX, reterr);
        return r;
}

int http_make_root(int *ret, Error *reterr) {
        static const char *const files[] = { "etc/resolv.conf", "etc/hosts", "etc/host.conf",
                                             "etc/gai.conf" };
        const MountOption options[] = { { "mode", "0555" }, { "size", ROOT_SIZE }, { 0 } };
        _cleanup_close_ int fd = mount_new(
                "tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, NULL);
        int r = fd < 0 ? fd : mkdirat(fd, "etc", 0555) < 0 ? -errno : 0;
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                                       "Preparing a download failed");
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(files); i++) {
                _cleanup_free_ char *path = strjoin("/", files[i]);
                r = path ? copy_file(fd, path, files[i], CONFIG_FILE_MAX, reterr)
                         : error_oom(reterr);
        }
        if (r >= 0)
                r = copy_certificates(fd, reterr);
        if (r >= 0)
                *ret = TAKE_FD(fd);
        return r;
}
