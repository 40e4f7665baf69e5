/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verb table and the option table behind it: adding a verb or an option is adding a row. */
#include "cli/verbs.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/parse.h"
#include "basic/sha256.h"

#define ANY UINT_MAX

enum {
        V_LIST = 1 << 0,
        V_STATUS = 1 << 1,
        V_SHOW = 1 << 2,
        V_START = 1 << 3,
        V_STOP = 1 << 4,
        V_REBOOT = 1 << 5,
        V_KILL = 1 << 6,
        V_TERMINATE = 1 << 7,
        V_ENABLE = 1 << 8,
        V_DISABLE = 1 << 9,
        V_COMPLETE = 1 << 10,
        V_WAIT = 1 << 11,
        V_EVENTS = 1 << 12,
        V_LOGS = 1 << 13,
        V_EXEC = 1 << 14,
        V_SHELL = 1 << 15,
        V_LOGIN = 1 << 16,
        V_COPY = 1 << 17,
        V_PAUSE = 1 << 18,
        V_RESTART = 1 << 19,
        V_ATTACH = 1 << 20,
        V_BIND = 1 << 21,
        V_UNBIND = 1 << 22,
        V_LIST_BINDS = 1 << 23,
        V_TOP = 1 << 24,
        V_STATS = 1 << 25,
        V_SET = 1 << 26,
        V_CAT = 1 << 27,
        V_EDIT = 1 << 28,
        V_REVERT = 1 << 29,
};
/* more than an enum has room for */
#define V_SNAPSHOT (UINT64_C(1) << 30)
#define V_SNAPSHOTS (UINT64_C(1) << 31)
#define V_ROLLBACK (UINT64_C(1) << 32)
#define V_REMOVE_SNAPSHOT (UINT64_C(1) << 33)
#define V_PRUNE_SNAPSHOTS (UINT64_C(1) << 34)
#define V_DIFF (UINT64_C(1) << 35)
#define V_IMAGES (UINT64_C(1) << 40)
#define V_IMAGE_STATUS (UINT64_C(1) << 41)
#define V_SHOW_IMAGE (UINT64_C(1) << 42)
#define V_CLONE (UINT64_C(1) << 43)
#define V_RENAME (UINT64_C(1) << 44)
#define V_REMOVE (UINT64_C(1) << 45)
#define V_READ_ONLY (UINT64_C(1) << 46)
#define V_SET_LIMIT (UINT64_C(1) << 47)
#define V_CLEAN (UINT64_C(1) << 48)
#define V_DU (UINT64_C(1) << 49)
#define V_IMPORT_TAR (UINT64_C(1) << 52)
#define V_IMPORT_RAW (UINT64_C(1) << 53)
#define V_IMPORT_FS (UINT64_C(1) << 54)
#define V_EXPORT (UINT64_C(1) << 55)
#define V_PULL (UINT64_C(1) << 56)
#define V_ANY UINT64_MAX
#define V_IMPORT (V_IMPORT_TAR | V_IMPORT_RAW | V_IMPORT_FS)
/* their output may be long, and comes to an end */
#define PAGED_VERBS                                                                               \
        (V_LIST | V_LIST_BINDS | V_STATUS | V_SHOW | V_LOGS | V_CAT | V_IMAGES | V_IMAGE_STATUS | \
         V_SHOW_IMAGE)

