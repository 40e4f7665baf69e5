/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Golden tests: each *.args, *.berth, *.nspawn and *.props below a directory gives a canonical text or an error, and *.expected
 * beside it says which. `golden DIRECTORY` compares, `golden --write DIRECTORY` (tests/golden/regenerate) writes what it finds.
 *
 * *.args has one word a line; words behind the options are the command. *.props are the settings of a D-Bus call, as
 * fake/settings-message.h has them; X.args beside X.props says the same, and so must their texts. All start as container 'web' in
 * /srv/web. */
#include <dirent.h>
#include <stdio.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "basic/strv.h"
#include "bus/bus.h"
#include "fake/settings-message.h"
#include "spec/spec-draft.h"
#include "spec/spec-text.h"

#define FILE_MAX (1U << 20)

static int set(SpecDraft *d, const char *key, const char *value, Error *e) {
        return spec_draft_set(d, spec_field_by_name(key), value, SOURCE_DEFAULT, NULL, e);
}

/* One word a line; an empty line is an empty word. */
static int split_lines(const char *text, char ***ret) {
        _cleanup_free_ char *copy = strdup(text);

        if (!copy)
                return -ENOMEM;
        for (char *rest = copy, *line; (line = strsep(&rest, "\n")) && rest;)
                if (strv_extend(ret, line) < 0)
                        return -ENOMEM;
        return 0;
}

static int compile_args(SpecDraft *d, const char *text, Error *e) {
        const SpecField *parameters = spec_field_by_name("Parameters");
        _cleanup_strv_free_ char **words = NULL;
        int n, r, i = 0;

        if (split_lines(text, &words) < 0)
                return error_oom(e);
        n = (int) strv_length(words);
        do
                r = i < n ? spec_args_parse_one(d, n, words, &i, e) : 0;
        while (r > 0);
        if (r >= 0 && i < n && streq(words[i], "--"))
                i++;
        for (; r >= 0 && i < n; i++)
                r = spec_draft_set_raw(d, parameters, words[i], SOURCE_COMMAND, "the command line",
                                       e);
        return r;
}

static int compile_props(SpecDraft *d, const char *text, Error *e) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        int r;

        r = settings_message_new(text, &bus, &m);
        return r < 0 ? error_set_errno(e, r, ERROR_FAILED, "No message can be made of it")
                     : bus_read_settings(m, d, e);
}

static int compile(const char *name, const char *text, SpecDraft *d, ContainerSpec **ret,
                   Error *e) {
        _cleanup_free_ char *path = strjoin("/etc/berth/", name);
        int r;

        if (!path)
                return error_oom(e);
        r = set(d, "Name", "web", e);
        if (r >= 0)
                r = set(d, "Directory", "/srv/web", e);
        if (r >= 0)
                r = endswith(name, ".args")    ? compile_args(d, text, e)
                    : endswith(name, ".props") ? compile_props(d, text, e)
                                               : spec_settings_parse(d, text, SOURCE_FILE, path, e);
        if (r >= 0)
                r = spec_draft_read_profiles(d, e);
        return r < 0 ? r : spec_check(d, ret, e);
}

/* parse(print(s)) == s: compared as text, once more. */
static bool survives(const ContainerSpec *spec) {
        _cleanup_free_ char *first = NULL, *second = NULL;
        _cleanup_spec_ ContainerSpec *again = NULL;
        _cleanup_error_ Error e = ERROR_NULL;

        if (spec_text_print(spec, /* internal= */ true, &first) < 0)
                return false;
        if (spec_text_parse(first, &again, &e) < 0) {
                fprintf(stderr, "%s\n", e.message);
                return false;
        }
        return spec_text_print(again, /* internal= */ true, &second) >= 0 && streq(first, second);
}

/* What the file gives, as text. Allocated; NULL on failure. */
static char *result(const char *name, const char *text) {
        _cleanup_(spec_draft_freep) SpecDraft *d = spec_draft_new();
        _cleanup_spec_ ContainerSpec *spec = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ char *canonical = NULL;
        StrBuf b = { 0 };
        char *out;

        if (!d)
                return NULL;
        if (compile(name, text, d, &spec, &e) < 0) {
                strbuf_addf(&b, "%s: %s\n", error_id_to_string(e.id), e.message);
                if (e.hint)
                        strbuf_addf(&b, "Hint: %s\n", e.hint);
        } else {
                if (!survives(spec))
                        strbuf_add(&b, "ITS TEXT IS READ DIFFERENTLY\n");
                if (spec_text_print(spec, /* internal= */ false, &canonical) < 0)
                        return NULL;
                strbuf_add(&b, canonical);
        }
        STRV_FOREACH(w, spec_draft_warnings(d))
                strbuf_addf(&b, "Warning: %s\n", *w);
        return strbuf_finish(&b, &out) < 0 ? NULL : out;
}

static int write_file(const char *path, const char *text) {
        FILE *f = fopen(path, "we");

        if (!f)
                return -1;
        (void) fputs(text, f); /* fclose() tells */
        return fclose(f);
}

/* X.props gives what X.args gives, if there is one. */
static bool equals_twin(const char *directory, const char *name, const char *found) {
        const char *suffix = endswith(name, ".props");
        _cleanup_free_ char *stem = suffix ? strndup(name, (size_t) (suffix - name)) : NULL;
        _cleanup_free_ char *path = stem ? strjoin(directory, "/", stem, ".args.expected") : NULL,
                            *twin = NULL;

        if (!path || startswith(stem, "error-") ||
            file_read_all(AT_FDCWD, path, FILE_MAX, &twin, NULL) < 0 || streq(twin, found))
                return true;
        printf("FAIL %s differs from %s.args\n", name, stem);
        return false;
}

/* 0: as expected. */
static int run_one(const char *directory, const char *name, bool writing) {
        _cleanup_free_ char *path = path_join(directory, name),
                            *expected_path = strjoin(path, ".expected");
        _cleanup_free_ char *text = NULL, *expected = NULL, *found = NULL;

        if (!path || !expected_path || file_read_all(AT_FDCWD, path, FILE_MAX, &text, NULL) < 0) {
                printf("FAIL %s: cannot be read\n", name);
                return 1;
        }
        found = result(name, text);
        if (!found)
                return 1;
        if (writing)
                return write_file(expected_path, found) < 0 ? 1 : 0;
        if (!equals_twin(directory, name, found))
                return 1;
        if (file_read_all(AT_FDCWD, expected_path, FILE_MAX, &expected, NULL) >= 0 &&
            streq(expected, found)) {
                printf("ok %s\n", name);
                return 0;
        }
        printf("FAIL %s\n--- expected\n%s--- found\n%s", name, strempty(expected), found);
        return 1;
}

static int is_case(const struct dirent *entry) {
        return endswith(entry->d_name, ".args") || endswith(entry->d_name, ".berth") ||
               endswith(entry->d_name, ".nspawn") || endswith(entry->d_name, ".props");
}

int main(int argc, char **argv) {
        const bool writing = argc == 3 && streq(argv[1], "--write");
        const char *directory = argv[argc - 1];
        struct dirent **entries;
        unsigned failed = 0;
        int n;

        n = argc < 2 ? -1 : scandir(directory, &entries, is_case, alphasort);
        if (n <= 0) {
                fprintf(stderr, "Usage: golden [--write] DIRECTORY\n");
                return 2;
        }
        for (int i = 0; i < n; i++) {
                failed += run_one(directory, entries[i]->d_name, writing) != 0;
                free(entries[i]);
        }
        free(entries);
        printf("%u passed, %u failed, 0 skipped\n", (unsigned) n - failed, failed);
        return failed > 0;
}
