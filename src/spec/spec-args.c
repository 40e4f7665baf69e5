/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Command-line words to fields of the table, and the table's part of --help. */
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "basic/path.h"
#include "basic/strv.h"
#include "spec/spec-draft.h"
#include "spec/spec-types.h"

#define HELP_COLUMN 30U /* where the explanations begin */

/* A directory may be given relative to the current one. */
static int directory_set(SpecDraft *d, const SpecField *f, const char *value, const char *where,
                         Error *reterr) {
        _cleanup_free_ char *absolute = NULL;
        char cwd[PATH_MAX];

        if (isempty(value) || path_is_absolute(value))
                return spec_draft_set_raw(d, f, value, SOURCE_COMMAND, where, reterr);
        if (!getcwd(cwd, sizeof(cwd)))
                return error_set_errno(reterr, -errno, ERROR_FAILED,
                                       "The current directory is not known");
        absolute = path_join(cwd, value);
        return absolute ? spec_draft_set_raw(d, f, absolute, SOURCE_COMMAND, where, reterr)
                        : error_oom(reterr);
}

/* NAME alone is the caller's variable; one that the caller lacks is nothing to pass on. */
static int environment_set(SpecDraft *d, const SpecField *f, const char *value, const char *where,
                           Error *reterr) {
        _cleanup_free_ char *assignment = NULL;
        const char *inherited;

        if (strchr(value, '=') || !env_name_is_valid(value, strlen(value)))
                return spec_draft_set_raw(d, f, value, SOURCE_COMMAND, where, reterr);
        inherited = getenv(value);
        if (!inherited)
                return 0;
        assignment = strjoin(value, "=", inherited);
        return assignment ? spec_draft_set_raw(d, f, assignment, SOURCE_COMMAND, where, reterr)
                          : error_oom(reterr);
}

static int option_set(SpecDraft *d, const SpecField *f, const char *value, const char *where,
                      Error *reterr) {
        if (f->type == &field_directory)
                return directory_set(d, f, value, where, reterr);
        if (f->type == &field_environment)
                return environment_set(d, f, value, where, reterr);
        return spec_draft_set_raw(d, f, value, SOURCE_COMMAND, where, reterr);
}

/* The word behind the option, or an error. */
static int argument_take(const char *where, int argc, char **argv, int *index, const char **ret,
                         Error *reterr) {
        if (*index + 1 >= argc)
                return error_set(reterr, -EINVAL, ERROR_USAGE, "Option '%s' needs an argument",
                                 where);
        *ret = argv[++*index];
        return 0;
}

static int long_parse(SpecDraft *d, int argc, char **argv, int *index, Error *reterr) {
        const char *name = argv[*index] + 2, *value;
        size_t n = strcspn(name, "=");
        _cleanup_free_ char *where = NULL;
        const SpecField *f;
        int r;

        f = n > 0 ? spec_field_by_option(name, n) : NULL;
        if (!f)
                return 0;
        where = strf("--%s", f->option);
        if (!where)
                return error_oom(reterr);
        if (name[n] == '=' && (f->flags & FIELD_NO_ARG) && !(f->flags & FIELD_UNSUPPORTED))
                return error_set(reterr, -EINVAL, ERROR_USAGE, "Option '%s' takes no argument",
                                 where);
        if (name[n] == '=')
                value = name + n + 1;
        else if (f->flags & (FIELD_NO_ARG | FIELD_OPTIONAL_ARG))
                value = f->option_value;
        else {
                r = argument_take(where, argc, argv, index, &value, reterr);
                if (r < 0)
                        return r;
        }
        r = option_set(d, f, value, where, reterr);
        if (r < 0)
                return r;
        ++*index;
        return 1;
}

