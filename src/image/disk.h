/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disk images and block devices: from what is on them to what is mounted where.
 *
 *   disk_probe()   a sandboxed process reads the partition table and the superblocks: DiskFacts
 *   disk_decide()  a pure function; by the Discoverable Partitions Specification (UAPI.2) it says what is mounted where: DiskPlan
 *   disk_unlock()  opens what is encrypted; what is inside is looked at in the same way
 *   disk_mount()   loop devices and file systems, as one detached tree
 *
 * What is on a disk was written by somebody else: only the sandboxed process parses it, and what that says is checked as well. */
#pragma once

#include "basic/error.h"
#include "basic/id.h"
#include "basic/strtable.h"

#define DISK_PARTITIONS_MAX 256U
#define DISK_LABEL_MAX 256U         /* bytes; 36 UTF-16 characters are at most 108 */
#define DISK_FACTS_MAX (160U << 10) /* bytes of their text form */
#define DISK_FILE_SYSTEM_MAX 16U    /* bytes of a name, NUL included */
#define DISK_HASH_MAX 64U           /* bytes of a root hash of dm-verity */

typedef enum DiskTable {
        DISK_TABLE_NONE, /* a file system fills it all */
        DISK_TABLE_GPT,
        DISK_TABLE_MBR,
        _DISK_TABLE_MAX,
        _DISK_TABLE_INVALID = -EINVAL,
} DiskTable;
DECLARE_STRING_TABLE_LOOKUP(disk_table, DiskTable);

/* Flags of GPT partitions */
#define DISK_FLAG_NO_BLOCK_IO (UINT64_C(1) << 1) /* of an ESP: not to be mounted */
#define DISK_FLAG_GROW (UINT64_C(1) << 59)
#define DISK_FLAG_READ_ONLY (UINT64_C(1) << 60)
#define DISK_FLAG_NO_AUTO (UINT64_C(1) << 63)

typedef struct DiskPartition {
        unsigned number;       /* from 1; 0: the whole disk */
        uint64_t offset, size; /* bytes */
        Id128 type, uuid;      /* GPT */
        uint8_t mbr_type;      /* MBR */
        bool mbr_active;
        uint64_t flags; /* GPT: DISK_FLAG_… and others */
        char file_system
                [DISK_FILE_SYSTEM_MAX]; /* what libblkid calls it; "": it knows none; "?": it could be several */
        bool needs_check;               /* its file system says that it has errors */
        char *label;                    /* GPT: of the partition; NULL: none */
        char *root_hash,
                *signature; /* GPT: what a signature partition says: hexadecimal, base64 (disk-signature.h); NULL: nothing */
} DiskPartition;

typedef struct DiskFacts {
        uint64_t size;        /* bytes */
        uint32_t sector_size; /* bytes: 512, 1024, 2048 or 4096 */
        DiskTable table;
        DiskPartition whole; /* DISK_TABLE_NONE: its file system */
        DiskPartition *partitions;
        size_t n_partitions;
} DiskFacts;
void disk_facts_done(DiskFacts *f);

/* Text, by lines: how facts come out of the sandbox. Reading it refuses (-EBADMSG) what no disk can have: partitions beyond the end, empty
 * ones, numbers twice, unknown words; overlapping ones are disk_decide()'s. */
int disk_facts_print(const DiskFacts *f, char **ret);
int disk_facts_parse(const char *text, DiskFacts *ret);

/* ---- what is mounted where ---- */

typedef enum DiskPlace { /* in the order in which they are mounted */
        DISK_ROOT,
        DISK_USR,
        DISK_HOME,
        DISK_SRV,
        DISK_VAR,
        DISK_TMP, /* on /var/tmp */
        DISK_XBOOTLDR,
        DISK_ESP,
        DISK_SWAP, /* never used; policies may speak of it */
        _DISK_PLACE_MAX,
        _DISK_PLACE_INVALID = -EINVAL,
} DiskPlace;
DECLARE_STRING_TABLE_LOOKUP(disk_place, DiskPlace); /* systemd.image-policy(7)'s words */

