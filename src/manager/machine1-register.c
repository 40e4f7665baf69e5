/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine1: machines of other programs, systemd-nspawn(1) for one: registered by these, gone when their leader ends. */
#include <fcntl.h>
#include <inttypes.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/id.h"
#include "basic/log.h"
#include "basic/path.h"
#include "bus/bus.h"
#include "bus/names.h"
#include "manager/machine1.h"
#include "sys/cgroup.h"

#define SERVICE_MAX 255U
#define POWEROFF_SIGNAL (SIGRTMIN + 4) /* systemd(1): to an init of its kind */

/* ---- units ---- */

int foreign_find_unit(pid_t pid, char **ret_unit, char **ret_group, char **ret_subgroup) {
        _cleanup_free_ char *path = NULL, *unit = NULL, *group = NULL, *subgroup = NULL;
        int r = cgroup_get_path(pid, &path);
        if (r < 0)
                return r;
        /* the first component that is no slice */
        const char *name = path + 1, *end = path;
        for (;;) {
                end += strcspn(end + 1, "/") + 1;
                unit = strndup(name, (size_t) (end - name));
                if (!unit)
                        return -ENOMEM;
                if (!endswith(unit, ".slice") || *end == '\0')
                        break;
                name = end + 1;
                unit = mfree(unit);
        }
        if (!endswith(unit, ".scope") && !endswith(unit, ".service"))
                return -ENXIO;
        group = strndup(path, (size_t) (end - path));
        subgroup = strdup(*end == '/' ? end + 1 : "");
        /* systemd has a '_' before names that the kernel could take for its own */
        if (!group || !subgroup ||
            (unit[0] == '_' && free_and_strdup(&unit, strempty(unit + 1)) < 0))
                return -ENOMEM;
        *ret_unit = TAKE_PTR(unit);
        *ret_group = TAKE_PTR(group);
        *ret_subgroup = TAKE_PTR(subgroup);
        return 0;
}

/* ---- life ---- */

Foreign *foreign_free(Foreign *f) {
        if (!f)
                return NULL;
        machine1_creation_free(f->creation);
        sd_event_source_disable_unref(f->leader_source);
        free(f->service);
        free(f->class_name);
        free(f->subgroup);
        free(f->interfaces);
        free(f);
        return NULL;
}

static int on_leader_ended(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        Container *c = userdata;
        container_set_text(c, &c->result, "its leader has ended", "Result");
        container_remove(c);
        return 0;
}

static int fill(Container *c, Registration *r) {
        c->foreign = new0(Foreign, 1);
        if (!c->foreign)
                return -ENOMEM;
        Foreign *f = c->foreign;
        f->service = strdup(strempty(r->service));
        f->class_name = strdup(r->class_name);
        c->root_directory = strdup(strempty(r->root_directory));
        if (!f->service || !f->class_name || !c->root_directory)
                return -ENOMEM;
        if (r->n_interfaces > 0) {
                f->interfaces = new0(int32_t, r->n_interfaces);
                if (!f->interfaces)
                        return -ENOMEM;
                memcpy(f->interfaces, r->interfaces, r->n_interfaces * sizeof(int32_t));
                f->n_interfaces = r->n_interfaces;
        }
        Id128 id;
        char text[ID128_STRING_MAX] = "";
        if (r->id_size == sizeof(id.bytes)) {
                memcpy(id.bytes, r->id, sizeof(id.bytes));
                (void) id128_to_string(id, text); /* returns text */
        }
        container_set_text(c, &c->id, text, "Id");
        if (r->realtime > 0)
                container_set_start(c, r->realtime);
        if (r->supervisor > 0 && r->supervisor != r->leader.pid)
                (void) pidref_open(r->supervisor, &c->supervisor); /* it may be gone already */
        c->leader = r->leader;
        r->leader = (PidRef) PIDREF_NULL;
        return sd_event_add_io(c->manager->event, &f->leader_source, c->leader.fd, EPOLLIN,
                               on_leader_ended, c);
}

