/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.berth.Containers1.Container: properties from one table, methods that are the manager's. */
#include "basic/alloc.h"
#include "basic/log.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "bus/names.h"
#include "manager/access.h"
#include "manager/container-usage.h"

typedef struct Property {
        const char *name;
        char type;
        size_t offset; /* of the char *, bool, usec_t in Container; for 'u' of the PidRef */
} Property;

/* "State" comes from its enum; every other row is a member of Container. */
static const Property properties[] = {
        /* clang-format off */
        { "Name",                    's', offsetof(Container, name) },
        { "Id",                      's', offsetof(Container, id) },
        { "State",                   's', 0 },
        { "Ready",                   'b', offsetof(Container, ready) },
        { "Health",                  's', offsetof(Container, health_name) },
        { "Leader",                  'u', offsetof(Container, leader) },
        { "Supervisor",              'u', offsetof(Container, supervisor) },
        { "Unit",                    's', offsetof(Container, unit) },
        { "ControlGroup",            's', offsetof(Container, control_group) },
        { "RootDirectory",           's', offsetof(Container, root_directory) },
        { "StatusText",              's', offsetof(Container, status_text) },
        { "Result",                  's', offsetof(Container, result) },
        { "StartTimestamp",          't', offsetof(Container, started_realtime) },
        { "StartTimestampMonotonic", 't', offsetof(Container, started_monotonic) },
        /* clang-format on */
};

static int append_value(sd_bus_message *m, const Container *c, const Property *p) {
        const void *at = (const char *) c + p->offset;
        switch (p->type) {
        case 'b':
                return sd_bus_message_append(m, "b", *(const bool *) at);
        case 't':
                return sd_bus_message_append(m, "t", *(const usec_t *) at);
        case 'u': {
                const PidRef *pid = at;
                return sd_bus_message_append(m, "u", pidref_is_set(pid) ? (uint32_t) pid->pid : 0U);
        }
        default:
                return sd_bus_message_append(m, "s",
                                             p->offset == 0 ? container_shown_state(c)
                                                            : strempty(*(char *const *) at));
        }
}

static int property_get(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, sd_bus_error *reterr_error) {
        for (size_t i = 0; i < ELEMENTSOF(properties); i++)
                if (streq(properties[i].name, property))
                        return append_value(reply, userdata, &properties[i]);
        return -ENXIO;
}