/* What a policy says of a place; see disk-policy.c. */
typedef enum DiskUse {
        DISK_USE_VERITY = 1 << 0,
        DISK_USE_SIGNED = 1 << 1,
        DISK_USE_ENCRYPTED = 1 << 2,
        DISK_USE_UNPROTECTED = 1 << 3,
        DISK_USE_UNUSED = 1 << 4, /* it may be there, and is left alone */
        DISK_USE_ABSENT = 1 << 5, /* it may be missing */
        DISK_USE_READ_ONLY_ON =
                1 << 6, /* the flag of the partition; none or both: it may be as it is */
        DISK_USE_READ_ONLY_OFF = 1 << 7,
        DISK_USE_GROW_ON = 1 << 8,
        DISK_USE_GROW_OFF = 1 << 9,
        DISK_USE_INTEGRITY = 1 << 10, /* encrypted, and what was changed is found out */
} DiskUse;
#define DISK_USE_LUKS (DISK_USE_ENCRYPTED | DISK_USE_INTEGRITY)
#define DISK_USE_OPEN                                                               \
        (DISK_USE_VERITY | DISK_USE_SIGNED | DISK_USE_LUKS | DISK_USE_UNPROTECTED | \
         DISK_USE_UNUSED | DISK_USE_ABSENT)
#define DISK_USE_IGNORE (DISK_USE_UNUSED | DISK_USE_ABSENT)

typedef struct DiskPolicy {
        unsigned uses[_DISK_PLACE_MAX]; /* DiskUse */
} DiskPolicy;
/* "root=verity+signed:usr=…:=absent+unused", "*", "-", "~"; NULL: the default for containers. *reterr: what is wrong with it, without its text
 * (as the types of settings say it). */
int disk_policy_parse(const char *text, DiskPolicy *ret, Error *reterr);

/* dm-verity, as settings and the files beside an image ask for it. */
typedef struct DiskVerity {
        DiskPlace place; /* whose hash it is: DISK_ROOT or DISK_USR */
        uint8_t root_hash[DISK_HASH_MAX];
        size_t root_hash_size; /* bytes; 0: none */
        char *signature;       /* PKCS#7 (DER) of the hash; NULL: none */
        size_t signature_size;
        bool must_be_signed; /* the settings say with what */
        char *hashes;        /* path of the hash tree; NULL: a partition has it */
        int hashes_fd;       /* of that, or -EBADF */
} DiskVerity;
#define DISK_VERITY_NULL \
        { .hashes_fd = -EBADF }
void disk_verity_done(DiskVerity *v);

typedef struct DiskMount {
        const DiskPartition *partition; /* of the facts; NULL: this place is not on the disk */
        bool read_only;                 /* by its flag, or because the file system is */
        bool grow;                      /* the file system shall fill the partition */
        bool verity;                    /* by dm-verity, */
        const DiskPartition *hashes;    /* whose hash tree is there; NULL: in DiskVerity's file, */
        const DiskPartition *
                signature; /* and whose signature, and root hash, if DiskVerity has none; NULL: nowhere else, */
        bool must_be_signed; /* with a signature that the kernel accepts */
        bool encrypted;      /* by LUKS: what is inside is not known yet, see disk-unlock.h */
        bool with_integrity; /* and it has to be so that changes are found out */
        const char *device;  /* of what is inside, once it is known; NULL: the partition itself */
} DiskMount;

typedef struct DiskPlan {
        DiskMount mounts[_DISK_PLACE_MAX];
} DiskPlan;
/* There is no root on the disk: it will be in memory, as with Volatile=yes. */
static inline bool disk_plan_is_usr_only(const DiskPlan *plan) {
        return !plan->mounts[DISK_ROOT].partition && plan->mounts[DISK_USR].partition;
}

/* name: of the image, for sentences. verity may be NULL. architecture: the words of the specification ("x86-64"), NULL: this machine's. Where no
 * root hash is given and the policy wants one that is signed, that of a signature partition is used. */
int disk_decide(const char *name, const DiskFacts *facts, const DiskPolicy *policy,
                const DiskVerity *verity, const char *architecture, DiskPlan *ret, Error *reterr);

/* What is inside of an encrypted partition: one file system that may be in this place. *ret: what disk_decide() would have said of it, and where on the
 * disk it is not known. */
int disk_decide_inside(const char *name, DiskPlace place, const DiskPartition *outside,
                       const DiskFacts *inside, DiskPartition *ret, Error *reterr);

/* The file systems that are mounted at all. */
bool disk_file_system_is_known(const char *name);
bool disk_file_system_is_read_only(const char *name);
