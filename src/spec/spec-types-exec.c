/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Types of the field table for what is executed and what it may do: words, environment, user ids, capabilities, filters. */
#include "basic/parse.h"
#include "basic/path.h"
#include "basic/strv.h"
#include "spec/address-families.h"
#include "spec/spec-types.h"
#include "sys/caps.h"

static void strv_clear(const SpecField *f, void *at) {
        char ***l = at;

        *l = strv_free(*l);
}

/* Splits quoted words. A wrong one is an Error. */
static int words_split(const char *value, char ***ret, Error *reterr) {
        int r;

        r = strv_split(ret, value, NULL, WORD_UNQUOTE);
        if (r == -ENOMEM)
                return error_oom(reterr);
        if (r < 0)
                return type_expected(reterr, "a list of words with balanced quotes and known "
                                             "escapes (write a backslash as \\\\)");
        return 0;
}

static int words_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        _cleanup_strv_free_ char **words = NULL;
        char ***l = at;
        int r;

        r = words_split(value, &words, reterr);
        if (r < 0)
                return r;
        if (strv_length(*l) + strv_length(words) > SPEC_ARGV_MAX)
                return type_too_many(reterr, SPEC_ARGV_MAX, "words");
        if (strv_isempty(words))
                return 0;
        return strv_extend_strv(l, words) < 0 ? error_oom(reterr) : 0;
}

static int words_print(const SpecField *f, const void *at, StrBuf *out) {
        char *const *l = *(char *const *const *) at;

        if (strv_isempty(l))
                return 0;
        strbuf_addf(out, "%s=", f->key);
        STRV_FOREACH(s, l) {
                _cleanup_free_ char *quoted = quote_word(*s);

                if (!quoted)
                        return -ENOMEM;
                strbuf_add(out, s == l ? "" : " ");
                strbuf_add(out, quoted);
        }
        strbuf_add(out, "\n");
        return 0;
}

const FieldType field_words = { "as", words_parse, words_print, strv_clear };

static int environment_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        _cleanup_strv_free_ char **words = NULL;
        char ***l = at;
        int r;

        r = words_split(value, &words, reterr);
        if (r < 0)
                return r;
        STRV_FOREACH(s, words)
                if (!env_assignment_is_valid(*s))
                        return type_expected(reterr,
                                             "NAME=VALUE, the name of letters, digits and '_',");
        if (strv_length(*l) + strv_length(words) > SPEC_ARGV_MAX)
                return type_too_many(reterr, SPEC_ARGV_MAX, "variables");
        STRV_FOREACH(s, words)
                if (strv_env_replace(l, *s) < 0)
                        return error_oom(reterr);
        return 0;
}

static int environment_print(const SpecField *f, const void *at, StrBuf *out) {
        STRV_FOREACH(s, *(char *const *const *) at) {
                _cleanup_free_ char *quoted = quote_word(*s);

                if (!quoted)
                        return -ENOMEM;
                strbuf_addf(out, "%s=%s\n", f->key, quoted);
        }
        return 0;
}

const FieldType field_environment = { "as", environment_parse, environment_print, strv_clear };

/* "UID[:COUNT]" */
static int id_range_parse(const char *value, uint32_t *ret_base, uint32_t *ret_count) {
        _cleanup_free_ char *base_text = NULL;
        uint32_t count = SPEC_IDS_MAX;
        const char *colon = strchr(value, ':');
        uid_t base;

        base_text = colon ? strndup(value, (size_t) (colon - value)) : strdup(value);
        if (!base_text)
                return -ENOMEM;
        if (parse_uid(base_text, &base) < 0 || (colon && parse_u32(colon + 1, &count) < 0))
                return -EINVAL;
        /* 4294967295 is "no id" to the kernel, so it cannot be the last of a range. */
        if (count == 0 || count > UINT32_MAX - base)
                return -ERANGE;
        *ret_base = base;
        *ret_count = count;
        return 0;
}

static int private_users_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        ContainerSpec *s = type_spec(f, at);
        uint32_t base = 0, count = 0;
        UsernsMode mode;
        int r;

        if (streq(value, "managed"))
                return type_unsupported(reterr);
        r = parse_boolean(value);
        if (r >= 0)
                mode = r > 0 ? USERNS_YES : USERNS_NO;
        else if (IN_SET(userns_mode_from_string(value), USERNS_PICK, USERNS_IDENTITY))
                mode = userns_mode_from_string(value);
        else {
                r = id_range_parse(value, &base, &count);
                if (r == -ENOMEM)
                        return error_oom(reterr);
                if (r == -ERANGE)
                        return type_expected(
                                reterr, "a range of at least one id that ends below 4294967295");
                if (r < 0)
                        return type_expected(reterr, "yes, no, pick, identity or UID[:COUNT]");
                mode = USERNS_RANGE;
        }
        s->users.mode = mode;
        s->users.base = base;
        s->users.count = count;
        return 0;
}