/* "-b", "-bP", "-uUSER", "-bu USER" */
static int letters_parse(SpecDraft *d, int argc, char **argv, int *index, Error *reterr) {
        const char *word = argv[*index];

        for (const char *letter = word + 1; *letter; letter++) {
                const SpecField *f = spec_field_by_letter(*letter);
                const char where[] = { '-', *letter, '\0' }, *value;
                int r;

                if (!f && letter == word + 1)
                        return 0;
                if (!f)
                        return error_set(reterr, -EINVAL, ERROR_USAGE,
                                         "Unknown option '%s' in '%s'", where, word);
                if (f->flags & FIELD_NO_ARG)
                        value = f->option_value;
                else if (letter[1] != '\0')
                        value = letter + 1;
                else {
                        r = argument_take(where, argc, argv, index, &value, reterr);
                        if (r < 0)
                                return r;
                }
                r = option_set(d, f, value, where, reterr);
                if (r < 0)
                        return r;
                if (!(f->flags & FIELD_NO_ARG))
                        break;
        }
        ++*index;
        return 1;
}

int spec_args_parse_one(SpecDraft *d, int argc, char **argv, int *index, Error *reterr) {
        const char *word = *index < argc ? argv[*index] : NULL;

        if (!word || word[0] != '-' || word[1] == '\0')
                return 0;
        return word[1] == '-' ? long_parse(d, argc, argv, index, reterr)
                              : letters_parse(d, argc, argv, index, reterr);
}

int spec_args_apply_environment(SpecDraft *d, Error *reterr) {
        const SpecField *f = spec_field_by_option("seccomp", strlen("seccomp"));
        const char *value = getenv("SYSTEMD_SECCOMP");

        if (isempty(value) || spec_draft_source(d, f, NULL) >= SOURCE_COMMAND)
                return 0;
        return spec_draft_set(d, f, value, SOURCE_COMMAND, "$SYSTEMD_SECCOMP", reterr);
}

/* "  -b --boot", "     --bind=SRC[:DST[:OPT]]" */
static void help_line(const SpecField *f, StrBuf *out) {
        _cleanup_(strbuf_done) StrBuf left = { 0 };
        bool argument = f->argument && !(f->flags & FIELD_NO_ARG);

        if (f->letter)
                strbuf_addf(&left, "  -%c", f->letter);
        else
                strbuf_add(&left, "    ");
        if (f->option)
                strbuf_addf(&left, " --%s", f->option);
        if (argument)
                strbuf_addf(&left, f->flags & FIELD_OPTIONAL_ARG ? "[=%s]" : "=%s", f->argument);
        strbuf_add(out, strempty(left.text));
        if (left.size + 1 > HELP_COLUMN)
                strbuf_addf(out, "\n%*s", (int) HELP_COLUMN, "");
        else
                strbuf_addf(out, "%*s", (int) (HELP_COLUMN - left.size), "");
        strbuf_addf(out, "%s\n", f->help);
}

static bool help_wants(const SpecField *f) {
        return f->group && f->help && (f->option || f->letter) &&
               !(f->flags & (FIELD_HIDDEN | FIELD_INTERNAL | FIELD_UNSUPPORTED));
}

/* The group has a row before row i. */
static bool group_was_seen(const char *group, size_t i) {
        for (size_t k = 0; k < i; k++)
                if (help_wants(spec_fields + k) && streq(spec_fields[k].group, group))
                        return true;
        return false;
}

int spec_args_print_help(StrBuf *out) {
        for (size_t i = 0, n_groups = 0; i < spec_n_fields; i++) {
                const char *group = spec_fields[i].group;

                if (!help_wants(spec_fields + i) || group_was_seen(group, i))
                        continue;
                strbuf_addf(out, "%s%s:\n", n_groups++ > 0 ? "\n" : "", group);
                for (size_t k = i; k < spec_n_fields; k++)
                        if (help_wants(spec_fields + k) && streq(spec_fields[k].group, group))
                                help_line(spec_fields + k, out);
        }
        return out->failed ? -ENOMEM : 0;
}
