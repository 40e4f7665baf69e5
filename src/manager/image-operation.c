/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Methods about images: each an operation, and its reply. */
#include "manager/image-operation.h"

#include <inttypes.h>
#include <stdio.h>

#include "basic/fd.h"
#include "basic/id.h"
#include "basic/parse.h"
#include "basic/str.h"
#include "bus/bus.h"
#include "image/image.h"
#include "image/snapshot.h"
#include "manager/machine1.h"

static int bad_arguments(int r, Error *reterr) {
        return error_set_errno(reterr, r, ERROR_PROTOCOL,
                               "The arguments of the call cannot be read");
}

/* ---- answers ---- */

static bool read_number(const char *text, uint64_t *ret) {
        return parse_u64(text, ret) >= 0;
}

int image_rows_read(const OperationResult *result, ImageRowVisit visit, void *userdata) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        if (result->fds[0] < 0 || lseek(result->fds[0], 0, SEEK_SET) < 0)
                return -EBADMSG;
        int r = fd_read_all(result->fds[0], IMAGE_ANSWER_MAX, &text, &size);
        for (const char *p = text, *end = text + size; r >= 0 && p < end;) {
                const char *fields[IMAGE_ROW_FIELDS];
                for (size_t i = 0; i < IMAGE_ROW_FIELDS; i++) {
                        if (p >= end)
                                return -EBADMSG;
                        fields[i] = p;
                        p += strlen(p) + 1;
                }
                ImageRow row = { .name = fields[0],
                                 .kind = fields[1],
                                 .path = fields[2],
                                 .read_only = streq(fields[3], "yes") };
                if (!read_number(fields[4], &row.birth_usec) ||
                    !read_number(fields[5], &row.modified_usec) ||
                    !read_number(fields[6], &row.usage) ||
                    !read_number(fields[7], &row.usage_exclusive) ||
                    !read_number(fields[8], &row.limit) ||
                    !read_number(fields[9], &row.limit_exclusive))
                        return -EBADMSG;
                r = visit(&row, userdata);
        }
        return r;
}

static int append_nothing(sd_bus_message *m, const OperationResult *result) {
        return 0;
}

static int append_row_properties(sd_bus_message *m, const ImageRow *row) {
        return sd_bus_message_append(
                m, "a{sv}", 10, "Name", "s", row->name, "Type", "s", row->kind, "Path", "s",
                row->path, "ReadOnly", "b", (int) row->read_only, "CreationTimestamp", "t",
                row->birth_usec, "ModificationTimestamp", "t", row->modified_usec, "Usage", "t",
                row->usage, "UsageExclusive", "t", row->usage_exclusive, "Limit", "t", row->limit,
                "LimitExclusive", "t", row->limit_exclusive);
}