/* clang-format off */
const Verb verbs[] = {
        { "run",       "[OPTION…] NAME|-D DIRECTORY|-i IMAGE [COMMAND…]", 0, 0, 0, VERB_ITSELF | VERB_IMAGES,
          NULL,           "Containers", "Run a command or boot a system, in the foreground" },
        { "start",     "NAME…", V_START,     1, ANY, VERB_IMAGES,     verb_start,     "Containers", "Boot as a service" },
        { "stop",      "NAME…", V_STOP,      1, ANY, VERB_CONTAINERS, verb_stop,      "Containers", "Shut down, and wait for it" },
        { "poweroff",  "NAME…", V_STOP,      1, ANY, VERB_CONTAINERS | VERB_ALIAS, verb_stop, NULL, NULL },
        { "reboot",    "NAME…", V_REBOOT,    1, ANY, VERB_CONTAINERS, verb_reboot,    "Containers", "Reboot the system inside" },
        { "restart",   "NAME…", V_RESTART,   1, ANY, VERB_IMAGES,     verb_restart,   "Containers", "Stop and start services of containers" },
        { "pause",     "NAME…", V_PAUSE,     1, ANY, VERB_CONTAINERS, verb_pause,     "Containers", "Freeze all processes" },
        { "resume",    "NAME…", V_PAUSE,     1, ANY, VERB_CONTAINERS, verb_resume,    "Containers", "Let frozen processes go on" },
        { "kill",      "NAME…", V_KILL,      1, ANY, VERB_CONTAINERS, verb_kill,      "Containers", "Send a signal to processes" },
        { "terminate", "NAME…", V_TERMINATE, 1, ANY, VERB_CONTAINERS, verb_terminate, "Containers", "End at once, without shutting down" },
        { "exec",      "NAME COMMAND…", V_EXEC, 2, ANY, VERB_CONTAINERS | VERB_COMMAND, verb_exec, "Inside", "Run a program in a container" },
        { "shell",     "[USER@]NAME [PATH [ARGUMENT…]]", V_SHELL, 1, ANY, VERB_CONTAINERS | VERB_COMMAND,
          verb_shell,     "Inside", "Open a shell" },
        { "login",     "NAME",  V_LOGIN,     1, 1,   VERB_CONTAINERS, verb_login,     "Inside", "Open a login prompt" },
        { "attach",    "NAME",  V_ATTACH,    1, 1,   VERB_CONTAINERS, verb_attach,    "Inside", "Connect to the console" },
        { "copy-to",   "NAME SOURCE [DESTINATION]", V_COPY, 2, 3, VERB_CONTAINERS,
          verb_copy_to,   "Inside", "Copy files into a container" },
        { "copy-from", "NAME SOURCE [DESTINATION]", V_COPY, 2, 3, VERB_CONTAINERS,
          verb_copy_from, "Inside", "Copy files out of a container" },
        { "bind",      "NAME SOURCE [DESTINATION]", V_BIND, 2, 3, VERB_CONTAINERS, verb_bind, "Inside", "Make a directory of the host visible" },
        { "unbind",    "NAME DESTINATION", V_UNBIND, 2, 2, VERB_CONTAINERS, verb_unbind,      "Inside", "Take that away" },
        { "list-binds", "NAME", V_LIST_BINDS, 1, 1, VERB_CONTAINERS,  verb_list_binds,        "Inside", "Show what of the host is bound" },
        { "binds",     "NAME",  V_LIST_BINDS, 1, 1, VERB_CONTAINERS | VERB_ALIAS, verb_list_binds, NULL, NULL },
        { "list",      NULL,    V_LIST,      0, 0,   0,               verb_list,      "Information", "List containers" },
        { "status",    "[NAME…]", V_STATUS,  0, ANY, VERB_CONTAINERS, verb_status,    "Information", "Show state, processes and log" },
        { "show",      "[NAME…]", V_SHOW,    0, ANY, VERB_CONTAINERS, verb_show,      "Information", "Show properties, for programs" },
        { "top",       "[NAME…]", V_TOP,     0, ANY, VERB_CONTAINERS, verb_top,       "Information", "Show what containers use, live, the busiest first" },
        { "stats",     "[NAME…]", V_STATS,   0, ANY, VERB_CONTAINERS, verb_stats,     "Information", "Show what containers use, again and again" },
        { "logs",      "NAME",  V_LOGS,      1, 1,   VERB_IMAGES,     verb_logs,      "Information", "Show the log" },
        { "events",    "[NAME…]", V_EVENTS,  0, ANY, VERB_CONTAINERS, verb_events,    "Information", "Show what happens, as it happens" },
        { "wait",      "NAME…", V_WAIT,      1, ANY, VERB_IMAGES,     verb_wait,      "Information", "Wait until containers have ended, or are ready" },
        { "enable",    "NAME…", V_ENABLE,    1, ANY, VERB_IMAGES,     verb_enable,    "Configuration", "Start with the host" },
        { "disable",   "NAME…", V_DISABLE,   1, ANY, VERB_IMAGES,     verb_disable,   "Configuration", "No longer start with the host" },
        { "set",       "NAME KEY=VALUE…", V_SET, 2, ANY, VERB_IMAGES, verb_set,       "Configuration", "Change limits, now and for later" },
        { "cat",       "NAME…", V_CAT,       1, ANY, VERB_IMAGES,     verb_cat,       "Configuration", "Show the settings files" },
        { "edit",      "NAME…", V_EDIT,      1, ANY, VERB_IMAGES,     verb_edit,      "Configuration", "Edit settings, in a drop-in" },
        { "revert",    "NAME…", V_REVERT,    1, ANY, VERB_IMAGES,     verb_revert,    "Configuration", "Take back what 'edit' and 'set' have written" },
        { "verify",    "NAME|OPTION…", 0,    0, 0,   VERB_ITSELF | VERB_IMAGES,
          NULL,           "Configuration", "Show the settings in force and their origin" },
        { "images",    NULL,    V_IMAGES,    0, 0,   0,               verb_images,    "Images", "List images" },
        { "list-images", NULL,  V_IMAGES,    0, 0,   VERB_ALIAS,      verb_images,    NULL, NULL },
        { "image-status", "NAME…", V_IMAGE_STATUS, 1, ANY, VERB_POOL, verb_image_status, "Images", "Show what an image is" },
        { "show-image", "NAME…", V_SHOW_IMAGE, 1, ANY, VERB_POOL,   verb_show_image, "Images", "Show properties of images, for programs" },
        { "du",        "[NAME…]", V_DU,      0, ANY, VERB_POOL,     verb_du,        "Images", "Measure how much images take" },
        { "clone",     "NAME NEW", V_CLONE,  2, 2,   VERB_POOL,     verb_clone,     "Images", "Copy an image, or take a snapshot of it" },
        { "rename",    "NAME NEW", V_RENAME, 2, 2,   VERB_POOL,     verb_rename,    "Images", "Give an image another name" },
        { "remove",    "NAME…", V_REMOVE,    1, ANY, VERB_POOL,     verb_remove,    "Images", "Remove images" },
        { "read-only", "NAME [BOOL]", V_READ_ONLY, 1, 2, VERB_POOL, verb_read_only, "Images", "Mark an image read-only, or not" },
        { "set-limit", "[NAME] BYTES", V_SET_LIMIT, 1, 2, VERB_POOL, verb_set_limit, "Images", "Limit how large an image, or the pool, gets" },
        { "clean",     NULL,    V_CLEAN,     0, 0,   0,               verb_clean,     "Images", "Remove hidden images and leftovers" },
        { "snapshot",  "NAME [SNAPSHOT]", V_SNAPSHOT, 1, 2, VERB_POOL, verb_snapshot, "Snapshots", "Keep an image as it is now" },
        { "snapshots", "[NAME…]", V_SNAPSHOTS, 0, ANY, VERB_POOL,    verb_snapshots, "Snapshots", "List snapshots" },
        { "diff",      "NAME [SNAPSHOT]", V_DIFF, 1, 2, VERB_POOL,   verb_diff,      "Snapshots", "Show what has changed since a snapshot" },
        { "rollback",  "NAME SNAPSHOT", V_ROLLBACK, 2, 2, VERB_POOL, verb_rollback,  "Snapshots", "Make an image as it was" },
        { "remove-snapshot", "NAME SNAPSHOT…", V_REMOVE_SNAPSHOT, 2, ANY, VERB_POOL, verb_remove_snapshot, "Snapshots", "Remove snapshots" },
        { "prune-snapshots", "[NAME…]", V_PRUNE_SNAPSHOTS, 0, ANY, VERB_POOL, verb_prune_snapshots, "Snapshots", "Remove old snapshots" },
        { "import-tar", "FILE|- [NAME]", V_IMPORT_TAR, 1, 2, 0, verb_import_tar, "Transfers", "Make an image of a tar archive" },
        { "import-raw", "FILE|- [NAME]", V_IMPORT_RAW, 1, 2, 0, verb_import_raw, "Transfers", "Make an image of a disk image in a file" },
        { "import-fs", "DIRECTORY [NAME]", V_IMPORT_FS, 1, 2, 0, verb_import_fs, "Transfers", "Make an image of a directory" },
        { "pull-tar",  "URL [NAME]", V_PULL, 1, 2, 0, verb_pull_tar, "Transfers", "Download a tar archive, and make an image of it" },
        { "pull-raw",  "URL [NAME]", V_PULL, 1, 2, 0, verb_pull_raw, "Transfers", "Download a disk image" },
        { "export-tar", "NAME [FILE|-]", V_EXPORT, 1, 2, VERB_IMAGES, verb_export_tar, "Transfers", "Make a tar archive of an image" },
        { "export-raw", "NAME [FILE|-]", V_EXPORT, 1, 2, VERB_POOL, verb_export_raw, "Transfers", "Copy a disk image into a file" },
        { "help",      "[VERB]", 0,          0, 0,   VERB_ITSELF,     NULL,           "General", "Show this help, or a verb's" },
        { "complete",  NULL,    V_COMPLETE,  0, 2,   VERB_ALIAS,      verb_complete,  NULL, NULL },
};
/* clang-format on */
const size_t n_verbs = ELEMENTSOF(verbs);

