/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Control messages: the wire form, and the table of who may send what in which state.
 *
 * Wire: ControlHeader, then "KEY=value\n" lines. In a value backslash, newline and other control characters are written
 * as \\, \n and \xHH, so that a line is a field whatever the payload put into a status text. A reader refuses (-EBADMSG)
 * what does not fit exactly: there is one writer, ours. Unknown types are passed on as _CONTROL_TYPE_MAX. */
#include "ipc/control.h"

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"

#define CONTROL_FIELDS_MAX 32U
#define CONTROL_KEY_MAX 32U

typedef struct ControlHeader {
        uint16_t version;
        uint16_t type; /* ControlType + 1: zero is never valid */
        uint32_t size; /* of the whole message */
} ControlHeader;

static const char *const control_type_table[_CONTROL_TYPE_MAX] = {
        [CONTROL_GO] = "GO",
        [CONTROL_STARTED] = "STARTED",
        [CONTROL_HELLO] = "HELLO",
        [CONTROL_READY] = "READY",
        [CONTROL_STATUS] = "STATUS",
        [CONTROL_STOPPING] = "STOPPING",
        [CONTROL_RESTARTING] = "RESTARTING",
        [CONTROL_EXITED] = "EXITED",
        [CONTROL_ERROR] = "ERROR",
        [CONTROL_STOP] = "STOP",
        [CONTROL_TERMINATE] = "TERMINATE",
        [CONTROL_REBOOT] = "REBOOT",
        [CONTROL_PAUSE] = "PAUSE",
        [CONTROL_RESUME] = "RESUME",
        [CONTROL_ATTACH] = "ATTACH",
        [CONTROL_PAUSED] = "PAUSED",
        [CONTROL_RESUMED] = "RESUMED",
        [CONTROL_WELCOME] = "WELCOME",
        [CONTROL_CONNECT] = "CONNECT",
        [CONTROL_HEALTHY] = "HEALTHY",
        [CONTROL_UNREGISTERED] = "UNREGISTERED",
        [CONTROL_CONNECTED] = "CONNECTED",
};
DEFINE_STRING_TABLE_LOOKUP(control_type, ControlType);

static const char *const container_state_table[_CONTAINER_STATE_MAX] = {
        [STATE_COMPILING] = "compiling", [STATE_SPAWNING] = "spawning",
        [STATE_SCOPING] = "scoping",     [STATE_LAUNCHING] = "launching",
        [STATE_RUNNING] = "running",     [STATE_STOPPING] = "stopping",
        [STATE_EXITED] = "exited",       [STATE_FAILED] = "failed",
};
DEFINE_STRING_TABLE_LOOKUP(container_state, ContainerState);

/* States are the receiver's view. Requests to the supervisor may cross an event that it has just sent (a STOP while it
 * restarts), so they are allowed wherever carrying them out or ignoring them makes sense. */
#define IN(state) (1U << (state))
#define BEFORE_RUNNING \
        (IN(STATE_COMPILING) | IN(STATE_SPAWNING) | IN(STATE_SCOPING) | IN(STATE_LAUNCHING))
