/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Container: its life in the manager, from the messages of its supervisor. */
#include "manager/container.h"

#include <fcntl.h>
#include <sys/epoll.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/log.h"
#include "basic/parse.h"
#include "basic/path.h"
#include "basic/str.h"
#include "bus/bus.h"
#include "bus/names.h"
#include "manager/container-log.h"
#include "manager/container-usage.h"
#include "manager/health.h"
#include "manager/machine1.h"
#include "manager/operation.h"
#include "manager/supervisor-link.h"
#include "spec/spec-text.h"
#include "sys/cgroup.h"

/* ---- life ---- */

void container_free(Container *c) {
        waiters_free(c);
        machine1_registration_free(c);
        operations_end(c);
        c->health = health_free(c->health);
        c->hooks = hooks_free(c->hooks);
        (void) hashmap_remove(c->manager->containers,
                              c->name); /* not there yet if container_new() failed */
        creation_free(c->creation);
        foreign_free(c->foreign);
        c->keeper = keeper_dismiss(c->keeper, TAKE_PTR(c->spec));
        link_free(c->link);
        sd_event_source_disable_unref(c->supervisor_source);
        pidref_done(&c->leader);
        pidref_done(&c->supervisor);
        free(c->name);
        free(c->path);
        free(c->id);
        free(c->unit);
        free(c->control_group);
        free(c->root_directory);
        free(c->status_text);
        free(c->result);
        free(c->spec_text);
        free(c);
}

int container_new(Manager *m, const char *name, Container **ret, Error *reterr) {
        if (hashmap_get(m->containers, name)) {
                int r = error_set(reterr, -EEXIST, ERROR_NAME_IN_USE,
                                  "A container named '%s' is already running", name);
                error_hint(reterr, "choose another name, or stop it: berth stop %s", name);
                return r;
        }
        if (hashmap_size(m->containers) >= MANAGER_CONTAINERS_MAX)
                return error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED, "More than %u containers",
                                 MANAGER_CONTAINERS_MAX);

        Container *c = new0(Container, 1);
        if (!c)
                return error_oom(reterr);
        c->manager = m;
        c->generation = ++m->last_generation;
        c->leader = c->supervisor = (PidRef) PIDREF_NULL;
        c->state = STATE_COMPILING;
        c->name = strdup(name);
        c->started_realtime = now_usec(CLOCK_REALTIME);
        c->started_monotonic = now_usec(CLOCK_MONOTONIC);
        int r = c->name ? sd_bus_path_encode(BERTH_CONTAINER_PATH_PREFIX, name, &c->path) : -ENOMEM;
        if (r >= 0)
                r = hashmap_put(m->containers, c->name, c);
        if (r < 0) {
                free(c->path);
                free(c->name);
                free(c);
                return error_oom(reterr);
        }
        manager_touch(m);
        *ret = c;
        return 0;
}

void container_announce(Container *c) {
        if (!c->announced) {
                c->announced = true;
                (void) sd_bus_emit_object_added(c->manager->bus,
                                                c->path); /* signals are best effort */
                manager_emit(c->manager, "ContainerNew", c);
        }
        machine1_update(c);
}

void container_remove(Container *c) {
        Manager *m = c->manager;
        lists_changed(c);
        waiters_answer_end(c);
        hooks_fire(c, HOOK_POST_STOP);
        machine1_hide(c);
        if (c->announced) {
                manager_emit(m, "ContainerRemoved", c);
                (void) sd_bus_emit_object_removed(m->bus, c->path);
        }
        container_log_end(c);
        container_free(c);
        manager_touch(m);
}

Container *container_find(Manager *m, const char *name, Error *reterr) {
        Container *c = hashmap_get(m->containers, name);
        if (!c) {
                (void) error_set(reterr, -ENXIO, ERROR_NO_SUCH_CONTAINER,
                                 "No container named '%s' is running", name);
                error_hint(reterr, "'berth list' shows those that are");
        }
        return c;
}

