/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Types of the field table for the user's mounts. All rows add to one list, whose order is theirs; so the first row prints it. */
#include "basic/alloc.h"
#include "basic/path.h"
#include "basic/strv.h"
#include "spec/spec-types.h"

enum {
        PART_SOURCE,
        PART_TARGET,
        PART_OPTIONS,
        PARTS_MAX
};

int type_parts_split(const char *value, size_t max, char ***ret) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        _cleanup_strv_free_ char **parts = NULL;
        size_t n = 0;

        for (const char *c = value;; c++) {
                if (*c == '\0' || *c == ':') {
                        _cleanup_free_ char *part = NULL;
                        if (n++ >= max)
                                return -EINVAL;
                        if (strbuf_finish(&b, &part) < 0 || strv_extend(&parts, part) < 0)
                                return -ENOMEM;
                        if (*c == '\0')
                                break;
                        continue;
                }
                if (*c == '\\' && *++c == '\0')
                        return -EINVAL;
                strbuf_add_bytes(&b, c, 1);
        }
        *ret = TAKE_PTR(parts);
        return 0;
}

/* The part with this number; "" if there are not so many. */
static const char *part(char *const *parts, size_t i) {
        return i < strv_length(parts) ? parts[i] : "";
}

void type_part_print(StrBuf *out, const char *s) {
        for (; *s; s++) {
                if (*s == ':' || *s == '\\')
                        strbuf_add(out, "\\");
                strbuf_add_bytes(out, s, 1);
        }
}

int type_path_take(const char *path, char **ret) {
        _cleanup_free_ char *simple = NULL;

        if (!path_is_absolute(path) || !path_is_valid(path))
                return -EINVAL;
        simple = path_simplify(path);
        if (!simple)
                return -ENOMEM;
        if (!path_is_normalized(simple))
                return -EINVAL;
        *ret = TAKE_PTR(simple);
        return 0;
}

int type_target_take(const char *path, char **ret, Error *reterr) {
        int r;

        r = type_path_take(path, ret);
        if (r == -ENOMEM)
                return error_oom(reterr);
        if (r < 0)
                return type_expected(reterr,
                                     "an absolute path without '..' as place in the container");
        if (streq(*ret, "/")) {
                *ret = mfree(*ret);
                return type_expected(reterr, "a place below the container's root");
        }
        return 0;
}

int type_mount_append(ContainerSpec *s, SpecMount *m, Error *reterr) {
        SpecMount *slot;

        if (s->n_mounts >= SPEC_MOUNTS_MAX)
                return type_too_many(reterr, SPEC_MOUNTS_MAX, "mounts");
        slot = ARRAY_APPEND(s->mounts, s->n_mounts);
        if (!slot)
                return error_oom(reterr);
        *slot = *m;
        *m = (SpecMount){ 0 };
        return 0;
}

static int bind_options_parse(const char *options, SpecMount *m, Error *reterr) {
        _cleanup_strv_free_ char **words = NULL;

        if (strv_split(&words, options, ",", 0) < 0)
                return error_oom(reterr);
        STRV_FOREACH(s, words) {
                if (streq(*s, "rbind"))
                        m->norecursive = false;
                else if (streq(*s, "norbind"))
                        m->norecursive = true;
                else if (streq(*s, "idmap"))
                        m->idmap = BIND_IDMAP;
                else if (streq(*s, "noidmap"))
                        m->idmap = BIND_NOIDMAP;
                else if (streq(*s, "rootidmap"))
                        m->idmap = BIND_ROOTIDMAP;
                else if (streq(*s, "owneridmap"))
                        m->idmap = BIND_OWNERIDMAP;
                else
                        return type_expected(
                                reterr,
                                "one or more of the options rbind, norbind, idmap, noidmap, rootidmap "
                                "and owneridmap behind the second ':'");
        }
        return 0;
}

/* "[-][+]SOURCE" */
static int bind_source_parse(const char *source, SpecMount *m, Error *reterr) {
        int r;

        for (; *source == '-' || *source == '+'; source++) {
                m->optional = m->optional || *source == '-';
                m->from_container = m->from_container || *source == '+';
        }
        if (*source == '\0' && !m->from_container && !m->optional)
                return 0; /* a temporary directory */
        r = type_path_take(source, &m->source);
        if (r == -ENOMEM)
                return error_oom(reterr);
        if (r < 0)
                return type_expected(reterr, "an absolute path without '..' as source");
        return 0;
}

static int bind_add(const SpecField *f, const char *value, void *at, bool read_only,
                    Error *reterr) {
        _cleanup_strv_free_ char **parts = NULL;
        _cleanup_(spec_mount_done) SpecMount m = { .kind = MOUNT_BIND, .read_only = read_only };
        int r;

        r = type_parts_split(value, PARTS_MAX, &parts);
        if (r == -ENOMEM)
                return error_oom(reterr);
        if (r < 0)
                return type_expected(reterr, "SOURCE[:TARGET[:OPTIONS]]");
        const char *target = part(parts, PART_TARGET);
        r = bind_source_parse(part(parts, PART_SOURCE), &m, reterr);
        if (r < 0)
                return r;
        if (!m.source && isempty(target))
                return type_expected(reterr, "SOURCE[:TARGET[:OPTIONS]]");
        r = type_target_take(isempty(target) ? m.source : target, &m.target, reterr);
        if (r < 0)
                return r;
        r = bind_options_parse(part(parts, PART_OPTIONS), &m, reterr);
        if (r < 0)
                return r;
        return type_mount_append(type_spec(f, at), &m, reterr);
}

static int bind_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        return bind_add(f, value, at, /* read_only= */ false, reterr);
}

static int bind_read_only_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        return bind_add(f, value, at, /* read_only= */ true, reterr);
}

