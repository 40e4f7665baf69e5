/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Words and files → spec. */
#include "cli/compile.h"

#include <sys/stat.h>
#include <unistd.h>

#include "basic/parse.h"
#include "basic/path.h"
#include "basic/strv.h"
#include "bus/systemd1.h"
#include "cli/template.h"
#include "image/disk.h"
#include "image/image-find.h"

static const char *const settings_mode_table[_SETTINGS_MODE_MAX] = {
        [SETTINGS_NO] = "no",
        [SETTINGS_YES] = "yes",
        [SETTINGS_OVERRIDE] = "override",
        [SETTINGS_TRUSTED] = "trusted",
};

void run_request_done(RunRequest *q) {
        q->in_unit = mfree(q->in_unit);
        q->template = mfree(q->template);
        q->words = strv_free(q->words);
}

static int parse_settings(const Option *o, const char *value, void *at, Error *reterr) {
        const int b = parse_boolean(value);
        ssize_t mode = b >= 0 ? (b ? SETTINGS_YES : SETTINGS_NO)
                              : string_table_lookup(settings_mode_table,
                                                    ELEMENTSOF(settings_mode_table), value);
        if (mode < 0)
                return error_set(
                        reterr, -EINVAL, ERROR_USAGE,
                        "Invalid value '%s' for '--settings': yes, no, override or trusted is expected",
                        value);
        *(int *) at = (int) mode;
        return 0;
}

/* berth has no registration to switch: berthd learns of every container. The values are checked, no more. */
static int parse_register(const Option *o, const char *value, void *at, Error *reterr) {
        if (!streq(value, "auto") && parse_boolean(value) < 0)
                return error_set(reterr, -EINVAL, ERROR_USAGE,
                                 "Invalid value '%s' for '--register': yes, no or auto is expected",
                                 value);
        return 0;
}

static int parse_json(const Option *o, const char *value, void *at, Error *reterr) {
        JsonMode mode = json_mode_from_string(value);
        if (mode < 0)
                return error_set(
                        reterr, -EINVAL, ERROR_USAGE,
                        "Invalid value '%s' for '--json': short, pretty or off is expected", value);
        *(JsonMode *) at = mode;
        return 0;
}

#define ALL (FACE_RUN | FACE_NSPAWN | FACE_VERIFY)
#define RUNS (FACE_RUN | FACE_NSPAWN)
#define AT(field) offsetof(RunRequest, field)
/* clang-format off */
static const Option run_options[] = {
        { 'h', "help",      NULL,   0,             ALL,         option_parse_true,   AT(help),      NULL, "Show this help" },
        { 0,   "version",   NULL,   0,             RUNS,        option_parse_true,   AT(version),   NULL, "Show the version" },
        { 'q', "quiet",     NULL,   0,             RUNS,        option_parse_true,   AT(quiet),     NULL, "Say nothing about start and end" },
        { 0,   "settings",  "MODE", 0,             ALL,         parse_settings,      AT(settings),  NULL, "Settings files: yes, no, override, trusted" },
        { 0,   "template",  "PATH", 0,             ALL,         option_parse_string, AT(template),  NULL, "Make the directory of this one, if it is missing" },
        { 0,   "keep-unit", NULL,   0,             RUNS,        option_parse_true,   AT(keep_unit), NULL, "Stay in the caller's unit, make no scope" },
        { 0,   "register",  "BOOL", OPTION_HIDDEN, RUNS,        parse_register,      0,             NULL, "Taken for compatibility" },
        { 0,   "no-pager",  NULL,   OPTION_HIDDEN, RUNS,        option_parse_ignored, 0,            NULL, "" },
        { 0,   "no-ask-password", NULL, OPTION_HIDDEN, RUNS,    option_parse_ignored, 0,            NULL, "" },
        { 0,   "system",    NULL,   OPTION_HIDDEN, FACE_NSPAWN, option_parse_ignored, 0,            NULL, "" },
        { 0,   "in-unit",   "NAME", OPTION_HIDDEN, FACE_RUN,    option_parse_string, AT(in_unit),   NULL, "What berth@NAME.service runs" },
        { 0,   "json",      "MODE", 0,             FACE_VERIFY, parse_json,          AT(json),      NULL, "Output as JSON: short, pretty, off" },
};
/* clang-format on */

