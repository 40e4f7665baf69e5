/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Archives by libarchive(3): access lists. */
#include <endian.h>

#include "archive/archive-library.h"
#include "basic/alloc.h"

/* Of archive_entry_acl(3) */
#define TYPE_ACCESS 0x100
#define TYPE_DEFAULT 0x200
#define PERMISSIONS 7

/* xattr(7), acl(5): a version, then the entries, all little-endian, in the order of this table */
#define ACL_VERSION 2U
#define ACL_ENTRIES_MAX 1024U
#define ID_NONE UINT32_MAX
typedef struct AclEntry {
        uint16_t tag, permissions;
        uint32_t id;
} AclEntry;

static const struct Tag {
        uint16_t tag; /* of the attribute */
        int archive;  /* of the library */
        bool has_id;
} tags[] = {
        { 0x01, 10002, false }, /* the owner */
        { 0x02, 10001, true },  /* a user */
        { 0x04, 10004, false }, /* the owning group */
        { 0x08, 10003, true },  /* a group */
        { 0x10, 10005, false }, /* mask */
        { 0x20, 10006, false }, /* others */
};

static int add_entries(const Archive *a, void *entry, int want, const struct Tag *t, AclEntry *list,
                       size_t *n) {
        int type, permissions, tag, id;
        const char *name;
        (void) CALL(a, Fn_i_hi, "archive_entry_acl_reset")(entry, want); /* was counted before */
        while (CALL(a, Fn_i_hipppps, "archive_entry_acl_next")(entry, want, &type, &permissions,
                                                               &tag, &id, &name) == 0) {
                if (tag != t->archive || (t->has_id && id < 0))
                        continue; /* names without number are of another system */
                if (*n >= ACL_ENTRIES_MAX)
                        return -E2BIG;
                list[(*n)++] = (AclEntry){
                        .tag = htole16(t->tag),
                        .permissions = htole16((uint16_t) (permissions & PERMISSIONS)),
                        .id = htole32(t->has_id ? (uint32_t) id : ID_NONE),
                };
        }
        return 0;
}

int archive_acl_get(const Archive *a, void *entry, bool of_default, void **ret, size_t *ret_size) {
        const int want = of_default ? TYPE_DEFAULT : TYPE_ACCESS;
        const uint32_t version = htole32(ACL_VERSION);
        size_t n = 0;
        int r = 0;
        if (CALL(a, Fn_i_hi, "archive_entry_acl_reset")(entry, want) <= 0)
                return 0;
        _cleanup_free_ AclEntry *list = new0(AclEntry, ACL_ENTRIES_MAX);
        if (!list)
                return -ENOMEM;
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(tags); i++)
                r = add_entries(a, entry, want, tags + i, list, &n);
        if (r < 0 || n == 0)
                return r;
        char *value = malloc(sizeof(version) + n * sizeof(AclEntry));
        if (!value)
                return -ENOMEM;
        memcpy(value, &version, sizeof(version));
        memcpy(value + sizeof(version), list, n * sizeof(AclEntry));
        *ret = value;
        *ret_size = sizeof(version) + n * sizeof(AclEntry);
        return 1;
}

int archive_acl_set(const Archive *a, void *entry, bool of_default, const void *value,
                    size_t size) {
        uint32_t version;
        const char *p = value;
        if (size < sizeof(version) || (size - sizeof(version)) % sizeof(AclEntry) != 0)
                return -EBADMSG;
        memcpy(&version, p, sizeof(version));
        if (le32toh(version) != ACL_VERSION)
                return -EBADMSG;
        for (size_t at = sizeof(version); at < size; at += sizeof(AclEntry)) {
                AclEntry e;
                memcpy(&e, p + at, sizeof(e));
                for (size_t i = 0; i < ELEMENTSOF(tags); i++)
                        if (le16toh(e.tag) == tags[i].tag)
                                (void) CALL(a, Fn_i_hiiiis, "archive_entry_acl_add_entry")(
                                        entry, of_default ? TYPE_DEFAULT : TYPE_ACCESS,
                                        le16toh(e.permissions) & PERMISSIONS, tags[i].archive,
                                        tags[i].has_id ? (int) le32toh(e.id) : -1,
                                        NULL); /* fails for lack of memory, which the next call tells */
        }
        return 0;
}
