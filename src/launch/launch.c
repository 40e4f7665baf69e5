/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The start of a container, as a straight list of calls; docs/contracts.md, "The start, in the supervisor", says why in this order.
 *
 * Calls of its own: unshare(CLONE_NEWNS), mount(MS_SLAVE), signalfd, clone3 (CLONE_PIDFD, CLONE_INTO_CGROUP and all namespaces). */
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "ipc/sync.h"
#include "launch/child.h"
#include "launch/limits.h"
#include "launch/supervisor.h"
#include "sys/caps.h"
#include "sys/lock.h"
#include "sys/mount-api.h"
#include "sys/namespace.h"
#include "sys/syscalls.h"

static int lock_name(Supervisor *s, Error *reterr) {
        s->name_lock_fd = lock_take(NAME_LOCK_DIRECTORY, s->spec->name, LOCK_MODE_EXCLUSIVE);
        if (s->name_lock_fd == -EBUSY) {
                if (links_launcher_is_gone(s))
                        return -ECANCELED; /* systemd knew of that container before we did: it is told */
                int r = error_set(reterr, -EBUSY, ERROR_NAME_IN_USE,
                                  "a container of this name is running");
                error_hint(reterr,
                           "stop it with 'berth stop %s', or choose another name with -M NAME",
                           s->spec->name);
                return r;
        }
        if (s->name_lock_fd < 0)
                return error_set_errno(reterr, s->name_lock_fd, ERROR_SETUP_FAILED,
                                       "locking the name in '%s' failed", NAME_LOCK_DIRECTORY);
        return 0;
}

static void do_nothing(int n) {}

/* Whether our caller ignores this signal: we do, too, but with a handler, for those are not inherited (CLONE_CLEAR_SIGHAND). */
static bool is_ignored(Supervisor *s, int n) {
        struct sigaction old;
        if (sigaction(n, NULL, &old) < 0 || old.sa_handler != SIG_IGN)
                return false;
        const struct sigaction action = { .sa_handler = do_nothing, .sa_flags = SA_RESTART };
        (void) sigaction(n, &action, NULL); /* cannot fail */
        s->ignored_signals |= UINT64_C(1) << (n - 1);
        return true;
}

