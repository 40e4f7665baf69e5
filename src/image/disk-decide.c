/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From what is on a disk to what is mounted where: the Discoverable Partitions Specification (UAPI.2), as systemd reads it for containers.
 * Pure: nothing here looks at a file. */
#include "basic/str.h"
#include "basic/version.h"
#include "image/disk-signature.h"
#include "image/disk-types.h"

enum {
        MBR_LINUX = 0x83,
        MBR_XBOOTLDR = 0xea
};

/* What a partition table says of a place: the best partition so far. */
typedef struct Candidate {
        const DiskPartition *partition;
        const char *architecture;
        unsigned rank; /* of the architecture */
} Candidate;

typedef struct Choice {
        const char *name; /* of the image */
        const DiskFacts *facts;
        const char *native;
        Candidate places[_DISK_PLACE_MAX];
        const DiskPartition *plain; /* the first of no particular use */
        unsigned n_plain;
        const DiskVerity *verity;
        DiskVerity signed_;                      /* by a signature partition alone */
        const DiskPartition *hashes, *signature; /* of the verity */
} Choice;

static const struct {
        DiskRole role;
        DiskPlace place;
} places_of_roles[] = {
        { DISK_ROLE_ROOT, DISK_ROOT }, { DISK_ROLE_USR, DISK_USR },
        { DISK_ROLE_HOME, DISK_HOME }, { DISK_ROLE_SRV, DISK_SRV },
        { DISK_ROLE_VAR, DISK_VAR },   { DISK_ROLE_TMP, DISK_TMP },
        { DISK_ROLE_ESP, DISK_ESP },   { DISK_ROLE_XBOOTLDR, DISK_XBOOTLDR },
        { DISK_ROLE_SWAP, DISK_SWAP },
};

static const struct {
        const char *name;
        bool read_only, of_boot; /* of_boot: only where firmware looks, and nothing else there */
} file_systems[] = {
        { "ext4", false, false }, { "btrfs", false, false },   { "xfs", false, false },
        { "erofs", true, false }, { "squashfs", true, false }, { "vfat", false, true },
};

static ssize_t find_file_system(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(file_systems); i++)
                if (streq(file_systems[i].name, name))
                        return (ssize_t) i;
        return -EINVAL;
}

bool disk_file_system_is_known(const char *name) {
        return find_file_system(name) >= 0;
}

bool disk_file_system_is_read_only(const char *name) {
        ssize_t i = find_file_system(name);
        return i >= 0 && file_systems[i].read_only;
}

static bool is_encrypted(const DiskPartition *p) {
        return streq(p->file_system, "crypto_LUKS");
}

/* ---- choosing ---- */

static DiskPlace place_of_role(DiskRole role) {
        for (size_t i = 0; i < ELEMENTSOF(places_of_roles); i++)
                if (places_of_roles[i].role == role)
                        return places_of_roles[i].place;
        return _DISK_PLACE_INVALID;
}

/* The first one wins; but of systems that of the better architecture, and then the newer one. */
static bool is_better(DiskPlace place, const Candidate *old, const Candidate *new) {
        if (!old->partition)
                return true;
        if (!IN_SET(place, DISK_ROOT, DISK_USR))
                return false;
        if (old->rank != new->rank)
                return new->rank > old->rank;
        return version_compare(strempty(new->partition->label), strempty(old->partition->label)) >
               0;
}

static void consider(Choice *c, DiskPlace place, const DiskPartition *p, const char *architecture) {
        const Candidate candidate = {
                .partition = p,
                .architecture = architecture,
                .rank = architecture ? disk_architecture_rank(c->native, architecture) : 0,
        };
        if (is_better(place, c->places + place, &candidate))
                c->places[place] = candidate;
}

/* ---- dm-verity ---- */

static bool wants_verity(const Choice *c, DiskPlace place) {
        return c->verity && c->verity->root_hash_size > 0 && c->verity->place == place;
}

/* Both partitions are named after the root hash: the first and the last half of one of 32 bytes. */
static bool is_named_after(const DiskPartition *p, const DiskVerity *v, bool hashes) {
        const uint8_t *half = v->root_hash + (hashes ? v->root_hash_size - sizeof(p->uuid) : 0);
        return memcmp(&p->uuid, half, sizeof(p->uuid)) == 0;
}

/* Its label says that nothing is in it: an update is to fill it. */
static bool is_empty(const DiskPartition *p) {
        return streq_ptr(p->label, "_empty");
}