OptionTable run_option_table(RunFace face) {
        return (OptionTable){ run_options, ELEMENTSOF(run_options), face };
}

int run_list_options(RunFace face, char ***names) {
        const OptionTable t = run_option_table(face);
        int r = options_list_names(&t, names);

        for (size_t i = 0; r >= 0 && i < spec_n_fields; i++) {
                const SpecField *f = spec_fields + i;
                if (f->option && !(f->flags & (FIELD_HIDDEN | FIELD_INTERNAL | FIELD_UNSUPPORTED)))
                        r = strv_extendf(names, "--%s", f->option);
        }
        return r;
}

/* "-qb" → "-q", "-b": one letter a word, so that our letters and the settings' mix. The rest of a word behind a letter that
 * takes an argument is that argument. */
static int split_letters(const OptionTable *t, char ***words, size_t at) {
        const char *word = (*words)[at];

        if (word[0] != '-' || IN_SET(word[1], '-', '\0') || word[2] == '\0')
                return 0;
        const Option *o = option_by_letter(t, word[1]);
        const SpecField *f = spec_field_by_letter(word[1]);
        if (o ? o->argument != NULL : !f || !(f->flags & FIELD_NO_ARG))
                return 0;

        _cleanup_strv_free_ char **split = NULL;
        for (size_t i = 0; (*words)[i]; i++)
                if (i != at) {
                        if (strv_extend(&split, (*words)[i]) < 0)
                                return -ENOMEM;
                } else if (strv_extendf(&split, "-%c", word[1]) < 0 ||
                           strv_extendf(&split, "-%s", word + 2) < 0)
                        return -ENOMEM;
        strv_free(*words);
        *words = TAKE_PTR(split);
        return 0;
}

static int set_unknown(const RunRequest *q, const char *word, Error *reterr) {
        _cleanup_strv_free_ char **names = NULL;

        if (run_list_options(q->face, &names) < 0)
                return error_oom(reterr);
        return options_set_unknown(word, names,
                                   q->face == FACE_NSPAWN   ? "systemd-nspawn"
                                   : q->face == FACE_VERIFY ? "berth verify"
                                                            : "berth run",
                                   reterr);
}

int compile_arguments(int argc, char **argv, RunRequest *q, SpecDraft *d, Error *reterr) {
        const OptionTable t = run_option_table(q->face);
        _cleanup_strv_free_ char **words = NULL;
        int i = 0;

        for (int k = 0; k < argc; k++)
                if (strv_extend(&words, argv[k]) < 0)
                        return error_oom(reterr);
        while (words && words[i] && words[i][0] == '-' && words[i][1] != '\0') {
                if (streq(words[i], "--"))
                        break;
                if (split_letters(&t, &words, (size_t) i) < 0)
                        return error_oom(reterr);
                const int n = (int) strv_length(words);
                int r = options_parse_one(&t, n, words, &i, q, reterr);
                if (r == 0)
                        r = spec_args_parse_one(d, n, words, &i, reterr);
                if (r == 0)
                        return set_unknown(q, words[i], reterr);
                if (r < 0)
                        return r;
        }
        /* "--" stays in the list: it says that no NAME follows */
        for (; words && words[i]; i++)
                if (strv_extend(&q->words, words[i]) < 0)
                        return error_oom(reterr);
        return 0;
}

int compile_usage_status(const Error *e, int status) {
        return IN_SET(e->id, ERROR_INVALID_SETTING, ERROR_INVALID_NAME, ERROR_CONFLICT,
                      ERROR_LIMIT_EXCEEDED)
                       ? 2
                       : status;
}

