/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The keeper: has systemd make the scope of a container and stands between systemd and the supervisor.
 *
 * Calls, in this order: AddMatch(JobRemoved of our unit), AddMatch(RequestStop), StartTransientUnit; the reply names the job; JobRemoved with
 * "done" means that limits and device policy are in force. The three are sent at once, nothing waits for an AddMatch. */
#include "bus/keeper.h"

#include <sys/epoll.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/log.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "bus/bus.h"
#include "bus/keeper-scope.h"
#include "bus/names.h"
#include "bus/systemd1.h"
#include "sys/cgroup.h"

#define SCOPE_TIMEOUT_USEC (30 * USEC_PER_SEC) /* from the request to the end of the job */
#define SCOPE_GONE_TIMEOUT_USEC \
        (5 * USEC_PER_SEC) /* how long an old, empty scope of the name may take to go */
#define RETRY_USEC (10 * USEC_PER_MSEC)
#define POLL_USEC (1 * USEC_PER_SEC) /* a lost JobRemoved (systemd re-executed) is made up for */
#define HOLDER_CGROUP "start"

struct Keeper {
        sd_event *event;
        sd_bus *bus;
        const ContainerSpec *spec; /* borrowed; the owner keeps it */
        KeeperMessage on_message;
        void *userdata;

        int link_fd;
        char *unit;
        ContainerState state; /* of the container as seen over the link */
        PidRef placeholder;
        int scope_fd; /* the scope's cgroup, until STARTED */

        bool accepted;                  /* systemd has taken the request */
        char *job;                      /* our job's object path, once known */
        char *early_job, *early_result; /* a JobRemoved for our unit that came before the reply */
        usec_t deadline, gone_deadline;

        sd_event_source *link_source, *timer, *placeholder_source;
        sd_bus_slot *match_job, *match_stop, *call, *poll;
        unsigned dispatching; /* we are in the owner's callback: freeing waits */
        bool free_pending;
};

/* ---- the placeholder ---- */

static int on_placeholder_ended(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        Keeper *k = userdata;
        siginfo_t si;
        k->placeholder_source = sd_event_source_disable_unref(k->placeholder_source);
        (void) pidref_wait(&k->placeholder, false, &si); /* the pidfd says that it has ended */
        pidref_done(&k->placeholder);
        if (k->scope_fd >= 0) {
                /* the payload is in its own group by now; if not (the start failed), systemd removes both */
                (void) cgroup_remove(k->scope_fd, HOLDER_CGROUP);
                k->scope_fd = fd_close(k->scope_fd);
        }
        return 0;
}

/* Without waiting: the end is reaped from the event loop. */
static void placeholder_kill(Keeper *k) {
        if (!pidref_is_set(&k->placeholder) || k->placeholder_source)
                return;
        (void) pidref_kill(&k->placeholder, SIGKILL); /* fails only if it is dead already */
        (void) sd_event_add_io(k->event, &k->placeholder_source, k->placeholder.fd, EPOLLIN,
                               on_placeholder_ended, k);
}

static void placeholder_drop(Keeper *k) {
        siginfo_t si;
        k->placeholder_source = sd_event_source_disable_unref(k->placeholder_source);
        if (!pidref_is_set(&k->placeholder))
                return;
        (void) pidref_kill(&k->placeholder, SIGKILL);
        (void) pidref_wait(&k->placeholder, true, &si); /* it does nothing, so it dies at once */
        pidref_done(&k->placeholder);
}

/* PID 1's private socket has no names: signals come without a sender there. */
static const char *signal_sender(Keeper *k) {
        return sd_bus_is_bus_client(k->bus) > 0 ? SYSTEMD1_BUS_NAME : NULL;
}

static void requests_drop(Keeper *k) {
        (void) sd_event_source_set_enabled(k->timer,
                                           SD_EVENT_OFF); /* only fails for a source that is none */
        k->match_job = sd_bus_slot_unref(k->match_job);
        k->call = sd_bus_slot_unref(k->call);
        k->poll = sd_bus_slot_unref(k->poll);
}

/* ---- telling the owner ---- */

static void keeper_destroy(Keeper *k) {
        placeholder_drop(k);
        sd_event_source_disable_unref(k->link_source);
        sd_event_source_disable_unref(k->timer);
        sd_bus_slot_unref(k->match_job);
        sd_bus_slot_unref(k->match_stop);
        sd_bus_slot_unref(k->call);
        sd_bus_slot_unref(k->poll);
        sd_bus_unref(k->bus);
        sd_event_unref(k->event);
        fd_close(k->link_fd);
        fd_close(k->scope_fd);
        free(k->unit);
        free(k->job);
        free(k->early_job);
        free(k->early_result);
        free(k);
}

