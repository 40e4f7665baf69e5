/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* io.systemd.Machine, and io.systemd.MachineInstance on each container's own socket. Looking is open to all, the rest is root's: others
 * are not given an instance's address, and their clients go on over D-Bus, where polkit is asked. */
#include <unistd.h>

#include "basic/fd.h"
#include "basic/id.h"
#include "basic/log.h"
#include "bus/names.h"
#include "manager/varlink.h"

#define SERVICE_ERROR "org.varlink.service."
#define MACHINE_ERROR "io.systemd.Machine."

/* ---- errors ---- */

static int error_with(VarlinkCall *call, const char *name, const char *key, const char *value) {
        Json *parameters = vjson_new();
        int r = parameters ? 0 : -ENOMEM;
        if (r >= 0)
                vjson_add_string(parameters, key, value, &r);
        if (r < 0) {
                vjson_free(parameters);
                return r;
        }
        return varlink_error(call, name, parameters);
}

static int error_parameter(VarlinkCall *call, const char *name) {
        return error_with(call, SERVICE_ERROR "InvalidParameter", "parameter", name);
}

static int error_errno(VarlinkCall *call, int code) {
        Json *parameters = vjson_new();
        int r = parameters ? 0 : -ENOMEM;
        if (r >= 0) {
                vjson_add_string(parameters, "origin", "linux", &r);
                vjson_add_integer(parameters, "errno", (uint64_t) -code, &r);
                vjson_add_string(parameters, "errnoName", errno_symbol(code), &r);
        }
        if (r < 0) {
                vjson_free(parameters);
                return r;
        }
        return varlink_error(call, "io.systemd.System", parameters);
}

static int error_from(VarlinkCall *call, const Error *e) {
        log_debug("Varlink call %s: %s", call->method, error_message(e));
        switch (e->id) {
        case ERROR_NO_SUCH_CONTAINER:
                return varlink_error(call, MACHINE_ERROR "NoSuchMachine", NULL);
        case ERROR_NAME_IN_USE:
                return varlink_error(call, MACHINE_ERROR "MachineExists", NULL);
        case ERROR_UNSUPPORTED:
                return varlink_error(call, MACHINE_ERROR "NotSupported", NULL);
        case ERROR_INVALID_NAME:
                return error_parameter(call, "name");
        default:
                return error_errno(call, e->code);
        }
}

/* ---- machines ---- */

static void add_process(Json *object, const char *key, const PidRef *p, int *r) {
        if (!pidref_is_set(p))
                return;
        Json *process = vjson_new();
        if (!process)
                *r = -ENOMEM;
        else {
                vjson_add_integer(process, "pid", (uint64_t) p->pid, r);
                if (machine1_pidfd_id(p) != 0)
                        vjson_add_integer(process, "pidfdId", machine1_pidfd_id(p), r);
                vjson_add_take(object, key, process, r);
        }
}

static void add_timestamp(Json *object, const Container *c, int *r) {
        Json *timestamp = vjson_new();
        if (!timestamp)
                *r = -ENOMEM;
        else {
                vjson_add_integer(timestamp, "realtime", c->started_realtime, r);
                vjson_add_integer(timestamp, "monotonic", c->started_monotonic, r);
                vjson_add_take(object, "timestamp", timestamp, r);
        }
}

/* Only who may use it gets the address: clients of others fall back to D-Bus. */
static void add_address(VarlinkCall *call, Json *object, const Container *c, int *r) {
        Machine1 *m1 = c->manager->machine1;
        _cleanup_free_ char *address = NULL;
        if (call->uid != 0 || c->foreign || c == m1->host)
                return;
        if (varlink_machine_address(m1->varlink, c, &address) >= 0)
                vjson_add_string(object, "controlAddress", address, r);
}

