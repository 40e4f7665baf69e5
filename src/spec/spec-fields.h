/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* THE table: one row per setting. Settings files, the command line, --help, D-Bus properties, the canonical printer, merging,
 * completions and the manual's test are loops over it. Adding a setting = one row, one use, one paragraph in the manual. */
#pragma once

#include "spec/spec.h"

typedef enum FieldFlags {
        FIELD_TRUSTED =
                1 << 0, /* ignored (with a warning) in a settings file that lies beside the image */
        FIELD_LIST = 1 << 1, /* may be given several times, adds up; an empty value clears */
        FIELD_INTERNAL =
                1
                << 2, /* only in the text form between our own processes; no option, no manual entry */
        FIELD_UNSUPPORTED = 1 << 3,  /* known from systemd-nspawn, not built yet: refused by name */
        FIELD_OPTIONAL_ARG = 1 << 4, /* option's argument may be left out (means "yes") */
        FIELD_NO_ARG = 1 << 5, /* option takes no argument; `option_value` is what it stands for */
        FIELD_HIDDEN = 1 << 6, /* an alias: not in help */
        FIELD_WORDS =
                1
                << 7, /* text form is a list of quoted words; an option or a D-Bus element is one raw word */
        FIELD_COMMAND = 1 << 8, /* not a setting: ignored with a warning in settings files */
        FIELD_TRUSTED_ADD =
                1
                << 9, /* like FIELD_TRUSTED, but values that begin with "~" (they only take away) are fine */
        FIELD_SPECIFIERS = 1 << 10, /* "%i" and the like are replaced in settings files */
        FIELD_PROFILE = 1 << 11,    /* names files whose settings are read in its place */
        FIELD_SERVICE = 1 << 12,    /* means something to berth@NAME.service alone */
} FieldFlags;


typedef struct SpecField SpecField;

/* How a kind of value is read, printed, cleared. `at` points at the field inside the spec. */
typedef struct FieldType {
        const char *dbus_signature; /* of the D-Bus property: "b" "s" "as" "t" "i" … */
        /* Sets (or, for lists, adds to) the value; *at is unchanged on failure. A bad value is an Error whose message is only the
         * reason ("a number from -1000 to 1000 is expected"): spec_field_parse() makes the sentence around it. */
        int (*parse)(const SpecField *f, const char *value, void *at, Error *reterr);
        /* Appends canonical "Key=value\n" lines; nothing for a default value. */
        int (*print)(const SpecField *f, const void *at, StrBuf *out);
        void (*clear)(const SpecField *f, void *at); /* back to the default */
        /* For rows that stand for others (--rlimit=NOFILE=…, Property=MemoryMax=…): the row meant, with *value moved on to its
         * value. NULL: the row itself. May be NULL. */
        const SpecField *(*redirect)(const SpecField *f, const char **value);
} FieldType;

struct SpecField {
        const char *section;  /* "Exec" */
        const char *key;      /* "OOMScoreAdjust"; NULL: command line only */
        const char *option;   /* "oom-score-adjust"; NULL: settings file only */
        char letter;          /* short option or 0 */
        const char *argument; /* for help: "INT"; NULL with FIELD_NO_ARG */
        const FieldType *type;
        size_t offset; /* in ContainerSpec */
        uint32_t flags;
        const char
                *option_value; /* FIELD_NO_ARG: the value the option stands for ("yes", "pipe") */
        const void *data;      /* for the type: enum table, RLIMIT number, … */
        const char *group;     /* help's headline: "Execution" */
        const char *help;      /* one line, at most 50 columns */
};

extern const SpecField spec_fields[];
extern const size_t spec_n_fields;

/* Known from systemd-nspawn, not built yet; same lookups, never in help or text. */
extern const SpecField spec_fields_unsupported[];
extern const size_t spec_n_fields_unsupported;

/* By "Section", "Key" (case-sensitive). NULL: unknown. */
const SpecField *spec_field_by_key(const char *section, const char *key);
/* By key alone, for D-Bus a{sv}. */
const SpecField *spec_field_by_name(const char *key);
const SpecField *spec_field_by_option(const char *option, size_t option_length);
const SpecField *spec_field_by_letter(char letter);

/* Reads a value into the spec (adds, for lists). where: "/etc/berth/web.berth:12", "--bind", "-E", NULL, or words that "in" fits
 * before; the messages are made with it: "Invalid value 'x' for OOMScoreAdjust= at /etc/berth/web.berth:7: …". */
int spec_field_parse(const SpecField *f, const char *value, const char *where, ContainerSpec *spec,
                     Error *reterr);
/* Canonical "Key=value\n" lines of one row, nothing for a default. */
int spec_field_print(const SpecField *f, const ContainerSpec *spec, StrBuf *out);
void spec_field_clear(const SpecField *f, ContainerSpec *spec);

/* A unit has several of this property: a value adds to those before. */
bool spec_property_is_list(const char *name);
