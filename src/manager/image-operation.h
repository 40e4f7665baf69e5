/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The care of images on the bus. Every method, of org.berth.Containers1 and of org.freedesktop.machine1, starts an operation; the
 * manager itself looks at no image. */
#pragma once

#include "manager/operation.h"

/* One of an answer of IMAGE_LIST or IMAGE_DESCRIBE; the strings are the answer's. */
typedef struct ImageRow {
        const char *name, *kind, *path;
        bool read_only;
        uint64_t birth_usec, modified_usec, usage, usage_exclusive, limit, limit_exclusive;
} ImageRow;
/* Called for each; a negative result ends it, and is returned. */
typedef int (*ImageRowVisit)(const ImageRow *row, void *userdata);
/* -EBADMSG: it is no such answer. */
int image_rows_read(const OperationResult *result, ImageRowVisit visit, void *userdata);

/* Writes what the method returns. */
typedef int (*ImageReply)(sd_bus_message *reply, const OperationResult *result);
/* Starts it, and replies when it is done. */
int image_operation_start(Manager *m, sd_bus_message *call, const OperationRequest *q,
                          const char *name, ImageReply reply, Error *reterr);
/* One that only looks at an image: that of this name, or NULL: of the call's first argument. ERROR_ROOT_NOT_FOUND: it is no name. */
int image_look(Manager *m, sd_bus_message *call, const char *name, OperationType type,
               ImageReply reply, Error *reterr);

/* Bodies for both interfaces: the name is `container`, or the first argument. */
int body_image_hostname(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_image_machine_id(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_image_machine_info(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_image_os_release(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_image_rename(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_image_remove(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_image_mark(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_image_limit(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_pool_limit(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_pool_clean(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
/* of org.berth.Containers1 */
int body_list_images(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_describe_image(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_measure_image(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_clone_image(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_list_snapshots(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_create_snapshot(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_roll_back_image(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_remove_snapshot(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_prune_snapshots(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_compare_snapshot(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
int body_open_changes(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
/* of org.freedesktop.machine1 */
int body_machine_list_images(Manager *m, sd_bus_message *call, const char *container,
                             Error *reterr);
int body_machine_clone_image(Manager *m, sd_bus_message *call, const char *container,
                             Error *reterr);