int compile_unit_request(const char *name, RunRequest *q, Error *reterr) {
        *q = (RunRequest) RUN_REQUEST_NULL(FACE_RUN);
        return free_and_strdup(&q->in_unit, name) < 0 ? error_oom(reterr) : 0;
}

static int set_option(SpecDraft *d, const char *option, const char *value, const char *where,
                      Error *reterr) {
        const SpecField *f = spec_field_by_option(option, strlen(option));

        if (!f)
                return error_set(reterr, -EINVAL, ERROR_FAILED, "The field table lacks '--%s'",
                                 option);
        return spec_draft_set(d, f, value, SOURCE_COMMAND, where, reterr);
}

/* %i of a unit that somebody escaped with systemd-escape(1): "my\x2dweb" → "my-web", in place. */
static void unescape_instance(char *s) {
        char *to = s;

        for (const char *p = s; *p; to++) {
                int high = p[0] == '\\' && p[1] == 'x' ? ascii_hex_value(p[2]) : -EINVAL;
                int low = high >= 0 ? ascii_hex_value(p[3]) : -EINVAL;
                if (low >= 0 && high * 16 + low != 0) { /* "\x00" would cut the name short */
                        *to = (char) (high * 16 + low);
                        p += 4;
                } else
                        *to = *p++;
        }
        *to = '\0';
}

/* What berth@NAME.service stands for: boot in user ids of its own, settings files decide on all else. */
static int apply_unit_defaults(RunRequest *q, SpecDraft *d, Error *reterr) {
        unescape_instance(q->in_unit);
        q->settings = SETTINGS_OVERRIDE;
        q->keep_unit = true;
        q->quiet = true;
        int r = spec_check_name(q->in_unit, reterr);
        if (r >= 0)
                r = set_option(d, "machine", q->in_unit, "berth@.service", reterr);
        if (r >= 0)
                r = set_option(d, "boot", "yes", "berth@.service", reterr);
        if (r >= 0)
                r = set_option(d, "private-users", "pick", "berth@.service", reterr);
        return r;
}

static int take_current_directory(SpecDraft *d, Error *reterr) {
        _cleanup_free_ char *here = realpath(".", NULL);

        if (!here)
                return error_set_errno(
                        reterr, -errno, ERROR_ROOT_NOT_FOUND,
                        "The current directory cannot be used as a container's root");
        return set_option(d, "directory", here, "the current directory", reterr);
}

static int take_name_word(RunRequest *q, SpecDraft *d, Error *reterr) {
        const char *name = q->words ? q->words[0] : NULL;

        if (!name || streq(name, "--")) {
                int r = error_set(reterr, -EINVAL, ERROR_USAGE,
                                  "What shall be run? No container was named");
                error_hint(reterr,
                           "give the NAME of an image, a directory with -D DIRECTORY, or a disk "
                           "image with --image=FILE");
                return r;
        }
        int r = spec_check_name(name, reterr);
        if (r >= 0)
                r = set_option(d, "machine", name, NULL, reterr);
        if (r < 0)
                return r;

        if (q->words[1] && q->words[1][0] == '-' && !streq(q->words[1], "--")) {
                r = error_set(reterr, -EINVAL, ERROR_USAGE,
                              "'%s' behind the name '%s' is neither option nor command",
                              q->words[1], name);
                error_hint(
                        reterr,
                        "options go before the name; '--' goes before a command that begins with '-'");
                return r;
        }
        free(q->words[0]);
        memmove(q->words, q->words + 1, (strv_length(q->words + 1) + 1) * sizeof(char *));
        return 0;
}

