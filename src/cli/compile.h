/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the words of `berth run` (or of systemd-nspawn), or from a container's name alone, to a finished spec: options,
 * settings files, image, name, console. `run` starts the result, `verify` shows it, `start` and `enable` look for mistakes. */
#pragma once

#include "cli/options.h"
#include "cli/table.h"
#include "spec/spec-files.h"

typedef enum SettingsMode {
        SETTINGS_NO,
        SETTINGS_YES,      /* files are weaker than the command line */
        SETTINGS_OVERRIDE, /* and stronger */
        SETTINGS_TRUSTED,  /* like yes; a file beside the image may set everything */
        _SETTINGS_MODE_MAX,
        _SETTINGS_MODE_INVALID = -EINVAL,
} SettingsMode;

/* Who asks; bits for the scope of options */
typedef enum RunFace {
        FACE_RUN = 1 << 0,    /* berth run */
        FACE_NSPAWN = 1 << 1, /* called as systemd-nspawn */
        FACE_VERIFY = 1 << 2, /* berth verify */
} RunFace;

typedef struct RunRequest {
        RunFace face;
        bool help, version;
        char *in_unit;  /* we are the main process of berth@NAME.service: its name */
        bool keep_unit; /* the caller's unit has a delegated cgroup: use it */
        bool quiet;
        char *template; /* the directory is made of this one if it is not there; without links once the settings are compiled */
        int settings;   /* SettingsMode */
        JsonMode json;
        char **words; /* what is left: NAME and COMMAND… */
} RunRequest;
#define RUN_REQUEST_NULL(f) \
        { .face = (f), .settings = SETTINGS_YES }
void run_request_done(RunRequest *q);

/* Rows of this program's own options of `run` and `verify`; the settings' options are the field table's. */
OptionTable run_option_table(RunFace face);
/* All options, "--name", of the settings and of this program. */
int run_list_options(RunFace face, char ***names);

/* Reads argv[0…argc), the words behind the verb, into request and draft. */
int compile_arguments(int argc, char **argv, RunRequest *q, SpecDraft *d, Error *reterr);
/* What is wrong with the words alone is wrong usage: the exit status for an error of compile_arguments(), shown by complain(). */
int compile_usage_status(const Error *e, int status);
/* The request that berth@NAME.service makes. */
int compile_unit_request(const char *name, RunRequest *q, Error *reterr);
/* Settings files, image, name; everything that is not an option. Which settings files were read; may be NULL. */
int compile_settings(RunRequest *q, SpecDraft *d, SettingsFiles *ret_files, Error *reterr);
/* Checks, and the finished spec. resolve_console: choose the console's mode by what stdin and stdout are. */
int compile_finish(const RunRequest *q, SpecDraft *d, bool resolve_console, ContainerSpec **ret,
                   Error *reterr);

/* Would berth@NAME.service start? Only as far as this user can look: what he may not read is left to the unit. */
int compile_check_unit(const char *name, Error *reterr);
/* The same for settings files alone, the image may be missing yet: edited is taken for what its file says; NULL: all as it is. */
int compile_check_edited(const char *name, const SettingsText *edited, char ***ret_warnings,
                         Error *reterr);
