/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The keeper: has systemd make the scope of a container and stands between systemd and the supervisor.
 *
 * Strict: clone a placeholder, StartTransientUnit, wait for the job (13 to 18 ms, most of it the kernel moving one process
 * into a cgroup), GO.
 *
 * Overlapped: make the scope's cgroup ourselves; clone the placeholder into it; GO with HOLD=yes at once. The supervisor makes
 * payload/ in it: StartTransientUnit; and clones its child, which sets itself up, mounts and all, and stops before it executes the
 * payload. (The other way round it would be cloned, or mount cgroup2, when systemd is moving the placeholder, and wait for that.) As
 * soon as systemd has written all limits and the device policy (3.5 ms) it marks the cgroup as delegated: a second GO, the payload
 * runs. The job ends later, nobody waits for that but the placeholder, so that the scope is never empty before systemd knows it well.
 * Not for booted payloads: the placeholder is in the scope's own group
 * until the job ends, and controllers cannot be turned on below that as long; an init looks for them when it starts.
 * docs/scope.md has the numbers, and what was proven. */
#include "bus/keeper.h"

#include <sys/epoll.h>
#include <sys/inotify.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/log.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "bus/keeper-scope.h"
#include "bus/names.h"
#include "bus/scope-job.h"
#include "bus/systemd1.h"
#include "sys/cgroup.h"

#define LATE_USEC \
        (1 *      \
         USEC_PER_SEC) /* should the supervisor not make payload/, systemd is asked all the same */

struct Keeper {
        sd_event *event;
        sd_bus *bus;
        const ContainerSpec *spec;     /* borrowed; the owner keeps it */
        ContainerSpec *dismissed_spec; /* or ours, since the owner has dismissed us */
        KeeperMessage on_message;
        void *userdata;
        bool may_overlap;
        char **devices; /* keeper_find_devices(); NULL: not yet */

        int link_fd;
        char *unit;
        ContainerState state; /* of the container as seen over the link */
        PidRef placeholder;
        int scope_fd;    /* the scope's cgroup, as long as there is a placeholder */
        ScopeJob *job;   /* until it has ended */
        bool overlapped; /* this time */
        bool requested;  /* systemd was asked */
        bool ended;      /* the link has, and the owner is to know when the job has, too */
        bool dismissed;  /* nobody is to know, only the job's end is waited for */
        bool again; /* the payload rebooted, and the scope is to be made again when the job has ended */
        int (*begin)(Keeper *k, Error *reterr); /* scope_begin() */

        sd_event_source *link_source, *placeholder_source, *mark_source, *late_timer;
        sd_bus_slot *match_stop;
        unsigned dispatching; /* we are in the owner's callback: freeing waits */
        bool free_pending;
};

/* ---- life ---- */

static void placeholder_drop(Keeper *k) {
        siginfo_t si;
        k->placeholder_source = sd_event_source_disable_unref(k->placeholder_source);
        if (!pidref_is_set(&k->placeholder))
                return;
        (void) pidref_kill(&k->placeholder, SIGKILL);
        (void) pidref_wait(&k->placeholder, true, &si); /* it does nothing, so it dies at once */
        pidref_done(&k->placeholder);
}

