/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a cgroup uses and may use: one number for each row of a table, from the kernel's own files.
 *
 * Names and units are those of systemd's properties of units. A number that is not known, because the controller is not there or
 * the kernel too old, and a limit that is not set are both UINT64_MAX, as they are there. */
#pragma once

#include "basic/macros.h"

typedef enum UsageField {
        USAGE_MEMORY_CURRENT, /* bytes */
        USAGE_MEMORY_PEAK,    /* Linux 5.19 */
        USAGE_MEMORY_MAX,
        USAGE_CPU_NSEC,
        USAGE_CPU_QUOTA, /* microseconds of each second: 1000000 is one processor */
        USAGE_TASKS_CURRENT,
        USAGE_TASKS_MAX,
        USAGE_IO_READ_BYTES, /* of all devices together */
        USAGE_IO_WRITE_BYTES,
        _USAGE_MAX,
        _USAGE_INVALID = -EINVAL,
} UsageField;

#define USAGE_ALL ((1U << _USAGE_MAX) - 1)
#define USAGE_UNKNOWN UINT64_MAX

/* "MemoryCurrent", … */
const char *usage_field_to_string(UsageField f);
UsageField usage_field_from_string(const char *s);

/* Fills those of `values` that `wanted` has a bit for, all others with USAGE_UNKNOWN. fd: of the cgroup's directory; one that is not open gives
 * nothing but unknown numbers. No file is larger than 64 KiB, and none is read twice. */
void cgroup_read_usage(int fd, uint32_t wanted, uint64_t values[static _USAGE_MAX]);
