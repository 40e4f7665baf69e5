/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows, properties and the status page of a container. */
#include "cli/container-output.h"

#include <unistd.h>

#include "basic/env-file.h"
#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "cli/cgroup-tree.h"
#include "cli/journal.h"
#include "cli/json.h"
#include "sys/resolve.h"

#define OS_RELEASE_MAX 65536U /* bytes; a container's file, so never trusted */
#define COMM_MAX 64U

/* ---- list ---- */

/* clang-format off */
const TableColumn container_columns[] = {
        { "NAME",       "name",          false, false },
        { "STATE",      "state",         false, false },
        { "READY",      "ready",         false, false },
        { "LEADER",     "leader",        true,  false },
        { "SINCE",      "since_usec",    false, false },
        { "UNIT",       "unit",          false, false },
        { "SUPERVISOR", "supervisor",    true,  true },
        { "ROOT",       "root",          false, true },
        { "ID",         "id",            false, true },
};
/* clang-format on */
const size_t n_container_columns = ELEMENTSOF(container_columns);

static const char *state_color(const char *state) {
        if (streq(state, "running"))
                return COLOR_GREEN;
        if (streq(state, "failed"))
                return COLOR_RED;
        return COLOR_YELLOW;
}

static void set_color(TableCell *c, const char *color) {
        if (c)
                c->color = color;
}

static void add_pid(Table *t, uint32_t pid) {
        if (pid > 0)
                table_add_number(t, pid);
        else
                table_add_string(t, NULL);
}

static const char *null_if_empty(const char *s) {
        return isempty(s) ? NULL : s;
}

void container_add_row(Table *t, const ContainerInfo *i) {
        table_add_string(t, i->name);
        set_color(table_add_string(t, i->state), state_color(strempty(i->state)));
        table_add_boolean(t, i->ready);
        add_pid(t, i->leader);
        if (i->started_usec > 0) {
                TableCell *c = table_add_number(t, i->started_usec);
                if (c)
                        c->text = format_timestamp(i->started_usec); /* NULL: the number is shown */
        } else
                table_add_string(t, NULL);
        table_add_string(t, null_if_empty(i->unit));
        add_pid(t, i->supervisor);
        table_add_string(t, null_if_empty(i->root_directory));
        table_add_string(t, null_if_empty(i->id));
}

void container_add_image_row(Table *t, const char *name) {
        table_add_string(t, name);
        set_color(table_add_string(t, "stopped"), COLOR_GREY);
        for (size_t i = 2; i < n_container_columns; i++)
                table_add_string(t, NULL);
}

/* ---- show ---- */

