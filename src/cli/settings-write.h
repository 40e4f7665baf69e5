/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of settings that berth itself writes: made beside the old one, put in its place at once, or gone without a trace. */
#pragma once

#include "spec/spec-files.h"

typedef struct StagedFile {
        char *path;      /* what it will be */
        char *temporary; /* what it is until then; NULL: neither made nor to be removed */
        bool directory_made;
} StagedFile;

/* The path that is written: NAME.berth of /etc/berth or /run/berth/settings, or a drop-in of it ("override.conf"). */
char *settings_path(const char *name, const char *drop_in, bool runtime);
/* Only root writes settings. */
int settings_check_privileges(Error *reterr);

/* Writes text to a new file in the directory of path, which is made if it is not there. ret is to be done in any case.
 * like: what it is made from, whose mode it gets, so that nobody can read it who could not before: path itself, another file, or NULL for what
 * only its owner shall read. */
int staged_file_write(StagedFile *ret, const char *path, const char *like, const char *text,
                      Error *reterr);
/* In place of the old one. */
int staged_file_commit(StagedFile *f, Error *reterr);
void staged_file_done(StagedFile *f);
