/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.freedesktop.import1: the way of each call, and the objects. */
#include <fcntl.h>
#include <inttypes.h>

#include "basic/fd.h"
#include "basic/parse.h"
#include "basic/strv.h"
#include "basic/url.h"
#include "bus/bus.h"
#include "bus/names.h"
#include "image/image.h"
#include "manager/import1.h"
#include "manager/machine1.h"

#define IMAGE_CLASS "machine"
#define SHA256_DIGITS 64U

typedef enum Import1Flags {
        IMPORT1_FORCE = 1 << 0,
        IMPORT1_READ_ONLY = 1 << 1,
        IMPORT1_KEEP_DOWNLOAD = 1 << 2, /* downloads are not kept: changes nothing */
        _IMPORT1_FLAGS = IMPORT1_FORCE | IMPORT1_READ_ONLY | IMPORT1_KEEP_DOWNLOAD,
} Import1Flags;

/* Methods that begin a transfer; each has another one with "Ex" behind, a class and flags. */
static const char *const starts[_TRANSFER_TYPE_MAX] = {
        [TRANSFER_IMPORT_TAR] = "ImportTar",       [TRANSFER_IMPORT_RAW] = "ImportRaw",
        [TRANSFER_IMPORT_FS] = "ImportFileSystem", [TRANSFER_EXPORT_TAR] = "ExportTar",
        [TRANSFER_EXPORT_RAW] = "ExportRaw",       [TRANSFER_PULL_TAR] = "PullTar",
        [TRANSFER_PULL_RAW] = "PullRaw",
};

/* By the method's name; *ret_extended: with "Ex". */
static TransferType type_of(sd_bus_message *call, bool *ret_extended) {
        const char *member = strempty(sd_bus_message_get_member(call));
        for (int i = 0; i < _TRANSFER_TYPE_MAX; i++) {
                const char *rest = startswith(member, starts[i]);
                if (rest && (streq(rest, "") || streq(rest, "Ex"))) {
                        *ret_extended = !isempty(rest);
                        return (TransferType) i;
                }
        }
        return _TRANSFER_TYPE_INVALID;
}

static bool is_pull(TransferType type) {
        return IN_SET(type, TRANSFER_PULL_TAR, TRANSFER_PULL_RAW);
}

static int cannot_read(int r, Error *reterr) {
        return error_set_errno(reterr, r, ERROR_PROTOCOL, "The call cannot be read");
}

static int replied(int r, Error *reterr) {
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED, "Writing the reply failed") : 0;
}

/* ---- arguments ---- */

typedef struct Arguments {
        const char *class, *verify, *format;
        int fd, force, read_only;
        uint64_t flags;
} Arguments;

static int read_arguments(sd_bus_message *call, TransferRequest *q, bool extended, Arguments *a) {
        if (transfer_is_export(q->type))
                return extended ? sd_bus_message_read(call, "sshst", &q->name, &a->class, &a->fd,
                                                      &a->format, &a->flags)
                                : sd_bus_message_read(call, "shs", &q->name, &a->fd, &a->format);
        if (is_pull(q->type))
                return extended ? sd_bus_message_read(call, "sssst", &q->remote, &q->name,
                                                      &a->class, &a->verify, &a->flags)
                                : sd_bus_message_read(call, "sssb", &q->remote, &q->name,
                                                      &a->verify, &a->force);
        return extended ? sd_bus_message_read(call, "hsst", &a->fd, &q->name, &a->class, &a->flags)
                        : sd_bus_message_read(call, "hsbb", &a->fd, &q->name, &a->force,
                                              &a->read_only);
}

static int check_verify(const char *text, TransferRequest *q, Error *reterr) {
        if (strlen(text) == SHA256_DIGITS &&
            strspn(text, "0123456789abcdefABCDEF") == SHA256_DIGITS) {
                q->checksum = text;
                q->verify = TRANSFER_VERIFY_CHECKSUM;
                return 0;
        }
        q->verify = transfer_verify_from_string(text);
        return q->verify >= 0
                       ? 0
                       : error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                   "Invalid verification '%.80s': 'no', 'checksum', 'signature', "
                                   "or a SHA-256 checksum is expected",
                                   text);
}

/* Its file system is not asked for anything, which could make us wait. */
static int check_descriptor(const TransferRequest *q, int fd, Error *reterr) {
        const bool to = transfer_is_export(q->type);
        const int flags = fcntl(fd, F_GETFL);
        if (flags < 0 || (flags & O_PATH) || (flags & O_ACCMODE) == (to ? O_RDONLY : O_WRONLY))
                return error_set(reterr, -EBADF, ERROR_INVALID_SETTING,
                                 "The descriptor is not open for %s", to ? "writing" : "reading");
        if (q->type != TRANSFER_IMPORT_FS && !fd_is_stream(fd))
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                 "The descriptor is no file, pipe, socket or device");
        return 0;
}

