/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Image policies: which partitions an image must, may and must not have, and how they have to be protected (systemd.image-policy(7)). */
#include "basic/str.h"
#include "basic/strv.h"
#include "image/disk.h"

#define POLICY_MAX 4096U /* bytes */

static const char *const disk_place_table[_DISK_PLACE_MAX] = {
        [DISK_ROOT] = "root", [DISK_USR] = "usr",   [DISK_HOME] = "home",
        [DISK_SRV] = "srv",   [DISK_VAR] = "var",   [DISK_TMP] = "tmp",
        [DISK_ESP] = "esp",   [DISK_SWAP] = "swap", [DISK_XBOOTLDR] = "xbootldr",
};
DEFINE_STRING_TABLE_LOOKUP(disk_place, DiskPlace)

/* Words of policies that say nothing of what is mounted here: partitions that carry the protection of others. */
static const char *const other_places[] = {
        "root-verity",
        "root-verity-sig",
        "usr-verity",
        "usr-verity-sig",
};

static const struct {
        const char *word;
        unsigned uses;
} words_of_use[] = {
        { "verity", DISK_USE_VERITY },
        { "signed", DISK_USE_SIGNED },
        { "encrypted", DISK_USE_ENCRYPTED },
        { "encryptedwithintegrity", DISK_USE_INTEGRITY },
        { "unprotected", DISK_USE_UNPROTECTED },
        { "unused", DISK_USE_UNUSED },
        { "absent", DISK_USE_ABSENT },
        { "open", DISK_USE_OPEN },
        { "ignore", DISK_USE_IGNORE },
        { "read-only-on", DISK_USE_READ_ONLY_ON },
        { "read-only-off", DISK_USE_READ_ONLY_OFF },
        { "growfs-on", DISK_USE_GROW_ON },
        { "growfs-off", DISK_USE_GROW_OFF },
};

#define PLAIN_OR_ENCRYPTED (DISK_USE_LUKS | DISK_USE_UNPROTECTED | DISK_USE_ABSENT)
#define ANY_PROTECTION (DISK_USE_VERITY | DISK_USE_SIGNED | PLAIN_OR_ENCRYPTED)

/* systemd-nspawn's */
static const DiskPolicy policy_of_containers = {
        .uses = {
                [DISK_ROOT] = ANY_PROTECTION,
                [DISK_USR] = ANY_PROTECTION,
                [DISK_HOME] = PLAIN_OR_ENCRYPTED,
                [DISK_SRV] = PLAIN_OR_ENCRYPTED,
                [DISK_VAR] = PLAIN_OR_ENCRYPTED,
                [DISK_TMP] = PLAIN_OR_ENCRYPTED,
                [DISK_XBOOTLDR] = DISK_USE_UNPROTECTED | DISK_USE_ABSENT,
                [DISK_ESP] = DISK_USE_UNPROTECTED | DISK_USE_ABSENT,
                [DISK_SWAP] = DISK_USE_IGNORE,
        },
};

/* Flags that say nothing of presence leave that open, as systemd has it. */
static unsigned complete(unsigned uses) {
        return uses & DISK_USE_OPEN ? uses : uses | DISK_USE_OPEN;
}

static int read_uses(const char *text, unsigned *ret, Error *reterr) {
        _cleanup_strv_free_ char **words = NULL;
        unsigned uses = 0;

        if (strv_split(&words, text, "+", 0) < 0)
                return error_oom(reterr);
        STRV_FOREACH(w, words) {
                size_t i = 0;
                while (i < ELEMENTSOF(words_of_use) && !streq(*w, words_of_use[i].word))
                        i++;
                if (i == ELEMENTSOF(words_of_use))
                        return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                         "'%s' is no word of an image policy", *w);
                uses |= words_of_use[i].uses;
        }
        if (uses == 0)
                return error_set(
                        reterr, -EINVAL, ERROR_INVALID_SETTING,
                        "words like verity, unprotected or absent are expected behind '='");
        *ret = complete(uses);
        return 0;
}

/* One "PLACE=USE+USE"; *rest: for places that are not named. */
static int read_rule(const char *rule, DiskPolicy *p, unsigned *named, unsigned *rest,
                     Error *reterr) {
        const char *equals = strchr(rule, '=');
        unsigned uses = 0;

        if (!equals)
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                 "a policy has the form PARTITION=USE+USE:…");
        int r = read_uses(equals + 1, &uses, reterr);
        if (r < 0)
                return r;
        _cleanup_free_ char *word = strndup(rule, (size_t) (equals - rule));
        if (!word)
                return error_oom(reterr);
        if (word[0] == '\0') {
                if (*rest != 0)
                        return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                         "it says twice what holds for all other partitions");
                *rest = uses;
                return 0;
        }
        if (string_table_lookup(other_places, ELEMENTSOF(other_places), word) >= 0)
                return 0;
        DiskPlace place = disk_place_from_string(word);
        if (place < 0)
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                 "'%s' is no partition: root, usr, home, srv, var, tmp, esp, "
                                 "xbootldr or swap is expected",
                                 word);
        if (*named & (1U << place))
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                 "partition '%s' is named twice", word);
        *named |= 1U << place;
        p->uses[place] = uses;
        return 0;
}

int disk_policy_parse(const char *text, DiskPolicy *ret, Error *reterr) {
        _cleanup_strv_free_ char **rules = NULL;
        DiskPolicy p = { 0 };
        unsigned named = 0, rest = 0;

        if (!text) {
                *ret = policy_of_containers;
                return 0;
        }
        if (strlen(text) > POLICY_MAX)
                return error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED, "at most %u bytes are taken",
                                 POLICY_MAX);
        if (streq(text, "*"))
                rest = DISK_USE_OPEN;
        else if (streq(text, "-"))
                rest = DISK_USE_IGNORE;
        else if (streq(text, "~"))
                rest = DISK_USE_ABSENT;
        else {
                if (strv_split(&rules, text, ":", 0) < 0)
                        return error_oom(reterr);
                if (strv_isempty(rules))
                        return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                         "a policy has the form PARTITION=USE+USE:…");
                STRV_FOREACH(rule, rules) {
                        int r = read_rule(*rule, &p, &named, &rest, reterr);
                        if (r < 0)
                                return r;
                }
        }
        if (rest == 0)
                rest = DISK_USE_IGNORE;
        for (size_t i = 0; i < _DISK_PLACE_MAX; i++)
                if (!(named & (1U << i)))
                        p.uses[i] = rest;
        *ret = p;
        return 0;
}
