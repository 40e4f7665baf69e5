/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit properties as people write them (systemd.resource-control(5), systemd.kill(5), systemd.unit(5)) to the D-Bus types that
 * systemd takes: one row of the table a property. Only what a scope takes is known. */
#include <arpa/inet.h>
#include <stdio.h>
#include <strings.h>

#include "basic/alloc.h"
#include "basic/parse.h"
#include "basic/strv.h"
#include "bus/systemd1.h"

typedef struct Property Property;

/* Parses the value and appends it to m as the (sv) struct or structs that it stands for; with m NULL it only parses. -EINVAL and
 * -ERANGE: a bad value. */
typedef int (*PropertyHandler)(const Property *p, const char *value, sd_bus_message *m);

struct Property {
        const char *name;     /* in unit files */
        const char *bus_name; /* NULL: the same */
        PropertyHandler handle;
        const char *expects; /* "… is expected" */
        uint64_t min, max;   /* handle_number */
};

static const char *bus_name(const Property *p) {
        return p->bus_name ?: p->name;
}

/* (NAME, <value of this signature>), for values that APPEND() cannot write; value_end() closes it. */
static int value_begin(const Property *p, const char *signature, sd_bus_message *m) {
        int r = sd_bus_message_open_container(m, 'r', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", bus_name(p));
        return r < 0 ? r : sd_bus_message_open_container(m, 'v', signature);
}

static int value_end(sd_bus_message *m) {
        int r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

#define APPEND(m, ...) ((m) ? sd_bus_message_append((m), "(sv)", __VA_ARGS__) : 0)

static int handle_boolean(const Property *p, const char *value, sd_bus_message *m) {
        int b = parse_boolean(value);
        return b < 0 ? b : APPEND(m, bus_name(p), "b", b);
}

static int handle_string(const Property *p, const char *value, sd_bus_message *m) {
        if (isempty(value))
                return -EINVAL;
        return APPEND(m, bus_name(p), "s", value);
}

static int handle_signal(const Property *p, const char *value, sd_bus_message *m) {
        int sig = parse_signal(value);
        return sig < 0 ? sig : APPEND(m, bus_name(p), "i", (int32_t) sig);
}

static int handle_number(const Property *p, const char *value, sd_bus_message *m) {
        uint64_t v;
        int r = parse_u64(value, &v);
        if (r < 0)
                return r;
        if (v < p->min || v > p->max)
                return -ERANGE;
        return APPEND(m, bus_name(p), "t", v);
}

static int handle_cpu_weight(const Property *p, const char *value, sd_bus_message *m) {
        if (streq(value, "idle"))
                return APPEND(m, bus_name(p), "t", (uint64_t) 0);
        return handle_number(p, value, m);
}

static int handle_usec(const Property *p, const char *value, sd_bus_message *m) {
        usec_t t;
        int r = parse_usec(value, &t);
        return r < 0 ? r : APPEND(m, bus_name(p), "t", t);
}

/* "20%" of all there is is a fraction of UINT32_MAX, under a name with "Scale" behind. */
static uint32_t scale_from_permyriad(unsigned v) {
        return (uint32_t) (((uint64_t) v * UINT32_MAX + 5000) / 10000);
}

static int append_scale(const Property *p, const char *value, sd_bus_message *m) {
        unsigned v;
        int r = parse_permyriad(value, &v);
        if (r < 0)
                return r;
        if (v > 10000)
                return -ERANGE;
        char name[64];
        (void) snprintf(name, sizeof(name), "%sScale",
                        bus_name(p)); /* names of the table are shorter */
        return APPEND(m, name, "u", scale_from_permyriad(v));
}

static int handle_memory(const Property *p, const char *value, sd_bus_message *m) {
        if (streq(value, "infinity"))
                return APPEND(m, bus_name(p), "t", UINT64_MAX);
        if (endswith(value, "%"))
                return append_scale(p, value, m);
        uint64_t v;
        int r = parse_size(value, &v);
        return r < 0 ? r : APPEND(m, bus_name(p), "t", v);
}

static int handle_tasks(const Property *p, const char *value, sd_bus_message *m) {
        if (streq(value, "infinity"))
                return APPEND(m, bus_name(p), "t", UINT64_MAX);
        if (endswith(value, "%"))
                return append_scale(p, value, m);
        return handle_number(p, value, m);
}

static int handle_cpu_quota(const Property *p, const char *value, sd_bus_message *m) {
        if (isempty(value) || streq(value, "infinity"))
                return APPEND(m, bus_name(p), "t", USEC_INFINITY);
        unsigned v;
        int r = parse_permyriad(value, &v);
        if (r < 0)
                return r;
        if (v == 0)
                return -ERANGE;
        return APPEND(m, bus_name(p), "t", (uint64_t) v * USEC_PER_SEC / 10000);
}

static int handle_pressure_limit(const Property *p, const char *value, sd_bus_message *m) {
        unsigned v;
        int r = parse_permyriad(value, &v);
        if (r < 0)
                return r;
        return v > 10000 ? -ERANGE : APPEND(m, bus_name(p), "u", scale_from_permyriad(v));
}

/* "0-3 5" as a little-endian bit mask. */
static int handle_cpu_mask(const Property *p, const char *value, sd_bus_message *m) {
        _cleanup_free_ char *canonical = NULL;
        int r = parse_cpu_set(value, &canonical);
        if (r < 0)
                return r;

        uint8_t mask[8192 / 8] = { 0 };
        size_t size = 0;
        for (const char *c = canonical; *c;) {
                char *end;
                unsigned long first = strtoul(c, &end, 10), last = first;
                if (end == c)
                        return -EINVAL;
                if (*end == '-')
                        last = strtoul(end + 1, &end, 10);
                if (last >= sizeof(mask) * 8)
                        return -ERANGE;
                for (unsigned long i = first; i <= last; i++)
                        mask[i / 8] |= (uint8_t) (1U << (i % 8));
                size = MAX(size, (size_t) (last / 8 + 1));
                c = end + strspn(end, " ,");
        }
        if (!m)
                return 0;
        r = value_begin(p, "ay", m);
        if (r >= 0)
                r = sd_bus_message_append_array(m, 'y', mask, size);
        return r < 0 ? r : value_end(m);
}

static int handle_words(const Property *p, const char *value, sd_bus_message *m) {
        _cleanup_strv_free_ char **words = NULL;
        int r = strv_split(&words, value, NULL, WORD_UNQUOTE);
        if (r < 0)
                return r;
        if (strv_isempty(words))
                return -EINVAL;
        if (!m)
                return 0;
        r = value_begin(p, "as", m);
        if (r >= 0)
                r = sd_bus_message_append_strv(m, words);
        return r < 0 ? r : value_end(m);
}

/* Delegate=yes is ours already; a list of controllers narrows it. */
static int handle_delegate(const Property *p, const char *value, sd_bus_message *m) {
        int b = parse_boolean(value);
        if (b == 0)
                return -EINVAL;
        if (b > 0)
                return APPEND(m, "Delegate", "b", true);
        static const Property controllers = { .name = "DelegateControllers" };
        return handle_words(&controllers, value, m);
}

static bool device_node_is_valid(const char *s) {
        return (startswith(s, "/dev/") || startswith(s, "char-") || startswith(s, "block-") ||
                startswith(s, "/run/systemd/inaccessible/")) &&
               !strstr(s, "/../");
}

static int handle_device_allow(const Property *p, const char *value, sd_bus_message *m) {
        _cleanup_strv_free_ char **words = NULL;
        int r = strv_split(&words, value, NULL, WORD_UNQUOTE);
        if (r < 0)
                return r;
        size_t n = strv_length(words);
        if (n < 1 || n > 2 || !device_node_is_valid(words[0]))
                return -EINVAL;
        const char *access = n == 2 ? words[1] : "rwm";
        if (isempty(access) || strspn(access, "rwm") != strlen(access))
                return -EINVAL;
        return APPEND(m, "DeviceAllow", "a(ss)", 1, words[0], access);
}

/* Bytes a second count by 1000, unlike sizes (systemd.resource-control(5)). */
static int parse_rate(const char *s, uint64_t *ret) {
        if (streq(s, "infinity")) {
                *ret = UINT64_MAX;
                return 0;
        }
        static const char suffixes[] = "KMGTPE";
        size_t n = strlen(s);
        const char *suffix = n > 1 ? strchr(suffixes, s[n - 1]) : NULL;
        _cleanup_free_ char *digits = strndup(s, suffix ? n - 1 : n);
        if (!digits)
                return -ENOMEM;
        uint64_t v;
        int r = parse_u64(digits, &v);
        if (r < 0)
                return r;
        for (const char *c = suffixes; suffix && c <= suffix; c++)
                if (__builtin_mul_overflow(v, (uint64_t) 1000, &v))
                        return -ERANGE;
        *ret = v;
        return 0;
}

static int split_device_value(const char *value, char ***ret) {
        _cleanup_strv_free_ char **words = NULL;
        int r = strv_split(&words, value, NULL, WORD_UNQUOTE);
        if (r < 0)
                return r;
        if (strv_length(words) != 2 || words[0][0] != '/')
                return -EINVAL;
        *ret = TAKE_PTR(words);
        return 0;
}

static int handle_io_rate(const Property *p, const char *value, sd_bus_message *m) {
        _cleanup_strv_free_ char **words = NULL;
        uint64_t v;
        int r = split_device_value(value, &words);
        if (r >= 0)
                r = parse_rate(words[1], &v);
        return r < 0 ? r : APPEND(m, bus_name(p), "a(st)", 1, words[0], v);
}

static int handle_io_weight(const Property *p, const char *value, sd_bus_message *m) {
        _cleanup_strv_free_ char **words = NULL;
        uint64_t v;
        int r = split_device_value(value, &words);
        if (r >= 0)
                r = parse_u64(words[1], &v);
        if (r < 0)
                return r;
        if (v < p->min || v > p->max)
                return -ERANGE;
        return APPEND(m, bus_name(p), "a(st)", 1, words[0], v);
}

static int handle_io_latency(const Property *p, const char *value, sd_bus_message *m) {
        _cleanup_strv_free_ char **words = NULL;
        usec_t v;
        int r = split_device_value(value, &words);
        if (r >= 0)
                r = parse_usec(words[1], &v);
        return r < 0 ? r : APPEND(m, bus_name(p), "a(st)", 1, words[0], v);
}

/* ---- addresses: a(iayu) ---- */

typedef struct AddressPrefix {
        int family;
        uint8_t bytes[16];
        uint32_t prefix;
} AddressPrefix;

static size_t address_size(int family) {
        return family == AF_INET ? 4 : 16;
}

static const struct {
        const char *word;
        const char *prefixes[2];
} address_words[] = {
        { "any", { "0.0.0.0/0", "::/0" } },
        { "localhost", { "127.0.0.0/8", "::1/128" } },
        { "link-local", { "169.254.0.0/16", "fe80::/64" } },
        { "multicast", { "224.0.0.0/4", "ff00::/8" } },
};

static int parse_prefix(const char *s, AddressPrefix *ret) {
        const char *slash = strchr(s, '/');
        _cleanup_free_ char *address = strndup(s, slash ? (size_t) (slash - s) : strlen(s));
        if (!address)
                return -ENOMEM;
        AddressPrefix a = { .family = strchr(address, ':') ? AF_INET6 : AF_INET };
        if (inet_pton(a.family, address, a.bytes) != 1)
                return -EINVAL;
        uint32_t bits = (uint32_t) address_size(a.family) * 8;
        a.prefix = bits;
        if (slash) {
                int r = parse_u32(slash + 1, &a.prefix);
                if (r < 0)
                        return r;
                if (a.prefix > bits)
                        return -ERANGE;
        }
        for (uint32_t i = a.prefix; i < bits; i++) /* systemd refuses bits beyond the prefix */
                a.bytes[i / 8] &= (uint8_t) ~(0x80U >> (i % 8));
        *ret = a;
        return 0;
}

static int append_prefix(sd_bus_message *m, const AddressPrefix *a) {
        int r = sd_bus_message_open_container(m, 'r', "iayu");
        if (r >= 0)
                r = sd_bus_message_append(m, "i", (int32_t) a->family);
        if (r >= 0)
                r = sd_bus_message_append_array(m, 'y', a->bytes, address_size(a->family));
        if (r >= 0)
                r = sd_bus_message_append(m, "u", a->prefix);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int parse_addresses(const char *value, AddressPrefix **list, size_t *n) {
        _cleanup_strv_free_ char **words = NULL;
        int r = strv_split(&words, value, NULL, 0);
        if (r < 0)
                return r;
        if (strv_isempty(words))
                return -EINVAL;
        STRV_FOREACH(w, words) {
                const char *prefixes[2] = { *w, NULL };
                for (size_t i = 0; i < ELEMENTSOF(address_words); i++)
                        if (streq(address_words[i].word, *w))
                                memcpy(prefixes, address_words[i].prefixes, sizeof(prefixes));
                for (size_t i = 0; i < 2 && prefixes[i]; i++) {
                        AddressPrefix a, *slot;
                        r = parse_prefix(prefixes[i], &a);
                        if (r < 0)
                                return r;
                        slot = ARRAY_APPEND(*list, *n);
                        if (!slot)
                                return -ENOMEM;
                        *slot = a;
                }
        }
        return 0;
}

static int handle_addresses(const Property *p, const char *value, sd_bus_message *m) {
        _cleanup_free_ AddressPrefix *list = NULL;
        size_t n = 0;
        int r = parse_addresses(value, &list, &n);
        if (r < 0 || !m)
                return r;
        r = value_begin(p, "a(iayu)", m);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(iayu)");
        for (size_t i = 0; i < n && r >= 0; i++)
                r = append_prefix(m, &list[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : value_end(m);
}

/* Owned by berth: a value of the user's would break the container. */
static int handle_reserved(const Property *p, const char *value, sd_bus_message *m) {
        return -EPERM;
}

/* ---- the table ---- */

#define EXPECT_BOOLEAN "a boolean ('yes' or 'no')"
#define EXPECT_MEMORY "a size ('512M'), a percentage, or 'infinity'"
#define EXPECT_SPAN "a time span ('30s', '2min', 'infinity')"
#define EXPECT_SIGNAL "a signal ('SIGTERM')"
#define EXPECT_UNITS "a list of unit names"
#define EXPECT_CPUS "a list of numbers and ranges ('0-3 5')"
#define EXPECT_RATE "a device path and bytes a second ('/dev/sda 10M')"
#define EXPECT_IOPS "a device path and operations a second ('/dev/sda 1000')"
#define EXPECT_ADDRESSES \
        "a list of addresses with optional prefix length, or 'any', 'localhost', 'link-local', 'multicast'"
#define EXPECT_TEXT "a word"
#define WEIGHT_RANGE "a number from 1 to 10000"

#define BOOLEAN(name) \
        { name, NULL, handle_boolean, EXPECT_BOOLEAN, 0, 0 }
#define MEMORY(name) \
        { name, NULL, handle_memory, EXPECT_MEMORY, 0, 0 }
#define SPAN(name, bus) \
        { name, bus, handle_usec, EXPECT_SPAN, 0, 0 }
#define UNITS(name) \
        { name, NULL, handle_words, EXPECT_UNITS, 0, 0 }
#define STRING(name, expects) \
        { name, NULL, handle_string, expects, 0, 0 }
#define RESERVED(name) \
        { name, NULL, handle_reserved, NULL, 0, 0 }

/* clang-format off */
static const Property properties[] = {
        MEMORY("MemoryMin"), MEMORY("MemoryLow"), MEMORY("MemoryHigh"), MEMORY("MemoryMax"),
        MEMORY("MemorySwapMax"), MEMORY("MemoryZSwapMax"), MEMORY("MemoryLimit"),
        MEMORY("DefaultMemoryMin"), MEMORY("DefaultMemoryLow"),
        MEMORY("StartupMemoryLow"), MEMORY("StartupMemoryHigh"), MEMORY("StartupMemoryMax"),
        MEMORY("StartupMemorySwapMax"), MEMORY("StartupMemoryZSwapMax"),
        BOOLEAN("MemoryZSwapWriteback"),
        { "TasksMax",          NULL, handle_tasks,      "a number, a percentage, or 'infinity'", 1, UINT64_MAX - 1 },
        { "CPUQuota",          "CPUQuotaPerSecUSec", handle_cpu_quota, "a percentage above 0% ('150%')", 0, 0 },
        SPAN("CPUQuotaPeriodSec", "CPUQuotaPeriodUSec"),
        { "CPUWeight",         NULL, handle_cpu_weight, WEIGHT_RANGE " or 'idle'", 1, 10000 },
        { "StartupCPUWeight",  NULL, handle_cpu_weight, WEIGHT_RANGE " or 'idle'", 1, 10000 },
        { "CPUShares",         NULL, handle_number,     "a number from 2 to 262144", 2, 262144 },
        { "StartupCPUShares",  NULL, handle_number,     "a number from 2 to 262144", 2, 262144 },
        { "IOWeight",          NULL, handle_number,     WEIGHT_RANGE, 1, 10000 },
        { "StartupIOWeight",   NULL, handle_number,     WEIGHT_RANGE, 1, 10000 },
        { "BlockIOWeight",     NULL, handle_number,     "a number from 10 to 1000", 10, 1000 },
        { "IODeviceWeight",    NULL, handle_io_weight,  "a device path and a weight ('/dev/sda 200')", 1, 10000 },
        { "IODeviceLatencyTargetSec", "IODeviceLatencyTargetUSec", handle_io_latency, "a device path and a time span ('/dev/sda 25ms')", 0, 0 },
        { "IOReadBandwidthMax",  NULL, handle_io_rate,  EXPECT_RATE, 0, 0 },
        { "IOWriteBandwidthMax", NULL, handle_io_rate,  EXPECT_RATE, 0, 0 },
        { "IOReadIOPSMax",     NULL, handle_io_rate,    EXPECT_IOPS, 0, 0 },
        { "IOWriteIOPSMax",    NULL, handle_io_rate,    EXPECT_IOPS, 0, 0 },
        { "AllowedCPUs",       NULL, handle_cpu_mask,   EXPECT_CPUS, 0, 0 },
        { "StartupAllowedCPUs", NULL, handle_cpu_mask,  EXPECT_CPUS, 0, 0 },
        { "AllowedMemoryNodes", NULL, handle_cpu_mask,  EXPECT_CPUS, 0, 0 },
        { "StartupAllowedMemoryNodes", NULL, handle_cpu_mask, EXPECT_CPUS, 0, 0 },
        { "DeviceAllow",       NULL, handle_device_allow, "a device node or 'char-…', 'block-…' and of 'rwm' what is allowed ('/dev/fuse rw')", 0, 0 },
        STRING("DevicePolicy", "'auto', 'closed' or 'strict'"),
        { "IPAddressAllow",    NULL, handle_addresses,  EXPECT_ADDRESSES, 0, 0 },
        { "IPAddressDeny",     NULL, handle_addresses,  EXPECT_ADDRESSES, 0, 0 },
        { "Delegate",          NULL, handle_delegate,   "'yes' or a list of controllers (a container needs delegation)", 0, 0 },
        { "DisableControllers", NULL, handle_words,     "a list of controllers", 0, 0 },
        BOOLEAN("CPUAccounting"), BOOLEAN("MemoryAccounting"), BOOLEAN("IOAccounting"),
        BOOLEAN("BlockIOAccounting"), BOOLEAN("TasksAccounting"), BOOLEAN("IPAccounting"),
        STRING("OOMPolicy", "'continue', 'stop' or 'kill'"),
        STRING("ManagedOOMSwap", "'auto' or 'kill'"),
        STRING("ManagedOOMMemoryPressure", "'auto' or 'kill'"),
        { "ManagedOOMMemoryPressureLimit", NULL, handle_pressure_limit, "a percentage", 0, 0 },
        SPAN("ManagedOOMMemoryPressureDurationSec", "ManagedOOMMemoryPressureDurationUSec"),
        STRING("ManagedOOMPreference", "'none', 'avoid' or 'omit'"),
        STRING("MemoryPressureWatch", "'auto', 'on', 'off' or 'skip'"),
        SPAN("MemoryPressureThresholdSec", "MemoryPressureThresholdUSec"),
        STRING("Slice", "the name of a slice unit"),
        STRING("Description", "a text"),
        { "Documentation",     NULL, handle_words,      "a list of URIs", 0, 0 },
        SPAN("TimeoutStopSec", "TimeoutStopUSec"), SPAN("TimeoutStopUSec", NULL),
        SPAN("RuntimeMaxSec", "RuntimeMaxUSec"), SPAN("RuntimeMaxUSec", NULL),
        SPAN("RuntimeRandomizedExtraSec", "RuntimeRandomizedExtraUSec"),
        SPAN("JobTimeoutSec", "JobTimeoutUSec"), SPAN("JobRunningTimeoutSec", "JobRunningTimeoutUSec"),
        STRING("KillMode", "'control-group', 'mixed', 'process' or 'none'"),
        { "KillSignal",        NULL, handle_signal,     EXPECT_SIGNAL, 0, 0 },
        { "FinalKillSignal",   NULL, handle_signal,     EXPECT_SIGNAL, 0, 0 },
        BOOLEAN("SendSIGHUP"), BOOLEAN("SendSIGKILL"),
        STRING("CollectMode", "'inactive' or 'inactive-or-failed'"),
        BOOLEAN("CoredumpReceive"), BOOLEAN("DefaultDependencies"), BOOLEAN("IgnoreOnIsolate"),
        BOOLEAN("StopWhenUnneeded"), BOOLEAN("RefuseManualStop"),
        STRING("FailureAction", EXPECT_TEXT), STRING("SuccessAction", EXPECT_TEXT), STRING("JobTimeoutAction", EXPECT_TEXT),
        UNITS("Before"), UNITS("After"), UNITS("Wants"), UNITS("Requires"), UNITS("Requisite"), UNITS("Conflicts"),
        UNITS("BindsTo"), UNITS("PartOf"), UNITS("Upholds"), UNITS("OnFailure"), UNITS("OnSuccess"),
        UNITS("PropagatesStopTo"), UNITS("StopPropagatedFrom"),
        { "RequiresMountsFor", NULL, handle_words,      "a list of paths", 0, 0 },
        { "WantsMountsFor",    NULL, handle_words,      "a list of paths", 0, 0 },
        RESERVED("Controller"), RESERVED("PIDs"), RESERVED("PIDFDs"), RESERVED("DelegateSubgroup"), RESERVED("AddRef"),
};
/* clang-format on */

/* ---- looking up ---- */

#define NAME_MAX_LENGTH 63

/* Edits between two names, case not counted: insertions, deletions, replacements. */
static size_t edit_distance(const char *a, const char *b) {
        size_t row[NAME_MAX_LENGTH + 1], n = strlen(b);
        if (n > NAME_MAX_LENGTH)
                return SIZE_MAX;
        for (size_t j = 0; j <= n; j++)
                row[j] = j;
        for (size_t i = 1; a[i - 1]; i++) {
                size_t diagonal = row[0];
                row[0] = i;
                for (size_t j = 1; j <= n; j++) {
                        bool same = strncasecmp(&a[i - 1], &b[j - 1], 1) == 0;
                        size_t moved = MIN(row[j], row[j - 1]) + 1,
                               kept = diagonal + (same ? 0 : 1);
                        size_t best = MIN(moved, kept);
                        diagonal = row[j];
                        row[j] = best;
                }
        }
        return row[n];
}

static int unknown_property(const char *name, Error *reterr) {
        const char *near = NULL;
        size_t best = 4; /* further away is no typing mistake */
        for (size_t i = 0; i < ELEMENTSOF(properties); i++) {
                size_t d = edit_distance(properties[i].name, name);
                if (d < best && d < strlen(name)) {
                        best = d;
                        near = properties[i].name;
                }
        }
        int r = error_set(reterr, -EINVAL, ERROR_INVALID_SETTING, "Unknown unit property '%s'",
                          name);
        if (near)
                error_hint(reterr, "did you mean '%s'?", near);
        else
                error_hint(
                        reterr,
                        "a container's unit takes what systemd.resource-control(5) and systemd.kill(5) list");
        return r;
}

static const Property *property_find(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(properties); i++)
                if (streq(properties[i].name, name))
                        return &properties[i];
        return NULL;
}

bool systemd1_property_is_known(const char *name) {
        return property_find(name) != NULL;
}

static int apply(const char *assignment, sd_bus_message *m, Error *reterr) {
        const char *equals = strchr(assignment, '=');
        if (!equals || equals == assignment)
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                 "Invalid unit property '%s': NAME=VALUE is expected", assignment);
        _cleanup_free_ char *name = strndup(assignment, (size_t) (equals - assignment));
        if (!name)
                return error_oom(reterr);

        const Property *p = property_find(name);
        if (!p)
                return unknown_property(name, reterr);

        int r = p->handle(p, equals + 1, m);
        if (r >= 0)
                return 0;
        if (r == -ENOMEM)
                return error_oom(reterr);
        if (r == -EPERM)
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                 "Unit property '%s' is set by berth itself and cannot be changed",
                                 name);
        return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                         "Invalid value '%s' for unit property '%s': %s is expected", equals + 1,
                         name, p->expects);
}

int systemd1_append_property(sd_bus_message *m, const char *assignment, Error *reterr) {
        return apply(assignment, m, reterr);
}

int systemd1_check_property(const char *assignment, Error *reterr) {
        return apply(assignment, NULL, reterr);
}
