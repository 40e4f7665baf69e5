/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Client of org.berth.Containers1. */
#include "bus/manager1.h"

#include <arpa/inet.h>

#include "basic/alloc.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "bus/bus.h"
#include "bus/names.h"

void container_info_done(ContainerInfo *i) {
        free(i->name);
        free(i->state);
        free(i->id);
        free(i->unit);
        free(i->control_group);
        free(i->root_directory);
        free(i->status_text);
        free(i->result);
        strv_free(i->addresses);
        free(i->health);
        *i = (ContainerInfo){ 0 };
}

typedef struct InfoField {
        const char *property;
        char type;
        size_t offset;
} InfoField;

/* Properties of the Container interface that a ContainerInfo holds; others are skipped. */
static const InfoField info_fields[] = {
        /* clang-format off */
        { "Name",           's', offsetof(ContainerInfo, name) },
        { "State",          's', offsetof(ContainerInfo, state) },
        { "Ready",          'b', offsetof(ContainerInfo, ready) },
        { "Id",             's', offsetof(ContainerInfo, id) },
        { "Unit",           's', offsetof(ContainerInfo, unit) },
        { "ControlGroup",   's', offsetof(ContainerInfo, control_group) },
        { "RootDirectory",  's', offsetof(ContainerInfo, root_directory) },
        { "StatusText",     's', offsetof(ContainerInfo, status_text) },
        { "Result",         's', offsetof(ContainerInfo, result) },
        { "Health",         's', offsetof(ContainerInfo, health) },
        { "Leader",         'u', offsetof(ContainerInfo, leader) },
        { "Supervisor",     'u', offsetof(ContainerInfo, supervisor) },
        { "StartTimestamp", 't', offsetof(ContainerInfo, started_usec) },
        /* clang-format on */
};

/* What is shown on terminals. Who answers may be a manager in a container, or on another host. */
static int take_text(char **at, const char *text) {
        char *safe = str_escape_for_display(text);
        if (!safe)
                return -ENOMEM;
        free(*at);
        *at = safe;
        return 0;
}

static int read_field(sd_bus_message *m, const InfoField *f, ContainerInfo *info) {
        void *at = (char *) info + f->offset;
        const char contents[] = { f->type, '\0' };
        const char *text;
        int b, r = sd_bus_message_enter_container(m, 'v', contents);
        if (r < 0)
                return r;
        switch (f->type) {
        case 's':
                r = sd_bus_message_read_basic(m, 's', &text);
                if (r >= 0)
                        r = take_text(at, text);
                break;
        case 'b':
                r = sd_bus_message_read_basic(m, 'b', &b);
                if (r >= 0)
                        *(bool *) at = b;
                break;
        default:
                r = sd_bus_message_read_basic(m, f->type, at);
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* a(iay), as text */
static int read_addresses(sd_bus_message *m, char ***ret) {
        _cleanup_strv_free_ char **list = NULL;
        int32_t family;
        int r = sd_bus_message_enter_container(m, 'a', "(iay)");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'r', "iay")) > 0) {
                char text[INET6_ADDRSTRLEN];
                const void *bytes = NULL;
                size_t n = 0;
                r = sd_bus_message_read(m, "i", &family);
                if (r >= 0)
                        r = sd_bus_message_read_array(m, 'y', &bytes, &n);
                if (r >= 0 && n == (family == AF_INET ? 4U : 16U) &&
                    inet_ntop(family, bytes, text, sizeof(text)))
                        r = strv_extend(&list, text);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        strv_free(*ret);
        *ret = TAKE_PTR(list);
        return 0;
}

