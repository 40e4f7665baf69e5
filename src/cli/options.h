/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Command-line options as a table: parsing, --help, shell completion and suggestions are loops over its rows. */
#pragma once

#include "basic/error.h"
#include "basic/macros.h"
#include "basic/str.h"

typedef enum OptionFlags {
        OPTION_OPTIONAL_ARG = 1 << 0, /* --name or --name=ARG, never --name ARG */
        OPTION_HIDDEN = 1 << 1,       /* not in help and completion */
} OptionFlags;

typedef struct Option Option;
/* Reads a value (NULL if there is none) into `at`. An error names option and value. */
typedef int (*OptionParse)(const Option *o, const char *value, void *at, Error *reterr);

struct Option {
        char letter; /* or 0 */
        const char *name;
        const char *argument; /* for help: "SIGNAL"; NULL: takes none */
        uint32_t flags;
        uint64_t scope; /* bits of the commands that take it */
        OptionParse parse;
        size_t offset;    /* in the struct that options_parse_one() is given */
        const void *data; /* for parse */
        const char *help; /* one line, at most OPTION_HELP_MAX columns */
};

typedef struct OptionTable {
        const Option *options;
        size_t n_options;
        uint64_t scope; /* of the command at hand: rows without these bits are unknown */
} OptionTable;

#define HELP_WIDTH 80U
#define HELP_COLUMN 30U /* where the explanations begin */
#define OPTION_HELP_MAX (HELP_WIDTH - HELP_COLUMN)

/* Ready-made readers */
int option_parse_true(const Option *o, const char *value, void *at, Error *reterr);  /* bool */
int option_parse_false(const Option *o, const char *value, void *at, Error *reterr); /* bool */
int option_parse_ignored(const Option *o, const char *value, void *at,
                         Error *reterr); /* asks for nothing */
int option_parse_string(const Option *o, const char *value, void *at,
                        Error *reterr); /* char*, owned */
int option_parse_strv(const Option *o, const char *value, void *at,
                      Error *reterr); /* char**, added to */
int option_parse_signal(const Option *o, const char *value, void *at, Error *reterr);  /* int */
int option_parse_timeout(const Option *o, const char *value, void *at, Error *reterr); /* usec_t */

/* argv[*index] is looked at. 1: it was a row's option (and its argument), *index is advanced; 0: not in the table; < 0:
 * one of ours, but wrong. --name=value, --name value, -x value, -xvalue, and letters without argument in one word. */
int options_parse_one(const OptionTable *t, int argc, char **argv, int *index, void *values,
                      Error *reterr);
const Option *option_by_letter(const OptionTable *t, char letter);

/* "  -x --name=ARG            help" lines of all visible rows of the scope. */
void options_format_help(const OptionTable *t, StrBuf *out);
/* One such line; name or letter may be empty. */
void help_format_line(StrBuf *out, const char *left, const char *help);

/* The nearest of `candidates` to a mistyped word, or NULL if none is near. */
const char *suggest_word(const char *word, char *const *candidates);
/* Names of all visible options, "--name", appended to *names. */
int options_list_names(const OptionTable *t, char ***names);
/* "Unknown option '--foo' (did you mean '--food'?)": ERROR_USAGE. candidates as options_list_names() makes them. */
int options_set_unknown(const char *word, char *const *candidates, const char *command,
                        Error *reterr);
