/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one door to libblkid: a partition table and the superblocks, as DiskFacts. The library is opened on demand.
 *
 * Only superblocks of a short list are looked for: what is not known cannot be mistaken for something else. What has the signatures of
 * several is of none. */
#include "image/disk-blkid.h"

#include <blkid/blkid.h>
#include <dlfcn.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/str.h"

#define LIBRARY "libblkid.so.1"
#define SECTOR 512U /* in which the library counts, whatever the disk's is */
#define EXT_SUPERBLOCK 1024
#define EXT_STATE_OFFSET (EXT_SUPERBLOCK + 58)
#define EXT_STATE_ERRORS 2

/* Found, if there: those that are mounted, and those that have a name in an error. */
static const char *const superblocks[] = {
        "ext4",        "ext3", "ext2",           "btrfs",   "xfs",
        "erofs",       "f2fs", "squashfs",       "vfat",    "crypto_LUKS",
        "LVM2_member", "swap", "DM_verity_hash", "iso9660", NULL,
};

/* clang-format off */
#define FUNCTIONS(X)                                                                                    \
        X(blkid_new_probe) X(blkid_free_probe) X(blkid_probe_set_device) X(blkid_probe_set_sectorsize)  \
        X(blkid_probe_get_size)                                                                         \
        X(blkid_probe_enable_superblocks) X(blkid_probe_set_superblocks_flags)                          \
        X(blkid_probe_filter_superblocks_type) X(blkid_probe_enable_partitions)                         \
        X(blkid_probe_set_partitions_flags) X(blkid_do_safeprobe) X(blkid_probe_lookup_value)           \
        X(blkid_probe_get_partitions) X(blkid_partlist_numof_partitions)                                \
        X(blkid_partlist_get_partition) X(blkid_partition_get_name)                                     \
        X(blkid_partition_get_uuid) X(blkid_partition_get_partno) X(blkid_partition_get_start)          \
        X(blkid_partition_get_size) X(blkid_partition_get_type) X(blkid_partition_get_type_string)      \
        X(blkid_partition_get_flags) X(blkid_partition_is_extended)
/* clang-format on */

struct Blkid {
#define POINTER(name) __typeof__(&name) name;
        FUNCTIONS(POINTER)
#undef POINTER
};

int disk_blkid_open(Blkid **ret, Error *reterr) {
        static const char *const names[] = {
#define NAME(name) #name,
                FUNCTIONS(NAME)
#undef NAME
        };
        _cleanup_free_ Blkid *b = new0(Blkid, 1);
        void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

        if (!b)
                return error_oom(reterr);
        if (!library) {
                int r = error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                                  "%s, which finds what is on a disk, cannot be opened", LIBRARY);
                error_hint(reterr, "install libblkid1");
                return r;
        }
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                void *function = dlsym(library, names[i]);
                if (!function)
                        return error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED, "%s lacks %s()",
                                         LIBRARY, names[i]);
                memcpy((char *) b + i * sizeof(function), &function, sizeof(function));
        }
        *ret = TAKE_PTR(b);
        return 0;
}

/* ---- superblocks ---- */

static blkid_probe new_probe(const Blkid *b, int fd, uint64_t offset, uint64_t size) {
        blkid_probe p = b->blkid_new_probe();
        if (!p)
                return NULL;
        if (b->blkid_probe_set_device(p, fd, (blkid_loff_t) offset, (blkid_loff_t) size) == 0 &&
            b->blkid_probe_enable_superblocks(p, 1) == 0 &&
            b->blkid_probe_set_superblocks_flags(p, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE) == 0 &&
            b->blkid_probe_filter_superblocks_type(p, BLKID_FLTR_ONLYIN, (char **) superblocks) ==
                    0)
                return p;
        b->blkid_free_probe(p);
        return NULL;
}

static void take_file_system(const Blkid *b, blkid_probe probe, int fd, DiskPartition *p) {
        const char *type = NULL;
        uint16_t state;

        if (b->blkid_probe_lookup_value(probe, "TYPE", &type, NULL) < 0 || isempty(type) ||
            strlen(type) >= DISK_FILE_SYSTEM_MAX)
                return;
        memcpy(p->file_system, type, strlen(type) + 1);
        if (startswith(type, "ext") &&
            pread(fd, &state, sizeof(state), (off_t) p->offset + EXT_STATE_OFFSET) ==
                    (ssize_t) sizeof(state))
                p->needs_check = ((const uint8_t *) &state)[0] & EXT_STATE_ERRORS;
}

static int probe_partition(const Blkid *b, int fd, DiskPartition *p) {
        blkid_probe probe = new_probe(b, fd, p->offset, p->size);
        if (!probe)
                return -EIO;
        int r = b->blkid_do_safeprobe(probe);
        if (r == -2)
                memcpy(p->file_system, "?", 2);
        else if (r == 0)
                take_file_system(b, probe, fd, p);
        b->blkid_free_probe(probe);
        return IN_SET(r, -2, 0, 1) ? 0 : -EIO;
}

/* ---- partitions ---- */

static void take_id(const char *text, Id128 *ret) {
        if (!text || id128_parse(text, ret) < 0)
                *ret = (Id128){ 0 };
}