/* What is measured, and what a newer manager may have in addition. */
static int read_other_field(sd_bus_message *m, const char *key, ContainerInfo *info) {
        const UsageField u = usage_field_from_string(key);
        if (u >= 0)
                return sd_bus_message_read(m, "v", "t", info->usage + u);
        if (!streq(key, "Addresses"))
                return sd_bus_message_skip(m, "v");
        int r = sd_bus_message_enter_container(m, 'v', "a(iay)");
        if (r >= 0)
                r = read_addresses(m, &info->addresses);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_info(sd_bus_message *m, ContainerInfo *info) {
        for (UsageField u = 0; u < _USAGE_MAX; u++)
                info->usage[u] = USAGE_UNKNOWN;
        int r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                const char *key;
                const InfoField *f = NULL;
                r = sd_bus_message_read_basic(m, 's', &key);
                for (size_t i = 0; r >= 0 && i < ELEMENTSOF(info_fields) && !f; i++)
                        if (streq(info_fields[i].property, key))
                                f = &info_fields[i];
                if (r >= 0)
                        r = f ? read_field(m, f, info) : read_other_field(m, key, info);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        if (r >= 0 && (!info->name || !info->state))
                return -EBADMSG;
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

typedef struct InfoList {
        ContainerInfo *items;
        size_t n;
} InfoList;

static void info_list_done(InfoList *l) {
        for (size_t i = 0; i < l->n; i++)
                container_info_done(&l->items[i]);
        free(l->items);
}

static int read_list(sd_bus_message *m, InfoList *list) {
        int r = sd_bus_message_enter_container(m, 'a', "(sa{sv}o)");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'r', "sa{sv}o")) > 0) {
                ContainerInfo *info = ARRAY_APPEND(list->items, list->n);
                if (!info)
                        return -ENOMEM;
                r = sd_bus_message_skip(m, "s");
                if (r >= 0)
                        r = read_info(m, info);
                if (r >= 0)
                        r = sd_bus_message_skip(m, "o");
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r;
}

static int call_failed(const sd_bus_error *e, int r, Error *reterr) {
        if (sd_bus_error_has_name(e, SD_BUS_ERROR_SERVICE_UNKNOWN)) {
                r = error_set(reterr, r, ERROR_BUS_FAILED,
                              "The manager berthd is not running and cannot be started");
                error_hint(reterr, "see 'systemctl status berthd.service'");
                return r;
        }
        return bus_error_to_error(e, r, reterr, "Asking the manager berthd failed");
}

int manager1_call(sd_bus *bus, sd_bus_message *m, uint64_t timeout_usec, sd_bus_message **ret,
                  Error *reterr) {
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        int r = sd_bus_call(bus, m, bus_call_timeout(bus, timeout_usec), &e, ret);
        return r < 0 ? call_failed(&e, r, reterr) : 0;
}

int manager1_new_call(sd_bus *bus, const char *method, sd_bus_message **ret, Error *reterr) {
        int r = sd_bus_message_new_method_call(bus, ret, BERTH_BUS_NAME, BERTH_MANAGER_PATH,
                                               BERTH_MANAGER_INTERFACE, method);
        return r < 0 ? error_oom(reterr) : 0;
}

/* m: the call; its answer is a list of containers. */
static int call_for_list(sd_bus *bus, sd_bus_message *m, ContainerInfo **ret, size_t *ret_n,
                         Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(info_list_done) InfoList list = { 0 };
        int r = manager1_call(bus, m, 0, &reply, reterr);
        if (r < 0)
                return r;
        r = read_list(reply, &list);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_PROTOCOL,
                                       "The manager's list of containers cannot be read");
        *ret = TAKE_PTR(list.items);
        *ret_n = TAKE_GENERIC(list.n, size_t, 0);
        return 0;
}

int manager1_list(sd_bus *bus, ContainerInfo **ret, size_t *ret_n, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = manager1_new_call(bus, "ListContainers", &m, reterr);
        return r < 0 ? r : call_for_list(bus, m, ret, ret_n, reterr);
}

int manager1_measure(sd_bus *bus, char *const *properties, ContainerInfo **ret, size_t *ret_n,
                     Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = manager1_new_call(bus, "MeasureContainers", &m, reterr);
        if (r >= 0 && sd_bus_message_append_strv(m, (char **) properties) < 0)
                r = error_oom(reterr);
        return r < 0 ? r : call_for_list(bus, m, ret, ret_n, reterr);
}

