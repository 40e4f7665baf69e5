/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine1: images. Methods are those of manager/image-operation.h; here is what machined's signatures and objects need besides. */
#include <stdio.h>

#include "basic/alloc.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "bus/bus.h"
#include "bus/names.h"
#include "image/image.h"
#include "manager/image-operation.h"
#include "manager/machine1.h"

#define PROPERTIES_INTERFACE "org.freedesktop.DBus.Properties"

static int image_path(const char *name, char **ret) {
        return sd_bus_path_encode(MACHINE1_IMAGE_PATH_PREFIX, name, ret);
}

static int append_path(const ImageRow *row, void *userdata) {
        _cleanup_free_ char *path = NULL;
        int r = image_path(row->name, &path);
        return r < 0 ? r : sd_bus_message_append(userdata, "o", path);
}

static int append_object(sd_bus_message *m, const OperationResult *result) {
        return image_rows_read(result, append_path, m);
}

int body_get_image(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        return image_look(m, call, NULL, OPERATION_IMAGE_DESCRIBE, append_object, reterr);
}

/* ---- the list ---- */

static int append_list_row(const ImageRow *row, void *userdata) {
        sd_bus_message *m = userdata;
        _cleanup_free_ char *path = NULL;
        int r = image_path(row->name, &path);
        return r < 0 ? r
                     : sd_bus_message_append(m, "(ssbttto)", row->name, row->kind,
                                             (int) row->read_only, row->birth_usec,
                                             row->modified_usec, row->usage, path);
}