Keeper *keeper_free(Keeper *k) {
        if (!k)
                return NULL;
        if (k->dispatching > 0)
                k->free_pending = true;
        else
                keeper_destroy(k);
        return NULL;
}

/* Returns false if the owner has freed the keeper meanwhile. */
static bool tell_owner(Keeper *k, const ControlMessage *m) {
        k->dispatching++;
        if (k->on_message && !k->free_pending)
                k->on_message(k, m, k->userdata);
        if (--k->dispatching > 0 || !k->free_pending)
                return true;
        keeper_destroy(k);
        return false;
}

/* Our own failure reaches the owner as an ERROR message; the closed link ends the start in the supervisor. */
static void fail(Keeper *k, const Error *e) {
        ControlMessage m = CONTROL_MESSAGE_NULL;
        _cleanup_free_ char *text = NULL;

        k->link_source = sd_event_source_disable_unref(k->link_source);
        requests_drop(k);
        k->link_fd = fd_close(k->link_fd);
        k->state = STATE_FAILED;
        placeholder_kill(k);

        m.type = CONTROL_ERROR;
        if (error_serialize(e, &text) >=
            0) /* as control_send_error() packs it; an empty message is still an ERROR */
                (void) strv_extendf(&m.fields, "ERROR=%s", text);
        (void) tell_owner(k, &m);
        control_message_done(&m);
}

/* ---- the scope ---- */

static bool is_waiting(const Keeper *k) {
        return k->state == STATE_SCOPING;
}

/* The placeholder has to leave the scope's own group, or controllers could not be turned on for the groups in it. Being born
 * elsewhere is cheap, moving is not: so a second one takes over. */
static int holder_replace(Keeper *k) {
        _cleanup_close_ int fd = cgroup_make(k->scope_fd, HOLDER_CGROUP);
        if (fd < 0)
                return fd;
        PidRef holder = PIDREF_NULL;
        int r = placeholder_new(fd, &holder);
        if (r < 0)
                return r;
        placeholder_drop(k);
        k->placeholder = holder;
        return 0;
}

static int scope_open(Keeper *k, Error *reterr) {
        _cleanup_free_ char *path = NULL;
        int r = cgroup_get_path(k->placeholder.pid, &path);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_CGROUP_FAILED,
                                       "Finding the cgroup of scope '%s' failed", k->unit);
        /* a process of another pid namespace than systemd's would have been mistaken for one of its own */
        if (!streq(path_last_component(path), k->unit))
                return error_set(reterr, -ESTALE, ERROR_CGROUP_FAILED,
                                 "The first process of scope '%s' is in cgroup '%s' instead",
                                 k->unit, path);
        _cleanup_close_ int root_fd = cgroup_open_root();
        int fd = root_fd < 0 ? root_fd : cgroup_open(root_fd, path);
        if (fd < 0)
                return error_set_errno(reterr, fd, ERROR_CGROUP_FAILED,
                                       "Opening the cgroup '%s' failed", path);
        fd_close(k->scope_fd);
        k->scope_fd = fd;
        r = holder_replace(k);
        return r < 0 ? error_set_errno(reterr, r, ERROR_CGROUP_FAILED,
                                       "Setting up the cgroup '%s' failed", path)
                     : 0;
}

static void scope_ready(Keeper *k) {
        _cleanup_error_ Error e = ERROR_NULL;
        requests_drop(k);
        if (scope_open(k, &e) < 0) {
                fail(k, &e);
                return;
        }
        _cleanup_free_ char *field = strf("UNIT=%s", k->unit);
        char *const fields[] = { field, NULL };
        int r = field ? control_send(k->link_fd, CONTROL_GO, fields, &k->scope_fd, 1) : -ENOMEM;
        if (r < 0 && r != -EPIPE) { /* EPIPE: the end of the link follows */
                (void) error_set_errno(&e, r, ERROR_PROTOCOL,
                                       "Telling the supervisor of '%s' to go on failed",
                                       k->spec->name);
                fail(k, &e);
                return;
        }
        k->state = STATE_LAUNCHING;
        ControlMessage m = CONTROL_MESSAGE_NULL;
        m.type = CONTROL_GO;
        (void) tell_owner(k, &m);
}

