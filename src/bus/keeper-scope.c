/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The scope of a container: its StartTransientUnit call, its cgroup, and the process it begins with.
 *
 * The process is passed by number (PIDs=, which every version takes; PIDFDs= needs systemd 255): it is our own child and not
 * yet waited for, so that its number cannot come to mean another process. */
#include "bus/keeper-scope.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "bus/keeper.h"
#include "bus/names.h"
#include "bus/systemd1.h"
#include "sys/cgroup.h"
#include "sys/syscalls.h"

#define PLACEHOLDER_NAME "berth-holder" /* at most 15 characters */
#define PLACEHOLDER_ORPHANED SIGUSR1
#define PLACEHOLDER_ORPHAN_SEC 3 /* for systemd to take a request that is on its way */
#define DEFAULT_SLICE "machine.slice"
#define DEFAULT_TASKS_MAX "TasksMax=16384"
#define STOP_MARGIN_USEC \
        (10 * USEC_PER_SEC) /* systemd's own limit for the stop lies behind the supervisor's */

/* The last value of a property, or NULL. */
static const char *property_value(const ContainerSpec *spec, const char *name) {
        const char *found = NULL;
        STRV_FOREACH(p, spec->resources.properties) {
                const char *rest = startswith(*p, name);
                if (rest && rest[0] == '=')
                        found = rest + 1;
        }
        return found;
}

static const char *scope_slice(const ContainerSpec *spec) {
        return property_value(spec, "Slice") ?: spec->resources.slice ?: DEFAULT_SLICE;
}

/* ---- the request ---- */

/* Devices that a container may open besides /dev/null and its kin, which DevicePolicy=closed allows. */
static const char *const device_rules[] = {
        "DeviceAllow=/dev/net/tun rwm",
        "DeviceAllow=char-pts rw",
        "DeviceAllow=/dev/fuse rwm",
};

/* A device node that is bound into the container can be used there. systemd takes nodes below /dev only, others by number. */
static int add_bound_device(const SpecMount *mount, char ***devices) {
        struct stat st;
        if (mount->kind != MOUNT_BIND || !mount->source || mount->from_container)
                return 0;
        if (stat(mount->source, &st) < 0 || !(S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)))
                return 0;

        const char *access = mount->read_only ? "r" : "rw";
        if (!path_startswith(mount->source, "/dev"))
                return strv_extendf(devices, "DeviceAllow=/dev/%s/%u:%u %s",
                                    S_ISCHR(st.st_mode) ? "char" : "block", major(st.st_rdev),
                                    minor(st.st_rdev), access);
        _cleanup_free_ char *node = quote_word(mount->source);
        return node ? strv_extendf(devices, "DeviceAllow=%s %s", node, access) : -ENOMEM;
}

int keeper_find_devices(const ContainerSpec *spec, char ***ret) {
        _cleanup_strv_free_ char **devices = strv_new(NULL); /* empty is not "not looked for" */
        int r = devices ? 0 : -ENOMEM;
        for (size_t i = 0; r >= 0 && i < spec->n_mounts; i++)
                r = add_bound_device(&spec->mounts[i], &devices);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(devices);
        return 0;
}

static int append_identity(sd_bus_message *m, const ContainerSpec *spec, pid_t pid) {
        _cleanup_free_ char *description =
                spec->description ? strdup(spec->description) : strf("Container %s", spec->name);
        if (!description)
                return -ENOMEM;
        int r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)(sv)", "PIDs", "au", 1, (uint32_t) pid,
                                      "Description", "s", description, "Slice", "s",
                                      scope_slice(spec), "Delegate", "b", true, "CollectMode", "s",
                                      "inactive-or-failed");
        if (r < 0)
                return r;

        const char *own_name;
        if (sd_bus_get_unique_name(sd_bus_message_get_bus(m), &own_name) >= 0)
                r = sd_bus_message_append(m, "(sv)", "Controller", "s", own_name);
        return r;
}

static int append_stop(sd_bus_message *m, const ContainerSpec *spec) {
        int r = sd_bus_message_append(m, "(sv)", "TimeoutStopUSec", "t",
                                      usec_add(spec->payload.stop_timeout_usec, STOP_MARGIN_USEC));
        if (r < 0 || spec->payload.kill_signal <= 0)
                return r;
        /* Only when nobody answers RequestStop. A scope has no main process: KillMode=mixed would be SIGKILL for all, at once. */
        return sd_bus_message_append(m, "(sv)", "KillSignal", "i",
                                     (int32_t) spec->payload.kill_signal);
}

