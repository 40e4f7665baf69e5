/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The program `berth`: which face it was called by, which verb, which options. */
#include <stdio.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/path.h"
#include "cli/complain.h"
#include "cli/pager.h"
#include "cli/run.h"
#include "cli/verbs.h"

/* Output that could not be written is a failure too. */
static int finish(int status) {
        Error e = ERROR_NULL;

        if (fflush(stdout) == 0 && !ferror(stdout))
                return status;
        (void) error_set_errno(&e, -errno, ERROR_FAILED, "Writing the output failed");
        return complain(&e, EXIT_OF_VERB);
}

static int print_text(StrBuf *b, Error *reterr) {
        _cleanup_free_ char *text = NULL;

        if (strbuf_finish(b, &text) < 0)
                return error_oom(reterr);
        (void) fputs(text, stdout); /* finish() looks */
        return 0;
}

static int format_help(const Verb *v, Error *reterr) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };

        if (v && (v->flags & VERB_ITSELF) && !streq(v->name, "help"))
                return run_show_help(streq(v->name, "verify") ? FACE_VERIFY : FACE_RUN);
        if (v && !(v->flags & VERB_ITSELF))
                verb_format_help(v, &b);
        else
                verbs_format_help(&b);
        return print_text(&b, reterr);
}

static int show_help(const Verb *v, const VerbOptions *o, Error *reterr) {
        Pager p = { 0 };

        if (!o->no_pager)
                pager_begin(&p);
        int r = format_help(v, reterr), q = pager_end(&p, reterr);
        return r < 0 ? r : q;
}

/* What was printed before it failed is shown, too, and before the error. */
static int run_verb(const Verb *v, const Invocation *call, Error *reterr) {
        Pager p = { 0 };

        if (verb_is_paged(v) && !call->options.no_pager && !call->options.follow)
                pager_begin(&p);
        int r = v->run(call, reterr), q = pager_end(&p, r < 0 ? NULL : reterr);
        return r < 0 || q >= 0 ? r : q;
}

static int show_version(void) {
        (void) puts("berth " BERTH_VERSION);
        return 0;
}

static int set_unknown_option(const Verb *v, const char *word, Error *reterr) {
        const OptionTable own = verb_option_table(v ? v->scope : UINT64_MAX),
                          all = verb_option_table(UINT64_MAX);
        _cleanup_strv_free_ char **own_names = NULL, **all_names = NULL;
        _cleanup_free_ char *command = strjoin("berth", v ? " " : "", v ? v->name : "");
        _cleanup_free_ char *name = strndup(word, strcspn(word, "="));

        if (!command || !name || options_list_names(&own, &own_names) < 0 ||
            options_list_names(&all, &all_names) < 0)
                return error_oom(reterr);
        if (verb_option_is_unsupported(word))
                return error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                                 "Option '%.*s' is not supported yet",
                                 word[1] == '-' ? (int) strlen(name) : 2, word);
        const bool elsewhere = word[1] == '-' ? strv_contains(all_names, name)
                                              : option_by_letter(&all, word[1]) != NULL;
        if (!v || !elsewhere)
                return options_set_unknown(word, own_names, command, reterr);
        int r = error_set(reterr, -EINVAL, ERROR_USAGE, "Option '%.*s' does not go with '%s'",
                          word[1] == '-' ? (int) strlen(name) : 2, word, v->name);
        error_hint(reterr, "'%s --help' lists the options that do", command);
        return r;
}

/* Options and arguments in any order, from argv[*index] up to `end`. No verb yet: stops at the first word that is no option. */
static int parse_words(const Verb *v, int end, char **argv, int *index, Invocation *call,
                       Error *reterr) {
        const OptionTable t = verb_option_table(v ? v->scope : UINT64_MAX);
        bool only_arguments = false;

        while (*index < end) {
                const char *word = argv[*index];
                const bool command = v && (v->flags & VERB_COMMAND) && call->arguments;
                if (command && !only_arguments && !streq(word, "--"))
                        only_arguments = true;
                if (!only_arguments && streq(word, "--")) {
                        only_arguments = true;
                        (*index)++;
                } else if (!only_arguments && word[0] == '-' && word[1] != '\0') {
                        int r = options_parse_one(&t, end, argv, index, &call->options, reterr);
                        if (r == 0)
                                return set_unknown_option(v, word, reterr);
                        if (r < 0)
                                return r;
                } else if (!v)
                        return 0;
                else {
                        if (strv_extend(&call->arguments, word) < 0)
                                return error_oom(reterr);
                        (*index)++;
                }
        }
        return 0;
}