/* The rest of the words is the command, or the arguments of init. */
static int take_command(RunRequest *q, SpecDraft *d, Error *reterr) {
        const SpecField *f = spec_field_by_key("Exec", "Parameters");
        char **words = q->words;

        if (words && words[0] && streq(words[0], "--"))
                words++;
        STRV_FOREACH(w, words) {
                int r = spec_draft_set_raw(d, f, *w, SOURCE_COMMAND, "the command line", reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int resolve_directory(const RunRequest *q, char **path, Error *reterr) {
        struct stat st;
        int r;

        _cleanup_free_ char *real = realpath(*path, NULL);
        if (!real && errno == ENOENT && q->template) {
                r = template_place(*path, &real, reterr);
                if (r < 0)
                        return r;
                errno = ENOENT;
        }
        if (!real) {
                const bool missing = errno == ENOENT;
                r = error_set_errno(reterr, -errno, missing ? ERROR_ROOT_NOT_FOUND : ERROR_FAILED,
                                    "Directory '%s' cannot be used as a container's root", *path);
                if (missing)
                        error_hint(reterr,
                                   "check the path; it must hold a system or a program already");
                return r;
        }
        if (stat(real, &st) >= 0 && !S_ISDIR(st.st_mode)) {
                r = error_set(reterr, -ENOTDIR, ERROR_NOT_A_ROOT, "'%s' is not a directory", *path);
                if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode))
                        error_hint(reterr, "start a disk image or block device with --image=");
                return r;
        }
        /* a link leads wherever its owner likes: the name it ends at must not end a line of the description */
        if (!path_is_valid(real)) {
                r = error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                              "Directory '%s' leads to '%s', which is not a valid path", *path,
                              real);
                error_hint(reterr, "rename the directory: UTF-8 without control characters");
                return r;
        }
        free(*path);
        *path = TAKE_PTR(real);
        return 0;
}

/* What is on it is for the worker to find out. */
static int resolve_image(SpecDraft *d, Error *reterr) {
        ContainerSpec *spec = spec_draft_spec(d);
        struct stat st;
        int r;

        _cleanup_free_ char *real = realpath(spec->root.image, NULL);
        if (!real || stat(real, &st) < 0) {
                const bool missing = errno == ENOENT;
                r = error_set_errno(reterr, -errno, missing ? ERROR_ROOT_NOT_FOUND : ERROR_FAILED,
                                    "Image '%s' cannot be used", spec->root.image);
                return r;
        }
        if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
                r = error_set(reterr, -EINVAL, ERROR_NOT_A_ROOT,
                              "Image '%s' is no file and no block device", spec->root.image);
                if (S_ISDIR(st.st_mode))
                        error_hint(reterr, "start directories with --directory=");
                return r;
        }
        if (!path_is_valid(real)) {
                r = error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                              "Image '%s' leads to '%s', which is not a valid path",
                              spec->root.image, real);
                error_hint(reterr, "rename the file: UTF-8 without control characters");
                return r;
        }
        free(spec->root.image);
        spec->root.image = TAKE_PTR(real);
        return 0;
}

static int check_policy(const ContainerSpec *spec, Error *reterr) {
        _cleanup_error_ Error e = ERROR_NULL;
        DiskPolicy policy;
        return disk_policy_parse(spec->root.image_policy, &policy, &e) < 0
                       ? error_set(reterr, e.code, e.id, "Invalid image policy '%s': %s",
                                   spec->root.image_policy, error_message(&e))
                       : 0;
}

static int resolve_root(const RunRequest *q, SpecDraft *d, Error *reterr) {
        ContainerSpec *spec = spec_draft_spec(d);
        int r = spec->root.image ? resolve_image(d, reterr) : 0;
        if (r >= 0 && spec->root.mstack)
                r = resolve_directory(q, &spec->root.mstack, reterr);
        if (r >= 0 && (spec->root.image || spec->root.mstack))
                r = check_policy(spec, reterr);
        if (r >= 0 && spec->root.directory)
                r = resolve_directory(q, &spec->root.directory, reterr);
        if (r >= 0 && spec->root.directory && spec_setting_of_images(spec))
                return error_set(reterr, -EINVAL, ERROR_CONFLICT,
                                 "%s= is for disk images, not for directory '%s'",
                                 spec_setting_of_images(spec), spec->root.directory);
        return r;
}