static void job_failed(Keeper *k, const char *result) {
        _cleanup_error_ Error e = ERROR_NULL;
        (void) error_set(&e, streq(result, "timeout") ? -ETIMEDOUT : -EIO, ERROR_UNIT_FAILED,
                         "systemd could not make scope '%s' (job result: %s)", k->unit, result);
        error_hint(&e, "see journalctl -u '%s'", k->unit);
        fail(k, &e);
}

static void job_ended(Keeper *k, const char *result) {
        if (streq(result, "done"))
                scope_ready(k);
        else
                job_failed(k, result);
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Keeper *k = userdata;
        const char *job, *unit, *result;
        if (!is_waiting(k) || sd_bus_message_read(m, "uoss", NULL, &job, &unit, &result) < 0 ||
            !streq(unit, k->unit))
                return 0;
        if (!k->job) {
                (void) free_and_strdup(&k->early_job, job); /* out of memory: polling finds out */
                (void) free_and_strdup(&k->early_result, result);
        } else if (streq(job, k->job))
                job_ended(k, result);
        return 0;
}

/* ---- asking for it ---- */

static void timer_arm(Keeper *k, usec_t delay) {
        (void) sd_event_source_set_time_relative(
                k->timer, delay); /* both only fail for a source that is none */
        (void) sd_event_source_set_enabled(k->timer, SD_EVENT_ONESHOT);
}

/* What an error reply to StartTransientUnit means. */
typedef enum Refusal {
        REFUSAL_FINAL,
        REFUSAL_EXISTS,
        REFUSAL_TRANSIENT
} Refusal;

static Refusal refusal_of(const sd_bus_error *e) {
        static const char *const transient[] = {
                /* systemd re-executes: the request may have been lost, or carried out without an answer */
                SD_BUS_ERROR_NO_REPLY,
                SD_BUS_ERROR_SERVICE_UNKNOWN,
                SD_BUS_ERROR_NAME_HAS_NO_OWNER,
                /* dbus-daemon: berthd waits for 128 replies already */
                SD_BUS_ERROR_LIMITS_EXCEEDED,
        };
        if (streq(e->name, "org.freedesktop.systemd1.UnitExists"))
                return REFUSAL_EXISTS;
        for (size_t i = 0; i < ELEMENTSOF(transient); i++)
                if (streq(e->name, transient[i]))
                        return REFUSAL_TRANSIENT;
        return REFUSAL_FINAL;
}

static bool placeholder_is_in_scope(Keeper *k) {
        _cleanup_free_ char *path = NULL;
        return cgroup_get_path(k->placeholder.pid, &path) >= 0 &&
               streq(path_last_component(path), k->unit);
}

/* The name is taken: by a container that runs, or by an empty scope that systemd has not collected yet. Returns true if it is
 * worth to try again. */
static bool scope_is_going(Keeper *k) {
        usec_t now = now_usec(CLOCK_MONOTONIC);
        if (k->gone_deadline == 0)
                k->gone_deadline = usec_add(now, SCOPE_GONE_TIMEOUT_USEC);
        return now < k->gone_deadline && scope_is_populated(k->spec, k->unit) == 0;
}

static void request_refused(Keeper *k, const sd_bus_error *bus_error) {
        _cleanup_error_ Error e = ERROR_NULL;
        Refusal refusal = refusal_of(bus_error);

        if (refusal == REFUSAL_EXISTS && placeholder_is_in_scope(k)) {
                timer_arm(
                        k,
                        RETRY_USEC); /* ours, from a request whose answer was lost: its state is polled */
                k->accepted = true;
                return;
        }
        if (refusal == REFUSAL_TRANSIENT || (refusal == REFUSAL_EXISTS && scope_is_going(k))) {
                timer_arm(k, RETRY_USEC);
                return;
        }
        if (refusal == REFUSAL_EXISTS) {
                (void) error_set(&e, -EEXIST, ERROR_NAME_IN_USE,
                                 "A container named '%s' is already running (scope '%s')",
                                 k->spec->name, k->unit);
                error_hint(
                        &e,
                        "choose another name with --machine=NAME, or stop it: systemctl stop '%s'",
                        k->unit);
        } else {
                _cleanup_free_ char *what = strf("systemd refused to make scope '%s'", k->unit);
                (void) bus_error_to_error(bus_error, -EIO, &e, what);
        }
        fail(k, &e);
}