/* Points into the call. *ret_fd: the call's, or -EBADF. */
static int read_request(sd_bus_message *call, TransferRequest *q, int *ret_fd, Error *reterr) {
        Arguments a = { .fd = -EBADF, .class = IMAGE_CLASS };
        bool extended = false;
        *q = (TransferRequest){ .type = type_of(call, &extended), .size_max = UINT64_MAX };
        int r = read_arguments(call, q, extended, &a);
        if (r < 0)
                return cannot_read(r, reterr);
        if (!streq(a.class, IMAGE_CLASS))
                return error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                                 "Images of class '%.80s' are not supported, only '%s'", a.class,
                                 IMAGE_CLASS);
        if (a.flags & ~(uint64_t) _IMPORT1_FLAGS)
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING, "Unknown flags 0x%" PRIx64,
                                 a.flags);
        q->replace = a.force || (a.flags & IMPORT1_FORCE);
        q->read_only = a.read_only || (a.flags & IMPORT1_READ_ONLY);
        r = image_check_name(q->name, reterr);
        if (r >= 0 && is_pull(q->type) && !url_is_valid(q->remote)) {
                _cleanup_free_ char *shown = str_escape_for_display(q->remote);
                r = error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                              "'%.200s' is no http or https URL", strempty(shown));
        }
        if (r >= 0 && is_pull(q->type))
                r = check_verify(a.verify, q, reterr);
        else if (r >= 0)
                r = check_descriptor(q, a.fd, reterr);
        if (r >= 0 && !isempty(a.format)) {
                q->format = transfer_format_from_string(a.format);
                if (q->format < 0)
                        r = error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                      "Unknown format '%.80s'", a.format);
        }
        if (r >= 0)
                *ret_fd = a.fd;
        return r;
}

/* ---- bodies ---- */

/* It was read before polkit was asked, too: what is wrong is said at once. */
static int body_start(Manager *m, sd_bus_message *call, const char *local, Error *reterr) {
        Import1 *i1 = m->import1;
        Import1Transfer *t;
        TransferRequest q;
        int fd, r = read_request(call, &q, &fd, reterr);
        if (r < 0)
                return r;
        LIST_FOREACH(transfers, other, i1->transfers)
                if (is_pull(q.type) && other->type == q.type && streq(other->url, q.remote))
                        return machine1_reply_error(call, IMPORT1_PREFIX "TransferInProgress",
                                                    "'%s' is being downloaded already",
                                                    other->remote);
        r = import1_transfer_start(i1, &q, fd, &t, reterr);
        if (r < 0)
                return r;
        r = sd_bus_reply_method_return(call, "uo", t->id, t->path);
        if (r >= 0)
                r = sd_bus_emit_signal(i1->name.bus, IMPORT1_MANAGER_PATH,
                                       IMPORT1_MANAGER_INTERFACE, "TransferNew", "uo", t->id,
                                       t->path);
        return replied(r, reterr);
}

static int append_transfer(sd_bus_message *reply, const Import1Transfer *t, bool extended) {
        const char *type = transfer_type_to_string(t->type);
        const double progress = import1_transfer_progress(t);
        return extended ? sd_bus_message_append(reply, "(ussssdo)", t->id, type, t->remote,
                                                t->local, IMAGE_CLASS, progress, t->path)
                        : sd_bus_message_append(reply, "(usssdo)", t->id, type, t->remote, t->local,
                                                progress, t->path);
}

static int body_list(Manager *m, sd_bus_message *call, const char *local, Error *reterr) {
        const bool extended = streq(strempty(sd_bus_message_get_member(call)), "ListTransfersEx");
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *class = "";
        uint64_t flags = 0;
        int r = extended ? sd_bus_message_read(call, "st", &class, &flags) : 0;
        if (r < 0)
                return cannot_read(r, reterr);
        if (flags != 0)
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING, "Unknown flags 0x%" PRIx64,
                                 flags);
        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', extended ? "(ussssdo)" : "(usssdo)");
        LIST_FOREACH(transfers, t, m->import1->transfers)
                if (r >= 0 && (isempty(class) || streq(class, IMAGE_CLASS)))
                        r = append_transfer(reply, t, extended);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return replied(r < 0 ? r : sd_bus_send(NULL, reply, NULL), reterr);
}

static int id_of_path(const char *path, uint32_t *ret) {
        const char *number = startswith(path, IMPORT1_TRANSFER_PATH_PREFIX "/_");
        return number ? parse_u32(number, ret) : -ENOENT;
}

