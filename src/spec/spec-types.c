/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Types of the field table that hold one plain value: booleans, strings, numbers, enums. */
#include "spec/spec-types.h"

#include <limits.h>

#include "basic/parse.h"
#include "basic/path.h"
#include "basic/str.h"

#define OOM_SCORE_MIN (-1000)
#define OOM_SCORE_MAX 1000
#define USER_LENGTH_MAX 256 /* _SC_LOGIN_NAME_MAX of Linux */

int type_expected(Error *reterr, const char *what) {
        return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING, "%s is expected", what);
}

int type_unsupported(Error *reterr) {
        return error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED, "not supported yet");
}

int type_too_many(Error *reterr, unsigned limit, const char *what) {
        return error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED, "at most %u %s are allowed", limit,
                         what);
}

bool type_is_line(const char *value) {
        return str_is_harmless(value);
}

bool type_word_in(const char *words, const char *word) {
        _cleanup_free_ char *needle = NULL;

        if (isempty(word) || strchr(word, ' '))
                return false;
        needle = strjoin(" ", word, " ");
        return needle && strstr(words, needle);
}

/* Puts a copy of value at *at. */
static int string_store(void *at, const char *value, Error *reterr) {
        return free_and_strdup(at, value) < 0 ? error_oom(reterr) : 0;
}

static int string_print(const SpecField *f, const void *at, StrBuf *out) {
        const char *s = *(char *const *) at;

        if (s && strchr(s, '\n')) /* it would be read as more settings */
                return -EINVAL;
        if (s)
                strbuf_addf(out, "%s=%s\n", f->key, s);
        return 0;
}

static void string_clear(const SpecField *f, void *at) {
        char **s = at;

        *s = mfree(*s);
}

static int bool_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        int r;

        r = parse_boolean(value);
        if (r < 0)
                return type_expected(reterr, "yes or no");
        *(bool *) at = r;
        return 0;
}

static int bool_print(const SpecField *f, const void *at, StrBuf *out) {
        bool v = *(const bool *) at;

        if (v != !!f->data)
                strbuf_addf(out, "%s=%s\n", f->key, v ? "yes" : "no");
        return 0;
}

static void bool_clear(const SpecField *f, void *at) {
        *(bool *) at = !!f->data;
}

const FieldType field_bool = { "b", bool_parse, bool_print, bool_clear };

static int text_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        if (!type_is_line(value))
                return type_expected(reterr, "one line of text");
        return string_store(at, value, reterr);
}

const FieldType field_text = { "s", text_parse, string_print, string_clear };

static int name_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        if (!container_name_is_valid(value))
                return error_set(reterr, -EINVAL, ERROR_INVALID_NAME,
                                 "a name of at most 64 letters, digits, '-', '_' and '.' is "
                                 "expected, without '-' or '.' at an end");
        return string_store(at, value, reterr);
}

const FieldType field_name = { "s", name_parse, string_print, string_clear };

static int hostname_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        if (!hostname_is_valid(value))
                return type_expected(reterr, "a host name of at most 64 characters");
        return string_store(at, value, reterr);
}

const FieldType field_hostname = { "s", hostname_parse, string_print, string_clear };

static int id_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        Id128 id;

        if (id128_parse(value, &id) < 0 || id128_is_null(id))
                return type_expected(reterr, "a UUID or 32 hexadecimal digits, not all zero,");
        *(Id128 *) at = id;
        return 0;
}

static int id_print(const SpecField *f, const void *at, StrBuf *out) {
        Id128 id = *(const Id128 *) at;
        char text[ID128_STRING_MAX];

        if (!id128_is_null(id))
                strbuf_addf(out, "%s=%s\n", f->key, id128_to_string(id, text));
        return 0;
}

static void id_clear(const SpecField *f, void *at) {
        *(Id128 *) at = (Id128){ 0 };
}

const FieldType field_id = { "s", id_parse, id_print, id_clear };

static int directory_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        _cleanup_free_ char *path = NULL;

        if (!path_is_absolute(value) || !path_is_valid(value))
                return type_expected(reterr, "an absolute path");
        path = path_simplify(value);
        if (!path)
                return error_oom(reterr);
        return string_store(at, path, reterr);
}

const FieldType field_directory = { "s", directory_parse, string_print, string_clear };

static int inner_path_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        _cleanup_free_ char *path = NULL;

        if (!path_is_absolute(value) || !path_is_valid(value))
                return type_expected(reterr, "an absolute path in the container");
        path = path_simplify(value);
        if (!path)
                return error_oom(reterr);
        if (!path_is_normalized(path))
                return type_expected(reterr, "an absolute path without '..'");
        return string_store(at, path, reterr);
}