static int open_signals(Supervisor *s, Error *reterr) {
        static const int caught[] = { SIGTERM, SIGCHLD, SIGWINCH };
        static const int of_terminal[] = { SIGINT, SIGHUP, SIGQUIT };
        sigset_t set;
        sigemptyset(&set);
        for (size_t i = 0; i < ELEMENTSOF(caught); i++)
                sigaddset(&set, caught[i]);
        for (size_t i = 0; i < ELEMENTSOF(of_terminal); i++)
                if (!is_ignored(s, of_terminal[i]))
                        sigaddset(&set, of_terminal[i]);
        sigaddset(&set, SIGRTMIN + 18); /* what systemd's programs answer; must not end us */
        sigaddset(&set, SIGPIPE); /* blocked, not ignored: that would be the payload's as well */
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 ||
            (s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
                return error_set_errno(reterr, -errno, ERROR_SETUP_FAILED,
                                       "setting up signals failed");
        return 0;
}

static int enter_mount_namespace(Error *reterr) {
        if (unshare(CLONE_NEWNS) < 0) {
                int r = error_set_errno(reterr, -errno, ERROR_NAMESPACE_FAILED,
                                        "making a mount namespace failed");
                error_hint(reterr, "containers are started by root: CAP_SYS_ADMIN is needed");
                return r;
        }
        int r = mount_propagation_all(MS_SLAVE);
        return r < 0 ? error_set_errno(reterr, r, ERROR_MOUNT_FAILED,
                                       "separating the mounts from the host's failed")
                     : 0;
}

static int prepare_root(Supervisor *s, Error *reterr) {
        const ContainerSpec *spec = s->spec;
        Rootfs *root = &s->rootfs;
        int r = rootfs_open(spec, root, reterr);
        if (r >= 0)
                r = rootfs_choose_ids(spec, root, reterr);
        if (r >= 0)
                r = rootfs_attach(spec, root, reterr);
        return r < 0 ? r : rootfs_inspect(spec, root, reterr);
}

static int prepare_mounts(Supervisor *s, Error *reterr) {
        const ContainerSpec *spec = s->spec;
        Rootfs *root = &s->rootfs;
        int r = rootfs_become_owner(root, s->capabilities, reterr);
        if (r >= 0)
                r = api_mounts_outer(spec, root, reterr);
        if (r >= 0)
                r = user_mounts(spec, root, reterr);
        if (r >= 0)
                r = host_files(spec, root, reterr);
        if (r >= 0)
                r = console_open(s, reterr);
        return r < 0 ? r : api_mounts_seal(root, reterr);
}

/* ---- clone ---- */

/* *ret_own_fd: our own time namespace, to go back to. */
static int enter_time_namespace(const ContainerSpec *spec, int *ret_own_fd, Error *reterr) {
        char text[128];
        if (!spec_has_time_namespace(spec))
                return 0;
        int own_fd = namespace_open(0, NAMESPACE_TIME);
        if (own_fd < 0)
                return error_set_errno(reterr, own_fd, ERROR_NAMESPACE_FAILED,
                                       "opening our own time namespace failed");
        *ret_own_fd = own_fd;
        /* for our children only (time_namespaces(7)); offsets are written before the first of them */
        int r = unshare(CLONE_NEWTIME) < 0 ? -errno : 0;
        long long mono = spec->time.monotonic_nsec, boot = spec->time.boottime_nsec;
        (void) snprintf(text, sizeof(text),
                        "monotonic %lld %lld\nboottime %lld %lld\n", /* fits by its size */
                        mono / 1000000000 - (mono % 1000000000 < 0),
                        (mono % 1000000000 + 1000000000) % 1000000000,
                        boot / 1000000000 - (boot % 1000000000 < 0),
                        (boot % 1000000000 + 1000000000) % 1000000000);
        if (r >= 0)
                r = file_write_at(AT_FDCWD, "/proc/self/timens_offsets", text);
        return r < 0 ? error_set_errno(reterr, r, ERROR_NAMESPACE_FAILED,
                                       "making a time namespace failed")
                     : 0;
}

/* What was made for our children is the payload's alone: an exec of ours, for a reboot, would take us into it (Linux 6.2), or (before)
 * the next child could not share memory with us, as that of userns_new() does. */
static int leave_time_namespace(int own_fd, Error *reterr) {
        if (own_fd >= 0 && setns(own_fd, CLONE_NEWTIME) < 0)
                return error_set_errno(reterr, -errno, ERROR_NAMESPACE_FAILED,
                                       "leaving the time namespace failed");
        return 0;
}

static int payload_clone(Supervisor *s, const PayloadPlan *plan, int sync_fd, int child_sync_fd,
                         Error *reterr) {
        bool userns = s->rootfs.map.count > 0;
        struct clone_args args = {
                .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC |
                         CLONE_NEWCGROUP | CLONE_PIDFD | CLONE_CLEAR_SIGHAND |
                         (userns ? CLONE_NEWUSER : 0) |
                         (s->spec->network.private_ ? CLONE_NEWNET : 0) |
                         (s->payload_cgroup_fd >= 0 ? CLONE_INTO_CGROUP : 0),
                .pidfd = (uint64_t) (uintptr_t) &s->leader.fd,
                .exit_signal = SIGCHLD,
                .cgroup = s->payload_cgroup_fd >= 0 ? (uint64_t) s->payload_cgroup_fd : 0,
        };
        /* the child finds the root as its working directory: that alone is carried over into its mount namespace */
        if (fchdir(s->rootfs.root_fd) < 0)
                return error_set_errno(reterr, -errno, ERROR_SETUP_FAILED,
                                       "entering the root directory failed");
        /* until the exec nobody may look into the child */
        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return error_set_errno(reterr, -errno, ERROR_SETUP_FAILED,
                                       "hiding the supervisor's memory failed");
        pid_t pid = sys_clone3(&args);
        if (pid == 0)
                child_main(&plan->plan, child_sync_fd, sync_fd);
        if (pid < 0) {
                int r = error_set_errno(reterr, -errno, ERROR_NAMESPACE_FAILED,
                                        "making the container's namespaces failed");
                s->leader = (PidRef) PIDREF_NULL;
                if (userns)
                        error_hint(
                                reterr,
                                "are user namespaces turned on? See /proc/sys/user/max_user_namespaces");
                return r;
        }
        s->leader.pid = pid;
        return rootfs_resume_self(&s->rootfs, reterr);
}

static int set_affinity(const Supervisor *s, Error *reterr) {
        cpu_set_t set;
        if (!s->spec->payload.cpu_affinity)
                return 0;
        CPU_ZERO(&set);
        for (const char *p = s->spec->payload.cpu_affinity; *p;) {
                char *end;
                unsigned long first = strtoul(p, &end, 10), last = first;
                if (*end == '-')
                        last = strtoul(end + 1, &end, 10);
                for (unsigned long i = first; i <= last && i < CPU_SETSIZE; i++)
                        CPU_SET(i, &set);
                p = *end ? end + 1 : end;
        }
        if (sched_setaffinity(s->leader.pid, sizeof(set), &set) < 0) {
                int r = error_set_errno(reterr, -errno, ERROR_INVALID_SETTING,
                                        "setting the CPU affinity to '%s' failed",
                                        s->spec->payload.cpu_affinity);
                error_hint(reterr, "choose CPUs that this machine has and the cgroup allows");
                return r;
        }
        return 0;
}

/* By the number that /proc has: with another PID namespace's /proc ours would be that of a stranger. */
static int set_oom_score(const Supervisor *s, Error *reterr) {
        char path[STRLEN("/proc//oom_score_adj") + 12], text[16];
        pid_t pid;
        if (!s->spec->payload.has_oom_score_adjust)
                return 0;
        (void) snprintf(text, sizeof(text), "%d", s->spec->payload.oom_score_adjust);
        int r = pidfd_number(s->leader.fd, &pid);
        if (r >= 0) {
                (void) snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", pid); /* both fit */
                r = file_write_at(AT_FDCWD, path, text);
        }
        if (r >= 0)
                return 0;
        r = error_set_errno(reterr, r, ERROR_SETUP_FAILED, "setting the OOM score to %s failed",
                            text);
        error_hint(reterr, "lowering it needs CAP_SYS_RESOURCE");
        return r;
}

/* What only the outside may do to the child, before it runs its plan. */
static int prepare_child(const Supervisor *s, const ChildPlan *plan, Error *reterr) {
        if (s->rootfs.map.count > 0) {
                int r = userns_write_maps(s->leader.pid, &s->rootfs.map, 1);
                if (r < 0)
                        return error_set_errno(reterr, r, ERROR_NAMESPACE_FAILED,
                                               "writing the user namespace's maps failed");
        }
        int r = set_oom_score(s, reterr);
        if (r >= 0)
                r = limits_raise(s->leader.pid, plan, reterr);
        return r < 0 ? r : set_affinity(s, reterr);
}

/* CHILD_OP_HOLD: from now on the payload may run. */
static int release_child(int sync_fd, Error *reterr) {
        int r = sync_go(sync_fd, /* hold= */ false);
        return r < 0 && r != -EPIPE /* what it reported before its end is read next */
                       ? error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                                         "letting the payload run failed")
                       : 0;
}

