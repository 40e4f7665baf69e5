/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One row for each property that can be changed at run time: how it is taken back. The values themselves are unit-properties.c's. */
#include "bus/unit-change.h"

#include <fcntl.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "basic/strv.h"
#include "bus/systemd1.h"
#include "spec/spec-draft.h"

#define RECORDS_DIRECTORY "/run/berth/units"
#define RECORD_MAX 65536U /* bytes */

typedef enum ResetKind {
        RESET_VALUE, /* by this value */
        RESET_UNSET, /* by the number that means "not set", under this D-Bus name */
        RESET_EMPTY, /* by an empty array of this D-Bus type */
        RESET_NEVER, /* not while it runs */
} ResetKind;

typedef struct Changeable {
        const char *name;
        ResetKind kind;
        const char *value;
        const char *bus_name; /* RESET_EMPTY; NULL: the same */
        const char *words;    /* its values, if it takes no others */
} Changeable;

/* clang-format off */
static const Changeable changeables[] = {
        { "MemoryMin",             RESET_VALUE, "0",        NULL, NULL },
        { "MemoryLow",             RESET_VALUE, "0",        NULL, NULL },
        { "MemoryHigh",            RESET_VALUE, "infinity", NULL, NULL },
        { "MemoryMax",             RESET_VALUE, "infinity", NULL, NULL },
        { "MemorySwapMax",         RESET_VALUE, "infinity", NULL, NULL },
        { "MemoryZSwapMax",        RESET_VALUE, "infinity", NULL, NULL },
        { "TasksMax",              RESET_VALUE, "16384",    NULL, NULL }, /* what berth gives a container */
        { "CPUQuota",              RESET_VALUE, "infinity", NULL, NULL },
        { "CPUQuotaPeriodSec",     RESET_VALUE, "infinity", NULL, NULL },
        { "CPUWeight",             RESET_UNSET, "CPUWeight", NULL, NULL },
        { "IOWeight",              RESET_UNSET, "IOWeight", NULL, NULL },
        { "AllowedCPUs",           RESET_EMPTY, "ay",       NULL, NULL },
        { "AllowedMemoryNodes",    RESET_EMPTY, "ay",       NULL, NULL },
        { "IODeviceWeight",        RESET_EMPTY, "a(st)",    NULL, NULL },
        { "IODeviceLatencyTargetSec", RESET_EMPTY, "a(st)", "IODeviceLatencyTargetUSec", NULL },
        { "IOReadBandwidthMax",    RESET_EMPTY, "a(st)",    NULL, NULL },
        { "IOWriteBandwidthMax",   RESET_EMPTY, "a(st)",    NULL, NULL },
        { "IOReadIOPSMax",         RESET_EMPTY, "a(st)",    NULL, NULL },
        { "IOWriteIOPSMax",        RESET_EMPTY, "a(st)",    NULL, NULL },
        { "IPAddressAllow",        RESET_EMPTY, "a(iayu)",  NULL, NULL },
        { "IPAddressDeny",         RESET_EMPTY, "a(iayu)",  NULL, NULL },
        { "DeviceAllow",           RESET_NEVER, NULL,       NULL, NULL }, /* would take those away that every container has */
        { "DevicePolicy",          RESET_VALUE, "closed",   NULL, " auto closed strict " },
        { "CPUAccounting",         RESET_NEVER, NULL,       NULL, NULL },
        { "MemoryAccounting",      RESET_NEVER, NULL,       NULL, NULL },
        { "IOAccounting",          RESET_NEVER, NULL,       NULL, NULL },
        { "TasksAccounting",       RESET_NEVER, NULL,       NULL, NULL },
        { "IPAccounting",          RESET_NEVER, NULL,       NULL, NULL },
        { "ManagedOOMSwap",        RESET_VALUE, "auto",     NULL, " auto kill " },
        { "ManagedOOMMemoryPressure", RESET_VALUE, "auto",  NULL, " auto kill " },
        { "ManagedOOMMemoryPressureLimit", RESET_VALUE, "0%", NULL, NULL },
        { "ManagedOOMPreference",  RESET_VALUE, "none",     NULL, " none avoid omit " },
};
/* clang-format on */

void unit_change_done(UnitChange *c) {
        free(c->name);
        free(c->property);
        free(c->setting);
        *c = (UnitChange){ 0 };
}

static const Changeable *changeable_find(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(changeables); i++)
                if (streq(changeables[i].name, name))
                        return changeables + i;
        return NULL;
}

/* Why it is none: another setting, a property for another time, or nothing that is known. */
static int refuse_name(const char *name, Error *reterr) {
        const SpecField *f = spec_field_by_name(name);
        const bool setting = f && !(f->flags & (FIELD_INTERNAL | FIELD_UNSUPPORTED));
        _cleanup_free_ char *property = strjoin(name, "=");

        if (!property)
                return error_oom(reterr);
        if (!setting && !systemd1_property_is_known(name))
                return systemd1_check_property(property,
                                               reterr); /* says what may have been meant */
        int r = error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                          "'%.80s' cannot be changed while a container runs", name);
        error_hint(reterr, "'berth edit' sets it for the next start");
        return r;
}

/* The value as the field table reads it, in the one spelling that a spec has for it. */
static int canonical_property(const SpecField *f, const char *value, char **ret, Error *reterr) {
        _cleanup_(spec_draft_freep) SpecDraft *d = spec_draft_new();

        if (!d)
                return error_oom(reterr);
        int r = spec_draft_set(d, f, value, SOURCE_COMMAND, NULL, reterr);
        if (r < 0)
                return r;
        char *const *properties = spec_draft_spec(d)->resources.properties;
        if (strv_length(properties) != 1)
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                 "'%.80s' is no value of %s=", value, f->key);
        r = systemd1_check_property(properties[0], reterr);
        if (r < 0)
                return r;
        *ret = strdup(properties[0]);
        return *ret ? 0 : error_oom(reterr);
}

