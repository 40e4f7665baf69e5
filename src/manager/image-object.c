/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Objects of images: properties, which a worker finds out, for both interfaces. */
#include "manager/image-object.h"

#include "basic/alloc.h"
#include "basic/str.h"
#include "bus/bus.h"
#include "image/image.h"
#include "manager/machine1.h"

#define PROPERTIES_INTERFACE "org.freedesktop.DBus.Properties"

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

/* 1: *ret is wanted of this interface. */
static int read_wanted(sd_bus_message *call, const char *interface, ImageReply *ret) {
        const char *wanted, *property;
        const bool all = sd_bus_message_is_method_call(call, PROPERTIES_INTERFACE, "GetAll") > 0;
        if (!all && sd_bus_message_is_method_call(call, PROPERTIES_INTERFACE, "Get") <= 0)
                return 0;
        int r = sd_bus_message_read(call, all ? "s" : "ss", &wanted, &property);
        if (r < 0)
                return r;
        /* others are the library's to answer */
        if (!isempty(wanted) && !streq(wanted, interface))
                return sd_bus_message_rewind(call, true) < 0 ? -EBADMSG : 0;
        *ret = all ? append_all : NULL;
        for (size_t i = 0; !all && i < ELEMENTSOF(getters); i++)
                if (streq(property, getters[i].name))
                        *ret = getters[i].append;
        if (!*ret)
                return sd_bus_message_rewind(call, true) < 0 ? -EBADMSG : 0;
        return 1;
}

int image_object_properties(Manager *m, sd_bus_message *call, const char *prefix,
                            const char *interface, sd_bus_error *reterr_error) {
        _cleanup_free_ char *name = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        ImageReply reply = NULL;
        int r = sd_bus_path_decode(sd_bus_message_get_path(call), prefix, &name);
        if (r <= 0 || !image_name_is_valid(name))
                return 0;
        r = read_wanted(call, interface, &reply);
        if (r <= 0)
                return r;
        const OperationRequest q = { .type = OPERATION_IMAGE_DESCRIBE };
        m->caller_uid = (uid_t) -1; /* was not asked: who may call may look */
        r = image_operation_start(m, call, &q, name, reply, &e);
        return r < 0 ? bus_error_from_error_for(call, reterr_error, &e) : 1;
}

int image_object_property_get(sd_bus *bus, const char *path, const char *interface,
                              const char *property, sd_bus_message *reply, void *userdata,
                              sd_bus_error *reterr_error) {
        return -ENOENT;
}

int image_object_find(const char *path, const char *prefix, void *userdata, void **found) {
        _cleanup_free_ char *name = NULL;
        int r = sd_bus_path_decode(path, prefix, &name);
        if (r <= 0)
                return r;
        if (!image_name_is_valid(name))
                return 0;
        *found = userdata;
        return 1;
}
