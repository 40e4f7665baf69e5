/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Client of org.berth.Containers1: snapshots of images. */
#include <sys/mman.h>
#include <sys/stat.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/str.h"
#include "bus/bus.h"
#include "bus/manager1-image.h"
#include "bus/manager1.h"

#define NO_TIMEOUT UINT64_MAX

static int bad_reply(int r, Error *reterr) {
        return error_set_errno(reterr, r, ERROR_PROTOCOL,
                               "The manager's answer about snapshots cannot be read");
}

void snapshot_info_list_done(SnapshotInfoList *l) {
        for (size_t i = 0; i < l->n; i++) {
                free(l->infos[i].image);
                free(l->infos[i].name);
                free(l->infos[i].type);
                free(l->infos[i].path);
        }
        free(l->infos);
        *l = (SnapshotInfoList){ 0 };
}

static int read_list(sd_bus_message *m, SnapshotInfoList *l) {
        const char *image, *name, *type, *path;
        uint64_t taken, usage;
        int named, r = sd_bus_message_enter_container(m, 'a', "(ssbtsts)");
        while (r >= 0 && (r = sd_bus_message_read(m, "(ssbtsts)", &image, &name, &named, &taken,
                                                  &type, &usage, &path)) > 0) {
                SnapshotInfo *i = ARRAY_APPEND(l->infos, l->n);
                if (!i)
                        return -ENOMEM;
                *i = (SnapshotInfo){ .image = str_escape_for_display(image),
                                     .name = str_escape_for_display(name),
                                     .type = str_escape_for_display(type),
                                     .path = str_escape_for_display(path),
                                     .named = named,
                                     .taken_usec = taken,
                                     .usage = usage };
                if (!i->image || !i->name || !i->type || !i->path)
                        return -ENOMEM;
        }
        return r;
}

int manager1_list_snapshots(sd_bus *bus, const char *name, SnapshotInfoList *ret, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_(snapshot_info_list_done) SnapshotInfoList l = { 0 };
        int r = manager1_new_call(bus, "ListSnapshots", &m, reterr);
        if (r < 0)
                return r;
        if (sd_bus_message_append(m, "s", name) < 0)
                return error_oom(reterr);
        r = manager1_call(bus, m, NO_TIMEOUT, &reply, reterr);
        if (r < 0)
                return r;
        r = read_list(reply, &l);
        if (r < 0)
                return bad_reply(r, reterr);
        *ret = l;
        l = (SnapshotInfoList){ 0 };
        return 0;
}

/* The call's descriptors, and its answer: a name. */
static int call_with_progress(sd_bus *bus, sd_bus_message *m, int take_fd, char **ret,
                              Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *name;
        int r = take_fd >= 0 ? sd_bus_message_append(m, "a(sh)", 1, "Progress", take_fd)
                             : sd_bus_message_append(m, "a(sh)", 0);
        fd_close(take_fd); /* the message has its own, and the pipe ends with it */
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_BUS_FAILED, "Writing the call failed");
        r = manager1_call(bus, m, NO_TIMEOUT, &reply, reterr);
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "s", &name);
        if (r < 0)
                return bad_reply(r, reterr);
        *ret = str_escape_for_display(name);
        return *ret ? 0 : error_oom(reterr);
}

int manager1_create_snapshot(sd_bus *bus, const char *name, const char *as, bool force,
                             int progress_fd, char **ret_name, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_close_ int fd = progress_fd;
        int r = manager1_new_call(bus, "CreateSnapshot", &m, reterr);
        if (r < 0)
                return r;
        if (sd_bus_message_append(m, "sst", name, strempty(as), force ? UINT64_C(1) : UINT64_C(0)) <
            0)
                return error_oom(reterr);
        return call_with_progress(bus, m, TAKE_FD(fd), ret_name, reterr);
}

int manager1_roll_back_image(sd_bus *bus, const char *name, const char *snapshot, int progress_fd,
                             char **ret_kept, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_close_ int fd = progress_fd;
        int r = manager1_new_call(bus, "RollBackImage", &m, reterr);
        if (r < 0)
                return r;
        if (sd_bus_message_append(m, "ss", name, snapshot) < 0)
                return error_oom(reterr);
        return call_with_progress(bus, m, TAKE_FD(fd), ret_kept, reterr);
}

