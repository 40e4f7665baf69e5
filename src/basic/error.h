/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The Error object: what failed, for people and for programs.
 *
 * basic/ and sys/ return negative errno only. From spec/ up a fallible function returns negative errno and fills in an
 * Error (last parameter, may be NULL) exactly once, where the object's name is known; callers pass it on unchanged.
 * ErrorId, D-Bus error name, exit status and manual paragraph are one table, error.c. */
#pragma once

#include "basic/macros.h"
#include "basic/str.h"

/* clang-format off */
typedef enum ErrorId {
        ERROR_FAILED,            /* anything without a better name */
        ERROR_USAGE,             /* the command line cannot be understood */
        ERROR_INVALID_NAME,      /* a container, unit or image name that is not one */
        ERROR_INVALID_SETTING,   /* a setting's or option's value cannot be understood */
        ERROR_CONFLICT,          /* settings that exclude each other */
        ERROR_UNSUPPORTED,       /* known, but not built yet, or lacking in this kernel */
        ERROR_ROOT_NOT_FOUND,    /* no such directory or image */
        ERROR_NOT_A_ROOT,        /* it is there, but no operating system or program can start from it */
        ERROR_ROOT_BUSY,         /* another container has it */
        ERROR_NAME_IN_USE,       /* a container of this name runs */
        ERROR_INIT_NOT_FOUND,    /* no init, shell or program of that name inside */
        ERROR_NOT_EXECUTABLE,    /* it is there, but cannot be executed */
        ERROR_NO_SUCH_USER,      /* unknown inside the container */
        ERROR_NO_SUCH_CONTAINER, /* the manager knows none of this name */
        ERROR_NO_PRIVILEGES,     /* the caller lacks a capability */
        ERROR_ACCESS_DENIED,     /* polkit or the bus policy says no */
        ERROR_NO_SYSTEMD,        /* systemd is not running, and the operation needs it */
        ERROR_BUS_FAILED,        /* the bus or a service on it does not answer */
        ERROR_UNIT_FAILED,       /* systemd refused or failed a unit or scope */
        ERROR_MOUNT_FAILED,
        ERROR_NAMESPACE_FAILED,
        ERROR_CGROUP_FAILED,
        ERROR_NETWORK_FAILED,
        ERROR_CONSOLE_FAILED,
        ERROR_SETUP_FAILED,      /* another step of the start failed in the kernel */
        ERROR_TIMEOUT,
        ERROR_LIMIT_EXCEEDED,    /* a named limit */
        ERROR_PROTOCOL,          /* a peer sent what it must not */
        _ERROR_MAX,
} ErrorId;
/* clang-format on */

typedef struct Error {
        int code; /* negative errno, 0 = no error */
        ErrorId id;
        char *message; /* a sentence without trailing period; NULL if memory was short, see error_message() */
        char *hint; /* what to do, or NULL */
} Error;
#define ERROR_NULL \
        { 0 }

void error_done(Error *e); /* empties it; NULL is fine */
#define _cleanup_error_ _cleanup_(error_done)

/* Fills *e (if e is not NULL and empty) and returns code. code is a negative errno; the message does not include the
 * kernel's words unless the caller adds them (see error_set_errno()). Control characters and invalid UTF-8 that came in
 * with names are made harmless (str_escape_for_display()), so the text can go to a terminal and over D-Bus. */
int error_set(Error *e, int code, ErrorId id, const char *format, ...) _printf_(4, 5);
/* The same, with ": " and the words for code behind the message. */
int error_set_errno(Error *e, int code, ErrorId id, const char *format, ...) _printf_(4, 5);
/* Adds a hint to an error that has none. Returns e->code (or -EINVAL if e is NULL or empty: so call it as
 * `return error_set(...), error_hint(...)` never; call it on its own line). */
void error_hint(Error *e, const char *format, ...) _printf_(2, 3);
int error_oom(Error *e); /* -ENOMEM, "Out of memory" */
/* Moves src into dst (dst may be NULL); returns the code. */
int error_take(Error *dst, Error *src);
static inline bool error_is_set(const Error *e) {
        return e && e->code < 0;
}

/* The message, or words for the code; never NULL. */
const char *error_message(const Error *e);

const char *error_id_to_string(ErrorId id);    /* "RootNotFound": the last part of the D-Bus name */
ErrorId error_id_from_string(const char *s);   /* or (ErrorId) -EINVAL */
const char *error_id_to_dbus_name(ErrorId id); /* "org.berth.Error.RootNotFound" */
/* Exit status of `berth run` for it: 2 usage, 127 program not found, 126 not executable, else 125 (chroot(1)'s and
 * env(1)'s convention). Other verbs exit with 2 for usage and 1 for the rest. */
int error_id_to_exit_status(ErrorId id);
const char *error_id_describe(ErrorId id); /* one sentence for the manual */

/* "ERROR_ID=…\nERRNO=…\nMESSAGE=…\nHINT=…" with C-escaped values; and back. ERRNO is the positive number; an id that is
 * not known (a newer peer) becomes ERROR_FAILED, unknown keys are ignored. -EBADMSG if there is no ERRNO or the text is
 * malformed. */
int error_serialize(const Error *e, char **ret);
int error_deserialize(const char *text, Error *ret);

/* strerror() without locale or static buffer. "No such file or directory". code may be negative. */
const char *errno_words(int code);
const char *errno_symbol(int code); /* "ENOENT" */