const FieldType field_inner_path = { "s", inner_path_parse, string_print, string_clear };

static int user_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        bool number = value[strspn(value, "0123456789")] == '\0';
        uid_t uid;

        if (!type_is_line(value) || strpbrk(value, ":/ ") || strlen(value) > USER_LENGTH_MAX ||
            value[0] == '-' || (number && parse_uid(value, &uid) < 0))
                return type_expected(reterr, "the name or the number of a user");
        return string_store(at, value, reterr);
}

const FieldType field_user = { "s", user_parse, string_print, string_clear };

static int start_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        StartMode mode = (StartMode) (uintptr_t) f->data, *current = at;
        int r;

        r = parse_boolean(value);
        if (r < 0)
                return type_expected(reterr, "yes or no");
        if (r > 0 && *current != START_COMMAND && *current != mode)
                return error_set(reterr, -EINVAL, ERROR_CONFLICT,
                                 "Boot= and ProcessTwo= (--boot and --as-pid2) exclude each other");
        if (r > 0)
                *current = mode;
        else if (*current == mode)
                *current = START_COMMAND;
        return 0;
}

static int start_print(const SpecField *f, const void *at, StrBuf *out) {
        if (*(const StartMode *) at == (StartMode) (uintptr_t) f->data)
                strbuf_addf(out, "%s=yes\n", f->key);
        return 0;
}

static void start_clear(const SpecField *f, void *at) {
        StartMode *current = at;

        if (*current == (StartMode) (uintptr_t) f->data)
                *current = START_COMMAND;
}

const FieldType field_start = { "b", start_parse, start_print, start_clear };

static int signal_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        int r;

        r = parse_signal(value);
        if (r < 0)
                return type_expected(reterr, "a signal like SIGTERM or SIGRTMIN+3");
        *(int *) at = r;
        return 0;
}

static int signal_print(const SpecField *f, const void *at, StrBuf *out) {
        int sig = *(const int *) at;
        char text[16];

        if (sig != 0)
                strbuf_addf(out, "%s=%s\n", f->key, signal_to_string(sig, text));
        return 0;
}

static void int_clear(const SpecField *f, void *at) {
        *(int *) at = 0;
}

const FieldType field_signal = { "s", signal_parse, signal_print, int_clear };

static int oom_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        ContainerSpec *s = type_spec(f, at);
        int32_t v;

        if (parse_i32(value, &v) < 0 || v < OOM_SCORE_MIN || v > OOM_SCORE_MAX)
                return type_expected(reterr, "a number from -1000 to 1000");
        s->payload.has_oom_score_adjust = true;
        s->payload.oom_score_adjust = v;
        return 0;
}

static int oom_print(const SpecField *f, const void *at, StrBuf *out) {
        const ContainerSpec *s = type_const_spec(f, at);

        if (s->payload.has_oom_score_adjust)
                strbuf_addf(out, "%s=%d\n", f->key, s->payload.oom_score_adjust);
        return 0;
}

static void oom_clear(const SpecField *f, void *at) {
        ContainerSpec *s = type_spec(f, at);

        s->payload.has_oom_score_adjust = false;
        s->payload.oom_score_adjust = 0;
}

const FieldType field_oom = { "i", oom_parse, oom_print, oom_clear };

static int cpus_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        _cleanup_free_ char *cpus = NULL;
        int r;

        if (streq(value, "numa"))
                return type_unsupported(reterr);
        r = parse_cpu_set(value, &cpus);
        if (r == -ENOMEM)
                return error_oom(reterr);
        if (r < 0)
                return type_expected(reterr, "a list of CPUs like 0-3,5");
        return string_store(at, cpus, reterr);
}

const FieldType field_cpus = { "s", cpus_parse, string_print, string_clear };

static int enum_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        const EnumNames *e = f->data;
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        ssize_t v;

        v = e->default_alias && streq(value, e->default_alias)
                    ? 0
                    : string_table_lookup(e->names, e->n, value);
        if (v >= 0) {
                *(int *) at = (int) v;
                return 0;
        }
        if (e->unsupported && type_word_in(e->unsupported, value))
                return type_unsupported(reterr);
        for (size_t i = 0; i < e->n; i++)
                strbuf_addf(&b, "%s%s", i == 0 ? "" : i + 1 < e->n ? ", " : " or ", e->names[i]);
        return b.failed ? error_oom(reterr) : type_expected(reterr, b.text);
}

static int enum_print(const SpecField *f, const void *at, StrBuf *out) {
        const EnumNames *e = f->data;
        int v = *(const int *) at;

        if (v > 0 && (size_t) v < e->n)
                strbuf_addf(out, "%s=%s\n", f->key, e->names[v]);
        return 0;
}

