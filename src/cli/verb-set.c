/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `berth set`: limits of a container, now and in its settings.
 *
 * All or nothing: the new drop-ins are written beside the old ones, berthd has systemd change the unit in one call, and only then they take
 * their places. */
#include <stdio.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/log.h"
#include "basic/strv.h"
#include "bus/bus.h"
#include "bus/manager1.h"
#include "bus/systemd1.h"
#include "bus/unit-change.h"
#include "cli/compile.h"
#include "cli/settings-write.h"
#include "cli/verbs.h"

#define HEAD "# Written by 'berth set'.\n[Resources]\n"

typedef struct ChangeSet {
        UnitChange *changes;
        size_t n;
        StagedFile *files; /* one a property */
        size_t n_files;
} ChangeSet;

static void change_set_done(ChangeSet *s) {
        for (size_t i = 0; i < s->n; i++)
                unit_change_done(s->changes + i);
        for (size_t i = 0; i < s->n_files; i++)
                staged_file_done(s->files + i);
        free(s->changes);
        free(s->files);
}

static int parse_changes(char *const *words, ChangeSet *s, Error *reterr) {
        if (strv_length(words) > UNIT_CHANGES_MAX)
                return error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED,
                                 "More than %u settings cannot be changed at once",
                                 UNIT_CHANGES_MAX);
        STRV_FOREACH(word, words) {
                UnitChange *c = ARRAY_APPEND(s->changes, s->n);
                if (!c)
                        return error_oom(reterr);
                *c = (UnitChange){ 0 };
                int r = unit_change_parse(*word, c, reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* A list goes on from what counts already, unless it is taken back; what is said again is said once. */
static int add_line(char ***lines, const char *setting) {
        if (endswith(setting, "="))
                *lines = strv_free(*lines);
        return strv_contains(*lines, setting) ? 0 : strv_extend(lines, setting);
}

/* The lines that the drop-in of a list has already. */
static int read_old_lines(const char *path, char ***lines, Error *reterr) {
        _cleanup_free_ char *text = NULL;

        int r = file_read_all(AT_FDCWD, path, SPEC_TEXT_MAX, &text, NULL);
        if (r < 0)
                return r == -ENOENT ? 0
                                    : error_set_errno(reterr, r, ERROR_FAILED,
                                                      "Settings file '%s' cannot be read", path);
        for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
                if (startswith(line, "Property=") && add_line(lines, line) < 0)
                        return error_oom(reterr);
        return 0;
}

/* All changes of the property of change i, in one drop-in. */
static int stage_property(const char *name, ChangeSet *s, size_t i, bool runtime, Error *reterr) {
        _cleanup_free_ char *drop_in = strf("50-%s.conf", s->changes[i].name), *text = NULL;
        _cleanup_free_ char *path = drop_in ? settings_path(name, drop_in, runtime) : NULL;
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        _cleanup_strv_free_ char **lines = NULL;

        if (!path)
                return error_oom(reterr);
        int r = s->changes[i].list ? read_old_lines(path, &lines, reterr) : 0;
        if (r < 0)
                return r;
        for (size_t k = i; k < s->n; k++) {
                if (!streq(s->changes[k].name, s->changes[i].name))
                        continue;
                if (!s->changes[k].list) /* the last one counts */
                        lines = strv_free(lines);
                if (add_line(&lines, s->changes[k].setting) < 0)
                        return error_oom(reterr);
        }
        strbuf_add(&b, HEAD);
        STRV_FOREACH(line, lines)
                strbuf_addf(&b, "%s\n", *line);
        StagedFile *f = ARRAY_APPEND(s->files, s->n_files);
        if (!f)
                return error_oom(reterr);
        *f = (StagedFile){ 0 };
        if (strbuf_finish(&b, &text) < 0)
                return error_oom(reterr);
        return staged_file_write(f, path, path, text, reterr);
}

static bool is_first_of_its_property(const ChangeSet *s, size_t i) {
        for (size_t k = 0; k < i; k++)
                if (streq(s->changes[k].name, s->changes[i].name))
                        return false;
        return true;
}

static int stage(const char *name, ChangeSet *s, Error *reterr) {
        for (size_t i = 0; i < s->n; i++) {
                int r = is_first_of_its_property(s, i)
                                ? stage_property(name, s, i, /* runtime= */ false, reterr)
                                : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

/* What berthd is asked for. An empty value takes a limit back to what the settings say: with the settings changed, that is none; with --runtime,
 * what the container was started with, which is asked for by the key alone. */
static int build_requests(const Invocation *v, const ChangeSet *s, char ***ret) {
        for (size_t i = 0; i < s->n; i++) {
                const UnitChange *c = s->changes + i;
                const bool original = v->options.runtime && endswith(c->property, "=");
                int r = strv_extend(ret, original ? c->name : v->arguments[1 + i]);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* 1: of a container that runs. 0: it does not. */
static int apply(const Invocation *v, const ChangeSet *s, Error *reterr) {
        _cleanup_strv_free_ char **requests = NULL;
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        _cleanup_error_ Error e = ERROR_NULL;

        if (!v->options.runtime && !systemd_is_running())
                return 0; /* then nothing has limits */
        if (build_requests(v, s, &requests) < 0)
                return error_oom(reterr);
        int r = verb_connect(v, &bus, &e);
        if (r >= 0)
                r = manager1_set_properties(bus, v->arguments[0], requests, &e);
        if (r >= 0)
                return 1;
        /* of one that does not run the settings are left to change */
        return e.id == ERROR_NO_SUCH_CONTAINER && !v->options.runtime ? 0 : error_take(reterr, &e);
}

/* A later drop-in, or the command line of the next start, may be stronger: then what was set does not last. */
static void warn_if_weaker(const char *name, const ChangeSet *s) {
        _cleanup_(spec_draft_freep) SpecDraft *d = spec_draft_new();
        const SettingsSearch search = { .override = true };
        const SpecField *any = spec_field_by_key("Resources", "Property");

        /* best effort: it has been set */
        if (!d || spec_settings_load(d, name, &search, NULL, NULL) < 0)
                return;
        for (size_t i = 0; i < s->n; i++) {
                const SpecField *f = spec_field_by_key("Resources", s->changes[i].name) ?: any;
                _cleanup_free_ char *drop_in = strf("50-%s.conf:", s->changes[i].name);
                const char *where = NULL;

                (void) spec_draft_source(d, f, &where);
                if (where && drop_in && f != any && !strstr(where, drop_in))
                        log_warning("%s= at %s is stronger: it will count when '%s' starts again",
                                    f->key, where, name);
        }
}

int verb_set(const Invocation *v, Error *reterr) {
        _cleanup_(change_set_done) ChangeSet s = { 0 };
        const char *name = v->arguments[0];

        int r = spec_check_name(name, reterr);
        if (r >= 0)
                r = parse_changes(v->arguments + 1, &s, reterr);
        if (r >= 0 && !v->options.runtime) {
                r = verb_refuse_remote(
                        v, "settings files are this system's, and --runtime is not given", reterr);
                if (r >= 0)
                        r = settings_check_privileges(reterr);
                if (r >= 0)
                        r = stage(name, &s, reterr);
        }
        if (r >= 0)
                r = apply(v, &s, reterr);
        if (r == 0) /* it does not run: is there such a container at all? */
                r = compile_check_unit(name, reterr);
        for (size_t i = 0; r >= 0 && i < s.n_files; i++)
                r = staged_file_commit(s.files + i, reterr);
        if (r < 0)
                return r;
        if (!v->options.runtime)
                warn_if_weaker(name, &s);
        return 0;
}