static int on_start_reply(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Keeper *k = userdata;
        k->call = sd_bus_slot_unref(k->call);
        if (!is_waiting(k))
                return 0;
        if (sd_bus_message_is_method_error(m, NULL)) {
                request_refused(k, sd_bus_message_get_error(m));
                return 0;
        }
        const char *job;
        if (sd_bus_message_read(m, "o", &job) < 0 || free_and_strdup(&k->job, job) < 0) {
                job_failed(k, "unreadable reply");
                return 0;
        }
        k->accepted = true;
        timer_arm(k, POLL_USEC);
        if (k->early_job && k->early_result && streq(k->early_job, k->job))
                job_ended(k, k->early_result);
        return 0;
}

static int scope_request(Keeper *k, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = scope_request_new(k->bus, k->spec, k->unit, k->placeholder.pid, &m, reterr);
        if (r < 0)
                return r;
        k->job = mfree(k->job);
        k->early_job = mfree(k->early_job);
        k->early_result = mfree(k->early_result);
        k->call = sd_bus_slot_unref(k->call);
        r = sd_bus_call_async(k->bus, &k->call, m, on_start_reply, k, SCOPE_TIMEOUT_USEC);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_BUS_FAILED,
                                       "Asking systemd for scope '%s' failed", k->unit);
        timer_arm(k, SCOPE_TIMEOUT_USEC);
        return 0;
}

/* ---- when nothing is heard ---- */

static int on_active_state(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Keeper *k = userdata;
        const char *state;
        k->poll = sd_bus_slot_unref(k->poll);
        if (!is_waiting(k) || sd_bus_message_is_method_error(m, NULL))
                return 0; /* systemd is busy with itself; the timer asks again */
        if (sd_bus_message_read(m, "v", "s", &state) < 0)
                return 0;
        if (streq(state, "active"))
                scope_ready(k);
        else if (streq(state, "failed"))
                job_failed(k, "failed");
        return 0;
}

static int poll_state(Keeper *k) {
        _cleanup_free_ char *path = NULL;
        int r = sd_bus_path_encode("/org/freedesktop/systemd1/unit", k->unit, &path);
        if (r < 0)
                return r;
        k->poll = sd_bus_slot_unref(k->poll);
        return sd_bus_call_method_async(k->bus, &k->poll, SYSTEMD1_BUS_NAME, path,
                                        "org.freedesktop.DBus.Properties", "Get", on_active_state,
                                        k, "ss", "org.freedesktop.systemd1.Unit", "ActiveState");
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata) {
        Keeper *k = userdata;
        _cleanup_error_ Error e = ERROR_NULL;
        int r;
        if (!is_waiting(k))
                return 0;
        if (now_usec(CLOCK_MONOTONIC) >= k->deadline) {
                r = error_set(&e, -ETIMEDOUT, ERROR_TIMEOUT,
                              "systemd did not make scope '%s' within 30 seconds", k->unit);
                error_hint(&e, "see 'systemctl list-jobs'");
        } else if (k->accepted) {
                timer_arm(k, POLL_USEC);
                r = poll_state(k);
                if (r < 0)
                        (void) error_set_errno(&e, r, ERROR_BUS_FAILED,
                                               "Asking systemd about scope '%s' failed", k->unit);
        } else
                r = scope_request(k, &e);
        if (r < 0)
                fail(k, &e);
        return 0;
}

static int scope_begin(Keeper *k, Error *reterr) {
        /* Only while we wait: it comes for every job of the system. (A match on the unit's name would be arg2, but sd-bus gives up at
         * arguments that are no strings, such as arg0 here.) */
        int r = sd_bus_match_signal_async(k->bus, &k->match_job, signal_sender(k), SYSTEMD1_PATH,
                                          SYSTEMD1_MANAGER_INTERFACE, "JobRemoved", on_job_removed,
                                          NULL, k);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_BUS_FAILED, "Watching scope '%s' failed",
                                       k->unit);
        r = placeholder_new(-EBADF, &k->placeholder);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                                       "Making the first process of scope '%s' failed", k->unit);
        k->state = STATE_SCOPING;
        k->accepted = false;
        k->gone_deadline = 0;
        k->deadline = usec_add(now_usec(CLOCK_MONOTONIC), SCOPE_TIMEOUT_USEC);
        return scope_request(k, reterr);
}

/* ---- the link ---- */

/* The payload rebooted: the supervisor waits for a new GO. The old scope is empty and on its way out. */
static void scope_again(Keeper *k) {
        _cleanup_error_ Error e = ERROR_NULL;
        placeholder_drop(k);
        k->scope_fd = fd_close(k->scope_fd);
        if (scope_begin(k, &e) < 0)
                fail(k, &e);
}