#define ALIVE (IN(STATE_RUNNING) | IN(STATE_STOPPING))
// clang-format off
static const struct {
        ControlDirection direction;
        uint32_t states;
} control_rules[_CONTROL_TYPE_MAX] = {
        [CONTROL_GO]         = { TO_SUPERVISOR,   IN(STATE_LAUNCHING) },
        [CONTROL_STOP]       = { TO_SUPERVISOR,   IN(STATE_LAUNCHING) | ALIVE },
        [CONTROL_TERMINATE]  = { TO_SUPERVISOR,   IN(STATE_LAUNCHING) | ALIVE },
        [CONTROL_REBOOT]     = { TO_SUPERVISOR,   IN(STATE_LAUNCHING) | ALIVE },
        [CONTROL_PAUSE]      = { TO_SUPERVISOR,   IN(STATE_RUNNING) },
        [CONTROL_RESUME]     = { TO_SUPERVISOR,   ALIVE },
        [CONTROL_ATTACH]     = { TO_SUPERVISOR,   ALIVE },
        [CONTROL_WELCOME]    = { TO_SUPERVISOR,   IN(STATE_LAUNCHING) | ALIVE },
        [CONTROL_HEALTHY]    = { TO_SUPERVISOR,   IN(STATE_LAUNCHING) | ALIVE },
        [CONTROL_CONNECT]    = { TO_SUPERVISOR,   ALIVE },
        [CONTROL_UNREGISTERED] = { TO_SUPERVISOR, IN(STATE_LAUNCHING) | ALIVE },
        [CONTROL_PAUSED]     = { FROM_SUPERVISOR, ALIVE },
        [CONTROL_RESUMED]    = { FROM_SUPERVISOR, ALIVE },
        [CONTROL_CONNECTED]  = { FROM_SUPERVISOR, ALIVE },
        [CONTROL_HELLO]      = { FROM_SUPERVISOR, BEFORE_RUNNING | ALIVE },
        [CONTROL_STARTED]    = { FROM_SUPERVISOR, BEFORE_RUNNING },
        [CONTROL_READY]      = { FROM_SUPERVISOR, ALIVE },
        [CONTROL_STATUS]     = { FROM_SUPERVISOR, ALIVE },
        [CONTROL_STOPPING]   = { FROM_SUPERVISOR, ALIVE },
        [CONTROL_RESTARTING] = { FROM_SUPERVISOR, ALIVE },
        [CONTROL_EXITED]     = { FROM_SUPERVISOR, BEFORE_RUNNING | ALIVE },
        [CONTROL_ERROR]      = { FROM_SUPERVISOR, BEFORE_RUNNING | ALIVE },
};
// clang-format on

int control_check(ControlType type, ControlDirection direction, ContainerState state) {
        if (type < 0 || type >= _CONTROL_TYPE_MAX || state < 0 || state >= _CONTAINER_STATE_MAX)
                return -EPROTO;
        if (control_rules[type].direction != direction)
                return -EPROTO;
        return (control_rules[type].states & IN(state)) != 0 ? 0 : -EPROTO;
}

void control_message_done(ControlMessage *m) {
        m->fields = strv_free(m->fields);
        for (size_t i = 0; i < SOCKET_MAX_FDS; i++)
                m->fds[i] = fd_close(m->fds[i]);
        m->type = _CONTROL_TYPE_MAX;
}

const char *control_message_get(const ControlMessage *m, const char *key) {
        return strv_env_get(m->fields, key);
}

static void field_escape(StrBuf *b, const char *field) {
        for (const char *p = field; *p; p++) {
                unsigned char c = (unsigned char) *p;
                if (c == '\\')
                        strbuf_add(b, "\\\\");
                else if (c == '\n')
                        strbuf_add(b, "\\n");
                else if (c < 0x20 || c == 0x7f)
                        strbuf_addf(b, "\\x%02x", (unsigned) c);
                else
                        strbuf_add_bytes(b, p, 1);
        }
        strbuf_add(b, "\n");
}

static int unhex(char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -EBADMSG;
}

/* Decodes one line of n bytes; exactly the escapes that field_escape() writes. */
static int field_unescape(const char *line, size_t n, char **ret) {
        _cleanup_free_ char *s = new0(char, n + 1);
        if (!s)
                return -ENOMEM;
        size_t size = 0;
        for (size_t i = 0; i < n; i++) {
                unsigned char c = (unsigned char) line[i];
                if (c < 0x20 || c == 0x7f)
                        return -EBADMSG;
                if (c != '\\') {
                        s[size++] = (char) c;
                        continue;
                }
                if (++i >= n)
                        return -EBADMSG;
                if (line[i] == '\\')
                        s[size++] = '\\';
                else if (line[i] == 'n')
                        s[size++] = '\n';
                else if (line[i] == 'x' && n - i > 2) {
                        int high = unhex(line[i + 1]), low = unhex(line[i + 2]);
                        if (high < 0 || low < 0 || (high == 0 && low == 0))
                                return -EBADMSG;
                        s[size++] = (char) (high * 16 + low);
                        i += 2;
                } else
                        return -EBADMSG;
        }
        *ret = TAKE_PTR(s);
        return 0;
}

