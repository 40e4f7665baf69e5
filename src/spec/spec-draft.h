/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A spec under construction: values arrive from several sources, the stronger source wins a whole field (lists are not mixed
 * across sources, as systemd-nspawn does it), and each field remembers where it came from for messages and `berth verify`. */
#pragma once

#include "basic/str.h"
#include "spec/spec-fields.h"
#include "spec/spec.h"

typedef enum SpecSource { /* weakest first */
        SOURCE_DEFAULT,
        SOURCE_IMAGE_FILE,     /* a settings file beside the image: untrusted */
        SOURCE_FILE,           /* /etc, /run: trusted */
        SOURCE_PROFILE,        /* of --profile= */
        SOURCE_COMMAND,        /* options, or a{sv} */
        SOURCE_IMAGE_OVERRIDE, /* with --settings=override: beside the image (untrusted) */
        SOURCE_OVERRIDE,       /* with --settings=override: /etc, /run */
        SOURCE_DERIVED,        /* computed by spec_check() or a front end's own rule */
        _SOURCE_MAX,
} SpecSource;

typedef struct SpecDraft SpecDraft;
SpecDraft *spec_draft_new(void);
SpecDraft *spec_draft_free(SpecDraft *d);
DEFINE_TRIVIAL_CLEANUP_FUNC(SpecDraft *, spec_draft_free)

/* Sets a field from text. where: "/etc/berth/web.berth:12" or "--bind" (copied). A weaker source never changes a field that a
 * stronger one has set. Untrusted sources cannot set FIELD_TRUSTED fields: a warning is recorded and 0 returned. An empty value
 * clears. FIELD_UNSUPPORTED gives ERROR_UNSUPPORTED. FIELD_PROFILE: the profile's settings, with the same
 * source; but those that SOURCE_COMMAND names are only remembered. */
int spec_draft_set(SpecDraft *d, const SpecField *f, const char *value, SpecSource source,
                   const char *where, Error *reterr);
/* One raw element, as an option or an array on D-Bus has it: nothing in it is quoting. An empty one is an element too. */
int spec_draft_set_raw(SpecDraft *d, const SpecField *f, const char *value, SpecSource source,
                       const char *where, Error *reterr);
/* Reads the profiles that the command line has named, as SOURCE_PROFILE; the container's name must be known. */
int spec_draft_read_profiles(SpecDraft *d, Error *reterr);
/* Where profiles are looked for instead of in /etc/berth/profiles and its kin, for tests. Borrowed. */
void spec_draft_set_profile_directories(SpecDraft *d, char *const *directories);
SpecSource spec_draft_source(const SpecDraft *d, const SpecField *f, const char **ret_where);
/* What was ignored and why, as sentences; borrowed. */
char *const *spec_draft_warnings(const SpecDraft *d);
int spec_draft_warn(SpecDraft *d, const char *format, ...) _printf_(2, 3);
ContainerSpec *spec_draft_spec(SpecDraft *d);      /* borrowed, still mutable */
ContainerSpec *spec_draft_take_spec(SpecDraft *d); /* for spec_check() */

/* Command line: argv[*index] is looked at. 1: it was a spec option (its argument too), *index is advanced; 0: not one of ours;
 * < 0: ours, but wrong. Understands --option=value, --option value, -x value, -xvalue and clusters of letters without argument. */
int spec_args_parse_one(SpecDraft *d, int argc, char **argv, int *index, Error *reterr);
/* --help's part: the options of the table by group, at most 80 columns. */
int spec_args_print_help(StrBuf *out);
/* What systemd-nspawn takes from its environment: $SYSTEMD_SECCOMP=0. */
int spec_args_apply_environment(SpecDraft *d, Error *reterr);

/* A settings file's text; of a path that ends with ".nspawn" as systemd-nspawn reads it, without specifiers. Unknown sections and keys are warnings (as in systemd), bad values errors with "file:line". */
int spec_settings_parse(SpecDraft *d, const char *text, SpecSource source, const char *path,
                        Error *reterr);
/* Completes and verifies: contradictions between fields, derived values, defaults that depend on others (kill signal, bounding set).
 * Only rules that need no look at the system; rootfs_open() finds the rest. The finished spec is handed over. */
int spec_check(SpecDraft *d, ContainerSpec **ret, Error *reterr);