static int private_users_print(const SpecField *f, const void *at, StrBuf *out) {
        const ContainerSpec *s = type_const_spec(f, at);

        if (s->users.mode == USERNS_RANGE)
                strbuf_addf(out, "%s=%u:%u\n", f->key, s->users.base, s->users.count);
        else if (s->users.mode != USERNS_NO)
                strbuf_addf(out, "%s=%s\n", f->key, userns_mode_to_string(s->users.mode));
        return 0;
}

static void private_users_clear(const SpecField *f, void *at) {
        ContainerSpec *s = type_spec(f, at);

        s->users.mode = USERNS_NO;
        s->users.base = s->users.count = 0;
}

const FieldType field_private_users = { "s", private_users_parse, private_users_print,
                                        private_users_clear };

/* The old, boolean spelling of PrivateUsersOwnership=chown. */
static int chown_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        int r;

        r = parse_boolean(value);
        if (r < 0)
                return type_expected(reterr, "yes or no");
        *(OwnershipMode *) at = r > 0 ? OWNERSHIP_CHOWN : OWNERSHIP_OFF;
        return 0;
}

static int nothing_print(const SpecField *f, const void *at, StrBuf *out) {
        return 0;
}

static void ownership_clear(const SpecField *f, void *at) {
        *(OwnershipMode *) at = OWNERSHIP_AUTO;
}

const FieldType field_chown = { "b", chown_parse, nothing_print, ownership_clear };

static int caps_field_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        uint64_t mask;

        if (caps_parse(value, &mask) < 0)
                return type_expected(reterr,
                                     "'all' or a list of capabilities as in capabilities(7)");
        *(uint64_t *) at |= mask;
        return 0;
}

static int caps_print(const SpecField *f, const void *at, StrBuf *out) {
        uint64_t mask = *(const uint64_t *) at;
        _cleanup_free_ char *text = NULL;

        if (mask == 0)
                return 0;
        text = caps_format(mask);
        if (!text)
                return -ENOMEM;
        strbuf_addf(out, "%s=%s\n", f->key, text);
        return 0;
}

static void caps_clear(const SpecField *f, void *at) {
        *(uint64_t *) at = 0;
}

const FieldType field_caps = { "s", caps_field_parse, caps_print, caps_clear };

static bool filter_word_is_valid(const char *s) {
        s += *s == '@';
        if (*s == '\0')
                return false;
        for (; *s; s++)
                if (!ascii_is_alnum(*s) && *s != '_' && *s != '-')
                        return false;
        return true;
}

/* "~" before the first word is for all of them. Each word is stored with its own. */
static int filter_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        _cleanup_strv_free_ char **words = NULL, **l = NULL;
        const char *deny = value[0] == '~' ? "~" : "";
        char ***filter = at;

        if (strv_split(&words, value + strlen(deny), NULL, 0) < 0)
                return error_oom(reterr);
        STRV_FOREACH(s, words) {
                if (!filter_word_is_valid(*s))
                        return type_expected(reterr,
                                             "a list of system calls and @groups, all of it "
                                             "with '~' in front to remove them,");
                if (strv_extendf(&l, "%s%s", deny, *s) < 0)
                        return error_oom(reterr);
        }
        if (strv_length(*filter) + strv_length(l) > SPEC_FILTER_MAX)
                return type_too_many(reterr, SPEC_FILTER_MAX, "words");
        STRV_FOREACH(s, l)
                if (!strv_contains(*filter, *s) && strv_extend(filter, *s) < 0)
                        return error_oom(reterr);
        return 0;
}

static int filter_print(const SpecField *f, const void *at, StrBuf *out) {
        char *const *l = *(char *const *const *) at;
        char sign = '\0'; /* of the line that is open */

        STRV_FOREACH(s, l) {
                char s_sign = (*s)[0] == '~' ? '~' : '+';

                if (s_sign != sign) {
                        strbuf_addf(out, "%s%s=%s", sign ? "\n" : "", f->key, *s);
                        sign = s_sign;
                } else
                        strbuf_addf(out, " %s", *s + (s_sign == '~'));
        }
        if (sign)
                strbuf_add(out, "\n");
        return 0;
}

