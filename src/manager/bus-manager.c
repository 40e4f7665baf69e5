/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.berth.Containers1.Manager: the methods' bodies, and the table that says who may call them. */
#include <inttypes.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/log.h"
#include "basic/str.h"
#include "bus/bus.h"
#include "bus/names.h"
#include "manager/access.h"
#include "manager/container-usage.h"
#include "manager/image-object.h"
#include "manager/operation.h"
#include "sys/cgroup.h"

static int bad_arguments(int r, Error *reterr) {
        return error_set_errno(reterr, r, ERROR_PROTOCOL,
                               "The arguments of the call cannot be read");
}

static int replied(int r, Error *reterr) {
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED, "Writing the reply failed") : 0;
}

/* ---- looking ---- */

static int body_describe(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        const Container *c = container_find(m, container, reterr);
        if (!c)
                return -ENXIO;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_close_ int root = cgroup_open_root();
        int r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = container_append_properties(c, root, MEASURE_ALL, reply);
        if (r >= 0)
                r = sd_bus_send(m->bus, reply, NULL);
        return replied(r, reterr);
}

static int body_get(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        const Container *c = container_find(m, container, reterr);
        return c ? replied(sd_bus_reply_method_return(call, "o", c->path), reterr) : -ENXIO;
}

static int body_get_by_pid(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        uint32_t pid;
        int r = sd_bus_message_read(call, "u", &pid);
        if (r < 0)
                return bad_arguments(r, reterr);
        if (pid == 0 || pid > INT32_MAX)
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                 "Invalid process number %" PRIu32, pid);
        const Container *c = container_find_by_pid(m, (pid_t) pid, reterr);
        return c ? replied(sd_bus_reply_method_return(call, "o", c->path), reterr) : -ENXIO;
}

static int body_get_spec(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        const Container *c = container_find(m, container, reterr);
        return c ? replied(sd_bus_reply_method_return(call, "s", strempty(c->spec_text)), reterr)
                 : -ENXIO;
}

/* ---- acting ---- */

static int body_create(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        int r = sd_bus_message_rewind(call, true);
        return r < 0 ? bad_arguments(r, reterr) : container_create(m, call, reterr);
}

static int body_stop(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        uint64_t timeout_usec;
        int r = sd_bus_message_read(call, "t", &timeout_usec);
        if (r < 0)
                return bad_arguments(r, reterr);
        Container *c = container_find(m, container, reterr);
        if (!c)
                return -ENXIO;
        return container_stop(c, call, timeout_usec, reterr);
}

static int request(Manager *m, sd_bus_message *call, const char *container, ControlType type,
                   Error *reterr) {
        Container *c = container_find(m, container, reterr);
        if (!c)
                return -ENXIO;
        int r = container_request(c, type, reterr);
        return r < 0 ? r : replied(sd_bus_reply_method_return(call, NULL), reterr);
}

static int body_terminate(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        return request(m, call, container, CONTROL_TERMINATE, reterr);
}

static int body_reboot(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        return request(m, call, container, CONTROL_REBOOT, reterr);
}

static int pause_or_resume(Manager *m, sd_bus_message *call, const char *container, bool pause,
                           Error *reterr) {
        Container *c = container_find(m, container, reterr);
        return c ? container_pause(c, call, pause, reterr) : -ENXIO;
}

static int body_pause(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        return pause_or_resume(m, call, container, true, reterr);
}

static int body_resume(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        return pause_or_resume(m, call, container, false, reterr);
}

typedef struct UnitKill {
        Manager *manager;
        sd_bus_message *call;
} UnitKill;

static void unit_kill_free(UnitKill *k) {
        manager_call_end(k->manager);
        sd_bus_message_unref(k->call);
        free(k);
}

static int on_unit_killed(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        UnitKill *k = userdata;
        if (!sd_bus_message_is_method_error(m, NULL))
                (void) sd_bus_reply_method_return(k->call, NULL); /* the caller may be gone */
        else {
                _cleanup_error_ Error e = ERROR_NULL;
                _cleanup_(sd_bus_error_free) sd_bus_error b = SD_BUS_ERROR_NULL;
                (void) bus_error_to_error(sd_bus_message_get_error(m), -EIO, &e,
                                          "Killing the processes of the unit failed");
                (void) bus_error_from_error_for(k->call, &b, &e);
                (void) sd_bus_reply_method_error(k->call, &b);
        }
        unit_kill_free(k);
        return 1;
}

