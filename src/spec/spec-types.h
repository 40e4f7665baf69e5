/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kinds of values that rows of the field table have: how each is read, printed and cleared. A parse function's error message
 * is only the reason; spec_field_parse() makes the sentence. */
#pragma once

#include "spec/spec-fields.h"

/* The names of an enum whose values count from 0; 0 is the default and never printed. */
typedef struct EnumNames {
        const char *const *names;
        size_t n;
        const char *default_alias; /* another word for value 0, or NULL */
        const char *unsupported;   /* words known, but not built: " chown foreign ", or NULL */
} EnumNames;

/* in spec.c, beside the lookups */
extern const EnumNames console_mode_names, ownership_mode_names, cgroup_mode_names,
        health_action_names;

/* spec-types.c: plain values; `data` is named where it matters */
extern const FieldType field_bool; /* data not NULL: the default is yes */
extern const FieldType field_text; /* one line of any text */
extern const FieldType field_name; /* container_name_is_valid() */
extern const FieldType field_hostname;
extern const FieldType field_id;
extern const FieldType field_directory;  /* absolute host path */
extern const FieldType field_inner_path; /* absolute and normalised, inside the container */
extern const FieldType field_user;
extern const FieldType field_start; /* data: the StartMode that "yes" means */
extern const FieldType field_signal;
extern const FieldType field_oom;
extern const FieldType field_cpus;
extern const FieldType field_enum;   /* data: EnumNames */
extern const FieldType field_usec;   /* data: usec_t, the default */
extern const FieldType field_offset; /* at bool SET; data: offset of the int64_t in ContainerSpec */
extern const FieldType field_fd;
extern const FieldType field_mask; /* 0x… */
extern const FieldType
        field_profile; /* spec_draft_set() reads the profile; nothing of it is stored here */
/* data: values that ask for nothing, " auto try-guest "; "@no" stands for any "no" */
extern const FieldType field_unsupported;

/* spec-types-exec.c: lists of words, identities, security */
extern const FieldType field_words;
extern const FieldType field_environment;
extern const FieldType field_private_users;
extern const FieldType field_chown; /* PrivateUsersChown= */
extern const FieldType field_caps;
extern const FieldType field_filter;
extern const FieldType field_families; /* at spec->security.restrict_families */
extern const FieldType field_resolv_conf;
extern const FieldType field_timezone;

/* spec-types-mount.c: rows that add to spec->mounts; the first of them prints all, in their order */
extern const FieldType field_bind;
extern const FieldType field_bind_read_only;
extern const FieldType field_tmpfs;
extern const FieldType field_inaccessible;
extern const FieldType field_overlay; /* in spec-types-overlay.c */
extern const FieldType field_overlay_read_only;

/* spec-types-resource.c */
extern const FieldType field_limit;     /* data: RLIMIT_*; at spec->payload.limits[…] */
extern const FieldType field_limit_any; /* NAME=SOFT[:HARD] stands for the row of that limit */
extern const FieldType field_slice;
extern const FieldType
        field_property; /* NAME=VALUE; stands for the row with that key if there is one */
/* Rows whose value is stored as a property; the key is the property's name. */
extern const FieldType field_memory; /* data not NULL: 0 is allowed */
extern const FieldType field_tasks;
extern const FieldType field_quota;
extern const FieldType field_weight; /* data: another word that is allowed, or NULL */
extern const FieldType field_cpu_list;

/* spec-types-lifecycle.c */
extern const FieldType field_command;    /* words as one line; a later one replaces */
extern const FieldType field_hook;       /* command lines of the host, one each */
extern const FieldType field_period;     /* data: usec_t, the default; at least a second */
extern const FieldType field_dependency; /* names of containers and units */
extern const FieldType field_delay;      /* up to SPEC_START_DELAY_MAX_USEC */
extern const FieldType field_count;      /* uint32_t, not 0; data: VALUE(default) */

/* spec-types-root.c */
extern const FieldType field_volatile;
extern const FieldType field_pivot; /* at spec->root.pivot */
extern const FieldType field_root_hash;

/* What the rows of mounts share, in spec-types-mount.c. */
/* Splits at ":"; a backslash makes the next character an ordinary one. -EINVAL: more than max parts, or a backslash at the end; -ENOMEM. */
int type_parts_split(const char *value, size_t max, char ***ret);
/* The opposite, for one part. */
void type_part_print(StrBuf *out, const char *s);
/* An absolute path without "..", simplified. -EINVAL, -ENOMEM. */
int type_path_take(const char *path, char **ret);
/* A mount point: any absolute path but the root itself. */
int type_target_take(const char *path, char **ret, Error *reterr);
/* Moves *m to the end of the spec's list. */
int type_mount_append(ContainerSpec *s, SpecMount *m, Error *reterr);
/* Takes one kind off the list. */
void type_mounts_remove(ContainerSpec *s, MountKind kind, bool read_only);
void type_overlay_print(const SpecMount *m, StrBuf *out);

/* For parse functions. "%s is expected", -EINVAL. */
int type_expected(Error *reterr, const char *what);
/* -EOPNOTSUPP: this value is known, but not built. */
int type_unsupported(Error *reterr);
/* -E2BIG: "at most %u %s are allowed". */
int type_too_many(Error *reterr, unsigned limit, const char *what);
/* One line that can be shown as it is: valid UTF-8 without control characters, nor such as turn the direction of writing. */
bool type_is_line(const char *value);
/* `word` is one of the words in " a b c ". */
bool type_word_in(const char *words, const char *word);
/* The spec that `at` of row f is in. */
static inline ContainerSpec *type_spec(const SpecField *f, void *at) {
        return (ContainerSpec *) (void *) ((char *) at - f->offset);
}
static inline const ContainerSpec *type_const_spec(const SpecField *f, const void *at) {
        return (const ContainerSpec *) (const void *) ((const char *) at - f->offset);
}
