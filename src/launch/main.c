/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* berth-supervisor NAME: the process beside a container. Started by berth and berthd only, with the descriptors of ipc/spawn.h. */
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/str.h"
#include "ipc/notify.h"
#include "ipc/spawn.h"
#include "launch/supervisor.h"
#include "spec/spec-text.h"
#include "sys/syscalls.h"

static int usage(const char *argument) {
        if (streq(argument, "--version")) {
                (void) puts("berth-supervisor " BERTH_VERSION);
                return 0;
        }
        if (!IN_SET(argument[1], 'h', '-') ||
            (!streq(argument, "-h") && !streq(argument, "--help"))) {
                (void) fprintf(stderr, "berth-supervisor: Unknown option '%s'\n", argument);
                return 2;
        }
        (void) puts(
                "berth-supervisor NAME\n\nSupervises one container. It is started by berth and berthd, which hand it the\n"
                "container's description on descriptor 3; see berth-supervisor(8).\n\n  -h --help     Show this help\n     --version  Show the version");
        return 0;
}

static int read_spec(ContainerSpec **ret, Error *reterr) {
        _cleanup_free_ char *text = NULL;
        int seals = fcntl(SUPERVISOR_SPEC_FD, F_GET_SEALS);
        if (seals < 0 || (seals & F_SEAL_WRITE) == 0) {
                int r = error_set(reterr, -EINVAL, ERROR_PROTOCOL,
                                  "Descriptor %d is no sealed memory file", SUPERVISOR_SPEC_FD);
                error_hint(reterr,
                           "berth-supervisor is started by 'berth run' and berthd, not by hand");
                return r;
        }
        int r = fd_read_regular(SUPERVISOR_SPEC_FD, SPEC_TEXT_MAX, &text, NULL);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_PROTOCOL, "Reading the description failed");
        return spec_text_parse(text, ret, reterr);
}

/* Which of the fixed descriptors came open; asked once, before anything of ours can take a number. */
static void look_at_descriptors(bool ret_open[static SUPERVISOR_FIRST_EXTRA_FD]) {
        struct pollfd p[SUPERVISOR_FIRST_EXTRA_FD];
        for (int i = 0; i < SUPERVISOR_FIRST_EXTRA_FD; i++)
                p[i] = (struct pollfd){ .fd = i };
        int n = poll(p, ELEMENTSOF(p), 0);
        for (int i = 0; i < SUPERVISOR_FIRST_EXTRA_FD; i++)
                ret_open[i] = n >= 0 ? !(p[i].revents & POLLNVAL) : fcntl(i, F_GETFD) >= 0;
}

/* Standard descriptors that the caller has closed would else become something of ours. */
static int open_missing_stdio(const bool *is_open) {
        for (int i = 0; i < 3; i++)
                if (!is_open[i] && open("/dev/null", i == 0 ? O_RDONLY : O_WRONLY) != i)
                        return -EBADF;
        return 0;
}

/* systemctl status and berth start show this (sd_notify(3)); without a service manager nobody asks. */
static void tell_service_manager(const Error *e) {
        _cleanup_free_ char *words = str_escape_for_display(error_message(e));
        _cleanup_free_ char *text = strf("STATUS=%s\nERRNO=%d", strempty(words), -e->code);
        if (text)
                (void) notify_send(text);
}

/* "Cannot start 'web': …", once, here. */
static int fail(Supervisor *s, Error *e) {
        if (!error_is_set(e))
                return 125; /* told by the launcher */
        Error told = { .code = e->code, .id = e->id, .hint = TAKE_PTR(e->hint) };
        told.message =
                strf("Cannot start '%s': %s", s->spec->name, e->message ?: errno_words(e->code));
        if (!told.message)
                told.message = TAKE_PTR(e->message);
        log_error_object(LOG_ERR, &told);
        tell_service_manager(&told);
        links_send_error(s, &told);
        int status = error_id_to_exit_status(told.id);
        error_done(&told);
        return status;
}

#define PASSED_N 5

static void restart(const Supervisor *s, char **argv, const int passed[static PASSED_N], Error *e) {
        for (int n = 1; n < NSIG; n++)
                if (s->ignored_signals & (UINT64_C(1) << (n - 1)))
                        (void) signal(n, SIG_IGN); /* as we have found it */
        for (size_t i = 0; i < PASSED_N; i++)
                if (passed[i] >= 0)
                        (void) fd_cloexec(passed[i], false); /* it is open */
        (void) execv("/proc/self/exe", argv);
        (void) error_set_errno(e, -errno, ERROR_SETUP_FAILED, "Starting '%s' anew failed", argv[1]);
}

int main(int argc, char **argv) {
        _cleanup_error_ Error error = ERROR_NULL;
        Supervisor s = {
                .rootfs = ROOTFS_NULL,
                .console = { .master_fd = -EBADF,
                             .slave_fd = -EBADF,
                             .input_fd = -EBADF,
                             .output_fd = -EBADF },
                .launcher = { .fd = -EBADF, .retry_usec = USEC_INFINITY },
                .seccomp_fd = -EBADF,
                .manager = { .fd = -EBADF },
                .leader = PIDREF_NULL,
                .name_lock_fd = -EBADF,
                .signal_fd = -EBADF,
                .go_cgroup_fd = -EBADF,
                .parent_cgroup_fd = -EBADF,
                .payload_cgroup_fd = -EBADF,
                .kill_fd = -EBADF,
                .freeze_fd = -EBADF,
                .frozen_fd = -EBADF,
                .events_fd = -EBADF,
                .kill_deadline_usec = USEC_INFINITY,
                .stop_again_usec = USEC_INFINITY,
        };

        if (argc == 2 && argv[1][0] == '-')
                return usage(argv[1]);
        if (argc != 2) {
                (void) fprintf(
                        stderr,
                        "berth-supervisor: One argument is expected, the container's name\n");
                return 2;
        }
        bool is_open[SUPERVISOR_FIRST_EXTRA_FD];
        look_at_descriptors(is_open);
        if (is_open[SUPERVISOR_LINK_FD])
                s.launcher.fd = SUPERVISOR_LINK_FD;
        if (is_open[SUPERVISOR_SECCOMP_FD])
                s.seccomp_fd = SUPERVISOR_SECCOMP_FD;
        if (open_missing_stdio(is_open) < 0)
                return 125;
        int r = sys_close_range(SUPERVISOR_SPEC_FD, ~0U, CLOSE_RANGE_CLOEXEC) < 0 ? -errno : 0;
        log_open("berth");
        (void) umask(0); /* modes are what we say */

        r = r < 0 ? error_set_errno(&error, r, ERROR_SETUP_FAILED,
                                    "Keeping descriptors from the payload failed")
                  : read_spec(&s.spec, &error);
        if (r < 0) {
                log_error_object(LOG_ERR, &error);
                tell_service_manager(&error);
                return 125;
        }
        log_set_container(s.spec->name, NULL);
        int status = 125;
        if (launch(&s, &error) >= 0)
                status = supervise(&s);
        else {
                console_done(&s.console);
                status = fail(&s, &error);
        }
        bool again = s.restart;
        const int passed[PASSED_N] = { SUPERVISOR_SPEC_FD, s.launcher.fd, s.seccomp_fd,
                                       s.spec->root.fd, s.spec->root.lock_fd };
        supervisor_done(&s);
        if (again) {
                restart(&s, argv, passed, &error);
                log_error_object(LOG_ERR, &error);
                tell_service_manager(&error);
                return 125;
        }
        return status;
}
