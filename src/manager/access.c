/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way of every D-Bus call: find its row, check the container's name, have the caller authorised, run the body. */
#include "manager/access.h"

#include "basic/alloc.h"
#include "basic/log.h"
#include "basic/path.h"
#include "basic/str.h"
#include "bus/bus.h"
#include "bus/names.h"
#include "bus/polkit.h"
#include "image/image.h"
#include "manager/container.h"
#include "manager/machine1.h"

/* dbus-daemon lets one connection wait for 128 replies: questions to polkit, which may take minutes, must leave room for calls to
 * systemd. */
#define ASKING_MAX 64U
#define ASKING_USER_MAX 8U
/* Calls that wait while who sent them is not known yet: half of all places are for whoever comes, of the rest nobody gets more than so
 * many. Who it is will be known in a moment. */
#define UNKNOWN_MAX (MANAGER_CALLS_MAX / 2)
#define UNKNOWN_SENDER_MAX 16U
#define DENIED_WINDOW_USEC (10 * USEC_PER_SEC)
#define DENIED_WINDOW_MAX 50U       /* records of denied calls in it */
#define CALL_SIZE_MAX SPEC_TEXT_MAX /* no description that would come of it could be longer */

struct Access {
        Manager *manager;
        sd_bus_message *call;
        const Method *method;
        char *container;
        bool named;          /* by the first argument, not by the object */
        uint64_t generation; /* of the container when it was named; 0: there was none */
        PolkitCheck *check;
        bool asking; /* polkit, for this user */
        uid_t uid;
        LIST_FIELDS(Access, accesses);
};

static void access_unlink(Access *a) {
        LIST_REMOVE(accesses, a->manager->accesses, a);
        manager_call_end(a->manager);
        sd_bus_message_unref(a->call);
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
        (void) bus_error_from_error_for(call, &b, e);
        (void) sd_bus_reply_method_error(call, &b); /* the caller may be gone */
}

/* Of an object: its interface, the word that its methods' names are without, and where its name comes from. */
typedef struct ObjectKind {
        const char *interface, *word, *prefix;
        bool of_image;
} ObjectKind;

static const ObjectKind object_kinds[] = {
        { BERTH_CONTAINER_INTERFACE, "Container", BERTH_CONTAINER_PATH_PREFIX, false },
        { BERTH_IMAGE_INTERFACE, "Image", BERTH_IMAGE_PATH_PREFIX, true },
};

/* NULL: a call of the Manager. */
static const ObjectKind *object_kind(sd_bus_message *m) {
        for (size_t i = 0; i < ELEMENTSOF(object_kinds); i++)
                if (streq(strempty(sd_bus_message_get_interface(m)), object_kinds[i].interface))
                        return object_kinds + i;
        return NULL;
}

/* Polkit is to be asked, which can take as long as somebody likes. */
static int on_ask(uid_t uid, void *userdata, Error *reterr) {
        Access *a = userdata;
        unsigned all = 0, own = 0;
        LIST_FOREACH(accesses, other, a->manager->accesses)
                if (other->asking) {
                        all++;
                        own += other->uid == uid;
                }
        if (all >= ASKING_MAX || own >= ASKING_USER_MAX) {
                int r = error_set(reterr, -EBUSY, ERROR_LIMIT_EXCEEDED,
                                  "More than %u calls%s wait for polkit",
                                  own >= ASKING_USER_MAX ? ASKING_USER_MAX : ASKING_MAX,
                                  own >= ASKING_USER_MAX ? " of this user" : "");
                error_hint(reterr, "answer what polkit asks, or try again later");
                return r;
        }
        a->asking = true;
        a->uid = uid;
        return 0;
}

static uint64_t generation_of(Manager *m, const char *container) {
        const Container *c = container ? hashmap_get(m->containers, container) : NULL;
        return c ? c->generation : 0;
}

/* Does it mean the container of that name that is there when it is called? */
static bool is_of_generation(const Method *method) {
        return !method->of_image && !streq(method->action, ACTION_CREATE);
}

static bool is_looking(const Method *method) {
        return strstr(method->action, "inspect") != NULL;
}

/* Nobody fills the journal with what he may not do. */
static bool may_log_denied(Manager *m) {
        const usec_t now = now_usec(CLOCK_MONOTONIC);
        if (now >= m->denied_window_usec + DENIED_WINDOW_USEC) {
                if (m->n_denied > DENIED_WINDOW_MAX)
                        log_notice("%u more calls were denied", m->n_denied - DENIED_WINDOW_MAX);
                m->denied_window_usec = now;
                m->n_denied = 0;
        }
        return ++m->n_denied <= DENIED_WINDOW_MAX;
}