bool verb_is_paged(const Verb *v) {
        return v->scope & PAGED_VERBS;
}

/* Of machinectl(1). */
static const char *const unsupported_verbs[] = {
        "bind-volume", "unbind-volume", "pull", "list-transfers", "cancel-transfer",
};

static int parse_json(const Option *o, const char *value, void *at, Error *reterr) {
        const JsonMode mode = json_mode_from_string(value);
        if (mode < 0)
                return error_set(
                        reterr, -EINVAL, ERROR_USAGE,
                        "Invalid value '%s' for '--json': short, pretty or off is expected", value);
        *(JsonMode *) at = mode;
        return 0;
}

static int parse_json_letter(const Option *o, const char *value, void *at, Error *reterr) {
        *(JsonMode *) at = isatty(STDOUT_FILENO) ? JSON_PRETTY : JSON_SHORT;
        return 0;
}

static int parse_output(const Option *o, const char *value, void *at, Error *reterr) {
        static const char *const words[_JSON_MODE_MAX] = {
                [JSON_OFF] = "table",
                [JSON_SHORT] = "json",
                [JSON_PRETTY] = "json-pretty",
        };
        const ssize_t mode = string_table_lookup(words, ELEMENTSOF(words), value);
        if (mode < 0)
                return error_set(
                        reterr, -EINVAL, ERROR_USAGE,
                        "Invalid value '%s' for '--output': table, json or json-pretty is expected",
                        value);
        *(JsonMode *) at = (JsonMode) mode;
        return 0;
}

