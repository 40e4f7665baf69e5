/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Client of org.berth.Containers1: images. */
#include "bus/manager1-image.h"

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/id.h"
#include "basic/str.h"
#include "bus/bus.h"
#include "bus/manager1.h"

#define NO_TIMEOUT UINT64_MAX

void image_info_done(ImageInfo *i) {
        free(i->name);
        free(i->type);
        free(i->path);
        *i = (ImageInfo){ 0 };
}

void image_info_list_done(ImageInfoList *l) {
        for (size_t i = 0; i < l->n; i++)
                image_info_done(l->infos + i);
        free(l->infos);
        *l = (ImageInfoList){ 0 };
}

void image_identity_done(ImageIdentity *i) {
        free(i->hostname);
        free(i->os);
        free(i->id);
        *i = (ImageIdentity){ 0 };
}

static int bad_reply(int r, Error *reterr) {
        return error_set_errno(reterr, r, ERROR_PROTOCOL,
                               "The manager's answer about images cannot be read");
}

/* ---- reading ---- */

static const struct {
        const char *property;
        char type;
        size_t offset;
} info_fields[] = {
        { "Name", 's', offsetof(ImageInfo, name) },
        { "Type", 's', offsetof(ImageInfo, type) },
        { "Path", 's', offsetof(ImageInfo, path) },
        { "ReadOnly", 'b', offsetof(ImageInfo, read_only) },
        { "CreationTimestamp", 't', offsetof(ImageInfo, birth_usec) },
        { "ModificationTimestamp", 't', offsetof(ImageInfo, modified_usec) },
        { "Usage", 't', offsetof(ImageInfo, usage) },
        { "UsageExclusive", 't', offsetof(ImageInfo, usage_exclusive) },
        { "Limit", 't', offsetof(ImageInfo, limit) },
        { "LimitExclusive", 't', offsetof(ImageInfo, limit_exclusive) },
};

static int take_text(char **at, const char *text) {
        char *safe = str_escape_for_display(text);
        if (!safe)
                return -ENOMEM;
        free(*at);
        *at = safe;
        return 0;
}

static int read_field(sd_bus_message *m, const char *property, ImageInfo *info) {
        for (size_t i = 0; i < ELEMENTSOF(info_fields); i++) {
                char *at = (char *) info + info_fields[i].offset;
                const char *text;
                int r, yes;
                if (!streq(property, info_fields[i].property))
                        continue;
                switch (info_fields[i].type) {
                case 's':
                        r = sd_bus_message_read(m, "v", "s", &text);
                        return r < 0 ? r : take_text((char **) (void *) at, text);
                case 'b':
                        r = sd_bus_message_read(m, "v", "b", &yes);
                        *(bool *) at = yes > 0;
                        return r;
                default:
                        return sd_bus_message_read(m, "v", "t", (uint64_t *) (void *) at);
                }
        }
        return sd_bus_message_skip(m, "v");
}

static int read_info(sd_bus_message *m, ImageInfo *info) {
        *info = (ImageInfo){ .usage = UINT64_MAX,
                             .usage_exclusive = UINT64_MAX,
                             .limit = UINT64_MAX,
                             .limit_exclusive = UINT64_MAX };
        int r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                const char *property;
                r = sd_bus_message_read(m, "s", &property);
                if (r >= 0)
                        r = read_field(m, property, info);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return r >= 0 && (!info->name || !info->type || !info->path) ? -EBADMSG : r;
}

static int compare_infos(const void *a, const void *b) {
        return strcmp(((const ImageInfo *) a)->name, ((const ImageInfo *) b)->name);
}

static int read_list(sd_bus_message *m, ImageInfoList *l) {
        int r = sd_bus_message_enter_container(m, 'a', "(sa{sv})");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'r', "sa{sv}")) > 0) {
                ImageInfo *info = ARRAY_APPEND(l->infos, l->n);
                if (!info)
                        return -ENOMEM;
                r = sd_bus_message_skip(m, "s");
                if (r >= 0)
                        r = read_info(m, info);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        if (r >= 0 && l->n > 0)
                qsort(l->infos, l->n, sizeof(ImageInfo), compare_infos);
        return r;
}

int manager1_list_images(sd_bus *bus, ImageInfoList *ret, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_(image_info_list_done) ImageInfoList l = { 0 };
        int r = manager1_new_call(bus, "ListImages", &m, reterr);
        if (r >= 0)
                r = manager1_call(bus, m, NO_TIMEOUT, &reply, reterr);
        if (r < 0)
                return r;
        r = read_list(reply, &l);
        if (r < 0)
                return bad_reply(r, reterr);
        *ret = l;
        l = (ImageInfoList){ 0 };
        return 0;
}

/* ---- calls about one image ---- */

static int call_name(sd_bus *bus, const char *method, const char *name, sd_bus_message **ret,
                     Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = manager1_new_call(bus, method, &m, reterr);
        if (r < 0)
                return r;
        if (sd_bus_message_append(m, "s", name) < 0)
                return error_oom(reterr);
        return manager1_call(bus, m, NO_TIMEOUT, ret, reterr);
}

