/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs about settings files: cat, edit, revert. */
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/path.h"
#include "cli/compile.h"
#include "cli/complain.h"
#include "cli/editor.h"
#include "cli/settings-write.h"
#include "cli/start-order.h"
#include "cli/verbs.h"
#include "image/image-find.h"

#define FILES_ARE_HERE "settings files are this system's"

/* The directory that the container's image is in; NULL: there is no image (yet). */
static int image_directory(const char *name, char **ret, Error *reterr) {
        _cleanup_free_ char *image = NULL;

        *ret = NULL;
        if (image_find(name, &image, NULL, NULL) < 0)
                return 0;
        return path_extract_directory(image, ret) < 0 ? error_oom(reterr) : 0;
}

/* Lines from a file that anybody may have written do not steer the terminal. */
static void print_file(const char *path, const char *text, bool trusted) {
        _cleanup_free_ char *safe_path = str_escape_for_display(path), *copy = strdup(text);

        printf("# %s\n", strempty(safe_path));
        for (char *rest = copy, *line; (line = strsep(&rest, "\n")) && (rest || *line);) {
                _cleanup_free_ char *safe = trusted ? NULL : str_escape_for_display(line);
                (void) puts(trusted ? line : strempty(safe)); /* main() checks the stream */
        }
}

/* All files of one container, each with a line "# PATH" before it, into a text or onto stdout. */
typedef struct Cat {
        StrBuf *out; /* for an editor */
        char *first; /* what the first file says, if out is set */
        unsigned n;
} Cat;

/* A file beside an image is only named: editors take orders from what they show (modelines). */
static int add_comment(Cat *c, const char *path, const char *text, bool trusted, Error *reterr) {
        if (c->n == 1 && free_and_strdup(&c->first, text) < 0)
                return error_oom(reterr);
        strbuf_addf(c->out, "#\n### %s%s\n", path,
                    trusted ? "" : " (beside the image: 'berth cat' shows it)");
        for (const char *line = text; trusted && *line;) {
                const size_t n = strcspn(line, "\n");
                strbuf_add(c->out, "# ");
                strbuf_add_bytes(c->out, line, n);
                strbuf_add(c->out, "\n");
                line += n + (line[n] == '\n');
        }
        return 0;
}

static int visit_cat(void *userdata, const char *path, const char *text, bool trusted,
                     Error *reterr) {
        Cat *c = userdata;

        c->n++;
        if (c->out)
                return add_comment(c, path, text, trusted, reterr);
        if (c->n > 1)
                (void) putchar('\n');
        print_file(path, text, trusted);
        return 0;
}

static int visit_files(const char *name, Cat *c, SettingsFiles *ret_files, Error *reterr) {
        _cleanup_(spec_draft_freep) SpecDraft *d = spec_draft_new();
        _cleanup_free_ char *beside = NULL;

        if (!d)
                return error_oom(reterr);
        int r = spec_check_name(name, reterr);
        if (r >= 0)
                r = image_directory(name, &beside, reterr);
        if (r < 0)
                return r;
        const SettingsSearch search = { .image_directory = beside };
        r = settings_visit(d, name, &search, visit_cat, c, ret_files, reterr);
        STRV_FOREACH(w, spec_draft_warnings(d))
                log_warning("%s", *w);
        return r;
}

int verb_cat(const Invocation *v, Error *reterr) {
        int status = 0;

        int refused = verb_refuse_remote(v, FILES_ARE_HERE, reterr);
        if (refused < 0)
                return refused;
        STRV_FOREACH(name, v->arguments) {
                _cleanup_error_ Error e = ERROR_NULL;
                Cat c = { .n = name > v->arguments };
                int r = visit_files(*name, &c, NULL, &e);
                if (r == 0) {
                        r = error_set(&e, -ENOENT, ERROR_FAILED,
                                      "Container '%s' has no settings file", *name);
                        error_hint(&e,
                                   "'berth edit %s' makes a drop-in, 'berth edit --full %s' a file",
                                   *name, *name);
                }
                if (r < 0)
                        status = complain(&e, EXIT_OF_VERB);
        }
        return status;
}

