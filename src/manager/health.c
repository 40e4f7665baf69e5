/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Health checks: the clock, one program at a time, and what its end means. */
#include "manager/health.h"

#include <fcntl.h>
#include <sys/epoll.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/log.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "bus/names.h"
#include "manager/operation.h"
#include "manager/supervisor-link.h"

#define FIRST_USEC (1 * USEC_PER_SEC)    /* from the start to the first check, at most */
#define STARTING_USEC (2 * USEC_PER_SEC) /* between checks in the start period, at most */
#define BUSY_USEC (1 * USEC_PER_SEC)     /* when there are too many checks just now */

static const char health_none[] = "none", health_starting[] = "starting", health_good[] = "healthy",
                  health_bad[] = "unhealthy";

struct Health {
        Container *container;
        char **argv;
        usec_t interval_usec, timeout_usec, start_period_usec;
        uint32_t retries;
        HealthAction action;
        bool boots;
        bool gates_ready;
        unsigned failures; /* in a row */
        bool active;       /* it runs: there is a clock, or a check */
        bool checking;     /* an operation was started, and its program has not been heard of */
        bool void_;        /* what comes of that does not count */
        int status_fd;     /* of the program that runs now, or -EBADF */
        sd_event_source *status_source, *timer;
};

static void schedule(Health *h, usec_t after_usec);

/* One of ours; not to be freed. */
static void set_health(Container *c, const char *health) {
        if (c->health_name == health)
                return;
        c->health_name = health;
        container_changed(c, "Health");
}

void health_tell(const Container *c) {
        if (c->health && c->health->gates_ready && c->health_name == health_good && !c->ready &&
            c->link)
                (void) link_send(c->link, CONTROL_HEALTHY); /* else when it connects again */
}

/* ---- what follows ---- */

static void restart(const Health *h) {
        Container *c = h->container;
        if (endswith(strempty(c->unit), ".service"))
                /* the answer is what becomes of the container */
                (void) sd_bus_call_method_async(c->manager->bus, NULL, SYSTEMD1_BUS_NAME,
                                                SYSTEMD1_PATH, SYSTEMD1_MANAGER_INTERFACE,
                                                "RestartUnit", NULL, NULL, "ss", c->unit,
                                                "replace");
        else if (h->boots)
                (void) container_request(c, CONTROL_REBOOT, NULL);
        else if (container_request_stop(c, NULL) >= 0)
                log_warning("Container '%s' is stopped, for it has no service that could start it "
                            "again",
                            c->name);
}

static void act(Health *h) {
        Container *c = h->container;
        if (c->stop_requested)
                return;
        switch (h->action) {
        case HEALTH_ACTION_RESTART:
                restart(h);
                break;
        case HEALTH_ACTION_STOP:
                (void) container_request_stop(c, NULL); /* else it is gone */
                break;
        case HEALTH_ACTION_KILL:
                (void) container_request(c, CONTROL_TERMINATE, NULL);
                break;
        default:
                break;
        }
}

/* ---- results ---- */

static bool in_start_period(const Health *h) {
        return h->container->health_name == health_starting &&
               now_usec(CLOCK_MONOTONIC) <
                       usec_add(h->container->started_monotonic, h->start_period_usec);
}

/* why: NULL, it is well. */
static void check_ended(Health *h, const char *why) {
        Container *c = h->container;
        h->checking = false;
        if (!h->active)
                return;
        if (h->void_) { /* it was paused meanwhile, and goes on */
                h->void_ = false;
                schedule(h, h->interval_usec);
                return;
        }
        if (!why) {
                if (c->health_name == health_bad)
                        log_notice("Container '%s' is healthy again", c->name);
                h->failures = 0;
                set_health(c, health_good);
                health_tell(c);
        } else if (!in_start_period(h) && ++h->failures >= h->retries &&
                   c->health_name != health_bad) {
                log_warning("Container '%s' is unhealthy: '%s' %s", c->name, h->argv[0], why);
                set_health(c, health_bad);
                act(h);
        } else
                log_debug("Health check of '%s': '%s' %s", c->name, h->argv[0], why);
        schedule(h, in_start_period(h) ? MIN(h->interval_usec, STARTING_USEC) : h->interval_usec);
}

static void drop_program(Health *h) {
        h->status_source = sd_event_source_disable_unref(h->status_source);
        if (h->status_fd >= 0)
                h->container->manager->n_health_checks--;
        h->status_fd = fd_close(h->status_fd); /* its worker ends it, if it still runs */
}

/* "exited STATUS", "killed SIGNAL", "timeout", or nothing from a worker that was killed. */
static int on_status(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        Health *h = userdata;
        char text[32] = "", why[64];
        ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
        if (n < 0 && IN_SET(errno, EAGAIN, EINTR))
                return 0;
        text[n > 0 ? n : 0] = '\0';
        drop_program(h);
        if (streq(text, "exited 0")) {
                check_ended(h, NULL);
                return 0;
        }
        if (startswith(text, "exited "))
                (void) snprintf(why, sizeof(why), "has exited with status %s", text + 7);
        else if (startswith(text, "killed "))
                (void) snprintf(why, sizeof(why), "was killed by signal %s", text + 7);
        else
                (void) snprintf(why, sizeof(why), "%s",
                                streq(text, "timeout") ? "has not ended in time"
                                                       : "has ended unseen");
        check_ended(h, why);
        return 0;
}

