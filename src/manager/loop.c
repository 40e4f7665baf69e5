/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The event loop: wait, dispatch one event, look at the clock. */
#include "manager/loop.h"

#include <inttypes.h>

#include "basic/log.h"

static void measure(LoopMeter *meter, usec_t began, usec_t began_cpu) {
        const usec_t took = now_usec(CLOCK_MONOTONIC) - began,
                     took_cpu = now_usec(CLOCK_THREAD_CPUTIME_ID) - began_cpu;
        meter->n_rounds++;
        meter->longest_usec = MAX(meter->longest_usec, took);
        meter->longest_cpu_usec = MAX(meter->longest_cpu_usec, took_cpu);
        if (took <= LOOP_ROUND_USEC)
                return;
        meter->n_long++;
        log_debug("A round of the event loop took %" PRIu64 " us, %" PRIu64 " us of them computing",
                  took, took_cpu);
}

int loop_run(sd_event *event, LoopMeter *meter) {
        usec_t began = now_usec(CLOCK_MONOTONIC), began_cpu = now_usec(CLOCK_THREAD_CPUTIME_ID);
        while (sd_event_get_state(event) != SD_EVENT_FINISHED) {
                int r = sd_event_prepare(event); /* positive: something is there already */
                measure(meter, began, began_cpu);
                if (r == 0)
                        r = sd_event_wait(event, UINT64_MAX);
                began = now_usec(CLOCK_MONOTONIC);
                began_cpu = now_usec(CLOCK_THREAD_CPUTIME_ID);
                if (r > 0)
                        r = sd_event_dispatch(event);
                if (r < 0)
                        return r;
        }
        int code;
        int r = sd_event_get_exit_code(event, &code);
        return r < 0 ? r : code;
}
