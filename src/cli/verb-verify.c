/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `berth verify`: the spec as a settings file, and where each value comes from. */
#include <stdio.h>
#include <unistd.h>

#include "basic/log.h"
#include "basic/strv.h"
#include "cli/complain.h"
#include "cli/json.h"
#include "cli/run.h"
#include "spec/spec-order.h"
#include "spec/spec-specifier.h"
#include "spec/spec-text.h"

static const char *const source_words[_SOURCE_MAX] = {
        [SOURCE_DEFAULT] = "default",
        [SOURCE_IMAGE_FILE] = "settings file beside the image",
        [SOURCE_FILE] = "settings file",
        [SOURCE_PROFILE] = "profile",
        [SOURCE_COMMAND] = "command line",
        [SOURCE_IMAGE_OVERRIDE] = "settings file beside the image",
        [SOURCE_OVERRIDE] = "settings file",
        [SOURCE_DERIVED] = "derived",
};

static const TableColumn columns[] = {
        { "SECTION", "section", false, true },  { "KEY", "key", false, true },
        { "SETTING", "setting", false, false }, { "VALUE", "value", false, false },
        { "FROM", "from", false, false },
};

/* One setting's canonical lines, "Key=a\nKey=b\n" → "a", "b". */
static int field_values(const SpecField *f, const ContainerSpec *spec, char ***ret) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        _cleanup_free_ char *text = NULL;
        _cleanup_strv_free_ char **lines = NULL, **values = NULL;

        int r = spec_field_print(f, spec, &b);
        if (r >= 0)
                r = strbuf_finish(&b, &text);
        if (r >= 0)
                r = strv_split(&lines, text, "\n", 0);
        if (r < 0)
                return r;
        STRV_FOREACH(line, lines) {
                const char *value = strchr(*line, '=');
                if (strv_extend(&values, value ? value + 1 : *line) < 0)
                        return -ENOMEM;
        }
        *ret = TAKE_PTR(values);
        return 0;
}

static bool is_shown(const SpecField *f) {
        return f->key && !(f->flags & (FIELD_INTERNAL | FIELD_UNSUPPORTED | FIELD_HIDDEN)) &&
               spec_field_by_key(f->section, f->key) == f;
}

static void add_row(Table *t, const SpecField *f, const char *setting, const char *value,
                    const char *from) {
        table_add_string(t, f->section);
        table_add_string(t, f->key);
        table_add_string(t, setting);
        table_add_string(t, value);
        table_add_string(t, from);
}

static int add_field(Table *t, const SpecDraft *d, const SpecField *f, const ContainerSpec *spec) {
        _cleanup_strv_free_ char **values = NULL;
        _cleanup_free_ char *setting = strjoin("[", f->section, "] ", f->key, "=");
        const char *where = NULL;

        int r = setting ? field_values(f, spec, &values) : -ENOMEM;
        if (r < 0)
                return r;
        const SpecSource source = spec_draft_source(d, f, &where);
        const char *from = !isempty(where) ? where
                           : source == SOURCE_DEFAULT && !strv_isempty(values)
                                   ? source_words[SOURCE_DERIVED]
                                   : source_words[source];
        STRV_FOREACH(v, values)
                add_row(t, f, setting, *v, from);
        /* set to what is the default anyway: still worth saying who did it */
        if (strv_isempty(values) && source != SOURCE_DEFAULT)
                add_row(t, f, setting, "(default)", from);
        return 0;
}

static int print_json(const Table *t, const char *text, const SettingsFiles *files,
                      char *const *warnings, bool pretty, Error *reterr) {
        _cleanup_(json_writer_done) JsonWriter w = { .pretty = pretty };
        _cleanup_free_ char *json = NULL;

        json_begin_object(&w, NULL);
        json_add_string(&w, "settings_file", files->main);
        json_add_strv(&w, "drop_ins", files->drop_ins);
        json_add_string(&w, "spec", text);
        json_begin_array(&w, "settings");
        for (size_t i = 0; i + t->n_columns <= t->n_cells; i += t->n_columns) {
                json_begin_object(&w, NULL);
                for (size_t c = 0; c < t->n_columns; c++)
                        if (!streq(t->columns[c].key, "setting"))
                                json_add_string(&w, t->columns[c].key, t->cells[i + c].text);
                json_end(&w);
        }
        json_end(&w);
        json_add_strv(&w, "warnings", warnings);
        json_end(&w);
        int r = json_finish(&w, &json, reterr);
        if (r >= 0)
                (void) fputs(json, stdout); /* the caller checks the stream */
        return r;
}

/* Words, paths, may hold what steers a terminal: whoever wrote a file beside the image chose them. */
static void print_safely(const char *before, const char *text) {
        _cleanup_free_ char *safe = str_escape_for_display(text);

        printf("%s%s\n", before, strempty(safe)); /* the caller checks the stream */
}