static int reply_machine(VarlinkCall *call, const Container *c, bool continues) {
        Json *object = vjson_new();
        int r = object ? 0 : -ENOMEM;
        if (r >= 0) {
                vjson_add_string(object, "name", c->name, &r);
                vjson_add_string(object, "id", c->id, &r);
                vjson_add_string(object, "class", machine1_class(c), &r);
                vjson_add_string(object, "service", machine1_service(c), &r);
                vjson_add_string(object, "rootDirectory", c->root_directory, &r);
                vjson_add_string(object, "unit", c->unit, &r);
                add_process(object, "leader", &c->leader, &r);
                add_process(object, "supervisor", &c->supervisor, &r);
                add_timestamp(object, c, &r);
                add_address(call, object, c, &r);
                vjson_add_integer(object, "UID", 0, &r);
        }
        if (r < 0) {
                vjson_free(object);
                return r;
        }
        return varlink_reply(call, object, continues);
}

/* The machine that a call names, by name or process. 1: found; 0: answered with an error, or *ret is NULL: it names none. */
static int find_machine(VarlinkCall *call, Container **ret) {
        const char *name;
        const Json *process;
        int64_t pid;
        *ret = NULL;
        int r = vjson_get_string(call->parameters, "name", &name);
        if (r < 0)
                return error_parameter(call, "name");
        if (r > 0) {
                *ret = machine1_find(call->manager, name, NULL);
                return *ret ? 1 : varlink_error(call, MACHINE_ERROR "NoSuchMachine", NULL);
        }
        r = vjson_get_object(call->parameters, "pid", &process);
        if (r > 0)
                r = vjson_get_integer(process, "pid", &pid);
        if (r < 0 || (r > 0 && (pid < 0 || pid > INT32_MAX)))
                return error_parameter(call, "pid");
        if (r == 0)
                return 1;
        *ret = container_find_by_pid(call->manager, pid == 0 ? call->pid : (pid_t) pid, NULL);
        return *ret && (*ret)->shown ? 1 : varlink_error(call, MACHINE_ERROR "NoSuchMachine", NULL);
}

static int list(VarlinkCall *call) {
        Container *c;
        int r = find_machine(call, &c);
        if (r <= 0)
                return r;
        if (c)
                return reply_machine(call, c, false);
        if (!call->more)
                return varlink_error(call, SERVICE_ERROR "ExpectedMore", NULL);
        HASHMAP_FOREACH(c, call->manager->containers) {
                r = c->shown ? reply_machine(call, c, true) : 0;
                if (r < 0)
                        return r;
        }
        return reply_machine(call, call->manager->machine1->host, false);
}

/* ---- acting ---- */

static void log_act(const VarlinkCall *call, const char *name) {
        _cleanup_free_ char *container = strf("CONTAINER=%s", name),
                            *user = strf("CALLER_UID=%u", call->uid),
                            *pid = strf("CALLER_PID=%d", (int) call->pid);
        char *const fields[] = { container, user, pid, NULL };
        if (container && user && pid)
                (void) log_full(LOG_INFO, 0, __FILE__, __LINE__, __func__, fields,
                                "User %u calls %s of '%s'", call->uid, call->method, name);
}

static int request(VarlinkCall *call, Container *c, ControlType type) {
        _cleanup_error_ Error e = ERROR_NULL;
        log_act(call, c->name);
        if (container_request(c, type, &e) < 0)
                return error_from(call, &e);
        return varlink_reply(call, NULL, false);
}

/* The call's machine for a change of it: 1, or 0: answered. */
static int find_for_change(VarlinkCall *call, Container **ret) {
        int r = find_machine(call, ret);
        if (r <= 0)
                return r;
        if (!*ret)
                return error_parameter(call, "name");
        if (*ret == call->manager->machine1->host)
                return varlink_error(call, MACHINE_ERROR "NotSupported", NULL);
        return 1;
}

static int terminate(VarlinkCall *call) {
        Container *c;
        int r = find_for_change(call, &c);
        return r <= 0 ? r : request(call, c, CONTROL_TERMINATE);
}