int foreign_begin(Container *c, const char *unit) {
        _cleanup_free_ char *found = NULL, *group = NULL, *subgroup = NULL;
        int r = foreign_find_unit(c->leader.pid, &found, &group, &subgroup);
        if (r < 0)
                return r;
        if (unit && !streq(unit, found))
                return -ENXIO;
        container_set_text(c, &c->unit, found, "Unit");
        container_set_text(c, &c->control_group, group, "ControlGroup");
        c->foreign->subgroup = TAKE_PTR(subgroup);
        container_set_state(c, STATE_RUNNING);
        container_announce(c);
        return 0;
}

int foreign_new(Manager *m, Registration *r, Container **ret, Error *reterr) {
        Container *c;
        int k = container_new(m, r->name, &c, reterr);
        if (k < 0) {
                pidref_done(&r->leader);
                return k;
        }
        k = fill(c, r);
        if (k < 0) {
                pidref_done(&r->leader);
                container_free(c);
                return error_set_errno(reterr, k, ERROR_FAILED, "Keeping track of '%s' failed",
                                       r->name);
        }
        *ret = c;
        return 0;
}

/* ---- registering ---- */

static int read_arguments(sd_bus_message *call, Registration *r, uint32_t *ret_leader,
                          Error *reterr) {
        const char *signature = strempty(sd_bus_message_get_signature(call, true));
        size_t size = 0;
        int k = sd_bus_message_read(call, "s", &r->name);
        if (k >= 0)
                k = sd_bus_message_read_array(call, 'y', &r->id, &r->id_size);
        if (k >= 0)
                k = sd_bus_message_read(call, "ssus", &r->service, &r->class_name, ret_leader,
                                        &r->root_directory);
        if (k >= 0 && startswith(signature, "sayssusai")) {
                k = sd_bus_message_read_array(call, 'i', (const void **) &r->interfaces, &size);
                r->n_interfaces = size / sizeof(int32_t);
        }
        return k < 0 ? error_set_errno(reterr, k, ERROR_PROTOCOL, "The call cannot be read") : 0;
}

/* The leader as a descriptor, or as a number with the inode of its pidfd: then it is neither of the processes before and after it that
 * have had the number. */
typedef struct LeaderName {
        uint32_t pid;
        uint64_t pidfd_id;
} LeaderName;

static int read_leader_fd(sd_bus_message *call, Registration *r) {
        int fd, k = sd_bus_message_read(call, "v", "h", &fd);
        if (k < 0)
                return k;
        pidref_done(&r->leader);
        _cleanup_close_ int own_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return own_fd < 0 ? -errno : pidref_take_fd(&own_fd, &r->leader);
}

static int read_array(sd_bus_message *call, char type, const void **ret, size_t *ret_size) {
        const char contents[] = { 'a', type, '\0' };
        int k = sd_bus_message_enter_container(call, 'v', contents);
        if (k >= 0)
                k = sd_bus_message_read_array(call, type, ret, ret_size);
        return k < 0 ? k : sd_bus_message_exit_container(call);
}

/* -EOPNOTSUPP: there is no such property. */
static int read_property(sd_bus_message *call, const char *key, Registration *r,
                         LeaderName *leader) {
        const struct {
                const char *key, **at;
        } texts[] = {
                { "Service", &r->service },
                { "Class", &r->class_name },
                { "RootDirectory", &r->root_directory },
        };
        /* of virtual machines, which have no sessions here */
        static const char *const ignored[] = { "VSockCID", "SSHAddress", "SSHPrivateKeyPath" };
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                if (streq(key, texts[i].key))
                        return sd_bus_message_read(call, "v", "s", texts[i].at);
        for (size_t i = 0; i < ELEMENTSOF(ignored); i++)
                if (streq(key, ignored[i]))
                        return sd_bus_message_skip(call, "v");
        if (streq(key, "Id"))
                return read_array(call, 'y', &r->id, &r->id_size);
        if (streq(key, "LeaderPIDFD"))
                return read_leader_fd(call, r);
        if (streq(key, "LeaderPID"))
                return sd_bus_message_read(call, "v", "u", &leader->pid);
        if (streq(key, "LeaderPIDFDID"))
                return sd_bus_message_read(call, "v", "t", &leader->pidfd_id);
        if (streq(key, "NetworkInterfaces")) {
                size_t size = 0;
                int k = read_array(call, 'i', (const void **) &r->interfaces, &size);
                r->n_interfaces = size / sizeof(int32_t);
                return k;
        }
        return -EOPNOTSUPP;
}

