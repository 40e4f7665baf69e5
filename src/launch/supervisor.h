/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state of one supervisor: what launch() fills and supervise() works with. */
#pragma once

#include <sys/signalfd.h>

#include <termios.h>

#include "basic/error.h"
#include "basic/time.h"
#include "ipc/control.h"
#include "rootfs/rootfs.h"
#include "spec/spec.h"
#include "sys/pidfd.h"

#define CONSOLE_BUFFER_SIZE 8192
#define CONSOLE_HISTORY_SIZE 32768 /* bytes of output that are kept for who attaches */

/* One direction of the console: bytes read that are not written yet. */
typedef struct ConsoleStream {
        int from_fd, to_fd; /* borrowed; -EBADF: this direction has ended */
        bool to_payload;
        size_t start, size;
        char buffer[CONSOLE_BUFFER_SIZE];
} ConsoleStream;

typedef struct Console {
        ConsoleMode mode;
        int master_fd;
        int slave_fd; /* held open, so that the master never hangs up while gettys come and go inside */
        char slave_path[24]; /* inside */
        int output_fd;       /* the caller's standard output, opened anew */
        int input_fd; /* the caller's terminal opened anew, so that O_NONBLOCK is ours alone; or -EBADF */
        bool raw; /* the terminal is in raw mode: `saved` must be restored */
        struct termios saved;
        unsigned escapes; /* ^] in a row */
        usec_t escape_usec;
        ConsoleStream *out, *in; /* allocated when there is something to forward */
        ConsoleStream *attached; /* from_fd: the socket of who has attached (owned); NULL: nobody */
        char *history;           /* a ring, from the first output on */
        size_t history_size, history_end;
} Console;

typedef struct Link {
        int fd;
        bool is_manager;
        usec_t retry_usec; /* manager link: when to connect again (monotonic); USEC_INFINITY: never */
        usec_t backoff_usec;
} Link;

typedef struct Supervisor {
        ContainerSpec *spec;
        Rootfs rootfs;
        Console console;
        Link launcher, manager;
        ContainerState state;
        PidRef leader;
        pid_t pid_two;         /* the command below a stub init, once it has said something */
        uint64_t capabilities; /* our own at the start */
        int seccomp_fd;        /* SUPERVISOR_SECCOMP_FD, or -EBADF if it came closed */
        int name_lock_fd;
        int signal_fd;
        int go_cgroup_fd;     /* from GO: the delegated cgroup */
        bool held;            /* from GO: the payload is set up, but runs only after a second GO */
        int parent_cgroup_fd; /* directory that payload/ (or the own cgroup) was made in */
        bool parent_is_apart; /* no process lives in the group that payload/ is in: controllers can be turned on */
        int payload_cgroup_fd;
        char *own_cgroup; /* CGROUP_OWN: its name below parent_cgroup_fd's parent, removed at the end */
        int kill_fd;      /* cgroup.kill of the payload's cgroup, opened while we may; or -EBADF */
        int freeze_fd; /* its cgroup.freeze, likewise */
        int frozen_fd; /* its cgroup.events, likewise: the group is the payload's own to lock */
        bool freezing; /* it was asked to pause, and not to go on since */
        bool paused;   /* all of it has come to rest */
        int events_fd; /* memory.events of the unit's cgroup, or -EBADF */
        uint64_t ignored_signals; /* by our caller: bit N-1 is signal N */
        bool out_of_memory;       /* a process in it was killed by the kernel */
        char *unit;               /* from GO */
        usec_t started_usec;      /* realtime */
        usec_t watchdog_usec, next_watchdog_usec;
        usec_t payload_watchdog_usec,
                payload_deadline_usec; /* of WATCHDOG=1; USEC_INFINITY: none is expected */
        bool said_ready,
                healthy;   /* what readiness can wait for: the payload's word, a health check */
        bool watchdog_hit; /* it did not come, and the payload was told to end */
        usec_t notify_window_usec,
                notify_pause_usec; /* monotonic; pause: not listened to until then */
        unsigned notify_count;     /* datagrams in this window */
        char *status_field; /* "TEXT=" and what the payload has said of itself last, at most 256 bytes; or NULL */
        bool ready;
        bool manager_knows; /* a manager has heard of the start */
        bool is_registered; /* with systemd-machined, as far as we know */
        unsigned stop_requests;
        uint32_t stop_origins;     /* bits of StopOrigin: who has asked */
        usec_t kill_deadline_usec; /* monotonic: SIGKILL then; USEC_INFINITY: not */
        int stop_signal;
        usec_t stop_again_usec; /* monotonic: the kill signal is sent again, for nobody listened; USEC_INFINITY: not */
        bool restart; /* main(): start anew, with the same descriptors */
} Supervisor;

/* launch.c */
int launch(Supervisor *s, Error *reterr);
void supervisor_done(Supervisor *s);

/* payload-cgroup.c, in the order of a start */
int payload_cgroup_find(Supervisor *s,
                        Error *reterr); /* the unit's or our own, split; not for CGROUP_WAIT */