static void print_text(const SettingsFiles *files, char *text) {
        print_safely("# settings file: ", files->main ?: "none");
        STRV_FOREACH(path, files->drop_ins)
                print_safely("# drop-in: ", *path);
        for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
                print_safely("", line);
}

static int show(const RunRequest *q, const SpecDraft *d, const ContainerSpec *spec,
                const SettingsFiles *files, Error *reterr) {
        _cleanup_(table_done) Table t = { .columns = columns, .n_columns = ELEMENTSOF(columns) };
        _cleanup_free_ char *canonical = NULL, *text = NULL;
        const TableStyle style = { .legend = true, .color = terminal_wants_color(STDOUT_FILENO) };

        if (spec_text_print(spec, /* internal= */ false, &canonical) < 0)
                return error_oom(reterr);
        text = spec_specifiers_escape_text(canonical); /* it can be used as a settings file */
        if (!text)
                return error_oom(reterr);
        for (size_t i = 0; i < spec_n_fields; i++)
                if (is_shown(spec_fields + i) && add_field(&t, d, spec_fields + i, spec) < 0)
                        return error_oom(reterr);
        if (q->json != JSON_OFF)
                return print_json(&t, text, files, spec_draft_warnings(d), q->json == JSON_PRETTY,
                                  reterr);
        print_text(files, text);
        int r = table_print(&t, stdout, &style, reterr);
        if (r >= 0)
                (void) fflush(stdout); /* warnings come last; the caller checks the stream */
        STRV_FOREACH(w, spec_draft_warnings(d))
                log_warning("%s", *w);
        return r;
}

/* A name and nothing else: what its unit would do. */
static bool names_a_unit(const RunRequest *q, SpecDraft *d) {
        const ContainerSpec *spec = spec_draft_spec(d);

        return !spec->name && !spec_root_path(spec) && strv_length(q->words) == 1 &&
               !streq(q->words[0], "--");
}

/* Containers that its settings name, and that cannot be started. */
static int check_names(SpecDraft *d, DependencyType t) {
        const SpecField *f = spec_field_by_key("Lifecycle", dependency_type_to_string(t));
        const ContainerSpec *spec = spec_draft_spec(d);

        STRV_FOREACH(word, spec->dependencies[t]) {
                _cleanup_free_ char *name = dependency_to_container(*word);
                _cleanup_error_ Error e = ERROR_NULL;
                const char *where = NULL;

                if (!name || streq(name, spec->name) || compile_check_unit(name, &e) >= 0)
                        continue;
                (void) spec_draft_source(d, f, &where);
                if (spec_draft_warn(d, "%s=%s at %s: '%s' cannot be started: %s",
                                    dependency_type_to_string(t), *word, strempty(where), name,
                                    error_message(&e)) < 0)
                        return -ENOMEM;
        }
        return 0;
}

/* *ret_words: failed because of the words alone. */
static int verify(RunRequest *q, int argc, char **argv, bool *ret_words, Error *reterr) {
        _cleanup_(spec_draft_freep) SpecDraft *d = spec_draft_new();
        _cleanup_spec_ ContainerSpec *spec = NULL;
        _cleanup_(settings_files_done) SettingsFiles files = { 0 };

        if (!d)
                return error_oom(reterr);
        int r = compile_arguments(argc, argv, q, d, reterr);
        *ret_words = r < 0;
        if (r < 0 || q->help)
                return r;
        if (names_a_unit(q, d)) {
                q->in_unit = strdup(q->words[0]);
                q->words = strv_free(q->words);
                if (!q->in_unit)
                        return error_oom(reterr);
        }
        r = compile_settings(q, d, &files, reterr);
        for (DependencyType t = 0; r >= 0 && q->in_unit && t < _DEPENDENCY_TYPE_MAX; t++)
                if (check_names(d, t) < 0)
                        r = error_oom(reterr);
        if (r >= 0 && q->in_unit && order_check(d, /* places= */ NULL) < 0)
                r = error_oom(reterr);
        if (r >= 0)
                r = compile_finish(q, d, /* resolve_console= */ false, &spec, reterr);
        return r < 0 ? r : show(q, d, spec, &files, reterr);
}

int verify_main(int argc, char **argv) {
        _cleanup_(run_request_done) RunRequest q = RUN_REQUEST_NULL(FACE_VERIFY);
        Error e = ERROR_NULL;
        bool words = false;

        int r = verify(&q, argc, argv, &words, &e);
        if (r >= 0 && q.help)
                return run_show_help(FACE_VERIFY);
        if (r >= 0 && fflush(stdout) != 0)
                r = error_set_errno(&e, -errno, ERROR_FAILED, "Writing the output failed");
        if (r >= 0)
                return 0;
        const int usage = words ? compile_usage_status(&e, 0) : 0,
                  status = complain(&e, EXIT_OF_VERB);
        return usage ?: status;
}
