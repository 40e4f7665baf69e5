/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.freedesktop.machine1.Manager: the table of its methods, and the way of each call. */
#include <inttypes.h>

#include "basic/log.h"
#include "basic/path.h"
#include "bus/bus.h"
#include "bus/names.h"
#include "manager/image-operation.h"
#include "manager/machine1.h"
#include "manager/operation.h"

static int replied(int r, Error *reterr) {
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED, "Writing the reply failed") : 0;
}

/* ---- looking ---- */

static int reply_path(sd_bus_message *call, const Container *c, Error *reterr) {
        _cleanup_free_ char *path = NULL;
        if (machine1_path(c->name, &path) < 0)
                return error_oom(reterr);
        return replied(sd_bus_reply_method_return(call, "o", path), reterr);
}

static int body_get_machine(Manager *m, sd_bus_message *call, const char *container,
                            Error *reterr) {
        const Container *c = machine1_find(m, container, reterr);
        return c ? reply_path(call, c, reterr) : -ENXIO;
}

static int get_by_pid(Manager *m, sd_bus_message *call, const char *container, pid_t caller,
                      Error *reterr) {
        uint32_t pid;
        int r = sd_bus_message_read(call, "u", &pid);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_PROTOCOL, "The call cannot be read");
        if (pid == 0)
                pid = (uint32_t) caller;
        const Container *c = pid <= INT32_MAX ? container_find_by_pid(m, (pid_t) pid, NULL) : NULL;
        if (c && c->shown)
                return reply_path(call, c, reterr);
        return machine1_reply_error(call, MACHINE1_PREFIX "NoMachineForPID",
                                    "Process %" PRIu32 " is in no machine that runs", pid);
}

static int body_get_by_pid(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        return machine1_ask_caller(m, call, NULL, get_by_pid, reterr);
}

static int append_machine(sd_bus_message *m, const Container *c) {
        _cleanup_free_ char *path = NULL;
        int r = machine1_path(c->name, &path);
        return r < 0 ? r
                     : sd_bus_message_append(m, "(ssso)", c->name, machine1_class(c),
                                             machine1_service(c), path);
}

static int body_list_machines(Manager *m, sd_bus_message *call, const char *container,
                              Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(ssso)");
        if (r >= 0)
                r = append_machine(reply, m->machine1->host);
        Container *c;
        HASHMAP_FOREACH(c, m->containers) {
                if (r >= 0 && c->shown)
                        r = append_machine(reply, c);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return replied(r < 0 ? r : sd_bus_send(NULL, reply, NULL), reterr);
}

/* ---- acting ---- */

static int body_terminate(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        Container *c = machine1_find(m, container, reterr);
        if (!c)
                return -ENXIO;
        if (c == m->machine1->host)
                return error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                                 "The host is not terminated; see systemctl(1)");
        int r = container_request(c, CONTROL_TERMINATE, reterr);
        return r < 0 ? r : replied(sd_bus_reply_method_return(call, NULL), reterr);
}

static int body_ssh_info(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        const Container *c = machine1_find(m, container, reterr);
        return c ? error_set(reterr, -ENOENT, ERROR_FAILED, "Machine '%s' has told no SSH address",
                             container)
                 : -ENXIO;
}

/* ---- tables ---- */

#define MANAGE "manage-machines"
#define IMAGES "manage-images"
#define INSPECT "inspect-machines"