/* Length of the key before "=", or 0 if the line has no valid one. */
static size_t key_length(const char *line, size_t n) {
        size_t i = 0;
        while (i < n && ((line[i] >= 'A' && line[i] <= 'Z') || line[i] == '_' ||
                         (i > 0 && line[i] >= '0' && line[i] <= '9')))
                i++;
        return i < n && line[i] == '=' && i <= CONTROL_KEY_MAX ? i : 0;
}

static int fields_parse(const char *text, size_t n, char ***ret) {
        _cleanup_strv_free_ char **fields = NULL;
        size_t count = 0;
        for (const char *p = text, *end = text + n; p < end;) {
                const char *newline = memchr(p, '\n', (size_t) (end - p));
                if (!newline || ++count > CONTROL_FIELDS_MAX)
                        return -EBADMSG;
                size_t length = (size_t) (newline - p), key = key_length(p, length);
                if (key == 0)
                        return -EBADMSG;

                char name[CONTROL_KEY_MAX + 1] = { 0 };
                memcpy(name, p, key);
                if (strv_env_get(fields, name))
                        return -EBADMSG;

                char *field = NULL;
                int r = field_unescape(p, length, &field);
                if (r < 0)
                        return r;
                r = strv_consume(&fields, field);
                if (r < 0)
                        return r;
                p = newline + 1;
        }
        *ret = TAKE_PTR(fields);
        return 0;
}

int control_send(int fd, ControlType type, char *const *fields, const int *fds, size_t n_fds) {
        if (type < 0 || type >= _CONTROL_TYPE_MAX || n_fds > SOCKET_MAX_FDS)
                return -EINVAL;

        ControlHeader header = { .version = CONTROL_VERSION, .type = (uint16_t) (type + 1) };
        StrBuf b = { 0 };
        strbuf_add_bytes(&b, (const char *) &header, sizeof(header));
        STRV_FOREACH(f, fields)
                field_escape(&b, *f);

        size_t size = b.size;
        _cleanup_free_ char *text = NULL;
        int r = strbuf_finish(&b, &text);
        if (r < 0)
                return r;
        if (size > CONTROL_MESSAGE_MAX)
                return -EMSGSIZE;
        header.size = (uint32_t) size;
        memcpy(text, &header, sizeof(header));
        /* none of our processes waits for one that does not read, be its socket as it may */
        return socket_send_now(fd, text, size, fds, n_fds);
}

int control_send_error(int fd, const Error *e) {
        _cleanup_free_ char *text = NULL;
        int r = error_serialize(e, &text);
        if (r < 0)
                return r;
        /* error_serialize() escapes for itself; as the value of one field the whole is escaped once more */
        _cleanup_free_ char *field = strjoin("ERROR=", text);
        if (!field)
                return -ENOMEM;
        return control_send(fd, CONTROL_ERROR, (char *const[]){ field, NULL }, NULL, 0);
}

int control_receive(int fd, ControlMessage *ret) {
        ControlMessage m = CONTROL_MESSAGE_NULL;
        _cleanup_free_ char *buffer = new0(char, CONTROL_MESSAGE_MAX);
        if (!buffer)
                return -ENOMEM;

        ssize_t n = socket_receive(fd, buffer, CONTROL_MESSAGE_MAX, m.fds);
        /* The peer left without having read all that was sent to it. The kernel says so once, before what the peer itself has sent. */
        if (n == -ECONNRESET)
                n = socket_receive(fd, buffer, CONTROL_MESSAGE_MAX, m.fds);
        if (n <= 0) {
                control_message_done(&m);
                return n == -ECONNRESET ? 0 : (int) n;
        }

        ControlHeader header = { 0 };
        int r = -EBADMSG;
        if ((size_t) n >= sizeof(header)) {
                memcpy(&header, buffer, sizeof(header));
                if (header.version == CONTROL_VERSION && header.type > 0 &&
                    header.size == (size_t) n)
                        r = fields_parse(buffer + sizeof(header), (size_t) n - sizeof(header),
                                         &m.fields);
        }
        if (r < 0) {
                control_message_done(&m);
                return r;
        }
        m.type = header.type <= _CONTROL_TYPE_MAX ? (ControlType) (header.type - 1)
                                                  : _CONTROL_TYPE_MAX;
        *ret = m;
        return 1;
}