static int kill_unit(Manager *m, sd_bus_message *call, const Container *c, int32_t signal,
                     Error *reterr) {
        if (isempty(c->unit))
                return error_set(
                        reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                        "Container '%s' is in no unit of systemd, its processes are not known to it",
                        c->name);
        int r = manager_call_begin(m, reterr);
        if (r < 0)
                return r;
        UnitKill *k = new0(UnitKill, 1);
        if (!k) {
                manager_call_end(m);
                return error_oom(reterr);
        }
        k->manager = m;
        k->call = sd_bus_message_ref(call);
        r = sd_bus_call_method_async(m->bus, NULL, SYSTEMD1_BUS_NAME, SYSTEMD1_PATH,
                                     SYSTEMD1_MANAGER_INTERFACE, "KillUnit", on_unit_killed, k,
                                     "ssi", c->unit, "all", signal);
        if (r < 0) {
                unit_kill_free(k);
                return error_set_errno(reterr, r, ERROR_BUS_FAILED,
                                       "Killing the processes of '%s' failed", c->unit);
        }
        return 0;
}

int body_kill(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        const char *whom;
        int32_t signal;
        int r = sd_bus_message_read(call, "si", &whom, &signal);
        if (r < 0)
                return bad_arguments(r, reterr);
        if (signal < 1 || signal > SIGRTMAX)
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING, "Invalid signal %" PRIi32,
                                 signal);
        const Container *c = container_find(m, container, reterr);
        if (!c)
                return -ENXIO;
        if (streq(whom, "all") || whom[0] == '\0')
                return kill_unit(m, call, c, signal, reterr);
        const PidRef *p = streq(whom, "leader")       ? &c->leader
                          : streq(whom, "supervisor") ? &c->supervisor
                                                      : NULL;
        if (!p)
                return error_set(
                        reterr, -EINVAL, ERROR_INVALID_SETTING,
                        "Invalid value '%s' for whom to kill: 'leader', 'supervisor' or 'all' is expected",
                        whom);
        r = pidref_is_set(p) ? pidref_kill(p, signal) : -ESRCH;
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_FAILED, "Killing the %s of '%s' failed",
                                       whom, container);
        return replied(sd_bus_reply_method_return(call, NULL), reterr);
}

/* ---- tables ---- */