static bool is_signature_of(const DiskPartition *p, const DiskVerity *v) {
        uint8_t hash[DISK_HASH_MAX];
        size_t size;
        return p->signature && disk_hash_parse(p->root_hash, hash, &size) >= 0 &&
               size == v->root_hash_size && memcmp(hash, v->root_hash, size) == 0;
}

/* What belongs to the place whose root hash is known. False: another partition. */
static bool consider_verity(Choice *c, DiskRole role, const DiskPartition *p) {
        const DiskVerity *v = c->verity;
        const bool usr = v && v->place == DISK_USR;

        if (!wants_verity(c, usr ? DISK_USR : DISK_ROOT))
                return false;
        if (role == (usr ? DISK_ROLE_USR_VERITY : DISK_ROLE_ROOT_VERITY)) {
                if (!c->hashes && !v->hashes && is_named_after(p, v, /* hashes= */ true))
                        c->hashes = p;
                return true;
        }
        if (role == (usr ? DISK_ROLE_USR_SIGNATURE : DISK_ROLE_ROOT_SIGNATURE)) {
                if (!c->signature && is_signature_of(p, v))
                        c->signature = p;
                return true;
        }
        /* of several systems the one that the hash is of */
        return role == (usr ? DISK_ROLE_USR : DISK_ROLE_ROOT) && !v->hashes &&
               !is_named_after(p, v, /* hashes= */ false);
}

/* A policy that wants a signature, and no root hash: the disk may say both, for the kernel sees whether it is true. */
static void adopt_signature(Choice *c, const DiskPolicy *policy) {
        static const struct {
                DiskPlace place;
                DiskRole role;
        } places[] = { { DISK_ROOT, DISK_ROLE_ROOT_SIGNATURE },
                       { DISK_USR, DISK_ROLE_USR_SIGNATURE } };
        const char *architecture;

        for (size_t i = 0; i < ELEMENTSOF(places); i++) {
                const unsigned uses = policy->uses[places[i].place];
                if (!(uses & DISK_USE_SIGNED) || (uses & (DISK_USE_UNPROTECTED | DISK_USE_LUKS)))
                        continue;
                for (size_t k = 0; k < c->facts->n_partitions; k++) {
                        const DiskPartition *p = c->facts->partitions + k;
                        if (disk_role(p->type, &architecture) != places[i].role || !p->signature ||
                            (p->flags & DISK_FLAG_NO_AUTO) || is_empty(p) ||
                            disk_architecture_rank(c->native, architecture) == 0)
                                continue;
                        c->signed_ = (DiskVerity){ .place = places[i].place,
                                                   .must_be_signed = true,
                                                   .hashes_fd = -EBADF };
                        if (disk_hash_parse(p->root_hash, c->signed_.root_hash,
                                            &c->signed_.root_hash_size) >= 0)
                                c->verity = &c->signed_;
                        return;
                }
        }
}

static int check_verity(const Choice *c, Error *reterr) {
        const DiskVerity *v = c->verity;
        const char *place = v ? disk_place_to_string(v->place) : NULL;
        int r;

        if (!v || v->root_hash_size == 0)
                return 0;
        if (!v->hashes && c->facts->table != DISK_TABLE_GPT) {
                r = error_set(reterr, -ENXIO, ERROR_NOT_A_ROOT,
                              "Image '%s' has no partition for the hash tree of its root hash",
                              c->name);
                error_hint(reterr, "name the file that has it with --verity-data=");
                return r;
        }
        /* with a hash tree in a file the root may be any partition that can be one */
        if ((!v->hashes || v->place == DISK_USR) &&
            (!c->places[v->place].partition || (!v->hashes && !c->hashes))) {
                r = error_set(reterr, -ENXIO, ERROR_NOT_A_ROOT,
                              "Image '%s' has no %s%s partition that the root hash is of", c->name,
                              place, c->places[v->place].partition ? "-verity" : "");
                error_hint(reterr,
                           "is this the root hash of another image, or of another version?");
                return r;
        }
        if (c->hashes && !streq(c->hashes->file_system, "DM_verity_hash"))
                return error_set(reterr, -EUCLEAN, ERROR_NOT_A_ROOT,
                                 "Partition %u (%s-verity) of image '%s' holds no hash tree",
                                 c->hashes->number, place, c->name);
        if (v->place == DISK_ROOT && c->places[DISK_USR].partition)
                return error_set(reterr, -EADDRNOTAVAIL, ERROR_NOT_A_ROOT,
                                 "Image '%s' has a partition for /usr, which the root hash does "
                                 "not protect",
                                 c->name);
        return 0;
}