typedef enum PropertyType {
        PROPERTY_STRING,
        PROPERTY_BOOLEAN,
        PROPERTY_U32,
        PROPERTY_USEC
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
        { "Leader", PROPERTY_U32, AT(leader) },
        { "Supervisor", PROPERTY_U32, AT(supervisor) },
        { "Unit", PROPERTY_STRING, AT(unit) },
        { "ControlGroup", PROPERTY_STRING, AT(control_group) },
        { "RootDirectory", PROPERTY_STRING, AT(root_directory) },
        { "StatusText", PROPERTY_STRING, AT(status_text) },
        { "Result", PROPERTY_STRING, AT(result) },
        { "StartTimestamp", PROPERTY_USEC, AT(started_usec) },
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

static void add_json_object(JsonWriter *w, const ContainerInfo *i, char *const *properties) {
        json_begin_object(w, NULL);
        for (size_t k = 0; k < ELEMENTSOF(properties_table); k++) {
                const Property *p = properties_table + k;
                const void *at = (const char *) i + p->offset;
                if (!strv_isempty(properties) && !strv_contains(properties, p->name))
                        continue;
                if (p->type == PROPERTY_STRING)
                        json_add_string(w, p->name, *(char *const *) at);
                else if (p->type == PROPERTY_BOOLEAN)
                        json_add_boolean(w, p->name, *(const bool *) at);
                else
                        json_add_number(w, p->name,
                                        p->type == PROPERTY_U32 ? *(const uint32_t *) at
                                                                : *(const usec_t *) at);
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

/* ---- status ---- */

static char *read_comm(uint32_t pid) {
        _cleanup_free_ char *path = strf("/proc/%u/comm", pid), *comm = NULL;

        if (!path || file_read_all(AT_FDCWD, path, COMM_MAX, &comm, NULL) < 0)
                return NULL;
        return str_escape_for_display(strstrip(comm));
}

/* PRETTY_NAME= of the root's os-release. The root is hostile: it is read below its own descriptor, a regular file of limited size
 * only. */
static char *read_os_name(const char *root_directory) {
        static const char *const paths[] = { "/etc/os-release", "/usr/lib/os-release" };
        _cleanup_close_ int root = open(root_directory, O_PATH | O_DIRECTORY | O_CLOEXEC);

        for (size_t i = 0; root >= 0 && i < ELEMENTSOF(paths); i++) {
                _cleanup_free_ char *text = NULL;
                _cleanup_strv_free_ char **fields = NULL;
                if (resolve_read_file(root, paths[i], OS_RELEASE_MAX, &text, NULL) < 0 ||
                    env_file_parse(text, &fields) < 0)
                        continue;
                const char *name =
                        strv_env_get(fields, "PRETTY_NAME") ?: strv_env_get(fields, "ID");
                return name ? str_escape_for_display(name) : NULL;
        }
        return NULL;
}

#define LABEL_WIDTH 12

static void add_line(StrBuf *b, const char *label, const char *value) {
        _cleanup_free_ char *safe = isempty(value) ? NULL : str_escape_for_display(value);
        if (safe)
                strbuf_addf(b, "%*s: %s\n", LABEL_WIDTH, label, safe);
}

static void add_process_line(StrBuf *b, const char *label, uint32_t pid, bool remote) {
        _cleanup_free_ char *comm = pid > 0 && !remote ? read_comm(pid) : NULL;

        if (pid > 0 && comm)
                strbuf_addf(b, "%*s: %u (%s)\n", LABEL_WIDTH, label, pid, comm);
        else if (pid > 0)
                strbuf_addf(b, "%*s: %u\n", LABEL_WIDTH, label, pid);
}

static void add_since_line(StrBuf *b, usec_t started) {
        const usec_t now = now_usec(CLOCK_REALTIME);
        _cleanup_free_ char *at = started > 0 ? format_timestamp(started) : NULL;
        _cleanup_free_ char *ago =
                started > 0 && now > started
                        ? format_timespan(now - started, now - started > USEC_PER_MINUTE
                                                                 ? USEC_PER_SEC
                                                                 : USEC_PER_MSEC)
                        : NULL;

        if (at && ago)
                strbuf_addf(b, "%*s: %s (%s ago)\n", LABEL_WIDTH, "Since", at, ago);
        else if (at)
                add_line(b, "Since", at);
}

int container_print_status(const ContainerInfo *i, unsigned log_lines, bool color, Error *reterr) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        _cleanup_free_ char *text = NULL, *os = NULL;
        const char *state = strempty(i->state);

        strbuf_addf(&b, "%s● %s%s\n", color ? state_color(state) : "", color ? COLOR_OFF : "",
                    i->name);
        strbuf_addf(&b, "%*s: %s%s%s%s\n", LABEL_WIDTH, "State", color ? state_color(state) : "",
                    state, color ? COLOR_OFF : "", i->ready ? ", ready" : "");
        add_since_line(&b, i->started_usec);
        add_process_line(&b, "Leader", i->leader, i->remote);
        add_process_line(&b, "Supervisor", i->supervisor, i->remote);
        add_line(&b, "Unit", i->unit);
        add_line(&b, "Root", i->root_directory);
        if (!isempty(i->root_directory) && !i->remote)
                os = read_os_name(i->root_directory);
        add_line(&b, "OS", os);
        add_line(&b, "Machine ID", i->id);
        add_line(&b, "Status", i->status_text);
        add_line(&b, "Result", i->result);
        if (!isempty(i->control_group)) {
                add_line(&b, "CGroup", i->control_group);
                if (!i->remote)
                        cgroup_tree_format(i->control_group, LABEL_WIDTH + 2, &b);
        }
        if (log_lines > 0 && !i->remote) {
                const JournalQuery q = { .container = i->name,
                                         .unit = i->unit,
                                         .lines = log_lines };
                journal_format(&q, &b);
        }
        if (strbuf_finish(&b, &text) < 0)
                return error_oom(reterr);
        (void) fputs(text, stdout); /* main() checks the stream */
        return 0;
}
