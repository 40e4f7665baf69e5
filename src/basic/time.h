/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Microseconds, and how people write them. */
#pragma once

#include <time.h>

#include "basic/macros.h"

typedef uint64_t usec_t;
#define USEC_INFINITY ((usec_t) UINT64_MAX)
#define USEC_PER_MSEC ((usec_t) 1000)
#define USEC_PER_SEC ((usec_t) 1000000)
#define USEC_PER_MINUTE (60 * USEC_PER_SEC)
#define USEC_PER_HOUR (60 * USEC_PER_MINUTE)
#define USEC_PER_DAY (24 * USEC_PER_HOUR)
#define NSEC_PER_USEC 1000

usec_t now_usec(clockid_t clock);
/* a + b, USEC_INFINITY on overflow. */
usec_t usec_add(usec_t a, usec_t b);
/* "1min 30s"; systemd.time(7) spelling that parse_usec() reads. Allocated or NULL. */
char *format_timespan(usec_t t, usec_t accuracy);
/* "Mon 2026-11-23 09:30:00 UTC" in local time. Allocated or NULL. */
char *format_timestamp(usec_t realtime);
