/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The Error object, and the one table of error ids: name, exit status, description. */
#include "basic/error.h"

#include <stdarg.h>
#include <stdio.h>

#include "basic/parse.h"

#define DBUS_PREFIX "org.berth.Error."
#define ERRNO_MAX 4095 /* the kernel's MAX_ERRNO */

enum {
        EXIT_USAGE = 2,
        EXIT_START_FAILED = 125,
        EXIT_NOT_EXECUTABLE = 126,
        EXIT_NOT_FOUND = 127
};

typedef struct ErrorKind {
        const char *dbus_name;
        int exit_status;
        const char *description;
} ErrorKind;

/* clang-format off */
#define KIND(id, name, status, text) [id] = { DBUS_PREFIX name, status, text }
static const ErrorKind error_kinds[_ERROR_MAX] = {
        KIND(ERROR_FAILED,            "Failed",           EXIT_START_FAILED,   "The operation failed for a reason that has no name of its own."),
        KIND(ERROR_USAGE,             "Usage",            EXIT_USAGE,          "The command line cannot be understood."),
        KIND(ERROR_INVALID_NAME,      "InvalidName",      EXIT_START_FAILED,   "The name of a container, a unit or an image is not a valid one."),
        KIND(ERROR_INVALID_SETTING,   "InvalidSetting",   EXIT_START_FAILED,   "The value of a setting or an option cannot be understood."),
        KIND(ERROR_CONFLICT,          "Conflict",         EXIT_START_FAILED,   "Two settings exclude each other."),
        KIND(ERROR_UNSUPPORTED,       "Unsupported",      EXIT_START_FAILED,   "This is known, but not implemented yet, or the kernel lacks it."),
        KIND(ERROR_ROOT_NOT_FOUND,    "RootNotFound",     EXIT_START_FAILED,   "There is no such directory or image."),
        KIND(ERROR_NOT_A_ROOT,        "NotARoot",         EXIT_START_FAILED,   "The directory or image exists, but no operating system or program can be started from it."),
        KIND(ERROR_ROOT_BUSY,         "RootBusy",         EXIT_START_FAILED,   "Another container uses the directory or image."),
        KIND(ERROR_NAME_IN_USE,       "NameInUse",        EXIT_START_FAILED,   "A container of this name is running."),
        KIND(ERROR_INIT_NOT_FOUND,    "InitNotFound",     EXIT_NOT_FOUND,      "The container has no such init, shell or program."),
        KIND(ERROR_NOT_EXECUTABLE,    "NotExecutable",    EXIT_NOT_EXECUTABLE, "The program exists in the container, but cannot be executed."),
        KIND(ERROR_NO_SUCH_USER,      "NoSuchUser",       EXIT_START_FAILED,   "The container knows no such user or group."),
        KIND(ERROR_NO_SUCH_CONTAINER, "NoSuchContainer",  EXIT_START_FAILED,   "No container of this name is known."),
        KIND(ERROR_NO_PRIVILEGES,     "NoPrivileges",     EXIT_START_FAILED,   "The caller lacks a capability that the operation needs."),
        KIND(ERROR_ACCESS_DENIED,     "AccessDenied",     EXIT_START_FAILED,   "Polkit or the bus policy does not allow the operation."),
        KIND(ERROR_NO_SYSTEMD,        "NoSystemd",        EXIT_START_FAILED,   "The operation needs systemd, which is not running."),
        KIND(ERROR_BUS_FAILED,        "BusFailed",        EXIT_START_FAILED,   "The message bus, or a service on it, does not answer."),
        KIND(ERROR_UNIT_FAILED,       "UnitFailed",       EXIT_START_FAILED,   "Systemd refused or failed a unit or scope."),
        KIND(ERROR_MOUNT_FAILED,      "MountFailed",      EXIT_START_FAILED,   "A file system could not be mounted."),
        KIND(ERROR_NAMESPACE_FAILED,  "NamespaceFailed",  EXIT_START_FAILED,   "A namespace could not be made or entered."),
        KIND(ERROR_CGROUP_FAILED,     "CgroupFailed",     EXIT_START_FAILED,   "A control group could not be made or set up."),
        KIND(ERROR_NETWORK_FAILED,    "NetworkFailed",    EXIT_START_FAILED,   "A network interface could not be made or connected."),
        KIND(ERROR_CONSOLE_FAILED,    "ConsoleFailed",    EXIT_START_FAILED,   "The console could not be set up."),
        KIND(ERROR_SETUP_FAILED,      "SetupFailed",      EXIT_START_FAILED,   "The kernel refused another step of the start."),
        KIND(ERROR_TIMEOUT,           "Timeout",          EXIT_START_FAILED,   "Something did not happen in time."),
        KIND(ERROR_LIMIT_EXCEEDED,    "LimitExceeded",    EXIT_START_FAILED,   "A limit would be exceeded; the message names it."),
        KIND(ERROR_PROTOCOL,          "Protocol",         EXIT_START_FAILED,   "A peer sent something that it must not send."),
};
#undef KIND
/* clang-format on */

/* What is out of range is an ordinary failure. */
static const ErrorKind *error_kind(ErrorId id) {
        return &error_kinds[(size_t) id < _ERROR_MAX ? id : ERROR_FAILED];
}

const char *error_id_to_string(ErrorId id) {
        return error_kind(id)->dbus_name + STRLEN(DBUS_PREFIX);
}

ErrorId error_id_from_string(const char *s) {
        for (size_t i = 0; s && i < _ERROR_MAX; i++)
                if (streq(error_id_to_string((ErrorId) i), s))
                        return (ErrorId) i;
        return (ErrorId) -EINVAL;
}