static void link_message(Keeper *k, const ControlMessage *m) {
        switch (m->type) {
        case CONTROL_STARTED:
                k->state = STATE_RUNNING;
                placeholder_kill(k);
                break;
        case CONTROL_STOPPING:
                k->state = STATE_STOPPING;
                break;
        case CONTROL_ERROR:
        case CONTROL_EXITED:
                placeholder_kill(k);
                break;
        default:
                break;
        }
}

static void link_ended(Keeper *k) {
        k->link_source = sd_event_source_disable_unref(k->link_source);
        k->link_fd = fd_close(k->link_fd);
        requests_drop(k);
        k->state = STATE_EXITED;
        placeholder_kill(k);
        (void) tell_owner(k, NULL);
}

static int on_link(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        Keeper *k = userdata;
        ControlMessage m = CONTROL_MESSAGE_NULL;
        int r = control_receive(fd, &m);
        if (r == -EAGAIN)
                return 0;
        if (r <= 0 ||
            (m.type != _CONTROL_TYPE_MAX && control_check(m.type, FROM_SUPERVISOR, k->state) < 0)) {
                if (r != 0)
                        log_warning("The supervisor of '%s' broke the protocol (%s)", k->spec->name,
                                    r < 0 ? errno_words(r) : control_type_to_string(m.type));
                control_message_done(&m);
                link_ended(k);
                return 0;
        }
        if (m.type != _CONTROL_TYPE_MAX) {
                bool again = m.type == CONTROL_RESTARTING;
                link_message(k, &m);
                if (tell_owner(k, &m) && again)
                        scope_again(k);
        }
        control_message_done(&m);
        return 0;
}

static int on_request_stop(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Keeper *k = userdata;
        if (k->link_fd >= 0)
                (void) control_send(k->link_fd, CONTROL_STOP, NULL, NULL,
                                    0); /* else it is ending already */
        return 0;
}

/* ---- public ---- */

static int keeper_watch(Keeper *k) {
        _cleanup_free_ char *unit_path = NULL;
        int r = sd_bus_path_encode("/org/freedesktop/systemd1/unit", k->unit, &unit_path);
        if (r >= 0)
                r = sd_bus_match_signal_async(k->bus, &k->match_stop, signal_sender(k), unit_path,
                                              SYSTEMD1_SCOPE_INTERFACE, "RequestStop",
                                              on_request_stop, NULL, k);
        if (r >= 0)
                r = sd_event_add_io(k->event, &k->link_source, k->link_fd, EPOLLIN, on_link, k);
        if (r >= 0)
                r = sd_event_add_time_relative(k->event, &k->timer, CLOCK_MONOTONIC,
                                               SCOPE_TIMEOUT_USEC, 0, on_timer, k);
        return r;
}

int keeper_new(sd_event *event, sd_bus *bus, const ContainerSpec *spec, int *link_fd,
               KeeperMessage on_message, void *userdata, Keeper **ret, Error *reterr) {
        _cleanup_(keeper_freep) Keeper *k = new0(Keeper, 1);
        if (!k)
                return error_oom(reterr);
        k->link_fd = TAKE_FD(*link_fd);
        k->scope_fd = -EBADF;
        k->placeholder = (PidRef) PIDREF_NULL;
        k->state = STATE_SPAWNING;
        k->spec = spec;
        k->event = sd_event_ref(event);
        k->bus = sd_bus_ref(bus);
        k->on_message = on_message;
        k->userdata = userdata;
        k->unit = systemd1_scope_name(spec->name);
        if (!k->unit)
                return error_oom(reterr);
        int r = fd_nonblock(k->link_fd, true);
        if (r >= 0)
                r = keeper_watch(k);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_BUS_FAILED, "Watching scope '%s' failed",
                                       k->unit);
        (void) sd_event_source_set_enabled(k->timer, SD_EVENT_OFF);
        *ret = TAKE_PTR(k);
        return 0;
}

int keeper_start(Keeper *k, Error *reterr) {
        return scope_begin(k, reterr);
}

int keeper_send(Keeper *k, ControlType type) {
        return k->link_fd >= 0 ? control_send(k->link_fd, type, NULL, NULL, 0) : -EPIPE;
}

const char *keeper_unit(const Keeper *k) {
        return k->unit;
}

bool keeper_has_failed(const Keeper *k) {
        return k->state == STATE_FAILED;
}
