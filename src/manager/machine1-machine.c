/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.freedesktop.machine1.Machine: its properties, from one table, and machine/self: the machine that the caller is in. */
#include <sys/stat.h>
#include <sys/vfs.h>

#include "basic/id.h"
#include "basic/strv.h"
#include "bus/bus.h"
#include "bus/names.h"
#include "manager/machine1.h"

#define PIDFS_MAGIC 0x50494446 /* its inode numbers never come again (Linux 6.9) */

uint64_t machine1_pidfd_id(const PidRef *p) {
        struct statfs sfs;
        struct stat st;
        if (!pidref_is_set(p) || fstatfs(p->fd, &sfs) < 0 || sfs.f_type != PIDFS_MAGIC ||
            fstat(p->fd, &st) < 0)
                return 0;
        return st.st_ino;
}

/* ---- properties ---- */

typedef int (*Append)(sd_bus_message *m, const Container *c);

static int append_name(sd_bus_message *m, const Container *c) {
        return sd_bus_message_append(m, "s", c->name);
}

static int append_id(sd_bus_message *m, const Container *c) {
        Id128 id = { 0 };
        bool known = c->id && id128_parse(c->id, &id) >= 0;
        return sd_bus_message_append_array(m, 'y', id.bytes, known ? sizeof(id.bytes) : 0);
}

static int append_timestamp(sd_bus_message *m, const Container *c) {
        return sd_bus_message_append(m, "t", c->started_realtime);
}

static int append_monotonic(sd_bus_message *m, const Container *c) {
        return sd_bus_message_append(m, "t", c->started_monotonic);
}

static int append_service(sd_bus_message *m, const Container *c) {
        return sd_bus_message_append(m, "s", machine1_service(c));
}

static int append_unit(sd_bus_message *m, const Container *c) {
        return sd_bus_message_append(m, "s", strempty(c->unit));
}

static int append_pid(sd_bus_message *m, const PidRef *p) {
        return sd_bus_message_append(m, "u", pidref_is_set(p) ? (uint32_t) p->pid : 0U);
}

static int append_leader(sd_bus_message *m, const Container *c) {
        return append_pid(m, &c->leader);
}

static int append_leader_id(sd_bus_message *m, const Container *c) {
        return sd_bus_message_append(m, "t", machine1_pidfd_id(&c->leader));
}

static int append_supervisor(sd_bus_message *m, const Container *c) {
        return append_pid(m, &c->supervisor);
}

static int append_supervisor_id(sd_bus_message *m, const Container *c) {
        return sd_bus_message_append(m, "t", machine1_pidfd_id(&c->supervisor));
}

static int append_class(sd_bus_message *m, const Container *c) {
        return sd_bus_message_append(m, "s", machine1_class(c));
}

static int append_root(sd_bus_message *m, const Container *c) {
        return sd_bus_message_append(m, "s", strempty(c->root_directory));
}

static int append_interfaces(sd_bus_message *m, const Container *c) {
        return sd_bus_message_append_array(m, 'i', c->foreign ? c->foreign->interfaces : NULL,
                                           c->foreign ? c->foreign->n_interfaces * sizeof(int32_t)
                                                      : 0);
}

static int append_none(sd_bus_message *m, const Container *c) {
        return sd_bus_message_append(m, "s", "");
}

/* Ours are always in payload/, which the supervisor makes. */
static int append_subgroup(sd_bus_message *m, const Container *c) {
        const bool ours = !c->foreign && c != c->manager->machine1->host && !isempty(c->unit);
        return sd_bus_message_append(
                m, "s", ours ? "payload" : strempty(c->foreign ? c->foreign->subgroup : NULL));
}

static int append_no_cid(sd_bus_message *m, const Container *c) {
        return sd_bus_message_append(m, "u", UINT32_MAX); /* VMADDR_CID_ANY */
}

static int append_uid(sd_bus_message *m, const Container *c) {
        return sd_bus_message_append(m, "u", 0U); /* only root's are here */
}

static int append_state(sd_bus_message *m, const Container *c) {
        return sd_bus_message_append(m, "s", c->state == STATE_STOPPING ? "closing" : "running");
}