/* Of an image that nobody changes many can run: "web-2f9c01d3". */
static int take_own_name(SpecDraft *d, Error *reterr) {
        Id128 id;
        int r = id128_random(&id);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_FAILED, "Making up a name failed");
        const char *image = spec_draft_spec(d)->name;
        size_t n = MIN(strlen(image), CONTAINER_NAME_MAX - STRLEN("-12345678"));
        while (n > 0 && strchr("-.", image[n - 1])) /* no end of a label, where it is cut */
                n--;
        _cleanup_free_ char *name = strf("%.*s-%02x%02x%02x%02x", (int) n, image, id.bytes[0],
                                         id.bytes[1], id.bytes[2], id.bytes[3]);
        return name ? set_option(d, "machine", name, "made up for an ephemeral container", reterr)
                    : error_oom(reterr);
}

int compile_settings(RunRequest *q, SpecDraft *d, SettingsFiles *ret_files, Error *reterr) {
        ContainerSpec *spec = spec_draft_spec(d);
        _cleanup_error_ Error no_image = ERROR_NULL;
        _cleanup_free_ char *image = NULL, *beside = NULL;
        const char *option = NULL;
        int r;

        r = spec_args_apply_environment(d, reterr);
        if (r >= 0 && q->in_unit)
                r = apply_unit_defaults(q, d, reterr);
        if (r < 0)
                return r;
        const bool named = spec->name;
        if (!spec->name && !spec_root_path(spec) && (q->face != FACE_NSPAWN || !q->template))
                r = q->face == FACE_NSPAWN ? take_current_directory(d, reterr)
                                           : take_name_word(q, d, reterr);
        if (r >= 0)
                r = take_command(q, d, reterr);
        if (r >= 0)
                r = template_resolve(q, d, reterr);
        if (r >= 0)
                r = resolve_root(q, d, reterr);
        if (r < 0)
                return r;

        if (!spec->name) {
                _cleanup_free_ char *name = NULL;
                r = image_name_from_path(spec_root_path(spec), &name, reterr);
                if (r >= 0)
                        r = set_option(d, "machine", name,
                                       spec->root.image ? "the image's name"
                                                        : "the directory's name",
                                       reterr);
                if (r < 0)
                        return r;
        }
        r = spec_draft_read_profiles(d, reterr);
        if (r < 0)
                return r;
        if (!spec_root_path(spec)) {
                r = image_find(spec->name, &image, &option, &no_image);
                if (r < 0 && no_image.id == ERROR_INVALID_NAME)
                        return error_take(reterr, &no_image);
        }

        if (q->settings != SETTINGS_NO) {
                const char *root = spec_root_path(spec) ?: image;
                if (root && !streq(root, "/") && path_extract_directory(root, &beside) < 0)
                        return error_oom(reterr); /* nothing lies beside the root directory */
                const SettingsSearch search = { .image_directory = beside,
                                                .trust_image = q->settings == SETTINGS_TRUSTED,
                                                .override = q->settings == SETTINGS_OVERRIDE };
                r = spec_settings_load(d, spec->name, &search, ret_files, reterr);
                if (r < 0)
                        return r;
        }
        if (!spec_root_path(spec))
                r = image ? set_option(d, option, image, "the image's name", reterr)
                          : error_take(reterr, &no_image);
        if (r >= 0)
                r = resolve_root(q, d, reterr); /* a settings file may have named another one */
        if (r >= 0)
                r = template_check(q, spec, reterr);
        return r >= 0 && spec->root.ephemeral && !named ? take_own_name(d, reterr) : r;
}

