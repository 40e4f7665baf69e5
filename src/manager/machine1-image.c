/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine1: images. What is a directory in the search path is found, listed and described; nothing is changed yet. */
#include <sys/stat.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/time.h"
#include "bus/bus.h"
#include "bus/names.h"
#include "image/image-find.h"
#include "manager/machine1.h"

/* ---- one image ---- */

static int image_path(const char *name, char **ret) {
        return sd_bus_path_encode(MACHINE1_IMAGE_PATH_PREFIX, name, ret);
}

static int image_directory(const char *name, char **ret, Error *reterr) {
        if (streq(name, MACHINE1_HOST))
                return free_and_strdup(ret, "/") < 0 ? error_oom(reterr) : 0;
        return image_find(name, ret, reterr);
}

int body_get_image(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        _cleanup_free_ char *directory = NULL, *path = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        const char *name;
        int r = sd_bus_message_read(call, "s", &name);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_PROTOCOL, "The call cannot be read");
        r = image_directory(name, &directory, &e);
        /* one of a kind that berth cannot start is an image all the same */
        if (r < 0 && e.id == ERROR_INVALID_NAME)
                return error_set(reterr, -ENOENT, ERROR_ROOT_NOT_FOUND, "No image of that name");
        if (r < 0 && e.id != ERROR_UNSUPPORTED)
                return error_take(reterr, &e);
        r = image_path(name, &path);
        if (r >= 0)
                r = sd_bus_reply_method_return(call, "o", path);
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED, "Writing the reply failed") : 0;
}

/* ---- the list ---- */

/* When it was made, where the file system knows that; else 0. */
static usec_t birth_time(const char *directory) {
        struct statx sx;
        if (statx(AT_FDCWD, directory, AT_STATX_DONT_SYNC, STATX_BTIME, &sx) < 0 ||
            !(sx.stx_mask & STATX_BTIME))
                return 0;
        return (usec_t) sx.stx_btime.tv_sec * USEC_PER_SEC + sx.stx_btime.tv_nsec / 1000U;
}

static bool is_read_only(const char *directory) {
        return access(directory, W_OK) < 0 && errno == EROFS;
}

static int append_image(sd_bus_message *m, const char *name) {
        _cleanup_free_ char *directory = NULL, *path = NULL;
        if (image_directory(name, &directory, NULL) < 0)
                return 0; /* it has gone meanwhile, or is of a kind that berth cannot start */
        int r = image_path(name, &path);
        return r < 0 ? r
                     : sd_bus_message_append(m, "(ssbttto)", name, "directory",
                                             (int) is_read_only(directory), birth_time(directory),
                                             (uint64_t) 0, UINT64_MAX, path);
}

int body_list_images(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_strv_free_ char **names = NULL;
        int r = image_list(&names, reterr);
        if (r < 0)
                return r;
        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(ssbttto)");
        STRV_FOREACH(name, names)
                if (r >= 0)
                        r = append_image(reply, *name);
        if (r >= 0)
                r = append_image(reply, MACHINE1_HOST);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED, "Writing the reply failed") : 0;
}

/* ---- objects ---- */

static int property_get(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, sd_bus_error *reterr_error) {
        _cleanup_free_ char *name = NULL, *directory = NULL;
        int r = sd_bus_path_decode(path, MACHINE1_IMAGE_PATH_PREFIX, &name);
        if (r <= 0 || image_directory(name, &directory, NULL) < 0)
                return -ENOENT;
        if (streq(property, "Name"))
                return sd_bus_message_append(reply, "s", name);
        if (streq(property, "Path"))
                return sd_bus_message_append(reply, "s", directory);
        if (streq(property, "Type"))
                return sd_bus_message_append(reply, "s", "directory");
        if (streq(property, "ReadOnly"))
                return sd_bus_message_append(reply, "b", (int) is_read_only(directory));
        if (streq(property, "CreationTimestamp"))
                return sd_bus_message_append(reply, "t", birth_time(directory));
        if (streq(property, "ModificationTimestamp"))
                return sd_bus_message_append(reply, "t", (uint64_t) 0);
        return sd_bus_message_append(reply, "t", UINT64_MAX); /* sizes are not known */
}

static int method(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        return sd_bus_error_setf(reterr_error, SD_BUS_ERROR_NOT_SUPPORTED, "berth has no '%s' yet",
                                 strempty(sd_bus_message_get_member(m)));
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

int machine1_image_find(sd_bus *bus, const char *path, const char *interface, void *userdata,
                        void **found, sd_bus_error *e) {
        _cleanup_free_ char *name = NULL, *directory = NULL;
        int r = sd_bus_path_decode(path, MACHINE1_IMAGE_PATH_PREFIX, &name);
        if (r <= 0)
                return r;
        if (image_directory(name, &directory, NULL) < 0)
                return 0;
        *found = userdata;
        return 1;
}

int machine1_image_enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                             sd_bus_error *e) {
        _cleanup_strv_free_ char **names = NULL, **nodes = NULL;
        char *path;
        if (image_list(&names, NULL) < 0 || strv_extend(&names, MACHINE1_HOST) < 0)
                return -ENOMEM;
        STRV_FOREACH(name, names)
                if (image_path(*name, &path) < 0 || strv_consume(&nodes, path) < 0)
                        return -ENOMEM;
        *ret_nodes = TAKE_PTR(nodes);
        return 1;
}
