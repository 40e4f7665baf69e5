/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A systemd1 that only knows StartTransientUnit, and fails on demand: what it does depends on the unit's name. It really moves the process
 * into a cgroup of the unit's name, below the test's own. */
#pragma once

#include <inttypes.h>
#include <sys/mount.h>
#include <sys/xattr.h>

#include "fake/private-bus.h"
#include "sys/cgroup.h"

typedef struct FakeSystemd {
        int cgroup_fd; /* units' groups are made here */
        unsigned calls, polls;
        uint32_t job;
        char unit[128], job_path[64];
} FakeSystemd;

static inline void fake_job_removed(sd_bus *bus, const FakeSystemd *f, const char *result) {
        (void) sd_bus_emit_signal(bus, "/org/freedesktop/systemd1",
                                  "org.freedesktop.systemd1.Manager", "JobRemoved", "uoss", f->job,
                                  f->job_path, f->unit, result);
}

static inline int fake_active_state(sd_bus *bus, const char *path, const char *interface,
                                    const char *property, sd_bus_message *reply, void *userdata,
                                    sd_bus_error *e) {
        FakeSystemd *f = userdata;
        bool busy = strstr(f->unit, "slow") && ++f->polls <= 1;
        return sd_bus_message_append(reply, "s", busy ? "activating" : "active");
}

static const sd_bus_vtable fake_unit_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("ActiveState", "s", fake_active_state, 0, 0),
        SD_BUS_VTABLE_END,
};

static inline uint32_t fake_read_pid(sd_bus_message *m) {
        uint32_t pid = 0;
        const char *name;
        if (sd_bus_message_enter_container(m, 'a', "(sv)") < 0)
                return 0;
        while (sd_bus_message_enter_container(m, 'r', "sv") > 0) {
                if (sd_bus_message_read(m, "s", &name) < 0)
                        return 0;
                if (streq(name, "PIDs")) {
                        if (sd_bus_message_read(m, "v", "au", 1, &pid) < 0)
                                return 0;
                } else if (sd_bus_message_skip(m, "v") < 0)
                        return 0;
                (void) sd_bus_message_exit_container(m);
        }
        return pid;
}

static inline int fake_start_transient(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        FakeSystemd *f = userdata;
        sd_bus *bus = sd_bus_message_get_bus(m);
        const char *unit;
        if (sd_bus_message_read(m, "ss", &unit, NULL) < 0)
                return -EINVAL;
        f->calls++;
        f->job++;
        (void) snprintf(f->unit, sizeof(f->unit), "%s", unit);
        (void) snprintf(f->job_path, sizeof(f->job_path), "/org/freedesktop/systemd1/job/%" PRIu32,
                        f->job);
        if (strstr(unit, "taken"))
                return sd_bus_error_set(e, "org.freedesktop.systemd1.UnitExists", "Unit exists.");
        if (strstr(unit, "refused"))
                return sd_bus_error_set(e, SD_BUS_ERROR_INVALID_ARGS, "That is no good.");
        if (strstr(unit, "lost") && f->calls == 1)
                return sd_bus_error_set(e, SD_BUS_ERROR_NO_REPLY, "Re-executing.");
        if (strstr(unit, "crash"))
                _exit(1);

        uint32_t pid = fake_read_pid(m);
        if (f->cgroup_fd >= 0 && !strstr(unit, "elsewhere")) {
                int fd = cgroup_make(f->cgroup_fd, unit);
                if (fd < 0 || cgroup_attach(fd, (pid_t) pid) < 0 ||
                    fsetxattr(fd, "trusted.delegate", "1", 1, 0) < 0)
                        return -EIO;
                close(fd);
        }
        if (strstr(unit, "silent")) {
                char *path = NULL;
                (void) sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit, &path);
                (void) sd_bus_add_object_vtable(bus, NULL, path, "org.freedesktop.systemd1.Unit",
                                                fake_unit_vtable, f);
                free(path);
        }
        const char *result = strstr(unit, "failed") ? "failed" : "done";
        if (strstr(unit, "early"))
                fake_job_removed(bus, f, result);
        int r = sd_bus_reply_method_return(m, "o", f->job_path);
        if (r >= 0 && !strstr(unit, "early") && !strstr(unit, "silent"))
                fake_job_removed(bus, f, result);
        return r;
}

static const sd_bus_vtable fake_systemd_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("StartTransientUnit", "ssa(sv)a(sa(sv))", "o", fake_start_transient,
                      SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

/* Directory for units' cgroups, below the caller's own; -errno where there is no cgroup v2 to be had. The test is in a mount
 * namespace of its own. */
static inline int fake_cgroup_new(char **ret_name) {
        if (mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL) < 0)
                return -errno;
        _cleanup_free_ char *own = NULL;
        _cleanup_close_ int root_fd = cgroup_open_root();
        int r = root_fd < 0 ? root_fd : cgroup_get_path(0, &own);
        if (r < 0)
                return r;
        _cleanup_close_ int own_fd = cgroup_open(root_fd, own);
        char *name = strf("berth-test-%d", (int) getpid());
        r = own_fd < 0 ? own_fd : name ? cgroup_make(own_fd, name) : -ENOMEM;
        *ret_name = name;
        return r;
}

static inline void fake_cgroup_remove(const char *name) {
        _cleanup_free_ char *own = NULL;
        _cleanup_close_ int root_fd = cgroup_open_root();
        if (root_fd < 0 || cgroup_get_path(0, &own) < 0)
                return;
        _cleanup_close_ int own_fd = cgroup_open(root_fd, own);
        for (unsigned i = 0; own_fd >= 0 && i < 100 && cgroup_remove(own_fd, name) == -EBUSY; i++)
                usleep(10000);
}