const FieldType field_enum = { "s", enum_parse, enum_print, int_clear };

static int usec_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        usec_t v;

        if (parse_usec(value, &v) < 0)
                return type_expected(reterr, "a time span like 90s, 2min or infinity");
        *(usec_t *) at = v;
        return 0;
}

static int usec_print(const SpecField *f, const void *at, StrBuf *out) {
        usec_t v = *(const usec_t *) at;
        _cleanup_free_ char *text = NULL;

        if (v == *(const usec_t *) f->data)
                return 0;
        text = format_timespan(v, 1);
        if (!text)
                return -ENOMEM;
        strbuf_addf(out, "%s=%s\n", f->key, text);
        return 0;
}

static void usec_clear(const SpecField *f, void *at) {
        *(usec_t *) at = *(const usec_t *) f->data;
}

const FieldType field_usec = { "s", usec_parse, usec_print, usec_clear };

/* The int64_t that belongs to the "set" flag of an offset's row. */
static size_t offset_of_number(const SpecField *f) {
        return (size_t) (uintptr_t) f->data;
}

static int offset_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        int64_t nsec;

        if (parse_nsec_offset(value, &nsec) < 0)
                return type_expected(reterr, "an offset like 5s, -2h or +1d");
        *(bool *) at = true;
        *(int64_t *) (void *) ((char *) type_spec(f, at) + offset_of_number(f)) = nsec;
        return 0;
}

static int offset_print(const SpecField *f, const void *at, StrBuf *out) {
        const ContainerSpec *s = type_const_spec(f, at);
        int64_t nsec = *(const int64_t *) (const void *) ((const char *) s + offset_of_number(f));

        if (!*(const bool *) at)
                return 0;
        if (nsec % (int64_t) (USEC_PER_SEC * NSEC_PER_USEC) == 0)
                strbuf_addf(out, "%s=%llds\n", f->key,
                            (long long) (nsec / (int64_t) (USEC_PER_SEC * NSEC_PER_USEC)));
        else
                strbuf_addf(out, "%s=%lldns\n", f->key, (long long) nsec);
        return 0;
}

static void offset_clear(const SpecField *f, void *at) {
        *(bool *) at = false;
        *(int64_t *) (void *) ((char *) type_spec(f, at) + offset_of_number(f)) = 0;
}

const FieldType field_offset = { "s", offset_parse, offset_print, offset_clear };

static int fd_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        int32_t v;

        if (parse_i32(value, &v) < 0 || v < 0)
                return type_expected(reterr, "the number of a descriptor");
        *(int *) at = v;
        return 0;
}

static int fd_print(const SpecField *f, const void *at, StrBuf *out) {
        int fd = *(const int *) at;

        if (fd >= 0)
                strbuf_addf(out, "%s=%d\n", f->key, fd);
        return 0;
}

static void fd_clear(const SpecField *f, void *at) {
        *(int *) at = -EBADF;
}

const FieldType field_fd = { "i", fd_parse, fd_print, fd_clear };

static int mask_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        const char *digits = startswith(value, "0x");
        uint64_t v = 0;

        if (!digits || strlen(digits) < 1 || strlen(digits) > 16)
                return type_expected(reterr, "a mask like 0x1f");
        for (; *digits; digits++) {
                int d = ascii_hex_value(*digits);

                if (d < 0)
                        return type_expected(reterr, "a mask like 0x1f");
                v = v << 4 | (uint64_t) d;
        }
        *(uint64_t *) at = v;
        return 0;
}

static int mask_print(const SpecField *f, const void *at, StrBuf *out) {
        uint64_t v = *(const uint64_t *) at;

        if (v != 0)
                strbuf_addf(out, "%s=0x%llx\n", f->key, (unsigned long long) v);
        return 0;
}

static void mask_clear(const SpecField *f, void *at) {
        *(uint64_t *) at = 0;
}

const FieldType field_mask = { "t", mask_parse, mask_print, mask_clear };

static int unsupported_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        const char *harmless = f->data;

        if (harmless && (type_word_in(harmless, value) ||
                         (strstr(harmless, " @no ") && parse_boolean(value) == 0)))
                return 0;
        return type_unsupported(reterr);
}

static int unsupported_print(const SpecField *f, const void *at, StrBuf *out) {
        return 0;
}

static void unsupported_clear(const SpecField *f, void *at) {}

const FieldType field_unsupported = { "s", unsupported_parse, unsupported_print,
                                      unsupported_clear };

/* Whoever sets rows reads the files; where that is not done a profile has no meaning. */
static int profile_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        return type_expected(reterr,
                             "a settings file, or the command line, to read a profile from");
}

const FieldType field_profile = { "as", profile_parse, unsupported_print, unsupported_clear };
