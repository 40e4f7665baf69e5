/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Types of the field table for what goes on around a container: command lines, how often, how many times. */
#include "basic/parse.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "spec/spec-order.h"
#include "spec/spec-types.h"

/* A line that reads back as these words, or an Error. */
static int line_of_words(char *const *words, char **ret, Error *reterr) {
        StrBuf b = { 0 };
        STRV_FOREACH(w, words) {
                _cleanup_free_ char *quoted = quote_word(*w);
                if (!quoted) {
                        strbuf_done(&b);
                        return error_oom(reterr);
                }
                strbuf_add(&b, w == words ? "" : " ");
                strbuf_add(&b, quoted);
        }
        return strbuf_finish(&b, ret) < 0 ? error_oom(reterr) : 0;
}

static int command_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        _cleanup_strv_free_ char **words = NULL;
        char **current = at, *line;
        int r = strv_split(&words, value, NULL, WORD_UNQUOTE);
        if (r == -ENOMEM)
                return error_oom(reterr);
        if (r < 0 || strv_isempty(words) || isempty(words[0]))
                return type_expected(reterr, "a program and its arguments, with balanced quotes,");
        if (strv_length(words) > SPEC_COMMAND_WORDS_MAX || strlen(value) > SPEC_COMMAND_MAX)
                return type_too_many(reterr, SPEC_COMMAND_WORDS_MAX,
                                     "words, and 16384 bytes in all,");
        r = line_of_words(words, &line, reterr);
        if (r < 0)
                return r;
        free(*current);
        *current = line;
        return 0;
}

static int command_print(const SpecField *f, const void *at, StrBuf *out) {
        const char *line = *(char *const *) at;
        if (line)
                strbuf_addf(out, "%s=%s\n", f->key, line);
        return 0;
}

static void command_clear(const SpecField *f, void *at) {
        char **current = at;
        *current = mfree(*current);
}

const FieldType field_command = { "s", command_parse, command_print, command_clear };

static int hook_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        _cleanup_strv_free_ char **words = NULL;
        _cleanup_free_ char *line = NULL;
        const bool ignored = value[0] == '-';
        char ***l = at;
        int r = strv_split(&words, value + ignored, NULL, WORD_UNQUOTE);
        if (r == -ENOMEM)
                return error_oom(reterr);
        if (r < 0 || strv_isempty(words) || !path_is_absolute(words[0]) || !path_is_valid(words[0]))
                return type_expected(reterr, "the absolute path of a program of the host, and its "
                                             "arguments, with balanced quotes,");
        if (strv_length(words) > SPEC_COMMAND_WORDS_MAX || strlen(value) > SPEC_COMMAND_MAX)
                return type_too_many(reterr, SPEC_COMMAND_WORDS_MAX,
                                     "words, and 16384 bytes in all,");
        if (strv_length(*l) >= SPEC_HOOKS_MAX)
                return type_too_many(reterr, SPEC_HOOKS_MAX, "commands");
        r = line_of_words(words, &line, reterr);
        if (r < 0)
                return r;
        return strv_extendf(l, "%s%s", ignored ? "-" : "", line) < 0 ? error_oom(reterr) : 0;
}

static int hook_print(const SpecField *f, const void *at, StrBuf *out) {
        STRV_FOREACH(line, *(char *const *const *) at)
                strbuf_addf(out, "%s=%s\n", f->key, *line);
        return 0;
}

static void hook_clear(const SpecField *f, void *at) {
        char ***l = at;
        *l = strv_free(*l);
}

const FieldType field_hook = { "as", hook_parse, hook_print, hook_clear };

static int period_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        usec_t v;
        if (parse_usec(value, &v) < 0 || v < USEC_PER_SEC || v > SPEC_PERIOD_MAX_USEC)
                return type_expected(reterr, "a time span from 1s to 365d");
        *(usec_t *) at = v;
        return 0;
}

static int period_print(const SpecField *f, const void *at, StrBuf *out) {
        return field_usec.print(f, at, out);
}

static void period_clear(const SpecField *f, void *at) {
        *(usec_t *) at = *(const usec_t *) f->data;
}

const FieldType field_period = { "s", period_parse, period_print, period_clear };

/* ---- dependencies ---- */

static int dependency_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        _cleanup_strv_free_ char **words = NULL;
        char ***l = at;
        int r = strv_split(&words, value, NULL, WORD_UNQUOTE);
        if (r == -ENOMEM)
                return error_oom(reterr);
        if (r < 0)
                return type_expected(reterr, "a list of names");
        STRV_FOREACH(w, words)
                if (!dependency_is_valid(*w))
                        return type_expected(
                                reterr, "names of containers, or of units with their suffix, like "
                                        "'db network-online.target',");
        if (strv_length(*l) + strv_length(words) > SPEC_DEPENDENCIES_MAX)
                return type_too_many(reterr, SPEC_DEPENDENCIES_MAX, "names");
        STRV_FOREACH(w, words)
                if (!strv_contains(*l, *w) && strv_extend(l, *w) < 0)
                        return error_oom(reterr);
        return 0;
}

static int dependency_print(const SpecField *f, const void *at, StrBuf *out) {
        return field_words.print(f, at, out);
}

const FieldType field_dependency = { "as", dependency_parse, dependency_print, hook_clear };

static int delay_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        usec_t v;
        if (parse_usec(value, &v) < 0 || v > SPEC_START_DELAY_MAX_USEC)
                return type_expected(reterr, "a time span of at most 10min");
        *(usec_t *) at = v;
        return 0;
}

static int delay_print(const SpecField *f, const void *at, StrBuf *out) {
        return field_usec.print(f, at, out);
}

static void delay_clear(const SpecField *f, void *at) {
        *(usec_t *) at = 0;
}

const FieldType field_delay = { "s", delay_parse, delay_print, delay_clear };

static uint32_t count_default(const SpecField *f) {
        return (uint32_t) (uintptr_t) f->data;
}

static int count_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        uint32_t v;
        if (parse_u32(value, &v) < 0 || v < 1 || v > SPEC_COUNT_MAX)
                return type_expected(reterr, "a number from 1 to 1000");
        *(uint32_t *) at = v;
        return 0;
}

static int count_print(const SpecField *f, const void *at, StrBuf *out) {
        const uint32_t v = *(const uint32_t *) at;
        if (v != count_default(f))
                strbuf_addf(out, "%s=%u\n", f->key, v);
        return 0;
}

static void count_clear(const SpecField *f, void *at) {
        *(uint32_t *) at = count_default(f);
}

const FieldType field_count = { "u", count_parse, count_print, count_clear };
