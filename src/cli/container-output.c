/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `berth show`: one table of properties, as lines and as JSON. */
#include "cli/container-output.h"

#include "basic/str.h"
#include "basic/strv.h"
#include "cli/json.h"

typedef enum PropertyType {
        PROPERTY_STRING,
        PROPERTY_BOOLEAN,
        PROPERTY_U32,
        PROPERTY_USEC,  /* since 1970 */
        PROPERTY_COUNT, /* what is used; USAGE_UNKNOWN: not counted */
        PROPERTY_LIMIT, /* USAGE_UNKNOWN: none */
        PROPERTY_QUOTA, /* time per second, or none */
        PROPERTY_LIST
} PropertyType;

typedef struct Property {
        const char *name; /* on D-Bus */
        PropertyType type;
        size_t offset;
} Property;

#define AT(field) offsetof(ContainerInfo, field)
static const Property properties_table[] = {
        { "Name", PROPERTY_STRING, AT(name) },
        { "Id", PROPERTY_STRING, AT(id) },
        { "State", PROPERTY_STRING, AT(state) },
        { "Ready", PROPERTY_BOOLEAN, AT(ready) },
        { "Health", PROPERTY_STRING, AT(health) },
        { "Leader", PROPERTY_U32, AT(leader) },
        { "Supervisor", PROPERTY_U32, AT(supervisor) },
        { "Unit", PROPERTY_STRING, AT(unit) },
        { "ControlGroup", PROPERTY_STRING, AT(control_group) },
        { "RootDirectory", PROPERTY_STRING, AT(root_directory) },
        { "StatusText", PROPERTY_STRING, AT(status_text) },
        { "Result", PROPERTY_STRING, AT(result) },
        { "StartTimestamp", PROPERTY_USEC, AT(started_usec) },
        { "MemoryCurrent", PROPERTY_COUNT, AT(usage[USAGE_MEMORY_CURRENT]) },
        { "MemoryPeak", PROPERTY_COUNT, AT(usage[USAGE_MEMORY_PEAK]) },
        { "MemoryMax", PROPERTY_LIMIT, AT(usage[USAGE_MEMORY_MAX]) },
        { "CPUUsageNSec", PROPERTY_COUNT, AT(usage[USAGE_CPU_NSEC]) },
        { "CPUQuotaPerSecUSec", PROPERTY_QUOTA, AT(usage[USAGE_CPU_QUOTA]) },
        { "TasksCurrent", PROPERTY_COUNT, AT(usage[USAGE_TASKS_CURRENT]) },
        { "TasksMax", PROPERTY_LIMIT, AT(usage[USAGE_TASKS_MAX]) },
        { "IOReadBytes", PROPERTY_COUNT, AT(usage[USAGE_IO_READ_BYTES]) },
        { "IOWriteBytes", PROPERTY_COUNT, AT(usage[USAGE_IO_WRITE_BYTES]) },
        { "Addresses", PROPERTY_LIST, AT(addresses) },
};

int container_check_properties(char *const *names, Error *reterr) {
        _cleanup_strv_free_ char **known = NULL;

        for (size_t k = 0; k < ELEMENTSOF(properties_table); k++)
                if (strv_extend(&known, properties_table[k].name) < 0)
                        return error_oom(reterr);
        STRV_FOREACH(n, names) {
                if (strv_contains(known, *n))
                        continue;
                _cleanup_free_ char *list = strv_join(known, ", ");
                int r = error_set(reterr, -EINVAL, ERROR_USAGE, "Containers have no property '%s'",
                                  *n);
                error_hint(reterr, "they have %s", strempty(list));
                return r;
        }
        return 0;
}