static void on_started(sd_bus_message *call, const OperationResult *result, const Error *e,
                       void *userdata) {
        Health *h = userdata;
        Manager *m = h->container->manager;
        m->n_health_checks--; /* the operation's; its program's follows */
        if (e) {
                _cleanup_free_ char *why = strf("could not be run: %s", e->message);
                if (e->id == ERROR_NO_SUCH_CONTAINER) /* it has ended, this is all but gone */
                        h->checking = false;
                else
                        check_ended(h, why ?: "could not be run");
                return;
        }
        if (h->void_ || !h->active) { /* the end of the socket is the end of the program */
                check_ended(h, NULL);
                return;
        }
        h->status_fd = fcntl(result->fds[0], F_DUPFD_CLOEXEC, 3);
        int r = h->status_fd < 0 ? -errno : 0;
        if (r >= 0) {
                m->n_health_checks++;
                r = sd_event_add_io(m->event, &h->status_source, h->status_fd, EPOLLIN, on_status,
                                    h);
        }
        if (r < 0) { /* we are short of something, which says nothing about the container */
                drop_program(h);
                h->void_ = true;
                check_ended(h, NULL);
        }
}

/* ---- the clock ---- */

static int check(Health *h, Error *reterr) {
        Container *c = h->container;
        _cleanup_close_ int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null_fd < 0)
                return error_set_errno(reterr, -errno, ERROR_SETUP_FAILED,
                                       "Opening '/dev/null' failed");
        const int stdio[] = { null_fd, null_fd, null_fd };
        const OperationRequest q = {
                .type = OPERATION_EXEC,
                .argv = h->argv,
                .stdio = stdio,
                .timeout_usec = h->timeout_usec,
        };
        int r = operation_start(c, &q, NULL, on_started, h, reterr);
        if (r < 0)
                return r;
        c->manager->n_health_checks++;
        h->checking = true;
        h->void_ = false;
        return 0;
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata) {
        Health *h = userdata;
        _cleanup_error_ Error e = ERROR_NULL;
        h->timer = sd_event_source_disable_unref(h->timer);
        if (h->container->manager->n_health_checks >= HEALTH_CHECKS_MAX) {
                schedule(h, BUSY_USEC);
                return 0;
        }
        if (check(h, &e) < 0) { /* no place for it now: that says nothing about the container */
                log_debug("No health check of '%s': %s", h->container->name, e.message);
                schedule(h, h->interval_usec);
        }
        return 0;
}

/* A little later, by chance: many that were started together are not checked together. */
static void schedule(Health *h, usec_t after_usec) {
        const usec_t spread = after_usec / 8;
        after_usec += now_usec(CLOCK_MONOTONIC) % (spread + 1);
        h->timer = sd_event_source_disable_unref(h->timer);
        int r = sd_event_add_time_relative(h->container->manager->event, &h->timer, CLOCK_MONOTONIC,
                                           after_usec, spread / 2 + 1, on_timer, h);
        if (r < 0)
                log_warning_errno(r, "The health of '%s' is no longer looked at",
                                  h->container->name);
}

void health_update(Container *c) {
        Health *h = c->health;
        const bool active = h && c->state == STATE_RUNNING && !c->paused;
        if (!h || h->active == active)
                return;
        h->active = active;
        if (!active) {
                h->timer = sd_event_source_disable_unref(h->timer);
                if (h->status_fd >= 0) {
                        drop_program(h);
                        h->checking = false;
                }
                h->void_ = h->checking;
        } else if (!h->checking)
                schedule(h, MIN(h->interval_usec, FIRST_USEC));
}

void health_reset(Container *c) {
        if (!c->health)
                return;
        c->health->failures = 0;
        set_health(c, health_starting);
}

/* ---- life ---- */

int health_configure(Container *c, const ContainerSpec *spec) {
        if (!c->health_name)
                c->health_name = health_none;
        if (c->health || !spec->health.command)
                return 0;
        Health *h = new0(Health, 1);
        if (!h)
                return -ENOMEM;
        *h = (Health){
                .container = c,
                .interval_usec = spec->health.interval_usec,
                .timeout_usec = spec->health.timeout_usec,
                .start_period_usec = spec->health.start_period_usec,
                .retries = spec->health.retries,
                .action = spec->health.action,
                .boots = spec->payload.start == START_BOOT,
                .gates_ready = spec->health.gates_ready,
                .status_fd = -EBADF,
        };
        int r = strv_split(&h->argv, spec->health.command, NULL, WORD_UNQUOTE);
        if (r < 0) {
                health_free(h);
                return r;
        }
        c->health = h;
        health_reset(c);
        return 0;
}

/* After operations_end(): no operation of ours is left. */
Health *health_free(Health *h) {
        if (!h)
                return NULL;
        h->active = false;
        drop_program(h);
        sd_event_source_disable_unref(h->timer);
        strv_free(h->argv);
        return mfree(h);
}
