/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Options: reading, help, suggestions. */
#include "cli/options.h"

#include <stdio.h>

#include "basic/alloc.h"
#include "basic/parse.h"
#include "basic/strv.h"
#include "cli/table.h"

#define SUGGEST_LENGTH_MAX 64U

int option_parse_true(const Option *o, const char *value, void *at, Error *reterr) {
        *(bool *) at = true;
        return 0;
}

int option_parse_false(const Option *o, const char *value, void *at, Error *reterr) {
        *(bool *) at = false;
        return 0;
}

int option_parse_ignored(const Option *o, const char *value, void *at, Error *reterr) {
        return 0;
}

int option_parse_string(const Option *o, const char *value, void *at, Error *reterr) {
        return free_and_strdup(at, value) < 0 ? error_oom(reterr) : 0;
}

int option_parse_strv(const Option *o, const char *value, void *at, Error *reterr) {
        return strv_extend(at, value) < 0 ? error_oom(reterr) : 0;
}

int option_parse_signal(const Option *o, const char *value, void *at, Error *reterr) {
        int sig = parse_signal(value);
        if (sig < 0)
                return error_set(
                        reterr, -EINVAL, ERROR_USAGE,
                        "Invalid value '%s' for '--%s': a signal's name or number is expected",
                        value, o->name);
        *(int *) at = sig;
        return 0;
}

int option_parse_timeout(const Option *o, const char *value, void *at, Error *reterr) {
        usec_t t;

        if (parse_usec(value, &t) < 0)
                return error_set(
                        reterr, -EINVAL, ERROR_USAGE,
                        "Invalid value '%s' for '--%s': a time like '90s' or 'infinity' is expected",
                        value, o->name);
        *(usec_t *) at = t;
        return 0;
}

static bool in_scope(const OptionTable *t, const Option *o) {
        return (o->scope & t->scope) != 0;
}

const Option *option_by_letter(const OptionTable *t, char letter) {
        for (size_t i = 0; letter && i < t->n_options; i++)
                if (t->options[i].letter == letter && in_scope(t, t->options + i))
                        return t->options + i;
        return NULL;
}

static const Option *option_by_name(const OptionTable *t, const char *name, size_t n) {
        for (size_t i = 0; i < t->n_options; i++)
                if (in_scope(t, t->options + i) && strlen(t->options[i].name) == n &&
                    memcmp(t->options[i].name, name, n) == 0)
                        return t->options + i;
        return NULL;
}

/* -x value, -xvalue, and letters without argument together: -abx value */
static int letters_parse(const OptionTable *t, int argc, char **argv, int *index, void *values,
                         Error *reterr) {
        const char *word = argv[*index];
        int used = 1;

        for (const char *letter = word + 1; *letter; letter++) {
                const Option *o = option_by_letter(t, *letter);
                const char *value = NULL;
                if (!o && letter == word + 1)
                        return 0;
                if (!o)
                        return error_set(reterr, -EINVAL, ERROR_USAGE,
                                         "Unknown option '-%c' in '%s'", *letter, word);
                if (o->argument && letter[1] != '\0')
                        value = letter + 1;
                else if (o->argument && !(o->flags & OPTION_OPTIONAL_ARG)) {
                        if (*index + 1 >= argc)
                                return error_set(reterr, -EINVAL, ERROR_USAGE,
                                                 "Option '-%c' needs an argument: %s", *letter,
                                                 o->argument);
                        value = argv[*index + 1];
                        used = 2;
                }
                int r = o->parse(o, value, (char *) values + o->offset, reterr);
                if (r < 0)
                        return r;
                if (o->argument)
                        break;
        }
        *index += used;
        return 1;
}

int options_parse_one(const OptionTable *t, int argc, char **argv, int *index, void *values,
                      Error *reterr) {
        const char *word = argv[*index], *value = NULL;
        int used = 1;

        if (word[0] != '-' || word[1] == '\0' || streq(word, "--"))
                return 0;
        if (word[1] != '-')
                return letters_parse(t, argc, argv, index, values, reterr);

        const size_t n = strcspn(word + 2, "=");
        const Option *o = option_by_name(t, word + 2, n);
        if (!o)
                return 0;
        if (word[2 + n] == '=')
                value = word + 2 + n + 1;
        if (!o->argument && value)
                return error_set(reterr, -EINVAL, ERROR_USAGE, "Option '--%s' takes no argument",
                                 o->name);
        if (o->argument && !value && !(o->flags & OPTION_OPTIONAL_ARG)) {
                if (*index + 1 >= argc)
                        return error_set(reterr, -EINVAL, ERROR_USAGE,
                                         "Option '%s' needs an argument: %s", word, o->argument);
                value = argv[*index + 1];
                used = 2;
        }
        int r = o->parse(o, value, (char *) values + o->offset, reterr);
        if (r < 0)
                return r;
        *index += used;
        return 1;
}