const FieldType field_filter = { "as", filter_parse, filter_print, strv_clear };

/* The first value tells what the others change: with "~", all families; without, none. */
static int families_field_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        ContainerSpec *s = type_spec(f, at);
        const bool refuse = value[0] == '~';
        uint64_t mask;

        if (isempty(value + refuse) || families_parse(value + refuse, &mask) < 0)
                return type_expected(reterr, "'none' or a list of address families like AF_INET, "
                                             "with '~' in front to refuse them,");
        if (!s->security.restrict_families)
                s->security.families = refuse ? FAMILIES_ALL : 0;
        s->security.restrict_families = true;
        if (refuse)
                s->security.families &= ~mask;
        else
                s->security.families |= mask;
        return 0;
}

static int families_print(const SpecField *f, const void *at, StrBuf *out) {
        const ContainerSpec *s = type_const_spec(f, at);
        const bool refuse = s->security.families & FAMILIES_OTHERS;
        _cleanup_free_ char *text = NULL;

        if (!s->security.restrict_families)
                return 0;
        text = families_format(refuse ? ~s->security.families : s->security.families);
        if (!text)
                return -ENOMEM;
        strbuf_addf(out, "%s=%s%s\n", f->key, refuse ? "~" : "", text);
        return 0;
}

static void families_clear(const SpecField *f, void *at) {
        ContainerSpec *s = type_spec(f, at);

        s->security.restrict_families = false;
        s->security.families = 0;
}

const FieldType field_families = { "as", families_field_parse, families_print, families_clear };

/* Both files know systemd-nspawn's spellings; the canonical one is the first of a mode. */
typedef struct CopyWord {
        const char *word;
        CopyMode mode;
} CopyWord;

static int copy_parse(const CopyWord *words, size_t n, const char *value, CopyMode *ret) {
        for (size_t i = 0; i < n; i++)
                if (streq(words[i].word, value)) {
                        *ret = words[i].mode;
                        return 0;
                }
        return -EINVAL;
}

static void copy_print(const CopyWord *words, size_t n, const SpecField *f, CopyMode mode,
                       StrBuf *out) {
        for (size_t i = 0; mode != COPY_AUTO && i < n; i++)
                if (words[i].mode == mode) {
                        strbuf_addf(out, "%s=%s\n", f->key, words[i].word);
                        return;
                }
}

static void copy_clear(const SpecField *f, void *at) {
        *(CopyMode *) at = COPY_AUTO;
}

static const CopyWord resolv_conf_words[] = {
        { "auto", COPY_AUTO },      { "off", COPY_OFF },       { "copy-host", COPY_COPY },
        { "bind-host", COPY_BIND }, { "delete", COPY_DELETE },
};

static int resolv_conf_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        if (type_word_in(
                    " replace-host copy-static replace-static bind-static copy-uplink replace-uplink "
                    "bind-uplink copy-stub replace-stub bind-stub ",
                    value))
                return type_unsupported(reterr);
        if (copy_parse(resolv_conf_words, ELEMENTSOF(resolv_conf_words), value, at) < 0)
                return type_expected(reterr, "auto, off, copy-host, bind-host or delete");
        return 0;
}

static int resolv_conf_print(const SpecField *f, const void *at, StrBuf *out) {
        copy_print(resolv_conf_words, ELEMENTSOF(resolv_conf_words), f, *(const CopyMode *) at,
                   out);
        return 0;
}

const FieldType field_resolv_conf = { "s", resolv_conf_parse, resolv_conf_print, copy_clear };

static const CopyWord timezone_words[] = {
        { "auto", COPY_AUTO }, { "off", COPY_OFF },         { "copy", COPY_COPY },
        { "bind", COPY_BIND }, { "symlink", COPY_SYMLINK }, { "delete", COPY_DELETE },
};

static int timezone_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        if (copy_parse(timezone_words, ELEMENTSOF(timezone_words), value, at) < 0)
                return type_expected(reterr, "auto, off, copy, bind, symlink or delete");
        return 0;
}

static int timezone_print(const SpecField *f, const void *at, StrBuf *out) {
        copy_print(timezone_words, ELEMENTSOF(timezone_words), f, *(const CopyMode *) at, out);
        return 0;
}

const FieldType field_timezone = { "s", timezone_parse, timezone_print, copy_clear };