int container_append_properties(const Container *c, int cgroup_root_fd, uint32_t wanted,
                                sd_bus_message *m) {
        int r = sd_bus_message_open_container(m, 'a', "{sv}");
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(properties); i++) {
                const char type[] = { properties[i].type, '\0' };
                r = sd_bus_message_open_container(m, 'e', "sv");
                if (r >= 0)
                        r = sd_bus_message_append(m, "s", properties[i].name);
                if (r >= 0)
                        r = sd_bus_message_open_container(m, 'v', type);
                if (r >= 0)
                        r = append_value(m, c, &properties[i]);
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
        }
        if (r >= 0)
                r = container_append_measured(c, cgroup_root_fd, wanted, m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

void container_changed(Container *c, const char *property) {
        lists_changed(c);
        if (!c->announced)
                return;
        /* best effort: who missed a signal can ask */
        (void) sd_bus_emit_properties_changed(c->manager->bus, c->path, BERTH_CONTAINER_INTERFACE,
                                              property, NULL);
}

/* Methods find their Manager, properties their Container. */
static int method(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Container *c = userdata;
        return access_method(m, c->manager, reterr_error);
}

#define CONSTANT(name, type) \
        SD_BUS_PROPERTY(name, type, property_get, 0, SD_BUS_VTABLE_PROPERTY_CONST)
#define CHANGING(name, type) \
        SD_BUS_PROPERTY(name, type, property_get, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)
/* No signals, and not in GetAll and GetManagedObjects, which would have to read files of all containers in one go. */
#define MEASURED(name, type) \
        SD_BUS_PROPERTY(name, type, container_get_measured, 0, SD_BUS_VTABLE_PROPERTY_EXPLICIT)

const sd_bus_vtable container_vtable[] = {
        SD_BUS_VTABLE_START(0),
        CONSTANT("Name", "s"),
        CHANGING("Id", "s"),
        CHANGING("State", "s"),
        CHANGING("Ready", "b"),
        CHANGING("Health", "s"),
        CHANGING("Leader", "u"),
        CHANGING("Supervisor", "u"),
        CHANGING("Unit", "s"),
        CHANGING("ControlGroup", "s"),
        CHANGING("RootDirectory", "s"),
        CHANGING("StatusText", "s"),
        CHANGING("Result", "s"),
        CHANGING("StartTimestamp", "t"),
        CHANGING("StartTimestampMonotonic", "t"),
        MEASURED("MemoryCurrent", "t"),
        MEASURED("MemoryPeak", "t"),
        MEASURED("MemoryMax", "t"),
        MEASURED("CPUUsageNSec", "t"),
        MEASURED("CPUQuotaPerSecUSec", "t"),
        MEASURED("TasksCurrent", "t"),
        MEASURED("TasksMax", "t"),
        MEASURED("IOReadBytes", "t"),
        MEASURED("IOWriteBytes", "t"),
        MEASURED("Addresses", "a(iay)"),
        /* clang-format off */
        SD_BUS_METHOD_WITH_ARGS("GetSpec", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", text), method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Stop", SD_BUS_ARGS("t", timeout_usec), SD_BUS_NO_RESULT, method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Terminate", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Kill", SD_BUS_ARGS("s", whom, "i", signal), SD_BUS_NO_RESULT, method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Reboot", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Pause", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Resume", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Attach", SD_BUS_ARGS("t", flags), SD_BUS_RESULT("h", console), method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetProperties", SD_BUS_ARGS("as", changes), SD_BUS_NO_RESULT, method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Exec", SD_BUS_ARGS("as", command, "a{sv}", options, "ah", descriptors), SD_BUS_RESULT("h", status, "ah", terminal), method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("OpenShell", SD_BUS_ARGS("s", user, "s", path, "as", arguments, "as", environment), SD_BUS_RESULT("h", terminal, "s", path, "ah", status), method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("OpenLogin", SD_BUS_NO_ARGS, SD_BUS_RESULT("h", terminal, "s", path, "ah", status), method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("OpenRootDirectory", SD_BUS_NO_ARGS, SD_BUS_RESULT("h", directory), method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CopyTo", SD_BUS_ARGS("s", source, "s", destination, "t", flags), SD_BUS_NO_RESULT, method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CopyFrom", SD_BUS_ARGS("s", source, "s", destination, "t", flags), SD_BUS_NO_RESULT, method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CopyToWith", SD_BUS_ARGS("s", source, "s", destination, "t", flags, "a(sh)", descriptors), SD_BUS_NO_RESULT, method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CopyFromWith", SD_BUS_ARGS("s", source, "s", destination, "t", flags, "a(sh)", descriptors), SD_BUS_NO_RESULT, method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("BindMount", SD_BUS_ARGS("s", source, "s", destination, "t", flags), SD_BUS_NO_RESULT, method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Unbind", SD_BUS_ARGS("s", destination), SD_BUS_NO_RESULT, method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListBinds", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(ssbs)", binds), method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetOSRelease", SD_BUS_NO_ARGS, SD_BUS_RESULT("a{ss}", fields), method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetAddresses", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(iay)", addresses), method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetUIDShift", SD_BUS_NO_ARGS, SD_BUS_RESULT("u", shift), method, SD_BUS_VTABLE_UNPRIVILEGED),
        /* clang-format on */
        SD_BUS_VTABLE_END,
};

int container_object_find(sd_bus *bus, const char *path, const char *interface, void *userdata,
                          void **found, sd_bus_error *e) {
        Manager *m = userdata;
        _cleanup_free_ char *name = NULL;
        int r = sd_bus_path_decode(path, BERTH_CONTAINER_PATH_PREFIX, &name);
        if (r <= 0)
                return r;
        Container *c = hashmap_get(m->containers, name);
        if (!c)
                return 0;
        *found = c;
        return 1;
}

int container_object_enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                               sd_bus_error *e) {
        Manager *m = userdata;
        _cleanup_strv_free_ char **nodes = NULL;
        Container *c;
        HASHMAP_FOREACH(c, m->containers)
                if (strv_extend(&nodes, c->path) < 0)
                        return -ENOMEM;
        *ret_nodes = TAKE_PTR(nodes);
        return 1;
}
