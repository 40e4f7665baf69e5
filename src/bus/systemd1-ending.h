/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How services have ended, as systemd remembers it. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/error.h"
#include "basic/time.h"

typedef struct UnitEnding {
        char *active_state; /* "inactive", "failed", … */
        char *result;       /* "success", "exit-code", "oom-kill", … */
        char *status_text;  /* of sd_notify(3); a payload may have written it */
        int32_t code;       /* CLD_EXITED, CLD_KILLED, CLD_DUMPED; 0: has not run */
        int32_t status;     /* exit status or signal */
        usec_t ended_usec;  /* CLOCK_REALTIME; 0: has not run */
} UnitEnding;
void unit_ending_done(UnitEnding *e);

/* Of a service, loaded or not. Blocking. */
int systemd1_get_ending(sd_bus *bus, const char *unit, UnitEnding *ret, Error *reterr);
/* "exited with status 7", "killed by signal SIGKILL (out of memory)", "did not start in time"; NULL when nothing was wrong, or no memory. */
char *unit_ending_to_string(const UnitEnding *e);

/* Names of the loaded units in one of the states ("failed") that match one of the patterns. One call. Blocking. */
int systemd1_list_units(sd_bus *bus, char *const *states, char *const *patterns, char ***ret,
                        Error *reterr);