Container *container_find_by_pid(Manager *m, pid_t pid, Error *reterr) {
        Container *c;
        HASHMAP_FOREACH(c, m->containers)
                if (c->leader.pid == pid &&
                    pidref_is_alive(&c->leader)) /* else the number is another's */
                        return c;
        _cleanup_free_ char *group = NULL;
        if (cgroup_get_path(pid, &group) >= 0)
                HASHMAP_FOREACH(c, m->containers)
                        if (!isempty(c->control_group) && path_startswith(group, c->control_group))
                                return c;
        (void) error_set(reterr, -ENXIO, ERROR_NO_SUCH_CONTAINER,
                         "Process %d is in no container that runs", (int) pid);
        return NULL;
}

/* ---- what is known ---- */

void container_set_text(Container *c, char **at, const char *text, const char *property) {
        /* one string that is not UTF-8 would make the list of all containers unreadable */
        _cleanup_free_ char *safe =
                text && !utf8_is_valid(text, strlen(text)) ? str_escape_for_display(text) : NULL;
        text = safe ?: text;
        if (streq_ptr(*at, text) || free_and_strdup(at, text) < 0)
                return;
        container_changed(c, property);
}

int container_set_spec(Container *c, const ContainerSpec *spec) {
        char id[ID128_STRING_MAX] = "";
        if (!id128_is_null(spec->id))
                (void) id128_to_string(spec->id, id);
        _cleanup_free_ char *text = NULL;
        int r = spec_text_print(spec, /* internal= */ false, &text);
        if (r < 0)
                return r;
        if (!c->id || !isempty(id)) /* else what its supervisor has found */
                container_set_text(c, &c->id, id, "Id");
        container_set_text(c, &c->root_directory, spec_root_path(spec), "RootDirectory");
        r = health_configure(c, spec);
        if (r >= 0)
                r = hooks_configure(c, spec);
        if (r < 0)
                return r;
        free(c->spec_text);
        c->spec_text = TAKE_PTR(text);
        return 0;
}

void container_set_state(Container *c, ContainerState state) {
        if (c->state == state)
                return;
        c->state = state;
        container_changed(c, "State");
        health_update(c);
}

void container_set_paused(Container *c, bool paused) {
        if (c->paused == paused)
                return;
        c->paused = paused;
        container_changed(c, "State");
        health_update(c);
}

const char *container_shown_state(const Container *c) {
        return c->paused && c->state == STATE_RUNNING ? "paused"
                                                      : container_state_to_string(c->state);
}

void container_set_ready(Container *c, bool ready) {
        if (c->ready == ready)
                return;
        c->ready = ready;
        container_changed(c, "Ready");
        if (ready && c->announced)
                manager_emit(c->manager, "ContainerReady", c);
}

void container_set_start(Container *c, usec_t realtime) {
        const usec_t now = now_usec(CLOCK_REALTIME), monotonic = now_usec(CLOCK_MONOTONIC);
        const usec_t age = now > realtime ? now - realtime : 0;
        c->started_realtime = realtime;
        c->started_monotonic = monotonic > age ? monotonic - age : 0;
        container_changed(c, "StartTimestamp");
        container_changed(c, "StartTimestampMonotonic");
}

void container_supervisor_ended(Container *c) {
        if (c->creation) {
                _cleanup_error_ Error e = ERROR_NULL;
                (void) error_set(&e, -EIO, ERROR_FAILED,
                                 "The supervisor of '%s' ended without saying why", c->name);
                error_hint(&e, "see journalctl -u berth-spawner.service -u berthd.service");
                container_create_fail(c, &e);
        }
        container_remove(c);
}

static int on_supervisor_ended(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        container_supervisor_ended(userdata);
        return 0;
}

int container_take_supervisor(Container *c, PidRef *supervisor) {
        if (pidref_is_set(&c->supervisor)) {
                pidref_done(supervisor);
                return 0;
        }
        int r = sd_event_add_io(c->manager->event, &c->supervisor_source, supervisor->fd, EPOLLIN,
                                on_supervisor_ended, c);
        if (r < 0)
                return r;
        /* after messages that came before its end */
        (void) sd_event_source_set_priority(c->supervisor_source, SD_EVENT_PRIORITY_NORMAL + 10);
        c->supervisor = *supervisor;
        *supervisor = (PidRef) PIDREF_NULL;
        container_changed(c, "Supervisor");
        return 0;
}