const Method manager_methods[] = {
        /* clang-format off */
        { "ListContainers",     ACTION_INSPECT, "",           body_list },
        { "MeasureContainers",  ACTION_INSPECT, "as",         body_measure },
        { "GetContainer",       ACTION_INSPECT, "s",          body_get },
        { "GetContainerByPID",  ACTION_INSPECT, "u",          body_get_by_pid },
        { "DescribeContainer",  ACTION_INSPECT, "s",          body_describe },
        { "GetSpec",            ACTION_INSPECT, "s",          body_get_spec },
        { "CreateContainer",    ACTION_CREATE,  "sa{sv}a(sh)", body_create },
        { "StopContainer",      ACTION_STOP,    "st",         body_stop },
        { "TerminateContainer", ACTION_STOP,    "s",          body_terminate },
        { "KillContainer",      ACTION_KILL,    "ssi",        body_kill },
        { "RebootContainer",    ACTION_REBOOT,  "s",          body_reboot },
        { "PauseContainer",     ACTION_PAUSE,   "s",          body_pause },
        { "ResumeContainer",    ACTION_PAUSE,   "s",          body_resume },
        { "AttachContainer",    ACTION_ATTACH,  "st",         body_attach },
        { "SetContainerProperties",     ACTION_SET_PROPERTIES, "sas", body_set_properties },
        { "ExecContainer",              ACTION_EXEC,    "sasa{sv}ah", body_exec,      details_exec },
        { "OpenContainerShell",         ACTION_SHELL,   "sssasas",    body_open_shell, details_shell },
        { "OpenContainerLogin",         ACTION_LOGIN,   "s",          body_open_login },
        { "OpenContainerRootDirectory", ACTION_COPY,    "s",          body_open_root_directory },
        { "CopyToContainer",            ACTION_COPY,    "ssst",       body_copy_to },
        { "CopyFromContainer",          ACTION_COPY,    "ssst",       body_copy_from },
        { "CopyToContainerWith",        ACTION_COPY,    "sssta(sh)",  body_copy_to_with },
        { "CopyFromContainerWith",      ACTION_COPY,    "sssta(sh)",  body_copy_from_with },
        { "BindMountContainer",         ACTION_BIND,    "ssst",       body_bind },
        { "UnbindContainer",            ACTION_BIND,    "ss",         body_unbind },
        { "ListContainerBinds",         ACTION_INSPECT, "s",          body_list_binds },
        { "GetContainerOSRelease",      ACTION_INSPECT, "s",          body_get_os_release },
        { "GetContainerAddresses",      ACTION_INSPECT, "s",          body_get_addresses },
        { "GetContainerUIDShift",       ACTION_INSPECT, "s",          body_get_uid_shift },
        { "ListImages",                 ACTION_INSPECT, "",           body_list_images,     NULL, true },
        { "GetImage",                   ACTION_INSPECT, "s",          body_get_image_object, NULL, true },
        { "DescribeImage",              ACTION_INSPECT, "s",          body_describe_image,  NULL, true },
        { "MeasureImage",               ACTION_INSPECT, "s",          body_measure_image,   NULL, true },
        { "GetImageHostname",           ACTION_INSPECT, "s",          body_image_hostname,  NULL, true },
        { "GetImageMachineID",          ACTION_INSPECT, "s",          body_image_machine_id, NULL, true },
        { "GetImageMachineInfo",        ACTION_INSPECT, "s",          body_image_machine_info, NULL, true },
        { "GetImageOSRelease",          ACTION_INSPECT, "s",          body_image_os_release, NULL, true },
        { "CloneImage",                 ACTION_IMAGES,  "ssta(sh)",   body_clone_image,     NULL, true },
        { "RenameImage",                ACTION_IMAGES,  "ss",         body_image_rename,    NULL, true },
        { "RemoveImage",                ACTION_IMAGES,  "s",          body_image_remove,    NULL, true },
        { "MarkImageReadOnly",          ACTION_IMAGES,  "sb",         body_image_mark,      NULL, true },
        { "SetImageLimit",              ACTION_IMAGES,  "st",         body_image_limit,     NULL, true },
        { "SetPoolLimit",               ACTION_IMAGES,  "t",          body_pool_limit,      NULL, true },
        { "ListSnapshots",              ACTION_INSPECT, "",           body_list_snapshots,  NULL, true },
        { "CreateSnapshot",             ACTION_IMAGES,  "ssta(sh)",   body_create_snapshot, NULL, true },
        { "RollBackImage",              ACTION_IMAGES,  "ssa(sh)",    body_roll_back_image, NULL, true },
        { "RemoveSnapshot",             ACTION_IMAGES,  "ss",         body_remove_snapshot, NULL, true },
        { "PruneSnapshots",             ACTION_IMAGES,  "stt",        body_prune_snapshots, NULL, true },
        { "CompareSnapshot",            ACTION_IMAGES,  "ss",         body_compare_snapshot, NULL, true },
        { "OpenSnapshotChanges",        ACTION_IMAGES,  "ss",         body_open_changes,    NULL, true },
        { "CleanPool",                  ACTION_IMAGES,  "",           body_pool_clean,      NULL, true },
        { NULL, NULL, NULL, NULL, NULL, false },
        /* clang-format on */
};

static int get_version(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *reterr_error) {
        return sd_bus_message_append(reply, "s", BERTH_VERSION);
}

static int get_n_containers(sd_bus *bus, const char *path, const char *interface,
                            const char *property, sd_bus_message *reply, void *userdata,
                            sd_bus_error *reterr_error) {
        Manager *m = userdata;
        return sd_bus_message_append(reply, "u", (uint32_t) hashmap_size(m->containers));
}

