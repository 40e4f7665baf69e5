/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* "Label: value" lines; everything that a payload or an image has a say in is escaped. */
#include "cli/container-status.h"

#include <unistd.h>

#include "basic/env-file.h"
#include "basic/fd.h"
#include "basic/format.h"
#include "basic/strv.h"
#include "cli/autostart.h"
#include "cli/cgroup-tree.h"
#include "cli/container-list.h"
#include "cli/journal.h"
#include "sys/resolve.h"

#define OS_RELEASE_MAX 65536U /* bytes; a container's file, so never trusted */
#define COMM_MAX 64U
#define LABEL_WIDTH 12

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

static void add_line(StrBuf *b, const char *label, const char *value) {
        _cleanup_free_ char *safe = isempty(value) ? NULL : str_escape_for_display(value);
        if (safe)
                strbuf_addf(b, "%*s: %s\n", LABEL_WIDTH, label, safe);
}

static void add_head(StrBuf *b, const char *mark, const ContainerInfo *i,
                     const StatusStyle *style) {
        const char *state = strempty(i->state),
                   *color = style->color ? container_state_color(state) : "",
                   *off = style->color ? COLOR_OFF : "";

        strbuf_addf(b, "%s%s%s %s\n%*s: %s%s%s%s%s%s\n", color, mark, off, i->name, LABEL_WIDTH,
                    "State", color, state, off, i->ready ? ", ready" : "",
                    container_has_health(i) ? ", " : "", container_has_health(i) ? i->health : "");
}

static void add_process_line(StrBuf *b, const char *label, uint32_t pid, bool remote) {
        _cleanup_free_ char *comm = pid > 0 && !remote ? read_comm(pid) : NULL;

        if (pid > 0 && comm)
                strbuf_addf(b, "%*s: %u (%s)\n", LABEL_WIDTH, label, pid, comm);
        else if (pid > 0)
                strbuf_addf(b, "%*s: %u\n", LABEL_WIDTH, label, pid);
}

/* "Mon 2026-11-23 09:30:00 UTC; 2h 10min ago" */
static void add_time_line(StrBuf *b, const char *label, usec_t at, usec_t now) {
        _cleanup_free_ char *when = at > 0 ? format_timestamp(at) : NULL,
                            *ago = at > 0 && now >= at ? format_ago(now - at) : NULL;
        if (when)
                strbuf_addf(b, "%*s: %s%s%s\n", LABEL_WIDTH, label, when, ago ? "; " : "",
                            strempty(ago));
}

static void add_os_line(StrBuf *b, const char *root_directory) {
        _cleanup_free_ char *os = isempty(root_directory) ? NULL : read_os_name(root_directory);
        add_line(b, "OS", os);
}

static void add_autostart_line(StrBuf *b, const char *name, const StatusStyle *style) {
        add_line(b, "Autostart", autostart_contains(style->autostart, name) ? "yes" : "no");
}

static void add_addresses(StrBuf *b, char *const *addresses) {
        STRV_FOREACH(a, addresses)
                strbuf_addf(b, "%*s%s%s\n", LABEL_WIDTH, a == addresses ? "Addresses" : "",
                            a == addresses ? ": " : "  ", *a);
}

/* ---- use and limits ---- */

/* One more of what stands in parentheses: " (max 512M", ", peak 40M". */
static void add_remark(StrBuf *b, bool *any, const char *word, char *take_text) {
        _cleanup_free_ char *text = take_text;

        strbuf_addf(b, "%s%s %s", *any ? ", " : " (", word, strempty(text));
        *any = true;
}

static void add_memory_line(StrBuf *b, const uint64_t *u) {
        _cleanup_free_ char *current = format_bytes(u[USAGE_MEMORY_CURRENT]);
        bool any = false;

        if (u[USAGE_MEMORY_CURRENT] == USAGE_UNKNOWN)
                return;
        strbuf_addf(b, "%*s: %s", LABEL_WIDTH, "Memory", strempty(current));
        if (u[USAGE_MEMORY_MAX] != USAGE_UNKNOWN)
                add_remark(b, &any, "max", format_bytes(u[USAGE_MEMORY_MAX]));
        if (u[USAGE_MEMORY_PEAK] != USAGE_UNKNOWN)
                add_remark(b, &any, "peak", format_bytes(u[USAGE_MEMORY_PEAK]));
        strbuf_add(b, any ? ")\n" : "\n");
}