/* ---- edit ---- */

#define MARK "### Lines from here on are not kept. Settings: berth.settings(5)"

typedef struct Edit {
        const VerbOptions *options;
        const char *name;
        char *path;     /* that is written */
        char *like;     /* the file that original is from: no more can read the new one */
        char *original; /* what is there now, "" if there is nothing */
        char *around;   /* all files as comments, for the lower part */
} Edit;

static void edit_done(Edit *e) {
        free(e->path);
        free(e->like);
        free(e->original);
        free(e->around);
}

/* --full of a file that systemd-nspawn can read keeps its suffix, and with it its grammar. */
static int full_path(const Edit *e, const char *main, char **ret, Error *reterr) {
        const char *directory = e->options->runtime ? SETTINGS_RUN : SETTINGS_ETC;

        *ret = main && endswith(main, ".nspawn")
                       ? strf("%s/%s.nspawn", directory, e->name)
                       : settings_path(e->name, NULL, e->options->runtime);
        return *ret ? 0 : error_oom(reterr);
}

static int check_drop_in_name(const char *name, Error *reterr) {
        if (name[0] != '.' && path_is_valid(name) && !strchr(name, '/') && !streq(name, ".conf"))
                return 0;
        return error_set(reterr, -EINVAL, ERROR_USAGE,
                         "Invalid value '%s' for '--drop-in': the name of a file is expected",
                         name);
}

static int drop_in_path(const Edit *e, char **ret, Error *reterr) {
        const char *name = e->options->drop_in ?: "override.conf";
        _cleanup_free_ char *with_suffix =
                endswith(name, ".conf") ? strdup(name) : strjoin(name, ".conf");
        int r = check_drop_in_name(name, reterr);

        if (r < 0)
                return r;
        *ret = with_suffix ? settings_path(e->name, with_suffix, e->options->runtime) : NULL;
        return *ret ? 0 : error_oom(reterr);
}

/* A link to /dev/null masks: there is nothing in it. */
static int read_original(const char *path, char **ret, Error *reterr) {
        int r = file_read_all(AT_FDCWD, path, SPEC_TEXT_MAX, ret, NULL);

        if (r == -ENOENT) {
                *ret = strdup("");
                return *ret ? 0 : error_oom(reterr);
        }
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED, "Settings file '%s' cannot be read",
                                       path)
                     : 0;
}

static int edit_begin(Edit *e, Error *reterr) {
        _cleanup_(settings_files_done) SettingsFiles files = { 0 };
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        Cat c = { .out = &b };

        int r = visit_files(e->name, &c, &files, reterr);
        if (r >= 0)
                r = e->options->full ? full_path(e, files.main, &e->path, reterr)
                                     : drop_in_path(e, &e->path, reterr);
        const bool copies = e->options->full && files.main; /* the main file is the first one */
        if (r >= 0 && free_and_strdup(&e->like, copies ? files.main : e->path) < 0)
                r = error_oom(reterr);
        if (r >= 0 && copies)
                e->original = TAKE_PTR(c.first);
        else if (r >= 0)
                r = read_original(e->path, &e->original, reterr);
        if (r >= 0 && strbuf_finish(&b, &e->around) < 0)
                r = error_oom(reterr);
        free(c.first);
        return r;
}

/* What is above the mark, with one line end behind its last line. "" if there is nothing but white space. */
static void cut(char *text) {
        char *mark = startswith(text, MARK) ? text : strstr(text, "\n" MARK);

        if (mark)
                *mark = '\0';
        size_t n = strlen(text);
        while (n > 0 && strchr(WHITESPACE, text[n - 1]))
                n--;
        if (n > 0 && text[n] != '\0')
                text[n++] = '\n';
        text[n] = '\0';
}

