/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading what an image's dm-verity takes: files of the admin's, beside the image or named in settings. */
#include "image/disk-verity.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "image/disk-signature.h"

void disk_verity_done(DiskVerity *v) {
        free(v->signature);
        free(v->hashes);
        v->hashes_fd = fd_close(v->hashes_fd);
        *v = (DiskVerity) DISK_VERITY_NULL;
}

/* A regular file, or a block device where that is of use. */
static int open_file(const char *path, bool device) {
        struct stat st;
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) && !(device && S_ISBLK(st.st_mode)))
                return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
        return TAKE_FD(fd);
}

/* 1: read; 0: there is none, and there need not be one. */
static int read_file(const char *what, const char *path, bool required, size_t limit, char **ret,
                     size_t *ret_size, Error *reterr) {
        _cleanup_close_ int fd = open_file(path, /* device= */ false);
        if (fd == -ENOENT && !required)
                return 0;
        int r = fd < 0 ? fd : fd_read_all(fd, limit, ret, ret_size);
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED, "Reading the %s '%s' failed", what,
                                       path)
                     : 1;
}

static int take_hash(const char *text, const char *where, DiskVerity *v, Error *reterr) {
        int r = disk_hash_parse(text, v->root_hash, &v->root_hash_size);
        if (r >= 0)
                return 1;
        r = error_set(reterr, r, ERROR_INVALID_SETTING, "'%s' holds no root hash", where);
        error_hint(reterr, "it has %u to %u hexadecimal digits: see veritysetup(8)",
                   2 * DISK_HASH_MIN, 2 * DISK_HASH_MAX);
        return r;
}

/* 1: there is one. */
static int find_hash(const char *base, DiskVerity *v, Error *reterr) {
        static const struct {
                const char *suffix;
                DiskPlace place;
        } files[] = { { ".roothash", DISK_ROOT }, { ".usrhash", DISK_USR } };

        for (size_t i = 0; i < ELEMENTSOF(files); i++) {
                _cleanup_free_ char *path = strjoin(base, files[i].suffix), *text = NULL;
                if (!path)
                        return error_oom(reterr);
                int r = read_file("root hash", path, /* required= */ false, 4096, &text, NULL,
                                  reterr);
                if (r < 0)
                        return r;
                if (r > 0) {
                        v->place = files[i].place;
                        return take_hash(strstrip(text), path, v, reterr);
                }
        }
        return 0;
}

static int find_signature(const char *base, const DiskSettings *s, DiskVerity *v, Error *reterr) {
        _cleanup_free_ char *beside =
                strjoin(base, v->place == DISK_USR ? ".usrhash" : ".roothash", ".p7s");
        if (!beside)
                return error_oom(reterr);
        v->must_be_signed = s->root_hash_signature;
        int r = read_file("signature of the root hash", s->root_hash_signature ?: beside,
                          v->must_be_signed, DISK_SIGNATURE_MAX, &v->signature, &v->signature_size,
                          reterr);
        return r;
}

static int find_hashes(const char *base, const DiskSettings *s, DiskVerity *v, Error *reterr) {
        _cleanup_free_ char *path =
                s->verity_data ? strdup(s->verity_data) : strjoin(base, ".verity");
        if (!path)
                return error_oom(reterr);
        v->hashes_fd = open_file(path, /* device= */ true);
        if (v->hashes_fd == -ENOENT && !s->verity_data)
                return 0;
        if (v->hashes_fd < 0)
                return error_set_errno(reterr, v->hashes_fd, ERROR_FAILED,
                                       "Opening the hash tree '%s' failed", path);
        v->hashes = TAKE_PTR(path);
        return 1;
}

int disk_verity_read(const char *image, const DiskSettings *settings, DiskVerity *ret,
                     Error *reterr) {
        _cleanup_(disk_verity_done) DiskVerity v = DISK_VERITY_NULL;
        const char *suffix = endswith(image, ".raw");
        _cleanup_free_ char *base =
                strndup(image, suffix ? (size_t) (suffix - image) : strlen(image));

        if (!base)
                return error_oom(reterr);
        int r = settings->root_hash
                        ? take_hash(settings->root_hash, settings->root_hash, &v, reterr)
                        : find_hash(base, &v, reterr);
        if (r == 0 && (settings->root_hash_signature || settings->verity_data))
                r = error_set(reterr, -EINVAL, ERROR_CONFLICT,
                              "Image '%s' has no root hash that '%s' could be for", image,
                              settings->root_hash_signature ?: settings->verity_data);
        if (r > 0) {
                r = find_signature(base, settings, &v, reterr);
                if (r >= 0)
                        r = find_hashes(base, settings, &v, reterr);
        }
        if (r < 0)
                return r;
        *ret = v;
        v = (DiskVerity) DISK_VERITY_NULL;
        return 0;
}