static int kill_machine(VarlinkCall *call) {
        Container *c;
        const char *whom = "all";
        int64_t signal = 0;
        int r = find_for_change(call, &c);
        if (r <= 0)
                return r;
        if (vjson_get_integer(call->parameters, "signal", &signal) <= 0 || signal < 1 ||
            signal > SIGRTMAX)
                return error_parameter(call, "signal");
        if (vjson_get_string(call->parameters, "whom", &whom) < 0)
                return error_parameter(call, "whom");
        log_act(call, c->name);
        if (streq(whom, "all")) /* its answer is not waited for */
                r = sd_bus_call_method_async(call->manager->bus, NULL, SYSTEMD1_BUS_NAME,
                                             SYSTEMD1_PATH, SYSTEMD1_MANAGER_INTERFACE, "KillUnit",
                                             NULL, NULL, "ssi", strempty(c->unit), "all",
                                             (int32_t) signal);
        else if (streq(whom, "leader") || streq(whom, "supervisor")) {
                const PidRef *p = streq(whom, "leader") ? &c->leader : &c->supervisor;
                r = pidref_is_set(p) ? pidref_kill(p, (int) signal) : -ESRCH;
        } else
                return error_parameter(call, "whom");
        return r < 0 ? error_errno(call, r) : varlink_reply(call, NULL, false);
}

/* "leader": 5, or "leaderProcessId": {"pid": 5, …}; neither: who calls. */
static int read_leader(VarlinkCall *call, pid_t *ret) {
        const Json *process;
        int64_t pid = call->pid;
        int r = vjson_get_object(call->parameters, "leaderProcessId", &process);
        if (r > 0)
                r = vjson_get_integer(process, "pid", &pid);
        else if (r == 0)
                r = vjson_get_integer(call->parameters, "leader", &pid);
        if (r < 0 || pid < 0 || pid > INT32_MAX)
                return -EINVAL;
        *ret = pid == 0 ? call->pid : (pid_t) pid;
        return 0;
}

static int register_machine(VarlinkCall *call) {
        _cleanup_error_ Error e = ERROR_NULL;
        int32_t interfaces[MACHINE1_INTERFACES_MAX];
        const char *id_text = NULL;
        Registration r = { .service = "", .root_directory = "", .leader = PIDREF_NULL };
        Container *c;
        Id128 id;
        pid_t leader;
        bool allocate = false;
        const Json *p = call->parameters;
        if (vjson_get_string(p, "name", &r.name) <= 0)
                return error_parameter(call, "name");
        if (vjson_get_string(p, "class", &r.class_name) <= 0)
                return error_parameter(call, "class");
        if (vjson_get_string(p, "id", &id_text) < 0 || (id_text && id128_parse(id_text, &id) < 0))
                return error_parameter(call, "id");
        if (vjson_get_string(p, "service", &r.service) < 0)
                return error_parameter(call, "service");
        if (vjson_get_string(p, "rootDirectory", &r.root_directory) < 0)
                return error_parameter(call, "rootDirectory");
        if (vjson_get_integers(p, "ifIndices", interfaces, ELEMENTSOF(interfaces),
                               &r.n_interfaces) < 0)
                return error_parameter(call, "ifIndices");
        if (read_leader(call, &leader) < 0)
                return error_parameter(call, "leaderProcessId");
        if (vjson_get_boolean(p, "allocateUnit", &allocate) < 0 || allocate)
                return error_parameter(call, "allocateUnit"); /* CreateMachine on D-Bus does that */
        r.interfaces = interfaces;
        r.id = id_text ? id.bytes : NULL;
        r.id_size = id_text ? sizeof(id.bytes) : 0;
        r.supervisor = call->pid;
        if (foreign_register(call->manager, &r, leader, &c, &e) < 0 ||
            foreign_begin_or_free(c, &e) < 0)
                return error_from(call, &e);
        log_act(call, c->name);
        return varlink_reply(call, NULL, false);
}