/* 1: taken, 0: there is nothing at such a place. */
static int take_partition(const Blkid *b, int fd, blkid_partition from, DiskFacts *f) {
        const blkid_loff_t start = b->blkid_partition_get_start(from),
                           size = b->blkid_partition_get_size(from);
        const uint64_t sectors = f->size / SECTOR;

        if (start <= 0 || size <= 0 || (uint64_t) start > sectors ||
            (uint64_t) size > sectors - (uint64_t) start || b->blkid_partition_is_extended(from) ||
            (uint64_t) start * SECTOR % f->sector_size || (uint64_t) size * SECTOR % f->sector_size)
                return 0;
        if (f->n_partitions >= DISK_PARTITIONS_MAX)
                return -E2BIG;
        DiskPartition *p = ARRAY_APPEND(f->partitions, f->n_partitions);
        if (!p)
                return -ENOMEM;
        p->number = (unsigned) b->blkid_partition_get_partno(from);
        p->offset = (uint64_t) start * SECTOR;
        p->size = (uint64_t) size * SECTOR;
        take_id(b->blkid_partition_get_uuid(from), &p->uuid);
        if (f->table == DISK_TABLE_GPT) {
                take_id(b->blkid_partition_get_type_string(from), &p->type);
                p->flags = b->blkid_partition_get_flags(from);
                const char *label = b->blkid_partition_get_name(from);
                if (!isempty(label) && strlen(label) <= DISK_LABEL_MAX) {
                        p->label = strdup(label);
                        if (!p->label)
                                return -ENOMEM;
                }
        } else {
                p->mbr_type = (uint8_t) b->blkid_partition_get_type(from);
                p->mbr_active = b->blkid_partition_get_flags(from) == 0x80;
                p->uuid = (Id128){ 0 };
        }
        int r = probe_partition(b, fd, p);
        return r < 0 ? r : 1;
}

/* Where a GPT's header lies tells how large sectors were when it was written. */
static uint32_t find_sector_size(int fd) {
        static const uint32_t sizes[] = { 512, 1024, 2048, 4096 };
        char magic[8];

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++)
                if (pread(fd, magic, sizeof(magic), sizes[i]) == (ssize_t) sizeof(magic) &&
                    memcmp(magic, "EFI PART", sizeof(magic)) == 0)
                        return sizes[i];
        return SECTOR;
}

static int read_table(const Blkid *b, int fd, blkid_probe probe, DiskFacts *f, Error *reterr) {
        blkid_partlist list = b->blkid_probe_get_partitions(probe);
        const int n = list ? b->blkid_partlist_numof_partitions(list) : -1;

        if (n < 0)
                return error_set(reterr, -EIO, ERROR_NOT_A_ROOT,
                                 "its partition table cannot be read");
        for (int i = 0; i < n; i++) {
                blkid_partition p = b->blkid_partlist_get_partition(list, i);
                int r = p ? take_partition(b, fd, p, f) : 0;
                if (r == -E2BIG)
                        return error_set(reterr, r, ERROR_LIMIT_EXCEEDED,
                                         "it has more than %u partitions", DISK_PARTITIONS_MAX);
                if (r < 0)
                        return error_set_errno(reterr, r, ERROR_NOT_A_ROOT,
                                               "its partitions cannot be read");
        }
        return 0;
}

static int read_disk(const Blkid *b, int fd, blkid_probe probe, DiskFacts *f, Error *reterr) {
        const char *usage = NULL, *table = NULL;

        f->size = (uint64_t) b->blkid_probe_get_size(probe);
        f->sector_size = find_sector_size(fd);
        f->whole.size = f->size;
        if (b->blkid_probe_set_sectorsize(probe, f->sector_size) != 0 ||
            b->blkid_probe_enable_partitions(probe, 1) != 0 ||
            b->blkid_probe_set_partitions_flags(probe, BLKID_PARTS_ENTRY_DETAILS) != 0)
                return error_set(reterr, -EIO, ERROR_SETUP_FAILED, "it cannot be looked at");
        int r = b->blkid_do_safeprobe(probe);
        if (r == -2)
                return error_set(
                        reterr, -EUCLEAN, ERROR_NOT_A_ROOT,
                        "it has the signatures of several file systems or partition tables");
        if (!IN_SET(r, 0, 1))
                return error_set(reterr, -EIO, ERROR_NOT_A_ROOT, "it cannot be read");
        if (r == 1)
                return 0; /* nothing */
        if (b->blkid_probe_lookup_value(probe, "USAGE", &usage, NULL) == 0 && usage &&
            (streq(usage, "filesystem") || streq(usage, "crypto"))) {
                take_file_system(b, probe, fd, &f->whole);
                return 0;
        }
        if (b->blkid_probe_lookup_value(probe, "PTTYPE", &table, NULL) != 0 || isempty(table)) {
                take_file_system(b, probe, fd, &f->whole);
                return 0;
        }
        if (streq(table, "gpt"))
                f->table = DISK_TABLE_GPT;
        else if (streq(table, "dos"))
                f->table = DISK_TABLE_MBR;
        else
                return error_set(reterr, -EMEDIUMTYPE, ERROR_NOT_A_ROOT,
                                 "its partition table is of the kind '%s': gpt and dos are known",
                                 table);
        return read_table(b, fd, probe, f, reterr);
}

int disk_blkid_read(const Blkid *b, int fd, DiskFacts *ret, Error *reterr) {
        _cleanup_(disk_facts_done) DiskFacts f = { 0 };
        blkid_probe probe = new_probe(b, fd, 0, 0);

        if (!probe)
                return error_set(reterr, -EIO, ERROR_NOT_A_ROOT, "it cannot be read");
        int r = read_disk(b, fd, probe, &f, reterr);
        b->blkid_free_probe(probe);
        if (r < 0)
                return r;
        *ret = f;
        f = (DiskFacts){ 0 };
        return 0;
}
