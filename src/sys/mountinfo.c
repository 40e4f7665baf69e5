/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading mountinfo: "36 35 98:0 /root /mount/point rw,noatime master:1 - ext4 /dev/sda rw", where blanks in names are "\040". */
#include "sys/mountinfo.h"

#include <stdio.h>
#include <sys/sysmacros.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/path.h"
#include "basic/str.h"

void mount_table_done(MountTable *t) {
        free(t->entries);
        free(t->text);
        *t = (MountTable){ 0 };
}

/* Cuts the next word off, and undoes its escapes in place: three octal digits each. */
static char *take_word(char **p) {
        char *word = *p, *to = word;
        const char *from = word;
        if (*from == '\0')
                return NULL;
        for (; *from != ' ' && *from != '\0'; from++) {
                if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' &&
                    from[2] <= '7' && from[3] >= '0' && from[3] <= '7') {
                        *to++ = (char) ((from[1] - '0') * 64 + (from[2] - '0') * 8 + from[3] - '0');
                        from += 3;
                } else
                        *to++ = *from;
        }
        *p += from - word + (*from == ' ');
        *to = '\0';
        return word;
}

static int parse_line(char *line, MountEntry *ret) {
        unsigned major_number, minor_number;
        char end;
        const char *id = take_word(&line);
        (void) take_word(&line); /* the parent */
        const char *device = take_word(&line), *root = take_word(&line),
                   *mount_point = take_word(&line), *options = take_word(&line);
        if (!id || !device || !options ||
            sscanf(device, "%u:%u%c", &major_number, &minor_number, &end) != 2 ||
            sscanf(id, "%d%c", &ret->id, &end) != 1)
                return -EBADMSG;
        ret->device = makedev(major_number, minor_number);
        ret->root = root;
        ret->mount_point = mount_point;
        ret->read_only = startswith(options, "ro") && (options[2] == ',' || options[2] == '\0');
        return 0;
}

int mount_table_parse(char *text, MountTable *ret) {
        _cleanup_(mount_table_done) MountTable t = { .text = text };
        size_t n = 0;
        for (const char *p = text; *p; p++)
                n += *p == '\n';
        t.entries = new0(MountEntry, n + 1);
        if (!t.entries)
                return -ENOMEM;
        for (char *line = text, *end; *line; line = end + 1) {
                end = strchr(line, '\n');
                if (!end)
                        return -EBADMSG; /* cut off */
                *end = '\0';
                int r = parse_line(line, t.entries + t.n_entries);
                if (r < 0)
                        return r;
                t.n_entries++;
        }
        *ret = t;
        t = (MountTable){ 0 };
        return 0;
}

int mount_table_read(int fd, MountTable *ret) {
        char *text = NULL;
        size_t size;
        int r = fd_read_all(fd, MOUNTINFO_SIZE_MAX, &text, &size);
        return r < 0 ? r : mount_table_parse(text, ret);
}

const MountEntry *mount_table_by_id(const MountTable *t, int id) {
        for (size_t i = 0; i < t->n_entries; i++)
                if (t->entries[i].id == id)
                        return t->entries + i;
        return NULL;
}

const MountEntry *mount_table_at(const MountTable *t, const char *mount_point) {
        for (size_t i = t->n_entries; i > 0; i--)
                if (streq(t->entries[i - 1].mount_point, mount_point))
                        return t->entries + i - 1;
        return NULL;
}

int mount_table_find_path(const MountTable *t, const MountEntry *e, char **ret) {
        const MountEntry *best = NULL;
        const char *best_rest = NULL;
        *ret = NULL;
        for (size_t i = 0; i < t->n_entries; i++) {
                const MountEntry *other = t->entries + i;
                const char *rest =
                        other->device == e->device ? path_startswith(e->root, other->root) : NULL;
                /* the nearest one; of several the first, which is the oldest */
                if (rest && (!best || strlen(other->root) > strlen(best->root))) {
                        best = other;
                        best_rest = rest;
                }
        }
        if (!best)
                return 0;
        *ret = best_rest[0] ? path_join(best->mount_point, best_rest) : strdup(best->mount_point);
        return *ret ? 0 : -ENOMEM;
}