/* Where the supervisor has not said it: the unit is the last component of the group that it split,
 * ".../machine-web.scope/payload/…". A payload that is in no group of its own has neither. */
static void find_unit(Container *c) {
        static const char split[] = "/payload";
        _cleanup_free_ char *group = NULL;
        if (!isempty(c->control_group) || cgroup_get_path(c->leader.pid, &group) < 0)
                return; /* it may have ended already */
        char *cut = strstr(group, split);
        while (cut && cut[STRLEN("/payload")] != '\0' && cut[STRLEN("/payload")] != '/')
                cut = strstr(cut + 1, split);
        if (!cut)
                return;
        *cut = '\0';
        container_set_text(c, &c->control_group, group, "ControlGroup");
        const char *name = path_last_component(group);
        if (endswith(name, ".scope") || endswith(name, ".service"))
                container_set_text(c, &c->unit, name, "Unit");
}

int container_set_leader(Container *c, int pidfd) {
        PidRef leader = PIDREF_NULL;
        int fd = fcntl(pidfd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
                return -errno;
        int r = pidref_take_fd(&fd, &leader);
        if (r < 0) {
                fd_close(fd);
                return r;
        }
        if (pidref_is_set(&c->leader) && c->leader.pid == leader.pid) {
                pidref_done(&leader);
                return 0;
        }
        pidref_done(&c->leader);
        c->leader = leader;
        container_changed(c, "Leader");
        find_unit(c);
        return 0;
}

/* ---- messages ---- */

static void on_started(Container *c, const ControlMessage *m) {
        if (m->fds[0] >= 0) {
                int r = container_set_leader(c, m->fds[0]);
                if (r < 0) /* one that has ended at once */
                        log_debug_errno(r, "The leader of '%s' cannot be held", c->name);
        }
        const char *unit = control_message_get(m, "UNIT");
        if (unit)
                container_set_text(c, &c->unit, unit, "Unit");
        const char *id = control_message_get(m, "ID");
        if (id) /* the root's own, or a random one: only the supervisor knows */
                container_set_text(c, &c->id, id, "Id");
        if (IN_SET(c->state, STATE_COMPILING, STATE_SPAWNING, STATE_SCOPING, STATE_LAUNCHING)) {
                container_set_state(c, STATE_RUNNING);
                container_log_start(c);
                hooks_fire(c, HOOK_POST_START);
        }
        machine1_update(c);
        container_create_succeed(c);
}

static void on_ready(Container *c, const ControlMessage *m) {
        container_set_ready(c, true);
}

static void on_status(Container *c, const ControlMessage *m) {
        container_set_text(c, &c->status_text, strempty(control_message_get(m, "TEXT")),
                           "StatusText");
}

static void on_paused(Container *c, const ControlMessage *m) {
        container_set_paused(c, true);
        waiters_answer(c, WAIT_FOR_PAUSE, 0); /* each RESUME has an answer of its own */
}

static void on_resumed(Container *c, const ControlMessage *m) {
        const char *text = control_message_get(m, "ERRNO");
        uint32_t code = 0;
        container_set_paused(c, false);
        if (!text)
                waiters_answer_resumed(c);
        else
                waiters_answer(c, WAIT_FOR_PAUSE,
                               parse_u32(text, &code) >= 0 && code > 0 && code < 4096 ? -(int) code
                                                                                      : -EIO);
}

static void on_stopping(Container *c, const ControlMessage *m) {
        hooks_stopping(c);
        container_set_state(c, STATE_STOPPING);
}

static void on_restarting(Container *c, const ControlMessage *m) {
        container_set_paused(c, false);
        container_set_ready(c, false);
        c->stop_requested = false;
        pidref_done(&c->leader);
        container_changed(c, "Leader");
        machine1_update(c);
        machine1_tell_when_unregistered(c);
        container_set_state(c, STATE_LAUNCHING);
        health_reset(c);
}

/* "exited with status 1", "killed by SIGKILL (out of memory)", "powered off" */
static void on_exited(Container *c, const ControlMessage *m) {
        const char *reason = strempty(control_message_get(m, "REASON")),
                   *status = strempty(control_message_get(m, "STATUS"));
        bool oom = streq(strempty(control_message_get(m, "OOM")), "yes");
        _cleanup_free_ char *text = NULL;
        if (streq(reason, "exited"))
                text = strf("exited with status %s", status);
        else if (streq(reason, "killed")) {
                char name[16];
                int signal = parse_signal(status);
                text = strf("killed by signal %s%s",
                            signal > 0 ? signal_to_string(signal, name) : status,
                            oom ? " (out of memory)" : "");
        } else if (streq(reason, "poweroff"))
                text = strdup("powered off");
        else if (streq(reason, "watchdog"))
                text = strdup("ended by its watchdog");
        else
                text = strdup(isempty(reason) ? "ended" : reason);
        container_set_text(c, &c->result, strempty(text), "Result");
        container_set_ready(c, false);
        container_set_state(c, STATE_EXITED);
        container_create_succeed(c); /* it ran, however shortly */
}

static void on_error(Container *c, const ControlMessage *m) {
        _cleanup_error_ Error e = ERROR_NULL;
        const char *text = control_message_get(m, "ERROR");
        if (!text || error_deserialize(text, &e) < 0) {
                error_done(&e);
                (void) error_set(&e, -EIO, ERROR_FAILED, "The start of '%s' failed", c->name);
        }
        container_set_text(c, &c->result, e.message, "Result");
        container_set_state(c, STATE_FAILED);
        container_create_fail(c, &e);
}

static void (*const message_handlers[_CONTROL_TYPE_MAX])(Container *, const ControlMessage *) = {
        [CONTROL_STARTED] = on_started,       [CONTROL_READY] = on_ready,
        [CONTROL_STATUS] = on_status,         [CONTROL_STOPPING] = on_stopping,
        [CONTROL_RESTARTING] = on_restarting, [CONTROL_EXITED] = on_exited,
        [CONTROL_ERROR] = on_error,           [CONTROL_PAUSED] = on_paused,
        [CONTROL_RESUMED] = on_resumed,       [CONTROL_CONNECTED] = machine1_supervisor_connected,
};

void container_message(Container *c, const ControlMessage *m) {
        if (IN_SET(c->state, STATE_EXITED, STATE_FAILED))
                return; /* the same end over the other link */
        if (m->type < _CONTROL_TYPE_MAX && message_handlers[m->type])
                message_handlers[m->type](c, m);
}

/* ---- requests ---- */

static const struct {
        ControlType type;
        int signal; /* the supervisor's own meaning of it, when it cannot be spoken to; 0: none */
} request_signals[] = {
        { CONTROL_STOP, SIGTERM }, { CONTROL_TERMINATE, SIGKILL }, /* the payload dies with its supervisor */
        { CONTROL_REBOOT, 0 },     { CONTROL_PAUSE, 0 },           { CONTROL_RESUME, 0 },
};

/* There is no supervisor yet, or there was to be none. */
static int request_early(Container *c, ControlType type, Error *reterr) {
        if (IN_SET(type, CONTROL_STOP, CONTROL_TERMINATE))
                return c->creation ? container_create_cancel(c, reterr) : 0;
        int r = error_set(reterr, -EBUSY, ERROR_FAILED, "Container '%s' is being started", c->name);
        error_hint(reterr, "try again when it has started");
        return r;
}

int container_request(Container *c, ControlType type, Error *reterr) {
        int r = -ENOTCONN;
        if (c->foreign)
                return foreign_request(c, type, reterr);
        if (!c->link && !c->keeper && !pidref_is_set(&c->supervisor))
                return request_early(c, type, reterr);
        if (c->link)
                r = link_send(c->link, type);
        if (r < 0 && c->keeper)
                r = keeper_send(c->keeper, type);
        for (size_t i = 0; r < 0 && i < ELEMENTSOF(request_signals); i++)
                if (request_signals[i].type == type && request_signals[i].signal != 0 &&
                    pidref_is_set(&c->supervisor))
                        r = pidref_kill(&c->supervisor, request_signals[i].signal);
        if (r >= 0)
                return 0;
        r = error_set_errno(reterr, r, ERROR_FAILED, "The supervisor of '%s' cannot be reached",
                            c->name);
        error_hint(reterr, "try again in a moment: it connects again by itself");
        return r;
}