/* What was done with whom, and who had it done. */
static void log_call(Manager *m, sd_bus_message *call, const Method *method, const char *container,
                     const PolkitCaller *caller, const Error *denied) {
        _cleanup_free_ char *unit = NULL, *group = NULL, *subgroup = NULL;
        if (is_looking(method) || (denied && !may_log_denied(m)))
                return;
        if (caller->pid > 0) /* it may have left, or be in no unit */
                (void) foreign_find_unit(caller->pid, &unit, &group, &subgroup);
        _cleanup_free_ char *name = strf("CONTAINER=%s", strempty(container)),
                            *user = strf("CALLER_UID=%u", caller->uid),
                            *pid = strf("CALLER_PID=%d", (int) caller->pid),
                            *from = strf("CALLER_UNIT=%s", strempty(unit)),
                            *sender = strf("CALLER_BUS_NAME=%s",
                                           strempty(sd_bus_message_get_sender(call))),
                            *result = strf("RESULT=%s", denied ? "denied" : "allowed");
        char *const fields[] = { name, user, pid, sender, result, from, NULL };
        if (!name || !user || !pid || !sender || !result)
                return;
        (void) log_full(denied ? LOG_NOTICE : LOG_INFO, 0, __FILE__, __LINE__, __func__, fields,
                        "User %u %s %s of '%s'", caller->uid, denied ? "is denied" : "calls",
                        method->member, strempty(container));
}

/* To the first argument behind the container's name. */
static int rewind_call(sd_bus_message *call, bool named) {
        int r = sd_bus_message_rewind(call, /* complete= */ true);
        return r >= 0 && named ? sd_bus_message_skip(call, "s") : r;
}

static int run(Manager *m, const Method *method, sd_bus_message *call, const char *container,
               bool named, uint64_t generation, Error *reterr) {
        /* What was allowed for one container is not allowed for the next one of its name. */
        const uint64_t now = generation_of(m, container);
        if (generation != now && is_of_generation(method))
                return error_set(reterr, -ENXIO, ERROR_NO_SUCH_CONTAINER, "Container '%s' %s",
                                 container,
                                 now == 0          ? "has ended"
                                 : generation == 0 ? "was started while the call waited"
                                                   : "was started anew while the call waited");
        int r = rewind_call(call, named);
        return r < 0 ? error_set_errno(reterr, r, ERROR_PROTOCOL, "The call cannot be read")
                     : method->body(m, call, container, reterr);
}

static void on_checked(sd_bus_message *call, const PolkitCaller *caller, const Error *denied,
                       void *userdata) {
        Access *a = userdata;
        Manager *m = a->manager;
        const Method *method = a->method;
        const uint64_t generation = a->generation;
        const bool named = a->named;
        _cleanup_free_ char *container = TAKE_PTR(a->container);
        _cleanup_error_ Error e = ERROR_NULL;

        a->check = NULL; /* frees itself, and holds the call so long */
        callers_add(&m->callers, sd_bus_message_get_sender(call), caller);
        access_unlink(a);
        manager_touch(m);
        log_call(m, call, method, container, caller, denied);
        if (denied) {
                reply_error(call, denied);
                return;
        }
        m->caller_uid = caller->uid;
        if (run(m, method, call, container, named, generation, &e) < 0)
                reply_error(call, &e);
}

/* The first word "Container" of the Manager's name is left out in that of the Container; "Image" in that of the Image. */
static bool method_is(const Method *row, const char *member, const ObjectKind *object) {
        const char *word = object && row->of_image == object->of_image
                                   ? strstr(row->member, object->word)
                                   : NULL;
        if (!word)
                return streq(row->member, member);
        const size_t n = (size_t) (word - row->member);
        return strncmp(row->member, member, n) == 0 &&
               streq(word + strlen(object->word), member + n);
}

static const Method *method_find(sd_bus_message *m) {
        const char *member = strempty(sd_bus_message_get_member(m));
        const ObjectKind *object = object_kind(m);
        for (const Method *row = manager_methods; row->member; row++)
                if (method_is(row, member, object))
                        return row;
        return NULL;
}

