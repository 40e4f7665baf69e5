/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Types of the field table for resources: limits of setrlimit(2), and unit properties of the container's scope or service. */
#include <stdio.h>

#include "basic/parse.h"
#include "basic/strv.h"
#include "spec/spec-types.h"

#define PERMYRIAD_ONE 10000U /* 100 % */
#define WEIGHT_MAX 10000U
#define NICE_LEVELS 20
#define UNIT_NAME_MAX 255

/* ---- limits: LimitNOFILE=SOFT[:HARD] ---- */

static int limit_resource(const SpecField *f) {
        return (int) (intptr_t) f->data;
}

/* The unit of a bare number is that of setrlimit(2); sizes, spans and nice levels have their suffixes and signs. */
static int limit_value_parse(int resource, const char *s, rlim_t *ret) {
        uint64_t v;
        int32_t nice;
        int r;

        if (streq(s, "infinity")) {
                *ret = RLIM_INFINITY;
                return 0;
        }
        switch (resource) {
        case RLIMIT_FSIZE:
        case RLIMIT_DATA:
        case RLIMIT_STACK:
        case RLIMIT_CORE:
        case RLIMIT_RSS:
        case RLIMIT_AS:
        case RLIMIT_MEMLOCK:
        case RLIMIT_MSGQUEUE:
                r = parse_size(s, &v);
                break;
        case RLIMIT_CPU:
                r = parse_usec(s, &v);
                if (r >= 0)
                        v = v / USEC_PER_SEC + (v % USEC_PER_SEC > 0);
                break;
        case RLIMIT_RTTIME:
                r = parse_u64(s, &v);
                if (r < 0)
                        r = parse_usec(s, &v);
                break;
        case RLIMIT_NICE:
                if (*s == '+' || *s == '-') {
                        r = parse_i32(s, &nice);
                        if (r >= 0 && (nice < -NICE_LEVELS || nice >= NICE_LEVELS))
                                return -ERANGE;
                        v = r >= 0 ? (uint64_t) (NICE_LEVELS - nice) : 0;
                } else {
                        r = parse_u64(s, &v);
                        if (r >= 0 && v > 2 * NICE_LEVELS)
                                return -ERANGE;
                }
                break;
        default:
                r = parse_u64(s, &v);
        }
        if (r < 0)
                return r;
        if (v >= RLIM_INFINITY)
                return -ERANGE;
        *ret = v;
        return 0;
}

static int limit_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        _cleanup_free_ char *soft_text = NULL;
        SpecLimit *limit = at, v = { .set = true };
        const char *colon = strchr(value, ':');
        int r;

        soft_text = colon ? strndup(value, (size_t) (colon - value)) : strdup(value);
        if (!soft_text)
                return error_oom(reterr);
        r = limit_value_parse(limit_resource(f), soft_text, &v.soft);
        v.hard = v.soft;
        if (r >= 0 && colon)
                r = limit_value_parse(limit_resource(f), colon + 1, &v.hard);
        if (r < 0)
                return type_expected(reterr, "SOFT[:HARD] with numbers in range or 'infinity'");
        if (v.soft > v.hard)
                return type_expected(reterr, "a soft limit that does not exceed the hard one");
        *limit = v;
        return 0;
}

static void limit_value_print(rlim_t v, StrBuf *out) {
        if (v == RLIM_INFINITY)
                strbuf_add(out, "infinity");
        else
                strbuf_addf(out, "%llu", (unsigned long long) v);
}

static int limit_print(const SpecField *f, const void *at, StrBuf *out) {
        const SpecLimit *limit = at;

        if (!limit->set)
                return 0;
        strbuf_addf(out, "%s=", f->key);
        limit_value_print(limit->soft, out);
        if (limit->hard != limit->soft) {
                strbuf_add(out, ":");
                limit_value_print(limit->hard, out);
        }
        strbuf_add(out, "\n");
        return 0;
}

static void limit_clear(const SpecField *f, void *at) {
        *(SpecLimit *) at = (SpecLimit){ 0 };
}

const FieldType field_limit = { "s", limit_parse, limit_print, limit_clear };

/* "NOFILE=1024", "RLIMIT_NOFILE=1024", "LimitNOFILE=1024" */
static const SpecField *limit_redirect(const SpecField *f, const char **value) {
        const char *equals = strchr(*value, '='), *name = *value;
        _cleanup_free_ char *key = NULL;
        const SpecField *row;

        if (!equals)
                return NULL;
        name = startswith(name, "RLIMIT_") ?: startswith(name, "Limit") ?: name;
        if (name > equals)
                return NULL;
        key = strf("Limit%.*s", (int) (equals - name), name);
        row = key ? spec_field_by_key("Exec", key) : NULL;
        if (!row || row->type != &field_limit)
                return NULL;
        *value = equals + 1;
        return row;
}

static int limit_any_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        return type_expected(
                reterr,
                "NAME=SOFT[:HARD] with one of the names AS, CORE, CPU, DATA, FSIZE, LOCKS, MEMLOCK, "
                "MSGQUEUE, NICE, NOFILE, NPROC, RSS, RTPRIO, RTTIME, SIGPENDING and STACK");
}