/* clang-format off */
const Machine1Method machine1_methods[] = {
        { { "GetMachine",                  NULL,       "s",             body_get_machine },       NULL,                NULL },
        { { "GetImage",                    NULL,       "s",             body_get_image, NULL, true }, NULL,           NULL },
        { { "GetMachineByPID",             NULL,       "u",             body_get_by_pid },        NULL,                NULL },
        { { "ListMachines",                NULL,       "",              body_list_machines },     NULL,                NULL },
        { { "ListImages",                  NULL,       "",              body_machine_list_images, NULL, true }, NULL, NULL },
        { { "CreateMachine",               ACTION_CREATE, "sayssusa(sv)",   body_register },      NULL,                NULL },
        { { "CreateMachineWithNetwork",    ACTION_CREATE, "sayssusaia(sv)", body_register },      NULL,                NULL },
        { { "RegisterMachine",             ACTION_CREATE, "sayssus",    body_register },          NULL,                NULL },
        { { "RegisterMachineWithNetwork",  ACTION_CREATE, "sayssusai",  body_register },          NULL,                NULL },
        { { "CreateMachineEx",             ACTION_CREATE, "sa(sv)a(sv)", body_register },         NULL,                NULL },
        { { "RegisterMachineEx",           ACTION_CREATE, "sa(sv)",     body_register },          NULL,                NULL },
        { { "UnregisterMachine",           MANAGE,     "s",             body_unregister },        NULL,                ACTION_CREATE },
        { { "TerminateMachine",            MANAGE,     "s",             body_terminate },         "Terminate",         ACTION_STOP },
        { { "KillMachine",                 MANAGE,     "ssi",           body_kill },              "Kill",              ACTION_KILL },
        { { "GetMachineUIDShift",          NULL,       "s",             body_machine_uid_shift }, "GetUIDShift",       NULL },
        { { "GetMachineSSHInfo",           NULL,       "s",             body_ssh_info },          "GetSSHInfo",        NULL },
        { { "MapFromMachineUser",          NULL,       "su",            body_map_from_machine },  NULL,                NULL },
        { { "MapToMachineUser",            NULL,       "u",             body_map_to_machine },    NULL,                NULL },
        { { "MapFromMachineGroup",         NULL,       "su",            body_map_from_machine },  NULL,                NULL },
        { { "MapToMachineGroup",           NULL,       "u",             body_map_to_machine },    NULL,                NULL },
        { { "GetMachineAddresses",         NULL,      "s",            body_machine_addresses }, "GetAddresses",      NULL },
        { { "GetMachineOSRelease",         INSPECT,   "s",            body_machine_os_release }, "GetOSRelease",      NULL },
        { { "OpenMachinePTY",              "open-pty", "s",            body_machine_pty }, "OpenPTY",           ACTION_EXEC },
        { { "OpenMachineLogin",            "login",   "s",            body_machine_login }, "OpenLogin",         ACTION_LOGIN },
        { { "OpenMachineShell",            "shell",   "sssasas",      body_machine_shell, details_shell }, "OpenShell",         ACTION_SHELL },
        { { "OpenMachineRootDirectory",    MANAGE,    "s",            body_machine_root_directory }, "OpenRootDirectory", ACTION_COPY },
        { { "BindMountMachine",            MANAGE,     "sssbb",         body_machine_bind },      "BindMount",         ACTION_BIND },
        { { "CopyFromMachine",             MANAGE,    "sss",          body_machine_copy }, "CopyFrom",          ACTION_COPY },
        { { "CopyToMachine",               MANAGE,    "sss",          body_machine_copy }, "CopyTo",            ACTION_COPY },
        { { "CopyFromMachineWithFlags",    MANAGE,    "ssst",         body_machine_copy }, "CopyFromWithFlags", ACTION_COPY },
        { { "CopyToMachineWithFlags",      MANAGE,    "ssst",         body_machine_copy }, "CopyToWithFlags",   ACTION_COPY },
        { { "RemoveImage",                 IMAGES,     "s",             body_image_remove, NULL, true }, NULL, ACTION_IMAGES },
        { { "RenameImage",                 IMAGES,     "ss",            body_image_rename, NULL, true }, NULL, ACTION_IMAGES },
        { { "CloneImage",                  IMAGES,     "ssb",           body_machine_clone_image, NULL, true }, NULL, ACTION_IMAGES },
        { { "MarkImageReadOnly",           IMAGES,     "sb",            body_image_mark, NULL, true }, NULL, ACTION_IMAGES },
        { { "GetImageHostname",            IMAGES,     "s",             body_image_hostname, NULL, true }, NULL, ACTION_IMAGES },
        { { "GetImageMachineID",           IMAGES,     "s",             body_image_machine_id, NULL, true }, NULL, ACTION_IMAGES },
        { { "GetImageMachineInfo",         IMAGES,     "s",             body_image_machine_info, NULL, true }, NULL, ACTION_IMAGES },
        { { "GetImageOSRelease",           IMAGES,     "s",             body_image_os_release, NULL, true }, NULL, ACTION_IMAGES },
        { { "SetPoolLimit",                IMAGES,     "t",             body_pool_limit, NULL, true }, NULL, ACTION_IMAGES },
        { { "SetImageLimit",               IMAGES,     "st",            body_image_limit, NULL, true }, NULL, ACTION_IMAGES },
        { { "CleanPool",                   IMAGES,     "s",             body_pool_clean, NULL, true }, NULL, ACTION_IMAGES },
        { { NULL, NULL, NULL, NULL }, NULL, NULL },
};
/* clang-format on */