static void add_property_text(const ContainerInfo *i, const Property *p, StrBuf *b) {
        const void *at = (const char *) i + p->offset;

        switch (p->type) {
        case PROPERTY_STRING: {
                _cleanup_free_ char *safe = str_escape_for_display(strempty(*(char *const *) at));
                strbuf_add(b, strempty(safe));
                break;
        }
        case PROPERTY_BOOLEAN:
                strbuf_add(b, *(const bool *) at ? "yes" : "no");
                break;
        case PROPERTY_U32:
                strbuf_addf(b, "%u", *(const uint32_t *) at);
                break;
        case PROPERTY_USEC: {
                usec_t t = *(const usec_t *) at;
                _cleanup_free_ char *text = t > 0 ? format_timestamp(t) : NULL;
                strbuf_add(b, strempty(text));
                break;
        }
        case PROPERTY_COUNT: /* in the words of systemctl(1) */
        case PROPERTY_LIMIT:
                if (*(const uint64_t *) at == USAGE_UNKNOWN)
                        strbuf_add(b, p->type == PROPERTY_LIMIT ? "infinity" : "[not set]");
                else
                        strbuf_addf(b, "%llu", (unsigned long long) *(const uint64_t *) at);
                break;
        case PROPERTY_QUOTA: {
                _cleanup_free_ char *text = format_timespan(*(const uint64_t *) at, 0);
                strbuf_add(b, strempty(text));
                break;
        }
        case PROPERTY_LIST: {
                _cleanup_free_ char *text = strv_join(*(char *const *const *) at, " ");
                strbuf_add(b, strempty(text));
                break;
        }
        }
}

int container_print_properties(const ContainerInfo *i, char *const *properties, bool only_value,
                               Error *reterr) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        _cleanup_free_ char *text = NULL;

        int r = container_check_properties(properties, reterr);
        if (r < 0)
                return r;
        for (size_t k = 0; k < ELEMENTSOF(properties_table); k++) {
                const Property *p = properties_table + k;
                if (!strv_isempty(properties) && !strv_contains(properties, p->name))
                        continue;
                if (!only_value)
                        strbuf_addf(&b, "%s=", p->name);
                add_property_text(i, p, &b);
                strbuf_add(&b, "\n");
        }
        if (strbuf_finish(&b, &text) < 0)
                return error_oom(reterr);
        (void) fputs(text, stdout); /* main() checks the stream */
        return 0;
}

static void add_json_property(JsonWriter *w, const Property *p, const void *at) {
        switch (p->type) {
        case PROPERTY_STRING:
                json_add_string(w, p->name, *(char *const *) at);
                break;
        case PROPERTY_BOOLEAN:
                json_add_boolean(w, p->name, *(const bool *) at);
                break;
        case PROPERTY_U32:
                json_add_number(w, p->name, *(const uint32_t *) at);
                break;
        case PROPERTY_USEC:
                json_add_number(w, p->name, *(const usec_t *) at);
                break;
        case PROPERTY_COUNT:
        case PROPERTY_LIMIT:
        case PROPERTY_QUOTA:
                if (*(const uint64_t *) at == USAGE_UNKNOWN)
                        json_add_string(w, p->name, NULL);
                else
                        json_add_number(w, p->name, *(const uint64_t *) at);
                break;
        case PROPERTY_LIST:
                json_add_strv(w, p->name, *(char *const *const *) at);
                break;
        }
}

static void add_json_object(JsonWriter *w, const ContainerInfo *i, char *const *properties) {
        json_begin_object(w, NULL);
        for (size_t k = 0; k < ELEMENTSOF(properties_table); k++) {
                const Property *p = properties_table + k;
                if (strv_isempty(properties) || strv_contains(properties, p->name))
                        add_json_property(w, p, (const char *) i + p->offset);
        }
        json_end(w);
}

int container_print_json(const ContainerInfo *infos, size_t n, char *const *properties, bool array,
                         bool pretty, Error *reterr) {
        _cleanup_(json_writer_done) JsonWriter w = { .pretty = pretty };
        _cleanup_free_ char *text = NULL;

        int r = container_check_properties(properties, reterr);
        if (r < 0)
                return r;
        if (array)
                json_begin_array(&w, NULL);
        for (size_t i = 0; i < n; i++)
                add_json_object(&w, infos + i, properties);
        if (array)
                json_end(&w);
        r = json_finish(&w, &text, reterr);
        if (r < 0)
                return r;
        (void) fputs(text, stdout); /* main() checks the stream */
        return 0;
}