static int nothing_print(const SpecField *f, const void *at, StrBuf *out) {
        return 0;
}

static void nothing_clear(const SpecField *f, void *at) {}

const FieldType field_limit_any = { "s", limit_any_parse, nothing_print, nothing_clear,
                                    limit_redirect };

/* ---- properties ---- */

/* Properties of which a unit has several. */
static const char list_properties[] =
        " DeviceAllow IODeviceWeight IODeviceLatencyTargetSec IOReadBandwidthMax IOWriteBandwidthMax IOReadIOPSMax "
        "IOWriteIOPSMax IPAddressAllow IPAddressDeny IPIngressFilterPath IPEgressFilterPath BPFProgram SocketBindAllow "
        "SocketBindDeny RestrictNetworkInterfaces Requires Requisite Wants BindsTo PartOf Upholds Conflicts Before After "
        "OnFailure OnSuccess PropagatesStopTo StopPropagatedFrom RequiresMountsFor Documentation ";

bool spec_property_is_list(const char *name) {
        return type_word_in(list_properties, name);
}

/* Compares the names of two assignments. */
static int assignment_compare(const char *a, const char *b) {
        size_t n_a = strcspn(a, "="), n_b = strcspn(b, "=");
        int c = strncmp(a, b, MIN(n_a, n_b));

        return c != 0 ? c : (n_a > n_b) - (n_a < n_b);
}

static void properties_remove(char **l, const char *name) {
        char **to = l;

        if (!l)
                return;
        for (char **from = l; *from; from++)
                if (assignment_compare(*from, name) == 0)
                        free(*from);
                else
                        *to++ = *from;
        *to = NULL;
}

/* Keeps the list sorted by name; equal names stay in the order they came in. An empty value takes the property away. */
static int properties_set(char ***l, const char *name, const char *value, Error *reterr) {
        char **properties;
        size_t n;

        if (!spec_property_is_list(name) || isempty(value))
                properties_remove(*l, name);
        if (isempty(value))
                return 0;
        if (strv_length(*l) >= SPEC_PROPERTIES_MAX)
                return type_too_many(reterr, SPEC_PROPERTIES_MAX, "properties");
        if (strv_extendf(l, "%s=%s", name, value) < 0)
                return error_oom(reterr);
        properties = *l;
        n = strv_length(properties);
        for (size_t i = n - 1; i > 0 && assignment_compare(properties[i - 1], properties[i]) > 0;
             i--) {
                char *swap = properties[i];

                properties[i] = properties[i - 1];
                properties[i - 1] = swap;
        }
        return 0;
}

static const SpecField *property_row(const char *assignment) {
        _cleanup_free_ char *name = strndup(assignment, strcspn(assignment, "="));

        return name ? spec_field_by_key("Resources", name) : NULL;
}

static const SpecField *property_redirect(const SpecField *f, const char **value) {
        const char *equals = strchr(*value, '=');
        const SpecField *row = equals ? property_row(*value) : NULL;

        if (!row || row == f)
                return NULL;
        *value = equals + 1;
        return row;
}

static int property_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        static const char ours[] =
                " Delegate DelegateSubgroup DelegateControllers PIDs PIDFDs Controller AddRef ";
        const char *equals = strchr(value, '=');
        _cleanup_free_ char *name = NULL;

        name = strndup(value, strcspn(value, "="));
        if (!name)
                return error_oom(reterr);
        if (!equals || !ascii_is_alpha(*name) || !type_is_line(value))
                return type_expected(reterr, "NAME=VALUE");
        for (const char *c = name; *c; c++)
                if (!ascii_is_alnum(*c))
                        return type_expected(reterr,
                                             "NAME=VALUE, the name being that of a unit property,");
        if (type_word_in(ours, name))
                return type_expected(reterr, "a property that berth does not set itself");
        return properties_set(at, name, equals + 1 + strspn(equals + 1, WHITESPACE), reterr);
}

static int property_print(const SpecField *f, const void *at, StrBuf *out) {
        STRV_FOREACH(s, *(char *const *const *) at)
                if (!property_row(*s))
                        strbuf_addf(out, "%s=%s\n", f->key, *s);
        return 0;
}

/* All that no row of their own stands for. */
static void property_clear(const SpecField *f, void *at) {
        char **l = *(char ***) at, **to = l;

        if (!l)
                return;
        for (char **from = l; *from; from++)
                if (!property_row(*from))
                        free(*from);
                else
                        *to++ = *from;
        *to = NULL;
}

const FieldType field_property = { "as", property_parse, property_print, property_clear,
                                   property_redirect };

static int own_property_print(const SpecField *f, const void *at, StrBuf *out) {
        STRV_FOREACH(s, *(char *const *const *) at)
                if (assignment_compare(*s, f->key) == 0)
                        strbuf_addf(out, "%s\n", *s);
        return 0;
}

static void own_property_clear(const SpecField *f, void *at) {
        properties_remove(*(char ***) at, f->key);
}