void help_format_line(StrBuf *out, const char *left, const char *help) {
        size_t n = text_width(left);

        strbuf_add(out, left);
        if (n + 1 > HELP_COLUMN) {
                strbuf_add(out, "\n");
                n = 0;
        }
        for (; n < HELP_COLUMN; n++)
                strbuf_add(out, " ");
        strbuf_addf(out, "%s\n", help);
}

void options_format_help(const OptionTable *t, StrBuf *out) {
        for (size_t i = 0; i < t->n_options; i++) {
                const Option *o = t->options + i;
                const bool optional = o->flags & OPTION_OPTIONAL_ARG;
                char letter[3] = "  ", left[HELP_WIDTH];

                if (!in_scope(t, o) || (o->flags & OPTION_HIDDEN))
                        continue;
                if (o->letter) {
                        letter[0] = '-';
                        letter[1] = o->letter;
                }
                (void) snprintf(left, sizeof(left), "  %s --%s%s%s%s", letter, o->name,
                                !o->argument ? ""
                                : optional   ? "[="
                                             : "=",
                                strempty(o->argument), o->argument && optional ? "]" : "");
                help_format_line(out, left, o->help);
        }
}

int options_list_names(const OptionTable *t, char ***names) {
        for (size_t i = 0; i < t->n_options; i++)
                if (in_scope(t, t->options + i) && !(t->options[i].flags & OPTION_HIDDEN) &&
                    strv_extendf(names, "--%s", t->options[i].name) < 0)
                        return -ENOMEM;
        return 0;
}

/* Edit distance (insert, remove, replace, swap neighbours) of a[0…n) and b[0…m), both at most SUGGEST_LENGTH_MAX. */
static unsigned edit_distance(const char *a, size_t n, const char *b, size_t m) {
        unsigned rows[3][SUGGEST_LENGTH_MAX + 1];
        unsigned *before = rows[0], *last = rows[1], *row = rows[2];

        for (size_t j = 0; j <= m; j++)
                last[j] = (unsigned) j;
        for (size_t i = 1; i <= n; i++) {
                row[0] = (unsigned) i;
                for (size_t j = 1; j <= m; j++) {
                        unsigned best = last[j - 1] + (a[i - 1] != b[j - 1]);
                        best = MIN(best, last[j] + 1);
                        best = MIN(best, row[j - 1] + 1);
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                                best = MIN(best, before[j - 2] + 1);
                        row[j] = best;
                }
                unsigned *free_row = before;
                before = last;
                last = row;
                row = free_row;
        }
        return last[m];
}

const char *suggest_word(const char *word, char *const *candidates) {
        const size_t n = strcspn(word, "=");
        const char *nearest = NULL;
        unsigned nearest_distance = 0;

        if (n < 3 || n > SUGGEST_LENGTH_MAX)
                return NULL;
        STRV_FOREACH(c, candidates) {
                size_t m = strlen(*c);
                if (m > SUGGEST_LENGTH_MAX)
                        continue;
                unsigned d = edit_distance(word, n, *c, m);
                /* A word that begins like the candidate is an abbreviation: near, but behind a typing error. */
                if (n >= 4 && m > n && memcmp(word, *c, n) == 0)
                        d = MIN(d, 2U);
                if (d <= (n < 6 ? 1U : n < 10 ? 2U : 3U) && (!nearest || d < nearest_distance)) {
                        nearest = *c;
                        nearest_distance = d;
                }
        }
        return nearest;
}

int options_set_unknown(const char *word, char *const *candidates, const char *command,
                        Error *reterr) {
        const bool is_long = word[1] == '-';
        const int n = is_long ? (int) strcspn(word, "=") : 2;
        const char *near = is_long ? suggest_word(word, candidates) : NULL;
        int r;

        if (near)
                r = error_set(reterr, -EINVAL, ERROR_USAGE,
                              "Unknown option '%.*s' (did you mean '%s'?)", n, word, near);
        else
                r = error_set(reterr, -EINVAL, ERROR_USAGE, "Unknown option '%.*s'", n, word);
        error_hint(reterr, "'%s --help' lists the options", command);
        return r;
}