static int append_list(sd_bus_message *m, const OperationResult *result) {
        int r = sd_bus_message_open_container(m, 'a', "(ssbttto)");
        if (r >= 0)
                r = image_rows_read(result, append_list_row, m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int body_machine_list_images(Manager *m, sd_bus_message *call, const char *container,
                             Error *reterr) {
        const OperationRequest q = { .type = OPERATION_IMAGE_LIST,
                                     .flags = OPERATION_ALL | OPERATION_WITH_HOST };
        return image_operation_start(m, call, &q, "", append_list, reterr);
}

/* ---- properties ---- */

/* The image's, and what is wanted of it. */
static int append_property(sd_bus_message *m, const ImageRow *row, const char *property) {
        const struct {
                const char *name;
                uint64_t value;
        } numbers[] = {
                { "CreationTimestamp", row->birth_usec },
                { "ModificationTimestamp", row->modified_usec },
                { "Usage", row->usage },
                { "Limit", row->limit },
                { "UsageExclusive", row->usage_exclusive },
                { "LimitExclusive", row->limit_exclusive },
        };
        if (streq(property, "Name"))
                return sd_bus_message_append(m, "v", "s", row->name);
        if (streq(property, "Path"))
                return sd_bus_message_append(m, "v", "s", row->path);
        if (streq(property, "Type"))
                return sd_bus_message_append(m, "v", "s", row->kind);
        if (streq(property, "ReadOnly"))
                return sd_bus_message_append(m, "v", "b", (int) row->read_only);
        for (size_t i = 0; i < ELEMENTSOF(numbers); i++)
                if (streq(property, numbers[i].name))
                        return sd_bus_message_append(m, "v", "t", numbers[i].value);
        return -ENOENT;
}

static int append_all_of_row(const ImageRow *row, void *userdata) {
        static const char *const names[] = {
                "Name",
                "Path",
                "Type",
                "ReadOnly",
                "CreationTimestamp",
                "ModificationTimestamp",
                "Usage",
                "Limit",
                "UsageExclusive",
                "LimitExclusive",
        };
        sd_bus_message *m = userdata;
        int r = sd_bus_message_open_container(m, 'a', "{sv}");
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(names); i++) {
                r = sd_bus_message_open_container(m, 'e', "sv");
                if (r >= 0)
                        r = sd_bus_message_append(m, "s", names[i]);
                if (r >= 0)
                        r = append_property(m, row, names[i]);
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_all(sd_bus_message *m, const OperationResult *result) {
        return image_rows_read(result, append_all_of_row, m);
}

#define GETTER(property)                                                            \
        static int append_row_##property(const ImageRow *row, void *userdata) {     \
                return append_property(userdata, row, #property);                   \
        }                                                                           \
        static int append_##property(sd_bus_message *m, const OperationResult *r) { \
                return image_rows_read(r, append_row_##property, m);                \
        }
GETTER(Name)
GETTER(Path)
GETTER(Type)
GETTER(ReadOnly)
GETTER(CreationTimestamp)
GETTER(ModificationTimestamp)
GETTER(Usage)
GETTER(Limit)
GETTER(UsageExclusive)
GETTER(LimitExclusive)

static const struct {
        const char *name;
        ImageReply append;
} getters[] = {
        { "Name", append_Name },
        { "Path", append_Path },
        { "Type", append_Type },
        { "ReadOnly", append_ReadOnly },
        { "CreationTimestamp", append_CreationTimestamp },
        { "ModificationTimestamp", append_ModificationTimestamp },
        { "Usage", append_Usage },
        { "Limit", append_Limit },
        { "UsageExclusive", append_UsageExclusive },
        { "LimitExclusive", append_LimitExclusive },
};

static int read_wanted(sd_bus_message *call, ImageReply *ret) {
        const char *interface, *property;
        const bool all = sd_bus_message_is_method_call(call, PROPERTIES_INTERFACE, "GetAll") > 0;
        if (!all && sd_bus_message_is_method_call(call, PROPERTIES_INTERFACE, "Get") <= 0)
                return 0;
        int r = sd_bus_message_read(call, all ? "s" : "ss", &interface, &property);
        if (r < 0)
                return r;
        /* others are the library's to answer */
        if (!isempty(interface) && !streq(interface, MACHINE1_IMAGE_INTERFACE))
                return sd_bus_message_rewind(call, true) < 0 ? -EBADMSG : 0;
        *ret = all ? append_all : NULL;
        for (size_t i = 0; !all && i < ELEMENTSOF(getters); i++)
                if (streq(property, getters[i].name))
                        *ret = getters[i].append;
        if (!*ret)
                return sd_bus_message_rewind(call, true) < 0 ? -EBADMSG : 0;
        return 1;
}

int machine1_image_properties(sd_bus_message *call, void *userdata, sd_bus_error *reterr_error) {
        Manager *m = userdata;
        _cleanup_free_ char *name = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        ImageReply reply = NULL;
        int r = sd_bus_path_decode(sd_bus_message_get_path(call), MACHINE1_IMAGE_PATH_PREFIX,
                                   &name);
        if (r <= 0 || !image_name_is_valid(name))
                return 0;
        r = read_wanted(call, &reply);
        if (r <= 0)
                return r;
        const OperationRequest q = { .type = OPERATION_IMAGE_DESCRIBE };
        m->caller_uid = (uid_t) -1; /* was not asked: looking is open to all */
        r = image_operation_start(m, call, &q, name, reply, &e);
        return r < 0 ? bus_error_from_error_for(call, reterr_error, &e) : 1;
}

/* Nobody gets here: machine1_image_properties() has answered. */
static int property_get(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, sd_bus_error *reterr_error) {
        return -ENOENT;
}

/* ---- objects ---- */

static int method(sd_bus_message *call, void *userdata, sd_bus_error *reterr_error) {
        static const struct {
                const char *member, *of_manager;
        } members[] = {
                { "Remove", "RemoveImage" },
                { "Rename", "RenameImage" },
                { "Clone", "CloneImage" },
                { "MarkReadOnly", "MarkImageReadOnly" },
                { "SetLimit", "SetImageLimit" },
                { "GetHostname", "GetImageHostname" },
                { "GetMachineID", "GetImageMachineID" },
                { "GetMachineInfo", "GetImageMachineInfo" },
                { "GetOSRelease", "GetImageOSRelease" },
        };
        const char *member = strempty(sd_bus_message_get_member(call)), *of_manager = member;
        _cleanup_free_ char *name = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        for (size_t i = 0; i < ELEMENTSOF(members); i++)
                if (streq(member, members[i].member))
                        of_manager = members[i].of_manager;
        int r = sd_bus_path_decode(sd_bus_message_get_path(call), MACHINE1_IMAGE_PATH_PREFIX,
                                   &name);
        if (r <= 0)
                return -ENOENT;
        r = machine1_begin_image(userdata, call, of_manager, name, &e);
        return r < 0 ? bus_error_from_error_for(call, reterr_error, &e) : 1;
}

#define P(name, type) SD_BUS_PROPERTY(name, type, property_get, 0, 0)
#define M(member, in, out) SD_BUS_METHOD(member, in, out, method, SD_BUS_VTABLE_UNPRIVILEGED)

const sd_bus_vtable machine1_image_vtable[] = {
        SD_BUS_VTABLE_START(0),
        P("Name", "s"),
        P("Path", "s"),
        P("Type", "s"),
        P("ReadOnly", "b"),
        P("CreationTimestamp", "t"),
        P("ModificationTimestamp", "t"),
        P("Usage", "t"),
        P("Limit", "t"),
        P("UsageExclusive", "t"),
        P("LimitExclusive", "t"),
        M("Remove", NULL, NULL),
        M("Rename", "s", NULL),
        M("Clone", "sb", NULL),
        M("MarkReadOnly", "b", NULL),
        M("SetLimit", "t", NULL),
        M("GetHostname", NULL, "s"),
        M("GetMachineID", NULL, "ay"),
        M("GetMachineInfo", NULL, "a{ss}"),
        M("GetOSRelease", NULL, "a{ss}"),
        SD_BUS_VTABLE_END,
};

/* Whatever can be an image's name has an object: file systems are not looked at here, for they may not answer. Methods and properties are
 * a worker's, which says so when there is no image. */
int machine1_image_find(sd_bus *bus, const char *path, const char *interface, void *userdata,
                        void **found, sd_bus_error *e) {
        _cleanup_free_ char *name = NULL;
        int r = sd_bus_path_decode(path, MACHINE1_IMAGE_PATH_PREFIX, &name);
        if (r <= 0)
                return r;
        if (!image_name_is_valid(name))
                return 0;
        *found = userdata;
        return 1;
}

/* Only the one that is always there: ListImages has the others. */
int machine1_image_enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                             sd_bus_error *e) {
        _cleanup_strv_free_ char **nodes = NULL;
        char *path;
        if (image_path(MACHINE1_HOST, &path) < 0 || strv_consume(&nodes, path) < 0)
                return -ENOMEM;
        *ret_nodes = TAKE_PTR(nodes);
        return 1;
}