static const struct {
        const char *name, *type;
        Append append;
} properties[] = {
        /* clang-format off */
        { "Name",                "s",  append_name },
        { "Id",                  "ay", append_id },
        { "Timestamp",           "t",  append_timestamp },
        { "TimestampMonotonic",  "t",  append_monotonic },
        { "Service",             "s",  append_service },
        { "Unit",                "s",  append_unit },
        { "Scope",               "s",  append_unit },
        { "Subgroup",            "s",  append_subgroup },
        { "Leader",              "u",  append_leader },
        { "LeaderPIDFDId",       "t",  append_leader_id },
        { "Supervisor",          "u",  append_supervisor },
        { "SupervisorPIDFDId",   "t",  append_supervisor_id },
        { "Class",               "s",  append_class },
        { "RootDirectory",       "s",  append_root },
        { "NetworkInterfaces",   "ai", append_interfaces },
        { "VSockCID",            "u",  append_no_cid },
        { "SSHAddress",          "s",  append_none },
        { "SSHPrivateKeyPath",   "s",  append_none },
        { "State",               "s",  append_state },
        { "UID",                 "u",  append_uid },
        /* clang-format on */
};

static int property_get(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, sd_bus_error *reterr_error) {
        for (size_t i = 0; i < ELEMENTSOF(properties); i++)
                if (streq(properties[i].name, property))
                        return properties[i].append(reply, userdata);
        return -ENXIO;
}

static int method(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        const Container *c = userdata;
        _cleanup_error_ Error e = ERROR_NULL;
        if (machine1_begin(c->manager, m, c->name, &e) < 0)
                return bus_error_from_error_for(m, reterr_error, &e);
        return 1; /* the reply follows */
}

#define P(name, type) SD_BUS_PROPERTY(name, type, property_get, 0, SD_BUS_VTABLE_PROPERTY_CONST)
#define M(member, in, out) SD_BUS_METHOD(member, in, out, method, SD_BUS_VTABLE_UNPRIVILEGED)

/* clang-format off */
const sd_bus_vtable machine1_machine_vtable[] = {
        SD_BUS_VTABLE_START(0),
        P("Name", "s"),
        P("Id", "ay"),
        P("Timestamp", "t"),
        P("TimestampMonotonic", "t"),
        P("Service", "s"),
        P("Unit", "s"),
        SD_BUS_PROPERTY("Scope", "s", property_get, 0, SD_BUS_VTABLE_PROPERTY_CONST | SD_BUS_VTABLE_HIDDEN),
        P("Subgroup", "s"),
        P("Leader", "u"),
        P("LeaderPIDFDId", "t"),
        P("Supervisor", "u"),
        P("SupervisorPIDFDId", "t"),
        P("Class", "s"),
        P("RootDirectory", "s"),
        P("NetworkInterfaces", "ai"),
        P("VSockCID", "u"),
        P("SSHAddress", "s"),
        P("SSHPrivateKeyPath", "s"),
        SD_BUS_PROPERTY("State", "s", property_get, 0, 0),
        P("UID", "u"),
        M("Terminate", NULL, NULL),
        M("Kill", "si", NULL),
        M("GetAddresses", NULL, "a(iay)"),
        M("GetSSHInfo", NULL, "ss"),
        M("GetOSRelease", NULL, "a{ss}"),
        M("GetUIDShift", NULL, "u"),
        M("OpenPTY", NULL, "hs"),
        M("OpenLogin", NULL, "hs"),
        M("OpenShell", "ssasas", "hs"),
        M("BindMount", "ssbb", NULL),
        M("CopyFrom", "ss", NULL),
        M("CopyTo", "ss", NULL),
        M("CopyFromWithFlags", "sst", NULL),
        M("CopyToWithFlags", "sst", NULL),
        M("OpenRootDirectory", NULL, "h"),
        SD_BUS_VTABLE_END,
};
/* clang-format on */