static int read_container(sd_bus_message *m, const Method *method, char **ret, Error *reterr) {
        _cleanup_free_ char *name = NULL;
        const char *text = NULL;
        const ObjectKind *object = object_kind(m);
        int r = 0;
        if (object) {
                r = sd_bus_path_decode(sd_bus_message_get_path(m), object->prefix, &name);
                text = name;
        } else if (method->signature[0] == 's')
                r = sd_bus_message_read_basic(m, 's', &text);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_PROTOCOL, "The call cannot be read");
        if (!text)
                return 0;
        r = method->of_image ? image_check_name(text, reterr) : spec_check_name(text, reterr);
        if (r < 0)
                return r;
        return free_and_strdup(ret, text) < 0 ? error_oom(reterr) : 0;
}

int access_measure(sd_bus_message *call, Error *reterr) {
        int r = bus_message_measure(call, CALL_SIZE_MAX);
        if (r == -E2BIG)
                return error_set(
                        reterr, r, ERROR_LIMIT_EXCEEDED,
                        "The arguments of '%s' are larger than %u bytes, or nested too deeply",
                        strempty(sd_bus_message_get_member(call)), CALL_SIZE_MAX);
        return r < 0 ? error_set_errno(reterr, r, ERROR_PROTOCOL, "The call cannot be read") : 0;
}

/* Is there a place for a call of somebody unknown? */
static int check_unknown(const Manager *m, sd_bus_message *call, Error *reterr) {
        const char *sender = strempty(sd_bus_message_get_sender(call));
        unsigned own = 0;
        if (m->n_calls < UNKNOWN_MAX)
                return 0;
        LIST_FOREACH(accesses, a, m->accesses)
                own += streq(strempty(sd_bus_message_get_sender(a->call)), sender);
        if (own < UNKNOWN_SENDER_MAX)
                return 0;
        int r = error_set(reterr, -EBUSY, ERROR_LIMIT_EXCEEDED, "Too many calls wait");
        error_hint(reterr, "try again later");
        return r;
}

int access_begin(Manager *m, sd_bus_message *call, const Method *method, const char *action,
                 const char *container, bool named, Error *reterr) {
        const PolkitCaller *caller = callers_find(&m->callers, sd_bus_message_get_sender(call));
        if (!action || (caller && caller->uid == 0)) {
                if (action)
                        log_call(m, call, method, container, caller, NULL);
                m->caller_uid = action ? 0 : (uid_t) -1; /* was not asked */
                return run(m, method, call, container, named, generation_of(m, container), reterr);
        }
        PolkitQuestion question = {
                .call = call, .action = action, .caller = caller, .ask = on_ask, .done = on_checked
        };
        int r = caller ? 0 : check_unknown(m, call, reterr);
        if (r < 0)
                return r;
        if (method->details) {
                r = rewind_call(call, named);
                if (r < 0)
                        return error_set_errno(reterr, r, ERROR_PROTOCOL,
                                               "The call cannot be read");
                r = method->details(call, &question.user, &question.program, reterr);
                if (r < 0)
                        return r;
        }
        r = manager_call_begin(m, reterr);
        if (r < 0)
                return r;
        Access *a = new0(Access, 1);
        if (!a || free_and_strdup(&a->container, container) < 0) {
                free(a);
                manager_call_end(m);
                return error_oom(reterr);
        }
        a->manager = m;
        a->call = sd_bus_message_ref(call);
        a->method = method;
        a->named = named;
        a->generation = generation_of(m, container);
        LIST_PREPEND(accesses, m->accesses, a);
        question.container = a->container;
        question.userdata = a;
        r = polkit_check(&question, &a->check, reterr);
        if (r < 0)
                access_unlink(a);
        return r;
}

static int begin(Manager *m, sd_bus_message *call, Error *reterr) {
        const Method *method = method_find(call);
        if (!method)
                return error_set(reterr, -EINVAL, ERROR_UNSUPPORTED, "Unknown method '%s'",
                                 strempty(sd_bus_message_get_member(call)));
        _cleanup_free_ char *container = NULL;
        int r = access_measure(call, reterr); /* it is held until polkit has answered */
        if (r >= 0)
                r = read_container(call, method, &container, reterr);
        return r < 0 ? r
                     : access_begin(m, call, method, method->action, container,
                                    method->signature[0] == 's' && !object_kind(call), reterr);
}

int access_method(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Manager *manager = userdata;
        _cleanup_error_ Error e = ERROR_NULL;
        if (begin(manager, m, &e) < 0)
                return bus_error_from_error(reterr_error, &e);
        return 1; /* the reply follows */
}