int unit_change_parse(const char *text, UnitChange *ret, Error *reterr) {
        _cleanup_(unit_change_done) UnitChange c = { 0 };
        const char *rest = startswith(text, "Property="), *value;
        int r;

        text = rest ?: text;
        value = strchr(text, '=');
        if (!value || value == text) {
                r = error_set(reterr, -EINVAL, ERROR_INVALID_SETTING, "'%.80s' is not KEY=VALUE",
                              text);
                error_hint(reterr, "for example 'MemoryMax=1G'; 'MemoryMax=' takes the limit back");
                return r;
        }
        c.name = strndup(text, (size_t) (value - text));
        if (!c.name)
                return error_oom(reterr);
        value += 1 + strspn(value + 1, WHITESPACE);
        const Changeable *row = changeable_find(c.name);
        if (!row)
                return refuse_name(c.name, reterr);
        if (*value == '\0' && row->kind == RESET_NEVER) {
                r = error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                              "'%s' cannot be taken back while a container runs", c.name);
                error_hint(reterr, "'berth edit' does it for the next start");
                return r;
        }

        _cleanup_free_ char *word = strjoin(" ", value, " ");
        if (row->words && *value != '\0' &&
            (!word || strchr(value, ' ') || !strstr(row->words, word)))
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                 "Invalid value '%.80s' for %s=: one of%sis expected", value,
                                 c.name, row->words);

        const SpecField *f = spec_field_by_key("Resources", c.name),
                        *any = spec_field_by_key("Resources", "Property");
        c.setting = strjoin(f ? "" : "Property=", c.name, "=", value);
        c.list = spec_property_is_list(c.name);
        if (!c.setting)
                return error_oom(reterr);
        if (*value != '\0')
                r = canonical_property(f ?: any, f ? value : c.setting + STRLEN("Property="),
                                       &c.property, reterr);
        else {
                c.property = strjoin(c.name, "=");
                r = c.property ? 0 : error_oom(reterr);
        }
        if (r < 0)
                return r;
        *ret = c;
        c = (UnitChange){ 0 };
        return 0;
}

static int append_empty(sd_bus_message *m, const char *name, const char *signature) {
        int r = sd_bus_message_open_container(m, 'r', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", name);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', signature);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', signature + 1);
        for (unsigned i = 0; r >= 0 && i < 3; i++)
                r = sd_bus_message_close_container(m);
        return r;
}

int unit_change_append(const UnitChange *c, sd_bus_message *m, Error *reterr) {
        const Changeable *row = changeable_find(c->name);
        _cleanup_free_ char *reset = NULL;

        if (!endswith(c->property, "="))
                return systemd1_append_property(m, c->property, reterr);
        if (row->kind == RESET_VALUE) {
                reset = strjoin(c->name, "=", row->value);
                return reset ? systemd1_append_property(m, reset, reterr) : error_oom(reterr);
        }
        int r = row->kind == RESET_UNSET
                        ? sd_bus_message_append(m, "(sv)", row->value, "t", UINT64_MAX)
                        : append_empty(m, row->bus_name ?: row->name, row->value);
        return r < 0 ? error_set_errno(reterr, r, ERROR_BUS_FAILED,
                                       "Writing the change of '%s' failed", c->name)
                     : 0;
}

int unit_change_list_names(char ***names) {
        for (size_t i = 0; i < ELEMENTSOF(changeables); i++)
                if (strv_extendf(names, "%s=", changeables[i].name) < 0)
                        return -ENOMEM;
        return 0;
}

/* ---- the record ---- */

char *unit_record_path(const char *unit) {
        return path_join(RECORDS_DIRECTORY, unit);
}

int unit_record_read(const char *path, char ***ret) {
        _cleanup_free_ char *text = NULL;

        int r = file_read_all(AT_FDCWD, path, RECORD_MAX, &text, NULL);
        if (r == -ENOENT)
                return 0;
        return r < 0 ? r : strv_split(ret, text, "\n", 0);
}

static int record_open(const char *path, int flags) {
        int r = mkdir_parents(RECORDS_DIRECTORY, 0755);
        if (r < 0)
                return r;
        int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | flags, 0644);
        return fd < 0 ? -errno : fd;
}

int unit_record_write(const char *path, char *const *assignments) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        _cleanup_free_ char *text = NULL;

        if (strv_isempty(assignments))
                return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
        STRV_FOREACH(a, assignments) {
                strbuf_add_bytes(&b, *a, strcspn(*a, "="));
                strbuf_add(&b, "\n");
        }
        int r = strbuf_finish(&b, &text);
        if (r < 0)
                return r;
        _cleanup_close_ int fd = record_open(path, O_TRUNC);
        return fd < 0 ? fd : fd_write_full(fd, text, strlen(text));
}

int unit_record_add(const char *path, const char *name) {
        _cleanup_strv_free_ char **names = NULL;
        _cleanup_free_ char *line = strjoin(name, "\n");

        if (!line)
                return -ENOMEM;
        int r = unit_record_read(path, &names);
        if (r < 0 || strv_contains(names, name))
                return r;
        _cleanup_close_ int fd = record_open(path, O_APPEND);
        return fd < 0 ? fd : fd_write_full(fd, line, strlen(line));
}