static int check_argument_count(const Verb *v, const Invocation *call, Error *reterr) {
        const size_t n = strv_length(call->arguments);
        int r;

        if (n >= v->min && n <= v->max)
                return 0;
        if (n == 0 && (v->flags & (VERB_CONTAINERS | VERB_IMAGES)))
                r = error_set(reterr, -EINVAL, ERROR_USAGE,
                              "Verb '%s' needs the name of a container", v->name);
        else if (n < v->min)
                r = error_set(reterr, -EINVAL, ERROR_USAGE, "Verb '%s' needs more arguments: %s",
                              v->name, v->arguments);
        else
                r = error_set(reterr, -EINVAL, ERROR_USAGE, "Verb '%s' takes no argument '%s'",
                              v->name, call->arguments[v->max]);
        error_hint(reterr, "'berth %s --help' shows how it is used", v->name);
        return r;
}

static void invocation_done(Invocation *call) {
        verb_options_done(&call->options);
        call->arguments = strv_free(call->arguments);
}

static int help_verb(int argc, char **argv, VerbOptions *o, Error *reterr) {
        for (; argc > 0 && streq(argv[0], "--no-pager"); argc--, argv++)
                o->no_pager = true;
        if (argc > 1 && streq(argv[1], "--no-pager"))
                o->no_pager = true;
        if (argc == 0 || streq(argv[0], "--help") || streq(argv[0], "-h"))
                return show_help(NULL, o, reterr);
        const Verb *v = verb_by_name(argv[0]);
        return v ? show_help(v, o, reterr) : verb_set_unknown(argv[0], reterr);
}

/* Words before the verb: only options. They are read twice: to find the verb, and then as that verb's. */
static int find_verb(int argc, char **argv, Invocation *call, int *ret_index, Error *reterr) {
        int i = 1;

        int r = parse_words(NULL, argc, argv, &i, call, reterr);
        if (r >= 0)
                *ret_index = i;
        return r;
}

static int berth_main(int argc, char **argv, Error *reterr) {
        _cleanup_(invocation_done) Invocation before = { .options = VERB_OPTIONS_NULL };
        _cleanup_(invocation_done) Invocation call = { .options = VERB_OPTIONS_NULL };
        int at = 0, i = 1;

        int r = find_verb(argc, argv, &before, &at, reterr);
        if (r < 0)
                return r;
        if (before.options.help || before.options.version)
                return before.options.help ? show_help(NULL, &before.options, reterr)
                                           : show_version();
        const char *name = at < argc ? argv[at] : "list";
        const Verb *v = verb_by_name(name);
        if (!v)
                return verb_set_unknown(name, reterr);
        r = parse_words(v, at, argv, &i, &call, reterr);
        if (r < 0)
                return r;
        i = MIN(at + 1, argc);
        if (streq(name, "help"))
                return help_verb(argc - i, argv + i, &call.options, reterr);
        if (streq(name, "run"))
                return run_main(FACE_RUN, argc - i, argv + i);
        if (streq(name, "verify"))
                return verify_main(argc - i, argv + i);

        r = parse_words(v, argc, argv, &i, &call, reterr);
        if (r < 0)
                return r;
        if (call.options.help || call.options.version)
                return call.options.help ? show_help(v, &call.options, reterr) : show_version();
        r = check_argument_count(v, &call, reterr);
        return r < 0 ? r : run_verb(v, &call, reterr);
}

int main(int argc, char **argv) {
        Error e = ERROR_NULL;

        if (fd_fill_stdio() < 0)
                return 125; /* there may be nowhere to say why */
        log_open("berth");
        if (argc > 0 && streq(path_last_component(argv[0]), "systemd-nspawn"))
                return run_main(FACE_NSPAWN, argc - 1, argv + 1);
        int r = berth_main(argc, argv, &e);
        return r < 0 ? complain(&e, EXIT_OF_VERB) : finish(r);
}