/* ---- tables ---- */

static void consider_gpt(Choice *c, const DiskPartition *p) {
        const char *architecture;
        const DiskRole role = disk_role(p->type, &architecture);
        const uint64_t left_alone =
                role == DISK_ROLE_ESP ? DISK_FLAG_NO_BLOCK_IO : DISK_FLAG_NO_AUTO;

        if ((p->flags & left_alone) || is_empty(p) || consider_verity(c, role, p))
                return;
        if (role == DISK_ROLE_LINUX) {
                c->plain = c->plain ?: p;
                c->n_plain++;
        } else if (place_of_role(role) >= 0)
                consider(c, place_of_role(role), p, architecture);
}

/* Of several Linux partitions the one that is marked as active. */
static void consider_mbr(Choice *c) {
        const DiskPartition *active = NULL;
        unsigned n_active = 0;

        for (size_t i = 0; i < c->facts->n_partitions; i++) {
                const DiskPartition *p = c->facts->partitions + i;
                if (p->mbr_type == MBR_XBOOTLDR)
                        consider(c, DISK_XBOOTLDR, p, NULL);
                if (p->mbr_type != MBR_LINUX)
                        continue;
                c->plain = c->plain ?: p;
                c->n_plain++;
                if (p->mbr_active) {
                        active = active ?: p;
                        n_active++;
                }
        }
        if (n_active == 1) {
                c->plain = active;
                c->n_plain = 1;
        }
}

/* Where nothing is said to be the root, the one Linux partition is; or the root is in memory, with the disk's /usr in it. */
static int choose_root(Choice *c, Error *reterr) {
        const Candidate *root = c->places + DISK_ROOT, *usr = c->places + DISK_USR;
        int r;

        if (root->partition && usr->partition && root->architecture && usr->architecture &&
            !streq(root->architecture, usr->architecture))
                return error_set(
                        reterr, -EREMOTE, ERROR_NOT_A_ROOT,
                        "Image '%s' has a root partition for %s and a /usr partition for %s",
                        c->name, root->architecture, usr->architecture);
        if (root->partition || usr->partition)
                return 0;
        if (c->n_plain == 1) {
                c->places[DISK_ROOT].partition = c->plain;
                return 0;
        }
        if (c->n_plain > 1) {
                r = error_set(reterr, -ENOTUNIQ, ERROR_NOT_A_ROOT,
                              "Image '%s' has %u Linux partitions, and none is marked as the root",
                              c->name, c->n_plain);
                error_hint(
                        reterr,
                        c->facts->table == DISK_TABLE_GPT
                                ? "set the type of the right one: sfdisk --part-type IMAGE NUMBER "
                                  "4f68bce3-e8cd-4db1-96e7-fbcaf984b709 (for x86-64)"
                                : "mark the right one as active: sfdisk --activate IMAGE NUMBER");
                return r;
        }
        return error_set(reterr, -ENXIO, ERROR_NOT_A_ROOT,
                         "Image '%s' has no partition that a system could be on", c->name);
}

/* ---- checking ---- */

/* "partition 2 (root) of image '/x.raw'" */
static char *what_is(const Choice *c, DiskPlace place, const DiskPartition *p) {
        return p->number > 0 ? strf("Partition %u (%s) of image '%s'", p->number,
                                    disk_place_to_string(place), c->name)
                             : strf("Image '%s'", c->name);
}

static int check_flag(const char *what, const char *flag, bool set, unsigned on, unsigned off,
                      Error *reterr) {
        if (!on == !off || (set ? on : off))
                return 0;
        return error_set(reterr, -ERFKILL, ERROR_CONFLICT,
                         "%s %s its %s flag, and the image policy does not allow that", what,
                         set ? "has" : "lacks", flag);
}