/* Waits for the exec; a launcher that gives up or a signal ends the start. */
static int wait_exec(Supervisor *s, const PayloadPlan *plan, int sync_fd, Error *reterr) {
        StageReport report;
        for (;;) {
                struct pollfd p[] = { { .fd = sync_fd, .events = POLLIN },
                                      { .fd = s->signal_fd, .events = POLLIN },
                                      { .fd = s->launcher.fd, .events = POLLIN } };
                if (poll(p, ELEMENTSOF(p), -1) < 0 && errno != EINTR)
                        return error_set_errno(reterr, -errno, ERROR_SETUP_FAILED,
                                               "waiting for the payload failed");
                if (p[0].revents)
                        break;
                if (p[2].revents) {
                        _cleanup_(control_message_done) ControlMessage m = CONTROL_MESSAGE_NULL;
                        int r = link_receive(s, &s->launcher, &m);
                        if (s->launcher.fd < 0)
                                return -ECANCELED; /* the launcher has told why */
                        if (r > 0 && IN_SET(m.type, CONTROL_STOP, CONTROL_TERMINATE))
                                return error_set(reterr, -EINTR, ERROR_FAILED,
                                                 "stopped before it ran");
                        if (r > 0 && m.type == CONTROL_GO && s->held) {
                                s->held = false;
                                r = release_child(sync_fd, reterr);
                                if (r < 0)
                                        return r;
                        }
                }
                if (p[1].revents && signal_ends_start(s))
                        return error_set(reterr, -EINTR, ERROR_FAILED, "interrupted by a signal");
        }
        int r = sync_wait_exec(sync_fd, &report);
        if (r > 0)
                return child_plan_describe(&plan->plan, report.op, report.error, reterr);
        if (r == 0 &&
            s->held) { /* the end of file is that of the child: it was killed, with the scope */
                if (links_launcher_is_gone(s))
                        return -ECANCELED;
                r = -ECHILD;
        }
        return r < 0 ? error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                                       "the payload ended before it ran")
                     : 0;
}

static void abort_child(Supervisor *s) {
        siginfo_t info;
        if (!pidref_is_set(&s->leader))
                return;
        (void) pidref_kill(&s->leader, SIGKILL);
        payload_cgroup_kill(s);
        (void) pidref_wait(&s->leader, /* block= */ true, &info);
        pidref_done(&s->leader);
}