static int get_round(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *reterr_error) {
        const LoopMeter *meter = &((const Manager *) userdata)->meter;
        return sd_bus_message_append(reply, "t",
                                     streq(property, "LongestRoundUSec") ? meter->longest_usec
                                                                         : meter->longest_cpu_usec);
}

/* clang-format off */
const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Version", "s", get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("NContainers", "u", get_n_containers, 0, 0),
        SD_BUS_PROPERTY("LongestRoundUSec", "t", get_round, 0, 0),
        SD_BUS_PROPERTY("LongestRoundCPUUSec", "t", get_round, 0, 0),
        SD_BUS_METHOD_WITH_ARGS("ListContainers", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(sa{sv}o)", containers), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("MeasureContainers", SD_BUS_ARGS("as", properties), SD_BUS_RESULT("a(sa{sv}o)", containers), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetContainer", SD_BUS_ARGS("s", name), SD_BUS_RESULT("o", path), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetContainerByPID", SD_BUS_ARGS("u", pid), SD_BUS_RESULT("o", path), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("DescribeContainer", SD_BUS_ARGS("s", name), SD_BUS_RESULT("a{sv}", properties), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetSpec", SD_BUS_ARGS("s", name), SD_BUS_RESULT("s", text), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CreateContainer", SD_BUS_ARGS("s", name, "a{sv}", settings, "a(sh)", descriptors), SD_BUS_RESULT("o", path), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("StopContainer", SD_BUS_ARGS("s", name, "t", timeout_usec), SD_BUS_NO_RESULT, access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("TerminateContainer", SD_BUS_ARGS("s", name), SD_BUS_NO_RESULT, access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("KillContainer", SD_BUS_ARGS("s", name, "s", whom, "i", signal), SD_BUS_NO_RESULT, access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RebootContainer", SD_BUS_ARGS("s", name), SD_BUS_NO_RESULT, access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("PauseContainer", SD_BUS_ARGS("s", name), SD_BUS_NO_RESULT, access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ResumeContainer", SD_BUS_ARGS("s", name), SD_BUS_NO_RESULT, access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("AttachContainer", SD_BUS_ARGS("s", name, "t", flags), SD_BUS_RESULT("h", console), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetContainerProperties", SD_BUS_ARGS("s", name, "as", changes), SD_BUS_NO_RESULT, access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ExecContainer", SD_BUS_ARGS("s", name, "as", command, "a{sv}", options, "ah", descriptors), SD_BUS_RESULT("h", status, "ah", terminal), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("OpenContainerShell", SD_BUS_ARGS("s", name, "s", user, "s", path, "as", arguments, "as", environment), SD_BUS_RESULT("h", terminal, "s", path, "ah", status), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("OpenContainerLogin", SD_BUS_ARGS("s", name), SD_BUS_RESULT("h", terminal, "s", path, "ah", status), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("OpenContainerRootDirectory", SD_BUS_ARGS("s", name), SD_BUS_RESULT("h", directory), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CopyToContainer", SD_BUS_ARGS("s", name, "s", source, "s", destination, "t", flags), SD_BUS_NO_RESULT, access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CopyFromContainer", SD_BUS_ARGS("s", name, "s", source, "s", destination, "t", flags), SD_BUS_NO_RESULT, access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CopyToContainerWith", SD_BUS_ARGS("s", name, "s", source, "s", destination, "t", flags, "a(sh)", descriptors), SD_BUS_NO_RESULT, access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CopyFromContainerWith", SD_BUS_ARGS("s", name, "s", source, "s", destination, "t", flags, "a(sh)", descriptors), SD_BUS_NO_RESULT, access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("BindMountContainer", SD_BUS_ARGS("s", name, "s", source, "s", destination, "t", flags), SD_BUS_NO_RESULT, access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("UnbindContainer", SD_BUS_ARGS("s", name, "s", destination), SD_BUS_NO_RESULT, access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListContainerBinds", SD_BUS_ARGS("s", name), SD_BUS_RESULT("a(ssbs)", binds), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetContainerOSRelease", SD_BUS_ARGS("s", name), SD_BUS_RESULT("a{ss}", fields), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetContainerAddresses", SD_BUS_ARGS("s", name), SD_BUS_RESULT("a(iay)", addresses), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetContainerUIDShift", SD_BUS_ARGS("s", name), SD_BUS_RESULT("u", shift), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListImages", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(sa{sv})", images), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetImage", SD_BUS_ARGS("s", name), SD_BUS_RESULT("o", path), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("DescribeImage", SD_BUS_ARGS("s", name), SD_BUS_RESULT("a{sv}", properties), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("MeasureImage", SD_BUS_ARGS("s", name), SD_BUS_RESULT("t", files, "t", bytes, "t", disk_bytes), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetImageHostname", SD_BUS_ARGS("s", name), SD_BUS_RESULT("s", hostname), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetImageMachineID", SD_BUS_ARGS("s", name), SD_BUS_RESULT("ay", id), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetImageMachineInfo", SD_BUS_ARGS("s", name), SD_BUS_RESULT("a{ss}", fields), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetImageOSRelease", SD_BUS_ARGS("s", name), SD_BUS_RESULT("a{ss}", fields), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CloneImage", SD_BUS_ARGS("s", name, "s", new_name, "t", flags, "a(sh)", descriptors), SD_BUS_NO_RESULT, access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RenameImage", SD_BUS_ARGS("s", name, "s", new_name), SD_BUS_NO_RESULT, access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RemoveImage", SD_BUS_ARGS("s", name), SD_BUS_NO_RESULT, access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("MarkImageReadOnly", SD_BUS_ARGS("s", name, "b", read_only), SD_BUS_NO_RESULT, access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetImageLimit", SD_BUS_ARGS("s", name, "t", bytes), SD_BUS_NO_RESULT, access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetPoolLimit", SD_BUS_ARGS("t", bytes), SD_BUS_NO_RESULT, access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListSnapshots", SD_BUS_ARGS("s", name), SD_BUS_RESULT("a(ssbtsts)", snapshots), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CreateSnapshot", SD_BUS_ARGS("s", name, "s", snapshot, "t", flags, "a(sh)", descriptors), SD_BUS_RESULT("s", taken), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RollBackImage", SD_BUS_ARGS("s", name, "s", snapshot, "a(sh)", descriptors), SD_BUS_RESULT("s", kept), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RemoveSnapshot", SD_BUS_ARGS("s", name, "s", snapshot), SD_BUS_NO_RESULT, access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("PruneSnapshots", SD_BUS_ARGS("s", name, "t", keep, "t", max_age_usec), SD_BUS_RESULT("a(st)", removed), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CompareSnapshot", SD_BUS_ARGS("s", name, "s", snapshot), SD_BUS_RESULT("a(sss)", changes), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("OpenSnapshotChanges", SD_BUS_ARGS("s", name, "s", snapshot), SD_BUS_RESULT("h", changes), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CleanPool", SD_BUS_ARGS("s", mode), SD_BUS_RESULT("a(st)", removed), access_method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL_WITH_ARGS("ContainerNew", SD_BUS_ARGS("s", name, "o", path), 0),
        SD_BUS_SIGNAL_WITH_ARGS("ContainerReady", SD_BUS_ARGS("s", name, "o", path), 0),
        SD_BUS_SIGNAL_WITH_ARGS("ContainerRemoved", SD_BUS_ARGS("s", name, "o", path, "s", result), 0),
        SD_BUS_VTABLE_END,
};
/* clang-format on */

void manager_emit(Manager *m, const char *signal, const Container *c) {
        /* best effort: who missed one can list */
        if (streq(signal, "ContainerRemoved"))
                (void) sd_bus_emit_signal(m->bus, BERTH_MANAGER_PATH, BERTH_MANAGER_INTERFACE,
                                          signal, "sos", c->name, c->path, strempty(c->result));
        else
                (void) sd_bus_emit_signal(m->bus, BERTH_MANAGER_PATH, BERTH_MANAGER_INTERFACE,
                                          signal, "so", c->name, c->path);
}