static int append_list_row(const ImageRow *row, void *userdata) {
        sd_bus_message *m = userdata;
        int r = sd_bus_message_open_container(m, 'r', "sa{sv}");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", row->name);
        if (r >= 0)
                r = append_row_properties(m, row);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_list(sd_bus_message *m, const OperationResult *result) {
        int r = sd_bus_message_open_container(m, 'a', "(sa{sv})");
        if (r >= 0)
                r = image_rows_read(result, append_list_row, m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_described(const ImageRow *row, void *userdata) {
        return append_row_properties(userdata, row);
}

static int append_description(sd_bus_message *m, const OperationResult *result) {
        return image_rows_read(result, append_described, m);
}

static int append_measured(sd_bus_message *m, const OperationResult *result) {
        uint64_t files, bytes, disk;
        if (sscanf(result->text, "%" SCNu64 " %" SCNu64 " %" SCNu64, &files, &bytes, &disk) != 3)
                return -EBADMSG;
        return sd_bus_message_append(m, "ttt", files, bytes, disk);
}

/* Those with a tag, behind it; NULL: no more. */
static const char *next_field(const OperationResult *result, char tag, const char *after) {
        const char *end = result->text + result->size;
        for (const char *p = after ? after + strlen(after) + 1 : result->text; p < end;
             p += strlen(p) + 1)
                if (p[0] == tag)
                        return p + 1;
        return NULL;
}

static int append_hostname(sd_bus_message *m, const OperationResult *result) {
        return sd_bus_message_append(m, "s", strempty(next_field(result, 'h', NULL)));
}

static int append_machine_id(sd_bus_message *m, const OperationResult *result) {
        const char *text = next_field(result, 'i', NULL);
        Id128 id;
        const bool known = text && id128_parse(text, &id) >= 0;
        return sd_bus_message_append_array(m, 'y', &id, known ? sizeof(id) : 0);
}

static int append_fields(sd_bus_message *m, const OperationResult *result, char tag) {
        int r = sd_bus_message_open_container(m, 'a', "{ss}");
        for (const char *p = NULL; r >= 0 && (p = next_field(result, tag, p));) {
                const char *equals = strchr(p, '=');
                char name[256];
                if (!equals || (size_t) (equals - p) >= sizeof(name))
                        continue;
                memcpy(name, p, (size_t) (equals - p));
                name[equals - p] = '\0';
                r = sd_bus_message_append(m, "{ss}", name, equals + 1);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_machine_info(sd_bus_message *m, const OperationResult *result) {
        return append_fields(m, result, 'm');
}

static int append_os_release(sd_bus_message *m, const OperationResult *result) {
        return append_fields(m, result, 'o');
}

static int append_removed(sd_bus_message *m, const OperationResult *result) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        int r = result->fds[0] < 0 || lseek(result->fds[0], 0, SEEK_SET) < 0 ? -EBADMSG : 0;
        if (r >= 0)
                r = fd_read_all(result->fds[0], IMAGE_ANSWER_MAX, &text, &size);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(st)");
        for (const char *p = text; r >= 0 && p < text + size; p += strlen(p) + 1) {
                uint64_t bytes;
                const char *name = strchr(p, ' ');
                if (!name || sscanf(p, "%" SCNu64, &bytes) != 1)
                        return -EBADMSG;
                r = sd_bus_message_append(m, "(st)", name + 1, bytes);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* ---- starting ---- */

static void reply_error(sd_bus_message *call, const Error *e) {
        _cleanup_(sd_bus_error_free) sd_bus_error b = SD_BUS_ERROR_NULL;
        (void) bus_error_from_error_for(call, &b, e);
        (void) sd_bus_reply_method_error(call, &b); /* the caller may be gone */
}

typedef struct Reply {
        ImageReply append;
} Reply;

static void on_done(sd_bus_message *call, const OperationResult *result, const Error *e,
                    void *userdata) {
        _cleanup_free_ Reply *how = userdata;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_error_ Error failed = ERROR_NULL;
        if (e) {
                reply_error(call, e);
                return;
        }
        int r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = how->append(reply, result);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        if (r < 0) {
                (void) error_set_errno(&failed, r, ERROR_FAILED, "Writing the reply failed");
                reply_error(call, &failed);
        }
}

int image_operation_start(Manager *m, sd_bus_message *call, const OperationRequest *q,
                          const char *name, ImageReply reply, Error *reterr) {
        _cleanup_free_ Reply *how = malloc(sizeof(Reply));
        if (!how)
                return error_oom(reterr);
        how->append = reply;
        int r = operation_start_image(m, q, name, call, on_done, how, reterr);
        if (r >= 0)
                (void) TAKE_PTR(how); /* on_done's */
        return r;
}

/* The image that is meant: the object's, or the first argument. */
static int read_name(sd_bus_message *call, const char **name, Error *reterr) {
        if (!*name) {
                int r = sd_bus_message_read_basic(call, 's', name);
                if (r < 0)
                        return bad_arguments(r, reterr);
        }
        /* a name that cannot be one is of no image */
        if (!image_name_is_valid(*name)) {
                _cleanup_free_ char *shown = str_escape_for_display(*name);
                return error_set(reterr, -ENOENT, ERROR_ROOT_NOT_FOUND, "There is no image '%.80s'",
                                 strempty(shown));
        }
        return 0;
}

static int read_changeable(sd_bus_message *call, const char **name, Error *reterr) {
        int r = read_name(call, name, reterr);
        return r >= 0 && streq(*name, MACHINE1_HOST)
                       ? error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                                   "'%s' is the host itself, and no image to be changed", *name)
                       : r;
}

/* ---- looking ---- */

int body_list_images(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        const OperationRequest q = { .type = OPERATION_IMAGE_LIST, .flags = OPERATION_ALL };
        return image_operation_start(m, call, &q, "", append_list, reterr);
}

int image_look(Manager *m, sd_bus_message *call, const char *name, OperationType type,
               ImageReply reply, Error *reterr) {
        const OperationRequest q = { .type = type };
        int r = read_name(call, &name, reterr);
        return r < 0 ? r : image_operation_start(m, call, &q, name, reply, reterr);
}

int body_describe_image(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        return image_look(m, call, container, OPERATION_IMAGE_DESCRIBE, append_description, reterr);
}

int body_measure_image(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        return image_look(m, call, container, OPERATION_IMAGE_MEASURE, append_measured, reterr);
}

int body_image_hostname(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        return image_look(m, call, container, OPERATION_IMAGE_IDENTITY, append_hostname, reterr);
}

int body_image_machine_id(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        return image_look(m, call, container, OPERATION_IMAGE_IDENTITY, append_machine_id, reterr);
}

int body_image_machine_info(Manager *m, sd_bus_message *call, const char *container,
                            Error *reterr) {
        return image_look(m, call, container, OPERATION_IMAGE_IDENTITY, append_machine_info,
                          reterr);
}

int body_image_os_release(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        return image_look(m, call, container, OPERATION_IMAGE_IDENTITY, append_os_release, reterr);
}

/* ---- changing ---- */

static int change(Manager *m, sd_bus_message *call, const char *name, const OperationRequest *q,
                  Error *reterr) {
        return image_operation_start(m, call, q, name, append_nothing, reterr);
}

int body_image_remove(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        const OperationRequest q = { .type = OPERATION_IMAGE_REMOVE };
        int r = read_changeable(call, &container, reterr);
        return r < 0 ? r : change(m, call, container, &q, reterr);
}

int body_image_rename(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        OperationRequest q = { .type = OPERATION_IMAGE_RENAME };
        int r = read_changeable(call, &container, reterr);
        if (r < 0)
                return r;
        r = sd_bus_message_read(call, "s", &q.destination);
        if (r < 0)
                return bad_arguments(r, reterr);
        r = image_check_name(q.destination, reterr);
        return r < 0 ? r : change(m, call, container, &q, reterr);
}

static int read_descriptors(sd_bus_message *call, OperationRequest *q, int *progress_fd,
                            Error *reterr) {
        const char *name;
        int fd, r = sd_bus_message_enter_container(call, 'a', "(sh)");
        while (r >= 0 && (r = sd_bus_message_read(call, "(sh)", &name, &fd)) > 0) {
                if (!streq(name, "Progress"))
                        return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                         "Unknown descriptor '%.80s'", name);
                q->flags |= OPERATION_PROGRESS;
                *progress_fd = fd; /* the message's */
        }
        return r < 0 ? bad_arguments(r, reterr) : 0;
}

static int clone(Manager *m, sd_bus_message *call, const char *name, bool as_machined,
                 Error *reterr) {
        int stdio[3] = { -EBADF, -EBADF, -EBADF }, read_only = 0;
        OperationRequest q = { .type = OPERATION_IMAGE_CLONE, .stdio = stdio };
        int r = read_changeable(call, &name, reterr);
        if (r < 0)
                return r;
        r = as_machined ? sd_bus_message_read(call, "sb", &q.destination, &read_only)
                        : sd_bus_message_read(call, "st", &q.destination, &q.flags);
        if (r < 0)
                return bad_arguments(r, reterr);
        if (q.flags & ~(uint64_t) OPERATION_READ_ONLY)
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING, "Unknown flags 0x%" PRIx64,
                                 q.flags);
        if (read_only)
                q.flags |= OPERATION_READ_ONLY;
        r = image_check_name(q.destination, reterr);
        if (r >= 0 && !as_machined)
                r = read_descriptors(call, &q, stdio + 2, reterr);
        return r < 0 ? r : change(m, call, name, &q, reterr);
}

int body_clone_image(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        return clone(m, call, container, /* as_machined= */ false, reterr);
}

int body_machine_clone_image(Manager *m, sd_bus_message *call, const char *container,
                             Error *reterr) {
        return clone(m, call, container, /* as_machined= */ true, reterr);
}

int body_image_mark(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        OperationRequest q = { .type = OPERATION_IMAGE_MARK };
        int read_only, r = read_changeable(call, &container, reterr);
        if (r < 0)
                return r;
        r = sd_bus_message_read(call, "b", &read_only);
        if (r < 0)
                return bad_arguments(r, reterr);
        q.flags = read_only ? OPERATION_READ_ONLY : 0U;
        return change(m, call, container, &q, reterr);
}

int body_image_limit(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        OperationRequest q = { .type = OPERATION_IMAGE_LIMIT };
        int r = read_changeable(call, &container, reterr);
        if (r < 0)
                return r;
        r = sd_bus_message_read(call, "t", &q.size);
        return r < 0 ? bad_arguments(r, reterr) : change(m, call, container, &q, reterr);
}

/* ---- the pool ---- */

int body_pool_limit(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        OperationRequest q = { .type = OPERATION_IMAGE_LIMIT };
        int r = sd_bus_message_read(call, "t", &q.size);
        return r < 0 ? bad_arguments(r, reterr) : change(m, call, "", &q, reterr);
}

int body_pool_clean(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        OperationRequest q = { .type = OPERATION_IMAGE_CLEAN };
        const char *mode;
        int r = sd_bus_message_read(call, "s", &mode);
        if (r < 0)
                return bad_arguments(r, reterr);
        if (!streq(mode, "hidden") && !streq(mode, "all"))
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                 "Invalid mode '%.80s': 'hidden' or 'all' is expected", mode);
        q.flags = streq(mode, "all") ? OPERATION_ALL : 0U;
        return image_operation_start(m, call, &q, "", append_removed, reterr);
}

/* ---- snapshots ---- */

static int append_snapshots(sd_bus_message *m, const OperationResult *result) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        int r = result->fds[0] < 0 || lseek(result->fds[0], 0, SEEK_SET) < 0 ? -EBADMSG : 0;
        if (r >= 0)
                r = fd_read_all(result->fds[0], IMAGE_ANSWER_MAX, &text, &size);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(ssbtsts)");
        for (const char *p = text, *end = text + size; r >= 0 && p < end;) {
                const char *fields[SNAPSHOT_ROW_FIELDS];
                uint64_t taken_usec, bytes;
                for (size_t i = 0; i < SNAPSHOT_ROW_FIELDS; i++) {
                        if (p >= end)
                                return -EBADMSG;
                        fields[i] = p;
                        p += strlen(p) + 1;
                }
                if (!read_number(fields[3], &taken_usec) || !read_number(fields[5], &bytes))
                        return -EBADMSG;
                r = sd_bus_message_append(m, "(ssbtsts)", fields[0], fields[1],
                                          (int) streq(fields[2], "yes"), taken_usec, fields[4],
                                          bytes, fields[6]);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_name(sd_bus_message *m, const OperationResult *result) {
        return sd_bus_message_append(m, "s", strempty(result->text));
}

int body_list_snapshots(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        const OperationRequest q = { .type = OPERATION_SNAPSHOT_LIST };
        const char *name = container; /* the object's */
        int r = name ? 0 : sd_bus_message_read(call, "s", &name);
        if (r < 0)
                return bad_arguments(r, reterr);
        r = isempty(name) ? 0 : image_check_name(name, reterr);
        return r < 0 ? r : image_operation_start(m, call, &q, name, append_snapshots, reterr);
}

int body_create_snapshot(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        int stdio[3] = { -EBADF, -EBADF, -EBADF };
        OperationRequest q = { .type = OPERATION_SNAPSHOT_MAKE, .stdio = stdio };
        int r = read_changeable(call, &container, reterr);
        if (r < 0)
                return r;
        r = sd_bus_message_read(call, "st", &q.destination, &q.flags);
        if (r < 0)
                return bad_arguments(r, reterr);
        if (q.flags & ~(uint64_t) OPERATION_FORCE)
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING, "Unknown flags 0x%" PRIx64,
                                 q.flags);
        r = isempty(q.destination) ? 0 : snapshot_check_name(q.destination, reterr);
        if (r >= 0)
                r = read_descriptors(call, &q, stdio + 2, reterr);
        return r < 0 ? r : image_operation_start(m, call, &q, container, append_name, reterr);
}

int body_roll_back_image(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        int stdio[3] = { -EBADF, -EBADF, -EBADF };
        OperationRequest q = { .type = OPERATION_SNAPSHOT_ROLL_BACK, .stdio = stdio };
        int r = read_changeable(call, &container, reterr);
        if (r < 0)
                return r;
        r = sd_bus_message_read(call, "s", &q.destination);
        if (r < 0)
                return bad_arguments(r, reterr);
        r = read_descriptors(call, &q, stdio + 2, reterr);
        return r < 0 ? r : image_operation_start(m, call, &q, container, append_name, reterr);
}

int body_remove_snapshot(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        OperationRequest q = { .type = OPERATION_SNAPSHOT_REMOVE };
        int r = read_changeable(call, &container, reterr);
        if (r < 0)
                return r;
        r = sd_bus_message_read(call, "s", &q.destination);
        return r < 0 ? bad_arguments(r, reterr) : change(m, call, container, &q, reterr);
}

int body_prune_snapshots(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        OperationRequest q = { .type = OPERATION_SNAPSHOT_PRUNE };
        int r = read_changeable(call, &container, reterr);
        if (r < 0)
                return r;
        r = sd_bus_message_read(call, "tt", &q.size, &q.age_usec);
        return r < 0 ? bad_arguments(r, reterr)
                     : image_operation_start(m, call, &q, container, append_removed, reterr);
}

static int append_changes(sd_bus_message *m, const OperationResult *result) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        int r = result->fds[0] < 0 || lseek(result->fds[0], 0, SEEK_SET) < 0 ? -EBADMSG : 0;
        if (r >= 0)
                r = fd_read_all(result->fds[0], CHANGES_MESSAGE_SIZE_MAX, &text, &size);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(sss)");
        for (const char *p = text; r >= 0 && p < text + size; p += strlen(p) + 1) {
                if (!p[0] || !p[1])
                        return -EBADMSG;
                r = sd_bus_message_append(m, "(sss)", (char[]){ p[0], '\0' },
                                          (char[]){ p[1], '\0' }, p + 2);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* The worker's file, sealed: it is not copied, however long it is. */
static int append_file(sd_bus_message *m, const OperationResult *result) {
        return result->fds[0] < 0 ? -EBADMSG : sd_bus_message_append(m, "h", result->fds[0]);
}

static int compare(Manager *m, sd_bus_message *call, const char *name, bool all, Error *reterr) {
        OperationRequest q = { .type = OPERATION_SNAPSHOT_COMPARE,
                               .flags = all ? OPERATION_ALL : 0U };
        int r = read_changeable(call, &name, reterr);
        if (r < 0)
                return r;
        r = sd_bus_message_read(call, "s", &q.destination);
        return r < 0 ? bad_arguments(r, reterr)
                     : image_operation_start(m, call, &q, name, all ? append_file : append_changes,
                                             reterr);
}

int body_compare_snapshot(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        return compare(m, call, container, /* all= */ false, reterr);
}

int body_open_changes(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        return compare(m, call, container, /* all= */ true, reterr);
}