static const char *const wait_targets[_WAIT_TARGET_MAX] = {
        [WAIT_STOPPED] = "stopped",
        [WAIT_RUNNING] = "running",
        [WAIT_READY] = "ready",
        [WAIT_HEALTHY] = "healthy",
};

const char *wait_target_to_string(WaitTarget t) {
        return wait_targets[t];
}

static int parse_wait_target(const Option *o, const char *value, void *at, Error *reterr) {
        const ssize_t target = string_table_lookup(wait_targets, ELEMENTSOF(wait_targets), value);
        if (target < 0)
                return error_set(
                        reterr, -EINVAL, ERROR_USAGE,
                        "Invalid value '%s' for '--for': stopped, running, ready or healthy is expected",
                        value);
        *(WaitTarget *) at = (WaitTarget) target;
        return 0;
}

#define DELAY_MIN_USEC (100 * USEC_PER_MSEC)

static int parse_delay(const Option *o, const char *value, void *at, Error *reterr) {
        usec_t t;
        if (parse_usec(value, &t) < 0 || t < DELAY_MIN_USEC || t > USEC_PER_DAY)
                return error_set(
                        reterr, -EINVAL, ERROR_USAGE,
                        "Invalid value '%s' for '--delay': a time from 100ms to 1d is expected",
                        value);
        *(usec_t *) at = t;
        return 0;
}

static int parse_iterations(const Option *o, const char *value, void *at, Error *reterr) {
        uint32_t n;
        if (parse_u32(value, &n) < 0 || n == 0 || n == UINT32_MAX)
                return error_set(
                        reterr, -EINVAL, ERROR_USAGE,
                        "Invalid value '%s' for '--iterations': a number above 0 is expected",
                        value);
        *(unsigned *) at = n;
        return 0;
}

static int parse_max_addresses(const Option *o, const char *value, void *at, Error *reterr) {
        uint32_t n = UINT32_MAX;
        if (!streq(value, "all") && (parse_u32(value, &n) < 0 || n == 0))
                return error_set(
                        reterr, -EINVAL, ERROR_USAGE,
                        "Invalid value '%s' for '--max-addresses': a number above 0 or 'all' is expected",
                        value);
        *(size_t *) at = n;
        return 0;
}

static int parse_order(const Option *o, const char *value, void *at, Error *reterr) {
        const SampleOrder order = sample_order_from_string(value);
        if (order < 0)
                return error_set(
                        reterr, -EINVAL, ERROR_USAGE,
                        "Invalid value '%s' for '--order': name, cpu, memory, tasks or io is expected",
                        value);
        *(SampleOrder *) at = order;
        return 0;
}

static int parse_lines(const Option *o, const char *value, void *at, Error *reterr) {
        uint32_t n;
        if (parse_u32(value, &n) < 0 || n > LINES_MAX)
                return error_set(
                        reterr, -EINVAL, ERROR_USAGE,
                        "Invalid value '%s' for '--lines': a number from 0 to %u is expected",
                        value, LINES_MAX);
        *(unsigned *) at = n;
        return 0;
}