static void add_cpu_line(StrBuf *b, const uint64_t *u) {
        _cleanup_free_ char *used = format_cpu_time(u[USAGE_CPU_NSEC]);
        bool any = false;

        if (u[USAGE_CPU_NSEC] == USAGE_UNKNOWN)
                return;
        strbuf_addf(b, "%*s: %s", LABEL_WIDTH, "CPU", strempty(used));
        if (u[USAGE_CPU_QUOTA] != USAGE_UNKNOWN) {
                /* microseconds a second: 1000 are a tenth of a percent */
                const unsigned long long tenths = u[USAGE_CPU_QUOTA] / 1000;
                add_remark(b, &any, "max",
                           tenths % 10 > 0 ? strf("%llu.%llu%%", tenths / 10, tenths % 10)
                                           : strf("%llu%%", tenths / 10));
        }
        strbuf_add(b, any ? ")\n" : "\n");
}

static void add_tasks_line(StrBuf *b, const uint64_t *u) {
        bool any = false;

        if (u[USAGE_TASKS_CURRENT] == USAGE_UNKNOWN)
                return;
        strbuf_addf(b, "%*s: %llu", LABEL_WIDTH, "Tasks",
                    (unsigned long long) u[USAGE_TASKS_CURRENT]);
        if (u[USAGE_TASKS_MAX] != USAGE_UNKNOWN)
                add_remark(b, &any, "max", strf("%llu", (unsigned long long) u[USAGE_TASKS_MAX]));
        strbuf_add(b, any ? ")\n" : "\n");
}

static void add_io_line(StrBuf *b, const uint64_t *u) {
        _cleanup_free_ char *read = format_bytes(u[USAGE_IO_READ_BYTES]),
                            *written = format_bytes(u[USAGE_IO_WRITE_BYTES]);

        if (u[USAGE_IO_READ_BYTES] != USAGE_UNKNOWN && u[USAGE_IO_WRITE_BYTES] != USAGE_UNKNOWN)
                strbuf_addf(b, "%*s: %s read, %s written\n", LABEL_WIDTH, "IO", strempty(read),
                            strempty(written));
}

static void add_log(const ContainerInfo *i, const StatusStyle *style, StrBuf *out) {
        const JournalQuery q = { .container = i->name, .unit = i->unit, .lines = style->log_lines };
        if (style->log_lines > 0)
                journal_format(&q, out);
}

void container_format_status(const ContainerInfo *i, const StatusStyle *style, StrBuf *out) {
        add_head(out, "●", i, style);
        add_time_line(out, "Since", i->started_usec, style->now_usec);
        add_process_line(out, "Leader", i->leader, i->remote);
        add_process_line(out, "Supervisor", i->supervisor, i->remote);
        add_line(out, "Unit", i->unit);
        if (!i->remote)
                add_autostart_line(out, i->name, style);
        add_line(out, "Root", i->root_directory);
        if (!i->remote)
                add_os_line(out, i->root_directory);
        add_line(out, "Machine ID", i->id);
        add_addresses(out, i->addresses);
        add_memory_line(out, i->usage);
        add_cpu_line(out, i->usage);
        add_tasks_line(out, i->usage);
        add_io_line(out, i->usage);
        add_line(out, "Status", i->status_text);
        add_line(out, "Result", i->result);
        if (!isempty(i->control_group)) {
                add_line(out, "CGroup", i->control_group);
                if (!i->remote)
                        cgroup_tree_format(i->control_group, LABEL_WIDTH + 2, out);
        }
        if (!i->remote)
                add_log(i, style, out);
}

void stopped_format_status(const StoppedContainer *c, const StatusStyle *style, StrBuf *out) {
        const ContainerInfo *i = &c->info;

        add_head(out, streq(strempty(i->state), "failed") ? "×" : "○", i, style);
        add_time_line(out, "Ended", c->ended_usec, style->now_usec);
        add_line(out, "Result", i->result);
        add_line(out, "Unit", i->unit);
        add_autostart_line(out, i->name, style);
        add_line(out, "Settings", c->settings_path);
        add_line(out, "Root", i->root_directory);
        add_os_line(out, i->root_directory);
        add_line(out, "Status", i->status_text);
        add_log(i, style, out);
}
