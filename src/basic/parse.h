/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers, sizes, times, signals, ids from text. All of a string must match; -EINVAL for bad syntax, -ERANGE for
 * numbers out of range; results are written on success only. */
#pragma once

#include <sys/types.h>

#include "basic/macros.h"
#include "basic/time.h"

/* clang-format off */
int parse_boolean(const char *s);                       /* 1, 0, -EINVAL: 1 yes y true t on / 0 no n false f off */
int parse_u32(const char *s, uint32_t *ret);            /* decimal only, no sign, no white space */
int parse_u64(const char *s, uint64_t *ret);
int parse_i32(const char *s, int32_t *ret);
int parse_i64(const char *s, int64_t *ret);
int parse_uid(const char *s, uid_t *ret);               /* decimal; 65535 and 4294967295 are refused with -ENXIO */
int parse_mode(const char *s, mode_t *ret);             /* octal, at most 07777 */
int parse_size(const char *s, uint64_t *ret_bytes);     /* "4096", "4K", "1.5G": base 1024, suffix B K M G T P E */
int parse_usec(const char *s, usec_t *ret);             /* systemd.time(7) spans: "5s", "2min 30s", "1h", "infinity"; a bare number is seconds */
int parse_nsec_offset(const char *s, int64_t *ret_nsec);/* signed span: "-5s", "+1d" */
int parse_permyriad(const char *s, unsigned *ret);      /* "20%", "12.5%", "0.25%" → 1/10000 parts; above 100% allowed */
int parse_signal(const char *s);                        /* "SIGTERM", "TERM", "RTMIN+3", "15" → number or -EINVAL */
const char *signal_to_string(int sig, char buf[static 16]); /* "SIGTERM", "SIGRTMIN+3" */
int parse_pid(const char *s, pid_t *ret);               /* > 0 */
int parse_cpu_set(const char *s, char **ret_canonical); /* "0-3,5 7" → "0-3 5 7"; at most CPU 8191; allocated */
/* clang-format on */
