/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one door to libcryptsetup. The library is opened on demand; its headers are not needed: what is used of it has been the same since version 2.3.
 *
 * Calls: crypt_init_data_device, crypt_load; crypt_activate_by_signed_key, or crypt_volume_key_get (which takes its time, and memory) and
 * crypt_activate_by_volume_key; crypt_deactivate_by_name with deferred removal. */
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
#define ANY_SLOT (-1)
/* cryptsetup's own bound for what it makes; a header may say up to 4 GiB */
#define KEY_MEMORY_MAX_KIB (UINT32_C(1) << 20)
#define NAME_MAX_SIZE 64
#define RANDOM_DIGITS 16U

typedef struct ActiveDevice { /* struct crypt_active_device */
        uint64_t offset, iv_offset, size;
        uint32_t flags;
} ActiveDevice;

typedef struct KeyDerivation { /* struct crypt_pbkdf_type */
        const char *type, *hash;
        uint32_t time_ms, iterations, max_memory_kib, parallel_threads, flags;
} KeyDerivation;

typedef struct Integrity { /* struct crypt_params_integrity */
        uint64_t journal_size;
        unsigned journal_watermark, journal_commit_time;
        uint32_t interleave_sectors, tag_size, sector_size, buffer_sectors;
        const char *integrity;
        uint32_t integrity_key_size;
        const char *journal_integrity, *journal_integrity_key;
        uint32_t journal_integrity_key_size;
        const char *journal_crypt, *journal_crypt_key;
        uint32_t journal_crypt_key_size;
} Integrity;

/* clang-format off */
#define FUNCTIONS(X)                                                                                                  \
        X(int,  crypt_init_data_device, (void **, const char *, const char *))                                        \
        X(int,  crypt_load, (void *, const char *, void *))                                                           \
        X(int,  crypt_activate_by_signed_key, (void *, const char *, const char *, size_t, const char *, size_t, uint32_t)) \
        X(const char *, crypt_get_type, (void *))                                                                     \
        X(const char *, crypt_get_cipher, (void *))                                                                   \
        X(int,  crypt_keyslot_max, (const char *))                                                                    \
        X(const char *, crypt_keyslot_get_encryption, (void *, int, size_t *))                                        \
        X(int,  crypt_keyslot_get_pbkdf, (void *, int, KeyDerivation *))                                              \
        X(int,  crypt_get_integrity_info, (void *, Integrity *))                                                      \
        X(int,  crypt_get_volume_key_size, (void *))                                                                  \
        X(int,  crypt_volume_key_get, (void *, int, char *, size_t *, const char *, size_t))                          \
        X(int,  crypt_activate_by_volume_key, (void *, const char *, const char *, size_t, uint32_t))                 \
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

static int lacking_error(const Crypt *c, const char *module, Error *reterr) {
        int r = error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                          "The kernel has no %s, which image '%s' needs%s%s", module, c->image,
                          c->words ? ": " : "", strempty(c->words));
        error_hint(reterr, "see 'modprobe %s', and whether /dev/mapper/control is there", module);
        return r;
}

static bool is_lacking(int code) {
        return IN_SET(code, -ENOTSUP, -ENODEV, -ENOTBLK, -ENOENT);
}

/* What the kernel lacks, and the rest. */
static int activate_error(const Crypt *c, int code, bool must_be_signed, Error *reterr) {
        int r;

        /* libcryptsetup before 2.7 has the same number for a signature that is refused */
        const bool refused = must_be_signed && access("/sys/module/dm_verity", F_OK) >= 0;
        if (!refused && is_lacking(code))
                return lacking_error(c, "dm-verity", reterr);
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

/* ---- LUKS ---- */

int crypt_check_memory(const char *image, int slot, uint32_t max_memory_kib, Error *reterr) {
        if (max_memory_kib <= KEY_MEMORY_MAX_KIB)
                return 0;
        int r = error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED,
                          "Key slot %d of image '%s' takes %u MiB of memory to be tried, and at "
                          "most %u are given",
                          slot, image, max_memory_kib >> 10, KEY_MEMORY_MAX_KIB >> 10);
        error_hint(reterr, "see --pbkdf-memory in cryptsetup-luksConvertKey(8)");
        return r;
}

