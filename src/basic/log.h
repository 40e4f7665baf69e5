/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Structured log records, to the journal (native protocol, no library) or to stderr.
 *
 * log_open() chooses: the journal if stderr is the journal's stream ($JOURNAL_STREAM matches stderr's device and inode),
 * else stderr as plain lines "berth: message" (with a <N> prefix never). $BERTH_LOG_LEVEL or log_set_max_level() choose
 * what is written; debug is off by default. Each record carries MESSAGE, PRIORITY, SYSLOG_IDENTIFIER, CODE_*, and, once
 * log_set_container() was called, CONTAINER and CONTAINER_ID. This file has the only mutable file-scope state of the tree. */
#pragma once

#include <syslog.h>

#include "basic/error.h"
#include "basic/macros.h"
#include "basic/strtable.h"

/* Where records go. The names are those of org.freedesktop.LogControl1(5). */
typedef enum LogTarget {
        LOG_TARGET_AUTO, /* as log_open() says */
        LOG_TARGET_JOURNAL,
        LOG_TARGET_CONSOLE, /* stderr */
        LOG_TARGET_NULL,
        _LOG_TARGET_MAX,
        _LOG_TARGET_INVALID = -EINVAL,
} LogTarget;
DECLARE_STRING_TABLE_LOOKUP(log_target, LogTarget); /* "auto", "journal", "console", "null" */

void log_open(const char *identifier); /* borrowed, a literal; the target is AUTO then */
const char *log_get_identifier(void);
void log_set_max_level(int level); /* LOG_EMERG … LOG_DEBUG */
int log_get_max_level(void);
const char *log_level_to_string(int level); /* "emerg" … "debug"; NULL: none */
int log_level_from_string(const char *s);   /* a name or "0" … "7"; -EINVAL: neither */
int log_set_target(
        LogTarget target); /* negative: no socket can be had; the target stays as it was */
LogTarget log_get_target(void);
void log_set_container(const char *name, const char *id); /* copied; NULL clears */

/* One record. fields: NULL or a NULL-terminated list of "KEY=value" strings. Returns 0. */
int log_full(int level, int error, const char *file, int line, const char *func,
             char *const *fields, const char *format, ...) _printf_(7, 8);

#define log_at(level, error, ...) \
        log_full((level), (error), __FILE__, __LINE__, __func__, NULL, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, 0, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, 0, __VA_ARGS__)
#define log_notice(...) log_at(LOG_NOTICE, 0, __VA_ARGS__)
#define log_warning(...) log_at(LOG_WARNING, 0, __VA_ARGS__)
#define log_error(...) log_at(LOG_ERR, 0, __VA_ARGS__)
/* "…: No such file or directory" is added for error. */
#define log_debug_errno(error, ...) log_at(LOG_DEBUG, (error), __VA_ARGS__)
#define log_warning_errno(error, ...) log_at(LOG_WARNING, (error), __VA_ARGS__)
#define log_error_errno(error, ...) log_at(LOG_ERR, (error), __VA_ARGS__)

/* Ends an Error's journey: message and hint as one record (ERROR_NAME, ERRNO, HINT fields); on stderr two lines, the
 * second "Hint: …". */
void log_error_object_full(int level, const Error *e, const char *file, int line, const char *func);
#define log_error_object(level, e) log_error_object_full((level), (e), __FILE__, __LINE__, __func__)
