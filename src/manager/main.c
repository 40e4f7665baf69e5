/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* berthd: start-up and end of the manager. */
#include <getopt.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/str.h"
#include "bus/bus.h"
#include "ipc/control.h"
#include "ipc/notify.h"
#include "manager/manager.h"
#include "sys/caps.h"

static const char usage[] =
        "berthd [OPTION]\n"
        "\n"
        "The manager of berth's containers: learns of every one that runs and offers\n"
        "org.berth.Containers1 on the system bus. Started by systemd when needed.\n"
        "\n"
        "  -h, --help           show this help\n"
        "      --version        show the version\n"
        "      --spawner=PATH   socket of the spawner; without it berthd starts its own\n"
        "\n"
        "See berthd(8).\n";

/* systemd's socket, or one of our own. Returns the fd; *ret_activated: there is someone who starts us again. */
static int control_socket(bool *ret_activated, Error *reterr) {
        int n = sd_listen_fds(/* unset_environment= */ true);
        if (n > 1)
                return error_set(reterr, -EINVAL, ERROR_SETUP_FAILED,
                                 "%d sockets were passed, one is expected", n);
        if (n == 1) {
                if (sd_is_socket(SD_LISTEN_FDS_START, AF_UNIX, SOCK_SEQPACKET, 1) <= 0)
                        return error_set(
                                reterr, -EINVAL, ERROR_SETUP_FAILED,
                                "The socket that was passed is no listening AF_UNIX SEQPACKET socket");
                *ret_activated = true;
                return SD_LISTEN_FDS_START;
        }
        int r = mkdir_parents("/run/berth", 0755);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                                       "Making the directory '/run/berth' failed");
        int fd = socket_listen_seqpacket(CONTROL_SOCKET_PATH, 0600);
        if (fd < 0)
                return error_set_errno(reterr, fd, ERROR_SETUP_FAILED, "Listening on '%s' failed",
                                       CONTROL_SOCKET_PATH);
        *ret_activated = false;
        return fd;
}

/* SIGTERM and SIGINT end the loop; they are blocked for the signalfd, what is executed gets a clean mask. */
static int setup_event(sd_event **ret, Error *reterr) {
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        sigset_t blocked;
        (void) sigemptyset(&blocked);
        (void) sigaddset(&blocked, SIGTERM);
        (void) sigaddset(&blocked, SIGINT);
        int r = sigprocmask(SIG_BLOCK, &blocked, NULL) < 0 ? -errno : 0;
        (void) signal(SIGPIPE, SIG_IGN);
        if (r >= 0)
                r = sd_event_new(&event);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGINT, NULL, NULL);
        if (r >= 0)
                r = sd_event_set_watchdog(event, true);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                                       "Making the event loop failed");
        *ret = TAKE_PTR(event);
        return 0;
}

/* What it needs itself is to signal payloads of other users; all else its user does. A spawner of its own gets all that the
 * bounding set has, by execve() as root. In its unit it has no more from the beginning, and must not call capset(2). */
static int shed_capabilities(Error *reterr) {
        const uint64_t keep = CAP_MASK(CAP_KILL);
        uint64_t own;
        if (caps_get_effective(&own) >= 0 && (own & ~keep) == 0)
                return 0;
        int r = caps_set(keep, keep, 0);
        return r < 0 ? error_set_errno(reterr, r, ERROR_NO_PRIVILEGES,
                                       "Dropping capabilities failed")
                     : 0;
}

static int run(const char *spawner, Error *reterr) {
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(manager_freep) Manager *m = NULL;
        bool activated = false;

        _cleanup_close_ int listen_fd = control_socket(&activated, reterr);
        if (listen_fd < 0)
                return listen_fd;
        int r = setup_event(&event, reterr);
        if (r >= 0)
                r = bus_connect_system(&bus, reterr);
        if (r < 0)
                return r;
        r = sd_bus_attach_event(bus, event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = sd_bus_set_exit_on_disconnect(bus, true);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_BUS_FAILED,
                                       "Watching the system bus failed");
        r = manager_new(event, bus, &listen_fd, activated, spawner, &m, reterr);
        if (r >= 0)
                r = manager_publish(m, reterr);
        if (r < 0)
                return r;
        r = shed_capabilities(reterr);
        if (r < 0)
                return r;
        (void) notify_send("READY=1"); /* only with a service manager that listens */
        r = manager_run(m);
        if (r != 0 && sd_bus_is_open(bus) <= 0) {
                log_warning("The connection to the system bus has ended, a new berthd follows");
                return EXIT_FAILURE;
        }
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED, "The event loop failed") : r;
}

int main(int argc, char **argv) {
        if (fd_fill_stdio() < 0)
                return EXIT_FAILURE; /* there may be nowhere to say why */
        enum {
                OPTION_VERSION = 256,
                OPTION_SPAWNER
        };
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, OPTION_VERSION },
                { "spawner", required_argument, NULL, OPTION_SPAWNER },
                { 0 },
        };
        const char *spawner = NULL;
        int c;
        while ((c = getopt_long(argc, argv, "h", options, NULL)) == OPTION_SPAWNER)
                spawner = optarg;
        if (c == 'h')
                return fputs(usage, stdout) < 0 || fflush(stdout) != 0 ? EXIT_FAILURE
                                                                       : EXIT_SUCCESS;
        if (c == OPTION_VERSION)
                return puts("berthd " BERTH_VERSION) < 0 || fflush(stdout) != 0 ? EXIT_FAILURE
                                                                                : EXIT_SUCCESS;
        if (c != -1 || optind < argc) {
                if (c == -1)
                        (void) fprintf(stderr, "berthd: Unexpected argument '%s'\n", argv[optind]);
                return 2;
        }

        _cleanup_error_ Error e = ERROR_NULL;
        log_open("berthd");
        if (geteuid() != 0) {
                (void) fputs("berthd: Only root can run the manager\n", stderr);
                return EXIT_FAILURE;
        }
        int r = run(spawner, &e);
        if (r < 0)
                log_error_object(LOG_ERR, &e);
        return r < 0 ? EXIT_FAILURE : r;
}
