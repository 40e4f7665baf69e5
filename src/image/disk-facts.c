/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What was found on a disk, as text and back.
 *
 *   size=10485760 sector=512 table=gpt
 *   whole=ext4 0
 *   partition=1 1048576 8388608 TYPE UUID FLAGS FILESYSTEM CHECK LABEL
 *   signature=HASH SIGNATURE
 *
 * TYPE is a UUID with a GPT; with an MBR two hexadecimal digits, "*" behind them if it is active. FILESYSTEM "-" is none. LABEL is escaped, and
 * may be empty. A signature is of the partition before it: hexadecimal, base64. */
#include "image/disk-signature.h"

#include <inttypes.h>
#include <stdio.h>

#include "basic/alloc.h"
#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"

static const char *const disk_table_table[_DISK_TABLE_MAX] = {
        [DISK_TABLE_NONE] = "none",
        [DISK_TABLE_GPT] = "gpt",
        [DISK_TABLE_MBR] = "mbr",
};
DEFINE_STRING_TABLE_LOOKUP(disk_table, DiskTable)

void disk_facts_done(DiskFacts *f) {
        for (size_t i = 0; i < f->n_partitions; i++) {
                free(f->partitions[i].label);
                free(f->partitions[i].root_hash);
                free(f->partitions[i].signature);
        }
        free(f->partitions);
        *f = (DiskFacts){ 0 };
}

/* ---- printing ---- */

static const char *word_or_dash(const char *s) {
        return s[0] ? s : "-";
}

int disk_facts_print(const DiskFacts *f, char **ret) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        char type[ID128_UUID_MAX], uuid[ID128_UUID_MAX];

        strbuf_addf(&b, "size=%" PRIu64 " %" PRIu32 " %s\n", f->size, f->sector_size,
                    disk_table_to_string(f->table));
        strbuf_addf(&b, "whole=%s %d\n", word_or_dash(f->whole.file_system), f->whole.needs_check);
        for (size_t i = 0; i < f->n_partitions; i++) {
                const DiskPartition *p = f->partitions + i;
                _cleanup_free_ char *label = str_escape(strempty(p->label));
                if (!label)
                        return -ENOMEM;
                if (f->table == DISK_TABLE_MBR)
                        (void) snprintf(type, sizeof(type), "%02x%s", p->mbr_type,
                                        p->mbr_active ? "*" : ""); /* it fits */
                else
                        (void) id128_to_uuid(p->type, type);
                strbuf_addf(&b, "partition=%u %" PRIu64 " %" PRIu64 " %s %s %" PRIu64 " %s %d %s\n",
                            p->number, p->offset, p->size, type, id128_to_uuid(p->uuid, uuid),
                            p->flags, word_or_dash(p->file_system), p->needs_check, label);
                if (p->signature)
                        strbuf_addf(&b, "signature=%s %s\n", p->root_hash, p->signature);
        }
        return strbuf_finish(&b, ret);
}

/* ---- reading ---- */

static int read_file_system(const char *word, char ret[static DISK_FILE_SYSTEM_MAX]) {
        if (streq(word, "-"))
                word = "";
        for (const char *s = word; *s; s++)
                if (!ascii_is_alnum(*s) && !IN_SET(*s, '_', '?'))
                        return -EBADMSG;
        if (strlen(word) >= DISK_FILE_SYSTEM_MAX)
                return -EBADMSG;
        memcpy(ret, word, strlen(word) + 1);
        return 0;
}

static int read_bool(const char *word, bool *ret) {
        if (!streq(word, "0") && !streq(word, "1"))
                return -EBADMSG;
        *ret = word[0] == '1';
        return 0;
}

static int read_mbr_type(const char *word, DiskPartition *p) {
        const int high = ascii_hex_value(word[0]), low = high < 0 ? -1 : ascii_hex_value(word[1]);
        if (low < 0)
                return -EBADMSG;
        p->mbr_type = (uint8_t) (high * 16 + low);
        p->mbr_active = word[2] == '*';
        return word[2 + p->mbr_active] ? -EBADMSG : 0;
}

/* A place on the disk, whole sectors. */
static int check_extent(const DiskFacts *f, const DiskPartition *p) {
        if (p->number == 0 || p->size == 0 || p->offset == 0 || p->offset > f->size ||
            p->size > f->size - p->offset || p->offset % f->sector_size != 0 ||
            p->size % f->sector_size != 0)
                return -EBADMSG;
        for (size_t i = 0; i < f->n_partitions; i++)
                if (f->partitions[i].number == p->number)
                        return -EBADMSG;
        return 0;
}

