/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Structured log records, to the journal or to stderr.
 *
 * The journal's native protocol: one datagram a record to /run/systemd/journal/socket; a field is "KEY=value\n", or, if the
 * value has newlines, "KEY\n", its size as 64-bit little endian, the value, "\n". The socket is opened once and not
 * connected, so neither a restarted journald nor a sandbox that forbids socket(2) loses records. */
#include "basic/log.h"

#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "basic/fd.h"
#include "basic/parse.h"
#include "basic/str.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define RECORD_SIZE_MAX (64 * 1024) /* more would need a memfd; a longer message is cut */
#define MESSAGE_SIZE_MAX (RECORD_SIZE_MAX - 16 * 1024)

/* The only mutable file-scope state of the tree. */
static struct {
        const char *identifier;
        int max_level;
        LogTarget target;
        int journal_fd;
        char container[65];
        char container_id[37];
} logger = { .identifier = "berth", .max_level = LOG_INFO, .journal_fd = -EBADF };

/* One record on its way out. */
typedef struct Record {
        int level;
        int error; /* errno of either sign, or 0 */
        const char *file;
        int line;
        const char *func;
        char *const *fields;
        const char *message;
        const char *hint;       /* or NULL */
        const char *error_name; /* or NULL */
} Record;

static const char *const log_target_table[_LOG_TARGET_MAX] = {
        [LOG_TARGET_AUTO] = "auto",
        [LOG_TARGET_JOURNAL] = "journal",
        [LOG_TARGET_CONSOLE] = "console",
        [LOG_TARGET_NULL] = "null",
};
DEFINE_STRING_TABLE_LOOKUP(log_target, LogTarget);

static const char *const level_names[] = {
        "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
};

const char *log_level_to_string(int level) {
        return level >= 0 && (size_t) level < ELEMENTSOF(level_names) ? level_names[level] : NULL;
}

int log_level_from_string(const char *s) {
        uint32_t n;

        for (size_t i = 0; i < ELEMENTSOF(level_names); i++)
                if (streq(s, level_names[i]))
                        return (int) i;
        return parse_u32(s, &n) >= 0 && n <= LOG_DEBUG ? (int) n : -EINVAL;
}

/* $JOURNAL_STREAM is "DEVICE:INODE" of the stream that systemd connected us to; stderr may have been replaced since. */
static bool stderr_is_journal(void) {
        const char *stream = getenv("JOURNAL_STREAM");
        char expected[64];
        struct stat st;

        if (!stream || fstat(STDERR_FILENO, &st) < 0)
                return false;
        (void) snprintf(expected, sizeof(expected), "%llu:%llu", (unsigned long long) st.st_dev,
                        (unsigned long long) st.st_ino);
        return streq(stream, expected);
}

void log_open(const char *identifier) {
        const char *level = getenv("BERTH_LOG_LEVEL");
        int n = level ? log_level_from_string(level) : -EINVAL;

        logger.identifier = identifier;
        if (n >= 0)
                logger.max_level = n;
        (void) log_set_target(LOG_TARGET_AUTO); /* else stderr it is */
}

const char *log_get_identifier(void) {
        return logger.identifier;
}

int log_set_target(LogTarget target) {
        _cleanup_close_ int fd = -EBADF;

        if (target == LOG_TARGET_JOURNAL || (target == LOG_TARGET_AUTO && stderr_is_journal())) {
                fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
                if (fd < 0 && target == LOG_TARGET_JOURNAL)
                        return -errno;
        }
        logger.target = target;
        fd_close(logger.journal_fd);
        logger.journal_fd = TAKE_FD(fd);
        return 0;
}

LogTarget log_get_target(void) {
        return logger.target;
}

void log_set_max_level(int level) {
        logger.max_level = level;
}

int log_get_max_level(void) {
        return logger.max_level;
}

void log_set_container(const char *name, const char *id) {
        (void) snprintf(logger.container, sizeof(logger.container), "%s", strempty(name));
        (void) snprintf(logger.container_id, sizeof(logger.container_id), "%s", strempty(id));
}

static void add_field_bytes(StrBuf *b, const char *key, size_t n_key, const char *value) {
        size_t n = strnlen(value, MESSAGE_SIZE_MAX);
        uint64_t size = htole64(n);
        char prefix[sizeof(size)];

        strbuf_add_bytes(b, key, n_key);
        if (memchr(value, '\n', n)) {
                memcpy(prefix, &size, sizeof(size));
                strbuf_add(b, "\n");
                strbuf_add_bytes(b, prefix, sizeof(prefix));
        } else
                strbuf_add(b, "=");
        strbuf_add_bytes(b, value, n);
        strbuf_add(b, "\n");
}