static int parse_whom(const Option *o, const char *value, void *at, Error *reterr) {
        static const char *const words[] = { "leader", "supervisor", "all" };
        if (string_table_lookup(words, ELEMENTSOF(words), value) < 0)
                return error_set(
                        reterr, -EINVAL, ERROR_USAGE,
                        "Invalid value '%s' for '--%s': leader, supervisor or all is expected",
                        value, o->name);
        return option_parse_string(o, value, at, reterr);
}

static int parse_max_size(const Option *o, const char *value, void *at, Error *reterr) {
        uint64_t n;
        if (parse_size(value, &n) < 0 || n == 0)
                return error_set(
                        reterr, -EINVAL, ERROR_USAGE,
                        "Invalid value '%s' for '--max-size': a number of bytes above 0 is expected, "
                        "as in 20G",
                        value);
        *(uint64_t *) at = n;
        return 0;
}

static int parse_sha256(const Option *o, const char *value, void *at, Error *reterr) {
        uint8_t digest[SHA256_SIZE];
        if (sha256_from_hex(value, digest) < 0)
                return error_set(
                        reterr, -EINVAL, ERROR_USAGE,
                        "Invalid value '%s' for '--%s': 64 hexadecimal digits are expected", value,
                        o->name);
        return option_parse_string(o, value, at, reterr);
}

/* machinectl takes a checksum, too. */
static int parse_verify(const Option *o, const char *value, void *at, Error *reterr) {
        uint8_t digest[SHA256_SIZE];
        if (transfer_verify_from_string(value) < 0 && sha256_from_hex(value, digest) < 0)
                return error_set(
                        reterr, -EINVAL, ERROR_USAGE,
                        "Invalid value '%s' for '--verify': signature, checksum or no is expected",
                        value);
        return option_parse_string(o, value, at, reterr);
}

static int parse_format(const Option *o, const char *value, void *at, Error *reterr) {
        const TransferFormat f = transfer_format_from_string(value);
        if (f < 0)
                return error_set(
                        reterr, -EINVAL, ERROR_USAGE,
                        "Invalid value '%s' for '--format': uncompressed, gzip, bzip2, xz or zstd is expected",
                        value);
        *(TransferFormat *) at = f;
        return 0;
}

/* "A,B" too */
static int parse_properties(const Option *o, const char *value, void *at, Error *reterr) {
        _cleanup_strv_free_ char **names = NULL;
        if (strv_split(&names, value, ",", 0) < 0 || strv_extend_strv(at, names) < 0)
                return error_oom(reterr);
        return 0;
}

/* -P NAME is --value --property=NAME. */
static int parse_property_value(const Option *o, const char *value, void *at, Error *reterr) {
        VerbOptions *options = at;
        options->value = true;
        return parse_properties(o, value, &options->properties, reterr);
}

static int parse_keep(const Option *o, const char *value, void *at, Error *reterr) {
        uint32_t n;
        if (parse_u32(value, &n) < 0 || n == 0)
                return error_set(reterr, -EINVAL, ERROR_USAGE,
                                 "Invalid value '%s' for '--keep': a number above 0 is expected",
                                 value);
        *(uint64_t *) at = n;
        return 0;
}

static int parse_max_age(const Option *o, const char *value, void *at, Error *reterr) {
        usec_t t;
        if (parse_usec(value, &t) < 0 || t == 0)
                return error_set(reterr, -EINVAL, ERROR_USAGE,
                                 "Invalid value '%s' for '--max-age': a time like 30d is expected",
                                 value);
        *(usec_t *) at = t;
        return 0;
}

#define AT(field) offsetof(VerbOptions, field)
#define LIVE_VERBS (V_TOP | V_STATS)
#define JSON_VERBS                                                                      \
        (V_LIST | V_LIST_BINDS | V_STATUS | V_SHOW | V_EVENTS | LIVE_VERBS | V_IMAGES | \
         V_IMAGE_STATUS | V_SHOW_IMAGE | V_DU | V_CLEAN | V_SNAPSHOTS | V_DIFF |        \
         V_PRUNE_SNAPSHOTS | V_IMPORT | V_EXPORT | V_PULL)