/* Methods without arguments of their own that begin with a name: nothing but names of machines is checked here. */
static bool begins_with_machine(const Machine1Method *row) {
        return row->method.signature[0] == 's' && !row->method.of_image;
}

static const Machine1Method *method_find(const char *member, bool of_machine) {
        for (const Machine1Method *row = machine1_methods; row->method.member; row++)
                if (of_machine ? streq_ptr(row->machine_member, member)
                               : streq(row->method.member, member))
                        return row;
        return NULL;
}

/* Machined's action where it is known on this host, so that its rules hold for us; else ours. */
static int find_action(const Machine1 *m1, const Machine1Method *row, char **ret) {
        *ret = NULL;
        if (!row->method.action)
                return 0;
        if (streq(row->method.action, ACTION_CREATE))
                return free_and_strdup(ret, ACTION_CREATE);
        _cleanup_free_ char *action = strjoin(MACHINE1_PREFIX, row->method.action),
                            *attribute =
                                    strjoin("id=\"", MACHINE1_PREFIX, row->method.action, "\"");
        if (!action || !attribute)
                return -ENOMEM;
        if (m1->name.actions && strstr(m1->name.actions, attribute)) {
                *ret = TAKE_PTR(action);
                return 0;
        }
        return row->own_action ? free_and_strdup(ret, row->own_action) : 0;
}

/* A name that cannot be one is of no machine; for one to be made it is an error of its own. */
static int check_name(const Machine1Method *row, const char *name, Error *reterr) {
        if (container_name_is_valid(name) || streq(name, MACHINE1_HOST))
                return 0;
        _cleanup_free_ char *shown = str_escape_for_display(name);
        if (row->method.body == body_register)
                return error_set(reterr, -EINVAL, ERROR_INVALID_NAME,
                                 "Invalid machine name '%.80s'", strempty(shown));
        return error_set(reterr, -ENXIO, ERROR_NO_SUCH_CONTAINER,
                         "No machine named '%.80s' is running", strempty(shown));
}

int machine1_begin(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        const Machine1Method *row =
                method_find(strempty(sd_bus_message_get_member(call)), container != NULL);
        if (!row)
                return error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED, "Unknown method '%s'",
                                 strempty(sd_bus_message_get_member(call)));
        const bool named = !container && begins_with_machine(row);
        _cleanup_free_ char *action = NULL;
        int r = access_measure(call, reterr);
        if (r < 0)
                return r;
        if (named) {
                r = sd_bus_message_read_basic(call, 's', &container);
                if (r < 0)
                        return error_set_errno(reterr, r, ERROR_PROTOCOL,
                                               "The call cannot be read");
        }
        if (container) {
                r = check_name(row, container, reterr);
                if (r < 0)
                        return r;
        }
        if (find_action(m->machine1, row, &action) < 0)
                return error_oom(reterr);
        return access_begin(m, call, &row->method, action, container, named, reterr);
}