/* 1: it is used, 0: it is left alone. */
static int check_policy(const Choice *c, const DiskPolicy *policy, DiskPlace place,
                        const DiskPartition *p, Error *reterr) {
        const unsigned uses = policy->uses[place];
        const bool encrypted = p && is_encrypted(p);
        int r;

        if (!p) {
                if ((uses & DISK_USE_ABSENT) || place == DISK_SWAP)
                        return 0;
                return error_set(reterr, -ERFKILL, ERROR_CONFLICT,
                                 "Image '%s' has no %s partition, and the image policy wants one",
                                 c->name, disk_place_to_string(place));
        }
        _cleanup_free_ char *what = what_is(c, place, p);
        if (!what)
                return error_oom(reterr);
        const bool verity = wants_verity(c, place),
                   signature = verity && (c->verity->signature || c->signature);
        if (verity ? (uses & DISK_USE_VERITY) || ((uses & DISK_USE_SIGNED) && signature)
                   : uses & (encrypted ? DISK_USE_LUKS : DISK_USE_UNPROTECTED)) {
                const uint64_t f = p->flags;
                r = check_flag(what, "read-only", f & DISK_FLAG_READ_ONLY,
                               uses & DISK_USE_READ_ONLY_ON, uses & DISK_USE_READ_ONLY_OFF, reterr);
                if (r >= 0)
                        r = check_flag(what, "growfs", f & DISK_FLAG_GROW, uses & DISK_USE_GROW_ON,
                                       uses & DISK_USE_GROW_OFF, reterr);
                return r < 0 ? r : 1;
        }
        if (uses & DISK_USE_UNUSED)
                return 0;
        if (verity && (uses & DISK_USE_SIGNED)) {
                r = error_set(reterr, -ERFKILL, ERROR_CONFLICT,
                              "%s has a root hash without a signature, and the image policy wants "
                              "one",
                              what);
                error_hint(reterr, "name it with --root-hash-sig=");
                return r;
        }
        if (verity)
                return error_set(reterr, -ERFKILL, ERROR_CONFLICT,
                                 "%s is protected by dm-verity, and the image policy does not "
                                 "allow that",
                                 what);
        if (uses & (DISK_USE_VERITY | DISK_USE_SIGNED)) {
                r = error_set(reterr, -ERFKILL, ERROR_CONFLICT,
                              "%s has to be protected by dm-verity, says the image policy, and "
                              "there is no root hash",
                              what);
                error_hint(reterr, "give it with --root-hash=, or in a file beside the image");
                return r;
        }
        return error_set(reterr, -ERFKILL, ERROR_CONFLICT,
                         "%s is %s, and the image policy does not allow that", what,
                         encrypted              ? "encrypted"
                         : uses & DISK_USE_LUKS ? "not encrypted"
                                                : "there");
}

static int check_file_system(const Choice *c, DiskPlace place, const DiskPartition *p,
                             Error *reterr) {
        const char *name = p->file_system;
        const bool boot = IN_SET(place, DISK_ESP, DISK_XBOOTLDR);
        _cleanup_free_ char *what = what_is(c, place, p);
        int r;

        if (!what)
                return error_oom(reterr);
        if (is_encrypted(p) && !boot) {
                if (!wants_verity(c, place))
                        return 0;
                return error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                                 "%s is protected by dm-verity and encrypted, which is not "
                                 "supported",
                                 what);
        }
        if (streq(name, ""))
                return error_set(reterr, -EUCLEAN, ERROR_NOT_A_ROOT,
                                 "%s holds no file system that is known", what);
        if (streq(name, "?"))
                return error_set(reterr, -EUCLEAN, ERROR_NOT_A_ROOT,
                                 "%s has the signatures of several file systems", what);
        ssize_t i = find_file_system(name);
        if (i >= 0 && file_systems[i].of_boot == boot)
                return 0;
        r = error_set(reterr, -EMEDIUMTYPE, ERROR_NOT_A_ROOT,
                      "%s holds the file system %s, which is not mounted there", what, name);
        error_hint(reterr,
                   boot ? "it has to be vfat" : "ext4, btrfs, xfs, erofs and squashfs are taken");
        return r;
}

/* What lies on top of another partition's bytes would be changed behind a file system's back. */
static int check_overlap(const Choice *c, const DiskPlan *plan, Error *reterr) {
        for (size_t i = 0; i < 2 * _DISK_PLACE_MAX; i++) {
                const DiskMount *m = plan->mounts + i / 2;
                const DiskPartition *p = i % 2 ? m->hashes : m->partition;
                for (size_t k = 0; p && k < c->facts->n_partitions; k++) {
                        const DiskPartition *o = c->facts->partitions + k;
                        if (o == p || o->offset >= p->offset + p->size ||
                            p->offset >= o->offset + o->size)
                                continue;
                        return error_set(reterr, -EUCLEAN, ERROR_NOT_A_ROOT,
                                         "Partitions %u and %u of image '%s' overlap", p->number,
                                         o->number, c->name);
                }
        }
        return 0;
}