/* clang-format off */
static const Option verb_options[] = {
        { 'h', "help",      NULL,       0,             V_ANY,                option_parse_true,    AT(help),         NULL, "Show this help" },
        { 0,   "version",   NULL,       0,             V_ANY,                option_parse_true,    AT(version),      NULL, "Show the version" },
        { 0,   "json",      "MODE",     0,             JSON_VERBS,           parse_json,           AT(json),         NULL, "Output as JSON: short, pretty, off" },
        { 'j', "json-auto", NULL,       OPTION_HIDDEN, JSON_VERBS,           parse_json_letter,    AT(json),         NULL, "" },
        { 'o', "output",    "FORMAT",   0,             JSON_VERBS,           parse_output,         AT(json),         NULL, "Output as table, json, json-pretty" },
        { 0,   "no-legend", NULL,       0,             V_LIST | V_LIST_BINDS | LIVE_VERBS | V_IMAGES | V_DU | V_SNAPSHOTS, option_parse_true, AT(no_legend),    NULL, "Without the line of titles" },
        { 'a', "all",       NULL,       0,             V_LIST | V_SHOW,               option_parse_true,    AT(all),          NULL, "Also those that do not run" },
        { 'a', "all",       NULL,       0,             V_IMAGES,             option_parse_true,    AT(all),          NULL, "Also hidden ones" },
        { 0,   "all",       NULL,       0,             V_CLEAN,              option_parse_true,    AT(all),          NULL, "Remove ALL images that are not in use" },
        { 0,   "max-addresses", "N",    0,             V_LIST,               parse_max_addresses,  AT(max_addresses), NULL, "Show so many addresses (1), or 'all'" },
        { 'd', "delay",     "TIME",     0,             LIVE_VERBS,           parse_delay,          AT(delay_usec),   NULL, "Time between two looks (1s)" },
        { 'b', "batch",     NULL,       0,             LIVE_VERBS,           option_parse_true,    AT(batch),        NULL, "Tables one below the other" },
        { 0,   "order",     "COLUMN",   0,             V_TOP,                parse_order,          AT(order),        NULL, "By name, cpu (default), memory, tasks, io" },
        { 0,   "no-stream", NULL,       0,             V_STATS,              option_parse_true,    AT(no_stream),    NULL, "Once, not again and again" },
        { 'n', "lines",     "N",        0,             V_STATUS | V_LOGS,    parse_lines,          AT(lines),        NULL, "Lines of the log to show" },
        { 'n', "iterations", "N",       0,             LIVE_VERBS,           parse_iterations,     AT(iterations),   NULL, "End after so many" },
        { 'f', "follow",    NULL,       0,             V_LOGS,               option_parse_true,    AT(follow),       NULL, "And all that is still to come" },
        { 0,   "for",       "STATE",    0,             V_WAIT,               parse_wait_target,    AT(wait_target),  NULL, "stopped (default), running, ready, healthy" },
        { 'p', "property",  "NAME",     0,             V_SHOW | V_SHOW_IMAGE, parse_properties,     AT(properties),   NULL, "Only this property (repeatable)" },
        { 0,   "value",     NULL,       0,             V_SHOW | V_SHOW_IMAGE, option_parse_true,   AT(value),        NULL, "Values alone, without names" },
        { 's', "signal",    "SIGNAL",   0,             V_KILL,               option_parse_signal,  AT(signal),       NULL, "Signal to send (SIGTERM)" },
        { 0,   "whom",      "WHOM",     0,             V_KILL,               parse_whom,           AT(whom),         NULL, "To leader, supervisor, all (all)" },
        { 0,   "kill-whom", "WHOM",     OPTION_HIDDEN, V_KILL,               parse_whom,           AT(whom),         NULL, "" },
        { 0,   "timeout",   "TIME",     0,             V_STOP | V_WAIT | V_EXEC,               option_parse_timeout, AT(timeout_usec), NULL, "Wait at most so long" },
        { 0,   "now",       NULL,       0,             V_ENABLE | V_DISABLE, option_parse_true,    AT(now),          NULL, "Also start, or stop, it now" },
        { 0,   "read-only", NULL,       0,             V_CLONE | V_IMPORT | V_PULL,              option_parse_true,    AT(read_only),    NULL, "The new image is read-only" },
        { 0,   "force",     NULL,       0,             V_IMPORT | V_PULL,    option_parse_true,    AT(force),        NULL, "Replace an image of this name" },
        { 0,   "force",     NULL,       0,             V_SNAPSHOT,           option_parse_true,    AT(force),        NULL, "Copy it even while it is in use" },
        { 0,   "keep",      "N",        0,             V_SNAPSHOT | V_PRUNE_SNAPSHOTS, parse_keep, AT(keep),         NULL, "Remove unnamed ones but the newest N" },
        { 0,   "max-age",   "TIME",     0,             V_SNAPSHOT | V_PRUNE_SNAPSHOTS, parse_max_age, AT(max_age_usec), NULL, "Remove unnamed ones older than this" },
        { 0,   "max-size",  "BYTES",    0,             V_IMPORT | V_PULL,    parse_max_size,       AT(max_size),     NULL, "Give up if it is larger (what is free)" },
        { 0,   "verify",    "HOW",      0,             V_PULL,               parse_verify,         AT(verify),       NULL, "By signature (default), checksum, or no" },
        { 0,   "sha256",    "HEX",      0,             V_PULL,               parse_sha256,         AT(sha256),       NULL, "It has this checksum; nothing else is asked" },
        { 0,   "format",    "FORMAT",   0,             V_EXPORT,             parse_format,         AT(format),       NULL, "uncompressed, gzip, bzip2, xz or zstd" },
        { 0,   "read-only", NULL,       0,             V_BIND,               option_parse_true,    AT(read_only),    NULL, "Not to be written to inside" },
        { 0,   "ro",        NULL,       OPTION_HIDDEN, V_BIND,               option_parse_true,    AT(read_only),    NULL, "" },
        { 0,   "mkdir",     NULL,       0,             V_BIND,               option_parse_true,    AT(mkdir),        NULL, "Make the mount point" },
        { 0,   "no-idmap",  NULL,       0,             V_BIND,               option_parse_true,    AT(no_idmap),     NULL, "Files keep the host's owners" },
        { 0,   "runtime",   NULL,       0,             V_SET | V_EDIT,       option_parse_true,    AT(runtime),      NULL, "Only until the next start, or boot" },
        { 0,   "full",      NULL,       0,             V_EDIT,               option_parse_true,    AT(full),         NULL, "Edit the settings file, not a drop-in" },
        { 0,   "drop-in",   "NAME",     0,             V_EDIT,               option_parse_string,  AT(drop_in),      NULL, "Edit this drop-in (override.conf)" },
        { 0,   "stdin",     NULL,       0,             V_EDIT,               option_parse_true,    AT(from_stdin),   NULL, "Take the new text from standard input" },
        { 't', "tty",       NULL,       0,             V_EXEC,               option_parse_true,    AT(tty),          NULL, "With a terminal" },
        { 'u', "user",      "USER",     0,             V_EXEC | V_SHELL,     option_parse_string,  AT(user),         NULL, "As this user of the container" },
        { 0,   "uid",       "USER",     OPTION_HIDDEN, V_EXEC | V_SHELL,     option_parse_string,  AT(user),         NULL, "" },
        { 'w', "workdir",   "PATH",     0,             V_EXEC,               option_parse_string,  AT(working_directory), NULL, "In this directory of the container" },
        { 'E', "env",       "NAME=VALUE", 0,           V_EXEC | V_SHELL,     option_parse_strv,    AT(environment),  NULL, "Set, or pass, an environment variable" },
        { 0,   "setenv",    "NAME=VALUE", OPTION_HIDDEN, V_EXEC | V_SHELL,   option_parse_strv,    AT(environment),  NULL, "" },
        { 0,   "history",   NULL,       0,             V_ATTACH,             option_parse_true,    AT(history),      NULL, "Print the last output, and no more" },
        { 0,   "force",     NULL,       0,             V_COPY,               option_parse_true,    AT(force),        NULL, "Replace what is there" },
        { 0,   "no-pager",  NULL,       0,             PAGED_VERBS,          option_parse_true,    AT(no_pager),     NULL, "Print all at once" },
        { 0,   "no-pager",  NULL,       OPTION_HIDDEN, V_ANY,                option_parse_true,    AT(no_pager),     NULL, "" },
        { 'l', "full",      NULL,       0,             V_LIST,               option_parse_true,    AT(full),         NULL, "Cut and abbreviate nothing" },
        { 'l', "full",      NULL,       OPTION_HIDDEN, V_STATUS | V_SHOW | V_EVENTS | V_IMAGES | V_IMAGE_STATUS | V_SHOW_IMAGE, option_parse_ignored, 0,        NULL, "" },
        { 'P', "property-value", "NAME", OPTION_HIDDEN, V_SHOW | V_SHOW_IMAGE, parse_property_value, 0,                NULL, "" },
        { 'H', "host",      "[USER@]HOST", 0,          V_ANY,                option_parse_string,  AT(host),         NULL, "Ask the berthd of this host, over ssh" },
        { 'M', "machine",   "NAME",     0,             V_ANY,                option_parse_string,  AT(machine),      NULL, "Ask the berthd in this container" },
        { 'q', "quiet",     NULL,       0,             V_ANY,                option_parse_true,    AT(quiet),        NULL, "Only what was asked for, and errors" },
        { 0,   "no-ask-password", NULL, 0,             V_ANY,                option_parse_true,    AT(no_ask_password), NULL, "Fail rather than ask for a password" },
        { 0,   "system",    NULL,       OPTION_HIDDEN, V_ANY,                option_parse_ignored, 0,                NULL, "" },
};
/* clang-format on */

