/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The event loop, with a stopwatch. A manager that never waits is never long in one round; how long it was is what its properties
 * LongestRoundUSec and LongestRoundCPUUSec tell, and at log level debug each round of more than LOOP_ROUND_USEC. */
#pragma once

#include <systemd/sd-event.h>

#include "basic/time.h"

#define LOOP_ROUND_USEC (10 * USEC_PER_MSEC) /* what one round may take */

typedef struct LoopMeter {
        usec_t longest_usec;     /* a round, from events being there to waiting for the next ones */
        usec_t longest_cpu_usec; /* of the processor's time: without what others had meanwhile */
        uint64_t n_rounds, n_long; /* all; those of more than LOOP_ROUND_USEC */
} LoopMeter;

/* sd_event_loop(): until sd_event_exit(); the code of that, or negative errno. */
int loop_run(sd_event *event, LoopMeter *meter);