static void add_field(StrBuf *b, const char *key, const char *value) {
        if (!isempty(value))
                add_field_bytes(b, key, strlen(key), value);
}

static void add_number(StrBuf *b, const char *key, int value) {
        strbuf_addf(b, "%s=%d\n", key, value);
}

/* __FILE__ begins with the way from the build directory to the sources. */
static const char *source_path(const char *file) {
        const char *src = strstr(file, "src/");

        return src ? src : file;
}

static int journal_send(const Record *record) {
        static const struct sockaddr_un address = { .sun_family = AF_UNIX,
                                                    .sun_path = JOURNAL_SOCKET };
        _cleanup_(strbuf_done) StrBuf b = { 0 };

        if (logger.journal_fd < 0)
                return -EBADF;
        add_field(&b, "MESSAGE", record->message);
        add_number(&b, "PRIORITY", record->level);
        add_field(&b, "SYSLOG_IDENTIFIER", logger.identifier);
        add_field(&b, "CODE_FILE", source_path(record->file));
        add_number(&b, "CODE_LINE", record->line);
        add_field(&b, "CODE_FUNC", record->func);
        add_field(&b, "CONTAINER", logger.container);
        add_field(&b, "CONTAINER_ID", logger.container_id);
        if (record->error != 0)
                add_number(&b, "ERRNO", abs(record->error));
        add_field(&b, "ERROR_NAME", record->error_name);
        add_field(&b, "HINT", record->hint);
        for (char *const *f = record->fields; f && *f; f++) {
                const char *equals = strchr(*f, '=');

                /* What would not fit any more is left out; the message is there already. */
                if (equals && b.size + strlen(*f) + 16 < RECORD_SIZE_MAX)
                        add_field_bytes(&b, *f, (size_t) (equals - *f), equals + 1);
        }
        if (b.failed)
                return -ENOMEM;
        /* Never waits: what a stuck journal does not take goes to stderr. */
        if (sendto(logger.journal_fd, b.text, b.size, MSG_NOSIGNAL | MSG_DONTWAIT,
                   (const struct sockaddr *) &address, sizeof(address)) < 0)
                return -errno;
        return 0;
}

static void stderr_send(const Record *record) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        _cleanup_free_ char *message = NULL, *hint = NULL;

        /* File names and the words of peers must not steer a terminal or forge lines. */
        message = str_escape_for_display(record->message);
        strbuf_add(&b, logger.identifier);
        strbuf_add(&b, ": ");
        strbuf_add(&b, message ? message : "Out of memory");
        strbuf_add(&b, "\n");
        if (record->hint) {
                hint = str_escape_for_display(record->hint);
                strbuf_add(&b, "Hint: ");
                strbuf_add(&b, hint ? hint : "Out of memory");
                strbuf_add(&b, "\n");
        }
        /* Nobody is left to tell if this fails. */
        if (b.failed)
                (void) fd_write_full(STDERR_FILENO, "Out of memory\n", STRLEN("Out of memory\n"));
        else
                (void) fd_write_full(STDERR_FILENO, b.text, b.size);
}

static void record_send(const Record *record) {
        if (logger.target == LOG_TARGET_NULL)
                return;
        if (journal_send(record) < 0)
                stderr_send(record);
}

int log_full(int level, int error, const char *file, int line, const char *func,
             char *const *fields, const char *format, ...) {
        _cleanup_free_ char *text = NULL, *with_words = NULL;
        int saved = errno, r;
        va_list ap;

        if (LOG_PRI(level) > logger.max_level)
                return 0;
        va_start(ap, format);
        r = vasprintf(&text, format, ap);
        va_end(ap);
        if (r < 0)
                text = NULL;
        else if (error != 0)
                with_words = strjoin(text, ": ", errno_words(error));
        record_send(&(Record){
                .level = LOG_PRI(level),
                .error = error,
                .file = file,
                .line = line,
                .func = func,
                .fields = fields,
                .message = with_words ? with_words
                           : text     ? text
                                      : format,
        });
        errno = saved;
        return 0;
}

void log_error_object_full(int level, const Error *e, const char *file, int line,
                           const char *func) {
        int saved = errno;

        if (LOG_PRI(level) > logger.max_level || !error_is_set(e))
                return;
        record_send(&(Record){
                .level = LOG_PRI(level),
                .error = e->code,
                .file = file,
                .line = line,
                .func = func,
                .message = error_message(e),
                .hint = e->hint,
                .error_name = error_id_to_dbus_name(e->id),
        });
        errno = saved;
}
