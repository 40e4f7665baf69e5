/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading options, suggestions, help. */
#include "cli/options.h"

#include <signal.h>

#include "basic/strv.h"
#include "basic/time.h"
#include "cli/table.h"

#include "test.h"

typedef struct Values {
        bool all;
        char *name;
        char **list;
        int signal;
        usec_t timeout;
        bool maybe;
} Values;

static int parse_maybe(const Option *o, const char *value, void *at, Error *reterr) {
        *(bool *) at = !value || streq(value, "yes");
        return 0;
}

#define AT(f) offsetof(Values, f)
static const Option rows[] = {
        { 'a', "all", NULL, 0, 1, option_parse_true, AT(all), NULL, "All of it" },
        { 0, "name", "NAME", 0, 1, option_parse_string, AT(name), NULL, "A name" },
        { 'l', "list", "WORD", 0, 1, option_parse_strv, AT(list), NULL, "Several" },
        { 's', "signal", "SIGNAL", 0, 2, option_parse_signal, AT(signal), NULL, "A signal" },
        { 0, "timeout", "TIME", 0, 3, option_parse_timeout, AT(timeout), NULL, "A time" },
        { 'm', "maybe", "BOOL", OPTION_OPTIONAL_ARG, 1, parse_maybe, AT(maybe), NULL, "Perhaps" },
        { 0, "secret", NULL, OPTION_HIDDEN, 1, option_parse_true, AT(all), NULL, "" },
        { 0, "a-very-long-option-name", "ARGUMENT", 0, 1, option_parse_string, AT(name), NULL,
          "Long" },
};

static void values_done(Values *v) {
        free(v->name);
        strv_free(v->list);
}

/* 1, 0 or an error; words are one string. */
static int parse(uint64_t scope, const char *line, Values *v, int *index, Error *e) {
        const OptionTable t = { rows, ELEMENTSOF(rows), scope };
        _cleanup_strv_free_ char **words = NULL;
        ASSERT_OK(strv_split(&words, line, NULL, 0));
        *index = 0;
        return options_parse_one(&t, (int) strv_length(words), words, index, v, e);
}

TEST(forms) {
        Values v = { 0 };
        int i;

        ASSERT_EQ(parse(1, "--all", &v, &i, NULL), 1);
        ASSERT_TRUE(v.all);
        ASSERT_EQ(i, 1);
        v.all = false;
        ASSERT_EQ(parse(1, "-a", &v, &i, NULL), 1);
        ASSERT_TRUE(v.all);
        ASSERT_EQ(parse(1, "--name=a=b", &v, &i, NULL), 1);
        ASSERT_STREQ(v.name, "a=b");
        ASSERT_EQ(parse(1, "--name x rest", &v, &i, NULL), 1);
        ASSERT_STREQ(v.name, "x");
        ASSERT_EQ(i, 2);
        ASSERT_EQ(parse(1, "--name= rest", &v, &i, NULL), 1);
        ASSERT_STREQ(v.name, "");
        ASSERT_EQ(i, 1);
        ASSERT_EQ(parse(1, "-lone", &v, &i, NULL), 1);
        ASSERT_EQ(parse(1, "-l two", &v, &i, NULL), 1);
        ASSERT_EQ(i, 2);
        ASSERT_EQ(strv_length(v.list), 2);
        v.all = false;
        ASSERT_EQ(parse(1, "-aalthree", &v, &i, NULL), 1);
        ASSERT_TRUE(v.all);
        ASSERT_STREQ(v.list[2], "three");
        ASSERT_EQ(parse(1, "-al four", &v, &i, NULL), 1);
        ASSERT_EQ(i, 2);
        ASSERT_STREQ(v.list[3], "four");
        ASSERT_EQ(parse(2, "-s TERM", &v, &i, NULL), 1);
        ASSERT_EQ(v.signal, SIGTERM);
        ASSERT_EQ(parse(2, "--timeout=2min", &v, &i, NULL), 1);
        ASSERT_EQ(v.timeout, 2 * USEC_PER_MINUTE);
        ASSERT_EQ(parse(1, "--maybe no", &v, &i, NULL), 1);
        ASSERT_TRUE(v.maybe);
        ASSERT_EQ(i, 1);
        ASSERT_EQ(parse(1, "--maybe=no", &v, &i, NULL), 1);
        ASSERT_FALSE(v.maybe);
        values_done(&v);
}

