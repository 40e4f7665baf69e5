/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Objects of images on the bus, below org.berth.Containers1 and org.freedesktop.machine1. Whatever can be an image's name has one: file
 * systems are not looked at by the manager, for they may not answer. Methods and properties are a worker's, which says so when there is no
 * image; so objects are not enumerated either. */
#pragma once

#include "manager/image-operation.h"

/* Get and GetAll of an object's properties are answered here, before the vtable is asked. 1: it is the worker's now; 0: it is none of these. */
int image_object_properties(Manager *m, sd_bus_message *call, const char *prefix,
                            const char *interface, sd_bus_error *reterr_error);
/* Nobody gets here. */
int image_object_property_get(sd_bus *bus, const char *path, const char *interface,
                              const char *property, sd_bus_message *reply, void *userdata,
                              sd_bus_error *reterr_error);
/* For sd_bus_object_find_t: *found is userdata. */
int image_object_find(const char *path, const char *prefix, void *userdata, void **found);

#define IMAGE_OBJECT_PROPERTY(name, type) \
        SD_BUS_PROPERTY(name, type, image_object_property_get, 0, 0)
#define IMAGE_OBJECT_PROPERTIES                                                             \
        IMAGE_OBJECT_PROPERTY("Name", "s"), IMAGE_OBJECT_PROPERTY("Path", "s"),             \
                IMAGE_OBJECT_PROPERTY("Type", "s"), IMAGE_OBJECT_PROPERTY("ReadOnly", "b"), \
                IMAGE_OBJECT_PROPERTY("CreationTimestamp", "t"),                            \
                IMAGE_OBJECT_PROPERTY("ModificationTimestamp", "t"),                        \
                IMAGE_OBJECT_PROPERTY("Usage", "t"), IMAGE_OBJECT_PROPERTY("Limit", "t"),   \
                IMAGE_OBJECT_PROPERTY("UsageExclusive", "t"),                               \
                IMAGE_OBJECT_PROPERTY("LimitExclusive", "t")

/* The Manager's GetImage. */
int body_get_image_object(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
/* org.berth.Containers1.Image, in bus-image.c. userdata: the Manager. */
extern const sd_bus_vtable image_vtable[];
int bus_image_find(sd_bus *bus, const char *path, const char *interface, void *userdata,
                   void **found, sd_bus_error *e);
int image_properties(sd_bus_message *call, void *userdata, sd_bus_error *reterr_error);