static int edit_text(const Edit *e, const char *before, char **ret, Error *reterr) {
        _cleanup_(staged_file_done) StagedFile f = { 0 };
        _cleanup_free_ char *text = strf("%s\n" MARK "\n%s", before, e->around);

        if (!text)
                return error_oom(reterr);
        /* it shows other files, too, that not everybody may read */
        int r = staged_file_write(&f, e->path, NULL, text, reterr);
        if (r >= 0)
                r = editor_run(f.temporary, reterr);
        if (r < 0)
                return r;
        r = file_read_all(AT_FDCWD, f.temporary, SPEC_TEXT_MAX + strlen(text), ret, NULL);
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED, "The edited text cannot be read")
                     : 0;
}

/* Is the edited text right, as `berth verify` sees it? What was wrong before, elsewhere, does not count. */
static int check_text(const Edit *e, char *text, Error *reterr) {
        const SettingsText edited = { e->path, text };
        _cleanup_error_ Error error = ERROR_NULL, before = ERROR_NULL;
        _cleanup_strv_free_ char **warnings = NULL;

        int r = compile_check_edited(e->name, &edited, &warnings, &error);
        STRV_FOREACH(w, warnings)
                if (strstr(*w, e->path))
                        log_warning("%s", *w);
        if (r >= 0)
                return 0;
        if (!strstr(error_message(&error), e->path) &&
            compile_check_edited(e->name, NULL, NULL, &before) < 0 &&
            streq(error_message(&before), error_message(&error))) {
                log_warning("%s (this was so before)", error_message(&error));
                return 0;
        }
        return error_take(reterr, &error);
}

static bool wants_again(void) {
        char answer[16];

        fputs("Edit it again? [Y/n] ", stderr);
        return fgets(answer, sizeof(answer), stdin) && answer[0] != 'n' && answer[0] != 'N';
}

static int install(const Edit *e, const char *text, Error *reterr) {
        _cleanup_(staged_file_done) StagedFile f = { 0 };

        int r = staged_file_write(&f, e->path, e->like, text, reterr);
        if (r >= 0)
                r = staged_file_commit(&f, reterr);
        if (r >= 0 && !e->options->quiet)
                log_info("Wrote '%s'", e->path);
        if (r >= 0)
                start_order_update_written((char *const[]){ (char *) e->name, NULL });
        return r;
}

static int edit_one(Edit *e, Error *reterr) {
        const bool ask = !e->options->from_stdin && isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
        _cleanup_free_ char *text = NULL;

        int r = edit_begin(e, reterr);
        if (r >= 0 && e->options->from_stdin) {
                r = fd_read_all(STDIN_FILENO, SPEC_TEXT_MAX, &text, NULL);
                if (r < 0)
                        return error_set_errno(reterr, r, ERROR_FAILED,
                                               "The new text cannot be read");
        }
        if (r < 0)
                return r;
        for (;;) {
                _cleanup_error_ Error wrong = ERROR_NULL;
                if (!e->options->from_stdin) {
                        _cleanup_free_ char *before = TAKE_PTR(text);
                        r = edit_text(e, before ?: e->original, &text, reterr);
                        if (r < 0)
                                return r;
                        cut(text);
                }
                if (isempty(text) || streq(text, e->original)) {
                        log_notice("'%s' stays as it is: %s", e->path,
                                   isempty(text) ? "the new text is empty" : "nothing was changed");
                        return 0;
                }
                r = check_text(e, text, &wrong);
                if (r >= 0)
                        return install(e, text, reterr);
                if (!ask)
                        return error_take(reterr, &wrong);
                (void) complain(&wrong, EXIT_OF_VERB);
                if (!wants_again())
                        return error_set(reterr, -ECANCELED, ERROR_FAILED, "'%s' stays as it is",
                                         e->path);
        }
}

