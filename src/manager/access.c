/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way of every D-Bus call: find its row, check the container's name, have the caller authorised, run the body. */
#include "manager/access.h"

#include "basic/alloc.h"
#include "basic/path.h"
#include "basic/str.h"
#include "bus/bus.h"
#include "bus/names.h"
#include "bus/polkit.h"

struct Access {
        Manager *manager;
        const Method *method;
        char *container;
        PolkitCheck *check;
        LIST_FIELDS(Access, accesses);
};

static void access_unlink(Access *a) {
        LIST_REMOVE(accesses, a->manager->accesses, a);
        manager_call_end(a->manager);
        free(a->container);
        free(a);
}

Access *access_free(Access *a) {
        polkit_check_free(a->check);
        access_unlink(a);
        return NULL;
}

static void reply_error(sd_bus_message *call, const Error *e) {
        _cleanup_(sd_bus_error_free) sd_bus_error b = SD_BUS_ERROR_NULL;
        (void) bus_error_from_error(&b, e);
        (void) sd_bus_reply_method_error(call, &b); /* the caller may be gone */
}

static bool is_container_call(sd_bus_message *m) {
        return streq(strempty(sd_bus_message_get_interface(m)), BERTH_CONTAINER_INTERFACE);
}

static void on_checked(sd_bus_message *call, const Error *denied, void *userdata) {
        Access *a = userdata;
        Manager *m = a->manager;
        const Method *method = a->method;
        _cleanup_free_ char *container = TAKE_PTR(a->container);
        _cleanup_error_ Error e = ERROR_NULL;

        a->check = NULL; /* frees itself */
        access_unlink(a);
        manager_touch(m);
        if (denied) {
                reply_error(call, denied);
                return;
        }
        int r = sd_bus_message_rewind(call, /* complete= */ true);
        if (r >= 0 && method->signature[0] == 's' && !is_container_call(call))
                r = sd_bus_message_skip(call, "s");
        r = r < 0 ? error_set_errno(&e, r, ERROR_PROTOCOL, "The call cannot be read")
                  : method->body(m, call, container, &e);
        if (r < 0)
                reply_error(call, &e);
}

static const Method *method_find(sd_bus_message *m) {
        _cleanup_free_ char *member = is_container_call(m)
                                              ? strjoin(sd_bus_message_get_member(m), "Container")
                                              : strdup(strempty(sd_bus_message_get_member(m)));
        if (!member)
                return NULL;
        if (streq(member, "GetSpecContainer"))
                member[STRLEN("GetSpec")] = '\0';
        for (const Method *row = manager_methods; row->member; row++)
                if (streq(row->member, member))
                        return row;
        return NULL;
}

static int read_container(sd_bus_message *m, const Method *method, char **ret, Error *reterr) {
        _cleanup_free_ char *name = NULL;
        const char *text = NULL;
        int r = 0;
        if (is_container_call(m)) {
                r = sd_bus_path_decode(sd_bus_message_get_path(m), BERTH_CONTAINER_PATH_PREFIX,
                                       &name);
                text = name;
        } else if (method->signature[0] == 's')
                r = sd_bus_message_read_basic(m, 's', &text);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_PROTOCOL, "The call cannot be read");
        if (!text)
                return 0;
        if (!container_name_is_valid(text)) {
                _cleanup_free_ char *shown = str_escape_for_display(text);
                r = error_set(reterr, -EINVAL, ERROR_INVALID_NAME, "Invalid container name '%.80s'",
                              strempty(shown));
                error_hint(reterr, "up to 64 letters, digits, '.', '-' and '_'");
                return r;
        }
        return free_and_strdup(ret, text) < 0 ? error_oom(reterr) : 0;
}

static int begin(Manager *m, sd_bus_message *call, Error *reterr) {
        const Method *method = method_find(call);
        if (!method)
                return error_set(reterr, -EINVAL, ERROR_UNSUPPORTED, "Unknown method '%s'",
                                 strempty(sd_bus_message_get_member(call)));
        _cleanup_free_ char *container = NULL;
        int r = read_container(call, method, &container, reterr);
        if (r < 0)
                return r;
        r = manager_call_begin(m, reterr);
        if (r < 0)
                return r;
        Access *a = new0(Access, 1);
        if (!a) {
                manager_call_end(m);
                return error_oom(reterr);
        }
        a->manager = m;
        a->method = method;
        a->container = TAKE_PTR(container);
        LIST_PREPEND(accesses, m->accesses, a);
        r = polkit_check(call, method->action, a->container, on_checked, a, &a->check);
        if (r < 0) {
                access_unlink(a);
                return error_set_errno(reterr, r, ERROR_BUS_FAILED, "Asking who calls failed");
        }
        return 0;
}

int access_method(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Manager *manager = userdata;
        _cleanup_error_ Error e = ERROR_NULL;
        if (begin(manager, m, &e) < 0)
                return bus_error_from_error(reterr_error, &e);
        return 1; /* the reply follows */
}
