/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* berth-generator: the order that settings files ask for → drop-ins of berth@NAME.service, as systemd.generator(7) has it.
 *
 * Whatever is wrong with one container's settings is told, and harms no other one: the boot goes on.
 *
 * Calls: readdir, open, read (settings); mkdir, open(O_EXCL), write (drop-ins); /dev/kmsg, where there is no journal yet. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "spec/spec-order.h"

/* The journal once it is there, else the kernel's log, else stderr. */
static void open_log(void) {
        _cleanup_close_ int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY);

        log_open("berth-generator");
        (void) log_set_target(LOG_TARGET_JOURNAL); /* what it does not take goes to stderr: */
        if (fd >= 0)
                (void) dup2(fd, STDERR_FILENO); /* else stderr stays what it was */
}

static int drop_in_write(const char *directory, const char *name, const char *text, Error *reterr) {
        _cleanup_free_ char *unit = container_to_unit(name);
        _cleanup_free_ char *parent = unit ? strjoin(directory, "/", unit, ".d") : NULL;
        _cleanup_free_ char *path = parent ? strjoin(parent, "/" ORDER_DROP_IN_NAME) : NULL;

        if (!path)
                return error_oom(reterr);
        int r = mkdir_parents(parent, 0755);
        _cleanup_close_ int fd =
                r < 0 ? r : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (r >= 0)
                r = fd < 0 ? -errno : fd_write_full(fd, text, strlen(text));
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED, "'%s' cannot be written", path) : 0;
}

static int generate(const char *directory, const char *name, Error *reterr) {
        _cleanup_free_ char *text = NULL;

        int r = order_drop_in_load(name, /* places= */ NULL, &text, reterr);
        return r < 0 || isempty(text) ? r : drop_in_write(directory, name, text, reterr);
}

int main(int argc, char **argv) {
        _cleanup_strv_free_ char **names = NULL;
        const char *scope = getenv("SYSTEMD_SCOPE");

        if (argc == 2 && streq(argv[1], "--version")) {
                (void) puts("berth-generator " BERTH_VERSION);
                return 0;
        }
        if (argc != 4 || argv[1][0] != '/') {
                (void) fprintf(stderr, "berth-generator: It is started by systemd, with three "
                                       "directories; see berth@.service(8)\n");
                return 2;
        }
        if (scope && !streq(scope, "system"))
                return 0; /* users have no containers */
        open_log();
        (void) umask(0022); /* anybody may see what units are like */
        if (order_list_containers(/* places= */ NULL, &names) < 0)
                log_error("The order of containers is left alone: out of memory");
        STRV_FOREACH(name, names) {
                _cleanup_error_ Error e = ERROR_NULL;
                if (generate(argv[1], *name, &e) < 0)
                        log_error("The order of container '%s' is left alone: %s", *name,
                                  error_message(&e));
        }
        return 0;
}