static int read_partition(const char *text, DiskFacts *f) {
        enum {
                NUMBER,
                OFFSET,
                SIZE,
                TYPE,
                UUID,
                FLAGS,
                FILE_SYSTEM,
                CHECK,
                _WORDS
        };
        _cleanup_strv_free_ char **words = NULL;
        _cleanup_free_ char *label = NULL;
        DiskPartition p = { 0 };
        uint32_t number = 0;

        for (int i = 0; i < _WORDS; i++) {
                const size_t n = strcspn(text, " ");
                if (text[n] != ' ')
                        return -EBADMSG;
                if (strv_consume(&words, strndup(text, n)) < 0)
                        return -ENOMEM;
                text += n + 1;
        }
        int r = parse_u32(words[NUMBER], &number);
        p.number = number;
        if (r >= 0)
                r = parse_u64(words[OFFSET], &p.offset);
        if (r >= 0)
                r = parse_u64(words[SIZE], &p.size);
        if (r >= 0)
                r = f->table == DISK_TABLE_MBR ? read_mbr_type(words[TYPE], &p)
                                               : id128_parse(words[TYPE], &p.type);
        if (r >= 0)
                r = id128_parse(words[UUID], &p.uuid);
        if (r >= 0)
                r = parse_u64(words[FLAGS], &p.flags);
        if (r >= 0)
                r = read_file_system(words[FILE_SYSTEM], p.file_system);
        if (r >= 0)
                r = read_bool(words[CHECK], &p.needs_check);
        if (r >= 0)
                r = check_extent(f, &p);
        if (r >= 0)
                r = strlen(text) > 4 * DISK_LABEL_MAX ? -EBADMSG : str_unescape(text, &label);
        if (r < 0)
                return r == -ENOMEM ? r : -EBADMSG;
        if (label[0])
                p.label = label;
        DiskPartition *added = ARRAY_APPEND(f->partitions, f->n_partitions);
        if (!added)
                return -ENOMEM;
        *added = p;
        if (p.label)
                label = NULL; /* the partition's */
        return 0;
}

static int read_size(const char *text, DiskFacts *f) {
        _cleanup_strv_free_ char **words = NULL;

        if (f->sector_size != 0)
                return -EBADMSG; /* once, and first */
        int r = strv_split(&words, text, " ", 0);
        if (r < 0 || strv_length(words) != 3)
                return r == -ENOMEM ? r : -EBADMSG;
        f->table = disk_table_from_string(words[2]);
        if (f->table < 0 || parse_u64(words[0], &f->size) < 0 ||
            parse_u32(words[1], &f->sector_size) < 0 ||
            !IN_SET(f->sector_size, 512U, 1024U, 2048U, 4096U) || f->size > INT64_MAX)
                return -EBADMSG;
        f->whole.size = f->size;
        return 0;
}

static int read_whole(const char *text, DiskFacts *f) {
        _cleanup_strv_free_ char **words = NULL;
        int r = strv_split(&words, text, " ", 0);
        if (r < 0 || strv_length(words) != 2)
                return r == -ENOMEM ? r : -EBADMSG;
        r = read_file_system(words[0], f->whole.file_system);
        return r < 0 ? r : read_bool(words[1], &f->whole.needs_check);
}

static int read_signature(const char *text, DiskFacts *f) {
        DiskPartition *p = f->n_partitions > 0 ? f->partitions + f->n_partitions - 1 : NULL;
        _cleanup_strv_free_ char **words = NULL;
        _cleanup_free_ char *bytes = NULL;
        uint8_t hash[DISK_HASH_MAX];
        size_t size;

        int r = strv_split(&words, text, " ", 0);
        if (r < 0 || strv_length(words) != 2 || !p || p->signature)
                return r == -ENOMEM ? r : -EBADMSG;
        r = disk_hash_parse(words[0], hash, &size);
        if (r >= 0)
                r = disk_base64_decode(words[1], &bytes, &size);
        if (r < 0)
                return r == -ENOMEM ? r : -EBADMSG;
        p->root_hash = TAKE_PTR(words[0]);
        p->signature = TAKE_PTR(words[1]);
        return 0;
}

static int read_line(const char *line, DiskFacts *f) {
        const char *rest = startswith(line, "size=");
        if (rest)
                return read_size(rest, f);
        if (f->sector_size == 0)
                return -EBADMSG;
        rest = startswith(line, "whole=");
        if (rest)
                return read_whole(rest, f);
        rest = startswith(line, "signature=");
        if (rest)
                return read_signature(rest, f);
        rest = startswith(line, "partition=");
        return rest && f->table != DISK_TABLE_NONE && f->n_partitions < DISK_PARTITIONS_MAX
                       ? read_partition(rest, f)
                       : -EBADMSG;
}

int disk_facts_parse(const char *text, DiskFacts *ret) {
        _cleanup_(disk_facts_done) DiskFacts f = { 0 };

        if (strlen(text) > DISK_FACTS_MAX)
                return -EBADMSG;
        while (*text) {
                const size_t n = strcspn(text, "\n");
                if (text[n] != '\n')
                        return -EBADMSG;
                _cleanup_free_ char *line = strndup(text, n);
                int r = line ? read_line(line, &f) : -ENOMEM;
                if (r < 0)
                        return r;
                text += n + 1;
        }
        if (f.sector_size == 0)
                return -EBADMSG;
        *ret = f;
        f = (DiskFacts){ 0 };
        return 0;
}