static void bind_print(const SpecMount *m, StrBuf *out) {
        static const char *const idmap_words[_BIND_IDMAP_MAX] = {
                [BIND_IDMAP] = "idmap",
                [BIND_ROOTIDMAP] = "rootidmap",
                [BIND_OWNERIDMAP] = "owneridmap",
        };
        const char *idmap = idmap_words[m->idmap];

        strbuf_addf(out, "%s=%s%s", m->read_only ? "BindReadOnly" : "Bind", m->optional ? "-" : "",
                    m->from_container ? "+" : "");
        type_part_print(out, strempty(m->source));
        strbuf_add(out, ":");
        type_part_print(out, m->target);
        if (m->norecursive || idmap)
                strbuf_addf(out, ":%s%s%s", m->norecursive ? "norbind" : "",
                            m->norecursive && idmap ? "," : "", strempty(idmap));
        strbuf_add(out, "\n");
}

static int mounts_print(const SpecField *f, const void *at, StrBuf *out) {
        const ContainerSpec *s = type_const_spec(f, at);

        for (size_t i = 0; i < s->n_mounts; i++) {
                const SpecMount *m = s->mounts + i;

                switch (m->kind) {
                case MOUNT_BIND:
                        bind_print(m, out);
                        break;
                case MOUNT_TMPFS:
                        strbuf_add(out, "TemporaryFileSystem=");
                        type_part_print(out, m->target);
                        if (m->options)
                                strbuf_addf(out, ":%s", m->options);
                        strbuf_add(out, "\n");
                        break;
                case MOUNT_INACCESSIBLE:
                        strbuf_addf(out, "Inaccessible=%s\n", m->target);
                        break;
                case MOUNT_OVERLAY:
                        type_overlay_print(m, out);
                        break;
                default:
                        return -EINVAL;
                }
        }
        return 0;
}

static int nothing_print(const SpecField *f, const void *at, StrBuf *out) {
        return 0;
}

void type_mounts_remove(ContainerSpec *s, MountKind kind, bool read_only) {
        size_t n = 0;

        for (size_t i = 0; i < s->n_mounts; i++) {
                SpecMount *m = s->mounts + i;

                if (m->kind == kind && m->read_only == read_only)
                        spec_mount_done(m);
                else
                        s->mounts[n++] = *m;
        }
        s->n_mounts = n;
        if (n == 0)
                s->mounts = mfree(s->mounts);
}

static void bind_clear(const SpecField *f, void *at) {
        type_mounts_remove(type_spec(f, at), MOUNT_BIND, /* read_only= */ false);
}

static void bind_read_only_clear(const SpecField *f, void *at) {
        type_mounts_remove(type_spec(f, at), MOUNT_BIND, /* read_only= */ true);
}

const FieldType field_bind = { "as", bind_parse, mounts_print, bind_clear };
const FieldType field_bind_read_only = { "as", bind_read_only_parse, nothing_print,
                                         bind_read_only_clear };

/* A word "name" or "name=value" of a tmpfs. Values are checked by the kernel, but for characters that would end them. */
static bool tmpfs_word_is_valid(const char *word) {
        static const char flags[] =
                " ro rw exec noexec suid nosuid nodev atime noatime relatime norelatime strictatime "
                "nodiratime diratime nosymfollow noswap inode32 inode64 ";
        static const char with_value[] = " size nr_blocks nr_inodes mode uid gid huge ";
        _cleanup_free_ char *name = NULL;
        const char *equals = strchr(word, '=');

        if (!equals)
                return type_word_in(flags, word);
        name = strndup(word, (size_t) (equals - word));
        return name && type_word_in(with_value, name) && equals[1] != '\0' &&
               equals[1 + strspn(equals + 1, "0123456789abcdefghijklmnopqrstuvwxyzKMGTPE%._")] ==
                       '\0';
}

static int tmpfs_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        _cleanup_(spec_mount_done) SpecMount m = { .kind = MOUNT_TMPFS };
        _cleanup_strv_free_ char **parts = NULL, **words = NULL;
        int r;

        r = type_parts_split(value, /* max= */ 2, &parts);
        if (r == -ENOMEM)
                return error_oom(reterr);
        if (r < 0)
                return type_expected(reterr, "PATH[:OPTIONS]");
        r = type_target_take(parts[0], &m.target, reterr);
        if (r < 0)
                return r;
        if (strv_split(&words, part(parts, 1), ",", 0) < 0)
                return error_oom(reterr);
        STRV_FOREACH(s, words)
                if (!tmpfs_word_is_valid(*s))
                        return type_expected(
                                reterr,
                                "options of tmpfs(5) like mode=0755,size=10M,noexec behind the ':'");
        if (!strv_isempty(words)) {
                m.options = strv_join(words, ",");
                if (!m.options)
                        return error_oom(reterr);
        }
        return type_mount_append(type_spec(f, at), &m, reterr);
}

static void tmpfs_clear(const SpecField *f, void *at) {
        type_mounts_remove(type_spec(f, at), MOUNT_TMPFS, /* read_only= */ false);
}

const FieldType field_tmpfs = { "as", tmpfs_parse, nothing_print, tmpfs_clear };

static int inaccessible_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        _cleanup_(spec_mount_done) SpecMount m = { .kind = MOUNT_INACCESSIBLE };
        int r;

        r = type_target_take(value, &m.target, reterr);
        if (r < 0)
                return r;
        return type_mount_append(type_spec(f, at), &m, reterr);
}

static void inaccessible_clear(const SpecField *f, void *at) {
        type_mounts_remove(type_spec(f, at), MOUNT_INACCESSIBLE, /* read_only= */ false);
}

const FieldType field_inaccessible = { "as", inaccessible_parse, nothing_print,
                                       inaccessible_clear };