/* "12.5%" in its shortest spelling, then stored. */
static int permyriad_set(const SpecField *f, unsigned v, void *at, Error *reterr) {
        char text[32];

        if (v % 100 == 0)
                (void) snprintf(text, sizeof(text), "%u%%", v / 100);
        else if (v % 10 == 0)
                (void) snprintf(text, sizeof(text), "%u.%u%%", v / 100, v % 100 / 10);
        else
                (void) snprintf(text, sizeof(text), "%u.%02u%%", v / 100, v % 100);
        return properties_set(at, f->key, text, reterr);
}

static int number_set(const SpecField *f, uint64_t v, void *at, Error *reterr) {
        char text[32];

        (void) snprintf(text, sizeof(text), "%llu", (unsigned long long) v);
        return properties_set(at, f->key, text, reterr);
}

/* "infinity" or a percentage of what the machine has: 1 if it was one of them. */
static int amount_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        unsigned v;
        int r;

        if (streq(value, "infinity")) {
                r = properties_set(at, f->key, value, reterr);
                return r < 0 ? r : 1;
        }
        if (parse_permyriad(value, &v) < 0 || v > PERMYRIAD_ONE || (v == 0 && !f->data))
                return 0;
        r = permyriad_set(f, v, at, reterr);
        return r < 0 ? r : 1;
}

static int memory_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        uint64_t v;
        int r;

        r = amount_parse(f, value, at, reterr);
        if (r != 0)
                return MIN(r, 0);
        if (parse_size(value, &v) < 0 || v == UINT64_MAX || (v == 0 && !f->data))
                return type_expected(
                        reterr,
                        "a size like 512M, a percentage of the memory up to 100%, or 'infinity'");
        return number_set(f, v, at, reterr);
}

const FieldType field_memory = { "s", memory_parse, own_property_print, own_property_clear };

static int tasks_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        uint64_t v;
        int r;

        r = amount_parse(f, value, at, reterr);
        if (r != 0)
                return MIN(r, 0);
        if (parse_u64(value, &v) < 0 || v == 0 || v == UINT64_MAX)
                return type_expected(reterr,
                                     "a number from 1, a percentage up to 100%, or 'infinity'");
        return number_set(f, v, at, reterr);
}

const FieldType field_tasks = { "s", tasks_parse, own_property_print, own_property_clear };

static int quota_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        unsigned v;

        if (parse_permyriad(value, &v) < 0 || v == 0)
                return type_expected(reterr, "a percentage of one CPU like 50% or 200%");
        return permyriad_set(f, v, at, reterr);
}

const FieldType field_quota = { "s", quota_parse, own_property_print, own_property_clear };

static int weight_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        const char *word = f->data;
        uint32_t v;

        if (word && streq(value, word))
                return properties_set(at, f->key, word, reterr);
        if (parse_u32(value, &v) < 0 || v == 0 || v > WEIGHT_MAX)
                return type_expected(reterr, word ? "a number from 1 to 10000 or 'idle'"
                                                  : "a number from 1 to 10000");
        return number_set(f, v, at, reterr);
}

const FieldType field_weight = { "s", weight_parse, own_property_print, own_property_clear };

static int cpu_list_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        _cleanup_free_ char *cpus = NULL;
        int r;

        r = parse_cpu_set(value, &cpus);
        if (r == -ENOMEM)
                return error_oom(reterr);
        if (r < 0)
                return type_expected(reterr, "a list of numbers like 0-3,5");
        return properties_set(at, f->key, cpus, reterr);
}

const FieldType field_cpu_list = { "s", cpu_list_parse, own_property_print, own_property_clear };

/* Dashes say which slice lies in which: "a-b.slice" in "a.slice", and all in "-.slice". */
static bool dashes_are_valid(const char *name) {
        return streq(name, "-.slice") ||
               (name[0] != '-' && !strstr(name, "--") && !strstr(name, "-.slice"));
}

/* "machine-web.slice"; as systemd-nspawn takes it, "machine-web" is the same */
static int slice_parse(const SpecField *f, const char *value, void *at, Error *reterr) {
        static const char allowed[] =
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\";
        _cleanup_free_ char *name = NULL;

        name = endswith(value, ".slice") ? strdup(value) : strjoin(value, ".slice");
        if (!name)
                return error_oom(reterr);
        if (*name == '.' || strlen(name) > UNIT_NAME_MAX || name[strspn(name, allowed)] != '\0' ||
            !dashes_are_valid(name))
                return type_expected(reterr, "the name of a slice unit like machine-web.slice");
        free(*(char **) at);
        *(char **) at = TAKE_PTR(name);
        return 0;
}

static int slice_print(const SpecField *f, const void *at, StrBuf *out) {
        const char *s = *(char *const *) at;

        if (s)
                strbuf_addf(out, "%s=%s\n", f->key, s);
        return 0;
}

static void slice_clear(const SpecField *f, void *at) {
        char **s = at;

        *s = mfree(*s);
}

const FieldType field_slice = { "s", slice_parse, slice_print, slice_clear };
