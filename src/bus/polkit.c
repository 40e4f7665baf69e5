/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asynchronous authorisation: GetConnectionCredentials of the sender, unless that is known, then CheckAuthorization of polkit unless that is root. */
#include "bus/polkit.h"

#include "basic/alloc.h"
#include "basic/time.h"
#include "bus/names.h"

#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"
#define POLKIT_TIMEOUT_USEC (5 * USEC_PER_MINUTE) /* someone may have to type a password */

struct PolkitCheck {
        sd_bus_message *call;
        sd_bus_slot *slot;
        char *action, *container, *user, *program;
        PolkitCaller caller;
        PolkitAsk ask;
        PolkitDone done;
        void *userdata;
};

PolkitCheck *polkit_check_free(PolkitCheck *c) {
        if (!c)
                return NULL;
        sd_bus_slot_unref(c->slot);
        sd_bus_message_unref(c->call);
        free(c->action);
        free(c->container);
        free(c->user);
        free(c->program);
        free(c);
        return NULL;
}

static void finish(PolkitCheck *c, const Error *denied) {
        c->done(c->call, &c->caller, denied, c->userdata);
        polkit_check_free(c);
}

static void deny(PolkitCheck *c, const char *why, const char *hint) {
        _cleanup_error_ Error e = ERROR_NULL;
        (void) error_set(&e, -EACCES, ERROR_ACCESS_DENIED, "Access denied (%s): %s", c->action,
                         why);
        error_hint(&e, "%s", hint);
        finish(c, &e);
}

static int on_authorization(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        PolkitCheck *c = userdata;
        int authorized = false, challenge = false;

        if (sd_bus_message_is_method_error(m, NULL))
                deny(c, "polkit does not answer", "call as root, or install and start polkit");
        else if (sd_bus_message_enter_container(m, 'r', "bba{ss}") < 0 ||
                 sd_bus_message_read(m, "bb", &authorized, &challenge) < 0)
                deny(c, "polkit's answer cannot be read", "call as root");
        else if (authorized)
                finish(c, NULL);
        else if (challenge)
                deny(c, "authentication is required",
                     "run as root, or from a session where a polkit agent can ask");
        else
                deny(c, "polkit says no", "run as root, or have a polkit rule allow it");
        return 1;
}

static int append_details(sd_bus_message *m, const PolkitCheck *c) {
        /* rules that were written for systemd-machined's actions look for its word */
        const bool foreign = startswith(c->action, MACHINE1_PREFIX) != NULL;
        const struct {
                const char *key, *value;
        } details[] = {
                { foreign ? "machine" : "container", c->container },
                { "user", c->user },
                { "program", c->program },
        };
        int r = sd_bus_message_open_container(m, 'a', "{ss}");
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(details); i++)
                if (details[i].value)
                        r = sd_bus_message_append(m, "{ss}", details[i].key, details[i].value);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int ask_polkit(PolkitCheck *c, sd_bus *bus, sd_bus_slot **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        uint32_t flags = sd_bus_message_get_allow_interactive_authorization(c->call) > 0 ? 1 : 0;
        int r = sd_bus_message_new_method_call(bus, &m, POLKIT_BUS_NAME, POLKIT_PATH,
                                               POLKIT_INTERFACE, "CheckAuthorization");
        if (r >= 0)
                r = sd_bus_message_append(m, "(sa{sv})s", "system-bus-name", 1, "name", "s",
                                          sd_bus_message_get_sender(c->call), c->action);
        if (r >= 0)
                r = append_details(m, c);
        if (r >= 0)
                r = sd_bus_message_append(m, "us", flags, "");
        return r < 0 ? r : sd_bus_call_async(bus, ret, m, on_authorization, c, POLKIT_TIMEOUT_USEC);
}

/* a{sv}: "UnixUserID", "ProcessID", and more. Negative: it cannot be read, or has no user. */
static int read_credentials(sd_bus_message *m, PolkitCaller *ret) {
        bool known = false;
        int r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                const char *key;
                uint32_t value;
                r = sd_bus_message_read(m, "s", &key);
                if (r >= 0 && (streq(key, "UnixUserID") || streq(key, "ProcessID"))) {
                        r = sd_bus_message_read(m, "v", "u", &value);
                        if (r >= 0 && key[0] == 'P')
                                ret->pid = (pid_t) value;
                        else if (r >= 0) {
                                ret->uid = value;
                                known = true;
                        }
                } else if (r >= 0)
                        r = sd_bus_message_skip(m, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r < 0 ? r : known ? 0 : -ENODATA;
}

static int on_user(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        PolkitCheck *c = userdata;
        _cleanup_error_ Error e = ERROR_NULL;
        if (sd_bus_message_is_method_error(m, NULL) || read_credentials(m, &c->caller) < 0) {
                c->caller.uid = (uid_t) -1;
                deny(c, "the caller is gone", "call again");
                return 1;
        }
        const uid_t uid = c->caller.uid;
        if (uid == 0) {
                finish(c, NULL);
                return 1;
        }
        if (c->ask && c->ask(uid, c->userdata, &e) < 0) {
                finish(c, &e);
                return 1;
        }
        sd_bus_slot *slot = NULL;
        if (ask_polkit(c, sd_bus_message_get_bus(m), &slot) < 0)
                deny(c, "polkit cannot be asked", "call as root");
        else {
                sd_bus_slot_unref(c->slot);
                c->slot = slot;
        }
        return 1;
}

static int ask_bus(PolkitCheck *c, sd_bus *bus, sd_bus_slot **ret) {
        return sd_bus_call_method_async(bus, ret, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                        "org.freedesktop.DBus", "GetConnectionCredentials", on_user,
                                        c, "s", sd_bus_message_get_sender(c->call));
}

int polkit_check(const PolkitQuestion *q, PolkitCheck **ret, Error *reterr) {
        PolkitCheck *c = new0(PolkitCheck, 1);
        if (!c)
                return error_oom(reterr);
        c->call = sd_bus_message_ref(q->call);
        c->caller = q->caller ? *q->caller : (PolkitCaller){ .uid = (uid_t) -1 };
        c->ask = q->ask;
        c->done = q->done;
        c->userdata = q->userdata;
        c->action = strdup(q->action);
        if (!c->action || free_and_strdup(&c->container, q->container) < 0 ||
            free_and_strdup(&c->user, q->user) < 0 ||
            free_and_strdup(&c->program, q->program) < 0) {
                polkit_check_free(c);
                return error_oom(reterr);
        }
        int r = q->caller && c->ask ? c->ask(c->caller.uid, c->userdata, reterr) : 0;
        if (r >= 0) {
                sd_bus *bus = sd_bus_message_get_bus(c->call);
                r = q->caller ? ask_polkit(c, bus, &c->slot) : ask_bus(c, bus, &c->slot);
                if (r < 0)
                        r = error_set_errno(reterr, r, ERROR_BUS_FAILED, "Asking %s failed",
                                            q->caller ? "polkit" : "who calls");
        }
        if (r < 0) {
                polkit_check_free(c);
                return r;
        }
        *ret = c;
        return 0;
}
