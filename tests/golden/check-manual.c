/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The manual against the field table: each key is in berth.settings(5) with its option, each option in berth-run(1), and neither page
 * has a key or an option that is not. `check-manual MAN_DIRECTORY` */
#include <fcntl.h>
#include <stdio.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "basic/strv.h"
#include "spec/spec-fields.h"

#define PAGE_MAX (1U << 20)
#define WORD_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"

static unsigned failures;

/* A page without font changes and escapes: "\fB\-\-bind=\fR" → "--bind=". Allocated. */
static char *page_read(const char *directory, const char *name) {
        _cleanup_free_ char *path = path_join(directory, name), *text = NULL;
        char *to;

        if (!path || file_read_all(AT_FDCWD, path, PAGE_MAX, &text, NULL) < 0)
                return NULL;
        to = text;
        for (const char *c = text; *c; c++)
                if (c[0] == '\\' && c[1] == 'f' && c[2])
                        c += 2;
                else if (c[0] == '\\' && c[1] == '-')
                        *to++ = *++c;
                else
                        *to++ = *c;
        *to = '\0';
        return TAKE_PTR(text);
}

/* The word, with nothing that a longer word would have around it. */
static bool page_has(const char *page, const char *word) {
        size_t n = strlen(word);

        for (const char *at = page; (at = strstr(at, word)); at++)
                if ((at == page || !strchr(WORD_CHARACTERS, at[-1])) &&
                    (word[n - 1] == '=' || !at[n] || !strchr(WORD_CHARACTERS, at[n])))
                        return true;
        return false;
}

static void require(const char *page_name, const char *page, const char *word) {
        if (page_has(page, word))
                return;
        printf("FAIL %s lacks %s\n", page_name, word);
        failures++;
}

static void check_row(const SpecField *f, const char *settings, const char *run) {
        _cleanup_free_ char *key = f->key ? strjoin(f->key, "=") : NULL,
                            *option = f->option ? strjoin("--", f->option) : NULL;
        const char letter[] = { '-', f->letter, '\0' };

        if (f->flags & FIELD_INTERNAL)
                return;
        if (key)
                require("berth.settings(5)", settings, key);
        if (option)
                require("berth.settings(5)", settings, option);
        if (option && run)
                require("berth-run(1)", run, option);
        if (f->letter && run)
                require("berth-run(1)", run, letter);
}

/* Headings of paragraphs (the line behind ".TP") that say "Key=" name rows. */
static void check_headings(const char *settings) {
        for (const char *at = settings; (at = strstr(at, "\n.TP\n"));) {
                _cleanup_strv_free_ char **words = NULL;
                _cleanup_free_ char *line = NULL;

                at += STRLEN("\n.TP\n");
                line = strndup(at, strcspn(at, "\n"));
                if (!line || strv_split(&words, line, ", ", 0) < 0)
                        abort();
                STRV_FOREACH(word, words) {
                        size_t n = strspn(*word, WORD_CHARACTERS);
                        _cleanup_free_ char *key = strndup(*word, n);

                        if (n > 0 && (*word)[n] == '=' && !spec_field_by_name(key)) {
                                printf("FAIL berth.settings(5) has %s=, which is no key\n", key);
                                failures++;
                        }
                }
        }
}

/* Each --option that a page names is one, of the table or of the command line's own. */
static void check_options(const char *name, const char *page) {
        static const char own[] =
                " help version quiet settings template keep-unit register json in-unit no-pager now runtime all lines ";

        for (const char *at = page; (at = strstr(at, "--")); at++) {
                size_t n = strspn(at + 2, "abcdefghijklmnopqrstuvwxyz0123456789-");
                _cleanup_free_ char *option = strndup(at + 2, n),
                                    *word = option ? strjoin(" ", option, " ") : NULL;

                if (n < 2 || (at > page && strchr(WORD_CHARACTERS, at[-1])) || !word ||
                    strstr(own, word) || spec_field_by_option(option, n))
                        continue;
                if (strstr(page, "\n.EX\n") &&
                    streq(option, "once")) /* of a command in an example */
                        continue;
                printf("FAIL %s names --%s, which is no option\n", name, option);
                failures++;
        }
}

int main(int argc, char **argv) {
        _cleanup_free_ char *settings = argc == 2 ? page_read(argv[1], "berth.settings.5") : NULL;
        _cleanup_free_ char *run = argc == 2 ? page_read(argv[1], "berth-run.1") : NULL;

        if (!settings) {
                fprintf(stderr, "Usage: check-manual MAN_DIRECTORY\n");
                return 2;
        }
        for (size_t i = 0; i < spec_n_fields; i++)
                check_row(spec_fields + i, settings, run);
        check_headings(settings);
        check_options("berth.settings(5)", settings);
        if (run)
                check_options("berth-run(1)", run);
        printf("%u failures\n", failures);
        return failures > 0;
}