static int unregister_machine(VarlinkCall *call) {
        Container *c;
        int r = find_for_change(call, &c);
        if (r <= 0)
                return r;
        if (!c->foreign)
                return varlink_error(call, MACHINE_ERROR "NotSupported", NULL);
        log_act(call, c->name);
        container_set_text(c, &c->result, "unregistered", "Result");
        container_remove(c);
        return varlink_reply(call, NULL, false);
}

/* ---- one container's own socket ---- */

static int power_off(VarlinkCall *call, Container *c) {
        if (c->stop_requested) /* a second one would kill */
                return varlink_reply(call, NULL, false);
        int r = request(call, c, CONTROL_STOP);
        c->stop_requested = true;
        return r;
}

static int reboot_machine(VarlinkCall *call, Container *c) {
        return request(call, c, CONTROL_REBOOT);
}

static int terminate_machine(VarlinkCall *call, Container *c) {
        return request(call, c, CONTROL_TERMINATE);
}

/* Answered at once: machinectl(1) asks no more than that. Who wants to know when all has come to rest calls PauseContainer on D-Bus. What does not
 * rest in time goes on here, too. */
static int pause_or_resume(VarlinkCall *call, Container *c, bool pause) {
        _cleanup_error_ Error e = ERROR_NULL;
        log_act(call, c->name);
        if (container_pause(c, NULL, pause, &e) < 0)
                return error_from(call, &e);
        return varlink_reply(call, NULL, false);
}

static int pause_machine(VarlinkCall *call, Container *c) {
        return pause_or_resume(call, c, true);
}

static int resume_machine(VarlinkCall *call, Container *c) {
        return pause_or_resume(call, c, false);
}

static int describe(VarlinkCall *call, Container *c) {
        Json *object = vjson_new();
        int r = object ? 0 : -ENOMEM;
        if (r >= 0) {
                vjson_add_boolean(object, "running", !c->paused, &r);
                vjson_add_string(object, "status", container_shown_state(c), &r);
        }
        if (r < 0) {
                vjson_free(object);
                return r;
        }
        return varlink_reply(call, object, false);
}

/* ---- the service itself ---- */

static const char machine_description[] =
        "interface io.systemd.Machine\n"
        "type MachineClass (container, vm, host)\n"
        "type KillWhom (leader, supervisor, all)\n"
        "type ProcessId (pid: int, pidfdId: ?int, bootId: ?string)\n"
        "type Timestamp (realtime: ?int, monotonic: ?int)\n"
        "method Register(name: string, id: ?string, service: ?string, class: MachineClass, leader: ?int, "
        "leaderProcessId: ?ProcessId, rootDirectory: ?string, ifIndices: ?[]int, allocateUnit: ?bool, "
        "allowInteractiveAuthentication: ?bool) -> ()\n"
        "method Unregister(name: ?string, pid: ?ProcessId, allowInteractiveAuthentication: ?bool) -> ()\n"
        "method Terminate(name: ?string, pid: ?ProcessId, allowInteractiveAuthentication: ?bool) -> ()\n"
        "method Kill(name: ?string, pid: ?ProcessId, allowInteractiveAuthentication: ?bool, whom: ?KillWhom, "
        "signal: int) -> ()\n"
        "method List(name: ?string, pid: ?ProcessId, allowInteractiveAuthentication: ?bool) -> (name: string, "
        "id: ?string, class: MachineClass, service: ?string, rootDirectory: ?string, unit: ?string, "
        "leader: ?ProcessId, supervisor: ?ProcessId, timestamp: ?Timestamp, controlAddress: ?string, UID: ?int)\n"
        "error NoSuchMachine ()\n"
        "error MachineExists ()\n"
        "error NotSupported ()\n";
static const char instance_description[] = "interface io.systemd.MachineInstance\n"
                                           "method Terminate() -> ()\n"
                                           "method PowerOff() -> ()\n"
                                           "method Reboot() -> ()\n"
                                           "method Pause() -> ()\n"
                                           "method Resume() -> ()\n"
                                           "method Describe() -> (running: bool, status: string)\n"
                                           "error NotSupported ()\n";

