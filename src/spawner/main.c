/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* berth-spawner: its one socket is descriptor 3, from systemd (it listens) or from a berthd that is no service (it is connected). */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/str.h"
#include "spawner/spawner.h"
#include "sys/syscalls.h"

enum {
        SOCKET_FD = 3
};

int main(int argc, char **argv) {
        if (fd_fill_stdio() < 0)
                return EXIT_FAILURE; /* there may be nowhere to say why */
        if (argc == 2 && streq(argv[1], "--version"))
                return puts("berth-spawner " BERTH_VERSION) < 0 || fflush(stdout) != 0;
        if (argc > 1 || fcntl(SOCKET_FD, F_GETFD) < 0) {
                (void) fputs("berth-spawner: Started by systemd or berthd, to execute programs for "
                             "berthd; see berth-spawner(8)\n",
                             stderr);
                return 2;
        }
        _cleanup_error_ Error e = ERROR_NULL;
        log_open("berth-spawner");
        (void) fd_cloexec(SOCKET_FD, true); /* both cannot fail */
        (void) umask(0022);
        int r = spawner_serve(SOCKET_FD, &e);
        if (r < 0)
                log_error_object(LOG_ERR, &e);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
