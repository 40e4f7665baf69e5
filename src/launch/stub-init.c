/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The stub init: PID 1 for payloads that are none (--as-pid2).
 *
 * Signals as systemd(1) has them for PID 1: SIGRTMIN+3, +4, +13, +14 stop (the payload gets SIGTERM), SIGINT, SIGRTMIN+5 and +15
 * reboot; TERM and HUP are ignored. It never execs, so /proc/1 inside shows the supervisor's program: it stays non-dumpable, and
 * holds no descriptor. Without a user namespace that keeps nobody with CAP_SYS_PTRACE away, so there is nothing to gain in it: it has the
 * payload's bounding set and filter, and of the capabilities the two that it uses. */
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/keyctl.h>
#include <linux/reboot.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launch/child.h"
#include "sys/caps.h"
#include "sys/seccomp-load.h"
#include "sys/syscalls.h"

/* How PID 1 ends for the payload's status: exit status, or the same signal's shell spelling. */
static _Noreturn void end_like(int code, int status) {
        _exit(code == CLD_EXITED ? status : 128 + status);
}

int stub_init_confine(const ChildOp *op) {
        const uint64_t keep = CAP_MASK(CAP_KILL) | (CAP_MASK(CAP_SYS_BOOT) & op->attr);

        /* the caller's keys are not for the payload; kernels or filters may know no keyrings */
        (void) syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL, 0, 0, 0);
        int r = caps_drop_bounding(op->attr);
        if (r >= 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                r = -errno;
        if (r >= 0)
                r = caps_set(keep, keep, 0);
        return r < 0 || op->number == 0 ? r : seccomp_load(op->data, op->number);
}

_Noreturn void stub_init(pid_t payload) {
        sigset_t all;
        bool reboot = false;

        (void) sys_close_range(0, ~0U,
                               0); /* nothing to lose where it fails: all is close-on-exec anyway */
        (void) prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);      /* cannot fail */
        (void) prctl(PR_SET_NAME, "stubinit", 0, 0, 0); /* for ps(1) */
        /* without a user namespace the payload may read /proc/1/environ: what the caller's held is not its business */
        for (char **e = environ; *e; e++)
                memset(*e, 0, strlen(*e));
        sigfillset(&all);
        (void) sigprocmask(SIG_BLOCK, &all, NULL); /* cannot fail */

        for (;;) {
                siginfo_t info = { 0 };
                int r;
                while ((r = waitid(P_ALL, 0, &info, WEXITED | WNOHANG)) >= 0 && info.si_pid > 0) {
                        if (info.si_pid == payload) {
                                if (reboot)
                                        (void) syscall(SYS_reboot, LINUX_REBOOT_MAGIC1,
                                                       LINUX_REBOOT_MAGIC2,
                                                       LINUX_REBOOT_CMD_RESTART, NULL);
                                end_like(info.si_code, info.si_status);
                        }
                        info.si_pid = 0;
                }
                /* where nobody could be waited for now, nobody sends a signal for that again */
                const struct timespec soon = { .tv_nsec = 100000000 };
                int sig = r < 0 && errno != ECHILD ? sigtimedwait(&all, &info, &soon)
                                                   : sigwaitinfo(&all, &info);
                if (sig < 0 && !IN_SET(errno, EINTR, EAGAIN))
                        (void) poll(NULL, 0,
                                    100); /* a filter that does not let us wait: no hurry */
                if (sig == SIGRTMIN + 3 || sig == SIGRTMIN + 4 || sig == SIGRTMIN + 13 ||
                    sig == SIGRTMIN + 14)
                        (void) kill(payload, sig >= SIGRTMIN + 13
                                                     ? SIGKILL
                                                     : SIGTERM); /* gone: the next round sees it */
                else if (sig == SIGINT || sig == SIGRTMIN + 5 || sig == SIGRTMIN + 15) {
                        reboot = true;
                        (void) kill(payload, sig == SIGRTMIN + 15 ? SIGKILL : SIGTERM);
                }
        }
}