static int check_leader(Registration *r, const LeaderName *leader, Error *reterr) {
        if (!pidref_is_set(&r->leader) && leader->pid > 0 && leader->pid <= INT32_MAX) {
                int k = pidref_open((pid_t) leader->pid, &r->leader);
                if (k < 0)
                        return error_set_errno(reterr, k, ERROR_FAILED,
                                               "Process %" PRIu32 " cannot be watched",
                                               leader->pid);
        }
        const uint64_t id = machine1_pidfd_id(&r->leader);
        if (leader->pidfd_id != 0 && id != 0 && id != leader->pidfd_id)
                return error_set(reterr, -ESRCH, ERROR_FAILED,
                                 "Process %d is another one than the leader that was named",
                                 (int) r->leader.pid);
        return 0;
}

/* RegisterMachineEx and CreateMachineEx */
static int read_properties(sd_bus_message *call, Registration *r, Error *reterr) {
        LeaderName leader = { 0 };
        r->service = r->root_directory = "";
        r->class_name = "container";
        int k = sd_bus_message_read(call, "s", &r->name);
        if (k >= 0)
                k = sd_bus_message_enter_container(call, 'a', "(sv)");
        while (k >= 0 && (k = sd_bus_message_enter_container(call, 'r', "sv")) > 0) {
                const char *key = "";
                k = sd_bus_message_read(call, "s", &key);
                if (k >= 0)
                        k = read_property(call, key, r, &leader);
                if (k == -EOPNOTSUPP || k == -ENXIO) {
                        _cleanup_free_ char *shown = str_escape_for_display(key);
                        return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                         k == -ENXIO ? "Property '%.80s' has the wrong type"
                                                     : "Unknown property '%.80s'",
                                         strempty(shown));
                }
                if (k == -ESRCH || k == -EBADF)
                        return error_set_errno(reterr, k, ERROR_FAILED,
                                               "The leader cannot be watched");
                if (k >= 0)
                        k = sd_bus_message_exit_container(call);
        }
        if (k >= 0)
                k = sd_bus_message_exit_container(call);
        return k < 0 ? error_set_errno(reterr, k, ERROR_PROTOCOL, "The call cannot be read")
                     : check_leader(r, &leader, reterr);
}

static int check_arguments(const Registration *r, Error *reterr) {
        static const uint8_t none[16] = { 0 };
        if (!container_name_is_valid(r->name))
                return error_set(reterr, -EINVAL, ERROR_INVALID_NAME, "Invalid machine name");
        if (r->id_size != 0 && r->id_size != sizeof(none))
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                 "Invalid machine ID: it has 16 bytes, or none");
        if (!streq(r->class_name, "container") && !streq(r->class_name, "vm"))
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                 "Invalid class '%s': 'container' or 'vm' is expected",
                                 r->class_name);
        if (strlen(r->service) > SERVICE_MAX)
                return error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED,
                                 "The name of the service has more than %u bytes", SERVICE_MAX);
        if (!isempty(r->root_directory) &&
            (!path_is_absolute(r->root_directory) || !path_is_valid(r->root_directory)))
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                 "Invalid root directory '%s': an absolute path is expected",
                                 r->root_directory);
        if (r->n_interfaces > MACHINE1_INTERFACES_MAX)
                return error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED,
                                 "More than %u network interfaces", MACHINE1_INTERFACES_MAX);
        for (size_t i = 0; i < r->n_interfaces; i++)
                if (r->interfaces[i] <= 0)
                        return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                         "Invalid network interface %d", (int) r->interfaces[i]);
        return 0;
}

