/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which settings files a container has, and in which order they are read.
 *
 * One main file: the first NAME.berth or NAME.nspawn that is found, in the directories' order, then beside the image. And all
 * drop-ins, *.conf, of NAME.berth.d, of A-.berth.d for a name that begins with "A-", and of berth.d, in each of these directories:
 * read after the main file in the order of their names, a name only once, as systemd.unit(5) has it. A link to /dev/null masks. What lies
 * beside the image is not trusted, and not looked at when there is a main file elsewhere. */
#pragma once

#include "spec/spec-draft.h"

typedef struct SettingsText {
        char *path, *text;
} SettingsText;

typedef struct SettingsSearch {
        char *const *directories;    /* the trusted ones, strongest first; NULL: the system's */
        const char *image_directory; /* that the image is in, or NULL */
        bool trust_image;            /* files in it may set everything */
        bool override;               /* files are stronger than the command line */
        const SettingsText *edited;  /* as if this file had this text already; or NULL */
} SettingsSearch;

/* The system's directories for NAME.berth, strongest first. */
extern char *const *const settings_directories;
/* The first two of them, where `berth edit` and `berth set` write. */
#define SETTINGS_ETC "/etc/berth"
#define SETTINGS_RUN "/run/berth/settings"

typedef struct SettingsFiles {
        char *main; /* NULL: there is none */
        char **drop_ins;
} SettingsFiles;
void settings_files_done(SettingsFiles *f);

/* Is called for each file, in the order in which they count. */
typedef int (*SettingsVisit)(void *userdata, const char *path, const char *text, bool trusted,
                             Error *reterr);
/* What is ignored is a warning of the draft. */
int settings_visit(SpecDraft *d, const char *name, const SettingsSearch *search,
                   SettingsVisit visit, void *userdata, SettingsFiles *ret_files, Error *reterr);
/* Reads all of them into the draft. ret_files may be NULL. Returns 1 if there was a file, else 0. */
int spec_settings_load(SpecDraft *d, const char *name, const SettingsSearch *search,
                       SettingsFiles *ret_files, Error *reterr);

/* For spec-draft.c: NAME.conf of the first directory that has one. 1, or 0 if there is none. */
int spec_profile_read(SpecDraft *d, char *const *directories, const char *name, SpecSource source,
                      Error *reterr);
