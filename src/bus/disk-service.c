/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A transient service that executes a berth-worker for one disk image: its link is the service's standard input, its request the output.
 *
 * Nothing has to be waited for but the worker's answer: when the service cannot run, systemd closes the descriptors. */
#include "bus/disk-service.h"

#include <signal.h>

#include "basic/fd.h"
#include "basic/id.h"
#include "basic/str.h"
#include "basic/time.h"
#include "bus/bus.h"
#include "bus/names.h"
#include "ipc/spawner.h"
#include "sys/socket.h"

/* Longer than it is waited for: what has not answered then, and was not killed either, since who asked is gone. */
#define RUNTIME_MAX_USEC (70 * USEC_PER_SEC)

static int unit_name_new(char **ret) {
        char id[ID128_STRING_MAX];
        Id128 random;

        int r = id128_random(&random);
        if (r < 0)
                return r;
        *ret = strf("berth-disk-%s.service", id128_to_string(random, id));
        return *ret ? 0 : -ENOMEM;
}

static int request_new(sd_bus *bus, const char *unit, const char *name, int link_fd, int request_fd,
                       sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_free_ char *description = strf("Disk image of container %s", name);
        const char *path = worker_path();

        int r = description
                        ? sd_bus_message_new_method_call(bus, &m, SYSTEMD1_BUS_NAME, SYSTEMD1_PATH,
                                                         SYSTEMD1_MANAGER_INTERFACE,
                                                         "StartTransientUnit")
                        : -ENOMEM;
        if (r >= 0)
                r = sd_bus_message_append(m, "ss", unit, "fail");
        if (r >= 0)
                r = sd_bus_message_append(
                        m, "a(sv)", 8U, "Description", "s", description, "CollectMode", "s",
                        "inactive-or-failed", "RuntimeMaxUSec", "t", (uint64_t) RUNTIME_MAX_USEC,
                        "TimeoutStopUSec", "t", (uint64_t) (10 * USEC_PER_SEC),
                        "StandardInputFileDescriptor", "h", link_fd, "StandardOutputFileDescriptor",
                        "h", request_fd, "DefaultDependencies", "b", 0, "ExecStart", "a(sasb)", 1U,
                        path, 2U, path, "disk", 0);
        if (r >= 0)
                r = sd_bus_message_append(m, "a(sa(sv))", 0U);
        if (r >= 0)
                *ret = TAKE_PTR(m);
        return r;
}

/* It holds the image's lock and the key. Best effort: systemd does the same a little later. */
static void kill_service(sd_bus *bus, const char *unit) {
        (void) sd_bus_call_method(bus, SYSTEMD1_BUS_NAME, SYSTEMD1_PATH, SYSTEMD1_MANAGER_INTERFACE,
                                  "KillUnit", NULL, NULL, "ssi", unit, "all", (int32_t) SIGKILL);
}

int disk_attach_in_service(sd_bus *bus, const ContainerSpec *spec, const Secret *key, DiskTree *ret,
                           Error *reterr) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_free_ char *unit = NULL, *what = NULL;
        _cleanup_close_pair_ int link[2] = PAIR_EBADF;
        _cleanup_close_ int request_fd = -EBADF;

        int r = unit_name_new(&unit);
        if (r >= 0)
                r = socket_pair_seqpacket(link);
        if (r >= 0)
                r = fd_nonblock(link[0], true);
        if (r >= 0) {
                r = disk_request_new(spec, key, link[0], &request_fd, reterr);
                if (r < 0)
                        return r;
        }
        if (r >= 0)
                r = request_new(bus, unit, spec->name, link[1], request_fd, &m);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                                       "Asking systemd for a worker failed");
        what = strf("systemd does not execute a worker for disk image '%s' in unit '%s'",
                    spec_root_path(spec), unit);
        r = sd_bus_call(bus, m, 0, &error, NULL);
        if (r < 0)
                return bus_error_to_error(&error, r, reterr, what);
        /* the service's alone: if it ends, so does the link */
        m = sd_bus_message_unref(m);
        link[1] = fd_close(link[1]);
        r = disk_wait_answer(spec_root_path(spec), link[0], ret, reterr);
        if (r == -ETIMEDOUT)
                kill_service(bus, unit);
        if (r == -EIO) /* none: why it could not be executed is in its log alone */
                error_hint(reterr, "see 'journalctl -u %s'", unit);
        return r;
}