int manager1_remove_snapshot(sd_bus *bus, const char *name, const char *snapshot, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        int r = manager1_new_call(bus, "RemoveSnapshot", &m, reterr);
        if (r < 0)
                return r;
        if (sd_bus_message_append(m, "ss", name, snapshot) < 0)
                return error_oom(reterr);
        return manager1_call(bus, m, NO_TIMEOUT, &reply, reterr);
}

int manager1_prune_snapshots(sd_bus *bus, const char *name, uint64_t keep, usec_t max_age_usec,
                             ImageRemoved removed, void *userdata, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        const char *gone;
        uint64_t bytes;
        int r = manager1_new_call(bus, "PruneSnapshots", &m, reterr);
        if (r < 0)
                return r;
        if (sd_bus_message_append(m, "stt", name, keep, max_age_usec) < 0)
                return error_oom(reterr);
        r = manager1_call(bus, m, NO_TIMEOUT, &reply, reterr);
        if (r < 0)
                return r;
        r = sd_bus_message_enter_container(reply, 'a', "(st)");
        while (r >= 0 && (r = sd_bus_message_read(reply, "(st)", &gone, &bytes)) > 0) {
                _cleanup_free_ char *safe = str_escape_for_display(gone);
                r = safe ? removed(safe, bytes, userdata) : -ENOMEM;
        }
        return r < 0 ? bad_reply(r, reterr) : 0;
}

/* Another one's file cannot change under us only if it is sealed. */
static int map_changes(int fd, const char **ret, size_t *ret_size) {
        struct stat st;
        const int seals = fcntl(fd, F_GET_SEALS);
        if (seals < 0 || (seals & (F_SEAL_WRITE | F_SEAL_SHRINK)) != (F_SEAL_WRITE | F_SEAL_SHRINK))
                return -EBADMSG;
        if (fstat(fd, &st) < 0)
                return -errno;
        *ret_size = (size_t) st.st_size;
        if (st.st_size == 0)
                return 0;
        void *p = mmap(NULL, *ret_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED)
                return -errno;
        *ret = p;
        return 0;
}

int snapshot_changes_read(int fd, SnapshotChanged changed, void *userdata) {
        const char *map = NULL;
        size_t size = 0;
        int r = map_changes(fd, &map, &size);
        if (r >= 0 && size > 0 && map[size - 1] != '\0')
                r = -EBADMSG;
        for (size_t at = 0; r >= 0 && at < size; at += strlen(map + at) + 1) {
                const char *p = map + at;
                if (!p[0] || !p[1] || !p[2]) {
                        r = -EBADMSG;
                        break;
                }
                _cleanup_free_ char *safe = str_escape_for_display(p + 2);
                r = safe ? changed(p[0], p[1], safe, userdata) : -ENOMEM;
        }
        if (map)
                (void) munmap((void *) map, size); /* was only read */
        return r;
}

static int read_changes(sd_bus_message *m, SnapshotChanged changed, void *userdata) {
        const char *change, *kind, *path;
        int r = sd_bus_message_enter_container(m, 'a', "(sss)");
        while (r >= 0 && (r = sd_bus_message_read(m, "(sss)", &change, &kind, &path)) > 0) {
                _cleanup_free_ char *safe = str_escape_for_display(path);
                r = safe ? changed(change[0], kind[0], safe, userdata) : -ENOMEM;
        }
        return r;
}

int manager1_compare_snapshot(sd_bus *bus, const char *name, const char *snapshot, bool by_file,
                              SnapshotChanged changed, void *userdata, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        int fd, r = manager1_new_call(bus, by_file ? "OpenSnapshotChanges" : "CompareSnapshot", &m,
                                      reterr);
        if (r < 0)
                return r;
        if (sd_bus_message_append(m, "ss", name, strempty(snapshot)) < 0)
                return error_oom(reterr);
        r = manager1_call(bus, m, NO_TIMEOUT, &reply, reterr);
        if (r < 0)
                return r;
        if (!by_file)
                r = read_changes(reply, changed, userdata);
        else {
                r = sd_bus_message_read(reply, "h", &fd);
                if (r >= 0)
                        r = snapshot_changes_read(fd, changed, userdata); /* the message's */
        }
        return r < 0 ? bad_reply(r, reterr) : 0;
}
