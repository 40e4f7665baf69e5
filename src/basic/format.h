/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Amounts as systemd's programs write them. */
#pragma once

#include "basic/time.h"

/* "0B", "512B", "34.1M", "2G": base 1024, at most one digit behind the point, rounded down, none if it is 0; parse_size() reads it.
 * UINT64_MAX is "infinity". Allocated or NULL. */
char *format_bytes(uint64_t n);
/* "now", "250ms ago", "12s ago", "5min 3s ago", "2h 10min ago", "3 days ago", "2 weeks 1 day ago": two units, of which the second is left out
 * where it says little. Allocated or NULL. */
char *format_ago(usec_t passed);
/* CPU time: "250ms", "1.5s", "12min 3s", "2d 5h". Allocated or NULL. */
char *format_cpu_time(uint64_t nsec);