/* The transfer that is meant: the object's, or by the first argument. NULL: there is none, *ret_id has no number then. */
static int read_transfer(const Import1 *i1, sd_bus_message *call, Import1Transfer **ret,
                         uint32_t *ret_id, Error *reterr) {
        int r = streq(strempty(sd_bus_message_get_interface(call)), IMPORT1_TRANSFER_INTERFACE)
                        ? id_of_path(sd_bus_message_get_path(call), ret_id)
                        : sd_bus_message_read(call, "u", ret_id);
        if (r < 0)
                return cannot_read(r, reterr);
        *ret = import1_transfer_find(i1, *ret_id);
        return 0;
}

static int no_such_transfer(sd_bus_message *call, uint32_t id) {
        return machine1_reply_error(call, IMPORT1_PREFIX "NoSuchTransfer",
                                    "There is no transfer %" PRIu32, id);
}

static int body_cancel(Manager *m, sd_bus_message *call, const char *local, Error *reterr) {
        Import1Transfer *t = NULL;
        uint32_t id = 0;
        int r = read_transfer(m->import1, call, &t, &id, reterr);
        if (r < 0)
                return r;
        if (!t) /* it has ended while polkit was asked */
                return no_such_transfer(call, id);
        import1_transfer_cancel(t);
        return replied(sd_bus_reply_method_return(call, NULL), reterr);
}

/* ---- the way of a call ---- */

#define IMPORT "import"
#define EXPORT "export"
#define PULL "pull"

/* clang-format off */
static const Method methods[_TRANSFER_TYPE_MAX] = {
        [TRANSFER_IMPORT_TAR] = { "ImportTar",        IMPORT, "hsbb", body_start, NULL, true },
        [TRANSFER_IMPORT_RAW] = { "ImportRaw",        IMPORT, "hsbb", body_start, NULL, true },
        [TRANSFER_IMPORT_FS]  = { "ImportFileSystem", IMPORT, "hsbb", body_start, NULL, true },
        [TRANSFER_EXPORT_TAR] = { "ExportTar",        EXPORT, "shs",  body_start, NULL, true },
        [TRANSFER_EXPORT_RAW] = { "ExportRaw",        EXPORT, "shs",  body_start, NULL, true },
        [TRANSFER_PULL_TAR]   = { "PullTar",          PULL,   "sssb", body_start, NULL, true },
        [TRANSFER_PULL_RAW]   = { "PullRaw",          PULL,   "sssb", body_start, NULL, true },
}, list_method = { "ListTransfers", NULL, "", body_list, NULL, true }, cancel_method = { "CancelTransfer", PULL, "u", body_cancel, NULL, true };
/* clang-format on */

/* Importd's action where it is known on this host, so that its rules hold for us; else ours. */
static int find_action(const Import1 *i1, TransferType type, char **ret) {
        const char *own = methods[type].action;
        _cleanup_free_ char *action = strjoin(IMPORT1_PREFIX, own),
                            *attribute = strjoin("id=\"", IMPORT1_PREFIX, own, "\"");
        if (!action || !attribute)
                return -ENOMEM;
        if (!i1->name.actions || !strstr(i1->name.actions, attribute))
                return free_and_strdup(ret, ACTION_IMAGES);
        *ret = TAKE_PTR(action);
        return 0;
}

static int begin(Manager *m, sd_bus_message *call, Error *reterr) {
        const Method *method;
        _cleanup_free_ char *action = NULL, *local = NULL;
        bool extended;
        TransferType type = type_of(call, &extended);
        int r = access_measure(call, reterr); /* it is held until polkit has answered */
        if (r < 0)
                return r;
        if (startswith(strempty(sd_bus_message_get_member(call)), "List"))
                return access_begin(m, call, &list_method, NULL, NULL, false, reterr);
        if (type >= 0) {
                TransferRequest q;
                int fd;
                r = read_request(call, &q, &fd, reterr);
                if (r < 0)
                        return r;
                method = methods + type;
                local = strdup(q.name);
        } else {
                Import1Transfer *t = NULL;
                uint32_t id = 0;
                r = read_transfer(m->import1, call, &t, &id, reterr);
                if (r < 0)
                        return r;
                if (!t)
                        return no_such_transfer(call, id);
                method = &cancel_method;
                type = t->type;
                local = strdup(t->local);
        }
        if (!local || find_action(m->import1, type, &action) < 0)
                return error_oom(reterr);
        return access_begin(m, call, method, action, local, false, reterr);
}

static int on_call(sd_bus_message *call, void *userdata, sd_bus_error *reterr_error) {
        _cleanup_error_ Error e = ERROR_NULL;
        if (begin(userdata, call, &e) < 0)
                return bus_error_from_error_for(call, reterr_error, &e);
        return 1; /* the reply follows */
}