/* Of a root in memory: as Volatile=yes has it, nothing else is kept, and /usr is not written. */
static void leave_usr(DiskPlan *plan) {
        for (DiskPlace place = 0; place < _DISK_PLACE_MAX; place++)
                if (place != DISK_USR)
                        plan->mounts[place] = (DiskMount){ 0 };
        plan->mounts[DISK_USR].read_only = true;
}

static void add_luks(unsigned uses, DiskMount *m) {
        m->encrypted = true;
        m->with_integrity = !(uses & DISK_USE_ENCRYPTED);
}

static void add_verity(const Choice *c, unsigned uses, DiskMount *m) {
        m->verity = true;
        m->hashes = c->hashes;
        m->signature = c->signature;
        m->must_be_signed = c->verity->must_be_signed || !(uses & DISK_USE_VERITY);
        m->read_only = true;
        m->grow = false;
}

int disk_decide(const char *name, const DiskFacts *facts, const DiskPolicy *policy,
                const DiskVerity *verity, const char *architecture, DiskPlan *ret, Error *reterr) {
        Choice c = { .name = name,
                     .facts = facts,
                     .native = architecture ?: disk_native_architecture(),
                     .verity = verity && verity->root_hash_size > 0 ? verity : NULL };
        DiskPlan plan = { 0 };

        if (!c.verity && facts->table == DISK_TABLE_GPT)
                adopt_signature(&c, policy);

        if (facts->table == DISK_TABLE_NONE)
                c.places[DISK_ROOT].partition = &facts->whole;
        for (size_t i = 0; facts->table == DISK_TABLE_GPT && i < facts->n_partitions; i++)
                consider_gpt(&c, facts->partitions + i);
        if (facts->table == DISK_TABLE_MBR)
                consider_mbr(&c);
        int r = check_verity(&c, reterr);
        if (r >= 0)
                r = choose_root(&c, reterr);
        for (DiskPlace place = 0; r >= 0 && place < _DISK_PLACE_MAX; place++) {
                const DiskPartition *p = c.places[place].partition;
                r = check_policy(&c, policy, place, p, reterr);
                if (r <= 0 || place == DISK_SWAP)
                        continue;
                r = check_file_system(&c, place, p, reterr);
                plan.mounts[place] = (DiskMount){
                        .partition = p,
                        .read_only = (p->flags & DISK_FLAG_READ_ONLY) ||
                                     disk_file_system_is_read_only(p->file_system),
                        .grow = p->flags & DISK_FLAG_GROW,
                };
                if (is_encrypted(p))
                        add_luks(policy->uses[place], plan.mounts + place);
                if (r >= 0 && wants_verity(&c, place))
                        add_verity(&c, policy->uses[place], plan.mounts + place);
        }
        if (r >= 0 && disk_plan_is_usr_only(&plan))
                leave_usr(&plan);
        else if (r >= 0 && !plan.mounts[DISK_ROOT].partition)
                r = error_set(reterr, -ERFKILL, ERROR_CONFLICT,
                              "The image policy leaves the root of image '%s' unused", name);
        if (r >= 0)
                r = check_overlap(&c, &plan, reterr);
        if (r < 0)
                return r;
        *ret = plan;
        return 0;
}

int disk_decide_inside(const char *name, DiskPlace place, const DiskPartition *outside,
                       const DiskFacts *inside, DiskPartition *ret, Error *reterr) {
        const Choice c = { .name = name, .facts = inside };
        DiskPartition p = { .number = outside->number,
                            .size = inside->size,
                            .flags = outside->flags,
                            .needs_check = inside->whole.needs_check };

        _cleanup_free_ char *what = what_is(&c, place, outside);
        if (!what)
                return error_oom(reterr);
        if (inside->table != DISK_TABLE_NONE || is_encrypted(&inside->whole))
                return error_set(reterr, -EMEDIUMTYPE, ERROR_NOT_A_ROOT,
                                 "%s has %s below its encryption, not a file system", what,
                                 inside->table != DISK_TABLE_NONE ? "a partition table"
                                                                  : "another one");
        memcpy(p.file_system, inside->whole.file_system, sizeof(p.file_system));
        int r = check_file_system(&c, place, &p, reterr);
        if (r >= 0)
                *ret = p;
        return r;
}