static void keeper_destroy(Keeper *k) {
        if (k->overlapped && k->scope_fd >= 0 && !scope_is_configured(k->scope_fd))
                scope_abandon(k->spec, k->unit, k->scope_fd);
        placeholder_drop(k);
        scope_job_free(k->job);
        sd_event_source_disable_unref(k->link_source);
        sd_event_source_disable_unref(k->mark_source);
        sd_event_source_disable_unref(k->late_timer);
        sd_bus_slot_unref(k->match_stop);
        sd_bus_unref(k->bus);
        sd_event_unref(k->event);
        fd_close(k->link_fd);
        fd_close(k->scope_fd);
        strv_free(k->devices);
        spec_free(k->dismissed_spec);
        free(k->unit);
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

static void link_close(Keeper *k) {
        k->link_source = sd_event_source_disable_unref(k->link_source);
        k->link_fd = fd_close(k->link_fd);
}

void keeper_end(Keeper *k) {
        link_close(k);
        k->on_message = NULL;
        k->dismissed = true;
        if (k->job)
                scope_job_hurry(k->job);
}

Keeper *keeper_dismiss(Keeper *k, ContainerSpec *spec) {
        if (!k || !k->job) {
                keeper_free(k);
                spec_free(spec);
                return NULL;
        }
        keeper_end(k);
        k->dismissed_spec = spec;
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

        link_close(k);
        k->job = scope_job_free(k->job);
        k->mark_source = sd_event_source_disable_unref(k->mark_source);
        k->late_timer = sd_event_source_disable_unref(k->late_timer);
        k->state = STATE_FAILED;
        if (k->overlapped && k->scope_fd >= 0)
                scope_abandon(k->spec, k->unit, k->scope_fd);
        placeholder_drop(k);

        m.type = CONTROL_ERROR;
        if (error_serialize(e, &text) >= 0) /* as control_send_error() packs it */
                (void) strv_extendf(&m.fields, "ERROR=%s", text);
        (void) tell_owner(k, &m);
        control_message_done(&m);
}

static void link_ended(Keeper *k) {
        link_close(k);
        k->state = STATE_EXITED;
        (void) tell_owner(k, NULL);
}

/* ---- GO ---- */

/* hold: all but the payload itself may go on; a second GO follows. */
static int go_send(Keeper *k, bool hold, Error *reterr) {
        _cleanup_free_ char *field = strf("UNIT=%s", k->unit);
        char hold_field[] = "HOLD=yes", *const fields[] = { field, hold ? hold_field : NULL, NULL };
        int r = field ? control_send(k->link_fd, CONTROL_GO, fields, &k->scope_fd, 1) : -ENOMEM;
        /* it has ended, having read all or not: its last words and the end of the link follow */
        if (r < 0 && !IN_SET(r, -EPIPE, -ECONNRESET))
                return error_set_errno(reterr, r, ERROR_PROTOCOL,
                                       "Telling the supervisor of '%s' to go on failed",
                                       k->spec->name);
        k->state = STATE_LAUNCHING;
        return 0;
}

static void tell_go(Keeper *k) {
        ControlMessage m = CONTROL_MESSAGE_NULL;
        m.type = CONTROL_GO;
        (void) tell_owner(k, &m);
}

/* ---- the scope is there ---- */

/* Strict: the placeholder has to leave the scope's own group, or controllers could not be turned on for the groups in it. Being born
 * elsewhere is cheap, moving is not: so a second one takes over. */
static int holder_replace(Keeper *k) {
        _cleanup_close_ int fd = cgroup_make(k->scope_fd, SCOPE_HOLDER);
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

static int on_placeholder_ended(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        Keeper *k = userdata;
        siginfo_t si;
        k->placeholder_source = sd_event_source_disable_unref(k->placeholder_source);
        (void) pidref_wait(&k->placeholder, false, &si); /* the pidfd says that it has ended */
        pidref_done(&k->placeholder);
        if (k->overlapped)
                (void) cgroup_enable_controllers(
                        k->scope_fd); /* best effort, as in the supervisor */
        else
                (void) cgroup_remove(k->scope_fd,
                                     SCOPE_HOLDER); /* else systemd removes it with the scope */
        k->scope_fd = fd_close(k->scope_fd);
        return 0;
}

/* Its time is over when the payload is there and the job has ended. Without waiting: it is reaped from the event loop. */
static void placeholder_release(Keeper *k) {
        if (!k->requested || k->job || IN_SET(k->state, STATE_SCOPING, STATE_LAUNCHING) ||
            !pidref_is_set(&k->placeholder) || k->placeholder_source)
                return;
        (void) pidref_kill(&k->placeholder, SIGKILL); /* fails only if it is dead already */
        (void) sd_event_add_io(k->event, &k->placeholder_source, k->placeholder.fd, EPOLLIN,
                               on_placeholder_ended, k);
}

/* Overlapped: is it this cgroup that systemd has taken? Then the payload may run. */
static int release(Keeper *k, Error *reterr) {
        k->mark_source = sd_event_source_disable_unref(k->mark_source);
        if (!scope_is_configured(k->scope_fd))
                return error_set(reterr, -ESTALE, ERROR_CGROUP_FAILED,
                                 "systemd made scope '%s' in another place than expected", k->unit);
        return k->link_fd < 0 ? 0 : go_send(k, /* hold= */ false, reterr); /* < 0: it has ended */
}

/* ---- making it ---- */

static void begin_again(Keeper *k) {
        _cleanup_error_ Error e = ERROR_NULL;
        k->again = false;
        if (k->begin(k, &e) < 0)
                fail(k, &e);
}

static void on_job_ended(const Error *e, void *userdata) {
        Keeper *k = userdata;
        _cleanup_error_ Error own = ERROR_NULL;
        bool released = k->overlapped && !k->mark_source; /* told already */
        int r = 0;
        k->job = scope_job_free(k->job);
        if (k->dismissed) {
                if (k->dismissed_spec)
                        keeper_destroy(k);
                else
                        placeholder_drop(k); /* the owner frees us some time */
                return;
        }
        if (k->ended && (e || !k->overlapped)) { /* why is told already */
                link_ended(k);
                return;
        }
        if (!e && !k->overlapped) {
                r = scope_open(k, &own);
                if (r >= 0)
                        r = go_send(k, /* hold= */ false, &own);
        } else if (!e && !released)
                r = release(k, &own);
        if (e || r < 0) {
                fail(k, e ?: &own);
                return;
        }
        placeholder_release(k);
        if (k->ended)
                link_ended(k);
        else if (k->again)
                begin_again(k);
        else if (!released)
                tell_go(k);
}

static int job_begin(Keeper *k, Error *reterr) {
        if (!k->devices && keeper_find_devices(k->spec, &k->devices) < 0)
                return error_oom(reterr);
        const ScopeRequest request = { k->spec, k->unit, k->placeholder.pid, k->overlapped,
                                       k->devices };
        k->late_timer = sd_event_source_disable_unref(k->late_timer);
        k->requested = true;
        return scope_job_new(k->event, k->bus, &request, on_job_ended, k, &k->job, reterr);
}

static void job_begin_or_fail(Keeper *k) {
        _cleanup_error_ Error e = ERROR_NULL;
        if (!k->requested && job_begin(k, &e) < 0)
                fail(k, &e);
}

static int on_late(sd_event_source *s, uint64_t usec, void *userdata) {
        job_begin_or_fail(userdata);
        return 0;
}

/* Overlapped: something has happened to the scope's cgroup. */
static int on_mark(sd_event_source *s, const struct inotify_event *event, void *userdata) {
        Keeper *k = userdata;
        _cleanup_error_ Error e = ERROR_NULL;
        if (!k->requested) {
                if ((event->mask & IN_CREATE) != 0 && event->len > 0 &&
                    streq(event->name, SCOPE_PAYLOAD))
                        job_begin_or_fail(k);
                return 0;
        }
        if (!scope_is_configured(k->scope_fd))
                return 0;
        if (release(k, &e) < 0)
                fail(k, &e);
        else
                tell_go(k);
        return 0;
}

/* Overlapped: the supervisor may clone its child from now on. */
static int overlap_begin(Keeper *k, Error *reterr) {
        int r = sd_event_add_inotify_fd(k->event, &k->mark_source, k->scope_fd,
                                        IN_ATTRIB | IN_CREATE, on_mark, k);
        if (r >= 0)
                r = sd_event_add_time_relative(k->event, &k->late_timer, CLOCK_MONOTONIC, LATE_USEC,
                                               0, on_late, k);
        return r < 0 ? error_set_errno(reterr, r, ERROR_CGROUP_FAILED, "Watching scope '%s' failed",
                                       k->unit)
                     : go_send(k, /* hold= */ true, reterr);
}

static int scope_begin(Keeper *k, Error *reterr) {
        placeholder_drop(k);
        k->scope_fd = fd_close(k->scope_fd);
        k->overlapped = k->requested = false;
        if (k->may_overlap && k->spec->payload.start != START_BOOT) {
                int r = scope_prepare(k->spec, k->unit, &k->scope_fd);
                if (r < 0) /* systemd will say what is wrong */
                        log_debug_errno(r, "The cgroup of scope '%s' cannot be made beforehand",
                                        k->unit);
                k->overlapped = k->scope_fd >= 0;
        }
        k->state = STATE_SCOPING;
        int r = placeholder_new(k->scope_fd, &k->placeholder);
        if (r < 0)
                r = error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                                    "Making the first process of scope '%s' failed", k->unit);
        else
                r = k->overlapped ? overlap_begin(k, reterr) : job_begin(k, reterr);
        return r;
}

/* ---- the link ---- */

static void link_message(Keeper *k, const ControlMessage *m) {
        switch (m->type) {
        case CONTROL_STARTED:
                k->state = STATE_RUNNING;
                break;
        case CONTROL_STOPPING:
                k->state = STATE_STOPPING;
                break;
        case CONTROL_RESTARTING: /* it waits for a new GO; the old scope is empty and on its way out */
                k->state = STATE_SPAWNING;
                k->again = true;
                break;
        case CONTROL_ERROR:
        case CONTROL_EXITED:
                k->state = STATE_EXITED;
                break;
        default:
                break;
        }
        placeholder_release(k);
}

/* A start that failed, or a payload that has ended at once: the scope needs its placeholder until systemd is through, else
 * systemd overlooks that it is empty, and the scope stays. */
static void on_link_end(Keeper *k) {
        if (!k->job) {
                link_ended(k);
                return;
        }
        link_close(k);
        k->state = STATE_EXITED;
        k->ended = true;
        scope_job_hurry(k->job);
}

/* Returns whether there was a message, and there may be more. */
static bool hear(Keeper *k) {
        ControlMessage m = CONTROL_MESSAGE_NULL;
        int r = control_receive(k->link_fd, &m);
        if (r == -EAGAIN)
                return false;
        if (r <= 0 ||
            (m.type != _CONTROL_TYPE_MAX && control_check(m.type, FROM_SUPERVISOR, k->state) < 0)) {
                if (r != 0)
                        log_warning("The supervisor of '%s' broke the protocol (%s)", k->spec->name,
                                    r < 0 ? errno_words(r) : control_type_to_string(m.type));
                control_message_done(&m);
                on_link_end(k);
                return false;
        }
        bool more = true;
        if (m.type != _CONTROL_TYPE_MAX) {
                link_message(k, &m);
                more = tell_owner(k, &m);
                if (more && !k->free_pending && k->again && !k->job)
                        begin_again(k);
        }
        control_message_done(&m);
        return more;
}

static int on_link(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        (void) hear(userdata); /* once more for each message */
        return 0;
}

/* The bus has a limit for the rules of one connection. Without this one a stop of the scope is that of its processes. */
static int on_match(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        const Keeper *k = userdata;
        if (sd_bus_message_is_method_error(m, NULL))
                log_debug("Requests to stop scope '%s' will not be heard", k->unit);
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
                r = sd_bus_match_signal_async(k->bus, &k->match_stop, scope_signal_sender(k->bus),
                                              unit_path, SYSTEMD1_SCOPE_INTERFACE, "RequestStop",
                                              on_request_stop, on_match, k);
        if (r >= 0)
                r = sd_event_add_io(k->event, &k->link_source, k->link_fd, EPOLLIN, on_link, k);
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
        k->begin = scope_begin;
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
        *ret = TAKE_PTR(k);
        return 0;
}

void keeper_allow_overlap(Keeper *k) {
        k->may_overlap = true;
}

void keeper_take_devices(Keeper *k, char ***devices) {
        strv_free(k->devices);
        k->devices = TAKE_PTR(*devices);
}

int keeper_start(Keeper *k, Error *reterr) {
        return scope_begin(k, reterr);
}

int keeper_send(Keeper *k, ControlType type) {
        return k->link_fd >= 0 ? control_send(k->link_fd, type, NULL, NULL, 0) : -EPIPE;
}

void keeper_hear_all(Keeper *k) {
        k->dispatching++; /* whoever is told may free us */
        while (!k->free_pending && k->link_fd >= 0 && hear(k))
                ;
        if (--k->dispatching == 0 && k->free_pending)
                keeper_destroy(k);
}

const char *keeper_unit(const Keeper *k) {
        return k->unit;
}

bool keeper_has_failed(const Keeper *k) {
        return k->state == STATE_FAILED;
}