/* The leader, held: neither the host's init nor ours, nor one that leads another machine. */
static int hold_leader(Manager *m, pid_t pid, PidRef *leader, Error *reterr) {
        if (pid <= 1 || pid == getpid())
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                 "Process %d cannot be the leader of a machine", (int) pid);
        Container *c;
        HASHMAP_FOREACH(c, m->containers)
                if (c->leader.pid == pid && pidref_is_alive(&c->leader))
                        return error_set(reterr, -EEXIST, ERROR_NAME_IN_USE,
                                         "Process %d is the leader of machine '%s'", (int) pid,
                                         c->name);
        int r = pidref_is_set(leader) ? 0 : pidref_open(pid, leader);
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED, "Process %d cannot be watched",
                                       (int) pid)
                     : 0;
}

int foreign_register(Manager *m, Registration *r, pid_t leader, Container **ret, Error *reterr) {
        int k = check_arguments(r, reterr);
        if (k >= 0)
                k = hold_leader(m, leader, &r->leader, reterr);
        if (k < 0) {
                pidref_done(&r->leader);
                return k;
        }
        return foreign_new(m, r, ret, reterr);
}

int foreign_begin_or_free(Container *c, Error *reterr) {
        if (foreign_begin(c, NULL) >= 0)
                return 0;
        (void) error_set(reterr, -ENXIO, ERROR_INVALID_SETTING,
                         "Process %d is in no unit of systemd", (int) c->leader.pid);
        container_free(c);
        return -ENXIO;
}

static int register_by(Manager *m, sd_bus_message *call, const char *container, pid_t caller,
                       Error *reterr) {
        const char *member = strempty(sd_bus_message_get_member(call));
        const bool create = startswith(member, "Create") != NULL;
        Registration r = { .leader = PIDREF_NULL };
        uint32_t leader = 0;
        Container *c;
        int k = endswith(member, "Ex") ? read_properties(call, &r, reterr)
                                       : read_arguments(call, &r, &leader, reterr);
        if (pidref_is_set(&r.leader))
                leader = (uint32_t) r.leader.pid;
        if (k >= 0 && leader > INT32_MAX)
                k = error_set(reterr, -EINVAL, ERROR_INVALID_SETTING, "Invalid leader");
        r.supervisor = caller;
        if (k >= 0)
                k = foreign_register(m, &r, leader != 0 ? (pid_t) leader : caller, &c, reterr);
        if (k < 0) {
                pidref_done(&r.leader); /* unless it was taken */
                return k;
        }
        if (create) {
                k = machine1_create_scope(c, call, reterr);
                if (k < 0)
                        container_free(c);
                return k;
        }
        k = foreign_begin_or_free(c, reterr);
        if (k < 0)
                return k;
        _cleanup_free_ char *path = NULL;
        if (machine1_path(c->name, &path) < 0)
                return error_oom(reterr);
        k = sd_bus_reply_method_return(call, "o", path);
        return k < 0 ? error_set_errno(reterr, k, ERROR_FAILED, "Writing the reply failed") : 0;
}

int body_register(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        return machine1_ask_caller(m, call, container, register_by, reterr);
}

int body_unregister(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        Container *c = machine1_find(m, container, reterr);
        if (!c)
                return -ENXIO;
        if (!c->foreign)
                return error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                                 "Machine '%s' is berth's own, and goes when it ends", container);
        container_set_text(c, &c->result, "unregistered", "Result");
        container_remove(c);
        int r = sd_bus_reply_method_return(call, NULL);
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED, "Writing the reply failed") : 0;
}

/* ---- requests ---- */

int foreign_request(Container *c, ControlType type, Error *reterr) {
        int r;
        if (type == CONTROL_TERMINATE) /* nobody waits for the answer: the leader's end tells */
                r = sd_bus_call_method_async(c->manager->bus, NULL, SYSTEMD1_BUS_NAME,
                                             SYSTEMD1_PATH, SYSTEMD1_MANAGER_INTERFACE, "StopUnit",
                                             NULL, NULL, "ss", strempty(c->unit), "fail");
        else
                r = pidref_kill(&c->leader, type == CONTROL_REBOOT ? SIGINT : POWEROFF_SIGNAL);
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED, "Machine '%s' cannot be reached",
                                       c->name)
                     : 0;
}
