/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.berth.Containers1.Image: methods are the manager's, without the word "Image" and the name, which comes from the path. */
#include "bus/names.h"
#include "manager/access.h"
#include "manager/image-object.h"

int image_properties(sd_bus_message *call, void *userdata, sd_bus_error *reterr_error) {
        return image_object_properties(userdata, call, BERTH_IMAGE_PATH_PREFIX,
                                       BERTH_IMAGE_INTERFACE, reterr_error);
}

int bus_image_find(sd_bus *bus, const char *path, const char *interface, void *userdata,
                   void **found, sd_bus_error *e) {
        return image_object_find(path, BERTH_IMAGE_PATH_PREFIX, userdata, found);
}

static int append_path(const ImageRow *row, void *userdata) {
        _cleanup_free_ char *path = NULL;
        int r = sd_bus_path_encode(BERTH_IMAGE_PATH_PREFIX, row->name, &path);
        return r < 0 ? r : sd_bus_message_append(userdata, "o", path);
}

static int append_object(sd_bus_message *m, const OperationResult *result) {
        return image_rows_read(result, append_path, m);
}

int body_get_image_object(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        return image_look(m, call, container, OPERATION_IMAGE_DESCRIBE, append_object, reterr);
}

const sd_bus_vtable image_vtable[] = {
        SD_BUS_VTABLE_START(0),
        IMAGE_OBJECT_PROPERTIES,
        /* clang-format off */
        SD_BUS_METHOD_WITH_ARGS("Describe", SD_BUS_NO_ARGS, SD_BUS_RESULT("a{sv}", properties), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Measure", SD_BUS_NO_ARGS, SD_BUS_RESULT("t", files, "t", bytes, "t", disk_bytes), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetHostname", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", hostname), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetMachineID", SD_BUS_NO_ARGS, SD_BUS_RESULT("ay", id), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetMachineInfo", SD_BUS_NO_ARGS, SD_BUS_RESULT("a{ss}", fields), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetOSRelease", SD_BUS_NO_ARGS, SD_BUS_RESULT("a{ss}", fields), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Clone", SD_BUS_ARGS("s", new_name, "t", flags, "a(sh)", descriptors), SD_BUS_NO_RESULT, access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Rename", SD_BUS_ARGS("s", new_name), SD_BUS_NO_RESULT, access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Remove", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("MarkReadOnly", SD_BUS_ARGS("b", read_only), SD_BUS_NO_RESULT, access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetLimit", SD_BUS_ARGS("t", bytes), SD_BUS_NO_RESULT, access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListSnapshots", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(ssbtsts)", snapshots), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CreateSnapshot", SD_BUS_ARGS("s", snapshot, "t", flags, "a(sh)", descriptors), SD_BUS_RESULT("s", taken), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RollBack", SD_BUS_ARGS("s", snapshot, "a(sh)", descriptors), SD_BUS_RESULT("s", kept), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RemoveSnapshot", SD_BUS_ARGS("s", snapshot), SD_BUS_NO_RESULT, access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("PruneSnapshots", SD_BUS_ARGS("t", keep, "t", max_age_usec), SD_BUS_RESULT("a(st)", removed), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        /* clang-format on */
        SD_BUS_VTABLE_END,
};