static ConsoleMode choose_console(const RunRequest *q, const ContainerSpec *spec) {
        if (spec->console.mode != CONSOLE_AUTO)
                return spec->console.mode;
        if (!q->in_unit && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
                return CONSOLE_INTERACTIVE;
        if (q->face == FACE_NSPAWN || spec->payload.start == START_BOOT)
                return CONSOLE_READ_ONLY;
        return CONSOLE_PIPE;
}

/* Only systemd's client knows what properties there are: too late for the parser to say where a wrong one stands. */
static int check_properties(const SpecDraft *d, const ContainerSpec *spec, Error *reterr) {
        STRV_FOREACH(p, spec->resources.properties) {
                _cleanup_error_ Error e = ERROR_NULL;
                const char *where = NULL;
                int r = systemd1_check_property(*p, &e);
                if (r >= 0)
                        continue;
                (void) spec_draft_source(d, spec_field_by_key("Resources", "Property"), &where);
                if (!where || where[0] != '/')
                        return error_take(reterr, &e);
                r = error_set(reterr, e.code, e.id, "%s (Property= at %s)", error_message(&e),
                              where);
                if (e.hint)
                        error_hint(reterr, "%s", e.hint);
                return r;
        }
        return 0;
}

int compile_finish(const RunRequest *q, SpecDraft *d, bool resolve_console, ContainerSpec **ret,
                   Error *reterr) {
        ContainerSpec *draft = spec_draft_spec(d);
        _cleanup_spec_ ContainerSpec *spec = NULL;

        if (resolve_console)
                draft->console.mode = choose_console(q, draft);
        /* what the payload writes is all that a pipe shall carry */
        if (q->quiet || draft->console.mode == CONSOLE_PIPE)
                draft->console.quiet = true;

        int r = spec_check(d, &spec, reterr);
        if (r < 0)
                return r;
        r = check_properties(d, spec, reterr);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(spec);
        return 0;
}

int compile_check_unit(const char *name, Error *reterr) {
        _cleanup_(run_request_done) RunRequest q = { 0 };
        _cleanup_(spec_draft_freep) SpecDraft *d = spec_draft_new();
        _cleanup_spec_ ContainerSpec *spec = NULL;
        _cleanup_error_ Error e = ERROR_NULL;

        if (!d)
                return error_oom(reterr);
        int r = compile_unit_request(name, &q, reterr);
        if (r < 0)
                return r;
        r = compile_settings(&q, d, /* ret_files= */ NULL, &e);
        if (r >= 0)
                r = compile_finish(&q, d, /* resolve_console= */ false, &spec, &e);
        if (r >= 0 || IN_SET(r, -EACCES, -EPERM)) /* the unit runs as root and sees more */
                return 0;
        return error_take(reterr, &e);
}

int compile_check_edited(const char *name, const SettingsText *edited, char ***ret_warnings,
                         Error *reterr) {
        _cleanup_(run_request_done) RunRequest q = { 0 };
        _cleanup_(spec_draft_freep) SpecDraft *d = spec_draft_new();
        _cleanup_spec_ ContainerSpec *spec = NULL;
        _cleanup_free_ char *image = NULL, *beside = NULL;

        if (!d)
                return error_oom(reterr);
        int r = compile_unit_request(name, &q, reterr);
        if (r >= 0)
                r = spec_args_apply_environment(d, reterr);
        if (r >= 0)
                r = apply_unit_defaults(&q, d, reterr);
        if (r < 0)
                return r;
        if (image_find(name, &image, NULL, NULL) >= 0 && path_extract_directory(image, &beside) < 0)
                return error_oom(reterr);
        const SettingsSearch search = { .image_directory = beside,
                                        .override = true,
                                        .edited = edited };
        r = spec_settings_load(d, spec_draft_spec(d)->name, &search, NULL, reterr);
        if (ret_warnings && strv_extend_strv(ret_warnings, spec_draft_warnings(d)) < 0)
                return error_oom(reterr);
        if (r >= 0 && !spec_root_path(spec_draft_spec(d)))
                r = set_option(d, "directory", image ?: "/var/lib/machines", "the image's name",
                               reterr);
        return r < 0 ? r : compile_finish(&q, d, /* resolve_console= */ false, &spec, reterr);
}