int manager1_get(sd_bus *bus, const char *name, ContainerInfo *ret, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_(container_info_done) ContainerInfo info = { 0 };
        int r = manager1_new_call(bus, "DescribeContainer", &m, reterr);
        if (r < 0)
                return r;
        if (sd_bus_message_append(m, "s", name) < 0)
                return error_oom(reterr);
        r = manager1_call(bus, m, 0, &reply, reterr);
        if (r < 0)
                return r;
        r = read_info(reply, &info);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_PROTOCOL,
                                       "The manager's description of '%s' cannot be read", name);
        *ret = info;
        info = (ContainerInfo){ 0 };
        return 0;
}

/* How much longer than a limit of the manager's own we wait for its answer. */
#define ANSWER_MARGIN_USEC (5 * USEC_PER_SEC)
#define PAUSE_TIMEOUT_USEC (10 * USEC_PER_SEC + ANSWER_MARGIN_USEC)

static int on_stop_reply(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        StopCall *c = userdata;
        _cleanup_error_ Error e = ERROR_NULL;
        if (sd_bus_message_is_method_error(m, NULL))
                (void) call_failed(sd_bus_message_get_error(m), -EIO, &e);
        c->done(error_is_set(&e) ? &e : NULL, c->userdata);
        return 0;
}

int manager1_stop_begin(sd_bus *bus, const char *name, usec_t timeout_usec, StopCall *c,
                        Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = manager1_new_call(bus, "StopContainer", &m, reterr);
        if (r < 0)
                return r;
        if (sd_bus_message_append(m, "st", name, timeout_usec) < 0)
                return error_oom(reterr);
        r = sd_bus_call_async(bus, &c->slot, m, on_stop_reply, c,
                              bus_call_timeout(bus, usec_add(timeout_usec, ANSWER_MARGIN_USEC)));
        return r < 0 ? call_failed(NULL, r, reterr) : 0;
}

/* timeout_usec 0: the bus' default. */
static int call_with_name(sd_bus *bus, const char *method, const char *name, usec_t timeout_usec,
                          Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = manager1_new_call(bus, method, &m, reterr);
        if (r < 0)
                return r;
        if (sd_bus_message_append(m, "s", name) < 0)
                return error_oom(reterr);
        return manager1_call(bus, m, timeout_usec, NULL, reterr);
}

int manager1_terminate(sd_bus *bus, const char *name, Error *reterr) {
        return call_with_name(bus, "TerminateContainer", name, 0, reterr);
}

int manager1_reboot(sd_bus *bus, const char *name, Error *reterr) {
        return call_with_name(bus, "RebootContainer", name, 0, reterr);
}

int manager1_pause(sd_bus *bus, const char *name, Error *reterr) {
        return call_with_name(bus, "PauseContainer", name, PAUSE_TIMEOUT_USEC, reterr);
}

int manager1_resume(sd_bus *bus, const char *name, Error *reterr) {
        return call_with_name(bus, "ResumeContainer", name, PAUSE_TIMEOUT_USEC, reterr);
}

int manager1_kill(sd_bus *bus, const char *name, const char *whom, int signal, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = manager1_new_call(bus, "KillContainer", &m, reterr);
        if (r < 0)
                return r;
        if (sd_bus_message_append(m, "ssi", name, whom, (int32_t) signal) < 0)
                return error_oom(reterr);
        return manager1_call(bus, m, 0, NULL, reterr);
}

int manager1_set_properties(sd_bus *bus, const char *name, char *const *changes, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = manager1_new_call(bus, "SetContainerProperties", &m, reterr);
        if (r < 0)
                return r;
        if (sd_bus_message_append(m, "s", name) < 0 ||
            sd_bus_message_append_strv(m, (char **) changes) < 0)
                return error_oom(reterr);
        return manager1_call(bus, m, 0, NULL, reterr);
}