int payload_cgroup_make(Supervisor *s, Error *reterr); /* waits for GO, makes payload/ */
void payload_cgroup_watch(Supervisor *s); /* opens what is needed when privileges are gone */
void payload_cgroup_kill(const Supervisor *s);
void payload_cgroup_remove(Supervisor *s);

/* payload-plan.c: the part of the child's plan that is not mounts, and what it points at. */
typedef struct PayloadPlan {
        ChildPlan plan;
        ChildIdentity root_identity, identity;
        ChildExec exec;
        char *seccomp;
        size_t seccomp_size;
} PayloadPlan;
void payload_plan_done(PayloadPlan *p);
int payload_plan_build(const Supervisor *s, PayloadPlan *p, Error *reterr);

/* console.c */
int console_open(Supervisor *s, Error *reterr);  /* the pty; nothing for CONSOLE_PIPE */
int console_start(Supervisor *s, Error *reterr); /* raw mode, streams; after the exec */
void console_forward(Console *c, bool input_ready, bool attached_ready);
/* Takes the socket: history first, and then, unless that is all, what comes. Who was attached before is no longer. */
void console_attach(Console *c, int fd, bool history_only);
typedef enum ConsoleRequest {
        CONSOLE_NOTHING,
        CONSOLE_KILL,
        CONSOLE_POWEROFF,
        CONSOLE_REBOOT
} ConsoleRequest;
ConsoleRequest console_take_request(Console *c);
void console_resize(Console *c);
void console_drain(Supervisor *s); /* the last output of a payload that has ended */
void console_done(Console *c);

/* links.c */
void links_open(Supervisor *s);
void links_hello(Supervisor *s);
void links_send(Supervisor *s, ControlType type, char *const *fields, const int *fds, size_t n_fds);
void links_send_error(Supervisor *s, const Error *e);
void links_retry(Supervisor *s);
/* Receives one message. 1: *ret is a request that is allowed now; 0: nothing to do; the link may be closed afterwards. */
int link_receive(Supervisor *s, Link *l, ControlMessage *ret);
/* A connection to the system bus for the manager: what is asked there in its name, we ask. */
void links_connect_bus(Supervisor *s);
/* It is systemd-machined's, for a machine whose leader has ended. */
bool links_is_stale_signal(const Supervisor *s, const struct signalfd_siginfo *info);
/* To the manager, and when systemd-machined has forgotten us to the launcher. False: a stop has come meanwhile. */
bool links_send_restarting(Supervisor *s);
/* It has given up, and told why. */
bool links_launcher_is_gone(const Supervisor *s);
/* Waits for GO on the launcher link (mode CGROUP_WAIT). */
int links_wait_go(Supervisor *s, Error *reterr);
/* During the start: has a signal come that means "end"? */
bool signal_ends_start(Supervisor *s);

/* notify-proxy.c */
void notify_started(Supervisor *s);
void notify_dispatch(Supervisor *s);
void notify_watchdog(Supervisor *s, usec_t now);
void notify_healthy(Supervisor *s); /* a health check has succeeded */
/* From now on, if the payload has a watchdog: at the start, at WATCHDOG=1, when it goes on after a pause. */
void payload_watchdog_arm(Supervisor *s);
void payload_watchdog_check(Supervisor *s, usec_t now);

/* stop.c */
/* First: the kill signal; the same again: now. Another's is the same wish, not impatience. */
typedef enum StopOrigin {
        STOP_BY_SIGNAL,
        STOP_BY_LAUNCHER, /* systemd's RequestStop, by way of the keeper */
        STOP_BY_MANAGER,
        STOP_BY_CONSOLE,
        STOP_BY_WATCHDOG,
} StopOrigin;
void stop_request(Supervisor *s, StopOrigin origin);
void stop_tick(Supervisor *s, usec_t now); /* what is due by time */
void stop_kill(Supervisor *s);
void stop_reboot(Supervisor *s);
void stop_poweroff(Supervisor *s);
void stop_abort(Supervisor *s); /* SIGABRT, then as with any stop */

/* pause.c; the links are told when it has come about: PAUSED, RESUMED, or RESUMED with an ERRNO */
void pause_begin(Supervisor *s);
void pause_check(Supervisor *s); /* the kernel says that something has changed */
void pause_end(Supervisor *s);

/* confine.c: only what is needed while the payload runs, for good. */
int supervisor_confine(void);

/* idle.c: poll(2), with as little memory as can be. */
struct pollfd;
int idle_wait(struct pollfd *p, size_t n, int timeout_msec);

/* supervise.c: runs until the payload has ended; returns our exit status. */
int supervise(Supervisor *s);
/* What the leader's end means (docs: berth-supervisor(8), "Exit status"). */
typedef struct Ending {
        const char *reason; /* exited, killed, poweroff, reboot */
        int status;         /* payload's exit status or signal */
        int exit_status;    /* ours */
        bool restart;
} Ending;
Ending ending_of(int code, int status, bool booted, bool in_unit, bool stop_requested);