static int append_devices(sd_bus_message *m, char *const *devices, Error *reterr) {
        int r = sd_bus_message_append(m, "(sv)", "DevicePolicy", "s", "closed");
        if (r < 0)
                return error_oom(reterr);
        for (size_t i = 0; i < ELEMENTSOF(device_rules); i++) {
                r = systemd1_append_property(m, device_rules[i], reterr);
                if (r < 0)
                        return r;
        }
        STRV_FOREACH(device, devices) {
                r = systemd1_append_property(m, *device, reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* CoredumpReceive=: the host's systemd-coredump hands core dumps to that of a container which has one. */
bool scope_has_newer_properties(const ContainerSpec *spec) {
        return spec->payload.start == START_BOOT;
}

int scope_request_new(sd_bus *bus, const ContainerSpec *spec, const char *unit, pid_t pid,
                      char *const *devices, bool newer, sd_bus_message **ret, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = sd_bus_message_new_method_call(bus, &m, SYSTEMD1_BUS_NAME, SYSTEMD1_PATH,
                                               SYSTEMD1_MANAGER_INTERFACE, "StartTransientUnit");
        if (r >= 0)
                r = sd_bus_message_append(m, "ss", unit, "fail");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(sv)");
        if (r >= 0)
                r = append_identity(m, spec, pid);
        if (r >= 0)
                r = append_stop(m, spec);
        if (r >= 0 && newer && scope_has_newer_properties(spec)) /* since 255 */
                r = sd_bus_message_append(m, "(sv)", "CoredumpReceive", "b", true);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_BUS_FAILED,
                                       "Writing the request for scope '%s' failed", unit);

        r = append_devices(m, devices, reterr);
        if (r < 0)
                return r;
        r = systemd1_append_property(m, DEFAULT_TASKS_MAX, reterr);
        if (r < 0)
                return r;
        STRV_FOREACH(p, spec->resources.properties) { /* last, so that they win */
                r = systemd1_append_property(m, *p, reterr);
                if (r < 0)
                        return r;
        }
        r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_message_append(m, "a(sa(sv))", 0);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_BUS_FAILED,
                                       "Writing the request for scope '%s' failed", unit);
        *ret = TAKE_PTR(m);
        return 0;
}

/* ---- the cgroup ---- */

/* "a-b.slice" lies in "a.slice" (systemd.slice(5)). */
static int slice_path(const char *slice, StrBuf *b) {
        const char *end = endswith(slice, ".slice");
        if (!end || end == slice)
                return -EINVAL;
        if (streq(slice, "-.slice"))
                return 0;
        for (const char *p = slice; p <= end; p++)
                if (*p == '-' || p == end) {
                        strbuf_add(b, "/");
                        strbuf_add_bytes(b, slice, (size_t) (p - slice));
                        strbuf_add(b, ".slice");
                }
        return 0;
}

int scope_cgroup_path(const ContainerSpec *spec, const char *unit, char **ret) {
        _cleanup_free_ char *manager = NULL;
        int r = cgroup_get_path(1, &manager);
        if (r < 0)
                return r;
        const char *end = endswith(manager, "/init.scope");

        StrBuf b = { 0 };
        if (end)
                strbuf_add_bytes(&b, manager, (size_t) (end - manager));
        r = slice_path(scope_slice(spec), &b);
        if (r < 0) {
                strbuf_done(&b);
                return r;
        }
        strbuf_addf(&b, "/%s", unit);
        return strbuf_finish(&b, ret);
}

/* The one process of this group is a placeholder. */
static bool holds_placeholder(int fd) {
        _cleanup_free_ char *procs = NULL, *path = NULL, *comm = NULL;
        if (cgroup_read_attribute(fd, "cgroup.procs", &procs) < 0)
                return false;
        const size_t n = strcspn(procs, "\n");
        path = strf("/proc/%.*s/comm", (int) n, procs);
        return path && n > 0 && procs[n + (procs[n] == '\n')] == '\0' &&
               file_read_all(AT_FDCWD, path, 64, &comm, NULL) >= 0 &&
               startswith(comm, PLACEHOLDER_NAME "\n");
}

int scope_is_in_use(const ContainerSpec *spec, const char *unit) {
        _cleanup_free_ char *path = NULL;
        int r = scope_cgroup_path(spec, unit, &path);
        if (r < 0)
                return r;
        _cleanup_close_ int root_fd = cgroup_open_root();
        if (root_fd < 0)
                return root_fd;
        _cleanup_close_ int fd = cgroup_open(root_fd, path);
        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;
        _cleanup_close_ int payload_fd = cgroup_open(fd, SCOPE_PAYLOAD);
        if (payload_fd >= 0)
                return cgroup_is_populated(payload_fd);
        /* a placeholder is left, or is there yet */
        _cleanup_close_ int holder_fd = cgroup_open(fd, SCOPE_HOLDER);
        if (holds_placeholder(fd) || (holder_fd >= 0 && holds_placeholder(holder_fd)))
                return 0;
        return cgroup_is_populated(fd);
}

/* The directory of the scope's slice. */
static int open_slice(const ContainerSpec *spec, const char *unit, int root_fd) {
        _cleanup_free_ char *path = NULL, *slice = NULL;
        int r = scope_cgroup_path(spec, unit, &path);
        if (r >= 0)
                r = path_extract_directory(path, &slice);
        return r < 0 ? r : cgroup_open(root_fd, slice);
}

int scope_prepare(const ContainerSpec *spec, const char *unit, int *ret_fd) {
        *ret_fd = -EBADF;
        struct statfs fs;
        if (statfs("/sys/fs/cgroup", &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC)
                return 0; /* hybrid: a process has to be moved into each v1 hierarchy for its limits */
        _cleanup_close_ int root_fd = cgroup_open_root();
        if (root_fd < 0)
                return root_fd;
        _cleanup_close_ int slice_fd = open_slice(spec, unit, root_fd);
        if (slice_fd < 0)
                return slice_fd == -ENOENT ? 0 : slice_fd;
        if (mkdirat(slice_fd, unit, 0755) < 0)
                return errno == EEXIST ? 0 : -errno;
        _cleanup_close_ int fd = cgroup_open(slice_fd, unit);
        if (fd < 0) {
                (void) unlinkat(slice_fd, unit, AT_REMOVEDIR); /* just made, empty */
                return fd;
        }
        *ret_fd = TAKE_FD(fd);
        return 0;
}

bool scope_is_configured(int fd) {
        char value[8];
        return fgetxattr(fd, "trusted.delegate", value, sizeof(value)) > 0;
}

void scope_abandon(const ContainerSpec *spec, const char *unit, int fd) {
        (void) cgroup_kill(fd); /* no process, no file: fine */
        _cleanup_close_ int root_fd = cgroup_open_root();
        _cleanup_close_ int slice_fd = root_fd < 0 ? root_fd : open_slice(spec, unit, root_fd);
        for (unsigned i = 0; slice_fd >= 0 && !scope_is_configured(fd) && i < 50; i++) {
                int r = cgroup_remove(slice_fd, unit);
                if (r != -EBUSY)
                        break;
                (void) usleep(1000); /* the kernel takes its time to bury them */
        }
}

/* ---- the placeholder ---- */

/* It outlives its keeper by some time: a process that ends while systemd makes the scope is not missed there, for one that is just ending
 * cannot be moved, without an error; the scope would stay, empty, and "running". */
static _noreturn_ void placeholder_main(pid_t parent) {
        sigset_t orphaned;
        sigemptyset(&orphaned);
        sigaddset(&orphaned, PLACEHOLDER_ORPHANED);
        (void) signal(SIGTERM, SIG_DFL); /* who stops the scope stops it */
        (void) sigprocmask(SIG_SETMASK, &orphaned, NULL);
        (void) prctl(PR_SET_PDEATHSIG, PLACEHOLDER_ORPHANED); /* cannot fail with a valid signal */
        (void) prctl(PR_SET_NAME, PLACEHOLDER_NAME);
        (void) sys_close_range(0, ~0U, 0); /* nothing of the keeper's may stay open here */
        while (getppid() == parent && sigwaitinfo(&orphaned, NULL) != PLACEHOLDER_ORPHANED)
                ;
        const struct timespec t = { .tv_sec = PLACEHOLDER_ORPHAN_SEC };
        (void) nanosleep(&t, NULL);
        _exit(0);
}

int placeholder_new(int cgroup_fd, PidRef *ret) {
        PidRef p = PIDREF_NULL;
        struct clone_args args = {
                .flags = CLONE_PIDFD | (cgroup_fd >= 0 ? CLONE_INTO_CGROUP : 0),
                .pidfd = (uint64_t) (uintptr_t) &p.fd,
                .exit_signal = SIGCHLD,
                .cgroup = cgroup_fd >= 0 ? (uint64_t) cgroup_fd : 0,
        };
        pid_t self = getpid();
        p.pid = sys_clone3(&args);
        if (p.pid < 0)
                return -errno;
        if (p.pid == 0)
                placeholder_main(self);
        *ret = p;
        return 0;
}
