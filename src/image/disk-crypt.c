/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one door to libcryptsetup. The library is opened on demand; its headers are not needed: what is used of it has been the same since version 2.3.
 *
 * Calls: crypt_init_data_device, crypt_load, crypt_activate_by_signed_key; crypt_deactivate_by_name with deferred removal. */
#include "image/disk-crypt.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/id.h"
#include "basic/log.h"
#include "basic/str.h"

#define LIBRARY "libcryptsetup.so.12"
#define PREFIX \
        "berth-" /* then the process ID of who makes it, for who finds it left, "-", digits */
#define ACTIVATE_READONLY (1U << 0)
#define ACTIVATE_PRIVATE (1U << 4) /* udev's rules look the other way */
#define ACTIVATE_CORRUPTED (1U << 5)
#define DEACTIVATE_DEFERRED (1U << 0)
#define LEVEL_ERROR 1
#define NAME_MAX_SIZE 64
#define RANDOM_DIGITS 16U

typedef struct ActiveDevice { /* struct crypt_active_device */
        uint64_t offset, iv_offset, size;
        uint32_t flags;
} ActiveDevice;

/* clang-format off */
#define FUNCTIONS(X)                                                                                                  \
        X(int,  crypt_init_data_device, (void **, const char *, const char *))                                        \
        X(int,  crypt_load, (void *, const char *, void *))                                                           \
        X(int,  crypt_activate_by_signed_key, (void *, const char *, const char *, size_t, const char *, size_t, uint32_t)) \
        X(int,  crypt_get_active_device, (void *, const char *, ActiveDevice *))                                      \
        X(int,  crypt_deactivate_by_name, (void *, const char *, uint32_t))                                           \
        X(void, crypt_set_log_callback, (void *, void (*)(int, const char *, void *), void *))                        \
        X(void, crypt_free, (void *))
/* clang-format on */

struct Crypt {
        char *image; /* for sentences */
        void *device;
        char name[NAME_MAX_SIZE], path[NAME_MAX_SIZE + STRLEN("/dev/mapper/")];
        bool active;
        char *words; /* the library's last ones */
#define POINTER(type, name, arguments) type(*name) arguments;
        FUNCTIONS(POINTER)
#undef POINTER
};

static void on_log(int level, const char *message, void *userdata) {
        Crypt *c = userdata;
        _cleanup_free_ char *copy = strdup(message);
        if (!copy)
                return;
        strstrip(copy);
        log_debug("%s: %s", LIBRARY, copy);
        if (level == LEVEL_ERROR && !c->words) /* the first one says why */
                c->words = TAKE_PTR(copy);
}

static void free_device(Crypt *c) {
        if (c->device)
                c->crypt_free(c->device);
        c->device = NULL;
}

Crypt *crypt_close(Crypt *c) {
        if (!c)
                return NULL;
        crypt_release(c);
        free_device(c);
        if (c->crypt_set_log_callback)
                c->crypt_set_log_callback(NULL, NULL, NULL);
        free(c->words);
        free(c->image);
        free(c);
        return NULL;
}

/* ---- what others left ---- */

bool crypt_is_ours(const char *name, const char *uuid, pid_t *ret_pid) {
        static const char *const types[] = { "CRYPT-VERITY-", "CRYPT-LUKS1-", "CRYPT-LUKS2-" };
        const char *pid = startswith(name, PREFIX), *dash = pid ? strchr(pid, '-') : NULL;
        bool known = false;
        long number;

        for (size_t i = 0; i < ELEMENTSOF(types); i++)
                known = known || startswith(uuid, types[i]);
        if (!known || !dash || strspn(pid, "0123456789") != (size_t) (dash - pid) ||
            dash - pid > 9 || strlen(dash + 1) != RANDOM_DIGITS ||
            strspn(dash + 1, "0123456789abcdef") != RANDOM_DIGITS || !endswith(uuid, name))
                return false;
        number = strtol(pid, NULL, 10); /* at most 9 digits */
        if (number <= 1)
                return false;
        *ret_pid = (pid_t) number;
        return true;
}

/* No other device lies on it. */
static bool has_no_holders(const char *device) {
        char path[300];
        bool empty = true;

        (void) snprintf(path, sizeof(path), "/sys/block/%s/holders", device); /* it fits */
        DIR *d = opendir(path);
        if (!d)
                return false;
        for (struct dirent *e = readdir(d); e && empty; e = readdir(d))
                empty = e->d_name[0] == '.';
        (void) closedir(d); /* was only read */
        return empty;
}

static int read_attribute(const char *device, const char *attribute, char **ret) {
        char path[300];
        (void) snprintf(path, sizeof(path), "/sys/block/%s/dm/%s", device, attribute); /* it fits */
        int r = file_read_all(AT_FDCWD, path, 4096, ret, NULL);
        if (r >= 0)
                strstrip(*ret);
        return r;
}

/* Made by a process that is gone, and was killed before it could release it. Of one that is in use nothing changes. */
static void remove_left(Crypt *c, const char *device) {
        _cleanup_free_ char *name = NULL, *uuid = NULL;
        pid_t pid;

        if (read_attribute(device, "name", &name) >= 0 &&
            read_attribute(device, "uuid", &uuid) >= 0 && crypt_is_ours(name, uuid, &pid) &&
            kill(pid, 0) < 0 && errno == ESRCH && has_no_holders(device))
                (void) c->crypt_deactivate_by_name(NULL, name, DEACTIVATE_DEFERRED);
}