const char *error_id_to_dbus_name(ErrorId id) {
        return error_kind(id)->dbus_name;
}

int error_id_to_exit_status(ErrorId id) {
        return error_kind(id)->exit_status;
}

const char *error_id_describe(ErrorId id) {
        return error_kind(id)->description;
}

const char *errno_words(int code) {
        /* Negated as unsigned: INT_MIN has no positive counterpart. */
        const char *words = strerrordesc_np(code < 0 ? (int) -(unsigned) code : code);

        return words ? words : "Unknown error";
}

const char *errno_symbol(int code) {
        const char *symbol = strerrorname_np(code < 0 ? (int) -(unsigned) code : code);

        return symbol ? symbol : "EUNKNOWN";
}

void error_done(Error *e) {
        if (e) {
                free(e->message);
                free(e->hint);
                *e = (Error) ERROR_NULL;
        }
}

/* The formatted text as it may be shown to people, NULL if memory is short. */
static _printf_(2, 0) char *format_for_display(const char *words, const char *format, va_list ap) {
        _cleanup_free_ char *sentence = NULL, *full = NULL;

        if (vasprintf(&sentence, format, ap) < 0) {
                sentence = NULL;
                return NULL;
        }
        if (!words)
                return str_escape_for_display(sentence);
        full = strjoin(sentence, ": ", words);
        return full ? str_escape_for_display(full) : NULL;
}

static _printf_(5, 0) int error_setv(Error *e, int code, ErrorId id, const char *words,
                                     const char *format, va_list ap) {
        /* Success is no error: a caller's slip must not turn into one. */
        if (code >= 0)
                code = code > 0 ? -code : -EIO;
        if (e && !error_is_set(e)) {
                error_done(e);
                e->code = code;
                e->id = id;
                e->message = format_for_display(words, format, ap);
        }
        return code;
}

int error_set(Error *e, int code, ErrorId id, const char *format, ...) {
        int saved = errno;
        va_list ap;

        va_start(ap, format);
        code = error_setv(e, code, id, NULL, format, ap);
        va_end(ap);
        errno = saved;
        return code;
}

int error_set_errno(Error *e, int code, ErrorId id, const char *format, ...) {
        int saved = errno;
        va_list ap;

        va_start(ap, format);
        code = error_setv(e, code, id, errno_words(code), format, ap);
        va_end(ap);
        errno = saved;
        return code;
}

void error_hint(Error *e, const char *format, ...) {
        int saved = errno;
        va_list ap;

        if (!error_is_set(e) || e->hint)
                return;
        va_start(ap, format);
        e->hint = format_for_display(NULL, format, ap);
        va_end(ap);
        errno = saved;
}

int error_oom(Error *e) {
        return error_set(e, -ENOMEM, ERROR_FAILED, "Out of memory");
}

int error_take(Error *dst, Error *src) {
        int code = src->code;

        if (dst && !error_is_set(dst) && code < 0) {
                error_done(dst);
                *dst = *src;
                *src = (Error) ERROR_NULL;
        } else
                error_done(src);
        return code;
}

const char *error_message(const Error *e) {
        if (!e)
                return errno_words(0);
        return e->message ? e->message : errno_words(e->code);
}

int error_serialize(const Error *e, char **ret) {
        StrBuf b = { 0 };

        strbuf_addf(&b, "ERROR_ID=%s\nERRNO=%d\nMESSAGE=", error_id_to_string(e->id), -e->code);
        strbuf_add_escaped(&b, error_message(e));
        if (e->hint) {
                strbuf_add(&b, "\nHINT=");
                strbuf_add_escaped(&b, e->hint);
        }
        return strbuf_finish(&b, ret);
}

/* A peer's text: decoded, and then made as harmless as error_set() makes it. */
static int text_read(const char *value, char **field) {
        _cleanup_free_ char *text = NULL;
        int r;

        r = str_unescape(value, &text);
        if (r < 0)
                return r == -ENOMEM ? r : -EBADMSG;
        free(*field);
        *field = str_escape_for_display(text);
        return *field ? 0 : -ENOMEM;
}

static int line_read(const char *line, Error *e) {
        const char *v;
        uint32_t code;

        v = startswith(line, "ERROR_ID=");
        if (v) {
                e->id = error_id_from_string(v);
                if ((size_t) e->id >= _ERROR_MAX)
                        e->id = ERROR_FAILED;
                return 0;
        }
        v = startswith(line, "ERRNO=");
        if (v) {
                if (parse_u32(v, &code) < 0 || code == 0 || code > ERRNO_MAX)
                        return -EBADMSG;
                e->code = -(int) code;
                return 0;
        }
        v = startswith(line, "MESSAGE=");
        if (v)
                return text_read(v, &e->message);
        v = startswith(line, "HINT=");
        if (v)
                return text_read(v, &e->hint);
        return strchr(line, '=') || !*line ? 0 : -EBADMSG;
}

int error_deserialize(const char *text, Error *ret) {
        _cleanup_error_ Error e = ERROR_NULL;

        while (*text) {
                _cleanup_free_ char *line = NULL;
                size_t n = strcspn(text, "\n");
                int r;

                line = strndup(text, n);
                if (!line)
                        return -ENOMEM;
                r = line_read(line, &e);
                if (r < 0)
                        return r;
                text += n + (text[n] == '\n');
        }
        if (e.code == 0)
                return -EBADMSG;
        *ret = e;
        e = (Error) ERROR_NULL;
        return 0;
}