int manager1_describe_image(sd_bus *bus, const char *name, ImageInfo *ret, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r = call_name(bus, "DescribeImage", name, &reply, reterr);
        if (r < 0)
                return r;
        r = read_info(reply, ret);
        if (r >= 0)
                return 0;
        image_info_done(ret);
        return bad_reply(r, reterr);
}

int manager1_measure_image(sd_bus *bus, const char *name, uint64_t *ret_files, uint64_t *ret_bytes,
                           uint64_t *ret_disk, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r = call_name(bus, "MeasureImage", name, &reply, reterr);
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "ttt", ret_files, ret_bytes, ret_disk);
        return r < 0 ? bad_reply(r, reterr) : 0;
}

static int read_os(sd_bus_message *m, char **ret) {
        const char *name, *value;
        int r = sd_bus_message_enter_container(m, 'a', "{ss}");
        while (r >= 0 && (r = sd_bus_message_read(m, "{ss}", &name, &value)) > 0)
                if (streq(name, "PRETTY_NAME"))
                        r = take_text(ret, value);
        return r;
}

int manager1_identify_image(sd_bus *bus, const char *name, ImageIdentity *ret, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *os = NULL, *id = NULL, *host = NULL;
        _cleanup_(image_identity_done) ImageIdentity i = { 0 };
        const void *bytes;
        const char *text;
        size_t size;
        int r = call_name(bus, "GetImageOSRelease", name, &os, reterr);
        if (r >= 0)
                r = call_name(bus, "GetImageHostname", name, &host, reterr);
        if (r >= 0)
                r = call_name(bus, "GetImageMachineID", name, &id, reterr);
        if (r < 0)
                return r;
        r = read_os(os, &i.os);
        if (r >= 0)
                r = sd_bus_message_read(host, "s", &text);
        if (r >= 0)
                r = take_text(&i.hostname, text);
        if (r >= 0)
                r = sd_bus_message_read_array(id, 'y', &bytes, &size);
        if (r >= 0 && size == sizeof(Id128)) {
                char digits[ID128_STRING_MAX];
                Id128 value;
                memcpy(&value, bytes, sizeof(value));
                r = free_and_strdup(&i.id, id128_to_string(value, digits));
        }
        if (r < 0)
                return bad_reply(r, reterr);
        *ret = i;
        i = (ImageIdentity){ 0 };
        return 0;
}

/* ---- changes ---- */

int manager1_clone_image(sd_bus *bus, const char *name, const char *new_name, bool read_only,
                         int progress_fd, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_close_ int fd = progress_fd;
        int r = manager1_new_call(bus, "CloneImage", &m, reterr);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "sst", name, new_name, read_only ? UINT64_C(2) : UINT64_C(0));
        if (r >= 0)
                r = fd >= 0 ? sd_bus_message_append(m, "a(sh)", 1, "Progress", fd)
                            : sd_bus_message_append(m, "a(sh)", 0);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_BUS_FAILED,
                                       "Writing the call for '%s' failed", name);
        fd = fd_close(fd); /* the message has its own, and the pipe ends with it */
        return manager1_call(bus, m, NO_TIMEOUT, &reply, reterr);
}

int manager1_rename_image(sd_bus *bus, const char *name, const char *new_name, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        int r = manager1_new_call(bus, "RenameImage", &m, reterr);
        if (r < 0)
                return r;
        if (sd_bus_message_append(m, "ss", name, new_name) < 0)
                return error_oom(reterr);
        return manager1_call(bus, m, NO_TIMEOUT, &reply, reterr);
}

int manager1_remove_image(sd_bus *bus, const char *name, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        return call_name(bus, "RemoveImage", name, &reply, reterr);
}

int manager1_mark_image(sd_bus *bus, const char *name, bool read_only, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        int r = manager1_new_call(bus, "MarkImageReadOnly", &m, reterr);
        if (r < 0)
                return r;
        if (sd_bus_message_append(m, "sb", name, (int) read_only) < 0)
                return error_oom(reterr);
        return manager1_call(bus, m, NO_TIMEOUT, &reply, reterr);
}

int manager1_limit_image(sd_bus *bus, const char *name, uint64_t bytes, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        int r = manager1_new_call(bus, name ? "SetImageLimit" : "SetPoolLimit", &m, reterr);
        if (r < 0)
                return r;
        r = name ? sd_bus_message_append(m, "st", name, bytes)
                 : sd_bus_message_append(m, "t", bytes);
        if (r < 0)
                return error_oom(reterr);
        return manager1_call(bus, m, NO_TIMEOUT, &reply, reterr);
}

int manager1_clean_pool(sd_bus *bus, bool all, ImageRemoved removed, void *userdata,
                        Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *name;
        uint64_t bytes;
        int r = call_name(bus, "CleanPool", all ? "all" : "hidden", &reply, reterr);
        if (r < 0)
                return r;
        r = sd_bus_message_enter_container(reply, 'a', "(st)");
        while (r >= 0 && (r = sd_bus_message_read(reply, "(st)", &name, &bytes)) > 0) {
                _cleanup_free_ char *safe = str_escape_for_display(name);
                r = safe ? removed(safe, bytes, userdata) : -ENOMEM;
        }
        return r < 0 ? bad_reply(r, reterr) : 0;
}