static void remove_all_left(Crypt *c) {
        DIR *d = opendir("/sys/block");
        if (!d)
                return;
        for (struct dirent *e = readdir(d); e; e = readdir(d))
                if (startswith(e->d_name, "dm-"))
                        remove_left(c, e->d_name);
        (void) closedir(d); /* was only read */
}

int crypt_open(const char *name, Crypt **ret, Error *reterr) {
        _cleanup_(crypt_closep) Crypt *c = new0(Crypt, 1);
        void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

        if (!c)
                return error_oom(reterr);
        c->image = strdup(name);
        if (!c->image)
                return error_oom(reterr);
        if (!library) {
                int r = error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                                  "%s, which image '%s' needs, cannot be opened", LIBRARY, name);
                error_hint(reterr, "install libcryptsetup12");
                return r;
        }
#define LOOK_UP(type, function, arguments)                                                         \
        c->function = (type(*) arguments) dlsym(library, #function);                               \
        if (!c->function)                                                                          \
                return error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED, "%s lacks %s()", LIBRARY, \
                                 #function);
        FUNCTIONS(LOOK_UP)
#undef LOOK_UP
        c->crypt_set_log_callback(NULL, on_log, c);
        remove_all_left(c);
        *ret = TAKE_PTR(c);
        return 0;
}

const char *crypt_path(const Crypt *c) {
        return c->path;
}

/* ---- a device ---- */

static int make_name(Crypt *c, Error *reterr) {
        char id[ID128_STRING_MAX];
        Id128 random;
        int r = id128_random(&random);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_FAILED, "Making up a name failed");
        (void) snprintf(c->name, sizeof(c->name), PREFIX "%d-%.16s", getpid(),
                        id128_to_string(random, id)); /* it fits */
        (void) snprintf(c->path, sizeof(c->path), "/dev/mapper/%s", c->name);
        c->words = mfree(c->words);
        return 0;
}

static int crypt_error(const Crypt *c, int code, ErrorId id, const char *what, Error *reterr) {
        return c->words ? error_set(reterr, code, id, "%s of image '%s': %s", what, c->image,
                                    c->words)
                        : error_set_errno(reterr, code, id, "%s of image '%s'", what, c->image);
}

/* What the kernel lacks, and the rest. */
static int activate_error(const Crypt *c, int code, bool must_be_signed, Error *reterr) {
        int r;

        /* libcryptsetup before 2.7 has the same number for a signature that is refused */
        const bool refused = must_be_signed && access("/sys/module/dm_verity", F_OK) >= 0;
        if (!refused && IN_SET(code, -ENOTSUP, -ENODEV, -ENOTBLK, -ENOENT)) {
                r = error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                              "The kernel has no dm-verity, which image '%s' needs%s%s", c->image,
                              c->words ? ": " : "", strempty(c->words));
                error_hint(reterr,
                           "see 'modprobe dm-verity', and whether /dev/mapper/control is there");
                return r;
        }
        if (!must_be_signed)
                return crypt_error(c, code, ERROR_SETUP_FAILED, "Setting up dm-verity", reterr);
        r = crypt_error(c, code, ERROR_ACCESS_DENIED,
                        "The kernel does not accept the signature of the root hash", reterr);
        error_hint(reterr, "the key that signed it has to be in the kernel's keyring: see "
                           "'cat /proc/keys'");
        return r;
}

static int activate(Crypt *c, const DiskVerity *v, bool must_be_signed) {
        int r = -ENOKEY;
        if (v->signature) {
                r = c->crypt_activate_by_signed_key(
                        c->device, c->name, (const char *) v->root_hash, v->root_hash_size,
                        v->signature, v->signature_size, ACTIVATE_READONLY | ACTIVATE_PRIVATE);
                if (r >= 0 || must_be_signed)
                        return r;
                log_debug_errno(r, "The signature of the root hash of image '%s' is not accepted",
                                c->image);
                c->words = mfree(c->words);
        }
        return must_be_signed
                       ? r
                       : c->crypt_activate_by_signed_key(
                                 c->device, c->name, (const char *) v->root_hash, v->root_hash_size,
                                 NULL, 0, ACTIVATE_READONLY | ACTIVATE_PRIVATE);
}

int crypt_open_verity(Crypt *c, const char *data_path, const char *hashes_path,
                      const DiskVerity *verity, bool must_be_signed, Error *reterr) {
        int r = make_name(c, reterr);
        if (r < 0)
                return r;
        r = c->crypt_init_data_device(&c->device, hashes_path, data_path);
        if (r < 0)
                return crypt_error(c, r, ERROR_SETUP_FAILED, "Opening the hash tree", reterr);
        r = c->crypt_load(c->device, "VERITY", NULL);
        if (r < 0)
                return crypt_error(c, r, ERROR_NOT_A_ROOT, "Reading the hash tree", reterr);
        (void) prctl(PR_SET_PDEATHSIG, 0); /* cannot fail */
        r = activate(c, verity, must_be_signed);
        c->active = r >= 0;
        if (r >= 0)
                return 0;
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        return activate_error(c, r, must_be_signed, reterr);
}

bool crypt_is_corrupted(const Crypt *c) {
        ActiveDevice d = { 0 };
        return c->active && c->crypt_get_active_device(c->device, c->name, &d) >= 0 &&
               (d.flags & ACTIVATE_CORRUPTED);
}

void crypt_release(Crypt *c) {
        if (!c->active)
                return;
        int r = c->crypt_deactivate_by_name(c->device, c->name, DEACTIVATE_DEFERRED);
        if (r < 0)
                log_warning_errno(r, "Removing the device '%s' failed", c->name);
        c->active = false;
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
}