int machine1_begin_image(Manager *m, sd_bus_message *call, const char *member, const char *image,
                         Error *reterr) {
        const Machine1Method *row = method_find(member, /* of_machine= */ false);
        _cleanup_free_ char *action = NULL;
        if (!row)
                return error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED, "Unknown method '%s'",
                                 member);
        int r = access_measure(call, reterr);
        if (r < 0)
                return r;
        if (find_action(m->machine1, row, &action) < 0)
                return error_oom(reterr);
        return access_begin(m, call, &row->method, action, image, false, reterr);
}

int machine1_method(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        _cleanup_error_ Error e = ERROR_NULL;
        Manager *manager = userdata;
        if (machine1_begin(manager, m, NULL, &e) < 0)
                return bus_error_from_error_for(m, reterr_error, &e);
        return 1; /* the reply follows */
}

/* ---- the object ---- */

static int get_pool(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *reterr_error) {
        if (streq(property, "PoolPath"))
                return sd_bus_message_append(reply, "s", "/var/lib/machines");
        return sd_bus_message_append(reply, "t", UINT64_MAX); /* not known, and no limit */
}

#define M(member, in, out) \
        SD_BUS_METHOD(member, in, out, machine1_method, SD_BUS_VTABLE_UNPRIVILEGED)

/* clang-format off */
const sd_bus_vtable machine1_manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("PoolPath", "s", get_pool, 0, 0),
        SD_BUS_PROPERTY("PoolUsage", "t", get_pool, 0, 0),
        SD_BUS_PROPERTY("PoolLimit", "t", get_pool, 0, 0),
        M("GetMachine", "s", "o"),
        M("GetImage", "s", "o"),
        M("GetMachineByPID", "u", "o"),
        M("ListMachines", NULL, "a(ssso)"),
        M("ListImages", NULL, "a(ssbttto)"),
        M("CreateMachine", "sayssusa(sv)", "o"),
        M("CreateMachineWithNetwork", "sayssusaia(sv)", "o"),
        M("RegisterMachine", "sayssus", "o"),
        M("RegisterMachineWithNetwork", "sayssusai", "o"),
        M("CreateMachineEx", "sa(sv)a(sv)", "o"),
        M("RegisterMachineEx", "sa(sv)", "o"),
        M("UnregisterMachine", "s", NULL),
        M("TerminateMachine", "s", NULL),
        M("KillMachine", "ssi", NULL),
        M("GetMachineAddresses", "s", "a(iay)"),
        M("GetMachineSSHInfo", "s", "ss"),
        M("GetMachineOSRelease", "s", "a{ss}"),
        M("OpenMachinePTY", "s", "hs"),
        M("OpenMachineLogin", "s", "hs"),
        M("OpenMachineShell", "sssasas", "hs"),
        M("BindMountMachine", "sssbb", NULL),
        M("CopyFromMachine", "sss", NULL),
        M("CopyToMachine", "sss", NULL),
        M("CopyFromMachineWithFlags", "ssst", NULL),
        M("CopyToMachineWithFlags", "ssst", NULL),
        M("OpenMachineRootDirectory", "s", "h"),
        M("GetMachineUIDShift", "s", "u"),
        M("RemoveImage", "s", NULL),
        M("RenameImage", "ss", NULL),
        M("CloneImage", "ssb", NULL),
        M("MarkImageReadOnly", "sb", NULL),
        M("GetImageHostname", "s", "s"),
        M("GetImageMachineID", "s", "ay"),
        M("GetImageMachineInfo", "s", "a{ss}"),
        M("GetImageOSRelease", "s", "a{ss}"),
        M("SetPoolLimit", "t", NULL),
        M("SetImageLimit", "st", NULL),
        M("CleanPool", "s", "a(st)"),
        M("MapFromMachineUser", "su", "u"),
        M("MapToMachineUser", "u", "sou"),
        M("MapFromMachineGroup", "su", "u"),
        M("MapToMachineGroup", "u", "sou"),
        SD_BUS_SIGNAL_WITH_ARGS("MachineNew", SD_BUS_ARGS("s", machine, "o", path), 0),
        SD_BUS_SIGNAL_WITH_ARGS("MachineRemoved", SD_BUS_ARGS("s", machine, "o", path), 0),
        SD_BUS_VTABLE_END,
};
/* clang-format on */