int crypt_check_cipher(const char *image, int slot, const char *cipher, Error *reterr) {
        _cleanup_free_ char *what = NULL;

        if (cipher && !streq(cipher, "null") && !strstr(cipher, "cipher_null"))
                return 0;
        what = slot < 0 ? strdup("data") : strf("key slot %d", slot);
        return error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                         "Image '%s' says that it is encrypted, but the cipher of its %s is none "
                         "at all (cipher_null)",
                         image, strempty(what));
}

static int check_slots(const Crypt *c, Error *reterr) {
        const int n = c->crypt_keyslot_max(c->crypt_get_type(c->device));
        int r = 0;

        for (int i = 0; r >= 0 && i < n; i++) {
                KeyDerivation d = { 0 };
                size_t key_size;
                const char *cipher = c->crypt_keyslot_get_encryption(c->device, i, &key_size);
                if (cipher) /* else it is not in use; a library without its fixes would open it */
                        r = crypt_check_cipher(c->image, i, cipher, reterr);
                if (r >= 0 && c->crypt_keyslot_get_pbkdf(c->device, i, &d) >= 0)
                        r = crypt_check_memory(c->image, i, d.max_memory_kib, reterr);
        }
        return r;
}

static int check_integrity(const Crypt *c, bool required, Error *reterr) {
        Integrity i = { 0 };

        if (!required || (c->crypt_get_integrity_info(c->device, &i) >= 0 && i.tag_size > 0))
                return 0;
        return error_set(reterr, -ERFKILL, ERROR_CONFLICT,
                         "Image '%s' is encrypted without protection of its integrity, and the "
                         "image policy wants that",
                         c->image);
}

static int key_error(const Crypt *c, int code, Error *reterr) {
        if (code == -ENOMEM) {
                int r = error_set(reterr, code, ERROR_SETUP_FAILED,
                                  "There is not enough memory to try the key of image '%s'",
                                  c->image);
                error_hint(reterr, "see the memory that key slots take in 'cryptsetup luksDump'");
                return r;
        }
        return crypt_error(c, code, ERROR_SETUP_FAILED, "Trying the key", reterr);
}

/* 1: this key is none of its. */
static int read_volume_key(Crypt *c, const Secret *key, Secret *ret, Error *reterr) {
        int r = c->crypt_get_volume_key_size(c->device);
        size_t size = r > 0 ? (size_t) r : 0;

        if (size == 0 || size > SECRET_MAX)
                return crypt_error(c, -EBADMSG, ERROR_NOT_A_ROOT, "Reading the LUKS header",
                                   reterr);
        r = secret_new(ret);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                                       "Making room for a key failed");
        ret->size = size;
        r = c->crypt_volume_key_get(c->device, ANY_SLOT, ret->bytes, &size, key->bytes, key->size);
        if (IN_SET(r, -EPERM, -ENOENT)) /* the latter: it has no key slots */
                return 1;
        return r < 0 ? key_error(c, r, reterr) : 0;
}

int crypt_open_luks(Crypt *c, const char *data_path, const Secret *key, bool read_only,
                    bool with_integrity, Error *reterr) {
        _cleanup_(secret_done) Secret volume_key = SECRET_NULL;

        int r = make_name(c, reterr);
        if (r < 0)
                return r;
        r = c->crypt_init_data_device(&c->device, data_path, NULL);
        if (r >= 0)
                r = c->crypt_load(c->device, /* any LUKS: */ NULL, NULL);
        if (r < 0)
                return crypt_error(c, r, ERROR_NOT_A_ROOT, "Reading the LUKS header", reterr);
        r = crypt_check_cipher(c->image, ANY_SLOT, c->crypt_get_cipher(c->device), reterr);
        if (r >= 0)
                r = check_integrity(c, with_integrity, reterr);
        if (r >= 0)
                r = check_slots(c, reterr);
        if (r >= 0)
                r = read_volume_key(c, key, &volume_key, reterr);
        if (r != 0)
                return r;
        (void) prctl(PR_SET_PDEATHSIG, 0); /* cannot fail */
        r = c->crypt_activate_by_volume_key(c->device, c->name, volume_key.bytes, volume_key.size,
                                            ACTIVATE_PRIVATE | (read_only ? ACTIVATE_READONLY : 0));
        c->active = r >= 0;
        if (r >= 0)
                return 0;
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        return is_lacking(r) ? lacking_error(c, "dm-crypt", reterr)
                             : crypt_error(c, r, ERROR_SETUP_FAILED, "Setting up dm-crypt", reterr);
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