TEST(not_ours) {
        static const char *const lines[] = { "word",          "-", "--", "--al", "--alll", "-x",
                                             "--signal=TERM", "-s" };
        Values v = { 0 };
        int i;

        for (size_t k = 0; k < ELEMENTSOF(lines); k++) {
                ASSERT_EQ(parse(1, lines[k], &v, &i, NULL), 0);
                ASSERT_EQ(i, 0);
        }
}

TEST(errors) {
        static const struct {
                const char *line, *message;
        } cases[] = {
                { "--name", "Option '--name' needs an argument: NAME" },
                { "-l", "Option '-l' needs an argument: WORD" },
                { "-al", "Option '-l' needs an argument: WORD" },
                { "-ax", "Unknown option '-x' in '-ax'" },
                { "--all=yes", "Option '--all' takes no argument" },
                { "--signal=FOO",
                  "Invalid value 'FOO' for '--signal': a signal's name or number is expected" },
                { "--timeout=soon",
                  "Invalid value 'soon' for '--timeout': a time like '90s' or 'infinity' is expected" },
        };
        Values v = { 0 };
        int i;

        for (size_t k = 0; k < ELEMENTSOF(cases); k++) {
                Error e = ERROR_NULL;
                ASSERT_ERROR(parse(3, cases[k].line, &v, &i, &e), EINVAL);
                ASSERT_EQ(e.id, ERROR_USAGE);
                ASSERT_EQ(error_id_to_exit_status(e.id), 2);
                ASSERT_STREQ(e.message, cases[k].message);
                error_done(&e);
        }
}

TEST(suggestions) {
        static const struct {
                const char *word, *near;
        } cases[] = {
                { "--food", "--foot" },
                { "--foto", "--foot" },
                { "--fot=x", "--foot" },
                { "--privat-network", "--private-network" },
                { "--private", "--private-network" },
                { "--zzzzzzz", NULL },
                { "--", NULL },
                { "-x", NULL },
                { "lsit", "list" },
                { "stat", "start" },
                { "xyz", NULL },
        };
        static char *const candidates[] = { (char *) "--foot",
                                            (char *) "--private-network",
                                            (char *) "--bind",
                                            (char *) "list",
                                            (char *) "start",
                                            (char *) "stop",
                                            NULL };

        for (size_t k = 0; k < ELEMENTSOF(cases); k++)
                ASSERT_STREQ(suggest_word(cases[k].word, candidates), cases[k].near);

        char huge[500];
        memset(huge, '-', sizeof(huge) - 1);
        huge[sizeof(huge) - 1] = '\0';
        ASSERT_NULL(suggest_word(huge, candidates));
}

TEST(unknown) {
        char *const candidates[] = { (char *) "--food", NULL };
        static const struct {
                const char *word, *message;
        } cases[] = {
                { "--foo=bar", "Unknown option '--foo' (did you mean '--food'?)" },
                { "--whatever", "Unknown option '--whatever'" },
                { "-xyz", "Unknown option '-x'" },
        };

        for (size_t k = 0; k < ELEMENTSOF(cases); k++) {
                Error e = ERROR_NULL;
                ASSERT_ERROR(options_set_unknown(cases[k].word, candidates, "berth list", &e),
                             EINVAL);
                ASSERT_EQ(e.id, ERROR_USAGE);
                ASSERT_STREQ(e.message, cases[k].message);
                ASSERT_STREQ(e.hint, "'berth list --help' lists the options");
                error_done(&e);
        }
}

TEST(help) {
        const OptionTable t = { rows, ELEMENTSOF(rows), 1 };
        StrBuf b = { 0 };
        char *text = NULL;

        options_format_help(&t, &b);
        ASSERT_OK(strbuf_finish(&b, &text));
        ASSERT_STREQ(text, "  -a --all                    All of it\n"
                           "     --name=NAME              A name\n"
                           "  -l --list=WORD              Several\n"
                           "     --timeout=TIME           A time\n"
                           "  -m --maybe[=BOOL]           Perhaps\n"
                           "     --a-very-long-option-name=ARGUMENT\n"
                           "                              Long\n");
        free(text);
}

TEST(names) {
        const OptionTable t = { rows, ELEMENTSOF(rows), 2 };
        char **names = NULL;

        ASSERT_OK(options_list_names(&t, &names));
        _cleanup_free_ char *joined = strv_join(names, " ");
        ASSERT_STREQ(joined, "--signal --timeout");
        strv_free(names);
}

TEST_MAIN
