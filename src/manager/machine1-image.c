/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine1: images. Methods are those of manager/image-operation.h; here is what machined's signatures and objects need besides. */
#include <stdio.h>

#include "basic/alloc.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "bus/bus.h"
#include "bus/names.h"
#include "manager/image-object.h"
#include "manager/machine1.h"

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

int machine1_image_properties(sd_bus_message *call, void *userdata, sd_bus_error *reterr_error) {
        return image_object_properties(userdata, call, MACHINE1_IMAGE_PATH_PREFIX,
                                       MACHINE1_IMAGE_INTERFACE, reterr_error);
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

#define M(member, in, out) SD_BUS_METHOD(member, in, out, method, SD_BUS_VTABLE_UNPRIVILEGED)

const sd_bus_vtable machine1_image_vtable[] = {
        SD_BUS_VTABLE_START(0),           IMAGE_OBJECT_PROPERTIES,
        M("Remove", NULL, NULL),          M("Rename", "s", NULL),
        M("Clone", "sb", NULL),           M("MarkReadOnly", "b", NULL),
        M("SetLimit", "t", NULL),         M("GetHostname", NULL, "s"),
        M("GetMachineID", NULL, "ay"),    M("GetMachineInfo", NULL, "a{ss}"),
        M("GetOSRelease", NULL, "a{ss}"), SD_BUS_VTABLE_END,
};

int machine1_image_find(sd_bus *bus, const char *path, const char *interface, void *userdata,
                        void **found, sd_bus_error *e) {
        return image_object_find(path, MACHINE1_IMAGE_PATH_PREFIX, userdata, found);
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