int verb_edit(const Invocation *v, Error *reterr) {
        int status = 0;

        if (v->options.full && v->options.drop_in)
                return error_set(reterr, -EINVAL, ERROR_USAGE,
                                 "Options '--full' and '--drop-in' exclude each other");
        if (v->options.from_stdin && v->arguments[1])
                return error_set(reterr, -EINVAL, ERROR_USAGE,
                                 "With '--stdin' only one container can be edited");
        int r = verb_refuse_remote(v, FILES_ARE_HERE, reterr);
        if (r >= 0)
                r = settings_check_privileges(reterr);
        if (r < 0)
                return r;
        STRV_FOREACH(name, v->arguments) {
                _cleanup_(edit_done) Edit e = { .options = &v->options, .name = *name };
                _cleanup_error_ Error error = ERROR_NULL;
                if (edit_one(&e, &error) < 0)
                        status = complain(&error, EXIT_OF_VERB);
        }
        return status;
}

/* ---- revert ---- */

static int remove_file(const char *path, bool quiet, Error *reterr) {
        if (unlink(path) < 0)
                return errno == ENOENT ? 0
                                       : error_set_errno(reterr, -errno, ERROR_FAILED,
                                                         "'%s' cannot be removed", path);
        if (!quiet)
                log_info("Removed '%s'", path);
        return 0;
}

/* The files that are read, and the directory if nothing else is in it. */
static int remove_drop_ins(const char *directory, bool quiet, Error *reterr) {
        DIR *dir = opendir(directory);
        int r = 0;

        if (!dir)
                return errno == ENOENT
                               ? 0
                               : error_set_errno(reterr, -errno, ERROR_FAILED,
                                                 "Directory '%s' cannot be read", directory);
        for (const struct dirent *entry; r >= 0 && (entry = readdir(dir));) {
                _cleanup_free_ char *path = NULL;
                if (!endswith(entry->d_name, ".conf"))
                        continue;
                path = path_join(directory, entry->d_name);
                r = path ? remove_file(path, quiet, reterr) : error_oom(reterr);
        }
        (void) closedir(dir);    /* was read only */
        (void) rmdir(directory); /* others may have files in it */
        return r;
}

/* Is there a file that comes with the system, or with the image? */
static bool has_vendor_file(const char *name, const char *beside) {
        static const char *const suffixes[] = { ".berth", ".nspawn" };
        const char *const places[] = { "/usr/lib/berth", beside };

        for (size_t i = 0; i < ELEMENTSOF(places); i++)
                for (size_t k = 0; places[i] && k < ELEMENTSOF(suffixes); k++) {
                        _cleanup_free_ char *path = strjoin(places[i], "/", name, suffixes[k]);
                        if (path && access(path, F_OK) >= 0)
                                return true;
                }
        return false;
}

static int revert_one(const char *name, bool quiet, Error *reterr) {
        static const char *const places[] = { SETTINGS_ETC, SETTINGS_RUN };
        static const char *const suffixes[] = { ".berth", ".nspawn" };
        _cleanup_free_ char *beside = NULL;

        int r = spec_check_name(name, reterr);
        if (r >= 0)
                r = image_directory(name, &beside, reterr);
        const bool files_too = r >= 0 && has_vendor_file(name, beside);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(places); i++) {
                _cleanup_free_ char *directory = strjoin(places[i], "/", name, ".berth.d");
                r = directory ? remove_drop_ins(directory, quiet, reterr) : error_oom(reterr);
                for (size_t k = 0; files_too && r >= 0 && k < ELEMENTSOF(suffixes); k++) {
                        _cleanup_free_ char *path = strjoin(places[i], "/", name, suffixes[k]);
                        r = path ? remove_file(path, quiet, reterr) : error_oom(reterr);
                }
        }
        return r;
}

int verb_revert(const Invocation *v, Error *reterr) {
        int status = 0;

        int r = verb_refuse_remote(v, FILES_ARE_HERE, reterr);
        if (r >= 0)
                r = settings_check_privileges(reterr);
        if (r < 0)
                return r;
        STRV_FOREACH(name, v->arguments) {
                _cleanup_error_ Error e = ERROR_NULL;
                if (revert_one(*name, v->options.quiet, &e) < 0)
                        status = complain(&e, EXIT_OF_VERB);
        }
        start_order_update_written(v->arguments);
        return status;
}