static int run_payload(Supervisor *s, Error *reterr) {
        _cleanup_close_ int sync_fd = -EBADF, child_sync_fd = -EBADF, own_time_fd = -EBADF;
        _cleanup_(payload_plan_done) PayloadPlan plan = { 0 };
        int r = payload_plan_build(s, &plan, reterr);
        if (r >= 0)
                r = payload_cgroup_make(s, reterr);
        if (r >= 0)
                r = enter_time_namespace(s->spec, &own_time_fd, reterr);
        if (r < 0)
                return r;
        r = sync_pair(&sync_fd, &child_sync_fd);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED, "making a socket failed");
        r = payload_clone(s, &plan, sync_fd, child_sync_fd, reterr);
        if (r < 0)
                return r;
        child_sync_fd = fd_close(child_sync_fd);
        r = leave_time_namespace(own_time_fd, reterr);
        if (r >= 0)
                r = prepare_child(s, &plan.plan, reterr);
        if (r >= 0 && sync_go(sync_fd, s->held) < 0)
                r = error_set(reterr, -EPIPE, ERROR_SETUP_FAILED,
                              "the payload ended before it ran");
        if (r >= 0)
                r = wait_exec(s, &plan, sync_fd, reterr);
        if (r < 0)
                abort_child(s);
        return r;
}

/* After the start the supervisor only signals and waits. As root it would gain all again by an exec, which a reboot needs: where the
 * unit sees to that, there is no way back. */
static void drop_privileges(const Supervisor *s) {
        bool in_unit = s->spec->resources.cgroup == CGROUP_UNIT;
        uint64_t keep = CAP_MASK(CAP_KILL);
        /* at the end groups of the payload's making, with owners of its own, are removed: see payload_cgroup_remove() */
        if (in_unit || s->spec->resources.cgroup == CGROUP_OWN)
                keep |= CAP_MASK(CAP_DAC_OVERRIDE) & s->capabilities;
        int r = caps_set(CAP_MASK(CAP_KILL), keep, 0);
        if (r >= 0 && in_unit)
                r = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : supervisor_confine();
        if (r < 0)
                log_warning_errno(r, "Dropping privileges failed");
}

static void tell_started(Supervisor *s) {
        _cleanup_strv_free_ char **fields = NULL;
        char id[ID128_STRING_MAX];
        s->state = STATE_RUNNING;
        payload_cgroup_watch(s);
        int r = strv_extendf(&fields, "PID=%d", s->leader.pid);
        if (r >= 0)
                r = strv_extendf(&fields, "ID=%s", id128_to_string(s->rootfs.machine_id, id));
        if (r >= 0 && s->unit)
                r = strv_extendf(&fields, "UNIT=%s", s->unit);
        if (r >= 0)
                links_send(s, CONTROL_STARTED, fields, &s->leader.fd, 1);
        notify_started(s);
        if (s->console.mode == CONSOLE_INTERACTIVE && !s->spec->console.quiet)
                log_info(
                        "Container '%s' is running; press ^] three times within a second to end it",
                        s->spec->name);
}

int launch(Supervisor *s, Error *reterr) {
        s->state = STATE_LAUNCHING;
        s->started_usec = now_usec(CLOCK_REALTIME);
        links_open(s);
        links_hello(s);
        int r = lock_name(s, reterr);
        if (r >= 0 && caps_get_effective(&s->capabilities) < 0)
                r = error_set(reterr, -EPERM, ERROR_SETUP_FAILED,
                              "reading our capabilities failed");
        if (r >= 0)
                r = enter_mount_namespace(reterr);
        if (r >= 0)
                r = prepare_root(s, reterr);
        /* not before: a root on a file system that does not answer holds us up, and there is nothing yet that a signal's default would leave */
        if (r >= 0)
                r = open_signals(s, reterr);
        if (r >= 0)
                r = payload_cgroup_find(s, reterr);
        if (r >= 0)
                r = prepare_mounts(s, reterr);
        if (r >= 0)
                r = run_payload(s, reterr);
        if (r >= 0 && chdir("/") < 0) /* it was the root, for the child */
                r = error_set_errno(reterr, -errno, ERROR_SETUP_FAILED, "leaving the root failed");
        if (r < 0)
                return r;
        (void) mount_detach(s->rootfs.root_fd); /* our copy of the tree: the payload has its own */
        tell_started(s);
        r = console_start(s, reterr);
        if (r < 0)
                return r;
        drop_privileges(s);
        return 0;
}

void supervisor_done(Supervisor *s) {
        (void) rootfs_resume_self(&s->rootfs, NULL); /* the rest works as either */
        abort_child(s);
        console_done(&s->console);
        payload_cgroup_remove(s);
        s->unit = mfree(s->unit);
        s->status_field = mfree(s->status_field);
        s->signal_fd = fd_close(s->signal_fd);
        rootfs_done(&s->rootfs);
        s->name_lock_fd = fd_close(s->name_lock_fd);
        s->manager.fd = fd_close(s->manager.fd);
        s->spec = spec_free(s->spec);
}
