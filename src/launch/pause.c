/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pausing: the payload's cgroup is frozen, and the kernel says in cgroup.events when all of it has come to rest (cgroup-v2.rst, "freezer").
 *
 * Calls: pwrite to cgroup.freeze, pread of cgroup.events, which were opened while we might. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/strv.h"
#include "launch/supervisor.h"

static int freeze(const Supervisor *s, bool on) {
        if (s->freeze_fd < 0 || s->frozen_fd < 0)
                return -EOPNOTSUPP;
        return pwrite(s->freeze_fd, on ? "1" : "0", 1, 0) < 0 ? -errno : 0;
}

static void tell_failure(Supervisor *s, int code) {
        char field[32];
        (void) snprintf(field, sizeof(field), "ERRNO=%d", -code); /* fits by its size */
        char *const fields[] = { field, NULL };
        links_send(s, CONTROL_RESUMED, fields, NULL, 0);
}

void pause_begin(Supervisor *s) {
        int r = freeze(s, true);
        if (r < 0) {
                tell_failure(s, r);
                return;
        }
        s->freezing = true;
        if (s->paused) /* to who has asked now */
                links_send(s, CONTROL_PAUSED, NULL, NULL, 0);
        pause_check(s);
}

void pause_check(Supervisor *s) {
        char text[128] = "";
        if (!s->freezing || pread(s->frozen_fd, text, sizeof(text) - 1, 0) <= 0)
                return;
        const bool frozen = strstr(text, "frozen 1") != NULL;
        if (frozen == s->paused)
                return;
        s->paused = frozen; /* or somebody else has let it go on */
        links_send(s, frozen ? CONTROL_PAUSED : CONTROL_RESUMED, NULL, NULL, 0);
}

/* RESUMED in any case: without a group it never rested. */
void pause_end(Supervisor *s) {
        int r = freeze(s, false);
        if (r < 0 && r != -EOPNOTSUPP)
                log_warning_errno(r, "Resuming container '%s' failed", s->spec->name);
        s->freezing = s->paused = false;
        if (s->ready)
                payload_watchdog_arm(s); /* it could not speak meanwhile */
        links_send(s, CONTROL_RESUMED, NULL, NULL, 0);
}