/* Of machinectl(1). */
static const char *const unsupported_options[] = {
        "--user",
        "--runner",
        "-V",
};

bool verb_option_is_unsupported(const char *word) {
        const size_t n = word[1] == '-' ? strcspn(word, "=") : 2;
        for (size_t i = 0; i < ELEMENTSOF(unsupported_options); i++)
                if (strlen(unsupported_options[i]) == n &&
                    strncmp(unsupported_options[i], word, n) == 0)
                        return true;
        return false;
}

OptionTable verb_option_table(uint64_t scope) {
        return (OptionTable){ verb_options, ELEMENTSOF(verb_options), scope };
}

void verb_options_done(VerbOptions *o) {
        o->properties = strv_free(o->properties);
        o->whom = mfree(o->whom);
        o->host = mfree(o->host);
        o->machine = mfree(o->machine);
        o->drop_in = mfree(o->drop_in);
        o->verify = mfree(o->verify);
        o->sha256 = mfree(o->sha256);
        o->user = mfree(o->user);
        o->working_directory = mfree(o->working_directory);
        o->environment = strv_free(o->environment);
}

const Verb *verb_by_name(const char *name) {
        for (size_t i = 0; i < n_verbs; i++)
                if (streq(verbs[i].name, name))
                        return verbs + i;
        return NULL;
}