int machine1_object_find(sd_bus *bus, const char *path, const char *interface, void *userdata,
                         void **found, sd_bus_error *e) {
        Manager *m = userdata;
        _cleanup_free_ char *name = NULL;
        int r = sd_bus_path_decode(path, MACHINE1_MACHINE_PATH_PREFIX, &name);
        if (r <= 0)
                return r;
        *found = machine1_find(m, name, NULL);
        return *found ? 1 : 0;
}

int machine1_object_enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                              sd_bus_error *e) {
        Manager *m = userdata;
        _cleanup_strv_free_ char **nodes = NULL;
        char *path;
        if (machine1_path(MACHINE1_HOST, &path) < 0 || strv_consume(&nodes, path) < 0)
                return -ENOMEM;
        Container *c;
        HASHMAP_FOREACH(c, m->containers)
                if (c->shown &&
                    (machine1_path(c->name, &path) < 0 || strv_consume(&nodes, path) < 0))
                        return -ENOMEM;
        *ret_nodes = TAKE_PTR(nodes);
        return 1;
}

/* ---- machine/self ---- */

static int append_property(sd_bus_message *m, const Container *c, size_t i) {
        int r = sd_bus_message_open_container(m, 'v', properties[i].type);
        if (r >= 0)
                r = properties[i].append(m, c);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int reply_properties(sd_bus_message *call, const Container *c) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "{sv}");
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(properties); i++) {
                if (streq(properties[i].name, "Scope")) /* hidden */
                        continue;
                r = sd_bus_message_open_container(reply, 'e', "sv");
                if (r >= 0)
                        r = sd_bus_message_append(reply, "s", properties[i].name);
                if (r >= 0)
                        r = append_property(reply, c, i);
                if (r >= 0)
                        r = sd_bus_message_close_container(reply);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int reply_property(sd_bus_message *call, const Container *c) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *interface, *name;
        int r = sd_bus_message_read(call, "ss", &interface, &name);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(properties); i++) {
                if (!streq(properties[i].name, name))
                        continue;
                r = sd_bus_message_new_method_return(call, &reply);
                if (r >= 0)
                        r = append_property(reply, c, i);
                return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
        }
        return r < 0 ? r
                     : machine1_reply_error(call, SD_BUS_ERROR_UNKNOWN_PROPERTY,
                                            "Unknown property '%s'", name);
}

static int self_known(Manager *m, sd_bus_message *call, const char *container, pid_t caller,
                      Error *reterr) {
        const Container *c = container_find_by_pid(m, caller, NULL);
        if (!c || !c->shown)
                return machine1_reply_error(call, SD_BUS_ERROR_UNKNOWN_OBJECT,
                                            "The caller is in no machine that runs");
        const bool get_all = sd_bus_message_is_method_call(call, "org.freedesktop.DBus.Properties",
                                                           "GetAll") > 0;
        const bool get =
                sd_bus_message_is_method_call(call, "org.freedesktop.DBus.Properties", "Get") > 0;
        if (!get && !get_all)
                return machine1_begin(m, call, c->name, reterr);
        int r = get_all ? reply_properties(call, c) : reply_property(call, c);
        return r < 0 ? error_set_errno(reterr, r, ERROR_PROTOCOL, "Reading the properties failed")
                     : 0;
}

/* A filter of all messages: this object is not listed, and who calls it is not known at once. */
int machine1_on_self(sd_bus_message *call, void *userdata, sd_bus_error *reterr_error) {
        Manager *m = userdata;
        const char *interface = strempty(sd_bus_message_get_interface(call));
        _cleanup_error_ Error e = ERROR_NULL;
        if (!streq(strempty(sd_bus_message_get_path(call)), MACHINE1_MACHINE_PATH_PREFIX "/self") ||
            sd_bus_message_is_method_call(call, NULL, NULL) <= 0)
                return 0;
        if (!streq(interface, MACHINE1_MACHINE_INTERFACE) &&
            !streq(interface, "org.freedesktop.DBus.Properties") && interface[0] != '\0')
                return 0;
        if (machine1_ask_caller(m, call, NULL, self_known, &e) < 0)
                return bus_error_from_error_for(call, reterr_error, &e);
        return 1; /* the reply follows */
}