static int on_cancel(sd_bus_message *call, void *userdata, sd_bus_error *reterr_error) {
        const Import1Transfer *t = userdata;
        return on_call(call, t->import1->manager, reterr_error);
}

/* ---- objects ---- */

static int find_object(sd_bus *bus, const char *path, const char *interface, void *userdata,
                       void **found, sd_bus_error *e) {
        const Import1 *i1 = userdata;
        uint32_t id;
        if (id_of_path(path, &id) < 0)
                return 0;
        Import1Transfer *t = import1_transfer_find(i1, id);
        if (!t || !streq(t->path, path))
                return 0;
        *found = t;
        return 1;
}

static int list_objects(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                        sd_bus_error *e) {
        const Import1 *i1 = userdata;
        _cleanup_strv_free_ char **l = strv_new(NULL);
        if (!l)
                return -ENOMEM;
        LIST_FOREACH(transfers, t, i1->transfers)
                if (strv_extend(&l, t->path) < 0)
                        return -ENOMEM;
        *ret_nodes = TAKE_PTR(l);
        return 1;
}

static int get_property(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, sd_bus_error *e) {
        const Import1Transfer *t = userdata;
        if (streq(property, "Id"))
                return sd_bus_message_append(reply, "u", t->id);
        if (streq(property, "Progress"))
                return sd_bus_message_append(reply, "d", import1_transfer_progress(t));
        return sd_bus_message_append(reply, "s",
                                     streq(property, "Local")    ? t->local
                                     : streq(property, "Remote") ? t->remote
                                     : streq(property, "Type")   ? transfer_type_to_string(t->type)
                                     : is_pull(t->type) ? transfer_verify_to_string(t->verify)
                                                        : "no");
}

#define M(member, in, out) SD_BUS_METHOD(member, in, out, on_call, SD_BUS_VTABLE_UNPRIVILEGED)

/* clang-format off */
static const sd_bus_vtable manager_object[] = {
        SD_BUS_VTABLE_START(0),
        M("ImportTar", "hsbb", "uo"),
        M("ImportTarEx", "hsst", "uo"),
        M("ImportRaw", "hsbb", "uo"),
        M("ImportRawEx", "hsst", "uo"),
        M("ImportFileSystem", "hsbb", "uo"),
        M("ImportFileSystemEx", "hsst", "uo"),
        M("ExportTar", "shs", "uo"),
        M("ExportTarEx", "sshst", "uo"),
        M("ExportRaw", "shs", "uo"),
        M("ExportRawEx", "sshst", "uo"),
        M("PullTar", "sssb", "uo"),
        M("PullTarEx", "sssst", "uo"),
        M("PullRaw", "sssb", "uo"),
        M("PullRawEx", "sssst", "uo"),
        M("ListTransfers", NULL, "a(usssdo)"),
        M("ListTransfersEx", "st", "a(ussssdo)"),
        M("CancelTransfer", "u", NULL),
        SD_BUS_SIGNAL_WITH_ARGS("TransferNew", SD_BUS_ARGS("u", transfer_id, "o", transfer_path), 0),
        SD_BUS_SIGNAL_WITH_ARGS("TransferRemoved", SD_BUS_ARGS("u", transfer_id, "o", transfer_path, "s", result), 0),
        SD_BUS_VTABLE_END,
}, transfer_object[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Id", "u", get_property, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Local", "s", get_property, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Remote", "s", get_property, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Type", "s", get_property, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Verify", "s", get_property, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Progress", "d", get_property, 0, 0),
        SD_BUS_METHOD("Cancel", NULL, NULL, on_cancel, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL_WITH_ARGS("ProgressUpdate", SD_BUS_ARGS("d", progress), 0),
        SD_BUS_SIGNAL_WITH_ARGS("LogMessage", SD_BUS_ARGS("u", priority, "s", line), 0),
        SD_BUS_VTABLE_END,
};
/* clang-format on */

int import1_publish(Import1 *i1) {
        int r = sd_bus_add_object_vtable(i1->name.bus, NULL, IMPORT1_MANAGER_PATH,
                                         IMPORT1_MANAGER_INTERFACE, manager_object, i1->manager);
        if (r >= 0)
                r = sd_bus_add_fallback_vtable(i1->name.bus, NULL, IMPORT1_TRANSFER_PATH_PREFIX,
                                               IMPORT1_TRANSFER_INTERFACE, transfer_object,
                                               find_object, i1);
        return r < 0 ? r
                     : sd_bus_add_node_enumerator(i1->name.bus, NULL, IMPORT1_TRANSFER_PATH_PREFIX,
                                                  list_objects, i1);
}