int verb_set_unknown(const char *name, Error *reterr) {
        _cleanup_strv_free_ char **names = NULL;
        int r;

        if (string_table_lookup(unsupported_verbs, ELEMENTSOF(unsupported_verbs), name) >= 0)
                return error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                                 "Verb '%s' is not supported yet", name);
        for (size_t i = 0; i < n_verbs; i++)
                if (!streq(verbs[i].name, "complete") && strv_extend(&names, verbs[i].name) < 0)
                        return error_oom(reterr);
        const char *near = suggest_word(name, names);
        if (near)
                r = error_set(reterr, -EINVAL, ERROR_USAGE,
                              "Unknown verb '%s' (did you mean '%s'?)", name, near);
        else
                r = error_set(reterr, -EINVAL, ERROR_USAGE, "Unknown verb '%s'", name);
        error_hint(reterr, "'berth --help' lists the verbs");
        return r;
}

static void format_synopsis(const Verb *v, const char *before, char line[static HELP_WIDTH]) {
        (void) snprintf(line, HELP_WIDTH, "%s%s%s%s", before, v->name, v->arguments ? " " : "",
                        strempty(v->arguments));
}

void verbs_format_help(StrBuf *out) {
        const OptionTable t = verb_option_table(UINT64_MAX);
        const char *group = NULL;

        strbuf_add(out, "berth [OPTION…] VERB [ARGUMENT…]\n\nRun and manage containers.\n");
        for (size_t i = 0; i < n_verbs; i++) {
                const Verb *v = verbs + i;
                char line[HELP_WIDTH];
                if (v->flags & VERB_ALIAS)
                        continue;
                if (!group || !streq(group, v->group))
                        strbuf_addf(out, "\n%s:\n", v->group);
                group = v->group;
                format_synopsis(v, "  ", line);
                help_format_line(out, line, v->help);
        }
        strbuf_add(out, "\nOptions:\n");
        options_format_help(&t, out);
        strbuf_add(
                out,
                "\n'berth VERB --help' shows the options of one verb. See berth(1) for details.\n");
}

void verb_format_help(const Verb *v, StrBuf *out) {
        const OptionTable t = verb_option_table(v->scope);
        const Verb *described = v;
        char line[HELP_WIDTH];

        for (; !described->help && described > verbs; described--) /* an alias follows its verb */
                ;
        format_synopsis(v, "berth ", line);
        strbuf_addf(out, "%s\n\n%s.\n\nOptions:\n", line, strempty(described->help));
        options_format_help(&t, out);
}
