/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening what is encrypted on a disk.
 *
 * Calls: for each partition a loop device, which the device of the device-mapper holds; that one is opened, told to go with its last user, and
 * looked at in the sandbox like a disk of its own. */
#include "image/disk-unlock.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/log.h"
#include "basic/str.h"
#include "image/disk-mount.h"
#include "image/disk-probe.h"
#include "sys/loop.h"

DiskUnlocked *disk_unlocked_free(DiskUnlocked *u) {
        if (!u)
                return NULL;
        for (DiskPlace place = 0; place < _DISK_PLACE_MAX; place++) {
                crypt_close(u->places[place].crypt);
                fd_close(u->places[place].fd);
        }
        free(u);
        return NULL;
}

/* ---- the key ---- */

static int read_key_file(const char *path, Secret *ret, Error *reterr) {
        struct stat st;
        int r;

        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0 || fstat(fd, &st) < 0)
                return error_set_errno(reterr, -errno, ERROR_FAILED,
                                       "Opening the key file '%s' failed", path);
        if (!S_ISREG(st.st_mode))
                return error_set(reterr, -EINVAL, ERROR_FAILED, "Key file '%s' is not a file",
                                 path);
        if (st.st_mode & 0077)
                log_warning("Key file '%s' is not for root alone: see 'chmod go= %s'", path, path);
        r = secret_read(fd, ret);
        if (r == -E2BIG)
                return error_set(reterr, r, ERROR_LIMIT_EXCEEDED,
                                 "Key file '%s' is larger than %u bytes", path, SECRET_MAX);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_FAILED, "Reading the key file '%s' failed",
                                       path);
        return ret->size == 0
                       ? error_set(reterr, -ENODATA, ERROR_FAILED, "Key file '%s' is empty", path)
                       : 0;
}

/* ---- a partition ---- */

static int open_device(const char *name, int fd, const DiskFacts *facts, const DiskMount *m,
                       const Secret *key, bool read_only, Crypt *crypt, Error *reterr) {
        _cleanup_(loop_device_done) LoopDevice loop = LOOP_DEVICE_NULL;
        const DiskPartition *p = m->partition;
        int r = loop_device_make(fd, p->offset, p->size, facts->sector_size, read_only, &loop);
        if (r < 0)
                return disk_loop_error(name, r, reterr);
        return crypt_open_luks(crypt, loop.path, key, read_only, m->with_integrity, reterr);
}

/* 1: the key does not open it. */
static int unlock(const char *name, int fd, const DiskFacts *facts, DiskPlace place,
                  const Secret *key, bool read_only, DiskMount *m, DiskUnlocked *u, Error *reterr) {
        _cleanup_(disk_facts_done) DiskFacts inside = { 0 };
        Crypt **crypt = &u->places[place].crypt;

        int r = crypt_open(name, crypt, reterr);
        if (r >= 0)
                r = open_device(name, fd, facts, m, key, read_only, *crypt, reterr);
        if (r != 0)
                return r;
        int device = open(crypt_path(*crypt), (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
        if (device < 0)
                return error_set_errno(reterr, -errno, ERROR_SETUP_FAILED,
                                       "Opening '%s', which is image '%s', failed",
                                       crypt_path(*crypt), name);
        u->places[place].fd = device;
        crypt_release(*crypt);
        r = disk_probe(name, device, &inside, reterr);
        if (r >= 0)
                r = disk_decide_inside(name, place, m->partition, &inside, &u->places[place].inside,
                                       reterr);
        if (r < 0)
                return r;
        m->partition = &u->places[place].inside;
        m->read_only = m->read_only || disk_file_system_is_read_only(m->partition->file_system);
        m->device = crypt_path(*crypt);
        return 0;
}

static int wrong_file_error(const char *name, const DiskMount *m, const char *key_file,
                            Error *reterr) {
        const unsigned number = m->partition->number;
        int r = number > 0 ? error_set(reterr, -EACCES, ERROR_ACCESS_DENIED,
                                       "The key in '%s' does not open partition %u of image '%s'",
                                       key_file, number, name)
                           : error_set(reterr, -EACCES, ERROR_ACCESS_DENIED,
                                       "The key in '%s' does not open image '%s'", key_file, name);
        error_hint(reterr, "all of the file is the key, with the newline that may be at its end");
        return r;
}

static DiskUnlocked *unlocked_new(void) {
        DiskUnlocked *u = new0(DiskUnlocked, 1);
        for (DiskPlace place = 0; u && place < _DISK_PLACE_MAX; place++)
                u->places[place].fd = -EBADF;
        return u;
}

int disk_unlock(const char *name, int fd, const DiskFacts *facts, const char *key_file,
                const Secret *key, bool read_only, DiskPlan *plan, DiskUnlocked **ret,
                Error *reterr) {
        _cleanup_(disk_unlocked_freep) DiskUnlocked *u = unlocked_new();
        _cleanup_(secret_done) Secret of_file = SECRET_NULL;

        if (!u)
                return error_oom(reterr);
        for (DiskPlace place = 0; place < _DISK_PLACE_MAX; place++) {
                DiskMount *m = plan->mounts + place;
                int r = 0;
                if (!m->encrypted)
                        continue;
                if (!key_file && !key)
                        return DISK_NO_KEY;
                if (key_file && !of_file.bytes)
                        r = read_key_file(key_file, &of_file, reterr);
                if (r >= 0)
                        r = unlock(name, fd, facts, place, key_file ? &of_file : key,
                                   read_only || m->read_only, m, u, reterr);
                if (r > 0)
                        return key_file ? wrong_file_error(name, m, key_file, reterr)
                                        : DISK_WRONG_KEY;
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(u);
        return DISK_UNLOCKED;
}