static int get_info(VarlinkCall *call) {
        Json *object = vjson_new(), *interfaces = vjson_new_array();
        int r = object && interfaces ? 0 : -ENOMEM;
        if (r < 0) {
                vjson_free(object);
                vjson_free(interfaces);
                return r;
        }
        vjson_add_string(object, "vendor", "berth", &r);
        vjson_add_string(object, "product", "berthd", &r);
        vjson_add_string(object, "version", BERTH_VERSION, &r);
        vjson_add_string(object, "url", "man:berthd(8)", &r);
        vjson_append_string(interfaces,
                            call->machine ? "io.systemd.MachineInstance" : "io.systemd.Machine",
                            &r);
        vjson_append_string(interfaces, "org.varlink.service", &r);
        vjson_add_take(object, "interfaces", interfaces, &r);
        if (r < 0) {
                vjson_free(object);
                return r;
        }
        return varlink_reply(call, object, false);
}

static int get_description(VarlinkCall *call) {
        const char *name = NULL;
        if (vjson_get_string(call->parameters, "interface", &name) <= 0)
                return error_parameter(call, "interface");
        const char *text = streq(name, "io.systemd.Machine") && !call->machine ? machine_description
                           : streq(name, "io.systemd.MachineInstance") && call->machine
                                   ? instance_description
                                   : NULL;
        if (!text)
                return error_with(call, SERVICE_ERROR "InterfaceNotFound", "interface", name);
        Json *object = vjson_new();
        int r = object ? 0 : -ENOMEM;
        if (r >= 0)
                vjson_add_string(object, "description", text, &r);
        if (r < 0) {
                vjson_free(object);
                return r;
        }
        return varlink_reply(call, object, false);
}

/* ---- tables ---- */

static const struct {
        const char *method;
        int (*body)(VarlinkCall *call);
        bool open; /* to all users */
} methods[] = {
        /* clang-format off */
        { "io.systemd.Machine.List",       list,               true },
        { "io.systemd.Machine.Register",   register_machine,   false },
        { "io.systemd.Machine.Unregister", unregister_machine, false },
        { "io.systemd.Machine.Terminate",  terminate,          false },
        { "io.systemd.Machine.Kill",       kill_machine,       false },
        /* clang-format on */
};

static const struct {
        const char *method;
        int (*body)(VarlinkCall *call, Container *c);
} instance_methods[] = {
        /* clang-format off */
        { "io.systemd.MachineInstance.Terminate", terminate_machine },
        { "io.systemd.MachineInstance.PowerOff",  power_off },
        { "io.systemd.MachineInstance.Reboot",    reboot_machine },
        { "io.systemd.MachineInstance.Pause",     pause_machine },
        { "io.systemd.MachineInstance.Resume",    resume_machine },
        { "io.systemd.MachineInstance.Describe",  describe },
        /* clang-format on */
};

static int dispatch_instance(VarlinkCall *call) {
        Container *c = machine1_find(call->manager, call->machine, NULL);
        if (!c || call->uid != 0) /* the socket's mode has let nobody else in */
                return -EPIPE;
        for (size_t i = 0; i < ELEMENTSOF(instance_methods); i++)
                if (streq(instance_methods[i].method, call->method))
                        return instance_methods[i].body(call, c);
        return error_with(call, SERVICE_ERROR "MethodNotFound", "method", call->method);
}

int varlink_dispatch(VarlinkCall *call) {
        if (streq(call->method, "org.varlink.service.GetInfo"))
                return get_info(call);
        if (streq(call->method, "org.varlink.service.GetInterfaceDescription"))
                return get_description(call);
        if (call->machine)
                return dispatch_instance(call);
        for (size_t i = 0; i < ELEMENTSOF(methods); i++)
                if (streq(methods[i].method, call->method)) {
                        if (methods[i].open || call->uid == 0)
                                return methods[i].body(call);
                        return varlink_error(call, SERVICE_ERROR "PermissionDenied", NULL);
                }
        return error_with(call, SERVICE_ERROR "MethodNotFound", "method", call->method);
}
