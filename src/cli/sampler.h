/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What containers use, again and again: amounts as they are, and rates since the sample before. `berth top` and `berth stats` are two views of
 * one sampler. */
#pragma once

#include "bus/manager1.h"
#include "cli/table.h"

typedef enum SampleOrder {
        ORDER_NAME,
        ORDER_CPU,
        ORDER_MEMORY,
        ORDER_TASKS,
        ORDER_IO,
        _ORDER_MAX,
        _ORDER_INVALID = -EINVAL,
} SampleOrder;
DECLARE_STRING_TABLE_LOOKUP(sample_order, SampleOrder);

typedef struct Sample {
        ContainerInfo info;
        /* Since the sample before; USAGE_UNKNOWN: this is the container's first, or nobody counts. */
        uint64_t cpu_permyriad;         /* 10000 is one processor */
        uint64_t read_rate, write_rate; /* bytes per second */
} Sample;

typedef struct Sampler {
        Sample *samples;
        size_t n;
        usec_t taken_usec; /* CLOCK_MONOTONIC, of the last sample; 0: none yet */
} Sampler;

/* What of containers must be measured for it, NULL-terminated. */
extern const char *const sampler_measured[];

void sampler_done(Sampler *s);
/* The next sample, taken at now_usec: takes the infos. A container that was started anew has no rates yet. 0, -ENOMEM. */
int sampler_take(Sampler *s, ContainerInfo **infos, size_t *n, usec_t now_usec);
/* By what is used, the largest first, unknown last; names decide between equals. */
void sampler_sort(Sampler *s, SampleOrder order);

extern const TableColumn sampler_columns[];
extern const size_t n_sampler_columns;
/* time_usec: CLOCK_REALTIME. */
void sampler_add_rows(Table *t, const Sampler *s, usec_t time_usec);
/* "12.3%" of 1230; allocated */
char *format_permyriad(uint64_t permyriad);
